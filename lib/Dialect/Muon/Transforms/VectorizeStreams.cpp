//===- VectorizeStreams.cpp - Elementwise linalg to vector loops -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"

namespace mlir::muon {
#define GEN_PASS_DEF_VECTORIZESTREAMSPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

/// Elements per iteration: one AVX-512 register of f32. Fixed, so that sums do
/// not depend on the processor.
static constexpr int64_t kLanes = 16;

namespace {

struct VectorizeStream : public OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureBufferSemantics() || op.getNumLoops() != 1)
      return rewriter.notifyMatchFailure(op, "not one loop over buffers");
    for (auto [map, type] :
         llvm::zip(op.getIndexingMapsArray(), op->getOperandTypes())) {
      auto memref = dyn_cast<MemRefType>(type);
      if (!memref || !memref.getElementType().isIntOrFloat())
        return rewriter.notifyMatchFailure(op,
                                           "operand is no buffer of numbers");
      if (map.getNumResults() != 0 &&
          !(map.isIdentity() && memref.isLastDimUnitStride()))
        return rewriter.notifyMatchFailure(op, "operand is not contiguous");
    }
    for (Operation &inner : op.getBody()->without_terminator())
      if (!isa<arith::ConstantOp>(inner) &&
          !OpTrait::hasElementwiseMappableTraits(&inner))
        return rewriter.notifyMatchFailure(op, "body is not elementwise");
    for (OpOperand &init : op.getDpsInitsMutable())
      if (isSum(op, init) && !isSumBody(op, init))
        return rewriter.notifyMatchFailure(op, "reduction is not a sum");

    Location loc = op.getLoc();
    auto index = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(rewriter, loc, value);
    };
    int64_t fixed = op.getStaticLoopRanges()[0];
    bool isDynamic = ShapedType::isDynamic(fixed);
    Value length, whole;
    if (isDynamic) {
      length = memref::DimOp::create(rewriter, loc, getStream(op), 0);
      whole = arith::MulIOp::create(
          rewriter, loc,
          arith::DivUIOp::create(rewriter, loc, length, index(kLanes)),
          index(kLanes));
    } else {
      length = index(fixed);
      whole = index(fixed / kLanes * kLanes);
    }
    SmallVector<Value> sums;
    for (OpOperand &init : op.getDpsInitsMutable())
      if (isSum(op, init))
        sums.push_back(arith::ConstantOp::create(
            rewriter, loc,
            rewriter.getZeroAttr(getElementTypeOrSelf(init.get().getType()))));

    if (isDynamic || fixed >= kLanes) {
      SmallVector<Value> lanes;
      for (Value sum : sums)
        lanes.push_back(arith::ConstantOp::create(
            rewriter, loc, rewriter.getZeroAttr(getVector(sum.getType()))));
      ValueRange totals = buildLoop(op, rewriter, index(0), whole,
                                    index(kLanes), lanes, kLanes);
      for (auto [sum, total] : llvm::zip_equal(sums, totals))
        sum = vector::ReductionOp::create(
            rewriter, loc, vector::CombiningKind::ADD, total, sum);
    }
    if (isDynamic || fixed % kLanes != 0) {
      ValueRange totals =
          buildLoop(op, rewriter, whole, length, index(1), sums, 1);
      sums.assign(totals.begin(), totals.end());
    }

    unsigned next = 0;
    for (OpOperand &init : op.getDpsInitsMutable())
      if (isSum(op, init)) {
        Value old = memref::LoadOp::create(rewriter, loc, init.get());
        Value sum = arith::AddFOp::create(rewriter, loc, old, sums[next++]);
        memref::StoreOp::create(rewriter, loc, sum, init.get());
      }
    rewriter.eraseOp(op);
    return success();
  }

  /// An operand with one element for each iteration.
  static Value getStream(linalg::GenericOp op) {
    for (OpOperand &operand : op->getOpOperands())
      if (op.getMatchingIndexingMap(&operand).getNumResults() != 0)
        return operand.get();
    llvm_unreachable("a loop has a range");
  }

  static VectorType getVector(Type type) {
    return VectorType::get(kLanes, type);
  }

  static bool isSum(linalg::GenericOp op, OpOperand &operand) {
    return op.getMatchingIndexingMap(&operand).getNumResults() == 0 &&
           op.isDpsInit(&operand);
  }

  /// Whether the body only adds to the sum, and nothing else sees it.
  static bool isSumBody(linalg::GenericOp op, OpOperand &init) {
    BlockArgument argument = op.getMatchingBlockArgument(&init);
    OpOperand *yielded = op.getMatchingYieldValue(&init);
    auto add = yielded->get().getDefiningOp<arith::AddFOp>();
    return add && argument.hasOneUse() && *argument.user_begin() == add &&
           add.getResult().hasOneUse();
  }

  /// One loop over `lanes` elements at a time; `sums` are carried and their
  /// last values returned.
  static ValueRange buildLoop(linalg::GenericOp op, PatternRewriter &rewriter,
                              Value begin, Value end, Value step,
                              ValueRange sums, int64_t lanes) {
    Location loc = op.getLoc();
    auto loop = scf::ForOp::create(rewriter, loc, begin, end, step, sums);
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToEnd(loop.getBody());
    if (loop.getBody()->mightHaveTerminator())
      rewriter.setInsertionPoint(loop.getBody()->getTerminator());
    Value i = loop.getInductionVar();
    bool isVector = lanes > 1;

    IRMapping map;
    unsigned nextSum = 0;
    for (OpOperand &operand : op->getOpOperands()) {
      Value buffer = operand.get();
      Type element = getElementTypeOrSelf(buffer.getType());
      Value value;
      if (isSum(op, operand))
        value = loop.getRegionIterArg(nextSum++);
      else if (op.getMatchingIndexingMap(&operand).getNumResults() == 0)
        value = spread(rewriter, loc,
                       memref::LoadOp::create(rewriter, loc, buffer), isVector);
      else if (isVector)
        value = vector::LoadOp::create(rewriter, loc, getVector(element),
                                       buffer, i);
      else
        value = memref::LoadOp::create(rewriter, loc, buffer, i);
      map.map(op.getMatchingBlockArgument(&operand), value);
    }

    for (Operation &inner : op.getBody()->without_terminator())
      cloneBody(inner, rewriter, map, isVector);

    SmallVector<Value> newSums;
    for (OpOperand &init : op.getDpsInitsMutable()) {
      Value value = lookup(rewriter, loc, map,
                           op.getMatchingYieldValue(&init)->get(), isVector);
      if (isSum(op, init))
        newSums.push_back(value);
      else if (isVector)
        vector::StoreOp::create(rewriter, loc, value, init.get(), i);
      else
        memref::StoreOp::create(rewriter, loc, value, init.get(), i);
    }
    if (!newSums.empty())
      scf::YieldOp::create(rewriter, loc, newSums);
    return loop.getResults();
  }

  static Value spread(OpBuilder &builder, Location loc, Value value,
                      bool isVector) {
    if (!isVector)
      return value;
    return vector::BroadcastOp::create(builder, loc, getVector(value.getType()),
                                       value);
  }

  /// The counterpart of a value of the body; values from outside are spread
  /// over all lanes.
  static Value lookup(OpBuilder &builder, Location loc, IRMapping &map,
                      Value value, bool isVector) {
    if (!map.contains(value))
      map.map(value, spread(builder, loc, value, isVector));
    return map.lookup(value);
  }

  /// Elementwise operations mean the same on vectors; constants become splats.
  static void cloneBody(Operation &inner, OpBuilder &builder, IRMapping &map,
                        bool isVector) {
    Location loc = inner.getLoc();
    if (auto constant = dyn_cast<arith::ConstantOp>(inner)) {
      TypedAttr value = constant.getValue();
      if (isVector)
        value = DenseElementsAttr::get(getVector(value.getType()),
                                       Attribute(constant.getValue()));
      map.map(constant.getResult(),
              arith::ConstantOp::create(builder, loc, value).getResult());
      return;
    }
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(lookup(builder, loc, map, operand, isVector));
    SmallVector<Type> types(inner.getResultTypes());
    if (isVector)
      for (Type &type : types)
        type = getVector(type);
    OperationState state(loc, inner.getName(), operands, types,
                         inner.getAttrs());
    map.map(inner.getResults(), builder.create(state)->getResults());
  }
};

struct VectorizeStreamsPass
    : public muon::impl::VectorizeStreamsPassBase<VectorizeStreamsPass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<VectorizeStream>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
