//===- MatrixExchange.cpp - Whole matrices from blocks on ranks -----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatrixExchange.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::muon;

MatrixExchange::MatrixExchange(OpBuilder &builder, Location loc,
                               ExchangeAttr exchange, ArrayRef<int64_t> grid,
                               int64_t count, Type type)
    : builder(builder), loc(loc), exchange(exchange), count(count), type(type) {
  int64_t place = exchange.getGroup().getPlace();
  for (int64_t i = 0, e = exchange.getGroup().getSize(); i < e; ++i) {
    Block block = getBlock(grid, i);
    if (block.getElements() == 0)
      continue;
    if (i == place)
      local = block;
    blocks.push_back(block);
    places.push_back(i);
  }
  if (exchange.getStrategy() != StrategyKind::Own) {
    mine = local ? count : 0;
    return;
  }
  ArrayRef<int64_t> owners = exchange.getOwners().asArrayRef();
  // An owner has something of what it orthogonalizes.
  mine = local ? llvm::count(owners, place) : 0;
  first = mine ? llvm::find(owners, place) - owners.begin() : 0;
}

MatrixExchange::Block MatrixExchange::getBlock(ArrayRef<int64_t> grid,
                                               int64_t place) const {
  SmallVector<int64_t> coordinates(grid.size());
  for (int64_t axis :
       llvm::reverse(exchange.getGroup().getAxes().asArrayRef())) {
    coordinates[axis] = place % grid[axis];
    place /= grid[axis];
  }
  int64_t offsets[2], sizes[2];
  for (int dim = 0; dim < 2; ++dim) {
    int64_t index = 0, parts = 1;
    for (int64_t axis :
         exchange.getSharding().getSplitAxes()[dim].asArrayRef()) {
      index = index * grid[axis] + coordinates[axis];
      parts *= grid[axis];
    }
    // The first ones have one more.
    int64_t size = exchange.getShape()[dim];
    int64_t each = size / parts, more = size % parts;
    offsets[dim] = index * each + std::min(index, more);
    sizes[dim] = each + (index < more ? 1 : 0);
  }
  return {offsets[0], offsets[1], sizes[0], sizes[1]};
}

Value MatrixExchange::createEmpty(int64_t matrices, int64_t rows, int64_t cols,
                                  Type element) {
  return tensor::EmptyOp::create(
      builder, loc, ArrayRef<int64_t>{matrices, rows, cols}, element);
}

bool MatrixExchange::areRows() const {
  // In the order in which they arrive, which is that of the group: dimensions
  // may be split along its axes in another one.
  int64_t next = 0;
  return llvm::all_of(blocks, [&](const Block &block) {
    bool follows = block.rowOffset == next;
    next += block.rows;
    return follows && block.cols == exchange.getShape()[1];
  });
}

Value MatrixExchange::collect(Value x) {
  GroupAttr group = exchange.getGroup();
  int64_t place = group.getPlace();
  bool isOwn = exchange.getStrategy() == StrategyKind::Own;
  SmallVector<int64_t> elements, from, to, sends, receives;
  for (int64_t i = 0; i < count; ++i)
    for (auto [block, source] : llvm::zip_equal(blocks, places)) {
      int64_t segment = elements.size();
      elements.push_back(block.getElements());
      from.push_back(source);
      to.push_back(isOwn ? exchange.getOwners()[i] : 0);
      if (source == place)
        sends.push_back(segment);
      if (isOwn ? to.back() == place : mine > 0 || source != place)
        receives.push_back(segment);
    }
  int64_t rows = exchange.getShape()[0], cols = exchange.getShape()[1];
  ValueRange value = x ? ValueRange(x) : ValueRange();
  SmallVector<Value> out;
  // A rank that only looks on gets everything too, with strategy gather.
  if (int64_t held = isOwn ? mine : count)
    out.push_back(createEmpty(held, rows, cols, type));
  TypeRange types = ValueRange(out).getTypes();
  auto label = builder.getStringAttr("X");
  Operation *op;
  if (isOwn)
    op = AllToAllOp::create(builder, loc, types, value, out, group, elements,
                            from, to, sends, receives, TypeAttr::get(type),
                            label, IntegerAttr());
  else
    op = AllGatherOp::create(builder, loc, types, value, out, group, elements,
                             from, sends, receives, TypeAttr::get(type), label,
                             IntegerAttr());
  if (mine == 0)
    return {};
  if (areRows())
    return op->getResult(0);
  SmallVector<int64_t> rowOffsets, colOffsets, rowCounts, colCounts;
  for (const Block &block : blocks) {
    rowOffsets.push_back(block.rowOffset);
    colOffsets.push_back(block.colOffset);
    rowCounts.push_back(block.rows);
    colCounts.push_back(block.cols);
  }
  Value whole = createEmpty(mine, rows, cols, type);
  return AssembleOp::create(builder, loc, whole.getType(), op->getResult(0),
                            whole, rowOffsets, colOffsets, rowCounts, colCounts)
      .getResult(0);
}

Value MatrixExchange::distribute(Value o) {
  auto divide = [&](Value matrices, ArrayRef<Block> wanted, Value out) {
    SmallVector<int64_t> rowOffsets, colOffsets, rowCounts, colCounts;
    for (const Block &block : wanted) {
      rowOffsets.push_back(block.rowOffset);
      colOffsets.push_back(block.colOffset);
      rowCounts.push_back(block.rows);
      colCounts.push_back(block.cols);
    }
    return DivideOp::create(builder, loc, out.getType(), matrices, out,
                            rowOffsets, colOffsets, rowCounts, colCounts)
        .getResult(0);
  };
  if (exchange.getStrategy() != StrategyKind::Own)
    return local ? divide(o, *local,
                          createEmpty(
                              count, local->rows, local->cols,
                              cast<ShapedType>(o.getType()).getElementType()))
                 : Value();

  GroupAttr group = exchange.getGroup();
  int64_t place = group.getPlace();
  SmallVector<int64_t> elements, from, to, sends, receives;
  for (int64_t i = 0; i < count; ++i)
    for (auto [block, target] : llvm::zip_equal(blocks, places)) {
      int64_t segment = elements.size();
      elements.push_back(block.getElements());
      from.push_back(exchange.getOwners()[i]);
      to.push_back(target);
      if (from.back() == place)
        sends.push_back(segment);
      if (target == place)
        receives.push_back(segment);
    }
  SmallVector<Value> value, out;
  if (o)
    value.push_back(areRows()
                        ? o
                        : divide(o, blocks,
                                 createEmpty(mine, exchange.getShape()[0],
                                             exchange.getShape()[1], type)));
  if (local)
    out.push_back(createEmpty(count, local->rows, local->cols, type));
  auto op = AllToAllOp::create(builder, loc, ValueRange(out).getTypes(), value,
                               out, group, elements, from, to, sends, receives,
                               TypeAttr::get(type), builder.getStringAttr("O"),
                               IntegerAttr());
  return local ? op.getResult(0) : Value();
}
