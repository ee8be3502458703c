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
#include "mlir/IR/Remarks.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "muon-mlir/Compile/Compile.h"
#include "muon-mlir/Distribution/Report.h"
#include "muon-mlir/Target/Artifact.h"
#include "muon-mlir/Target/CpuTarget.h"
#include "muon-mlir/Tools/InitAll.h"
#include "muon-mlir/Tools/ReadModule.h"
#include "muon-mlir/Tools/Support.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Regex.h"
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
  cl::opt<std::string> target{"target",
                              cl::desc("Target: cpu, or a GPU such as sm_80"),
                              cl::init("cpu"), cl::cat(category)};
  cl::opt<std::string> cpu{
      "cpu", cl::desc("Processor: native, x86-64-v3, …; for a GPU, the host's"),
      cl::init("native"), cl::cat(category)};
  cl::opt<std::string> compileTo{
      "compile-to",
      cl::desc("Stop at a level and print its IR: step, math, buffers, loops "
               "or llvm; for a GPU step, math, launches, kernels or llvm"),
      cl::cat(category)};
  cl::opt<std::string> scratchLimit{
      "scratch-limit",
      cl::desc("Bytes of scratch memory that one stack may use, with K, M or G "
               "for powers of 1024; 0 for no limit"),
      cl::value_desc("size"), cl::init("0"), cl::cat(category)};
  cl::opt<std::string> report{
      "report",
      cl::desc("Write what the step does and what it takes: JSON if the name "
               "ends in .json, otherwise text; - for text on standard output"),
      cl::value_desc("file"), cl::cat(category)};
  cl::opt<std::string> chip{
      "chip",
      cl::desc("GPU whose floors the report tells, such as H200; unless given, "
               "one of the target's architecture"),
      cl::cat(category)};
  cl::opt<std::string> ptxas{
      "ptxas",
      cl::desc(
          "For a GPU: path of the ptxas that adds a cubin to the PTX; auto "
          "to look for one, none for PTX alone. With --compile-to, none "
          "unless given"),
      cl::value_desc("path"), cl::init("auto"), cl::cat(category)};
  cl::opt<std::string> grid{
      "grid",
      cl::desc("Axes of a grid of ranks and their sizes: one artifact for each "
               "rank, whose number replaces {rank} in the names of files"),
      cl::value_desc("dp=8,tp=2"), cl::cat(category)};
  cl::opt<int64_t> rank{"rank", cl::desc("Compile for this rank alone"),
                        cl::value_desc("number"), cl::init(-1),
                        cl::cat(category)};
  cl::opt<std::string> topology{
      "topology",
      cl::desc("Latency and bandwidth of each axis of the grid, FLOP/s and "
               "memory of a rank (JSON)"),
      cl::value_desc("file"), cl::cat(category)};
  cl::opt<std::string> plan{
      "plan",
      cl::desc("Write what each rank would do and what it would cost, and "
               "compile nothing: JSON if the name ends in .json, otherwise "
               "text; - for text on standard output"),
      cl::value_desc("file"), cl::cat(category)};
  cl::opt<std::string> remarksFilter{
      "remarks-filter",
      cl::desc("Show the remarks of the passes whose names match"),
      cl::value_desc("regex"), cl::cat(category)};
};

} // namespace

static constexpr llvm::StringLiteral kTool = "muon-compile";
/// Of options in messages.
static constexpr llvm::StringLiteral kPrefix = "--";

/// A number of bytes, as --scratch-limit takes it.
static llvm::Expected<int64_t> parseBytes(StringRef text) {
  StringRef digits = text;
  unsigned shift = digits.consume_back("K")   ? 10
                   : digits.consume_back("M") ? 20
                   : digits.consume_back("G") ? 30
                                              : 0;
  int64_t number;
  // A sign is no digit.
  if (!llvm::all_of(digits, llvm::isDigit) || digits.getAsInteger(10, number) ||
      number > std::numeric_limits<int64_t>::max() >> shift)
    return llvm::createStringError(
        "--scratch-limit expected a number of bytes below 2^63, such as "
        "1048576, 1024K, 1M or 1G, found '" +
        text + "'");
  return number << shift;
}

/// Whether two outputs would overwrite each other.
static bool isSameFile(StringRef lhs, StringRef rhs) {
  if (lhs == "-" || rhs == "-")
    return lhs == rhs;
  if (llvm::sys::fs::equivalent(lhs, rhs))
    return true;
  // They need not exist yet.
  auto resolve = [](StringRef path) {
    StringRef folder = llvm::sys::path::parent_path(path);
    SmallString<128> real;
    if (llvm::sys::fs::real_path(folder.empty() ? "." : folder, real))
      return path.str();
    llvm::sys::path::append(real, llvm::sys::path::filename(path));
    return real.str().str();
  };
  return resolve(lhs) == resolve(rhs);
}

static llvm::Error checkReport(const Options &options, Phase last, bool isGpu) {
  if (!options.report.getNumOccurrences())
    return llvm::Error::success();
  if (options.report.empty())
    return llvm::createStringError(
        "--report expected the name of a file, or - for standard output");
  if (last < (isGpu ? Phase::Kernels : Phase::Buffers))
    return llvm::createStringError(
        Twine("--report tells about memory, which is known from level ") +
        (isGpu ? "kernels" : "buffers") +
        " on; found --compile-to=" + options.compileTo);
  if (isSameFile(options.report, options.output))
    return llvm::createStringError("--report and -o name the same file, '" +
                                   options.output + "'");
  return llvm::Error::success();
}

/// `path` with the number of the rank for {rank}.
static std::string nameForRank(StringRef path, std::optional<int64_t> rank) {
  std::string name = path.str();
  if (!rank)
    return name;
  StringRef pattern = "{rank}";
  std::string number = std::to_string(*rank);
  for (size_t at = 0; (at = name.find(pattern, at)) != std::string::npos;
       at += number.size())
    name.replace(at, pattern.size(), number);
  return name;
}

static llvm::Error writeReport(const Options &options, const StepReport &report,
                               std::optional<int64_t> rank) {
  if (!options.report.getNumOccurrences())
    return llvm::Error::success();
  bool isJson = StringRef(options.report).ends_with(".json");
  return writeFile(nameForRank(options.report, rank),
                   [&](llvm::raw_ostream &os) {
                     (isJson ? printReportJson : printReportText)(report, os);
                   });
}

static llvm::Error writePlan(const Options &options,
                             const distribution::Plan &plan) {
  bool isJson = StringRef(options.plan).ends_with(".json");
  return writeFile(options.plan, [&](llvm::raw_ostream &os) {
    (isJson ? distribution::printPlanJson : distribution::printPlanText)(plan,
                                                                         os);
  });
}

/// The ranks to compile for: those of the module's grid, or the one asked for,
/// or none if the step is not distributed.
static llvm::Expected<SmallVector<std::optional<int64_t>>>
getRanks(ModuleOp module, const Options &options,
         const CompileOptions &compileOptions) {
  llvm::Expected<int64_t> ranksOfStep =
      countRanks(module, compileOptions, kPrefix);
  if (!ranksOfStep)
    return ranksOfStep.takeError();
  int64_t count = *ranksOfStep;
  SmallVector<std::optional<int64_t>> ranks;
  if (count == 0) {
    for (const cl::opt<std::string> *file : {&options.output, &options.report})
      if (StringRef(*file).contains("{rank}"))
        return llvm::createStringError(
            Twine(file == &options.output ? "-o" : "--report") +
            " has {rank} in its name, found '" + *file +
            "'; expected a grid, of the module or by --grid");
    ranks.push_back(std::nullopt);
    return ranks;
  }
  if (compileOptions.rank) {
    ranks.push_back(compileOptions.rank);
    return ranks;
  }
  for (const cl::opt<std::string> *file : {&options.output, &options.report})
    if (count > 1 && file->getNumOccurrences() &&
        !StringRef(*file).contains("{rank}"))
      return llvm::createStringError(
          Twine(file == &options.output ? "-o" : "--report") +
          " expected {rank} in the name of a file for each of " + Twine(count) +
          " ranks, or --rank, found '" + *file + "'");
  if (count > 1 && !options.output.getNumOccurrences())
    return llvm::createStringError("-o expected a file for each of " +
                                   Twine(count) +
                                   " ranks, such as step.{rank}.so, or --rank");
  for (int64_t rank = 0; rank < count; ++rank)
    ranks.push_back(rank);
  return ranks;
}

static int compileForRank(ModuleOp module, TimingScope &timing,
                          const Options &options, Phase last,
                          CompileOptions compileOptions,
                          const CpuTarget &target, std::optional<int64_t> rank);

/// Everything after the command line. Returns the exit code.
static int compile(llvm::SourceMgr &sourceMgr, const Options &options,
                   Phase last, const CompileOptions &compileOptions,
                   const CpuTarget &target) {
  DialectRegistry registry;
  registerCompilerDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  // A module would be printed whole.
  context.printOpOnDiagnostic(false);
  SourceMgrDiagnosticHandler diagnostics(sourceMgr, &context);
  OwningOpRef<ModuleOp> module = readModule(sourceMgr, context);
  if (!module)
    return 1;

  if (!options.remarksFilter.empty()) {
    remark::RemarkCategories categories;
    // Not `all`, which only adds to the kinds that have a filter.
    categories.passed = categories.missed = categories.analysis =
        categories.failed = options.remarksFilter;
    if (failed(remark::enableOptimizationRemarks(
            context, /*streamer=*/nullptr,
            std::make_unique<remark::RemarkEmittingPolicyAll>(), categories,
            /*printAsEmitRemarks=*/true)))
      return 1;
  }

  DefaultTimingManager timing;
  applyDefaultTimingManagerCLOptions(timing);
  TimingScope timingScope = timing.getRootScope();
  if (!options.plan.empty()) {
    distribution::Plan plan;
    PipelineConfig config = getPipelineConfig(compileOptions);
    config.plan = &plan;
    PassManager pm(&context);
    if (failed(applyPassManagerCLOptions(pm)))
      return 1;
    pm.enableTiming(timingScope);
    buildPipeline(pm, compileOptions, Phase::Step, config);
    if (failed(pm.run(*module)))
      return 1;
    if (llvm::Error error = writePlan(options, plan))
      return reportError(kTool, std::move(error));
    return 0;
  }
  auto ranks = getRanks(*module, options, compileOptions);
  if (!ranks)
    return reportError(kTool, ranks.takeError());
  for (std::optional<int64_t> rank : *ranks) {
    OwningOpRef<ModuleOp> copy = module->clone();
    if (int code = compileForRank(*copy, timingScope, options, last,
                                  compileOptions, target, rank))
      return code;
  }
  return 0;
}

/// Compiles a module, which it uses up, for one rank or, without one, as it is.
static int compileForRank(ModuleOp module, TimingScope &timing,
                          const Options &options, Phase last,
                          CompileOptions compileOptions,
                          const CpuTarget &target,
                          std::optional<int64_t> rank) {
  compileOptions.rank = rank;
  PipelineConfig config = getPipelineConfig(compileOptions);
  StepReport report = createReport(compileOptions);
  if (options.report.getNumOccurrences())
    config.report = &report;
  std::string output = nameForRank(options.output, rank);
  std::string reportName = nameForRank(options.report, rank);
  if (!reportName.empty() && isSameFile(reportName, output))
    return reportError(
        kTool, llvm::createStringError("--report and -o name the same file, '" +
                                       output + "'"));
  PassManager pm(module.getContext());
  if (failed(applyPassManagerCLOptions(pm)))
    return 1;
  pm.enableTiming(timing);
  buildPipeline(pm, compileOptions, last, config);
  if (failed(pm.run(module)))
    return 1;

  if (!options.compileTo.empty()) {
    if (llvm::Error error = writeReport(options, report, rank))
      return reportError(kTool, std::move(error));
    if (llvm::Error error =
            writeFile(output, [&](llvm::raw_ostream &os) { module.print(os); }))
      return reportError(kTool, std::move(error));
    return 0;
  }
  TimingScope codegen = timing.nest("Code generation");
  bool reported = false;
  llvm::Error error =
      replaceFile(output, [&](StringRef temporary) -> llvm::Error {
        if (failed(writeArtifact(module, target, temporary))) {
          reported = true;
          return llvm::createStringError("no artifact");
        }
        // The artifact comes last: where it is new, its report is.
        return writeReport(options, report, rank);
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
  CompileOptions compileOptions;
  compileOptions.target = options.target;
  compileOptions.cpu = options.cpu;
  auto set = [](auto &member, const auto &option) {
    if (option.getNumOccurrences())
      member = option.getValue();
  };
  set(compileOptions.ptxas, options.ptxas);
  set(compileOptions.chip, options.chip);
  set(compileOptions.grid, options.grid);
  set(compileOptions.rank, options.rank);
  set(compileOptions.topology, options.topology);
  if (llvm::Error error = checkOptions(compileOptions, kPrefix))
    return reportError(kTool, std::move(error));
  bool isGpu = compileOptions.isGpu();
  Phase last = Phase::LLVM;
  if (!options.compileTo.empty()) {
    llvm::ArrayRef<PhaseInfo> phases = isGpu ? getGpuPhases() : getCpuPhases();
    std::optional<Phase> phase = symbolizePhase(phases, options.compileTo);
    if (!phase)
      return fail("unknown level '" + options.compileTo + "', expected " +
                  listPhases(phases));
    last = *phase;
  } else if (options.output == "-" && options.plan.empty()) {
    return fail("an artifact needs an output file (-o step.so); IR of a level "
                "is printed with --compile-to");
  }

  if (options.plan.getNumOccurrences())
    for (const cl::Option *other : std::initializer_list<const cl::Option *>{
             &options.output, &options.rank, &options.report,
             &options.compileTo})
      if (other->getNumOccurrences())
        return fail("--plan plans for all ranks and compiles nothing; found it "
                    "with -" +
                    Twine(other->ArgStr.size() > 1 ? "-" : "") + other->ArgStr);
  if (options.plan.getNumOccurrences() && options.plan.empty())
    return fail("--plan expected a value");
  if (llvm::Error error = checkReport(options, last, isGpu))
    return reportError(kTool, std::move(error));
  llvm::Expected<int64_t> limit = parseBytes(options.scratchLimit);
  if (!limit)
    return reportError(kTool, limit.takeError());
  compileOptions.scratchLimit = *limit;
  // IR is the same on every machine, unless asked otherwise.
  if (isGpu && !options.compileTo.empty() && !compileOptions.ptxas)
    compileOptions.ptxas = "none";
  std::string reason;
  if (options.remarksFilter.getNumOccurrences() &&
      !llvm::Regex(options.remarksFilter).isValid(reason))
    return fail("--remarks-filter expected a regular expression, found '" +
                options.remarksFilter + "': " + reason);

  llvm::Expected<CpuTarget> target = createCpuTarget(options.cpu);
  if (!target)
    return reportError(kTool, target.takeError());

  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      readInput(options.input);
  if (!buffer)
    return reportError(kTool, buffer.takeError());
  llvm::SourceMgr sourceMgr;
  sourceMgr.AddNewSourceBuffer(std::move(*buffer), llvm::SMLoc());
  return runWithLargeStack([&] {
    return compile(sourceMgr, options, last, compileOptions, *target);
  });
}
