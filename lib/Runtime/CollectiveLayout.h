//===- CollectiveLayout.h - What goes where in a collective -----*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_COLLECTIVELAYOUT_H
#define MUON_MLIR_LIB_RUNTIME_COLLECTIVELAYOUT_H

#include "Communicator.h"

#include <cstddef>

namespace muon::collective {

/// A run of elements of a segment.
struct Run {
  int32_t segment;
  int64_t begin, count;
};

/// Consecutive runs that travel together.
struct Message {
  size_t firstRun, numRuns;
  int64_t bytes;
};

int64_t sizeOf(MuonType type);

/// "all_gather 'weights 0' (bf16, 1536 bytes) of group [0, 2]".
std::string describe(const Collective &collective);
std::string groupText(const std::vector<int32_t> &group);

/// `missing` ranks have not started it, or if all have, did not go on.
std::string timeOutText(const Collective &collective,
                        std::chrono::milliseconds timeout,
                        const std::vector<int32_t> &missing, bool isStarted);
/// Of a rank that leaves others alone with what it started.
std::string destroyedText(const std::string &description);

uint64_t hashBytes(const void *data, size_t bytes);
uint64_t hashGroup(const std::vector<int32_t> &group);

/// Over what all ranks of the group have to agree on, the name included.
uint64_t fingerprint(const Collective &collective);

/// Whether rank number `rank` of `size` can take part with these buffers.
Error check(const Collective &collective, const CollectiveBuffers &buffers,
            int32_t rank, int32_t size);

/// Elements of a segment that place number `place` reduces in an all_reduce.
Run partOf(const Collective &collective, int32_t segment, int32_t place);

/// The runs that each pair of ranks exchanges. A collective has up to two
/// phases: every place sums what it owns, from what all have; then what one
/// place has moves to others. Both ends of a transfer derive the same runs.
class Layout {
public:
  explicit Layout(const Collective &collective);

  bool hasReduction() const { return isReducing; }
  bool hasMoves() const { return isMoving; }

  /// What `place` sums.
  const std::vector<Run> &reducedBy(int32_t place) const {
    return byPlace[size_t(place)];
  }
  /// What moves from this rank to `place`, which may be this rank.
  const std::vector<Run> &movesTo(int32_t place) const;
  /// What moves from `place` to this rank.
  const std::vector<Run> &movesFrom(int32_t place) const;

private:
  bool isReducing, isMoving, isPairwise;
  int32_t me;
  /// Of the owner: what it sums, or what it gives to everybody.
  std::vector<std::vector<Run>> byPlace;
  /// all_to_all.
  std::vector<std::vector<Run>> to, from;
};

/// Cuts runs into messages: a run of at least `packedBytes` is alone in its
/// message and cut at `messageBytes`, smaller ones are put together up to
/// `packedBytes`. `runs` becomes the runs after cutting. Both are multiples of
/// 8.
std::vector<Message> cutIntoMessages(std::vector<Run> &runs,
                                     int64_t elementBytes, int64_t messageBytes,
                                     int64_t packedBytes);

int64_t totalBytes(const std::vector<Run> &runs, int64_t elementBytes);

/// Where a run lies on this rank.
inline const char *sourceOf(const CollectiveBuffers &buffers, const Run &run,
                            int64_t elementBytes) {
  return static_cast<const char *>(buffers.send[size_t(run.segment)]) +
         run.begin * elementBytes;
}
inline char *targetOf(const CollectiveBuffers &buffers, const Run &run,
                      int64_t elementBytes) {
  return static_cast<char *>(buffers.receive[size_t(run.segment)]) +
         run.begin * elementBytes;
}

/// Copies what this rank itself has and is to receive.
void copyLocally(const Collective &collective, const Layout &layout,
                 const CollectiveBuffers &buffers);

} // namespace muon::collective

#endif // MUON_MLIR_LIB_RUNTIME_COLLECTIVELAYOUT_H
