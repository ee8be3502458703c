//===- MuonToLinalg.cpp - Elementwise operations to linalg -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../StepArithmetic.h"
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
#include <tuple>

namespace mlir::muon {
#define GEN_PASS_DEF_CONVERTMUONTOLINALGPASS
#include "muon-mlir/Conversion/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

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
    arith.store(createOk(arith, all, op.getSkipNonfinite()),
                op.getOk().front());
    Value limit;
    if (!op.getLimit().empty())
      limit = arith.load(op.getLimit().front());
    arith.store(createClip(arith, gradients, limit), op.getClip().front());
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
      Value factor =
          createFactor(arith, sum, unit, op.getSafety().convertToDouble(),
                       op.getEps().convertToDouble());
      arith.store(factor, op.getFactor().front(), i);
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
    MomentumForm form = op.getMomentumForm();
    bool nesterov = op.getNesterov();
    Value momentum = op.getMomentum().front();
    Type momentumType = getParameterShape(momentum.getType())->elementType;

    Arith arith{rewriter, op.getLoc()};
    Value beta = arith.load(op.getBeta().front());
    Value clip = op.getClip().empty() ? arith.f32(1.0)
                                      : arith.load(op.getClip().front());
    MomentumScalars scalars;
    scalars.beta = beta;
    if (!op.getClip().empty())
      scalars.clip = clip;
    scalars.gradientWeight = createGradientWeight(arith, beta, form);

    Value beta64 = arith.toF64(beta);
    UpdateWeights weights =
        createUpdateWeights(arith, beta64, arith.toF64(clip), form, nesterov);
    bool isHalf = getElementTypeOrSelf(op.getX().front().getType()).isF16();
    forEachNumber(rewriter, op.getLoc(), op.getUnit().front(), [&](Value i) {
      Value momentumSum = arith.load(op.getMomentumSums().front(), i);
      Value gradientSum = arith.load(op.getGradientSums().front(), i);
      Value unit = createUnit(arith, weights, gradientSum, momentumSum, isHalf);
      arith.store(unit, op.getUnit().front(), i);
    });
    {
      MatrixLoops loops(rewriter, op.getLoc(),
                        *getParameterShape(momentum.getType()), op.getSums());
      Value unit = loops.number(op.getUnit().front());
      std::tie(scalars.low, scalars.high) = splitUnit(arith, unit);
      createStream(
          rewriter, op.getLoc(), loops.parameter(op.getGradient().front()),
          {loops.parameter(momentum), loops.batch(op.getX().front())},
          loops.getPartials(), [&](const Arith &inner, ValueRange args) {
            Value g = inner.toF32(args[0]), m = inner.toF32(args[1]);
            auto [next, x] =
                createMomentum(inner, g, m, scalars, form, nesterov);
            return SmallVector<Value>{inner.cast(next, momentumType),
                                      inner.cast(x, args[2].getType()),
                                      addSquare(inner, args[3], x)};
          });
    }
    rewriter.eraseOp(op);
    return success();
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
    decay = createDecay(arith, lr64, decay64);
    rate = createRate(arith, lr64, arith.f64(scale));
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
    Value next = createNextWeight(arith, decay, old, rate, update);
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
      arith.store(createScaledSum(arith, sum, scale), list, i);
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
    AdamWScalars scalars;
    if (!op.getClip().empty())
      scalars.clip = arith.load(op.getClip().front());
    auto correction = [&](double beta) {
      Value power =
          math::FPowIOp::create(rewriter, op.getLoc(), arith.f64(beta), step);
      return createBiasCorrection(arith, power);
    };
    auto constant = [&](double value) {
      return rewriter.getFloatAttr(rewriter.getF32Type(), value);
    };
    scalars.beta1 = constant(beta1);
    scalars.rest1 = constant(1.0 - beta1);
    scalars.beta2 = constant(beta2);
    scalars.rest2 = constant(1.0 - beta2);
    scalars.eps = constant(op.getEps().convertToDouble());
    scalars.correction1 = correction(beta1);
    scalars.correction2 = correction(beta2);
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
            ValueRange moments = args.slice(1 + numWeights, 2);
            Value g = inner.toF32(args[0]);
            Value oldM = inner.toF32(moments[0]);
            Value oldV = inner.toF32(moments[1]);
            auto [m, v, update] = createAdamW(inner, g, oldM, oldV, scalars);
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
