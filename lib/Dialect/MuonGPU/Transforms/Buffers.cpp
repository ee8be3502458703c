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

namespace {
/// Where the elements of a view lie in its base.
struct Layout {
  int64_t offset = 0;
  SmallVector<int64_t> strides, sizes;
};
} // namespace

/// None if that is not known, or not by matrices.
static std::optional<Layout> getLayout(Value view) {
  auto type = dyn_cast<MemRefType>(view.getType());
  Layout layout;
  if (!type || type.getRank() != 3 || !type.hasStaticShape() ||
      failed(type.getStridesAndOffset(layout.strides, layout.offset)) ||
      ShapedType::isDynamic(layout.offset) ||
      llvm::any_of(layout.strides, ShapedType::isDynamic))
    return std::nullopt;
  layout.sizes.assign(type.getShape().begin(), type.getShape().end());
  return layout;
}

/// Whether the type says where a view lies in its base, and not in a view whose
/// place the type does not tell.
static bool isPlaced(Value view) {
  while (Operation *definition = view.getDefiningOp()) {
    if (isa<memref::SubViewOp, memref::ReinterpretCastOp>(definition))
      view = cast<ViewLikeOpInterface>(definition).getViewSource();
    else
      return isa<memref::AllocOp>(definition);
  }
  return false;
}

bool muon_gpu::areDisjoint(Value view, Value other) {
  if (!isPlaced(view) || !isPlaced(other))
    return false;
  std::optional<Layout> a = getLayout(view), b = getLayout(other);
  if (!a || !b || a->strides[0] != b->strides[0] || a->strides[0] <= 0)
    return false;
  // Within a matrix, all of them being alike.
  int64_t matrix = a->strides[0];
  auto getSpan = [&](const Layout &layout) {
    int64_t begin = layout.offset % matrix, end = begin + 1;
    for (int dim : {1, 2})
      end += (layout.sizes[dim] - 1) * layout.strides[dim];
    return std::pair(begin, end);
  };
  auto [aBegin, aEnd] = getSpan(*a);
  auto [bBegin, bEnd] = getSpan(*b);
  if (aEnd > matrix || bEnd > matrix)
    return false;
  if (aEnd <= bBegin || bEnd <= aBegin)
    return true;
  // Side by side.
  int64_t row = a->strides[1];
  if (row != b->strides[1] || a->strides[2] != 1 || b->strides[2] != 1)
    return false;
  int64_t aColumn = aBegin % row, aLast = aColumn + a->sizes[2],
          bColumn = bBegin % row, bLast = bColumn + b->sizes[2];
  return aLast <= row && bLast <= row &&
         (aLast <= bColumn || bLast <= aColumn);
}

/// Whether `base` is memory that no other base shares.
static bool isKnown(Value base) {
  if (auto argument = dyn_cast<BlockArgument>(base))
    return isa<FunctionOpInterface>(argument.getOwner()->getParentOp()) &&
           argument.getOwner()->isEntryBlock();
  return isScratch(base) || isa<ArenaOp>(base.getDefiningOp());
}

static bool isForeign(Value base) {
  return isa<BaseMemRefType, TableType>(base.getType()) && !isKnown(base);
}

void Accesses::addRead(Value value) {
  Value base = getBase(value);
  isUnknown |= isForeign(base);
  reads.insert(base);
  readParts.push_back(value);
}

void Accesses::addWrite(Value value) {
  Value base = getBase(value);
  isUnknown |= isForeign(base);
  writes.insert(base);
  writtenParts.push_back(value);
}

static void addAccess(Operation *op, Accesses &accesses) {
  auto addReads = [&](ValueRange values) {
    for (Value value : values)
      accesses.addRead(value);
  };
  auto addWrites = [&](ValueRange values) {
    for (Value value : values)
      accesses.addWrite(value);
  };
  if (auto work = dyn_cast<WorkOpInterface>(op)) {
    addWrites(work.getOuts());
    addWrites(work.getSums());
    if (auto product = dyn_cast<MatmulOp>(op))
      addReads({product.getLhs(), product.getRhs()});
    addReads(work.getElementInputs());
    addReads(work.getScalars());
    if (Value when = work.getCondition())
      addReads(when);
    return;
  }
  if (auto inPlace = dyn_cast<InPlaceOpInterface>(op)) {
    // Destinations may be read as well.
    addReads(op->getOperands());
    addWrites(ValueRange(inPlace.getDestinations()));
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
    Value value = effect.getValue();
    if (!value)
      accesses.isUnknown = true;
    else if (isa<MemoryEffects::Write>(effect.getEffect()))
      accesses.addWrite(value);
    else
      accesses.addRead(value);
  }
}

Accesses::Accesses(Operation *op) {
  op->walk([&](Operation *inner) {
    if (auto launch = dyn_cast<LaunchOp>(inner)) {
      if (launch.getWhen())
        addRead(launch.getWhen());
      return;
    }
    addAccess(inner, *this);
  });
}

bool Accesses::conflictsWith(const Accesses &later) const {
  if (isUnknown || later.isUnknown)
    return true;
  auto meets = [](const auto &lhs, ArrayRef<Value> parts, const auto &rhs,
                  ArrayRef<Value> otherParts) {
    if (llvm::none_of(lhs, [&](Value value) { return rhs.contains(value); }))
      return false;
    for (Value part : parts)
      for (Value other : otherParts)
        if (getBase(part) == getBase(other) && !areDisjoint(part, other))
          return true;
    return false;
  };
  return meets(writes, writtenParts, later.reads, later.readParts) ||
         meets(writes, writtenParts, later.writes, later.writtenParts) ||
         meets(reads, readParts, later.writes, later.writtenParts);
}
