//===- DecomposeUpdates.cpp - Split updates into math operations -*- C++
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
#define GEN_PASS_DEF_DECOMPOSEUPDATESPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

struct DecomposeUpdate : public OpRewritePattern<UpdateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(UpdateOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value weight = op.getWeight().front();
    if (isBuffer(weight.getType()))
      return rewriter.notifyMatchFailure(op, "decompose before bufferization");
    ParameterShape shape = *getParameterShape(weight.getType());
    int64_t count = shape.matrices();
    auto empty = [&](ArrayRef<int64_t> dims, Type type) -> Value {
      return tensor::EmptyOp::create(rewriter, loc, dims, type);
    };
    Type f32 = rewriter.getF32Type(), f64 = rewriter.getF64Type();
    Type storage = getStorageType(getContext(), op.getCompute());
    SmallVector<int64_t> batch = {count, shape.rows(), shape.cols()};

    auto momentum = MomentumOp::create(
        rewriter, loc, op.getGradient(), op.getGradientSums(),
        op.getMomentumSums(), op.getBeta(), op.getClip(), op.getWhen(),
        op.getMomentum(), empty(batch, storage), empty(count, f64),
        empty(count, f64), op.getMomentumFormAttr(), op.getNesterovAttr());
    Value x = momentum.getResult(1), sums = momentum.getResult(2),
          unit = momentum.getResult(3);
    auto normalize =
        NormalizeOp::create(rewriter, loc, sums, unit, empty(count, f32),
                            op.getSafetyAttr(), op.getEpsAttr());
    // The update itself is not rounded to the type of the products.
    auto orthogonalize = OrthogonalizeOp::create(
        rewriter, loc, x, normalize.getResult(0), empty(batch, f32),
        op.getScheduleAttr(), op.getStepsAttr(), op.getIterationAttr(),
        op.getRestartsAttr(), op.getSideAttr(), op.getComputeAttr());

    int64_t fanOut = shape.rows(), fanIn = shape.cols();
    if (op.getTransposed())
      std::swap(fanOut, fanIn);
    double scale = op.getLrMultiplier().convertToDouble();
    if (op.getScale())
      scale *= op.getScale()->getFactor(fanOut, fanIn);
    auto apply =
        ApplyOp::create(rewriter, loc, orthogonalize.getResult(0), op.getLr(),
                        op.getWeightDecay(), op.getWhen(), op.getWeight(),
                        op.getMaster(), op.getUpdateSums(), op.getWeightSums(),
                        rewriter.getF64FloatAttr(scale));

    // Results follow the destinations: weight, momentum, then the rest, which
    // apply has in the same order.
    SmallVector<Value> results(apply->getResults());
    results.insert(results.begin() + 1, momentum.getResult(0));
    rewriter.replaceOp(op, results);
    return success();
  }
};

struct DecomposeUpdatesPass
    : public muon::impl::DecomposeUpdatesPassBase<DecomposeUpdatesPass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<DecomposeUpdate>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
