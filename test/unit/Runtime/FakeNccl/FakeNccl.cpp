//===- FakeNccl.cpp - A recording NCCL without a GPU ----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeNccl.h"

#include "FakeComm.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>

using namespace muon;
using namespace muon::fakenccl;
using nccl::Comm;
using nccl::InProgress;
using nccl::ncclComm;
using nccl::Success;
using nccl::UniqueId;

namespace {

struct Group {
  int depth = 0;
  /// Of groups of this thread, for the log.
  int number = 0;
  std::vector<std::pair<Comm, std::vector<Call>>> calls;
};

} // namespace

static thread_local Group group;
/// Calls without a communicator are of the rank that called last.
static thread_local int lastRank = -1;

int fakeNcclAlive() { return alive; }
int fakeNcclRegistered() { return registered; }

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

static std::string commText(Comm comm) {
  // Names of children begin with those of their parents.
  const size_t slash = comm->name.rfind('/');
  std::string text = comm->name.substr(slash + 1);
  const size_t dot = text.find('.');
  text = dot == text.npos ? "world" : text.substr(dot + 1);
  return " comm=" + text + " rank=" + std::to_string(comm->rank) + "/" +
         std::to_string(comm->ranks);
}

static Result begin() {
  if (!group.depth++)
    ++group.number;
  return Success;
}

static Result end() {
  if (group.depth == 0)
    return nccl::InvalidUsage;
  if (--group.depth)
    return Success;
  auto started = std::move(group.calls);
  group.calls.clear();
  Result result = Success;
  for (auto &[comm, calls] : started) {
    Result each = comm->start(std::move(calls));
    if (each && (result == Success || result == InProgress))
      result = each;
  }
  return result;
}

/// Records a call, and makes it a part of the group that is open.
static Result add(const char *name, Comm comm, const std::string &arguments,
                  Call call) {
  if (!comm)
    return nccl::InvalidArgument;
  std::lock_guard<std::recursive_mutex> lock(comm->mutex);
  lastRank = comm->worldRank;
  char where[64];
  std::snprintf(where, sizeof(where), " group=%d stream=%p",
                group.depth ? group.number : 0, call.stream);
  record(comm->worldRank, std::string(name) + arguments + commText(comm) +
                              where +
                              (isCapturing(call.stream) ? " captured" : ""));
  if (Result result =
          inject(name, comm->worldRank, comm->async, comm->isHung)) {
    comm->lastError = "as it was told to";
    return result;
  }
  if (call.root < 0 || call.root >= comm->ranks)
    return comm->fail(nccl::InvalidArgument, "no such rank");
  begin();
  auto found =
      std::find_if(group.calls.begin(), group.calls.end(),
                   [&](const auto &entry) { return entry.first == comm; });
  if (found == group.calls.end())
    found = group.calls.insert(found, {comm, {}});
  found->second.push_back(std::move(call));
  return end();
}

static std::string typeText(uint64_t count, DataType type) {
  const char *name = type == nccl::Float64    ? "f64"
                     : type == nccl::Float32  ? "f32"
                     : type == nccl::Float16  ? "f16"
                     : type == nccl::Bfloat16 ? "bf16"
                                              : "?";
  return " count=" + std::to_string(count) + " type=" + name;
}

static std::string opText(ReduceOp op) {
  return op == nccl::Sum       ? " op=sum"
         : op == nccl::Average ? " op=avg"
                               : " op=?";
}

extern "C" {

FAKE_NCCL_API Result ncclGroupStart() {
  Result later = Success;
  bool hangs = false;
  record(lastRank, "ncclGroupStart");
  if (Result result = inject("ncclGroupStart", lastRank, later, hangs))
    return result;
  return begin();
}

FAKE_NCCL_API Result ncclGroupEnd() {
  Result later = Success;
  bool hangs = false;
  record(lastRank, "ncclGroupEnd");
  Result injected = inject("ncclGroupEnd", lastRank, later, hangs);
  std::vector<Comm> comms;
  for (auto &entry : group.calls)
    comms.push_back(entry.first);
  for (Comm comm : comms)
    comm->isHung |= hangs;
  if (injected) {
    group.depth = 0;
    group.calls.clear();
    return injected;
  }
  const Result result = end();
  for (Comm comm : comms)
    if (later)
      (void)comm->fail(later, "as it was told to");
  return result;
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

FAKE_NCCL_API Result ncclAllReduce(const void *send, void *receive,
                                   size_t count, DataType type, ReduceOp op,
                                   Comm comm, void *stream) {
  return add("ncclAllReduce", comm, typeText(count, type) + opText(op),
             {Kind::AllReduce, send, receive, count, type, op, 0, stream});
}

FAKE_NCCL_API Result ncclReduceScatter(const void *send, void *receive,
                                       size_t count, DataType type, ReduceOp op,
                                       Comm comm, void *stream) {
  return add("ncclReduceScatter", comm, typeText(count, type) + opText(op),
             {Kind::ReduceScatter, send, receive, count, type, op, 0, stream});
}

FAKE_NCCL_API Result ncclAllGather(const void *send, void *receive,
                                   size_t count, DataType type, Comm comm,
                                   void *stream) {
  return add(
      "ncclAllGather", comm, typeText(count, type),
      {Kind::AllGather, send, receive, count, type, nccl::Sum, 0, stream});
}

FAKE_NCCL_API Result ncclReduce(const void *send, void *receive, size_t count,
                                DataType type, ReduceOp op, int root, Comm comm,
                                void *stream) {
  return add("ncclReduce", comm,
             typeText(count, type) + opText(op) +
                 " root=" + std::to_string(root),
             {Kind::Reduce, send, receive, count, type, op, root, stream});
}

FAKE_NCCL_API Result ncclBroadcast(const void *send, void *receive,
                                   size_t count, DataType type, int root,
                                   Comm comm, void *stream) {
  return add(
      "ncclBroadcast", comm,
      typeText(count, type) + " root=" + std::to_string(root),
      {Kind::Broadcast, send, receive, count, type, nccl::Sum, root, stream});
}

FAKE_NCCL_API Result ncclSend(const void *send, size_t count, DataType type,
                              int peer, Comm comm, void *stream) {
  return add("ncclSend", comm,
             typeText(count, type) + " peer=" + std::to_string(peer),
             {Kind::Send, send, nullptr, count, type, nccl::Sum, peer, stream});
}

FAKE_NCCL_API Result ncclRecv(void *receive, size_t count, DataType type,
                              int peer, Comm comm, void *stream) {
  return add(
      "ncclRecv", comm, typeText(count, type) + " peer=" + std::to_string(peer),
      {Kind::Receive, nullptr, receive, count, type, nccl::Sum, peer, stream});
}

//===----------------------------------------------------------------------===//
// Communicators
//===----------------------------------------------------------------------===//

FAKE_NCCL_API Result ncclGetVersion(int *version) {
  *version = getOptions().version;
  return Success;
}

FAKE_NCCL_API const char *ncclGetErrorString(Result result) {
  switch (result) {
  case Success:
    return "fake: no error";
  case nccl::UnhandledCudaError:
    return "fake: unhandled cuda error";
  case nccl::SystemError:
    return "fake: unhandled system error";
  case nccl::InternalError:
    return "fake: internal error";
  case nccl::InvalidArgument:
    return "fake: invalid argument";
  case nccl::InvalidUsage:
    return "fake: invalid usage";
  case nccl::RemoteError:
    return "fake: remote process exited or there was a network error";
  case InProgress:
    return "fake: in progress";
  }
  return "fake: unknown";
}

FAKE_NCCL_API const char *ncclGetLastError(Comm comm) {
  return comm ? comm->lastError.c_str() : "";
}

FAKE_NCCL_API Result ncclGetUniqueId(UniqueId *id) {
  Result later = Success;
  bool hangs = false;
  record(lastRank, "ncclGetUniqueId");
  if (Result result = inject("ncclGetUniqueId", lastRank, later, hangs))
    return result;
  static std::atomic<unsigned> number{0};
  std::random_device random;
  *id = {};
  std::snprintf(id->bytes, sizeof(id->bytes), "%s/muon-fake-nccl-%x%x-%u",
                getOptions().directory.c_str(), random(), random(), number++);
  return Success;
}

FAKE_NCCL_API Result ncclCommInitRankConfig(Comm *comm, int ranks, UniqueId id,
                                            int rank, nccl::Config *config) {
  *comm = nullptr;
  lastRank = rank;
  const nccl::Config known;
  const bool isBlocking = !config || config->blocking != 0;
  record(rank, "ncclCommInitRankConfig ranks=" + std::to_string(ranks) +
                   " blocking=" + std::to_string(isBlocking));
  Result later = Success;
  bool hangs = false;
  if (Result result = inject("ncclCommInitRankConfig", rank, later, hangs))
    return result;
  if (config && (config->magic != known.magic || config->size < 32))
    return nccl::InvalidArgument;
  auto made = std::make_unique<ncclComm>();
  id.bytes[sizeof(id.bytes) - 1] = 0;
  if (!made->open(id.bytes, rank, ranks, rank, isBlocking))
    return nccl::InvalidArgument;
  made->isHung = hangs;
  made->async = later;
  if (getOptions().isOneGpu && ranks > 1)
    (void)made->fail(nccl::InvalidUsage,
                     "Duplicate GPU detected : rank 0 and rank 1 both on CUDA "
                     "device 1000");
  *comm = made.release();
  ++alive;
  return (*comm)->settle();
}

FAKE_NCCL_API Result ncclCommSplit(Comm comm, int color, int key, Comm *child,
                                   nccl::Config *config) {
  if (config)
    return nccl::InvalidArgument;
  *child = nullptr;
  Call call;
  call.kind = Kind::Split;
  call.color = color;
  call.key = key;
  call.child = child;
  return add("ncclCommSplit", comm,
             " color=" + std::to_string(color) + " key=" + std::to_string(key),
             std::move(call));
}

FAKE_NCCL_API Result ncclCommGetAsyncError(Comm comm, Result *result) {
  std::lock_guard<std::recursive_mutex> lock(comm->mutex);
  lastRank = comm->worldRank;
  if (Result injected = inject("ncclCommGetAsyncError", comm->worldRank,
                               comm->async, comm->isHung))
    return injected;
  *result = comm->progress();
  return Success;
}

FAKE_NCCL_API Result ncclCommFinalize(Comm comm) {
  std::lock_guard<std::recursive_mutex> lock(comm->mutex);
  lastRank = comm->worldRank;
  record(comm->worldRank, "ncclCommFinalize" + commText(comm));
  if (Result result = inject("ncclCommFinalize", comm->worldRank, comm->async,
                             comm->isHung))
    return result;
  if (comm->progress() != Success)
    return nccl::InvalidArgument;
  comm->finalize();
  return comm->settle();
}

static Result destroy(const char *name, Comm comm) {
  lastRank = comm->worldRank;
  record(comm->worldRank, name + commText(comm));
  Result later = Success;
  bool hangs = false;
  if (Result result = inject(name, comm->worldRank, later, hangs))
    return result;
  while (hangs)
    std::this_thread::sleep_for(std::chrono::seconds(1));
  const bool isAbort = std::string(name) == "ncclCommAbort";
  for (const auto &range : comm->memory)
    if (!isAbort || !isMemory(range->begin, range->bytes))
      find(std::string(name) + ": memory is still registered" +
           (isAbort ? ", and was freed" : ""));
  {
    std::lock_guard<std::mutex> lock(comm->link->mutex);
    comm->link->comm = nullptr;
    comm->link->isAborted = isAbort;
  }
  while (comm->link->graphs) {
    advance();
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  delete comm;
  --alive;
  return Success;
}

FAKE_NCCL_API Result ncclCommDestroy(Comm comm) {
  return destroy("ncclCommDestroy", comm);
}

FAKE_NCCL_API Result ncclCommAbort(Comm comm) {
  return destroy("ncclCommAbort", comm);
}

FAKE_NCCL_API Result ncclCommRegister(Comm comm, void *buffer, size_t bytes,
                                      void **handle) {
  std::lock_guard<std::recursive_mutex> lock(comm->mutex);
  *handle = nullptr;
  lastRank = comm->worldRank;
  record(comm->worldRank,
         "ncclCommRegister bytes=" + std::to_string(bytes) + commText(comm));
  if (Result result = inject("ncclCommRegister", comm->worldRank, comm->async,
                             comm->isHung)) {
    comm->lastError = "as it was told to";
    return result;
  }
  if (comm->progress() != Success || !bytes || !isMemory(buffer, bytes))
    return nccl::InvalidArgument;
  if (!getOptions().registers)
    return Success;
  auto made = std::make_unique<ncclComm::Memory>();
  made->begin = static_cast<const char *>(buffer);
  made->bytes = bytes;
  *handle = made.get();
  comm->memory.push_back(std::move(made));
  ++registered;
  return Success;
}

FAKE_NCCL_API Result ncclCommDeregister(Comm comm, void *handle) {
  std::lock_guard<std::recursive_mutex> lock(comm->mutex);
  lastRank = comm->worldRank;
  record(comm->worldRank, "ncclCommDeregister" + commText(comm));
  if (Result result = inject("ncclCommDeregister", comm->worldRank, comm->async,
                             comm->isHung))
    return result;
  auto found =
      std::find_if(comm->memory.begin(), comm->memory.end(),
                   [&](const auto &range) { return range.get() == handle; });
  if (found == comm->memory.end()) {
    find("ncclCommDeregister: no such handle");
    return nccl::InvalidUsage;
  }
  if (!isMemory((*found)->begin, (*found)->bytes))
    find("ncclCommDeregister: the memory was freed before");
  if (comm->link->graphs)
    find("ncclCommDeregister: a graph may still use the memory");
  comm->memory.erase(found);
  --registered;
  return Success;
}

FAKE_NCCL_API Result ncclCommCount(Comm comm, int *count) {
  *count = comm->ranks;
  return Success;
}

FAKE_NCCL_API Result ncclCommUserRank(Comm comm, int *rank) {
  *rank = comm->rank;
  return Success;
}
}
