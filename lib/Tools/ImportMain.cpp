//===- ImportMain.cpp - Body of muon-import -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Tools/ImportMain.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "muon-mlir/Import/ImportSafetensors.h"
#include "muon-mlir/Import/Presets.h"
#include "muon-mlir/Import/Rules.h"
#include "muon-mlir/Tools/Support.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::muon;
namespace cl = llvm::cl;

namespace {

struct Options {
  cl::OptionCategory category{"muon-import options"};
  cl::opt<std::string> input{cl::Positional, cl::desc("<model.safetensors>"),
                             cl::cat(category)};
  // Outlives the option, which refers to it.
  std::string presetHelp = "Instead of a checkpoint, the parameters of a "
                           "published model: " +
                           llvm::join(getPresetNames(), ", ");
  cl::opt<std::string> preset{"preset", cl::desc(presetHelp),
                              cl::value_desc("name"), cl::cat(category)};
  cl::opt<std::string> output{"o", cl::desc("Output file"),
                              cl::value_desc("step.mlir"), cl::init("-"),
                              cl::cat(category)};
  cl::opt<std::string> config{"config",
                              cl::desc("Rules file; see docs/rules.md"),
                              cl::value_desc("rules.json"), cl::cat(category)};
  cl::opt<std::string> grid{
      "grid",
      cl::desc("Axes of the ranks' grid and their sizes, for that of the rules "
               "file or if it has none"),
      cl::value_desc("dp=8,tp=2"), cl::cat(category)};
  cl::opt<bool> printDefaults{
      "print-default-config",
      cl::desc("Print a rules file with all defaults and exit"),
      cl::cat(category)};
};

} // namespace

static constexpr llvm::StringLiteral kTool = "muon-import";

static llvm::Expected<OwningOpRef<ModuleOp>>
importModel(MLIRContext &context, const Options &options,
            const rules::Rules &rules) {
  if (!options.preset.getNumOccurrences())
    return importSafetensors(context, options.input, rules);
  llvm::Expected<std::vector<::muon::TensorInfo>> parameters =
      getPresetParameters(options.preset);
  if (!parameters)
    return parameters.takeError();
  return importTensors(context, options.preset, *parameters, rules);
}

int mlir::muon::importMain(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  addVersionPrinter();
  Options options;
  cl::HideUnrelatedOptions(options.category);
  cl::ParseCommandLineOptions(
      argc, argv, "writes the optimizer step of a checkpoint as IR\n");
  if (options.printDefaults) {
    llvm::outs() << rules::printDefaults();
    return 0;
  }
  bool hasPreset = options.preset.getNumOccurrences();
  if (options.input.empty() && !hasPreset)
    return reportError(kTool,
                       llvm::createStringError(
                           "expected a checkpoint to import, or --preset"));
  if (!options.input.empty() && hasPreset)
    return reportError(kTool,
                       llvm::createStringError(
                           "expected a checkpoint or a preset, found both: '" +
                           options.input + "' and --preset=" + options.preset));

  if (options.grid.getNumOccurrences() && options.grid.empty())
    return reportError(kTool, llvm::createStringError(
                                  "--grid expected axes such as dp=8,tp=2, "
                                  "found nothing"));
  llvm::Expected<rules::Rules> rules =
      options.config.empty()
          ? rules::Rules::parse("{}", /*fileName=*/"", options.grid)
          : rules::Rules::load(options.config, options.grid);
  if (!rules)
    return reportError(kTool, rules.takeError());

  DialectRegistry registry;
  registry.insert<MuonDialect, func::FuncDialect, tensor::TensorDialect>();
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  // Locations name tensors of a file without lines: print the message alone.
  ScopedDiagnosticHandler diagnostics(&context, [](Diagnostic &diagnostic) {
    llvm::raw_ostream &os =
        diagnostic.getSeverity() == DiagnosticSeverity::Error
            ? llvm::WithColor::error(llvm::errs(), kTool)
        : diagnostic.getSeverity() == DiagnosticSeverity::Warning
            ? llvm::WithColor::warning(llvm::errs(), kTool)
            : llvm::WithColor::note(llvm::errs(), kTool);
    os << diagnostic << "\n";
    return success();
  });

  llvm::Expected<OwningOpRef<ModuleOp>> module =
      importModel(context, options, *rules);
  if (!module)
    return reportError(kTool, module.takeError());
  PassManager pm(&context);
  AssignOptimizersPassOptions assign;
  assign.rules = options.config;
  assign.grid = options.grid;
  pm.addPass(createAssignOptimizersPass(assign));
  pm.addPass(createStackUpdatesPass());
  if (failed(pm.run(**module)))
    return 1;

  llvm::Error error = writeFile(
      options.output, [&](llvm::raw_ostream &os) { (*module)->print(os); });
  if (error)
    return reportError(kTool, std::move(error));
  return 0;
}
