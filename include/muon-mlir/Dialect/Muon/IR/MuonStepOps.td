//===- MuonStepOps.td - What a step is -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_STEP_OPS
#define MUON_STEP_OPS

include "muon-mlir/Dialect/Muon/IR/MuonBase.td"

def Muon_OptimizeOp : Muon_Op<"optimize", [Pure, AllTypesMatch<["weight", "result"]>]> {
  let summary = "update a parameter by whatever optimizer its rules choose";
  let description = [{
    Stands for the update of one parameter before it is known how it is
    updated. `--muon-assign-optimizers` replaces it by `muon.update`, by
    `muon.adamw_update` or by the weight itself, and gives the function the
    state that the optimizer needs.

    Constraints: weight and gradient have the same shape and are arguments of
    the enclosing function, with `muon.role` and one name in `muon.names`.

    Example:
    ```mlir
    %w1 = muon.optimize weight(%w) gradient(%g) : tensor<64x128xbf16>, tensor<64x128xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$weight, AnyRankedTensor:$gradient);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    `weight` `(` $weight `)` `gradient` `(` $gradient `)` attr-dict `:`
    type($weight) `,` type($gradient)
  }];
  let hasVerifier = 1;
}

def Muon_SumSquaresOp : Muon_TensorOp<"sum_squares", ["value", "sums"], 1> {
  let summary = "sums of squares of each matrix, in f64";
  let description = [{
    sums[i] = Σ v² over the i-th matrix of `value`, where a tensor of rank less
    than two counts as one matrix. Squares and sums are taken in f64, in an
    order fixed by the shape alone. A sum is finite if and only if all elements
    are: f64 holds the square of every f32 and the sum of 2⁷⁰⁰ of them.

    Constraints: `sums` has one element per matrix.

    Example:
    ```mlir
    %s1 = muon.sum_squares value(%g : !muon.stack<2x48x16xbf16>) sums(%s : tensor<2xf64>)
    ```
  }];
  let arguments = (ins Variadic<Muon_Param>:$value, Variadic<Muon_F64List>:$sums);
}

def Muon_LookOp : Muon_TensorOp<"look",
    ["gradients*", "momenta*", "limit?", "ok", "clip"], 3> {
  let summary = "whether the step can be taken, and its clip coefficient";
  let description = [{
    ```
    ok   = every sum is finite, or not skip_nonfinite
    κ    = limit ? min(1, limit / (‖G‖ + 1e-6)) : 1,   ‖G‖ = √(Σ gradients)
    ```
    Operands are the results of `muon.sum_squares` over all gradients and
    momenta of the step. They are added in f64 in the order given, so that all
    ranks of a distributed step get the same bits. κ is 1 where ‖G‖ is not
    finite. Canonicalization drops sums that decide nothing: momenta without
    skip_nonfinite, gradients with neither that nor a limit; and a `when` that is
    an ok without skip_nonfinite, which always holds.
    (1e-6 as in torch.nn.utils.clip_grad_norm_.)

    Example:
    ```mlir
    %ok1, %clip1 = muon.look gradients(%gs, %bs : tensor<2xf64>, tensor<1xf64>) momenta(%ms : tensor<2xf64>) limit(%l : tensor<f32>) ok(%ok : tensor<i1>) clip(%c : tensor<f32>)
    ```
  }];
  let arguments = (ins
    Variadic<Muon_F64List>:$gradients, Variadic<Muon_F64List>:$momenta,
    Variadic<Muon_F32Scalar>:$limit, Variadic<Muon_Flag>:$ok,
    Variadic<Muon_F32Scalar>:$clip,
    DefaultValuedAttr<BoolAttr, "true">:$skip_nonfinite);
  let hasCanonicalizer = 1;
}

def Muon_AdvanceOp : Muon_ConditionalOp<"advance", ["when?", "step!"], 1> {
  let summary = "count the step";
  let description = [{
    step ← step + 1 if `when` holds (or is absent), else step.

    Example:
    ```mlir
    %t1 = muon.advance when(%ok : tensor<i1>) step(%t : tensor<i64>)
    ```
  }];
  let arguments = (ins Variadic<Muon_Flag>:$when, Variadic<Muon_Counter>:$step);
}

def Muon_UpdateOp : Muon_ConditionalOp<"update",
    ["gradient", "gradient_sums", "momentum_sums", "lr", "weight_decay", "beta",
     "clip?", "when?", "weight!", "momentum!", "master?!", "update_sums?",
     "weight_sums?"], 8> {
  let summary = "one Muon step of a matrix, a batch or a stack of matrices";
  let description = [{
    For each matrix W (r×c), gradient G, momentum M, with κ = `clip` or 1:

    ```
    G ← κ·G
    ema:        M ← βM + (1−β)G,  U = nesterov ? βM + (1−β)G : M
    heavy_ball: M ← βM + G,       U = nesterov ? G + βM : M
    X = U / (safety·‖U‖_F + eps), or 0 if U is 0
    `steps` times, on the shorter side:  A = XXᵀ,  X ← aX + (bA + cA²)X
    W ← (1 − lr·λ)·W − lr·lr_multiplier·s·X
    ```

    (a, b, c) come from `schedule`, s from `scale` (1 without), λ from `weight_decay`. If
    `when` is false nothing changes. `gradient_sums` and `momentum_sums` are
    the sums of squares (`muon.sum_squares`) of gradient and momentum; they
    bound ‖U‖, so that X is computed in range whatever the scale of G, M and U.
    With a `master`, that f32 copy is what is updated and the weight becomes
    its rounding. `update_sums` receives Σ(lr_multiplier·s·X)² and
    `weight_sums` ΣW² (after the step) of each matrix.

    Constraints: weight, gradient, momentum and master have the same shape, or
    the gradient is a tensor that holds the members of a stack one after the
    other; `*_sums` have one element per matrix; the master is f32 and the weight is
    not; safety > 0; eps ≥ 0; 1 ≤ steps ≤ 100; `restarts` as in
    `muon.orthogonalize`; all numbers are finite. `transposed` says that the tensor is stored in×out and swaps fan-out and
    fan-in in the scale rule.

    With `exchange` this rank has blocks of the matrices: all of the above holds
    for whole matrices, of which the sums are, too. Owners, where there are any,
    are one for each matrix, and do not decrease.

    Example:
    ```mlir
    %w1, %m1 = muon.update gradient(%g : tensor<16x64xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) weight(%w : tensor<16x64xf32>) momentum(%m : tensor<16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
    ```
  }];
  let arguments = (ins
    Variadic<Muon_Matrices>:$gradient, Variadic<Muon_F64List>:$gradient_sums,
    Variadic<Muon_F64List>:$momentum_sums, Variadic<Muon_F32Scalar>:$lr,
    Variadic<Muon_F32Scalar>:$weight_decay, Variadic<Muon_F32Scalar>:$beta,
    Variadic<Muon_F32Scalar>:$clip, Variadic<Muon_Flag>:$when,
    Variadic<Muon_Matrices>:$weight, Variadic<Muon_Matrices>:$momentum,
    Variadic<Muon_Matrices>:$master, Variadic<Muon_F64List>:$update_sums,
    Variadic<Muon_F64List>:$weight_sums,
    DefaultValuedAttr<Muon_MomentumFormAttr, "MomentumForm::HeavyBall">:$momentum_form,
    DefaultValuedAttr<BoolAttr, "true">:$nesterov,
    DefaultValuedAttr<F64Attr, "1.0">:$safety,
    DefaultValuedAttr<F64Attr, "0.0">:$eps,
    Muon_ScheduleAttr:$schedule,
    DefaultValuedAttr<I64Attr, "5">:$steps,
    DefaultValuedAttr<Muon_IterationAttr, "Iteration::Auto">:$iteration,
    OptionalAttr<DenseI64ArrayAttr>:$restarts,
    DefaultValuedAttr<Muon_SideAttr, "Side::Auto">:$side,
    DefaultValuedAttr<Muon_ComputeAttr, "Compute::Auto">:$compute,
    OptionalAttr<Muon_ScaleAttr>:$scale,
    DefaultValuedAttr<BoolAttr, "false">:$transposed,
    DefaultValuedAttr<F64Attr, "1.0">:$lr_multiplier,
    OptionalAttr<Muon_ExchangeAttr>:$exchange);
}

def Muon_AdamWUpdateOp : Muon_ConditionalOp<"adamw_update",
    ["gradient", "lr", "weight_decay", "step", "clip?", "when?", "weight!",
     "exp_avg!", "exp_avg_sq!", "master?!", "update_sums?", "weight_sums?"],
    6> {
  let summary = "one AdamW step of a tensor of any rank";
  let description = [{
    With t = `step` (already advanced) and κ = `clip` or 1, elementwise:

    ```
    g = κ·G
    m ← beta1·m + (1−beta1)·g,   v ← beta2·v + (1−beta2)·g²
    u = (m / (1−beta1ᵗ)) / (√(v / (1−beta2ᵗ)) + eps)
    W ← (1 − lr·λ)·W − lr·lr_multiplier·u
    ```

    (Loshchilov and Hutter, arXiv 1711.05101.) u is computed from m and v
    before they are rounded to their storage type. `when`, `master` and the
    sums are those of `muon.update`, with u for X.

    Constraints: all tensors have the same shape, but for a gradient as in
    `muon.update`; 0 ≤ beta1, beta2 < 1;
    eps ≥ 0; all numbers are finite; the master is f32 and the weight is not.

    Example:
    ```mlir
    %w1, %m1, %v1 = muon.adamw_update gradient(%g : tensor<64xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%w : tensor<64xf32>) exp_avg(%m : tensor<64xf32>) exp_avg_sq(%v : tensor<64xf32>) {beta1 = 0.9 : f64, beta2 = 0.95 : f64, eps = 1.0e-8 : f64}
    ```
  }];
  let arguments = (ins
    Variadic<Muon_Param>:$gradient, Variadic<Muon_F32Scalar>:$lr,
    Variadic<Muon_F32Scalar>:$weight_decay, Variadic<Muon_Counter>:$step,
    Variadic<Muon_F32Scalar>:$clip, Variadic<Muon_Flag>:$when,
    Variadic<Muon_Param>:$weight, Variadic<Muon_Param>:$exp_avg,
    Variadic<Muon_Param>:$exp_avg_sq, Variadic<Muon_Param>:$master,
    Variadic<Muon_F64List>:$update_sums, Variadic<Muon_F64List>:$weight_sums,
    DefaultValuedAttr<F64Attr, "0.9">:$beta1,
    DefaultValuedAttr<F64Attr, "0.95">:$beta2,
    DefaultValuedAttr<F64Attr, "1.0e-8">:$eps,
    DefaultValuedAttr<F64Attr, "1.0">:$lr_multiplier);
}

#endif // MUON_STEP_OPS
