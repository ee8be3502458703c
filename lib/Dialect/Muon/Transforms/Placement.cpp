//===- Placement.cpp - Grids and placements as attributes -----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Placement.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/Builders.h"
#include "muon-mlir/Dialect/Muon/IR/Grid.h"
#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"

using namespace mlir;
using namespace mlir::muon;

LogicalResult muon::setGrid(ModuleOp module,
                            ArrayRef<distribution::Axis> axes) {
  FailureOr<shard::GridOp> existing = getGrid(module);
  if (failed(existing))
    return failure();
  OpBuilder builder(module.getBodyRegion());
  SmallVector<int64_t> shape;
  SmallVector<Attribute> names;
  for (const distribution::Axis &axis : axes) {
    shape.push_back(axis.size);
    names.push_back(builder.getStringAttr(axis.name));
  }
  shard::GridOp grid = *existing;
  if (!grid) {
    grid = shard::GridOp::create(builder, module.getLoc(), "grid", shape);
  } else {
    auto given = grid->getAttrOfType<ArrayAttr>(MuonDialect::kAxes);
    if (grid.getShape().size() != shape.size() ||
        (given && given.getValue() != ArrayRef<Attribute>(names))) {
      InFlightDiagnostic diag = grid.emitOpError("has ");
      diag << grid.getShape().size() << " axes";
      if (given)
        diag << ", " << given;
      diag << "; expected them in the grid that is asked for, found '";
      llvm::interleave(
          axes,
          [&](const auto &axis) { diag << axis.name << "=" << axis.size; },
          [&] { diag << ","; });
      return diag << "'";
    }
    grid.setShape(shape);
  }
  grid->setAttr(MuonDialect::kAxes, builder.getArrayAttr(names));
  return success();
}

ShardingAttr muon::getShardingAttr(MLIRContext *context,
                                   const distribution::Placement &placement) {
  SmallVector<DenseI64ArrayAttr> lists;
  for (ArrayRef<int64_t> axes : placement.splitAxes)
    lists.push_back(DenseI64ArrayAttr::get(context, axes));
  return ShardingAttr::get(context, lists);
}

UnreducedAttr muon::getUnreducedAttr(MLIRContext *context,
                                     const distribution::Placement &placement) {
  if (placement.unreducedAxes.empty())
    return {};
  return UnreducedAttr::get(
      context, DenseI64ArrayAttr::get(context, placement.unreducedAxes),
      placement.isMean ? Reduction::Mean : Reduction::Sum);
}
