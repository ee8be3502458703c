//===- Passes.h - Passes that stay in the muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUON_TRANSFORMS_PASSES_H
#define MUON_MLIR_DIALECT_MUON_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::muon {

namespace distribution {
struct Plan;
} // namespace distribution

#define GEN_PASS_DECL
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"

/// A pass that plans as muon-distribute does, with its options, and leaves the
/// plan in `plan`, which outlives it.
std::unique_ptr<Pass> createPlanStepPass(distribution::Plan &plan,
                                         llvm::StringRef topology,
                                         llvm::StringRef compute);

#define GEN_PASS_REGISTRATION
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"

} // namespace mlir::muon

#endif // MUON_MLIR_DIALECT_MUON_TRANSFORMS_PASSES_H
