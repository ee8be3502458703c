//===- InstructionBlockTest.cpp - Instructions of a block -----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sections "bar, barrier", "cp.async", "cp.async.commit_group",
// "cp.async.wait_group", "membar, fence" and the hints that change nothing.
//
//===----------------------------------------------------------------------===//

#include "InstructionTest.h"

#include <gmock/gmock.h>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;
using testing::HasSubstr;

namespace {

constexpr uint64_t manySeeds = 20;

const std::string declarations = R"(
  .reg .u32 %v, %r<12>;
  .reg .pred %p<6>;
  .reg .u64 %a<6>, %at;
)";
/// Stores %v of each thread.
const std::string storeWord = R"(
  mul.wide.u32 %at, %index, 4;
  add.u64 %at, %out, %at;
  st.global.u32 [%at], %v;
)";
const std::string tile = ".shared .align 16 .b8 tile[16384];\n";

Kernel kernelOf(const std::string &body, unsigned threads,
                unsigned blocks = 1) {
  Kernel kernel;
  kernel.module = tile;
  kernel.body = declarations + body + storeWord;
  kernel.outputBytes = size_t(4) * threads * blocks;
  kernel.options.grid = {blocks};
  kernel.options.block = {threads};
  // What goes wrong ends.
  kernel.options.maxInstructions = 5'000'000;
  return kernel;
}

void expectWords(Kernel kernel,
                 const std::function<uint32_t(unsigned)> &expected,
                 uint64_t seeds = manySeeds) {
  for (uint64_t seed = 0; seed < seeds && !testing::Test::HasFailure();
       ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    kernel.options.seed = seed;
    std::vector<uint32_t> words = valuesOf<uint32_t>(run(kernel));
    ASSERT_EQ(words.size(), kernel.outputBytes / 4) << kernel.body;
    for (unsigned i = 0; i < words.size(); ++i)
      ASSERT_EQ(words[i], expected(i)) << "word " << i << kernel.body;
  }
}

/// For every seed the first finding is of this kind, at an instruction that has
/// `at` in its text.
void expectFinding(Kernel kernel, FindingKind kind, const std::string &at,
                   const std::string &message, uint64_t seeds = manySeeds) {
  for (uint64_t seed = 0; seed < seeds && !testing::Test::HasFailure();
       ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    kernel.options.seed = seed;
    std::vector<Finding> found = findings(kernel);
    ASSERT_FALSE(found.empty()) << kernel.body;
    EXPECT_STREQ(findingName(found[0].kind), findingName(kind))
        << found[0].text();
    EXPECT_THAT(found[0].instruction, HasSubstr(at));
    EXPECT_THAT(found[0].message, HasSubstr(message));
  }
}

std::vector<uint8_t> someBytes(size_t count) {
  std::vector<uint8_t> bytes(count);
  for (size_t i = 0; i < count; ++i)
    bytes[i] = uint8_t(i * 37 + i / 256 * 11 + 5);
  return bytes;
}

//===----------------------------------------------------------------------===//
// bar.sync, barrier.sync
//===----------------------------------------------------------------------===//

/// Thread t gets from 127 - t what that has stored.
Kernel mirror(const std::string &barrier) {
  return kernelOf(R"(
  mov.u32 %r0, tile;
  mad.lo.u32 %r1, %thread, 4, %r0;
  mul.lo.u32 %r2, %thread, 3;
  mov.u32 %r9, 3;
  mov.u32 %r10, 128;
  st.shared.u32 [%r1], %r2;
  )" + barrier + R"(
  sub.u32 %r3, 127, %thread;
  mad.lo.u32 %r1, %r3, 4, %r0;
  ld.shared.u32 %v, [%r1];
)",
                  128);
}

TEST(PTXBlock, BarriersOrderSharedMemory) {
  for (const char *barrier :
       {"bar.sync 0;", "bar.cta.sync 0;", "bar.sync 15;", "bar.sync 0, 128;",
        "bar.sync %r9;", "bar.sync %r9, %r10;", "barrier.sync 0;",
        "barrier.cta.sync 7, 128;", "barrier.sync.aligned 0;",
        "barrier.cta.sync.aligned 15, 128;"})
    expectWords(mirror(barrier), [](unsigned t) { return (127 - t) * 3; });
}

TEST(PTXBlock, WithoutABarrierThereIsARace) {
  for (uint64_t seed = 0; seed < manySeeds; ++seed) {
    Kernel kernel = mirror("");
    kernel.options.seed = seed;
    unsigned races = 0;
    for (const Finding &finding : findings(kernel))
      races += finding.kind == FindingKind::DataRace;
    EXPECT_GE(races, 1u) << "seed " << seed;
  }
}

/// Even lanes come from one branch, odd lanes from another.
Kernel halves(const std::string &barrier) {
  return kernelOf(R"(
  mov.u32 %r0, tile;
  mad.lo.u32 %r1, %thread, 4, %r0;
  and.b32 %r2, %thread, 1;
  setp.ne.u32 %p0, %r2, 0;
  @%p0 bra ODD;
  st.shared.u32 [%r1], %thread;
  )" + barrier + R"(
  bra JOIN;
ODD:
  add.u32 %r4, %thread, 1000;
  st.shared.u32 [%r1], %r4;
  )" + barrier + R"(
JOIN:
  xor.b32 %r3, %thread, 33;
  mad.lo.u32 %r1, %r3, 4, %r0;
  ld.shared.u32 %v, [%r1];
)",
                  64);
}

TEST(PTXBlock, BarriersThatAreNotAlignedMayStandInBranches) {
  for (const char *barrier : {"barrier.sync 0;", "barrier.sync 3, 64;"})
    expectWords(halves(barrier), [](unsigned t) {
      unsigned from = t ^ 33;
      return from & 1 ? from + 1000 : from;
    });
}

TEST(PTXBlock, AlignedBarriersMayNotStandInBranches) {
  for (const char *barrier : {"bar.sync 0;", "barrier.sync.aligned 0;"})
    expectFinding(halves(barrier), FindingKind::BarrierMisuse, barrier,
                  "all lanes of the warp");
}

TEST(PTXBlock, AlignedBarriersMayNotBePredicatedPerLane) {
  expectFinding(kernelOf(R"(
  setp.lt.u32 %p0, %lane, 7;
  @%p0 bar.sync 0;
  mov.u32 %v, 0;
)",
                         32),
                FindingKind::BarrierMisuse, "bar.sync", "its predicate");
}

TEST(PTXBlock, ABarrierOfSomeLanesOfTwoWarps) {
  // 16 lanes of each warp make 32 threads; the others do not wait.
  expectWords(kernelOf(R"(
  mov.u32 %r0, tile;
  mad.lo.u32 %r1, %thread, 4, %r0;
  mov.u32 %v, 7;
  setp.ge.u32 %p0, %lane, 16;
  @%p0 bra DONE;
  st.shared.u32 [%r1], %thread;
  barrier.sync 1, 32;
  xor.b32 %r3, %thread, 32;
  mad.lo.u32 %r1, %r3, 4, %r0;
  ld.shared.u32 %v, [%r1];
DONE:
)",
                       64),
              [](unsigned t) { return t % 32 < 16 ? t ^ 32 : 7; });
}

TEST(PTXBlock, BarriersAreUsedAgain) {
  // Sums of a tree: each round needs its own completion.
  expectWords(kernelOf(R"(
  mov.u32 %r0, tile;
  mad.lo.u32 %r1, %thread, 4, %r0;
  st.shared.u32 [%r1], %thread;
  mov.u32 %r2, 64;
LOOP:
  bar.sync 0;
  setp.ge.u32 %p0, %thread, %r2;
  @%p0 bra SKIP;
  mad.lo.u32 %r3, %r2, 4, %r1;
  ld.shared.u32 %r4, [%r3];
  ld.shared.u32 %r5, [%r1];
  add.u32 %r5, %r5, %r4;
  st.shared.u32 [%r1], %r5;
SKIP:
  shr.u32 %r2, %r2, 1;
  setp.ne.u32 %p1, %r2, 0;
  @%p1 bra LOOP;
  bar.sync 0;
  ld.shared.u32 %v, [tile];
)",
                       128),
              [](unsigned) { return 127 * 128 / 2; });
}

TEST(PTXBlock, SixteenBarriersAreIndependent) {
  // Warps 2 b and 2 b + 1 meet at barrier b only.
  expectWords(
      kernelOf(R"(
  mov.u32 %r0, tile;
  mad.lo.u32 %r1, %thread, 4, %r0;
  shr.u32 %r2, %thread, 6;
  st.shared.u32 [%r1], %thread;
  bar.sync %r2, 64;
  xor.b32 %r3, %thread, 32;
  mad.lo.u32 %r1, %r3, 4, %r0;
  ld.shared.u32 %v, [%r1];
)",
               1024),
      [](unsigned t) { return t ^ 32; }, 5);
}

TEST(PTXBlock, ArrivalsAtSixteenBarriersArePending) {
  std::string arrives, syncs;
  for (int b = 0; b < 16; ++b) {
    arrives += "  bar.arrive " + std::to_string(b) + ", 64;\n";
    syncs += "  bar.sync " + std::to_string(15 - b) + ", 64;\n";
  }
  expectWords(kernelOf(R"(
  mov.u32 %v, 1;
  setp.ge.u32 %p0, %thread, 32;
  @%p0 bra WAIT;
  setp.eq.u32 %p1, %lane, 0;
  @%p1 st.shared.u32 [tile], 99;
)" + arrives + R"(
  bra DONE;
WAIT:
)" + syncs + R"(
  ld.shared.u32 %v, [tile];
DONE:
)",
                       64),
              [](unsigned t) { return t < 32 ? 1 : 99; });
}

TEST(PTXBlock, ADifferentBarrierDoesNotHelp) {
  expectFinding(kernelOf(R"(
  setp.ge.u32 %p0, %thread, 32;
  @%p0 bra OTHER;
  bar.sync 1, 64;
  bra DONE;
OTHER:
  bar.sync 2, 64;
DONE:
  mov.u32 %v, 0;
)",
                         64),
                FindingKind::Deadlock, "bar.sync", "no thread");
}

TEST(PTXBlock, NumbersOfThreadsMustAgree) {
  expectFinding(kernelOf(R"(
  mov.u32 %r0, 64;
  setp.ge.u32 %p0, %thread, 32;
  @%p0 mov.u32 %r0, 96;
  bar.sync 1, %r0;
  mov.u32 %v, 0;
)",
                         64),
                FindingKind::BarrierMisuse, "bar.sync", "that came first");
}

TEST(PTXBlock, NumbersOfThreadsAreWholeWarps) {
  expectFinding(kernelOf("  mov.u32 %r0, 48;\n  bar.sync 1, %r0;\n"
                         "  mov.u32 %v, 0;\n",
                         64),
                FindingKind::BarrierMisuse, "bar.sync", "multiple of 32");
}

//===----------------------------------------------------------------------===//
// Threads that exited
//===----------------------------------------------------------------------===//

/// Threads of at least `from` of `threads` leave before the barrier.
Kernel leavers(unsigned from, unsigned threads, const std::string &barrier) {
  Kernel kernel = kernelOf(R"(
  mov.u32 %r0, tile;
  mad.lo.u32 %r1, %thread, 4, %r0;
  st.shared.u32 [%r1], %thread;
  setp.ge.u32 %p0, %thread, )" +
                               std::to_string(from) + R"(;
  @%p0 exit;
  )" + barrier + R"(
  sub.u32 %r3, )" + std::to_string(from - 1) +
                               R"(, %thread;
  mad.lo.u32 %r1, %r3, 4, %r0;
  ld.shared.u32 %v, [%r1];
)",
                           threads);
  kernel.outputBytes = 4 * from;
  return kernel;
}

TEST(PTXBlock, BarriersDoNotWaitForThreadsThatExited) {
  for (const char *barrier : {"bar.sync 0;", "barrier.sync 0;"})
    for (unsigned from : {32u, 64u, 70u, 95u, 1u})
      expectWords(
          leavers(from, 128, barrier), [&](unsigned t) { return from - 1 - t; },
          10);
}

TEST(PTXBlock, BarriersOfAPartOfAWarp) {
  for (const char *barrier : {"bar.sync 0;", "barrier.sync 0;"})
    expectWords(leavers(40, 40, barrier), [](unsigned t) { return 39 - t; });
}

TEST(PTXBlock, BarriersWithACountWaitForThreadsThatExited) {
  expectFinding(leavers(64, 128, "bar.sync 0, 128;"), FindingKind::Deadlock,
                "bar.sync 0, 128", "no thread");
}

//===----------------------------------------------------------------------===//
// bar.arrive
//===----------------------------------------------------------------------===//

/// Warp 0 writes four values in turn, warp 1 sums them. `empty` is where the
/// consumer tells that a value was read, and `full` where the producer tells
/// that it was written.
Kernel producerConsumer(const std::string &arriveFull,
                        const std::string &waitFull,
                        const std::string &arriveEmpty,
                        const std::string &waitEmpty) {
  return kernelOf(R"(
  mov.u32 %r0, tile;
  mad.lo.u32 %r1, %lane, 4, %r0;
  mov.u32 %v, 0;
  mov.u32 %r2, 1;
  setp.ge.u32 %p0, %thread, 32;
  @%p0 bra CONSUME;
PRODUCE:
  mul.lo.u32 %r3, %r2, %thread;
  st.shared.u32 [%r1], %r3;
  )" + arriveFull + R"(
  )" + waitEmpty + R"(
  add.u32 %r2, %r2, 1;
  setp.le.u32 %p1, %r2, 4;
  @%p1 bra PRODUCE;
  bra DONE;
CONSUME:
  )" + waitFull + R"(
  ld.shared.u32 %r3, [%r1];
  add.u32 %v, %v, %r3;
  )" + arriveEmpty + R"(
  add.u32 %r2, %r2, 1;
  setp.le.u32 %p1, %r2, 4;
  @%p1 bra CONSUME;
DONE:
)",
                  64);
}

TEST(PTXBlock, ArriveAndSyncHandOver) {
  auto expected = [](unsigned t) { return t < 32 ? 0 : 10 * (t - 32); };
  expectWords(producerConsumer("bar.arrive 1, 64;", "bar.sync 1, 64;",
                               "bar.arrive 2, 64;", "bar.sync 2, 64;"),
              expected);
  expectWords(producerConsumer("barrier.arrive 1, 64;", "barrier.sync 1, 64;",
                               "barrier.cta.arrive.aligned 2, 64;",
                               "barrier.cta.sync.aligned 2, 64;"),
              expected);
}

TEST(PTXBlock, ArriveDoesNotOrderWhatComesAfterIt) {
  // Without the wait for `empty` the producer overwrites; it may also be two
  // rounds ahead at `full`.
  Kernel kernel =
      producerConsumer("bar.arrive 1, 64;", "bar.sync 1, 64;", "", "");
  for (uint64_t seed = 0; seed < manySeeds; ++seed) {
    kernel.options.seed = seed;
    unsigned right = 0;
    std::vector<Finding> found = findings(kernel);
    for (const Finding &finding : found)
      right += finding.kind == FindingKind::DataRace ||
               finding.kind == FindingKind::BarrierMisuse;
    EXPECT_GE(right, 1u) << "seed " << seed;
  }
}

TEST(PTXBlock, WithoutArriveTheOthersWaitForever) {
  expectFinding(producerConsumer("", "bar.sync 1, 64;", "bar.arrive 2, 64;",
                                 "bar.sync 2, 64;"),
                FindingKind::Deadlock, "bar.sync", "no thread");
}

//===----------------------------------------------------------------------===//
// bar.red
//===----------------------------------------------------------------------===//

struct Reduction {
  const char *condition; ///< Makes %p0, from %thread.
  uint32_t popc, popcOfNot;
};
/// Of 96 threads.
const Reduction reductions[] = {
    {"rem.u32 %r0, %thread, 3;\n  setp.eq.u32 %p0, %r0, 0;", 32, 64},
    {"setp.lt.u32 %p0, %thread, 96;", 96, 0},
    {"setp.ne.u32 %p0, %thread, 50;", 95, 1},
    {"setp.eq.u32 %p0, %thread, 77;", 1, 95},
    {"setp.gt.u32 %p0, %thread, 96;", 0, 96}};

TEST(PTXBlock, ReductionsCount) {
  for (const char *name : {"bar.red.popc.u32", "barrier.red.popc.u32",
                           "barrier.cta.red.popc.aligned.u32"})
    for (const char *count : {"", " 96,"})
      for (const Reduction &r : reductions)
        for (bool negated : {false, true})
          expectWords(
              kernelOf(std::string("  ") + r.condition + "\n  " + name +
                           " %v, 2," + count +
                           (negated ? " !%p0;\n" : " %p0;\n"),
                       96),
              [&](unsigned) { return negated ? r.popcOfNot : r.popc; }, 5);
}

TEST(PTXBlock, ReductionsOfAllAndAny) {
  for (const char *name : {"bar.red.", "barrier.red.", "barrier.cta.red."})
    for (bool isAnd : {false, true})
      for (const char *count : {"", " 96,"})
        for (const Reduction &r : reductions)
          for (bool negated : {false, true}) {
            uint32_t votes = negated ? r.popcOfNot : r.popc;
            uint32_t expected = isAnd ? votes == 96 : votes > 0;
            expectWords(
                kernelOf(std::string("  ") + r.condition + "\n  " + name +
                             (isAnd ? "and" : "or") + ".pred %p1, 1," + count +
                             (negated ? " !%p0;\n" : " %p0;\n") +
                             "  selp.u32 %v, 1, 0, %p1;\n",
                         96),
                [&](unsigned) { return expected; }, 3);
          }
}

TEST(PTXBlock, ReductionsOfSomeWarps) {
  // Warps 0 and 2 of 4; in 0, lanes below 10 vote for it, in 2 all.
  expectWords(kernelOf(R"(
  mov.u32 %v, 1000;
  shr.u32 %r0, %thread, 5;
  and.b32 %r1, %r0, 1;
  setp.ne.u32 %p1, %r1, 0;
  @%p1 bra DONE;
  setp.lt.u32 %p0, %lane, 10;
  setp.eq.or.u32 %p0, %r0, 2, %p0;
  bar.red.popc.u32 %v, 5, 64, %p0;
DONE:
)",
                       128),
              [](unsigned t) { return t / 32 % 2 ? 1000 : 42; });
}

TEST(PTXBlock, ReductionsDoNotCountThreadsThatExited) {
  Kernel kernel = kernelOf(R"(
  setp.ge.u32 %p0, %thread, 70;
  @%p0 exit;
  setp.ne.u32 %p1, %thread, 200;
  bar.red.and.pred %p2, 0, %p1;
  bar.red.popc.u32 %r0, 0, %p1;
  selp.u32 %v, %r0, 0, %p2;
)",
                           96);
  kernel.outputBytes = 4 * 70;
  expectWords(kernel, [](unsigned) { return 70; });
}

TEST(PTXBlock, ReductionsSynchronize) {
  expectWords(mirror("setp.eq.u32 %p0, %r9, 3;\n"
                     "  bar.red.popc.u32 %r8, 0, %p0;"),
              [](unsigned t) { return (127 - t) * 3; });
}

//===----------------------------------------------------------------------===//
// cp.async
//===----------------------------------------------------------------------===//

/// Each of 32 threads copies `size` bytes and each stores what it and all
/// others got, byte by byte.
Kernel copies(const std::string &copy, unsigned size,
              const std::string &wait = "cp.async.commit_group;\n"
                                        "  cp.async.wait_group 0;") {
  std::string text = std::to_string(size);
  Kernel kernel = kernelOf("", 32);
  kernel.body = declarations + R"(
  mov.u32 %r0, tile;
  mad.lo.u32 %r1, %lane, )" +
                text + R"(, %r0;
  mul.wide.u32 %a0, %lane, )" +
                text + R"(;
  add.u64 %a0, %in, %a0;
  )" + copy + "\n  " +
                wait + R"(
  bar.sync 0;
  mov.u32 %r3, %lane;
LOOP:
  add.u32 %r4, %r0, %r3;
  ld.shared.u8 %r5, [%r4];
  cvt.u64.u32 %a1, %r3;
  add.u64 %a1, %out, %a1;
  st.global.u8 [%a1], %r5;
  add.u32 %r3, %r3, 32;
  setp.lt.u32 %p0, %r3, )" +
                std::to_string(32 * size) + R"(;
  @%p0 bra LOOP;
)";
  kernel.input = someBytes(32 * size);
  kernel.outputBytes = 32 * size;
  return kernel;
}

void expectBytes(Kernel kernel,
                 const std::function<uint8_t(unsigned)> &expected,
                 uint64_t seeds) {
  for (uint64_t seed = 0; seed < seeds && !testing::Test::HasFailure();
       ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    kernel.options.seed = seed;
    std::vector<uint8_t> bytes = run(kernel);
    ASSERT_EQ(bytes.size(), kernel.outputBytes) << kernel.body;
    for (unsigned i = 0; i < bytes.size(); ++i)
      ASSERT_EQ(bytes[i], expected(i)) << "byte " << i << kernel.body;
  }
}

struct CopyForm {
  const char *cache;
  unsigned size;
};
const CopyForm copyForms[] = {{"ca", 4}, {"ca", 8}, {"ca", 16}, {"cg", 16}};

std::string copyText(const CopyForm &form, const std::string &modifiers,
                     const std::string &rest) {
  return "cp.async." + std::string(form.cache) + ".shared.global" + modifiers +
         " [%r1], [%a0], " + std::to_string(form.size) + rest + ";";
}

TEST(PTXBlock, AsyncCopies) {
  for (const CopyForm &form : copyForms)
    for (const char *wait : {"cp.async.commit_group;\n  cp.async.wait_group 0;",
                             "cp.async.commit_group;\n  cp.async.wait_all;",
                             "cp.async.wait_all;"}) {
      Kernel kernel = copies(copyText(form, "", ""), form.size, wait);
      expectBytes(
          kernel, [&](unsigned i) { return kernel.input[i]; }, 50);
    }
}

TEST(PTXBlock, AsyncCopiesWithHints) {
  for (const CopyForm &form : copyForms) {
    for (const char *modifiers : {".L2::64B", ".L2::128B", ".L2::256B"}) {
      Kernel kernel = copies(copyText(form, modifiers, ""), form.size);
      expectBytes(
          kernel, [&](unsigned i) { return kernel.input[i]; }, 5);
    }
    Kernel kernel =
        copies("createpolicy.fractional.L2::evict_first.b64 %a5, 1.0;\n  " +
                   copyText(form, ".L2::cache_hint", ", %a5"),
               form.size);
    expectBytes(
        kernel, [&](unsigned i) { return kernel.input[i]; }, 5);
  }
}

TEST(PTXBlock, AsyncCopiesFillWithZeros) {
  // Lane l copies l mod (size + 1) bytes.
  for (const CopyForm &form : copyForms) {
    Kernel kernel =
        copies("rem.u32 %r2, %lane, " + std::to_string(form.size + 1) +
                   ";\n  " + copyText(form, "", ", %r2"),
               form.size);
    expectBytes(
        kernel,
        [&](unsigned i) {
          unsigned lane = i / form.size;
          return i % form.size < lane % (form.size + 1) ? kernel.input[i] : 0;
        },
        50);
  }
}

TEST(PTXBlock, AsyncCopiesOfNothingNeedNoSource) {
  // The source of odd lanes is no address.
  for (const CopyForm &form : copyForms) {
    std::string odd = "and.b32 %r2, %lane, 1;\n  setp.ne.u32 %p1, %r2, 0;\n"
                      "  @%p1 mov.u64 %a0, 0;\n  selp.u32 %r6, 0, " +
                      std::to_string(form.size) +
                      ", %p1;\n  not.pred %p2, %p1;\n  ";
    for (const char *rest : {", %r6", ", %p1", ", !%p2"}) {
      Kernel kernel = copies(odd + copyText(form, "", rest), form.size);
      expectBytes(
          kernel,
          [&](unsigned i) { return i / form.size % 2 ? 0 : kernel.input[i]; },
          50);
    }
  }
}

TEST(PTXBlock, AsyncCopiesReadOnlyTheSourceSize) {
  // The allocation ends 16 bytes behind the input: 20 bytes.
  Kernel kernel = kernelOf(R"(
  mov.u32 %r1, tile;
  add.u64 %a0, %in, 16;
  cp.async.cg.shared.global [%r1], [%a0], 16, 4;
  cp.async.wait_all;
  ld.shared.u32 %v, [tile+4];
)",
                           1);
  kernel.input = someBytes(4);
  expectWords(kernel, [](unsigned) { return 0; });
  kernel.body.replace(kernel.body.find("16, 4;"), 6, "16, 5;");
  expectFinding(kernel, FindingKind::OutOfBounds, "cp.async",
                "expected 5 bytes");
}

TEST(PTXBlock, AsyncCopiesOfMoreThanTheirSize) {
  Kernel kernel =
      copies("mov.u32 %r2, 9;\n  " + copyText({"ca", 8}, "", ", %r2"), 8);
  expectFinding(kernel, FindingKind::InvalidOperand, "cp.async",
                "at most 8, found 9");
}

TEST(PTXBlock, AsyncCopiesAreAligned) {
  for (const char *shift :
       {"add.u64 %a0, %a0, 4;\n  ", "add.u32 %r1, %r1, 4;\n  "})
    expectFinding(copies(shift + copyText({"ca", 8}, "", ""), 8),
                  FindingKind::Misaligned, "cp.async", "multiple of 8");
}

/// Four groups of one word each; then `after`, and word `word` is read.
Kernel groups(const std::string &after, unsigned word) {
  std::string copyAll;
  for (unsigned i = 0; i < 4; ++i) {
    std::string at = std::to_string(4 * i);
    copyAll += "  cp.async.ca.shared.global [tile+" + at + "], [%in+" + at +
               "], 4;\n  cp.async.commit_group;\n";
  }
  Kernel kernel = kernelOf(copyAll + "  " + after + "\n  ld.shared.u32 %v, " +
                               "[tile+" + std::to_string(4 * word) + "];\n",
                           1);
  kernel.input = bytesOf<uint32_t>({11, 22, 33, 44});
  return kernel;
}

TEST(PTXBlock, WaitGroupLeavesTheYoungestPending) {
  for (unsigned pending = 0; pending <= 4; ++pending)
    for (unsigned word = 0; word < 4; ++word) {
      Kernel kernel =
          groups("cp.async.wait_group " + std::to_string(pending) + ";", word);
      if (word + pending < 4)
        expectWords(
            kernel, [&](unsigned) { return 11 * (word + 1); }, 50);
      else
        expectFinding(kernel, FindingKind::MissingAsyncWait, "ld.shared",
                      "allows too many pending groups", 50);
    }
}

TEST(PTXBlock, WaitAllLeavesNone) {
  for (unsigned word = 0; word < 4; ++word)
    expectWords(groups("cp.async.wait_all;", word),
                [&](unsigned) { return 11 * (word + 1); });
}

TEST(PTXBlock, EmptyGroupsCount) {
  expectWords(groups("cp.async.commit_group;\n  cp.async.wait_group 1;", 3),
              [](unsigned) { return 44; });
}

/// A copy of one word, by thread 0 of 64; `after` follows in all.
Kernel oneCopy(const std::string &after) {
  Kernel kernel = kernelOf(R"(
  setp.ne.u32 %p0, %thread, 0;
  mov.u32 %v, 0;
  @!%p0 cp.async.ca.shared.global [tile], [%in], 4;
)" + after,
                           64);
  kernel.input = bytesOf<uint32_t>({4711});
  return kernel;
}

TEST(PTXBlock, ReadsBeforeTheWait) {
  for (const char *between :
       {"", "cp.async.commit_group;\n",
        "cp.async.commit_group;\n  bar.sync 0;\n",
        "cp.async.commit_group;\n  cp.async.wait_group 1;\n  bar.sync 0;\n"})
    expectFinding(
        oneCopy(between + std::string("  @!%p0 ld.shared.u32 %v, [tile];\n")),
        FindingKind::MissingAsyncWait, "ld.shared", "read before", 50);
}

TEST(PTXBlock, WritesBeforeTheWait) {
  expectFinding(oneCopy("  @!%p0 st.shared.u16 [tile+2], 1;\n"),
                FindingKind::MissingAsyncWait, "st.shared",
                "overwritten before", 50);
}

TEST(PTXBlock, WritesToTheSourceBeforeTheWait) {
  expectFinding(oneCopy("  @!%p0 st.global.u32 [%in], 1;\n"),
                FindingKind::MissingAsyncWait, "st.global",
                "overwrites what a copy reads", 50);
}

TEST(PTXBlock, ACopyThatIsNotCommittedIsInNoGroup) {
  expectFinding(oneCopy("  cp.async.wait_group 0;\n"
                        "  @!%p0 ld.shared.u32 %v, [tile];\n"),
                FindingKind::MissingAsyncWait, "ld.shared", "never committed",
                50);
}

TEST(PTXBlock, TheWaitOfAnotherThreadDoesNotHelp) {
  expectFinding(oneCopy("  cp.async.commit_group;\n"
                        "  @%p0 cp.async.wait_all;\n  bar.sync 0;\n"
                        "  @%p0 ld.shared.u32 %v, [tile];\n"),
                FindingKind::MissingAsyncWait, "ld.shared", "read before", 50);
}

TEST(PTXBlock, AfterTheWaitOthersNeedABarrier) {
  std::string wait = "  cp.async.wait_all;\n";
  std::string read = "  ld.shared.u32 %v, [tile];\n";
  expectWords(
      oneCopy(wait + "  bar.sync 0;\n" + read), [](unsigned) { return 4711; },
      50);
  Kernel kernel = oneCopy(wait + read);
  for (uint64_t seed = 0; seed < manySeeds; ++seed) {
    kernel.options.seed = seed;
    std::vector<Finding> found = findings(kernel);
    EXPECT_FALSE(found.empty()) << "seed " << seed;
    // Which of the two it is depends on which thread came first.
    for (const Finding &finding : found)
      EXPECT_TRUE(finding.kind == FindingKind::DataRace ||
                  finding.kind == FindingKind::MissingAsyncWait ||
                  finding.kind == FindingKind::UndefinedValue)
          << finding.text();
  }
}

TEST(PTXBlock, APipelineOfTwoStages) {
  // Round i sums words of stage i mod 2 while round i + 1 is copied.
  Kernel kernel = kernelOf(R"(
  mov.u32 %r0, tile;
  mad.lo.u32 %r1, %thread, 4, %r0;
  mul.wide.u32 %a0, %thread, 4;
  add.u64 %a0, %in, %a0;
  mov.u32 %v, 0;
  mov.u32 %r2, 0;
  cp.async.ca.shared.global [%r1], [%a0], 4;
  cp.async.commit_group;
LOOP:
  add.u32 %r3, %r2, 1;
  and.b32 %r4, %r3, 1;
  mad.lo.u32 %r4, %r4, 256, %r1;
  add.u64 %a0, %a0, 256;
  setp.lt.u32 %p0, %r3, 6;
  @%p0 cp.async.ca.shared.global [%r4], [%a0], 4;
  cp.async.commit_group;
  cp.async.wait_group 1;
  bar.sync 0;
  and.b32 %r5, %r2, 1;
  sub.u32 %r6, 63, %thread;
  mul.lo.u32 %r6, %r6, 4;
  mad.lo.u32 %r6, %r5, 256, %r6;
  add.u32 %r6, %r6, %r0;
  ld.shared.u32 %r7, [%r6];
  add.u32 %v, %v, %r7;
  bar.sync 0;
  mov.u32 %r2, %r3;
  @%p0 bra LOOP;
)",
                           64);
  std::vector<uint32_t> input;
  for (uint32_t i = 0; i < 6 * 64; ++i)
    input.push_back(i * i + 3);
  kernel.input = bytesOf(input);
  expectWords(
      kernel,
      [&](unsigned t) {
        uint32_t sum = 0;
        for (unsigned i = 0; i < 6; ++i)
          sum += input[64 * i + 63 - t];
        return sum;
      },
      50);
  // Without the second barrier a stage is overwritten while others read it.
  Kernel wrong = kernel;
  wrong.body.erase(wrong.body.rfind("  bar.sync 0;\n"), 14);
  for (uint64_t seed = 0; seed < manySeeds; ++seed) {
    wrong.options.seed = seed;
    EXPECT_FALSE(findings(wrong).empty()) << "seed " << seed;
  }
}

//===----------------------------------------------------------------------===//
// Fences
//===----------------------------------------------------------------------===//

struct Passing {
  const char *before, *send, *receive, *after;
  bool isRight;
};

/// Thread 0 hands a word over to thread 0 of another block, or to that of
/// another warp.
Kernel message(const Passing &p, bool blocks) {
  Kernel kernel = kernelOf("", 1);
  kernel.body = declarations + R"(
  mov.u32 %r0, )" +
                (blocks ? "%ctaid.x" : "%warpid") + R"(;
  setp.ne.u32 %p1, %lane, 0;
  @%p1 exit;
  add.u64 %a0, %out, 64;
  add.u64 %a1, %out, 128;
  setp.ne.u32 %p0, %r0, 0;
  @%p0 bra RECEIVE;
  st.global.u32 [%a0], 4711;
  )" + p.before +
                "\n  " + p.send + R"(
  exit;
RECEIVE:
  )" + p.receive +
                R"(
  setp.eq.u32 %p2, %r1, 0;
  @%p2 bra RECEIVE;
  )" + p.after +
                R"(
  ld.global.u32 %v, [%a0];
  st.global.u32 [%out], %v;
)";
  kernel.outputBytes = 192;
  kernel.output.assign(192, 0);
  kernel.options.grid = {blocks ? 2u : 1u};
  kernel.options.block = {blocks ? 32u : 64u};
  return kernel;
}

void checkPassing(const Passing &p, bool blocks) {
  SCOPED_TRACE(std::string(p.before) + " " + p.send + " / " + p.receive + " " +
               p.after);
  Kernel kernel = message(p, blocks);
  for (uint64_t seed = 0; seed < manySeeds; ++seed) {
    kernel.options.seed = seed;
    if (p.isRight) {
      std::vector<uint32_t> words = valuesOf<uint32_t>(run(kernel));
      ASSERT_EQ(words.size(), 48u);
      ASSERT_EQ(words[0], 4711u);
      continue;
    }
    unsigned races = 0;
    for (const Finding &finding : findings(kernel)) {
      races += finding.kind == FindingKind::DataRace;
      EXPECT_EQ(findingName(finding.kind), std::string("data-race"));
    }
    ASSERT_GE(races, 1u) << "seed " << seed;
  }
}

const char *const storeRelease = "st.release.gpu.global.u32 [%a1], 1;";
const char *const storeRelaxed = "st.relaxed.gpu.global.u32 [%a1], 1;";
const char *const storeVolatile = "st.volatile.global.u32 [%a1], 1;";
const char *const loadAcquire = "ld.acquire.gpu.global.u32 %r1, [%a1];";
const char *const loadRelaxed = "ld.relaxed.gpu.global.u32 %r1, [%a1];";
const char *const loadVolatile = "ld.volatile.global.u32 %r1, [%a1];";

TEST(PTXBlock, MessagesBetweenBlocks) {
  const Passing patterns[] = {
      {"", storeRelease, loadAcquire, "", true},
      {"", "st.release.sys.global.u32 [%a1], 1;",
       "ld.acquire.sys.global.u32 %r1, [%a1];", "", true},
      {"fence.acq_rel.gpu;", storeRelaxed, loadRelaxed, "fence.acq_rel.gpu;",
       true},
      {"fence.sc.gpu;", storeRelaxed, loadRelaxed, "fence.sc.gpu;", true},
      {"fence.acq_rel.sys;", storeRelaxed, loadRelaxed, "fence.sc.sys;", true},
      {"membar.gl;", storeVolatile, loadVolatile, "membar.gl;", true},
      {"membar.sys;", storeRelaxed, loadVolatile, "membar.gl;", true},
      {"fence.acq_rel.gpu;", storeRelaxed, loadAcquire, "", true},
      {"", storeRelease, loadRelaxed, "fence.acq_rel.gpu;", true},
      {"", "atom.release.gpu.global.exch.b32 %r2, [%a1], 1;", loadAcquire, "",
       true},
      {"", "red.release.gpu.global.add.u32 [%a1], 1;",
       "atom.acquire.gpu.global.add.u32 %r1, [%a1], 0;", "", true},
      {"fence.acq_rel.gpu;", "red.relaxed.gpu.global.add.u32 [%a1], 1;",
       "atom.relaxed.gpu.global.or.b32 %r1, [%a1], 0;", "fence.acq_rel.gpu;",
       true},
      {"membar.gl;", "atom.global.exch.b32 %r2, [%a1], 1;", loadVolatile,
       "membar.gl;", true},
      {"", "st.release.cta.global.u32 [%a1], 1;",
       "ld.acquire.cta.global.u32 %r1, [%a1];", "", false},
      {"", storeRelease, "ld.acquire.cta.global.u32 %r1, [%a1];", "", false},
      {"", "st.release.cta.global.u32 [%a1], 1;", loadAcquire, "", false},
      {"", storeRelaxed, loadRelaxed, "", false},
      {"", storeRelaxed, loadAcquire, "", false},
      {"", storeRelease, loadRelaxed, "", false},
      {"fence.acq_rel.gpu;", storeRelaxed, loadRelaxed, "", false},
      {"", storeRelaxed, loadRelaxed, "fence.acq_rel.gpu;", false},
      {"fence.acq_rel.cta;", storeRelaxed, loadRelaxed, "fence.acq_rel.cta;",
       false},
      {"membar.cta;", storeVolatile, loadVolatile, "membar.gl;", false},
      {"", storeVolatile, loadVolatile, "", false},
      {"membar.gl;", "st.global.u32 [%a1], 1;", "ld.global.u32 %r1, [%a1];",
       "membar.gl;", false},
      {"membar.gl;", "st.global.u32 [%a1], 1;", loadVolatile, "membar.gl;",
       false},
  };
  for (const Passing &pattern : patterns)
    checkPassing(pattern, true);
}

TEST(PTXBlock, MessagesBetweenWarps) {
  const Passing patterns[] = {
      {"", "st.release.cta.global.u32 [%a1], 1;",
       "ld.acquire.cta.global.u32 %r1, [%a1];", "", true},
      {"", storeRelease, loadAcquire, "", true},
      {"fence.acq_rel.cta;", "st.relaxed.cta.global.u32 [%a1], 1;",
       "ld.relaxed.cta.global.u32 %r1, [%a1];", "fence.acq_rel.cta;", true},
      {"membar.cta;", storeVolatile, loadVolatile, "membar.cta;", true},
      {"", "st.relaxed.cta.global.u32 [%a1], 1;",
       "ld.relaxed.cta.global.u32 %r1, [%a1];", "", false},
      {"", storeVolatile, loadVolatile, "", false},
  };
  for (const Passing &pattern : patterns)
    checkPassing(pattern, false);
}

//===----------------------------------------------------------------------===//
// Hints
//===----------------------------------------------------------------------===//

TEST(PTXBlock, HintsChangeNothing) {
  Kernel kernel = kernelOf(R"(
  mul.wide.u32 %a0, %thread, 4;
  add.u64 %a0, %in, %a0;
  cvta.global.u64 %a1, %a0;
  prefetch.global.L1 [%a0];
  prefetch.global.L2 [%a0];
  prefetch.L1 [%a1];
  prefetchu.L1 [%a1];
  prefetch.global.L2::evict_last [%a0];
  prefetch.global.L2::evict_normal [%a0];
  createpolicy.fractional.L2::evict_last.b64 %a2, 0.5;
  createpolicy.fractional.L2::evict_last.L2::evict_unchanged.b64 %a3, 1.0;
  nanosleep.u32 100;
  mov.u32 %r9, 5;
  nanosleep.u32 %r9;
  pmevent 3;
  ldu.global.u32 %r0, [%a0];
  ld.global.L2::cache_hint.u32 %r1, [%a0], %a2;
  ld.global.nc.L1::no_allocate.L2::128B.u32 %r2, [%a0];
  add.u32 %v, %r0, %r1;
  add.u32 %v, %v, %r2;
)",
                           64);
  std::vector<uint32_t> input;
  for (uint32_t i = 0; i < 64; ++i)
    input.push_back(i * 1001 + 1);
  kernel.input = bytesOf(input);
  expectWords(kernel, [&](unsigned t) { return 3 * input[t]; });
}

} // namespace
