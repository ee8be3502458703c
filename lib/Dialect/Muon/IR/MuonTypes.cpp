//===- MuonTypes.cpp - Types of the muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/IR/MuonTypes.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::muon;

#define GET_TYPEDEF_CLASSES
#include "muon-mlir/Dialect/Muon/IR/MuonTypes.cpp.inc"

void MuonDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "muon-mlir/Dialect/Muon/IR/MuonTypes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Stacks and tables
//===----------------------------------------------------------------------===//

static bool isStorage(Type type) {
  return type.isF32() || type.isBF16() || type.isF16();
}

/// Element counts beyond this are refused: their products in bytes must fit
/// into 63 bits whatever the element type.
static constexpr int64_t kMaxElements = int64_t(1) << 56;

/// Whether all dimensions are static and positive and their product is sane.
static bool isSaneShape(ArrayRef<int64_t> shape) {
  int64_t elements = 1;
  for (int64_t dim : shape)
    if (ShapedType::isDynamic(dim) || dim <= 0 ||
        llvm::MulOverflow(elements, dim, elements) || elements > kMaxElements)
      return false;
  return true;
}

/// Whether the elements of a memref lie one after the other from its address
/// on, which lowering relies on; true for tensors.
static bool isContiguous(Type type) {
  auto memref = dyn_cast<MemRefType>(type);
  return !memref || memref.getLayout().isIdentity();
}

template <typename TypeT>
static Type parseCounted(AsmParser &parser) {
  SmallVector<int64_t> dims;
  Type elementType;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() ||
      parser.parseDimensionList(dims, /*allowDynamic=*/true) ||
      parser.parseType(elementType) || parser.parseGreater())
    return {};
  if (dims.empty()) {
    parser.emitError(loc, "expected the number of members before the type");
    return {};
  }
  return parser.getChecked<TypeT>(loc, parser.getContext(), dims.front(),
                                  ArrayRef<int64_t>(dims).drop_front(),
                                  elementType);
}

template <typename TypeT>
static void printCounted(AsmPrinter &printer, TypeT type) {
  printer << "<" << type.getCount() << "x";
  for (int64_t dim : type.getShape())
    printer << dim << "x";
  printer << type.getElementType() << ">";
}

static LogicalResult verifyCounted(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t count, ArrayRef<int64_t> shape,
                                   Type elementType) {
  if (ShapedType::isDynamic(count) ||
      llvm::any_of(shape, ShapedType::isDynamic))
    return emitError() << "expected a static shape, found a dynamic dimension";
  SmallVector<int64_t> dims(1, count);
  llvm::append_range(dims, shape);
  if (!isSaneShape(dims))
    return emitError() << "expected positive dimensions with a product of at "
                          "most 2^56";
  if (!isStorage(elementType))
    return emitError() << "expected element type f32, bf16 or f16, found "
                       << elementType;
  return success();
}

Type StackType::parse(AsmParser &parser) {
  return parseCounted<StackType>(parser);
}
void StackType::print(AsmPrinter &printer) const {
  printCounted(printer, *this);
}
LogicalResult StackType::verify(function_ref<InFlightDiagnostic()> emitError,
                                int64_t count, ArrayRef<int64_t> shape,
                                Type elementType) {
  return verifyCounted(emitError, count, shape, elementType);
}

Type TableType::parse(AsmParser &parser) {
  return parseCounted<TableType>(parser);
}
void TableType::print(AsmPrinter &printer) const {
  printCounted(printer, *this);
}
LogicalResult TableType::verify(function_ref<InFlightDiagnostic()> emitError,
                                int64_t count, ArrayRef<int64_t> shape,
                                Type elementType) {
  return verifyCounted(emitError, count, shape, elementType);
}

FailureOr<bufferization::BufferLikeType>
StackType::getBufferType(const bufferization::BufferizationOptions &,
                         function_ref<InFlightDiagnostic()>) const {
  return cast<bufferization::BufferLikeType>(
      TableType::get(getContext(), getCount(), getShape(), getElementType()));
}

LogicalResult StackType::verifyCompatibleBufferType(
    bufferization::BufferLikeType bufferType,
    function_ref<InFlightDiagnostic()> emitError) const {
  auto table = dyn_cast<TableType>(bufferType);
  if (table && table.getCount() == getCount() &&
      table.getShape() == getShape() &&
      table.getElementType() == getElementType())
    return success();
  return emitError() << "expected the table of " << *this << ", found "
                     << bufferType;
}

//===----------------------------------------------------------------------===//
// Shapes and predicates
//===----------------------------------------------------------------------===//

int64_t ParameterShape::matricesPerMember() const {
  int64_t count = 1;
  for (size_t i = 0; i + 2 < shape.size(); ++i)
    count *= shape[i];
  return count;
}

std::optional<ParameterShape> muon::getParameterShape(Type type) {
  ParameterShape result;
  auto fill = [&](ArrayRef<int64_t> shape, Type elementType) {
    result.shape.assign(shape.begin(), shape.end());
    result.elementType = elementType;
  };
  if (auto stack = dyn_cast<StackType>(type)) {
    fill(stack.getShape(), stack.getElementType());
    result.members = stack.getCount();
    result.stacked = true;
    return result;
  }
  if (auto table = dyn_cast<TableType>(type)) {
    fill(table.getShape(), table.getElementType());
    result.members = table.getCount();
    result.stacked = true;
    return result;
  }
  if (!isa<RankedTensorType, MemRefType>(type))
    return std::nullopt;
  auto shaped = cast<ShapedType>(type);
  if (!isSaneShape(shaped.getShape()) || !isContiguous(type))
    return std::nullopt;
  fill(shaped.getShape(), shaped.getElementType());
  return result;
}

bool muon::isParameter(Type type) {
  std::optional<ParameterShape> shape = getParameterShape(type);
  return shape && isStorage(shape->elementType);
}

bool muon::isMatrices(Type type) {
  std::optional<ParameterShape> shape = getParameterShape(type);
  return shape && isStorage(shape->elementType) &&
         (shape->shape.size() == 2 || shape->shape.size() == 3);
}

/// Whether `type` is a tensor or memref of this rank and element type.
template <typename Predicate>
static bool isShaped(Type type, int64_t rank, Predicate isElement) {
  if (!isa<RankedTensorType, MemRefType>(type))
    return false;
  auto shaped = cast<ShapedType>(type);
  return shaped.getRank() == rank && isSaneShape(shaped.getShape()) &&
         isContiguous(type) && isElement(shaped.getElementType());
}

bool muon::isBatch(Type type) { return isShaped(type, 3, isStorage); }
bool muon::isExchanged(Type type) {
  std::optional<ParameterShape> shape = getParameterShape(type);
  return shape && (isStorage(shape->elementType) || shape->elementType.isF64());
}
bool muon::isF32Scalar(Type type) {
  return isShaped(type, 0, [](Type t) { return t.isF32(); });
}
bool muon::isFlag(Type type) {
  return isShaped(type, 0, [](Type t) { return t.isInteger(1); });
}
bool muon::isCounter(Type type) {
  return isShaped(type, 0, [](Type t) { return t.isInteger(64); });
}
bool muon::isF64List(Type type) {
  return isShaped(type, 1, [](Type t) { return t.isF64(); });
}
bool muon::isF32List(Type type) {
  return isShaped(type, 1, [](Type t) { return t.isF32(); });
}
bool muon::isBuffer(Type type) { return isa<MemRefType, TableType>(type); }
