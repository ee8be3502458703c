//===- OverlapCollectives.cpp - Work while data moves ---------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace mlir::muon {
#define GEN_PASS_DEF_OVERLAPCOLLECTIVESPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

/// What a buffer is a view of: an allocation or an argument. Two of these do
/// not overlap.
static Value getBase(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
    buffer = view.getViewSource();
  return buffer;
}

namespace {

/// The buffers that an operation, with all that is in it, reads and writes.
class Accesses {
public:
  explicit Accesses(Operation *root) {
    root->walk([&](Operation *op) {
      for (OpOperand &operand : op->getOpOperands())
        if (isBuffer(operand.get().getType()))
          add(op, operand);
    });
  }

  bool readsOrWrites(Value base) const {
    return reads.contains(base) || writes.contains(base);
  }
  bool doesWrite(Value base) const { return writes.contains(base); }

private:
  void add(Operation *op, OpOperand &operand) {
    if (isa<ViewLikeOpInterface>(op))
      return;
    Value base = getBase(operand.get());
    reads.insert(base);
    auto effects = dyn_cast<MemoryEffectOpInterface>(op);
    // Of what is not known to only read, the worst.
    if (!effects || effects.getEffectOnValue<MemoryEffects::Write>(
                        operand.get()))
      writes.insert(base);
  }

  llvm::SmallPtrSet<Value, 8> reads, writes;
};

struct OverlapCollectivesPass
    : public muon::impl::OverlapCollectivesPassBase<OverlapCollectivesPass> {
  using Base::Base;

  void runOnOperation() override {
    int64_t handle = 0;
    getOperation()->walk([&](func::FuncOp function) {
      if (function.isExternal())
        return;
      SmallVector<Operation *> collectives;
      for (Operation &op : function.getBody().front())
        if (auto collective = dyn_cast<CollectiveOpInterface>(op);
            collective && !collective.getHandle() &&
            llvm::all_of(op.getOperandTypes(), isBuffer))
          collectives.push_back(&op);
      if (collectives.empty())
        return;
      // Where an allocation stands says nothing about its life.
      Block &block = function.getBody().front();
      for (auto buffer :
           llvm::make_early_inc_range(block.getOps<memref::AllocOp>()))
        buffer->moveBefore(&block, block.begin());
      // Starts first, so that no wait keeps another one from moving.
      Operation *last = nullptr;
      for (Operation *op : collectives)
        last = start(op, last);
      for (Operation *op : collectives)
        split(op, handle++);
    });
  }

  /// Moves the start up as far as `previous`, which all ranks start before it,
  /// and what it needs allow.
  static Operation *start(Operation *op, Operation *previous) {
    Operation *place = op;
    for (Operation *before = op->getPrevNode(); before && before != previous;
         before = before->getPrevNode()) {
      if (conflicts(op, before) || defines(before, op))
        break;
      place = before;
    }
    if (place != op)
      op->moveBefore(place);
    return op;
  }

  /// Whether `other` may not run while the data of `op` moves.
  static bool conflicts(Operation *op, Operation *other) {
    Accesses accesses(other);
    auto inPlace = cast<InPlaceOpInterface>(op);
    for (Value value : op->getOperands().take_front(inPlace.getNumInputs()))
      if (accesses.doesWrite(getBase(value)))
        return true;
    for (Value out : inPlace.getDestinations())
      if (accesses.readsOrWrites(getBase(out)))
        return true;
    return false;
  }

  static bool defines(Operation *definition, Operation *op) {
    return llvm::any_of(op->getOperands(), [&](Value operand) {
      return operand.getDefiningOp() == definition;
    });
  }

  void split(Operation *op, int64_t handle) {
    auto inPlace = cast<InPlaceOpInterface>(op);
    Operation *end = op->getNextNode();
    while (!end->hasTrait<OpTrait::IsTerminator>() && !conflicts(op, end))
      end = end->getNextNode();
    if (end == op->getNextNode())
      return;
    OpBuilder builder(end);
    auto number = builder.getI64IntegerAttr(handle);
    op->setAttr("handle", number);
    WaitOp::create(builder, op->getLoc(), TypeRange(),
                   op->getOperands().take_front(inPlace.getNumInputs()),
                   ValueRange(inPlace.getDestinations()), number);
    ++numOverlapped;
  }
};

} // namespace
