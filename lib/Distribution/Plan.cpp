//===- Plan.cpp - Choose strategies ---------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Distribution/Plan.h"
#include "CostModel.h"
#include "Owners.h"
#include "Text.h"
#include "Validate.h"
#include "muon-mlir/Import/StrictJson.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

#include <algorithm>
#include <cmath>
#include <set>

using namespace llvm;
using namespace mlir::muon;
using namespace mlir::muon::distribution;

namespace {

/// By rank, without the parts of elementwise groups: bytes of state, and bytes
/// exchanged with replicas as an owner.
struct RankLevels {
  std::vector<double> state, moved;
};

/// What there is to choose from for one group.
struct Choice {
  SmallVector<Cost> costs;
  size_t chosen = 0, fastest = 0;
  bool isPinned = false;
  /// Bytes of weights and gradients.
  double fixedMemory = 0;

  const Cost &get() const { return costs[chosen]; }
  double getScratch() const { return get().memory - get().state; }
};

/// Chooses a strategy for each group.
class Chooser {
public:
  explicit Chooser(Plan &plan) : plan(plan) {}

  Error run();

private:
  void ownAll();
  Choice getChoice(const Group &group) const;
  Error fitMemory();
  std::string explain(const Choice &choice,
                      const std::optional<Cost> &runnerUp) const;

  Plan &plan;
  /// Of each rank, if everything is owned that can be.
  std::vector<double> loads, moved;
  std::vector<Choice> choices;
};

} // namespace

static RankLevels getMatrixLevels(const Plan &plan) {
  size_t ranks = plan.topology.getRanks();
  RankLevels levels{std::vector<double>(ranks), std::vector<double>(ranks)};
  for (auto [group, groupPlan] : zip_equal(plan.groups, plan.plans)) {
    bool isOwned = groupPlan.strategy != Strategy::Local &&
                   groupPlan.strategy != Strategy::Replicate;
    if (group.isElementwise && isOwned)
      continue;
    Layout layout(plan.topology, group);
    OwnerCounts counts(layout, group, groupPlan);
    double bytes = isOwned ? getMovedBytes(layout, group) : 0;
    for (int64_t batch = 0; batch < layout.getBatches(); ++batch)
      for (int64_t replica = 0; replica < layout.getReplicas(); ++replica)
        for (int64_t shard = 0; shard < layout.getShards(); ++shard) {
          int64_t rank = layout.getRank(batch, replica, shard);
          double elements =
              counts.getKept(batch, replica) * layout.shardElements[shard];
          levels.state[rank] += elements * group.stateBytes;
          levels.moved[rank] += elements * bytes;
        }
  }
  return levels;
}

/// Gives an owner to every matrix that can have one.
void Chooser::ownAll() {
  for (auto [group, groupPlan] : zip_equal(plan.groups, plan.plans)) {
    Layout layout(plan.topology, group);
    bool isLocal = layout.getReplicas() * layout.getShards() == 1;
    groupPlan.strategy =
        isLocal ? Strategy::Local : group.pinned.value_or(Strategy::Own);
  }
  loads = assignOwners(plan);
  moved = getMatrixLevels(plan).moved;
}

Choice Chooser::getChoice(const Group &group) const {
  Layout layout(plan.topology, group);
  Choice choice;
  Shares shares = getSharesAmong(layout, group, loads, moved);
  SmallVector<Strategy> strategies = getStrategies(layout, group);
  bool isLocal = strategies.front() == Strategy::Local;
  choice.isPinned = group.pinned && !isLocal;
  if (choice.isPinned && !is_contained(strategies, *group.pinned))
    strategies.push_back(*group.pinned);
  for (auto [index, strategy] : enumerate(strategies)) {
    choice.costs.push_back(
        getCost(plan.topology, layout, group, shares, strategy));
    if (isFaster(choice.costs.back(), choice.costs[choice.fastest]))
      choice.fastest = index;
  }
  choice.chosen = choice.fastest;
  if (choice.isPinned)
    choice.chosen = find(strategies, *group.pinned) - strategies.begin();
  choice.fixedMemory = shares.all *
                       *std::max_element(layout.shardElements.begin(),
                                         layout.shardElements.end()) *
                       (group.weightBytes + group.gradientBytes);
  return choice;
}

/// Scratch is used by one group after the other, everything else stays.
Error Chooser::fitMemory() {
  double limit = plan.topology.memory;
  if (limit == 0)
    return Error::success();
  double stays = 0;
  std::multiset<double> scratch;
  for (const Choice &choice : choices) {
    stays += choice.fixedMemory + choice.get().state;
    scratch.insert(choice.getScratch());
  }
  auto getTotal = [&] {
    return stays + (scratch.empty() ? 0 : *scratch.rbegin());
  };

  struct Change {
    double secondsPerByte;
    size_t group, option;
  };
  std::vector<Change> changes;
  for (auto [index, choice] : enumerate(choices))
    for (auto [option, cost] : enumerate(choice.costs)) {
      double saved = choice.get().memory - cost.memory;
      if (!choice.isPinned && saved > 0)
        changes.push_back(
            {(cost.getTime() - choice.get().getTime()) / saved, index, option});
    }
  llvm::sort(changes, [](const Change &a, const Change &b) {
    return std::tie(a.secondsPerByte, a.group, a.option) <
           std::tie(b.secondsPerByte, b.group, b.option);
  });
  for (const Change &change : changes) {
    if (getTotal() <= limit)
      return Error::success();
    Choice &choice = choices[change.group];
    if (choice.costs[change.option].memory >= choice.get().memory)
      continue;
    stays -= choice.get().state;
    scratch.erase(scratch.find(choice.getScratch()));
    choice.chosen = change.option;
    stays += choice.get().state;
    scratch.insert(choice.getScratch());
  }
  if (getTotal() <= limit)
    return Error::success();

  auto getMemory = [](const Choice &choice) {
    return choice.fixedMemory + choice.get().memory;
  };
  size_t largest = std::max_element(choices.begin(), choices.end(),
                                    [&](const Choice &a, const Choice &b) {
                                      return getMemory(a) < getMemory(b);
                                    }) -
                   choices.begin();
  return createStringError(
      quoteForMessage(plan.groups[largest].name) +
      ": no strategy fits the memory of a rank: expected at most " +
      formatBytes(limit) + ", found " + formatBytes(getTotal()) +
      " for the step, of which this group takes most, " +
      formatBytes(getMemory(choices[largest])) + " as " +
      stringify(choices[largest].get().strategy));
}

std::string Chooser::explain(const Choice &choice,
                             const std::optional<Cost> &runnerUp) const {
  const Cost &cost = choice.get();
  if (cost.strategy == Strategy::Local)
    return "no other rank has a part of it";
  std::string text = (stringify(cost.strategy) + ": ").str();
  if (choice.isPinned)
    text += "pinned, ";
  text += formatSeconds(cost.getTime());
  if (!runnerUp)
    return text + "; nothing else applies";
  double more = runnerUp->bytesSent - cost.bytesSent;
  text += ("; next " + stringify(runnerUp->strategy) + ": " +
           formatSeconds(runnerUp->getTime()))
              .str();
  text += more == 0 ? " (as many bytes)"
                    : " (" + formatBytes(std::abs(more)) +
                          (more > 0 ? " more)" : " less)");
  if (!choice.isPinned && choice.chosen != choice.fastest)
    text += ("; the memory decided against " +
             stringify(choice.costs[choice.fastest].strategy))
                .str();
  return text;
}

Error Chooser::run() {
  ownAll();
  for (const Group &group : plan.groups)
    choices.push_back(getChoice(group));
  if (Error error = fitMemory())
    return error;
  for (auto [groupPlan, choice] : zip_equal(plan.plans, choices)) {
    groupPlan.cost = choice.get();
    groupPlan.strategy = groupPlan.cost.strategy;
    for (auto [index, cost] : enumerate(choice.costs))
      if (index != choice.chosen &&
          (!groupPlan.runnerUp || isFaster(cost, *groupPlan.runnerUp)))
        groupPlan.runnerUp = cost;
    groupPlan.reason = explain(choice, groupPlan.runnerUp);
  }
  return Error::success();
}

static void addTotals(Plan &plan) {
  plan.totals.assign(plan.topology.getRanks(), {});
  for (int64_t i = 0, end = plan.groups.size(); i < end; ++i)
    for (auto [sum, total] : zip_equal(plan.totals, plan.getGroupTotals(i))) {
      sum.bytesSent += total.bytesSent;
      sum.bytesReceived += total.bytesReceived;
      sum.flops += total.flops;
      sum.state += total.state;
      sum.stateElements += total.stateElements;
    }
}

Expected<Plan> distribution::makePlan(Topology topology,
                                      std::vector<Group> groups) {
  if (Error error = validate(topology))
    return std::move(error);
  for (const Group &group : groups)
    if (Error error = validate(topology, group))
      return std::move(error);
  Plan plan;
  plan.topology = std::move(topology);
  plan.groups = std::move(groups);
  plan.plans.resize(plan.groups.size());
  if (Error error = Chooser(plan).run())
    return std::move(error);
  assignOwners(plan);
  RankLevels levels = getMatrixLevels(plan);
  assignParts(plan, levels.state, levels.moved);
  addTotals(plan);
  return plan;
}
