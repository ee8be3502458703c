//===- Device.h - Where steps run -------------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_DEVICE_H
#define MUON_MLIR_LIB_RUNTIME_DEVICE_H

#include "Error.h"
#include "muon-mlir/Runtime/HostApi.h"

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace muon {

struct Manifest;

/// Executes artifacts of one target. A device is shared by all steps that run
/// on it, from any thread. All of what differs between devices is here, so that
/// another one needs an implementation and a line in Device.cpp.
class Device {
public:
  virtual ~Device();

  /// Whether this machine can execute the code of an artifact.
  virtual Error accepts(const Manifest &manifest) const = 0;

  /// Memory of the device; null if there is not enough. `alignment` is a power
  /// of two.
  virtual void *allocate(size_t bytes, size_t alignment) = 0;
  virtual void deallocate(void *memory) = 0;

  /// Copies between the host and memory of the device, in the order of the
  /// stream. The host may reuse its side once the call returns.
  virtual Error upload(void *device, const void *host, size_t bytes,
                       void *stream) = 0;
  virtual Error download(void *host, const void *device, size_t bytes,
                         void *stream) = 0;

  /// The functions that steps call; the caller fills in the arena.
  virtual MuonHostApi hostApi() = 0;

  /// Whether `stream` can be used to run steps.
  virtual Error checkStream(void *stream) const = 0;
};

/// Names of the devices that this library knows, whether or not this machine
/// has them.
const std::vector<const char *> &deviceNames();

/// Sets `device`, or says which names exist.
Error openDevice(std::string_view name, std::shared_ptr<Device> &device);

std::shared_ptr<Device> makeCpuDevice();

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_DEVICE_H
