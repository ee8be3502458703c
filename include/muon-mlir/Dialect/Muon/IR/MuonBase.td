//===- MuonBase.td - Type constraints and operation classes -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_BASE
#define MUON_BASE

include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "muon-mlir/Dialect/Muon/IR/MuonAttributes.td"
include "muon-mlir/Dialect/Muon/IR/MuonInterfaces.td"
include "muon-mlir/Dialect/Muon/IR/MuonTypes.td"

class Muon_Constraint<string predicate, string text>
    : Type<CPred<"::mlir::muon::" # predicate # "($_self)">, text>;

def Muon_Param : Muon_Constraint<"isParameter",
  "tensor or stack of f32, bf16 or f16 with a static, non-empty shape">;
def Muon_Matrices : Muon_Constraint<"isMatrices",
  "matrix, batch or stack of f32, bf16 or f16 with a static, non-empty shape">;
def Muon_Batch : Muon_Constraint<"isBatch",
  "rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape">;
def Muon_F32Scalar : Muon_Constraint<"isF32Scalar", "tensor<f32>">;
def Muon_Flag : Muon_Constraint<"isFlag", "tensor<i1>">;
def Muon_Counter : Muon_Constraint<"isCounter", "tensor<i64>">;
def Muon_F64List : Muon_Constraint<"isF64List", "static rank-1 tensor of f64">;
def Muon_F32List : Muon_Constraint<"isF32List", "static rank-1 tensor of f32">;

class Muon_Op<string mnemonic, list<Trait> traits = []>
    : Op<Muon_Dialect, mnemonic, traits>;

// An operation that updates its last operand groups in place.
class Muon_InPlaceOp<string mnemonic, list<string> groups, int firstDestination,
                     list<Trait> traits = []>
    : Muon_Op<mnemonic, traits # [
        AttrSizedOperandSegments, Muon_InPlaceOpInterface,
        DeclareOpInterfaceMethods<InferTypeOpInterface>,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let results = (outs Variadic<AnyType>:$results);
  let useCustomPropertiesEncoding = 1;
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;

  code inPlaceDeclaration = [{
    static ::llvm::ArrayRef<::llvm::StringLiteral> getOperandGroups() {
      static constexpr ::llvm::StringLiteral groups[] = {
        "}] # !interleave(groups, "\", \"") # [{"
      };
      return groups;
    }
    static unsigned getFirstDestinationGroup() { return }] # firstDestination #
      [{; }
  }];
  let extraClassDeclaration = inPlaceDeclaration;
}

// Whose destinations change only under a condition, operand group `when`.
class Muon_ConditionalOp<string mnemonic, list<string> groups,
                         int firstDestination, list<Trait> traits = []>
    : Muon_InPlaceOp<mnemonic, groups, firstDestination, traits> {
  let hasCanonicalizer = 1;
  let extraClassDeclaration = inPlaceDeclaration # [{
    ::mlir::Value getCondition() {
      return getWhen().empty() ? ::mlir::Value() : getWhen().front();
    }
    void dropCondition() { getWhenMutable().clear(); }
  }];
}

// Whose destinations are tensors or memrefs, so that upstream's interface can
// describe it.
class Muon_TensorOp<string mnemonic, list<string> groups, int firstDestination,
                    list<Trait> traits = []>
    : Muon_InPlaceOp<mnemonic, groups, firstDestination, traits # [
        DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
                                  ["reifyResultShapes"]>]> {
  let extraClassDeclaration = inPlaceDeclaration # [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      auto op = ::llvm::cast<::mlir::muon::InPlaceOpInterface>(getOperation());
      return {getOperation(), op.getNumInputs(),
              static_cast<unsigned>(op.getDestinations().size())};
    }
  }];
}

#endif // MUON_BASE
