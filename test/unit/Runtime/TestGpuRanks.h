//===- TestGpuRanks.h - Ranks on GPUs for tests -----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_TESTGPURANKS_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_TESTGPURANKS_H

#include "TestRanks.h"
#include "muon-mlir/Runtime/Runtime.h"

#include <functional>
#include <string>
#include <vector>

/// What is to go wrong in Inputs/RankGpuArtifact.c on one rank.
enum RankMark {
  NullAddress = 1, // of the second collective
  NothingToSend,   // no kernel writes what the third one sends
  SendEarly,       // the third one comes first, and once more at its place
  UnknownKernel    // between the first and the second one
};

/// On rank 1 alone.
std::function<int(int)> onRank1(RankMark mark);

/// Ranks that are threads, with the step of Inputs/RankGpuArtifact.c, learning
/// rate 1/2, w = [1, …, 6], and on rank r gradients (r + 1)·(i + 1)/8.
class GpuRanks {
public:
  struct Rank {
    MuonCommunicator *communicator = nullptr;
    MuonArtifact *artifact = nullptr;
    MuonStep *step = nullptr;
    void *stream = nullptr;
    void *w = nullptr, *gradient = nullptr, *count = nullptr;
    // Of the last run.
    MuonStatus status = MUON_OK;
    std::string error;
    MuonResult result = {};
    MuonTraffic traffic = {};
  };

  /// Makes of a communicator another one, if not what it is given.
  using Wrap = std::function<MuonCommunicator *(MuonCommunicator *)>;

  /// `device` is called with the number of each rank, and so is `mark`, which
  /// says 0 where nothing goes wrong.
  GpuRanks(
      int count, const std::function<std::string(int)> &device,
      const std::function<int(int)> &mark = [](int) { return 0; },
      const Wrap &wrap = nullptr);
  ~GpuRanks();
  GpuRanks(const GpuRanks &) = delete;
  GpuRanks &operator=(const GpuRanks &) = delete;

  void setGradient(size_t rank, std::vector<float> values);
  void run();

  /// Runs, and expects that all is as it is after one more step.
  void expectStep();
  /// Runs, and expects that nothing changes.
  void expectSkip();
  /// Expects w and the count of steps, and what each rank moved in one run:
  /// `gathers` is how many times it gathered.
  void expectTensors();
  void expectTraffic(uint64_t gathers = 1);

  std::vector<Rank> ranks;

private:
  void make(size_t rank, const std::string &device, int mark);
  void *allocate(Rank &rank, const void *from, uint64_t bytes);

  TemporaryDirectory directory;
  RankLayout layout;
  // By definition, on the host.
  std::vector<std::vector<float>> gradients;
  std::vector<float> weight = {1, 2, 3, 4, 5, 6};
  int64_t steps = 0;
};

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_TESTGPURANKS_H
