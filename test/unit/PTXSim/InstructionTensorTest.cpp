//===- InstructionTensorTest.cpp - Matrices of a warp -----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sections "ldmatrix", "movmatrix" and "mma" with the figures of "Matrix
// Fragments for mma". Which thread holds which element is written down below,
// row by row, as the figures show it.
//
//===----------------------------------------------------------------------===//

#include "FloatDefinitions.h"
#include "InstructionTest.h"

#include <algorithm>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;
using namespace muon::ptxsim::exact;

namespace {

constexpr unsigned warpSize = 32;

//===----------------------------------------------------------------------===//
// The figures
//===----------------------------------------------------------------------===//

/// Threads that hold an 8 by 8 part by rows, two neighbours in a row each: A, C
/// and D of 16-bit and 32-bit elements, and what ldmatrix gives.
constexpr unsigned pairsInRows[8][8] = {
    {0, 0, 1, 1, 2, 2, 3, 3},         {4, 4, 5, 5, 6, 6, 7, 7},
    {8, 8, 9, 9, 10, 10, 11, 11},     {12, 12, 13, 13, 14, 14, 15, 15},
    {16, 16, 17, 17, 18, 18, 19, 19}, {20, 20, 21, 21, 22, 22, 23, 23},
    {24, 24, 25, 25, 26, 26, 27, 27}, {28, 28, 29, 29, 30, 30, 31, 31}};

/// An 8 by 8 part of B of 16-bit elements: two neighbours in a column each.
constexpr unsigned pairsInColumns[8][8] = {
    {0, 4, 8, 12, 16, 20, 24, 28},  {0, 4, 8, 12, 16, 20, 24, 28},
    {1, 5, 9, 13, 17, 21, 25, 29},  {1, 5, 9, 13, 17, 21, 25, 29},
    {2, 6, 10, 14, 18, 22, 26, 30}, {2, 6, 10, 14, 18, 22, 26, 30},
    {3, 7, 11, 15, 19, 23, 27, 31}, {3, 7, 11, 15, 19, 23, 27, 31}};

/// An 8 by 4 part of A of 32-bit and 64-bit elements.
constexpr unsigned singlesInRows[8][4] = {
    {0, 1, 2, 3},     {4, 5, 6, 7},     {8, 9, 10, 11},   {12, 13, 14, 15},
    {16, 17, 18, 19}, {20, 21, 22, 23}, {24, 25, 26, 27}, {28, 29, 30, 31}};

/// A 4 by 8 part of B of them.
constexpr unsigned singlesInColumns[4][8] = {{0, 4, 8, 12, 16, 20, 24, 28},
                                             {1, 5, 9, 13, 17, 21, 25, 29},
                                             {2, 6, 10, 14, 18, 22, 26, 30},
                                             {3, 7, 11, 15, 19, 23, 27, 31}};

/// Where an element is: the thread, and its number among the elements there.
struct Holder {
  unsigned thread, element;
};

/// The first elements of the parts of a matrix, by rows of parts.
struct Layout {
  enum Kind { PairsInRows, PairsInColumns, SinglesInRows, SinglesInColumns };
  Kind kind;
  unsigned first[2][2];

  Holder at(unsigned row, unsigned column) const {
    switch (kind) {
    case PairsInRows:
      return {pairsInRows[row % 8][column % 8],
              first[row / 8][column / 8] + column % 2};
    case PairsInColumns:
      return {pairsInColumns[row % 8][column % 8],
              first[row / 8][column / 8] + row % 2};
    case SinglesInRows:
      return {singlesInRows[row % 8][column % 4], first[row / 8][column / 4]};
    case SinglesInColumns:
      return {singlesInColumns[row % 4][column % 8],
              first[row / 4][column / 8]};
    }
    return {};
  }
};

struct Shape {
  const char *name;
  unsigned m, n, k;
  /// Of A and B; of C and D.
  const char *type, *sumType;
  Layout a, b, c;
};

constexpr Layout sums16{Layout::PairsInRows, {{0, 0}, {2, 2}}};
constexpr Layout halvesA8{Layout::PairsInRows, {{0, 0}, {2, 2}}};
constexpr Layout halvesA16{Layout::PairsInRows, {{0, 4}, {2, 6}}};
constexpr Layout halvesB8{Layout::PairsInColumns, {{0, 0}, {0, 0}}};
constexpr Layout halvesB16{Layout::PairsInColumns, {{0, 0}, {2, 0}}};
constexpr Layout wordsA4{Layout::SinglesInRows, {{0, 0}, {1, 1}}};
constexpr Layout wordsA8{Layout::SinglesInRows, {{0, 2}, {1, 3}}};
constexpr Layout wordsB4{Layout::SinglesInColumns, {{0, 0}, {0, 0}}};
constexpr Layout wordsB8{Layout::SinglesInColumns, {{0, 0}, {1, 0}}};

const Shape shapes[] = {
    {"m16n8k8", 16, 8, 8, "f16", "f16", halvesA8, halvesB8, sums16},
    {"m16n8k8", 16, 8, 8, "f16", "f32", halvesA8, halvesB8, sums16},
    {"m16n8k16", 16, 8, 16, "f16", "f16", halvesA16, halvesB16, sums16},
    {"m16n8k16", 16, 8, 16, "f16", "f32", halvesA16, halvesB16, sums16},
    {"m16n8k8", 16, 8, 8, "bf16", "f32", halvesA8, halvesB8, sums16},
    {"m16n8k16", 16, 8, 16, "bf16", "f32", halvesA16, halvesB16, sums16},
    {"m16n8k4", 16, 8, 4, "tf32", "f32", wordsA4, wordsB4, sums16},
    {"m16n8k8", 16, 8, 8, "tf32", "f32", wordsA8, wordsB8, sums16},
    {"m8n8k4", 8, 8, 4, "f64", "f64", wordsA4, wordsB4, sums16},
};

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

unsigned elementBits(const std::string &type) {
  return type == "f16" || type == "bf16" ? 16 : type == "f64" ? 64 : 32;
}

/// Registers of a thread for a matrix.
unsigned registersFor(unsigned rows, unsigned columns,
                      const std::string &type) {
  unsigned bits = elementBits(type);
  return rows * columns / warpSize * bits / (bits == 64 ? 64 : 32);
}

using Matrix = std::vector<uint64_t>;

/// Puts the elements into the registers of the threads, from `at` on.
void distribute(const Matrix &matrix, unsigned rows, unsigned columns,
                const std::string &type, const Layout &layout,
                std::vector<Values> &threads, unsigned at) {
  bool half = elementBits(type) == 16;
  for (unsigned i = 0; i < rows; ++i)
    for (unsigned j = 0; j < columns; ++j) {
      Holder holder = layout.at(i, j);
      uint64_t &place =
          threads[holder.thread][at + holder.element / (half ? 2 : 1)];
      place |= matrix[i * columns + j] << (half ? holder.element % 2 * 16 : 0);
    }
}

uint64_t collect(const Holder &holder, const std::string &type,
                 const Values *threads) {
  const Values &registers = threads[holder.thread];
  if (elementBits(type) == 16)
    return cut(registers[holder.element / 2] >> (holder.element % 2 * 16), 16);
  return registers[holder.element];
}

const FloatType &formatOf(const std::string &type) {
  return floatType(type == "tf32" ? "f32" : type);
}

/// A number that the type holds exactly, or the nearest one.
uint64_t encode(const std::string &type, long double value) {
  const Format format = type == "tf32" ? tf32Format : formatOf(type).format;
  int exponent = 0;
  long double fraction = std::frexp(std::fabs(value), &exponent);
  Term term{std::signbit(value), Wide(std::ldexp(fraction, 60)), exponent - 60};
  uint64_t bits = roundTerm(format, term, Round::Nearest);
  return type == "tf32" ? bits << 13 : bits;
}

std::string join(const std::string &prefix, unsigned first, unsigned count) {
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i)
    text += (i ? ", " : "") + prefix + std::to_string(first + i);
  return text + "}";
}

/// Matrices from `element(random)`, several warps of them, and their product as
/// `judge(exact, sum of magnitudes, result)` has it.
void checkMma(
    const Shape &shape,
    const std::function<long double(Random &, bool isSum)> &element,
    const std::function<bool(long double, long double, long double)> &judge) {
  std::string type = shape.type, sumType = shape.sumType;
  std::string instruction = std::string("mma.sync.aligned.") + shape.name +
                            ".row.col." + sumType + "." + type + "." + type +
                            "." + sumType;
  SCOPED_TRACE(instruction);
  unsigned a = registersFor(shape.m, shape.k, type);
  unsigned b = registersFor(shape.k, shape.n, type);
  unsigned c = registersFor(shape.m, shape.n, sumType);
  std::string operandType = type == "f64" ? "f64" : "b32";
  std::string resultType = sumType == "f16" ? "b32" : sumType;
  std::vector<std::string> sources(a + b, operandType);
  sources.insert(sources.end(), c, resultType);

  constexpr unsigned warps = 24;
  Random random(17);
  std::vector<Values> rows;
  std::vector<Matrix> matrices[3];
  for (unsigned warp = 0; warp < warps; ++warp) {
    std::vector<Values> threads(warpSize, Values(a + b + c));
    auto make = [&](unsigned height, unsigned width, const std::string &of,
                    const Layout &layout, unsigned at, unsigned which) {
      Matrix matrix;
      for (unsigned i = 0; i < height * width; ++i)
        matrix.push_back(encode(of, element(random, which == 2)));
      distribute(matrix, height, width, of, layout, threads, at);
      matrices[which].push_back(std::move(matrix));
    };
    make(shape.m, shape.k, type, shape.a, 0, 0);
    make(shape.k, shape.n, type, shape.b, a, 1);
    make(shape.m, shape.n, sumType, shape.c, a + b, 2);
    rows.insert(rows.end(), threads.begin(), threads.end());
  }
  auto results =
      runLanes(instruction + " " + join("%d", 0, c) + ", " + join("%s", 0, a) +
                   ", " + join("%s", a, b) + ", " + join("%s", a + b, c) + ";",
               std::vector<std::string>(c, resultType), sources, rows);
  if (results.empty())
    return;
  const FloatType &in = formatOf(type), &out = formatOf(sumType);
  unsigned failures = 0;
  for (unsigned warp = 0; warp < warps; ++warp)
    for (unsigned i = 0; i < shape.m; ++i)
      for (unsigned j = 0; j < shape.n && failures < 3; ++j) {
        long double exact = out.value(matrices[2][warp][i * shape.n + j]);
        long double magnitude = std::fabs(exact);
        for (unsigned l = 0; l < shape.k; ++l) {
          long double product = in.value(matrices[0][warp][i * shape.k + l]) *
                                in.value(matrices[1][warp][l * shape.n + j]);
          exact += product;
          magnitude += std::fabs(product);
        }
        long double found = out.value(
            collect(shape.c.at(i, j), sumType, &results[warp * warpSize]));
        if (judge(exact, magnitude, found))
          continue;
        ++failures;
        ADD_FAILURE() << "row " << i << ", column " << j << ": expected "
                      << (double)exact << ", found " << (double)found;
      }
}

TEST(PTXTensor, ProductsOfIntegers) {
  for (const Shape &shape : shapes)
    checkMma(
        shape,
        [](Random &random, bool isSum) -> long double {
          return isSum ? int(random() % 201) - 100 : int(random() % 17) - 8;
        },
        [](long double exact, long double, long double found) {
          return exact == found;
        });
}

/// One element of A and one of B that are not zero: each place of each fragment
/// by itself.
TEST(PTXTensor, SingleElements) {
  for (const Shape &shape : shapes) {
    checkMma(
        shape,
        [](Random &random, bool isSum) -> long double {
          if (isSum)
            return 0;
          return random() % 13 == 0 ? int(random() % 15) + 1 : 0;
        },
        [](long double exact, long double, long double found) {
          return exact == found;
        });
  }
}

/// The order of the sum is not defined, nor how often it is rounded: at most
/// once for each term.
TEST(PTXTensor, ProductsOfRandomNumbers) {
  for (const Shape &shape : shapes) {
    int bits = shape.sumType == std::string("f16")   ? 10
               : shape.sumType == std::string("f32") ? 23
                                                     : 52;
    checkMma(
        shape,
        [](Random &random, bool) -> long double {
          long double value = std::ldexp((long double)(random() >> 11), -53);
          return (random() % 2 ? value : -value) *
                 std::ldexp(1.0L, int(random() % 7) - 3);
        },
        [&](long double exact, long double magnitude, long double found) {
          return std::fabs(exact - found) <=
                 (shape.k + 1) * std::ldexp(magnitude, -bits);
        });
  }
}

TEST(PTXTensor, SpecialValues) {
  // Infinity and NaN go where they would in a sum of products.
  const Shape &shape = shapes[3];
  std::vector<Values> rows;
  for (unsigned thread = 0; thread < warpSize; ++thread) {
    Values row(10);
    for (unsigned i = 0; i < 4; ++i)
      row[i] = 0x3c003c00;
    for (unsigned i = 4; i < 6; ++i)
      row[i] = 0x3c003c00;
    rows.push_back(row);
  }
  // Row 0 of A has an infinity, row 1 has NaN, row 2 has both infinities.
  auto set = [&](unsigned row, unsigned column, uint64_t bits) {
    Holder holder = shape.a.at(row, column);
    uint64_t &place = rows[holder.thread][holder.element / 2];
    unsigned at = holder.element % 2 * 16;
    place = (place & ~(uint64_t(0xffff) << at)) | bits << at;
  };
  set(0, 5, 0x7c00);
  set(1, 9, 0x7e00);
  set(2, 1, 0x7c00);
  set(2, 14, 0xfc00);
  auto results = runLanes(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%d0, %d1, "
      "%d2, %d3}, {%s0, %s1, %s2, %s3}, {%s4, %s5}, {%s6, %s7, %s8, "
      "%s9};",
      {"f32", "f32", "f32", "f32"},
      {"b32", "b32", "b32", "b32", "b32", "b32", "f32", "f32", "f32", "f32"},
      rows);
  ASSERT_EQ(results.size(), rows.size());
  for (unsigned i = 0; i < 16; ++i)
    for (unsigned j = 0; j < 8; ++j) {
      float found = f32Of(collect(shape.c.at(i, j), "f32", results.data()));
      if (i == 0)
        EXPECT_EQ(found, INFINITY);
      else if (i <= 2)
        EXPECT_TRUE(std::isnan(found));
      else
        EXPECT_EQ(found, 16);
    }
}

//===----------------------------------------------------------------------===//
// ldmatrix, movmatrix
//===----------------------------------------------------------------------===//

TEST(PTXTensor, LdMatrix) {
  for (unsigned count : {1u, 2u, 4u})
    for (bool transposed : {false, true})
      for (std::string space : {".shared", ""}) {
        std::string instruction = "ldmatrix.sync.aligned.m8n8.x" +
                                  std::to_string(count) +
                                  (transposed ? ".trans" : "") + space + ".b16";
        SCOPED_TRACE(instruction);
        // Every warp has 32 rows of 16 bytes; row r of its matrices lies in
        // slot (5 * r + 3) mod 32, and is filled by thread r.
        std::vector<std::string> results(count, "b32");
        std::string text =
            "  .shared .align 16 .b8 area[2048];\n  .reg .u32 %slot, %warp;\n"
            "  .reg .u64 %at;\n  mov.u64 %at, area;\n"
            "  mad.lo.u32 %slot, %lane, 5, 3;\n  and.b32 %slot, %slot, 31;\n"
            "  shr.u32 %warp, %thread, 5;\n"
            "  mad.lo.u32 %slot, %warp, 32, %slot;\n"
            "  mad.wide.u32 %at, %slot, 16, %at;\n"
            "  st.shared.v2.u64 [%at], {%s0, %s1};\n"
            "  bar.warp.sync 0xffffffff;\n";
        if (space.empty())
          text += "  cvta.shared.u64 %at, %at;\n";
        text += "  " + instruction + " " + join("%d", 0, count) + ", [%at];";
        Random random(19);
        std::vector<Values> rows;
        for (unsigned i = 0; i < 128; ++i)
          rows.push_back({random(), random()});
        auto found = runLanes(text, results, {"u64", "u64"}, rows);
        ASSERT_EQ(found.size(), rows.size());
        for (unsigned warp = 0; warp < 4; ++warp)
          for (unsigned matrix = 0; matrix < count; ++matrix)
            for (unsigned i = 0; i < 8; ++i)
              for (unsigned j = 0; j < 8; ++j) {
                const Values &row = rows[warp * warpSize + matrix * 8 + i];
                uint64_t stored = cut(row[j / 4] >> (16 * (j % 4)), 16);
                unsigned r = transposed ? j : i, c = transposed ? i : j;
                unsigned thread = pairsInRows[r][c];
                uint64_t actual = cut(found[warp * warpSize + thread][matrix] >>
                                          (16 * (c % 2)),
                                      16);
                ASSERT_EQ(actual, stored)
                    << "matrix " << matrix << ", row " << i << ", column " << j;
              }
      }
}

/// Only the threads whose addresses count need to have good ones.
TEST(PTXTensor, LdMatrixIgnoresOtherAddresses) {
  std::vector<Values> rows;
  for (unsigned i = 0; i < 128; ++i)
    rows.push_back({i, i + 1000});
  auto found = runLanes(
      "  .shared .align 16 .b8 area[512];\n  .reg .u32 %at, %bad;\n"
      "  .reg .pred %first, %warp;\n  mov.u32 %at, area;\n"
      "  setp.lt.u32 %first, %lane, 8;\n"
      "  shr.u32 %bad, %thread, 5;\n  mad.lo.u32 %at, %bad, 128, %at;\n"
      "  mad.lo.u32 %at, %lane, 16, %at;\n"
      "  @%first st.shared.v2.u64 [%at], {%s0, %s1};\n"
      "  bar.warp.sync 0xffffffff;\n"
      "  selp.b32 %at, %at, 3, %first;\n"
      "  ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%d0}, [%at];",
      {"b32"}, {"u64", "u64"}, rows);
  ASSERT_EQ(found.size(), rows.size());
  for (unsigned warp = 0; warp < 4; ++warp)
    for (unsigned i = 0; i < 8; ++i) {
      unsigned row = warp * warpSize + i;
      EXPECT_EQ(found[warp * warpSize + pairsInRows[i][0]][0], row);
      EXPECT_EQ(found[warp * warpSize + pairsInRows[i][4]][0], row + 1000);
    }
}

TEST(PTXTensor, MovMatrix) {
  std::vector<Values> rows;
  Random random(23);
  for (unsigned i = 0; i < 128; ++i)
    rows.push_back({cut(random(), 32)});
  auto found = runLanes("movmatrix.sync.aligned.m8n8.trans.b16 %d0, %s0;",
                        {"b32"}, {"b32"}, rows);
  ASSERT_EQ(found.size(), rows.size());
  for (unsigned warp = 0; warp < 4; ++warp)
    for (unsigned i = 0; i < 8; ++i)
      for (unsigned j = 0; j < 8; ++j) {
        auto element = [&](const std::vector<Values> &of, unsigned r,
                           unsigned c) {
          return cut(
              of[warp * warpSize + pairsInRows[r][c]][0] >> (16 * (c % 2)), 16);
        };
        ASSERT_EQ(element(found, i, j), element(rows, j, i));
      }
}

} // namespace
