//===- UnrollOrthogonalize.cpp - Unroll the iteration -*- C++ -*-===//
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
#define GEN_PASS_DEF_UNROLLORTHOGONALIZEPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

struct UnrollOrthogonalize : public OpRewritePattern<OrthogonalizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(OrthogonalizeOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getSide() == Side::Auto || op.getIteration() != Iteration::Direct ||
        op.getCompute() != Compute::F32)
      return rewriter.notifyMatchFailure(
          op, "side, direct iteration and f32 must be chosen first");
    if (isBuffer(op.getX().front().getType()))
      return rewriter.notifyMatchFailure(op, "unroll before bufferization");

    auto type = cast<RankedTensorType>(op.getX().front().getType());
    Value x = op.getX().front();
    ValueRange factor = op.getFactor();
    int64_t steps = op.getSteps();
    for (int64_t step = 0; step < steps; ++step) {
      bool isLast = step + 1 == steps;
      Value out = isLast ? op.getOut().front()
                         : tensor::EmptyOp::create(rewriter, op.getLoc(),
                                                   type.getShape(),
                                                   type.getElementType());
      auto [a, b, c] = op.getSchedule().getCoefficients(step);
      x = PolynomialStepOp::create(
              rewriter, op.getLoc(), x, factor, out,
              rewriter.getF64FloatAttr(a), rewriter.getF64FloatAttr(b),
              rewriter.getF64FloatAttr(c), op.getSideAttr())
              .getResult(0);
      factor = {};
    }
    rewriter.replaceOp(op, x);
    return success();
  }
};

struct UnrollOrthogonalizePass
    : public muon::impl::UnrollOrthogonalizePassBase<UnrollOrthogonalizePass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<UnrollOrthogonalize>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
