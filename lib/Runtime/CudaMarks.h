//===- CudaMarks.h - How far a stream of a GPU has come ---------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_CUDAMARKS_H
#define MUON_MLIR_LIB_RUNTIME_CUDAMARKS_H

#include "CudaGpu.h"
#include "Device.h"

namespace muon::cuda {

/// Copies of numbers in memory of the GPU to a word of the host. Events would
/// not do: from outside, those of a graph look as its last launch left them.
class CudaMarks final : public Marks {
public:
  explicit CudaMarks(std::shared_ptr<const Gpu> gpu) : gpu(std::move(gpu)) {}
  ~CudaMarks() override;

  /// The context is current.
  Error make(uint32_t most, Stream stream);

  void reset() override { *word = 0; }
  Error put(uint32_t number, void *stream) override;
  uint32_t read() const override { return *word; }

private:
  const std::shared_ptr<const Gpu> gpu;
  uint32_t most = 0;
  Address numbers = 0;
  volatile uint32_t *word = nullptr;
};

} // namespace muon::cuda

#endif // MUON_MLIR_LIB_RUNTIME_CUDAMARKS_H
