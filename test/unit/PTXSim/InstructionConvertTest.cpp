//===- InstructionConvertTest.cpp - Conversions -----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sections "cvt" and "cvt.pack".
//
//===----------------------------------------------------------------------===//

#include "FloatDefinitions.h"
#include "InstructionTest.h"

#include <algorithm>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;
using namespace muon::ptxsim::exact;

namespace {

const char *const hopper = ".version 8.0\n.target sm_90\n";

using Signed = __int128;

const std::vector<std::string> integers = {"u8", "u16", "u32", "u64",
                                           "s8", "s16", "s32", "s64"};

struct Mode {
  const char *text;
  Round round;
};
const Mode integerModes[] = {{".rni", Round::Nearest},
                             {".rzi", Round::Zero},
                             {".rmi", Round::Down},
                             {".rpi", Round::Up}};
const Mode floatModes[] = {{".rn", Round::Nearest},
                           {".rz", Round::Zero},
                           {".rm", Round::Down},
                           {".rp", Round::Up}};

Signed smallest(const std::string &type) {
  return isSignedType(type) ? -(Signed(1) << (bitsOfType(type) - 1)) : 0;
}
Signed greatest(const std::string &type) {
  return (Signed(1) << (bitsOfType(type) - isSignedType(type))) - 1;
}
Signed number(const std::string &type, uint64_t bits) {
  unsigned width = bitsOfType(type);
  return isSignedType(type) ? Signed(extend(bits, width))
                            : Signed(cut(bits, width));
}
Signed clamp(Signed value, const std::string &type) {
  return std::min(std::max(value, smallest(type)), greatest(type));
}

/// What a register holds that is wider than the type of the result.
uint64_t inRegister(const std::string &type, uint64_t bits) {
  return uint64_t(number(type, bits));
}

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

TEST(PTXConvert, IntegerToInteger) {
  for (const std::string &from : integers)
    for (const std::string &to : integers)
      for (bool sat : {false, true}) {
        // Only where there is something to clamp.
        if (sat && smallest(to) <= smallest(from) &&
            greatest(from) <= greatest(to))
          continue;
        checkOp("cvt" + std::string(sat ? ".sat." : ".") + to + "." + from, to,
                {from}, [=](const Values &s) {
                  Signed value = number(from, s[0]);
                  return uint64_t(sat ? clamp(value, to) : value);
                });
      }
}

TEST(PTXConvert, RegistersWiderThanTheTypes) {
  for (std::string from : {"u8", "s8", "u16", "s16"})
    for (std::string to : {"u8", "s8", "u16", "s16"}) {
      checkOp("cvt." + to + "." + from, "b32", {"b32"}, [=](const Values &s) {
        return inRegister(to, uint64_t(number(from, s[0])));
      });
      checkOp("cvt." + to + "." + from, "b64", {"b32"}, [=](const Values &s) {
        return inRegister(to, uint64_t(number(from, s[0])));
      });
    }
  for (std::string to : {"u32", "s32"})
    checkOp("cvt." + to + ".s64", "b64", {"b64"},
            [=](const Values &s) { return inRegister(to, s[0]); });
  for (std::string from : {"u32", "s32"})
    checkOp("cvt.s64." + from, "b64", {"b64"},
            [=](const Values &s) { return uint64_t(number(from, s[0])); });
  for (std::string to : {"u8", "s8"})
    checkOp("cvt.rzi." + to + ".f32", "b32", {"f32"}, [=](const Values &s) {
      const FloatType &type = floatType("f32");
      if (type.format.isNaN(s[0]))
        return uint64_t(0);
      Term term = type.format.number(s[0]);
      Signed value = Signed(std::min(integerAt(term, Round::Zero), Wide(1000)));
      return uint64_t(clamp(term.negative ? -value : value, to));
    });
}

//===----------------------------------------------------------------------===//
// Integers and floating point
//===----------------------------------------------------------------------===//

std::string targetOf(const std::string &type) {
  return type == "bf16" ? hopper : "";
}

TEST(PTXConvert, IntegerToFloat) {
  for (const std::string &from : integers)
    for (std::string to : {"f16", "bf16", "f32", "f64"})
      for (const Mode &mode : floatModes)
        for (bool sat : {false, true}) {
          if (to == "bf16" && (sat || bitsOfType(from) == 8))
            continue;
          CheckOptions options;
          options.count = 500;
          options.target = targetOf(to);
          // Half way between two numbers of the format, and next to it.
          const FloatType &type = floatType(to);
          for (unsigned top = type.format.fractionBits + 1;
               top < bitsOfType(from); ++top)
            for (uint64_t low : {0, 1, 2})
              for (uint64_t last : {0, 2})
                options.operands.push_back({cut(
                    (uint64_t(1) << top) +
                        (last + 1) * (uint64_t(1)
                                      << (top - 1 - type.format.fractionBits)) +
                        low - 1,
                    bitsOfType(from))});
          checkOp(
              "cvt" + std::string(mode.text) + (sat ? ".sat." : ".") + to +
                  "." + from,
              to, {from},
              [&](const Values &s) {
                Signed value = number(from, s[0]);
                Term term{value < 0, Wide(value < 0 ? -value : value), 0};
                uint64_t result = roundTerm(type.format, term, mode.round);
                return sat ? type.saturate(result) : result;
              },
              options);
        }
}

TEST(PTXConvert, FloatToInteger) {
  for (std::string from : {"f16", "bf16", "f32", "f64"})
    for (const std::string &to : integers)
      for (const Mode &mode : integerModes)
        for (bool ftz : {false, true})
          for (bool sat : {false, true}) {
            if (ftz && from != "f32")
              continue;
            if (from == "bf16" && (sat || bitsOfType(to) == 8))
              continue;
            const FloatType &type = floatType(from);
            CheckOptions options;
            options.count = 500;
            options.target = targetOf(from);
            // Halves, and the limits of the type with their neighbours.
            for (int64_t twice = -20; twice <= 20; ++twice)
              options.operands.push_back({roundTerm(
                  type.format, Term{twice < 0, Wide(std::abs(twice)), -1},
                  Round::Zero)});
            for (Signed limit : {smallest(to), greatest(to)})
              for (int64_t add : {-2, -1, 0, 1, 2}) {
                Signed twice = 2 * limit + add;
                uint64_t bits = roundTerm(
                    type.format,
                    Term{twice < 0, Wide(twice < 0 ? -twice : twice), -1},
                    Round::Nearest);
                for (uint64_t x : {bits - 1, bits, bits + 1})
                  options.operands.push_back({x});
              }
            checkOp(
                "cvt" + std::string(mode.text) + (ftz ? ".ftz" : "") +
                    (sat ? ".sat." : ".") + to + "." + from,
                to, {from},
                [&](const Values &s) {
                  uint64_t a = cut(s[0], bitsOfType(from));
                  if (ftz)
                    a = type.flush(a);
                  unsigned width = bitsOfType(to);
                  if (type.format.isNaN(a))
                    return from != "f64" && width != 64
                               ? 0
                               : uint64_t(1) << (width - 1);
                  Signed value =
                      type.format.isInfinity(a)
                          ? Signed(1) << 100
                          : Signed(std::min(
                                integerAt(type.format.number(a), mode.round),
                                Wide(1) << 100));
                  return uint64_t(
                      clamp(type.isNegative(a) ? -value : value, to));
                },
                options);
          }
}

//===----------------------------------------------------------------------===//
// Floating point
//===----------------------------------------------------------------------===//

/// NaN has to be canonical in f16 and bf16, and any NaN in f32 and f64.
std::string judge(const FloatType &type, uint64_t expected, uint64_t actual) {
  if (expected == actual ||
      (type.nan != 0x7fff && type.format.isNaN(expected) &&
       type.format.isNaN(actual)))
    return "";
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), " 0x%llx",
                static_cast<unsigned long long>(expected));
  return buffer;
}

/// A number of one format rounded to another one, which has at least its range
/// if it has its precision.
uint64_t convert(const FloatType &from, const FloatType &to, uint64_t x,
                 Round round) {
  if (from.format.isNaN(x))
    return to.nan;
  uint64_t sign = from.isNegative(x) ? to.format.sign() : 0;
  if (from.format.isInfinity(x))
    return sign | to.format.infinity();
  return roundTerm(to.format, from.format.number(x), round);
}

/// Numbers of the narrow format, half way between two, and next to both, in the
/// wide one.
std::vector<Values> betweenNumbers(const FloatType &from, const FloatType &to) {
  std::vector<Values> rows;
  int extra = from.format.fractionBits - to.format.fractionBits;
  if (extra <= 1)
    return rows;
  Random random(5);
  for (int i = 0; i < 400; ++i) {
    uint64_t bits = randomFinite(to.format, random);
    if (i < 40)
      bits = (i % 2 ? to.format.sign() : 0) |
             (i < 20 ? uint64_t(i / 2)
                     : to.format.infinity() - 1 - uint64_t(i - 20) / 2);
    uint64_t wide = convert(to, from, bits, Round::Zero);
    for (uint64_t x : {wide, wide | uint64_t(1) << (extra - 1)})
      for (uint64_t y : {x - 1, x, x + 1})
        rows.push_back({y & (from.format.sign() | (from.format.sign() - 1))});
  }
  return rows;
}

TEST(PTXConvert, FloatToNarrowerFloat) {
  const std::pair<const char *, const char *> pairs[] = {
      {"f32", "f16"}, {"f64", "f16"}, {"f64", "f32"}};
  for (const auto &pair : pairs)
    for (const Mode &mode : floatModes)
      for (bool ftz : {false, true})
        for (bool sat : {false, true}) {
          const FloatType &from = floatType(pair.first);
          const FloatType &to = floatType(pair.second);
          if (ftz && from.name != "f32" && to.name != "f32")
            continue;
          CheckOptions options;
          options.operands = betweenNumbers(from, to);
          checkBy(
              "cvt" + std::string(mode.text) + (ftz ? ".ftz" : "") +
                  (sat ? ".sat." : ".") + to.name + "." + from.name +
                  " %d0, %s0;",
              {to.name}, {from.name},
              [&](const Values &s, const Values &d) {
                uint64_t a = s[0];
                // Only f32 is flushed.
                if (ftz && from.name == "f32")
                  a = from.flush(a);
                uint64_t result = convert(from, to, a, mode.round);
                if (ftz && to.name == "f32")
                  result = to.flush(result);
                if (sat)
                  result = to.saturate(result);
                // Which zero -0 saturates to is left open.
                if (sat && to.isZero(result) && to.isZero(d[0]))
                  return std::string();
                return judge(to, result, d[0]);
              },
              options);
        }
}

TEST(PTXConvert, FloatToWiderFloat) {
  const struct {
    const char *from, *to, *target;
    bool canFlush;
  } rows[] = {{"f16", "f32", "", true},
              {"f16", "f64", "", false},
              {"f32", "f64", "", true},
              {"bf16", "f32", hopper, false},
              {"bf16", "f64", hopper, false}};
  for (const auto &row : rows)
    for (bool ftz : {false, true})
      for (bool sat : {false, true}) {
        if ((ftz && !row.canFlush) || (sat && *row.target))
          continue;
        const FloatType &from = floatType(row.from), &to = floatType(row.to);
        CheckOptions options;
        options.target = row.target;
        checkBy(
            "cvt" + std::string(ftz ? ".ftz" : "") + (sat ? ".sat." : ".") +
                to.name + "." + from.name + " %d0, %s0;",
            {to.name}, {from.name},
            [&](const Values &s, const Values &d) {
              uint64_t a = s[0];
              if (ftz && from.name == "f32")
                a = from.flush(a);
              uint64_t result = convert(from, to, a, Round::Nearest);
              if (ftz && to.name == "f32")
                result = to.flush(result);
              if (sat)
                result = to.saturate(result);
              if (sat && to.isZero(result) && to.isZero(d[0]))
                return std::string();
              return judge(to, result, d[0]);
            },
            options);
      }
}

TEST(PTXConvert, ToIntegralFloat) {
  for (std::string name : {"f16", "bf16", "f32", "f64"})
    for (const Mode &mode : integerModes)
      for (bool ftz : {false, true}) {
        if (ftz && name != "f32")
          continue;
        const FloatType &type = floatType(name);
        CheckOptions options;
        options.target = targetOf(name);
        for (int64_t twice = -20; twice <= 20; ++twice)
          options.operands.push_back({roundTerm(
              type.format, Term{twice < 0, Wide(std::abs(twice)), -1},
              Round::Zero)});
        checkBy(
            "cvt" + std::string(mode.text) + (ftz ? ".ftz." : ".") + name +
                "." + name + " %d0, %s0;",
            {name}, {name},
            [&](const Values &s, const Values &d) {
              uint64_t a = ftz ? type.flush(s[0]) : s[0];
              if (type.format.isNaN(a))
                return judge(type, type.nan, d[0]);
              Term term = type.format.number(a);
              if (type.format.isInfinity(a) || term.exponent >= 0)
                return judge(type, a, d[0]);
              Term whole{term.negative, integerAt(term, mode.round), 0};
              return judge(type, roundTerm(type.format, whole, Round::Zero),
                           d[0]);
            },
            options);
      }
}

TEST(PTXConvert, SameTypeSaturating) {
  for (std::string name : {"f16", "f32", "f64"}) {
    const FloatType &type = floatType(name);
    checkBy("cvt.sat." + name + "." + name + " %d0, %s0;", {name}, {name},
            [&](const Values &s, const Values &d) {
              uint64_t expected = type.saturate(s[0]);
              if (type.isZero(expected) && type.isZero(d[0]))
                return std::string();
              return judge(type, expected, d[0]);
            });
  }
}

/// .satfinite: the largest number in place of what lies beyond it.
uint64_t satfinite(const FloatType &type, uint64_t x) {
  return type.format.isInfinity(x) ? x - 1 : x;
}

TEST(PTXConvert, SingleToHalves) {
  const FloatType &single = floatType("f32");
  for (std::string name : {"f16", "bf16"})
    for (const Mode &mode : {floatModes[0], floatModes[1]})
      for (bool relu : {false, true})
        for (bool finite : {false, true}) {
          const FloatType &type = floatType(name);
          auto half = [&](uint64_t x) {
            uint64_t result = convert(single, type, x, mode.round);
            // Of what lies beyond the largest number, .rz leaves that too.
            if (finite)
              result = satfinite(type, result);
            return relu ? type.relu(result) : result;
          };
          // -0 is not negative; the ISA does not say which zero it becomes.
          auto judgeHalf = [&](uint64_t x, uint64_t actual) {
            uint64_t expected = half(x);
            if (relu && type.isZero(expected) && type.isZero(actual))
              return std::string();
            return judge(type, expected, actual);
          };
          CheckOptions options;
          options.operands = betweenNumbers(single, type);
          options.target = ".version 8.1\n.target sm_80\n";
          std::string modes = std::string(mode.text) + (relu ? ".relu" : "") +
                              (finite ? ".satfinite." : ".");
          checkBy(
              "cvt" + modes + name + ".f32 %d0, %s0;", {name}, {"f32"},
              [&](const Values &s, const Values &d) {
                return judgeHalf(s[0], d[0]);
              },
              options);
          for (Values &row : options.operands)
            row.push_back(row[0] ^ 0x80000001);
          checkBy(
              "cvt" + modes + name + "x2.f32 %d0, %s0, %s1;", {name + "x2"},
              {"f32", "f32"},
              [&](const Values &s, const Values &d) {
                std::string upper = judgeHalf(s[0], d[0] >> 16);
                return upper.empty() ? judgeHalf(s[1], d[0] & 0xffff) : upper;
              },
              options);
        }
}

TEST(PTXConvert, TensorFloat) {
  const FloatType &single = floatType("f32");
  CheckOptions options;
  Random random(6);
  for (int i = 0; i < 1000; ++i) {
    uint64_t kept = randomFinite(f32Format, random) & ~uint64_t(0x1fff);
    for (uint64_t low : {0x0, 0x1, 0xfff, 0x1000, 0x1001, 0x1fff})
      options.operands.push_back({kept | low});
  }
  checkBy(
      "cvt.rna.tf32.f32 %d0, %s0;", {"tf32"}, {"f32"},
      [&](const Values &s, const Values &d) -> std::string {
        if (single.format.isNaN(s[0]))
          return judge(single, single.nan, d[0]);
        if (single.format.isInfinity(s[0]))
          return judge(single, s[0], d[0]);
        uint64_t expected =
            roundTerm(tf32Format, f32Format.number(s[0]), Round::NearestAway)
            << 13;
        return judge(single, expected, d[0]);
      },
      options);
}

TEST(PTXConvert, Pack) {
  for (std::string to : {"u16", "s16"})
    checkOp("cvt.pack.sat." + to + ".s32", "b32", {"s32", "s32"},
            [=](const Values &s) {
              uint64_t upper = uint64_t(clamp(number("s32", s[0]), to));
              uint64_t lower = uint64_t(clamp(number("s32", s[1]), to));
              return cut(upper, 16) << 16 | cut(lower, 16);
            });
  for (std::string to : {"u8", "s8"})
    checkOp("cvt.pack.sat." + to + ".s32.b32", "b32", {"s32", "s32", "b32"},
            [=](const Values &s) {
              uint64_t upper = uint64_t(clamp(number("s32", s[0]), to));
              uint64_t lower = uint64_t(clamp(number("s32", s[1]), to));
              return cut(s[2], 16) << 16 | cut(upper, 8) << 8 | cut(lower, 8);
            });
}

} // namespace
