//===- MuonAttributes.h - Attributes of the muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUON_IR_MUONATTRIBUTES_H
#define MUON_MLIR_DIALECT_MUON_IR_MUONATTRIBUTES_H

#include "mlir/IR/BuiltinAttributes.h"
#include <array>

#include "muon-mlir/Dialect/Muon/IR/MuonEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "muon-mlir/Dialect/Muon/IR/MuonAttributes.h.inc"

namespace mlir::muon {

/// Whether arguments of this role hold tensors of the model or of the state
/// that belong to parameters, and so have `muon.names`.
bool isTensorRole(Role role);

/// Whether arguments of this role are run-time scalars.
bool isScalarRole(Role role);

/// The type in which operands of products are stored; f32 for tf32 and where
/// the choice is open.
Type getStorageType(MLIRContext *context, Compute compute);

/// Whether arguments of this role hold one number per matrix of parameters.
bool isSumsRole(Role role);

} // namespace mlir::muon

#endif // MUON_MLIR_DIALECT_MUON_IR_MUONATTRIBUTES_H
