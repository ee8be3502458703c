//===- NcclGpuTest.cpp - Steps whose GPUs exchange data by NCCL -----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// By the C interface, on the fake CUDA driver, whose memory the fake NCCL reads
// and writes, and on the simulator, whose memory goes through the host.
//
//===----------------------------------------------------------------------===//

#include "TestGpuRanks.h"
#include "FakeCuda.h"
#include "NcclTest.h"

#include <chrono>
#include <limits>
#include <optional>

using namespace muon;
using namespace muon::test;
using testing::AllOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

extern "C" {
muon::nccl::Result cuInit(unsigned);
int cuDevicePrimaryCtxRetain(void **, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxPushCurrent_v2(void *);
int cuCtxPopCurrent_v2(void **);
int cuStreamCreate(void **, unsigned);
int cuStreamDestroy_v2(void *);
}

namespace {

class NcclStepTest : public NcclTest {
protected:
  explicit NcclStepTest(bool isCuda) : isCuda(isCuda) {}

  void SetUp() override {
    ASSERT_TRUE(fakeCudaReset(""));
    fail("");
  }
  void TearDown() override {
    ranks.reset();
    EXPECT_EQ(numAlive(), 0);
    EXPECT_STREQ(fakeCudaFindings(), "");
    FakeCudaStats stats = {};
    fakeCudaStats(&stats);
    EXPECT_EQ(stats.leaked, 0u);
    EXPECT_EQ(stats.contexts, 0u);
  }

  /// What is to go wrong in NCCL.
  void fail(const std::string &fault) {
    reset((isCuda ? "driver=" FAKE_CUDA "," : "") +
          (fault.empty() ? "" : "fail=" + fault));
  }

  GpuRanks &make(
      int count, const std::function<int(int)> &mark = [](int) { return 0; }) {
    auto wrap = [](MuonCommunicator *control) {
      MuonNcclOptions options = {};
      options.size = sizeof(options);
      options.library = FAKE_NCCL;
      options.control = control;
      MuonCommunicator *communicator = nullptr;
      EXPECT_EQ(muonCommunicatorCreateNccl(&options, &communicator), MUON_OK)
          << muonLastError();
      EXPECT_EQ(muonCommunicatorSetTimeout(communicator, 20), MUON_OK);
      return communicator;
    };
    return ranks.emplace(
        count,
        [&](int) {
          return std::string(isCuda ? "cuda:driver=" FAKE_CUDA : "sim");
        },
        mark, wrap);
  }

  const bool isCuda;
  std::optional<GpuRanks> ranks;
};

/// True for device cuda, false for sim.
class NcclGpuTest : public NcclStepTest,
                    public testing::WithParamInterface<bool> {
protected:
  NcclGpuTest() : NcclStepTest(GetParam()) {}
};

class NcclCudaTest : public NcclStepTest {
protected:
  NcclCudaTest() : NcclStepTest(true) {}
};

} // namespace

INSTANTIATE_TEST_SUITE_P(, NcclGpuTest, testing::Bool(),
                         [](const testing::TestParamInfo<bool> &info) {
                           return std::string(info.param ? "Cuda" : "Sim");
                         });

TEST_P(NcclGpuTest, Steps) {
  for (int count : {1, 2, 3}) {
    SCOPED_TRACE(count);
    GpuRanks &all = make(count);
    for (int i = 0; i < 3; ++i) {
      all.expectStep();
      all.expectTraffic();
    }
  }
  // The set-up is done once, and nothing goes through the host on a GPU.
  std::vector<std::string> calls = callsOf(2);
  int inits = 0;
  for (const std::string &call : calls)
    inits += call.rfind("ncclCommInit", 0) == 0;
  EXPECT_EQ(inits, 1);
}

TEST_P(NcclGpuTest, CallsOfAStep) {
  make(2).expectStep();
  std::vector<std::string> moves;
  for (const std::string &call : callsOf(1))
    if (size_t end = call.find(" comm=");
        end != call.npos && call.rfind("ncclComm", 0) != 0)
      moves.push_back(call.substr(0, end));
  EXPECT_THAT(moves,
              testing::ElementsAre("ncclReduce count=4 type=f32 op=avg root=0",
                                   "ncclReduce count=2 type=f32 op=avg root=1",
                                   "ncclAllReduce count=1 type=f64 op=sum",
                                   "ncclBroadcast count=4 type=f32 root=0",
                                   "ncclBroadcast count=2 type=f32 root=1"));
}

TEST_P(NcclGpuTest, NotFiniteOnOneRankSkipsAll) {
  GpuRanks &all = make(3);
  const float infinity = std::numeric_limits<float>::infinity();
  all.setGradient(2, {0, 0, infinity, 0, 0, 0});
  all.expectSkip();
  all.setGradient(2, {1, 2, 3, 4, 5, 6});
  all.expectStep();
}

TEST_P(NcclGpuTest, FailuresNameTheCollectiveAndTheTensor) {
  fail("ncclReduce:1:1:2");
  GpuRanks &all = make(3);
  all.run();
  for (const GpuRanks::Rank &rank : all.ranks) {
    EXPECT_EQ(rank.status, MUON_ERROR_EXECUTION);
    EXPECT_THAT(rank.error,
                AllOf(HasSubstr("reduce_scatter 'gradient of w' (f32, mean, 24 "
                                "bytes) of group [0, 1, 2] of gradient 'w': "),
                      HasSubstr("ncclReduce failed: ncclSystemError")));
  }
  EXPECT_THAT(all.ranks[0].error, HasSubstr("rank 1 stopped all ranks: "));
  all.expectTensors();
}

TEST_P(NcclGpuTest, FailuresOfTheStepStopTheOthers) {
  for (RankMark mark : {NullAddress, UnknownKernel}) {
    GpuRanks &all = make(2, onRank1(mark));
    all.run();
    for (const GpuRanks::Rank &rank : all.ranks) {
      EXPECT_EQ(rank.status, MUON_ERROR_EXECUTION);
      EXPECT_THAT(rank.error,
                  HasSubstr(mark == NullAddress ? "send[0]: address is null"
                                                : "launches kernel 99"));
    }
    all.expectTensors();
  }
}

TEST_F(NcclCudaTest, CollectivesAreOnTheStreamOfTheStep) {
  GpuRanks &all = make(3);
  void *context = nullptr;
  ASSERT_EQ(cuDevicePrimaryCtxRetain(&context, 0), 0);
  ASSERT_EQ(cuCtxPushCurrent_v2(context), 0);
  std::vector<void *> streams(6);
  // That do not synchronize with the default stream.
  for (void *&stream : streams)
    ASSERT_EQ(cuStreamCreate(&stream, 1), 0);
  for (size_t run = 0; run < 2; ++run) {
    for (size_t r = 0; r < 3; ++r)
      all.ranks[r].stream = streams[3 * run + r];
    FakeCudaStats before = {}, after = {};
    fakeCudaStats(&before);
    all.expectStep();
    fakeCudaStats(&after);
    // Downloads of the test: w and the count of steps of each rank.
    EXPECT_EQ(after.onDefaultStream - before.onDefaultStream, 6u);
  }
  char text[32];
  std::snprintf(text, sizeof(text), "stream=%p", streams[4]);
  EXPECT_THAT(callsOf(1),
              Contains(AllOf(StartsWith("ncclReduce "), EndsWith(text))));
  ranks.reset();
  for (void *stream : streams)
    EXPECT_EQ(cuStreamDestroy_v2(stream), 0);
  EXPECT_EQ(cuCtxPopCurrent_v2(&context), 0);
  EXPECT_EQ(cuDevicePrimaryCtxRelease_v2(0), 0);
}

// What the stream holds may fail or hang after all was put there.
TEST_F(NcclCudaTest, ErrorsAfterTheLastCollective) {
  fail("moved:3:1:async-6");
  GpuRanks &all = make(2);
  all.run();
  EXPECT_THAT(all.ranks[1].error,
              AllOf(HasSubstr("all_gather 'update of w' (f32, 24 bytes)"),
                    HasSubstr("failed: ncclRemoteError (6)")));
}

TEST_F(NcclCudaTest, AddressesAreChecked) {
  ASSERT_TRUE(fakeCudaReset("devices=2"));
  GpuRanks &all = make(1);
  // Freed behind the back of the step.
  muonDeviceFree(all.ranks[0].artifact, all.ranks[0].gradient);
  all.run();
  EXPECT_THAT(all.ranks[0].error,
              HasSubstr("collective 'gradient of w': sent segment 0: "));
  all.ranks[0].gradient = nullptr;
}

TEST(NcclApiTest, BadArguments) {
  MuonCommunicator *communicator = nullptr;
  MuonNcclOptions options = {};
  EXPECT_EQ(muonCommunicatorCreateNccl(nullptr, &communicator),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(muonCommunicatorCreateNccl(&options, &communicator),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(muonLastError(), HasSubstr("size of the options is 0, expected"));
  options.size = sizeof(options);
  MuonCommunicator *control = nullptr;
  ASSERT_EQ(muonCommunicatorCreateThreads(1, &control), MUON_OK);
  options.control = control;
  options.library = "/no/such/libnccl.so";
  EXPECT_EQ(muonCommunicatorCreateNccl(&options, &communicator),
            MUON_ERROR_UNSUPPORTED);
  EXPECT_THAT(muonLastError(),
              HasSubstr("no NCCL: cannot load /no/such/libnccl.so"));
  EXPECT_EQ(communicator, nullptr);
  muonCommunicatorDestroy(control);
}
