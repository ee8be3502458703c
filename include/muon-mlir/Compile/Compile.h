//===- Compile.h - From a step to an artifact -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What muon-compile does after its command line, and the C interface too.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_COMPILE_COMPILE_H
#define MUON_MLIR_COMPILE_COMPILE_H

#include "mlir/Support/LLVM.h"
#include "muon-mlir/Pipelines/Pipelines.h"
#include "muon-mlir/Report/StepReport.h"
#include "llvm/Support/Error.h"

namespace mlir {
class ModuleOp;
namespace muon {

struct CpuTarget;

/// What a user may say about the compilation of a step. Optional members tell
/// what was not said from what is empty, which is an error.
struct CompileOptions {
  /// `cpu`, or an architecture of GPUs such as sm_80.
  std::string target = "cpu";
  /// `native` or a name that LLVM knows; for a GPU, the host's.
  std::string cpu = "native";
  /// For a GPU: path of ptxas, `auto` or `none`; `auto` if nobody says.
  std::optional<std::string> ptxas;
  /// For a GPU: the one whose floors the report tells; if nobody says, one of
  /// the target's architecture.
  std::optional<std::string> chip;
  /// Bytes of scratch memory that one stack may use; 0 for no limit.
  int64_t scratchLimit = 0;
  /// Axes of the grid, such as dp=8,tp=2; if nobody says, that of the module.
  std::optional<std::string> grid;
  std::optional<int64_t> rank;
  /// Path of a topology file.
  std::optional<std::string> topology;

  bool isGpu() const { return target != "cpu"; }
};

/// Checks what can be checked without a module. In messages, `prefix` stands in
/// front of the names of options. All other functions want options that passed.
llvm::Error checkOptions(const CompileOptions &options,
                         llvm::StringRef prefix = "");

/// The number of ranks that `module` is a step for, 0 if it is not
/// distributed. An error if `options` ask for a rank that is none of them.
llvm::Expected<int64_t> countRanks(ModuleOp module,
                                   const CompileOptions &options,
                                   llvm::StringRef prefix = "");

/// What `options` say to a pipeline; `config.rank` if they have one.
PipelineConfig getPipelineConfig(const CompileOptions &options);

/// A report with what is known before compilation.
StepReport createReport(const CompileOptions &options);

/// Adds the passes of the target up to phase `last`.
void buildPipeline(OpPassManager &pm, const CompileOptions &options, Phase last,
                   const PipelineConfig &config);

/// Compiles `module`, which it uses up, for the rank of `options` or, without
/// one, as it is, and writes the artifact to `path`, as writeArtifact does.
/// `report`, if it is not null, comes from createReport. Errors go to the
/// context's handler.
LogicalResult compileStep(ModuleOp module, const CompileOptions &options,
                          const CpuTarget &target, llvm::StringRef path,
                          StepReport *report = nullptr);

} // namespace muon
} // namespace mlir

#endif // MUON_MLIR_COMPILE_COMPILE_H
