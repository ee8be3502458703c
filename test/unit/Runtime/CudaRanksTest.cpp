//===- CudaRanksTest.cpp - Several ranks on the fake driver ---------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaTest.h"
#include "TestGpuRanks.h"

#include <limits>
#include <optional>

using namespace muon;
using namespace muon::test;

namespace {

class CudaRanksTest : public CudaTest {
protected:
  void TearDown() override {
    ranks.reset();
    EXPECT_STREQ(fakeCudaFindings(), "");
    FakeCudaStats stats = fakeStats();
    EXPECT_EQ(stats.leaked, 0u);
    EXPECT_EQ(stats.contexts, 0u);
  }

  GpuRanks &make(
      int count, const std::function<int(int)> &mark = [](int) { return 0; },
      const std::string &options = "") {
    return ranks.emplace(
        count, [&](int) { return fakeDevice(options); }, mark);
  }

  std::optional<GpuRanks> ranks;
};

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

} // namespace

#define EXPECT_CONTAINS(text, part)                                            \
  EXPECT_TRUE(contains(text, part)) << "message: " << (text)

TEST_F(CudaRanksTest, RunsWithoutGraph) {
  for (const char *options : {"graph=on", "graph=off"})
    for (int count : {1, 2, 3}) {
      SCOPED_TRACE(count);
      GpuRanks &all = make(
          count, [](int) { return 0; }, options);
      for (int i = 0; i < 3; ++i) {
        all.expectStep();
        all.expectTraffic();
      }
      EXPECT_EQ(fakeStats().captures, 0u);
      EXPECT_EQ(fakeStats().graphLaunches, 0u);
      EXPECT_EQ(fakeStats().undefinedBytes, 0u);
    }
}

// Streams that do not synchronize with the default stream: copies that were put
// there would come too early.
TEST_F(CudaRanksTest, RunsOnStreamsOfTheCaller) {
  GpuRanks &all = make(3);
  const PrimaryContext primary;
  std::vector<cuda::Stream> streams(6);
  for (cuda::Stream &stream : streams)
    ASSERT_EQ(cuStreamCreate(&stream, cuda::streamNonBlocking), cuda::Success);
  for (size_t run = 0; run < 2; ++run) {
    for (size_t r = 0; r < 3; ++r)
      all.ranks[r].stream = streams[3 * run + r];
    const uint64_t before = fakeStats().onDefaultStream;
    all.expectStep();
    // Downloads of the test: w and the count of steps of each rank.
    EXPECT_EQ(fakeStats().onDefaultStream - before, 6u);
    EXPECT_EQ(fakeStats().undefinedBytes, 0u);
    all.expectTraffic();
  }
  ranks.reset();
  for (cuda::Stream stream : streams)
    EXPECT_EQ(cuStreamDestroy_v2(stream), cuda::Success);
}

// What is gathered then was never written; on a GPU nobody knows.
TEST_F(CudaRanksTest, NotFiniteOnOneRankSkipsAll) {
  for (int count : {2, 3}) {
    SCOPED_TRACE(count);
    GpuRanks &all = make(count);
    const float infinity = std::numeric_limits<float>::infinity();
    all.setGradient(size_t(count - 1), {0, 0, infinity, 0, 0, 0});
    const uint64_t before = fakeStats().undefinedBytes;
    all.expectSkip();
    all.expectTraffic();
    EXPECT_EQ(fakeStats().undefinedBytes - before, 24u);
    all.setGradient(size_t(count - 1), {1, 2, 3, 4, 5, 6});
    all.expectStep();
  }
}

TEST_F(CudaRanksTest, LaunchesNothingAfterACollectiveThatFailed) {
  GpuRanks &all = make(2, onRank1(NullAddress));
  all.run();
  for (const GpuRanks::Rank &rank : all.ranks) {
    EXPECT_EQ(rank.status, MUON_ERROR_EXECUTION);
    EXPECT_CONTAINS(rank.error, "collective 'look': send[0]: address is null");
  }
  // Before it, rank 1 has launched one kernel, and the other one at most.
  EXPECT_GE(fakeStats().launches, 1u);
  EXPECT_LE(fakeStats().launches, 2u);
  all.expectTensors();
}

TEST_F(CudaRanksTest, LaunchThatFails) {
  GpuRanks &all = make(3, onRank1(UnknownKernel));
  all.run();
  for (const GpuRanks::Rank &rank : all.ranks) {
    EXPECT_EQ(rank.status, MUON_ERROR_EXECUTION);
    EXPECT_CONTAINS(rank.error, "the step launches kernel 99, but the "
                                "artifact has 4");
  }
  all.expectTensors();
}

// Each rank has a GPU; the failure of a kernel comes out of a copy.
TEST_F(CudaRanksTest, KernelFails) {
  reset("devices=2,fail-kernel=1");
  GpuRanks &all = ranks.emplace(
      2, [](int rank) { return fakeDevice(std::to_string(rank)); });
  all.run();
  int own = 0;
  for (const GpuRanks::Rank &rank : all.ranks) {
    EXPECT_EQ(rank.status, MUON_ERROR_EXECUTION);
    EXPECT_CONTAINS(rank.error, "collective 'look': sent segment 0: ");
    EXPECT_CONTAINS(rank.error, "CUDA_ERROR_LAUNCH_FAILED (719)");
    own += !contains(rank.error, "stopped all ranks");
  }
  EXPECT_EQ(own, 1);
  ranks.reset();
  reset("");
}

TEST_F(CudaRanksTest, NeedsACommunicator) {
  GpuRanks &all = make(2);
  ASSERT_EQ(muonStepSetCommunicator(all.ranks[0].step, nullptr), MUON_OK);
  EXPECT_EQ(muonStepRun(all.ranks[0].step, nullptr, nullptr),
            MUON_ERROR_NOT_READY);
  EXPECT_CONTAINS(std::string(muonLastError()),
                  "compiled for rank 0 of 2 (dp=2), and has no communicator");
}
