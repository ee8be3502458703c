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
      : b(b), arith{b, loc}, guard(b), isStacked(shape.stacked),
        elements(shape.rows() * shape.cols()) {
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

  /// The chunk at hand of a weight, gradient or state. A gradient may hold the
  /// members of a stack in one buffer.
  Value parameter(Value buffer) {
    if (isStacked && !isa<TableType>(buffer.getType()))
      return batch(buffer);
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
  bool isStacked;
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

//===----------------------------------------------------------------------===//
// What ranks do to prepare
//===----------------------------------------------------------------------===//

struct LowerPlace : public OpRewritePattern<PlaceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(PlaceOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Location loc = op.getLoc();
    Arith arith{rewriter, loc};
    Value out = op.getOut().front();
    forEachNumber(rewriter, loc, out,
                  [&](Value i) { arith.store(arith.f64(0.0), out, i); });
    for (auto [value, from, to, count] : llvm::zip_equal(
             op.getValue(), op.getFrom(), op.getTo(), op.getCounts())) {
      auto loop = scf::ForOp::create(rewriter, loc, arith.index(0),
                                     arith.index(count), arith.index(1));
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPoint(loop.getBody()->getTerminator());
      auto shift = [&](int64_t offset) -> Value {
        return arith::AddIOp::create(rewriter, loc, loop.getInductionVar(),
                                     arith.index(offset));
      };
      Value number = arith.load(value, shift(from));
      arith.store(number, out, shift(to));
    }
    rewriter.eraseOp(op);
    return success();
  }
};

/// Copies between a matrix and its blocks: one iteration for each block of each
/// matrix.
static void copyBlocks(OpBuilder &b, Location loc, Value matrices, Value blocks,
                       ArrayRef<int64_t> rowOffsets,
                       ArrayRef<int64_t> colOffsets, ArrayRef<int64_t> rows,
                       ArrayRef<int64_t> cols, bool isAssemble) {
  Arith arith{b, loc};
  auto type = cast<MemRefType>(matrices.getType());
  int64_t area = 0;
  for (auto [r, c] : llvm::zip_equal(rows, cols))
    area += r * c;
  int64_t before = 0;
  for (size_t block = 0; block < rows.size(); ++block) {
    auto loop = ParallelOp::create(b, loc, ValueRange(), type.getDimSize(0),
                                   /*group=*/1);
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&loop.getBody());
    Value i = body->addArgument(b.getIndexType(), loc);
    auto view = [&](Value buffer, int64_t stride, int64_t first,
                    int64_t rowStride) -> Value {
      Value start = arith::AddIOp::create(
          b, loc,
          arith::MulIOp::create(b, loc, i, arith.index(stride)).getResult(),
          arith.index(first));
      auto layout = StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic,
                                           {rowStride, 1});
      auto viewType = MemRefType::get({rows[block], cols[block]},
                                      type.getElementType(), layout);
      OpFoldResult offset = start;
      return memref::ReinterpretCastOp::create(
          b, loc, viewType, buffer, offset,
          ArrayRef<OpFoldResult>{b.getIndexAttr(rows[block]),
                                 b.getIndexAttr(cols[block])},
          ArrayRef<OpFoldResult>{b.getIndexAttr(rowStride), b.getIndexAttr(1)});
    };
    int64_t width = type.getDimSize(2);
    Value whole = view(matrices, type.getDimSize(1) * width,
                       rowOffsets[block] * width + colOffsets[block], width);
    Value part = view(blocks, area, before, cols[block]);
    if (!isAssemble)
      std::swap(whole, part);
    auto row = scf::ForOp::create(b, loc, arith.index(0),
                                  arith.index(rows[block]), arith.index(1));
    b.setInsertionPointToStart(row.getBody());
    auto col = scf::ForOp::create(b, loc, arith.index(0),
                                  arith.index(cols[block]), arith.index(1));
    b.setInsertionPointToStart(col.getBody());
    SmallVector<Value> at = {row.getInductionVar(), col.getInductionVar()};
    Value element = memref::LoadOp::create(b, loc, part, at);
    memref::StoreOp::create(b, loc, element, whole, at);
    before += rows[block] * cols[block];
  }
}

struct LowerAssemble : public OpRewritePattern<AssembleOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AssembleOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    copyBlocks(rewriter, op.getLoc(), op.getOut().front(),
               op.getBlocks().front(), op.getRowOffsets(), op.getColOffsets(),
               op.getRows(), op.getCols(), /*isAssemble=*/true);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerDivide : public OpRewritePattern<DivideOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DivideOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    copyBlocks(rewriter, op.getLoc(), op.getX().front(), op.getBlocks().front(),
               op.getRowOffsets(), op.getColOffsets(), op.getRows(),
               op.getCols(), /*isAssemble=*/false);
    rewriter.eraseOp(op);
    return success();
  }
};

/// Visits the upper triangle of each matrix, row by row: a parallel loop over
/// matrices, and loops over rows and columns in it. `body` gets the number of
/// the matrix, row, column, and the place in the packed triangle.
static void forEachInTriangle(
    OpBuilder &b, Location loc, MemRefType matrices,
    function_ref<void(OpBuilder &, Value, Value, Value, Value)> body) {
  Arith arith{b, loc};
  int64_t m = matrices.getDimSize(1);
  auto loop = ParallelOp::create(b, loc, ValueRange(), matrices.getDimSize(0),
                                 /*group=*/1);
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&loop.getBody());
  Value i = block->addArgument(b.getIndexType(), loc);
  Value zero = arith.index(0), one = arith.index(1), size = arith.index(m);
  // Row r starts at the place where the rows before it end.
  auto rows = scf::ForOp::create(b, loc, zero, size, one, ValueRange{zero});
  b.setInsertionPointToStart(rows.getBody());
  Value row = rows.getInductionVar(), start = rows.getRegionIterArg(0);
  auto cols = scf::ForOp::create(b, loc, row, size, one);
  {
    OpBuilder::InsertionGuard inner(b);
    b.setInsertionPointToStart(cols.getBody());
    Value col = cols.getInductionVar();
    Value place = arith::AddIOp::create(
        b, loc, start, arith::SubIOp::create(b, loc, col, row).getResult());
    body(b, i, row, col, place);
  }
  Value length = arith::SubIOp::create(b, loc, size, row);
  scf::YieldOp::create(
      b, loc, arith::AddIOp::create(b, loc, start, length).getResult());
}

struct LowerPackTriangle : public OpRewritePattern<PackTriangleOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(PackTriangleOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Value x = op.getX().front(), out = op.getOut().front();
    Location loc = op.getLoc();
    forEachInTriangle(
        rewriter, loc, cast<MemRefType>(x.getType()),
        [&](OpBuilder &b, Value i, Value row, Value col, Value place) {
          Value zero = arith::ConstantIndexOp::create(b, loc, 0);
          Value element =
              memref::LoadOp::create(b, loc, x, ValueRange{i, row, col});
          memref::StoreOp::create(b, loc, element, out,
                                  ValueRange{i, zero, place});
        });
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerUnpackTriangle : public OpRewritePattern<UnpackTriangleOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(UnpackTriangleOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Value x = op.getX().front(), out = op.getOut().front();
    Location loc = op.getLoc();
    forEachInTriangle(
        rewriter, loc, cast<MemRefType>(out.getType()),
        [&](OpBuilder &b, Value i, Value row, Value col, Value place) {
          Value zero = arith::ConstantIndexOp::create(b, loc, 0);
          Value element =
              memref::LoadOp::create(b, loc, x, ValueRange{i, zero, place});
          memref::StoreOp::create(b, loc, element, out,
                                  ValueRange{i, row, col});
          memref::StoreOp::create(b, loc, element, out,
                                  ValueRange{i, col, row});
        });
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
                 LowerNormalize, LowerSumSquares, LowerPlace, LowerAssemble,
                 LowerDivide, LowerPackTriangle, LowerUnpackTriangle>(
        &getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
