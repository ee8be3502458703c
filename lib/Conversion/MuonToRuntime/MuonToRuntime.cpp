//===- MuonToRuntime.cpp - Products to calls of the runtime -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"

namespace mlir::muon {
#define GEN_PASS_DEF_CONVERTMUONTORUNTIMEPASS
#include "muon-mlir/Conversion/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

/// Edge of the blocks in which a triangle is mirrored: a block and its mirror
/// image, 16 KiB each in f32, fit into a first-level cache together.
static constexpr int64_t kMirrorBlock = 64;

/// Functions that the pass adds to a module.
static constexpr StringLiteral kMirror = "muon_mirror_triangle";
static constexpr StringLiteral kAddAndMirror = "muon_add_and_mirror_triangle";

namespace {

/// Builds the lowering of one product at the place of the operation.
class ProductBuilder {
public:
  ProductBuilder(OpBuilder &rewriter, Location loc) : b(rewriter), loc(loc) {}

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value i64(int64_t value) {
    return arith::ConstantIntOp::create(b, loc, value, 64);
  }
  Value f32(double value) {
    return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
  }

  /// Loop from `begin` to `end` by `step`.
  void forLoop(Value begin, Value end, int64_t step,
               function_ref<void(Value)> body) {
    auto loop = scf::ForOp::create(b, loc, begin, end, index(step));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getBody()->getTerminator());
    body(loop.getInductionVar());
  }

  /// Loop over the matrices of a batch; no loop for one.
  void forEachMatrix(Value batch, function_ref<void(Value)> body) {
    int64_t count = cast<MemRefType>(batch.getType()).getDimSize(0);
    if (count == 1)
      return body(index(0));
    forLoop(index(0), index(count), 1, body);
  }

  /// Matrix number `position` of a rank-3 batch.
  Value getMatrix(Value batch, Value position) {
    auto type = cast<MemRefType>(batch.getType());
    int64_t rows = type.getDimSize(1), cols = type.getDimSize(2);
    SmallVector<OpFoldResult> offsets = {position, b.getIndexAttr(0),
                                         b.getIndexAttr(0)};
    SmallVector<OpFoldResult> sizes = {b.getIndexAttr(1), b.getIndexAttr(rows),
                                       b.getIndexAttr(cols)};
    SmallVector<OpFoldResult> strides(3, b.getIndexAttr(1));
    auto resultType = memref::SubViewOp::inferRankReducedResultType(
        {rows, cols}, type, offsets, sizes, strides);
    return memref::SubViewOp::create(b, loc, resultType, batch, offsets, sizes,
                                     strides);
  }

  /// constant · factor[position]^power, rounded once.
  Value getAlpha(double constant, ValueRange factor, Value position,
                 int power) {
    if (factor.empty())
      return f32(constant);
    Value narrow =
        memref::LoadOp::create(b, loc, factor.front(), ValueRange(position));
    Value f = arith::ExtFOp::create(b, loc, b.getF64Type(), narrow);
    Value product =
        arith::ConstantOp::create(b, loc, b.getF64FloatAttr(constant));
    for (int i = 0; i < power; ++i)
      product = arith::MulFOp::create(b, loc, product, f);
    return arith::TruncFOp::create(b, loc, b.getF32Type(), product);
  }

  /// Body of a function that finishes a product of which ssyrk has computed the
  /// upper triangle: out += beta·addend there, if there is an addend; then the
  /// lower triangle ← the mirror image; block by block. All are m×m.
  void buildFinish(Value out, Value addend, Value beta);

  /// to ← from, for whole contiguous buffers of one type.
  void copy(Value from, Value to);

  OpBuilder &b;
  Location loc;
};

} // namespace

void ProductBuilder::buildFinish(Value out, Value addend, Value beta) {
  Value m = memref::DimOp::create(b, loc, out, 0);
  auto load = [&](Value from, Value i, Value j) -> Value {
    return memref::LoadOp::create(b, loc, from, ValueRange{i, j});
  };
  auto store = [&](Value value, Value i, Value j) {
    memref::StoreOp::create(b, loc, value, out, ValueRange{i, j});
  };
  auto blockEnd = [&](Value begin) -> Value {
    Value end = arith::AddIOp::create(b, loc, begin, index(kMirrorBlock));
    return arith::MinSIOp::create(b, loc, end, m);
  };
  auto max = [&](Value x, Value y) -> Value {
    return arith::MaxSIOp::create(b, loc, x, y);
  };

  forLoop(index(0), m, kMirrorBlock, [&](Value rowBlock) {
    Value rowEnd = blockEnd(rowBlock);
    forLoop(rowBlock, m, kMirrorBlock, [&](Value colBlock) {
      Value colEnd = blockEnd(colBlock);
      if (addend)
        forLoop(rowBlock, rowEnd, 1, [&](Value i) {
          forLoop(max(colBlock, i), colEnd, 1, [&](Value j) {
            Value scaled =
                arith::MulFOp::create(b, loc, beta, load(addend, i, j));
            store(arith::AddFOp::create(b, loc, load(out, i, j), scaled), i, j);
          });
        });
      // The mirror image row by row, so that stores are contiguous.
      forLoop(colBlock, colEnd, 1, [&](Value j) {
        Value end = arith::MinSIOp::create(b, loc, rowEnd, j);
        forLoop(rowBlock, end, 1,
                [&](Value i) { store(load(out, i, j), j, i); });
      });
    });
  });
}

void ProductBuilder::copy(Value from, Value to) {
  auto type = cast<MemRefType>(from.getType());
  auto flat = MemRefType::get({type.getNumElements()}, type.getElementType());
  auto flatten = [&](Value buffer) -> Value {
    SmallVector<OpFoldResult> sizes = {b.getIndexAttr(type.getNumElements())};
    SmallVector<OpFoldResult> strides = {b.getIndexAttr(1)};
    return memref::ReinterpretCastOp::create(b, loc, flat, buffer,
                                             b.getIndexAttr(0), sizes, strides);
  };
  AffineMap identity = b.getMultiDimIdentityMap(1);
  linalg::GenericOp::create(
      b, loc, flatten(from), flatten(to),
      ArrayRef<AffineMap>{identity, identity}, utils::IteratorType::parallel,
      [](OpBuilder &inner, Location bodyLoc, ValueRange args) {
        linalg::YieldOp::create(inner, bodyLoc, args[0]);
      });
}

/// The one function of a module that finishes products with or without an
/// addend, whatever their size: the blocks cost a code generator more time than
/// all else, so there is one copy of them.
static func::FuncOp getFinishFunction(OpBuilder &builder, ModuleOp module,
                                      bool hasAddend) {
  StringRef name = hasAddend ? kAddAndMirror : kMirror;
  if (auto function = module.lookupSymbol<func::FuncOp>(name))
    return function;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(module.getBody());
  Location loc = module.getLoc();
  Type f32 = builder.getF32Type();
  int64_t dynamic = ShapedType::kDynamic;
  Type matrix = MemRefType::get(
      {dynamic, dynamic}, f32,
      StridedLayoutAttr::get(builder.getContext(), dynamic, {dynamic, 1}));
  SmallVector<Type> inputs = {matrix};
  if (hasAddend)
    inputs.append({matrix, f32});
  auto function = func::FuncOp::create(builder, loc, name,
                                       builder.getFunctionType(inputs, {}));
  function.setPrivate();
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToEnd(body);
  ProductBuilder(builder, loc)
      .buildFinish(body->getArgument(0),
                   hasAddend ? body->getArgument(1) : Value(),
                   hasAddend ? body->getArgument(2) : Value());
  func::ReturnOp::create(builder, loc);
  return function;
}

namespace {

struct LowerSymmetricProduct : public OpRewritePattern<SymmetricProductOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SymmetricProductOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 0)
      return rewriter.notifyMatchFailure(op, "expected buffers");
    auto type = cast<MemRefType>(op.getX().front().getType());
    bool isLeft = op.getSide() == Side::Left;
    int64_t m = type.getDimSize(isLeft ? 1 : 2),
            k = type.getDimSize(isLeft ? 2 : 1);
    double beta = op.getBeta().convertToDouble();

    ProductBuilder build(rewriter, op.getLoc());
    build.forEachMatrix(op.getX().front(), [&](Value position) {
      Value x = build.getMatrix(op.getX().front(), position);
      Value out = build.getMatrix(op.getOut().front(), position);
      Value addend;
      if (!op.getAddend().empty() && beta != 0.0)
        addend = build.getMatrix(op.getAddend().front(), position);
      Value transposed = arith::ConstantIntOp::create(rewriter, op.getLoc(),
                                                      isLeft ? 0 : 1, 32);
      Value alpha = build.getAlpha(op.getAlpha().convertToDouble(),
                                   op.getFactor(), position, 2);
      HostCallOp::create(rewriter, op.getLoc(), "ssyrk",
                         ValueRange{transposed, build.i64(m), build.i64(k),
                                    alpha, x, build.i64(isLeft ? k : m), out,
                                    build.i64(m)});
      auto finish = getFinishFunction(rewriter, op->getParentOfType<ModuleOp>(),
                                      static_cast<bool>(addend));
      auto cast = [&](Value matrix) -> Value {
        return memref::CastOp::create(rewriter, op.getLoc(),
                                      finish.getArgumentTypes()[0], matrix);
      };
      SmallVector<Value> arguments = {cast(out)};
      if (addend)
        arguments.append({cast(addend), build.f32(beta)});
      func::CallOp::create(rewriter, op.getLoc(), finish, arguments);
    });
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
    auto type = cast<MemRefType>(op.getX().front().getType());
    int64_t rows = type.getDimSize(1), cols = type.getDimSize(2);

    double beta = op.getBeta().convertToDouble();

    ProductBuilder build(rewriter, op.getLoc());
    if (beta != 0.0)
      build.copy(op.getX().front(), op.getOut().front());
    build.forEachMatrix(op.getX().front(), [&](Value position) {
      Value s = build.getMatrix(op.getS().front(), position);
      Value x = build.getMatrix(op.getX().front(), position);
      Value out = build.getMatrix(op.getOut().front(), position);
      Value alpha = build.getAlpha(1.0, op.getFactor(), position, 1);
      Value share = build.getAlpha(
          beta, beta == 0.0 ? ValueRange() : op.getFactor(), position, 1);
      Value m = build.i64(rows), n = build.i64(cols);
      SmallVector<Value> left = {s, m}, right = {x, n};
      Value k = m;
      if (op.getSide() == Side::Right) {
        left = {x, n};
        right = {s, n};
        k = n;
      }
      HostCallOp::create(rewriter, op.getLoc(), "sgemm",
                         ValueRange{m, n, k, alpha, left[0], left[1], right[0],
                                    right[1], share, out, n});
    });
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
    patterns.add<LowerSymmetricProduct, LowerSymmetricApply>(&getContext());
    // What is there already may not take a name that lowering needs.
    bool hasProduct =
        getOperation()
            ->walk([](SymmetricProductOp) { return WalkResult::interrupt(); })
            .wasInterrupted();
    if (!hasProduct)
      return walkAndApplyPatterns(getOperation(), std::move(patterns));
    for (StringRef name : {kAddAndMirror, kMirror})
      if (Operation *other = getOperation().lookupSymbol(name)) {
        other->emitOpError("has the name of a function that lowering makes");
        return signalPassFailure();
      }
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
