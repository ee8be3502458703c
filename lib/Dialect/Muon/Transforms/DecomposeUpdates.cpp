//===- DecomposeUpdates.cpp - Split updates into math operations -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatrixExchange.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "muon-mlir/Dialect/Muon/IR/Grid.h"
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
    auto orthogonalize = [&](Value matrices, Value squares, Value units,
                             Type result, GroupAttr group) -> Value {
      auto type = cast<RankedTensorType>(matrices.getType());
      auto normalize = NormalizeOp::create(rewriter, loc, squares, units,
                                           empty(type.getDimSize(0), f32),
                                           op.getSafetyAttr(), op.getEpsAttr());
      return OrthogonalizeOp::create(
                 rewriter, loc, matrices, normalize.getResult(0),
                 empty(type.getShape(), result), op.getScheduleAttr(),
                 op.getStepsAttr(), op.getIterationAttr(), op.getRestartsAttr(),
                 op.getSideAttr(), op.getComputeAttr(), group)
          .getResult(0);
    };
    Value o;
    if (ExchangeAttr exchange = op.getExchangeAttr()) {
      FailureOr<shard::GridOp> grid = getGrid(op->getParentOfType<ModuleOp>());
      if (failed(grid) || !*grid)
        return op.emitOpError("has an exchange, and the module no grid");
      auto rank = op->getParentOfType<ModuleOp>()->getAttrOfType<IntegerAttr>(
          MuonDialect::kRank);
      FailureOr<GroupAttr> expected =
          rank ? getGroupAttr(*grid, rank.getInt(),
                              exchange.getGroup().getAxes().asArrayRef())
               : FailureOr<GroupAttr>();
      if (failed(expected) || *expected != exchange.getGroup())
        return op.emitOpError("'exchange' expected a group of this rank in the "
                              "grid, found ")
               << exchange.getGroup();
      if (exchange.getStrategy() == StrategyKind::DistributedGram) {
        GroupAttr group = exchange.getGroup();
        SmallVector<int64_t> all = {0}, elements = {count};
        auto whole = AllReduceOp::create(
            rewriter, loc, sums.getType(), sums, empty(count, f64), group,
            elements, Reduction::Sum, all, all, TypeAttr(),
            rewriter.getStringAttr("norms"), IntegerAttr());
        o = orthogonalize(x, whole.getResult(0), unit, f32, group);
      } else {
        MatrixExchange matrices(rewriter, loc, exchange, (*grid).getShape(),
                                count, storage);
        Value whole = matrices.collect(x), result;
        if (whole) {
          int64_t held = matrices.getCount();
          auto squares =
              SumSquaresOp::create(rewriter, loc, whole, empty(held, f64));
          if (held != count)
            unit = PlaceOp::create(
                       rewriter, loc, RankedTensorType::get(held, f64), unit,
                       empty(held, f64), ArrayRef(matrices.getFirst()),
                       ArrayRef<int64_t>(0), ArrayRef(held))
                       .getResult(0);
          // What is sent has the type of the products.
          bool isOwn = exchange.getStrategy() == StrategyKind::Own;
          result = orthogonalize(whole, squares.getResult(0), unit,
                                 isOwn ? storage : f32, GroupAttr());
        }
        o = matrices.distribute(result);
      }
    } else {
      // The update itself is not rounded to the type of the products.
      o = orthogonalize(x, sums, unit, f32, GroupAttr());
    }

    int64_t fanOut = shape.rows(), fanIn = shape.cols();
    if (ExchangeAttr exchange = op.getExchangeAttr()) {
      fanOut = exchange.getShape()[0];
      fanIn = exchange.getShape()[1];
    }
    if (op.getTransposed())
      std::swap(fanOut, fanIn);
    double scale = op.getLrMultiplier().convertToDouble();
    if (op.getScale())
      scale *= op.getScale()->getFactor(fanOut, fanIn);
    auto apply = ApplyOp::create(
        rewriter, loc, o, op.getLr(), op.getWeightDecay(), op.getWhen(),
        op.getWeight(), op.getMaster(), op.getUpdateSums(), op.getWeightSums(),
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
