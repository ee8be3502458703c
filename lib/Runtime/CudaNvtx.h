//===- CudaNvtx.h - Named ranges for profilers ------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_CUDANVTX_H
#define MUON_MLIR_LIB_RUNTIME_CUDANVTX_H

namespace muon::cuda {

/// A range of the calling thread in a profiler's time line; nothing if there is
/// no profiler. Ranges nest.
class NvtxRange {
public:
  explicit NvtxRange(const char *name);
  ~NvtxRange();
  NvtxRange(const NvtxRange &) = delete;
  NvtxRange &operator=(const NvtxRange &) = delete;
};

} // namespace muon::cuda

#endif // MUON_MLIR_LIB_RUNTIME_CUDANVTX_H
