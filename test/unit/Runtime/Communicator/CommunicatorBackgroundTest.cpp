//===- CommunicatorBackgroundTest.cpp - Threads that move data ------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// What can only be seen from inside one process.
//
//===----------------------------------------------------------------------===//

#include "CollectiveEngine.h"
#include "FakeLink.h"
#include "World.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <time.h>

using namespace muon;
using namespace muon::collective;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Clock = std::chrono::steady_clock;

namespace {

struct LocalWorld : World {
  int32_t size() const override { return int32_t(communicators.size()); }
};

struct ThreadWorld final : LocalWorld {
  explicit ThreadWorld(int32_t ranks) {
    EXPECT_FALSE(makeThreadCommunicators(ranks, communicators));
  }
};

struct MessageWorld final : LocalWorld {
  explicit MessageWorld(int32_t ranks, bool isForAllThreads = true)
      : network(std::make_shared<FakeNetwork>(ranks)) {
    for (int32_t rank = 0; rank < ranks; ++rank)
      communicators.push_back(std::make_unique<Engine>(
          std::make_unique<FakeLink>(network, rank, isForAllThreads)));
  }
  std::shared_ptr<FakeNetwork> network;
};

/// Collectives of all ranks, from one thread.
struct Flights {
  explicit Flights(int kind, int32_t ranks) : ranks(ranks) {
    options.kind = Collective::Kind(kind);
    options.name = "t";
    options.group = firstRanks(ranks);
    options.elements = {200001, 7, 0, 30000};
  }
  void start(World &world) {
    for (int32_t rank = 0; rank < ranks; ++rank) {
      trials.push_back(std::make_unique<Trial>(options, rank));
      Error error = world.communicators[size_t(rank)]->start(
          trials.back()->collective, trials.back()->buffers,
          transfers.emplace_back());
      ASSERT_FALSE(error) << error.message();
    }
  }
  /// "" if all is well.
  std::string wait() {
    std::string text;
    for (size_t i = 0; i < transfers.size(); ++i) {
      Error error = transfers[i]->wait();
      text += error ? error.message() : trials[i]->verify();
    }
    return text;
  }

  const int32_t ranks;
  Trial::Options options;
  std::vector<std::unique_ptr<Trial>> trials;
  std::vector<std::unique_ptr<Transfer>> transfers;
};

std::multiset<std::string> threadsOfCommunicators() {
  std::multiset<std::string> names;
  for (const auto &entry :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(entry.path() / "comm");
    std::string name;
    if (std::getline(file, name) && name.rfind("muon-comm", 0) == 0)
      names.insert(name);
  }
  return names;
}

/// Linux lists a thread a moment longer than it takes to join it.
void expectNoThreads() {
  auto limit = Clock::now() + 10s;
  while (!threadsOfCommunicators().empty() && Clock::now() < limit)
    std::this_thread::sleep_for(1ms);
  EXPECT_THAT(threadsOfCommunicators(), IsEmpty());
}

double cpuSeconds() {
  timespec time;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

} // namespace

/// An abort leaves alone what has ended, so a wait without an error after it
/// is one for what ended before.
TEST(CommunicatorBackgroundTest, ThreadsEndWithoutAWait) {
  for (int kind = 0; kind < 4; ++kind) {
    std::string text;
    for (auto pause = 10ms; pause < 10s; pause *= 2) {
      ThreadWorld world(3);
      Flights flights(kind, 3);
      flights.start(world);
      std::this_thread::sleep_for(pause);
      world.communicators[1]->abort("too late");
      text = flights.wait();
      if (text.find("too late") == std::string::npos)
        break;
    }
    EXPECT_EQ(text, "") << "kind " << kind;
  }
}

/// What has ended needs no network any more.
TEST(CommunicatorBackgroundTest, MessagesEndWithoutAWait) {
  for (int kind = 0; kind < 4; ++kind) {
    MessageWorld world(3);
    Flights flights(kind, 3);
    flights.start(world);
    // Calls that go on mean that something has not ended.
    auto limit = Clock::now() + 20s;
    for (int64_t before = -1;
         before != world.network->numCalls && Clock::now() < limit;) {
      before = world.network->numCalls;
      std::this_thread::sleep_for(200ms);
    }
    world.network->isOver = true;
    int64_t calls = world.network->numCalls;
    EXPECT_EQ(flights.wait(), "") << "kind " << kind;
    EXPECT_EQ(world.network->numCalls, calls) << "kind " << kind;
    world.network->isOver = false;
  }
}

/// The caller may use the network between collectives.
TEST(CommunicatorBackgroundTest, LeavesTheNetworkAloneBetweenCollectives) {
  MessageWorld world(2);
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(world.run([&](Communicator &communicator) {
      Trial::Options options;
      options.group = firstRanks(2);
      options.elements = {50000, 3};
      return Trial(options, communicator.rank()).execute(communicator);
    }),
              "");
    int64_t calls = world.network->numCalls;
    std::this_thread::sleep_for(2ms);
    ASSERT_EQ(world.network->numCalls, calls);
  }
}

/// Calls by another thread would fail.
TEST(CommunicatorBackgroundTest, RespectsNetworksOfOneThread) {
  expectNoThreads();
  auto network = std::make_shared<FakeNetwork>(2);
  std::string texts[2];
  std::vector<std::thread> threads;
  for (int32_t rank : {0, 1})
    threads.emplace_back([&, rank] {
      Engine engine(
          std::make_unique<FakeLink>(network, rank, /*isForAllThreads=*/false));
      for (int kind = 0; kind < 4 && texts[rank].empty(); ++kind) {
        Trial::Options options;
        options.kind = Collective::Kind(kind);
        options.group = firstRanks(2);
        options.elements = {50000, 3};
        Trial trial(options, rank);
        std::unique_ptr<Transfer> transfer;
        Error error = engine.start(trial.collective, trial.buffers, transfer);
        std::this_thread::sleep_for(5ms);
        if (!error)
          error = transfer->wait();
        texts[rank] = error ? error.message() : trial.verify();
      }
    });
  while (threads.size() > 1) {
    EXPECT_THAT(threadsOfCommunicators(), IsEmpty());
    threads.back().join();
    threads.pop_back();
  }
  threads.back().join();
  EXPECT_EQ(texts[0], "");
  EXPECT_EQ(texts[1], "");
}

template <typename WorldType>
static void checkThreads() {
  expectNoThreads();
  {
    WorldType world(2);
    // Nothing is under way after the start.
    for (int32_t rank : {0, 1}) {
      Trial::Options options;
      options.group = {rank};
      options.elements = {1000};
      EXPECT_EQ(
          Trial(options, rank).execute(*world.communicators[size_t(rank)]), "");
    }
    EXPECT_THAT(threadsOfCommunicators(), IsEmpty());
    Flights flights(0, 2);
    flights.start(world);
    EXPECT_EQ(world.run([&](Communicator &communicator) {
      Error error = flights.transfers[size_t(communicator.rank())]->wait();
      return error.message();
    }),
              "");
    // A thread names itself.
    auto limit = Clock::now() + 10s;
    while (threadsOfCommunicators().size() < 2 && Clock::now() < limit)
      std::this_thread::sleep_for(1ms);
    EXPECT_THAT(threadsOfCommunicators(),
                UnorderedElementsAre("muon-comm-0", "muon-comm-1"));
    double before = cpuSeconds();
    std::this_thread::sleep_for(500ms);
    EXPECT_LT(cpuSeconds() - before, 0.05) << "with nothing to do";
  }
  expectNoThreads();
}

TEST(CommunicatorBackgroundTest, ThreadsOfThreads) {
  checkThreads<ThreadWorld>();
}

TEST(CommunicatorBackgroundTest, ThreadsOfMessages) {
  checkThreads<MessageWorld>();
}

/// Others compute: their cores are not ours.
template <typename WorldType>
static void checkPatience() {
  WorldType world(2);
  Trial::Options options;
  options.group = firstRanks(2);
  options.elements = {200001};
  Trial trial(options, 0);
  std::unique_ptr<Transfer> transfer;
  ASSERT_FALSE(
      world.communicators[0]->start(trial.collective, trial.buffers, transfer));
  double before = cpuSeconds();
  std::this_thread::sleep_for(1s);
#ifdef MUON_FEWER_TRIALS
  constexpr double most = 0.7; // ThreadSanitizer's
#else
  constexpr double most = 0.2;
#endif
  EXPECT_LT(cpuSeconds() - before, most);
  world.communicators[0]->abort("enough");
  EXPECT_EQ(transfer->wait().message(), "enough");
}

TEST(CommunicatorBackgroundTest, ThreadsWaitWithoutWork) {
  checkPatience<ThreadWorld>();
}

TEST(CommunicatorBackgroundTest, MessagesWaitWithoutWork) {
  checkPatience<MessageWorld>();
}

TEST(CommunicatorBackgroundTest, NetworkErrorsAreFoundWithoutAWait) {
  MessageWorld world(2);
  Trial::Options options;
  options.group = firstRanks(2);
  options.elements = {200001};
  Trial trial(options, 0);
  std::unique_ptr<Transfer> transfer;
  ASSERT_FALSE(
      world.communicators[0]->start(trial.collective, trial.buffers, transfer));
  world.network->isOver = true;
  int64_t calls = world.network->numCalls;
  for (auto limit = Clock::now() + 10s;
       world.network->numCalls < calls + 2 && Clock::now() < limit;)
    std::this_thread::sleep_for(1ms);
  world.network->isOver = false;
  EXPECT_EQ(transfer->wait().message(), "the network is gone");
}
