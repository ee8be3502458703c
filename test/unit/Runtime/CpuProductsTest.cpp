//===- CpuProductsTest.cpp - Matrix products on the CPU -------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Results are compared with the formulas of HostApi.h in f64. The bound is
// twice the error of plain code that rounds at the same points, and 1e-6 of the
// largest result.
//
//===----------------------------------------------------------------------===//

#include "CpuProducts.h"
#include "CpuOneDnn.h"
#include "CpuThreads.h"
#include "muon-mlir/Runtime/HostApi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <malloc.h>
#include <random>
#include <thread>
#include <vector>

using namespace muon;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

enum class Ties { Even, Away };

double roundTo(double x, int fraction, int leastExponent, double largest,
               Ties ties) {
  if (!std::isfinite(x) || x == 0)
    return x;
  int exponent = std::max(std::ilogb(x), leastExponent);
  double unit = std::ldexp(1.0, exponent - fraction), count = x / unit;
  double result =
      unit * (ties == Ties::Even ? std::nearbyint(count) : std::round(count));
  return std::fabs(result) > largest ? std::copysign(kInfinity, x) : result;
}

/// What is stored as `type`, and what a multiplication makes of it.
double stored(int32_t type, double x) {
  if (type == MUON_BF16)
    return roundTo(x, 7, -126, 0x1.fep127, Ties::Even);
  if (type == MUON_F16)
    return roundTo(x, 10, -14, 65504, Ties::Even);
  return double(float(x));
}
double multiplied(int32_t type, double x) {
  return type == MUON_TF32 ? roundTo(x, 10, -126, 0x1.ffcp127, Ties::Away) : x;
}

uint16_t encode(int32_t type, double x) {
  int fraction = type == MUON_BF16 ? 7 : 10,
      bias = type == MUON_BF16 ? 127 : 15;
  auto sign = uint16_t(std::signbit(x) << 15);
  double magnitude = std::fabs(x);
  auto infinite = uint16_t(0x7fff >> fraction << fraction);
  if (std::isnan(x))
    return infinite | 1;
  if (std::isinf(x))
    return sign | infinite;
  int exponent =
      magnitude == 0 ? 1 - bias : std::max(std::ilogb(magnitude), 1 - bias);
  double units = std::ldexp(magnitude, fraction - exponent);
  // The implicit bit of a normal number adds one to the exponent.
  return uint16_t(sign | ((exponent + bias - 1) << fraction) + int(units));
}

double decode(int32_t type, uint16_t bits) {
  int fraction = type == MUON_BF16 ? 7 : 10,
      bias = type == MUON_BF16 ? 127 : 15;
  int exponent = (bits & 0x7fff) >> fraction;
  int mantissa = bits & ((1 << fraction) - 1);
  double sign = bits >> 15 ? -1 : 1;
  if (exponent == 0x7fff >> fraction)
    return mantissa ? kNaN : sign * kInfinity;
  return sign * (exponent ? std::ldexp((1 << fraction) + mantissa,
                                       exponent - bias - fraction)
                          : std::ldexp(mantissa, 1 - bias - fraction));
}

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

/// A batch of matrices in memory with NaN all around. Starts as NaN, too.
class Matrices {
public:
  Matrices(int32_t type, int64_t batch, int64_t rows, int64_t columns)
      : batch(batch), rows(rows), columns(columns), type(type),
        elementSize(type == MUON_BF16 || type == MUON_F16 ? 2 : 4),
        bytes(size_t(batch * rows * columns) * elementSize + 2 * kGuard, 0xff) {
  }

  void *data() { return bytes.data() + kGuard; }
  const void *data() const { return bytes.data() + kGuard; }
  int64_t count() const { return batch * rows * columns; }

  double get(int64_t b, int64_t i, int64_t j) const {
    const unsigned char *at = address(b, i, j);
    if (elementSize == 2) {
      uint16_t bits;
      std::memcpy(&bits, at, 2);
      return decode(type, bits);
    }
    float value;
    std::memcpy(&value, at, 4);
    return double(value);
  }
  void set(int64_t b, int64_t i, int64_t j, double value) {
    auto *at = const_cast<unsigned char *>(address(b, i, j));
    value = stored(type, value);
    auto narrow = float(value);
    uint16_t bits = elementSize == 2 ? encode(type, value) : uint16_t(0);
    std::memcpy(at, elementSize == 2 ? static_cast<void *>(&bits) : &narrow,
                size_t(elementSize));
  }
  /// Sets all by a function of (b, i, j).
  template <typename Function>
  Matrices &fill(Function function) {
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j)
          set(b, i, j, function(b, i, j));
    return *this;
  }

  bool hasIntactGuards() const {
    for (size_t i = 0; i < kGuard; ++i)
      if (bytes[i] != 0xff || bytes[bytes.size() - 1 - i] != 0xff)
        return false;
    return true;
  }
  bool isWritten() const {
    const unsigned char poison[] = {0xff, 0xff, 0xff, 0xff};
    for (size_t at = kGuard; at < bytes.size() - kGuard; at += elementSize)
      if (std::memcmp(&bytes[at], poison, elementSize) == 0)
        return false;
    return true;
  }
  bool isSymmetric() const {
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < i; ++j)
          if (std::memcmp(address(b, i, j), address(b, j, i),
                          size_t(elementSize)) != 0)
            return false;
    return true;
  }
  bool operator==(const Matrices &other) const { return bytes == other.bytes; }

  /// One matrix of the batch.
  Matrices matrix(int64_t b) const {
    Matrices result(type, 1, rows, columns);
    std::memcpy(result.data(), address(b, 0, 0),
                size_t(rows * columns) * elementSize);
    return result;
  }

  int64_t batch, rows, columns;
  int32_t type;

private:
  static constexpr size_t kGuard = 256;

  const unsigned char *address(int64_t b, int64_t i, int64_t j) const {
    return bytes.data() + kGuard +
           size_t((b * rows + i) * columns + j) * elementSize;
  }

  size_t elementSize;
  std::vector<unsigned char> bytes;
};

using Random = std::mt19937;

Matrices gaussian(int32_t type, int64_t batch, int64_t rows, int64_t columns,
                  Random &random) {
  std::normal_distribution<double> normal;
  return Matrices(type, batch, rows, columns)
      .fill([&](int64_t, int64_t, int64_t) { return normal(random); });
}

Matrices symmetricGaussian(int32_t type, int64_t batch, int64_t n,
                           Random &random) {
  Matrices result = gaussian(type, batch, n, n, random);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < i; ++j)
        result.set(b, i, j, result.get(b, j, i));
  return result;
}

/// Symmetric circulants commute, and rounding does not change that.
Matrices circulant(int32_t type, int64_t batch, int64_t n, Random &random) {
  Matrices line = gaussian(type, batch, 1, n, random);
  return Matrices(type, batch, n, n).fill([&](int64_t b, int64_t i, int64_t j) {
    int64_t distance = std::abs(i - j);
    return line.get(b, 0, std::min(distance, n - distance));
  });
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// The arguments of a product, and what it means.
struct Call {
  std::string text;
  /// Type and shape of the result.
  int32_t type;
  int64_t batch, rows, columns, depth;
  std::function<void(void *)> run;
  /// Elements of the factors of the multiplication in a matrix of the batch.
  std::function<double(int64_t b, int64_t i, int64_t k)> left;
  std::function<double(int64_t b, int64_t k, int64_t j)> right;
  int32_t multiplicationType;
  /// scale·(left·right) + Σ terms
  std::function<double(int64_t b)> scale;
  std::function<std::vector<std::pair<double, double>>(int64_t b, int64_t i,
                                                       int64_t j)>
      terms;

  Matrices compute() const {
    Matrices out(type, batch, rows, columns);
    run(out.data());
    return out;
  }
};

double exactElement(const Call &call, int64_t b, int64_t i, int64_t j) {
  double sum = 0;
  for (int64_t k = 0; k < call.depth; ++k)
    sum += call.left(b, i, k) * call.right(b, k, j);
  sum *= call.scale(b);
  for (auto &[constant, value] : call.terms(b, i, j))
    sum += constant * value;
  return sum;
}

/// The same by plain code that rounds where HostApi.h says so.
double plainElement(const Call &call, int64_t b, int64_t i, int64_t j) {
  float sum = 0;
  for (int64_t k = 0; k < call.depth; ++k)
    sum += float(multiplied(call.multiplicationType, call.left(b, i, k))) *
           float(multiplied(call.multiplicationType, call.right(b, k, j)));
  sum *= float(call.scale(b));
  for (auto &[constant, value] : call.terms(b, i, j))
    sum += float(constant) * float(value);
  return stored(call.type, sum);
}

/// Compares all elements, or some at random places if they are many.
void check(const Call &call) {
  constexpr int64_t most = 1 << 20, samples = 3000;
  SCOPED_TRACE(call.text);
  Matrices out = call.compute();
  EXPECT_TRUE(out.hasIntactGuards());
  EXPECT_TRUE(out.isWritten());
  double error = 0, plainError = 0, largest = 0;
  auto compare = [&](int64_t b, int64_t i, int64_t j) {
    double exact = exactElement(call, b, i, j);
    largest = std::max(largest, std::fabs(exact));
    plainError =
        std::max(plainError, std::fabs(plainElement(call, b, i, j) - exact));
    // A NaN would not show in a maximum.
    double difference = std::fabs(out.get(b, i, j) - exact);
    error = difference >= 0 ? std::max(error, difference) : kInfinity;
  };
  if (call.batch * call.rows * call.columns * call.depth > most) {
    Random random(1);
    for (int64_t sample = 0; sample < samples; ++sample)
      compare(int64_t(random() % uint64_t(call.batch)),
              int64_t(random() % uint64_t(call.rows)),
              int64_t(random() % uint64_t(call.columns)));
  } else {
    for (int64_t b = 0; b < call.batch; ++b)
      for (int64_t i = 0; i < call.rows; ++i)
        for (int64_t j = 0; j < call.columns; ++j)
          compare(b, i, j);
  }
  EXPECT_GT(largest, 0);
  EXPECT_LE(error, 2 * plainError + 1e-6 * largest);
}

const char *name(int32_t type) {
  const char *names[] = {"f32", "tf32", "bf16", "f16"};
  return names[type];
}

std::string describe(const char *function, int32_t type, int32_t flags,
                     int64_t batch, int64_t n, int64_t k) {
  return std::string(function) + " " + name(type) + " flags " +
         std::to_string(flags) + " batch " + std::to_string(batch) + " of " +
         std::to_string(n) + "x" + std::to_string(k);
}

int32_t resultType(int32_t type, int32_t flags) {
  return flags & MUON_F32_RESULT ? int32_t(MUON_F32) : type;
}

double factorOf(int32_t flags, const std::vector<float> &factor, int64_t b) {
  return flags & MUON_HAS_FACTOR ? double(factor[size_t(b)]) : 1.0;
}

struct SymmetricProduct {
  int32_t type, flags;
  double alpha, beta;
  std::vector<float> factor;
  Matrices x, addend;

  Call call() const {
    bool isRight = flags & MUON_RIGHT;
    int64_t n = isRight ? x.columns : x.rows, k = isRight ? x.rows : x.columns;
    auto element = [this, isRight](int64_t b, int64_t i, int64_t k) {
      return isRight ? x.get(b, k, i) : x.get(b, i, k);
    };
    Call call;
    call.text = describe("symmetric_product", type, flags, x.batch, n, k);
    call.type = resultType(type, flags);
    call.batch = x.batch;
    call.rows = call.columns = n;
    call.depth = k;
    call.run = [this, n, k](void *out) {
      symmetricProduct(type, flags, x.batch, n, k, alpha, beta,
                       flags & MUON_HAS_FACTOR ? factor.data() : nullptr,
                       x.data(),
                       flags & MUON_HAS_ADDEND ? addend.data() : nullptr, out);
    };
    call.left = element;
    call.right = [element](int64_t b, int64_t k, int64_t j) {
      return element(b, j, k);
    };
    call.multiplicationType = type;
    call.scale = [this](int64_t b) {
      double f = factorOf(flags, factor, b);
      return alpha * f * f;
    };
    call.terms = [this](int64_t b, int64_t i, int64_t j) {
      std::vector<std::pair<double, double>> terms;
      if (flags & MUON_HAS_ADDEND)
        terms.push_back({beta, addend.get(b, std::min(i, j), std::max(i, j))});
      return terms;
    };
    return call;
  }
};

SymmetricProduct makeSymmetricProduct(int32_t type, int32_t flags,
                                      int64_t batch, int64_t n, int64_t k) {
  Random random(uint32_t(n * 1000 + k));
  Matrices x = flags & MUON_RIGHT ? gaussian(type, batch, k, n, random)
                                  : gaussian(type, batch, n, k, random);
  Matrices addend = symmetricGaussian(type, batch, n, random);
  // Below the diagonal nothing is read.
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < i; ++j)
        addend.set(b, i, j, kNaN);
  return {type, flags, 2.0315, -4.775, {0.75f, 1.3f, 0.9f}, x, addend};
}

struct CommutingProduct {
  int32_t type;
  double alpha, lhsShift, rhsShift;
  Matrices lhs, rhs;

  Call call() const {
    Call call;
    call.text =
        describe("commuting_product", type, 0, lhs.batch, lhs.rows, lhs.rows);
    call.type = call.multiplicationType = type;
    call.batch = lhs.batch;
    call.rows = call.columns = call.depth = lhs.rows;
    call.run = [this](void *out) {
      commutingProduct(type, lhs.batch, lhs.rows, alpha, lhsShift, rhsShift,
                       lhs.data(), rhs.data(), out);
    };
    call.left = [this](int64_t b, int64_t i, int64_t k) {
      return lhs.get(b, i, k);
    };
    call.right = [this](int64_t b, int64_t k, int64_t j) {
      return rhs.get(b, k, j);
    };
    call.scale = [this](int64_t) { return alpha; };
    call.terms = [this](int64_t b, int64_t i, int64_t j) {
      std::vector<std::pair<double, double>> terms = {
          {alpha * rhsShift, lhs.get(b, i, j)},
          {alpha * lhsShift, rhs.get(b, i, j)}};
      if (i == j)
        terms.push_back({alpha * lhsShift * rhsShift, 1.0});
      return terms;
    };
    return call;
  }
};

CommutingProduct makeCommutingProduct(int32_t type, int64_t batch, int64_t n) {
  Random random{uint32_t(n)};
  Matrices lhs = circulant(type, batch, n, random);
  Matrices rhs = circulant(type, batch, n, random);
  return {type, 0.8, 1.7, -2.3, lhs, rhs};
}

struct SymmetricApply {
  int32_t type, flags;
  double alpha, beta;
  std::vector<float> factor;
  Matrices s, x;

  Call call() const {
    bool isRight = flags & MUON_RIGHT;
    int64_t m = s.rows, n = isRight ? x.rows : x.columns;
    Call call;
    call.text = describe("symmetric_apply", type, flags, x.batch, m, n);
    call.type = resultType(type, flags);
    call.batch = x.batch;
    call.rows = x.rows;
    call.columns = x.columns;
    call.depth = m;
    call.run = [this, m, n](void *out) {
      symmetricApply(type, flags, x.batch, m, n, alpha, beta,
                     flags & MUON_HAS_FACTOR ? factor.data() : nullptr,
                     s.data(), x.data(), out);
    };
    const Matrices &left = isRight ? x : s, &right = isRight ? s : x;
    call.left = [&left](int64_t b, int64_t i, int64_t k) {
      return left.get(b, i, k);
    };
    call.right = [&right](int64_t b, int64_t k, int64_t j) {
      return right.get(b, k, j);
    };
    call.multiplicationType = type;
    call.scale = [this](int64_t b) {
      return factorOf(flags, factor, b) * alpha;
    };
    call.terms = [this](int64_t b, int64_t i, int64_t j) {
      return std::vector<std::pair<double, double>>{
          {factorOf(flags, factor, b) * beta, x.get(b, i, j)}};
    };
    return call;
  }
};

SymmetricApply makeSymmetricApply(int32_t type, int32_t flags, int64_t batch,
                                  int64_t m, int64_t n) {
  Random random(uint32_t(m * 1000 + n));
  Matrices s = symmetricGaussian(type, batch, m, random);
  Matrices x = flags & MUON_RIGHT ? gaussian(type, batch, n, m, random)
                                  : gaussian(type, batch, m, n, random);
  return {type, flags, 1.25, 3.4445, {0.75f, 1.3f, 0.9f}, s, x};
}

/// Sizes that divide no tile.
struct Shape {
  int64_t batch, n, k;
};
const Shape shapes[] = {{1, 1, 1},   {3, 1, 7},     {3, 6, 13},   {3, 13, 6},
                        {1, 15, 37}, {3, 37, 15},   {1, 64, 64},  {3, 65, 1},
                        {1, 130, 3}, {1, 129, 257}, {1, 257, 129}};

class ProductTest : public testing::TestWithParam<int32_t> {
protected:
  void TearDown() override {
    setProductPath(ProductPath::Automatic);
    setCpuThreads(threads);
  }
  const int threads = cpuThreads();
};

INSTANTIATE_TEST_SUITE_P(CpuProducts, ProductTest,
                         testing::Values(MUON_F32, MUON_TF32, MUON_BF16,
                                         MUON_F16),
                         [](auto &info) {
                           return std::string(name(info.param));
                         });

} // namespace

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

TEST_P(ProductTest, SymmetricProduct) {
  for (const Shape &shape : shapes)
    for (int32_t flags :
         {0, int(MUON_RIGHT), MUON_HAS_FACTOR | MUON_HAS_ADDEND,
          MUON_RIGHT | MUON_HAS_ADDEND,
          MUON_RIGHT | MUON_HAS_FACTOR | MUON_HAS_ADDEND | MUON_F32_RESULT}) {
      SymmetricProduct product = makeSymmetricProduct(
          GetParam(), flags, shape.batch, shape.n, shape.k);
      check(product.call());
      EXPECT_TRUE(product.call().compute().isSymmetric())
          << product.call().text;
    }
}

TEST_P(ProductTest, CommutingProduct) {
  for (const Shape &shape : shapes) {
    CommutingProduct product =
        makeCommutingProduct(GetParam(), shape.batch, shape.n);
    check(product.call());
    EXPECT_TRUE(product.call().compute().isSymmetric()) << product.call().text;
  }
}

TEST_P(ProductTest, SymmetricApply) {
  for (const Shape &shape : shapes)
    for (int32_t flags : {0, int(MUON_RIGHT), int(MUON_HAS_FACTOR),
                          MUON_RIGHT | MUON_HAS_FACTOR | MUON_F32_RESULT})
      check(makeSymmetricApply(GetParam(), flags, shape.batch, shape.n, shape.k)
                .call());
}

// More than one tile in each direction.
TEST_P(ProductTest, LargerThanTiles) {
  SymmetricProduct wide =
      makeSymmetricProduct(GetParam(), MUON_HAS_ADDEND, 1, 2100, 5);
  check(wide.call());
  EXPECT_TRUE(wide.call().compute().isSymmetric());
  SymmetricProduct deep =
      makeSymmetricProduct(GetParam(), MUON_RIGHT, 1, 135, 2100);
  check(deep.call());
  EXPECT_TRUE(deep.call().compute().isSymmetric());
  CommutingProduct commuting = makeCommutingProduct(GetParam(), 1, 1060);
  check(commuting.call());
  EXPECT_TRUE(commuting.call().compute().isSymmetric());
  for (int32_t flags : {0, int(MUON_RIGHT)})
    for (auto [m, n] : {std::pair(1040, 70), std::pair(70, 2100)})
      check(makeSymmetricApply(GetParam(), flags, 1, m, n).call());
}

//===----------------------------------------------------------------------===//
// Rounding, exactly
//===----------------------------------------------------------------------===//

namespace {

/// The symmetric product of one row, rounded once.
double sumOfSquares(int32_t type, std::vector<double> row, double alpha = 1,
                    double beta = 0, double addend = 0) {
  Matrices x(type, 1, 1, int64_t(row.size())), add(type, 1, 1, 1);
  x.fill([&](int64_t, int64_t, int64_t j) { return row[size_t(j)]; });
  add.set(0, 0, 0, addend);
  Matrices out(type, 1, 1, 1);
  symmetricProduct(type, MUON_HAS_ADDEND, 1, 1, x.columns, alpha, beta, nullptr,
                   x.data(), add.data(), out.data());
  return out.get(0, 0, 0);
}

} // namespace

TEST(ProductRounding, ResultsToNearestEven) {
  EXPECT_EQ(sumOfSquares(MUON_BF16, {16, 1}), 256);       // 257
  EXPECT_EQ(sumOfSquares(MUON_BF16, {16, 1, 1, 1}), 260); // 259
  EXPECT_EQ(sumOfSquares(MUON_BF16, {16, 1, 0.0625}), 258);
  EXPECT_EQ(sumOfSquares(MUON_F16, {32, 32, 1}), 2048);       // 2049
  EXPECT_EQ(sumOfSquares(MUON_F16, {32, 32, 1, 1, 1}), 2052); // 2051
  EXPECT_EQ(sumOfSquares(MUON_F16, {32, 32, 1, 0.125}), 2050);
}

// Scaling and adding happen before the one rounding.
TEST(ProductRounding, Once) {
  // 257 − 256: a rounding of the sum would leave 0.
  EXPECT_EQ(sumOfSquares(MUON_BF16, {16, 1}, 1, -1, 256), 1);
  EXPECT_EQ(sumOfSquares(MUON_F16, {32, 32, 1}, 1, -1, 2048), 1);
  // 0.5·514 + 2·0.5 = 258.
  EXPECT_EQ(sumOfSquares(MUON_BF16, {16, 16, 1, 1}, 0.5, 2, 0.5), 258);
}

TEST(ProductRounding, F16OverflowsToInfinity) {
  EXPECT_EQ(sumOfSquares(MUON_F16, {255, 22, 3}), 65504);           // 65518
  EXPECT_EQ(sumOfSquares(MUON_F16, {240, 88, 13, 3}), kInfinity);   // 65522
  EXPECT_EQ(sumOfSquares(MUON_F16, {255, 22, 3, 1, 1}), kInfinity); // a tie
  // In between, sums may be larger.
  EXPECT_EQ(sumOfSquares(MUON_F16, {60000, 60000}, 0x1p-20), 6868);
}

TEST(ProductRounding, F16Subnormals) {
  const double least = 0x1p-24;
  EXPECT_EQ(sumOfSquares(MUON_F16, {0x1p-12}), least);
  EXPECT_EQ(sumOfSquares(MUON_F16, {0x1p-12}, 0.5), 0);         // a tie
  EXPECT_EQ(sumOfSquares(MUON_F16, {0x1p-12}, 1.5), 2 * least); // a tie
  EXPECT_EQ(sumOfSquares(MUON_F16, {0x1p-12}, 0.75), least);
  // Operands, too.
  EXPECT_EQ(sumOfSquares(MUON_F16, {least}, 0x1p48), 1);
}

TEST(ProductRounding, OperandsOfTf32TiesAway) {
  const double tie = 1 + 0x1p-11, up = 1 + 0x1p-10;
  EXPECT_EQ(sumOfSquares(MUON_TF32, {tie}), up * up);
  EXPECT_EQ(sumOfSquares(MUON_TF32, {-tie}), up * up);
  EXPECT_EQ(sumOfSquares(MUON_TF32, {tie - 0x1p-20}), 1);
  EXPECT_EQ(sumOfSquares(MUON_F32, {1 + 0x1p-11}), 1 + 0x1p-10 + 0x1p-22);
}

TEST(ProductRounding, AddendsOfTf32AreNotRounded) {
  const double fine = 1 + 0x1p-20;
  EXPECT_EQ(sumOfSquares(MUON_TF32, {1}, 1, 1, fine), 1 + fine);
  Matrices one(MUON_TF32, 1, 1, 1), x(MUON_TF32, 1, 1, 1);
  one.set(0, 0, 0, 1);
  x.set(0, 0, 0, fine);
  Matrices out(MUON_TF32, 1, 1, 1);
  symmetricApply(MUON_TF32, 0, 1, 1, 1, 1, 1, nullptr, one.data(), x.data(),
                 out.data());
  EXPECT_EQ(out.get(0, 0, 0), 1 + fine);
  commutingProduct(MUON_TF32, 1, 1, 1, 1, 0, one.data(), x.data(), out.data());
  EXPECT_EQ(out.get(0, 0, 0), 1 + fine);
}

// A constant that f32 cannot hold is rounded once: 3·(1/3)² in f64 is 1/3.
TEST(ProductRounding, ConstantsOnce) {
  Matrices x(MUON_F32, 1, 1, 1), out(MUON_F32, 1, 1, 1);
  x.set(0, 0, 0, 1);
  const float factor = 1 / 3.0f;
  symmetricProduct(MUON_F32, MUON_HAS_FACTOR, 1, 1, 1, 3, 0, &factor, x.data(),
                   nullptr, out.data());
  EXPECT_EQ(out.get(0, 0, 0),
            double(float(3.0 * double(factor) * double(factor))));
  // 1e20·1e20 has no place in f32, 1e20·1e20·1e-39 has.
  CommutingProduct shifts = {
      MUON_F32,
      1e-39,
      1e20,
      1e20,
      Matrices(MUON_F32, 1, 1, 1).fill([](auto...) { return 0.0; }),
      Matrices(MUON_F32, 1, 1, 1).fill([](auto...) { return 0.0; })};
  EXPECT_EQ(shifts.call().compute().get(0, 0, 0), double(10.0f));
}

//===----------------------------------------------------------------------===//
// What is not finite, and what is zero
//===----------------------------------------------------------------------===//

TEST_P(ProductTest, ShowsNonFiniteOperands) {
  for (double poison : {kNaN, kInfinity, -kInfinity})
    for (float f : {1.0f, 0.0f, 1e-30f})
      for (int64_t n : {5, 140}) {
        SCOPED_TRACE(testing::Message()
                     << poison << " factor " << f << " n " << n);
        const int64_t row = n - 2, column = 1;
        SymmetricProduct product =
            makeSymmetricProduct(GetParam(), MUON_HAS_FACTOR, 1, n, 7);
        product.factor = {f};
        product.x.set(0, row, column, poison);
        Matrices out = product.call().compute();
        SymmetricApply apply =
            makeSymmetricApply(GetParam(), MUON_HAS_FACTOR, 1, n, 7);
        apply.factor = {f};
        apply.x.set(0, row, column, poison);
        Matrices applied = apply.call().compute();
        int hidden = 0, spread = 0;
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            bool isFinite = std::isfinite(out.get(0, i, j));
            // With f = 1e-30, f²·∞ is ∞·0 in f32.
            if (i == row || j == row)
              hidden += isFinite;
            else
              spread += !isFinite;
          }
          for (int64_t j = 0; j < 7; ++j)
            (j == column ? hidden : spread) +=
                std::isfinite(applied.get(0, i, j)) == (j == column);
        }
        EXPECT_EQ(hidden, 0);
        EXPECT_EQ(spread, 0);
      }
}

TEST_P(ProductTest, ShowsNonFiniteAddends) {
  for (double poison : {kNaN, kInfinity}) {
    SymmetricProduct product =
        makeSymmetricProduct(GetParam(), MUON_HAS_ADDEND, 1, 70, 3);
    product.addend.set(0, 2, 68, poison);
    product.beta = 1e-60; // 0 in f32
    Matrices out = product.call().compute();
    EXPECT_TRUE(std::isnan(out.get(0, 2, 68)));
    EXPECT_TRUE(std::isnan(out.get(0, 68, 2)));
    EXPECT_TRUE(std::isfinite(out.get(0, 2, 67)));
  }
}

TEST_P(ProductTest, ShowsNonFiniteFactors) {
  SymmetricProduct product =
      makeSymmetricProduct(GetParam(), MUON_HAS_FACTOR, 2, 6, 3);
  product.factor = {NAN, 1};
  Matrices out = product.call().compute();
  SymmetricApply apply =
      makeSymmetricApply(GetParam(), MUON_HAS_FACTOR, 2, 6, 3);
  apply.factor = {NAN, 1};
  Matrices applied = apply.call().compute();
  for (int64_t i = 0; i < 6; ++i)
    for (int64_t j = 0; j < 3; ++j) {
      EXPECT_TRUE(std::isnan(out.get(0, i, j)));
      EXPECT_TRUE(std::isnan(applied.get(0, i, j)));
      EXPECT_TRUE(std::isfinite(out.get(1, i, j)));
      EXPECT_TRUE(std::isfinite(applied.get(1, i, j)));
    }
}

TEST_P(ProductTest, FactorOfZeroGivesZero) {
  SymmetricProduct product =
      makeSymmetricProduct(GetParam(), MUON_HAS_FACTOR, 1, 66, 9);
  product.factor = {0};
  SymmetricApply apply =
      makeSymmetricApply(GetParam(), MUON_HAS_FACTOR, 1, 66, 9);
  apply.factor = {0};
  Matrices out = product.call().compute(), applied = apply.call().compute();
  for (int64_t i = 0; i < 66; ++i) {
    ASSERT_EQ(out.get(0, i, 65 - i), 0);
    ASSERT_EQ(applied.get(0, i, i % 9), 0);
  }
}

// A constant of exactly 0 says that there is no such term.
TEST_P(ProductTest, ConstantsOfZero) {
  SymmetricProduct product =
      makeSymmetricProduct(GetParam(), MUON_HAS_ADDEND, 1, 70, 5);
  product.beta = 0;
  product.addend.fill([](auto...) { return kNaN; });
  SymmetricProduct alone = product;
  alone.flags = 0;
  EXPECT_EQ(product.call().compute(), alone.call().compute());

  product = makeSymmetricProduct(GetParam(), MUON_HAS_ADDEND, 1, 70, 5);
  product.alpha = 0;
  product.beta = 1;
  Matrices out = product.call().compute();
  for (int64_t i = 0; i < 70; ++i)
    for (int64_t j = i; j < 70; ++j)
      ASSERT_EQ(out.get(0, i, j), product.addend.get(0, i, j));
  EXPECT_TRUE(out.isSymmetric());

  SymmetricApply apply = makeSymmetricApply(GetParam(), 0, 1, 70, 5);
  apply.alpha = 0;
  apply.beta = 1;
  EXPECT_EQ(apply.call().compute(), apply.x);
}

// Scaling by powers of two changes no bit of the fraction.
TEST_P(ProductTest, FactorsOfTwo) {
  SymmetricProduct product =
      makeSymmetricProduct(GetParam(), MUON_HAS_FACTOR, 3, 37, 15);
  product.factor = {1, 0.25f, 2};
  SymmetricProduct plain = product;
  plain.flags = 0;
  Matrices scaled = product.call().compute(), out = plain.call().compute();
  SymmetricApply apply =
      makeSymmetricApply(GetParam(), MUON_HAS_FACTOR, 3, 37, 15);
  apply.factor = {1, 0.25f, 2};
  SymmetricApply plainApply = apply;
  plainApply.flags = 0;
  Matrices scaledX = apply.call().compute(), outX = plainApply.call().compute();
  for (int64_t b = 0; b < 3; ++b)
    for (int64_t i = 0; i < 37; ++i)
      for (int64_t j = 0; j < 15; ++j) {
        double f = double(apply.factor[size_t(b)]);
        ASSERT_EQ(scaled.get(b, i, j),
                  stored(GetParam(), out.get(b, i, j) * f * f));
        ASSERT_EQ(scaledX.get(b, i, j),
                  stored(GetParam(), outX.get(b, i, j) * f));
      }
}

//===----------------------------------------------------------------------===//
// Repeatability
//===----------------------------------------------------------------------===//

TEST_P(ProductTest, BatchIsEachMatrixAlone) {
  SymmetricProduct product = makeSymmetricProduct(
      GetParam(), MUON_HAS_FACTOR | MUON_HAS_ADDEND, 3, 37, 129);
  CommutingProduct commuting = makeCommutingProduct(GetParam(), 3, 37);
  SymmetricApply apply =
      makeSymmetricApply(GetParam(), MUON_HAS_FACTOR, 3, 37, 129);
  Matrices products = product.call().compute();
  Matrices commuted = commuting.call().compute();
  Matrices applied = apply.call().compute();
  for (int64_t b = 0; b < 3; ++b) {
    float f = product.factor[size_t(b)];
    SymmetricProduct one = {product.type,
                            product.flags,
                            product.alpha,
                            product.beta,
                            {f},
                            product.x.matrix(b),
                            product.addend.matrix(b)};
    EXPECT_EQ(one.call().compute(), products.matrix(b));
    CommutingProduct two = {commuting.type,          commuting.alpha,
                            commuting.lhsShift,      commuting.rhsShift,
                            commuting.lhs.matrix(b), commuting.rhs.matrix(b)};
    EXPECT_EQ(two.call().compute(), commuted.matrix(b));
    SymmetricApply three = {apply.type,       apply.flags, apply.alpha,
                            apply.beta,       {f},         apply.s.matrix(b),
                            apply.x.matrix(b)};
    EXPECT_EQ(three.call().compute(), applied.matrix(b));
  }
}

TEST_P(ProductTest, RunToRun) {
  SymmetricProduct product =
      makeSymmetricProduct(GetParam(), MUON_HAS_ADDEND, 1, 300, 400);
  CommutingProduct commuting = makeCommutingProduct(GetParam(), 1, 300);
  SymmetricApply apply = makeSymmetricApply(GetParam(), 0, 1, 300, 400);
  for (const Call &call : {product.call(), commuting.call(), apply.call()}) {
    Matrices first = call.compute();
    for (int run = 0; run < 5; ++run)
      ASSERT_EQ(call.compute(), first) << call.text;
  }
}

TEST_P(ProductTest, SeveralCallersAtOnce) {
  SymmetricProduct product =
      makeSymmetricProduct(GetParam(), MUON_HAS_ADDEND, 1, 270, 190);
  SymmetricApply apply =
      makeSymmetricApply(GetParam(), MUON_RIGHT, 1, 150, 290);
  const Call calls[] = {product.call(), apply.call()};
  const Matrices expected[] = {calls[0].compute(), calls[1].compute()};
  std::vector<std::thread> callers;
  std::atomic<int> bad{0};
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&, t] {
      for (int run = 0; run < 20; ++run)
        bad += !(calls[(t + run) % 2].compute() == expected[(t + run) % 2]);
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(bad, 0);
}

//===----------------------------------------------------------------------===//
// Resources
//===----------------------------------------------------------------------===//

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MUON_TEST_OTHER_MALLOC
#endif
#endif

#ifndef MUON_TEST_OTHER_MALLOC
TEST_P(ProductTest, ScratchMemoryIsBounded) {
  // Converted in full, an operand would take 80 MiB.
  const int64_t n = 280, k = 75000;
  Matrices x(GetParam(), 1, n, k), s(GetParam(), 1, n, n);
  std::memset(x.data(), 0, size_t(x.count()) * 2);
  std::memset(s.data(), 0, size_t(s.count()) * 2);
  Matrices out(GetParam(), 1, n, k);
  setProductPath(ProductPath::Blas);
  auto allocated = [] {
    struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  size_t before = allocated();
  symmetricProduct(GetParam(), 0, 1, n, k, 1, 0, nullptr, x.data(), nullptr,
                   out.data());
  symmetricApply(GetParam(), 0, 1, n, k, 1, 1, nullptr, s.data(), x.data(),
                 out.data());
  EXPECT_LE(allocated(), before + (size_t(32) << 20));
}
#endif

//===----------------------------------------------------------------------===//
// oneDNN
//===----------------------------------------------------------------------===//

// On any processor that oneDNN knows: operands and result are parts of larger
// matrices, and one or both are transposed.
TEST(OneDnn, ProductOfParts) {
  Random random(5);
  bool hasOneDnn = true;
  for (int threads : {1, 2})
    for (auto [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                           {6, 13, 5},
                           {65, 33, 129},
                           {128, 200, 64}})
      for (bool isLeftTransposed : {false, true})
        for (bool isRightTransposed : {false, true}) {
          Matrices a = gaussian(MUON_F32, 1, isLeftTransposed ? k : m,
                                (isLeftTransposed ? m : k) + 3, random);
          Matrices b = gaussian(MUON_F32, 1, isRightTransposed ? n : k,
                                (isRightTransposed ? k : n) + 2, random);
          Matrices out(MUON_F32, 1, m, n + 4);
          int before = cpuThreads();
          setCpuThreads(threads);
          hasOneDnn = oneDnnProduct(
              OneDnnType::F32, m, n, k, {a.data(), a.columns, isLeftTransposed},
              {b.data(), b.columns, isRightTransposed}, false,
              static_cast<float *>(out.data()), n + 4);
          setCpuThreads(before);
          if (!hasOneDnn)
            GTEST_SKIP() << "built without oneDNN";
          EXPECT_TRUE(out.hasIntactGuards());
          int bad = 0;
          for (int64_t i = 0; i < m; ++i)
            for (int64_t j = 0; j < n + 4; ++j) {
              double sum = 0, size = 0;
              for (int64_t p = 0; p < k && j < n; ++p) {
                double term =
                    (isLeftTransposed ? a.get(0, p, i) : a.get(0, i, p)) *
                    (isRightTransposed ? b.get(0, j, p) : b.get(0, p, j));
                sum += term;
                size += std::fabs(term);
              }
              double found = out.get(0, i, j);
              bad += j < n ? !(std::fabs(found - sum) <= 1e-6 * size)
                           : !std::isnan(found);
            }
          EXPECT_EQ(bad, 0) << m << "x" << n << "x" << k;
        }
}

// Stacks and results of many tiles, whose edges are not multiples of anything.
TEST(OneDnn, LikeBlas) {
  for (int32_t type : {MUON_F32, MUON_BF16}) {
    if (!(type == MUON_F32 ? oneDnnHasF32() : oneDnnHasBf16()))
      GTEST_SKIP() << "needs oneDNN and a processor with avx512_bf16";
    for (const Shape &shape :
         {Shape{3, 15, 37}, {1, 129, 257}, {2, 300, 1100}, {1, 1030, 70}}) {
      SymmetricProduct product = makeSymmetricProduct(
          type, MUON_RIGHT | MUON_HAS_ADDEND, shape.batch, shape.n, shape.k);
      CommutingProduct commuting =
          makeCommutingProduct(type, shape.batch, shape.n);
      SymmetricApply apply =
          makeSymmetricApply(type, 0, shape.batch, shape.n, shape.k);
      for (const Call &call : {product.call(), commuting.call(), apply.call()})
        for (ProductPath path : {ProductPath::Blas, ProductPath::OneDnn}) {
          setProductPath(path);
          check(call);
        }
    }
  }
  setProductPath(ProductPath::Automatic);
}

// Where oneDNN is asked for and the processor cannot, the product is right all
// the same.
TEST(OneDnn, FallsBack) {
  setProductPath(ProductPath::OneDnn);
  for (int32_t type : {MUON_F32, MUON_BF16})
    check(makeSymmetricProduct(type, 0, 1, 33, 20).call());
  setProductPath(ProductPath::Automatic);
}
