//===- ExecuteTensor.cpp - Matrices of a warp -----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which lane holds which element: "Warp-level Matrix Instructions" of the PTX
// ISA. Products are exact, sums are taken in the order of k with one f32
// rounding each; tensor cores add in another order and precision.
//
//===----------------------------------------------------------------------===//

#include "Access.h"
#include "Execute.h"
#include "Numbers.h"

using namespace muon::ptxsim;

namespace {

using M = Modifier;

/// Instructions with .aligned need all lanes of the warp at once. True if they
/// are there; else the fragment waits for the rest, or it is a finding.
bool isWhole(Context &c) {
  if (c.mask != c.lanes) {
    report(c, FindingKind::WarpDivergence, __builtin_ctz(c.lanes & ~c.mask),
           "all lanes of the warp have to execute it, but its predicate is "
           "false in " +
               lanesText(c.lanes & ~c.mask));
    return true;
  }
  if (c.lanes != c.warp->live) {
    waitForLanes(c);
    return false;
  }
  if (c.lanes != ~uint32_t(0))
    report(c, FindingKind::WarpDivergence, __builtin_ctz(~c.lanes),
           "all lanes of the warp have to execute it, but " +
               lanesText(~c.lanes) + " have exited or do not exist");
  return true;
}

//===----------------------------------------------------------------------===//
// mma
//===----------------------------------------------------------------------===//

/// d (16×8) += a (16×k) · b (k×8).
__attribute__((target_clones("avx2", "default"))) void
multiply(float (*d)[8], const float (*a)[16], const float (*b)[8],
         unsigned depth) {
  for (unsigned i = 0; i < 16; ++i) {
    float sum[8];
    for (unsigned j = 0; j < 8; ++j)
      sum[j] = d[i][j];
    for (unsigned k = 0; k < depth; ++k)
      for (unsigned j = 0; j < 8; ++j)
        sum[j] += a[i][k] * b[k][j];
    for (unsigned j = 0; j < 8; ++j)
      d[i][j] = sum[j];
  }
}

enum class Format : uint32_t { F16, BF16, TF32 };

/// The 32 lanes of a register as numbers: 64 of 16 bits or 32 of 32 bits, which
/// are an 8×8 or 8×4 tile row by row.
template <Format format>
inline void widen(const uint32_t *lanes, float *tile) {
  if (format == Format::TF32) {
    for (unsigned l = 0; l < warpSize; ++l)
      tile[l] = fromBits<float>(lanes[l] & 0xffffe000u);
    return;
  }
  uint16_t halves[2 * warpSize];
  std::memcpy(halves, lanes, sizeof(halves));
  for (unsigned i = 0; i < 2 * warpSize; ++i)
    tile[i] = format == Format::F16 ? fromF16(halves[i]) : fromBF16(halves[i]);
}

uint32_t checkAll(Context &c, const Op &op, size_t from, uint32_t &origin) {
  uint32_t lost = 0;
  for (size_t i = from; i < op.elements.size(); ++i)
    if (uint32_t own = c.undefined[op.elements[i].reg] & c.mask) {
      origin = c.frame->origins[op.elements[i].reg];
      if (passesUndefined(c))
        lost |= own;
      else
        useUndefined(c, op.elements[i].reg, own, "as an operand");
    }
  // An element of the result depends on a row and a column: on many lanes.
  return lost ? ~uint32_t(0) : 0;
}

/// m16n8k{4,8,16}; each register of A and B holds `perRegister` elements.
template <Format format, unsigned depth, bool halfAccumulator>
void mma16x8(Context &c, const Op &op) {
  if (!isWhole(c))
    return;
  constexpr unsigned per = format == Format::TF32 ? 1 : 2;
  constexpr unsigned accumulators = halfAccumulator ? 2 : 4;
  constexpr unsigned aRegisters = 16 * depth / (32 * per);
  constexpr unsigned bRegisters = 8 * depth / (32 * per);
  // Columns of A (rows of B) that one row of a register's 8×4 lanes covers.
  constexpr unsigned span = 4 * per;
  uint32_t origin = 0;
  uint32_t lost = checkAll(c, op, accumulators, origin);
  float a[16][16], b[16][8], d[16][8];
  const Ref *refs = op.elements.data();
  for (unsigned r = 0; r < aRegisters; ++r) {
    float tile[8 * span];
    widen<format>(c.lane<uint32_t>(refs[accumulators + r].offset), tile);
    for (unsigned row = 0; row < 8; ++row)
      std::memcpy(&a[(r & 1) * 8 + row][(r >> 1) * span], tile + row * span,
                  span * sizeof(float));
  }
  for (unsigned r = 0; r < bRegisters; ++r) {
    // The tile has the columns of B as rows.
    float tile[8 * span];
    widen<format>(c.lane<uint32_t>(refs[accumulators + aRegisters + r].offset),
                  tile);
    for (unsigned k = 0; k < span; ++k)
      for (unsigned column = 0; column < 8; ++column)
        b[r * span + k][column] = tile[column * span + k];
  }
  const Ref *sums = refs + accumulators + aRegisters + bRegisters;
  for (unsigned r = 0; r < accumulators; ++r) {
    if (halfAccumulator) {
      widen<Format::F16>(c.lane<uint32_t>(sums[r].offset), d[r * 8]);
    } else {
      // Two registers have the even and the odd columns of eight rows.
      const float *lanes = c.lane<float>(sums[r].offset);
      float *to = d[(r >> 1) * 8] + (r & 1);
      for (unsigned l = 0; l < warpSize; ++l)
        to[2 * l] = lanes[l];
    }
  }
  multiply(d, a, b, depth);
  for (unsigned r = 0; r < accumulators; ++r) {
    uint32_t result[warpSize];
    if (halfAccumulator) {
      const float *from = d[r * 8];
      for (unsigned l = 0; l < warpSize; ++l)
        result[l] = toF16(from[2 * l]) | uint32_t(toF16(from[2 * l + 1])) << 16;
    } else {
      const float *from = d[(r >> 1) * 8] + (r & 1);
      for (unsigned l = 0; l < warpSize; ++l)
        result[l] =
            from[2 * l] == from[2 * l] ? rawBits(from[2 * l]) : 0x7fffffffu;
    }
    put(c.lane<uint32_t>(refs[r].offset), result, c.mask);
    if (lost)
      spoil<uint32_t>(c, refs[r], lost, origin);
    else
      setDefined(c, refs[r].reg);
  }
  uint64_t flops = 2ull * 16 * 8 * depth;
  auto &counted = c.block->counters.tensorFlops;
  (format == Format::F16    ? counted.f16
   : format == Format::BF16 ? counted.bf16
                            : counted.tf32) += flops;
}

void mma8x8F64(Context &c, const Op &op) {
  if (!isWhole(c))
    return;
  uint32_t origin = 0;
  uint32_t lost = checkAll(c, op, 2, origin);
  const Ref *refs = op.elements.data();
  const double *a = c.lane<double>(refs[2].offset);
  const double *b = c.lane<double>(refs[3].offset);
  double result[2][warpSize];
  for (unsigned r = 0; r < 2; ++r)
    for (unsigned l = 0; l < warpSize; ++l) {
      double sum = c.lane<double>(refs[4 + r].offset)[l];
      unsigned row = l / 4, column = (l % 4) * 2 + r;
      for (unsigned k = 0; k < 4; ++k)
        sum = fmaF64(a[row * 4 + k], b[column * 4 + k], sum, Rounding::Nearest);
      result[r][l] = sum;
    }
  for (unsigned r = 0; r < 2; ++r) {
    put(c.lane<double>(refs[r].offset), result[r], c.mask);
    if (lost)
      spoil<uint64_t>(c, refs[r], lost, origin);
    else
      setDefined(c, refs[r].reg);
  }
  c.block->counters.tensorFlops.f64 += 2ull * 8 * 8 * 4;
}

Handler selectMma(const Instruction &instruction) {
  Type accumulator = instruction.types[0], operand = instruction.types[1];
  if (operand == Type::F64)
    return mma8x8F64;
  bool half = accumulator == Type::F16;
  bool deep = instruction.has(M::M16n8k16);
  switch (operand) {
  case Type::F16:
    if (half)
      return deep ? mma16x8<Format::F16, 16, true>
                  : mma16x8<Format::F16, 8, true>;
    return deep ? mma16x8<Format::F16, 16, false>
                : mma16x8<Format::F16, 8, false>;
  case Type::BF16:
    return deep ? mma16x8<Format::BF16, 16, false>
                : mma16x8<Format::BF16, 8, false>;
  default:
    return instruction.has(M::M16n8k8) ? mma16x8<Format::TF32, 8, false>
                                       : mma16x8<Format::TF32, 4, false>;
  }
}

//===----------------------------------------------------------------------===//
// ldmatrix, movmatrix
//===----------------------------------------------------------------------===//

/// A lane gets elements 2i and 2i+1 of a row, or of a column, of an 8×8 matrix.
uint32_t fragmentOf(const uint16_t (*matrix)[8], unsigned lane,
                    bool transpose) {
  unsigned first = lane / 4, second = (lane % 4) * 2;
  if (transpose)
    return matrix[second][first] | uint32_t(matrix[second + 1][first]) << 16;
  return matrix[first][second] | uint32_t(matrix[first][second + 1]) << 16;
}

void loadMatrices(Context &c, const Op &op) {
  if (!isWhole(c))
    return;
  unsigned count = unsigned(op.elements.size());
  bool transpose = op.source->has(M::Trans);
  uint32_t all = c.mask;
  // Eight lanes give the addresses of the rows of a matrix.
  c.mask = count == 4 ? all : all & ((uint32_t(1) << (8 * count)) - 1);
  LaneAccess access;
  computeAddresses(c, op.args[0], op.offset, access);
  if (op.space == Space::Generic)
    for (unsigned l = 0; l < warpSize; ++l)
      if (access.mask >> l & 1 &&
          (access.addresses[l] & ~(windowSize - 1)) != sharedWindow) {
        report(c, FindingKind::OutOfBounds, int(l),
               "expected an address of shared memory", Space::Generic,
               access.addresses[l]);
        access.mask &= ~(uint32_t(1) << l);
      }
  AccessKind read;
  read.reads = true;
  resolve(c, op.space, 16, read, access);
  c.mask = all;
  for (unsigned m = 0; m < count; ++m) {
    uint16_t matrix[8][8] = {}, shadow[8][8] = {};
    for (unsigned row = 0; row < 8; ++row) {
      unsigned l = 8 * m + row;
      if (!(access.mask >> l & 1))
        continue;
      std::memcpy(matrix[row], access.data[l], 16);
      if (access.shadow[l])
        std::memcpy(shadow[row], access.shadow[l], 16);
    }
    uint32_t values[warpSize], bits[warpSize];
    for (unsigned l = 0; l < warpSize; ++l) {
      values[l] = fragmentOf(matrix, l, transpose);
      bits[l] = fragmentOf(shadow, l, transpose);
    }
    const Ref &ref = op.elements[m];
    if (!ref)
      continue;
    put(c.lane<uint32_t>(ref.offset), values, c.mask);
    setUndefinedBits(c, ref, bits, op.line);
  }
}

void moveMatrix(Context &c, const Op &op) {
  if (!isWhole(c))
    return;
  const Ref &d = op.args[0], &a = op.args[1];
  uint16_t matrix[8][8], shadow[8][8];
  uint32_t undefined[warpSize];
  undefinedBits(c, a, undefined);
  uint32_t origin = c.frame->origins[a.reg];
  for (unsigned l = 0; l < warpSize; ++l)
    for (unsigned i = 0; i < 2; ++i) {
      matrix[l / 4][(l % 4) * 2 + i] =
          uint16_t(c.lane<uint32_t>(a.offset)[l] >> (16 * i));
      shadow[l / 4][(l % 4) * 2 + i] = uint16_t(undefined[l] >> (16 * i));
    }
  uint32_t values[warpSize], bits[warpSize];
  for (unsigned l = 0; l < warpSize; ++l) {
    values[l] = fragmentOf(matrix, l, true);
    bits[l] = fragmentOf(shadow, l, true);
  }
  put(c.lane<uint32_t>(d.offset), values, c.mask);
  setUndefinedBits(c, d, bits, origin);
}

} // namespace

Handler muon::ptxsim::selectTensor(const Instruction &instruction, Op &) {
  switch (instruction.opcode()) {
  case Opcode::Mma:
    return selectMma(instruction);
  case Opcode::LdMatrix:
    return loadMatrices;
  case Opcode::MovMatrix:
    return moveMatrix;
  default:
    return nullptr;
  }
}
