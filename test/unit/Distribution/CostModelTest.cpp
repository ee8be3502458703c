//===- CostModelTest.cpp - What strategies cost, and where the choice flips -*-
// C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Groups.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir::muon::distribution;

namespace {

Cost price(const Topology &topology, const Group &group, Strategy strategy) {
  for (const Cost &cost : priceStrategies(topology, group))
    if (cost.strategy == strategy)
      return cost;
  ADD_FAILURE() << "no cost of " << stringify(strategy).str();
  return {};
}

Strategy choose(const Topology &topology, const Group &group) {
  return plan(topology, {group}).plans.front().strategy;
}

Topology makeLine(int64_t ranks, double latency, double bandwidth,
                  double flops) {
  Topology topology;
  topology.axes.push_back({"x", ranks, latency, bandwidth});
  topology.flops = flops;
  return topology;
}

TEST(CostModel, TimeIsRoundsAndBytes) {
  Topology topology = makeLine(4, 1, 100, 1000);
  // Two matrices of 16x8 for each rank; 512 bytes of each.
  Group group = makeMatrices("w", 8, {16, 8}, {}, {0});
  group.flops = 5000;
  Cost own = price(topology, group, Strategy::Own);
  // 3 rounds there and 3 back; 6 matrices go, 3 copies of 2 come, and back.
  EXPECT_EQ(own.bytesSent, 2 * 6 * 512);
  EXPECT_EQ(own.bytesReceived, 2 * 6 * 512);
  EXPECT_DOUBLE_EQ(own.communication, 6 + 2 * 6 * 512 / 100.0);
  EXPECT_DOUBLE_EQ(own.computation, 2 * 5000 / 1000.0);
  // State, and the summed gradients, of two.
  EXPECT_EQ(own.state, 2 * 512);
  EXPECT_EQ(own.memory, 2 * 512 + 2 * 512);
  Cost replicate = price(topology, group, Strategy::Replicate);
  EXPECT_EQ(replicate.bytesSent, 2 * 6 * 512);
  EXPECT_DOUBLE_EQ(replicate.communication, 6 + 2 * 6 * 512 / 100.0);
  EXPECT_DOUBLE_EQ(replicate.computation, 8 * 5000 / 1000.0);
  EXPECT_EQ(replicate.memory, 8 * 512 + 8 * 512);
}

TEST(CostModel, SlowestAxisCounts) {
  Topology topology = makeGrid("a=2,b=1,c=2");
  topology.axes[0].latency = 2;
  topology.axes[0].bandwidth = 1000;
  topology.axes[1].latency = 100; // Nobody is there.
  topology.axes[2].latency = 1;
  topology.axes[2].bandwidth = 10;
  Group group = makeElements("e", 1, {400}, {}, {0, 1, 2});
  group.gradientBytes = 0;
  Cost own = price(topology, group, Strategy::Own);
  EXPECT_DOUBLE_EQ(own.communication, 3 * 2 + 3 * 2 + 3 * 100 * 4 / 10.0);
}

/// What all-to-all moves there and back is 2/N of an all-gather.
TEST(CostModel, OwnMovesLessThanGather) {
  for (int64_t ranks : {2, 4, 8, 16}) {
    Topology topology = makeLine(ranks, 1e-9, 1, 1);
    Group group = makeMatrices("w", ranks, {32 * ranks, 64}, {{0}, {}});
    Cost own = price(topology, group, Strategy::Own);
    Cost gather = price(topology, group, Strategy::Gather);
    EXPECT_EQ(own.bytesSent, 2 * gather.bytesSent / ranks);
    EXPECT_EQ(gather.bytesSent, (ranks - 1) * ranks * 32 * 64 * 4);
  }
}

/// With X in 2 bytes, k triangles of m x m in f32 are less than an all-gather
/// if n > 2k(m + 1); in 4 bytes, if n > k(m + 1).
TEST(CostModel, GramBeatsGatherOnBytes) {
  for (double wireBytes : {2, 4})
    for (int64_t reductions : {1, 2, 5})
      for (int64_t ranks : {2, 8}) {
        // The triangle of 63 x 63 divides by 8.
        int64_t m = 63;
        int64_t crossing = reductions * (m + 1) * (wireBytes == 2 ? 2 : 1);
        for (int64_t n : {crossing - ranks, crossing, crossing + ranks}) {
          Topology topology = makeLine(ranks, 1e-9, 1, 1);
          Group group = makeMatrices("w", 3, {m, n}, {{}, {0}});
          group.wireBytes = wireBytes;
          allowGram(group, reductions);
          double gram =
              price(topology, group, Strategy::DistributedGram).bytesSent;
          double gather = price(topology, group, Strategy::Gather).bytesSent;
          if (n < crossing)
            EXPECT_GT(gram, gather);
          else if (n == crossing)
            EXPECT_EQ(gram, gather);
          else
            EXPECT_LT(gram, gather);
        }
      }
}

/// One matrix: nobody to divide the work with, so that either all gather it, or
/// its Gram matrices are summed.
TEST(CostModel, ChoiceFlipsWithShape) {
  Topology topology = makeLine(8, 1e-9, 1e9, 1e18);
  auto make = [](int64_t n) {
    Group group = makeMatrices("w", 1, {64, n}, {{}, {0}});
    allowGram(group, 2);
    return group;
  };
  // The owner's links carry 2·(7/8)·n·64 elements each way, gathering the half
  // of it, two Gram matrices 2·(7/8)·64·65.
  EXPECT_EQ(choose(topology, make(128 - 8)), Strategy::Gather);
  EXPECT_EQ(choose(topology, make(136)), Strategy::DistributedGram);
}

/// With few bytes rounds decide: an all-gather has one for each other rank,
/// all-to-all in and back two, r all-reduces 2r.
TEST(CostModel, LatencyDecidesOnSmallMatrices) {
  Group group = makeMatrices("w", 8, {64, 512}, {{}, {0}});
  allowGram(group, 2);
  group.flops = 1;
  EXPECT_EQ(choose(makeLine(8, 1, 1e12, 1e12), group), Strategy::Gather);
  EXPECT_EQ(choose(makeLine(8, 1e-12, 1e6, 1e12), group), Strategy::Own);
  // Where they meet: 7 rounds more cost what the bytes save.
  double gather = 7.0 * 8 * 64 * 64 * 4, own = 2 * 7.0 * 64 * 64 * 4;
  double latency = (gather - own) / 7;
  EXPECT_EQ(choose(makeLine(8, latency * 1.001, 1, 1e12), group),
            Strategy::Gather);
  EXPECT_EQ(choose(makeLine(8, latency * 0.999, 1, 1e12), group),
            Strategy::Own);
}

/// Gradients that are summed already: updating everywhere moves nothing.
TEST(CostModel, FlopsAgainstBytes) {
  Group group = makeMatrices("w", 4, {8, 8});
  group.flops = 1000;
  // Own saves 3000 FLOPs for 3 rounds and 3·256 bytes.
  auto time = [&](double latency) { return 3 * latency + 3 * 256 / 1000.0; };
  double latency = (3000 - 3 * 256 / 1000.0) / 3;
  EXPECT_DOUBLE_EQ(time(latency), 3000);
  EXPECT_EQ(choose(makeLine(4, latency * 1.001, 1000, 1), group),
            Strategy::Replicate);
  EXPECT_EQ(choose(makeLine(4, latency * 0.999, 1000, 1), group),
            Strategy::Own);
}

TEST(CostModel, TiesGoByOrder) {
  // Equal bytes, equal rounds, no FLOPs.
  Topology topology = makeLine(4, 1e-6, 1e9, 1e12);
  EXPECT_EQ(choose(topology, makeElements("e", 1, {4096}, {}, {0})),
            Strategy::Own);
}

TEST(CostModel, MemoryFlips) {
  Topology topology = makeLine(4, 1, 10000, 1e12);
  Group group = makeMatrices("w", 8, {16, 16}, {{0}, {}});
  EXPECT_EQ(choose(topology, group), Strategy::Gather);
  Cost own = price(topology, group, Strategy::Own);
  Cost gather = price(topology, group, Strategy::Gather);
  // 2 KiB of shards of all: weights, gradients.
  double fixed = 8 * 16 * 16 / 4 * (4 + 4);
  EXPECT_LT(own.memory, gather.memory);
  topology.memory = fixed + gather.memory;
  EXPECT_EQ(choose(topology, group), Strategy::Gather);
  topology.memory -= 1;
  EXPECT_EQ(choose(topology, group), Strategy::Own);
  Plan chosen = plan(topology, {group});
  EXPECT_NE(chosen.plans[0].reason.find("the memory decided against gather"),
            std::string::npos)
      << chosen.plans[0].reason;
  topology.memory = fixed + own.memory;
  EXPECT_EQ(choose(topology, group), Strategy::Own);
  topology.memory -= 1;
  EXPECT_NE(getMessage(makePlan(topology, {group})).find("no strategy fits"),
            std::string::npos);
}

/// The group that loses the least time for a byte gives way first.
TEST(CostModel, MemoryIsTakenWhereItIsCheap) {
  Topology topology = makeLine(4, 1, 1000, 1);
  Group cheap = makeMatrices("cheap", 4, {8, 8});
  Group dear = makeMatrices("dear", 4, {8, 8});
  cheap.flops = dear.flops = 0.1;
  dear.weightBytes = 400;
  Plan free = plan(topology, {cheap, dear});
  ASSERT_EQ(free.plans[0].strategy, Strategy::Replicate);
  ASSERT_EQ(free.plans[1].strategy, Strategy::Replicate);
  topology.memory = 4 * 64 * (404.0 + 8) + 2 * 1024 - 1;
  Plan tight = plan(topology, {dear, cheap});
  EXPECT_EQ(tight.plans[0].strategy, Strategy::Replicate);
  EXPECT_EQ(tight.plans[1].strategy, Strategy::Own);
}

TEST(CostModel, Local) {
  Group group = makeMatrices("w", 3, {4, 8, 8}, {{0}});
  group.pinned = Strategy::Own;
  Plan alone = plan(makeGrid("ep=4"), {group});
  EXPECT_EQ(alone.plans[0].strategy, Strategy::Local);
  EXPECT_EQ(alone.plans[0].reason, "no other rank has a part of it");
  EXPECT_FALSE(alone.plans[0].runnerUp);
  EXPECT_EQ(alone.getTotals(0).bytesSent, 0);
  EXPECT_EQ(alone.getTotals(3).flops, 3 * group.flops);
}

TEST(CostModel, Reasons) {
  Topology topology = makeLine(4, 1e-3, 1e6, 1e12);
  Group group = makeMatrices("w", 4, {64, 64}, {}, {0});
  group.flops = 1e9;
  EXPECT_EQ(plan(topology, {group}).plans[0].reason,
            "own: 105 ms; next replicate: 108 ms (as many bytes)");
  group.pinned = Strategy::Replicate;
  EXPECT_EQ(plan(topology, {group}).plans[0].reason,
            "replicate: pinned, 108 ms; next own: 105 ms (as many bytes)");
}

} // namespace
