//===- SchedulesTest.cpp - Named coefficient schedules --------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/Schedules.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <vector>

using namespace mlir::muon;

namespace {

/// What `steps` steps make of the singular value `sigma`; `peak` grows to the
/// largest value on the way.
double iterate(llvm::ArrayRef<Coefficients> table, unsigned steps, double sigma,
               double &peak) {
  double x = sigma;
  for (unsigned step = 0; step < steps; ++step) {
    Coefficients p = coefficientsAt(table, step);
    x = p.a * x + p.b * std::pow(x, 3) + p.c * std::pow(x, 5);
    peak = std::max(peak, std::abs(x));
  }
  return x;
}

struct Bounds {
  const char *name;
  size_t entries;
  /// Where sigma in [0.01, 1] ends after five steps.
  double low, high;
  /// How large values get on the way: the headroom f16 needs.
  double peak;
};

const Bounds allBounds[] = {
    {"keller_jordan", 1, 0.68, 1.14, 1.21}, {"you", 5, 0.97, 1.04, 1.28},
    {"polar_express", 5, 0.85, 1.15, 2.0},  {"cans", 5, 0.88, 1.12, 2.0},
    {"cubic", 5, 0.77, 1.31, 1.31},
};

TEST(Schedules, NamesAreComplete) {
  std::vector<std::string> names, expected;
  for (llvm::StringRef name : scheduleNames())
    names.push_back(name.str());
  for (const Bounds &bounds : allBounds)
    expected.push_back(bounds.name);
  EXPECT_EQ(names, expected);
}

TEST(Schedules, LookupFindsOnlyExactNames) {
  for (const Bounds &bounds : allBounds) {
    auto table = lookupSchedule(bounds.name);
    ASSERT_TRUE(table) << bounds.name;
    EXPECT_EQ(table->size(), bounds.entries) << bounds.name;
  }
  for (const char *name : {"", "Keller_Jordan", "you ", "newton", "cubic5"})
    EXPECT_FALSE(lookupSchedule(name)) << name;
}

TEST(Schedules, PublishedNumbers) {
  EXPECT_EQ(lookupSchedule("keller_jordan")->front(),
            (Coefficients{3.4445, -4.7750, 2.0315}));
  EXPECT_EQ(lookupSchedule("you")->front(),
            (Coefficients{4.0848, -6.8946, 2.9270}));
  EXPECT_EQ(lookupSchedule("polar_express")->back(),
            (Coefficients{2.3465413258596377, -1.7097828382687081,
                          0.42323551169305323}));
  EXPECT_EQ(lookupSchedule("cans")->back(),
            (Coefficients{2.2737, -1.6447, 0.4162}));
  auto cubic = *lookupSchedule("cubic");
  for (const Coefficients &step : cubic)
    EXPECT_EQ(step.c, 0.0);
}

TEST(Schedules, ShortTablesRepeatTheirLastEntry) {
  auto table = *lookupSchedule("you");
  for (unsigned step = 0; step < 5; ++step)
    EXPECT_EQ(coefficientsAt(table, step), table[step]);
  EXPECT_EQ(coefficientsAt(table, 5), table.back());
  EXPECT_EQ(coefficientsAt(table, 99), table.back());
  EXPECT_NE(coefficientsAt(table, 0), table.back());
}

TEST(Schedules, RecommendedSafety) {
  for (llvm::StringRef name : scheduleNames())
    EXPECT_EQ(recommendedSafety(name), name == "polar_express" ? 1.02 : 1.0);
  EXPECT_EQ(recommendedSafety("unknown"), 1.0);
}

TEST(Schedules, SingularValuesEndNearOne) {
  for (const Bounds &bounds : allBounds) {
    auto table = *lookupSchedule(bounds.name);
    double safety = recommendedSafety(bounds.name);
    double low = 1e9, high = 0, peak = 0;
    constexpr int samples = 20000;
    for (int i = 0; i <= samples; ++i) {
      double sigma = std::pow(0.01, 1.0 - double(i) / samples) / safety;
      double x = iterate(table, 5, sigma, peak);
      low = std::min(low, x);
      high = std::max(high, x);
    }
    EXPECT_GE(low, bounds.low) << bounds.name;
    EXPECT_LE(high, bounds.high) << bounds.name;
    EXPECT_LE(peak, bounds.peak) << bounds.name;
  }
}

TEST(Schedules, PolynomialsAreOddAndKeepZero) {
  for (llvm::StringRef name : scheduleNames()) {
    double peak = 0;
    auto table = *lookupSchedule(name);
    EXPECT_EQ(iterate(table, 5, 0.0, peak), 0.0);
    EXPECT_EQ(iterate(table, 5, -0.3, peak), -iterate(table, 5, 0.3, peak));
  }
}

TEST(Schedules, ExtraStepsStayBounded) {
  for (const Bounds &bounds : allBounds) {
    auto table = *lookupSchedule(bounds.name);
    double peak = 0;
    for (double sigma : {1e-7, 1e-3, 0.1, 0.5, 0.98})
      iterate(table, 100, sigma, peak);
    EXPECT_LE(peak, bounds.peak) << bounds.name;
  }
}

} // namespace
