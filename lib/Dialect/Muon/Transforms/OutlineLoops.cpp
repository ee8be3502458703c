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
#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"
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
      SmallVector<Operation *> loops;
      collect(step.getBody().front(), loops);
      for (Operation *loop : loops)
        outline(loop, step, symbols);
      numLoops += loops.size();
    }
  }

  static void outline(Operation *loop, func::FuncOp step,
                      SymbolTable &symbols) {
    SetVector<Value> captured(loop->operand_begin(), loop->operand_end());
    getUsedValuesDefinedAbove(loop->getRegions(), captured);
    SmallVector<Value> arguments;
    SmallVector<Operation *> constants;
    for (Value value : captured) {
      if (Operation *op = value.getDefiningOp(); op && isConstant(op))
        constants.push_back(op);
      else
        arguments.push_back(value);
    }

    OpBuilder builder(loop->getContext());
    auto function = func::FuncOp::create(
        loop->getLoc(), (step.getSymName() + "_loop").str(),
        builder.getFunctionType(TypeRange(ValueRange(arguments)),
                                loop->getResultTypes()));
    function.setPrivate();
    symbols.insert(function);

    IRMapping map;
    builder.setInsertionPointToEnd(function.addEntryBlock());
    map.map(arguments, function.getArguments());
    for (Operation *constant : constants)
      builder.clone(*constant, map);
    Operation *clone = builder.clone(*loop, map);
    func::ReturnOp::create(builder, loop->getLoc(), clone->getResults());

    builder.setInsertionPoint(loop);
    auto call =
        func::CallOp::create(builder, loop->getLoc(), function, arguments);
    loop->replaceAllUsesWith(call->getResults());
    loop->erase();
  }
};

} // namespace
