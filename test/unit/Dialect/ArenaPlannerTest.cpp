//===- ArenaPlannerTest.cpp - Offsets of buffers in one arena -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/Transforms/ArenaPlanner.h"
#include <gtest/gtest.h>
#include <random>

using namespace mlir::muon;

namespace {

/// Checks that a plan is one: aligned, inside, and without overlap of buffers
/// that live at the same time.
void expectValid(const std::vector<BufferInterval> &buffers,
                 const ArenaPlan &plan, int64_t alignment) {
  ASSERT_EQ(plan.offsets.size(), buffers.size());
  EXPECT_EQ(plan.size % alignment, 0);
  for (size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_GE(plan.offsets[i], 0);
    EXPECT_EQ(plan.offsets[i] % alignment, 0);
    EXPECT_LE(plan.offsets[i] + buffers[i].size, plan.size);
    for (size_t j = 0; j < i; ++j) {
      bool meet = buffers[i].first <= buffers[j].last &&
                  buffers[j].first <= buffers[i].last;
      bool overlap = plan.offsets[i] < plan.offsets[j] + buffers[j].size &&
                     plan.offsets[j] < plan.offsets[i] + buffers[i].size;
      EXPECT_FALSE(meet && overlap) << "buffers " << i << " and " << j;
    }
  }
}

/// Bytes in use at the busiest time: no plan is smaller.
int64_t peak(const std::vector<BufferInterval> &buffers) {
  int64_t most = 0;
  for (const BufferInterval &at : buffers) {
    int64_t sum = 0;
    for (const BufferInterval &buffer : buffers)
      if (buffer.first <= at.first && at.first <= buffer.last)
        sum += buffer.size;
    most = std::max(most, sum);
  }
  return most;
}

TEST(ArenaPlanner, NoBuffersNeedNoArena) {
  std::optional<ArenaPlan> plan = planArena({}, 64);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->size, 0);
}

TEST(ArenaPlanner, SizesAreRoundedUpToTheAlignment) {
  std::vector<BufferInterval> buffers = {{1, 0, 1}, {65, 1, 2}};
  std::optional<ArenaPlan> plan = planArena(buffers, 64);
  ASSERT_TRUE(plan);
  expectValid(buffers, *plan, 64);
  EXPECT_EQ(plan->size, 192);
}

TEST(ArenaPlanner, BuffersThatNeverMeetShareMemory) {
  std::vector<BufferInterval> buffers = {{640, 0, 1}, {640, 2, 3}, {640, 4, 5}};
  std::optional<ArenaPlan> plan = planArena(buffers, 64);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->size, 640);
}

TEST(ArenaPlanner, IntervalsIncludeBothEnds) {
  std::vector<BufferInterval> buffers = {{64, 0, 2}, {64, 2, 3}};
  std::optional<ArenaPlan> plan = planArena(buffers, 64);
  ASSERT_TRUE(plan);
  expectValid(buffers, *plan, 64);
  EXPECT_EQ(plan->size, 128);
}

TEST(ArenaPlanner, AGapBetweenPlacedBuffersIsUsed) {
  // Two large ones that meet leave nothing between them; a small one that meets
  // only the second goes below it, where the first was.
  std::vector<BufferInterval> buffers = {
      {1024, 0, 1}, {512, 1, 3}, {256, 2, 3}};
  std::optional<ArenaPlan> plan = planArena(buffers, 64);
  ASSERT_TRUE(plan);
  expectValid(buffers, *plan, 64);
  EXPECT_EQ(plan->size, 1536);
}

TEST(ArenaPlanner, TwoBuffersSufficeToAlternate) {
  // x0 → x1 → … as an unrolled iteration makes them.
  std::vector<BufferInterval> buffers;
  for (int64_t i = 0; i < 10; ++i)
    buffers.push_back({4096, i, i + 1});
  std::optional<ArenaPlan> plan = planArena(buffers, 64);
  ASSERT_TRUE(plan);
  expectValid(buffers, *plan, 64);
  EXPECT_EQ(plan->size, 2 * 4096);
}

TEST(ArenaPlanner, AnArenaBeyondItsLimitIsRefused) {
  int64_t huge = int64_t(1) << 61;
  EXPECT_TRUE(planArena({{huge, 0, 1}, {huge, 2, 3}}, 64));
  EXPECT_FALSE(planArena({{huge, 0, 1}, {huge, 1, 2}}, 64));
}

TEST(ArenaPlanner, RandomPlansAreValidAndNotFarFromThePeak) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<BufferInterval> buffers;
    for (int i = 0; i < 40; ++i) {
      int64_t first = random() % 30;
      buffers.push_back({64 * int64_t(1 + random() % 100), first,
                         first + int64_t(random() % 6)});
    }
    std::optional<ArenaPlan> plan = planArena(buffers, 64);
    ASSERT_TRUE(plan);
    expectValid(buffers, *plan, 64);
    EXPECT_LE(plan->size, peak(buffers) * 3 / 2);
  }
}

} // namespace
