//===- InstructionCompareTest.cpp - Comparison and selection ----*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sections "Comparison and Selection Instructions" and "Half Precision
// Comparison Instructions".
//
//===----------------------------------------------------------------------===//

#include "FloatDefinitions.h"
#include "InstructionTest.h"

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;
using namespace muon::ptxsim::exact;

namespace {

const char *const hopper = ".version 8.0\n.target sm_90\n";

/// What a comparison says of operands that are less, equal, greater, unordered.
struct Comparison {
  const char *name;
  bool less, equal, greater, unordered;
};

const Comparison ordered[] = {
    {"eq", false, true, false, false}, {"ne", true, false, true, false},
    {"lt", true, false, false, false}, {"le", true, true, false, false},
    {"gt", false, false, true, false}, {"ge", false, true, true, false}};
const Comparison ofUnsigned[] = {{"lo", true, false, false, false},
                                 {"ls", true, true, false, false},
                                 {"hi", false, false, true, false},
                                 {"hs", false, true, true, false}};
const Comparison unordered[] = {
    {"equ", false, true, false, true}, {"neu", true, false, true, true},
    {"ltu", true, false, false, true}, {"leu", true, true, false, true},
    {"gtu", false, false, true, true}, {"geu", false, true, true, true},
    {"num", true, true, true, false},  {"nan", false, false, false, true}};

bool isFloat(const std::string &type) {
  return type[0] == 'f' || type == "bf16";
}

/// All comparisons of a type.
std::vector<Comparison> comparisonsOf(const std::string &type) {
  std::vector<Comparison> result;
  if (type[0] == 'b' && type != "bf16") {
    result = {ordered[0], ordered[1]};
    return result;
  }
  result.assign(std::begin(ordered), std::end(ordered));
  if (type[0] == 'u')
    result.insert(result.end(), std::begin(ofUnsigned), std::end(ofUnsigned));
  if (isFloat(type))
    result.insert(result.end(), std::begin(unordered), std::end(unordered));
  return result;
}

bool holds(const Comparison &comparison, const std::string &type, bool ftz,
           uint64_t a, uint64_t b) {
  int relation;
  if (isFloat(type)) {
    const FloatType &format = floatType(type);
    if (ftz) {
      a = format.flush(a);
      b = format.flush(b);
    }
    relation = order(format, a, b);
  } else if (isSignedType(type)) {
    int64_t x = extend(a, bitsOfType(type)), y = extend(b, bitsOfType(type));
    relation = x < y ? -1 : x > y;
  } else {
    relation = a < b ? -1 : a > b;
  }
  return relation == -1  ? comparison.less
         : relation == 0 ? comparison.equal
         : relation == 1 ? comparison.greater
                         : comparison.unordered;
}

const std::vector<std::string> compared = {"b16", "b32", "b64", "u16", "u32",
                                           "u64", "s16", "s32", "s64", "f16",
                                           "f32", "f64", "bf16"};

/// Operands are often equal.
void makeEqual(Values &s) {
  if ((s[0] ^ s[1] * 5) % 4 == 1)
    s[1] = s[0];
}

struct Combine {
  const char *name;
  bool (*function)(bool, bool);
};
const Combine combines[] = {{"and", [](bool a, bool b) { return a && b; }},
                            {"or", [](bool a, bool b) { return a || b; }},
                            {"xor", [](bool a, bool b) { return a != b; }}};

TEST(PTXCompare, Setp) {
  for (const std::string &type : compared)
    for (const Comparison &comparison : comparisonsOf(type))
      for (bool ftz : {false, true}) {
        if (ftz && type != "f32" && type != "f16")
          continue;
        CheckOptions options;
        options.count = 400;
        options.adjust = makeEqual;
        if (type == "bf16")
          options.target = hopper;
        std::string mode = ftz ? ".ftz." : ".";
        std::string name = std::string("setp.") + comparison.name;
        auto relation = [&](const Values &s) {
          return holds(comparison, type, ftz, s[0], s[1]);
        };
        check(
            name + mode + type + " %d0, %s0, %s1;", {"pred"}, {type, type},
            [&](const Values &s) { return Values{relation(s)}; }, options);
        // Scalar halves have one result; the second is of their packed forms.
        if (type == "f16" || type == "bf16") {
          for (const Combine &combine : combines)
            check(
                name + "." + combine.name + mode + type +
                    " %d0, %s0, %s1, %s2;",
                {"pred"}, {type, type, "pred"},
                [&](const Values &s) {
                  return Values{combine.function(relation(s), s[2])};
                },
                options);
          continue;
        }
        check(
            name + mode + type + " %d0|%d1, %s0, %s1;", {"pred", "pred"},
            {type, type},
            [&](const Values &s) {
              return Values{relation(s), !relation(s)};
            },
            options);
        for (const Combine &combine : combines)
          for (bool negated : {false, true})
            check(
                name + "." + combine.name + mode + type +
                    " %d0|%d1, %s0, %s1, " + (negated ? "!%s2;" : "%s2;"),
                {"pred", "pred"}, {type, type, "pred"},
                [&](const Values &s) {
                  bool c = (s[2] != 0) != negated;
                  return Values{combine.function(relation(s), c),
                                combine.function(!relation(s), c)};
                },
                options);
      }
}

TEST(PTXCompare, SetpPacked) {
  for (std::string type : {"f16", "bf16"})
    for (const Comparison &comparison : comparisonsOf(type))
      for (bool ftz : {false, true}) {
        if (ftz && type == "bf16")
          continue;
        CheckOptions options;
        options.count = 400;
        options.adjust = [](Values &s) {
          if (s[0] % 3 == 0)
            s[1] = (s[1] & 0xffff0000) | (s[0] & 0xffff);
          if (s[0] % 5 == 0)
            s[1] = (s[1] & 0xffff) | (s[0] & 0xffff0000);
        };
        if (type == "bf16")
          options.target = hopper;
        std::string name = std::string("setp.") + comparison.name;
        std::string mode = (ftz ? ".ftz." : ".") + type + "x2";
        auto relation = [&](const Values &s, unsigned half) {
          return holds(comparison, type, ftz, cut(s[0] >> (16 * half), 16),
                       cut(s[1] >> (16 * half), 16));
        };
        check(
            name + mode + " %d0|%d1, %s0, %s1;", {"pred", "pred"},
            {type + "x2", type + "x2"},
            [&](const Values &s) {
              return Values{relation(s, 0), relation(s, 1)};
            },
            options);
        for (const Combine &combine : combines)
          check(
              name + "." + combine.name + mode + " %d0|%d1, %s0, %s1, %s2;",
              {"pred", "pred"}, {type + "x2", type + "x2", "pred"},
              [&](const Values &s) {
                return Values{combine.function(relation(s, 0), s[2]),
                              combine.function(relation(s, 1), s[2])};
              },
              options);
      }
}

TEST(PTXCompare, Set) {
  for (const std::string &type : compared)
    for (std::string to : {"u32", "s32", "f32"})
      for (const Comparison &comparison : comparisonsOf(type))
        for (bool ftz : {false, true}) {
          if ((ftz && type != "f32" && type != "f16") ||
              ((type == "f16" || type == "bf16") && to == "f32"))
            continue;
          CheckOptions options;
          options.count = 200;
          options.adjust = makeEqual;
          if (type == "bf16")
            options.target = hopper;
          std::string mode = (ftz ? ".ftz." : ".") + to + "." + type;
          std::string name = std::string("set.") + comparison.name;
          uint64_t yes = to == "f32" ? 0x3f800000 : 0xffffffff;
          auto relation = [&](const Values &s) {
            return holds(comparison, type, ftz, s[0], s[1]);
          };
          checkOp(
              name + mode, to, {type, type},
              [&](const Values &s) { return relation(s) ? yes : 0; }, options);
          for (const Combine &combine : combines)
            checkOp(
                name + "." + combine.name + mode, to, {type, type, "pred"},
                [&](const Values &s) {
                  return combine.function(relation(s), s[2]) ? yes : 0;
                },
                options);
        }
}

/// Halves give halves: 1.0 and 0.0, one or two.
TEST(PTXCompare, SetHalf) {
  for (std::string type : {"f16", "bf16"})
    for (bool packed : {false, true})
      for (const Comparison &comparison : comparisonsOf(type))
        for (bool ftz : {false, true}) {
          if (ftz && type == "bf16")
            continue;
          CheckOptions options;
          options.count = 400;
          options.adjust = makeEqual;
          if (type == "bf16")
            options.target = hopper;
          std::string name = type + (packed ? "x2" : "");
          uint64_t one = floatType(type).one();
          checkOp(
              std::string("set.") + comparison.name + (ftz ? ".ftz." : ".") +
                  name + "." + name,
              name, {name, name},
              [&](const Values &s) {
                uint64_t result = 0;
                for (unsigned at = 0; at < (packed ? 32 : 16); at += 16)
                  if (holds(comparison, type, ftz, cut(s[0] >> at, 16),
                            cut(s[1] >> at, 16)))
                    result |= one << at;
                return result;
              },
              options);
        }
}

TEST(PTXCompare, Select) {
  for (std::string type : {"b16", "b32", "b64", "u16", "u32", "u64", "s16",
                           "s32", "s64", "f32", "f64"}) {
    checkOp("selp." + type, type, {type, type, "pred"},
            [](const Values &s) { return s[2] ? s[0] : s[1]; });
    check("selp." + type + " %d0, %s0, %s1, !%s2;", {type},
          {type, type, "pred"},
          [](const Values &s) { return Values{s[2] ? s[1] : s[0]}; });
    checkOp(
        "slct." + type + ".s32", type, {type, type, "s32"},
        [](const Values &s) { return extend(s[2], 32) >= 0 ? s[0] : s[1]; });
    for (bool ftz : {false, true})
      checkOp(std::string("slct") + (ftz ? ".ftz." : ".") + type + ".f32", type,
              {type, type, "f32"}, [=](const Values &s) {
                const FloatType &single = floatType("f32");
                uint64_t c = ftz ? single.flush(s[2]) : s[2];
                int relation = order(single, c, 0);
                return relation == 0 || relation == 1 ? s[0] : s[1];
              });
  }
}

} // namespace
