//===- ControlTest.cpp - Branches, calls, lanes that part and meet --------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sections "bra", "brx.idx", "call", "ret", "exit". That lanes meet again shows
// in how often what comes behind is issued: an instruction of class Float is
// the mark that is counted.
//
//===----------------------------------------------------------------------===//

#include "InstructionTest.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;
using testing::HasSubstr;

namespace {

const std::string mark = "  add.f32 %f0, 0f3f800000, 0f3f800000;\n";

struct Program {
  /// Gives %v.
  std::string body;
  std::string module = {};
  unsigned threads = 64, blocks = 1;
  uint64_t seeds = 20;
  /// What %v is of each thread; not what those that exit would have.
  std::function<uint32_t(unsigned)> expected = {};
  /// Issues of the mark, in all warps; not checked if negative.
  int64_t marks = -1;
  uint64_t maxInstructions = 1'000'000;
  unsigned hostThreads = 1;
};

constexpr uint32_t untouched = 0xeeeeeeee;

std::string textOf(const Program &program) {
  return R"(.version 8.0
.target sm_80
.address_size 64
)" + program.module +
         R"(
.visible .entry test(.param .u64 out)
{
  .reg .u64 %out, %at, %a<8>;
  .reg .u32 %thread, %index, %lane, %v, %r<16>;
  .reg .f32 %f0;
  .reg .pred %p<8>;
  ld.param.u64 %out, [out];
  mov.u32 %thread, %tid.x;
  mov.u32 %lane, %laneid;
  mov.u32 %r0, %ctaid.x;
  mov.u32 %r1, %ntid.x;
  mad.lo.u32 %index, %r0, %r1, %thread;
)" + program.body +
         R"(
  mul.wide.u32 %at, %index, 4;
  add.u64 %at, %out, %at;
  st.global.u32 [%at], %v;
  ret;
}
)";
}

/// The words that the threads store, and two that are zero to begin with.
LaunchResult launch(const Program &program, uint64_t seed,
                    std::vector<uint32_t> &words) {
  std::string text = textOf(program);
  std::vector<ParseError> errors;
  auto module = Module::parse(text, "test.ptx", errors);
  for (const ParseError &error : errors)
    ADD_FAILURE() << error.line << ": " << error.message << "\n  "
                  << error.text;
  if (!module)
    return {};
  words.assign(size_t(program.threads) * program.blocks, untouched);
  words.resize(words.size() + 2, 0);
  Device device;
  uint64_t out = device.allocate(4 * words.size(), "out");
  device.write(out, words.data(), 4 * words.size());
  Parameters parameters;
  parameters.add(out);
  LaunchOptions options;
  options.grid = {program.blocks};
  options.block = {program.threads};
  options.seed = seed;
  options.hostThreads = program.hostThreads;
  options.maxInstructions = program.maxInstructions;
  LaunchResult result = device.launch(module, "test", parameters, options);
  EXPECT_TRUE(device.read(out, words.data(), 4 * words.size()));
  return result;
}

void check(const Program &program) {
  for (uint64_t seed = 0; seed < program.seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::vector<uint32_t> words;
    LaunchResult result = launch(program, seed, words);
    for (const Finding &finding : result.findings)
      ADD_FAILURE() << finding.text();
    ASSERT_GE(words.size(), 2u) << textOf(program);
    for (unsigned i = 0; i + 2 < words.size(); ++i)
      ASSERT_EQ(words[i], program.expected(i)) << "thread " << i << "\n"
                                               << textOf(program);
    if (program.marks >= 0) {
      ASSERT_EQ(
          result.counters.warpInstructions[unsigned(InstructionClass::Float)],
          uint64_t(program.marks))
          << textOf(program);
    }
  }
}

//===----------------------------------------------------------------------===//
// bra
//===----------------------------------------------------------------------===//

TEST(PTXControl, NestedBranches) {
  // Three levels by the bits of the lane, with a mark behind each join.
  std::string body = "  mov.u32 %v, 0;\n";
  for (int bit : {1, 2, 4})
    body += "  and.b32 %r" + std::to_string(bit) + ", %lane, " +
            std::to_string(bit) + ";\n  setp.ne.u32 %p" + std::to_string(bit) +
            ", %r" + std::to_string(bit) + ", 0;\n";
  unsigned label = 0;
  std::function<std::string(int)> nest = [&](int bit) -> std::string {
    if (bit == 8)
      return "";
    std::string n = std::to_string(label++), b = std::to_string(bit);
    return "  @%p" + b + " bra T" + n + ";\n" + nest(2 * bit) +
           "  mad.lo.u32 %v, %v, 3, " + b + ";\n  bra J" + n + ";\nT" + n +
           ":\n" + nest(2 * bit) + "  mad.lo.u32 %v, %v, 5, 1;\nJ" + n + ":\n" +
           mark;
  };
  Program program{body + nest(1)};
  program.expected = [](unsigned t) {
    uint32_t v = 0;
    for (unsigned bit : {4u, 2u, 1u})
      v = t & bit ? v * 5 + 1 : v * 3 + bit;
    return v;
  };
  program.marks = 2 * (1 + 2 + 4);
  check(program);
}

TEST(PTXControl, LoopsOfEachLane) {
  // Collatz: the number of steps, of lane + 1.
  auto steps = [](unsigned t) {
    uint32_t n = t % 32 + 1, count = 0;
    for (; n != 1; ++count)
      n = n % 2 ? 3 * n + 1 : n / 2;
    return count;
  };
  Program program{R"(
  add.u32 %r2, %lane, 1;
  mov.u32 %v, 0;
LOOP:
  setp.eq.u32 %p0, %r2, 1;
  @%p0 bra DONE;
  and.b32 %r3, %r2, 1;
  setp.eq.u32 %p1, %r3, 0;
  @%p1 bra EVEN;
  mad.lo.u32 %r2, %r2, 3, 1;
  bra NEXT;
EVEN:
  shr.u32 %r2, %r2, 1;
NEXT:
  add.u32 %v, %v, 1;
  bra LOOP;
DONE:
)" + mark};
  program.expected = steps;
  program.marks = 2;
  check(program);
  // The lanes meet in each round too.
  program.body.insert(program.body.find("  add.u32 %v, %v, 1;"), mark);
  uint32_t most = 0;
  for (unsigned t = 0; t < 32; ++t)
    most = std::max(most, steps(t));
  program.marks = 2 * (most + 1);
  check(program);
}

TEST(PTXControl, BreakAndContinue) {
  Program program{R"(
  mov.u32 %v, 0;
  mov.u32 %r2, 0;
LOOP:
  setp.ge.u32 %p0, %r2, 20;
  @%p0 bra DONE;
  rem.u32 %r3, %r2, 3;
  rem.u32 %r4, %lane, 3;
  setp.eq.u32 %p1, %r3, %r4;
  @%p1 bra CONTINUE;
  setp.gt.u32 %p2, %r2, %lane;
  @%p2 bra DONE;
  mad.lo.u32 %v, %v, 7, %r2;
CONTINUE:
)" + mark + R"(
  add.u32 %r2, %r2, 1;
  bra LOOP;
DONE:
)" + mark};
  program.expected = [](unsigned t) {
    uint32_t lane = t % 32, v = 0;
    for (uint32_t i = 0; i < 20; ++i) {
      if (i % 3 == lane % 3)
        continue;
      if (i > lane)
        break;
      v = v * 7 + i;
    }
    return v;
  };
  program.marks = 2 * (20 + 1);
  check(program);
}

TEST(PTXControl, LanesThatWaitForALongLoopMeetTheOthers) {
  Program program{R"(
  mov.u32 %v, 0;
  setp.lt.u32 %p0, %lane, 16;
  @!%p0 bra DONE;
LOOP:
  add.u32 %v, %v, 1;
  setp.lt.u32 %p1, %v, 3000;
  @%p1 bra LOOP;
DONE:
)" + mark};
  program.expected = [](unsigned t) { return t % 32 < 16 ? 3000u : 0u; };
  program.marks = 2;
  check(program);
}
TEST(PTXControl, NestedLoopsThatAreLeftFromWithin) {
  // Out of both loops at once, to one of two places.
  Program program{R"(
  mov.u32 %v, 0;
  mov.u32 %r2, 0;
OUTER:
  mov.u32 %r3, 0;
INNER:
  add.u32 %v, %v, 1;
  mad.lo.u32 %r4, %r2, 8, %r3;
  setp.eq.u32 %p0, %r4, %lane;
  @%p0 bra FOUND;
  add.u32 %r3, %r3, 1;
  setp.lt.u32 %p1, %r3, 5;
  @%p1 bra INNER;
  add.u32 %r2, %r2, 1;
  setp.lt.u32 %p2, %r2, 3;
  @%p2 bra OUTER;
  add.u32 %v, %v, 1000;
  bra DONE;
FOUND:
  add.u32 %v, %v, 500;
DONE:
)" + mark};
  program.expected = [](unsigned t) {
    uint32_t lane = t % 32, v = 0;
    for (uint32_t i = 0; i < 3; ++i)
      for (uint32_t j = 0; j < 5; ++j) {
        ++v;
        if (i * 8 + j == lane)
          return v + 500;
      }
    return v + 1000;
  };
  program.marks = 2;
  check(program);
}

TEST(PTXControl, IrreducibleLoops) {
  // Odd lanes enter in the middle.
  Program program{R"(
  mov.u32 %v, %lane;
  mov.u32 %r2, 0;
  and.b32 %r3, %lane, 1;
  setp.ne.u32 %p0, %r3, 0;
  @%p0 bra SECOND;
FIRST:
  mad.lo.u32 %v, %v, 3, 1;
  add.u32 %r2, %r2, 1;
  setp.gt.u32 %p1, %r2, %lane;
  @%p1 bra DONE;
SECOND:
  mad.lo.u32 %v, %v, 5, 2;
  add.u32 %r2, %r2, 2;
  setp.le.u32 %p2, %r2, %lane;
  @%p2 bra FIRST;
DONE:
)" + mark};
  program.expected = [](unsigned t) {
    uint32_t lane = t % 32, v = lane, n = 0;
    for (bool second = lane & 1;; second = !second) {
      v = second ? v * 5 + 2 : v * 3 + 1;
      n += second ? 2 : 1;
      if (n > lane)
        return v;
    }
  };
  program.marks = 2;
  check(program);
}

TEST(PTXControl, UniformBranches) {
  Program program{R"(
  setp.lt.u32 %p0, %thread, 32;
  @%p0 bra.uni LOW;
  mov.u32 %v, 2;
  bra.uni JOIN;
LOW:
  mov.u32 %v, 1;
JOIN:
)" + mark};
  program.expected = [](unsigned t) { return t < 32 ? 1 : 2; };
  program.marks = 2;
  check(program);
}

TEST(PTXControl, TheOrderOfTheTextDoesNotMatter) {
  // All orders of the blocks of: if and else, a loop behind the join, the end.
  // Where the mark stands the warp is whole.
  const std::vector<std::string> blocks = {
      R"(THEN:
  mad.lo.u32 %v, %lane, 3, 1;
  bra JOIN;
)",
      R"(ELSE:
  mad.lo.u32 %v, %lane, 2, 100;
  bra JOIN;
)",
      "JOIN:\n" + mark + R"(
  mov.u32 %r2, 0;
  bra HEAD;
)",
      R"(HEAD:
  setp.ge.u32 %p1, %r2, %r3;
  @%p1 bra LAST;
  bra BODY;
)",
      R"(BODY:
  add.u32 %v, %v, %r2;
  add.u32 %r2, %r2, 1;
  bra HEAD;
)",
      "LAST:\n" + mark + "  bra END;\n"};
  std::vector<unsigned> order(blocks.size());
  std::iota(order.begin(), order.end(), 0u);
  do {
    Program program{R"(
  rem.u32 %r3, %lane, 5;
  and.b32 %r4, %lane, 4;
  setp.eq.u32 %p0, %r4, 0;
  @%p0 bra THEN;
  bra ELSE;
)"};
    for (unsigned i : order)
      program.body += blocks[i];
    program.body += "END:\n";
    program.seeds = 1;
    program.expected = [](unsigned t) {
      uint32_t lane = t % 32, v = lane & 4 ? lane * 2 + 100 : lane * 3 + 1;
      for (uint32_t i = 0; i < lane % 5; ++i)
        v += i;
      return v;
    };
    program.marks = 2 * 2;
    check(program);
  } while (std::next_permutation(order.begin(), order.end()) && !HasFailure());
}

//===----------------------------------------------------------------------===//
// brx.idx
//===----------------------------------------------------------------------===//

std::string switchOf(const std::string &index, const std::string &guard = "") {
  return R"(
  mov.u32 %v, 7;
  )" + index +
         R"(
  targets: .branchtargets CASE0, CASE1, CASE2, CASE1, CASE4;
  )" + guard +
         R"(brx.idx %r2, targets;
  add.u32 %v, %v, 1000;
  bra JOIN;
CASE2:
  add.u32 %v, %v, 20;
  bra JOIN;
CASE0:
  mov.u32 %v, 1;
CASE1:
  add.u32 %v, %v, 10;
  bra JOIN;
CASE4:
  mul.lo.u32 %v, %v, %lane;
JOIN:
)" + mark;
}

uint32_t switchResult(unsigned lane, unsigned index) {
  uint32_t v = 7;
  switch (index) {
  case 2:
    return v + 20;
  case 0:
    v = 1;
    [[fallthrough]];
  case 1:
  case 3:
    return v + 10;
  default:
    return v * lane;
  }
}

TEST(PTXControl, Switches) {
  Program program{switchOf("rem.u32 %r2, %lane, 5;")};
  program.expected = [](unsigned t) {
    return switchResult(t % 32, t % 32 % 5);
  };
  program.marks = 2;
  check(program);
  // Whole warps to one place.
  program.body = switchOf("shr.u32 %r2, %thread, 5;\n  add.u32 %r2, %r2, 2;");
  program.expected = [](unsigned t) {
    return switchResult(t % 32, t / 32 + 2);
  };
  check(program);
}

TEST(PTXControl, SwitchesOfSomeLanes) {
  // The index of the others is outside, and does not matter.
  Program program{
      switchOf("setp.lt.u32 %p0, %lane, 13;\n  rem.u32 %r2, %lane, 5;\n"
               "  @!%p0 mov.u32 %r2, 99;",
               "@%p0 ")};
  program.expected = [](unsigned t) {
    uint32_t lane = t % 32;
    return lane < 13 ? switchResult(lane, lane % 5) : 1007;
  };
  program.marks = 2;
  check(program);
}

TEST(PTXControl, SwitchesHaveBounds) {
  Program program{switchOf("mov.u32 %r2, 2;\n  setp.eq.u32 %p0, %lane, 9;\n"
                           "  @%p0 mov.u32 %r2, 5;")};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<uint32_t> words;
    LaunchResult result = launch(program, seed, words);
    ASSERT_EQ(result.findings.size(), 1u);
    EXPECT_EQ(result.findings[0].kind, FindingKind::InvalidOperand);
    EXPECT_EQ(result.findings[0].lane, 9);
    EXPECT_THAT(result.findings[0].message,
                HasSubstr("an index below 5, found 5"));
  }
}

//===----------------------------------------------------------------------===//
// exit, ret
//===----------------------------------------------------------------------===//

TEST(PTXControl, LanesThatLeave) {
  for (const char *leave : {"ret;", "exit;"}) {
    Program program{std::string(R"(
  mov.u32 %v, 0;
  setp.lt.u32 %p0, %lane, 9;
  @%p0 )") + leave + R"(
LOOP:
  add.u32 %v, %v, 2;
  setp.eq.u32 %p1, %v, 10;
  setp.lt.and.u32 %p1, %lane, 15, %p1;
  @%p1 )" + leave + mark +
                    R"(
  setp.lt.u32 %p2, %v, %lane;
  @%p2 bra LOOP;
)"};
    program.expected = [](unsigned t) -> uint32_t {
      uint32_t lane = t % 32, v = 0;
      if (lane < 9)
        return untouched;
      do {
        v += 2;
        if (v == 10 && lane < 15)
          return untouched;
      } while (v < lane);
      return v;
    };
    // Lane 31 goes round sixteen times.
    program.marks = 2 * 16;
    check(program);
  }
}

//===----------------------------------------------------------------------===//
// call
//===----------------------------------------------------------------------===//

const std::string functions = R"(
.func (.reg .u32 %result) twice(.reg .u32 %x)
{
  add.u32 %result, %x, %x;
  ret;
}
.func (.reg .u32 %result) plus(.reg .u32 %x)
{
  add.u32 %result, %x, 100;
  ret;
}
.func (.reg .u32 %result) early(.reg .u32 %x)
{
  .reg .pred %p0;
  mov.u32 %result, 5;
  setp.lt.u32 %p0, %x, 10;
  @%p0 ret;
  mul.lo.u32 %result, %x, %x;
  setp.gt.u32 %p0, %x, 20;
  @%p0 bra MORE;
  ret;
MORE:
  add.u32 %result, %result, 1;
  ret;
}
.func (.reg .u32 %result) leaves(.reg .u32 %x)
{
  .reg .pred %p0;
  setp.lt.u32 %p0, %x, 10;
  @%p0 exit;
  mov.u32 %result, %x;
  ret;
}
)";

TEST(PTXControl, CallsOfSomeLanes) {
  Program program{R"(
  mov.u32 %v, 1;
  setp.lt.u32 %p0, %lane, 11;
  @%p0 call (%v), twice, (%lane);
)" + mark,
                  functions};
  program.expected = [](unsigned t) { return t % 32 < 11 ? 2 * (t % 32) : 1; };
  program.marks = 2;
  check(program);
}

TEST(PTXControl, CallsOfTwoFunctions) {
  Program program{R"(
  and.b32 %r2, %lane, 1;
  setp.ne.u32 %p0, %r2, 0;
  @%p0 bra ODD;
  call (%v), twice, (%lane);
  bra JOIN;
ODD:
  call (%v), plus, (%lane);
JOIN:
)" + mark,
                  functions};
  program.expected = [](unsigned t) {
    return t & 1 ? t % 32 + 100 : t % 32 * 2;
  };
  program.marks = 2;
  check(program);
}

TEST(PTXControl, EarlyReturns) {
  Program program{"  call (%v), early, (%lane);\n" + mark, functions};
  program.expected = [](unsigned t) -> uint32_t {
    uint32_t x = t % 32;
    return x < 10 ? 5 : x > 20 ? x * x + 1 : x * x;
  };
  program.marks = 2;
  check(program);
}

TEST(PTXControl, ExitsOfFunctions) {
  Program program{"  call (%v), leaves, (%lane);\n" + mark, functions};
  program.expected = [](unsigned t) {
    return t % 32 < 10 ? untouched : t % 32;
  };
  program.marks = 2;
  check(program);
}

TEST(PTXControl, CallsInLoopsOfEachLane) {
  Program program{R"(
  mov.u32 %v, 0;
  mov.u32 %r2, 0;
LOOP:
  call (%r3), early, (%r2);
  add.u32 %v, %v, %r3;
  add.u32 %r2, %r2, 1;
  setp.le.u32 %p0, %r2, %lane;
  @%p0 bra LOOP;
)" + mark,
                  functions};
  program.expected = [](unsigned t) {
    uint32_t v = 0;
    for (uint32_t x = 0; x <= t % 32; ++x)
      v += x < 10 ? 5 : x > 20 ? x * x + 1 : x * x;
    return v;
  };
  program.marks = 2;
  check(program);
}

const std::string pointers = R"(
  proto: .callprototype (.reg .u32 _) _ (.reg .u32 _);
  mov.u64 %a0, twice;
  mov.u64 %a1, plus;
  mov.u64 %a2, early;
  rem.u32 %r2, %lane, 3;
  setp.eq.u32 %p0, %r2, 0;
  setp.eq.u32 %p1, %r2, 1;
  selp.b64 %a3, %a1, %a2, %p1;
  selp.b64 %a3, %a0, %a3, %p0;
)";

uint32_t pointed(unsigned x) {
  return x % 3 == 0   ? 2 * x
         : x % 3 == 1 ? x + 100
         : x < 10     ? 5
                      : x * x + (x > 20);
}

TEST(PTXControl, FunctionPointersOfEachLane) {
  Program program{pointers + "  call (%v), %a3, (%lane), proto;\n" + mark,
                  functions};
  program.expected = [](unsigned t) { return pointed(t % 32); };
  program.marks = 2;
  check(program);
  program.body = pointers + R"(
  mov.u32 %v, 3;
  setp.gt.u32 %p2, %lane, 6;
  @%p2 call (%v), %a3, (%lane), proto;
)" + mark;
  program.expected = [](unsigned t) {
    return t % 32 > 6 ? pointed(t % 32) : 3;
  };
  check(program);
}

TEST(PTXControl, FunctionPointersInMemory) {
  Program program{R"(
  proto: .callprototype (.reg .u32 _) _ (.reg .u32 _);
  rem.u32 %r2, %thread, 3;
  mov.u64 %a0, calls;
  mul.wide.u32 %a1, %r2, 8;
  add.u64 %a0, %a0, %a1;
  ld.global.u64 %a2, [%a0];
  call (%v), %a2, (%lane), proto;
)" + mark,
                  functions +
                      ".global .u64 calls[3] = {twice, plus, early};\n"};
  program.expected = [](unsigned t) -> uint32_t {
    uint32_t x = t % 32;
    return t % 3 == 0   ? 2 * x
           : t % 3 == 1 ? x + 100
           : x < 10     ? 5
                        : x * x + (x > 20);
  };
  program.marks = 2;
  check(program);
}

TEST(PTXControl, ACallOfWhatIsNoFunction) {
  Program program{pointers + R"(
  setp.eq.u32 %p2, %lane, 4;
  @%p2 mov.u64 %a3, 12345;
  call (%v), %a3, (%lane), proto;
)",
                  functions};
  for (uint64_t seed = 0; seed < 5; ++seed) {
    std::vector<uint32_t> words;
    LaunchResult result = launch(program, seed, words);
    ASSERT_EQ(result.findings.size(), 1u);
    EXPECT_EQ(result.findings[0].kind, FindingKind::Trap);
    EXPECT_EQ(result.findings[0].lane, 4);
  }
}

const std::string recursive = R"(
.func (.param .b32 result) sum(.param .b32 value)
{
  .local .align 4 .b8 own[8];
  .reg .u32 %n, %m, %r;
  .reg .pred %p;
  ld.param.u32 %n, [value];
  st.local.u32 [own+4], %n;
  mov.u32 %r, 0;
  setp.eq.u32 %p, %n, 0;
  @%p bra DONE;
  sub.u32 %m, %n, 1;
  {
    .param .b32 in;
    .param .b32 back;
    st.param.b32 [in], %m;
    call.uni (back), sum, (in);
    ld.param.b32 %r, [back];
  }
  ld.local.u32 %m, [own+4];
  add.u32 %r, %r, %m;
DONE:
  st.param.b32 [result], %r;
  ret;
}
)";

TEST(PTXControl, RecursionWithLocalVariables) {
  // Each lane to its own depth, each depth with its own variable.
  Program program{R"(
  {
    .param .b32 in;
    .param .b32 back;
    st.param.b32 [in], %lane;
    call (back), sum, (in);
    ld.param.b32 %v, [back];
  }
)" + mark,
                  recursive};
  program.expected = [](unsigned t) { return t % 32 * (t % 32 + 1) / 2; };
  program.marks = 2;
  check(program);
}

TEST(PTXControl, RecursionWithoutEnd) {
  std::string module = recursive;
  size_t at = module.find("  @%p bra DONE;\n");
  module.erase(at, 16);
  Program program{R"(
  {
    .param .b32 in;
    .param .b32 back;
    st.param.b32 [in], %lane;
    call (back), sum, (in);
    ld.param.b32 %v, [back];
  }
)",
                  module};
  std::vector<uint32_t> words;
  LaunchResult result = launch(program, 0, words);
  ASSERT_FALSE(result.findings.empty());
  EXPECT_EQ(result.findings[0].kind, FindingKind::NoProgress);
}

TEST(PTXControl, TwoCallsOfOneRecursion) {
  // Fibonacci, of which the first value lives across the second call.
  Program program{R"(
  and.b32 %r2, %lane, 7;
  call (%v), fib, (%r2);
)" + mark,
                  R"(
.func (.reg .u32 %result) fib(.reg .u32 %n)
{
  .reg .u32 %a, %b, %m;
  .reg .pred %p;
  mov.u32 %result, %n;
  setp.lt.u32 %p, %n, 2;
  @%p ret;
  sub.u32 %m, %n, 1;
  call (%a), fib, (%m);
  sub.u32 %m, %n, 2;
  call (%b), fib, (%m);
  add.u32 %result, %a, %b;
  ret;
}
)"};
  program.expected = [](unsigned t) {
    const uint32_t numbers[] = {0, 1, 1, 2, 3, 5, 8, 13};
    return numbers[t % 8];
  };
  program.marks = 2;
  check(program);
}

TEST(PTXControl, PointersToVariablesOfTheCaller) {
  Program program{R"(
  .local .align 4 .b8 own[8];
  mov.u32 %r2, 3;
  st.local.u32 [own], %r2;
  st.local.u32 [own+4], %lane;
  mov.u64 %a0, own;
  cvta.local.u64 %a0, %a0;
  call scale, (%a0);
  ld.local.u32 %v, [own];
)",
                  R"(
.func scale(.reg .u64 %x)
{
  .local .align 4 .b8 mine[4];
  .reg .u32 %a, %b;
  ld.u32 %a, [%x];
  ld.u32 %b, [%x+4];
  mul.lo.u32 %a, %a, %b;
  st.local.u32 [mine], %b;
  st.u32 [%x], %a;
  ret;
}
)"};
  program.expected = [](unsigned t) { return 3 * (t % 32); };
  check(program);
}

//===----------------------------------------------------------------------===//
// Lanes that wait for each other
//===----------------------------------------------------------------------===//

/// Each thread adds its number under a lock. The lock and the sum are behind
/// the words.
void checkLock(const std::string &take, unsigned threads, unsigned blocks,
               unsigned hostThreads = 1) {
  unsigned all = threads * blocks;
  Program program{"  mov.u32 %v, 1;\n  add.u64 %a0, %out, " +
                  std::to_string(4 * all) + ";\n  add.u64 %a1, %a0, 4;\n" +
                  take};
  program.threads = threads;
  program.blocks = blocks;
  program.hostThreads = hostThreads;
  program.maxInstructions = 20'000'000;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::vector<uint32_t> words;
    LaunchResult result = launch(program, seed, words);
    for (const Finding &finding : result.findings)
      ADD_FAILURE() << finding.text();
    ASSERT_EQ(words.size(), all + 2u);
    ASSERT_EQ(words[all], 0u);
    ASSERT_EQ(words[all + 1], all * (all - 1) / 2);
    for (unsigned i = 0; i < all; ++i)
      ASSERT_EQ(words[i], 1u);
  }
}

const std::string critical = R"(
  ld.global.u32 %r3, [%a1];
  add.u32 %r3, %r3, %index;
  st.global.u32 [%a1], %r3;
)";

/// Waits in a loop of its own, which a warp without progress of each lane would
/// not leave.
const std::string waiting = R"(
WAIT:
  atom.acquire.gpu.global.cas.b32 %r2, [%a0], 0, 1;
  setp.ne.u32 %p0, %r2, 0;
  @%p0 bra WAIT;
)" + critical + R"(
  atom.release.gpu.global.exch.b32 %r2, [%a0], 0;
)";
/// Tries once a round.
const std::string trying = R"(
TRY:
  atom.acquire.gpu.global.cas.b32 %r2, [%a0], 0, 1;
  setp.ne.u32 %p0, %r2, 0;
  @%p0 bra NEXT;
)" + critical + R"(
  st.release.gpu.global.u32 [%a0], 0;
NEXT:
  setp.ne.u32 %p0, %r2, 0;
  @%p0 bra TRY;
)";

TEST(PTXControl, LocksBetweenLanes) {
  checkLock(waiting, 32, 1);
  checkLock(trying, 32, 1);
}

TEST(PTXControl, LocksBetweenWarps) {
  checkLock(waiting, 96, 1);
  checkLock(trying, 96, 1);
}

TEST(PTXControl, LocksBetweenBlocks) {
  checkLock(waiting, 32, 3);
  checkLock(trying, 64, 2);
  checkLock(waiting, 32, 4, 2);
  checkLock(trying, 32, 4, 2);
}

TEST(PTXControl, LocksWithSleep) {
  std::string text = waiting;
  text.insert(text.find("  atom.acquire"), "  nanosleep.u32 20;\n");
  checkLock(text, 64, 2);
}

TEST(PTXControl, ALaneThatWaitsForAnotherOfItsWarp) {
  // Lane l waits for lane l + 1: the last of the warp begins.
  Program program{R"(
  add.u64 %a0, %out, 128;
WAIT:
  ld.acquire.gpu.global.u32 %r2, [%a0];
  add.u32 %r3, %r2, %lane;
  setp.ne.u32 %p0, %r3, 31;
  @%p0 bra WAIT;
  add.u32 %r4, %r2, 1;
  st.release.gpu.global.u32 [%a0], %r4;
  mov.u32 %v, %r2;
)"};
  program.threads = 32;
  program.expected = [](unsigned t) { return 31 - t; };
  check(program);
}

TEST(PTXControl, AWaitForNobodyIsFound) {
  Program program{R"(
  add.u64 %a0, %out, 256;
  mov.u32 %v, 0;
WAIT:
  ld.acquire.gpu.global.u32 %r2, [%a0];
  setp.eq.u32 %p0, %r2, 0;
  @%p0 bra WAIT;
)"};
  program.maxInstructions = 20'000;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    std::vector<uint32_t> words;
    LaunchResult result = launch(program, seed, words);
    ASSERT_EQ(result.findings.size(), 1u);
    EXPECT_EQ(result.findings[0].kind, FindingKind::NoProgress);
  }
}

TEST(PTXControl, EndlessRecursionIsFound) {
  // By its depth where a call takes little, by its memory where it takes much.
  for (const char *local : {"", "  .local .align 4 .b8 own[100000];\n"}) {
    Program program{"  mov.u32 %v, 0;\n  call again;\n"};
    program.module = ".func again();\n.func again()\n{\n" + std::string(local) +
                     "  call again;\n  ret;\n}\n";
    if (*local)
      program.module.insert(program.module.rfind("  call"),
                            "  st.local.u32 [own], 0;\n");
    std::vector<uint32_t> words;
    LaunchResult result = launch(program, 0, words);
    ASSERT_EQ(result.findings.size(), 1u);
    EXPECT_EQ(result.findings[0].kind, FindingKind::NoProgress);
    EXPECT_NE(result.findings[0].message.find("nested calls"),
              std::string::npos)
        << result.findings[0].message;
  }
}

TEST(PTXControl, RegistersBeyondMemoryAreRefused) {
  Program program{"  .reg .b64 %many<300000>;\n  mov.u32 %v, 0;\n"};
  std::vector<uint32_t> words;
  LaunchResult result = launch(program, 0, words);
  ASSERT_EQ(result.findings.size(), 1u);
  EXPECT_EQ(result.findings[0].kind, FindingKind::Launch);
  EXPECT_NE(result.findings[0].message.find("64 MiB of registers"),
            std::string::npos)
      << result.findings[0].message;
}

} // namespace
