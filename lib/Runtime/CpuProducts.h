//===- CpuProducts.h - Matrix products on the CPU ---------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The products of MuonHostApi, without its context. May be called from several
// threads at once.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_CPUPRODUCTS_H
#define MUON_MLIR_LIB_RUNTIME_CPUPRODUCTS_H

#include <cstdint>

namespace muon {

void symmetricProduct(int32_t type, int32_t flags, int64_t batch, int64_t n,
                      int64_t k, double alpha, double beta, const float *factor,
                      const void *x, const void *addend, void *out);

void commutingProduct(int32_t type, int64_t batch, int64_t n, double alpha,
                      double lhsShift, double rhsShift, const void *lhs,
                      const void *rhs, void *out);

void symmetricApply(int32_t type, int32_t flags, int64_t batch, int64_t m,
                    int64_t n, double alpha, double beta, const float *factor,
                    const void *s, const void *x, void *out);

/// What multiplies operands in f32 and bf16: oneDNN where the processor has the
/// instructions for which it is faster, or BLAS, in f32.
enum class ProductPath { Automatic, Blas, OneDnn };

/// For tests; holds for the process.
void setProductPath(ProductPath path);

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_CPUPRODUCTS_H
