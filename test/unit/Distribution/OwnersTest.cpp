//===- OwnersTest.cpp - Who gets which matrices and elements -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Groups.h"
#include "muon-mlir/Distribution/Report.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <random>

using namespace mlir::muon::distribution;

namespace {

Group makeWeighted(double flops, int64_t members) {
  Group group = makeMatrices("w", members, {8, 8}, {}, {0});
  group.flops = flops;
  group.pinned = Strategy::Own;
  return group;
}

/// The least possible load of the busiest rank.
double getBest(std::vector<double> items, size_t next,
               std::vector<double> &loads, double best) {
  if (next == items.size())
    return std::min(best, *std::max_element(loads.begin(), loads.end()));
  for (double &load : loads) {
    load += items[next];
    if (load < best)
      best = getBest(items, next + 1, loads, best);
    load -= items[next];
  }
  return best;
}

TEST(Owners, NearTheBest) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    int64_t ranks = 2 + random() % 3;
    Topology topology = makeGrid("dp=" + std::to_string(ranks));
    std::vector<Group> groups;
    std::vector<double> items;
    while (items.size() < 6) {
      int64_t members = 1 + random() % 3;
      double flops = 1 + random() % 20;
      groups.push_back(makeWeighted(flops, members));
      items.insert(items.end(), members, flops);
    }
    Plan step = plan(topology, groups);
    std::vector<double> loads(ranks);
    double best = getBest(items, 0, loads, 1e300);
    double found = getSpread(step.totals, &RankTotals::flops).max;
    EXPECT_GE(found, best);
    // Graham's bound for the longest first.
    EXPECT_LE(found, best * (4.0 / 3 - 1.0 / (3 * ranks)) + 1e-9);
  }
}

/// The definition of the assignment, matrix by matrix.
TEST(Owners, LongestFirst) {
  Topology topology = makeGrid("dp=3");
  std::vector<Group> groups = {makeWeighted(2, 4), makeWeighted(7, 2),
                               makeWeighted(2, 3), makeWeighted(5, 1)};
  std::vector<double> loads(3);
  std::vector<std::vector<int64_t>> counts(4, std::vector<int64_t>(3));
  for (size_t group : {1, 3, 0, 2})
    for (int64_t i = 0; i < groups[group].members; ++i) {
      size_t least =
          std::min_element(loads.begin(), loads.end()) - loads.begin();
      loads[least] += groups[group].flops;
      ++counts[group][least];
    }
  Plan step = plan(topology, groups);
  for (size_t group = 0; group < 4; ++group)
    for (int64_t rank = 0; rank < 3; ++rank)
      EXPECT_EQ(llvm::count(step.plans[group].replicaOwners, rank),
                counts[group][rank]);
}

TEST(Owners, PairsLevelBothPlaces) {
  Group group = makeMatrices("w", 6, {8, 8}, {{1}, {}});
  group.pinned = Strategy::Own;
  Plan step = plan(makeGrid("dp=2,tp=3"), {group});
  EXPECT_EQ(step.plans[0].replicaOwners,
            std::vector<int64_t>({0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(step.plans[0].shardOwners,
            std::vector<int64_t>({0, 1, 2, 0, 1, 2}));
}

/// Loads count across groups that are replicated along different axes.
TEST(Owners, LoadsAreOfRanks) {
  Group stack = makeMatrices("stack", 1, {3, 8, 8}, {{1}});
  Group whole = makeMatrices("whole", 2, {8, 8}, {}, {0});
  whole.pinned = stack.pinned = Strategy::Own;
  stack.flops = whole.flops = 10;
  Plan step = plan(makeGrid("dp=2,ep=2"), {stack, whole});
  // ep=0 has two matrices of the stack, ep=1 one: ranks 0, 2 and 1 have one
  // each, and rank 3 is the first that gets a whole one.
  EXPECT_EQ(step.plans[0].replicaOwners, std::vector<int64_t>({0, 1, 0}));
  EXPECT_EQ(llvm::ArrayRef(step.getReplicaOwners(0, 1)),
            llvm::ArrayRef<int64_t>({0}));
  EXPECT_EQ(llvm::ArrayRef(step.getReplicaOwners(0, 2)),
            llvm::ArrayRef<int64_t>({0, 1}));
  EXPECT_EQ(step.plans[1].replicaOwners, std::vector<int64_t>({0, 3}));
}

TEST(Owners, MatricesWithoutFlopsAreDividedToo) {
  Group group = makeWeighted(0, 8);
  Plan step = plan(makeGrid("dp=4"), {group});
  for (int64_t rank = 0; rank < 4; ++rank)
    EXPECT_EQ(step.getTotals(rank).state, 2 * 64 * 4);
}

/// The parts of a replica group cover every element once, in order, cut at
/// multiples of 64.
void checkParts(const Plan &step) {
  for (int64_t rank = 0; rank < step.topology.getRanks(); ++rank) {
    std::vector<Part> parts = step.getParts(rank);
    size_t next = 0;
    for (int64_t group = 0; group < int64_t(step.groups.size()); ++group) {
      const Group &elements = step.groups[group];
      if (!elements.isElementwise ||
          step.plans[group].strategy != Strategy::Own)
        continue;
      llvm::SmallVector<int64_t> offset, size;
      step.getShard(group, rank, offset, size);
      int64_t count = 1;
      for (int64_t dim : size)
        count *= dim;
      int64_t replicas =
          step.topology.getGroup(rank, step.getReplicaAxes(group)).size();
      for (int64_t member = 0; member < elements.members; ++member)
        for (int64_t begin = 0; begin < count; ++next) {
          ASSERT_LT(next, parts.size());
          EXPECT_EQ(parts[next].group, group);
          EXPECT_EQ(parts[next].member, member);
          EXPECT_EQ(parts[next].begin, begin);
          EXPECT_GT(parts[next].end, begin);
          EXPECT_TRUE(parts[next].end % 64 == 0 || parts[next].end == count);
          EXPECT_LT(parts[next].owner, replicas);
          begin = parts[next].end;
        }
    }
    EXPECT_EQ(next, parts.size());
  }
}

TEST(Parts, Cover) {
  std::mt19937 random(5);
  for (llvm::StringRef grid : {"a=2", "a=7", "a=2,b=3", "a=2,b=2,c=2"})
    for (int round = 0; round < 30; ++round) {
      Topology topology = makeGrid(grid);
      std::vector<Group> groups;
      for (int i = 0; i < 5; ++i) {
        int64_t size = int64_t(1) << (random() % 12);
        Group group =
            makeElements("e", 1 + random() % 4, {size + int64_t(random() % 3)});
        group.stateBytes = random() % 3 * 4;
        group.pinned = Strategy::Own;
        if (random() % 2)
          group.splitAxes[0] = {int64_t(random() % topology.axes.size())};
        groups.push_back(group);
      }
      groups.push_back(makeMatrices("w", 3, {16, 16}));
      checkParts(plan(topology, groups));
    }
}

TEST(Parts, Level) {
  Topology topology = makeGrid("dp=4");
  // 5 matrices of 4 KiB of state; 8 bytes for each of 5120 elements.
  Group matrices = makeMatrices("w", 5, {32, 32}, {}, {0});
  matrices.pinned = Strategy::Own;
  Plan step = plan(topology, {makeElements("a", 2, {2048}, {}, {0}), matrices,
                              makeElements("b", 1, {1024}, {}, {0})});
  checkParts(step);
  double mean = (5 * 4096 + 5120 * 8) / 4.0;
  for (int64_t rank = 0; rank < 4; ++rank)
    EXPECT_NEAR(step.getTotals(rank).state, mean, 0.015 * mean + 64 * 8);
}

/// A rank that has more than the level gets nothing.
TEST(Parts, FullRanksGetNone) {
  Topology topology = makeGrid("dp=3");
  Group matrices = makeMatrices("w", 1, {64, 64}, {}, {0});
  matrices.pinned = Strategy::Own;
  Plan step = plan(topology, {matrices, makeElements("e", 1, {256}, {}, {0})});
  checkParts(step);
  std::vector<Part> parts = step.getParts(0);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].owner, 1);
  EXPECT_EQ(parts[0].end, 128);
  EXPECT_EQ(parts[1].owner, 2);
}

TEST(Parts, ReplicatedGroupsAreNotListed) {
  Group group = makeElements("e", 1, {256}, {}, {0});
  group.pinned = Strategy::Replicate;
  EXPECT_TRUE(plan(makeGrid("dp=2"), {group}).getParts(1).empty());
  EXPECT_TRUE(plan(makeGrid("dp=2"), {makeElements("e", 1, {256}, {{0}})})
                  .getParts(1)
                  .empty());
}

TEST(Shards, Uneven) {
  Topology topology = makeGrid("a=2,b=3");
  // 7 rows over 6 ranks, b outermost; 2 columns whole.
  Plan step = plan(topology, {makeMatrices("w", 1, {7, 2}, {{1, 0}, {}})});
  int64_t begin = 0;
  for (int64_t b = 0; b < 3; ++b)
    for (int64_t a = 0; a < 2; ++a) {
      llvm::SmallVector<int64_t> offset, size;
      step.getShard(0, topology.getRank({a, b}), offset, size);
      EXPECT_EQ(offset, Axes({begin, 0}));
      EXPECT_EQ(size, Axes({begin == 0 ? 2 : 1, 2}));
      begin += size[0];
    }
  EXPECT_EQ(begin, 7);
  // More ranks than rows: the last have none.
  step = plan(topology, {makeMatrices("w", 1, {4, 2}, {{0, 1}, {}})});
  llvm::SmallVector<int64_t> offset, size;
  step.getShard(0, 5, offset, size);
  EXPECT_EQ(offset, Axes({4, 0}));
  EXPECT_EQ(size, Axes({0, 2}));
  EXPECT_EQ(step.getMatrixAxes(0), Axes({0, 1}));
  EXPECT_EQ(step.getReplicaAxes(0), Axes());
}

TEST(Lines, SayWhatDiffers) {
  Group first = makeMatrices("w", 3, {8, 8}, {}, {0});
  first.pinned = Strategy::Own;
  Group second = makeMatrices("split\n", 2, {8, 4}, {{1}, {}});
  second.pinned = Strategy::Own;
  Group last = makeElements("e", 1, {128}, {}, {0, 1});
  last.pinned = Strategy::Own;
  Plan step = plan(makeGrid("dp=2,tp=1"), {first, second, last});
  EXPECT_EQ(step.getLines(),
            std::vector<std::string>(
                {"grid dp=2 tp=1", "w: 3 of 8x8, unreduced dp, own by 0*2 1*1",
                 "split\\x0A: 2 of 8x4, split [tp] [], own by 1*2",
                 "e: 1 of 128, unreduced dp+tp, own by 0*0[0:64] 1*0[64:128] "
                 "|"}));
  // Long lists are hashes, and differ with the lists.
  first.members = 1000;
  std::string line = plan(makeGrid("dp=100"), {first}).getLines()[1];
  first.members = 1001;
  std::string other = plan(makeGrid("dp=100"), {first}).getLines()[1];
  EXPECT_EQ(line.find('#') + 17, line.size());
  EXPECT_EQ(other.find('#') + 17, other.size());
  EXPECT_NE(line.substr(line.find('#')), other.substr(other.find('#')));
}

} // namespace
