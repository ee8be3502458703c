//===- Parts.cpp - Give elements to ranks ---------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Layout.h"
#include "Owners.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>
#include <map>

using namespace llvm;
using namespace mlir::muon;
using namespace mlir::muon::distribution;

/// Cuts lie on lines of memory, whatever the type.
static constexpr int64_t grain = 64;

/// State may be this much above the level where that levels what is moved.
static constexpr double slack = 1.015;

/// The level of `amount` of water poured onto `ground`.
static double getLevel(ArrayRef<double> ground, double amount) {
  std::vector<double> sorted(ground);
  llvm::sort(sorted);
  double level = 0, below = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    below += sorted[i];
    level = (below + amount) / (i + 1);
    if (i + 1 == sorted.size() || level <= sorted[i + 1])
      break;
  }
  return level;
}

/// What each rank gets of `amount` bytes of state. Ranks have `state` before,
/// and move `moved` bytes because of what they own; every byte of state adds
/// `movedPerByte` to that. Matrices are given out by FLOPs, so that ranks with
/// the least state and those that move the least need not be the same.
static std::vector<double> divide(ArrayRef<double> state,
                                  ArrayRef<double> moved, double amount,
                                  double movedPerByte) {
  double level = getLevel(state, amount);
  std::vector<double> parts(state.size());
  if (movedPerByte == 0) {
    for (auto [part, height] : zip_equal(parts, state))
      part = std::max(0.0, level - height);
    return parts;
  }
  auto fill = [&](double line) {
    double sum = 0;
    for (auto [part, height, bytes] : zip_equal(parts, state, moved)) {
      double most = std::max(0.0, slack * level - height);
      part = std::clamp((line - bytes) / movedPerByte, 0.0, most);
      sum += part;
    }
    return sum;
  };
  // The least line to which enough is filled in; bisection ends at neighboring
  // doubles.
  double low = 0, high = *std::max_element(moved.begin(), moved.end()) +
                         slack * level * movedPerByte;
  for (int i = 0; i < 200; ++i) {
    double middle = low + (high - low) / 2;
    (fill(middle) < amount ? low : high) = middle;
  }
  fill(high);
  return parts;
}

/// What an element weighs; elements without state still get divided.
static double getWeight(const Group &group) {
  return group.stateBytes > 0 ? group.stateBytes : 0x1p-10;
}

/// The elements of one replica group, one member after the other, cut where
/// what `quotas` say is reached.
static std::vector<Part> cut(const Plan &plan, ArrayRef<int64_t> indices,
                             ArrayRef<int64_t> sizes, ArrayRef<double> quotas) {
  std::vector<Part> parts;
  int64_t owner = 0, last = quotas.size() - 1;
  double begin = 0, target = quotas[0];
  for (auto [index, size] : zip_equal(indices, sizes)) {
    double weight = getWeight(plan.groups[index]);
    for (int64_t member = 0; member < plan.groups[index].members; ++member) {
      int64_t done = 0;
      while (done < size) {
        int64_t end = size;
        if (owner < last) {
          double wanted = std::max(0.0, (target - begin) / weight);
          if (wanted < double(size))
            end = std::min(size, int64_t(std::llround(wanted / grain)) * grain);
        }
        if (end > done) {
          parts.push_back({index, member, done, end, owner});
          done = end;
        }
        if (done < size)
          target += quotas[++owner];
      }
      begin += size * weight;
    }
  }
  return parts;
}

double distribution::getMovedBytes(const Layout &layout, const Group &group) {
  return (layout.getReplicas() - 1) * group.weightBytes +
         (layout.unreduced - 1) * group.gradientBytes;
}

void distribution::assignParts(Plan &plan, std::vector<double> &state,
                               std::vector<double> &moved) {
  plan.parts.clear();
  // Those that have the fewest ranks to choose from come first.
  std::map<std::pair<int64_t, SmallVector<int64_t>>, std::vector<int64_t>>
      classes;
  for (int64_t i = 0, end = plan.groups.size(); i < end; ++i) {
    if (!plan.groups[i].isElementwise ||
        plan.plans[i].strategy != Strategy::Own)
      continue;
    Layout layout(plan.topology, plan.groups[i]);
    classes[{layout.getReplicas(), layout.replicaAxes}].push_back(i);
  }
  for (const auto &[key, indices] : classes) {
    // All have the same replica axes, and so the same others.
    std::vector<Layout> layouts;
    for (int64_t index : indices)
      layouts.emplace_back(plan.topology, plan.groups[index]);
    const Layout &layout = layouts.front();
    PartLists &lists = plan.parts.emplace_back();
    lists.replicaAxes = key.second;
    for (int64_t batch = 0; batch < layout.getBatches(); ++batch) {
      std::vector<double> groupState, groupMoved;
      for (int64_t replica = 0; replica < layout.getReplicas(); ++replica) {
        int64_t rank = layout.getRank(batch, replica, 0);
        groupState.push_back(state[rank]);
        groupMoved.push_back(moved[rank]);
      }
      double amount = 0, toMove = 0;
      std::vector<int64_t> sizes;
      for (auto [index, other] : zip_equal(indices, layouts)) {
        const Group &group = plan.groups[index];
        double elements = other.getCount(group, batch);
        sizes.push_back(other.batchSizes[batch]);
        amount += elements * getWeight(group);
        toMove += elements * getMovedBytes(other, group);
      }
      std::vector<double> quotas = divide(groupState, groupMoved, amount,
                                          amount > 0 ? toMove / amount : 0);
      lists.lists.push_back(cut(plan, indices, sizes, quotas));
      for (const Part &part : lists.lists.back()) {
        const Group &group = plan.groups[part.group];
        int64_t rank = layout.getRank(batch, part.owner, 0);
        double elements = part.end - part.begin;
        state[rank] += elements * group.stateBytes;
        const Layout &other =
            layouts[llvm::find(indices, part.group) - indices.begin()];
        moved[rank] += elements * getMovedBytes(other, group);
      }
    }
  }
}

std::vector<Part> Plan::getParts(int64_t rank) const {
  SmallVector<int64_t> coordinates = topology.getCoordinates(rank);
  std::vector<Part> result;
  for (const PartLists &lists : parts) {
    int64_t place = 0;
    for (int64_t axis = 0, end = topology.axes.size(); axis < end; ++axis)
      if (!is_contained(lists.replicaAxes, axis))
        place = place * topology.axes[axis].size + coordinates[axis];
    const std::vector<Part> &list = lists.lists[place];
    result.insert(result.end(), list.begin(), list.end());
  }
  llvm::sort(result, [](const Part &a, const Part &b) {
    return std::tie(a.group, a.member, a.begin) <
           std::tie(b.group, b.member, b.begin);
  });
  return result;
}
