//===- CountersTest.cpp - What launches count -----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each counter of a kernel that is small enough to count by hand.
//
//===----------------------------------------------------------------------===//

#include "InstructionTest.h"

#include <map>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;

namespace {

struct Launch {
  std::string body;
  unsigned threads = 32, blocks = 1;
  uint64_t seed = 0;
  unsigned hostThreads = 1;
  bool detectRaces = true;
};

/// Of a kernel that has %in and %out (zeros, aligned to 256 bytes) and %thread,
/// %lane. Its prologue is two ld.param, two mov; its end one ret.
Counters countersOf(const Launch &launch) {
  std::string text = R"(.version 8.0
.target sm_80
.address_size 64
.const .align 16 .b32 table[64];
.visible .entry test(.param .u64 in, .param .u64 out)
{
  .reg .u64 %in, %out, %a<8>;
  .reg .b32 %thread, %lane, %r<16>;
  .reg .f32 %f<8>;
  .reg .f64 %e<8>;
  .reg .pred %p<4>;
  .shared .align 128 .b8 tile[8192];
  .local .align 16 .b8 own[64];
  ld.param.u64 %in, [in];
  ld.param.u64 %out, [out];
  mov.u32 %thread, %tid.x;
  mov.u32 %lane, %laneid;
)" + launch.body + "\n  ret;\n}\n";
  std::vector<ParseError> errors;
  auto module = Module::parse(text, "test.ptx", errors);
  for (const ParseError &error : errors)
    ADD_FAILURE() << error.message << "\n  " << error.text;
  if (!module)
    return {};
  Device device;
  std::vector<uint8_t> zeros(65536);
  uint64_t in = device.allocate(zeros.size(), "in");
  uint64_t out = device.allocate(zeros.size(), "out");
  device.write(in, zeros.data(), zeros.size());
  device.write(out, zeros.data(), zeros.size());
  Parameters parameters;
  parameters.add(in).add(out);
  LaunchOptions options;
  options.grid = {launch.blocks};
  options.block = {launch.threads};
  options.seed = launch.seed;
  options.hostThreads = launch.hostThreads;
  options.detectRaces = launch.detectRaces;
  LaunchResult result = device.launch(module, "test", parameters, options);
  for (const Finding &finding : result.findings)
    ADD_FAILURE() << finding.text() << launch.body;
  return result.counters;
}

Counters countersOf(const std::string &body, unsigned threads = 32) {
  Launch launch;
  launch.body = body;
  launch.threads = threads;
  return countersOf(launch);
}

uint64_t warps(const Counters &c, InstructionClass cls) {
  return c.warpInstructions[unsigned(cls)];
}
uint64_t threads(const Counters &c, InstructionClass cls) {
  return c.threadInstructions[unsigned(cls)];
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

TEST(PTXCounters, Prologue) {
  Counters c = countersOf("", 33);
  EXPECT_EQ(warps(c, InstructionClass::Memory), 4u);
  EXPECT_EQ(warps(c, InstructionClass::Move), 4u);
  EXPECT_EQ(warps(c, InstructionClass::Control), 2u);
  EXPECT_EQ(c.totalWarpInstructions(), 10u);
  EXPECT_EQ(threads(c, InstructionClass::Memory), 66u);
  EXPECT_EQ(threads(c, InstructionClass::Control), 33u);
  EXPECT_EQ(c.parameter.readBytes, 33u * 16);
  EXPECT_EQ(c.global.readBytes + c.shared.readBytes + c.local.readBytes, 0u);
}

TEST(PTXCounters, Classes) {
  const struct {
    InstructionClass cls;
    const char *instruction;
  } table[] = {
      {InstructionClass::Integer, "add.u32 %r0, %lane, 1;"},
      {InstructionClass::Float, "add.f32 %f0, 0f3f800000, 0f3f800000;"},
      {InstructionClass::Convert, "cvt.u64.u32 %a0, %lane;"},
      {InstructionClass::Logic, "xor.b32 %r0, %lane, 1;"},
      {InstructionClass::Logic, "setp.eq.u32 %p0, %lane, 1;"},
      {InstructionClass::Move, "mov.u32 %r0, %lane;"},
      {InstructionClass::Control, "bra NEXT;\nNEXT:"},
      {InstructionClass::Memory, "ld.global.u32 %r0, [%in];"},
      {InstructionClass::Memory, "fence.acq_rel.gpu;"},
      {InstructionClass::Atomic, "red.global.add.u32 [%out], 1;"},
      {InstructionClass::Atomic, "atom.global.add.u32 %r0, [%out], 1;"},
      {InstructionClass::WarpSync, "bar.warp.sync -1;"},
      {InstructionClass::WarpSync, "shfl.sync.idx.b32 %r0, %lane, 0, 31, -1;"},
      {InstructionClass::Barrier, "bar.sync 0;"},
      {InstructionClass::Tensor,
       "movmatrix.sync.aligned.m8n8.trans.b16 %r0, %lane;"},
      {InstructionClass::Async, "cp.async.wait_all;"}};
  Counters nothing = countersOf("", 96);
  for (const auto &entry : table) {
    SCOPED_TRACE(entry.instruction);
    Counters c = countersOf(std::string("  ") + entry.instruction, 96);
    for (unsigned i = 0; i < numInstructionClasses; ++i) {
      unsigned own = i == unsigned(entry.cls);
      EXPECT_EQ(c.warpInstructions[i], nothing.warpInstructions[i] + 3 * own)
          << instructionClassName(InstructionClass(i));
      EXPECT_EQ(c.threadInstructions[i],
                nothing.threadInstructions[i] + 96 * own)
          << instructionClassName(InstructionClass(i));
    }
  }
}

TEST(PTXCounters, GuardsAndBranches) {
  // 5 lanes of 32; no lane; 5 by a branch, which the others jump over.
  Counters c = countersOf(R"(
  setp.lt.u32 %p0, %lane, 5;
  setp.gt.u32 %p1, %lane, 50;
  @%p0 add.u32 %r0, %lane, 1;
  @%p1 add.u32 %r0, %lane, 1;
  @!%p0 bra SKIP;
  add.u32 %r0, %lane, 1;
SKIP:
  add.u32 %r0, %lane, 1;
)");
  EXPECT_EQ(warps(c, InstructionClass::Integer), 4u);
  EXPECT_EQ(threads(c, InstructionClass::Integer), 5u + 0 + 5 + 32);
  EXPECT_EQ(warps(c, InstructionClass::Control), 2u);
  EXPECT_EQ(threads(c, InstructionClass::Control), 27u + 32);
}

TEST(PTXCounters, LoopsOfDifferentLengths) {
  // Lane l goes round l + 1 times.
  Counters c = countersOf(R"(
  mov.u32 %r0, 0;
LOOP:
  add.u32 %r0, %r0, 1;
  setp.le.u32 %p0, %r0, %lane;
  @%p0 bra LOOP;
  add.f32 %f0, 0f3f800000, 0f3f800000;
)");
  EXPECT_EQ(warps(c, InstructionClass::Integer), 32u);
  EXPECT_EQ(threads(c, InstructionClass::Integer), 32u * 33 / 2);
  EXPECT_EQ(warps(c, InstructionClass::Float), 1u);
  EXPECT_EQ(threads(c, InstructionClass::Float), 32u);
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

struct Bytes {
  const char *body;
  uint64_t read, written;
};

void checkBytes(Counters::Traffic Counters::*space,
                std::initializer_list<Bytes> table) {
  for (const Bytes &entry : table) {
    SCOPED_TRACE(entry.body);
    Counters c = countersOf(
        "  mul.wide.u32 %a0, %lane, 16;\n  add.u64 %a1, %in, %a0;\n"
        "  add.u64 %a2, %out, %a0;\n  mov.u32 %r0, tile;\n"
        "  mad.lo.u32 %r0, %lane, 16, %r0;\n  mov.u32 %r1, 0;\n"
        "  setp.lt.u32 %p0, %lane, 3;\n  st.shared.v4.u32 [%r0], {%r1, %r1, "
        "%r1, %r1};\n  " +
        std::string(entry.body));
    // The store above is part of what shared memory counts.
    uint64_t before = space == &Counters::shared ? 512 : 0;
    EXPECT_EQ((c.*space).readBytes, entry.read);
    EXPECT_EQ((c.*space).writtenBytes, entry.written + before);
  }
}

TEST(PTXCounters, BytesOfGlobalMemory) {
  checkBytes(&Counters::global,
             {{"ld.global.u8 %r2, [%a1];", 32, 0},
              {"ld.global.u16 %r2, [%a1];", 64, 0},
              {"ld.global.u32 %r2, [%a1];", 128, 0},
              {"ld.global.u64 %a3, [%a1];", 256, 0},
              {"ld.global.v2.u32 {%r2, %r3}, [%a1];", 256, 0},
              {"ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%a1];", 512, 0},
              {"ld.global.v4.u8 {%r2, %r3, %r4, %r5}, [%a1];", 128, 0},
              {"ld.u32 %r2, [%a1];", 128, 0},
              {"@%p0 ld.global.u32 %r2, [%a1];", 12, 0},
              {"st.global.u32 [%a2], %r1;", 0, 128},
              {"st.global.v2.u64 [%a2], {%a1, %a1};", 0, 512},
              {"@%p0 st.global.u16 [%a2], %r1;", 0, 6},
              {"atom.global.add.u32 %r2, [%a2], 1;", 128, 128},
              {"@%p0 red.global.max.u64 [%a2], %a1;", 24, 24},
              {"prefetch.global.L2 [%a1];", 0, 0},
              {"cp.async.cg.shared.global [%r0], [%a1], 16;\n"
               "  cp.async.wait_all;",
               512, 0},
              {"cp.async.cg.shared.global [%r0], [%a1], 16, 5;\n"
               "  cp.async.wait_all;",
               160, 0}});
}

TEST(PTXCounters, BytesOfSharedMemory) {
  checkBytes(&Counters::shared,
             {{"ld.shared.u8 %r2, [%r0];", 32, 0},
              {"ld.shared.v4.u32 {%r2, %r3, %r4, %r5}, [%r0];", 512, 0},
              {"@%p0 ld.shared.u64 %a3, [%r0];", 24, 0},
              {"st.shared.u16 [%r0], %r1;", 0, 64},
              {"atom.shared.add.u32 %r2, [%r0], 1;", 128, 128},
              {"cvt.u64.u32 %a3, %r0;\n  cvta.shared.u64 %a3, %a3;\n"
               "  ld.u32 %r2, [%a3];",
               128, 0},
              {"cp.async.ca.shared.global [%r0], [%a1], 8;\n"
               "  cp.async.wait_all;",
               0, 256},
              {"cp.async.ca.shared.global [%r0], [%a1], 8, 0;\n"
               "  cp.async.wait_all;",
               0, 256}});
}

TEST(PTXCounters, BytesOfOtherMemory) {
  checkBytes(&Counters::local,
             {{"st.local.u32 [own], %r1;\n  ld.local.u16 %r2, [own];", 64, 128},
              {"@%p0 st.local.v4.u32 [own], {%r1, %r1, %r1, %r1};", 0, 48}});
  checkBytes(&Counters::constant,
             {{"ld.const.u32 %r2, [table];", 128, 0},
              {"ld.const.v2.u32 {%r2, %r3}, [table+8];", 256, 0}});
  checkBytes(&Counters::parameter,
             {{"ld.param.u32 %r2, [in];", 512 + 128, 0},
              {"@%p0 ld.param.u64 %a3, [out];", 512 + 24, 0}});
}

TEST(PTXCounters, BytesOfCopies) {
  auto bytes = [](const std::string &copy) {
    return countersOf("  mul.wide.u32 %a0, %lane, 16;\n"
                      "  add.u64 %a1, %in, %a0;\n  mov.u32 %r0, tile;\n"
                      "  mad.lo.u32 %r0, %lane, 16, %r0;\n"
                      "  setp.lt.u32 %p0, %lane, 3;\n  " +
                      copy + "\n  cp.async.wait_all;\n")
        .asyncBytes;
  };
  EXPECT_EQ(bytes("cp.async.cg.shared.global [%r0], [%a1], 16;"), 512u);
  EXPECT_EQ(bytes("cp.async.ca.shared.global [%r0], [%a1], 4;"), 128u);
  EXPECT_EQ(bytes("@%p0 cp.async.ca.shared.global [%r0], [%a1], 4;"), 12u);
  EXPECT_EQ(bytes("cp.async.ca.shared.global [%r0], [%a1], 16, 3;"), 96u);
  EXPECT_EQ(bytes("cp.async.ca.shared.global [%r0], [%a1], 16, %p0;"), 464u);
  EXPECT_EQ(bytes("ld.global.u32 %r2, [%a1];"), 0u);
}

//===----------------------------------------------------------------------===//
// Sectors
//===----------------------------------------------------------------------===//

TEST(PTXCounters, Sectors) {
  const struct {
    /// Gives %r0, the offset; then the access of [%a1].
    const char *offset, *access;
    uint64_t sectors, ideal;
  } table[] = {
      {"shl.b32 %r0, %lane, 2;", "ld.global.u32 %r1, [%a1];", 4, 4},
      {"shl.b32 %r0, %lane, 2;", "st.global.u32 [%a1], 0;", 4, 4},
      {"mov.u32 %r0, %lane;", "ld.global.u8 %r1, [%a1];", 1, 1},
      {"shl.b32 %r0, %lane, 1;", "ld.global.u16 %r1, [%a1];", 2, 2},
      {"shl.b32 %r0, %lane, 3;", "ld.global.u64 %a2, [%a1];", 8, 8},
      {"shl.b32 %r0, %lane, 4;",
       "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%a1];", 16, 16},
      // Every second word, every fourth, every eighth.
      {"shl.b32 %r0, %lane, 3;", "ld.global.u32 %r1, [%a1];", 8, 4},
      {"shl.b32 %r0, %lane, 4;", "ld.global.u32 %r1, [%a1];", 16, 4},
      {"shl.b32 %r0, %lane, 5;", "ld.global.u32 %r1, [%a1];", 32, 4},
      {"shl.b32 %r0, %lane, 9;", "ld.global.u32 %r1, [%a1];", 32, 4},
      // 16 bytes behind the beginning of a sector.
      {"mad.lo.u32 %r0, %lane, 4, 16;", "ld.global.u32 %r1, [%a1];", 5, 4},
      {"mad.lo.u32 %r0, %lane, 1, 31;", "ld.global.u8 %r1, [%a1];", 2, 1},
      // The order of lanes does not matter.
      {"xor.b32 %r0, %lane, 21;\n  shl.b32 %r0, %r0, 2;",
       "ld.global.u32 %r1, [%a1];", 4, 4},
      // All lanes the same, two words, and one lane.
      {"mov.u32 %r0, 64;", "ld.global.u32 %r1, [%a1];", 1, 1},
      {"and.b32 %r0, %lane, 1;\n  shl.b32 %r0, %r0, 5;",
       "ld.global.u32 %r1, [%a1];", 2, 1},
      {"shl.b32 %r0, %lane, 5;\n  setp.eq.u32 %p0, %lane, 9;",
       "@%p0 ld.global.u32 %r1, [%a1];", 1, 1},
      // 9 lanes are 36 bytes.
      {"shl.b32 %r0, %lane, 2;\n  setp.lt.u32 %p0, %lane, 9;",
       "@%p0 ld.global.u32 %r1, [%a1];", 2, 2},
      {"mov.u32 %r0, 0;", "red.global.add.u32 [%a1], 1;", 1, 1},
      {"shl.b32 %r0, %lane, 5;", "atom.global.add.u32 %r1, [%a1], 1;", 32, 4},
      {"shl.b32 %r0, %lane, 4;\n  mov.u32 %r5, tile;\n"
       "  add.u32 %r5, %r5, %r0;",
       "cp.async.cg.shared.global [%r5], [%a1], 16;\n  cp.async.wait_all;", 16,
       16}};
  for (const auto &entry : table) {
    SCOPED_TRACE(std::string(entry.offset) + " " + entry.access);
    // What is stored or added is zero or on zeros, from one block.
    bool sums =
        std::string(entry.access).find("global.add") != std::string::npos;
    bool stores = std::string(entry.access).find("st.") == 0;
    Counters c = countersOf(std::string("  ") + entry.offset +
                            "\n  cvt.u64.u32 %a0, %r0;\n  add.u64 %a1, " +
                            (sums || stores ? "%out" : "%in") + ", %a0;\n  " +
                            entry.access + "\n");
    EXPECT_EQ(c.globalRequests, 1u);
    EXPECT_EQ(c.globalSectors, entry.sectors);
    EXPECT_EQ(c.globalSectorsIdeal, entry.ideal);
  }
}

TEST(PTXCounters, AnAccessThatNoLaneMakesIsNoRequest) {
  Counters c = countersOf("  setp.gt.u32 %p0, %lane, 40;\n"
                          "  @%p0 ld.global.u32 %r0, [%in];\n"
                          "  @%p0 ld.shared.u32 %r0, [tile];\n");
  EXPECT_EQ(c.globalRequests, 0u);
  EXPECT_EQ(c.globalSectors, 0u);
  EXPECT_EQ(c.sharedRequests, 0u);
  EXPECT_EQ(c.sharedWavefronts, 0u);
}

//===----------------------------------------------------------------------===//
// Banks
//===----------------------------------------------------------------------===//

/// Of a store of `bytes` per lane, `stride` bytes apart.
void expectBanks(unsigned bytes, unsigned stride, uint64_t wavefronts,
                 uint64_t conflicts) {
  SCOPED_TRACE(std::to_string(bytes) + " bytes, stride " +
               std::to_string(stride));
  static const std::map<unsigned, std::string> accesses = {
      {1, "st.shared.u8 [%r0], 0;"},
      {2, "st.shared.u16 [%r0], 0;"},
      {4, "st.shared.u32 [%r0], 0;"},
      {8, "st.shared.u64 [%r0], 0;"},
      {16, "st.shared.v4.u32 [%r0], {0, 0, 0, 0};"}};
  Launch launch;
  launch.body = "  mov.u32 %r0, tile;\n  mad.lo.u32 %r0, %lane, " +
                std::to_string(stride) + ", %r0;\n  " + accesses.at(bytes);
  // Lanes may write the same word here.
  launch.detectRaces = false;
  Counters c = countersOf(launch);
  EXPECT_EQ(c.sharedRequests, 1u);
  EXPECT_EQ(c.sharedWavefronts, wavefronts);
  EXPECT_EQ(c.sharedBankConflicts, conflicts);
}

TEST(PTXCounters, BanksOfWords) {
  expectBanks(4, 0, 1, 0);
  expectBanks(4, 4 * 1, 1, 0);
  expectBanks(4, 4 * 2, 2, 1);
  expectBanks(4, 4 * 3, 1, 0);
  expectBanks(4, 4 * 4, 4, 3);
  expectBanks(4, 4 * 8, 8, 7);
  expectBanks(4, 4 * 16, 16, 15);
  expectBanks(4, 4 * 32, 32, 31);
  expectBanks(4, 4 * 33, 1, 0);
  expectBanks(4, 4 * 34, 2, 1);
}

TEST(PTXCounters, BanksOfBytes) {
  // Lanes of one word are served together.
  expectBanks(1, 0, 1, 0);
  expectBanks(1, 1, 1, 0);
  expectBanks(1, 4, 1, 0);
  expectBanks(1, 128, 32, 31);
  expectBanks(2, 2, 1, 0);
  expectBanks(2, 6, 2, 1);
  expectBanks(2, 64, 16, 15);
}

TEST(PTXCounters, BanksOfWideAccesses) {
  // Half warps of 8 bytes, quarters of 16.
  expectBanks(8, 0, 2, 0);
  expectBanks(8, 8, 2, 0);
  expectBanks(8, 16, 4, 2);
  expectBanks(8, 24, 2, 0);
  expectBanks(8, 64, 16, 14);
  expectBanks(8, 128, 32, 30);
  expectBanks(8, 136, 2, 0);
  expectBanks(16, 0, 4, 0);
  expectBanks(16, 16, 4, 0);
  expectBanks(16, 32, 8, 4);
  expectBanks(16, 48, 4, 0);
  expectBanks(16, 64, 16, 12);
  expectBanks(16, 128, 32, 28);
  expectBanks(16, 144, 4, 0);
}

TEST(PTXCounters, BanksOfLoads) {
  // A word for all, and two words of one bank.
  std::string start = "  mov.u32 %r1, tile;\n  mad.lo.u32 %r0, %lane, 128, "
                      "%r1;\n  st.shared.u32 [%r0], 0;\n  bar.sync 0;\n";
  Counters one = countersOf(start + "  ld.shared.u32 %r2, [tile];\n");
  EXPECT_EQ(one.sharedRequests, 2u);
  EXPECT_EQ(one.sharedWavefronts, 32u + 1);
  Counters two = countersOf(start + "  and.b32 %r3, %lane, 1;\n"
                                    "  mad.lo.u32 %r3, %r3, 128, %r1;\n"
                                    "  ld.shared.u32 %r2, [%r3];\n");
  EXPECT_EQ(two.sharedWavefronts, 32u + 2);
  EXPECT_EQ(two.sharedBankConflicts, 31u + 1);
  // Of 4 lanes, those that are there are what conflicts.
  Counters four = countersOf(start + "  setp.lt.u32 %p0, %lane, 4;\n"
                                     "  @%p0 ld.shared.u32 %r2, [%r0];\n");
  EXPECT_EQ(four.sharedWavefronts, 32u + 4);
  EXPECT_EQ(four.sharedBankConflicts, 31u + 3);
}

TEST(PTXCounters, BanksOfMatrices) {
  // 8 rows of 16 bytes each: contiguous, in rows of 128 bytes, and of 144.
  for (unsigned matrices : {1u, 2u, 4u})
    for (auto [stride, passes] : {std::pair<unsigned, uint64_t>{16, 1},
                                  {32, 2},
                                  {64, 4},
                                  {128, 8},
                                  {144, 1}}) {
      SCOPED_TRACE(std::to_string(matrices) + " matrices, stride " +
                   std::to_string(stride));
      std::string results = matrices == 1   ? "{%r2}"
                            : matrices == 2 ? "{%r2, %r3}"
                                            : "{%r2, %r3, %r4, %r5}";
      Counters c = countersOf(
          "  mov.u32 %r0, tile;\n  mad.lo.u32 %r0, %lane, " +
          std::to_string(stride) + ", %r0;\n  ldmatrix.sync.aligned.m8n8.x" +
          std::to_string(matrices) + ".shared.b16 " + results + ", [%r0];\n");
      EXPECT_EQ(c.sharedRequests, 1u);
      EXPECT_EQ(c.sharedWavefronts, matrices * passes);
      EXPECT_EQ(c.sharedBankConflicts, matrices * (passes - 1));
      EXPECT_EQ(c.shared.readBytes, matrices * 128u);
      EXPECT_EQ(warps(c, InstructionClass::Tensor), 1u);
    }
}

//===----------------------------------------------------------------------===//
// Tensor cores, barriers
//===----------------------------------------------------------------------===//

TEST(PTXCounters, TensorFlops) {
  const struct {
    const char *instruction;
    uint64_t f16, bf16, tf32, f64;
  } table[] = {
      {"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0, %f1, %f2, %f3},"
       " {%r0, %r0, %r0, %r0}, {%r0, %r0}, {%f4, %f4, %f4, %f4};",
       4096, 0, 0, 0},
      {"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f0, %f1, %f2, %f3},"
       " {%r0, %r0}, {%r0}, {%f4, %f4, %f4, %f4};",
       2048, 0, 0, 0},
      {"mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%r1, %r2},"
       " {%r0, %r0, %r0, %r0}, {%r0, %r0}, {%r0, %r0};",
       4096, 0, 0, 0},
      {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0, %f1, %f2, "
       "%f3}, {%r0, %r0, %r0, %r0}, {%r0, %r0}, {%f4, %f4, %f4, %f4};",
       0, 4096, 0, 0},
      {"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f0, %f1, %f2, "
       "%f3}, {%r0, %r0, %r0, %r0}, {%r0, %r0}, {%f4, %f4, %f4, %f4};",
       0, 0, 2048, 0},
      {"mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 {%f0, %f1, %f2, "
       "%f3}, {%r0, %r0}, {%r0}, {%f4, %f4, %f4, %f4};",
       0, 0, 1024, 0},
      {"mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%e0, %e1}, {%e2}, "
       "{%e2}, {%e2, %e2};",
       0, 0, 0, 512}};
  for (const auto &entry : table) {
    SCOPED_TRACE(entry.instruction);
    Counters c = countersOf("  mov.u32 %r0, 0;\n  mov.f32 %f4, 0f00000000;\n"
                            "  mov.f64 %e2, 0d0000000000000000;\n  " +
                                std::string(entry.instruction),
                            96);
    EXPECT_EQ(c.tensorFlops.f16, 3 * entry.f16);
    EXPECT_EQ(c.tensorFlops.bf16, 3 * entry.bf16);
    EXPECT_EQ(c.tensorFlops.tf32, 3 * entry.tf32);
    EXPECT_EQ(c.tensorFlops.f64, 3 * entry.f64);
    EXPECT_EQ(warps(c, InstructionClass::Tensor), 3u);
  }
}

TEST(PTXCounters, BarrierWaits) {
  EXPECT_EQ(countersOf("  bar.sync 0;\n  bar.sync 0;\n  bar.sync 1;\n", 128)
                .barrierWaits,
            12u);
  EXPECT_EQ(countersOf("  setp.eq.u32 %p0, %lane, 3;\n"
                       "  bar.red.popc.u32 %r0, 0, %p0;\n",
                       96)
                .barrierWaits,
            3u);
  EXPECT_EQ(countersOf("  bar.warp.sync -1;\n", 96).barrierWaits, 0u);
  // Warp 0 arrives, warp 1 waits.
  Counters c = countersOf("  setp.lt.u32 %p0, %thread, 32;\n"
                          "  @%p0 bra FIRST;\n  bar.sync 1, 64;\n  bra DONE;\n"
                          "FIRST:\n  bar.arrive 1, 64;\nDONE:\n",
                          64);
  EXPECT_EQ(c.barrierWaits, 1u);
  EXPECT_EQ(warps(c, InstructionClass::Barrier), 2u);
  // Half of a warp reads memory for long, and so comes later than the other.
  c = countersOf("  mov.u32 %r0, 0;\n  setp.lt.u32 %p0, %lane, 16;\n"
                 "  @!%p0 bra DONE;\nLOOP:\n"
                 "  ld.volatile.global.u32 %r1, [%in];\n"
                 "  add.u32 %r0, %r0, 1;\n  setp.lt.u32 %p1, %r0, 40;\n"
                 "  @%p1 bra LOOP;\nDONE:\n  bar.sync 0;\n",
                 64);
  EXPECT_EQ(c.barrierWaits, 2u);
  EXPECT_EQ(warps(c, InstructionClass::Barrier), 2u);
  EXPECT_EQ(threads(c, InstructionClass::Barrier), 64u);
}

//===----------------------------------------------------------------------===//
// Seeds
//===----------------------------------------------------------------------===//

TEST(PTXCounters, AreTheSameForEverySeed) {
  Launch launch;
  launch.threads = 80;
  launch.blocks = 6;
  launch.body = R"(
  mov.u32 %r1, tile;
  mad.lo.u32 %r0, %thread, 4, %r1;
  mul.wide.u32 %a0, %thread, 4;
  add.u64 %a1, %in, %a0;
  cp.async.ca.shared.global [%r0], [%a1], 4;
  cp.async.commit_group;
  mov.u32 %r2, 0;
LOOP:
  add.u32 %r2, %r2, 3;
  and.b32 %r3, %r2, 4;
  setp.eq.u32 %p0, %r3, 0;
  @%p0 bra EVEN;
  mul.lo.u32 %r4, %r2, 5;
  red.shared.add.u32 [tile+4096], 0;
  bra JOIN;
EVEN:
  red.global.add.u32 [%out], %r2;
JOIN:
  setp.lt.u32 %p1, %r2, %thread;
  @%p1 bra LOOP;
  cp.async.wait_all;
  bar.sync 0;
  xor.b32 %r5, %thread, 1;
  mad.lo.u32 %r5, %r5, 4, %r1;
  ld.shared.u32 %r6, [%r5];
)";
  // The word that is counted into has to hold something.
  launch.body = "  setp.ne.u32 %p2, %thread, 0;\n"
                "  @!%p2 st.shared.u32 [tile+4096], 0;\n  bar.sync 1;\n" +
                launch.body;
  std::string first = countersOf(launch).json();
  EXPECT_NE(first.find("\"global\""), std::string::npos);
  for (unsigned host : {1u, 2u})
    for (bool races : {true, false})
      for (uint64_t seed = 0; seed < 20; ++seed) {
        launch.seed = seed;
        launch.hostThreads = host;
        launch.detectRaces = races;
        EXPECT_EQ(countersOf(launch).json(), first)
            << "seed " << seed << ", " << host << " threads";
      }
  EXPECT_EQ(countersOf(launch).barrierWaits, 6u * 3 * 2);
  EXPECT_EQ(countersOf(launch).asyncBytes, 6u * 80 * 4);
}

TEST(PTXCounters, AddUp) {
  Launch launch;
  launch.body = "  ld.global.u32 %r0, [%in];\n  bar.sync 0;\n";
  Counters one = countersOf(launch), sum = one;
  sum.add(one);
  sum.add(one);
  launch.blocks = 3;
  EXPECT_EQ(countersOf(launch).json(), sum.json());
  EXPECT_EQ(sum.globalSectors, 3u);
}

} // namespace
