//===- RacesTest.cpp - Tests of the race detector -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Small histories with what the PTX ISA, Memory Consistency Model, says of
// them, and random ones against its definitions taken literally: every pattern,
// every edge, and the closure of them all.
//
//===----------------------------------------------------------------------===//

#include "Races.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <random>
#include <sstream>
#include <string>
#include <thread>

using namespace muon::ptxsim;

namespace {

constexpr uint32_t allLanes = 0xffffffff;

AccessKind weakRead() {
  AccessKind kind;
  kind.reads = true;
  return kind;
}
AccessKind weakWrite() {
  AccessKind kind;
  kind.writes = true;
  return kind;
}
AccessKind strongKind(Scope scope, bool reads, bool writes) {
  AccessKind kind;
  kind.reads = reads;
  kind.writes = writes;
  kind.strong = true;
  kind.atomic = reads && writes;
  kind.scope = scope;
  return kind;
}
AccessKind relaxedRead(Scope scope) { return strongKind(scope, true, false); }
AccessKind relaxedWrite(Scope scope) { return strongKind(scope, false, true); }
AccessKind relaxedAtomic(Scope scope) { return strongKind(scope, true, true); }
AccessKind acquireRead(Scope scope) {
  AccessKind kind = relaxedRead(scope);
  kind.acquire = true;
  return kind;
}
AccessKind releaseWrite(Scope scope) {
  AccessKind kind = relaxedWrite(scope);
  kind.release = true;
  return kind;
}
AccessKind acqRelAtomic(Scope scope) {
  AccessKind kind = relaxedAtomic(scope);
  kind.acquire = kind.release = true;
  return kind;
}

/// A grid of blocks of 64 threads or as many as are said, with one memory.
class World {
public:
  explicit World(unsigned blocks = 1, unsigned threads = 64,
                 bool concurrent = false)
      : threads(threads), memory(concurrent) {
    for (unsigned i = 0; i != blocks; ++i)
      clocks.push_back(std::make_unique<BlockClocks>(i, threads));
  }

  /// One thread.
  bool on(unsigned block, unsigned thread, AccessKind kind, uint64_t address,
          unsigned bytes = 4) {
    uint64_t addresses[32] = {};
    addresses[thread % 32] = address;
    return memory.access(*clocks[block], thread / 32, 1u << thread % 32,
                         addresses, bytes, kind, ++instruction, race);
  }
  bool read(unsigned thread, uint64_t address, unsigned bytes = 4) {
    return on(0, thread, weakRead(), address, bytes);
  }
  bool write(unsigned thread, uint64_t address, unsigned bytes = 4) {
    return on(0, thread, weakWrite(), address, bytes);
  }
  /// A warp; lane i at address + i * stride.
  bool warp(unsigned block, unsigned number, AccessKind kind, uint64_t address,
            uint64_t stride, unsigned bytes = 4, uint32_t lanes = allLanes) {
    uint64_t addresses[32];
    for (unsigned i = 0; i != 32; ++i)
      addresses[i] = address + i * stride;
    return memory.access(*clocks[block], number, lanes, addresses, bytes, kind,
                         ++instruction, race);
  }
  void fence(unsigned block, unsigned thread, Scope scope, bool acquire = true,
             bool release = true) {
    clocks[block]->fence(thread / 32, 1u << thread % 32, scope, acquire,
                         release);
  }
  void barrier(unsigned block = 0) {
    clocks[block]->barrier(std::vector<uint32_t>(threads / 32, allLanes), {});
  }

  unsigned threads;
  std::vector<std::unique_ptr<BlockClocks>> clocks;
  AccessHistory memory;
  RaceReport race;
  uint32_t instruction = 0;
};

//===----------------------------------------------------------------------===//
// Conflicts
//===----------------------------------------------------------------------===//

TEST(Races, ConflictsOfTwoThreads) {
  struct Case {
    bool firstWrites, secondWrites, race;
  };
  for (Case c : {Case{false, false, false}, Case{false, true, true},
                 Case{true, false, true}, Case{true, true, true}})
    for (unsigned other : {1u, 31u, 32u, 63u})
      for (bool concurrent : {false, true}) {
        World w(1, 64, concurrent);
        EXPECT_FALSE(w.on(0, 0, c.firstWrites ? weakWrite() : weakRead(), 64));
        EXPECT_EQ(w.on(0, other, c.secondWrites ? weakWrite() : weakRead(), 64),
                  c.race);
        if (!c.race)
          continue;
        EXPECT_EQ(w.race.lane, other % 32);
        EXPECT_EQ(w.race.address, 64u);
        EXPECT_EQ(w.race.otherBlock, 0u);
        EXPECT_EQ(w.race.otherThread, 0u);
        EXPECT_EQ(w.race.otherInstruction, 1u);
        EXPECT_EQ(w.race.otherWrites, c.firstWrites);
        EXPECT_FALSE(w.race.otherStrong);
      }
}

TEST(Races, ProgramOrder) {
  World w;
  for (unsigned i = 0; i != 3; ++i) {
    EXPECT_FALSE(w.write(5, 0));
    EXPECT_FALSE(w.read(5, 0));
    EXPECT_FALSE(w.write(5, 0));
  }
  EXPECT_TRUE(w.read(6, 0));
}

TEST(Races, OtherThreadOfAnotherBlock) {
  World w(3, 64, true);
  EXPECT_FALSE(w.on(2, 40, weakWrite(), 4096));
  EXPECT_TRUE(w.on(1, 40, weakRead(), 4096));
  EXPECT_EQ(w.race.otherBlock, 2u);
  EXPECT_EQ(w.race.otherThread, 40u);
}

/// The write by a thread is ordered with the read of one but not of another.
TEST(Races, EveryReaderCounts) {
  for (unsigned early : {1u, 33u}) {
    World w;
    EXPECT_FALSE(w.write(0, 0));
    w.barrier();
    EXPECT_FALSE(w.read(1, 0));
    EXPECT_FALSE(w.read(33, 0));
    EXPECT_FALSE(w.read(2, 0));
    // Threads 0 and one of the readers meet.
    w.clocks[0]->barrier({1u | (early < 32 ? 2u : 0u), early < 32 ? 0u : 2u},
                         {});
    EXPECT_TRUE(w.write(0, 0));
    EXPECT_NE(w.race.otherThread, early);
    EXPECT_FALSE(w.race.otherWrites);
  }
}

TEST(Races, ReadByWriterDoesNotHideItsWrite) {
  World w;
  EXPECT_FALSE(w.write(0, 0));
  w.clocks[0]->barrier({1, 1}, {});
  EXPECT_FALSE(w.read(0, 0));
  EXPECT_FALSE(w.read(32, 0));
  // Neither saw the write; the read is later than the write.
  EXPECT_TRUE(w.read(33, 0));
  EXPECT_TRUE(w.race.otherWrites);
}

//===----------------------------------------------------------------------===//
// Widths
//===----------------------------------------------------------------------===//

TEST(Races, NeighboursAreApart) {
  for (unsigned bytes : {1u, 2u, 4u, 8u, 16u}) {
    World w;
    for (unsigned round = 0; round != 2; ++round) {
      EXPECT_FALSE(w.warp(0, 0, weakWrite(), 0, bytes, bytes)) << bytes;
      EXPECT_FALSE(w.warp(0, 1, weakWrite(), 32 * bytes, bytes, bytes));
      EXPECT_FALSE(w.warp(0, 0, weakRead(), 0, bytes, bytes)) << bytes;
    }
    for (unsigned at = 0; at != 32 * bytes; ++at)
      EXPECT_TRUE(w.on(0, at / bytes == 7 ? 8 : 7, weakRead(), at, 1))
          << bytes << " " << at;
  }
}

/// All pairs of widths and places of two accesses in 16 bytes, and the first
/// byte that conflicts.
TEST(Races, Overlap) {
  for (unsigned a : {1u, 2u, 4u, 8u, 16u})
    for (unsigned b : {1u, 2u, 4u, 8u, 16u})
      for (unsigned i = 0; i < 16; i += a)
        for (unsigned j = 0; j < 16; j += b) {
          World w;
          EXPECT_FALSE(w.write(0, i, a));
          bool overlap = i < j + b && j < i + a;
          EXPECT_EQ(w.read(1, j, b), overlap)
              << i << "+" << a << " " << j << "+" << b;
          if (overlap)
            EXPECT_EQ(w.race.address, std::max(i, j));
        }
}

TEST(Races, SplitKeepsWhatWasThere) {
  World w;
  EXPECT_FALSE(w.write(0, 16));
  EXPECT_FALSE(w.warp(0, 0, weakRead(), 20, 0));
  EXPECT_FALSE(w.warp(0, 1, weakRead(), 20, 0));
  EXPECT_FALSE(w.write(1, 100, 2));
  EXPECT_FALSE(w.write(1, 103, 1));
  EXPECT_TRUE(w.read(2, 17, 1));
  EXPECT_TRUE(w.write(31, 23, 1));
  EXPECT_FALSE(w.write(3, 102, 1));
  EXPECT_TRUE(w.write(4, 100));
  EXPECT_EQ(w.race.address, 100u);
  EXPECT_FALSE(w.read(3, 104));
}

TEST(Races, FarApartAndAcrossPages) {
  World w(1, 64, true);
  EXPECT_FALSE(w.write(0, 4092, 8));
  EXPECT_FALSE(w.write(1, 4088));
  EXPECT_FALSE(w.write(1, 4100));
  EXPECT_TRUE(w.write(1, 4096));
  EXPECT_EQ(w.race.address, 4096u);
  EXPECT_FALSE(w.write(1, uint64_t(1) << 47));
  EXPECT_TRUE(w.write(0, uint64_t(1) << 47));
}

//===----------------------------------------------------------------------===//
// Within one instruction
//===----------------------------------------------------------------------===//

TEST(Races, LanesOfOneInstruction) {
  struct Case {
    AccessKind kind;
    uint64_t stride;
    bool race;
  };
  for (Case c :
       {Case{weakWrite(), 0, true}, Case{weakWrite(), 4, false},
        Case{weakWrite(), 2, true}, Case{weakRead(), 0, false},
        Case{weakRead(), 2, false}, Case{relaxedWrite(Scope::System), 0, false},
        Case{relaxedAtomic(Scope::Block), 0, false},
        Case{relaxedAtomic(Scope::Device), 0, false}})
    EXPECT_EQ(World().warp(0, 0, c.kind, 0, c.stride), c.race)
        << c.kind.strong << c.kind.writes << c.stride;

  World w;
  EXPECT_TRUE(w.warp(0, 1, weakWrite(), 128, 0, 4, 0x88));
  EXPECT_EQ(w.race.lane, 7u);
  EXPECT_EQ(w.race.otherThread, 35u);
  EXPECT_EQ(w.race.otherInstruction, 1u);
  EXPECT_TRUE(w.race.otherWrites);
}

TEST(Races, LockstepIsNoOrder) {
  World w;
  EXPECT_FALSE(w.warp(0, 0, weakWrite(), 0, 4));
  EXPECT_TRUE(w.warp(0, 0, weakRead(), 4, 4, 4, 0x7fffffff));
  EXPECT_EQ(w.race.lane, 0u);
  EXPECT_EQ(w.race.otherThread, 1u);
}

TEST(Races, LastAtomicOfAWarpMayReset) {
  // Each lane sees what those before it did.
  World w;
  EXPECT_FALSE(w.warp(0, 0, relaxedAtomic(Scope::Block), 0, 0));
  EXPECT_FALSE(w.write(31, 0));
  World other;
  EXPECT_FALSE(other.warp(0, 0, relaxedAtomic(Scope::Block), 0, 0));
  EXPECT_TRUE(other.write(30, 0));
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

TEST(Races, BarrierOrders) {
  World w(2, 96, true);
  EXPECT_FALSE(w.warp(0, 0, weakWrite(), 0, 4));
  w.barrier(0);
  EXPECT_FALSE(w.warp(0, 1, weakRead(), 4, 4, 4, 0x7fffffff));
  EXPECT_FALSE(w.warp(0, 2, weakRead(), 0, 0));
  w.barrier(0);
  EXPECT_FALSE(w.warp(0, 2, weakWrite(), 0, 4));
  w.barrier(1);
  EXPECT_TRUE(w.on(1, 0, weakRead(), 8));
}

TEST(Races, BroadcastReadThenWrite) {
  for (bool synchronized : {false, true}) {
    World w(1, 1024);
    EXPECT_FALSE(w.write(0, 0));
    w.barrier();
    for (unsigned i = 0; i != 32; ++i)
      EXPECT_FALSE(w.warp(0, i, weakRead(), 0, 0));
    if (synchronized)
      w.barrier();
    EXPECT_EQ(w.write(0, 0), !synchronized);
    if (!synchronized)
      EXPECT_NE(w.race.otherThread, 0u);
  }
}

/// A write after all but one lane of 1024 are known to have read.
TEST(Races, OneReaderOfManyIsMissing) {
  World w(1, 1024);
  for (unsigned i = 0; i != 32; ++i)
    EXPECT_FALSE(w.warp(0, i, weakRead(), 0, 0));
  std::vector<uint32_t> most(32, allLanes);
  most[20] &= ~(1u << 9);
  w.clocks[0]->barrier(most, {});
  EXPECT_TRUE(w.write(3, 0));
  EXPECT_EQ(w.race.otherThread, 20u * 32 + 9);
}

TEST(Races, NamedBarrierWithArrive) {
  // Warp 0 produces and only arrives; warp 1 waits.
  World w;
  EXPECT_FALSE(w.warp(0, 0, weakWrite(), 0, 4));
  w.clocks[0]->barrier({0, allLanes}, {allLanes, 0});
  EXPECT_FALSE(w.warp(0, 1, weakRead(), 0, 4));
  // What comes after the arrival is not ordered.
  EXPECT_FALSE(w.warp(0, 0, weakWrite(), 256, 4));
  EXPECT_TRUE(w.warp(0, 1, weakRead(), 256, 4));
  // Nor has the arriving warp waited for anything.
  EXPECT_TRUE(w.warp(0, 0, weakWrite(), 0, 4));
}

TEST(Races, BarrierOfSomeWarps) {
  World w(1, 96);
  EXPECT_FALSE(w.write(0, 0));
  EXPECT_FALSE(w.write(32, 4));
  w.clocks[0]->barrier({allLanes, allLanes, 0}, {});
  EXPECT_FALSE(w.read(33, 0));
  EXPECT_FALSE(w.read(1, 4));
  EXPECT_TRUE(w.read(64, 0));
  // By way of warp 1.
  w.clocks[0]->barrier({0, allLanes, allLanes}, {});
  EXPECT_FALSE(w.write(64, 4 * 64));
  EXPECT_FALSE(w.read(65, 4));
  World chain(1, 96);
  EXPECT_FALSE(chain.write(0, 0));
  chain.clocks[0]->barrier({allLanes, allLanes, 0}, {});
  chain.clocks[0]->barrier({0, allLanes, allLanes}, {});
  EXPECT_FALSE(chain.write(95, 0));
  EXPECT_TRUE(chain.read(0, 0));
}

TEST(Races, WarpBarrier) {
  World w;
  EXPECT_FALSE(w.warp(0, 0, weakWrite(), 0, 4));
  w.clocks[0]->warpBarrier(0, 0x0000ffff);
  EXPECT_FALSE(w.read(0, 4 * 15));
  EXPECT_TRUE(w.read(0, 4 * 16));
  EXPECT_TRUE(w.read(16, 4 * 17));
  EXPECT_TRUE(w.read(16, 4 * 3));
  EXPECT_TRUE(w.read(32, 4 * 1));
}

TEST(Races, RingOfBuffers) {
  // Warp 0 fills, warp 1 empties the buffer filled one step before.
  for (unsigned missing : {~0u, 40u}) {
    World w;
    bool raced = false;
    for (unsigned step = 0; step != 100; ++step) {
      raced |= w.warp(0, 0, weakWrite(), step % 2 * 128, 4);
      if (step)
        raced |= w.warp(0, 1, weakRead(), (step - 1) % 2 * 128, 4);
      EXPECT_EQ(raced, step > missing) << step;
      if (step != missing)
        w.barrier();
    }
  }
}

TEST(Races, NoFalseOrderFromBarriersOfOthers) {
  World w;
  for (unsigned i = 0; i != 10; ++i)
    w.clocks[0]->barrier({0, allLanes}, {});
  EXPECT_FALSE(w.write(40, 0));
  EXPECT_TRUE(w.read(0, 0));
}

//===----------------------------------------------------------------------===//
// Strong operations
//===----------------------------------------------------------------------===//

TEST(Races, StrongWithinScopesIsNoRace) {
  for (Scope a : {Scope::Block, Scope::Device, Scope::System})
    for (Scope b : {Scope::Block, Scope::Device, Scope::System})
      for (bool sameBlock : {true, false})
        for (int first = 0; first != 3; ++first)
          for (int second = 0; second != 3; ++second) {
            auto kind = [](int which, Scope scope) {
              return which == 0   ? relaxedRead(scope)
                     : which == 1 ? relaxedWrite(scope)
                                  : relaxedAtomic(scope);
            };
            World w(2, 64, true);
            EXPECT_FALSE(w.on(0, 0, kind(first, a), 8));
            bool race = (first || second) && !sameBlock &&
                        (a == Scope::Block || b == Scope::Block);
            EXPECT_EQ(w.on(sameBlock ? 0 : 1, 1, kind(second, b), 8), race);
          }
}

TEST(Races, StrongWithWeakIsARace) {
  World w;
  EXPECT_FALSE(w.on(0, 0, relaxedWrite(Scope::System), 0));
  EXPECT_TRUE(w.read(1, 0));
  EXPECT_TRUE(w.race.otherStrong);
  EXPECT_FALSE(w.on(0, 0, relaxedAtomic(Scope::System), 4));
  EXPECT_TRUE(w.write(1, 4));
  EXPECT_FALSE(w.write(0, 8));
  EXPECT_TRUE(w.on(0, 1, relaxedRead(Scope::System), 8));
  EXPECT_FALSE(w.race.otherStrong);
  // A strong access does not hide the weak one of the same thread before it.
  EXPECT_FALSE(w.write(0, 12));
  EXPECT_FALSE(w.on(0, 0, relaxedWrite(Scope::System), 12));
  EXPECT_TRUE(w.on(0, 1, relaxedRead(Scope::System), 12));
}

/// Data, then a flag; the flag, then data.
struct Passing {
  const char *name;
  /// Of the producer's and the consumer's fence; none if no value.
  int producerFence, consumerFence;
  AccessKind send, receive;
  bool sameBlock, race;
};

TEST(Races, MessagePassing) {
  constexpr Scope cta = Scope::Block, gpu = Scope::Device, sys = Scope::System;
  constexpr int none = -1, fcta = 0, fgpu = 1;
  const Passing cases[] = {
      {"release-acquire", none, none, releaseWrite(gpu), acquireRead(gpu),
       false, false},
      {"release-acquire sys gpu", none, none, releaseWrite(sys),
       acquireRead(gpu), false, false},
      {"relaxed only", none, none, relaxedWrite(gpu), relaxedRead(gpu), false,
       true},
      {"volatile only, same block", none, none, relaxedWrite(sys),
       relaxedRead(sys), true, true},
      {"release, relaxed", none, none, releaseWrite(gpu), relaxedRead(gpu),
       false, true},
      {"relaxed, acquire", none, none, relaxedWrite(gpu), acquireRead(gpu),
       false, true},
      {"fences", fgpu, fgpu, relaxedWrite(gpu), relaxedRead(gpu), false, false},
      {"fences, volatile", fgpu, fgpu, relaxedWrite(sys), relaxedRead(sys),
       false, false},
      {"fence of producer only", fgpu, none, relaxedWrite(gpu),
       relaxedRead(gpu), false, true},
      {"fence of consumer only", none, fgpu, relaxedWrite(gpu),
       relaxedRead(gpu), false, true},
      {"fence, acquire", fgpu, none, relaxedWrite(gpu), acquireRead(gpu), false,
       false},
      {"release, fence", none, fgpu, releaseWrite(gpu), relaxedRead(gpu), false,
       false},
      {"fences of cta", fcta, fcta, relaxedWrite(gpu), relaxedRead(gpu), false,
       true},
      {"fences of cta within one", fcta, fcta, relaxedWrite(gpu),
       relaxedRead(gpu), true, false},
      {"fences of cta and gpu", fcta, fgpu, relaxedWrite(gpu), relaxedRead(gpu),
       false, true},
      {"fences of gpu and cta", fgpu, fcta, relaxedWrite(gpu), relaxedRead(gpu),
       false, true},
      {"fences of cta and gpu within one", fcta, fgpu, relaxedWrite(cta),
       relaxedRead(gpu), true, false},
      {"cta within one", none, none, releaseWrite(cta), acquireRead(cta), true,
       false},
      {"cta and gpu within one", none, none, releaseWrite(cta),
       acquireRead(gpu), true, false},
      {"atomics", fgpu, fgpu, relaxedAtomic(gpu), relaxedAtomic(gpu), false,
       false},
      {"atomics without fences", none, none, relaxedAtomic(gpu),
       relaxedAtomic(gpu), false, true},
      {"atomics, acq_rel", none, none, acqRelAtomic(gpu), acqRelAtomic(gpu),
       false, false},
  };
  for (const Passing &c : cases)
    for (bool concurrent : {false, true}) {
      World w(2, 64, concurrent);
      unsigned consumer = c.sameBlock ? 0 : 1;
      auto fence = [&](unsigned block, unsigned thread, int scope) {
        if (scope >= 0)
          w.fence(block, thread, Scope(scope));
      };
      EXPECT_FALSE(w.on(0, 3, weakWrite(), 0)) << c.name;
      fence(0, 3, c.producerFence);
      EXPECT_FALSE(w.on(0, 3, c.send, 128)) << c.name;
      EXPECT_FALSE(w.on(consumer, 40, c.receive, 128)) << c.name;
      fence(consumer, 40, c.consumerFence);
      EXPECT_EQ(w.on(consumer, 40, weakRead(), 0), c.race) << c.name;
    }
}

TEST(Races, FlagOfNarrowerScopeIsARace) {
  World w(2, 64, true);
  w.fence(0, 3, Scope::Device);
  EXPECT_FALSE(w.on(0, 3, relaxedWrite(Scope::Block), 128));
  EXPECT_TRUE(w.on(1, 40, acquireRead(Scope::Device), 128));
}

TEST(Races, FenceDirections) {
  for (bool acquire : {false, true})
    for (bool release : {false, true}) {
      World w(2, 64, true);
      EXPECT_FALSE(w.on(0, 0, weakWrite(), 0));
      w.fence(0, 0, Scope::Device, false, release);
      EXPECT_FALSE(w.on(0, 0, relaxedWrite(Scope::Device), 4));
      EXPECT_FALSE(w.on(1, 0, relaxedRead(Scope::Device), 4));
      w.fence(1, 0, Scope::Device, acquire, false);
      EXPECT_EQ(w.on(1, 0, weakRead(), 0), !(acquire && release));
    }
}

TEST(Races, NoReadNoOrder) {
  World w(2, 64, true);
  EXPECT_FALSE(w.on(0, 0, weakWrite(), 0));
  // The consumer looks too early.
  EXPECT_FALSE(w.on(1, 0, acquireRead(Scope::Device), 4));
  EXPECT_FALSE(w.on(0, 0, releaseWrite(Scope::Device), 4));
  EXPECT_TRUE(w.on(1, 0, weakRead(), 0));
}

TEST(Races, AfterTheReleaseIsNotReleased) {
  World w(2, 64, true);
  w.fence(0, 0, Scope::Device);
  EXPECT_FALSE(w.on(0, 0, weakWrite(), 0));
  EXPECT_FALSE(w.on(0, 0, relaxedWrite(Scope::Device), 4));
  EXPECT_FALSE(w.on(1, 0, acquireRead(Scope::Device), 4));
  EXPECT_TRUE(w.on(1, 0, weakRead(), 0));
  World v(2, 64, true);
  EXPECT_FALSE(v.on(0, 0, releaseWrite(Scope::Device), 4));
  EXPECT_FALSE(v.on(0, 0, weakWrite(), 0));
  EXPECT_FALSE(v.on(1, 0, acquireRead(Scope::Device), 4));
  EXPECT_TRUE(v.on(1, 0, weakRead(), 0));
}

TEST(Races, ReleaseSequence) {
  constexpr Scope gpu = Scope::Device;
  struct Case {
    const char *name;
    unsigned thread;
    AccessKind kind;
    bool race;
  };
  // Between the release and the acquire, another write to the flag.
  for (Case c : {Case{"atomic of another", 32, relaxedAtomic(gpu), false},
                 Case{"store of another", 32, relaxedWrite(gpu), true},
                 Case{"atomic of the same", 0, relaxedAtomic(gpu), false},
                 Case{"store of the same", 0, relaxedWrite(gpu), false}}) {
    World w;
    EXPECT_FALSE(w.write(0, 0)) << c.name;
    EXPECT_FALSE(w.on(0, 0, releaseWrite(gpu), 4)) << c.name;
    EXPECT_FALSE(w.on(0, c.thread, c.kind, 4)) << c.name;
    EXPECT_FALSE(w.on(0, 40, acquireRead(gpu), 4)) << c.name;
    EXPECT_EQ(w.read(40, 0), c.race) << c.name;
  }
  // A weak store releases nothing, and hides what was released.
  World w;
  EXPECT_FALSE(w.write(0, 0));
  EXPECT_FALSE(w.on(0, 0, releaseWrite(gpu), 4));
  EXPECT_FALSE(w.write(0, 4));
  EXPECT_TRUE(w.on(0, 40, acquireRead(gpu), 4));
  EXPECT_TRUE(w.read(40, 0));
}

TEST(Races, RelaxedReadThenAcquireOfTheSameLocation) {
  for (uint64_t acquired : {4, 8}) {
    World w;
    EXPECT_FALSE(w.write(0, 0));
    EXPECT_FALSE(w.on(0, 0, releaseWrite(Scope::Device), 4));
    EXPECT_FALSE(w.on(0, 40, relaxedRead(Scope::Device), 4));
    EXPECT_FALSE(w.on(0, 32, relaxedWrite(Scope::Device), 4));
    EXPECT_FALSE(w.on(0, 40, acquireRead(Scope::Device), acquired));
    EXPECT_EQ(w.read(40, 0), acquired != 4);
  }
}

TEST(Races, Cumulative) {
  // 0 -> 1 by a barrier, 1 -> block 1 by a flag, there on by another flag.
  World w(3, 64, true);
  EXPECT_FALSE(w.on(0, 0, weakWrite(), 0));
  w.barrier(0);
  EXPECT_FALSE(w.on(0, 33, releaseWrite(Scope::Device), 4));
  EXPECT_FALSE(w.on(1, 0, acquireRead(Scope::Device), 4));
  w.barrier(1);
  EXPECT_FALSE(w.on(1, 63, releaseWrite(Scope::Device), 8));
  EXPECT_FALSE(w.on(2, 5, acquireRead(Scope::Device), 8));
  EXPECT_FALSE(w.on(2, 5, weakWrite(), 0));
  EXPECT_TRUE(w.on(2, 6, weakRead(), 0));
}

TEST(Races, Lock) {
  for (bool correct : {true, false}) {
    World w(4, 64, true);
    bool raced = false;
    for (unsigned round = 0; round != 20; ++round)
      for (unsigned block = 0; block != 4; ++block) {
        AccessKind take = relaxedAtomic(Scope::Device);
        take.acquire = correct || round != 7;
        raced |= w.on(block, round, take, 512);
        raced |= w.on(block, round, weakRead(), 0, 8);
        raced |= w.on(block, round, weakWrite(), 0, 8);
        raced |= w.on(block, round, releaseWrite(Scope::Device), 512);
      }
    EXPECT_EQ(raced, !correct);
  }
}

/// The last of many blocks to count itself reads what all have written, and
/// resets the counter, which it has seen reach its end, with a plain store.
TEST(Races, LastBlockDone) {
  enum {
    Correct,
    NoFence,
    NoFenceAtTheEnd,
    NoBarrier,
    AtomicOfBlock,
    numCases
  };
  for (int which = 0; which != numCases; ++which) {
    constexpr unsigned blocks = 100;
    World w(blocks, 64, true);
    constexpr uint64_t counter = 1 << 20;
    bool early = false;
    for (unsigned block = 0; block != blocks; ++block) {
      for (unsigned warp = 0; warp != 2; ++warp)
        early |= w.warp(block, warp, weakWrite(), block * 256 + warp * 128, 4);
      if (which != NoBarrier)
        w.barrier(block);
      if (which != NoFence)
        w.fence(block, 0, Scope::Device);
      early |= w.on(
          block, 0,
          relaxedAtomic(which == AtomicOfBlock ? Scope::Block : Scope::Device),
          counter);
    }
    EXPECT_EQ(early, which == AtomicOfBlock);
    if (which != NoFenceAtTheEnd)
      w.fence(blocks - 1, 0, Scope::Device);
    w.barrier(blocks - 1);
    bool late = false;
    for (unsigned block = 0; block != blocks; ++block)
      for (unsigned warp = 0; warp != 2; ++warp)
        late |=
            w.warp(blocks - 1, warp, weakRead(), block * 256 + warp * 128, 4);
    EXPECT_EQ(late, which != Correct) << which;
    // With the wrong scope, what raced with the last atomic was reported there.
    EXPECT_FALSE(w.on(blocks - 1, 33, weakWrite(), counter)) << which;
  }
}

TEST(Races, OnlyWhoSawItMayReset) {
  World w(4, 64, true);
  for (unsigned block = 0; block != 3; ++block)
    EXPECT_FALSE(w.on(block, 0, relaxedAtomic(Scope::Device), 0));
  EXPECT_FALSE(w.on(3, 0, relaxedRead(Scope::Device), 0));
  EXPECT_TRUE(w.on(1, 0, weakWrite(), 0));
  World v(4, 64, true);
  for (unsigned block = 0; block != 3; ++block)
    EXPECT_FALSE(v.on(block, 0, relaxedAtomic(Scope::Device), 0));
  EXPECT_FALSE(v.on(3, 0, relaxedRead(Scope::Device), 0));
  v.barrier(3);
  EXPECT_FALSE(v.on(3, 40, weakWrite(), 0));
}

TEST(Races, DecoupledLookBack) {
  for (bool correct : {true, false}) {
    constexpr unsigned blocks = 60;
    World w(blocks, 64, true);
    bool raced = false;
    for (unsigned block = 0; block != blocks; ++block) {
      if (block) {
        raced |=
            w.on(block, 0, relaxedRead(Scope::System), 4096 + 4 * block - 4);
        w.fence(block, 0, Scope::Device);
        raced |= w.on(block, 0, weakRead(), 8 * block - 8, 8);
      }
      raced |= w.on(block, 0, weakWrite(), 8 * block, 8);
      if (correct || block != 30)
        w.fence(block, 0, Scope::Device);
      raced |= w.on(block, 0, relaxedWrite(Scope::System), 4096 + 4 * block);
      EXPECT_EQ(raced, !correct && block > 30);
    }
    // All that came before is known by way of each other.
    EXPECT_EQ(w.on(blocks - 1, 0, weakWrite(), 8 * 3, 8), false);
  }
}

//===----------------------------------------------------------------------===//
// Asynchronous copies
//===----------------------------------------------------------------------===//

TEST(Races, AsyncWrites) {
  World w;
  EXPECT_FALSE(w.warp(0, 1, weakRead(), 0, 16, 16));
  // Another warp may still read there.
  EXPECT_TRUE(w.memory.issueAsyncWrite(*w.clocks[0], 0, 3, 48, 16, 77, w.race));
  EXPECT_EQ(w.race.lane, 3u);
  EXPECT_EQ(w.race.address, 48u);
  EXPECT_EQ(w.race.otherThread, 35u);
  w.barrier();
  EXPECT_FALSE(
      w.memory.issueAsyncWrite(*w.clocks[0], 0, 4, 64, 16, 78, w.race));
  EXPECT_FALSE(w.memory.issueAsyncWrite(*w.clocks[0], 0, 5, 80, 8, 78, w.race));
  EXPECT_TRUE(w.memory.issueAsyncWrite(*w.clocks[0], 0, 6, 72, 4, 79, w.race));
  EXPECT_EQ(w.race.otherThread, 4u);
  EXPECT_EQ(w.race.otherInstruction, 78u);
  EXPECT_EQ(w.race.address, 72u);
  EXPECT_TRUE(w.race.otherWrites);
}

TEST(Races, AsyncWritesBelongToWhoWaits) {
  World w;
  auto copy = [&](unsigned lane, uint64_t address) {
    bool raced =
        w.memory.issueAsyncWrite(*w.clocks[0], 0, lane, address, 16, 5, w.race);
    w.memory.completeAsyncWrite(*w.clocks[0], 0, lane, address, 16, 5);
    return raced;
  };
  EXPECT_FALSE(copy(0, 0));
  EXPECT_FALSE(w.read(0, 12));
  EXPECT_TRUE(w.read(1, 12));
  EXPECT_EQ(w.race.otherInstruction, 5u);
  EXPECT_TRUE(w.read(32, 0));
  EXPECT_FALSE(copy(2, 64));
  w.barrier();
  EXPECT_FALSE(w.read(32, 64));
  EXPECT_TRUE(copy(2, 64));
  // Completed after a barrier that came between: not ordered by it.
  EXPECT_FALSE(
      w.memory.issueAsyncWrite(*w.clocks[0], 0, 7, 128, 16, 6, w.race));
  w.barrier();
  w.memory.completeAsyncWrite(*w.clocks[0], 0, 7, 128, 16, 6);
  EXPECT_TRUE(w.read(8, 128));
  // No longer pending.
  w.barrier();
  EXPECT_FALSE(
      w.memory.issueAsyncWrite(*w.clocks[0], 0, 9, 128, 16, 6, w.race));
}

TEST(Races, AsyncRing) {
  for (bool correct : {true, false}) {
    World w;
    bool raced = false;
    for (unsigned step = 0; step != 30; ++step) {
      uint64_t fill = step % 3 * 1024, use = (step + 1) % 3 * 1024;
      for (unsigned warp = 0; warp != 2; ++warp)
        for (unsigned lane = 0; lane != 32; ++lane)
          raced |= w.memory.issueAsyncWrite(*w.clocks[0], warp, lane,
                                            fill + warp * 512 + lane * 16, 16,
                                            9, w.race);
      if (step >= 2)
        for (unsigned warp = 0; warp != 2; ++warp)
          for (unsigned lane = 0; lane != 32; ++lane)
            w.memory.completeAsyncWrite(*w.clocks[0], warp, lane,
                                        use + warp * 512 + lane * 16, 16, 9);
      if (correct || step != 20)
        w.barrier();
      if (step >= 2)
        for (unsigned warp = 0; warp != 2; ++warp)
          raced |= w.warp(0, warp, weakRead(), use + 512 - warp * 512, 16, 16);
      if (correct || step != 20)
        w.barrier();
    }
    EXPECT_EQ(raced, !correct);
  }
}

//===----------------------------------------------------------------------===//
// Many host threads
//===----------------------------------------------------------------------===//

TEST(Races, HostThreadsShareGlobalMemory) {
  constexpr unsigned blocks = 64, hosts = 4;
  World w(blocks, 64, true);
  std::vector<std::thread> pool;
  std::vector<unsigned> raced(hosts);
  std::mutex order;
  for (unsigned host = 0; host != hosts; ++host)
    pool.emplace_back([&, host] {
      for (unsigned block = host; block < blocks; block += hosts) {
        RaceReport race;
        uint64_t own[32], same[32] = {};
        for (unsigned i = 0; i != 32; ++i)
          own[i] = (1 << 16) + block * 128 + 4 * i;
        for (unsigned round = 0; round != 50; ++round) {
          raced[host] += w.memory.access(*w.clocks[block], 0, allLanes, same, 4,
                                         weakRead(), 1, race);
          raced[host] += w.memory.access(*w.clocks[block], 0, allLanes, own, 4,
                                         weakWrite(), 2, race);
          uint64_t lock[32] = {1 << 20}, data[32] = {2 << 20};
          std::lock_guard<std::mutex> guard(order);
          raced[host] += w.memory.access(*w.clocks[block], 0, 1, lock, 4,
                                         acqRelAtomic(Scope::Device), 3, race);
          raced[host] += w.memory.access(*w.clocks[block], 0, 1, data, 4,
                                         weakWrite(), 4, race);
          raced[host] += w.memory.access(*w.clocks[block], 0, 1, lock, 4,
                                         releaseWrite(Scope::Device), 5, race);
        }
      }
    });
  for (std::thread &thread : pool)
    thread.join();
  for (unsigned count : raced)
    EXPECT_EQ(count, 0u);
  EXPECT_TRUE(w.on(0, 63, weakWrite(), 0));
  EXPECT_TRUE(w.on(0, 63, weakRead(), (1 << 16) + 5 * 128));
}

//===----------------------------------------------------------------------===//
// Random histories
//===----------------------------------------------------------------------===//

struct Who {
  unsigned block, thread;
  bool operator==(const Who &o) const {
    return block == o.block && thread == o.thread;
  }
};

/// What one thread does.
struct Event {
  enum { Memory, Fence, Arrive, Depart } type = Memory;
  Who who{};
  /// Place in the history, which lanes of one instruction share.
  unsigned step = 0;
  AccessKind kind;
  uint64_t address = 0;
  unsigned bytes = 0;
};

bool inScope(Scope a, const Who &x, Scope b, const Who &y) {
  return x.block == y.block || (a != Scope::Block && b != Scope::Block);
}

/// The definitions of the manual, by brute force.
class Reference {
public:
  /// Returns the events added.
  std::vector<unsigned> add(const std::vector<Event> &together) {
    std::vector<unsigned> result;
    for (const Event &event : together) {
      unsigned index = events.size();
      events.push_back(event);
      before.emplace_back(index + 1);
      observed.emplace_back();
      before[index][index] = true;
      for (unsigned i = index; i-- != 0;)
        if (events[i].who == event.who) {
          follow(i, index);
          break;
        }
      if (event.type == Event::Depart)
        for (unsigned i = 0; i != index; ++i)
          if (events[i].type == Event::Arrive && events[i].step == event.step)
            follow(i, index);
      if (event.type == Event::Memory && event.kind.strong && event.kind.reads)
        observe(index);
      synchronize(index);
      result.push_back(index);
    }
    return result;
  }

  /// The bytes of the event that race with an earlier one. The detector may be
  /// silent of those that are not `certain`: a strong access and one that
  /// follows the observation of a later strong write, which happened after it.
  std::vector<uint64_t> races(unsigned index, bool certain = false) const {
    std::vector<uint64_t> result;
    const Event &y = events[index];
    for (uint64_t at = y.address; at != y.address + y.bytes; ++at)
      for (unsigned i = 0; i != index; ++i)
        if (isRace(i, index, at) && !(certain && isSuperseded(i, index))) {
          result.push_back(at);
          break;
        }
    return result;
  }
  bool racesWith(unsigned index, const RaceReport &race) const {
    for (unsigned i = 0; i != index; ++i)
      if (events[i].who ==
              Who{unsigned(race.otherBlock), unsigned(race.otherThread)} &&
          events[i].kind.writes == race.otherWrites &&
          events[i].kind.strong == race.otherStrong &&
          events[i].step == race.otherInstruction &&
          isRace(i, index, race.address))
        return true;
    return false;
  }

private:
  bool isRace(unsigned i, unsigned j, uint64_t at) const {
    const Event &x = events[i], &y = events[j];
    if (x.type != Event::Memory || x.who == y.who || at < x.address ||
        at >= x.address + x.bytes || (!x.kind.writes && !y.kind.writes) ||
        morallyStrong(x, y))
      return false;
    return !causes(i, j);
  }
  static bool morallyStrong(const Event &x, const Event &y) {
    return x.who == y.who ||
           (x.kind.strong && y.kind.strong &&
            inScope(x.kind.scope, x.who, y.kind.scope, y.who));
  }
  void follow(unsigned earlier, unsigned later) {
    for (unsigned i = 0; i != before[earlier].size(); ++i)
      if (before[earlier][i])
        before[later][i] = true;
  }
  /// Causality order: base causality, or observation and then base causality.
  bool causes(unsigned i, unsigned j) const {
    if (before[j][i])
      return true;
    for (unsigned z = 0; z != j; ++z)
      if (before[j][z] && std::count(observed[z].begin(), observed[z].end(), i))
        return true;
    return false;
  }
  bool isSuperseded(unsigned i, unsigned j) const {
    if (causes(i, j))
      return true;
    const Event &x = events[i];
    for (unsigned k = i + 1; x.kind.strong && k < j; ++k) {
      const Event &y = events[k];
      if (y.type == Event::Memory && y.kind.strong && y.kind.writes &&
          y.address == x.address &&
          ((before[k][i] && x.who.block == y.who.block) ||
           (y.kind.atomic &&
            std::count(observed[k].begin(), observed[k].end(), i))) &&
          isSuperseded(k, j))
        return true;
    }
    return false;
  }
  void observe(unsigned index) {
    for (unsigned i = index; i-- != 0;) {
      const Event &w = events[i];
      if (w.type != Event::Memory || !w.kind.writes ||
          w.address != events[index].address)
        continue;
      if (!w.kind.strong ||
          !(w.who == events[index].who || morallyStrong(w, events[index])))
        return;
      observed[index].push_back(i);
      if (w.kind.atomic)
        observed[index].insert(observed[index].end(), observed[i].begin(),
                               observed[i].end());
      return;
    }
  }
  /// The first operations of the release patterns that end in write w.
  std::vector<unsigned> releasePatterns(unsigned w) const {
    std::vector<unsigned> result;
    for (unsigned i = 0; i <= w; ++i) {
      const Event &x = events[i];
      if (!(x.who == events[w].who) || !x.kind.release)
        continue;
      if (x.type == Event::Fence ||
          (x.type == Event::Memory && x.address == events[w].address))
        result.push_back(i);
    }
    return result;
  }
  /// The event may end acquire patterns.
  void synchronize(unsigned index) {
    const Event &y = events[index];
    if (!y.kind.acquire)
      return;
    for (unsigned r = 0; r <= index; ++r) {
      const Event &read = events[r];
      if (!(read.who == y.who) || read.type != Event::Memory ||
          !read.kind.strong || !read.kind.reads)
        continue;
      if (y.type == Event::Memory && read.address != y.address)
        continue;
      for (unsigned w : observed[r])
        for (unsigned x : releasePatterns(w))
          if (inScope(events[x].kind.scope, events[x].who, y.kind.scope, y.who))
            follow(x, index);
    }
  }

  std::vector<Event> events;
  /// Base causality order, reflexive.
  std::vector<std::vector<bool>> before;
  /// The writes that precede a read in observation order.
  std::vector<std::vector<unsigned>> observed;
};

struct Outcome {
  unsigned histories = 0, racy = 0, forgotten = 0, superseded = 0;
};

/// Runs a random history until the first race, which both have to find at the
/// same place.
void runHistory(unsigned seed, bool concurrent, bool mayMiss,
                Outcome &outcome) {
  std::mt19937 random(seed);
  auto pick = [&](unsigned n) { return unsigned(random() % n); };
  const unsigned blocks = 1 + pick(3), warps = 1 + pick(2), lanes = 1 + pick(3);
  const unsigned dataWords = 1 + pick(4), flags = 1 + pick(3);
  // Of ten, for how well the program keeps to the rules.
  const unsigned care = pick(16);
  World w(blocks, warps * 32, concurrent);
  Reference reference;
  Scope flagScope[4];
  for (Scope &scope : flagScope)
    scope = pick(6) ? Scope::Device : Scope::Block;
  auto careful = [&] { return pick(10) < care; };
  std::ostringstream text;
  ++outcome.histories;
  for (unsigned step = 1; step != 80; ++step) {
    w.instruction = step - 1;
    unsigned block = pick(blocks), warp = pick(warps), lane = pick(lanes);
    Who who{block, warp * 32 + lane};
    unsigned what = pick(100);
    if (what < 14) {
      // A barrier; some warps may only arrive, and some not at all.
      std::vector<uint32_t> waiting(warps), arriving(warps);
      bool partial = pick(3) == 0;
      for (unsigned i = 0; i != warps; ++i) {
        uint32_t mask = (1u << lanes) - 1;
        unsigned role = partial ? pick(4) : 0;
        if (partial && pick(2))
          mask &= pick(1u << lanes);
        (role == 3 ? arriving : waiting)[i] = mask;
      }
      bool isWarp = pick(3) == 0;
      if (isWarp)
        for (unsigned i = 0; i != warps; ++i) {
          arriving[i] = 0;
          waiting[i] = i == warp ? waiting[i] : 0;
        }
      std::vector<Event> all;
      for (int type : {Event::Arrive, Event::Depart})
        for (unsigned i = 0; i != warps; ++i)
          for (unsigned j = 0; j != lanes; ++j) {
            bool waits = waiting[i] >> j & 1, arrives = arriving[i] >> j & 1;
            if (!(waits || (arrives && type == Event::Arrive)))
              continue;
            Event event;
            event.type = decltype(event.type)(type);
            event.who = {block, i * 32 + j};
            event.step = step;
            all.push_back(event);
          }
      reference.add(all);
      if (isWarp)
        w.clocks[block]->warpBarrier(warp, waiting[warp]);
      else
        w.clocks[block]->barrier(waiting, arriving);
      text << step << ": barrier of block " << block << "\n";
      continue;
    }
    if (what < 30) {
      Event event;
      event.type = Event::Fence;
      event.who = who;
      event.step = step;
      event.kind.scope = pick(4) ? Scope::Device : Scope::Block;
      event.kind.acquire = pick(5);
      event.kind.release = !event.kind.acquire || pick(5);
      reference.add({event});
      w.fence(block, who.thread, event.kind.scope, event.kind.acquire,
              event.kind.release);
      text << step << ": fence by " << block << "." << who.thread << " scope "
           << int(event.kind.scope) << (event.kind.acquire ? " acquire" : "")
           << (event.kind.release ? " release" : "") << "\n";
      continue;
    }
    AccessKind kind;
    uint64_t address[32] = {};
    unsigned bytes = 4;
    uint32_t mask = 1u << lane;
    if (what < 65) {
      // A flag, mostly strong.
      unsigned flag = pick(flags);
      uint64_t at = 1024 + 4 * flag;
      if (!careful() && pick(8) == 0) {
        kind = pick(2) ? weakWrite() : weakRead();
      } else {
        kind.strong = true;
        kind.scope = flagScope[flag];
        unsigned form = pick(3);
        kind.reads = form != 0;
        kind.writes = form != 1;
        kind.atomic = form == 2;
        kind.acquire = kind.reads && pick(2);
        kind.release = kind.writes && pick(2);
        if (pick(5) == 0)
          mask = (1u << lanes) - 1;
      }
      for (uint64_t &a : address)
        a = at;
    } else {
      // Data. The careful access it only where that does not race, so that
      // histories get long.
      static const unsigned widths[] = {1, 2, 4, 4, 4, 8};
      bytes = widths[pick(6)];
      kind = pick(2) ? weakWrite() : weakRead();
      uint64_t at = pick(dataWords * 4) / bytes * bytes;
      for (unsigned i = 0; i != 32; ++i)
        address[i] = at;
      if (pick(4) == 0) {
        mask = (1u << lanes) - 1;
        for (unsigned i = 0; i != 32; ++i)
          address[i] = kind.writes || pick(2) ? at + i * bytes : at;
      }
    }
    std::vector<Event> together;
    for (unsigned i = 0; i != 32; ++i)
      if (mask >> i & 1) {
        Event event;
        event.who = {block, warp * 32 + i};
        event.step = step;
        event.kind = kind;
        event.address = address[i];
        event.bytes = bytes;
        together.push_back(event);
      }
    Reference saved = reference;
    std::vector<unsigned> added = reference.add(together);
    bool expected = false, certain = false;
    for (unsigned index : added) {
      expected |= !reference.races(index).empty();
      certain |= !reference.races(index, true).empty();
    }
    if (expected && careful()) {
      reference = saved;
      continue;
    }
    text << step << ": " << block << "." << warp * 32 << "+" << std::hex << mask
         << std::dec << (kind.strong ? " strong" : " weak")
         << (kind.reads ? " read" : "") << (kind.writes ? " write" : "")
         << (kind.acquire ? " acquire" : "") << (kind.release ? " release" : "")
         << " scope " << int(kind.scope) << " " << bytes << " at "
         << address[__builtin_ctz(mask)] << "\n";
    bool found = w.memory.access(*w.clocks[block], warp, mask, address, bytes,
                                 kind, step, w.race);
    if (expected && !found && (mayMiss || !certain)) {
      ++(certain ? outcome.forgotten : outcome.superseded);
      return;
    }
    ASSERT_EQ(found, expected) << "seed " << seed << "\n" << text.str();
    if (!found)
      continue;
    ++outcome.racy;
    // The lane and the byte have to be right too, and the other side.
    bool right = false;
    for (unsigned i = 0; i != added.size(); ++i) {
      if (together[i].who.thread % 32 != w.race.lane)
        continue;
      std::vector<uint64_t> bytesThatRace = reference.races(added[i]);
      right = std::count(bytesThatRace.begin(), bytesThatRace.end(),
                         w.race.address) &&
              reference.racesWith(added[i], w.race);
    }
    ASSERT_TRUE(right) << "seed " << seed << " lane " << w.race.lane << " at "
                       << w.race.address << " with " << w.race.otherBlock << "."
                       << w.race.otherThread << " at step "
                       << w.race.otherInstruction << "\n"
                       << text.str();
    return;
  }
}

TEST(Races, RandomHistories) {
  Outcome outcome;
  for (unsigned seed = 0; seed != 6000; ++seed) {
    runHistory(seed, false, false, outcome);
    if (HasFatalFailure())
      return;
  }
  // A test of histories that all race, or none, would say little.
  EXPECT_GT(outcome.racy, outcome.histories / 4);
  EXPECT_LT(outcome.racy, outcome.histories * 3 / 4);
  EXPECT_LT(outcome.superseded, outcome.histories / 100);
}

TEST(Races, RandomHistoriesOfGlobalMemory) {
  // Global memory forgets some accesses, but not often, and makes up no race.
  Outcome outcome;
  for (unsigned seed = 100000; seed != 102000; ++seed) {
    runHistory(seed, true, true, outcome);
    if (HasFatalFailure())
      return;
  }
  EXPECT_GT(outcome.racy, outcome.histories / 4);
  EXPECT_LT(outcome.forgotten, outcome.histories / 100);
}

} // namespace
