//===- Compile.cpp - From a step to an artifact -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Compile/Compile.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "muon-mlir/Dialect/Muon/IR/Grid.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Schedules.h"
#include "muon-mlir/Distribution/Plan.h"
#include "muon-mlir/Target/Artifact.h"
#include "muon-mlir/Target/CpuTarget.h"
#include "muon-mlir/Target/Passes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::muon;

llvm::Error mlir::muon::checkOptions(const CompileOptions &options,
                                     llvm::StringRef prefix) {
  bool isGpu = options.isGpu();
  std::optional<unsigned> arch = muon_gpu::parseArch(options.target);
  if (isGpu && (!arch || *arch < 80 || !isGpuArch(options.target)))
    return llvm::createStringError(
        "unknown target '" + options.target +
        "', expected cpu, or sm_80 or a later architecture of GPUs");
  if (options.chip && (!isGpu || !findChip(*options.chip))) {
    auto names = llvm::map_range(
        getChips(), [](const Chip &known) { return StringRef(known.name); });
    return llvm::createStringError(prefix + "chip expected " +
                                   llvm::join(names, ", ") +
                                   (isGpu ? "" : " with a GPU as target") +
                                   ", found '" + *options.chip + "'");
  }
  if (!isGpu && options.ptxas)
    return llvm::createStringError(
        prefix + "ptxas expected a GPU as target, found " + options.target);
  if (options.grid && options.grid->empty())
    return llvm::createStringError(prefix + "grid expected a value");
  if (options.topology && options.topology->empty())
    return llvm::createStringError(prefix + "topology expected a value");
  if (options.scratchLimit < 0)
    return llvm::createStringError(
        prefix +
        "scratch-limit expected a number of bytes, or 0 for no "
        "limit, found " +
        Twine(options.scratchLimit));
  return llvm::Error::success();
}

llvm::Expected<int64_t> mlir::muon::countRanks(ModuleOp module,
                                               const CompileOptions &options,
                                               llvm::StringRef prefix) {
  int64_t count = 1;
  if (options.grid) {
    auto axes = distribution::parseGrid(*options.grid);
    if (!axes)
      return axes.takeError();
    for (const distribution::Axis &axis : *axes)
      count *= axis.size;
  } else {
    FailureOr<shard::GridOp> grid = getGrid(module);
    if (failed(grid))
      return llvm::createStringError("no grid to compile for");
    if (!*grid) {
      if (options.rank || options.topology)
        return llvm::createStringError(
            prefix + "rank and " + prefix +
            "topology expected a grid, of the module or by " + prefix + "grid");
      return 0;
    }
    for (int64_t size : (*grid).getShape())
      count *= size;
  }
  if (options.rank && (*options.rank < 0 || *options.rank >= count))
    return llvm::createStringError(prefix + "rank expected 0 to " +
                                   Twine(count - 1) + ", found " +
                                   Twine(*options.rank));
  return count;
}

PipelineConfig mlir::muon::getPipelineConfig(const CompileOptions &options) {
  PipelineConfig config;
  config.scratchLimit = options.scratchLimit;
  config.grid = options.grid.value_or("");
  config.rank = options.rank;
  config.topology = options.topology.value_or("");
  if (options.isGpu()) {
    config.arch = options.target;
    config.ptxas = options.ptxas.value_or("auto");
  }
  return config;
}

StepReport mlir::muon::createReport(const CompileOptions &options) {
  StepReport report;
  if (options.isGpu())
    report.device = {options.target,
                     options.chip ? findChip(*options.chip)
                                  : getChipOf(options.target),
                     options.scratchLimit,
                     {}};
  return report;
}

void mlir::muon::buildPipeline(OpPassManager &pm, const CompileOptions &options,
                               Phase last, const PipelineConfig &config) {
  (options.isGpu() ? buildGpuPipeline : buildCpuPipeline)(pm, Phase::Step, last,
                                                          config);
}

/// LLVM ends the process where these are wrong, and no pass of ours makes them.
static LogicalResult checkForeignCode(ModuleOp module) {
  WalkResult result = module.walk([](Operation *op) {
    if (!isa<LLVM::InlineAsmOp, LLVM::CallIntrinsicOp>(op))
      return WalkResult::advance();
    op->emitOpError("is not allowed in the host's code of a step");
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

LogicalResult mlir::muon::compileStep(ModuleOp module,
                                      const CompileOptions &options,
                                      const CpuTarget &target,
                                      llvm::StringRef path,
                                      StepReport *report) {
  PipelineConfig config = getPipelineConfig(options);
  config.report = report;
  PassManager pm(module.getContext());
  buildPipeline(pm, options, Phase::LLVM, config);
  if (failed(pm.run(module)) || failed(checkForeignCode(module)))
    return failure();
  return writeArtifact(module, target, path);
}
