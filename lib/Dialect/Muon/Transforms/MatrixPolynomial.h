//===- MatrixPolynomial.h - What a matrix is in terms of another -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_MATRIXPOLYNOMIAL_H
#define MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_MATRIXPOLYNOMIAL_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace mlir::muon {

/// A polynomial in a matrix X and its transpose, of one of the forms that sums
/// and products of these stay in, whatever their order and parentheses:
///
///   Left   Σ cₖ (X·Xᵀ)ᵏ        Base        Σ cₖ (X·Xᵀ)ᵏ·X = Σ cₖ X·(Xᵀ·X)ᵏ
///   Right  Σ cₖ (Xᵀ·X)ᵏ        Transposed  the transpose of Base
class MatrixPolynomial {
public:
  enum class Form { Left, Right, Base, Transposed };

  /// X itself.
  static MatrixPolynomial getBase() {
    return MatrixPolynomial(Form::Base, {1.0});
  }

  Form getForm() const { return form; }
  /// Of the highest power that is not 0, −1 for no matrix but 0.
  int64_t getDegree() const;
  /// cₖ, also beyond the degree.
  double getCoefficient(int64_t k) const {
    return k < static_cast<int64_t>(coefficients.size()) ? coefficients[k]
                                                         : 0.0;
  }

  MatrixPolynomial scaled(double factor) const;
  MatrixPolynomial transposed() const;
  /// None where shapes do not fit in general.
  std::optional<MatrixPolynomial> plus(const MatrixPolynomial &other) const;
  std::optional<MatrixPolynomial> times(const MatrixPolynomial &other) const;

private:
  MatrixPolynomial(Form form, llvm::ArrayRef<double> coefficients)
      : form(form), coefficients(coefficients) {}

  Form form;
  llvm::SmallVector<double, 4> coefficients;
};

} // namespace mlir::muon

#endif // MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_MATRIXPOLYNOMIAL_H
