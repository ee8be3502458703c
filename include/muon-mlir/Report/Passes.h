//===- Passes.h - Passes that report -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_REPORT_PASSES_H
#define MUON_MLIR_REPORT_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::muon {

struct StepReport;

#define GEN_PASS_DECL
#include "muon-mlir/Report/Passes.h.inc"

/// A pass that adds what it finds to `report`, which outlives it, and prints
/// nothing.
std::unique_ptr<Pass> createReportPass(StepReport &report);

#define GEN_PASS_REGISTRATION
#include "muon-mlir/Report/Passes.h.inc"

} // namespace mlir::muon

#endif // MUON_MLIR_REPORT_PASSES_H
