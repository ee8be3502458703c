//===- MuonToRuntime.cpp - Products to calls of the runtime -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Runtime/HostApi.h"

namespace mlir::muon {
#define GEN_PASS_DEF_CONVERTMUONTORUNTIMEPASS
#include "muon-mlir/Conversion/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

/// The runtime's name of a product's arithmetic.
static int32_t getType(Value operand, bool tf32) {
  Type type = getElementTypeOrSelf(operand.getType());
  if (type.isBF16())
    return MUON_BF16;
  if (type.isF16())
    return MUON_F16;
  return tf32 ? MUON_TF32 : MUON_F32;
}

static int64_t getDim(Value batch, unsigned dim) {
  return cast<MemRefType>(batch.getType()).getDimSize(dim);
}

namespace {

/// Collects the arguments of one call.
class CallBuilder {
public:
  CallBuilder(OpBuilder &builder, Location loc) : b(builder), loc(loc) {}

  CallBuilder &i32(int32_t value) {
    return add(arith::ConstantIntOp::create(b, loc, value, 32));
  }
  CallBuilder &i64(int64_t value) {
    return add(arith::ConstantIntOp::create(b, loc, value, 64));
  }
  CallBuilder &f64(const APFloat &value) {
    return add(arith::ConstantOp::create(
        b, loc, b.getF64FloatAttr(value.convertToDouble())));
  }
  CallBuilder &add(Value value) {
    arguments.push_back(value);
    return *this;
  }
  /// The one value of a group, or something that is not read in its place.
  CallBuilder &addOr(ValueRange group, Value otherwise) {
    return add(group.empty() ? otherwise : group.front());
  }
  void call(StringRef callee) { HostCallOp::create(b, loc, callee, arguments); }

private:
  OpBuilder &b;
  Location loc;
  SmallVector<Value> arguments;
};

struct LowerSymmetricProduct : public OpRewritePattern<SymmetricProductOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SymmetricProductOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Value x = op.getX().front();
    bool isRight = op.getSide() == Side::Right;
    // An addend that counts 0 times is not read.
    bool hasAddend = !op.getAddend().empty() && !op.getBeta().isZero();
    int32_t flags = (isRight ? MUON_RIGHT : 0) |
                    (op.getFactor().empty() ? 0 : MUON_HAS_FACTOR) |
                    (hasAddend ? MUON_HAS_ADDEND : 0);
    CallBuilder(rewriter, op.getLoc())
        .i32(getType(x, op.getTf32()))
        .i32(flags)
        .i64(getDim(x, 0))
        .i64(getDim(x, isRight ? 2 : 1))
        .i64(getDim(x, isRight ? 1 : 2))
        .f64(op.getAlpha())
        .f64(op.getBeta())
        .addOr(op.getFactor(), x)
        .add(x)
        .addOr(hasAddend ? op.getAddend() : ValueRange(), x)
        .add(op.getOut().front())
        .call("symmetric_product");
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerCommutingProduct : public OpRewritePattern<CommutingProductOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(CommutingProductOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Value lhs = op.getLhs().front();
    CallBuilder(rewriter, op.getLoc())
        .i32(getType(lhs, op.getTf32()))
        .i64(getDim(lhs, 0))
        .i64(getDim(lhs, 1))
        .f64(op.getAlpha())
        .f64(op.getLhsShift())
        .f64(op.getRhsShift())
        .add(lhs)
        .add(op.getRhs().front())
        .add(op.getOut().front())
        .call("commuting_product");
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerSymmetricApply : public OpRewritePattern<SymmetricApplyOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SymmetricApplyOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Value x = op.getX().front(), out = op.getOut().front();
    bool isRight = op.getSide() == Side::Right;
    bool isF32 = getElementTypeOrSelf(out.getType()).isF32();
    int32_t flags = (isRight ? MUON_RIGHT : 0) |
                    (op.getFactor().empty() ? 0 : MUON_HAS_FACTOR) |
                    (isF32 ? MUON_F32_RESULT : 0);
    CallBuilder(rewriter, op.getLoc())
        .i32(getType(x, op.getTf32()))
        .i32(flags)
        .i64(getDim(x, 0))
        .i64(getDim(x, isRight ? 2 : 1))
        .i64(getDim(x, isRight ? 1 : 2))
        .f64(op.getAlpha())
        .f64(op.getBeta())
        .addOr(op.getFactor(), x)
        .add(op.getS().front())
        .add(x)
        .add(out)
        .call("symmetric_apply");
    rewriter.eraseOp(op);
    return success();
  }
};

struct ConvertMuonToRuntimePass
    : public muon::impl::ConvertMuonToRuntimePassBase<
          ConvertMuonToRuntimePass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns
        .add<LowerSymmetricProduct, LowerCommutingProduct, LowerSymmetricApply>(
            &getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
