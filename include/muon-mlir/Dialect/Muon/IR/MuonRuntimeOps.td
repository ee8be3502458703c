//===- MuonRuntimeOps.td - What the runtime provides -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_RUNTIME_OPS
#define MUON_RUNTIME_OPS

include "muon-mlir/Dialect/Muon/IR/MuonBase.td"

def Muon_MemberOp : Muon_Op<"member", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "buffer of one member of a table";
  let description = [{
    Reads pointer number `index` of the table.

    Constraints: the result has the shape and element type of a member.

    Example:
    ```mlir
    %w = muon.member %table[%i] : !muon.table<2x48x16xf32> -> memref<48x16xf32>
    ```
  }];
  let arguments = (ins Muon_TableType:$table, Index:$index);
  let results = (outs AnyStaticShapeMemRef:$result);
  let assemblyFormat = [{
    $table `[` $index `]` attr-dict `:` qualified(type($table)) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Muon_SlotOp : Muon_Op<"slot", [Pure]> {
  let summary = "argument of an entry function";
  let description = [{
    What the runtime bound to slot number `index` of the step: the buffer
    itself, or for a table the address of its first pointer. It can be lowered
    only in a function with `muon.entry`.

    Constraints: a memref is contiguous.

    Example:
    ```mlir
    %lr = muon.slot 4 : memref<f32>
    ```
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$index);
  let results = (outs AnyTypeOf<[AnyStaticShapeMemRef, Muon_TableType]>:$result);
  let assemblyFormat = "$index attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Muon_ArenaOp : Muon_Op<"arena", [Pure]> {
  let summary = "scratch memory of the step";
  let description = [{
    The buffer that the runtime lends for the duration of a step. Its contents
    are undefined at the start.

    Constraints: a contiguous rank-1 memref of i8.

    Example:
    ```mlir
    %a = muon.arena : memref<4096xi8>
    ```
  }];
  let results = (outs AnyStaticShapeMemRef:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Muon_HostCallOp : Muon_Op<"host_call", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "call of a function of the runtime";
  let description = [{
    Calls a function of `MuonHostApi` (muon-mlir/Runtime/HostApi.h). Operands
    are its arguments after the context; a memref stands for the address of its
    first element.

    Constraints: the function exists and takes arguments of these types.

    Example:
    ```mlir
    muon.host_call "ssyrk"(%t, %n, %k, %alpha, %x, %ldx, %c, %ldc) : i32, i64, i64, f32, memref<16x64xf32>, i64, memref<16x16xf32>, i64
    ```
  }];
  let arguments = (ins StrAttr:$callee, Variadic<AnyType>:$arguments);
  let assemblyFormat = [{
    $callee `(` $arguments `)` attr-dict `:` type($arguments)
  }];
  let hasVerifier = 1;
}

#endif // MUON_RUNTIME_OPS
