//===- Work.cpp - What products and streams take -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/MuonGPU/Transforms/Work.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Schedules.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::muon_gpu;

/// Each value counts once.
static int64_t getBytes(const llvm::SetVector<Value> &values) {
  int64_t bytes = 0;
  for (Value value : values) {
    MatrixList list = *getMatrices(value.getType());
    bytes += list.matrices * list.rows * list.cols *
             (list.elementType.getIntOrFloatBitWidth() / 8);
  }
  return bytes;
}

Traffic muon_gpu::getTraffic(Operation *op) {
  if (isTriangleWork(op)) {
    // Both move the triangle, and one of them all of the matrix.
    auto from = cast<MemRefType>(op->getOperand(0).getType()),
         to = cast<MemRefType>(op->getOperand(1).getType());
    int64_t bytes = from.getElementTypeBitWidth() / 8;
    int64_t read = std::min(from.getNumElements(), to.getNumElements());
    return {read * bytes, to.getNumElements() * bytes};
  }
  auto work = dyn_cast<WorkOpInterface>(op);
  if (!work) {
    Traffic traffic;
    for (Type type : op->getOperandTypes())
      if (auto list = dyn_cast<MemRefType>(type))
        traffic.read += list.getNumElements() *
                        llvm::divideCeil(list.getElementTypeBitWidth(), 8);
    return traffic;
  }
  llvm::SetVector<Value> read, written;
  read.insert_range(work.getElementInputs());
  written.insert_range(work.getOuts());
  if (auto product = dyn_cast<MatmulOp>(op)) {
    read.insert(product.getLhs());
    read.insert(product.getRhs());
  }
  return {getBytes(read), getBytes(written)};
}

int64_t muon_gpu::getTileFlops(MatmulOp op) {
  ScheduleAttr schedule = op.getScheduleAttr();
  ProductShape shape;
  shape.symmetric = op.getSymmetric();
  shape.m = op.getM();
  shape.n = op.getN();
  shape.batch = op.getBatch();
  return countTiles(shape, schedule.getM(), schedule.getN()) * 2 *
         schedule.getM() * schedule.getN() *
         static_cast<int64_t>(llvm::alignTo(op.getK(), schedule.getK()));
}
