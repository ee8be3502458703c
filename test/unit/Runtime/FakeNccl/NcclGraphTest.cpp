//===- NcclGraphTest.cpp - Steps with NCCL as graphs -------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Each rank has a GPU of the fake CUDA driver, whose streams take turns: a
// graph runs only while its rank, and those that it hears from, go on.

#include "FakeCuda.h"
#include "NcclTest.h"
#include "TestGpuRanks.h"

#include <chrono>
#include <functional>
#include <optional>

using namespace muon;
using namespace muon::test;
using testing::AllOf;
using testing::AnyOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Clock = std::chrono::steady_clock;

namespace {

class NcclGraphTest : public NcclTest {
protected:
  void SetUp() override {
    ASSERT_TRUE(fakeCudaReset("devices=3"));
    options("");
  }
  void TearDown() override {
    ranks.reset();
    EXPECT_EQ(numAlive(), 0);
    EXPECT_EQ(fakeNcclRegistered(), 0);
    EXPECT_STREQ(fakeNcclFindings(), "");
    EXPECT_STREQ(fakeCudaFindings(), "");
    EXPECT_EQ(stats().leaked, 0u);
    EXPECT_EQ(stats().contexts, 0u);
    EXPECT_EQ(stats().undefinedBytes, 0u);
  }

  static FakeCudaStats stats() {
    FakeCudaStats stats = {};
    fakeCudaStats(&stats);
    return stats;
  }
  /// Of the fake NCCL.
  void options(const std::string &text) {
    reset("driver=" FAKE_CUDA "," + text);
  }

  GpuRanks &make(
      int count,
      const std::function<std::string(int)> &graph =
          [](int) { return ",graph=on"; },
      double timeout = 20) {
    auto wrap = [timeout](MuonCommunicator *control) {
      MuonNcclOptions options = {};
      options.size = sizeof(options);
      options.library = FAKE_NCCL;
      options.control = control;
      MuonCommunicator *communicator = nullptr;
      EXPECT_EQ(muonCommunicatorCreateNccl(&options, &communicator), MUON_OK)
          << muonLastError();
      EXPECT_EQ(muonCommunicatorSetTimeout(communicator, timeout), MUON_OK);
      return communicator;
    };
    return ranks.emplace(
        count,
        [&](int rank) {
          return "cuda:" + std::to_string(rank) + graph(rank) +
                 ",driver=" FAKE_CUDA;
        },
        [](int) { return 0; }, wrap);
  }

  /// How the last run of a rank went.
  std::string text(size_t rank) {
    const char *text = nullptr;
    EXPECT_EQ(muonStepRunText(ranks->ranks[rank].step, &text), MUON_OK)
        << muonLastError();
    return text;
  }

  /// Moves the gradient of a rank to other memory.
  void move(size_t r) {
    GpuRanks::Rank &rank = ranks->ranks[r];
    void *memory = nullptr;
    std::vector<float> values(6);
    ASSERT_EQ(muonDeviceAllocate(rank.artifact, 24, &memory), MUON_OK);
    ASSERT_EQ(muonDeviceDownload(rank.artifact, values.data(), rank.gradient,
                                 24, nullptr),
              MUON_OK);
    ASSERT_EQ(
        muonDeviceUpload(rank.artifact, memory, values.data(), 24, nullptr),
        MUON_OK);
    const int64_t shape[] = {2, 3};
    const MuonBuffer buffer = {memory, MUON_TYPE_F32, 2, shape, 24};
    ASSERT_EQ(muonStepBind(rank.step, MUON_ROLE_GRADIENT, "w", &buffer),
              MUON_OK);
    muonDeviceFree(rank.artifact, rank.gradient);
    rank.gradient = memory;
  }

  std::vector<std::string> linesOf(int rank, const std::string &start) {
    std::vector<std::string> lines;
    for (std::string &line : callsOf(rank))
      if (line.rfind(start, 0) == 0)
        lines.push_back(std::move(line));
    return lines;
  }

  std::optional<GpuRanks> ranks;
};

constexpr char oneGraph[] = "one graph with its collectives";

} // namespace

TEST_F(NcclGraphTest, LaterRunsAreOneGraph) {
  for (int count : {1, 2, 3}) {
    SCOPED_TRACE(count);
    ASSERT_TRUE(fakeCudaReset("devices=3"));
    options("");
    GpuRanks &all = make(count);
    all.expectStep();
    EXPECT_EQ(text(0), "call by call, as the first run with a communicator");
    EXPECT_EQ(stats().captures, 0u);
    const uint64_t launches = stats().launches;
    for (int i = 0; i < 4; ++i) {
      all.expectStep();
      all.expectTraffic();
    }
    EXPECT_THAT(text(0), StartsWith(oneGraph));
    EXPECT_EQ(stats().captures, uint64_t(count));
    EXPECT_EQ(stats().graphLaunches, uint64_t(4 * count));
    // Once into each graph.
    EXPECT_EQ(stats().launches, 2 * launches);
    if (count > 1) {
      // Two reductions in a group, a sum, two broadcasts in a group.
      EXPECT_EQ(linesOf(0, "ncclReduce ").size(), 4u);
      EXPECT_THAT(linesOf(0, "ncclReduce ")[2], EndsWith(" captured"));
      EXPECT_THAT(linesOf(0, "ncclReduce ")[1], Not(EndsWith(" captured")));
      EXPECT_EQ(linesOf(0, "run ").size(), 4u * 3u);
    }
  }
}

// NCCL's guide warns of several GPUs of one process.
TEST_F(NcclGraphTest, RanksOfOneProcessAreNotCapturedByDefault) {
  GpuRanks &all = make(2, [](int) { return ""; });
  for (int i = 0; i < 3; ++i)
    all.expectStep();
  for (size_t rank : {0, 1})
    EXPECT_THAT(text(rank),
                StartsWith("call by call: ranks 0 and 1 are of one process, "));
  EXPECT_EQ(stats().captures, 0u);
}

TEST_F(NcclGraphTest, OneRankWithoutGraphsIsEnough) {
  GpuRanks &all =
      make(3, [](int rank) { return rank == 1 ? ",graph=off" : ",graph=on"; });
  for (int i = 0; i < 3; ++i)
    all.expectStep();
  for (size_t rank : {0, 1, 2})
    EXPECT_THAT(text(rank),
                StartsWith("call by call: rank 1: its device has graph=off"));
  EXPECT_EQ(stats().captures, 0u);
}

// Collectives have the addresses; a new graph on one rank is one on all.
TEST_F(NcclGraphTest, TensorsThatMoveOnOneRank) {
  GpuRanks &all = make(3);
  for (int i = 0; i < 3; ++i)
    all.expectStep();
  EXPECT_EQ(stats().captures, 3u);
  move(1);
  for (int i = 0; i < 3; ++i)
    all.expectStep();
  EXPECT_EQ(stats().captures, 6u);
  EXPECT_EQ(stats().graphExecs, 3u);
  EXPECT_THAT(text(2), StartsWith(oneGraph));
}

TEST_F(NcclGraphTest, TensorsThatMoveAllTheTime) {
  GpuRanks &all = make(2);
  for (int i = 0; i < 8; ++i) {
    all.expectStep();
    move(size_t(i % 2));
  }
  EXPECT_EQ(stats().captures, 2u * 4u);
  EXPECT_EQ(stats().graphExecs, 0u);
  EXPECT_THAT(text(0), StartsWith("call by call: tensors of a rank were bound "
                                  "elsewhere before each of 4 runs"));
}

TEST_F(NcclGraphTest, ScalarsAndGradientsThatChange) {
  GpuRanks &all = make(2);
  all.expectStep();
  all.expectStep();
  all.setGradient(1, {6, 5, 4, 3, 2, 1});
  all.expectStep();
  all.setGradient(0, {0, 1, std::numeric_limits<float>::infinity(), 0, 0, 0});
  all.expectSkip();
  all.setGradient(0, {1, 1, 1, 1, 1, 1});
  all.expectStep();
  EXPECT_EQ(stats().captures, 2u);
}

// By one rank, at its first or at a later collective: all go on as before.
TEST_F(NcclGraphTest, RefusedByTheLibrary) {
  for (const char *fault : {"capture:1:1:5", "capture:3:0:5"}) {
    SCOPED_TRACE(fault);
    ASSERT_TRUE(fakeCudaReset("devices=3"));
    options(std::string("fail=") + fault);
    GpuRanks &all = make(3);
    for (int i = 0; i < 4; ++i) {
      all.expectStep();
      all.expectTraffic();
    }
    for (size_t rank : {0, 1, 2})
      EXPECT_THAT(text(rank),
                  AllOf(StartsWith("call by call: rank "),
                        HasSubstr(": NCCL does not capture: "),
                        HasSubstr(" of "), HasSubstr("ncclInvalidUsage (5)")));
    EXPECT_EQ(stats().captures, 3u);
    EXPECT_EQ(stats().graphLaunches, 0u);
  }
}

// A refusal that leaves the communicator in an error is one.
TEST_F(NcclGraphTest, CaptureThatSpoilsTheCommunicator) {
  for (const char *fault : {"capture:2:1:async-5", "capture:2:1:3"}) {
    SCOPED_TRACE(fault);
    ASSERT_TRUE(fakeCudaReset("devices=3"));
    options(std::string("fail=") + fault);
    GpuRanks &all = make(2);
    all.expectStep();
    all.run();
    EXPECT_THAT(all.ranks[1].error,
                AllOf(HasSubstr("all_reduce 'look'"), HasSubstr(" failed: ")));
    EXPECT_THAT(all.ranks[0].error, HasSubstr("rank 1 stopped all ranks: "));
    EXPECT_EQ(stats().graphLaunches, 0u);
    ranks.reset();
    EXPECT_EQ(numAlive(), 0);
  }
}

// Each collective of the graph, in its second launch.
TEST_F(NcclGraphTest, ErrorsNameTheCollectiveThatFailed) {
  const char *const names[] = {"reduce_scatter 'gradient of w'",
                               "all_reduce 'look'", "all_gather 'update of w'"};
  for (int which = 0; which < 3; ++which) {
    SCOPED_TRACE(names[which]);
    ASSERT_TRUE(fakeCudaReset("devices=3"));
    options("fail=run:" + std::to_string(4 + which) + ":1:async-6");
    GpuRanks &all = make(3);
    all.expectStep();
    all.expectStep();
    const auto begin = Clock::now();
    all.run();
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(3));
    EXPECT_THAT(all.ranks[1].error,
                AllOf(HasSubstr(names[which]), HasSubstr(" of group [0, 1, 2]"),
                      HasSubstr("collective " + std::to_string(which + 1) +
                                " of the step: NCCL failed: "
                                "ncclRemoteError (6)")));
    for (size_t rank : {0, 2})
      EXPECT_THAT(
          all.ranks[rank].error,
          HasSubstr("rank 1 stopped all ranks: " + std::string(names[which])));
    // The graphs are gone, and nothing runs any more.
    EXPECT_EQ(stats().graphExecs, 0u);
    EXPECT_EQ(numAlive(), 0);
    const uint64_t launches = stats().graphLaunches;
    all.run();
    for (const GpuRanks::Rank &rank : all.ranks) {
      EXPECT_EQ(rank.status, MUON_ERROR_EXECUTION);
      EXPECT_THAT(rank.error, HasSubstr(names[which]));
    }
    EXPECT_EQ(stats().graphLaunches, launches);
  }
}

TEST_F(NcclGraphTest, GraphsThatHangEndAtTheDeadline) {
  options("fail=run:5:1:hang");
  GpuRanks &all = make(
      2, [](int) { return ",graph=on"; }, 0.5);
  all.expectStep();
  all.expectStep();
  const auto begin = Clock::now();
  all.run();
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(3));
  for (const GpuRanks::Rank &rank : all.ranks)
    EXPECT_THAT(rank.error,
                AllOf(HasSubstr("all_reduce 'look'"),
                      HasSubstr("collective 2 of the step"),
                      HasSubstr("timed out after 0.5 s: all its ranks are "
                                "there")));
  EXPECT_EQ(numAlive(), 0);
  EXPECT_EQ(stats().graphExecs, 0u);
}

TEST_F(NcclGraphTest, AbortBetweenRuns) {
  GpuRanks &all = make(2);
  all.expectStep();
  all.expectStep();
  EXPECT_EQ(stats().graphExecs, 2u);
  const auto begin = Clock::now();
  ASSERT_EQ(muonCommunicatorAbort(all.ranks[0].communicator, "no disk"),
            MUON_OK);
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(2));
  EXPECT_EQ(stats().graphExecs, 1u);
  const uint64_t launches = stats().graphLaunches;
  all.run();
  EXPECT_THAT(all.ranks[0].error, HasSubstr("no disk"));
  EXPECT_THAT(all.ranks[1].error,
              HasSubstr("rank 0 stopped all ranks: no disk"));
  EXPECT_EQ(stats().graphLaunches, launches);
  EXPECT_EQ(stats().graphExecs, 0u);
  all.expectTensors();
}

// NCCL does not end before them.
TEST_F(NcclGraphTest, GraphsGoBeforeTheirCommunicator) {
  GpuRanks &all = make(2);
  all.expectStep();
  all.expectStep();
  EXPECT_EQ(stats().graphExecs, 2u);
  for (GpuRanks::Rank &rank : all.ranks)
    ASSERT_EQ(muonStepSetCommunicator(rank.step, nullptr), MUON_OK);
  EXPECT_EQ(stats().graphExecs, 0u);
  for (GpuRanks::Rank &rank : all.ranks)
    ASSERT_EQ(muonStepSetCommunicator(rank.step, rank.communicator), MUON_OK);
  for (int i = 0; i < 3; ++i)
    all.expectStep();
  EXPECT_THAT(text(0), StartsWith(oneGraph));
}

TEST_F(NcclGraphTest, KernelsThatFailInTheGraph) {
  ASSERT_TRUE(fakeCudaReset("devices=2,fail-kernel=14"));
  options("");
  GpuRanks &all = make(2);
  all.expectStep();
  all.run();
  int own = 0;
  for (const GpuRanks::Rank &rank : all.ranks) {
    EXPECT_EQ(rank.status, MUON_ERROR_EXECUTION);
    EXPECT_THAT(rank.error, AllOf(HasSubstr("CUDA_ERROR_LAUNCH_FAILED (719)"),
                                  HasSubstr("on the stream, before or in ")));
    own += rank.error.find("stopped all ranks") == std::string::npos;
  }
  EXPECT_EQ(own, 1);
  ranks.reset();
  ASSERT_TRUE(fakeCudaReset(""));
}
