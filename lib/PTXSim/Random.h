//===- Random.h - Seeded random numbers -------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_RANDOM_H
#define MUON_MLIR_LIB_PTXSIM_RANDOM_H

#include <cstdint>

namespace muon::ptxsim {

/// SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014): the same numbers on every machine.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}

  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// Less than `bound`.
  uint32_t below(uint32_t bound) {
    return uint32_t((uint64_t(uint32_t(next())) * bound) >> 32);
  }

private:
  uint64_t state;
};

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_RANDOM_H
