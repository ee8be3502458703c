//===- CompileMain.cpp - Body of muon-compile -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Tools/CompileMain.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "muon-mlir/Pipelines/Pipelines.h"
#include "muon-mlir/Target/Artifact.h"
#include "muon-mlir/Target/CpuTarget.h"
#include "muon-mlir/Tools/InitAll.h"
#include "muon-mlir/Tools/ReadModule.h"
#include "muon-mlir/Tools/Support.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::muon;
namespace cl = llvm::cl;

namespace {

struct Options {
  cl::OptionCategory category{"muon-compile options"};
  cl::opt<std::string> input{cl::Positional, cl::desc("<step.mlir>"),
                             cl::init("-"), cl::cat(category)};
  cl::opt<std::string> output{"o", cl::desc("Output file"),
                              cl::value_desc("step.so"), cl::init("-"),
                              cl::cat(category)};
  cl::opt<std::string> target{"target", cl::desc("Target: cpu"),
                              cl::init("cpu"), cl::cat(category)};
  cl::opt<std::string> cpu{"cpu", cl::desc("Processor: native, x86-64-v3, …"),
                           cl::init("native"), cl::cat(category)};
  cl::opt<std::string> compileTo{
      "compile-to",
      cl::desc("Stop at a level and print its IR: step, math, buffers, loops "
               "or llvm"),
      cl::cat(category)};
};

} // namespace

static constexpr llvm::StringLiteral kTool = "muon-compile";

/// Everything after the command line. Returns the exit code.
static int compile(llvm::SourceMgr &sourceMgr, const Options &options,
                   Phase last, const CpuTarget &target) {
  DialectRegistry registry;
  registerCompilerDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  // A module would be printed whole.
  context.printOpOnDiagnostic(false);
  SourceMgrDiagnosticHandler diagnostics(sourceMgr, &context);
  OwningOpRef<ModuleOp> module = readModule(sourceMgr, context);
  if (!module)
    return 1;

  DefaultTimingManager timing;
  applyDefaultTimingManagerCLOptions(timing);
  TimingScope timingScope = timing.getRootScope();
  PassManager pm(&context);
  if (failed(applyPassManagerCLOptions(pm)))
    return 1;
  pm.enableTiming(timingScope);
  buildCpuPipeline(pm, Phase::Step, last);
  if (failed(pm.run(*module)))
    return 1;

  if (!options.compileTo.empty()) {
    if (llvm::Error error = writeFile(
            options.output, [&](llvm::raw_ostream &os) { module->print(os); }))
      return reportError(kTool, std::move(error));
    return 0;
  }
  TimingScope codegen = timingScope.nest("Code generation");
  bool reported = false;
  llvm::Error error =
      replaceFile(options.output, [&](StringRef temporary) -> llvm::Error {
        if (succeeded(writeArtifact(*module, target, temporary)))
          return llvm::Error::success();
        reported = true;
        return llvm::createStringError("no artifact");
      });
  if (!error)
    return 0;
  if (!reported)
    return reportError(kTool, std::move(error));
  llvm::consumeError(std::move(error));
  return 1;
}

int mlir::muon::compileMain(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  addVersionPrinter();
  Options options;
  registerAsmPrinterCLOptions();
  registerMLIRContextCLOptions();
  registerPassManagerCLOptions();
  registerDefaultTimingManagerCLOptions();
  cl::ParseCommandLineOptions(argc, argv,
                              "compiles an optimizer step into an artifact\n");

  auto fail = [](const Twine &message) {
    return reportError(kTool, llvm::createStringError(message));
  };
  if (options.target != "cpu")
    return fail("unknown target '" + options.target + "', expected cpu");
  Phase last = Phase::LLVM;
  if (!options.compileTo.empty()) {
    std::optional<Phase> phase = symbolizePhase(options.compileTo);
    if (!phase)
      return fail("unknown level '" + options.compileTo +
                  "', expected step, math, buffers, loops or llvm");
    last = *phase;
  } else if (options.output == "-") {
    return fail("an artifact needs an output file (-o step.so); IR of a level "
                "is printed with --compile-to");
  }

  llvm::Expected<CpuTarget> target = createCpuTarget(options.cpu);
  if (!target)
    return reportError(kTool, target.takeError());

  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      readInput(options.input);
  if (!buffer)
    return reportError(kTool, buffer.takeError());
  llvm::SourceMgr sourceMgr;
  sourceMgr.AddNewSourceBuffer(std::move(*buffer), llvm::SMLoc());
  return runWithLargeStack(
      [&] { return compile(sourceMgr, options, last, *target); });
}
