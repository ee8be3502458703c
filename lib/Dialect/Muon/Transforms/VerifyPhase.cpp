//===- VerifyPhase.cpp - Check that no operation outlived a phase -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"

namespace mlir::muon {
#define GEN_PASS_DEF_VERIFYPHASEPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

/// Whether a step still is one of whole tensors on a grid.
static bool isPlaced(FunctionOpInterface function) {
  if (function->getParentOp()->hasAttr(MuonDialect::kRank))
    return false;
  for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i)
    if (function.getArgAttr(i, MuonDialect::kSharding) ||
        function.getArgAttr(i, MuonDialect::kUnreduced))
      return true;
  return false;
}

/// Why `op` may not be there after phase `phase`, or an empty string.
static StringRef getObjection(Operation *op, StringRef phase) {
  if (phase == "step") {
    auto function = dyn_cast<FunctionOpInterface>(op);
    if (function && isPlaced(function))
      return "has arguments that are spread over ranks, and should have become "
             "the step of one rank";
    return isa<OptimizeOp>(op) ? "should have got an optimizer" : "";
  }
  bool isStep = isa<OptimizeOp, UpdateOp>(op);
  if (phase == "math")
    return isStep || isa<OrthogonalizeOp, PolynomialStepOp>(op)
               ? "should have been decomposed"
               : "";
  bool hasTensor =
      llvm::any_of(op->getOperandTypes(),
                   llvm::IsaPred<TensorType, StackType>) ||
      llvm::any_of(op->getResultTypes(), llvm::IsaPred<TensorType, StackType>);
  if (phase == "buffers" || phase == "launches") {
    if (hasTensor || isa<bufferization::BufferizationDialect>(op->getDialect()))
      return "should have been bufferized";
    if (isa<memref::AllocOp>(op))
      return "should have been placed in the arena";
    if (isa<memref::CopyOp>(op))
      return "copies a tensor that should be updated in place";
    // By name: the dialect of launches is a client of this one.
    bool isLaunched =
        op->getParentOp() &&
        op->getParentOp()->getName().getStringRef() == "muon_gpu.launch";
    return phase == "launches" && isa<InPlaceOpInterface>(op) && !isLaunched &&
                   !isa<CollectiveOpInterface, WaitOp>(op)
               ? "should have become part of a launch"
               : "";
  }
  if (phase == "kernels")
    return isa<InPlaceOpInterface>(op) ||
                   op->getName().getDialectNamespace() == "muon_gpu"
               ? "should have become part of a kernel"
               : "";
  if (phase == "loops")
    return isa<InPlaceOpInterface>(op) ? "should have been lowered to loops"
                                       : "";
  // After the last phase only what translates to LLVM IR is left.
  return isa<ModuleOp>(op) || isa<LLVM::LLVMDialect>(op->getDialect()) ||
                 op->getName().getStringRef() == "gpu.binary"
             ? ""
             : "should have been lowered to LLVM";
}

namespace {

struct VerifyPhasePass
    : public muon::impl::VerifyPhasePassBase<VerifyPhasePass> {
  using Base::Base;

  void runOnOperation() override {
    if (!llvm::is_contained(
            {"step", "math", "buffers", "loops", "launches", "kernels", "llvm"},
            StringRef(phase))) {
      getOperation().emitError("'muon-verify-phase' expected phase step, "
                               "math, buffers, loops, launches, kernels or "
                               "llvm, found '")
          << phase << "'";
      return signalPassFailure();
    }
    getOperation()->walk([&](Operation *op) {
      if (!op->getDialect())
        return;
      StringRef objection = getObjection(op, phase);
      if (objection.empty())
        return;
      op->emitOpError(objection) << " in phase '" << phase << "'";
      signalPassFailure();
    });
  }
};

} // namespace
