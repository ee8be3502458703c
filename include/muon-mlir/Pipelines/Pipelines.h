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
#include <string>

namespace mlir {
class OpPassManager;
namespace muon {

struct StepReport;
namespace distribution {
struct Plan;
} // namespace distribution

/// Levels of the IR. Each is what compilation can stop at; docs/levels.md shows
/// them all. Buffers and Loops are those of the CPU, Launches and Kernels those
/// of GPUs.
enum class Phase { Step, Math, Buffers, Loops, Launches, Kernels, LLVM };

struct PhaseInfo {
  Phase phase;
  llvm::StringLiteral name;
  llvm::StringLiteral description;
};

/// The phases of a target in order, with the names that tools use.
llvm::ArrayRef<PhaseInfo> getCpuPhases();
llvm::ArrayRef<PhaseInfo> getGpuPhases();

/// The phase with that name among `phases`.
std::optional<Phase> symbolizePhase(llvm::ArrayRef<PhaseInfo> phases,
                                    llvm::StringRef name);

/// The names of `phases` for people: "step, math or llvm".
std::string listPhases(llvm::ArrayRef<PhaseInfo> phases);

/// What a user may say about the pipeline.
struct PipelineConfig {
  /// Bytes of scratch memory that one stack may use; 0 for no limit.
  int64_t scratchLimit = 0;
  /// Architecture of GPUs, such as sm_80; not for the CPU.
  std::string arch = "sm_80";
  /// For GPUs: path of the ptxas that makes a cubin, `auto` to look for one, or
  /// `none`.
  std::string ptxas = "none";
  /// Axes of the grid, such as dp=8,tp=2; empty for that of the module.
  std::string grid;
  /// The rank whose step it is, where there is a grid; none for a step that is
  /// not distributed.
  std::optional<int64_t> rank;
  /// Path of a topology file, or empty.
  std::string topology;
  /// Gets the plan of the step on the grid, instead of the step of a rank; or
  /// null; outlives the pipeline.
  distribution::Plan *plan = nullptr;
  /// What to tell about the step, or null; outlives the pipeline.
  StepReport *report = nullptr;
};

/// Adds the passes that lead from phase `from` to phase `to`, both of them
/// included: `from` == `to` adds the passes of one phase. Every phase
/// ends with a check that nothing it should have replaced is left.
void buildCpuPipeline(OpPassManager &pm, Phase from, Phase to,
                      const PipelineConfig &config = {});

/// The same for a GPU. The last phase leaves the kernels as PTX in a
/// gpu.binary.
void buildGpuPipeline(OpPassManager &pm, Phase from, Phase to,
                      const PipelineConfig &config = {});

/// Registers one pipeline for each phase, `muon-phase-<name>`, and
/// `muon-cpu-pipeline{to=<name>}` and `muon-gpu-pipeline{to=<name>}` for all up
/// to a phase.
void registerPipelines();

} // namespace muon
} // namespace mlir

#endif // MUON_MLIR_PIPELINES_PIPELINES_H
