//===- Placement.cpp - Where a part of a tensor lies ----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Placement.h"

#include "../Text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <optional>

using namespace muon;
using nlohmann::json;

const char *const muon::placementKey = "muon.placement";

Placement Placement::whole(const std::vector<int64_t> &shape) {
  Placement placement;
  placement.of = placement.shape = shape;
  placement.offset.assign(shape.size(), 0);
  return placement;
}

static int64_t countOf(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t dim : shape)
    count *= dim;
  return count;
}

bool Placement::isWhole() const {
  if (isRun)
    return from == 0 && elements == countOf(of);
  return shape == of;
}

/// Of an element of a tensor.
static std::vector<int64_t> indexOf(int64_t element,
                                    const std::vector<int64_t> &of) {
  std::vector<int64_t> index(of.size());
  for (size_t i = of.size(); i-- > 0; element /= of[i])
    index[i] = element % of[i];
  return index;
}

bool Placement::contains(int64_t element) const {
  const std::vector<int64_t> index = indexOf(element, of);
  int64_t local = 0;
  for (size_t i = 0; i < of.size(); ++i) {
    const int64_t inBlock = index[i] - offset[i];
    if (inBlock < 0 || inBlock >= shape[i])
      return false;
    local = local * shape[i] + inBlock;
  }
  return !isRun || (local >= from && local - from < elements);
}

std::string Placement::text() const {
  if (!isRun)
    return shapeText(offset) + " of " + shapeText(of);
  std::string block;
  if (shape != of)
    block =
        "the block " + shapeText(shape) + " at " + shapeText(offset) + " of ";
  return "from " + std::to_string(from) + " of " + block + shapeText(of);
}

std::string muon::elementText(int64_t element, const std::vector<int64_t> &of) {
  return "element " + std::to_string(element) + " of " +
         std::to_string(countOf(of)) + ", " + shapeText(indexOf(element, of));
}

//===----------------------------------------------------------------------===//
// Filling
//===----------------------------------------------------------------------===//

std::vector<PartFiller::Stretch>
PartFiller::stretchesOf(const Placement &placement) {
  const std::vector<int64_t> &shape = placement.shape, &of = placement.of;
  const int64_t first = placement.isRun ? placement.from : 0;
  const int64_t last =
      placement.isRun ? first + placement.elements : countOf(shape);
  if (first == last)
    return {};
  // Dimensions from `inner` on lie in one piece, a line of the block.
  size_t inner = shape.size();
  int64_t length = 1;
  while (inner > 0) {
    --inner;
    length *= shape[inner];
    if (shape[inner] != of[inner])
      break;
  }
  const int64_t innerElements =
      countOf({of.begin() + ptrdiff_t(inner), of.end()});

  std::vector<Stretch> stretches;
  for (int64_t line = first / length; line * length < last; ++line) {
    int64_t begin = 0, stride = innerElements, rest = line;
    for (size_t i = inner; i-- > 0; rest /= shape[i], stride *= of[i])
      begin += (placement.offset[i] + rest % shape[i]) * stride;
    if (inner < of.size())
      begin += placement.offset[inner] * (innerElements / of[inner]);
    const int64_t from = std::max(first, line * length);
    const int64_t to = std::min(last, (line + 1) * length);
    begin += from - line * length;
    stretches.push_back({begin, begin + to - from, from - first});
  }
  return stretches;
}

PartFiller::PartFiller(const Placement &target, void *to, uint64_t elementBytes)
    : of(target.of), to(static_cast<char *>(to)), elementBytes(elementBytes),
      wanted(stretchesOf(target)) {}

std::optional<int64_t> PartFiller::add(const Placement &source,
                                       const void *data) {
  std::optional<int64_t> difference;
  std::vector<Stretch> result;
  auto keep = [&](const Stretch &part) {
    if (part.begin == part.end)
      return;
    if (!result.empty()) {
      Stretch &before = result.back();
      if (before.isFilled == part.isFilled && before.end == part.begin &&
          before.local + (before.end - before.begin) == part.local) {
        before.end = part.end;
        return;
      }
    }
    result.push_back(part);
  };

  const std::vector<Stretch> stretches = stretchesOf(source);
  auto next = stretches.begin();
  for (const Stretch &stretch : wanted) {
    while (next != stretches.end() && next->end <= stretch.begin)
      ++next;
    auto part = [&](int64_t begin, int64_t end, bool isFilled) {
      return Stretch{begin, end, stretch.local + begin - stretch.begin,
                     isFilled};
    };
    int64_t at = stretch.begin;
    for (auto it = next; it != stretches.end() && it->begin < stretch.end;
         ++it) {
      const int64_t begin = std::max(it->begin, at);
      const Stretch both = part(begin, std::min(it->end, stretch.end), true);
      const char *here = static_cast<const char *>(data) +
                         uint64_t(it->local + begin - it->begin) * elementBytes;
      char *there = to + uint64_t(both.local) * elementBytes;
      const auto count = uint64_t(both.end - begin);
      if (!stretch.isFilled)
        std::memcpy(there, here, count * elementBytes);
      else if (!difference &&
               std::memcmp(there, here, count * elementBytes) != 0)
        for (uint64_t i = 0; !difference; ++i)
          if (std::memcmp(there + i * elementBytes, here + i * elementBytes,
                          elementBytes) != 0)
            difference = begin + int64_t(i);
      keep(part(at, begin, stretch.isFilled));
      keep(both);
      at = both.end;
    }
    keep(part(at, stretch.end, stretch.isFilled));
  }
  wanted = std::move(result);
  return difference;
}

bool PartFiller::isComplete() const {
  return std::all_of(wanted.begin(), wanted.end(),
                     [](const Stretch &stretch) { return stretch.isFilled; });
}

std::string PartFiller::missingText() const {
  const Stretch &first =
      *std::find_if(wanted.begin(), wanted.end(),
                    [](const Stretch &stretch) { return !stretch.isFilled; });
  return "elements " + std::to_string(first.begin) + " to " +
         std::to_string(first.end - 1) + " of " + std::to_string(countOf(of)) +
         ", from " + shapeText(indexOf(first.begin, of)) + " on";
}

//===----------------------------------------------------------------------===//
// Metadata
//===----------------------------------------------------------------------===//

static std::optional<std::vector<int64_t>> readShape(const json &entry,
                                                     const char *key) {
  auto it = entry.find(key);
  if (it == entry.end() || !it->is_array())
    return std::nullopt;
  std::vector<int64_t> shape;
  for (const json &dim : *it) {
    if (!dim.is_number_unsigned() || dim.get<uint64_t>() > uint64_t(INT64_MAX))
      return std::nullopt;
    shape.push_back(dim.get<int64_t>());
  }
  return shape;
}

/// Why the entry does not fit the tensor; "" if it does.
static std::string readPart(const json &entry, const TensorInfo &info,
                            FilePart &part) {
  const std::string expected =
      "expected {\"offset\": [...], \"of\": [...]} or {\"from\": n, \"of\": "
      "[...]}, the latter with \"offset\" and \"block\" for a run of a block";
  if (!entry.is_object())
    return expected;
  part.tensor = info.name;
  if (auto it = entry.find("tensor"); it != entry.end()) {
    if (!it->is_string())
      return "'tensor' is not a string";
    part.tensor = it->get<std::string>();
  }
  auto of = readShape(entry, "of");
  const bool isRun = entry.contains("from");
  const bool isOfBlock = entry.contains("offset");
  if (!of || (isRun ? entry.contains("block") != isOfBlock : !isOfBlock))
    return expected;
  int64_t count = 1;
  for (int64_t dim : *of)
    if (__builtin_mul_overflow(count, dim, &count))
      return "a tensor of shape " + shapeText(*of) + " is too large";
  Placement &placement = part.placement;
  placement = Placement::whole(*of);
  auto doesNotFit = [&](const std::vector<int64_t> &shape,
                        const std::string &what) {
    return "its shape is " + shapeText(shape) + ", which is not within " +
           what + " on, of shape " + shapeText(*of);
  };
  if (isOfBlock) {
    auto offset = readShape(entry, "offset");
    auto shape = isRun ? readShape(entry, "block") : info.shape;
    if (!offset || !shape)
      return expected;
    bool fits = offset->size() == of->size() && shape->size() == of->size();
    for (size_t i = 0; fits && i < of->size(); ++i)
      fits = (*offset)[i] <= (*of)[i] && (*shape)[i] <= (*of)[i] - (*offset)[i];
    if (!fits)
      return (isRun ? "of its block, " : "") +
             doesNotFit(*shape, "a tensor, from " + shapeText(*offset));
    placement.offset = *offset;
    placement.shape = *shape;
  }
  if (!isRun)
    return "";
  const json &from = entry["from"];
  if (!from.is_number_unsigned() || from.get<uint64_t>() > uint64_t(INT64_MAX))
    return expected;
  placement.isRun = true;
  placement.from = from.get<int64_t>();
  placement.elements = countOf(info.shape);
  count = countOf(placement.shape);
  if (placement.from > count || placement.elements > count - placement.from)
    return doesNotFit(info.shape,
                      (isOfBlock
                           ? "a block of shape " + shapeText(placement.shape)
                           : std::string("a tensor")) +
                          ", from element " + std::to_string(placement.from));
  return "";
}

bool muon::readPlacements(const SafetensorsFile &file,
                          std::map<std::string, FilePart> &parts,
                          std::string &error) {
  auto it = file.metadata().find(placementKey);
  if (it == file.metadata().end())
    return true;
  const std::string where = file.path() + ": metadata '" + placementKey + "': ";
  json root = json::parse(it->second, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    error = where + "is not a JSON object";
    return false;
  }
  for (const auto &[name, entry] : root.items()) {
    const TensorInfo *info = file.find(name);
    if (!info) {
      error = where + "there is no tensor " + quote(name);
      return false;
    }
    std::string problem = readPart(entry, *info, parts[name]);
    if (!problem.empty()) {
      error = where + "tensor " + quote(name) + ": " + problem;
      return false;
    }
  }
  return true;
}

std::string muon::placementsText(const std::map<std::string, FilePart> &parts) {
  json root = json::object();
  for (const auto &[name, part] : parts) {
    json &entry = root[name];
    if (part.tensor != name)
      entry["tensor"] = part.tensor;
    entry["of"] = part.placement.of;
    const Placement &placement = part.placement;
    if (placement.isRun)
      entry["from"] = placement.from;
    if (placement.isRun && placement.shape != placement.of)
      entry["block"] = placement.shape;
    if (!placement.isRun || placement.shape != placement.of)
      entry["offset"] = placement.offset;
  }
  return root.dump();
}
