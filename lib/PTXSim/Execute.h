//===- Execute.h - What instructions are made of ----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An instruction computes 32 lanes at once, whether or not they take part, and
// writes those that do. A functor says what one lane computes; if it also has
// `undefinedBits` it works on bits and passes undefined ones on, else an
// undefined operand is a finding.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_EXECUTE_H
#define MUON_MLIR_LIB_PTXSIM_EXECUTE_H

#include "Machine.h"

#include <cstring>
#include <type_traits>

namespace muon::ptxsim {

template <unsigned bytes>
struct UnsignedOf;
template <>
struct UnsignedOf<1> {
  using type = uint8_t;
};
template <>
struct UnsignedOf<2> {
  using type = uint16_t;
};
template <>
struct UnsignedOf<4> {
  using type = uint32_t;
};
template <>
struct UnsignedOf<8> {
  using type = uint64_t;
};
template <class T>
using Bits = typename UnsignedOf<sizeof(T)>::type;

template <class T>
inline Bits<T> rawBits(T value) {
  Bits<T> bits;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}
template <class T>
inline T fromBits(Bits<T> bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

/// Writes the lanes of `mask`.
template <class T>
inline void put(T *to, const T *from, uint32_t mask) {
  if (mask == ~uint32_t(0)) {
    std::memcpy(to, from, sizeof(T) * warpSize);
    return;
  }
  for (unsigned l = 0; l < warpSize; ++l)
    if (mask >> l & 1)
      to[l] = from[l];
}

inline void setDefined(Context &c, uint32_t reg) {
  c.undefined[reg] &= ~c.mask;
}

/// Lanes of `mask` in which `bits` are not all defined become so.
template <class U>
inline void setUndefinedBits(Context &c, const Ref &ref, const U *bits,
                             uint32_t origin) {
  static_assert(std::is_unsigned_v<U>);
  uint32_t some = 0;
  for (unsigned l = 0; l < warpSize; ++l)
    some |= uint32_t(bits[l] != 0) << l;
  put(c.shadowLane<U>(ref.offset), bits, c.mask);
  c.undefined[ref.reg] = (c.undefined[ref.reg] & ~c.mask) | (some & c.mask);
  if (some & c.mask)
    c.frame->origins[ref.reg] = origin;
}

/// The undefined bits of 32 lanes.
template <class U>
inline void undefinedBits(const Context &c, const Ref &ref, U *bits) {
  uint32_t lanes = c.undefined[ref.reg];
  const U *shadow = c.shadowLane<U>(ref.offset);
  for (unsigned l = 0; l < warpSize; ++l)
    bits[l] = lanes >> l & 1 ? shadow[l] : U(0);
}

inline bool passesUndefined(const Context &c) {
  return c.launch->options.undefinedUse == UndefinedUse::Effects;
}

/// All bits of the result are undefined in `lanes`.
template <class U>
inline void spoil(Context &c, const Ref &ref, uint32_t lanes, uint32_t origin) {
  U bits[warpSize];
  for (unsigned l = 0; l < warpSize; ++l)
    bits[l] = lanes >> l & 1 ? U(~U(0)) : U(0);
  setUndefinedBits(c, ref, bits, origin);
}

/// For operands of arithmetic: reports, or gives the lanes whose result will be
/// undefined.
template <size_t n>
inline uint32_t checkOperands(Context &c, const Ref *const (&refs)[n],
                              uint32_t &origin) {
  uint32_t lanes = 0;
  for (const Ref *ref : refs)
    lanes |= c.undefined[ref->reg];
  lanes &= c.mask;
  if (!lanes)
    return 0;
  for (const Ref *ref : refs)
    if (uint32_t own = c.undefined[ref->reg] & c.mask) {
      origin = c.frame->origins[ref->reg];
      if (!passesUndefined(c))
        useUndefined(c, ref->reg, own, "as an operand");
    }
  return passesUndefined(c) ? lanes : 0;
}

template <class F, class = void>
struct WorksOnBits : std::false_type {};
template <class F>
struct WorksOnBits<F, std::void_t<typename F::OnBits>> : std::true_type {};

/// d ← f(a): R of T.
template <class R, class T, class F>
void unary(Context &c, const Op &op) {
  const Ref &d = op.args[0], &a = op.args[1];
  const T *x = c.lane<T>(a.offset);
  R result[warpSize];
  for (unsigned l = 0; l < warpSize; ++l)
    result[l] = F::apply(x[l]);
  uint32_t lost = 0, origin = 0;
  if (c.undefined[a.reg] & c.mask) {
    origin = c.frame->origins[a.reg];
    if constexpr (WorksOnBits<F>::value) {
      Bits<T> u[warpSize];
      Bits<R> out[warpSize];
      undefinedBits(c, a, u);
      for (unsigned l = 0; l < warpSize; ++l)
        out[l] = F::undefined(rawBits(x[l]), u[l]);
      put(c.lane<R>(d.offset), result, c.mask);
      setUndefinedBits(c, d, out, origin);
      return;
    } else {
      lost = checkOperands(c, {&a}, origin);
    }
  }
  put(c.lane<R>(d.offset), result, c.mask);
  if (lost)
    spoil<Bits<R>>(c, d, lost, origin);
  else
    setDefined(c, d.reg);
}

/// d ← f(a, b).
template <class R, class A, class B, class F>
void binary(Context &c, const Op &op) {
  const Ref &d = op.args[0], &a = op.args[1], &b = op.args[2];
  const A *x = c.lane<A>(a.offset);
  const B *y = c.lane<B>(b.offset);
  R result[warpSize];
  for (unsigned l = 0; l < warpSize; ++l)
    result[l] = F::apply(x[l], y[l]);
  uint32_t lost = 0, origin = 0;
  if (__builtin_expect((c.undefined[a.reg] | c.undefined[b.reg]) & c.mask, 0)) {
    origin = c.frame->origins[c.undefined[a.reg] & c.mask ? a.reg : b.reg];
    if constexpr (WorksOnBits<F>::value) {
      Bits<A> ua[warpSize];
      Bits<B> ub[warpSize];
      Bits<R> out[warpSize];
      undefinedBits(c, a, ua);
      undefinedBits(c, b, ub);
      for (unsigned l = 0; l < warpSize; ++l)
        out[l] = F::undefined(rawBits(x[l]), ua[l], rawBits(y[l]), ub[l]);
      put(c.lane<R>(d.offset), result, c.mask);
      setUndefinedBits(c, d, out, origin);
      return;
    } else {
      lost = checkOperands(c, {&a, &b}, origin);
    }
  }
  put(c.lane<R>(d.offset), result, c.mask);
  if (lost)
    spoil<Bits<R>>(c, d, lost, origin);
  else
    setDefined(c, d.reg);
}

/// d ← f(a, b, c).
template <class R, class A, class B, class C, class F>
void ternary(Context &c, const Op &op) {
  const Ref &d = op.args[0], &ra = op.args[1], &rb = op.args[2],
            &rc = op.args[3];
  const A *x = c.lane<A>(ra.offset);
  const B *y = c.lane<B>(rb.offset);
  const C *z = c.lane<C>(rc.offset);
  R result[warpSize];
  for (unsigned l = 0; l < warpSize; ++l)
    result[l] = F::apply(x[l], y[l], z[l]);
  uint32_t origin = 0;
  uint32_t lost = checkOperands(c, {&ra, &rb, &rc}, origin);
  put(c.lane<R>(d.offset), result, c.mask);
  if (lost)
    spoil<Bits<R>>(c, d, lost, origin);
  else
    setDefined(c, d.reg);
}

/// The bits of a register of any width in a lane.
inline uint64_t loadLane(const Context &c, const Ref &ref, unsigned l) {
  switch (ref.width) {
  case 1:
    return c.lane<uint8_t>(ref.offset)[l];
  case 2:
    return c.lane<uint16_t>(ref.offset)[l];
  case 4:
    return c.lane<uint32_t>(ref.offset)[l];
  default:
    return c.lane<uint64_t>(ref.offset)[l];
  }
}
/// Those that are undefined.
inline uint64_t loadShadow(const Context &c, const Ref &ref, unsigned l) {
  if (!(c.undefined[ref.reg] >> l & 1))
    return 0;
  switch (ref.width) {
  case 1:
    return c.shadowLane<uint8_t>(ref.offset)[l];
  case 2:
    return c.shadowLane<uint16_t>(ref.offset)[l];
  case 4:
    return c.shadowLane<uint32_t>(ref.offset)[l];
  default:
    return c.shadowLane<uint64_t>(ref.offset)[l];
  }
}
/// Writes values and undefined bits of the lanes of the mask.
inline void storeLanes(Context &c, const Ref &ref, const uint64_t *values,
                       const uint64_t *undefined, uint32_t origin) {
  auto as = [&](auto zero) {
    using U = decltype(zero);
    U narrow[warpSize], bits[warpSize];
    for (unsigned l = 0; l < warpSize; ++l) {
      narrow[l] = U(values[l]);
      bits[l] = U(undefined[l]);
    }
    put(c.lane<U>(ref.offset), narrow, c.mask);
    setUndefinedBits(c, ref, bits, origin);
  };
  switch (ref.width) {
  case 1:
    return as(uint8_t(0));
  case 2:
    return as(uint16_t(0));
  case 4:
    return as(uint32_t(0));
  default:
    return as(uint64_t(0));
  }
}

/// For what is too rare for a template of its own: F takes the op, and up to
/// four operands as 64-bit numbers, and gives the bits of the result.
template <class F, unsigned operands>
void generic(Context &c, const Op &op) {
  uint32_t lost = 0, origin = 0;
  for (unsigned i = 1; i <= operands; ++i) {
    if (uint32_t own = c.undefined[op.args[i].reg] & c.mask) {
      origin = c.frame->origins[op.args[i].reg];
      if (passesUndefined(c))
        lost |= own;
      else
        useUndefined(c, op.args[i].reg, own, "as an operand");
    }
  }
  uint64_t values[warpSize] = {}, undefined[warpSize] = {};
  forLanes(c.mask, [&](unsigned l) {
    uint64_t in[4] = {0, 0, 0, 0};
    for (unsigned i = 0; i < operands; ++i)
      in[i] = loadLane(c, op.args[i + 1], l);
    values[l] = F::apply(op, in);
    undefined[l] = lost >> l & 1 ? ~uint64_t(0) : 0;
  });
  storeLanes(c, op.args[0], values, undefined, origin);
}

inline int64_t signExtend(uint64_t value, unsigned bytes) {
  unsigned shift = 64 - 8 * bytes;
  return int64_t(value << shift) >> shift;
}

/// A predicate operand of 32 lanes; all set if there is none.
inline uint32_t predicateOf(Context &c, uint32_t reg, bool negated,
                            bool copies = false) {
  if (reg == noRegister)
    return ~uint32_t(0);
  if (!copies)
    if (uint32_t lanes = c.undefinedPredicates[reg] & c.mask)
      useUndefinedPredicate(c, reg, lanes, "as an operand");
  return negated ? ~c.predicates[reg] : c.predicates[reg];
}

inline void setPredicate(Context &c, uint32_t reg, uint32_t value,
                         uint32_t undefined = 0) {
  if (reg == noRegister)
    return;
  c.predicates[reg] = (c.predicates[reg] & ~c.mask) | (value & c.mask);
  c.undefinedPredicates[reg] =
      (c.undefinedPredicates[reg] & ~c.mask) | (undefined & c.mask);
}

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_EXECUTE_H
