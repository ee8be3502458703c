//===- MuonRuntimeOps.td - What the runtime provides -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_RUNTIME_OPS
#define MUON_RUNTIME_OPS

include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ViewLikeInterface.td"
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

def Muon_SliceOp : Muon_Op<"slice", [
    Pure, DeclareOpInterfaceMethods<ViewLikeOpInterface>]> {
  let summary = "part of a table or of a buffer";
  let description = [{
    The members of a table, or the elements of the first dimension of a memref,
    from number `offset` on, as many as the result type has. Nothing is copied.

    Constraints: the result differs from the source in the number of members or
    in the first dimension, which is not larger; memrefs are contiguous.

    Example:
    ```mlir
    %part = muon.slice %table[%i] : !muon.table<8x48x16xf32> to !muon.table<2x48x16xf32>
    ```
  }];
  let arguments = (ins
    AnyTypeOf<[AnyStaticShapeMemRef, Muon_TableType]>:$source, Index:$offset);
  let results = (outs AnyTypeOf<[AnyStaticShapeMemRef, Muon_TableType]>:$result);
  let assemblyFormat = [{
    $source `[` $offset `]` attr-dict `:` type($source) `to` type($result)
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
    first element, also where an argument is not read.

    Constraints: the function exists and takes arguments of these types.

    Example:
    ```mlir
    muon.host_call "commuting_product"(%t, %n, %m, %alpha, %l, %r, %a, %b, %c) : i32, i64, i64, f64, f64, f64, memref<1x16x16xf32>, memref<1x16x16xf32>, memref<1x16x16xf32>
    ```
  }];
  let arguments = (ins StrAttr:$callee, Variadic<AnyType>:$arguments);
  let assemblyFormat = [{
    $callee `(` $arguments `)` attr-dict `:` type($arguments)
  }];
  let hasVerifier = 1;
}

def Muon_StartCollectiveOp : Muon_Op<"start_collective", [
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "start of a collective of the runtime";
  let description = [{
    Calls `collective_start` of `MuonHostApi` with the addresses of the buffers:
    of a memref its first element, of a table its first pointer. The module's
    `muon.collectives` describes number `index`.

    Constraints: memrefs are contiguous.

    Example:
    ```mlir
    muon.start_collective 0 (%a, %b) : memref<1x16x16xf32>, !muon.table<2x48x16xf32>
    ```
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$index,
    Variadic<AnyTypeOf<[AnyStaticShapeMemRef, Muon_TableType]>>:$buffers);
  let assemblyFormat = [{
    $index `(` $buffers `)` attr-dict (`:` type($buffers)^)?
  }];
  let hasVerifier = 1;
}

def Muon_WaitCollectiveOp : Muon_Op<"wait_collective", [
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "end of a collective of the runtime";
  let description = [{
    Calls `collective_wait` of `MuonHostApi` for number `index` of the module's
    `muon.collectives`.

    Example:
    ```mlir
    muon.wait_collective 0
    ```
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$index);
  let assemblyFormat = "$index attr-dict";
}

def Muon_ParallelOp : Muon_Op<"parallel", [
    NoTerminator, SingleBlock, MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "loop whose iterations may run on any thread";
  let description = [{
    Runs its body for each i from 0 to `count` (exclusive), in any order and at
    the same time. The body has i and one rank-0 memref of f64 for each list in
    `sums`, 0 at first, for what that iteration contributes; of each run of
    `group` iterations, element number i / group of the list receives the sum, in
    the order of i.

    Constraints: count and group are positive, and count is a multiple of group;
    lists have count / group elements; the body has the arguments it should.

    Example:
    ```mlir
    muon.parallel sums(%sums : memref<2xf64>) {
    ^bb0(%i: index, %sum: memref<f64>):
      %v = memref.load %values[%i] : memref<8xf64>
      memref.store %v, %sum[] : memref<f64>
    } {count = 8 : i64, group = 4 : i64}
    ```
  }];
  let arguments = (ins Variadic<Muon_F64List>:$sums, I64Attr:$count,
                       I64Attr:$group);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`sums` `(` $sums^ `:` type($sums) `)`)? $body attr-dict
  }];
  let hasVerifier = 1;
}

def Muon_ParallelCallOp : Muon_Op<"parallel_call", [
    AttrSizedOperandSegments, MemoryEffects<[MemRead, MemWrite]>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "muon.parallel with its body in a function";
  let description = [{
    Calls `callee` with the operands, i, and the memrefs of `sums` as
    `muon.parallel` runs its body.

    Constraints: those of `muon.parallel`; the callee takes these arguments and
    returns nothing.

    Example:
    ```mlir
    muon.parallel_call @body(%values) : memref<8xf64> sums(%sums : memref<2xf64>) {count = 8 : i64, group = 4 : i64}
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Variadic<AnyType>:$captured,
                       Variadic<Muon_F64List>:$sums, I64Attr:$count,
                       I64Attr:$group);
  let assemblyFormat = [{
    $callee `(` $captured `)` (`:` type($captured)^)?
    (`sums` `(` $sums^ `:` type($sums) `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

#endif // MUON_RUNTIME_OPS
