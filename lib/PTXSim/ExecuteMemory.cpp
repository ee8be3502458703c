//===- ExecuteMemory.cpp - Loads, stores, atomics, copies -----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Access.h"
#include "Execute.h"
#include "Numbers.h"

#include <algorithm>

using namespace muon::ptxsim;

namespace {

using M = Modifier;

Scope scopeOf(const Instruction &instruction, Scope otherwise) {
  if (instruction.has(M::Cta))
    return Scope::Block;
  if (instruction.has(M::Gpu) || instruction.has(M::Gl))
    return Scope::Device;
  if (instruction.has(M::Sys))
    return Scope::System;
  return otherwise;
}

//===----------------------------------------------------------------------===//
// Loads and stores
//===----------------------------------------------------------------------===//

/// Element number `i` of what the lanes access, of type U in memory, into a
/// register of type R.
template <class R, class U>
void loadElement(Context &c, const Ref &ref, const LaneAccess &access,
                 unsigned i, uint32_t shadowed) {
  R *to = c.lane<R>(ref.offset);
  uint32_t before = c.mask;
  c.mask = access.mask;
  if (access.mask == ~uint32_t(0)) {
    for (unsigned l = 0; l < warpSize; ++l) {
      U value;
      std::memcpy(&value, access.data[l] + i * sizeof(U), sizeof(U));
      to[l] = R(value);
    }
  } else {
    forLanes(access.mask, [&](unsigned l) {
      U value;
      std::memcpy(&value, access.data[l] + i * sizeof(U), sizeof(U));
      to[l] = R(value);
    });
  }
  if (!shadowed) {
    setDefined(c, ref.reg);
  } else {
    Bits<R> bits[warpSize] = {};
    forLanes(shadowed, [&](unsigned l) {
      U value;
      std::memcpy(&value, access.shadow[l] + i * sizeof(U), sizeof(U));
      bits[l] = Bits<R>(R(value));
    });
    setUndefinedBits(c, ref, bits, c.op().line);
  }
  // Lanes that had a finding go on with zero.
  c.mask = before;
  uint32_t failed = c.mask & ~access.mask;
  forLanes(failed, [&](unsigned l) { to[l] = 0; });
  c.undefined[ref.reg] &= ~failed;
}

/// A strong access and its place in the history are one step, where threads of
/// the host run blocks side by side.
class StrongAccess {
public:
  StrongAccess(Context &c, const Op &op) {
    if (op.access.strong && c.block->clocks && c.launch->isConcurrent)
      lock = std::unique_lock<std::mutex>(c.launch->strongMutex);
  }

private:
  std::unique_lock<std::mutex> lock;
};

template <class U, bool isSignedType>
void load(Context &c, const Op &op) {
  StrongAccess together(c, op);
  LaneAccess access;
  computeAddresses(c, op.args[0], op.offset, access);
  unsigned bytes = sizeof(U) * op.vector;
  resolve(c, op.space, bytes, op.access, access);
  auto undefinedBitsOf = [&](unsigned l) {
    U some = 0;
    if (const uint8_t *shadow = access.shadow[l])
      for (unsigned i = 0; i < op.vector; ++i) {
        U bits;
        std::memcpy(&bits, shadow + i * sizeof(U), sizeof(U));
        some |= bits;
      }
    return some;
  };
  uint32_t shadowed = 0;
  U any = 0;
  if (access.hasShadow)
    forLanes(access.mask, [&](unsigned l) { any |= undefinedBitsOf(l); });
  if (any)
    forLanes(access.mask, [&](unsigned l) {
      shadowed |= uint32_t(undefinedBitsOf(l) != 0) << l;
    });
  for (unsigned i = 0; i < op.elements.size(); ++i) {
    const Ref &ref = op.elements[i];
    if (!ref)
      continue;
    using S = std::conditional_t<isSignedType, std::make_signed_t<U>, U>;
    switch (ref.width) {
    case 1:
      loadElement<uint8_t, U>(c, ref, access, i, shadowed);
      break;
    case 2:
      loadElement<uint16_t, S>(c, ref, access, i, shadowed);
      break;
    case 4:
      loadElement<uint32_t, S>(c, ref, access, i, shadowed);
      break;
    default:
      loadElement<uint64_t, S>(c, ref, access, i, shadowed);
      break;
    }
  }
}

template <class R, class U>
void storeElement(Context &c, const Ref &ref, const LaneAccess &access,
                  unsigned i) {
  if (uint32_t lanes = c.undefined[ref.reg] & access.global) {
    // Of a register that is wider than what is stored, only that part counts.
    uint32_t used = 0;
    forLanes(lanes, [&](unsigned l) {
      used |= uint32_t(U(c.shadowLane<R>(ref.offset)[l]) != 0) << l;
    });
    if (used)
      useUndefined(c, ref.reg, used, "in a store to global memory");
  }
  const R *from = c.lane<R>(ref.offset);
  uint32_t undefined = c.undefined[ref.reg] & access.mask & ~access.global;
  forLanes(access.mask, [&](unsigned l) {
    U value = U(from[l]);
    std::memcpy(access.data[l] + i * sizeof(U), &value, sizeof(U));
    if (uint8_t *shadow = access.shadow[l]) {
      U bits = undefined >> l & 1 ? U(c.shadowLane<R>(ref.offset)[l]) : U(0);
      std::memcpy(shadow + i * sizeof(U), &bits, sizeof(U));
    }
  });
}

template <class U>
void store(Context &c, const Op &op) {
  StrongAccess together(c, op);
  LaneAccess access;
  computeAddresses(c, op.args[0], op.offset, access);
  resolve(c, op.space, sizeof(U) * op.vector, op.access, access);
  for (unsigned i = 0; i < op.elements.size(); ++i) {
    const Ref &ref = op.elements[i];
    switch (ref.width) {
    case 1:
      storeElement<uint8_t, U>(c, ref, access, i);
      break;
    case 2:
      storeElement<uint16_t, U>(c, ref, access, i);
      break;
    case 4:
      storeElement<uint32_t, U>(c, ref, access, i);
      break;
    default:
      storeElement<uint64_t, U>(c, ref, access, i);
      break;
    }
  }
}

//===----------------------------------------------------------------------===//
// Atomics
//===----------------------------------------------------------------------===//

enum AtomicOp : uint32_t { And, Or, Xor, Exch, Add, Inc, Dec, Min, Max, Cas };

/// The new value for an old one.
template <class U>
U combine(const Op &op, U old, U b, U c, bool isGlobal) {
  Type type = op.source->types[0];
  using S = std::make_signed_t<U>;
  switch (op.detail) {
  case And:
    return old & b;
  case Or:
    return old | b;
  case Xor:
    return old ^ b;
  case Exch:
    return b;
  case Inc:
    return old >= b ? U(0) : U(old + 1);
  case Dec:
    return old == 0 || old > b ? b : U(old - 1);
  case Min:
    return isSigned(type) ? U(std::min(S(old), S(b))) : std::min(old, b);
  case Max:
    return isSigned(type) ? U(std::max(S(old), S(b))) : std::max(old, b);
  case Cas:
    return old == b ? c : old;
  default:
    break;
  }
  switch (type) {
  case Type::F32: {
    // Global memory flushes subnormals, shared memory keeps them.
    float x = fromBits<float>(uint32_t(old)), y = fromBits<float>(uint32_t(b));
    if (!isGlobal)
      return U(rawBits(addF32(x, y, Rounding::Nearest)));
    return U(
        rawBits(flushF32(addF32(flushF32(x), flushF32(y), Rounding::Nearest))));
  }
  case Type::F64:
    if constexpr (sizeof(U) == 8)
      return rawBits(fromBits<double>(old) + fromBits<double>(b));
    return 0;
  case Type::F16:
    return U(addF16(uint16_t(old), uint16_t(b)));
  case Type::BF16:
    return U(addBF16(uint16_t(old), uint16_t(b)));
  case Type::F16x2:
    return U(addF16(uint16_t(old), uint16_t(b)) |
             uint32_t(addF16(uint16_t(uint32_t(old) >> 16),
                             uint16_t(uint32_t(b) >> 16)))
                 << 16);
  case Type::BF16x2:
    return U(addBF16(uint16_t(old), uint16_t(b)) |
             uint32_t(addBF16(uint16_t(uint32_t(old) >> 16),
                              uint16_t(uint32_t(b) >> 16)))
                 << 16);
  default:
    return U(old + b);
  }
}

template <class U, bool returns>
void atomic(Context &c, const Op &op) {
  unsigned first = returns ? 1 : 0;
  const Ref &base = op.args[first], &rb = op.args[first + 1],
            &rc = op.args[first + 2];
  LaneAccess access;
  computeAddresses(c, base, op.offset, access);
  if (uint32_t lanes = c.undefined[rb.reg] & c.mask)
    useUndefined(c, rb.reg, lanes, "as an operand");
  if (op.detail == Cas)
    if (uint32_t lanes = c.undefined[rc.reg] & c.mask)
      useUndefined(c, rc.reg, lanes, "as an operand");
  StrongAccess together(c, op);
  resolve(c, op.space, sizeof(U), op.access, access);
  const U *b = c.lane<U>(rb.offset);
  const U *third = op.detail == Cas ? c.lane<U>(rc.offset) : b;
  U result[warpSize] = {}, bits[warpSize] = {};
  // In the order in which the history of accesses has them.
  forLanes(access.mask, [&](unsigned l) {
    if (uint8_t *shadow = access.shadow[l]) {
      U undefined;
      std::memcpy(&undefined, shadow, sizeof(U));
      if (undefined && op.detail != Exch)
        report(c, FindingKind::UndefinedValue, int(l),
               "atomic operation on memory that was never written",
               access.global >> l & 1 ? Space::Global : Space::Shared,
               access.addresses[l]);
      else
        bits[l] = undefined;
      if (undefined)
        std::memset(shadow, 0, sizeof(U));
    }
    U *at = reinterpret_cast<U *>(access.data[l]);
    U old = __atomic_load_n(at, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(
        at, &old,
        combine(op, old, b[l], third[l], bool(access.global >> l & 1)), false,
        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    }
    result[l] = old;
  });
  if (returns && op.args[0]) {
    put(c.lane<U>(op.args[0].offset), result, c.mask);
    setUndefinedBits(c, op.args[0], bits, op.line);
  }
}

Handler selectAtomic(const Instruction &instruction, Op &op) {
  static constexpr struct {
    M modifier;
    AtomicOp op;
  } table[] = {{M::And, And}, {M::Or, Or},   {M::Xor, Xor}, {M::Exch, Exch},
               {M::Add, Add}, {M::Inc, Inc}, {M::Dec, Dec}, {M::Min, Min},
               {M::Max, Max}, {M::Cas, Cas}};
  for (const auto &entry : table)
    if (instruction.has(entry.modifier))
      op.detail = entry.op;
  op.access.reads = op.access.writes = op.access.strong = op.access.atomic =
      true;
  op.access.acquire = instruction.has(M::Acquire) || instruction.has(M::AcqRel);
  op.access.release = instruction.has(M::Release) || instruction.has(M::AcqRel);
  op.access.scope = scopeOf(instruction, Scope::Device);
  bool returns = std::string_view(instruction.form->name) == "atom";
  if (returns)
    op.polls = op.detail == Cas || op.detail == Exch ? 2 : 1;
  switch (typeBytes(instruction.types[0])) {
  case 2:
    return returns ? atomic<uint16_t, true> : atomic<uint16_t, false>;
  case 4:
    return returns ? atomic<uint32_t, true> : atomic<uint32_t, false>;
  default:
    return returns ? atomic<uint64_t, true> : atomic<uint64_t, false>;
  }
}

void fence(Context &c, const Op &op) {
  if (!c.block->clocks)
    return;
  bool acquire = !op.source->has(M::Release);
  bool release = !op.source->has(M::Acquire);
  c.block->clocks->fence(c.warp->index, c.mask,
                         scopeOf(*op.source, Scope::System), acquire, release);
}

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

uint64_t windowOf(Space space) {
  switch (space) {
  case Space::Shared:
    return sharedWindow;
  case Space::Local:
    return localWindow;
  case Space::Param:
    return paramWindow;
  default:
    return 0;
  }
}

struct ConvertAddress {
  static uint64_t apply(const Op &op, const uint64_t *in) {
    uint64_t window = windowOf(op.space);
    return op.source->has(M::To) ? in[0] - window : in[0] + window;
  }
};

void isInSpace(Context &c, const Op &op) {
  const Ref &a = op.args[0];
  if (uint32_t lanes = c.undefined[a.reg] & c.mask)
    useUndefined(c, a.reg, lanes, "as an address");
  uint32_t result = 0;
  for (unsigned l = 0; l < warpSize; ++l) {
    uint64_t address = c.lane<uint64_t>(a.offset)[l];
    uint64_t window = address & ~(windowSize - 1);
    bool is = window == windowOf(op.space);
    if (!windowOf(op.space)) {
      is = false;
      if (c.mask >> l & 1 && address >= globalBase)
        if (const MemoryRange *range = c.launch->memory.find(address, 1))
          is = range->readOnly == (op.space == Space::Const);
    }
    result |= uint32_t(is) << l;
  }
  setPredicate(c, op.outPredicate, result);
}

void nothing(Context &, const Op &) {}

/// Cache policies change nothing that is modelled.
void createPolicy(Context &c, const Op &op) {
  forLanes(c.mask,
           [&](unsigned l) { c.lane<uint64_t>(op.args[0].offset)[l] = 0; });
  setDefined(c, op.args[0].reg);
}

//===----------------------------------------------------------------------===//
// cp.async
//===----------------------------------------------------------------------===//

/// A copy becomes visible at once, after some steps, or when it has to be.
uint64_t dueTime(Block &block, const Warp &warp) {
  uint32_t choice = block.random.below(4);
  if (choice == 0)
    return warp.steps;
  if (choice == 1)
    return warp.steps + block.random.below(200);
  return ~uint64_t(0);
}

void copyAsync(Context &c, const Op &op) {
  Block &block = *c.block;
  unsigned bytes = unsigned(op.source->operands[2].value);
  LaneAccess to, from;
  computeAddresses(c, op.args[0], op.offset, to);
  computeAddresses(c, op.args[1], op.offset2, from);
  to.mask &= from.mask;
  uint32_t sourceBytes[warpSize];
  std::fill(sourceBytes, sourceBytes + warpSize, bytes);
  if (op.predicate != noRegister) {
    uint32_t ignored = predicateOf(c, op.predicate, op.predicateNegated);
    for (unsigned l = 0; l < warpSize; ++l)
      if (ignored >> l & 1)
        sourceBytes[l] = 0;
  } else if (op.args[3]) {
    if (uint32_t lanes = c.undefined[op.args[3].reg] & c.mask)
      useUndefined(c, op.args[3].reg, lanes, "as a size");
    forLanes(c.mask, [&](unsigned l) {
      sourceBytes[l] = c.lane<uint32_t>(op.args[3].offset)[l];
      if (sourceBytes[l] > bytes) {
        report(c, FindingKind::InvalidOperand, int(l),
               "expected a source size of at most " + std::to_string(bytes) +
                   ", found " + std::to_string(sourceBytes[l]));
        sourceBytes[l] = bytes;
      }
    });
  }
  // The copy is no access of the thread; it is ordered below.
  AccessKind write;
  write.writes = true;
  std::unique_ptr<BlockClocks> clocks = std::move(block.clocks);
  resolve(c, Space::Shared, bytes, write, to);
  block.clocks = std::move(clocks);

  // Sources of equal size are read together.
  AccessKind read;
  read.reads = true;
  uint32_t rest = to.mask;
  forLanes(rest, [&](unsigned l) {
    if (!sourceBytes[l])
      rest &= ~(uint32_t(1) << l);
  });
  uint32_t valid = to.mask & ~rest;
  while (rest) {
    unsigned size = sourceBytes[__builtin_ctz(rest)];
    uint32_t same = 0;
    forLanes(rest, [&](unsigned l) {
      same |= uint32_t(sourceBytes[l] == size) << l;
    });
    rest &= ~same;
    from.mask = same;
    resolve(c, Space::Global, size, read, from, bytes);
    block.counters.asyncBytes += uint64_t(size) * __builtin_popcount(from.mask);
    valid |= from.mask;
  }

  forLanes(valid, [&](unsigned l) {
    if (block.clocks) {
      RaceReport race;
      if (block.sharedHistory->issueAsyncWrite(*block.clocks, c.warp->index, l,
                                               to.addresses[l], bytes, op.line,
                                               race))
        report(c, FindingKind::DataRace, int(l),
               std::string("the copy is not ordered with ") +
                   (race.otherWrites ? "a write" : "a read") + " by thread " +
                   std::to_string(race.otherThread),
               Space::Shared, race.address,
               {"the other access: " +
                placeText(*c.launch, race.otherInstruction)});
    }
    uint32_t index;
    if (block.freeCopies.empty()) {
      index = uint32_t(block.copies.size());
      block.copies.emplace_back();
    } else {
      index = block.freeCopies.back();
      block.freeCopies.pop_back();
    }
    Copy &copy = block.copies[index];
    copy = Copy();
    copy.source = from.addresses[l];
    copy.destination = uint32_t(to.addresses[l]);
    copy.line = op.line;
    copy.group = c.warp->groups[l];
    copy.warp = uint8_t(c.warp->index);
    copy.lane = uint8_t(l);
    copy.bytes = uint8_t(bytes);
    copy.sourceBytes = uint8_t(sourceBytes[l]);
    copy.active = true;
    copy.due = dueTime(block, *c.warp);
    if (copy.sourceBytes) {
      ++block.activeCopies;
      block.sourcesBegin = std::min(block.sourcesBegin, copy.source);
      block.sourcesEnd =
          std::max(block.sourcesEnd, copy.source + copy.sourceBytes);
    }
    for (unsigned word = 0; word < bytes / 4; ++word)
      block.sharedPending[copy.destination / 4 + word] = index + 1;
    c.warp->copies.push_back(index);
    c.warp->nextDue = std::min(c.warp->nextDue, copy.due);
  });
}

void commitGroup(Context &c, const Op &) {
  forLanes(c.mask, [&](unsigned l) { ++c.warp->groups[l]; });
}

void waitGroup(Context &c, const Op &op) {
  Warp &warp = *c.warp;
  bool all = op.source->has(M::WaitAll);
  uint64_t pending = all ? 0 : uint64_t(op.source->operands[0].value);
  for (size_t i = 0; i < warp.copies.size();) {
    const Copy &copy = c.block->copies[warp.copies[i]];
    bool waits = c.mask >> copy.lane & 1;
    if (waits && (all || copy.group + pending < warp.groups[copy.lane]))
      c.block->guarantee(warp, i);
    else
      ++i;
  }
}

} // namespace

Handler muon::ptxsim::selectMemory(const Instruction &instruction, Op &op) {
  auto vectorSize = [&]() -> uint8_t {
    return instruction.has(M::V4) ? 4 : instruction.has(M::V2) ? 2 : 1;
  };
  switch (instruction.opcode()) {
  case Opcode::Ld:
  case Opcode::St: {
    bool isLoad = instruction.opcode() == Opcode::Ld;
    op.vector = vectorSize();
    op.access.reads = isLoad;
    op.access.writes = !isLoad;
    op.access.acquire = instruction.has(M::Acquire);
    op.access.release = instruction.has(M::Release);
    op.access.strong = instruction.has(M::Volatile) ||
                       instruction.has(M::Relaxed) || op.access.acquire ||
                       op.access.release;
    op.access.scope = scopeOf(instruction, Scope::System);
    op.polls = isLoad && op.access.strong ? 2 : 0;
    bool sign = isSigned(instruction.types[0]);
    switch (typeBytes(instruction.types[0])) {
    case 1:
      return !isLoad ? store<uint8_t>
             : sign  ? load<uint8_t, true>
                     : load<uint8_t, false>;
    case 2:
      return !isLoad ? store<uint16_t>
             : sign  ? load<uint16_t, true>
                     : load<uint16_t, false>;
    case 4:
      return !isLoad ? store<uint32_t>
             : sign  ? load<uint32_t, true>
                     : load<uint32_t, false>;
    default:
      return !isLoad ? store<uint64_t> : load<uint64_t, false>;
    }
  }
  case Opcode::Prefetch:
    return nothing;
  case Opcode::CreatePolicy:
    return createPolicy;
  case Opcode::IsSpaceP:
    return isInSpace;
  case Opcode::Cvta:
    return generic<ConvertAddress, 1>;
  case Opcode::Atom:
    return selectAtomic(instruction, op);
  case Opcode::Fence:
    return fence;
  case Opcode::CpAsync:
    return copyAsync;
  case Opcode::CpAsyncCommit:
    return commitGroup;
  case Opcode::CpAsyncWait:
    return waitGroup;
  default:
    return nullptr;
  }
}
