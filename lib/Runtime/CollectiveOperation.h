//===- CollectiveOperation.h - A collective over a network ------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_COLLECTIVEOPERATION_H
#define MUON_MLIR_LIB_RUNTIME_COLLECTIVEOPERATION_H

#include "CollectiveStream.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace muon::collective {

/// The hash of a group, and the number of a collective among those of the
/// group: what messages of different ranks are matched by.
using Key = std::pair<uint64_t, uint64_t>;

/// What a rank tells every other rank of the group when it starts a
/// collective, or every rank when it stops, or when it wants to know where they
/// are.
struct Announcement {
  enum What : uint32_t { Start = 1, Abort = 2, Ask = 3, Answer = 4 };

  What what = Start;
  Key key;
  uint64_t fingerprint = 0;
  /// Of the messages that follow; those of the second phase have the next one.
  int32_t tag = 0;
  /// A description, the reason, or the answer.
  std::string text;
  std::vector<char> payload;

  std::vector<char> pack() const;
  /// False if the bytes are none.
  bool unpack(const char *data, int64_t bytes);
};

/// Of one packed announcement.
constexpr int64_t kLongestText = 2000;
constexpr int64_t kAnnouncementBytes = 64 + kLongestText + kAnnouncedBytes;
constexpr int32_t kAnnouncementTag = 0;

/// One collective on one rank, from its start to its end.
class Operation {
public:
  Operation(Link &link, const Collective &collective,
            const CollectiveBuffers &buffers, Key key);

  const Key &key() const { return ownKey; }
  const Collective &collective() const { return description; }
  const Traffic &traffic() const { return context.traffic; }

  /// Tells the others; nextTag(rank) is one that is free for that rank.
  Error begin(const std::function<int32_t(int32_t)> &nextTag);
  /// Another rank of the group started what should be the same.
  Error accept(int32_t rank, Announcement announcement);
  Error poll(bool &moved);
  bool isDone() const;

  /// Ranks that have not started it, or else those whose data is awaited.
  std::vector<int32_t> missing(bool &isStarted) const;
  void cancel();
  Error drain(bool &isOver);

private:
  struct Peer {
    /// Of ours to this peer.
    std::vector<char> announcement;
    Link::Request request;
    uint64_t announcedBytes = 0;
    int32_t tag = 0;
    /// Of theirs.
    bool hasAnnounced = false;
    int32_t theirTag = 0;
    std::vector<char> payload;

    Track incoming;
    Stream send, sendResult, receive;
    bool isReceived = false;
  };

  bool isAnnounced(const std::vector<Run> &runs) const {
    return totalBytes(runs, context.elementBytes) <= kAnnouncedBytes;
  }
  const Track &trackTo(size_t place) const {
    return toEach.size() == 1 ? toEach[0] : toEach[place];
  }
  bool hasSent(const Peer &peer) const {
    return !peer.request.isActive &&
           (!peer.send.isOpen() || peer.send.isDone());
  }
  Error pollReduction(bool &moved);
  Error pollPeer(size_t place, bool &moved);

  const Collective &description;
  const CollectiveBuffers buffers;
  const Key ownKey;
  StreamContext context;
  const Layout layout;
  const Sizes sizes;
  const uint64_t ownFingerprint;
  /// What this rank sends first, by place or the same to all.
  std::vector<Track> toEach;
  /// What this rank sums, and what it then sends, cut differently.
  Track summed, result;
  Reduction reduction;
  std::vector<Peer> peers;
  size_t numAnnounced = 0;
  bool isReduced = false, isCopied = false;
};

} // namespace muon::collective

#endif // MUON_MLIR_LIB_RUNTIME_COLLECTIVEOPERATION_H
