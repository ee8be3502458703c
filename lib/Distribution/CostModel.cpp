//===- CostModel.cpp - What strategies cost -------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CostModel.h"
#include "Owners.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>

using namespace llvm;
using namespace mlir::muon;
using namespace mlir::muon::distribution;

//===----------------------------------------------------------------------===//
// What applies
//===----------------------------------------------------------------------===//

/// Number of matrix dimensions that are split.
static int64_t countSplitSides(const Group &group) {
  return count_if(ArrayRef(group.splitAxes).take_back(2),
                  [](ArrayRef<int64_t> axes) { return !axes.empty(); });
}

std::string distribution::getObstacle(const Layout &layout, const Group &group,
                                      Strategy strategy) {
  switch (strategy) {
  case Strategy::Local:
    if (layout.getReplicas() * layout.getShards() > 1)
      return "other ranks have parts or copies of it";
    return "";
  case Strategy::Replicate:
  case Strategy::Own:
    return "";
  case Strategy::Gather:
    if (group.isElementwise)
      return "its update is elementwise";
    if (layout.matrixAxes.empty())
      return "its matrices are not split";
    return "";
  case Strategy::DistributedGram:
    if (group.isElementwise)
      return "its update is elementwise";
    if (layout.matrixAxes.empty())
      return "its matrices are not split";
    if (countSplitSides(group) > 1)
      return "both dimensions of its matrices are split";
    if (group.gramSharedFlops < 0)
      return group.noGram.empty() ? "its iteration is not in Gram matrices"
                                  : group.noGram;
    return "";
  }
  llvm_unreachable("unknown strategy");
}

SmallVector<Strategy> distribution::getStrategies(const Layout &layout,
                                                  const Group &group) {
  if (layout.getReplicas() * layout.getShards() == 1)
    return {Strategy::Local};
  SmallVector<Strategy> strategies;
  for (Strategy strategy : {Strategy::Own, Strategy::DistributedGram,
                            Strategy::Gather, Strategy::Replicate}) {
    // Without replicas it is what Gather is.
    if (strategy == Strategy::Replicate && layout.getReplicas() == 1)
      continue;
    // Over one shard, they are what Own is.
    if ((strategy == Strategy::Gather ||
         strategy == Strategy::DistributedGram) &&
        layout.getShards() == 1)
      continue;
    if (getObstacle(layout, group, strategy).empty())
      strategies.push_back(strategy);
  }
  return strategies;
}

//===----------------------------------------------------------------------===//
// Shares of the busiest rank
//===----------------------------------------------------------------------===//

static double getAll(const Layout &layout, const Group &group) {
  return layout.getCount(group, layout.getBusiestBatch());
}

Shares distribution::getSharesAlone(const Layout &layout, const Group &group) {
  double all = getAll(layout, group);
  // Elements are divided almost evenly, matrices one by one.
  if (group.isElementwise)
    return {all, all / layout.getReplicas(), 0, all / layout.getReplicas()};
  double kept = std::ceil(all / layout.getReplicas());
  return {all, kept,
          std::ceil(all / (layout.getReplicas() * layout.getShards())), kept};
}

/// `mean` times the excess of the largest of `loads` over their mean, but at
/// most `all`.
static double stretch(double mean, double all, ArrayRef<double> loads) {
  double sum = 0, largest = 0;
  for (double load : loads) {
    sum += load;
    largest = std::max(largest, load);
  }
  double share = sum > 0 ? mean * largest * loads.size() / sum : mean;
  // Whole numbers are exact.
  if (std::abs(share - std::round(share)) < 1e-9 * share)
    share = std::round(share);
  // What is more comes of other groups.
  return std::min({all, std::ceil(mean), share});
}

Shares distribution::getSharesAmong(const Layout &layout, const Group &group,
                                    ArrayRef<double> loads,
                                    ArrayRef<double> moved) {
  if (group.isElementwise)
    return getSharesAlone(layout, group);
  int64_t batch = layout.getBusiestBatch();
  std::vector<double> rankLoads, replicaLoads, replicaMoved;
  for (int64_t replica = 0; replica < layout.getReplicas(); ++replica) {
    double sum = 0;
    replicaMoved.push_back(moved[layout.getRank(batch, replica, 0)]);
    for (int64_t shard = 0; shard < layout.getShards(); ++shard) {
      rankLoads.push_back(loads[layout.getRank(batch, replica, shard)]);
      sum += rankLoads.back();
    }
    replicaLoads.push_back(sum);
  }
  double all = getAll(layout, group);
  return {all, stretch(all / replicaLoads.size(), all, replicaLoads),
          stretch(all / rankLoads.size(), all, rankLoads),
          stretch(all / replicaMoved.size(), all, replicaMoved)};
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

namespace {

/// Adds up what the rank with the largest shard does.
class CostSum {
public:
  CostSum(const Topology &topology, const Layout &layout, const Group &group,
          const Shares &shares, Strategy strategy)
      : topology(topology), layout(layout), group(group), shares(shares) {
    cost.strategy = strategy;
    shard = *std::max_element(layout.shardElements.begin(),
                              layout.shardElements.end());
    rest = layout.matrixElements - shard;
  }

  Cost get();

private:
  void exchange(ArrayRef<int64_t> axes, double rounds, double sent,
                double received);
  double getAllReduceElements(double elements, int64_t ranks) const {
    return elements + double(ranks - 2) * std::ceil(elements / ranks);
  }
  void addSumOfAllGradients();
  void addSumOfGradients();
  void addGather(double matrices);
  void addWayToOwners();
  void addGram();
  void addWeights();

  const Topology &topology;
  const Layout &layout;
  const Group &group;
  Shares shares;
  /// Elements of a matrix in the largest shard, and outside of it.
  double shard = 0, rest = 0;
  Cost cost;
};

} // namespace

void CostSum::exchange(ArrayRef<int64_t> axes, double rounds, double sent,
                       double received) {
  if (getSize(topology, axes) == 1)
    return;
  cost.bytesSent += sent;
  cost.bytesReceived += received;
  cost.communication +=
      getTime(topology, axes, rounds, std::max(sent, received));
}

void CostSum::addSumOfAllGradients() {
  int64_t ranks = layout.unreduced;
  if (ranks == 1 || group.members == 0)
    return;
  double bytes =
      group.members *
      getAllReduceElements(shares.all / group.members * shard, ranks) *
      group.gradientBytes;
  exchange(layout.unreducedAxes, 2.0 * (ranks - 1), bytes, bytes);
  cost.memory += shares.all * shard * group.gradientBytes;
}

void CostSum::addSumOfGradients() {
  int64_t ranks = layout.unreduced;
  if (ranks == 1)
    return;
  double bytes = shard * group.gradientBytes;
  double summed = std::min(shares.all, ranks * shares.moved);
  exchange(layout.unreducedAxes, ranks - 1, (summed - shares.moved) * bytes,
           (ranks - 1) * shares.moved * bytes);
  cost.memory += shares.kept * bytes;
}

void CostSum::addGather(double matrices) {
  int64_t ranks = layout.getShards();
  double bytes = matrices * group.wireBytes;
  exchange(layout.matrixAxes, ranks - 1, (ranks - 1) * shard * bytes,
           rest * bytes);
  if (ranks > 1)
    cost.memory += layout.matrixElements * bytes;
}

void CostSum::addWayToOwners() {
  int64_t ranks = layout.getShards();
  if (ranks == 1)
    return;
  double sent = (shares.kept - shares.worked) * shard * group.wireBytes;
  double received = shares.worked * rest * group.wireBytes;
  exchange(layout.matrixAxes, ranks - 1, sent, received);
  exchange(layout.matrixAxes, ranks - 1, received, sent);
  cost.memory += 2 * shares.kept * shard * group.wireBytes +
                 shares.worked * layout.matrixElements * group.wireBytes;
}

void CostSum::addGram() {
  int64_t ranks = layout.getShards();
  double size = group.gramSize;
  double bytes = shares.kept * group.gramReductions *
                 getAllReduceElements(size * (size + 1) / 2, ranks) *
                 sizeof(float);
  exchange(layout.matrixAxes, 2.0 * (ranks - 1) * group.gramReductions, bytes,
           bytes);
  cost.memory += shares.kept * (shard * group.wireBytes +
                                size * size * double(sizeof(float)));
}

void CostSum::addWeights() {
  int64_t ranks = layout.getReplicas();
  double bytes = shard * group.weightBytes;
  exchange(layout.replicaAxes, ranks - 1, (ranks - 1) * shares.moved * bytes,
           (shares.all - shares.moved) * bytes);
}

Cost CostSum::get() {
  double kept = shares.kept, worked = 0;
  switch (cost.strategy) {
  case Strategy::Local:
    kept = worked = shares.all;
    break;
  case Strategy::Replicate:
    kept = worked = shares.all;
    addSumOfAllGradients();
    addGather(shares.all);
    break;
  case Strategy::Own:
    worked = shares.worked;
    addSumOfGradients();
    addWayToOwners();
    addWeights();
    break;
  case Strategy::Gather:
    worked = shares.kept;
    addSumOfGradients();
    addGather(shares.kept);
    addWeights();
    break;
  case Strategy::DistributedGram:
    worked = shares.kept;
    addSumOfGradients();
    addGram();
    addWeights();
    break;
  }
  cost.state = kept * shard * group.stateBytes;
  cost.memory += cost.state;
  if (!group.isElementwise)
    cost.flops = worked * getMatrixFlops(layout, group, cost.strategy, 0);
  cost.computation = cost.flops / topology.flops;
  return cost;
}

Cost distribution::getCost(const Topology &topology, const Layout &layout,
                           const Group &group, const Shares &shares,
                           Strategy strategy) {
  return CostSum(topology, layout, group, shares, strategy).get();
}

bool distribution::isFaster(const Cost &a, const Cost &b) {
  return a.getTime() < b.getTime() * (1 - 1e-9);
}

SmallVector<Cost> distribution::priceStrategies(const Topology &topology,
                                                const Group &group) {
  Layout layout(topology, group);
  SmallVector<Cost> costs;
  for (Strategy strategy : getStrategies(layout, group))
    costs.push_back(getCost(topology, layout, group,
                            getSharesAlone(layout, group), strategy));
  return costs;
}
