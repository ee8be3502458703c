//===- StepArithmetic.cpp - Arithmetic of an optimizer step -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StepArithmetic.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::muon;

//===----------------------------------------------------------------------===//
// Sums and norms
//===----------------------------------------------------------------------===//

Value muon::addSquare(const Arith &arith, Value sum64, Value value) {
  Value wide = arith.toF64(value);
  return arith.add(sum64, arith.mul(wide, wide));
}

Value muon::createScaledSum(const Arith &arith, Value sum64, double scale) {
  return arith.mul(sum64, arith.f64(scale * scale));
}

/// Sums of squares are not negative: their total is finite if and only if each
/// is.
static Value isFiniteSum(const Arith &arith, Value sum64) {
  return arith.less(sum64, arith.f64(std::numeric_limits<double>::infinity()));
}

Value muon::createOk(const Arith &arith, Value total64, bool skipNonfinite) {
  if (!skipNonfinite)
    return arith::ConstantIntOp::create(arith.b, arith.loc, 1, 1);
  return isFiniteSum(arith, total64);
}

Value muon::createClip(const Arith &arith, Value gradients64, Value limit) {
  Value one32 = arith.f32(1.0);
  if (!limit)
    return one32;
  Value limit64 = arith.toF64(limit);
  Value norm = arith.sqrt(gradients64);
  Value ratio = arith.div(limit64, arith.add(norm, arith.f64(1e-6)));
  Value one = arith.f64(1.0);
  Value clamped = arith.select(arith.less(ratio, one), ratio, one);
  Value isFinite = isFiniteSum(arith, gradients64);
  return arith.select(isFinite, arith.toF32(clamped), one32);
}

Value muon::createFactor(const Arith &arith, Value sum64, Value unit64,
                         double safety, double eps) {
  Value safetyValue = arith.f64(safety);
  Value bound = arith.mul(safetyValue, arith.sqrt(sum64));
  Value norm = arith.add(bound, arith.mul(arith.f64(eps), unit64));
  Value factor = arith.toF32(arith.div(arith.f64(1.0), norm));
  // A norm that is not finite has to show in the result: a factor of 0 would
  // make BLAS skip the product.
  Value isFinite = isFiniteSum(arith, sum64);
  Value nan = arith.f32(std::numeric_limits<double>::quiet_NaN());
  // Its square has to be in range of f32 too.
  Value most = arith.f32(std::ldexp(1.0, 62));
  factor = arith.select(arith.less(most, factor), most, factor);
  factor = arith.select(isFinite, factor, nan);
  Value isZero = arith::CmpFOp::create(
      arith.b, arith.loc, arith::CmpFPredicate::OEQ, sum64, arith.f64(0.0));
  return arith.select(isZero, arith.f32(0.0), factor);
}

//===----------------------------------------------------------------------===//
// Momentum
//===----------------------------------------------------------------------===//

UpdateWeights muon::createUpdateWeights(const Arith &arith, Value beta64,
                                        Value clip64, MomentumForm form,
                                        bool nesterov) {
  // U = p·M + q·κ·G.
  Value one = arith.f64(1.0), p = beta64, q = one;
  bool isEma = form == MomentumForm::Ema;
  if (nesterov) {
    p = arith.mul(beta64, beta64);
    q = isEma ? arith.sub(one, p) : arith.add(one, beta64);
  } else if (isEma) {
    q = arith.sub(one, beta64);
  }
  return {p, arith.mul(q, clip64)};
}

Value muon::createUnit(const Arith &arith, const UpdateWeights &weights,
                       Value gradientSum64, Value momentumSum64, bool isHalf) {
  OpBuilder &b = arith.b;
  Location loc = arith.loc;
  Value momentum = arith.mul(weights.momentum64, arith.sqrt(momentumSum64));
  Value gradient = arith.mul(weights.gradient64, arith.sqrt(gradientSum64));
  Value bound = arith.add(momentum, gradient);
  // The exponent field e of the bound gives bound < 2^(e − 1022). Clamped to
  // what a sum of squares of f32 can give, which 0, ∞ and NaN are outside of.
  // An f16 X uses the upper half of its range.
  Value bits = arith::BitcastOp::create(b, loc, b.getI64Type(), bound);
  Value field = arith::ShRUIOp::create(b, loc, bits, arith.i64(52));
  Value k = arith::SubIOp::create(b, loc, field,
                                  arith.i64(isHalf ? 1022 + 14 : 1022));
  k = arith::MaxSIOp::create(b, loc, k, arith.i64(-250));
  k = arith::MinSIOp::create(b, loc, k, arith.i64(250));
  Value minusK = arith::SubIOp::create(b, loc, arith.i64(0), k);
  return arith.exp2(minusK, b.getF64Type());
}

std::pair<Value, Value> muon::splitUnit(const Arith &arith, Value unit64) {
  OpBuilder &b = arith.b;
  Location loc = arith.loc;
  Value bits = arith::BitcastOp::create(b, loc, b.getI64Type(), unit64);
  Value field = arith::ShRUIOp::create(b, loc, bits, arith.i64(52));
  Value exponent = arith::SubIOp::create(b, loc, field, arith.i64(1023));
  Value half = arith::ShRSIOp::create(b, loc, exponent, arith.i64(1));
  Value rest = arith::SubIOp::create(b, loc, exponent, half);
  return {arith.exp2(half, b.getF32Type()), arith.exp2(rest, b.getF32Type())};
}

Value muon::createGradientWeight(const Arith &arith, Value beta,
                                 MomentumForm form) {
  Value one = arith.f32(1.0);
  return form == MomentumForm::Ema ? arith.sub(one, beta) : one;
}

MomentumElement muon::createMomentum(const Arith &arith, Value gradient,
                                     Value momentum,
                                     const MomentumScalars &scalars,
                                     MomentumForm form, bool nesterov) {
  Value share = gradient;
  if (scalars.clip)
    share = arith.mul(scalars.clip, share);
  if (form == MomentumForm::Ema)
    share = arith.mul(scalars.gradientWeight, share);
  Value next = arith.add(arith.mul(scalars.beta, momentum), share);
  // U is formed from operands that are already half scaled, so that it is in
  // range where M and G are, whatever their sum.
  Value x = arith.mul(next, scalars.low);
  if (nesterov) {
    Value old = arith.mul(scalars.beta, x);
    x = arith.add(old, arith.mul(share, scalars.low));
  }
  return {next, arith.mul(x, scalars.high)};
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

Value muon::createDecay(const Arith &arith, Value lr64, Value weightDecay64) {
  Value one = arith.f64(1.0);
  return arith.toF32(arith.sub(one, arith.mul(lr64, weightDecay64)));
}

Value muon::createRate(const Arith &arith, Value lr64, Value scale64) {
  return arith.toF32(arith.mul(lr64, scale64));
}

Value muon::createNextWeight(const Arith &arith, Value decay, Value old,
                             Value rate, Value update) {
  Value kept = arith.mul(decay, old);
  return arith.sub(kept, arith.mul(rate, update));
}

//===----------------------------------------------------------------------===//
// AdamW
//===----------------------------------------------------------------------===//

Value muon::createBiasCorrection(const Arith &arith, Value power64) {
  Value one = arith.f64(1.0);
  return arith.toF32(arith.div(one, arith.sub(one, power64)));
}

static Value getValue(const Arith &arith, OpFoldResult constant) {
  if (auto value = dyn_cast<Value>(constant))
    return value;
  return arith::ConstantOp::create(arith.b, arith.loc,
                                   cast<FloatAttr>(cast<Attribute>(constant)));
}

/// beta·old + rest·value.
static Value createAverage(const Arith &arith, OpFoldResult beta,
                           OpFoldResult rest, Value old, Value value) {
  Value kept = arith.mul(getValue(arith, beta), old);
  return arith.add(kept, arith.mul(getValue(arith, rest), value));
}

AdamWElement muon::createAdamW(const Arith &arith, Value gradient, Value m,
                               Value v, const AdamWScalars &scalars) {
  Value g = gradient;
  if (scalars.clip)
    g = arith.mul(scalars.clip, g);
  m = createAverage(arith, scalars.beta1, scalars.rest1, m, g);
  Value square = arith.mul(g, g);
  v = createAverage(arith, scalars.beta2, scalars.rest2, v, square);
  Value direction = arith.mul(m, scalars.correction1);
  Value length = arith.sqrt(arith.mul(v, scalars.correction2));
  length = arith.add(length, getValue(arith, scalars.eps));
  return {m, v, arith.div(direction, length)};
}
