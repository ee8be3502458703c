//===- InstructionTest.h - One instruction in a kernel ----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Makes a kernel around instructions, runs it through the public interface for
// many operands, and compares what each thread stores with a definition that is
// written in the test, from the text of the PTX ISA.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_PTXSIM_INSTRUCTIONTEST_H
#define MUON_MLIR_TEST_UNIT_PTXSIM_INSTRUCTIONTEST_H

#include "muon-mlir/PTXSim/PTXSim.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace muon::ptxsim::test {

/// Operands or results of one thread, the bits of each at the bottom.
using Values = std::vector<uint64_t>;
using Random = std::mt19937_64;

template <class To, class From>
To asBits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}
inline float f32Of(uint64_t bits) { return asBits<float>(uint32_t(bits)); }
inline double f64Of(uint64_t bits) { return asBits<double>(bits); }
inline uint64_t bitsOfF32(float x) { return asBits<uint32_t>(x); }
inline uint64_t bitsOfF64(double x) { return asBits<uint64_t>(x); }

struct Kernel {
  /// What stands between the loads and the stores, or the whole body after the
  /// prologue: there are %in, %out (u64, global addresses), %thread (in the
  /// block), %index (in the grid), %lane (u32).
  std::string body;
  /// Variables and functions before the kernel.
  std::string module;
  std::string target = ".version 8.0\n.target sm_80\n";
  std::vector<uint8_t> input;
  size_t outputBytes = 0;
  /// What the output holds before, if not undefined.
  std::vector<uint8_t> output;
  LaunchOptions options;

  std::string text() const;
};

/// The output of a kernel that must be accepted and run without a finding; else
/// a failure is added and the output is empty.
std::vector<uint8_t> run(const Kernel &kernel);
/// The findings of a kernel that must be accepted.
std::vector<Finding> findings(const Kernel &kernel);

template <class T>
std::vector<uint8_t> bytesOf(const std::vector<T> &values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}
template <class T>
std::vector<T> valuesOf(const std::vector<uint8_t> &bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

/// Runs `instruction` for each of the rows of operands, one per thread. Sources
/// are %s0, %s1, ..., results %d0, ...; their types are names as in PTX, `pred`
/// among them. Predicates and types of less than 8 bytes fill the lower bits.
std::vector<Values> runLanes(const std::string &instruction,
                             const std::vector<std::string> &results,
                             const std::vector<std::string> &sources,
                             const std::vector<Values> &operands,
                             const std::string &target = "",
                             const std::string &module = "");

/// Operands for sources of these types: combinations of edge values and random
/// ones. `u32<40` draws most from 0 to 39.
std::vector<Values> makeOperands(const std::vector<std::string> &sources,
                                 size_t count, uint64_t seed);

/// The results that the ISA demands; empty for operands where it leaves them
/// open.
using Definition = std::function<Values(const Values &)>;
/// Empty if the results are right, else what was expected.
using Judge =
    std::function<std::string(const Values &operands, const Values &results)>;

struct CheckOptions {
  size_t count = 1024;
  uint64_t seed = 1;
  /// Rows before those that are made.
  std::vector<Values> operands = {};
  std::string target = {};
  /// Makes operands allowed where the ISA leaves the result open.
  std::function<void(Values &)> adjust = {};
  /// Variables before the kernel.
  std::string module = {};
};

void check(const std::string &instruction,
           const std::vector<std::string> &results,
           const std::vector<std::string> &sources,
           const Definition &definition, const CheckOptions &options = {});
void checkBy(const std::string &instruction,
             const std::vector<std::string> &results,
             const std::vector<std::string> &sources, const Judge &judge,
             const CheckOptions &options = {});

/// `name %d0, %s0, ...;` with one result.
void checkOp(const std::string &name, const std::string &result,
             const std::vector<std::string> &sources,
             const std::function<uint64_t(const Values &)> &definition,
             const CheckOptions &options = {});

/// 8, 16, 32, 64 of `u8`, ...; 1 of `pred`.
unsigned bitsOfType(const std::string &type);
bool isSignedType(const std::string &type);
/// The value cut to its lower bits.
inline uint64_t cut(uint64_t value, unsigned bits) {
  return bits == 64 ? value : value & ((uint64_t(1) << bits) - 1);
}
/// The lower bits as a signed number.
inline int64_t extend(uint64_t value, unsigned bits) {
  return int64_t(value << (64 - bits)) >> (64 - bits);
}

} // namespace muon::ptxsim::test

#endif // MUON_MLIR_TEST_UNIT_PTXSIM_INSTRUCTIONTEST_H
