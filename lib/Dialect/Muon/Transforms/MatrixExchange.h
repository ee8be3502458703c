//===- MatrixExchange.h - Whole matrices from blocks on ranks ---*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The collectives by which ranks that have blocks of matrices bring these
// together, and distribute the results (#muon.exchange). A segment is a block
// of a matrix; they are counted matrix by matrix, and in order of the places.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_MATRIXEXCHANGE_H
#define MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_MATRIXEXCHANGE_H

#include "mlir/IR/Builders.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"

namespace mlir::muon {

class MatrixExchange {
public:
  /// For `count` matrices of elements of `type`; `grid` has the sizes of the
  /// axes.
  MatrixExchange(OpBuilder &builder, Location loc, ExchangeAttr exchange,
                 ArrayRef<int64_t> grid, int64_t count, Type type);

  /// The matrices that this rank orthogonalizes: a run.
  int64_t getFirst() const { return first; }
  int64_t getCount() const { return mine; }

  /// Whole matrices, of those that this rank orthogonalizes, from blocks of
  /// all: B×R×C, or null if there are none. `x` holds this rank's blocks, and
  /// is null if these are empty.
  Value collect(Value x);

  /// The inverse: this rank's blocks of the results, in tensors of `type`; null
  /// if these are empty. `o` is null where `collect` was. With strategy gather
  /// nothing has to move, and `o` may be of another type.
  Value distribute(Value o);

private:
  struct Block {
    int64_t rowOffset, colOffset, rows, cols;
    int64_t getElements() const { return rows * cols; }
  };
  Block getBlock(ArrayRef<int64_t> grid, int64_t place) const;
  Value createEmpty(int64_t count, int64_t rows, int64_t cols, Type type);
  /// Whether blocks of all places one after the other are the matrix.
  bool areRows() const;

  OpBuilder &builder;
  Location loc;
  ExchangeAttr exchange;
  int64_t count;
  Type type;
  /// By place; those that are not empty.
  SmallVector<Block> blocks;
  SmallVector<int64_t> places;
  int64_t first = 0, mine = 0;
  std::optional<Block> local;
};

} // namespace mlir::muon

#endif // MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_MATRIXEXCHANGE_H
