//===- Numbers.cpp - Number formats of the PTX ISA ------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rounding to nearest is left to the host where the host rounds once. The other
// roundings compute the exact result, or enough of its bits and whether there
// are more, as an integer and round that: the rounding mode of the host is
// never touched, so that the compiler may assume it.
//
//===----------------------------------------------------------------------===//

#include "Numbers.h"

#include <cmath>
#include <type_traits>
#include <utility>

using namespace muon::ptxsim;

namespace {

using Wide = unsigned __int128;

struct Format {
  int fractionBits, exponentBits;

  constexpr int bias() const { return (1 << (exponentBits - 1)) - 1; }
  constexpr int minExponent() const { return 1 - bias(); }
  constexpr uint64_t infinity() const {
    return ((uint64_t(1) << exponentBits) - 1) << fractionBits;
  }
  constexpr uint64_t signBit() const {
    return uint64_t(1) << (fractionBits + exponentBits);
  }
};

constexpr Format f16{10, 5}, bf16{7, 8}, f32{23, 8}, f64{52, 11};

template <class Float>
constexpr Format formatOf = sizeof(Float) == 4 ? f32 : f64;
template <class Float>
using BitsOf = std::conditional_t<sizeof(Float) == 4, uint32_t, uint64_t>;

/// magnitude * 2^exponent. The lowest bit may stand for any bits below it, so
/// long as rounding drops at least two bits; magnitude has less than 127.
struct Exact {
  bool negative = false;
  int exponent = 0;
  Wide magnitude = 0;
};

int bitLength(Wide value) {
  uint64_t high = uint64_t(value >> 64), low = uint64_t(value);
  if (high)
    return 128 - __builtin_clzll(high);
  return low ? 64 - __builtin_clzll(low) : 0;
}

/// Whether the magnitude of what is left of `value` grows by one unit when the
/// rest is dropped.
bool roundsUp(bool negative, bool odd, int restAgainstHalf, bool inexact,
              Rounding rounding) {
  switch (rounding) {
  case Rounding::Nearest:
    return restAgainstHalf > 0 || (restAgainstHalf == 0 && odd);
  case Rounding::NearestAway:
    return restAgainstHalf >= 0;
  case Rounding::Zero:
    return false;
  case Rounding::Down:
    return inexact && negative;
  case Rounding::Up:
    return inexact && !negative;
  }
  return false;
}

uint64_t pack(const Exact &value, Format format, Rounding rounding) {
  uint64_t sign = value.negative ? format.signBit() : 0;
  if (value.magnitude == 0)
    return sign;
  int exponent = value.exponent + bitLength(value.magnitude) - 1;
  if (exponent < format.minExponent())
    exponent = format.minExponent();
  int dropped = exponent - format.fractionBits - value.exponent;

  uint64_t kept = 0;
  // -1, 0 or 1.
  int restAgainstHalf = -1;
  bool inexact = true;
  if (dropped <= 0) {
    kept = uint64_t(value.magnitude << -dropped);
    inexact = false;
  } else if (dropped < 128) {
    kept = uint64_t(value.magnitude >> dropped);
    Wide rest = value.magnitude - (Wide(kept) << dropped);
    Wide half = Wide(1) << (dropped - 1);
    restAgainstHalf = rest < half ? -1 : rest > half;
    inexact = rest != 0;
  }
  if (roundsUp(value.negative, kept & 1, restAgainstHalf, inexact, rounding))
    ++kept;

  // The hidden bit adds one to the exponent, and so does a carry out of the
  // fraction.
  bool overflow = exponent > format.bias();
  uint64_t bits = overflow ? 0
                           : (uint64_t(exponent - format.minExponent())
                              << format.fractionBits) +
                                 kept;
  if (overflow || bits >= format.infinity()) {
    bool toInfinity = rounding == Rounding::Nearest ||
                      rounding == Rounding::NearestAway ||
                      (rounding == Rounding::Down && value.negative) ||
                      (rounding == Rounding::Up && !value.negative);
    bits = toInfinity ? format.infinity() : format.infinity() - 1;
  }
  return sign | bits;
}

template <class Float>
Float packAs(const Exact &value, Rounding rounding) {
  return bitsOf<Float>(BitsOf<Float>(pack(value, formatOf<Float>, rounding)));
}

/// Of a finite value.
template <class Float>
Exact unpack(Float value) {
  constexpr Format format = formatOf<Float>;
  uint64_t bits = bitsOf<BitsOf<Float>>(value);
  uint64_t fraction = bits & ((uint64_t(1) << format.fractionBits) - 1);
  int biased = int((bits & format.infinity()) >> format.fractionBits);
  Exact result;
  result.negative = bits & format.signBit();
  result.magnitude =
      biased ? fraction | uint64_t(1) << format.fractionBits : fraction;
  result.exponent = (biased ? biased : 1) - format.bias() - format.fractionBits;
  return result;
}

/// So that the highest bit is bit `top`. The magnitude is not zero, and has no
/// bits above that.
void normalize(Exact &value, int top) {
  int shift = top - (bitLength(value.magnitude) - 1);
  value.magnitude <<= shift;
  value.exponent -= shift;
}

/// The sum, exact but for bits that lie far below those that rounding keeps.
Exact add(Exact a, Exact b, Rounding rounding) {
  if (a.magnitude == 0 && b.magnitude == 0) {
    bool same = a.negative == b.negative;
    return {same ? a.negative : rounding == Rounding::Down, 0, 0};
  }
  if (a.magnitude == 0)
    return b;
  if (b.magnitude == 0)
    return a;
  // Bits are only lost to the shift below if the smaller one lies far below:
  // then the difference loses no more than one bit at the top.
  normalize(a, 124);
  normalize(b, 124);
  if (a.exponent < b.exponent)
    std::swap(a, b);
  int shift = a.exponent - b.exponent;
  if (shift > 124) {
    b.magnitude = 1;
  } else if (shift > 0) {
    Wide rest = b.magnitude & ((Wide(1) << shift) - 1);
    b.magnitude = b.magnitude >> shift | (rest != 0);
  }
  if (a.negative == b.negative) {
    a.magnitude += b.magnitude;
    return a;
  }
  if (a.magnitude == b.magnitude)
    return {rounding == Rounding::Down, 0, 0};
  if (a.magnitude < b.magnitude) {
    b.magnitude -= a.magnitude;
    b.exponent = a.exponent;
    return b;
  }
  a.magnitude -= b.magnitude;
  return a;
}

/// Of values of 53 bits at most.
Exact multiply(const Exact &a, const Exact &b) {
  return {a.negative != b.negative, a.exponent + b.exponent,
          a.magnitude * b.magnitude};
}

/// Of values of 53 bits at most that are not zero; 60 bits or more.
Exact divide(Exact a, Exact b) {
  normalize(a, 120);
  normalize(b, 52);
  Exact result;
  result.negative = a.negative != b.negative;
  result.exponent = a.exponent - b.exponent;
  result.magnitude = a.magnitude / b.magnitude;
  if (result.magnitude * b.magnitude != a.magnitude)
    result.magnitude |= 1;
  return result;
}

/// Of a value that is greater than zero; 60 bits or more.
Exact squareRoot(Exact a) {
  normalize(a, 120);
  if (a.exponent % 2 != 0) {
    a.magnitude <<= 1;
    --a.exponent;
  }
  Wide root = 0, rest = a.magnitude;
  for (Wide bit = Wide(1) << 122; bit != 0; bit >>= 2) {
    if (rest >= root + bit) {
      rest -= root + bit;
      root = (root >> 1) + bit;
    } else {
      root >>= 1;
    }
  }
  Exact result;
  result.exponent = a.exponent / 2;
  // One more bit, so that the lowest can stand for the rest.
  result.magnitude = root << 1 | (rest != 0);
  --result.exponent;
  return result;
}

float canonicalIf32(float value) { return detail::canonical(value); }
double canonicalIf32(double value) { return value; }

template <class Float>
Float addTo(Float a, Float b, Rounding rounding) {
  if (rounding == Rounding::Nearest || !std::isfinite(a) || !std::isfinite(b))
    return canonicalIf32(a + b);
  return packAs<Float>(add(unpack(a), unpack(b), rounding), rounding);
}

template <class Float>
Float mulTo(Float a, Float b, Rounding rounding) {
  if (rounding == Rounding::Nearest || !std::isfinite(a) || !std::isfinite(b))
    return canonicalIf32(a * b);
  return packAs<Float>(multiply(unpack(a), unpack(b)), rounding);
}

template <class Float>
Float fmaTo(Float a, Float b, Float c, Rounding rounding) {
  if (rounding == Rounding::Nearest || !std::isfinite(a) || !std::isfinite(b) ||
      !std::isfinite(c))
    return canonicalIf32(std::fma(a, b, c));
  return packAs<Float>(add(multiply(unpack(a), unpack(b)), unpack(c), rounding),
                       rounding);
}

template <class Float>
Float divTo(Float a, Float b, Rounding rounding) {
  if (rounding == Rounding::Nearest || !std::isfinite(a) || !std::isfinite(b) ||
      a == 0 || b == 0)
    return canonicalIf32(a / b);
  return packAs<Float>(divide(unpack(a), unpack(b)), rounding);
}

template <class Float>
Float sqrtTo(Float a, Rounding rounding) {
  if (rounding == Rounding::Nearest || !std::isfinite(a) || !(a > 0))
    return canonicalIf32(std::sqrt(a));
  return packAs<Float>(squareRoot(unpack(a)), rounding);
}

template <class Float>
Float roundIntegral(Float value, Rounding rounding) {
  switch (rounding) {
  case Rounding::Nearest:
    return std::nearbyint(value);
  case Rounding::Zero:
    return std::trunc(value);
  case Rounding::Down:
    return std::floor(value);
  case Rounding::Up:
    return std::ceil(value);
  case Rounding::NearestAway:
    return std::round(value);
  }
  return value;
}

uint16_t roundTo16(double value, Format format, Rounding rounding) {
  if (value != value)
    return canonicalNaN16;
  if (!std::isfinite(value))
    return uint16_t((value < 0 ? format.signBit() : 0) | format.infinity());
  return uint16_t(pack(unpack(value), format, rounding));
}

Exact exactOf(int64_t value) {
  return {value < 0, 0, value < 0 ? -uint64_t(value) : uint64_t(value)};
}
Exact exactOf(uint64_t value) { return {false, 0, value}; }

} // namespace

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

uint16_t detail::roundToF16(double value, Rounding rounding) {
  return roundTo16(value, f16, rounding);
}
uint16_t detail::roundToBF16(double value, Rounding rounding) {
  return roundTo16(value, bf16, rounding);
}

uint16_t muon::ptxsim::toF16(double value, Rounding rounding) {
  if (rounding == Rounding::Nearest)
    return toF16(detail::toOddF32(value));
  return roundTo16(value, f16, rounding);
}

uint16_t muon::ptxsim::toBF16(double value, Rounding rounding) {
  if (rounding == Rounding::Nearest)
    return toBF16(detail::toOddF32(value));
  return roundTo16(value, bf16, rounding);
}

float muon::ptxsim::toF32(double value, Rounding rounding) {
  if (rounding == Rounding::Nearest || !std::isfinite(value))
    return detail::canonical(static_cast<float>(value));
  return packAs<float>(unpack(value), rounding);
}

uint32_t muon::ptxsim::toTF32(float value, Rounding rounding) {
  if (value != value)
    return canonicalNaN32;
  uint32_t bits = bitsOf<uint32_t>(value);
  uint32_t magnitude = bits & 0x7fffffff;
  bool negative = bits >> 31;
  constexpr uint32_t unit = 0x2000, half = unit / 2;
  uint32_t rest = magnitude & (unit - 1);
  uint32_t kept = magnitude - rest;
  bool odd = kept & unit;
  int restAgainstHalf = rest < half ? -1 : rest > half;
  // A carry out of the fraction is the next exponent, and infinity after the
  // last.
  if (roundsUp(negative, odd, restAgainstHalf, rest != 0, rounding))
    kept += unit;
  return (bits & 0x80000000) | kept;
}

float muon::ptxsim::roundToIntegral(float value, Rounding rounding) {
  return detail::canonical(roundIntegral(value, rounding));
}
double muon::ptxsim::roundToIntegral(double value, Rounding rounding) {
  return roundIntegral(value, rounding);
}

int64_t muon::ptxsim::toSigned(double value, Rounding rounding, unsigned bits,
                               bool fromF64) {
  int64_t smallest = int64_t(~uint64_t(0) << (bits - 1));
  if (value != value)
    return fromF64 || bits == 64 ? smallest : 0;
  double rounded = roundIntegral(value, rounding);
  double limit = std::ldexp(1.0, int(bits) - 1);
  if (rounded < -limit)
    return smallest;
  if (rounded >= limit)
    return -(smallest + 1);
  return static_cast<int64_t>(rounded);
}

uint64_t muon::ptxsim::toUnsigned(double value, Rounding rounding,
                                  unsigned bits, bool fromF64) {
  if (value != value)
    return fromF64 || bits == 64 ? uint64_t(1) << (bits - 1) : 0;
  double rounded = roundIntegral(value, rounding);
  if (rounded <= 0)
    return 0;
  if (rounded >= std::ldexp(1.0, int(bits)))
    return ~uint64_t(0) >> (64 - bits);
  return static_cast<uint64_t>(rounded);
}

float muon::ptxsim::signedToF32(int64_t value, Rounding rounding) {
  if (rounding == Rounding::Nearest)
    return static_cast<float>(value);
  return packAs<float>(exactOf(value), rounding);
}
float muon::ptxsim::unsignedToF32(uint64_t value, Rounding rounding) {
  if (rounding == Rounding::Nearest)
    return static_cast<float>(value);
  return packAs<float>(exactOf(value), rounding);
}
double muon::ptxsim::signedToF64(int64_t value, Rounding rounding) {
  if (rounding == Rounding::Nearest)
    return static_cast<double>(value);
  return packAs<double>(exactOf(value), rounding);
}
double muon::ptxsim::unsignedToF64(uint64_t value, Rounding rounding) {
  if (rounding == Rounding::Nearest)
    return static_cast<double>(value);
  return packAs<double>(exactOf(value), rounding);
}
uint16_t muon::ptxsim::signedToF16(int64_t value, Rounding rounding) {
  return uint16_t(pack(exactOf(value), f16, rounding));
}
uint16_t muon::ptxsim::unsignedToF16(uint64_t value, Rounding rounding) {
  return uint16_t(pack(exactOf(value), f16, rounding));
}
uint16_t muon::ptxsim::signedToBF16(int64_t value, Rounding rounding) {
  return uint16_t(pack(exactOf(value), bf16, rounding));
}
uint16_t muon::ptxsim::unsignedToBF16(uint64_t value, Rounding rounding) {
  return uint16_t(pack(exactOf(value), bf16, rounding));
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

float detail::addDirected(float a, float b, Rounding rounding) {
  return addTo(a, b, rounding);
}
float detail::mulDirected(float a, float b, Rounding rounding) {
  return mulTo(a, b, rounding);
}
float detail::fmaDirected(float a, float b, float c, Rounding rounding) {
  return fmaTo(a, b, c, rounding);
}
float muon::ptxsim::divF32(float a, float b, Rounding rounding) {
  return divTo(a, b, rounding);
}
float muon::ptxsim::sqrtF32(float a, Rounding rounding) {
  return sqrtTo(a, rounding);
}
float muon::ptxsim::rcpF32(float a, Rounding rounding) {
  return divTo(1.0f, a, rounding);
}
double muon::ptxsim::addF64(double a, double b, Rounding rounding) {
  return addTo(a, b, rounding);
}
double muon::ptxsim::mulF64(double a, double b, Rounding rounding) {
  return mulTo(a, b, rounding);
}
double muon::ptxsim::fmaF64(double a, double b, double c, Rounding rounding) {
  return fmaTo(a, b, c, rounding);
}
double muon::ptxsim::divF64(double a, double b, Rounding rounding) {
  return divTo(a, b, rounding);
}
double muon::ptxsim::sqrtF64(double a, Rounding rounding) {
  return sqrtTo(a, rounding);
}
double muon::ptxsim::rcpF64(double a, Rounding rounding) {
  return divTo(1.0, a, rounding);
}

//===----------------------------------------------------------------------===//
// Minimum and maximum
//===----------------------------------------------------------------------===//

namespace {

/// On the bits, where the order of magnitudes is that of integers.
template <class Bits>
Bits pick(Bits a, Bits b, Format format, bool larger, bool nan,
          Bits canonicalNaN) {
  Bits sign = Bits(format.signBit());
  bool aIsNaN = (a & ~sign) > format.infinity();
  bool bIsNaN = (b & ~sign) > format.infinity();
  if (aIsNaN || bIsNaN)
    return nan || (aIsNaN && bIsNaN) ? canonicalNaN : aIsNaN ? b : a;
  // Numbers in order, with -0 before +0.
  auto key = [&](Bits x) { return Bits(x & sign ? ~x : x | sign); };
  return (key(a) < key(b)) != larger ? a : b;
}

float pickF32(float a, float b, bool larger, bool nan) {
  return bitsOf<float>(pick<uint32_t>(bitsOf<uint32_t>(a), bitsOf<uint32_t>(b),
                                      f32, larger, nan, canonicalNaN32));
}
double pickF64(double a, double b, bool larger) {
  return bitsOf<double>(pick<uint64_t>(bitsOf<uint64_t>(a), bitsOf<uint64_t>(b),
                                       f64, larger, false, 0x7ff8000000000000));
}

} // namespace

float muon::ptxsim::minF32(float a, float b, bool nan) {
  return pickF32(a, b, false, nan);
}
float muon::ptxsim::maxF32(float a, float b, bool nan) {
  return pickF32(a, b, true, nan);
}
double muon::ptxsim::minF64(double a, double b) { return pickF64(a, b, false); }
double muon::ptxsim::maxF64(double a, double b) { return pickF64(a, b, true); }
uint16_t muon::ptxsim::minF16(uint16_t a, uint16_t b, bool nan) {
  return pick<uint16_t>(a, b, f16, false, nan, canonicalNaN16);
}
uint16_t muon::ptxsim::maxF16(uint16_t a, uint16_t b, bool nan) {
  return pick<uint16_t>(a, b, f16, true, nan, canonicalNaN16);
}
uint16_t muon::ptxsim::minBF16(uint16_t a, uint16_t b, bool nan) {
  return pick<uint16_t>(a, b, bf16, false, nan, canonicalNaN16);
}
uint16_t muon::ptxsim::maxBF16(uint16_t a, uint16_t b, bool nan) {
  return pick<uint16_t>(a, b, bf16, true, nan, canonicalNaN16);
}

//===----------------------------------------------------------------------===//
// Approximate functions
//===----------------------------------------------------------------------===//

namespace {

float narrow(double value) {
  return detail::canonical(static_cast<float>(value));
}

/// Cuts an operand or a result of the gross approximations in f64 to 1 bit of
/// sign, 11 of exponent, 20 of fraction, and subnormals to zero.
double upperHalf(double value) {
  uint64_t bits = bitsOf<uint64_t>(value);
  uint64_t exponent = bits & f64.infinity();
  if (value != value)
    bits |= uint64_t(1) << (f64.fractionBits - 1);
  if (exponent == 0)
    return bitsOf<double>(bits & f64.signBit());
  return bitsOf<double>(bits & 0xffffffff00000000);
}

} // namespace

float muon::ptxsim::rcpApprox(float a) { return narrow(1.0 / a); }
float muon::ptxsim::rsqrtApprox(float a) {
  return narrow(1.0 / std::sqrt(double(a)));
}
float muon::ptxsim::sqrtApprox(float a) { return narrow(std::sqrt(a)); }

float muon::ptxsim::divApprox(float a, float b) {
  // Section "div": the reciprocal of such a divisor is taken for zero.
  float magnitude = std::fabs(b);
  if (magnitude > 0x1p126f && std::isfinite(b))
    return detail::canonical(a * std::copysign(0.0f, b));
  return detail::canonical(a / b);
}
float muon::ptxsim::divFull(float a, float b) {
  return detail::canonical(a / b);
}

float muon::ptxsim::sinApprox(float a) {
  return narrow(std::sin(double(flushF32(a))));
}
float muon::ptxsim::cosApprox(float a) { return narrow(std::cos(double(a))); }
float muon::ptxsim::lg2Approx(float a) { return narrow(std::log2(double(a))); }
float muon::ptxsim::ex2Approx(float a) { return narrow(std::exp2(double(a))); }
float muon::ptxsim::tanhApprox(float a) { return narrow(std::tanh(double(a))); }

double muon::ptxsim::rcpApproxF64(double a) {
  return upperHalf(1.0 / upperHalf(a));
}
double muon::ptxsim::rsqrtApproxF64(double a) { return 1.0 / std::sqrt(a); }
double muon::ptxsim::rsqrtApproxFtzF64(double a) {
  return upperHalf(1.0 / std::sqrt(upperHalf(a)));
}

uint16_t muon::ptxsim::ex2ApproxF16(uint16_t a) {
  return toF16(std::exp2(double(fromF16(a))), Rounding::Nearest);
}
uint16_t muon::ptxsim::tanhApproxF16(uint16_t a) {
  return toF16(std::tanh(double(fromF16(a))), Rounding::Nearest);
}
uint16_t muon::ptxsim::ex2ApproxBF16(uint16_t a) {
  return toBF16(std::exp2(double(fromBF16(a))), Rounding::Nearest);
}
uint16_t muon::ptxsim::tanhApproxBF16(uint16_t a) {
  return toBF16(std::tanh(double(fromBF16(a))), Rounding::Nearest);
}
