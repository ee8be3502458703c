//===- ProductChain.cpp - Chains of symmetric products -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ProductChain.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace mlir::muon;

double muon::boundOverSpectrum(llvm::function_ref<double(double)> f) {
  // What named schedules leave of ‖X‖₂ is 1.2, but up to 2 where a singular
  // value of 1 is at the edge of their range, which the bit left to rounding
  // covers. One that diverges overflows, in f16 earlier than elsewhere.
  constexpr double kSigma = 1.5;
  constexpr int kSamples = 256;
  double most = 0.0;
  for (int i = 0; i <= kSamples; ++i)
    most = std::max(most, std::abs(f(kSigma * kSigma * i / kSamples)));
  return most;
}

ProductChain::ProductChain(OpBuilder &builder, Location loc, RankedTensorType x,
                           Side side, bool tf32)
    : builder(builder), loc(loc), side(SideAttr::get(x.getContext(), side)),
      tf32(tf32) {
  int64_t m = x.getDimSize(side == Side::Left ? 1 : 2);
  type = RankedTensorType::get({x.getDimSize(0), m, m}, x.getElementType());
}

double ProductChain::getScale(double bound) const {
  // All other types have the range of f32. No element of a symmetric matrix
  // exceeds its norm; one bit is left to rounding.
  if (!type.getElementType().isF16() || !(bound > 0.0) || !std::isfinite(bound))
    return 1.0;
  // At most 2^20: f16 has no use for more.
  return std::ldexp(1.0, std::clamp(14 - std::ilogb(bound), -20, 20));
}

Value ProductChain::square() {
  return tensor::EmptyOp::create(builder, loc, type.getShape(),
                                 type.getElementType());
}

ScaledMatrix ProductChain::gram(Value x, ValueRange factor, double alpha) {
  double scale =
      getScale(boundOverSpectrum([&](double r) { return alpha * r; }));
  auto op = SymmetricProductOp::create(builder, loc, x, /*addend=*/ValueRange(),
                                       factor, square(), number(scale * alpha),
                                       number(0.0), getTF32(), side);
  return {op.getResult(0), scale};
}

ScaledMatrix ProductChain::polynomial(ScaledMatrix r, double b, double c) {
  double scale =
      getScale(boundOverSpectrum([&](double x) { return x * (b + x * c); }));
  // R is symmetric, so R² = RRᵀ whatever the side of X.
  auto op = SymmetricProductOp::create(
      builder, loc, r.value, r.value, /*factor=*/ValueRange(), square(),
      number(scale * c / (r.scale * r.scale)), number(scale * b / r.scale),
      getTF32(), SideAttr::get(builder.getContext(), Side::Left));
  return {op.getResult(0), scale};
}

ScaledMatrix ProductChain::commuting(ScaledMatrix lhs, double lhsShift,
                                     ScaledMatrix rhs, double rhsShift,
                                     double bound) {
  double scale = getScale(bound);
  auto op = CommutingProductOp::create(
      builder, loc, lhs.value, rhs.value, square(),
      number(scale / (lhs.scale * rhs.scale)), number(lhs.scale * lhsShift),
      number(rhs.scale * rhsShift), getTF32());
  return {op.getResult(0), scale};
}

Value ProductChain::apply(ScaledMatrix s, double shift, Value x,
                          ValueRange factor, Value out) {
  return SymmetricApplyOp::create(builder, loc, s.value, x, factor, out,
                                  number(1.0 / s.scale), number(shift),
                                  getTF32(), side)
      .getResult(0);
}
