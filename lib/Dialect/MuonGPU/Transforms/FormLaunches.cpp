//===- FormLaunches.cpp - Group work into launches --------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/KernelKey.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

namespace mlir::muon_gpu {
#define GEN_PASS_DEF_FORMLAUNCHESPASS
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h.inc"
} // namespace mlir::muon_gpu

using namespace mlir;
using namespace mlir::muon;
using namespace mlir::muon_gpu;

/// Problems of one launch: each is looked at by one thread of a block.
static constexpr size_t kMaxProblems = 64;

namespace {

/// Work that stands in one launch, in order.
struct Item {
  explicit Item(Operation *op) : ops({op}), accesses(op) {}

  SmallVector<Operation *> ops;
  Accesses accesses;
  Value condition;
  bool isBlockWork = false;
  /// Loops, collectives, and whatever else has effects keep their place: runs
  /// of work end there.
  bool isBoundary = false;
  std::string phase;
  /// When it can run: first by waves, then by levels.
  unsigned wave = 0, level = 0;
};

/// The work of one block, and the boundaries in it.
class WorkList {
public:
  void add(Operation *op);
  void addBoundary(Operation *op);
  void spreadConditions();

  std::vector<Item> items;

private:
  std::optional<SmallVector<size_t>> getUsers(Value base) const;
  Value getConditionOfInputs(size_t index) const;
  Value getConditionOfReaders(size_t index) const;

  DenseMap<Operation *, size_t> indices;
};

/// The launches of a run of work without boundaries.
class Run {
public:
  Run(std::vector<Item> items, int64_t scratchLimit)
      : scratchLimit(scratchLimit), items(std::move(items)) {}

  /// Puts launches before `end`. Returns their number.
  unsigned form(Operation *end);

private:
  void assignWaves();
  void assignLevels();

  int64_t scratchLimit;
  std::vector<Item> items;
};

} // namespace

static Value getCondition(Operation *op) {
  if (auto work = dyn_cast<WorkOpInterface>(op))
    return work.getCondition();
  if (auto inPlace = dyn_cast<InPlaceOpInterface>(op))
    return inPlace.getCondition();
  return {};
}

static void dropCondition(Operation *op) {
  if (auto work = dyn_cast<WorkOpInterface>(op))
    work.dropCondition();
  else if (auto inPlace = dyn_cast<InPlaceOpInterface>(op))
    inPlace.dropCondition();
}

static std::string getPhase(Operation *op) {
  return TypeSwitch<Operation *, std::string>(op)
      .Case<LookOp>([](auto) { return "look"; })
      .Case<AdvanceOp>([](auto) { return "advance"; })
      .Case<PlaceOp>([](auto) { return "place"; })
      .Case<PackTriangleOp>([](auto) { return "pack"; })
      .Case<UnpackTriangleOp>([](auto) { return "unpack"; })
      .Case<NormalizeOp>([](auto) { return "normalize"; })
      .Case<MatmulOp>([](MatmulOp product) {
        return llvm::all_of(product.getOuts(),
                            [](Value out) { return isScratch(getBase(out)); })
                   ? "product"
                   : "update";
      })
      .Case<StreamOp>([](StreamOp stream) {
        return stream.getOuts().empty() ? "look" : "stream";
      })
      .Default([](auto) { return ""; });
}

void WorkList::addBoundary(Operation *op) {
  Item item(op);
  item.isBoundary = true;
  indices[op] = items.size();
  items.push_back(std::move(item));
}

void WorkList::add(Operation *op) {
  auto launch = dyn_cast<LaunchOp>(op);
  if (!launch) {
    Item item(op);
    item.condition = getCondition(op);
    item.isBlockWork = muon_gpu::isBlockWork(op);
    item.phase = getPhase(op);
    indices[op] = items.size();
    items.push_back(std::move(item));
    return;
  }
  for (Operation &inner :
       llvm::make_early_inc_range(launch.getBody().front())) {
    Item item(&inner);
    item.condition = launch.getWhen();
    if (item.condition)
      item.accesses.addRead(item.condition);
    item.isBlockWork = muon_gpu::isBlockWork(&inner);
    item.phase = launch.getPhase();
    inner.moveBefore(launch);
    indices[&inner] = items.size();
    items.push_back(std::move(item));
  }
  launch.erase();
}

/// The numbers of the items that use `base`; none if something else does.
std::optional<SmallVector<size_t>> WorkList::getUsers(Value base) const {
  llvm::SmallPtrSet<Operation *, 8> users;
  collectUsers(base, users);
  SmallVector<size_t> numbers;
  for (Operation *user : users) {
    auto found = indices.find(user);
    if (found == indices.end())
      return std::nullopt;
    numbers.push_back(found->second);
  }
  return numbers;
}

/// The condition under which what item number `index` reads was written at
/// all; null if there is none.
Value WorkList::getConditionOfInputs(size_t index) const {
  const Item &item = items[index];
  for (Value base : item.accesses.reads) {
    if (!isScratch(base) || item.accesses.writes.contains(base))
      continue;
    std::optional<SmallVector<size_t>> users = getUsers(base);
    if (!users)
      continue;
    Value common;
    bool fits = true;
    for (size_t user : *users) {
      const Item &writer = items[user];
      if (!writer.accesses.writes.contains(base))
        continue;
      fits = fits && writer.condition &&
             (!common || common == writer.condition);
      common = writer.condition;
    }
    if (fits && common)
      return common;
  }
  return {};
}

/// The condition under which everything runs that reads what item number
/// `index` writes; null if there is none.
Value WorkList::getConditionOfReaders(size_t index) const {
  const Item &item = items[index];
  Block *block = item.ops.front()->getBlock();
  Value common;
  for (Value base : item.accesses.writes) {
    // What outlives an iteration is also read by what comes earlier.
    bool isLocal = base.getDefiningOp()->getBlock() == block;
    // Outside of this block nobody knows when it looks.
    std::optional<SmallVector<size_t>> users = getUsers(base);
    if (!users)
      return {};
    for (size_t user : *users) {
      if (user == index || (isLocal && user < index))
        continue;
      Value condition = items[user].condition;
      if (!condition || (common && common != condition))
        return {};
      common = condition;
    }
  }
  return common;
}

/// Work on scratch memory gets the condition of what it reads, or of all that
/// reads what it writes: its results are worth nothing without.
void WorkList::spreadConditions() {
  auto spread = [&](size_t index, Value condition) {
    if (!condition)
      return;
    // The flag has its value already.
    Value flag = getBase(condition);
    for (const Item &later : ArrayRef(items).drop_front(index))
      if (later.accesses.writes.contains(flag))
        return;
    items[index].condition = condition;
    items[index].accesses.addRead(condition);
  };
  auto isOpen = [&](const Item &item) {
    return !item.isBoundary && !item.condition &&
           !item.accesses.writes.empty() &&
           llvm::all_of(item.accesses.writes, isScratch);
  };
  for (size_t i = 0; i < items.size(); ++i)
    if (isOpen(items[i]))
      spread(i, getConditionOfInputs(i));
  for (size_t i = items.size(); i-- > 0;)
    if (isOpen(items[i]))
      spread(i, getConditionOfReaders(i));
}

/// Chains of work over scratch memory of their own go into the first wave in
/// which the limit has room for them.
void Run::assignWaves() {
  if (!scratchLimit)
    return;
  llvm::EquivalenceClasses<size_t> chains;
  DenseMap<Value, size_t> firstUser;
  for (size_t i = 0; i < items.size(); ++i) {
    chains.insert(i);
    auto join = [&](Value base) {
      if (!isScratch(base) || cast<MemRefType>(base.getType()).getRank() != 3)
        return;
      auto [it, isNew] = firstUser.try_emplace(base, i);
      if (!isNew)
        chains.unionSets(it->second, i);
    };
    llvm::for_each(items[i].accesses.reads, join);
    llvm::for_each(items[i].accesses.writes, join);
  }
  DenseMap<size_t, int64_t> bytes;
  for (auto [base, user] : firstUser) {
    auto type = cast<MemRefType>(base.getType());
    bytes[chains.getLeaderValue(user)] +=
        type.getNumElements() * (type.getElementTypeBitWidth() / 8);
  }
  DenseMap<size_t, unsigned> waves;
  int64_t used = 0;
  unsigned wave = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    size_t chain = chains.getLeaderValue(i);
    auto [it, isNew] = waves.try_emplace(chain, 0);
    if (isNew && bytes.lookup(chain)) {
      if (used && used + bytes[chain] > scratchLimit) {
        ++wave;
        used = 0;
      }
      used += bytes[chain];
      it->second = wave;
    }
    items[i].wave = it->second;
  }
}

void Run::assignLevels() {
  unsigned last = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    Item &item = items[i];
    for (size_t j = 0; j < i; ++j) {
      const Item &before = items[j];
      if (!before.accesses.conflictsWith(item.accesses))
        continue;
      item.wave = std::max(item.wave, before.wave);
      // Work of one block is done in order.
      bool sharesLaunch = item.isBlockWork && before.isBlockWork &&
                          item.condition == before.condition;
      item.level = std::max(item.level, before.level + !sharesLaunch);
    }
    last = std::max(last, item.level);
  }
  // What nobody waits for comes last, together.
  for (size_t i = items.size(); i-- > 0;) {
    Item &item = items[i];
    if (!item.isBlockWork)
      continue;
    bool isAwaited = false;
    for (size_t j = i + 1; j < items.size() && !isAwaited; ++j)
      // Of the last ones, only those under one condition are done in order.
      isAwaited =
          (items[j].level <= last || items[j].condition != item.condition) &&
          item.accesses.conflictsWith(items[j].accesses);
    if (!isAwaited && item.level > 1) {
      item.level = last + 1;
      item.wave = std::numeric_limits<unsigned>::max();
    }
  }
}

unsigned Run::form(Operation *end) {
  assignWaves();
  assignLevels();
  // A wave starts when the last one has ended.
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  llvm::stable_sort(order, [&](size_t a, size_t b) {
    return std::tie(items[a].wave, items[a].level) <
           std::tie(items[b].wave, items[b].level);
  });

  unsigned count = 0;
  for (size_t begin = 0; begin < order.size();) {
    size_t stop = begin;
    auto isSame = [&](size_t at) {
      return items[order[at]].wave == items[order[begin]].wave &&
             items[order[at]].level == items[order[begin]].level;
    };
    // In the order of their first members.
    SmallVector<SmallVector<size_t>> groups;
    llvm::StringMap<size_t> index;
    for (; stop < order.size() && isSame(stop); ++stop) {
      Item &item = items[order[stop]];
      std::string key;
      llvm::raw_string_ostream(key)
          << item.condition.getAsOpaquePointer() << " "
          << (item.isBlockWork
                  ? "block"
                  : getKernelKey(item.ops.front(), item.condition != nullptr));
      auto [it, isNew] = index.try_emplace(key, groups.size());
      if (isNew)
        groups.emplace_back();
      groups[it->second].push_back(order[stop]);
    }
    for (const SmallVector<size_t> &members : groups)
      for (size_t first = 0; first < members.size(); first += kMaxProblems) {
        const Item &leader = items[members[first]];
        OpBuilder b(end);
        auto launch = LaunchOp::create(b, leader.ops.front()->getLoc(),
                                       leader.condition, leader.phase);
        Block *body = b.createBlock(&launch.getBody());
        size_t limit = std::min(members.size(), first + kMaxProblems);
        for (size_t i = first; i < limit; ++i)
          for (Operation *op : items[members[i]].ops) {
            dropCondition(op);
            op->moveBefore(body, body->end());
          }
        ++count;
      }
    begin = stop;
  }
  return count;
}

namespace {

struct FormLaunchesPass
    : public muon_gpu::impl::FormLaunchesPassBase<FormLaunchesPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<Block *> blocks;
    getOperation()->walk([&](Operation *op) {
      if (!isa<FunctionOpInterface, scf::ForOp>(op))
        return;
      for (Region &region : op->getRegions())
        for (Block &block : region)
          blocks.push_back(&block);
    });
    for (Block *block : blocks)
      if (failed(form(*block)))
        return signalPassFailure();
  }

  LogicalResult form(Block &block) {
    // What only names memory comes first, so that work can change places.
    Operation *front = nullptr;
    llvm::SmallPtrSet<Operation *, 16> moved;
    auto isThere = [&](Value operand) {
      Operation *definition = operand.getDefiningOp();
      return !definition || definition->getBlock() != &block ||
             moved.contains(definition);
    };
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if ((!isa<memref::AllocOp>(op) && !isMemoryEffectFree(&op)) ||
          !llvm::all_of(op.getOperands(), isThere))
        continue;
      if (op.hasTrait<OpTrait::IsTerminator>() || op.getNumRegions() != 0)
        continue;
      if (front)
        op.moveAfter(front);
      else
        op.moveBefore(&block, block.begin());
      front = &op;
      moved.insert(&op);
    }
    WorkList work;
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (isa<WorkOpInterface, LaunchOp>(op) || muon_gpu::isBlockWork(&op) ||
          isTriangleWork(&op)) {
        if (op.getNumResults() != 0)
          return op.emitOpError("should have been bufferized");
        work.add(&op);
        continue;
      }
      if (isMemoryEffectFree(&op) && !op.hasTrait<OpTrait::IsTerminator>())
        continue;
      if (isa<memref::AllocOp>(op))
        continue;
      work.addBoundary(&op);
    }
    work.spreadConditions();
    std::vector<Item> run;
    for (Item &item : work.items) {
      if (!item.isBoundary) {
        run.push_back(std::move(item));
        continue;
      }
      if (!run.empty())
        numLaunches += Run(std::move(run), scratchLimit).form(item.ops.front());
      run.clear();
    }
    return success();
  }
};

} // namespace
