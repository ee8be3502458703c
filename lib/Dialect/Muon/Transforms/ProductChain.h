//===- ProductChain.h - Chains of symmetric products -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_PRODUCTCHAIN_H
#define MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_PRODUCTCHAIN_H

#include "mlir/IR/PatternMatch.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"

namespace mlir::muon {

/// A batch of symmetric m×m matrices of which `value` holds `scale` times the
/// true one, so that it is in range of its type.
struct ScaledMatrix {
  Value value;
  double scale;
};

/// The largest |f(r)| for eigenvalues r of a Gram matrix of the iteration.
double boundOverSpectrum(llvm::function_ref<double(double)> f);

/// Builds the products of one iteration on X, a batch of matrices, at one
/// place. All scales are powers of two: they change nothing but the range.
class ProductChain {
public:
  /// `x` gives shape and type of X; with `tf32` products round to it.
  ProductChain(OpBuilder &builder, Location loc, RankedTensorType x, Side side,
               bool tf32);

  /// alpha·f²·XXᵀ on the chain's side.
  ScaledMatrix gram(Value x, ValueRange factor, double alpha);

  /// b·R + c·R².
  ScaledMatrix polynomial(ScaledMatrix r, double b, double c);

  /// (A + lhsShift·I)(B + rhsShift·I), whose norm is at most `bound`.
  ScaledMatrix commuting(ScaledMatrix lhs, double lhsShift, ScaledMatrix rhs,
                         double rhsShift, double bound);

  /// f·(shift·X + S·X) on the chain's side, in `out`.
  Value apply(ScaledMatrix s, double shift, Value x, ValueRange factor,
              Value out);

private:
  /// The scale for a matrix whose norm is at most `bound`.
  double getScale(double bound) const;
  Value square();
  FloatAttr number(double value) { return builder.getF64FloatAttr(value); }
  UnitAttr getTF32() { return tf32 ? builder.getUnitAttr() : UnitAttr(); }

  OpBuilder &builder;
  Location loc;
  RankedTensorType type;
  SideAttr side;
  bool tf32;
};

} // namespace mlir::muon

#endif // MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_PRODUCTCHAIN_H
