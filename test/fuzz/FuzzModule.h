//===- FuzzModule.h - Reads modules as muon-compile does -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_FUZZ_FUZZMODULE_H
#define MUON_MLIR_TEST_FUZZ_FUZZMODULE_H

#include "llvm/ADT/StringRef.h"

namespace muon::fuzz {

/// Gives the process the stack that runWithLargeStack gives to the tools, by
/// starting it again if need be.
void growStack(char **argv);

/// Reads and verifies a module, runs the first phase on it and checks that what
/// comes out can be read again.
void readAndRun(llvm::StringRef input);

} // namespace muon::fuzz

#endif // MUON_MLIR_TEST_FUZZ_FUZZMODULE_H
