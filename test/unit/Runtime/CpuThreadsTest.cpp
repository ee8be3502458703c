//===- CpuThreadsTest.cpp - Loops on all cores ----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CpuThreads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

using namespace muon;

namespace {

class CpuThreadsTest : public testing::Test {
protected:
  void TearDown() override { setCpuThreads(before); }
  const int before = cpuThreads();
};

/// Sums with bits that depend on the order of their terms.
double term(int64_t i, int64_t s) {
  return std::sin(double(i * 7 + s)) * std::ldexp(1.0, int(i * 5 % 40));
}

void addTerms(void *data, int64_t i, double *partial) {
  int64_t numSums = *static_cast<int64_t *>(data);
  for (int64_t s = 0; s < numSums; ++s) {
    // NaN if it is not 0 at first.
    partial[s] = partial[s] == 0 ? partial[s] + term(i, s) : NAN;
  }
}

} // namespace

TEST_F(CpuThreadsTest, CallsEachOnce) {
  for (int threads : {1, 2, 5}) {
    setCpuThreads(threads);
    ASSERT_EQ(cpuThreads(), threads);
    for (int64_t count : {0, 1, 2, 3, 7, 16, 1000, 100003}) {
      std::vector<std::atomic<int>> calls(static_cast<size_t>(count));
      parallelFor(count, [&](int64_t i) { ++calls.at(size_t(i)); });
      int bad = 0;
      for (std::atomic<int> &number : calls)
        bad += number != 1;
      EXPECT_EQ(bad, 0) << threads << " threads, count " << count;
    }
  }
}

// A loop whose calls wait for one another ends only if they are on threads of
// their own.
TEST_F(CpuThreadsTest, RunsOnAsManyThreadsAsSet) {
  for (int threads : {2, 3}) {
    setCpuThreads(threads);
    std::mutex mutex;
    std::condition_variable arrived;
    std::set<std::thread::id> ids;
    bool isTogether = true;
    parallelFor(threads, [&](int64_t) {
      std::unique_lock<std::mutex> lock(mutex);
      ids.insert(std::this_thread::get_id());
      arrived.notify_all();
      if (!arrived.wait_for(lock, std::chrono::seconds(20),
                            [&] { return int(ids.size()) == threads; }))
        isTogether = false;
    });
    EXPECT_TRUE(isTogether) << threads << " threads";
    EXPECT_EQ(int(ids.size()), threads);
  }
}

TEST_F(CpuThreadsTest, FewerThreadsThanBefore) {
  setCpuThreads(4);
  parallelFor(100, [](int64_t) {});
  setCpuThreads(1);
  std::set<std::thread::id> ids;
  parallelFor(1000, [&](int64_t) { ids.insert(std::this_thread::get_id()); });
  EXPECT_THAT(ids, testing::ElementsAre(std::this_thread::get_id()));
}

TEST_F(CpuThreadsTest, OneCallStaysOnTheCallersThread) {
  setCpuThreads(4);
  std::thread::id id;
  parallelFor(1, [&](int64_t) { id = std::this_thread::get_id(); });
  EXPECT_EQ(id, std::this_thread::get_id());
}

TEST_F(CpuThreadsTest, Nested) {
  setCpuThreads(3);
  std::atomic<int64_t> calls{0};
  parallelFor(20, [&](int64_t) {
    parallelFor(30,
                [&](int64_t) { parallelFor(2, [&](int64_t) { ++calls; }); });
  });
  EXPECT_EQ(calls, 20 * 30 * 2);
}

TEST_F(CpuThreadsTest, SeveralCallersAtOnce) {
  setCpuThreads(3);
  std::vector<std::thread> callers;
  std::atomic<int> bad{0};
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&, t] {
      for (int run = 0; run < 300; ++run) {
        int64_t numSums = 1, count = 40 + t;
        double sum = NAN, expected = 0;
        double *sums[] = {&sum};
        parallelForWithSums(count, addTerms, &numSums, numSums, count, sums);
        for (int64_t i = 0; i < count; ++i)
          expected += term(i, 0);
        bad += !(sum == expected);
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(bad, 0);
}

TEST_F(CpuThreadsTest, SumsDoNotDependOnThreads) {
  constexpr int64_t numSums = 3, group = 37, runs = 11, count = group * runs;
  std::vector<double> expected;
  for (int64_t s = 0; s < numSums; ++s)
    for (int64_t run = 0; run < runs; ++run) {
      double sum = 0;
      for (int64_t i = run * group; i < (run + 1) * group; ++i)
        sum += term(i, s);
      expected.push_back(sum);
    }
  for (int threads : {1, 2, 3, 7}) {
    setCpuThreads(threads);
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::vector<double> found(numSums * runs, NAN);
      double *sums[] = {&found[0], &found[runs], &found[2 * runs]};
      int64_t given = numSums;
      parallelForWithSums(count, addTerms, &given, numSums, group, sums);
      ASSERT_EQ(found, expected) << threads << " threads";
    }
  }
}

TEST_F(CpuThreadsTest, SumsOfGroupsOfOne) {
  setCpuThreads(2);
  int64_t numSums = 2;
  double first[3], second[3];
  double *sums[] = {first, second};
  parallelForWithSums(3, addTerms, &numSums, numSums, 1, sums);
  EXPECT_THAT(first, testing::ElementsAre(term(0, 0), term(1, 0), term(2, 0)));
  EXPECT_THAT(second, testing::ElementsAre(term(0, 1), term(1, 1), term(2, 1)));
}

TEST_F(CpuThreadsTest, SumOfNothing) {
  double untouched = 5;
  double *sums[] = {&untouched};
  auto fail = [](void *, int64_t, double *) { ADD_FAILURE(); };
  parallelForWithSums(0, fail, nullptr, 1, 1, sums);
  EXPECT_EQ(untouched, 5);
}

TEST_F(CpuThreadsTest, NoSums) {
  setCpuThreads(2);
  std::atomic<int> calls{0};
  parallelForWithSums(
      50,
      [](void *data, int64_t, double *) {
        ++*static_cast<std::atomic<int> *>(data);
      },
      &calls, 0, 0, nullptr);
  EXPECT_EQ(calls, 50);
}

// A body that sums itself may not be given the memory of the sums around it.
TEST_F(CpuThreadsTest, NestedSums) {
  for (int threads : {1, 3}) {
    setCpuThreads(threads);
    double total = NAN;
    double *sums[] = {&total};
    parallelForWithSums(
        10,
        [](void *, int64_t i, double *partial) {
          *partial += double(i);
          int64_t numSums = 1;
          double inner = NAN, expected = 0;
          double *innerSums[] = {&inner};
          parallelForWithSums(100, addTerms, &numSums, 1, 100, innerSums);
          for (int64_t j = 0; j < 100; ++j)
            expected += term(j, 0);
          EXPECT_EQ(inner, expected);
        },
        nullptr, 1, 10, sums);
    EXPECT_EQ(total, 45);
  }
}
