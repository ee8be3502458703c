//===- TensorSource.cpp - Tensors of files of ranks -----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorSource.h"

#include "../Text.h"
#include "Compare.h"

#include <algorithm>
#include <cstring>

using namespace muon;

DType muon::dtypeOf(MuonType type) {
  switch (type) {
  case MUON_TYPE_BF16:
    return DType::BF16;
  case MUON_TYPE_F16:
    return DType::F16;
  case MUON_TYPE_F64:
    return DType::F64;
  case MUON_TYPE_I64:
    return DType::I64;
  case MUON_TYPE_I1:
    return DType::Bool;
  default:
    return DType::F32;
  }
}

Placement muon::placementOf(const MuonTensorInfo &info) {
  Placement placement = Placement::whole(
      {info.logical_shape, info.logical_shape + info.logical_rank});
  if (info.part == MUON_PART_WHOLE)
    return placement;
  placement.offset.assign(info.offset, info.offset + info.logical_rank);
  if (info.part == MUON_PART_BLOCK) {
    placement.shape.assign(info.shape, info.shape + info.rank);
  } else {
    placement.shape.assign(info.block, info.block + info.logical_rank);
    placement.isRun = true;
    placement.from = info.from;
    placement.elements = int64_t(info.elements);
  }
  return placement;
}

static const std::string rankMark = "{rank}";

bool muon::hasRank(const std::string &path) {
  return path.find(rankMark) != std::string::npos;
}

std::string muon::pathOfRank(std::string path, int32_t rank) {
  const std::string number = std::to_string(rank);
  for (size_t at = 0; (at = path.find(rankMark, at)) != std::string::npos;
       at += number.size())
    path.replace(at, rankMark.size(), number);
  return path;
}

bool TensorSource::open() {
  for (const std::string &path : paths) {
    files.push_back(SafetensorsFile::open(path, error));
    if (!files.back() || !(isOwn() ? readPlacements(*files.back(), parts, error)
                                   : indexPieces(*files.back())))
      return false;
  }
  return true;
}

bool TensorSource::indexPieces(const SafetensorsFile &file) {
  std::map<std::string, FilePart> placed;
  if (!readPlacements(file, placed, error))
    return false;
  for (const TensorInfo &info : file.tensors()) {
    auto it = placed.find(info.name);
    const bool isPart = it != placed.end();
    pieces[isPart ? it->second.tensor : info.name].push_back(
        {int32_t(files.size() - 1), &file, &info,
         isPart ? it->second.placement : Placement::whole(info.shape)});
  }
  return true;
}

bool TensorSource::checkNames(
    const std::unordered_set<std::string> &expected,
    const std::unordered_set<std::string> &alsoAllowed) {
  if (!isOwn())
    return true;
  std::vector<std::string> names;
  for (const TensorInfo &info : first().tensors())
    if (!expected.count(info.name) && !alsoAllowed.count(info.name))
      names.push_back(quote(info.name));
  if (!names.empty())
    return fail(first().path() + ": the step does not know " +
                (names.size() == 1 ? "tensor " : "tensors ") + listed(names));
  for (const std::string &name : expected)
    if (!first().find(name))
      names.push_back(quote(name));
  if (names.empty())
    return true;
  std::sort(names.begin(), names.end());
  return fail(first().path() + ": " +
              (names.size() == 1 ? "tensor " : "tensors ") + listed(names) +
              (names.size() == 1 ? " is" : " are") + " missing");
}

bool TensorSource::checkType(const MuonTensorInfo &info,
                             const SafetensorsFile &file,
                             const TensorInfo &found) {
  const DType expected = dtypeOf(info.type);
  if (found.dtype == expected)
    return true;
  return fail(file.path() + ": tensor " + quote(found.name) + ": type is " +
              dtypeName(found.dtype) + ", expected " + dtypeName(expected));
}

/// Null, with an error, if it is not as the step needs it.
const TensorInfo *TensorSource::findOwn(const MuonTensorInfo &info) {
  const TensorInfo *found = first().find(info.key);
  const std::string where =
      first().path() + ": tensor " + quote(info.key) + ": ";
  if (!found) {
    fail(where + "is missing");
    return nullptr;
  }
  if (!checkType(info, first(), *found))
    return nullptr;
  if (found->shape !=
      std::vector<int64_t>(info.shape, info.shape + info.rank)) {
    fail(where + "shape is " + shapeText(found->shape) + ", expected " +
         shapeText(info.shape, info.rank));
    return nullptr;
  }
  auto part = parts.find(info.key);
  if (part == parts.end())
    return found;
  const Placement expected = placementOf(info);
  const Placement &placement = part->second.placement;
  if (placement.text() == expected.text() ||
      (placement.isWhole() && expected.isWhole() &&
       placement.of == expected.of))
    return found;
  fail(where + "is the part " + placement.text() + ", expected " +
       (expected.isWhole() ? "the whole tensor" : expected.text()));
  return nullptr;
}

const void *TensorSource::find(const MuonTensorInfo &info) {
  if (isOwn()) {
    const TensorInfo *found = findOwn(info);
    return found ? first().data(*found) : nullptr;
  }
  if (info.part != MUON_PART_WHOLE)
    return nullptr;
  auto it = pieces.find(info.logical_key);
  if (it == pieces.end() || it->second.size() != 1)
    return nullptr;
  const Piece &piece = it->second.front();
  if (!piece.placement.isWhole() || piece.info->dtype != dtypeOf(info.type) ||
      piece.info->shape !=
          std::vector<int64_t>(info.shape, info.shape + info.rank))
    return nullptr;
  return piece.file->data(*piece.info);
}

std::string TensorSource::filesText() const {
  if (paths.size() == 1)
    return paths.front();
  return paths.front() + " to " + paths.back();
}

std::string TensorSource::Piece::elementText(int64_t element) const {
  Placement one = Placement::whole(placement.of);
  one.isRun = true;
  one.from = element;
  one.elements = 1;
  char value[8];
  PartFiller(one, value, dtypeBits(info->dtype) / 8)
      .add(placement, file->data(*info));
  return numberText(toDouble(info->dtype, value, 0)) + " on rank " +
         std::to_string(rank);
}

/// An element of the last piece is another one in a piece before.
bool TensorSource::failDifference(const std::string &name,
                                  const std::vector<Piece> &all,
                                  const Piece &last, int64_t element) {
  const Piece *first = &all.front();
  while (!first->placement.contains(element))
    ++first;
  return fail(filesText() + ": tensor " + name + ": " +
              elementText(element, last.placement.of) + ", is " +
              first->elementText(element) + " and " +
              last.elementText(element));
}

bool TensorSource::read(const MuonTensorInfo &info, void *to) {
  if (isOwn()) {
    const TensorInfo *found = findOwn(info);
    if (found)
      first().read(*found, to);
    return found;
  }
  const std::string name = quote(info.logical_key);
  auto it = pieces.find(info.logical_key);
  if (it == pieces.end())
    return fail(filesText() + ": tensor " + name + " is missing");
  const Placement target = placementOf(info);
  PartFiller filler(target, to, muonTypeSize(info.type));
  for (const Piece &piece : it->second) {
    if (!checkType(info, *piece.file, *piece.info))
      return false;
    if (piece.placement.of != target.of)
      return fail(piece.file->path() + ": tensor " + quote(piece.info->name) +
                  ": shape" +
                  (piece.placement.isWhole() ? "" : " of the whole tensor") +
                  " is " + shapeText(piece.placement.of) + ", expected " +
                  shapeText(target.of));
    if (auto element =
            filler.add(piece.placement, piece.file->data(*piece.info)))
      return failDifference(name, it->second, piece, *element);
  }
  if (filler.isComplete())
    return true;
  return fail(filesText() + ": tensor " + name + ": " + filler.missingText() +
              ", are missing");
}

bool TensorSource::checkEqual(const std::string &name) {
  auto it = pieces.find(name);
  if (it == pieces.end())
    return true;
  const std::vector<Piece> &all = it->second;
  const TensorInfo &expected = *all.front().info;
  for (const Piece &piece : all) {
    const TensorInfo &info = *piece.info;
    if (info.dtype != expected.dtype || info.shape != expected.shape)
      return fail(piece.file->path() + ": tensor " + quote(name) + ": is " +
                  dtypeName(info.dtype) + " of shape " + shapeText(info.shape) +
                  ", on rank " + std::to_string(all.front().rank) + " " +
                  dtypeName(expected.dtype) + " of shape " +
                  shapeText(expected.shape));
    if (std::memcmp(piece.file->data(info), all.front().file->data(expected),
                    info.bytes()) != 0)
      return fail(piece.file->path() + ": tensor " + quote(name) +
                  ": is not the same as on rank " +
                  std::to_string(all.front().rank));
  }
  return true;
}
