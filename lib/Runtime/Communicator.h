//===- Communicator.h - How ranks exchange data -----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One interface for all ways in which ranks exchange data: threads of one
// process, MPI, and libraries that do collectives themselves.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_COMMUNICATOR_H
#define MUON_MLIR_LIB_RUNTIME_COMMUNICATOR_H

#include "Error.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace muon {

class Device;
class DirectCommunicator;

namespace nccl {
struct Library;
} // namespace nccl

/// What all ranks of a group do together, as rank number group[place] sees it.
/// docs/artifact.md defines the kinds and what their segments mean.
struct Collective {
  enum Kind { AllReduce, ReduceScatter, AllGather, AllToAll };
  struct Segment {
    int64_t elements = 0;
    /// Places in the group; -1 where there is none.
    int32_t from = -1, to = -1;
  };
  /// Segments that lie on this rank, in one buffer or behind a table of
  /// pointers.
  struct Operand {
    bool isTable = false;
    std::vector<int32_t> segments;
  };

  Kind kind = AllReduce;
  /// For people.
  std::string name;
  MuonType type = MUON_TYPE_F32;
  /// Sum otherwise.
  bool isMean = false;
  std::vector<int32_t> group;
  int32_t place = 0;
  std::vector<Segment> segments;
  std::vector<Operand> send, receive;
};

/// Where the segments of a collective lie on this rank; null where they do not.
struct CollectiveBuffers {
  std::vector<const void *> send;
  std::vector<void *> receive;
  /// The tensors they are of, for messages; may be empty.
  std::function<std::string()> tensors;
};

/// Payload that a rank sent to, and received from, other ranks.
struct Traffic {
  uint64_t bytesSent = 0, bytesReceived = 0;
  uint64_t collectives = 0;

  Traffic &operator+=(const Traffic &other) {
    bytesSent += other.bytesSent;
    bytesReceived += other.bytesReceived;
    collectives += other.collectives;
    return *this;
  }
};

/// What one rank moves in a collective: a rule, not a measurement.
Traffic getTraffic(const Collective &collective);

/// A collective under way. Destroyed only after wait().
class Transfer {
public:
  virtual ~Transfer();
  /// Waits for its end on this rank. An error, also a time-out, is final for
  /// the communicator.
  virtual Error wait() = 0;
};

/// One rank's side. Calls do not overlap, but for abort().
class Communicator {
public:
  virtual ~Communicator();

  virtual int32_t rank() const = 0;
  virtual int32_t size() const = 0;

  /// Starts a collective, whose data moves in waits and, where it can, in the
  /// background; all ranks of its group start the group's collectives
  /// in the same order, others may be between them. `collective` outlives the
  /// transfer. What is sent must not change before it has ended.
  virtual Error start(const Collective &collective,
                      const CollectiveBuffers &buffers,
                      std::unique_ptr<Transfer> &transfer) = 0;

  /// Bytes of every rank, in order, for what ranks compare before they start:
  /// at most 1 MiB each. Every rank takes part.
  virtual Error exchange(const std::string &mine,
                         std::vector<std::string> &all) = 0;

  /// An error if this or another rank has ended all: for who waits for
  /// something else than a collective.
  virtual Error checkStopped() { return Error::success(); }

  /// Where this rank is, for others that ask. Called in calls of this
  /// communicator and by its own threads, until it is replaced.
  virtual void setPlace(std::function<std::string()>) {}
  /// What the ranks say of where they are, as far as they answer in time; those
  /// answer that are in a call of their communicator. Not of this rank.
  virtual std::vector<std::optional<std::string>>
  askPlaces(std::chrono::milliseconds patience);

  /// Before the first run of a step, on all ranks: `collectives` are all that
  /// it will start. Outlived by none of them.
  virtual Error prepare(Device &device,
                        const std::vector<Collective> &collectives);

  /// Before each run, which is on `stream` of the device. Sets `isDirect` if
  /// buffers are to be in memory of the device, which is then read and written
  /// in the order of the stream; otherwise they are in memory of the host.
  virtual Error beginRun(Device &device, void *stream, bool &isDirect);

  /// Null if its collectives are not work of a stream.
  virtual DirectCommunicator *direct() { return nullptr; }

  /// After a run that did not fail: waits for what it put on the stream.
  virtual Error finishRun() { return Error::success(); }

  /// Ends what other ranks wait for, with `reason`; nothing can be started
  /// after that. From any thread.
  virtual void abort(const std::string &reason) = 0;

  /// How long a wait may take before it is an error. 0 for no limit.
  void setTimeout(std::chrono::milliseconds value) { timeout = value; }
  std::chrono::milliseconds getTimeout() const { return timeout; }

  /// Since the communicator was made.
  const Traffic &getTraffic() const { return traffic; }

protected:
  std::chrono::milliseconds timeout{600000};
  Traffic traffic;
};

/// The ranks of a group of threads of this process: communicator number i is
/// for rank i.
Error makeThreadCommunicators(
    int32_t ranks, std::vector<std::unique_ptr<Communicator>> &communicators);

/// This process's rank in MPI_COMM_WORLD, through the library
/// libmuon_mpi.so beside the runtime, which is loaded now. Initializes MPI if
/// nobody did.
Error makeMpiCommunicator(std::unique_ptr<Communicator> &communicator);

/// Ranks of `control`, whose data NCCL moves from GPU to GPU. `control` is for
/// what the ranks have to tell each other besides: who they are, what they
/// were compiled by, and that one has failed. `given` is an ncclComm_t of the
/// same ranks, in the same order, which stays the caller's; null to make one.
Error makeNcclCommunicator(std::shared_ptr<const nccl::Library> library,
                           std::shared_ptr<Communicator> control, void *given,
                           std::unique_ptr<Communicator> &communicator);

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_COMMUNICATOR_H
