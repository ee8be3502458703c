//===- CommunicatorNccl.cpp - Ranks whose GPUs exchange data by NCCL ------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CommunicatorNccl.h"

#include "Device.h"

#include <condition_variable>
#include <cstring>
#include <utility>

using namespace muon;
using namespace muon::nccl;
using namespace muon::collective;

/// For what may need other ranks that are gone: the end of communicators.
static constexpr std::chrono::seconds kLongestEnd(3);

class Nccl::Handle final : public Transfer {
public:
  Handle(Nccl &nccl, const Collective &collective)
      : nccl(nccl), collective(collective) {}
  /// On the stream; in memory of the host, data was moved by the start.
  Error wait() override {
    if (isOver)
      return Error::success();
    Use use(nccl);
    if (nccl.failure)
      return *nccl.failure;
    const Traffic moved = muon::getTraffic(collective);
    nccl.traffic.bytesSent += moved.bytesSent;
    nccl.traffic.bytesReceived += moved.bytesReceived;
    nccl.traffic.collectives += moved.collectives;
    isOver = true;
    return Error::success();
  }

private:
  Nccl &nccl;
  const Collective &collective;
  bool isOver = false;
};

//===----------------------------------------------------------------------===//
// Waiting and failing
//===----------------------------------------------------------------------===//

/// Final. The others learn of it before what may take long.
Error Nccl::fail(Error error) {
  if (failure)
    return *failure;
  failure.emplace(std::move(error));
  control->abort(failure->message());
  abortComms();
  return *failure;
}

void Nccl::abort(const std::string &why) {
  {
    std::lock_guard<std::mutex> lock(reasonMutex);
    if (!isAborted)
      reason = why;
    isAborted = true;
  }
  control->abort(why);
  leave();
}

/// What waits on a stream of this rank would wait for ever. Whoever is calling
/// NCCL does this when it is done.
void Nccl::leave() {
  if (!isAborted || !calls.try_lock())
    return;
  if (!failure) {
    std::lock_guard<std::mutex> lock(reasonMutex);
    failure.emplace(MUON_ERROR_EXECUTION, reason);
    abortComms();
  }
  calls.unlock();
}

/// Ends what is on the streams of this rank. Not for ever: an abort may itself
/// wait for a network that is gone, and then it is left behind.
void Nccl::abortComms() {
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool isOver = false;
  };
  auto state = std::make_shared<State>();
  auto work = [state, comms = comms, library = library] {
    for (Comm comm : comms->own())
      library->commAbort(comm);
    std::lock_guard<std::mutex> lock(state->mutex);
    state->isOver = true;
    state->changed.notify_all();
  };
  std::thread thread;
  try {
    thread = std::thread(work);
  } catch (const std::exception &) {
    return work();
  }
  std::unique_lock<std::mutex> lock(state->mutex);
  const bool isOver =
      state->changed.wait_for(lock, kLongestEnd, [&] { return state->isOver; });
  lock.unlock();
  if (isOver)
    thread.join();
  else
    thread.detach();
  comms = std::make_shared<Comms>();
}

Error Nccl::exchange(const std::string &mine, std::vector<std::string> &all) {
  control->setTimeout(timeout);
  return control->exchange(mine, all);
}

Nccl::~Nccl() {
  if (failure)
    return;
  if (Error error = control->checkStopped()) {
    abortComms();
    return;
  }
  // Leaves together with the others, if they come.
  const auto end = Clock::now() + kLongestEnd;
  for (Comm comm : comms->own()) {
    Result state = library->commFinalize(comm);
    for (int idle = 0; state == InProgress && Clock::now() < end; rest(idle))
      if (Result result = library->commGetAsyncError(comm, &state))
        state = result;
    if (state != Success) {
      abortComms();
      return;
    }
  }
  for (Comm comm : comms->own())
    library->commDestroy(comm);
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

Error Nccl::beginRun(Device &on, void *runStream, bool &direct) {
  const bool isGpu = std::strcmp(on.name(), "cuda") == 0;
  if (!isGpu && !library->movesHostMemory)
    return Error(MUON_ERROR_UNSUPPORTED,
                 "NCCL moves memory of GPUs, and the step runs on device " +
                     quote(on.name()) +
                     "; use the communicator 'threads' or 'mpi' there");
  device = &on;
  stream = runStream;
  isDirect = direct = isGpu;
  last.clear();
  return Error::success();
}

Error Nccl::findComm(const Collective &collective, Comm &comm) const {
  // One rank alone exchanges with itself.
  comm = comms->world;
  if (collective.group.size() == 1 || isWorld(collective.group))
    return Error::success();
  auto found = comms->parts.find(collective.group);
  if (found == comms->parts.end())
    return Error(MUON_ERROR_INVALID_ARGUMENT,
                 describe(collective) +
                     ": the ranks have not prepared this group");
  comm = found->second;
  return Error::success();
}

Error Nccl::issue(Comm comm, const Collective &collective,
                  const std::vector<Call> &calls) {
  const DataType type = typeOf(collective.type);
  const ReduceOp op = collective.isMean ? Average : Sum;
  if (Error error = MUON_NCCL_CALL(comm, groupStart))
    return error;
  for (const Call &call : calls) {
    const auto count = size_t(call.count);
    Error error = Error::success();
    switch (call.kind) {
    case Call::AllReduce:
      error = MUON_NCCL_CALL(comm, allReduce, call.send, call.receive, count,
                             type, op, comm, stream);
      break;
    case Call::ReduceScatter:
      error = MUON_NCCL_CALL(comm, reduceScatter, call.send, call.receive,
                             count, type, op, comm, stream);
      break;
    case Call::AllGather:
      error = MUON_NCCL_CALL(comm, allGather, call.send, call.receive, count,
                             type, comm, stream);
      break;
    case Call::Reduce:
      error = MUON_NCCL_CALL(comm, reduce, call.send, call.receive, count, type,
                             op, call.place, comm, stream);
      break;
    case Call::Broadcast:
      error = MUON_NCCL_CALL(comm, broadcast, call.send, call.receive, count,
                             type, call.place, comm, stream);
      break;
    case Call::Send:
      error = MUON_NCCL_CALL(comm, send, call.send, count, type, call.place,
                             comm, stream);
      break;
    case Call::Receive:
      error = MUON_NCCL_CALL(comm, receive, call.receive, count, type,
                             call.place, comm, stream);
      break;
    }
    if (error) {
      // A group of this thread must not stay open, whatever becomes of it.
      (void)library->groupEnd();
      return error;
    }
  }
  return MUON_NCCL_CALL(comm, groupEnd);
}

Error Nccl::start(const Collective &collective,
                  const CollectiveBuffers &buffers,
                  std::unique_ptr<Transfer> &transfer) {
  Use use(*this);
  if (Error error = isStopped())
    return fail(error);
  if (Error error = collective::check(collective, buffers, rank(), size()))
    return error;
  if (!device)
    return Error(MUON_ERROR_NOT_READY,
                 describe(collective) + ": outside a run of a step");
  Comm comm = nullptr;
  if (Error error = findComm(collective, comm))
    return error;

  std::vector<Call> calls;
  if (collective.group.size() == 1) {
    // What is summed or gathered is only copied, to this rank.
    for (size_t i = 0; i < collective.segments.size(); ++i) {
      const int64_t count = collective.segments[i].elements;
      void *receive = buffers.receive[i];
      if (!count || !receive || receive == buffers.send[i])
        continue;
      calls.push_back({Call::Send, buffers.send[i], nullptr, count, rank()});
      calls.push_back({Call::Receive, nullptr, receive, count, rank()});
    }
  } else {
    const bool isOneCall = collective.kind != Collective::AllToAll &&
                           !uneven.count(fingerprint(collective));
    calls = callsOf(collective, buffers, isOneCall);
  }

  Started started = {&collective, buffers.tensors};
  auto what = [&] { return started.text(); };
  if (!calls.empty()) {
    if (Error error =
            device->inContext([&] { return issue(comm, collective, calls); }))
      return fail(Error(error.status(), what() + ": " + error.message()));
    // What follows on the stream would come too early otherwise.
    if (Error error = settle(comm, what))
      return error;
    last[comm] = std::move(started);
  }
  transfer = std::make_unique<Handle>(*this, collective);
  return Error::success();
}

/// With an eye on NCCL: a stream on which a collective hangs never ends.
Error Nccl::finishRun() {
  Use use(*this);
  if (failure)
    return *failure;
  Device *on = std::exchange(device, nullptr);
  if (!on || !isDirect || last.empty())
    return Error::success();
  const Started *failed = nullptr;
  auto what = [&] {
    if (failed)
      return failed->text();
    std::string text = "waiting for the collectives of a step";
    const char *before = ", the last of each group being ";
    for (const auto &entry : last) {
      text += before + entry.second.text();
      before = ", ";
    }
    return text;
  };
  return await(
      [&](bool &isDone) {
        for (const auto &entry : last) {
          Comm comm = entry.first;
          Result state = Success;
          if (Error error =
                  MUON_NCCL_CALL(comm, commGetAsyncError, comm, &state))
            return error;
          if (Error error = library->check(state, "NCCL", comm)) {
            failed = &entry.second;
            return error;
          }
        }
        return on->isIdle(stream, isDone);
      },
      what);
}

Error muon::makeNcclCommunicator(std::shared_ptr<const Library> library,
                                 std::shared_ptr<Communicator> control,
                                 void *given,
                                 std::unique_ptr<Communicator> &communicator) {
  auto made =
      std::make_unique<Nccl>(std::move(library), std::move(control), given);
  if (Error error = made->check())
    return error;
  communicator = std::move(made);
  return Error::success();
}
