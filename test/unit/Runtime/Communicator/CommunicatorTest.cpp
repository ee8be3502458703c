//===- CommunicatorTest.cpp - What all communicators do -------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The same tests for ranks that are threads, for messages within one process,
// and, in a program of its own, for processes of MPI.
//
//===----------------------------------------------------------------------===//

#include "CommunicatorTest.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

using namespace muon;

namespace {

/// Under ThreadSanitizer, which is slow, the same order of events with less.
#ifdef MUON_FEWER_TRIALS
constexpr int32_t kSizes[] = {1, 3, 4};
constexpr int kVariantStep = 3;
constexpr int64_t kLarge = 300001;
#else
constexpr int32_t kSizes[] = {1, 2, 3, 4, 8};
constexpr int kVariantStep = 1;
constexpr int64_t kLarge = 2300001;
#endif
constexpr MuonType kTypes[] = {MUON_TYPE_F32, MUON_TYPE_BF16, MUON_TYPE_F16,
                               MUON_TYPE_F64};

/// Empty ones, fewer elements than ranks, odd ones, and some that are more than
/// one message.
const std::vector<int64_t> kShapes[] = {
    {},
    {0},
    {1},
    {0, 3, 0, 0, 7, 1, 1, 1000, 0},
    {5, 2047, 2048, 2049, 65, 8191, 3},
    {1, 9001, 17, 12007, 0, 5, 3},
};

std::string runAll(World &world, const Trial::Options &options) {
  return world.run([&](Communicator &communicator) {
    if (!std::count(options.group.begin(), options.group.end(),
                    communicator.rank()))
      return std::string();
    return Trial(options, communicator.rank()).execute(communicator);
  });
}

void checkKind(World &world, int32_t ranks, Collective::Kind kind) {
  uint64_t seed = 0;
  for (MuonType type : kTypes) {
    for (const std::vector<int64_t> &elements : kShapes) {
      for (int variant = 0; variant < 8; variant += kVariantStep) {
        Trial::Options options;
        options.kind = kind;
        options.type = type;
        options.isMean = variant & 1;
        options.isInPlace = variant & 2;
        options.isContiguous = variant & 4;
        options.group = firstRanks(ranks);
        // Not the order of the ranks.
        std::rotate(options.group.begin(),
                    options.group.begin() + variant % ranks,
                    options.group.end());
        options.elements = elements;
        options.seed = ++seed;
        options.name = "type " + std::to_string(type) + " of " +
                       std::to_string(elements.size()) + " variant " +
                       std::to_string(variant);
        ASSERT_EQ(runAll(world, options), "") << ranks << " ranks";
      }
    }
  }
}

} // namespace

#define MUON_FOR_SIZES(world, ranks)                                           \
  for (int32_t ranks : kSizes)                                                 \
    if (std::unique_ptr<World> world = GetParam().make(ranks))

TEST_P(CommunicatorTest, AllReduce) {
  MUON_FOR_SIZES(world, ranks)
  checkKind(*world, ranks, Collective::AllReduce);
}

TEST_P(CommunicatorTest, ReduceScatter) {
  MUON_FOR_SIZES(world, ranks)
  checkKind(*world, ranks, Collective::ReduceScatter);
}

TEST_P(CommunicatorTest, AllGather) {
  MUON_FOR_SIZES(world, ranks)
  checkKind(*world, ranks, Collective::AllGather);
}

TEST_P(CommunicatorTest, AllToAll) {
  MUON_FOR_SIZES(world, ranks)
  checkKind(*world, ranks, Collective::AllToAll);
}

/// More than the window of messages that are summed, and many segments that
/// are put together.
TEST_P(CommunicatorTest, LargeSegmentsAndManySmallOnes) {
  for (int32_t ranks : {2, 3}) {
    std::unique_ptr<World> world = GetParam().make(ranks);
    if (!world)
      continue;
    for (int kind = 0; kind < 4; ++kind) {
      Trial::Options options;
      options.kind = Collective::Kind(kind);
      options.type = kind % 2 ? MUON_TYPE_F32 : MUON_TYPE_BF16;
      options.group = firstRanks(ranks);
      options.elements = {kLarge};
      for (int64_t i = 0; i < 3000; ++i)
        options.elements.push_back(i * 37 % 400);
      options.elements.push_back(150000);
      options.name = "kind " + std::to_string(kind);
      ASSERT_EQ(runAll(*world, options), "");
    }
  }
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// The result of an all_reduce of one element, which is terms[i] at rank
/// group[i], has to be `expected`.
static void checkSum(World &world, MuonType type, bool isMean,
                     const std::vector<int32_t> &group,
                     const std::vector<double> &terms, double expected) {
  std::string errors = world.run([&](Communicator &communicator) {
    auto place = std::find(group.begin(), group.end(), communicator.rank()) -
                 group.begin();
    Collective collective;
    collective.type = type;
    collective.isMean = isMean;
    collective.group = group;
    collective.place = int32_t(place);
    // Its part of each comes from every rank once.
    collective.segments.assign(group.size(), {1, -1, -1});
    if (size_t(place) == group.size())
      return std::string();
    std::vector<char> memory;
    for (size_t i = 0; i < group.size(); ++i) {
      std::vector<char> bits = encode(type, terms[size_t(place)]);
      memory.insert(memory.end(), bits.begin(), bits.end());
    }
    CollectiveBuffers buffers;
    size_t size = memory.size() / group.size();
    for (size_t i = 0; i < group.size(); ++i) {
      buffers.send.push_back(memory.data() + i * size);
      buffers.receive.push_back(memory.data() + i * size);
    }
    std::unique_ptr<Transfer> transfer;
    if (Error error = communicator.start(collective, buffers, transfer))
      return error.message();
    if (Error error = transfer->wait())
      return error.message();
    for (size_t i = 1; i < group.size(); ++i)
      if (!std::equal(memory.begin(), memory.begin() + long(size),
                      memory.begin() + long(i * size)))
        return std::string("segments differ");
    double found = decode(type, memory.data());
    if (found == expected || (std::isnan(found) && std::isnan(expected)))
      return std::string();
    return "found " + std::to_string(found) + ", expected " +
           std::to_string(expected);
  });
  EXPECT_EQ(errors, "") << "type " << type;
}

TEST_P(CommunicatorTest, RoundsOnce) {
  std::unique_ptr<World> world = GetParam().make(3);
  if (!world)
    GTEST_SKIP() << "needs 3 ranks";
  std::vector<int32_t> group = {0, 1, 2};
  // Adding 1 twice does nothing where each sum is rounded.
  checkSum(*world, MUON_TYPE_BF16, false, group, {256, 1, 1}, 258);
  checkSum(*world, MUON_TYPE_F16, false, group, {2048, 1, 1}, 2050);
  // Ties go to even: 257 and 259, of which 256 and 260 are.
  checkSum(*world, MUON_TYPE_BF16, false, group, {256, 1, 0}, 256);
  checkSum(*world, MUON_TYPE_BF16, false, group, {256, 2, 1}, 260);
  // Too large for f16 before the mean is taken.
  checkSum(*world, MUON_TYPE_F16, true, group, {60000, 60000, 60000}, 60000);
  checkSum(*world, MUON_TYPE_F16, false, group, {60000, 60000, 0}, INFINITY);
}

TEST_P(CommunicatorTest, SumsInOrderOfTheGroup) {
  std::unique_ptr<World> world = GetParam().make(3);
  if (!world)
    GTEST_SKIP() << "needs 3 ranks";
  for (std::vector<int32_t> group :
       {std::vector<int32_t>{0, 1, 2}, {2, 0, 1}, {1, 2, 0}}) {
    checkSum(*world, MUON_TYPE_F32, false, group, {1e8, 1, -1e8}, 0);
    checkSum(*world, MUON_TYPE_F32, false, group, {1e8, -1e8, 1}, 1);
    checkSum(*world, MUON_TYPE_F64, false, group, {1e17, 1, -1e17}, 0);
  }
}

TEST_P(CommunicatorTest, KeepsInfinityAndNan) {
  std::unique_ptr<World> world = GetParam().make(2);
  if (!world)
    GTEST_SKIP() << "needs 2 ranks";
  for (MuonType type : kTypes) {
    checkSum(*world, type, true, {0, 1}, {-INFINITY, 1}, -INFINITY);
    checkSum(*world, type, false, {0, 1}, {INFINITY, -INFINITY}, NAN);
    checkSum(*world, type, true, {1, 0}, {NAN, 1}, NAN);
  }
}

//===----------------------------------------------------------------------===//
// Several at a time
//===----------------------------------------------------------------------===//

/// Ranks start the collectives of random groups in one order, and end them in
/// orders of their own.
TEST_P(CommunicatorTest, ManyInFlight) {
  for (int32_t ranks : {2, 4, 8}) {
    std::unique_ptr<World> world = GetParam().make(ranks);
    if (!world)
      continue;
    std::mt19937 random(static_cast<unsigned>(ranks));
    std::vector<Trial::Options> all;
    for (int i = 0; i < 120; ++i) {
      Trial::Options options;
      options.kind = Collective::Kind(random() % 4);
      options.type = kTypes[random() % 4];
      options.isMean = random() % 2;
      options.isInPlace = random() % 2;
      options.seed = random();
      options.name = "number " + std::to_string(i);
      options.group = firstRanks(ranks);
      std::shuffle(options.group.begin(), options.group.end(), random);
      options.group.resize(1 + random() % size_t(ranks));
      for (size_t j = random() % 6; j > 0; --j)
        options.elements.push_back(random() % (random() % 8 ? 300 : 30000));
      all.push_back(std::move(options));
    }
    EXPECT_EQ(world->run([&](Communicator &communicator) -> std::string {
      int32_t rank = communicator.rank();
      std::mt19937 own(static_cast<unsigned>(rank));
      struct Flight {
        std::unique_ptr<Trial> trial;
        std::unique_ptr<Transfer> transfer;
      };
      std::vector<Flight> flights;
      auto end = [&](size_t index) -> std::string {
        if (Error error = flights[index].transfer->wait())
          return error.message();
        std::string text = flights[index].trial->verify();
        flights.erase(flights.begin() + long(index));
        return text;
      };
      for (const Trial::Options &options : all) {
        if (!std::count(options.group.begin(), options.group.end(), rank))
          continue;
        Flight flight;
        flight.trial = std::make_unique<Trial>(options, rank);
        if (Error error =
                communicator.start(flight.trial->collective,
                                   flight.trial->buffers, flight.transfer))
          return error.message();
        flights.push_back(std::move(flight));
        while (!flights.empty() && own() % 3 == 0) {
          std::string text = end(own() % flights.size());
          if (!text.empty())
            return text;
        }
      }
      while (!flights.empty()) {
        std::string text = end(own() % flights.size());
        if (!text.empty())
          return text;
      }
      return std::string();
    }),
              "");
  }
}

TEST_P(CommunicatorTest, ExchangesStrings) {
  MUON_FOR_SIZES(world, ranks) {
    for (size_t step : {size_t(0), size_t(1), size_t(77777)}) {
      EXPECT_EQ(world->run([&](Communicator &communicator) -> std::string {
        auto textOf = [&](int32_t rank) {
          return std::string(size_t(rank + 1) * step, char('a' + rank));
        };
        std::vector<std::string> all;
        if (Error error =
                communicator.exchange(textOf(communicator.rank()), all))
          return error.message();
        if (int32_t(all.size()) != communicator.size())
          return "wrong number of strings";
        for (int32_t i = 0; i < communicator.size(); ++i)
          if (all[size_t(i)] != textOf(i))
            return "wrong string of rank " + std::to_string(i);
        if (communicator.getTraffic().bytesSent ||
            communicator.getTraffic().collectives)
          return "counted";
        return std::string();
      }),
                "");
    }
  }
}

//===----------------------------------------------------------------------===//
// Traffic
//===----------------------------------------------------------------------===//

/// What moved is what the rule says.
TEST_P(CommunicatorTest, CountsWhatMoves) {
  MUON_FOR_SIZES(world, ranks) {
    for (int kind = 0; kind < 4; ++kind) {
      for (const std::vector<int64_t> &elements : kShapes) {
        Trial::Options options;
        options.kind = Collective::Kind(kind);
        options.type = kTypes[(kind + 1) % 4];
        options.group = firstRanks(ranks);
        options.elements = elements;
        EXPECT_EQ(world->run([&](Communicator &communicator) -> std::string {
          if (communicator.rank() >= ranks)
            return std::string();
          Traffic before = communicator.getTraffic();
          Trial trial(options, communicator.rank());
          std::string text = trial.execute(communicator);
          Traffic rule = getTraffic(trial.collective);
          Traffic after = communicator.getTraffic();
          if (!text.empty())
            return text;
          if (after.bytesSent - before.bytesSent != rule.bytesSent)
            return "sent " +
                   std::to_string(after.bytesSent - before.bytesSent) +
                   ", expected " + std::to_string(rule.bytesSent);
          if (after.bytesReceived - before.bytesReceived != rule.bytesReceived)
            return "received " +
                   std::to_string(after.bytesReceived - before.bytesReceived) +
                   ", expected " + std::to_string(rule.bytesReceived);
          if (after.collectives - before.collectives != 1)
            return "not counted once";
          return std::string();
        }),
                  "");
      }
    }
  }
}
