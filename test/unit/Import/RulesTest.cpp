//===- RulesTest.cpp - What a rules file may say --------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Import/Rules.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

using namespace mlir::muon;
using namespace mlir::muon::rules;

namespace {

Rules parse(llvm::StringRef text) {
  return llvm::cantFail(Rules::parse(text), text.str().c_str());
}

/// The muon section made of `members`.
MuonConfig muon(const std::string &members) {
  return parse("{\"muon\": {" + members + "}}").getMuon();
}

AdamWConfig adamw(const std::string &members) {
  return parse("{\"adamw\": {" + members + "}}").getAdamW();
}

StepConfig step(const std::string &members) {
  return parse("{" + members + "}").getStep();
}

TEST(Rules, Defaults) {
  Rules rules = parse("{}");
  MuonConfig muon = rules.getMuon();
  EXPECT_EQ(muon.momentum, 0.95);
  EXPECT_EQ(muon.momentumForm, MomentumForm::HeavyBall);
  EXPECT_TRUE(muon.nesterov);
  EXPECT_EQ(muon.weightDecay, 0.1);
  EXPECT_EQ(muon.schedule.name, "keller_jordan");
  EXPECT_EQ(muon.schedule.coefficients().size(), 1u);
  EXPECT_EQ(muon.steps, 5);
  EXPECT_EQ(muon.safety, 1.0);
  EXPECT_EQ(muon.eps, 0.0);
  EXPECT_EQ(muon.compute, ComputeType::Auto);
  EXPECT_EQ(muon.iteration, Iteration::Auto);
  EXPECT_EQ(muon.scale.rule, ScaleRule::MatchRmsAdamW);
  EXPECT_EQ(muon.lrMultiplier, 1.0);
  EXPECT_FALSE(muon.transposed);
  EXPECT_FALSE(muon.split);
  EXPECT_EQ(muon.master, MasterPolicy::Auto);

  AdamWConfig adamw = rules.getAdamW();
  EXPECT_EQ(adamw.beta1, 0.9);
  EXPECT_EQ(adamw.beta2, 0.95);
  EXPECT_EQ(adamw.eps, 1e-8);
  EXPECT_EQ(adamw.weightDecay, 0.1);
  EXPECT_EQ(adamw.lrMultiplier, 1.0);
  EXPECT_EQ(adamw.master, MasterPolicy::Auto);

  StepConfig step = rules.getStep();
  EXPECT_FALSE(step.clipGlobalNorm);
  EXPECT_TRUE(step.skipNonfinite);
  EXPECT_EQ(step.gradType, GradType::Same);
  EXPECT_EQ(step.stateType, StateType::F32);
  EXPECT_EQ(rules.getNumRules(), 0u);
}

TEST(Rules, PrintedDefaultsAreTheDefaults) {
  std::string text = printDefaults();
  Rules printed = parse(text);
  EXPECT_EQ(printed.getMuon(), MuonConfig());
  EXPECT_EQ(printed.getAdamW(), AdamWConfig());
  EXPECT_EQ(printed.getStep(), StepConfig());
  EXPECT_EQ(printed.getPlacement(), PlacementConfig());
  EXPECT_TRUE(printed.getGrid().empty());
  EXPECT_EQ(printed.getNumRules(), 0u);
  EXPECT_TRUE(printed.getWarnings().empty());
  // All keys are there, in digits that a person would write.
  for (const char *part : {"\"momentum\": 0.95",
                           "\"momentum_form\": \"heavy_ball\"",
                           "\"nesterov\": true",
                           "\"weight_decay\": 0.1",
                           "\"schedule\": \"keller_jordan\"",
                           "\"steps\": 5",
                           "\"safety\": 1.0",
                           "\"eps\": 0.0",
                           "\"compute\": \"auto\"",
                           "\"iteration\": \"auto\"",
                           "\"scale\": \"match_rms_adamw\"",
                           "\"lr_multiplier\": 1.0",
                           "\"transposed\": false",
                           "\"split\": null",
                           "\"master\": \"auto\"",
                           "\"betas\": [0.9, 0.95]",
                           "\"eps\": 1e-08",
                           "\"clip_global_norm\": null",
                           "\"skip_nonfinite\": true",
                           "\"grad_type\": \"same\"",
                           "\"state_type\": \"f32\"",
                           "\"grid\": null",
                           "\"sharding\": \"auto\"",
                           "\"unreduced\": \"auto\"",
                           "\"rules\": []"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST(Rules, MuonKeys) {
  EXPECT_EQ(muon(R"("momentum": 0)").momentum, 0.0);
  EXPECT_EQ(muon(R"("momentum": 0.5)").momentum, 0.5);
  EXPECT_EQ(muon(R"("momentum_form": "ema")").momentumForm, MomentumForm::Ema);
  EXPECT_FALSE(muon(R"("nesterov": false)").nesterov);
  EXPECT_EQ(muon(R"("weight_decay": 0)").weightDecay, 0.0);
  EXPECT_EQ(muon(R"("steps": 1)").steps, 1);
  EXPECT_EQ(muon(R"("steps": 100)").steps, 100);
  EXPECT_EQ(muon(R"("steps": 7.0)").steps, 7);
  EXPECT_EQ(muon(R"("safety": 1.02)").safety, 1.02);
  EXPECT_EQ(muon(R"("eps": 1e-7)").eps, 1e-7);
  EXPECT_EQ(muon(R"("lr_multiplier": 2)").lrMultiplier, 2.0);
  EXPECT_TRUE(muon(R"("transposed": true)").transposed);
  EXPECT_EQ(muon(R"("split": [1, 2, 3])").split,
            (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(muon(R"("split": null)").split, std::nullopt);
  EXPECT_EQ(muon(R"("master": "auto")").master, MasterPolicy::Auto);
  EXPECT_EQ(muon(R"("master": true)").master, MasterPolicy::Always);
  EXPECT_EQ(muon(R"("master": false)").master, MasterPolicy::Never);
}

TEST(Rules, MuonNames) {
  for (ComputeType value :
       {ComputeType::Auto, ComputeType::F32, ComputeType::TF32,
        ComputeType::BF16, ComputeType::F16})
    EXPECT_EQ(muon("\"compute\": \"" + stringify(value).str() + "\"").compute,
              value);
  for (Iteration value : {Iteration::Auto, Iteration::Direct, Iteration::Gram})
    EXPECT_EQ(
        muon("\"iteration\": \"" + stringify(value).str() + "\"").iteration,
        value);
  for (ScaleRule value : {ScaleRule::None, ScaleRule::Original,
                          ScaleRule::MatchRmsAdamW, ScaleRule::Spectral})
    EXPECT_EQ(muon("\"scale\": \"" + stringify(value).str() + "\"").scale.rule,
              value);
  Scale constant = muon(R"("scale": {"constant": 0.3})").scale;
  EXPECT_EQ(constant.rule, ScaleRule::Constant);
  EXPECT_EQ(constant.constant, 0.3);
}

TEST(Rules, Schedules) {
  for (llvm::StringRef name : scheduleNames()) {
    Schedule schedule = muon("\"schedule\": \"" + name.str() + "\"").schedule;
    EXPECT_EQ(schedule.name, name.str());
    EXPECT_EQ(schedule.coefficients(), *lookupSchedule(name));
  }
  Schedule literal =
      muon(R"("schedule": [[1, -2, 3.5], [1.5, -0.5, 0]])").schedule;
  EXPECT_EQ(literal.name, "");
  ASSERT_EQ(literal.coefficients().size(), 2u);
  EXPECT_EQ(literal.coefficients()[0], (Coefficients{1, -2, 3.5}));
  EXPECT_EQ(literal.coefficients()[1], (Coefficients{1.5, -0.5, 0}));
}

TEST(Rules, AdamWKeys) {
  EXPECT_EQ(adamw(R"("betas": [0, 0.999])").beta1, 0.0);
  EXPECT_EQ(adamw(R"("betas": [0, 0.999])").beta2, 0.999);
  EXPECT_EQ(adamw(R"("eps": 1e-10)").eps, 1e-10);
  EXPECT_EQ(adamw(R"("weight_decay": 0.5)").weightDecay, 0.5);
  EXPECT_EQ(adamw(R"("lr_multiplier": 0)").lrMultiplier, 0.0);
  EXPECT_EQ(adamw(R"("master": false)").master, MasterPolicy::Never);
}

TEST(Rules, StepKeys) {
  EXPECT_EQ(step(R"("clip_global_norm": 1)").clipGlobalNorm, 1.0);
  EXPECT_EQ(step(R"("clip_global_norm": null)").clipGlobalNorm, std::nullopt);
  EXPECT_FALSE(step(R"("skip_nonfinite": false)").skipNonfinite);
  for (GradType value :
       {GradType::Same, GradType::F32, GradType::BF16, GradType::F16})
    EXPECT_EQ(
        step("\"grad_type\": \"" + stringify(value).str() + "\"").gradType,
        value);
  for (StateType value : {StateType::F32, StateType::BF16, StateType::F16})
    EXPECT_EQ(
        step("\"state_type\": \"" + stringify(value).str() + "\"").stateType,
        value);
}

TEST(Rules, WarnsAboutSafety) {
  Rules rules = parse(R"({"muon": {"schedule": "polar_express"}})");
  ASSERT_EQ(rules.getWarnings().size(), 1u);
  EXPECT_EQ(rules.getWarnings()[0],
            "rules.json: muon: schedule \"polar_express\" is made for "
            "\"safety\": 1.02, here it is 1");
  EXPECT_TRUE(
      parse(R"({"muon": {"schedule": "polar_express", "safety": 1.02}})")
          .getWarnings()
          .empty());
  Rules inRule =
      parse(R"({"rules": [{"match": "a", "schedule": "polar_express"}]})");
  ASSERT_EQ(inRule.getWarnings().size(), 1u);
  EXPECT_EQ(inRule.getWarnings()[0].find("rules.json: rules[0]: "), 0u);
}

TEST(Rules, DocumentedExamplesAreRight) {
  auto file = llvm::MemoryBuffer::getFile(MUON_RULES_DOC);
  ASSERT_TRUE(bool(file)) << MUON_RULES_DOC;
  unsigned examples = 0;
  for (llvm::StringRef rest = (*file)->getBuffer().split("```json\n").second;
       !rest.empty(); rest = rest.split("```json\n").second) {
    auto rules = Rules::parse(rest.split("```\n").first);
    ASSERT_TRUE(bool(rules)) << llvm::toString(rules.takeError());
    EXPECT_TRUE(rules->getWarnings().empty());
    // The first one shows the defaults.
    if (examples++ == 0) {
      EXPECT_EQ(rules->getMuon(), MuonConfig());
      EXPECT_EQ(rules->getAdamW(), AdamWConfig());
      EXPECT_EQ(rules->getStep(), StepConfig());
    }
  }
  EXPECT_EQ(examples, 5u);
}

TEST(Rules, LoadsFiles) {
  llvm::SmallString<128> path;
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("rules", "json", path));
  {
    std::error_code code;
    llvm::raw_fd_ostream os(path, code);
    os << printDefaults();
  }
  auto rules = Rules::load(path);
  ASSERT_TRUE(bool(rules)) << llvm::toString(rules.takeError());
  EXPECT_EQ(rules->getMuon(), MuonConfig());
  llvm::sys::fs::remove(path);

  auto absent = Rules::load(path);
  ASSERT_FALSE(bool(absent));
  EXPECT_EQ(llvm::toString(absent.takeError())
                .find(std::string(path) + ": cannot open the rules file: "),
            0u);
  for (const char *odd : {"/", "/dev/zero", ""}) {
    auto bad = Rules::load(odd);
    EXPECT_FALSE(bool(bad)) << odd;
    llvm::consumeError(bad.takeError());
  }
}

} // namespace
