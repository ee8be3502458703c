//===- UnrollOrthogonalize.cpp - Unroll the iteration -*- C++ -*-===//
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
#include "muon-mlir/Dialect/Muon/IterationCost.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"

namespace mlir::muon {
#define GEN_PASS_DEF_UNROLLORTHOGONALIZEPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

/// The sum over ranks that have parts of X.
Value addUp(OpBuilder &builder, Location loc, Value gram, GroupAttr group) {
  auto type = cast<RankedTensorType>(gram.getType());
  int64_t count = type.getDimSize(0), m = type.getDimSize(1);
  auto empty = [&](ArrayRef<int64_t> shape) -> Value {
    return tensor::EmptyOp::create(builder, loc, shape, type.getElementType());
  };
  SmallVector<int64_t> triangles = {count, 1, m * (m + 1) / 2};
  auto packed = PackTriangleOp::create(
      builder, loc, RankedTensorType::get(triangles, type.getElementType()),
      gram, empty(triangles));
  auto all = llvm::to_vector(llvm::seq<int64_t>(0, count));
  SmallVector<int64_t> elements(count, triangles.back());
  auto sum = AllReduceOp::create(builder, loc, packed.getResult(0).getType(),
                                 packed.getResult(0), empty(triangles), group,
                                 elements, Reduction::Sum, all, all, TypeAttr(),
                                 builder.getStringAttr("Gram"), IntegerAttr());
  return UnpackTriangleOp::create(builder, loc, type, sum.getResult(0),
                                  empty(type.getShape()))
      .getResult(0);
}

/// Builds the steps of one segment on X in Gram space; of X spread over ranks,
/// if there is a group.
Value buildSegment(ProductChain &chain, OpBuilder &builder, Location loc,
                   GroupAttr group, Value x, ValueRange factor,
                   ArrayRef<StepCoefficients> coefficients, Value out) {
  ScaledMatrix gram = chain.gram(x, factor, 1.0);
  if (group)
    gram.value = addUp(builder, loc, gram.value, group);
  // Q + shift·I is the polynomial so far, and `most` bounds its norm.
  ScaledMatrix q = {};
  double shift = 0.0, most = 1.0;
  for (auto [index, step] : llvm::enumerate(coefficients)) {
    double a = step[0], b = step[1], c = step[2];
    auto h = [&](double r) { return a + r * (b + r * c); };
    // A polynomial without R² is a multiple of R, and needs no memory.
    ScaledMatrix z = c == 0.0 && b != 0.0
                         ? ScaledMatrix{gram.value, gram.scale / b}
                         : chain.polynomial(gram, b, c);
    most *= boundOverSpectrum(h);
    if (index == 0) {
      q = z;
      shift = a;
    } else {
      q = chain.commuting(q, shift, z, a, most);
      shift = 0.0;
    }
    if (index + 1 == coefficients.size())
      break;
    ScaledMatrix half = chain.commuting(
        gram, 0.0, z, a, boundOverSpectrum([&](double r) { return r * h(r); }));
    gram = chain.commuting(z, a, half, 0.0,
                           boundOverSpectrum([](double r) { return r; }));
  }
  return chain.apply(q, shift, x, factor, out);
}

struct UnrollOrthogonalize : public OpRewritePattern<OrthogonalizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(OrthogonalizeOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getSide() == Side::Auto || op.getIteration() == Iteration::Auto ||
        op.getCompute() == Compute::Auto)
      return rewriter.notifyMatchFailure(
          op, "side, iteration and precision must be chosen first");
    if (isBuffer(op.getX().front().getType()))
      return rewriter.notifyMatchFailure(op, "unroll before bufferization");

    auto type = cast<RankedTensorType>(op.getX().front().getType());
    bool tf32 = op.getCompute() == Compute::TF32;
    ProductChain chain(rewriter, op.getLoc(), type, op.getSide(), tf32);
    SmallVector<StepCoefficients> coefficients;
    int64_t steps = op.getSteps();
    for (int64_t step = 0; step < steps; ++step)
      coefficients.push_back(op.getSchedule().getCoefficients(step));

    // The direct iteration is one that starts anew at every step.
    auto restarts = llvm::to_vector(llvm::seq<int64_t>(1, steps));
    if (op.getIteration() == Iteration::Gram)
      restarts =
          SmallVector<int64_t>(op.getRestarts().value_or(ArrayRef<int64_t>()));

    Value x = op.getX().front();
    ValueRange factor = op.getFactor();
    for (auto [begin, end] : getSegments(steps, restarts)) {
      Value out = end == steps ? op.getOut().front()
                               : tensor::EmptyOp::create(rewriter, op.getLoc(),
                                                         type.getShape(),
                                                         type.getElementType());
      if (end - begin == 1 && !op.getGroup()) {
        auto [a, b, c] = coefficients[begin];
        x = PolynomialStepOp::create(
                rewriter, op.getLoc(), x, factor, out,
                rewriter.getF64FloatAttr(a), rewriter.getF64FloatAttr(b),
                rewriter.getF64FloatAttr(c),
                tf32 ? rewriter.getUnitAttr() : UnitAttr(), op.getSideAttr())
                .getResult(0);
      } else {
        x = buildSegment(chain, rewriter, op.getLoc(), op.getGroupAttr(), x,
                         factor,
                         ArrayRef(coefficients).slice(begin, end - begin), out);
      }
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
