//===- ExecuteWarp.cpp - Lanes that work together -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A collective (shfl.sync, vote.sync, ...) waits until all lanes of its mask
// that have not exited execute one with the same modifiers and the same mask,
// not necessarily the same instruction. Lanes that come early wait as a
// fragment.
//
//===----------------------------------------------------------------------===//

#include "Execute.h"

#include <algorithm>

using namespace muon::ptxsim;

namespace {

using M = Modifier;

/// What lanes bring to a collective, and what they get.
struct Exchange {
  uint64_t a[warpSize];
  uint32_t b[warpSize], c[warpSize];
  /// Undefined bits of a, and the line they come from.
  uint64_t undefined[warpSize];
  uint32_t origin = 0;
  uint32_t predicate = 0;

  uint64_t result[warpSize];
  uint64_t resultUndefined[warpSize];
  uint32_t resultPredicate = 0;
};

/// op.target is the number of the operand with the mask.
const Ref &maskOperand(const Op &op) { return op.args[op.target]; }

void gather(Context &c, const Op &op, uint32_t lanes, Exchange &x) {
  switch (op.source->opcode()) {
  case Opcode::Shfl:
  case Opcode::Match:
  case Opcode::Redux: {
    const Ref &a = op.args[1];
    bool copies = op.source->opcode() == Opcode::Shfl;
    if (uint32_t undefined = c.undefined[a.reg] & lanes) {
      if (!copies)
        useUndefined(c, a.reg, undefined, "as an operand");
      else
        x.origin = c.frame->origins[a.reg];
    }
    forLanes(lanes, [&](unsigned l) {
      x.a[l] = a.width == 8 ? c.lane<uint64_t>(a.offset)[l]
                            : c.lane<uint32_t>(a.offset)[l];
      x.undefined[l] = copies && (c.undefined[a.reg] >> l & 1)
                           ? c.shadowLane<uint32_t>(a.offset)[l]
                           : 0;
    });
    if (copies)
      for (unsigned i = 2; i < 4; ++i) {
        if (uint32_t undefined = c.undefined[op.args[i].reg] & lanes)
          useUndefined(c, op.args[i].reg, undefined, "as an operand");
        forLanes(lanes, [&](unsigned l) {
          (i == 2 ? x.b : x.c)[l] = c.lane<uint32_t>(op.args[i].offset)[l];
        });
      }
    break;
  }
  case Opcode::Vote:
    x.predicate |= predicateOf(c, op.predicate, op.predicateNegated) & lanes;
    break;
  default:
    break;
  }
}

void shuffle(const Op &op, uint32_t lanes, Exchange &x) {
  forLanes(lanes, [&](unsigned l) {
    unsigned offset = x.b[l] & 31;
    unsigned clamp = x.c[l] & 31, segments = (x.c[l] >> 8) & 31;
    int most = int((l & segments) | (clamp & ~segments));
    int least = int(l & segments);
    int from;
    bool inside;
    if (op.source->has(M::Up)) {
      // For .up the clamp is a lower bound.
      from = int(l) - int(offset);
      inside = from >= most;
    } else if (op.source->has(M::Down)) {
      from = int(l) + int(offset);
      inside = from <= most;
    } else if (op.source->has(M::Bfly)) {
      from = int(l ^ offset);
      inside = from <= most;
    } else {
      from = least | int(offset & ~segments);
      inside = from <= most;
    }
    if (!inside)
      from = int(l);
    x.resultPredicate |= uint32_t(inside) << l;
    if (lanes >> from & 1) {
      x.result[l] = x.a[from];
      x.resultUndefined[l] = x.undefined[from];
    } else {
      // The value of a lane that does not take part is undefined.
      x.result[l] = 0;
      x.resultUndefined[l] = 0xffffffffu;
      x.origin = op.line;
    }
  });
}

void reduce(const Op &op, uint32_t lanes, Exchange &x) {
  bool isSignedType = op.source->types[0] == Type::S32;
  uint32_t sum = 0;
  bool first = true;
  forLanes(lanes, [&](unsigned l) {
    uint32_t value = uint32_t(x.a[l]);
    if (first)
      sum = value;
    else if (op.source->has(M::Add))
      sum += value;
    else if (op.source->has(M::And))
      sum &= value;
    else if (op.source->has(M::Or))
      sum |= value;
    else if (op.source->has(M::Xor))
      sum ^= value;
    else if (op.source->has(M::Min))
      sum = isSignedType ? uint32_t(std::min(int32_t(sum), int32_t(value)))
                         : std::min(sum, value);
    else
      sum = isSignedType ? uint32_t(std::max(int32_t(sum), int32_t(value)))
                         : std::max(sum, value);
    first = false;
  });
  forLanes(lanes, [&](unsigned l) { x.result[l] = sum; });
}

void compute(const Op &op, uint32_t lanes, Exchange &x) {
  std::fill(x.resultUndefined, x.resultUndefined + warpSize, 0);
  switch (op.source->opcode()) {
  case Opcode::Shfl:
    return shuffle(op, lanes, x);
  case Opcode::Redux:
    return reduce(op, lanes, x);
  case Opcode::Vote: {
    uint32_t yes = x.predicate & lanes;
    if (op.source->has(M::Ballot)) {
      forLanes(lanes, [&](unsigned l) { x.result[l] = yes; });
      return;
    }
    bool is = op.source->has(M::All)   ? yes == lanes
              : op.source->has(M::Any) ? yes != 0
                                       : yes == 0 || yes == lanes;
    x.resultPredicate = is ? lanes : 0;
    return;
  }
  case Opcode::Match: {
    bool allEqual = true;
    uint64_t reference = x.a[__builtin_ctz(lanes)];
    forLanes(lanes, [&](unsigned l) {
      uint32_t equal = 0;
      forLanes(lanes, [&](unsigned other) {
        equal |= uint32_t(x.a[l] == x.a[other]) << other;
      });
      x.result[l] = equal;
      allEqual &= x.a[l] == reference;
    });
    if (op.source->has(M::All)) {
      forLanes(lanes, [&](unsigned l) { x.result[l] = allEqual ? lanes : 0; });
      x.resultPredicate = allEqual ? lanes : 0;
    }
    return;
  }
  case Opcode::Elect: {
    unsigned leader = unsigned(__builtin_ctz(lanes));
    forLanes(lanes, [&](unsigned l) { x.result[l] = leader; });
    x.resultPredicate = uint32_t(1) << leader;
    return;
  }
  default:
    return;
  }
}

void scatter(Context &c, const Op &op, uint32_t lanes, const Exchange &x) {
  uint32_t before = c.mask;
  c.mask = lanes;
  bool hasResult =
      !(op.source->opcode() == Opcode::Vote && !op.source->has(M::Ballot)) &&
      op.source->opcode() != Opcode::WarpBarrier;
  if (hasResult && op.args[0]) {
    uint32_t values[warpSize] = {}, bits[warpSize] = {};
    forLanes(lanes, [&](unsigned l) {
      values[l] = uint32_t(x.result[l]);
      bits[l] = uint32_t(x.resultUndefined[l]);
    });
    put(c.lane<uint32_t>(op.args[0].offset), values, lanes);
    setUndefinedBits(c, op.args[0], bits, x.origin);
  }
  setPredicate(c, op.outPredicate, x.resultPredicate);
  c.mask = before;
}

/// Lanes of one fragment that execute the same collective with the same mask.
struct Participant {
  size_t fragment;
  uint32_t lanes;
};

Context contextOf(Block &block, Warp &warp, size_t fragment, uint32_t lanes) {
  Context c;
  c.launch = &block.launch;
  c.block = &block;
  c.warp = &warp;
  c.enter(fragment);
  c.mask = lanes;
  return c;
}

/// Order and counts of a collective whose lanes are all there.
void perform(Block &block, Warp &warp,
             const std::vector<Participant> &participants) {
  Exchange x;
  uint32_t lanes = 0;
  const Op *first = nullptr;
  for (const Participant &participant : participants) {
    Context c = contextOf(block, warp, participant.fragment, participant.lanes);
    first = first ? first : &c.op();
    gather(c, c.op(), participant.lanes, x);
    lanes |= participant.lanes;
  }
  compute(*first, lanes, x);
  for (const Participant &participant : participants) {
    Context c = contextOf(block, warp, participant.fragment, participant.lanes);
    scatter(c, c.op(), participant.lanes, x);
  }
  if (first->source->opcode() == Opcode::WarpBarrier && block.clocks)
    block.clocks->warpBarrier(warp.index, lanes);
}

void collective(Context &c, const Op &op) {
  const Ref &ref = maskOperand(op);
  if (uint32_t lanes = c.undefined[ref.reg] & c.mask)
    useUndefined(c, ref.reg, lanes, "as a mask of lanes");
  const uint32_t *masks = c.lane<uint32_t>(ref.offset);
  bool uniform = true;
  uint32_t members = masks[__builtin_ctz(c.mask)];
  uint32_t outside = 0;
  forLanes(c.mask, [&](unsigned l) {
    uniform &= masks[l] == members;
    outside |= uint32_t(!(masks[l] >> l & 1)) << l;
  });
  if (outside) {
    report(c, FindingKind::WarpDivergence, __builtin_ctz(outside),
           "executed by " + lanesText(outside) +
               ", which its mask of lanes does not name");
    // They go on as if they had been alone.
    Exchange x;
    gather(c, op, outside, x);
    forLanes(outside, [&](unsigned l) {
      Exchange one = x;
      compute(op, uint32_t(1) << l, one);
      scatter(c, op, uint32_t(1) << l, one);
    });
    c.mask &= ~outside;
    if (!c.mask)
      return;
    members = masks[__builtin_ctz(c.mask)];
  }
  if (uniform && (members & c.warp->live) == c.mask) {
    Exchange x;
    gather(c, op, c.mask, x);
    compute(op, c.mask, x);
    scatter(c, op, c.mask, x);
    if (op.source->opcode() == Opcode::WarpBarrier && c.block->clocks)
      c.block->clocks->warpBarrier(c.warp->index, c.mask);
    return;
  }
  // The lanes that execute it wait; those that do not go on.
  Warp &warp = *c.warp;
  uint32_t rest = c.lanes & ~c.mask;
  Fragment &own = warp.fragments[c.fragment];
  own.mask = c.mask;
  own.wait = WaitKind::Collective;
  if (rest) {
    Fragment other = own;
    other.mask = rest;
    other.wait = WaitKind::None;
    other.pc = c.pc + 1;
    ++other.frame->uses;
    warp.fragments.push_back(other);
  }
  c.switched = true;
  wakeCollectives(*c.block, warp);
}

void activeMask(Context &c, const Op &op) {
  forLanes(c.mask, [&](unsigned l) {
    c.lane<uint32_t>(op.args[0].offset)[l] = c.mask;
  });
  setDefined(c, op.args[0].reg);
}

//===----------------------------------------------------------------------===//
// Barriers of the block
//===----------------------------------------------------------------------===//

/// op.detail: bit 0: waits, bit 1: all lanes of the warp have to be there, bit
/// 2: reduces. op.target: the number of the operand with the barrier's number.
void blockBarrier(Context &c, const Op &op) {
  if (op.detail & 2) {
    if (c.mask != c.lanes) {
      report(c, FindingKind::BarrierMisuse, __builtin_ctz(c.lanes & ~c.mask),
             "all lanes of the warp have to execute it, but its predicate is "
             "false in " +
                 lanesText(c.lanes & ~c.mask));
      // The hardware knows no lanes here: the warp arrives.
      c.mask = c.lanes;
    }
    if (c.lanes != c.warp->live) {
      waitForLanes(c);
      return;
    }
  }
  uint32_t numbers[2] = {0, 0};
  for (unsigned i = 0; i < 2; ++i) {
    const Ref &ref = op.args[op.target + i];
    if (!ref)
      continue;
    if (uint32_t lanes = c.undefined[ref.reg] & c.mask)
      useUndefined(c, ref.reg, lanes, "as a barrier's number or count");
    const uint32_t *values = c.lane<uint32_t>(ref.offset);
    numbers[i] = values[__builtin_ctz(c.mask)];
    forLanes(c.mask, [&](unsigned l) {
      if (values[l] != numbers[i])
        report(c, FindingKind::InvalidOperand, int(l),
               "expected the same barrier and count in all lanes, found " +
                   std::to_string(values[l]) + " and " +
                   std::to_string(numbers[i]));
    });
  }
  if (numbers[0] >= numBarriers) {
    report(c, FindingKind::InvalidOperand, __builtin_ctz(c.mask),
           "expected a barrier from 0 to 15, found " +
               std::to_string(numbers[0]));
    return;
  }
  if (numbers[1] % warpSize) {
    report(c, FindingKind::BarrierMisuse, __builtin_ctz(c.mask),
           "expected a number of threads that is a multiple of 32, found " +
               std::to_string(numbers[1]));
    return;
  }
  bool waits = op.detail & 1;
  if (!waits && !numbers[1]) {
    report(c, FindingKind::BarrierMisuse, __builtin_ctz(c.mask),
           "arrive needs the number of threads that take part, found 0");
    return;
  }
  uint32_t predicate = 0;
  if (op.detail & 4)
    predicate = predicateOf(c, op.predicate, op.predicateNegated) & c.mask;
  Warp &warp = *c.warp;
  if (waits) {
    uint32_t rest = c.lanes & ~c.mask;
    if (rest) {
      Fragment other = warp.fragments[c.fragment];
      other.mask = rest;
      other.pc = c.pc + 1;
      ++other.frame->uses;
      warp.fragments.push_back(other);
    }
    Fragment &own = warp.fragments[c.fragment];
    own.mask = c.mask;
    own.wait = WaitKind::Barrier;
    own.barrier = numbers[0];
    c.switched = true;
    ++c.block->counters.barrierWaits;
  }
  c.block->arrive(c, numbers[0], numbers[1], waits, predicate);
}

} // namespace

void muon::ptxsim::wakeCollectives(Block &block, Warp &warp) {
  bool changed = true;
  while (changed) {
    changed = false;
    for (size_t f = 0; f < warp.fragments.size() && !changed; ++f) {
      if (warp.fragments[f].wait != WaitKind::Collective)
        continue;
      Context c = contextOf(block, warp, f, warp.fragments[f].mask);
      const Op &op = c.op();
      const uint32_t *masks = c.lane<uint32_t>(maskOperand(op).offset);
      // Each mask that lanes of this fragment have.
      for (uint32_t rest = c.mask; rest && !changed;) {
        uint32_t members = masks[__builtin_ctz(rest)];
        std::vector<Participant> participants;
        uint32_t present = 0;
        for (size_t g = 0; g < warp.fragments.size(); ++g) {
          if (warp.fragments[g].wait != WaitKind::Collective)
            continue;
          Context d = contextOf(block, warp, g, warp.fragments[g].mask);
          const Op &other = d.op();
          if (other.source->form != op.source->form ||
              !(other.source->modifiers == op.source->modifiers) ||
              other.source->types != op.source->types)
            continue;
          const uint32_t *theirs = d.lane<uint32_t>(maskOperand(other).offset);
          uint32_t same = 0;
          forLanes(d.mask, [&](unsigned l) {
            same |= uint32_t(theirs[l] == members) << l;
          });
          if (same)
            participants.push_back({g, same});
          present |= same;
          if (g == f)
            rest &= ~same;
        }
        if (present != (members & warp.live))
          continue;
        perform(block, warp, participants);
        for (const Participant &participant : participants) {
          Fragment &fragment = warp.fragments[participant.fragment];
          if (participant.lanes == fragment.mask) {
            fragment.wait = WaitKind::None;
            ++fragment.pc;
            continue;
          }
          Fragment going = fragment;
          fragment.mask &= ~participant.lanes;
          going.mask = participant.lanes;
          going.wait = WaitKind::None;
          ++going.pc;
          ++going.frame->uses;
          warp.fragments.push_back(going);
        }
        changed = true;
      }
    }
  }
}

Handler muon::ptxsim::selectWarp(const Instruction &instruction, Op &op) {
  switch (instruction.opcode()) {
  case Opcode::Shfl:
    op.target = 4;
    return collective;
  case Opcode::Vote:
    op.target = instruction.has(M::Ballot) ? 1 : 0;
    return collective;
  case Opcode::Match:
  case Opcode::Redux:
    op.target = 2;
    return collective;
  case Opcode::Elect:
    op.target = 1;
    return collective;
  case Opcode::WarpBarrier:
    op.target = 0;
    return collective;
  case Opcode::ActiveMask:
    return activeMask;
  case Opcode::Barrier: {
    bool popc = instruction.has(M::Popc);
    op.target = popc ? 1 : 0;
    bool aligned = std::string_view(instruction.form->name) == "bar" ||
                   instruction.has(M::Aligned);
    op.detail = (instruction.has(M::Arrive) ? 0 : 1) | (aligned ? 2 : 0) |
                (instruction.has(M::Red) ? 4 : 0);
    return blockBarrier;
  }
  default:
    return nullptr;
  }
}
