//===- Placement.h - Grids and placements as attributes ---------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_PLACEMENT_H
#define MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_PLACEMENT_H

#include "mlir/IR/BuiltinOps.h"
#include "muon-mlir/Dialect/Muon/IR/MuonAttributes.h"
#include "muon-mlir/Distribution/Placement.h"

namespace mlir::muon {

/// Gives `module` a grid with these axes, or its grid these sizes. A grid with
/// other axes is an error, because placements name axes by their numbers.
LogicalResult setGrid(ModuleOp module, ArrayRef<distribution::Axis> axes);

ShardingAttr getShardingAttr(MLIRContext *context,
                             const distribution::Placement &placement);

/// Null if gradients are summed already.
UnreducedAttr getUnreducedAttr(MLIRContext *context,
                               const distribution::Placement &placement);

} // namespace mlir::muon

#endif // MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_PLACEMENT_H
