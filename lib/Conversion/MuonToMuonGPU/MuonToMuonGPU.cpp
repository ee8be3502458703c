//===- MuonToMuonGPU.cpp - Math level to work of a GPU ----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../StepArithmetic.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::muon {
#define GEN_PASS_DEF_CONVERTMUONTOMUONGPUPASS
#include "muon-mlir/Conversion/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;
using namespace mlir::muon_gpu;

//===----------------------------------------------------------------------===//
// Building work
//===----------------------------------------------------------------------===//

namespace {

/// What one element is computed from, as the region of the work sees it.
struct Element {
  const Arith &arith;
  /// Of products only.
  Value acc;
  ValueRange constants, scalars, inputs;

  /// A constant, rounded from f64 once.
  Value constant32(unsigned index) const {
    return arith.toF32(constants[index]);
  }
};

using ElementBody = function_ref<SmallVector<Value>(const Element &)>;

/// Operands of a product or stream.
struct WorkOperands {
  SmallVector<Value> scalars, inputs, outs, sums;
  SmallVector<double> constants;
  Value when;

  unsigned addScalar(Value value) {
    scalars.push_back(value);
    return scalars.size() - 1;
  }
  std::optional<unsigned> addScalar(ValueRange group) {
    if (group.empty())
      return std::nullopt;
    return addScalar(group.front());
  }
};

} // namespace

/// Fills `region` with arguments for `operands` and what `body` yields.
static void buildRegion(OpBuilder &b, Location loc, Region &region,
                        const WorkOperands &operands, bool hasAcc,
                        ElementBody body) {
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&region);
  if (hasAcc)
    block->addArgument(b.getF32Type(), loc);
  for (size_t i = 0; i < operands.constants.size(); ++i)
    block->addArgument(b.getF64Type(), loc);
  for (Value value : operands.scalars)
    block->addArgument(cast<MemRefType>(value.getType()).getElementType(), loc);
  for (Value value : operands.inputs)
    block->addArgument(getMatrices(value.getType())->elementType, loc);
  Arith arith{b, loc};
  ValueRange arguments = block->getArguments();
  Value acc;
  if (hasAcc) {
    acc = arguments.front();
    arguments = arguments.drop_front();
  }
  size_t numConstants = operands.constants.size();
  Element element{arith, acc, arguments.take_front(numConstants),
                  arguments.slice(numConstants, operands.scalars.size()),
                  arguments.take_back(operands.inputs.size())};
  YieldOp::create(b, loc, body(element));
}

static void createStream(OpBuilder &b, Location loc,
                         const WorkOperands &operands, ElementBody body) {
  auto op = StreamOp::create(b, loc, operands.scalars, operands.inputs,
                             operands.outs, operands.sums, operands.when,
                             b.getDenseF64ArrayAttr(operands.constants),
                             StreamScheduleAttr());
  buildRegion(b, loc, op.getBody(), operands, /*hasAcc=*/false, body);
}

namespace {
struct ProductOperands : public WorkOperands {
  Value lhs, rhs;
  bool lhsTransposed = false, rhsTransposed = false, symmetric = false,
       tf32 = false;
};
} // namespace

static void createProduct(OpBuilder &b, Location loc,
                          const ProductOperands &operands, ElementBody body) {
  auto op = MatmulOp::create(
      b, loc, operands.lhs, operands.rhs, operands.scalars, operands.inputs,
      operands.outs, operands.sums, operands.when,
      b.getDenseF64ArrayAttr(operands.constants), operands.lhsTransposed,
      operands.rhsTransposed, operands.symmetric, operands.tf32,
      muon_gpu::ScheduleAttr());
  buildRegion(b, loc, op.getEpilogue(), operands, /*hasAcc=*/true, body);
}

/// value², in f64.
static Value square(const Arith &arith, Value value) {
  Value wide = arith.toF64(value);
  return arith.mul(wide, wide);
}

static Type getElementType(Value buffer) {
  return getMatrices(buffer.getType())->elementType;
}

static Value getCondition(Operation *op) {
  return cast<InPlaceOpInterface>(op).getCondition();
}

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

namespace {

struct ConvertSumSquares : public OpRewritePattern<SumSquaresOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SumSquaresOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    WorkOperands operands;
    operands.inputs = llvm::to_vector(op.getValue());
    operands.sums = llvm::to_vector(op.getSums());
    createStream(rewriter, op.getLoc(), operands, [](const Element &e) {
      return SmallVector<Value>{square(e.arith, e.inputs[0])};
    });
    rewriter.eraseOp(op);
    return success();
  }
};

struct ConvertMomentum : public OpRewritePattern<MomentumOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MomentumOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Location loc = op.getLoc();
    Value when = getCondition(op), unit = op.getUnit().front();
    Value momentum = op.getMomentum().front(), x = op.getX().front();
    bool isHalf = getElementType(x).isF16();
    // A launch of its own, with the condition.
    auto launch = LaunchOp::create(rewriter, loc, when, StringRef("momentum"));
    {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.createBlock(&launch.getBody());
      UnitOp::create(rewriter, loc, op.getGradientSums().front(),
                     op.getMomentumSums().front(), op.getBeta().front(),
                     op.getClip().empty() ? Value() : op.getClip().front(),
                     unit, op.getMomentumForm(), op.getNesterov(), isHalf);
    }
    MomentumForm form = op.getMomentumForm();
    bool nesterov = op.getNesterov();
    WorkOperands operands;
    unsigned beta = operands.addScalar(op.getBeta().front());
    std::optional<unsigned> clip = operands.addScalar(op.getClip());
    unsigned unitIndex = operands.addScalar(unit);
    operands.inputs = {op.getGradient().front(), momentum};
    operands.outs = {momentum, x};
    operands.sums = llvm::to_vector(op.getSums());
    operands.when = when;
    createStream(rewriter, loc, operands, [&](const Element &e) {
      const Arith &arith = e.arith;
      MomentumScalars scalars;
      scalars.beta = e.scalars[beta];
      scalars.clip = clip ? e.scalars[*clip] : Value();
      scalars.gradientWeight = createGradientWeight(arith, scalars.beta, form);
      std::tie(scalars.low, scalars.high) =
          splitUnit(arith, e.scalars[unitIndex]);
      MomentumElement next =
          createMomentum(arith, arith.toF32(e.inputs[0]),
                         arith.toF32(e.inputs[1]), scalars, form, nesterov);
      return SmallVector<Value>{
          arith.cast(next.momentum, getElementType(momentum)),
          arith.cast(next.x, getElementType(x)), square(arith, next.x)};
    });
    rewriter.eraseOp(op);
    return success();
  }
};

/// What muon.apply and muon.adamw_update share: the weight, an optional master
/// and optional sums.
struct WeightWork {
  /// Adds operands; `scale` becomes a constant.
  template <typename OpT>
  WeightWork(OpT op, double scale, WorkOperands &operands)
      : hasMaster(!op.getMaster().empty()),
        hasUpdateSums(!op.getUpdateSums().empty()),
        hasWeightSums(!op.getWeightSums().empty()),
        weightType(getElementType(op.getWeight().front())) {
    lr = operands.addScalar(op.getLr().front());
    weightDecay = operands.addScalar(op.getWeightDecay().front());
    scaleIndex = operands.constants.size();
    operands.constants.push_back(scale);
    input = operands.inputs.size();
    operands.inputs.push_back(hasMaster ? op.getMaster().front()
                                        : op.getWeight().front());
    operands.outs.push_back(op.getWeight().front());
    if (hasMaster)
      operands.outs.push_back(op.getMaster().front());
    llvm::append_range(operands.sums, op.getUpdateSums());
    llvm::append_range(operands.sums, op.getWeightSums());
  }

  /// Appends the elements of the outputs, and those of sums to `sums`.
  void build(const Element &e, Value update, SmallVectorImpl<Value> &outs,
             SmallVectorImpl<Value> &sums) const {
    const Arith &arith = e.arith;
    Value lr64 = arith.toF64(e.scalars[lr]);
    Value decay = createDecay(arith, lr64, arith.toF64(e.scalars[weightDecay]));
    Value rate = createRate(arith, lr64, e.constants[scaleIndex]);
    Value next = createNextWeight(arith, decay, arith.toF32(e.inputs[input]),
                                  rate, update);
    outs.push_back(arith.cast(next, weightType));
    if (hasMaster)
      outs.push_back(next);
    if (hasUpdateSums)
      sums.push_back(square(
          arith, arith.mul(arith.toF64(update), e.constants[scaleIndex])));
    if (hasWeightSums)
      sums.push_back(square(arith, next));
  }

  bool hasMaster, hasUpdateSums, hasWeightSums;
  Type weightType;
  unsigned lr, weightDecay, scaleIndex, input;
};

struct ConvertApply : public OpRewritePattern<ApplyOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ApplyOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    WorkOperands operands;
    operands.inputs = {op.getX().front()};
    WeightWork weight(op, op.getScale().convertToDouble(), operands);
    operands.when = getCondition(op);
    createStream(rewriter, op.getLoc(), operands, [&](const Element &e) {
      SmallVector<Value> outs, sums;
      weight.build(e, e.arith.toF32(e.inputs[0]), outs, sums);
      llvm::append_range(outs, sums);
      return outs;
    });
    rewriter.eraseOp(op);
    return success();
  }
};

struct ConvertAdamW : public OpRewritePattern<AdamWUpdateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AdamWUpdateOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Location loc = op.getLoc();
    Value when = getCondition(op);
    auto scalar = MemRefType::get({}, rewriter.getF32Type());
    Value correction1 = memref::AllocOp::create(rewriter, loc, scalar);
    Value correction2 = memref::AllocOp::create(rewriter, loc, scalar);
    auto launch = LaunchOp::create(rewriter, loc, when, StringRef("adamw"));
    {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.createBlock(&launch.getBody());
      BiasCorrectionOp::create(rewriter, loc, op.getStep().front(), correction1,
                               correction2, op.getBeta1Attr(),
                               op.getBeta2Attr());
    }

    WorkOperands operands;
    Value expAvg = op.getExpAvg().front(), expAvgSq = op.getExpAvgSq().front();
    operands.inputs = {op.getGradient().front(), expAvg, expAvgSq};
    WeightWork weight(op, op.getLrMultiplier().convertToDouble(), operands);
    operands.outs.push_back(expAvg);
    operands.outs.push_back(expAvgSq);
    double beta1 = op.getBeta1().convertToDouble(),
           beta2 = op.getBeta2().convertToDouble();
    unsigned first = operands.constants.size();
    operands.constants.append({beta1, 1.0 - beta1, beta2, 1.0 - beta2,
                               op.getEps().convertToDouble()});
    std::optional<unsigned> clip = operands.addScalar(op.getClip());
    unsigned corrections = operands.addScalar(correction1);
    operands.addScalar(correction2);
    operands.when = when;
    createStream(rewriter, loc, operands, [&](const Element &e) {
      const Arith &arith = e.arith;
      AdamWScalars scalars;
      scalars.beta1 = e.constant32(first);
      scalars.rest1 = e.constant32(first + 1);
      scalars.beta2 = e.constant32(first + 2);
      scalars.rest2 = e.constant32(first + 3);
      scalars.eps = e.constant32(first + 4);
      scalars.clip = clip ? e.scalars[*clip] : Value();
      scalars.correction1 = e.scalars[corrections];
      scalars.correction2 = e.scalars[corrections + 1];
      AdamWElement next =
          createAdamW(arith, arith.toF32(e.inputs[0]), arith.toF32(e.inputs[1]),
                      arith.toF32(e.inputs[2]), scalars);
      SmallVector<Value> outs, sums;
      weight.build(e, next.update, outs, sums);
      outs.push_back(arith.cast(next.m, getElementType(expAvg)));
      outs.push_back(arith.cast(next.v, getElementType(expAvgSq)));
      llvm::append_range(outs, sums);
      return outs;
    });
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

/// Copies elements of one buffer to another of the same shape.
static void createCopy(OpBuilder &b, Location loc, Value from, Value to) {
  WorkOperands operands;
  operands.inputs = {from};
  operands.outs = {to};
  createStream(b, loc, operands, [](const Element &e) {
    return SmallVector<Value>{e.inputs[0]};
  });
}

/// Copies between matrices and their blocks, which lie one after the other,
/// matrix by matrix.
static void copyBlocks(OpBuilder &b, Location loc, Value matrices, Value blocks,
                       ArrayRef<int64_t> rowOffsets,
                       ArrayRef<int64_t> colOffsets, ArrayRef<int64_t> rows,
                       ArrayRef<int64_t> cols, bool isAssemble) {
  int64_t area = 0, before = 0;
  for (auto [r, c] : llvm::zip_equal(rows, cols))
    area += r * c;
  int64_t count = cast<MemRefType>(matrices.getType()).getDimSize(0);
  auto type = cast<MemRefType>(blocks.getType());
  auto getAttrs = [&](ArrayRef<int64_t> values) {
    return getAsIndexOpFoldResult(b.getContext(), values);
  };
  for (auto [rowOffset, colOffset, r, c] :
       llvm::zip_equal(rowOffsets, colOffsets, rows, cols)) {
    SmallVector<int64_t> sizes = {count, r, c}, strides = {area, c, 1};
    auto layout = StridedLayoutAttr::get(b.getContext(), before, strides);
    Value block = memref::ReinterpretCastOp::create(
        b, loc, MemRefType::get(sizes, type.getElementType(), layout), blocks,
        before, sizes, strides);
    Value part = memref::SubViewOp::create(
        b, loc, matrices, getAttrs({0, rowOffset, colOffset}), getAttrs(sizes),
        getAttrs({1, 1, 1}));
    if (isAssemble)
      createCopy(b, loc, block, part);
    else
      createCopy(b, loc, part, block);
    before += r * c;
  }
}

namespace {

struct ConvertAssemble : public OpRewritePattern<AssembleOp> {
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

struct ConvertDivide : public OpRewritePattern<DivideOp> {
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

} // namespace

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

namespace {

/// A term of the epilogue: constant number `constant` times input `input`. A
/// constant of 0 means that there is no such term.
struct Term {
  std::optional<unsigned> constant;
  unsigned input = 0;

  static Term create(double scale, Value matrix, WorkOperands &operands) {
    if (scale == 0.0)
      return {};
    operands.constants.push_back(scale);
    operands.inputs.push_back(matrix);
    return {unsigned(operands.constants.size() - 1),
            unsigned(operands.inputs.size() - 1)};
  }
  /// sum + factor·constant·input; `sum` may be null for nothing, `factor` (f64)
  /// for 1.
  Value addTo(const Element &e, Value sum, Value factor = {}) const {
    if (!constant)
      return sum;
    const Arith &arith = e.arith;
    Value scale = e.constants[*constant];
    if (factor)
      scale = arith.mul(factor, scale);
    Value product = arith.mul(arith.toF32(scale), arith.toF32(e.inputs[input]));
    return sum ? arith.add(sum, product) : product;
  }
};

/// The value as an element of `out`, 0 if null.
static SmallVector<Value> toOutput(const Element &e, Value value, Value out) {
  if (!value)
    value = e.arith.f32(0.0);
  return {e.arith.cast(value, getElementType(out))};
}

struct ConvertSymmetricProduct : public OpRewritePattern<SymmetricProductOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SymmetricProductOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    bool isLeft = op.getSide() == Side::Left;
    Value out = op.getOut().front();
    double alpha = op.getAlpha().convertToDouble();
    ProductOperands operands;
    operands.outs = {out};
    Term addend;
    if (!op.getAddend().empty())
      addend = Term::create(op.getBeta().convertToDouble(),
                            op.getAddend().front(), operands);
    if (alpha == 0.0) {
      createStream(rewriter, op.getLoc(), operands, [&](const Element &e) {
        return toOutput(e, addend.addTo(e, {}), out);
      });
      rewriter.eraseOp(op);
      return success();
    }
    operands.lhs = operands.rhs = op.getX().front();
    operands.lhsTransposed = !isLeft;
    operands.rhsTransposed = isLeft;
    operands.symmetric = true;
    operands.tf32 = op.getTf32();
    std::optional<unsigned> factor = operands.addScalar(op.getFactor());
    unsigned scaleIndex = operands.constants.size();
    operands.constants.push_back(alpha);
    createProduct(rewriter, op.getLoc(), operands, [&](const Element &e) {
      const Arith &arith = e.arith;
      Value scale = e.constants[scaleIndex];
      if (factor) {
        Value wide = arith.toF64(e.scalars[*factor]);
        scale = arith.mul(arith.mul(scale, wide), wide);
      }
      Value sum = arith.mul(arith.toF32(scale), e.acc);
      return toOutput(e, addend.addTo(e, sum), out);
    });
    rewriter.eraseOp(op);
    return success();
  }
};

struct ConvertCommutingProduct : public OpRewritePattern<CommutingProductOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(CommutingProductOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Value out = op.getOut().front();
    double alpha = op.getAlpha().convertToDouble(),
           lhsShift = op.getLhsShift().convertToDouble(),
           rhsShift = op.getRhsShift().convertToDouble();
    ProductOperands operands;
    operands.outs = {out};
    operands.lhs = op.getLhs().front();
    // Symmetric, so that its rows may be read for its columns.
    operands.rhs = op.getRhs().front();
    operands.rhsTransposed = true;
    operands.symmetric = true;
    operands.tf32 = op.getTf32();
    Term lhs = Term::create(alpha * rhsShift, operands.lhs, operands);
    Term rhs = Term::create(alpha * lhsShift, operands.rhs, operands);
    operands.constants.push_back(alpha);
    unsigned scaleIndex = operands.constants.size() - 1;
    bool hasDiagonal = alpha * lhsShift * rhsShift != 0.0;
    if (hasDiagonal)
      operands.constants.push_back(alpha * lhsShift * rhsShift);
    createProduct(rewriter, op.getLoc(), operands, [&](const Element &e) {
      const Arith &arith = e.arith;
      Value sum = arith.mul(e.constant32(scaleIndex), e.acc);
      sum = rhs.addTo(e, lhs.addTo(e, sum));
      if (hasDiagonal) {
        Value onDiagonal =
            OnDiagonalOp::create(arith.b, arith.loc, arith.b.getI1Type());
        sum = arith.select(onDiagonal,
                           arith.add(sum, e.constant32(scaleIndex + 1)), sum);
      }
      return toOutput(e, sum, out);
    });
    rewriter.eraseOp(op);
    return success();
  }
};

struct ConvertSymmetricApply : public OpRewritePattern<SymmetricApplyOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SymmetricApplyOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    Value x = op.getX().front(), s = op.getS().front(),
          out = op.getOut().front();
    bool isLeft = op.getSide() == Side::Left;
    double alpha = op.getAlpha().convertToDouble();
    ProductOperands operands;
    operands.outs = {out};
    std::optional<unsigned> factor = operands.addScalar(op.getFactor());
    Term addend = Term::create(op.getBeta().convertToDouble(), x, operands);
    auto getFactor = [&](const Element &e) {
      return factor ? e.arith.toF64(e.scalars[*factor]) : Value();
    };
    if (alpha == 0.0) {
      createStream(rewriter, op.getLoc(), operands, [&](const Element &e) {
        return toOutput(e, addend.addTo(e, {}, getFactor(e)), out);
      });
      rewriter.eraseOp(op);
      return success();
    }
    operands.lhs = isLeft ? s : x;
    operands.rhs = isLeft ? x : s;
    // A symmetric matrix is its own transpose, and faster to read by rows.
    operands.rhsTransposed = !isLeft;
    operands.tf32 = op.getTf32();
    unsigned scaleIndex = operands.constants.size();
    operands.constants.push_back(alpha);
    createProduct(rewriter, op.getLoc(), operands, [&](const Element &e) {
      const Arith &arith = e.arith;
      Value scale = e.constants[scaleIndex];
      Value wide = getFactor(e);
      if (wide)
        scale = arith.mul(wide, scale);
      Value sum = arith.mul(arith.toF32(scale), e.acc);
      return toOutput(e, addend.addTo(e, sum, wide), out);
    });
    rewriter.eraseOp(op);
    return success();
  }
};

struct ConvertMuonToMuonGPUPass
    : public muon::impl::ConvertMuonToMuonGPUPassBase<
          ConvertMuonToMuonGPUPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<memref::AllocOp> buffers;
    getOperation()->walk([&](memref::AllocOp op) {
      if (getPaddedColumns(op.getType()))
        buffers.push_back(op);
    });
    for (memref::AllocOp op : buffers)
      if (failed(padRows(op)))
        return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    patterns.add<ConvertSumSquares, ConvertMomentum, ConvertApply, ConvertAdamW,
                 ConvertSymmetricProduct, ConvertCommutingProduct,
                 ConvertSymmetricApply, ConvertAssemble, ConvertDivide>(
        &getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }

  /// Copies to shared memory take 16 bytes: rows of operands of products start
  /// at multiples of that. Columns with those between rows; 0 if there need not
  /// be any.
  static int64_t getPaddedColumns(MemRefType type) {
    if (!isBatchBuffer(type))
      return 0;
    int64_t elements = 128 / type.getElementTypeBitWidth();
    int64_t columns = type.getDimSize(2);
    int64_t padded = llvm::alignTo(columns, elements);
    return padded == columns ? 0 : padded;
  }

  /// Whether the operation takes this operand without gaps between rows.
  static bool isDense(OpOperand &use) {
    Operation *op = use.getOwner();
    unsigned index = use.getOperandNumber();
    return isa<CollectiveOpInterface, WaitOp, PackTriangleOp, UnpackTriangleOp>(
               op) ||
           (isa<AssembleOp>(op) && index == 0) ||
           (isa<DivideOp>(op) && index == 1);
  }

  /// Gives `use` a copy of what it reads, or copies what it writes.
  static LogicalResult copyAt(OpOperand &use) {
    auto op = cast<InPlaceOpInterface>(use.getOwner());
    auto collective = dyn_cast<CollectiveOpInterface>(use.getOwner());
    if (isa<WaitOp>(use.getOwner()) || (collective && collective.getHandle()))
      return op.emitOpError("is the start or the end of a collective; run "
                            "muon-overlap-collectives later");
    OpBuilder b(op);
    Value buffer = use.get();
    Value dense = memref::AllocOp::create(b, op.getLoc(),
                                          cast<MemRefType>(buffer.getType()));
    if (use.getOperandNumber() < op.getNumInputs()) {
      createCopy(b, op.getLoc(), buffer, dense);
    } else {
      b.setInsertionPointAfter(op);
      createCopy(b, op.getLoc(), dense, buffer);
    }
    use.set(dense);
    return success();
  }

  static LogicalResult padRows(memref::AllocOp op) {
    SmallVector<OpOperand *> dense;
    bool isMultiplied = false;
    for (OpOperand &use : op->getUses()) {
      if (isDense(use))
        dense.push_back(&use);
      isMultiplied |=
          isa<SymmetricProductOp, CommutingProductOp, SymmetricApplyOp>(
              use.getOwner());
    }
    if (!dense.empty() && !isMultiplied)
      return success();
    for (OpOperand *use : dense)
      if (failed(copyAt(*use)))
        return failure();
    MemRefType type = op.getType();
    int64_t padded = getPaddedColumns(type);
    OpBuilder b(op);
    auto paddedType =
        MemRefType::get({type.getDimSize(0), type.getDimSize(1), padded},
                        type.getElementType());
    Value buffer = memref::AllocOp::create(b, op.getLoc(), paddedType);
    SmallVector<OpFoldResult> offsets(3, b.getIndexAttr(0)),
        strides(3, b.getIndexAttr(1)), sizes;
    for (int64_t size : type.getShape())
      sizes.push_back(b.getIndexAttr(size));
    Value view = memref::SubViewOp::create(b, op.getLoc(), buffer, offsets,
                                           sizes, strides);
    op.getResult().replaceAllUsesWith(view);
    op.erase();
    return success();
  }
};

} // namespace
