//===- MatrixPolynomial.cpp - What a matrix is in terms of another --------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatrixPolynomial.h"

#include <algorithm>

using namespace mlir::muon;
using Form = MatrixPolynomial::Form;

int64_t MatrixPolynomial::getDegree() const {
  for (int64_t k = coefficients.size(); k-- > 0;)
    if (coefficients[k] != 0.0)
      return k;
  return -1;
}

MatrixPolynomial MatrixPolynomial::scaled(double factor) const {
  MatrixPolynomial result = *this;
  for (double &coefficient : result.coefficients)
    coefficient *= factor;
  return result;
}

MatrixPolynomial MatrixPolynomial::transposed() const {
  MatrixPolynomial result = *this;
  if (form == Form::Base)
    result.form = Form::Transposed;
  else if (form == Form::Transposed)
    result.form = Form::Base;
  return result;
}

std::optional<MatrixPolynomial>
MatrixPolynomial::plus(const MatrixPolynomial &other) const {
  if (form != other.form)
    return std::nullopt;
  MatrixPolynomial result = *this;
  result.coefficients.resize(
      std::max(coefficients.size(), other.coefficients.size()), 0.0);
  for (size_t k = 0; k < other.coefficients.size(); ++k)
    result.coefficients[k] += other.coefficients[k];
  return result;
}

/// The form of a product, and the power of X·Xᵀ that its two X make.
static std::optional<std::pair<Form, size_t>> getProduct(Form lhs, Form rhs) {
  auto is = [&](Form a, Form b) { return lhs == a && rhs == b; };
  if (is(Form::Left, Form::Left))
    return std::pair(Form::Left, 0);
  if (is(Form::Right, Form::Right))
    return std::pair(Form::Right, 0);
  if (is(Form::Left, Form::Base) || is(Form::Base, Form::Right))
    return std::pair(Form::Base, 0);
  if (is(Form::Right, Form::Transposed) || is(Form::Transposed, Form::Left))
    return std::pair(Form::Transposed, 0);
  if (is(Form::Base, Form::Transposed))
    return std::pair(Form::Left, 1);
  if (is(Form::Transposed, Form::Base))
    return std::pair(Form::Right, 1);
  return std::nullopt;
}

std::optional<MatrixPolynomial>
MatrixPolynomial::times(const MatrixPolynomial &other) const {
  std::optional<std::pair<Form, size_t>> product = getProduct(form, other.form);
  if (!product)
    return std::nullopt;
  MatrixPolynomial result(product->first, {});
  result.coefficients.resize(coefficients.size() + other.coefficients.size() -
                                 1 + product->second,
                             0.0);
  for (size_t i = 0; i < coefficients.size(); ++i)
    for (size_t j = 0; j < other.coefficients.size(); ++j)
      result.coefficients[i + j + product->second] +=
          coefficients[i] * other.coefficients[j];
  return result;
}
