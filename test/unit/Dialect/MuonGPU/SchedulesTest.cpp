//===- SchedulesTest.cpp - Table of schedules -------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/MuonGPU/Transforms/Schedules.h"
#include "mlir/IR/MLIRContext.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"
#include <gtest/gtest.h>

using namespace mlir::muon_gpu;

namespace {

const Arithmetic allArithmetic[] = {Arithmetic::Half, Arithmetic::Tf32,
                                    Arithmetic::F32};

int64_t bytesOf(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::Half ? 2 : 4;
}

std::string describe(const ScheduleRow &row) {
  return std::to_string(row.m) + "x" + std::to_string(row.n) + "x" +
         std::to_string(row.k) + " of arithmetic " +
         std::to_string(static_cast<int>(row.arithmetic));
}

TEST(ParseArch, Numbers) {
  struct Case {
    const char *text;
    unsigned number;
  };
  for (Case good : {Case{"sm_80", 80}, Case{"sm_86", 86}, Case{"sm_90", 90},
                    Case{"sm_90a", 90}, Case{"sm_100a", 100}, Case{"sm_5", 5}})
    EXPECT_EQ(parseArch(good.text), good.number) << good.text;
}

TEST(ParseArch, Nonsense) {
  for (const char *bad :
       {"", "80", "sm", "sm_", "sm_a", "sm_80x", "sm_80aa", "sm_80a ", " sm_80",
        "SM_80", "sm_-80", "sm_+80", "sm_ 80", "sm_0x50", "sm_8 0", "sm80",
        "compute_80", "sm_99999999999999999999"})
    EXPECT_EQ(parseArch(bad), std::nullopt) << bad;
}

/// Tiles, one by one: those with an element, and with `symmetric` those whose
/// block of columns does not start before its block of rows.
int64_t enumerateTiles(const ProductShape &shape, int64_t tileM,
                       int64_t tileN) {
  int64_t count = 0;
  for (int64_t b = 0; b < shape.batch; ++b)
    for (int64_t i = 0; i < shape.m; i += tileM)
      for (int64_t j = 0; j < shape.n; j += tileN)
        count += !shape.symmetric || i <= j;
  return count;
}

TEST(CountTiles, IsEnumeration) {
  for (int64_t m = 1; m <= 70; ++m)
    for (int64_t n : {1, 15, 16, 17, 31, 32, 33, 64, 65})
      for (int64_t batch : {1, 3})
        for (int64_t tileM : {16, 32})
          for (int64_t tileN : {16, 48}) {
            ProductShape shape;
            shape.m = m;
            shape.n = n;
            shape.k = 7;
            shape.batch = batch;
            EXPECT_EQ(countTiles(shape, tileM, tileN),
                      enumerateTiles(shape, tileM, tileN))
                << batch << " x " << m << "x" << n << ", tiles " << tileM << "x"
                << tileN;
          }
}

TEST(CountTiles, OfTriangle) {
  for (int64_t size = 1; size <= 200; ++size)
    for (int64_t batch : {1, 5})
      for (int64_t tile : {16, 32, 64, 128}) {
        ProductShape shape;
        shape.symmetric = true;
        shape.m = shape.n = size;
        shape.batch = batch;
        EXPECT_EQ(countTiles(shape, tile, tile),
                  enumerateTiles(shape, tile, tile))
            << batch << " x " << size << ", tiles of " << tile;
      }
}

bool fits(const ScheduleRow &row, const ProductShape &shape, unsigned arch) {
  return row.arch <= arch && row.arithmetic == shape.arithmetic &&
         shape.m >= row.minSize && shape.n >= row.minSize &&
         enumerateTiles(shape, row.m, row.n) >= row.minTiles;
}

/// Whether the row that is found is the first that fits.
void expectFirst(unsigned arch, const ProductShape &shape) {
  const ScheduleRow &found = findSchedule(arch, shape);
  EXPECT_TRUE(fits(found, shape, arch))
      << describe(found) << " for " << shape.batch << " x " << shape.m << "x"
      << shape.n;
  for (const ScheduleRow &row : getScheduleTable()) {
    if (&row == &found)
      return;
    EXPECT_FALSE(fits(row, shape, arch))
        << describe(row) << " stands before " << describe(found) << " for "
        << shape.batch << " x " << shape.m << "x" << shape.n;
  }
  ADD_FAILURE() << describe(found) << " is no row of the table";
}

TEST(FindSchedule, EveryShapeHasTheFirstRowThatFits) {
  for (Arithmetic arithmetic : allArithmetic)
    for (int64_t m = 1; m <= 300; ++m)
      for (int64_t n : {1, 32, 33, 127, 128, 129, 300})
        for (int64_t batch : {1, 24, 95, 96}) {
          ProductShape shape;
          shape.arithmetic = arithmetic;
          shape.m = m;
          shape.n = n;
          shape.k = m;
          shape.batch = batch;
          expectFirst(80, shape);
        }
}

TEST(FindSchedule, OfSymmetricProducts) {
  for (Arithmetic arithmetic : allArithmetic)
    for (int64_t size = 1; size <= 300; ++size)
      for (int64_t batch : {1, 16, 31, 32, 96}) {
        ProductShape shape;
        shape.arithmetic = arithmetic;
        shape.symmetric = true;
        shape.m = shape.n = size;
        shape.k = 64;
        shape.batch = batch;
        for (unsigned arch : {80, 90, 120})
          expectFirst(arch, shape);
      }
}

TEST(ScheduleTable, EveryRowIsReached) {
  for (const ScheduleRow &row : getScheduleTable()) {
    bool isReached = false;
    for (int64_t size : {1, 64, 128})
      for (int64_t batch : {1, 96}) {
        ProductShape shape;
        shape.arithmetic = row.arithmetic;
        shape.m = shape.n = shape.k = size;
        shape.batch = batch;
        isReached |= &findSchedule(row.arch, shape) == &row;
      }
    EXPECT_TRUE(isReached) << describe(row);
  }
}

TEST(ScheduleTable, SharedMemory) {
  // What one block may have on sm_86 and sm_89.
  const int64_t limit = 99 * 1024;
  for (const ScheduleRow &row : getScheduleTable()) {
    EXPECT_LE(row.stages * (row.m + row.n) * row.k * bytesOf(row.arithmetic),
              limit)
        << describe(row);
    EXPECT_LE(row.m * (row.n + 4) * 4, limit) << describe(row);
  }
}

TEST(ScheduleTable, WarpsDivideTiles) {
  for (const ScheduleRow &row : getScheduleTable()) {
    EXPECT_EQ(row.m % (16 * row.warpsM), 0) << describe(row);
    EXPECT_EQ(row.n % (8 * row.warpsN), 0) << describe(row);
    EXPECT_LE(32 * row.warpsM * row.warpsN, 1024) << describe(row);
    // Symmetric products take any row, and need square tiles.
    EXPECT_EQ(row.m, row.n) << describe(row);
  }
}

TEST(ScheduleTable, RowsAreAttributes) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  mlir::Location loc = mlir::UnknownLoc::get(&context);
  for (const ScheduleRow &row : getScheduleTable())
    EXPECT_TRUE(succeeded(ScheduleAttr::verify(
        [&] { return mlir::emitError(loc); }, row.m, row.n, row.k, row.warpsM,
        row.warpsN, row.stages, row.raster, /*width=*/4, /*masked=*/true,
        /*split=*/1)))
        << describe(row);
}

TEST(Split, OnlyOfFewTilesAndLongSums) {
  ProductShape shape;
  shape.arithmetic = Arithmetic::Half;
  shape.symmetric = true;
  shape.m = shape.n = 32;
  shape.k = 4096;
  shape.batch = 1;
  auto split = [&] { return getSplit(shape, findSchedule(80, shape)); };
  EXPECT_EQ(split(), 4);
  // Parts keep 16 slices of 64.
  shape.k = 2048;
  EXPECT_EQ(split(), 2);
  shape.k = 2048 - 64;
  EXPECT_EQ(split(), 1);
  // Parts are multiples of a slice.
  shape.k = 4096 + 64;
  EXPECT_EQ(split(), 1);
  shape.k = 1 << 20;
  EXPECT_EQ(split(), 32);
  shape.batch = 2;
  EXPECT_EQ(split(), 1);
  shape.batch = 1;
  shape.m = shape.n = 4096;
  EXPECT_EQ(split(), 1);
}

TEST(Split, PartsAreWholeSlicesOfSomeLength) {
  ProductShape shape;
  shape.batch = 1;
  for (Arithmetic arithmetic : allArithmetic)
    for (int64_t m : {1, 16, 33, 200, 1000})
      for (int64_t k = 1; k < 20000; k += 37) {
        shape.arithmetic = arithmetic;
        shape.m = shape.n = m;
        shape.k = k * 8;
        const ScheduleRow &row = findSchedule(80, shape);
        int64_t split = getSplit(shape, row);
        EXPECT_TRUE(split >= 1 && split <= 32);
        if (split == 1)
          continue;
        EXPECT_EQ(shape.k % (split * row.k), 0);
        EXPECT_GE(shape.k / (split * row.k), 16);
        EXPECT_LT(countTiles(shape, row.m, row.n) * split / 2, 108);
      }
}

} // namespace
