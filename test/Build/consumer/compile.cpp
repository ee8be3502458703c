//===- compile.cpp - A compiler outside of the tree -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   compile-step step.mlir step.so
//   compile-step update.mlir        prints it with Newton–Schulz raised
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
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

namespace {

/// Stands for what a compiler does by itself where updates are products, sums
/// and norms of tensors.
struct CountProducts : PassWrapper<CountProducts, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CountProducts)

  explicit CountProducts(unsigned &count) : count(count) {}

  void runOnOperation() override {
    getOperation()->walk([&](Operation *op) {
      count += isa<muon::SymmetricProductOp, muon::SymmetricApplyOp,
                   muon::CommutingProductOp>(op);
    });
  }

  unsigned &count;
};

} // namespace

static OwningOpRef<ModuleOp> read(const char *path, MLIRContext &context) {
  auto module = parseSourceFile<ModuleOp>(path, &context);
  require(bool(module), "no module to compile");
  return module;
}

static void compileStep(const char *input, const char *output) {
  DialectRegistry registry;
  muon::registerCompilerDialects(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = read(input, context);
  unsigned parameters = 0, products = 0;
  module->walk([&](muon::OptimizeOp) { ++parameters; });

  PassManager pm(&context);
  muon::buildCpuPipeline(pm, muon::Phase::Step, muon::Phase::Math);
  pm.addPass(std::make_unique<CountProducts>(products));
  muon::buildCpuPipeline(pm, muon::Phase::Buffers, muon::Phase::LLVM);
  require(succeeded(pm.run(*module)), "compilation failed");

  auto target = muon::createCpuTarget("x86-64-v3");
  require(bool(target), "no such processor");
  require(succeeded(muon::writeArtifact(*module, *target, output)),
          "no artifact");
  llvm::outs() << parameters << " parameters compiled, " << products
               << " products\n";
}

static void raise(const char *input) {
  DialectRegistry registry;
  muon::registerAllDialects(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = read(input, context);

  PassManager pm(&context);
  pm.addPass(createInlinerPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(muon::createRaisePass());
  require(succeeded(pm.run(*module)), "compilation failed");
  module->print(llvm::outs());
}

int main(int argc, char **argv) {
  try {
    require(argc == 2 || argc == 3, "usage: compile-step INPUT [OUTPUT]");
    if (argc == 2)
      raise(argv[1]);
    else
      compileStep(argv[1], argv[2]);
  } catch (const std::exception &error) {
    llvm::errs() << "compile-step: error: " << error.what() << "\n";
    return 1;
  }
}
