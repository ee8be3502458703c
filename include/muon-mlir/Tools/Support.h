//===- Support.h - What the tools share -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TOOLS_SUPPORT_H
#define MUON_MLIR_TOOLS_SUPPORT_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace mlir::muon {

/// Writes the file at `path` (or standard output for "-") through a temporary
/// file beside it, which replaces it when all is written.
llvm::Error writeFile(llvm::StringRef path,
                      llvm::function_ref<void(llvm::raw_ostream &)> write);

/// Refuses textual IR that would overflow the stack of MLIR's recursive-descent
/// parser: more than `maxNestingDepth` brackets open at once.
llvm::Error checkNesting(llvm::StringRef text);

inline constexpr unsigned maxNestingDepth = 256;

/// Prints "tool: error: …" and returns the exit code 1.
int reportError(llvm::StringRef tool, llvm::Error error);

} // namespace mlir::muon

#endif // MUON_MLIR_TOOLS_SUPPORT_H
