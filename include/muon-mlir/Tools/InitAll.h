//===- InitAll.h - Everything the tools register -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TOOLS_INITALL_H
#define MUON_MLIR_TOOLS_INITALL_H

namespace mlir {
class DialectRegistry;
namespace muon {

/// Registers the dialects that compilation of a step goes through, with their
/// interfaces and translations.
void registerCompilerDialects(DialectRegistry &registry);

/// Registers what this project has and upstream has not: its dialects with
/// their interfaces, its passes and its pipelines. For programs that register
/// the rest themselves.
void registerMuonDialects(DialectRegistry &registry);
void registerMuonPasses();

/// Registers this project's dialects on top of all of upstream's.
void registerAllDialects(DialectRegistry &registry);

/// Registers this project's passes and pipelines and all of upstream's.
void registerAllPasses();

} // namespace muon
} // namespace mlir

#endif // MUON_MLIR_TOOLS_INITALL_H
