//===- CollectiveLayout.cpp - What goes where in a collective -------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CollectiveLayout.h"

#include "Text.h"

#include <algorithm>
#include <cstring>

using namespace muon;
using namespace muon::collective;

int64_t collective::sizeOf(MuonType type) {
  switch (type) {
  case MUON_TYPE_F32:
    return 4;
  case MUON_TYPE_BF16:
  case MUON_TYPE_F16:
    return 2;
  case MUON_TYPE_F64:
    return 8;
  default:
    return 0;
  }
}

static const char *nameOf(MuonType type) {
  switch (type) {
  case MUON_TYPE_F32:
    return "f32";
  case MUON_TYPE_BF16:
    return "bf16";
  case MUON_TYPE_F16:
    return "f16";
  case MUON_TYPE_F64:
    return "f64";
  default:
    return "unknown type";
  }
}

static const char *nameOf(Collective::Kind kind) {
  switch (kind) {
  case Collective::AllReduce:
    return "all_reduce";
  case Collective::ReduceScatter:
    return "reduce_scatter";
  case Collective::AllGather:
    return "all_gather";
  case Collective::AllToAll:
    return "all_to_all";
  }
  return "unknown kind";
}

static bool isReduction(Collective::Kind kind) {
  return kind == Collective::AllReduce || kind == Collective::ReduceScatter;
}

std::string collective::groupText(const std::vector<int32_t> &group) {
  constexpr size_t shown = 16;
  std::string text = "[";
  for (size_t i = 0; i < std::min(group.size(), shown); ++i) {
    if (i)
      text += ", ";
    text += std::to_string(group[i]);
  }
  if (group.size() > shown)
    text += ", and " + std::to_string(group.size() - shown) + " more";
  return text + "]";
}

std::string collective::describe(const Collective &collective) {
  // Nobody may have checked the numbers yet: without a sign they cannot
  // overflow.
  uint64_t elements = 0;
  for (const Collective::Segment &segment : collective.segments)
    elements += uint64_t(segment.elements);
  std::string text = nameOf(collective.kind);
  text += " " + quote(collective.name) + " (" + nameOf(collective.type) + ", ";
  if (isReduction(collective.kind))
    text += collective.isMean ? "mean, " : "sum, ";
  return text + std::to_string(elements * uint64_t(sizeOf(collective.type))) +
         " bytes) of group " + groupText(collective.group);
}

std::string collective::timeOutText(const Collective &collective,
                                    std::chrono::milliseconds timeout,
                                    const std::vector<int32_t> &missing,
                                    bool isStarted) {
  std::string text = describe(collective) + " timed out after " +
                     numberText(double(timeout.count()) / 1000) + " s: ";
  text += missing.size() == 1 ? "rank " : "ranks ";
  text += groupText(missing);
  if (isStarted)
    return text + " started it and did not go on";
  return text + (missing.size() == 1 ? " has" : " have") + " not started it";
}

std::string collective::destroyedText(const std::string &description) {
  return "the communicator was destroyed before the end of " + description;
}

namespace {

/// Mixes 64 bits at a time: lists of segments are long.
class Hash {
public:
  void add(uint64_t value) {
    state = (state ^ value) * 0x9e3779b97f4a7c15;
    state ^= state >> 32;
  }
  void add(const void *data, size_t bytes) {
    add(bytes);
    auto *next = static_cast<const char *>(data);
    while (bytes) {
      uint64_t word = 0;
      size_t part = std::min(bytes, sizeof(word));
      std::memcpy(&word, next, part);
      add(word);
      next += part;
      bytes -= part;
    }
  }
  uint64_t get() const { return state; }

private:
  uint64_t state = 0x6d756f6e;
};

} // namespace

uint64_t collective::hashBytes(const void *data, size_t bytes) {
  Hash hash;
  hash.add(data, bytes);
  return hash.get();
}

uint64_t collective::hashGroup(const std::vector<int32_t> &group) {
  return hashBytes(group.data(), group.size() * sizeof(int32_t));
}

uint64_t collective::fingerprint(const Collective &collective) {
  Hash hash;
  hash.add(uint64_t(collective.kind));
  hash.add(uint64_t(collective.type));
  hash.add(isReduction(collective.kind) && collective.isMean);
  hash.add(collective.name.data(), collective.name.size());
  hash.add(hashGroup(collective.group));
  for (const Collective::Segment &segment : collective.segments) {
    hash.add(uint64_t(segment.elements));
    hash.add(uint64_t(uint32_t(segment.from)) << 32 | uint32_t(segment.to));
  }
  return hash.get();
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

static Error refuse(const Collective &collective, const std::string &what) {
  return Error(MUON_ERROR_INVALID_ARGUMENT, describe(collective) + ": " + what);
}

static Error checkGroup(const Collective &collective, int32_t rank,
                        int32_t size) {
  const std::vector<int32_t> &group = collective.group;
  if (group.empty())
    return refuse(collective, "expected at least 1 rank in the group");
  std::vector<int32_t> sorted = group;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.front() < 0 || sorted.back() >= size)
    return refuse(collective,
                  "expected ranks below " + std::to_string(size) +
                      " in the group, found " +
                      std::to_string(sorted.front() < 0 ? sorted.front()
                                                        : sorted.back()));
  auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    return refuse(collective,
                  "rank " + std::to_string(*twice) + " is in the group twice");
  if (collective.place < 0 || size_t(collective.place) >= group.size() ||
      group[size_t(collective.place)] != rank)
    return refuse(collective, "expected the place of rank " +
                                  std::to_string(rank) + ", found " +
                                  std::to_string(collective.place));
  return Error::success();
}

Error collective::check(const Collective &collective,
                        const CollectiveBuffers &buffers, int32_t rank,
                        int32_t size) {
  if (!sizeOf(collective.type))
    return refuse(collective, "expected f32, bf16, f16 or f64");
  if (Error error = checkGroup(collective, rank, size))
    return error;
  size_t count = collective.segments.size();
  if (count > INT32_MAX)
    return refuse(collective, "too many segments");
  if (buffers.send.size() != count || buffers.receive.size() != count)
    return refuse(collective,
                  "expected an address for each of " + std::to_string(count) +
                      " segments, found " +
                      std::to_string(buffers.send.size()) + " to send and " +
                      std::to_string(buffers.receive.size()) + " to receive");

  auto hasTo = [](Collective::Kind kind) {
    return kind == Collective::ReduceScatter || kind == Collective::AllToAll;
  };
  auto hasFrom = [](Collective::Kind kind) {
    return kind == Collective::AllGather || kind == Collective::AllToAll;
  };
  auto isPlace = [&](int32_t place, bool isThere) {
    return isThere ? place >= 0 && size_t(place) < collective.group.size()
                   : place == -1;
  };
  int64_t elements = 0;
  for (size_t i = 0; i < count; ++i) {
    const Collective::Segment &segment = collective.segments[i];
    auto at = [&] { return "segment " + std::to_string(i) + ": "; };
    if (segment.elements < 0 || segment.elements > INT64_MAX / 8 - elements)
      return refuse(collective, at() + "expected a number of elements, found " +
                                    std::to_string(segment.elements));
    elements += segment.elements;
    if (!isPlace(segment.from, hasFrom(collective.kind)) ||
        !isPlace(segment.to, hasTo(collective.kind)))
      return refuse(collective, at() +
                                    "these are no places of the group: from " +
                                    std::to_string(segment.from) + ", to " +
                                    std::to_string(segment.to));
    if (!segment.elements)
      continue;
    bool isSent =
        isReduction(collective.kind) || segment.from == collective.place;
    bool isReceived =
        collective.kind == Collective::AllReduce ||
        (hasTo(collective.kind) ? segment.to == collective.place : !isSent);
    if (isSent && !buffers.send[i])
      return refuse(collective, at() + "no address to send from");
    if (isReceived && !buffers.receive[i])
      return refuse(collective, at() + "no address to receive to");
  }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Runs and messages
//===----------------------------------------------------------------------===//

Run collective::partOf(const Collective &collective, int32_t segment,
                       int32_t place) {
  int64_t elements = collective.segments[size_t(segment)].elements;
  auto ranks = int64_t(collective.group.size());
  int64_t least = elements / ranks, more = elements % ranks;
  return {segment, place * least + std::min<int64_t>(place, more),
          least + (place < more)};
}

Layout::Layout(const Collective &collective)
    : isReducing(isReduction(collective.kind)),
      isMoving(collective.kind != Collective::ReduceScatter),
      isPairwise(collective.kind == Collective::AllToAll),
      me(collective.place) {
  auto ranks = int32_t(collective.group.size());
  if (isPairwise) {
    to.resize(size_t(ranks));
    from.resize(size_t(ranks));
  } else {
    byPlace.resize(size_t(ranks));
  }
  for (size_t i = 0; i < collective.segments.size(); ++i) {
    const Collective::Segment &segment = collective.segments[i];
    if (!segment.elements)
      continue;
    Run run = {int32_t(i), 0, segment.elements};
    switch (collective.kind) {
    case Collective::AllReduce:
      for (int32_t place = 0; place < ranks; ++place) {
        Run part = partOf(collective, run.segment, place);
        if (part.count)
          byPlace[size_t(place)].push_back(part);
      }
      break;
    case Collective::ReduceScatter:
      byPlace[size_t(segment.to)].push_back(run);
      break;
    case Collective::AllGather:
      byPlace[size_t(segment.from)].push_back(run);
      break;
    case Collective::AllToAll:
      if (segment.from == me)
        to[size_t(segment.to)].push_back(run);
      if (segment.to == me)
        from[size_t(segment.from)].push_back(run);
      break;
    }
  }
}

const std::vector<Run> &Layout::movesTo(int32_t place) const {
  return isPairwise ? to[size_t(place)] : byPlace[size_t(me)];
}

const std::vector<Run> &Layout::movesFrom(int32_t place) const {
  return isPairwise ? from[size_t(place)] : byPlace[size_t(place)];
}

std::vector<Message> collective::cutIntoMessages(std::vector<Run> &runs,
                                                 int64_t elementBytes,
                                                 int64_t messageBytes,
                                                 int64_t packedBytes) {
  std::vector<Run> cut;
  std::vector<Message> messages;
  bool isOpen = false;
  for (Run run : runs) {
    int64_t bytes = run.count * elementBytes;
    if (bytes < packedBytes) {
      if (!isOpen || messages.back().bytes + bytes > packedBytes)
        messages.push_back({cut.size(), 0, 0});
      isOpen = true;
      cut.push_back(run);
      ++messages.back().numRuns;
      messages.back().bytes += bytes;
      continue;
    }
    isOpen = false;
    int64_t most = messageBytes / elementBytes;
    while (run.count) {
      Run piece = {run.segment, run.begin, std::min(run.count, most)};
      messages.push_back({cut.size(), 1, piece.count * elementBytes});
      cut.push_back(piece);
      run.begin += piece.count;
      run.count -= piece.count;
    }
  }
  runs = std::move(cut);
  return messages;
}

int64_t collective::totalBytes(const std::vector<Run> &runs,
                               int64_t elementBytes) {
  int64_t elements = 0;
  for (const Run &run : runs)
    elements += run.count;
  return elements * elementBytes;
}

void collective::copyLocally(const Collective &collective, const Layout &layout,
                             const CollectiveBuffers &buffers) {
  if (layout.hasReduction() || !layout.hasMoves())
    return;
  int64_t size = sizeOf(collective.type);
  for (const Run &run : layout.movesFrom(collective.place)) {
    if (!buffers.receive[size_t(run.segment)])
      continue;
    const char *source = sourceOf(buffers, run, size);
    char *target = targetOf(buffers, run, size);
    if (source != target)
      std::memcpy(target, source, size_t(run.count * size));
  }
}
