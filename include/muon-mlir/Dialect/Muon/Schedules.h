//===- Schedules.h - Named coefficient schedules ----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one table of coefficient schedules for the iteration
//
//   X <- a X + (b A + c A^2) X,   A = X X^T
//
// It is plain data without IR types, so that the dialect, the importer and
// tests share it.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUON_SCHEDULES_H
#define MUON_MLIR_DIALECT_MUON_SCHEDULES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <optional>

namespace mlir::muon {

/// The polynomial p(x) = a x + b x^3 + c x^5 that one step applies to every
/// singular value.
struct Coefficients {
  double a, b, c;

  bool operator==(const Coefficients &other) const {
    return a == other.a && b == other.b && c == other.c;
  }
  bool operator!=(const Coefficients &other) const { return !(*this == other); }
};

/// The schedule called `name`, one entry per step; nothing if there is none.
std::optional<llvm::ArrayRef<Coefficients>>
lookupSchedule(llvm::StringRef name);

/// All names, in the order in which documentation lists them.
llvm::ArrayRef<llvm::StringRef> scheduleNames();

/// The coefficients of step `step`, counted from zero. A table shorter than
/// the number of steps repeats its last entry. `table` must not be empty.
Coefficients coefficientsAt(llvm::ArrayRef<Coefficients> table, unsigned step);

/// The safety factor that the source of schedule `name` divides by beyond the
/// Frobenius norm. 1 for a schedule that asks for none and for unknown names.
double recommendedSafety(llvm::StringRef name);

} // namespace mlir::muon

#endif // MUON_MLIR_DIALECT_MUON_SCHEDULES_H
