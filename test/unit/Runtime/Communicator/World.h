//===- World.h - Ranks for tests of communicators ---------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_COMMUNICATOR_WORLD_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_COMMUNICATOR_WORLD_H

#include "Communicator.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace muon {

/// All ranks, of which some are in this process.
class World {
public:
  virtual ~World() = default;
  /// Of all processes.
  virtual int32_t size() const = 0;
  /// Executes `body` for the ranks of this process, at the same time. Its
  /// result is empty if all was well. Returns the other results, with ranks.
  std::string run(const std::function<std::string(Communicator &)> &body);
  /// The communicators of this process.
  std::vector<std::unique_ptr<Communicator>> communicators;
};

/// Null if there cannot be that many ranks; more may take part than asked for.
using WorldMaker = std::unique_ptr<World> (*)(int32_t ranks);

/// One collective with its memory on one rank. Values are a function of seed,
/// rank, segment and element.
class Trial {
public:
  struct Options {
    Collective::Kind kind = Collective::AllReduce;
    MuonType type = MUON_TYPE_F32;
    bool isMean = false;
    std::vector<int32_t> group;
    /// Of segments.
    std::vector<int64_t> elements;
    /// The receiving memory is the sending one, where a segment has both.
    bool isInPlace = false;
    /// All segments in one buffer.
    bool isContiguous = false;
    uint64_t seed = 1;
    std::string name = "trial";
  };

  Trial(const Options &options, int32_t rank);
  Trial(const Trial &) = delete;
  Trial &operator=(const Trial &) = delete;

  /// What is wrong with what was received, or with memory that was not to be
  /// written.
  std::string verify() const;
  /// Starts, waits and verifies.
  std::string execute(Communicator &communicator);

  Collective collective;
  CollectiveBuffers buffers;

private:
  bool has(size_t index, bool isReceived) const;
  std::vector<char> expected(size_t segment, bool &isWritten) const;

  const Options options;
  int64_t elementBytes;
  std::vector<std::vector<char>> memory;
  std::vector<std::vector<char>> before;
};

/// Bits of one element of `rank`.
std::vector<char> elementOf(const Trial::Options &options, int32_t rank,
                            size_t segment, int64_t index);

/// Rounds to nearest even and encodes, by a definition of its own.
std::vector<char> encode(MuonType type, double value);
double decode(MuonType type, const char *bits);

std::vector<int32_t> firstRanks(int32_t count);

} // namespace muon

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_COMMUNICATOR_WORLD_H
