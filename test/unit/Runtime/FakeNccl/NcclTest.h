//===- NcclTest.h - Ranks that use the fake NCCL ----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_FAKENCCL_NCCLTEST_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_FAKENCCL_NCCLTEST_H

#include "FakeNccl.h"
#include "NcclLibrary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace muon::test {

class NcclTest : public testing::Test {
protected:
  void SetUp() override {
    reset("");
    Error error = nccl::Library::load(FAKE_NCCL, library);
    ASSERT_FALSE(error) << error.message();
  }
  void TearDown() override { EXPECT_EQ(numAlive(), 0); }

  /// Communicators of NCCL that this test has made and not ended.
  int numAlive() const { return fakeNcclAlive() - aliveBefore; }
  void reset(const std::string &options) {
    ASSERT_TRUE(fakeNcclReset(options.c_str()));
  }

  /// Calls body(rank) for all ranks at the same time.
  template <typename Body>
  static void onRanks(int ranks, Body body) {
    std::vector<std::thread> threads;
    for (int rank = 0; rank < ranks; ++rank)
      threads.emplace_back([=, &body] { body(rank); });
    for (std::thread &thread : threads)
      thread.join();
  }

  /// What one rank called since the last reset, without looks at errors.
  static std::vector<std::string> callsOf(int rank) {
    std::vector<std::string> calls;
    std::istringstream log(fakeNcclLog());
    const std::string start = std::to_string(rank) + " ";
    for (std::string line; std::getline(log, line);)
      if (line.rfind(start, 0) == 0)
        calls.push_back(line.substr(start.size()));
    return calls;
  }

  std::shared_ptr<const nccl::Library> library;

private:
  const int aliveBefore = fakeNcclAlive();
};

} // namespace muon::test

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_FAKENCCL_NCCLTEST_H
