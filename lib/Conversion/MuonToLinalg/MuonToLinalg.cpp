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
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "llvm/Support/MathExtras.h"
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

/// Elements that one iteration of a parallel loop works on: enough that
/// starting it costs nothing, few enough that there is one for every thread.
/// Fixed, so that sums do not depend on the number of threads.
constexpr int64_t kChunk = int64_t(1) << 16;

/// The parallel loop over the chunks of all matrices of a parameter. Builds it
/// at the builder's insertion point and moves it inside; buffers of the chunk
/// at hand come as flat, contiguous memrefs. `lists` receive one sum per
/// matrix.
class MatrixLoops {
public:
  MatrixLoops(OpBuilder &b, Location loc, const ParameterShape &shape,
              ValueRange lists)
      : b(b), arith{b, loc}, guard(b), elements(shape.rows() * shape.cols()) {
    int64_t chunks = llvm::divideCeil(elements, kChunk);
    auto loop = ParallelOp::create(b, loc, lists, shape.matrices() * chunks,
                                   /*group=*/chunks);
    Block *body = b.createBlock(&loop.getBody());
    Value i = body->addArgument(b.getIndexType(), loc);
    for (size_t list = 0; list < lists.size(); ++list)
      partials.push_back(
          body->addArgument(MemRefType::get({}, b.getF64Type()), loc));

    Value chunk;
    if (shape.matrices() == 1) {
      chunk = i;
    } else if (chunks == 1) {
      index = i;
    } else {
      index = divide(i, chunks);
      chunk = rest(i, chunks);
    }
    size = b.getIndexAttr(elements);
    if (chunks > 1) {
      begin = multiply(chunk, kChunk);
      size = b.getIndexAttr(kChunk);
      if (elements % kChunk != 0) {
        Value left =
            arith::SubIOp::create(b, loc, arith.index(elements), begin);
        size = arith::MinUIOp::create(b, loc, left, arith.index(kChunk))
                   .getResult();
      }
    }
    int64_t inner = shape.matricesPerMember();
    if (shape.stacked)
      member = !index      ? arith.index(0)
               : inner > 1 ? divide(index, inner)
                           : index;
    matrix = !index           ? Value()
             : !shape.stacked ? index
             : inner > 1      ? rest(index, inner)
                              : Value();
  }

  /// The chunk at hand of a weight, gradient or state.
  Value parameter(Value buffer) {
    if (auto table = dyn_cast<TableType>(buffer.getType()))
      buffer = MemberOp::create(
          b, arith.loc,
          MemRefType::get(table.getShape(), table.getElementType()), buffer,
          member);
    return flatten(buffer, matrix);
  }

  /// The chunk at hand of a rank-3 batch.
  Value batch(Value buffer) { return flatten(buffer, index); }

  /// The number that belongs to the matrix at hand.
  Value number(Value list) {
    return arith.load(list, index ? index : arith.index(0));
  }

  /// Where the sums of the chunk go, one for each list.
  ValueRange getPartials() const { return partials; }

private:
  Value divide(Value value, int64_t divisor) {
    return arith::DivUIOp::create(b, arith.loc, value, arith.index(divisor));
  }
  Value rest(Value value, int64_t divisor) {
    return arith::RemUIOp::create(b, arith.loc, value, arith.index(divisor));
  }
  Value multiply(Value value, int64_t factor) {
    return arith::MulIOp::create(b, arith.loc, value, arith.index(factor));
  }

  /// The chunk at hand of matrix number `position` of a contiguous buffer.
  Value flatten(Value buffer, Value position) {
    auto type = cast<MemRefType>(buffer.getType());
    Value offset = position ? multiply(position, elements) : Value();
    if (begin)
      offset =
          offset
              ? arith::AddIOp::create(b, arith.loc, offset, begin).getResult()
              : begin;
    int64_t fixed = getConstantIntValue(size).value_or(ShapedType::kDynamic);
    auto layout = StridedLayoutAttr::get(
        b.getContext(), offset ? ShapedType::kDynamic : 0, {1});
    auto flat = MemRefType::get({fixed}, type.getElementType(),
                                offset ? MemRefLayoutAttrInterface(layout)
                                       : MemRefLayoutAttrInterface(),
                                type.getMemorySpace());
    OpFoldResult start = b.getIndexAttr(0);
    if (offset)
      start = offset;
    return memref::ReinterpretCastOp::create(
        b, arith.loc, flat, buffer, start, ArrayRef<OpFoldResult>{size},
        ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
  }

  OpBuilder &b;
  Arith arith;
  OpBuilder::InsertionGuard guard;
  int64_t elements;
  SmallVector<Value> partials;
  /// Number of the matrix among all, of its member and in it; null for 0.
  Value index, member, matrix;
  /// First element of the chunk in its matrix, null for 0, and its length.
  Value begin;
  OpFoldResult size;
};

/// Elementwise body: block arguments (inputs, outputs, sums) to new outputs and
/// sums.
using StreamBody = function_ref<SmallVector<Value>(const Arith &, ValueRange)>;

} // namespace

/// One pass over flat buffers of one length: a linalg.generic. `sums` are
/// rank-0 f64 buffers that it adds to.
static void createStream(OpBuilder &b, Location loc, ValueRange inputs,
                         ValueRange outputs, ValueRange sums, StreamBody body) {
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
                        *getParameterShape(value.getType()), op.getSums());
      createStream(
          rewriter, op.getLoc(), loops.parameter(value), {},
          loops.getPartials(), [](const Arith &arith, ValueRange args) {
            return SmallVector<Value>{addSquare(arith, args[1], args[0])};
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

    createUnits(arith, op, arith.toF64(beta), arith.toF64(clip));
    {
      MatrixLoops loops(rewriter, op.getLoc(),
                        *getParameterShape(momentum.getType()), op.getSums());
      auto [low, high] = splitUnit(arith, loops.number(op.getUnit().front()));
      createStream(
          rewriter, op.getLoc(), loops.parameter(op.getGradient().front()),
          {loops.parameter(momentum), loops.batch(op.getX().front())},
          loops.getPartials(),
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
            return SmallVector<Value>{inner.cast(next, momentumType),
                                      inner.cast(x, args[2].getType()),
                                      addSquare(inner, args[3], x)};
          });
    }
    rewriter.eraseOp(op);
    return success();
  }

  /// Stores unit = 2⁻ᵏ of every matrix.
  static void createUnits(const Arith &arith, MomentumOp op, Value beta,
                          Value clip) {
    OpBuilder &b = arith.b;
    Location loc = arith.loc;
    // U = p·M + q·κ·G.
    Value one = arith.f64(1.0), p = beta, q = one;
    bool isEma = op.getMomentumForm() == MomentumForm::Ema;
    if (op.getNesterov()) {
      p = arith.mul(beta, beta);
      q = isEma ? arith.sub(one, p) : arith.add(one, beta);
    } else if (isEma) {
      q = arith.sub(one, beta);
    }
    q = arith.mul(q, clip);
    // An f16 X uses the upper half of its range.
    bool isHalf = getElementTypeOrSelf(op.getX().front().getType()).isF16();
    forEachNumber(b, loc, op.getUnit().front(), [&](Value i) {
      auto norm = [&](ValueRange sums) {
        return arith.sqrt(arith.load(sums.front(), i));
      };
      Value bound = arith.add(arith.mul(p, norm(op.getMomentumSums())),
                              arith.mul(q, norm(op.getGradientSums())));
      // The exponent field e of the bound gives bound < 2^(e − 1022). Clamped
      // to what a sum of squares of f32 can give, which 0, ∞ and NaN are
      // outside of.
      Value bits = arith::BitcastOp::create(b, loc, b.getI64Type(), bound);
      Value field = arith::ShRUIOp::create(b, loc, bits, arith.i64(52));
      Value k = arith::SubIOp::create(b, loc, field,
                                      arith.i64(isHalf ? 1022 + 14 : 1022));
      k = arith::MaxSIOp::create(b, loc, k, arith.i64(-250));
      k = arith::MinSIOp::create(b, loc, k, arith.i64(250));
      Value minusK = arith::SubIOp::create(b, loc, arith.i64(0), k);
      arith.store(arith.exp2(minusK, b.getF64Type()), op.getUnit().front(), i);
    });
  }

  /// Two f32 powers of two whose product is `unit`, which may be out of range
  /// of f32 itself.
  static std::pair<Value, Value> splitUnit(const Arith &arith, Value unit) {
    OpBuilder &b = arith.b;
    Location loc = arith.loc;
    Value bits = arith::BitcastOp::create(b, loc, b.getI64Type(), unit);
    Value field = arith::ShRUIOp::create(b, loc, bits, arith.i64(52));
    Value exponent = arith::SubIOp::create(b, loc, field, arith.i64(1023));
    Value half = arith::ShRSIOp::create(b, loc, exponent, arith.i64(1));
    Value rest = arith::SubIOp::create(b, loc, exponent, half);
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
  /// The lists that receive sums.
  SmallVector<Value> getLists() const {
    SmallVector<Value> lists(updateSums);
    llvm::append_range(lists, weightSums);
    return lists;
  }
  /// `args` are the block arguments for getBuffers(), `sums` for getLists().
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
  void finish(const Arith &arith) const {
    if (updateSums.empty() || scale == 1.0)
      return;
    Value list = updateSums.front();
    forEachNumber(arith.b, arith.loc, list, [&](Value i) {
      Value sum = arith.load(list, i);
      arith.store(arith.mul(sum, arith.f64(scale * scale)), list, i);
    });
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
                        *getParameterShape(stream.weight.getType()),
                        stream.getLists());
      SmallVector<Value> buffers = stream.getBuffers(loops);
      createStream(
          rewriter, op.getLoc(), loops.batch(op.getX().front()), buffers,
          loops.getPartials(), [&](const Arith &inner, ValueRange args) {
            SmallVector<Value> outputs, sums;
            stream.build(inner, inner.toF32(args[0]),
                         args.slice(1, buffers.size()),
                         args.drop_front(1 + buffers.size()), outputs, sums);
            llvm::append_range(outputs, sums);
            return outputs;
          });
    }
    stream.finish(arith);
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
                        *getParameterShape(stream.weight.getType()),
                        stream.getLists());
      SmallVector<Value> buffers = stream.getBuffers(loops);
      size_t numWeights = buffers.size();
      buffers.push_back(loops.parameter(op.getExpAvg().front()));
      buffers.push_back(loops.parameter(op.getExpAvgSq().front()));
      createStream(
          rewriter, op.getLoc(), loops.parameter(op.getGradient().front()),
          buffers, loops.getPartials(),
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
    }
    stream.finish(arith);
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
