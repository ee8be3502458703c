//===- ProgramsTest.cpp - Programs of two compilers -----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The CUDA programs in Programs/, as PTX by nvcc and by LLVM.
//
//===----------------------------------------------------------------------===//

#include "Programs/Workloads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <sstream>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;
using testing::HasSubstr;

static const Dim3 none{0, 0, 0};

// Sanitizers look at the simulator, which takes fewer.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PTXSIM_FEW_SEEDS
#endif
#endif
#ifdef PTXSIM_FEW_SEEDS
static constexpr uint64_t numSeeds = 10;
#else
static constexpr uint64_t numSeeds = 100;
#endif

static bool operator==(const Dim3 &a, const Dim3 &b) {
  return a.x == b.x && a.y == b.y && a.z == b.z;
}

//===----------------------------------------------------------------------===//
// Every kernel
//===----------------------------------------------------------------------===//

namespace {
struct Case {
  std::string compiler;
  const Workload *workload;
};

std::vector<Case> allCases() {
  std::vector<Case> cases;
  for (const Workload &w : allWorkloads())
    for (const char *compiler : {"nvcc", "llvm"})
      cases.push_back({compiler, &w});
  return cases;
}

void PrintTo(const Case &c, std::ostream *os) {
  *os << c.workload->kernel << " by " << c.compiler;
}

class EveryProgram : public testing::TestWithParam<Case> {
protected:
  const Workload &work = *GetParam().workload;
  std::shared_ptr<const Module> module =
      program(work.program, GetParam().compiler);

  Outcome runSeed(uint64_t seed) {
    LaunchOptions options;
    options.seed = seed;
    options.maxInstructions = 100'000'000;
    options.hostThreads = 1 + seed % 2;
    return run(work, module, options,
               seed % 2 ? Outputs::Filled : Outputs::Undefined);
  }
};
} // namespace

TEST_P(EveryProgram, IsRightForEverySeed) {
  ASSERT_TRUE(module);
  Outcome first = runSeed(0);
  expectRight(work, first);
  std::vector<uint8_t> bits = writtenBytes(work, first);
  std::string counters = first.result.counters.json();
  for (uint64_t seed = 1; seed < numSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Outcome other = runSeed(seed);
    expectRight(work, other);
    if (!work.anyOrder)
      EXPECT_EQ(writtenBytes(work, other), bits);
    // Those that wait in a loop count its turns.
    if (work.program != "spin" && work.kernel != "extremes")
      EXPECT_EQ(other.result.counters.json(), counters);
  }
}

TEST_P(EveryProgram, IsTheSameWithoutRaceDetection) {
  ASSERT_TRUE(module);
  LaunchOptions options;
  options.seed = 3;
  options.hostThreads = 1;
  Outcome with = run(work, module, options);
  options.detectRaces = false;
  Outcome without = run(work, module, options);
  expectRight(work, without);
  EXPECT_EQ(writtenBytes(work, without), writtenBytes(work, with));
  EXPECT_EQ(without.result.counters.json(), with.result.counters.json());
}

TEST_P(EveryProgram, ASeedReproducesALaunch) {
  ASSERT_TRUE(module);
  LaunchOptions options;
  options.seed = 12345;
  options.hostThreads = 1;
  Outcome one = run(work, module, options);
  Outcome two = run(work, module, options);
  EXPECT_EQ(writtenBytes(work, one), writtenBytes(work, two));
  EXPECT_EQ(one.result.counters.json(), two.result.counters.json());
}

INSTANTIATE_TEST_SUITE_P(PTXSim, EveryProgram, testing::ValuesIn(allCases()),
                         [](const testing::TestParamInfo<Case> &info) {
                           return info.param.workload->kernel + "_" +
                                  info.param.compiler;
                         });

//===----------------------------------------------------------------------===//
// Some of them
//===----------------------------------------------------------------------===//

namespace {
class Programs : public testing::TestWithParam<std::string> {
protected:
  std::shared_ptr<const Module> module(const std::string &name) {
    return program(name, GetParam());
  }

  /// Launches what must be right, for its counters.
  Counters count(const Workload &work) {
    LaunchOptions options;
    options.seed = 7;
    Outcome outcome = run(work, module(work.program), options);
    expectRight(work, outcome);
    return outcome.result.counters;
  }
};
} // namespace

INSTANTIATE_TEST_SUITE_P(PTXSim, Programs, testing::Values("nvcc", "llvm"),
                         [](const testing::TestParamInfo<std::string> &info) {
                           return info.param;
                         });

TEST_P(Programs, AllKernelsAreRun) {
  std::set<std::string> run = {"lookUp"}, programs;
  for (const Workload &w : allWorkloads()) {
    run.insert(w.kernel);
    programs.insert(w.program);
  }
  for (const std::string &name : programs) {
    std::shared_ptr<const Module> m = module(name);
    ASSERT_TRUE(m);
    for (const KernelInfo &kernel : m->kernels()) {
      EXPECT_TRUE(run.erase(kernel.name)) << kernel.name << " has no test";
      EXPECT_EQ(m->find(kernel.name), &kernel);
    }
  }
  EXPECT_TRUE(run.empty()) << *run.begin() << " is in no program";
}

TEST_P(Programs, Describe) {
  std::shared_ptr<const Module> m = module("matmul");
  ASSERT_TRUE(m);
  EXPECT_EQ(m->target(), 80u);
  EXPECT_EQ(m->isaVersion(), GetParam() == "nvcc" ? 90u : 88u);
  const KernelInfo *kernel = m->find("matmul");
  ASSERT_TRUE(kernel);
  ASSERT_EQ(kernel->parameters.size(), 5u);
  const uint32_t offsets[] = {0, 8, 16, 24, 28};
  for (int i = 0; i < 5; ++i) {
    const ParameterInfo &p = kernel->parameters[i];
    EXPECT_EQ(p.name, "matmul_param_" + std::to_string(i));
    EXPECT_EQ(p.type, i < 3 ? "u64" : "u32");
    EXPECT_EQ(p.offset, offsets[i]);
    EXPECT_EQ(p.size, i < 3 ? 8u : 4u);
    EXPECT_EQ(p.alignment, p.size);
  }
  const KernelResources &resources = kernel->resources;
  EXPECT_EQ(resources.parameterBytes, 32u);
  // Three stages of two tiles of 64x32 in two bytes.
  EXPECT_EQ(resources.staticSharedBytes, 3 * 2 * 64 * 32 * 2u);
  EXPECT_EQ(resources.localBytes, 0u);
  // LLVM writes no more than the first of them.
  EXPECT_EQ(resources.maxThreads[0], 128u);
  EXPECT_LE(resources.maxThreads[1], 1u);
  EXPECT_LE(resources.maxThreads[2], 1u);
  EXPECT_EQ(resources.requiredThreads, (std::array<uint32_t, 3>{}));
  // 32 sums at least, and no more than a thread can have.
  EXPECT_GT(resources.registers, 32u);
  EXPECT_LT(resources.registers, 255u);
  EXPECT_EQ(m->find("matmu"), nullptr);

  m = module("switch");
  ASSERT_TRUE(m);
  kernel = m->find("doubles");
  ASSERT_TRUE(kernel);
  ASSERT_EQ(kernel->parameters.size(), 4u);
  const ParameterInfo &range = kernel->parameters[2];
  EXPECT_EQ(range.type, "b8");
  EXPECT_EQ(range.offset, 16u);
  EXPECT_EQ(range.size, 24u);
  EXPECT_EQ(range.alignment, 8u);
  EXPECT_EQ(kernel->parameters[3].offset, 40u);
  EXPECT_EQ(kernel->resources.parameterBytes, 44u);

  m = module("recursion");
  ASSERT_TRUE(m);
  kernel = m->find("sortRows");
  ASSERT_TRUE(kernel);
  EXPECT_GE(kernel->resources.localBytes, 64u);
}

/// Global variables keep their values between launches.
TEST_P(Programs, Variables) {
  std::shared_ptr<const Module> m = module("switch");
  ASSERT_TRUE(m);
  Device device;
  uint64_t bytes = 0, calls = device.symbol(m, "calls", &bytes);
  ASSERT_NE(calls, 0u);
  EXPECT_EQ(bytes, 8u);
  EXPECT_EQ(device.symbol(m, "nowhere"), 0u);
  uint64_t value = 0;
  ASSERT_TRUE(device.read(calls, &value, 8));
  EXPECT_EQ(value, 40u);
  uint64_t word = device.symbol(m, "eleven", &bytes);
  ASSERT_NE(word, 0u);
  EXPECT_EQ(bytes, 7u);
  char letters[7];
  ASSERT_TRUE(device.read(word, letters, 7));
  EXPECT_STREQ(letters, "eleven");

  const int fibonacci[] = {1, 1, 2, 3, 5, 8}, lengths[] = {3, 6, 5};
  LaunchOptions options;
  options.block = {12};
  uint64_t out = device.allocate(12 * 4, "out");
  for (unsigned launch = 1; launch <= 3; ++launch) {
    LaunchResult result =
        device.launch(m, "lookUp", Parameters().add(out), options);
    EXPECT_TRUE(result) << text(result.findings);
    int found[12];
    ASSERT_TRUE(device.read(out, found, sizeof(found)));
    for (int t = 0; t < 12; ++t)
      EXPECT_EQ(found[t], lengths[t % 3] * 100 + fibonacci[t % 6]) << t;
    ASSERT_TRUE(device.read(calls, &value, 8));
    EXPECT_EQ(value, 40 + launch);
  }
  // A write from the host is seen.
  value = 1000;
  ASSERT_TRUE(device.write(calls, &value, 8));
  EXPECT_TRUE(device.launch(m, "lookUp", Parameters().add(out), options));
  ASSERT_TRUE(device.read(calls, &value, 8));
  EXPECT_EQ(value, 1001u);
  // Another device has its own.
  Device other;
  ASSERT_TRUE(other.read(other.symbol(m, "calls"), &value, 8));
  EXPECT_EQ(value, 40u);
}

//===----------------------------------------------------------------------===//
// Matrices of other sizes
//===----------------------------------------------------------------------===//

TEST_P(Programs, MatmulOfManySizes) {
  struct Size {
    const char *kernel;
    int m, n, k;
  };
  // One tile and fewer than stages; the pipeline full and wrapped around twice;
  // one element, one beyond a tile, rows and columns that end in a chunk.
  const Size sizes[] = {{"matmul", 64, 64, 32},
                        {"matmul", 64, 64, 64},
                        {"matmul", 128, 64, 224},
                        {"matmulTransposed", 64, 64, 32},
                        {"matmulTransposed", 64, 192, 160},
                        {"matmulMasked", 1, 1, 1},
                        {"matmulMasked", 65, 63, 33},
                        {"matmulMasked", 64, 64, 32},
                        {"matmulMasked", 15, 37, 7},
                        {"matmulMasked", 100, 9, 130}};
  for (const Size &s : sizes) {
    SCOPED_TRACE(testing::Message()
                 << s.kernel << " " << s.m << "x" << s.n << "x" << s.k);
    count(matmulOf(s.kernel, s.m, s.n, s.k));
  }
}

TEST_P(Programs, MatmulThatRounds) { count(roundingMatmulOf(64, 64, 512)); }

//===----------------------------------------------------------------------===//
// Counters, derived by hand
//===----------------------------------------------------------------------===//

TEST_P(Programs, CopyOfVectorsCounts) {
  Counters c = count(workload("copyVectors"));
  // 4 warps, each 32 vectors of 16 bytes in and out: 16 sectors each way.
  EXPECT_EQ(c.global.readBytes, 2048u);
  EXPECT_EQ(c.global.writtenBytes, 2048u);
  EXPECT_EQ(c.globalRequests, 8u);
  EXPECT_EQ(c.globalSectors, 128u);
  EXPECT_EQ(c.globalSectorsIdeal, 128u);
  EXPECT_EQ(c.shared.readBytes + c.shared.writtenBytes, 0u);
  EXPECT_EQ(c.local.readBytes + c.local.writtenBytes, 0u);
  EXPECT_EQ(c.sharedRequests, 0u);
  EXPECT_EQ(c.asyncBytes, 0u);
  EXPECT_EQ(c.barrierWaits, 0u);
  // Straight code: every warp executes every line once, ret among them.
  EXPECT_EQ(c.totalWarpInstructions() % 4, 0u);
  EXPECT_EQ(std::accumulate(c.threadInstructions.begin(),
                            c.threadInstructions.end(), uint64_t(0)),
            32 * c.totalWarpInstructions());
  // Two parameters, a load and a store.
  EXPECT_EQ(c.warpInstructions[unsigned(InstructionClass::Memory)], 4 * 4u);
  EXPECT_EQ(c.warpInstructions[unsigned(InstructionClass::Float)], 0u);
  EXPECT_EQ(c.tensorFlops.bf16, 0u);
}

TEST_P(Programs, StridedCopyCounts) {
  Counters c = count(workload("copyStrided"));
  // 100 elements, each in a sector of its own; written side by side: 4 sectors
  // for each of 3 warps and 1 for the 4 elements of the last.
  EXPECT_EQ(c.global.readBytes, 400u);
  EXPECT_EQ(c.global.writtenBytes, 400u);
  EXPECT_EQ(c.globalRequests, 8u);
  EXPECT_EQ(c.globalSectors, 100 + 13u);
  EXPECT_EQ(c.globalSectorsIdeal, 13 + 13u);
}

TEST_P(Programs, TransposesCount) {
  Counters padded = count(workload("transposePadded"));
  // 32 rows are written, 32 columns are read.
  EXPECT_EQ(padded.sharedRequests, 64u);
  EXPECT_EQ(padded.sharedWavefronts, 64u);
  EXPECT_EQ(padded.sharedBankConflicts, 0u);
  EXPECT_EQ(padded.shared.readBytes, 4096u);
  EXPECT_EQ(padded.shared.writtenBytes, 4096u);
  EXPECT_EQ(padded.barrierWaits, 8u);
  Counters conflicts = count(workload("transposeConflicts"));
  // All of a column is in one bank.
  EXPECT_EQ(conflicts.sharedRequests, 64u);
  EXPECT_EQ(conflicts.sharedWavefronts, 32 + 32 * 32u);
  EXPECT_EQ(conflicts.sharedBankConflicts, 32 * 31u);
  EXPECT_EQ(conflicts.barrierWaits, 8u);
}

TEST_P(Programs, MatmulCounts) {
  const uint64_t m = 64, n = 128, k = 96, blocks = 2;
  for (const char *kernel : {"matmul", "matmulTransposed"}) {
    SCOPED_TRACE(kernel);
    Counters c = count(workload(kernel));
    EXPECT_EQ(c.tensorFlops.bf16, 2 * m * n * k);
    EXPECT_EQ(c.tensorFlops.f16 + c.tensorFlops.tf32 + c.tensorFlops.f64, 0u);
    // Each product of 16x8x16 is one instruction of a warp. For each step of
    // 16, its 4 warps load 2 fragments of A and 4 of B, these two at a time if
    // transposed.
    bool isTransposed = kernel == std::string("matmulTransposed");
    EXPECT_EQ(c.warpInstructions[unsigned(InstructionClass::Tensor)],
              m * n * k / (16 * 8 * 16) +
                  blocks * 4 * (k / 16) * (isTransposed ? 4 : 6));
    // Each block reads 64 rows of A and 64 columns of B.
    EXPECT_EQ(c.asyncBytes, blocks * (64 + 64) * k * 2);
    EXPECT_EQ(c.global.readBytes, c.asyncBytes);
    EXPECT_EQ(c.global.writtenBytes, m * n * 4);
    EXPECT_EQ(c.globalSectors, (c.global.readBytes + m * n * 4) / 32);
    EXPECT_EQ(c.globalSectorsIdeal, c.globalSectors);
    EXPECT_EQ(c.shared.writtenBytes, c.asyncBytes);
    // For each step of 16, a warp reads 32x16 of A and 32x16 of B, and there
    // are 4 warps; bytes: 2 each.
    EXPECT_EQ(c.shared.readBytes, blocks * 4 * (k / 16) * (2 * 32 * 16) * 2);
    EXPECT_EQ(c.sharedBankConflicts, 0u);
    // One for each of 3 tiles.
    EXPECT_EQ(c.barrierWaits, blocks * 4 * (k / 32));
  }
}

TEST_P(Programs, SmallProductsCount) {
  EXPECT_EQ(count(workload("mmaF16")).tensorFlops.f16, 2u * 16 * 8 * 48);
  EXPECT_EQ(count(workload("mmaF16Sum")).tensorFlops.f16, 2u * 16 * 8 * 24);
  EXPECT_EQ(count(workload("mmaTF32")).tensorFlops.tf32, 2u * 16 * 8 * 40);
  EXPECT_EQ(count(workload("mmaF64")).tensorFlops.f64, 2u * 8 * 8 * 20);
}

TEST_P(Programs, AtomicsCount) {
  Counters c = count(workload("reduceAtomic"));
  // One of 4 bytes for each of 12 warps, next to 300 elements read.
  EXPECT_EQ(c.warpInstructions[unsigned(InstructionClass::Atomic)], 12u);
  EXPECT_EQ(c.threadInstructions[unsigned(InstructionClass::Atomic)], 12u);
  EXPECT_EQ(c.global.readBytes, 300 * 4 + 12 * 4u);
  EXPECT_EQ(c.global.writtenBytes, 12 * 4u);
}

TEST_P(Programs, BarriersCount) {
  // 4 blocks of 4 warps; a barrier before, after each of 7 steps, and one for
  // the last block.
  EXPECT_EQ(count(workload("scan")).barrierWaits, 4u * 4 * 9);
  EXPECT_EQ(count(workload("histogram")).barrierWaits, 2u * 3 * 2);
}

//===----------------------------------------------------------------------===//
// The trace, and what the launch refuses
//===----------------------------------------------------------------------===//

TEST_P(Programs, Trace) {
  std::ostringstream trace;
  LaunchOptions options;
  options.trace = &trace;
  Workload work = workload("copyVectors");
  Outcome outcome = run(work, module("copy"), options);
  expectRight(work, outcome);
  std::string text = trace.str();
  EXPECT_THAT(text, HasSubstr("ld.global.v4"));
  EXPECT_THAT(text, HasSubstr("st.global.v4"));
  EXPECT_GE(uint64_t(std::count(text.begin(), text.end(), '\n')),
            outcome.result.counters.totalWarpInstructions());
}

TEST_P(Programs, AnUnknownKernelIsAFinding) {
  Device device;
  LaunchResult result =
      device.launch(module("copy"), "copy", Parameters(), LaunchOptions());
  ASSERT_EQ(result.findings.size(), 1u);
  EXPECT_EQ(result.findings[0].kind, FindingKind::Launch);
  EXPECT_EQ(result.findings[0].line, 0u);
  EXPECT_TRUE(result.findings[0].block == none);
}
