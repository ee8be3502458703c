//===- MuonDialect.h - The muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUON_IR_MUONDIALECT_H
#define MUON_MLIR_DIALECT_MUON_IR_MUONDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Dialect.h"

#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h.inc"

#endif // MUON_MLIR_DIALECT_MUON_IR_MUONDIALECT_H
