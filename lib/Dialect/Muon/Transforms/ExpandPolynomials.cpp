//===- ExpandPolynomials.cpp - Expand polynomial steps into products -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"

namespace mlir::muon {
#define GEN_PASS_DEF_EXPANDPOLYNOMIALSPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

struct ExpandPolynomial : public OpRewritePattern<PolynomialStepOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(PolynomialStepOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = dyn_cast<RankedTensorType>(op.getX().front().getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "expand before bufferization");

    int64_t m = type.getDimSize(op.getSide() == Side::Left ? 1 : 2);
    auto square = [&]() -> Value {
      return tensor::EmptyOp::create(rewriter, loc, {type.getDimSize(0), m, m},
                                     type.getElementType());
    };
    auto number = [&](double value) { return rewriter.getF64FloatAttr(value); };
    auto product = [&](Value x, ValueRange addend, ValueRange factor,
                       double alpha, double beta, Side side) {
      return SymmetricProductOp::create(rewriter, loc, x, addend, factor,
                                        square(), number(alpha), number(beta),
                                        SideAttr::get(getContext(), side))
          .getResult(0);
    };
    double a = op.getA().convertToDouble(), b = op.getB().convertToDouble(),
           c = op.getC().convertToDouble();

    Value polynomial;
    if (c == 0.0) {
      polynomial =
          product(op.getX().front(), {}, op.getFactor(), b, 0.0, op.getSide());
    } else {
      Value gram = product(op.getX().front(), {}, op.getFactor(), 1.0, 0.0,
                           op.getSide());
      // A is symmetric, so A² = AAᵀ whatever the side of X.
      polynomial = product(gram, gram, {}, c, b, Side::Left);
    }
    auto apply = SymmetricApplyOp::create(
        rewriter, loc, polynomial, op.getX().front(), op.getFactor(),
        op.getOut(), number(a), op.getSideAttr());
    rewriter.replaceOp(op, apply->getResults());
    return success();
  }
};

struct ExpandPolynomialsPass
    : public muon::impl::ExpandPolynomialsPassBase<ExpandPolynomialsPass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandPolynomial>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
