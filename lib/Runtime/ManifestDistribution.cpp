//===- ManifestDistribution.cpp - Several ranks ---------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ManifestReader.h"

#include <algorithm>
#include <unordered_set>

using namespace muon;
using nlohmann::json;

std::string Distribution::gridText() const {
  std::string text;
  for (const Axis &axis : grid)
    text +=
        (text.empty() ? "" : ",") + axis.name + "=" + std::to_string(axis.size);
  return text;
}

bool ManifestReader::readGrid(const json &entry, Distribution &distribution) {
  const std::string where = "manifest: distribution";
  const json *grid = get(entry, "grid", where);
  if (!grid)
    return false;
  if (!grid->is_array() || grid->empty())
    return fail(where + ": 'grid' is not an array with at least one axis");
  uint64_t ranks = 1;
  for (const json &item : *grid) {
    const std::string here =
        where + ": grid[" + std::to_string(distribution.grid.size()) + "]";
    if (!item.is_array() || item.size() != 2 || !item[0].is_string() ||
        !item[1].is_number_unsigned())
      return fail(here + " is not a name and a size");
    Distribution::Axis axis{item[0].get<std::string>(), 1};
    const uint64_t size = item[1].get<uint64_t>();
    if (axis.name.empty())
      return fail(here + ": the name is empty");
    for (const Distribution::Axis &other : distribution.grid)
      if (other.name == axis.name)
        return fail(here + ": axis " + quote(axis.name) + " appears twice");
    if (!size || !multiply(ranks, size, ranks) || ranks > uint64_t(INT32_MAX))
      return fail(here + ": size is " + std::to_string(size) +
                  ", expected at least 1, and up to 2^31 - 1 ranks in all");
    axis.size = int64_t(size);
    distribution.grid.push_back(std::move(axis));
  }
  distribution.ranks = int32_t(ranks);
  return true;
}

bool ManifestReader::readDistribution(const json &entry) {
  const std::string where = "manifest: distribution";
  if (!entry.is_object())
    return fail("manifest: 'distribution' is not an object");
  Distribution &distribution = manifest.distribution.emplace();
  uint32_t rank = 0;
  if (!readGrid(entry, distribution) ||
      !readNumber(entry, "rank", where, 0, uint64_t(distribution.ranks) - 1,
                  rank))
    return false;
  distribution.rank = int32_t(rank);

  const json *plan = get(entry, "plan", where);
  if (!plan)
    return false;
  if (!plan->is_array() || plan->empty())
    return fail(where + ": 'plan' is not an array with at least one line");
  for (const json &line : *plan) {
    if (!line.is_string())
      return fail(where + ": 'plan' has an entry that is not a string");
    distribution.plan.push_back(line.get<std::string>());
  }

  const json *collectives = get(entry, "collectives", where);
  if (!collectives)
    return false;
  if (!collectives->is_array())
    return fail(where + ": 'collectives' is not an array");
  for (const json &item : *collectives)
    if (!readCollective(
            item, where + ": collectives[" +
                      std::to_string(distribution.collectives.size()) + "]"))
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

static const char *const kinds[] = {"all_reduce", "reduce_scatter",
                                    "all_gather", "all_to_all"};

static bool reduces(Collective::Kind kind) {
  return kind == Collective::AllReduce || kind == Collective::ReduceScatter;
}

bool ManifestReader::readCollective(const json &entry,
                                    const std::string &where) {
  if (!entry.is_object())
    return fail(where + " is not an object");
  const Distribution &distribution = *manifest.distribution;
  Collective collective;
  std::string kind, type;
  if (!readString(entry, "name", where, collective.name) ||
      !readString(entry, "kind", where, kind) ||
      !readString(entry, "type", where, type))
    return false;
  const std::string here = where + " (" + quote(collective.name) + ")";
  const auto *found = std::find(std::begin(kinds), std::end(kinds), kind);
  if (found == std::end(kinds))
    return fail(here + ": 'kind' is " + quote(kind) +
                ", expected 'all_reduce', 'reduce_scatter', 'all_gather' or "
                "'all_to_all'");
  collective.kind = static_cast<Collective::Kind>(found - kinds);

  bool isKnown = false;
  for (MuonType candidate :
       {MUON_TYPE_F32, MUON_TYPE_BF16, MUON_TYPE_F16, MUON_TYPE_F64})
    if (type == muonTypeName(candidate)) {
      collective.type = candidate;
      isKnown = true;
    }
  if (!isKnown)
    return fail(here + ": 'type' is " + quote(type) +
                ", expected 'f32', 'bf16', 'f16' or 'f64'");

  if (reduces(collective.kind)) {
    std::string reduction;
    if (!readString(entry, "reduction", here, reduction))
      return false;
    if (reduction != "sum" && reduction != "mean")
      return fail(here + ": 'reduction' is " + quote(reduction) +
                  ", expected 'sum' or 'mean'");
    collective.isMean = reduction == "mean";
  } else if (entry.contains("reduction")) {
    return fail(here + ": kind '" + kind + "' has no 'reduction'");
  }

  const json *group = get(entry, "group", here);
  if (!group)
    return false;
  if (!group->is_array() || group->empty())
    return fail(here + ": 'group' is not an array with at least one rank");
  std::unordered_set<int32_t> ranks;
  collective.place = -1;
  for (const json &item : *group) {
    if (!item.is_number_unsigned() ||
        item.get<uint64_t>() >= uint64_t(distribution.ranks))
      return fail(here + ": 'group' has " + item.dump(-1, ' ', true) +
                  ", expected ranks from 0 to " +
                  std::to_string(distribution.ranks - 1));
    const int32_t rank = item.get<int32_t>();
    if (!ranks.insert(rank).second)
      return fail(here + ": 'group' has rank " + std::to_string(rank) +
                  " twice");
    if (rank == distribution.rank)
      collective.place = int32_t(collective.group.size());
    collective.group.push_back(rank);
  }
  if (collective.place < 0)
    return fail(here + ": 'group' does not have rank " +
                std::to_string(distribution.rank) +
                ", which the artifact is for");

  if (!readSegments(entry, here, collective) ||
      !readOperands(entry, "send", here, collective, collective.send) ||
      !readOperands(entry, "receive", here, collective, collective.receive) ||
      !checkOperands(here, collective))
    return false;
  manifest.distribution->collectives.push_back(std::move(collective));
  return true;
}

bool ManifestReader::readSegments(const json &entry, const std::string &where,
                                  Collective &collective) {
  const json *list = get(entry, "segments", where);
  if (!list)
    return false;
  if (!list->is_array())
    return fail(where + ": 'segments' is not an array");
  const bool hasFrom = collective.kind == Collective::AllGather ||
                       collective.kind == Collective::AllToAll;
  const bool hasTo = collective.kind == Collective::ReduceScatter ||
                     collective.kind == Collective::AllToAll;
  const auto places = int64_t(collective.group.size());
  uint64_t all = 0;
  for (const json &item : *list) {
    const std::string here = where + ": segments[" +
                             std::to_string(collective.segments.size()) + "]";
    if (!item.is_array() || item.size() != 3 || !item[0].is_number_unsigned() ||
        !item[1].is_number_integer() || !item[2].is_number_integer())
      return fail(here + " is not three integers, the first at least 0");
    const uint64_t elements = item[0].get<uint64_t>();
    // Of the sum, with room for the size of an element.
    if (elements > uint64_t(INT64_MAX) / 8 ||
        (all += elements) > uint64_t(INT64_MAX) / 8)
      return fail(here + ": the size of the segments overflows");
    auto isPlace = [&](const json &value, bool exists) {
      if (value.is_number_unsigned() &&
          value.get<uint64_t>() > uint64_t(INT64_MAX))
        return false;
      const int64_t place = value.get<int64_t>();
      return exists ? place >= 0 && place < places : place == -1;
    };
    for (int i : {1, 2}) {
      const bool exists = i == 1 ? hasFrom : hasTo;
      if (!isPlace(item[size_t(i)], exists))
        return fail(here + ": '" + (i == 1 ? "from" : "to") + "' is " +
                    item[size_t(i)].dump() + ", expected " +
                    (exists ? "0 to " + std::to_string(places - 1)
                            : std::string("-1")));
    }
    collective.segments.push_back(
        {int64_t(elements), item[1].get<int32_t>(), item[2].get<int32_t>()});
  }
  return true;
}

bool ManifestReader::readOperands(const json &entry, const char *key,
                                  const std::string &where,
                                  const Collective &collective,
                                  std::vector<Collective::Operand> &operands) {
  const json *list = get(entry, key, where);
  if (!list)
    return false;
  if (!list->is_array())
    return fail(where + ": '" + key + "' is not an array");
  for (const json &item : *list) {
    const std::string here =
        where + ": " + key + "[" + std::to_string(operands.size()) + "]";
    if (!item.is_object())
      return fail(here + " is not an object");
    Collective::Operand operand;
    const json *table = get(item, "table", here);
    if (!table)
      return false;
    if (!table->is_boolean())
      return fail(here + ": 'table' is not true or false");
    operand.isTable = table->get<bool>();
    const json *segments = get(item, "segments", here);
    if (!segments)
      return false;
    if (!segments->is_array())
      return fail(here + ": 'segments' is not an array");
    for (const json &index : *segments) {
      if (!index.is_number_unsigned() ||
          index.get<uint64_t>() >= collective.segments.size())
        return fail(here + ": there is no segment " +
                    index.dump(-1, ' ', true) + ", only " +
                    std::to_string(collective.segments.size()));
      operand.segments.push_back(index.get<int32_t>());
    }
    operands.push_back(std::move(operand));
  }
  return true;
}

/// Checks that this rank lists the segments that it has to, and no others.
bool ManifestReader::checkOperands(const std::string &where,
                                   const Collective &collective) {
  auto count = [&](const std::vector<Collective::Operand> &operands) {
    std::vector<uint32_t> counts(collective.segments.size());
    for (const Collective::Operand &operand : operands)
      for (int32_t segment : operand.segments)
        counts[size_t(segment)] += counts[size_t(segment)] < 2;
    return counts;
  };
  const std::vector<uint32_t> sent = count(collective.send),
                              received = count(collective.receive);
  for (size_t i = 0; i < collective.segments.size(); ++i) {
    const Collective::Segment &segment = collective.segments[i];
    const bool isMine = segment.from == collective.place;
    const bool isForMe = segment.to == collective.place;
    bool sends = true, receives = true, mayReceive = false;
    switch (collective.kind) {
    case Collective::AllReduce:
      break;
    case Collective::ReduceScatter:
      receives = isForMe;
      break;
    case Collective::AllGather:
      sends = isMine;
      receives = !isMine;
      mayReceive = isMine;
      break;
    case Collective::AllToAll:
      sends = isMine;
      receives = isForMe;
      break;
    }
    auto check = [&](const char *key, uint32_t found, bool expected,
                     bool isOptional) {
      if (found == uint32_t(expected) || (isOptional && found == 1))
        return true;
      const char *times[] = {"not at all", "once", "several times"};
      return fail(where + ": '" + key + "' lists segment " + std::to_string(i) +
                  " " + times[found] + ", expected " +
                  (isOptional ? "at most once" : times[expected]));
    };
    if (!check("send", sent[i], sends, false) ||
        !check("receive", received[i], receives, mayReceive))
      return false;
  }
  return true;
}
