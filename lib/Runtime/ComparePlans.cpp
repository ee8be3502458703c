//===- ComparePlans.cpp - Whether ranks were compiled alike ---------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StepCollectives.h"
#include "Text.h"

#include <algorithm>
#include <cstring>

using namespace muon;

// FNV-1a of 64 bits, as defined by its authors (Fowler, Noll, Vo).
static constexpr uint64_t hashBasis = 0xcbf29ce484222325;

static uint64_t hash(std::string_view text, uint64_t value = hashBasis) {
  for (char c : text)
    value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return value;
}

static std::string bytesOf(const std::vector<uint64_t> &numbers) {
  std::string bytes(numbers.size() * sizeof(uint64_t), 0);
  if (!numbers.empty())
    std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return bytes;
}

/// The first line that is not the same everywhere. All ranks know the same
/// hashes, so that all go on together.
static Error findDifference(const std::vector<uint64_t> &hashes,
                            Communicator &communicator, size_t &line) {
  // Half a MiB of hashes at a time.
  constexpr size_t step = size_t(1) << 16;
  for (size_t first = 0;; first += step) {
    const size_t begin = std::min(first, hashes.size());
    const size_t end = std::min(first + step, hashes.size());
    std::vector<std::string> all;
    if (Error error = communicator.exchange(
            bytesOf({hashes.begin() + begin, hashes.begin() + end}), all))
      return error;
    const std::string &reference = all[0];
    size_t same = reference.size();
    bool differ = false, isLast = true;
    for (const std::string &other : all) {
      auto mismatch = std::mismatch(reference.begin(), reference.end(),
                                    other.begin(), other.end());
      differ |= reference != other;
      same = std::min(same, size_t(mismatch.first - reference.begin()));
      isLast &= other.size() < step * sizeof(uint64_t);
    }
    line = first + same / sizeof(uint64_t);
    if (differ || isLast)
      return Error::success();
  }
}

/// A line for a message, or that there is none: of a long one, the part where it
/// begins to differ from another. The first character tells whether it is there.
static std::string shown(const std::string &line, const std::string &other) {
  if (line[0] == '-')
    return "no line";
  constexpr size_t most = 160, before = 40;
  auto differ = std::mismatch(line.begin(), line.end(), other.begin(),
                              other.end());
  size_t from = size_t(differ.first - line.begin());
  if (line.size() <= most || from <= most)
    return quote(line.substr(1, most));
  return quote("..." + line.substr(from - before, most));
}

Error muon::comparePlans(const Distribution &distribution,
                         Communicator &communicator) {
  std::vector<std::string> lines = {"grid " + distribution.gridText()};
  lines.insert(lines.end(), distribution.plan.begin(), distribution.plan.end());
  std::vector<uint64_t> hashes;
  for (const std::string &line : lines)
    hashes.push_back(hash(line));

  std::vector<std::string> all;
  const uint64_t mine = hash(bytesOf(hashes));
  if (Error error = communicator.exchange(bytesOf({mine}), all))
    return error;
  if (std::all_of(all.begin(), all.end(),
                  [&](const std::string &other) { return other == all[0]; }))
    return Error::success();

  size_t line = 0;
  if (Error error = findDifference(hashes, communicator, line))
    return error;
  // Whole, unless it is too long to send: the difference may be at its end.
  constexpr size_t longest = 1 << 16;
  const std::string text = line < lines.size() ? lines[line].substr(0, longest)
                                               : std::string();
  const bool isThere = line < lines.size();
  if (Error error = communicator.exchange((isThere ? "+" : "-") + text, all))
    return error;
  // Whoever leaves first will end what others wait for: not before all have got
  // this far.
  std::vector<std::string> ignored;
  (void)communicator.exchange("", ignored);
  const std::string &own = all[size_t(communicator.rank())];
  auto other =
      std::find_if(all.begin(), all.end(),
                   [&](const std::string &line) { return line != own; });
  const std::string what =
      "the artifacts of the ranks do not belong together: line " +
      std::to_string(line) + " of the plan is " +
      shown(own, other == all.end() ? own : *other) + " on rank " +
      std::to_string(communicator.rank()) + " (this one)";
  if (other == all.end())
    return Error(MUON_ERROR_INVALID_ARTIFACT, what);
  return Error(MUON_ERROR_INVALID_ARTIFACT,
               what + " and " + shown(*other, own) + " on rank " +
                   std::to_string(other - all.begin()) +
                   "; compile all of them from the same input with the same "
                   "options");
}
