//===- PlaceArguments.cpp - Default placements on a grid ------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Placement.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"

namespace mlir::muon {
#define GEN_PASS_DEF_PLACEARGUMENTSPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

struct PlaceArgumentsPass
    : public muon::impl::PlaceArgumentsPassBase<PlaceArgumentsPass> {
  using Base::Base;

  void runOnOperation() override {
    llvm::Expected<std::vector<distribution::Axis>> axes =
        distribution::parseGrid(grid);
    if (!axes) {
      getOperation().emitError(llvm::toString(axes.takeError()));
      return signalPassFailure();
    }
    if (failed(setGrid(getOperation(), *axes)))
      return signalPassFailure();
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && !isPlaced(function))
        place(function, *axes);
  }

  static bool isPlaced(func::FuncOp function) {
    for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i)
      if (function.getArgAttr(i, MuonDialect::kSharding) ||
          function.getArgAttr(i, MuonDialect::kUnreduced))
        return true;
    return false;
  }

  static void place(func::FuncOp function, ArrayRef<distribution::Axis> axes) {
    MLIRContext *context = function.getContext();
    for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i) {
      auto role = function.getArgAttrOfType<RoleAttr>(i, MuonDialect::kRole);
      std::optional<ParameterShape> shape =
          getParameterShape(function.getArgumentTypes()[i]);
      if (!role || !isTensorRole(role.getValue()) || !shape)
        continue;
      distribution::Placement placement =
          distribution::getDefaultPlacement(axes, shape->shape.size());
      if (placement.isSplit())
        function.setArgAttr(i, MuonDialect::kSharding,
                            getShardingAttr(context, placement));
      if (UnreducedAttr unreduced = getUnreducedAttr(context, placement);
          unreduced && role.getValue() == Role::Gradient)
        function.setArgAttr(i, MuonDialect::kUnreduced, unreduced);
    }
  }
};

} // namespace
