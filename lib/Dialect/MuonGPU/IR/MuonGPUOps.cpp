//===- MuonGPUOps.cpp - Operations of the muon_gpu dialect ------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpImplementation.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"

using namespace mlir;
using namespace mlir::muon;
using namespace mlir::muon_gpu;

//===----------------------------------------------------------------------===//
// Types of operands
//===----------------------------------------------------------------------===//

static bool isElementType(Type type) {
  return type.isF32() || type.isBF16() || type.isF16();
}

/// Strides of a static memref whose rows are contiguous.
static std::optional<SmallVector<int64_t>> getRowStrides(Type type) {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref || !memref.hasStaticShape() || memref.getNumElements() == 0 ||
      memref.getMemorySpace())
    return std::nullopt;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(memref.getStridesAndOffset(strides, offset)) ||
      llvm::is_contained(strides, ShapedType::kDynamic) ||
      (!strides.empty() && strides.back() != 1))
    return std::nullopt;
  return strides;
}

std::optional<MatrixList> muon_gpu::getMatrices(Type type) {
  MatrixList list;
  if (auto table = dyn_cast<TableType>(type)) {
    std::optional<ParameterShape> shape = getParameterShape(table);
    if (!shape || !isElementType(shape->elementType))
      return std::nullopt;
    list.matrices = shape->matrices();
    list.matricesPerMember = shape->matricesPerMember();
    list.rows = shape->rows();
    list.cols = shape->cols();
    list.rowStride = list.cols;
    list.matrixStride = list.rows * list.cols;
    list.elementType = shape->elementType;
    return list;
  }
  std::optional<SmallVector<int64_t>> strides = getRowStrides(type);
  if (!strides)
    return std::nullopt;
  auto memref = cast<MemRefType>(type);
  if (!isElementType(memref.getElementType()))
    return std::nullopt;
  ArrayRef<int64_t> shape = memref.getShape();
  int64_t rank = memref.getRank();
  list.elementType = memref.getElementType();
  SmallVector<int64_t> ignored;
  int64_t offset;
  if (succeeded(memref.getStridesAndOffset(ignored, offset)) &&
      !ShapedType::isDynamic(offset))
    list.offset = offset;
  list.cols = rank ? shape[rank - 1] : 1;
  list.rows = rank > 1 ? shape[rank - 2] : 1;
  list.rowStride = rank > 1 ? (*strides)[rank - 2] : list.cols;
  list.matrixStride =
      rank > 2 ? (*strides)[rank - 3] : list.rows * list.rowStride;
  list.matrices = 1;
  for (int64_t dim = 0; dim < rank - 2; ++dim) {
    list.matrices *= shape[dim];
    // Matrices lie at equal distances.
    if (dim + 3 < rank &&
        (*strides)[dim] != (*strides)[dim + 1] * shape[dim + 1])
      return std::nullopt;
  }
  list.matricesPerMember = list.matrices;
  // One matrix after the other, or side by side as blocks of columns.
  bool isSequence = list.rowStride >= list.cols &&
                    list.matrixStride >= list.rows * list.rowStride;
  bool isSideBySide = list.matrixStride >= list.cols &&
                      list.rowStride >= list.matrices * list.matrixStride;
  if (!isSequence && !isSideBySide)
    return std::nullopt;
  return list;
}

bool muon_gpu::isElementsBuffer(Type type) {
  return getMatrices(type).has_value();
}

bool muon_gpu::isBatchBuffer(Type type) {
  auto memref = dyn_cast<MemRefType>(type);
  return memref && memref.getRank() == 3 && isElementsBuffer(type);
}

static bool isBufferOf(Type type, int64_t maxRank,
                       function_ref<bool(Type)> isElement) {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref || memref.getRank() > maxRank || !memref.hasStaticShape() ||
      memref.getMemorySpace() || !isElement(memref.getElementType()))
    return false;
  return memref.getRank() == 0 ||
         (memref.getDimSize(0) > 0 && getRowStrides(type));
}

static bool isWide(Type type) { return type.isF64(); }

bool muon_gpu::isNumbersBuffer(Type type) {
  return isBufferOf(
      type, 1, [](Type element) { return element.isF32() || element.isF64(); });
}

bool muon_gpu::isSumsBuffer(Type type) {
  return isBufferOf(type, 1, isWide) && cast<MemRefType>(type).getRank() == 1;
}

bool muon_gpu::isF32Numbers(Type type) {
  return isBufferOf(type, 1, [](Type element) { return element.isF32(); }) &&
         cast<MemRefType>(type).getRank() == 1;
}

bool muon_gpu::isFlagBuffer(Type type) {
  return isBufferOf(type, 0, [](Type element) { return element.isInteger(1); });
}

bool muon_gpu::isF32Buffer(Type type) {
  return isBufferOf(type, 0, [](Type element) { return element.isF32(); });
}

bool muon_gpu::isCounterBuffer(Type type) {
  return isBufferOf(type, 0,
                    [](Type element) { return element.isInteger(64); });
}

bool muon_gpu::isBlockWork(Operation *op) {
  return isa<BlockWorkOpInterface, LookOp, AdvanceOp, NormalizeOp, PlaceOp>(
      op);
}

bool muon_gpu::isTriangleWork(Operation *op) {
  return isa<PackTriangleOp, UnpackTriangleOp>(op);
}

void muon_gpu::YieldOp::build(OpBuilder &, OperationState &) {}

//===----------------------------------------------------------------------===//
// Products and streams
//===----------------------------------------------------------------------===//

using Effects =
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>;

static void addEffects(Operation *op, OperandRange written, Effects &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned index = operand.getOperandNumber();
    bool isWritten = index >= written.getBeginOperandIndex() &&
                     index < written.getBeginOperandIndex() + written.size();
    if (isWritten)
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  }
}

void MatmulOp::getEffects(Effects &effects) {
  addEffects(*this, getOuts(), effects);
  for (OpOperand &operand : getSumsMutable())
    effects.emplace_back(MemoryEffects::Write::get(), &operand);
}

void StreamOp::getEffects(Effects &effects) {
  addEffects(*this, getOuts(), effects);
  for (OpOperand &operand : getSumsMutable())
    effects.emplace_back(MemoryEffects::Write::get(), &operand);
}

static bool holds(const MatrixList &list, const MatrixList &expected) {
  return list.matrices == expected.matrices && list.rows == expected.rows &&
         list.cols == expected.cols;
}

/// Whether a kernel can do `op` on one element: without libdevice, and where
/// every thread does the same.
static bool isElementOp(Operation *op) {
  auto isScalar = [](Type type) {
    return type.isIntOrIndex()
               ? !type.isInteger() || type.getIntOrFloatBitWidth() <= 64
               : isElementType(type) || type.isF64();
  };
  if (op->getNumRegions() != 0 ||
      !llvm::all_of(op->getOperandTypes(), isScalar) ||
      !llvm::all_of(op->getResultTypes(), isScalar))
    return false;
  if (isa<math::SqrtOp>(op))
    return op->getResult(0).getType().isF32() ||
           op->getResult(0).getType().isF64();
  return isa<OnDiagonalOp>(op) || (isa<arith::ArithDialect>(op->getDialect()) &&
                                   !isa<arith::RemFOp>(op));
}

/// Checks operands and region of a product or stream whose elements are those
/// of `expected`.
static LogicalResult verifyWork(WorkOpInterface work,
                                const MatrixList &expected, bool hasAcc) {
  Operation *op = work;
  auto shape = [](const MatrixList &list) {
    return (Twine(list.matrices) + " matrices " + Twine(list.rows) + "x" +
            Twine(list.cols))
        .str();
  };
  for (ValueRange group :
       {ValueRange(work.getElementInputs()), ValueRange(work.getOuts())})
    for (Value value : group) {
      MatrixList list = *getMatrices(value.getType());
      if (!holds(list, expected))
        return op->emitOpError("expected ")
               << shape(expected) << ", found " << value.getType() << " with "
               << shape(list);
    }
  auto verifyCount = [&](Value value, StringRef what) -> LogicalResult {
    auto type = cast<MemRefType>(value.getType());
    if (type.getRank() == 0 || type.getDimSize(0) == expected.matrices)
      return success();
    return op->emitOpError("expected ")
           << expected.matrices << " " << what
           << ", one for each matrix, found " << type;
  };
  for (Value value : work.getScalars())
    if (failed(verifyCount(value, "numbers")))
      return failure();
  for (Value value : work.getSums()) {
    // Before the schedule is known there is one number for each matrix, after
    // that one for each block.
    auto type = cast<MemRefType>(value.getType());
    if (type.getDimSize(0) % expected.matrices != 0)
      return op->emitOpError("expected a multiple of ")
             << expected.matrices << " sums, found " << type;
  }

  MLIRContext *context = op->getContext();
  Type f32 = Float32Type::get(context), f64 = Float64Type::get(context);
  SmallVector<Type> arguments(hasAcc, f32);
  arguments.append(work.getConstants().size(), f64);
  for (Value value : work.getScalars())
    arguments.push_back(cast<MemRefType>(value.getType()).getElementType());
  for (Value value : work.getElementInputs())
    arguments.push_back(getMatrices(value.getType())->elementType);
  Block &block = work.getElementRegion().front();
  if (block.getArgumentTypes() != TypeRange(arguments))
    return op->emitOpError("expected a region with arguments (")
           << arguments << "), found (" << block.getArgumentTypes() << ")";
  SmallVector<Type> results;
  for (Value value : work.getOuts())
    results.push_back(getMatrices(value.getType())->elementType);
  results.append(work.getSums().size(), f64);
  Operation *terminator = block.getTerminator();
  if (terminator->getOperandTypes() != TypeRange(results))
    return terminator->emitOpError("expected operands (")
           << results << "), found (" << terminator->getOperandTypes() << ")";
  for (Operation &inner : block.without_terminator()) {
    if (!isMemoryEffectFree(&inner))
      return inner.emitOpError(
          "has effects, which work on one element has not");
    if (!isElementOp(&inner))
      return inner.emitOpError("is no arithmetic on one element that kernels "
                               "can do");
  }
  return success();
}

/// The two dimensions of L or R.
static std::pair<int64_t, int64_t> getDims(Value operand, bool transposed) {
  ArrayRef<int64_t> shape = cast<MemRefType>(operand.getType()).getShape();
  return transposed ? std::pair(shape[2], shape[1])
                    : std::pair(shape[1], shape[2]);
}

int64_t MatmulOp::getM() { return getDims(getLhs(), getLhsTransposed()).first; }
int64_t MatmulOp::getN() {
  return getDims(getRhs(), getRhsTransposed()).second;
}
int64_t MatmulOp::getK() {
  return getDims(getLhs(), getLhsTransposed()).second;
}
int64_t MatmulOp::getBatch() {
  return cast<MemRefType>(getLhs().getType()).getDimSize(0);
}

LogicalResult MatmulOp::verify() {
  auto lhs = cast<MemRefType>(getLhs().getType());
  auto rhs = cast<MemRefType>(getRhs().getType());
  if (lhs.getElementType() != rhs.getElementType())
    return emitOpError("expected operands of one element type, found ")
           << lhs.getElementType() << " and " << rhs.getElementType();
  if (getTf32() && !lhs.getElementType().isF32())
    return emitOpError("expected operands of f32 with 'tf32', found ")
           << lhs.getElementType();
  if (lhs.getDimSize(0) != rhs.getDimSize(0))
    return emitOpError("expected equal batches, found ")
           << lhs.getDimSize(0) << " and " << rhs.getDimSize(0);
  int64_t inner = getDims(getRhs(), getRhsTransposed()).first;
  if (getK() != inner)
    return emitOpError("expected equal inner dimensions, found ")
           << getK() << " and " << inner;
  if (getSymmetric()) {
    if (getM() != getN())
      return emitOpError("expected a square product with 'symmetric', found ")
             << getM() << "x" << getN();
    for (Value out : getOuts())
      if (!isBatchBuffer(out.getType()))
        return emitOpError(
                   "expected outputs of rank 3 with 'symmetric', found ")
               << out.getType();
  }
  if (getOuts().empty())
    return emitOpError("expected an output");
  for (Value out : getOuts())
    if (out == getLhs() || out == getRhs())
      return emitOpError("writes to an operand of the product");
  MatrixList expected;
  expected.matrices = getBatch();
  expected.rows = getM();
  expected.cols = getN();
  if (ScheduleAttr schedule = getScheduleAttr()) {
    if (getSymmetric() && schedule.getM() != schedule.getN())
      return emitOpError("expected square tiles with 'symmetric', found ")
             << schedule.getM() << "x" << schedule.getN();
    if (!schedule.getMasked() &&
        (getM() % schedule.getM() || getN() % schedule.getN() ||
         getK() % schedule.getK()))
      return emitOpError("expected sizes that are multiples of the tile, or a "
                         "masked schedule, found ")
             << getM() << "x" << getN() << "x" << getK();
  }
  return verifyWork(cast<WorkOpInterface>(getOperation()), expected,
                    /*hasAcc=*/true);
}

int64_t StreamOp::getMatrices() {
  Value value = getInputs().empty() ? getOuts().front() : getInputs().front();
  return muon_gpu::getMatrices(value.getType())->matrices;
}

int64_t StreamOp::getElementsPerMatrix() {
  Value value = getInputs().empty() ? getOuts().front() : getInputs().front();
  MatrixList list = *muon_gpu::getMatrices(value.getType());
  return list.rows * list.cols;
}

LogicalResult StreamOp::verify() {
  if (getInputs().empty() && getOuts().empty())
    return emitOpError("expected an input or an output");
  Value value = getInputs().empty() ? getOuts().front() : getInputs().front();
  return verifyWork(cast<WorkOpInterface>(getOperation()),
                    *muon_gpu::getMatrices(value.getType()), /*hasAcc=*/false);
}

//===----------------------------------------------------------------------===//
// Work for one block
//===----------------------------------------------------------------------===//

static int64_t getCount(Value list) {
  return cast<MemRefType>(list.getType()).getDimSize(0);
}

static void addReadsAndWrites(Operation *op, ValueRange written,
                              Effects &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (llvm::is_contained(written, operand.get()))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  }
}

void ReduceOp::getEffects(Effects &effects) {
  addReadsAndWrites(*this, getSums(), effects);
}

LogicalResult ReduceOp::verify() {
  if (getCount(getPartials()) % getCount(getSums()) != 0)
    return emitOpError("expected a multiple of ")
           << getCount(getSums()) << " partial sums, found "
           << getCount(getPartials());
  return success();
}

void UnitOp::getEffects(Effects &effects) {
  addReadsAndWrites(*this, getUnit(), effects);
}

LogicalResult UnitOp::verify() {
  int64_t count = getCount(getUnit());
  for (Value list : {getGradientSums(), getMomentumSums()})
    if (getCount(list) != count)
      return emitOpError("expected lists of ")
             << count << " numbers, found " << list.getType();
  return success();
}

void BiasCorrectionOp::getEffects(Effects &effects) {
  addReadsAndWrites(*this, {getCorrection1(), getCorrection2()}, effects);
}

LogicalResult BiasCorrectionOp::verify() {
  for (const APFloat &beta : {getBeta1(), getBeta2()})
    if (!(beta.convertToDouble() >= 0.0 && beta.convertToDouble() < 1.0))
      return emitOpError("expected 0 <= beta < 1, found ")
             << beta.convertToDouble();
  return success();
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

/// 0 for products, 1 for streams, 2 for work of one block, 3 for triangles.
static std::optional<int> getKind(Operation *op) {
  if (isa<MatmulOp>(op))
    return 0;
  if (isa<StreamOp>(op))
    return 1;
  if (isBlockWork(op))
    return 2;
  if (isTriangleWork(op))
    return 3;
  return std::nullopt;
}

LogicalResult LaunchOp::verify() {
  std::optional<int> kind;
  for (Operation &op : getBody().front()) {
    std::optional<int> own = getKind(&op);
    if (!own)
      return op.emitOpError("is not work that a launch can do");
    if (kind && own != kind)
      return op.emitOpError("differs in kind from what shares its launch");
    kind = own;
    Value condition;
    if (auto work = dyn_cast<WorkOpInterface>(op))
      condition = work.getCondition();
    else if (auto inPlace = dyn_cast<InPlaceOpInterface>(op))
      condition = inPlace.getCondition();
    if (condition)
      return op.emitOpError("has a condition, which belongs to the launch");
  }
  if (!kind)
    return emitOpError("expected work in the body");
  // Kernels are named after it.
  if (!llvm::all_of(getPhase(),
                    [](char c) { return llvm::isAlnum(c) || c == '_'; }) ||
      (!getPhase().empty() && llvm::isDigit(getPhase().front())))
    return emitOpError("expected a phase that can be a part of a name, found '")
           << getPhase() << "'";
  return success();
}

#define GET_OP_CLASSES
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPUOps.cpp.inc"
