//===- RulesParser.cpp - From JSON to rules -------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RulesParser.h"
#include "PlacementParser.h"

#include "muon-mlir/Import/StrictJson.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"

#include <charconv>
#include <cmath>
#include <limits>

using namespace llvm;

namespace mlir::muon::rules {

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

template <>
ArrayRef<Spelling<OptimizerKind>> getSpellings() {
  static constexpr Spelling<OptimizerKind> table[] = {
      {OptimizerKind::Muon, "muon"},
      {OptimizerKind::AdamW, "adamw"},
      {OptimizerKind::Frozen, "frozen"}};
  return table;
}

template <>
ArrayRef<Spelling<MomentumForm>> getSpellings() {
  static constexpr Spelling<MomentumForm> table[] = {
      {MomentumForm::HeavyBall, "heavy_ball"}, {MomentumForm::Ema, "ema"}};
  return table;
}

template <>
ArrayRef<Spelling<ScaleRule>> getSpellings() {
  static constexpr Spelling<ScaleRule> table[] = {
      {ScaleRule::None, "none"},
      {ScaleRule::Original, "original"},
      {ScaleRule::MatchRmsAdamW, "match_rms_adamw"},
      {ScaleRule::Spectral, "spectral"},
      {ScaleRule::Constant, "constant"}};
  return table;
}

template <>
ArrayRef<Spelling<ComputeType>> getSpellings() {
  static constexpr Spelling<ComputeType> table[] = {{ComputeType::Auto, "auto"},
                                                    {ComputeType::F32, "f32"},
                                                    {ComputeType::TF32, "tf32"},
                                                    {ComputeType::BF16, "bf16"},
                                                    {ComputeType::F16, "f16"}};
  return table;
}

template <>
ArrayRef<Spelling<Iteration>> getSpellings() {
  static constexpr Spelling<Iteration> table[] = {{Iteration::Auto, "auto"},
                                                  {Iteration::Direct, "direct"},
                                                  {Iteration::Gram, "gram"}};
  return table;
}

template <>
ArrayRef<Spelling<MasterPolicy>> getSpellings() {
  static constexpr Spelling<MasterPolicy> table[] = {
      {MasterPolicy::Auto, "auto"},
      {MasterPolicy::Always, "true"},
      {MasterPolicy::Never, "false"}};
  return table;
}

template <>
ArrayRef<Spelling<GradType>> getSpellings() {
  static constexpr Spelling<GradType> table[] = {{GradType::Same, "same"},
                                                 {GradType::F32, "f32"},
                                                 {GradType::BF16, "bf16"},
                                                 {GradType::F16, "f16"}};
  return table;
}

template <>
ArrayRef<Spelling<StateType>> getSpellings() {
  static constexpr Spelling<StateType> table[] = {{StateType::F32, "f32"},
                                                  {StateType::BF16, "bf16"},
                                                  {StateType::F16, "f16"}};
  return table;
}

template <typename Enum>
static StringRef spell(Enum value) {
  for (const Spelling<Enum> &spelling : getSpellings<Enum>())
    if (spelling.value == value)
      return spelling.name;
  llvm_unreachable("every value has a spelling");
}

StringRef stringify(OptimizerKind value) { return spell(value); }
StringRef stringify(MomentumForm value) { return spell(value); }
StringRef stringify(ScaleRule value) { return spell(value); }
StringRef stringify(ComputeType value) { return spell(value); }
StringRef stringify(Iteration value) { return spell(value); }
StringRef stringify(MasterPolicy value) { return spell(value); }
StringRef stringify(GradType value) { return spell(value); }
StringRef stringify(StateType value) { return spell(value); }

std::string formatNumber(double value) {
  char buffer[64];
  std::to_chars_result result =
      std::to_chars(std::begin(buffer), std::end(buffer), value);
  return std::string(std::begin(buffer), result.ptr);
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

static constexpr StringRef topKeys[] = {
    "muon",       "adamw", "clip_global_norm", "skip_nonfinite", "grad_type",
    "state_type", "grid",  "sharding",         "unreduced",      "rules"};
static constexpr StringRef muonKeys[] = {
    "momentum",   "momentum_form", "nesterov", "weight_decay",
    "schedule",   "steps",         "safety",   "eps",
    "compute",    "iteration",     "scale",    "lr_multiplier",
    "transposed", "split",         "master",   "restarts"};
static constexpr StringRef adamwKeys[] = {"betas", "eps", "weight_decay",
                                          "lr_multiplier", "master"};
static constexpr StringRef ruleKeys[] = {"match", "group", "optimizer"};
/// Of rules whose tensors stay in the step.
static constexpr StringRef placementKeys[] = {"sharding", "unreduced",
                                              "strategy"};

static bool isMuonKey(StringRef key) { return is_contained(muonKeys, key); }
static bool isAdamWKey(StringRef key) { return is_contained(adamwKeys, key); }

std::vector<StringRef> sortedKeys(const json::Object &object) {
  std::vector<StringRef> keys;
  for (const auto &member : object)
    keys.push_back(member.first);
  llvm::sort(keys);
  return keys;
}

std::optional<int64_t> toInteger(const json::Value &value) {
  // Value::getAsInteger must not see a double at the end of its range, which it
  // converts with undefined behaviour.
  std::optional<double> number = value.getAsNumber();
  if (!number || !(std::abs(*number) <= 0x1p62))
    return std::nullopt;
  return value.getAsInteger();
}

std::string describeJson(const json::Value &value) {
  switch (value.kind()) {
  case json::Value::Null:
    return "null";
  case json::Value::Boolean:
    return *value.getAsBoolean() ? "true" : "false";
  case json::Value::Number: {
    if (std::optional<int64_t> integer = toInteger(value))
      return std::to_string(*integer);
    double number = *value.getAsNumber();
    return std::isfinite(number) ? formatNumber(number)
                                 : "a number that is not finite";
  }
  case json::Value::String:
    return quoteForMessage(*value.getAsString());
  case json::Value::Array:
    return value.getAsArray()->empty() ? "an empty array" : "an array";
  case json::Value::Object:
    return "an object";
  }
  llvm_unreachable("unknown kind of JSON value");
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

namespace {
enum class Domain { Finite, NonNegative, Positive, UnitInterval };
} // namespace

/// Parses a file into a Rules object. Methods return false after they have
/// recorded a failure, so that the keys of an object form one && chain.
class RulesParser {
public:
  explicit RulesParser(Rules &rules) : result(rules) {}

  /// `order` has the keys of "grid" as they stand in the file; `grid` is one
  /// that is asked for, or empty.
  bool parse(const json::Value &root, ArrayRef<std::string> order,
             ArrayRef<distribution::Axis> grid);
  const std::string &getFailure() const { return failure; }

private:
  bool fail(StringRef path, const Twine &message) {
    failure = (path + (path.empty() ? "" : ": ") + message).str();
    return false;
  }
  bool failType(StringRef path, const Twine &expected,
                const json::Value &found) {
    return fail(path,
                "expected " + expected + ", found " + describeJson(found));
  }

  /// Records `error`, which says where it is.
  bool pass(Error error) {
    if (!error)
      return true;
    failure = toString(std::move(error));
    return false;
  }

  bool unknownKey(StringRef path, StringRef key, ArrayRef<StringRef> known);
  bool onlyKnownKeys(const json::Object &object, StringRef path,
                     ArrayRef<StringRef> known);

  bool number(const json::Value &value, StringRef path, Domain domain,
              double &out);
  bool number(const json::Object &object, StringRef path, StringRef key,
              Domain domain, double &out);
  bool boolean(const json::Object &object, StringRef path, StringRef key,
               bool &out);
  template <typename Enum>
  bool name(const json::Object &object, StringRef path, StringRef key,
            Enum &out);
  bool schedule(const json::Object &object, StringRef path, Schedule &out);
  bool steps(const json::Object &object, StringRef path, int64_t &out);
  bool scale(const json::Object &object, StringRef path, Scale &out);
  bool split(const json::Object &object, StringRef path,
             std::optional<std::vector<int64_t>> &out);
  bool restarts(const json::Object &object, StringRef path, MuonConfig &out);
  bool master(const json::Object &object, StringRef path, MasterPolicy &out);
  bool betas(const json::Object &object, StringRef path, AdamWConfig &out);

  bool muonOverrides(const json::Object &object, StringRef path,
                     MuonConfig &out);
  bool adamwOverrides(const json::Object &object, StringRef path,
                      AdamWConfig &out, bool requirePositiveEps);
  bool section(const json::Object &root, StringRef key,
               ArrayRef<StringRef> known,
               function_ref<bool(const json::Object &)> parse);
  bool match(const json::Object &object, StringRef path, Rules::Rule &out);
  bool group(const json::Object &object, StringRef path, std::string &out);
  bool ruleKeysFit(const json::Object &object, StringRef path,
                   Rules::Rule &out);
  bool rule(const json::Value &value, StringRef path, Rules::Rule &out);
  bool rules(const json::Object &root);
  void warnAboutSafety(const MuonConfig &config, StringRef path);

  Rules &result;
  PlacementParser placements;
  std::string failure;
  /// What is left for the compiled regular expressions of all rules.
  size_t patternBudget = size_t(1) << 23;
};

bool RulesParser::unknownKey(StringRef path, StringRef key,
                             ArrayRef<StringRef> known) {
  std::string message = "unknown key " + quoteForMessage(key);
  StringRef nearest;
  unsigned distance = 3;
  if (key.size() <= 64)
    for (StringRef candidate : known) {
      unsigned d = key.edit_distance(candidate, true, distance);
      if (d < distance && d < candidate.size()) {
        distance = d;
        nearest = candidate;
      }
    }
  if (!nearest.empty())
    message += " (did you mean " + quoteForMessage(nearest) + "?)";
  return fail(jsonMemberPath(path, key),
              message + "; known keys: " + join(known, ", "));
}

bool RulesParser::onlyKnownKeys(const json::Object &object, StringRef path,
                                ArrayRef<StringRef> known) {
  for (StringRef key : sortedKeys(object))
    if (!is_contained(known, key))
      return unknownKey(path, key, known);
  return true;
}

bool RulesParser::number(const json::Value &value, StringRef path,
                         Domain domain, double &out) {
  StringRef expected = "a finite number";
  if (domain == Domain::NonNegative)
    expected = "a finite number not below 0";
  else if (domain == Domain::Positive)
    expected = "a finite number above 0";
  else if (domain == Domain::UnitInterval)
    expected = "a number from 0 to below 1";

  std::optional<double> number = value.getAsNumber();
  if (!number)
    return failType(path, expected, value);
  // Compiled steps hold these numbers in f32: that is where 1e300 is not
  // finite, 1e-300 is zero and 0.99999999999 is one.
  if (!(std::abs(*number) <= std::numeric_limits<float>::max()))
    return fail(path, "expected " + expected + " in f32, found " +
                          describeJson(value));
  auto rounded = static_cast<float>(*number);
  auto isIn = [&](double x) {
    return domain == Domain::Finite || (domain == Domain::Positive && x > 0) ||
           (domain == Domain::NonNegative && x >= 0) ||
           (domain == Domain::UnitInterval && x >= 0 && x < 1);
  };
  if (!isIn(*number))
    return failType(path, expected, value);
  if (!isIn(rounded))
    return fail(path, "expected " + expected + ", found " +
                          describeJson(value) + ", which is " +
                          formatNumber(rounded) + " in f32");
  out = *number;
  return true;
}

bool RulesParser::number(const json::Object &object, StringRef path,
                         StringRef key, Domain domain, double &out) {
  const json::Value *value = object.get(key);
  return !value || number(*value, jsonMemberPath(path, key), domain, out);
}

bool RulesParser::boolean(const json::Object &object, StringRef path,
                          StringRef key, bool &out) {
  const json::Value *value = object.get(key);
  if (!value)
    return true;
  std::optional<bool> boolean = value->getAsBoolean();
  if (!boolean)
    return failType(jsonMemberPath(path, key), "true or false", *value);
  out = *boolean;
  return true;
}

template <typename Enum>
bool RulesParser::name(const json::Object &object, StringRef path,
                       StringRef key, Enum &out) {
  const json::Value *value = object.get(key);
  if (!value)
    return true;
  std::optional<StringRef> string = value->getAsString();
  std::vector<std::string> known;
  for (const Spelling<Enum> &spelling : getSpellings<Enum>()) {
    if (string && *string == spelling.name) {
      out = spelling.value;
      return true;
    }
    known.push_back(quoteForMessage(spelling.name));
  }
  return failType(jsonMemberPath(path, key), "one of " + join(known, ", "),
                  *value);
}

bool RulesParser::schedule(const json::Object &object, StringRef path,
                           Schedule &out) {
  const json::Value *value = object.get("schedule");
  if (!value)
    return true;
  std::string here = jsonMemberPath(path, "schedule");
  if (std::optional<StringRef> name = value->getAsString())
    if (lookupSchedule(*name)) {
      out.name = name->str();
      out.literal.clear();
      return true;
    }
  const json::Array *list = value->getAsArray();
  if (!list || list->empty() || list->size() > size_t(Rules::maxSteps)) {
    std::vector<std::string> known;
    for (StringRef name : scheduleNames())
      known.push_back(quoteForMessage(name));
    std::string found = describeJson(*value);
    if (list && !list->empty())
      found += " of " + std::to_string(list->size());
    return fail(here, "expected one of " + join(known, ", ") +
                          " or a list of 1 to " + Twine(Rules::maxSteps) +
                          " triples [a, b, c], found " + found);
  }
  std::vector<Coefficients> literal;
  for (size_t i = 0; i < list->size(); ++i) {
    std::string elementPath = jsonElementPath(here, i);
    const json::Array *triple = (*list)[i].getAsArray();
    if (!triple || triple->size() != 3)
      return fail(elementPath,
                  "expected three numbers [a, b, c], found " +
                      (triple ? "an array of " + std::to_string(triple->size())
                              : describeJson((*list)[i])));
    double abc[3];
    for (size_t j = 0; j < 3; ++j)
      if (!number((*triple)[j], jsonElementPath(elementPath, j), Domain::Finite,
                  abc[j]))
        return false;
    literal.push_back({abc[0], abc[1], abc[2]});
  }
  out.name.clear();
  out.literal = std::move(literal);
  return true;
}

bool RulesParser::steps(const json::Object &object, StringRef path,
                        int64_t &out) {
  const json::Value *value = object.get("steps");
  if (!value)
    return true;
  std::optional<int64_t> integer = toInteger(*value);
  if (!integer || *integer < 1 || *integer > Rules::maxSteps)
    return failType(jsonMemberPath(path, "steps"),
                    "an integer from 1 to " + Twine(Rules::maxSteps), *value);
  out = *integer;
  return true;
}

bool RulesParser::scale(const json::Object &object, StringRef path,
                        Scale &out) {
  const json::Value *value = object.get("scale");
  if (!value)
    return true;
  std::string here = jsonMemberPath(path, "scale");
  if (const json::Object *constant = value->getAsObject()) {
    static constexpr StringRef known[] = {"constant"};
    if (!onlyKnownKeys(*constant, here, known))
      return false;
    if (constant->empty())
      return fail(here, "missing key \"constant\"");
    out.rule = ScaleRule::Constant;
    return number(*constant, here, "constant", Domain::NonNegative,
                  out.constant);
  }
  std::optional<StringRef> string = value->getAsString();
  std::vector<std::string> known;
  for (const Spelling<ScaleRule> &spelling : getSpellings<ScaleRule>()) {
    // A constant needs its number.
    if (spelling.value == ScaleRule::Constant)
      continue;
    if (string && *string == spelling.name) {
      out = {spelling.value, 0.0};
      return true;
    }
    known.push_back(quoteForMessage(spelling.name));
  }
  return failType(here, "one of " + join(known, ", ") + " or {\"constant\": x}",
                  *value);
}

bool RulesParser::split(const json::Object &object, StringRef path,
                        std::optional<std::vector<int64_t>> &out) {
  const json::Value *value = object.get("split");
  if (!value)
    return true;
  if (value->kind() == json::Value::Null) {
    out = std::nullopt;
    return true;
  }
  std::string here = jsonMemberPath(path, "split");
  const json::Array *list = value->getAsArray();
  if (!list || list->empty())
    return failType(here, "null or a list of row counts", *value);
  std::vector<int64_t> blocks;
  int64_t sum = 0;
  for (size_t i = 0; i < list->size(); ++i) {
    const json::Value &element = (*list)[i];
    std::optional<int64_t> rows = toInteger(element);
    if (!rows || *rows < 1)
      return failType(jsonElementPath(here, i), "an integer above 0", element);
    blocks.push_back(*rows);
    if (AddOverflow(sum, blocks.back(), sum))
      return fail(here, "the row counts sum to more than a tensor can have");
  }
  out = std::move(blocks);
  return true;
}

/// To be called when `out` has its other keys: they have to fit together.
bool RulesParser::restarts(const json::Object &object, StringRef path,
                           MuonConfig &out) {
  const json::Value *value = object.get("restarts");
  std::string here = jsonMemberPath(path, "restarts");
  if (value && value->kind() == json::Value::Null) {
    out.restarts = std::nullopt;
  } else if (value) {
    const json::Array *list = value->getAsArray();
    if (!list)
      return failType(here, "null or a list of steps", *value);
    std::vector<int64_t> steps;
    for (size_t i = 0; i < list->size(); ++i) {
      std::optional<int64_t> step = toInteger((*list)[i]);
      if (!step || *step < 1 || (!steps.empty() && *step <= steps.back()))
        return failType(jsonElementPath(here, i),
                        steps.empty()
                            ? Twine("an integer above 0")
                            : "an integer above " + Twine(steps.back()),
                        (*list)[i]);
      steps.push_back(*step);
    }
    out.restarts = std::move(steps);
  }
  if (!out.restarts || out.restarts->empty())
    return true;
  if (out.restarts->back() >= out.steps)
    return fail(here, "expected integers from 1 to steps - 1 = " +
                          Twine(out.steps - 1) + ", found " +
                          Twine(out.restarts->back()));
  if (out.iteration == Iteration::Direct)
    return fail(here, "expected null or [] with \"iteration\": \"direct\", "
                      "which has no restarts");
  return true;
}

bool RulesParser::master(const json::Object &object, StringRef path,
                         MasterPolicy &out) {
  const json::Value *value = object.get("master");
  if (!value)
    return true;
  if (std::optional<bool> boolean = value->getAsBoolean()) {
    out = *boolean ? MasterPolicy::Always : MasterPolicy::Never;
    return true;
  }
  std::optional<StringRef> string = value->getAsString();
  if (!string || *string != "auto")
    return failType(jsonMemberPath(path, "master"), "\"auto\", true or false",
                    *value);
  out = MasterPolicy::Auto;
  return true;
}

bool RulesParser::betas(const json::Object &object, StringRef path,
                        AdamWConfig &out) {
  const json::Value *value = object.get("betas");
  if (!value)
    return true;
  std::string here = jsonMemberPath(path, "betas");
  const json::Array *list = value->getAsArray();
  if (!list || list->size() != 2)
    return fail(here, "expected two numbers [beta1, beta2], found " +
                          (list ? "an array of " + std::to_string(list->size())
                                : describeJson(*value)));
  return number((*list)[0], jsonElementPath(here, 0), Domain::UnitInterval,
                out.beta1) &&
         number((*list)[1], jsonElementPath(here, 1), Domain::UnitInterval,
                out.beta2);
}

bool RulesParser::muonOverrides(const json::Object &object, StringRef path,
                                MuonConfig &out) {
  return number(object, path, "momentum", Domain::UnitInterval, out.momentum) &&
         name(object, path, "momentum_form", out.momentumForm) &&
         boolean(object, path, "nesterov", out.nesterov) &&
         number(object, path, "weight_decay", Domain::NonNegative,
                out.weightDecay) &&
         schedule(object, path, out.schedule) &&
         steps(object, path, out.steps) &&
         number(object, path, "safety", Domain::Positive, out.safety) &&
         number(object, path, "eps", Domain::NonNegative, out.eps) &&
         name(object, path, "compute", out.compute) &&
         name(object, path, "iteration", out.iteration) &&
         scale(object, path, out.scale) &&
         number(object, path, "lr_multiplier", Domain::NonNegative,
                out.lrMultiplier) &&
         boolean(object, path, "transposed", out.transposed) &&
         split(object, path, out.split) && master(object, path, out.master) &&
         restarts(object, path, out);
}

bool RulesParser::adamwOverrides(const json::Object &object, StringRef path,
                                 AdamWConfig &out, bool requirePositiveEps) {
  return betas(object, path, out) &&
         number(object, path, "eps",
                requirePositiveEps ? Domain::Positive : Domain::NonNegative,
                out.eps) &&
         number(object, path, "weight_decay", Domain::NonNegative,
                out.weightDecay) &&
         number(object, path, "lr_multiplier", Domain::NonNegative,
                out.lrMultiplier) &&
         master(object, path, out.master);
}

bool RulesParser::section(const json::Object &root, StringRef key,
                          ArrayRef<StringRef> known,
                          function_ref<bool(const json::Object &)> parse) {
  const json::Value *value = root.get(key);
  if (!value)
    return true;
  const json::Object *object = value->getAsObject();
  if (!object)
    return failType(key, "an object", *value);
  return onlyKnownKeys(*object, key, known) && parse(*object);
}

bool RulesParser::match(const json::Object &object, StringRef path,
                        Rules::Rule &out) {
  const json::Value *value = object.get("match");
  if (!value)
    return fail(path, "missing key \"match\"");
  std::string here = jsonMemberPath(path, "match");
  std::optional<StringRef> text = value->getAsString();
  if (!text)
    return failType(here, "a regular expression", *value);
  Expected<NamePattern> pattern = NamePattern::create(*text);
  if (!pattern)
    return fail(here,
                quoteForMessage(*text) + " " + toString(pattern.takeError()));
  if (pattern->getCost() > patternBudget)
    return fail(here, "the regular expressions up to this one are too large");
  patternBudget -= pattern->getCost();
  out.pattern = std::move(*pattern);
  return true;
}

bool RulesParser::group(const json::Object &object, StringRef path,
                        std::string &out) {
  const json::Value *value = object.get("group");
  if (!value)
    return true;
  std::optional<StringRef> name = value->getAsString();
  // Group names appear in options such as --lr group=0.02.
  if (!name || name->empty() || name->size() > 128 ||
      !all_of(*name, [](char c) {
        return isAlnum(c) || StringRef("_.-/").contains(c);
      }))
    return failType(jsonMemberPath(path, "group"),
                    "a name of 1 to 128 letters, digits, '_', '.', '-', '/'",
                    *value);
  out = name->str();
  return true;
}

/// Checks that the keys of a rule belong to its optimizer, and records those
/// that matter for parameters whose optimizer the rule leaves open.
bool RulesParser::ruleKeysFit(const json::Object &object, StringRef path,
                              Rules::Rule &out) {
  std::vector<StringRef> known(std::begin(ruleKeys), std::end(ruleKeys));
  if (out.optimizer != OptimizerKind::Frozen)
    known.insert(known.end(), std::begin(placementKeys),
                 std::end(placementKeys));
  if (!out.optimizer || *out.optimizer == OptimizerKind::Muon)
    known.insert(known.end(), std::begin(muonKeys), std::end(muonKeys));
  if (!out.optimizer || *out.optimizer == OptimizerKind::AdamW)
    for (StringRef key : adamwKeys)
      if (!is_contained(known, key))
        known.push_back(key);

  for (StringRef key : sortedKeys(object)) {
    bool isPlacement = is_contained(placementKeys, key);
    bool isMuon = isMuonKey(key) || isPlacement;
    bool isAdamW = isAdamWKey(key) || isPlacement;
    if (is_contained(known, key)) {
      if (isMuon && !isAdamW)
        out.muonOnlyKey = key.str();
      if (isAdamW && !isMuon)
        out.adamwOnlyKey = key.str();
      continue;
    }
    if (!isMuon && !isAdamW)
      return unknownKey(path, key, known);
    StringRef owner = !isMuon ? "adamw" : !isAdamW ? "muon" : "muon and adamw";
    return fail(jsonMemberPath(path, key),
                quoteForMessage(key) + " belongs to " + owner +
                    ", and the optimizer of this rule is \"" +
                    stringify(*out.optimizer) +
                    "\"; known keys: " + join(known, ", "));
  }
  return true;
}

bool RulesParser::rule(const json::Value &value, StringRef path,
                       Rules::Rule &out) {
  const json::Object *object = value.getAsObject();
  if (!object)
    return failType(path, "an object", value);
  if (object->get("optimizer")) {
    OptimizerKind optimizer;
    if (!name(*object, path, "optimizer", optimizer))
      return false;
    out.optimizer = optimizer;
  }
  out.muon = result.muon;
  out.adamw = result.adamw;
  out.placement = result.placement;
  if (!ruleKeysFit(*object, path, out) || !match(*object, path, out) ||
      !group(*object, path, out.group) ||
      !muonOverrides(*object, path, out.muon) ||
      // Without an optimizer, eps may be meant for Muon, where 0 is fine.
      !adamwOverrides(*object, path, out.adamw,
                      out.optimizer == OptimizerKind::AdamW) ||
      !pass(placements.parse(*object, path, out.placement)) ||
      !pass(placements.parseStrategy(*object, path, out.strategy)))
    return false;
  out.hasSharding = object->get("sharding") && out.placement.sharding;
  out.overridesScalar = object->get("weight_decay") || object->get("momentum");
  if (object->get("schedule") || object->get("safety"))
    warnAboutSafety(out.muon, path);
  return true;
}

bool RulesParser::rules(const json::Object &root) {
  const json::Value *value = root.get("rules");
  if (!value)
    return true;
  const json::Array *list = value->getAsArray();
  if (!list)
    return failType("rules", "an array of rules", *value);
  if (list->size() > Rules::maxRules)
    return fail("rules", "expected at most " + Twine(Rules::maxRules) +
                             " rules, found " + Twine(list->size()));
  result.rules.resize(list->size());
  for (size_t i = 0; i < list->size(); ++i)
    if (!rule((*list)[i], jsonElementPath("rules", i), result.rules[i]))
      return false;
  return true;
}

void RulesParser::warnAboutSafety(const MuonConfig &config, StringRef path) {
  double recommended = recommendedSafety(config.schedule.name);
  if (config.safety >= recommended)
    return;
  result.warnings.push_back(
      (path + ": schedule " + quoteForMessage(config.schedule.name) +
       " is made for \"safety\": " + formatNumber(recommended) +
       ", here it is " + formatNumber(config.safety))
          .str());
}

bool RulesParser::parse(const json::Value &root, ArrayRef<std::string> order,
                        ArrayRef<distribution::Axis> grid) {
  const json::Object *object = root.getAsObject();
  if (!object)
    return failType("", "an object", root);
  if (!onlyKnownKeys(*object, "", topKeys) ||
      !section(*object, "muon", muonKeys,
               [&](const json::Object &muon) {
                 return muonOverrides(muon, "muon", result.muon);
               }) ||
      !section(*object, "adamw", adamwKeys, [&](const json::Object &adamw) {
        return adamwOverrides(adamw, "adamw", result.adamw,
                              /*requirePositiveEps=*/true);
      }))
    return false;
  warnAboutSafety(result.muon, "muon");

  const json::Value *limit = object->get("clip_global_norm");
  if (limit && limit->kind() != json::Value::Null) {
    double number = 0.0;
    if (!limit->getAsNumber())
      return failType("clip_global_norm", "null or a finite number above 0",
                      *limit);
    if (!this->number(*limit, "clip_global_norm", Domain::Positive, number))
      return false;
    result.step.clipGlobalNorm = number;
  }
  if (!boolean(*object, "", "skip_nonfinite", result.step.skipNonfinite) ||
      !name(*object, "", "grad_type", result.step.gradType) ||
      !name(*object, "", "state_type", result.step.stateType) ||
      !pass(placements.parseGrid(*object, order, grid)))
    return false;
  result.grid = placements.getAxes();
  return pass(placements.parse(*object, "", result.placement)) &&
         rules(*object);
}

Expected<Rules> Rules::parse(StringRef text, StringRef fileName,
                             StringRef grid) {
  Rules rules;
  std::vector<distribution::Axis> asked;
  if (!grid.empty()) {
    Expected<std::vector<distribution::Axis>> axes =
        distribution::parseGrid(grid);
    if (!axes)
      return axes.takeError();
    asked = std::move(*axes);
  }
  rules.fileName = fileName.str();
  if (text.size() > maxFileSize)
    return rules.fail("expected at most " + Twine(maxFileSize) +
                      " bytes, found " + Twine(text.size()));
  Expected<json::Value> root = parseStrictJson(text);
  if (!root)
    return rules.fail(toString(root.takeError()));
  RulesParser parser(rules);
  if (!parser.parse(*root, getJsonKeyOrder(text, "grid"), asked))
    return rules.fail(parser.getFailure());
  for (std::string &warning : rules.warnings)
    warning = rules.fileName + ": " + warning;
  return rules;
}

} // namespace mlir::muon::rules
