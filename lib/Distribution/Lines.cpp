//===- Lines.cpp - What ranks have to agree on ----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Text.h"
#include "muon-mlir/Distribution/Plan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

using namespace llvm;
using namespace mlir::muon;
using namespace mlir::muon::distribution;

/// A line stays readable, and manifests small.
static std::string shorten(std::string text) {
  constexpr size_t limit = 120;
  if (text.size() <= limit)
    return text;
  return "#" + utohexstr(xxh3_64bits(text), /*LowerCase=*/true, /*Width=*/16);
}

/// Runs: 0*3 is three matrices in a row of owner 0.
static std::string listRuns(ArrayRef<int64_t> owners) {
  std::string text;
  while (!owners.empty()) {
    size_t count =
        owners.take_while([&](int64_t owner) { return owner == owners[0]; })
            .size();
    text += " " + std::to_string(owners[0]) + "*" + std::to_string(count);
    owners = owners.drop_front(count);
  }
  return text;
}

/// The parts of each group: of which replica group (|), member and elements.
static std::vector<std::string> listParts(const Plan &plan) {
  std::vector<std::string> texts(plan.groups.size());
  for (const PartLists &lists : plan.parts) {
    SmallVector<bool> isListed(plan.groups.size());
    for (const std::vector<Part> &list : lists.lists) {
      for (const Part &part : list) {
        isListed[part.group] = true;
        texts[part.group] += " " + std::to_string(part.owner) + "*" +
                             std::to_string(part.member) + "[" +
                             std::to_string(part.begin) + ":" +
                             std::to_string(part.end) + "]";
      }
      for (auto [text, listed] : zip_equal(texts, isListed))
        if (listed)
          text += " |";
    }
  }
  return texts;
}

static std::string join(const Topology &topology, ArrayRef<int64_t> axes) {
  return llvm::join(
      map_range(axes, [&](int64_t axis) { return topology.axes[axis].name; }),
      "+");
}

std::vector<std::string> Plan::getLines() const {
  std::vector<std::string> lines;
  std::string grid = "grid";
  for (const Axis &axis : topology.axes)
    grid += " " + axis.name + "=" + std::to_string(axis.size);
  lines.push_back(grid);

  std::vector<std::string> partTexts = listParts(*this);
  for (auto [index, group] : enumerate(groups)) {
    const GroupPlan &plan = plans[index];
    std::string line = formatName(group.name) + ": " +
                       std::to_string(group.members) + " of " +
                       formatShape(group.shape);
    if (any_of(group.splitAxes,
               [](ArrayRef<int64_t> axes) { return !axes.empty(); })) {
      line += ", split";
      for (ArrayRef<int64_t> axes : group.splitAxes)
        line += " [" + join(topology, axes) + "]";
    }
    if (!group.unreducedAxes.empty())
      line += ", unreduced " + join(topology, group.unreducedAxes);
    line += (", " + stringify(plan.strategy)).str();
    if (!plan.replicaOwners.empty())
      line += " by" + shorten(listRuns(plan.replicaOwners));
    if (!plan.shardOwners.empty())
      line += " in" + shorten(listRuns(plan.shardOwners));
    if (!partTexts[index].empty())
      line += " by" + shorten(partTexts[index]);
    lines.push_back(line);
  }
  return lines;
}
