//===- MuonTypes.h - Types of the muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUON_IR_MUONTYPES_H
#define MUON_MLIR_DIALECT_MUON_IR_MUONTYPES_H

#include "mlir/Dialect/Bufferization/IR/BufferizationTypeInterfaces.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Types.h"

#define GET_TYPEDEF_CLASSES
#include "muon-mlir/Dialect/Muon/IR/MuonTypes.h.inc"

namespace mlir::muon {

/// How a value that holds parameters is made up, whatever its type: a tensor,
/// memref, stack or table.
struct ParameterShape {
  /// Members of the stack or table; 1 for tensors and memrefs.
  int64_t members = 1;
  /// Whether the type is a stack or table.
  bool stacked = false;
  /// Shape of one member.
  SmallVector<int64_t> shape;
  Type elementType;

  /// Rows and columns of one matrix; a tensor of rank less than two is one
  /// row.
  int64_t rows() const { return shape.size() < 2 ? 1 : shape.end()[-2]; }
  int64_t cols() const { return shape.empty() ? 1 : shape.back(); }
  /// Matrices in one member, and in all.
  int64_t matricesPerMember() const;
  int64_t matrices() const { return members * matricesPerMember(); }
  /// Elements of one member.
  int64_t elements() const { return matricesPerMember() * rows() * cols(); }
};

/// The shape of a tensor, contiguous memref, stack or table type with static
/// shape; nullopt for any other type.
std::optional<ParameterShape> getParameterShape(Type type);

/// Predicates of the operand constraints in MuonBase.td, for tensor and buffer
/// forms alike.
bool isParameter(Type type);
bool isMatrices(Type type);
bool isBatch(Type type);
bool isExchanged(Type type);
bool isF32Scalar(Type type);
bool isFlag(Type type);
bool isCounter(Type type);
bool isF64List(Type type);
bool isF32List(Type type);

/// Whether values of this type live in memory: memrefs and tables.
bool isBuffer(Type type);

} // namespace mlir::muon

#endif // MUON_MLIR_DIALECT_MUON_IR_MUONTYPES_H
