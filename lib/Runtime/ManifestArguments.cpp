//===- ManifestArguments.cpp - Arguments of a manifest --------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ManifestReader.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

using namespace muon;
using nlohmann::json;

std::optional<uint64_t> muon::countElements(const std::vector<int64_t> &shape) {
  uint64_t elements = 1;
  for (int64_t dim : shape)
    if (!multiply(elements, uint64_t(dim), elements))
      return std::nullopt;
  return elements;
}

std::vector<int64_t> muon::logicalShape(const Member &member,
                                        const Argument &argument) {
  if (member.kind == Member::Block || member.kind == Member::Run)
    return member.of;
  std::vector<int64_t> shape = argument.shape;
  if (member.kind == Member::Rows)
    shape[0] = member.rows;
  return shape;
}

//===----------------------------------------------------------------------===//
// Lists of parameters
//===----------------------------------------------------------------------===//

bool ManifestReader::readParams(const json &list) {
  if (!list.is_array())
    return fail("manifest: 'params' is not an array");
  for (const json &entry : list) {
    std::string where =
        "manifest: params[" + std::to_string(manifest.params.size()) + "]";
    if (!entry.is_array() || entry.empty())
      return fail(where + " is not an array with at least one member");
    std::vector<Member> members;
    members.reserve(entry.size());
    for (const json &item : entry)
      if (!readMember(item, where, members.emplace_back()))
        return false;
    manifest.params.push_back(std::move(members));
  }
  return true;
}

bool ManifestReader::readMember(const json &item, const std::string &where,
                                Member &member) {
  if (item.is_string()) {
    member.tensor = item.get<std::string>();
    return true;
  }
  if (!item.is_object())
    return fail(where + " has a member that is neither a name nor a part");
  if (!readString(item, "tensor", where, member.tensor))
    return false;
  if (!item.contains("offset") && !item.contains("from")) {
    uint64_t begin = 0, end = 0, rows = 0;
    if (!readCount(item, "begin", where, begin) ||
        !readCount(item, "end", where, end) ||
        !readCount(item, "rows", where, rows))
      return false;
    if (begin >= end || end > rows)
      return fail(where + ": rows " + std::to_string(begin) + " to " +
                  std::to_string(end) + " of " + quote(member.tensor) +
                  " are not within its " + std::to_string(rows) + " rows");
    member.kind = Member::Rows;
    member.begin = int64_t(begin);
    member.end = int64_t(end);
    member.rows = int64_t(rows);
    return true;
  }

  return readPart(item, where + ": part of " + quote(member.tensor), member);
}

bool ManifestReader::readPart(const json &item, const std::string &where,
                              Member &member) {
  const bool isRun = item.contains("from");
  const std::string kind = isRun ? "from" : "offset";
  if (!manifest.distribution)
    return fail(where + ": there is '" + kind +
                "', but the manifest has no 'distribution'");
  for (const char *key : {"begin", "end", "rows"})
    if (item.contains(key))
      return fail(where + ": '" + kind + "' and '" + key +
                  "' exclude each other");
  if (!isRun && item.contains("block"))
    return fail(where + ": there is 'block', but no 'from'");
  if (!readShape(item, "of", where, member.of))
    return false;
  std::optional<uint64_t> elements = countElements(member.of);
  if (!elements || *elements > uint64_t(INT64_MAX) / 8)
    return fail(where + ": the size of a tensor of shape " +
                shapeText(member.of) + " overflows");
  member.kind = isRun ? Member::Run : Member::Block;
  const bool isOfBlock = item.contains("offset") || item.contains("block");
  if (!isOfBlock)
    member.offset.assign(member.of.size(), 0);
  else if (!readShape(item, "offset", where, member.offset))
    return false;
  if (member.offset.size() != member.of.size())
    return fail(where + ": 'offset' has " +
                std::to_string(member.offset.size()) + " entries, 'of' has " +
                std::to_string(member.of.size()));
  if (!isRun)
    return true;
  uint64_t from = 0;
  if (!readCount(item, "from", where, from))
    return false;
  member.from = int64_t(from);
  member.block = member.of;
  if (!isOfBlock)
    return true;
  member.block.clear();
  return readShape(item, "block", where, member.block) &&
         checkBlock(member, member.block, where + ": ");
}

//===----------------------------------------------------------------------===//
// Slots
//===----------------------------------------------------------------------===//

bool ManifestReader::checkSlots() {
  std::vector<const Argument *> order;
  for (const Argument &argument : manifest.arguments)
    order.push_back(&argument);
  std::sort(
      order.begin(), order.end(),
      [](const Argument *a, const Argument *b) { return a->slot < b->slot; });
  uint64_t next = 0;
  for (const Argument *argument : order) {
    if (argument->slot != next)
      return fail(std::string("manifest: slots of '") +
                  muonRoleName(argument->role) + "' begin at " +
                  std::to_string(argument->slot) + ", expected " +
                  std::to_string(next) +
                  (argument->slot < next ? " (they overlap others)"
                                         : " (slots before them are unused)"));
    next += argument->slotCount;
  }
  if (next != manifest.slots)
    return fail("manifest: 'slots' is " + std::to_string(manifest.slots) +
                ", but arguments have " + std::to_string(next));
  return true;
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

bool ManifestReader::checkBlock(const Member &member,
                                const std::vector<int64_t> &shape,
                                const std::string &where) {
  bool fits = shape.size() == member.of.size();
  for (size_t i = 0; fits && i < shape.size(); ++i)
    fits = member.offset[i] <= member.of[i] &&
           shape[i] <= member.of[i] - member.offset[i];
  return fits || fail(where + "a block of shape " + shapeText(shape) + " at " +
                      shapeText(member.offset) + " is not within " +
                      quote(member.tensor) + ", which has shape " +
                      shapeText(member.of));
}

/// Checks that a member has the shape of its argument.
bool ManifestReader::checkMember(const Member &member,
                                 const Argument &argument) {
  const std::vector<int64_t> &shape = argument.shape;
  const std::string name = quote(member.tensor);
  switch (member.kind) {
  case Member::Whole:
    return true;
  case Member::Rows:
    if (!shape.empty() && member.end - member.begin == shape[0])
      return true;
    return fail("manifest: rows " + std::to_string(member.begin) + " to " +
                std::to_string(member.end) + " of " + name +
                " do not have shape " + shapeText(shape));
  case Member::Block:
    return checkBlock(member, shape, "manifest: ");
  case Member::Run: {
    const uint64_t all = *countElements(member.block);
    const auto from = uint64_t(member.from);
    if (from <= all && argument.elements <= all - from)
      return true;
    std::string whole = name;
    if (member.block != member.of)
      whole = "the block of shape " + shapeText(member.block) + " of " + name;
    return fail("manifest: " + std::to_string(argument.elements) +
                " elements from number " + std::to_string(from) +
                " are not within " + whole + ", which has " +
                std::to_string(all));
  }
  }
  return false;
}

/// `owner` is any tensor argument of the list of the sums.
bool ManifestReader::checkSums(const Argument &argument,
                               const Argument *owner) {
  const std::string where = std::string("manifest: '") +
                            muonRoleName(argument.role) + "' for params[" +
                            std::to_string(*argument.params) + "]";
  const std::vector<Member> &members = manifest.params[*argument.params];
  uint64_t count = members.size();
  // Whatever the shape of a run, it does not say how many matrices there are.
  if (!owner ||
      std::any_of(members.begin(), members.end(), [](const Member &member) {
        return member.kind == Member::Run;
      })) {
    if (!manifest.distribution)
      return fail(where + ": the list has no tensors");
    if (argument.shape.size() == 1 && argument.shape[0] &&
        uint64_t(argument.shape[0]) % count == 0)
      return true;
    return fail(where + ": shape is " + shapeText(argument.shape) +
                ", expected one dimension, a multiple of the list's " +
                std::to_string(count) + " members");
  }
  for (size_t i = 0; i + 2 < owner->shape.size(); ++i)
    if (!multiply(count, uint64_t(owner->shape[i]), count))
      return fail(where + ": the number of matrices overflows");
  if (argument.shape != std::vector<int64_t>{int64_t(count)})
    return fail(where + ": shape is " + shapeText(argument.shape) +
                ", expected [" + std::to_string(count) + "]");
  return true;
}

bool ManifestReader::checkArguments() {
  // Of the tensors of each list; null until one is seen.
  std::vector<const Argument *> shapes(manifest.params.size());
  std::set<std::pair<MuonRole, std::string>> seen;
  for (const Argument &argument : manifest.arguments) {
    const std::string role = muonRoleName(argument.role);
    std::string owner = argument.group;
    if (argument.params)
      owner = std::to_string(*argument.params);
    if (!seen.emplace(argument.role, owner).second) {
      if (argument.params)
        owner = " for params[" + owner + "]";
      else if (!owner.empty())
        owner = " of group " + quote(owner);
      return fail("manifest: '" + role + "'" + owner + " appears twice");
    }
    if (!isTensor(argument.role) || !argument.params)
      continue;
    const Argument *&first = shapes[*argument.params];
    if (!first)
      first = &argument;
    if (first->shape != argument.shape)
      return fail("manifest: params[" + std::to_string(*argument.params) +
                  "] has shape " + shapeText(argument.shape) + " as '" + role +
                  "' and " + shapeText(first->shape) + " as '" +
                  muonRoleName(first->role) + "'");
    for (const Member &member : manifest.params[*argument.params])
      if (!checkMember(member, argument))
        return false;
    // Products call BLAS, whose integers are narrower than a dimension may be.
    // A run has no matrices but those of what it is a run of.
    if (argument.role == MUON_ROLE_MOMENTUM)
      for (const Member &member : manifest.params[*argument.params]) {
        const std::vector<int64_t> &shape =
            member.kind == Member::Run ? member.block : argument.shape;
        for (int64_t dim : shape)
          if (dim > INT32_MAX)
            return fail("manifest: matrix of shape " + shapeText(shape) +
                        " has a dimension above 2^31 - 1");
      }
  }

  for (const Argument &argument : manifest.arguments)
    if (isSums(argument.role) && !checkSums(argument, shapes[*argument.params]))
      return false;

  for (int role = MUON_ROLE_WEIGHT; role <= MUON_ROLE_MASTER; ++role)
    if (!checkParts(static_cast<MuonRole>(role)))
      return false;
  if (manifest.distribution && !checkLogicalShapes())
    return false;

  std::unordered_set<std::string> frozen;
  for (const std::string &name : manifest.frozen)
    if (!frozen.insert(name).second)
      return fail("manifest: frozen tensor " + quote(name) + " appears twice");
  for (const Argument &argument : manifest.arguments)
    if (argument.params)
      for (const Member &member : manifest.params[*argument.params])
        if (frozen.count(member.tensor))
          return fail("manifest: tensor " + quote(member.tensor) +
                      " is both frozen and updated");
  return true;
}

//===----------------------------------------------------------------------===//
// Parts of tensors
//===----------------------------------------------------------------------===//

namespace {
struct Piece {
  const Member *member;
  const Argument *argument;

  bool operator<(const Piece &other) const {
    const Member &a = *member, &b = *other.member;
    return std::tie(a.tensor, a.kind, a.begin, a.offset, a.from) <
           std::tie(b.tensor, b.kind, b.begin, b.offset, b.from);
  }
};
using Pieces = std::vector<Piece>;
} // namespace

/// What is wrong with the row blocks of a tensor, in order; "" if nothing is.
static std::string checkRows(const Piece *begin, const Piece *end,
                             bool coverTensor) {
  const Member &first = *begin->member;
  const Argument &shared = *begin->argument;
  int64_t next = 0;
  for (const Piece *piece = begin; piece != end; ++piece) {
    const Member &member = *piece->member;
    const Argument &argument = *piece->argument;
    if (member.rows != first.rows || argument.type != shared.type ||
        !std::equal(argument.shape.begin() + 1, argument.shape.end(),
                    shared.shape.begin() + 1, shared.shape.end()))
      return ": its blocks disagree about its type or shape";
    if (coverTensor ? member.begin != next : member.begin < next)
      return ": a block begins at row " + std::to_string(member.begin) +
             ", expected " + (coverTensor ? "" : "at least ") +
             std::to_string(next);
    next = member.end;
  }
  if (coverTensor && next != first.rows)
    return ": blocks end at row " + std::to_string(next) + " of " +
           std::to_string(first.rows);
  uint64_t bytes = muonTypeSize(shared.type);
  for (int64_t dim : logicalShape(first, shared))
    if (!multiply(bytes, uint64_t(dim), bytes))
      return ": its size overflows";
  return "";
}

static bool overlap(const Piece &a, const Piece &b) {
  if (!a.argument->elements || !b.argument->elements)
    return false;
  const Member &x = *a.member, &y = *b.member;
  for (size_t i = 0; i < x.offset.size(); ++i)
    if (x.offset[i] >= y.offset[i] + b.argument->shape[i] ||
        y.offset[i] >= x.offset[i] + a.argument->shape[i])
      return false;
  return true;
}

/// Likewise of the blocks or runs of a tensor.
static std::string checkDisjoint(const Piece *begin, const Piece *end) {
  for (const Piece *piece = begin; piece != end; ++piece) {
    const Member &member = *piece->member;
    if (member.of != begin->member->of ||
        piece->argument->type != begin->argument->type)
      return ": its parts disagree about its type or shape";
    if (member.kind == Member::Run) {
      if (member.block != begin->member->block ||
          member.offset != begin->member->offset)
        return ": parts are of different blocks: of shape " +
               shapeText(begin->member->block) + " at " +
               shapeText(begin->member->offset) + ", and of shape " +
               shapeText(member.block) + " at " + shapeText(member.offset);
      if (piece == begin)
        continue;
      const int64_t next =
          piece[-1].member->from + int64_t(piece[-1].argument->elements);
      if (member.from < next)
        return ": parts overlap: one begins at element " +
               std::to_string(member.from) + ", expected at least " +
               std::to_string(next);
      continue;
    }
    // Sorted by offset: those that begin behind the rows of this one, and all
    // after them, cannot reach it.
    for (const Piece *other = piece + 1; other != end; ++other) {
      if (member.of.empty() || other->member->offset[0] >=
                                   member.offset[0] + piece->argument->shape[0])
        break;
      if (overlap(*piece, *other))
        return ": parts overlap: blocks at " + shapeText(member.offset) +
               " and " + shapeText(other->member->offset);
    }
  }
  return "";
}

/// Checks that each tensor of a role is there once, whole or in parts.
bool ManifestReader::checkParts(MuonRole role) {
  Pieces pieces;
  for (const Argument &argument : manifest.arguments)
    if (argument.role == role)
      for (const Member &member : manifest.params[*argument.params])
        pieces.push_back({&member, &argument});
  std::sort(pieces.begin(), pieces.end());

  // On several ranks the other row blocks may be those of others. State, which
  // is nowhere else, has to say what of it is bound.
  const bool coverTensor = !manifest.distribution || isState(role);
  for (size_t i = 0, last = 0; i < pieces.size(); i = last) {
    const Member &first = *pieces[i].member;
    const std::string where = std::string("manifest: ") + muonRoleName(role) +
                              " " + quote(first.tensor);
    for (last = i;
         last < pieces.size() && pieces[last].member->tensor == first.tensor;
         ++last)
      if (last != i && (pieces[last].member->kind != first.kind ||
                        first.kind == Member::Whole))
        return fail(where + " appears twice");
    const Piece *begin = &pieces[i], *end = begin + (last - i);
    std::string problem;
    if (first.kind == Member::Rows)
      problem = checkRows(begin, end, coverTensor);
    else if (first.kind != Member::Whole)
      problem = checkDisjoint(begin, end);
    if (!problem.empty())
      return fail(where + problem);
  }
  return true;
}

/// Checks that all that is said about the shape of a tensor is the same.
bool ManifestReader::checkLogicalShapes() {
  struct Known {
    std::vector<int64_t> shape;
    MuonRole role;
  };
  std::unordered_map<std::string, Known> known;
  for (const Argument &argument : manifest.arguments) {
    if (!isTensor(argument.role) || !argument.params)
      continue;
    for (const Member &member : manifest.params[*argument.params]) {
      std::vector<int64_t> shape = logicalShape(member, argument);
      const Known &other =
          known.try_emplace(member.tensor, Known{shape, argument.role})
              .first->second;
      if (other.shape != shape)
        return fail("manifest: tensor " + quote(member.tensor) + " has shape " +
                    shapeText(shape) + " as '" + muonRoleName(argument.role) +
                    "' and " + shapeText(other.shape) + " as '" +
                    muonRoleName(other.role) + "'");
    }
  }
  return true;
}
