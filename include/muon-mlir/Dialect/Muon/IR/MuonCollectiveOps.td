//===- MuonCollectiveOps.td - What ranks do together -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_COLLECTIVE_OPS
#define MUON_COLLECTIVE_OPS

include "mlir/IR/SymbolInterfaces.td"
include "muon-mlir/Dialect/Muon/IR/MuonBase.td"

def Muon_Exchanged : Muon_Constraint<"isExchanged",
  "tensor or stack of f32, bf16, f16 or f64 with a static, non-empty shape">;

// All ranks of a group execute it together. Data is divided into segments,
// which all of the group count alike; each operand holds some of them.
class Muon_CollectiveOp<string mnemonic, dag specifics, list<Trait> traits = []>
    : Muon_InPlaceOp<mnemonic, ["value*", "out*"], 1, traits # [
        DeclareOpInterfaceMethods<Muon_CollectiveOpInterface,
          ["getSource", "getTarget", "getReductionKind"]>,
        DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let hasCanonicalizeMethod = 1;
  let arguments = !con(
    (ins Variadic<Muon_Exchanged>:$value, Variadic<Muon_Exchanged>:$out,
         Muon_GroupAttr:$group, DenseI64ArrayAttr:$elements), specifics,
    (ins DenseI64ArrayAttr:$sends, DenseI64ArrayAttr:$receives,
         OptionalAttr<TypeAttr>:$type, OptionalAttr<StrAttr>:$label,
         OptionalAttr<I64Attr>:$handle));
}

def Muon_AllReduceOp : Muon_CollectiveOp<"all_reduce",
    (ins Muon_ReductionAttr:$reduction)> {
  let summary = "sums over all ranks of a group, for all of them";
  let description = [{
    Each segment of `out` becomes the sum, or the mean, of that segment of
    `value` over the ranks of `group`. Sums are taken in order of the group, in
    f32 (f64 for f64), and rounded once: all ranks get the same bits.

    Segment i has `elements[i]` elements. `sends` lists the segments in `value`,
    `receives` those in `out`: a stack holds one in each member, a tensor as
    many as fill it, one after the other.

    `type` is that of the elements where this rank has no operands to tell;
    `label` says in messages what it is that moves.

    With a `handle` the operation, on memrefs and tables, only starts the
    collective; a `muon.wait` with the same handle ends it.

    Constraints: `sends` and `receives` each list every segment once, and fill
    the operands; all operands have one element type; the module has
    `muon.rank` and the grid, in which the rank has the place that `group` says.

    Example:
    ```mlir
    %s1 = muon.all_reduce value(%p : tensor<3xf64>) out(%s : tensor<3xf64>) {group = #muon.group<@grid, [0], 1 of 2>, elements = array<i64: 3>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
    ```
  }];
}

def Muon_ReduceScatterOp : Muon_CollectiveOp<"reduce_scatter",
    (ins DenseI64ArrayAttr:$to, Muon_ReductionAttr:$reduction)> {
  let summary = "sums over all ranks of a group, each for one of them";
  let description = [{
    As `muon.all_reduce`, but the sum of segment i goes to place `to[i]` of the
    group alone. Segments may differ in size, and a rank may get any number of
    them.

    Constraints: those of `muon.all_reduce`, but that `receives` lists the
    segments with `to` = this rank's place; `to` has one place in the group for
    each segment.

    Example:
    ```mlir
    %r = muon.reduce_scatter value(%g : !muon.stack<3x48x16xf32>) out(%e : tensor<2x48x16xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 768, 768, 768>, to = array<i64: 0, 0, 1>, reduction = #muon.reduction<mean>, sends = array<i64: 0, 1, 2>, receives = array<i64: 0, 1>}
    ```
  }];
}

def Muon_AllGatherOp : Muon_CollectiveOp<"all_gather",
    (ins DenseI64ArrayAttr:$from)> {
  let summary = "segments from one rank each to all ranks of a group";
  let description = [{
    Segment i, in `value` at place `from[i]` of the group, is copied to `out` on
    all others, and on that rank as well if `receives` lists it.

    Constraints: those of `muon.all_reduce` on operands; `sends` lists the
    segments with `from` = this rank's place, `receives` at least all others;
    `from` has one place in the group for each segment.

    Example:
    ```mlir
    %o1 = muon.all_gather value(%w : !muon.stack<2x48x16xf32>) out(%o : tensor<48x16xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 768, 768, 768>, from = array<i64: 0, 0, 1>, sends = array<i64: 0, 1>, receives = array<i64: 2>}
    ```
  }];
}

def Muon_BroadcastOp : Muon_CollectiveOp<"broadcast", (ins I64Attr:$root)> {
  let summary = "segments from one rank to all ranks of a group";
  let description = [{
    `muon.all_gather` with all segments from place `root`.

    Constraints: those of `muon.all_gather`.

    Example:
    ```mlir
    %o1 = muon.broadcast out(%o : tensor<48x16xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 768>, root = 1 : i64, sends = array<i64>, receives = array<i64: 0>}
    ```
  }];
}

def Muon_AllToAllOp : Muon_CollectiveOp<"all_to_all",
    (ins DenseI64ArrayAttr:$from, DenseI64ArrayAttr:$to)> {
  let summary = "segments from one rank each to one rank each";
  let description = [{
    Segment i is copied from `value` at place `from[i]` to `out` at place
    `to[i]`.

    Constraints: those of `muon.all_reduce` on operands; `sends` lists the
    segments with `from`, `receives` those with `to` = this rank's place; both
    have one place in the group for each segment.

    Example:
    ```mlir
    %o1 = muon.all_to_all value(%x : tensor<2x24x16xf32>) out(%o : tensor<48x16xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 384, 384, 384, 384>, from = array<i64: 0, 1, 0, 1>, to = array<i64: 0, 0, 1, 1>, sends = array<i64: 0, 2>, receives = array<i64: 0, 1>}
    ```
  }];
}

def Muon_WaitOp : Muon_InPlaceOp<"wait", ["value*", "out*"], 1> {
  let summary = "end of a collective";
  let description = [{
    Waits until the collective with the same `handle` has ended on this rank:
    then `out` is there, and `value` may be written again. On memrefs and tables
    only.

    Constraints: operands are memrefs and tables.

    Example:
    ```mlir
    muon.wait value(%w : memref<48x16xf32>) out(%o : memref<48x16xf32>) {handle = 0 : i64}
    ```
  }];
  let arguments = (ins Variadic<Muon_Exchanged>:$value,
                       Variadic<Muon_Exchanged>:$out, I64Attr:$handle);
}

def Muon_PlaceOp : Muon_TensorOp<"place", ["value*", "out"], 1> {
  let summary = "numbers at their places in a list, zeros elsewhere";
  let description = [{
    out = 0, but out[to[i] + j] = valueᵢ[from[i] + j] for j < counts[i] and each i.
    Lists of sums that several ranks have parts of become lists that can be
    added: adding zeros is exact.

    Constraints: `from`, `to` and `counts` have one number for each value; runs
    lie within the lists and do not overlap in `out`.

    Example:
    ```mlir
    %l1 = muon.place value(%s : tensor<2xf64>) out(%l : tensor<5xf64>) {from = array<i64: 0>, to = array<i64: 3>, counts = array<i64: 2>}
    ```
  }];
  let arguments = (ins Variadic<Muon_F64List>:$value, Variadic<Muon_F64List>:$out,
                       DenseI64ArrayAttr:$from, DenseI64ArrayAttr:$to,
                       DenseI64ArrayAttr:$counts);
}

def Muon_AssembleOp : Muon_TensorOp<"assemble", ["blocks", "out"], 1> {
  let summary = "matrices from their blocks";
  let description = [{
    Matrix i of `out` (R×C) consists of blocks; block j has `rows[j]` ×
    `cols[j]` elements and its first one in row `row_offsets[j]`, column
    `col_offsets[j]`. `blocks` holds them one after the other, row-major, matrix by
    matrix; the order of the elements is all that counts in its shape.

    Constraints: all lists have one number for each block; blocks lie within the
    matrix and cover it; one element type.

    Example:
    ```mlir
    %x1 = muon.assemble blocks(%b : tensor<1x16x64xf32>) out(%x : tensor<1x16x64xf32>) {row_offsets = array<i64: 0, 0>, col_offsets = array<i64: 0, 32>, rows = array<i64: 16, 16>, cols = array<i64: 32, 32>}
    ```
  }];
  let arguments = (ins Variadic<Muon_Batch>:$blocks, Variadic<Muon_Batch>:$out,
                       DenseI64ArrayAttr:$row_offsets,
                       DenseI64ArrayAttr:$col_offsets, DenseI64ArrayAttr:$rows,
                       DenseI64ArrayAttr:$cols);
}

def Muon_DivideOp : Muon_TensorOp<"divide", ["x", "blocks"], 1> {
  let summary = "blocks of matrices";
  let description = [{
    The inverse of `muon.assemble`: writes the blocks of each matrix of x one
    after the other, matrix by matrix. Blocks need not cover the matrices.

    Constraints: as for `muon.assemble`.

    Example:
    ```mlir
    %b1 = muon.divide x(%x : tensor<1x16x64xf32>) blocks(%b : tensor<1x16x32xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 32>, rows = array<i64: 16>, cols = array<i64: 32>}
    ```
  }];
  let arguments = (ins Variadic<Muon_Batch>:$x, Variadic<Muon_Batch>:$blocks,
                       DenseI64ArrayAttr:$row_offsets,
                       DenseI64ArrayAttr:$col_offsets, DenseI64ArrayAttr:$rows,
                       DenseI64ArrayAttr:$cols);
}

def Muon_PackTriangleOp : Muon_TensorOp<"pack_triangle", ["x", "out"], 1> {
  let summary = "upper triangles of symmetric matrices";
  let description = [{
    out (B×1×m(m+1)/2) holds of each matrix of x (B×m×m) the upper triangle, row
    by row from the diagonal on: half of what a symmetric matrix would take to
    send.

    Constraints: shapes as said; one element type.

    Example:
    ```mlir
    %t1 = muon.pack_triangle x(%p : tensor<1x16x16xf32>) out(%t : tensor<1x1x136xf32>)
    ```
  }];
  let arguments = (ins Variadic<Muon_Batch>:$x, Variadic<Muon_Batch>:$out);
}

def Muon_UnpackTriangleOp : Muon_TensorOp<"unpack_triangle", ["x", "out"], 1> {
  let summary = "symmetric matrices from their upper triangles";
  let description = [{
    The inverse of `muon.pack_triangle`; the lower triangle is the mirror image
    of the upper one.

    Constraints: as for `muon.pack_triangle`.

    Example:
    ```mlir
    %p1 = muon.unpack_triangle x(%t : tensor<1x1x136xf32>) out(%p : tensor<1x16x16xf32>)
    ```
  }];
  let arguments = (ins Variadic<Muon_Batch>:$x, Variadic<Muon_Batch>:$out);
}

#endif // MUON_COLLECTIVE_OPS
