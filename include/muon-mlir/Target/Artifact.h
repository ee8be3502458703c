//===- Artifact.h - Write an artifact -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TARGET_ARTIFACT_H
#define MUON_MLIR_TARGET_ARTIFACT_H

#include "mlir/Support/LLVM.h"

namespace mlir {
class DialectRegistry;
class ModuleOp;
namespace muon {

struct CpuTarget;

/// Registers what translation of a step to LLVM IR needs.
void registerArtifactTranslations(DialectRegistry &registry);

/// Writes `module`, a step in the LLVM dialect with `muon.manifest`, as the
/// shared library described in docs/artifact.md to `path`. Errors are reported
/// at the module; what is at `path` then is undefined, so give the name of a
/// temporary file.
LogicalResult writeArtifact(ModuleOp module, const CpuTarget &target,
                            StringRef path);

} // namespace muon
} // namespace mlir

#endif // MUON_MLIR_TARGET_ARTIFACT_H
