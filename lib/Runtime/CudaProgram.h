//===- CudaProgram.h - The code of an artifact on a GPU ---------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_CUDAPROGRAM_H
#define MUON_MLIR_LIB_RUNTIME_CUDAPROGRAM_H

#include "CudaGpu.h"
#include "Device.h"
#include "Manifest.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace muon::cuda {

/// The parts that a GPU of this capability may load, at most one of a kind: a
/// cubin, then the PTX for the latest architecture, for a driver that refuses
/// the cubin.
std::vector<const DeviceCode *> chooseCode(unsigned capability,
                                           const DeviceManifest &manifest);

/// Whether the driver is new enough for the PTX. Says yes to PTX that is newer
/// than this runtime: that the driver decides.
Error checkPtx(const Driver &driver, const DeviceManifest &manifest);

/// All parts, for messages.
std::string codeText(const DeviceManifest &manifest);

/// A module and its functions, loaded once for all executions.
class CudaProgram final : public Program,
                          public std::enable_shared_from_this<CudaProgram> {
public:
  CudaProgram(std::shared_ptr<const Gpu> gpu, const DeviceManifest &manifest,
              MuonStepFn step)
      : gpu(std::move(gpu)), manifest(manifest), step(step) {}
  ~CudaProgram() override;

  Error load(std::string_view code);
  Error makeExecution(const StepMemory &memory,
                      std::unique_ptr<Execution> &execution) const override;

  const std::shared_ptr<const Gpu> gpu;
  const DeviceManifest &manifest;
  const MuonStepFn step;
  std::vector<Function> functions;

private:
  Error loadModule(std::string_view code);
  /// `result` is what the driver returned.
  Error loadPart(const DeviceCode &part, std::string_view code, Result &result);
  Error loadFunction(const Kernel &kernel);

  CodeModule module = nullptr;
};

} // namespace muon::cuda

#endif // MUON_MLIR_LIB_RUNTIME_CUDAPROGRAM_H
