//===- Layout.h - How a group lies on the grid ------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DISTRIBUTION_LAYOUT_H
#define MUON_MLIR_LIB_DISTRIBUTION_LAYOUT_H

#include "muon-mlir/Distribution/Plan.h"

namespace mlir::muon::distribution {

/// Element number `index` and how many there are, of parts of `size` elements
/// over `count` that are as equal as can be.
int64_t getPartOffset(int64_t size, int64_t count, int64_t index);
int64_t getPartSize(int64_t size, int64_t count, int64_t index);

/// Product of the sizes of axes.
int64_t getSize(const Topology &topology, llvm::ArrayRef<int64_t> axes);

/// Of a collective of `n` ranks along `axes`: seconds of `rounds` messages one
/// after the other that move `bytes`. The slowest of the links counts.
double getTime(const Topology &topology, llvm::ArrayRef<int64_t> axes,
               double rounds, double bytes);

/// Splits the axes of the grid into three, each in the grid's order: those of
/// replicas, of shards of matrices, and all others, of batches. A rank is a
/// place along each, and its number the sum of three offsets. All of an
/// elementwise group's splits are of batches.
struct Layout {
  Layout(const Topology &topology, const Group &group);

  int64_t getRank(int64_t batch, int64_t replica, int64_t shard) const {
    return batchOffsets[batch] + replicaOffsets[replica] + shardOffsets[shard];
  }
  int64_t getBatches() const { return batchOffsets.size(); }
  int64_t getReplicas() const { return replicaOffsets.size(); }
  int64_t getShards() const { return shardOffsets.size(); }
  /// Matrices (elements of an elementwise group) of which the ranks at a place
  /// along the batch axes have shards, of all members.
  int64_t getCount(const Group &group, int64_t batch) const {
    return group.members * batchSizes[batch];
  }
  /// The place along the batch axes that has the most of them.
  int64_t getBusiestBatch() const;

  llvm::SmallVector<int64_t> replicaAxes, matrixAxes, batchAxes;
  /// Unreduced axes in the grid's order, and how many ranks differ along them.
  llvm::SmallVector<int64_t> unreducedAxes;
  int64_t unreduced = 1;
  /// Ranks of the places along each kind of axes, 0 along the others.
  std::vector<int64_t> batchOffsets, replicaOffsets, shardOffsets;
  /// For each replica, the group that sums gradients with it, and its place
  /// there.
  std::vector<int64_t> sumGroups, sumPlaces;
  /// Of one member, by place along the batch axes: matrices or elements.
  std::vector<int64_t> batchSizes;
  /// Of one matrix: elements by place along the matrix axes, and all. 1 in an
  /// elementwise group.
  std::vector<double> shardElements;
  double matrixElements = 1;
};

} // namespace mlir::muon::distribution

#endif // MUON_MLIR_LIB_DISTRIBUTION_LAYOUT_H
