//===- GuardStep.cpp - One scf.if for what depends on one condition -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"

namespace mlir::muon {
#define GEN_PASS_DEF_GUARDSTEPPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

/// The condition of an operation on buffers, or null.
static Value getOwnCondition(Operation &op) {
  auto inPlace = dyn_cast<InPlaceOpInterface>(op);
  Value condition = inPlace ? inPlace.getCondition() : Value();
  return condition && isBuffer(condition.getType()) ? condition : Value();
}

/// Whether `value` is scratch memory: all that an arena or an allocation holds
/// is gone after the step.
static bool isScratch(Value value) {
  Operation *op = value.getDefiningOp();
  while (auto view = dyn_cast_or_null<ViewLikeOpInterface>(op))
    op = view.getViewSource().getDefiningOp();
  return isa_and_nonnull<ArenaOp, memref::AllocOp>(op);
}

/// The condition of an operation on buffers, or the one of a loop: that which
/// all of its operations have, apart from those that only write scratch memory
/// of the loop.
static Value getBufferCondition(Operation &op) {
  auto loop = dyn_cast<scf::ForOp>(op);
  if (!loop)
    return getOwnCondition(op);
  Value condition;
  for (Operation &inner : *loop.getBody()) {
    auto inPlace = dyn_cast<InPlaceOpInterface>(inner);
    if (!inPlace) {
      if (!isa<memref::AllocOp>(inner) && !isMemoryEffectFree(&inner))
        return {};
      continue;
    }
    if (Value own = getOwnCondition(inner)) {
      if (condition && own != condition)
        return {};
      condition = own;
      continue;
    }
    for (Value value : inPlace.getDestinations())
      if (!isScratch(value) ||
          !llvm::all_of(value.getUsers(), [&](Operation *user) {
            return loop->isProperAncestor(user);
          }))
        return {};
  }
  // Defined outside, or else it cannot be looked at before the loop.
  return condition && loop.isDefinedOutsideOfLoop(condition) ? condition
                                                             : Value();
}

/// Whether an operation may move under a condition that it does not name: it
/// only writes scratch memory that nothing after `last` looks at.
static bool isSkippable(Operation &op, Operation *last) {
  auto inPlace = dyn_cast<InPlaceOpInterface>(op);
  if (!inPlace || op.getNumResults() != 0)
    return false;
  // Ranks start and end collectives whatever happens.
  if (isa<CollectiveOpInterface, WaitOp>(op))
    return false;
  return llvm::all_of(inPlace.getDestinations(), [&](Value value) {
    return isScratch(value) &&
           llvm::all_of(value.getUsers(), [&](Operation *user) {
             Operation *outer = op.getBlock()->findAncestorOpInBlock(*user);
             return outer && !last->isBeforeInBlock(outer);
           });
  });
}

/// The last operation of the run that starts with `first` and may stand under
/// its condition as a whole.
static Operation *findLast(Operation *first, Value condition) {
  SmallVector<Operation *> ends = {first};
  for (Operation *next = first->getNextNode(); next;
       next = next->getNextNode()) {
    Value nextCondition = getBufferCondition(*next);
    // From here on the condition is another one.
    if (auto inPlace = dyn_cast<InPlaceOpInterface>(next);
        inPlace && llvm::is_contained(inPlace.getDestinations(), condition))
      break;
    if (nextCondition == condition)
      ends.push_back(next);
    else if (nextCondition || !isa<InPlaceOpInterface>(next))
      break;
  }
  // The longest run whose unconditional operations nobody misses after it.
  for (Operation *last : llvm::reverse(ends)) {
    bool ok = true;
    for (Operation *op = first; ok && op != last; op = op->getNextNode())
      ok = getBufferCondition(*op) == condition || isSkippable(*op, last);
    if (ok)
      return last;
  }
  return first;
}

namespace {

struct GuardStepPass : public muon::impl::GuardStepPassBase<GuardStepPass> {
  using Base::Base;

  void runOnOperation() override {
    getOperation()->walk([](func::FuncOp function) {
      if (!function.isExternal())
        guard(function.getBody().front());
    });
  }

  static void guard(Block &block) {
    for (Operation *op = &block.front(); op; op = op->getNextNode()) {
      Value condition = getBufferCondition(*op);
      if (!condition)
        continue;
      Operation *last = findLast(op, condition);
      OpBuilder builder(op);
      Value flag = memref::LoadOp::create(builder, op->getLoc(), condition);
      auto ifOp = scf::IfOp::create(builder, op->getLoc(), flag,
                                    /*withElseRegion=*/false);
      Block *body = ifOp.thenBlock();
      body->getOperations().splice(body->getTerminator()->getIterator(),
                                   block.getOperations(), op->getIterator(),
                                   std::next(last->getIterator()));
      body->walk([](InPlaceOpInterface inPlace) { inPlace.dropCondition(); });
      op = ifOp;
    }
  }
};

} // namespace
