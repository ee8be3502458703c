//===- CpuStacksTest.cpp - Products of stacks on several threads ----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Many small matrices, so that threads come from one to the next all the time.
// With ThreadSanitizer too.
//
//===----------------------------------------------------------------------===//

#include "CpuProducts.h"
#include "CpuThreads.h"
#include "muon-mlir/Runtime/HostApi.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <vector>

using namespace muon;

namespace {

using Floats = std::vector<float>;
/// Products of `batch` matrices, from number `first` on, into `out`.
using Compute = std::function<void(int64_t first, int64_t batch, float *out)>;

constexpr int64_t kBatch = 2000, kRows = 12, kColumns = 20;

Floats random(int64_t count) {
  std::mt19937 bits(1);
  std::uniform_real_distribution<float> number(-1, 1);
  Floats result(static_cast<size_t>(count));
  for (float &x : result)
    x = number(bits);
  return result;
}

class StackTest : public testing::TestWithParam<ProductPath> {
protected:
  void SetUp() override { setProductPath(GetParam()); }
  void TearDown() override {
    setProductPath(ProductPath::Automatic);
    setCpuThreads(threads);
  }

  /// On four threads the stack is what its matrices, of `size` elements each,
  /// are by themselves.
  void check(int64_t size, const Compute &compute) {
    Floats expected(static_cast<size_t>(kBatch * size));
    for (int64_t i = 0; i < kBatch; ++i)
      compute(i, 1, expected.data() + i * size);
    setCpuThreads(4);
    for (int run = 0; run < 3; ++run) {
      Floats found(expected.size());
      compute(0, kBatch, found.data());
      int64_t wrong = 0;
      for (int64_t i = 0; i < kBatch; ++i)
        wrong += !std::equal(found.begin() + i * size,
                             found.begin() + (i + 1) * size,
                             expected.begin() + i * size);
      EXPECT_EQ(wrong, 0) << "of " << kBatch << " matrices";
    }
  }

private:
  const int threads = cpuThreads();
};

INSTANTIATE_TEST_SUITE_P(CpuProducts, StackTest,
                         testing::Values(ProductPath::Blas,
                                         ProductPath::OneDnn),
                         [](const auto &info) {
                           return info.param == ProductPath::Blas ? "Blas"
                                                                  : "OneDnn";
                         });

TEST_P(StackTest, SymmetricProduct) {
  Floats x = random(kBatch * kRows * kColumns);
  Floats addend = random(kBatch * kRows * kRows), factors = random(kBatch);
  check(kRows * kRows, [&](int64_t first, int64_t batch, float *out) {
    symmetricProduct(MUON_F32, MUON_HAS_FACTOR | MUON_HAS_ADDEND, batch, kRows,
                     kColumns, 0.5, 2.0, factors.data() + first,
                     x.data() + first * kRows * kColumns,
                     addend.data() + first * kRows * kRows, out);
  });
}

TEST_P(StackTest, CommutingProduct) {
  Floats lhs = random(kBatch * kColumns * kColumns), rhs = lhs;
  const int64_t size = kColumns * kColumns;
  check(size, [&](int64_t first, int64_t batch, float *out) {
    commutingProduct(MUON_F32, batch, kColumns, 0.5, 2.0, -1.0,
                     lhs.data() + first * size, rhs.data() + first * size, out);
  });
}

TEST_P(StackTest, SymmetricApply) {
  Floats s = random(kBatch * kRows * kRows), factors = random(kBatch);
  Floats x = random(kBatch * kRows * kColumns);
  check(kRows * kColumns, [&](int64_t first, int64_t batch, float *out) {
    symmetricApply(MUON_F32, MUON_HAS_FACTOR, batch, kRows, kColumns, 0.5, 2.0,
                   factors.data() + first, s.data() + first * kRows * kRows,
                   x.data() + first * kRows * kColumns, out);
  });
}

} // namespace
