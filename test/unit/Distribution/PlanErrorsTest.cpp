//===- PlanErrorsTest.cpp - What makePlan refuses -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Groups.h"
#include <limits>

using namespace mlir::muon::distribution;

namespace {

std::string refuse(const Topology &topology, const Group &group) {
  return getMessage(makePlan(topology, {group}));
}

TEST(PlanErrors, Topology) {
  Group group = makeMatrices("w", 1, {4, 4});
  Topology topology = makeGrid("dp=2");
  topology.axes[0].size = 0;
  EXPECT_EQ(refuse(topology, group),
            "axis \"dp\": expected a size from 1, and at most 1048576 ranks in "
            "all, found 0");
  topology = makeGrid("dp=2,tp=2");
  topology.axes[1].size = 1 << 20;
  EXPECT_EQ(refuse(topology, group),
            "axis \"tp\": expected a size from 1, and at most 1048576 ranks in "
            "all, found 1048576");
  topology = makeGrid("dp=2,tp=2");
  topology.axes[1].name = "dp";
  EXPECT_EQ(refuse(topology, group),
            "axis \"dp\": expected names that differ, found this one twice");
  topology = makeGrid("dp=2");
  topology.axes[0].latency = -1;
  EXPECT_EQ(refuse(topology, group), "axis \"dp\": expected a latency that is "
                                     "not negative, found -1.000000e+00");
  topology = makeGrid("dp=2");
  topology.axes[0].bandwidth = 0;
  EXPECT_EQ(refuse(topology, group), "axis \"dp\": expected a positive "
                                     "bandwidth, found 0.000000e+00");
  topology = makeGrid("dp=2");
  topology.flops = std::numeric_limits<double>::infinity();
  EXPECT_EQ(refuse(topology, group),
            "topology: expected positive FLOP/s, found INF");
  topology = makeGrid("dp=2");
  topology.memory = -1;
  EXPECT_EQ(refuse(topology, group), "topology: expected memory that is not "
                                     "negative, found -1.000000e+00");
}

TEST(PlanErrors, Shapes) {
  Topology topology = makeGrid("dp=2");
  Group group = makeMatrices("w", 0, {4, 4});
  EXPECT_EQ(refuse(topology, group),
            "\"w\": expected at least 1 member, found 0");
  group = makeElements("w", 1, {4});
  group.isElementwise = false;
  EXPECT_EQ(refuse(topology, group), "\"w\": expected matrices, found shape 4");
  EXPECT_EQ(refuse(topology, makeMatrices("w", 1, {4, -4})),
            "\"w\": expected dimensions that are not negative, found shape "
            "4x-4");
  EXPECT_EQ(refuse(topology, makeMatrices("w", 1 << 20, {1 << 20, 1 << 20})),
            "\"w\": expected at most 2^50 elements, found 1048576 members of "
            "shape 1048576x1048576");
  EXPECT_EQ(refuse(topology, makeMatrices("w", 1, {1 << 25, 1, 1})),
            "\"w\": expected at most 2^24 matrices, found 1 members of shape "
            "33554432x1x1");
}

TEST(PlanErrors, Axes) {
  Topology topology = makeGrid("dp=2,tp=2");
  Group group = makeMatrices("w", 1, {4, 4});
  group.splitAxes.pop_back();
  EXPECT_EQ(refuse(topology, group),
            "\"w\": expected the axes of 2 dimensions, found 1");
  EXPECT_EQ(refuse(topology, makeMatrices("w", 1, {4, 4}, {{}, {2}})),
            "\"w\": dimension 1: expected axes below 2 (dp, tp), found axis 2");
  EXPECT_EQ(refuse(topology, makeMatrices("w", 1, {4, 4}, {{-1}, {}})),
            "\"w\": dimension 0: expected axes below 2 (dp, tp), found axis "
            "-1");
  EXPECT_EQ(refuse(topology, makeMatrices("w", 1, {4, 4}, {{1}, {0, 1}})),
            "\"w\": dimension 1: axis \"tp\" already splits dimension 0; "
            "expected each axis once");
  EXPECT_EQ(refuse(topology, makeMatrices("w", 1, {4, 4}, {{1, 1}, {}})),
            "\"w\": dimension 0: axis \"tp\" already splits dimension 0; "
            "expected each axis once");
  EXPECT_EQ(refuse(topology, makeMatrices("w", 1, {4, 4}, {}, {3})),
            "\"w\": gradient: expected axes below 2 (dp, tp), found axis 3");
  EXPECT_EQ(refuse(topology, makeMatrices("w", 1, {4, 4}, {{}, {1}}, {1})),
            "\"w\": gradient: axis \"tp\" splits dimension 1; expected sums "
            "along axes that split nothing");
  EXPECT_EQ(refuse(topology, makeMatrices("w", 1, {4, 4}, {}, {0, 0})),
            "\"w\": gradient: axis \"dp\" stands twice; expected each axis "
            "once");
}

TEST(PlanErrors, Numbers) {
  Topology topology = makeGrid("dp=2");
  Group group = makeMatrices("w", 1, {4, 4});
  group.wireBytes = -2;
  EXPECT_EQ(refuse(topology, group),
            "\"w\": expected bytes of an element of X that are not negative, "
            "found -2.000000e+00");
  group = makeMatrices("w", 1, {4, 4});
  group.flops = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(refuse(topology, group),
            "\"w\": expected FLOPs that are not negative, found nan");
  group = makeMatrices("w", 1, {4, 6}, {{}, {0}});
  allowGram(group, 2);
  group.gramSize = 6;
  EXPECT_EQ(refuse(topology, group),
            "\"w\": expected Gram matrices of the side that is not split, 4, "
            "found 6");
}

TEST(PlanErrors, Pinned) {
  Topology topology = makeGrid("dp=2,tp=2");
  auto pin = [&](Group group, Strategy strategy) {
    group.pinned = strategy;
    return refuse(topology, group);
  };
  Group whole = makeMatrices("w", 1, {4, 4});
  EXPECT_EQ(pin(whole, Strategy::Gather),
            "\"w\": strategy gather cannot apply: its matrices are not split; "
            "expected own or replicate");
  EXPECT_EQ(pin(whole, Strategy::DistributedGram),
            "\"w\": strategy distributed_gram cannot apply: its matrices are "
            "not split; expected own or replicate");
  EXPECT_EQ(pin(whole, Strategy::Local),
            "\"w\": strategy local cannot apply: other ranks have parts or "
            "copies of it; expected own or replicate");
  EXPECT_EQ(pin(makeElements("e", 1, {4, 4}, {{0}, {}}), Strategy::Gather),
            "\"e\": strategy gather cannot apply: its update is elementwise; "
            "expected own or replicate");
  EXPECT_EQ(pin(makeElements("e", 1, {4}), Strategy::DistributedGram),
            "\"e\": strategy distributed_gram cannot apply: its update is "
            "elementwise; expected own or replicate");
  Group both = makeMatrices("w", 1, {4, 4}, {{0}, {1}});
  EXPECT_EQ(pin(both, Strategy::DistributedGram),
            "\"w\": strategy distributed_gram cannot apply: both dimensions of "
            "its matrices are split; expected own or gather");
  Group split = makeMatrices("w", 1, {4, 4}, {{0, 1}, {}});
  EXPECT_EQ(pin(split, Strategy::DistributedGram),
            "\"w\": strategy distributed_gram cannot apply: its iteration is "
            "not in Gram matrices; expected own or gather");
  split.noGram = "bf16 does not hold it";
  EXPECT_EQ(pin(split, Strategy::DistributedGram),
            "\"w\": strategy distributed_gram cannot apply: bf16 does not hold "
            "it; expected own or gather");
}

TEST(PlanErrors, Memory) {
  Topology topology = makeGrid("dp=2");
  topology.memory = 1000;
  Group small = makeMatrices("small", 1, {4, 4});
  Group large = makeMatrices("large", 2, {16, 16}, {}, {0});
  large.pinned = Strategy::Own;
  // Weights and gradients of both, 128 + 4096; state and summed gradients of
  // half of the small one's, 32, and 1024 + 1024.
  EXPECT_EQ(getMessage(makePlan(topology, {small, large})),
            "\"large\": no strategy fits the memory of a rank: expected at "
            "most 1.00 KB, found 6.30 KB for the step, of which this group "
            "takes most, 6.14 KB as own");
}

} // namespace
