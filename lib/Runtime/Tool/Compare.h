//===- Compare.h - Comparing tensors ----------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_TOOL_COMPARE_H
#define MUON_MLIR_LIB_RUNTIME_TOOL_COMPARE_H

#include "muon-mlir/Runtime/Safetensors.h"

#include <cstdint>
#include <string>
#include <vector>

namespace muon {

/// Whether toDouble() knows the type.
bool isComparable(DType dtype);

/// Element `index` of data that need not be aligned. Exact, but for integers
/// above 2^53.
double toDouble(DType dtype, const void *data, uint64_t index);

/// Compares tensors with a reference and remembers the worst element. An
/// element is good if it equals the expected one, or both are finite and
/// |found - expected| <= atol + rtol·|expected|. Integers must be equal.
class Comparison {
public:
  Comparison(double rtol, double atol) : rtol(rtol), atol(atol) {}

  /// Both tensors have this shape. The types may differ, so that results can
  /// be compared with a reference in f64.
  void compare(const std::string &name, const std::vector<int64_t> &shape,
               uint64_t elements, DType foundType, const void *found,
               DType expectedType, const void *expected);

  bool matches() const { return badElements == 0; }

  /// One line: the worst element and how many are bad, or that all match.
  std::string summary() const;

private:
  double rtol, atol;
  uint64_t tensors = 0;
  uint64_t allElements = 0, badElements = 0, badTensors = 0;

  /// Difference by what is allowed; greater than 1 is bad.
  double worstRatio = -1;
  double worstFound = 0, worstExpected = 0;
  std::string worstElement;
};

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_TOOL_COMPARE_H
