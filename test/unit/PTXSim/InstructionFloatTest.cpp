//===- InstructionFloatTest.cpp - Floating point ----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sections "Floating Point Instructions" and "Half Precision Floating Point
// Instructions".
//
//===----------------------------------------------------------------------===//

#include "FloatDefinitions.h"
#include "InstructionTest.h"

#include <limits>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;
using namespace muon::ptxsim::exact;

namespace {

const char *const hopper = ".version 8.0\n.target sm_90\n";
const char *const sm86 = ".version 8.0\n.target sm_86\n";

std::string hex(uint64_t value) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), " 0x%llx",
                static_cast<unsigned long long>(value));
  return buffer;
}

/// What a result may differ in from the one that is expected.
struct Latitude {
  /// f32 and f64 leave the payload and the sign of NaN open.
  bool anyNaN = true;
  /// The ISA does not say which zero .sat and .relu give for -0.
  bool anyZero = false;
};

bool agrees(const FloatType &type, uint64_t expected, uint64_t actual,
            Latitude latitude) {
  if (expected == actual)
    return true;
  if (latitude.anyNaN && type.format.isNaN(expected))
    return type.format.isNaN(actual);
  return latitude.anyZero && type.isZero(expected) && type.isZero(actual);
}

using Operation = std::function<uint64_t(const FloatType &, const Values &)>;

/// An instruction on a type or on two of it packed into 32 bits.
void checkFloat(const std::string &name, const std::string &typeName,
                size_t sources, const Operation &operation,
                Latitude latitude = {}, CheckOptions options = {}) {
  bool packed = typeName.size() > 2 &&
                typeName.compare(typeName.size() - 2, 2, "x2") == 0;
  std::string element =
      packed ? typeName.substr(0, typeName.size() - 2) : typeName;
  const FloatType &type = floatType(element);
  if (element == "f16" || element == "bf16")
    latitude.anyNaN = false;
  std::string text = name + "." + typeName + " %d0";
  for (size_t i = 0; i < sources; ++i)
    text += ", %s" + std::to_string(i);
  checkBy(
      text + ";", {typeName}, std::vector<std::string>(sources, typeName),
      [&](const Values &s, const Values &d) -> std::string {
        for (unsigned half = 0; half < (packed ? 2 : 1); ++half) {
          Values operands;
          for (uint64_t value : s)
            operands.push_back(packed ? cut(value >> (16 * half), 16) : value);
          uint64_t actual = packed ? cut(d[0] >> (16 * half), 16) : d[0];
          uint64_t expected = operation(type, operands);
          if (!agrees(type, expected, actual, latitude))
            return hex(expected) + (packed ? " in half " : "") +
                   (packed ? std::to_string(half) : "");
        }
        return "";
      },
      options);
}

/// `operation` with .ftz, .sat and .relu around it.
Operation modified(Operation operation, bool ftz, bool sat, bool relu = false) {
  return [=](const FloatType &type, const Values &s) {
    Values operands = s;
    if (ftz)
      for (uint64_t &value : operands)
        value = type.flush(value);
    uint64_t result = operation(type, operands);
    if (ftz)
      result = type.flush(result);
    if (sat)
      result = type.saturate(result);
    if (relu)
      result = type.relu(result);
    return result;
  };
}

const struct {
  const char *text;
  Round round;
} rounds[] = {{"", Round::Nearest},
              {".rn", Round::Nearest},
              {".rz", Round::Zero},
              {".rm", Round::Down},
              {".rp", Round::Up}};

Operation adds(Round round) {
  return [=](const FloatType &type, const Values &s) {
    return addition(type, s[0], s[1], round);
  };
}
Operation subtracts(Round round) {
  return [=](const FloatType &type, const Values &s) {
    return addition(type, s[0], s[1] ^ type.format.sign(), round);
  };
}
Operation multiplies(Round round) {
  return [=](const FloatType &type, const Values &s) {
    return multiplication(type, s[0], s[1], round);
  };
}
Operation fuses(Round round) {
  return [=](const FloatType &type, const Values &s) {
    return fusedMultiplyAdd(type, s[0], s[1], s[2], round);
  };
}
Operation divides(Round round) {
  return [=](const FloatType &type, const Values &s) {
    return division(type, s[0], s[1], round);
  };
}
Operation inverts(Round round) {
  return [=](const FloatType &type, const Values &s) {
    return division(type, type.one(), s[0], round);
  };
}
Operation roots(Round round) {
  return [=](const FloatType &type, const Values &s) {
    return squareRoot(type, s[0], round);
  };
}

TEST(PTXFloat, SingleArithmetic) {
  for (const auto &round : rounds)
    for (bool ftz : {false, true}) {
      std::string mode = round.text + std::string(ftz ? ".ftz" : "");
      for (bool sat : {false, true}) {
        std::string modes = mode + (sat ? ".sat" : "");
        Latitude latitude{true, sat};
        checkFloat("add" + modes, "f32", 2,
                   modified(adds(round.round), ftz, sat), latitude);
        checkFloat("sub" + modes, "f32", 2,
                   modified(subtracts(round.round), ftz, sat), latitude);
        checkFloat("mul" + modes, "f32", 2,
                   modified(multiplies(round.round), ftz, sat), latitude);
        if (!*round.text)
          continue;
        checkFloat("fma" + modes, "f32", 3,
                   modified(fuses(round.round), ftz, sat), latitude,
                   {4000, 2, {}, "", {}});
        // Since sm_20, mad of f32 is fma.
        checkFloat("mad" + modes, "f32", 3,
                   modified(fuses(round.round), ftz, sat), latitude);
      }
      if (!*round.text)
        continue;
      checkFloat("div" + mode, "f32", 2,
                 modified(divides(round.round), ftz, false));
      checkFloat("rcp" + mode, "f32", 1,
                 modified(inverts(round.round), ftz, false));
      checkFloat("sqrt" + mode, "f32", 1,
                 modified(roots(round.round), ftz, false));
    }
}

TEST(PTXFloat, DoubleArithmetic) {
  for (const auto &round : rounds) {
    std::string mode = round.text;
    checkFloat("add" + mode, "f64", 2, adds(round.round));
    checkFloat("sub" + mode, "f64", 2, subtracts(round.round));
    checkFloat("mul" + mode, "f64", 2, multiplies(round.round));
    if (mode.empty())
      continue;
    checkFloat("fma" + mode, "f64", 3, fuses(round.round), {},
               {4000, 2, {}, "", {}});
    checkFloat("mad" + mode, "f64", 3, fuses(round.round));
    checkFloat("div" + mode, "f64", 2, divides(round.round));
    checkFloat("rcp" + mode, "f64", 1, inverts(round.round));
    checkFloat("sqrt" + mode, "f64", 1, roots(round.round));
  }
}

TEST(PTXFloat, HalfArithmetic) {
  Round round = Round::Nearest;
  for (std::string type : {"f16", "f16x2"})
    for (bool ftz : {false, true})
      for (bool sat : {false, true}) {
        std::string mode = std::string(ftz ? ".ftz" : "") + (sat ? ".sat" : "");
        Latitude latitude{false, sat};
        for (std::string rn : {"", ".rn"}) {
          checkFloat("add" + rn + mode, type, 2,
                     modified(adds(round), ftz, sat), latitude);
          checkFloat("sub" + rn + mode, type, 2,
                     modified(subtracts(round), ftz, sat), latitude);
          checkFloat("mul" + rn + mode, type, 2,
                     modified(multiplies(round), ftz, sat), latitude);
        }
        checkFloat("fma.rn" + mode, type, 3, modified(fuses(round), ftz, sat),
                   latitude, {6000, 3, {}, "", {}});
        if (!sat)
          checkFloat("fma.rn" + mode + ".relu", type, 3,
                     modified(fuses(round), ftz, false, true), {false, true});
      }
  for (std::string type : {"bf16", "bf16x2"}) {
    checkFloat("fma.rn", type, 3, fuses(round), {}, {6000, 3, {}, "", {}});
    checkFloat("fma.rn.relu", type, 3,
               modified(fuses(round), false, false, true), {false, true});
    CheckOptions options;
    options.target = hopper;
    for (std::string rn : {"", ".rn"}) {
      checkFloat("add" + rn, type, 2, adds(round), {}, options);
      checkFloat("sub" + rn, type, 2, subtracts(round), {}, options);
      checkFloat("mul" + rn, type, 2, multiplies(round), {}, options);
    }
  }
}

/// Products and sums half way between two numbers of bf16, and a little beside:
/// rounding to f32 or f64 first gets these wrong.
TEST(PTXFloat, BFloatFusedRoundsOnce) {
  Round round = Round::Nearest;
  CheckOptions options;
  options.count = 1;
  for (uint64_t high : {0x3f81, 0x3f83, 0x3fa1, 0xbf85})
    for (uint64_t c : {0x0000, 0x0001, 0x8001, 0x2f80, 0xaf80, 0x0080, 0x8080})
      options.operands.push_back({high, 0x3fc0, c});
  checkFloat("fma.rn", "bf16", 3, fuses(round), {}, options);
}

TEST(PTXFloat, MinMax) {
  for (bool larger : {false, true}) {
    std::string name = larger ? "max" : "min";
    for (std::string type : {"f32", "f16", "f16x2", "bf16", "bf16x2"})
      for (bool ftz : {false, true})
        for (bool nan : {false, true})
          for (bool xorsign : {false, true}) {
            if (ftz && type[0] == 'b')
              continue;
            CheckOptions options;
            if (xorsign)
              options.target = sm86;
            checkFloat(
                name + (ftz ? ".ftz" : "") + (nan ? ".NaN" : "") +
                    (xorsign ? ".xorsign.abs" : ""),
                type, 2,
                [=](const FloatType &t, const Values &s) {
                  uint64_t a = ftz ? t.flush(s[0]) : s[0];
                  uint64_t b = ftz ? t.flush(s[1]) : s[1];
                  uint64_t sign = t.format.sign();
                  if (!xorsign)
                    return extremum(t, a, b, larger, nan);
                  uint64_t result =
                      extremum(t, a & ~sign, b & ~sign, larger, nan);
                  if (t.format.isNaN(result))
                    return result;
                  return result | ((a ^ b) & sign);
                },
                {/*anyNaN=*/false, false}, options);
          }
    checkFloat(name, "f64", 2, [=](const FloatType &t, const Values &s) {
      return extremum(t, s[0], s[1], larger, false);
    });
  }
}

TEST(PTXFloat, AbsNegCopysign) {
  Operation absolutes = [](const FloatType &t, const Values &s) {
    return s[0] & ~t.format.sign();
  };
  Operation negates = [](const FloatType &t, const Values &s) {
    return s[0] ^ t.format.sign();
  };
  for (std::string type : {"f32", "f64", "f16", "f16x2", "bf16", "bf16x2"})
    for (bool ftz : {false, true}) {
      if (ftz && (type == "f64" || type[0] == 'b'))
        continue;
      // The result for NaN is left open.
      CheckOptions options;
      bool half = type[0] == 'b' || type.compare(0, 3, "f16") == 0;
      if (half)
        options.adjust = [type](Values &s) {
          const FloatType &t = floatType(type[0] == 'b' ? "bf16" : "f16");
          for (unsigned at : {0u, 16u})
            if (t.format.isNaN(cut(s[0] >> at, 16)))
              s[0] &= ~(uint64_t(0xffff) << at);
        };
      std::string mode = ftz ? ".ftz" : "";
      checkFloat("abs" + mode, type, 1, modified(absolutes, ftz, false), {},
                 options);
      checkFloat("neg" + mode, type, 1, modified(negates, ftz, false), {},
                 options);
    }
  for (std::string type : {"f32", "f64"}) {
    uint64_t sign = floatType(type).format.sign();
    checkOp("copysign." + type, type, {type, type},
            [=](const Values &s) { return (s[0] & sign) | (s[1] & ~sign); });
  }
}

TEST(PTXFloat, Testp) {
  for (std::string type : {"f32", "f64"}) {
    const FloatType &t = floatType(type);
    const Format &format = t.format;
    std::pair<const char *, std::function<bool(uint64_t)>> rows[] = {
        {"finite",
         [&](uint64_t x) { return !format.isNaN(x) && !format.isInfinity(x); }},
        {"infinite", [&](uint64_t x) { return format.isInfinity(x); }},
        {"number", [&](uint64_t x) { return !format.isNaN(x); }},
        {"notanumber", [&](uint64_t x) { return format.isNaN(x); }},
        {"normal",
         [&](uint64_t x) {
           uint64_t exponent = x & format.infinity();
           return exponent != 0 && exponent != format.infinity();
         }},
        {"subnormal", [&](uint64_t x) {
           return (x & format.infinity()) == 0 && !t.isZero(x);
         }}};
    for (const auto &row : rows)
      checkOp("testp." + std::string(row.first) + "." + type, "pred", {type},
              [&](const Values &s) { return uint64_t(row.second(s[0])); });
  }
}

TEST(PTXFloat, Immediates) {
  check("add.f32 %d0, %s0, 0f3FC00000;", {"f32"}, {"f32"},
        [](const Values &s) -> Values {
          uint64_t r =
              addition(floatType("f32"), s[0], 0x3fc00000, Round::Nearest);
          if (floatType("f32").format.isNaN(r))
            return {};
          return {r};
        });
  check("mul.f64 %d0, %s0, 0dBFF8000000000000;", {"f64"}, {"f64"},
        [](const Values &s) -> Values {
          uint64_t r = multiplication(floatType("f64"), s[0],
                                      0xbff8000000000000, Round::Nearest);
          if (floatType("f64").format.isNaN(r))
            return {};
          return {r};
        });
  check("mov.f32 %d0, 0.1;\n  mov.f64 %d1, -2.5e-3;\n  mov.f32 %d2, 1e10;",
        {"f32", "f64", "f32"}, {"u32"}, [](const Values &) {
          return Values{bitsOfF32(0.1f), bitsOfF64(-2.5e-3), bitsOfF32(1e10f)};
        });
}

//===----------------------------------------------------------------------===//
// Approximate functions
//===----------------------------------------------------------------------===//

/// Special operands with their results; those that are not here must lie within
/// the error.
using Specials = std::vector<std::pair<uint64_t, uint64_t>>;

struct Approximation {
  std::string name;
  long double (*exact)(long double);
  /// The error allowed for this operand and exact result; below zero if the ISA
  /// promises nothing.
  std::function<long double(long double x, long double exact)> error;
  Specials specials;
};

constexpr uint32_t inf = 0x7f800000, minusInf = 0xff800000, nan32 = 0x7fffffff,
                   zero = 0, minusZero = 0x80000000, one32 = 0x3f800000;

constexpr long double largest = 0x1.fffffep127L, smallestNormal = 0x1p-126L;

std::string judgeApproximation(const Approximation &row, bool ftz,
                               uint64_t operand, uint64_t result) {
  const FloatType &type = floatType("f32");
  if (ftz)
    operand = type.flush(operand);
  if (type.format.isNaN(operand))
    return type.format.isNaN(result) ? "" : " NaN";
  for (const auto &special : row.specials)
    if (special.first == operand)
      return agrees(type, special.second, result, {}) ? ""
                                                      : hex(special.second);
  long double x = type.value(operand), exact = row.exact(x);
  if (std::isnan(exact))
    return type.format.isNaN(result) ? "" : " NaN";
  long double allowed = row.error(x, exact);
  if (allowed < 0)
    return "";
  long double actual = type.value(result);
  if (ftz && std::fabs(exact) < smallestNormal) {
    // The largest number below may round to the smallest normal one.
    if (type.isZero(result) || std::fabs(actual) == smallestNormal)
      return "";
    return " zero, the result being subnormal";
  }
  if (std::isinf(actual) && std::fabs(exact) + allowed >= largest &&
      (actual < 0) == (exact < 0))
    return "";
  if (std::fabs(actual - exact) <= allowed)
    return "";
  return " " + std::to_string((double)exact) + " within " +
         std::to_string((double)allowed);
}

/// One unit in the last place of f32.
long double unit(long double x) {
  if (std::fabs(x) < smallestNormal)
    return 0x1p-149L;
  return std::ldexp(1.0L, std::ilogb(x) - 23);
}

TEST(PTXFloat, ApproximateSingle) {
  constexpr long double pi = 3.14159265358979323846264338327950288L;
  auto sine = [](long double x, long double) -> long double {
    // 2^-20.5 within two periods.
    return std::fabs(x) <= 2 * pi ? 0x1.6ap-21L : -1;
  };
  const Approximation table[] = {
      {"rcp",
       [](long double x) { return 1 / x; },
       [](long double, long double exact) { return unit(exact); },
       {{inf, zero},
        {minusInf, minusZero},
        {zero, inf},
        {minusZero, minusInf}}},
      {"sqrt",
       [](long double x) { return std::sqrt(x); },
       [](long double, long double exact) {
         return std::max(exact * 0x1p-23L, 0x1p-150L);
       },
       {{inf, inf}, {minusInf, nan32}, {zero, zero}, {minusZero, minusZero}}},
      {"rsqrt",
       [](long double x) { return 1 / std::sqrt(x); },
       // 2^-22.9
       [](long double, long double exact) { return exact * 0x1.12p-23L; },
       {{inf, zero}, {minusInf, nan32}, {zero, inf}, {minusZero, minusInf}}},
      {"sin",
       [](long double x) { return std::sin(x); },
       sine,
       {{inf, nan32}, {minusInf, nan32}, {zero, zero}, {minusZero, minusZero}}},
      {"cos",
       [](long double x) { return std::cos(x); },
       sine,
       {{inf, nan32}, {minusInf, nan32}, {zero, one32}, {minusZero, one32}}},
      {"lg2",
       [](long double x) { return std::log2(x); },
       [](long double x, long double exact) {
         return x > 0.5L && x < 2 ? 0x1p-22L : std::fabs(exact) * 0x1p-22L;
       },
       {{inf, inf},
        {minusInf, nan32},
        {zero, minusInf},
        {minusZero, minusInf}}},
      {"ex2",
       [](long double x) { return std::exp2(x); },
       [](long double, long double exact) {
         return std::max(exact * 0x1p-22L, 0x1p-149L);
       },
       {{inf, inf}, {minusInf, zero}, {zero, one32}, {minusZero, one32}}},
      {"tanh",
       [](long double x) { return std::tanh(x); },
       [](long double, long double exact) {
         return std::max(std::fabs(exact) * 0x1p-11L, 0x1p-149L);
       },
       {{inf, one32},
        {minusInf, 0xbf800000},
        {zero, zero},
        {minusZero, minusZero}}},
  };
  CheckOptions options;
  options.count = 8000;
  for (const Approximation &row : table)
    for (bool ftz : {false, true}) {
      if (ftz && row.name == "tanh")
        continue;
      checkBy(
          row.name + ".approx" + (ftz ? ".ftz" : "") + ".f32 %d0, %s0;",
          {"f32"}, {"f32"},
          [&](const Values &s, const Values &d) {
            return judgeApproximation(row, ftz, s[0], d[0]);
          },
          options);
    }
}

TEST(PTXFloat, ApproximateDivision) {
  const FloatType &type = floatType("f32");
  for (bool full : {false, true})
    for (bool ftz : {false, true})
      checkBy(std::string("div.") + (full ? "full" : "approx") +
                  (ftz ? ".ftz" : "") + ".f32 %d0, %s0, %s1;",
              {"f32"}, {"f32", "f32"},
              [&](const Values &s, const Values &d) -> std::string {
                uint64_t a = ftz ? type.flush(s[0]) : s[0];
                uint64_t b = ftz ? type.flush(s[1]) : s[1];
                bool nan = type.format.isNaN(d[0]);
                if (type.format.isNaN(division(type, a, b, Round::Nearest)))
                  return nan ? "" : " NaN";
                long double x = type.value(a), y = type.value(b);
                long double size = std::fabs(y), actual = type.value(d[0]);
                if (!full && size > 0x1p126L && size < 0x1p128L) {
                  // The divisor is taken for infinity.
                  if (std::isinf(x))
                    return nan ? "" : " NaN";
                  return type.isZero(d[0]) ? "" : " zero";
                }
                if (std::isinf(x) || std::isinf(y) || x == 0 || y == 0) {
                  uint64_t expected = division(type, a, b, Round::Nearest);
                  return expected == d[0] ? "" : hex(expected);
                }
                // Nothing is promised of .approx for small divisors.
                if (!full && size < 0x1p-126L)
                  return "";
                long double exact = x / y;
                if (std::fabs(exact) > largest - 3 * unit(largest))
                  return std::isinf(actual) || std::fabs(actual) >=
                                                   largest - 5 * unit(largest)
                             ? ""
                             : " infinity";
                if (ftz && std::fabs(exact) < smallestNormal)
                  return type.isZero(d[0]) ||
                                 std::fabs(actual) == smallestNormal
                             ? ""
                             : " zero";
                return std::fabs(actual - exact) <= 2 * unit(exact)
                           ? ""
                           : " " + std::to_string((double)exact);
              });
}

TEST(PTXFloat, ApproximateDouble) {
  const FloatType &type = floatType("f64");
  auto judge = [&](bool root, bool ftz) {
    return [&type, root, ftz](const Values &s, const Values &d) -> std::string {
      // The gross forms see and give 32 bits, and no subnormal numbers.
      uint64_t a = s[0];
      bool nan = type.format.isNaN(d[0]);
      if (type.format.isNaN(a))
        return nan ? "" : " NaN";
      if (ftz) {
        if (!nan && (d[0] & 0xffffffff))
          return " zero in the lower half";
        a = type.flush(a);
      }
      if (type.isZero(a)) {
        uint64_t expected = type.format.infinity() | (a & type.format.sign());
        return d[0] == expected ? "" : hex(expected);
      }
      if (root && type.isNegative(a))
        return nan ? "" : " NaN";
      if (type.format.isInfinity(a))
        return d[0] == (a & type.format.sign()) ? "" : " zero";
      long double x = type.value(a);
      long double exact = root ? 1 / std::sqrt(x) : 1 / x;
      if (ftz && std::fabs(exact) < 0x1p-1021L)
        return type.isZero(d[0]) || std::fabs(type.value(d[0])) < 0x1.1p-1021L
                   ? ""
                   : " zero";
      // Twenty bits of the operand and of the result; else two units.
      long double allowed = std::fabs(exact) * (ftz ? 0x1p-18L : 0x1p-51L);
      return std::fabs(type.value(d[0]) - exact) <= allowed
                 ? ""
                 : " " + std::to_string((double)exact);
    };
  };
  checkBy("rcp.approx.ftz.f64 %d0, %s0;", {"f64"}, {"f64"}, judge(false, true));
  checkBy("rsqrt.approx.ftz.f64 %d0, %s0;", {"f64"}, {"f64"},
          judge(true, true));
  checkBy("rsqrt.approx.f64 %d0, %s0;", {"f64"}, {"f64"}, judge(true, false));
}

TEST(PTXFloat, ApproximateHalf) {
  struct {
    std::string name, type, target;
    bool ftz;
    /// Relative and absolute error.
    long double relative, absolute;
    long double (*exact)(long double);
  } table[] = {
      // 2^-9.9, and half a unit of subnormal results; 2^-7.
      {"ex2.approx", "f16", "", false, 0x1.12p-10L, 0x1p-25L,
       [](long double x) { return std::exp2(x); }},
      {"ex2.approx.ftz", "bf16", hopper, true, 0x1p-7L, 0,
       [](long double x) { return std::exp2(x); }},
      // 2^-10.987; 2^-8.
      {"tanh.approx", "f16", "", false, 0, 0x1.03p-11L,
       [](long double x) { return std::tanh(x); }},
      {"tanh.approx", "bf16", hopper, false, 0, 0x1p-8L,
       [](long double x) { return std::tanh(x); }},
  };
  for (const auto &row : table)
    for (bool packed : {false, true}) {
      const FloatType &type = floatType(row.type);
      std::string name = row.type + (packed ? "x2" : "");
      long double most = type.value(type.format.infinity() - 1);
      CheckOptions options;
      options.count = 4000;
      options.target = row.target;
      checkBy(
          row.name + "." + name + " %d0, %s0;", {name}, {name},
          [&](const Values &s, const Values &d) -> std::string {
            for (unsigned half = 0; half < (packed ? 2 : 1); ++half) {
              uint64_t a = cut(s[0] >> (16 * half), 16);
              uint64_t r = cut(d[0] >> (16 * half), 16);
              if (row.ftz)
                a = type.flush(a);
              if (type.format.isNaN(a)) {
                if (!type.format.isNaN(r))
                  return " NaN";
                continue;
              }
              long double exact = row.exact(type.value(a));
              long double actual = type.value(r);
              if (exact > most) {
                if (actual < most)
                  return " infinity";
                continue;
              }
              if (row.ftz && exact < smallestNormal) {
                if (actual > smallestNormal)
                  return " zero";
                continue;
              }
              if (!(std::fabs(actual - exact) <=
                    row.absolute + row.relative * std::fabs(exact)))
                return " " + std::to_string((double)exact);
            }
            return "";
          },
          options);
    }
}

} // namespace
