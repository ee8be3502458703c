//===- Device.h - Where steps run -------------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A device loads the code of an artifact into a program, once; each step makes
// an execution of it, which owns what belongs to one instance. All of what
// differs between devices is behind these three, so that another device needs
// an implementation and a row in Device.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_DEVICE_H
#define MUON_MLIR_LIB_RUNTIME_DEVICE_H

#include "Error.h"
#include "muon-mlir/Runtime/HostApi.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace muon {

class StepCollectives;
struct DeviceManifest;
struct Kernel;
struct Manifest;

/// Where the memory of one step lies; the same for the life of an execution.
struct StepMemory {
  /// Scratch memory of the device, as the manifest wants it.
  void *arena = nullptr;
  /// Memory of the device that holds a copy of the slot table whenever the step
  /// runs. Null where the device does not need one.
  void *slots = nullptr;
  /// What the execution passes the step's collectives on to. Null if the
  /// artifact is not for one rank of several.
  StepCollectives *collectives = nullptr;
};

/// One instance of a step. Calls do not overlap.
class Execution {
public:
  /// Waits for the last run to end.
  virtual ~Execution();

  /// Comes before each run, and before whatever is put on `stream` for it, such
  /// as uploads: the stream waits for the last run, which may be on another one
  /// and reads the same memory.
  virtual Error begin(void *stream);

  /// Runs the step after all that was put on `stream` before, and may return
  /// before it has ended. `slots` is the table on the host: its address and
  /// entries may be others each time, the copy on the device has them already.
  /// A launch that fails is reported with the name of the kernel, and is the
  /// last one of the run.
  virtual Error run(void *const *slots, void *stream) = 0;

  /// Waits for the last run to end, from any thread.
  virtual Error wait();
};

/// The code of one artifact, ready to run. Immutable but for what it counts;
/// used from any thread. The manifest and the artifact's library outlive it.
class Program {
public:
  virtual ~Program();

  virtual Error makeExecution(const StepMemory &memory,
                              std::unique_ptr<Execution> &execution) const = 0;

  /// What all executions have done so far, as JSON.
  virtual Error counters(std::string &json) const;
};

/// A number that work of streams sets when its turn has come, and that the host
/// may read at any time.
class Marks {
public:
  virtual ~Marks();

  /// Back to 0, while no stream has marks to come.
  virtual void reset() = 0;
  /// Sets `number` after what is on the stream; into a graph, if the stream is
  /// being captured. Numbers beyond the greatest that there is set that one.
  virtual Error put(uint32_t number, void *stream) = 0;
  virtual uint32_t read() const = 0;
};

/// Executes artifacts of one target. A device is shared by all steps that run
/// on it, from any thread. Null is the default stream.
class Device {
public:
  virtual ~Device();

  /// As in deviceNames().
  virtual const char *name() const = 0;

  /// Whether this machine can execute the artifact, as far as its manifest
  /// tells.
  virtual Error accepts(const Manifest &manifest) const = 0;

  /// Loads the code of an artifact that was accepted. `code` is all of
  /// `muon_device_code`, with the ranges of the manifest within it; empty if
  /// the target has none.
  virtual Error load(const Manifest &manifest, MuonStepFn step,
                     std::string_view code,
                     std::shared_ptr<const Program> &program) = 0;

  /// Memory of the device. `alignment` is a power of two, `what` says what it
  /// is for. If there is not enough the message says how many bytes were asked
  /// for, and how many there are if that is known.
  virtual Error allocate(uint64_t bytes, uint64_t alignment, const char *what,
                         void *&memory) = 0;
  /// Null is allowed.
  virtual void deallocate(void *memory) = 0;

  /// Whether [address, address + bytes) is memory that kernels of this device
  /// may access: an error says what it is instead. `bytes` is not 0.
  virtual Error checkAddress(const void *address, uint64_t bytes) const = 0;
  /// Whether that is the memory of the host, so that nobody has to copy.
  virtual bool usesHostMemory() const = 0;
  /// Whether kernels get the slot table in memory of the device.
  virtual bool needsSlotTable() const = 0;

  /// Copies between the host and memory of the device, in the order of the
  /// stream. The host may reuse its side of an upload once the call returns;
  /// a download returns when the bytes are there. Failures of what the stream
  /// did before may come out of any of these.
  virtual Error upload(void *device, const void *host, uint64_t bytes,
                       void *stream) = 0;
  virtual Error download(void *host, const void *device, uint64_t bytes,
                         void *stream) = 0;
  /// As `download`, but also of bytes that were never written, where a device
  /// knows which those are and would refuse them.
  virtual Error downloadUndefined(void *host, const void *device,
                                  uint64_t bytes, void *stream);
  /// Sets bytes to zero, in the order of the stream.
  virtual Error clear(void *device, uint64_t bytes, void *stream) = 0;
  /// Waits for all that was put on the stream.
  virtual Error synchronize(void *stream) = 0;
  /// Whether all of that has ended, without waiting where that is possible.
  virtual Error isIdle(void *stream, bool &isIdle);
  /// Marks up to `most`, for what comes later on `stream` and on streams that
  /// wait for it; null where work does not outlive the call that makes it.
  virtual Error makeMarks(uint32_t most, void *stream,
                          std::unique_ptr<Marks> &marks);
  /// Calls `body` such that libraries which use the device find it: on a GPU,
  /// with its context current.
  virtual Error inContext(const std::function<Error()> &body);

  /// Whether `stream` can be used to run steps.
  virtual Error checkStream(void *stream) const = 0;
};

/// Whether a step may launch kernel number `kernel` of an artifact with that
/// many blocks: for implementations of MuonHostApi::launch.
Error checkLaunch(const DeviceManifest &manifest, int32_t kernel,
                  int64_t blocks);

/// The error of a step that returned something else than 0.
Error checkReturned(int32_t code);

/// Prefixes an error with the kernel, its phase and grid.
Error atKernel(const Kernel &kernel, int64_t blocks, const Error &error);

/// Names of the devices that this library knows, whether or not this machine
/// has them.
const std::vector<const char *> &deviceNames();

/// Sets `device`, or says which names exist, or why the device cannot be
/// opened. `name` is that of a device, or `name:options` if it has options.
Error openDevice(std::string_view name, std::shared_ptr<Device> &device);

Error makeCpuDevice(std::shared_ptr<Device> &device);
/// `options` is a list `key=value,…` of seed, races, threads, undefined.
Error makeSimDevice(std::string_view options, std::shared_ptr<Device> &device);
/// `options` is described in docs/cuda.md. Fails if there is no driver, or no
/// GPU.
Error makeCudaDevice(std::string_view options, std::shared_ptr<Device> &device);

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_DEVICE_H
