//===- NcclPlace.cpp - Where ranks are, for messages ----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// NCCL does not say which rank a collective waits for. So the ranks tell each
// other, when time is over, by the connection that is not NCCL's.
//
//===----------------------------------------------------------------------===//

#include "CommunicatorNccl.h"

#include <sstream>

using namespace muon;
using namespace muon::nccl;

/// For answers, beyond the deadline.
static constexpr std::chrono::milliseconds kPatience(2000);

/// Forgets what was started before.
void Nccl::setMarks(Marks *value) {
  std::lock_guard<std::mutex> lock(placeMutex);
  marks = value;
  started.clear();
  numMoved = 0;
  if (numRuns)
    activity = "after the collectives of run " + std::to_string(numRuns);
}

void Nccl::setActivity(std::string text) {
  std::lock_guard<std::mutex> lock(placeMutex);
  activity = std::move(text);
}

std::string Nccl::Place::pack() const {
  return std::to_string(run) + ' ' + std::to_string(fingerprint) + ' ' + text;
}

bool Nccl::Place::unpack(const std::string &bytes) {
  std::istringstream stream(bytes);
  stream >> run >> fingerprint;
  const bool isGood = stream && stream.get() == ' ';
  std::getline(stream, text, '\0');
  return isGood;
}

Nccl::Place Nccl::placeOf() {
  std::lock_guard<std::mutex> lock(placeMutex);
  Place place;
  place.run = numRuns;
  const size_t over = numOver();
  if (over < started.size()) {
    const Collective &collective = *started[over].collective;
    place.fingerprint = collective::fingerprint(collective);
    place.group = collective.group;
    place.text =
        "in run " + std::to_string(numRuns) + " at " + placeText(nullptr);
  } else if (!started.empty()) {
    place.text =
        "in run " + std::to_string(numRuns) + ", " + placeText(nullptr);
  } else {
    place.text = activity;
  }
  if (place.group.empty())
    for (int32_t other = 0; other < size(); ++other)
      place.group.push_back(other);
  return place;
}

/// The first collective of the run that is not over, of those of `comm` if that
/// is not null.
std::string Nccl::placeText(Comm comm) const {
  const size_t over = numOver();
  const Started *first = nullptr, *last = nullptr;
  size_t number = 0;
  for (size_t i = 0; i < started.size(); ++i) {
    if (comm && started[i].comm != comm)
      continue;
    last = &started[i];
    if (!first && i >= over) {
      first = last;
      number = i + 1;
    }
  }
  if (!last)
    return "a step without collectives";
  if (!first)
    return "after collective " + last->text();
  if (isDirect && !marks && first != last)
    return "one of the collectives from " + first->text() + " to " +
           last->text();
  return first->text() + ", collective " + std::to_string(number) +
         " of the step";
}

/// Who has not come, as far as ranks of the collective say or do not say.
std::string Nccl::othersText() {
  const Place mine = placeOf();
  const auto answers = control->askPlaces(
      timeout.count() > 0 ? std::min(timeout, kPatience) : kPatience);
  std::vector<std::string> silent, elsewhere;
  for (int32_t other : mine.group) {
    if (other == rank())
      continue;
    Place place;
    const std::string name = "rank " + std::to_string(other);
    if (!answers[size_t(other)] || !place.unpack(*answers[size_t(other)]))
      silent.push_back(name);
    else if (place.run != mine.run || place.fingerprint != mine.fingerprint ||
             (!mine.fingerprint && place.text != mine.text))
      elsewhere.push_back(name + " is " + place.text);
  }
  std::string text;
  if (!silent.empty())
    text = listed(silent, 8) + (silent.size() > 1 ? " do" : " does") +
           " not answer: stopped, or not in a step";
  for (size_t i = 0; i < elsewhere.size() && i < 8; ++i)
    text += (text.empty() ? "" : "; ") + elsewhere[i];
  if (text.empty())
    text = "all its ranks are there, so the network does not carry it "
           "(NCCL_DEBUG=INFO)";
  return text;
}
