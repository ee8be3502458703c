//===- Rules.cpp - The rules file -----------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Import/Rules.h"

#include "PlacementParser.h"
#include "RulesParser.h"

#include "muon-mlir/Import/StrictJson.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <tuple>

using namespace llvm;

namespace mlir::muon::rules {

//===----------------------------------------------------------------------===//
// Configurations
//===----------------------------------------------------------------------===//

ArrayRef<Coefficients> Schedule::coefficients() const {
  if (name.empty())
    return literal;
  return lookupSchedule(name).value_or(ArrayRef<Coefficients>());
}

bool Schedule::operator==(const Schedule &other) const {
  return name == other.name && literal == other.literal;
}

bool Scale::operator==(const Scale &other) const {
  return rule == other.rule && constant == other.constant;
}

bool MuonConfig::operator==(const MuonConfig &other) const {
  auto tie = [](const MuonConfig &c) {
    return std::tie(c.momentum, c.momentumForm, c.nesterov, c.weightDecay,
                    c.schedule, c.steps, c.safety, c.eps, c.compute,
                    c.iteration, c.restarts, c.scale, c.lrMultiplier,
                    c.transposed, c.split, c.master);
  };
  return tie(*this) == tie(other);
}

bool AdamWConfig::operator==(const AdamWConfig &other) const {
  auto tie = [](const AdamWConfig &c) {
    return std::tie(c.beta1, c.beta2, c.eps, c.weightDecay, c.lrMultiplier,
                    c.master);
  };
  return tie(*this) == tie(other);
}

bool StepConfig::operator==(const StepConfig &other) const {
  auto tie = [](const StepConfig &c) {
    return std::tie(c.clipGlobalNorm, c.skipNonfinite, c.gradType, c.stateType);
  };
  return tie(*this) == tie(other);
}

bool PlacementConfig::operator==(const PlacementConfig &other) const {
  auto tie = [](const PlacementConfig &c) {
    return std::tie(c.sharding, c.unreduced, c.isMean);
  };
  return tie(*this) == tie(other);
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

Rules::Rules() = default;
Rules::Rules(Rules &&) = default;
Rules &Rules::operator=(Rules &&) = default;
Rules::~Rules() = default;

Error Rules::fail(const Twine &message) const {
  return createStringError(fileName + (fileName.empty() ? "" : ": ") + message);
}

Expected<Rules> Rules::load(StringRef path, StringRef grid) {
  // Read by hand: the size of a pipe is not known beforehand, and that of a
  // device never ends.
  Expected<sys::fs::file_t> file = sys::fs::openNativeFileForRead(path);
  if (!file)
    return createStringError(
        path + ": cannot open the rules file: " + toString(file.takeError()));
  scope_exit close([&] { (void)sys::fs::closeFile(*file); });
  std::string text;
  std::vector<char> buffer(1 << 16);
  for (;;) {
    Expected<size_t> size = sys::fs::readNativeFile(*file, buffer);
    if (!size)
      return createStringError(
          path + ": cannot read the rules file: " + toString(size.takeError()));
    if (*size == 0)
      return parse(text, path, grid);
    text.append(buffer.data(), *size);
    if (text.size() > maxFileSize)
      return createStringError(path + ": expected at most " +
                               Twine(maxFileSize) + " bytes, found more");
  }
}

//===----------------------------------------------------------------------===//
// Resolution
//===----------------------------------------------------------------------===//

/// True for the matrices that conventionally stay with AdamW: embeddings,
/// output heads, and what is stored as a matrix but acts as a vector.
static bool isAdamWName(StringRef name) {
  static constexpr StringRef parts[] = {
      "embed",         "wte",  "wpe",  "lm_head",  "head.weight",
      "output.weight", "norm", "bias", "gate.bias"};
  return any_of(parts, [&](StringRef part) { return name.contains(part); });
}

static std::string formatShape(ArrayRef<int64_t> shape) {
  return "[" +
         join(map_range(shape, [](int64_t d) { return std::to_string(d); }),
              ", ") +
         "]";
}

static StringRef describe(ElementKind type) {
  switch (type) {
  case ElementKind::F32:
    return "f32";
  case ElementKind::BF16:
    return "bf16";
  case ElementKind::F16:
    return "f16";
  case ElementKind::OtherFloat:
    return "a floating-point type other than f32, bf16 and f16";
  case ElementKind::NonFloat:
    return "not a floating-point type";
  }
  llvm_unreachable("unknown element kind");
}

static std::string describe(std::optional<unsigned> rule) {
  return rule ? "rules[" + std::to_string(*rule) + "]" : "no rule";
}

std::optional<unsigned> Rules::findRule(StringRef name) {
  for (auto [index, rule] : enumerate(rules))
    if (rule.pattern.matches(name)) {
      rule.matched = true;
      return index;
    }
  return std::nullopt;
}

std::vector<unsigned> Rules::getUnmatchedRules() const {
  std::vector<unsigned> result;
  for (auto [index, rule] : enumerate(rules))
    if (!rule.matched)
      result.push_back(index);
  return result;
}

Expected<unsigned> Rules::getSettings(std::optional<unsigned> ruleIndex,
                                      OptimizerKind optimizer, StringRef name) {
  bool isMuon = optimizer == OptimizerKind::Muon;
  settingsOf.resize(2 * (rules.size() + 1));
  std::optional<unsigned> &cached =
      settingsOf[2 * (ruleIndex ? *ruleIndex + 1 : 0) + isMuon];
  if (cached)
    return *cached;

  const Rule *rule = ruleIndex ? &rules[*ruleIndex] : nullptr;
  StringRef optimizerName = stringify(optimizer);
  std::string tensor = "tensor " + quoteForMessage(name) + ": ";

  if (rule) {
    StringRef foreign = isMuon ? rule->adamwOnlyKey : rule->muonOnlyKey;
    if (!foreign.empty())
      return fail(tensor + describe(ruleIndex) + " gives \"" + foreign +
                  "\", which its optimizer " + optimizerName +
                  " does not have; give the rule an \"optimizer\" or narrow "
                  "its \"match\"");
  }

  Settings wanted{optimizer, rule ? rule->group : "",
                  isMuon ? (rule ? rule->muon : muon) : MuonConfig(),
                  isMuon ? AdamWConfig() : (rule ? rule->adamw : adamw)};
  // Splitting happens before stacking.
  wanted.muon.split = std::nullopt;
  if (wanted.group.empty())
    wanted.group = rule && rule->overridesScalar
                       ? "rule" + std::to_string(*ruleIndex)
                       : optimizerName.str();
  // An unused row of an embedding has m = v = 0; 0 / (0 + 0) would poison it.
  if (!isMuon && !(static_cast<float>(wanted.adamw.eps) > 0.0f))
    return fail(tensor + describe(ruleIndex) +
                " sets \"eps\" to 0, and adamw needs one above 0");

  double weightDecay =
      isMuon ? wanted.muon.weightDecay : wanted.adamw.weightDecay;
  double momentum = isMuon ? wanted.muon.momentum : 0.0;
  std::string user =
      quoteForMessage(name) + " (" + describe(ruleIndex) + ": " +
      optimizerName.str() + ", weight_decay " + formatNumber(weightDecay) +
      (isMuon ? ", momentum " + formatNumber(momentum) : "") + ")";
  auto [use, isNew] = groups.try_emplace(
      wanted.group, GroupUse{optimizer, weightDecay, momentum, user});
  const GroupUse &first = use->second;
  if (!isNew &&
      (first.optimizer != optimizer || first.weightDecay != weightDecay ||
       first.momentum != momentum))
    return fail("group " + quoteForMessage(wanted.group) + ": tensor " +
                first.description + " and tensor " + user +
                " cannot share a group, which has one optimizer and one "
                "default each of weight_decay and momentum; tell them apart by "
                "rules with different \"group\"s");

  auto same = find_if(settings, [&](const Settings &other) {
    return other.optimizer == wanted.optimizer && other.group == wanted.group &&
           other.muon == wanted.muon && other.adamw == wanted.adamw;
  });
  unsigned index = same - settings.begin();
  if (index == settings.size())
    settings.push_back(std::move(wanted));
  cached = index;
  return index;
}

Error Rules::place(StringRef name, ArrayRef<int64_t> shape,
                   ResolvedParam &result) const {
  const Rule *rule = result.rule ? &rules[*result.rule] : nullptr;
  if (rule)
    result.strategy = rule->strategy;
  if (grid.empty())
    return Error::success();
  const PlacementConfig &config = rule ? rule->placement : placement;
  auto failTensor = [&](const Twine &message) {
    return fail("tensor " + quoteForMessage(name) + ": " + message);
  };

  distribution::Placement placed =
      distribution::getDefaultPlacement(grid, shape.size());
  bool hasSharding = config.sharding && config.sharding->size() == shape.size();
  if (hasSharding)
    placed.splitAxes = *config.sharding;
  else if (rule && rule->hasSharding)
    return failTensor("\"sharding\" of " + describe(result.rule) + ", " +
                      formatSharding(grid, *config.sharding) + ", has " +
                      Twine(config.sharding->size()) +
                      " dimensions; expected " + Twine(shape.size()) +
                      ", as many as shape " + formatShape(shape));
  if (config.unreduced) {
    placed.unreducedAxes = *config.unreduced;
    placed.isMean = config.isMean;
    for (int64_t axis : placed.unreducedAxes)
      if (std::optional<size_t> dimension = placed.findSplit(axis))
        return failTensor(
            "\"unreduced\" has axis " + quoteForMessage(grid[axis].name) +
            ", which splits dimension " + Twine(*dimension) +
            " of the tensor; expected axes along which ranks have the same "
            "part of it");
  } else {
    llvm::erase_if(placed.unreducedAxes, [&](int64_t axis) {
      return placed.findSplit(axis).has_value();
    });
  }
  if (result.muon.split && placed.isSplit())
    return failTensor(
        "\"split\" takes a tensor that ranks have whole, and its sharding is " +
        formatSharding(grid, placed.splitAxes) +
        "; a rule with \"sharding\": " +
        formatSharding(grid, SmallVector<SmallVector<int64_t>>(shape.size())) +
        " keeps it whole");
  result.isPlacedByFile =
      hasSharding || (config.unreduced && config.unreduced->empty());
  result.placement = std::move(placed);
  return Error::success();
}

Expected<ResolvedParam> Rules::resolve(StringRef name, ArrayRef<int64_t> shape,
                                       ElementKind type) {
  ResolvedParam result;
  result.rule = findRule(name);
  const Rule *rule = result.rule ? &rules[*result.rule] : nullptr;
  std::string where = describe(result.rule);
  auto failTensor = [&](const Twine &message) {
    return fail("tensor " + quoteForMessage(name) + ": " + message);
  };

  if (rule && rule->optimizer == OptimizerKind::Frozen)
    return result;
  if (is_contained(shape, 0)) {
    result.note = ("tensor " + quoteForMessage(name) + " of shape " +
                   formatShape(shape) + " is empty and stays as it is");
    return result;
  }
  bool isNamed = rule && rule->optimizer;
  if (type == ElementKind::NonFloat && !isNamed)
    return result;
  if (type == ElementKind::NonFloat || type == ElementKind::OtherFloat)
    return failTensor(
        "its element type is " + describe(type) +
        (isNamed
             ? ", and " + where + " wants " + stringify(*rule->optimizer).str()
             : std::string()) +
        "; a rule with \"optimizer\": \"frozen\" leaves the tensor alone");

  size_t rank = shape.size();
  if (isNamed)
    result.optimizer = *rule->optimizer;
  else if (rank >= 4)
    return failTensor("its shape " + formatShape(shape) + " has rank " +
                      Twine(rank) +
                      ", for which there is no default; add a rule with "
                      "\"optimizer\": \"adamw\" or \"frozen\"");
  else
    result.optimizer = rank >= 2 && !isAdamWName(name) ? OptimizerKind::Muon
                                                       : OptimizerKind::AdamW;

  bool isMuon = result.optimizer == OptimizerKind::Muon;
  if (isMuon && rank != 2 && rank != 3)
    return failTensor(where +
                      " wants muon, which takes rank 2 or 3; the "
                      "shape is " +
                      formatShape(shape) + " of rank " + Twine(rank));

  Expected<unsigned> settingsIndex =
      getSettings(result.rule, result.optimizer, name);
  if (!settingsIndex)
    return settingsIndex.takeError();
  result.settings = *settingsIndex;
  const Settings &chosen = settings[*settingsIndex];
  result.group = chosen.group;
  result.muon = chosen.muon;
  result.adamw = chosen.adamw;

  const auto &split = rule ? rule->muon.split : muon.split;
  if (isMuon && split) {
    if (rank != 2)
      return failTensor("\"split\" takes a matrix; the shape is " +
                        formatShape(shape));
    int64_t sum = sum_of(*split);
    if (sum != shape[0])
      return failTensor(
          "the rows of \"split\" sum to " + Twine(sum) +
          ", expected the first dimension of shape " + formatShape(shape) +
          (result.muon.transposed
               ? "; a transposed tensor holds fused matrices side by side, "
                 "which row blocks cannot separate"
               : ""));
    if (split->size() > 1)
      result.muon.split = split;
  }

  MasterPolicy master = isMuon ? result.muon.master : result.adamw.master;
  if (master == MasterPolicy::Always && type == ElementKind::F32)
    return failTensor("\"master\" is true, but an f32 weight is its own "
                      "master; use \"auto\"");
  result.keepsMaster =
      master != MasterPolicy::Never && type != ElementKind::F32;
  if (Error error = place(name, shape, result))
    return error;
  return result;
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

std::string printDefaults() {
  const MuonConfig muon;
  const AdamWConfig adamw;
  const StepConfig step;
  std::string text;
  raw_string_ostream os(text);
  json::OStream json(os, /*IndentSize=*/2);

  // json::OStream would print 0.95 with 17 digits.
  auto number = [&](StringRef key, double value) {
    std::string digits = formatNumber(value);
    if (StringRef(digits).find_first_of(".e") == StringRef::npos)
      digits += ".0";
    json.attributeBegin(key);
    json.rawValue(digits);
    json.attributeEnd();
  };

  json.objectBegin();
  json.attributeObject("muon", [&] {
    number("momentum", muon.momentum);
    json.attribute("momentum_form", stringify(muon.momentumForm));
    json.attribute("nesterov", muon.nesterov);
    number("weight_decay", muon.weightDecay);
    json.attribute("schedule", muon.schedule.name);
    json.attribute("steps", muon.steps);
    number("safety", muon.safety);
    number("eps", muon.eps);
    json.attribute("compute", stringify(muon.compute));
    json.attribute("iteration", stringify(muon.iteration));
    json.attribute("restarts", nullptr);
    json.attribute("scale", stringify(muon.scale.rule));
    number("lr_multiplier", muon.lrMultiplier);
    json.attribute("transposed", muon.transposed);
    json.attribute("split", nullptr);
    json.attribute("master", stringify(muon.master));
  });
  json.attributeObject("adamw", [&] {
    json.attributeBegin("betas");
    json.rawValue("[" + formatNumber(adamw.beta1) + ", " +
                  formatNumber(adamw.beta2) + "]");
    json.attributeEnd();
    number("eps", adamw.eps);
    number("weight_decay", adamw.weightDecay);
    number("lr_multiplier", adamw.lrMultiplier);
    json.attribute("master", stringify(adamw.master));
  });
  json.attribute("clip_global_norm", nullptr);
  json.attribute("skip_nonfinite", step.skipNonfinite);
  json.attribute("grad_type", stringify(step.gradType));
  json.attribute("state_type", stringify(step.stateType));
  json.attribute("grid", nullptr);
  json.attribute("sharding", "auto");
  json.attribute("unreduced", "auto");
  json.attributeArray("rules", [] {});
  json.objectEnd();
  os << "\n";
  return text;
}

} // namespace mlir::muon::rules
