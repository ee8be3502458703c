//===- MatrixPolynomialTest.cpp - A matrix in terms of another --*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatrixPolynomial.h"
#include <gtest/gtest.h>
#include <random>

using namespace mlir::muon;
using Form = MatrixPolynomial::Form;

namespace {

// Not square: a form that is not what it should be has another shape.
constexpr int64_t kRows = 3, kColumns = 4;

/// Plain matrices.
struct Matrix {
  int64_t rows, columns;
  std::vector<double> elements;

  Matrix(int64_t rows, int64_t columns)
      : rows(rows), columns(columns), elements(rows * columns, 0.0) {}

  double &at(int64_t i, int64_t j) { return elements[i * columns + j]; }
  double at(int64_t i, int64_t j) const { return elements[i * columns + j]; }
};

Matrix transpose(const Matrix &m) {
  Matrix result(m.columns, m.rows);
  for (int64_t i = 0; i < m.rows; ++i)
    for (int64_t j = 0; j < m.columns; ++j)
      result.at(j, i) = m.at(i, j);
  return result;
}

Matrix multiply(const Matrix &a, const Matrix &b) {
  Matrix result(a.rows, b.columns);
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < b.columns; ++j)
      for (int64_t k = 0; k < a.columns; ++k)
        result.at(i, j) += a.at(i, k) * b.at(k, j);
  return result;
}

/// a + factor·b.
Matrix add(Matrix a, const Matrix &b, double factor = 1.0) {
  for (size_t i = 0; i < a.elements.size(); ++i)
    a.elements[i] += factor * b.elements[i];
  return a;
}

Matrix makeRandom(unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  Matrix result(kRows, kColumns);
  for (double &element : result.elements)
    element = uniform(engine);
  return result;
}

/// By the definition of the forms, from X.
Matrix evaluate(const MatrixPolynomial &polynomial, const Matrix &x) {
  Matrix xt = transpose(x);
  bool isLeft =
      polynomial.getForm() == Form::Left || polynomial.getForm() == Form::Base;
  Matrix gram = isLeft ? multiply(x, xt) : multiply(xt, x);
  Matrix power(gram.rows, gram.rows), sum = power;
  for (int64_t i = 0; i < gram.rows; ++i)
    power.at(i, i) = 1.0;
  for (int64_t k = 0; k <= polynomial.getDegree(); ++k) {
    sum = add(sum, power, polynomial.getCoefficient(k));
    power = multiply(power, gram);
  }
  switch (polynomial.getForm()) {
  case Form::Left:
  case Form::Right:
    return sum;
  case Form::Base:
    return multiply(sum, x);
  case Form::Transposed:
    return multiply(sum, xt);
  }
  return sum;
}

void expectEqual(const Matrix &actual, const Matrix &expected) {
  ASSERT_EQ(actual.rows, expected.rows);
  ASSERT_EQ(actual.columns, expected.columns);
  double largest = 1.0;
  for (double element : expected.elements)
    largest = std::max(largest, std::abs(element));
  for (size_t i = 0; i < expected.elements.size(); ++i)
    EXPECT_NEAR(actual.elements[i], expected.elements[i], 1e-12 * largest);
}

/// A polynomial, and what it is by the same operations on matrices.
struct Pair {
  MatrixPolynomial polynomial;
  Matrix matrix;
};

Pair transpose(const Pair &p) {
  return {p.polynomial.transposed(), transpose(p.matrix)};
}

/// Some of each form, of different degrees, made of X alone.
std::vector<Pair> makePairs(const Matrix &x) {
  Pair base = {MatrixPolynomial::getBase(), x};
  Pair other = transpose(base);
  auto times = [](const Pair &a, const Pair &b) {
    return Pair{a.polynomial.times(b.polynomial).value(),
                multiply(a.matrix, b.matrix)};
  };
  auto plus = [](const Pair &a, const Pair &b, double factor) {
    return Pair{a.polynomial.plus(b.polynomial.scaled(factor)).value(),
                add(a.matrix, b.matrix, factor)};
  };
  Pair left = times(base, other), right = times(other, base);
  Pair leftSum = plus(left, times(left, left), -0.75);
  Pair rightSum = plus(times(right, right), right, 2.5);
  return {base,
          other,
          left,
          right,
          leftSum,
          rightSum,
          plus(base, times(leftSum, base), -1.5),
          plus(other, times(rightSum, other), 0.5)};
}

} // namespace

TEST(MatrixPolynomial, Base) {
  MatrixPolynomial x = MatrixPolynomial::getBase();
  EXPECT_EQ(x.getForm(), Form::Base);
  EXPECT_EQ(x.getDegree(), 0);
  EXPECT_EQ(x.getCoefficient(0), 1.0);
  EXPECT_EQ(x.getCoefficient(1), 0.0);
  EXPECT_EQ(x.getCoefficient(99), 0.0);
  expectEqual(evaluate(x, makeRandom(1)), makeRandom(1));
}

TEST(MatrixPolynomial, IsWhatItWasMadeOf) {
  Matrix x = makeRandom(2);
  for (const Pair &pair : makePairs(x))
    expectEqual(evaluate(pair.polynomial, x), pair.matrix);
}

TEST(MatrixPolynomial, Products) {
  Matrix x = makeRandom(3);
  std::vector<Pair> pairs = makePairs(x);
  int64_t products = 0;
  for (const Pair &a : pairs)
    for (const Pair &b : pairs) {
      std::optional<MatrixPolynomial> product =
          a.polynomial.times(b.polynomial);
      // Shapes that fit are what makes a product, and nothing else does.
      ASSERT_EQ(product.has_value(), a.matrix.columns == b.matrix.rows);
      if (!product)
        continue;
      ++products;
      expectEqual(evaluate(*product, x), multiply(a.matrix, b.matrix));
    }
  // Each has as many partners as there are matrices with its number of columns
  // for the number of rows: four of 3 rows, and four of 4.
  EXPECT_EQ(products, 8 * 4);
}

TEST(MatrixPolynomial, Sums) {
  Matrix x = makeRandom(4);
  std::vector<Pair> pairs = makePairs(x);
  for (const Pair &a : pairs)
    for (const Pair &b : pairs) {
      std::optional<MatrixPolynomial> sum = a.polynomial.plus(b.polynomial);
      ASSERT_EQ(sum.has_value(), a.matrix.rows == b.matrix.rows &&
                                     a.matrix.columns == b.matrix.columns);
      if (sum)
        expectEqual(evaluate(*sum, x), add(a.matrix, b.matrix));
    }
}

TEST(MatrixPolynomial, TransposesAndMultiples) {
  Matrix x = makeRandom(5);
  for (const Pair &pair : makePairs(x)) {
    expectEqual(evaluate(pair.polynomial.transposed(), x),
                transpose(pair.matrix));
    expectEqual(evaluate(pair.polynomial.transposed().transposed(), x),
                pair.matrix);
    expectEqual(
        evaluate(pair.polynomial.scaled(-3.5), x),
        add(Matrix(pair.matrix.rows, pair.matrix.columns), pair.matrix, -3.5));
  }
}

TEST(MatrixPolynomial, Degrees) {
  MatrixPolynomial x = MatrixPolynomial::getBase();
  MatrixPolynomial gram = x.times(x.transposed()).value();
  EXPECT_EQ(gram.getDegree(), 1);
  EXPECT_EQ(gram.getCoefficient(0), 0.0);
  EXPECT_EQ(gram.getCoefficient(1), 1.0);
  MatrixPolynomial square = gram.times(gram).value();
  EXPECT_EQ(square.getDegree(), 2);
  EXPECT_EQ(square.times(gram)->getDegree(), 3);
  EXPECT_EQ(square.times(x)->getDegree(), 2);
  // What cancels out does not count.
  MatrixPolynomial sum = gram.plus(square).value();
  EXPECT_EQ(sum.getDegree(), 2);
  EXPECT_EQ(sum.plus(square.scaled(-1.0))->getDegree(), 1);
  EXPECT_EQ(sum.plus(sum.scaled(-1.0))->getDegree(), -1);
  EXPECT_EQ(x.scaled(0.0).getDegree(), -1);
}

// Of a square matrix, too, X·X is no such polynomial.
TEST(MatrixPolynomial, PowersOfX) {
  MatrixPolynomial x = MatrixPolynomial::getBase();
  EXPECT_FALSE(x.times(x));
  EXPECT_FALSE(x.transposed().times(x.transposed()));
  EXPECT_FALSE(x.plus(x.transposed()));
}
