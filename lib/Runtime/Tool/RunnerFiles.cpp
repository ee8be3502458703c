//===- RunnerFiles.cpp - Files of one rank --------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runner.h"

#include "../Text.h"

#include <algorithm>
#include <cstring>
#include <ostream>

using namespace muon;

static bool isState(const MuonTensorInfo &info) {
  return info.role != MUON_ROLE_WEIGHT && info.role != MUON_ROLE_GRADIENT;
}

static std::vector<int64_t> shapeOf(const MuonTensorInfo &info) {
  return {info.shape, info.shape + info.rank};
}

//===----------------------------------------------------------------------===//
// Input
//===----------------------------------------------------------------------===//

TensorSource
Runner::makeSource(const std::string &path,
                   const std::optional<int64_t> &otherRanks) const {
  if (!otherRanks) {
    const bool isOwn = rank.ranks == 1 || hasRank(path);
    return {isOwn ? TensorSource::Kind::Own : TensorSource::Kind::Shared,
            {pathOfRank(path, rank.rank)}};
  }
  std::vector<std::string> paths;
  for (int64_t i = 0; i < *otherRanks; ++i)
    paths.push_back(pathOfRank(path, int32_t(i)));
  return {TensorSource::Kind::OtherRanks, std::move(paths)};
}

bool Runner::open(std::optional<TensorSource> &source, const std::string &path,
                  const std::optional<int64_t> &otherRanks) {
  source.emplace(makeSource(path, otherRanks));
  return source->open() || fail(source->error);
}

bool Runner::openFiles() {
  if (!open(params, *given.params, given.paramsRanks) ||
      !open(grads, *given.grads, std::nullopt))
    return false;
  if (given.state) {
    if (!open(state, *given.state, given.stateRanks))
      return false;
  } else if (!options.initState && !states.empty()) {
    return fail("the step has state; give --state or --init-state");
  }

  std::unordered_set<std::string> paramNames, gradNames, stateNames;
  for (const BoundTensor &tensor : tensors) {
    auto &names = tensor.info.role == MUON_ROLE_WEIGHT     ? paramNames
                  : tensor.info.role == MUON_ROLE_GRADIENT ? gradNames
                                                           : stateNames;
    names.insert(tensor.info.key);
  }
  auto check = [&](std::optional<TensorSource> &source, const auto &expected,
                   const auto &allowed) {
    return !source || source->checkNames(expected, allowed) ||
           fail(source->error);
  };
  for (const std::string &name : frozen)
    if (!params->checkEqual(name))
      return fail(params->error);
  return check(params, paramNames, frozen) && check(grads, gradNames, frozen) &&
         check(state, stateNames, std::unordered_set<std::string>());
}

bool Runner::allocate(BoundTensor &tensor) {
  void *memory = nullptr;
  if (::posix_memalign(&memory, 64, std::max<uint64_t>(tensor.info.bytes, 1)))
    return fail("cannot allocate " + std::to_string(tensor.info.bytes) +
                " bytes for " + quote(tensor.info.key));
  tensor.owned.reset(memory);
  tensor.data = memory;
  return true;
}

bool Runner::readTensor(BoundTensor &tensor, TensorSource &source) {
  const MuonTensorInfo &info = tensor.info;
  // Gradients are only read, so the file's pages serve if they are aligned.
  if (info.role == MUON_ROLE_GRADIENT) {
    const void *data = source.find(info);
    if (data &&
        reinterpret_cast<uintptr_t>(data) % muonTypeSize(info.type) == 0) {
      tensor.data = const_cast<void *>(data);
      return true;
    }
  }
  return allocate(tensor) &&
         (source.read(info, tensor.data) || fail(source.error));
}

bool Runner::initTensor(BoundTensor &tensor) {
  if (!allocate(tensor))
    return false;
  std::memset(tensor.data, 0, tensor.info.bytes);
  return tensor.info.role != MUON_ROLE_MASTER || initMaster(tensor);
}

/// From the weight, of which this rank has that part at least.
bool Runner::initMaster(BoundTensor &tensor) {
  const MuonTensorInfo &info = tensor.info;
  MuonType type = MUON_TYPE_F32;
  std::vector<char> values;
  std::optional<PartFiller> filler;
  for (const BoundTensor &weight : tensors) {
    if (weight.info.role != MUON_ROLE_WEIGHT ||
        std::strcmp(weight.info.tensor, info.tensor) != 0)
      continue;
    if (!filler) {
      type = weight.info.type;
      values.resize(info.elements * muonTypeSize(type));
      filler.emplace(placementOf(info), values.data(), muonTypeSize(type));
    }
    filler->add(placementOf(weight.info), weight.data);
  }
  if (!filler)
    return fail("master " + quote(info.name) + " has no weight");
  if (!filler->isComplete())
    return fail("master " + quote(info.name) + ": " + filler->missingText() +
                ", are in no weight of this rank");
  for (uint64_t i = 0; i < info.elements; ++i) {
    double value = toDouble(dtypeOf(type), values.data(), i);
    if (info.type == MUON_TYPE_F64)
      static_cast<double *>(tensor.data)[i] = value;
    else
      static_cast<float *>(tensor.data)[i] = static_cast<float>(value);
  }
  return true;
}

bool Runner::readTensors() {
  for (BoundTensor &tensor : tensors) {
    if (tensor.info.role == MUON_ROLE_WEIGHT && !readTensor(tensor, *params))
      return false;
    if (tensor.info.role == MUON_ROLE_GRADIENT && !readTensor(tensor, *grads))
      return false;
  }
  // Masters need the weights.
  for (BoundTensor &tensor : tensors)
    if (isState(tensor.info) &&
        !(state ? readTensor(tensor, *state) : initTensor(tensor)))
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

bool Runner::compareTensor(Comparison &comparison, const SafetensorsFile &file,
                           const TensorInfo &reference,
                           const BoundTensor &tensor) {
  const std::string where =
      file.path() + ": tensor " + quote(reference.name) + ": ";
  const MuonTensorInfo &info = tensor.info;
  const DType dtype = dtypeOf(info.type);
  const bool isShared =
      reference.name != info.key || (rank.ranks > 1 && !hasRank(*given.expect));
  const std::vector<int64_t> expected =
      isShared ? placementOf(info).of : shapeOf(info);
  if (reference.shape != expected)
    return fail(where + "shape is " + shapeText(reference.shape) +
                ", the result has " + shapeText(expected));
  if (!isComparable(reference.dtype) ||
      (reference.dtype == DType::I64) != (dtype == DType::I64))
    return fail(where + "type " + dtypeName(reference.dtype) +
                " cannot be compared with the result, which is " +
                dtypeName(dtype));
  const void *data = file.data(reference);
  std::vector<char> part;
  if (isShared && info.part != MUON_PART_WHOLE) {
    const uint64_t elementBytes = dtypeBits(reference.dtype) / 8;
    part.resize(info.elements * elementBytes);
    PartFiller filler(placementOf(info), part.data(), elementBytes);
    filler.add(Placement::whole(reference.shape), data);
    data = part.data();
  }
  comparison.compare(info.key, shapeOf(info), info.elements, dtype, tensor.data,
                     reference.dtype, data);
  return true;
}

bool Runner::compareFrozen(const SafetensorsFile &file,
                           const TensorInfo &reference) {
  const std::string where =
      file.path() + ": tensor " + quote(reference.name) + ": ";
  const TensorInfo *copied = nullptr;
  const SafetensorsFile *source = nullptr;
  for (const auto &candidate : params->getFiles())
    if (!copied && (copied = candidate->find(reference.name)))
      source = candidate.get();
  if (!frozen.count(reference.name) || !copied)
    return fail(where + "the result has no such tensor");
  if (copied->dtype != reference.dtype || copied->shape != reference.shape ||
      std::memcmp(source->data(*copied), file.data(reference),
                  reference.bytes()) != 0)
    return fail(where + "differs from the frozen tensor of the parameters");
  return true;
}

/// With a file of what this rank has.
bool Runner::compareOwn(Comparison &comparison, const SafetensorsFile &file) {
  for (const TensorInfo &info : file.tensors()) {
    auto weight = weights.find(info.name);
    auto other = states.find(info.name);
    if (weight == weights.end() && other == states.end()) {
      if (!compareFrozen(file, info))
        return false;
      continue;
    }
    if (!compareTensor(
            comparison, file, info,
            tensors[weight != weights.end() ? weight->second : other->second]))
      return false;
  }
  return true;
}

/// With a file of whole tensors, of which this rank may have parts, or nothing.
bool Runner::compareShared(Comparison &comparison,
                           const SafetensorsFile &file) {
  for (const TensorInfo &info : file.tensors())
    if (frozen.count(info.name) && !compareFrozen(file, info))
      return false;
  for (const BoundTensor &tensor : tensors) {
    if (tensor.info.role == MUON_ROLE_GRADIENT)
      continue;
    const TensorInfo *info = file.find(tensor.info.logical_key);
    if (info && !compareTensor(comparison, file, *info, tensor))
      return false;
  }
  return true;
}

bool Runner::compareResult() {
  auto file = SafetensorsFile::open(*options.expect, error);
  if (!file)
    return false;
  const bool isShared = rank.ranks > 1 && !hasRank(*given.expect);
  auto keyOf = [&](const BoundTensor &tensor) {
    return isShared ? tensor.info.logical_key : tensor.info.key;
  };
  bool hasState = false;
  for (const auto &[key, index] : states)
    hasState |= !weights.count(key) && file->find(keyOf(tensors[index]));
  std::vector<std::string> missing;
  for (const BoundTensor &tensor : tensors) {
    bool isCompared = tensor.info.role == MUON_ROLE_WEIGHT ||
                      (hasState && isState(tensor.info));
    if (isCompared && !file->find(keyOf(tensor)))
      missing.push_back(quote(keyOf(tensor)));
  }
  if (!missing.empty())
    return fail(file->path() + ": " + listed(missing) +
                (missing.size() == 1 ? " is" : " are") +
                " missing, but the result has " +
                (missing.size() == 1 ? "it" : "them"));

  Comparison comparison(options.rtol.value_or(1e-5),
                        options.atol.value_or(1e-6));
  if (!(isShared ? compareShared(comparison, *file)
                 : compareOwn(comparison, *file)))
    return false;
  if (!comparison.matches())
    return fail(file->path() + ": " + comparison.summary());
  out << rank.prefix() << file->path() << ": " << comparison.summary() << '\n';
  return true;
}

void Runner::OutputFile::add(const BoundTensor &tensor) {
  const MuonTensorInfo &info = tensor.info;
  tensors.push_back({info.key, dtypeOf(info.type), shapeOf(info), tensor.data});
  if (info.part != MUON_PART_WHOLE)
    parts[info.key] = {info.logical_key, placementOf(info)};
}

/// Parts get a note of where they belong.
std::optional<StagedFile> Runner::stage(const std::string &path,
                                        const OutputFile &file,
                                        SafetensorsMetadata metadata) {
  metadata.erase(placementKey);
  if (!file.parts.empty())
    metadata[placementKey] = placementsText(file.parts);
  return StagedFile::writeSafetensors(path, file.tensors, metadata, error);
}

/// In the order of the file that was read, if it has the same tensors.
std::optional<StagedFile> Runner::stageParams() {
  OutputFile output;
  if (!params->isOwn())
    for (const BoundTensor &tensor : tensors)
      if (tensor.info.role == MUON_ROLE_WEIGHT)
        output.add(tensor);
  std::unordered_set<std::string> copied;
  for (const auto &file : params->getFiles())
    for (const TensorInfo &info : file->tensors()) {
      auto weight = weights.find(info.name);
      if (params->isOwn() && weight != weights.end())
        output.add(tensors[weight->second]);
      else if (frozen.count(info.name) && copied.insert(info.name).second)
        output.tensors.push_back(
            {info.name, info.dtype, info.shape, file->data(info)});
    }
  return stage(*options.outParams, output, params->first().metadata());
}

std::optional<StagedFile> Runner::stageState() {
  OutputFile output;
  for (const BoundTensor &tensor : tensors)
    if (isState(tensor.info))
      output.add(tensor);
  return stage(*options.outState, output,
               state ? state->first().metadata() : SafetensorsMetadata());
}

bool Runner::writeResult() {
  std::optional<StagedFile> stagedParams, stagedState, stagedCounters;
  if (options.outParams && !(stagedParams = stageParams()))
    return false;
  if (options.outState && !(stagedState = stageState()))
    return false;
  if (options.counters) {
    const char *json = nullptr;
    if (!check(muonArtifactCounters(artifact.get(), &json)))
      return false;
    stagedCounters = StagedFile::writeText(*options.counters,
                                           std::string(json) + "\n", error);
    if (!stagedCounters)
      return false;
  }
  // All ranks have their files, and all put them in place, or none.
  auto meet = [&] {
    return rank.ranks == 1 || check(muonCommunicatorBarrier(rank.communicator));
  };
  if (!meet())
    return false;
  std::vector<StagedFile *> replaced;
  bool isReplaced = true;
  for (auto *staged : {&stagedParams, &stagedState, &stagedCounters}) {
    if (!*staged || !isReplaced)
      continue;
    isReplaced = (*staged)->exchange(error);
    if (isReplaced)
      replaced.push_back(&**staged);
  }
  if (isReplaced && meet())
    return true;
  for (StagedFile *file : replaced) {
    std::string reason;
    if (!file->revert(reason))
      error += "; " + reason;
  }
  return false;
}
