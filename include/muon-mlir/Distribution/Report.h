//===- Report.h - What a plan costs, for people and programs ----*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DISTRIBUTION_REPORT_H
#define MUON_MLIR_DISTRIBUTION_REPORT_H

#include "muon-mlir/Distribution/Plan.h"
#include "llvm/Support/raw_ostream.h"

namespace mlir::muon::distribution {

/// Of one figure over all ranks.
struct Spread {
  double min = 0, mean = 0, max = 0;
  /// How much more the busiest rank has than the mean; 1 if nobody has any.
  double getImbalance() const { return mean > 0 ? max / mean : 1; }
};
Spread getSpread(llvm::ArrayRef<RankTotals> totals, double RankTotals::*figure);

/// What moves among the ranks along the same axes.
struct AxesTotals {
  llvm::SmallVector<int64_t> axes;
  int64_t collectives = 0;
  /// Of the busiest rank, all collectives together.
  double bytesSent = 0, bytesReceived = 0;
  /// Seconds: what the busiest rank of each collective needs, one after the
  /// other.
  double time = 0;
};
/// In the order of the axes.
std::vector<AxesTotals> getAxesTotals(const Plan &plan);

/// Seconds of a step in which nothing overlaps: all collectives, then the
/// products of the busiest rank.
struct StepTime {
  double communication = 0, computation = 0;
  double getTime() const { return communication + computation; }
};
StepTime getStepTime(const Plan &plan);

/// For people: aligned tables. Bytes and FLOPs of a group are those of its
/// busiest rank; of several names, it has the first.
void printPlanText(const Plan &plan, llvm::raw_ostream &os);

/// For programs.
void printPlanJson(const Plan &plan, llvm::raw_ostream &os);

} // namespace mlir::muon::distribution

#endif // MUON_MLIR_DISTRIBUTION_REPORT_H
