//===- Report.cpp - Collect a report from the IR -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "muon-mlir/Dialect/Muon/IR/Grid.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/IterationCost.h"
#include "muon-mlir/Report/Passes.h"
#include "muon-mlir/Report/StepReport.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::muon {
#define GEN_PASS_DEF_REPORTPASS
#include "muon-mlir/Report/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

/// Whose memory `value` is: follows views and updates in place.
static Value getRoot(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto view = dyn_cast<ViewLikeOpInterface>(op))
      value = view.getViewSource();
    else if (auto inPlace = dyn_cast<InPlaceOpInterface>(op))
      value =
          inPlace.getDestinations()[cast<OpResult>(value).getResultNumber()];
    else
      break;
  }
  return value;
}

static std::string getTypeName(Type type) {
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return name;
}

/// Bytes of a tensor, memref, stack or table.
static double getBytes(Type type) {
  std::optional<ParameterShape> shape = getParameterShape(type);
  if (!shape)
    return 0;
  return double(shape->members) * shape->elements() *
         shape->elementType.getIntOrFloatBitWidth() / 8;
}

/// How often `op` is executed in a step.
static int64_t getTrips(Operation *op) {
  int64_t trips = 1;
  while ((op = op->getParentOp()))
    if (auto loop = dyn_cast<scf::ForOp>(op))
      if (std::optional<APInt> count = loop.getStaticTripCount())
        trips *= count->getZExtValue();
  return trips;
}

namespace {

/// Adds to a report what one function tells.
class Collector {
public:
  Collector(func::FuncOp step, StepReport &report)
      : step(step), report(report) {}

  /// At the step level.
  LogicalResult describeUpdates();
  /// At the buffers level.
  LogicalResult describeMemory();
  /// At the kernels level.
  void describeDevice(ArrayAttr kernels);

private:
  using Group = StepReport::Group;

  std::optional<unsigned> getArgument(Value value);
  FailureOr<Group *> addGroup(Operation *op, StringRef optimizer, Value weight,
                              Value lr);
  void addTypes(Group &group,
                ArrayRef<std::pair<StringRef, ValueRange>> operands);
  void addIteration(Group &group, UpdateOp op);
  FailureOr<Group *> findGroup(Operation *op, StringRef optimizer, Value weight,
                               Value lr);
  LogicalResult addMuonMemory(ApplyOp op);
  LogicalResult addAdamWMemory(AdamWUpdateOp op);
  void addTotals();
  void describeDistribution();
  void addStream(Group &group, Operation *op, StringRef name, ValueRange read,
                 ValueRange written);

  func::FuncOp step;
  StepReport &report;
  /// Matrices of each group that the operations seen so far update.
  SmallVector<int64_t> covered;
  /// Arguments that are tensors of a group.
  DenseMap<unsigned, size_t> owners;
};

} // namespace

std::optional<unsigned> Collector::getArgument(Value value) {
  auto argument = dyn_cast<BlockArgument>(getRoot(value));
  if (!argument || argument.getOwner() != &step.getBody().front())
    return std::nullopt;
  return argument.getArgNumber();
}

FailureOr<StepReport::Group *> Collector::addGroup(Operation *op,
                                                   StringRef optimizer,
                                                   Value weight, Value lr) {
  std::optional<unsigned> index = getArgument(weight);
  if (!index)
    return op->emitOpError("expected an argument of the step as weight");
  Group group;
  group.optimizer = optimizer;
  group.weightArgument = *index;
  if (std::optional<unsigned> rate = getArgument(lr))
    if (auto name =
            step.getArgAttrOfType<StringAttr>(*rate, MuonDialect::kGroup))
      group.ruleGroup = name.str();
  if (auto names =
          step.getArgAttrOfType<ArrayAttr>(*index, MuonDialect::kNames))
    for (Attribute name : names) {
      if (auto rows = dyn_cast<RowsAttr>(name))
        group.members.push_back({rows.getTensor().str(), rows.getBegin(),
                                 rows.getEnd(), rows.getRows()});
      else if (auto part = dyn_cast<PartAttr>(name))
        group.members.push_back({part.getTensor().str()});
      else
        group.members.push_back({cast<StringAttr>(name).str()});
    }
  ParameterShape shape = *getParameterShape(step.getArgumentTypes()[*index]);
  group.shape.assign(shape.shape.begin(), shape.shape.end());
  group.parameters = shape.members * shape.elements();
  // Elementwise, AdamW knows no matrices.
  group.matrices = optimizer == "muon" ? shape.matrices() : 0;
  report.groups.push_back(std::move(group));
  return &report.groups.back();
}

void Collector::addTypes(Group &group,
                         ArrayRef<std::pair<StringRef, ValueRange>> operands) {
  for (const auto &[role, values] : operands)
    for (Value value : values)
      group.types.push_back(
          {role.str(),
           getTypeName(getParameterShape(value.getType())->elementType)});
}

//===----------------------------------------------------------------------===//
// Step level
//===----------------------------------------------------------------------===//

void Collector::addIteration(Group &group, UpdateOp op) {
  // Before muon-select-iteration there is nothing to tell.
  if (op.getSide() == Side::Auto || op.getIteration() == Iteration::Auto ||
      op.getCompute() == Compute::Auto)
    return;
  StepReport::Iteration it;
  it.side = stringifySide(op.getSide());
  it.compute = stringifyCompute(op.getCompute());
  it.kind = stringifyIteration(op.getIteration());
  it.steps = op.getSteps();
  if (auto why = op->getAttrOfType<StringAttr>(MuonDialect::kWhy))
    it.why = why.str();

  ParameterShape shape = *getParameterShape(op.getWeight().front().getType());
  int64_t rows = shape.rows(), cols = shape.cols();
  std::optional<ExchangeAttr> exchange = op.getExchange();
  if (exchange) {
    rows = exchange->getShape()[0];
    cols = exchange->getShape()[1];
  }
  int64_t m = op.getSide() == Side::Left ? rows : cols;
  int64_t n = op.getSide() == Side::Left ? cols : rows;
  // The direct iteration is one that starts anew at every step.
  auto restarts = llvm::to_vector(llvm::seq<int64_t>(1, it.steps));
  if (op.getIteration() == Iteration::Gram) {
    restarts =
        SmallVector<int64_t>(op.getRestarts().value_or(ArrayRef<int64_t>()));
    it.restarts.assign(restarts.begin(), restarts.end());
  }
  SmallVector<StepCoefficients> coefficients;
  for (int64_t i = 0; i < it.steps; ++i)
    coefficients.push_back(op.getSchedule().getCoefficients(i));
  SmallVector<IterationSegment> segments = getSegments(it.steps, restarts);
  double flops = getIterationFlops(m, n, coefficients, segments);
  double matrices = shape.matrices();
  if (exchange && exchange->getStrategy() == StrategyKind::DistributedGram) {
    // X, but not its Gram matrix, is spread over the ranks.
    double gram = getIterationFlops(m, 0, coefficients, segments);
    bool splitsRows = !exchange->getSharding().getSplitAxes()[0].empty();
    double share = double(splitsRows ? shape.rows() : shape.cols()) / n;
    flops = gram + share * (flops - gram);
  } else if (exchange && exchange->getStrategy() == StrategyKind::Own) {
    // Those that this rank gets whole.
    matrices = llvm::count(exchange->getOwners().asArrayRef(),
                           exchange->getGroup().getPlace());
  }
  it.flops = matrices * flops;
  // On the shorter side, as everyone does.
  double least = std::min(m, n), most = std::max(m, n);
  it.denseFlops = matrices * it.steps *
                  (4 * least * least * most + 2 * least * least * least);
  group.iteration = std::move(it);
}

LogicalResult Collector::describeUpdates() {
  WalkResult result = step.walk([&](Operation *op) {
    if (auto update = dyn_cast<UpdateOp>(op)) {
      FailureOr<Group *> group = addGroup(
          op, "muon", update.getWeight().front(), update.getLr().front());
      if (failed(group))
        return WalkResult::interrupt();
      addTypes(**group, {{"weight", update.getWeight()},
                         {"gradient", update.getGradient()},
                         {"momentum", update.getMomentum()},
                         {"master", update.getMaster()}});
      addIteration(**group, update);
    }
    if (auto update = dyn_cast<AdamWUpdateOp>(op)) {
      FailureOr<Group *> group = addGroup(
          op, "adamw", update.getWeight().front(), update.getLr().front());
      if (failed(group))
        return WalkResult::interrupt();
      addTypes(**group, {{"weight", update.getWeight()},
                         {"gradient", update.getGradient()},
                         {"exp_avg", update.getExpAvg()},
                         {"exp_avg_sq", update.getExpAvgSq()},
                         {"master", update.getMaster()}});
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

//===----------------------------------------------------------------------===//
// Buffers level
//===----------------------------------------------------------------------===//

/// The group whose `weight` the operation updates, or a part of it. A weight
/// may be updated several times; parts follow each other.
FailureOr<StepReport::Group *> Collector::findGroup(Operation *op,
                                                    StringRef optimizer,
                                                    Value weight, Value lr) {
  std::optional<unsigned> argument = getArgument(weight);
  int64_t matrices =
      getTrips(op) * getParameterShape(weight.getType())->matrices();
  size_t index = 0;
  for (; index < report.groups.size(); ++index) {
    const Group &group = report.groups[index];
    if (argument == group.weightArgument && group.optimizer == optimizer &&
        covered[index] <
            getParameterShape(step.getArgumentTypes()[*argument])->matrices())
      break;
  }
  if (index == report.groups.size()) {
    if (failed(addGroup(op, optimizer, weight, lr)))
      return failure();
    covered.push_back(0);
  }
  covered[index] += matrices;
  Group &group = report.groups[index];
  if (!group.memory)
    group.memory.emplace();
  return &group;
}

/// Counts what `op` reads and writes; operands that are no tensors of the
/// group are scratch memory of the same pass.
void Collector::addStream(Group &group, Operation *op, StringRef name,
                          ValueRange read, ValueRange written) {
  auto stream = llvm::find_if(
      group.memory->streams,
      [&](const StepReport::Stream &other) { return other.name == name; });
  if (stream == group.memory->streams.end()) {
    group.memory->streams.push_back({name.str()});
    stream = std::prev(group.memory->streams.end());
  }
  int64_t trips = getTrips(op);
  for (Value value : read)
    stream->bytesRead += trips * getBytes(value.getType());
  for (Value value : written)
    stream->bytesWritten += trips * getBytes(value.getType());
  for (ValueRange values : {read, written})
    for (Value value : values)
      if (std::optional<unsigned> argument = getArgument(value))
        owners.try_emplace(*argument, &group - report.groups.data());
}

namespace {
/// Scratch buffers and operations from a momentum to its apply.
struct Chain {
  explicit Chain(ApplyOp apply);

  /// Bytes of the arena that the buffers occupy.
  int64_t getScratchBytes() const;

  SmallVector<MomentumOp> momenta;
  llvm::SetVector<memref::ViewOp> buffers;

private:
  void add(ValueRange values) {
    for (Value value : values)
      if (auto view = value.getDefiningOp<memref::ViewOp>())
        buffers.insert(view);
  }
};
} // namespace

Chain::Chain(ApplyOp apply) {
  add(apply.getX());
  // From what is read to who wrote it. Momentum is first: what it reads is not
  // of this chain alone.
  for (size_t i = 0; i < buffers.size(); ++i) {
    Operation *buffer = buffers[i];
    for (OpOperand &use : buffer->getUses()) {
      auto op = dyn_cast<InPlaceOpInterface>(use.getOwner());
      if (!op || !op.isDestination(use))
        continue;
      auto momentum = dyn_cast<MomentumOp>(use.getOwner());
      if (momentum && !llvm::is_contained(momenta, momentum))
        momenta.push_back(momentum);
      add(momentum ? ValueRange(op.getDestinations())
                   : ValueRange(op->getOperands()));
    }
  }
}

int64_t Chain::getScratchBytes() const {
  SmallVector<std::pair<int64_t, int64_t>> ranges;
  for (memref::ViewOp buffer : buffers)
    if (std::optional<int64_t> begin =
            getConstantIntValue(buffer.getByteShift()))
      ranges.push_back({*begin, *begin + int64_t(getBytes(buffer.getType()))});
  llvm::sort(ranges);
  int64_t bytes = 0, end = 0;
  for (auto [first, last] : ranges) {
    bytes += std::max<int64_t>(0, last - std::max(first, end));
    end = std::max(end, last);
  }
  return bytes;
}

LogicalResult Collector::addMuonMemory(ApplyOp op) {
  FailureOr<Group *> found =
      findGroup(op, "muon", op.getWeight().front(), op.getLr().front());
  if (failed(found))
    return failure();
  Group &group = **found;
  Chain chain(op);
  if (group.types.empty()) {
    addTypes(group, {{"weight", op.getWeight()}});
    for (MomentumOp momentum : chain.momenta)
      addTypes(group, {{"gradient", momentum.getGradient()},
                       {"momentum", momentum.getMomentum()}});
    addTypes(group, {{"master", op.getMaster()}});
  }
  StepReport::Memory &memory = *group.memory;
  memory.passes += getTrips(op);
  memory.matricesPerPass =
      std::max(memory.matricesPerPass,
               getParameterShape(op.getWeight().front().getType())->matrices());
  memory.scratchBytes = std::max(memory.scratchBytes, chain.getScratchBytes());

  for (MomentumOp momentum : chain.momenta)
    addStream(group, momentum, "momentum",
              {momentum.getGradient().front(), momentum.getMomentum().front()},
              {momentum.getMomentum().front(), momentum.getX().front()});
  SmallVector<Value> written = {op.getWeight().front()};
  llvm::append_range(written, op.getMaster());
  // The weight is a copy of its master, and not read.
  addStream(group, op, "apply", {op.getX().front(), written.back()}, written);
  return success();
}

LogicalResult Collector::addAdamWMemory(AdamWUpdateOp op) {
  FailureOr<Group *> found =
      findGroup(op, "adamw", op.getWeight().front(), op.getLr().front());
  if (failed(found))
    return failure();
  Group &group = **found;
  if (group.types.empty())
    addTypes(group, {{"weight", op.getWeight()},
                     {"gradient", op.getGradient()},
                     {"exp_avg", op.getExpAvg()},
                     {"exp_avg_sq", op.getExpAvgSq()},
                     {"master", op.getMaster()}});
  group.memory->passes += getTrips(op);
  SmallVector<Value> written = {
      op.getExpAvg().front(), op.getExpAvgSq().front(), op.getWeight().front()};
  llvm::append_range(written, op.getMaster());
  addStream(group, op, "update",
            {op.getGradient().front(), op.getExpAvg().front(),
             op.getExpAvgSq().front(), written.back()},
            written);
  return success();
}

LogicalResult Collector::describeMemory() {
  for (Group &group : report.groups)
    group.memory.reset();
  covered.assign(report.groups.size(), 0);

  WalkResult result = step.walk([&](Operation *op) {
    LogicalResult added = success();
    if (auto apply = dyn_cast<ApplyOp>(op))
      added = addMuonMemory(apply);
    else if (auto update = dyn_cast<AdamWUpdateOp>(op))
      added = addAdamWMemory(update);
    return failed(added) ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  // Only now that it is known whose tensors they are.
  step.walk([&](SumSquaresOp op) {
    std::optional<unsigned> argument = getArgument(op.getValue().front());
    if (!argument)
      return;
    if (auto owner = owners.find(*argument); owner != owners.end())
      addStream(report.groups[owner->second], op, "look", op.getValue(), {});
  });
  for (Group &group : report.groups) {
    if (!group.memory)
      continue;
    // It comes first in a step.
    std::vector<StepReport::Stream> &streams = group.memory->streams;
    auto look = llvm::find_if(
        streams, [](const auto &stream) { return stream.name == "look"; });
    if (look != streams.end())
      std::rotate(streams.begin(), look, look + 1);
  }

  for (unsigned index : llvm::seq(step.getNumArguments())) {
    auto role = step.getArgAttrOfType<RoleAttr>(index, MuonDialect::kRole);
    if (role && role.getValue() == Role::Weight && report.groups.empty())
      return step.emitOpError("has a weight and no operation that updates it; "
                              "expected IR of level step, math or buffers");
  }
  describeDistribution();
  addTotals();
  return success();
}

/// Payload that this rank sends to, and receives from, others: by the rule of
/// docs/artifact.md, which the runtime counts by.
static std::pair<double, double> getTraffic(CollectiveOpInterface op) {
  GroupAttr group = op.getGroup();
  int64_t place = group.getPlace(), others = group.getSize() - 1;
  Type type = op->getNumOperands()
                  ? getParameterShape(op->getOperandTypes()[0])->elementType
                  : *op.getType();
  double size = type.getIntOrFloatBitWidth() / 8, sent = 0, received = 0;
  for (auto [i, elements] : llvm::enumerate(op.getElements())) {
    double bytes = elements * size;
    int64_t from = op.getSource(i), to = op.getTarget(i);
    if (from >= 0 && to >= 0) {
      if (from != to)
        (from == place ? sent : received) +=
            from == place || to == place ? bytes : 0;
    } else if (from >= 0) {
      (from == place ? sent : received) +=
          from == place ? others * bytes : bytes;
    } else if (to >= 0) {
      (to == place ? received : sent) += to == place ? others * bytes : bytes;
    } else {
      // To the ranks that add up a part each, and back.
      int64_t each = elements / (others + 1), more = elements % (others + 1);
      double part = (each + (place < more ? 1 : 0)) * size;
      sent += bytes - part + others * part;
      received += bytes - part + others * part;
    }
  }
  return {sent, received};
}

void Collector::describeDistribution() {
  auto module = step->getParentOfType<ModuleOp>();
  auto rank = module->getAttrOfType<IntegerAttr>(MuonDialect::kRank);
  if (!rank)
    return;
  StepReport::Distribution &distribution = report.distribution.emplace();
  distribution.rank = rank.getInt();
  if (FailureOr<shard::GridOp> grid = getGrid(module); succeeded(grid) && *grid)
    for (int64_t size : (*grid).getShape())
      distribution.ranks *= size;
  if (auto plan = module->getAttrOfType<ArrayAttr>(MuonDialect::kPlan))
    for (StringAttr line : plan.getAsRange<StringAttr>())
      distribution.plan.push_back(line.str());
  step.walk([&](CollectiveOpInterface op) {
    std::string what = op.getLabel().value_or("").str();
    std::string kind = op->getName().getStringRef().split('.').second.str();
    auto found = llvm::find_if(distribution.collectives, [&](auto &entry) {
      return entry.what == what && entry.kind == kind;
    });
    if (found == distribution.collectives.end())
      found = distribution.collectives.insert(found, {what, kind});
    auto [sent, received] = getTraffic(op);
    ++found->count;
    found->bytesSent += sent;
    found->bytesReceived += received;
  });
}

/// The arena and the table of the step.
void Collector::addTotals() {
  StepReport::Totals totals;
  step.walk([&](ArenaOp arena) {
    totals.scratchBytes =
        cast<MemRefType>(arena.getResult().getType()).getNumElements();
  });
  for (Type type : step.getArgumentTypes()) {
    std::optional<ParameterShape> shape = getParameterShape(type);
    totals.slots += shape ? shape->members : 1;
  }
  report.totals = totals;
}

//===----------------------------------------------------------------------===//
// Kernels level
//===----------------------------------------------------------------------===//

void Collector::describeDevice(ArrayAttr kernels) {
  if (!report.device)
    report.device.emplace();
  report.device->kernels.clear();
  for (auto attr : kernels.getAsRange<DictionaryAttr>()) {
    auto text = [&](StringRef key) {
      auto value = attr.getAs<StringAttr>(key);
      return value ? value.str() : std::string();
    };
    auto number = [&](StringRef key) -> std::optional<int64_t> {
      auto value = attr.getAs<IntegerAttr>(key);
      return value ? std::optional<int64_t>(value.getInt()) : std::nullopt;
    };
    StepReport::Kernel kernel;
    kernel.name = text("name");
    kernel.phase = text("phase");
    kernel.arithmetic = text("arithmetic");
    kernel.launches = number("launches").value_or(0);
    kernel.blocks = number("blocks").value_or(0);
    kernel.threads = number("threads").value_or(0);
    kernel.sharedBytes = number("shared").value_or(0);
    kernel.registers = number("registers");
    kernel.spilledBytes = number("spilled");
    kernel.flops = number("flops").value_or(0);
    kernel.bytesRead = number("bytes_read").value_or(0);
    kernel.bytesWritten = number("bytes_written").value_or(0);
    report.device->kernels.push_back(std::move(kernel));
  }
  // Not from IR that has no collectives any more.
  if (!report.distribution)
    describeDistribution();
  addTotals();
}

namespace {

struct ReportPass : public muon::impl::ReportPassBase<ReportPass> {
  using Base::Base;
  explicit ReportPass(StepReport &report) : report(&report) {}

  void runOnOperation() override {
    auto step = getOperation().lookupSymbol<func::FuncOp>("step");
    if (!step || step.isExternal()) {
      getOperation().emitError("expected a function 'step' with a body");
      return signalPassFailure();
    }
    StepReport own;
    Collector collector(step, report ? *report : own);
    bool isBuffers = llvm::all_of(step.getArgumentTypes(), isBuffer);
    auto kernels =
        getOperation()->getAttrOfType<ArrayAttr>(MuonDialect::kKernels);
    if (kernels)
      collector.describeDevice(kernels);
    else if (failed(isBuffers ? collector.describeMemory()
                              : collector.describeUpdates()))
      return signalPassFailure();
    markAllAnalysesPreserved();
    if (!report)
      (json ? printReportJson : printReportText)(own, llvm::errs());
  }

  StepReport *report = nullptr;
};

} // namespace

std::unique_ptr<Pass> muon::createReportPass(StepReport &report) {
  return std::make_unique<ReportPass>(report);
}
