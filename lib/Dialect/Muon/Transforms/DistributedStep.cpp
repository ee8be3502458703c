//===- DistributedStep.cpp - A step, and what a rank has of it ------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DistributedStep.h"
#include "mlir/IR/BuiltinOps.h"
#include "muon-mlir/Dialect/Muon/IterationCost.h"

using namespace mlir;
using namespace mlir::muon;

//===----------------------------------------------------------------------===//
// Reading a step
//===----------------------------------------------------------------------===//

namespace {

/// Reads one function.
class Reader {
public:
  explicit Reader(WholeStep &step) : step(step), function(step.function) {}

  LogicalResult read();

private:
  LogicalResult readUpdate(InPlaceOpInterface op);
  FailureOr<BlockArgument> getArgument(InPlaceOpInterface op, StringRef group);
  FailureOr<SumSquaresOp> getSums(InPlaceOpInterface op, StringRef group,
                                  Value tensor);
  LogicalResult checkPlacement(WholeUpdate &update);
  LogicalResult checkAxes(BlockArgument argument, ArrayRef<int64_t> axes,
                          StringRef attribute);
  LogicalResult checkUses();
  FailureOr<ShardingAttr> getSharding(BlockArgument argument);
  InFlightDiagnostic emitError(BlockArgument argument);

  WholeStep &step;
  func::FuncOp function;
  llvm::SmallDenseSet<Value> used;
};

} // namespace

/// Operand of a group of `op` that has at most one; null if it is left out.
static Value getOperand(InPlaceOpInterface op, StringRef group) {
  for (auto [index, operand] : llvm::enumerate(op->getOperands()))
    if (op.getOperandGroupName(index) == group)
      return operand;
  return {};
}

/// "argument #3 ('blocks.0.w', …)", for messages about placements.
InFlightDiagnostic Reader::emitError(BlockArgument argument) {
  InFlightDiagnostic diag = function.emitError("argument #");
  diag << argument.getArgNumber();
  if (auto names = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                        MuonDialect::kNames);
      names && !names.empty())
    diag << " (" << names[0] << (names.size() > 1 ? ", …)" : ")");
  diag << ": ";
  return diag;
}

FailureOr<BlockArgument> Reader::getArgument(InPlaceOpInterface op,
                                             StringRef group) {
  Value value = getOperand(op, group);
  if (!value)
    return BlockArgument();
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != &function.getBody().front())
    return op->emitOpError("'") << group
                                << "' expected an argument of the step to "
                                   "distribute it";
  if (!used.insert(argument).second)
    return op->emitOpError("'")
           << group << "' uses argument #" << argument.getArgNumber()
           << ", which another update has";
  return argument;
}

/// The op that sums the squares of `tensor` for an operand of an update.
FailureOr<SumSquaresOp> Reader::getSums(InPlaceOpInterface op, StringRef group,
                                        Value tensor) {
  Value value = getOperand(op, group);
  if (!value)
    return SumSquaresOp();
  auto sums = value.getDefiningOp<SumSquaresOp>();
  if (!sums || sums.getValue().front() != tensor)
    return op->emitOpError("'")
           << group << "' expected muon.sum_squares of the update's tensor";
  return sums;
}

FailureOr<ShardingAttr> Reader::getSharding(BlockArgument argument) {
  auto sharding = function.getArgAttrOfType<ShardingAttr>(
      argument.getArgNumber(), MuonDialect::kSharding);
  if (!sharding) {
    SmallVector<DenseI64ArrayAttr> none(
        getParameterShape(argument.getType())->shape.size(),
        DenseI64ArrayAttr::get(function.getContext(), {}));
    return ShardingAttr::get(function.getContext(), none);
  }
  SmallVector<int64_t> axes;
  for (DenseI64ArrayAttr list : sharding.getSplitAxes())
    llvm::append_range(axes, list.asArrayRef());
  if (failed(checkAxes(argument, axes, MuonDialect::kSharding)))
    return failure();
  return sharding;
}

LogicalResult Reader::checkAxes(BlockArgument argument, ArrayRef<int64_t> axes,
                                StringRef attribute) {
  int64_t count = step.grid.getShape().size();
  for (int64_t axis : axes)
    if (axis >= count)
      return emitError(argument) << "'" << attribute << "' expected axes of @"
                                 << step.grid.getSymName() << ", 0 to "
                                 << count - 1 << ", found " << axis;
  return success();
}

/// Weight, gradient and state are laid out alike, and a gradient is not summed
/// along an axis that divides it.
LogicalResult Reader::checkPlacement(WholeUpdate &update) {
  FailureOr<ShardingAttr> sharding = getSharding(update.weight);
  if (failed(sharding))
    return failure();
  update.sharding = *sharding;
  SmallVector<BlockArgument> others(update.states);
  others.push_back(update.gradient);
  for (BlockArgument other : others) {
    // State that nobody placed goes where the weight is.
    auto role = function.getArgAttrOfType<RoleAttr>(other.getArgNumber(),
                                                    MuonDialect::kRole);
    if (role && role.getValue() != Role::Gradient &&
        !function.getArgAttr(other.getArgNumber(), MuonDialect::kSharding))
      continue;
    FailureOr<ShardingAttr> found = getSharding(other);
    if (failed(found))
      return failure();
    if (*found == *sharding)
      continue;
    InFlightDiagnostic diag = emitError(other);
    diag << "expected the sharding of the weight, " << *sharding << ", found "
         << *found;
    return diag;
  }
  update.unreduced = function.getArgAttrOfType<UnreducedAttr>(
      update.gradient.getArgNumber(), MuonDialect::kUnreduced);
  if (update.unreduced) {
    ArrayRef<int64_t> axes = update.unreduced.getAxes().asArrayRef();
    if (failed(checkAxes(update.gradient, axes, MuonDialect::kUnreduced)))
      return failure();
    for (DenseI64ArrayAttr list : update.sharding.getSplitAxes())
      for (int64_t axis : list.asArrayRef())
        if (llvm::is_contained(axes, axis))
          return emitError(update.gradient)
                 << "'" << MuonDialect::kUnreduced << "' has axis " << axis
                 << ", along which the gradient is split; expected axes along "
                    "which ranks have the same part of it";
  }
  bool isSplit =
      llvm::any_of(update.sharding.getSplitAxes(),
                   [](DenseI64ArrayAttr list) { return !list.empty(); });
  for (Attribute name : update.names) {
    if (isSplit && isa<RowsAttr>(name))
      return emitError(update.weight)
             << "is a block of rows, " << name
             << ", that is updated as one matrix, and cannot be split as "
             << update.sharding << " says; expected no split dimensions";
    if (isa<PartAttr>(name))
      return emitError(update.weight)
             << "is a part of a tensor already; expected a whole tensor";
  }
  return success();
}

LogicalResult Reader::readUpdate(InPlaceOpInterface op) {
  WholeUpdate update;
  update.op = op;
  FailureOr<BlockArgument> weight = getArgument(op, "weight");
  FailureOr<BlockArgument> gradient = getArgument(op, "gradient");
  if (failed(weight) || failed(gradient))
    return failure();
  update.weight = *weight;
  update.gradient = *gradient;
  update.shape = *getParameterShape(weight->getType());
  update.names = function.getArgAttrOfType<ArrayAttr>(weight->getArgNumber(),
                                                      MuonDialect::kNames);
  if (!update.names)
    return emitError(*weight) << "expected '" << MuonDialect::kNames << "'";
  for (StringRef group : {"momentum", "exp_avg", "exp_avg_sq", "master"}) {
    FailureOr<BlockArgument> state = getArgument(op, group);
    if (failed(state))
      return failure();
    if (*state)
      update.states.push_back(*state);
  }
  for (auto [group, report] :
       {std::pair(StringRef("update_sums"), &update.updateReport),
        std::pair(StringRef("weight_sums"), &update.weightReport)}) {
    FailureOr<BlockArgument> found = getArgument(op, group);
    if (failed(found))
      return failure();
    *report = *found;
  }
  // AdamW has no such operands, but the look sees its gradient.
  for (Operation *user : gradient->getUsers())
    if (auto sums = dyn_cast<SumSquaresOp>(user)) {
      update.gradientSums = sums->getResult(0);
      update.gradientReport = dyn_cast<BlockArgument>(sums.getSums().front());
    }
  if (isa<UpdateOp>(op.getOperation())) {
    FailureOr<SumSquaresOp> gradientSums =
        getSums(op, "gradient_sums", update.gradient);
    FailureOr<SumSquaresOp> momentumSums =
        getSums(op, "momentum_sums", update.states.front());
    if (failed(gradientSums) || failed(momentumSums))
      return failure();
    update.momentumSums = (*momentumSums)->getResult(0);
    update.momentumReport =
        dyn_cast<BlockArgument>(momentumSums->getSums().front());
    if (!update.momentumReport)
      return op->emitOpError(
          "expected sums in arguments of the step to distribute it");
  }
  if (update.gradientSums && !update.gradientReport)
    return op->emitOpError(
        "expected sums in arguments of the step to distribute it");
  for (BlockArgument report : {update.gradientReport, update.momentumReport})
    if (report)
      used.insert(report);
  if (failed(checkPlacement(update)))
    return failure();
  step.updates.push_back(std::move(update));
  return success();
}

LogicalResult Reader::read() {
  if (!function.getBody().hasOneBlock())
    return function.emitOpError("expected one block");
  for (Operation &op : function.getBody().front()) {
    if (isa<UpdateOp, AdamWUpdateOp>(op)) {
      if (failed(readUpdate(cast<InPlaceOpInterface>(op))))
        return failure();
      continue;
    }
    if (isa<SumSquaresOp, func::ReturnOp>(op))
      continue;
    if (!isa<LookOp, AdvanceOp>(op))
      return op.emitOpError("expected updates, the look, and what counts the "
                            "step in a step to distribute");
    step.scalarOps.push_back(&op);
  }
  if (step.updates.empty())
    return function.emitOpError("expected updates to distribute");
  for (BlockArgument argument : function.getArguments()) {
    if (used.contains(argument))
      continue;
    step.shared.push_back(argument);
    if (getParameterShape(argument.getType()) &&
        !cast<ShapedType>(argument.getType()).getRank())
      continue;
    return emitError(argument)
           << "belongs to no update; expected a tensor of an update or a "
              "scalar";
  }
  return success();
}

FailureOr<WholeStep> WholeStep::get(func::FuncOp function, shard::GridOp grid) {
  WholeStep step;
  step.function = function;
  step.grid = grid;
  if (failed(Reader(step).read()))
    return failure();
  return step;
}

void WholeStep::replaceBody(Block &body, ArrayRef<Value> results,
                            ArrayRef<Attribute> argAttrs) {
  Block &old = function.getBody().front();
  auto type = FunctionType::get(function.getContext(), body.getArgumentTypes(),
                                TypeRange(ValueRange(results)));
  old.dropAllDefinedValueUses();
  old.clear();
  old.eraseArguments(0, old.getNumArguments());
  for (BlockArgument argument : body.getArguments())
    argument.replaceAllUsesWith(
        old.addArgument(argument.getType(), argument.getLoc()));
  old.getOperations().splice(old.end(), body.getOperations());
  function.setType(type);
  function.setAllArgAttrs(argAttrs);
  function.removeResAttrsAttr();
}

//===----------------------------------------------------------------------===//
// Pieces
//===----------------------------------------------------------------------===//

static int64_t getProduct(ArrayRef<int64_t> sizes) {
  int64_t product = 1;
  for (int64_t size : sizes)
    product *= size;
  return product;
}

SmallVector<int64_t> Piece::getShape() const {
  if (!isPart())
    return block;
  if (!hasMatrices)
    return {getElements()};
  SmallVector<int64_t> shape = {end - begin};
  shape.append(block.end() - 2, block.end());
  return shape;
}

SmallVector<Piece> muon::getPieces(const WholeUpdate &update,
                                   const distribution::Plan &plan,
                                   int64_t index, int64_t rank) {
  Piece model;
  plan.getShard(index, rank, model.offset, model.block);
  model.hasMatrices = !update.isElementwise();
  model.unitElements =
      model.hasMatrices ? getProduct(ArrayRef(model.block).take_back(2)) : 1;
  model.blockUnits = model.hasMatrices
                         ? getProduct(ArrayRef(model.block).drop_back(2))
                         : getProduct(model.block);
  SmallVector<int64_t> replicaAxes(plan.getReplicaAxes(index));
  std::vector<int64_t> replicas = plan.topology.getGroup(rank, replicaAxes);
  int64_t place = llvm::find(replicas, rank) - replicas.begin();
  std::vector<int64_t> sumRanks = {rank};
  if (update.unreduced)
    sumRanks =
        plan.topology.getGroup(rank, update.unreduced.getAxes().asArrayRef());

  SmallVector<Piece> pieces;
  // Units [begin, end) of all members, one after the other.
  auto add = [&](int64_t begin, int64_t end, int64_t owner) {
    while (begin < end) {
      Piece piece = model;
      piece.firstMember = begin / model.blockUnits;
      piece.begin = begin % model.blockUnits;
      int64_t left = end - begin;
      if (piece.begin == 0 && left >= model.blockUnits) {
        piece.members = left / model.blockUnits;
        piece.end = model.blockUnits;
      } else {
        piece.members = 1;
        piece.end = std::min(model.blockUnits, piece.begin + left);
      }
      begin += piece.members * (piece.end - piece.begin);
      piece.owner = owner < 0 ? place : owner;
      piece.isMine = piece.owner == place;
      // Of those that all do the same, the first one counts.
      piece.contributes = piece.isMine && (owner >= 0 || place == 0);
      auto found = llvm::find(sumRanks, replicas[piece.owner]);
      piece.reducePlace =
          found == sumRanks.end() ? kNoPlace : found - sumRanks.begin();
      pieces.push_back(std::move(piece));
    }
  };
  int64_t all = update.shape.members * model.blockUnits;
  if (!hasOwners(plan, index)) {
    add(0, all, -1);
  } else if (update.isElementwise()) {
    int64_t begin = 0, end = 0, owner = 0;
    for (const distribution::Part &part : plan.getParts(rank)) {
      if (part.group != index)
        continue;
      if (part.owner != owner) {
        add(begin, end, owner);
        begin = end;
        owner = part.owner;
      }
      end += part.end - part.begin;
    }
    add(begin, end, owner);
  } else {
    int64_t first = 0;
    ArrayRef<int64_t> owners = plan.getReplicaOwners(index, rank);
    for (int64_t i = 1, e = owners.size(); first < e; ++i) {
      if (i < e && owners[i] == owners[first])
        continue;
      add(first, i, owners[first]);
      first = i;
    }
  }
  return pieces;
}

SmallVector<Piece> muon::mergePieces(ArrayRef<Piece> pieces,
                                     function_ref<bool(const Piece &)> filter) {
  SmallVector<Piece> merged;
  const Piece *last = nullptr;
  for (const Piece &piece : pieces) {
    if (!filter(piece)) {
      last = nullptr;
      continue;
    }
    if (last && !last->isPart() && !piece.isPart())
      merged.back().members += piece.members;
    else
      merged.push_back(piece);
    last = &piece;
  }
  return merged;
}

Type muon::getPieceType(const Piece &piece, Type whole) {
  ParameterShape shape = *getParameterShape(whole);
  if (piece.members > 1)
    return StackType::get(whole.getContext(), piece.members, piece.block,
                          shape.elementType);
  return RankedTensorType::get(piece.getShape(), shape.elementType);
}

Type muon::getHeldType(const Piece &piece, Type elementType) {
  SmallVector<int64_t> shape = piece.getShape();
  // All members are one batch, which has as many matrices as they have.
  if (piece.members > 1) {
    while (shape.size() < 3)
      shape.insert(shape.begin(), 1);
    shape[0] *= piece.members;
  }
  return RankedTensorType::get(shape, elementType);
}

ArrayAttr muon::getPieceNames(const WholeUpdate &update, BlockArgument whole,
                              const Piece &piece, func::FuncOp function) {
  MLIRContext *context = function.getContext();
  Builder builder(context);
  auto role = function.getArgAttrOfType<RoleAttr>(whole.getArgNumber(),
                                                  MuonDialect::kRole);
  bool isState = role && role.getValue() != Role::Weight &&
                 role.getValue() != Role::Gradient;
  bool isBlock = ArrayRef(piece.block) != ArrayRef(update.shape.shape);
  SmallVector<Attribute> names;
  for (Attribute name :
       update.names.getValue().slice(piece.firstMember, piece.members)) {
    auto rows = dyn_cast<RowsAttr>(name);
    if (rows && isState) {
      // Other ranks may have the other rows.
      SmallVector<int64_t> shape(update.shape.shape), offset(shape.size());
      shape[0] = rows.getRows();
      offset[0] = rows.getBegin();
      names.push_back(PartAttr::get(context, rows.getTensor(), IntegerAttr(),
                                    builder.getDenseI64ArrayAttr(piece.block),
                                    builder.getDenseI64ArrayAttr(offset),
                                    builder.getDenseI64ArrayAttr(shape)));
      continue;
    }
    if (rows || (!isBlock && !piece.isPart())) {
      names.push_back(name);
      continue;
    }
    names.push_back(PartAttr::get(
        context, cast<StringAttr>(name),
        piece.isPart()
            ? builder.getI64IntegerAttr(piece.begin * piece.unitElements)
            : IntegerAttr(),
        builder.getDenseI64ArrayAttr(piece.block),
        builder.getDenseI64ArrayAttr(piece.offset),
        builder.getDenseI64ArrayAttr(update.shape.shape)));
  }
  return builder.getArrayAttr(names);
}

SmallVector<SumRun> muon::getSumRuns(const WholeUpdate &update,
                                     const Piece &piece, int64_t size) {
  int64_t perMember = update.shape.matricesPerMember();
  // Matrices of the whole before those of the block, where that has some of a
  // batch.
  int64_t before = piece.block.size() == 3 ? piece.offset[0] : 0;
  if (piece.isPart() && !piece.hasMatrices)
    // One number for elements of what may be several matrices.
    return {{0, piece.firstMember * perMember + before, size}};
  int64_t each = size / piece.members;
  if (each == perMember)
    return {{0, piece.firstMember * perMember, size}};
  if (piece.isPart())
    before += piece.begin;
  SmallVector<SumRun> runs;
  for (int64_t member = 0; member < piece.members; ++member)
    runs.push_back({member * each,
                    (piece.firstMember + member) * perMember + before, each});
  return runs;
}

//===----------------------------------------------------------------------===//
// The planner's view
//===----------------------------------------------------------------------===//

distribution::Topology muon::getTopology(shard::GridOp grid) {
  distribution::Topology topology;
  auto names = grid->getAttrOfType<ArrayAttr>(MuonDialect::kAxes);
  for (auto [index, size] : llvm::enumerate(grid.getShape())) {
    distribution::Axis axis;
    axis.name = names ? cast<StringAttr>(names[index]).str()
                      : ("axis" + Twine(index)).str();
    axis.size = size;
    topology.axes.push_back(std::move(axis));
  }
  return topology;
}

static double getBytes(Type type) {
  return llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
}

/// FLOPs of an update, and what a distributed Gram iteration needs.
static void setFlops(UpdateOp op, const WholeUpdate &update,
                     ArrayRef<int64_t> grid, Compute products,
                     distribution::Group &group) {
  Compute compute =
      op.getCompute() == Compute::Auto ? products : op.getCompute();
  Type storage = getStorageType(op.getContext(), compute);
  group.wireBytes = getBytes(storage);
  int64_t rows = update.shape.rows(), cols = update.shape.cols();
  int64_t m = std::min(rows, cols), n = std::max(rows, cols);
  SmallVector<StepCoefficients> coefficients;
  for (int64_t i = 0, e = op.getSteps(); i < e; ++i)
    coefficients.push_back(op.getSchedule().getCoefficients(i));
  Iteration iteration = op.getIteration();
  SmallVector<int64_t> restarts;
  if (iteration == Iteration::Auto) {
    IterationChoice choice =
        chooseIteration(m, n, coefficients, compute, op.getRestarts());
    iteration = choice.iteration;
    restarts = choice.restarts;
  } else if (op.getRestarts()) {
    restarts.assign(op.getRestarts()->begin(), op.getRestarts()->end());
  } else if (iteration == Iteration::Gram) {
    restarts = chooseRestarts(coefficients, compute);
  }
  auto getSegmentsOf = [&](Iteration kind, ArrayRef<int64_t> starts) {
    if (kind == Iteration::Gram)
      return getSegments(op.getSteps(), starts);
    SmallVector<IterationSegment> each;
    for (int64_t i = 0, e = op.getSteps(); i < e; ++i)
      each.push_back({i, i + 1});
    return each;
  };
  group.flops =
      getIterationFlops(m, n, coefficients, getSegmentsOf(iteration, restarts));

  ArrayRef<DenseI64ArrayAttr> split =
      update.sharding.getSplitAxes().take_back(2);
  if (split[0].empty() == split[1].empty()) {
    group.noGram = "it needs matrices that are split along one dimension";
    return;
  }
  if (!storage.isF32()) {
    group.noGram = "it adds up Gram matrices in f32, and products are in " +
                   stringifyCompute(compute).str();
    return;
  }
  Side wanted = split[0].empty() ? Side::Left : Side::Right;
  if (op.getIteration() == Iteration::Direct ||
      (op.getSide() != Side::Auto && op.getSide() != wanted)) {
    group.noGram = "the update's iteration or side is another one";
    return;
  }
  int64_t size = split[0].empty() ? rows : cols;
  int64_t other = split[0].empty() ? cols : rows;
  int64_t parts = 1;
  for (DenseI64ArrayAttr list : split)
    for (int64_t axis : list.asArrayRef())
      parts *= grid[axis];
  if (other < parts) {
    group.noGram = "ranks without a part of the matrices have no part in it";
    return;
  }
  SmallVector<int64_t> starts(restarts);
  if (iteration != Iteration::Gram && !op.getRestarts())
    starts = chooseRestarts(coefficients, compute);
  else if (iteration != Iteration::Gram)
    starts.assign(op.getRestarts()->begin(), op.getRestarts()->end());
  SmallVector<IterationSegment> segments =
      getSegmentsOf(Iteration::Gram, starts);
  group.gramRepeatedFlops = getIterationFlops(size, 0, coefficients, segments);
  group.gramSharedFlops =
      getIterationFlops(size, other, coefficients, segments) -
      group.gramRepeatedFlops;
  group.gramReductions = segments.size();
  group.gramSize = size;
}

FailureOr<distribution::Group> muon::getPlanGroup(const WholeUpdate &update,
                                                  ArrayRef<int64_t> grid,
                                                  Compute products) {
  distribution::Group group;
  if (auto rows = dyn_cast<RowsAttr>(update.names[0]))
    group.name = rows.getTensor().str();
  else
    group.name = cast<StringAttr>(update.names[0]).str();
  group.members = update.shape.members;
  group.shape = update.shape.shape;
  group.isElementwise = update.isElementwise();
  for (DenseI64ArrayAttr list : update.sharding.getSplitAxes())
    group.splitAxes.emplace_back(list.asArrayRef());
  if (update.unreduced)
    group.unreducedAxes.assign(update.unreduced.getAxes().asArrayRef().begin(),
                               update.unreduced.getAxes().asArrayRef().end());
  group.weightBytes = getBytes(update.shape.elementType);
  group.gradientBytes =
      getBytes(getParameterShape(update.gradient.getType())->elementType);
  group.stateBytes = 0;
  for (BlockArgument state : update.states)
    group.stateBytes +=
        getBytes(getParameterShape(state.getType())->elementType);
  if (auto pinned =
          update.op->getAttrOfType<StringAttr>(MuonDialect::kStrategy)) {
    group.pinned = distribution::symbolizeStrategy(pinned.getValue());
    if (!group.pinned)
      return update.op->emitOpError("'")
             << MuonDialect::kStrategy
             << "' expected local, replicate, own, gather or "
                "distributed_gram, found '"
             << pinned.getValue() << "'";
  }
  if (auto op = dyn_cast<UpdateOp>(update.op))
    setFlops(op, update, grid, products, group);
  return group;
}

bool muon::hasOwners(const distribution::Plan &plan, int64_t index) {
  distribution::Strategy strategy = plan.plans[index].strategy;
  return strategy != distribution::Strategy::Local &&
         strategy != distribution::Strategy::Replicate &&
         (plan.groups[index].isElementwise ||
          !plan.plans[index].replicaOwners.empty());
}
