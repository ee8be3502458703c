//===- Passes.h - Passes that make code -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TARGET_PASSES_H
#define MUON_MLIR_TARGET_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::muon {

#define GEN_PASS_DECL
#include "muon-mlir/Target/Passes.h.inc"

/// Whether LLVM makes code for `arch`, such as sm_90a.
bool isGpuArch(StringRef arch);

#define GEN_PASS_REGISTRATION
#include "muon-mlir/Target/Passes.h.inc"

} // namespace mlir::muon

#endif // MUON_MLIR_TARGET_PASSES_H
