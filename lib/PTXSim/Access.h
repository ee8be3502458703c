//===- Access.h - Lanes that access memory ----------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_ACCESS_H
#define MUON_MLIR_LIB_PTXSIM_ACCESS_H

#include "Machine.h"

namespace muon::ptxsim {

/// What the lanes of one instruction access.
struct LaneAccess {
  /// Lanes that may; the others had a finding.
  uint32_t mask = 0;
  /// Lanes in global memory.
  uint32_t global = 0;
  uint64_t addresses[warpSize];
  uint8_t *data[warpSize];
  /// Null where everything is defined; all of them unless hasShadow.
  uint8_t *shadow[warpSize];
  bool hasShadow = false;
};

/// The addresses `base + offset` of the lanes that execute the instruction;
/// lanes whose address is undefined do not access anything.
void computeAddresses(Context &c, const Ref &base, int64_t offset,
                      LaneAccess &access);

/// Finds `bytes` at access.addresses for each lane of access.mask, checks
/// bounds, alignment and order between threads, and counts. Generic addresses
/// are resolved. `alignment` 0 stands for `bytes`.
void resolve(Context &c, Space space, unsigned bytes, AccessKind kind,
             LaneAccess &access, unsigned alignment = 0);

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_ACCESS_H
