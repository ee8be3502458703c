//===- MuonOps.h - Operations of the muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUON_IR_MUONOPS_H
#define MUON_MLIR_DIALECT_MUON_IR_MUONOPS_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "muon-mlir/Dialect/Muon/IR/MuonAttributes.h"
#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"
#include "muon-mlir/Dialect/Muon/IR/MuonInterfaces.h"
#include "muon-mlir/Dialect/Muon/IR/MuonTypes.h"

#define GET_OP_CLASSES
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h.inc"

#endif // MUON_MLIR_DIALECT_MUON_IR_MUONOPS_H
