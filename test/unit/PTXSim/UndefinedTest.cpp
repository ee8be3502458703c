//===- UndefinedTest.cpp - Bits that nothing wrote ------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which bits of a result depend on bits that were never written, bit by bit,
// and where they are reported. A bit of a result depends on a bit of an operand
// if two values of that bit give two results.
//
//===----------------------------------------------------------------------===//

#include "InstructionTest.h"

#include <gmock/gmock.h>

#include <algorithm>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;
using testing::HasSubstr;

namespace {

const std::string declarations = R"(
  .reg .u32 %d, %r<12>, %u, %x, %y, %z, %bit;
  .reg .u16 %h<4>;
  .reg .f32 %f<8>;
  .reg .pred %p<6>, %up;
  .reg .u64 %a<6>, %w, %uw;
  .shared .align 16 .b8 tile[1024];
  .shared .align 16 .b8 sink[64];
)";

/// Loads `reg` with a value of which whole bytes were never written: those of
/// `undefined`.
std::string partial(const std::string &reg, uint32_t value,
                    uint32_t undefined) {
  static const char *const places[] = {"%x", "%y", "%z"};
  size_t place = std::find(places, places + 3, reg) - places;
  std::string text;
  std::string base = "tile+" + std::to_string(16 * place);
  for (unsigned byte = 0; byte < 4; ++byte)
    if (!(undefined >> (8 * byte) & 0xff))
      text += "  st.shared.u8 [" + base + "+" + std::to_string(byte) + "], " +
              std::to_string(value >> (8 * byte) & 0xff) + ";\n";
  return text + "  ld.shared.u32 " + reg + ", [" + base + "];\n";
}

Kernel kernelOf(const std::string &body) {
  Kernel kernel;
  kernel.body = declarations + body;
  kernel.outputBytes = 256;
  kernel.output.assign(256, 0);
  kernel.options.block = {1};
  kernel.options.maxFindings = 100;
  return kernel;
}

std::string lineOf(const std::string &text, unsigned line) {
  size_t from = 0;
  for (unsigned i = 1; i < line; ++i)
    from = text.find('\n', from) + 1;
  return text.substr(from, text.find('\n', from) - from);
}

/// The bits of %d that are undefined after `body`: each is stored by itself.
uint32_t undefinedBits(const std::string &body) {
  std::string stores;
  for (unsigned i = 0; i < 32; ++i)
    stores += "  and.b32 %bit, %d, " + std::to_string(uint32_t(1) << i) +
              ";\n  st.global.u32 [%out+" + std::to_string(4 * i) +
              "], %bit;\n";
  Kernel kernel = kernelOf(body + stores);
  std::string text = kernel.text();
  uint32_t bits = 0;
  for (const Finding &finding : findings(kernel)) {
    std::string line = lineOf(text, finding.line);
    size_t at = line.find("[%out+");
    if (finding.kind != FindingKind::UndefinedValue ||
        at == std::string::npos) {
      ADD_FAILURE() << finding.text() << body;
      continue;
    }
    bits |= uint32_t(1) << (std::stoul(line.substr(at + 6)) / 4);
  }
  return bits;
}

#define EXPECT_BITS(body, expected)                                            \
  EXPECT_EQ(undefinedBits(body), uint32_t(expected)) << std::hex << (body)

/// The first finding is this kind of use, at the line with the text `at`.
void expectUse(const Kernel &kernel, const std::string &at,
               const std::string &message) {
  std::string text = kernel.text();
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Kernel copy = kernel;
    copy.options.seed = seed;
    std::vector<Finding> found = findings(copy);
    ASSERT_FALSE(found.empty()) << kernel.body;
    EXPECT_EQ(found[0].kind, FindingKind::UndefinedValue) << found[0].text();
    EXPECT_THAT(found[0].instruction, HasSubstr(at));
    EXPECT_THAT(found[0].message, HasSubstr(message));
    EXPECT_THAT(lineOf(text, found[0].line), HasSubstr(at));
  }
}

void expectNone(const Kernel &kernel) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Kernel copy = kernel;
    copy.options.seed = seed;
    for (const Finding &finding : findings(copy))
      ADD_FAILURE() << finding.text() << kernel.body;
  }
}

//===----------------------------------------------------------------------===//
// Operations on bits
//===----------------------------------------------------------------------===//

TEST(PTXUndefined, Copies) {
  for (uint32_t mask : {0u, 0xffu, 0xff00u, 0xff0000ffu, 0xffffffffu}) {
    EXPECT_BITS(partial("%x", 0x12345678, mask) + "  mov.b32 %d, %x;\n", mask);
    EXPECT_BITS(partial("%x", 0x12345678, mask) + "  not.b32 %d, %x;\n", mask);
  }
  EXPECT_BITS("  mov.u32 %d, %u;\n", 0xffffffff);
}

TEST(PTXUndefined, AndOrXorOfOneOperand) {
  for (uint32_t mask : {0xffu, 0xff00u, 0xff0000ffu, 0xffffffffu})
    for (uint32_t other : {0u, 0xffffffffu, 0x0ff0a55au, 0x80000001u}) {
      std::string start = partial("%x", 0x12345678, mask);
      std::string rest = ", %x, " + std::to_string(other) + ";\n";
      std::string swapped = "  mov.u32 %r0, " + std::to_string(other) + ";\n";
      EXPECT_BITS(start + "  and.b32 %d" + rest, mask & other);
      EXPECT_BITS(start + "  or.b32 %d" + rest, mask & ~other);
      EXPECT_BITS(start + "  xor.b32 %d" + rest, mask);
      EXPECT_BITS(start + swapped + "  and.b32 %d, %r0, %x;\n", mask & other);
      EXPECT_BITS(start + swapped + "  or.b32 %d, %r0, %x;\n", mask & ~other);
    }
}

TEST(PTXUndefined, AndOrXorOfTwoOperands) {
  // Byte 0: both undefined; 1: x is, y is 0x0f; 2: y is, x is 0xf0; 3: neither.
  std::string start = partial("%x", 0x12f05678, 0x0000ffff) +
                      partial("%y", 0x9abc0f00, 0xff00ff);
  EXPECT_BITS(start + "  and.b32 %d, %x, %y;\n", 0x00f00fff);
  EXPECT_BITS(start + "  or.b32 %d, %x, %y;\n", 0x000ff0ff);
  EXPECT_BITS(start + "  xor.b32 %d, %x, %y;\n", 0x00ffffff);
}

TEST(PTXUndefined, Shifts) {
  uint32_t mask = 0x00ff0000;
  std::string start = partial("%x", 0x80005678, mask);
  EXPECT_BITS(start + "  shl.b32 %d, %x, 4;\n", 0x0ff00000);
  EXPECT_BITS(start + "  shl.b32 %d, %x, 12;\n", 0xf0000000);
  EXPECT_BITS(start + "  shl.b32 %d, %x, 32;\n", 0);
  EXPECT_BITS(start + "  shr.u32 %d, %x, 20;\n", 0x0000000f);
  EXPECT_BITS(start + "  shr.s32 %d, %x, 20;\n", 0x0000000f);
  EXPECT_BITS(start + "  shr.u32 %d, %x, 40;\n", 0);
  // The sign is what fills.
  start = partial("%x", 0x00345678, 0xff000000);
  EXPECT_BITS(start + "  shr.u32 %d, %x, 8;\n", 0x00ff0000);
  EXPECT_BITS(start + "  shr.s32 %d, %x, 8;\n", 0xffff0000);
  EXPECT_BITS(start + "  shr.s32 %d, %x, 31;\n", 0xffffffff);
  EXPECT_BITS(start + "  shr.s32 %d, %x, 99;\n", 0xffffffff);
}

TEST(PTXUndefined, FunnelShifts) {
  // The upper word is y, the lower x.
  std::string start =
      partial("%x", 0x11223344, 0xff000000) + partial("%y", 0x55667788, 0xff);
  uint64_t both = 0x000000ff'ff000000;
  EXPECT_BITS(start + "  shf.l.wrap.b32 %d, %x, %y, 12;\n", (both << 12) >> 32);
  EXPECT_BITS(start + "  shf.r.wrap.b32 %d, %x, %y, 12;\n", both >> 12);
  EXPECT_BITS(start + "  shf.l.wrap.b32 %d, %x, %y, 36;\n", (both << 4) >> 32);
  EXPECT_BITS(start + "  shf.l.clamp.b32 %d, %x, %y, 36;\n", 0xff000000);
  EXPECT_BITS(start + "  shf.r.clamp.b32 %d, %x, %y, 36;\n", 0x000000ff);
}

TEST(PTXUndefined, Lop3) {
  const uint32_t values[] = {0x12f0a55a, 0x9abc0f3c, 0x0ff01234};
  const uint32_t masks[] = {0x0000ffff, 0x00ff00ff, 0xff0000ff};
  std::string start = partial("%x", values[0], masks[0]) +
                      partial("%y", values[1], masks[1]) +
                      partial("%z", values[2], masks[2]);
  for (unsigned table : {0xc0u, 0xfcu, 0x96u, 0xe8u, 0xcau, 0xf0u, 0xaau, 0x80u,
                         0xfeu, 0x00u, 0xffu, 0x1bu}) {
    uint32_t expected = 0;
    for (unsigned i = 0; i < 32; ++i) {
      bool zero = false, one = false;
      for (unsigned choice = 0; choice < 8; ++choice) {
        unsigned index = 0;
        bool isPossible = true;
        for (unsigned k = 0; k < 3; ++k) {
          // The first operand is the highest bit of the index.
          unsigned bit = choice >> k & 1;
          index |= bit << (2 - k);
          if (!(masks[k] >> i & 1))
            isPossible &= bit == (values[k] >> i & 1);
        }
        if (isPossible)
          (table >> index & 1 ? one : zero) = true;
      }
      expected |= uint32_t(zero && one) << i;
    }
    EXPECT_BITS(start + "  lop3.b32 %d, %x, %y, %z, " + std::to_string(table) +
                    ";\n",
                expected);
  }
}

TEST(PTXUndefined, Permutations) {
  std::string start = partial("%x", 0x11223344, 0x0000ff00) +
                      partial("%y", 0x55667788, 0xff000000);
  // Bytes 1 and 7 are undefined.
  EXPECT_BITS(start + "  prmt.b32 %d, %x, %y, 0x7654;\n", 0xff000000);
  EXPECT_BITS(start + "  prmt.b32 %d, %x, %y, 0x1071;\n", 0xff00ffff);
  EXPECT_BITS(start + "  prmt.b32 %d, %x, %y, 0x0246;\n", 0);
  // The sign of an undefined byte.
  EXPECT_BITS(start + "  prmt.b32 %d, %x, %y, 0x0902;\n", 0x00ff0000);
  EXPECT_BITS(start + "  prmt.b32.b4e %d, %x, %y, 2;\n", 0xff00ff00);
}

TEST(PTXUndefined, Selections) {
  std::string start = partial("%x", 0x11223344, 0x0000ff00) +
                      "  mov.u32 %r0, 1;\n  setp.eq.u32 %p0, %r0, 1;\n";
  EXPECT_BITS(start + "  selp.b32 %d, %x, %r0, %p0;\n", 0xff00);
  EXPECT_BITS(start + "  selp.b32 %d, %r0, %x, %p0;\n", 0);
  EXPECT_BITS(start + "  selp.b32 %d, %r0, %u, !%p0;\n", 0xffffffff);
  EXPECT_BITS(start + "  mov.u32 %d, %r0;\n  @%p0 mov.u32 %d, %x;\n", 0xff00);
  EXPECT_BITS(start + "  mov.u32 %d, %x;\n  @%p0 mov.u32 %d, %r0;\n", 0);
}

TEST(PTXUndefined, PackAndUnpack) {
  std::string start = partial("%x", 0x11223344, 0x0000ff00) +
                      partial("%y", 0x55667788, 0xff000000);
  std::string pack = start + "  mov.b64 %w, {%x, %y};\n";
  EXPECT_BITS(pack + "  mov.b64 {%d, %r0}, %w;\n", 0xff00);
  EXPECT_BITS(pack + "  mov.b64 {%r0, %d}, %w;\n", 0xff000000);
  std::string halves = start + "  mov.b32 {%h0, %h1}, %x;\n";
  EXPECT_BITS(halves + "  mov.b32 %d, {%h0, %h1};\n", 0xff00);
  EXPECT_BITS(halves + "  mov.b32 %d, {%h1, %h0};\n", 0xff000000);
  EXPECT_BITS(halves + "  mov.b32 %d, {%h1, %h1};\n", 0);
}

TEST(PTXUndefined, Widening) {
  std::string start = partial("%x", 0x11223344, 0x0000ff00);
  EXPECT_BITS(start + "  cvt.u64.u32 %w, %x;\n  mov.b64 {%d, %r0}, %w;\n",
              0xff00);
  EXPECT_BITS(start + "  cvt.u64.u32 %w, %x;\n  mov.b64 {%r0, %d}, %w;\n", 0);
  EXPECT_BITS(start + "  cvt.s64.s32 %w, %x;\n  mov.b64 {%r0, %d}, %w;\n", 0);
  EXPECT_BITS(start + "  cvt.u16.u32 %h0, %x;\n  cvt.u32.u16 %d, %h0;\n",
              0xff00);
  EXPECT_BITS(start + "  cvt.u16.u32 %h0, %x;\n  cvt.s32.s16 %d, %h0;\n",
              0xffffff00);
  EXPECT_BITS(start + "  cvt.u32.u8 %d, %x;\n", 0);
  EXPECT_BITS(start + "  cvt.u32.u16 %d, %x;\n", 0xff00);
  std::string low = partial("%x", 0x11223344, 0x000000ff);
  EXPECT_BITS(low + "  cvt.s32.s8 %d, %x;\n", 0xffffffff);
  EXPECT_BITS(low + "  cvt.u32.u8 %d, %x;\n", 0xff);
  std::string high = partial("%x", 0x11223344, 0xff000000);
  EXPECT_BITS(high + "  cvt.s64.s32 %w, %x;\n  mov.b64 {%r0, %d}, %w;\n",
              0xffffffff);
}

TEST(PTXUndefined, Fields) {
  std::string start =
      partial("%x", 0x11223344, 0x0000ff00) + "  mov.u32 %r0, 7;\n";
  EXPECT_BITS(start + "  bfe.u32 %d, %x, 0, 8;\n", 0);
  EXPECT_BITS(start + "  bfe.u32 %d, %x, 4, 8;\n", 0x000000f0);
  // The highest bit of the field is the sign.
  EXPECT_BITS(start + "  bfe.s32 %d, %x, 0, 12;\n", 0xffffff00);
  EXPECT_BITS(start + "  bfe.s32 %d, %x, 4, 16;\n", 0x00000ff0);
  EXPECT_BITS(start + "  bfi.b32 %d, %x, %r0, 16, 12;\n", 0x0f000000);
  EXPECT_BITS(start + "  bfi.b32 %d, %x, %r0, 16, 8;\n", 0);
  EXPECT_BITS(start + "  bfi.b32 %d, %r0, %x, 20, 4;\n", 0x0000ff00);
  EXPECT_BITS(start + "  bfi.b32 %d, %r0, %x, 8, 8;\n", 0);
  EXPECT_BITS(start + "  bfi.b32 %d, %r0, %x, 12, 8;\n", 0x00000f00);
}

TEST(PTXUndefined, Predicates) {
  std::string start = "  setp.eq.u32 %p0, %lane, 0;\n";
  auto use = [&](const std::string &operation) {
    return kernelOf(start + "  " + operation + "\n  @%p1 bra DONE;\nDONE:\n");
  };
  expectNone(use("and.pred %p1, %up, !%p0;"));
  expectNone(use("or.pred %p1, %p0, %up;"));
  for (const char *operation :
       {"and.pred %p1, %up, %p0;", "or.pred %p1, %up, !%p0;",
        "xor.pred %p1, %up, %p0;", "not.pred %p1, %up;", "mov.pred %p1, %up;"})
    expectUse(use(operation), "bra DONE", "branch or guard");
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

TEST(PTXUndefined, PartsOfWordsInSharedMemory) {
  std::string start = partial("%x", 0x11223344, 0x00ffff00) +
                      "  st.shared.u32 [tile+64], %x;\n";
  EXPECT_BITS(start + "  ld.shared.u8 %d, [tile+64];\n", 0);
  EXPECT_BITS(start + "  ld.shared.u8 %d, [tile+65];\n", 0xff);
  EXPECT_BITS(start + "  ld.shared.s8 %d, [tile+66];\n", 0xffffffff);
  EXPECT_BITS(start + "  ld.shared.s8 %d, [tile+67];\n", 0);
  EXPECT_BITS(start + "  ld.shared.u16 %d, [tile+64];\n", 0xff00);
  EXPECT_BITS(start + "  ld.shared.u16 %d, [tile+66];\n", 0x00ff);
  EXPECT_BITS(start + "  st.shared.u16 [tile+65+1], 5;\n"
                      "  ld.shared.u32 %d, [tile+64];\n",
              0xff00);
  // What was defined becomes undefined again.
  EXPECT_BITS("  st.shared.u32 [tile+64], 1;\n" + start +
                  "  ld.shared.u32 %d, [tile+64];\n",
              0x00ffff00);
}

TEST(PTXUndefined, BitsOfSharedMemory) {
  EXPECT_BITS("  and.b32 %x, %u, 0x00000ff0;\n  st.shared.u32 [tile+64], %x;\n"
              "  ld.shared.u32 %d, [tile+64];\n",
              0x00000ff0);
}

TEST(PTXUndefined, VectorsInSharedMemory) {
  std::string start = partial("%x", 0x11223344, 0x0000ff00) +
                      partial("%y", 0x55667788, 0xff000000) +
                      "  mov.u32 %r0, 1;\n"
                      "  st.shared.v4.u32 [tile+64], {%x, %r0, %u, %y};\n"
                      "  ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [tile+64];\n";
  EXPECT_BITS(start + "  mov.u32 %d, %r1;\n", 0xff00);
  EXPECT_BITS(start + "  mov.u32 %d, %r2;\n", 0);
  EXPECT_BITS(start + "  mov.u32 %d, %r3;\n", 0xffffffff);
  EXPECT_BITS(start + "  mov.u32 %d, %r4;\n", 0xff000000);
}

TEST(PTXUndefined, LocalMemory) {
  std::string start = "  .local .align 4 .b8 own[16];\n" +
                      partial("%x", 0x11223344, 0x0000ff00) +
                      "  st.local.u32 [own], %x;\n  st.local.u8 [own+5], 1;\n";
  EXPECT_BITS(start + "  ld.local.u32 %d, [own];\n", 0xff00);
  EXPECT_BITS(start + "  ld.local.u32 %d, [own+4];\n", 0xffff00ff);
  EXPECT_BITS(start + "  ld.local.u32 %d, [own+8];\n", 0xffffffff);
}

TEST(PTXUndefined, ParametersOfFunctions) {
  std::string function = R"(
.func (.param .b32 result) pass(.param .b32 value)
{
  .reg .u32 %q;
  ld.param.u32 %q, [value];
  st.param.u32 [result], %q;
  ret;
}
.func (.reg .u32 %result) pass2(.reg .u32 %value)
{
  mov.u32 %result, %value;
  ret;
}
)";
  auto check = [&](const std::string &calls) {
    for (uint32_t mask : {0u, 0xff00u, 0xffffffffu}) {
      // A defined byte is all that the mask leaves to be stored.
      Kernel kernel = kernelOf(partial("%x", 0x11223344, mask) + calls +
                               "  and.b32 %d, %d, 0x00ff00ff;\n"
                               "  st.global.u32 [%out], %d;\n");
      kernel.module = function;
      if (mask == 0xffffffff)
        expectUse(kernel, "st.global", "store to global memory");
      else
        expectNone(kernel);
    }
  };
  check("  { .param .b32 p; .param .b32 q;\n  st.param.u32 [p], %x;\n"
        "  call.uni (q), pass, (p);\n  ld.param.u32 %d, [q]; }\n");
  check("  call (%d), pass2, (%x);\n");
}

TEST(PTXUndefined, GlobalMemory) {
  Kernel kernel = kernelOf(R"(
  ld.global.u32 %x, [%out+4];
  and.b32 %y, %x, 0x0000ffff;
  st.global.u32 [%out], %y;
  st.global.u32 [%out+8], %x;
)");
  kernel.output.resize(6);
  expectUse(kernel, "[%out+8], %x", "store to global memory");
  EXPECT_EQ(findings(kernel).size(), 1u);
  Finding finding = findings(kernel).at(0);
  ASSERT_FALSE(finding.notes.empty());
  EXPECT_THAT(finding.notes[0], HasSubstr("ld.global.u32 %x, [%out+4]"));
}

TEST(PTXUndefined, AtomicsOnMemoryThatWasNotWritten) {
  expectUse(kernelOf("  atom.shared.add.u32 %d, [tile], 1;\n"), "atom",
            "never written");
  expectNone(kernelOf("  atom.shared.exch.b32 %d, [tile], 1;\n"
                      "  atom.shared.add.u32 %r0, [tile], 1;\n"
                      "  st.global.u32 [%out], %r0;\n"));
  expectUse(kernelOf("  atom.shared.exch.b32 %d, [tile], 1;\n"
                     "  st.global.u32 [%out], %d;\n"),
            "st.global", "store to global memory");
}

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

/// Undefined in lane 5 only.
const std::string laneFive = R"(
  setp.ne.u32 %p0, %lane, 5;
  @%p0 mov.u32 %x, %lane;
  mul.wide.u32 %a0, %lane, 4;
  add.u64 %a0, %out, %a0;
)";

Kernel warpOf(const std::string &body) {
  Kernel kernel = kernelOf(laneFive + body);
  kernel.options.block = {32};
  return kernel;
}

TEST(PTXUndefined, ShufflesPassItToWhoReadsIt) {
  Kernel kernel = warpOf("  shfl.sync.bfly.b32 %d, %x, 9, 31, -1;\n"
                         "  st.global.u32 [%a0], %d;\n");
  expectUse(kernel, "st.global", "store to global memory");
  std::vector<Finding> found = findings(kernel);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].lane, 5 ^ 9);
  // Lane 5 is the only one that may not store it.
  expectNone(warpOf("  shfl.sync.bfly.b32 %d, %x, 9, 31, -1;\n"
                    "  setp.ne.u32 %p1, %lane, 12;\n"
                    "  @%p1 st.global.u32 [%a0], %d;\n"));
  expectNone(warpOf("  shfl.sync.idx.b32 %d, %x, 6, 31, -1;\n"
                    "  st.global.u32 [%a0], %d;\n"));
  expectUse(warpOf("  shfl.sync.idx.b32 %d, %lane, %x, 31, -1;\n"
                   "  st.global.u32 [%a0], %d;\n"),
            "shfl", "");
}

TEST(PTXUndefined, LanesThatDoNotUseIt) {
  expectNone(warpOf("  @%p0 add.u32 %d, %x, 1;\n"
                    "  @%p0 st.global.u32 [%a0], %d;\n"));
  expectNone(warpOf("  @!%p0 bra DONE;\n  setp.lt.u32 %p1, %x, 7;\n"
                    "  @%p1 bra DONE;\n  st.global.u32 [%a0], %x;\nDONE:\n"));
  Kernel kernel = warpOf("  st.global.u32 [%a0], %x;\n");
  expectUse(kernel, "st.global", "store to global memory");
  EXPECT_EQ(findings(kernel).at(0).lane, 5);
}

TEST(PTXUndefined, AValueThatIsWrittenLater) {
  expectNone(kernelOf(R"(
  mov.u32 %r0, 0;
LOOP:
  mov.u32 %d, %x;
  mov.u32 %x, %r0;
  add.u32 %r0, %r0, 1;
  setp.lt.u32 %p0, %r0, 3;
  @%p0 bra LOOP;
  st.global.u32 [%out], %d;
)"));
}

//===----------------------------------------------------------------------===//
// Uses
//===----------------------------------------------------------------------===//

struct Use {
  const char *body, *at, *message;
};

TEST(PTXUndefined, UsesOfArithmetic) {
  for (const Use &use : std::vector<Use>{
           {"add.u32 %d, %u, 1;", "add.u32", "as an operand"},
           {"add.u32 %d, 1, %u;", "add.u32", "as an operand"},
           {"mul.lo.u32 %d, %u, 0;", "mul.lo", "as an operand"},
           {"mad.lo.u32 %d, 1, 1, %u;", "mad.lo", "as an operand"},
           {"popc.b32 %d, %u;", "popc", "as an operand"},
           {"setp.eq.u32 %p0, %u, 0;", "setp", ""},
           {"mov.b32 %d, %u;\n  mov.b32 %r1, %d;\n  min.u32 %r2, %r1, %lane;",
            "min.u32", "as an operand"},
           {"cvt.rn.f32.u32 %f0, %u;", "cvt", "as an operand"}})
    expectUse(kernelOf(std::string("  ") + use.body + "\n"), use.at,
              use.message);
}

const std::vector<Use> effects = {
    {"st.global.u32 [%out], %u;", "st.global", "store to global memory"},
    {"st.u32 [%out], %u;", "st.u32", "store to global memory"},
    {"ld.global.u32 %d, [%uw];", "ld.global", "as an address"},
    {"st.global.u32 [%uw], 1;", "st.global", "as an address"},
    {"ld.shared.u32 %d, [%u];", "ld.shared", "as an address"},
    {"atom.global.add.u32 %d, [%uw], 1;", "atom", "as an address"},
    {"red.global.add.u32 [%out], %u;", "red", "as an operand"},
    {"@%up bra DONE;\nDONE:", "bra DONE", "branch or guard"},
    {"@%up mov.u32 %d, 1;", "mov.u32", "branch or guard"},
    {"@!%up bra DONE;\nDONE:", "bra DONE", "branch or guard"},
    {"ts: .branchtargets DONE;\n  brx.idx %u, ts;\nDONE:", "brx.idx",
     "index of a branch"},
    {"bar.sync %u;", "bar.sync", "barrier's number"},
    {"call (%d), %uw, (%lane), pt;", "call", "address of a function"}};

TEST(PTXUndefined, UsesThatHaveEffects) {
  for (UndefinedUse policy : {UndefinedUse::Arithmetic, UndefinedUse::Effects})
    for (const Use &use : effects) {
      Kernel kernel = kernelOf(
          std::string(
              "  pt: .callprototype (.reg .u32 _) _ (.reg .u32 _);\n  ") +
          use.body + "\n");
      kernel.options.undefinedUse = policy;
      expectUse(kernel, use.at, use.message);
    }
}

TEST(PTXUndefined, EffectsLetArithmeticPass) {
  const std::string arithmetic = R"(
  add.u32 %r1, %u, 1;
  mul.lo.u32 %r2, %r1, %r1;
  mad.lo.u32 %r3, %r2, 2, 3;
  popc.b32 %r4, %r3;
  cvt.rn.f32.u32 %f5, %r4;
  mul.f32 %f6, %f5, %f5;
  mov.b32 %r5, %f5;
  mov.b32 %r6, %f6;
  setp.lt.u32 %p0, %r4, 3;
)";
  auto effectsOnly = [&](const std::string &after) {
    Kernel kernel = kernelOf(arithmetic + after);
    kernel.options.undefinedUse = UndefinedUse::Effects;
    return kernel;
  };
  expectNone(effectsOnly("  st.shared.u32 [sink], %r6;\n"));
  for (const char *reg : {"%r1", "%r2", "%r3", "%r4", "%r5", "%r6"})
    expectUse(
        effectsOnly("  st.global.u32 [%out], " + std::string(reg) + ";\n"),
        "st.global", "store to global memory");
  expectUse(effectsOnly("  @%p0 bra DONE;\nDONE:\n"), "bra DONE", "branch");
  expectUse(effectsOnly("  ld.shared.u32 %d, [%r3];\n"), "ld.shared",
            "as an address");
  expectUse(effectsOnly("  selp.b32 %d, 1, 2, %p0;\n"
                        "  st.global.u32 [%out], %d;\n"),
            "", "");
  // The other policy reports the first of them.
  expectUse(kernelOf(arithmetic), "add.u32", "as an operand");
}

TEST(PTXUndefined, StoresToOtherMemoryAreNoUse) {
  expectNone(kernelOf("  .local .b32 own;\n  st.shared.u32 [sink], %u;\n"
                      "  st.local.u32 [own], %u;\n"));
}

TEST(PTXUndefined, NarrowStoresUseWhatTheyStore) {
  std::string start = partial("%x", 0x11223344, 0xffff0000);
  expectNone(kernelOf(start + "  st.global.u16 [%out], %x;\n"
                              "  st.global.u8 [%out+2], %x;\n"));
  expectUse(kernelOf(start + "  shr.u32 %x, %x, 8;\n"
                             "  st.global.u16 [%out], %x;\n"),
            "st.global", "store to global memory");
}

} // namespace
