//===- CollectiveSum.h - Sums over ranks ------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_COLLECTIVESUM_H
#define MUON_MLIR_LIB_RUNTIME_COLLECTIVESUM_H

#include "muon-mlir/Runtime/Runtime.h"

#include <cstdint>

namespace muon::collective {

/// to[i] = sources[0][i] + sources[1][i] + …, added from left to right in f32
/// (f64 for f64), for a mean times 1/numSources rounded to that type, and
/// rounded once to `type`, to nearest even. `to` may be one of the sources.
void sumInOrder(MuonType type, bool isMean, const void *const *sources,
                int32_t numSources, void *to, int64_t count);

} // namespace muon::collective

#endif // MUON_MLIR_LIB_RUNTIME_COLLECTIVESUM_H
