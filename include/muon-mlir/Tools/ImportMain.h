//===- ImportMain.h - Body of muon-import -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TOOLS_IMPORTMAIN_H
#define MUON_MLIR_TOOLS_IMPORTMAIN_H

namespace mlir::muon {

/// The main function of muon-import: a checkpoint's header and rules in, IR
/// out. Returns the exit code: 0, or 1 after a diagnostic.
int importMain(int argc, char **argv);

} // namespace mlir::muon

#endif // MUON_MLIR_TOOLS_IMPORTMAIN_H
