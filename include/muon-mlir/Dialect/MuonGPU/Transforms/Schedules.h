//===- Schedules.h - Table of schedules -------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUONGPU_TRANSFORMS_SCHEDULES_H
#define MUON_MLIR_DIALECT_MUONGPU_TRANSFORMS_SCHEDULES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>

namespace mlir::muon_gpu {

/// How operands of a product are multiplied.
enum class Arithmetic { Half, Tf32, F32 };

/// What decides about the schedule of a product.
struct ProductShape {
  Arithmetic arithmetic = Arithmetic::Half;
  bool symmetric = false;
  int64_t m = 0, n = 0, k = 0, batch = 0;
};

/// A row of the table: the first that fits is taken.
struct ScheduleRow {
  /// The least architecture, as the number in sm_N.
  unsigned arch;
  Arithmetic arithmetic;
  /// The least number of tiles of this size, over the whole batch, with which
  /// a chip is filled well enough; and the least rows and columns.
  int64_t minTiles, minSize;
  int64_t m, n, k, warpsM, warpsN, stages, raster;
  /// Why, for the remark.
  llvm::StringLiteral reason;
};

llvm::ArrayRef<ScheduleRow> getScheduleTable();

/// The row for a product. There is one for every shape.
const ScheduleRow &findSchedule(unsigned arch, const ProductShape &shape);

/// The number in "sm_80", also of "sm_90a"; none if `arch` is not of this form.
std::optional<unsigned> parseArch(llvm::StringRef arch);

/// Into how many parts the inner dimension of a product is split that has fewer
/// tiles than a chip has multiprocessors, but a long inner dimension: a power of
/// two. Parts are at least 16 slices of `tileK`, and multiples of it.
int64_t getSplit(const ProductShape &shape, const ScheduleRow &row);

/// Tiles that a product of this shape has.
int64_t countTiles(const ProductShape &shape, int64_t tileM, int64_t tileN);

} // namespace mlir::muon_gpu

#endif // MUON_MLIR_DIALECT_MUONGPU_TRANSFORMS_SCHEDULES_H
