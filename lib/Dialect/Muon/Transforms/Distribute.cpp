//===- Distribute.cpp - The step of one rank ------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DistributedStep.h"
#include "MatrixExchange.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "llvm/Support/MemoryBuffer.h"

namespace mlir::muon {
#define GEN_PASS_DEF_DISTRIBUTEPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

/// Builds the step of one rank beside the whole step, which it replaces.
class Distributor {
public:
  Distributor(WholeStep &step, const distribution::Plan &plan, int64_t rank,
              Compute products, int64_t bucketBytes)
      : step(step), plan(plan), rank(rank), products(products),
        bucketBytes(bucketBytes), context(step.function.getContext()),
        builder(context) {
    builder.setInsertionPointToStart(&body);
  }

  void run();

private:
  /// A piece of a parameter on this rank and its values.
  struct Local {
    const Piece *piece;
    /// Null for pieces of others where they are not needed.
    Value weight, gradient;
    /// Lists of sums of what this rank has, one for each matrix.
    Value gradientSums, momentumSums, updateSums, weightSums;
    SmallVector<Value> states;
  };
  struct Parameter {
    int64_t index;
    const WholeUpdate *update;
    SmallVector<Piece> pieces;
    /// The pieces that this rank updates.
    SmallVector<Local> mine;
    /// Weights and gradients that it only exchanges, with their segments.
    SmallVector<std::pair<Piece, Value>> others, sent;
    /// Reports of the whole step.
    Value gradientReport, momentumReport, updateReport, weightReport;
    /// The sums over all ranks.
    Value gradientSums, momentumSums;
  };

  /// Segments of one collective, while it is put together.
  struct Bucket {
    GroupAttr group;
    Type type;
    std::optional<Reduction> reduction;
    SmallVector<int64_t> elements, places, sends, receives;
    SmallVector<Value> values, outs;
    /// Where the results go, one for each out.
    SmallVector<Value *> results;
    int64_t bytes = 0;
  };

  Location getLoc() { return step.function.getLoc(); }
  Value addArgument(Type type, DictionaryAttr attrs);
  Value addTensor(const WholeUpdate &update, BlockArgument whole,
                  const Piece &piece);
  void addArguments(Parameter &parameter);
  Value createEmpty(Type type);
  GroupAttr getGroup(ArrayRef<int64_t> axes);

  void addMember(Bucket &bucket, const Piece &piece, int64_t place);
  bool fits(const Bucket &bucket, GroupAttr group, Type type,
            std::optional<Reduction> reduction, int64_t bytes);
  void reduceGradients();
  void flushReduce(Bucket &bucket, bool isScatter);
  void gatherWeights(Parameter &parameter, Bucket &bucket);
  void flushGather(Bucket &bucket);

  void addSums(Parameter &parameter);
  Value placeSums(const Parameter &parameter, Value Local::*list);
  Value pickSums(const Parameter &parameter, const Local &local, Value list);
  void
  reduceSums(ArrayRef<std::tuple<Value, Value, Value *>> partialsAndReports);
  void createUpdate(Parameter &parameter, Local &local);
  ExchangeAttr getExchange(const Parameter &parameter, int64_t first,
                           int64_t count);
  void attend(const Parameter &parameter);

  WholeStep &step;
  const distribution::Plan &plan;
  int64_t rank;
  Compute products;
  int64_t bucketBytes;
  MLIRContext *context;
  Block body;
  OpBuilder builder;
  SmallVector<Attribute> argAttrs;
  SmallVector<Value> results;
  IRMapping map;
  std::vector<Parameter> parameters;
};

} // namespace

Value Distributor::addArgument(Type type, DictionaryAttr attrs) {
  argAttrs.push_back(attrs ? attrs : builder.getDictionaryAttr({}));
  return body.addArgument(type, getLoc());
}

/// The argument for a piece of `whole`.
Value Distributor::addTensor(const WholeUpdate &update, BlockArgument whole,
                             const Piece &piece) {
  NamedAttrList attrs(step.function.getArgAttrDict(whole.getArgNumber()));
  attrs.set(MuonDialect::kNames,
            getPieceNames(update, whole, piece, step.function));
  // What is local now says where it is by its name.
  attrs.erase(MuonDialect::kSharding);
  return addArgument(getPieceType(piece, whole.getType()),
                     attrs.getDictionary(context));
}

Value Distributor::createEmpty(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return tensor::EmptyOp::create(builder, getLoc(), tensor.getShape(),
                                 tensor.getElementType());
}

GroupAttr Distributor::getGroup(ArrayRef<int64_t> axes) {
  return *getGroupAttr(step.grid, rank, axes);
}

/// Arguments of a parameter: weights, gradients and state of what this rank
/// updates, weights and gradients of what it exchanges.
void Distributor::addArguments(Parameter &parameter) {
  const WholeUpdate &update = *parameter.update;
  bool isUnreduced = update.unreduced != nullptr;
  for (const Piece &piece : parameter.pieces) {
    if (!piece.isMine || piece.isEmpty())
      continue;
    Local local{&piece, {}, {}, {}, {}, {}, {}, {}};
    local.weight = addTensor(update, update.weight, piece);
    if (!isUnreduced)
      local.gradient = addTensor(update, update.gradient, piece);
    for (BlockArgument state : update.states)
      local.states.push_back(addTensor(update, state, piece));
    parameter.mine.push_back(std::move(local));
  }
  // What other ranks update, in as few arguments as possible.
  for (const Piece &piece : mergePieces(parameter.pieces, [](const Piece &p) {
         return !p.isMine && !p.isEmpty();
       }))
    parameter.others.push_back(
        {piece, addTensor(update, update.weight, piece)});
  if (isUnreduced)
    for (const Piece &piece : mergePieces(parameter.pieces, [](const Piece &p) {
           return p.reducePlace != kNoPlace && !p.isEmpty();
         }))
      parameter.sent.push_back(
          {piece, addTensor(update, update.gradient, piece)});
  auto addReport = [&](BlockArgument report) -> Value {
    if (!report)
      return {};
    return addArgument(report.getType(),
                       step.function.getArgAttrDict(report.getArgNumber()));
  };
  parameter.gradientReport = addReport(update.gradientReport);
  parameter.momentumReport = addReport(update.momentumReport);
  parameter.updateReport = addReport(update.updateReport);
  parameter.weightReport = addReport(update.weightReport);
}

//===----------------------------------------------------------------------===//
// Gradients and weights
//===----------------------------------------------------------------------===//

/// Whether `bytes` more belong into a bucket.
bool Distributor::fits(const Bucket &bucket, GroupAttr group, Type type,
                       std::optional<Reduction> reduction, int64_t bytes) {
  return bucket.elements.empty() ||
         (bucket.group == group && bucket.type == type &&
          bucket.reduction == reduction && bucket.bytes <= bucketBytes - bytes);
}

/// The segments of a piece: one for each member.
void Distributor::addMember(Bucket &bucket, const Piece &piece, int64_t place) {
  for (int64_t member = 0; member < piece.members; ++member) {
    bucket.elements.push_back(piece.getElements());
    bucket.places.push_back(place);
  }
}

void Distributor::flushReduce(Bucket &bucket, bool isScatter) {
  if (bucket.elements.empty())
    return;
  SmallVector<Type> types(ValueRange(bucket.outs).getTypes());
  Operation *op;
  if (isScatter)
    op = ReduceScatterOp::create(
        builder, getLoc(), types, bucket.values, bucket.outs, bucket.group,
        bucket.elements, bucket.places, *bucket.reduction, bucket.sends,
        bucket.receives, TypeAttr::get(bucket.type),
        builder.getStringAttr("gradients"), IntegerAttr());
  else
    op = AllReduceOp::create(
        builder, getLoc(), types, bucket.values, bucket.outs, bucket.group,
        bucket.elements, *bucket.reduction, bucket.sends, bucket.receives,
        TypeAttr(), builder.getStringAttr("gradients"), IntegerAttr());
  for (auto [slot, result] : llvm::zip_equal(bucket.results, op->getResults()))
    *slot = result;
  bucket = Bucket();
}

void Distributor::reduceGradients() {
  // First those that have owners, then those that everyone needs.
  for (bool isScatter : {true, false}) {
    Bucket bucket;
    for (Parameter &parameter : parameters) {
      const WholeUpdate &update = *parameter.update;
      if (!update.unreduced || isScatter != hasOwners(plan, parameter.index))
        continue;
      GroupAttr group = getGroup(update.unreduced.getAxes().asArrayRef());
      Type type = getParameterShape(update.gradient.getType())->elementType;
      std::optional<Reduction> reduction = update.unreduced.getReduction();
      int64_t bytes = 0;
      for (auto &[piece, value] : parameter.sent)
        bytes += piece.members * piece.getElements() *
                 llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
      if (!fits(bucket, group, type, reduction, bytes))
        flushReduce(bucket, isScatter);
      // Only now: other ranks of the bucket's group may have something to add.
      if (parameter.sent.empty())
        continue;
      bucket.group = group;
      bucket.type = type;
      bucket.reduction = reduction;
      bucket.bytes += bytes;
      for (auto &[piece, value] : parameter.sent)
        bucket.values.push_back(value);
      Local *mine = parameter.mine.begin();
      for (const Piece &piece : parameter.pieces) {
        if (piece.reducePlace == kNoPlace || piece.isEmpty())
          continue;
        int64_t first = bucket.elements.size();
        addMember(bucket, piece, piece.reducePlace);
        for (int64_t i = first, e = bucket.elements.size(); i < e; ++i) {
          bucket.sends.push_back(i);
          if (piece.isMine)
            bucket.receives.push_back(i);
        }
        if (!piece.isMine)
          continue;
        bucket.outs.push_back(createEmpty(getHeldType(piece, type)));
        bucket.results.push_back(&mine++->gradient);
      }
    }
    flushReduce(bucket, isScatter);
  }
}

void Distributor::flushGather(Bucket &bucket) {
  if (bucket.elements.empty())
    return;
  SmallVector<Type> types(ValueRange(bucket.outs).getTypes());
  auto op = AllGatherOp::create(
      builder, getLoc(), types, bucket.values, bucket.outs, bucket.group,
      bucket.elements, bucket.places, bucket.sends, bucket.receives,
      TypeAttr::get(bucket.type), builder.getStringAttr("weights"),
      IntegerAttr());
  llvm::append_range(results, op.getResults());
  bucket = Bucket();
}

/// Adds the weights of a parameter, updated by their owners, to a bucket.
void Distributor::gatherWeights(Parameter &parameter, Bucket &bucket) {
  const WholeUpdate &update = *parameter.update;
  if (!hasOwners(plan, parameter.index))
    return;
  GroupAttr group = getGroup(plan.getReplicaAxes(parameter.index));
  Type type = getParameterShape(update.weight.getType())->elementType;
  int64_t bytes = 0;
  for (const Piece &piece : parameter.pieces)
    bytes += piece.members * piece.getElements() *
             llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
  if (!fits(bucket, group, type, std::nullopt, bytes))
    flushGather(bucket);
  // Only now: other ranks of the bucket's group may have something to add.
  if (bytes == 0)
    return;
  bucket.group = group;
  bucket.type = type;
  bucket.bytes += bytes;
  for (const Piece &piece : parameter.pieces) {
    if (piece.isEmpty())
      continue;
    int64_t first = bucket.elements.size();
    addMember(bucket, piece, piece.owner);
    for (int64_t i = first, e = bucket.elements.size(); i < e; ++i)
      (piece.isMine ? bucket.sends : bucket.receives).push_back(i);
  }
  for (Local &local : parameter.mine)
    bucket.values.push_back(local.weight);
  for (auto &[piece, value] : parameter.others)
    bucket.outs.push_back(value);
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// Sums of squares of what this rank updates.
void Distributor::addSums(Parameter &parameter) {
  const WholeUpdate &update = *parameter.update;
  auto sum = [&](Value value) -> Value {
    int64_t matrices = getParameterShape(value.getType())->matrices();
    Value list =
        createEmpty(RankedTensorType::get(matrices, builder.getF64Type()));
    return SumSquaresOp::create(builder, update.op->getLoc(), value, list)
        .getResult(0);
  };
  for (Local &local : parameter.mine) {
    if (update.gradientReport)
      local.gradientSums = sum(local.gradient);
    if (update.momentumReport)
      local.momentumSums = sum(local.states.front());
  }
}

/// This rank's part of the sums of a parameter, for all of its matrices.
Value Distributor::placeSums(const Parameter &parameter, Value Local::*list) {
  const WholeUpdate &update = *parameter.update;
  SmallVector<Value> values;
  SmallVector<int64_t> from, to, counts;
  for (const Local &local : parameter.mine) {
    if (!local.piece->contributes)
      continue;
    int64_t size =
        cast<RankedTensorType>((local.*list).getType()).getDimSize(0);
    for (SumRun run : getSumRuns(update, *local.piece, size)) {
      values.push_back(local.*list);
      from.push_back(run.from);
      to.push_back(run.to);
      counts.push_back(run.count);
    }
  }
  Value out = createEmpty(
      RankedTensorType::get(update.getMatrices(), builder.getF64Type()));
  return PlaceOp::create(builder, update.op->getLoc(), out.getType(), values,
                         out, from, to, counts)
      .getResult(0);
}

/// The sums of whole matrices, for those of which this rank has a piece.
Value Distributor::pickSums(const Parameter &parameter, const Local &local,
                            Value list) {
  int64_t size = getParameterShape(local.weight.getType())->matrices();
  SmallVector<Value> values;
  SmallVector<int64_t> from, to, counts;
  for (SumRun run : getSumRuns(*parameter.update, *local.piece, size)) {
    values.push_back(list);
    from.push_back(run.to);
    to.push_back(run.from);
    counts.push_back(run.count);
  }
  Value out = createEmpty(RankedTensorType::get(size, builder.getF64Type()));
  return PlaceOp::create(builder, parameter.update->op->getLoc(), out.getType(),
                         values, out, from, to, counts)
      .getResult(0);
}

/// Adds up partial sums over all ranks into reports.
void Distributor::reduceSums(
    ArrayRef<std::tuple<Value, Value, Value *>> partialsAndReports) {
  if (partialsAndReports.empty())
    return;
  SmallVector<Value> values, outs;
  SmallVector<int64_t> elements, all;
  for (auto [partial, report, result] : partialsAndReports) {
    values.push_back(partial);
    outs.push_back(report);
    all.push_back(elements.size());
    elements.push_back(cast<RankedTensorType>(report.getType()).getDimSize(0));
  }
  auto axes =
      llvm::to_vector(llvm::seq<int64_t>(0, step.grid.getShape().size()));
  auto op = AllReduceOp::create(builder, getLoc(), ValueRange(outs).getTypes(),
                                values, outs, getGroup(axes), elements,
                                Reduction::Sum, all, all, TypeAttr(),
                                builder.getStringAttr("sums"), IntegerAttr());
  for (auto [entry, sum] :
       llvm::zip_equal(partialsAndReports, op.getResults())) {
    if (Value *result = std::get<2>(entry))
      *result = sum;
    results.push_back(sum);
  }
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

/// How matrices that are split over ranks are orthogonalized; null if they are
/// not.
ExchangeAttr Distributor::getExchange(const Parameter &parameter, int64_t first,
                                      int64_t count) {
  const WholeUpdate &update = *parameter.update;
  SmallVector<int64_t> axes(plan.getMatrixAxes(parameter.index));
  if (!isa<UpdateOp>(update.op) || axes.empty())
    return {};
  const distribution::GroupPlan &chosen = plan.plans[parameter.index];
  StrategyKind strategy;
  SmallVector<int64_t> owners;
  switch (chosen.strategy) {
  case distribution::Strategy::Own: {
    strategy = StrategyKind::Own;
    llvm::append_range(
        owners, plan.getShardOwners(parameter.index, rank).slice(first, count));
    break;
  }
  case distribution::Strategy::DistributedGram:
    strategy = StrategyKind::DistributedGram;
    break;
  default:
    strategy = StrategyKind::Gather;
  }
  ArrayRef<DenseI64ArrayAttr> split = update.sharding.getSplitAxes();
  return ExchangeAttr::get(
      context, strategy, getGroup(axes),
      ShardingAttr::get(context, split.take_back(2)),
      builder.getDenseI64ArrayAttr(ArrayRef(update.shape.shape).take_back(2)),
      builder.getDenseI64ArrayAttr(owners));
}

/// The update of one piece.
void Distributor::createUpdate(Parameter &parameter, Local &local) {
  const WholeUpdate &update = *parameter.update;
  auto op = cast<InPlaceOpInterface>(update.op);
  ExchangeAttr exchange = getExchange(parameter, local.piece->getFirstMatrix(),
                                      local.piece->getMatrices());
  int64_t matrices = getParameterShape(local.weight.getType())->matrices();
  auto createList = [&] {
    return createEmpty(RankedTensorType::get(matrices, builder.getF64Type()));
  };
  IRMapping operands = map;
  operands.map(update.weight, local.weight);
  operands.map(update.gradient, local.gradient);
  for (auto [whole, state] : llvm::zip_equal(update.states, local.states))
    operands.map(whole, state);
  if (update.gradientSums)
    operands.map(update.gradientSums,
                 exchange ? pickSums(parameter, local, parameter.gradientSums)
                          : local.gradientSums);
  if (update.momentumSums)
    operands.map(update.momentumSums,
                 exchange ? pickSums(parameter, local, parameter.momentumSums)
                          : local.momentumSums);
  if (update.updateReport)
    operands.map(update.updateReport, createList());
  if (update.weightReport)
    operands.map(update.weightReport, createList());

  SmallVector<Value> values;
  for (Value operand : op->getOperands())
    values.push_back(operands.lookup(operand));
  SmallVector<Type> types;
  for (Value value : ArrayRef(values).drop_front(op.getNumInputs()))
    types.push_back(value.getType());
  OperationState state(op.getLoc(), op->getName(), values, types,
                       op->getAttrs());
  if (exchange)
    state.addAttribute("exchange", exchange);
  Operation *created = builder.create(state);
  created->removeAttr(MuonDialect::kStrategy);
  for (auto [destination, result] :
       llvm::zip_equal(op.getDestinations(), created->getResults())) {
    if (destination == update.weight)
      local.weight = result;
    if (destination == update.updateReport)
      local.updateSums = result;
    else if (destination == update.weightReport)
      local.weightSums = result;
    else
      results.push_back(result);
  }
}

/// Takes part in exchanges of matrices of which this rank has nothing.
void Distributor::attend(const Parameter &parameter) {
  auto op = dyn_cast<UpdateOp>(parameter.update->op);
  for (const Piece &piece : parameter.pieces) {
    if (!piece.isMine || !piece.isEmpty() || !op)
      continue;
    int64_t matrices = piece.getMatrices();
    ExchangeAttr exchange =
        getExchange(parameter, piece.getFirstMatrix(), matrices);
    if (!exchange)
      continue;
    Compute compute =
        op.getCompute() == Compute::Auto ? products : op.getCompute();
    MatrixExchange empty(builder, op.getLoc(), exchange, step.grid.getShape(),
                         matrices, getStorageType(context, compute));
    (void)empty.collect({});
    (void)empty.distribute({});
  }
}

void Distributor::run() {
  // What is not spread over ranks leads the signature.
  for (BlockArgument argument : step.shared)
    map.map(argument,
            addArgument(argument.getType(),
                        step.function.getArgAttrDict(argument.getArgNumber())));
  for (auto [index, update] : llvm::enumerate(step.updates)) {
    Parameter &parameter = parameters.emplace_back();
    parameter.index = index;
    parameter.update = &update;
    parameter.pieces = getPieces(update, plan, index, rank);
  }
  // Pieces do not move any more: others point to them.
  for (Parameter &parameter : parameters)
    addArguments(parameter);

  reduceGradients();
  SmallVector<std::tuple<Value, Value, Value *>> sums;
  for (Parameter &parameter : parameters) {
    addSums(parameter);
    if (parameter.gradientReport)
      sums.push_back({placeSums(parameter, &Local::gradientSums),
                      parameter.gradientReport, &parameter.gradientSums});
    if (parameter.momentumReport)
      sums.push_back({placeSums(parameter, &Local::momentumSums),
                      parameter.momentumReport, &parameter.momentumSums});
  }
  reduceSums(sums);
  for (Parameter &parameter : parameters) {
    const WholeUpdate &update = *parameter.update;
    if (update.gradientSums)
      map.map(update.gradientSums, parameter.gradientSums);
    if (update.momentumSums)
      map.map(update.momentumSums, parameter.momentumSums);
  }
  for (Operation *op : step.scalarOps) {
    Operation *clone = builder.clone(*op, map);
    llvm::append_range(results, clone->getResults());
  }

  Bucket bucket;
  for (Parameter &parameter : parameters) {
    for (Local &local : parameter.mine)
      createUpdate(parameter, local);
    attend(parameter);
    gatherWeights(parameter, bucket);
    if (bucket.bytes >= bucketBytes)
      flushGather(bucket);
  }
  flushGather(bucket);

  sums.clear();
  for (Parameter &parameter : parameters) {
    if (parameter.updateReport)
      sums.push_back({placeSums(parameter, &Local::updateSums),
                      parameter.updateReport, nullptr});
    if (parameter.weightReport)
      sums.push_back({placeSums(parameter, &Local::weightSums),
                      parameter.weightReport, nullptr});
  }
  reduceSums(sums);
  func::ReturnOp::create(builder, getLoc(), results);
  step.replaceBody(body, results, argAttrs);
}

namespace {

/// A step and the plan for it.
struct PlannedStep {
  WholeStep step;
  distribution::Plan plan;
};

} // namespace

static FailureOr<PlannedStep> planStep(ModuleOp module, StringRef topology,
                                       StringRef compute) {
  FailureOr<shard::GridOp> grid = getGrid(module);
  if (failed(grid))
    return failure();
  if (!*grid)
    return module.emitError("expected a shard.grid in the module to plan for");
  if (Attribute rank = module->getAttr(MuonDialect::kRank))
    return module.emitError("is the step of rank ")
           << rank << " already; expected a step of whole tensors";
  auto function = module.lookupSymbol<func::FuncOp>("step");
  if (!function || function.isExternal())
    return module.emitError("expected a function 'step' with a body");
  std::optional<Compute> products = symbolizeCompute(compute);
  if (!products || *products == Compute::Auto)
    return module.emitError("'compute' expected f32, tf32, bf16 or f16, "
                            "found '")
           << compute << "'";
  FailureOr<WholeStep> step = WholeStep::get(function, *grid);
  if (failed(step))
    return failure();
  distribution::Topology ranks = getTopology(*grid);
  if (!topology.empty()) {
    auto file = llvm::MemoryBuffer::getFile(topology, /*IsText=*/true);
    if (!file)
      return module.emitError("cannot read topology file '")
             << topology << "': " << file.getError().message();
    if (llvm::Error error =
            distribution::readTopology((*file)->getBuffer(), topology, ranks))
      return module.emitError(llvm::toString(std::move(error)));
  }
  std::vector<distribution::Group> groups;
  for (const WholeUpdate &update : step->updates) {
    FailureOr<distribution::Group> group =
        getPlanGroup(update, (*grid).getShape(), *products);
    if (failed(group))
      return failure();
    groups.push_back(std::move(*group));
  }
  llvm::Expected<distribution::Plan> plan =
      distribution::makePlan(std::move(ranks), std::move(groups));
  if (!plan)
    return function.emitError(llvm::toString(plan.takeError()));
  return PlannedStep{std::move(*step), std::move(*plan)};
}

namespace {

struct DistributePass : public muon::impl::DistributePassBase<DistributePass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<PlannedStep> planned = planStep(module, topology, compute);
    if (failed(planned))
      return signalPassFailure();
    auto &[step, plan] = *planned;
    if (rank < 0 || rank >= plan.topology.getRanks()) {
      step.grid.emitOpError("has ranks 0 to ")
          << plan.topology.getRanks() - 1 << ", found rank " << int64_t(rank);
      return signalPassFailure();
    }
    emitRemarks(step, plan);
    Distributor(step, plan, rank, *symbolizeCompute(compute),
                std::max<int64_t>(bucketBytes, 1))
        .run();

    OpBuilder builder(module);
    module->setAttr(MuonDialect::kRank, builder.getI64IntegerAttr(rank));
    SmallVector<Attribute> lines;
    for (const std::string &line : plan.getLines())
      lines.push_back(builder.getStringAttr(line));
    module->setAttr(MuonDialect::kPlan, builder.getArrayAttr(lines));
  }

  /// One for each parameter: how it is distributed, and why.
  static void emitRemarks(const WholeStep &step,
                          const distribution::Plan &plan) {
    for (auto [update, chosen] : llvm::zip_equal(step.updates, plan.plans))
      remark::analysis(
          update.op->getLoc(),
          remark::RemarkOpts::name("Distribute").category("muon-distribute"))
          << (distribution::stringify(chosen.strategy) + ": " + chosen.reason)
                 .str();
  }
};

/// For tools: leaves the plan where they want it.
struct PlanStepPass
    : public PassWrapper<PlanStepPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PlanStepPass)

  PlanStepPass(distribution::Plan &plan, StringRef topology, StringRef compute)
      : plan(&plan), topology(topology), compute(compute) {}

  StringRef getArgument() const override { return "muon-plan-step"; }

  void runOnOperation() override {
    FailureOr<PlannedStep> planned =
        planStep(getOperation(), topology, compute);
    if (failed(planned))
      return signalPassFailure();
    *plan = std::move(planned->plan);
    markAllAnalysesPreserved();
  }

  distribution::Plan *plan;
  std::string topology, compute;
};

} // namespace

std::unique_ptr<Pass> muon::createPlanStepPass(distribution::Plan &plan,
                                               StringRef topology,
                                               StringRef compute) {
  return std::make_unique<PlanStepPass>(plan, topology, compute);
}
