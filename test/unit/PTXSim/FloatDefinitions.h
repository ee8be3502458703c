//===- FloatDefinitions.h - Floating point of the PTX ISA -------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Definitions that tests of instructions share: operations on the bits of a
// format, with infinities and NaN, on top of the exact rounding of
// ExactNumbers.h.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_PTXSIM_FLOATDEFINITIONS_H
#define MUON_MLIR_TEST_UNIT_PTXSIM_FLOATDEFINITIONS_H

#include "ExactNumbers.h"

#include <cmath>
#include <string>

namespace muon::ptxsim::exact {

/// A type of PTX.
struct FloatType {
  std::string name;
  Format format;
  /// What the ISA calls the canonical NaN.
  uint64_t nan;

  uint64_t one() const { return format.infinity() >> 1 & format.infinity(); }
  bool isZero(uint64_t x) const { return (x & ~format.sign()) == 0; }
  bool isNegative(uint64_t x) const { return x & format.sign(); }
  uint64_t flush(uint64_t x) const {
    return x & format.infinity() ? x : x & format.sign();
  }
  /// Between 0 and 1, NaN becomes 0 (.sat).
  uint64_t saturate(uint64_t x) const {
    if (format.isNaN(x) || isNegative(x))
      return 0;
    return std::min(x, one());
  }
  /// Not below 0, NaN becomes the canonical one (.relu).
  uint64_t relu(uint64_t x) const {
    return format.isNaN(x) ? nan : isNegative(x) ? 0 : x;
  }
  long double value(uint64_t x) const {
    if (format.isNaN(x))
      return NAN;
    if (format.isInfinity(x))
      return isNegative(x) ? -INFINITY : INFINITY;
    Term term = format.number(x);
    long double magnitude =
        std::ldexp((long double)(uint64_t(term.magnitude)), term.exponent);
    return term.negative ? -magnitude : magnitude;
  }
};

inline const FloatType &floatType(const std::string &name) {
  static const FloatType types[] = {
      {"f16", f16Format, 0x7fff},
      {"bf16", bf16Format, 0x7fff},
      {"f32", f32Format, 0x7fffffff},
      {"f64", f64Format, 0x7fffffffffffffff},
  };
  for (const FloatType &type : types)
    if (type.name == name)
      return type;
  std::abort();
}

inline uint64_t addition(const FloatType &type, uint64_t a, uint64_t b,
                         Round round) {
  const Format &format = type.format;
  if (format.isNaN(a) || format.isNaN(b))
    return type.nan;
  if (format.isInfinity(a) || format.isInfinity(b)) {
    if (format.isInfinity(a) && format.isInfinity(b) && a != b)
      return type.nan;
    return format.isInfinity(a) ? a : b;
  }
  return roundSum(format, format.number(a), format.number(b))[size_t(round)];
}

inline uint64_t multiplication(const FloatType &type, uint64_t a, uint64_t b,
                               Round round) {
  const Format &format = type.format;
  if (format.isNaN(a) || format.isNaN(b))
    return type.nan;
  uint64_t sign = (a ^ b) & format.sign();
  if (format.isInfinity(a) || format.isInfinity(b))
    return type.isZero(a) || type.isZero(b) ? type.nan
                                            : sign | format.infinity();
  return roundTerm(format, format.number(a) * format.number(b), round);
}

inline uint64_t fusedMultiplyAdd(const FloatType &type, uint64_t a, uint64_t b,
                                 uint64_t c, Round round) {
  const Format &format = type.format;
  if (format.isNaN(a) || format.isNaN(b) || format.isNaN(c))
    return type.nan;
  if (format.isInfinity(a) || format.isInfinity(b)) {
    uint64_t product = multiplication(type, a, b, round);
    return format.isNaN(product) ? type.nan : addition(type, product, c, round);
  }
  if (format.isInfinity(c))
    return c;
  return roundSum(format, format.number(a) * format.number(b),
                  format.number(c))[size_t(round)];
}

inline uint64_t division(const FloatType &type, uint64_t a, uint64_t b,
                         Round round) {
  const Format &format = type.format;
  if (format.isNaN(a) || format.isNaN(b))
    return type.nan;
  uint64_t sign = (a ^ b) & format.sign();
  if (format.isInfinity(a))
    return format.isInfinity(b) ? type.nan : sign | format.infinity();
  if (format.isInfinity(b))
    return sign;
  if (type.isZero(b))
    return type.isZero(a) ? type.nan : sign | format.infinity();
  if (type.isZero(a))
    return sign;
  Term x = absolute(format.number(a)), y = absolute(format.number(b));
  Place place = locate(format, [&](const Term &z) {
    return signOfSum({x, -(y * z)});
  });
  return roundAt(format, place, sign != 0, round);
}

inline uint64_t squareRoot(const FloatType &type, uint64_t a, Round round) {
  const Format &format = type.format;
  if (format.isNaN(a))
    return type.nan;
  if (type.isZero(a))
    return a;
  if (type.isNegative(a))
    return type.nan;
  if (format.isInfinity(a))
    return a;
  Term x = format.number(a);
  Place place = locate(format, [&](const Term &z) {
    return signOfSum({x, -(z * z)});
  });
  return roundAt(format, place, false, round);
}

/// -1, 0, 1; 2 if one is NaN. Zeros are equal.
inline int order(const FloatType &type, uint64_t a, uint64_t b) {
  const Format &format = type.format;
  if (format.isNaN(a) || format.isNaN(b))
    return 2;
  // Infinity is read as a number above all others.
  return signOfSum({format.number(a), -format.number(b)});
}

/// min or max, where -0 is below +0.
inline uint64_t extremum(const FloatType &type, uint64_t a, uint64_t b,
                         bool larger, bool nanWins) {
  const Format &format = type.format;
  if (format.isNaN(a) || format.isNaN(b)) {
    if (nanWins || (format.isNaN(a) && format.isNaN(b)))
      return type.nan;
    return format.isNaN(a) ? b : a;
  }
  int comparison = order(type, a, b);
  if (comparison == 0)
    comparison = type.isNegative(a) ? -1 : 1;
  return (comparison < 0) == larger ? b : a;
}

} // namespace muon::ptxsim::exact

#endif // MUON_MLIR_TEST_UNIT_PTXSIM_FLOATDEFINITIONS_H
