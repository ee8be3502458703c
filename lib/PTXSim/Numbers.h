//===- Numbers.h - Number formats of the PTX ISA ----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scalar definitions: bits in, bits out, no state. Rounding is exact: one
// rounding of the exact result, in the direction that is asked for.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_NUMBERS_H
#define MUON_MLIR_LIB_PTXSIM_NUMBERS_H

#include <cstdint>
#include <cstring>

namespace muon::ptxsim {

/// To nearest even, toward zero, down, up, to nearest with ties away from zero.
enum class Rounding : uint8_t { Nearest, Zero, Down, Up, NearestAway };

template <class To, class From>
inline To bitsOf(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

/// What every operation on the format gives where the result is no number.
constexpr uint16_t canonicalNaN16 = 0x7fff;
constexpr uint32_t canonicalNaN32 = 0x7fffffff;

namespace detail {
// The parts of the functions below that are not worth inlining: each computes
// the exact result as an integer and rounds that.
uint16_t roundToF16(double value, Rounding rounding);
uint16_t roundToBF16(double value, Rounding rounding);
float addDirected(float a, float b, Rounding rounding);
float mulDirected(float a, float b, Rounding rounding);
float fmaDirected(float a, float b, float c, Rounding rounding);

inline float canonical(float value) {
  return value == value ? value : bitsOf<float>(canonicalNaN32);
}

/// The neighbour of `near`, in the direction of the error, if that is what
/// rounding to odd gives; so that rounding once more, to a format with at least
/// two bits less, is like rounding the exact result. `near` is the exact result
/// rounded to nearest, `error` has the sign of exact minus near.
template <class Bits, class Float>
inline Float makeOdd(Float near, Float error) {
  Bits bits = bitsOf<Bits>(near);
  // The comparisons are false for NaN, which is the error of an infinite sum.
  bool inexact = error > 0 || error < 0;
  bool away = (error > 0) == (bits >> (8 * sizeof(Bits) - 1) == 0);
  Bits odd = away ? bits + 1 : bits - 1;
  return bitsOf<Float>(Bits(inexact && (bits & 1) == 0 ? odd : bits));
}

/// To nearest or the odd neighbour; for values between, always the odd one.
inline float toOddF32(double value) {
  float near = static_cast<float>(value);
  double back = near;
  // Signs only: the difference itself need not be representable, and is not
  // for an infinity that a finite value was rounded to.
  float error = value > back ? 1.0f : value < back ? -1.0f : 0.0f;
  return makeOdd<uint32_t>(near, error);
}

/// The product of two values of 24 bits plus a third, rounded to odd.
inline double fmaOddF64(float a, float b, float c) {
  double product = double(a) * double(b);
  double addend = c;
  double sum = product + addend;
  double back = sum - product;
  double error = (product - (sum - back)) + (addend - back);
  return makeOdd<uint64_t>(sum, error);
}
} // namespace detail

// Widening conversions are exact. NaN stays NaN.
inline float fromF16(uint16_t bits) {
  uint32_t magnitude = uint32_t(bits & 0x7fff) << 13;
  uint32_t exponent = magnitude & 0x0f800000;
  uint32_t rebiased = magnitude + 0x38000000;
  // A subnormal is read as if it had the hidden bit, which is subtracted.
  uint32_t small =
      bitsOf<uint32_t>(bitsOf<float>(rebiased + 0x00800000) - 0x1p-14f);
  uint32_t special = rebiased + 0x38000000;
  uint32_t result = exponent == 0            ? small
                    : exponent == 0x0f800000 ? special
                                             : rebiased;
  return bitsOf<float>(result | uint32_t(bits & 0x8000) << 16);
}
inline float fromBF16(uint16_t bits) {
  return bitsOf<float>(uint32_t(bits) << 16);
}

// Narrowing conversions. NaN becomes the canonical 0x7fff of PTX (f16, bf16),
// 0x7fffffff (f32, tf32).
inline uint16_t toF16(float value, Rounding rounding = Rounding::Nearest) {
  if (rounding != Rounding::Nearest)
    return detail::roundToF16(value, rounding);
  uint32_t bits = bitsOf<uint32_t>(value);
  uint32_t magnitude = bits & 0x7fffffff;
  // The unit in the last place of [0.5, 1) is that of subnormals of f16: the
  // addition rounds.
  uint32_t small =
      bitsOf<uint32_t>(bitsOf<float>(magnitude) + 0.5f) - 0x3f000000;
  uint32_t normal =
      (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
  uint32_t result = magnitude > 0x7f800000    ? canonicalNaN16
                    : magnitude >= 0x47800000 ? 0x7c00
                    : magnitude < 0x38800000  ? small
                                              : normal;
  uint32_t sign = magnitude > 0x7f800000 ? 0 : bits >> 16 & 0x8000;
  return uint16_t(result | sign);
}
inline uint16_t toBF16(float value, Rounding rounding = Rounding::Nearest) {
  if (rounding != Rounding::Nearest)
    return detail::roundToBF16(value, rounding);
  uint32_t bits = bitsOf<uint32_t>(value);
  uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return uint16_t((bits & 0x7fffffff) > 0x7f800000 ? canonicalNaN16 : rounded);
}
/// Nearest with ties away from zero (cvt.rna.tf32.f32), Nearest or Zero: 10
/// bits of fraction, the other 13 zero.
uint32_t toTF32(float value, Rounding rounding = Rounding::NearestAway);
uint16_t toF16(double value, Rounding rounding);
uint16_t toBF16(double value, Rounding rounding);
float toF32(double value, Rounding rounding);

/// `.satfinite`: the largest finite number in place of an infinity, whether it
/// comes from an overflow or was the operand. NaN stays.
inline uint16_t saturateF16(uint16_t value) {
  return (value & 0x7fff) == 0x7c00 ? uint16_t(value - 1) : value;
}
inline uint16_t saturateBF16(uint16_t value) {
  return (value & 0x7fff) == 0x7f80 ? uint16_t(value - 1) : value;
}
inline uint32_t saturateTF32(uint32_t value) {
  return (value & 0x7fffffff) == 0x7f800000 ? value - 0x2000 : value;
}

// Arithmetic with one rounding of the exact result. f32 gives the canonical
// NaN; f64 keeps the payload of an operand.
inline float addF32(float a, float b, Rounding rounding) {
  if (rounding != Rounding::Nearest)
    return detail::addDirected(a, b, rounding);
  return detail::canonical(a + b);
}
inline float mulF32(float a, float b, Rounding rounding) {
  if (rounding != Rounding::Nearest)
    return detail::mulDirected(a, b, rounding);
  return detail::canonical(a * b);
}
inline float fmaF32(float a, float b, float c, Rounding rounding) {
  if (rounding != Rounding::Nearest)
    return detail::fmaDirected(a, b, c, rounding);
#if defined(__FMA__)
  return detail::canonical(__builtin_fmaf(a, b, c));
#else
  return detail::canonical(static_cast<float>(detail::fmaOddF64(a, b, c)));
#endif
}
float divF32(float a, float b, Rounding rounding);
float sqrtF32(float a, Rounding rounding);
float rcpF32(float a, Rounding rounding);
double addF64(double a, double b, Rounding rounding);
double mulF64(double a, double b, Rounding rounding);
double fmaF64(double a, double b, double c, Rounding rounding);
double divF64(double a, double b, Rounding rounding);
double sqrtF64(double a, Rounding rounding);
double rcpF64(double a, Rounding rounding);
// f16 and bf16, to nearest even, subnormals kept.
// A sum of two has its rounding to f32 twice without harm, for 24 >= 2 * 11 +
// 2, and a product of f16 is exact in f32. One of bf16 is not where it is
// subnormal, and neither is a product and a sum in f64 for bf16.
inline uint16_t addF16(uint16_t a, uint16_t b) {
  return toF16(fromF16(a) + fromF16(b));
}
inline uint16_t subF16(uint16_t a, uint16_t b) {
  return toF16(fromF16(a) - fromF16(b));
}
inline uint16_t mulF16(uint16_t a, uint16_t b) {
  return toF16(fromF16(a) * fromF16(b));
}
inline uint16_t fmaF16(uint16_t a, uint16_t b, uint16_t c) {
  return toF16(
      detail::toOddF32(detail::fmaOddF64(fromF16(a), fromF16(b), fromF16(c))));
}
inline uint16_t addBF16(uint16_t a, uint16_t b) {
  return toBF16(fromBF16(a) + fromBF16(b));
}
inline uint16_t subBF16(uint16_t a, uint16_t b) {
  return toBF16(fromBF16(a) - fromBF16(b));
}
inline uint16_t mulBF16(uint16_t a, uint16_t b) {
  return toBF16(detail::toOddF32(double(fromBF16(a)) * double(fromBF16(b))));
}
inline uint16_t fmaBF16(uint16_t a, uint16_t b, uint16_t c) {
  return toBF16(detail::toOddF32(
      detail::fmaOddF64(fromBF16(a), fromBF16(b), fromBF16(c))));
}

/// A number of the type with subnormals replaced by zero of the same sign.
inline float flushF32(float value) {
  uint32_t bits = bitsOf<uint32_t>(value);
  return bitsOf<float>((bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits);
}
inline uint16_t flushF16(uint16_t value) {
  return uint16_t((value & 0x7c00) == 0 ? value & 0x8000 : value);
}
inline uint16_t flushBF16(uint16_t value) {
  return uint16_t((value & 0x7f80) == 0 ? value & 0x8000 : value);
}

/// Rounds to an integral value in the same format (cvt.rni/rzi/rmi/rpi).
float roundToIntegral(float value, Rounding rounding);
double roundToIntegral(double value, Rounding rounding);

/// Float to integer of `bits` (8, 16, 32, 64): rounds, then clamps to the
/// range. NaN gives 0, but 1 << (bits - 1) if either side has 64 bits
/// (`fromF64` says that the source has), as section "cvt" of the PTX ISA says.
/// Results of less than 64 bits are extended by their sign or by zeros.
int64_t toSigned(double value, Rounding rounding, unsigned bits,
                 bool fromF64 = false);
uint64_t toUnsigned(double value, Rounding rounding, unsigned bits,
                    bool fromF64 = false);

/// Integer to float, one rounding.
float signedToF32(int64_t value, Rounding rounding);
float unsignedToF32(uint64_t value, Rounding rounding);
double signedToF64(int64_t value, Rounding rounding);
double unsignedToF64(uint64_t value, Rounding rounding);
uint16_t signedToF16(int64_t value, Rounding rounding);
uint16_t unsignedToF16(uint64_t value, Rounding rounding);
uint16_t signedToBF16(int64_t value, Rounding rounding);
uint16_t unsignedToBF16(uint64_t value, Rounding rounding);

/// min and max of floating point: with one NaN the other operand, -0 < +0; with
/// `nan` a NaN operand gives the canonical NaN.
float minF32(float a, float b, bool nan);
float maxF32(float a, float b, bool nan);
double minF64(double a, double b);
double maxF64(double a, double b);
uint16_t minF16(uint16_t a, uint16_t b, bool nan);
uint16_t maxF16(uint16_t a, uint16_t b, bool nan);
uint16_t minBF16(uint16_t a, uint16_t b, bool nan);
uint16_t maxBF16(uint16_t a, uint16_t b, bool nan);

// Approximate functions: the correctly rounded f32 result, or within the error
// that the PTX ISA documents of it, with the special cases of its tables
// (subnormals, infinities, signed zeros). Exactness where it gives more than
// the ISA promises is no promise.
float rcpApprox(float a);
float rsqrtApprox(float a);
float sqrtApprox(float a);
float divApprox(float a, float b);
float divFull(float a, float b);
float sinApprox(float a);
float cosApprox(float a);
float lg2Approx(float a);
float ex2Approx(float a);
float tanhApprox(float a);
// The .ftz forms of f64 look at the upper 32 bits of the operand and give no
// others.
double rcpApproxF64(double a);      // rcp.approx.ftz.f64
double rsqrtApproxF64(double a);    // rsqrt.approx.f64
double rsqrtApproxFtzF64(double a); // rsqrt.approx.ftz.f64
uint16_t ex2ApproxF16(uint16_t a);
uint16_t tanhApproxF16(uint16_t a);
uint16_t ex2ApproxBF16(uint16_t a);
uint16_t tanhApproxBF16(uint16_t a);

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_NUMBERS_H
