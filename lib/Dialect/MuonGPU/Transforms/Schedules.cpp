//===- Schedules.cpp - Table of schedules -----------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/MuonGPU/Transforms/Schedules.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace mlir::muon_gpu;

// Shared memory of a row is stages · (m + n) · k · bytes of an element, and at
// least m · (n + 4) · 4 for the tile of results; sm_86 and sm_89 allow 99 KiB
// for a block.
static constexpr ScheduleRow kTable[] = {
    {80, Arithmetic::Half, 96, 128, 128, 128, 64, 2, 4, 3, 8,
     "128x128 tiles fill the chip"},
    {80, Arithmetic::Half, 1, 33, 64, 64, 64, 2, 2, 4, 8,
     "few tiles: smaller ones keep more multiprocessors busy"},
    {80, Arithmetic::Half, 0, 0, 32, 32, 64, 2, 2, 4, 8, "small matrices"},
    {80, Arithmetic::Tf32, 96, 128, 128, 128, 32, 2, 4, 3, 8,
     "128x128 tiles fill the chip"},
    {80, Arithmetic::Tf32, 1, 33, 64, 64, 32, 2, 2, 4, 8,
     "few tiles: smaller ones keep more multiprocessors busy"},
    {80, Arithmetic::Tf32, 0, 0, 32, 32, 32, 2, 2, 4, 8, "small matrices"},
    {80, Arithmetic::F32, 96, 128, 128, 128, 32, 2, 4, 3, 8,
     "128x128 tiles fill the chip"},
    {80, Arithmetic::F32, 1, 33, 64, 64, 32, 2, 2, 4, 8,
     "few tiles: smaller ones keep more multiprocessors busy"},
    {80, Arithmetic::F32, 0, 0, 32, 32, 32, 2, 2, 4, 8, "small matrices"},
};

llvm::ArrayRef<ScheduleRow> mlir::muon_gpu::getScheduleTable() {
  return kTable;
}

int64_t mlir::muon_gpu::countTiles(const ProductShape &shape, int64_t tileM,
                                   int64_t tileN) {
  int64_t rows = llvm::divideCeil(shape.m, tileM);
  int64_t columns = llvm::divideCeil(shape.n, tileN);
  return shape.batch *
         (shape.symmetric ? rows * (rows + 1) / 2 : rows * columns);
}

const ScheduleRow &mlir::muon_gpu::findSchedule(unsigned arch,
                                                const ProductShape &shape) {
  const ScheduleRow *last = nullptr;
  for (const ScheduleRow &row : kTable) {
    if (row.arithmetic != shape.arithmetic || row.arch > arch)
      continue;
    last = &row;
    if (std::min(shape.m, shape.n) >= row.minSize &&
        countTiles(shape, row.m, row.n) >= row.minTiles)
      break;
  }
  return last ? *last : kTable[0];
}

int64_t mlir::muon_gpu::getSplit(const ProductShape &shape,
                                 const ScheduleRow &row) {
  // Multiprocessors of an A100; parts of 16 slices hide the start of a pipeline
  // of 3 or 4 stages, and what adding them takes.
  constexpr int64_t wanted = 108, fewest = 16, most = 32;
  int64_t split = 1;
  if (shape.batch != 1)
    return split;
  int64_t tiles = countTiles(shape, row.m, row.n);
  while (split < most && tiles * split < wanted &&
         shape.k % (2 * split * row.k) == 0 &&
         shape.k / (2 * split * row.k) >= fewest)
    split *= 2;
  return split;
}

std::optional<unsigned> mlir::muon_gpu::parseArch(llvm::StringRef arch) {
  unsigned number;
  if (!arch.consume_front("sm_"))
    return std::nullopt;
  arch.consume_back("a");
  if (arch.empty() || !llvm::all_of(arch, llvm::isDigit) ||
      arch.getAsInteger(10, number))
    return std::nullopt;
  return number;
}
