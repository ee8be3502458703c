//===- FuseSums.cpp - Sums into streams that read the same ------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"
#include "mlir/IR/Remarks.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Work.h"

namespace mlir::muon_gpu {
#define GEN_PASS_DEF_FUSESUMSPASS
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h.inc"
} // namespace mlir::muon_gpu

using namespace mlir;
using namespace mlir::muon_gpu;

/// Streams after `sums`, in its block, that read memory it reads.
static SmallVector<StreamOp> getReaders(StreamOp sums) {
  llvm::SmallPtrSet<Operation *, 8> users;
  for (Value input : sums.getInputs())
    collectUsers(getBase(input), users);
  SmallVector<StreamOp> readers;
  for (Operation *user : users) {
    auto stream = dyn_cast<StreamOp>(user);
    if (!stream || stream->getBlock() != sums->getBlock() ||
        !sums->isBeforeInBlock(stream))
      continue;
    if (llvm::any_of(stream.getInputs(), [&](Value theirs) {
          return llvm::any_of(sums.getInputs(), [&](Value ours) {
            return getBase(theirs) == getBase(ours);
          });
        }))
      readers.push_back(stream);
  }
  llvm::sort(readers,
             [](StreamOp a, StreamOp b) { return a->isBeforeInBlock(b); });
  return readers;
}

static bool meet(const llvm::SmallPtrSetImpl<Value> &lhs,
                 const llvm::SmallPtrSetImpl<Value> &rhs) {
  return llvm::any_of(lhs, [&](Value value) { return rhs.contains(value); });
}

/// Why `later` cannot add up what `sums` does; null if it can.
static const char *getObjection(StreamOp sums, StreamOp later) {
  for (Value input : sums.getInputs())
    if (!llvm::is_contained(later.getInputs(), input))
      return "the later pass does not read all of it, or in another shape";
  if (sums.getWhen() != later.getWhen())
    return "the conditions differ";
  // One sum for each chunk, if there are schedules.
  if (sums.getScheduleAttr() != later.getScheduleAttr())
    return "the schedules differ";
  Accesses before(sums), after(later);
  if (before.isUnknown || after.isUnknown)
    return "it is not known what memory the passes use";
  if (meet(before.writes, after.reads) || meet(before.writes, after.writes))
    return "the later pass uses the sums";
  // The later pass may update what it reads: elements are read first.
  SmallVector<Value> numbers(sums.getScalars());
  if (sums.getWhen())
    numbers.push_back(sums.getWhen());
  for (ValueRange written : {later.getOuts(), later.getSums()})
    for (Value out : written) {
      auto isElsewhere = [&](Value value) {
        return value != out && getBase(value) == getBase(out);
      };
      if (llvm::any_of(sums.getInputs(), isElsewhere) ||
          llvm::is_contained(numbers, out) ||
          llvm::any_of(numbers, isElsewhere))
        return "the later pass writes what is read in another way";
    }
  for (Operation *op = sums->getNextNode(); op != later;
       op = op->getNextNode()) {
    Accesses between(op);
    if (meet(before.writes, between.reads))
      return "something in between needs the sums";
    if (before.conflictsWith(between))
      return "something in between uses the same memory";
  }
  return nullptr;
}

/// Puts `sums` into `later`, whose operands and arguments stay first.
static void fuse(StreamOp sums, StreamOp later) {
  Block &from = sums.getBody().front(), &into = later.getBody().front();
  unsigned source = 0, target = 0;
  auto append = [&](unsigned present, unsigned count) {
    target += present;
    for (unsigned i = 0; i < count; ++i, ++target, ++source) {
      BlockArgument argument = from.getArgument(source);
      argument.replaceAllUsesWith(
          into.insertArgument(target, argument.getType(), argument.getLoc()));
    }
  };
  append(later.getConstants().size(), sums.getConstants().size());
  append(later.getScalars().size(), sums.getScalars().size());
  for (Value input : sums.getInputs()) {
    auto inputs = later.getInputs();
    size_t index = std::distance(inputs.begin(), llvm::find(inputs, input));
    from.getArgument(source++).replaceAllUsesWith(
        into.getArgument(target + index));
  }
  Operation *yield = into.getTerminator(), *added = from.getTerminator();
  yield->insertOperands(yield->getNumOperands(), added->getOperands());
  added->erase();
  into.getOperations().splice(yield->getIterator(), from.getOperations());

  SmallVector<double> constants(later.getConstants());
  llvm::append_range(constants, sums.getConstants());
  later.setConstants(constants);
  later.getScalarsMutable().append(sums.getScalars());
  later.getSumsMutable().append(sums.getSums());
  sums.erase();
}

namespace {

struct FuseSumsPass : public muon_gpu::impl::FuseSumsPassBase<FuseSumsPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<StreamOp> streams;
    getOperation()->walk([&](StreamOp op) {
      if (op.getOuts().empty())
        streams.push_back(op);
    });
    for (StreamOp stream : streams)
      tryToFuse(stream);
  }

  void tryToFuse(StreamOp sums) {
    auto options = remark::RemarkOpts::name("Sums").category(getArgument());
    const char *first = nullptr;
    for (StreamOp later : getReaders(sums)) {
      if (const char *objection = getObjection(sums, later)) {
        first = first ? first : objection;
        continue;
      }
      int64_t before = getTraffic(sums).total() + getTraffic(later).total();
      fuse(sums, later);
      ++numFused;
      remark::passed(later.getLoc(), options)
          << "adds up what it reads: " << std::to_string(before)
          << " bytes of traffic before, "
          << std::to_string(getTraffic(later).total()) << " after";
      return;
    }
    if (first)
      remark::missed(sums.getLoc(), options)
          << "stays a pass of its own: " << first;
  }
};

} // namespace
