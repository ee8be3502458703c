//===- Workloads.h - Launches of the CUDA programs --------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the programs of this directory are launched with, and what must come
// out: computed on the host from what a kernel is for, not from how it does it.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_PTXSIM_PROGRAMS_WORKLOADS_H
#define MUON_MLIR_TEST_UNIT_PTXSIM_PROGRAMS_WORKLOADS_H

#include "muon-mlir/PTXSim/PTXSim.h"

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace muon::ptxsim::test {

/// The PTX that `compiler` ("nvcc" or "llvm") made of a program.
std::string programText(const std::string &program,
                        const std::string &compiler);

/// Fails the test, with the errors, if the text is wrong.
std::shared_ptr<const Module> parseText(const std::string &text,
                                        const std::string &name);

/// A parsed program; each is read once.
std::shared_ptr<const Module> program(const std::string &program,
                                      const std::string &compiler);

/// True for the elements that count, by index; empty for all.
using Elements = std::function<bool(size_t)>;

struct Argument {
  enum class Role {
    /// Defined before, where `counts`; the same after.
    Input,
    /// Undefined or filled with a pattern before; written where `counts` and
    /// nowhere else.
    Output,
    /// Defined before, other after.
    InOut,
    Scalar
  };
  Role role = Role::Scalar;
  /// The initial bytes of inputs and scalars.
  std::vector<uint8_t> initial;
  /// The bytes that must come out, unless there is a `check`.
  std::vector<uint8_t> expected;
  std::function<void(const std::vector<uint8_t> &)> check;
  /// For each byte.
  std::vector<bool> counts;
  size_t elementBytes = 1;

  size_t size() const { return counts.size(); }
};

/// One launch. Arguments are added in the order of the kernel's parameters.
struct Workload {
  /// Name of the file, and the kernel in it.
  std::string program, kernel;
  Dim3 grid, block;
  uint32_t dynamicSharedBytes = 0;
  std::vector<Argument> arguments;
  /// The results depend on the order of threads: those of two seeds may differ,
  /// though each passes its checks.
  bool anyOrder = false;

  Workload(std::string program, std::string kernel, Dim3 grid, Dim3 block,
           uint32_t dynamicSharedBytes = 0)
      : program(std::move(program)), kernel(std::move(kernel)), grid(grid),
        block(block), dynamicSharedBytes(dynamicSharedBytes) {}

  template <class T>
  Workload &input(const std::vector<T> &values, const Elements &defined = {}) {
    Argument &a = add<T>(Argument::Role::Input, values.size(), defined);
    a.initial = a.expected = bytesOf(values);
    return *this;
  }

  template <class T>
  Workload &output(const std::vector<T> &expected,
                   const Elements &written = {}) {
    Argument &a = add<T>(Argument::Role::Output, expected.size(), written);
    a.expected = bytesOf(expected);
    return *this;
  }

  /// `check` is given all elements; those that must not be written are 0xff...
  /// or undefined.
  template <class T>
  Workload &output(size_t size,
                   std::function<void(const std::vector<T> &)> check,
                   const Elements &written = {}) {
    Argument &a = add<T>(Argument::Role::Output, size, written);
    a.check = typed<T>(std::move(check));
    return *this;
  }

  template <class T>
  Workload &inOut(const std::vector<T> &before, const std::vector<T> &after) {
    Argument &a = add<T>(Argument::Role::InOut, before.size(), {});
    a.initial = bytesOf(before);
    a.expected = bytesOf(after);
    return *this;
  }

  template <class T>
  Workload &inOutChecked(const std::vector<T> &before,
                         std::function<void(const std::vector<T> &)> check) {
    Argument &a = add<T>(Argument::Role::InOut, before.size(), {});
    a.initial = bytesOf(before);
    a.check = typed<T>(std::move(check));
    return *this;
  }

  template <class T>
  Workload &scalar(T value) {
    Argument &a = add<T>(Argument::Role::Scalar, 1, {});
    a.initial = bytesOf(std::vector<T>{value});
    return *this;
  }

  Workload &inAnyOrder() {
    anyOrder = true;
    return *this;
  }

private:
  template <class T>
  static std::vector<uint8_t> bytesOf(std::vector<T> v) {
    std::vector<uint8_t> bytes(v.size() * sizeof(T));
    if (!v.empty())
      std::memcpy(bytes.data(), v.data(), bytes.size());
    return bytes;
  }

  template <class T>
  static std::function<void(const std::vector<uint8_t> &)>
  typed(std::function<void(const std::vector<T> &)> check) {
    return [check](const std::vector<uint8_t> &bytes) {
      std::vector<T> values(bytes.size() / sizeof(T));
      std::memcpy(values.data(), bytes.data(), bytes.size());
      check(values);
    };
  }

  template <class T>
  Argument &add(Argument::Role role, size_t size, const Elements &elements) {
    Argument &a = arguments.emplace_back();
    a.role = role;
    a.elementBytes = sizeof(T);
    for (size_t i = 0; i < size; ++i)
      a.counts.insert(a.counts.end(), sizeof(T), !elements || elements(i));
    return a;
  }
};

/// Every kernel of every program but lookUp, which has its own test.
const std::vector<Workload> &allWorkloads();

/// The workload of one kernel.
Workload workload(const std::string &kernel);

/// Sizes other than those of allWorkloads; values are such that no sum rounds.
Workload matmulOf(const std::string &kernel, int m, int n, int k);

/// Of any values in [-1, 1), within the error of sums in f32.
Workload roundingMatmulOf(int m, int n, int k);

struct Outcome {
  LaunchResult result;
  /// By argument; empty for scalars.
  std::vector<std::vector<uint8_t>> memory;
  std::vector<uint64_t> addresses, undefinedBytes;
  /// Outputs were defined before.
  bool filled = false;
};

enum class Outputs { Undefined, Filled };

/// Launches; grid, block and shared size of `options` are those of the
/// workload.
Outcome run(const Workload &workload,
            const std::shared_ptr<const Module> &module, LaunchOptions options,
            Outputs outputs = Outputs::Undefined);

/// All that a workload asks for, and no finding.
void expectRight(const Workload &workload, const Outcome &outcome);

/// The bits of all that is written.
std::vector<uint8_t> writtenBytes(const Workload &workload,
                                  const Outcome &outcome);

/// Text of all findings, for messages.
std::string text(const std::vector<Finding> &findings);

} // namespace muon::ptxsim::test

#endif // MUON_MLIR_TEST_UNIT_PTXSIM_PROGRAMS_WORKLOADS_H
