//===- ReadModule.h - IR from untrusted files -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TOOLS_READMODULE_H
#define MUON_MLIR_TOOLS_READMODULE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "muon-mlir/Tools/Limits.h"

namespace llvm {
class SourceMgr;
} // namespace llvm

namespace mlir::muon {

/// Parses and verifies the main file of `sourceMgr`, text or bytecode, within
/// `limits`. Null if it fails; diagnostics go to the context's handler. Call it
/// with runWithLargeStack.
///
/// MLIR's reader of bytecode trusts its input: damaged files make it write out
/// of bounds, ask for any amount of memory or run forever. So it runs in a
/// process of its own, which hands the module over as text. Parsers and
/// verifiers of other dialects end the process on some malformed operations:
/// text that names any is first read by another process.
OwningOpRef<ModuleOp> readModule(llvm::SourceMgr &sourceMgr,
                                 MLIRContext &context,
                                 const Limits &limits = {});

/// Whether `text` may have operations of dialects besides `builtin`, `func` and
/// those of this project, whose parsers and verifiers stand what is malformed.
bool mayNameOtherDialects(StringRef text);

/// Checks the limits that show only after parsing. Never recurses deeper than
/// the operations are nested.
LogicalResult checkLimits(ModuleOp module, const Limits &limits = {});

} // namespace mlir::muon

#endif // MUON_MLIR_TOOLS_READMODULE_H
