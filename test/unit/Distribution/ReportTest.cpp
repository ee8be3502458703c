//===- ReportTest.cpp - Plans for people and programs -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Distribution/Report.h"
#include "Groups.h"
#include "muon-mlir/Distribution/Schemes.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/JSON.h"
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

using namespace mlir::muon::distribution;
using llvm::StringRef;

namespace {

Plan makeExample() {
  Topology topology = makeGrid("dp=2,tp=2");
  topology.axes[0].bandwidth = 1e6;
  topology.axes[1].bandwidth = 1e6;
  topology.axes[0].latency = topology.axes[1].latency = 1e-3;
  topology.flops = 1e9;
  Group split = makeMatrices("layers.0.w", 4, {64, 32}, {{1}, {}}, {0});
  split.flops = 1e6;
  Group norm = makeElements("norm\n", 1, {256}, {}, {0});
  return plan(topology, {split, norm});
}

TEST(Report, Text) {
  std::string text;
  llvm::raw_string_ostream os(text);
  printPlanText(makeExample(), os);
  llvm::SmallVector<StringRef> lines;
  StringRef(text).split(lines, '\n');
  EXPECT_EQ(lines[0], "grid dp=2 tp=2: 4 ranks, 1.00 GFLOP/s, memory without "
                      "limit");
  for (StringRef wanted :
       {"layers.0.w, …", "64x32", "norm\\x0A", "groups, on the busiest rank",
        "most/mean", "axes, on the busiest rank", "without overlap: "})
    EXPECT_NE(text.find(wanted.str()), std::string::npos) << wanted.str();
  std::puts(text.c_str());
}

TEST(Report, JsonSaysWhatThePlanDoes) {
  Plan plan = makeExample();
  std::string text;
  llvm::raw_string_ostream os(text);
  printPlanJson(plan, os);
  llvm::json::Value value = llvm::cantFail(llvm::json::parse(text));
  const llvm::json::Object &root = *value.getAsObject();
  EXPECT_EQ(root.getString("format"), StringRef("muon-plan"));
  const llvm::json::Object &group =
      *(*root.getArray("groups"))[0].getAsObject();
  EXPECT_EQ(group.getString("strategy"), stringify(plan.plans[0].strategy));
  EXPECT_EQ(group.getInteger("members"), 4);
  ASSERT_TRUE(group.getObject("runner_up"));
  EXPECT_EQ(group.getObject("runner_up")->getString("strategy"),
            stringify(plan.plans[0].runnerUp->strategy));
  double sent = 0, most = 0;
  for (int64_t rank = 0; rank < 4; ++rank) {
    sent += plan.getTotals(rank).bytesSent;
    most = std::max(most, plan.getTotals(rank).bytesSent);
  }
  const llvm::json::Object &bytes =
      *root.getObject("ranks")->getObject("bytes_sent");
  EXPECT_EQ(bytes.getNumber("mean"), sent / 4);
  EXPECT_EQ(bytes.getNumber("max"), most);
  EXPECT_EQ(bytes.getNumber("imbalance"), most / (sent / 4));
  EXPECT_EQ(root.getArray("axes")->size(), getAxesTotals(plan).size());
}

/// Along each set of axes, bytes and time by hand.
TEST(Report, Axes) {
  Topology topology = makeGrid("dp=2,tp=2");
  topology.axes[0].latency = 2;
  topology.axes[0].bandwidth = 100;
  topology.axes[1].latency = 1;
  topology.axes[1].bandwidth = 1000;
  Group group = makeMatrices("w", 4, {8, 4}, {{1}, {}}, {0});
  group.pinned = Strategy::Own;
  Plan step = plan(topology, {group});
  std::vector<AxesTotals> axes = getAxesTotals(step);
  ASSERT_EQ(axes.size(), 2u);
  // dp: halves of 4 x 4, 64 bytes of each matrix; 2 go and 2 come, twice.
  EXPECT_EQ(axes[0].axes, Axes({0}));
  EXPECT_EQ(axes[0].collectives, 2);
  EXPECT_EQ(axes[0].bytesSent, 2 * 2 * 64);
  EXPECT_DOUBLE_EQ(axes[0].time, 2 * (2 + 2 * 64 / 100.0));
  // tp: of two matrices one is worked on here: half of it comes, half of the
  // other goes, and back.
  EXPECT_EQ(axes[1].axes, Axes({1}));
  EXPECT_EQ(axes[1].collectives, 2);
  EXPECT_EQ(axes[1].bytesReceived, 2 * 64);
  EXPECT_DOUBLE_EQ(axes[1].time, 2 * (1 + 64 / 1000.0));
  EXPECT_DOUBLE_EQ(getStepTime(step).communication,
                   axes[0].time + axes[1].time);
  EXPECT_DOUBLE_EQ(getStepTime(step).computation, group.flops / topology.flops);
}

/// Rows of other schemes against the formulas in their own words.
TEST(Schemes, Formulas) {
  std::vector<Group> groups = getLlamaMatrices();
  double p = 128.0 * 4096 * 4096 + 96.0 * 4096 * 11008;
  for (double n : {8, 64}) {
    std::vector<SchemeRow> rows =
        priceSchemes(groups, Placement::DataParallel, n);
    ASSERT_EQ(rows.size(), 5u);
    EXPECT_DOUBLE_EQ(rows[0].bytes, 4 * p * (n - 1) / n);
    EXPECT_GE(rows[1].bytes, 4 * p * (n - 1) / n);
    EXPECT_DOUBLE_EQ(rows[2].bytes, 6 * p * (n - 1) / n);
    EXPECT_DOUBLE_EQ(rows[3].bytes, 6 * p * (n - 1) / n);
    EXPECT_DOUBLE_EQ(rows[4].bytes, 4 * p * (n - 1) / n);
    EXPECT_EQ(rows[4].stateElements, p);
    rows = priceSchemes(groups, Placement::FullySharded, n);
    ASSERT_EQ(rows.size(), 6u);
    EXPECT_DOUBLE_EQ(rows[0].bytes, 4 * p * (n - 1) / n / n);
    EXPECT_DOUBLE_EQ(rows[2].bytes, 2 * p * (n - 1) / n);
    EXPECT_DOUBLE_EQ(rows[3].bytes, rows[2].bytes);
    EXPECT_DOUBLE_EQ(rows[4].bytes, 224 * 2 * 4.0 * 4096 * 4097 * (n - 1) / n);
    EXPECT_DOUBLE_EQ(rows[5].bytes, 224 * 10 * 2.0 * 4096 * 4096 * (n - 1) / n);
  }
}

/// docs/distribution-costs.md has the tables as they are now.
TEST(Schemes, Document) {
  std::ifstream file(MUON_DISTRIBUTION_DOC);
  std::stringstream page;
  page << file.rdbuf();
  std::string tables;
  llvm::raw_string_ostream os(tables);
  printSchemeTables(os);
  EXPECT_NE(page.str().find("<!-- begin tables -->\n" + tables +
                            "\n<!-- end tables -->\n"),
            std::string::npos)
      << "docs/distribution-costs.md is stale; run "
         "build/release/bin/planning_bench --update "
         "docs/distribution-costs.md";
}

} // namespace
