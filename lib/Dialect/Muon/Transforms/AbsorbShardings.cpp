//===- AbsorbShardings.cpp - Shardings of arguments as attributes ---------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"

namespace mlir::muon {
#define GEN_PASS_DEF_ABSORBSHARDINGSPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

struct AbsorbShardingsPass
    : public muon::impl::AbsorbShardingsPassBase<AbsorbShardingsPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<shard::ShardOp> ops;
    getOperation().walk([&](shard::ShardOp op) { ops.push_back(op); });
    for (shard::ShardOp op : ops)
      if (failed(absorb(op)))
        return signalPassFailure();
    getOperation().walk([](shard::ShardingOp op) {
      if (op->use_empty())
        op->erase();
    });
  }

  static LogicalResult absorb(shard::ShardOp op) {
    auto argument = dyn_cast<BlockArgument>(op.getSrc());
    if (argument && !argument.getOwner()->isEntryBlock())
      argument = {};
    auto function =
        argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp())
                 : func::FuncOp();
    if (!function)
      return op.emitOpError("expected an argument of a function; what a step "
                            "computes is laid out by muon-distribute");
    auto sharding = op.getSharding().getDefiningOp<shard::ShardingOp>();
    if (!sharding)
      return op.emitOpError("expected the result of shard.sharding");
    if (!sharding.getStaticHaloSizes().empty() ||
        !sharding.getStaticShardedDimsOffsets().empty())
      return sharding.emitOpError(
          "expected no halos and no offsets: the ranks of a step share a "
          "dimension as evenly as can be");
    MLIRContext *context = op.getContext();
    SmallVector<DenseI64ArrayAttr> axes;
    for (shard::GridAxesAttr list : sharding.getSplitAxes()) {
      SmallVector<int64_t> numbers(list.asArrayRef().begin(),
                                   list.asArrayRef().end());
      axes.push_back(DenseI64ArrayAttr::get(context, numbers));
    }
    // Dimensions that are not listed are not split; of none at all there is an
    // empty list.
    size_t rank = cast<RankedTensorType>(argument.getType()).getRank();
    if (axes.size() > rank &&
        llvm::all_of(axes, [](DenseI64ArrayAttr list) { return list.empty(); }))
      axes.resize(rank);
    if (axes.size() > rank)
      return sharding.emitOpError("expected at most ")
             << rank << " dimensions for " << argument.getType() << ", found "
             << axes.size();
    axes.resize(rank, DenseI64ArrayAttr::get(context, {}));
    if (failed(
            ShardingAttr::verify([&] { return sharding.emitOpError(); }, axes)))
      return failure();
    auto attr = ShardingAttr::get(context, axes);
    unsigned index = argument.getArgNumber();
    Attribute before = function.getArgAttr(index, MuonDialect::kSharding);
    if (before && before != attr)
      return op.emitOpError("gives argument #")
             << index << " the sharding " << attr << ", which has " << before
             << " already";
    if (rank > 0)
      function.setArgAttr(index, MuonDialect::kSharding, attr);
    op.replaceAllUsesWith(op.getSrc());
    op.erase();
    return success();
  }
};

} // namespace
