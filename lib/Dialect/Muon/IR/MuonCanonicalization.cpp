//===- MuonCanonicalization.cpp - Canonicalizations of muon operations -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"

using namespace mlir;
using namespace mlir::muon;

/// Whether `condition` is the flag of a look that lets every step pass.
static bool alwaysHolds(Value condition) {
  auto look = condition.getDefiningOp<LookOp>();
  return look && !look.getSkipNonfinite() && condition == look->getResult(0);
}

namespace {

/// A condition known at compile time: true goes away, false leaves the
/// destinations as they are.
template <typename OpT>
struct FoldConstantCondition : public OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    Value condition = op.getCondition();
    DenseElementsAttr value;
    bool holds = condition && alwaysHolds(condition);
    if (!condition || (!holds && !matchPattern(condition, m_Constant(&value))))
      return rewriter.notifyMatchFailure(op, "no constant condition");
    if (holds || value.getSplatValue<bool>()) {
      rewriter.modifyOpInPlace(op, [&] { op.dropCondition(); });
      return success();
    }
    // Everything that is written only otherwise has undefined contents then.
    auto inPlace = cast<InPlaceOpInterface>(op.getOperation());
    rewriter.replaceOp(op, inPlace.getDestinations());
    return success();
  }
};

/// Sums that decide neither about the step nor about its clip coefficient.
struct DropUnusedSums : public OpRewritePattern<LookOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getSkipNonfinite())
      return rewriter.notifyMatchFailure(op, "all sums have to be finite");
    bool dropsGradients = op.getLimit().empty() && !op.getGradients().empty();
    if (!dropsGradients && op.getMomenta().empty())
      return rewriter.notifyMatchFailure(op, "no sums without use");
    rewriter.modifyOpInPlace(op, [&] {
      op.getMomentaMutable().clear();
      if (dropsGradients)
        op.getGradientsMutable().clear();
    });
    return success();
  }
};

/// A factor of 1 for every matrix.
template <typename OpT>
struct DropUnitFactor : public OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    DenseElementsAttr value;
    if (op.getFactor().empty() ||
        !matchPattern(op.getFactor().front(), m_Constant(&value)))
      return rewriter.notifyMatchFailure(op, "no constant factor");
    if (!llvm::all_of(value.getValues<APFloat>(), [](const APFloat &factor) {
          return factor.isExactlyValue(1.0);
        }))
      return rewriter.notifyMatchFailure(op, "factor is not 1");
    rewriter.modifyOpInPlace(op, [&] { op.getFactorMutable().clear(); });
    return success();
  }
};

/// An addend that counts 0 times. Not a numeric change even where the addend is
/// not finite: beta = 0 means that it is not read.
struct DropUnusedAddend : public OpRewritePattern<SymmetricProductOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SymmetricProductOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getAddend().empty() || !op.getBeta().isZero())
      return rewriter.notifyMatchFailure(op, "the addend counts");
    rewriter.modifyOpInPlace(op, [&] { op.getAddendMutable().clear(); });
    return success();
  }
};

} // namespace

#define MUON_CONDITIONAL_OP(OpT)                                               \
  void OpT::getCanonicalizationPatterns(RewritePatternSet &patterns,           \
                                        MLIRContext *context) {                \
    patterns.add<FoldConstantCondition<OpT>>(context);                         \
  }

MUON_CONDITIONAL_OP(AdvanceOp)
MUON_CONDITIONAL_OP(UpdateOp)
MUON_CONDITIONAL_OP(AdamWUpdateOp)
MUON_CONDITIONAL_OP(MomentumOp)
MUON_CONDITIONAL_OP(ApplyOp)

#undef MUON_CONDITIONAL_OP

void LookOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *context) {
  patterns.add<DropUnusedSums>(context);
}

void OrthogonalizeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                  MLIRContext *context) {
  patterns.add<DropUnitFactor<OrthogonalizeOp>>(context);
}

void PolynomialStepOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                   MLIRContext *context) {
  patterns.add<DropUnitFactor<PolynomialStepOp>>(context);
}

void SymmetricProductOp::getCanonicalizationPatterns(
    RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnitFactor<SymmetricProductOp>, DropUnusedAddend>(context);
}

void SymmetricApplyOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                   MLIRContext *context) {
  patterns.add<DropUnitFactor<SymmetricApplyOp>>(context);
}
