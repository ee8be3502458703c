//===- CommunicatorLayoutTest.cpp - Segments, messages, counters ----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CollectiveEngine.h"
#include "CollectiveLayout.h"
#include "FakeLink.h"
#include "World.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <sys/mman.h>
#include <unistd.h>

using namespace muon;
using namespace muon::collective;
using testing::HasSubstr;

namespace {

Collective collectiveOf(Collective::Kind kind, MuonType type, int32_t ranks,
                        int32_t place,
                        std::vector<Collective::Segment> segments) {
  Collective collective;
  collective.kind = kind;
  collective.name = "t";
  collective.type = type;
  collective.group = firstRanks(ranks);
  collective.place = place;
  collective.segments = std::move(segments);
  return collective;
}

void expectTraffic(const Collective &collective, uint64_t sent,
                   uint64_t received) {
  Traffic traffic = getTraffic(collective);
  EXPECT_EQ(traffic.bytesSent, sent);
  EXPECT_EQ(traffic.bytesReceived, received);
  EXPECT_EQ(traffic.collectives, 1u);
}

struct LocalWorld final : World {
  explicit LocalWorld(int32_t ranks)
      : network(std::make_shared<FakeNetwork>(ranks)) {
    for (int32_t rank = 0; rank < ranks; ++rank)
      communicators.push_back(
          std::make_unique<Engine>(std::make_unique<FakeLink>(network, rank)));
  }
  int32_t size() const override { return int32_t(communicators.size()); }
  std::shared_ptr<FakeNetwork> network;
};

} // namespace

TEST(CollectiveTrafficTest, CountsByTheRule) {
  using C = Collective;
  // Place 1 of 4.
  expectTraffic(collectiveOf(C::AllGather, MUON_TYPE_BF16, 4, 1,
                             {{10, 1, -1}, {7, 0, -1}, {5, 3, -1}}),
                3 * 10 * 2, (7 + 5) * 2);
  expectTraffic(collectiveOf(C::ReduceScatter, MUON_TYPE_F32, 4, 1,
                             {{10, -1, 1}, {7, -1, 0}, {5, -1, 3}}),
                (7 + 5) * 4, 3 * 10 * 4);
  expectTraffic(collectiveOf(C::AllToAll, MUON_TYPE_F64, 4, 1,
                             {{10, 1, 1}, {7, 1, 0}, {5, 3, 1}, {3, 2, 3}}),
                7 * 8, 5 * 8);
  // 10 of 4: 3, 3, 2, 2. 2: 1, 1, 0, 0.
  expectTraffic(collectiveOf(C::AllReduce, MUON_TYPE_F32, 4, 1,
                             {{10, -1, -1}, {2, -1, -1}}),
                (7 + 9 + 1 + 3) * 4, (9 + 7 + 3 + 1) * 4);
  expectTraffic(collectiveOf(C::AllReduce, MUON_TYPE_F32, 4, 3, {{2, -1, -1}}),
                2 * 4, 2 * 4);
  expectTraffic(collectiveOf(C::AllReduce, MUON_TYPE_F32, 1, 0, {{10, -1, -1}}),
                0, 0);
}

TEST(CollectiveLayoutTest, DividesMoreThan32BitsOfElements) {
  constexpr int64_t elements = (int64_t(1) << 33) + 5;
  Collective collective = collectiveOf(Collective::AllReduce, MUON_TYPE_F64, 7,
                                       2, {{elements, -1, -1}});
  int64_t next = 0;
  for (int32_t place = 0; place < 7; ++place) {
    collective::Run part = partOf(collective, 0, place);
    EXPECT_EQ(part.begin, next);
    EXPECT_EQ(part.count, elements / 7 + (place < elements % 7));
    next += part.count;
  }
  EXPECT_EQ(next, elements);

  std::vector<collective::Run> runs = {
      {0, 3, 5}, {1, 11, elements}, {2, 0, 1}, {3, 0, 2}};
  std::vector<Message> messages =
      cutIntoMessages(runs, 8, Link::kLargestMessage, 1 << 18);
  // 2³³ elements of 8 bytes are 64 GiB.
  ASSERT_EQ(messages.size(), 1u + 65 + 1);
  EXPECT_EQ(messages[0].bytes, 40);
  int64_t begin = 11;
  for (size_t i = 1; i <= 65; ++i) {
    ASSERT_EQ(messages[i].numRuns, 1u);
    const collective::Run &run = runs[messages[i].firstRun];
    EXPECT_EQ(run.segment, 1);
    EXPECT_EQ(run.begin, begin);
    EXPECT_EQ(run.count * 8, messages[i].bytes);
    EXPECT_LE(messages[i].bytes, Link::kLargestMessage);
    begin += run.count;
  }
  EXPECT_EQ(begin, 11 + elements);
  EXPECT_EQ(messages[66].numRuns, 2u);
  expectTraffic(collective,
                uint64_t(elements + 5 * partOf(collective, 0, 2).count) * 8,
                uint64_t(elements + 5 * partOf(collective, 0, 2).count) * 8);
}

TEST(CollectiveLayoutTest, BoundsStaging) {
  for (int64_t ranks : {2, 3, 4, 8, 64, 513, 2048, 100000}) {
    Sizes sizes(static_cast<size_t>(ranks));
    int64_t most = std::max((ranks - 1) * 65536, int64_t(64) << 20);
    EXPECT_LE(2 * (ranks - 1) * (sizes.summed + sizes.packed), most) << ranks;
    EXPECT_LE(4 * (ranks - 1) * sizes.packed, most) << ranks;
    EXPECT_GE(sizes.summed, sizes.packed);
    EXPECT_EQ(sizes.summed % 8 + sizes.packed % 8, 0);
  }
}

/// Many thousands of small segments are few messages.
TEST(CollectiveMessagesTest, AreFew) {
  for (int kind = 0; kind < 4; ++kind) {
    LocalWorld world(4);
    Trial::Options options;
    options.kind = Collective::Kind(kind);
    options.group = firstRanks(4);
    options.isContiguous = true;
    for (int64_t i = 0; i < 10000; ++i)
      options.elements.push_back(1 + i * 7919 % 1000);
    EXPECT_EQ(world.run([&](Communicator &communicator) {
      return Trial(options, communicator.rank()).execute(communicator);
    }),
              "");
    // 20 MB of f32 from each of 4 ranks to 3 others, at least half of 256 KiB
    // at a time, for an all_reduce twice.
    EXPECT_LT(world.network->numSent, kind == 0 ? 1000 : 600);
    EXPECT_LE(world.network->largest, 4 << 20);
  }
}

TEST(CollectiveMessagesTest, NonsenseIsNamed) {
  LocalWorld world(2);
  FakeLink other(world.network, 1);
  Link::Request request;
  char nonsense[100] = {};
  ASSERT_FALSE(other.send(0, kAnnouncementTag, nonsense, 100, request));
  Trial::Options options;
  options.group = {0, 1};
  options.elements = {1};
  EXPECT_THAT(Trial(options, 0).execute(*world.communicators[0]),
              HasSubstr("rank 1 sent 100 bytes that announce nothing"));
}

TEST(CollectiveMessagesTest, ErrorsOfTheNetworkEndIt) {
  for (int64_t calls : {0, 1, 2, 3, 5, 8, 13, 17}) {
    LocalWorld world(3);
    for (auto &communicator : world.communicators)
      communicator->setTimeout(std::chrono::seconds(1));
    world.network->failsAfter = calls;
    Trial::Options options;
    options.group = firstRanks(3);
    options.elements = {3000000};
    std::string text = world.run([&](Communicator &communicator) {
      return Trial(options, communicator.rank()).execute(communicator);
    });
    EXPECT_THAT(text, HasSubstr("the network is down")) << calls;
  }
}

/// 4 GiB and more of one segment, in address space alone: both ends see the
/// same few pages again and again.
TEST(CollectiveLayoutTest, MovesMoreThan32BitsOfBytes) {
#if defined(__SANITIZE_THREAD__) || defined(MUON_FEWER_TRIALS)
  GTEST_SKIP() << "too slow here";
#endif
  constexpr size_t window = size_t(32) << 20;
  constexpr size_t total = (size_t(4) << 30) + window;
  constexpr int64_t elements = int64_t(total / 2 - 3);
  char *views[2];
  for (char *&view : views) {
    int file = ::memfd_create("segment", 0);
    ASSERT_GE(file, 0);
    ASSERT_EQ(::ftruncate(file, window), 0);
    void *space = ::mmap(nullptr, total, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(space, MAP_FAILED);
    view = static_cast<char *>(space);
    for (size_t begin = 0; begin < total; begin += window)
      ASSERT_NE(::mmap(view + begin, window, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_FIXED, file, 0),
                MAP_FAILED);
    ::close(file);
  }
  for (size_t i = 0; i < window; ++i)
    views[0][i] = char(i * 31 >> 3);
  std::vector<std::unique_ptr<Communicator>> threads;
  ASSERT_FALSE(makeThreadCommunicators(2, threads));
  LocalWorld messages(2);
  for (auto *communicators : {&threads, &messages.communicators}) {
    std::memset(views[1], 0, window);
    struct Pair final : World {
      int32_t size() const override { return 2; }
    } pair;
    pair.communicators = std::move(*communicators);
    EXPECT_EQ(pair.run([&](Communicator &communicator) -> std::string {
      int32_t rank = communicator.rank();
      Collective collective = collectiveOf(
          Collective::AllGather, MUON_TYPE_BF16, 2, rank, {{elements, 0, -1}});
      CollectiveBuffers buffers;
      buffers.send = {rank ? nullptr : views[0]};
      buffers.receive = {rank ? views[1] : nullptr};
      std::unique_ptr<Transfer> transfer;
      if (Error error = communicator.start(collective, buffers, transfer))
        return error.message();
      if (Error error = transfer->wait())
        return error.message();
      const Traffic &traffic = communicator.getTraffic();
      return traffic.bytesSent + traffic.bytesReceived == elements * 2
                 ? ""
                 : "wrong count";
    }),
              "");
    // The last lap over the pages ends 6 bytes early.
    EXPECT_TRUE(std::equal(views[0], views[0] + window, views[1]));
  }
  for (char *view : views)
    ::munmap(view, total);
}
