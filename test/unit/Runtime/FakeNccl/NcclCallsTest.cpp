//===- NcclCallsTest.cpp - Tests of collectives as calls of NCCL ----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NcclCalls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace muon;
using namespace muon::nccl;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

/// Operands that list segments in one buffer, or behind a table.
Collective::Operand operand(std::vector<int32_t> segments, bool isTable) {
  return {isTable, std::move(segments)};
}

/// As `place` of two sees it: segments of the given elements, by turns of the
/// two places, or first those of place 0.
Collective scatter(int32_t place, std::vector<Collective::Segment> segments,
                   bool isTable = false) {
  Collective collective;
  collective.kind = Collective::ReduceScatter;
  collective.name = "gradients";
  collective.group = {0, 1};
  collective.place = place;
  collective.segments = std::move(segments);
  std::vector<int32_t> all, own;
  for (size_t i = 0; i < collective.segments.size(); ++i) {
    all.push_back(int32_t(i));
    if (collective.segments[i].to == place)
      own.push_back(int32_t(i));
  }
  collective.send = {operand(all, isTable)};
  collective.receive = {operand(own, false)};
  return collective;
}

/// Which segment an address stands for, and -1 for none.
int at(const void *address) {
  return int(reinterpret_cast<intptr_t>(address)) - 1;
}

/// "kind count place send receive" of each call, addresses as segments.
std::vector<std::string> textOf(const Collective &collective, bool isOneCall,
                                const std::vector<bool> &sends,
                                const std::vector<bool> &receives) {
  CollectiveBuffers buffers;
  for (size_t i = 0; i < collective.segments.size(); ++i) {
    auto *address = reinterpret_cast<void *>(i + 1);
    buffers.send.push_back(sends[i] ? address : nullptr);
    buffers.receive.push_back(receives[i] ? address : nullptr);
  }
  static const char *const names[] = {
      "all_reduce", "reduce_scatter", "all_gather", "reduce",
      "broadcast",  "send",           "receive"};
  std::vector<std::string> lines;
  for (const Call &call : callsOf(collective, buffers, isOneCall))
    lines.push_back(
        std::string(names[call.kind]) + " " + std::to_string(call.count) + " " +
        std::to_string(call.place) + " " + std::to_string(at(call.send)) + " " +
        std::to_string(at(call.receive)));
  return lines;
}

} // namespace

TEST(NcclCallsTest, EvenReduceScatterIsOneCall) {
  const Collective even =
      scatter(1, {{2, -1, 0}, {3, -1, 0}, {0, -1, 1}, {5, -1, 1}});
  EXPECT_TRUE(canBeOneCall(even));
  EXPECT_THAT(
      textOf(even, true, {true, true, true, true}, {false, false, false, true}),
      ElementsAre("reduce_scatter 5 0 0 3"));
  // What another rank cannot do, nobody does.
  EXPECT_THAT(
      textOf(even, false, {true, true, true, true},
             {false, false, false, true}),
      ElementsAre("reduce 2 0 0 -1", "reduce 3 0 1 -1", "reduce 5 1 3 3"));
}

TEST(NcclCallsTest, OtherReduceScatterIsNot) {
  EXPECT_FALSE(canBeOneCall(scatter(0, {{4, -1, 0}, {5, -1, 1}})));
  EXPECT_FALSE(canBeOneCall(scatter(0, {{4, -1, 1}, {4, -1, 0}})));
  EXPECT_FALSE(canBeOneCall(scatter(0, {{4, -1, 0}, {4, -1, 1}}, true)));
  EXPECT_FALSE(canBeOneCall(scatter(1, {{4, -1, 0}})));
  Collective two = scatter(0, {{4, -1, 0}, {4, -1, 1}});
  EXPECT_TRUE(canBeOneCall(two));
  two.send = {operand({0}, false), operand({1}, false)};
  EXPECT_FALSE(canBeOneCall(two));
}

TEST(NcclCallsTest, AllGather) {
  Collective gather;
  gather.kind = Collective::AllGather;
  gather.group = {3, 5};
  gather.place = 0;
  gather.segments = {{4, 0, -1}, {4, 1, -1}, {0, 1, -1}};
  gather.send = {operand({0}, false)};
  gather.receive = {operand({1, 2}, false)};
  // Where its own part goes too is what one call needs.
  EXPECT_FALSE(canBeOneCall(gather));
  EXPECT_THAT(textOf(gather, false, {true, false, false}, {false, true, true}),
              ElementsAre("broadcast 4 0 0 0", "broadcast 4 1 1 1"));
  gather.receive = {operand({0, 1, 2}, false)};
  EXPECT_TRUE(canBeOneCall(gather));
  EXPECT_THAT(textOf(gather, true, {true, false, false}, {true, true, true}),
              ElementsAre("all_gather 4 0 0 0"));
}

TEST(NcclCallsTest, AllReduce) {
  Collective sum;
  sum.group = {0, 1};
  sum.segments = {{4, -1, -1}, {0, -1, -1}, {3, -1, -1}};
  sum.send = sum.receive = {operand({0, 1, 2}, false)};
  EXPECT_TRUE(canBeOneCall(sum));
  const std::vector<bool> all = {true, true, true};
  EXPECT_THAT(textOf(sum, true, all, all), ElementsAre("all_reduce 7 0 0 0"));
  EXPECT_THAT(textOf(sum, false, all, all),
              ElementsAre("all_reduce 4 0 0 0", "all_reduce 3 0 2 2"));
  sum.receive = {operand({0, 1, 2}, true)};
  EXPECT_FALSE(canBeOneCall(sum));
  for (Collective::Segment &segment : sum.segments)
    segment.elements = 0;
  EXPECT_THAT(textOf(sum, true, all, all), IsEmpty());
  EXPECT_THAT(textOf(sum, false, all, all), IsEmpty());
}

TEST(NcclCallsTest, AllToAllIsMessages) {
  Collective exchange;
  exchange.kind = Collective::AllToAll;
  exchange.group = {0, 1, 2};
  exchange.place = 1;
  exchange.segments = {{2, 0, 1}, {3, 1, 0}, {0, 1, 2},
                       {4, 1, 1}, {5, 0, 2}, {6, 2, 1}};
  EXPECT_FALSE(canBeOneCall(exchange));
  EXPECT_THAT(textOf(exchange, false, {false, true, true, false, false, false},
                     {true, false, false, true, false, true}),
              ElementsAre("receive 2 0 -1 0", "send 3 0 1 -1", "send 4 1 -1 -1",
                          "receive 4 1 -1 3", "receive 6 2 -1 5"));
  // Nothing to do for what stays where it is.
  EXPECT_THAT(
      textOf(exchange, false, {false, true, true, true, false, false},
             {true, false, false, true, false, true}),
      ElementsAre("receive 2 0 -1 0", "send 3 0 1 -1", "receive 6 2 -1 5"));
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

TEST(NcclCallsTest, AxesOfAGridAreRounds) {
  // Of dp=2,tp=2.
  const std::vector<std::vector<Group>> rounds =
      roundsOf({{2, 3}, {0, 2}, {0, 1}, {1, 3}, {0, 2}});
  EXPECT_THAT(rounds, ElementsAre(ElementsAre(Group{0, 1}, Group{2, 3}),
                                  ElementsAre(Group{0, 2}, Group{1, 3})));
  EXPECT_EQ(roundsOf({{1, 3}, {0, 1}, {2, 3}, {0, 2}}), rounds);
  EXPECT_THAT(roundsOf({}), IsEmpty());
}

TEST(NcclCallsTest, GroupsThatDifferInOrderAreTwo) {
  EXPECT_THAT(roundsOf({{1, 0}, {0, 1}}),
              ElementsAre(ElementsAre(Group{0, 1}), ElementsAre(Group{1, 0})));
}

TEST(NcclCallsTest, NeedsTravel) {
  Collective even = scatter(0, {{4, -1, 0}, {4, -1, 1}});
  Collective uneven = scatter(0, {{4, -1, 0}, {5, -1, 1}});
  uneven.group = {0, 2};
  Collective messages;
  messages.kind = Collective::AllToAll;
  messages.group = {0, 2};
  const Needs needs({even, uneven, messages});
  EXPECT_THAT(needs.groups, ElementsAre(Group{0, 1}, Group{0, 2}));
  EXPECT_EQ(needs.uneven.size(), 1u);
  Needs read;
  ASSERT_TRUE(read.unpack(needs.pack()));
  EXPECT_EQ(read.groups, needs.groups);
  EXPECT_EQ(read.uneven, needs.uneven);
  // Bytes of something else are not taken for it, nor read beyond their end.
  const std::string bytes = needs.pack();
  for (size_t count = 0; count < bytes.size(); ++count)
    EXPECT_FALSE(read.unpack(bytes.substr(0, count))) << count;
  EXPECT_FALSE(read.unpack(bytes + "x"));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string wrong = bytes;
    wrong[i] = '\xff';
    (void)read.unpack(wrong);
  }
}
