//===- CudaExecution.cpp - One instance of a step on a GPU ----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaExecution.h"

#include "StepCollectives.h"

#include <utility>

using namespace muon;
using namespace muon::cuda;

CudaExecution::CudaExecution(std::shared_ptr<const CudaProgram> from,
                             const StepMemory &memory)
    : program(std::move(from)), gpu(*program->gpu),
      slotTable(reinterpret_cast<uintptr_t>(memory.slots)),
      arena(reinterpret_cast<uintptr_t>(memory.arena)),
      collectives(memory.collectives) {
  host.version = MUON_HOST_API_VERSION;
  host.size = sizeof(MuonHostApi);
  host.context = this;
  host.arena = memory.arena;
  host.launch = launch;
  if (collectives) {
    host.collective_start = collectiveStart;
    host.collective_wait = collectiveWait;
    collectives->setRelease([this] { dropGraph(); });
  }
}

CudaExecution::~CudaExecution() {
  if (collectives)
    collectives->setRelease(nullptr);
  ContextScope scope(*gpu.driver, gpu.context);
  if (scope.error())
    return;
  if (done) {
    gpu.driver->eventSynchronize(done);
    gpu.driver->eventDestroy(done);
  }
  dropGraph();
}

// One that runs goes when it has ended ("cuGraphExecDestroy" in the CUDA Driver
// API manual).
void CudaExecution::dropGraph() {
  std::lock_guard<std::mutex> lock(graphMutex);
  GraphExec last = std::exchange(graph, nullptr);
  ContextScope scope(*gpu.driver, gpu.context);
  if (last && !scope.error())
    gpu.driver->graphExecDestroy(last);
}

void CudaExecution::launch(void *context, int32_t kernel, int64_t blocks,
                           int64_t offset, int32_t first, int32_t count) {
  auto *self = static_cast<CudaExecution *>(context);
  if (self->failure || (self->collectives && self->collectives->hasFailed()))
    return;
  if (Error error = self->launch(kernel, blocks, offset, first, count))
    self->failure.emplace(std::move(error));
}

void CudaExecution::collectiveStart(void *context, int32_t collective,
                                    void *const *buffers) noexcept {
  auto *self = static_cast<CudaExecution *>(context);
  if (!self->failure)
    StepCollectives::hostStart(self->collectives, collective, buffers);
}

void CudaExecution::collectiveWait(void *context, int32_t collective) noexcept {
  auto *self = static_cast<CudaExecution *>(context);
  if (!self->failure)
    StepCollectives::hostWait(self->collectives, collective);
}

Error CudaExecution::launch(int32_t index, int64_t blocks, int64_t offset,
                            int32_t first, int32_t count) {
  const DeviceManifest &manifest = program->manifest;
  if (Error error = checkLaunch(manifest, index, blocks))
    return error;
  const Kernel &kernel = manifest.kernels[size_t(index)];
  if (!range || phase != kernel.phase) {
    range.reset();
    phase = kernel.phase;
    range.emplace(phase.c_str());
  }
  void *parameters[] = {&slotTable, &arena, &offset, &first, &count};
  if (Error error = MUON_CUDA_CALL(
          *gpu.driver, launchKernel, program->functions[size_t(index)],
          unsigned(blocks), 1u, 1u, kernel.threads, 1u, 1u, kernel.sharedBytes,
          current, parameters, nullptr))
    return atKernel(kernel, blocks, error);
  return Error::success();
}

Error CudaExecution::callStep(void *const *slots, Stream stream) {
  current = stream;
  failure.reset();
  int32_t code = program->step(&host, slots, stream);
  range.reset();
  if (failure)
    return *failure;
  return checkReturned(code);
}

// On a stream of its own: the legacy default stream cannot be captured, and the
// caller's may be waited for by another thread meanwhile. It does not
// synchronize with the default stream, or work that others put there would
// break the capture.
Error CudaExecution::capture(void *const *slots, bool &isKept) {
  const NvtxRange capturing("capture");
  const Driver &driver = *gpu.driver;
  Stream stream = nullptr;
  if (Error error =
          MUON_CUDA_CALL(driver, streamCreate, &stream, streamNonBlocking))
    return error;
  struct Guard {
    const Driver &driver;
    Stream stream;
    Graph graph;
    ~Guard() {
      if (graph)
        driver.graphDestroy(graph);
      driver.streamDestroy(stream);
    }
  } guard{driver, stream, nullptr};

  if (Error error = MUON_CUDA_CALL(driver, streamBeginCapture, stream,
                                   CaptureThreadLocal))
    return error;
  if (collectives)
    collectives->beginCapture(stream);
  Error stepError = callStep(slots, stream);
  if (collectives)
    stepError = collectives->endCapture(stepError);
  Error endError =
      MUON_CUDA_CALL(driver, streamEndCapture, stream, &guard.graph);
  if (stepError)
    return stepError;
  if (collectives) {
    if (endError && !collectives->isRefused())
      return endError;
    if (Error error = collectives->keep(isKept))
      return error;
    if (!isKept)
      return Error::success();
  } else if (endError) {
    return endError;
  }
  isKept = true;
  GraphExec made = nullptr;
  if (Error error =
          MUON_CUDA_CALL(driver, graphInstantiate, &made, guard.graph, 0ull))
    return error;
  std::lock_guard<std::mutex> lock(graphMutex);
  graph = made;
  return Error::success();
}

Error CudaExecution::runTogether(void *const *slots, Stream stream) {
  StepCollectives::Way way;
  if (Error error =
          collectives->choose(gpu.useGraph ? "" : "its device has graph=off",
                              gpu.isGraphAsked, way))
    return error;
  if (way == StepCollectives::Way::Capture) {
    dropGraph();
    bool isKept = false;
    if (Error error = capture(slots, isKept))
      return error;
    if (!isKept)
      way = StepCollectives::Way::Calls;
  }
  if (way == StepCollectives::Way::Calls)
    return callStep(slots, stream);
  Error error = collectives->launch([&] {
    std::lock_guard<std::mutex> lock(graphMutex);
    return MUON_CUDA_CALL(*gpu.driver, graphLaunch, graph, stream);
  });
  // It may have come after an abort that waits for its end.
  if (error)
    dropGraph();
  return error;
}

Error CudaExecution::begin(void *stream) {
  const Driver &driver = *gpu.driver;
  ContextScope scope(driver, gpu.context);
  if (scope.error())
    return scope.error();
  if (!done)
    return MUON_CUDA_CALL(driver, eventCreate, &done, eventDisableTiming);
  return MUON_CUDA_CALL(driver, streamWaitEvent, static_cast<Stream>(stream),
                        done, 0u);
}

// By the event: CU_STREAM_PER_THREAD is another stream in each thread.
Error CudaExecution::wait() {
  const Driver &driver = *gpu.driver;
  ContextScope scope(driver, gpu.context);
  if (scope.error())
    return scope.error();
  return done ? MUON_CUDA_CALL(driver, eventSynchronize, done)
              : Error::success();
}

Error CudaExecution::run(void *const *slots, void *streamHandle) {
  const NvtxRange stepping("step");
  const Driver &driver = *gpu.driver;
  auto stream = static_cast<Stream>(streamHandle);
  ContextScope scope(driver, gpu.context);
  if (scope.error())
    return scope.error();

  Error error = Error::success();
  if (collectives) {
    error = runTogether(slots, stream);
  } else if (!gpu.useGraph) {
    error = callStep(slots, stream);
  } else {
    bool isKept = false;
    if (!graph)
      error = capture(slots, isKept);
    if (!error)
      error = MUON_CUDA_CALL(driver, graphLaunch, graph, stream);
  }
  // After a launch that failed too: those before it have to end before their
  // memory goes.
  Error recordError = MUON_CUDA_CALL(driver, eventRecord, done, stream);
  return error ? error : recordError;
}
