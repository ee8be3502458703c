//===- StepArithmetic.h - Arithmetic of an optimizer step -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The formulas of a step, for whoever lowers it: scalars in, scalars out.
// Names ending in 64 are f64; elements and what multiplies them are f32.
// Results that are stored in a narrower type are not rounded to it here.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_CONVERSION_STEPARITHMETIC_H
#define MUON_MLIR_LIB_CONVERSION_STEPARITHMETIC_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Builders.h"
#include "muon-mlir/Dialect/Muon/IR/MuonAttributes.h"
#include <utility>

namespace mlir::muon {

/// Short names for scalar arithmetic at one location.
struct Arith {
  OpBuilder &b;
  Location loc;

  Value constant(Type type, double value) const {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value));
  }
  Value f32(double value) const { return constant(b.getF32Type(), value); }
  Value f64(double value) const { return constant(b.getF64Type(), value); }
  Value index(int64_t value) const {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value i64(int64_t value) const {
    return arith::ConstantIntOp::create(b, loc, value, 64);
  }
  Value add(Value x, Value y) const {
    return arith::AddFOp::create(b, loc, x, y);
  }
  Value sub(Value x, Value y) const {
    return arith::SubFOp::create(b, loc, x, y);
  }
  Value mul(Value x, Value y) const {
    return arith::MulFOp::create(b, loc, x, y);
  }
  Value div(Value x, Value y) const {
    return arith::DivFOp::create(b, loc, x, y);
  }
  Value sqrt(Value x) const { return math::SqrtOp::create(b, loc, x); }
  Value less(Value x, Value y) const {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, y);
  }
  Value select(Value condition, Value x, Value y) const {
    return arith::SelectOp::create(b, loc, condition, x, y);
  }
  Value load(Value buffer, ValueRange indices = {}) const {
    return memref::LoadOp::create(b, loc, buffer, indices);
  }
  void store(Value value, Value buffer, ValueRange indices = {}) const {
    memref::StoreOp::create(b, loc, value, buffer, indices);
  }
  /// `value` in floating-point type `type`, exactly or rounded to nearest.
  Value cast(Value value, Type type) const {
    unsigned from = value.getType().getIntOrFloatBitWidth();
    unsigned to = type.getIntOrFloatBitWidth();
    if (from < to)
      return arith::ExtFOp::create(b, loc, type, value);
    if (from > to)
      return arith::TruncFOp::create(b, loc, type, value);
    return value;
  }
  Value toF32(Value value) const { return cast(value, b.getF32Type()); }
  Value toF64(Value value) const { return cast(value, b.getF64Type()); }

  /// 2^exponent for an i64 exponent in the normal range of `type`.
  Value exp2(Value exponent, Type type) const {
    bool isDouble = type.isF64();
    Value biased =
        arith::AddIOp::create(b, loc, exponent, i64(isDouble ? 1023 : 127));
    Value bits = arith::ShLIOp::create(b, loc, biased, i64(isDouble ? 52 : 23));
    if (!isDouble)
      bits = arith::TruncIOp::create(b, loc, b.getI32Type(), bits);
    return arith::BitcastOp::create(b, loc, type, bits);
  }
};

//===----------------------------------------------------------------------===//
// Sums and norms
//===----------------------------------------------------------------------===//

/// sum64 + value², in f64.
Value addSquare(const Arith &arith, Value sum64, Value value);

/// Sum of squares of scale·x, from that of x.
Value createScaledSum(const Arith &arith, Value sum64, double scale);

/// Whether the step is to be done: if `skipNonfinite`, whether the sum of
/// squares of all gradients and momenta is finite.
Value createOk(const Arith &arith, Value total64, bool skipNonfinite);

/// The factor κ of gradients whose sum of squares is `gradients64`: min(1,
/// limit / (‖G‖ + 1e-6)), and 1 if the norm is not finite or `limit` is null.
Value createClip(const Arith &arith, Value gradients64, Value limit);

/// 1 / (safety·√sum + eps·unit), at most 2⁶²; 0 for a sum of 0, NaN for one
/// that is not finite.
Value createFactor(const Arith &arith, Value sum64, Value unit64, double safety,
                   double eps);

//===----------------------------------------------------------------------===//
// Momentum
//===----------------------------------------------------------------------===//

/// U = momentum64·M + gradient64·G, with the old M.
struct UpdateWeights {
  Value momentum64, gradient64;
};
UpdateWeights createUpdateWeights(const Arith &arith, Value beta64,
                                  Value clip64, MomentumForm form,
                                  bool nesterov);

/// The power of two, f64, by which U of one matrix is multiplied to be in range
/// of X, from the sums of squares of G and the old M. `isHalf`: X is f16.
Value createUnit(const Arith &arith, const UpdateWeights &weights,
                 Value gradientSum64, Value momentumSum64, bool isHalf);

/// Two f32 powers of two whose product is `unit64`, which may be out of range
/// of f32 itself.
std::pair<Value, Value> splitUnit(const Arith &arith, Value unit64);

/// What κG is multiplied by before it is added to βM.
Value createGradientWeight(const Arith &arith, Value beta, MomentumForm form);

/// What createMomentum() needs that is the same for all elements of a matrix.
struct MomentumScalars {
  Value beta;
  /// κ, or null for 1.
  Value clip;
  /// Of createGradientWeight(); used for MomentumForm::Ema alone.
  Value gradientWeight;
  /// Of splitUnit().
  Value low, high;
};
/// The new M and unit·U.
struct MomentumElement {
  Value momentum, x;
};
MomentumElement createMomentum(const Arith &arith, Value gradient,
                               Value momentum, const MomentumScalars &scalars,
                               MomentumForm form, bool nesterov);

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// 1 − lr·λ, computed in f64, as f32.
Value createDecay(const Arith &arith, Value lr64, Value weightDecay64);

/// lr·scale, computed in f64, as f32.
Value createRate(const Arith &arith, Value lr64, Value scale64);

/// decay·W − rate·update.
Value createNextWeight(const Arith &arith, Value decay, Value old, Value rate,
                       Value update);

//===----------------------------------------------------------------------===//
// AdamW
//===----------------------------------------------------------------------===//

/// 1 / (1 − βᵗ), computed in f64, as f32, from `power64` = βᵗ.
Value createBiasCorrection(const Arith &arith, Value power64);

/// What createAdamW() needs that is the same for all elements. Constants are
/// f32 attributes, which become operations, or values.
struct AdamWScalars {
  /// β and 1 − β, each rounded from f64.
  OpFoldResult beta1, rest1, beta2, rest2;
  OpFoldResult eps;
  /// κ, or null for 1.
  Value clip;
  /// Of createBiasCorrection().
  Value correction1, correction2;
};
/// The new moments and (m·correction1) / (√(v·correction2) + eps).
struct AdamWElement {
  Value m, v, update;
};
AdamWElement createAdamW(const Arith &arith, Value gradient, Value m, Value v,
                         const AdamWScalars &scalars);

} // namespace mlir::muon

#endif // MUON_MLIR_LIB_CONVERSION_STEPARITHMETIC_H
