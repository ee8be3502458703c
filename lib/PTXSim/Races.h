//===- Races.h - Happens-before between threads -----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds data races of one launch: two accesses to a byte by different threads,
// at least one of them a write, not both atomic (strong, and within each
// other's scope), with no happens-before order between them. The order is that
// of vector clocks, one entry per thread, after C. Flanagan and S. Freund,
// "FastTrack: Efficient and Precise Dynamic Race Detection", PLDI 2009, and the
// memory consistency model of the PTX ISA. Threads of a warp are not ordered by
// running in lockstep.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_RACES_H
#define MUON_MLIR_LIB_PTXSIM_RACES_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace muon::ptxsim {

enum class Scope : uint8_t { Block, Device, System };

/// How one instruction of a warp accesses memory.
struct AccessKind {
  bool reads = false, writes = false;
  /// Not `weak`: atomics, .volatile (scope System), .relaxed, .acquire,
  /// .release.
  bool strong = false;
  /// A read-modify-write: it continues a release sequence.
  bool atomic = false;
  bool acquire = false, release = false;
  Scope scope = Scope::System;
};

/// The other access of a race.
struct RaceReport {
  /// The lane of the access that found it.
  unsigned lane = 0;
  /// The first byte that conflicts.
  uint64_t address = 0;
  uint64_t otherBlock = 0;
  /// Number of the thread in its block.
  uint32_t otherThread = 0;
  /// What was given as `instruction`.
  uint32_t otherInstruction = 0;
  bool otherWrites = false, otherStrong = false;
};

/// Accesses to a range of addresses.
class AccessHistory;

/// The knowledge of the threads of one block.
class BlockClocks {
public:
  BlockClocks(uint64_t block, unsigned numThreads);
  ~BlockClocks();

  /// `waiting` and `arriving` have one 32-bit mask of lanes per warp. All of
  /// them happen before what `waiting` do next. (bar.sync: arriving is empty.)
  void barrier(const std::vector<uint32_t> &waiting,
               const std::vector<uint32_t> &arriving);
  /// A barrier at which some threads arrive, before the others wait: what they
  /// did until now happens before what those of the next complete() do next.
  void arrive(unsigned barrier, unsigned warp, uint32_t lanes);
  void complete(unsigned barrier, const std::vector<uint32_t> &waiting);
  /// bar.warp.sync by the lanes of a warp.
  void warpBarrier(unsigned warp, uint32_t lanes);
  /// fence or membar. Acquire and release where not said otherwise.
  void fence(unsigned warp, uint32_t lanes, Scope scope, bool acquire,
             bool release);

  struct Impl;
  Impl &state() { return *impl; }

private:
  std::unique_ptr<Impl> impl;
};

/// The history of shared memory of one block (`concurrent` false) or of global
/// memory of a launch (`concurrent` true: any host thread may call it).
class AccessHistory {
public:
  explicit AccessHistory(bool concurrent);
  ~AccessHistory();

  /// Records an access of `bytes` (1 to 16) by each of `lanes` at
  /// addresses[lane]. True, with the first conflict, if it is a race; the
  /// access counts as done either way. Two lanes of one store that write the
  /// same byte race too. Lanes act in ascending order, as atomics of one warp
  /// see one another. Where host threads share a history, a strong access and
  /// its call are one step, with nothing by others to the same bytes between
  /// them: what a read sees released has to be what the memory holds.
  bool access(BlockClocks &block, unsigned warp, uint32_t lanes,
              const uint64_t *addresses, unsigned bytes, AccessKind kind,
              uint32_t instruction, RaceReport &race);

  /// A copy that a lane has issued will write here (cp.async). The write must
  /// come after what others did here before: true, with the conflict, if not.
  bool issueAsyncWrite(BlockClocks &block, unsigned warp, unsigned lane,
                       uint64_t address, unsigned bytes, uint32_t instruction,
                       RaceReport &race);
  /// The lane has waited for it: from now on the write is one of the lane.
  void completeAsyncWrite(BlockClocks &block, unsigned warp, unsigned lane,
                          uint64_t address, unsigned bytes,
                          uint32_t instruction);

  struct Impl;

private:
  std::unique_ptr<Impl> impl;
};

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_RACES_H
