//===- ExecuteControl.cpp - Branches, calls, ends -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Execute.h"

#include <algorithm>

using namespace muon::ptxsim;

namespace {

using M = Modifier;

/// Leaves the fragment with the lanes of c.mask at `pc`, and makes a new one of
/// the others at the next instruction.
void divide(Context &c, uint32_t pc) {
  Warp &warp = *c.warp;
  if (uint32_t rest = c.lanes & ~c.mask) {
    Fragment other = warp.fragments[c.fragment];
    other.mask = rest;
    other.pc = c.pc + 1;
    ++other.frame->uses;
    warp.fragments.push_back(other);
  }
  Fragment &own = warp.fragments[c.fragment];
  own.mask = c.mask;
  own.pc = pc;
  c.switched = true;
}

void branch(Context &c, const Op &op) {
  if (c.mask == c.lanes)
    c.next = op.target;
  else
    divide(c, op.target);
}

void branchIndexed(Context &c, const Op &op) {
  const Ref &ref = op.args[0];
  if (uint32_t lanes = c.undefined[ref.reg] & c.mask)
    useUndefined(c, ref.reg, lanes, "as the index of a branch");
  const std::vector<uint32_t> &table = c.frame->code.tables[op.target];
  const uint32_t *indices = c.lane<uint32_t>(ref.offset);
  uint32_t outside = 0;
  forLanes(c.mask, [&](unsigned l) {
    if (indices[l] < table.size())
      return;
    report(c, FindingKind::InvalidOperand, int(l),
           "expected an index below " + std::to_string(table.size()) +
               ", found " + std::to_string(indices[l]));
    outside |= uint32_t(1) << l;
  });
  if (outside) {
    // Where they would go is undefined.
    exitLanes(c, outside);
    return;
  }
  Warp &warp = *c.warp;
  uint32_t rest = c.mask;
  bool first = true;
  uint32_t stay = c.lanes & ~c.mask;
  while (rest) {
    uint32_t target = table[indices[__builtin_ctz(rest)]];
    uint32_t same = 0;
    forLanes(rest, [&](unsigned l) {
      same |= uint32_t(table[indices[l]] == target) << l;
    });
    rest &= ~same;
    if (first) {
      warp.fragments[c.fragment].mask = same;
      warp.fragments[c.fragment].pc = target;
      first = false;
      continue;
    }
    Fragment other = warp.fragments[c.fragment];
    other.mask = same;
    other.pc = target;
    ++other.frame->uses;
    warp.fragments.push_back(other);
  }
  if (stay) {
    Fragment other = warp.fragments[c.fragment];
    other.mask = stay;
    other.pc = c.pc + 1;
    ++other.frame->uses;
    warp.fragments.push_back(other);
  }
  c.switched = true;
}

/// Copies a value between the .param memory or registers of two frames.
struct Slot {
  Frame *frame;
  const CallSite::Value *value;
};

void copyValue(uint32_t lanes, const Slot &from, const Slot &to) {
  unsigned bytes = std::min(from.value->bytes, to.value->bytes);
  uint32_t undefined = 0;
  auto place = [](const Slot &slot, unsigned l, bool shadow) -> uint8_t * {
    Frame &frame = *slot.frame;
    if (slot.value->ref) {
      size_t at = slot.value->ref.offset + size_t(l) * slot.value->ref.width;
      return (shadow ? frame.shadow : frame.values).data() + at;
    }
    size_t at = size_t(l) * frame.code.paramBytes + slot.value->param;
    return (shadow ? frame.paramShadow : frame.params).data() + at;
  };
  forLanes(lanes, [&](unsigned l) {
    std::memcpy(place(to, l, false), place(from, l, false), bytes);
    bool defined = from.value->ref &&
                   !(from.frame->undefined[from.value->ref.reg] >> l & 1);
    uint8_t *shadow = place(to, l, true);
    if (defined)
      std::memset(shadow, 0, bytes);
    else
      std::memcpy(shadow, place(from, l, true), bytes);
    for (unsigned b = 0; b < bytes; ++b)
      undefined |= uint32_t(shadow[b] != 0) << l;
  });
  if (to.value->ref) {
    uint32_t &mask = to.frame->undefined[to.value->ref.reg];
    mask = (mask & ~lanes) | undefined;
  }
}

/// How the callee sees its parameters or results.
CallSite::Value calleeValue(const Code &code,
                            const std::vector<Variable *> &variables,
                            const std::vector<int> &registers, size_t i) {
  CallSite::Value value;
  if (i < registers.size() && registers[i] >= 0) {
    value.ref.reg = code.numbers[size_t(registers[i])];
    value.ref.offset = code.offsets[value.ref.reg];
    value.ref.width = code.widths[value.ref.reg];
    value.bytes = value.ref.width;
  } else {
    value.param = code.paramOffsets.at(variables[i]);
    value.bytes = uint32_t(variables[i]->size);
  }
  return value;
}

constexpr unsigned maxDepth = 4096;

void enter(Context &c, const CallSite &site, const Function &callee,
           uint32_t lanes, size_t fragment) {
  Warp &warp = *c.warp;
  const Code &code = c.launch->compiled.codes.at(&callee);
  Frame *caller = c.frame;
  warp.frames.push_back(std::make_unique<Frame>(*c.launch, warp, *c.block, code,
                                                caller, c.pc + 1));
  Frame *frame = warp.frames.back().get();
  warp.frameBytes += code.frameBytes();
  for (size_t i = 0; i < site.arguments.size(); ++i) {
    CallSite::Value to =
        calleeValue(code, callee.parameters, callee.parameterRegisters, i);
    copyValue(lanes, {caller, &site.arguments[i]}, {frame, &to});
  }
  // The caller is used by the callee now, instead of by the fragment.
  frame->uses = 1;
  --caller->uses;
  Fragment &own = warp.fragments[fragment];
  own.frame = frame;
  own.pc = 0;
}

void call(Context &c, const Op &op) {
  const CallSite &site = c.frame->code.calls[op.target];
  if (c.frame->depth >= maxDepth || c.warp->frameBytes > maxFrameBytes) {
    report(c, FindingKind::NoProgress, __builtin_ctz(c.mask),
           "expected at most " + std::to_string(maxDepth) +
               " nested calls with " + std::to_string(maxFrameBytes >> 20) +
               " MiB of registers and local memory per warp, found " +
               std::to_string(c.frame->depth) + " with " +
               std::to_string(c.warp->frameBytes >> 20) + " MiB");
    exitLanes(c, c.mask);
    return;
  }
  if (site.callee) {
    divide(c, c.pc);
    enter(c, site, *site.callee, c.mask, c.fragment);
    return;
  }
  const Ref &ref = op.args[0];
  if (uint32_t lanes = c.undefined[ref.reg] & c.mask)
    useUndefined(c, ref.reg, lanes, "as the address of a function");
  // One callee at a time; the other lanes come back to this instruction.
  uint64_t address = c.lane<uint64_t>(ref.offset)[__builtin_ctz(c.mask)];
  uint32_t same = 0;
  forLanes(c.mask, [&](unsigned l) {
    same |= uint32_t(c.lane<uint64_t>(ref.offset)[l] == address) << l;
  });
  const auto &functions = c.launch->compiled.functions;
  uint64_t number = (address - functionBase) / 16;
  const Function *callee = nullptr;
  if (address >= functionBase && address % 16 == 0 &&
      number < functions.size() && !functions[number]->isKernel &&
      !functions[number]->isExtern)
    callee = functions[number];
  auto bytesOf = [](const std::vector<Variable *> &variables,
                    const std::vector<int> &registers, const Function &f) {
    std::vector<uint32_t> bytes;
    for (size_t i = 0; i < std::max(variables.size(), registers.size()); ++i)
      bytes.push_back(i < registers.size() && registers[i] >= 0
                          ? typeBytes(f.registers[size_t(registers[i])].type)
                          : uint32_t(variables[i]->size));
    return bytes;
  };
  auto fits = [&](const std::vector<CallSite::Value> &values,
                  const std::vector<uint32_t> &bytes) {
    bool same = values.size() == bytes.size();
    for (size_t i = 0; same && i < values.size(); ++i)
      same = values[i].bytes == bytes[i];
    return same;
  };
  bool isRight =
      callee &&
      fits(site.arguments,
           bytesOf(callee->parameters, callee->parameterRegisters, *callee)) &&
      fits(site.results,
           bytesOf(callee->results, callee->resultRegisters, *callee));
  if (!isRight) {
    report(c, FindingKind::Trap, __builtin_ctz(same),
           "expected the address of a function with these parameters, found " +
               (callee ? "'" + callee->name + "'" : hex(address)));
    exitLanes(c, same);
    return;
  }
  if (uint32_t others = c.mask & ~same) {
    Fragment again = c.warp->fragments[c.fragment];
    again.mask = others;
    ++again.frame->uses;
    c.warp->fragments.push_back(again);
    c.lanes &= ~others;
  }
  c.mask = same;
  divide(c, c.pc);
  enter(c, site, *callee, same, c.fragment);
}

void returnFrom(Context &c, const Op &) {
  Frame *frame = c.frame;
  if (!frame->parent) {
    exitLanes(c, c.mask);
    return;
  }
  divide(c, c.pc);
  Frame *caller = frame->parent;
  const Op &at = caller->code.ops[frame->returnPc - 1];
  const CallSite &site = caller->code.calls[at.target];
  const Function &callee = *frame->code.function;
  for (size_t i = 0; i < site.results.size(); ++i) {
    CallSite::Value from =
        calleeValue(frame->code, callee.results, callee.resultRegisters, i);
    copyValue(c.mask, {frame, &from}, {caller, &site.results[i]});
  }
  Fragment &own = c.warp->fragments[c.fragment];
  own.frame = caller;
  own.pc = frame->returnPc;
  ++caller->uses;
  dropFrame(*c.warp, frame);
}

void leave(Context &c, const Op &) { exitLanes(c, c.mask); }

void trap(Context &c, const Op &) {
  report(c, FindingKind::Trap, __builtin_ctz(c.mask), "trap");
  exitLanes(c, c.mask);
}

/// A hint that others should run.
void sleep(Context &c, const Op &op) {
  if (uint32_t lanes = c.undefined[op.args[0].reg] & c.mask)
    useUndefined(c, op.args[0].reg, lanes, "as a duration");
  c.warp->fragments[c.fragment].steps = ~uint32_t(0);
}

void nothing(Context &, const Op &) {}

} // namespace

void muon::ptxsim::exitLanes(Context &c, uint32_t lanes) {
  Warp &warp = *c.warp;
  Block &block = *c.block;
  Fragment &own = warp.fragments[c.fragment];
  own.mask &= ~lanes;
  warp.live &= ~lanes;
  block.live -= unsigned(__builtin_popcount(lanes));
  if (!own.mask) {
    Frame *frame = own.frame;
    warp.fragments.erase(warp.fragments.begin() + long(c.fragment));
    dropFrame(warp, frame);
  } else {
    // Those that do not leave go on.
    own.pc = c.pc + 1;
  }
  c.switched = true;
  // Whoever waited for these lanes looks again.
  for (Fragment &fragment : warp.fragments)
    if (fragment.wait == WaitKind::Aligned)
      fragment.wait = WaitKind::None;
  wakeCollectives(block, warp);
  for (unsigned b = 0; b < numBarriers; ++b)
    if (block.barriers[b].expected == ~uint32_t(0))
      block.completeIfFull(b);
}

Handler muon::ptxsim::selectControl(const Instruction &instruction, Op &) {
  switch (instruction.opcode()) {
  case Opcode::Bra:
    return branch;
  case Opcode::Brx:
    return branchIndexed;
  case Opcode::Call:
    return call;
  case Opcode::Ret:
    return returnFrom;
  case Opcode::Exit:
    return leave;
  case Opcode::Trap:
    return trap;
  case Opcode::Nanosleep:
    return sleep;
  case Opcode::Nop:
    return nothing;
  default:
    return nullptr;
  }
}
