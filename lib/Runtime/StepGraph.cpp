//===- StepGraph.cpp - Steps of several ranks as graphs -------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Collectives of a graph are those of graphs on all ranks, captured and
// launched at the same time. So the ranks decide together: once, when the first
// run has shown that all goes well, and then before each run, since a rank
// whose tensors were bound elsewhere needs another graph, and the others with
// it.
//
//===----------------------------------------------------------------------===//

#include "CollectiveLayout.h"
#include "StepCollectives.h"

#include <random>
#include <sstream>
#include <utility>

using namespace muon;

/// Captures cost more than they save if each has one launch.
static constexpr int kMostCaptures = 4;

/// The same for ranks of one process, and else hardly ever.
static uint64_t processToken() {
  static const uint64_t token = [] {
    std::random_device random;
    return (uint64_t(random()) << 32 | random()) ^ uint64_t(random());
  }();
  return token;
}

/// The graph goes before what it uses is deregistered, and that before the
/// communicator.
void StepCollectives::letGo() {
  if (release)
    release();
  recording.reset();
  registration.reset();
  registrationText.clear();
  if (direct) {
    direct->setRelease(this, nullptr);
    direct->setMarks(nullptr);
  }
}

void StepCollectives::setRelease(std::function<void()> value) {
  release = std::move(value);
  if (direct)
    direct->setRelease(this, release);
}

/// Where buffers of a collective are, as a set.
enum Place {
  SentInside = 1,
  SentElsewhere = 2,
  ReceivedInside = 4,
  ReceivedElsewhere = 8,
  /// Its calls are not the same on all ranks.
  CutUp = 16
};

/// Whether the arena may be registered: if one rank has a buffer of a call in
/// registered memory, all have to.
static bool isAlike(int places) {
  if (places & CutUp)
    return !(places & (SentInside | ReceivedInside)) ||
           !(places & (SentElsewhere | ReceivedElsewhere));
  return (places & 3) != 3 && (places & 12) != 12;
}

void StepCollectives::locate(const Collective &collective,
                             const CollectiveBuffers &buffers) {
  if (hasConferred)
    return;
  int &place = places[collective::fingerprint(collective)];
  auto add = [&](const void *address, int inside, int elsewhere) {
    const auto *at = static_cast<const char *>(address);
    const auto *begin = static_cast<const char *>(arena);
    if (at)
      place |=
          begin && at >= begin && at < begin + arenaBytes ? inside : elsewhere;
  };
  for (size_t i = 0; i < collective.segments.size(); ++i) {
    if (!collective.segments[i].elements)
      continue;
    add(buffers.send[i], SentInside, SentElsewhere);
    add(buffers.receive[i], ReceivedInside, ReceivedElsewhere);
  }
  if (direct->isCutUp(collective))
    place |= CutUp;
}

namespace {

/// What ranks tell each other.
struct Offer {
  uint64_t token = 0;
  bool isAsked = false;
  std::string whyNot;
  struct Use {
    uint64_t fingerprint = 0;
    int place = 0;
    std::vector<int32_t> group;
  };
  std::vector<Use> uses;

  std::string pack() const {
    std::ostringstream text;
    text << token << ' ' << isAsked << ' ' << uses.size() << '\n';
    for (const Use &use : uses) {
      text << use.fingerprint << ' ' << use.place << ' ' << use.group.size();
      for (int32_t rank : use.group)
        text << ' ' << rank;
      text << '\n';
    }
    text << whyNot;
    return text.str();
  }

  bool unpack(const std::string &bytes) {
    std::istringstream text(bytes);
    size_t count = 0;
    text >> token >> isAsked >> count;
    for (size_t i = 0; i < count && text; ++i) {
      Use use;
      size_t size = 0;
      text >> use.fingerprint >> use.place >> size;
      for (size_t j = 0; j < size && text; ++j)
        text >> use.group.emplace_back();
      uses.push_back(std::move(use));
    }
    const bool isGood = text && text.get() == '\n';
    std::getline(text, whyNot, '\0');
    return isGood;
  }
};

} // namespace

/// Decides for all runs with this communicator.
Error StepCollectives::confer(const std::string &whyNot, bool isAsked) {
  Offer mine;
  mine.token = processToken();
  mine.isAsked = isAsked;
  mine.whyNot = whyNot;
  std::map<uint64_t, bool> seen;
  for (const Collective &collective : distribution.collectives) {
    const uint64_t print = collective::fingerprint(collective);
    if (places.count(print) && !std::exchange(seen[print], true))
      mine.uses.push_back({print, places[print], collective.group});
  }
  std::vector<std::string> all;
  if (Error error = communicator->exchange(mine.pack(), all))
    return error;

  // Of each group and collective, where any rank has its buffers.
  std::map<std::vector<int32_t>, std::map<uint64_t, int>> used;
  std::map<uint64_t, int32_t> processes;
  whyCalls.clear();
  for (size_t i = 0; i < all.size(); ++i) {
    Offer offer;
    if (!offer.unpack(all[i]))
      return Error(MUON_ERROR_EXECUTION,
                   "rank " + std::to_string(i) +
                       " sent what is no offer; is it of another version?");
    for (Offer::Use &use : offer.uses)
      used[std::move(use.group)][use.fingerprint] |= use.place;
    auto [other, isNew] = processes.try_emplace(offer.token, int32_t(i));
    if (!whyCalls.empty())
      continue;
    if (!offer.whyNot.empty())
      whyCalls = "rank " + std::to_string(i) + ": " + offer.whyNot;
    else if (!isNew && !offer.isAsked)
      whyCalls = "ranks " + std::to_string(other->second) + " and " +
                 std::to_string(i) +
                 " are of one process, where launches of graphs with NCCL may "
                 "wait for each other; graph=on takes that risk";
  }

  std::vector<std::vector<int32_t>> groups;
  size_t numMixed = 0, numGroups = 0;
  for (const auto &[group, collectives] : used) {
    bool isMixed = false, isInside = false;
    for (const auto &entry : collectives) {
      isMixed |= !isAlike(entry.second);
      isInside |= (entry.second & (SentInside | ReceivedInside)) != 0;
    }
    if (group.size() < 2 || !isInside)
      continue;
    numMixed += isMixed;
    if (!isMixed)
      groups.push_back(group);
  }
  const size_t numUseful = groups.size() + numMixed;
  std::string why;
  if (!groups.empty())
    if (Error error = direct->registerMemory(device, arena, arenaBytes, groups,
                                             registration, numGroups, why))
      return error;
  if (numMixed && why.empty())
    why = "others use tensors in the same calls, which the caller may free";
  if (numUseful)
    registrationText = "scratch memory registered for " +
                       std::to_string(numGroups) + " of the " +
                       std::to_string(numUseful) + " groups that use it" +
                       (why.empty() ? "" : " (" + why + ")");
  hasConferred = true;
  places.clear();
  return Error::success();
}

Error StepCollectives::choose(const std::string &whyNot, bool isAsked,
                              Way &way) {
  way = lastWay = Way::Calls;
  if (!direct || !isDirect)
    return Error::success();
  // NCCL connects the ranks when they first need it, which allocates and takes
  // long; a graph has nothing of that.
  if (!hasRun)
    return Error::success();
  if (!hasConferred) {
    if (Error error = confer(whyNot, isAsked))
      return error;
    recording.reset();
  }
  if (!whyCalls.empty())
    return Error::success();
  bool isStale = false;
  if (Error error = direct->isAnywhere(isMoved || !recording, isStale))
    return error;
  if (!isStale) {
    capturesInARow = 0;
    way = lastWay = Way::Graph;
    return Error::success();
  }
  if (capturesInARow++ == kMostCaptures) {
    whyCalls = "tensors of a rank were bound elsewhere before each of " +
               std::to_string(kMostCaptures) + " runs";
    if (release)
      release();
    return Error::success();
  }
  way = lastWay = Way::Capture;
  return Error::success();
}

void StepCollectives::beginCapture(void *on) {
  isMoved = false;
  isCapturing = true;
  refusal.clear();
  recording.reset();
  direct->beginCapture(on);
}

Error StepCollectives::endCapture(const Error &result) {
  isCapturing = false;
  direct->endCapture(refusal, recording);
  if (refusal.empty()) {
    if (!failure && !result)
      if (Error error = checkWaited())
        failure = error;
    return failure ? *failure : result;
  }
  failure.reset();
  active.clear();
  return Error::success();
}

Error StepCollectives::keep(bool &isKept) {
  std::vector<std::string> all;
  if (Error error = communicator->exchange(refusal, all))
    return error;
  for (size_t i = 0; i < all.size() && whyCalls.empty(); ++i)
    if (!all[i].empty())
      whyCalls =
          "rank " + std::to_string(i) + ": NCCL does not capture: " + all[i];
  isKept = whyCalls.empty();
  if (!isKept) {
    recording.reset();
    lastWay = Way::Calls;
  }
  return Error::success();
}

Error StepCollectives::launch(const std::function<Error()> &launch) {
  return direct->launch(*recording, launch);
}

std::string StepCollectives::describeRun() const {
  if (!traffic || !direct || !isDirect)
    return std::string();
  std::string text;
  if (lastWay != Way::Calls)
    text = "one graph with its collectives";
  else if (!hasConferred)
    text = "call by call, as the first run with a communicator";
  else
    text = "call by call: " + whyCalls;
  return registrationText.empty() ? text : text + "; " + registrationText;
}
