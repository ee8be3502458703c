//===- IterationCostTest.cpp ----------------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/IterationCost.h"
#include "muon-mlir/Dialect/Muon/Schedules.h"
#include "gtest/gtest.h"
#include <algorithm>
#include <cmath>

using namespace mlir::muon;
using llvm::SmallVector;

static SmallVector<StepCoefficients> getCoefficients(llvm::StringRef name,
                                                     int64_t steps) {
  auto table = *lookupSchedule(name);
  SmallVector<StepCoefficients> result;
  for (int64_t step = 0; step < steps; ++step) {
    Coefficients c = coefficientsAt(table, step);
    result.push_back({c.a, c.b, c.c});
  }
  return result;
}

static SmallVector<int64_t> allSteps(int64_t steps) {
  SmallVector<int64_t> restarts;
  for (int64_t step = 1; step < steps; ++step)
    restarts.push_back(step);
  return restarts;
}

TEST(IterationCost, SegmentsCoverTheStepsInOrder) {
  auto segments = getSegments(5, {1, 3});
  ASSERT_EQ(segments.size(), 3u);
  EXPECT_EQ(segments[0].begin, 0);
  EXPECT_EQ(segments[0].end, 1);
  EXPECT_EQ(segments[1].begin, 1);
  EXPECT_EQ(segments[1].end, 3);
  EXPECT_EQ(segments[2].begin, 3);
  EXPECT_EQ(segments[2].end, 5);
  EXPECT_EQ(getSegments(4, {}).size(), 1u);
}

// T(3m²n + m³) for the direct iteration.
TEST(IterationCost, FlopsOfTheDirectIteration) {
  double m = 96, n = 200;
  for (int64_t steps : {1, 2, 5, 9})
    EXPECT_DOUBLE_EQ(getIterationFlops(m, n,
                                       getCoefficients("keller_jordan", steps),
                                       getSegments(steps, allSteps(steps))),
                     steps * (3 * m * m * n + m * m * m));
}

// (4T − 3)m³ + 3m²n in Gram space, and 3m²n − 3m³ more for each restart.
TEST(IterationCost, FlopsOfTheGramIteration) {
  double m = 96, n = 200, cube = m * m * m, wide = 3 * m * m * n;
  for (int64_t steps : {2, 5, 9}) {
    auto coefficients = getCoefficients("you", steps);
    double none = (4 * steps - 3) * cube + wide;
    EXPECT_DOUBLE_EQ(
        getIterationFlops(m, n, coefficients, getSegments(steps, {})), none);
    EXPECT_DOUBLE_EQ(
        getIterationFlops(m, n, coefficients, getSegments(steps, {1})),
        none + wide - 3 * cube);
  }
  EXPECT_DOUBLE_EQ(getIterationFlops(m, n, getCoefficients("you", 5),
                                     getSegments(5, {1, 3})),
                   17 * cube + wide + 2 * (wide - 3 * cube));
}

// Without c there is no square of the Gram matrix.
TEST(IterationCost, CubicStepsNeedNoSquare) {
  double m = 8, n = 24;
  EXPECT_DOUBLE_EQ(getIterationFlops(m, n, getCoefficients("cubic", 3),
                                     getSegments(3, allSteps(3))),
                   3 * 3 * m * m * n);
}

// The derivative of r·h(r)² at 0 is a²; the last step of a segment forms no R.
TEST(IterationCost, ExpectedErrorIsTheGrowthOfTheWorstSegment) {
  SmallVector<StepCoefficients> coefficients = {
      {8, -1, 0.1}, {4, -1, 0.1}, {3, -1, 0.1}, {2, -1, 0.1}};
  auto error = [&](llvm::ArrayRef<int64_t> restarts, Compute compute) {
    return getExpectedGramError(coefficients, getSegments(4, restarts),
                                compute);
  };
  EXPECT_DOUBLE_EQ(error({}, Compute::F32), 64 * 16 * 9 * 0x1p-24);
  EXPECT_DOUBLE_EQ(error({2}, Compute::F16), 64 * 0x1p-11);
  EXPECT_DOUBLE_EQ(error({1}, Compute::TF32), 16 * 9 * 0x1p-11);
  EXPECT_DOUBLE_EQ(error({1, 2, 3}, Compute::BF16), 0x1p-8);
}

// Against all subsets: no acceptable choice has fewer restarts, and none with
// as many has a smaller error.
TEST(IterationCost, ChosenRestartsAreTheBest) {
  for (const char *name : {"keller_jordan", "you", "polar_express", "cans"})
    for (Compute compute :
         {Compute::F32, Compute::TF32, Compute::BF16, Compute::F16})
      for (int64_t steps = 1; steps <= 7; ++steps) {
        auto coefficients = getCoefficients(name, steps);
        auto error = [&](llvm::ArrayRef<int64_t> restarts) {
          return getExpectedGramError(coefficients,
                                      getSegments(steps, restarts), compute);
        };
        auto chosen = chooseRestarts(coefficients, compute);
        EXPECT_LE(error(chosen), getAcceptableGramError(compute));
        EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
        for (unsigned set = 0; set < 1u << (steps - 1); ++set) {
          SmallVector<int64_t> restarts;
          for (int64_t step = 1; step < steps; ++step)
            if (set >> (step - 1) & 1)
              restarts.push_back(step);
          if (error(restarts) > getAcceptableGramError(compute))
            continue;
          EXPECT_LE(chosen.size(), restarts.size());
          if (restarts.size() == chosen.size()) {
            EXPECT_LE(error(chosen), error(restarts));
          }
        }
      }
}

// A coefficient that no precision holds: every step for itself, and an end.
TEST(IterationCost, HopelessSchedulesRestartAtEveryStep) {
  SmallVector<StepCoefficients> coefficients(4, {1e9, 0, 0});
  EXPECT_EQ(chooseRestarts(coefficients, Compute::F32), allSteps(4));
}

TEST(IterationCost, LongMatricesGoToGramSpace) {
  auto coefficients = getCoefficients("keller_jordan", 5);
  auto choose = [&](int64_t m, int64_t n, Compute compute) {
    return chooseIteration(m, n, coefficients, compute);
  };
  EXPECT_EQ(choose(512, 512, Compute::F32).iteration, Iteration::Direct);
  IterationChoice gram = choose(512, 2048, Compute::F32);
  EXPECT_EQ(gram.iteration, Iteration::Gram);
  EXPECT_EQ(gram.restarts.size(), 1u);
  // (14m³ + 6m²n) of (5m³ + 15m²n) at n = 4m.
  EXPECT_NE(gram.reason.find("0.585"), std::string::npos) << gram.reason;
  EXPECT_EQ(choose(512, 2048, Compute::BF16).iteration, Iteration::Direct);
  EXPECT_EQ(chooseIteration(512, 2048, getCoefficients("keller_jordan", 1),
                            Compute::F32)
                .iteration,
            Iteration::Direct);
}

// For every list of restarts: they cost the same wherever they are.
TEST(IterationCost, FlopsFollowTheNumberOfRestarts) {
  double m = 24, n = 100, cube = m * m * m, wide = 3 * m * m * n;
  for (int64_t steps = 1; steps <= 6; ++steps)
    for (unsigned set = 0; set < 1u << (steps - 1); ++set) {
      SmallVector<int64_t> restarts;
      for (int64_t step = 1; step < steps; ++step)
        if (set >> (step - 1) & 1)
          restarts.push_back(step);
      EXPECT_DOUBLE_EQ(getIterationFlops(m, n, getCoefficients("you", steps),
                                         getSegments(steps, restarts)),
                       (4 * steps - 3) * cube + wide +
                           restarts.size() * (wide - 3 * cube))
          << formatRestarts(restarts);
    }
}

// A step that shrinks what rounding left does not make rounding exact.
TEST(IterationCost, ExpectedErrorIsAtLeastOneRounding) {
  SmallVector<StepCoefficients> coefficients(4, {0.5, 0, 0});
  EXPECT_DOUBLE_EQ(
      getExpectedGramError(coefficients, getSegments(4, {}), Compute::F16),
      0x1p-11);
}

// As many steps as muon.orthogonalize allows: segments of four.
TEST(IterationCost, RestartsOfManySteps) {
  auto coefficients = getCoefficients("keller_jordan", 100);
  auto chosen = chooseRestarts(coefficients, Compute::F32);
  EXPECT_EQ(chosen.size(), 24u);
  EXPECT_LE(getExpectedGramError(coefficients, getSegments(100, chosen),
                                 Compute::F32),
            getAcceptableGramError(Compute::F32));
}

TEST(IterationCost, ListsForPeople) {
  EXPECT_EQ(formatRestarts({}), "[]");
  EXPECT_EQ(formatRestarts({1, 3}), "[1, 3]");
}
