//===- MuonInterfaces.h - Interfaces of the muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUON_IR_MUONINTERFACES_H
#define MUON_MLIR_DIALECT_MUON_IR_MUONINTERFACES_H

#include "mlir/IR/OpDefinition.h"
#include "muon-mlir/Dialect/Muon/IR/MuonAttributes.h"
#include "llvm/ADT/STLExtras.h"

#include "muon-mlir/Dialect/Muon/IR/MuonInterfaces.h.inc"

#endif // MUON_MLIR_DIALECT_MUON_IR_MUONINTERFACES_H
