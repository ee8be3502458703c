//===- PlanArena.cpp - Place scratch buffers in one arena -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScratchBytes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/ArenaPlanner.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "llvm/Support/MathExtras.h"
#include <limits>

namespace mlir::muon {
#define GEN_PASS_DEF_PLANARENAPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

struct PlanArenaPass : public muon::impl::PlanArenaPassBase<PlanArenaPass> {
  using Base::Base;

  void runOnOperation() override {
    if (alignment <= 0 || !llvm::isPowerOf2_64(alignment)) {
      getOperation()->emitError("'muon-plan-arena' expected an alignment that "
                                "is a power of two, found ")
          << alignment;
      return signalPassFailure();
    }
    WalkResult result = getOperation()->walk([&](func::FuncOp function) {
      return !function.isExternal() && failed(plan(function))
                 ? WalkResult::interrupt()
                 : WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  LogicalResult plan(func::FuncOp function);
};

} // namespace

namespace {
/// When an operation and all it contains starts and ends.
struct Span {
  int64_t first, last;
};
using Spans = DenseMap<Operation *, Span>;
} // namespace

static int64_t setSpans(Block &block, int64_t time, Spans &spans) {
  for (Operation &op : block) {
    int64_t first = time++;
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        time = setSpans(inner, time, spans);
    spans[&op] = {first, time - 1};
  }
  return time;
}

/// Extends `interval` to every operation of `block` that uses `buffer` or a
/// view of it.
static LogicalResult extendToUses(Value buffer, Block &block,
                                  const Spans &spans,
                                  BufferInterval &interval) {
  for (Operation *user : buffer.getUsers()) {
    Operation *outer = block.findAncestorOpInBlock(*user);
    if (!outer)
      return user->emitOpError("uses a scratch buffer outside of the block "
                               "that is planned");
    if (isa<memref::DeallocOp>(user))
      return user->emitOpError("frees scratch memory that the arena holds");
    if (isa<ViewLikeOpInterface>(user)) {
      // Making a view is no use of what it shows.
      for (Value view : user->getResults())
        if (failed(extendToUses(view, block, spans, interval)))
          return failure();
      continue;
    }
    Span span = spans.lookup(outer);
    interval.first = std::min(interval.first, span.first);
    interval.last = std::max(interval.last, span.last);
    if (llvm::any_of(user->getResultTypes(), llvm::IsaPred<MemRefType>))
      return user->emitOpError("may alias a scratch buffer; cannot tell how "
                               "long the buffer lives");
  }
  return success();
}

LogicalResult PlanArenaPass::plan(func::FuncOp function) {
  Block &block = function.getBody().front();
  Spans spans;
  setSpans(block, 0, spans);

  SmallVector<memref::AllocOp> allocs;
  SmallVector<BufferInterval> intervals;
  WalkResult result = function.walk([&](memref::AllocOp op) {
    MemRefType type = op.getType();
    std::optional<int64_t> bytes = getScratchBytes(type);
    if (!bytes) {
      op.emitOpError("expected a static, contiguous scratch buffer of numbers "
                     "of less than 2^62 bytes, found ")
          << type;
      return WalkResult::interrupt();
    }
    BufferInterval interval = {*bytes, std::numeric_limits<int64_t>::max(), -1};
    // A buffer of a loop's body lives within one iteration.
    if (failed(extendToUses(op, *op->getBlock(), spans, interval)))
      return WalkResult::interrupt();
    allocs.push_back(op);
    intervals.push_back(interval);
    totalBytes += *bytes;
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  if (allocs.empty())
    return success();
  // There is one arena in a step, and a callee's would overlap its caller's.
  if (!function.isPublic())
    return allocs.front().emitOpError(
        "is scratch memory in a private function; "
        "only the step itself can have any");
  if (!block.getOps<ArenaOp>().empty())
    return function.emitOpError("has an arena already");

  std::optional<ArenaPlan> arena = planArena(intervals, alignment);
  if (!arena)
    return function.emitOpError("scratch memory exceeds 2^62 bytes");
  arenaBytes += arena->size;

  OpBuilder builder = OpBuilder::atBlockBegin(&block);
  Location loc = function.getLoc();
  Value buffer = ArenaOp::create(
      builder, loc, MemRefType::get({arena->size}, builder.getI8Type()));
  for (auto [op, offset] : llvm::zip_equal(allocs, arena->offsets)) {
    Value shift = arith::ConstantIndexOp::create(builder, op.getLoc(), offset);
    Value view = memref::ViewOp::create(builder, op.getLoc(), op.getType(),
                                        buffer, shift, ValueRange());
    op.getResult().replaceAllUsesWith(view);
  }
  // Only now: the builder inserts before the first of them.
  for (memref::AllocOp op : allocs)
    op.erase();
  return success();
}
