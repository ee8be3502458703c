//===- CommunicatorFailureTest.cpp - Ranks that do not agree --------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CommunicatorTest.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

using namespace muon;
using testing::AllOf;
using testing::HasSubstr;

namespace {

Trial::Options optionsOf(const std::string &name, int32_t ranks,
                         Collective::Kind kind = Collective::AllReduce) {
  Trial::Options options;
  options.kind = kind;
  options.name = name;
  options.group = firstRanks(ranks);
  options.elements = {10, 50000};
  return options;
}

/// Messages of the ranks of this process, "" for those of others and for
/// those that are well.
using Messages = std::vector<std::string>;

Messages collect(World &world,
                 const std::function<Error(Communicator &)> &body) {
  Messages messages(size_t(world.size()));
  std::mutex mutex;
  world.run([&](Communicator &communicator) {
    Error error = body(communicator);
    std::lock_guard<std::mutex> lock(mutex);
    messages[size_t(communicator.rank())] = error.message();
    return std::string();
  });
  return messages;
}

bool isHere(const World &world, int32_t rank) {
  for (const auto &communicator : world.communicators)
    if (communicator->rank() == rank)
      return true;
  return false;
}

Error execute(Communicator &communicator, Trial &trial) {
  std::unique_ptr<Transfer> transfer;
  if (Error error =
          communicator.start(trial.collective, trial.buffers, transfer))
    return error;
  return transfer->wait();
}

} // namespace

TEST_P(CommunicatorTest, TimeOutNamesTheCollectiveAndTheRanks) {
  std::unique_ptr<World> world = GetParam().make(3);
  if (!world)
    GTEST_SKIP() << "needs 3 ranks";
  Trial::Options options = optionsOf("gradients 7", 3);
  auto begin = std::chrono::steady_clock::now();
  Messages messages = collect(*world, [&](Communicator &communicator) {
    communicator.setTimeout(
        std::chrono::milliseconds(communicator.rank() == 0 ? 300 : 30000));
    if (communicator.rank() == 1 || communicator.rank() > 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(900));
      return Error::success();
    }
    Trial trial(options, communicator.rank());
    Error error = execute(communicator, trial);
    // Final.
    std::unique_ptr<Transfer> transfer;
    if (Error again =
            communicator.start(trial.collective, trial.buffers, transfer))
      return again.message() == error.message() ? error : again;
    return Error::success();
  });
  if (isHere(*world, 0))
    EXPECT_EQ(messages[0],
              "all_reduce 'gradients 7' (f32, sum, 200040 bytes) of group "
              "[0, 1, 2] timed out after 0.3 s: rank [1] has not started it");
  if (isHere(*world, 2))
    EXPECT_THAT(messages[2],
                AllOf(HasSubstr("rank 0 stopped all ranks"),
                      HasSubstr("'gradients 7'"), HasSubstr("timed out")));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
}

TEST_P(CommunicatorTest, TimeOutTellsWhatOthersStarted) {
  std::unique_ptr<World> world = GetParam().make(2);
  if (!world)
    GTEST_SKIP() << "needs 2 ranks";
  Messages messages = collect(*world, [&](Communicator &communicator) {
    int32_t rank = communicator.rank();
    if (rank > 1)
      return Error::success();
    communicator.setTimeout(std::chrono::milliseconds(rank ? 20000 : 400));
    Trial::Options options = optionsOf(rank ? "weights" : "gradients", 2);
    if (rank)
      options.group = {1, 0};
    Trial trial(options, rank);
    return execute(communicator, trial);
  });
  if (isHere(*world, 0))
    EXPECT_THAT(messages[0],
                AllOf(HasSubstr("'gradients'"),
                      HasSubstr("rank [1] has not started it"),
                      HasSubstr("rank 1 started all_reduce 'weights' (f32, "
                                "sum, 200040 bytes) of group [1, 0]")));
}

// Rank 0 asks; rank 1 looks whether all goes on, rank 2 waits for a collective
// that the first two come to later, the others are elsewhere.
TEST_P(CommunicatorTest, RanksSayWhereTheyAre) {
  std::unique_ptr<World> world = GetParam().make(4);
  if (!world)
    GTEST_SKIP() << "needs 4 ranks";
  std::string problems = world->run([&](Communicator &communicator) {
    const int32_t rank = communicator.rank();
    communicator.setTimeout(std::chrono::seconds(20));
    std::atomic<int> numCalls{0};
    communicator.setPlace([&numCalls, rank] {
      ++numCalls;
      return "rank " + std::to_string(rank) + "\n is here";
    });
    const auto begin = std::chrono::steady_clock::now();
    auto isEarly = [&](int ms) {
      return std::chrono::steady_clock::now() - begin <
             std::chrono::milliseconds(ms);
    };
    std::string problem;
    if (rank == 0) {
      auto places = communicator.askPlaces(std::chrono::milliseconds(700));
      for (size_t other = 0; other < places.size(); ++other) {
        const bool answers = other == 1 || other == 2;
        if (places[other].value_or("") !=
            (answers ? "rank " + std::to_string(other) + "\n is here" : ""))
          problem += "rank " + std::to_string(other) + " says " +
                     places[other].value_or("nothing");
      }
    }
    while (rank == 1 && isEarly(1000))
      if (Error error = communicator.checkStopped())
        problem += error.message();
    // Not in any call.
    if (rank > 2)
      while (isEarly(1000))
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::vector<std::string> all;
    if (Error error = communicator.exchange("x", all))
      problem += error.message();
    if ((rank == 1 || rank == 2) && numCalls != 1)
      problem += "asked " + std::to_string(numCalls) + " times";
    communicator.setPlace(nullptr);
    return problem;
  });
  EXPECT_EQ(problems, "");
}

TEST_P(CommunicatorTest, AbortReachesThoseThatWait) {
  std::unique_ptr<World> world = GetParam().make(3);
  if (!world)
    GTEST_SKIP() << "needs 3 ranks";
  auto begin = std::chrono::steady_clock::now();
  Messages messages = collect(*world, [&](Communicator &communicator) {
    communicator.setTimeout(std::chrono::seconds(60));
    Trial trial(optionsOf("moments", communicator.size()), communicator.rank());
    if (communicator.rank() != 1)
      return execute(communicator, trial);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    communicator.abort("no memory for 'w'");
    return execute(communicator, trial);
  });
  for (int32_t rank = 0; rank < world->size(); ++rank)
    if (isHere(*world, rank))
      EXPECT_EQ(messages[size_t(rank)],
                rank == 1 ? "no memory for 'w'"
                          : "rank 1 stopped all ranks: no memory for 'w'");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST_P(CommunicatorTest, AbortFromAnotherThread) {
  std::unique_ptr<World> world = GetParam().make(2);
  if (!world)
    GTEST_SKIP() << "needs 2 ranks";
  Messages messages = collect(*world, [&](Communicator &communicator) {
    int32_t rank = communicator.rank();
    communicator.setTimeout(std::chrono::seconds(60));
    // Rank 0 waits for rank 1, which waits for what nobody else starts.
    Trial trial(
        optionsOf(rank ? "b" : "a", communicator.size(), Collective::AllGather),
        rank);
    if (rank)
      std::reverse(trial.collective.group.begin(),
                   trial.collective.group.end());
    trial.collective.place =
        rank ? communicator.size() - 1 - rank : trial.collective.place;
    std::thread other;
    if (rank == 0)
      other = std::thread([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        communicator.abort("stopped by a signal");
      });
    for (Collective::Segment &segment : trial.collective.segments)
      segment = {0, 0, -1};
    Error error = execute(communicator, trial);
    if (other.joinable())
      other.join();
    return error;
  });
  for (int32_t rank = 0; rank < world->size(); ++rank)
    if (isHere(*world, rank))
      EXPECT_THAT(messages[size_t(rank)], HasSubstr("stopped by a signal"));
}

TEST_P(CommunicatorTest, DifferentCollectivesAreNamed) {
  struct Difference {
    const char *name;
    std::function<void(Trial::Options &)> apply;
  } differences[] = {
      {"name", [](Trial::Options &options) { options.name = "weights 3"; }},
      {"kind",
       [](Trial::Options &options) { options.kind = Collective::AllGather; }},
      {"type", [](Trial::Options &options) { options.type = MUON_TYPE_F16; }},
      {"mean", [](Trial::Options &options) { options.isMean = true; }},
      {"bytes", [](Trial::Options &options) { options.elements[1] += 1; }},
      {"cuts",
       [](Trial::Options &options) {
         options.elements = {9, 50001};
       }},
  };
  for (const Difference &difference : differences) {
    SCOPED_TRACE(difference.name);
    std::unique_ptr<World> world = GetParam().make(2);
    if (!world)
      GTEST_SKIP() << "needs 2 ranks";
    Trial::Options same = optionsOf("gradients 3", 2), other = same;
    difference.apply(other);
    Messages messages = collect(*world, [&](Communicator &communicator) {
      int32_t rank = communicator.rank();
      if (rank > 1)
        return Error::success();
      communicator.setTimeout(std::chrono::seconds(20));
      Trial trial(rank ? other : same, rank);
      return execute(communicator, trial);
    });
    for (int32_t rank : {0, 1})
      if (isHere(*world, rank))
        EXPECT_THAT(messages[size_t(rank)],
                    AllOf(HasSubstr("ranks do not start the same collectives"),
                          HasSubstr("'gradients 3'"), HasSubstr(other.name)));
  }
}

TEST_P(CommunicatorTest, RefusesWhatCannotBe) {
  std::unique_ptr<World> world = GetParam().make(2);
  if (!world)
    GTEST_SKIP() << "needs 2 ranks";
  struct Mistake {
    const char *message;
    std::function<void(Collective &, CollectiveBuffers &)> apply;
  } mistakes[] = {
      {"rank 0 is in the group twice",
       [](Collective &collective, CollectiveBuffers &) {
         collective.group = {0, 0};
       }},
      {"expected the place of rank",
       [](Collective &collective, CollectiveBuffers &) {
         collective.place = 1 - collective.place;
       }},
      {"expected at least 1 rank",
       [](Collective &collective, CollectiveBuffers &) {
         collective.group.clear();
       }},
      {"expected f32, bf16, f16 or f64",
       [](Collective &collective, CollectiveBuffers &) {
         collective.type = MUON_TYPE_I64;
       }},
      {"segment 1: expected a number of elements, found -3",
       [](Collective &collective, CollectiveBuffers &) {
         collective.segments[1].elements = -3;
       }},
      {"segment 1: expected a number of elements, found 9223372036854775807",
       [](Collective &collective, CollectiveBuffers &) {
         collective.segments[1].elements = INT64_MAX;
       }},
      {"segment 0: these are no places of the group: from 1, to -1",
       [](Collective &collective, CollectiveBuffers &) {
         collective.segments[0].from = 1;
       }},
      {"segment 1: no address to send from",
       [](Collective &, CollectiveBuffers &buffers) {
         buffers.send[1] = nullptr;
       }},
      {"segment 0: no address to receive to",
       [](Collective &, CollectiveBuffers &buffers) {
         buffers.receive[0] = nullptr;
       }},
      {"expected an address for each of 2 segments, found 1 to send",
       [](Collective &, CollectiveBuffers &buffers) {
         buffers.send.pop_back();
       }},
  };
  for (const Mistake &mistake : mistakes) {
    EXPECT_EQ(world->run([&](Communicator &communicator) -> std::string {
      if (communicator.rank() > 1)
        return std::string();
      Trial trial(optionsOf("t", 2), communicator.rank());
      mistake.apply(trial.collective, trial.buffers);
      std::unique_ptr<Transfer> transfer;
      Error error =
          communicator.start(trial.collective, trial.buffers, transfer);
      std::string expected = mistake.message;
      if (error.status() == MUON_ERROR_INVALID_ARGUMENT &&
          error.message().find(expected) != std::string::npos)
        return std::string();
      return "found '" + error.message() + "', expected " + expected;
    }),
              "");
  }
  // None of these is a failure of the communicator.
  EXPECT_EQ(world->run([&](Communicator &communicator) -> std::string {
    std::vector<std::string> all;
    Error error = communicator.exchange(std::string(2 << 20, 'x'), all);
    if (!error)
      return "2 MiB were accepted";
    if (error.status() != MUON_ERROR_INVALID_ARGUMENT)
      return error.message();
    if (communicator.rank() > 1)
      return std::string();
    return Trial(optionsOf("t", 2), communicator.rank()).execute(communicator);
  }),
            "");
}
