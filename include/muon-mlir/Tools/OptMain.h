//===- OptMain.h - Body of muon-opt -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TOOLS_OPTMAIN_H
#define MUON_MLIR_TOOLS_OPTMAIN_H

namespace mlir::muon {

/// The main function of muon-opt: upstream's, with the limits that can be
/// checked before parsing.
int optMain(int argc, char **argv);

} // namespace mlir::muon

#endif // MUON_MLIR_TOOLS_OPTMAIN_H
