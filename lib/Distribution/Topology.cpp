//===- Topology.cpp - The grid of ranks -----------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Distribution/Plan.h"
#include "muon-mlir/Import/StrictJson.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

#include <cmath>

using namespace llvm;
using namespace mlir::muon;
using namespace mlir::muon::distribution;

//===----------------------------------------------------------------------===//
// Ranks and coordinates
//===----------------------------------------------------------------------===//

int64_t Topology::getRanks() const {
  int64_t ranks = 1;
  for (const Axis &axis : axes)
    ranks *= axis.size;
  return ranks;
}

SmallVector<int64_t> Topology::getCoordinates(int64_t rank) const {
  SmallVector<int64_t> coordinates(axes.size());
  for (size_t i = axes.size(); i-- > 0;) {
    coordinates[i] = rank % axes[i].size;
    rank /= axes[i].size;
  }
  return coordinates;
}

int64_t Topology::getRank(ArrayRef<int64_t> coordinates) const {
  int64_t rank = 0;
  for (auto [axis, coordinate] : zip_equal(axes, coordinates))
    rank = rank * axis.size + coordinate;
  return rank;
}

std::vector<int64_t> Topology::getGroup(int64_t rank,
                                        ArrayRef<int64_t> groupAxes) const {
  SmallVector<int64_t> coordinates = getCoordinates(rank);
  int64_t size = 1;
  for (int64_t axis : groupAxes)
    size *= axes[axis].size;
  std::vector<int64_t> group;
  for (int64_t place = 0; place < size; ++place) {
    int64_t rest = place;
    for (int64_t axis : reverse(groupAxes)) {
      coordinates[axis] = rest % axes[axis].size;
      rest /= axes[axis].size;
    }
    group.push_back(getRank(coordinates));
  }
  return group;
}

//===----------------------------------------------------------------------===//
// Text of users
//===----------------------------------------------------------------------===//

Expected<std::vector<Axis>> distribution::parseGrid(StringRef text) {
  auto fail = [&](const Twine &message) {
    return createStringError("grid " + quoteForMessage(text) + ": " + message);
  };
  if (text.trim().empty())
    return fail("expected axes such as dp=8,tp=2, found nothing");
  std::vector<Axis> axes;
  int64_t ranks = 1;
  SmallVector<StringRef> items;
  text.split(items, ',');
  for (auto [index, item] : enumerate(items)) {
    std::string where = "axis " + std::to_string(index + 1) + ": ";
    StringRef name = item.split('=').first.trim();
    StringRef size = item.split('=').second.trim();
    if (!item.contains('='))
      return fail(where + "expected NAME=SIZE, found " +
                  quoteForMessage(item.trim()));
    if (name.empty() ||
        !all_of(name, [](char c) { return isAlnum(c) || c == '_'; }))
      return fail(where + "expected a name of letters, digits and '_', found " +
                  quoteForMessage(name));
    if (any_of(axes, [&](const Axis &axis) { return axis.name == name; }))
      return fail(where + "the name " + quoteForMessage(name) +
                  " is taken; expected another");
    Axis axis;
    axis.name = name.str();
    if (size.empty() || !all_of(size, isDigit) ||
        size.getAsInteger(10, axis.size) || axis.size < 1 ||
        axis.size > maxRanks)
      return fail(where + "expected a size from 1 to " + Twine(maxRanks) +
                  ", found " + quoteForMessage(size));
    if (axis.size > maxRanks / ranks)
      return fail(where + "expected at most " + Twine(maxRanks) +
                  " ranks in all, found " + Twine(ranks) + " x " +
                  Twine(axis.size));
    ranks *= axis.size;
    axes.push_back(std::move(axis));
  }
  return axes;
}

static std::string describe(const json::Value &value) {
  std::string text;
  raw_string_ostream(text) << value;
  return quoteForMessage(text);
}

namespace {

/// Reads members of objects and says where they are.
class TopologyReader {
public:
  TopologyReader(StringRef file, const Topology &topology)
      : file(file), topology(topology) {}

  Expected<Topology> read(const json::Value &root);

private:
  Error fail(StringRef path, const Twine &message) const {
    return createStringError(file + ": " + path + (path.empty() ? "" : ": ") +
                             message);
  }
  Expected<const json::Object *> readObject(const json::Value &value,
                                            StringRef path) const;
  Error checkKeys(const json::Object &object, StringRef path,
                  ArrayRef<StringRef> known, StringRef what) const;
  Error readNumber(const json::Object &object, StringRef path, StringRef key,
                   StringRef unit, double &number) const;

  std::string file;
  Topology topology;
};

} // namespace

Expected<const json::Object *>
TopologyReader::readObject(const json::Value &value, StringRef path) const {
  if (const json::Object *object = value.getAsObject())
    return object;
  return fail(path, "expected an object, found " + describe(value));
}

Error TopologyReader::checkKeys(const json::Object &object, StringRef path,
                                ArrayRef<StringRef> known,
                                StringRef what) const {
  SmallVector<StringRef> unknown;
  for (const auto &[key, value] : object)
    if (!is_contained(known, StringRef(key)))
      unknown.push_back(key);
  if (unknown.empty())
    return Error::success();
  // The order of an object's members is that of a hash.
  llvm::sort(unknown);
  return fail(jsonMemberPath(path, unknown.front()),
              "unknown " + what + "; expected " + join(known, ", "));
}

Error TopologyReader::readNumber(const json::Object &object, StringRef path,
                                 StringRef key, StringRef unit,
                                 double &number) const {
  const json::Value *value = object.get(key);
  if (!value)
    return fail(path, "expected the member \"" + key + "\", " + unit +
                          ", found none");
  std::optional<double> read = value->getAsNumber();
  if (!read || !std::isfinite(*read) || *read <= 0)
    return fail(jsonMemberPath(path, key), "expected a positive number of " +
                                               unit + ", found " +
                                               describe(*value));
  number = *read;
  return Error::success();
}

Expected<Topology> TopologyReader::read(const json::Value &root) {
  Expected<const json::Object *> object = readObject(root, "");
  if (!object)
    return object.takeError();
  if (Error error = checkKeys(**object, "", {"axes", "flops", "memory"}, "key"))
    return std::move(error);
  const json::Value *axes = (*object)->get("axes");
  if (!axes)
    return fail("", "expected the member \"axes\", an object, found none");
  Expected<const json::Object *> links = readObject(*axes, "axes");
  if (!links)
    return links.takeError();
  SmallVector<StringRef> names;
  for (const Axis &axis : topology.axes)
    names.push_back(axis.name);
  if (Error error = checkKeys(**links, "axes", names, "axis of the grid"))
    return std::move(error);
  for (Axis &axis : topology.axes) {
    const json::Value *value = (*links)->get(axis.name);
    if (!value)
      return fail("axes", "expected the axis " + quoteForMessage(axis.name) +
                              " of the grid, found none");
    std::string path = jsonMemberPath("axes", axis.name);
    Expected<const json::Object *> link = readObject(*value, path);
    if (!link)
      return link.takeError();
    if (Error error = checkKeys(**link, path, {"latency", "bandwidth"}, "key"))
      return std::move(error);
    if (Error error =
            readNumber(**link, path, "latency", "seconds", axis.latency))
      return std::move(error);
    if (Error error = readNumber(**link, path, "bandwidth", "bytes per second",
                                 axis.bandwidth))
      return std::move(error);
  }
  if (Error error = readNumber(**object, "", "flops", "FLOP/s", topology.flops))
    return std::move(error);
  topology.memory = 0;
  if ((*object)->get("memory"))
    if (Error error =
            readNumber(**object, "", "memory", "bytes", topology.memory))
      return std::move(error);
  return topology;
}

Error distribution::readTopology(StringRef text, StringRef name,
                                 Topology &topology) {
  Expected<json::Value> root = parseStrictJson(text);
  if (!root)
    return createStringError(name + ": " + toString(root.takeError()));
  Expected<Topology> read = TopologyReader(name, topology).read(*root);
  if (!read)
    return read.takeError();
  topology = std::move(*read);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Names of strategies
//===----------------------------------------------------------------------===//

StringRef distribution::stringify(Strategy strategy) {
  switch (strategy) {
  case Strategy::Local:
    return "local";
  case Strategy::Replicate:
    return "replicate";
  case Strategy::Own:
    return "own";
  case Strategy::Gather:
    return "gather";
  case Strategy::DistributedGram:
    return "distributed_gram";
  }
  llvm_unreachable("unknown strategy");
}

std::optional<Strategy> distribution::symbolizeStrategy(StringRef name) {
  for (Strategy strategy : {Strategy::Local, Strategy::Replicate, Strategy::Own,
                            Strategy::Gather, Strategy::DistributedGram})
    if (name == stringify(strategy))
      return strategy;
  return std::nullopt;
}
