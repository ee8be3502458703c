//===- FuzzModule.cpp - Reads modules as muon-compile does -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FuzzModule.h"
#include "Mutate.h"
#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinDialect.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"
#include "muon-mlir/Pipelines/Pipelines.h"
#include "muon-mlir/Tools/InitAll.h"
#include "muon-mlir/Tools/ReadModule.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdlib>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace mlir;
using namespace mlir::muon;

void ::muon::fuzz::growStack(char **argv) {
  constexpr rlim_t wanted = rlim_t(1) << 30;
  rlimit limit;
  if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= wanted)
    return;
  limit.rlim_cur = wanted;
  if (setrlimit(RLIMIT_STACK, &limit) == 0)
    execv("/proc/self/exe", argv);
}

/// Exit code of a process that decodes in which a sanitizer found an error.
constexpr int kFinding = 77;
static pid_t fuzzer;

/// In the process that decodes, counts what is about code of this project. That
/// MLIR's reader asks for any amount of memory, or hands the C library bad
/// arguments, is why there is such a process.
static void reportAddress(const char *report) {
  if (getpid() == fuzzer)
    return;
  StringRef text(report);
  StringRef innermost = text.take_front(text.find("\n    #5 "));
  bool isMemory = text.contains("out of memory") ||
                  text.contains("allocation-size-too-big");
  _exit(!isMemory && innermost.contains("mlir::muon") ? kFinding : 1);
}

extern "C" void __ubsan_on_report() {
  if (getpid() == fuzzer)
    return;
  __sanitizer_print_stack_trace();
  _exit(kFinding);
}

static OwningOpRef<ModuleOp> read(StringRef text, MLIRContext &context) {
  Limits limits;
  limits.bytecodeSeconds = 1;
  limits.bytecodeMemory = uint64_t(1) << 28;
  llvm::SourceMgr sourceMgr;
  sourceMgr.AddNewSourceBuffer(
      llvm::MemoryBuffer::getMemBufferCopy(text, "input"), llvm::SMLoc());
  return readModule(sourceMgr, context, limits);
}

/// Whether all operations are of dialects whose printers, verifiers and
/// foldings this project answers for, or relies on in every step.
static bool isOurs(ModuleOp module) {
  return !module
              ->walk([](Operation *op) {
                return isa<MuonDialect, muon_gpu::MuonGPUDialect,
                           func::FuncDialect, BuiltinDialect>(op->getDialect())
                           ? WalkResult::advance()
                           : WalkResult::interrupt();
              })
              .wasInterrupted();
}

void ::muon::fuzz::readAndRun(StringRef input) {
  // Others' dialects take a process each, and are not what is looked for.
  if (!isBytecode(llvm::MemoryBufferRef(input, "input")) &&
      mayNameOtherDialects(input))
    return;
  // Contexts keep whatever was ever read: not for too long.
  static std::unique_ptr<MLIRContext> context;
  static unsigned runs = 0;
  if (runs == 0) {
    fuzzer = getpid();
    __asan_set_error_report_callback(reportAddress);
  }
  if (runs++ % 1000 == 0) {
    DialectRegistry registry;
    registerCompilerDialects(registry);
    context = std::make_unique<MLIRContext>(registry,
                                            MLIRContext::Threading::DISABLED);
    context->printOpOnDiagnostic(false);
  }
  unsigned errors = 0;
  std::string messages;
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
    errors += diagnostic.getSeverity() == DiagnosticSeverity::Error;
    messages += diagnostic.str() + "\n";
  });
  OwningOpRef<ModuleOp> module = read(input, *context);
  if (StringRef(messages).contains(("exit code " + Twine(kFinding)).str()))
    std::abort();
  if (!module) {
    if (!errors) {
      llvm::errs() << "refused without an error\n";
      std::abort();
    }
    refused(messages);
    return;
  }
  auto roundTrip = [&](const char *what) {
    if (!isOurs(*module))
      return;
    std::string text;
    llvm::raw_string_ostream os(text);
    module->print(os);
    messages.clear();
    if (read(text, *context))
      return;
    llvm::errs() << what << " cannot be read again: " << messages << text;
    std::abort();
  };
  if (!isOurs(*module))
    return;
  roundTrip("the module");
  PassManager pm(context.get());
  buildCpuPipeline(pm, Phase::Step, Phase::Step);
  errors = 0;
  if (succeeded(pm.run(*module)))
    return roundTrip("the step");
  if (!errors) {
    llvm::errs() << "the step phase failed without an error\n";
    std::abort();
  }
}
