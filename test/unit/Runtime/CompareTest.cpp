//===- CompareTest.cpp - Comparing tensors --------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../../lib/Runtime/Tool/Compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace muon;
using testing::HasSubstr;

TEST(CompareTest, ReadsEveryType) {
  const float f32[] = {1.5f, -2.25f};
  EXPECT_EQ(toDouble(DType::F32, f32, 1), -2.25);
  const double f64[] = {0.1};
  EXPECT_EQ(toDouble(DType::F64, f64, 0), 0.1);
  const int64_t i64[] = {-7};
  EXPECT_EQ(toDouble(DType::I64, i64, 0), -7.0);
  const uint16_t bf16[] = {0x3f80, 0xc049, 0x0001};
  EXPECT_EQ(toDouble(DType::BF16, bf16, 0), 1.0);
  EXPECT_EQ(toDouble(DType::BF16, bf16, 1), -3.140625);
  EXPECT_EQ(toDouble(DType::BF16, bf16, 2), std::ldexp(1.0, -133));
  const uint16_t f16[] = {0x3c00, 0xc248, 0x0001, 0x03ff,
                          0x7bff, 0x7c00, 0xfc00, 0x7e00};
  EXPECT_EQ(toDouble(DType::F16, f16, 0), 1.0);
  EXPECT_EQ(toDouble(DType::F16, f16, 1), -3.140625);
  EXPECT_EQ(toDouble(DType::F16, f16, 2), std::ldexp(1.0, -24));
  EXPECT_EQ(toDouble(DType::F16, f16, 3), std::ldexp(1023.0, -24));
  EXPECT_EQ(toDouble(DType::F16, f16, 4), 65504.0);
  EXPECT_EQ(toDouble(DType::F16, f16, 5), INFINITY);
  EXPECT_EQ(toDouble(DType::F16, f16, 6), -INFINITY);
  EXPECT_TRUE(std::isnan(toDouble(DType::F16, f16, 7)));
  // Data in files need not be aligned.
  alignas(8) char bytes[16] = {};
  std::memcpy(bytes + 1, f32, sizeof(f32));
  EXPECT_EQ(toDouble(DType::F32, bytes + 1, 1), -2.25);
}

static bool matches(double found, double expected, double rtol, double atol) {
  Comparison comparison(rtol, atol);
  comparison.compare("x", {}, 1, DType::F64, &found, DType::F64, &expected);
  return comparison.matches();
}

TEST(CompareTest, Tolerance) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(matches(1.5, 1.5, 0, 0));
  EXPECT_FALSE(matches(1.5, std::nextafter(1.5, 2), 0, 0));
  EXPECT_TRUE(matches(1.25, 1, 0, 0.25));
  EXPECT_FALSE(matches(1.25, 1, 0, 0.2499));
  EXPECT_TRUE(matches(10, 8, 0.25, 0));
  EXPECT_FALSE(matches(8, 10, 0.199, 0));
  EXPECT_FALSE(matches(NAN, NAN, 1, 1));
  EXPECT_FALSE(matches(NAN, 1, 1e300, 1e300));
  EXPECT_FALSE(matches(1, NAN, 1, 1));
  EXPECT_TRUE(matches(infinity, infinity, 0, 0));
  EXPECT_FALSE(matches(infinity, -infinity, 1, 1));
  EXPECT_FALSE(matches(1, infinity, 1, 1));
  EXPECT_FALSE(matches(infinity, 1, 1, 1));
}

TEST(CompareTest, IntegersAreExact) {
  int64_t found = 1000001, expected = 1000000;
  Comparison comparison(1e-3, 10);
  comparison.compare("step", {}, 1, DType::I64, &found, DType::I64, &expected);
  EXPECT_FALSE(comparison.matches());
  EXPECT_THAT(comparison.summary(),
              HasSubstr("'step' is 1000001, expected 1000000"));
}

TEST(CompareTest, NamesTheWorst) {
  const float found[] = {1, 2, 3.5, 4, 7, 6};
  const float expected[] = {1, 2, 3, 4, 5, 6};
  Comparison comparison(0, 0.1);
  comparison.compare("good", {6}, 6, DType::F32, expected, DType::F32,
                     expected);
  comparison.compare("bad", {2, 3}, 6, DType::F32, found, DType::F32, expected);
  EXPECT_FALSE(comparison.matches());
  EXPECT_EQ(comparison.summary(),
            "'bad'[1, 1] is 7, expected 5 (difference 2); 2 of 12 elements, in "
            "1 of 2 tensors, are out of tolerance");

  Comparison same(0, 0);
  same.compare("good", {6}, 6, DType::F32, expected, DType::F32, expected);
  EXPECT_TRUE(same.matches());
  EXPECT_EQ(same.summary(), "1 tensors match");
}
