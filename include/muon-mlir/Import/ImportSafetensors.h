//===- ImportSafetensors.h - A step from a checkpoint's header -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_IMPORT_IMPORTSAFETENSORS_H
#define MUON_MLIR_IMPORT_IMPORTSAFETENSORS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

namespace muon {
struct TensorInfo;
} // namespace muon

namespace mlir::muon {

namespace rules {
class Rules;
} // namespace rules

/// Builds the step that muon.optimize's each of `tensors`, which come from
/// `source`, in their order. Gradients have the type that `rules` say.
OwningOpRef<ModuleOp> importTensors(MLIRContext &context,
                                    llvm::StringRef source,
                                    llvm::ArrayRef<::muon::TensorInfo> tensors,
                                    const rules::Rules &rules);

/// Reads the header of the safetensors file at `path`, not its data, and builds
/// the step of its tensors, in the order of their data.
llvm::Expected<OwningOpRef<ModuleOp>>
importSafetensors(MLIRContext &context, llvm::StringRef path,
                  const rules::Rules &rules);

} // namespace mlir::muon

#endif // MUON_MLIR_IMPORT_IMPORTSAFETENSORS_H
