//===- Schemes.cpp - What other optimizers exchange -----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Distribution/Schemes.h"
#include "Layout.h"
#include "Owners.h"
#include "Text.h"
#include "muon-mlir/Distribution/Report.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"

#include <algorithm>
#include <cmath>

using namespace llvm;
using namespace mlir::muon;
using namespace mlir::muon::distribution;

/// Steps of the iteration in formulas of others.
static constexpr int64_t steps = 5;

namespace {

class SchemeTable {
public:
  SchemeTable(ArrayRef<Group> groups, Placement placement, int64_t ranks);

  std::vector<SchemeRow> takeRows() { return std::move(rows); }
  void addDataParallel();
  void addFullySharded();

private:
  static double getElements(const Group &group) {
    double elements = 1;
    for (int64_t size : group.shape)
      elements *= size;
    return elements;
  }
  static double getMatrices(const Group &group) {
    double matrices = group.members;
    for (int64_t size : ArrayRef(group.shape).drop_back(2))
      matrices *= size;
    return matrices;
  }
  /// `term` of a group, times its members.
  double sum(function_ref<double(const Group &)> term) const {
    double result = 0;
    for (const Group &group : groups)
      result += group.members * term(group);
    return result;
  }
  /// Bytes of all elements, by what one of them has.
  double sumBytes(double Group::*bytes) const {
    return sum(
        [&](const Group &group) { return getElements(group) * group.*bytes; });
  }
  Plan makePinnedPlan(Strategy strategy, bool byElements = false) const;
  void addPlan(Strategy strategy, std::string formula);
  void addMegatron();
  double getFlopsOfFlatSlices() const;
  /// FLOPs of the busiest rank if every shape is divided by itself.
  double getFlopsOfBatches() const;

  std::vector<Group> groups;
  int64_t ranks;
  double flops, elements, others;
  std::vector<SchemeRow> rows;
};

} // namespace

SchemeTable::SchemeTable(ArrayRef<Group> all, Placement placement,
                         int64_t ranks)
    : ranks(ranks) {
  for (Group group : all) {
    if (group.isElementwise)
      continue;
    group.splitAxes.assign(group.shape.size(), {});
    group.unreducedAxes.clear();
    if (placement == Placement::FullySharded)
      group.splitAxes.end()[-2] = {0};
    else
      group.unreducedAxes = {0};
    groups.push_back(group);
  }
  elements = sum(getElements);
  flops = sum([](const Group &group) {
    return getMatrices(group) / group.members * group.flops;
  });
  others = double(ranks - 1) / ranks;
}

Plan SchemeTable::makePinnedPlan(Strategy strategy, bool byElements) const {
  Topology topology;
  topology.axes.push_back({"ranks", ranks});
  std::vector<Group> pinned = groups;
  for (Group &group : pinned) {
    group.pinned = strategy;
    if (byElements)
      group.flops = group.shape.end()[-1] * group.shape.end()[-2];
  }
  return cantFail(makePlan(topology, pinned));
}

void SchemeTable::addPlan(Strategy strategy, std::string formula) {
  Plan plan = makePinnedPlan(strategy);
  rows.push_back({("muon-mlir, " + stringify(strategy)).str(),
                  std::move(formula),
                  getSpread(plan.totals, &RankTotals::bytesSent).mean,
                  getSpread(plan.totals, &RankTotals::flops).max,
                  getSpread(plan.totals, &RankTotals::stateElements).max});
}

/// Whole matrices to the rank that has the fewest elements; shards are padded
/// to the largest.
void SchemeTable::addMegatron() {
  Plan plan = makePinnedPlan(Strategy::Own, /*byElements=*/true);
  double largest = getSpread(plan.totals, &RankTotals::flops).max;
  std::vector<double> loads(ranks);
  for (auto [group, groupPlan] : zip_equal(groups, plan.plans)) {
    OwnerCounts counts(Layout(plan.topology, group), group, groupPlan);
    for (int64_t rank = 0; rank < ranks; ++rank)
      loads[rank] += counts.getKept(0, rank) * group.flops;
  }
  double bytes =
      (sumBytes(&Group::gradientBytes) + sumBytes(&Group::weightBytes)) /
      elements;
  rows.push_back({"Megatron-LM, layer-wise", "(g + w)·(N−1)·S",
                  bytes * (ranks - 1) * largest,
                  *std::max_element(loads.begin(), loads.end()), largest});
}

/// All elements, one matrix after the other, in equal slices; a rank works on
/// every matrix that its slice touches.
double SchemeTable::getFlopsOfFlatSlices() const {
  std::vector<double> loads(ranks);
  double slice = elements / ranks, begin = 0;
  for (const Group &group : groups) {
    double size = double(group.shape.end()[-1]) * group.shape.end()[-2];
    for (int64_t i = 0, end = getMatrices(group); i < end; ++i) {
      int64_t first = begin / slice;
      begin += size;
      int64_t last = std::min<int64_t>(ranks, std::ceil(begin / slice));
      for (int64_t rank = first; rank < last; ++rank)
        loads[rank] += group.flops;
    }
  }
  return *std::max_element(loads.begin(), loads.end());
}

double SchemeTable::getFlopsOfBatches() const {
  double result = 0;
  for (const Group &group : groups)
    result += std::ceil(getMatrices(group) / ranks) * group.flops;
  return result;
}

void SchemeTable::addDataParallel() {
  double gradients = sumBytes(&Group::gradientBytes) * others;
  double weights = sumBytes(&Group::weightBytes) * others;
  double wire = sumBytes(&Group::wireBytes) * others;
  addPlan(Strategy::Own, "(g + w)·P·(N−1)/N");
  addMegatron();
  rows.push_back({"Moonlight", "≤ (g + b + w)·P·(N−1)/N",
                  gradients + wire + weights, getFlopsOfFlatSlices(),
                  elements / ranks});
  rows.push_back({"Dion's Muon, replicated", "(2g + b)·P·(N−1)/N",
                  2 * gradients + wire, getFlopsOfBatches(), elements});
  addPlan(Strategy::Replicate, "2g·P·(N−1)/N");
}

void SchemeTable::addFullySharded() {
  addPlan(Strategy::Own, "2b·P·(N−1)/N²");
  double padded = 0, gram = 0, gramFlops = 0;
  for (const Group &group : groups) {
    double height = group.shape.end()[-2], width = group.shape.end()[-1];
    padded += 2 * group.wireBytes * height * width *
              std::ceil(getMatrices(group) / ranks) * others;
    gram += getMatrices(group) * 2 * steps * group.wireBytes * width * width *
            others;
    gramFlops +=
        getMatrices(group) * steps *
        (4 * width * width * height / ranks + 2 * width * width * width);
  }
  rows.push_back({"Dion's Muon, 1-D shards", "Σ 2b·m·n·⌈K/N⌉·(N−1)/N", padded,
                  getFlopsOfBatches(), elements / ranks});
  addPlan(Strategy::Gather, "b·P·(N−1)/N");
  rows.push_back({"Megatron-LM, duplicated", "b·P·(N−1)/N",
                  sumBytes(&Group::wireBytes) * others, flops,
                  elements / ranks});
  addPlan(Strategy::DistributedGram, "Σ r·4·m·(m+1)·(N−1)/N");
  rows.push_back({"Megatron-LM, distributed", "Σ 2k·b·m²·(N−1)/N", gram,
                  gramFlops, elements / ranks});
}

std::vector<SchemeRow> distribution::priceSchemes(ArrayRef<Group> groups,
                                                  Placement placement,
                                                  int64_t ranks) {
  SchemeTable table(groups, placement, ranks);
  if (placement == Placement::DataParallel)
    table.addDataParallel();
  else
    table.addFullySharded();
  return table.takeRows();
}

std::vector<Group> distribution::getLlamaMatrices() {
  auto make = [](StringRef name, int64_t members, int64_t rows,
                 int64_t columns) {
    Group group;
    group.name = name.str();
    group.members = members;
    group.shape = {rows, columns};
    group.weightBytes = group.gradientBytes = group.wireBytes = 2;
    double m = columns, n = rows;
    // Per segment a Gram matrix (one triangle) and a product with X; products
    // of Gram matrices on top: lib/Dialect/Muon/IR/IterationCost.cpp.
    group.gramReductions = 2;
    group.gramSharedFlops = 6 * m * m * n;
    group.gramRepeatedFlops = 14 * m * m * m;
    group.gramSize = columns;
    group.flops = group.gramSharedFlops + group.gramRepeatedFlops;
    return group;
  };
  return {make("self_attn.q_proj.weight", 128, 4096, 4096),
          make("mlp.gate_proj.weight", 96, 11008, 4096)};
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

static std::string formatRatio(double ratio) {
  std::string text;
  raw_string_ostream(text) << format("%.3f", ratio);
  return text;
}

static void printTable(ArrayRef<SchemeRow> rows, double flops, double elements,
                       raw_ostream &os) {
  Table table("llrrrr");
  table.addRow({"scheme", "bytes sent", "of a rank", "of the first row",
                "FLOPs of the busiest", "momentum of the fullest"});
  for (const SchemeRow &row : rows)
    table.addRow({row.scheme, row.formula, formatBytes(row.bytes),
                  formatRatio(row.bytes / rows.front().bytes),
                  formatRatio(row.flops / flops),
                  formatRatio(row.stateElements / elements)});
  table.printMarkdown(os);
}

void distribution::printSchemeTables(raw_ostream &os) {
  std::vector<Group> groups = getLlamaMatrices();
  double flops = 0, elements = 0;
  for (const Group &group : groups) {
    flops += group.members * group.flops;
    elements += double(group.members) * group.shape[0] * group.shape[1];
  }
  for (Placement placement : {Placement::DataParallel, Placement::FullySharded})
    for (int64_t ranks : {8, 64}) {
      os << "\n**"
         << (placement == Placement::DataParallel ? "Data-parallel"
                                                  : "Fully sharded by rows")
         << ", " << ranks << " ranks**\n\n";
      printTable(priceSchemes(groups, placement, ranks), flops / ranks,
                 elements / ranks, os);
    }
}
