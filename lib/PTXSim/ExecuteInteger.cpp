//===- ExecuteInteger.cpp - Integer arithmetic ----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Execute.h"

#include <algorithm>
#include <limits>

using namespace muon::ptxsim;

namespace {

using M = Modifier;

template <class T>
using Wide = std::conditional_t<
    std::is_signed_v<T>,
    std::conditional_t<sizeof(T) == 2, int32_t,
                       std::conditional_t<sizeof(T) == 4, int64_t, __int128>>,
    std::conditional_t<
        sizeof(T) == 2, uint32_t,
        std::conditional_t<sizeof(T) == 4, uint64_t, unsigned __int128>>>;

struct AddOf {
  template <class T>
  static T apply(T a, T b) {
    return T(a + b);
  }
};
struct SubOf {
  template <class T>
  static T apply(T a, T b) {
    return T(a - b);
  }
};
struct AddSat {
  static int32_t apply(int32_t a, int32_t b) {
    int64_t sum = int64_t(a) + b;
    return int32_t(std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX));
  }
};
struct SubSat {
  static int32_t apply(int32_t a, int32_t b) {
    int64_t sum = int64_t(a) - b;
    return int32_t(std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX));
  }
};
/// u16 products overflow int.
struct MulLo {
  template <class T>
  static T apply(T a, T b) {
    return T(uint64_t(a) * uint64_t(b));
  }
};
struct MulHi {
  template <class T>
  static T apply(T a, T b) {
    return T((Wide<T>(a) * Wide<T>(b)) >> (8 * sizeof(T)));
  }
};
struct MulWide {
  template <class T>
  static Wide<T> apply(T a, T b) {
    return Wide<T>(a) * Wide<T>(b);
  }
};
struct MadLo {
  template <class T>
  static T apply(T a, T b, T c) {
    return T(uint64_t(a) * uint64_t(b) + uint64_t(c));
  }
};
struct MadHi {
  template <class T>
  static T apply(T a, T b, T c) {
    return T(Bits<T>(MulHi::apply(a, b)) + Bits<T>(c));
  }
};
struct MadHiSat {
  static int32_t apply(int32_t a, int32_t b, int32_t c) {
    return AddSat::apply(MulHi::apply(a, b), c);
  }
};
struct MadWide {
  template <class T, class W>
  static W apply(T a, T b, W c) {
    return W(Bits<W>(W(a) * W(b)) + Bits<W>(c));
  }
};
/// The low 24 bits of a signed or unsigned operand.
template <class T>
int64_t low24(T a) {
  if (std::is_signed_v<T>)
    return int32_t(uint32_t(a) << 8) >> 8;
  return uint32_t(a) & 0xffffff;
}
/// Bits 0 to 31, or 16 to 47, of the 48-bit product.
template <bool high>
struct Mul24Of {
  template <class T>
  static T apply(T a, T b) {
    int64_t product = low24(a) * low24(b);
    return T(high ? product >> 16 : product);
  }
};
template <bool high>
struct Mad24Of {
  template <class T>
  static T apply(T a, T b, T c) {
    return T(uint32_t(Mul24Of<high>::apply(a, b)) + uint32_t(c));
  }
};
struct Mad24HiSat {
  static int32_t apply(int32_t a, int32_t b, int32_t c) {
    return AddSat::apply(Mul24Of<true>::apply(a, b), c);
  }
};
struct SadOf {
  template <class T>
  static T apply(T a, T b, T c) {
    Bits<T> difference =
        a < b ? Bits<T>(b) - Bits<T>(a) : Bits<T>(a) - Bits<T>(b);
    return T(Bits<T>(c) + difference);
  }
};
/// Division by zero is unspecified in the ISA; all ones is what GPUs give.
struct DivOf {
  template <class T>
  static T apply(T a, T b) {
    if (b == 0)
      return T(~T(0));
    if (std::is_signed_v<T> && b == T(-1))
      return T(Bits<T>(0) - Bits<T>(a));
    return T(a / b);
  }
};
struct RemOf {
  template <class T>
  static T apply(T a, T b) {
    if (b == 0)
      return a;
    if (std::is_signed_v<T> && b == T(-1))
      return 0;
    return T(a % b);
  }
};
struct AbsOf {
  template <class T>
  static T apply(T a) {
    return a < 0 ? T(Bits<T>(0) - Bits<T>(a)) : a;
  }
};
struct NegOf {
  template <class T>
  static T apply(T a) {
    return T(Bits<T>(0) - Bits<T>(a));
  }
};
struct MinOf {
  template <class T>
  static T apply(T a, T b) {
    return b < a ? b : a;
  }
};
struct MaxOf {
  template <class T>
  static T apply(T a, T b) {
    return a < b ? b : a;
  }
};
struct PopcOf {
  static uint32_t apply(uint32_t a) { return __builtin_popcount(a); }
  static uint32_t apply(uint64_t a) { return __builtin_popcountll(a); }
};
struct ClzOf {
  static uint32_t apply(uint32_t a) { return a ? __builtin_clz(a) : 32; }
  static uint32_t apply(uint64_t a) { return a ? __builtin_clzll(a) : 64; }
};
/// The place of the most significant bit that differs from the sign.
template <bool shiftAmount>
struct BfindOf {
  template <class T>
  static uint32_t apply(T a) {
    using U = Bits<T>;
    U bits = U(a);
    if (std::is_signed_v<T> && a < 0)
      bits = U(~bits);
    if (!bits)
      return ~uint32_t(0);
    constexpr uint32_t top = 8 * sizeof(T) - 1;
    uint32_t at = top - (sizeof(T) == 8 ? __builtin_clzll(bits)
                                        : __builtin_clz(uint32_t(bits)));
    return shiftAmount ? top - at : at;
  }
};
struct BrevOf {
  static uint32_t apply(uint32_t a) { return __builtin_bitreverse32(a); }
  static uint64_t apply(uint64_t a) { return __builtin_bitreverse64(a); }
};
struct FnsOf {
  static uint64_t apply(const Op &, const uint64_t *in) {
    uint32_t mask = uint32_t(in[0]), base = uint32_t(in[1]);
    int32_t offset = int32_t(in[2]);
    if (base > 31)
      return ~uint32_t(0);
    if (offset == 0)
      return mask >> base & 1 ? base : ~uint32_t(0);
    int step = offset > 0 ? 1 : -1;
    int64_t count = offset > 0 ? offset - 1 : -(int64_t(offset) + 1);
    for (int at = int(base); at >= 0 && at < 32; at += step) {
      if (!(mask >> at & 1))
        continue;
      if (count-- == 0)
        return uint32_t(at);
    }
    return ~uint32_t(0);
  }
};
struct BfeOf {
  template <class T>
  static T apply(T a, uint32_t b, uint32_t c) {
    constexpr uint32_t top = 8 * sizeof(T) - 1;
    uint32_t at = b & 0xff, length = c & 0xff;
    using U = Bits<T>;
    U bits = U(a);
    bool sign = false;
    if (std::is_signed_v<T> && length)
      sign = bits >> std::min(at + length - 1, top) & 1;
    U result = sign ? U(~U(0)) : U(0);
    for (uint32_t i = 0; i <= top && i < length && at + i <= top; ++i) {
      U bit = bits >> (at + i) & 1;
      result = U((result & ~(U(1) << i)) | bit << i);
    }
    return T(result);
  }
};
struct BfiOf {
  template <class U>
  static U apply(U a, U b, uint32_t c, uint32_t d) {
    uint32_t at = c & 0xff, length = d & 0xff;
    for (uint32_t i = 0; i < length && at + i < 8 * sizeof(U); ++i) {
      U bit = a >> i & 1;
      b = U((b & ~(U(1) << (at + i))) | bit << (at + i));
    }
    return b;
  }
};

/// Bits keep whether they are undefined where they go; the sign is copied with
/// it. Place and length have to be defined.
template <class T, bool inserts>
void bitField(Context &c, const Op &op) {
  using U = Bits<T>;
  const Ref &d = op.args[0], &ra = op.args[1];
  const Ref &rb = op.args[inserts ? 2 : 1];
  const Ref &at = op.args[inserts ? 3 : 2], &length = op.args[inserts ? 4 : 3];
  for (const Ref *ref : {&at, &length})
    if (uint32_t lanes = c.undefined[ref->reg] & c.mask)
      useUndefined(c, ref->reg, lanes, "as the place or length of a bit field");
  const uint32_t *places = c.lane<uint32_t>(at.offset);
  const uint32_t *lengths = c.lane<uint32_t>(length.offset);
  auto field = [&](const U *a, const U *b, U *result) {
    for (unsigned l = 0; l < warpSize; ++l)
      result[l] = inserts ? BfiOf::apply<U>(a[l], b[l], places[l], lengths[l])
                          : U(BfeOf::apply(T(a[l]), places[l], lengths[l]));
  };
  U result[warpSize];
  field(c.lane<U>(ra.offset), c.lane<U>(rb.offset), result);
  if (!((c.undefined[ra.reg] | c.undefined[rb.reg]) & c.mask)) {
    put(c.lane<U>(d.offset), result, c.mask);
    setDefined(c, d.reg);
    return;
  }
  uint32_t origin =
      c.frame->origins[c.undefined[ra.reg] & c.mask ? ra.reg : rb.reg];
  U ua[warpSize], ub[warpSize], bits[warpSize];
  undefinedBits(c, ra, ua);
  undefinedBits(c, rb, ub);
  field(ua, ub, bits);
  put(c.lane<U>(d.offset), result, c.mask);
  setUndefinedBits(c, d, bits, origin);
}
template <bool wrap>
struct SzextOf {
  template <class T>
  static T apply(T a, uint32_t b) {
    if (wrap)
      b &= 31;
    if (b >= 32)
      return a;
    if (b == 0)
      return 0;
    unsigned shift = 32 - b;
    return std::is_signed_v<T> ? T(int32_t(uint32_t(a) << shift) >> shift)
                               : T(uint32_t(a) << shift >> shift);
  }
};
template <bool wrap>
struct BmskOf {
  static uint32_t apply(uint32_t a, uint32_t b) {
    if (wrap) {
      a &= 31;
      b &= 31;
    }
    if (a >= 32 || b == 0)
      return 0;
    uint64_t ones = b >= 32 ? 0xffffffffull : (1ull << b) - 1;
    return uint32_t(ones << a);
  }
};
/// Products of bytes, or of two bytes with the halves of a.
struct DotOf {
  static uint64_t apply(const Op &op, const uint64_t *in) {
    const Instruction &instruction = *op.source;
    bool aSigned = instruction.types[0] == Type::S32;
    bool bSigned = instruction.types[1] == Type::S32;
    uint32_t sum = uint32_t(in[2]);
    bool four = instruction.opcode() == Opcode::Dp4a;
    for (unsigned i = 0; i < (four ? 4u : 2u); ++i) {
      unsigned bytes = four ? 1 : 2;
      uint64_t a = uint32_t(in[0]) >> (8 * bytes * i);
      uint64_t b = uint32_t(in[1]) >>
                   (8 * (four || !instruction.has(M::Hi) ? i : i + 2));
      int64_t x =
          aSigned ? signExtend(a, bytes) : int64_t(a & (four ? 0xff : 0xffff));
      int64_t y = bSigned ? signExtend(b, 1) : int64_t(b & 0xff);
      sum += uint32_t(x * y);
    }
    return sum;
  }
};

/// add.cc to madc.cc: the carry is a bit per lane.
void carryArithmetic(Context &c, const Op &op) {
  const Instruction &instruction = *op.source;
  Opcode opcode = instruction.opcode();
  bool reads = std::string_view(instruction.form->name).back() == 'c';
  bool writes = instruction.has(M::CC);
  bool mad = opcode == Opcode::MadC, sub = opcode == Opcode::SubC;
  unsigned bytes = typeBytes(instruction.types[0]);
  bool isSignedType = isSigned(instruction.types[0]);
  uint32_t carry = c.frame->carry, carryOut = 0, lost = 0, origin = 0;
  for (unsigned i = 1; i <= (mad ? 3u : 2u); ++i)
    if (uint32_t own = c.undefined[op.args[i].reg] & c.mask) {
      origin = c.frame->origins[op.args[i].reg];
      if (passesUndefined(c))
        lost |= own;
      else
        useUndefined(c, op.args[i].reg, own, "as an operand");
    }
  auto load = [&](unsigned i, unsigned l) -> uint64_t {
    return bytes == 4 ? c.lane<uint32_t>(op.args[i].offset)[l]
                      : c.lane<uint64_t>(op.args[i].offset)[l];
  };
  uint64_t mask = bytes == 4 ? 0xffffffffull : ~uint64_t(0);
  for (unsigned l = 0; l < warpSize; ++l) {
    if (!(c.mask >> l & 1))
      continue;
    uint64_t a = load(1, l), b = load(2, l);
    if (mad) {
      unsigned __int128 product;
      if (isSignedType)
        product = (unsigned __int128)(__int128(signExtend(a, bytes)) *
                                      signExtend(b, bytes));
      else
        product = (unsigned __int128)a * b;
      if (instruction.has(M::Hi))
        product >>= 8 * bytes;
      a = uint64_t(product) & mask;
      b = load(3, l);
    }
    bool in = reads && (carry >> l & 1);
    uint64_t result;
    bool out;
    if (sub) {
      // The carry of a subtraction is its borrow.
      unsigned __int128 right = (unsigned __int128)b + in;
      result = uint64_t(a - right) & mask;
      out = right > a;
    } else {
      unsigned __int128 sum = (unsigned __int128)a + b + in;
      result = uint64_t(sum) & mask;
      out = (sum >> (8 * bytes)) != 0;
    }
    carryOut |= uint32_t(out) << l;
    if (bytes == 4)
      c.lane<uint32_t>(op.args[0].offset)[l] = uint32_t(result);
    else
      c.lane<uint64_t>(op.args[0].offset)[l] = result;
  }
  if (writes)
    c.frame->carry = (carry & ~c.mask) | (carryOut & c.mask);
  setDefined(c, op.args[0].reg);
  if (lost) {
    if (bytes == 4)
      spoil<uint32_t>(c, op.args[0], lost, origin);
    else
      spoil<uint64_t>(c, op.args[0], lost, origin);
  }
}

template <class F>
Handler binaryOf(Type type) {
  switch (type) {
  case Type::U16:
    return binary<uint16_t, uint16_t, uint16_t, F>;
  case Type::U32:
    return binary<uint32_t, uint32_t, uint32_t, F>;
  case Type::U64:
    return binary<uint64_t, uint64_t, uint64_t, F>;
  case Type::S16:
    return binary<int16_t, int16_t, int16_t, F>;
  case Type::S32:
    return binary<int32_t, int32_t, int32_t, F>;
  case Type::S64:
    return binary<int64_t, int64_t, int64_t, F>;
  default:
    return nullptr;
  }
}
/// Where the sign makes no difference, and must not overflow.
template <class F>
Handler unsignedBinaryOf(Type type) {
  switch (typeBytes(type)) {
  case 2:
    return binary<uint16_t, uint16_t, uint16_t, F>;
  case 4:
    return binary<uint32_t, uint32_t, uint32_t, F>;
  case 8:
    return binary<uint64_t, uint64_t, uint64_t, F>;
  default:
    return nullptr;
  }
}
template <class F>
Handler ternaryOf(Type type) {
  switch (type) {
  case Type::U16:
    return ternary<uint16_t, uint16_t, uint16_t, uint16_t, F>;
  case Type::U32:
    return ternary<uint32_t, uint32_t, uint32_t, uint32_t, F>;
  case Type::U64:
    return ternary<uint64_t, uint64_t, uint64_t, uint64_t, F>;
  case Type::S16:
    return ternary<int16_t, int16_t, int16_t, int16_t, F>;
  case Type::S32:
    return ternary<int32_t, int32_t, int32_t, int32_t, F>;
  case Type::S64:
    return ternary<int64_t, int64_t, int64_t, int64_t, F>;
  default:
    return nullptr;
  }
}
template <class F>
Handler signedUnaryOf(Type type) {
  switch (type) {
  case Type::S16:
    return unary<int16_t, int16_t, F>;
  case Type::S32:
    return unary<int32_t, int32_t, F>;
  case Type::S64:
    return unary<int64_t, int64_t, F>;
  default:
    return nullptr;
  }
}

} // namespace

Handler muon::ptxsim::selectInteger(const Instruction &instruction, Op &op) {
  Type type = instruction.types[0];
  if (instruction.form->cls != InstructionClass::Integer)
    return nullptr;
  bool wide64 = typeBytes(type) == 8;
  switch (instruction.opcode()) {
  case Opcode::Add:
    if (instruction.has(M::Sat))
      return binary<int32_t, int32_t, int32_t, AddSat>;
    return unsignedBinaryOf<AddOf>(type);
  case Opcode::Sub:
    if (instruction.has(M::Sat))
      return binary<int32_t, int32_t, int32_t, SubSat>;
    return unsignedBinaryOf<SubOf>(type);
  case Opcode::AddC:
  case Opcode::SubC:
  case Opcode::MadC:
    return carryArithmetic;
  case Opcode::Mul:
    if (instruction.has(M::Lo))
      return unsignedBinaryOf<MulLo>(type);
    if (instruction.has(M::Hi))
      return binaryOf<MulHi>(type);
    switch (type) {
    case Type::U16:
      return binary<uint32_t, uint16_t, uint16_t, MulWide>;
    case Type::U32:
      return binary<uint64_t, uint32_t, uint32_t, MulWide>;
    case Type::S16:
      return binary<int32_t, int16_t, int16_t, MulWide>;
    default:
      return binary<int64_t, int32_t, int32_t, MulWide>;
    }
  case Opcode::Mad:
    if (instruction.has(M::Sat))
      return ternary<int32_t, int32_t, int32_t, int32_t, MadHiSat>;
    if (instruction.has(M::Lo)) {
      switch (typeBytes(type)) {
      case 2:
        return ternary<uint16_t, uint16_t, uint16_t, uint16_t, MadLo>;
      case 4:
        return ternary<uint32_t, uint32_t, uint32_t, uint32_t, MadLo>;
      default:
        return ternary<uint64_t, uint64_t, uint64_t, uint64_t, MadLo>;
      }
    }
    if (instruction.has(M::Hi))
      return ternaryOf<MadHi>(type);
    switch (type) {
    case Type::U16:
      return ternary<uint32_t, uint16_t, uint16_t, uint32_t, MadWide>;
    case Type::U32:
      return ternary<uint64_t, uint32_t, uint32_t, uint64_t, MadWide>;
    case Type::S16:
      return ternary<int32_t, int16_t, int16_t, int32_t, MadWide>;
    default:
      return ternary<int64_t, int32_t, int32_t, int64_t, MadWide>;
    }
  case Opcode::Mul24: {
    bool hi = instruction.has(M::Hi);
    if (type == Type::U32)
      return hi ? binary<uint32_t, uint32_t, uint32_t, Mul24Of<true>>
                : binary<uint32_t, uint32_t, uint32_t, Mul24Of<false>>;
    return hi ? binary<int32_t, int32_t, int32_t, Mul24Of<true>>
              : binary<int32_t, int32_t, int32_t, Mul24Of<false>>;
  }
  case Opcode::Mad24: {
    bool hi = instruction.has(M::Hi);
    if (instruction.has(M::Sat))
      return ternary<int32_t, int32_t, int32_t, int32_t, Mad24HiSat>;
    if (type == Type::U32)
      return hi ? ternary<uint32_t, uint32_t, uint32_t, uint32_t, Mad24Of<true>>
                : ternary<uint32_t, uint32_t, uint32_t, uint32_t,
                          Mad24Of<false>>;
    return hi ? ternary<int32_t, int32_t, int32_t, int32_t, Mad24Of<true>>
              : ternary<int32_t, int32_t, int32_t, int32_t, Mad24Of<false>>;
  }
  case Opcode::Sad:
    return ternaryOf<SadOf>(type);
  case Opcode::Div:
    return binaryOf<DivOf>(type);
  case Opcode::Rem:
    return binaryOf<RemOf>(type);
  case Opcode::Abs:
    return signedUnaryOf<AbsOf>(type);
  case Opcode::Neg:
    return signedUnaryOf<NegOf>(type);
  case Opcode::Min:
    return binaryOf<MinOf>(type);
  case Opcode::Max:
    return binaryOf<MaxOf>(type);
  case Opcode::Popc:
    return wide64 ? unary<uint32_t, uint64_t, PopcOf>
                  : unary<uint32_t, uint32_t, PopcOf>;
  case Opcode::Clz:
    return wide64 ? unary<uint32_t, uint64_t, ClzOf>
                  : unary<uint32_t, uint32_t, ClzOf>;
  case Opcode::Bfind: {
    bool shift = instruction.has(M::ShiftAmt);
    switch (type) {
    case Type::U32:
      return shift ? unary<uint32_t, uint32_t, BfindOf<true>>
                   : unary<uint32_t, uint32_t, BfindOf<false>>;
    case Type::U64:
      return shift ? unary<uint32_t, uint64_t, BfindOf<true>>
                   : unary<uint32_t, uint64_t, BfindOf<false>>;
    case Type::S32:
      return shift ? unary<uint32_t, int32_t, BfindOf<true>>
                   : unary<uint32_t, int32_t, BfindOf<false>>;
    default:
      return shift ? unary<uint32_t, int64_t, BfindOf<true>>
                   : unary<uint32_t, int64_t, BfindOf<false>>;
    }
  }
  case Opcode::Fns:
    return generic<FnsOf, 3>;
  case Opcode::Brev:
    return wide64 ? unary<uint64_t, uint64_t, BrevOf>
                  : unary<uint32_t, uint32_t, BrevOf>;
  case Opcode::Bfe:
    switch (type) {
    case Type::U32:
      return bitField<uint32_t, false>;
    case Type::U64:
      return bitField<uint64_t, false>;
    case Type::S32:
      return bitField<int32_t, false>;
    default:
      return bitField<int64_t, false>;
    }
  case Opcode::Bfi:
    return wide64 ? bitField<uint64_t, true> : bitField<uint32_t, true>;
  case Opcode::Szext: {
    bool wrap = instruction.has(M::Wrap);
    if (type == Type::U32)
      return wrap ? binary<uint32_t, uint32_t, uint32_t, SzextOf<true>>
                  : binary<uint32_t, uint32_t, uint32_t, SzextOf<false>>;
    return wrap ? binary<int32_t, int32_t, uint32_t, SzextOf<true>>
                : binary<int32_t, int32_t, uint32_t, SzextOf<false>>;
  }
  case Opcode::Bmsk:
    return instruction.has(M::Wrap)
               ? binary<uint32_t, uint32_t, uint32_t, BmskOf<true>>
               : binary<uint32_t, uint32_t, uint32_t, BmskOf<false>>;
  case Opcode::Dp4a:
  case Opcode::Dp2a:
    return generic<DotOf, 3>;
  default:
    return nullptr;
  }
}
