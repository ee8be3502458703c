//===- Placement.cpp - How ranks have a parameter -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Distribution/Placement.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace mlir::muon::distribution {

bool Placement::isSplit() const {
  return any_of(splitAxes, [](const auto &axes) { return !axes.empty(); });
}

std::optional<size_t> Placement::findSplit(int64_t axis) const {
  for (auto [dimension, axes] : enumerate(splitAxes))
    if (is_contained(axes, axis))
      return dimension;
  return std::nullopt;
}

Placement getDefaultPlacement(ArrayRef<Axis> axes, size_t dimensions) {
  Placement placement;
  placement.splitAxes.resize(dimensions);
  for (auto [number, axis] : enumerate(axes)) {
    if (axis.name == "dp")
      placement.unreducedAxes.push_back(number);
    if (dimensions > 0 &&
        (axis.name == "fsdp" || (axis.name == "ep" && dimensions == 3)))
      placement.splitAxes[0].push_back(number);
  }
  return placement;
}

} // namespace mlir::muon::distribution
