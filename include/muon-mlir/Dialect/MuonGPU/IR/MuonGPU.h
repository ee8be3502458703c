//===- MuonGPU.h - The muon_gpu dialect -------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUONGPU_IR_MUONGPU_H
#define MUON_MLIR_DIALECT_MUONGPU_IR_MUONGPU_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"

#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPUDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPUAttributes.h.inc"

#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPUInterfaces.h.inc"

namespace mlir::muon_gpu {

/// Types of operands: static, not empty, in the default memory space.

/// Matrices of f32, bf16 or f16 with contiguous rows: tables, and memrefs of
/// any rank whose matrices lie at equal distances.
bool isElementsBuffer(Type type);
/// Those that are memrefs of rank 3.
bool isBatchBuffer(Type type);
/// Memrefs of f32 or f64 of rank 0 or 1.
bool isNumbersBuffer(Type type);
/// Memrefs of f64, and of f32, of rank 1.
bool isSumsBuffer(Type type);
bool isF32Numbers(Type type);
/// Memrefs of one i1, f32 and i64, of rank 0.
bool isFlagBuffer(Type type);
bool isF32Buffer(Type type);
bool isCounterBuffer(Type type);

/// The matrices that a table or memref of elements holds.
struct MatrixList {
  int64_t matrices = 0;
  int64_t rows = 0;
  int64_t cols = 0;
  /// Matrices in one buffer.
  int64_t matricesPerMember = 0;
  /// Elements from one row to the next, and from one matrix to the next.
  int64_t rowStride = 0;
  int64_t matrixStride = 0;
  /// Elements before the first, of what is a part of a buffer.
  int64_t offset = 0;
  Type elementType;
};

/// None if the type is no `isElementsBuffer`.
std::optional<MatrixList> getMatrices(Type type);

/// Whether `op` is work for one thread block.
bool isBlockWork(Operation *op);
/// Whether `op` copies triangles of symmetric matrices: work of many blocks.
bool isTriangleWork(Operation *op);

} // namespace mlir::muon_gpu

#define GET_OP_CLASSES
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPUOps.h.inc"

#endif // MUON_MLIR_DIALECT_MUONGPU_IR_MUONGPU_H
