//===- Clocks.cpp - What threads know of each other -----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How knowledge is joined, and what barriers and fences do to the clocks of a
// block.
//
//===----------------------------------------------------------------------===//

#include "Clocks.h"

using namespace muon::ptxsim;
using namespace muon::ptxsim::races;

//===----------------------------------------------------------------------===//
// Knowledge
//===----------------------------------------------------------------------===//

void BlockTimes::summarize(size_t warp) {
  uint32_t low = ~0u, high = 0;
  for (size_t i = warp * warpSize, end = std::min(i + warpSize, values.size());
       i != end; ++i) {
    low = std::min(low, values[i]);
    high = std::max(high, values[i]);
  }
  least[warp] = low;
  greatest[warp] = high;
}

namespace muon::ptxsim::races {

namespace {

/// All of `below` is in `above`.
bool isWithin(const BlockTimes &below, const BlockTimes &above) {
  uint32_t outside = 0;
  for (size_t i = 0; i != below.values.size(); ++i)
    outside |= below.values[i] > above.values[i];
  return !outside;
}

bool isWithin(const BlockKnowledge &below, const BlockTimes &above) {
  for (auto [thread, clock] : below.newer)
    if (clock > above.values[thread])
      return false;
  return below.base.get() == &above || isWithin(*below.base, above);
}

void joinInto(std::vector<uint32_t> &values, const BlockKnowledge &other) {
  for (size_t i = 0; i != values.size(); ++i)
    values[i] = std::max(values[i], other.base->values[i]);
  for (auto [thread, clock] : other.newer)
    values[thread] = std::max(values[thread], clock);
}

/// One of the arguments if that is the result: trees of equal parts are joined
/// without looking into them.
Ref<BlockKnowledge> join(const Ref<BlockKnowledge> &a,
                         const Ref<BlockKnowledge> &b) {
  if (a == b)
    return a;
  auto holds = [](const BlockKnowledge &x, const BlockKnowledge &y) {
    for (auto [thread, clock] : y.newer)
      if (clock > x[thread])
        return false;
    if (x.base == y.base || isWithin(*y.base, *x.base))
      return true;
    for (uint32_t i = 0; i != y.base->values.size(); ++i)
      if (y.base->values[i] > x.base->values[i] && y.base->values[i] > x[i])
        return false;
    return true;
  };
  if (holds(*a, *b))
    return a;
  if (holds(*b, *a))
    return b;
  auto *result = new BlockKnowledge;
  Ref<BlockKnowledge> owner(result);
  if (a->base == b->base) {
    result->base = a->base;
    result->newer = a->newer;
    for (auto [thread, clock] : b->newer) {
      auto at = std::find_if(result->newer.begin(), result->newer.end(),
                             [t = thread](auto &x) { return x.first == t; });
      if (at == result->newer.end())
        result->newer.push_back({thread, clock});
      else
        at->second = std::max(at->second, clock);
    }
    if (result->newer.size() <= BlockKnowledge::maxNewer)
      return owner;
    result->newer.clear();
  }
  auto *times = new BlockTimes(a->base->values.size());
  result->base = Ref<BlockTimes>(times);
  joinInto(times->values, *a);
  joinInto(times->values, *b);
  times->summarize();
  return owner;
}

template <class V>
Ref<Tree<V>> raise(Ref<Tree<V>> tree, unsigned level) {
  while (tree->level < level) {
    auto *higher = new Tree<V>(tree->level + 1);
    higher->inner[0] = std::move(tree);
    tree = Ref<Tree<V>>(higher);
  }
  return tree;
}

template <class V>
Ref<Tree<V>> set(Ref<Tree<V>> tree, uint32_t key, const Ref<V> &value,
                 unsigned level) {
  auto *result = tree ? new Tree<V>(*tree) : new Tree<V>(level);
  Ref<Tree<V>> owner(result);
  unsigned slot = result->slot(key);
  if (level)
    result->inner[slot] = set(result->inner[slot], key, value, level - 1);
  else
    result->leaves[slot] = value;
  return owner;
}

} // namespace

template <class V>
Ref<Tree<V>> with(Ref<Tree<V>> tree, uint32_t key, const Ref<V> &value) {
  unsigned level = tree ? tree->level : 0;
  while (level < 7 && key >> (Tree<V>::bits * (level + 1)))
    ++level;
  if (tree)
    tree = raise(std::move(tree), level);
  return set(std::move(tree), key, value, level);
}

template <class V>
Ref<Tree<V>> join(const Ref<Tree<V>> &a, const Ref<Tree<V>> &b) {
  if (a == b || !b)
    return a;
  if (!a)
    return b;
  if (a->level != b->level) {
    unsigned level = std::max(a->level, b->level);
    return join(raise(a, level), raise(b, level));
  }
  auto *result = new Tree<V>(a->level);
  Ref<Tree<V>> owner(result);
  bool isA = true, isB = true;
  auto merge = [&](auto &into, const auto &x, const auto &y) {
    for (unsigned i = 0; i != Tree<V>::fanOut; ++i) {
      into[i] = !x[i] ? y[i] : !y[i] ? x[i] : join(x[i], y[i]);
      isA &= into[i] == x[i];
      isB &= into[i] == y[i];
    }
  };
  if (a->level)
    merge(result->inner, a->inner, b->inner);
  else
    merge(result->leaves, a->leaves, b->leaves);
  return isA ? a : isB ? b : owner;
}

template Ref<Knowledge> with(Ref<Knowledge> tree, uint32_t key,
                             const Ref<BlockKnowledge> &value);
template Ref<ByBlock> with(Ref<ByBlock> tree, uint32_t key,
                           const Ref<Knowledge> &value);
template Ref<Knowledge> join(const Ref<Knowledge> &a, const Ref<Knowledge> &b);

} // namespace muon::ptxsim::races

//===----------------------------------------------------------------------===//
// BlockClocks
//===----------------------------------------------------------------------===//

BlockClocks::Impl::Impl(uint64_t block, unsigned threads)
    : block(uint32_t(block)), clocks(threads, 1), foreign(threads) {
  auto *zero = new BlockTimes(threads);
  times.assign(threads, Ref<BlockTimes>(zero));
}

void BlockClocks::Impl::acquire(unsigned thread, const Ref<Knowledge> &what) {
  if (!what)
    return;
  const BlockKnowledge *own = find(what.get(), block);
  if (own && !isWithin(*own, *times[thread])) {
    auto *joined = new BlockTimes(*times[thread]);
    times[thread] = Ref<BlockTimes>(joined);
    joinInto(joined->values, *own);
    joined->summarize();
  }
  foreign[thread] = join(foreign[thread], what);
}

Ref<Knowledge> BlockClocks::Impl::make(unsigned thread,
                                       const Ref<BlockTimes> &of,
                                       const Ref<Knowledge> &others,
                                       uint32_t clock) const {
  auto *own = new BlockKnowledge;
  Ref<BlockKnowledge> owner(own);
  own->base = of;
  own->newer.push_back({thread, clock});
  return with(others, block, owner);
}

void BlockClocks::Impl::meet(const std::vector<uint32_t> &before,
                             const std::vector<uint32_t> &after,
                             const std::vector<Arrival> &arrived,
                             Arrival *result) {
  auto forEach = [&](const std::vector<uint32_t> &masks, auto &&body) {
    for (size_t warp = 0; warp != masks.size(); ++warp)
      for (uint32_t lanes = masks[warp]; lanes; lanes &= lanes - 1) {
        unsigned thread = warp * warpSize + firstLane(lanes);
        if (thread < clocks.size())
          body(thread);
      }
  };
  BlockTimes *joined = nullptr;
  Ref<BlockTimes> owner;
  Ref<Knowledge> others;
  distinct.clear();
  distinctForeign.clear();
  auto addNew = [](auto &list, auto *item) {
    if ((!list.empty() && list.back() == item) ||
        std::find(list.begin(), list.end(), item) != list.end())
      return false;
    list.push_back(item);
    return true;
  };
  forEach(before, [&](unsigned thread) {
    if (addNew(distinct, times[thread].get())) {
      if (!joined) {
        owner = Ref<BlockTimes>(joined = new BlockTimes(*times[thread]));
      } else {
        const std::vector<uint32_t> &from = times[thread]->values;
        for (size_t i = 0; i != from.size(); ++i)
          joined->values[i] = std::max(joined->values[i], from[i]);
      }
    }
    if (addNew(distinctForeign, foreign[thread].get()))
      others = join(others, foreign[thread]);
  });
  forEach(before, [&](unsigned thread) {
    uint32_t &value = joined->values[thread];
    value = std::max(value, clocks[thread]);
  });
  if (!joined)
    return;
  for (const Arrival &arrival : arrived) {
    const std::vector<uint32_t> &from = arrival.times->values;
    for (size_t i = 0; i != from.size(); ++i)
      joined->values[i] = std::max(joined->values[i], from[i]);
    others = join(others, arrival.foreign);
  }
  // A barrier of a warp in a large block changes little.
  for (size_t warp = 0; warp != joined->least.size(); ++warp)
    if (distinct.size() > 1 || !arrived.empty() ||
        (warp < before.size() && before[warp]))
      joined->summarize(warp);
  if (result)
    *result = {owner, others};
  Ref<BlockTimes>::assignAll(owner, [&](auto &&assign) {
    forEach(after, [&](unsigned thread) { assign(times[thread]); });
  });
  Ref<Knowledge>::assignAll(others, [&](auto &&assign) {
    forEach(after, [&](unsigned thread) { assign(foreign[thread]); });
  });
  forEach(before, [&](unsigned thread) { tick(thread); });
}

BlockClocks::BlockClocks(uint64_t block, unsigned numThreads)
    : impl(std::make_unique<Impl>(block, numThreads)) {}
BlockClocks::~BlockClocks() = default;

void BlockClocks::barrier(const std::vector<uint32_t> &waiting,
                          const std::vector<uint32_t> &arriving) {
  std::vector<uint32_t> all = waiting;
  if (all.size() < arriving.size())
    all.resize(arriving.size());
  for (size_t i = 0; i != arriving.size(); ++i)
    all[i] |= arriving[i];
  impl->meet(all, waiting);
}

void BlockClocks::arrive(unsigned barrier, unsigned warp, uint32_t lanes) {
  std::vector<uint32_t> masks(warp + 1, 0);
  masks[warp] = lanes;
  Impl::Arrival arrival;
  impl->meet(masks, {}, {}, &arrival);
  if (arrival.times)
    impl->arrivals[barrier].push_back(std::move(arrival));
}

void BlockClocks::complete(unsigned barrier,
                           const std::vector<uint32_t> &waiting) {
  auto arrived = impl->arrivals.find(barrier);
  if (arrived == impl->arrivals.end()) {
    impl->meet(waiting, waiting);
    return;
  }
  impl->meet(waiting, waiting, arrived->second);
  impl->arrivals.erase(arrived);
}

void BlockClocks::warpBarrier(unsigned warp, uint32_t lanes) {
  std::vector<uint32_t> all(warp + 1);
  all[warp] = lanes;
  impl->meet(all, all);
}

void BlockClocks::fence(unsigned warp, uint32_t lanes, Scope scope,
                        bool acquire, bool release) {
  for (; lanes; lanes &= lanes - 1) {
    unsigned thread = warp * warpSize + firstLane(lanes);
    if (thread >= impl->clocks.size())
      return;
    Impl::ThreadSync &sync = impl->sync(thread);
    if (acquire) {
      bool wide = scope != Scope::Block;
      impl->acquire(thread, wide ? sync.pending.wide : sync.pending.block);
      sync.pending.block = {};
      if (wide)
        sync.pending.wide = {};
    }
    if (release) {
      Impl::Snapshot now;
      now.clock = impl->clocks[thread];
      now.times = impl->times[thread];
      now.foreign = impl->foreign[thread];
      if (scope != Scope::Block)
        sync.wide = now;
      sync.any = std::move(now);
      impl->tick(thread);
    }
  }
}
