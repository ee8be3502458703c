//===- Pipelines.cpp - Phases of compilation -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Pipelines/Pipelines.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Transforms/Passes.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h"
#include "muon-mlir/Report/Passes.h"
#include "muon-mlir/Target/Passes.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::muon;

static constexpr PhaseInfo kCpuPhases[] = {
    {Phase::Step, "step", "optimizers assigned, equal shapes stacked"},
    {Phase::Math, "math", "momentum, products and apply, on values"},
    {Phase::Buffers, "buffers", "in place on buffers, scratch in one arena"},
    {Phase::Loops, "loops", "linalg on flat buffers, runtime calls"},
    {Phase::LLVM, "llvm", "LLVM dialect with the artifact's entry"},
};

static constexpr PhaseInfo kGpuPhases[] = {
    kCpuPhases[0],
    kCpuPhases[1],
    {Phase::Launches, "launches",
     "launches with schedules, scratch in one "
     "arena"},
    {Phase::Kernels, "kernels", "kernels, and a host that launches them"},
    {Phase::LLVM, "llvm", "LLVM dialect with the artifact's entry, and PTX"},
};

llvm::ArrayRef<PhaseInfo> mlir::muon::getCpuPhases() { return kCpuPhases; }
llvm::ArrayRef<PhaseInfo> mlir::muon::getGpuPhases() { return kGpuPhases; }

std::optional<Phase> mlir::muon::symbolizePhase(ArrayRef<PhaseInfo> phases,
                                                llvm::StringRef name) {
  for (const PhaseInfo &info : phases)
    if (info.name == name)
      return info.phase;
  return std::nullopt;
}

std::string mlir::muon::listPhases(ArrayRef<PhaseInfo> phases) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const PhaseInfo &info : phases)
    os << (&info == &phases.front()  ? ""
           : &info == &phases.back() ? " or "
                                     : ", ")
       << info.name;
  return text;
}

static void verifyPhase(OpPassManager &pm, StringRef name) {
  VerifyPhasePassOptions options;
  options.phase = name.str();
  pm.addPass(createVerifyPhasePass(options));
}

/// Precision of products where nobody says otherwise.
static std::string getCompute(bool isGpu) { return isGpu ? "f16" : "f32"; }

static void buildStepPhase(OpPassManager &pm, bool isGpu,
                           const PipelineConfig &config) {
  pm.addPass(createAbsorbShardingsPass());
  if (!config.grid.empty()) {
    // Placements are of parameters, whose state follows them.
    PlaceArgumentsPassOptions place;
    place.grid = config.grid;
    pm.addPass(createPlaceArgumentsPass(place));
  }
  pm.addPass(createAssignOptimizersPass());
  pm.addPass(createStackUpdatesPass());
  if (config.plan) {
    pm.addPass(
        createPlanStepPass(*config.plan, config.topology, getCompute(isGpu)));
    return;
  }
  if (config.rank) {
    // Stacks are what is divided among ranks.
    DistributePassOptions distribute;
    distribute.rank = *config.rank;
    distribute.topology = config.topology;
    distribute.compute = getCompute(isGpu);
    pm.addPass(createDistributePass(distribute));
  }
  verifyPhase(pm, "step");
}

static void buildMathPhase(OpPassManager &pm, bool isGpu,
                           const PipelineConfig &config) {
  // Before X gets its type, which is that of the products.
  SelectIterationPassOptions select;
  select.compute = getCompute(isGpu);
  pm.addPass(createSelectIterationPass(select));
  // While updates are one operation each, and all choices are made.
  if (config.report)
    pm.addPass(createReportPass(*config.report));
  pm.addPass(createDecomposeUpdatesPass());
  // While an iteration is one operation.
  pm.addPass(createPipelineExchangesPass());
  pm.addPass(createUnrollOrthogonalizePass());
  pm.addPass(createExpandPolynomialsPass());
  pm.addPass(createCanonicalizerPass());
  verifyPhase(pm, "math");
}

static void buildBufferization(OpPassManager &pm,
                               const PipelineConfig &config) {
  // Before bufferization, which would insert a copy where this is an error.
  pm.addPass(createCheckInPlacePass());
  bufferization::OneShotBufferizePassOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(options));
  // Before offsets are given to buffers that would not fit.
  SplitStacksPassOptions split;
  split.scratchLimit = config.scratchLimit;
  pm.addPass(createSplitStacksPass(split));
}

static void buildBuffersPhase(OpPassManager &pm, const PipelineConfig &config) {
  buildBufferization(pm, config);
  // Before buffers get their places, which depend on what is in flight.
  pm.addPass(createOverlapCollectivesPass());
  pm.addPass(createPlanArenaPass());
  // While every stream is one operation, and has its place in memory.
  if (config.report)
    pm.addPass(createReportPass(*config.report));
  verifyPhase(pm, "buffers");
}

static void buildLoopsPhase(OpPassManager &pm) {
  // While every operation still says what it depends on.
  pm.addPass(createGuardStepPass());
  pm.addPass(createLowerCollectivesPass());
  pm.addPass(createConvertMuonToRuntimePass());
  pm.addPass(createConvertMuonToLinalgPass());
  verifyPhase(pm, "loops");
}

/// What is left for upstream once arguments are slots.
static void lowerHost(OpPassManager &pm) {
  pm.addPass(createConvertMuonToLLVMPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  verifyPhase(pm, "llvm");
}

static void buildLLVMPhase(OpPassManager &pm) {
  // While a stream is one operation and not yet two loops.
  pm.addPass(createOutlineLoopsPass());
  pm.addPass(createVectorizeStreamsPass());
  // Of others: what steps that were raised have beside their iterations.
  pm.addPass(createConvertLinalgToLoopsPass());
  // Vectors of bf16 are converted by integer arithmetic: the compiler's support
  // library for scalars has no counterpart in an artifact.
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(expand));
  pm.addPass(createLowerEntryPass());
  // Shares constants and loads between loops before each is unrolled into
  // descriptors.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createConvertMathToFuncs({/*minWidthOfFPowIExponent=*/1}));
  lowerHost(pm);
}

static void buildLaunchesPhase(OpPassManager &pm,
                               const PipelineConfig &config) {
  buildBufferization(pm, config);
  pm.addPass(createConvertMuonToMuonGPUPass());
  // Before epilogues, which want one reader of a result.
  pm.addPass(muon_gpu::createFuseSumsPass());
  // Before schedules, which depend on what an epilogue reads and writes.
  pm.addPass(muon_gpu::createFuseEpiloguesPass());
  // Equal regions are one kernel: bring them into one form.
  pm.addPass(createCSEPass());
  muon_gpu::SelectSchedulesPassOptions schedules;
  schedules.arch = config.arch;
  pm.addPass(muon_gpu::createSelectSchedulesPass(schedules));
  // Its streams need schedules too.
  pm.addPass(muon_gpu::createSplitProductsPass());
  pm.addPass(muon_gpu::createSelectSchedulesPass(schedules));
  pm.addPass(muon_gpu::createSplitSumsPass());
  muon_gpu::FormLaunchesPassOptions launches;
  launches.scratchLimit = config.scratchLimit;
  pm.addPass(muon_gpu::createFormLaunchesPass(launches));
  // Before buffers get their places, which depend on what is in flight.
  pm.addPass(createOverlapCollectivesPass());
  // Launches say what is in memory at the same time.
  pm.addPass(createPlanArenaPass());
  verifyPhase(pm, "launches");
}

static void buildKernelsPhase(OpPassManager &pm, const PipelineConfig &config) {
  pm.addPass(createConvertMuonGPUToNVVMPass());
  // While every collective is one operation.
  if (config.report)
    pm.addPass(createReportPass(*config.report));
  pm.addPass(createLowerCollectivesPass());
  verifyPhase(pm, "kernels");
}

static void buildDevicePhase(OpPassManager &pm, const PipelineConfig &config) {
  OpPassManager &kernels = pm.nest<::mlir::gpu::GPUModuleOp>();
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createSCFToControlFlowPass());
  kernels.addPass(createConvertGpuOpsToNVVMOps());
  kernels.addPass(createArithToLLVMConversionPass());
  kernels.addPass(createReconcileUnrealizedCastsPass());
  SerializeKernelsPassOptions serialize;
  serialize.arch = config.arch;
  serialize.ptxas = config.ptxas;
  pm.addPass(createSerializeKernelsPass(serialize));
  // Registers are known now, and the arena still says how large it is.
  if (config.report)
    pm.addPass(createReportPass(*config.report));
  pm.addPass(createLowerEntryPass());
  pm.addPass(createCanonicalizerPass());
  lowerHost(pm);
}

static void buildPhase(OpPassManager &pm, Phase phase, bool isGpu,
                       const PipelineConfig &config) {
  switch (phase) {
  case Phase::Step:
    return buildStepPhase(pm, isGpu, config);
  case Phase::Math:
    return buildMathPhase(pm, isGpu, config);
  case Phase::Buffers:
    return buildBuffersPhase(pm, config);
  case Phase::Loops:
    return buildLoopsPhase(pm);
  case Phase::Launches:
    return buildLaunchesPhase(pm, config);
  case Phase::Kernels:
    return buildKernelsPhase(pm, config);
  case Phase::LLVM:
    return isGpu ? buildDevicePhase(pm, config) : buildLLVMPhase(pm);
  }
}

static void buildPhases(OpPassManager &pm, bool isGpu, Phase from, Phase to,
                        const PipelineConfig &config) {
  for (const PhaseInfo &info : isGpu ? getGpuPhases() : getCpuPhases())
    if (info.phase >= from && info.phase <= to)
      buildPhase(pm, info.phase, isGpu, config);
}

void mlir::muon::buildCpuPipeline(OpPassManager &pm, Phase from, Phase to,
                                  const PipelineConfig &config) {
  buildPhases(pm, /*isGpu=*/false, from, to, config);
}

void mlir::muon::buildGpuPipeline(OpPassManager &pm, Phase from, Phase to,
                                  const PipelineConfig &config) {
  buildPhases(pm, /*isGpu=*/true, from, to, config);
}

namespace {
/// Options of the pipelines for all phases of a target.
struct TargetPipelineOptions
    : public PassPipelineOptions<TargetPipelineOptions> {
  Option<std::string> to{*this, "to", llvm::cl::desc("Last phase"),
                         llvm::cl::init("llvm")};
  Option<int64_t> scratchLimit{
      *this, "scratch-limit",
      llvm::cl::desc("Bytes of scratch memory of one stack; 0 for no limit"),
      llvm::cl::init(0)};
  Option<std::string> grid{*this, "grid",
                           llvm::cl::desc("Axes of the grid, as in dp=8,tp=2"),
                           llvm::cl::init("")};
  Option<int64_t> rank{*this, "rank",
                       llvm::cl::desc("Number of the rank; -1 for a step that "
                                      "is not distributed"),
                       llvm::cl::init(-1)};
  Option<std::string> topology{
      *this, "topology", llvm::cl::desc("Topology file"), llvm::cl::init("")};
  Option<std::string> arch{*this, "arch",
                           llvm::cl::desc("Architecture of a GPU"),
                           llvm::cl::init("sm_80")};
  Option<std::string> ptxas{
      *this, "ptxas",
      llvm::cl::desc("Path of ptxas, auto to look for it, or none"),
      llvm::cl::init("none")};
};
} // namespace

/// Registers the pipeline for all phases of a target.
static void registerTarget(StringRef name, StringRef description, bool isGpu) {
  registerPassPipeline(
      name, description,
      [isGpu](OpPassManager &pm, StringRef text,
              function_ref<LogicalResult(const Twine &)> emitError)
          -> LogicalResult {
        TargetPipelineOptions options;
        if (failed(options.parseFromString(text)))
          return failure();
        ArrayRef<PhaseInfo> phases = isGpu ? getGpuPhases() : getCpuPhases();
        std::optional<Phase> to = symbolizePhase(phases, options.to);
        if (!to)
          return emitError("unknown level '" + Twine(options.to.getValue()) +
                           "', expected " + listPhases(phases));
        PipelineConfig config;
        config.scratchLimit = options.scratchLimit;
        config.arch = options.arch;
        config.ptxas = options.ptxas;
        config.grid = options.grid;
        config.topology = options.topology;
        if (options.rank >= 0)
          config.rank = options.rank;
        buildPhases(pm, isGpu, Phase::Step, *to, config);
        return success();
      },
      [](function_ref<void(const ::mlir::detail::PassOptions &)> describe) {
        describe(TargetPipelineOptions());
      });
}

void mlir::muon::registerPipelines() {
  auto registerPhase = [](const PhaseInfo &info, bool isGpu) {
    PassPipelineRegistration<>(
        ("muon-phase-" + info.name).str(),
        ("Passes of one phase: " + info.description).str(),
        [phase = info.phase, isGpu](OpPassManager &pm) {
          buildPhase(pm, phase, isGpu, {});
        });
  };
  for (const PhaseInfo &info : kCpuPhases)
    registerPhase(info, /*isGpu=*/false);
  for (Phase phase : {Phase::Launches, Phase::Kernels})
    for (const PhaseInfo &info : kGpuPhases)
      if (info.phase == phase)
        registerPhase(info, /*isGpu=*/true);
  registerTarget("muon-cpu-pipeline", "All phases for the CPU, up to one",
                 /*isGpu=*/false);
  registerTarget("muon-gpu-pipeline", "All phases for a GPU, up to one",
                 /*isGpu=*/true);
}
