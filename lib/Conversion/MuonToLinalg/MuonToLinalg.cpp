//===- MuonToLinalg.cpp - Elementwise operations to linalg -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include <cmath>
#include <limits>

namespace mlir::muon {
#define GEN_PASS_DEF_CONVERTMUONTOLINALGPASS
#include "muon-mlir/Conversion/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

//===----------------------------------------------------------------------===//
// Building arithmetic
//===----------------------------------------------------------------------===//

namespace {

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
// Loops over matrices
//===----------------------------------------------------------------------===//

/// The loops over the members of a stack and the matrices of a member. Builds
/// them at the builder's insertion point and moves it inside; buffers of the
/// matrix at hand come as flat, contiguous memrefs.
class MatrixLoops {
public:
  MatrixLoops(OpBuilder &b, Location loc, const ParameterShape &shape)
      : b(b), arith{b, loc}, guard(b), elements(shape.rows() * shape.cols()) {
    if (shape.stacked)
      member = enterLoop(shape.members);
    int64_t inner = shape.matricesPerMember();
    if (inner > 1)
      matrix = enterLoop(inner);
    index = member && matrix
                ? arith::AddIOp::create(
                      b, loc,
                      arith::MulIOp::create(b, loc, member, arith.index(inner)),
                      matrix)
                      .getResult()
            : member ? member
                     : matrix;
  }

  /// The matrix at hand of a weight, gradient or state.
  Value parameter(Value buffer) {
    if (auto table = dyn_cast<TableType>(buffer.getType()))
      buffer = MemberOp::create(
          b, arith.loc,
          MemRefType::get(table.getShape(), table.getElementType()), buffer,
          member);
    return flatten(buffer, matrix, elements);
  }

  /// The matrix at hand of a rank-3 batch.
  Value batch(Value buffer) { return flatten(buffer, index, elements); }

  /// The number that belongs to the matrix at hand, as a rank-0 memref.
  Value number(Value list) {
    return flatten(list, index, 1, /*isScalar=*/true);
  }

private:
  Value enterLoop(int64_t count) {
    auto loop = scf::ForOp::create(b, arith.loc, arith.index(0),
                                   arith.index(count), arith.index(1));
    b.setInsertionPoint(loop.getBody()->getTerminator());
    return loop.getInductionVar();
  }

  /// Block number `position` of `size` elements of a contiguous buffer.
  Value flatten(Value buffer, Value position, int64_t size,
                bool isScalar = false) {
    auto type = cast<MemRefType>(buffer.getType());
    OpFoldResult offset = b.getIndexAttr(0);
    int64_t staticOffset = 0;
    if (position) {
      Value start = position;
      if (size != 1)
        start =
            arith::MulIOp::create(b, arith.loc, position, arith.index(size));
      offset = start;
      staticOffset = ShapedType::kDynamic;
    }
    SmallVector<int64_t> sizes, strides;
    if (!isScalar) {
      sizes = {size};
      strides = {1};
    }
    auto layout = StridedLayoutAttr::get(b.getContext(), staticOffset, strides);
    auto flat = MemRefType::get(sizes, type.getElementType(),
                                position ? MemRefLayoutAttrInterface(layout)
                                         : MemRefLayoutAttrInterface(),
                                type.getMemorySpace());
    return memref::ReinterpretCastOp::create(
        b, arith.loc, flat, buffer, offset,
        getAsIndexOpFoldResult(b.getContext(), sizes),
        getAsIndexOpFoldResult(b.getContext(), strides));
  }

  OpBuilder &b;
  Arith arith;
  OpBuilder::InsertionGuard guard;
  int64_t elements;
  Value member, matrix, index;
};

/// Elementwise body: block arguments (inputs, outputs, sums) to new outputs and
/// sums.
using StreamBody = function_ref<SmallVector<Value>(const Arith &, ValueRange)>;

} // namespace

/// One pass over flat buffers of one length: a linalg.generic. `sums` are
/// rank-0 f64 buffers, set to 0 first.
static void createStream(OpBuilder &b, Location loc, ValueRange inputs,
                         ValueRange outputs, ValueRange sums, StreamBody body) {
  Arith arith{b, loc};
  for (Value sum : sums)
    arith.store(arith.f64(0.0), sum);

  MLIRContext *context = b.getContext();
  SmallVector<AffineMap> maps(inputs.size() + outputs.size(),
                              AffineMap::getMultiDimIdentityMap(1, context));
  maps.append(sums.size(), AffineMap::get(1, 0, context));
  SmallVector<Value> outs(outputs);
  llvm::append_range(outs, sums);
  auto iterator = sums.empty() ? utils::IteratorType::parallel
                               : utils::IteratorType::reduction;
  linalg::GenericOp::create(
      b, loc, inputs, outs, maps, iterator,
      [&](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        linalg::YieldOp::create(inner, bodyLoc, body({inner, bodyLoc}, args));
      });
}

/// sum + value², in f64.
static Value addSquare(const Arith &arith, Value sum, Value value) {
  Value wide = arith.toF64(value);
  return arith.add(sum, arith.mul(wide, wide));
}

/// Multiplies the number in `buffer` by `factor`.
static void scaleNumber(const Arith &arith, Value buffer, double factor) {
  arith.store(arith.mul(arith.load(buffer), arith.f64(factor)), buffer);
}

/// The value of an optional rank-0 operand, or a constant.
static Value loadOr(const Arith &arith, ValueRange group, double otherwise) {
  return group.empty() ? arith.f32(otherwise) : arith.load(group.front());
}

//===----------------------------------------------------------------------===//
// Lists and scalars
//===----------------------------------------------------------------------===//

/// Loop over the elements of lists of one length.
static void forEachNumber(OpBuilder &b, Location loc, Value list,
                          function_ref<void(Value)> body) {
  Arith arith{b, loc};
  int64_t size = cast<MemRefType>(list.getType()).getDimSize(0);
  auto loop = scf::ForOp::create(b, loc, arith.index(0), arith.index(size),
                                 arith.index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  body(loop.getInductionVar());
}

/// Sum of all numbers of all lists, in order.
static Value sumLists(OpBuilder &b, Location loc, ValueRange lists) {
  Arith arith{b, loc};
  Value total = arith.f64(0.0);
  for (Value list : lists) {
    int64_t size = cast<MemRefType>(list.getType()).getDimSize(0);
    auto loop = scf::ForOp::create(b, loc, arith.index(0), arith.index(size),
                                   arith.index(1), total);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value next = arith.add(loop.getRegionIterArg(0),
                           arith.load(list, loop.getInductionVar()));
    scf::YieldOp::create(b, loc, next);
    total = loop.getResult(0);
  }
  return total;
}

namespace {

struct LowerLook : public OpRewritePattern<LookOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Location loc = op.getLoc();
    Arith arith{rewriter, loc};
    Value gradients = sumLists(rewriter, loc, op.getGradients());
    Value all = arith.add(gradients, sumLists(rewriter, loc, op.getMomenta()));
    // Sums of squares are not negative: their total is finite if and only if
    // each is.
    Value infinity = arith.f64(std::numeric_limits<double>::infinity());
    Value ok = arith.less(all, infinity);
    if (!op.getSkipNonfinite())
      ok = arith::ConstantIntOp::create(rewriter, loc, 1, 1);
    arith.store(ok, op.getOk().front());

    Value clip = arith.f32(1.0);
    if (!op.getLimit().empty()) {
      Value limit = arith.toF64(arith.load(op.getLimit().front()));
      Value ratio =
          arith.div(limit, arith.add(arith.sqrt(gradients), arith.f64(1e-6)));
      Value one = arith.f64(1.0);
      Value clamped = arith.select(arith.less(ratio, one), ratio, one);
      clip = arith.select(arith.less(gradients, infinity), arith.toF32(clamped),
                          clip);
    }
    arith.store(clip, op.getClip().front());
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerAdvance : public OpRewritePattern<AdvanceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AdvanceOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0 || op.getCondition())
      return rewriter.notifyMatchFailure(op, "expected guarded buffers");
    Arith arith{rewriter, op.getLoc()};
    Value step = op.getStep().front();
    arith.store(arith::AddIOp::create(rewriter, op.getLoc(), arith.load(step),
                                      arith.i64(1)),
                step);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerNormalize : public OpRewritePattern<NormalizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(NormalizeOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Arith arith{rewriter, op.getLoc()};
    forEachNumber(rewriter, op.getLoc(), op.getSums().front(), [&](Value i) {
      Value sum = arith.load(op.getSums().front(), i);
      Value unit = arith.load(op.getUnit().front(), i);
      Value norm =
          arith.add(arith.mul(arith.f64(op.getSafety().convertToDouble()),
                              arith.sqrt(sum)),
                    arith.mul(arith.f64(op.getEps().convertToDouble()), unit));
      Value factor = arith.toF32(arith.div(arith.f64(1.0), norm));
      // A norm that is not finite has to show in the result: a factor of 0
      // would make BLAS skip the product.
      double infinity = std::numeric_limits<double>::infinity();
      Value isFinite = arith.less(sum, arith.f64(infinity));
      Value nan = arith.f32(std::numeric_limits<double>::quiet_NaN());
      // Its square has to be in range of f32 too.
      Value most = arith.f32(std::ldexp(1.0, 62));
      factor = arith.select(arith.less(most, factor), most, factor);
      factor = arith.select(isFinite, factor, nan);
      Value isZero =
          arith::CmpFOp::create(rewriter, op.getLoc(),
                                arith::CmpFPredicate::OEQ, sum, arith.f64(0.0));
      arith.store(arith.select(isZero, arith.f32(0.0), factor),
                  op.getFactor().front(), i);
    });
    rewriter.eraseOp(op);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

struct LowerSumSquares : public OpRewritePattern<SumSquaresOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SumSquaresOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Value value = op.getValue().front();
    {
      MatrixLoops loops(rewriter, op.getLoc(),
                        *getParameterShape(value.getType()));
      createStream(rewriter, op.getLoc(), loops.parameter(value), {},
                   loops.number(op.getSums().front()),
                   [](const Arith &arith, ValueRange args) {
                     return SmallVector<Value>{
                         addSquare(arith, args[1], args[0])};
                   });
    }
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerMomentum : public OpRewritePattern<MomentumOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MomentumOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0 || op.getCondition())
      return rewriter.notifyMatchFailure(op, "expected guarded buffers");
    bool isEma = op.getMomentumForm() == MomentumForm::Ema;
    bool nesterov = op.getNesterov();
    bool hasClip = !op.getClip().empty();
    Value momentum = op.getMomentum().front();
    Type momentumType = getParameterShape(momentum.getType())->elementType;

    Arith arith{rewriter, op.getLoc()};
    Value beta = arith.load(op.getBeta().front());
    Value clip = loadOr(arith, op.getClip(), 1.0);
    Value weight = isEma ? arith.sub(arith.f32(1.0), beta) : arith.f32(1.0);

    {
      MatrixLoops loops(rewriter, op.getLoc(),
                        *getParameterShape(momentum.getType()));
      auto [low, high] =
          createScales(arith, op, loops, arith.toF64(beta), arith.toF64(clip));
      createStream(
          rewriter, op.getLoc(), loops.parameter(op.getGradient().front()),
          {loops.parameter(momentum), loops.batch(op.getX().front())},
          loops.number(op.getSums().front()),
          [&, low = low, high = high](const Arith &inner, ValueRange args) {
            Value g = inner.toF32(args[0]), m = inner.toF32(args[1]);
            if (hasClip)
              g = inner.mul(clip, g);
            Value share = isEma ? inner.mul(weight, g) : g;
            Value next = inner.add(inner.mul(beta, m), share);
            // U is formed from operands that are already half scaled, so that
            // it is in range where M and G are, whatever their sum.
            Value x = inner.mul(next, low);
            if (nesterov)
              x = inner.add(inner.mul(beta, x), inner.mul(share, low));
            x = inner.mul(x, high);
            return SmallVector<Value>{inner.cast(next, momentumType), x,
                                      addSquare(inner, args[3], x)};
          });
    }
    rewriter.eraseOp(op);
    return success();
  }

  /// Stores unit = 2⁻ᵏ for the matrix at hand and returns two f32 powers of two
  /// whose product it is: 2⁻ᵏ itself may be out of range of f32.
  static std::pair<Value, Value> createScales(const Arith &arith, MomentumOp op,
                                              MatrixLoops &loops, Value beta,
                                              Value clip) {
    // U = p·M + q·κ·G.
    Value one = arith.f64(1.0), p = beta, q = one;
    bool isEma = op.getMomentumForm() == MomentumForm::Ema;
    if (op.getNesterov()) {
      p = arith.mul(beta, beta);
      q = isEma ? arith.sub(one, p) : arith.add(one, beta);
    } else if (isEma) {
      q = arith.sub(one, beta);
    }
    auto norm = [&](ValueRange sums) {
      return arith.sqrt(arith.load(loops.number(sums.front())));
    };
    Value bound =
        arith.add(arith.mul(p, norm(op.getMomentumSums())),
                  arith.mul(arith.mul(q, clip), norm(op.getGradientSums())));

    // The exponent field e of the bound gives bound < 2^(e − 1022). Clamped to
    // what a sum of squares of f32 can give, which 0, ∞ and NaN are outside of.
    OpBuilder &b = arith.b;
    Location loc = arith.loc;
    Value bits = arith::BitcastOp::create(b, loc, b.getI64Type(), bound);
    Value field = arith::ShRUIOp::create(b, loc, bits, arith.i64(52));
    Value k = arith::SubIOp::create(b, loc, field, arith.i64(1022));
    k = arith::MaxSIOp::create(b, loc, k, arith.i64(-250));
    k = arith::MinSIOp::create(b, loc, k, arith.i64(250));
    Value zero = arith.i64(0);
    Value minusK = arith::SubIOp::create(b, loc, zero, k);
    arith.store(arith.exp2(minusK, b.getF64Type()),
                loops.number(op.getUnit().front()));
    Value half = arith::ShRSIOp::create(b, loc, minusK, arith.i64(1));
    Value rest = arith::SubIOp::create(b, loc, minusK, half);
    return {arith.exp2(half, b.getF32Type()), arith.exp2(rest, b.getF32Type())};
  }
};

/// What muon.apply and muon.adamw_update share: W ← decay·W − rate·u with an
/// optional master and optional sums.
struct WeightStream {
  WeightStream(const Arith &arith, ValueRange lr, ValueRange weightDecay,
               ValueRange weight, ValueRange master, ValueRange updateSums,
               ValueRange weightSums, double scale)
      : weight(weight.front()), updateSums(updateSums), weightSums(weightSums) {
    Value lr64 = arith.toF64(arith.load(lr.front()));
    Value decay64 = arith.toF64(arith.load(weightDecay.front()));
    decay = arith.toF32(arith.sub(arith.f64(1.0), arith.mul(lr64, decay64)));
    rate = arith.toF32(arith.mul(lr64, arith.f64(scale)));
    this->scale = scale;
    if (!master.empty())
      this->master = master.front();
  }

  SmallVector<Value> getBuffers(MatrixLoops &loops) const {
    SmallVector<Value> buffers = {loops.parameter(weight)};
    if (master)
      buffers.push_back(loops.parameter(master));
    return buffers;
  }
  SmallVector<Value> getSums(MatrixLoops &loops) const {
    SmallVector<Value> sums;
    for (ValueRange group : {updateSums, weightSums})
      if (!group.empty())
        sums.push_back(loops.number(group.front()));
    return sums;
  }
  /// `args` are the block arguments for getBuffers(), `sums` for getSums().
  /// Appends the new values of buffers to `outputs` and of sums to `newSums`.
  void build(const Arith &arith, Value update, ValueRange args, ValueRange sums,
             SmallVector<Value> &outputs, SmallVector<Value> &newSums) const {
    Value old = arith.toF32(master ? args[1] : args[0]);
    Value next = arith.sub(arith.mul(decay, old), arith.mul(rate, update));
    outputs.push_back(arith.cast(next, args[0].getType()));
    if (master)
      outputs.push_back(next);
    if (!updateSums.empty())
      newSums.push_back(addSquare(arith, sums.front(), update));
    if (!weightSums.empty())
      newSums.push_back(addSquare(arith, sums.back(), next));
  }
  /// Sums were taken of the update before its scale.
  void finish(const Arith &arith, MatrixLoops &loops) const {
    if (!updateSums.empty() && scale != 1.0)
      scaleNumber(arith, loops.number(updateSums.front()), scale * scale);
  }

  Value weight, master, decay, rate;
  ValueRange updateSums, weightSums;
  double scale;
};

struct LowerApply : public OpRewritePattern<ApplyOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ApplyOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0 || op.getCondition())
      return rewriter.notifyMatchFailure(op, "expected guarded buffers");
    Arith arith{rewriter, op.getLoc()};
    WeightStream stream(arith, op.getLr(), op.getWeightDecay(), op.getWeight(),
                        op.getMaster(), op.getUpdateSums(), op.getWeightSums(),
                        op.getScale().convertToDouble());
    {
      MatrixLoops loops(rewriter, op.getLoc(),
                        *getParameterShape(stream.weight.getType()));
      SmallVector<Value> buffers = stream.getBuffers(loops);
      createStream(
          rewriter, op.getLoc(), loops.batch(op.getX().front()), buffers,
          stream.getSums(loops), [&](const Arith &inner, ValueRange args) {
            SmallVector<Value> outputs, sums;
            stream.build(inner, args[0], args.slice(1, buffers.size()),
                         args.drop_front(1 + buffers.size()), outputs, sums);
            llvm::append_range(outputs, sums);
            return outputs;
          });
      stream.finish(arith, loops);
    }
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerAdamW : public OpRewritePattern<AdamWUpdateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AdamWUpdateOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0 || op.getCondition())
      return rewriter.notifyMatchFailure(op, "expected guarded buffers");
    Arith arith{rewriter, op.getLoc()};
    double beta1 = op.getBeta1().convertToDouble(),
           beta2 = op.getBeta2().convertToDouble();
    WeightStream stream(arith, op.getLr(), op.getWeightDecay(), op.getWeight(),
                        op.getMaster(), op.getUpdateSums(), op.getWeightSums(),
                        op.getLrMultiplier().convertToDouble());
    Value step = arith.load(op.getStep().front());
    bool hasClip = !op.getClip().empty();
    Value clip = loadOr(arith, op.getClip(), 1.0);
    auto correction = [&](double beta) {
      Value power =
          math::FPowIOp::create(rewriter, op.getLoc(), arith.f64(beta), step);
      return arith.toF32(
          arith.div(arith.f64(1.0), arith.sub(arith.f64(1.0), power)));
    };
    Value correction1 = correction(beta1), correction2 = correction(beta2);
    auto average = [](const Arith &inner, double beta, Value old, Value value) {
      return inner.add(inner.mul(inner.f32(beta), old),
                       inner.mul(inner.f32(1.0 - beta), value));
    };
    {
      MatrixLoops loops(rewriter, op.getLoc(),
                        *getParameterShape(stream.weight.getType()));
      SmallVector<Value> buffers = stream.getBuffers(loops);
      size_t numWeights = buffers.size();
      buffers.push_back(loops.parameter(op.getExpAvg().front()));
      buffers.push_back(loops.parameter(op.getExpAvgSq().front()));
      createStream(
          rewriter, op.getLoc(), loops.parameter(op.getGradient().front()),
          buffers, stream.getSums(loops),
          [&](const Arith &inner, ValueRange args) {
            Value g = inner.toF32(args[0]);
            if (hasClip)
              g = inner.mul(clip, g);
            ValueRange moments = args.slice(1 + numWeights, 2);
            Value m = average(inner, beta1, inner.toF32(moments[0]), g);
            Value v =
                average(inner, beta2, inner.toF32(moments[1]), inner.mul(g, g));
            Value update =
                inner.div(inner.mul(m, correction1),
                          inner.add(inner.sqrt(inner.mul(v, correction2)),
                                    inner.f32(op.getEps().convertToDouble())));
            SmallVector<Value> outputs, sums;
            stream.build(inner, update, args.slice(1, numWeights),
                         args.drop_front(3 + numWeights), outputs, sums);
            outputs.push_back(inner.cast(m, moments[0].getType()));
            outputs.push_back(inner.cast(v, moments[1].getType()));
            llvm::append_range(outputs, sums);
            return outputs;
          });
      stream.finish(arith, loops);
    }
    rewriter.eraseOp(op);
    return success();
  }
};

struct ConvertMuonToLinalgPass
    : public muon::impl::ConvertMuonToLinalgPassBase<ConvertMuonToLinalgPass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerAdamW, LowerAdvance, LowerApply, LowerLook, LowerMomentum,
                 LowerNormalize, LowerSumSquares>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
