//===- LowerCollectives.cpp - Collectives to calls of the runtime ---------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/Muon/IR/Grid.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"

namespace mlir::muon {
#define GEN_PASS_DEF_LOWERCOLLECTIVESPASS
#include "muon-mlir/Conversion/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

/// As docs/artifact.md names what a collective does.
static StringRef getKind(CollectiveOpInterface op) {
  if (isa<AllReduceOp>(op.getOperation()))
    return "all_reduce";
  if (isa<ReduceScatterOp>(op.getOperation()))
    return "reduce_scatter";
  if (isa<AllToAllOp>(op.getOperation()))
    return "all_to_all";
  return "all_gather";
}

/// Which segments each of `values` holds.
static ArrayAttr describeOperands(Builder &builder, ValueRange values,
                                  ArrayRef<int64_t> listed,
                                  ArrayRef<int64_t> elements) {
  SmallVector<SmallVector<int64_t>> held =
      *divideSegments(values.getTypes(), listed, elements);
  SmallVector<Attribute> operands;
  for (auto [value, segments] : llvm::zip_equal(values, held))
    operands.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr(
             "table", builder.getBoolAttr(isa<TableType>(value.getType()))),
         builder.getNamedAttr("segments",
                              builder.getDenseI64ArrayAttr(segments))}));
  return builder.getArrayAttr(operands);
}

namespace {

struct LowerCollectivesPass
    : public muon::impl::LowerCollectivesPassBase<LowerCollectivesPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<Operation *> ops;
    WalkResult result = module.walk([&](Operation *op) {
      if (!isa<CollectiveOpInterface, WaitOp>(op))
        return WalkResult::advance();
      if (!llvm::all_of(op->getOperandTypes(), isBuffer)) {
        op->emitOpError("expected memrefs and tables; bufferize first");
        return WalkResult::interrupt();
      }
      ops.push_back(op);
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    for (Operation *op : ops)
      if (failed(lower(op)))
        return signalPassFailure();
    if (!collectives.empty())
      module->setAttr(MuonDialect::kCollectives,
                      ArrayAttr::get(&getContext(), collectives));
  }

  LogicalResult lower(Operation *op) {
    OpBuilder builder(op);
    if (auto wait = dyn_cast<WaitOp>(op)) {
      auto started = numbers.find(wait.getHandle());
      if (started == numbers.end())
        return wait.emitOpError("expected a collective with handle ")
               << wait.getHandle() << " before it";
      WaitCollectiveOp::create(builder, op->getLoc(), started->second);
    } else {
      auto collective = cast<CollectiveOpInterface>(op);
      int64_t number = collectives.size();
      collectives.push_back(describe(collective));
      StartCollectiveOp::create(builder, op->getLoc(), number,
                                op->getOperands());
      if (!collective.getHandle())
        WaitCollectiveOp::create(builder, op->getLoc(), number);
      else if (!numbers.try_emplace(*collective.getHandle(), number).second)
        return op->emitOpError("expected a handle of its own, found ")
               << *collective.getHandle();
    }
    op->erase();
    return success();
  }

  DictionaryAttr describe(CollectiveOpInterface op) {
    Builder builder(&getContext());
    GroupAttr group = op.getGroup();
    ModuleOp module = getOperation();
    auto rank = module->getAttrOfType<IntegerAttr>(MuonDialect::kRank);
    auto grid = module.lookupSymbol<shard::GridOp>(group.getGrid());
    SmallVector<int64_t> from, to;
    for (int64_t i = 0, e = op.getElements().size(); i < e; ++i) {
      from.push_back(op.getSource(i));
      to.push_back(op.getTarget(i));
    }
    unsigned sends = cast<InPlaceOpInterface>(op.getOperation()).getNumInputs();
    ValueRange operands = op->getOperands();
    Type type = operands.empty()
                    ? *op.getType()
                    : getParameterShape(operands[0].getType())->elementType;
    std::string typeName;
    llvm::raw_string_ostream(typeName) << type;
    NamedAttrList fields;
    fields.set("kind", builder.getStringAttr(getKind(op)));
    fields.set("name", builder.getStringAttr(getNameOf(op)));
    fields.set("type", builder.getStringAttr(typeName));
    if (std::optional<Reduction> reduction = op.getReductionKind())
      fields.set("reduction",
                 builder.getStringAttr(stringifyReduction(*reduction)));
    fields.set("group", builder.getDenseI64ArrayAttr(
                            getGroupRanks(grid.getShape(), rank.getInt(),
                                          group.getAxes().asArrayRef())));
    fields.set("elements", builder.getDenseI64ArrayAttr(op.getElements()));
    fields.set("from", builder.getDenseI64ArrayAttr(from));
    fields.set("to", builder.getDenseI64ArrayAttr(to));
    fields.set("send", describeOperands(builder, operands.take_front(sends),
                                        op.getSends(), op.getElements()));
    fields.set("receive", describeOperands(builder, operands.drop_front(sends),
                                           op.getReceives(), op.getElements()));
    return fields.getDictionary(&getContext());
  }

  /// For messages: what it moves, if it says so, and which one of its group it
  /// is. That number is the same on all of these ranks: each of them may also
  /// be in groups of its own.
  std::string getNameOf(CollectiveOpInterface op) {
    int64_t number = named[op.getGroup().getAxes()]++;
    return (op.getLabel().value_or(getKind(op)) + " " + Twine(number)).str();
  }

  SmallVector<Attribute> collectives;
  /// Of each handle, and of the groups along each set of axes.
  DenseMap<int64_t, int64_t> numbers;
  DenseMap<Attribute, int64_t> named;
};

} // namespace
