//===- Kernel.cpp - Building kernels ----------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernel.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::muon_gpu;

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

Value Code::vector(ValueRange elements) const {
  auto type = VectorType::get(elements.size(), elements.front().getType());
  Value result = LLVM::PoisonOp::create(b, loc, type);
  for (auto [i, element] : llvm::enumerate(elements))
    result = LLVM::InsertElementOp::create(b, loc, result, element, c32(i));
  return result;
}

Value Code::sqrt(Value x) const {
  StringRef name =
      x.getType().isF64() ? "llvm.nvvm.sqrt.rn.d" : "llvm.nvvm.sqrt.rn.f";
  return LLVM::CallIntrinsicOp::create(b, loc, x.getType(),
                                       b.getStringAttr(name), ValueRange{x})
      .getResult(0);
}

Value Code::threadId() const {
  return NVVM::ThreadIdXOp::create(b, loc, i32());
}

Value Code::blockId() const { return NVVM::BlockIdXOp::create(b, loc, i32()); }

void Code::barrier() const { NVVM::Barrier0Op::create(b, loc); }

void Code::ifThen(Value condition, function_ref<void()> body) const {
  auto ifOp = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(ifOp.thenYield());
  body();
}

SmallVector<Value>
Code::loop(Value from, Value to, Value step, ValueRange init,
           function_ref<SmallVector<Value>(Value, ValueRange)> body) const {
  auto loop =
      scf::ForOp::create(b, loc, from, to, step, init,
                         [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(loop.getBody());
  SmallVector<Value> next =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  scf::YieldOp::create(b, loc, next);
  return loop.getResults();
}

int64_t muon_gpu::getCount(Value list) {
  return cast<MemRefType>(list.getType()).getDimSize(0);
}

Value muon_gpu::sumOverWarp(const Code &code, Value value) {
  OpBuilder &b = code.b;
  Location loc = code.loc;
  Value all = code.c32(-1), clamp = code.c32(31), half = code.c64(32);
  for (int64_t distance = 16; distance; distance /= 2) {
    auto exchange = [&](Value part) -> Value {
      return NVVM::ShflOp::create(b, loc, code.i32(), all, code.to32(part),
                                  code.c32(distance), clamp,
                                  NVVM::ShflKind::bfly, UnitAttr());
    };
    Value bits = code.bitcast(code.i64(), value);
    Value low = exchange(bits);
    Value high = exchange(arith::ShRUIOp::create(b, loc, bits, half));
    Value shifted = arith::ShLIOp::create(b, loc, code.to64(high), half);
    Value other = arith::OrIOp::create(b, loc, code.to64(low), shifted);
    value = code.add(value, code.bitcast(code.f64(), other));
  }
  return value;
}

Value muon_gpu::sumOverBlock(const Code &code, Value value, Value scratch,
                             int64_t threads) {
  value = sumOverWarp(code, value);
  Value tid = code.threadId();
  Value warp = code.div(tid, 32);
  code.ifThen(code.equal(code.rem(tid, 32), 0), [&] {
    code.store(value, code.at(scratch, code.to64(code.mul(warp, 8))), 8);
  });
  code.barrier();
  Value sum = code.load(code.f64(), scratch, 8);
  for (int64_t i = 1; i < threads / 32; ++i)
    sum = code.add(sum, code.load(code.f64(), code.at(scratch, i * 8), 8));
  return sum;
}

SmallVector<Value> muon_gpu::inlineElement(const Code &code,
                                           WorkOpInterface work,
                                           ValueRange arguments,
                                           Value onDiagonal) {
  Block &block = work.getElementRegion().front();
  IRMapping mapping;
  mapping.map(block.getArguments(), arguments);
  for (Operation &op : block.without_terminator()) {
    if (isa<OnDiagonalOp>(op))
      mapping.map(op.getResult(0), onDiagonal);
    else
      code.b.clone(op, mapping);
  }
  SmallVector<Value> results;
  for (Value value : block.getTerminator()->getOperands())
    results.push_back(mapping.lookupOrDefault(value));
  return results;
}

Value muon_gpu::createShared(const Code &code, ::mlir::gpu::GPUFuncOp kernel,
                             StringRef name, int64_t bytes, int64_t alignment) {
  auto module = kernel->getParentOfType<::mlir::gpu::GPUModuleOp>();
  OpBuilder b(module.getBody(), module.getBody()->begin());
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), bytes);
  auto global = LLVM::GlobalOp::create(b, code.loc, type, /*isConstant=*/false,
                                       LLVM::Linkage::Internal,
                                       (kernel.getName() + "_" + name).str(),
                                       Attribute(), alignment, kSharedSpace);
  // Shared memory has no initial value.
  Block *block = b.createBlock(&global.getInitializerRegion());
  b.setInsertionPointToStart(block);
  Value undefined = LLVM::UndefOp::create(b, code.loc, type);
  LLVM::ReturnOp::create(b, code.loc, undefined);
  return LLVM::AddressOfOp::create(code.b, code.loc, code.pointer(kSharedSpace),
                                   global.getSymName());
}

::mlir::gpu::GPUFuncOp muon_gpu::createKernel(::mlir::gpu::GPUModuleOp module,
                                              Location loc, StringRef name,
                                              const KernelShape &shape) {
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  Code code(b, loc);
  Type global = code.pointer(kGlobalSpace);
  auto type = b.getFunctionType(
      {global, global, code.i64(), code.i32(), code.i32()}, {});
  auto kernel = ::mlir::gpu::GPUFuncOp::create(b, loc, name, type);
  kernel->setAttr(::mlir::gpu::GPUDialect::getKernelFuncAttrName(),
                  b.getUnitAttr());
  kernel.setKnownBlockSizeAttr(
      b.getDenseI32ArrayAttr({static_cast<int32_t>(shape.threads), 1, 1}));
  if (shape.blocks)
    kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                    b.getI32IntegerAttr(shape.blocks));
  return kernel;
}

//===----------------------------------------------------------------------===//
// Problems
//===----------------------------------------------------------------------===//

Prologue::Prologue(const Code &code, ::mlir::gpu::GPUFuncOp kernel,
                   StringRef table, unsigned numWords, TypeRange numbers,
                   unsigned numOperands, int64_t threads)
    : code(code), types(numbers) {
  Value slots = kernel.getArgument(0), arena = kernel.getArgument(1),
        offset = kernel.getArgument(2), first = kernel.getArgument(3),
        count = kernel.getArgument(4);
  int64_t recordWords = numWords + kOperandWords * numOperands;
  assert(recordWords <= threads && "one thread copies one word");
  Value found = createShared(code, kernel, "problem", 8, 8);
  record = createShared(code, kernel, "record", recordWords * 8, 8);
  addresses = createShared(code, kernel, "addresses", numOperands * 8, 8);
  values = createShared(code, kernel, "values",
                        std::max<size_t>(numbers.size(), 1) * 8, 8);

  Value tid = code.threadId(), bid = code.blockId();
  Value words = LLVM::AddressOfOp::create(code.b, code.loc,
                                          code.pointer(kGlobalSpace), table);
  Value list = code.at(words, code.mul(code.to64(first), 8));
  auto wordAt = [&](Value base, Value index) {
    return code.at(base, code.mul(code.to64(index), 8));
  };
  // The problem whose blocks this one is among.
  code.ifThen(code.less(tid, count), [&] {
    Value place = wordAt(list, tid);
    Value begin = code.to32(code.load(code.i64(), place, 8));
    Value end = code.to32(code.load(code.i64(), code.at(place, 8), 8));
    Value mine = code.both(code.compare(arith::CmpIPredicate::sle, begin, bid),
                           code.less(bid, end));
    code.ifThen(mine, [&] {
      code.store(tid, found, 4);
      code.store(begin, code.at(found, 4), 4);
    });
  });
  code.barrier();
  Value problem = code.load(code.i32(), found, 4);
  Value local = code.sub(bid, code.load(code.i32(), code.at(found, 4), 4));
  Value source = wordAt(
      list, code.add(code.add(count, 1), code.mul(problem, recordWords)));
  code.ifThen(code.less(tid, recordWords), [&] {
    Value word = code.load(code.i64(), wordAt(source, tid), 8);
    code.store(word, wordAt(record, tid), 8);
  });
  code.barrier();
  Value perMatrix = word32(0);
  matrix = code.div(local, perMatrix);
  block = code.rem(local, perMatrix);

  code.ifThen(code.less(tid, numOperands), [&] {
    Value place = code.at(
        record,
        code.to64(code.mul(
            code.add(code.mul(tid, kOperandWords), int64_t(numWords)), 8)));
    auto part = [&](int64_t index) {
      return code.load(code.i64(), code.at(place, index * 8), 8);
    };
    Value ref = part(0), shift = part(1), step = part(2), perMember = part(3),
          stride = part(4);
    Value number =
        code.add(code.add(code.to64(matrix), shift), code.mul(offset, step));
    Value number32 = code.to32(number), perMember32 = code.to32(perMember);
    Value member = code.to64(code.div(number32, perMember32));
    Value inner = code.to64(code.rem(number32, perMember32));
    Value isSlot = code.less(ref, 0);
    auto base = scf::IfOp::create(
        code.b, code.loc, isSlot,
        [&](OpBuilder &b, Location loc) {
          Code in(b, loc);
          Value slot = in.sub(member, in.add(ref, 1));
          Value pointer = in.load(in.pointer(kGlobalSpace),
                                  in.at(slots, in.mul(slot, 8)), 8);
          scf::YieldOp::create(b, loc, pointer);
        },
        [&](OpBuilder &b, Location loc) {
          Code in(b, loc);
          scf::YieldOp::create(b, loc, in.at(arena, ref));
        });
    Value address = code.at(base.getResult(0), code.mul(inner, stride));
    code.store(address, wordAt(addresses, tid), 8);
    for (auto [index, type] : llvm::enumerate(types))
      code.ifThen(code.equal(tid, index), [&, type = type, index = index] {
        bool isFlag = type.isInteger(1);
        Value value = code.load(isFlag ? code.b.getI8Type() : type, address);
        code.store(value, code.at(values, index * 8));
      });
  });
  code.barrier();
}

Value Prologue::word64(unsigned index) const {
  return code.load(code.i64(), code.at(record, index * 8), 8);
}

Value Prologue::word32(unsigned index) const {
  return code.load(code.i32(), code.at(record, index * 8), 8);
}

Value Prologue::wordF64(unsigned index) const {
  return code.load(code.f64(), code.at(record, index * 8), 8);
}

Value Prologue::number(unsigned index) const {
  Value place = code.at(values, index * 8);
  if (!types[index].isInteger(1))
    return code.load(types[index], place, 8);
  Value byte = code.load(code.b.getI8Type(), place, 8);
  Value zero = arith::ConstantIntOp::create(code.b, code.loc, 0, 8);
  return code.compare(arith::CmpIPredicate::ne, byte, zero);
}

Value Prologue::address(unsigned index) const {
  return code.load(code.pointer(kGlobalSpace), code.at(addresses, index * 8),
                   8);
}
