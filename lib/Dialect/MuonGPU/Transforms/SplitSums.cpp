//===- SplitSums.cpp - Partial sums of blocks -------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::muon_gpu {
#define GEN_PASS_DEF_SPLITSUMSPASS
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h.inc"
} // namespace mlir::muon_gpu

using namespace mlir;
using namespace mlir::muon_gpu;

namespace {

struct SplitSumsPass : public muon_gpu::impl::SplitSumsPassBase<SplitSumsPass> {
  using Base::Base;

  void runOnOperation() override {
    WalkResult result = getOperation()->walk([](Operation *op) {
      if (auto product = dyn_cast<MatmulOp>(op)) {
        if (product.getSums().empty())
          return WalkResult::advance();
        ScheduleAttr schedule = product.getScheduleAttr();
        if (!schedule) {
          op->emitOpError("expected a schedule");
          return WalkResult::interrupt();
        }
        if (failed(
                split(product, product.getBatch(),
                      llvm::divideCeil(product.getM(), schedule.getM()) *
                          llvm::divideCeil(product.getN(), schedule.getN()))))
          return WalkResult::interrupt();
      } else if (auto stream = dyn_cast<StreamOp>(op)) {
        if (stream.getSums().empty())
          return WalkResult::advance();
        StreamScheduleAttr schedule = stream.getScheduleAttr();
        if (!schedule) {
          op->emitOpError("expected a schedule");
          return WalkResult::interrupt();
        }
        if (failed(split(stream, stream.getMatrices(),
                         llvm::divideCeil(stream.getElementsPerMatrix(),
                                          schedule.getChunk()))))
          return WalkResult::interrupt();
      }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  /// Gives each of `blocks` blocks of each matrix a number of its own.
  template <typename OpT>
  static LogicalResult split(OpT op, int64_t matrices, int64_t blocks) {
    OpBuilder b(op);
    SmallVector<std::pair<Value, Value>> reduced;
    for (OpOperand &sums : op.getSumsMutable()) {
      int64_t size = cast<MemRefType>(sums.get().getType()).getDimSize(0);
      if (size == matrices * blocks)
        continue;
      if (size != matrices)
        return op.emitOpError("expected ")
               << matrices << " sums, or " << matrices * blocks
               << " for its blocks, found " << size;
      if (isa<LaunchOp>(op->getParentOp()))
        return op.emitOpError("is in a launch, where its sums cannot be split");
      auto type = MemRefType::get({matrices * blocks}, b.getF64Type());
      Value partials = memref::AllocOp::create(b, op.getLoc(), type);
      reduced.push_back({partials, sums.get()});
      sums.set(partials);
    }
    if (reduced.empty())
      return success();
    b.setInsertionPointAfter(op);
    auto launch =
        LaunchOp::create(b, op.getLoc(), op.getWhen(), StringRef("reduce"));
    b.createBlock(&launch.getBody());
    for (auto [partials, sums] : reduced)
      ReduceOp::create(b, op.getLoc(), partials, sums, b.getF64FloatAttr(1.0));
    return success();
  }
};

} // namespace
