//===- main.cpp - muon-opt -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "muon-mlir/Tools/InitAll.h"
#include "muon-mlir/Tools/Support.h"

int main(int argc, char **argv) {
  mlir::muon::addVersionPrinter();
  mlir::DialectRegistry registry;
  mlir::muon::registerAllDialects(registry);
  mlir::muon::registerAllPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "muon-opt: passes for optimizer steps\n", registry));
}
