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
    Traffic &all = nccl.captured ? nccl.captured->traffic : nccl.traffic;
    all += muon::getTraffic(collective);
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
/// wait for a network that is gone, and then it is left behind. At once for all
/// communicators, and without the graphs, since each may wait for the others
/// and for these.
void Nccl::abortComms() {
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    size_t left = 0;
  };
  const std::vector<Comm> all = comms->own();
  auto state = std::make_shared<State>();
  state->left = all.size();
  for (Comm comm : all) {
    auto work = [state, comm, comms = comms, library = library] {
      library->commAbort(comm);
      std::lock_guard<std::mutex> lock(state->mutex);
      --state->left;
      state->changed.notify_all();
    };
    try {
      std::thread(work).detach();
    } catch (const std::exception &) {
      work();
    }
  }
  for (const auto &entry : releases)
    entry.second();
  std::unique_lock<std::mutex> lock(state->mutex);
  state->changed.wait_for(lock, kLongestEnd, [&] { return !state->left; });
  comms = std::make_shared<Comms>();
}

Error Nccl::exchange(const std::string &mine, std::vector<std::string> &all) {
  control->setTimeout(timeout);
  return control->exchange(mine, all);
}

Nccl::~Nccl() {
  control->setPlace(nullptr);
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
  Use use(*this);
  if (Error error = isStopped())
    return fail(error);
  Error error = open(on, runStream, direct);
  std::lock_guard<std::mutex> lock(placeMutex);
  ++numRuns;
  return error;
}

Error Nccl::open(Device &on, void *runStream, bool &direct) {
  const bool isGpu = std::strcmp(on.name(), "cuda") == 0;
  if (!isGpu && !library->movesHostMemory)
    return Error(MUON_ERROR_UNSUPPORTED,
                 "NCCL moves memory of GPUs, and the step runs on device " +
                     quote(on.name()) +
                     "; use the communicator 'threads' or 'mpi' there");
  device = &on;
  stream = runStream;
  isDirect = direct = isGpu;
  setMarks(nullptr);
  return Error::success();
}

Error Nccl::findComm(const Group &group, Comm &comm) const {
  // One rank alone exchanges with itself.
  comm = comms->world;
  if (group.size() == 1 || isWorld(group))
    return Error::success();
  auto found = comms->parts.find(group);
  if (found == comms->parts.end())
    return Error(MUON_ERROR_INVALID_ARGUMENT,
                 "the ranks have not prepared this group");
  comm = found->second;
  return Error::success();
}

Error Nccl::issue(Comm comm, const Collective &collective,
                  const std::vector<Call> &calls, Result &result) {
  const DataType type = typeOf(collective.type);
  const ReduceOp op = collective.isMean ? Average : Sum;
  const Library &nccl = *library;
  result = nccl.groupStart();
  if (result != Success && result != InProgress)
    return nccl.check(result, symbolOf(&Library::groupStart), comm);
  for (const Call &call : calls) {
    const auto count = size_t(call.count);
    std::string_view symbol;
    switch (call.kind) {
    case Call::AllReduce:
      symbol = symbolOf(&Library::allReduce);
      result = nccl.allReduce(call.send, call.receive, count, type, op, comm,
                              stream);
      break;
    case Call::ReduceScatter:
      symbol = symbolOf(&Library::reduceScatter);
      result = nccl.reduceScatter(call.send, call.receive, count, type, op,
                                  comm, stream);
      break;
    case Call::AllGather:
      symbol = symbolOf(&Library::allGather);
      result =
          nccl.allGather(call.send, call.receive, count, type, comm, stream);
      break;
    case Call::Reduce:
      symbol = symbolOf(&Library::reduce);
      result = nccl.reduce(call.send, call.receive, count, type, op, call.place,
                           comm, stream);
      break;
    case Call::Broadcast:
      symbol = symbolOf(&Library::broadcast);
      result = nccl.broadcast(call.send, call.receive, count, type, call.place,
                              comm, stream);
      break;
    case Call::Send:
      symbol = symbolOf(&Library::send);
      result = nccl.send(call.send, count, type, call.place, comm, stream);
      break;
    case Call::Receive:
      symbol = symbolOf(&Library::receive);
      result =
          nccl.receive(call.receive, count, type, call.place, comm, stream);
      break;
    }
    if (result != Success && result != InProgress) {
      const Error error = nccl.check(result, symbol, comm);
      // A group of this thread must not stay open, whatever becomes of it.
      (void)nccl.groupEnd();
      return error;
    }
  }
  result = nccl.groupEnd();
  return nccl.check(result, symbolOf(&Library::groupEnd), comm);
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
  if (Error error = findComm(collective.group, comm))
    return Error(error.status(), describe(collective) + ": " + error.message());

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

  Started mine = {comm, &collective, buffers.tensors};
  auto what = [&] { return mine.text(); };
  if (!calls.empty()) {
    Result result = Success;
    if (Error error = device->inContext(
            [&] { return issue(comm, collective, calls, result); })) {
      error = Error(error.status(), what() + ": " + error.message());
      if (!isRefusal(comm, result))
        return fail(error);
      refusal = error.message();
      return error;
    }
    {
      std::lock_guard<std::mutex> lock(placeMutex);
      started.push_back(mine);
    }
    // What follows on the stream would come too early otherwise, or not into
    // the graph.
    if (Error error = settle(comm, what))
      return error;
    if (!isDirect) {
      std::lock_guard<std::mutex> lock(placeMutex);
      numMoved = started.size();
    }
    if (marks)
      if (Error error = marks->put(uint32_t(started.size()), stream))
        return fail(Error(error.status(), what() + ": " + error.message()));
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
  if (!on || !isDirect || started.empty()) {
    setMarks(nullptr);
    return Error::success();
  }
  std::set<Comm> used;
  for (const Started &each : started)
    used.insert(each.comm);
  Comm failed = nullptr;
  bool isOfStream = false;
  auto what = [&] {
    return (isOfStream ? "on the stream, before or in " : "") +
           placeText(failed);
  };
  return await(
      [&](bool &isDone) {
        for (Comm comm : used) {
          Result state = Success;
          if (Error error =
                  MUON_NCCL_CALL(comm, commGetAsyncError, comm, &state))
            return error;
          if (Error error = library->check(state, "NCCL", comm)) {
            failed = comm;
            return error;
          }
        }
        Error error = on->isIdle(stream, isDone);
        isOfStream = bool(error);
        if (isDone)
          setMarks(nullptr);
        return error;
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
