//===- CudaDevice.cpp - Steps on NVIDIA GPUs ------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CpuFeatures.h"
#include "CudaMarks.h"
#include "CudaProgram.h"
#include "Device.h"
#include "Manifest.h"
#include "Text.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <unordered_map>

using namespace muon;
using namespace muon::cuda;

static Error refuse(std::string message) {
  return Error(MUON_ERROR_UNSUPPORTED, std::move(message));
}

static Error wrong(std::string message) {
  return Error(MUON_ERROR_INVALID_ARGUMENT, std::move(message));
}

static Address toAddress(const void *memory) {
  return reinterpret_cast<uintptr_t>(memory);
}

//===----------------------------------------------------------------------===//
// Uploads
//===----------------------------------------------------------------------===//

namespace {

/// Page-locked memory that small uploads go through, so that they are by value
/// and in the order of the stream, and the host does not wait. What the driver
/// does with pageable memory is not promised: it "might" be synchronous ("API
/// synchronization behavior" in the CUDA Driver API manual).
class Staging {
public:
  static constexpr size_t slotBytes = 64 * 1024;

  explicit Staging(const Driver &driver) : driver(driver) {}
  // In the context that the uploads were in.
  void release();

  Error upload(Address device, const void *host, size_t bytes, Stream stream);

private:
  struct Slot {
    void *memory = nullptr;
    Event done = nullptr;
  };

  const Driver &driver;
  std::mutex mutex;
  std::array<Slot, 8> slots;
  size_t next = 0;
};

} // namespace

Error Staging::upload(Address device, const void *host, size_t bytes,
                      Stream stream) {
  std::lock_guard<std::mutex> lock(mutex);
  Slot &slot = slots[next++ % slots.size()];
  if (!slot.memory)
    if (Error error =
            MUON_CUDA_CALL(driver, memAllocHost, &slot.memory, slotBytes))
      return error;
  if (!slot.done) {
    if (Error error =
            MUON_CUDA_CALL(driver, eventCreate, &slot.done, eventDisableTiming))
      return error;
  } else if (Error error = MUON_CUDA_CALL(driver, eventSynchronize, slot.done))
    return error;
  std::memcpy(slot.memory, host, bytes);
  if (Error error = MUON_CUDA_CALL(driver, memcpyHtoDAsync, device, slot.memory,
                                   bytes, stream))
    return error;
  return MUON_CUDA_CALL(driver, eventRecord, slot.done, stream);
}

void Staging::release() {
  for (Slot &slot : slots) {
    if (slot.done) {
      driver.eventSynchronize(slot.done);
      driver.eventDestroy(slot.done);
    }
    if (slot.memory)
      driver.memFreeHost(slot.memory);
    slot = {};
  }
}

//===----------------------------------------------------------------------===//
// The device
//===----------------------------------------------------------------------===//

namespace {

class CudaDevice final : public Device {
public:
  explicit CudaDevice(std::shared_ptr<const Gpu> gpu)
      : gpu(std::move(gpu)), driver(*this->gpu->driver), staging(driver) {}
  ~CudaDevice() override {
    ContextScope scope(driver, gpu->context);
    if (!scope.error())
      staging.release();
  }

  const char *name() const override { return "cuda"; }
  Error accepts(const Manifest &manifest) const override;
  Error load(const Manifest &manifest, MuonStepFn step, std::string_view code,
             std::shared_ptr<const Program> &program) override;

  Error allocate(uint64_t bytes, uint64_t alignment, const char *what,
                 void *&memory) override;
  void deallocate(void *memory) override;
  Error checkAddress(const void *address, uint64_t bytes) const override;
  bool usesHostMemory() const override { return false; }
  bool needsSlotTable() const override { return true; }

  Error upload(void *device, const void *host, uint64_t bytes,
               void *stream) override;
  Error download(void *host, const void *device, uint64_t bytes,
                 void *stream) override;
  Error clear(void *device, uint64_t bytes, void *stream) override;
  Error synchronize(void *stream) override;
  Error isIdle(void *stream, bool &isIdle) override;
  Error makeMarks(uint32_t most, void *stream,
                  std::unique_ptr<Marks> &marks) override {
    auto made = std::make_unique<CudaMarks>(gpu);
    ContextScope scope(driver, gpu->context);
    if (scope.error())
      return scope.error();
    if (Error error = made->make(most, static_cast<Stream>(stream)))
      return error;
    marks = std::move(made);
    return Error::success();
  }
  Error inContext(const std::function<Error()> &body) override {
    ContextScope scope(driver, gpu->context);
    return scope.error() ? scope.error() : body();
  }
  Error checkStream(void *stream) const override;

private:
  Error checkByte(const void *address, const char *which) const;

  const std::shared_ptr<const Gpu> gpu;
  const Driver &driver;
  Staging staging;

  std::mutex mutex;
  /// What cuMemAlloc returned for memory of a greater alignment than its own.
  std::unordered_map<void *, Address> aligned;
};

} // namespace

Error CudaDevice::accepts(const Manifest &manifest) const {
  if (manifest.target != "cuda" || !manifest.device)
    return refuse("compiled for target " + quote(manifest.target) +
                  ", device 'cuda' runs 'cuda'");
  if (Error error = checkHostCode(manifest))
    return error;
  const DeviceManifest &device = *manifest.device;
  const auto parts = chooseCode(gpu->capability, device);
  if (parts.empty())
    return refuse("compiled for " + device.arch.text() + " (" +
                  codeText(device) + "), which " + gpu->text() +
                  " does not run");
  if (parts[0]->kind == DeviceCode::Ptx)
    if (Error error = checkPtx(driver, device))
      return error;
  uint32_t shared = device.sharedBytes.value_or(0);
  for (const Kernel &kernel : device.kernels)
    shared = std::max(shared, kernel.sharedBytes);
  if (shared > gpu->maxShared)
    return refuse("takes " + std::to_string(shared) +
                  " bytes of shared memory in a block, " + gpu->text() +
                  " has " + std::to_string(gpu->maxShared));
  return Error::success();
}

Error CudaDevice::load(const Manifest &manifest, MuonStepFn step,
                       std::string_view code,
                       std::shared_ptr<const Program> &program) {
  ContextScope scope(driver, gpu->context);
  if (scope.error())
    return scope.error();
  auto result = std::make_shared<CudaProgram>(gpu, *manifest.device, step);
  if (Error error = result->load(code))
    return error;
  program = std::move(result);
  return Error::success();
}

Error CudaDevice::allocate(uint64_t bytes, uint64_t alignment, const char *what,
                           void *&memory) {
  // "Device Memory Accesses" in the CUDA C++ Programming Guide: allocations
  // are aligned to at least 256 bytes.
  constexpr uint64_t ownAlignment = 256;
  ContextScope scope(driver, gpu->context);
  if (scope.error())
    return scope.error();
  uint64_t needed = std::max<uint64_t>(bytes, 1);
  if (alignment > ownAlignment) {
    if (needed > UINT64_MAX - alignment)
      return Error(MUON_ERROR_OUT_OF_MEMORY, "cannot allocate " +
                                                 std::to_string(bytes) +
                                                 " bytes for " + what);
    needed += alignment;
  }
  Address address = 0;
  Result result = driver.memAlloc(&address, size_t(needed));
  if (result != Success) {
    std::string message = "cannot allocate " + std::to_string(bytes) +
                          " bytes for " + what + " on " + gpu->text();
    size_t free = 0, total = 0;
    if (driver.memGetInfo(&free, &total) == Success)
      message += ", where " + std::to_string(free) + " of " +
                 std::to_string(total) + " bytes are free";
    Error error = driver.check(result, "cuMemAlloc_v2");
    return Error(error.status(), message + ": " + error.message());
  }
  if (alignment <= ownAlignment) {
    memory = reinterpret_cast<void *>(uintptr_t(address));
    return Error::success();
  }
  Address start = (address + alignment - 1) / alignment * alignment;
  memory = reinterpret_cast<void *>(uintptr_t(start));
  std::lock_guard<std::mutex> lock(mutex);
  aligned[memory] = address;
  return Error::success();
}

void CudaDevice::deallocate(void *memory) {
  if (!memory)
    return;
  ContextScope scope(driver, gpu->context);
  if (scope.error())
    return;
  Address address = toAddress(memory);
  {
    std::lock_guard<std::mutex> lock(mutex);
    auto found = aligned.find(memory);
    if (found != aligned.end()) {
      address = found->second;
      aligned.erase(found);
    }
  }
  // The manual does not say that cuMemFree waits for work that uses the memory.
  driver.ctxSynchronize();
  driver.memFree(address);
}

Error CudaDevice::checkByte(const void *address, const char *which) const {
  const std::string text = std::string(which) + addressText(address);
  unsigned type = 0;
  Result result =
      driver.pointerGetAttribute(&type, PointerMemoryType, toAddress(address));
  if (result == InvalidValue)
    return wrong(text + " is not memory of a GPU: the NVIDIA driver does not "
                        "know it, as of ordinary memory of the host");
  if (Error error = driver.check(result, "cuPointerGetAttribute"))
    return error;
  if (type == HostMemory)
    return wrong(text +
                 " is page-locked memory of the host, expected memory "
                 "of " +
                 gpu->text());
  if (type != DeviceMemory)
    return wrong(text + " is memory of type " + std::to_string(type) +
                 ", expected memory of " + gpu->text());
  int ordinal = -1;
  if (Error error = MUON_CUDA_CALL(driver, pointerGetAttribute, &ordinal,
                                   PointerDeviceOrdinal, toAddress(address)))
    return error;
  if (ordinal != gpu->ordinal)
    return wrong(text + " is memory of GPU " + std::to_string(ordinal) +
                 ", expected " + gpu->text());
  return Error::success();
}

// Both ends: what lies between them may be several mappings that follow each
// other, as allocators of frameworks make them.
Error CudaDevice::checkAddress(const void *address, uint64_t bytes) const {
  ContextScope scope(driver, gpu->context);
  if (scope.error())
    return scope.error();
  if (Error error = checkByte(address, "address "))
    return error;
  return checkByte(static_cast<const char *>(address) + bytes - 1,
                   "the last byte, address ");
}

Error CudaDevice::upload(void *device, const void *host, uint64_t bytes,
                         void *streamHandle) {
  if (!bytes)
    return Error::success();
  auto stream = static_cast<Stream>(streamHandle);
  ContextScope scope(driver, gpu->context);
  if (scope.error())
    return scope.error();
  if (bytes <= Staging::slotBytes)
    return staging.upload(toAddress(device), host, size_t(bytes), stream);
  if (Error error = MUON_CUDA_CALL(driver, memcpyHtoDAsync, toAddress(device),
                                   host, size_t(bytes), stream))
    return error;
  return MUON_CUDA_CALL(driver, streamSynchronize, stream);
}

Error CudaDevice::download(void *host, const void *device, uint64_t bytes,
                           void *streamHandle) {
  if (!bytes)
    return Error::success();
  auto stream = static_cast<Stream>(streamHandle);
  ContextScope scope(driver, gpu->context);
  if (scope.error())
    return scope.error();
  if (Error error = MUON_CUDA_CALL(driver, memcpyDtoHAsync, host,
                                   toAddress(device), size_t(bytes), stream))
    return error;
  return MUON_CUDA_CALL(driver, streamSynchronize, stream);
}

Error CudaDevice::clear(void *device, uint64_t bytes, void *stream) {
  if (!bytes)
    return Error::success();
  ContextScope scope(driver, gpu->context);
  if (scope.error())
    return scope.error();
  return MUON_CUDA_CALL(driver, memsetD8Async, toAddress(device),
                        static_cast<unsigned char>(0), size_t(bytes),
                        static_cast<Stream>(stream));
}

Error CudaDevice::synchronize(void *stream) {
  ContextScope scope(driver, gpu->context);
  if (scope.error())
    return scope.error();
  return MUON_CUDA_CALL(driver, streamSynchronize, static_cast<Stream>(stream));
}

Error CudaDevice::isIdle(void *stream, bool &isIdle) {
  ContextScope scope(driver, gpu->context);
  if (scope.error())
    return scope.error();
  const Result result = driver.streamQuery(static_cast<Stream>(stream));
  isIdle = result != NotReady;
  return isIdle ? driver.check(result, "cuStreamQuery") : Error::success();
}

Error CudaDevice::checkStream(void *streamHandle) const {
  auto stream = static_cast<Stream>(streamHandle);
  ContextScope scope(driver, gpu->context);
  if (scope.error())
    return scope.error();
  if (stream && stream != legacyStream() && stream != perThreadStream()) {
    Context context = nullptr;
    if (Error error = MUON_CUDA_CALL(driver, streamGetCtx, stream, &context))
      return error;
    if (context != gpu->context)
      return wrong("the stream belongs to another context than that of " +
                   gpu->text() + ", where the artifact was loaded");
  }
  CaptureStatus status = CaptureNone;
  if (Error error = MUON_CUDA_CALL(driver, streamIsCapturing, stream, &status))
    return error;
  if (status != CaptureNone)
    return wrong("the stream is being captured into a graph; a step cannot be "
                 "part of another graph");
  return Error::success();
}

Error muon::makeCudaDevice(std::string_view options,
                           std::shared_ptr<Device> &device) {
  DeviceOptions parsed;
  if (Error error = parseOptions(options, parsed))
    return error;
  auto gpu = std::make_shared<Gpu>();
  if (Error error = gpu->open(parsed))
    return error;
  device = std::make_shared<CudaDevice>(std::move(gpu));
  return Error::success();
}
