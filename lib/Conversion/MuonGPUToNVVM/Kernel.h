//===- Kernel.h - Building kernels ------------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_CONVERSION_MUONGPUTONVVM_KERNEL_H
#define MUON_MLIR_LIB_CONVERSION_MUONGPUTONVVM_KERNEL_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"

namespace mlir::muon_gpu {

/// Address spaces of NVPTX.
constexpr unsigned kGlobalSpace = 1, kSharedSpace = 3;

/// Short names for what kernels are made of, at one location. Integers are i32
/// but for addresses and sizes of memory, which are i64.
class Code {
public:
  Code(OpBuilder &builder, Location loc) : b(builder), loc(loc) {}

  OpBuilder &b;
  Location loc;

  Type i1() const { return b.getI1Type(); }
  Type i32() const { return b.getI32Type(); }
  Type i64() const { return b.getI64Type(); }
  Type f32() const { return b.getF32Type(); }
  Type f64() const { return b.getF64Type(); }

  Value c32(int64_t value) const {
    return arith::ConstantIntOp::create(b, loc, value, 32);
  }
  Value c64(int64_t value) const {
    return arith::ConstantIntOp::create(b, loc, value, 64);
  }
  Value constant(Type type, double value) const {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value));
  }
  Value add(Value x, Value y) const {
    return isFloat(x) ? arith::AddFOp::create(b, loc, x, y).getResult()
                      : arith::AddIOp::create(b, loc, x, y).getResult();
  }
  Value sub(Value x, Value y) const {
    return isFloat(x) ? arith::SubFOp::create(b, loc, x, y).getResult()
                      : arith::SubIOp::create(b, loc, x, y).getResult();
  }
  Value mul(Value x, Value y) const {
    return isFloat(x) ? arith::MulFOp::create(b, loc, x, y).getResult()
                      : arith::MulIOp::create(b, loc, x, y).getResult();
  }
  /// Of integers that are not negative.
  Value div(Value x, Value y) const {
    return arith::DivUIOp::create(b, loc, x, y);
  }
  Value rem(Value x, Value y) const {
    return arith::RemUIOp::create(b, loc, x, y);
  }
  Value min(Value x, Value y) const {
    return arith::MinSIOp::create(b, loc, x, y);
  }
  Value max(Value x, Value y) const {
    return arith::MaxSIOp::create(b, loc, x, y);
  }
  Value bitXor(Value x, Value y) const {
    return arith::XOrIOp::create(b, loc, x, y);
  }
  Value both(Value x, Value y) const {
    return arith::AndIOp::create(b, loc, x, y);
  }
  Value add(Value x, int64_t y) const { return y ? add(x, like(x, y)) : x; }
  Value sub(Value x, int64_t y) const { return sub(x, like(x, y)); }
  Value mul(Value x, int64_t y) const { return mul(x, like(x, y)); }
  Value div(Value x, int64_t y) const {
    return y == 1 ? x : div(x, like(x, y));
  }
  Value rem(Value x, int64_t y) const { return rem(x, like(x, y)); }
  Value compare(arith::CmpIPredicate predicate, Value x, Value y) const {
    return arith::CmpIOp::create(b, loc, predicate, x, y);
  }
  Value less(Value x, Value y) const {
    return compare(arith::CmpIPredicate::slt, x, y);
  }
  Value less(Value x, int64_t y) const { return less(x, like(x, y)); }
  Value equal(Value x, Value y) const {
    return compare(arith::CmpIPredicate::eq, x, y);
  }
  Value equal(Value x, int64_t y) const { return equal(x, like(x, y)); }
  Value select(Value condition, Value x, Value y) const {
    return arith::SelectOp::create(b, loc, condition, x, y);
  }
  /// Integers, as if they were not negative.
  Value to64(Value x) const {
    return x.getType().isInteger(64)
               ? x
               : arith::ExtUIOp::create(b, loc, i64(), x).getResult();
  }
  Value to32(Value x) const {
    return x.getType().isInteger(32)
               ? x
               : arith::TruncIOp::create(b, loc, i32(), x).getResult();
  }
  Value bitcast(Type type, Value x) const {
    return x.getType() == type
               ? x
               : LLVM::BitcastOp::create(b, loc, type, x).getResult();
  }

  /// Rounded to nearest. Neither math.sqrt, which upstream turns into a call of
  /// libdevice, nor llvm.intr.sqrt, which it refuses.
  Value sqrt(Value x) const;

  /// Memory. Offsets are bytes.
  Type pointer(unsigned space) const {
    return LLVM::LLVMPointerType::get(b.getContext(), space);
  }
  Value at(Value address, Value offset) const {
    return LLVM::GEPOp::create(b, loc, address.getType(), b.getI8Type(),
                               address, LLVM::GEPArg(offset));
  }
  Value at(Value address, int64_t offset) const {
    return offset ? at(address, c64(offset)) : address;
  }
  Value load(Type type, Value address, unsigned alignment = 0) const {
    return LLVM::LoadOp::create(b, loc, type, address, alignment);
  }
  void store(Value value, Value address, unsigned alignment = 0) const {
    LLVM::StoreOp::create(b, loc, value, address, alignment);
  }
  Value element(Value vector, int64_t index) const {
    return LLVM::ExtractElementOp::create(b, loc, vector, c32(index));
  }
  Value vector(ValueRange elements) const;

  Value threadId() const;
  Value blockId() const;
  void barrier() const;

  /// Loops and branches. Bodies are built at the builder.
  void ifThen(Value condition, function_ref<void()> body) const;
  /// for (i = from; i < to; i += step), signed.
  SmallVector<Value>
  loop(Value from, Value to, Value step, ValueRange init,
       function_ref<SmallVector<Value>(Value, ValueRange)> body) const;

private:
  static bool isFloat(Value x) { return isa<FloatType>(x.getType()); }
  Value like(Value x, int64_t y) const {
    return x.getType().isInteger(64) ? c64(y) : c32(y);
  }
};

/// Sum over the threads of a warp of one f64 each, valid in all of them, in a
/// fixed order.
Value sumOverWarp(const Code &code, Value value);

/// Sum over the threads of a block of one f64 each, valid in thread 0, in an
/// order fixed by the number of threads. `scratch` is shared memory for one f64
/// per warp; the caller has a barrier before it is used again.
Value sumOverBlock(const Code &code, Value value, Value scratch,
                   int64_t threads);

/// Builds the region of `work` at the builder, with `arguments` for its block
/// arguments. `onDiagonal` may be null if the region does not ask for it.
/// Returns what it yields.
SmallVector<Value> inlineElement(const Code &code, WorkOpInterface work,
                                 ValueRange arguments, Value onDiagonal = {});

//===----------------------------------------------------------------------===//
// Problems
//===----------------------------------------------------------------------===//

/// Where an operand is, as a kernel finds it. Matrix number i of a problem, in
/// iteration `offset` of a loop around the launch, has
///
///   j = i + shift + offset·step,  address = base(ref, j / perMember)
///                                   + (j mod perMember)·stride
///
/// with base = arena + ref, or if ref < 0 the pointer in slot −ref − 1 +
/// member.
struct OperandRef {
  int64_t ref = 0;
  /// Matrices before the first.
  int64_t shift = 0;
  /// Matrices by which one unit of the loop's offset moves on.
  int64_t step = 0;
  int64_t perMember = std::numeric_limits<int32_t>::max();
  /// Bytes.
  int64_t stride = 0;
};

/// Words of an operand.
constexpr int64_t kOperandWords = 5;

/// One problem of a launch: numbers that the kernel asks for by index, and
/// operands.
struct ProblemRecord {
  int64_t blocks = 0;
  SmallVector<int64_t> words;
  SmallVector<OperandRef> operands;

  /// Words in the table: one thread of a block looks at each.
  int64_t size() const {
    return words.size() + kOperandWords * operands.size();
  }
};

/// What a kernel knows about its problem before it starts with its own work.
/// Kernels get, as parameters, (slots, arena, offset, first, count): the launch
/// has `count` problems, and word number `first` of the table starts with the
/// number of the first block of each and of all blocks, followed by the
/// records: words, then five words for each operand.
class Prologue {
public:
  /// Builds the prologue. The first of `numbers` operands of a problem are
  /// numbers of the given types, of which the value is loaded; all others are
  /// addresses. Word 0 is the number of blocks for each matrix.
  Prologue(const Code &code, ::mlir::gpu::GPUFuncOp kernel, StringRef table,
           unsigned numWords, TypeRange numbers, unsigned numOperands,
           int64_t threads);

  /// A word of the record.
  Value word32(unsigned index) const;
  Value word64(unsigned index) const;
  Value wordF64(unsigned index) const;
  /// Value of number `index`.
  Value number(unsigned index) const;
  /// Address of operand `index`: of the matrix at hand.
  Value address(unsigned index) const;

  /// Number of the matrix in its problem, and of the block in the matrix.
  Value matrix, block;

private:
  Code code;
  Value record, addresses, values;
  SmallVector<Type> types;
};

/// Static shared memory of the kernel's module.
Value createShared(const Code &code, ::mlir::gpu::GPUFuncOp kernel,
                   StringRef name, int64_t bytes, int64_t alignment);

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// Threads and dynamic shared memory of a kernel, and how many blocks a
/// multiprocessor works on at the same time: ptxas may give threads as many
/// registers as that leaves. For 0 it chooses, and rather spills some than have
/// fewer blocks.
struct KernelShape {
  int64_t threads = 0;
  int64_t sharedBytes = 0;
  int64_t blocks = 0;
};

/// Creates an empty kernel with the parameters of all kernels.
::mlir::gpu::GPUFuncOp createKernel(::mlir::gpu::GPUModuleOp module,
                                    Location loc, StringRef name,
                                    const KernelShape &shape);

/// Numbers in a list.
int64_t getCount(Value list);

/// What a block may have of it on the largest chips: sm_90 and later.
constexpr int64_t kMostSharedBytes = 227 << 10;

/// Products. `hasCondition`: number 0 of each problem is the flag.
KernelShape getShape(MatmulOp op);
LogicalResult checkMatmul(MatmulOp op);
void expandMatmul(MatmulOp op, bool hasCondition, ::mlir::gpu::GPUFuncOp kernel,
                  StringRef table);
ProblemRecord getRecord(MatmulOp op, Value condition,
                        function_ref<OperandRef(Value)> locate);

/// Streams.
KernelShape getShape(StreamOp op);
LogicalResult checkStream(StreamOp op);
void expandStream(StreamOp op, bool hasCondition, ::mlir::gpu::GPUFuncOp kernel,
                  StringRef table);
ProblemRecord getRecord(StreamOp op, Value condition,
                        function_ref<OperandRef(Value)> locate);

/// Copies between symmetric matrices and their upper triangles: muon's
/// pack_triangle and unpack_triangle.
constexpr KernelShape kTriangleShape = {256};
LogicalResult checkTriangle(Operation *op);
void expandTriangle(Operation *op, bool hasCondition,
                    ::mlir::gpu::GPUFuncOp kernel, StringRef table);
ProblemRecord getTriangleRecord(Operation *op, Value condition,
                                function_ref<OperandRef(Value)> locate);

/// Work of one block, `kBlockWorkThreads` threads, one operation after the
/// other.
constexpr int64_t kBlockWorkThreads = 256;
constexpr KernelShape kBlockWorkShape = {kBlockWorkThreads, 0, 1};
LogicalResult expandBlockWork(LaunchOp launch, ::mlir::gpu::GPUFuncOp kernel,
                              function_ref<OperandRef(Value)> locate);

} // namespace mlir::muon_gpu

#endif // MUON_MLIR_LIB_CONVERSION_MUONGPUTONVVM_KERNEL_H
