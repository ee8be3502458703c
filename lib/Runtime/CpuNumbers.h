//===- CpuNumbers.h - Conversions of number formats -------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Arrays of n numbers, source and destination apart. Roundings are to nearest;
// what is too large becomes infinity; NaN stays NaN. None depends on the modes
// of the processor for subnormal numbers.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_CPUNUMBERS_H
#define MUON_MLIR_LIB_RUNTIME_CPUNUMBERS_H

#include <cstdint>

/// Compiles a function a second time for processors with AVX2, to be chosen
/// when the library is loaded. No version may contract a·b + c, so that all
/// give the same bits.
#if defined(__x86_64__) && defined(__ELF__)
#define MUON_VECTORIZED __attribute__((target_clones("avx2", "default")))
#else
#define MUON_VECTORIZED
#endif

namespace muon {

/// Exact.
void widenBf16(const uint16_t *from, float *to, int64_t n);
void widenF16(const uint16_t *from, float *to, int64_t n);

/// Ties to even.
void narrowToBf16(const float *from, uint16_t *to, int64_t n);
void narrowToF16(const float *from, uint16_t *to, int64_t n);

/// To 10 bits of fraction, ties away from zero.
void roundToTf32(const float *from, float *to, int64_t n);

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_CPUNUMBERS_H
