//===- Work.h - What products and streams take -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUONGPU_TRANSFORMS_WORK_H
#define MUON_MLIR_DIALECT_MUONGPU_TRANSFORMS_WORK_H

#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"

namespace mlir::muon_gpu {

/// Bytes of global memory.
struct Traffic {
  int64_t read = 0, written = 0;
  int64_t total() const { return read + written; }
};

/// What work in a launch has to read and write, each element of each operand
/// once: the least that any cache can bring it to. Of work of one block, all
/// operands count as read.
Traffic getTraffic(Operation *op);

/// Floating-point operations of all tiles that a product with a schedule
/// computes, a multiplication and an addition being two: of a symmetric one
/// t(t+1)/2 of t² tiles, and tiles at an edge whole.
int64_t getTileFlops(MatmulOp op);

} // namespace mlir::muon_gpu

#endif // MUON_MLIR_DIALECT_MUONGPU_TRANSFORMS_WORK_H
