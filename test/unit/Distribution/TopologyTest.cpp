//===- TopologyTest.cpp - Grids and files about them -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Groups.h"

using namespace mlir::muon::distribution;
using llvm::StringRef;

namespace {

TEST(Grid, Parses) {
  Topology topology = makeGrid("dp=8, tp=2,x_1=1");
  ASSERT_EQ(topology.axes.size(), 3u);
  EXPECT_EQ(topology.axes[0].name, "dp");
  EXPECT_EQ(topology.axes[0].size, 8);
  EXPECT_EQ(topology.axes[1].name, "tp");
  EXPECT_EQ(topology.axes[2].name, "x_1");
  EXPECT_EQ(topology.getRanks(), 16);
  EXPECT_EQ(makeGrid("a=1048576").getRanks(), 1048576);
}

TEST(Grid, Errors) {
  auto message = [](StringRef text) { return getMessage(parseGrid(text)); };
  EXPECT_EQ(message(" "), "grid \" \": expected axes such as dp=8,tp=2, found "
                          "nothing");
  EXPECT_EQ(message("dp"),
            "grid \"dp\": axis 1: expected NAME=SIZE, found \"dp\"");
  EXPECT_EQ(message("dp=2,"),
            "grid \"dp=2,\": axis 2: expected NAME=SIZE, found \"\"");
  EXPECT_EQ(message("=2"), "grid \"=2\": axis 1: expected a name of letters, "
                           "digits and '_', found \"\"");
  EXPECT_EQ(message("d-p=2"), "grid \"d-p=2\": axis 1: expected a name of "
                              "letters, digits and '_', found \"d-p\"");
  EXPECT_EQ(message("a=2,a=3"), "grid \"a=2,a=3\": axis 2: the name \"a\" is "
                                "taken; expected another");
  for (StringRef size : {"", "0", "-1", "1048577", "99999999999999999999", "x",
                         "2=2", "0x2", "1.5"})
    EXPECT_EQ(message(("a=" + size).str()),
              ("grid \"a=" + size +
               "\": axis 1: expected a size from 1 to 1048576, found \"" +
               size + "\"")
                  .str());
  EXPECT_EQ(message("a=1024,b=1025"),
            "grid \"a=1024,b=1025\": axis 2: expected at most 1048576 ranks in "
            "all, found 1024 x 1025");
}

TEST(Grid, RanksAreRowMajor) {
  Topology topology = makeGrid("a=2,b=3,c=2");
  int64_t rank = 0;
  for (int64_t a = 0; a < 2; ++a)
    for (int64_t b = 0; b < 3; ++b)
      for (int64_t c = 0; c < 2; ++c, ++rank) {
        EXPECT_EQ(topology.getRank({a, b, c}), rank);
        EXPECT_EQ(topology.getCoordinates(rank), Axes({a, b, c}));
      }
  // dp=1, tp=0 of a 4x2 grid.
  EXPECT_EQ(makeGrid("dp=4,tp=2").getRank({1, 0}), 2);
}

TEST(Grid, Groups) {
  Topology topology = makeGrid("a=2,b=3,c=2");
  using Ranks = std::vector<int64_t>;
  EXPECT_EQ(topology.getGroup(7, {}), Ranks({7}));
  EXPECT_EQ(topology.getGroup(7, {1}), Ranks({7, 9, 11}));
  EXPECT_EQ(topology.getGroup(9, {0, 2}), Ranks({2, 3, 8, 9}));
  EXPECT_EQ(topology.getGroup(9, {2, 0}), Ranks({2, 8, 3, 9}));
}

TEST(Strategies, Names) {
  for (Strategy strategy : {Strategy::Local, Strategy::Replicate, Strategy::Own,
                            Strategy::Gather, Strategy::DistributedGram})
    EXPECT_EQ(symbolizeStrategy(stringify(strategy)), strategy);
  EXPECT_EQ(symbolizeStrategy("Own"), std::nullopt);
}

std::string readMessage(StringRef text) {
  Topology topology = makeGrid("dp=2,tp=2");
  llvm::Error error = readTopology(text, "t.json", topology);
  EXPECT_EQ(topology.axes[0].bandwidth, 50e9);
  return error ? llvm::toString(std::move(error)) : "no error";
}

TEST(TopologyFile, Reads) {
  Topology topology = makeGrid("dp=2,tp=4");
  topology.memory = 5;
  llvm::cantFail(readTopology(
      R"({"axes": {"tp": {"latency": 1e-6, "bandwidth": 4e11},
                   "dp": {"latency": 0.5, "bandwidth": 2}}, "flops": 3e14})",
      "t.json", topology));
  EXPECT_EQ(topology.axes[0].latency, 0.5);
  EXPECT_EQ(topology.axes[0].bandwidth, 2);
  EXPECT_EQ(topology.axes[1].latency, 1e-6);
  EXPECT_EQ(topology.axes[1].bandwidth, 4e11);
  EXPECT_EQ(topology.flops, 3e14);
  EXPECT_EQ(topology.memory, 0);
  llvm::cantFail(readTopology(
      R"({"axes": {"tp": {"latency": 1, "bandwidth": 1},
                   "dp": {"latency": 1, "bandwidth": 1}}, "flops": 1,
          "memory": 8e10})",
      "t.json", topology));
  EXPECT_EQ(topology.memory, 8e10);
}

TEST(TopologyFile, Errors) {
  std::string links = R"("axes": {"dp": {"latency": 1, "bandwidth": 1},
                                  "tp": {"latency": 1, "bandwidth": 1}})";
  EXPECT_EQ(readMessage("[]"), "t.json: expected an object, found \"[]\"");
  EXPECT_EQ(readMessage("{} 1").substr(0, 23), "t.json: not valid JSON:");
  EXPECT_EQ(readMessage("{}"),
            "t.json: expected the member \"axes\", an object, found none");
  EXPECT_EQ(readMessage(R"({"axes": 1})"),
            "t.json: axes: expected an object, found \"1\"");
  EXPECT_EQ(readMessage(R"({"axes": {}})"),
            "t.json: axes: expected the axis \"dp\" of the grid, found none");
  EXPECT_EQ(readMessage(R"({"axes": {"pp": {}}})"),
            "t.json: axes.pp: unknown axis of the grid; expected dp, tp");
  EXPECT_EQ(readMessage(R"({"axes": {"dp": null, "tp": {}}})"),
            "t.json: axes.dp: expected an object, found \"null\"");
  EXPECT_EQ(readMessage(R"({"axes": {"dp": {"lag": 1}}})"),
            "t.json: axes.dp.lag: unknown key; expected latency, bandwidth");
  EXPECT_EQ(readMessage(R"({"axes": {"dp": {"bandwidth": 1}}})"),
            "t.json: axes.dp: expected the member \"latency\", seconds, found "
            "none");
  EXPECT_EQ(readMessage(R"({"axes": {"dp": {"latency": 1}}})"),
            "t.json: axes.dp: expected the member \"bandwidth\", bytes per "
            "second, found none");
  EXPECT_EQ(readMessage(R"({"axes": {"dp": {"latency": -1}}})"),
            "t.json: axes.dp.latency: expected a positive number of seconds, "
            "found \"-1\"");
  EXPECT_EQ(readMessage(R"({"axes": {"dp": {"latency": "1"}}})"),
            "t.json: axes.dp.latency: expected a positive number of seconds, "
            "found \"\\\"1\\\"\"");
  EXPECT_EQ(
      readMessage(R"({"axes": {"dp": {"latency": 1, "bandwidth": 1e999}}})"),
      "t.json: axes.dp.bandwidth: expected a positive number of bytes per "
      "second, found \"inf\"");
  EXPECT_EQ(readMessage("{" + links + "}"),
            "t.json: expected the member \"flops\", FLOP/s, found none");
  EXPECT_EQ(readMessage("{" + links + R"(, "flops": 0})"),
            "t.json: flops: expected a positive number of FLOP/s, found \"0\"");
  EXPECT_EQ(readMessage("{" + links + R"(, "flops": 1, "memory": -8})"),
            "t.json: memory: expected a positive number of bytes, found "
            "\"-8\"");
  EXPECT_EQ(readMessage("{" + links + R"(, "flops": 1, "speed": 1})"),
            "t.json: speed: unknown key; expected axes, flops, memory");
  EXPECT_EQ(readMessage(R"({"flops": 1, "flops": 1})"),
            "t.json: duplicate key \"flops\" (line 1)");
}

} // namespace
