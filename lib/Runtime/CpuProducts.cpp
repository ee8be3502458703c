//===- CpuProducts.cpp - Matrix products on the CPU -----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All products are one function: tiles of a result are multiplied with sums in
// f32, and then finished (scaled, added to, rounded, stored) in blocks that fit
// into a first-level cache. Of a symmetric result only tiles that reach the
// diagonal or lie above it are computed; finishing stores the mirror image.
//
// Where oneDNN multiplies, threads take tiles of all matrices of a stack, and
// finish one while its sums are in the cache. BLAS multiplies with all threads
// at a time, one large tile after the other. Tiles depend on shapes alone, so
// that bits do not depend on the number of threads.
//
// Sums of BLAS go where the result will be if that is f32. All others go into
// scratch memory that belongs to the thread and does not grow with the
// matrices.
//
//===----------------------------------------------------------------------===//

#include "CpuProducts.h"

#include "CpuNumbers.h"
#include "CpuOneDnn.h"
#include "CpuThreads.h"
#include "muon-mlir/Runtime/HostApi.h"

#include <cblas.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

using namespace muon;

/// Edge of the blocks that are finished. A block and its mirror image, 16 KiB
/// each in f32, fit into a first-level cache together.
static constexpr int64_t kBlock = 64;

/// Columns of the pieces of a tile that one thread finishes at a time.
static constexpr int64_t kStrip = 16 * kBlock;

/// Largest tiles where there is scratch memory: sums take 4 MiB, the panels of
/// converted operands 2 and 8 MiB.
static constexpr int64_t kTileRows = 512, kTileColumns = 2048;
static constexpr int64_t kTileDepth = 1024;

/// Edges of the tiles that a thread multiplies by oneDNN, of a result that is
/// large enough. The sums of one fit into a second-level cache.
static constexpr int64_t kThreadTileRows = 256, kThreadTileColumns = 512;
static constexpr int64_t kThreadTileDepth = 512;

/// Work of fewer elements, or multiplications, is not worth waking threads up.
static constexpr int64_t kParallelElements = 1 << 16;
static constexpr int64_t kParallelMultiplications = 1 << 21;

static std::atomic<ProductPath> productPath{ProductPath::Automatic};

void muon::setProductPath(ProductPath path) { productPath = path; }

static bool usesOneDnn(MuonProductType type) {
  if (type != MUON_F32 && type != MUON_BF16)
    return false;
  ProductPath path = productPath;
  if (path == ProductPath::Automatic)
    return type == MUON_F32 ? oneDnnHasF32() : oneDnnHasBf16();
  return path == ProductPath::OneDnn;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

namespace {

/// Scratch memory that is kept for the next product of the thread.
class Scratch {
public:
  float *get(int64_t count) {
    if (count > size) {
      data.reset();
      data.reset(new float[size_t(count)]);
      size = count;
    }
    return data.get();
  }

private:
  std::unique_ptr<float[]> data;
  int64_t size = 0;
};

struct ThreadScratch {
  Scratch sums, left, right;
};

} // namespace

static thread_local ThreadScratch scratch;

static int64_t storageSize(MuonProductType type) {
  return type == MUON_BF16 || type == MUON_F16 ? 2 : 4;
}

/// Address of element number `index`.
static const void *advance(const void *data, int64_t index,
                           MuonProductType type) {
  return static_cast<const char *>(data) + index * storageSize(type);
}

static Operand part(const Operand &matrix, int64_t row, int64_t column,
                    MuonProductType type) {
  if (matrix.isTransposed)
    std::swap(row, column);
  return {advance(matrix.data, row * matrix.stride + column, type),
          matrix.stride, matrix.isTransposed};
}

/// Loop on all threads if there is enough work.
template <typename Body>
static void parallelForElements(int64_t count, int64_t elements, Body body) {
  if (elements >= kParallelElements)
    return parallelFor(count, body);
  for (int64_t i = 0; i < count; ++i)
    body(i);
}

//===----------------------------------------------------------------------===//
// Sums of products
//===----------------------------------------------------------------------===//

/// BLAS insists on a plausible distance between rows even if there is one row
/// or none.
static blasint leading(int64_t stride) {
  return static_cast<blasint>(std::max<int64_t>(stride, 1));
}

/// out ← a·b + beta·out.
static void multiplyF32(int64_t m, int64_t n, int64_t k, const Operand &a,
                        const Operand &b, float beta, float *out,
                        int64_t stride) {
  auto order = [](const Operand &matrix) {
    return matrix.isTransposed ? CblasTrans : CblasNoTrans;
  };
  cblas_sgemm(CblasRowMajor, order(a), order(b), static_cast<blasint>(m),
              static_cast<blasint>(n), static_cast<blasint>(k), 1.0f,
              static_cast<const float *>(a.data), leading(a.stride),
              static_cast<const float *>(b.data), leading(b.stride), beta, out,
              leading(stride));
}

/// What `type` says of the operands of a multiplication, in f32.
static void convert(MuonProductType type, const void *from, float *to,
                    int64_t n) {
  switch (type) {
  case MUON_F32:
    std::memcpy(to, from, size_t(n) * sizeof(float));
    return;
  case MUON_TF32:
    return roundToTf32(static_cast<const float *>(from), to, n);
  case MUON_BF16:
    return widenBf16(static_cast<const uint16_t *>(from), to, n);
  case MUON_F16:
    return widenF16(static_cast<const uint16_t *>(from), to, n);
  }
}

/// A converted copy of a rows×columns matrix in `memory`.
static Operand convertPanel(MuonProductType type, const Operand &from,
                            int64_t rows, int64_t columns, Scratch &memory) {
  if (from.isTransposed)
    std::swap(rows, columns);
  constexpr int64_t group = 16;
  float *to = memory.get(rows * columns);
  parallelForElements(
      (rows + group - 1) / group, rows * columns, [&](int64_t i) {
        int64_t end = std::min((i + 1) * group, rows);
        for (int64_t row = i * group; row < end; ++row)
          convert(type, advance(from.data, row * from.stride, type),
                  to + row * columns, columns);
      });
  return {to, columns, from.isTransposed};
}

/// out ← a·b by BLAS, of a tile.
static void multiplyConverted(MuonProductType type, int64_t m, int64_t n,
                              int64_t k, const Operand &a, const Operand &b,
                              float *out, int64_t stride) {
  for (int64_t begin = 0; begin < k; begin += kTileDepth) {
    int64_t depth = std::min(kTileDepth, k - begin);
    Operand left =
        convertPanel(type, part(a, 0, begin, type), m, depth, scratch.left);
    Operand right =
        convertPanel(type, part(b, begin, 0, type), depth, n, scratch.right);
    multiplyF32(m, n, depth, left, right, begin ? 1.0f : 0.0f, out, stride);
  }
}

/// out ← a·b with sums in f32, by BLAS.
static void multiply(MuonProductType type, int64_t m, int64_t n, int64_t k,
                     const Operand &a, const Operand &b, float *out,
                     int64_t stride) {
  if (type == MUON_F32)
    return multiplyF32(m, n, k, a, b, 0.0f, out, stride);
  multiplyConverted(type, m, n, k, a, b, out, stride);
}

/// The same by oneDNN, on this thread alone. BLAS is for what it refuses.
///
/// Long sums of f32 are sums of shorter ones, as BLAS's are: a single one has
/// an error that grows with its length, though it is small beside that of bf16.
static void multiplyOnThread(MuonProductType type, int64_t m, int64_t n,
                             int64_t k, const Operand &a, const Operand &b,
                             float *out, int64_t stride) {
  OneDnnType oneDnnType =
      type == MUON_BF16 ? OneDnnType::BF16 : OneDnnType::F32;
  const int64_t depth = type == MUON_F32 ? kThreadTileDepth : k;
  for (int64_t begin = 0; begin < k; begin += depth)
    if (!oneDnnProduct(oneDnnType, m, n, std::min(depth, k - begin),
                       part(a, 0, begin, type), part(b, begin, 0, type),
                       begin != 0, out, stride))
      return multiply(type, m, n, k, a, b, out, stride);
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

namespace {

/// out ← scale·a·b + Σ terms + diagonal·I, for one matrix of a batch. Matrices
/// of terms are stored as `type` and have the shape of out.
struct Product {
  struct Term {
    float scale = 0;
    const void *matrix = nullptr;
  };

  MuonProductType type;
  bool isSymmetric;
  bool hasF32Result;
  /// Whether there are factors to multiply, or scale (0 or NaN) is all.
  bool isMultiplied;
  int64_t rows, columns, depth;
  Operand a, b;
  float scale;
  Term terms[2];
  float diagonal = 0;
  void *out;
};

/// Part of a result, and the sums of products for it.
struct Tile {
  int64_t row, column, rows, columns;
  float *sums;
  int64_t stride;
};

} // namespace

MUON_VECTORIZED static void scaleRow(float scale, const float *from, float *to,
                                     int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    to[i] = scale * from[i];
}

MUON_VECTORIZED static void addScaledRow(float scale, const float *from,
                                         float *to, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    to[i] += scale * from[i];
}

static void storeRow(const Product &product, const float *values, int64_t row,
                     int64_t column, int64_t n) {
  int64_t at = row * product.columns + column;
  if (product.hasF32Result)
    std::memcpy(static_cast<float *>(product.out) + at, values,
                size_t(n) * sizeof(float));
  else if (product.type == MUON_BF16)
    narrowToBf16(values, static_cast<uint16_t *>(product.out) + at, n);
  else
    narrowToF16(values, static_cast<uint16_t *>(product.out) + at, n);
}

/// Finishes the block at (row, column) of a result, rows×columns and at most
/// kBlock×kBlock. Of a symmetric one it starts on the diagonal or is above it.
static void finishBlock(const Product &product, const Tile &tile, int64_t row,
                        int64_t column, int64_t rows, int64_t columns) {
  alignas(64) float block[kBlock * kBlock];
  bool isOnDiagonal = product.isSymmetric && row == column;
  for (int64_t i = 0; i < rows; ++i) {
    int64_t first = isOnDiagonal ? i : 0, n = columns - first;
    float *values = block + i * kBlock + first;
    scaleRow(product.scale,
             tile.sums + (row + i - tile.row) * tile.stride + column + first -
                 tile.column,
             values, n);
    for (const Product::Term &term : product.terms) {
      if (!term.matrix)
        continue;
      alignas(64) float widened[kBlock];
      const void *stored =
          advance(term.matrix, (row + i) * product.columns + column + first,
                  product.type);
      // Only operands of a multiplication are rounded to tf32.
      convert(product.type == MUON_TF32 ? MUON_F32 : product.type, stored,
              widened, n);
      addScaledRow(term.scale, widened, values, n);
    }
    if (isOnDiagonal)
      values[0] += product.diagonal;
  }
  if (isOnDiagonal)
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < i; ++j)
        block[i * kBlock + j] = block[j * kBlock + i];
  for (int64_t i = 0; i < rows; ++i)
    storeRow(product, block + i * kBlock, row + i, column, columns);
  if (!product.isSymmetric || isOnDiagonal)
    return;
  for (int64_t j = 0; j < columns; ++j) {
    alignas(64) float mirrored[kBlock];
    for (int64_t i = 0; i < rows; ++i)
      mirrored[i] = block[i * kBlock + j];
    storeRow(product, mirrored, column + j, row, rows);
  }
}

static void finishTile(const Product &product, const Tile &tile) {
  int64_t blockRows = (tile.rows + kBlock - 1) / kBlock;
  int64_t strips = (tile.columns + kStrip - 1) / kStrip;
  parallelForElements(
      blockRows * strips, tile.rows * tile.columns, [&](int64_t i) {
        int64_t row = tile.row + i / strips * kBlock;
        int64_t rows = std::min(kBlock, tile.row + tile.rows - row);
        int64_t column = tile.column + i % strips * kStrip;
        int64_t end = std::min(column + kStrip, tile.column + tile.columns);
        for (; column < end; column += kBlock)
          if (!product.isSymmetric || column >= row)
            finishBlock(product, tile, row, column, rows,
                        std::min(kBlock, end - column));
      });
}

//===----------------------------------------------------------------------===//
// Large tiles, each on all threads
//===----------------------------------------------------------------------===//

/// Rows of the tiles of a symmetric result. More tiles save more products below
/// the diagonal, but low ones are slow, and operands are converted for each.
/// With OpenBLAS 0.3.21 on Zen the products of all tiles take .70 of the full
/// product at n = 256, .65 at 512, .60 at 1024 and .59 at 2048.
static int64_t symmetricTileRows(int64_t n) {
  return n < 512 ? 64 : n < 2048 ? 128 : 256;
}

using Multiply = void (*)(MuonProductType, int64_t, int64_t, int64_t,
                          const Operand &, const Operand &, float *, int64_t);

static void computeTile(const Product &product, const Tile &tile,
                        Multiply multiply) {
  if (product.isMultiplied)
    multiply(product.type, tile.rows, tile.columns, product.depth,
             part(product.a, tile.row, 0, product.type),
             part(product.b, 0, tile.column, product.type), tile.sums,
             tile.stride);
  else
    for (int64_t i = 0; i < tile.rows; ++i)
      std::fill_n(tile.sums + i * tile.stride, tile.columns, 1.0f);
  finishTile(product, tile);
}

static void compute(const Product &product) {
  bool needsScratch = product.type != MUON_F32;
  int64_t tileRows = product.isSymmetric ? symmetricTileRows(product.rows)
                     : needsScratch      ? kTileRows
                                         : product.rows;
  int64_t tileColumns = needsScratch ? kTileColumns : product.columns;

  for (int64_t row = 0; row < product.rows; row += tileRows) {
    for (int64_t column = product.isSymmetric ? row : 0;
         column < product.columns; column += tileColumns) {
      Tile tile = {row,
                   column,
                   std::min(tileRows, product.rows - row),
                   std::min(tileColumns, product.columns - column),
                   nullptr,
                   0};
      if (product.hasF32Result) {
        tile.stride = product.columns;
        tile.sums =
            static_cast<float *>(product.out) + row * tile.stride + column;
      } else {
        tile.stride = tile.columns;
        tile.sums = scratch.sums.get(tile.rows * tile.columns);
      }
      computeTile(product, tile, multiply);
    }
  }
}

/// The symmetric product in f32, for which BLAS computes one triangle itself.
static void computeBySyrk(const Product &product) {
  auto *sums = static_cast<float *>(product.out);
  cblas_ssyrk(CblasRowMajor, CblasUpper,
              product.a.isTransposed ? CblasTrans : CblasNoTrans,
              static_cast<blasint>(product.rows),
              static_cast<blasint>(product.depth), 1.0f,
              static_cast<const float *>(product.a.data),
              leading(product.a.stride), 0.0f, sums, leading(product.columns));
  finishTile(product,
             {0, 0, product.rows, product.columns, sums, product.columns});
}

static void computeOnAllThreads(const Product &product) {
  if (product.isSymmetric && product.type == MUON_F32 &&
      product.a.data == product.b.data && product.isMultiplied)
    computeBySyrk(product);
  else
    compute(product);
}

//===----------------------------------------------------------------------===//
// Tiles for one thread each
//===----------------------------------------------------------------------===//

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Tiles of a result: enough for several threads, and no smaller than needed
/// for that, since the operands are packed anew for each. A symmetric result is
/// cut into strips, which begin at the diagonal.
static std::vector<Tile> makeTiles(const Product &product) {
  const int64_t m = product.rows, n = product.columns;
  int64_t rows = std::min(kThreadTileRows, m);
  int64_t columns = kThreadTileRows * kThreadTileColumns / rows;
  if (product.isSymmetric) {
    rows = n < 1024 ? 64 : n < 2048 ? 128 : 256;
    columns = 2 * kThreadTileRows * kThreadTileColumns / rows;
  } else {
    constexpr int64_t numTiles = 8;
    columns = ceilDiv(std::min(columns, n), kBlock) * kBlock;
    while (ceilDiv(m, rows) * ceilDiv(n, columns) < numTiles &&
           (rows > kBlock || columns > 2 * kBlock)) {
      int64_t &larger = columns >= 2 * rows ? columns : rows;
      larger = ceilDiv(larger / 2, kBlock) * kBlock;
    }
  }

  std::vector<Tile> tiles;
  for (int64_t row = 0; row < m; row += rows)
    for (int64_t column = product.isSymmetric ? row : 0; column < n;
         column += columns) {
      int64_t width = std::min(columns, n - column);
      tiles.push_back(
          {row, column, std::min(rows, m - row), width, nullptr, width});
    }
  return tiles;
}

//===----------------------------------------------------------------------===//
// Stacks
//===----------------------------------------------------------------------===//

/// Computes product(i) for each i < batch, all of one shape. Threads call it at
/// once, so it is const.
template <typename GetProduct>
static void computeStack(int64_t batch, const GetProduct &product) {
  if (batch == 0)
    return;
  const Product first = product(0);
  if (!usesOneDnn(first.type)) {
    for (int64_t i = 0; i < batch; ++i)
      computeOnAllThreads(product(i));
    return;
  }
  const std::vector<Tile> tiles = makeTiles(first);
  const auto numTiles = static_cast<int64_t>(tiles.size());
  auto computePart = [&](int64_t i) {
    Tile tile = tiles[size_t(i % numTiles)];
    tile.sums = scratch.sums.get(tile.rows * tile.columns);
    computeTile(product(i / numTiles), tile, multiplyOnThread);
  };
  if (double(batch) * double(first.rows) * double(first.columns) *
          double(first.depth) >=
      double(kParallelMultiplications))
    return parallelFor(batch * numTiles, computePart);
  for (int64_t i = 0; i < batch * numTiles; ++i)
    computePart(i);
}

//===----------------------------------------------------------------------===//
// The functions of MuonHostApi
//===----------------------------------------------------------------------===//

static Product::Term makeTerm(double scale, float scaleOfMatrix,
                              const void *matrix) {
  // A constant of 0 means that there is no such term. One that has become 0
  // by rounding, or by a factor of 0, must not hide NaN.
  if (scale == 0)
    return {};
  return {scaleOfMatrix, matrix};
}

void muon::symmetricProduct(int32_t type, int32_t flags, int64_t batch,
                            int64_t n, int64_t k, double alpha, double beta,
                            const float *factor, const void *x,
                            const void *addend, void *out) {
  Product common = {};
  common.type = static_cast<MuonProductType>(type);
  common.isSymmetric = true;
  common.hasF32Result =
      storageSize(common.type) == 4 || (flags & MUON_F32_RESULT);
  common.isMultiplied = alpha != 0;
  common.rows = common.columns = n;
  common.depth = k;
  bool isRight = flags & MUON_RIGHT;
  int64_t resultSize = common.hasF32Result ? 4 : 2;
  computeStack(batch, [=](int64_t i) {
    Product product = common;
    double f = flags & MUON_HAS_FACTOR ? factor[i] : 1.0;
    const void *matrix = advance(x, i * n * k, product.type);
    product.a = {matrix, isRight ? n : k, isRight};
    product.b = {matrix, isRight ? n : k, !isRight};
    product.scale = static_cast<float>(alpha * f * f);
    if (flags & MUON_HAS_ADDEND)
      product.terms[0] = makeTerm(beta, static_cast<float>(beta),
                                  advance(addend, i * n * n, product.type));
    product.out = static_cast<char *>(out) + i * n * n * resultSize;
    return product;
  });
}

void muon::commutingProduct(int32_t type, int64_t batch, int64_t n,
                            double alpha, double lhsShift, double rhsShift,
                            const void *lhs, const void *rhs, void *out) {
  Product common = {};
  common.type = static_cast<MuonProductType>(type);
  common.isSymmetric = true;
  common.hasF32Result = storageSize(common.type) == 4;
  common.isMultiplied = alpha != 0;
  common.rows = common.columns = common.depth = n;
  common.scale = static_cast<float>(alpha);
  common.diagonal = static_cast<float>(alpha * lhsShift * rhsShift);
  double shareOfLhs = alpha * rhsShift, shareOfRhs = alpha * lhsShift;
  computeStack(batch, [=](int64_t i) {
    Product product = common;
    product.a = {advance(lhs, i * n * n, product.type), n, false};
    product.b = {advance(rhs, i * n * n, product.type), n, false};
    product.terms[0] =
        makeTerm(shareOfLhs, static_cast<float>(shareOfLhs), product.a.data);
    product.terms[1] =
        makeTerm(shareOfRhs, static_cast<float>(shareOfRhs), product.b.data);
    product.out = const_cast<void *>(advance(out, i * n * n, product.type));
    return product;
  });
}

void muon::symmetricApply(int32_t type, int32_t flags, int64_t batch, int64_t m,
                          int64_t n, double alpha, double beta,
                          const float *factor, const void *s, const void *x,
                          void *out) {
  Product common = {};
  common.type = static_cast<MuonProductType>(type);
  common.hasF32Result =
      storageSize(common.type) == 4 || (flags & MUON_F32_RESULT);
  common.isMultiplied = alpha != 0;
  bool isRight = flags & MUON_RIGHT;
  common.rows = isRight ? n : m;
  common.columns = isRight ? m : n;
  common.depth = m;
  int64_t resultSize = common.hasF32Result ? 4 : 2;
  computeStack(batch, [=](int64_t i) {
    Product product = common;
    double f = flags & MUON_HAS_FACTOR ? factor[i] : 1.0;
    Operand left = {advance(s, i * m * m, product.type), m, false};
    Operand right = {advance(x, i * m * n, product.type), product.columns,
                     false};
    product.a = isRight ? right : left;
    product.b = isRight ? left : right;
    product.scale = static_cast<float>(f * alpha);
    product.terms[0] = makeTerm(beta, static_cast<float>(f * beta), right.data);
    product.out = static_cast<char *>(out) + i * m * n * resultSize;
    return product;
  });
}
