//===- Pipelines.h - Phases of compilation -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_PIPELINES_PIPELINES_H
#define MUON_MLIR_PIPELINES_PIPELINES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>

namespace mlir {
class OpPassManager;
namespace muon {

struct StepReport;

/// Levels of the IR, in order. Each is what compilation for the CPU can stop
/// at; docs/levels.md shows them all.
enum class Phase { Step, Math, Buffers, Loops, LLVM };

struct PhaseInfo {
  Phase phase;
  llvm::StringLiteral name;
  llvm::StringLiteral description;
};

/// All phases in order, with the names that tools use.
llvm::ArrayRef<PhaseInfo> getPhases();

std::optional<Phase> symbolizePhase(llvm::StringRef name);

/// What a user may say about the pipeline.
struct PipelineConfig {
  /// Bytes of scratch memory that one stack may use; 0 for no limit.
  int64_t scratchLimit = 0;
  /// What to tell about the step, or null; outlives the pipeline.
  StepReport *report = nullptr;
};

/// Adds the passes that lead from phase `from` to phase `to`, both of them
/// included: `from` == `to` adds the passes of one phase. Every phase
/// ends with a check that nothing it should have replaced is left.
void buildCpuPipeline(OpPassManager &pm, Phase from, Phase to,
                      const PipelineConfig &config = {});

/// Registers one pipeline for each phase, `muon-phase-<name>`, and
/// `muon-cpu-pipeline{to=<name>}` for all up to a phase.
void registerPipelines();

} // namespace muon
} // namespace mlir

#endif // MUON_MLIR_PIPELINES_PIPELINES_H
