//===- RulesResolveTest.cpp - Which optimizer a tensor gets ---------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Import/Rules.h"

#include "gtest/gtest.h"

#include <chrono>
#include <set>

using namespace mlir::muon::rules;

namespace {

constexpr ElementKind f32 = ElementKind::F32;

Rules parse(llvm::StringRef text) {
  return llvm::cantFail(Rules::parse(text), text.str().c_str());
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

OptimizerKind optimizerOf(llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                          ElementKind type = f32) {
  Rules rules;
  return resolve(rules, name, shape, type).optimizer;
}

std::string errorOf(Rules &rules, llvm::StringRef name,
                    llvm::ArrayRef<int64_t> shape, ElementKind type = f32) {
  auto result = rules.resolve(name, shape, type);
  return result ? "" : llvm::toString(result.takeError());
}

void expectContains(const std::string &message, const std::string &part) {
  EXPECT_NE(message.find(part), std::string::npos)
      << "expected to find: " << part << "\nin: " << message;
}

TEST(RulesResolve, DefaultsByRank) {
  EXPECT_EQ(optimizerOf("a.weight", {}), OptimizerKind::AdamW);
  EXPECT_EQ(optimizerOf("a.weight", {4}), OptimizerKind::AdamW);
  EXPECT_EQ(optimizerOf("a.weight", {4, 6}), OptimizerKind::Muon);
  EXPECT_EQ(optimizerOf("a.weight", {3, 4, 6}), OptimizerKind::Muon);
  EXPECT_EQ(optimizerOf("a.weight", {1, 1}), OptimizerKind::Muon);
  Rules rules;
  EXPECT_EQ(errorOf(rules, "conv", {8, 3, 5, 5}),
            "tensor \"conv\": its shape [8, 3, 5, 5] has rank 4, for which "
            "there is no default; add a rule with \"optimizer\": \"adamw\" or "
            "\"frozen\"");
}

TEST(RulesResolve, DefaultsByName) {
  for (const char *name :
       {"model.embed_tokens.weight", "transformer.wte.weight", "wpe",
        "lm_head.weight", "head.weight", "output.weight", "norm.weight",
        "attn.bias", "mlp.gate.bias", "x_embedding"})
    for (const std::vector<int64_t> &shape :
         std::vector<std::vector<int64_t>>{{4, 6}, {2, 4, 6}})
      EXPECT_EQ(optimizerOf(name, shape), OptimizerKind::AdamW) << name;
  // Case matters, and so does the dot.
  for (const char *name : {"Embed", "WTE", "headXweight", "q_proj.weight"})
    EXPECT_EQ(optimizerOf(name, {4, 6}), OptimizerKind::Muon) << name;
}

TEST(RulesResolve, DefaultsByType) {
  for (ElementKind type :
       {ElementKind::F32, ElementKind::BF16, ElementKind::F16})
    EXPECT_EQ(optimizerOf("w", {4, 6}, type), OptimizerKind::Muon);
  EXPECT_EQ(optimizerOf("ids", {4, 6}, ElementKind::NonFloat),
            OptimizerKind::Frozen);
  EXPECT_EQ(optimizerOf("mask", {1, 1, 4, 4}, ElementKind::NonFloat),
            OptimizerKind::Frozen);
  Rules rules;
  EXPECT_EQ(errorOf(rules, "w", {4}, ElementKind::OtherFloat),
            "tensor \"w\": its element type is a floating-point type other "
            "than f32, bf16 and f16; a rule with \"optimizer\": \"frozen\" "
            "leaves the tensor alone");
  Rules frozen = parse(
      R"({"rules": [{"match": "w", "optimizer": "frozen"},
                    {"match": "v", "optimizer": "adamw"}]})");
  EXPECT_EQ(resolve(frozen, "w", {4}, ElementKind::OtherFloat).optimizer,
            OptimizerKind::Frozen);
  EXPECT_EQ(errorOf(frozen, "v", {4}, ElementKind::NonFloat),
            "rules.json: tensor \"v\": its element type is not a "
            "floating-point type, and rules[1] wants adamw; a rule with "
            "\"optimizer\": \"frozen\" leaves the tensor alone");
  // A rule that leaves the optimizer open does not make integers trainable.
  Rules open = parse(R"({"rules": [{"match": "w", "weight_decay": 0}]})");
  EXPECT_EQ(resolve(open, "w", {4}, ElementKind::NonFloat).optimizer,
            OptimizerKind::Frozen);
}

TEST(RulesResolve, EmptyTensorsAreFrozen) {
  Rules rules = parse(R"({"rules": [{"match": "m", "optimizer": "muon"}]})");
  for (const char *name : {"w", "m"}) {
    ResolvedParam param = resolve(rules, name, {4, 0});
    EXPECT_EQ(param.optimizer, OptimizerKind::Frozen);
    expectContains(param.note, "of shape [4, 0] is empty and stays as it is");
  }
  EXPECT_EQ(resolve(rules, "w", {4, 4}).note, "");
}

TEST(RulesResolve, FirstMatchWins) {
  Rules rules = parse(R"({"rules": [
      {"match": "^a", "optimizer": "frozen"},
      {"match": "b$", "optimizer": "adamw", "group": "late"},
      {"match": "layers\\.[0-9]+\\.x", "steps": 3},
      {"match": "ab", "optimizer": "muon"},
      {"match": "never"}]})");
  EXPECT_EQ(resolve(rules, "ab", {4, 4}).optimizer, OptimizerKind::Frozen);
  EXPECT_EQ(resolve(rules, "ab", {4, 4}).rule, 0u);
  EXPECT_EQ(resolve(rules, "cab", {4, 4}).optimizer, OptimizerKind::AdamW);
  EXPECT_EQ(resolve(rules, "cab", {4, 4}).group, "late");
  ResolvedParam layer = resolve(rules, "m.layers.12.x.w", {4, 4});
  EXPECT_EQ(layer.rule, 2u);
  EXPECT_EQ(layer.muon.steps, 3);
  EXPECT_EQ(resolve(rules, "layersX12.x", {4, 4}).rule, std::nullopt);
  EXPECT_EQ(resolve(rules, "cabd", {4, 4}).rule, 3u);
  EXPECT_EQ(rules.getUnmatchedRules(), std::vector<unsigned>{4});
}

TEST(RulesResolve, OverridesReachTheResult) {
  Rules rules = parse(R"({
      "muon": {"steps": 7, "eps": 1e-7, "lr_multiplier": 3},
      "adamw": {"betas": [0.8, 0.9]},
      "rules": [
        {"match": "m", "optimizer": "muon", "group": "g", "momentum": 0.9,
         "momentum_form": "ema", "nesterov": false, "weight_decay": 0.01,
         "schedule": "cans", "steps": 6, "safety": 1.5, "eps": 1e-9,
         "compute": "bf16", "iteration": "gram", "scale": {"constant": 2},
         "lr_multiplier": 0.5, "transposed": true, "split": [2, 2],
         "master": false},
        {"match": "a", "optimizer": "adamw", "group": "h",
         "betas": [0.1, 0.2], "eps": 1e-5, "weight_decay": 0,
         "lr_multiplier": 4, "master": false}]})");
  MuonConfig m = resolve(rules, "m", {4, 4}, ElementKind::BF16).muon;
  EXPECT_EQ(m.momentum, 0.9);
  EXPECT_EQ(m.momentumForm, MomentumForm::Ema);
  EXPECT_FALSE(m.nesterov);
  EXPECT_EQ(m.weightDecay, 0.01);
  EXPECT_EQ(m.schedule.name, "cans");
  EXPECT_EQ(m.steps, 6);
  EXPECT_EQ(m.safety, 1.5);
  EXPECT_EQ(m.eps, 1e-9);
  EXPECT_EQ(m.compute, ComputeType::BF16);
  EXPECT_EQ(m.iteration, Iteration::Gram);
  EXPECT_EQ(m.scale, (Scale{ScaleRule::Constant, 2.0}));
  EXPECT_EQ(m.lrMultiplier, 0.5);
  EXPECT_TRUE(m.transposed);
  EXPECT_EQ(m.split, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(m.master, MasterPolicy::Never);
  AdamWConfig a = resolve(rules, "a", {4, 4}).adamw;
  EXPECT_EQ(a.beta1, 0.1);
  EXPECT_EQ(a.beta2, 0.2);
  EXPECT_EQ(a.eps, 1e-5);
  EXPECT_EQ(a.weightDecay, 0.0);
  EXPECT_EQ(a.lrMultiplier, 4.0);
  EXPECT_EQ(a.master, MasterPolicy::Never);
  // The sections hold for what no rule matches.
  EXPECT_EQ(resolve(rules, "w", {4, 4}).muon.steps, 7);
  EXPECT_EQ(resolve(rules, "w", {4, 4}).muon.lrMultiplier, 3.0);
  EXPECT_EQ(resolve(rules, "w", {4}).adamw.beta1, 0.8);
}

TEST(RulesResolve, SharedKeysFollowTheOptimizer) {
  Rules rules = parse(R"({"rules": [
      {"match": "x", "lr_multiplier": 2, "eps": 1e-6}]})");
  EXPECT_EQ(resolve(rules, "x.m", {4, 4}).muon.lrMultiplier, 2.0);
  EXPECT_EQ(resolve(rules, "x.m", {4, 4}).muon.eps, 1e-6);
  EXPECT_EQ(resolve(rules, "x.a", {4}).adamw.lrMultiplier, 2.0);
  EXPECT_EQ(resolve(rules, "x.a", {4}).adamw.eps, 1e-6);
  EXPECT_EQ(resolve(rules, "x.m", {4, 4}).group, "muon");
  EXPECT_EQ(resolve(rules, "x.a", {4}).group, "adamw");
}

TEST(RulesResolve, ForeignKeysNameTheTensor) {
  Rules rules = parse(R"({"rules": [{"match": "x", "steps": 3},
      {"match": "y", "betas": [0.9, 0.99]}, {"match": "z", "eps": 0}]})");
  EXPECT_EQ(resolve(rules, "x.w", {4, 4}).muon.steps, 3);
  EXPECT_EQ(errorOf(rules, "x.b", {4}),
            "rules.json: tensor \"x.b\": rules[0] gives \"steps\", which its "
            "optimizer adamw does not have; give the rule an \"optimizer\" or "
            "narrow its \"match\"");
  EXPECT_EQ(resolve(rules, "y.b", {4}).adamw.beta2, 0.99);
  expectContains(errorOf(rules, "y.w", {4, 4}),
                 "tensor \"y.w\": rules[1] gives \"betas\", which its "
                 "optimizer muon does not have");
  EXPECT_EQ(resolve(rules, "z.w", {4, 4}).muon.eps, 0.0);
  EXPECT_EQ(errorOf(rules, "z.b", {4}),
            "rules.json: tensor \"z.b\": rules[2] sets \"eps\" to 0, and "
            "adamw needs one above 0");
}

TEST(RulesResolve, RanksThatMuonDoesNotTake) {
  Rules rules = parse(R"({"rules": [{"match": "m", "optimizer": "muon"},
      {"match": "a", "optimizer": "adamw"}]})");
  EXPECT_EQ(errorOf(rules, "m", {4}),
            "rules.json: tensor \"m\": rules[0] wants muon, which takes rank "
            "2 or 3; the shape is [4] of rank 1");
  expectContains(errorOf(rules, "m", {}), "the shape is [] of rank 0");
  expectContains(errorOf(rules, "m", {1, 2, 3, 4}), "of rank 4");
  EXPECT_EQ(resolve(rules, "m.embed", {4, 4}).optimizer, OptimizerKind::Muon);
  EXPECT_EQ(resolve(rules, "a", {1, 2, 3, 4}).optimizer, OptimizerKind::AdamW);
  // A rule without an optimizer is not the rule that high ranks ask for.
  Rules open = parse(R"({"rules": [{"match": "w", "weight_decay": 0}]})");
  expectContains(errorOf(open, "w", {1, 2, 3, 4}), "add a rule");
}

TEST(RulesResolve, Masters) {
  auto keeps = [](const char *policy, ElementKind type, int64_t rank) {
    Rules rules = parse("{\"muon\": {\"master\": " + std::string(policy) +
                        "}, \"adamw\": {\"master\": " + policy + "}}");
    std::vector<int64_t> shape(rank, 4);
    return resolve(rules, "w", shape, type).keepsMaster;
  };
  for (int64_t rank : {1, 2}) {
    for (ElementKind type : {ElementKind::BF16, ElementKind::F16}) {
      EXPECT_TRUE(keeps("\"auto\"", type, rank));
      EXPECT_TRUE(keeps("true", type, rank));
      EXPECT_FALSE(keeps("false", type, rank));
    }
    EXPECT_FALSE(keeps("\"auto\"", f32, rank));
    EXPECT_FALSE(keeps("false", f32, rank));
  }
  Rules rules = parse(R"({"muon": {"master": true}})");
  EXPECT_EQ(errorOf(rules, "w", {4, 4}),
            "rules.json: tensor \"w\": \"master\" is true, but an f32 weight "
            "is its own master; use \"auto\"");
}

TEST(RulesResolve, Splits) {
  Rules rules = parse(R"({"rules": [
      {"match": "qkv", "split": [4, 2, 2]},
      {"match": "one", "split": [8]},
      {"match": "conv1d", "split": [4, 4], "transposed": true}]})");
  EXPECT_EQ(resolve(rules, "qkv", {8, 16}).muon.split,
            (std::vector<int64_t>{4, 2, 2}));
  EXPECT_EQ(resolve(rules, "one", {8, 16}).muon.split, std::nullopt);
  EXPECT_EQ(errorOf(rules, "qkv", {9, 16}),
            "rules.json: tensor \"qkv\": the rows of \"split\" sum to 8, "
            "expected the first dimension of shape [9, 16]");
  EXPECT_EQ(errorOf(rules, "qkv", {2, 8, 16}),
            "rules.json: tensor \"qkv\": \"split\" takes a matrix; the shape "
            "is [2, 8, 16]");
  expectContains(errorOf(rules, "conv1d", {4, 8}), "side by side");
  // Blocks of a fused matrix may join the stack of whole ones.
  EXPECT_EQ(resolve(rules, "qkv", {8, 16}).settings,
            resolve(rules, "plain", {8, 16}).settings);
}

TEST(RulesResolve, GroupNames) {
  Rules rules = parse(R"({"rules": [
      {"match": "a", "group": "mine", "momentum": 0.9},
      {"match": "b", "optimizer": "muon", "momentum": 0.9},
      {"match": "c", "weight_decay": 0},
      {"match": "d", "steps": 3, "lr_multiplier": 2},
      {"match": "e", "optimizer": "adamw", "weight_decay": 0}]})");
  EXPECT_EQ(resolve(rules, "a", {4, 4}).group, "mine");
  EXPECT_EQ(resolve(rules, "b", {4, 4}).group, "rule1");
  EXPECT_EQ(resolve(rules, "c", {4}).group, "rule2");
  EXPECT_EQ(resolve(rules, "d", {4, 4}).group, "muon");
  EXPECT_EQ(resolve(rules, "e", {4, 4}).group, "rule4");
  EXPECT_EQ(resolve(rules, "w", {4, 4}).group, "muon");
  EXPECT_EQ(resolve(rules, "w", {4}).group, "adamw");
  Rules frozen = parse(
      R"({"rules": [{"match": "a", "optimizer": "frozen", "group": "g"}]})");
  EXPECT_EQ(resolve(frozen, "a", {4, 4}).group, "");
}

TEST(RulesResolve, GroupConflicts) {
  Rules decay = parse(R"({"rules": [
      {"match": "a", "group": "g", "optimizer": "muon"},
      {"match": "b", "group": "g", "optimizer": "muon", "weight_decay": 0}]})");
  resolve(decay, "a", {4, 4});
  EXPECT_EQ(errorOf(decay, "b", {4, 4}),
            "rules.json: group \"g\": tensor \"a\" (rules[0]: muon, "
            "weight_decay 0.1, momentum 0.95) and tensor \"b\" (rules[1]: "
            "muon, weight_decay 0, momentum 0.95) cannot share a group, which "
            "has one optimizer and one default each of weight_decay and "
            "momentum; tell them apart by rules with different \"group\"s");

  Rules momentum = parse(R"({"rules": [
      {"match": "a", "group": "muon", "momentum": 0.8}]})");
  resolve(momentum, "w", {4, 4});
  expectContains(errorOf(momentum, "a", {4, 4}),
                 "tensor \"w\" (no rule: muon, weight_decay 0.1, momentum "
                 "0.95) and tensor \"a\" (rules[0]: muon, weight_decay 0.1, "
                 "momentum 0.8)");

  Rules optimizer = parse(R"({"rules": [{"match": "a", "group": "g"}]})");
  resolve(optimizer, "a", {4, 4});
  expectContains(errorOf(optimizer, "a", {4}),
                 "tensor \"a\" (rules[0]: adamw, weight_decay 0.1) cannot");

  Rules open = parse(R"({"rules": [{"match": "a", "weight_decay": 0}]})");
  resolve(open, "a", {4, 4});
  expectContains(errorOf(open, "a", {4}), "group \"rule0\"");

  Rules same = parse(R"({"rules": [
      {"match": "a", "group": "g", "momentum": 0.9, "steps": 3},
      {"match": "b", "group": "g", "momentum": 0.9, "steps": 4}]})");
  EXPECT_EQ(resolve(same, "a", {4, 4}).group, "g");
  EXPECT_EQ(resolve(same, "b", {4, 4}).group, "g");
}

TEST(RulesResolve, SettingsTellWhatMayStack) {
  Rules rules = parse(R"({"rules": [
      {"match": "a", "steps": 3}, {"match": "b", "steps": 3},
      {"match": "c", "steps": 4}, {"match": "d", "group": "g"},
      {"match": "e", "steps": 5}]})");
  unsigned a = resolve(rules, "a", {4, 4}).settings;
  unsigned c = resolve(rules, "c", {4, 4}).settings;
  unsigned d = resolve(rules, "d", {4, 4}).settings;
  unsigned plain = resolve(rules, "w", {4, 4}).settings;
  unsigned bias = resolve(rules, "w", {4}).settings;
  EXPECT_EQ(resolve(rules, "b", {4, 4}).settings, a);
  EXPECT_EQ(resolve(rules, "e", {4, 4}).settings, plain);
  std::set<unsigned> distinct = {a, c, d, plain, bias};
  EXPECT_EQ(distinct.size(), 5u);
}

TEST(RulesResolve, OddNames) {
  Rules rules = parse(R"({"rules": [{"match": "a\u0000b", "steps": 3},
                                    {"match": "^é", "steps": 4}]})");
  EXPECT_EQ(resolve(rules, llvm::StringRef("xa\0by", 5), {4, 4}).rule, 0u);
  EXPECT_EQ(resolve(rules, "a", {4, 4}).rule, std::nullopt);
  EXPECT_EQ(resolve(rules, "é.w", {4, 4}).rule, 1u);
  EXPECT_EQ(resolve(rules, "", {4, 4}).optimizer, OptimizerKind::Muon);
  expectContains(errorOf(rules, "new\nline", {1, 1, 1, 1}),
                 "tensor \"new\\x0aline\"");
}

TEST(RulesResolve, ManyNamesAreQuick) {
  std::string list;
  for (int i = 0; i < 20; ++i)
    list += std::string(i ? "," : "") + "{\"match\": \"layers\\\\.(" +
            std::to_string(90000 + i) + "|[a-z]+)\\\\.mlp\\\\.(up|down)$\"}";
  Rules rules = parse("{\"rules\": [" + list + "]}");
  auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 70000; ++i)
    resolve(rules,
            "model.layers." + std::to_string(i) + ".self_attn.q_proj.weight",
            {1024, 1024});
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - start;
  RecordProperty("seconds", std::to_string(seconds.count()));
  // Generous: the test also runs with sanitizers on slow machines.
  EXPECT_LT(seconds.count(), 20.0);
}

// Names as in public checkpoints of GPT-2; the rules are those of
// docs/rules.md.
TEST(RulesResolve, Gpt2) {
  Rules rules = parse(R"({
    "rules": [
      {"match": "\\.attn\\.(masked_)?bias$", "optimizer": "frozen"},
      {"match": "\\.(c_attn|c_proj|c_fc)\\.weight$", "transposed": true},
      {"match": "bias$|ln_", "optimizer": "adamw", "weight_decay": 0.0}
    ]})");
  EXPECT_EQ(resolve(rules, "h.0.attn.bias", {1, 1, 1024, 1024}).optimizer,
            OptimizerKind::Frozen);
  EXPECT_EQ(resolve(rules, "h.0.attn.c_attn.bias", {2304}).group, "rule2");
  ResolvedParam attn = resolve(rules, "h.0.attn.c_attn.weight", {768, 2304});
  EXPECT_EQ(attn.optimizer, OptimizerKind::Muon);
  EXPECT_TRUE(attn.muon.transposed);
  EXPECT_EQ(attn.group, "muon");
  EXPECT_EQ(resolve(rules, "wte.weight", {50257, 768}).group, "adamw");
  EXPECT_EQ(resolve(rules, "h.0.ln_1.weight", {768}).group, "rule2");
}

} // namespace
