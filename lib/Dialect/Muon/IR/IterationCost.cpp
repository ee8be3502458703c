//===- IterationCost.cpp - Cost and error of the iteration -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/IterationCost.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::muon;

SmallVector<IterationSegment> muon::getSegments(int64_t steps,
                                                ArrayRef<int64_t> restarts) {
  SmallVector<IterationSegment> segments;
  int64_t begin = 0;
  for (int64_t restart : restarts) {
    segments.push_back({begin, restart});
    begin = restart;
  }
  segments.push_back({begin, steps});
  return segments;
}

double muon::getIterationFlops(int64_t m, int64_t n,
                               ArrayRef<StepCoefficients> coefficients,
                               ArrayRef<IterationSegment> segments) {
  double square = double(m) * m * m, wide = double(m) * m * n;
  double flops = 0;
  for (auto [begin, end] : segments) {
    // R = XXᵀ, one triangle, and QX.
    flops += wide + 2 * wide;
    for (int64_t step = begin; step < end; ++step) {
      if (coefficients[step][2] != 0.0)
        flops += square; // R²
      if (step > begin)
        flops += square; // Q(Z + aI)
      if (step + 1 < end)
        flops += 2 * square; // (Z + aI)R(Z + aI)
    }
  }
  return flops;
}

double muon::getUnitRoundoff(Compute compute) {
  switch (compute) {
  case Compute::TF32:
  case Compute::F16:
    return 0x1p-11;
  case Compute::BF16:
    return 0x1p-8;
  case Compute::Auto:
  case Compute::F32:
    return 0x1p-24;
  }
  llvm_unreachable("unknown precision");
}

double muon::getAcceptableGramError(Compute compute) {
  switch (compute) {
  case Compute::TF32:
  case Compute::F16:
    return 0.02;
  case Compute::BF16:
    return 0.1;
  case Compute::Auto:
  case Compute::F32:
    return 1e-4;
  }
  llvm_unreachable("unknown precision");
}

/// Growth of a spurious eigenvalue in the steps that form an R.
static double getGrowth(ArrayRef<StepCoefficients> coefficients,
                        IterationSegment segment) {
  double growth = 1;
  for (int64_t step = segment.begin; step + 1 < segment.end; ++step)
    growth *= coefficients[step][0] * coefficients[step][0];
  return growth;
}

double muon::getExpectedGramError(ArrayRef<StepCoefficients> coefficients,
                                  ArrayRef<IterationSegment> segments,
                                  Compute compute) {
  double growth = 1;
  for (IterationSegment segment : segments)
    growth = std::max(growth, getGrowth(coefficients, segment));
  return growth * getUnitRoundoff(compute);
}

SmallVector<int64_t>
muon::chooseRestarts(ArrayRef<StepCoefficients> coefficients, Compute compute) {
  int64_t steps = coefficients.size();
  double limit = getAcceptableGramError(compute) / getUnitRoundoff(compute);
  // least[end]: the least possible largest growth in the steps before `end`,
  // with one segment more in each round; from[round][end] is where the last of
  // them starts.
  double infinity = std::numeric_limits<double>::infinity();
  SmallVector<double> least(steps + 1, infinity);
  least[0] = 1;
  SmallVector<SmallVector<int64_t>> from;
  while (from.empty() ||
         (least[steps] > limit && int64_t(from.size()) < steps)) {
    SmallVector<double> next(steps + 1, infinity);
    SmallVector<int64_t> start(steps + 1, 0);
    for (int64_t end = 1; end <= steps; ++end)
      for (int64_t begin = 0; begin < end; ++begin) {
        double growth =
            std::max(least[begin], getGrowth(coefficients, {begin, end}));
        if (growth < next[end]) {
          next[end] = growth;
          start[end] = begin;
        }
      }
    least = std::move(next);
    from.push_back(std::move(start));
  }
  SmallVector<int64_t> restarts;
  int64_t end = steps;
  for (const SmallVector<int64_t> &start : llvm::reverse(from)) {
    end = start[end];
    if (end == 0)
      break;
    restarts.push_back(end);
  }
  std::reverse(restarts.begin(), restarts.end());
  return restarts;
}

std::string muon::formatRestarts(ArrayRef<int64_t> list) {
  return llvm::formatv("[{0:$[, ]}]",
                       llvm::make_range(list.begin(), list.end()))
      .str();
}

IterationChoice muon::chooseIteration(int64_t m, int64_t n,
                                      ArrayRef<StepCoefficients> coefficients,
                                      Compute compute,
                                      std::optional<ArrayRef<int64_t>> given) {
  int64_t steps = coefficients.size();
  auto all = llvm::to_vector(llvm::seq<int64_t>(1, steps));
  double direct =
      getIterationFlops(m, n, coefficients, getSegments(steps, all));
  auto choose = [&](Iteration iteration, ArrayRef<int64_t> restarts,
                    std::string reason) {
    return IterationChoice{iteration, SmallVector<int64_t>(restarts),
                           std::move(reason)};
  };
  if (steps == 1)
    return choose(Iteration::Direct, {}, "there is one step");
  if (compute == Compute::BF16)
    return choose(Iteration::Direct, {},
                  "bf16 does not hold the Gram iteration");

  SmallVector<int64_t> restarts = given ? SmallVector<int64_t>(*given)
                                        : chooseRestarts(coefficients, compute);
  SmallVector<IterationSegment> segments = getSegments(steps, restarts);
  double gram = getIterationFlops(m, n, coefficients, segments);
  std::string numbers =
      llvm::formatv("{0:f3} of the direct iteration's FLOPs", gram / direct)
          .str();
  // Products of small matrices reach less of a machine's speed.
  if (gram > 0.9 * direct)
    return choose(Iteration::Direct, {},
                  "the Gram iteration would take " + numbers +
                      " with restarts " + formatRestarts(restarts));
  return choose(
      Iteration::Gram, restarts,
      "it takes " + numbers +
          llvm::formatv(", and adds an error of about {0:e0}",
                        getExpectedGramError(coefficients, segments, compute))
              .str());
}
