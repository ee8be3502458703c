//===- Exchanges.cpp - What each rank does --------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exact counts by rank, from the owners that a plan has. The rules by which the
// runtime counts bytes are in docs/artifact.md.
//
//===----------------------------------------------------------------------===//

#include "Layout.h"
#include "Owners.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <functional>

using namespace llvm;
using namespace mlir::muon;
using namespace mlir::muon::distribution;

double Exchange::getTime(const Topology &topology) const {
  double bytes = 0;
  for (auto [sent, received] : zip_equal(bytesSent, bytesReceived))
    bytes = std::max({bytes, sent, received});
  return distribution::getTime(topology, axes, rounds * times, bytes);
}

/// Elements of group `index` that each replica of a batch owns.
static std::vector<double> countParts(const Plan &plan, int64_t index,
                                      const Layout &layout) {
  std::vector<double> counts(layout.getBatches() * layout.getReplicas());
  for (const PartLists &lists : plan.parts) {
    if (ArrayRef<int64_t>(lists.replicaAxes) !=
        ArrayRef<int64_t>(layout.replicaAxes))
      continue;
    // The other axes may be split more ways than this group's batch axes, as
    // none is: an axis that splits nothing is a replica axis.
    for (auto [batch, list] : enumerate(lists.lists))
      for (const Part &part : list)
        if (part.group == index)
          counts[batch * layout.getReplicas() + part.owner] +=
              part.end - part.begin;
  }
  return counts;
}

namespace {

/// Lists the collectives of one group.
class Exchanges {
public:
  Exchanges(const Plan &plan, int64_t index)
      : topology(plan.topology), group(plan.groups[index]),
        strategy(plan.plans[index].strategy), layout(topology, group),
        counts(layout, group, plan.plans[index]) {
    if (group.isElementwise && strategy == Strategy::Own)
      counts.kept = countParts(plan, index, layout);
  }

  std::vector<Exchange> list();
  std::vector<RankTotals> getWork() const;

private:
  struct Place {
    int64_t batch, replica, shard;
  };
  void forEachPlace(function_ref<void(Place, int64_t rank)> visit) const;
  /// `count(place)` is what the rank sends, and what it receives.
  void add(StringRef what, StringRef kind, ArrayRef<int64_t> axes,
           double rounds, int64_t times,
           function_ref<std::pair<double, double>(Place)> count);

  /// Bytes of a rank in an all-reduce of `elements`.
  static double getAllReduceElements(int64_t elements, int64_t ranks,
                                     int64_t place) {
    return elements + double(ranks - 2) * getPartSize(elements, ranks, place);
  }
  void addReplicate();
  void addSumOfGradients();
  void addGather();
  void addWayToOwners();
  void addGram();
  void addWeights();

  const Topology &topology;
  const Group &group;
  Strategy strategy;
  Layout layout;
  OwnerCounts counts;
  std::vector<Exchange> exchanges;
};

} // namespace

void Exchanges::forEachPlace(
    function_ref<void(Place, int64_t rank)> visit) const {
  for (int64_t batch = 0; batch < layout.getBatches(); ++batch)
    for (int64_t replica = 0; replica < layout.getReplicas(); ++replica)
      for (int64_t shard = 0; shard < layout.getShards(); ++shard)
        visit({batch, replica, shard}, layout.getRank(batch, replica, shard));
}

void Exchanges::add(StringRef what, StringRef kind, ArrayRef<int64_t> axes,
                    double rounds, int64_t times,
                    function_ref<std::pair<double, double>(Place)> count) {
  if (getSize(topology, axes) == 1)
    return;
  Exchange exchange;
  exchange.what = what;
  exchange.kind = kind;
  exchange.axes.assign(axes.begin(), axes.end());
  exchange.rounds = rounds;
  exchange.times = times;
  exchange.bytesSent.resize(topology.getRanks());
  exchange.bytesReceived.resize(topology.getRanks());
  forEachPlace([&](Place place, int64_t rank) {
    std::tie(exchange.bytesSent[rank], exchange.bytesReceived[rank]) =
        count(place);
  });
  if (any_of(exchange.bytesSent, [](double bytes) { return bytes > 0; }))
    exchanges.push_back(std::move(exchange));
}

void Exchanges::addReplicate() {
  add("gradients", "all_reduce", layout.unreducedAxes,
      2.0 * (layout.unreduced - 1), 1, [&](Place place) {
        double elements = getAllReduceElements(
            layout.batchSizes[place.batch] * layout.shardElements[place.shard],
            layout.unreduced, layout.sumPlaces[place.replica]);
        double bytes = group.members * elements * group.gradientBytes;
        return std::make_pair(bytes, bytes);
      });
}

void Exchanges::addSumOfGradients() {
  // What the owners in each group that sums have together.
  int64_t sumGroups = layout.getReplicas() / layout.unreduced;
  std::vector<double> owned(layout.getBatches() * sumGroups);
  for (int64_t batch = 0; batch < layout.getBatches(); ++batch)
    for (int64_t replica = 0; replica < layout.getReplicas(); ++replica)
      owned[batch * sumGroups + layout.sumGroups[replica]] +=
          counts.getKept(batch, replica);
  add("gradients", "reduce_scatter", layout.unreducedAxes, layout.unreduced - 1,
      1, [&](Place place) {
        double mine = counts.getKept(place.batch, place.replica);
        double all =
            owned[place.batch * sumGroups + layout.sumGroups[place.replica]];
        double bytes = layout.shardElements[place.shard] * group.gradientBytes;
        return std::make_pair((all - mine) * bytes,
                              (layout.unreduced - 1) * mine * bytes);
      });
}

void Exchanges::addGather() {
  add("X", "all_gather", layout.matrixAxes, layout.getShards() - 1, 1,
      [&](Place place) {
        double mine = counts.getKept(place.batch, place.replica);
        double elements = layout.shardElements[place.shard];
        return std::make_pair(
            (layout.getShards() - 1) * mine * elements * group.wireBytes,
            mine * (layout.matrixElements - elements) * group.wireBytes);
      });
}

void Exchanges::addWayToOwners() {
  auto count = [&](Place place) {
    double worked = counts.getWorked(place.batch, place.replica, place.shard);
    double kept = counts.getKept(place.batch, place.replica);
    double elements = layout.shardElements[place.shard];
    return std::make_pair((kept - worked) * elements * group.wireBytes,
                          worked * (layout.matrixElements - elements) *
                              group.wireBytes);
  };
  double rounds = layout.getShards() - 1;
  add("X", "all_to_all", layout.matrixAxes, rounds, 1, count);
  add("O", "all_to_all", layout.matrixAxes, rounds, 1, [&](Place place) {
    auto [there, back] = count(place);
    return std::make_pair(back, there);
  });
}

void Exchanges::addGram() {
  int64_t elements = group.gramSize * (group.gramSize + 1) / 2;
  add("Gram", "all_reduce", layout.matrixAxes, 2.0 * (layout.getShards() - 1),
      group.gramReductions, [&](Place place) {
        double bytes =
            getAllReduceElements(elements, layout.getShards(), place.shard) *
            counts.getKept(place.batch, place.replica) * group.gramReductions *
            sizeof(float);
        return std::make_pair(bytes, bytes);
      });
}

void Exchanges::addWeights() {
  add("weights", "all_gather", layout.replicaAxes, layout.getReplicas() - 1, 1,
      [&](Place place) {
        double mine = counts.getKept(place.batch, place.replica);
        double all = layout.getCount(group, place.batch);
        double bytes = layout.shardElements[place.shard] * group.weightBytes;
        return std::make_pair((layout.getReplicas() - 1) * mine * bytes,
                              (all - mine) * bytes);
      });
}

std::vector<Exchange> Exchanges::list() {
  switch (strategy) {
  case Strategy::Local:
    return {};
  case Strategy::Replicate:
    addReplicate();
    addGather();
    return std::move(exchanges);
  case Strategy::Own:
    addSumOfGradients();
    if (!group.isElementwise)
      addWayToOwners();
    break;
  case Strategy::Gather:
    addSumOfGradients();
    addGather();
    break;
  case Strategy::DistributedGram:
    addSumOfGradients();
    addGram();
    break;
  }
  addWeights();
  return std::move(exchanges);
}

std::vector<RankTotals> Exchanges::getWork() const {
  std::vector<RankTotals> totals(topology.getRanks());
  forEachPlace([&](Place place, int64_t rank) {
    RankTotals &total = totals[rank];
    double elements = counts.getKept(place.batch, place.replica) *
                      layout.shardElements[place.shard];
    total.state = elements * group.stateBytes;
    total.stateElements = elements * (group.isElementwise ? 2 : 1);
    if (!group.isElementwise)
      total.flops = counts.getWorked(place.batch, place.replica, place.shard) *
                    getMatrixFlops(layout, group, strategy, place.shard);
  });
  return totals;
}

std::vector<Exchange> Plan::getExchanges(int64_t group) const {
  return Exchanges(*this, group).list();
}

std::vector<RankTotals> Plan::getGroupTotals(int64_t group) const {
  Exchanges exchanges(*this, group);
  std::vector<RankTotals> totals = exchanges.getWork();
  for (const Exchange &exchange : exchanges.list())
    for (auto [rank, total] : enumerate(totals)) {
      total.bytesSent += exchange.bytesSent[rank];
      total.bytesReceived += exchange.bytesReceived[rank];
    }
  return totals;
}

RankTotals Plan::getTotals(int64_t rank) const { return totals[rank]; }
