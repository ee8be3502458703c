//===- BufferizableOpInterfaceImpl.cpp - Bufferization of muon operations -*-
// C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/IR/Dialect.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace mlir::muon;

namespace {

/// Every destination becomes its buffer, which the result stands for.
template <typename OpT>
struct InPlaceModel
    : public BufferizableOpInterface::ExternalModel<InPlaceModel<OpT>, OpT> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    auto inPlace = cast<InPlaceOpInterface>(op);
    return !inPlace.isDestination(operand) || inPlace.readsDestination(operand);
  }

  bool bufferizesToMemoryWrite(Operation *op, OpOperand &operand,
                               const AnalysisState &) const {
    return cast<InPlaceOpInterface>(op).isDestination(operand);
  }

  AliasingValueList getAliasingValues(Operation *op, OpOperand &operand,
                                      const AnalysisState &) const {
    auto inPlace = cast<InPlaceOpInterface>(op);
    if (!inPlace.isDestination(operand))
      return {};
    unsigned result = operand.getOperandNumber() - inPlace.getNumInputs();
    return {{op->getResult(result), BufferRelation::Equivalent}};
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    SmallVector<Value> buffers;
    for (Value operand : op->getOperands()) {
      FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      buffers.push_back(*buffer);
    }
    unsigned inputs = cast<InPlaceOpInterface>(op).getNumInputs();
    OperationState newOp(op->getLoc(), op->getName(), buffers,
                         /*types=*/{}, op->getAttrs());
    rewriter.setInsertionPoint(op);
    rewriter.create(newOp);
    replaceOpWithBufferizedValues(rewriter, op,
                                  ArrayRef(buffers).drop_front(inputs));
    return success();
  }
};

template <typename... OpTs>
void attachModels(MLIRContext *context) {
  (OpTs::template attachInterface<InPlaceModel<OpTs>>(*context), ...);
}

} // namespace

void muon::registerBufferizableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, MuonDialect *) {
    attachModels<SumSquaresOp, LookOp, AdvanceOp, UpdateOp, AdamWUpdateOp,
                 MomentumOp, NormalizeOp, OrthogonalizeOp, PolynomialStepOp,
                 SymmetricProductOp, CommutingProductOp, SymmetricApplyOp,
                 ApplyOp, AllReduceOp, ReduceScatterOp, AllGatherOp,
                 BroadcastOp, AllToAllOp, PlaceOp, AssembleOp, DivideOp,
                 PackTriangleOp, UnpackTriangleOp>(context);
  });
}
