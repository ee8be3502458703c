//===- Layout.cpp - How a group lies on the grid --------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Layout.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using namespace llvm;
using namespace mlir::muon;
using namespace mlir::muon::distribution;

int64_t distribution::getPartOffset(int64_t size, int64_t count,
                                    int64_t index) {
  return size / count * index + std::min(index, size % count);
}

int64_t distribution::getPartSize(int64_t size, int64_t count, int64_t index) {
  return size / count + (index < size % count);
}

int64_t distribution::getSize(const Topology &topology,
                              ArrayRef<int64_t> axes) {
  int64_t size = 1;
  for (int64_t axis : axes)
    size *= topology.axes[axis].size;
  return size;
}

double distribution::getTime(const Topology &topology, ArrayRef<int64_t> axes,
                             double rounds, double bytes) {
  double latency = 0, secondsPerByte = 0;
  for (int64_t index : axes) {
    const Axis &axis = topology.axes[index];
    if (axis.size == 1)
      continue;
    latency = std::max(latency, axis.latency);
    secondsPerByte = std::max(secondsPerByte, 1 / axis.bandwidth);
  }
  return rounds * latency + bytes * secondsPerByte;
}

/// For all places along `axes`, the sum over them of the coordinate times the
/// axis's stride.
static std::vector<int64_t> getOffsets(const Topology &topology,
                                       ArrayRef<int64_t> axes,
                                       ArrayRef<int64_t> strides) {
  std::vector<int64_t> offsets = {0};
  for (auto [axis, stride] : zip_equal(axes, strides)) {
    std::vector<int64_t> longer;
    longer.reserve(offsets.size() * topology.axes[axis].size);
    for (int64_t offset : offsets)
      for (int64_t i = 0; i < topology.axes[axis].size; ++i)
        longer.push_back(offset + i * stride);
    offsets = std::move(longer);
  }
  return offsets;
}

/// The ranks at all places along `axes`, at coordinate 0 along all others.
static std::vector<int64_t> getRanks(const Topology &topology,
                                     ArrayRef<int64_t> axes) {
  SmallVector<int64_t> strides;
  for (int64_t axis : axes) {
    int64_t stride = 1;
    for (const Axis &later : ArrayRef(topology.axes).drop_front(axis + 1))
      stride *= later.size;
    strides.push_back(stride);
  }
  return getOffsets(topology, axes, strides);
}

/// Elements of the shard of dimension `dim` at `coordinates`.
static std::pair<int64_t, int64_t> getSlice(const Topology &topology,
                                            const Group &group, size_t dim,
                                            ArrayRef<int64_t> coordinates) {
  int64_t count = 1, index = 0;
  for (int64_t axis : group.splitAxes[dim]) {
    count *= topology.axes[axis].size;
    index = index * topology.axes[axis].size + coordinates[axis];
  }
  int64_t size = group.shape[dim];
  return {getPartOffset(size, count, index), getPartSize(size, count, index)};
}

Layout::Layout(const Topology &topology, const Group &group) {
  size_t rank = group.shape.size();
  size_t leading = group.isElementwise ? rank : rank - 2;
  for (int64_t axis = 0, end = topology.axes.size(); axis < end; ++axis) {
    auto splits = [&](ArrayRef<SmallVector<int64_t>> dims) {
      return any_of(dims, [&](ArrayRef<int64_t> axes) {
        return is_contained(axes, axis);
      });
    };
    ArrayRef<SmallVector<int64_t>> dims = group.splitAxes;
    if (splits(dims.take_front(leading)))
      batchAxes.push_back(axis);
    else if (splits(dims.drop_front(leading)))
      matrixAxes.push_back(axis);
    else
      replicaAxes.push_back(axis);
    if (is_contained(group.unreducedAxes, axis))
      unreducedAxes.push_back(axis);
  }
  unreduced = getSize(topology, unreducedAxes);
  batchOffsets = getRanks(topology, batchAxes);
  replicaOffsets = getRanks(topology, replicaAxes);
  shardOffsets = getRanks(topology, matrixAxes);

  SmallVector<int64_t> groupStrides(replicaAxes.size());
  SmallVector<int64_t> placeStrides(replicaAxes.size());
  int64_t groups = 1, places = 1;
  for (size_t i = replicaAxes.size(); i-- > 0;) {
    bool isSummed = is_contained(unreducedAxes, replicaAxes[i]);
    int64_t &count = isSummed ? places : groups;
    (isSummed ? placeStrides : groupStrides)[i] = count;
    count *= topology.axes[replicaAxes[i]].size;
  }
  sumGroups = getOffsets(topology, replicaAxes, groupStrides);
  sumPlaces = getOffsets(topology, replicaAxes, placeStrides);

  for (int64_t offset : batchOffsets) {
    SmallVector<int64_t> coordinates = topology.getCoordinates(offset);
    int64_t size = 1;
    for (size_t dim = 0; dim < leading; ++dim)
      size *= getSlice(topology, group, dim, coordinates).second;
    batchSizes.push_back(size);
  }
  for (int64_t offset : shardOffsets) {
    SmallVector<int64_t> coordinates = topology.getCoordinates(offset);
    double elements = 1;
    for (size_t dim = leading; dim < rank; ++dim)
      elements *= getSlice(topology, group, dim, coordinates).second;
    shardElements.push_back(elements);
  }
  for (size_t dim = leading; dim < rank; ++dim)
    matrixElements *= group.shape[dim];
}

int64_t Layout::getBusiestBatch() const {
  return std::max_element(batchSizes.begin(), batchSizes.end()) -
         batchSizes.begin();
}

//===----------------------------------------------------------------------===//
// The same for users of a plan
//===----------------------------------------------------------------------===//

SmallVector<int64_t> Plan::getReplicaAxes(int64_t group) const {
  return Layout(topology, groups[group]).replicaAxes;
}

SmallVector<int64_t> Plan::getMatrixAxes(int64_t group) const {
  return Layout(topology, groups[group]).matrixAxes;
}

void Plan::getShard(int64_t group, int64_t rank,
                    SmallVectorImpl<int64_t> &offset,
                    SmallVectorImpl<int64_t> &size) const {
  SmallVector<int64_t> coordinates = topology.getCoordinates(rank);
  offset.clear();
  size.clear();
  for (size_t dim = 0, end = groups[group].shape.size(); dim < end; ++dim) {
    auto [begin, count] = getSlice(topology, groups[group], dim, coordinates);
    offset.push_back(begin);
    size.push_back(count);
  }
}

/// The part of `owners` that is of the batch of `rank`.
static ArrayRef<int64_t> getOwners(const Plan &plan, int64_t index,
                                   int64_t rank, ArrayRef<int64_t> owners) {
  if (owners.empty())
    return {};
  const Group &group = plan.groups[index];
  Layout layout(plan.topology, group);
  SmallVector<int64_t> coordinates = plan.topology.getCoordinates(rank);
  int64_t place = 0;
  for (int64_t axis : layout.batchAxes)
    place = place * plan.topology.axes[axis].size + coordinates[axis];
  int64_t begin = 0;
  for (int64_t batch = 0; batch < place; ++batch)
    begin += layout.getCount(group, batch);
  return owners.slice(begin, layout.getCount(group, place));
}

ArrayRef<int64_t> Plan::getReplicaOwners(int64_t group, int64_t rank) const {
  return getOwners(*this, group, rank, plans[group].replicaOwners);
}

ArrayRef<int64_t> Plan::getShardOwners(int64_t group, int64_t rank) const {
  return getOwners(*this, group, rank, plans[group].shardOwners);
}
