//===- Runtime.cpp - The C interface --------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Runtime/Runtime.h"

#include "CpuThreads.h"
#include "NcclLibrary.h"
#include "Step.h"
#include "Tcp/Bootstrap.h"
#include "Text.h"

#include <cmath>
#include <cstdlib>
#include <exception>
#include <new>

using namespace muon;

struct MuonArtifact {
  std::shared_ptr<const Artifact> artifact;
};

struct MuonStep {
  std::unique_ptr<Step> step;
};

struct MuonCommunicator {
  std::shared_ptr<Communicator> communicator;
};

static thread_local std::string lastError;

static MuonStatus report(MuonStatus status, const char *message) noexcept {
  try {
    lastError = message;
  } catch (...) {
    lastError.clear();
  }
  return status;
}

/// Calls `body`, which returns an Error, and lets nothing out of it.
template <typename Body>
static MuonStatus guarded(Body body) noexcept {
  try {
    Error error = body();
    if (error)
      return report(error.status(), error.message().c_str());
    return MUON_OK;
  } catch (const std::bad_alloc &) {
    return report(MUON_ERROR_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception &e) {
    return report(MUON_ERROR_INTERNAL, e.what());
  } catch (...) {
    return report(MUON_ERROR_INTERNAL, "unknown exception");
  }
}

static Error nullArgument(const char *name) {
  return Error(MUON_ERROR_INVALID_ARGUMENT,
               std::string("argument '") + name + "' is null");
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

MuonStatus muonCommunicatorCreateThreads(int32_t ranks,
                                         MuonCommunicator **communicators) {
  return guarded([&] {
    if (!communicators)
      return nullArgument("communicators");
    if (ranks < 1)
      return Error(MUON_ERROR_INVALID_ARGUMENT, "number of ranks is " +
                                                    std::to_string(ranks) +
                                                    ", expected at least 1");
    std::vector<std::unique_ptr<Communicator>> made;
    if (Error error = makeThreadCommunicators(ranks, made))
      return error;
    std::vector<std::unique_ptr<MuonCommunicator>> handles;
    for (std::unique_ptr<Communicator> &communicator : made) {
      handles.push_back(std::make_unique<MuonCommunicator>());
      handles.back()->communicator = std::move(communicator);
    }
    for (std::unique_ptr<MuonCommunicator> &handle : handles)
      *communicators++ = handle.release();
    return Error::success();
  });
}

MuonStatus muonCommunicatorCreateMpi(MuonCommunicator **communicator) {
  return guarded([&] {
    if (!communicator)
      return nullArgument("communicator");
    std::unique_ptr<Communicator> made;
    if (Error error = makeMpiCommunicator(made))
      return error;
    auto handle = std::make_unique<MuonCommunicator>();
    handle->communicator = std::move(made);
    *communicator = handle.release();
    return Error::success();
  });
}

static const char *environment(const char *name) { return std::getenv(name); }

MuonStatus muonFindLaunch(MuonLaunch *launch) {
  return guarded([&] {
    if (!launch)
      return nullArgument("launch");
    tcp::Launch found;
    if (Error error = tcp::findLaunch(environment, found))
      return error;
    static const char *const names[] = {nullptr, "torchrun", "mpirun", "srun"};
    *launch = {names[found.kind], found.rank, found.ranks, found.localRank};
    return Error::success();
  });
}

/// Meets the ranks of other processes.
static Error makeControl(const MuonNcclOptions &options,
                         std::shared_ptr<Communicator> &control) {
  tcp::Meeting meeting;
  tcp::Launch &launch = meeting.launch;
  if (Error error = tcp::findLaunch(environment, launch))
    return error;
  if (options.ranks) {
    if (!options.rendezvous)
      return Error(MUON_ERROR_INVALID_ARGUMENT,
                   "a rank is given, but no rendezvous file");
    if (options.ranks < 1 || options.rank < 0 || options.rank >= options.ranks)
      return Error(MUON_ERROR_INVALID_ARGUMENT,
                   "rank " + std::to_string(options.rank) + " of " +
                       std::to_string(options.ranks) + " cannot be");
    launch.rank = options.rank;
    launch.ranks = options.ranks;
  } else if (options.rendezvous && launch.kind == tcp::Launch::None) {
    return Error(MUON_ERROR_INVALID_ARGUMENT,
                 "a rendezvous file is given, but nothing says which rank of "
                 "how many this is: looked for the environment variables RANK, "
                 "OMPI_COMM_WORLD_RANK and SLURM_PROCID");
  }
  if (options.rendezvous)
    meeting.file = options.rendezvous;
  if (!(options.timeout >= 0 && options.timeout <= 1e9))
    return Error(MUON_ERROR_INVALID_ARGUMENT,
                 "timeout is " + numberText(options.timeout) +
                     " seconds, expected 0 to 1e+09");
  if (options.timeout > 0)
    meeting.timeout =
        std::chrono::milliseconds(int64_t(std::ceil(options.timeout * 1000)));
  std::unique_ptr<Communicator> made;
  if (Error error = tcp::meet(meeting, environment, made))
    return error;
  control = std::move(made);
  return Error::success();
}

MuonStatus muonCommunicatorCreateNccl(const MuonNcclOptions *options,
                                      MuonCommunicator **communicator) {
  return guarded([&] {
    if (!options)
      return nullArgument("options");
    if (!communicator)
      return nullArgument("communicator");
    if (options->size != sizeof(MuonNcclOptions))
      return Error(MUON_ERROR_INVALID_ARGUMENT,
                   "size of the options is " + std::to_string(options->size) +
                       ", expected " + std::to_string(sizeof(MuonNcclOptions)));
    std::shared_ptr<const nccl::Library> library;
    if (Error error = nccl::Library::load(
            options->library ? options->library : "", library))
      return error;
    std::shared_ptr<Communicator> control;
    if (options->control)
      control = options->control->communicator;
    else if (Error error = makeControl(*options, control))
      return error;
    std::unique_ptr<Communicator> made;
    if (Error error = makeNcclCommunicator(std::move(library), control,
                                           options->communicator, made))
      return error;
    made->setTimeout(control->getTimeout());
    auto handle = std::make_unique<MuonCommunicator>();
    handle->communicator = std::move(made);
    *communicator = handle.release();
    return Error::success();
  });
}

int32_t muonCommunicatorRank(const MuonCommunicator *communicator) {
  return communicator ? communicator->communicator->rank() : -1;
}

int32_t muonCommunicatorSize(const MuonCommunicator *communicator) {
  return communicator ? communicator->communicator->size() : -1;
}

MuonStatus muonCommunicatorSetTimeout(MuonCommunicator *communicator,
                                      double seconds) {
  return guarded([&] {
    if (!communicator)
      return nullArgument("communicator");
    // Some 30 years, so that sums of times do not overflow.
    constexpr double most = 1e9;
    if (!(seconds >= 0 && seconds <= most))
      return Error(MUON_ERROR_INVALID_ARGUMENT,
                   "timeout is " + numberText(seconds) +
                       " seconds, expected 0 to " + numberText(most));
    // Not rounded down to no limit.
    communicator->communicator->setTimeout(
        std::chrono::milliseconds(int64_t(std::ceil(seconds * 1000))));
    return Error::success();
  });
}

MuonStatus muonCommunicatorBarrier(MuonCommunicator *communicator) {
  return guarded([&] {
    if (!communicator)
      return nullArgument("communicator");
    std::vector<std::string> ignored;
    return communicator->communicator->exchange("", ignored);
  });
}

MuonStatus muonCommunicatorAbort(MuonCommunicator *communicator,
                                 const char *reason) {
  return guarded([&] {
    if (!communicator)
      return nullArgument("communicator");
    if (!reason)
      return nullArgument("reason");
    communicator->communicator->abort(reason);
    return Error::success();
  });
}

void muonCommunicatorDestroy(MuonCommunicator *communicator) {
  delete communicator;
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
