//===- MuonMathOps.td - How a step is computed -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MATH_OPS
#define MUON_MATH_OPS

include "muon-mlir/Dialect/Muon/IR/MuonBase.td"

def Muon_MomentumOp : Muon_ConditionalOp<"momentum",
    ["gradient", "gradient_sums", "momentum_sums", "beta", "clip?", "when?",
     "momentum!", "x", "sums", "unit"], 6> {
  let summary = "update the momentum; write the scaled direction and its norm";
  let description = [{
    One pass over memory. With κ = `clip` or 1, for each matrix:

    ```
    ema:        M ← βM + (1−β)κG,  U = nesterov ? βM + (1−β)κG : M
    heavy_ball: M ← βM + κG,       U = nesterov ? κG + βM : M
    unit = 2⁻ᵏ,  x = 2⁻ᵏ·U,  sums = Σx²
    ```

    U is computed from M before it is rounded to its storage type, and the sums
    from x before it is rounded to its own. k is the exponent of an upper bound
    of ‖U‖_F, taken from `gradient_sums` and `momentum_sums`, so that no |x|
    exceeds 1 and neither x nor its products overflow or, relative to their
    norm, underflow. Scaling by 2⁻ᵏ is exact. In f16, whose range is small, k is
    14 less: |x| ≤ 2¹⁴, so that elements of 10⁻⁸ of the norm are normal numbers.

    Constraints: `x` is rank 3 and holds the matrices of `momentum` in order;
    `sums` and `unit` have one element per matrix.

    Example:
    ```mlir
    %m1, %x1, %s1, %u1 = muon.momentum gradient(%g : !muon.stack<2x48x16xf32>) gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>) beta(%beta : tensor<f32>) momentum(%m : !muon.stack<2x48x16xf32>) x(%x : tensor<2x48x16xf32>) sums(%s : tensor<2xf64>) unit(%u : tensor<2xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
    ```
  }];
  let arguments = (ins
    Variadic<Muon_Matrices>:$gradient, Variadic<Muon_F64List>:$gradient_sums,
    Variadic<Muon_F64List>:$momentum_sums, Variadic<Muon_F32Scalar>:$beta,
    Variadic<Muon_F32Scalar>:$clip, Variadic<Muon_Flag>:$when,
    Variadic<Muon_Matrices>:$momentum, Variadic<Muon_Batch>:$x,
    Variadic<Muon_F64List>:$sums, Variadic<Muon_F64List>:$unit,
    Muon_MomentumFormAttr:$momentum_form, BoolAttr:$nesterov);
}

def Muon_NormalizeOp : Muon_TensorOp<"normalize", ["sums", "unit", "factor"], 2> {
  let summary = "factor that normalizes the scaled direction";
  let description = [{
    factor = 1 / (safety·√sums + eps·unit), or 0 where sums = 0, so that
    factor·x = U / (safety·‖U‖_F + eps) for the x, sums and unit of
    `muon.momentum`. Computed in f64. At most 2⁶², so that its square is in range
    of f32: a larger one means that βM and G cancelled to nothing but rounding.
    NaN where sums is not finite.

    Constraints: all operands have the same number of elements; safety > 0;
    eps ≥ 0.

    Example:
    ```mlir
    %f1 = muon.normalize sums(%s : tensor<2xf64>) unit(%u : tensor<2xf64>) factor(%f : tensor<2xf32>) {safety = 1.02 : f64, eps = 0.0 : f64}
    ```
  }];
  let arguments = (ins
    Variadic<Muon_F64List>:$sums, Variadic<Muon_F64List>:$unit,
    Variadic<Muon_F32List>:$factor, F64Attr:$safety, F64Attr:$eps);
}

def Muon_OrthogonalizeOp : Muon_TensorOp<"orthogonalize",
    ["x", "factor?", "out"], 2> {
  let summary = "Newton–Schulz iteration";
  let hasCanonicalizer = 1;
  let description = [{
    out = p_steps(…p_1(factor·x)), with p_i(X) = a_i·X + (b_i·A + c_i·A²)·X and
    A = XXᵀ (`side = left`), or its mirror image X·(…) with A = XᵀX (`right`).
    `side`, `iteration` and `compute` may be `auto`; the passes that decide
    write their choice here.

    `iteration = gram` works on R = XXᵀ instead, with commuting m×m matrices
    (github.com/Dao-AILab/gram-newton-schulz): of each step, with Z = bR + cR²,
    Q ← Q(Z + aI) and R ← (Z + aI)·R·(Z + aI); in the end out = QX. The result is
    the same but for rounding, which grows by about a² a step; before the steps
    listed in `restarts` (counted from 0) X ← QX and R are formed anew.

    With `group` each rank has blocks of the matrices that together are x, split
    along the side that is longer in the products; Gram matrices of x are added
    up over the group. Only `iteration = gram` can do this.

    Products take operands of the type of x, add in f32 and round their results
    to it once; the last one rounds to the type of out. `compute` says what that
    type is: f32 for f32 and, with operands rounded to 10 bits of fraction,
    tf32.

    Constraints: x and out have the same shape, and out the type of x or f32;
    `compute` agrees with the type of x; `factor` has one element per matrix;
    1 ≤ steps ≤ 100; `restarts` increase and lie between 1 and steps − 1, and
    there are none if the iteration is direct.

    Example:
    ```mlir
    %o1 = muon.orthogonalize x(%x : tensor<2x48x16xf32>) factor(%f : tensor<2xf32>) out(%o : tensor<2x48x16xf32>) {schedule = #muon.schedule<polar_express>, steps = 5 : i64}
    ```
  }];
  let arguments = (ins
    Variadic<Muon_Batch>:$x, Variadic<Muon_F32List>:$factor,
    Variadic<Muon_Batch>:$out, Muon_ScheduleAttr:$schedule, I64Attr:$steps,
    DefaultValuedAttr<Muon_IterationAttr, "Iteration::Auto">:$iteration,
    OptionalAttr<DenseI64ArrayAttr>:$restarts,
    DefaultValuedAttr<Muon_SideAttr, "Side::Auto">:$side,
    DefaultValuedAttr<Muon_ComputeAttr, "Compute::Auto">:$compute,
    OptionalAttr<Muon_GroupAttr>:$group);
}

def Muon_PolynomialStepOp : Muon_TensorOp<"polynomial_step",
    ["x", "factor?", "out"], 2> {
  let summary = "one step of the Newton–Schulz iteration";
  let hasCanonicalizer = 1;
  let description = [{
    With X = factor·x: out = aX + (bA + cA²)X, A = XXᵀ for `side = left`;
    out = aX + X(bA + cA²), A = XᵀX for `right`. With `tf32`, operands
    of products are rounded to 10 bits of fraction.

    Constraints: x and out have the same shape, and out the type of x or f32;
    `tf32` needs an x of f32; `factor` has one element per matrix; side is not
    `auto`; a, b, c are finite.

    Example:
    ```mlir
    %y1 = muon.polynomial_step x(%x : tensor<1x16x64xf32>) out(%y : tensor<1x16x64xf32>) {a = 3.4445 : f64, b = -4.775 : f64, c = 2.0315 : f64, side = #muon.side<left>}
    ```
  }];
  let arguments = (ins
    Variadic<Muon_Batch>:$x, Variadic<Muon_F32List>:$factor,
    Variadic<Muon_Batch>:$out, F64Attr:$a, F64Attr:$b, F64Attr:$c,
    UnitAttr:$tf32, Muon_SideAttr:$side);
}

def Muon_SymmetricProductOp : Muon_TensorOp<"symmetric_product",
    ["x", "addend?", "factor?", "out"], 3> {
  let summary = "symmetric product of a matrix with itself";
  let hasCanonicalizer = 1;
  let description = [{
    out = alpha·f²·op(x)op(x)ᵀ + beta·addend with f = factor or 1;
    op(x) = x (m×n) for `side = left`, xᵀ for `right` (x being n×m). Only one
    triangle is computed; the mirror image is stored too, so all of `out` may
    be read. `addend` must be symmetric; only its upper triangle is read, and
    nothing of it if beta is 0. Sums are taken in f32 and rounded once. With
    `tf32`, x is rounded to 10 bits of fraction first, the addend is not.

    Constraints: out (and addend) is B×m×m and has the type of x; `tf32` needs
    an x of f32; beta is 0 without an addend; `factor` has one element per
    matrix; side is not `auto`; alpha and beta are finite.

    Example:
    ```mlir
    %p1 = muon.symmetric_product x(%a : tensor<1x16x16xf32>) addend(%a : tensor<1x16x16xf32>) out(%p : tensor<1x16x16xf32>) {alpha = 2.0315 : f64, beta = -4.775 : f64, side = #muon.side<left>}
    ```
  }];
  let arguments = (ins
    Variadic<Muon_Batch>:$x, Variadic<Muon_Batch>:$addend,
    Variadic<Muon_F32List>:$factor, Variadic<Muon_Batch>:$out,
    DefaultValuedAttr<F64Attr, "1.0">:$alpha,
    DefaultValuedAttr<F64Attr, "0.0">:$beta, UnitAttr:$tf32,
    Muon_SideAttr:$side);
}

def Muon_CommutingProductOp : Muon_TensorOp<"commuting_product",
    ["lhs", "rhs", "out"], 2> {
  let summary = "symmetric product of two symmetric matrices that commute";
  let description = [{
    out = alpha·(lhs + lhs_shift·I)·(rhs + rhs_shift·I) for symmetric m×m
    matrices that commute, as polynomials of one matrix do, so that the product
    is symmetric. Only one triangle is computed, by blocks of rows; the mirror
    image is stored too, so all of `out` may be read. The identities stay
    implicit: the shifts enter as rhs_shift·lhs + lhs_shift·rhs +
    lhs_shift·rhs_shift·I in f32, before the one rounding. With `tf32`, lhs and
    rhs are rounded to 10 bits of fraction where they are multiplied.

    Constraints: lhs, rhs and out have the same shape B×m×m and type; `tf32`
    needs f32; alpha and the shifts are finite.

    Example:
    ```mlir
    %p1 = muon.commuting_product lhs(%a : tensor<1x16x16xf32>) rhs(%b : tensor<1x16x16xf32>) out(%p : tensor<1x16x16xf32>) {rhs_shift = 3.4445 : f64}
    ```
  }];
  let arguments = (ins
    Variadic<Muon_Batch>:$lhs, Variadic<Muon_Batch>:$rhs,
    Variadic<Muon_Batch>:$out, DefaultValuedAttr<F64Attr, "1.0">:$alpha,
    DefaultValuedAttr<F64Attr, "0.0">:$lhs_shift,
    DefaultValuedAttr<F64Attr, "0.0">:$rhs_shift, UnitAttr:$tf32);
}

def Muon_SymmetricApplyOp : Muon_TensorOp<"symmetric_apply",
    ["s", "x", "factor?", "out"], 3> {
  let summary = "product of a symmetric matrix with a matrix, plus the matrix";
  let hasCanonicalizer = 1;
  let description = [{
    out = f·(beta·x + alpha·s·x) for `side = left`, f·(beta·x + alpha·x·s) for
    `right`, with f = factor or 1. The identity in beta·I + alpha·s stays
    implicit: adding it to s would round s to the precision of beta. Sums are
    taken in f32 and rounded once. With `tf32`, s and x are rounded to 10 bits
    of fraction where they are multiplied, the addend beta·x is not.

    Constraints: x and out have the same shape B×r×c; s is B×r×r for `left`,
    B×c×c for `right`, and has the type of x; out has it or f32; `tf32` needs an
    x of f32; `factor` has one element per matrix; side is not `auto`; alpha and
    beta are finite.

    Example:
    ```mlir
    %y1 = muon.symmetric_apply s(%p : tensor<1x16x16xf32>) x(%x : tensor<1x16x64xf32>) out(%y : tensor<1x16x64xf32>) {beta = 3.4445 : f64, side = #muon.side<left>}
    ```
  }];
  let arguments = (ins
    Variadic<Muon_Batch>:$s, Variadic<Muon_Batch>:$x,
    Variadic<Muon_F32List>:$factor, Variadic<Muon_Batch>:$out,
    DefaultValuedAttr<F64Attr, "1.0">:$alpha,
    DefaultValuedAttr<F64Attr, "0.0">:$beta, UnitAttr:$tf32,
    Muon_SideAttr:$side);
}

def Muon_ApplyOp : Muon_ConditionalOp<"apply",
    ["x", "lr", "weight_decay", "when?", "weight!", "master?!", "update_sums?",
     "weight_sums?"], 4> {
  let summary = "decay the weight and subtract the update";
  let description = [{
    One pass over memory: W ← (1 − lr·λ)·W − lr·scale·x, with λ =
    `weight_decay`. With a `master`, the master is updated and the weight
    becomes its rounding. `update_sums` receives Σ(scale·x)², `weight_sums` ΣW²
    (after the step, of the master if there is one), one per matrix.

    Constraints: `x` is rank 3 and holds the matrices of `weight` in order;
    `*_sums` have one element per matrix; scale is finite.

    Example:
    ```mlir
    %w1 = muon.apply x(%o : tensor<1x16x64xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) weight(%w : tensor<16x64xf32>) {scale = 1.6 : f64}
    ```
  }];
  let arguments = (ins
    Variadic<Muon_Batch>:$x, Variadic<Muon_F32Scalar>:$lr,
    Variadic<Muon_F32Scalar>:$weight_decay, Variadic<Muon_Flag>:$when,
    Variadic<Muon_Matrices>:$weight, Variadic<Muon_Matrices>:$master,
    Variadic<Muon_F64List>:$update_sums, Variadic<Muon_F64List>:$weight_sums,
    F64Attr:$scale);
}

#endif // MUON_MATH_OPS
