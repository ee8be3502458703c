//===- CpuOneDnn.h - Products by oneDNN -------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// oneDNN is optional when this library is built. Without it there is no
// processor on which oneDnnHasF32 or oneDnnHasBf16 holds, and no product is
// taken.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_CPUONEDNN_H
#define MUON_MLIR_LIB_RUNTIME_CPUONEDNN_H

#include <cstdint>

namespace muon {

/// A matrix in memory. Element (i, j) of what it stands for is at
/// [i·stride + j], or with isTransposed at [j·stride + i].
struct Operand {
  const void *data;
  int64_t stride;
  bool isTransposed;
};

/// Whether oneDNN is there and this processor has AVX-512, for which its code
/// is as fast as that of BLAS, and may run on each thread by itself.
bool oneDnnHasF32();

/// Whether oneDNN is there and this processor has instructions for products of
/// bf16, so that oneDNN is faster than products of converted operands.
bool oneDnnHasBf16();

/// Storage of the operands of oneDnnProduct.
enum class OneDnnType { F32, BF16 };

/// out (m×n, rows `stride` apart) ← a·b for a (m×k) and b (k×n), plus what is
/// in out if it `accumulates`, with sums in f32, on the calling thread alone.
/// False, and out is not written, if oneDNN has no code for it.
bool oneDnnProduct(OneDnnType type, int64_t m, int64_t n, int64_t k,
                   const Operand &a, const Operand &b, bool accumulates,
                   float *out, int64_t stride);

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_CPUONEDNN_H
