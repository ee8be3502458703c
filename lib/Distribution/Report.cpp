//===- Report.cpp - What a plan costs, for people and programs ------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Distribution/Report.h"
#include "Text.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

#include <algorithm>
#include <cmath>
#include <map>

using namespace llvm;
using namespace mlir::muon;
using namespace mlir::muon::distribution;

//===----------------------------------------------------------------------===//
// Figures
//===----------------------------------------------------------------------===//

Spread distribution::getSpread(ArrayRef<RankTotals> totals,
                               double RankTotals::*figure) {
  Spread spread;
  if (totals.empty())
    return spread;
  spread.min = spread.max = totals.front().*figure;
  for (const RankTotals &total : totals) {
    spread.min = std::min(spread.min, total.*figure);
    spread.max = std::max(spread.max, total.*figure);
    spread.mean += total.*figure;
  }
  spread.mean /= totals.size();
  return spread;
}

std::vector<AxesTotals> distribution::getAxesTotals(const Plan &plan) {
  struct Sum {
    AxesTotals totals;
    std::vector<double> sent, received;
  };
  std::map<SmallVector<int64_t>, Sum> sums;
  for (int64_t group = 0, end = plan.groups.size(); group < end; ++group)
    for (const Exchange &exchange : plan.getExchanges(group)) {
      Sum &sum = sums[exchange.axes];
      sum.totals.axes = exchange.axes;
      sum.totals.collectives += exchange.times;
      sum.totals.time += exchange.getTime(plan.topology);
      sum.sent.resize(exchange.bytesSent.size());
      sum.received.resize(exchange.bytesSent.size());
      for (size_t rank = 0; rank < sum.sent.size(); ++rank) {
        sum.sent[rank] += exchange.bytesSent[rank];
        sum.received[rank] += exchange.bytesReceived[rank];
      }
    }
  std::vector<AxesTotals> result;
  for (auto &[axes, sum] : sums) {
    sum.totals.bytesSent = *std::max_element(sum.sent.begin(), sum.sent.end());
    sum.totals.bytesReceived =
        *std::max_element(sum.received.begin(), sum.received.end());
    result.push_back(std::move(sum.totals));
  }
  return result;
}

static StepTime getStepTime(const Plan &plan, ArrayRef<AxesTotals> axes) {
  StepTime time;
  for (const AxesTotals &totals : axes)
    time.communication += totals.time;
  time.computation =
      getSpread(plan.totals, &RankTotals::flops).max / plan.topology.flops;
  return time;
}

StepTime distribution::getStepTime(const Plan &plan) {
  return ::getStepTime(plan, getAxesTotals(plan));
}

static constexpr std::pair<StringRef, double RankTotals::*> figures[] = {
    {"bytes_sent", &RankTotals::bytesSent},
    {"bytes_received", &RankTotals::bytesReceived},
    {"flops", &RankTotals::flops},
    {"state_bytes", &RankTotals::state}};

static std::string joinAxes(const Topology &topology, ArrayRef<int64_t> axes) {
  return join(
      map_range(axes, [&](int64_t axis) { return topology.axes[axis].name; }),
      "+");
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

static std::string formatRatio(double ratio) {
  std::string text;
  raw_string_ostream(text) << format("%.3f", ratio);
  return text;
}

static void printHeader(const Plan &plan, raw_ostream &os) {
  os << "grid";
  for (const Axis &axis : plan.topology.axes)
    os << " " << axis.name << "=" << axis.size;
  os << ": " << plan.topology.getRanks() << " ranks, "
     << formatCount(plan.topology.flops) << "FLOP/s, memory "
     << (plan.topology.memory ? formatBytes(plan.topology.memory)
                              : "without limit")
     << "\n";
}

static void printGroups(const Plan &plan, raw_ostream &os) {
  Table table("rlrllrrrrrl");
  table.addRow({"#", "name", "members", "shape", "strategy", "sent", "received",
                "FLOPs", "memory", "time", "why"});
  for (auto [index, group] : enumerate(plan.groups)) {
    const GroupPlan &chosen = plan.plans[index];
    std::vector<RankTotals> totals = plan.getGroupTotals(index);
    std::string name = formatName(group.name);
    if (group.members > 1)
      name += ", …";
    table.addRow(
        {std::to_string(index + 1), name, std::to_string(group.members),
         formatShape(group.shape), stringify(chosen.strategy).str(),
         formatBytes(getSpread(totals, &RankTotals::bytesSent).max),
         formatBytes(getSpread(totals, &RankTotals::bytesReceived).max),
         formatCount(getSpread(totals, &RankTotals::flops).max),
         formatBytes(chosen.cost.memory), formatSeconds(chosen.cost.getTime()),
         chosen.reason});
  }
  os << "\ngroups, on the busiest rank of each\n";
  table.print(os);
}

static void printRanks(const Plan &plan, raw_ostream &os) {
  Table table("lrrrr");
  table.addRow({"of a rank", "least", "mean", "most", "most/mean"});
  for (auto [name, figure] : figures) {
    Spread spread = getSpread(plan.totals, figure);
    bool isFlops = figure == &RankTotals::flops;
    auto print = [&](double value) {
      return isFlops ? formatCount(value) : formatBytes(value);
    };
    StringRef label = name == "bytes_sent"       ? "sent"
                      : name == "bytes_received" ? "received"
                      : isFlops                  ? "FLOPs"
                                                 : "state";
    table.addRow({label.str(), print(spread.min), print(spread.mean),
                  print(spread.max), formatRatio(spread.getImbalance())});
  }
  os << "\nranks\n";
  table.print(os);
}

void distribution::printPlanText(const Plan &plan, raw_ostream &os) {
  printHeader(plan, os);
  printGroups(plan, os);
  printRanks(plan, os);

  std::vector<AxesTotals> axes = getAxesTotals(plan);
  Table table("lrrrr");
  table.addRow({"along", "collectives", "sent", "received", "time"});
  for (const AxesTotals &totals : axes)
    table.addRow(
        {joinAxes(plan.topology, totals.axes),
         std::to_string(totals.collectives), formatBytes(totals.bytesSent),
         formatBytes(totals.bytesReceived), formatSeconds(totals.time)});
  os << "\naxes, on the busiest rank\n";
  table.print(os);

  StepTime time = ::getStepTime(plan, axes);
  os << "\nwithout overlap: " << formatSeconds(time.getTime()) << ", of which "
     << formatSeconds(time.communication) << " exchange and "
     << formatSeconds(time.computation) << " products\n";
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

/// Numbers are integers where they are whole.
static json::Value toJson(double value) {
  if (value == std::floor(value) && std::abs(value) < 0x1p63)
    return static_cast<int64_t>(value);
  return value;
}

/// Names come from files and need not be UTF-8.
static std::string toUtf8(StringRef text) {
  return json::isUTF8(text) ? text.str() : json::fixUTF8(text);
}

static json::Array toJson(const Topology &topology, ArrayRef<int64_t> axes) {
  json::Array names;
  for (int64_t axis : axes)
    names.push_back(toUtf8(topology.axes[axis].name));
  return names;
}

static void printCost(json::OStream &json, const Cost &cost) {
  json.attribute("strategy", stringify(cost.strategy));
  json.attribute("seconds", cost.getTime());
  json.attribute("communication_seconds", cost.communication);
  json.attribute("computation_seconds", cost.computation);
  json.attribute("bytes_sent", toJson(cost.bytesSent));
  json.attribute("bytes_received", toJson(cost.bytesReceived));
  json.attribute("flops", toJson(cost.flops));
  json.attribute("memory_bytes", toJson(cost.memory));
}

static void printSpreads(json::OStream &json, ArrayRef<RankTotals> totals) {
  for (auto [name, figure] : figures) {
    Spread spread = getSpread(totals, figure);
    json.attributeObject(name, [&] {
      json.attribute("min", toJson(spread.min));
      json.attribute("mean", toJson(spread.mean));
      json.attribute("max", toJson(spread.max));
      json.attribute("imbalance", spread.getImbalance());
    });
  }
}

static void printGroup(json::OStream &json, const Plan &plan, int64_t index) {
  const Group &group = plan.groups[index];
  const GroupPlan &chosen = plan.plans[index];
  json.attribute("name", toUtf8(group.name));
  json.attribute("members", group.members);
  json.attribute("shape", json::Array(group.shape));
  json.attribute("elementwise", group.isElementwise);
  json.attributeArray("split", [&] {
    for (ArrayRef<int64_t> axes : group.splitAxes)
      json.value(toJson(plan.topology, axes));
  });
  json.attribute("unreduced", toJson(plan.topology, group.unreducedAxes));
  json.attribute("strategy", stringify(chosen.strategy));
  json.attribute("pinned", group.pinned.has_value());
  json.attribute("reason", toUtf8(chosen.reason));
  json.attributeObject("predicted", [&] { printCost(json, chosen.cost); });
  if (chosen.runnerUp)
    json.attributeObject("runner_up",
                         [&] { printCost(json, *chosen.runnerUp); });
  json.attributeObject("ranks",
                       [&] { printSpreads(json, plan.getGroupTotals(index)); });
}

void distribution::printPlanJson(const Plan &plan, raw_ostream &os) {
  json::OStream json(os, /*IndentSize=*/2);
  std::vector<AxesTotals> axes = getAxesTotals(plan);
  json.object([&] {
    json.attribute("format", "muon-plan");
    json.attribute("version", 1);
    json.attributeArray("grid", [&] {
      for (const Axis &axis : plan.topology.axes)
        json.object([&] {
          json.attribute("name", toUtf8(axis.name));
          json.attribute("size", axis.size);
          json.attribute("latency", axis.latency);
          json.attribute("bandwidth", toJson(axis.bandwidth));
        });
    });
    json.attribute("flops", toJson(plan.topology.flops));
    json.attribute("memory", toJson(plan.topology.memory));
    json.attributeArray("groups", [&] {
      for (int64_t i = 0, end = plan.groups.size(); i < end; ++i)
        json.object([&] { printGroup(json, plan, i); });
    });
    json.attributeObject("ranks", [&] { printSpreads(json, plan.totals); });
    json.attributeArray("axes", [&] {
      for (const AxesTotals &totals : axes)
        json.object([&] {
          json.attribute("axes", toJson(plan.topology, totals.axes));
          json.attribute("collectives", totals.collectives);
          json.attribute("bytes_sent", toJson(totals.bytesSent));
          json.attribute("bytes_received", toJson(totals.bytesReceived));
          json.attribute("seconds", totals.time);
        });
    });
    StepTime time = ::getStepTime(plan, axes);
    json.attributeObject("seconds", [&] {
      json.attribute("communication", time.communication);
      json.attribute("computation", time.computation);
    });
  });
  json.flush();
  os << "\n";
}
