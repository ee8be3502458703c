//===- IterationCost.h - Cost and error of the iteration -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What it costs to orthogonalize one matrix, and what rounding does to it: the
// numbers that muon-select-iteration decides by and a report shows.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUON_ITERATIONCOST_H
#define MUON_MLIR_DIALECT_MUON_ITERATIONCOST_H

#include "muon-mlir/Dialect/Muon/IR/MuonAttributes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <array>
#include <optional>
#include <string>

namespace mlir::muon {

using StepCoefficients = std::array<double, 3>;

/// The iterations from `begin` to `end` (exclusive) that form one polynomial in
/// one Gram matrix. A segment of one step is a step of the direct iteration.
struct IterationSegment {
  int64_t begin, end;
};

/// The segments that `restarts` cut `steps` steps into.
SmallVector<IterationSegment> getSegments(int64_t steps,
                                          ArrayRef<int64_t> restarts);

/// Floating-point operations (a multiplication and an addition count as two)
/// that orthogonalize one m×n matrix, m being the shorter side. Of symmetric
/// products, one triangle counts.
double getIterationFlops(int64_t m, int64_t n,
                         ArrayRef<StepCoefficients> coefficients,
                         ArrayRef<IterationSegment> segments);

/// Half a unit in the last place of 1.
double getUnitRoundoff(Compute compute);

/// Order of magnitude of the relative error that the Gram iteration adds to
/// that of the direct one. Rounding gives R spurious eigenvalues of about one
/// unit roundoff; near zero a step multiplies them by a² (the derivative of
/// r·h(r)² at 0; github.com/Dao-AILab/gram-newton-schulz), and only a restart
/// removes them. The last step of a segment forms no R.
double getExpectedGramError(ArrayRef<StepCoefficients> coefficients,
                            ArrayRef<IterationSegment> segments,
                            Compute compute);

/// What muon-select-iteration accepts of it, by precision.
double getAcceptableGramError(Compute compute);

/// The fewest restarts that keep the expected error acceptable, placed such
/// that the largest growth in a segment is least.
SmallVector<int64_t> chooseRestarts(ArrayRef<StepCoefficients> coefficients,
                                    Compute compute);

/// A list of restarts for people: `[1, 3]`.
std::string formatRestarts(ArrayRef<int64_t> restarts);

/// The iteration for an m×n matrix, m being the shorter side; with `restarts`,
/// the Gram iteration has these and not its own.
struct IterationChoice {
  Iteration iteration;
  SmallVector<int64_t> restarts;
  /// For people.
  std::string reason;
};
IterationChoice chooseIteration(int64_t m, int64_t n,
                                ArrayRef<StepCoefficients> coefficients,
                                Compute compute,
                                std::optional<ArrayRef<int64_t>> restarts = {});

} // namespace mlir::muon

#endif // MUON_MLIR_DIALECT_MUON_ITERATIONCOST_H
