//===- ExpandTriangle.cpp - Kernels for packed triangles --------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernel.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"

using namespace mlir;
using namespace mlir::muon_gpu;

/// Words of a record.
enum Word : unsigned { kBlocks, kSize, kNumWords };

static bool isPack(Operation *op) { return isa<muon::PackTriangleOp>(op); }

LogicalResult muon_gpu::checkTriangle(Operation *op) {
  for (Value operand : op->getOperands()) {
    auto type = dyn_cast<MemRefType>(operand.getType());
    if (!type || !type.getLayout().isIdentity())
      return op->emitOpError("expected contiguous buffers, found ")
             << operand.getType();
  }
  return success();
}

/// A block copies row i and row m − 1 − i, which have m + 1 elements of the
/// triangle together.
void muon_gpu::expandTriangle(Operation *op, bool hasCondition,
                              ::mlir::gpu::GPUFuncOp kernel, StringRef table) {
  OpBuilder b = OpBuilder::atBlockBegin(&kernel.getBody().front());
  Code code(b, op->getLoc());
  SmallVector<Type> numbers(hasCondition, code.i1());
  Prologue prologue(code, kernel, table, kNumWords, numbers,
                    numbers.size() + 2, kTriangleShape.threads);
  unsigned bytes = cast<MemRefType>(op->getOperand(0).getType())
                       .getElementTypeBitWidth() /
                   8;
  Type bits = b.getIntegerType(8 * bytes);

  auto body = [&] {
    Value size = prologue.word64(kSize);
    Value from = prologue.address(numbers.size()),
          to = prologue.address(numbers.size() + 1);
    Value thread = code.to64(code.threadId());
    Value threads = code.c64(kTriangleShape.threads);
    // Of element (low, high), low <= high, in the triangle: rows are shorter
    // by one each.
    auto packed = [&](Value low, Value high) {
      Value before = code.div(code.mul(low, code.add(low, 1)), 2);
      return code.add(code.sub(code.mul(low, size), before), high);
    };
    auto copy = [&](Value source, Value target) {
      code.store(code.load(bits, code.at(from, code.mul(source, bytes)), bytes),
                 code.at(to, code.mul(target, bytes)), bytes);
    };
    auto copyRow = [&](Value row) {
      Value first = isPack(op) ? code.add(row, thread) : thread;
      code.loop(first, size, threads, {}, [&](Value column, ValueRange) {
        Value place = code.add(code.mul(row, size), column);
        if (isPack(op))
          copy(place, packed(row, column));
        else
          copy(packed(code.min(row, column), code.max(row, column)), place);
        return SmallVector<Value>();
      });
    };
    Value row = code.to64(prologue.block);
    Value last = code.sub(code.sub(size, 1), row);
    copyRow(row);
    code.ifThen(code.less(row, last), [&] { copyRow(last); });
  };
  if (hasCondition)
    code.ifThen(prologue.number(0), body);
  else
    body();
  b.setInsertionPointToEnd(&kernel.getBody().front());
  ::mlir::gpu::ReturnOp::create(b, code.loc);
}

ProblemRecord
muon_gpu::getTriangleRecord(Operation *op, Value condition,
                            function_ref<OperandRef(Value)> locate) {
  Value matrices = op->getOperand(isPack(op) ? 0 : 1);
  auto type = cast<MemRefType>(matrices.getType());
  int64_t size = type.getDimSize(1), blocks = llvm::divideCeil(size, 2);
  ProblemRecord record;
  record.blocks = blocks * type.getDimSize(0);
  record.words = {blocks, size};
  if (condition)
    record.operands.push_back(locate(condition));
  for (Value operand : op->getOperands())
    record.operands.push_back(locate(operand));
  return record;
}
