//===- Buffers.cpp - Which memory operations use ----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"

using namespace mlir;
using namespace mlir::muon;
using namespace mlir::muon_gpu;

Value muon_gpu::getBase(Value value) {
  while (auto view = value.getDefiningOp<ViewLikeOpInterface>())
    value = view.getViewSource();
  return value;
}

bool muon_gpu::isScratch(Value base) {
  return base.getDefiningOp<memref::AllocOp>() != nullptr;
}

void muon_gpu::collectUsers(Value base,
                            llvm::SmallPtrSetImpl<Operation *> &users) {
  for (Operation *user : base.getUsers()) {
    if (!isa<ViewLikeOpInterface>(user)) {
      users.insert(user);
      continue;
    }
    for (Value view : user->getResults())
      collectUsers(view, users);
  }
}

/// Whether `base` is memory that no other base shares.
static bool isKnown(Value base) {
  if (auto argument = dyn_cast<BlockArgument>(base))
    return isa<FunctionOpInterface>(argument.getOwner()->getParentOp()) &&
           argument.getOwner()->isEntryBlock();
  return isScratch(base) || isa<ArenaOp>(base.getDefiningOp());
}

static void addAccess(Operation *op, Accesses &accesses) {
  auto add = [&](ValueRange values, auto &set) {
    for (Value value : values) {
      Value base = getBase(value);
      accesses.isUnknown |=
          isa<BaseMemRefType, TableType>(base.getType()) && !isKnown(base);
      set.insert(base);
    }
  };
  if (auto work = dyn_cast<WorkOpInterface>(op)) {
    SmallVector<Value> written(work.getOuts());
    llvm::append_range(written, work.getSums());
    add(written, accesses.writes);
    if (auto product = dyn_cast<MatmulOp>(op))
      add({product.getLhs(), product.getRhs()}, accesses.reads);
    add(work.getElementInputs(), accesses.reads);
    add(work.getScalars(), accesses.reads);
    if (Value when = work.getCondition())
      add(when, accesses.reads);
    return;
  }
  if (auto inPlace = dyn_cast<InPlaceOpInterface>(op)) {
    // Destinations may be read as well.
    add(op->getOperands(), accesses.reads);
    add(inPlace.getDestinations(), accesses.writes);
    return;
  }
  if (isa<memref::AllocOp>(op) || op->hasTrait<OpTrait::IsTerminator>() ||
      op->hasTrait<OpTrait::HasRecursiveMemoryEffects>())
    return;
  auto effects = dyn_cast<MemoryEffectOpInterface>(op);
  if (!effects) {
    accesses.isUnknown |= !isMemoryEffectFree(op);
    return;
  }
  SmallVector<MemoryEffects::EffectInstance> list;
  effects.getEffects(list);
  for (const MemoryEffects::EffectInstance &effect : list) {
    if (Value value = effect.getValue())
      add(value, isa<MemoryEffects::Write>(effect.getEffect())
                     ? accesses.writes
                     : accesses.reads);
    else
      accesses.isUnknown = true;
  }
}

Accesses::Accesses(Operation *op) {
  op->walk([&](Operation *inner) {
    if (auto launch = dyn_cast<LaunchOp>(inner)) {
      if (launch.getWhen())
        reads.insert(getBase(launch.getWhen()));
      return;
    }
    addAccess(inner, *this);
  });
}

bool Accesses::conflictsWith(const Accesses &later) const {
  auto meets = [](const auto &lhs, const auto &rhs) {
    return llvm::any_of(lhs, [&](Value value) { return rhs.contains(value); });
  };
  return isUnknown || later.isUnknown || meets(writes, later.reads) ||
         meets(writes, later.writes) || meets(reads, later.writes);
}
