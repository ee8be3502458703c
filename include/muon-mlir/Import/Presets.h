//===- Presets.h - The parameters of published models -----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the headers of well-known checkpoints say, derived from the numbers of
// their configurations, so that a step can be looked at without a checkpoint.
// No MLIR types, so that it can be tested alone.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_IMPORT_PRESETS_H
#define MUON_MLIR_IMPORT_PRESETS_H

#include "muon-mlir/Runtime/Safetensors.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <vector>

namespace mlir::muon {

/// The names of all presets, smaller models first.
llvm::ArrayRef<llvm::StringRef> getPresetNames();

/// The parameters of the model `name`, in the order of its layers. Without a
/// file, the tensors have no bytes: begin and end are 0.
llvm::Expected<std::vector<::muon::TensorInfo>>
getPresetParameters(llvm::StringRef name);

} // namespace mlir::muon

#endif // MUON_MLIR_IMPORT_PRESETS_H
