//===- Owners.h - Give matrices and elements to ranks -----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DISTRIBUTION_OWNERS_H
#define MUON_MLIR_LIB_DISTRIBUTION_OWNERS_H

#include "muon-mlir/Distribution/Plan.h"

namespace mlir::muon::distribution {

struct Layout;

/// FLOPs of one matrix on the rank that has shard number `shard`, if it takes
/// part in the strategy. Of Own they are the owner's.
double getMatrixFlops(const Layout &layout, const Group &group,
                      Strategy strategy, int64_t shard);

/// How many matrices the ranks have to do with, as owners or because every rank
/// has.
struct OwnerCounts {
  OwnerCounts(const Layout &layout, const Group &group, const GroupPlan &plan);

  /// Of which this replica has the momentum.
  double getKept(int64_t batch, int64_t replica) const {
    return kept[batch * replicas + replica];
  }
  /// That this rank orthogonalizes alone (Own), or with its shard's group.
  double getWorked(int64_t batch, int64_t replica, int64_t shard) const {
    return worked[(batch * replicas + replica) * shards + shard];
  }

  int64_t replicas, shards;
  std::vector<double> kept, worked;
};

/// Fills in replicaOwners and shardOwners under the strategies of `plan`.
/// Returns the FLOPs of each rank.
std::vector<double> assignOwners(Plan &plan);

/// Bytes that a rank sends and receives because it owns one element.
double getMovedBytes(const Layout &layout, const Group &group);

/// Fills in Plan::parts so that state is level, and within a small slack what
/// ranks move because of what they own. Every rank has `state` bytes and moves
/// `moved` bytes without parts; adds what they have with them.
void assignParts(Plan &plan, std::vector<double> &state,
                 std::vector<double> &moved);

} // namespace mlir::muon::distribution

#endif // MUON_MLIR_LIB_DISTRIBUTION_OWNERS_H
