//===- CudaExecution.h - One instance of a step on a GPU --------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_CUDAEXECUTION_H
#define MUON_MLIR_LIB_RUNTIME_CUDAEXECUTION_H

#include "CudaNvtx.h"
#include "CudaProgram.h"

#include <mutex>
#include <optional>

namespace muon::cuda {

/// Captures the launches of the first run into a graph, and launches that each
/// time. The step's parameters are addresses that do not change; what changes
/// is in memory of the device. Collectives are part of the graph where the
/// communicator can do that; then so are the addresses of tensors, and the
/// graph is made anew when these change.
class CudaExecution final : public Execution {
public:
  CudaExecution(std::shared_ptr<const CudaProgram> program,
                const StepMemory &memory);
  ~CudaExecution() override;

  Error begin(void *stream) override;
  Error run(void *const *slots, void *stream) override;
  Error wait() override;

private:
  static void launch(void *context, int32_t kernel, int64_t blocks,
                     int64_t offset, int32_t first, int32_t count);
  static void collectiveStart(void *context, int32_t collective,
                              void *const *buffers) noexcept;
  static void collectiveWait(void *context, int32_t collective) noexcept;
  Error launch(int32_t kernel, int64_t blocks, int64_t offset, int32_t first,
               int32_t count);
  Error callStep(void *const *slots, Stream stream);
  /// Not kept if the ranks leave it at calls.
  Error capture(void *const *slots, bool &isKept);
  Error runTogether(void *const *slots, Stream stream);
  /// From any thread.
  void dropGraph();

  std::shared_ptr<const CudaProgram> program;
  const Gpu &gpu;
  MuonHostApi host = {};
  Address slotTable, arena;
  /// Null if the artifact is not for one rank of several.
  StepCollectives *const collectives;

  /// Where launches go.
  Stream current = nullptr;
  std::optional<Error> failure;
  /// Of the kernel launched last, if a profiler is shown phases.
  std::string phase;
  std::optional<NvtxRange> range;

  std::mutex graphMutex;
  GraphExec graph = nullptr;
  /// Recorded at the end of each run, made by the first begin().
  Event done = nullptr;
};

} // namespace muon::cuda

#endif // MUON_MLIR_LIB_RUNTIME_CUDAEXECUTION_H
