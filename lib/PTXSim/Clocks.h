//===- Clocks.h - What threads know of each other ---------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The knowledge of threads, as BlockClocks keeps it for the threads of a block
// and AccessHistory for those who acquire a location.
//
// Order: a thread has a clock, which ticks whenever the thread may have told
// others what it did so far. A thread knows of another that everything up to
// some clock happened before. What threads of a block know of their block is an
// array shared by all threads that know the same, so that a barrier costs one
// array; what they know of other blocks is a persistent radix tree of such
// arrays, so that a chain of atomics through all blocks costs the depth of the
// tree at each link. All of these are immutable once shared.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_CLOCKS_H
#define MUON_MLIR_LIB_PTXSIM_CLOCKS_H

#include "Races.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <utility>

namespace muon::ptxsim {

namespace races {

/// Counted across host threads: locations hand knowledge from block to block.
struct Counted {
  Counted() = default;
  /// A copy is another object, which nobody refers to yet.
  Counted(const Counted &) {}
  Counted &operator=(const Counted &) = delete;
  virtual ~Counted() = default;
  mutable std::atomic<uint32_t> references{0};
};

template <class T>
class Ref {
public:
  Ref() = default;
  Ref(const T *pointer) : pointer(pointer) { retain(); }
  Ref(const Ref &other) : pointer(other.pointer) { retain(); }
  Ref(Ref &&other) noexcept : pointer(std::exchange(other.pointer, nullptr)) {}
  ~Ref() { release(); }
  Ref &operator=(Ref other) noexcept {
    std::swap(pointer, other.pointer);
    return *this;
  }
  const T *get() const { return pointer; }
  const T *operator->() const { return pointer; }
  const T &operator*() const { return *pointer; }
  explicit operator bool() const { return pointer != nullptr; }
  bool operator==(const Ref &other) const { return pointer == other.pointer; }

  /// Lets many refer to one object, for little more than the price of one:
  /// those that forEach gives to its argument.
  template <class ForEach>
  static void assignAll(const Ref &value, ForEach &&forEach) {
    uint32_t assigned = 0, sameBefore = 0;
    const T *before = nullptr;
    // As many references as can be needed, so that it lives to the end.
    constexpr uint32_t many = 1 << 16;
    if (value)
      value->references.fetch_add(many, std::memory_order_relaxed);
    forEach([&](Ref &ref) {
      if (ref.pointer != before) {
        release(before, sameBefore);
        before = ref.pointer;
        sameBefore = 0;
      }
      ++sameBefore;
      ++assigned;
      ref.pointer = value.pointer;
    });
    release(before, sameBefore);
    release(value.pointer, many - assigned);
  }

private:
  static void release(const T *pointer, uint32_t times) {
    if (pointer && pointer->references.fetch_sub(
                       times, std::memory_order_acq_rel) == times)
      delete pointer;
  }
  void retain() {
    if (pointer)
      pointer->references.fetch_add(1, std::memory_order_relaxed);
  }
  void release() { release(pointer, 1); }

  const T *pointer = nullptr;
};

constexpr unsigned warpBits = 5, warpSize = 32;
/// A clock that gets here stays: from then on races are missed, but none is
/// made up.
constexpr uint32_t maxClock = (uint32_t(1) << (32 - warpBits)) - 1;

inline uint32_t laneBit(unsigned lane) { return uint32_t(1) << lane; }
inline unsigned firstLane(uint32_t lanes) { return __builtin_ctz(lanes); }
inline bool isSingle(uint32_t lanes) { return (lanes & (lanes - 1)) == 0; }

/// A clock for each thread of a block.
struct BlockTimes : Counted {
  explicit BlockTimes(unsigned threads)
      : values(threads), least((threads + warpSize - 1) / warpSize),
        greatest(least.size()) {}

  /// To be called once the values stand.
  void summarize() {
    for (size_t warp = 0; warp != least.size(); ++warp)
      summarize(warp);
  }
  void summarize(size_t warp);

  std::vector<uint32_t> values;
  /// By warp: mostly the lanes of a warp are known alike.
  std::vector<uint32_t> least, greatest;
};

/// What is known of a block: an array, and a few threads of which more is
/// known. A thread that releases publishes its own clock with the array it
/// shares with others.
struct BlockKnowledge : Counted {
  static constexpr size_t maxNewer = 16;

  uint32_t operator[](uint32_t thread) const {
    uint32_t clock = base->values[thread];
    for (auto [other, value] : newer)
      if (other == thread)
        return std::max(clock, value);
    return clock;
  }

  Ref<BlockTimes> base;
  std::vector<std::pair<uint32_t, uint32_t>> newer;
};

/// A persistent map from blocks to V: a radix tree, the root of which is as
/// high as its largest key needs.
template <class V>
struct Tree : Counted {
  static constexpr unsigned bits = 4, fanOut = 1 << bits;

  explicit Tree(unsigned level) : level(level) {}

  static uint64_t capacity(const Tree &tree) {
    return uint64_t(1) << (bits * (tree.level + 1));
  }
  unsigned slot(uint32_t key) const {
    return (key >> (bits * level)) & (fanOut - 1);
  }

  unsigned level;
  std::array<Ref<Tree>, fanOut> inner;
  std::array<Ref<V>, fanOut> leaves;
};

template <class V>
const V *find(const Tree<V> *tree, uint32_t key) {
  if (!tree || key >= Tree<V>::capacity(*tree))
    return nullptr;
  while (tree && tree->level)
    tree = tree->inner[tree->slot(key)].get();
  return tree ? tree->leaves[tree->slot(key)].get() : nullptr;
}

/// What a thread knows, its own block and clock included where it was released.
using Knowledge = Tree<BlockKnowledge>;
/// What threads of each block have released.
using ByBlock = Tree<Knowledge>;

/// The tree with this one entry replaced.
template <class V>
Ref<Tree<V>> with(Ref<Tree<V>> tree, uint32_t key, const Ref<V> &value);

/// One of the arguments if that is the result.
template <class V>
Ref<Tree<V>> join(const Ref<Tree<V>> &a, const Ref<Tree<V>> &b);

} // namespace races

struct BlockClocks::Impl {
  template <class T>
  using Ref = races::Ref<T>;
  using BlockTimes = races::BlockTimes;
  using Knowledge = races::Knowledge;

  /// What the thread knew, and its clock, at a fence. The tree is made when a
  /// write first needs it: most fences are followed by a write of one lane.
  struct Snapshot {
    explicit operator bool() const { return clock != 0; }
    uint32_t clock = 0;
    Ref<BlockTimes> times;
    Ref<Knowledge> foreign, made;
  };
  /// What strong reads have seen released, for a later acquire of scope cta or
  /// wider.
  struct Pending {
    Ref<Knowledge> block, wide;
  };
  struct PendingAt : Pending {
    uint64_t address = 0;
    const void *history = nullptr;
  };
  struct ThreadSync {
    /// At the last fence with release: of any scope, wider than cta.
    Snapshot any, wide;
    Pending pending;
    /// By location, for an acquire operation on the same location: the last
    /// few.
    std::vector<PendingAt> at;
  };

  Impl(uint64_t block, unsigned threads);

  void tick(unsigned thread) {
    clocks[thread] += clocks[thread] < races::maxClock;
  }
  ThreadSync &sync(unsigned thread) {
    if (syncs.empty())
      syncs.resize(clocks.size());
    return syncs[thread];
  }
  void acquire(unsigned thread, const Ref<Knowledge> &what);
  Ref<Knowledge> make(unsigned thread, const Ref<BlockTimes> &of,
                      const Ref<Knowledge> &others, uint32_t clock) const;
  const Ref<Knowledge> &make(unsigned thread, Snapshot &snapshot) const {
    if (snapshot && !snapshot.made) {
      snapshot.made =
          make(thread, snapshot.times, snapshot.foreign, snapshot.clock);
      snapshot.times = {};
      snapshot.foreign = {};
    }
    return snapshot.made;
  }
  /// What threads knew when they arrived at a barrier without waiting.
  struct Arrival {
    Ref<BlockTimes> times;
    Ref<Knowledge> foreign;
  };
  /// `before` and `arrived` happen before what `after`, some of `before`, do
  /// next. If given, `result` gets what `after` would know.
  void meet(const std::vector<uint32_t> &before,
            const std::vector<uint32_t> &after,
            const std::vector<Arrival> &arrived = {},
            Arrival *result = nullptr);

  uint32_t block;
  std::vector<uint32_t> clocks;
  /// Of the own block; a thread's own entry does not count.
  std::vector<Ref<BlockTimes>> times;
  /// Of other blocks; an entry of the own block does not count.
  std::vector<Ref<Knowledge>> foreign;
  std::vector<ThreadSync> syncs;
  /// By barrier.
  std::map<unsigned, std::vector<Arrival>> arrivals;

private:
  /// Kept between calls: barriers are frequent.
  std::vector<const BlockTimes *> distinct;
  std::vector<const Knowledge *> distinctForeign;
};

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_CLOCKS_H
