//===- RulesErrorTest.cpp - What a rules file may not say -----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Import/Rules.h"

#include "gtest/gtest.h"

using namespace mlir::muon::rules;

namespace {

/// The message about `text`, or nothing if it is fine.
std::string errorOf(const std::string &text) {
  auto rules = Rules::parse(text);
  return rules ? "" : llvm::toString(rules.takeError());
}

std::string muonError(const std::string &members) {
  return errorOf("{\"muon\": {" + members + "}}");
}

std::string ruleError(const std::string &members) {
  return errorOf("{\"rules\": [{\"match\": \"a\", " + members + "}]}");
}

void expectContains(const std::string &message, const std::string &part) {
  EXPECT_NE(message.find(part), std::string::npos)
      << "expected to find: " << part << "\nin: " << message;
}

const std::string prefix = "rules.json: ";

TEST(RulesError, NamesTheFile) {
  auto rules = Rules::parse("[]", "dir/my.json");
  ASSERT_FALSE(bool(rules));
  EXPECT_EQ(llvm::toString(rules.takeError()),
            "dir/my.json: expected an object, found an empty array");
}

TEST(RulesError, Syntax) {
  expectContains(errorOf(""), "rules.json: not valid JSON: ");
  expectContains(errorOf("{\"muon\": }"), "rules.json: not valid JSON: [1:");
  EXPECT_EQ(errorOf("{\"muon\": {\"steps\": 1,\n\"steps\": 2}}"),
            prefix + "muon: duplicate key \"steps\" (line 2)");
  EXPECT_EQ(errorOf(std::string(100000, '[')),
            prefix + "objects and arrays are nested deeper than 64 levels");
}

TEST(RulesError, Size) {
  EXPECT_EQ(errorOf(std::string(Rules::maxFileSize + 1, ' ')),
            prefix + "expected at most 16777216 bytes, found 16777217");
  std::string rule = "{\"match\": \"a\"}", list = rule;
  for (size_t i = 1; i < Rules::maxRules; ++i)
    list += "," + rule;
  EXPECT_EQ(errorOf("{\"rules\": [" + list + "]}"), "");
  EXPECT_EQ(errorOf("{\"rules\": [" + list + "," + rule + "]}"),
            prefix + "rules: expected at most 10000 rules, found 10001");
}

TEST(RulesError, UnknownKeys) {
  EXPECT_EQ(errorOf(R"({"lr": 1})"),
            prefix + "lr: unknown key \"lr\"; known keys: muon, adamw, "
                     "clip_global_norm, skip_nonfinite, grad_type, "
                     "state_type, grid, sharding, unreduced, rules");
  EXPECT_EQ(muonError(R"("stepz": 1)"),
            prefix + "muon.stepz: unknown key \"stepz\" (did you mean "
                     "\"steps\"?); known keys: momentum, momentum_form, "
                     "nesterov, weight_decay, schedule, steps, safety, eps, "
                     "compute, iteration, scale, lr_multiplier, transposed, "
                     "split, master, restarts");
  EXPECT_EQ(errorOf(R"({"adamw": {"momentum": 0.9}})"),
            prefix + "adamw.momentum: unknown key \"momentum\"; known keys: "
                     "betas, eps, weight_decay, lr_multiplier, master");
  expectContains(ruleError(R"("pattern": "x")"),
                 "rules[0].pattern: unknown key \"pattern\"; known keys: "
                 "match, group, optimizer, sharding, unreduced, strategy, "
                 "momentum, ");
  expectContains(muonError(R"("scale": {"const": 1})"),
                 "muon.scale.const: unknown key \"const\"; known keys: "
                 "constant");
  expectContains(errorOf(R"({"a b\n": 1})"),
                 "[\"a b\\x0a\"]: unknown key \"a b\\x0a\"; known keys: ");
}

TEST(RulesError, SectionTypes) {
  EXPECT_EQ(errorOf("3"), prefix + "expected an object, found 3");
  EXPECT_EQ(errorOf(R"({"muon": 1})"),
            prefix + "muon: expected an object, found 1");
  EXPECT_EQ(errorOf(R"({"adamw": null})"),
            prefix + "adamw: expected an object, found null");
  EXPECT_EQ(errorOf(R"({"rules": {}})"),
            prefix + "rules: expected an array of rules, found an object");
  EXPECT_EQ(errorOf(R"({"rules": [{"match": "a"}, "b"]})"),
            prefix + "rules[1]: expected an object, found \"b\"");
}

TEST(RulesError, NumberTypes) {
  for (const char *key :
       {"momentum", "weight_decay", "safety", "eps", "lr_multiplier"})
    for (const char *value : {"\"1\"", "null", "true", "[]", "{}"}) {
      std::string message = muonError("\"" + std::string(key) + "\": " + value);
      expectContains(message, prefix + "muon." + key + ": expected a");
      expectContains(message, ", found ");
    }
}

TEST(RulesError, NumberRanges) {
  const char *unit = "expected a number from 0 to below 1";
  EXPECT_EQ(muonError(R"("momentum": 1)"),
            prefix + "muon.momentum: " + unit + ", found 1");
  EXPECT_EQ(muonError(R"("momentum": -0.5)"),
            prefix + "muon.momentum: " + unit + ", found -0.5");
  EXPECT_EQ(muonError(R"("momentum": 0.99999999999)"),
            prefix + "muon.momentum: " + unit +
                ", found 0.99999999999, which is 1 in f32");
  EXPECT_EQ(muonError(R"("weight_decay": -0.1)"),
            prefix + "muon.weight_decay: expected a finite number not below "
                     "0, found -0.1");
  EXPECT_EQ(muonError(R"("eps": -1)"),
            prefix + "muon.eps: expected a finite number not below 0, "
                     "found -1");
  EXPECT_EQ(muonError(R"("safety": 0)"),
            prefix + "muon.safety: expected a finite number above 0, found 0");
  EXPECT_EQ(muonError(R"("safety": 1e-60)"),
            prefix + "muon.safety: expected a finite number above 0, found "
                     "1e-60, which is 0 in f32");
  EXPECT_EQ(muonError(R"("lr_multiplier": -1)"),
            prefix + "muon.lr_multiplier: expected a finite number not below "
                     "0, found -1");
  EXPECT_EQ(errorOf(R"({"adamw": {"eps": 0}})"),
            prefix + "adamw.eps: expected a finite number above 0, found 0");
  EXPECT_EQ(errorOf(R"({"clip_global_norm": 0})"),
            prefix + "clip_global_norm: expected a finite number above 0, "
                     "found 0");
}

TEST(RulesError, NonFiniteNumbers) {
  for (const char *key :
       {"momentum", "weight_decay", "safety", "eps", "lr_multiplier"})
    for (const char *value : {"1e999", "-1e999"})
      expectContains(muonError("\"" + std::string(key) + "\": " + value),
                     "found a number that is not finite");
  EXPECT_EQ(muonError(R"("weight_decay": 1e300)"),
            prefix + "muon.weight_decay: expected a finite number not below 0 "
                     "in f32, found 1e+300");
  expectContains(errorOf(R"({"clip_global_norm": 1e999})"),
                 "clip_global_norm: expected a finite number above 0");
  expectContains(errorOf(R"({"adamw": {"betas": [0.9, 1e999]}})"),
                 "adamw.betas[1]: expected a number from 0 to below 1");
  expectContains(muonError(R"("schedule": [[1, 2, 1e999]])"),
                 "muon.schedule[0][2]: expected a finite number in f32");
  expectContains(muonError(R"("scale": {"constant": 1e999})"),
                 "muon.scale.constant: expected a finite number");
}

TEST(RulesError, Steps) {
  EXPECT_EQ(errorOf(R"({"rules": [{"match": "a"}, {"match": "b"},
                                  {"match": "c", "steps": -3}]})"),
            prefix + "rules[2].steps: expected an integer from 1 to 100, "
                     "found -3");
  for (const char *value : {"101", "2.5", "\"5\"", "null", "true", "1e999",
                            "1e18", "9223372036854775808", "-1e-9"})
    expectContains(muonError(std::string("\"steps\": ") + value),
                   "muon.steps: expected an integer from 1 to 100, found ");
}

TEST(RulesError, Booleans) {
  EXPECT_EQ(muonError(R"("nesterov": 1)"),
            prefix + "muon.nesterov: expected true or false, found 1");
  EXPECT_EQ(muonError(R"("transposed": "yes")"),
            prefix + "muon.transposed: expected true or false, found \"yes\"");
  EXPECT_EQ(errorOf(R"({"skip_nonfinite": null})"),
            prefix + "skip_nonfinite: expected true or false, found null");
}

TEST(RulesError, Names) {
  EXPECT_EQ(muonError(R"("momentum_form": "nag")"),
            prefix + "muon.momentum_form: expected one of \"heavy_ball\", "
                     "\"ema\", found \"nag\"");
  EXPECT_EQ(muonError(R"("compute": "f64")"),
            prefix + "muon.compute: expected one of \"auto\", \"f32\", "
                     "\"tf32\", \"bf16\", \"f16\", found \"f64\"");
  EXPECT_EQ(muonError(R"("iteration": 1)"),
            prefix + "muon.iteration: expected one of \"auto\", \"direct\", "
                     "\"gram\", found 1");
  EXPECT_EQ(muonError(R"("scale": "rms")"),
            prefix + "muon.scale: expected one of \"none\", \"original\", "
                     "\"match_rms_adamw\", \"spectral\" or {\"constant\": x}, "
                     "found \"rms\"");
  expectContains(muonError(R"("scale": "constant")"), "found \"constant\"");
  EXPECT_EQ(muonError(R"("scale": {})"),
            prefix + "muon.scale: missing key \"constant\"");
  expectContains(muonError(R"("scale": {"constant": -1})"),
                 "muon.scale.constant: expected a finite number not below 0");
  EXPECT_EQ(muonError(R"("master": "yes")"),
            prefix + "muon.master: expected \"auto\", true or false, found "
                     "\"yes\"");
  EXPECT_EQ(muonError(R"("restarts": 2)"),
            prefix + "muon.restarts: expected null or a list of steps, found "
                     "2");
  EXPECT_EQ(muonError(R"("restarts": [0])"),
            prefix + "muon.restarts[0]: expected an integer above 0, found 0");
  EXPECT_EQ(muonError(R"("restarts": [2, 2])"),
            prefix + "muon.restarts[1]: expected an integer above 2, found 2");
  EXPECT_EQ(muonError(R"("restarts": [2, 5])"),
            prefix + "muon.restarts: expected integers from 1 to steps - 1 = "
                     "4, found 5");
  EXPECT_EQ(muonError(R"("restarts": [1], "iteration": "direct")"),
            prefix + "muon.restarts: expected null or [] with \"iteration\": "
                     "\"direct\", which has no restarts");
  EXPECT_EQ(errorOf(R"({"grad_type": "f64"})"),
            prefix + "grad_type: expected one of \"same\", \"f32\", \"bf16\", "
                     "\"f16\", found \"f64\"");
  EXPECT_EQ(errorOf(R"({"state_type": "same"})"),
            prefix + "state_type: expected one of \"f32\", \"bf16\", \"f16\", "
                     "found \"same\"");
  EXPECT_EQ(ruleError(R"("optimizer": "sgd")"),
            prefix + "rules[0].optimizer: expected one of \"muon\", "
                     "\"adamw\", \"frozen\", found \"sgd\"");
}

TEST(RulesError, Schedules) {
  const std::string expected =
      prefix + "muon.schedule: expected one of \"keller_jordan\", \"you\", "
               "\"polar_express\", \"cans\", \"cubic\" or a list of 1 to 100 "
               "triples [a, b, c], found ";
  EXPECT_EQ(muonError(R"("schedule": "jordan")"), expected + "\"jordan\"");
  EXPECT_EQ(muonError(R"("schedule": [])"), expected + "an empty array");
  EXPECT_EQ(muonError(R"("schedule": null)"), expected + "null");
  std::string list = "[1, 2, 3]";
  for (int i = 0; i < 100; ++i)
    list += ", [1, 2, 3]";
  EXPECT_EQ(muonError("\"schedule\": [" + list + "]"),
            expected + "an array of 101");
  EXPECT_EQ(muonError(R"("schedule": [1, 2, 3])"),
            prefix + "muon.schedule[0]: expected three numbers [a, b, c], "
                     "found 1");
  EXPECT_EQ(muonError(R"("schedule": [[1, 2, 3], [1, 2]])"),
            prefix + "muon.schedule[1]: expected three numbers [a, b, c], "
                     "found an array of 2");
  EXPECT_EQ(muonError(R"("schedule": [[1, "2", 3]])"),
            prefix + "muon.schedule[0][1]: expected a finite number, found "
                     "\"2\"");
}

TEST(RulesError, Splits) {
  EXPECT_EQ(muonError(R"("split": 3)"),
            prefix + "muon.split: expected null or a list of row counts, "
                     "found 3");
  EXPECT_EQ(muonError(R"("split": [])"),
            prefix + "muon.split: expected null or a list of row counts, "
                     "found an empty array");
  for (const char *value : {"0", "-1", "1.5", "\"1\"", "1e999", "1e30",
                            "9223372036854775807", "9223372036854775808.0"})
    expectContains(muonError(std::string("\"split\": [1, ") + value + "]"),
                   "muon.split[1]: expected an integer above 0, found ");
  EXPECT_EQ(muonError(R"("split": [4611686018427387904, 4611686018427387904])"),
            prefix + "muon.split: the row counts sum to more than a tensor "
                     "can have");
}

TEST(RulesError, Betas) {
  for (const char *value : {"0.9", "[0.9]", "[0.9, 0.9, 0.9]", "{}", "null"})
    expectContains(
        errorOf("{\"adamw\": {\"betas\": " + std::string(value) + "}}"),
        prefix + "adamw.betas: expected two numbers [beta1, beta2], found ");
  EXPECT_EQ(errorOf(R"({"adamw": {"betas": [0.9, 1.0]}})"),
            prefix + "adamw.betas[1]: expected a number from 0 to below 1, "
                     "found 1");
  EXPECT_EQ(errorOf(R"({"adamw": {"betas": [-0.1, 0.9]}})"),
            prefix + "adamw.betas[0]: expected a number from 0 to below 1, "
                     "found -0.1");
}

TEST(RulesError, Patterns) {
  EXPECT_EQ(errorOf(R"({"rules": [{"optimizer": "muon"}]})"),
            prefix + "rules[0]: missing key \"match\"");
  EXPECT_EQ(errorOf(R"({"rules": [{"match": 3}]})"),
            prefix + "rules[0].match: expected a regular expression, found 3");
  const std::string tail = " is not a POSIX extended regular expression: ";
  EXPECT_EQ(errorOf(R"({"rules": [{"match": "(a"}]})"),
            prefix + "rules[0].match: \"(a\"" + tail +
                "parentheses not balanced");
  EXPECT_EQ(errorOf(R"({"rules": [{"match": ""}]})"),
            prefix + "rules[0].match: \"\"" + tail + "empty (sub)expression");
  expectContains(errorOf(R"({"rules": [{"match": "*a"}]})"), tail);
  expectContains(errorOf(R"({"rules": [{"match": "[[:foo:]]"}]})"), tail);
  expectContains(errorOf(R"({"rules": [{"match": "a{300}"}]})"), tail);
  expectContains(errorOf(R"({"rules": [{"match": "(a)\\1"}]})"),
                 "rules[0].match: \"(a)\\\\1\" has a back-reference");
  EXPECT_EQ(errorOf(R"({"rules": [{"match": "a\\\\1"}]})"), "");
  expectContains(
      errorOf("{\"rules\": [{\"match\": \"" + std::string(1025, 'a') + "\"}]}"),
      "...\" has 1025 bytes, more than 1024");
}

TEST(RulesError, ExplodingPatterns) {
  for (const char *pattern :
       {"((a{1,255}){1,255}){1,255}", "((((a{9}){99}){99}){99}){99}",
        "(((a{255,}){255,}){255,}){255,}"})
    expectContains(
        errorOf("{\"rules\": [{\"match\": \"" + std::string(pattern) + "\"}]}"),
        "is too large when its repetitions are expanded");
  // Many that are each just small enough.
  std::string list;
  for (int i = 0; i < 1000; ++i)
    list += std::string(i ? "," : "") +
            "{\"match\": \"(abcdefghijklmnopqrstuvwxyz){255}\"}";
  expectContains(errorOf("{\"rules\": [" + list + "]}"),
                 "the regular expressions up to this one are too large");
}

TEST(RulesError, Groups) {
  for (const char *value :
       {"\"\"", "\"a b\"", "\"a=b\"", "\"a,b\"", "3", "null", "\"\\u0000\""})
    expectContains(ruleError(std::string("\"group\": ") + value),
                   "rules[0].group: expected a name of 1 to 128 letters, "
                   "digits, '_', '.', '-', '/', found ");
  EXPECT_EQ(ruleError(R"("group": "layers/0.hidden-2_x")"), "");
}

TEST(RulesError, ForeignOverrides) {
  EXPECT_EQ(ruleError(R"("optimizer": "muon", "betas": [0.9, 0.95])"),
            prefix + "rules[0].betas: \"betas\" belongs to adamw, and the "
                     "optimizer of this rule is \"muon\"; known keys: match, "
                     "group, optimizer, sharding, unreduced, strategy, "
                     "momentum, momentum_form, nesterov, "
                     "weight_decay, schedule, steps, safety, eps, compute, "
                     "iteration, scale, lr_multiplier, transposed, split, "
                     "master, restarts");
  EXPECT_EQ(ruleError(R"("optimizer": "adamw", "split": null)"),
            prefix + "rules[0].split: \"split\" belongs to muon, and the "
                     "optimizer of this rule is \"adamw\"; known keys: match, "
                     "group, optimizer, sharding, unreduced, strategy, betas, "
                     "eps, weight_decay, "
                     "lr_multiplier, master");
  EXPECT_EQ(ruleError(R"("optimizer": "frozen", "eps": 1)"),
            prefix + "rules[0].eps: \"eps\" belongs to muon and adamw, and "
                     "the optimizer of this rule is \"frozen\"; known keys: "
                     "match, group, optimizer");
  for (const char *key :
       {"momentum", "momentum_form", "nesterov", "schedule", "steps", "safety",
        "compute", "iteration", "scale", "transposed", "split"})
    expectContains(
        ruleError("\"optimizer\": \"adamw\", \"" + std::string(key) + "\": 0"),
        "belongs to muon, and the optimizer of this rule is \"adamw\"");
  // Without an optimizer, keys of both are known.
  EXPECT_EQ(ruleError(R"("betas": [0.9, 0.95])"), "");
  EXPECT_EQ(ruleError(R"("steps": 3)"), "");
}

TEST(RulesError, OverridesAreChecked) {
  expectContains(ruleError(R"("momentum": 2)"), "rules[0].momentum: expected");
  expectContains(ruleError(R"("betas": [2, 0])"),
                 "rules[0].betas[0]: expected");
  expectContains(ruleError(R"("eps": -1)"), "rules[0].eps: expected");
  expectContains(ruleError(R"("optimizer": "adamw", "eps": 0)"),
                 "rules[0].eps: expected a finite number above 0");
  expectContains(ruleError(R"("weight_decay": -1)"),
                 "rules[0].weight_decay: expected");
  expectContains(ruleError(R"("clip_global_norm": 1)"),
                 "rules[0].clip_global_norm: unknown key");
}

} // namespace
