//===- NcclGraph.cpp - Collectives of NCCL in graphs ----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// "Using NCCL with CUDA Graphs" in NCCL's user guide: collectives, sends and
// receives on a stream that is being captured become work of the graph. Whether
// they are captured, and when the graph is launched, is to be the same on all
// ranks; StepCollectives sees to that. A communicator ends only after the
// graphs that have its collectives.
//
//===----------------------------------------------------------------------===//

#include "CommunicatorNccl.h"
#include "Device.h"

using namespace muon;
using namespace muon::nccl;

void Nccl::beginCapture(void *on) {
  Use use(*this);
  captured = std::make_shared<Captured>();
  refusal.clear();
  std::lock_guard<std::mutex> lock(placeMutex);
  started.clear();
  runStream = std::exchange(stream, on);
}

void Nccl::endCapture(std::string &why,
                      std::shared_ptr<const Recording> &recording) {
  Use use(*this);
  why = refusal;
  stream = runStream;
  std::lock_guard<std::mutex> lock(placeMutex);
  captured->started = std::exchange(started, {});
  recording = std::exchange(captured, nullptr);
}

/// Whether the library has only said that it does not capture. Other errors,
/// and what has spoilt the communicator, are failures.
bool Nccl::isRefusal(Comm comm, Result result) const {
  Result state = Success;
  return captured && result == InvalidUsage &&
         library->commGetAsyncError(comm, &state) == Success &&
         state == Success;
}

Error Nccl::launch(const Recording &recording,
                   const std::function<Error()> &launch) {
  Use use(*this);
  // What a graph has of a communicator that was aborted hangs, or is gone.
  if (Error error = isStopped())
    return fail(error);
  const auto &all = static_cast<const Captured &>(recording);
  {
    std::lock_guard<std::mutex> lock(placeMutex);
    started = all.started;
  }
  if (Error error = launch())
    return error;
  traffic += all.traffic;
  return Error::success();
}

void Nccl::setRelease(const void *owner, std::function<void()> release) {
  Use use(*this);
  if (release)
    releases[owner] = std::move(release);
  else
    releases.erase(owner);
}

Error Nccl::isAnywhere(bool mine, bool &isAny) {
  Use use(*this);
  if (Error error = isStopped())
    return fail(error);
  Collective collective;
  collective.name = "whether a step is captured anew";
  collective.type = MUON_TYPE_F64;
  collective.place = rank();
  for (int32_t other = 0; other < size(); ++other)
    collective.group.push_back(other);
  collective.segments.push_back({1, -1, -1});
  const double own = mine;
  double sum = 0;
  CollectiveBuffers buffers;
  buffers.send.push_back(&own);
  buffers.receive.push_back(&sum);
  control->setTimeout(timeout);
  std::unique_ptr<Transfer> transfer;
  Error error = control->start(collective, buffers, transfer);
  if (!error)
    error = transfer->wait();
  if (error)
    return fail(error);
  isAny = sum != 0;
  return Error::success();
}
