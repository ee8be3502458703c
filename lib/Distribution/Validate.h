//===- Validate.h - What a step must be to be planned -----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DISTRIBUTION_VALIDATE_H
#define MUON_MLIR_LIB_DISTRIBUTION_VALIDATE_H

#include "muon-mlir/Distribution/Plan.h"

namespace mlir::muon::distribution {

/// Checks everything that makePlan refuses but memory.
llvm::Error validate(const Topology &topology, const Group &group);
llvm::Error validate(const Topology &topology);

} // namespace mlir::muon::distribution

#endif // MUON_MLIR_LIB_DISTRIBUTION_VALIDATE_H
