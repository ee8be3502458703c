//===- MuonOps.cpp - Operations of the muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "mlir/Bytecode/BytecodeImplementation.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringMap.h"
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
  auto outType = cast<ShapedType>(out.getType());
  if (xType.getShape() != outType.getShape())
    return op->emitOpError("expected 'out' of the shape of 'x', found ")
           << outType << " and " << xType;
  if (outType.getElementType() != xType.getElementType() &&
      !outType.getElementType().isF32())
    return op->emitOpError(
               "expected 'out' of the type of 'x' or of f32, found ")
           << outType << " and " << xType;
  return verifyPerMatrix(op, factor, xType.getDimSize(0));
}

/// tf32 is a way to multiply numbers that are stored as f32.
static LogicalResult verifyTF32(Operation *op, bool tf32, Value operand) {
  if (tf32 && !getElementTypeOrSelf(operand.getType()).isF32())
    return op->emitOpError("'tf32' expected operands of f32, found ")
           << operand.getType();
  return success();
}

static LogicalResult verifySameElements(Operation *op, Value x, Value other) {
  Type type = getElementTypeOrSelf(x.getType());
  if (getElementTypeOrSelf(other.getType()) != type)
    return op->emitOpError("expected operands and symmetric results of one "
                           "element type, found ")
           << x.getType() << " and " << other.getType();
  return success();
}

/// Where an iteration in Gram space starts anew.
static LogicalResult verifyRestarts(Operation *op,
                                    std::optional<ArrayRef<int64_t>> restarts,
                                    int64_t steps, Iteration iteration) {
  if (!restarts)
    return success();
  if (iteration == Iteration::Direct && !restarts->empty())
    return op->emitOpError(
        "'restarts' expected none with a direct iteration, which has no use "
        "for them");
  int64_t previous = 0;
  for (int64_t restart : *restarts) {
    if (restart <= previous || restart >= steps)
      return op->emitOpError("'restarts' expected increasing integers from 1 "
                             "to steps - 1 = ")
             << steps - 1 << ", found [" << *restarts << "]";
    previous = restart;
  }
  return success();
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
      failed(verifyFinite(*this, "lr_multiplier", getLrMultiplier())) ||
      failed(verifySteps(*this, getSteps())))
    return failure();
  return verifyRestarts(*this, getRestarts(), getSteps(), getIteration());
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
  if (failed(verifyInPlaceOp(*this)) ||
      failed(verifySteps(*this, getSteps())) ||
      failed(verifyRestarts(*this, getRestarts(), getSteps(), getIteration())))
    return failure();
  Type element = getElementTypeOrSelf(getX().front().getType());
  if (getCompute() != Compute::Auto &&
      getStorageType(getContext(), getCompute()) != element)
    return emitOpError("'compute' ")
           << stringifyCompute(getCompute()) << " expected 'x' of "
           << getStorageType(getContext(), getCompute()) << ", found "
           << getX().front().getType();
  return verifyIteration(*this, getX().front(), getFactor(), getOut().front());
}

LogicalResult PolynomialStepOp::verify() {
  if (failed(verifyInPlaceOp(*this)) ||
      failed(verifyConcreteSide(*this, getSide())) ||
      failed(verifyFinite(*this, "a", getA())) ||
      failed(verifyFinite(*this, "b", getB())) ||
      failed(verifyFinite(*this, "c", getC())) ||
      failed(verifyTF32(*this, getTf32(), getX().front())))
    return failure();
  return verifyIteration(*this, getX().front(), getFactor(), getOut().front());
}

LogicalResult SymmetricProductOp::verify() {
  if (failed(verifyInPlaceOp(*this)) ||
      failed(verifyConcreteSide(*this, getSide())) ||
      failed(verifyFinite(*this, "alpha", getAlpha())) ||
      failed(verifyFinite(*this, "beta", getBeta())) ||
      failed(verifyTF32(*this, getTf32(), getX().front())))
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
    else if (failed(verifySameElements(*this, getX().front(), value)))
      return failure();
  return verifyPerMatrix(*this, getFactor(), xType.getDimSize(0));
}

LogicalResult CommutingProductOp::verify() {
  if (failed(verifyInPlaceOp(*this)) ||
      failed(verifyFinite(*this, "alpha", getAlpha())) ||
      failed(verifyFinite(*this, "lhs_shift", getLhsShift())) ||
      failed(verifyFinite(*this, "rhs_shift", getRhsShift())) ||
      failed(verifyTF32(*this, getTf32(), getLhs().front())))
    return failure();
  auto type = cast<ShapedType>(getLhs().front().getType());
  if (type.getDimSize(1) != type.getDimSize(2))
    return emitOpError("'lhs' expected square matrices, found ") << type;
  for (Value value : {getRhs().front(), getOut().front()}) {
    if (cast<ShapedType>(value.getType()).getShape() != type.getShape())
      return emitOpError("expected matrices of one shape, found ")
             << type << " and " << value.getType();
    if (failed(verifySameElements(*this, getLhs().front(), value)))
      return failure();
  }
  return success();
}

LogicalResult SymmetricApplyOp::verify() {
  if (failed(verifyInPlaceOp(*this)) ||
      failed(verifyConcreteSide(*this, getSide())) ||
      failed(verifyFinite(*this, "alpha", getAlpha())) ||
      failed(verifyFinite(*this, "beta", getBeta())) ||
      failed(verifyTF32(*this, getTf32(), getX().front())))
    return failure();
  auto xType = cast<ShapedType>(getX().front().getType());
  int64_t m = xType.getDimSize(getSide() == Side::Left ? 1 : 2);
  SmallVector<int64_t> square = {xType.getDimSize(0), m, m};
  if (cast<ShapedType>(getS().front().getType()).getShape() != ArrayRef(square))
    return emitOpError("'s' expected shape ")
           << square[0] << "x" << m << "x" << m << ", found "
           << getS().front().getType();
  if (failed(verifySameElements(*this, getX().front(), getS().front())))
    return failure();
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

/// Attributes of operations in version 1 of the bytecode, which wrote them one
/// after the other; a name ends in `?` where the attribute could be absent.
static ArrayRef<StringRef> getVersion1Attributes(StringRef mnemonic) {
  static const llvm::StringMap<SmallVector<StringRef>> attributes = {
      {"sum_squares", {}},
      {"look", {"skip_nonfinite?"}},
      {"advance", {}},
      {"update",
       {"compute?", "eps?", "iteration?", "lr_multiplier?", "momentum_form?",
        "nesterov?", "safety?", "scale?", "schedule", "side?", "steps?",
        "transposed?"}},
      {"adamw_update", {"beta1?", "beta2?", "eps?", "lr_multiplier?"}},
      {"momentum", {"momentum_form", "nesterov"}},
      {"normalize", {"eps", "safety"}},
      {"orthogonalize",
       {"compute?", "iteration?", "schedule", "side?", "steps"}},
      {"polynomial_step", {"a", "b", "c", "side"}},
      {"symmetric_product", {"alpha?", "beta?", "side"}},
      {"symmetric_apply", {"beta?", "side"}},
      {"apply", {"scale"}}};
  auto entry = attributes.find(mnemonic);
  return entry == attributes.end() ? ArrayRef<StringRef>()
                                   : ArrayRef<StringRef>(entry->second);
}

/// Reads what writeProperties writes: a dictionary, so that an attribute with a
/// default can be added without another version.
template <typename OpT>
static LogicalResult readInPlaceProperties(DialectBytecodeReader &reader,
                                           OperationState &state) {
  auto &properties = state.getOrAddProperties<typename OpT::Properties>();
  auto emitError = [&] { return reader.emitError(); };
  if (MuonDialect::getBytecodeVersion(reader) >= 2) {
    DictionaryAttr attributes;
    if (failed(reader.readAttribute(attributes)))
      return failure();
    return OpT::setPropertiesFromAttr(properties, attributes, emitError);
  }
  if (reader.getBytecodeVersion() < 6)
    return reader.emitError(
        "expected at least version 6 of the bytecode with version 1 of the "
        "muon dialect");
  NamedAttrList attributes;
  StringRef name = OpT::getOperationName();
  for (StringRef key :
       getVersion1Attributes(name.drop_front(name.find('.') + 1))) {
    Attribute value;
    bool isOptional = key.consume_back("?");
    if (failed(isOptional ? reader.readOptionalAttribute(value)
                          : reader.readAttribute(value)))
      return failure();
    if (value)
      attributes.append(key, value);
  }
  auto &segments = properties.operandSegmentSizes;
  if (failed(reader.readSparseArray(MutableArrayRef(segments))))
    return failure();
  attributes.append(
      OpT::getOperandSegmentSizeAttr(),
      DenseI32ArrayAttr::get(reader.getContext(), ArrayRef<int32_t>(segments)));
  return OpT::setPropertiesFromAttr(
      properties, attributes.getDictionary(reader.getContext()), emitError);
}

#define MUON_IN_PLACE_OP(OpT)                                                  \
  LogicalResult OpT::readProperties(DialectBytecodeReader &reader,             \
                                    OperationState &state) {                   \
    return readInPlaceProperties<OpT>(reader, state);                          \
  }                                                                            \
  void OpT::writeProperties(DialectBytecodeWriter &writer) {                   \
    writer.writeAttribute(getPropertiesAsAttr(getContext(), getProperties())); \
  }                                                                            \
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
MUON_TENSOR_OP(CommutingProductOp)
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

/// `type` with `count` for its first dimension or members.
static Type withCount(Type type, int64_t count) {
  if (auto table = dyn_cast<TableType>(type))
    return TableType::get(type.getContext(), count, table.getShape(),
                          table.getElementType());
  auto memref = cast<MemRefType>(type);
  SmallVector<int64_t> shape(memref.getShape());
  shape[0] = count;
  return MemRefType::Builder(memref).setShape(shape);
}

static int64_t getCount(Type type) {
  if (auto table = dyn_cast<TableType>(type))
    return table.getCount();
  return cast<MemRefType>(type).getDimSize(0);
}

LogicalResult SliceOp::verify() {
  for (Type type : {getSource().getType(), getResult().getType()}) {
    if (failed(verifyContiguous(*this, type)))
      return failure();
    if (auto memref = dyn_cast<MemRefType>(type); memref && !memref.getRank())
      return emitOpError("expected a table or a memref of at least one "
                         "dimension, found ")
             << type;
  }
  Type source = getSource().getType(), result = getResult().getType();
  if (source.getTypeID() != result.getTypeID() ||
      withCount(source, getCount(result)) != result)
    return emitOpError("expected a result like ")
           << source << " but for its first number, found " << result;
  if (getCount(result) > getCount(source))
    return emitOpError("expected a result of at most ")
           << getCount(source) << " of them, found " << result;
  return success();
}

Value SliceOp::getViewSource() { return getSource(); }

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

/// Counts of a parallel loop, and its lists.
static LogicalResult verifyParallel(Operation *op, int64_t count, int64_t group,
                                    ValueRange sums) {
  if (count < 1 || group < 1 || count % group != 0)
    return op->emitOpError("expected 'count' to be a positive multiple of a "
                           "positive 'group', found ")
           << count << " and " << group;
  for (Value list : sums)
    if (cast<ShapedType>(list.getType()).getDimSize(0) != count / group)
      return op->emitOpError("expected lists of count / group = ")
             << count / group << " numbers, found " << list.getType();
  return success();
}

/// The arguments that the body of a parallel loop has after what it captures.
static SmallVector<Type> getBodyTypes(MLIRContext *context, size_t numSums) {
  SmallVector<Type> types = {IndexType::get(context)};
  types.append(numSums, MemRefType::get({}, Float64Type::get(context)));
  return types;
}

LogicalResult ParallelOp::verify() {
  if (failed(verifyParallel(*this, getCount(), getGroup(), getSums())))
    return failure();
  SmallVector<Type> expected = getBodyTypes(getContext(), getSums().size());
  if (getBody().front().getArgumentTypes() != TypeRange(expected))
    return emitOpError("expected a body with arguments (")
           << expected << "), found (" << getBody().front().getArgumentTypes()
           << ")";
  return success();
}

LogicalResult ParallelCallOp::verify() {
  // Captured buffers are handed on as addresses.
  for (Type type : getCaptured().getTypes()) {
    auto memref = dyn_cast<MemRefType>(type);
    if (memref &&
        (!memref.hasStaticShape() || !memref.getLayout().isIdentity()))
      return emitOpError("expected captured memrefs to be static and "
                         "contiguous, found ")
             << type;
  }
  return verifyParallel(*this, getCount(), getGroup(), getSums());
}

LogicalResult ParallelCallOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto callee = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(
      *this, getCalleeAttr());
  if (!callee)
    return emitOpError("'") << getCallee() << "' is not a function";
  // Later levels have types of their own.
  if (!isa<FunctionType>(callee.getFunctionType()) ||
      llvm::any_of(callee.getArgumentTypes(), [](Type type) {
        return !isa<IndexType, IntegerType, FloatType, MemRefType, TableType>(
            type);
      }))
    return success();
  SmallVector<Type> expected(getCaptured().getTypes());
  llvm::append_range(expected, getBodyTypes(getContext(), getSums().size()));
  if (callee.getArgumentTypes() != ArrayRef(expected) ||
      callee.getNumResults() != 0)
    return emitOpError("expected '")
           << getCallee() << "' to take (" << expected
           << ") and return nothing, found " << callee.getFunctionType();
  return success();
}

namespace {
/// What a function of MuonHostApi takes after its context: i = i64, w = i32,
/// d = f64, p = address of floating-point numbers.
struct HostFunction {
  StringLiteral name;
  StringLiteral signature;
};
constexpr HostFunction kHostFunctions[] = {
    {"symmetric_product", "wwiiiddpppp"},
    {"commuting_product", "wiidddppp"},
    {"symmetric_apply", "wwiiiddpppp"},
    {"launch", "wiiww"},
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
              : kind == 'd' ? type.isF64()
                            : memref && isa<FloatType>(memref.getElementType());
    if (!ok)
      return emitOpError("argument #") << index << " expected "
                                       << (kind == 'i'   ? "i64"
                                           : kind == 'w' ? "i32"
                                           : kind == 'd' ? "f64"
                                                         : "a memref of floats")
                                       << ", found " << type;
  }
  return success();
}

#define GET_OP_CLASSES
#include "muon-mlir/Dialect/Muon/IR/MuonOps.cpp.inc"
