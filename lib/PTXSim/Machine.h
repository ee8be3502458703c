//===- Machine.h - The state of a launch ------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A launch is a grid of blocks, a block is warps, a warp is fragments: lanes
// that are at the same place in the same frame. A level above blocks (clusters)
// would own several Block objects and be stepped as one; an agent beside the
// warps (TMA, wgmma) would be one more source of Copy objects in Block::copies.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_MACHINE_H
#define MUON_MLIR_LIB_PTXSIM_MACHINE_H

#include "Code.h"
#include "Memory.h"
#include "Races.h"
#include "Random.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace muon::ptxsim {

constexpr unsigned warpSize = 32;
constexpr unsigned numBarriers = 16;
/// Memory of the host that the frames of a warp may take.
constexpr uint64_t maxFrameBytes = uint64_t(64) << 20;

struct Launch;
struct Block;
struct Context;
struct Warp;

/// Runs `body(lane)` for each lane of the mask.
template <class F>
inline void forLanes(uint32_t mask, F body) {
  for (; mask; mask &= mask - 1)
    body(unsigned(__builtin_ctz(mask)));
}

/// The registers and private memory of one call of a function, for the lanes of
/// a warp that made the call together.
struct Frame {
  Frame(const Launch &launch, const Warp &warp, const Block &block,
        const Code &code, Frame *parent, uint32_t returnPc);

  const Code &code;
  Frame *parent;
  uint32_t returnPc;
  unsigned depth;
  /// Fragments that stand in this frame, and frames that it is the parent of.
  unsigned uses = 0;
  /// 32 values of each register, at Code::offsets; a set bit of the shadow is
  /// an undefined bit, and only counts in lanes that are set in `undefined`.
  std::vector<uint8_t> values, shadow;
  std::vector<uint32_t> undefined;
  /// The line that made a register undefined; 0 if nothing ever wrote it.
  std::vector<uint32_t> origins;
  /// One bit per lane.
  std::vector<uint32_t> predicates, undefinedPredicates;
  uint32_t carry = 0;
  /// Local memory, and .param variables of the function: one lane after the
  /// other. Local memory of the frame begins at localBase for the program.
  uint64_t localBase;
  std::vector<uint8_t> local, localShadow, params, paramShadow;
};

enum class WaitKind : uint8_t { None, Barrier, Collective, Aligned };

/// Lanes of a warp at one place.
struct Fragment {
  uint32_t mask = 0;
  uint32_t pc = 0;
  Frame *frame = nullptr;
  WaitKind wait = WaitKind::None;
  /// Number of the barrier that is waited for.
  unsigned barrier = 0;
  /// Turns that were given up for the others, and steps since.
  uint32_t penalty = 0, steps = 0;
};

/// A cp.async of one lane that is not known to be complete.
struct Copy {
  uint64_t source = 0;
  uint32_t destination = 0;
  uint32_t line = 0;
  /// Of the lane; a copy is guaranteed once the lane waited for its group.
  uint32_t group = 0;
  /// Steps of the warp after which the copy is made; ~0 for: when it has to be.
  uint64_t due = 0;
  uint8_t warp = 0, lane = 0, bytes = 0, sourceBytes = 0;
  bool landed = false, active = false;
};

struct Warp {
  unsigned index = 0;
  /// Lanes that exist and did not exit.
  uint32_t live = 0;
  std::vector<Fragment> fragments;
  std::vector<std::unique_ptr<Frame>> frames;
  uint64_t frameBytes = 0;
  /// Instructions executed; the clock of the warp.
  uint64_t steps = 0;
  /// Groups of cp.async that each lane has committed.
  std::array<uint32_t, warpSize> groups{};
  /// Copies of this warp that are not known to be complete: indices into
  /// Block::copies.
  std::vector<uint32_t> copies;
  /// The least due of them, so that nothing is searched in vain.
  uint64_t nextDue = ~uint64_t(0);
  /// The allocation that was hit last.
  MemoryRange lastRange;

  bool ready() const {
    for (const Fragment &fragment : fragments)
      if (fragment.wait == WaitKind::None)
        return true;
    return false;
  }
};

/// A barrier of the block.
struct BarrierState {
  /// Threads that take part; 0 while nobody is there, ~0 for all of the block.
  uint32_t expected = 0;
  uint32_t arrived = 0;
  /// By warp: lanes that wait, lanes that only arrived.
  std::vector<uint32_t> waiting, arriving;
  /// For barrier.red: threads whose predicate is true, and all that brought
  /// one.
  uint32_t yes = 0, voters = 0;
  /// Of the first arrival.
  uint32_t line = 0;
};

/// A range of shared memory that belongs to a variable.
struct SharedRange {
  uint32_t begin = 0, end = 0;
};

struct Block {
  Block(Launch &launch, uint64_t number);
  ~Block();

  /// Runs for about `budget` warp instructions. True if the block is done.
  bool run(uint64_t budget);

  // Used by the instructions.
  void arrive(Context &context, uint32_t barrier, uint32_t count, bool waits,
              uint32_t predicate);
  void completeIfFull(unsigned barrier);
  /// Makes a copy of cp.async; the program may not rely on it yet.
  void land(Copy &copy);
  /// The lane has waited for it.
  void guarantee(Warp &warp, size_t at);

  Launch &launch;
  uint64_t number;
  Dim3 index;
  std::vector<Warp> warps;
  unsigned threads;
  /// Live threads of all warps.
  unsigned live = 0;
  std::vector<uint8_t> shared, sharedShadow;
  /// 1 + index of the copy that may still write a word; empty without cp.async.
  std::vector<uint32_t> sharedPending;
  std::vector<SharedRange> sharedRanges;
  std::vector<Copy> copies;
  std::vector<uint32_t> freeCopies;
  /// Copies that may still read, and what of global memory they lie within.
  unsigned activeCopies = 0;
  uint64_t sourcesBegin = ~uint64_t(0), sourcesEnd = 0;
  std::array<BarrierState, numBarriers> barriers;
  std::unique_ptr<BlockClocks> clocks;
  std::unique_ptr<AccessHistory> sharedHistory;
  Random random;
  Counters counters;
  uint64_t instructions = 0;
  /// A finding that ends the block.
  bool stopped = false;

private:
  /// Returns how much of the quantum it took, and more if that polled memory.
  uint64_t runWarp(Warp &warp, uint64_t quantum);
  void reportDeadlock();
};

/// What all blocks of a launch share.
struct Launch {
  Launch(const Program &program, const Code &kernel, const KernelInfo &info,
         const LaunchOptions &options, const Memory &memory,
         std::vector<uint8_t> parameters, std::vector<uint64_t> symbols)
      : program(program), compiled(*program.compiled), kernel(kernel),
        info(info), options(options), memory(memory),
        parameters(std::move(parameters)), symbols(std::move(symbols)),
        layout(compiled.shared.at(kernel.function)) {}

  const Program &program;
  const Program::Compiled &compiled;
  const Code &kernel;
  const KernelInfo &info;
  const LaunchOptions &options;
  const Memory &memory;
  /// Packed parameters of the kernel.
  std::vector<uint8_t> parameters;
  /// Address of each module variable, by Compiled::variables.
  std::vector<uint64_t> symbols;
  const SharedLayout &layout;
  std::unique_ptr<AccessHistory> globalHistory;
  /// Several threads of the host run blocks.
  bool isConcurrent = false;
  std::mutex strongMutex;
  unsigned warpsPerBlock = 0;
  uint32_t sharedBytes = 0;

  std::mutex mutex;
  std::vector<Finding> findings;
  bool truncated = false;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> instructions{0};
};

/// What an instruction sees of the machine.
struct Context {
  Launch *launch;
  Block *block;
  Warp *warp;
  Frame *frame = nullptr;
  /// Of the frame.
  uint8_t *values;
  uint8_t *shadow;
  uint32_t *undefined;
  uint32_t *predicates;
  uint32_t *undefinedPredicates;
  /// Lanes that execute it, all lanes of the fragment.
  uint32_t mask;
  uint32_t lanes;
  size_t fragment;
  /// Of the instruction, and of the next one.
  uint32_t pc;
  uint32_t next;
  /// Set by instructions that changed the fragments of the warp and have put
  /// their program counters right.
  bool switched;
  /// Set besides by those that wait for lanes and run again with them.
  bool retries;

  /// Sets all that follows from the fragment; its lanes execute.
  void enter(size_t index) {
    const Fragment &at = warp->fragments[index];
    if (at.frame != frame) {
      frame = at.frame;
      values = frame->values.data();
      shadow = frame->shadow.data();
      undefined = frame->undefined.data();
      predicates = frame->predicates.data();
      undefinedPredicates = frame->undefinedPredicates.data();
    }
    fragment = index;
    lanes = mask = at.mask;
    pc = at.pc;
    next = pc + 1;
    switched = retries = false;
  }

  const Op &op() const { return frame->code.ops[pc]; }
  template <class T>
  T *lane(uint32_t offset) const {
    return reinterpret_cast<T *>(values + offset);
  }
  template <class T>
  T *shadowLane(uint32_t offset) const {
    return reinterpret_cast<T *>(shadow + offset);
  }
};

/// Waits until all live lanes of the warp are at the instruction.
inline void waitForLanes(Context &c) {
  c.warp->fragments[c.fragment].wait = WaitKind::Aligned;
  c.switched = c.retries = true;
}

/// Reports a finding at the instruction; `lane` may be -1.
void report(Context &context, FindingKind kind, int lane, std::string message,
            Space space = Space::Generic, uint64_t address = 0,
            std::vector<std::string> notes = {});
/// The same where there is no context.
void report(Block &block, Finding finding);

/// Reports the use of a register in lanes where it is undefined, and lets it
/// count as defined from now on. `what` completes "undefined value ...".
void useUndefined(Context &context, uint32_t reg, uint32_t lanes,
                  const char *what);
void useUndefinedPredicate(Context &context, uint32_t reg, uint32_t lanes,
                           const char *what);

/// Lanes leave the program.
void exitLanes(Context &context, uint32_t lanes);
/// After lanes have exited or arrived: lets the collectives of a warp go on.
void wakeCollectives(Block &block, Warp &warp);
void dropFrame(Warp &warp, Frame *frame);

/// `line 7: shfl.sync...`, for messages.
std::string placeText(const Launch &launch, uint32_t line);
std::string hex(uint64_t value);
/// `lanes 0-15, 17`.
std::string lanesText(uint32_t lanes);

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_MACHINE_H
