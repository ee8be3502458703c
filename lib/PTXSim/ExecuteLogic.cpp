//===- ExecuteLogic.cpp - Comparison, logic, moves ------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Execute.h"
#include "Numbers.h"

#include <cmath>

using namespace muon::ptxsim;

namespace {

using M = Modifier;

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

enum Comparison : uint32_t {
  Eq,
  Ne,
  Lt,
  Le,
  Gt,
  Ge,
  Equ,
  Neu,
  Ltu,
  Leu,
  Gtu,
  Geu,
  Num,
  Nan
};

/// lo, ls, hi, hs are comparisons of unsigned integers.
Comparison comparisonOf(const Instruction &instruction, bool &isUnsigned) {
  static constexpr struct {
    M modifier;
    Comparison comparison;
    bool isUnsigned;
  } table[] = {
      {M::Eq, Eq, false},   {M::Ne, Ne, false},   {M::Lt, Lt, false},
      {M::Le, Le, false},   {M::Gt, Gt, false},   {M::Ge, Ge, false},
      {M::Lo, Lt, true},    {M::Ls, Le, true},    {M::Hi, Gt, true},
      {M::Hs, Ge, true},    {M::Equ, Equ, false}, {M::Neu, Neu, false},
      {M::Ltu, Ltu, false}, {M::Leu, Leu, false}, {M::Gtu, Gtu, false},
      {M::Geu, Geu, false}, {M::Num, Num, false}, {M::Nan, Nan, false}};
  for (const auto &entry : table)
    if (instruction.has(entry.modifier)) {
      isUnsigned = entry.isUnsigned;
      return entry.comparison;
    }
  return Eq;
}

template <class T>
inline bool compare(uint32_t comparison, T a, T b) {
  bool unordered = a != a || b != b;
  switch (comparison) {
  case Eq:
    return a == b;
  case Ne:
    return !unordered && a != b;
  case Lt:
    return a < b;
  case Le:
    return a <= b;
  case Gt:
    return a > b;
  case Ge:
    return a >= b;
  case Equ:
    return unordered || a == b;
  case Neu:
    return a != b;
  case Ltu:
    return unordered || a < b;
  case Leu:
    return unordered || a <= b;
  case Gtu:
    return unordered || a > b;
  case Geu:
    return unordered || a >= b;
  case Num:
    return !unordered;
  default:
    return unordered;
  }
}

template <Comparison comparison, class T>
uint32_t compareLanes(const T *a, const T *b) {
  uint8_t is[warpSize];
  for (unsigned l = 0; l < warpSize; ++l)
    is[l] = compare<T>(comparison, a[l], b[l]);
  uint32_t result = 0;
  for (unsigned l = 0; l < warpSize; ++l)
    result |= uint32_t(is[l]) << l;
  return result;
}

template <class T>
uint32_t compareAll(uint32_t comparison, const T *a, const T *b) {
  switch (comparison) {
  case Eq:
    return compareLanes<Eq>(a, b);
  case Ne:
    return compareLanes<Ne>(a, b);
  case Lt:
    return compareLanes<Lt>(a, b);
  case Le:
    return compareLanes<Le>(a, b);
  case Gt:
    return compareLanes<Gt>(a, b);
  case Ge:
    return compareLanes<Ge>(a, b);
  default: {
    uint32_t result = 0;
    for (unsigned l = 0; l < warpSize; ++l)
      result |= uint32_t(compare(comparison, a[l], b[l])) << l;
    return result;
  }
  }
}

/// op.detail: the comparison, bit 8: integers are compared unsigned.
uint32_t comparisonResult(Context &c, const Op &op, Type type, const Ref &a,
                          const Ref &b) {
  uint32_t comparison = op.detail & 0xff;
  bool isUnsigned = op.detail >> 8;
  bool ftz = op.source->has(M::Ftz);
  auto halves = [&](bool bf16) {
    float x[warpSize], y[warpSize];
    for (unsigned l = 0; l < warpSize; ++l) {
      uint16_t p = c.lane<uint16_t>(a.offset)[l];
      uint16_t q = c.lane<uint16_t>(b.offset)[l];
      if (ftz && !bf16) {
        p = flushF16(p);
        q = flushF16(q);
      }
      x[l] = bf16 ? fromBF16(p) : fromF16(p);
      y[l] = bf16 ? fromBF16(q) : fromF16(q);
    }
    return compareAll<float>(comparison, x, y);
  };
  switch (type) {
  case Type::F16:
    return halves(false);
  case Type::BF16:
    return halves(true);
  case Type::F32: {
    const float *x = c.lane<float>(a.offset), *y = c.lane<float>(b.offset);
    if (!ftz)
      return compareAll<float>(comparison, x, y);
    float fx[warpSize], fy[warpSize];
    for (unsigned l = 0; l < warpSize; ++l) {
      fx[l] = flushF32(x[l]);
      fy[l] = flushF32(y[l]);
    }
    return compareAll<float>(comparison, fx, fy);
  }
  case Type::F64:
    return compareAll<double>(comparison, c.lane<double>(a.offset),
                              c.lane<double>(b.offset));
  default:
    break;
  }
  bool isSignedType = isSigned(type) && !isUnsigned;
  switch (typeBytes(type)) {
  case 2:
    return isSignedType
               ? compareAll<int16_t>(comparison, c.lane<int16_t>(a.offset),
                                     c.lane<int16_t>(b.offset))
               : compareAll<uint16_t>(comparison, c.lane<uint16_t>(a.offset),
                                      c.lane<uint16_t>(b.offset));
  case 4:
    return isSignedType
               ? compareAll<int32_t>(comparison, c.lane<int32_t>(a.offset),
                                     c.lane<int32_t>(b.offset))
               : compareAll<uint32_t>(comparison, c.lane<uint32_t>(a.offset),
                                      c.lane<uint32_t>(b.offset));
  default:
    return isSignedType
               ? compareAll<int64_t>(comparison, c.lane<int64_t>(a.offset),
                                     c.lane<int64_t>(b.offset))
               : compareAll<uint64_t>(comparison, c.lane<uint64_t>(a.offset),
                                      c.lane<uint64_t>(b.offset));
  }
}

uint32_t combined(Context &c, const Op &op, uint32_t result) {
  if (op.predicate == noRegister)
    return result;
  uint32_t other = predicateOf(c, op.predicate, op.predicateNegated);
  if (op.source->has(M::And))
    return result & other;
  if (op.source->has(M::Or))
    return result | other;
  return result ^ other;
}

uint32_t checkCompared(Context &c, const Ref &a, const Ref &b,
                       uint32_t &origin) {
  if (!((c.undefined[a.reg] | c.undefined[b.reg]) & c.mask))
    return 0;
  return checkOperands(c, {&a, &b}, origin);
}

void setPredicates(Context &c, const Op &op) {
  const Ref &a = op.args[0], &b = op.args[1];
  uint32_t origin = 0;
  uint32_t lost = checkCompared(c, a, b, origin);
  uint32_t result = comparisonResult(c, op, op.source->types[0], a, b);
  setPredicate(c, op.outPredicate, combined(c, op, result), lost);
  // The second one has the opposite comparison, combined likewise.
  if (op.outPredicate2 != noRegister)
    setPredicate(c, op.outPredicate2, combined(c, op, ~result), lost);
}

/// One half of f16x2 or bf16x2 operands.
uint32_t compareHalf(Context &c, const Op &op, bool bf16, const Ref &a,
                     const Ref &b, unsigned half) {
  bool ftz = op.source->has(M::Ftz);
  uint32_t result = 0;
  for (unsigned l = 0; l < warpSize; ++l) {
    uint16_t p = uint16_t(c.lane<uint32_t>(a.offset)[l] >> (16 * half));
    uint16_t q = uint16_t(c.lane<uint32_t>(b.offset)[l] >> (16 * half));
    if (ftz && !bf16) {
      p = flushF16(p);
      q = flushF16(q);
    }
    float x = bf16 ? fromBF16(p) : fromF16(p);
    float y = bf16 ? fromBF16(q) : fromF16(q);
    result |= uint32_t(compare(op.detail & 0xff, x, y)) << l;
  }
  return combined(c, op, result);
}

/// f16x2 and bf16x2: one predicate for each half.
void setHalfPredicates(Context &c, const Op &op) {
  const Ref &a = op.args[0], &b = op.args[1];
  uint32_t origin = 0;
  uint32_t lost = checkCompared(c, a, b, origin);
  bool bf16 = op.source->types[0] == Type::BF16x2;
  for (unsigned half = 0; half < 2; ++half)
    setPredicate(c, half ? op.outPredicate2 : op.outPredicate,
                 compareHalf(c, op, bf16, a, b, half), lost);
}

void setValue(Context &c, const Op &op) {
  const Ref &d = op.args[0], &a = op.args[1], &b = op.args[2];
  uint32_t origin = 0;
  uint32_t lost = checkCompared(c, a, b, origin);
  Type from = op.source->types[1];
  uint32_t low, high = 0;
  if (from == Type::F16x2 || from == Type::BF16x2) {
    bool bf16 = from == Type::BF16x2;
    low = compareHalf(c, op, bf16, a, b, 0);
    high = compareHalf(c, op, bf16, a, b, 1);
  } else {
    low = combined(c, op, comparisonResult(c, op, from, a, b));
  }
  // True is one in floating point, all ones in an integer.
  auto as = [&](auto yes, auto upper) {
    using U = decltype(yes);
    U values[warpSize];
    for (unsigned l = 0; l < warpSize; ++l)
      values[l] =
          U((low >> l & 1 ? yes : U(0)) | (high >> l & 1 ? U(upper) : U(0)));
    put(c.lane<U>(d.offset), values, c.mask);
    if (lost)
      spoil<U>(c, d, lost, origin);
    else
      setDefined(c, d.reg);
  };
  switch (op.source->types[0]) {
  case Type::F16:
    return as(uint16_t(0x3c00), 0);
  case Type::BF16:
    return as(uint16_t(0x3f80), 0);
  case Type::U16:
  case Type::S16:
    return as(uint16_t(0xffff), 0);
  case Type::F16x2:
    return as(uint32_t(0x3c00), 0x3c000000u);
  case Type::BF16x2:
    return as(uint32_t(0x3f80), 0x3f800000u);
  case Type::F32:
    return as(uint32_t(0x3f800000), 0);
  default:
    return as(~uint32_t(0), 0);
  }
}

/// The bits of one operand or the other, by lane.
template <class U>
void choose(Context &c, const Ref &d, const Ref &a, const Ref &b,
            uint32_t first) {
  const U *x = c.lane<U>(a.offset), *y = c.lane<U>(b.offset);
  U result[warpSize];
  for (unsigned l = 0; l < warpSize; ++l)
    result[l] = first >> l & 1 ? x[l] : y[l];
  if ((c.undefined[a.reg] | c.undefined[b.reg]) & c.mask) {
    U ua[warpSize], ub[warpSize];
    undefinedBits(c, a, ua);
    undefinedBits(c, b, ub);
    for (unsigned l = 0; l < warpSize; ++l)
      ua[l] = first >> l & 1 ? ua[l] : ub[l];
    uint32_t from = c.undefined[a.reg] & c.mask & first ? a.reg : b.reg;
    uint32_t origin = c.frame->origins[from];
    put(c.lane<U>(d.offset), result, c.mask);
    setUndefinedBits(c, d, ua, origin);
    return;
  }
  put(c.lane<U>(d.offset), result, c.mask);
  setDefined(c, d.reg);
}

template <class U>
void selectByPredicate(Context &c, const Op &op) {
  choose<U>(c, op.args[0], op.args[1], op.args[2],
            predicateOf(c, op.predicate, op.predicateNegated));
}

template <class U>
void selectBySign(Context &c, const Op &op) {
  const Ref &by = op.args[3];
  if (uint32_t lanes = c.undefined[by.reg] & c.mask)
    useUndefined(c, by.reg, lanes, "as an operand");
  uint32_t first = 0;
  for (unsigned l = 0; l < warpSize; ++l) {
    bool is;
    if (op.source->types[1] == Type::S32) {
      is = c.lane<int32_t>(by.offset)[l] >= 0;
    } else {
      float value = c.lane<float>(by.offset)[l];
      if (op.source->has(M::Ftz))
        value = flushF32(value);
      is = value >= 0;
    }
    first |= uint32_t(is) << l;
  }
  choose<U>(c, op.args[0], op.args[1], op.args[2], first);
}

//===----------------------------------------------------------------------===//
// Logic
//===----------------------------------------------------------------------===//

struct AndOf {
  using OnBits = void;
  template <class U>
  static U apply(U a, U b) {
    return a & b;
  }
  // A zero decides, whatever the other one is.
  template <class U>
  static U undefined(U a, U ua, U b, U ub) {
    return U((ua & ub) | (ua & b) | (ub & a));
  }
};
struct OrOf {
  using OnBits = void;
  template <class U>
  static U apply(U a, U b) {
    return a | b;
  }
  template <class U>
  static U undefined(U a, U ua, U b, U ub) {
    return U((ua & ub) | (ua & ~b) | (ub & ~a));
  }
};
struct XorOf {
  using OnBits = void;
  template <class U>
  static U apply(U a, U b) {
    return a ^ b;
  }
  template <class U>
  static U undefined(U, U ua, U, U ub) {
    return ua | ub;
  }
};
struct NotOf {
  using OnBits = void;
  template <class U>
  static U apply(U a) {
    return U(~a);
  }
  template <class U>
  static U undefined(U, U ua) {
    return ua;
  }
};
struct CNotOf {
  template <class U>
  static U apply(U a) {
    return a == 0;
  }
};
/// Shifts by the width or more give zeros, or copies of the sign.
template <class T, bool left>
inline T shifted(T a, uint32_t by) {
  constexpr uint32_t width = 8 * sizeof(T);
  using U = Bits<T>;
  if (left)
    return by >= width ? T(0) : T(U(a) << by);
  if (by >= width)
    return std::is_signed_v<T> && a < 0 ? T(-1) : T(0);
  return T(a >> by);
}
template <bool left>
struct ShiftOf {
  using OnBits = void;
  template <class T>
  static T apply(T a, uint32_t by) {
    return shifted<T, left>(a, by);
  }
  // An undefined count makes all of it undefined.
  template <class U>
  static U undefined(U, U ua, uint32_t by, uint32_t uby) {
    return uby ? U(~U(0)) : shifted<U, left>(ua, by);
  }
};
/// The sign is copied, and with it whether it is undefined.
struct ShiftArithmetic {
  using OnBits = void;
  template <class T>
  static T apply(T a, uint32_t by) {
    return shifted<T, false>(a, by);
  }
  template <class U>
  static U undefined(U, U ua, uint32_t by, uint32_t uby) {
    return uby ? U(~U(0))
               : U(shifted<std::make_signed_t<U>, false>(
                     std::make_signed_t<U>(ua), by));
  }
};

/// lop3: bit i of the table is the result for (a, b, c) = the bits of i.
uint32_t lookUp(uint32_t a, uint32_t b, uint32_t c, uint32_t table) {
  uint32_t result = 0;
  if (table & 0x01)
    result |= ~a & ~b & ~c;
  if (table & 0x02)
    result |= ~a & ~b & c;
  if (table & 0x04)
    result |= ~a & b & ~c;
  if (table & 0x08)
    result |= ~a & b & c;
  if (table & 0x10)
    result |= a & ~b & ~c;
  if (table & 0x20)
    result |= a & ~b & c;
  if (table & 0x40)
    result |= a & b & ~c;
  if (table & 0x80)
    result |= a & b & c;
  return result;
}

void logic3(Context &c, const Op &op) {
  const Ref &d = op.args[0], &ra = op.args[1], &rb = op.args[2],
            &rc = op.args[3];
  uint32_t table = c.lane<uint32_t>(op.args[4].offset)[0];
  const uint32_t *x = c.lane<uint32_t>(ra.offset);
  const uint32_t *y = c.lane<uint32_t>(rb.offset);
  const uint32_t *z = c.lane<uint32_t>(rc.offset);
  uint32_t result[warpSize], unknown[warpSize] = {};
  for (unsigned l = 0; l < warpSize; ++l)
    result[l] = lookUp(x[l], y[l], z[l], table);
  uint32_t some =
      (c.undefined[ra.reg] | c.undefined[rb.reg] | c.undefined[rc.reg]) &
      c.mask;
  uint32_t origin = 0;
  if (some) {
    uint32_t ua[warpSize], ub[warpSize], uc[warpSize];
    undefinedBits(c, ra, ua);
    undefinedBits(c, rb, ub);
    undefinedBits(c, rc, uc);
    for (const Ref *ref : {&ra, &rb, &rc})
      if (c.undefined[ref->reg] & c.mask)
        origin = c.frame->origins[ref->reg];
    // A bit is undefined if the undefined ones of its inputs can change it.
    for (unsigned l = 0; l < warpSize; ++l)
      for (unsigned flips = 1; flips < 8; ++flips) {
        uint32_t fa = flips & 4 ? ua[l] : 0, fb = flips & 2 ? ub[l] : 0,
                 fc = flips & 1 ? uc[l] : 0;
        unknown[l] |=
            lookUp(x[l] ^ fa, y[l] ^ fb, z[l] ^ fc, table) ^ result[l];
      }
  }
  uint32_t nonzero = 0;
  for (unsigned l = 0; l < warpSize; ++l)
    nonzero |= uint32_t(result[l] != 0) << l;
  if (d) {
    put(c.lane<uint32_t>(d.offset), result, c.mask);
    if (some)
      setUndefinedBits(c, d, unknown, origin);
    else
      setDefined(c, d.reg);
  }
  if (op.outPredicate != noRegister) {
    uint32_t other = predicateOf(c, op.predicate, op.predicateNegated);
    setPredicate(c, op.outPredicate,
                 op.source->has(M::Or) ? nonzero | other : nonzero & other,
                 some);
  }
}

/// shf: 32 bits of {b, a} after a shift.
template <bool left, bool wrap>
void funnelShift(Context &c, const Op &op) {
  const Ref &d = op.args[0], &ra = op.args[1], &rb = op.args[2],
            &rc = op.args[3];
  auto shift = [](uint32_t a, uint32_t b, uint32_t by) {
    by = wrap ? by & 31 : by > 32 ? 32 : by;
    uint64_t both = uint64_t(b) << 32 | a;
    return left ? uint32_t((by == 32 ? both << 32 : both << by) >> 32)
                : uint32_t(both >> by);
  };
  const uint32_t *x = c.lane<uint32_t>(ra.offset);
  const uint32_t *y = c.lane<uint32_t>(rb.offset);
  const uint32_t *z = c.lane<uint32_t>(rc.offset);
  uint32_t result[warpSize];
  for (unsigned l = 0; l < warpSize; ++l)
    result[l] = shift(x[l], y[l], z[l]);
  if (uint32_t lanes = c.undefined[rc.reg] & c.mask)
    useUndefined(c, rc.reg, lanes, "as a shift amount");
  uint32_t some = (c.undefined[ra.reg] | c.undefined[rb.reg]) & c.mask;
  if (!some) {
    put(c.lane<uint32_t>(d.offset), result, c.mask);
    setDefined(c, d.reg);
    return;
  }
  uint32_t ua[warpSize], ub[warpSize];
  undefinedBits(c, ra, ua);
  undefinedBits(c, rb, ub);
  uint32_t origin =
      c.frame->origins[c.undefined[ra.reg] & c.mask ? ra.reg : rb.reg];
  for (unsigned l = 0; l < warpSize; ++l)
    ua[l] = shift(ua[l], ub[l], z[l]);
  put(c.lane<uint32_t>(d.offset), result, c.mask);
  setUndefinedBits(c, d, ua, origin);
}

/// The selector of prmt: four nibbles that choose bytes of {b, a}.
uint32_t permute(const Instruction &instruction, uint32_t a, uint32_t b,
                 uint32_t selector) {
  uint64_t both = uint64_t(b) << 32 | a;
  unsigned at = selector & 3;
  unsigned nibbles[4];
  if (instruction.has(M::F4e)) {
    for (unsigned i = 0; i < 4; ++i)
      nibbles[i] = at + i;
  } else if (instruction.has(M::B4e)) {
    for (unsigned i = 0; i < 4; ++i)
      nibbles[i] = (at + 8 - i) & 7;
  } else if (instruction.has(M::Rc8)) {
    for (unsigned &nibble : nibbles)
      nibble = at;
  } else if (instruction.has(M::Ecl)) {
    for (unsigned i = 0; i < 4; ++i)
      nibbles[i] = std::max(at, i);
  } else if (instruction.has(M::Ecr)) {
    for (unsigned i = 0; i < 4; ++i)
      nibbles[i] = std::min(at, i);
  } else if (instruction.has(M::Rc16)) {
    for (unsigned i = 0; i < 4; ++i)
      nibbles[i] = 2 * (at & 1) + (i & 1);
  } else {
    for (unsigned i = 0; i < 4; ++i)
      nibbles[i] = selector >> (4 * i) & 15;
  }
  uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    uint8_t byte = uint8_t(both >> (8 * (nibbles[i] & 7)));
    // The msb of the nibble asks for eight copies of the byte's sign.
    if (nibbles[i] & 8)
      byte = byte & 0x80 ? 0xff : 0;
    result |= uint32_t(byte) << (8 * i);
  }
  return result;
}

void permuteBytes(Context &c, const Op &op) {
  const Ref &d = op.args[0], &ra = op.args[1], &rb = op.args[2],
            &rc = op.args[3];
  if (uint32_t lanes = c.undefined[rc.reg] & c.mask)
    useUndefined(c, rc.reg, lanes, "as a selector");
  const uint32_t *x = c.lane<uint32_t>(ra.offset);
  const uint32_t *y = c.lane<uint32_t>(rb.offset);
  const uint32_t *z = c.lane<uint32_t>(rc.offset);
  uint32_t result[warpSize];
  for (unsigned l = 0; l < warpSize; ++l)
    result[l] = permute(*op.source, x[l], y[l], z[l]);
  if (!((c.undefined[ra.reg] | c.undefined[rb.reg]) & c.mask)) {
    put(c.lane<uint32_t>(d.offset), result, c.mask);
    setDefined(c, d.reg);
    return;
  }
  uint32_t ua[warpSize], ub[warpSize];
  undefinedBits(c, ra, ua);
  undefinedBits(c, rb, ub);
  uint32_t origin =
      c.frame->origins[c.undefined[ra.reg] & c.mask ? ra.reg : rb.reg];
  for (unsigned l = 0; l < warpSize; ++l)
    ua[l] = permute(*op.source, ua[l], ub[l], z[l]);
  put(c.lane<uint32_t>(d.offset), result, c.mask);
  setUndefinedBits(c, d, ua, origin);
}

void predicateLogic(Context &c, const Op &op) {
  Opcode opcode = op.source->opcode();
  uint32_t a = predicateOf(c, op.predicate, op.predicateNegated, true);
  uint32_t ua = c.undefinedPredicates[op.predicate];
  if (opcode == Opcode::Not || opcode == Opcode::Mov) {
    setPredicate(c, op.outPredicate, opcode == Opcode::Not ? ~a : a, ua);
    return;
  }
  uint32_t b = predicateOf(c, op.predicate2, op.predicate2Negated, true);
  uint32_t ub = c.undefinedPredicates[op.predicate2];
  if (opcode == Opcode::And)
    setPredicate(c, op.outPredicate, a & b,
                 AndOf::undefined<uint32_t>(a, ua, b, ub));
  else if (opcode == Opcode::Or)
    setPredicate(c, op.outPredicate, a | b,
                 OrOf::undefined<uint32_t>(a, ua, b, ub));
  else
    setPredicate(c, op.outPredicate, a ^ b, ua | ub);
}

//===----------------------------------------------------------------------===//
// Moves
//===----------------------------------------------------------------------===//

struct Copy1 {
  using OnBits = void;
  template <class U>
  static U apply(U a) {
    return a;
  }
  template <class U>
  static U undefined(U, U ua) {
    return ua;
  }
};

/// %clock and the like: instructions of the warp, or of the block.
void moveClock(Context &c, const Op &op) {
  const Ref &d = op.args[0];
  uint64_t value = c.warp->steps;
  switch (Special(op.detail)) {
  case Special::GlobalTimer:
  case Special::GlobalTimerLo:
    value = c.block->instructions;
    break;
  case Special::GlobalTimerHi:
    value = c.block->instructions >> 32;
    break;
  case Special::ClockHi:
    value >>= 32;
    break;
  default:
    break;
  }
  for (unsigned l = 0; l < warpSize; ++l) {
    if (!(c.mask >> l & 1))
      continue;
    if (d.width == 8)
      c.lane<uint64_t>(d.offset)[l] = value;
    else
      c.lane<uint32_t>(d.offset)[l] = uint32_t(value);
  }
  setDefined(c, d.reg);
}

void unpack(Context &c, const Op &op) {
  // The operand that is split is the only one that is no vector.
  const Ref &a = op.args[0];
  uint64_t whole[warpSize], shadow[warpSize];
  for (unsigned l = 0; l < warpSize; ++l) {
    whole[l] = loadLane(c, a, l);
    shadow[l] = loadShadow(c, a, l);
  }
  uint32_t origin = c.frame->origins[a.reg];
  unsigned width =
      8 * typeBytes(op.source->types[0]) / unsigned(op.elements.size());
  for (size_t i = 0; i < op.elements.size(); ++i) {
    uint64_t values[warpSize], undefined[warpSize];
    for (unsigned l = 0; l < warpSize; ++l) {
      values[l] = whole[l] >> (i * width);
      undefined[l] = shadow[l] >> (i * width);
    }
    if (op.elements[i])
      storeLanes(c, op.elements[i], values, undefined, origin);
  }
}

void pack(Context &c, const Op &op) {
  const Ref &d = op.args[0];
  uint64_t values[warpSize] = {}, undefined[warpSize] = {};
  uint32_t origin = 0;
  unsigned width =
      8 * typeBytes(op.source->types[0]) / unsigned(op.elements.size());
  uint64_t mask = width == 64 ? ~uint64_t(0) : (uint64_t(1) << width) - 1;
  for (size_t i = 0; i < op.elements.size(); ++i) {
    const Ref &a = op.elements[i];
    if (c.undefined[a.reg] & c.mask)
      origin = c.frame->origins[a.reg];
    for (unsigned l = 0; l < warpSize; ++l) {
      values[l] |= (loadLane(c, a, l) & mask) << (i * width);
      undefined[l] |= (loadShadow(c, a, l) & mask) << (i * width);
    }
  }
  storeLanes(c, d, values, undefined, origin);
}

template <class F>
Handler binaryBits(unsigned bytes) {
  switch (bytes) {
  case 2:
    return binary<uint16_t, uint16_t, uint16_t, F>;
  case 4:
    return binary<uint32_t, uint32_t, uint32_t, F>;
  default:
    return binary<uint64_t, uint64_t, uint64_t, F>;
  }
}
template <class F>
Handler unaryBits(unsigned bytes) {
  switch (bytes) {
  case 2:
    return unary<uint16_t, uint16_t, F>;
  case 4:
    return unary<uint32_t, uint32_t, F>;
  default:
    return unary<uint64_t, uint64_t, F>;
  }
}

} // namespace

Handler muon::ptxsim::selectLogic(const Instruction &instruction, Op &op) {
  Type type = instruction.types[0];
  unsigned bytes = typeBytes(type);
  switch (instruction.opcode()) {
  case Opcode::Setp:
  case Opcode::Set: {
    bool isUnsigned = false;
    op.detail = comparisonOf(instruction, isUnsigned);
    op.detail |= uint32_t(isUnsigned) << 8;
    if (instruction.opcode() == Opcode::Set)
      return setValue;
    return type == Type::F16x2 || type == Type::BF16x2 ? setHalfPredicates
                                                       : setPredicates;
  }
  case Opcode::Selp:
    return bytes == 2   ? selectByPredicate<uint16_t>
           : bytes == 4 ? selectByPredicate<uint32_t>
                        : selectByPredicate<uint64_t>;
  case Opcode::Slct:
    return bytes == 2   ? selectBySign<uint16_t>
           : bytes == 4 ? selectBySign<uint32_t>
                        : selectBySign<uint64_t>;
  case Opcode::And:
    return type == Type::Pred ? predicateLogic : binaryBits<AndOf>(bytes);
  case Opcode::Or:
    return type == Type::Pred ? predicateLogic : binaryBits<OrOf>(bytes);
  case Opcode::Xor:
    return type == Type::Pred ? predicateLogic : binaryBits<XorOf>(bytes);
  case Opcode::Not:
    return type == Type::Pred ? predicateLogic : unaryBits<NotOf>(bytes);
  case Opcode::CNot:
    return unaryBits<CNotOf>(bytes);
  case Opcode::Lop3:
    return logic3;
  case Opcode::Shf: {
    bool wrap = instruction.has(M::Wrap);
    if (instruction.has(M::L))
      return wrap ? funnelShift<true, true> : funnelShift<true, false>;
    return wrap ? funnelShift<false, true> : funnelShift<false, false>;
  }
  case Opcode::Shl:
    return bytes == 2   ? binary<uint16_t, uint16_t, uint32_t, ShiftOf<true>>
           : bytes == 4 ? binary<uint32_t, uint32_t, uint32_t, ShiftOf<true>>
                        : binary<uint64_t, uint64_t, uint32_t, ShiftOf<true>>;
  case Opcode::Shr:
    if (isSigned(type))
      return bytes == 2   ? binary<int16_t, int16_t, uint32_t, ShiftArithmetic>
             : bytes == 4 ? binary<int32_t, int32_t, uint32_t, ShiftArithmetic>
                          : binary<int64_t, int64_t, uint32_t, ShiftArithmetic>;
    return bytes == 2   ? binary<uint16_t, uint16_t, uint32_t, ShiftOf<false>>
           : bytes == 4 ? binary<uint32_t, uint32_t, uint32_t, ShiftOf<false>>
                        : binary<uint64_t, uint64_t, uint32_t, ShiftOf<false>>;
  case Opcode::Prmt:
    return permuteBytes;
  case Opcode::Mov:
    if (type == Type::Pred)
      return predicateLogic;
    if (op.detail)
      return moveClock;
    return unaryBits<Copy1>(bytes);
  case Opcode::Unpack:
    return unpack;
  case Opcode::Pack:
    return pack;
  default:
    return nullptr;
  }
}
