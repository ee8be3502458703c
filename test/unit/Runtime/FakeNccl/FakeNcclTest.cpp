//===- FakeNcclTest.cpp - Tests of the fake NCCL --------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// What the tests of the communicator rely on.
//
//===----------------------------------------------------------------------===//

#include "NcclTest.h"

#include <unistd.h>

using namespace muon;
using namespace muon::nccl;
using namespace muon::test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

class FakeNcclTest : public NcclTest {
protected:
  /// Polls until the communicator is ready again.
  Result settle(Comm comm) const {
    Result result = InProgress;
    for (int i = 0; i < 2000000 && result == InProgress; ++i) {
      std::this_thread::yield();
      if (Result call = library->commGetAsyncError(comm, &result))
        return call;
    }
    return result;
  }

  /// Calls body(rank, communicator) on each rank, with its communicator ready.
  template <typename Body>
  void onComms(int ranks, Body body) {
    UniqueId id;
    ASSERT_EQ(library->getUniqueId(&id), Success);
    onRanks(ranks, [&](int rank) {
      Config config;
      config.blocking = 0;
      Comm comm = nullptr;
      Result result =
          library->commInitRankConfig(&comm, ranks, id, rank, &config);
      ASSERT_TRUE(result == Success || result == InProgress) << result;
      ASSERT_EQ(settle(comm), Success);
      body(rank, comm);
      EXPECT_EQ(library->commAbort(comm), Success);
    });
    EXPECT_NE(::access(id.bytes, F_OK), 0) << id.bytes;
  }
};

} // namespace

TEST_F(FakeNcclTest, MovesAndSums) {
  onComms(3, [&](int rank, Comm comm) {
    const float mine = float(rank + 1);
    std::vector<float> ones(1000, mine), sum(1000), all(3000), one(1000);
    Result result = library->allReduce(ones.data(), sum.data(), 1000, Float32,
                                       Average, comm, nullptr);
    EXPECT_EQ(result == Success || result == InProgress, true);
    EXPECT_EQ(settle(comm), Success);
    EXPECT_EQ(sum, std::vector<float>(1000, 2));

    library->groupStart();
    library->allGather(ones.data(), all.data(), 1000, Float32, comm, nullptr);
    library->broadcast(ones.data(), one.data(), 1000, Float32, 2, comm,
                       nullptr);
    library->groupEnd();
    EXPECT_EQ(settle(comm), Success);
    EXPECT_EQ(all[0], 1);
    EXPECT_EQ(all[1000], 2);
    EXPECT_EQ(all[2999], 3);
    EXPECT_EQ(one, std::vector<float>(1000, 3));

    // A ring, and one to itself.
    float got[2] = {};
    library->groupStart();
    library->send(&mine, 1, Float32, (rank + 1) % 3, comm, nullptr);
    library->receive(&got[0], 1, Float32, (rank + 2) % 3, comm, nullptr);
    library->send(&mine, 1, Float32, rank, comm, nullptr);
    library->receive(&got[1], 1, Float32, rank, comm, nullptr);
    library->groupEnd();
    EXPECT_EQ(settle(comm), Success);
    EXPECT_EQ(got[0], float((rank + 2) % 3 + 1));
    EXPECT_EQ(got[1], mine);
  });
  std::vector<std::string> calls = callsOf(1);
  ASSERT_GT(calls.size(), 3u);
  EXPECT_EQ(calls[0], "ncclCommInitRankConfig ranks=3 blocking=0");
  EXPECT_THAT(calls[1], StartsWith("ncclAllReduce count=1000 type=f32 op=avg "
                                   "comm=world rank=1/3 group=0"));
}

TEST_F(FakeNcclTest, Splits) {
  onComms(4, [&](int rank, Comm comm) {
    Comm child = nullptr;
    // Odd and even ones, the last first; rank 3 not at all.
    int color = rank == 3 ? noColor : rank % 2;
    library->commSplit(comm, color, -rank, &child, nullptr);
    ASSERT_EQ(settle(comm), Success);
    EXPECT_EQ(child == nullptr, rank == 3);
    if (rank == 3)
      return;
    ASSERT_EQ(settle(child), Success);
    int count = 0, place = -1;
    library->commCount(child, &count);
    library->commUserRank(child, &place);
    EXPECT_EQ(count, rank == 1 ? 1 : 2);
    EXPECT_EQ(place, rank == 0 ? 1 : 0);
    library->commAbort(child);
  });
}

TEST_F(FakeNcclTest, RefusesWhatRanksDoNotAgreeOn) {
  for (int difference = 0; difference < 4; ++difference) {
    SCOPED_TRACE(difference);
    onComms(2, [&](int rank, Comm comm) {
      float from[4] = {}, to[4] = {};
      const bool isOther = rank == 1;
      if (isOther && difference == 3)
        library->allReduce(from, to, 2, Float32, Sum, comm, nullptr);
      else
        library->reduce(from, to, isOther && difference == 0 ? 3 : 2,
                        isOther && difference == 1 ? Float16 : Float32, Sum,
                        isOther && difference == 2, comm, nullptr);
      EXPECT_EQ(settle(comm), InvalidUsage);
      EXPECT_THAT(library->getLastError(comm),
                  HasSubstr("calls something else"));
    });
  }
}

TEST_F(FakeNcclTest, RefusesUseBeforeTheEnd) {
  onComms(2, [&](int rank, Comm comm) {
    if (rank)
      return;
    float from[2] = {}, to[2] = {};
    EXPECT_EQ(library->allReduce(from, to, 2, Float32, Sum, comm, nullptr),
              InProgress);
    EXPECT_EQ(library->allReduce(from, to, 2, Float32, Sum, comm, nullptr),
              InvalidArgument);
  });
}

TEST_F(FakeNcclTest, RefusesBuffersThatOverlap) {
  onComms(1, [&](int, Comm comm) {
    float all[4] = {};
    library->groupStart();
    library->broadcast(all, all, 2, Float32, 0, comm, nullptr);
    library->broadcast(all + 1, all + 1, 2, Float32, 0, comm, nullptr);
    EXPECT_EQ(library->groupEnd(), InvalidUsage);
    EXPECT_THAT(library->getLastError(comm), HasSubstr("overlap"));
  });
}

TEST_F(FakeNcclTest, FailsWhereItIsToldTo) {
  reset("fail=ncclAllReduce:2:1:6,fail=moved:1:0:async-2");
  onComms(2, [&](int rank, Comm comm) {
    float from[2] = {}, to[2] = {};
    library->allReduce(from, to, 2, Float32, Sum, comm, nullptr);
    EXPECT_EQ(settle(comm), rank ? Success : SystemError);
    if (rank)
      EXPECT_EQ(library->allReduce(from, to, 2, Float32, Sum, comm, nullptr),
                RemoteError);
  });
  EXPECT_FALSE(fakeNcclReset("fail=ncclAllReduce"));
  EXPECT_FALSE(fakeNcclReset("unknown=1"));
}
