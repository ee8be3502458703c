//===- CollectiveLink.h - Messages between ranks ----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// What a collective needs of a network. Implemented by MPI in a library of its
// own, so that the runtime does not depend on MPI.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_COLLECTIVELINK_H
#define MUON_MLIR_LIB_RUNTIME_COLLECTIVELINK_H

#include "Error.h"

#include <cstdint>

namespace muon::collective {

/// Messages with the same tag from one rank to another arrive in the order in
/// which they were sent. Not for overlapping calls.
class Link {
public:
  struct Request {
    uintptr_t handle = 0;
    bool isActive = false;
  };
  struct Arrival {
    int32_t peer = -1;
    int64_t bytes = 0;
  };
  static constexpr int32_t kAnyPeer = -1;
  /// Of tags, and of bytes of one message.
  static constexpr int32_t kLargestTag = 32767;
  static constexpr int64_t kLargestMessage = int64_t(1) << 30;

  virtual ~Link() = default;
  virtual int32_t rank() const = 0;
  virtual int32_t size() const = 0;

  /// False in a thread that may make no call but these two.
  virtual bool isUsableHere() const = 0;
  /// Whether all threads may make calls, one at a time.
  virtual bool isUsableEverywhere() const = 0;

  /// The data stays where it is until test() says that the request is over.
  virtual Error send(int32_t peer, int32_t tag, const void *data, int64_t bytes,
                     Request &request) = 0;
  virtual Error receive(int32_t peer, int32_t tag, void *data, int64_t bytes,
                        Request &request) = 0;
  /// Makes progress. The request is no longer active when it is over;
  /// `arrival` is set for one that received.
  virtual Error test(Request &request, Arrival &arrival) = 0;
  /// Asks for the end of a request; test() says when it has come.
  virtual void cancel(Request &request) = 0;
  /// Something went wrong: other ranks may never get where this one gets.
  virtual void setFailed() = 0;
};

/// What libmuon_mpi.so exports as muonMpiLink. A library of another build may
/// disagree about this header.
struct LinkLibrary {
  uint32_t version;
  /// Initializes MPI if nobody did. Called by all ranks.
  Error (*open)(Link *&link);
};
constexpr uint32_t kLinkVersion = 2;

} // namespace muon::collective

#endif // MUON_MLIR_LIB_RUNTIME_COLLECTIVELINK_H
