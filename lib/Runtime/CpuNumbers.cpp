//===- CpuNumbers.cpp - Conversions of number formats ---------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loops without branches on integers, which compilers vectorize for any
// processor.
//
//===----------------------------------------------------------------------===//

#include "CpuNumbers.h"

#include <cstring>

using namespace muon;

static constexpr uint32_t kSign = 0x80000000, kInfinity = 0x7f800000;

/// 0.5, whose last bit counts 2⁻²⁴, as the last bit of subnormal f16 does: such
/// a number is the fraction of its sum with 0.5.
static constexpr uint32_t kHalf = 0x3f000000;

static inline uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

static inline float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

MUON_VECTORIZED void muon::widenBf16(const uint16_t *from, float *to,
                                     int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    to[i] = floatOf(uint32_t(from[i]) << 16);
}

MUON_VECTORIZED void muon::widenF16(const uint16_t *from, float *to,
                                    int64_t n) {
  constexpr uint32_t rebias = (127 - 15) << 23;
  for (int64_t i = 0; i < n; ++i) {
    uint32_t half = from[i], magnitude = half & 0x7fff;
    uint32_t normal = (magnitude << 13) + rebias;
    uint32_t special = normal + rebias;
    uint32_t subnormal = bitsOf(floatOf(kHalf + magnitude) - floatOf(kHalf));
    uint32_t bits = magnitude >= 0x7c00   ? special
                    : magnitude >= 0x0400 ? normal
                                          : subnormal;
    to[i] = floatOf(bits | (half & 0x8000) << 16);
  }
}

MUON_VECTORIZED void muon::narrowToBf16(const float *from, uint16_t *to,
                                        int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t bits = bitsOf(from[i]);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    uint32_t quiet = bits >> 16 | 0x40;
    to[i] = uint16_t((bits & ~kSign) > kInfinity ? quiet : rounded);
  }
}

MUON_VECTORIZED void muon::narrowToF16(const float *from, uint16_t *to,
                                       int64_t n) {
  constexpr uint32_t rebias = (127 - 15) << 23;
  constexpr uint32_t leastNormal = 0x38800000;   // 2⁻¹⁴
  constexpr uint32_t leastInfinite = 0x477ff000; // 65520
  for (int64_t i = 0; i < n; ++i) {
    uint32_t bits = bitsOf(from[i]), magnitude = bits & ~kSign;
    uint32_t normal =
        (magnitude - rebias + 0xfff + (magnitude >> 13 & 1)) >> 13;
    uint32_t subnormal = bitsOf(floatOf(magnitude) + floatOf(kHalf)) - kHalf;
    uint32_t quiet = 0x7e00 | (magnitude >> 13 & 0x3ff);
    uint32_t result = magnitude > kInfinity        ? quiet
                      : magnitude >= leastInfinite ? 0x7c00
                      : magnitude >= leastNormal   ? normal
                                                   : subnormal;
    to[i] = uint16_t(result | (bits >> 16 & 0x8000));
  }
}

MUON_VECTORIZED void muon::roundToTf32(const float *from, float *to,
                                       int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t bits = bitsOf(from[i]);
    uint32_t rounded = (bits + 0x1000) & ~uint32_t(0x1fff);
    to[i] = floatOf((bits & ~kSign) >= kInfinity ? bits : rounded);
  }
}
