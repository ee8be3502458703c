//===- MpiLink.cpp - Messages between ranks by MPI ------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The whole of libmuon_mpi.so. Uses the C interface, and a communicator of its
// own, so that nothing gets between the messages of others.
//
//===----------------------------------------------------------------------===//

#include "../CollectiveLink.h"

#include <mpi.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

using namespace muon;
using namespace muon::collective;

static_assert(sizeof(MPI_Request) <= sizeof(uintptr_t));

static Error check(int code, const char *function) {
  if (code == MPI_SUCCESS)
    return Error::success();
  char text[MPI_MAX_ERROR_STRING + 1] = {};
  int length = 0;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS)
    std::strcpy(text, "unknown error");
  return Error(MUON_ERROR_EXECUTION, std::string(function) +
                                         " failed: " + text + " (" +
                                         std::to_string(code) + ")");
}

#define MUON_MPI(function, ...)                                                \
  if (Error error = check(function(__VA_ARGS__), #function))                   \
  return error

namespace {

/// Of the process; MPI can be initialized once.
struct Process {
  /// Not more than one thread at a time may be in MPI, whichever communicator
  /// it serves.
  std::mutex mutex;
  bool hasFailed = false;
  MPI_Comm ending = MPI_COMM_NULL;
} process;

} // namespace

/// Ranks leave together. After a failure, one that did not get here within some
/// seconds never will, and MPI_Finalize would wait for it.
static void finalize() {
  int isOver = 0;
  if (MPI_Finalized(&isOver) != MPI_SUCCESS || isOver)
    return;
  MPI_Request request;
  std::unique_lock<std::mutex> lock(process.mutex);
  if (MPI_Ibarrier(process.ending, &request) == MPI_SUCCESS) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    int isDone = 0;
    while (MPI_Test(&request, &isDone, MPI_STATUS_IGNORE) == MPI_SUCCESS &&
           !isDone) {
      if (process.hasFailed && std::chrono::steady_clock::now() > end)
        MPI_Abort(MPI_COMM_WORLD, 1);
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      lock.lock();
    }
  }
  MPI_Finalize();
}

namespace {

class MpiLink final : public Link {
public:
  ~MpiLink() override {
    std::lock_guard<std::mutex> lock(process.mutex);
    if (!process.hasFailed && !isFinalized())
      MPI_Comm_free(&world);
  }

  Error open();

  int32_t rank() const override { return self; }
  int32_t size() const override { return ranks; }
  bool isUsableHere() const override {
    return isUsableEverywhere() || std::this_thread::get_id() == opener;
  }
  bool isUsableEverywhere() const override {
    return level >= MPI_THREAD_SERIALIZED;
  }

  Error send(int32_t peer, int32_t tag, const void *data, int64_t bytes,
             Request &request) override {
    std::lock_guard<std::mutex> lock(process.mutex);
    if (isFinalized())
      return finalized();
    MPI_Request handle;
    MUON_MPI(MPI_Isend, data, int(bytes), MPI_BYTE, peer, tag, world, &handle);
    return begin(request, handle);
  }

  Error receive(int32_t peer, int32_t tag, void *data, int64_t bytes,
                Request &request) override {
    std::lock_guard<std::mutex> lock(process.mutex);
    if (isFinalized())
      return finalized();
    MPI_Request handle;
    MUON_MPI(MPI_Irecv, data, int(bytes), MPI_BYTE,
             peer == kAnyPeer ? MPI_ANY_SOURCE : peer, tag, world, &handle);
    return begin(request, handle);
  }

  Error test(Request &request, Arrival &arrival) override {
    std::lock_guard<std::mutex> lock(process.mutex);
    if (isFinalized()) {
      request.isActive = false;
      return Error::success();
    }
    MPI_Request handle = handleOf(request);
    MPI_Status status;
    int isDone = 0;
    // One that failed is gone, and may not be asked about again.
    request.isActive = false;
    MUON_MPI(MPI_Test, &handle, &isDone, &status);
    request.isActive = !isDone;
    if (!isDone)
      return Error::success();
    int count = 0, isCancelled = 0;
    MUON_MPI(MPI_Test_cancelled, &status, &isCancelled);
    if (isCancelled)
      return Error::success();
    MUON_MPI(MPI_Get_count, &status, MPI_BYTE, &count);
    arrival = {status.MPI_SOURCE, count};
    return Error::success();
  }

  void cancel(Request &request) override {
    std::lock_guard<std::mutex> lock(process.mutex);
    if (isFinalized())
      return;
    MPI_Request handle = handleOf(request);
    MPI_Cancel(&handle);
  }

  void setFailed() override { process.hasFailed = true; }

private:
  /// Whether somebody has ended MPI, and with it all that was under way.
  static bool isFinalized() {
    int isOver = 0;
    return MPI_Finalized(&isOver) != MPI_SUCCESS || isOver;
  }
  static Error finalized() {
    return Error(MUON_ERROR_EXECUTION, "MPI was finalized already");
  }
  static Error begin(Request &request, MPI_Request handle) {
    std::memcpy(&request.handle, &handle, sizeof(handle));
    request.isActive = true;
    return Error::success();
  }
  static MPI_Request handleOf(const Request &request) {
    MPI_Request handle;
    std::memcpy(&handle, &request.handle, sizeof(handle));
    return handle;
  }

  MPI_Comm world = MPI_COMM_NULL;
  int self = 0, ranks = 1, level = MPI_THREAD_SINGLE;
  const std::thread::id opener = std::this_thread::get_id();
};

} // namespace

Error MpiLink::open() {
  std::lock_guard<std::mutex> lock(process.mutex);
  if (isFinalized())
    return finalized();
  int isInitialized = 0;
  MUON_MPI(MPI_Initialized, &isInitialized);
  if (isInitialized) {
    int isMain = 0;
    MUON_MPI(MPI_Query_thread, &level);
    MUON_MPI(MPI_Is_thread_main, &isMain);
    if (level < MPI_THREAD_SERIALIZED && !isMain)
      return Error(MUON_ERROR_UNSUPPORTED,
                   "MPI was initialized for calls of its main thread alone "
                   "(MPI_THREAD_SERIALIZED is not provided), and this is "
                   "another one");
  } else {
    MUON_MPI(MPI_Init_thread, nullptr, nullptr, MPI_THREAD_SERIALIZED, &level);
    MUON_MPI(MPI_Comm_dup, MPI_COMM_WORLD, &process.ending);
    MPI_Comm_set_errhandler(process.ending, MPI_ERRORS_RETURN);
    std::atexit(finalize);
  }
  MUON_MPI(MPI_Comm_dup, MPI_COMM_WORLD, &world);
  MUON_MPI(MPI_Comm_set_errhandler, world, MPI_ERRORS_RETURN);
  MUON_MPI(MPI_Comm_rank, world, &self);
  MUON_MPI(MPI_Comm_size, world, &ranks);
  return Error::success();
}

static Error openLink(Link *&link) {
  auto opened = std::make_unique<MpiLink>();
  if (Error error = opened->open())
    return error;
  link = opened.release();
  return Error::success();
}

extern "C" __attribute__((visibility("default"))) const LinkLibrary muonMpiLink;
extern "C" const LinkLibrary muonMpiLink = {kLinkVersion, openLink};
