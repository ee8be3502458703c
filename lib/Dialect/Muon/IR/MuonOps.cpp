//===- MuonOps.cpp - Operations of the muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/SmallString.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::muon;

//===----------------------------------------------------------------------===//
// Syntax of operations with named operand groups
//===----------------------------------------------------------------------===//

/// Parses `group(%a, %b : t0, t1) … {attributes}`. The result types are those
/// of the destinations that are values.
template <typename OpT>
static ParseResult parseInPlaceOp(OpAsmParser &parser, OperationState &result) {
  SmallVector<int32_t> segments;
  SmallVector<Type> destinationTypes;
  for (auto [index, spec] : llvm::enumerate(OpT::getOperandGroups())) {
    StringRef name = spec.rtrim("?*!");
    bool isOptional = spec.contains('?') || spec.contains('*');
    if (failed(parser.parseOptionalKeyword(name))) {
      if (!isOptional)
        return parser.emitError(parser.getCurrentLocation())
               << "expected operand '" << name << "(...)'";
      segments.push_back(0);
      continue;
    }
    SmallVector<OpAsmParser::UnresolvedOperand> operands;
    SmallVector<Type> types;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseLParen() || parser.parseOperandList(operands) ||
        parser.parseColonTypeList(types) || parser.parseRParen() ||
        parser.resolveOperands(operands, types, loc, result.operands))
      return failure();
    segments.push_back(operands.size());
    if (index >= OpT::getFirstDestinationGroup())
      llvm::copy_if(types, std::back_inserter(destinationTypes),
                    [](Type type) { return !isBuffer(type); });
  }
  SMLoc attrLoc = parser.getCurrentLocation();
  if (parser.parseOptionalAttrDict(result.attributes))
    return failure();
  if (result.attributes.get(OpT::getOperandSegmentSizeAttr()))
    return parser.emitError(attrLoc)
           << "'" << OpT::getOperandSegmentSizeAttr()
           << "' follows from the operands and cannot be given";
  // Properties are set from attributes without a diagnostic of their own.
  if (failed(OpT::verifyInherentAttrs(result.name, result.attributes, [&]() {
        return parser.emitError(parser.getNameLoc())
               << "'" << result.name.getStringRef() << "' op ";
      })))
    return failure();
  result.addAttribute(OpT::getOperandSegmentSizeAttr(),
                      parser.getBuilder().getDenseI32ArrayAttr(segments));
  result.addTypes(destinationTypes);
  return success();
}

template <typename OpT>
static void printInPlaceOp(OpAsmPrinter &printer, OpT op) {
  auto inPlace = cast<InPlaceOpInterface>(op.getOperation());
  for (auto [index, spec] : llvm::enumerate(OpT::getOperandGroups())) {
    OperandRange group = inPlace.getOperandGroup(index);
    if (group.empty())
      continue;
    printer << ' ' << spec.rtrim("?*!") << '(' << group << " : "
            << group.getTypes() << ')';
  }
  printer.printOptionalAttrDict(op->getAttrs(),
                                {OpT::getOperandSegmentSizeAttr()});
}

//===----------------------------------------------------------------------===//
// Verification shared by operations with named operand groups
//===----------------------------------------------------------------------===//

/// Every group has the number of values its name says, tensors and buffers do
/// not mix, and no value is a destination twice.
static LogicalResult verifyInPlaceOp(InPlaceOpInterface op) {
  for (auto [index, spec] : llvm::enumerate(op.getOperandGroups())) {
    unsigned size = op.getOperandGroupSize(index);
    if (spec.contains('*'))
      continue;
    if (size > 1 || (size == 0 && !spec.contains('?')))
      return op->emitOpError()
             << "'" << spec.rtrim("?*!") << "' expected "
             << (spec.contains('?') ? "at most one value" : "one value")
             << ", found " << size;
  }
  unsigned buffers = llvm::count_if(op->getOperandTypes(), isBuffer);
  if (buffers != 0 && buffers != op->getNumOperands())
    return op->emitOpError()
           << "expected tensors and stacks only, or memrefs and tables only";
  for (Value destination : op.getDestinations()) {
    // Undefined tensors of one type may well be one value.
    if (destination.getDefiningOp<tensor::EmptyOp>())
      continue;
    if (llvm::count(op.getDestinations(), destination) > 1)
      return op->emitOpError("expected distinct destinations");
    if (isBuffer(destination.getType()) &&
        llvm::is_contained(op->getOperands().take_front(op.getNumInputs()),
                           destination))
      return op->emitOpError("expected no destination among the inputs");
  }
  // A misspelt attribute would leave a default in force.
  for (NamedAttribute attr : op->getDiscardableAttrs())
    if (!attr.getName().strref().contains('.'))
      return op->emitOpError("has no attribute '")
             << attr.getName().strref() << "'";
  return success();
}

/// All operands of the listed groups have the same shape, member for member.
static LogicalResult verifySameShape(InPlaceOpInterface op,
                                     ArrayRef<Value> values) {
  ParameterShape first = *getParameterShape(values.front().getType());
  for (Value value : values.drop_front()) {
    ParameterShape other = *getParameterShape(value.getType());
    if (other.shape != first.shape || other.members != first.members ||
        other.stacked != first.stacked)
      return op->emitOpError("expected parameters of one shape, found ")
             << values.front().getType() << " and " << value.getType();
  }
  return success();
}

/// A list has one number per matrix.
static LogicalResult verifyPerMatrix(InPlaceOpInterface op, ValueRange lists,
                                     int64_t matrices) {
  for (Value list : lists) {
    int64_t size = cast<ShapedType>(list.getType()).getDimSize(0);
    if (size != matrices)
      return op->emitOpError("expected one number for each of ")
             << matrices << " matrices, found " << list.getType();
  }
  return success();
}

static LogicalResult verifyNumber(Operation *op, StringRef name,
                                  const APFloat &value, double min, double max,
                                  StringRef expected) {
  double number = value.convertToDouble();
  if (!(number >= min && number <= max)) {
    SmallString<16> text;
    value.toString(text);
    return op->emitOpError("'")
           << name << "' expected " << expected << ", found " << text;
  }
  return success();
}

static LogicalResult verifyFinite(Operation *op, StringRef name,
                                  const APFloat &value) {
  double max = std::numeric_limits<double>::max();
  return verifyNumber(op, name, value, -max, max, "a finite number");
}

static LogicalResult verifySafetyAndEps(Operation *op, const APFloat &safety,
                                        const APFloat &eps) {
  double max = std::numeric_limits<double>::max();
  if (failed(verifyNumber(op, "safety", safety,
                          std::numeric_limits<double>::denorm_min(), max,
                          "a positive finite number")) ||
      failed(verifyNumber(op, "eps", eps, 0.0, max,
                          "a finite number of at least 0")))
    return failure();
  return success();
}

static LogicalResult verifySteps(Operation *op, int64_t steps) {
  if (steps < 1 || steps > 100)
    return op->emitOpError("'steps' expected an integer from 1 to 100, found ")
           << steps;
  return success();
}

static LogicalResult verifyMaster(InPlaceOpInterface op, Value weight,
                                  ValueRange master) {
  if (master.empty())
    return success();
  Type masterType = getParameterShape(master.front().getType())->elementType;
  Type weightType = getParameterShape(weight.getType())->elementType;
  if (!masterType.isF32() || weightType.isF32())
    return op->emitOpError(
               "expected an f32 master of a bf16 or f16 weight, found ")
           << master.front().getType() << " and " << weight.getType();
  return success();
}

/// `batch` is rank 3 and holds the matrices of `parameter` in order.
static LogicalResult verifyHoldsMatrices(InPlaceOpInterface op, Value batch,
                                         Value parameter) {
  ParameterShape shape = *getParameterShape(parameter.getType());
  SmallVector<int64_t> expected = {shape.matrices(), shape.rows(),
                                   shape.cols()};
  if (cast<ShapedType>(batch.getType()).getShape() != ArrayRef(expected))
    return op->emitOpError("'x' expected shape ")
           << expected[0] << "x" << expected[1] << "x" << expected[2]
           << " for the matrices of " << parameter.getType() << ", found "
           << batch.getType();
  return success();
}

static LogicalResult verifyConcreteSide(Operation *op, Side side) {
  if (side == Side::Auto)
    return op->emitOpError("'side' expected left or right, found auto");
  return success();
}

/// x → out of one shape, with an optional factor per matrix.
static LogicalResult verifyIteration(InPlaceOpInterface op, Value x,
                                     ValueRange factor, Value out) {
  auto xType = cast<ShapedType>(x.getType());
  if (xType.getShape() != cast<ShapedType>(out.getType()).getShape())
    return op->emitOpError("expected 'out' of the shape of 'x', found ")
           << out.getType() << " and " << xType;
  return verifyPerMatrix(op, factor, xType.getDimSize(0));
}

//===----------------------------------------------------------------------===//
// Step level
//===----------------------------------------------------------------------===//

LogicalResult OptimizeOp::verify() {
  if (getWeight().getType().getShape() != getGradient().getType().getShape())
    return emitOpError("expected weight and gradient of one shape, found ")
           << getWeight().getType() << " and " << getGradient().getType();
  return success();
}

LogicalResult SumSquaresOp::verify() {
  if (failed(verifyInPlaceOp(*this)))
    return failure();
  return verifyPerMatrix(
      *this, getSums(),
      getParameterShape(getValue().front().getType())->matrices());
}

LogicalResult LookOp::verify() { return verifyInPlaceOp(*this); }

LogicalResult AdvanceOp::verify() { return verifyInPlaceOp(*this); }

LogicalResult UpdateOp::verify() {
  if (failed(verifyInPlaceOp(*this)))
    return failure();
  SmallVector<Value> parameters = {getWeight().front(), getGradient().front(),
                                   getMomentum().front()};
  llvm::append_range(parameters, getMaster());
  if (failed(verifySameShape(*this, parameters)) ||
      failed(verifyMaster(*this, parameters.front(), getMaster())))
    return failure();
  int64_t matrices =
      getParameterShape(parameters.front().getType())->matrices();
  for (OperandRange sums :
       {getGradientSums(), getMomentumSums(), getUpdateSums(), getWeightSums()})
    if (failed(verifyPerMatrix(*this, sums, matrices)))
      return failure();
  if (failed(verifySafetyAndEps(*this, getSafety(), getEps())) ||
      failed(verifyFinite(*this, "lr_multiplier", getLrMultiplier())))
    return failure();
  return verifySteps(*this, getSteps());
}

LogicalResult AdamWUpdateOp::verify() {
  if (failed(verifyInPlaceOp(*this)))
    return failure();
  SmallVector<Value> parameters = {getWeight().front(), getGradient().front(),
                                   getExpAvg().front(), getExpAvgSq().front()};
  llvm::append_range(parameters, getMaster());
  if (failed(verifySameShape(*this, parameters)) ||
      failed(verifyMaster(*this, parameters.front(), getMaster())))
    return failure();
  int64_t matrices =
      getParameterShape(parameters.front().getType())->matrices();
  for (OperandRange sums : {getUpdateSums(), getWeightSums()})
    if (failed(verifyPerMatrix(*this, sums, matrices)))
      return failure();
  double belowOne = std::nextafter(1.0, 0.0);
  StringRef expected = "a number from 0 to less than 1";
  if (failed(verifyNumber(*this, "beta1", getBeta1(), 0, belowOne, expected)) ||
      failed(verifyNumber(*this, "beta2", getBeta2(), 0, belowOne, expected)) ||
      failed(verifyNumber(*this, "eps", getEps(), 0,
                          std::numeric_limits<double>::max(),
                          "a finite number of at least 0")))
    return failure();
  return verifyFinite(*this, "lr_multiplier", getLrMultiplier());
}

//===----------------------------------------------------------------------===//
// Math level
//===----------------------------------------------------------------------===//

LogicalResult MomentumOp::verify() {
  if (failed(verifyInPlaceOp(*this)) ||
      failed(verifySameShape(*this,
                             {getMomentum().front(), getGradient().front()})) ||
      failed(verifyHoldsMatrices(*this, getX().front(), getMomentum().front())))
    return failure();
  int64_t matrices =
      getParameterShape(getMomentum().front().getType())->matrices();
  for (OperandRange list :
       {getGradientSums(), getMomentumSums(), getSums(), getUnit()})
    if (failed(verifyPerMatrix(*this, list, matrices)))
      return failure();
  return success();
}

LogicalResult NormalizeOp::verify() {
  if (failed(verifyInPlaceOp(*this)))
    return failure();
  int64_t size = cast<ShapedType>(getSums().front().getType()).getDimSize(0);
  for (OperandRange list : {getUnit(), getFactor()})
    if (failed(verifyPerMatrix(*this, list, size)))
      return failure();
  return verifySafetyAndEps(*this, getSafety(), getEps());
}

LogicalResult OrthogonalizeOp::verify() {
  if (failed(verifyInPlaceOp(*this)) || failed(verifySteps(*this, getSteps())))
    return failure();
  return verifyIteration(*this, getX().front(), getFactor(), getOut().front());
}

LogicalResult PolynomialStepOp::verify() {
  if (failed(verifyInPlaceOp(*this)) ||
      failed(verifyConcreteSide(*this, getSide())) ||
      failed(verifyFinite(*this, "a", getA())) ||
      failed(verifyFinite(*this, "b", getB())) ||
      failed(verifyFinite(*this, "c", getC())))
    return failure();
  return verifyIteration(*this, getX().front(), getFactor(), getOut().front());
}

LogicalResult SymmetricProductOp::verify() {
  if (failed(verifyInPlaceOp(*this)) ||
      failed(verifyConcreteSide(*this, getSide())) ||
      failed(verifyFinite(*this, "alpha", getAlpha())) ||
      failed(verifyFinite(*this, "beta", getBeta())))
    return failure();
  if (getAddend().empty() && !getBeta().isZero())
    return emitOpError("'beta' expected 0 without an addend");
  auto xType = cast<ShapedType>(getX().front().getType());
  int64_t m = xType.getDimSize(getSide() == Side::Left ? 1 : 2);
  SmallVector<int64_t> square = {xType.getDimSize(0), m, m};
  SmallVector<Value> squares(getAddend());
  squares.push_back(getOut().front());
  for (Value value : squares)
    if (cast<ShapedType>(value.getType()).getShape() != ArrayRef(square))
      return emitOpError("expected symmetric matrices of shape ")
             << square[0] << "x" << m << "x" << m << ", found "
             << value.getType();
  return verifyPerMatrix(*this, getFactor(), xType.getDimSize(0));
}

LogicalResult SymmetricApplyOp::verify() {
  if (failed(verifyInPlaceOp(*this)) ||
      failed(verifyConcreteSide(*this, getSide())) ||
      failed(verifyFinite(*this, "beta", getBeta())))
    return failure();
  auto xType = cast<ShapedType>(getX().front().getType());
  int64_t m = xType.getDimSize(getSide() == Side::Left ? 1 : 2);
  SmallVector<int64_t> square = {xType.getDimSize(0), m, m};
  if (cast<ShapedType>(getS().front().getType()).getShape() != ArrayRef(square))
    return emitOpError("'s' expected shape ")
           << square[0] << "x" << m << "x" << m << ", found "
           << getS().front().getType();
  return verifyIteration(*this, getX().front(), getFactor(), getOut().front());
}

LogicalResult ApplyOp::verify() {
  if (failed(verifyInPlaceOp(*this)))
    return failure();
  SmallVector<Value> parameters = {getWeight().front()};
  llvm::append_range(parameters, getMaster());
  if (failed(verifySameShape(*this, parameters)) ||
      failed(verifyMaster(*this, parameters.front(), getMaster())) ||
      failed(verifyHoldsMatrices(*this, getX().front(), parameters.front())) ||
      failed(verifyFinite(*this, "scale", getScale())))
    return failure();
  int64_t matrices =
      getParameterShape(parameters.front().getType())->matrices();
  for (OperandRange sums : {getUpdateSums(), getWeightSums()})
    if (failed(verifyPerMatrix(*this, sums, matrices)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Methods that all operations with named operand groups share
//===----------------------------------------------------------------------===//

template <typename OpT>
static LogicalResult inferInPlaceTypes(ValueRange operands,
                                       const typename OpT::Properties &props,
                                       SmallVectorImpl<Type> &inferred) {
  unsigned inputs = 0;
  for (unsigned i = 0; i < OpT::getFirstDestinationGroup(); ++i)
    inputs += props.operandSegmentSizes[i];
  if (inputs > operands.size())
    return failure();
  for (Value destination : operands.drop_front(inputs))
    if (!isBuffer(destination.getType()))
      inferred.push_back(destination.getType());
  return success();
}

static void getInPlaceEffects(
    InPlaceOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isBuffer(operand.get().getType()))
      continue;
    if (!op.isDestination(operand) || op.readsDestination(operand))
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
    if (op.isDestination(operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
  }
}

#define MUON_IN_PLACE_OP(OpT)                                                  \
  ParseResult OpT::parse(OpAsmParser &parser, OperationState &result) {        \
    return parseInPlaceOp<OpT>(parser, result);                                \
  }                                                                            \
  void OpT::print(OpAsmPrinter &printer) { printInPlaceOp(printer, *this); }   \
  LogicalResult OpT::inferReturnTypes(                                         \
      MLIRContext *, std::optional<Location>, ValueRange operands,             \
      DictionaryAttr, OpaqueProperties properties, RegionRange,                \
      SmallVectorImpl<Type> &inferred) {                                       \
    return inferInPlaceTypes<OpT>(operands, *properties.as<Properties *>(),    \
                                  inferred);                                   \
  }                                                                            \
  void OpT::getEffects(                                                        \
      SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>      \
          &effects) {                                                          \
    getInPlaceEffects(*this, effects);                                         \
  }

#define MUON_TENSOR_OP(OpT)                                                    \
  MUON_IN_PLACE_OP(OpT)                                                        \
  LogicalResult OpT::reifyResultShapes(OpBuilder &builder,                     \
                                       ReifiedRankedShapedTypeDims &shapes) {  \
    for (Type type : getOperation()->getResultTypes())                         \
      shapes.push_back(getAsIndexOpFoldResult(                                 \
          builder.getContext(), cast<ShapedType>(type).getShape()));           \
    return success();                                                          \
  }

MUON_TENSOR_OP(SumSquaresOp)
MUON_TENSOR_OP(LookOp)
MUON_IN_PLACE_OP(AdvanceOp)
MUON_IN_PLACE_OP(UpdateOp)
MUON_IN_PLACE_OP(AdamWUpdateOp)
MUON_IN_PLACE_OP(MomentumOp)
MUON_TENSOR_OP(NormalizeOp)
MUON_TENSOR_OP(OrthogonalizeOp)
MUON_TENSOR_OP(PolynomialStepOp)
MUON_TENSOR_OP(SymmetricProductOp)
MUON_TENSOR_OP(SymmetricApplyOp)
MUON_IN_PLACE_OP(ApplyOp)

#undef MUON_TENSOR_OP
#undef MUON_IN_PLACE_OP

//===----------------------------------------------------------------------===//
// Runtime level
//===----------------------------------------------------------------------===//

LogicalResult MemberOp::verify() {
  TableType table = getTable().getType();
  MemRefType result = getResult().getType();
  if (result.getShape() != table.getShape() ||
      result.getElementType() != table.getElementType() ||
      !result.getLayout().isIdentity())
    return emitOpError("expected ")
           << MemRefType::get(table.getShape(), table.getElementType())
           << " for a member of " << table << ", found " << result;
  return success();
}

/// Buffers of the runtime start at an address and have no gaps.
static LogicalResult verifyContiguous(Operation *op, Type type) {
  auto memref = dyn_cast<MemRefType>(type);
  if (memref && !memref.getLayout().isIdentity())
    return op->emitOpError("expected a contiguous memref, found ") << memref;
  return success();
}

LogicalResult SlotOp::verify() {
  return verifyContiguous(*this, getResult().getType());
}

LogicalResult ArenaOp::verify() {
  auto type = cast<MemRefType>(getResult().getType());
  if (type.getRank() != 1 || !type.getElementType().isInteger(8))
    return emitOpError("expected a rank-1 memref of i8, found ") << type;
  return verifyContiguous(*this, type);
}

void MemberOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  // The table itself never changes during a step, so the pointer may be read
  // anywhere: no effect to order against.
}

namespace {
/// What a function of MuonHostApi takes after its context: i = i64, w = i32,
/// f = f32, p = address of f32.
struct HostFunction {
  StringLiteral name;
  StringLiteral signature;
};
constexpr HostFunction kHostFunctions[] = {
    {"ssyrk", "wiifpipi"},
    {"sgemm", "iiifpipifpi"},
};
} // namespace

LogicalResult HostCallOp::verify() {
  const HostFunction *function = llvm::find_if(
      kHostFunctions, [&](auto &entry) { return entry.name == getCallee(); });
  if (function == std::end(kHostFunctions))
    return emitOpError("'")
           << getCallee() << "' is not a function of the runtime";
  if (function->signature.size() != getArguments().size())
    return emitOpError("expected ")
           << function->signature.size() << " arguments of '" << getCallee()
           << "', found " << getArguments().size();
  for (auto [index, value] : llvm::enumerate(getArguments())) {
    Type type = value.getType();
    char kind = function->signature[index];
    auto memref = dyn_cast<MemRefType>(type);
    bool ok = kind == 'i'   ? type.isInteger(64)
              : kind == 'w' ? type.isInteger(32)
              : kind == 'f' ? type.isF32()
                            : memref && memref.getElementType().isF32();
    if (!ok)
      return emitOpError("argument #") << index << " expected "
                                       << (kind == 'i'   ? "i64"
                                           : kind == 'w' ? "i32"
                                           : kind == 'f' ? "f32"
                                                         : "a memref of f32")
                                       << ", found " << type;
  }
  return success();
}

#define GET_OP_CLASSES
#include "muon-mlir/Dialect/Muon/IR/MuonOps.cpp.inc"
