//===- CommunicatorProgressTest.cpp - Data that moves by itself -----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// What happens between the start of a collective and the wait for it.
//
//===----------------------------------------------------------------------===//

#include "CommunicatorTest.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>
#include <thread>

using namespace muon;
using namespace std::chrono_literals;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

namespace {

#ifdef MUON_FEWER_TRIALS
constexpr int64_t kLarge = 700001;
constexpr int kAborts = 10;
constexpr int kRounds = 8;
constexpr int32_t kMostRanks = 2;
#else
constexpr int64_t kLarge = 5000001;
constexpr int kAborts = 30;
constexpr int kRounds = 24;
constexpr int32_t kMostRanks = 4;
#endif

constexpr MuonType kTypes[] = {MUON_TYPE_F32, MUON_TYPE_BF16, MUON_TYPE_F16,
                               MUON_TYPE_F64};

struct Flight {
  Flight(const Trial::Options &options, int32_t rank)
      : trial(std::make_unique<Trial>(options, rank)) {}

  Error start(Communicator &communicator) {
    return communicator.start(trial->collective, trial->buffers, transfer);
  }

  std::unique_ptr<Trial> trial;
  std::unique_ptr<Transfer> transfer;
};

/// Does not give up the core.
void compute(std::chrono::microseconds time) {
  auto end = Clock::now() + time;
  while (Clock::now() < end)
    continue;
}

Trial::Options optionsOf(const std::string &name, int kind, int32_t ranks,
                         std::vector<int64_t> elements) {
  Trial::Options options;
  options.kind = Collective::Kind(kind);
  options.name = name;
  options.group = firstRanks(ranks);
  options.elements = std::move(elements);
  return options;
}

void add(Traffic &sum, const Traffic &term) {
  sum.bytesSent += term.bytesSent;
  sum.bytesReceived += term.bytesReceived;
  sum.collectives += term.collectives;
}

std::string textOf(const Traffic &traffic) {
  return std::to_string(traffic.collectives) + " collectives, " +
         std::to_string(traffic.bytesSent) + " sent, " +
         std::to_string(traffic.bytesReceived) + " received";
}

} // namespace

/// One rank gets what it waits for while the others compute.
TEST_P(CommunicatorTest, OthersNeedNotWait) {
  constexpr int32_t ranks = 2;
  std::unique_ptr<World> world = GetParam().make(ranks);
  if (!world)
    GTEST_SKIP() << "needs 2 ranks";
  EXPECT_EQ(world->run([&](Communicator &communicator) -> std::string {
    int32_t rank = communicator.rank();
    if (rank >= ranks)
      return std::string();
    std::vector<Flight> flights;
    for (int kind = 0; kind < 4; ++kind) {
      for (const std::vector<int64_t> &elements :
           {std::vector<int64_t>{7, 3, 9}, {300001, 70000, 3, 99}}) {
        flights.emplace_back(optionsOf("kind " + std::to_string(kind) + " of " +
                                           std::to_string(elements.size()),
                                       kind, ranks, elements),
                             rank);
        if (Error error = flights.back().start(communicator))
          return error.message();
      }
    }
    if (rank)
      std::this_thread::sleep_for(3s);
    auto begin = Clock::now();
    for (Flight &flight : flights) {
      if (Error error = flight.transfer->wait())
        return error.message();
      if (Clock::now() - begin > 2500ms)
        return flight.trial->collective.name + " waited for a rank that "
                                               "computes";
    }
    for (Flight &flight : flights) {
      std::string text = flight.trial->verify();
      if (!text.empty())
        return text;
    }
    return std::string();
  }),
            "");
}

TEST_P(CommunicatorTest, ComputesBetweenStartAndWait) {
  for (int32_t ranks : {1, 2, kMostRanks}) {
    std::unique_ptr<World> world = GetParam().make(ranks);
    if (!world)
      continue;
    EXPECT_EQ(world->run([&](Communicator &communicator) -> std::string {
      int32_t rank = communicator.rank();
      if (rank >= ranks)
        return std::string();
      std::mt19937 random(static_cast<unsigned>(rank));
      for (int round = 0; round < kRounds; ++round) {
        std::vector<Flight> flights;
        for (int i = 0; i < 3; ++i) {
          Trial::Options options = optionsOf(
              "round " + std::to_string(round) + "." + std::to_string(i),
              (round + i) % 4, ranks, {100000, 5, 30001, 0, 999});
          options.type = kTypes[round / 4 % 4];
          options.seed = uint64_t(round * 3 + i);
          flights.emplace_back(options, rank);
          if (Error error = flights.back().start(communicator))
            return error.message();
          compute(std::chrono::microseconds(random() % 2000));
        }
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
        for (Flight &flight : flights) {
          if (Error error = flight.transfer->wait())
            return error.message();
          // The memory is this rank's again.
          std::string text = flight.trial->verify();
          if (!text.empty())
            return text;
          compute(std::chrono::microseconds(random() % 500));
        }
      }
      return std::string();
    }),
              "")
        << ranks << " ranks";
  }
}

/// Random collectives of random groups, ended in random orders: bits and
/// counters are what they are without anything in the background.
TEST_P(CommunicatorTest, RandomStartsAndWaitsCountTheSame) {
  for (int32_t ranks : {2, 3, 4}) {
    std::unique_ptr<World> world = GetParam().make(ranks);
    if (!world)
      continue;
    std::mt19937 random(unsigned(ranks) * 77);
    std::vector<Trial::Options> all;
    for (int i = 0; i < 200; ++i) {
      Trial::Options options;
      options.kind = Collective::Kind(random() % 4);
      options.type = kTypes[random() % 4];
      options.isMean = random() % 2;
      options.isInPlace = random() % 2;
      options.isContiguous = random() % 2;
      options.seed = random();
      options.name = "number " + std::to_string(i);
      options.group = firstRanks(ranks);
      std::shuffle(options.group.begin(), options.group.end(), random);
      options.group.resize(1 + random() % size_t(ranks));
      for (size_t j = random() % 6; j > 0; --j)
        options.elements.push_back(random() % (random() % 6 ? 900 : 40000));
      all.push_back(std::move(options));
    }
    EXPECT_EQ(world->run([&](Communicator &communicator) -> std::string {
      int32_t rank = communicator.rank();
      std::mt19937 own(static_cast<unsigned>(rank) + 5);
      Traffic rule;
      std::vector<Flight> flights;
      auto endOne = [&]() -> std::string {
        size_t index = own() % flights.size();
        if (Error error = flights[index].transfer->wait())
          return error.message();
        std::string text = flights[index].trial->verify();
        flights.erase(flights.begin() + long(index));
        return text;
      };
      for (const Trial::Options &options : all) {
        if (!std::count(options.group.begin(), options.group.end(), rank))
          continue;
        flights.emplace_back(options, rank);
        add(rule, getTraffic(flights.back().trial->collective));
        if (Error error = flights.back().start(communicator))
          return error.message();
        if (own() % 4 == 0)
          std::this_thread::sleep_for(std::chrono::microseconds(own() % 400));
        while (!flights.empty() && (flights.size() > 12 || own() % 3 == 0)) {
          std::string text = endOne();
          if (!text.empty())
            return text;
        }
      }
      while (!flights.empty()) {
        std::string text = endOne();
        if (!text.empty())
          return text;
      }
      std::string counted = textOf(communicator.getTraffic());
      return counted == textOf(rule)
                 ? std::string()
                 : "counted " + counted + ", expected " + textOf(rule);
    }),
              "")
        << ranks << " ranks";
  }
}

//===----------------------------------------------------------------------===//
// Failure
//===----------------------------------------------------------------------===//

/// Memory is left alone once a wait has told of the end, however it ends.
TEST_P(CommunicatorTest, AbortWhileDataMoves) {
  constexpr int32_t ranks = 2;
  for (int i = 0; i < kAborts; ++i) {
    std::unique_ptr<World> world = GetParam().make(ranks);
    if (!world)
      GTEST_SKIP() << "needs 2 ranks";
    ASSERT_EQ(world->run([&](Communicator &communicator) -> std::string {
      int32_t rank = communicator.rank();
      if (rank >= ranks)
        return std::string();
      communicator.setTimeout(30s);
      std::vector<Flight> flights;
      std::thread other;
      if (rank == i % ranks)
        other = std::thread([&] {
          std::this_thread::sleep_for(std::chrono::microseconds(i * 211));
          communicator.abort("enough");
        });
      std::string text;
      for (int j = 0; j < 3; ++j) {
        flights.emplace_back(optionsOf("t", (i + j) % 4, ranks,
                                       {kLarge / 4, 17, 40000, kLarge / 8}),
                             rank);
        if (Error error = flights.back().start(communicator)) {
          text = error.message();
          flights.pop_back();
          break;
        }
      }
      if (i % 3 == 0)
        compute(3ms);
      for (Flight &flight : flights) {
        Error error = flight.transfer->wait();
        if (error && text.empty())
          text = error.message();
        if (error && error.message() != text)
          text = "first " + text + ", then " + error.message();
        if (!error && text.empty())
          text = flight.trial->verify();
      }
      // ThreadSanitizer sees who writes beside this.
      std::vector<std::vector<char>> patterns;
      auto eachSegment = [&](auto body) {
        for (Flight &flight : flights)
          for (size_t k = 0; k < flight.trial->buffers.receive.size(); ++k)
            if (void *address = flight.trial->buffers.receive[k])
              body(address,
                   size_t(flight.trial->collective.segments[k].elements) * 4);
      };
      eachSegment([&](void *address, size_t bytes) {
        std::memset(address, 0x3c, bytes);
      });
      std::this_thread::sleep_for(5ms);
      bool isTouched = false;
      eachSegment([&](void *address, size_t bytes) {
        auto *begin = static_cast<const char *>(address);
        isTouched |= !std::all_of(begin, begin + bytes,
                                  [](char c) { return c == 0x3c; });
      });
      if (other.joinable())
        other.join();
      if (isTouched)
        return "memory was written after the wait";
      std::string expected = rank == i % ranks
                                 ? "enough"
                                 : "rank " + std::to_string(i % ranks) +
                                       " stopped all ranks: enough";
      return text.empty() || text == expected ? std::string() : text;
    }),
              "")
        << i;
  }
}

/// A failure that comes while nobody waits is told by the wait.
TEST_P(CommunicatorTest, FailureIsFoundWithoutAWait) {
  std::unique_ptr<World> world = GetParam().make(2);
  if (!world)
    GTEST_SKIP() << "needs 2 ranks";
  EXPECT_EQ(world->run([&](Communicator &communicator) -> std::string {
    int32_t rank = communicator.rank();
    if (rank > 1)
      return std::string();
    Flight flight(optionsOf("t", Collective::AllReduce, 2, {10, 100000}), rank);
    if (rank) {
      std::this_thread::sleep_for(100ms);
      communicator.abort("no memory for 'w'");
      return std::string();
    }
    if (Error error = flight.start(communicator))
      return error.message();
    std::this_thread::sleep_for(400ms);
    Error error = flight.transfer->wait();
    return error.message() == "rank 1 stopped all ranks: no memory for 'w'"
               ? std::string()
               : "found " + error.message();
  }),
            "");
}

TEST_P(CommunicatorTest, DestroyedWithTransfersUnderWay) {
  for (int i = 0; i < 4; ++i) {
    std::unique_ptr<World> world = GetParam().make(2);
    if (!world)
      GTEST_SKIP() << "needs 2 ranks";
    // The second is started by rank 0 alone, the third by rank 1 alone.
    Trial::Options first = optionsOf("first", i, 2, {kLarge / 4, 5, 1000}),
                   second = first, third = first;
    second.name = "second";
    second.group = {1, 0};
    third.name = "third";
    std::string found;
    EXPECT_EQ(world->run([&](Communicator &communicator) -> std::string {
      int32_t rank = communicator.rank();
      if (rank > 1)
        return std::string();
      communicator.setTimeout(30s);
      if (rank) {
        // Where the first one fails depends on who is faster.
        Flight flights[] = {{first, rank}, {third, rank}};
        std::vector<std::string> texts;
        for (Flight &flight : flights) {
          Error error = flight.start(communicator);
          std::this_thread::sleep_for(std::chrono::milliseconds(i * 20));
          if (!error)
            error = flight.transfer->wait();
          texts.push_back(error.message());
        }
        if (!texts[0].empty() && texts[0] != texts[1])
          return texts[0] + ", then " + texts[1];
        found = texts[1];
        return std::string();
      }
      Flight flights[] = {{first, rank}, {second, rank}};
      for (Flight &flight : flights)
        if (Error error = flight.start(communicator))
          return error.message();
      for (auto &own : world->communicators)
        if (own.get() == &communicator) {
          own.reset();
          break;
        }
      bool isTouched = false;
      for (bool isWriting : {true, false}) {
        for (Flight &flight : flights) {
          for (size_t k = 0; k < 3; ++k) {
            auto *begin = static_cast<char *>(flight.trial->buffers.receive[k]);
            auto bytes =
                size_t(flight.trial->collective.segments[k].elements) * 4;
            if (begin && isWriting)
              std::memset(begin, 0x3c, bytes);
            else if (begin)
              isTouched |= !std::all_of(begin, begin + bytes,
                                        [](char c) { return c == 0x3c; });
          }
        }
        std::this_thread::sleep_for(5ms);
      }
      EXPECT_FALSE(isTouched);
      return std::string();
    }),
              "");
    for (auto &own : world->communicators)
      if (own && own->rank() == 1)
        EXPECT_THAT(found, HasSubstr("rank 0 stopped all ranks: the "
                                     "communicator was destroyed before the "
                                     "end of "));
  }
}
