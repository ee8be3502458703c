//===- NcclCalls.h - Collectives as calls of NCCL ---------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// NCCL's collectives give every rank as much as every other one, and have no
// variant for sizes that differ. What that takes is decided here, from what all
// ranks know alike, and without calling anything.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_NCCLCALLS_H
#define MUON_MLIR_LIB_RUNTIME_NCCLCALLS_H

#include "Communicator.h"
#include "NcclLibrary.h"

namespace muon::nccl {

/// One call; the type and the reduction are those of the collective.
struct Call {
  enum Kind {
    AllReduce,
    ReduceScatter,
    AllGather,
    Reduce,
    Broadcast,
    Send,
    Receive
  };
  Kind kind = AllReduce;
  const void *send = nullptr;
  void *receive = nullptr;
  /// Of elements, as NCCL counts them for that kind.
  int64_t count = 0;
  /// Root, or peer.
  int32_t place = 0;
};

DataType typeOf(MuonType type);

/// Whether a single call would do on this rank: segments in the order of their
/// places, equally much of each place, and all of them one after the other in
/// memory. It has to be so on all ranks of the group.
bool canBeOneCall(const Collective &collective);

/// The calls of this rank, in an order that is the same on all ranks of the
/// group, to be made as one group of NCCL. Uneven reduce_scatter is a reduction
/// to each owner, uneven all_gather a broadcast from each. `isOneCall` is what
/// the ranks have agreed on.
std::vector<Call> callsOf(const Collective &collective,
                          const CollectiveBuffers &buffers, bool isOneCall);

using Group = std::vector<int32_t>;

/// Cuts groups into rounds, each of which one split of the world makes: those
/// of a round have no rank in common. The same on all ranks that know the same
/// groups, whatever their order.
std::vector<std::vector<Group>> roundsOf(std::vector<Group> groups);

/// What ranks tell each other before the first collective of a step: the groups
/// that they are in, and the collectives that one call does not do on them.
struct Needs {
  std::vector<Group> groups;
  /// Fingerprints.
  std::vector<uint64_t> uneven;

  explicit Needs(const std::vector<Collective> &collectives);
  Needs() = default;

  std::string pack() const;
  /// False if these are not such bytes.
  bool unpack(const std::string &bytes);
};

} // namespace muon::nccl

#endif // MUON_MLIR_LIB_RUNTIME_NCCLCALLS_H
