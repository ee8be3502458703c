//===- MuonOps.cpp - Operations of the muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "InPlaceOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringMap.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::muon;

namespace {
/// What ranks tell each other, and in which order.
struct CommunicationResource
    : public SideEffects::Resource::Base<CommunicationResource> {
  StringRef getName() final { return "<Communication>"; }
};
} // namespace

//===----------------------------------------------------------------------===//
// Verification shared by operations with named operand groups
//===----------------------------------------------------------------------===//

LogicalResult muon::verifyInPlaceOp(InPlaceOpInterface op) {
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

/// The gradient has the shape of `parameter`, or is a batch that holds the
/// members of a stack one after the other.
static LogicalResult verifyGradient(InPlaceOpInterface op, Value gradient,
                                    Value parameter) {
  ParameterShape shape = *getParameterShape(parameter.getType());
  ParameterShape other = *getParameterShape(gradient.getType());
  if (shape.stacked && !other.stacked) {
    SmallVector<int64_t> expected(shape.shape);
    while (expected.size() < 3)
      expected.insert(expected.begin(), 1);
    expected[0] *= shape.members;
    if (ArrayRef(other.shape) == ArrayRef(expected))
      return success();
  }
  return verifySameShape(op, {parameter, gradient});
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
  SmallVector<Value> parameters = {getWeight().front(), getMomentum().front()};
  llvm::append_range(parameters, getMaster());
  if (failed(verifySameShape(*this, parameters)) ||
      failed(
          verifyGradient(*this, getGradient().front(), getWeight().front())) ||
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
  if (std::optional<ExchangeAttr> exchange = getExchange();
      exchange && exchange->getStrategy() == StrategyKind::Own) {
    ArrayRef<int64_t> owners = exchange->getOwners().asArrayRef();
    if (static_cast<int64_t>(owners.size()) != matrices ||
        !llvm::is_sorted(owners))
      return emitOpError("'exchange' expected an owner for each of ")
             << matrices << " matrices, in order, found [" << owners << "]";
  }
  return verifyRestarts(*this, getRestarts(), getSteps(), getIteration());
}

LogicalResult AdamWUpdateOp::verify() {
  if (failed(verifyInPlaceOp(*this)))
    return failure();
  SmallVector<Value> parameters = {getWeight().front(), getExpAvg().front(),
                                   getExpAvgSq().front()};
  llvm::append_range(parameters, getMaster());
  if (failed(verifySameShape(*this, parameters)) ||
      failed(
          verifyGradient(*this, getGradient().front(), getWeight().front())) ||
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
      failed(verifyGradient(*this, getGradient().front(),
                            getMomentum().front())) ||
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
  if (getGroup() && getIteration() != Iteration::Gram)
    return emitOpError("'group' expected iteration gram, found ")
           << stringifyIteration(getIteration());
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

void muon::getInPlaceEffects(
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
  // Others wait for it, even where nobody looks at the results.
  if (isa<CollectiveOpInterface, WaitOp>(op.getOperation()))
    effects.emplace_back(MemoryEffects::Write::get(),
                         CommunicationResource::get());
}

ArrayRef<StringRef> muon::getVersion1Attributes(StringRef mnemonic) {
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

LogicalResult StartCollectiveOp::verify() {
  for (Type type : getBuffers().getTypes())
    if (failed(verifyContiguous(*this, type)))
      return failure();
  return success();
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
