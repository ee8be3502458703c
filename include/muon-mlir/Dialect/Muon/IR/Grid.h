//===- Grid.h - Ranks and groups of a grid ----------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ranks are the places of a shard.grid, row-major: its last axis is the
// fastest.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUON_IR_GRID_H
#define MUON_MLIR_DIALECT_MUON_IR_GRID_H

#include "muon-mlir/Dialect/Muon/IR/MuonAttributes.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace mlir {
class ModuleOp;
class TypeRange;
namespace shard {
class GridOp;
} // namespace shard

namespace muon {

/// Ranks of a grid, at most.
constexpr int64_t kMaxRanks = 1 << 20;

/// The one grid of a module; null if there is none. More than one, or one with
/// a dimension that is not known or too many ranks, is an error.
FailureOr<shard::GridOp> getGrid(ModuleOp module);

/// Places of `rank` along each axis.
SmallVector<int64_t> getCoordinates(ArrayRef<int64_t> grid, int64_t rank);

/// The ranks that differ from `rank` along `axes` alone.
SmallVector<int64_t> getGroupRanks(ArrayRef<int64_t> grid, int64_t rank,
                                   ArrayRef<int64_t> axes);

/// The group of `rank` along `axes`; fails if these are not distinct axes of
/// the grid.
FailureOr<GroupAttr> getGroupAttr(shard::GridOp grid, int64_t rank,
                                  ArrayRef<int64_t> axes);

/// Elements of each segment that a value of this type can hold: of a stack one
/// for each member, of a tensor all.
SmallVector<int64_t> getHeldElements(Type type);

/// The segments, of those listed, that each operand holds. Fails unless they
/// fill the operands.
FailureOr<SmallVector<SmallVector<int64_t>>>
divideSegments(TypeRange operands, ArrayRef<int64_t> listed,
               ArrayRef<int64_t> elements);

} // namespace muon
} // namespace mlir

#endif // MUON_MLIR_DIALECT_MUON_IR_GRID_H
