//===- CostModel.h - What strategies cost -----------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DISTRIBUTION_COSTMODEL_H
#define MUON_MLIR_LIB_DISTRIBUTION_COSTMODEL_H

#include "Layout.h"

namespace mlir::muon::distribution {

/// Matrices of a group at the busiest place along the batch axes, by what the
/// busiest rank has to do with them.
struct Shares {
  /// All; with momentum at the busiest replica; whole at the busiest rank.
  double all = 0, kept = 0, worked = 0;
  /// As whose owner the busiest rank exchanges with replicas.
  double moved = 0;
};

/// As if there were no other groups.
Shares getSharesAlone(const Layout &layout, const Group &group);
/// When ranks have FLOPs `loads` in all, and move `moved` bytes as owners, if
/// everything is owned that can be: beside other groups, a rank need not have a
/// whole matrix of each.
Shares getSharesAmong(const Layout &layout, const Group &group,
                      llvm::ArrayRef<double> loads,
                      llvm::ArrayRef<double> moved);

/// Strategies that `group` can have, in the order in which ties are decided.
llvm::SmallVector<Strategy> getStrategies(const Layout &layout,
                                          const Group &group);

/// Why `strategy` cannot apply to `group`; empty if it can.
std::string getObstacle(const Layout &layout, const Group &group,
                        Strategy strategy);

Cost getCost(const Topology &topology, const Layout &layout, const Group &group,
             const Shares &shares, Strategy strategy);

/// Whether `a` takes less time than `b` by more than rounding.
bool isFaster(const Cost &a, const Cost &b);

} // namespace mlir::muon::distribution

#endif // MUON_MLIR_LIB_DISTRIBUTION_COSTMODEL_H
