//===- Passes.h - Passes that stay in the muon_gpu dialect ------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUONGPU_TRANSFORMS_PASSES_H
#define MUON_MLIR_DIALECT_MUONGPU_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::muon_gpu {

#define GEN_PASS_DECL
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h.inc"

} // namespace mlir::muon_gpu

#endif // MUON_MLIR_DIALECT_MUONGPU_TRANSFORMS_PASSES_H
