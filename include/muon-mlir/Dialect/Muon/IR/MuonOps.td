//===- MuonOps.td - All operations of the muon dialect -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_OPS
#define MUON_OPS

include "muon-mlir/Dialect/Muon/IR/MuonCollectiveOps.td"
include "muon-mlir/Dialect/Muon/IR/MuonMathOps.td"
include "muon-mlir/Dialect/Muon/IR/MuonRuntimeOps.td"
include "muon-mlir/Dialect/Muon/IR/MuonStepOps.td"

#endif // MUON_OPS
