//===- MuonGPUOps.td - Work of a GPU in one step -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_GPU_OPS
#define MUON_GPU_OPS

include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "muon-mlir/Dialect/Muon/IR/MuonAttributes.td"
include "muon-mlir/Dialect/Muon/IR/MuonTypes.td"
include "muon-mlir/Dialect/MuonGPU/IR/MuonGPUDialect.td"
include "muon-mlir/Dialect/MuonGPU/IR/MuonGPUInterfaces.td"

class MuonGPU_Op<string mnemonic, list<Trait> traits = []>
    : Op<MuonGPU_Dialect, mnemonic, traits>;

class MuonGPU_Buffer<string predicate, string text>
    : Type<CPred<"::mlir::muon_gpu::" # predicate # "($_self)">, text>;

def MuonGPU_Batch : MuonGPU_Buffer<"isBatchBuffer",
  "static rank-3 memref of f32, bf16 or f16 with contiguous rows">;
def MuonGPU_Elements : MuonGPU_Buffer<"isElementsBuffer",
  "table, or static memref with contiguous rows, of f32, bf16 or f16">;
def MuonGPU_Numbers : MuonGPU_Buffer<"isNumbersBuffer",
  "memref of one f32 or f64, or of one for each matrix">;
def MuonGPU_Sums : MuonGPU_Buffer<"isSumsBuffer", "static rank-1 memref of f64">;
def MuonGPU_Flag : MuonGPU_Buffer<"isFlagBuffer", "memref<i1>">;
def MuonGPU_Scalar : MuonGPU_Buffer<"isF32Buffer", "memref<f32>">;
def MuonGPU_Counter : MuonGPU_Buffer<"isCounterBuffer", "memref<i64>">;

def MuonGPU_MatmulOp : MuonGPU_Op<"matmul", [
    AttrSizedOperandSegments, IsolatedFromAbove, MuonGPU_WorkOpInterface,
    SingleBlockImplicitTerminator<"YieldOp">,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "batch of matrix products with an epilogue";
  let description = [{
    For each matrix of the batch, acc = L·R in f32 with L (M×K) = lhs or, with
    `lhs_transposed`, its transpose, and R (K×N) likewise. The region computes
    element (i, j) of every output from acc(i, j) and the elements (i, j) of
    `tiles`; f64 values it yields for `sums` are added over each matrix, or, for
    sums with as many elements as the product has tiles, over each tile. The
    region is arithmetic on scalars that kernels can do without a library:
    operations of arith but for remf, math.sqrt, and `muon_gpu.on_diagonal`.

    `symmetric` says that the product and the outputs are symmetric: of the
    elements i ≤ j are computed, and each is stored at (i, j) and (j, i), so
    that all of an output may be read. With `tf32` operands are rounded to 10
    bits of fraction, to nearest, ties away from zero; acc and tiles are not.
    A value is rounded to the type of its output once, to nearest even.

    Operands of the products, `lhs` and `rhs`, share no memory with outputs. A
    tile may be an output as well: elements are read before they are written.
    If `when` is false nothing happens.

    Constraints: lhs and rhs have one element type, and f32 with `tf32`; inner
    dimensions and batches agree; there is an output, and none is lhs or rhs;
    tiles and outputs hold B matrices M×N, with `symmetric` M = N and outputs of
    rank 3; scalars have one element, or one per matrix; sums have a multiple of
    B; the region's arguments and results are those of the operands; tiles of a
    schedule are square with `symmetric`, and sizes multiples of them unless it
    is masked.

    Example:
    ```mlir
    muon_gpu.matmul lhs(%a : memref<2x64x32xbf16>) rhs(%a : memref<2x64x32xbf16>) scalars(%f : memref<2xf32>) outs(%p : memref<2x64x64xbf16>) {
    ^bb0(%acc: f32, %alpha: f64, %factor: f32):
      %scale = arith.truncf %alpha : f64 to f32
      %0 = arith.mulf %acc, %scale : f32
      %1 = arith.mulf %0, %factor : f32
      %2 = arith.truncf %1 : f32 to bf16
      muon_gpu.yield %2 : bf16
    } {constants = array<f64: 2.0>, rhs_transposed, symmetric}
    ```
  }];
  let arguments = (ins MuonGPU_Batch:$lhs, MuonGPU_Batch:$rhs,
    Variadic<MuonGPU_Numbers>:$scalars, Variadic<MuonGPU_Elements>:$tiles,
    Variadic<MuonGPU_Elements>:$outs, Variadic<MuonGPU_Sums>:$sums,
    Optional<MuonGPU_Flag>:$when,
    DefaultValuedAttr<DenseF64ArrayAttr, "{}">:$constants,
    UnitAttr:$lhs_transposed, UnitAttr:$rhs_transposed, UnitAttr:$symmetric,
    UnitAttr:$tf32, OptionalAttr<MuonGPU_ScheduleAttr>:$schedule);
  let regions = (region SizedRegion<1>:$epilogue);
  let assemblyFormat = [{
    `lhs` `(` $lhs `:` type($lhs) `)` `rhs` `(` $rhs `:` type($rhs) `)`
    (`scalars` `(` $scalars^ `:` type($scalars) `)`)?
    (`tiles` `(` $tiles^ `:` type($tiles) `)`)?
    `outs` `(` $outs `:` type($outs) `)`
    (`sums` `(` $sums^ `:` type($sums) `)`)?
    (`when` `(` $when^ `:` type($when) `)`)?
    $epilogue attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Rows, columns and inner dimension of one product; number of products.
    int64_t getM();
    int64_t getN();
    int64_t getK();
    int64_t getBatch();
    ::mlir::Region &getElementRegion() { return getEpilogue(); }
    ::mlir::OperandRange getElementInputs() { return getTiles(); }
    ::mlir::Value getCondition() { return getWhen(); }
    void dropCondition() { getWhenMutable().clear(); }
    void setCondition(::mlir::Value flag) { getWhenMutable().assign(flag); }
  }];
}

def MuonGPU_StreamOp : MuonGPU_Op<"stream", [
    AttrSizedOperandSegments, IsolatedFromAbove, MuonGPU_WorkOpInterface,
    SingleBlockImplicitTerminator<"YieldOp">,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "one pass over operands of the same shape";
  let description = [{
    The region computes each element of the outputs from the elements of the
    inputs at the same place; f64 values it yields for `sums` are added over
    each matrix or, for sums with as many elements as there are chunks, over each
    chunk, in an order fixed by the shape and the schedule. An input may be an
    output as well. If `when` is false nothing happens. The region is that of
    `muon_gpu.matmul`, without acc.

    Constraints: inputs and outputs hold the same matrices; scalars have one
    element, or one per matrix; sums have a multiple of the matrices; there is an
    input or an output.

    Example:
    ```mlir
    muon_gpu.stream ins(%g : !muon.table<2x48x16xf32>) sums(%s : memref<2xf64>) {
    ^bb0(%x: f32):
      %0 = arith.extf %x : f32 to f64
      %1 = arith.mulf %0, %0 : f64
      muon_gpu.yield %1 : f64
    }
    ```
  }];
  let arguments = (ins
    Variadic<MuonGPU_Numbers>:$scalars, Variadic<MuonGPU_Elements>:$inputs,
    Variadic<MuonGPU_Elements>:$outs, Variadic<MuonGPU_Sums>:$sums,
    Optional<MuonGPU_Flag>:$when,
    DefaultValuedAttr<DenseF64ArrayAttr, "{}">:$constants,
    OptionalAttr<MuonGPU_StreamScheduleAttr>:$schedule);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`scalars` `(` $scalars^ `:` type($scalars) `)`)?
    (`ins` `(` $inputs^ `:` type($inputs) `)`)?
    (`outs` `(` $outs^ `:` type($outs) `)`)?
    (`sums` `(` $sums^ `:` type($sums) `)`)?
    (`when` `(` $when^ `:` type($when) `)`)?
    $body attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Number of matrices, and elements of each.
    int64_t getMatrices();
    int64_t getElementsPerMatrix();
    ::mlir::Region &getElementRegion() { return getBody(); }
    ::mlir::OperandRange getElementInputs() { return getInputs(); }
    ::mlir::Value getCondition() { return getWhen(); }
    void dropCondition() { getWhenMutable().clear(); }
    void setCondition(::mlir::Value flag) { getWhenMutable().assign(flag); }
  }];
}

def MuonGPU_YieldOp : MuonGPU_Op<"yield", [
    Pure, Terminator, ReturnLike, ParentOneOf<["MatmulOp", "StreamOp"]>]> {
  let summary = "new elements of outputs and contributions to sums";
  let description = [{
    Ends the region of `muon_gpu.matmul` and `muon_gpu.stream`.

    Constraints: there is a value of the element type of every output, then an
    f64 for each of the sums.

    Example:
    ```mlir
    muon_gpu.yield %w, %square : f32, f64
    ```
  }];
  let arguments = (ins Variadic<AnyFloat>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{}]>];
}

def MuonGPU_OnDiagonalOp : MuonGPU_Op<"on_diagonal", [
    Pure, HasParent<"MatmulOp">]> {
  let summary = "whether the element at hand is on the diagonal";
  let description = [{
    Whether i = j, for what is added to the diagonal of a product: a multiple of
    the identity.

    Example:
    ```mlir
    %0 = muon_gpu.on_diagonal
    ```
  }];
  let results = (outs I1:$result);
  let assemblyFormat = "attr-dict";
}

def MuonGPU_ReduceOp : MuonGPU_Op<"reduce", [
    MuonGPU_BlockWorkOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "add partial sums";
  let description = [{
    sums[i] = scale · Σ_j partials[i·P + j], with P partial sums for each of the
    sums, in f64 and an order fixed by P.

    Constraints: the number of partials is a multiple of the number of sums.

    Example:
    ```mlir
    muon_gpu.reduce partials(%p : memref<12xf64>) sums(%s : memref<2xf64>)
    ```
  }];
  let arguments = (ins MuonGPU_Sums:$partials, MuonGPU_Sums:$sums,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let assemblyFormat = [{
    `partials` `(` $partials `:` type($partials) `)`
    `sums` `(` $sums `:` type($sums) `)` attr-dict
  }];
  let hasVerifier = 1;
}

def MuonGPU_UnitOp : MuonGPU_Op<"unit", [
    MuonGPU_BlockWorkOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "power of two that brings an update's direction into range";
  let description = [{
    unit = 2⁻ᵏ of `muon.momentum`, for each matrix: k is the exponent of an upper
    bound of ‖U‖_F, taken from the sums of squares of gradient and momentum; 14
    less with `half`, whose range it uses.

    Constraints: lists have the same number of elements.

    Example:
    ```mlir
    muon_gpu.unit gradient_sums(%g : memref<2xf64>) momentum_sums(%m : memref<2xf64>) beta(%b : memref<f32>) unit(%u : memref<2xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
    ```
  }];
  let arguments = (ins MuonGPU_Sums:$gradient_sums, MuonGPU_Sums:$momentum_sums,
    MuonGPU_Scalar:$beta, Optional<MuonGPU_Scalar>:$clip, MuonGPU_Sums:$unit,
    Muon_MomentumFormAttr:$momentum_form, BoolAttr:$nesterov, UnitAttr:$half);
  let assemblyFormat = [{
    `gradient_sums` `(` $gradient_sums `:` type($gradient_sums) `)`
    `momentum_sums` `(` $momentum_sums `:` type($momentum_sums) `)`
    `beta` `(` $beta `:` type($beta) `)`
    (`clip` `(` $clip^ `:` type($clip) `)`)?
    `unit` `(` $unit `:` type($unit) `)` attr-dict
  }];
  let hasVerifier = 1;
}

def MuonGPU_BiasCorrectionOp : MuonGPU_Op<"bias_correction", [
    MuonGPU_BlockWorkOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "bias corrections of AdamW";
  let description = [{
    correction = (1/(1 − beta1ᵗ), 1/(1 − beta2ᵗ)) with t = `step`, in f64 and
    rounded once. (Kingma and Ba, arXiv 1412.6980.)

    Constraints: 0 ≤ beta1, beta2 < 1.

    Example:
    ```mlir
    muon_gpu.bias_correction step(%t : memref<i64>) corrections(%c1, %c2 : memref<f32>, memref<f32>) {beta1 = 0.9 : f64, beta2 = 0.95 : f64}
    ```
  }];
  let arguments = (ins MuonGPU_Counter:$step, MuonGPU_Scalar:$correction1,
                       MuonGPU_Scalar:$correction2, F64Attr:$beta1,
                       F64Attr:$beta2);
  let assemblyFormat = [{
    `step` `(` $step `:` type($step) `)` `corrections` `(` $correction1 `,`
    $correction2 `:` type($correction1) `,` type($correction2) `)` attr-dict
  }];
  let hasVerifier = 1;
}

def MuonGPU_LaunchOp : MuonGPU_Op<"launch", [
    NoTerminator, SingleBlock, RecursiveMemoryEffects]> {
  let summary = "work that shares one launch";
  let description = [{
    The operations in the body are done by one launch, after what comes before
    and before what comes after: either products that one kernel serves, which
    differ in sizes, buffers and constants only; or streams likewise; or
    `muon.pack_triangle` or `muon.unpack_triangle` of one element type; or work
    for one thread block (`muon_gpu.reduce`, `muon.look`, …), one after the
    other. All but the last do not depend on each other. If `when` is false
    nothing happens.

    Kernels are named after `phase`.

    Constraints: the body is not empty, holds work of one of these kinds, and
    none of it has a condition of its own; the phase is empty, or made of
    letters, digits and underscores, and begins with no digit.

    Example:
    ```mlir
    muon_gpu.launch when(%ok : memref<i1>) {
      muon_gpu.reduce partials(%p : memref<12xf64>) sums(%s : memref<2xf64>)
      muon_gpu.reduce partials(%q : memref<12xf64>) sums(%r : memref<2xf64>)
    } {phase = "update"}
    ```
  }];
  let arguments = (ins Optional<MuonGPU_Flag>:$when,
                       DefaultValuedStrAttr<StrAttr, "">:$phase);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`when` `(` $when^ `:` type($when) `)`)? $body attr-dict
  }];
  let hasVerifier = 1;
}

#endif // MUON_GPU_OPS
