//===- TestGpuRanks.cpp - Ranks on GPUs for tests -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestGpuRanks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

std::function<int(int)> onRank1(RankMark mark) {
  return [=](int rank) { return rank == 1 ? mark : 0; };
}

GpuRanks::GpuRanks(int count, const std::function<std::string(int)> &device,
                   const std::function<int(int)> &mark, const Wrap &wrap)
    : ranks(size_t(count)), layout(rankLayout(count)),
      gradients(size_t(count)) {
  std::vector<MuonCommunicator *> communicators(size_t(count), nullptr);
  EXPECT_EQ(muonCommunicatorCreateThreads(count, communicators.data()), MUON_OK)
      << muonLastError();
  for (size_t r = 0; r < ranks.size(); ++r) {
    ranks[r].communicator = communicators[r];
    if (wrap) {
      ranks[r].communicator = wrap(communicators[r]);
      muonCommunicatorDestroy(communicators[r]);
    }
    make(r, device(int(r)), mark(int(r)));
  }
}

GpuRanks::~GpuRanks() {
  for (Rank &rank : ranks) {
    muonStepDestroy(rank.step);
    for (void *memory : {rank.w, rank.gradient, rank.count})
      muonDeviceFree(rank.artifact, memory);
    muonArtifactRelease(rank.artifact);
  }
  // The last of a step leave together.
  std::vector<std::thread> threads;
  for (Rank &rank : ranks)
    threads.emplace_back(
        [&rank] { muonCommunicatorDestroy(rank.communicator); });
  for (std::thread &thread : threads)
    thread.join();
}

void *GpuRanks::allocate(Rank &rank, const void *from, uint64_t bytes) {
  void *memory = nullptr;
  EXPECT_EQ(muonDeviceAllocate(rank.artifact, bytes, &memory), MUON_OK)
      << muonLastError();
  EXPECT_EQ(muonDeviceUpload(rank.artifact, memory, from, bytes, nullptr),
            MUON_OK)
      << muonLastError();
  return memory;
}

void GpuRanks::make(size_t r, const std::string &device, int mark) {
  Rank &rank = ranks[r];
  const std::string path = directory.file("step" + std::to_string(r) + ".so");
  writeRankGpuArtifact(path, layout, int(r), mark,
                       rankGpuManifest(layout, int(r)).dump());
  ASSERT_EQ(muonArtifactLoad(path.c_str(), device.c_str(), &rank.artifact),
            MUON_OK)
      << muonLastError();
  ASSERT_EQ(muonStepCreate(rank.artifact, &rank.step), MUON_OK)
      << muonLastError();
  ASSERT_EQ(muonStepSetCommunicator(rank.step, rank.communicator), MUON_OK)
      << muonLastError();
  ASSERT_EQ(muonStepSetScalar(rank.step, MUON_ROLE_LR, nullptr, 0.5), MUON_OK);
  // Multiples of 1/8: sums are exact.
  std::vector<float> &gradient = gradients[r];
  for (int i = 0; i < 6; ++i)
    gradient.push_back(float(int(r + 1) * (i + 1)) / 8);
  rank.w = allocate(rank, weight.data(), 24);
  rank.gradient = allocate(rank, gradient.data(), 24);
  rank.count = allocate(rank, &steps, 8);
  // Other streams do not wait for the default stream.
  expectTensors();
  const int64_t shape[] = {2, 3};
  const MuonBuffer w = {rank.w, MUON_TYPE_F32, 2, shape, 24};
  const MuonBuffer g = {rank.gradient, MUON_TYPE_F32, 2, shape, 24};
  const MuonBuffer count = {rank.count, MUON_TYPE_I64, 0, nullptr, 8};
  EXPECT_EQ(muonStepBind(rank.step, MUON_ROLE_WEIGHT, "w", &w), MUON_OK)
      << muonLastError();
  EXPECT_EQ(muonStepBind(rank.step, MUON_ROLE_GRADIENT, "w", &g), MUON_OK)
      << muonLastError();
  EXPECT_EQ(muonStepBind(rank.step, MUON_ROLE_STEP, "step", &count), MUON_OK)
      << muonLastError();
}

void GpuRanks::setGradient(size_t r, std::vector<float> values) {
  gradients[r] = std::move(values);
  Rank &rank = ranks[r];
  EXPECT_EQ(muonDeviceUpload(rank.artifact, rank.gradient, gradients[r].data(),
                             24, nullptr),
            MUON_OK)
      << muonLastError();
  std::vector<float> seen(6);
  EXPECT_EQ(muonDeviceDownload(rank.artifact, seen.data(), rank.gradient, 24,
                               nullptr),
            MUON_OK);
}

void GpuRanks::run() {
  std::vector<std::thread> threads;
  for (Rank &each : ranks)
    threads.emplace_back([&rank = each] {
      rank.status = muonStepRun(rank.step, rank.stream, &rank.result);
      rank.error = rank.status ? muonLastError() : "";
      if (!rank.status)
        rank.status = muonStepTraffic(rank.step, &rank.traffic);
    });
  for (std::thread &thread : threads)
    thread.join();
}

void GpuRanks::expectStep() {
  run();
  double squares = 0;
  for (size_t i = 0; i < weight.size(); ++i) {
    double sum = 0;
    for (const std::vector<float> &gradient : gradients)
      sum += double(gradient[i]);
    const double mean = double(float(sum) * (1.0f / float(ranks.size())));
    squares += mean * mean;
    weight[i] = float(double(weight[i]) - 0.5 * mean);
  }
  ++steps;
  for (size_t r = 0; r < ranks.size(); ++r) {
    Rank &rank = ranks[r];
    ASSERT_EQ(rank.status, MUON_OK) << r << ": " << rank.error;
    EXPECT_EQ(rank.result.taken, 1);
    MuonStatistics statistics;
    ASSERT_EQ(muonStepStatistics(rank.step, 0, &statistics), MUON_OK);
    EXPECT_DOUBLE_EQ(statistics.gradient_norm, std::sqrt(squares)) << r;
  }
  expectTensors();
}

void GpuRanks::expectSkip() {
  run();
  for (size_t r = 0; r < ranks.size(); ++r) {
    Rank &rank = ranks[r];
    ASSERT_EQ(rank.status, MUON_OK) << r << ": " << rank.error;
    EXPECT_EQ(rank.result.taken, 0);
    EXPECT_EQ(rank.result.non_finite, 1u);
  }
  expectTensors();
}

void GpuRanks::expectTensors() {
  for (size_t r = 0; r < ranks.size(); ++r) {
    Rank &rank = ranks[r];
    if (!rank.count)
      continue;
    std::vector<float> w(6, -1);
    int64_t count = -1;
    ASSERT_EQ(muonDeviceDownload(rank.artifact, w.data(), rank.w, 24, nullptr),
              MUON_OK)
        << muonLastError();
    ASSERT_EQ(muonDeviceDownload(rank.artifact, &count, rank.count, 8, nullptr),
              MUON_OK)
        << muonLastError();
    EXPECT_EQ(w, weight) << r;
    EXPECT_EQ(count, steps) << r;
  }
}

// By hand: reduce_scatter and all_gather of w; of the one f64 of the look, the
// first rank of the group sums all, and gives it to the others.
void GpuRanks::expectTraffic(uint64_t gathers) {
  const uint64_t others = ranks.size() - 1;
  for (size_t r = 0; r < ranks.size(); ++r) {
    const uint64_t mine = 4 * uint64_t(layout.elements[r]);
    const uint64_t look = others == 0 ? 0 : (r == 0 ? 8 * others : 8);
    const MuonTraffic &traffic = ranks[r].traffic;
    EXPECT_EQ(traffic.collectives, 2 + gathers) << r;
    EXPECT_EQ(traffic.bytes_sent, (24 - mine) + look + gathers * others * mine)
        << r;
    EXPECT_EQ(traffic.bytes_received,
              others * mine + look + gathers * (24 - mine))
        << r;
  }
}
