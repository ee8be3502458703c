//===- PlacementParser.cpp - From JSON to grids and placements ------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlacementParser.h"

#include "RulesParser.h"

#include "muon-mlir/Import/StrictJson.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

using namespace llvm;

namespace mlir::muon::rules {

using distribution::Axis;
using distribution::Strategy;

static Error fail(StringRef path, const Twine &message) {
  return createStringError(path + ": " + message);
}

static Error failType(StringRef path, const Twine &expected,
                      const json::Value &found) {
  return fail(path, "expected " + expected + ", found " + describeJson(found));
}

std::string listAxes(ArrayRef<Axis> axes) {
  return join(
      map_range(axes, [](const Axis &a) { return quoteForMessage(a.name); }),
      ", ");
}

std::string formatSharding(ArrayRef<Axis> axes,
                           ArrayRef<SmallVector<int64_t>> splitAxes) {
  auto format = [&](ArrayRef<int64_t> list) {
    return "[" +
           join(map_range(list,
                          [&](int64_t axis) {
                            return quoteForMessage(axes[axis].name);
                          }),
                ", ") +
           "]";
  };
  return "[" + join(map_range(splitAxes, format), ", ") + "]";
}

Error PlacementParser::parseGrid(const json::Object &root,
                                 ArrayRef<std::string> order,
                                 ArrayRef<Axis> asked) {
  const json::Value *value = root.get("grid");
  if (!value || value->kind() == json::Value::Null) {
    axes = asked;
    return Error::success();
  }
  const json::Object *object = value->getAsObject();
  if (!object || object->empty())
    return failType("grid", "null or an object of axes and their sizes",
                    *value);
  int64_t ranks = 1;
  for (const std::string &name : order) {
    std::string here = jsonMemberPath("grid", name);
    if (name.empty() ||
        !all_of(name, [](char c) { return isAlnum(c) || c == '_'; }))
      return fail(here, "expected a name of letters, digits and '_', found " +
                            quoteForMessage(name));
    const json::Value &size = *object->get(name);
    std::optional<int64_t> integer = toInteger(size);
    if (!integer || *integer < 1 || *integer > distribution::maxRanks)
      return failType(
          here, "an integer from 1 to " + Twine(distribution::maxRanks), size);
    if (*integer > distribution::maxRanks / ranks)
      return fail(here, "expected at most " + Twine(distribution::maxRanks) +
                            " ranks in all, found " + Twine(ranks) + " x " +
                            Twine(*integer));
    ranks *= *integer;
    Axis axis;
    axis.name = name;
    axis.size = *integer;
    axes.push_back(std::move(axis));
  }
  if (asked.empty())
    return Error::success();
  // Placements of the file are made for its axes; sizes are free.
  if (!equal(axes, asked,
             [](const Axis &a, const Axis &b) { return a.name == b.name; }))
    return fail("grid", "has the axes " + listAxes(axes) +
                            ", the grid that is asked for " + listAxes(asked) +
                            "; expected the same, and any sizes");
  axes = asked;
  return Error::success();
}

/// A list of names of axes that are not in `used` yet.
Error PlacementParser::parseAxes(const json::Value &value, StringRef path,
                                 SmallVectorImpl<int64_t> &used,
                                 SmallVectorImpl<int64_t> &out) const {
  const json::Array *list = value.getAsArray();
  if (!list)
    return failType(path, "a list of axes of the grid", value);
  for (auto [index, element] : enumerate(*list)) {
    std::string here = jsonElementPath(path, index);
    std::optional<StringRef> name = element.getAsString();
    auto axis = find_if(axes, [&](const Axis &a) { return name == a.name; });
    if (!name || axis == axes.end())
      return failType(here, "an axis of the grid, " + listAxes(axes), element);
    int64_t number = axis - axes.begin();
    if (is_contained(used, number))
      return fail(here, "axis " + quoteForMessage(*name) +
                            " is used twice; expected each at most once");
    used.push_back(number);
    out.push_back(number);
  }
  return Error::success();
}

static bool isAuto(const json::Value &value) {
  return value.getAsString() == StringRef("auto");
}

Error PlacementParser::parseSharding(const json::Value &value, StringRef path,
                                     PlacementConfig &out) const {
  if (isAuto(value)) {
    out.sharding = std::nullopt;
    return Error::success();
  }
  const json::Array *list = value.getAsArray();
  if (!list)
    return failType(path, "\"auto\" or a list of axes for each dimension",
                    value);
  if (axes.empty())
    return fail(path, "expected a \"grid\" in the file, which has the axes");
  PlacementConfig::AxisLists lists;
  SmallVector<int64_t> used;
  for (auto [index, element] : enumerate(*list))
    if (Error error = parseAxes(element, jsonElementPath(path, index), used,
                                lists.emplace_back()))
      return error;
  out.sharding = std::move(lists);
  return Error::success();
}

Error PlacementParser::parseUnreduced(const json::Value &value, StringRef path,
                                      PlacementConfig &out) const {
  if (isAuto(value)) {
    out.unreduced = std::nullopt;
    out.isMean = true;
    return Error::success();
  }
  const json::Object *object = value.getAsObject();
  if (!object && value.kind() != json::Value::Null)
    return failType(path, "\"auto\", null or an object with \"axes\"", value);
  if (axes.empty())
    return fail(path, "expected a \"grid\" in the file, which has the axes");
  SmallVector<int64_t> used, unreduced;
  out.isMean = true;
  if (object) {
    for (StringRef key : sortedKeys(*object))
      if (key != "axes" && key != "reduction")
        return fail(jsonMemberPath(path, key),
                    "unknown key " + quoteForMessage(key) +
                        "; known keys: axes, reduction");
    const json::Value *list = object->get("axes");
    std::string here = jsonMemberPath(path, "axes");
    if (!list)
      return fail(path, "missing key \"axes\"");
    if (Error error = parseAxes(*list, here, used, unreduced))
      return error;
    if (unreduced.empty())
      return fail(here, "expected at least one axis; gradients that are summed "
                        "already are \"unreduced\": null");
    if (const json::Value *reduction = object->get("reduction")) {
      std::optional<StringRef> name = reduction->getAsString();
      if (!name || (*name != "mean" && *name != "sum"))
        return failType(jsonMemberPath(path, "reduction"),
                        "one of \"mean\", \"sum\"", *reduction);
      out.isMean = *name == "mean";
    }
  }
  out.unreduced = std::move(unreduced);
  return Error::success();
}

Error PlacementParser::parse(const json::Object &object, StringRef path,
                             PlacementConfig &out) const {
  const json::Value *sharding = object.get("sharding");
  const json::Value *unreduced = object.get("unreduced");
  if (sharding)
    if (Error error =
            parseSharding(*sharding, jsonMemberPath(path, "sharding"), out))
      return error;
  if (unreduced)
    if (Error error =
            parseUnreduced(*unreduced, jsonMemberPath(path, "unreduced"), out))
      return error;
  // What is not in this object was checked where it is.
  if ((!sharding && !unreduced) || !out.sharding || !out.unreduced)
    return Error::success();
  for (int64_t axis : *out.unreduced)
    for (auto [dimension, list] : enumerate(*out.sharding))
      if (is_contained(list, axis))
        return fail(
            jsonMemberPath(path, unreduced ? "unreduced" : "sharding"),
            "axis " + quoteForMessage(axes[axis].name) + " splits dimension " +
                Twine(dimension) +
                ", and gradients cannot be unreduced along it; expected axes "
                "along which ranks have the same part");
  return Error::success();
}

Error PlacementParser::parseStrategy(const json::Object &object, StringRef path,
                                     std::optional<Strategy> &out) const {
  const json::Value *value = object.get("strategy");
  if (!value || value->kind() == json::Value::Null)
    return Error::success();
  std::vector<std::string> known;
  for (Strategy strategy : {Strategy::Replicate, Strategy::Own,
                            Strategy::Gather, Strategy::DistributedGram}) {
    StringRef name = distribution::stringify(strategy);
    if (value->getAsString() == name) {
      out = strategy;
      return Error::success();
    }
    known.push_back(quoteForMessage(name));
  }
  return failType(jsonMemberPath(path, "strategy"),
                  "null or one of " + join(known, ", "), *value);
}

} // namespace mlir::muon::rules
