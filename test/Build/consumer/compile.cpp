//===- compile.cpp - A compiler outside of the tree -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   compile-step step.mlir step.so
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Pipelines/Pipelines.h"
#include "muon-mlir/Target/Artifact.h"
#include "muon-mlir/Target/CpuTarget.h"
#include "muon-mlir/Tools/InitAll.h"
#include "llvm/Support/raw_ostream.h"
#include <stdexcept>

using namespace mlir;

/// Exceptions are the consumer's choice, whatever this project does.
static void require(bool holds, const char *what) {
  if (!holds)
    throw std::runtime_error(what);
}

static void compileStep(const char *input, const char *output) {
  DialectRegistry registry;
  muon::registerCompilerDialects(registry);
  MLIRContext context(registry);

  auto module = parseSourceFile<ModuleOp>(input, &context);
  require(bool(module), "no step to compile");
  unsigned parameters = 0;
  module->walk([&](muon::OptimizeOp) { ++parameters; });

  PassManager pm(&context);
  muon::buildCpuPipeline(pm, muon::Phase::Step, muon::Phase::LLVM);
  require(succeeded(pm.run(*module)), "compilation failed");

  auto target = muon::createCpuTarget("x86-64-v3");
  require(bool(target), "no such processor");
  require(succeeded(muon::writeArtifact(*module, *target, output)),
          "no artifact");
  llvm::outs() << parameters << " parameters compiled\n";
}

int main(int argc, char **argv) {
  try {
    require(argc == 3, "usage: compile-step step.mlir step.so");
    compileStep(argv[1], argv[2]);
  } catch (const std::exception &error) {
    llvm::errs() << "compile-step: error: " << error.what() << "\n";
    return 1;
  }
}
