//===- CheckInPlace.cpp - Check that updates can happen in place -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"

namespace mlir::muon {
#define GEN_PASS_DEF_CHECKINPLACEPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

/// The value that an update made of `value`'s buffer goes back to: follows
/// results to the destinations they are updates of.
static Value getOrigin(Value value) {
  while (auto op = value.getDefiningOp<InPlaceOpInterface>())
    value = op.getDestinations()[cast<OpResult>(value).getResultNumber()];
  return value;
}

/// Arguments that a step may not update.
static LogicalResult checkWritable(InPlaceOpInterface op,
                                   OpOperand &destination) {
  auto argument = dyn_cast<BlockArgument>(getOrigin(destination.get()));
  auto function =
      argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp())
               : func::FuncOp();
  if (!function)
    return success();
  auto role = function.getArgAttrOfType<RoleAttr>(argument.getArgNumber(),
                                                  MuonDialect::kRole);
  if (role &&
      (role.getValue() == Role::Gradient || isScalarRole(role.getValue())))
    return op->emitOpError("updates argument #")
           << argument.getArgNumber() << " of the step, which is a "
           << stringifyRole(role.getValue()) << " and read only";
  return success();
}

/// Uses of `destination` that see its value after `op` updated it.
static LogicalResult checkUses(InPlaceOpInterface op, OpOperand &destination) {
  // Undefined contents are nobody's: each use gets memory of its own.
  if (destination.get().getDefiningOp<tensor::EmptyOp>() &&
      !op.readsDestination(destination))
    return success();
  for (OpOperand &use : destination.get().getUses()) {
    if (&use == &destination)
      continue;
    Operation *user = op->getBlock()->findAncestorOpInBlock(*use.getOwner());
    bool sameOp = use.getOwner() == op;
    if (!sameOp && user && user->isBeforeInBlock(op))
      continue;
    // Reading and writing one buffer elementwise is well defined for none of
    // the operations, so an operand may not be a destination as well.
    InFlightDiagnostic diag =
        use.getOwner()->emitOpError("uses a value after it was updated in "
                                    "place; use the updated value");
    diag.attachNote(op->getLoc())
        << "updated here as '"
        << op.getOperandGroupName(destination.getOperandNumber()) << "'";
    return diag;
  }
  return success();
}

namespace {

struct CheckInPlacePass
    : public muon::impl::CheckInPlacePassBase<CheckInPlacePass> {
  using Base::Base;

  void runOnOperation() override {
    WalkResult result = getOperation()->walk([](Operation *op) {
      if (auto inPlace = dyn_cast<InPlaceOpInterface>(op))
        for (OpOperand &operand : op->getOpOperands())
          if (inPlace.isDestination(operand) &&
              !isBuffer(operand.get().getType()) &&
              (failed(checkWritable(inPlace, operand)) ||
               failed(checkUses(inPlace, operand))))
            return WalkResult::interrupt();
      if (auto ret = dyn_cast<func::ReturnOp>(op))
        if (failed(checkReturn(ret)))
          return WalkResult::interrupt();
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  /// A step returns each argument at most once, updated.
  static LogicalResult checkReturn(func::ReturnOp op) {
    auto function = cast<func::FuncOp>(op->getParentOp());
    if (!function.isPublic())
      return success();
    llvm::SmallDenseSet<Value> seen;
    for (auto [index, value] : llvm::enumerate(op.getOperands())) {
      Value origin = getOrigin(value);
      auto argument = dyn_cast<BlockArgument>(origin);
      if (!argument || argument.getOwner()->getParentOp() != function)
        return op.emitOpError("result #")
               << index << " expected an updated argument of the step, found a "
               << value.getType() << " of other origin";
      if (!seen.insert(origin).second)
        return op.emitOpError("result #")
               << index << " updates argument #" << argument.getArgNumber()
               << " a second time";
    }
    return success();
  }
};

} // namespace
