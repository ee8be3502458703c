//===- FakeComm.h - The state behind the fake NCCL --------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_FAKENCCL_FAKECOMM_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_FAKENCCL_FAKECOMM_H

#include "FakeRegion.h"
#include "NcclLibrary.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace muon::fakenccl {

using nccl::DataType;
using nccl::ReduceOp;
using nccl::Result;

struct Fault {
  std::string name, what;
  int count = 0, rank = -1;
};

struct Options {
  int version = 22105;
  std::string log, directory = "/dev/shm", driver;
  bool isOneGpu = false, registers = true;
  std::vector<Fault> faults;

  bool parse(const std::string &text);
};

/// What the process has; options are read when it is first asked for.
const Options &getOptions();
void record(int rank, const std::string &line);

/// What is to happen at this call of `name`. Success for nothing; `async` is
/// set to what comes later.
Result inject(const char *name, int rank, Result &async, bool &hangs);

/// Memory that buffers are in. False if it cannot be accessed.
bool readMemory(void *stream, const void *from, void *to, size_t bytes);
bool writeMemory(void *stream, void *to, const void *from, size_t bytes);

/// The same for work of a graph, when it is its turn.
bool moveMemory(const void *memory, void *host, size_t bytes, bool isWrite);
bool isCapturing(void *stream);
/// As fakeCudaLaunch.
bool launchWork(void *stream, int (*work)(void *), void *state,
                void (*release)(void *));
/// Whether there is memory that can be registered.
bool isMemory(const void *memory, size_t bytes);
/// Lets the GPUs go on.
void advance();
void find(const std::string &text);

/// Communicators that were neither destroyed nor aborted.
extern std::atomic<int> alive;
/// Registered memory of all communicators.
extern std::atomic<int> registered;

enum class Kind : uint32_t {
  AllReduce,
  ReduceScatter,
  AllGather,
  Reduce,
  Broadcast,
  Send,
  Receive,
  Split
};

/// One call that moves data.
struct Call {
  Kind kind = Kind::AllReduce;
  const void *send = nullptr;
  void *receive = nullptr;
  uint64_t count = 0;
  DataType type = nccl::Float32;
  ReduceOp op = nccl::Sum;
  /// Root or peer.
  int root = 0;
  void *stream = nullptr;

  int color = 0, key = 0;
  nccl::Comm *child = nullptr;

  /// Of this rank, and what came from each.
  std::string mine = {};
  std::vector<std::string> received = {};
};

/// What ranks tell each other before the data of a call.
struct Header {
  uint32_t kind, type, op, root;
  uint64_t count, payload, isRegistered;
};

/// What graphs have of a communicator, which may be gone.
struct Link {
  std::mutex mutex;
  /// Null when it is gone.
  nccl::Comm comm = nullptr;
  bool isAborted = false;
  /// Groups of calls that graphs have.
  std::atomic<int> graphs{0};
};

/// A group of calls in a graph.
struct Node {
  std::shared_ptr<Link> link;
  std::vector<Call> calls;
  bool isRunning = false;

  ~Node() { --link->graphs; }
};

} // namespace muon::fakenccl

namespace muon::nccl {

/// A communicator. Calls may overlap with an abort alone.
struct ncclComm {
  using Call = muon::fakenccl::Call;
  using Result = muon::fakenccl::Result;

  ~ncclComm();
  bool open(const std::string &name, int rank, int ranks, int worldRank,
            bool isBlocking);
  Result start(std::vector<Call> calls);
  /// Moves what can be moved.
  Result progress();
  /// Until all has moved, if the communicator is blocking.
  Result settle();
  Result fail(Result result, const std::string &why);
  /// One turn of work of a graph; a CUresult.
  int run(muon::fakenccl::Node &node);
  /// This rank will use it no more.
  void finalize() {
    isFinalizing = true;
    region.finalize();
  }

  std::string name, lastError;
  int rank = 0, ranks = 1, worldRank = 0;
  bool isBlocking = false, isReady = false, isHung = false;
  bool isFinalizing = false;
  Result async = muon::nccl::Success;
  uint32_t numSplits = 0;
  std::recursive_mutex mutex;
  const std::shared_ptr<muon::fakenccl::Link> link =
      std::make_shared<muon::fakenccl::Link>();
  struct Memory {
    const char *begin;
    size_t bytes;
  };
  std::vector<std::unique_ptr<Memory>> memory;

private:
  struct Expected {
    size_t call;
    bool hasHeader = false;
  };

  std::string payloadTo(const Call &call, int other) const;
  size_t payloadFrom(const Call &call, int other) const;
  bool talksTo(const Call &call, int other) const;
  bool hearsFrom(const Call &call, int other) const;
  muon::fakenccl::Header headerOf(const Call &call, size_t payload) const;
  uint64_t isRegistered(const Call &call) const;
  bool read(const Call &call, void *to, size_t bytes) const;
  bool write(const Call &call, void *to, const void *from, size_t bytes) const;
  Result begin(std::vector<Call> calls);
  Result capture();
  Result move();
  Result finish();
  Result finish(Call &call);
  Result reduce(Call &call, size_t begin, size_t count);

  muon::fakenccl::Region region;
  std::vector<Call> calls;
  /// `calls` shall become work of a graph; are moving; as that of a graph.
  bool isPending = false, isMoving = false, isOfGraph = false;
  bool hasMoved = false;
  std::vector<std::string> outbox, inbox;
  std::vector<size_t> sent;
  /// Of each rank, in order.
  std::vector<std::vector<Expected>> expected;
};

} // namespace muon::nccl

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_FAKENCCL_FAKECOMM_H
