//===- RanksTest.cpp - Steps of several ranks -----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestRanks.h"
#include "muon-mlir/Runtime/HostApi.h"
#include "muon-mlir/Runtime/Runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <thread>

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

namespace {

/// One rank: its artifact, memory, step, and what became of the last run.
struct Rank {
  ~Rank() {
    muonStepDestroy(step);
    muonArtifactRelease(artifact);
    muonCommunicatorDestroy(communicator);
  }

  void bind(MuonRole role, const char *name, void *data, MuonType type,
            const std::vector<int64_t> &shape, uint64_t bytes) {
    MuonBuffer buffer = {data, type, shape.size(), shape.data(), bytes};
    ASSERT_EQ(muonStepBind(step, role, name, &buffer), MUON_OK)
        << muonLastError();
  }

  MuonCommunicator *communicator = nullptr;
  MuonArtifact *artifact = nullptr;
  MuonStep *step = nullptr;
  float w[6] = {1, 2, 3, 4, 5, 6}, gradient[6];
  float momentum[6] = {}, u[8], gradientU[8];
  int64_t count = 0;

  MuonStatus status = MUON_OK;
  std::string error;
  MuonResult result = {};
  MuonTraffic traffic = {};
};

class RanksTest : public testing::TestWithParam<int> {
protected:
  /// `change` may differ between ranks.
  void make(
      int count,
      const std::function<void(json &, int)> &change = [](json &, int) {}) {
    layout = rankLayout(count);
    std::vector<MuonCommunicator *> communicators(size_t(count), nullptr);
    ASSERT_EQ(muonCommunicatorCreateThreads(count, communicators.data()),
              MUON_OK)
        << muonLastError();
    for (int r = 0; r < count; ++r) {
      ranks.push_back(std::make_unique<Rank>());
      Rank &rank = *ranks.back();
      rank.communicator = communicators[size_t(r)];
      ASSERT_EQ(muonCommunicatorRank(rank.communicator), r);
      ASSERT_EQ(muonCommunicatorSize(rank.communicator), count);
      const std::string path =
          directory.file("step" + std::to_string(r) + ".so");
      json manifest = rankManifest(layout, r);
      change(manifest, r);
      writeRankArtifact(path, layout, r, manifest.dump());
      ASSERT_EQ(muonArtifactLoad(path.c_str(), "cpu", &rank.artifact), MUON_OK)
          << muonLastError();
      ASSERT_EQ(muonStepCreate(rank.artifact, &rank.step), MUON_OK);
      bindAll(rank, r);
      ASSERT_EQ(muonStepSetScalar(rank.step, MUON_ROLE_LR, nullptr, 0.5),
                MUON_OK);
      ASSERT_EQ(muonStepSetCommunicator(rank.step, rank.communicator), MUON_OK)
          << muonLastError();
    }
  }

  void bindAll(Rank &rank, int r) {
    const int64_t elements = layout.elements[size_t(r)];
    const int64_t rows = layout.rows[size_t(r)];
    // Multiples of 1/8: sums are exact.
    for (int i = 0; i < 6; ++i)
      rank.gradient[i] = float((r + 1) * (i + 1)) / 8;
    for (int i = 0; i < 8; ++i) {
      rank.u[i] = float(10 * (2 * layout.row(r) + i));
      rank.gradientU[i] = float(r + 1);
    }
    rank.bind(MUON_ROLE_WEIGHT, "w", rank.w, MUON_TYPE_F32, {2, 3}, 24);
    rank.bind(MUON_ROLE_GRADIENT, "w", rank.gradient, MUON_TYPE_F32, {2, 3},
              24);
    rank.bind(MUON_ROLE_MOMENTUM, "w", rank.momentum, MUON_TYPE_F32, {elements},
              uint64_t(elements) * 4);
    rank.bind(MUON_ROLE_WEIGHT, "u", rank.u, MUON_TYPE_F32, {rows, 2},
              uint64_t(rows) * 8);
    rank.bind(MUON_ROLE_GRADIENT, "u", rank.gradientU, MUON_TYPE_F32, {rows, 2},
              uint64_t(rows) * 8);
    rank.bind(MUON_ROLE_STEP, "step", &rank.count, MUON_TYPE_I64, {}, 8);
  }

  void run() {
    if (HasFatalFailure())
      return;
    std::vector<std::thread> threads;
    for (auto &each : ranks)
      threads.emplace_back([&rank = *each] {
        rank.status = muonStepRun(rank.step, nullptr, &rank.result);
        rank.error = rank.status ? muonLastError() : "";
        if (!rank.status)
          rank.status = muonStepTraffic(rank.step, &rank.traffic);
      });
    for (std::thread &thread : threads)
      thread.join();
  }

  /// What rank 1 says when its step has this learning rate, a mark for what is
  /// to go wrong. The others have to stop at once.
  std::string failWith(double mark) {
    make(3);
    if (HasFatalFailure())
      return "";
    EXPECT_EQ(muonStepSetScalar(ranks[1]->step, MUON_ROLE_LR, nullptr, mark),
              MUON_OK);
    const auto begin = std::chrono::steady_clock::now();
    run();
    EXPECT_LT(std::chrono::steady_clock::now() - begin,
              std::chrono::seconds(60));
    EXPECT_EQ(ranks[1]->status, MUON_ERROR_EXECUTION);
    for (size_t r : {0, 2}) {
      EXPECT_EQ(ranks[r]->status, MUON_ERROR_EXECUTION);
      EXPECT_THAT(ranks[r]->error, HasSubstr("rank 1"));
      const std::string path = directory.file("step1.so: ");
      EXPECT_THAT(ranks[r]->error,
                  testing::EndsWith(ranks[1]->error.substr(path.size())));
    }
    MuonTraffic traffic;
    EXPECT_EQ(muonStepTraffic(ranks[1]->step, &traffic), MUON_ERROR_NOT_READY);
    return ranks[1]->error;
  }

  TemporaryDirectory directory;
  RankLayout layout;
  std::vector<std::unique_ptr<Rank>> ranks;
};

class RanksErrorTest : public RanksTest {};

} // namespace

TEST_P(RanksTest, Runs) {
  const int count = GetParam();
  make(count);
  ASSERT_FALSE(HasFatalFailure());
  double w[6] = {1, 2, 3, 4, 5, 6}, momentum[6] = {};
  for (int number = 1; number <= 3; ++number) {
    run();
    double squares = 0;
    for (int i = 0; i < 6; ++i) {
      double sum = 0;
      for (auto &rank : ranks)
        sum += rank->gradient[i];
      const double mean = double(float(sum) * (1.0f / float(count)));
      squares += mean * mean;
      momentum[i] = double(float(0.5 * momentum[i] + mean));
      w[i] = double(float(w[i] - 0.5 * momentum[i]));
    }
    for (int r = 0; r < count; ++r) {
      Rank &rank = *ranks[size_t(r)];
      ASSERT_EQ(rank.status, MUON_OK) << r << ": " << rank.error;
      EXPECT_EQ(rank.result.taken, 1);
      EXPECT_EQ(rank.count, number);
      EXPECT_THAT(rank.w, testing::ElementsAreArray(w)) << r;
      for (int i = 0; i < layout.elements[size_t(r)]; ++i)
        EXPECT_EQ(rank.momentum[i], momentum[layout.from(r) + i]);
      for (int i = 0; i < 8; ++i)
        EXPECT_EQ(rank.u[i], float(10 * (2 * layout.row(r) + i)) -
                                 (i < 2 * layout.rows[size_t(r)]
                                      ? 0.5f * float(number * (r + 1))
                                      : 0));
      MuonStatistics statistics;
      ASSERT_EQ(muonStepStatistics(rank.step, 0, &statistics), MUON_OK);
      EXPECT_STREQ(statistics.name, "w");
      EXPECT_DOUBLE_EQ(statistics.gradient_norm, std::sqrt(squares));

      // By hand: reduce_scatter and all_gather of w; of the one f64 of the
      // look, the first rank of the group sums all, and gives it to the others.
      const uint64_t mine = 4 * uint64_t(layout.elements[size_t(r)]);
      const uint64_t others = uint64_t(count - 1);
      const uint64_t look = count == 1 ? 0 : (r == 0 ? 8 * others : 8);
      EXPECT_EQ(rank.traffic.collectives, 3u);
      EXPECT_EQ(rank.traffic.bytes_sent, (24 - mine) + look + others * mine)
          << r;
      EXPECT_EQ(rank.traffic.bytes_received, others * mine + look + (24 - mine))
          << r;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Counts, RanksTest, testing::Values(1, 2, 3, 4, 8));

TEST_F(RanksErrorTest, NotFiniteOnOneRankSkipsAll) {
  make(3);
  ranks[2]->gradient[0] = std::numeric_limits<float>::infinity();
  run();
  for (auto &rank : ranks) {
    ASSERT_EQ(rank->status, MUON_OK) << rank->error;
    EXPECT_EQ(rank->result.taken, 0);
    EXPECT_EQ(rank->result.non_finite, 1u);
    EXPECT_EQ(rank->count, 0);
    EXPECT_THAT(rank->w, testing::ElementsAre(1, 2, 3, 4, 5, 6));
  }
}

TEST_F(RanksErrorTest, Communicator) {
  make(2);
  ASSERT_EQ(muonStepSetCommunicator(ranks[0]->step, nullptr), MUON_OK);
  EXPECT_EQ(muonStepRun(ranks[0]->step, nullptr, nullptr),
            MUON_ERROR_NOT_READY);
  EXPECT_THAT(muonLastError(),
              HasSubstr("compiled for rank 0 of 2 (dp=2), and has no "
                        "communicator"));
  MuonTraffic traffic;
  EXPECT_EQ(muonStepTraffic(ranks[0]->step, &traffic), MUON_ERROR_NOT_READY);
  EXPECT_EQ(muonStepSetCommunicator(ranks[0]->step, ranks[1]->communicator),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(muonLastError(),
              HasSubstr("compiled for rank 0 of 2 (dp=2), the communicator is "
                        "that of rank 1 of 2"));
  MuonCommunicator *other[3];
  ASSERT_EQ(muonCommunicatorCreateThreads(3, other), MUON_OK);
  EXPECT_EQ(muonStepSetCommunicator(ranks[0]->step, other[0]),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(muonLastError(), HasSubstr("rank 0 of 3"));
  for (MuonCommunicator *communicator : other)
    muonCommunicatorDestroy(communicator);

  const std::string path = directory.file("one.so");
  writeArtifact(path, stepManifest().dump());
  MuonArtifact *artifact;
  MuonStep *step;
  ASSERT_EQ(muonArtifactLoad(path.c_str(), "cpu", &artifact), MUON_OK);
  ASSERT_EQ(muonStepCreate(artifact, &step), MUON_OK);
  EXPECT_EQ(muonStepSetCommunicator(step, nullptr), MUON_OK);
  EXPECT_EQ(muonStepSetCommunicator(step, ranks[0]->communicator),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(muonLastError(), HasSubstr("compiled for one rank alone"));
  muonStepDestroy(step);
  muonArtifactRelease(artifact);
}

TEST_F(RanksErrorTest, Arguments) {
  MuonCommunicator *communicator = nullptr;
  EXPECT_EQ(muonCommunicatorCreateThreads(0, &communicator),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(muonLastError(), HasSubstr("number of ranks is 0"));
  EXPECT_EQ(muonCommunicatorCreateThreads(1, nullptr),
            MUON_ERROR_INVALID_ARGUMENT);
  ASSERT_EQ(muonCommunicatorCreateThreads(1, &communicator), MUON_OK);
  for (double seconds : {-1.0, double(NAN), double(INFINITY)})
    EXPECT_EQ(muonCommunicatorSetTimeout(communicator, seconds),
              MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(muonCommunicatorSetTimeout(communicator, 0), MUON_OK);
  EXPECT_EQ(muonCommunicatorBarrier(communicator), MUON_OK);
  EXPECT_EQ(muonCommunicatorAbort(communicator, nullptr),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(muonCommunicatorAbort(communicator, "enough"), MUON_OK);
  EXPECT_EQ(muonCommunicatorBarrier(communicator), MUON_ERROR_EXECUTION);
  EXPECT_THAT(muonLastError(), HasSubstr("enough"));
  muonCommunicatorDestroy(communicator);
  muonCommunicatorDestroy(nullptr);
  EXPECT_EQ(muonCommunicatorRank(nullptr), -1);
  EXPECT_EQ(muonCommunicatorSize(nullptr), -1);
}

TEST_F(RanksErrorTest, StepOutlivesHandle) {
  make(2);
  for (auto &rank : ranks) {
    muonCommunicatorDestroy(rank->communicator);
    rank->communicator = nullptr;
  }
  run();
  for (auto &rank : ranks)
    EXPECT_EQ(rank->status, MUON_OK) << rank->error;
}

TEST_F(RanksErrorTest, PlansDiffer) {
  make(3, [](json &m, int rank) {
    m["distribution"]["plan"] = {"w: own", "v: own 0",
                                 rank == 1 ? "u: own 1" : "u: own 2"};
  });
  run();
  for (auto &rank : ranks) {
    EXPECT_EQ(rank->status, MUON_ERROR_INVALID_ARTIFACT);
    EXPECT_THAT(rank->w, testing::ElementsAre(1, 2, 3, 4, 5, 6));
  }
  EXPECT_THAT(ranks[1]->error,
              HasSubstr("line 3 of the plan is 'u: own 1' on rank 1 (this "
                        "one) and 'u: own 2' on rank 0"));
  EXPECT_THAT(ranks[0]->error,
              HasSubstr("line 3 of the plan is 'u: own 2' on rank 0 (this "
                        "one) and 'u: own 1' on rank 1"));
  EXPECT_THAT(ranks[2]->error, HasSubstr("'u: own 1' on rank 1"));
}

TEST_F(RanksErrorTest, PlansOfDifferentLengths) {
  make(2, [](json &m, int rank) {
    json lines = json::array();
    for (int i = 0; i < 1000 - rank; ++i)
      lines.push_back(std::to_string(i));
    m["distribution"]["plan"] = lines;
  });
  run();
  EXPECT_THAT(ranks[0]->error,
              HasSubstr("line 1000 of the plan is '999' on rank 0 (this one) "
                        "and no line on rank 1"));
  EXPECT_THAT(ranks[1]->error, HasSubstr("no line on rank 1 (this one) and "
                                         "'999' on rank 0"));
}

TEST_F(RanksErrorTest, GridsDiffer) {
  make(4, [](json &m, int rank) {
    if (rank == 3)
      m["distribution"]["grid"] = json::parse(R"([["dp", 2], ["tp", 2]])");
  });
  run();
  EXPECT_THAT(ranks[3]->error, HasSubstr("line 0 of the plan is 'grid "
                                         "dp=2,tp=2' on rank 3 (this one) and "
                                         "'grid dp=4' on rank 0"));
}

TEST_F(RanksErrorTest, ReturnedError) {
  EXPECT_THAT(failWith(1000), HasSubstr("step returned 42"));
}

TEST_F(RanksErrorTest, UnknownCollective) {
  EXPECT_THAT(failWith(1001), HasSubstr("the step starts collective 3, but the "
                                        "artifact has 3"));
}

TEST_F(RanksErrorTest, NotStarted) {
  EXPECT_THAT(failWith(1002), HasSubstr("the step waits for collective "
                                        "'weight w', which it did not start"));
}

TEST_F(RanksErrorTest, NullAddress) {
  EXPECT_THAT(failWith(1003), HasSubstr("collective 'gradient of w': send[0]: "
                                        "address is null"));
}

TEST_F(RanksErrorTest, StartedTwice) {
  EXPECT_THAT(failWith(1004), HasSubstr("the step starts collective 'gradient "
                                        "of w' again before it has waited"));
}

TEST_F(RanksErrorTest, NotWaitedFor) {
  EXPECT_THAT(failWith(1005), HasSubstr("the step did not wait for collective "
                                        "'gradient of w'"));
}

TEST_F(RanksErrorTest, NotReadyStopsTheOthers) {
  make(2);
  MuonStep *step = nullptr;
  ASSERT_EQ(muonStepCreate(ranks[1]->artifact, &step), MUON_OK);
  std::swap(step, ranks[1]->step);
  ASSERT_EQ(muonStepSetCommunicator(ranks[1]->step, ranks[1]->communicator),
            MUON_OK);
  run();
  EXPECT_EQ(ranks[1]->status, MUON_ERROR_NOT_READY);
  EXPECT_THAT(ranks[0]->error, HasSubstr("tensors are not bound"));
  muonStepDestroy(step);
}

TEST_F(RanksErrorTest, TimeOut) {
  make(2);
  ASSERT_EQ(muonCommunicatorSetTimeout(ranks[0]->communicator, 0.2), MUON_OK);
  EXPECT_EQ(muonStepRun(ranks[0]->step, nullptr, nullptr),
            MUON_ERROR_EXECUTION);
  // The other comes too late.
  EXPECT_EQ(muonStepRun(ranks[1]->step, nullptr, nullptr),
            MUON_ERROR_EXECUTION);
  EXPECT_THAT(muonLastError(), HasSubstr("rank 0"));
}
