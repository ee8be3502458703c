//===- CollectiveOperation.cpp - A collective over a network --------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CollectiveOperation.h"

#include <algorithm>
#include <cstring>

using namespace muon;
using namespace muon::collective;

//===----------------------------------------------------------------------===//
// Announcement
//===----------------------------------------------------------------------===//

namespace {

struct Header {
  uint64_t magic = 0x316e6f756d6c6f63;
  uint32_t what = 0;
  int32_t tag = 0;
  uint64_t group = 0, sequence = 0, fingerprint = 0;
  uint32_t textBytes = 0, payloadBytes = 0;
};
static_assert(sizeof(Header) <= 64);

} // namespace

std::vector<char> Announcement::pack() const {
  Header header;
  header.what = what;
  header.tag = tag;
  header.group = key.first;
  header.sequence = key.second;
  header.fingerprint = fingerprint;
  header.textBytes = uint32_t(std::min<size_t>(text.size(), kLongestText));
  header.payloadBytes = uint32_t(payload.size());
  std::vector<char> bytes(sizeof(header));
  std::memcpy(bytes.data(), &header, sizeof(header));
  bytes.insert(bytes.end(), text.begin(), text.begin() + header.textBytes);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

bool Announcement::unpack(const char *data, int64_t bytes) {
  Header header;
  if (bytes < int64_t(sizeof(header)))
    return false;
  std::memcpy(&header, data, sizeof(header));
  if (header.magic != Header().magic ||
      bytes !=
          int64_t(sizeof(header)) + header.textBytes + header.payloadBytes ||
      header.what < Start || header.what > Answer || header.tag < 0 ||
      header.tag >= Link::kLargestTag)
    return false;
  what = What(header.what);
  tag = header.tag;
  key = {header.group, header.sequence};
  fingerprint = header.fingerprint;
  data += sizeof(header);
  text.assign(data, header.textBytes);
  payload.assign(data + header.textBytes,
                 data + header.textBytes + header.payloadBytes);
  return true;
}

//===----------------------------------------------------------------------===//
// Operation
//===----------------------------------------------------------------------===//

Operation::Operation(Link &link, const Collective &collective,
                     const CollectiveBuffers &buffers, Key key)
    : description(collective), buffers(buffers), ownKey(key),
      context{link, description, this->buffers, sizeOf(collective.type), {}},
      layout(collective), sizes(collective.group.size()),
      ownFingerprint(collective::fingerprint(collective)),
      peers(collective.group.size()) {
  context.traffic.collectives = 1;
  int64_t size = context.elementBytes;
  auto moving = [&](const std::vector<Run> &runs) {
    return Track(runs, size, Link::kLargestMessage, sizes.packed);
  };
  auto reducing = [&](const std::vector<Run> &runs) {
    return Track(runs, size, sizes.summed, sizes.packed);
  };
  if (layout.hasReduction()) {
    for (size_t place = 0; place < peers.size(); ++place)
      toEach.push_back(reducing(layout.reducedBy(int32_t(place))));
    summed = toEach[size_t(collective.place)];
    if (layout.hasMoves())
      result = moving(layout.movesTo(collective.place));
  } else if (collective.kind == Collective::AllGather) {
    toEach.push_back(moving(layout.movesTo(collective.place)));
  } else {
    for (size_t place = 0; place < peers.size(); ++place)
      toEach.push_back(moving(layout.movesTo(int32_t(place))));
  }
  if (layout.hasMoves())
    for (size_t place = 0; place < peers.size(); ++place)
      if (place != size_t(collective.place))
        peers[place].incoming = moving(layout.movesFrom(int32_t(place)));
}

Error Operation::begin(const std::function<int32_t(int32_t)> &nextTag) {
  Announcement announcement;
  announcement.key = ownKey;
  announcement.fingerprint = ownFingerprint;
  announcement.text = describe(description);
  for (size_t place = 0; place < peers.size(); ++place) {
    if (place == size_t(description.place))
      continue;
    Peer &peer = peers[place];
    int32_t rank = description.group[place];
    announcement.tag = nextTag(rank);
    peer.tag = announcement.tag;
    const Track &track = trackTo(place);
    announcement.payload.clear();
    if (isAnnounced(track.runs)) {
      peer.announcedBytes =
          uint64_t(totalBytes(track.runs, context.elementBytes));
      announcement.payload.resize(peer.announcedBytes);
      packRuns(context, track.runs.data(), track.runs.size(),
               /*sendsResult=*/false, announcement.payload.data());
    } else {
      peer.send = Stream(track, rank, announcement.tag, /*isSending=*/true,
                         /*sendsResult=*/false);
    }
    peer.announcement = announcement.pack();
    if (Error error =
            context.link.send(rank, kAnnouncementTag, peer.announcement.data(),
                              int64_t(peer.announcement.size()), peer.request))
      return error;
  }
  return Error::success();
}

Error Operation::accept(int32_t rank, Announcement announcement) {
  const std::vector<int32_t> &group = description.group;
  auto place =
      size_t(std::find(group.begin(), group.end(), rank) - group.begin());
  if (announcement.fingerprint != ownFingerprint || place == group.size())
    return Error(MUON_ERROR_EXECUTION,
                 "ranks do not start the same collectives: rank " +
                     std::to_string(rank) + " started " + announcement.text +
                     " where this rank started " + describe(description));
  Peer &peer = peers[place];
  const std::vector<Run> &runs =
      layout.hasReduction() ? summed.runs : peer.incoming.runs;
  int64_t expected =
      isAnnounced(runs) ? totalBytes(runs, context.elementBytes) : 0;
  if (peer.hasAnnounced || int64_t(announcement.payload.size()) != expected)
    return Error(MUON_ERROR_INTERNAL, describe(description) +
                                          ": unexpected announcement of rank " +
                                          std::to_string(rank));
  peer.hasAnnounced = true;
  peer.theirTag = announcement.tag;
  ++numAnnounced;
  context.traffic.bytesReceived += uint64_t(expected);
  if (layout.hasReduction()) {
    peer.payload = std::move(announcement.payload);
  } else if (isAnnounced(runs)) {
    unpackRuns(context, runs.data(), runs.size(), announcement.payload.data());
    peer.isReceived = true;
  }
  return Error::success();
}

Error Operation::pollReduction(bool &moved) {
  if (isReduced || numAnnounced + 1 != peers.size())
    return Error::success();
  if (isAnnounced(summed.runs)) {
    std::vector<const char *> packed;
    for (Peer &peer : peers)
      packed.push_back(peer.payload.data());
    sumRuns(context, summed.runs.data(), summed.runs.size(), std::move(packed));
    isReduced = true;
    moved = true;
    return Error::success();
  }
  if (!reduction.isOpen()) {
    std::vector<int32_t> tags;
    for (Peer &peer : peers)
      tags.push_back(peer.theirTag);
    reduction = Reduction(summed, std::move(tags));
  }
  if (Error error = reduction.poll(context, moved))
    return error;
  isReduced = reduction.isDone();
  return Error::success();
}

Error Operation::pollPeer(size_t place, bool &moved) {
  Peer &peer = peers[place];
  int32_t rank = description.group[place];
  if (peer.request.isActive) {
    Link::Arrival arrival;
    if (Error error = context.link.test(peer.request, arrival))
      return error;
    if (!peer.request.isActive) {
      moved = true;
      context.traffic.bytesSent += peer.announcedBytes;
      std::vector<char>().swap(peer.announcement);
    }
  }
  if (peer.send.isOpen() && !peer.send.isDone())
    if (Error error = peer.send.poll(context, moved))
      return error;
  if (!layout.hasMoves())
    return Error::success();

  if (layout.hasReduction() && isReduced && !peer.sendResult.isOpen())
    peer.sendResult = Stream(result, rank, peer.tag + 1, /*isSending=*/true,
                             /*sendsResult=*/true);
  if (peer.sendResult.isOpen() && !peer.sendResult.isDone())
    if (Error error = peer.sendResult.poll(context, moved))
      return error;

  if (peer.isReceived || !peer.hasAnnounced)
    return Error::success();
  // The result may lie where this rank still sends from.
  if (!peer.receive.isOpen() && (!layout.hasReduction() || hasSent(peer)))
    peer.receive = Stream(peer.incoming, rank,
                          peer.theirTag + (layout.hasReduction() ? 1 : 0),
                          /*isSending=*/false, /*sendsResult=*/false);
  if (!peer.receive.isOpen())
    return Error::success();
  if (Error error = peer.receive.poll(context, moved))
    return error;
  peer.isReceived = peer.receive.isDone();
  return Error::success();
}

Error Operation::poll(bool &moved) {
  if (!isCopied) {
    copyLocally(description, layout, buffers);
    isCopied = true;
    moved = true;
  }
  if (layout.hasReduction())
    if (Error error = pollReduction(moved))
      return error;
  for (size_t place = 0; place < peers.size(); ++place)
    if (place != size_t(description.place))
      if (Error error = pollPeer(place, moved))
        return error;
  return Error::success();
}

bool Operation::isDone() const {
  if (!isCopied || numAnnounced + 1 != peers.size() ||
      (layout.hasReduction() && !isReduced))
    return false;
  for (size_t place = 0; place < peers.size(); ++place) {
    const Peer &peer = peers[place];
    if (place == size_t(description.place))
      continue;
    if (!hasSent(peer) || (layout.hasMoves() && !peer.isReceived))
      return false;
    if (layout.hasMoves() && layout.hasReduction() &&
        (!peer.sendResult.isOpen() || !peer.sendResult.isDone()))
      return false;
  }
  return true;
}

std::vector<int32_t> Operation::missing(bool &isStarted) const {
  std::vector<int32_t> ranks, awaited;
  for (size_t place = 0; place < peers.size(); ++place) {
    const Peer &peer = peers[place];
    int32_t rank = description.group[place];
    if (place == size_t(description.place))
      continue;
    if (!peer.hasAnnounced)
      ranks.push_back(rank);
    else if (!hasSent(peer) || (layout.hasMoves() && !peer.isReceived) ||
             (peer.sendResult.isOpen() && !peer.sendResult.isDone()))
      awaited.push_back(rank);
  }
  isStarted = ranks.empty();
  if (!isStarted)
    return ranks;
  if (awaited.empty() && reduction.isOpen())
    for (int32_t place : reduction.missing())
      awaited.push_back(description.group[size_t(place)]);
  return awaited;
}

void Operation::cancel() {
  reduction.cancel(context.link);
  for (Peer &peer : peers) {
    peer.send.cancel(context.link);
    peer.sendResult.cancel(context.link);
    peer.receive.cancel(context.link);
  }
}

Error Operation::drain(bool &isOver) {
  Link &link = context.link;
  if (Error error = reduction.drain(link, isOver))
    return error;
  for (Peer &peer : peers) {
    for (Stream *stream : {&peer.send, &peer.sendResult, &peer.receive})
      if (Error error = stream->drain(link, isOver))
        return error;
    Link::Arrival arrival;
    if (peer.request.isActive)
      if (Error error = link.test(peer.request, arrival))
        return error;
    isOver &= !peer.request.isActive;
  }
  return Error::success();
}
