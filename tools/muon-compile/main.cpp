//===- main.cpp - muon-compile -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Tools/CompileMain.h"

int main(int argc, char **argv) { return mlir::muon::compileMain(argc, argv); }
