//===- SplitProducts.cpp - Split the inner dimension ------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h"

namespace mlir::muon_gpu {
#define GEN_PASS_DEF_SPLITPRODUCTSPASS
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h.inc"
} // namespace mlir::muon_gpu

using namespace mlir;
using namespace mlir::muon_gpu;

/// `operand` (1×R×C) as `split` parts of its inner dimension, which are the
/// rows if `byRows`, else the columns.
static Value getParts(OpBuilder &b, Location loc, Value operand, bool byRows,
                      int64_t split) {
  auto type = cast<MemRefType>(operand.getType());
  MatrixList list = *getMatrices(type);
  SmallVector<int64_t> sizes = {split, list.rows, list.cols};
  sizes[byRows ? 1 : 2] /= split;
  SmallVector<int64_t> strides = {byRows ? sizes[1] * list.rowStride : sizes[2],
                                  list.rowStride, 1};
  auto layout = StridedLayoutAttr::get(b.getContext(), /*offset=*/0, strides);
  return memref::ReinterpretCastOp::create(
      b, loc, MemRefType::get(sizes, type.getElementType(), layout), operand,
      /*offset=*/0, sizes, strides);
}

/// The products of the parts, in f32. Symmetric ones are whole.
static MatmulOp createParts(OpBuilder &b, MatmulOp op, int64_t split,
                            Value partial) {
  Location loc = op.getLoc();
  Value lhs =
      getParts(b, loc, op.getLhs(), /*byRows=*/op.getLhsTransposed(), split);
  Value rhs = op.getRhs() == op.getLhs() &&
                      op.getLhsTransposed() != op.getRhsTransposed()
                  ? lhs
                  : getParts(b, loc, op.getRhs(),
                             /*byRows=*/!op.getRhsTransposed(), split);
  ScheduleAttr old = op.getScheduleAttr();
  int64_t width = op.getN() % 4 == 0 ? 4 : 1;
  auto schedule = ScheduleAttr::get(
      b.getContext(), old.getM(), old.getN(), old.getK(), old.getWarpsM(),
      old.getWarpsN(), old.getStages(), old.getRaster(), width, old.getMasked(),
      /*split=*/1);
  auto parts = MatmulOp::create(
      b, loc, lhs, rhs, /*scalars=*/ValueRange(), /*tiles=*/ValueRange(),
      partial, /*sums=*/ValueRange(), op.getWhen(), b.getDenseF64ArrayAttr({}),
      op.getLhsTransposed(), op.getRhsTransposed(), op.getSymmetric(),
      op.getTf32(), schedule);
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&parts.getEpilogue());
  Value acc = block->addArgument(b.getF32Type(), loc);
  YieldOp::create(b, loc, acc);
  return parts;
}

/// Adds the parts and does the epilogue of `op`.
static void createSum(OpBuilder &b, MatmulOp op, int64_t split, Value partial) {
  Location loc = op.getLoc();
  auto type = cast<MemRefType>(partial.getType());
  auto partType =
      MemRefType::get({1, op.getM(), op.getN()}, type.getElementType());
  SmallVector<Value> inputs;
  for (int64_t i = 0; i < split; ++i)
    inputs.push_back(muon::SliceOp::create(
        b, loc, partType, partial, arith::ConstantIndexOp::create(b, loc, i)));
  llvm::append_range(inputs, op.getTiles());
  auto stream = StreamOp::create(b, loc, op.getScalars(), inputs, op.getOuts(),
                                 op.getSums(), op.getWhen(),
                                 op.getConstantsAttr(), StreamScheduleAttr());
  // Arguments: constants, scalars, parts, tiles; the product's begin with acc.
  Block &source = op.getEpilogue().front();
  Block *block = b.createBlock(&stream.getBody());
  size_t numNumbers = op.getConstants().size() + op.getScalars().size();
  IRMapping mapping;
  auto take = [&](BlockArgument argument) {
    mapping.map(argument, block->addArgument(argument.getType(), loc));
  };
  for (BlockArgument argument : source.getArguments().slice(1, numNumbers))
    take(argument);
  SmallVector<Value> parts;
  for (int64_t i = 0; i < split; ++i)
    parts.push_back(block->addArgument(b.getF32Type(), loc));
  for (BlockArgument argument :
       source.getArguments().drop_front(1 + numNumbers))
    take(argument);
  Value sum = parts.front();
  for (Value part : ArrayRef(parts).drop_front())
    sum = arith::AddFOp::create(b, loc, sum, part);
  mapping.map(source.getArgument(0), sum);
  for (Operation &inner : source)
    b.clone(inner, mapping);
}

namespace {

struct SplitProductsPass
    : public muon_gpu::impl::SplitProductsPassBase<SplitProductsPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<MatmulOp> products;
    getOperation()->walk([&](MatmulOp op) {
      if (op.getSchedule() && op.getSchedule()->getSplit() != 1)
        products.push_back(op);
    });
    for (MatmulOp op : products)
      if (failed(split(op)))
        return signalPassFailure();
  }

  LogicalResult split(MatmulOp op) {
    int64_t parts = op.getSchedule()->getSplit();
    if (op.getBatch() != 1 ||
        op.getK() % (parts * op.getSchedule()->getK()) != 0)
      return op.emitOpError("expected one product whose inner dimension is a "
                            "multiple of ")
             << parts * op.getSchedule()->getK() << " to split it in " << parts
             << ", found " << op.getBatch() << " with " << op.getK();
    if (!op.getEpilogue().front().getOps<OnDiagonalOp>().empty())
      return op.emitOpError("asks for the diagonal in its epilogue, which a "
                            "split product cannot");
    if (isa<LaunchOp>(op->getParentOp()))
      return op.emitOpError("is in a launch, where it cannot be split");
    OpBuilder b(op);
    Value partial = memref::AllocOp::create(
        b, op.getLoc(),
        MemRefType::get({parts, op.getM(), op.getN()}, b.getF32Type()));
    createParts(b, op, parts, partial);
    createSum(b, op, parts, partial);
    op.erase();
    ++numSplit;
    return success();
  }
};

} // namespace
