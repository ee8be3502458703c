//===- CpuThreads.h - Loops on all cores ------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_CPUTHREADS_H
#define MUON_MLIR_LIB_RUNTIME_CPUTHREADS_H

#include <cstdint>
#include <memory>
#include <type_traits>

namespace muon {

/// Number of threads of products and loops. It is kept by the BLAS library, so
/// that there is one setting and not two.
int cpuThreads();

/// See muonSetCpuThreads.
void setCpuThreads(int threads);

/// Calls body(data, i) once for each i < count, in any order, on any threads,
/// and returns when all have returned. May be called from any thread, also from
/// a body: a loop that finds the threads at work runs on its caller's alone.
void parallelFor(int64_t count, void (*body)(void *data, int64_t i),
                 void *data);

/// The same for a callable.
template <typename Body>
void parallelFor(int64_t count, Body &&body) {
  using Type = std::remove_reference_t<Body>;
  parallelFor(
      count, [](void *data, int64_t i) { (*static_cast<Type *>(data))(i); },
      const_cast<void *>(static_cast<const void *>(std::addressof(body))));
}

/// parallel_for of MuonHostApi.
void parallelForWithSums(int64_t count,
                         void (*body)(void *data, int64_t i, double *partial),
                         void *data, int64_t numSums, int64_t group,
                         double *const *sums);

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_CPUTHREADS_H
