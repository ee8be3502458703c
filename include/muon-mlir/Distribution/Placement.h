//===- Placement.h - How ranks have a parameter -----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DISTRIBUTION_PLACEMENT_H
#define MUON_MLIR_DISTRIBUTION_PLACEMENT_H

#include "muon-mlir/Distribution/Plan.h"

namespace mlir::muon::distribution {

/// Axes are indices into the grid's.
struct Placement {
  /// For each dimension the axes that it is split along, outermost first.
  llvm::SmallVector<llvm::SmallVector<int64_t>> splitAxes;
  /// Axes along which the gradient still has to be summed.
  llvm::SmallVector<int64_t> unreducedAxes;
  /// Whether the gradient is the mean along them and not the sum.
  bool isMean = true;

  bool isSplit() const;
  /// The dimension that is split along `axis`, if one is.
  std::optional<size_t> findSplit(int64_t axis) const;
};

/// The placement of a tensor of `dimensions` of which nobody says otherwise, by
/// the names of the axes: gradients are averaged along `dp`; `fsdp` splits the
/// first dimension; `ep` does for tensors of three dimensions.
Placement getDefaultPlacement(llvm::ArrayRef<Axis> axes, size_t dimensions);

} // namespace mlir::muon::distribution

#endif // MUON_MLIR_DISTRIBUTION_PLACEMENT_H
