//===- CpuNumbersTest.cpp - Conversions of number formats -----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every number of 16 bits, every tie between two neighbours, and what is next
// to the ties on both sides.
//
//===----------------------------------------------------------------------===//

#include "CpuNumbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace muon;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

struct Format {
  const char *name;
  int fraction, bias;
  void (*widen)(const uint16_t *, float *, int64_t);
  void (*narrow)(const float *, uint16_t *, int64_t);

  /// The value of a number by the definition of IEEE 754.
  double value(uint16_t bits) const {
    int exponents = 1 << (15 - fraction);
    int exponent = bits >> fraction & (exponents - 1);
    int mantissa = bits & ((1 << fraction) - 1);
    double sign = bits >> 15 ? -1 : 1;
    if (exponent == exponents - 1)
      return mantissa ? std::nan("") : sign * infinity;
    if (exponent == 0)
      return sign * std::ldexp(mantissa, 1 - bias - fraction);
    return sign *
           std::ldexp((1 << fraction) + mantissa, exponent - bias - fraction);
  }
  uint16_t infinite() const { return uint16_t(0x7fff >> fraction << fraction); }
};

const Format bf16 = {"bf16", 7, 127, widenBf16, narrowToBf16};
const Format f16 = {"f16", 10, 15, widenF16, narrowToF16};

class FormatTest : public testing::TestWithParam<Format> {};

INSTANTIATE_TEST_SUITE_P(CpuNumbers, FormatTest, testing::Values(bf16, f16),
                         [](auto &info) {
                           return std::string(info.param.name);
                         });

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

} // namespace

TEST_P(FormatTest, WidensAll) {
  std::vector<uint16_t> numbers(0x10000);
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = uint16_t(i);
  std::vector<float> wide(numbers.size());
  GetParam().widen(numbers.data(), wide.data(), int64_t(wide.size()));
  int bad = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    double expected = GetParam().value(numbers[i]);
    bad += std::isnan(expected) ? !std::isnan(wide[i])
                                : bitsOf(wide[i]) != bitsOf(float(expected));
  }
  EXPECT_EQ(bad, 0);
}

TEST_P(FormatTest, NarrowsToNearestEven) {
  std::vector<float> wide;
  std::vector<uint16_t> expected;
  auto add = [&](double value, uint16_t bits) {
    wide.push_back(float(value));
    expected.push_back(bits);
    wide.push_back(float(-value));
    expected.push_back(bits | 0x8000);
  };
  uint16_t infinite = GetParam().infinite();
  for (uint16_t bits = 0; bits < infinite; ++bits) {
    double value = GetParam().value(bits);
    add(value, bits);
    // What would come after the largest number, were the format larger.
    double next = bits + 1 == infinite ? 2 * value - GetParam().value(bits - 1)
                                       : GetParam().value(bits + 1);
    auto tie = float((value + next) / 2);
    if (double(tie) * 2 != value + next)
      continue; // Between subnormal numbers of bf16, which f32 has as well.
    add(tie, bits & 1 ? bits + 1 : bits);
    add(std::nextafterf(tie, 0), bits);
    add(std::nextafterf(tie, infinity), bits + 1);
  }
  add(infinity, infinite);
  if (GetParam().fraction == f16.fraction) {
    add(std::numeric_limits<float>::max(), infinite);
    add(std::numeric_limits<float>::denorm_min(), 0);
    add(1e-30, 0);
  }
  std::vector<uint16_t> narrow(wide.size());
  GetParam().narrow(wide.data(), narrow.data(), int64_t(wide.size()));
  int bad = 0;
  for (size_t i = 0; i < wide.size(); ++i)
    bad += narrow[i] != expected[i];
  EXPECT_EQ(bad, 0) << "of " << wide.size();
  EXPECT_GT(wide.size(), 8u * 31000);
}

TEST_P(FormatTest, KeepsNaN) {
  std::vector<float> wide;
  for (uint32_t bits : {0x7f800001u, 0x7fc00000u, 0x7fffffffu, 0x7f80ffffu})
    for (uint32_t sign : {0u, 0x80000000u})
      wide.push_back(floatOf(bits | sign));
  std::vector<uint16_t> narrow(wide.size());
  GetParam().narrow(wide.data(), narrow.data(), int64_t(wide.size()));
  for (uint16_t bits : narrow)
    EXPECT_TRUE(std::isnan(GetParam().value(bits))) << bits;
}

// Loops have a vector body and a remainder.
TEST_P(FormatTest, AnyLength) {
  for (int64_t n = 0; n < 70; ++n) {
    std::vector<float> wide(size_t(n + 2), 7.0f), from(size_t(n), 1.5f);
    std::vector<uint16_t> narrow(size_t(n + 2), 7);
    GetParam().narrow(from.data(), narrow.data() + 1, n);
    GetParam().widen(narrow.data() + 1, wide.data() + 1, n);
    for (int64_t i = 0; i < n; ++i)
      ASSERT_EQ(wide[size_t(i + 1)], 1.5f);
    ASSERT_EQ(wide[0], 7);
    ASSERT_EQ(wide[size_t(n + 1)], 7);
    ASSERT_EQ(narrow[0], 7);
    ASSERT_EQ(narrow[size_t(n + 1)], 7);
  }
}

TEST(Tf32, TiesAwayFromZero) {
  std::vector<float> from, expected;
  auto add = [&](float value, float rounded) {
    from.insert(from.end(), {value, -value});
    expected.insert(expected.end(), {rounded, -rounded});
  };
  for (int exponent : {-127, -126, -30, 0, 1, 60, 126, 127}) {
    for (int fraction = 0; fraction < 1024; ++fraction) {
      // The distance of neighbours is that of 2⁻¹²⁶ in what is subnormal.
      int last = std::max(exponent, -126) - 10;
      double value = exponent < -126 ? std::ldexp(fraction, last)
                                     : std::ldexp(1024 + fraction, last);
      double half = std::ldexp(0.5, last), next = value + 2 * half;
      auto after =
          next > std::numeric_limits<float>::max() ? infinity : float(next);
      add(float(value), float(value));
      add(float(value + half), after);
      add(std::nextafterf(float(value + half), 0), float(value));
      add(std::nextafterf(float(value + half), infinity), after);
    }
  }
  add(infinity, infinity);
  std::vector<float> to(from.size());
  roundToTf32(from.data(), to.data(), int64_t(from.size()));
  int bad = 0;
  for (size_t i = 0; i < from.size(); ++i)
    bad += bitsOf(to[i]) != bitsOf(expected[i]);
  EXPECT_EQ(bad, 0) << "of " << from.size();
}

TEST(Tf32, KeepsNaN) {
  const float from[] = {floatOf(0x7fffffff), floatOf(0xffffffff),
                        floatOf(0x7f800001), floatOf(0x7fc00000)};
  float to[4];
  roundToTf32(from, to, 4);
  for (float value : to)
    EXPECT_TRUE(std::isnan(value));
}
