//===- Passes.td - Passes that report -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_REPORT_PASSES
#define MUON_REPORT_PASSES

include "mlir/Pass/PassBase.td"

def ReportPass : Pass<"muon-report", "::mlir::ModuleOp"> {
  let summary = "report what a step does and what it takes";
  let description = [{
    Prints what docs/report.md describes, as far as the level of the IR tells:
    optimizers, types, iterations and FLOPs from the step level (after
    muon-select-iteration); bytes, scratch memory and passes from the buffers
    level (after muon-plan-arena); kernels and launches from the kernels level.
    `muon-compile --report` does all of it.
  }];
  let options = [Option<"json", "json", "bool", "false", "Print JSON">];
}

#endif // MUON_REPORT_PASSES
