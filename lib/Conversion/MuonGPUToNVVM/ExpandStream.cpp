//===- ExpandStream.cpp - Kernels of passes over memory ---------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Elements.h"
#include "Kernel.h"

using namespace mlir;
using namespace mlir::muon_gpu;

/// Words of a record, before those of constants.
enum Word : unsigned { kChunks, kElements, kColumns, kNumWords };

namespace {

/// An operand whose elements are read or written.
struct Stream {
  Type type;
  /// Address of the chunk, or of the matrix if its rows lie apart.
  Value address;
  /// Elements from one row to the next if they lie apart.
  Value rowStride;

  int64_t bytes() const { return type.getIntOrFloatBitWidth() / 8; }
};

} // namespace

static bool isPadded(const MatrixList &list) {
  return list.rowStride != list.cols;
}

KernelShape muon_gpu::getShape(StreamOp op) {
  return {op.getSchedule()->getThreads()};
}

static SmallVector<Value> getElementOperands(StreamOp op) {
  SmallVector<Value> values(op.getInputs());
  llvm::append_range(values, op.getOuts());
  return values;
}

LogicalResult muon_gpu::checkStream(StreamOp op) {
  if (!op.getSchedule())
    return op.emitOpError("expected a schedule");
  int64_t blocks =
      op.getMatrices() *
      llvm::divideCeil(op.getElementsPerMatrix(), op.getSchedule()->getChunk());
  for (Value value : op.getSums())
    if (getCount(value) != blocks)
      return op.emitOpError("expected a partial sum for each of ")
             << blocks << " blocks, found " << value.getType()
             << "; run muon-gpu-split-sums first";
  if (op.getSchedule()->getWidth() == 1)
    return success();
  for (Value value : getElementOperands(op)) {
    MatrixList list = *getMatrices(value.getType());
    bool fits = isPadded(list) ? list.cols % 4 == 0 && list.rowStride % 4 == 0
                               : list.rows * list.cols % 4 == 0;
    if (!fits || list.matrixStride % 4 != 0 || list.offset % 4 != 0)
      return op.emitOpError("expected matrices of a multiple of 4 elements for "
                            "width 4, found ")
             << value.getType();
  }
  return success();
}

void muon_gpu::expandStream(StreamOp op, bool hasCondition,
                            ::mlir::gpu::GPUFuncOp kernel, StringRef table) {
  auto work = cast<WorkOpInterface>(op.getOperation());
  StreamScheduleAttr schedule = *op.getSchedule();
  int64_t threads = schedule.getThreads(), width = schedule.getWidth();
  OpBuilder b = OpBuilder::atBlockBegin(&kernel.getBody().front());
  Code code(b, op.getLoc());

  SmallVector<Type> numbers(hasCondition, code.i1());
  for (Value value : op.getScalars())
    numbers.push_back(cast<MemRefType>(value.getType()).getElementType());
  SmallVector<Value> operands = getElementOperands(op);
  unsigned firstStride = kNumWords + op.getConstants().size();
  unsigned firstOperand = numbers.size();
  unsigned firstSum = firstOperand + operands.size();
  Prologue prologue(code, kernel, table, firstStride + operands.size(), numbers,
                    firstSum + op.getSums().size(), threads);

  auto body = [&] {
    Value tid = code.threadId();
    SmallVector<Value> fixed;
    for (size_t i = 0; i < op.getConstants().size(); ++i)
      fixed.push_back(prologue.wordF64(kNumWords + i));
    for (size_t i = 0; i < op.getScalars().size(); ++i)
      fixed.push_back(prologue.number(hasCondition + i));

    Value begin = code.mul(code.to64(prologue.block), schedule.getChunk());
    Value size = code.to32(code.min(code.sub(prologue.word64(kElements), begin),
                                    code.c64(schedule.getChunk())));
    Value columns = prologue.word64(kColumns);
    SmallVector<Stream> streams;
    for (auto [i, value] : llvm::enumerate(operands)) {
      MatrixList list = *getMatrices(value.getType());
      Stream stream{list.elementType, prologue.address(firstOperand + i), {}};
      if (isPadded(list))
        stream.rowStride = prologue.word64(firstStride + i);
      else
        stream.address =
            code.at(stream.address, code.mul(begin, stream.bytes()));
      streams.push_back(stream);
    }
    auto place = [&](const Code &in, const Stream &stream, Value offset) {
      Value element = in.to64(offset);
      if (stream.rowStride) {
        Value position = in.add(element, begin);
        element = in.add(in.mul(in.div(position, columns), stream.rowStride),
                         in.rem(position, columns));
      }
      return in.at(stream.address, in.mul(element, stream.bytes()));
    };

    size_t numInputs = op.getInputs().size();
    /// Elements `offset` to `offset` + width of each of `offsets`.
    auto compute = [&](ArrayRef<Value> offsets, ValueRange partial) {
      SmallVector<SmallVector<SmallVector<Value, 4>>> loaded;
      for (Value offset : offsets) {
        auto &parts = loaded.emplace_back();
        for (const Stream &stream : ArrayRef(streams).take_front(numInputs))
          parts.push_back(Elements{code, stream.type, width}.load(
              place(code, stream, offset)));
      }
      SmallVector<Value> sums(partial);
      for (auto [offset, parts] : llvm::zip(offsets, loaded)) {
        SmallVector<SmallVector<Value, 4>> outs(op.getOuts().size());
        for (int64_t e = 0; e < width; ++e) {
          SmallVector<Value> arguments = fixed;
          for (const auto &elements : parts)
            arguments.push_back(elements[e]);
          SmallVector<Value> values = inlineElement(code, work, arguments);
          for (auto [i, out] : llvm::enumerate(outs))
            out.push_back(values[i]);
          for (auto [i, sum] : llvm::enumerate(sums))
            sum = code.add(sum, values[outs.size() + i]);
        }
        for (auto [stream, out] :
             llvm::zip(ArrayRef(streams).drop_front(numInputs), outs))
          Elements{code, stream.type, width}.store(out,
                                                   place(code, stream, offset));
      }
      return sums;
    };

    int64_t row = threads * width, section = row * schedule.getUnroll();
    Value whole = code.mul(code.div(size, section), section);
    Value mine = code.mul(tid, width);
    SmallVector<Value> sums(op.getSums().size(),
                            code.constant(code.f64(), 0.0));
    sums = code.loop(mine, whole, code.c32(section), sums,
                     [&](Value offset, ValueRange partial) {
                       SmallVector<Value> offsets;
                       for (int64_t u = 0; u < schedule.getUnroll(); ++u)
                         offsets.push_back(code.add(offset, u * row));
                       return compute(offsets, partial);
                     });
    sums = code.loop(code.add(whole, mine), size, code.c32(row), sums,
                     [&](Value offset, ValueRange partial) {
                       return compute({offset}, partial);
                     });
    if (sums.empty())
      return;
    Value scratch = createShared(code, kernel, "sums", threads / 32 * 8, 8);
    for (auto [i, sum] : llvm::enumerate(sums)) {
      if (i)
        code.barrier();
      Value total = sumOverBlock(code, sum, scratch, threads);
      Value address = code.at(prologue.address(firstSum + i),
                              code.mul(code.to64(prologue.block), 8));
      code.ifThen(code.equal(tid, 0),
                  [&, total = total] { code.store(total, address, 8); });
    }
  };
  if (hasCondition)
    code.ifThen(prologue.number(0), body);
  else
    body();
  b.setInsertionPointToEnd(&kernel.getBody().front());
  ::mlir::gpu::ReturnOp::create(b, code.loc);
}

ProblemRecord muon_gpu::getRecord(StreamOp op, Value condition,
                                  function_ref<OperandRef(Value)> locate) {
  SmallVector<Value> operands = getElementOperands(op);
  MatrixList list = *getMatrices(operands.front().getType());
  int64_t elements = list.rows * list.cols;
  int64_t chunks = llvm::divideCeil(elements, op.getSchedule()->getChunk());
  ProblemRecord record;
  record.blocks = chunks * list.matrices;
  record.words = {chunks, elements, list.cols};
  for (double value : op.getConstants())
    record.words.push_back(getWord(value));
  if (condition)
    record.operands.push_back(locate(condition));
  for (Value value : op.getScalars())
    record.operands.push_back(locate(value));
  for (Value value : operands) {
    record.words.push_back(getMatrices(value.getType())->rowStride);
    record.operands.push_back(locate(value));
  }
  // One partial sum for each chunk.
  for (Value value : op.getSums()) {
    OperandRef ref = locate(value);
    ref.stride *= chunks;
    record.operands.push_back(ref);
  }
  return record;
}
