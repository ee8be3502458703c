//===- PtxasTest.cpp - Find ptxas and read what it says -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Target/Ptxas.h"
#include <gtest/gtest.h>

using namespace mlir::muon;

namespace {

// The form of ptxas 13.0.
constexpr llvm::StringLiteral kLog = R"(
ptxas info    : 25464 bytes gmem, 8 bytes cmem[4]
ptxas info    : Compiling entry function 'reduce_1' for 'sm_80'
ptxas info    : Function properties for reduce_1
    8 bytes stack frame, 12 bytes spill stores, 20 bytes spill loads
ptxas info    : Used 48 registers, used 1 barriers, 8 bytes cumulative stack size
ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async
ptxas info    : Compiling entry function 'product_6' for 'sm_80'
ptxas info    : Function properties for product_6
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 384 bytes smem
ptxas warning : Value of threads per SM is out of range
)";

TEST(PtxasTest, RegistersAndSpillsOfEachKernel) {
  PtxasLog log = parsePtxasLog(kLog);
  ASSERT_EQ(log.kernels.size(), 2u);
  EXPECT_EQ(log.kernels[0].name, "reduce_1");
  EXPECT_EQ(log.kernels[0].registers, 48);
  EXPECT_EQ(log.kernels[0].spilled, 32);
  EXPECT_EQ(log.kernels[1].name, "product_6");
  EXPECT_EQ(log.kernels[1].registers, 255);
  EXPECT_EQ(log.kernels[1].spilled, 0);
}

TEST(PtxasTest, AdviceAndWarnings) {
  PtxasLog log = parsePtxasLog(kLog);
  ASSERT_EQ(log.messages.size(), 2u);
  EXPECT_NE(log.messages[0].find("(C7510)"), std::string::npos);
  EXPECT_NE(log.messages[1].find("out of range"), std::string::npos);
}

TEST(PtxasTest, SpillsOfACalledFunctionAreItsCallers) {
  PtxasLog log = parsePtxasLog(
      "ptxas info    : Compiling entry function 'a' for 'sm_80'\n"
      "ptxas info    : Function properties for a\n"
      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
      "ptxas info    : Function properties for helper\n"
      "    4 bytes stack frame, 4 bytes spill stores, 0 bytes spill loads\n");
  ASSERT_EQ(log.kernels.size(), 1u);
  EXPECT_EQ(log.kernels[0].spilled, 4);
}

TEST(PtxasTest, NothingToRead) {
  PtxasLog log = parsePtxasLog("");
  EXPECT_TRUE(log.kernels.empty());
  EXPECT_TRUE(log.messages.empty());
}

TEST(PtxasTest, Paths) {
  EXPECT_EQ(llvm::cantFail(findPtxas("none")), "");
  EXPECT_EQ(llvm::cantFail(findPtxas("/bin/sh")), "/bin/sh");
  llvm::Expected<std::string> path = findPtxas("/no/such/ptxas");
  ASSERT_FALSE(path);
  EXPECT_EQ(llvm::toString(path.takeError()),
            "expected the path of ptxas, auto or none, found '/no/such/ptxas'");
}

TEST(PtxasTest, FailureSaysWhatWasPrinted) {
  llvm::Expected<Cubin> cubin = assemblePtx("/bin/sh", "sm_80", "");
  ASSERT_FALSE(cubin);
  EXPECT_EQ(llvm::toString(cubin.takeError()).find("/bin/sh failed: "), 0u);
}

} // namespace
