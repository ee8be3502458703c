//===- ExpandPolynomials.cpp - Expand polynomial steps into products -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ProductChain.h"
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
    auto type = dyn_cast<RankedTensorType>(op.getX().front().getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "expand before bufferization");

    ProductChain chain(rewriter, op.getLoc(), type, op.getSide(), op.getTf32());
    double a = op.getA().convertToDouble(), b = op.getB().convertToDouble(),
           c = op.getC().convertToDouble();
    Value x = op.getX().front();
    ScaledMatrix polynomial =
        c == 0.0 ? chain.gram(x, op.getFactor(), b)
                 : chain.polynomial(chain.gram(x, op.getFactor(), 1.0), b, c);
    rewriter.replaceOp(
        op, chain.apply(polynomial, a, x, op.getFactor(), op.getOut().front()));
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
