//===- Support.h - What the tools share -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TOOLS_SUPPORT_H
#define MUON_MLIR_TOOLS_SUPPORT_H

#include "muon-mlir/Tools/Limits.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>

namespace llvm {
class MemoryBuffer;
class raw_ostream;
} // namespace llvm

namespace mlir::muon {

/// Reads the file at `path` (or standard input for "-") as far as `maxBytes`; a
/// longer one is an error, also if it has no end.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
readInput(llvm::StringRef path, uint64_t maxBytes = Limits().inputBytes);

/// Writes the file at `path` (or standard output for "-") by replaceFile.
llvm::Error writeFile(llvm::StringRef path,
                      llvm::function_ref<void(llvm::raw_ostream &)> write);

/// Makes a new file at `path`: `write` gets the name of a temporary file beside
/// it, which replaces it if `write` succeeds and is removed otherwise. Links
/// are followed. Anything but a regular file, a device for instance, is an
/// error.
llvm::Error replaceFile(llvm::StringRef path,
                        llvm::function_ref<llvm::Error(llvm::StringRef)> write);

/// Runs `body` on a thread with a stack that deeply nested input does not
/// overflow and returns its exit code.
int runWithLargeStack(llvm::function_ref<int()> body);

/// Refuses textual IR with which MLIR's recursive-descent parser would overflow
/// its stack, because of brackets open at once, signs in a row or words in a
/// row, or fill the memory, because of result numbers.
llvm::Error checkNesting(llvm::StringRef text, const Limits &limits = {});

/// Makes `--version` tell the version of this project beside LLVM's.
void addVersionPrinter();

/// Prints "tool: error: …" and returns the exit code 1.
int reportError(llvm::StringRef tool, llvm::Error error);

} // namespace mlir::muon

#endif // MUON_MLIR_TOOLS_SUPPORT_H
