//===- Owners.cpp - Give matrices to ranks --------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Owners.h"
#include "Layout.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <functional>
#include <queue>

using namespace llvm;
using namespace mlir::muon;
using namespace mlir::muon::distribution;

double distribution::getMatrixFlops(const Layout &layout, const Group &group,
                                    Strategy strategy, int64_t shard) {
  if (strategy != Strategy::DistributedGram)
    return group.flops;
  double share = layout.matrixElements == 0
                     ? 0
                     : layout.shardElements[shard] / layout.matrixElements;
  return group.gramSharedFlops * share + group.gramRepeatedFlops;
}

OwnerCounts::OwnerCounts(const Layout &layout, const Group &group,
                         const GroupPlan &plan)
    : replicas(layout.getReplicas()), shards(layout.getShards()),
      kept(layout.getBatches() * replicas),
      worked(layout.getBatches() * replicas * shards) {
  size_t matrix = 0;
  for (int64_t batch = 0; batch < layout.getBatches(); ++batch) {
    int64_t count = layout.getCount(group, batch);
    double *batchKept = &kept[batch * replicas];
    double *batchWorked = &worked[batch * replicas * shards];
    if (plan.replicaOwners.empty() && plan.shardOwners.empty()) {
      std::fill_n(batchKept, replicas, count);
      std::fill_n(batchWorked, replicas * shards, count);
      continue;
    }
    for (int64_t i = 0; i < count; ++i, ++matrix) {
      int64_t replica =
          plan.replicaOwners.empty() ? 0 : plan.replicaOwners[matrix];
      ++batchKept[replica];
      if (!plan.shardOwners.empty())
        ++batchWorked[replica * shards + plan.shardOwners[matrix]];
      else
        for (int64_t shard = 0; shard < shards; ++shard)
          ++batchWorked[replica * shards + shard];
    }
  }
}

namespace {

/// Ranks that a matrix can be given to: those that do all of its work, or that
/// share it.
struct Candidate {
  double load;
  int64_t replica, shard;

  /// In ties replicas come first, so that what they keep is level too.
  bool operator>(const Candidate &other) const {
    return std::tie(load, shard, replica) >
           std::tie(other.load, other.shard, other.replica);
  }
};

/// Gives the matrices of one group to ranks.
class Assignment {
public:
  Assignment(Plan &plan, int64_t index, std::vector<double> &loads)
      : group(plan.groups[index]), plan(plan.plans[index]),
        layout(plan.topology, group), loads(loads) {}

  /// Whether there is a choice.
  bool hasOwners() const;
  /// FLOPs of one matrix on the rank that has most of them.
  double getWeight() const { return getWeight(0); }
  void addFixedLoads();
  void assign();

private:
  bool isShardOwned() const {
    return plan.strategy == Strategy::Own && layout.getShards() > 1;
  }
  /// Where FLOPs are not known, matrices are still divided evenly.
  double getWeight(int64_t shard) const {
    double flops = getMatrixFlops(layout, group, plan.strategy, shard);
    return flops > 0 ? flops : layout.matrixElements;
  }
  void assign(int64_t batch);

  const Group &group;
  GroupPlan &plan;
  Layout layout;
  std::vector<double> &loads;
};

} // namespace

bool Assignment::hasOwners() const {
  if (group.isElementwise || plan.strategy == Strategy::Local ||
      plan.strategy == Strategy::Replicate)
    return false;
  return layout.getReplicas() > 1 || isShardOwned();
}

void Assignment::addFixedLoads() {
  if (group.isElementwise)
    return;
  for (int64_t batch = 0; batch < layout.getBatches(); ++batch)
    for (int64_t replica = 0; replica < layout.getReplicas(); ++replica)
      for (int64_t shard = 0; shard < layout.getShards(); ++shard)
        loads[layout.getRank(batch, replica, shard)] +=
            layout.getCount(group, batch) * getWeight(shard);
}

void Assignment::assign() {
  for (int64_t batch = 0; batch < layout.getBatches(); ++batch)
    assign(batch);
}

void Assignment::assign(int64_t batch) {
  int64_t replicas = layout.getReplicas(), shards = layout.getShards();
  std::vector<Candidate> candidates;
  for (int64_t replica = 0; replica < replicas; ++replica) {
    if (isShardOwned()) {
      for (int64_t shard = 0; shard < shards; ++shard) {
        // Ranks without a part of the matrices are no owners.
        if (layout.shardElements[shard] == 0)
          continue;
        double load = loads[layout.getRank(batch, replica, shard)];
        candidates.push_back({load, replica, shard});
      }
      continue;
    }
    Candidate candidate{0, replica, 0};
    for (int64_t shard = 0; shard < shards; ++shard)
      candidate.load = std::max(candidate.load,
                                loads[layout.getRank(batch, replica, shard)]);
    candidates.push_back(candidate);
  }
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue(
      std::greater<>(), std::move(candidates));

  std::vector<int64_t> counts(replicas * shards);
  double weight = getWeight();
  for (int64_t i = 0, end = layout.getCount(group, batch); i < end; ++i) {
    Candidate candidate = queue.top();
    queue.pop();
    ++counts[candidate.replica * shards + candidate.shard];
    candidate.load += weight;
    queue.push(candidate);
  }

  // Matrices of a group are equal: only how many each rank has matters, and
  // runs make few and long pieces of memory.
  for (int64_t replica = 0; replica < replicas; ++replica)
    for (int64_t shard = 0; shard < shards; ++shard) {
      int64_t count = counts[replica * shards + shard];
      if (replicas > 1)
        plan.replicaOwners.insert(plan.replicaOwners.end(), count, replica);
      if (isShardOwned()) {
        plan.shardOwners.insert(plan.shardOwners.end(), count, shard);
        loads[layout.getRank(batch, replica, shard)] += count * weight;
        continue;
      }
      for (int64_t other = 0; count && other < shards; ++other)
        loads[layout.getRank(batch, replica, other)] +=
            count * getWeight(other);
    }
}

std::vector<double> distribution::assignOwners(Plan &plan) {
  std::vector<double> loads(plan.topology.getRanks());
  std::vector<std::pair<double, int64_t>> order;
  for (int64_t i = 0, end = plan.groups.size(); i < end; ++i) {
    plan.plans[i].replicaOwners.clear();
    plan.plans[i].shardOwners.clear();
    Assignment assignment(plan, i, loads);
    if (assignment.hasOwners())
      order.push_back({-assignment.getWeight(), i});
    else
      assignment.addFixedLoads();
  }
  llvm::sort(order);
  for (auto [weight, index] : order)
    Assignment(plan, index, loads).assign();
  return loads;
}
