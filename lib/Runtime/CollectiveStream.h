//===- CollectiveStream.h - Messages of one collective ----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_COLLECTIVESTREAM_H
#define MUON_MLIR_LIB_RUNTIME_COLLECTIVESTREAM_H

#include "CollectiveLayout.h"
#include "CollectiveLink.h"

#include <array>
#include <memory>
#include <vector>

namespace muon::collective {

/// Sizes that follow from the number of ranks alone, so that all ranks choose
/// the same. Memory for data on its way through a collective of n ranks: at
/// most 64 MiB, or n − 1 times 64 KiB if that is more; and one announcement
/// from and to each other rank.
struct Sizes {
  explicit Sizes(size_t ranks);
  /// Of messages that are summed, and of those that hold several runs.
  int64_t summed, packed;
};

/// Data that fits travels in the announcement of its collective.
constexpr int64_t kAnnouncedBytes = 16384;

/// What the streams of a collective have in common.
struct StreamContext {
  Link &link;
  const Collective &collective;
  const CollectiveBuffers &buffers;
  int64_t elementBytes;
  /// As counted while data moves.
  Traffic traffic;
};

/// Runs cut into messages.
struct Track {
  std::vector<Run> runs;
  std::vector<Message> messages;

  Track() = default;
  Track(std::vector<Run> runs, int64_t elementBytes, int64_t messageBytes,
        int64_t packedBytes)
      : runs(std::move(runs)),
        messages(cutIntoMessages(this->runs, elementBytes, messageBytes,
                                 packedBytes)) {}
};

using Staging = std::unique_ptr<char[]>;

void packRuns(const StreamContext &context, const Run *runs, size_t count,
              bool sendsResult, char *to);
void unpackRuns(const StreamContext &context, const Run *runs, size_t count,
                const char *from);

/// Messages of one track to or from one rank, two at a time.
class Stream {
public:
  Stream() = default;
  /// `sendsResult`: of an all_reduce, rather than what it started from.
  Stream(const Track &track, int32_t peer, int32_t tag, bool isSending,
         bool sendsResult)
      : track(&track), peer(peer), tag(tag), isSending(isSending),
        sendsResult(sendsResult) {}

  bool isOpen() const { return track; }
  bool isDone() const { return next == track->messages.size() && !active; }
  Error poll(StreamContext &context, bool &moved);
  void cancel(Link &link);
  Error drain(Link &link, bool &isOver);

private:
  struct Slot {
    Link::Request request;
    size_t message = 0;
    Staging staging;
  };

  Error begin(StreamContext &context, Slot &slot);
  Error end(StreamContext &context, Slot &slot, int64_t bytes);

  const Track *track = nullptr;
  int32_t peer = -1, tag = 0;
  bool isSending = false, sendsResult = false;
  size_t next = 0, active = 0;
  std::array<Slot, 2> slots;
};

/// Sums what this rank owns, message by message, from all ranks.
class Reduction {
public:
  Reduction() = default;
  /// tags[place] is the tag of what the rank at that place sends.
  Reduction(const Track &track, std::vector<int32_t> tags)
      : track(&track), tags(std::move(tags)) {}

  bool isOpen() const { return track; }
  bool isDone() const { return summed == track->messages.size(); }
  Error poll(StreamContext &context, bool &moved);
  void cancel(Link &link);
  Error drain(Link &link, bool &isOver);
  /// Places whose data is awaited.
  std::vector<int32_t> missing() const;

private:
  struct Slot {
    /// By place.
    std::vector<Link::Request> requests;
    size_t pending = 0;
    Staging staging;
  };

  Error begin(StreamContext &context, Slot &slot, const Message &message);

  const Track *track = nullptr;
  std::vector<int32_t> tags;
  size_t next = 0, summed = 0;
  std::array<Slot, 2> slots;
};

/// Sums `count` runs that the others sent packed: packed[place], unused for
/// this rank's place.
void sumRuns(const StreamContext &context, const Run *runs, size_t count,
             std::vector<const char *> packed);

} // namespace muon::collective

#endif // MUON_MLIR_LIB_RUNTIME_COLLECTIVESTREAM_H
