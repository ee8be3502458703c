//===- RanksSimTest.cpp - Several ranks on simulated GPUs -----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestGpuRanks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <thread>

using nlohmann::json;
using testing::HasSubstr;

namespace {

/// Of Inputs/GatherArtifact.c: weight w in runs, and s, [2], which is summed.
json gatherManifest(const RankLayout &layout, int rank) {
  const auto ranks = size_t(layout.ranks());
  json manifest = rankManifest(layout, rank);
  json arguments = json::array();
  for (size_t i = 0; i < ranks; ++i)
    arguments.push_back(manifest["arguments"][i]);
  arguments.push_back({{"role", "weight"},
                       {"type", "f32"},
                       {"shape", {2}},
                       {"params", ranks},
                       {"slot", ranks}});
  manifest["params"][ranks] = {"s"};
  manifest["arguments"] = arguments;
  manifest["slots"] = ranks + 1;
  manifest["target"] = "cuda";
  manifest["device"] = {{"arch", "sm_80"},
                        {"isa", 70},
                        {"alignment", 4},
                        {"code", json::array()},
                        {"kernels", json::array()}};
  json &collectives = manifest["distribution"]["collectives"];
  collectives.erase(0);
  std::swap(collectives[0], collectives[1]);
  collectives[1]["type"] = "f32";
  collectives[1]["segments"][0][0] = 2;
  return manifest;
}

class RanksSimTest : public testing::Test {
protected:
  /// Runs all ranks; each starts with what it owns of w, r + 1 in each element,
  /// and with s = [r, 10].
  void run(int count, bool defined = true) {
    const RankLayout layout = rankLayout(count);
    std::vector<MuonCommunicator *> communicators(size_t(count), nullptr);
    ASSERT_EQ(muonCommunicatorCreateThreads(count, communicators.data()),
              MUON_OK);
    errors.assign(size_t(count), "");
    weights.assign(size_t(count), std::vector<float>(6, -1));
    sums.assign(size_t(count), std::vector<float>(2, -1));
    std::vector<std::thread> threads;
    for (int r = 0; r < count; ++r)
      threads.emplace_back([&, r] {
        auto *communicator = communicators[size_t(r)];
        if (runRank(layout, r, communicator, defined) != MUON_OK)
          errors[size_t(r)] = muonLastError();
      });
    for (std::thread &thread : threads)
      thread.join();
    for (MuonCommunicator *communicator : communicators)
      muonCommunicatorDestroy(communicator);
  }

  MuonStatus runRank(const RankLayout &layout, int r,
                     MuonCommunicator *communicator, bool defined) {
    const std::string path = directory.file("step" + std::to_string(r) + ".so");
    writeGatherArtifact(path, layout, r, gatherManifest(layout, r).dump());
    MuonArtifact *artifact = nullptr;
    MuonStep *step = nullptr;
    void *w = nullptr, *s = nullptr;
    const std::vector<float> mine(size_t(layout.elements[size_t(r)]),
                                  float(r + 1));
    const float start[2] = {float(r), 10};
    const int64_t shapes[] = {2, 3};
    MuonBuffer bufferW = {nullptr, MUON_TYPE_F32, 2, shapes, 24};
    MuonBuffer bufferS = {nullptr, MUON_TYPE_F32, 1, shapes, 8};
    MuonResult result;
    auto all = [&] {
      MuonStatus status = muonArtifactLoad(path.c_str(), "sim", &artifact);
      if (!status)
        status = muonStepCreate(artifact, &step);
      if (!status)
        status = muonStepSetCommunicator(step, communicator);
      if (!status)
        status = muonDeviceAllocate(artifact, 24, &w);
      if (!status)
        status = muonDeviceAllocate(artifact, 8, &s);
      // What others own is undefined until it comes.
      if (!status && (defined || r != 1))
        status =
            muonDeviceUpload(artifact, static_cast<float *>(w) + layout.from(r),
                             mine.data(), mine.size() * 4, nullptr);
      if (!status)
        status = muonDeviceUpload(artifact, s, start, 8, nullptr);
      bufferW.data = w;
      bufferS.data = s;
      if (!status)
        status = muonStepBind(step, MUON_ROLE_WEIGHT, "w", &bufferW);
      if (!status)
        status = muonStepBind(step, MUON_ROLE_WEIGHT, "s", &bufferS);
      if (!status)
        status = muonStepRun(step, nullptr, &result);
      if (!status)
        status = muonDeviceDownload(artifact, weights[size_t(r)].data(), w, 24,
                                    nullptr);
      if (!status)
        status =
            muonDeviceDownload(artifact, sums[size_t(r)].data(), s, 8, nullptr);
      return status;
    };
    const MuonStatus status = all();
    muonStepDestroy(step);
    muonArtifactRelease(artifact);
    return status;
  }

  TemporaryDirectory directory;
  std::vector<std::string> errors;
  std::vector<std::vector<float>> weights, sums;
};

} // namespace

TEST_F(RanksSimTest, Runs) {
  for (int count : {1, 2, 3, 4, 8}) {
    run(count);
    std::vector<float> expected;
    const RankLayout layout = rankLayout(count);
    for (int r = 0; r < count; ++r)
      expected.insert(expected.end(), size_t(layout.elements[size_t(r)]),
                      float(r + 1));
    for (size_t r = 0; r < size_t(count); ++r) {
      EXPECT_EQ(errors[r], "") << count;
      EXPECT_EQ(weights[r], expected) << count;
      EXPECT_THAT(sums[r], testing::ElementsAre(float(count * (count - 1) / 2),
                                                float(10 * count)))
          << count;
    }
  }
}

TEST_F(RanksSimTest, SendsNothingUndefined) {
  run(2, false);
  EXPECT_THAT(errors[1], HasSubstr("collective 'weight w': sent segment 1: 8 "
                                   "of 8 bytes"));
  EXPECT_THAT(errors[0], HasSubstr("rank 1 stopped all ranks"));
}

//===----------------------------------------------------------------------===//
// With kernels
//===----------------------------------------------------------------------===//

static std::string sim(int) { return "sim"; }

static uint64_t launches(const GpuRanks::Rank &rank) {
  const char *text = nullptr;
  if (muonArtifactCounters(rank.artifact, &text) != MUON_OK)
    return UINT64_MAX;
  return json::parse(text)["total"]["launches"];
}

TEST(RanksSimKernelsTest, Runs) {
  for (int count : {1, 2, 3, 4, 8}) {
    SCOPED_TRACE(count);
    GpuRanks ranks(count, sim);
    for (int i = 0; i < 3; ++i) {
      ranks.expectStep();
      ranks.expectTraffic();
    }
  }
}

// The first run: nobody has written what is gathered, ever.
TEST(RanksSimKernelsTest, NotFiniteOnOneRankSkipsAll) {
  for (int count : {2, 3}) {
    SCOPED_TRACE(count);
    GpuRanks ranks(count, sim);
    const float infinity = std::numeric_limits<float>::infinity();
    ranks.setGradient(size_t(count - 1), {0, 0, infinity, 0, 0, 0});
    ranks.expectSkip();
    ranks.expectTraffic();
    ranks.setGradient(size_t(count - 1), {1, 2, 3, 4, 5, 6});
    ranks.expectStep();
    ranks.setGradient(0, {-infinity, 0, 0, 0, 0, 0});
    ranks.expectSkip();
  }
}

TEST(RanksSimKernelsTest, SendsUndefinedBytesBeforeTheLook) {
  GpuRanks ranks(3, sim, [](int) { return SendEarly; });
  ranks.expectStep();
  ranks.expectTraffic(2);
}

TEST(RanksSimKernelsTest, SendsNothingUndefinedInStepsThatAreTaken) {
  GpuRanks ranks(2, sim, onRank1(NothingToSend));
  ranks.run();
  EXPECT_EQ(ranks.ranks[1].status, MUON_ERROR_EXECUTION);
  EXPECT_THAT(ranks.ranks[1].error,
              HasSubstr("collective 'update of w': sent segment 1: 8 of 8 "
                        "bytes"));
  EXPECT_THAT(ranks.ranks[0].error, HasSubstr("rank 1 stopped all ranks"));
  ranks.expectTensors();
}

TEST(RanksSimKernelsTest, LaunchesNothingAfterACollectiveThatFailed) {
  GpuRanks ranks(3, sim, onRank1(NullAddress));
  ranks.run();
  EXPECT_THAT(ranks.ranks[1].error,
              HasSubstr("collective 'look': send[0]: address is null"));
  for (size_t r = 0; r < 3; ++r) {
    EXPECT_EQ(ranks.ranks[r].status, MUON_ERROR_EXECUTION);
    EXPECT_THAT(ranks.ranks[r].error, HasSubstr("address is null"));
    EXPECT_LE(launches(ranks.ranks[r]), 1u) << r;
  }
  EXPECT_EQ(launches(ranks.ranks[1]), 1u);
  ranks.expectTensors();
}

TEST(RanksSimKernelsTest, LaunchThatFails) {
  GpuRanks ranks(3, sim, onRank1(UnknownKernel));
  ranks.run();
  for (const GpuRanks::Rank &rank : ranks.ranks) {
    EXPECT_EQ(rank.status, MUON_ERROR_EXECUTION);
    EXPECT_THAT(rank.error, HasSubstr("the step launches kernel 99, but the "
                                      "artifact has 4"));
  }
  ranks.expectTensors();
}
