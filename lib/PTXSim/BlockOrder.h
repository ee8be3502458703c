//===- BlockOrder.h - The order of basic blocks -----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks are put in an order in which the least program counter of a warp's
// fragments is the one to run next: each loop is contiguous, and what follows a
// branch stands before what follows its join (G. Diamos et al., "SIMD
// Re-Convergence At Thread Frontiers", MICRO 2011, with the order of F.
// Bourdoncle, "Efficient chaotic iteration strategies with widenings", 1993).
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_BLOCKORDER_H
#define MUON_MLIR_LIB_PTXSIM_BLOCKORDER_H

#include <cstdint>
#include <vector>

namespace muon::ptxsim {

/// Instructions of which only the last one may jump.
struct BasicBlock {
  uint32_t begin = 0, end = 0;
  std::vector<uint32_t> successors;
  /// The block that follows in the text, if it can be reached from here so.
  int fallthrough = -1;
};

/// The blocks that block 0 reaches, in that order.
std::vector<uint32_t> orderOfBlocks(const std::vector<BasicBlock> &blocks);

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_BLOCKORDER_H
