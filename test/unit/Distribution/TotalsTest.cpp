//===- TotalsTest.cpp - Counts of a plan against messages one by one -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Groups.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include <random>

using namespace mlir::muon::distribution;
using llvm::ArrayRef;

namespace {

/// Counts every message between two ranks that a step needs, from what owners
/// are, and every rank's work. Knows nothing of how a plan is made.
class Messages {
public:
  explicit Messages(const Plan &plan)
      : plan(plan), topology(plan.topology), ranks(topology.getRanks()),
        totals(ranks) {
    for (size_t group = 0; group < plan.groups.size(); ++group)
      if (plan.groups[group].isElementwise)
        countElements(group);
      else
        countMatrices(group);
  }

  const Plan &plan;
  const Topology &topology;
  int64_t ranks;
  std::vector<RankTotals> totals;

private:
  void move(int64_t from, int64_t to, double bytes) {
    totals[from].bytesSent += bytes;
    totals[to].bytesReceived += bytes;
  }

  /// Elements dealt one by one to `count` places.
  static int64_t deal(int64_t size, int64_t count, int64_t place) {
    std::vector<int64_t> dealt(count);
    for (int64_t i = 0; i < size; ++i)
      ++dealt[i % count];
    return dealt[place];
  }
  int64_t getLocal(const Group &group, size_t dim, int64_t rank) {
    int64_t count = 1, place = 0;
    for (int64_t axis : group.splitAxes[dim]) {
      count *= topology.axes[axis].size;
      place = place * topology.axes[axis].size +
              topology.getCoordinates(rank)[axis];
    }
    return deal(group.shape[dim], count, place);
  }
  int64_t getLocal(const Group &group, size_t begin, size_t end, int64_t rank) {
    int64_t size = 1;
    for (size_t dim = begin; dim < end; ++dim)
      size *= getLocal(group, dim, rank);
    return size;
  }
  bool isSplitBy(const Group &group, size_t begin, int64_t axis) {
    for (size_t dim = begin; dim < group.shape.size(); ++dim)
      if (llvm::is_contained(group.splitAxes[dim], axis))
        return true;
    return false;
  }
  /// Whether two ranks differ, and along `axes` alone.
  bool differ(int64_t a, int64_t b, ArrayRef<int64_t> axes) {
    for (size_t axis = 0; axis < topology.axes.size(); ++axis)
      if (!llvm::is_contained(axes, axis) &&
          topology.getCoordinates(a)[axis] != topology.getCoordinates(b)[axis])
        return false;
    return a != b;
  }
  /// Groups of collectives are in the order of ranks.
  int64_t getPlace(int64_t rank, Axes axes) {
    llvm::sort(axes);
    std::vector<int64_t> group = topology.getGroup(rank, axes);
    return llvm::find(group, rank) - group.begin();
  }
  void countElements(size_t index) {
    const Group &group = plan.groups[index];
    Strategy strategy = plan.plans[index].strategy;
    Axes replicas;
    for (size_t axis = 0; axis < topology.axes.size(); ++axis)
      if (!isSplitBy(group, 0, axis))
        replicas.push_back(axis);
    for (int64_t a = 0; a < ranks; ++a) {
      double local = getLocal(group, 0, group.shape.size(), a);
      if (strategy != Strategy::Own) {
        totals[a].state += group.members * local * group.stateBytes;
        totals[a].stateElements += group.members * local * 2;
      }
      if (strategy == Strategy::Replicate)
        for (int64_t b = 0; b < ranks; ++b)
          if (differ(a, b, group.unreducedAxes)) {
            int64_t count = topology.getGroup(a, group.unreducedAxes).size();
            for (int64_t rank : {a, b})
              move(a, b,
                   group.members *
                       deal(local, count, getPlace(rank, group.unreducedAxes)) *
                       group.gradientBytes);
          }
      if (strategy != Strategy::Own)
        continue;
      for (const Part &part : plan.getParts(a)) {
        if (part.group != int64_t(index) || part.owner != getPlace(a, replicas))
          continue;
        double elements = part.end - part.begin;
        totals[a].state += elements * group.stateBytes;
        totals[a].stateElements += elements * 2;
        for (int64_t b = 0; b < ranks; ++b) {
          if (differ(a, b, group.unreducedAxes))
            move(b, a, elements * group.gradientBytes);
          if (differ(a, b, replicas))
            move(a, b, elements * group.weightBytes);
        }
      }
    }
  }

  void countMatrices(size_t index) {
    const Group &group = plan.groups[index];
    const GroupPlan &chosen = plan.plans[index];
    size_t last = group.shape.size(), first = last - 2;
    Axes replicas, sides;
    for (size_t axis = 0; axis < topology.axes.size(); ++axis)
      if (isSplitBy(group, first, axis))
        sides.push_back(axis);
      else if (!isSplitBy(group, 0, axis))
        replicas.push_back(axis);
    double whole = double(group.shape[first]) * group.shape[first + 1];
    bool isReplicate = chosen.strategy == Strategy::Replicate;

    for (int64_t a = 0; a < ranks; ++a) {
      int64_t perMember = getLocal(group, 0, first, a);
      int64_t count = group.members * perMember;
      double elements = getLocal(group, first, last, a);
      ArrayRef<int64_t> owners = plan.getReplicaOwners(index, a);
      ArrayRef<int64_t> workers = plan.getShardOwners(index, a);
      EXPECT_TRUE(owners.empty() || int64_t(owners.size()) == count);
      EXPECT_TRUE(workers.empty() || int64_t(workers.size()) == count);
      EXPECT_TRUE(llvm::is_sorted(owners));
      for (int64_t i = 0; i + 1 < int64_t(workers.size()); ++i)
        EXPECT_TRUE(workers[i] <= workers[i + 1] || owners[i] < owners[i + 1]);
      for (int64_t i = 0; i < count; ++i) {
        bool keeps = owners.empty() || owners[i] == getPlace(a, replicas);
        if (!keeps)
          continue;
        totals[a].state += elements * group.stateBytes;
        totals[a].stateElements += elements;
        if (chosen.strategy == Strategy::DistributedGram)
          totals[a].flops += group.gramSharedFlops * elements / whole +
                             group.gramRepeatedFlops;
        else if (workers.empty() || workers[i] == getPlace(a, sides))
          totals[a].flops += group.flops;
        for (int64_t b = 0; b < ranks; ++b) {
          if (!isReplicate && chosen.strategy != Strategy::Local) {
            if (differ(a, b, group.unreducedAxes))
              move(b, a, elements * group.gradientBytes);
            if (differ(a, b, replicas))
              move(a, b, elements * group.weightBytes);
          }
          if (!differ(a, b, sides))
            continue;
          if (isReplicate || chosen.strategy == Strategy::Gather)
            move(a, b, elements * group.wireBytes);
          if (!workers.empty() && workers[i] == getPlace(b, sides)) {
            move(a, b, elements * group.wireBytes);
            move(b, a, elements * group.wireBytes);
          }
          if (chosen.strategy == Strategy::DistributedGram) {
            int64_t side = group.gramSize, members = 1;
            for (int64_t axis : sides)
              members *= topology.axes[axis].size;
            for (int64_t rank : {a, b})
              move(a, b,
                   4.0 * group.gramReductions *
                       deal(side * (side + 1) / 2, members,
                            getPlace(rank, sides)));
          }
        }
      }
      if (isReplicate)
        for (int64_t b = 0; b < ranks; ++b)
          if (differ(a, b, group.unreducedAxes)) {
            int64_t members = topology.getGroup(a, group.unreducedAxes).size();
            for (int64_t rank : {a, b})
              move(a, b,
                   group.members *
                       deal(perMember * elements, members,
                            getPlace(rank, group.unreducedAxes)) *
                       group.gradientBytes);
          }
    }
  }
};

/// All axes in random order, each on a dimension, unreduced, or on neither.
void placeRandomly(Group &group, size_t axes, std::mt19937 &random) {
  Axes order = llvm::to_vector(llvm::seq<int64_t>(0, axes));
  std::shuffle(order.begin(), order.end(), random);
  group.splitAxes.assign(group.shape.size(), {});
  group.unreducedAxes.clear();
  for (int64_t axis : order) {
    size_t where = random() % (group.shape.size() + 2);
    if (where < group.shape.size())
      group.splitAxes[where].push_back(axis);
    else if (where == group.shape.size())
      group.unreducedAxes.push_back(axis);
  }
}

bool accepts(const Topology &topology, const Group &group) {
  llvm::Expected<Plan> result = makePlan(topology, {group});
  if (result)
    return true;
  llvm::consumeError(result.takeError());
  return false;
}

TEST(Totals, EqualMessages) {
  std::mt19937 random(7);
  auto pick = [&](auto... values) {
    int64_t list[] = {values...};
    return list[random() % sizeof...(values)];
  };
  int strategies[5] = {};
  for (llvm::StringRef grid : {"a=1", "a=2", "a=3", "a=8", "a=2,b=2", "a=3,b=2",
                               "a=2,b=2,c=2", "a=4,b=1,c=2", "a=2,b=3,c=2"})
    for (int round = 0; round < 40; ++round) {
      SCOPED_TRACE(grid.str() + ", round " + std::to_string(round));
      Topology topology = makeGrid(grid);
      std::vector<Group> groups;
      for (int i = 0; i < 6; ++i) {
        Group group;
        if (i < 2) {
          group = makeElements("e", pick(1, 2, 5), {pick(1, 7, 64, 130, 1000)});
        } else {
          llvm::SmallVector<int64_t> shape;
          if (pick(0, 1))
            shape.push_back(pick(0, 1, 3, 5));
          shape.push_back(pick(1, 2, 5, 9));
          shape.push_back(pick(1, 3, 4, 17));
          group = makeMatrices("m", pick(1, 2, 3, 7), shape);
        }
        group.weightBytes = pick(2, 4);
        group.gradientBytes = pick(2, 4);
        group.wireBytes = pick(2, 4);
        placeRandomly(group, topology.axes.size(), random);
        if (!group.isElementwise)
          allowGram(group, pick(1, 3));
        if (pick(0, 1, 1))
          group.pinned = Strategy(random() % 5);
        if (!accepts(topology, group))
          group.pinned.reset();
        groups.push_back(group);
      }
      Plan step = plan(topology, groups);
      for (const GroupPlan &group : step.plans)
        ++strategies[int(group.strategy)];
      Messages messages(step);
      for (int64_t rank = 0; rank < topology.getRanks(); ++rank) {
        RankTotals found = step.getTotals(rank);
        const RankTotals &expected = messages.totals[rank];
        EXPECT_EQ(found.bytesSent, expected.bytesSent);
        EXPECT_EQ(found.bytesReceived, expected.bytesReceived);
        EXPECT_EQ(found.state, expected.state);
        EXPECT_EQ(found.stateElements, expected.stateElements);
        EXPECT_NEAR(found.flops, expected.flops, 1e-9 * expected.flops);
      }
    }
  for (int count : strategies)
    EXPECT_GT(count, 50);
}

} // namespace
