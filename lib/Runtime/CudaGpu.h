//===- CudaGpu.h - A GPU and the context that is used -----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_CUDAGPU_H
#define MUON_MLIR_LIB_RUNTIME_CUDAGPU_H

#include "CudaDriver.h"
#include "Error.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace muon::cuda {

/// What docs/cuda.md describes.
struct DeviceOptions {
  std::string library = "libcuda.so.1";
  int ordinal = 0;
  bool graph = true;
  /// Rather than by default.
  bool isGraphAsked = false;
};

Error parseOptions(std::string_view text, DeviceOptions &options);

/// Makes a context current in this thread, and the one that was current before
/// when it ends.
class ContextScope {
public:
  ContextScope(const Driver &driver, Context context) : driver(driver) {
    failure.emplace(MUON_CUDA_CALL(driver, ctxPushCurrent, context));
  }
  ~ContextScope() {
    Context popped = nullptr;
    if (!*failure)
      driver.ctxPopCurrent(&popped);
  }
  ContextScope(const ContextScope &) = delete;
  ContextScope &operator=(const ContextScope &) = delete;

  const Error &error() const { return *failure; }

private:
  const Driver &driver;
  std::optional<Error> failure;
};

/// A GPU, and the context that everything of a device lives in.
struct Gpu {
  std::shared_ptr<const Driver> driver;
  Ordinal ordinal = 0;
  std::string name;
  unsigned capability = 0; // 80 for 8.0
  uint32_t maxShared = 0;
  Context context = nullptr;
  bool retained = false;
  bool useGraph = true, isGraphAsked = false;

  Gpu() = default;
  Gpu(const Gpu &) = delete;
  Gpu &operator=(const Gpu &) = delete;
  ~Gpu() {
    if (retained)
      driver->primaryCtxRelease(ordinal);
  }

  Error open(const DeviceOptions &options);
  /// For messages.
  std::string text() const {
    return "GPU " + std::to_string(ordinal) + " (" + name + ", sm_" +
           std::to_string(capability) + ")";
  }

private:
  Error chooseContext();
};

} // namespace muon::cuda

#endif // MUON_MLIR_LIB_RUNTIME_CUDAGPU_H
