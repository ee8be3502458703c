//===- ExecuteConvert.cpp - Conversions -----------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Execute.h"
#include "Numbers.h"

#include <algorithm>
#include <cmath>

using namespace muon::ptxsim;

namespace {

using M = Modifier;

uint64_t maskOf(unsigned bytes) {
  return bytes == 8 ? ~uint64_t(0) : (uint64_t(1) << (8 * bytes)) - 1;
}

Rounding roundingOf(const Instruction &instruction) {
  if (instruction.has(M::Rz) || instruction.has(M::Rzi))
    return Rounding::Zero;
  if (instruction.has(M::Rm) || instruction.has(M::Rmi))
    return Rounding::Down;
  if (instruction.has(M::Rp) || instruction.has(M::Rpi))
    return Rounding::Up;
  if (instruction.has(M::Rna))
    return Rounding::NearestAway;
  return Rounding::Nearest;
}

bool isIntegral(const Instruction &instruction) {
  return instruction.has(M::Rni) || instruction.has(M::Rzi) ||
         instruction.has(M::Rmi) || instruction.has(M::Rpi);
}

/// The value of a floating-point operand; all of them are f64 exactly.
double valueOf(Type type, uint64_t bits, bool ftz) {
  switch (type) {
  case Type::F16:
    return fromF16(uint16_t(bits));
  case Type::BF16:
    return fromBF16(uint16_t(bits));
  case Type::F32: {
    float value = fromBits<float>(uint32_t(bits));
    return ftz ? flushF32(value) : value;
  }
  default:
    return fromBits<double>(bits);
  }
}

/// An integer, extended to 64 bits, into the range of a type.
uint64_t clampInteger(Type to, bool fromSigned, uint64_t value) {
  unsigned bits = 8 * typeBytes(to);
  if (isSigned(to)) {
    int64_t most = bits == 64 ? INT64_MAX : (int64_t(1) << (bits - 1)) - 1;
    if (!fromSigned)
      return std::min<uint64_t>(value, uint64_t(most));
    return uint64_t(std::clamp<int64_t>(int64_t(value), -most - 1, most));
  }
  if (fromSigned && int64_t(value) < 0)
    return 0;
  return std::min(value, maskOf(typeBytes(to)));
}

uint64_t integerToFloat(Type to, bool fromSigned, uint64_t value,
                        Rounding rounding) {
  int64_t asSigned = int64_t(value);
  switch (to) {
  case Type::F16:
    return fromSigned ? signedToF16(asSigned, rounding)
                      : unsignedToF16(value, rounding);
  case Type::BF16:
    return fromSigned ? signedToBF16(asSigned, rounding)
                      : unsignedToBF16(value, rounding);
  case Type::F32:
    return rawBits(fromSigned ? signedToF32(asSigned, rounding)
                              : unsignedToF32(value, rounding));
  default:
    return rawBits(fromSigned ? signedToF64(asSigned, rounding)
                              : unsignedToF64(value, rounding));
  }
}

uint16_t saturateHalf(uint16_t bits, uint16_t infinity) {
  // satfinite: infinities become the largest number, NaN its canonical pattern.
  return (bits & 0x7fff) == infinity ? (bits & 0x8000) | (infinity - 1) : bits;
}

/// f32 to f16 or bf16 with relu and satfinite.
uint16_t narrow(const Instruction &instruction, bool bf16, float value,
                Rounding rounding) {
  uint16_t bits = bf16 ? toBF16(value, rounding) : toF16(value, rounding);
  uint16_t infinity = bf16 ? 0x7f80 : 0x7c00;
  if (instruction.has(M::Relu)) {
    if ((bits & 0x7fff) > infinity)
      bits = 0x7fff;
    else if (bits & 0x8000)
      bits = 0;
  }
  if (instruction.has(M::SatFinite))
    bits = saturateHalf(bits, infinity);
  return bits;
}

struct ConvertAny {
  static uint64_t apply(const Op &op, const uint64_t *in) {
    const Instruction &instruction = *op.source;
    Type to = instruction.types[0], from = instruction.types[1];
    Rounding rounding = roundingOf(instruction);
    bool ftz = instruction.has(M::Ftz), sat = instruction.has(M::Sat);
    unsigned fromBytes = typeBytes(from), toBytes = typeBytes(to);
    uint64_t bits = in[0] & maskOf(fromBytes);
    uint64_t result;
    if (to == Type::TF32) {
      float value = fromBits<float>(uint32_t(bits));
      uint32_t rounded = toTF32(value, Rounding::NearestAway);
      if (instruction.has(M::SatFinite) && std::isinf(fromBits<float>(rounded)))
        rounded = (rounded & 0x80000000u) | 0x7f7fe000u;
      return rounded;
    }
    if (!isFloat(from)) {
      if (isSigned(from))
        bits = uint64_t(signExtend(bits, fromBytes));
      if (isFloat(to)) {
        // Saturated to [0, 1], an integer is zero or one.
        if (sat)
          bits = isSigned(from) && int64_t(bits) < 0 ? 0 : bits != 0;
        result = integerToFloat(to, isSigned(from), bits, rounding);
      } else {
        result = sat ? clampInteger(to, isSigned(from), bits) : bits;
      }
    } else {
      double value = valueOf(from, bits, ftz);
      if (!isFloat(to)) {
        unsigned width = 8 * toBytes;
        result =
            isSigned(to)
                ? uint64_t(toSigned(value, rounding, width, from == Type::F64))
                : toUnsigned(value, rounding, width, from == Type::F64);
      } else {
        if (isIntegral(instruction))
          value = roundToIntegral(value, rounding);
        if (sat)
          value = value > 1.0 ? 1.0 : value > 0.0 ? value : 0.0;
        switch (to) {
        case Type::F16:
          // From f32 relu and satfinite may be there; others lack them.
          result = from == Type::F32
                       ? narrow(instruction, false, float(value), rounding)
                       : toF16(value, rounding);
          break;
        case Type::BF16:
          result = from == Type::F32
                       ? narrow(instruction, true, float(value), rounding)
                       : toBF16(value, rounding);
          break;
        case Type::F32: {
          float narrowed = toF32(value, rounding);
          if (narrowed != narrowed)
            narrowed = fromBits<float>(0x7fffffff);
          result = rawBits(ftz ? flushF32(narrowed) : narrowed);
          break;
        }
        default:
          result = rawBits(value);
          break;
        }
      }
    }
    result &= maskOf(toBytes);
    // A destination that is wider gets the extended number.
    if (isSigned(to))
      result = uint64_t(signExtend(result, toBytes));
    return result;
  }
};

/// Two f32: a is the upper half.
struct ConvertTwo {
  static uint64_t apply(const Op &op, const uint64_t *in) {
    const Instruction &instruction = *op.source;
    bool bf16 = instruction.types[0] == Type::BF16x2;
    Rounding rounding = roundingOf(instruction);
    uint32_t high =
        narrow(instruction, bf16, fromBits<float>(uint32_t(in[0])), rounding);
    uint32_t low =
        narrow(instruction, bf16, fromBits<float>(uint32_t(in[1])), rounding);
    return high << 16 | low;
  }
};

/// cvt.pack.sat: a is the upper part, b the lower; c fills the upper half.
struct ConvertPack {
  static uint64_t apply(const Op &op, const uint64_t *in) {
    Type to = op.source->types[0];
    unsigned bytes = typeBytes(to);
    uint64_t mask = maskOf(bytes);
    auto clamped = [&](uint64_t value) {
      return clampInteger(to, true, uint64_t(signExtend(value, 4))) & mask;
    };
    uint64_t both = clamped(in[0]) << (8 * bytes) | clamped(in[1]);
    if (bytes == 1)
      both |= (in[2] & 0xffff) << 16;
    return both;
  }
};

template <class R, class T>
struct Extend {
  using OnBits = void;
  static R apply(T a) { return R(a); }
  static Bits<R> undefined(Bits<T>, Bits<T> bits) {
    return Bits<R>(R(T(bits)));
  }
};

/// The register holds what the type says only in its low bits.
void convertBits(Context &c, const Op &op) {
  const Ref &d = op.args[0], &a = op.args[1];
  Type to = op.source->types[0], from = op.source->types[1];
  auto extend = [&](uint64_t bits) {
    bits &= maskOf(typeBytes(from));
    if (isSigned(from))
      bits = uint64_t(signExtend(bits, typeBytes(from)));
    bits &= maskOf(typeBytes(to));
    if (isSigned(to))
      bits = uint64_t(signExtend(bits, typeBytes(to)));
    return bits;
  };
  uint64_t values[warpSize], undefined[warpSize];
  for (unsigned l = 0; l < warpSize; ++l) {
    values[l] = extend(loadLane(c, a, l));
    undefined[l] = extend(loadShadow(c, a, l));
  }
  storeLanes(c, d, values, undefined, c.frame->origins[a.reg]);
}

/// The common widenings and narrowings.
Handler quickConvert(Type to, Type from, unsigned toWidth, unsigned fromWidth) {
  if (toWidth != typeBytes(to) || fromWidth != typeBytes(from))
    return nullptr;
  switch (from) {
  case Type::U32:
    return toWidth == 8 ? unary<uint64_t, uint32_t, Extend<uint64_t, uint32_t>>
                        : nullptr;
  case Type::S32:
    return toWidth == 8 ? unary<int64_t, int32_t, Extend<int64_t, int32_t>>
                        : nullptr;
  case Type::U64:
  case Type::S64:
    return toWidth == 4 ? unary<uint32_t, uint64_t, Extend<uint32_t, uint64_t>>
                        : nullptr;
  case Type::U16:
    return toWidth == 4 ? unary<uint32_t, uint16_t, Extend<uint32_t, uint16_t>>
                        : nullptr;
  case Type::S16:
    return toWidth == 4 ? unary<int32_t, int16_t, Extend<int32_t, int16_t>>
                        : nullptr;
  default:
    return nullptr;
  }
}

} // namespace

Handler muon::ptxsim::selectConvert(const Instruction &instruction, Op &op) {
  switch (instruction.opcode()) {
  case Opcode::Cvt: {
    Type to = instruction.types[0], from = instruction.types[1];
    if (to == Type::F16x2 || to == Type::BF16x2)
      return generic<ConvertTwo, 2>;
    if (isFloat(to) || isFloat(from) || instruction.has(M::Sat))
      return generic<ConvertAny, 1>;
    if (Handler quick =
            quickConvert(to, from, op.args[0].width, op.args[1].width))
      return quick;
    return convertBits;
  }
  case Opcode::CvtPack:
    return instruction.types[1] == Type::S32 &&
                   typeBytes(instruction.types[0]) == 1
               ? generic<ConvertPack, 3>
               : generic<ConvertPack, 2>;
  default:
    return nullptr;
  }
}
