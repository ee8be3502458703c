//===- OutlineLoops.cpp - One function for each loop of a step -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/RegionUtils.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"

namespace mlir::muon {
#define GEN_PASS_DEF_OUTLINELOOPSPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

/// Loops of the step itself or of its guard.
static void collect(Block &block, SmallVectorImpl<Operation *> &loops) {
  for (Operation &op : block) {
    if (auto guard = dyn_cast<scf::IfOp>(op))
      for (Region &region : guard->getRegions())
        for (Block &inner : region)
          collect(inner, loops);
    if (isa<scf::ForOp, linalg::GenericOp>(op))
      loops.push_back(&op);
  }
}

static bool isConstant(Operation *op) { return matchPattern(op, m_Constant()); }

namespace {

struct OutlineLoopsPass
    : public muon::impl::OutlineLoopsPassBase<OutlineLoopsPass> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto step : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      if (step.isExternal() || step.isPrivate())
        continue;
      // First what stands inside of other loops.
      SmallVector<ParallelOp> bodies;
      step.walk([&](ParallelOp op) { bodies.push_back(op); });
      for (ParallelOp op : bodies)
        outlineBody(op, step, symbols);
      SmallVector<Operation *> loops;
      collect(step.getBody().front(), loops);
      for (Operation *loop : loops)
        outlineLoop(loop, step, symbols);
      numLoops += bodies.size() + loops.size();
    }
  }

  /// A function to build the body of, and what it takes.
  struct Outlined {
    func::FuncOp function;
    SmallVector<Value> arguments;
    IRMapping map;
    OpBuilder builder;
  };

  /// Creates a function for `op`, which uses what is above; constants are
  /// repeated in it.
  static Outlined createFunction(Operation *op, ArrayRef<Type> moreInputs,
                                 TypeRange results, func::FuncOp step,
                                 SymbolTable &symbols) {
    SetVector<Value> captured;
    if (!isa<ParallelOp>(op))
      captured.insert(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    Outlined result{{}, {}, {}, OpBuilder(op->getContext())};
    SmallVector<Operation *> constants;
    for (Value value : captured) {
      if (Operation *definition = value.getDefiningOp();
          definition && isConstant(definition))
        constants.push_back(definition);
      else
        result.arguments.push_back(value);
    }
    SmallVector<Type> inputs(ValueRange(result.arguments).getTypes());
    llvm::append_range(inputs, moreInputs);
    result.function =
        func::FuncOp::create(op->getLoc(), (step.getSymName() + "_loop").str(),
                             result.builder.getFunctionType(inputs, results));
    result.function.setPrivate();
    symbols.insert(result.function);
    Block *block = result.function.addEntryBlock();
    result.builder.setInsertionPointToEnd(block);
    result.map.map(result.arguments,
                   block->getArguments().take_front(result.arguments.size()));
    for (Operation *constant : constants)
      result.builder.clone(*constant, result.map);
    return result;
  }

  static void outlineLoop(Operation *loop, func::FuncOp step,
                          SymbolTable &symbols) {
    Outlined outlined =
        createFunction(loop, {}, loop->getResultTypes(), step, symbols);
    OpBuilder &builder = outlined.builder;
    Operation *clone = builder.clone(*loop, outlined.map);
    func::ReturnOp::create(builder, loop->getLoc(), clone->getResults());

    builder.setInsertionPoint(loop);
    auto call = func::CallOp::create(builder, loop->getLoc(), outlined.function,
                                     outlined.arguments);
    loop->replaceAllUsesWith(call->getResults());
    loop->erase();
  }

  static void outlineBody(ParallelOp op, func::FuncOp step,
                          SymbolTable &symbols) {
    Block &body = op.getBody().front();
    SmallVector<Type> more(body.getArgumentTypes());
    Outlined outlined = createFunction(op, more, {}, step, symbols);
    OpBuilder &builder = outlined.builder;
    outlined.map.map(body.getArguments(),
                     outlined.function.getArguments().take_back(more.size()));
    for (Operation &inner : body)
      builder.clone(inner, outlined.map);
    func::ReturnOp::create(builder, op.getLoc());

    builder.setInsertionPoint(op);
    ParallelCallOp::create(builder, op.getLoc(), outlined.function.getSymName(),
                           outlined.arguments, op.getSums(), op.getCount(),
                           op.getGroup());
    op.erase();
  }
};

} // namespace
