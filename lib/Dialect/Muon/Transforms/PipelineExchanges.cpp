//===- PipelineExchanges.cpp - Exchanges ahead of their time --------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::muon {
#define GEN_PASS_DEF_PIPELINEEXCHANGESPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

/// The collectives that bring the matrices of one update together, and the one
/// that brings the results back, if one does.
struct Exchange {
  Operation *in;
  Operation *out = nullptr;
};

struct PipelineExchangesPass
    : public muon::impl::PipelineExchangesPassBase<PipelineExchangesPass> {
  using Base::Base;

  void runOnOperation() override {
    getOperation()->walk([&](func::FuncOp function) {
      if (!function.isExternal())
        pipeline(function.getBody().front());
    });
  }

  void pipeline(Block &block) {
    // By groups: the ranks of one have these collectives in common, and must
    // order them alike; of others they have different ones.
    llvm::MapVector<Attribute, SmallVector<Exchange>> groups;
    for (Operation &op : block) {
      auto collective = dyn_cast<CollectiveOpInterface>(op);
      if (!collective || llvm::any_of(op.getOperandTypes(), isBuffer))
        continue;
      // By their labels: on some ranks they have no values to tell by.
      SmallVector<Exchange> &exchanges = groups[collective.getGroup()];
      if (collective.getLabel() == "X")
        exchanges.push_back({&op});
      else if (collective.getLabel() == "O" && !exchanges.empty())
        exchanges.back().out = &op;
    }
    for (auto &[group, exchanges] : groups) {
      // The third one starts where the results of the first one go back, so
      // that two are in memory. Where nothing goes back, they start in pairs.
      for (size_t i = 1; i < exchanges.size(); ++i) {
        if (i >= 2 && exchanges[i - 2].out)
          hoist(exchanges[i].in, exchanges[i - 2].out);
        else if (i % 2)
          hoist(exchanges[i].in, exchanges[i - 1].in);
      }
      // Results are awaited once the next iteration is done: another rank may
      // still be at work on them.
      for (size_t i = 0; i + 1 < exchanges.size(); ++i)
        if (exchanges[i].out && exchanges[i + 1].out)
          for (Operation *user :
               llvm::make_early_inc_range(exchanges[i].out->getUsers()))
            sink(user, exchanges[i + 1].out);
    }
  }

  /// Moves `op` after `later`, or as far as what uses its results allows.
  static void sink(Operation *op, Operation *later) {
    if (op->getBlock() != later->getBlock() || isa<CollectiveOpInterface>(op) ||
        !op->isBeforeInBlock(later))
      return;
    Operation *place = later->getNextNode();
    for (Operation *user : op->getUsers())
      if (user->getBlock() == op->getBlock() && user->isBeforeInBlock(place))
        place = user;
    op->moveBefore(place);
  }

  /// Moves `op`, and what it needs, behind `earlier`: a collective of the same
  /// group, so that all of its ranks have the same order afterwards.
  void hoist(Operation *op, Operation *earlier) {
    llvm::SetVector<Operation *> needed;
    needed.insert(op);
    for (size_t i = 0; i < needed.size(); ++i)
      for (Value operand : needed[i]->getOperands())
        if (Operation *definition = operand.getDefiningOp();
            definition && definition->getBlock() == op->getBlock() &&
            earlier->isBeforeInBlock(definition))
          needed.insert(definition);
    SmallVector<Operation *> order = needed.takeVector();
    llvm::sort(order, [](Operation *a, Operation *b) {
      return a->isBeforeInBlock(b);
    });
    for (Operation *move : order) {
      move->moveAfter(earlier);
      earlier = move;
    }
    ++numHoisted;
  }
};

} // namespace
