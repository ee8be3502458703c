//===- InstructionMemoryTest.cpp - Loads, stores, atomics -------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sections "ld", "st", "cvta", "isspacep", "atom", "red", "State Spaces" and
// "Initializers".
//
//===----------------------------------------------------------------------===//

#include "FloatDefinitions.h"
#include "InstructionTest.h"

#include <algorithm>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;
using namespace muon::ptxsim::exact;

namespace {

// 32 bytes of each space for each thread, whose address is %a; %g is the same
// as a generic address. %at is the one to use with the instruction.
struct Place32 {
  const char *space;
  bool generic;
};
const Place32 places[] = {{"global", false}, {"shared", false},
                          {"local", false},  {"global", true},
                          {"shared", true},  {"local", true}};

const char *const variables = ".global .align 32 .b8 globalArea[262144];\n"
                              ".shared .align 32 .b8 sharedArea[4096];\n";

std::string addressIn(const Place32 &place) {
  std::string space = place.space;
  std::string text = "  .reg .u64 %a, %at;\n";
  if (space == "local")
    text += "  .local .align 32 .b8 localArea[64];\n  mov.u64 %a, localArea;\n"
            "  add.u64 %a, %a, 32;\n";
  else
    text += "  mov.u64 %a, " + space + "Area;\n  mad.wide.u32 %a, " +
            (space == "global" ? "%index" : "%thread") + ", 32, %a;\n";
  text += place.generic ? "  cvta." + space + ".u64 %at, %a;\n"
                        : "  mov.u64 %at, %a;\n";
  return text;
}

/// `.global` or nothing.
std::string spaceSuffix(const Place32 &place) {
  return place.generic ? "" : std::string(".") + place.space;
}

/// `%s0` or `{%s0, %s1}`.
std::string vectorOf(const std::string &prefix, unsigned count) {
  std::string text = prefix + "0";
  for (unsigned i = 1; i < count; ++i)
    text += ", " + prefix + std::to_string(i);
  return count == 1 ? text : "{" + text + "}";
}

CheckOptions withVariables(size_t count = 256) {
  CheckOptions options;
  options.count = count;
  options.module = variables;
  return options;
}

const char *const memoryTypes[] = {"b8",  "u8",  "s8",  "b16", "u16",
                                   "s16", "b32", "u32", "s32", "f32",
                                   "b64", "u64", "s64", "f64"};

std::string suffix(unsigned count) {
  return count == 1 ? "" : ".v" + std::to_string(count);
}

TEST(PTXMemory, RoundTrips) {
  for (const Place32 &place : places)
    for (std::string type : memoryTypes)
      for (unsigned count : {1u, 2u, 4u}) {
        if (count * bitsOfType(type) > 128)
          continue;
        std::string moved = suffix(count) + "." + type;
        check(
            addressIn(place) + "  st" + spaceSuffix(place) + moved + " [%at+" +
                (place.space[0] == 'l' ? "-16" : "16") + "], " +
                vectorOf("%s", count) + ";\n  ld" + spaceSuffix(place) + moved +
                " " + vectorOf("%d", count) + ", [%at" +
                (place.space[0] == 'l' ? "+-16" : "+16") + "];",
            std::vector<std::string>(count, type),
            std::vector<std::string>(count, type),
            [](const Values &s) { return s; }, withVariables());
      }
}

TEST(PTXMemory, Modifiers) {
  const Place32 global{"global", false}, shared{"shared", false};
  auto pair = [&](const Place32 &place, const std::string &store,
                  const std::string &load) {
    check(
        addressIn(place) + "  " + store + " [%at], %s0;\n  " + load +
            " %d0, [%at];",
        {"u32"}, {"u32"}, [](const Values &s) { return s; }, withVariables());
  };
  for (const char *store : {"st.weak", "st.relaxed.gpu", "st.release.sys",
                            "st.relaxed.cta", "st.volatile"})
    for (const char *load : {"ld.weak", "ld.relaxed.gpu", "ld.acquire.sys",
                             "ld.relaxed.cta", "ld.volatile"}) {
      pair(global, std::string(store) + ".global.u32",
           std::string(load) + ".global.u32");
      pair(shared, std::string(store) + ".shared.u32",
           std::string(load) + ".shared.u32");
      pair({"shared", true}, std::string(store) + ".u32",
           std::string(load) + ".u32");
    }
  for (const char *store : {".wb", ".cg", ".cs", ".wt"})
    for (const char *load : {".ca", ".cg", ".cs", ".lu", ".cv"})
      pair(global, "st.global" + std::string(store) + ".u32",
           "ld.global" + std::string(load) + ".u32");
  pair(global, "st.global.L1::no_allocate.u32",
       "ld.global.L1::evict_last.L2::128B.u32");
  // Memory that no thread writes may be read through .nc.
  check("ld.global.nc.u64 %d0, [%inAt];\n"
        "  ld.global.nc.L1::no_allocate.L2::256B.u64 %d1, [%inAt];\n"
        "  ld.global.ca.nc.v2.u32 {%d2, %d3}, [%inAt];",
        {"u64", "u64", "u32", "u32"}, {"u64"}, [](const Values &s) {
          return Values{s[0], s[0], cut(s[0], 32), s[0] >> 32};
        });
}

/// Registers may be wider than what is loaded: signed types fill by their sign,
/// the others with zeros.
TEST(PTXMemory, LoadsIntoWiderRegisters) {
  for (std::string type :
       {"s8", "u8", "b8", "s16", "u16", "b16", "s32", "u32", "b32"})
    for (std::string wide : {"b16", "u32", "b32", "s32", "u64", "b64", "s64"}) {
      unsigned bits = bitsOfType(type);
      if (bitsOfType(wide) < bits)
        continue;
      for (unsigned at = 0; at < 64; at += bits)
        check("ld.global." + type + " %d0, [%inAt+" + std::to_string(at / 8) +
                  "];",
              {wide}, {"b64"},
              [=](const Values &s) {
                uint64_t part = cut(s[0] >> at, bits);
                return Values{isSignedType(type) ? uint64_t(extend(part, bits))
                                                 : part};
              },
              {100});
    }
  check("ld.global.v4.s8 {%d0, %d1, %d2, %d3}, [%inAt+4];",
        {"s32", "s32", "s32", "s32"}, {"b64"}, [](const Values &s) {
          Values result;
          for (unsigned i = 4; i < 8; ++i)
            result.push_back(uint64_t(extend(s[0] >> (8 * i), 8)));
          return result;
        });
  check("ld.global.v2.u16 {%d0, %d1}, [%inAt];", {"u32", "u32"}, {"b64"},
        [](const Values &s) {
          return Values{cut(s[0], 16), cut(s[0] >> 16, 16)};
        });
}

/// Stores take the lower bits of wider registers and leave the bytes around.
TEST(PTXMemory, NarrowStores) {
  for (const Place32 &place : places)
    for (std::string type :
         {"u8", "s8", "b8", "u16", "s16", "b16", "u32", "b32"}) {
      unsigned bits = bitsOfType(type);
      for (unsigned at = 0; at < 64; at += bits)
        check(
            addressIn(place) + "  st" + spaceSuffix(place) +
                ".b64 [%at], %s1;\n  st" + spaceSuffix(place) + "." + type +
                " [%at+" + std::to_string(at / 8) + "], %s0;\n  ld" +
                spaceSuffix(place) + ".b64 %d0, [%at];",
            {"b64"}, {"b64", "b64"},
            [=](const Values &s) {
              uint64_t mask = cut(~uint64_t(0), bits) << at;
              return Values{(s[1] & ~mask) | (s[0] << at & mask)};
            },
            withVariables(64));
    }
  check(
      addressIn(places[1]) + "  st.shared.v4.b8 [%at], {%s0, %s0, %s1, %s1};\n"
                             "  ld.shared.b32 %d0, [%at];",
      {"b32"}, {"b64", "b64"},
      [](const Values &s) {
        return Values{cut(s[0], 8) * 0x101 | cut(s[1], 8) * 0x1010000};
      },
      withVariables());
}

TEST(PTXMemory, GenericAddresses) {
  // A store through one kind of address is seen through the other.
  for (std::string space : {"global", "shared", "local"}) {
    Place32 place{space.c_str(), true};
    check(
        addressIn(place) + "  st.u32 [%at+4], %s0;\n  ld." + space +
            ".u32 %d0, [%a+4];\n  st." + space +
            ".u32 [%a], %s1;\n  ld.u32 %d1, [%at];\n  .reg .u64 %back;\n"
            "  cvta.to." +
            space +
            ".u64 %back, %at;\n  .reg .pred %same;\n"
            "  setp.eq.u64 %same, %back, %a;\n  selp.u32 %d2, 1, 0, %same;",
        {"u32", "u32", "u32"}, {"u32", "u32"},
        [](const Values &s) {
          return Values{s[0], s[1], 1};
        },
        withVariables());
    check(
        addressIn(place) +
            "  isspacep.global %d0, %at;\n  isspacep.shared %d1, %at;\n"
            "  isspacep.local %d2, %at;\n  isspacep.const %d3, %at;",
        {"pred", "pred", "pred", "pred"}, {"u32"},
        [&](const Values &) {
          return Values{space == "global", space == "shared", space == "local",
                        0};
        },
        withVariables());
  }
  // generic() of a variable in an operand is the address that cvta gives.
  check(
      "  .reg .u64 %x, %y;\n  .reg .pred %same;\n  mov.u64 %x, globalArea;\n"
      "  cvta.global.u64 %x, %x;\n  cvta.global.u64 %y, globalArea;\n"
      "  setp.eq.u64 %same, %x, %y;\n  selp.u32 %d0, 1, 0, %same;",
      {"u32"}, {"u32"}, [](const Values &) { return Values{1}; },
      withVariables());
  // Shared addresses of 32 bits.
  check(
      "  .reg .u32 %a;\n  mov.u32 %a, sharedArea;\n"
      "  mad.lo.u32 %a, %thread, 32, %a;\n  st.shared.u32 [%a+8], %s0;\n"
      "  ld.shared.u32 %d0, [%a+8];",
      {"u32"}, {"u32"}, [](const Values &s) { return s; }, withVariables());
}

//===----------------------------------------------------------------------===//
// Constants, initialised variables, parameters
//===----------------------------------------------------------------------===//

TEST(PTXMemory, Initialised) {
  CheckOptions options;
  options.count = 1;
  options.module = R"(
.const .align 4 .u32 primes[6] = {2, 3, 5, 7};
.const .f32 half = 0f3F000000;
.const .align 8 .b8 mixed[8] = {1, 255, 3, 4, 5, 6, 7, 8};
.global .align 8 .s64 negative = -5;
.global .align 2 .b16 grid[2][3] = {{1, 2, 3}, {4, 5}};
.global .align 8 .f64 doubles[2] = {0d3FF0000000000000, 2.5};
.global .align 8 .u64 place = generic(negative);
.global .align 8 .u64 second[2] = {grid, grid+6};
)";
  check(
      "ld.const.u32 %d0, [primes+8];\n  ld.const.u32 %d1, [primes+20];\n"
      "  ld.const.f32 %d2, [half];\n  ld.const.v2.u32 {%d3, %d4}, [mixed];\n"
      "  ld.global.s64 %d5, [negative];\n  ld.global.u16 %d6, [grid+6];\n"
      "  ld.global.u16 %d7, [grid+10];\n  ld.global.f64 %d8, [doubles+8];\n"
      "  .reg .u64 %p;\n  ld.global.u64 %p, [place];\n"
      "  ld.s64 %d9, [%p];\n  ld.global.u64 %p, [second+8];\n"
      "  ld.global.u16 %d10, [%p+2];\n"
      "  mov.u64 %p, primes;\n  cvta.const.u64 %p, %p;\n"
      "  ld.u32 %d11, [%p+4];\n  isspacep.const %d12, %p;",
      {"u32", "u32", "f32", "u32", "u32", "s64", "u16", "u16", "f64", "s64",
       "u16", "u32", "pred"},
      {"u32"},
      [](const Values &) {
        return Values{
            5, 0, 0x3f000000,     0x0403ff01,   0x08070605, uint64_t(-5),
            4, 0, bitsOfF64(2.5), uint64_t(-5), 5,          3,
            1};
      },
      options);
}

TEST(PTXMemory, KernelParameters) {
  const std::string text = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry mixed(
  .param .u8 a, .param .s16 b, .param .u32 c, .param .u64 out,
  .param .f32 e, .param .f64 f, .param .align 16 .b8 g[24], .param .s8 h)
{
  .reg .u64 %out, %x;
  .reg .s64 %wide;
  .reg .u32 %w;
  .reg .f32 %f;
  .reg .f64 %d;
  .reg .u32 %p, %q, %r, %s;
  ld.param.u64 %out, [out];
  cvta.to.global.u64 %out, %out;
  ld.param.u8 %w, [a];
  st.global.u32 [%out], %w;
  ld.param.s16 %wide, [b];
  st.global.s64 [%out+8], %wide;
  ld.param.u32 %w, [c];
  st.global.u32 [%out+16], %w;
  ld.param.f32 %f, [e];
  st.global.f32 [%out+20], %f;
  ld.param.f64 %d, [f];
  st.global.f64 [%out+24], %d;
  ld.param.v4.u32 {%p, %q, %r, %s}, [g];
  st.global.v4.u32 [%out+32], {%p, %q, %r, %s};
  ld.param.u64 %x, [g+16];
  st.global.u64 [%out+48], %x;
  ld.param.s8 %wide, [h];
  st.global.s64 [%out+56], %wide;
  ret;
}
)";
  std::vector<ParseError> errors;
  auto module = Module::parse(text, "mixed.ptx", errors);
  for (const ParseError &error : errors)
    ADD_FAILURE() << error.line << ": " << error.message;
  ASSERT_TRUE(module);
  struct alignas(16) Aggregate {
    uint32_t words[6];
  } aggregate{{1, 2, 3, 4, 5, 6}};
  static_assert(sizeof(Aggregate) == 32);
  Device device;
  uint64_t out = device.allocate(64, "out");
  std::vector<uint8_t> zeros(64);
  device.write(out, zeros.data(), 64);
  Parameters parameters;
  parameters.add(uint8_t(200)).add(int16_t(-300)).add(uint32_t(400)).add(out);
  parameters.add(1.5f).add(-2.25);
  parameters.addBytes(&aggregate, 24, 16).add(int8_t(-7));
  LaunchOptions options;
  LaunchResult result = device.launch(module, "mixed", parameters, options);
  for (const Finding &finding : result.findings)
    ADD_FAILURE() << finding.text();
  std::vector<uint8_t> bytes(64);
  ASSERT_TRUE(device.read(out, bytes.data(), 64));
  auto word = [&](size_t at) {
    uint64_t value;
    std::memcpy(&value, &bytes[at], 8);
    return value;
  };
  EXPECT_EQ(uint32_t(word(0)), 200u);
  EXPECT_EQ(int64_t(word(8)), -300);
  EXPECT_EQ(uint32_t(word(16)), 400u);
  EXPECT_EQ(f32Of(word(16) >> 32), 1.5f);
  EXPECT_EQ(f64Of(word(24)), -2.25);
  EXPECT_EQ(word(32), uint64_t(2) << 32 | 1);
  EXPECT_EQ(word(40), uint64_t(4) << 32 | 3);
  EXPECT_EQ(word(48), uint64_t(6) << 32 | 5);
  EXPECT_EQ(int64_t(word(56)), -7);
}

//===----------------------------------------------------------------------===//
// Atomics
//===----------------------------------------------------------------------===//

using Update = std::function<uint64_t(uint64_t memory, uint64_t operand)>;

struct AtomicRow {
  std::string name, type;
  Update update;
  /// `.noftz` before the type.
  std::string before, target;
};

/// Sums of a float, packed or not; NaN of f32 and f64 is compared as any NaN.
Update sumOf(const std::string &type, bool flush) {
  bool packed = type.size() > 3 && type.substr(type.size() - 2) == "x2";
  std::string element = packed ? type.substr(0, type.size() - 2) : type;
  return [=](uint64_t a, uint64_t b) {
    const FloatType &format = floatType(element);
    uint64_t result = 0;
    for (unsigned at = 0; at < (packed ? 32 : 1); at += 16) {
      uint64_t x = packed ? cut(a >> at, 16) : a;
      uint64_t y = packed ? cut(b >> at, 16) : b;
      if (flush) {
        x = format.flush(x);
        y = format.flush(y);
      }
      uint64_t sum = addition(format, x, y, Round::Nearest);
      result |= (flush ? format.flush(sum) : sum) << at;
    }
    return result;
  };
}

std::vector<AtomicRow> atomics(bool flush) {
  std::vector<AtomicRow> rows;
  for (std::string width : {"32", "64"}) {
    unsigned bits = unsigned(std::stoul(width));
    rows.push_back({"and", "b" + width,
                    [](uint64_t a, uint64_t b) { return a & b; }, "", ""});
    rows.push_back({"or", "b" + width,
                    [](uint64_t a, uint64_t b) { return a | b; }, "", ""});
    rows.push_back({"xor", "b" + width,
                    [](uint64_t a, uint64_t b) { return a ^ b; }, "", ""});
    rows.push_back(
        {"exch", "b" + width, [](uint64_t, uint64_t b) { return b; }, "", ""});
    rows.push_back({"add", "u" + width,
                    [](uint64_t a, uint64_t b) { return a + b; }, "", ""});
    rows.push_back({"min", "u" + width,
                    [](uint64_t a, uint64_t b) { return std::min(a, b); }, "",
                    ""});
    rows.push_back({"max", "u" + width,
                    [](uint64_t a, uint64_t b) { return std::max(a, b); }, "",
                    ""});
    rows.push_back({"min", "s" + width,
                    [=](uint64_t a, uint64_t b) {
                      return extend(a, bits) < extend(b, bits) ? a : b;
                    },
                    "", ""});
    rows.push_back({"max", "s" + width,
                    [=](uint64_t a, uint64_t b) {
                      return extend(a, bits) < extend(b, bits) ? b : a;
                    },
                    "", ""});
  }
  rows.push_back(
      {"add", "s32", [](uint64_t a, uint64_t b) { return a + b; }, "", ""});
  rows.push_back({"inc", "u32",
                  [](uint64_t a, uint64_t b) { return a >= b ? 0 : a + 1; }, "",
                  ""});
  rows.push_back(
      {"dec", "u32",
       [](uint64_t a, uint64_t b) { return a == 0 || a > b ? b : a - 1; }, "",
       ""});
  rows.push_back({"add", "f32", sumOf("f32", flush), "", ""});
  rows.push_back({"add", "f64", sumOf("f64", false), "", ""});
  rows.push_back({"add", "f16", sumOf("f16", false), ".noftz", ""});
  rows.push_back({"add", "f16x2", sumOf("f16x2", false), ".noftz", ""});
  const char *hopper = ".version 8.0\n.target sm_90\n";
  rows.push_back({"add", "bf16", sumOf("bf16", false), ".noftz", hopper});
  rows.push_back({"add", "bf16x2", sumOf("bf16x2", false), ".noftz", hopper});
  return rows;
}

bool sameBits(const std::string &type, uint64_t expected, uint64_t actual) {
  if (expected == actual)
    return true;
  if (type != "f32" && type != "f64")
    return false;
  const Format &format = floatType(type).format;
  return format.isNaN(expected) && format.isNaN(actual);
}

TEST(PTXMemory, AtomicsOfOneThread) {
  for (const Place32 &place : places) {
    if (place.space[0] == 'l')
      continue;
    // Section "atom": f32 is flushed in global memory, not in shared memory.
    for (const AtomicRow &row : atomics(place.space[0] == 'g')) {
      for (bool returns : {true, false}) {
        if (!returns && row.name == "exch")
          continue;
        CheckOptions options = withVariables(300);
        options.target = row.target;
        std::string moved = row.type;
        if (moved == "f16" || moved == "bf16")
          moved = "b16";
        else if (moved == "f16x2" || moved == "bf16x2")
          moved = "b32";
        std::string space = spaceSuffix(place);
        checkBy(
            addressIn(place) + "  st" + space + "." + moved +
                " [%at], %s0;\n  " +
                (returns ? "atom" + space + "." + row.name + row.before + "." +
                               row.type + " %d0, [%at], %s1;"
                         : "red" + space + "." + row.name + row.before + "." +
                               row.type + " [%at], %s1;\n  mov." + moved +
                               " %d0, %s0;") +
                "\n  ld" + space + "." + moved + " %d1, [%at];",
            {row.type, row.type}, {row.type, row.type},
            [&](const Values &s, const Values &d) -> std::string {
              unsigned bits = bitsOfType(row.type);
              uint64_t expected = cut(row.update(s[0], s[1]), bits);
              if (d[0] != s[0])
                return " the old value returned";
              if (sameBits(row.type, expected, d[1]))
                return "";
              // Generic addresses: the ISA speaks of spaces.
              if (place.generic && row.type == "f32" &&
                  sameBits(row.type, sumOf("f32", false)(s[0], s[1]), d[1]))
                return "";
              char buffer[32];
              std::snprintf(buffer, sizeof(buffer), " 0x%llx",
                            static_cast<unsigned long long>(expected));
              return buffer;
            },
            options);
      }
    }
    for (std::string type : {"b16", "b32", "b64"}) {
      CheckOptions options = withVariables(600);
      options.adjust = [](Values &s) {
        if ((s[0] + s[2]) % 2)
          s[1] = s[0];
      };
      std::string space = spaceSuffix(place);
      check(
          addressIn(place) + "  st" + space + "." + type +
              " [%at], %s0;\n  atom" + space + ".cas." + type +
              " %d0, [%at], %s1, %s2;\n  ld" + space + "." + type +
              " %d1, [%at];",
          {type, type}, {type, type, type},
          [](const Values &s) {
            return Values{s[0], s[0] == s[1] ? s[2] : s[0]};
          },
          options);
    }
  }
}

TEST(PTXMemory, AtomicModifiers) {
  for (const char *order : {"", ".relaxed", ".acquire", ".release", ".acq_rel"})
    for (const char *scope : {"", ".cta", ".gpu", ".sys"}) {
      std::string modifiers = std::string(order) + scope;
      check(
          addressIn(places[0]) + "  st.global.u32 [%at], %s0;\n  atom" +
              modifiers + ".global.add.u32 %d0, [%at], %s1;\n  atom" +
              modifiers + ".global.cas.b32 %d1, [%at], %s0, %s1;",
          {"u32", "b32"}, {"u32", "u32"},
          [](const Values &s) {
            return Values{s[0], s[0] + s[1]};
          },
          withVariables());
      // red has no acquiring forms.
      if (std::string(order).find("ac") != std::string::npos)
        continue;
      check(
          addressIn(places[0]) + "  st.global.u32 [%at], %s0;\n  red" +
              modifiers +
              ".global.add.u32 [%at], %s1;\n"
              "  ld.global.u32 %d0, [%at];",
          {"u32"}, {"u32", "u32"},
          [](const Values &s) { return Values{s[0] + s[1]}; }, withVariables());
    }
}

/// All threads of several blocks on one word. The output: what each thread got
/// back, then the word.
std::vector<uint32_t> contend(const std::string &instruction, uint32_t initial,
                              unsigned threads, uint64_t seed) {
  Kernel kernel;
  kernel.body = "  .reg .u64 %at;\n  .reg .u32 %old, %operand;\n"
                "  mul.wide.u32 %at, %index, 4;\n  add.u64 %at, %at, %out;\n"
                "  " +
                instruction + "\n  st.global.u32 [%at], %old;";
  std::vector<uint32_t> memory(threads + 1);
  memory[threads] = initial;
  kernel.outputBytes = 4 * memory.size();
  kernel.output = bytesOf(memory);
  kernel.options.block = {64, 1, 1};
  kernel.options.grid = {threads / 64, 1, 1};
  kernel.options.seed = seed;
  return valuesOf<uint32_t>(run(kernel));
}

TEST(PTXMemory, AtomicsOfManyThreads) {
  constexpr unsigned threads = 256;
  const std::string word = "[%out+" + std::to_string(4 * threads) + "]";
  for (uint64_t seed : {1, 2, 3}) {
    // Each old value is got by one thread.
    auto add = contend("atom.global.add.u32 %old, " + word + ", 3;", 10,
                       threads, seed);
    ASSERT_EQ(add.size(), threads + 1);
    EXPECT_EQ(add.back(), 10 + 3 * threads);
    std::sort(add.begin(), add.end());
    for (unsigned i = 0; i <= threads; ++i)
      EXPECT_EQ(add[i], 10 + 3 * i);

    auto increment = contend("atom.global.inc.u32 %old, " + word + ", 99;", 0,
                             threads, seed);
    ASSERT_EQ(increment.size(), threads + 1);
    EXPECT_EQ(increment.back(), threads % 100);
    std::vector<unsigned> times(100);
    for (unsigned i = 0; i < threads; ++i) {
      ASSERT_LT(increment[i], 100u);
      ++times[increment[i]];
    }
    for (unsigned i = 0; i < 100; ++i)
      EXPECT_EQ(times[i], i < threads - 200 ? 3u : 2u);

    auto greatest = contend("  mul.lo.u32 %operand, %index, 7;\n"
                            "  atom.global.max.u32 %old, " +
                                word + ", %operand;",
                            0, threads, seed);
    ASSERT_EQ(greatest.size(), threads + 1);
    EXPECT_EQ(greatest.back(), 7 * (threads - 1));

    // A chain: each thread gets what another one, or nobody, put there.
    auto exchange = contend("  add.u32 %operand, %index, 1000;\n"
                            "  atom.global.exch.b32 %old, " +
                                word + ", %operand;",
                            1000 + threads, threads, seed);
    ASSERT_EQ(exchange.size(), threads + 1);
    std::sort(exchange.begin(), exchange.end());
    for (unsigned i = 0; i <= threads; ++i)
      EXPECT_EQ(exchange[i], 1000 + i);

    // A sum by compare-and-swap, which tries again.
    auto swap =
        contend("  .reg .u32 %seen, %next;\n  .reg .pred %again;\n"
                "  ld.volatile.global.u32 %seen, " +
                    word +
                    ";\nAGAIN:\n  add.u32 %next, %seen, 2;\n"
                    "  atom.global.cas.b32 %old, " +
                    word +
                    ", %seen, %next;\n  setp.ne.u32 %again, %old, %seen;\n"
                    "  mov.u32 %seen, %old;\n  @%again bra AGAIN;",
                5, threads, seed);
    ASSERT_EQ(swap.size(), threads + 1);
    std::sort(swap.begin(), swap.end());
    for (unsigned i = 0; i <= threads; ++i)
      EXPECT_EQ(swap[i], 5 + 2 * i);
  }
}

//===----------------------------------------------------------------------===//
// Defects
//===----------------------------------------------------------------------===//

TEST(PTXMemory, BadAccesses) {
  auto first = [](const std::string &body) {
    Kernel kernel;
    kernel.body = "  .reg .u64 %a;\n  .reg .u32 %x;\n" + body;
    kernel.module = variables;
    kernel.module += ".const .u32 fixed = 1;\n";
    kernel.outputBytes = 64;
    kernel.output.assign(64, 0);
    kernel.options.block = {32, 1, 1};
    std::vector<Finding> found = findings(kernel);
    return found.empty() ? std::string("nothing") : findingName(found[0].kind);
  };
  EXPECT_EQ(first("  ld.global.u32 %x, [%out+4];\n"), "nothing");
  EXPECT_EQ(first("  ld.global.u32 %x, [%out+1024];\n"), "out-of-bounds");
  EXPECT_EQ(first("  ld.global.u32 %x, [%out+-4];\n"), "out-of-bounds");
  EXPECT_EQ(first("  ld.global.u32 %x, [%out+2];\n"), "misaligned");
  EXPECT_EQ(first("  ld.shared.u32 %x, [sharedArea+4096];\n"), "out-of-bounds");
  EXPECT_EQ(first("  mov.u64 %a, sharedArea;\n  ld.shared.v2.u32 {%x, %x}, "
                  "[%a+4];\n"),
            "misaligned");
}

} // namespace
