//===- Grid.cpp - Ranks and groups of a grid ------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/IR/Grid.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"

using namespace mlir;
using namespace mlir::muon;

FailureOr<shard::GridOp> muon::getGrid(ModuleOp module) {
  shard::GridOp found;
  for (auto grid : module.getOps<shard::GridOp>()) {
    if (found) {
      InFlightDiagnostic diag =
          grid.emitOpError("is the second one; a step has one grid");
      diag.attachNote(found.getLoc()) << "the first one is here";
      return diag;
    }
    int64_t ranks = 1;
    for (int64_t size : grid.getShape()) {
      if (ShapedType::isDynamic(size) || size < 1)
        return grid.emitOpError("expected a known size of every axis");
      if (size > kMaxRanks / ranks)
        return grid.emitOpError("expected at most ")
               << kMaxRanks << " ranks in all";
      ranks *= size;
    }
    found = grid;
  }
  return found;
}

SmallVector<int64_t> muon::getCoordinates(ArrayRef<int64_t> grid,
                                          int64_t rank) {
  SmallVector<int64_t> result(grid.size());
  for (size_t axis = grid.size(); axis-- > 0; rank /= grid[axis])
    result[axis] = rank % grid[axis];
  return result;
}

SmallVector<int64_t> muon::getGroupRanks(ArrayRef<int64_t> grid, int64_t rank,
                                         ArrayRef<int64_t> axes) {
  SmallVector<int64_t> coordinates = getCoordinates(grid, rank);
  int64_t size = 1;
  for (int64_t axis : axes)
    size *= grid[axis];
  SmallVector<int64_t> ranks;
  for (int64_t place = 0; place < size; ++place) {
    int64_t rest = place;
    for (int64_t axis : llvm::reverse(axes)) {
      coordinates[axis] = rest % grid[axis];
      rest /= grid[axis];
    }
    int64_t other = 0;
    for (auto [dim, coordinate] : llvm::zip_equal(grid, coordinates))
      other = other * dim + coordinate;
    ranks.push_back(other);
  }
  return ranks;
}

FailureOr<GroupAttr> muon::getGroupAttr(shard::GridOp grid, int64_t rank,
                                        ArrayRef<int64_t> axes) {
  ArrayRef<int64_t> shape = grid.getShape();
  SmallVector<int64_t> coordinates = getCoordinates(shape, rank);
  SmallVector<bool> used(shape.size());
  int64_t place = 0, size = 1;
  for (int64_t axis : axes) {
    if (axis < 0 || axis >= static_cast<int64_t>(shape.size()) || used[axis])
      return failure();
    used[axis] = true;
    place = place * shape[axis] + coordinates[axis];
    size *= shape[axis];
  }
  MLIRContext *context = grid.getContext();
  return GroupAttr::get(context,
                        FlatSymbolRefAttr::get(context, grid.getSymName()),
                        DenseI64ArrayAttr::get(context, axes), place, size);
}
