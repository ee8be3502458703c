//===- Runtime.cpp - The C interface --------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Runtime/Runtime.h"

#include "CpuThreads.h"
#include "RuntimeHandles.h"
#include "Text.h"

using namespace muon;

static thread_local std::string lastError;

MuonStatus muon::report(MuonStatus status, const char *message) noexcept {
  try {
    lastError = message;
  } catch (...) {
    lastError.clear();
  }
  return status;
}

template <typename Container>
static Error checkIndex(size_t index, const Container &container) {
  if (index < container.size())
    return Error::success();
  return Error(MUON_ERROR_INVALID_ARGUMENT,
               "index " + std::to_string(index) + " is out of range, there " +
                   "are " + std::to_string(container.size()));
}

const char *muonLastError(void) { return lastError.c_str(); }

const char *muonRuntimeVersion(void) { return MUON_VERSION; }

size_t muonDeviceCount(void) { return deviceNames().size(); }

const char *muonDeviceName(size_t index) {
  return index < deviceNames().size() ? deviceNames()[index] : nullptr;
}

MuonStatus muonSetCpuThreads(int32_t threads) {
  return guarded([&] {
    if (threads < 1)
      return Error(MUON_ERROR_INVALID_ARGUMENT, "number of threads is " +
                                                    std::to_string(threads) +
                                                    ", expected at least 1");
    setCpuThreads(threads);
    return Error::success();
  });
}

MuonStatus muonArtifactLoad(const char *path, const char *device,
                            MuonArtifact **artifact) {
  return guarded([&] {
    if (!path)
      return nullArgument("path");
    if (!device)
      return nullArgument("device");
    if (!artifact)
      return nullArgument("artifact");
    std::shared_ptr<Device> opened;
    if (Error error = openDevice(device, opened))
      return error;
    auto handle = std::make_unique<MuonArtifact>();
    if (Error error = Artifact::load(path, std::move(opened), handle->artifact))
      return error;
    *artifact = handle.release();
    return Error::success();
  });
}

void muonArtifactRelease(MuonArtifact *artifact) { delete artifact; }

MuonStatus muonArtifactInfo(const MuonArtifact *artifact,
                            MuonArtifactInfo *info) {
  return guarded([&] {
    if (!artifact)
      return nullArgument("artifact");
    if (!info)
      return nullArgument("info");
    const Manifest &manifest = artifact->artifact->manifest;
    const Device &device = *artifact->artifact->device;
    const std::optional<Distribution> &distribution = manifest.distribution;
    *info = {manifest.compiler.c_str(),
             manifest.target.c_str(),
             manifest.arch.c_str(),
             manifest.cpu.c_str(),
             manifest.arenaBytes,
             manifest.device ? manifest.device->alignment : 1,
             device.name(),
             device.usesHostMemory(),
             distribution.has_value(),
             distribution ? distribution->rank : 0,
             distribution ? distribution->ranks : 1,
             artifact->artifact->grid.c_str()};
    return Error::success();
  });
}

size_t muonArtifactTensorCount(const MuonArtifact *artifact) {
  return artifact ? artifact->artifact->tensors.size() : 0;
}

MuonStatus muonArtifactTensor(const MuonArtifact *artifact, size_t index,
                              MuonTensorInfo *info) {
  return guarded([&] {
    if (!artifact)
      return nullArgument("artifact");
    if (!info)
      return nullArgument("info");
    const std::vector<Tensor> &tensors = artifact->artifact->tensors;
    if (Error error = checkIndex(index, tensors))
      return error;
    const Tensor &tensor = tensors[index];
    *info = {tensor.role,
             tensor.type,
             tensor.name.c_str(),
             tensor.key.c_str(),
             tensor.shape.size(),
             tensor.shape.data(),
             tensor.elements,
             tensor.bytes,
             tensor.part,
             tensor.tensor.c_str(),
             tensor.logicalKey.c_str(),
             tensor.logicalShape.size(),
             tensor.logicalShape.data(),
             tensor.part == MUON_PART_WHOLE ? nullptr : tensor.offset.data(),
             tensor.from,
             tensor.part == MUON_PART_RUN ? tensor.block.data() : nullptr};
    return Error::success();
  });
}

size_t muonArtifactScalarCount(const MuonArtifact *artifact) {
  return artifact ? artifact->artifact->scalars.size() : 0;
}

MuonStatus muonArtifactScalar(const MuonArtifact *artifact, size_t index,
                              MuonScalarInfo *info) {
  return guarded([&] {
    if (!artifact)
      return nullArgument("artifact");
    if (!info)
      return nullArgument("info");
    const Artifact &self = *artifact->artifact;
    if (Error error = checkIndex(index, self.scalars))
      return error;
    const Argument &argument =
        self.manifest.arguments[self.scalars[index].argument];
    bool hasGroup = argument.role != MUON_ROLE_CLIP_LIMIT;
    *info = {argument.role, hasGroup ? argument.group.c_str() : nullptr,
             argument.defaultValue.has_value(),
             argument.defaultValue.value_or(0.0f)};
    return Error::success();
  });
}

size_t muonArtifactReportCount(const MuonArtifact *artifact) {
  return artifact ? artifact->artifact->reports.size() : 0;
}

MuonStatus muonArtifactReport(const MuonArtifact *artifact, size_t index,
                              MuonReportInfo *info) {
  return guarded([&] {
    if (!artifact)
      return nullArgument("artifact");
    if (!info)
      return nullArgument("info");
    const Artifact &self = *artifact->artifact;
    if (Error error = checkIndex(index, self.reports))
      return error;
    const Argument &argument =
        self.manifest.arguments[self.reports[index].argument];
    *info = {argument.role, argument.type, argument.elements};
    return Error::success();
  });
}

size_t muonArtifactFrozenCount(const MuonArtifact *artifact) {
  return artifact ? artifact->artifact->manifest.frozen.size() : 0;
}

const char *muonArtifactFrozen(const MuonArtifact *artifact, size_t index) {
  if (index >= muonArtifactFrozenCount(artifact))
    return nullptr;
  return artifact->artifact->manifest.frozen[index].c_str();
}

MuonStatus muonArtifactCounters(const MuonArtifact *artifact,
                                const char **json) {
  return guarded([&] {
    if (!artifact)
      return nullArgument("artifact");
    if (!json)
      return nullArgument("json");
    static thread_local std::string last;
    if (Error error = artifact->artifact->program->counters(last))
      return error;
    *json = last.c_str();
    return Error::success();
  });
}

MuonStatus muonDeviceAllocate(const MuonArtifact *artifact, uint64_t bytes,
                              void **memory) {
  return guarded([&] {
    if (!artifact)
      return nullArgument("artifact");
    if (!memory)
      return nullArgument("memory");
    return artifact->artifact->device->allocate(bytes, 256, "a tensor",
                                                *memory);
  });
}

void muonDeviceFree(const MuonArtifact *artifact, void *memory) {
  if (artifact && memory)
    artifact->artifact->device->deallocate(memory);
}

/// Calls `copy` with the device after a check of what both copies take.
template <typename Copy>
static MuonStatus copyMemory(const MuonArtifact *artifact, const void *memory,
                             const void *host, uint64_t bytes, void *stream,
                             Copy copy) {
  return guarded([&] {
    if (!artifact)
      return nullArgument("artifact");
    Device &device = *artifact->artifact->device;
    if (Error error = device.checkStream(stream))
      return error;
    if (!bytes)
      return Error::success();
    if (!memory)
      return nullArgument("memory");
    if (!host)
      return nullArgument("host");
    if (Error error = device.checkAddress(memory, bytes))
      return error;
    return copy(device);
  });
}

MuonStatus muonDeviceUpload(const MuonArtifact *artifact, void *memory,
                            const void *host, uint64_t bytes, void *stream) {
  return copyMemory(artifact, memory, host, bytes, stream, [&](Device &device) {
    return device.upload(memory, host, bytes, stream);
  });
}

MuonStatus muonDeviceDownload(const MuonArtifact *artifact, void *host,
                              const void *memory, uint64_t bytes,
                              void *stream) {
  return copyMemory(artifact, memory, host, bytes, stream, [&](Device &device) {
    return device.download(host, memory, bytes, stream);
  });
}

MuonStatus muonStepCreate(const MuonArtifact *artifact, MuonStep **step) {
  return guarded([&] {
    if (!artifact)
      return nullArgument("artifact");
    if (!step)
      return nullArgument("step");
    auto handle = std::make_unique<MuonStep>();
    if (Error error = Step::create(artifact->artifact, handle->step))
      return error;
    *step = handle.release();
    return Error::success();
  });
}

void muonStepDestroy(MuonStep *step) { delete step; }

MuonStatus muonStepBind(MuonStep *step, MuonRole role, const char *name,
                        const MuonBuffer *buffer) {
  return guarded([&] {
    if (!step)
      return nullArgument("step");
    if (!name)
      return nullArgument("name");
    if (!buffer)
      return nullArgument("buffer");
    return step->step->bind(role, name, *buffer);
  });
}

MuonStatus muonStepSetScalar(MuonStep *step, MuonRole role, const char *group,
                             double value) {
  return guarded([&] {
    if (!step)
      return nullArgument("step");
    return step->step->setScalar(role, group, value);
  });
}

MuonStatus muonStepSetCommunicator(MuonStep *step,
                                   MuonCommunicator *communicator) {
  return guarded([&] {
    if (!step)
      return nullArgument("step");
    return step->step->setCommunicator(communicator ? communicator->communicator
                                                    : nullptr);
  });
}

MuonStatus muonStepTraffic(MuonStep *step, MuonTraffic *traffic) {
  return guarded([&] {
    if (!step)
      return nullArgument("step");
    if (!traffic)
      return nullArgument("traffic");
    return step->step->traffic(*traffic);
  });
}

MuonStatus muonStepRunText(MuonStep *step, const char **text) {
  return guarded([&] {
    if (!step)
      return nullArgument("step");
    if (!text)
      return nullArgument("text");
    return step->step->runText(*text);
  });
}

MuonStatus muonStepRun(MuonStep *step, void *stream, MuonResult *result) {
  return guarded([&] {
    if (!step)
      return nullArgument("step");
    return step->step->run(stream, result);
  });
}

MuonStatus muonStepWait(MuonStep *step, MuonResult *result) {
  return guarded([&] {
    if (!step)
      return nullArgument("step");
    return step->step->wait(result);
  });
}

MuonStatus muonStepNonFinite(MuonStep *step, size_t index,
                             MuonNonFinite *info) {
  return guarded([&] {
    if (!step)
      return nullArgument("step");
    if (!info)
      return nullArgument("info");
    return step->step->nonFinite(index, *info);
  });
}

MuonStatus muonStepStatistics(MuonStep *step, size_t index,
                              MuonStatistics *statistics) {
  return guarded([&] {
    if (!step)
      return nullArgument("step");
    if (!statistics)
      return nullArgument("statistics");
    return step->step->statistics(index, *statistics);
  });
}
