//===- OptMain.cpp - Body of muon-opt -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Tools/OptMain.h"
#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "muon-mlir/Tools/InitAll.h"
#include "muon-mlir/Tools/Support.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;
using namespace mlir::muon;

/// Checks the file at `path` before upstream's code reads it.
static llvm::Error checkInput(StringRef path) {
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> buffer = readInput(path);
  if (!buffer)
    return buffer.takeError();
  if (isBytecode(**buffer))
    return llvm::Error::success();
  if (llvm::Error error = checkNesting((*buffer)->getBuffer()))
    return llvm::createStringError(path + ": " +
                                   llvm::toString(std::move(error)));
  return llvm::Error::success();
}

int mlir::muon::optMain(int argc, char **argv) {
  // Upstream's code does this too, but not on the main thread, and the stack of
  // the signal handlers belongs to a thread.
  llvm::InitLLVM init(argc, argv);
  addVersionPrinter();
  DialectRegistry registry;
  muon::registerAllDialects(registry);
  muon::registerAllPasses();
  auto files = registerAndParseCLIOptions(
      argc, argv, "muon-opt: passes for optimizer steps\n", registry);
  // Nothing else, such as standard input, can be read twice.
  if (llvm::sys::fs::is_regular_file(files.first))
    if (llvm::Error error = checkInput(files.first))
      return reportError("muon-opt", std::move(error));
  return runWithLargeStack([&] {
    return asMainReturnCode(
        MlirOptMain(argc, argv, files.first, files.second, registry));
  });
}
