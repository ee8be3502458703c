//===- ExecuteFloat.cpp - Floating-point arithmetic -----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Execute.h"
#include "Numbers.h"

#include <cmath>
#include <limits>

using namespace muon::ptxsim;

namespace {

using M = Modifier;

/// Results that are NaN have one pattern in PTX, whatever the host has.
inline float canonical(float value) {
  return value == value ? value : fromBits<float>(0x7fffffff);
}

template <bool ftz>
inline float in(float value) {
  return ftz ? flushF32(value) : value;
}

// The common forms: round to nearest even, no saturation.
template <bool ftz>
struct AddF32 {
  static float apply(float a, float b) {
    return in<ftz>(canonical(in<ftz>(a) + in<ftz>(b)));
  }
};
template <bool ftz>
struct SubF32 {
  static float apply(float a, float b) {
    return in<ftz>(canonical(in<ftz>(a) - in<ftz>(b)));
  }
};
template <bool ftz>
struct MulF32 {
  static float apply(float a, float b) {
    return in<ftz>(canonical(in<ftz>(a) * in<ftz>(b)));
  }
};
struct AddF64 {
  static double apply(double a, double b) { return a + b; }
};
struct SubF64 {
  static double apply(double a, double b) { return a - b; }
};
struct MulF64 {
  static double apply(double a, double b) { return a * b; }
};

__attribute__((target("avx2,fma"))) void
fmaHost(float *r, const float *a, const float *b, const float *c) {
  for (unsigned l = 0; l < warpSize; ++l)
    r[l] = __builtin_fmaf(a[l], b[l], c[l]);
}
void fmaPortable(float *r, const float *a, const float *b, const float *c) {
  for (unsigned l = 0; l < warpSize; ++l)
    r[l] = fmaF32(a[l], b[l], c[l], Rounding::Nearest);
}
void (*const fmaLanes)(float *, const float *, const float *,
                       const float *) = __builtin_cpu_supports("avx2") &&
                                                __builtin_cpu_supports("fma")
                                            ? fmaHost
                                            : fmaPortable;

template <bool ftz>
void fmaOfF32(Context &c, const Op &op) {
  const Ref &d = op.args[0];
  float flushed[3][warpSize], result[warpSize];
  const float *inputs[3];
  for (unsigned i = 0; i < 3; ++i) {
    inputs[i] = c.lane<float>(op.args[i + 1].offset);
    if (ftz) {
      for (unsigned l = 0; l < warpSize; ++l)
        flushed[i][l] = flushF32(inputs[i][l]);
      inputs[i] = flushed[i];
    }
  }
  fmaLanes(result, inputs[0], inputs[1], inputs[2]);
  for (unsigned l = 0; l < warpSize; ++l)
    result[l] = in<ftz>(canonical(result[l]));
  uint32_t origin = 0;
  uint32_t lost =
      checkOperands(c, {&op.args[1], &op.args[2], &op.args[3]}, origin);
  put(c.lane<float>(d.offset), result, c.mask);
  if (lost)
    spoil<uint32_t>(c, d, lost, origin);
  else
    setDefined(c, d.reg);
}

Rounding roundingOf(const Instruction &instruction) {
  if (instruction.has(M::Rz))
    return Rounding::Zero;
  if (instruction.has(M::Rm))
    return Rounding::Down;
  if (instruction.has(M::Rp))
    return Rounding::Up;
  return Rounding::Nearest;
}

/// What every operand and result of f32 goes through.
struct F32Policy {
  explicit F32Policy(const Op &op)
      : ftz(op.source->has(M::Ftz)), sat(op.source->has(M::Sat)),
        rounding(roundingOf(*op.source)) {}
  float in(uint64_t bits) const {
    float value = fromBits<float>(uint32_t(bits));
    return ftz ? flushF32(value) : value;
  }
  uint64_t out(float value) const {
    if (ftz)
      value = flushF32(value);
    if (sat)
      value = value > 1.0f ? 1.0f : value > 0.0f ? value : 0.0f;
    return rawBits(canonical(value));
  }
  bool ftz, sat;
  Rounding rounding;
};

double f64(uint64_t bits) { return fromBits<double>(bits); }

/// add, sub, mul, fma, div, rcp, sqrt and approximations of f32 and f64 with
/// any modifier.
struct AnyF32 {
  static uint64_t apply(const Op &op, const uint64_t *x) {
    F32Policy p(op);
    const Instruction &instruction = *op.source;
    float a = p.in(x[0]);
    switch (instruction.opcode()) {
    case Opcode::Add:
      return p.out(addF32(a, p.in(x[1]), p.rounding));
    case Opcode::Sub:
      return p.out(addF32(a, -p.in(x[1]), p.rounding));
    case Opcode::Mul:
      return p.out(mulF32(a, p.in(x[1]), p.rounding));
    case Opcode::Fma:
      return p.out(fmaF32(a, p.in(x[1]), p.in(x[2]), p.rounding));
    case Opcode::Div:
      if (instruction.has(M::Approx))
        return p.out(divApprox(a, p.in(x[1])));
      if (instruction.has(M::Full))
        return p.out(divFull(a, p.in(x[1])));
      return p.out(divF32(a, p.in(x[1]), p.rounding));
    case Opcode::Rcp:
      if (instruction.has(M::Approx))
        return p.out(rcpApprox(a));
      return p.out(rcpF32(a, p.rounding));
    case Opcode::Sqrt:
      if (instruction.has(M::Approx))
        return p.out(sqrtApprox(a));
      return p.out(sqrtF32(a, p.rounding));
    case Opcode::Rsqrt:
      return p.out(rsqrtApprox(a));
    case Opcode::Sin:
      return p.out(sinApprox(a));
    case Opcode::Cos:
      return p.out(cosApprox(a));
    case Opcode::Lg2:
      return p.out(lg2Approx(a));
    case Opcode::Ex2:
      return p.out(ex2Approx(a));
    case Opcode::Tanh:
      return p.out(tanhApprox(a));
    default:
      return 0;
    }
  }
};
struct AnyF64 {
  static uint64_t apply(const Op &op, const uint64_t *x) {
    const Instruction &instruction = *op.source;
    Rounding rounding = roundingOf(instruction);
    auto compute = [&]() -> double {
      switch (instruction.opcode()) {
      case Opcode::Add:
        return addF64(f64(x[0]), f64(x[1]), rounding);
      case Opcode::Sub:
        return addF64(f64(x[0]), -f64(x[1]), rounding);
      case Opcode::Mul:
        return mulF64(f64(x[0]), f64(x[1]), rounding);
      case Opcode::Fma:
        return fmaF64(f64(x[0]), f64(x[1]), f64(x[2]), rounding);
      case Opcode::Div:
        return divF64(f64(x[0]), f64(x[1]), rounding);
      case Opcode::Rcp:
        return instruction.has(M::Approx) ? rcpApproxF64(f64(x[0]))
                                          : rcpF64(f64(x[0]), rounding);
      case Opcode::Sqrt:
        return sqrtF64(f64(x[0]), rounding);
      case Opcode::Rsqrt:
        return instruction.has(M::Ftz) ? rsqrtApproxFtzF64(f64(x[0]))
                                       : rsqrtApproxF64(f64(x[0]));
      default:
        return 0;
      }
    };
    return rawBits(compute());
  }
};

// min and max. With .xorsign.abs: of the magnitudes, and the sign of the
// product.
struct MinMaxAny {
  static uint64_t apply(const Op &op, const uint64_t *x) {
    const Instruction &instruction = *op.source;
    bool isMin = instruction.opcode() == Opcode::Min;
    bool nan = instruction.has(M::NanMod), ftz = instruction.has(M::Ftz);
    bool magnitudes = instruction.has(M::XorSign) || instruction.has(M::Abs);
    auto half = [&](uint16_t a, uint16_t b, bool bf16) -> uint16_t {
      uint16_t sign = (a ^ b) & 0x8000;
      if (ftz) {
        a = flushF16(a);
        b = flushF16(b);
      }
      if (magnitudes) {
        a &= 0x7fff;
        b &= 0x7fff;
      }
      uint16_t r = bf16 ? (isMin ? minBF16(a, b, nan) : maxBF16(a, b, nan))
                        : (isMin ? minF16(a, b, nan) : maxF16(a, b, nan));
      bool isNan = (r & 0x7fff) > (bf16 ? 0x7f80 : 0x7c00);
      return instruction.has(M::XorSign) && !isNan ? (r & 0x7fff) | sign : r;
    };
    switch (instruction.types[0]) {
    case Type::F32: {
      uint32_t sign = uint32_t(x[0] ^ x[1]) & 0x80000000u;
      F32Policy p(op);
      float a = p.in(x[0]), b = p.in(x[1]);
      if (magnitudes) {
        a = std::fabs(a);
        b = std::fabs(b);
      }
      uint32_t r = rawBits(isMin ? minF32(a, b, nan) : maxF32(a, b, nan));
      bool isNan = (r & 0x7fffffffu) > 0x7f800000u;
      return instruction.has(M::XorSign) && !isNan ? (r & 0x7fffffffu) | sign
                                                   : r;
    }
    case Type::F64:
      return rawBits(isMin ? minF64(f64(x[0]), f64(x[1]))
                           : maxF64(f64(x[0]), f64(x[1])));
    case Type::F16:
      return half(uint16_t(x[0]), uint16_t(x[1]), false);
    case Type::BF16:
      return half(uint16_t(x[0]), uint16_t(x[1]), true);
    default: {
      bool bf16 = instruction.types[0] == Type::BF16x2;
      return half(uint16_t(x[0]), uint16_t(x[1]), bf16) |
             uint32_t(half(uint16_t(x[0] >> 16), uint16_t(x[1] >> 16), bf16))
                 << 16;
    }
    }
  }
};

/// Half precision, one or two at a time.
struct AnyHalf {
  static uint16_t one(const Instruction &instruction, bool bf16, uint16_t a,
                      uint16_t b, uint16_t c) {
    bool ftz = instruction.has(M::Ftz);
    if (ftz && !bf16) {
      a = flushF16(a);
      b = flushF16(b);
      c = flushF16(c);
    }
    uint16_t r = 0;
    switch (instruction.opcode()) {
    case Opcode::Add:
      r = bf16 ? addBF16(a, b) : addF16(a, b);
      break;
    case Opcode::Sub:
      r = bf16 ? subBF16(a, b) : subF16(a, b);
      break;
    case Opcode::Mul:
      r = bf16 ? mulBF16(a, b) : mulF16(a, b);
      break;
    case Opcode::Fma:
      r = bf16 ? fmaBF16(a, b, c) : fmaF16(a, b, c);
      break;
    case Opcode::Tanh:
      r = bf16 ? tanhApproxBF16(a) : tanhApproxF16(a);
      break;
    case Opcode::Ex2:
      r = bf16 ? ex2ApproxBF16(a) : ex2ApproxF16(a);
      break;
    default:
      break;
    }
    bool isNan = (r & 0x7fff) > (bf16 ? 0x7f80 : 0x7c00);
    if (ftz && !bf16)
      r = flushF16(r);
    if (instruction.has(M::Relu))
      return isNan ? 0x7fff : r & 0x8000 ? 0 : r;
    if (instruction.has(M::Sat)) {
      uint16_t unit = 0x3c00;
      return isNan || (r & 0x8000) ? 0 : r > unit ? unit : r;
    }
    return r;
  }
  static uint64_t apply(const Op &op, const uint64_t *x) {
    const Instruction &instruction = *op.source;
    Type type = instruction.types[0];
    bool bf16 = type == Type::BF16 || type == Type::BF16x2;
    uint64_t r =
        one(instruction, bf16, uint16_t(x[0]), uint16_t(x[1]), uint16_t(x[2]));
    if (typeBytes(type) == 4)
      r |= uint32_t(one(instruction, bf16, uint16_t(x[0] >> 16),
                        uint16_t(x[1] >> 16), uint16_t(x[2] >> 16)))
           << 16;
    return r;
  }
};

// Signs are bits: abs and neg pass undefined ones on.
template <uint64_t mask, bool clears>
struct SignOf {
  using OnBits = void;
  template <class U>
  static U apply(U a) {
    return clears ? U(a & ~U(mask)) : U(a ^ U(mask));
  }
  template <class U>
  static U undefined(U, U bits) {
    return clears ? U(bits & ~U(mask)) : bits;
  }
};
struct AbsNegFtz {
  static uint64_t apply(const Op &op, const uint64_t *x) {
    const Instruction &instruction = *op.source;
    bool isAbs = instruction.opcode() == Opcode::Abs;
    if (instruction.types[0] == Type::F32) {
      uint32_t bits = rawBits(flushF32(fromBits<float>(uint32_t(x[0]))));
      return isAbs ? bits & 0x7fffffffu : bits ^ 0x80000000u;
    }
    auto half = [&](uint16_t bits) -> uint16_t {
      bits = flushF16(bits);
      return isAbs ? bits & 0x7fff : bits ^ 0x8000;
    };
    uint64_t r = half(uint16_t(x[0]));
    if (instruction.types[0] == Type::F16x2)
      r |= uint32_t(half(uint16_t(x[0] >> 16))) << 16;
    return r;
  }
};
template <bool clears>
Handler signOf(Type type) {
  switch (type) {
  case Type::F16:
  case Type::BF16:
    return unary<uint16_t, uint16_t, SignOf<0x8000, clears>>;
  case Type::F16x2:
  case Type::BF16x2:
    return unary<uint32_t, uint32_t, SignOf<0x80008000, clears>>;
  case Type::F32:
    return unary<uint32_t, uint32_t, SignOf<0x80000000, clears>>;
  default:
    return unary<uint64_t, uint64_t, SignOf<0x8000000000000000, clears>>;
  }
}

/// The sign of a with the magnitude of b.
struct CopySignOf {
  static uint64_t apply(const Op &op, const uint64_t *x) {
    uint64_t sign = op.args[0].width == 4 ? 0x80000000ull : 1ull << 63;
    return (x[0] & sign) | (x[1] & ~sign);
  }
};

void testProperty(Context &c, const Op &op) {
  const Ref &a = op.args[0];
  if (uint32_t lanes = c.undefined[a.reg] & c.mask)
    useUndefined(c, a.reg, lanes, "as an operand");
  uint32_t result = 0;
  for (unsigned l = 0; l < warpSize; ++l) {
    double value;
    bool subnormal;
    if (a.width == 4) {
      float f = c.lane<float>(a.offset)[l];
      subnormal = std::fpclassify(f) == FP_SUBNORMAL;
      value = double(f);
    } else {
      value = c.lane<double>(a.offset)[l];
      subnormal = std::fpclassify(value) == FP_SUBNORMAL;
    }
    bool is = false;
    if (op.source->has(M::Finite))
      is = std::isfinite(value);
    else if (op.source->has(M::Infinite))
      is = std::isinf(value);
    else if (op.source->has(M::Number))
      is = !std::isnan(value);
    else if (op.source->has(M::NotANumber))
      is = std::isnan(value);
    else if (op.source->has(M::Normal))
      is = std::isfinite(value) && !subnormal && value != 0;
    else
      is = subnormal;
    result |= uint32_t(is) << l;
  }
  setPredicate(c, op.outPredicate, result);
}

} // namespace

Handler muon::ptxsim::selectFloat(const Instruction &instruction, Op &op) {
  if (instruction.form->cls != InstructionClass::Float)
    return nullptr;
  Type type = instruction.types[0];
  bool half = type == Type::F16 || type == Type::F16x2 || type == Type::BF16 ||
              type == Type::BF16x2;
  bool ftz = instruction.has(M::Ftz);
  bool plain =
      roundingOf(instruction) == Rounding::Nearest && !instruction.has(M::Sat);
  switch (instruction.opcode()) {
  case Opcode::Add:
  case Opcode::Sub:
  case Opcode::Mul:
    if (half)
      return generic<AnyHalf, 2>;
    if (plain && type == Type::F32) {
      if (instruction.opcode() == Opcode::Add)
        return ftz ? binary<float, float, float, AddF32<true>>
                   : binary<float, float, float, AddF32<false>>;
      if (instruction.opcode() == Opcode::Sub)
        return ftz ? binary<float, float, float, SubF32<true>>
                   : binary<float, float, float, SubF32<false>>;
      return ftz ? binary<float, float, float, MulF32<true>>
                 : binary<float, float, float, MulF32<false>>;
    }
    if (plain) {
      if (instruction.opcode() == Opcode::Add)
        return binary<double, double, double, AddF64>;
      if (instruction.opcode() == Opcode::Sub)
        return binary<double, double, double, SubF64>;
      return binary<double, double, double, MulF64>;
    }
    return type == Type::F32 ? generic<AnyF32, 2> : generic<AnyF64, 2>;
  case Opcode::Fma:
    if (half)
      return generic<AnyHalf, 3>;
    if (plain && type == Type::F32)
      return ftz ? fmaOfF32<true> : fmaOfF32<false>;
    return type == Type::F32 ? generic<AnyF32, 3> : generic<AnyF64, 3>;
  case Opcode::Div:
    return type == Type::F32 ? generic<AnyF32, 2> : generic<AnyF64, 2>;
  case Opcode::Abs:
    return ftz ? generic<AbsNegFtz, 1> : signOf<true>(type);
  case Opcode::Neg:
    return ftz ? generic<AbsNegFtz, 1> : signOf<false>(type);
  case Opcode::Min:
  case Opcode::Max:
    return generic<MinMaxAny, 2>;
  case Opcode::Tanh:
  case Opcode::Ex2:
    if (half)
      return generic<AnyHalf, 1>;
    return generic<AnyF32, 1>;
  case Opcode::Rcp:
  case Opcode::Sqrt:
  case Opcode::Rsqrt:
  case Opcode::Sin:
  case Opcode::Cos:
  case Opcode::Lg2:
    return type == Type::F32 ? generic<AnyF32, 1> : generic<AnyF64, 1>;
  case Opcode::Testp:
    return testProperty;
  case Opcode::CopySign:
    return generic<CopySignOf, 2>;
  default:
    return nullptr;
  }
}
