//===- ModelsTest.cpp - Plans of published models -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "Groups.h"
#include "muon-mlir/Distribution/Report.h"
#include <cstdio>

using namespace mlir::muon::distribution;

namespace {

double getElements(const Group &group) {
  double elements = group.members;
  for (int64_t size : group.shape)
    elements *= size;
  return elements;
}

class Llama : public testing::TestWithParam<std::pair<int64_t, bool>> {};

TEST_P(Llama, DataParallel) {
  auto [ranks, isGram] = GetParam();
  std::vector<Group> groups = makeModel("llama2-7b", isGram, {0});
  ASSERT_EQ(groups.size(), 5u);
  double flops = 0, state = 0, elements = 0;
  for (const Group &group : groups) {
    elements += getElements(group);
    state += getElements(group) * group.stateBytes;
    if (!group.isElementwise)
      flops += group.members * group.flops;
  }
  EXPECT_EQ(elements, 6738415616);
  double m = 4096, n = 11008;
  EXPECT_EQ(flops,
            isGram
                ? 128 * 20 * m * m * m + 96 * (6 * m * m * n + 14 * m * m * m)
                : 128 * 20 * m * m * m + 96 * (15 * m * m * n + 5 * m * m * m));

  Plan step = plan(makeGrid("dp=" + std::to_string(ranks)), groups);
  for (const GroupPlan &group : step.plans)
    EXPECT_EQ(group.strategy, Strategy::Own) << group.reason;
  double busiest = getSpread(step.totals, &RankTotals::flops).max;
  double fullest = getSpread(step.totals, &RankTotals::state).max;
  Spread sent = getSpread(step.totals, &RankTotals::bytesSent);
  Spread received = getSpread(step.totals, &RankTotals::bytesReceived);
  // A reduce-scatter and an all-gather of everything, in two bytes.
  double bound = 2 * 2 * elements * (ranks - 1) / ranks;
  std::printf("Llama-2 7B, %d ranks, %s: FLOPs %.4f, state %.4f, bytes mean "
              "%.6f, most sent %.4f, most received %.4f\n",
              int(ranks), isGram ? "Gram" : "direct", busiest / (flops / ranks),
              fullest / (state / ranks), sent.mean / bound, sent.max / bound,
              received.max / bound);
  EXPECT_LE(busiest, (ranks == 8 ? 1.01 : 1.06) * flops / ranks);
  EXPECT_LE(fullest, 1.02 * state / ranks);
  EXPECT_LE(sent.max, 1.01 * bound);
  EXPECT_LE(received.max, 1.01 * bound);
  EXPECT_DOUBLE_EQ(sent.mean, bound);
}

TEST_P(Llama, FullySharded) {
  auto [ranks, isGram] = GetParam();
  std::vector<Group> groups;
  double elements = 0;
  for (Group group : makeModel("llama2-7b", isGram, {})) {
    if (group.isElementwise)
      continue;
    group.splitAxes[0] = {0};
    elements += getElements(group);
    groups.push_back(group);
  }
  Plan step = plan(makeGrid("fsdp=" + std::to_string(ranks)), groups);
  for (const GroupPlan &group : step.plans)
    EXPECT_EQ(group.strategy, Strategy::Own) << group.reason;
  Spread sent = getSpread(step.totals, &RankTotals::bytesSent);
  double bound = 2 * 2 * elements * (ranks - 1) / ranks / ranks;
  std::printf("Llama-2 7B, %d slices, %s: exchange mean %.6f, most %.4f\n",
              int(ranks), isGram ? "Gram" : "direct", sent.mean / bound,
              sent.max / bound);
  EXPECT_LE(sent.mean, 1.01 * bound);
  // Owners have whole matrices: 3.5 each do not divide evenly over 64.
  EXPECT_LE(sent.max, (ranks == 8 ? 1.01 : 1.03) * bound);
}

INSTANTIATE_TEST_SUITE_P(Ranks, Llama,
                         testing::Values(std::pair(8, true),
                                         std::pair(8, false),
                                         std::pair(64, true),
                                         std::pair(64, false)));

/// Every rank that plans comes to the same; so does a second call.
TEST(Models, PlansAreEqual) {
  std::vector<Group> groups = makeModel("moonlight-16b-a3b", true, {0, 1}, {1});
  Topology topology = makeGrid("dp=8,ep=4");
  Plan first = plan(topology, groups), second = plan(topology, groups);
  EXPECT_EQ(first.getLines(), second.getLines());
  for (int64_t rank = 0; rank < topology.getRanks(); ++rank) {
    std::vector<Part> a = first.getParts(rank), b = second.getParts(rank);
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i)
      EXPECT_TRUE(a[i].group == b[i].group && a[i].member == b[i].member &&
                  a[i].begin == b[i].begin && a[i].end == b[i].end &&
                  a[i].owner == b[i].owner);
    EXPECT_EQ(first.getTotals(rank).bytesSent,
              second.getTotals(rank).bytesSent);
  }
}

TEST(Models, KimiOn2048Ranks) {
  std::vector<Group> groups = makeModel("kimi-k2-1t", true, {0, 1}, {1});
  Plan step = plan(makeGrid("dp=32,ep=64"), groups);
  double matrices = 0, flops = 0;
  for (const Group &group : step.groups)
    if (!group.isElementwise) {
      double count =
          group.members * (group.shape.size() == 3 ? group.shape[0] : 1);
      matrices += count;
      flops += count * group.flops;
    }
  EXPECT_GT(matrices, 69000);
  Spread spread = getSpread(step.totals, &RankTotals::flops);
  double sum = 0;
  for (const RankTotals &rank : step.totals)
    sum += rank.flops;
  EXPECT_GE(sum, flops * (1 - 1e-12));
  std::printf("Kimi K2 on 2,048 ranks: FLOPs %.4f of the mean\n",
              spread.getImbalance());
  EXPECT_LE(spread.getImbalance(), 1.1);
}

} // namespace
