//===- MutantsTest.cpp - Defects that must be found -----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each program here has one defect: a small change to the text of a program
// that is right, or to what it is launched with, or a few lines of PTX of their
// own. It must be reported as what it is, at the instruction that has it, for
// every seed.
//
//===----------------------------------------------------------------------===//

#include "Programs/Workloads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;
using testing::HasSubstr;

using Kind = FindingKind;

namespace {
/// Text that occurs once, or the `index`-th of `count` times.
struct Place {
  std::string text;
  unsigned index = 1, count = 1;

  Place(const char *text, unsigned index = 1, unsigned count = 1)
      : text(text), index(index), count(count) {}
};

struct Edit {
  Place from;
  std::string to;
};

/// PTX, and the part of it that is one function.
class Source {
public:
  Source(std::string text, const std::string &function)
      : text(std::move(text)), function(function) {}

  /// Where it is; fails the test if it is not there as often as said. Lines of
  /// a declaration are no place.
  size_t find(const Place &place) const {
    size_t from = 0, to = text.size();
    if (!function.empty()) {
      // A declaration ends in a semicolon, and the function comes after it.
      for (from = text.find(' ' + function + '(');
           from != std::string::npos && text[text.find(')', from) + 1] == ';';)
        from = text.find(' ' + function + '(', from + 1);
      if (from == std::string::npos) {
        ADD_FAILURE() << "no function " << function;
        return std::string::npos;
      }
      to = text.find("\n}\n", from);
    }
    size_t found = std::string::npos;
    unsigned count = 0;
    for (size_t at = text.find(place.text, from); at < to;
         at = text.find(place.text, at + 1))
      if (++count == place.index)
        found = at;
    EXPECT_EQ(count, place.count) << "of '" << place.text << "'";
    return count == place.count ? found : std::string::npos;
  }

  bool apply(const Edit &edit) {
    size_t at = find(edit.from);
    if (at == std::string::npos)
      return false;
    // Else the lines below would have other numbers than in the file.
    EXPECT_EQ(std::count(edit.from.text.begin(), edit.from.text.end(), '\n'),
              std::count(edit.to.begin(), edit.to.end(), '\n'));
    text.replace(at, edit.from.text.size(), edit.to);
    return true;
  }

  unsigned lineOf(const Place &place) const {
    size_t at = find(place);
    if (at == std::string::npos)
      return 0;
    return 1 + unsigned(std::count(text.begin(), text.begin() + at, '\n'));
  }

  const std::string &str() const { return text; }

private:
  std::string text, function;
};

// Sanitizers look at the simulator, which takes fewer.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PTXSIM_FEW_SEEDS
#endif
#endif
#ifdef PTXSIM_FEW_SEEDS
constexpr uint64_t numSeeds = 2;
#else
constexpr uint64_t numSeeds = 10;
#endif

/// For what never ends.
void endSoon(Workload &, LaunchOptions &o) { o.maxInstructions = 200'000; }

struct Mutant {
  std::string name, compiler, kernel;
  std::vector<Edit> edits;
  /// What it is. Where two names fit, either will do.
  std::vector<Kind> kinds;
  /// Instructions at which it may show; none if it belongs to all, or to none.
  std::vector<Place> places;
  /// What follows from it.
  std::vector<Kind> also = {};
  /// Changes what it is launched with.
  std::function<void(Workload &, LaunchOptions &)> change = {};
  /// The function that is edited, if not the kernel.
  std::string function = {};
};

void PrintTo(const Mutant &m, std::ostream *os) { *os << m.name; }

void expectFound(const Source &source, const Workload &work,
                 LaunchOptions options, const std::vector<Kind> &kinds,
                 const std::vector<Place> &places,
                 const std::vector<Kind> &also) {
  std::shared_ptr<const Module> module = parseText(source.str(), "mutant.ptx");
  ASSERT_TRUE(module);
  std::vector<unsigned> lines;
  for (const Place &place : places) {
    lines.push_back(source.lineOf(place));
    ASSERT_NE(lines.back(), 0u);
  }
  // Those that never end do so soon.
  options.maxInstructions =
      std::min<uint64_t>(options.maxInstructions, 4'000'000);
  for (uint64_t seed = 0; seed < numSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    options.seed = seed;
    options.hostThreads = 1 + seed % 2;
    Outcome outcome = run(work, module, options);
    const std::vector<Finding> &findings = outcome.result.findings;
    SCOPED_TRACE("found:\n" + text(findings));
    EXPECT_LE(findings.size(), options.maxFindings);
    bool isFound = false;
    for (const Finding &f : findings) {
      bool isKind = std::count(kinds.begin(), kinds.end(), f.kind);
      EXPECT_TRUE(isKind || std::count(also.begin(), also.end(), f.kind))
          << findingName(f.kind);
      isFound |= isKind && (lines.empty() ||
                            std::count(lines.begin(), lines.end(), f.line));
      EXPECT_EQ(f.kernel, work.kernel);
      EXPECT_EQ(f.line == 0, f.instruction.empty());
      if (f.kind == Kind::Launch)
        EXPECT_EQ(f.line, 0u);
      EXPECT_FALSE(f.message.empty());
      EXPECT_GE(f.count, 1u);
      if (f.line) {
        EXPECT_LT(f.block.x, work.grid.x);
        EXPECT_LT(f.block.y, work.grid.y);
        EXPECT_LT(f.thread.x, work.block.x);
        EXPECT_LT(f.thread.y, work.block.y);
        EXPECT_THAT(f.text(), HasSubstr(std::to_string(f.line)));
      }
      EXPECT_THAT(f.text(), HasSubstr(findingName(f.kind)));
      EXPECT_THAT(f.text(), HasSubstr(f.message));
    }
    EXPECT_TRUE(isFound) << "not found at line "
                         << testing::PrintToString(lines);
    if (testing::Test::HasFailure())
      return;
  }
}
} // namespace

//===----------------------------------------------------------------------===//
// Changes to the programs
//===----------------------------------------------------------------------===//

/// The first `n` of `count` such instructions, and others.
static std::vector<Place> firstOf(unsigned n, const char *text, unsigned count,
                                  std::vector<Place> others = {}) {
  for (unsigned i = 1; i <= n; ++i)
    others.emplace_back(text, i, count);
  return others;
}

static std::vector<Mutant> programMutants() {
  return {
      // Barriers of the block.
      {"MissingBarrier",
       "nvcc",
       "scan",
       {{{"bar.sync \t0;", 1, 3}, ""}},
       {Kind::DataRace},
       {"st.shared.u32 \t[%r6], %r76", "ld.shared.u32 \t%r49",
        "ld.shared.u32 "
        "\t%r79"},
       {Kind::UndefinedValue}},
      {"MissingBarrierInLoop",
       "llvm",
       "scan",
       {{{"bar.sync \t0;", 2, 3}, ""}},
       {Kind::DataRace},
       {"st.shared.b32 \t[%rd26], %r35", "ld.shared.b32 \t%r9",
        "ld.shared.b32 \t%r35"},
       {Kind::UndefinedValue}},
      {"MissingBarrierBeforeUse",
       "nvcc",
       "softmax",
       {{{"bar.sync \t0;", 2, 4}, ""}},
       {Kind::DataRace},
       {{"partial+4]", 1, 2},
        {"partial];", 1, 2},
        {"partial+12]", 1, 2},
        {"partial+8]", 1, 2},
        {"st.shared.f32", 1, 2}},
       {Kind::UndefinedValue}},
      {"MissingBarrierOfTranspose",
       "llvm",
       "transposePadded",
       {{"bar.sync \t0;", ""}},
       {Kind::DataRace},
       {"ld.shared.b32", "st.shared.b32"},
       {Kind::UndefinedValue}},
      // One buffer is read and written in the same step.
      {"SingleBuffer",
       "nvcc",
       "scan",
       {{"sub.s32 \t%r78, %r50, %r78;", "mov.u32 \t%r78, 0;"}},
       {Kind::DataRace},
       {"ld.shared.u32 \t%r49", "ld.shared.u32 \t%r79",
        "st.shared.u32 \t[%r55]"},
       {Kind::UndefinedValue}},
      {"BarrierOfSomeLanes",
       "nvcc",
       "reduceSum",
       {{"bar.sync \t0;", "@%p8 bar.sync 0;"}},
       {Kind::BarrierMisuse},
       {"@%p8 bar.sync 0;"},
       {Kind::DataRace, Kind::UndefinedValue, Kind::WarpDivergence,
        Kind::Deadlock}},
      // Named barriers.
      {"WrongBarrierCount",
       "nvcc",
       "pipe",
       {{"bar.sync %r19, 64;", "bar.sync %r19, 96;"}},
       {Kind::BarrierMisuse},
       {"bar.sync %r19, 96;", "bar.arrive %r33, 64;"},
       {Kind::Deadlock, Kind::DataRace}},
      {"CountOfNoWarps",
       "nvcc",
       "pipe",
       {{"bar.sync %r19, 64;",
         "{ .reg .b32 q; mov.b32 q, 48; bar.sync %r19, q; }"}},
       {Kind::BarrierMisuse, Kind::InvalidOperand},
       {"bar.sync %r19, q;"},
       {Kind::Deadlock, Kind::DataRace, Kind::UndefinedValue}},
      {"MissingArrival",
       "nvcc",
       "pipe",
       {{"bar.arrive %r33, 64;", ""}},
       {Kind::Deadlock},
       {}},
      {"MissingWaitForEmptyBuffer",
       "llvm",
       "pipe",
       {{"bar.sync %r10, 64;", ""}},
       // A second arrival before the consumer came, if not a race.
       {Kind::DataRace, Kind::BarrierMisuse},
       {"st.shared.b32", "ld.shared.b32", "bar.arrive %r11", "bar.arrive %r9"},
       {Kind::Deadlock}},
      {"WrongBuffer",
       "nvcc",
       "pipe",
       {{"shl.b32 \t%r36, %r46, 7;", "shl.b32 \t%r36, %r46, 6;"}},
       {Kind::DataRace},
       {"st.shared.u32", "ld.shared.u32"},
       {Kind::UndefinedValue}},
      // Asynchronous copies.
      {"MissingWait",
       "nvcc",
       "matmul",
       {{"cp.async.wait_group 1;", ""}},
       {Kind::MissingAsyncWait},
       firstOf(8, "ldmatrix", 12),
       {Kind::DataRace, Kind::UndefinedValue}},
      {"WrongWaitCount",
       "nvcc",
       "matmul",
       {{"cp.async.wait_group 1;", "cp.async.wait_group 2;"}},
       {Kind::MissingAsyncWait},
       firstOf(8, "ldmatrix", 12),
       {Kind::DataRace, Kind::UndefinedValue}},
      {"MissingCommit",
       "llvm",
       "matmulTransposed",
       {{{"cp.async.commit_group;", 3, 3}, ""}},
       {Kind::MissingAsyncWait},
       firstOf(6, "ldmatrix", 8),
       {Kind::DataRace, Kind::UndefinedValue}},
      {"MissingBarrierAfterWait",
       "nvcc",
       "matmul",
       {{"bar.sync \t0;", ""}},
       {Kind::DataRace, Kind::MissingAsyncWait},
       firstOf(5, "ldmatrix", 12,
               {"[%r105], [%rd49]", "[%r106], [%rd50]", "[%r107], [%rd51]",
                "[%r108], [%rd52]"}),
       {Kind::UndefinedValue}},
      // The barrier comes after the copies into what others still read.
      {"CopyBeforeBarrier",
       "nvcc",
       "matmul",
       {{"bar.sync \t0;", ""},
        {{"cp.async.commit_group;", 3, 3},
         "cp.async.commit_group; bar.sync 0;"}},
       {Kind::DataRace, Kind::MissingAsyncWait},
       firstOf(12, "ldmatrix", 12,
               {"[%r105], [%rd49]", "[%r106], [%rd50]", "[%r107], [%rd51]",
                "[%r108], [%rd52]"}),
       {Kind::UndefinedValue},
       // A stage is fetched again.
       [](Workload &w, LaunchOptions &) {
         w = matmulOf("matmul", 64, 64, 160);
       }},

      {"CopyIntoTheStageInUse",
       "nvcc",
       "matmul",
       {{"add.s32 \t%r105, %r123, 8192;", "add.s32 \t%r105, %r123, 0;"}},
       {Kind::DataRace, Kind::MissingAsyncWait},
       firstOf(12, "ldmatrix", 12, {"[%r105], [%rd49]"}),
       {Kind::UndefinedValue}},
      {"OneTileTooMany",
       "nvcc",
       "matmul",
       {{"setp.ge.s32 \t%p4, %r352, %r2;", "setp.gt.s32 \t%p4, %r352, %r2;"}},
       {Kind::OutOfBounds},
       {"[%r105], [%rd49]", "[%r106], [%rd50]", "[%r107], [%rd51]",
        "[%r108], [%rd52]"},
       {}},
      {"CopyOfTooManyBytes",
       "nvcc",
       "matmulMasked",
       {{"cp.async.cg.shared.global [%r69], [%rd24], 16, %r70;",
         "{ .reg .b32 q; mov.b32 q, 20; "
         "cp.async.cg.shared.global [%r69], [%rd24], 16, q; }"}},
       {Kind::InvalidOperand},
       {"[%rd24], 16, q;"},
       {Kind::OutOfBounds, Kind::UndefinedValue}},
      // What lies between two rows is undefined, and so are the sums.
      {"MaskNotApplied",
       "nvcc",
       "matmulMasked",
       {{"[%rd50], 16, %r101;", "[%rd50], 16;"}},
       {Kind::UndefinedValue},
       firstOf(16, "mma.sync", 16),
       {}},
      // Bounds and alignment.
      {"TailOutOfBounds",
       "nvcc",
       "copyStrided",
       {{"@%p1 bra \t$L__BB1_2;", ""}},
       {Kind::OutOfBounds},
       {"ld.global.f32"},
       {Kind::UndefinedValue}},
      {"SharedOutOfBounds",
       "nvcc",
       "transposePadded",
       {{"tile[4224];", "tile[4096];"}},
       {Kind::OutOfBounds},
       {"st.shared.u32 \t[%r17]"},
       {Kind::UndefinedValue}},
      {"LocalOutOfBounds",
       "nvcc",
       "sortRows",
       {{"__local_depot6[64];", "__local_depot6[32];"}},
       {Kind::OutOfBounds},
       {"st.local.u32 \t[%rd20], %r45;", "st.local.u32 \t[%rd20+4], %r47;",
        "st.local.u32 \t[%rd20+8], %r49;", "st.local.u32 \t[%rd20+12], %r50;",
        "st.local.u32 \t[%rd44], %r52;"},
       {Kind::UndefinedValue, Kind::NoProgress},
       endSoon},
      {"DynamicSharedTooSmall",
       "nvcc",
       "histogram",
       {},
       {Kind::OutOfBounds},
       {"st.shared.u32 \t[%r18], %r19;"},
       {Kind::UndefinedValue},
       [](Workload &w, LaunchOptions &) { w.dynamicSharedBytes -= 4; }},
      {"PastTheEnd",
       "nvcc",
       "copyVectors",
       {{"[%rd6];", "[%rd6+2048];"}},
       {Kind::OutOfBounds},
       {"[%rd6+2048]"},
       {Kind::UndefinedValue}},
      {"MisalignedVector",
       "nvcc",
       "copyVectors",
       {{"[%rd6];", "[%rd6+4];"}},
       {Kind::Misaligned},
       {"[%rd6+4];"},
       {Kind::UndefinedValue, Kind::OutOfBounds}},
      {"MisalignedMatrixRow",
       "nvcc",
       "matmul",
       {{"[%r139];", "[%r139+8];"}},
       {Kind::Misaligned},
       {"[%r139+8];"},
       {Kind::UndefinedValue, Kind::OutOfBounds}},
      {"MisalignedAtomic",
       "nvcc",
       "reduceAtomic",
       {{"atom.global.add.u32 \t%r12, [%rd6]",
         "atom.global.add.u32 \t%r12, [%rd6+2]"}},
       {Kind::Misaligned},
       {"[%rd6+2]"},
       {Kind::OutOfBounds}},
      {"SharedAddressAsGlobal",
       "llvm",
       "histogram",
       {{"st.shared.b32 \t[%rd9], 0;", "st.global.b32 \t[%rd9], 0;"}},
       {Kind::OutOfBounds},
       {"st.global.b32 \t[%rd9], 0;"},
       {Kind::UndefinedValue}},
      // Warps.
      {"DivergentShuffle",
       "nvcc",
       "reduceSum",
       {{"@%p10 bra \t$L__BB0_8;", "@%p10 bar.warp.sync -1;"},
        {"ld.shared.f32 \t%f32, [%r35];",
         "@!%p10 ld.shared.f32 %f32, [%r35];"}},
       {Kind::WarpDivergence},
       {"shfl.sync.down.b32 \t%r41", "@%p10 bar.warp.sync -1;"},
       {Kind::Deadlock, Kind::UndefinedValue}},
      // Those that have ended need not come, but have no value either.
      {"ShuffleFromLanesThatEnded",
       "nvcc",
       "reduceSum",
       {{"@%p10 bra \t$L__BB0_8;", "@%p10 bra \t$L__BB0_10;"}},
       {Kind::UndefinedValue},
       {"add.f32 \t%f22, %f32, %f21;"},
       {Kind::WarpDivergence}},
      {"VoteOfLanesElsewhere",
       "nvcc",
       "votesApart",
       {{"mov.u32 \t%r8, -1227133514;", "mov.u32 \t%r8, -1;"}},
       {Kind::WarpDivergence},
       {"vote.sync.ballot.b32 \t%r9", "vote.sync.ballot.b32 \t%r11",
        "bar.warp.sync"},
       {Kind::Deadlock, Kind::UndefinedValue}},
      {"VoteWithoutItself",
       "nvcc",
       "votesApart",
       {{"mov.u32 \t%r10, 1227133513;", "mov.u32 \t%r10, 1227133512;"}},
       {Kind::WarpDivergence, Kind::InvalidOperand},
       {"vote.sync.ballot.b32 \t%r11"},
       {Kind::Deadlock, Kind::UndefinedValue}},
      {"MissingSyncwarp",
       "nvcc",
       "warpShared",
       {{"bar.warp.sync \t-1;", ""}},
       {Kind::DataRace},
       {"ld.shared.u32 \t%r16", "ld.shared.u32 \t%r23", "ld.shared.u32 \t%r30",
        "ld.shared.u32 \t%r37", "ld.shared.u32 \t%r44", "ld.shared.u32 \t%r51",
        "ld.shared.u32 \t%r58", "st.shared.u32 \t[%r8]"},
       {Kind::UndefinedValue}},
      {"DivergentMma",
       "nvcc",
       "mmaF16",
       {{{"mma.sync", 5, 5},
         "{ .reg .pred q; setp.lt.u32 q, %r14, 16; @q mma.sync"},
        {"{%f85,%f84,%f83,%f82}, {%r47,%r48,%r49,%r50}, {%r51,%r52}, "
         "{%f85,%f84,%f83,%f82};",
         "{%f85,%f84,%f83,%f82}, {%r47,%r48,%r49,%r50}, {%r51,%r52}, "
         "{%f85,%f84,%f83,%f82}; }"}},
       {Kind::WarpDivergence},
       {"@q mma.sync"},
       {Kind::UndefinedValue, Kind::Deadlock}},
      {"DivergentLdmatrix",
       "nvcc",
       "matmul",
       {{{"ldmatrix", 1, 12},
         "{ .reg .pred q; setp.lt.u32 q, %r1, 40; @q ldmatrix"},
        {"[%r134];", "[%r134]; }"}},
       {Kind::WarpDivergence},
       {"@q ldmatrix"},
       {Kind::UndefinedValue, Kind::Deadlock}},
      // Memory order between blocks.
      {"PlainSpin",
       "nvcc",
       "turns",
       {{"ld.volatile.global.u32", "ld.global.u32"}},
       {Kind::DataRace},
       {"ld.global.u32 \t%r3", "st.volatile.global.u32"},
       {}},
      {"PlainFlag",
       "nvcc",
       "turns",
       {{"st.volatile.global.u32", "st.global.u32"}},
       {Kind::DataRace},
       {"ld.volatile.global.u32", "st.global.u32 \t[%rd1], %r6"},
       {}},
      {"MissingFenceBeforeFlag",
       "nvcc",
       "turns",
       {{{"membar.gl;", 2, 2}, ""}},
       {Kind::DataRace},
       {"ld.global.u32 \t%r4", "st.global.u32 \t[%rd2], %r5"},
       {}},
      {"MissingFenceAfterFlag",
       "llvm",
       "turns",
       {{{"membar.gl;", 1, 2}, ""}},
       {Kind::DataRace},
       {"ld.global.b32", "st.global.b32"},
       {}},
      {"FenceOfTheBlockOnly",
       "nvcc",
       "turns",
       {{{"membar.gl;", 2, 2}, "membar.cta;"}},
       {Kind::DataRace},
       {"ld.global.u32 \t%r4", "st.global.u32 \t[%rd2], %r5"},
       {}},
      {"MissingFenceOfTheLastBlock",
       "nvcc",
       "scan",
       {{{"membar.gl;", 1, 2}, ""}},
       {Kind::DataRace},
       {"st.global.u32 \t[%rd19], %r57", "ld.global.u32 \t%r68",
        "ld.global.u32 \t%r70", "ld.global.u32 \t%r72", "ld.global.u32 \t%r74"},
       {}},
      {"PlainUnlock",
       "nvcc",
       "lockPerBlock",
       {{"atom.global.exch.b32 \t%r10, [%rd1], 0;",
         "st.global.u32 \t[%rd1], 0;"}},
       {Kind::DataRace},
       {"st.global.u32 \t[%rd1], 0;", "atom.global.cas.b32",
        "ld.global.u32 \t%r8", "st.global.u32 \t[%rd2]"},
       {}},
      {"NoLock",
       "nvcc",
       "lockForAll",
       {{"@%p1 bra \t$L__BB1_1;", ""}},
       {Kind::DataRace},
       {"ld.global.u32 \t%r4", "st.global.u32 \t[%rd2]"},
       {}},
      {"AtomicsAndPlainLoads",
       "nvcc",
       "histogram",
       {{{"bar.sync \t0;", 2, 2}, ""}},
       {Kind::DataRace},
       {"atom.shared.add.u32", "ld.shared.u32"},
       {}},
      {"SumsOfWarpsInOnePlace",
       "nvcc",
       "reduceSum",
       {{"add.s32 \t%r31, %r30, %r29;", "mov.u32 \t%r31, %r30;"}},
       {Kind::DataRace},
       {"st.shared.f32 \t[%r31]"},
       {Kind::UndefinedValue}},
      {"AtomicMadePlain",
       "nvcc",
       "reduceAtomic",
       {{"atom.global.add.u32 \t%r12, [%rd6], %r5;",
         "ld.global.u32 %r12, [%rd6]; add.s32 %r12, %r12, %r5; "
         "st.global.u32 [%rd6], %r12;"}},
       {Kind::DataRace},
       {"ld.global.u32 %r12, [%rd6];"},
       {}},
      // Undefined values.
      {"UninitialisedShared",
       "nvcc",
       "histogram",
       {{"st.shared.u32 \t[%r18], %r19;", ""}},
       {Kind::UndefinedValue},
       {"atom.shared.add.u32", "setp.eq.s32 \t%p7, %r12, 0;"},
       {}},
      {"UninitialisedRegister",
       "nvcc",
       "scan",
       {{"mov.u32 \t%r77, 1;", ""}},
       {Kind::UndefinedValue},
       {"setp.lt.u32 \t%p2, %r2, %r77;"},
       {Kind::DataRace, Kind::BarrierMisuse, Kind::OutOfBounds,
        Kind::NoProgress, Kind::Deadlock}},
      {"UninitialisedLocal",
       "nvcc",
       "sortRows",
       {{"st.local.u32 \t[%rd20+4], %r47;", ""}},
       {Kind::UndefinedValue},
       {"setp.lt.s32 \t%p3, %r8, %r2;", "setp.gt.s32 \t%p4, %r11, %r2;"},
       {Kind::NoProgress, Kind::OutOfBounds},
       {},
       "quicksort"},
      {"UninitialisedGlobal",
       "nvcc",
       "copyStrided",
       {},
       {Kind::UndefinedValue},
       {"st.global.f32"},
       {},
       [](Workload &w, LaunchOptions &) {
         std::fill_n(w.arguments[0].counts.begin() + 50 * 8 * 4, 4, false);
       }},
      {"UninitialisedSum",
       "nvcc",
       "reduceSum",
       {{{"mov.f32 \t%f31, 0f00000000;", 2, 2}, ""},
        {{"mov.f32 \t%f31, 0f00000000;", 1, 1}, ""}},
       {Kind::UndefinedValue},
       {"add.f32 \t%f31, %f31, %f10;"},
       {}},
      // Launches.
      {"TooMuchShared",
       "nvcc",
       "histogram",
       {},
       {Kind::Launch},
       {},
       {},
       [](Workload &w, LaunchOptions &o) {
         w.dynamicSharedBytes = o.maxSharedBytes + 1;
       }},
      {"StaticSharedTooLarge",
       "nvcc",
       "matmul",
       {},
       {Kind::Launch},
       {},
       {},
       [](Workload &, LaunchOptions &o) { o.maxSharedBytes = 24 * 1024 - 1; }},
      {"MoreThreadsThanDeclared",
       "nvcc",
       "matmul",
       {},
       {Kind::Launch},
       {},
       {},
       [](Workload &w, LaunchOptions &) { w.block = {256}; }},
      {"OtherThreadsThanRequired",
       "nvcc",
       "matmul",
       {{".maxntid 128, 1, 1", ".reqntid 64, 2, 1"}},
       {Kind::Launch},
       {}},
      {"TooManyThreads",
       "nvcc",
       "copyVectors",
       {},
       {Kind::Launch},
       {},
       {},
       [](Workload &w, LaunchOptions &) {
         w.block = {32, 33};
       }},
      {"NoThreads",
       "nvcc",
       "copyVectors",
       {},
       {Kind::Launch},
       {},
       {},
       [](Workload &w, LaunchOptions &) {
         w.block = {32, 0};
       }},
      {"TooManyRegisters",
       "nvcc",
       "softmax",
       {},
       {Kind::Launch},
       {},
       {},
       [](Workload &, LaunchOptions &o) { o.registersPerBlock = 8 * 128; }},
      {"MissingParameter",
       "nvcc",
       "copyStrided",
       {},
       {Kind::Launch},
       {},
       {},
       [](Workload &w, LaunchOptions &) { w.arguments.pop_back(); }},
      {"OneParameterTooMany",
       "nvcc",
       "copyStrided",
       {},
       {Kind::Launch},
       {},
       {},
       [](Workload &w, LaunchOptions &) { w.scalar(1); }},
      // The rest.
      {"EndlessLoop",
       "nvcc",
       "scan",
       {{"shl.b32 \t%r77, %r77, 1;", "shl.b32 \t%r77, %r77, 0;"}},
       {Kind::NoProgress},
       {},
       {},
       endSoon},
      {"LockNeverFreed",
       "nvcc",
       "lockPerBlock",
       {{"atom.global.exch.b32 \t%r10, [%rd1], 0;", ""}},
       {Kind::NoProgress},
       {},
       {},
       endSoon},
      {"Trap",
       "nvcc",
       "branchTable",
       {{"case1: add.u32", "case1: trap; add.u32"}},
       {Kind::Trap},
       {"case1: trap;"},
       {}},
      {"BranchOutsideTheTable",
       "nvcc",
       "branchTable",
       {{"and.b32 index, %r1, 3;", "and.b32 index, %r1, 7;"}},
       {Kind::InvalidOperand},
       {"brx.idx"},
       {}},
      {"CallOfNoFunction",
       "nvcc",
       "indirect",
       {{"ld.global.nc.u64 \t%rd15, [%rd14];", "mov.u64 \t%rd15, 64;"}},
       {Kind::Trap},
       {"call (retval0)"},
       {Kind::UndefinedValue}},
      {"FunctionOutsideTheTable",
       "llvm",
       "indirect",
       {},
       {Kind::OutOfBounds},
       {"ld.const.b64"},
       {Kind::UndefinedValue, Kind::Trap},
       [](Workload &w, LaunchOptions &) {
         uint32_t which = 3;
         std::memcpy(&w.arguments[1].initial[40 * 4], &which, 4);
       }},
  };
}

namespace {
class ProgramMutants : public testing::TestWithParam<Mutant> {};
} // namespace

TEST_P(ProgramMutants, IsFound) {
  const Mutant &m = GetParam();
  Workload work = workload(m.kernel);
  LaunchOptions options;
  // A block that waits for others does so for long; two show it.
  if (m.kernel == "turns")
    work.grid = {2};
  if (m.change)
    m.change(work, options);
  Source source(programText(work.program, m.compiler), m.kernel);
  for (const Edit &edit : m.edits)
    ASSERT_TRUE(source.apply(edit));
  if (!m.function.empty())
    source = Source(source.str(), m.function);
  expectFound(source, work, options, m.kinds, m.places, m.also);
}

INSTANTIATE_TEST_SUITE_P(PTXSim, ProgramMutants,
                         testing::ValuesIn(programMutants()),
                         [](const testing::TestParamInfo<Mutant> &info) {
                           return info.param.name;
                         });

//===----------------------------------------------------------------------===//
// Programs of their own
//===----------------------------------------------------------------------===//

/// A kernel `k` with registers, 256 bytes of shared memory `s`, and at the
/// start %r1 = %tid.x, %rd1 = the parameter.
static std::string kernelOf(const std::string &body) {
  return ".version 8.0\n.target sm_80\n.address_size 64\n"
         ".const .align 4 .u32 constant = 5;\n"
         ".visible .entry k(.param .u64 p)\n{\n"
         ".reg .pred %p<9>;\n.reg .b32 %r<40>;\n.reg .b64 %rd<20>;\n"
         ".reg .f32 %f<9>;\n.shared .align 16 .b8 s[256];\n"
         "mov.u32 %r1, %tid.x;\nld.param.u64 %rd1, [p];\n" +
         body + "\nret;\n}\n";
}

namespace {
struct Small {
  std::string name, body;
  std::vector<Kind> kinds;
  std::vector<Place> places;
  std::vector<Kind> also = {};
  uint32_t threads = 64;
};

void PrintTo(const Small &s, std::ostream *os) { *os << s.name; }

class SmallMutants : public testing::TestWithParam<Small> {};
} // namespace

static std::vector<Small> smallMutants() {
  // %rd3 is the thread's place in the parameter, %r3 that in shared memory.
  const std::string places = R"(
    mul.wide.u32 %rd2, %r1, 4;
    add.u64 %rd3, %rd1, %rd2;
    shl.b32 %r2, %r1, 2;
    mov.u32 %r4, s;
    add.u32 %r3, %r4, %r2;
)";
  return {
      // The partner in the other warp need not have read what is overwritten.
      {"EarlyStore",
       places + R"(
    st.shared.u32 [%r3], %r1;
    bar.sync 0;
    xor.b32 %r5, %r2, 128;
    add.u32 %r6, %r4, %r5;
    ld.shared.u32 %r7, [%r6];
    st.shared.u32 [%r3], %r7;
    bar.sync 0;
    ld.shared.u32 %r8, [%r3];
    st.global.u32 [%rd3], %r8;)",
       {Kind::DataRace},
       {"ld.shared.u32 %r7", "st.shared.u32 [%r3], %r7"}},
      {"SwappedBarriers",
       R"(
    setp.lt.u32 %p1, %r1, 32;
    @%p1 bra FIRST;
    bar.sync 2, 64;
    bar.sync 1, 64;
    bra END;
    FIRST:
    bar.sync 1, 64;
    bar.sync 2, 64;
    END:)",
       {Kind::Deadlock},
       {}},
      {"BarrierOnBothSidesOfABranch",
       R"(
    and.b32 %r5, %r1, 1;
    setp.eq.u32 %p1, %r5, 0;
    @%p1 bra EVEN;
    bar.sync 0, 64;
    bra END;
    EVEN:
    bar.sync 1, 64;
    END:)",
       {Kind::BarrierMisuse},
       {"bar.sync 0, 64;", "bar.sync 1, 64;"},
       {Kind::Deadlock}},
      {"BarrierOfManyCounts",
       R"(
    setp.lt.u32 %p1, %r1, 32;
    @%p1 bra FIRST;
    bar.sync 1, 64;
    bra END;
    FIRST:
    bar.sync 1, 96;
    END:)",
       {Kind::BarrierMisuse},
       {"bar.sync 1, 64;", "bar.sync 1, 96;"},
       {Kind::Deadlock}},
      {"NoSuchBarrier",
       "mov.u32 %r5, 16;\nbar.sync %r5, 64;",
       {Kind::InvalidOperand, Kind::BarrierMisuse},
       {"bar.sync %r5, 64;"}},
      {"StoreToConst",
       R"(
    mov.u64 %rd4, constant;
    cvta.const.u64 %rd5, %rd4;
    st.u32 [%rd5], %r1;)",
       {Kind::ReadOnly},
       {"st.u32"},
       {Kind::DataRace}},
      {"StoreToParameter",
       R"(
    mov.b64 %rd4, p;
    cvta.param.u64 %rd5, %rd4;
    st.u32 [%rd5], %r1;)",
       {Kind::ReadOnly},
       {"st.u32"},
       {Kind::DataRace}},
      {"AtomicAndPlainStore",
       R"(
    setp.lt.u32 %p1, %r1, 32;
    mov.u32 %r5, 1;
    @%p1 red.global.add.u32 [%rd1], %r5;
    @!%p1 st.global.u32 [%rd1], %r5;)",
       {Kind::DataRace},
       {"red.global", "st.global"},
       {Kind::UndefinedValue}},
      {"ReadOfACopyUnderWay",
       places + R"(
    cp.async.ca.shared.global [%r3], [%rd3], 4;
    cp.async.commit_group;
    ld.shared.u32 %r5, [%r3];
    cp.async.wait_group 0;
    st.global.u32 [%rd3], %r5;)",
       {Kind::MissingAsyncWait},
       {"ld.shared"},
       {Kind::UndefinedValue, Kind::DataRace}},
      {"StoreOverACopyUnderWay",
       places + R"(
    cp.async.ca.shared.global [%r3], [%rd3], 4;
    cp.async.commit_group;
    st.shared.u32 [%r3], %r1;
    cp.async.wait_all;)",
       {Kind::MissingAsyncWait},
       {"st.shared"}},
      {"WaitWithoutACommit",
       places + R"(
    cp.async.ca.shared.global [%r3], [%rd3], 4;
    cp.async.wait_group 0;
    ld.shared.u32 %r5, [%r3];
    st.global.u32 [%rd3], %r5;)",
       {Kind::MissingAsyncWait},
       {"ld.shared"},
       {Kind::UndefinedValue, Kind::DataRace}},
      {"SourceOfACopyOverwritten",
       places + R"(
    cp.async.ca.shared.global [%r3], [%rd3], 4;
    cp.async.commit_group;
    st.global.u32 [%rd3], %r1;
    cp.async.wait_group 0;
    ld.shared.u32 %r5, [%r3];
    st.global.u32 [%rd3], %r5;)",
       {Kind::DataRace, Kind::MissingAsyncWait},
       {"st.global.u32 [%rd3], %r1;"}},
      {"WaitWithoutABarrier",
       places + R"(
    cp.async.ca.shared.global [%r3], [%rd3], 4;
    cp.async.wait_all;
    xor.b32 %r5, %r2, 128;
    add.u32 %r6, %r4, %r5;
    ld.shared.u32 %r7, [%r6];
    st.global.u32 [%rd3], %r7;)",
       {Kind::DataRace, Kind::MissingAsyncWait},
       {"ld.shared", "cp.async.ca"},
       {Kind::UndefinedValue}},
      {"BranchOnNothing",
       "@%p1 bra END;\nmov.u32 %r5, 1;\nEND:",
       {Kind::UndefinedValue},
       {"@%p1 bra END;"}},
      {"AddressOfNothing",
       "ld.global.u32 %r5, [%rd9];",
       {Kind::UndefinedValue},
       {"ld.global"},
       {Kind::OutOfBounds, Kind::Misaligned}},
      {"HalfOfARegister",
       // Only the low half is ever written.
       places + R"(
    .reg .b16 %h<3>;
    mov.u16 %h1, 7;
    mov.b32 %r5, {%h1, %h2};
    and.b32 %r6, %r5, 65535;
    st.global.u32 [%rd3], %r6;
    add.u32 %r7, %r5, 1;)",
       {Kind::UndefinedValue},
       {"add.u32 %r7"}},
      {"OneByteOfAWord",
       places + R"(
    st.shared.u8 [%r3], 1;
    st.shared.u16 [%r3+2], 1;
    ld.shared.u32 %r5, [%r3];
    st.global.u32 [%rd3], %r5;)",
       {Kind::UndefinedValue},
       {"st.global"}},
      {"BeforeTheBeginning",
       places + "ld.global.u32 %r5, [%rd3+-4];",
       {Kind::OutOfBounds},
       {"ld.global"}},
      {"BetweenAllocations",
       places + "ld.global.u32 %r5, [%rd3+1048576];",
       {Kind::OutOfBounds},
       {"ld.global"}},
      {"NullPointer",
       "mov.u64 %rd4, 0;\nst.global.u32 [%rd4], %r1;",
       {Kind::OutOfBounds},
       {"st.global"},
       {Kind::DataRace}},
      {"WrongHighWord",
       R"(
    xor.b64 %rd4, %rd1, 140737488355328;
    ld.global.u32 %r6, [%rd4];)",
       {Kind::OutOfBounds},
       {"ld.global"}},
      {"StoreByAllToOne",
       "st.global.u32 [%rd1], %r1;",
       {Kind::DataRace},
       {"st.global"}},
      {"ReadOfANeighbour",
       places + R"(
    st.global.u32 [%rd3], %r1;
    xor.b32 %r5, %r1, 32;
    mul.wide.u32 %rd4, %r5, 4;
    add.u64 %rd5, %rd1, %rd4;
    ld.global.u32 %r6, [%rd5];)",
       {Kind::DataRace},
       {"ld.global", "st.global"}},
      {"ShuffleFromALaneThatIsNotNamed",
       places + R"(
    and.b32 %r5, %r1, 31;
    setp.ge.u32 %p1, %r5, 16;
    @%p1 bra END;
    shfl.sync.idx.b32 %r6, %r1, 20, 31, 65535;
    st.global.u32 [%rd3], %r6;
    END:)",
       {Kind::UndefinedValue, Kind::WarpDivergence, Kind::InvalidOperand},
       {"shfl.sync", "st.global"},
       {Kind::UndefinedValue}},
      {"ReduxOfHalfAWarp",
       R"(
    and.b32 %r5, %r1, 31;
    setp.ge.u32 %p1, %r5, 16;
    @%p1 bra OTHER;
    redux.sync.add.u32 %r6, %r1, -1;
    bra END;
    OTHER: vote.sync.any.pred %p2, %p1, -1;
    END:)",
       {Kind::WarpDivergence},
       {"redux.sync", "vote.sync"},
       {Kind::Deadlock}},
      {"AtomicOnNothing",
       "bar.sync 0;\natom.shared.add.u32 %r5, [s], 1;",
       {Kind::UndefinedValue},
       {"atom.shared"}},
      {"WaitForAFlagThatNobodySets",
       R"(
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra END;
    LOOP:
    ld.volatile.global.u32 %r5, [%rd1];
    setp.ne.u32 %p2, %r5, 77;
    @%p2 bra LOOP;
    END:)",
       {Kind::NoProgress},
       {}},
      {"TrapOfOneLane",
       "setp.eq.u32 %p1, %r1, 37;\n@%p1 trap;",
       {Kind::Trap},
       {"@%p1 trap;"}},
  };
}

TEST_P(SmallMutants, IsFound) {
  const Small &s = GetParam();
  // The parameter is 64 numbers that are all 1.
  Workload work("", "k", {1}, {s.threads});
  std::vector<uint32_t> memory(64, 1);
  work.inOut(memory, memory);
  Source source(kernelOf(s.body), "k");
  LaunchOptions options;
  options.maxInstructions = 1'000'000;
  expectFound(source, work, options, s.kinds, s.places, s.also);
}

INSTANTIATE_TEST_SUITE_P(PTXSim, SmallMutants,
                         testing::ValuesIn(smallMutants()),
                         [](const testing::TestParamInfo<Small> &info) {
                           return info.param.name;
                         });

//===----------------------------------------------------------------------===//
// What a finding says
//===----------------------------------------------------------------------===//

TEST(Findings, SayWhere) {
  Workload work = workload("copyStrided");
  Source source(programText("copy", "nvcc"), "copyStrided");
  ASSERT_TRUE(source.apply({"@%p1 bra \t$L__BB1_2;", ""}));
  LaunchOptions options;
  Outcome outcome = run(work, parseText(source.str(), "tail.ptx"), options);
  const Finding *load = nullptr;
  for (const Finding &f : outcome.result.findings)
    if (f.line == source.lineOf("ld.global.f32"))
      load = &f;
  ASSERT_TRUE(load) << text(outcome.result.findings);
  // Threads 100 to 127 of 128 have no element: lanes 4 to 31 of the last
  // warp.
  EXPECT_EQ(load->kind, Kind::OutOfBounds);
  EXPECT_EQ(load->kernel, "copyStrided");
  EXPECT_EQ(load->block.x, 1u);
  EXPECT_EQ(load->warp, 1);
  EXPECT_GE(load->lane, 4);
  EXPECT_LT(load->lane, 32);
  EXPECT_EQ(load->thread.x, 32u + unsigned(load->lane));
  EXPECT_EQ(load->space, "global");
  EXPECT_EQ(load->address,
            outcome.addresses[0] + (64 + load->thread.x) * 8 * 4);
  EXPECT_THAT(load->instruction, HasSubstr("ld.global.f32"));
  EXPECT_THAT(load->text(), HasSubstr("ld.global.f32"));
  EXPECT_EQ(load->count, 28u);
}

TEST(Findings, OfARaceNameBothSides) {
  Workload work("", "k", {1}, {64});
  work.inOut<uint32_t>({0}, {0});
  Source source(kernelOf("setp.lt.u32 %p1, %r1, 63;\n"
                         "@%p1 bra END;\n"
                         "st.global.u32 [%rd1], %r1;\n"
                         "bra END;\n"
                         "END: setp.ne.u32 %p2, %r1, 5;\n"
                         "@!%p2 st.global.u32 [%rd1], %r1;"),
                "k");
  unsigned first = source.lineOf({"st.global.u32 [%rd1], %r1;", 1, 2});
  unsigned second = source.lineOf({"st.global.u32 [%rd1], %r1;", 2, 2});
  for (uint64_t seed = 0; seed < 20; ++seed) {
    LaunchOptions options;
    options.seed = seed;
    Outcome outcome = run(work, parseText(source.str(), "race.ptx"), options);
    ASSERT_EQ(outcome.result.findings.size(), 1u)
        << text(outcome.result.findings);
    const Finding &f = outcome.result.findings[0];
    EXPECT_EQ(f.kind, Kind::DataRace);
    EXPECT_EQ(f.address, outcome.addresses[0]);
    EXPECT_EQ(f.space, "global");
    ASSERT_TRUE(f.line == first || f.line == second) << f.line;
    EXPECT_EQ(f.thread.x, f.line == first ? 63u : 5u);
    unsigned other = f.line == first ? second : first;
    std::string notes;
    for (const std::string &note : f.notes)
      notes += note + "\n";
    EXPECT_THAT(notes, HasSubstr(std::to_string(other)));
    EXPECT_EQ(f.count, 1u);
  }
}

TEST(Findings, OfADeadlockSayWhatEachWarpWaitsFor) {
  Workload work("", "k", {1}, {64});
  work.inOut<uint32_t>({0}, {0});
  Source source(kernelOf("shr.u32 %r2, %r1, 5;\nadd.u32 %r3, %r2, 3;\n"
                         "bar.sync %r3, 64;"),
                "k");
  Outcome outcome =
      run(work, parseText(source.str(), "deadlock.ptx"), LaunchOptions());
  ASSERT_EQ(outcome.result.findings.size(), 1u)
      << text(outcome.result.findings);
  const Finding &f = outcome.result.findings[0];
  EXPECT_EQ(f.kind, Kind::Deadlock);
  std::string notes;
  for (const std::string &note : f.notes)
    notes += note + "\n";
  EXPECT_THAT(notes, HasSubstr("barrier 3"));
  EXPECT_THAT(notes, HasSubstr("barrier 4"));
  EXPECT_THAT(notes,
              HasSubstr(std::to_string(source.lineOf("bar.sync %r3, 64;"))));
}

TEST(Findings, EndALaunchWhenTheyAreTooMany) {
  std::string body;
  for (int i = 0; i < 30; ++i)
    body += "ld.global.u32 %r5, [%rd1+" + std::to_string(4096 + 4 * i) + "];\n";
  Workload work("", "k", {1}, {32});
  work.inOut<uint32_t>({0}, {0});
  std::shared_ptr<const Module> module = parseText(kernelOf(body), "many.ptx");
  LaunchOptions options;
  options.maxFindings = 5;
  Outcome outcome = run(work, module, options);
  EXPECT_EQ(outcome.result.findings.size(), 5u);
  EXPECT_TRUE(outcome.result.truncated);
  options.maxFindings = 100;
  outcome = run(work, module, options);
  EXPECT_EQ(outcome.result.findings.size(), 30u);
  EXPECT_FALSE(outcome.result.truncated);
  for (const Finding &f : outcome.result.findings) {
    EXPECT_EQ(f.kind, Kind::OutOfBounds);
    EXPECT_EQ(f.count, 32u);
  }
}

TEST(Findings, UseAfterFree) {
  std::shared_ptr<const Module> module = program("copy", "nvcc");
  ASSERT_TRUE(module);
  Source source(programText("copy", "nvcc"), "copyVectors");
  Device device;
  std::vector<uint8_t> zeros(2048);
  uint64_t x = device.allocate(2048, "x"), y = device.allocate(2048, "y");
  ASSERT_TRUE(device.write(x, zeros.data(), 2048));
  LaunchOptions options;
  options.grid = {2};
  options.block = {64};
  Parameters parameters;
  parameters.add(x).add(y);
  EXPECT_TRUE(device.launch(module, "copyVectors", parameters, options));
  ASSERT_TRUE(device.free(x));
  EXPECT_FALSE(device.free(x));
  // Memory of the same size must not come to lie at the same place.
  uint64_t z = device.allocate(2048, "z");
  EXPECT_NE(z, 0u);
  LaunchResult result =
      device.launch(module, "copyVectors", parameters, options);
  ASSERT_FALSE(result.findings.empty());
  EXPECT_EQ(result.findings[0].kind, Kind::OutOfBounds);
  EXPECT_EQ(result.findings[0].line, source.lineOf("ld.global.v4.f32"));
  EXPECT_GE(result.findings[0].address, x);
  EXPECT_LT(result.findings[0].address, x + 2048);
  EXPECT_THAT(result.findings[0].text(), HasSubstr("freed"));
}

TEST(Findings, MemoryOfTheHostIsChecked) {
  std::shared_ptr<const Module> module = program("copy", "nvcc");
  ASSERT_TRUE(module);
  Device device;
  EXPECT_FALSE(device.free(device.symbol(module, "nothing")));
  EXPECT_FALSE(device.free(4096));
  uint8_t byte = 0;
  EXPECT_FALSE(device.read(4096, &byte, 1));
  uint64_t x = device.allocate(10);
  EXPECT_EQ(device.undefinedBytes(x, 10), 10u);
  EXPECT_TRUE(device.write(x + 3, &byte, 1));
  EXPECT_EQ(device.undefinedBytes(x, 10), 9u);
  EXPECT_EQ(device.undefinedBytes(x + 4, 10), 10u);
  EXPECT_FALSE(device.write(x + 10, &byte, 1));
  EXPECT_TRUE(device.write(x + 9, &byte, 1));
}

/// Each bit is defined or not by itself.
TEST(Findings, NotOfBitsThatAreMaskedAway) {
  Workload work("", "k", {1}, {32});
  work.inOut<uint32_t>({0}, {7});
  // The high half of %r5 and all but one byte of the word in shared memory were
  // never written.
  std::string body = R"(
    .reg .b16 %h<3>;
    mov.u16 %h1, 7;
    mov.b32 %r5, {%h1, %h2};
    and.b32 %r6, %r5, 65535;
    shl.b32 %r2, %r1, 2;
    mov.u32 %r4, s;
    add.u32 %r3, %r4, %r2;
    st.shared.u8 [%r3+1], 0;
    ld.shared.u32 %r7, [%r3];
    or.b32 %r8, %r7, -65281;
    not.b32 %r9, %r8;
    add.u32 %r10, %r6, %r9;
    add.u32 %r10, %r10, -65280;
    setp.ne.u32 %p1, %r1, 0;
    @!%p1 st.global.u32 [%rd1], %r10;)";
  Outcome outcome =
      run(work, parseText(kernelOf(body), "bits.ptx"), LaunchOptions());
  expectRight(work, outcome);
}

/// Values that are computed and dropped are no defect where only effects
/// count.
TEST(Findings, OnlyOfEffects) {
  Workload work("", "k", {1}, {32});
  work.inOut<uint32_t>({0}, {0});
  Source dropped(kernelOf("add.u32 %r5, %r6, 1;"), "k");
  Source used(kernelOf("add.u32 %r5, %r6, 1;\nmul.wide.u32 %rd2, %r5, 4;\n"
                       "add.u64 %rd3, %rd1, %rd2;\nld.global.u32 %r7, [%rd3];"),
              "k");
  LaunchOptions options;
  for (UndefinedUse use : {UndefinedUse::Arithmetic, UndefinedUse::Effects}) {
    bool isArithmetic = use == UndefinedUse::Arithmetic;
    options.undefinedUse = use;
    Outcome outcome =
        run(work, parseText(dropped.str(), "dropped.ptx"), options);
    ASSERT_EQ(outcome.result.findings.size(), isArithmetic ? 1u : 0u);
    outcome = run(work, parseText(used.str(), "used.ptx"), options);
    unsigned line = used.lineOf(isArithmetic ? "add.u32 %r5" : "ld.global.u32");
    unsigned found = 0;
    for (const Finding &f : outcome.result.findings)
      if (f.kind == Kind::UndefinedValue) {
        EXPECT_EQ(f.line, line);
        ++found;
      }
    EXPECT_EQ(found, 1u) << text(outcome.result.findings);
  }
}
