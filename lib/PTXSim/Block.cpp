//===- Block.cpp - Warps of a block, and their order ----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Execute.h"

#include <algorithm>
#include <ostream>

using namespace muon::ptxsim;

//===----------------------------------------------------------------------===//
// Frames
//===----------------------------------------------------------------------===//

/// The value of a special register in a lane.
static uint64_t specialValue(const Launch &launch, const Warp &warp,
                             const Block &block, Special special,
                             uint32_t component, unsigned lane) {
  const Dim3 &size = launch.options.block, &grid = launch.options.grid;
  auto of = [&](const Dim3 &dim) {
    return component == 0 ? dim.x : component == 1 ? dim.y : dim.z;
  };
  switch (special) {
  case Special::Tid: {
    uint32_t thread = warp.index * warpSize + lane;
    Dim3 tid{thread % size.x, thread / size.x % size.y,
             thread / size.x / size.y};
    return of(tid);
  }
  case Special::Ntid:
    return of(size);
  case Special::Ctaid:
    return of(block.index);
  case Special::Nctaid:
    return of(grid);
  case Special::LaneId:
    return lane;
  case Special::WarpId:
    return warp.index;
  case Special::NWarpId:
    return launch.warpsPerBlock;
  case Special::SmId:
    return block.number % 108;
  case Special::NSmId:
    return 108;
  case Special::GridId:
    return 1;
  case Special::LaneMaskEq:
    return uint32_t(1) << lane;
  case Special::LaneMaskLt:
    return (uint32_t(1) << lane) - 1;
  case Special::LaneMaskLe:
    return (uint64_t(2) << lane) - 1;
  case Special::LaneMaskGt:
    return ~uint32_t((uint64_t(2) << lane) - 1);
  case Special::LaneMaskGe:
    return ~((uint32_t(1) << lane) - 1);
  case Special::TotalSmemSize:
    return launch.info.resources.staticSharedBytes +
           launch.options.dynamicSharedBytes;
  case Special::DynamicSmemSize:
    return launch.options.dynamicSharedBytes;
  default:
    return 0;
  }
}

Frame::Frame(const Launch &launch, const Warp &warp, const Block &block,
             const Code &code, Frame *parent, uint32_t returnPc)
    : code(code), parent(parent), returnPc(returnPc),
      depth(parent ? parent->depth + 1 : 0), values(code.valueBytes, 0xcb),
      shadow(code.valueBytes, 0xff), undefined(code.offsets.size(), ~0u),
      origins(code.offsets.size(), 0), predicates(code.numPredicates, 0),
      undefinedPredicates(code.numPredicates, ~0u),
      localBase(parent ? parent->localBase + parent->code.localBytes : 0),
      local(size_t(code.localBytes) * warpSize, 0xcb),
      localShadow(size_t(code.localBytes) * warpSize, 0xff),
      params(size_t(code.paramBytes) * warpSize, 0xcb),
      paramShadow(size_t(code.paramBytes) * warpSize, 0xff) {
  undefinedPredicates[code.falsePredicate] = 0;
  undefinedPredicates[code.truePredicate] = 0;
  predicates[code.truePredicate] = ~0u;
  auto fill = [&](const Ref &ref, auto &&valueOf) {
    undefined[ref.reg] = 0;
    unsigned width = code.widths[ref.reg];
    for (unsigned l = 0; l < warpSize; ++l) {
      uint64_t value = valueOf(l);
      std::memcpy(values.data() + ref.offset + size_t(l) * width, &value,
                  width);
    }
  };
  for (const Code::Constant &constant : code.constants)
    fill(constant.ref, [&](unsigned) { return constant.bits; });
  for (const Code::SpecialRegister &special : code.specials)
    fill(special.ref, [&](unsigned l) {
      return specialValue(launch, warp, block, special.special,
                          special.component, l);
    });
  for (const Code::SymbolConstant &symbol : code.symbols) {
    uint64_t address = uint64_t(symbol.addend);
    const Variable *variable = symbol.variable;
    switch (variable->space) {
    case Space::Shared: {
      auto found = launch.layout.offsets.find(variable);
      address += found == launch.layout.offsets.end() ? 0 : found->second;
      break;
    }
    case Space::Local:
      address += localBase + code.localOffsets.at(variable);
      break;
    case Space::Param:
      address += variable->offset;
      break;
    default: {
      auto found = launch.compiled.variables.find(variable);
      address += launch.symbols[found->second];
      break;
    }
    }
    fill(symbol.ref, [&](unsigned) { return address; });
  }
  if (parent)
    ++parent->uses;
}

void muon::ptxsim::dropFrame(Warp &warp, Frame *frame) {
  while (frame && --frame->uses == 0) {
    Frame *parent = frame->parent;
    for (size_t i = warp.frames.size(); i-- > 0;)
      if (warp.frames[i].get() == frame) {
        warp.frameBytes -= frame->code.frameBytes();
        warp.frames.erase(warp.frames.begin() + long(i));
        break;
      }
    frame = parent;
  }
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

Block::Block(Launch &launch, uint64_t number)
    : launch(launch), number(number),
      threads(unsigned(launch.options.block.count())),
      random(launch.options.seed * 0x9e3779b97f4a7c15 + number * 2 + 1) {
  const Dim3 &grid = launch.options.grid;
  index.x = uint32_t(number % grid.x);
  index.y = uint32_t(number / grid.x % grid.y);
  index.z = uint32_t(number / grid.x / grid.y);
  live = threads;
  const SharedLayout &layout = launch.layout;
  uint32_t dynamic = launch.options.dynamicSharedBytes;
  size_t bytes = (size_t(layout.dynamicOffset) + dynamic + 15) / 16 * 16;
  shared.assign(bytes, 0xcb);
  sharedShadow.assign(bytes, 0xff);
  for (const auto &[begin, end] : layout.ranges)
    sharedRanges.push_back({begin, end});
  if (dynamic)
    sharedRanges.push_back(
        {layout.dynamicOffset, layout.dynamicOffset + dynamic});
  if (launch.compiled.usesAsync.at(launch.kernel.function))
    sharedPending.assign(bytes / 4, 0);
  for (BarrierState &barrier : barriers) {
    barrier.waiting.assign(launch.warpsPerBlock, 0);
    barrier.arriving.assign(launch.warpsPerBlock, 0);
  }
  if (launch.options.detectRaces) {
    clocks = std::make_unique<BlockClocks>(number, threads);
    sharedHistory = std::make_unique<AccessHistory>(false);
  }
  warps.resize(launch.warpsPerBlock);
  for (unsigned w = 0; w < launch.warpsPerBlock; ++w) {
    Warp &warp = warps[w];
    warp.index = w;
    unsigned lanes = std::min(threads - w * warpSize, warpSize);
    warp.live = lanes == 32 ? ~0u : (uint32_t(1) << lanes) - 1;
    warp.frames.push_back(std::make_unique<Frame>(launch, warp, *this,
                                                  launch.kernel, nullptr, 0));
    Frame *frame = warp.frames.back().get();
    frame->uses = 1;
    warp.frameBytes = launch.kernel.frameBytes();
    Fragment fragment;
    fragment.mask = warp.live;
    fragment.frame = frame;
    warp.fragments.push_back(fragment);
  }
}

Block::~Block() = default;

/// Whether fragment a stands before b: at the first call that they do not
/// share, the lesser program counter.
static bool isBefore(const Fragment &a, const Fragment &b) {
  const Frame *fa = a.frame, *fb = b.frame;
  if (fa == fb)
    return a.pc < b.pc;
  uint32_t pa = a.pc, pb = b.pc;
  bool aInside = false, bInside = false;
  while (fa->depth > fb->depth) {
    pa = fa->returnPc - 1;
    fa = fa->parent;
    aInside = true;
  }
  while (fb->depth > fa->depth) {
    pb = fb->returnPc - 1;
    fb = fb->parent;
    bInside = true;
  }
  while (fa != fb) {
    pa = fa->returnPc - 1;
    fa = fa->parent;
    pb = fb->returnPc - 1;
    fb = fb->parent;
  }
  if (pa != pb)
    return pa < pb;
  // Inside a call goes before those that have yet to make it.
  return aInside && !bInside;
}

/// The fragment to run: the one that stands first, so that the others are met
/// where they wait. A fragment that ran for long while others could gives them
/// a turn: they may hold what it waits for.
static size_t selectFragment(const Warp &warp) {
  size_t best = ~size_t(0);
  for (size_t i = 0; i < warp.fragments.size(); ++i) {
    const Fragment &candidate = warp.fragments[i];
    if (candidate.wait != WaitKind::None)
      continue;
    if (best == ~size_t(0)) {
      best = i;
      continue;
    }
    const Fragment &current = warp.fragments[best];
    if (candidate.penalty != current.penalty
            ? candidate.penalty < current.penalty
            : isBefore(candidate, current))
      best = i;
  }
  return best;
}

/// Strong reads count as so many steps of a block's turn.
static constexpr uint64_t pollingCost = 31;
/// Steps of one fragment while another could run. Lanes that part in this way
/// may not meet again soon, so that it takes long, or many reads.
static constexpr uint32_t turn = 1 << 18;
static constexpr uint32_t turnCost[] = {1, turn / 64, turn / 8};

/// Fragments at the same place become one. Turns count on: in a loop that waits
/// for a lock, lanes part and meet all the time.
static void merge(Warp &warp) {
  for (size_t i = 0; i + 1 < warp.fragments.size(); ++i)
    for (size_t j = i + 1; j < warp.fragments.size();) {
      Fragment &a = warp.fragments[i], &b = warp.fragments[j];
      auto canMerge = [](const Fragment &f) {
        return f.wait == WaitKind::None || f.wait == WaitKind::Aligned;
      };
      if (a.frame != b.frame || a.pc != b.pc || !canMerge(a) || !canMerge(b)) {
        ++j;
        continue;
      }
      a.mask |= b.mask;
      a.wait = WaitKind::None;
      a.penalty = std::max(a.penalty, b.penalty);
      a.steps = std::max(a.steps, b.steps);
      --b.frame->uses;
      warp.fragments.erase(warp.fragments.begin() + long(j));
    }
  if (warp.fragments.size() == 1) {
    warp.fragments[0].penalty = 0;
    warp.fragments[0].steps = 0;
  }
}

static void trace(const Context &c, const Op &op, uint32_t mask) {
  std::ostream &out = *c.launch->options.trace;
  out << "block " << c.block->number << " warp " << c.warp->index << " mask "
      << hex(mask) << "  " << placeText(*c.launch, op.line) << '\n';
}

uint64_t Block::runWarp(Warp &warp, uint64_t quantum) {
  Context c;
  c.launch = &launch;
  c.block = this;
  c.warp = &warp;
  std::ostream *tracing = launch.options.trace;
  uint64_t steps = 0, before = warp.steps;
  while (steps < quantum && !warp.fragments.empty()) {
    size_t index =
        warp.fragments.size() == 1
            ? (warp.fragments[0].wait == WaitKind::None ? 0 : ~size_t(0))
            : selectFragment(warp);
    if (index == ~size_t(0))
      break;
    c.enter(index);
    const Op &op = c.op();
    if (op.guard != noRegister) {
      if (uint32_t lanes = c.undefinedPredicates[op.guard] & c.mask)
        useUndefinedPredicate(c, op.guard, lanes, "in a branch or guard");
      uint32_t guard = c.predicates[op.guard];
      c.mask &= op.guardNegated ? ~guard : guard;
    }
    ++steps;
    ++warp.steps;
    if (tracing)
      trace(c, op, c.mask);
    uint32_t mask = c.mask;
    if (mask)
      op.run(c, op);
    // Lanes that wait for the rest of the warp come back to the instruction.
    if (op.counted && !c.retries) {
      unsigned cls = unsigned(op.cls);
      ++counters.warpInstructions[cls];
      counters.threadInstructions[cls] +=
          mask == ~uint32_t(0) ? warpSize : unsigned(__builtin_popcount(mask));
    }
    // What waits for other threads reads memory again and again. It soon gives
    // way, to other lanes and to other blocks.
    steps += op.polls ? pollingCost : 0;
    if (!c.switched)
      warp.fragments[index].pc = c.next;
    else
      c.frame = nullptr;
    if (warp.fragments.size() > 1) {
      if (index < warp.fragments.size()) {
        Fragment &after = warp.fragments[index];
        if (after.steps >= turn) {
          after.steps = 0;
          ++after.penalty;
        } else {
          after.steps += turnCost[op.polls];
        }
      }
      merge(warp);
    }
    if (__builtin_expect(warp.steps >= warp.nextDue, 0)) {
      warp.nextDue = ~uint64_t(0);
      for (uint32_t at : warp.copies) {
        Copy &copy = copies[at];
        if (copy.landed)
          continue;
        if (copy.due <= warp.steps)
          land(copy);
        else
          warp.nextDue = std::min(warp.nextDue, copy.due);
      }
    }
    if (stopped)
      break;
  }
  instructions += warp.steps - before;
  return steps;
}

bool Block::run(uint64_t budget) {
  uint64_t used = 0;
  std::vector<unsigned> ready;
  while (live && !stopped && used < budget) {
    if (launch.stop.load(std::memory_order_relaxed))
      return true;
    ready.clear();
    for (const Warp &warp : warps)
      if (warp.ready())
        ready.push_back(warp.index);
    if (ready.empty()) {
      reportDeadlock();
      return true;
    }
    Warp &warp = warps[ready[random.below(uint32_t(ready.size()))]];
    // Mostly long enough to be cheap, at times as short as can be.
    uint64_t quantum =
        random.below(8) ? 16 + random.below(240) : 1 + random.below(4);
    used += runWarp(warp, quantum);
  }
  return !live || stopped;
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

void Block::arrive(Context &c, uint32_t barrier, uint32_t count, bool waits,
                   uint32_t predicate) {
  BarrierState &state = barriers[barrier];
  Warp &warp = *c.warp;
  const Op &op = c.op();
  uint32_t expected = count ? count : ~uint32_t(0);
  uint32_t lanes = c.mask;
  if (state.expected && state.expected != expected)
    report(c, FindingKind::BarrierMisuse, __builtin_ctz(lanes),
           "expected " +
               (state.expected == ~0u ? std::string("all threads")
                                      : std::to_string(state.expected)) +
               " at barrier " + std::to_string(barrier) +
               " as those that came first, found " +
               (expected == ~0u ? std::string("all threads")
                                : std::to_string(expected)),
           Space::Generic, 0,
           {"the first arrival: " + placeText(launch, state.line)});
  if (!state.expected) {
    state.expected = expected;
    state.line = op.line;
  }
  if (uint32_t again =
          lanes & (state.waiting[warp.index] | state.arriving[warp.index]))
    report(c, FindingKind::BarrierMisuse, __builtin_ctz(again),
           "arrived twice at barrier " + std::to_string(barrier) +
               " before it was complete");
  (waits ? state.waiting : state.arriving)[warp.index] |= lanes;
  // A warp counts as 32 threads even if it has fewer.
  bool aligned = op.detail & 2;
  state.arrived +=
      count && aligned ? warpSize : unsigned(__builtin_popcount(lanes));
  state.yes += unsigned(__builtin_popcount(predicate));
  state.voters += unsigned(__builtin_popcount(lanes));
  if (clocks && !waits)
    clocks->arrive(barrier, warp.index, lanes);
  if (state.expected != ~0u && state.arrived > state.expected)
    report(c, FindingKind::BarrierMisuse, __builtin_ctz(lanes),
           "expected " + std::to_string(state.expected) +
               " threads at barrier " + std::to_string(barrier) + ", found " +
               std::to_string(state.arrived));
  completeIfFull(barrier);
}

void Block::completeIfFull(unsigned barrier) {
  BarrierState &state = barriers[barrier];
  if (!state.expected)
    return;
  if (state.expected == ~uint32_t(0)) {
    for (const Warp &warp : warps)
      if (warp.live & ~(state.waiting[warp.index] | state.arriving[warp.index]))
        return;
  } else if (state.arrived < state.expected) {
    return;
  }
  if (clocks)
    clocks->complete(barrier, state.waiting);
  for (Warp &warp : warps)
    for (Fragment &fragment : warp.fragments) {
      if (fragment.wait != WaitKind::Barrier || fragment.barrier != barrier)
        continue;
      const Op &op = fragment.frame->code.ops[fragment.pc];
      if (op.detail & 4) {
        Frame &frame = *fragment.frame;
        uint32_t lanes = fragment.mask;
        if (op.outPredicate != noRegister) {
          bool is = op.source->has(Modifier::And) ? state.yes == state.voters
                                                  : state.yes != 0;
          uint32_t &predicate = frame.predicates[op.outPredicate];
          predicate = (predicate & ~lanes) | (is ? lanes : 0);
          frame.undefinedPredicates[op.outPredicate] &= ~lanes;
        } else if (op.args[0]) {
          auto *values = reinterpret_cast<uint32_t *>(frame.values.data() +
                                                      op.args[0].offset);
          for (unsigned l = 0; l < warpSize; ++l)
            if (lanes >> l & 1)
              values[l] = state.yes;
          frame.undefined[op.args[0].reg] &= ~lanes;
        }
      }
      fragment.wait = WaitKind::None;
      ++fragment.pc;
    }
  unsigned warpCount = launch.warpsPerBlock;
  state = BarrierState();
  state.waiting.assign(warpCount, 0);
  state.arriving.assign(warpCount, 0);
}

//===----------------------------------------------------------------------===//
// Asynchronous copies
//===----------------------------------------------------------------------===//

void Block::land(Copy &copy) {
  if (copy.landed)
    return;
  copy.landed = true;
  uint8_t *to = shared.data() + copy.destination;
  uint8_t *toShadow = sharedShadow.data() + copy.destination;
  std::memset(to, 0, copy.bytes);
  std::memset(toShadow, 0, copy.bytes);
  if (!copy.sourceBytes)
    return;
  const MemoryRange *range = launch.memory.find(copy.source, copy.sourceBytes);
  if (!range)
    return;
  std::memcpy(to, range->data + (copy.source - range->begin), copy.sourceBytes);
  if (range->shadow)
    std::memcpy(toShadow, range->shadow + (copy.source - range->begin),
                copy.sourceBytes);
}

void Block::guarantee(Warp &warp, size_t at) {
  uint32_t index = warp.copies[at];
  warp.copies[at] = warp.copies.back();
  warp.copies.pop_back();
  Copy &copy = copies[index];
  land(copy);
  for (unsigned word = 0; word < copy.bytes / 4u; ++word)
    if (sharedPending[copy.destination / 4 + word] == index + 1)
      sharedPending[copy.destination / 4 + word] = 0;
  if (clocks)
    sharedHistory->completeAsyncWrite(*clocks, copy.warp, copy.lane,
                                      copy.destination, copy.bytes, copy.line);
  copy.active = false;
  if (copy.sourceBytes && --activeCopies == 0) {
    sourcesBegin = ~uint64_t(0);
    sourcesEnd = 0;
  }
  freeCopies.push_back(index);
}

//===----------------------------------------------------------------------===//
// Deadlock
//===----------------------------------------------------------------------===//

void Block::reportDeadlock() {
  stopped = true;
  Finding finding;
  finding.kind = FindingKind::Deadlock;
  finding.message = "no thread of the block can go on";
  // Lanes that cannot meet are what to look at; without any it is a deadlock.
  struct Cause {
    FindingKind kind;
    const Warp *warp;
    const Fragment *fragment;
    std::string message;
  };
  std::vector<Cause> causes;
  const Fragment *at = nullptr;
  const Warp *of = nullptr;
  auto take = [&](FindingKind kind, const Warp &warp, const Fragment &fragment,
                  std::string message) {
    if (kind != FindingKind::Deadlock) {
      causes.push_back({kind, &warp, &fragment, std::move(message)});
    } else if (!at) {
      at = &fragment;
      of = &warp;
    }
  };
  for (const Warp &warp : warps) {
    for (const Fragment &fragment : warp.fragments) {
      const Op &op = fragment.frame->code.ops[fragment.pc];
      std::string note = "warp " + std::to_string(warp.index) + ", " +
                         lanesText(fragment.mask) + ": ";
      switch (fragment.wait) {
      case WaitKind::Barrier: {
        const BarrierState &state = barriers[fragment.barrier];
        note += "waits at barrier " + std::to_string(fragment.barrier);
        if (state.expected == ~0u) {
          unsigned arrived = 0;
          for (const Warp &other : warps)
            arrived += unsigned(
                __builtin_popcount(other.live & (state.waiting[other.index] |
                                                 state.arriving[other.index])));
          note += ", where " + std::to_string(arrived) + " of " +
                  std::to_string(live) + " threads are";
        } else {
          note += ", where " + std::to_string(state.arrived) + " of " +
                  std::to_string(state.expected) + " threads are";
        }
        take(FindingKind::Deadlock, warp, fragment, "");
        break;
      }
      case WaitKind::Aligned: {
        uint32_t missing = warp.live & ~fragment.mask;
        note += "waits for " + lanesText(missing) +
                " to execute the same "
                "instruction";
        bool barrier = op.source && op.source->opcode() == Opcode::Barrier;
        take(barrier ? FindingKind::BarrierMisuse : FindingKind::WarpDivergence,
             warp, fragment,
             "all lanes of the warp have to execute it together, but " +
                 lanesText(missing) + " are elsewhere");
        break;
      }
      case WaitKind::Collective: {
        const Ref &ref = op.args[op.target];
        const auto *masks = reinterpret_cast<const uint32_t *>(
            fragment.frame->values.data() + ref.offset);
        uint32_t named = masks[__builtin_ctz(fragment.mask)] & warp.live;
        note += "waits for " + lanesText(named & ~fragment.mask);
        take(FindingKind::WarpDivergence, warp, fragment,
             "lanes of its mask do not execute it: " +
                 lanesText(named & ~fragment.mask));
        break;
      }
      case WaitKind::None:
        break;
      }
      note += " (" + placeText(launch, op.line) + ")";
      if (finding.notes.size() < 32)
        finding.notes.push_back(std::move(note));
    }
  }
  finding.kernel = launch.info.name;
  finding.block = index;
  if (causes.empty())
    causes.push_back({FindingKind::Deadlock, of, at, finding.message});
  for (Cause &cause : causes) {
    finding.kind = cause.kind;
    finding.message = std::move(cause.message);
    finding.line = cause.fragment->frame->code.ops[cause.fragment->pc].line;
    finding.warp = int(cause.warp->index);
    finding.lane = __builtin_ctz(cause.fragment->mask);
    uint32_t thread = cause.warp->index * warpSize + uint32_t(finding.lane);
    const Dim3 &size = launch.options.block;
    finding.thread = {thread % size.x, thread / size.x % size.y,
                      thread / size.x / size.y};
    report(*this, finding);
  }
}
