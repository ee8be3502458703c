//===- main.cpp - muon-opt -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Tools/OptMain.h"

int main(int argc, char **argv) { return mlir::muon::optMain(argc, argv); }
