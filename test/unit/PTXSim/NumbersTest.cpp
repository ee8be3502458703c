//===- NumbersTest.cpp - Number formats of the PTX ISA ----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Against rounding by definition; see ExactNumbers.h.
//
//===----------------------------------------------------------------------===//

#include "ExactNumbers.h"

#include "Numbers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

using namespace muon::ptxsim;
using namespace muon::ptxsim::exact;

namespace {

constexpr Rounding allRoundings[] = {Rounding::Nearest, Rounding::Zero,
                                     Rounding::Down, Rounding::Up,
                                     Rounding::NearestAway};
constexpr Rounding ieeeRoundings[] = {Rounding::Nearest, Rounding::Zero,
                                      Rounding::Down, Rounding::Up};

uint32_t bitsOfNumber(float value) { return bitsOf<uint32_t>(value); }
uint64_t bitsOfNumber(double value) { return bitsOf<uint64_t>(value); }
uint16_t bitsOfNumber(uint16_t value) { return value; }

template <class T>
T numberOf(uint64_t bits) {
  if constexpr (std::is_same_v<T, float>)
    return bitsOf<float>(uint32_t(bits));
  else if constexpr (std::is_same_v<T, double>)
    return bitsOf<double>(bits);
  else
    return T(bits);
}

uint64_t roundAt(const Format &format, const Place &place, bool negative,
                 Rounding rounding) {
  return exact::roundAt(format, place, negative, Round(rounding));
}
uint64_t roundTerm(const Format &format, const Term &term, Rounding rounding) {
  return exact::roundTerm(format, term, Round(rounding));
}
Wide integerAt(const Term &term, Rounding rounding) {
  return exact::integerAt(term, Round(rounding));
}

std::string describe(std::initializer_list<uint64_t> operands,
                     Rounding rounding) {
  std::string text = "rounding " + std::to_string(int(rounding)) + " of";
  char buffer[32];
  for (uint64_t bits : operands) {
    std::snprintf(buffer, sizeof(buffer), " 0x%llx",
                  static_cast<unsigned long long>(bits));
    text += buffer;
  }
  return text;
}

//===----------------------------------------------------------------------===//
// Widening and narrowing
//===----------------------------------------------------------------------===//

TEST(Numbers, WidenExactly) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    for (const Format &format : {f16Format, bf16Format}) {
      float value = format.fractionBits == 10 ? fromF16(uint16_t(bits))
                                              : fromBF16(uint16_t(bits));
      if (format.isNaN(bits)) {
        ASSERT_TRUE(std::isnan(value)) << bits;
        continue;
      }
      ASSERT_EQ(std::signbit(value), (bits & format.sign()) != 0) << bits;
      if (format.isInfinity(bits)) {
        ASSERT_TRUE(std::isinf(value)) << bits;
        continue;
      }
      Term term = format.number(bits);
      double expected = std::ldexp(double(term.magnitude), term.exponent);
      ASSERT_EQ(value, term.negative ? -expected : expected) << bits;
    }
  }
}

/// Of a narrowing conversion: all numbers of the format, the points half way
/// between them, and the neighbours of both in the wider format; random ones.
template <class Wider>
std::vector<Wider> narrowingOperands(const Format &format,
                                     const Format &wider) {
  std::vector<Wider> result;
  auto push = [&](double at) {
    Wider value = Wider(at);
    if (double(value) != at)
      return;
    for (Wider x :
         {std::nextafter(value, -std::numeric_limits<Wider>::max()), value,
          std::nextafter(value, std::numeric_limits<Wider>::max())}) {
      result.push_back(x);
      result.push_back(-x);
    }
  };
  for (uint64_t bits = 0; bits < format.infinity(); ++bits) {
    Term low = format.number(bits), high = format.number(bits + 1);
    double a = std::ldexp(double(low.magnitude), low.exponent);
    double b = std::ldexp(double(high.magnitude), high.exponent);
    push(a);
    push((a + b) / 2);
  }
  for (Wider x :
       {Wider(0), std::numeric_limits<Wider>::denorm_min(),
        std::numeric_limits<Wider>::min(), std::numeric_limits<Wider>::max()}) {
    result.push_back(x);
    result.push_back(-x);
  }
  Random random(1);
  for (int i = 0; i < 100000; ++i)
    result.push_back(numberOf<Wider>(randomFinite(wider, random)));
  return result;
}

template <class Wider, class Function>
void checkNarrowing(const Format &format, const Format &wider, Function convert,
                    uint64_t infinity, uint64_t nan) {
  for (Wider value : narrowingOperands<Wider>(format, wider)) {
    uint64_t bits = bitsOfNumber(value);
    Term exact = wider.number(bits);
    auto expected = roundTerm(format, exact);
    for (Rounding rounding : allRoundings)
      ASSERT_EQ(convert(value, rounding), expected[size_t(rounding)])
          << describe({bits}, rounding);
  }
  constexpr Wider inf = std::numeric_limits<Wider>::infinity();
  for (Rounding rounding : allRoundings) {
    EXPECT_EQ(convert(inf, rounding), infinity);
    EXPECT_EQ(convert(-inf, rounding), infinity | format.sign());
    for (Wider sign : {Wider(1), Wider(-1)}) {
      EXPECT_EQ(
          convert(std::copysign(std::numeric_limits<Wider>::quiet_NaN(), sign),
                  rounding),
          nan);
      // A NaN whose payload lies in the bits that are dropped.
      Wider low = numberOf<Wider>(wider.infinity() | 1);
      EXPECT_EQ(convert(std::copysign(low, sign), rounding), nan);
    }
  }
}

TEST(Numbers, F16FromF32) {
  checkNarrowing<float>(
      f16Format, f32Format,
      [](float x, Rounding rounding) { return toF16(x, rounding); }, 0x7c00,
      0x7fff);
}
TEST(Numbers, F16FromF64) {
  checkNarrowing<double>(
      f16Format, f64Format,
      [](double x, Rounding rounding) { return toF16(x, rounding); }, 0x7c00,
      0x7fff);
}
TEST(Numbers, BF16FromF32) {
  checkNarrowing<float>(
      bf16Format, f32Format,
      [](float x, Rounding rounding) { return toBF16(x, rounding); }, 0x7f80,
      0x7fff);
}
TEST(Numbers, BF16FromF64) {
  checkNarrowing<double>(
      bf16Format, f64Format,
      [](double x, Rounding rounding) { return toBF16(x, rounding); }, 0x7f80,
      0x7fff);
}

TEST(Numbers, TF32FromF32) {
  Random random(2);
  auto check = [](uint32_t bits) {
    float value = bitsOf<float>(bits);
    auto expected = roundTerm(tf32Format, f32Format.number(bits));
    for (Rounding rounding :
         {Rounding::NearestAway, Rounding::Nearest, Rounding::Zero}) {
      ASSERT_EQ(toTF32(value, rounding), expected[size_t(rounding)] << 13)
          << describe({bits}, rounding);
    }
  };
  for (int i = 0; i < 100000; ++i) {
    uint32_t bits = uint32_t(randomFinite(f32Format, random));
    check(bits);
    check((bits & ~0x1fffu) | 0x1000);
    check((bits & ~0x1fffu) | 0xfff);
  }
  for (uint64_t bits : edges(f32Format))
    check(uint32_t(bits));
  EXPECT_EQ(toTF32(bitsOf<float>(0x7f801000u)), 0x7fffffffu);
  EXPECT_EQ(toTF32(std::numeric_limits<float>::infinity()), 0x7f800000u);
}

TEST(Numbers, F32FromF64) {
  Random random(3);
  auto check = [](uint64_t bits) {
    auto expected = roundTerm(f32Format, f64Format.number(bits));
    for (Rounding rounding : allRoundings) {
      ASSERT_EQ(bitsOfNumber(toF32(bitsOf<double>(bits), rounding)),
                expected[size_t(rounding)])
          << describe({bits}, rounding);
    }
  };
  for (int i = 0; i < 50000; ++i) {
    check(randomFinite(f64Format, random));
    // A number of f32, the point half way to the next, and their neighbours.
    double x = bitsOf<float>(uint32_t(randomFinite(f32Format, random)));
    uint64_t bits = bitsOf<uint64_t>(x);
    check(bits);
    check(bits + 1);
    check(bits | 0x10000000);
    check((bits | 0x10000000) + 1);
    check((bits | 0x10000000) - 1);
  }
  // Half way between the smallest number and zero; the largest and the next.
  for (uint64_t bits : {bitsOf<uint64_t>(0x1p-150), bitsOf<uint64_t>(0x1p-149),
                        bitsOf<uint64_t>(0x1.ffffffp127)})
    for (uint64_t x : {bits - 1, bits, bits + 1})
      for (uint64_t sign : {uint64_t(0), uint64_t(1) << 63})
        check(x | sign);
  for (uint64_t bits : edges(f64Format))
    check(bits);
  EXPECT_EQ(bitsOfNumber(toF32(std::nan(""), Rounding::Nearest)), 0x7fffffffu);
  EXPECT_EQ(bitsOfNumber(toF32(-std::nan(""), Rounding::Up)), 0x7fffffffu);
}

TEST(Numbers, SaturateToFinite) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    uint32_t magnitude = bits & 0x7fff, sign = bits & 0x8000;
    ASSERT_EQ(saturateF16(uint16_t(bits)),
              magnitude == 0x7c00 ? sign | 0x7bff : bits);
    ASSERT_EQ(saturateBF16(uint16_t(bits)),
              magnitude == 0x7f80 ? sign | 0x7f7f : bits);
  }
  EXPECT_EQ(saturateTF32(0x7f800000), 0x7f7fe000u);
  EXPECT_EQ(saturateTF32(0xff800000), 0xff7fe000u);
  EXPECT_EQ(saturateTF32(0x7fffffff), 0x7fffffffu);
  EXPECT_EQ(saturateTF32(0x7f7fe000), 0x7f7fe000u);
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

/// Functions of one format: (a, b, rounding), (a, b, c, rounding), (a,
/// rounding) on bits.
using Binary = std::function<uint64_t(uint64_t, uint64_t, Rounding)>;
using Ternary = std::function<uint64_t(uint64_t, uint64_t, uint64_t, Rounding)>;
using Unary = std::function<uint64_t(uint64_t, Rounding)>;

template <class T>
Binary binary(T (*function)(T, T, Rounding)) {
  return [function](uint64_t a, uint64_t b, Rounding rounding) -> uint64_t {
    return bitsOfNumber(function(numberOf<T>(a), numberOf<T>(b), rounding));
  };
}
Binary binary(uint16_t (*function)(uint16_t, uint16_t)) {
  return [function](uint64_t a, uint64_t b, Rounding) -> uint64_t {
    return function(uint16_t(a), uint16_t(b));
  };
}
template <class T>
Ternary ternary(T (*function)(T, T, T, Rounding)) {
  return [function](uint64_t a, uint64_t b, uint64_t c,
                    Rounding rounding) -> uint64_t {
    return bitsOfNumber(
        function(numberOf<T>(a), numberOf<T>(b), numberOf<T>(c), rounding));
  };
}
Ternary ternary(uint16_t (*function)(uint16_t, uint16_t, uint16_t)) {
  return [function](uint64_t a, uint64_t b, uint64_t c, Rounding) -> uint64_t {
    return function(uint16_t(a), uint16_t(b), uint16_t(c));
  };
}
template <class T>
Unary unary(T (*function)(T, Rounding)) {
  return [function](uint64_t a, Rounding rounding) -> uint64_t {
    return bitsOfNumber(function(numberOf<T>(a), rounding));
  };
}

using Roundings = std::vector<Rounding>;
const Roundings four(std::begin(ieeeRoundings), std::end(ieeeRoundings));
const Roundings nearestOnly{Rounding::Nearest};

void forPairs(const Format &format, int count, uint64_t seed,
              const std::function<void(uint64_t, uint64_t)> &check) {
  std::vector<uint64_t> values = edges(format);
  for (uint64_t a : values)
    for (uint64_t b : values)
      check(a, b);
  Random random(seed);
  for (int i = 0; i < count && !testing::Test::HasFatalFailure(); ++i) {
    uint64_t a = randomFinite(format, random);
    uint64_t b = randomFinite(format, random);
    // Some that nearly cancel.
    if (i % 8 == 0)
      b = (a ^ format.sign()) ^ (random() & random() & random() & 3);
    if (!format.isNaN(b) && !format.isInfinity(b))
      check(a, b);
  }
}

void checkAdd(const Format &format, const Binary &function, int count,
              const Roundings &roundings, bool subtract = false) {
  forPairs(format, count, 11, [&](uint64_t a, uint64_t b) {
    Term second = format.number(b);
    auto expected =
        roundSum(format, format.number(a), subtract ? -second : second);
    for (Rounding rounding : roundings)
      ASSERT_EQ(function(a, b, rounding), expected[size_t(rounding)])
          << describe({a, b}, rounding);
  });
}

void checkMul(const Format &format, const Binary &function, int count,
              const Roundings &roundings) {
  forPairs(format, count, 12, [&](uint64_t a, uint64_t b) {
    auto expected = roundTerm(format, format.number(a) * format.number(b));
    for (Rounding rounding : roundings)
      ASSERT_EQ(function(a, b, rounding), expected[size_t(rounding)])
          << describe({a, b}, rounding);
  });
}

void checkDiv(const Format &format, const Binary &function, int count,
              const Roundings &roundings) {
  forPairs(format, count, 13, [&](uint64_t a, uint64_t b) {
    Term x = format.number(a), y = format.number(b);
    if (y.magnitude == 0)
      return;
    bool negative = x.negative != y.negative;
    Place place;
    if (x.magnitude == 0)
      place.exact = true;
    else
      place = locate(format, [&](const Term &z) {
        return signOfSum({absolute(x), -(absolute(y) * z)});
      });
    for (Rounding rounding : roundings)
      ASSERT_EQ(function(a, b, rounding),
                roundAt(format, place, negative, rounding))
          << describe({a, b}, rounding);
  });
}

void checkFma(const Format &format, const Ternary &function, int count,
              const Roundings &roundings) {
  auto check = [&](uint64_t a, uint64_t b, uint64_t c) {
    auto expected =
        roundSum(format, format.number(a) * format.number(b), format.number(c));
    for (Rounding rounding : roundings)
      ASSERT_EQ(function(a, b, c, rounding), expected[size_t(rounding)])
          << describe({a, b, c}, rounding);
  };
  std::vector<uint64_t> values = edges(format);
  for (uint64_t a : values)
    for (uint64_t b : values)
      for (uint64_t c : values)
        if ((a & format.sign()) == 0 && a <= b)
          check(a, b, c);
  Random random(14);
  for (int i = 0; i < count && !testing::Test::HasFatalFailure(); ++i) {
    uint64_t a = randomFinite(format, random);
    uint64_t b = randomFinite(format, random);
    uint64_t c = randomFinite(format, random);
    if (i % 3 == 0) {
      // Next to the product, of the other sign.
      c = roundTerm(format, format.number(a) * format.number(b),
                    Rounding::Zero) ^
          format.sign() ^ (random() & 3);
    } else if (i % 3 == 1) {
      // A product that lies half way between two numbers, and little more.
      uint64_t half = format.infinity() >> 1 & format.infinity();
      int low = int(random() % format.fractionBits);
      a = half | uint64_t(1) << low | (random() & format.sign());
      b = half | uint64_t(1) << (format.fractionBits - 1 - low);
      c = (random() & format.sign()) | random() % (half - (half >> 2));
    }
    if (!format.isNaN(c) && !format.isInfinity(c))
      check(a, b, c);
  }
}

void checkSqrt(const Format &format, const Unary &function, int count) {
  Random random(15);
  auto check = [&](uint64_t a) {
    Term x = format.number(a);
    if (x.magnitude == 0) {
      for (Rounding rounding : ieeeRoundings)
        ASSERT_EQ(function(a, rounding), a);
      return;
    }
    if (x.negative)
      return;
    Place place = locate(format, [&](const Term &z) {
      return signOfSum({x, -(z * z)});
    });
    for (Rounding rounding : ieeeRoundings)
      ASSERT_EQ(function(a, rounding), roundAt(format, place, false, rounding))
          << describe({a}, rounding);
  };
  for (uint64_t a : edges(format))
    check(a);
  for (int i = 0; i < count && !testing::Test::HasFatalFailure(); ++i) {
    uint64_t a = randomFinite(format, random) & ~format.sign();
    check(a);
    // Next to a square.
    uint64_t square =
        roundTerm(format, format.number(a) * format.number(a), Rounding::Zero);
    if (square + 1 < format.infinity())
      check(square + i % 2);
  }
}

TEST(Numbers, AddF32) {
  checkAdd(f32Format, binary<float>(addF32), 100000, four);
}
TEST(Numbers, MulF32) {
  checkMul(f32Format, binary<float>(mulF32), 100000, four);
}
TEST(Numbers, FmaF32) {
  checkFma(f32Format, ternary<float>(fmaF32), 200000, four);
}
TEST(Numbers, DivF32) {
  checkDiv(f32Format, binary<float>(divF32), 100000, four);
}
TEST(Numbers, RcpF32) {
  Random random(16);
  constexpr Term one{false, 1, 0};
  auto check = [&](uint64_t a) {
    Term x = f32Format.number(a);
    if (x.magnitude == 0)
      return;
    Place place = locate(f32Format, [&](const Term &z) {
      return signOfSum({one, -(absolute(x) * z)});
    });
    for (Rounding rounding : ieeeRoundings)
      ASSERT_EQ(bitsOfNumber(rcpF32(numberOf<float>(a), rounding)),
                roundAt(f32Format, place, x.negative, rounding))
          << describe({a}, rounding);
  };
  for (uint64_t a : edges(f32Format))
    check(a);
  for (int i = 0; i < 50000 && !HasFatalFailure(); ++i)
    check(randomFinite(f32Format, random));
}
TEST(Numbers, SqrtF32) { checkSqrt(f32Format, unary<float>(sqrtF32), 100000); }
TEST(Numbers, AddF64) {
  checkAdd(f64Format, binary<double>(addF64), 100000, four);
}
TEST(Numbers, MulF64) {
  checkMul(f64Format, binary<double>(mulF64), 50000, four);
}
TEST(Numbers, FmaF64) {
  checkFma(f64Format, ternary<double>(fmaF64), 100000, four);
}
TEST(Numbers, DivF64) {
  checkDiv(f64Format, binary<double>(divF64), 100000, four);
}
TEST(Numbers, SqrtF64) { checkSqrt(f64Format, unary<double>(sqrtF64), 50000); }

TEST(Numbers, AddF16) {
  checkAdd(f16Format, binary(addF16), 300000, nearestOnly);
  checkAdd(f16Format, binary(subF16), 100000, nearestOnly, /*subtract=*/true);
}
TEST(Numbers, MulF16) {
  checkMul(f16Format, binary(mulF16), 300000, nearestOnly);
}
TEST(Numbers, FmaF16) {
  checkFma(f16Format, ternary(fmaF16), 500000, nearestOnly);
}
TEST(Numbers, AddBF16) {
  checkAdd(bf16Format, binary(addBF16), 300000, nearestOnly);
  checkAdd(bf16Format, binary(subBF16), 100000, nearestOnly, /*subtract=*/true);
}
TEST(Numbers, MulBF16) {
  checkMul(bf16Format, binary(mulBF16), 300000, nearestOnly);
}
TEST(Numbers, FmaBF16) {
  checkFma(bf16Format, ternary(fmaBF16), 500000, nearestOnly);
}

/// Where rounding to f64 or f32 first gives the wrong number of bf16.
TEST(Numbers, FmaBF16RoundsOnce) {
  // 1.0000001b * 1.1b = 1.10000011b lies half way; the addend decides.
  EXPECT_EQ(fmaBF16(0x3f81, 0x3fc0, 0x0000), 0x3fc2);
  EXPECT_EQ(fmaBF16(0x3f81, 0x3fc0, 0x0001), 0x3fc2);
  EXPECT_EQ(fmaBF16(0x3f81, 0x3fc0, 0x8001), 0x3fc1);
  // 1.0000011b * 1.1b = 1.100001001b; half way is 1.10000101b.
  EXPECT_EQ(fmaBF16(0x3f83, 0x3fc0, 0x0001), 0x3fc5);
  EXPECT_EQ(fmaBF16(0x3f83, 0x3fc0, 0x8001), 0x3fc4);
  EXPECT_EQ(fmaBF16(0x3f83, 0x3fc0, 0x0000), 0x3fc4);
  // 0.5 and 1.5 units of the smallest number, which f32 can hold.
  EXPECT_EQ(mulBF16(0x0001, 0x3f00), 0x0000);
  EXPECT_EQ(mulBF16(0x0003, 0x3f00), 0x0002);
  // A little less than half of the smallest number, a little more.
  EXPECT_EQ(mulBF16(0x1a81, 0x217e), 0x0000);
  EXPECT_EQ(mulBF16(0x1a81, 0x217f), 0x0001);
}

TEST(Numbers, NotANumber) {
  float inf = std::numeric_limits<float>::infinity();
  double wideInf = inf;
  float nan = bitsOf<float>(0xffc12345u);
  for (Rounding rounding : ieeeRoundings) {
    for (float x : {addF32(inf, -inf, rounding), mulF32(0, inf, rounding),
                    mulF32(inf, -0.0f, rounding), fmaF32(0, inf, 1, rounding),
                    fmaF32(inf, 1, -inf, rounding), fmaF32(2, 3, nan, rounding),
                    fmaF32(1e38f, 1e38f, nan, rounding), divF32(0, 0, rounding),
                    divF32(inf, inf, rounding), sqrtF32(-1, rounding),
                    sqrtF32(-inf, rounding), addF32(nan, 1, rounding),
                    mulF32(1, nan, rounding), rcpF32(nan, rounding)})
      EXPECT_EQ(bitsOfNumber(x), 0x7fffffffu);
    EXPECT_EQ(fmaF32(1e38f, 1e38f, -inf, rounding), -inf);
    EXPECT_EQ(fmaF32(inf, 2, 1, rounding), inf);
    EXPECT_EQ(addF32(inf, 1, rounding), inf);
    EXPECT_EQ(mulF32(-inf, 2, rounding), -inf);
    EXPECT_EQ(divF32(1, 0, rounding), inf);
    EXPECT_EQ(divF32(1, -0.0f, rounding), -inf);
    EXPECT_EQ(rcpF32(-0.0f, rounding), -inf);
    EXPECT_EQ(bitsOfNumber(rcpF32(-inf, rounding)), 0x80000000u);
    EXPECT_EQ(sqrtF32(inf, rounding), inf);
    for (double x :
         {addF64(wideInf, -wideInf, rounding), mulF64(0, wideInf, rounding),
          fmaF64(0, wideInf, 1, rounding), divF64(0, 0, rounding),
          sqrtF64(-1, rounding), rcpF64(std::nan(""), rounding)})
      EXPECT_TRUE(std::isnan(x));
    EXPECT_EQ(divF64(1, 0, rounding), wideInf);
    EXPECT_EQ(rcpF64(-wideInf, rounding), 0);
    EXPECT_EQ(rcpF64(3, rounding), divF64(1, 3, rounding));
  }
  constexpr uint16_t n = 0x7fff;
  EXPECT_EQ(addF16(0x7c00, 0xfc00), n);
  EXPECT_EQ(subF16(0x7c00, 0x7c00), n);
  EXPECT_EQ(mulF16(0x0000, 0x7c00), n);
  EXPECT_EQ(fmaF16(0x0000, 0x7c00, 0x3c00), n);
  EXPECT_EQ(fmaF16(0x7bff, 0x7bff, 0xfc00), 0xfc00);
  EXPECT_EQ(fmaF16(0x3c00, 0x3c00, 0xfe01), n);
  EXPECT_EQ(addBF16(0x7f80, 0xff80), n);
  EXPECT_EQ(subBF16(0xff80, 0xff80), n);
  EXPECT_EQ(mulBF16(0x8000, 0x7f80), n);
  EXPECT_EQ(fmaBF16(0x0000, 0x7f80, 0x3f80), n);
  EXPECT_EQ(fmaBF16(0x7f7f, 0x7f7f, 0xff80), 0xff80);
  EXPECT_EQ(fmaBF16(0x3f80, 0xffc1, 0x3f80), n);
}

TEST(Numbers, Flush) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    bool small16 = (bits & 0x7c00) == 0, smallB = (bits & 0x7f80) == 0;
    ASSERT_EQ(flushF16(uint16_t(bits)), small16 ? bits & 0x8000 : bits);
    ASSERT_EQ(flushBF16(uint16_t(bits)), smallB ? bits & 0x8000 : bits);
    uint32_t wide = bits << 16 | 0x1234;
    ASSERT_EQ(bitsOfNumber(flushF32(bitsOf<float>(wide))),
              smallB ? wide & 0x80000000 : wide);
  }
}

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

std::vector<double> integralOperands() {
  std::vector<double> result;
  Random random(21);
  for (uint64_t bits : edges(f64Format))
    result.push_back(bitsOf<double>(bits));
  auto around = [&](double x) {
    for (double y : {x, x + 0.5, x - 0.5, x + 1, x - 1, x + 1.5, x - 1.5})
      for (double z : {std::nextafter(y, -1e300), y, std::nextafter(y, 1e300)})
        result.insert(result.end(), {z, -z});
  };
  for (int i = 0; i <= 66; ++i)
    around(std::ldexp(1.0, i));
  for (int i = 0; i < 20; ++i)
    around(i);
  for (int i = 0; i < 100000; ++i) {
    double fraction = std::ldexp(double(random() >> 11), -53);
    result.push_back(std::ldexp(fraction, int(random() % 70)) *
                     (random() % 2 ? 1 : -1));
    result.push_back(double(int64_t(random()) >> (random() % 64)) + 0.5);
  }
  return result;
}

TEST(Numbers, RoundToIntegral) {
  auto check = [](auto value, const Format &format) {
    uint64_t bits = bitsOfNumber(value);
    Term term = format.number(bits);
    for (Rounding rounding : allRoundings) {
      auto result = roundToIntegral(value, rounding);
      ASSERT_EQ(std::signbit(result), std::signbit(value));
      if (term.exponent >= 0) {
        ASSERT_EQ(result, value);
        continue;
      }
      Wide whole = integerAt(term, rounding);
      ASSERT_EQ(std::fabs(result), decltype(value)(whole))
          << describe({bits}, rounding);
    }
  };
  for (double value : integralOperands()) {
    check(value, f64Format);
    if (std::isfinite(float(value)))
      check(float(value), f32Format);
  }
  EXPECT_EQ(bitsOfNumber(roundToIntegral(std::nanf(""), Rounding::Up)),
            0x7fffffffu);
  EXPECT_TRUE(std::isnan(roundToIntegral(std::nan(""), Rounding::Up)));
  EXPECT_TRUE(std::isinf(roundToIntegral(-INFINITY, Rounding::Up)));
}

TEST(Numbers, ToInteger) {
  for (double value : integralOperands()) {
    Term term = f64Format.number(bitsOfNumber(value));
    for (Rounding rounding : allRoundings) {
      Wide whole = integerAt(term, rounding);
      for (unsigned bits : {8u, 16u, 32u, 64u}) {
        Wide limit = Wide(1) << (bits - 1);
        Wide magnitude = std::min(whole, term.negative ? limit : limit - 1);
        int64_t expected =
            int64_t(term.negative ? -uint64_t(magnitude) : uint64_t(magnitude));
        ASSERT_EQ(toSigned(value, rounding, bits), expected)
            << value << " " << bits << " " << int(rounding);
        uint64_t expectedUnsigned =
            term.negative ? 0 : uint64_t(std::min(whole, 2 * limit - 1));
        ASSERT_EQ(toUnsigned(value, rounding, bits), expectedUnsigned)
            << value << " " << bits << " " << int(rounding);
      }
    }
  }
  double inf = INFINITY, nan = NAN;
  EXPECT_EQ(toSigned(inf, Rounding::Zero, 64), INT64_MAX);
  EXPECT_EQ(toSigned(-inf, Rounding::Zero, 64), INT64_MIN);
  EXPECT_EQ(toSigned(-inf, Rounding::Zero, 8), -128);
  EXPECT_EQ(toUnsigned(inf, Rounding::Zero, 32), 0xffffffffu);
  EXPECT_EQ(toUnsigned(-inf, Rounding::Zero, 32), 0u);
  // Section "cvt", on NaN.
  EXPECT_EQ(toSigned(nan, Rounding::Zero, 32), 0);
  EXPECT_EQ(toUnsigned(nan, Rounding::Zero, 16), 0u);
  EXPECT_EQ(toSigned(nan, Rounding::Zero, 64), INT64_MIN);
  EXPECT_EQ(toUnsigned(nan, Rounding::Zero, 64), uint64_t(1) << 63);
  EXPECT_EQ(toSigned(nan, Rounding::Zero, 32, true), INT32_MIN);
  EXPECT_EQ(toUnsigned(nan, Rounding::Zero, 32, true), 0x80000000u);
  EXPECT_EQ(toSigned(nan, Rounding::Zero, 8, true), -128);
  EXPECT_EQ(toUnsigned(nan, Rounding::Zero, 8, true), 0x80u);
}

TEST(Numbers, FromInteger) {
  Random random(22);
  auto check = [](uint64_t value) {
    bool negative = int64_t(value) < 0;
    Term asSigned{negative, negative ? -value : value, 0};
    Term asUnsigned{false, value, 0};
    for (Rounding rounding : ieeeRoundings) {
      auto expect = [&](uint64_t actual, const Format &format,
                        const Term &exact) {
        ASSERT_EQ(actual, roundTerm(format, exact, rounding))
            << describe({value}, rounding);
      };
      int64_t x = int64_t(value);
      expect(bitsOfNumber(signedToF32(x, rounding)), f32Format, asSigned);
      expect(bitsOfNumber(unsignedToF32(value, rounding)), f32Format,
             asUnsigned);
      expect(bitsOfNumber(signedToF64(x, rounding)), f64Format, asSigned);
      expect(bitsOfNumber(unsignedToF64(value, rounding)), f64Format,
             asUnsigned);
      expect(signedToF16(x, rounding), f16Format, asSigned);
      expect(unsignedToF16(value, rounding), f16Format, asUnsigned);
      expect(signedToBF16(x, rounding), bf16Format, asSigned);
      expect(unsignedToBF16(value, rounding), bf16Format, asUnsigned);
    }
  };
  for (int i = 0; i < 64; ++i)
    for (int64_t j = -2; j <= 2; ++j) {
      check((uint64_t(1) << i) + j);
      check(-((uint64_t(1) << i) + j));
      // Half way between two numbers of each format.
      for (int fraction : {7, 10, 23, 52})
        if (i > fraction)
          check((uint64_t(1) << i) + (uint64_t(1) << (i - fraction - 1)) + j);
    }
  for (uint64_t value = 65500; value < 65540; ++value)
    check(value);
  for (int i = 0; i < 10000; ++i)
    check(random() >> (random() % 64));
}

//===----------------------------------------------------------------------===//
// Minimum and maximum
//===----------------------------------------------------------------------===//

template <class T>
uint64_t pickByDefinition(T a, T b, const Format &format, bool larger,
                          bool nanWins, uint64_t nan) {
  uint64_t x = bitsOfNumber(a), y = bitsOfNumber(b);
  if (format.isNaN(x) && format.isNaN(y))
    return nan;
  if (format.isNaN(x) || format.isNaN(y))
    return nanWins ? nan : format.isNaN(x) ? y : x;
  Term p = format.number(x), q = format.number(y);
  int order = signOfSum({p, -q});
  if (order == 0)
    order = p.negative == q.negative ? 0 : p.negative ? -1 : 1;
  return (order < 0) == larger ? y : x;
}

template <class T, class Function>
void checkPick(const Format &format, Function function, bool larger,
               bool nanWins, uint64_t nan) {
  std::vector<uint64_t> values = edges(format);
  values.insert(values.end(),
                {format.infinity(), format.infinity() | format.sign(),
                 format.infinity() | 1, nan,
                 format.infinity() | format.sign() | 5});
  Random random(31);
  for (int i = 0; i < 200; ++i)
    values.push_back(randomFinite(format, random));
  for (uint64_t a : values)
    for (uint64_t b : values)
      ASSERT_EQ(bitsOfNumber(function(numberOf<T>(a), numberOf<T>(b))),
                pickByDefinition(numberOf<T>(a), numberOf<T>(b), format, larger,
                                 nanWins, nan))
          << describe({a, b}, Rounding::Nearest);
}

TEST(Numbers, MinMax) {
  for (bool nan : {false, true}) {
    auto with = [nan](auto function) {
      return [nan, function](auto a, auto b) { return function(a, b, nan); };
    };
    checkPick<float>(f32Format, with(minF32), false, nan, 0x7fffffff);
    checkPick<float>(f32Format, with(maxF32), true, nan, 0x7fffffff);
    checkPick<uint16_t>(f16Format, with(minF16), false, nan, 0x7fff);
    checkPick<uint16_t>(f16Format, with(maxF16), true, nan, 0x7fff);
    checkPick<uint16_t>(bf16Format, with(minBF16), false, nan, 0x7fff);
    checkPick<uint16_t>(bf16Format, with(maxBF16), true, nan, 0x7fff);
  }
  checkPick<double>(f64Format, minF64, false, false, 0x7ff8000000000000);
  checkPick<double>(f64Format, maxF64, true, false, 0x7ff8000000000000);
}

//===----------------------------------------------------------------------===//
// Approximate functions
//===----------------------------------------------------------------------===//

/// Random numbers of f32, and the edges.
std::vector<float> approximateOperands() {
  std::vector<float> result;
  for (uint64_t bits : edges(f32Format))
    result.push_back(numberOf<float>(bits));
  Random random(41);
  for (int i = 0; i < 100000; ++i)
    result.push_back(numberOf<float>(randomFinite(f32Format, random)));
  return result;
}

long double relative(long double value, long double exact) {
  return exact == 0 ? std::fabs(value) : std::fabs(value / exact - 1);
}

TEST(Numbers, ApproximateWithinTheirError) {
  constexpr float largest = std::numeric_limits<float>::max();
  for (float x : approximateOperands()) {
    SCOPED_TRACE(x);
    long double wide = x;
    bool subnormal = x != 0 && std::fabs(x) < 0x1p-126f;
    if (x != 0) {
      long double exact = 1 / wide;
      if (std::fabs(exact) <= largest && std::fabs(exact) >= 0x1p-126)
        ASSERT_LE(relative(rcpApprox(x), exact), 0x1p-23L);
      else if (std::fabs(exact) > 0x1.ffffffp127L)
        ASSERT_TRUE(std::isinf(rcpApprox(x)));
    }
    if (x > 0) {
      ASSERT_LE(relative(rsqrtApprox(x), 1 / std::sqrt(wide)),
                0x1.13p-23L /* 2^-22.9 */);
      ASSERT_LE(relative(sqrtApprox(x), std::sqrt(wide)), 0x1p-23L);
      long double exact = std::log2(wide);
      if (x > 0.5f && x < 2)
        ASSERT_LE(std::fabs(lg2Approx(x) - exact), 0x1p-22L);
      else
        ASSERT_LE(relative(lg2Approx(x), exact), 0x1p-22L);
    }
    constexpr long double pi = 3.141592653589793238462643383279502884L;
    if (std::fabs(x) <= 2 * pi && !subnormal) {
      ASSERT_LE(std::fabs(sinApprox(x) - std::sin(wide)), 0x1p-20L);
      ASSERT_LE(std::fabs(cosApprox(x) - std::cos(wide)), 0x1p-20L);
    }
    if (x < 128 && x > -126)
      ASSERT_LE(relative(ex2Approx(x), std::exp2(wide)), 0x1p-22L);
    ASSERT_LE(relative(tanhApprox(x), std::tanh(wide)), 0x1p-11L);
    for (float y : {1.0f, -3.0f, 0x1.8p125f, 0x1p-126f, 7.5f}) {
      long double exact = wide / y;
      if (std::fabs(exact) > largest || std::fabs(exact) < 0x1p-126)
        continue;
      ASSERT_LE(relative(divApprox(x, y), exact), 0x1p-22L);
      ASSERT_LE(relative(divFull(x, y), exact), 0x1p-22L);
    }
  }
}

TEST(Numbers, ApproximateSpecialCases) {
  constexpr uint32_t inf = 0x7f800000, negativeInf = 0xff800000,
                     nan = 0x7fffffff, one = 0x3f800000, zero = 0,
                     negativeZero = 0x80000000, subnormal = 1,
                     negativeSubnormal = 0x80000001, other = 0xffc00001;
  struct {
    const char *name;
    float (*function)(float);
    /// For -inf, -1, -subnormal, -0, +0, +subnormal, +inf, NaN; 7 where any
    /// number in the documented error will do.
    uint32_t expected[8];
  } table[] = {
      {"rcp",
       rcpApprox,
       {negativeZero, 0xbf800000, negativeInf, negativeInf, inf, inf, zero,
        nan}},
      {"sqrt", sqrtApprox, {nan, nan, nan, negativeZero, zero, 7, inf, nan}},
      {"rsqrt", rsqrtApprox, {nan, nan, nan, negativeInf, inf, 7, zero, nan}},
      {"sin",
       sinApprox,
       {nan, 7, negativeZero, negativeZero, zero, zero, nan, nan}},
      {"cos", cosApprox, {nan, 7, one, one, one, one, nan, nan}},
      {"lg2",
       lg2Approx,
       {nan, nan, nan, negativeInf, negativeInf, 7, inf, nan}},
      {"ex2", ex2Approx, {zero, 0x3f000000, one, one, one, one, inf, nan}},
      {"tanh",
       tanhApprox,
       {0xbf800000, 7, negativeSubnormal, negativeZero, zero, subnormal, one,
        nan}},
  };
  const uint32_t operands[8] = {negativeInf,  0xbf800000, negativeSubnormal,
                                negativeZero, zero,       subnormal,
                                inf,          other};
  for (const auto &row : table)
    for (int i = 0; i < 8; ++i)
      if (row.expected[i] != 7)
        EXPECT_EQ(bitsOfNumber(row.function(bitsOf<float>(operands[i]))),
                  row.expected[i])
            << row.name << " " << i;

  // Section "div": large divisors.
  EXPECT_EQ(divApprox(1e38f, 0x1p127f), 0);
  EXPECT_TRUE(std::isnan(divApprox(INFINITY, 0x1p127f)));
  EXPECT_TRUE(std::isnan(divApprox(INFINITY, INFINITY)));
  EXPECT_EQ(divApprox(1, INFINITY), 0);
  EXPECT_EQ(divApprox(0x1p126f, 0x1p126f), 1);
  EXPECT_EQ(divFull(0x1p127f, 0x1p127f), 1);
  EXPECT_TRUE(std::isinf(divFull(1, 0)));
  EXPECT_TRUE(std::isnan(divFull(0, 0)));
}

TEST(Numbers, ApproximateF64) {
  EXPECT_EQ(rcpApproxF64(4), 0.25);
  EXPECT_EQ(rcpApproxF64(-INFINITY), 0);
  EXPECT_TRUE(std::signbit(rcpApproxF64(-INFINITY)));
  EXPECT_EQ(rcpApproxF64(-0x1p-1040), -INFINITY);
  EXPECT_EQ(rcpApproxF64(-0.0), -INFINITY);
  EXPECT_TRUE(std::isnan(rcpApproxF64(NAN)));
  EXPECT_EQ(rsqrtApproxF64(0x1p-1040), 0x1p520);
  EXPECT_EQ(rsqrtApproxF64(-0.0), -INFINITY);
  EXPECT_TRUE(std::isnan(rsqrtApproxF64(-1)));
  EXPECT_EQ(rsqrtApproxFtzF64(0x1p-1040), INFINITY);
  EXPECT_EQ(rsqrtApproxFtzF64(-0x1p-1040), -INFINITY);
  Random random(42);
  for (int i = 0; i < 10000; ++i) {
    double x = std::fabs(bitsOf<double>(randomFinite(f64Format, random)));
    if (x < 0x1p-1020 || x > 0x1p1020)
      continue;
    uint64_t bits = bitsOf<uint64_t>(rcpApproxF64(x));
    ASSERT_EQ(bits & 0xffffffff, 0u);
    // 20 bits of operand and result each.
    ASSERT_LE(relative(rcpApproxF64(x), 1 / (long double)x), 0x1p-18L);
    ASSERT_EQ(bitsOf<uint64_t>(rsqrtApproxFtzF64(x)) & 0xffffffff, 0u);
    long double root = 1 / std::sqrt((long double)x);
    ASSERT_LE(relative(rsqrtApproxFtzF64(x), root), 0x1p-18L);
    ASSERT_LE(relative(rsqrtApproxF64(x), root), 0x1p-51L);
  }
}

TEST(Numbers, ApproximateHalf) {
  auto value = [](const Format &format, uint16_t bits) {
    Term term = format.number(bits);
    long double x = std::ldexp((long double)(term.magnitude), term.exponent);
    return term.negative ? -x : x;
  };
  for (uint32_t i = 0; i < 0x10000; ++i) {
    uint16_t bits = uint16_t(i);
    SCOPED_TRACE(i);
    if (f16Format.isNaN(bits)) {
      ASSERT_EQ(ex2ApproxF16(bits), 0x7fff);
      ASSERT_EQ(tanhApproxF16(bits), 0x7fff);
    } else if (!f16Format.isInfinity(bits)) {
      long double x = value(f16Format, bits);
      long double exact = std::exp2(x);
      if (exact > 65519)
        ASSERT_EQ(ex2ApproxF16(bits), 0x7c00);
      else
        // 2^-9.9, and half a unit where the result is subnormal.
        ASSERT_LE(std::fabs(value(f16Format, ex2ApproxF16(bits)) - exact),
                  std::max(exact * 0x1.12p-10L, 0x1p-25L));
      ASSERT_LE(std::fabs(value(f16Format, tanhApproxF16(bits)) - std::tanh(x)),
                0x1.01p-11L /* 2^-10.987 */);
    }
    if (bf16Format.isNaN(bits)) {
      ASSERT_EQ(ex2ApproxBF16(bits), 0x7fff);
      ASSERT_EQ(tanhApproxBF16(bits), 0x7fff);
    } else if (!bf16Format.isInfinity(bits)) {
      long double x = value(bf16Format, bits);
      long double exact = std::exp2(x);
      if (exact > 0x1.fep127L && exact < 0x1.ffp127L)
        continue;
      if (exact >= 0x1.ffp127L)
        ASSERT_EQ(ex2ApproxBF16(bits), 0x7f80);
      else
        ASSERT_LE(std::fabs(value(bf16Format, ex2ApproxBF16(bits)) - exact),
                  std::max(exact * 0x1p-7L, 0x1p-134L));
      ASSERT_LE(
          std::fabs(value(bf16Format, tanhApproxBF16(bits)) - std::tanh(x)),
          0x1p-8L);
    }
  }
  EXPECT_EQ(ex2ApproxF16(0xfc00), 0);
  EXPECT_EQ(ex2ApproxF16(0x7c00), 0x7c00);
  EXPECT_EQ(tanhApproxF16(0xfc00), 0xbc00);
  EXPECT_EQ(tanhApproxF16(0x8000), 0x8000);
  EXPECT_EQ(ex2ApproxBF16(0xff80), 0);
  EXPECT_EQ(tanhApproxBF16(0x7f80), 0x3f80);
}

} // namespace
