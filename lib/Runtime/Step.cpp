//===- Step.cpp - One instance of a step ----------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Step.h"

#include "Text.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

using namespace muon;

static Error wrong(const std::string &message) {
  return Error(MUON_ERROR_INVALID_ARGUMENT, message);
}

static std::string described(const Tensor &tensor) {
  return std::string(muonRoleName(tensor.role)) + " " + quote(tensor.name);
}

static std::string described(const Argument &argument) {
  std::string text = muonRoleName(argument.role);
  if (!argument.group.empty())
    text += " of group " + quote(argument.group);
  return text;
}

Error Step::create(std::shared_ptr<const Artifact> artifact,
                   std::unique_ptr<Step> &step) {
  std::unique_ptr<Step> result(new Step);
  result->artifact = std::move(artifact);
  const Artifact &self = *result->artifact;
  result->bound.resize(self.tensors.size());
  result->isBound.resize(self.tensors.size());
  result->isSet.resize(self.scalars.size());
  result->slots.resize(self.manifest.slots);
  result->hostLocals.resize(self.reportOffset + self.reportBytes);

  result->locals.device = result->arena.device = self.device;
  uint64_t bytes = result->slotTableOffset = result->hostLocals.size();
  if (self.device->needsSlotTable())
    bytes += self.manifest.slots * sizeof(void *);
  if (Error error = self.device->allocate(bytes, 64, "scalars and reports",
                                          result->locals.data))
    return error;
  for (const auto *list : {&self.scalars, &self.reports})
    for (const Local &local : *list)
      result->slots[self.manifest.arguments[local.argument].slot] =
          static_cast<char *>(result->locals.data) + local.byteOffset;

  if (self.manifest.distribution) {
    const void *ok = nullptr;
    for (const Local &local : self.reports)
      if (self.manifest.arguments[local.argument].role == MUON_ROLE_OK)
        ok = static_cast<char *>(result->locals.data) + local.byteOffset;
    result->collectives = std::make_unique<StepCollectives>(
        *self.manifest.distribution, *self.device, ok);
    result->collectives->setTensorNames(
        [step = result.get()](const void *address) {
          return step->tensorAt(address);
        });
  }

  for (size_t i = 0; i < self.scalars.size(); ++i) {
    const Local &local = self.scalars[i];
    const Argument &argument = self.manifest.arguments[local.argument];
    if (argument.defaultValue) {
      result->setLocal(local, &*argument.defaultValue, sizeof(float));
      result->isSet[i] = true;
    }
  }
  step = std::move(result);
  return Error::success();
}

std::string Step::tensorAt(const void *address) const {
  auto at = reinterpret_cast<uintptr_t>(address);
  for (size_t i = 0; i < bound.size(); ++i) {
    auto begin = reinterpret_cast<uintptr_t>(bound[i]);
    if (begin && at >= begin && at - begin < artifact->tensors[i].bytes)
      return described(artifact->tensors[i]);
  }
  return std::string();
}

void Step::setLocal(const Local &local, const void *value, size_t bytes) {
  std::memcpy(hostLocals.data() + local.byteOffset, value, bytes);
}

template <typename T>
T Step::localValue(const Local &local) const {
  T value;
  std::memcpy(&value, hostLocals.data() + local.byteOffset, sizeof(T));
  return value;
}

Error Step::bind(MuonRole role, const std::string &name,
                 const MuonBuffer &buffer) {
  const char *roleName = muonRoleName(role);
  if (!roleName)
    return wrong("unknown role " + std::to_string(int(role)));
  std::optional<size_t> index = artifact->findTensor(role, name);
  if (!index)
    return wrong(artifact->path + " has no " + roleName + " " + quote(name));
  const Tensor &tensor = artifact->tensors[*index];
  const std::string where = described(tensor) + ": ";
  if (buffer.type != tensor.type) {
    const char *found = muonTypeName(buffer.type);
    return wrong(where + "type is " + (found ? found : "unknown") +
                 ", expected " + muonTypeName(tensor.type));
  }
  if (buffer.rank && !buffer.shape)
    return wrong(where + "shape is null");
  if (buffer.rank != tensor.shape.size() ||
      !std::equal(tensor.shape.begin(), tensor.shape.end(), buffer.shape))
    return wrong(where + "shape is " + shapeText(buffer.shape, buffer.rank) +
                 ", expected " + shapeText(tensor.shape));
  if (buffer.bytes != tensor.bytes)
    return wrong(where + "buffer has " + std::to_string(buffer.bytes) +
                 " bytes, expected " + std::to_string(tensor.bytes));
  if (tensor.bytes) {
    if (!buffer.data)
      return wrong(where + "address is null");
    auto address = reinterpret_cast<uintptr_t>(buffer.data);
    uint64_t alignment = artifact->tensorAlignment(tensor);
    if (address % alignment)
      return wrong(where + "address " + addressText(buffer.data) +
                   " is not a multiple of " + std::to_string(alignment));
    if (address > UINTPTR_MAX - tensor.bytes)
      return wrong(where + "buffer reaches beyond the address space");
    if (Error error = artifact->device->checkAddress(buffer.data, tensor.bytes))
      return Error(error.status(), where + error.message());
  }
  if (bound[*index] != buffer.data || !isBound[*index])
    isPrepared = false;
  bound[*index] = buffer.data;
  isBound[*index] = true;
  return Error::success();
}

Error Step::setScalar(MuonRole role, const char *group, double value) {
  const char *roleName = muonRoleName(role);
  if (!roleName || !isScalar(role))
    return wrong(std::string(roleName ? roleName : "unknown role") +
                 " is not a scalar");
  auto rounded = static_cast<float>(value);
  if (const char *reason = invalidScalar(role, rounded))
    return wrong(std::string(roleName) + " is " + numberText(value) + " and " +
                 reason);

  std::vector<std::string> groups;
  std::vector<size_t> matches;
  for (size_t i = 0; i < artifact->scalars.size(); ++i) {
    const Local &local = artifact->scalars[i];
    const Argument &argument = artifact->manifest.arguments[local.argument];
    if (argument.role != role)
      continue;
    groups.push_back(quote(argument.group));
    if (!group || (role != MUON_ROLE_CLIP_LIMIT && argument.group == group))
      matches.push_back(i);
  }
  if (groups.empty())
    return wrong(artifact->path + " has no scalar '" + roleName + "'");
  if (matches.empty()) {
    if (role == MUON_ROLE_CLIP_LIMIT)
      return wrong("clip_limit has no groups");
    return wrong(std::string("no ") + roleName + " of group " + quote(group) +
                 "; groups: " + listed(groups, 8));
  }
  for (size_t i : matches) {
    setLocal(artifact->scalars[i], &rounded, sizeof(rounded));
    isSet[i] = true;
  }
  scalarsChanged = true;
  return Error::success();
}

Error Step::checkReady() const {
  std::vector<std::string> missing;
  for (size_t i = 0; i < isBound.size(); ++i)
    if (!isBound[i])
      missing.push_back(described(artifact->tensors[i]));
  if (!missing.empty())
    return Error(MUON_ERROR_NOT_READY,
                 std::to_string(missing.size()) + " of " +
                     std::to_string(isBound.size()) +
                     " tensors are not bound: " + listed(missing));
  for (size_t i = 0; i < isSet.size(); ++i)
    if (!isSet[i])
      missing.push_back(described(
          artifact->manifest.arguments[artifact->scalars[i].argument]));
  if (!missing.empty())
    return Error(MUON_ERROR_NOT_READY,
                 "scalars without a default are not set: " + listed(missing));
  return Error::success();
}

Error Step::checkOverlap() const {
  std::vector<size_t> order;
  for (size_t i = 0; i < bound.size(); ++i)
    if (artifact->tensors[i].bytes)
      order.push_back(i);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::less<void *>()(bound[a], bound[b]);
  });
  for (size_t i = 1; i < order.size(); ++i) {
    const Tensor &before = artifact->tensors[order[i - 1]];
    const Tensor &after = artifact->tensors[order[i]];
    auto end = reinterpret_cast<uintptr_t>(bound[order[i - 1]]) + before.bytes;
    if (reinterpret_cast<uintptr_t>(bound[order[i]]) < end)
      return wrong("buffers of " + described(before) + " and " +
                   described(after) + " overlap");
  }
  return Error::success();
}

Error Step::prepare() {
  if (Error error = checkOverlap())
    return error;
  const Manifest &manifest = artifact->manifest;
  if (!arena.data)
    if (Error error = artifact->device->allocate(manifest.arenaBytes,
                                                 manifest.arenaAlignment,
                                                 "scratch memory", arena.data))
      return error;
  if (collectives) {
    collectives->setArena(arena.data, manifest.arenaBytes);
    collectives->setMoved();
  }
  if (!execution) {
    StepMemory memory;
    memory.arena = arena.data;
    if (artifact->device->needsSlotTable())
      memory.slots = static_cast<char *>(locals.data) + slotTableOffset;
    memory.collectives = collectives.get();
    if (Error error = artifact->program->makeExecution(memory, execution))
      return error;
  }
  for (size_t i = 0; i < bound.size(); ++i)
    for (const Tensor::Piece &piece : artifact->tensors[i].pieces)
      slots[piece.slot] =
          bound[i] ? static_cast<char *>(bound[i]) + piece.byteOffset : nullptr;
  isPrepared = true;
  slotsChanged = true;
  return Error::success();
}

Error Step::setCommunicator(std::shared_ptr<Communicator> communicator) {
  if (!collectives) {
    if (!communicator)
      return Error::success();
    return wrong(artifact->path + ": compiled for one rank alone, which needs "
                                  "no communicator");
  }
  if (Error error = collectives->setCommunicator(std::move(communicator)))
    return Error(error.status(), artifact->path + ": " + error.message());
  return Error::success();
}

Error Step::run(void *stream, MuonResult *result) {
  if (!collectives)
    return runHere(stream, result);
  if (!collectives->getCommunicator()) {
    const Distribution &distribution = *artifact->manifest.distribution;
    return Error(MUON_ERROR_NOT_READY,
                 artifact->path + ": compiled for rank " +
                     std::to_string(distribution.rank) + " of " +
                     std::to_string(distribution.ranks) + " (" +
                     distribution.gridText() + "), and has no communicator");
  }
  // The others would wait for this rank until their time is over.
  try {
    Error error = runHere(stream, result);
    if (error)
      collectives->abort(error);
    return error;
  } catch (const std::exception &e) {
    collectives->abort(Error(MUON_ERROR_INTERNAL, e.what()));
    throw;
  }
}

Error Step::runHere(void *stream, MuonResult *result) {
  if (Error error = artifact->device->checkStream(stream))
    return error;
  if (Error error = checkReady())
    return error;
  if (!isPrepared)
    if (Error error = prepare())
      return error;

  reports = Reports::None;
  if (collectives)
    if (Error error = collectives->begin(stream))
      return Error(error.status(), artifact->path + ": " + error.message());
  if (Error error = execution->begin(stream))
    return Error(error.status(), artifact->path + ": " + error.message());
  if (Error error = uploadArguments(stream)) {
    // Nothing else makes a later run wait for what was put there already.
    (void)artifact->device->synchronize(stream);
    return error;
  }
  Error error = execution->run(slots.data(), stream);
  if (collectives)
    error = collectives->finish(error);
  if (error)
    return Error(error.status(), artifact->path + ": " + error.message());
  reports = Reports::OnDevice;
  lastStream = stream;
  return result ? waitHere(result) : Error::success();
}

Error Step::uploadArguments(void *stream) {
  Device &device = *artifact->device;
  auto *deviceLocals = static_cast<char *>(locals.data);
  if (scalarsChanged && artifact->scalarBytes)
    if (Error error = device.upload(deviceLocals, hostLocals.data(),
                                    artifact->scalarBytes, stream))
      return error;
  scalarsChanged = false;
  if (slotsChanged && device.needsSlotTable() && !slots.empty()) {
    static_assert(sizeof(void *) == 8, "kernels read 64 bits for each slot");
    if (Error error =
            device.upload(deviceLocals + slotTableOffset, slots.data(),
                          slots.size() * sizeof(void *), stream))
      return error;
  }
  slotsChanged = false;
  // A report that the step fails to write must not look like the last one.
  if (!artifact->reportBytes)
    return Error::success();
  return device.clear(deviceLocals + artifact->reportOffset,
                      artifact->reportBytes, stream);
}

Error Step::wait(MuonResult *result) {
  const bool isUnderWay = reports == Reports::OnDevice;
  Error error = waitHere(result);
  if (error && isUnderWay && collectives && collectives->getCommunicator())
    collectives->abort(error);
  return error;
}

Error Step::waitHere(MuonResult *result) {
  if (reports == Reports::None)
    return Error(MUON_ERROR_NOT_READY, "the step has not run");
  if (reports == Reports::OnDevice) {
    auto atStep = [&](const Error &error) {
      return Error(error.status(), artifact->path + ": " + error.message());
    };
    if (Error error = execution->wait())
      return atStep(error);
    const uint64_t offset = artifact->reportOffset;
    if (artifact->reportBytes)
      if (Error error = artifact->device->download(
              hostLocals.data() + offset,
              static_cast<char *>(locals.data) + offset, artifact->reportBytes,
              lastStream))
        return atStep(error);
    readReports();
    reports = Reports::Read;
  }
  if (result)
    *result = lastResult;
  return Error::success();
}

void Step::readReports() {
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  lastResult = {};
  lastResult.taken = 1;
  lastResult.clip = 1;
  lastNonFinite.clear();
  lastStatistics.assign(artifact->parameters.size(),
                        {nullptr, unknown, unknown, unknown, unknown});
  for (size_t i = 0; i < lastStatistics.size(); ++i)
    lastStatistics[i].name = artifact->parameters[i].name.c_str();

  for (const Local &local : artifact->reports) {
    MuonRole role = artifact->manifest.arguments[local.argument].role;
    if (role == MUON_ROLE_OK)
      lastResult.taken = localValue<uint8_t>(local) != 0;
    else if (role == MUON_ROLE_CLIP)
      lastResult.clip = localValue<float>(local);
  }

  for (MuonRole role : {MUON_ROLE_GRADIENT_SUMS, MUON_ROLE_MOMENTUM_SUMS,
                        MUON_ROLE_UPDATE_SUMS, MUON_ROLE_WEIGHT_SUMS}) {
    bool isBefore =
        role == MUON_ROLE_GRADIENT_SUMS || role == MUON_ROLE_MOMENTUM_SUMS;
    if (!isBefore && !lastResult.taken)
      continue;
    std::vector<double> sums(artifact->parameters.size(), unknown);
    std::vector<bool> known(sums.size());
    for (const Local &local : artifact->reports) {
      const Argument &argument = artifact->manifest.arguments[local.argument];
      if (argument.role != role)
        continue;
      const std::vector<size_t> &members = artifact->members[*argument.params];
      uint64_t matrices = argument.elements / members.size();
      const char *value = hostLocals.data() + local.byteOffset;
      for (size_t parameter : members) {
        if (!known[parameter])
          sums[parameter] = 0;
        known[parameter] = true;
        for (uint64_t i = 0; i < matrices; ++i, value += sizeof(double)) {
          double sum;
          std::memcpy(&sum, value, sizeof(double));
          sums[parameter] += sum;
        }
      }
    }
    for (size_t i = 0; i < sums.size(); ++i) {
      const Parameter &parameter = artifact->parameters[i];
      MuonStatistics &statistics = lastStatistics[i];
      switch (role) {
      case MUON_ROLE_GRADIENT_SUMS:
        statistics.gradient_norm = std::sqrt(sums[i]);
        break;
      case MUON_ROLE_MOMENTUM_SUMS:
        statistics.momentum_norm = std::sqrt(sums[i]);
        break;
      case MUON_ROLE_UPDATE_SUMS:
        if (parameter.elements)
          statistics.update_rms =
              std::sqrt(sums[i] / static_cast<double>(parameter.elements));
        break;
      default:
        statistics.weight_norm = std::sqrt(sums[i]);
        break;
      }
      if (isBefore && known[i] && !std::isfinite(sums[i]))
        lastNonFinite.push_back({role == MUON_ROLE_GRADIENT_SUMS
                                     ? MUON_ROLE_GRADIENT
                                     : MUON_ROLE_MOMENTUM,
                                 parameter.name.c_str()});
    }
  }
  lastResult.non_finite = lastNonFinite.size();
  lastResult.statistics = lastStatistics.size();
}

Error Step::checkIndex(size_t index, const size_t MuonResult::*size) {
  if (Error error = wait(nullptr))
    return error;
  if (index >= lastResult.*size)
    return wrong("index " + std::to_string(index) + " is out of range, there " +
                 "are " + std::to_string(lastResult.*size));
  return Error::success();
}

Error Step::nonFinite(size_t index, MuonNonFinite &info) {
  if (Error error = checkIndex(index, &MuonResult::non_finite))
    return error;
  info = lastNonFinite[index];
  return Error::success();
}

Error Step::statistics(size_t index, MuonStatistics &statistics) {
  if (Error error = checkIndex(index, &MuonResult::statistics))
    return error;
  statistics = lastStatistics[index];
  return Error::success();
}

Error Step::traffic(MuonTraffic &traffic) const {
  if (!collectives || !collectives->getCommunicator())
    return Error(MUON_ERROR_NOT_READY, "the step has no communicator");
  const std::optional<Traffic> &last = collectives->getTraffic();
  if (!last)
    return Error(MUON_ERROR_NOT_READY,
                 "the step has not run, or the last run failed");
  traffic = {last->bytesSent, last->bytesReceived, last->collectives};
  return Error::success();
}

Error Step::runText(const char *&text) {
  MuonTraffic ignored;
  if (Error error = traffic(ignored))
    return error;
  lastRunText = collectives->describeRun();
  text = lastRunText.c_str();
  return Error::success();
}
