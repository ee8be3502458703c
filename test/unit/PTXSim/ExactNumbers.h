//===- ExactNumbers.h - Rounding by definition ------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What results of floating point are compared with: a format is the list of its
// numbers, in order; the exact result is a sum of integers times powers of two,
// held in a fixed-point number that has room for all of them; rounding finds
// the two numbers around it by bisection. Slow, and shares nothing with the
// code under test.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_PTXSIM_EXACTNUMBERS_H
#define MUON_MLIR_TEST_UNIT_PTXSIM_EXACTNUMBERS_H

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <random>
#include <vector>

namespace muon::ptxsim::exact {

using Wide = unsigned __int128;

/// To nearest even, toward zero, down, up, to nearest with ties away from zero.
enum class Round : uint8_t { Nearest, Zero, Down, Up, NearestAway };

constexpr Round allRounds[] = {Round::Nearest, Round::Zero, Round::Down,
                               Round::Up, Round::NearestAway};

//===----------------------------------------------------------------------===//
// Exact sums
//===----------------------------------------------------------------------===//

/// magnitude * 2^exponent.
struct Term {
  bool negative = false;
  Wide magnitude = 0;
  int exponent = 0;
};

inline Term operator-(Term term) {
  term.negative = !term.negative;
  return term;
}
/// Of terms of 64 bits at most.
inline Term operator*(const Term &a, const Term &b) {
  return {a.negative != b.negative, a.magnitude * b.magnitude,
          a.exponent + b.exponent};
}

/// A sum of magnitudes in units of 2^-2240: below every product of two f64, or
/// of a point half way between two of them and another.
class FixedPoint {
public:
  void add(const Term &term) {
    int at = term.exponent + 2240;
    if (at < 0 || size_t(at / 64 + 3) >= words.size())
      std::abort();
    int shift = at % 64;
    uint64_t parts[3] = {uint64_t(term.magnitude << shift),
                         uint64_t(term.magnitude << shift >> 64),
                         shift ? uint64_t(term.magnitude >> (128 - shift)) : 0};
    uint64_t carry = 0;
    for (size_t i = 0, word = at / 64; i < 3 || carry; ++i, ++word) {
      Wide sum = Wide(words[word]) + (i < 3 ? parts[i] : 0) + carry;
      words[word] = uint64_t(sum);
      carry = uint64_t(sum >> 64);
    }
  }
  friend int compare(const FixedPoint &a, const FixedPoint &b) {
    for (size_t i = a.words.size(); i-- > 0;)
      if (a.words[i] != b.words[i])
        return a.words[i] < b.words[i] ? -1 : 1;
    return 0;
  }

private:
  std::array<uint64_t, 72> words{};
};

inline int signOfSum(std::initializer_list<Term> terms) {
  FixedPoint positive, negative;
  for (const Term &term : terms)
    (term.negative ? negative : positive).add(term);
  return compare(positive, negative);
}

//===----------------------------------------------------------------------===//
// Formats
//===----------------------------------------------------------------------===//

struct Format {
  int fractionBits, exponentBits;

  uint64_t infinity() const {
    return ((uint64_t(1) << exponentBits) - 1) << fractionBits;
  }
  uint64_t sign() const { return (infinity() << 1) & ~infinity(); }
  /// The number with these bits; infinity is read as the power of two that
  /// would follow the largest number.
  Term number(uint64_t bits) const {
    uint64_t fraction = bits & ((uint64_t(1) << fractionBits) - 1);
    int exponent = int((bits & infinity()) >> fractionBits);
    int bias = (1 << (exponentBits - 1)) - 1;
    Term result;
    result.negative = bits & sign();
    result.magnitude =
        exponent ? fraction + (uint64_t(1) << fractionBits) : fraction;
    result.exponent = std::max(exponent, 1) - bias - fractionBits;
    return result;
  }
  bool isNaN(uint64_t bits) const { return (bits & ~sign()) > infinity(); }
  bool isInfinity(uint64_t bits) const {
    return (bits & ~sign()) == infinity();
  }
};

constexpr Format f16Format{10, 5}, bf16Format{7, 8}, tf32Format{10, 8},
    f32Format{23, 8}, f64Format{52, 11};

/// Whether the magnitude of the exact result, which is not zero, is below (-1),
/// at (0) or above (1) that of a term that is not negative.
using Compare = std::function<int(const Term &)>;

/// The exact result between two numbers of a format.
struct Place {
  uint64_t below = 0;
  bool exact = false;
  int againstHalf = 0;
};

inline Place locate(const Format &format, const Compare &compareExact) {
  uint64_t below = 0, above = format.infinity();
  if (compareExact(format.number(above)) >= 0)
    // Far above all numbers, and above half way to the next.
    return {above - 1, false, 1};
  while (above - below > 1) {
    uint64_t middle = below + (above - below) / 2;
    (compareExact(format.number(middle)) >= 0 ? below : above) = middle;
  }
  Term low = format.number(below), high = format.number(above);
  // Twice the one that has the larger exponent may be held by one unit of it.
  Term half;
  half.exponent = low.exponent - 1;
  half.magnitude =
      low.magnitude + (high.magnitude << (high.exponent - low.exponent));
  return {below, compareExact(low) == 0, compareExact(half)};
}

inline uint64_t roundAt(const Format &format, const Place &place, bool negative,
                        Round rounding) {
  uint64_t magnitude = place.below;
  if (!place.exact) {
    bool up = false;
    switch (rounding) {
    case Round::Nearest:
      up = place.againstHalf > 0 || (place.againstHalf == 0 && (magnitude & 1));
      break;
    case Round::NearestAway:
      up = place.againstHalf >= 0;
      break;
    case Round::Zero:
      break;
    case Round::Down:
      up = negative;
      break;
    case Round::Up:
      up = !negative;
      break;
    }
    magnitude += up;
  }
  return magnitude | (negative ? format.sign() : 0);
}

inline Term absolute(Term term) {
  term.negative = false;
  return term;
}

/// The term rounded in every way.
inline std::array<uint64_t, 5> roundTerm(const Format &format,
                                         const Term &exact) {
  std::array<uint64_t, 5> result{};
  Place place;
  if (exact.magnitude)
    place = locate(format, [&](const Term &x) {
      return signOfSum({absolute(exact), -x});
    });
  else
    place.exact = true;
  for (Round rounding : allRounds)
    result[size_t(rounding)] = roundAt(format, place, exact.negative, rounding);
  return result;
}

inline uint64_t roundTerm(const Format &format, const Term &exact,
                          Round rounding) {
  return roundTerm(format, exact)[size_t(rounding)];
}

/// The sum of two terms of a format or of products of them, for all roundings.
inline std::array<uint64_t, 5> roundSum(const Format &format, const Term &a,
                                        const Term &b) {
  std::array<uint64_t, 5> result{};
  int sign = signOfSum({a, b});
  if (sign == 0) {
    for (Round rounding : allRounds) {
      bool negative =
          a.magnitude == 0 && b.magnitude == 0 && a.negative == b.negative
              ? a.negative
              : rounding == Round::Down;
      result[size_t(rounding)] = negative ? format.sign() : 0;
    }
    return result;
  }
  Term x = sign < 0 ? -a : a, y = sign < 0 ? -b : b;
  Place place = locate(format, [&](const Term &z) {
    return signOfSum({x, y, -z});
  });
  for (Round rounding : allRounds)
    result[size_t(rounding)] = roundAt(format, place, sign < 0, rounding);
  return result;
}

/// The integer next to a number, as a magnitude; large ones stand for all that
/// are larger.
inline Wide integerAt(const Term &term, Round rounding) {
  if (term.exponent >= 0)
    return term.exponent > 70 ? Wide(1) << 100
                              : term.magnitude << term.exponent;
  int shift = std::min(-term.exponent, 120);
  Wide whole = term.magnitude >> shift;
  Wide rest = term.magnitude - (whole << shift), half = Wide(1) << (shift - 1);
  if (rest == 0)
    return whole;
  switch (rounding) {
  case Round::Nearest:
    return whole + (rest > half || (rest == half && whole % 2 == 1));
  case Round::NearestAway:
    return whole + (rest >= half);
  case Round::Zero:
    return whole;
  case Round::Down:
    return whole + term.negative;
  case Round::Up:
    return whole + !term.negative;
  }
  return 0;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

using Random = std::mt19937_64;

/// Bits of finite numbers: of any exponent, of one near that of 1, with few
/// bits set, next to a power of two.
inline uint64_t randomFinite(const Format &format, Random &random) {
  while (true) {
    uint64_t bits = random();
    uint64_t one = format.infinity() >> 1 & format.infinity();
    uint64_t fraction = (uint64_t(1) << format.fractionBits) - 1;
    switch (random() % 8) {
    case 0:
    case 1:
      bits = (one + (random() % 9 << format.fractionBits) -
              (uint64_t(4) << format.fractionBits)) |
             (bits & (fraction | format.sign()));
      break;
    case 2:
      bits &= random() & random();
      break;
    case 3:
      bits = (bits & ~fraction) + random() % 5 - 2;
      break;
    case 4:
      bits = (bits & format.sign()) | (random() % 3 << format.fractionBits) |
             (bits & fraction & random());
      break;
    case 5: {
      uint64_t low = fraction >> (random() % (format.fractionBits + 1));
      bits &= ~low;
      break;
    }
    default:
      break;
    }
    bits &= format.sign() | format.infinity() | fraction;
    if (!format.isNaN(bits) && !format.isInfinity(bits))
      return bits;
  }
}

inline std::vector<uint64_t> edges(const Format &format) {
  uint64_t unit = uint64_t(1) << format.fractionBits;
  uint64_t one = format.infinity() >> 1 & format.infinity();
  std::vector<uint64_t> result;
  for (uint64_t bits : {uint64_t(0),
                        uint64_t(1),
                        uint64_t(2),
                        uint64_t(3),
                        unit / 2,
                        unit - 1,
                        unit,
                        unit + 1,
                        2 * unit,
                        one - unit,
                        one - 1,
                        one,
                        one + 1,
                        one + unit / 2,
                        one + unit - 1,
                        one + unit,
                        one + unit * format.fractionBits,
                        one + unit * format.fractionBits + 1,
                        one - unit * format.fractionBits,
                        format.infinity() - unit,
                        format.infinity() - 2,
                        format.infinity() - 1}) {
    result.push_back(bits);
    result.push_back(bits | format.sign());
  }
  return result;
}

} // namespace muon::ptxsim::exact

#endif // MUON_MLIR_TEST_UNIT_PTXSIM_EXACTNUMBERS_H
