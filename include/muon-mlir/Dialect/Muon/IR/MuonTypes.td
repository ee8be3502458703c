//===- MuonTypes.td - Types of the muon dialect -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_TYPES
#define MUON_TYPES

include "mlir/Dialect/Bufferization/IR/BufferizationTypeInterfaces.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinTypeInterfaces.td"
include "muon-mlir/Dialect/Muon/IR/MuonDialect.td"

class Muon_Type<string name, string typeMnemonic, list<Trait> traits>
    : TypeDef<Muon_Dialect, name, traits> {
  let mnemonic = typeMnemonic;
  let parameters = (ins "int64_t":$count, ArrayRefParameter<"int64_t">:$shape,
                        "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Muon_StackType : Muon_Type<"Stack", "stack",
    [DeclareTypeInterfaceMethods<Bufferization_TensorLikeTypeInterface>]> {
  let summary = "N tensors of one shape in N separate buffers, as one value";
  let description = [{
    `!muon.stack<N×D0×…×T>` has value semantics. The first dimension counts the
    members; the others are the shape of each. Element types are f32, bf16 and
    f16. It bufferizes to a `!muon.table`.

    Example: `!muon.stack<24x1024x4096xbf16>`.
  }];
}

def Muon_TableType : Muon_Type<"Table", "table",
    [Bufferization_BufferLikeTypeInterface]> {
  let summary = "table of N pointers to buffers of one shape";
  let description = [{
    What a `!muon.stack` becomes in memory: the address of N consecutive
    pointers, each to a contiguous row-major buffer. `muon.member` reads one.
  }];
}

#endif // MUON_TYPES
