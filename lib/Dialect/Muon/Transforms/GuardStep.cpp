//===- GuardStep.cpp - One scf.if for what depends on one condition -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"

namespace mlir::muon {
#define GEN_PASS_DEF_GUARDSTEPPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

/// The condition of an operation on buffers, or null.
static Value getBufferCondition(Operation &op) {
  auto inPlace = dyn_cast<InPlaceOpInterface>(op);
  Value condition = inPlace ? inPlace.getCondition() : Value();
  return condition && isBuffer(condition.getType()) ? condition : Value();
}

/// Whether an operation may move under a condition that it does not name: it
/// has no result and touches scratch memory only, so nobody misses what it did
/// not do.
static bool isSkippable(Operation &op) {
  auto inPlace = dyn_cast<InPlaceOpInterface>(op);
  if (!inPlace || op.getNumResults() != 0)
    return false;
  return llvm::all_of(inPlace.getDestinations(), [](Value value) {
    return !isa<BlockArgument>(value);
  });
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
      // As far as the last operation with this condition such that all between
      // may be skipped with it.
      Operation *last = op;
      for (Operation *next = op->getNextNode(); next;
           next = next->getNextNode()) {
        Value nextCondition = getBufferCondition(*next);
        if (nextCondition == condition)
          last = next;
        else if (nextCondition || !isSkippable(*next))
          break;
      }

      OpBuilder builder(op);
      Value flag = memref::LoadOp::create(builder, op->getLoc(), condition);
      auto ifOp = scf::IfOp::create(builder, op->getLoc(), flag,
                                    /*withElseRegion=*/false);
      Block *body = ifOp.thenBlock();
      body->getOperations().splice(body->getTerminator()->getIterator(),
                                   block.getOperations(), op->getIterator(),
                                   std::next(last->getIterator()));
      for (Operation &inner : *body)
        if (auto inPlace = dyn_cast<InPlaceOpInterface>(inner))
          inPlace.dropCondition();
      op = ifOp;
    }
  }
};

} // namespace
