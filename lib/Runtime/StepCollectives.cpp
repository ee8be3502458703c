//===- StepCollectives.cpp - Collectives of one step ----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StepCollectives.h"

#include "Text.h"

#include <new>
#include <set>

using namespace muon;

static std::string described(const Collective &collective) {
  return "collective " + quote(collective.name);
}

static uint64_t segmentBytes(const Collective &collective, size_t segment) {
  return uint64_t(collective.segments[segment].elements) *
         muonTypeSize(collective.type);
}

StepCollectives::StepCollectives(const Distribution &distribution,
                                 Device &device, const void *ok)
    : distribution(distribution), device(device), ok(ok) {}

StepCollectives::~StepCollectives() {
  for (auto &entry : active)
    (void)entry.second.transfer->wait();
  letGo();
}

Error StepCollectives::setCommunicator(std::shared_ptr<Communicator> value) {
  if (value && (value->rank() != distribution.rank ||
                value->size() != distribution.ranks))
    return Error(MUON_ERROR_INVALID_ARGUMENT,
                 "compiled for rank " + std::to_string(distribution.rank) +
                     " of " + std::to_string(distribution.ranks) + " (" +
                     distribution.gridText() +
                     "), the communicator is that of rank " +
                     std::to_string(value->rank()) + " of " +
                     std::to_string(value->size()));
  if (value == communicator)
    return Error::success();
  letGo();
  communicator = std::move(value);
  direct = communicator ? communicator->direct() : nullptr;
  if (direct && release)
    direct->setRelease(this, release);
  plansAgree = hasRun = hasConferred = false;
  places.clear();
  traffic.reset();
  return Error::success();
}

Error StepCollectives::begin(void *runStream) {
  stream = runStream;
  traffic.reset();
  failure.reset();
  if (!plansAgree) {
    if (Error error = comparePlans(distribution, *communicator))
      return error;
    if (Error error = communicator->prepare(device, distribution.collectives))
      return error;
  }
  plansAgree = true;
  if (Error error = communicator->beginRun(device, stream, isDirect))
    return error;
  if (direct && isDirect) {
    if (!marks)
      if (Error error = device.makeMarks(
              2 * uint32_t(distribution.collectives.size()), stream, marks))
        return error;
    if (marks)
      marks->reset();
    direct->setMarks(marks.get());
  }
  before = communicator->getTraffic();
  return Error::success();
}

void StepCollectives::abort(const Error &error) {
  communicator->abort(error.message());
}

Error StepCollectives::checkWaited() const {
  if (active.empty())
    return Error::success();
  const auto &collectives = distribution.collectives;
  return Error(MUON_ERROR_EXECUTION,
               "the step did not wait for " +
                   described(collectives[size_t(active.begin()->first)]));
}

Error StepCollectives::finish(Error result) {
  if (!failure && !result)
    if (Error error = checkWaited())
      fail(error);
  // What a failed collective left unwritten may be the reason of any error that
  // came later.
  if (failure)
    result = *failure;
  if (!result)
    result = communicator->finishRun();
  if (result)
    abort(result);
  for (auto &entry : active)
    (void)entry.second.transfer->wait();
  active.clear();
  if (result)
    return result;
  const Traffic &now = communicator->getTraffic();
  traffic = Traffic();
  traffic->bytesSent = now.bytesSent - before.bytesSent;
  traffic->bytesReceived = now.bytesReceived - before.bytesReceived;
  traffic->collectives = now.collectives - before.collectives;
  hasRun = true;
  return result;
}

void StepCollectives::fail(const Error &error) {
  if (failure)
    return;
  failure.emplace(error);
  // A capture may go on as calls.
  if (isCapturing)
    return;
  // They may wait for what will never come.
  abort(error);
}

const Collective *StepCollectives::find(int32_t index, const char *what) {
  if (index >= 0 && size_t(index) < distribution.collectives.size())
    return &distribution.collectives[size_t(index)];
  fail(Error(MUON_ERROR_EXECUTION,
             std::string("the step ") + what + " collective " +
                 std::to_string(index) + ", but the artifact has " +
                 std::to_string(distribution.collectives.size())));
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Starting and waiting
//===----------------------------------------------------------------------===//

/// Calls body(segment, address) for each segment of an operand at `address`.
template <typename Body>
static Error forSegments(const Collective &collective,
                         const Collective::Operand &operand, void *address,
                         const std::string &what, Body body) {
  auto *next = static_cast<char *>(address);
  for (size_t i = 0; i < operand.segments.size(); ++i) {
    const auto segment = size_t(operand.segments[i]);
    const uint64_t bytes = segmentBytes(collective, segment);
    if (bytes && !address)
      return Error(MUON_ERROR_EXECUTION,
                   described(collective) + ": " + what + ": address is null");
    if (!address)
      continue;
    void *at = operand.isTable ? static_cast<void *const *>(address)[i] : next;
    if (bytes && !at)
      return Error(MUON_ERROR_EXECUTION, described(collective) + ": " + what +
                                             ": entry " + std::to_string(i) +
                                             " of the table is null");
    body(segment, at);
    next += bytes;
  }
  return Error::success();
}

Error StepCollectives::expand(const Collective &collective,
                              void *const *buffers, Active &active) const {
  active.buffers.send.resize(collective.segments.size());
  active.buffers.receive.resize(collective.segments.size());
  for (size_t i = 0; i < collective.send.size(); ++i)
    if (Error error = forSegments(collective, collective.send[i], *buffers++,
                                  "send[" + std::to_string(i) + "]",
                                  [&](size_t segment, void *at) {
                                    active.buffers.send[segment] = at;
                                  }))
      return error;
  for (size_t i = 0; i < collective.receive.size(); ++i)
    if (Error error = forSegments(collective, collective.receive[i], *buffers++,
                                  "receive[" + std::to_string(i) + "]",
                                  [&](size_t segment, void *at) {
                                    active.buffers.receive[segment] = at;
                                  }))
      return error;
  return Error::success();
}

std::string StepCollectives::tensorsOf(const CollectiveBuffers &buffers) const {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (size_t i = 0; i < buffers.send.size(); ++i)
    for (const void *address :
         {buffers.send[i], static_cast<const void *>(buffers.receive[i])}) {
      std::string name =
          address && tensorNames ? tensorNames(address) : std::string();
      if (!name.empty() && seen.insert(name).second)
        names.push_back(std::move(name));
    }
  return listed(names);
}

/// Found here, and not by a collective that has begun on all ranks.
Error StepCollectives::checkAddresses(const Collective &collective,
                                      const CollectiveBuffers &buffers) const {
  for (size_t i = 0; i < collective.segments.size(); ++i) {
    const uint64_t bytes = segmentBytes(collective, i);
    for (bool isSent : {true, false}) {
      const void *address = isSent ? buffers.send[i] : buffers.receive[i];
      if (!bytes || !address)
        continue;
      if (Error error = device.checkAddress(address, bytes))
        return Error(error.status(), described(collective) +
                                         (isSent ? ": sent" : ": received") +
                                         " segment " + std::to_string(i) +
                                         ": " + error.message());
    }
  }
  return Error::success();
}

/// Kernels leave before their first store while the step is not known to be
/// taken, and the collectives run all the same: all ranks do alike, and what is
/// received is not looked at.
Error StepCollectives::download(void *host, const void *address,
                                uint64_t bytes) const {
  Error error = device.download(host, address, bytes, stream);
  uint8_t isTaken = 1;
  if (!error || !ok || device.download(&isTaken, ok, 1, stream) || isTaken)
    return error;
  return device.downloadUndefined(host, address, bytes, stream);
}

/// Replaces addresses of the device by those of copies on the host.
Error StepCollectives::stage(const Collective &collective,
                             Active &active) const {
  active.onDevice = active.buffers.receive;
  for (size_t i = 0; i < collective.segments.size(); ++i) {
    const uint64_t bytes = segmentBytes(collective, i);
    if (!bytes)
      continue;
    if (const void *&address = active.buffers.send[i]) {
      std::vector<char> &copy = active.staging.emplace_back(bytes);
      if (Error error = download(copy.data(), address, bytes))
        return Error(error.status(), described(collective) + ": sent segment " +
                                         std::to_string(i) + ": " +
                                         error.message());
      address = copy.data();
    }
    if (void *&address = active.buffers.receive[i]) {
      // Found here, and not after others have done their part.
      if (Error error = device.checkAddress(address, bytes))
        return Error(error.status(),
                     described(collective) + ": received segment " +
                         std::to_string(i) + ": " + error.message());
      address = active.staging.emplace_back(bytes).data();
    }
  }
  return Error::success();
}

Error StepCollectives::store(const Collective &collective,
                             Active &active) const {
  for (size_t i = 0; i < collective.segments.size(); ++i) {
    const uint64_t bytes = segmentBytes(collective, i);
    if (!bytes || !active.onDevice[i])
      continue;
    if (Error error = device.upload(active.onDevice[i],
                                    active.buffers.receive[i], bytes, stream))
      return Error(error.status(),
                   described(collective) + ": " + error.message());
  }
  return Error::success();
}

void StepCollectives::start(int32_t index, void *const *buffers) {
  if (failure)
    return;
  const Collective *collective = find(index, "starts");
  if (!collective)
    return;
  auto [it, isNew] = active.try_emplace(index);
  if (!isNew)
    return fail(Error(MUON_ERROR_EXECUTION,
                      "the step starts " + described(*collective) +
                          " again before it has waited for it"));
  Error error = expand(*collective, buffers, it->second);
  if (!error) {
    // Of the addresses on the device, which staging replaces.
    it->second.buffers.tensors = [this, buffers = it->second.buffers] {
      return tensorsOf(buffers);
    };
    if (isDirect) {
      error = checkAddresses(*collective, it->second.buffers);
      locate(*collective, it->second.buffers);
    } else if (!device.usesHostMemory())
      error = stage(*collective, it->second);
  }
  if (!error)
    error = communicator->start(*collective, it->second.buffers,
                                it->second.transfer);
  if (error)
    fail(error);
  if (!it->second.transfer)
    active.erase(it);
}

void StepCollectives::wait(int32_t index) {
  if (failure)
    return;
  const Collective *collective = find(index, "waits for");
  if (!collective)
    return;
  auto it = active.find(index);
  if (it == active.end())
    return fail(Error(MUON_ERROR_EXECUTION, "the step waits for " +
                                                described(*collective) +
                                                ", which it did not start"));
  Error error = it->second.transfer->wait();
  if (!error && !isDirect && !device.usesHostMemory())
    error = store(*collective, it->second);
  active.erase(it);
  if (error)
    fail(error);
}

/// The step is C and lets no exception through.
template <typename Body>
static std::optional<Error> guarded(Body body) noexcept {
  try {
    body();
    return std::nullopt;
  } catch (const std::bad_alloc &) {
    return Error(MUON_ERROR_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception &e) {
    return Error(MUON_ERROR_INTERNAL, e.what());
  }
}

void StepCollectives::hostStart(void *context, int32_t collective,
                                void *const *buffers) noexcept {
  auto &self = *static_cast<StepCollectives *>(context);
  auto error = guarded([&] { self.start(collective, buffers); });
  if (error && !self.failure) {
    self.failure = std::move(error);
    // try_emplace may have come before.
    auto it = self.active.find(collective);
    if (it != self.active.end() && !it->second.transfer)
      self.active.erase(it);
  }
}

void StepCollectives::hostWait(void *context, int32_t collective) noexcept {
  auto &self = *static_cast<StepCollectives *>(context);
  auto error = guarded([&] { self.wait(collective); });
  if (error && !self.failure)
    self.failure = std::move(error);
}
