//===- InstructionWarpTest.cpp - Instructions of a warp ---------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sections "shfl.sync", "vote.sync", "match.sync", "redux.sync", "activemask",
// "elect.sync", "bar.warp.sync" and "Special Registers".
//
//===----------------------------------------------------------------------===//

#include "InstructionTest.h"

#include <algorithm>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;

namespace {

constexpr unsigned warpSize = 32;

using Warp = std::vector<Values>;
/// The results of a lane, from the operands of all lanes.
using WarpDefinition = std::function<Values(const Warp &, unsigned lane)>;

std::string hex(const Values &values) {
  std::string text;
  for (uint64_t value : values) {
    char buffer[32];
    std::snprintf(buffer, sizeof(buffer), " 0x%llx",
                  static_cast<unsigned long long>(value));
    text += buffer;
  }
  return text;
}

/// `adjust` sees the operands of a whole warp.
void checkWarps(const std::string &instruction,
                const std::vector<std::string> &results,
                const std::vector<std::string> &sources,
                const WarpDefinition &definition,
                const std::function<void(Warp &, Random &)> &adjust = {},
                const std::string &target = "") {
  SCOPED_TRACE(instruction);
  Random random(7);
  std::vector<Values> rows;
  for (unsigned i = 0; i < 32; ++i) {
    Warp warp = makeOperands(sources, warpSize, i + 1);
    warp.erase(warp.begin(), warp.end() - warpSize);
    if (adjust)
      adjust(warp, random);
    rows.insert(rows.end(), warp.begin(), warp.end());
  }
  std::vector<Values> actual =
      runLanes(instruction, results, sources, rows, target);
  unsigned failures = 0;
  for (size_t i = 0; i < actual.size() && failures < 3; ++i) {
    Warp warp(rows.begin() + i / warpSize * warpSize,
              rows.begin() + (i / warpSize + 1) * warpSize);
    Values expected = definition(warp, i % warpSize);
    for (size_t j = 0; j < expected.size(); ++j)
      expected[j] = cut(expected[j], bitsOfType(results[j]));
    if (expected.empty() || expected == actual[i])
      continue;
    ++failures;
    ADD_FAILURE() << "lane " << i % warpSize << " with operands" << hex(rows[i])
                  << "\n  expected" << hex(expected) << "\n  found"
                  << hex(actual[i]);
  }
}

//===----------------------------------------------------------------------===//
// shfl
//===----------------------------------------------------------------------===//

/// The lane that is read, and whether it lies in the range.
std::pair<unsigned, bool> sourceLane(const std::string &mode, int lane, int b,
                                     int c) {
  int by = b & 31, limit = c & 31, segments = c >> 8 & 31;
  int last = (lane & segments) | (limit & ~segments & 31);
  int first = lane & segments;
  int from = mode == "up"     ? lane - by
             : mode == "down" ? lane + by
             : mode == "bfly" ? lane ^ by
                              : first | (by & ~segments & 31);
  bool inRange = mode == "up" ? from >= last : from <= last;
  return {unsigned(inRange ? from : lane), inRange};
}

TEST(PTXWarp, ShuffleSegments) {
  for (std::string mode : {"up", "down", "bfly", "idx"})
    for (unsigned width : {1u, 2u, 4u, 8u, 16u, 32u})
      for (unsigned by : {0u, 1u, 2u, 3u, 7u, 16u, 31u}) {
        unsigned c = (32 - width) << 8 | (mode == "up" ? 0 : 31);
        auto definition = [&](const Warp &warp, unsigned lane) {
          auto from = sourceLane(mode, int(lane), int(by), int(c));
          return Values{warp[from.first][0], from.second};
        };
        std::string rest = std::to_string(by) + ", " + std::to_string(c);
        checkWarps("shfl.sync." + mode + ".b32 %d0|%d1, %s0, " + rest +
                       ", 0xffffffff;",
                   {"b32", "pred"}, {"b32"}, definition);
        checkWarps("shfl.sync." + mode + ".b32 %d0, %s0, " + rest + ", -1;",
                   {"b32"}, {"b32"}, [&](const Warp &warp, unsigned lane) {
                     return Values{definition(warp, lane)[0]};
                   });
      }
}

TEST(PTXWarp, ShuffleWithOperandsOfEachLane) {
  for (std::string mode : {"up", "down", "bfly", "idx"})
    checkWarps(
        "shfl.sync." + mode + ".b32 %d0|%d1, %s0, %s1, %s2, 0xffffffff;",
        {"b32", "pred"}, {"b32", "b32", "b32"},
        [&](const Warp &warp, unsigned lane) {
          auto from = sourceLane(mode, int(lane), int(warp[lane][1]),
                                 int(warp[lane][2]));
          return Values{warp[from.first][0], from.second};
        },
        [](Warp &warp, Random &random) {
          for (Values &lane : warp) {
            lane[1] = random() % 40;
            lane[2] = random() & 0x1f1f;
          }
        });
}

TEST(PTXWarp, ShuffleOfSomeLanes) {
  // Only the lanes of the mask take part; the others keep what they have.
  for (uint32_t mask : {0x0000ffffu, 0x00ff00ffu, 0xaaaaaaaau, 0x80000001u}) {
    std::string text =
        "  .reg .b32 %bit;\n  .reg .pred %member;\n"
        "  shl.b32 %bit, 1, %lane;\n"
        "  and.b32 %bit, %bit, " +
        std::to_string(mask) +
        ";\n  setp.ne.u32 %member, %bit, 0;\n  mov.b32 %d0, 77;\n"
        "  @%member shfl.sync.idx.b32 %d0, %s0, %s1, 31, " +
        std::to_string(mask) + ";";
    checkWarps(
        text, {"b32"}, {"b32", "u32"},
        [&](const Warp &warp, unsigned lane) {
          if (!(mask >> lane & 1))
            return Values{77};
          return Values{warp[warp[lane][1] & 31][0]};
        },
        [&](Warp &warp, Random &random) {
          // Lanes outside of the mask give no value.
          for (Values &lane : warp)
            do
              lane[1] = random() % 32;
            while (!(mask >> lane[1] & 1));
        });
  }
}

//===----------------------------------------------------------------------===//
// vote, match, redux
//===----------------------------------------------------------------------===//

/// Predicates that are all, none, one or some.
void spread(Warp &warp, Random &random) {
  unsigned kind = random() % 5, odd = random() % warpSize;
  for (unsigned i = 0; i < warpSize; ++i)
    warp[i][0] = kind == 0   ? 0
                 : kind == 1 ? 1
                 : kind == 2 ? i == odd
                 : kind == 3 ? i != odd
                             : random() & 1;
}

/// Text that makes %member of the lanes of a mask.
std::string members(uint32_t mask) {
  return "  .reg .b32 %bit;\n  .reg .pred %member;\n"
         "  shl.b32 %bit, 1, %lane;\n  and.b32 %bit, %bit, " +
         std::to_string(mask) + ";\n  setp.ne.u32 %member, %bit, 0;\n";
}

const uint32_t masks[] = {0xffffffff, 0x0000ffff, 0x55555555, 0x80000001, 0x10};

TEST(PTXWarp, Vote) {
  for (uint32_t mask : masks)
    for (bool negated : {false, true}) {
      auto ballot = [=](const Warp &warp) {
        uint32_t bits = 0;
        for (unsigned i = 0; i < warpSize; ++i)
          bits |= uint32_t((warp[i][0] != 0) != negated) << i;
        return bits & mask;
      };
      std::string operand = std::string(negated ? "!%s0, " : "%s0, ") +
                            std::to_string(mask) + ";";
      auto outside = [=](unsigned lane) { return !(mask >> lane & 1); };
      // The others keep what they have: a predicate that is false.
      std::string start =
          members(mask) + "  setp.ne.u32 %d0, 0, 0;\n  @%member vote.sync.";
      checkWarps(
          start + "all.pred %d0, " + operand, {"pred"}, {"pred"},
          [=](const Warp &warp, unsigned lane) {
            return Values{!outside(lane) && ballot(warp) == mask};
          },
          spread);
      checkWarps(
          start + "any.pred %d0, " + operand, {"pred"}, {"pred"},
          [=](const Warp &warp, unsigned lane) {
            return Values{!outside(lane) && ballot(warp) != 0};
          },
          spread);
      checkWarps(
          start + "uni.pred %d0, " + operand, {"pred"}, {"pred"},
          [=](const Warp &warp, unsigned lane) {
            uint32_t bits = ballot(warp);
            return Values{!outside(lane) && (bits == 0 || bits == mask)};
          },
          spread);
      checkWarps(
          members(mask) +
              "  mov.b32 %d0, 3;\n  @%member vote.sync.ballot.b32 "
              "%d0, " +
              operand,
          {"b32"}, {"pred"},
          [=](const Warp &warp, unsigned lane) {
            return Values{outside(lane) ? 3 : ballot(warp)};
          },
          spread);
    }
}

TEST(PTXWarp, Match) {
  auto few = [](Warp &warp, Random &random) {
    uint64_t values[3] = {random(), random(), random()};
    // Two that differ in the upper half only.
    values[2] = values[1] ^ (uint64_t(1) << 63) ^ (uint64_t(1) << 31);
    unsigned count = 1 + unsigned(random() % 3);
    for (Values &lane : warp)
      lane[0] = values[random() % count];
  };
  for (std::string type : {"b32", "b64"})
    for (uint32_t mask : masks) {
      unsigned bits = bitsOfType(type);
      auto narrow = [=](Warp &warp, Random &random) {
        few(warp, random);
        for (Values &lane : warp)
          lane[0] = cut(lane[0], bits);
      };
      auto same = [=](const Warp &warp, unsigned lane) {
        uint32_t result = 0;
        for (unsigned i = 0; i < warpSize; ++i)
          if (warp[i][0] == warp[lane][0])
            result |= 1u << i;
        return result & mask;
      };
      std::string operands = "%s0, " + std::to_string(mask) + ";";
      checkWarps(
          members(mask) + "  mov.b32 %d0, 3;\n  @%member match.any.sync." +
              type + " %d0, " + operands,
          {"b32"}, {type},
          [=](const Warp &warp, unsigned lane) {
            return Values{mask >> lane & 1 ? same(warp, lane) : 3};
          },
          narrow);
      checkWarps(
          members(mask) +
              "  mov.b32 %d0, 3;\n  setp.ne.u32 %d1, 0, 0;\n"
              "  @%member match.all.sync." +
              type + " %d0|%d1, " + operands,
          {"b32", "pred"}, {type},
          [=](const Warp &warp, unsigned lane) {
            if (!(mask >> lane & 1))
              return Values{3, 0};
            bool all = same(warp, lane) == mask;
            return Values{all ? mask : 0, all};
          },
          narrow);
    }
}

TEST(PTXWarp, Redux) {
  struct {
    const char *name, *type;
    uint64_t (*function)(uint64_t, uint64_t);
  } table[] = {
      {"add", "u32", [](uint64_t a, uint64_t b) { return a + b; }},
      {"add", "s32", [](uint64_t a, uint64_t b) { return a + b; }},
      {"min", "u32", [](uint64_t a, uint64_t b) { return std::min(a, b); }},
      {"max", "u32", [](uint64_t a, uint64_t b) { return std::max(a, b); }},
      {"min", "s32",
       [](uint64_t a, uint64_t b) {
         return uint64_t(std::min(extend(a, 32), extend(b, 32)));
       }},
      {"max", "s32",
       [](uint64_t a, uint64_t b) {
         return uint64_t(std::max(extend(a, 32), extend(b, 32)));
       }},
      {"and", "b32", [](uint64_t a, uint64_t b) { return a & b; }},
      {"or", "b32", [](uint64_t a, uint64_t b) { return a | b; }},
      {"xor", "b32", [](uint64_t a, uint64_t b) { return a ^ b; }}};
  for (const auto &row : table)
    for (uint32_t mask : masks)
      checkWarps(members(mask) + "  mov.b32 %d0, 3;\n  @%member redux.sync." +
                     row.name + "." + row.type + " %d0, %s0, " +
                     std::to_string(mask) + ";",
                 {row.type}, {row.type}, [&](const Warp &warp, unsigned lane) {
                   if (!(mask >> lane & 1))
                     return Values{3};
                   bool first = true;
                   uint64_t result = 0;
                   for (unsigned i = 0; i < warpSize; ++i)
                     if (mask >> i & 1) {
                       result = first
                                    ? warp[i][0]
                                    : cut(row.function(result, warp[i][0]), 32);
                       first = false;
                     }
                   return Values{result};
                 });
}

TEST(PTXWarp, ActiveMask) {
  checkWarps("activemask.b32 %d0;", {"b32"}, {"u32"},
             [](const Warp &, unsigned) { return Values{0xffffffff}; });
  // Lanes whose guard is false are not active.
  Random random(8);
  std::vector<Values> rows;
  for (unsigned i = 0; i < 256; ++i)
    rows.push_back({random() & 1});
  auto results = runLanes("mov.b32 %d0, 0;\n  @%s0 activemask.b32 %d0;",
                          {"b32"}, {"pred"}, rows);
  ASSERT_EQ(results.size(), rows.size());
  for (unsigned i = 0; i < rows.size(); ++i) {
    uint32_t on = 0;
    for (unsigned j = 0; j < warpSize; ++j)
      on |= uint32_t(rows[i / warpSize * warpSize + j][0]) << j;
    if (!rows[i][0])
      EXPECT_EQ(results[i][0], 0u);
    else {
      EXPECT_TRUE(results[i][0] >> (i % warpSize) & 1);
      EXPECT_EQ(results[i][0] & ~uint64_t(on), 0u);
    }
  }
}

TEST(PTXWarp, Elect) {
  for (uint32_t mask : masks) {
    std::vector<Values> rows(64, Values{0});
    auto results = runLanes(members(mask) +
                                "  mov.b32 %d0, 99;\n  setp.ne.u32 %d1, 0, 0;\n"
                                "  @%member elect.sync %d0|%d1, " +
                                std::to_string(mask) + ";",
                            {"b32", "pred"}, {"u32"}, rows,
                            ".version 8.0\n.target sm_90\n");
    ASSERT_EQ(results.size(), rows.size());
    for (unsigned warp = 0; warp < 2; ++warp) {
      unsigned elected = 0;
      uint64_t leader = 99;
      for (unsigned lane = 0; lane < warpSize; ++lane) {
        const Values &result = results[warp * warpSize + lane];
        if (!(mask >> lane & 1)) {
          EXPECT_EQ(result, (Values{99, 0}));
          continue;
        }
        elected += result[1];
        if (leader == 99)
          leader = result[0];
        EXPECT_EQ(result[0], leader);
        EXPECT_EQ(result[1], uint64_t(lane == leader));
      }
      EXPECT_EQ(elected, 1u);
    }
  }
}

TEST(PTXWarp, ElectIntoSink) {
  std::vector<Values> rows(128, Values{0});
  auto results = runLanes("elect.sync _|%d0, 0xffffffff;", {"pred"}, {"u32"},
                          rows, ".version 8.0\n.target sm_90\n");
  uint64_t elected = 0;
  for (const Values &result : results)
    elected += result[0];
  EXPECT_EQ(elected, 4u);
}

TEST(PTXWarp, BarrierOrdersMemory) {
  // Each lane reads what its neighbour wrote.
  checkWarps("  .shared .align 4 .b32 words[128];\n  .reg .u32 %at, %next;\n"
             "  mov.u32 %at, words;\n  mad.lo.u32 %next, %thread, 4, %at;\n"
             "  st.shared.u32 [%next], %s0;\n  bar.warp.sync 0xffffffff;\n"
             "  xor.b32 %next, %thread, 5;\n"
             "  mad.lo.u32 %next, %next, 4, %at;\n"
             "  ld.shared.u32 %d0, [%next];",
             {"b32"}, {"b32"}, [](const Warp &warp, unsigned lane) {
               return Values{warp[lane ^ 5][0]};
             });
}

TEST(PTXWarp, SpecialRegisters) {
  checkWarps("mov.u32 %d0, %laneid;\n  mov.u32 %d1, %lanemask_eq;\n"
             "  mov.u32 %d2, %lanemask_le;\n  mov.u32 %d3, %lanemask_lt;\n"
             "  mov.u32 %d4, %lanemask_ge;\n  mov.u32 %d5, %lanemask_gt;\n"
             "  mov.u32 %d6, WARP_SZ;",
             std::vector<std::string>(7, "u32"), {"u32"},
             [](const Warp &, unsigned lane) {
               uint64_t bit = uint64_t(1) << lane;
               return Values{lane,    bit,        2 * bit - 1,
                             bit - 1, ~(bit - 1), ~(2 * bit - 1),
                             warpSize};
             });
}

//===----------------------------------------------------------------------===//
// Defects
//===----------------------------------------------------------------------===//

/// The kinds of what is found in a kernel of one warp.
std::vector<FindingKind> kindsIn(const std::string &body) {
  Kernel kernel;
  kernel.body = body;
  kernel.outputBytes = 128;
  kernel.output.assign(128, 0);
  kernel.options.block = {32, 1, 1};
  std::vector<FindingKind> kinds;
  for (const Finding &finding : findings(kernel))
    kinds.push_back(finding.kind);
  return kinds;
}

TEST(PTXWarp, NamedLanesThatAreElsewhere) {
  const std::string half = "  .reg .pred %p;\n  .reg .b32 %x, %y;\n"
                           "  setp.lt.u32 %p, %lane, 16;\n"
                           "  mov.b32 %x, %lane;\n  mov.b32 %y, 0;\n";
  const std::string store = "  .reg .u64 %at;\n  mul.wide.u32 %at, %lane, 4;\n"
                            "  add.u64 %at, %at, %out;\n"
                            "  st.global.u32 [%at], %y;\n";
  // Each half at an instruction that the other does not execute. (With the
  // same modifiers and mask they would meet, wherever they stand.)
  std::vector<FindingKind> kinds =
      kindsIn(half +
              "  @%p bra FIRST;\n  shfl.sync.bfly.b32 %y, %x, 1, 31, -1;\n"
              "  bra DONE;\nFIRST:\n  shfl.sync.up.b32 %y, %x, 1, 0, -1;\n"
              "DONE:\n" +
              store);
  ASSERT_FALSE(kinds.empty());
  EXPECT_EQ(kinds[0], FindingKind::WarpDivergence);
  EXPECT_EQ(
      kindsIn(half +
              "  @%p bra FIRST;\n  shfl.sync.bfly.b32 %y, %x, 1, 31, -1;\n"
              "  bra DONE;\nFIRST:\n"
              "  shfl.sync.bfly.b32 %y, %x, 1, 31, -1;\nDONE:\n" +
              store),
      std::vector<FindingKind>{});
  // Each half by itself, as its mask says.
  EXPECT_EQ(kindsIn(half +
                    "  @%p bra FIRST;\n"
                    "  shfl.sync.bfly.b32 %y, %x, 1, 31, 0xffff0000;\n"
                    "  bra DONE;\nFIRST:\n"
                    "  shfl.sync.bfly.b32 %y, %x, 2, 31, 0xffff;\nDONE:\n" +
                    store),
            std::vector<FindingKind>{});
  // Lanes that have exited are not waited for.
  EXPECT_EQ(kindsIn(half +
                    "  @%p bra FIRST;\n  ret;\nFIRST:\n"
                    "  shfl.sync.bfly.b32 %y, %x, 1, 31, -1;\n" +
                    store),
            std::vector<FindingKind>{});
  // Lanes that execute it, and that the mask does not name.
  kinds =
      kindsIn(half + "  shfl.sync.bfly.b32 %y, %x, 1, 31, 0xffff;\n" + store);
  ASSERT_FALSE(kinds.empty());
  EXPECT_EQ(kinds[0], FindingKind::WarpDivergence);
  // A value that a lane gives which does not take part.
  kinds = kindsIn(half + "  @%p shfl.sync.idx.b32 %y, %x, 20, 31, 0xffff;\n" +
                  store);
  ASSERT_FALSE(kinds.empty());
  EXPECT_EQ(kinds[0], FindingKind::UndefinedValue);
}

} // namespace
