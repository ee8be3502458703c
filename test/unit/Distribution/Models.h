//===- Models.h - Groups of published models -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_DISTRIBUTION_MODELS_H
#define MUON_MLIR_TEST_UNIT_DISTRIBUTION_MODELS_H

#include "muon-mlir/Distribution/Plan.h"
#include "muon-mlir/Import/Presets.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <algorithm>
#include <map>

namespace mlir::muon::distribution {

/// FLOPs of five steps on an m×n matrix, m ≤ n: of the direct iteration, or of
/// the Gram iteration with one restart.
inline double getFlops(double m, double n, bool isGram) {
  return isGram ? 6 * m * m * n + 14 * m * m * m
                : 15 * m * m * n + 5 * m * m * m;
}

/// The parameters of a preset, those of equal shape in a group: embeddings,
/// heads and vectors elementwise. Whole on every rank, gradients not summed
/// along `unreduced`; with `expertAxes`, those of experts are stacks that are
/// split along these.
inline std::vector<Group> makeModel(llvm::StringRef preset, bool isGram,
                                    llvm::ArrayRef<int64_t> unreduced,
                                    llvm::ArrayRef<int64_t> expertAxes = {}) {
  std::map<std::tuple<bool, bool, std::vector<int64_t>>, Group> groups;
  for (const auto &tensor : llvm::cantFail(getPresetParameters(preset))) {
    llvm::StringRef name = tensor.name;
    bool isElementwise = tensor.shape.size() < 2 || name.contains("embed") ||
                         name.contains("lm_head");
    bool isExpert = name.contains(".experts.") && !expertAxes.empty();
    std::vector<int64_t> shape(tensor.shape.begin(), tensor.shape.end());
    Group &group = groups[{isElementwise, isExpert, shape}];
    if (group.name.empty()) {
      group.name = name.str();
      group.members = 0;
      group.shape.assign(shape.begin(), shape.end());
      group.isElementwise = isElementwise;
      group.weightBytes = group.gradientBytes = group.wireBytes = 2;
      group.stateBytes = isElementwise ? 8 : 4;
      group.unreducedAxes.assign(unreduced.begin(), unreduced.end());
      if (!isElementwise)
        group.flops = getFlops(std::min(shape[0], shape[1]),
                               std::max(shape[0], shape[1]), isGram);
    }
    ++group.members;
  }
  std::vector<Group> result;
  for (auto &[key, group] : groups) {
    if (std::get<1>(key)) {
      group.shape.insert(group.shape.begin(), group.members);
      group.members = 1;
    }
    group.splitAxes.resize(group.shape.size());
    if (std::get<1>(key)) {
      group.splitAxes[0].assign(expertAxes.begin(), expertAxes.end());
      llvm::erase_if(group.unreducedAxes, [&](int64_t axis) {
        return std::find(expertAxes.begin(), expertAxes.end(), axis) !=
               expertAxes.end();
      });
    }
    result.push_back(group);
  }
  return result;
}

} // namespace mlir::muon::distribution

#endif // MUON_MLIR_TEST_UNIT_DISTRIBUTION_MODELS_H
