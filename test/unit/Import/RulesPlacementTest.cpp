//===- RulesPlacementTest.cpp - Grids, placements and strategies ----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Import/Rules.h"

#include "gtest/gtest.h"

using namespace mlir::muon::rules;
using mlir::muon::distribution::Strategy;

namespace {

using Axes = llvm::SmallVector<int64_t>;
using AxisLists = llvm::SmallVector<Axes>;

using Pairs = std::vector<std::pair<const char *, const char *>>;

constexpr ElementKind f32 = ElementKind::F32;

Rules parse(llvm::StringRef text, llvm::StringRef grid = "") {
  return llvm::cantFail(Rules::parse(text, "rules.json", grid),
                        text.str().c_str());
}

std::string errorOf(llvm::StringRef text, llvm::StringRef grid = "") {
  auto rules = Rules::parse(text, "rules.json", grid);
  return rules ? "" : llvm::toString(rules.takeError());
}

/// The message about `members` beside a grid.
std::string gridError(const std::string &members) {
  return errorOf(R"({"grid": {"dp": 4, "tp": 2}, )" + members + "}");
}

std::string ruleError(const std::string &members) {
  return gridError(R"("rules": [{"match": "a", )" + members + "}]");
}

ResolvedParam resolve(Rules &rules, llvm::StringRef name,
                      llvm::ArrayRef<int64_t> shape, ElementKind type = f32) {
  auto result = rules.resolve(name, shape, type);
  if (!result) {
    ADD_FAILURE() << llvm::toString(result.takeError());
    return {};
  }
  return *result;
}

std::string resolveError(llvm::StringRef text, llvm::StringRef name,
                         llvm::ArrayRef<int64_t> shape) {
  Rules rules = parse(text);
  auto result = rules.resolve(name, shape, f32);
  return result ? "" : llvm::toString(result.takeError());
}

void expectGrid(const Rules &rules,
                std::vector<std::pair<std::string, int64_t>> wanted) {
  std::vector<std::pair<std::string, int64_t>> found;
  for (const auto &axis : rules.getGrid())
    found.push_back({axis.name, axis.size});
  EXPECT_EQ(found, wanted);
}

const std::string prefix = "rules.json: ";

TEST(RulesPlacement, GridKeepsTheOrderOfTheFile) {
  expectGrid(parse(R"({"grid": {"tp": 2, "dp": 4}})"), {{"tp", 2}, {"dp", 4}});
  expectGrid(parse(R"({"grid": {"dp": 4, "tp": 2}})"), {{"dp", 4}, {"tp", 2}});
  // Enough of them that a hash table could not keep order by chance.
  expectGrid(parse(R"({"rules": [], "grid": {"z": 1, "c": 2, "y": 3, "b": 1,
                      "x": 2, "a": 1}, "muon": {"steps": 3}})"),
             {{"z", 1}, {"c", 2}, {"y", 3}, {"b", 1}, {"x", 2}, {"a", 1}});
  expectGrid(parse(R"({"grid": null})"), {});
  expectGrid(parse("{}"), {});
  expectGrid(parse(R"({"grid": {"dp": 1048576, "tp": 1}})"),
             {{"dp", 1048576}, {"tp", 1}});
}

TEST(RulesPlacement, AnotherGridHasOtherSizes) {
  const char *file = R"({"grid": {"dp": 4, "tp": 2}})";
  expectGrid(parse(file, "dp=3,tp=1"), {{"dp", 3}, {"tp", 1}});
  expectGrid(parse("{}", "dp=3,tp=1"), {{"dp", 3}, {"tp", 1}});
  expectGrid(parse(R"({"grid": null, "sharding": [["tp"], []]})", "tp=2"),
             {{"tp", 2}});
  for (const char *grid : {"tp=2,dp=4", "dp=4", "dp=4,tp=2,pp=1"})
    EXPECT_NE(errorOf(file, grid)
                  .find(prefix + "grid: has the axes \"dp\", \"tp\", the grid "
                                 "that is asked for "),
              std::string::npos)
        << errorOf(file, grid);
  EXPECT_EQ(errorOf(file, "dp=0"),
            "grid \"dp=0\": axis 1: expected a size from 1 to 1048576, found "
            "\"0\"");
}

TEST(RulesPlacement, GridErrors) {
  auto error = [](const std::string &grid) {
    return errorOf("{\"grid\": " + grid + "}");
  };
  const std::string wanted =
      prefix + "grid: expected null or an object of axes and their sizes, ";
  EXPECT_EQ(error("{}"), wanted + "found an object");
  EXPECT_EQ(error("[4, 2]"), wanted + "found an array");
  EXPECT_EQ(error("\"dp=4\""), wanted + "found \"dp=4\"");
  for (auto [size, found] : Pairs{{"0", "0"},
                                  {"-1", "-1"},
                                  {"1.5", "1.5"},
                                  {"\"4\"", "\"4\""},
                                  {"1048577", "1048577"},
                                  {"1e300", "1e+300"},
                                  {"null", "null"}})
    EXPECT_EQ(error("{\"dp\": " + std::string(size) + "}"),
              prefix +
                  "grid.dp: expected an integer from 1 to 1048576, found " +
                  found);
  EXPECT_EQ(error(R"({"dp": 1024, "tp": 1025})"),
            prefix + "grid.tp: expected at most 1048576 ranks in all, found "
                     "1024 x 1025");
  EXPECT_EQ(error(R"({"d p": 2})"),
            prefix + "grid[\"d p\"]: expected a name of letters, digits and "
                     "'_', found \"d p\"");
  EXPECT_EQ(error(R"({"": 2})"),
            prefix + "grid[\"\"]: expected a name of letters, digits and '_', "
                     "found \"\"");
  EXPECT_EQ(error("{\"dp\": 2,\n\"dp\": 2}"),
            prefix + "grid: duplicate key \"dp\" (line 2)");
}

TEST(RulesPlacement, DefaultsFollowTheNamesOfAxes) {
  Rules rules = parse(R"({"grid": {"ep": 2, "dp": 2, "fsdp": 2, "tp": 2}})");
  auto check = [&](llvm::ArrayRef<int64_t> shape, const AxisLists &split) {
    ResolvedParam param = resolve(rules, "w", shape);
    ASSERT_TRUE(param.placement);
    EXPECT_EQ(param.placement->splitAxes, split);
    EXPECT_EQ(param.placement->unreducedAxes, Axes({1}));
    EXPECT_TRUE(param.placement->isMean);
    EXPECT_FALSE(param.isPlacedByFile);
    EXPECT_FALSE(param.strategy);
  };
  check({}, {});
  check({8}, {{2}});
  check({8, 4}, {{2}, {}});
  check({3, 8, 4}, {{0, 2}, {}, {}});

  Rules none;
  EXPECT_FALSE(resolve(none, "w", {8, 4}).placement);
}

TEST(RulesPlacement, RulesOverrideTheTop) {
  Rules rules = parse(R"({
    "grid": {"dp": 2, "fsdp": 2, "tp": 2},
    "sharding": [["tp"], ["fsdp"]],
    "unreduced": {"axes": ["dp"], "reduction": "sum"},
    "rules": [
      {"match": "^a", "sharding": [[], ["fsdp", "tp"]]},
      {"match": "^b", "sharding": "auto", "unreduced": "auto"},
      {"match": "^c", "unreduced": null, "strategy": "gather"},
      {"match": "^d", "optimizer": "frozen"},
      {"match": "^e", "sharding": [["dp"], []], "unreduced": "auto"},
      {"match": "^f", "unreduced": {"axes": ["dp"]}, "strategy": null}
    ]})");
  auto check = [&](llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                   const AxisLists &split, const Axes &unreduced, bool isMean,
                   bool isByFile) {
    ResolvedParam param = resolve(rules, name, shape);
    ASSERT_TRUE(param.placement) << name.str();
    EXPECT_EQ(param.placement->splitAxes, split) << name.str();
    EXPECT_EQ(param.placement->unreducedAxes, unreduced) << name.str();
    EXPECT_EQ(param.placement->isMean, isMean) << name.str();
    EXPECT_EQ(param.isPlacedByFile, isByFile) << name.str();
  };
  check("other", {8, 4}, {{2}, {1}}, {0}, false, true);
  // The sharding at the top is for tensors with two dimensions.
  check("other", {8}, {{1}}, {0}, false, false);
  check("a", {8, 4}, {{}, {1, 2}}, {0}, false, true);
  check("b", {8, 4}, {{1}, {}}, {0}, true, false);
  check("c", {8, 4}, {{2}, {1}}, {}, true, true);
  // What is split along dp is not unreduced along it.
  check("e", {8, 4}, {{0}, {}}, {}, true, true);
  check("f", {8, 4}, {{2}, {1}}, {0}, true, true);
  EXPECT_FALSE(resolve(rules, "d", {8, 4}).placement);
  EXPECT_EQ(resolve(rules, "c", {8, 4}).strategy, Strategy::Gather);
  EXPECT_FALSE(resolve(rules, "f", {8, 4}).strategy);
  // Numbers are not placed: they are not in the step.
  EXPECT_FALSE(resolve(rules, "ids", {8, 4}, ElementKind::NonFloat).placement);
}

TEST(RulesPlacement, Strategies) {
  for (auto [name, strategy] : std::vector<std::pair<const char *, Strategy>>{
           {"own", Strategy::Own},
           {"replicate", Strategy::Replicate},
           {"gather", Strategy::Gather},
           {"distributed_gram", Strategy::DistributedGram}}) {
    // A grid may come later.
    Rules rules = parse("{\"rules\": [{\"match\": \"a\", \"strategy\": \"" +
                        std::string(name) + "\"}]}");
    EXPECT_EQ(resolve(rules, "a", {8, 4}).strategy, strategy);
    EXPECT_FALSE(resolve(rules, "b", {8, 4}).strategy);
  }
  for (auto [value, found] : Pairs{{"\"local\"", "\"local\""},
                                   {"\"ownn\"", "\"ownn\""},
                                   {"3", "3"},
                                   {"[]", "an empty array"}})
    EXPECT_EQ(ruleError("\"strategy\": " + std::string(value)),
              prefix +
                  "rules[0].strategy: expected null or one of \"replicate\", "
                  "\"own\", \"gather\", \"distributed_gram\", found " +
                  found);
  EXPECT_NE(gridError("\"strategy\": \"own\"").find("unknown key \"strategy\""),
            std::string::npos);
}

TEST(RulesPlacement, ShardingErrors) {
  EXPECT_EQ(gridError(R"("sharding": 3)"),
            prefix + "sharding: expected \"auto\" or a list of axes for each "
                     "dimension, found 3");
  EXPECT_EQ(gridError(R"("sharding": ["tp", []])"),
            prefix + "sharding[0]: expected a list of axes of the grid, found "
                     "\"tp\"");
  EXPECT_EQ(ruleError(R"("sharding": [[], ["pp"]])"),
            prefix + "rules[0].sharding[1][0]: expected an axis of the grid, "
                     "\"dp\", \"tp\", found \"pp\"");
  EXPECT_EQ(ruleError(R"("sharding": [[0], []])"),
            prefix + "rules[0].sharding[0][0]: expected an axis of the grid, "
                     "\"dp\", \"tp\", found 0");
  EXPECT_EQ(ruleError(R"("sharding": [["tp"], ["dp", "tp"]])"),
            prefix + "rules[0].sharding[1][1]: axis \"tp\" is used twice; "
                     "expected each at most once");
  EXPECT_EQ(errorOf(R"({"sharding": [["tp"], []]})"),
            prefix + "sharding: expected a \"grid\" in the file, which has the "
                     "axes");
  EXPECT_EQ(errorOf(R"({"grid": null, "rules": [{"match": "a",
                       "sharding": []}]})"),
            prefix + "rules[0].sharding: expected a \"grid\" in the file, "
                     "which has the axes");
  EXPECT_EQ(errorOf(R"({"sharding": "auto"})"), "");
  EXPECT_EQ(ruleError(R"("optimizer": "frozen", "sharding": [[], []])"),
            prefix + "rules[0].sharding: \"sharding\" belongs to muon and "
                     "adamw, and the optimizer of this rule is \"frozen\"; "
                     "known keys: match, group, optimizer");
}

TEST(RulesPlacement, UnreducedErrors) {
  EXPECT_EQ(gridError(R"("unreduced": ["dp"])"),
            prefix + "unreduced: expected \"auto\", null or an object with "
                     "\"axes\", found an array");
  EXPECT_EQ(gridError(R"("unreduced": {})"),
            prefix + "unreduced: missing key \"axes\"");
  EXPECT_EQ(gridError(R"("unreduced": {"axes": []})"),
            prefix + "unreduced.axes: expected at least one axis; gradients "
                     "that are summed already are \"unreduced\": null");
  EXPECT_EQ(gridError(R"("unreduced": {"axes": ["xp"]})"),
            prefix + "unreduced.axes[0]: expected an axis of the grid, "
                     "\"dp\", \"tp\", found \"xp\"");
  EXPECT_EQ(gridError(R"("unreduced": {"axes": ["dp", "dp"]})"),
            prefix + "unreduced.axes[1]: axis \"dp\" is used twice; expected "
                     "each at most once");
  EXPECT_EQ(gridError(R"("unreduced": {"axes": ["dp"], "reduction": "max"})"),
            prefix + "unreduced.reduction: expected one of \"mean\", \"sum\", "
                     "found \"max\"");
  EXPECT_EQ(gridError(R"("unreduced": {"axes": ["dp"], "op": "sum"})"),
            prefix + "unreduced.op: unknown key \"op\"; known keys: axes, "
                     "reduction");
  for (const char *value : {"null", "{\"axes\": [\"dp\"]}"})
    EXPECT_EQ(errorOf("{\"unreduced\": " + std::string(value) + "}"),
              prefix + "unreduced: expected a \"grid\" in the file, which has "
                       "the axes");

  const std::string tail =
      "axis \"tp\" splits dimension 1, and gradients cannot be unreduced along "
      "it; expected axes along which ranks have the same part";
  EXPECT_EQ(ruleError(R"("sharding": [[], ["tp"]],
                         "unreduced": {"axes": ["tp"]})"),
            prefix + "rules[0].unreduced: " + tail);
  EXPECT_EQ(gridError(R"("unreduced": {"axes": ["tp"]},
                         "rules": [{"match": "a", "sharding": [[], ["tp"]]}])"),
            prefix + "rules[0].sharding: " + tail);
}

TEST(RulesPlacement, TensorsThatDoNotFit) {
  EXPECT_EQ(
      resolveError(R"({"grid": {"tp": 2}, "rules": [{"match": "v"},
                      {"match": "w", "sharding": [["tp"], []]}]})",
                   "w.0", {8}),
      prefix +
          "tensor \"w.0\": \"sharding\" of rules[1], [[\"tp\"], []], has 2 "
          "dimensions; expected 1, as many as shape [8]");
  EXPECT_EQ(resolveError(R"({"grid": {"fsdp": 2},
                            "unreduced": {"axes": ["fsdp"]}})",
                         "w", {8, 4}),
            prefix + "tensor \"w\": \"unreduced\" has axis \"fsdp\", which "
                     "splits dimension 0 of the tensor; expected axes along "
                     "which ranks have the same part of it");
  const char *split = R"({"grid": {"fsdp": 2}, "rules": [
      {"match": "w", "split": [4, 4] })";
  EXPECT_EQ(resolveError(std::string(split) + "]}", "w", {8, 4}),
            prefix + "tensor \"w\": \"split\" takes a tensor that ranks have "
                     "whole, and its sharding is [[\"fsdp\"], []]; a rule with "
                     "\"sharding\": [[], []] keeps it whole");
  EXPECT_EQ(resolveError(R"({"grid": {"fsdp": 2}, "rules": [
                 {"match": "w", "split": [4, 4], "sharding": [[], []]}]})",
                         "w", {8, 4}),
            "");
}

} // namespace
