//===- CollectiveStream.cpp - Messages of one collective ------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CollectiveStream.h"

#include "CollectiveSum.h"

#include <algorithm>
#include <cstring>

using namespace muon;
using namespace muon::collective;

Sizes::Sizes(size_t ranks) {
  constexpr int64_t share = int64_t(32) << 20, page = 4096, least = 16384;
  auto peers = int64_t(std::max<size_t>(ranks, 2) - 1);
  int64_t each = std::max(share / (2 * peers) / page * page, least);
  summed = std::min(each, int64_t(4) << 20);
  packed = std::min(each, int64_t(256) << 10);
}

void collective::packRuns(const StreamContext &context, const Run *runs,
                          size_t count, bool sendsResult, char *to) {
  for (size_t i = 0; i < count; ++i) {
    auto bytes = size_t(runs[i].count * context.elementBytes);
    const char *from =
        sendsResult ? targetOf(context.buffers, runs[i], context.elementBytes)
                    : sourceOf(context.buffers, runs[i], context.elementBytes);
    std::memcpy(to, from, bytes);
    to += bytes;
  }
}

void collective::unpackRuns(const StreamContext &context, const Run *runs,
                            size_t count, const char *from) {
  for (size_t i = 0; i < count; ++i) {
    auto bytes = size_t(runs[i].count * context.elementBytes);
    std::memcpy(targetOf(context.buffers, runs[i], context.elementBytes), from,
                bytes);
    from += bytes;
  }
}

void collective::sumRuns(const StreamContext &context, const Run *runs,
                         size_t count, std::vector<const char *> packed) {
  auto me = size_t(context.collective.place);
  std::vector<const void *> sources(packed.size());
  for (size_t i = 0; i < count; ++i) {
    for (size_t place = 0; place < packed.size(); ++place) {
      sources[place] = packed[place];
      if (place != me)
        packed[place] += runs[i].count * context.elementBytes;
    }
    sources[me] = sourceOf(context.buffers, runs[i], context.elementBytes);
    sumInOrder(context.collective.type, context.collective.isMean,
               sources.data(), int32_t(sources.size()),
               targetOf(context.buffers, runs[i], context.elementBytes),
               runs[i].count);
  }
}

static Error checkArrival(const StreamContext &context, int32_t peer,
                          int64_t expected, int64_t found) {
  if (expected == found)
    return Error::success();
  return Error(MUON_ERROR_EXECUTION,
               describe(context.collective) + ": expected " +
                   std::to_string(expected) + " bytes of rank " +
                   std::to_string(peer) + ", found " + std::to_string(found));
}

static Error drainRequest(Link &link, Link::Request &request, bool &isOver) {
  Link::Arrival arrival;
  if (request.isActive)
    if (Error error = link.test(request, arrival))
      return error;
  isOver &= !request.isActive;
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Stream
//===----------------------------------------------------------------------===//

Error Stream::begin(StreamContext &context, Slot &slot) {
  slot.message = next++;
  ++active;
  const Message &message = track->messages[slot.message];
  const Run *runs = &track->runs[message.firstRun];
  bool isDirect = message.numRuns == 1;
  if (!isDirect)
    slot.staging.reset(new char[size_t(message.bytes)]);
  if (!isSending)
    return context.link.receive(
        peer, tag,
        isDirect ? targetOf(context.buffers, *runs, context.elementBytes)
                 : slot.staging.get(),
        message.bytes, slot.request);
  const char *data = slot.staging.get();
  if (!isDirect)
    packRuns(context, runs, message.numRuns, sendsResult, slot.staging.get());
  else if (sendsResult)
    data = targetOf(context.buffers, *runs, context.elementBytes);
  else
    data = sourceOf(context.buffers, *runs, context.elementBytes);
  return context.link.send(peer, tag, data, message.bytes, slot.request);
}

Error Stream::end(StreamContext &context, Slot &slot, int64_t bytes) {
  const Message &message = track->messages[slot.message];
  --active;
  if (isSending) {
    context.traffic.bytesSent += uint64_t(message.bytes);
  } else {
    if (Error error = checkArrival(context, peer, message.bytes, bytes))
      return error;
    context.traffic.bytesReceived += uint64_t(bytes);
    if (slot.staging)
      unpackRuns(context, &track->runs[message.firstRun], message.numRuns,
                 slot.staging.get());
  }
  slot.staging.reset();
  return Error::success();
}

Error Stream::poll(StreamContext &context, bool &moved) {
  for (Slot &slot : slots) {
    if (slot.request.isActive) {
      Link::Arrival arrival;
      if (Error error = context.link.test(slot.request, arrival))
        return error;
      if (slot.request.isActive)
        continue;
      moved = true;
      if (Error error = end(context, slot, arrival.bytes))
        return error;
    }
    if (next < track->messages.size()) {
      moved = true;
      if (Error error = begin(context, slot))
        return error;
    }
  }
  return Error::success();
}

void Stream::cancel(Link &link) {
  for (Slot &slot : slots)
    if (slot.request.isActive)
      link.cancel(slot.request);
}

Error Stream::drain(Link &link, bool &isOver) {
  for (Slot &slot : slots)
    if (Error error = drainRequest(link, slot.request, isOver))
      return error;
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Reduction
//===----------------------------------------------------------------------===//

Error Reduction::begin(StreamContext &context, Slot &slot,
                       const Message &message) {
  const std::vector<int32_t> &group = context.collective.group;
  size_t ranks = group.size();
  if (slot.requests.empty()) {
    int64_t largest = 0;
    for (const Message &message : track->messages)
      largest = std::max(largest, message.bytes);
    slot.requests.resize(ranks);
    slot.staging.reset(new char[(ranks - 1) * size_t(largest)]);
  }
  char *staging = slot.staging.get();
  for (size_t place = 0; place < ranks; ++place) {
    if (place == size_t(context.collective.place))
      continue;
    if (Error error = context.link.receive(group[place], tags[place], staging,
                                           message.bytes, slot.requests[place]))
      return error;
    ++slot.pending;
    staging += message.bytes;
  }
  return Error::success();
}

Error Reduction::poll(StreamContext &context, bool &moved) {
  const std::vector<int32_t> &group = context.collective.group;
  while (next < track->messages.size() && next < summed + slots.size()) {
    size_t message = next++;
    if (Error error = begin(context, slots[message % slots.size()],
                            track->messages[message]))
      return error;
  }
  for (size_t i = summed; i < next; ++i) {
    Slot &slot = slots[i % slots.size()];
    const Message &message = track->messages[i];
    for (size_t place = 0; place < slot.requests.size(); ++place) {
      Link::Request &request = slot.requests[place];
      Link::Arrival arrival;
      if (!request.isActive)
        continue;
      if (Error error = context.link.test(request, arrival))
        return error;
      if (request.isActive)
        continue;
      moved = true;
      --slot.pending;
      if (Error error =
              checkArrival(context, group[place], message.bytes, arrival.bytes))
        return error;
      context.traffic.bytesReceived += uint64_t(arrival.bytes);
    }
  }
  if (isDone() || slots[summed % slots.size()].pending)
    return Error::success();

  const Message &message = track->messages[summed];
  std::vector<const char *> packed;
  const char *staging = slots[summed % slots.size()].staging.get();
  for (size_t place = 0; place < group.size(); ++place) {
    packed.push_back(staging);
    if (place != size_t(context.collective.place))
      staging += message.bytes;
  }
  sumRuns(context, &track->runs[message.firstRun], message.numRuns,
          std::move(packed));
  ++summed;
  moved = true;
  if (isDone())
    for (Slot &slot : slots)
      slot.staging.reset();
  return Error::success();
}

void Reduction::cancel(Link &link) {
  for (Slot &slot : slots)
    for (Link::Request &request : slot.requests)
      if (request.isActive)
        link.cancel(request);
}

Error Reduction::drain(Link &link, bool &isOver) {
  for (Slot &slot : slots)
    for (Link::Request &request : slot.requests)
      if (Error error = drainRequest(link, request, isOver))
        return error;
  return Error::success();
}

std::vector<int32_t> Reduction::missing() const {
  std::vector<int32_t> places;
  const Slot &slot = slots[summed % slots.size()];
  for (size_t place = 0; place < slot.requests.size(); ++place)
    if (slot.requests[place].isActive)
      places.push_back(int32_t(place));
  return places;
}
