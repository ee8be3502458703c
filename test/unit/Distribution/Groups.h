//===- Groups.h - Groups for tests -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_DISTRIBUTION_GROUPS_H
#define MUON_MLIR_TEST_UNIT_DISTRIBUTION_GROUPS_H

#include "muon-mlir/Distribution/Plan.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include <gtest/gtest.h>

namespace mlir::muon::distribution {

using Axes = llvm::SmallVector<int64_t>;
using Split = llvm::SmallVector<llvm::SmallVector<int64_t>>;

inline Topology makeGrid(llvm::StringRef text) {
  Topology topology;
  topology.axes = llvm::cantFail(parseGrid(text));
  return topology;
}

/// `members` matrices, or batches of them, split along `split`.
inline Group makeMatrices(llvm::StringRef name, int64_t members,
                          llvm::ArrayRef<int64_t> shape, Split split = {},
                          Axes unreduced = {}) {
  Group group;
  group.name = name.str();
  group.members = members;
  group.shape.assign(shape.begin(), shape.end());
  split.resize(shape.size());
  group.splitAxes = split;
  group.unreducedAxes = unreduced;
  double rows = shape[shape.size() - 2], columns = shape.back();
  group.flops = 10 * rows * columns * std::min(rows, columns);
  return group;
}

inline Group makeElements(llvm::StringRef name, int64_t members,
                          llvm::ArrayRef<int64_t> shape, Split split = {},
                          Axes unreduced = {}) {
  Group group;
  group.name = name.str();
  group.members = members;
  group.shape.assign(shape.begin(), shape.end());
  split.resize(shape.size());
  group.splitAxes = split;
  group.unreducedAxes = unreduced;
  group.isElementwise = true;
  group.stateBytes = 8;
  return group;
}

/// A Gram iteration with `reductions` Gram matrices.
inline void allowGram(Group &group, int64_t reductions) {
  bool rows = !group.splitAxes[group.shape.size() - 2].empty();
  double whole = group.shape[group.shape.size() - (rows ? 1 : 2)];
  double cut = group.shape[group.shape.size() - (rows ? 2 : 1)];
  group.gramSize = whole;
  group.gramReductions = reductions;
  group.gramSharedFlops = reductions * 3 * whole * whole * cut;
  group.gramRepeatedFlops = reductions * 4 * whole * whole * whole;
}

inline Plan plan(const Topology &topology, std::vector<Group> groups) {
  llvm::Expected<Plan> plan = makePlan(topology, std::move(groups));
  if (!plan) {
    ADD_FAILURE() << llvm::toString(plan.takeError());
    return {};
  }
  return std::move(*plan);
}

/// The message of what should fail.
template <typename T>
std::string getMessage(llvm::Expected<T> result) {
  return result ? "no error" : llvm::toString(result.takeError());
}

} // namespace mlir::muon::distribution

#endif // MUON_MLIR_TEST_UNIT_DISTRIBUTION_GROUPS_H
