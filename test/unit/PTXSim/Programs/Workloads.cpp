//===- Workloads.cpp - Launches of the CUDA programs ----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Workloads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bitset>
#include <climits>
#include <cmath>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;

//===----------------------------------------------------------------------===//
// Reading and launching
//===----------------------------------------------------------------------===//

std::string test::programText(const std::string &program,
                              const std::string &compiler) {
  std::string path = PTXSIM_PROGRAMS "/" + program + "." + compiler + ".ptx";
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << "cannot read " << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::shared_ptr<const Module> test::parseText(const std::string &text,
                                              const std::string &name) {
  std::vector<ParseError> errors;
  std::shared_ptr<const Module> module = Module::parse(text, name, errors);
  for (const ParseError &e : errors)
    ADD_FAILURE() << name << ":" << e.line << ": " << e.message << "\n  "
                  << e.text;
  EXPECT_TRUE(module) << name;
  return module;
}

std::shared_ptr<const Module> test::program(const std::string &program,
                                            const std::string &compiler) {
  static std::map<std::string, std::shared_ptr<const Module>> modules;
  std::string name = program + "." + compiler + ".ptx";
  auto [at, isNew] = modules.try_emplace(name);
  if (isNew)
    at->second = parseText(programText(program, compiler), name);
  return at->second;
}

std::string test::text(const std::vector<Finding> &findings) {
  std::string all;
  for (const Finding &f : findings)
    all += f.text() + "\n";
  return all;
}

Outcome test::run(const Workload &workload,
                  const std::shared_ptr<const Module> &module,
                  LaunchOptions options, Outputs outputs) {
  Outcome outcome;
  outcome.filled = outputs == Outputs::Filled;
  if (!module)
    return outcome;
  Device device;
  Parameters parameters;
  size_t count = workload.arguments.size();
  outcome.memory.resize(count);
  outcome.addresses.resize(count);
  outcome.undefinedBytes.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const Argument &a = workload.arguments[i];
    if (a.role == Argument::Role::Scalar) {
      // Scalars are aligned to their size, structures to 8 bytes.
      size_t alignment = std::min<size_t>(a.size(), 8);
      parameters.addBytes(a.initial.data(), a.size(), alignment);
      continue;
    }
    std::vector<uint8_t> &memory = outcome.memory[i];
    memory.assign(a.size(), 0xff);
    std::string name = "argument " + std::to_string(i);
    uint64_t address;
    if (a.role == Argument::Role::Output && outcome.filled) {
      address = device.map(memory.data(), memory.size(), name);
    } else {
      address = device.allocate(a.size(), name);
      for (size_t from = 0, to; from < a.initial.size(); from = to) {
        for (to = from + 1;
             to < a.initial.size() && a.counts[to] == a.counts[from]; ++to)
          ;
        if (a.counts[from])
          EXPECT_TRUE(
              device.write(address + from, a.initial.data() + from, to - from));
      }
    }
    EXPECT_NE(address, 0u);
    outcome.addresses[i] = address;
    parameters.add(address);
  }

  options.grid = workload.grid;
  options.block = workload.block;
  options.dynamicSharedBytes = workload.dynamicSharedBytes;
  outcome.result = device.launch(module, workload.kernel, parameters, options);

  for (size_t i = 0; i < count; ++i) {
    const Argument &a = workload.arguments[i];
    if (a.role == Argument::Role::Scalar)
      continue;
    outcome.undefinedBytes[i] =
        device.undefinedBytes(outcome.addresses[i], a.size());
    std::vector<uint8_t> after(a.size());
    EXPECT_TRUE(device.read(outcome.addresses[i], after.data(), after.size()));
    EXPECT_TRUE(device.free(outcome.addresses[i]));
    outcome.memory[i] = after;
  }
  return outcome;
}

static std::string hex(const uint8_t *bytes, size_t size) {
  std::string digits;
  for (size_t i = size; i-- > 0;) {
    digits += "0123456789abcdef"[bytes[i] / 16];
    digits += "0123456789abcdef"[bytes[i] % 16];
  }
  return "0x" + digits;
}

void test::expectRight(const Workload &workload, const Outcome &outcome) {
  EXPECT_TRUE(outcome.result.findings.empty()) << text(outcome.result.findings);
  EXPECT_FALSE(outcome.result.truncated);
  ASSERT_EQ(outcome.memory.size(), workload.arguments.size());
  for (size_t i = 0; i < outcome.memory.size(); ++i) {
    const Argument &a = workload.arguments[i];
    if (a.role == Argument::Role::Scalar)
      continue;
    SCOPED_TRACE(workload.kernel + ", argument " + std::to_string(i));
    const std::vector<uint8_t> &found = outcome.memory[i];
    ASSERT_EQ(found.size(), a.size());
    bool isFilled = outcome.filled && a.role == Argument::Role::Output;
    uint64_t holes = std::count(a.counts.begin(), a.counts.end(), false);
    EXPECT_EQ(outcome.undefinedBytes[i], isFilled ? 0 : holes);
    if (a.check)
      a.check(found);
    unsigned shown = 0;
    for (size_t at = 0; at < a.size() && shown < 5; at += a.elementBytes) {
      if (!a.counts[at]) {
        for (size_t b = 0; isFilled && b < a.elementBytes; ++b)
          if (found[at + b] != 0xff) {
            ADD_FAILURE() << "written, byte " << at + b;
            ++shown;
          }
      } else if (!a.check && std::memcmp(&found[at], &a.expected[at],
                                         a.elementBytes) != 0) {
        ADD_FAILURE() << "element " << at / a.elementBytes << ": found "
                      << hex(&found[at], a.elementBytes) << ", expected "
                      << hex(&a.expected[at], a.elementBytes);
        ++shown;
      }
    }
  }
}

std::vector<uint8_t> test::writtenBytes(const Workload &workload,
                                        const Outcome &outcome) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < outcome.memory.size(); ++i) {
    const Argument &a = workload.arguments[i];
    if (a.role == Argument::Role::Output || a.role == Argument::Role::InOut)
      for (size_t b = 0; b < outcome.memory[i].size(); ++b)
        if (a.counts[b])
          bytes.push_back(outcome.memory[i][b]);
  }
  return bytes;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

namespace {
/// The same numbers everywhere; the distributions of <random> differ.
class Values {
public:
  explicit Values(uint32_t seed) : engine(seed) {}
  uint32_t bits() { return engine(); }
  uint64_t bits64() { return uint64_t(bits()) << 32 | bits(); }
  int between(int low, int high) {
    return low + int(bits() % uint32_t(high - low + 1));
  }
  std::vector<int> integers(size_t n, int low, int high) {
    std::vector<int> v(n);
    for (int &x : v)
      x = between(low, high);
    return v;
  }
  /// Multiples of 1/8, whose sums of a few thousand are exact in f32.
  std::vector<float> eighths(size_t n, int low, int high) {
    std::vector<float> v(n);
    for (float &x : v)
      x = float(between(low * 8, high * 8)) / 8;
    return v;
  }
  double unit() { return bits() / 4294967296.0 * 2 - 1; }

private:
  std::mt19937 engine;
};
} // namespace

/// To the nearest with `fraction` bits after the leading one and exponents from
/// `least`, ties to even, as the bits of a format with `exponentBits`.
static uint16_t encode(double x, int fraction, int exponentBits) {
  int bias = (1 << (exponentBits - 1)) - 1, least = 1 - bias;
  uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  x = std::fabs(x);
  if (x == 0)
    return sign;
  int exponent = std::max(std::ilogb(x), least);
  // The current mode of rounding is to the nearest even.
  double units = std::nearbyint(std::ldexp(x, fraction - exponent));
  auto magnitude = uint32_t(units);
  if (magnitude >= 2u << fraction) {
    magnitude /= 2;
    ++exponent;
  }
  if (magnitude < 1u << fraction)
    return uint16_t(sign | magnitude);
  EXPECT_LT(exponent + bias, (1 << exponentBits) - 1) << "out of range";
  return uint16_t(sign | (uint32_t(exponent + bias) << fraction) |
                  (magnitude - (1u << fraction)));
}

static uint16_t f16(double x) { return encode(x, 10, 5); }
static uint16_t bf16(double x) { return encode(x, 7, 8); }

static double fromF16(uint16_t bits) {
  int exponent = bits >> 10 & 31;
  double magnitude = exponent ? std::ldexp(1024 + (bits & 1023), exponent - 25)
                              : std::ldexp(bits & 1023, -24);
  return bits & 0x8000 ? -magnitude : magnitude;
}

static double fromBf16(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float x;
  std::memcpy(&x, &wide, 4);
  return x;
}

/// The nearest with 10 bits of fraction, ties away from zero.
static float tf32(float x) {
  int exponent = std::ilogb(x);
  return float(
      std::ldexp(std::round(std::ldexp(x, 10 - exponent)), exponent - 10));
}

//===----------------------------------------------------------------------===//
// copy.cu
//===----------------------------------------------------------------------===//

static Workload copyVectors() {
  Values values(1);
  std::vector<float> x = values.eighths(4 * 128, -100, 100);
  return Workload("copy", "copyVectors", {2}, {64}).input(x).output(x);
}

static Workload copyStrided() {
  const uint32_t n = 100, stride = 8;
  Values values(2);
  std::vector<float> x = values.eighths((n - 1) * stride + 1, -100, 100), y(n);
  for (uint32_t i = 0; i < n; ++i)
    y[i] = x[i * stride];
  return Workload("copy", "copyStrided", {2}, {64})
      .input(x, [=](size_t i) { return i % stride == 0; })
      .output(y)
      .scalar(n)
      .scalar(stride);
}

static Workload transpose(const char *kernel) {
  Values values(3);
  std::vector<uint32_t> x(32 * 32), y(32 * 32);
  for (uint32_t &v : x)
    v = values.bits();
  for (int i = 0; i < 32; ++i)
    for (int j = 0; j < 32; ++j)
      y[j * 32 + i] = x[i * 32 + j];
  return Workload("copy", kernel, {1}, {32, 8}).input(x).output(y);
}

//===----------------------------------------------------------------------===//
// reduce.cu
//===----------------------------------------------------------------------===//

static Workload reduceSum() {
  const uint32_t n = 777, blocks = 3, threads = 96;
  Values values(4);
  std::vector<float> x = values.eighths(n, -50, 50), sums(blocks);
  for (uint32_t i = 0; i < n; ++i)
    sums[i / threads % blocks] += x[i];
  return Workload("reduce", "reduceSum", {blocks}, {threads})
      .input(x)
      .output(sums)
      .scalar(n);
}

static Workload reduceAtomic() {
  const uint32_t n = 300;
  Values values(5);
  std::vector<int> x = values.integers(n, -1000, 1000);
  int total = 5;
  for (int v : x)
    total += v;
  return Workload("reduce", "reduceAtomic", {3}, {128})
      .input(x)
      .inOut<int>({5}, {total})
      .scalar(n);
}

static Workload reduceFloatAtomic() {
  Values values(6);
  std::vector<float> x(128);
  double total = 0, magnitude = 0;
  for (float &v : x) {
    v = float(values.unit() * 10);
    total += v;
    magnitude += std::fabs(v);
  }
  return Workload("reduce", "reduceFloatAtomic", {2}, {64})
      .input(x)
      .inOutChecked<float>({0},
                           [=](const std::vector<float> &found) {
                             // Each sum so far is at most `magnitude`.
                             EXPECT_NEAR(found[0], total,
                                         128 * magnitude *
                                             std::ldexp(1.0, -24));
                           })
      .inAnyOrder();
}

namespace {
struct Votes {
  uint32_t ballot, any, all, matchAny, matchAll, matchAllPredicate;
  uint32_t minimum, maximum, bitAnd, bitOr, bitXor;
  uint32_t up, down, butterfly, broadcast;
};
} // namespace

static Workload votes() {
  const unsigned threads = 128;
  Values values(7);
  std::vector<uint32_t> x(threads);
  for (unsigned i = 0; i < threads; ++i)
    x[i] = i < 32   ? 7
           : i < 64 ? values.between(90, 110)
           : i < 96 ? values.between(0, 8)
                    : values.bits() % 5000;
  std::vector<Votes> out(threads);
  for (unsigned i = 0; i < threads; ++i) {
    const uint32_t *warp = &x[i / 32 * 32];
    unsigned lane = i % 32;
    Votes &v = out[i];
    v = {};
    v.minimum = v.bitAnd = ~0u;
    v.all = v.matchAllPredicate = 1;
    int maximum = INT_MIN;
    for (unsigned l = 0; l < 32; ++l) {
      v.ballot |= (warp[l] & 1) << l;
      v.any |= warp[l] == 7;
      v.all &= warp[l] < 100;
      v.matchAny |= uint32_t(warp[l] == warp[lane]) << l;
      v.matchAllPredicate &= warp[l] == warp[0];
      v.minimum = std::min(v.minimum, warp[l]);
      maximum = std::max(maximum, int(warp[l]) - 50);
      v.bitAnd &= warp[l] | 8;
      v.bitOr |= warp[l] << 3;
      v.bitXor ^= warp[l];
    }
    v.maximum = uint32_t(maximum);
    v.matchAll = v.matchAllPredicate ? ~0u : 0;
    // Lanes with nobody at their source keep their own value.
    v.up = warp[lane % 16 < 3 ? lane : lane - 3];
    v.down = warp[lane + 5 > 31 ? lane : lane + 5];
    v.butterfly = warp[lane ^ 9];
    v.broadcast = warp[lane / 16 * 16 + 2];
  }
  return Workload("reduce", "votes", {2}, {64}).input(x).output(out);
}

static Workload votesApart() {
  std::vector<uint32_t> out(64);
  uint32_t thirds = 0, others = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (lane % 3 == 0 && lane > 10)
      thirds |= 1u << lane;
    if (lane % 3 != 0 && lane > 20)
      others |= 1u << lane;
  }
  for (unsigned i = 0; i < 64; ++i)
    out[i] = i % 32 % 3 == 0 ? thirds + 1 : others + 2;
  return Workload("reduce", "votesApart", {1}, {64}).output(out);
}

static Workload warpShared() {
  Values values(8);
  std::vector<int> x = values.integers(128, -1000, 1000), sums(128);
  for (int i = 0; i < 128; ++i)
    for (int k = 0; k < 8; ++k)
      sums[i] += x[i / 8 * 8 + k];
  return Workload("reduce", "warpShared", {2}, {64}).input(x).output(sums);
}

//===----------------------------------------------------------------------===//
// histogram.cu
//===----------------------------------------------------------------------===//

static Workload histogram() {
  const uint32_t n = 1000, count = 200;
  Values values(9);
  std::vector<uint8_t> x(n);
  std::vector<uint32_t> before(count, 3), after(count, 3);
  for (uint8_t &v : x) {
    v = uint8_t(values.bits());
    if (v < count)
      ++after[v];
  }
  return Workload("histogram", "histogram", {2}, {96}, count * 4)
      .input(x)
      .inOut(before, after)
      .scalar(n)
      .scalar(count);
}

namespace {
struct Extremes {
  int32_t minimum = INT_MAX, maximum = INT_MIN;
  uint32_t bitAnd = ~0u, bitOr = 0, bitXor = 0x1234;
  uint32_t increments = 0, decrements = 0, claims = 0;
  uint64_t sum = 0;
};
} // namespace

static Workload extremes() {
  const uint32_t n = 150;
  Values values(10);
  std::vector<int> x = values.integers(n, -5000, 5000);
  Extremes before, after;
  int64_t sum = 0;
  for (int v : x) {
    after.minimum = std::min(after.minimum, v);
    after.maximum = std::max(after.maximum, v);
    after.bitAnd &= uint32_t(v) | 0xff00;
    after.bitOr |= uint32_t(v);
    after.bitXor ^= uint32_t(v);
    sum += v;
  }
  after.increments = n % 10;
  // 0, 6, 5, ..., 1, 0, 6, ...
  after.decrements = n % 7 ? 7 - n % 7 : 0;
  after.claims = 42;
  after.sum = uint64_t(sum);
  return Workload("histogram", "extremes", {2}, {96})
      .input(x)
      .inOut<Extremes>({before}, {after})
      .scalar(n);
}

//===----------------------------------------------------------------------===//
// scan.cu and softmax.cu
//===----------------------------------------------------------------------===//

static Workload scan() {
  const uint32_t n = 500, blocks = 4;
  Values values(11);
  std::vector<int> x = values.integers(n, -1000, 1000), y(n), sums(blocks);
  int total = 0;
  for (uint32_t i = 0; i < n; ++i) {
    total += x[i];
    y[i] = sums[i / 128] += x[i];
  }
  return Workload("scan", "scan", {blocks}, {128})
      .input(x)
      .output(y)
      .output(sums)
      .output<int>({total})
      .inOut<uint32_t>({0}, {0})
      .scalar(n);
}

static Workload softmax() {
  const int rows = 3, columns = 600;
  Values values(12);
  std::vector<float> x(rows * columns);
  for (float &v : x)
    v = float(values.unit() * 8 + 20);
  std::vector<double> y(x.size());
  for (int r = 0; r < rows; ++r) {
    double most = -INFINITY, sum = 0;
    for (int c = 0; c < columns; ++c)
      most = std::max(most, double(x[r * columns + c]));
    for (int c = 0; c < columns; ++c)
      sum += std::exp(x[r * columns + c] - most);
    for (int c = 0; c < columns; ++c)
      y[r * columns + c] = std::exp(x[r * columns + c] - most) / sum;
  }
  return Workload("softmax", "softmax", {rows}, {128})
      .input(x)
      .output<float>(x.size(),
                     [y](const std::vector<float> &found) {
                       // Of expf 2 units of the last place and of the argument,
                       // up to 16, one half of one of them; the sum, its
                       // reciprocal and a product: 16 units in all.
                       for (size_t i = 0; i < y.size(); ++i)
                         ASSERT_NEAR(found[i], y[i], 16 * std::ldexp(y[i], -23))
                             << i;
                     })
      .scalar(columns);
}

//===----------------------------------------------------------------------===//
// matmul.cu
//===----------------------------------------------------------------------===//

/// Pitches of rows in elements; those of A and B allow chunks of 16 bytes.
static Workload
matmul(const std::string &kernel, int m, int n, int k,
       const std::vector<double> &a, const std::vector<double> &b,
       std::function<double(double sum, double magnitude)> tolerance) {
  bool isMasked = kernel == "matmulMasked";
  bool isTransposed = kernel == "matmulTransposed";
  int pitchK = isMasked ? (k + 15) / 8 * 8 : k;
  int pitchC = isMasked ? n + 5 : n;
  std::vector<uint16_t> bitsA(size_t(m) * pitchK), bitsB(size_t(n) * pitchK);
  for (int i = 0; i < m; ++i)
    for (int d = 0; d < k; ++d)
      bitsA[i * pitchK + d] = bf16(a[i * k + d]);
  for (int j = 0; j < n; ++j)
    for (int d = 0; d < k; ++d)
      bitsB[isTransposed ? d * n + j : j * pitchK + d] = bf16(b[j * k + d]);
  std::vector<double> c(size_t(m) * pitchC), bounds(c.size());
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      double sum = 0, magnitude = 0;
      for (int d = 0; d < k; ++d) {
        double product =
            fromBf16(bf16(a[i * k + d])) * fromBf16(bf16(b[j * k + d]));
        sum += product;
        magnitude += std::fabs(product);
      }
      c[i * pitchC + j] = sum;
      bounds[i * pitchC + j] = tolerance(sum, magnitude);
    }
  auto isElement = [=](size_t i) { return int(i % pitchK) < k; };
  auto isResult = [=](size_t i) { return int(i % pitchC) < n; };
  Workload w("matmul", kernel, {uint32_t(n + 63) / 64, uint32_t(m + 63) / 64},
             {128});
  w.input(bitsA, isElement).input(bitsB, isElement);
  w.output<float>(
      c.size(),
      [=](const std::vector<float> &found) {
        for (size_t i = 0; i < c.size(); ++i)
          if (isResult(i))
            ASSERT_LE(std::fabs(found[i] - c[i]), bounds[i])
                << "row " << i / pitchC << ", column " << i % pitchC
                << ": found " << found[i] << ", expected " << c[i];
      },
      isResult);
  if (isMasked)
    w.scalar(m).scalar(n).scalar(k).scalar(pitchK).scalar(pitchK).scalar(
        pitchC);
  else
    w.scalar(n).scalar(k);
  return w;
}

Workload test::matmulOf(const std::string &kernel, int m, int n, int k) {
  Values values(uint32_t(13 + m + n + k));
  std::vector<double> a(size_t(m) * k), b(size_t(n) * k);
  for (double &x : a)
    x = values.between(-16, 16) / 8.0;
  for (double &x : b)
    x = values.between(-16, 16) / 8.0;
  return matmul(kernel, m, n, k, a, b, [](double, double) { return 0.0; });
}

Workload test::roundingMatmulOf(int m, int n, int k) {
  Values values(14);
  std::vector<double> a(size_t(m) * k), b(size_t(n) * k);
  for (double &x : a)
    x = values.unit();
  for (double &x : b)
    x = values.unit();
  // Each of k additions rounds, or cuts off, one unit of the last place.
  return matmul("matmul", m, n, k, a, b, [=](double, double magnitude) {
    return k * std::ldexp(magnitude, -23);
  });
}

namespace {
/// A product of one warp: what it computes, in f64.
struct SmallProduct {
  int m, k;
  std::vector<double> a, b, c;
  SmallProduct(int m, int k, uint32_t seed, double unit)
      : m(m), k(k), a(m * k), b(8 * k), c(m * 8) {
    Values values(seed);
    for (double &x : a)
      x = values.between(-3, 3) * unit;
    for (double &x : b)
      x = values.between(-3, 3) * unit;
  }
  void multiply() {
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < 8; ++j)
        for (int d = 0; d < k; ++d)
          c[i * 8 + j] += a[i * k + d] * b[j * k + d];
  }
};

template <class T, class F>
std::vector<T> mapped(const std::vector<double> &values, F convert) {
  std::vector<T> out;
  for (double v : values)
    out.push_back(convert(v));
  return out;
}
} // namespace

static Workload mmaF16(int k, uint32_t seed) {
  SmallProduct p(16, k, seed, 0.25);
  p.multiply();
  return Workload("matmul", "mmaF16", {1}, {32})
      .input(mapped<uint16_t>(p.a, f16))
      .input(mapped<uint16_t>(p.b, f16))
      .output(std::vector<float>(p.c.begin(), p.c.end()))
      .scalar(k);
}

static Workload mmaF16Sum() {
  // Sums of at most 9·24, exact in f16.
  SmallProduct p(16, 24, 15, 1);
  p.multiply();
  return Workload("matmul", "mmaF16Sum", {1}, {32})
      .input(mapped<uint16_t>(p.a, f16))
      .input(mapped<uint16_t>(p.b, f16))
      .output(mapped<uint16_t>(p.c, f16))
      .scalar(24);
}

static Workload mmaTF32() {
  SmallProduct p(16, 40, 16, 0.5);
  // Bits that are rounded off, ties among them; sums stay exact.
  for (size_t i = 0; i < p.a.size(); ++i)
    if (p.a[i] != 0)
      p.a[i] *= 1 + std::ldexp(double(i % 5), -12);
  std::vector<float> a(p.a.begin(), p.a.end()), b(p.b.begin(), p.b.end());
  for (double &x : p.a)
    if (x != 0)
      x = tf32(float(x));
  p.multiply();
  return Workload("matmul", "mmaTF32", {1}, {32})
      .input(a)
      .input(b)
      .output(std::vector<float>(p.c.begin(), p.c.end()))
      .scalar(40);
}

static Workload mmaF64() {
  SmallProduct p(8, 20, 17, 0.375);
  p.multiply();
  return Workload("matmul", "mmaF64", {1}, {32})
      .input(p.a)
      .input(p.b)
      .output(p.c)
      .scalar(20);
}

//===----------------------------------------------------------------------===//
// recursion.cu
//===----------------------------------------------------------------------===//

static Workload ackermannOf() {
  Values values(18);
  std::vector<uint32_t> arguments, result;
  for (int i = 0; i < 64; ++i) {
    uint32_t m = uint32_t(values.between(0, 2)),
             n = uint32_t(values.between(0, 4));
    arguments.push_back(m);
    arguments.push_back(n);
    // Its closed forms.
    result.push_back(m == 0 ? n + 1 : m == 1 ? n + 2 : 2 * n + 3);
  }
  return Workload("recursion", "ackermannOf", {1}, {64})
      .input(arguments)
      .output(result);
}

static Workload sortRows() {
  Values values(19);
  const int rows = 64;
  std::vector<int> x = values.integers(rows * 16, -50, 50), y = x;
  std::vector<uint32_t> lengths(rows);
  for (int i = 0; i < rows; ++i) {
    lengths[i] = uint32_t(i < 17 ? i : values.between(0, 16));
    std::sort(&y[i * 16], &y[i * 16] + lengths[i]);
  }
  auto counts = [=](size_t i) { return i % 16 < lengths[i / 16]; };
  return Workload("recursion", "sortRows", {1}, {rows})
      .input(x, counts)
      .input(lengths)
      .output(y, counts);
}

static Workload indirect() {
  Values values(20);
  const int threads = 96;
  struct Pair {
    int64_t first;
    int32_t second, padding;
  };
  std::vector<Pair> x(threads);
  std::vector<uint32_t> which(threads), y;
  for (int i = 0; i < threads; ++i) {
    x[i] = {values.between(-1000, 1000), values.between(-1000, 1000), 77};
    which[i] = values.bits() % 3;
    float scale = float(i) + 0.5f;
    bool isOdd = which[i] == 2 && x[i].second & 1;
    int64_t first;
    int32_t second;
    if (which[i] == 1 || isOdd) {
      first = x[i].first + x[i].second;
      second = int32_t(isOdd ? scale * 3 : scale);
    } else {
      first = x[i].second + int64_t(scale);
      second = int32_t(x[i].first) * 2;
    }
    y.push_back(uint32_t(first));
    y.push_back(uint32_t(uint64_t(first) >> 32));
    y.push_back(uint32_t(second));
    y.push_back(0);
  }
  return Workload("recursion", "indirect", {2}, {48})
      .input(x)
      .input(which)
      .output(y, [](size_t i) { return i % 4 != 3; });
}

//===----------------------------------------------------------------------===//
// pipe.cu and spin.cu
//===----------------------------------------------------------------------===//

static Workload pipe() {
  const int blocks = 2, steps = 5;
  Values values(21);
  std::vector<int> x = values.integers(blocks * steps * 32, -1000, 1000);
  std::vector<int> y(blocks * 32);
  for (int b = 0; b < blocks; ++b)
    for (int lane = 0; lane < 32; ++lane)
      for (int s = 0; s < steps; ++s)
        y[b * 32 + lane] =
            y[b * 32 + lane] * 3 + x[(b * steps + s) * 32 + 31 - lane];
  return Workload("pipe", "pipe", {blocks}, {64})
      .input(x)
      .output(y)
      .scalar(steps);
}

/// Each thread of a group gets a rank of its own.
static std::function<void(const std::vector<int> &)> isRanks(size_t groups) {
  return [=](const std::vector<int> &ranks) {
    size_t size = ranks.size() / groups;
    for (size_t g = 0; g < groups; ++g) {
      std::vector<int> sorted(&ranks[g * size], &ranks[g * size] + size);
      std::sort(sorted.begin(), sorted.end());
      for (size_t i = 0; i < size; ++i)
        ASSERT_EQ(sorted[i], int(i));
    }
  };
}

static Workload lockPerBlock() {
  return Workload("spin", "lockPerBlock", {2}, {64})
      .inOut<int>({0, 0}, {0, 0})
      .inOut<int>({0, 0}, {64, 64})
      .output<int>(128, isRanks(2))
      .inAnyOrder();
}

static Workload lockForAll() {
  return Workload("spin", "lockForAll", {2}, {40})
      .inOut<int>({0}, {0})
      .inOut<int>({0}, {80})
      .output<int>(80, isRanks(1))
      .inAnyOrder();
}

static Workload turns() {
  const uint32_t blocks = 5;
  uint32_t value = 7;
  for (uint32_t b = 0; b < blocks; ++b)
    value = value * 31 + b;
  return Workload("spin", "turns", {blocks}, {32})
      .inOut<uint32_t>({0}, {blocks})
      .inOut<uint32_t>({7}, {value});
}

static Workload chain() {
  const uint32_t blocks = 6;
  Values values(22);
  std::vector<uint32_t> x(blocks), sums(blocks), zeros(blocks);
  uint32_t sum = 0;
  for (uint32_t b = 0; b < blocks; ++b) {
    x[b] = values.bits();
    sums[b] = sum += x[b];
  }
  return Workload("spin", "chain", {blocks}, {32})
      .input(x)
      .inOut<uint32_t>({0}, {blocks})
      .inOut(zeros, std::vector<uint32_t>(blocks, 1))
      .output(sums);
}

//===----------------------------------------------------------------------===//
// switch.cu
//===----------------------------------------------------------------------===//

static int leadingZeros(uint64_t x, int bits) {
  int n = 0;
  while (n < bits && !(x >> (bits - 1 - n) & 1))
    ++n;
  return n;
}

static uint64_t reversed(uint64_t x, int bits) {
  uint64_t r = 0;
  for (int i = 0; i < bits; ++i)
    r |= (x >> i & 1) << (bits - 1 - i);
  return r;
}

static Workload switchOf() {
  Values values(23);
  const int threads = 96;
  std::vector<int> x = values.integers(threads, -2, 13), y(threads),
                   out(threads), log(threads);
  for (int i = 0; i < threads; ++i) {
    int b = y[i] = values.between(-300, 3000);
    int &o = out[i], &l = log[i];
    o = -x[i];
    if (x[i] == 0)
      o = b * b, l = 1;
    if (x[i] == 1)
      o = b / 3;
    if (x[i] == 2)
      o = b ^ 0x55aa, l = b;
    if (x[i] == 3)
      o = int(std::bitset<32>(uint32_t(b)).count());
    if (x[i] == 4)
      for (o = 0; b > 0; b /= 7)
        ++o;
    if (x[i] == 5)
      l = b % 11 + 4;
    if (x[i] == 5 || x[i] == 6)
      o = b - 6;
    if (x[i] == 7)
      o = std::min(b, 77), l = -1;
    if (x[i] == 9)
      o = leadingZeros(uint32_t(b), 32);
    if (x[i] == 10)
      o = int(uint32_t(b) << 4), l = b >> 1;
  }
  return Workload("switch", "switchOf", {1}, {threads})
      .input(x)
      .input(y)
      .output(out, [=](size_t i) { return x[i] != 8; })
      .output(log, [=](size_t i) {
        return x[i] == 0 || x[i] == 2 || x[i] == 5 || x[i] == 7 || x[i] == 10;
      });
}

static Workload branchTable() {
  Values values(24);
  std::vector<uint32_t> x(64), out(64);
  for (int i = 0; i < 64; ++i) {
    x[i] = values.bits();
    out[i] = x[i] % 4 == 0   ? x[i] * 5
             : x[i] % 4 == 1 ? (x[i] + 100) ^ 0xff
                             : x[i] ^ 0xff;
  }
  return Workload("switch", "branchTable", {1}, {64}).input(x).output(out);
}

namespace {
struct Bits {
  uint32_t popc, clz, brev, funnelLeft, funnelRight, permuted, ffs, sad;
  int32_t dotSigned, mulHigh;
  uint32_t dotUnsigned, extracted;
  uint64_t product, quotient, remainder, mulHigh64, brev64;
  int64_t signedQuotient, signedRemainder;
  int32_t popc64, clz64;
};
} // namespace

static Workload bits() {
  Values values(25);
  const int threads = 64;
  std::vector<uint64_t> x(threads), y(threads);
  const uint64_t edges[] = {0,
                            1,
                            ~uint64_t(0),
                            uint64_t(1) << 63,
                            0x7fffffffffffffff,
                            0x80000000,
                            0xffffffff,
                            0x100000000};
  std::vector<Bits> out(threads);
  for (int i = 0; i < threads; ++i) {
    uint64_t p = i < 32 ? edges[i % 8] : values.bits64() >> i % 5 * 9;
    uint64_t q =
        i < 32 ? edges[i / 8 * 2 % 8 + i % 2] : values.bits64() >> i % 7 * 8;
    x[i] = p;
    y[i] = q;
    auto a = uint32_t(p), b = uint32_t(q);
    Bits &r = out[i];
    r.popc = uint32_t(std::bitset<32>(a).count());
    r.clz = uint32_t(leadingZeros(a, 32));
    r.brev = uint32_t(reversed(a, 32));
    uint64_t both = uint64_t(b) << 32 | a;
    r.funnelLeft = uint32_t(both << (b >> 7) % 32 >> 32);
    r.funnelRight = uint32_t(both >> std::min(b >> 6, 32u));
    r.permuted = 0;
    for (int n = 0; n < 4; ++n)
      r.permuted |= uint32_t(both >> (b >> 3 >> n * 4 & 7) * 8 & 255) << n * 8;
    r.ffs = 0;
    for (uint32_t n = 8; n < 32 && !r.ffs; ++n)
      if (a >> n & 1)
        r.ffs = n + 1;
    r.sad = (a > b ? a - b : b - a) + 17;
    r.dotSigned = -5;
    r.dotUnsigned = 5;
    for (int n = 0; n < 32; n += 8) {
      r.dotSigned += int8_t(a >> n) * int8_t(b >> n);
      r.dotUnsigned += uint32_t(uint8_t(a >> n)) * uint8_t(b >> n);
    }
    r.mulHigh = int32_t(int64_t(int32_t(a)) * int32_t(b) >> 32);
    r.extracted = a >> 5 & 0x1fff;
    r.product = p * q;
    r.quotient = p / (q | 1);
    r.remainder = p % (q | 1);
    r.mulHigh64 = uint64_t((unsigned __int128)p * q >> 64);
    r.brev64 = reversed(p, 64);
    auto divisor = int64_t(q >> 9 | 3);
    r.signedQuotient = int64_t(p) / divisor;
    r.signedRemainder = int64_t(p) % -divisor;
    r.popc64 = int32_t(std::bitset<64>(p).count());
    r.clz64 = leadingZeros(p >> 3, 64);
  }
  return Workload("switch", "bits", {2}, {32}).input(x).input(y).output(out);
}

static Workload doubles() {
  struct Range {
    double low = -3.5, high = 4;
    int16_t first = 2;
    int8_t scale[3] = {1, -3, 5};
    uint8_t padding[3] = {};
  } range;
  static_assert(sizeof(Range) == 24);
  const double coefficients[] = {0.25, -1.5, 3.0, 0.125, -7.75};
  const int n = 50;
  Values values(26);
  std::vector<double> x(n), y(n);
  for (int i = 0; i < n; ++i) {
    // Eighths: the polynomial is exact, so that the rest rounds only once each.
    x[i] = values.between(-40, 40) / 8.0;
    double v = std::clamp(x[i], range.low, range.high), sum = 0;
    for (int k = 0; k < 5; ++k)
      sum = sum * v + coefficients[(k + 2) % 5];
    y[i] = std::sqrt(std::fabs(sum)) / (v * v + 1) * range.scale[i % 3];
  }
  return Workload("switch", "doubles", {1}, {64})
      .input(x)
      .output(y)
      .scalar(range)
      .scalar(n);
}

//===----------------------------------------------------------------------===//
// halves.cu
//===----------------------------------------------------------------------===//

static Workload halves() {
  Values values(27);
  const int threads = 64;
  std::vector<uint16_t> x(2 * threads), y(2 * threads), fused(2 * threads),
      clipped(2 * threads), quotient(threads);
  std::vector<float> sum(2 * threads);
  // 64ths up to 8, so that nothing but the last step rounds.
  for (uint16_t &v : x)
    v = f16(values.between(-512, 512) / 64.0);
  for (uint16_t &v : y)
    v = f16((values.between(0, 1) * 2 - 1) * values.between(1, 512) / 64.0);
  for (int i = 0; i < 2 * threads; ++i) {
    double a = i % 2 ? -0.75 : 1.5, p = fromF16(x[i]), q = fromF16(y[i]);
    double other = fromF16(y[i ^ 1]);
    fused[i] = f16(a * p + q);
    clipped[i] = p * q > 0 ? f16(p * q) : 0;
    sum[i] = float(fromF16(f16(p + other)));
  }
  for (int i = 0; i < threads; ++i)
    quotient[i] = f16(fromF16(x[2 * i]) / fromF16(y[2 * i + 1]));
  return Workload("halves", "halves", {1}, {threads})
      .input(x)
      .input(y)
      .output(fused)
      .output(clipped)
      .output(sum)
      .output(quotient);
}

static Workload brains() {
  Values values(28);
  const int threads = 64;
  std::vector<uint16_t> x(2 * threads), y(2 * threads), fused(2 * threads),
      rounded(threads);
  std::vector<float> wide(2 * threads);
  std::vector<uint32_t> less(threads);
  for (uint16_t &v : x)
    v = bf16(values.unit() * 10);
  for (uint16_t &v : y)
    v = bf16(values.unit() * 10);
  for (int i = 0; i < 2 * threads; ++i) {
    fused[i] = bf16(fromBf16(x[i]) * fromBf16(y[i]) + 0.5);
    wide[i] = float(fromBf16(x[i]));
  }
  for (int i = 0; i < threads; ++i) {
    rounded[i] = bf16(std::fma(wide[2 * i], 1.2345f, wide[2 * i + 1]));
    less[i] = fromBf16(x[2 * i]) < fromBf16(y[2 * i + 1]);
  }
  return Workload("halves", "brains", {1}, {threads})
      .input(x)
      .input(y)
      .output(fused)
      .output(wide)
      .output(rounded)
      .output(less);
}

const std::vector<Workload> &test::allWorkloads() {
  static const std::vector<Workload> all = {
      copyVectors(),
      copyStrided(),
      transpose("transposePadded"),
      transpose("transposeConflicts"),
      reduceSum(),
      reduceAtomic(),
      reduceFloatAtomic(),
      votes(),
      votesApart(),
      warpShared(),
      histogram(),
      extremes(),
      scan(),
      softmax(),
      matmulOf("matmul", 64, 128, 96),
      matmulOf("matmulMasked", 37, 75, 45),
      matmulOf("matmulTransposed", 64, 128, 96),
      mmaF16(48, 29),
      mmaF16Sum(),
      mmaTF32(),
      mmaF64(),
      ackermannOf(),
      sortRows(),
      indirect(),
      pipe(),
      lockPerBlock(),
      lockForAll(),
      turns(),
      chain(),
      switchOf(),
      branchTable(),
      bits(),
      doubles(),
      halves(),
      brains()};
  return all;
}

Workload test::workload(const std::string &kernel) {
  for (const Workload &w : allWorkloads())
    if (w.kernel == kernel)
      return w;
  ADD_FAILURE() << "no workload of " << kernel;
  return allWorkloads().front();
}
