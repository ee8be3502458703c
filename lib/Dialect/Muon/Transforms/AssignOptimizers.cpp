//===- AssignOptimizers.cpp - Resolve muon.optimize by rules -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Placement.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "muon-mlir/Import/Rules.h"
#include "llvm/ADT/MapVector.h"
#include <deque>

namespace mlir::muon {
#define GEN_PASS_DEF_ASSIGNOPTIMIZERSPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

/// A parameter, or a row block of one, and the optimizer that updates it.
struct Parameter {
  Location loc;
  Attribute name;
  RankedTensorType weightType, gradientType;
  const rules::ResolvedParam *resolved;
  /// How ranks have it, and the strategy that the user wants; null if nobody
  /// says.
  Attribute sharding, gradientSharding, unreduced, strategy;
};

/// Builds the body of a step whose optimizers are known.
class StepBuilder {
public:
  StepBuilder(func::FuncOp step, const rules::StepConfig &config)
      : step(step), config(config), context(step.getContext()),
        builder(context) {
    builder.setInsertionPointToStart(&body);
  }

  void build(ArrayRef<Parameter> parameters);

private:
  /// What an update refers to, once arguments and looks exist.
  struct Operands {
    Value weight, gradient, gradientSums, updateSums, weightSums;
    Value momentum, momentumSums; // Muon
    Value expAvg, expAvgSq;       // AdamW
    SmallVector<Value, 1> master;
  };
  struct GroupScalars {
    Value lr, weightDecay, beta;
  };

  Value addArgument(Location loc, Type type, Role role,
                    ArrayRef<NamedAttribute> more = {}) {
    SmallVector<NamedAttribute> attrs(more);
    attrs.push_back(
        builder.getNamedAttr(MuonDialect::kRole, RoleAttr::get(context, role)));
    argAttrs.push_back(builder.getDictionaryAttr(attrs));
    return body.addArgument(type, loc);
  }
  Value addNamed(const Parameter &parameter, Type type, Role role) {
    SmallVector<NamedAttribute> attrs = {builder.getNamedAttr(
        MuonDialect::kNames, builder.getArrayAttr(parameter.name))};
    auto add = [&](StringRef name, Attribute value) {
      if (value)
        attrs.push_back(builder.getNamedAttr(name, value));
    };
    if (role == Role::Gradient) {
      add(MuonDialect::kSharding, parameter.gradientSharding);
      add(MuonDialect::kUnreduced, parameter.unreduced);
    } else if (isTensorRole(role)) {
      add(MuonDialect::kSharding, parameter.sharding);
    }
    return addArgument(parameter.loc, type, role, attrs);
  }
  Value addScalar(Role role, StringRef group,
                  std::optional<double> defaultValue) {
    SmallVector<NamedAttribute> attrs;
    if (!group.empty())
      attrs.push_back(builder.getNamedAttr(MuonDialect::kGroup,
                                           builder.getStringAttr(group)));
    if (defaultValue)
      attrs.push_back(builder.getNamedAttr(
          MuonDialect::kDefault, builder.getF32FloatAttr(*defaultValue)));
    return addArgument(step.getLoc(),
                       RankedTensorType::get({}, builder.getF32Type()), role,
                       attrs);
  }
  /// Marks `value`, an update of an argument, as a result of the step.
  void addResult(Value value) { results.push_back(value); }

  GroupScalars &getScalars(const rules::ResolvedParam &resolved);
  Operands addOperands(const Parameter &parameter);
  Value addSquares(const Parameter &parameter, Value value, Value sums);
  void addMuon(const Parameter &parameter, const Operands &operands);
  void addAdamW(const Parameter &parameter, const Operands &operands);
  Type getStateType();

  func::FuncOp step;
  const rules::StepConfig &config;
  MLIRContext *context;
  OpBuilder builder;
  Block body;
  SmallVector<Attribute> argAttrs;
  SmallVector<Value> results;
  llvm::MapVector<StringRef, GroupScalars> groups;
  Value ok, clip, counter;
};

} // namespace

Type StepBuilder::getStateType() {
  switch (config.stateType) {
  case rules::StateType::F32:
    return builder.getF32Type();
  case rules::StateType::BF16:
    return builder.getBF16Type();
  case rules::StateType::F16:
    return builder.getF16Type();
  }
  llvm_unreachable("unknown state type");
}

StepBuilder::GroupScalars &
StepBuilder::getScalars(const rules::ResolvedParam &resolved) {
  auto [entry, isNew] = groups.try_emplace(resolved.group);
  GroupScalars &scalars = entry->second;
  if (!isNew)
    return scalars;
  bool isMuon = resolved.optimizer == rules::OptimizerKind::Muon;
  scalars.lr = addScalar(Role::Lr, resolved.group, std::nullopt);
  scalars.weightDecay = addScalar(Role::WeightDecay, resolved.group,
                                  isMuon ? resolved.muon.weightDecay
                                         : resolved.adamw.weightDecay);
  if (isMuon)
    scalars.beta =
        addScalar(Role::Beta, resolved.group, resolved.muon.momentum);
  return scalars;
}

Value StepBuilder::addSquares(const Parameter &parameter, Value value,
                              Value sums) {
  Value result =
      SumSquaresOp::create(builder, parameter.loc, value, sums).getResult(0);
  addResult(result);
  return result;
}

StepBuilder::Operands StepBuilder::addOperands(const Parameter &parameter) {
  Operands operands;
  RankedTensorType type = parameter.weightType;
  auto state = type.clone(getStateType());
  auto sums = RankedTensorType::get(getParameterShape(type)->matrices(),
                                    builder.getF64Type());
  operands.weight = addNamed(parameter, type, Role::Weight);
  operands.gradient =
      addNamed(parameter, parameter.gradientType, Role::Gradient);
  bool isMuon = parameter.resolved->optimizer == rules::OptimizerKind::Muon;
  if (isMuon) {
    operands.momentum = addNamed(parameter, state, Role::Momentum);
  } else {
    operands.expAvg = addNamed(parameter, state, Role::ExpAvg);
    operands.expAvgSq = addNamed(parameter, state, Role::ExpAvgSq);
  }
  if (parameter.resolved->keepsMaster)
    operands.master.push_back(
        addNamed(parameter, type.clone(builder.getF32Type()), Role::Master));
  operands.gradientSums =
      addSquares(parameter, operands.gradient,
                 addNamed(parameter, sums, Role::GradientSums));
  if (isMuon)
    operands.momentumSums =
        addSquares(parameter, operands.momentum,
                   addNamed(parameter, sums, Role::MomentumSums));
  operands.updateSums = addNamed(parameter, sums, Role::UpdateSums);
  operands.weightSums = addNamed(parameter, sums, Role::WeightSums);
  return operands;
}

static MomentumForm convert(rules::MomentumForm form) {
  return form == rules::MomentumForm::Ema ? MomentumForm::Ema
                                          : MomentumForm::HeavyBall;
}

static ScheduleAttr convert(MLIRContext *context,
                            const rules::Schedule &schedule) {
  SmallVector<double> literal;
  if (schedule.name.empty())
    for (Coefficients step : schedule.literal)
      literal.append({step.a, step.b, step.c});
  return ScheduleAttr::get(context, schedule.name,
                           DenseF64ArrayAttr::get(context, literal));
}

static ScaleAttr convert(MLIRContext *context, const rules::Scale &scale) {
  ScaleRule rule = *symbolizeScaleRule(rules::stringify(scale.rule));
  return ScaleAttr::get(
      context, rule,
      APFloat(rule == ScaleRule::Constant ? scale.constant : 1.0));
}

void StepBuilder::addMuon(const Parameter &parameter,
                          const Operands &operands) {
  const rules::MuonConfig &muon = parameter.resolved->muon;
  GroupScalars &scalars = getScalars(*parameter.resolved);
  auto op = UpdateOp::create(
      builder, parameter.loc, operands.gradient, operands.gradientSums,
      operands.momentumSums, scalars.lr, scalars.weightDecay, scalars.beta,
      clip ? ValueRange(clip) : ValueRange(), ok, operands.weight,
      operands.momentum, operands.master, operands.updateSums,
      operands.weightSums, convert(muon.momentumForm), muon.nesterov,
      builder.getF64FloatAttr(muon.safety).getValue(),
      builder.getF64FloatAttr(muon.eps).getValue(),
      convert(context, muon.schedule), muon.steps,
      *symbolizeIteration(rules::stringify(muon.iteration)),
      muon.restarts ? builder.getDenseI64ArrayAttr(*muon.restarts)
                    : DenseI64ArrayAttr(),
      Side::Auto, *symbolizeCompute(rules::stringify(muon.compute)),
      convert(context, muon.scale), muon.transposed,
      builder.getF64FloatAttr(muon.lrMultiplier).getValue(),
      /*exchange=*/ExchangeAttr());
  if (parameter.strategy)
    op->setAttr(MuonDialect::kStrategy, parameter.strategy);
  llvm::append_range(results, op.getResults());
}

void StepBuilder::addAdamW(const Parameter &parameter,
                           const Operands &operands) {
  const rules::AdamWConfig &adamw = parameter.resolved->adamw;
  GroupScalars &scalars = getScalars(*parameter.resolved);
  auto op = AdamWUpdateOp::create(
      builder, parameter.loc, operands.gradient, scalars.lr,
      scalars.weightDecay, counter, clip ? ValueRange(clip) : ValueRange(), ok,
      operands.weight, operands.expAvg, operands.expAvgSq, operands.master,
      operands.updateSums, operands.weightSums,
      builder.getF64FloatAttr(adamw.beta1).getValue(),
      builder.getF64FloatAttr(adamw.beta2).getValue(),
      builder.getF64FloatAttr(adamw.eps).getValue(),
      builder.getF64FloatAttr(adamw.lrMultiplier).getValue());
  if (parameter.strategy)
    op->setAttr(MuonDialect::kStrategy, parameter.strategy);
  llvm::append_range(results, op.getResults());
}

void StepBuilder::build(ArrayRef<Parameter> parameters) {
  Location loc = step.getLoc();
  auto scalar = [](Type type) { return RankedTensorType::get({}, type); };

  // Scalars first, so that they lead the signature.
  for (const Parameter &parameter : parameters)
    getScalars(*parameter.resolved);
  Value limit;
  if (config.clipGlobalNorm)
    limit = addScalar(Role::ClipLimit, "", *config.clipGlobalNorm);
  Value count = addArgument(loc, scalar(builder.getI64Type()), Role::Step);
  Value okOut = addArgument(loc, scalar(builder.getI1Type()), Role::Ok);
  Value clipOut = addArgument(loc, scalar(builder.getF32Type()), Role::Clip);

  SmallVector<Operands> operands;
  SmallVector<Value> gradients, momenta;
  for (const Parameter &parameter : parameters) {
    operands.push_back(addOperands(parameter));
    gradients.push_back(operands.back().gradientSums);
    if (operands.back().momentumSums)
      momenta.push_back(operands.back().momentumSums);
  }

  auto look = LookOp::create(builder, loc, gradients, momenta,
                             limit ? ValueRange(limit) : ValueRange(), okOut,
                             clipOut, config.skipNonfinite);
  ok = look.getResult(0);
  if (limit)
    clip = look.getResult(1);
  llvm::append_range(results, look.getResults());
  counter = AdvanceOp::create(builder, loc, ok, count).getResult(0);
  addResult(counter);

  for (auto [parameter, values] : llvm::zip_equal(parameters, operands)) {
    if (parameter.resolved->optimizer == rules::OptimizerKind::Muon)
      addMuon(parameter, values);
    else
      addAdamW(parameter, values);
  }
  func::ReturnOp::create(builder, loc, results);

  Block &old = step.getBody().front();
  auto type = FunctionType::get(context, body.getArgumentTypes(),
                                TypeRange(ValueRange(results)));
  old.dropAllDefinedValueUses();
  old.clear();
  old.eraseArguments(0, old.getNumArguments());
  for (BlockArgument argument : body.getArguments())
    argument.replaceAllUsesWith(
        old.addArgument(argument.getType(), argument.getLoc()));
  old.getOperations().splice(old.end(), body.getOperations());
  step.setType(type);
  step.setAllArgAttrs(argAttrs);
  step.removeResAttrsAttr();
}

namespace {

struct AssignOptimizersPass
    : public muon::impl::AssignOptimizersPassBase<AssignOptimizersPass> {
  using Base::Base;

  void runOnOperation() override {
    bool hasWork = false;
    getOperation().walk([&](OptimizeOp) { hasWork = true; });
    if (!hasWork)
      return;
    llvm::Expected<rules::Rules> loaded =
        rules.empty() ? rules::Rules::parse("{}", /*fileName=*/"", grid)
                      : rules::Rules::load(rules, grid);
    if (!loaded) {
      getOperation().emitError(llvm::toString(loaded.takeError()));
      return signalPassFailure();
    }
    for (const std::string &warning : loaded->getWarnings())
      getOperation().emitWarning(warning);
    if (!loaded->getGrid().empty() &&
        failed(setGrid(getOperation(), loaded->getGrid())))
      return signalPassFailure();
    for (auto step : getOperation().getOps<func::FuncOp>())
      if (!step.isExternal() && failed(assign(step, *loaded)))
        return signalPassFailure();
  }

  LogicalResult assign(func::FuncOp step, rules::Rules &rules);
  LogicalResult addParameter(OptimizeOp op, rules::Rules &rules,
                             std::deque<rules::ResolvedParam> &resolved,
                             SmallVectorImpl<Parameter> &parameters,
                             SmallVectorImpl<Attribute> &frozen);
};

} // namespace

static rules::ElementKind getElementKind(Type type) {
  if (type.isF32())
    return rules::ElementKind::F32;
  if (type.isBF16())
    return rules::ElementKind::BF16;
  if (type.isF16())
    return rules::ElementKind::F16;
  return isa<FloatType>(type) ? rules::ElementKind::OtherFloat
                              : rules::ElementKind::NonFloat;
}

/// The one name in `muon.names` of the argument that `value` is.
static FailureOr<StringAttr> getParameterName(OptimizeOp op, Value value,
                                              Role role) {
  auto argument = dyn_cast<BlockArgument>(value);
  auto function = op->getParentOfType<func::FuncOp>();
  if (!argument || argument.getOwner() != &function.getBody().front())
    return op.emitOpError("expected arguments of the function as ")
           << stringifyRole(role);
  unsigned index = argument.getArgNumber();
  auto roleAttr =
      function.getArgAttrOfType<RoleAttr>(index, MuonDialect::kRole);
  auto names = function.getArgAttrOfType<ArrayAttr>(index, MuonDialect::kNames);
  if (!roleAttr || roleAttr.getValue() != role || !names || names.size() != 1 ||
      !isa<StringAttr>(names[0]))
    return op.emitOpError("expected argument #")
           << index << " with role " << stringifyRole(role)
           << " and one name in '" << MuonDialect::kNames << "'";
  return cast<StringAttr>(names[0]);
}

LogicalResult AssignOptimizersPass::addParameter(
    OptimizeOp op, rules::Rules &rules,
    std::deque<rules::ResolvedParam> &resolvedParams,
    SmallVectorImpl<Parameter> &parameters,
    SmallVectorImpl<Attribute> &frozen) {
  FailureOr<StringAttr> name =
      getParameterName(op, op.getWeight(), Role::Weight);
  FailureOr<StringAttr> gradientName =
      getParameterName(op, op.getGradient(), Role::Gradient);
  if (failed(name) || failed(gradientName))
    return failure();
  if (*name != *gradientName)
    return op.emitOpError("expected weight and gradient of one parameter, "
                          "found ")
           << *name << " and " << *gradientName;

  RankedTensorType type = op.getWeight().getType();
  llvm::Expected<rules::ResolvedParam> resolved = rules.resolve(
      name->getValue(), type.getShape(), getElementKind(type.getElementType()));
  if (!resolved)
    return op.emitError(llvm::toString(resolved.takeError()));
  if (!resolved->note.empty())
    op.emitWarning(resolved->note);
  if (resolved->optimizer == rules::OptimizerKind::Frozen) {
    ++numFrozen;
    frozen.push_back(*name);
    return success();
  }
  for (Type wanted : {Type(type), Type(op.getGradient().getType())})
    if (!isParameter(wanted))
      return op.emitOpError(
                 "expected a weight and gradient of f32, bf16 or f16 "
                 "with at most 2^56 elements, found ")
             << wanted;
  bool isMuon = resolved->optimizer == rules::OptimizerKind::Muon;
  ++(isMuon ? numMuon : numAdamW);
  const rules::ResolvedParam &kept =
      resolvedParams.emplace_back(std::move(*resolved));

  auto function = op->getParentOfType<func::FuncOp>();
  auto getAttr = [&](Value argument, StringRef attribute) {
    return function.getArgAttr(cast<BlockArgument>(argument).getArgNumber(),
                               attribute);
  };
  auto place = [&](Parameter parameter) {
    parameter.sharding = getAttr(op.getWeight(), MuonDialect::kSharding);
    parameter.gradientSharding =
        getAttr(op.getGradient(), MuonDialect::kSharding);
    parameter.unreduced = getAttr(op.getGradient(), MuonDialect::kUnreduced);
    // What stands in the IR is nearer to the parameter than any rule.
    const std::optional<distribution::Placement> &placement = kept.placement;
    if (placement && !parameter.sharding && !parameter.gradientSharding &&
        !parameter.unreduced) {
      if (!placement->splitAxes.empty() &&
          (placement->isSplit() || kept.isPlacedByFile))
        parameter.sharding = parameter.gradientSharding =
            getShardingAttr(&getContext(), *placement);
      parameter.unreduced = getUnreducedAttr(&getContext(), *placement);
    }
    parameter.strategy = op->getAttr(MuonDialect::kStrategy);
    if (!parameter.strategy && kept.strategy)
      parameter.strategy = StringAttr::get(
          &getContext(), distribution::stringify(*kept.strategy));
    parameters.push_back(parameter);
  };
  RankedTensorType gradientType = op.getGradient().getType();
  if (!isMuon || !kept.muon.split) {
    place({op.getLoc(), *name, type, gradientType, &kept, {}, {}, {}, {}});
    return success();
  }
  int64_t begin = 0, rows = type.getDimSize(0), cols = type.getDimSize(1);
  for (int64_t size : *kept.muon.split) {
    auto block = RowsAttr::get(&getContext(), *name, begin, begin + size, rows);
    place({op.getLoc(),
           block,
           RankedTensorType::get({size, cols}, type.getElementType()),
           RankedTensorType::get({size, cols}, gradientType.getElementType()),
           &kept,
           {},
           {},
           {},
           {}});
    begin += size;
  }
  return success();
}

LogicalResult AssignOptimizersPass::assign(func::FuncOp step,
                                           rules::Rules &rules) {
  // Addresses of resolved parameters are kept, so no vector.
  std::deque<rules::ResolvedParam> resolved;
  SmallVector<Parameter> parameters;
  SmallVector<Attribute> frozen;
  bool hasOptimize = false;
  for (Operation &op : step.getBody().front()) {
    if (isa<func::ReturnOp>(op))
      continue;
    auto optimize = dyn_cast<OptimizeOp>(op);
    if (!optimize) {
      if (!hasOptimize && step.getBody().front().getOps<OptimizeOp>().empty())
        return success();
      return op.emitOpError("is beside muon.optimize, which expects a function "
                            "of its own");
    }
    hasOptimize = true;
    if (failed(addParameter(optimize, rules, resolved, parameters, frozen)))
      return failure();
  }
  if (!hasOptimize)
    return success();
  if (parameters.empty())
    return step.emitError("every parameter is frozen; nothing to optimize");

  StepBuilder(step, rules.getStep()).build(parameters);
  auto module = getOperation();
  if (auto before = module->getAttrOfType<ArrayAttr>(MuonDialect::kFrozen))
    frozen.insert(frozen.begin(), before.begin(), before.end());
  if (!frozen.empty())
    module->setAttr(MuonDialect::kFrozen,
                    ArrayAttr::get(&getContext(), frozen));
  return success();
}
