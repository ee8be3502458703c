//===- MuonToLLVM.cpp - Slots, members, arena and host calls to LLVM -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Runtime/HostApi.h"
#include <cstddef>

namespace mlir::muon {
#define GEN_PASS_DEF_CONVERTMUONTOLLVMPASS
#include "muon-mlir/Conversion/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

/// Position of a function in the table of the runtime.
int64_t getHostFunctionOffset(StringRef name) {
  if (name == "symmetric_product")
    return offsetof(MuonHostApi, symmetric_product);
  if (name == "commuting_product")
    return offsetof(MuonHostApi, commuting_product);
  if (name == "launch")
    return offsetof(MuonHostApi, launch);
  if (name == "parallel_for")
    return offsetof(MuonHostApi, parallel_for);
  if (name == "collective_start")
    return offsetof(MuonHostApi, collective_start);
  if (name == "collective_wait")
    return offsetof(MuonHostApi, collective_wait);
  assert(name == "symmetric_apply" && "verified by muon.host_call");
  return offsetof(MuonHostApi, symmetric_apply);
}

/// A pattern with what all of them need.
template <typename OpT>
class EntryPattern : public OpRewritePattern<OpT> {
public:
  EntryPattern(const LLVMTypeConverter &converter)
      : OpRewritePattern<OpT>(&converter.getContext()), converter(converter) {}

protected:
  /// The host's table: the first argument of the entry, the last of others.
  static Value getHost(Operation *op) {
    auto function = op->getParentOfType<func::FuncOp>();
    if (!function)
      return {};
    if (function->hasAttr(MuonDialect::kEntry))
      return getPointer(function, 0);
    unsigned count = function.getNumArguments();
    if (count != 0 && function.getArgAttr(count - 1, MuonDialect::kHost))
      return getPointer(function, count - 1);
    return {};
  }

  /// The slots: the second argument of the entry.
  static Value getSlots(Operation *op) {
    auto function = op->getParentOfType<func::FuncOp>();
    if (!function || !function->hasAttr(MuonDialect::kEntry))
      return {};
    return getPointer(function, 1);
  }

  static Value getPointer(func::FuncOp function, unsigned index) {
    if (index >= function.getNumArguments() ||
        !isa<LLVM::LLVMPointerType>(function.getArgument(index).getType()))
      return {};
    return function.getArgument(index);
  }

  static Value cast(OpBuilder &b, Location loc, Type type, Value value) {
    return UnrealizedConversionCastOp::create(b, loc, type, value).getResult(0);
  }

  static LLVM::LLVMPointerType pointerType(OpBuilder &b) {
    return LLVM::LLVMPointerType::get(b.getContext());
  }

  /// The pointer stored `bytes` after `base`.
  static Value loadPointer(OpBuilder &b, Location loc, Value base,
                           int64_t bytes) {
    return LLVM::LoadOp::create(b, loc, pointerType(b),
                                getAddress(b, loc, base, bytes));
  }
  static Value getAddress(OpBuilder &b, Location loc, Value base,
                          int64_t bytes) {
    return LLVM::GEPOp::create(b, loc, pointerType(b), b.getI8Type(), base,
                               ArrayRef<LLVM::GEPArg>{int32_t(bytes)});
  }

  /// Calls a function of the host with a number, and with `more` if there is.
  static void callWithNumber(OpBuilder &b, Location loc, Value host,
                             StringRef name, int64_t number, Value more) {
    SmallVector<Value> operands = {
        loadPointer(b, loc, host, getHostFunctionOffset(name)),
        loadPointer(b, loc, host, offsetof(MuonHostApi, context)),
        LLVM::ConstantOp::create(b, loc, b.getI32Type(),
                                 b.getI32IntegerAttr(number))};
    if (more)
      operands.push_back(more);
    SmallVector<Type> types(ValueRange(operands).drop_front().getTypes());
    LLVM::CallOp::create(b, loc,
                         LLVM::LLVMFunctionType::get(
                             LLVM::LLVMVoidType::get(b.getContext()), types),
                         operands);
  }

  /// A memref of static shape over `pointer`.
  Value toMemRef(OpBuilder &b, Location loc, MemRefType type,
                 Value pointer) const {
    Value descriptor =
        MemRefDescriptor::fromStaticShape(b, loc, converter, type, pointer);
    return cast(b, loc, type, descriptor);
  }

  const LLVMTypeConverter &converter;
};

struct LowerSlot : public EntryPattern<SlotOp> {
  using EntryPattern::EntryPattern;

  LogicalResult matchAndRewrite(SlotOp op,
                                PatternRewriter &rewriter) const override {
    Value slots = getSlots(op);
    if (!slots)
      return rewriter.notifyMatchFailure(op, "not in an entry function");
    int64_t bytes = op.getIndex() * sizeof(void *);
    auto type = dyn_cast<MemRefType>(op.getType());
    Value result =
        type ? toMemRef(rewriter, op.getLoc(), type,
                        loadPointer(rewriter, op.getLoc(), slots, bytes))
             : cast(rewriter, op.getLoc(), op.getType(),
                    getAddress(rewriter, op.getLoc(), slots, bytes));
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct LowerMember : public EntryPattern<MemberOp> {
  using EntryPattern::EntryPattern;

  LogicalResult matchAndRewrite(MemberOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value table = cast(rewriter, loc, pointerType(rewriter), op.getTable());
    Value index = arith::IndexCastOp::create(
        rewriter, loc, rewriter.getI64Type(), op.getIndex());
    Value address = LLVM::GEPOp::create(rewriter, loc, pointerType(rewriter),
                                        pointerType(rewriter), table,
                                        ArrayRef<LLVM::GEPArg>{index});
    Value pointer =
        LLVM::LoadOp::create(rewriter, loc, pointerType(rewriter), address);
    rewriter.replaceOp(op, toMemRef(rewriter, loc, op.getType(), pointer));
    return success();
  }
};

struct LowerSlice : public EntryPattern<SliceOp> {
  using EntryPattern::EntryPattern;

  LogicalResult matchAndRewrite(SliceOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value index = arith::IndexCastOp::create(
        rewriter, loc, rewriter.getI64Type(), op.getOffset());
    auto type = dyn_cast<MemRefType>(op.getSource().getType());
    if (!type) {
      Value table = cast(rewriter, loc, pointerType(rewriter), op.getSource());
      Value part = LLVM::GEPOp::create(rewriter, loc, pointerType(rewriter),
                                       pointerType(rewriter), table,
                                       ArrayRef<LLVM::GEPArg>{index});
      rewriter.replaceOp(op, cast(rewriter, loc, op.getType(), part));
      return success();
    }
    MemRefDescriptor descriptor(
        cast(rewriter, loc, converter.convertType(type), op.getSource()));
    Value stride = LLVM::ConstantOp::create(
        rewriter, loc, rewriter.getI64Type(),
        rewriter.getI64IntegerAttr(type.getNumElements() / type.getDimSize(0)));
    Value elements = LLVM::MulOp::create(rewriter, loc, index, stride);
    Value part = LLVM::GEPOp::create(
        rewriter, loc, pointerType(rewriter), type.getElementType(),
        descriptor.bufferPtr(rewriter, loc, converter, type),
        ArrayRef<LLVM::GEPArg>{elements});
    rewriter.replaceOp(
        op,
        toMemRef(rewriter, loc, llvm::cast<MemRefType>(op.getType()), part));
    return success();
  }
};

struct LowerArena : public EntryPattern<ArenaOp> {
  using EntryPattern::EntryPattern;

  LogicalResult matchAndRewrite(ArenaOp op,
                                PatternRewriter &rewriter) const override {
    Value host = getHost(op);
    if (!host)
      return rewriter.notifyMatchFailure(op, "not in an entry function");
    Value arena =
        loadPointer(rewriter, op.getLoc(), host, offsetof(MuonHostApi, arena));
    rewriter.replaceOp(op,
                       toMemRef(rewriter, op.getLoc(),
                                llvm::cast<MemRefType>(op.getType()), arena));
    return success();
  }
};

struct LowerHostCall : public EntryPattern<HostCallOp> {
  using EntryPattern::EntryPattern;

  LogicalResult matchAndRewrite(HostCallOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value host = getHost(op);
    if (!host)
      return rewriter.notifyMatchFailure(op, "not in an entry function");
    Value function =
        loadPointer(rewriter, loc, host, getHostFunctionOffset(op.getCallee()));
    SmallVector<Value> operands = {
        function,
        loadPointer(rewriter, loc, host, offsetof(MuonHostApi, context))};
    for (Value argument : op.getArguments()) {
      if (auto type = dyn_cast<MemRefType>(argument.getType())) {
        MemRefDescriptor descriptor(
            cast(rewriter, loc, converter.convertType(type), argument));
        argument = descriptor.bufferPtr(rewriter, loc, converter, type);
      }
      operands.push_back(argument);
    }
    SmallVector<Type> types;
    for (Value operand : ArrayRef(operands).drop_front())
      types.push_back(operand.getType());
    auto type = LLVM::LLVMFunctionType::get(
        LLVM::LLVMVoidType::get(getContext()), types);
    LLVM::CallOp::create(rewriter, loc, type, operands);
    rewriter.eraseOp(op);
    return success();
  }
};

/// A call of the host's loop with a function that unpacks what the body needs.
struct LowerParallelCall : public EntryPattern<ParallelCallOp> {
  using EntryPattern::EntryPattern;

  LogicalResult matchAndRewrite(ParallelCallOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value host = getHost(op);
    if (!host)
      return rewriter.notifyMatchFailure(op, "not in an entry function");
    auto module = op->getParentOfType<ModuleOp>();
    auto callee = module.lookupSymbol<func::FuncOp>(op.getCallee());
    if (!callee)
      return rewriter.notifyMatchFailure(op, "the body is no function");
    LLVM::LLVMFuncOp unpack = createUnpack(op, callee, rewriter);

    Type pointer = pointerType(rewriter), i64 = rewriter.getI64Type();
    // In the entry block: a loop around the call must not grow the stack.
    Block &entry = op->getParentOfType<func::FuncOp>().getBody().front();
    auto allocate = [&](int64_t count) -> Value {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(&entry);
      Value size = number(rewriter, loc, std::max<int64_t>(count, 1));
      return LLVM::AllocaOp::create(rewriter, loc, pointer, i64, size);
    };
    Value data = allocate(op.getCaptured().size());
    for (auto [index, value] : llvm::enumerate(op.getCaptured()))
      LLVM::StoreOp::create(rewriter, loc, toSlot(rewriter, loc, value),
                            getAddress(rewriter, loc, data, 8 * index));
    Value sums = allocate(op.getSums().size());
    for (auto [index, value] : llvm::enumerate(op.getSums()))
      LLVM::StoreOp::create(rewriter, loc, toSlot(rewriter, loc, value),
                            getAddress(rewriter, loc, sums, 8 * index));
    SmallVector<Value> operands = {
        loadPointer(rewriter, loc, host, getHostFunctionOffset("parallel_for")),
        loadPointer(rewriter, loc, host, offsetof(MuonHostApi, context)),
        number(rewriter, loc, op.getCount()),
        LLVM::AddressOfOp::create(rewriter, loc, unpack),
        data,
        number(rewriter, loc, op.getSums().size()),
        number(rewriter, loc, op.getGroup()),
        sums};
    auto type = LLVM::LLVMFunctionType::get(
        LLVM::LLVMVoidType::get(getContext()),
        {pointer, i64, pointer, pointer, i64, i64, pointer});
    LLVM::CallOp::create(rewriter, loc, type, operands);
    rewriter.eraseOp(op);
    return success();
  }

private:
  static Value number(OpBuilder &b, Location loc, int64_t value) {
    return LLVM::ConstantOp::create(b, loc, b.getI64Type(),
                                    b.getI64IntegerAttr(value));
  }

  /// What a slot of eight bytes holds of a value: the address of a buffer, or
  /// the value itself.
  Value toSlot(OpBuilder &b, Location loc, Value value) const {
    if (isa<TableType>(value.getType()))
      return cast(b, loc, pointerType(b), value);
    Type converted = converter.convertType(value.getType());
    if (converted == value.getType())
      return value;
    Value result = cast(b, loc, converted, value);
    if (auto type = dyn_cast<MemRefType>(value.getType()))
      return MemRefDescriptor(result).bufferPtr(b, loc, converter, type);
    return result;
  }

  /// void(ptr data, i64 i, ptr partial) that calls `callee` with what
  /// toSlot stored.
  LLVM::LLVMFuncOp createUnpack(ParallelCallOp op, func::FuncOp callee,
                                PatternRewriter &rewriter) const {
    OpBuilder::InsertionGuard guard(rewriter);
    Location loc = op.getLoc();
    rewriter.setInsertionPoint(callee);
    Type pointer = pointerType(rewriter);
    auto type =
        LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(getContext()),
                                    {pointer, rewriter.getI64Type(), pointer});
    // Two calls of one body have a function each.
    auto module = op->getParentOfType<ModuleOp>();
    std::string name = (op.getCallee() + "_unpack").str();
    for (int i = 0; module.lookupSymbol(name); ++i)
      name = (op.getCallee() + "_unpack_" + Twine(i)).str();
    auto unpack = LLVM::LLVMFuncOp::create(rewriter, loc, name, type,
                                           LLVM::Linkage::Internal);
    Block *block = unpack.addEntryBlock(rewriter);
    rewriter.setInsertionPointToStart(block);
    SmallVector<Value> operands;
    for (auto [index, value] : llvm::enumerate(op.getCaptured())) {
      Value slot = getAddress(rewriter, loc, block->getArgument(0), 8 * index);
      auto load = [&](Type type) -> Value {
        return LLVM::LoadOp::create(rewriter, loc, type, slot);
      };
      if (auto memref = dyn_cast<MemRefType>(value.getType()))
        operands.push_back(toMemRef(rewriter, loc, memref, load(pointer)));
      else if (isa<TableType>(value.getType()))
        operands.push_back(load(pointer));
      else
        operands.push_back(
            fromConverted(rewriter, loc, value.getType(),
                          load(converter.convertType(value.getType()))));
    }
    operands.push_back(fromConverted(rewriter, loc, rewriter.getIndexType(),
                                     block->getArgument(1)));
    auto partial = MemRefType::get({}, rewriter.getF64Type());
    for (size_t sum = 0; sum < op.getSums().size(); ++sum)
      operands.push_back(
          toMemRef(rewriter, loc, partial,
                   getAddress(rewriter, loc, block->getArgument(2), 8 * sum)));
    func::CallOp::create(rewriter, loc, callee, operands);
    LLVM::ReturnOp::create(rewriter, loc, ValueRange());
    return unpack;
  }

  static Value fromConverted(OpBuilder &b, Location loc, Type type,
                             Value value) {
    return type == value.getType() ? value : cast(b, loc, type, value);
  }
};

struct LowerStartCollective : public EntryPattern<StartCollectiveOp> {
  using EntryPattern::EntryPattern;

  LogicalResult matchAndRewrite(StartCollectiveOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value host = getHost(op);
    if (!host)
      return rewriter.notifyMatchFailure(op, "not in an entry function");
    Type pointer = pointerType(rewriter);
    Block &entry = op->getParentOfType<func::FuncOp>().getBody().front();
    Value buffers;
    {
      // In the entry block: a loop around the call must not grow the stack.
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(&entry);
      Value size =
          LLVM::ConstantOp::create(rewriter, loc, rewriter.getI64Type(),
                                   rewriter.getI64IntegerAttr(std::max<int64_t>(
                                       op.getBuffers().size(), 1)));
      buffers = LLVM::AllocaOp::create(rewriter, loc, pointer,
                                       rewriter.getI64Type(), size);
    }
    for (auto [index, buffer] : llvm::enumerate(op.getBuffers())) {
      Value address;
      if (auto type = dyn_cast<MemRefType>(buffer.getType()))
        address = MemRefDescriptor(
                      cast(rewriter, loc, converter.convertType(type), buffer))
                      .bufferPtr(rewriter, loc, converter, type);
      else
        address = cast(rewriter, loc, pointer, buffer);
      LLVM::StoreOp::create(rewriter, loc, address,
                            getAddress(rewriter, loc, buffers, 8 * index));
    }
    callWithNumber(rewriter, loc, host, "collective_start", op.getIndex(),
                   buffers);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerWaitCollective : public EntryPattern<WaitCollectiveOp> {
  using EntryPattern::EntryPattern;

  LogicalResult matchAndRewrite(WaitCollectiveOp op,
                                PatternRewriter &rewriter) const override {
    Value host = getHost(op);
    if (!host)
      return rewriter.notifyMatchFailure(op, "not in an entry function");
    callWithNumber(rewriter, op.getLoc(), host, "collective_wait",
                   op.getIndex(), {});
    rewriter.eraseOp(op);
    return success();
  }
};

/// Tables are passed to private functions as pointers.
void convertTableArguments(Operation *root) {
  root->walk([](func::FuncOp function) {
    if (function.isExternal() ||
        llvm::none_of(function.getArgumentTypes(), llvm::IsaPred<TableType>))
      return;
    Block &body = function.getBody().front();
    OpBuilder builder = OpBuilder::atBlockBegin(&body);
    Type pointer = LLVM::LLVMPointerType::get(function.getContext());
    for (BlockArgument argument : body.getArguments()) {
      auto table = dyn_cast<TableType>(argument.getType());
      if (!table)
        continue;
      argument.setType(pointer);
      auto cast = UnrealizedConversionCastOp::create(builder, argument.getLoc(),
                                                     table, argument);
      argument.replaceAllUsesExcept(cast.getResult(0), cast);
    }
    function.setType(builder.getFunctionType(body.getArgumentTypes(),
                                             function.getResultTypes()));
  });
  root->walk([](func::CallOp call) {
    OpBuilder builder(call);
    Type pointer = LLVM::LLVMPointerType::get(call.getContext());
    for (OpOperand &operand : call->getOpOperands())
      if (isa<TableType>(operand.get().getType()))
        operand.set(UnrealizedConversionCastOp::create(builder, call.getLoc(),
                                                       pointer, operand.get())
                        .getResult(0));
  });
}

struct ConvertMuonToLLVMPass
    : public muon::impl::ConvertMuonToLLVMPassBase<ConvertMuonToLLVMPass> {
  using Base::Base;

  void runOnOperation() override {
    convertTableArguments(getOperation());
    LLVMTypeConverter converter(&getContext());
    RewritePatternSet patterns(&getContext());
    patterns
        .add<LowerArena, LowerHostCall, LowerMember, LowerParallelCall,
             LowerSlice, LowerSlot, LowerStartCollective, LowerWaitCollective>(
            converter);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
    // Nothing that translation to LLVM IR would have to know.
    getOperation()->walk([](func::FuncOp function) {
      if (unsigned count = function.getNumArguments())
        function.removeArgAttr(count - 1, StringAttr::get(function.getContext(),
                                                          MuonDialect::kHost));
    });
    getOperation()->walk([&](Operation *op) {
      if (!isa<ArenaOp, HostCallOp, MemberOp, ParallelCallOp, SliceOp, SlotOp,
               StartCollectiveOp, WaitCollectiveOp>(op))
        return;
      op->emitOpError("expected to be inside an entry function");
      signalPassFailure();
    });
  }
};

} // namespace
