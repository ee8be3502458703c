//===- ArenaPlanner.h - Offsets of buffers in one arena -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUON_TRANSFORMS_ARENAPLANNER_H
#define MUON_MLIR_DIALECT_MUON_TRANSFORMS_ARENAPLANNER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <optional>

namespace mlir::muon {

/// A buffer of `size` bytes that is in use from time `first` to time `last`,
/// both included.
struct BufferInterval {
  int64_t size;
  int64_t first;
  int64_t last;
};

struct ArenaPlan {
  /// Offset in bytes of each buffer, in the order given.
  llvm::SmallVector<int64_t> offsets;
  /// Size of the arena in bytes, a multiple of the alignment.
  int64_t size = 0;
};

/// Places buffers so that those whose intervals meet do not overlap; offsets
/// are multiples of `alignment`. Largest first, each at the lowest offset that
/// fits (the greedy-by-size strategy of Pisarchyk and Lee, arXiv 2001.03288).
/// Returns nullopt if the arena would exceed 2^62 bytes.
std::optional<ArenaPlan> planArena(llvm::ArrayRef<BufferInterval> buffers,
                                   int64_t alignment);

} // namespace mlir::muon

#endif // MUON_MLIR_DIALECT_MUON_TRANSFORMS_ARENAPLANNER_H
