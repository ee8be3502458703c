//===- InitAll.cpp - Everything the tools register -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Tools/InitAll.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"
#include "muon-mlir/Dialect/Muon/Transforms/BufferizableOpInterfaceImpl.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h"
#include "muon-mlir/Pipelines/Pipelines.h"
#include "muon-mlir/Report/Passes.h"
#include "muon-mlir/Target/Artifact.h"
#include "muon-mlir/Target/Passes.h"

using namespace mlir;

void mlir::muon::registerMuonDialects(DialectRegistry &registry) {
  registry.insert<MuonDialect, muon_gpu::MuonGPUDialect>();
  registerBufferizableOpInterfaceExternalModels(registry);
}

void mlir::muon::registerMuonPasses() {
  registerMuonTransformsPasses();
  registerMuonConversionPasses();
  muon_gpu::registerMuonGPUTransformsPasses();
  registerMuonReportPasses();
  registerMuonTargetPasses();
  registerPipelines();
}

void mlir::muon::registerAllDialects(DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registerMuonDialects(registry);
}

void mlir::muon::registerCompilerDialects(DialectRegistry &registry) {
  muon::registerAllDialects(registry);
  registerArtifactTranslations(registry);
}

void mlir::muon::registerAllPasses() {
  mlir::registerAllPasses();
  registerMuonPasses();
}
