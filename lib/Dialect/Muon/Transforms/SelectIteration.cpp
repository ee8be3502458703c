//===- SelectIteration.cpp - Choose side, iteration and precision -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Remarks.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "llvm/Support/FormatVariadic.h"

namespace mlir::muon {
#define GEN_PASS_DEF_SELECTITERATIONPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

struct SelectIterationPass
    : public muon::impl::SelectIterationPassBase<SelectIterationPass> {
  using Base::Base;

  void runOnOperation() override {
    WalkResult result = getOperation()->walk([&](OrthogonalizeOp op) {
      return failed(select(op)) ? WalkResult::interrupt()
                                : WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  LogicalResult select(OrthogonalizeOp op) {
    auto type = cast<ShapedType>(op.getX().front().getType());
    int64_t rows = type.getDimSize(1), cols = type.getDimSize(2);
    auto remark = [&](StringRef name) {
      return remark::passed(
          op.getLoc(),
          remark::RemarkOpts::name(name).category("muon-select-iteration"));
    };

    if (op.getSide() == Side::Auto) {
      Side side = rows <= cols ? Side::Left : Side::Right;
      op.setSide(side);
      std::string reason =
          rows == cols
              ? llvm::formatv("side {0}: the matrix is square",
                              stringifySide(side))
                    .str()
              : llvm::formatv(
                    "side {0}: the Gram matrix is {1}x{1}, not {2}x{2}",
                    stringifySide(side), std::min(rows, cols),
                    std::max(rows, cols))
                    .str();
      remark("Side") << reason;
    }

    if (op.getIteration() == Iteration::Gram)
      return op.emitOpError("'iteration' expected auto or direct for the CPU "
                            "target, found gram");
    if (op.getIteration() == Iteration::Auto) {
      op.setIteration(Iteration::Direct);
      remark("Iteration") << "direct iteration: the only one of this target";
    }

    if (op.getCompute() != Compute::Auto && op.getCompute() != Compute::F32)
      return op.emitOpError(
                 "'compute' expected auto or f32 for the CPU target, "
                 "found ")
             << stringifyCompute(op.getCompute());
    if (op.getCompute() == Compute::Auto) {
      op.setCompute(Compute::F32);
      remark("Compute") << "f32 products: the only ones of this target";
    }
    return success();
  }
};

} // namespace
