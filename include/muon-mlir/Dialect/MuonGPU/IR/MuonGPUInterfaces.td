//===- MuonGPUInterfaces.td - Interfaces of muon_gpu -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_GPU_INTERFACES
#define MUON_GPU_INTERFACES

include "mlir/IR/OpBase.td"

def MuonGPU_WorkOpInterface : OpInterface<"WorkOpInterface"> {
  let cppNamespace = "::mlir::muon_gpu";
  let description = [{
    Elementwise work of many thread blocks: a product or a stream.
  }];
  let methods = [
    InterfaceMethod<"The region that computes one element.",
      "::mlir::Region &", "getElementRegion">,
    InterfaceMethod<"Buffers whose elements the region reads.",
      "::mlir::OperandRange", "getElementInputs">,
    InterfaceMethod<"Numbers that the region reads.",
      "::mlir::OperandRange", "getScalars">,
    InterfaceMethod<"Buffers whose elements the region computes.",
      "::mlir::OperandRange", "getOuts">,
    InterfaceMethod<"Lists that the region adds to.",
      "::mlir::OperandRange", "getSums">,
    InterfaceMethod<"Constants that the region reads.",
      "::llvm::ArrayRef<double>", "getConstants">,
    InterfaceMethod<"Condition under which work is done, or null.",
      "::mlir::Value", "getCondition">,
    InterfaceMethod<"Takes the condition away.", "void", "dropCondition">,
    InterfaceMethod<"Sets the condition.", "void", "setCondition",
      (ins "::mlir::Value":$flag)>,
  ];
}

def MuonGPU_BlockWorkOpInterface : OpInterface<"BlockWorkOpInterface"> {
  let cppNamespace = "::mlir::muon_gpu";
  let description = [{
    Work on few numbers, for one thread block.
  }];
}

#endif // MUON_GPU_INTERFACES
