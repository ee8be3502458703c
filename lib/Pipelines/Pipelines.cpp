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
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Transforms/Passes.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "muon-mlir/Report/Passes.h"

using namespace mlir;
using namespace mlir::muon;

static constexpr PhaseInfo kPhases[] = {
    {Phase::Step, "step", "optimizers assigned, equal shapes stacked"},
    {Phase::Math, "math", "momentum, products and apply, on values"},
    {Phase::Buffers, "buffers", "in place on buffers, scratch in one arena"},
    {Phase::Loops, "loops", "linalg on flat buffers, runtime calls"},
    {Phase::LLVM, "llvm", "LLVM dialect with the artifact's entry"},
};

llvm::ArrayRef<PhaseInfo> mlir::muon::getPhases() { return kPhases; }

std::optional<Phase> mlir::muon::symbolizePhase(llvm::StringRef name) {
  for (const PhaseInfo &info : kPhases)
    if (info.name == name)
      return info.phase;
  return std::nullopt;
}

static void verifyPhase(OpPassManager &pm, Phase phase) {
  VerifyPhasePassOptions options;
  options.phase = kPhases[static_cast<int>(phase)].name.str();
  pm.addPass(createVerifyPhasePass(options));
}

static void buildStepPhase(OpPassManager &pm) {
  pm.addPass(createAssignOptimizersPass());
  pm.addPass(createStackUpdatesPass());
  verifyPhase(pm, Phase::Step);
}

static void buildMathPhase(OpPassManager &pm, const PipelineConfig &config) {
  // Before X gets its type, which is that of the products.
  pm.addPass(createSelectIterationPass());
  // While updates are one operation each, and all choices are made.
  if (config.report)
    pm.addPass(createReportPass(*config.report));
  pm.addPass(createDecomposeUpdatesPass());
  pm.addPass(createUnrollOrthogonalizePass());
  pm.addPass(createExpandPolynomialsPass());
  pm.addPass(createCanonicalizerPass());
  verifyPhase(pm, Phase::Math);
}

static void buildBuffersPhase(OpPassManager &pm, const PipelineConfig &config) {
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
  pm.addPass(createPlanArenaPass());
  // While every stream is one operation, and has its place in memory.
  if (config.report)
    pm.addPass(createReportPass(*config.report));
  verifyPhase(pm, Phase::Buffers);
}

static void buildLoopsPhase(OpPassManager &pm) {
  // While every operation still says what it depends on.
  pm.addPass(createGuardStepPass());
  pm.addPass(createConvertMuonToRuntimePass());
  pm.addPass(createConvertMuonToLinalgPass());
  verifyPhase(pm, Phase::Loops);
}

static void buildLLVMPhase(OpPassManager &pm) {
  // While a stream is one operation and not yet two loops.
  pm.addPass(createOutlineLoopsPass());
  pm.addPass(createVectorizeStreamsPass());
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
  verifyPhase(pm, Phase::LLVM);
}

void mlir::muon::buildCpuPipeline(OpPassManager &pm, Phase from, Phase to,
                                  const PipelineConfig &config) {
  for (int phase = static_cast<int>(from); phase <= static_cast<int>(to);
       ++phase) {
    switch (static_cast<Phase>(phase)) {
    case Phase::Step:
      buildStepPhase(pm);
      break;
    case Phase::Math:
      buildMathPhase(pm, config);
      break;
    case Phase::Buffers:
      buildBuffersPhase(pm, config);
      break;
    case Phase::Loops:
      buildLoopsPhase(pm);
      break;
    case Phase::LLVM:
      buildLLVMPhase(pm);
      break;
    }
  }
}

namespace {
struct CpuPipelineOptions : public PassPipelineOptions<CpuPipelineOptions> {
  Option<Phase> to{*this, "to", llvm::cl::desc("Last phase"),
                   llvm::cl::init(Phase::LLVM),
                   llvm::cl::values(clEnumValN(Phase::Step, "step", ""),
                                    clEnumValN(Phase::Math, "math", ""),
                                    clEnumValN(Phase::Buffers, "buffers", ""),
                                    clEnumValN(Phase::Loops, "loops", ""),
                                    clEnumValN(Phase::LLVM, "llvm", ""))};
  Option<int64_t> scratchLimit{
      *this, "scratch-limit",
      llvm::cl::desc("Bytes of scratch memory of one stack; 0 for no limit"),
      llvm::cl::init(0)};
};
} // namespace

void mlir::muon::registerPipelines() {
  for (const PhaseInfo &info : kPhases)
    PassPipelineRegistration<>(
        ("muon-phase-" + info.name).str(),
        ("Passes of one phase: " + info.description).str(),
        [phase = info.phase](OpPassManager &pm) {
          buildCpuPipeline(pm, phase, phase);
        });
  PassPipelineRegistration<CpuPipelineOptions>(
      "muon-cpu-pipeline", "All phases for the CPU, up to one",
      [](OpPassManager &pm, const CpuPipelineOptions &options) {
        PipelineConfig config;
        config.scratchLimit = options.scratchLimit;
        buildCpuPipeline(pm, Phase::Step, options.to, config);
      });
}
