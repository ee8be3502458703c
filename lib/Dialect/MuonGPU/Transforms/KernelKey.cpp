//===- KernelKey.cpp - Which work one kernel serves -------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/MuonGPU/Transforms/KernelKey.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::muon_gpu;

std::string muon_gpu::getKernelKey(Operation *op, bool hasCondition) {
  std::string key;
  llvm::raw_string_ostream os(key);
  os << op->getName() << (hasCondition ? " when" : "") << " "
     << op->getDiscardableAttrDictionary();
  if (isTriangleWork(op)) {
    os << cast<MemRefType>(op->getOperand(0).getType()).getElementType();
    return key;
  }
  auto work = cast<WorkOpInterface>(op);
  if (auto product = dyn_cast<MatmulOp>(op)) {
    os << product.getLhsTransposed() << product.getRhsTransposed()
       << product.getSymmetric() << product.getTf32() << " "
       << product.getSchedule() << " "
       << getMatrices(product.getLhs().getType())->elementType;
  } else {
    os << cast<StreamOp>(op).getSchedule();
  }
  os << " " << work.getConstants().size();
  for (Value value : work.getScalars())
    os << " " << cast<MemRefType>(value.getType()).getElementType();
  for (ValueRange group :
       {ValueRange(work.getElementInputs()), ValueRange(work.getOuts())}) {
    os << " |";
    for (Value value : group) {
      MatrixList list = *getMatrices(value.getType());
      os << " " << list.elementType;
      // A stream goes over matrices whose rows lie apart in another way.
      if (isa<StreamOp>(op) && list.rowStride != list.cols)
        os << "p";
    }
  }
  os << " | " << work.getSums().size() << " ";

  // The region, with values numbered in order.
  DenseMap<Value, size_t> numbers;
  auto number = [&](Value value) {
    return numbers.try_emplace(value, numbers.size()).first->second;
  };
  Block &block = work.getElementRegion().front();
  for (Value argument : block.getArguments())
    number(argument);
  for (Operation &inner : block) {
    os << inner.getName() << inner.getAttrDictionary() << "(";
    for (Value operand : inner.getOperands())
      os << number(operand) << " ";
    os << ")";
    for (Value result : inner.getResults())
      os << number(result) << result.getType() << " ";
  }
  return key;
}
