//===- ArenaPlanner.cpp - Offsets of buffers in one arena -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/Transforms/ArenaPlanner.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir::muon;

std::optional<ArenaPlan>
mlir::muon::planArena(llvm::ArrayRef<BufferInterval> buffers,
                      int64_t alignment) {
  ArenaPlan plan;
  plan.offsets.resize(buffers.size());
  auto order = llvm::to_vector(llvm::seq<size_t>(0, buffers.size()));
  llvm::stable_sort(order, [&](size_t a, size_t b) {
    return buffers[a].size > buffers[b].size;
  });

  // Indices of placed buffers, by offset.
  llvm::SmallVector<size_t> placed;
  for (size_t index : order) {
    const BufferInterval &buffer = buffers[index];
    int64_t offset = 0;
    for (size_t other : placed) {
      const BufferInterval &neighbour = buffers[other];
      if (neighbour.last < buffer.first || buffer.last < neighbour.first)
        continue;
      if (plan.offsets[other] - offset >= buffer.size)
        break;
      int64_t end =
          llvm::alignTo(plan.offsets[other] + neighbour.size, alignment);
      offset = std::max(offset, end);
    }
    plan.offsets[index] = offset;
    if (buffer.size > (int64_t(1) << 62) - offset - alignment)
      return std::nullopt;
    int64_t end = llvm::alignTo(offset + buffer.size, alignment);
    plan.size = std::max(plan.size, end);
    placed.insert(llvm::upper_bound(placed, index,
                                    [&](size_t a, size_t b) {
                                      return plan.offsets[a] < plan.offsets[b];
                                    }),
                  index);
  }
  return plan;
}
