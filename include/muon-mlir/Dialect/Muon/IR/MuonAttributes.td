//===- MuonAttributes.td - Attributes and enums of the muon dialect -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_ATTRIBUTES
#define MUON_ATTRIBUTES

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "muon-mlir/Dialect/Muon/IR/MuonDialect.td"

class Muon_Enum<string name, string description, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, description, cases> {
  let cppNamespace = "::mlir::muon";
  let genSpecializedAttr = 0;
}

class Muon_EnumAttr<EnumInfo info, string mnemonic, string prose>
    : EnumAttr<Muon_Dialect, info, mnemonic> {
  let assemblyFormat = "`<` $value `>`";
  let summary = info.summary;
  let description = prose;
}

def Muon_MomentumForm : Muon_Enum<"MomentumForm", "how momentum accumulates", [
  I32EnumAttrCase<"Ema", 0, "ema">,
  I32EnumAttrCase<"HeavyBall", 1, "heavy_ball">]>;
def Muon_MomentumFormAttr : Muon_EnumAttr<Muon_MomentumForm, "momentum_form", [{
  `ema`: M ← βM + (1−β)G, and U = βM + (1−β)G with Nesterov's correction.
  `heavy_ball`: M ← βM + G, and U = G + βM with it. Without it U = M.
}]>;

def Muon_Iteration : Muon_Enum<"Iteration", "space of the iteration", [
  I32EnumAttrCase<"Auto", 0, "auto">,
  I32EnumAttrCase<"Direct", 1, "direct">,
  I32EnumAttrCase<"Gram", 2, "gram">]>;
def Muon_IterationAttr : Muon_EnumAttr<Muon_Iteration, "iteration", [{
  `direct` iterates on X itself, `gram` on its Gram matrix; `auto` leaves the
  choice to the compiler.
}]>;

def Muon_Side : Muon_Enum<"Side", "side of X that its Gram matrix stands on", [
  I32EnumAttrCase<"Auto", 0, "auto">,
  I32EnumAttrCase<"Left", 1, "left">,
  I32EnumAttrCase<"Right", 2, "right">]>;
def Muon_SideAttr : Muon_EnumAttr<Muon_Side, "side", [{
  `left`: products (XXᵀ)X; `right`: products X(XᵀX). `auto` takes the side on
  which the Gram matrix is smaller, `left` for square matrices.
}]>;

def Muon_Compute : Muon_Enum<"Compute", "arithmetic of the products", [
  I32EnumAttrCase<"Auto", 0, "auto">,
  I32EnumAttrCase<"F32", 1, "f32">,
  I32EnumAttrCase<"TF32", 2, "tf32">,
  I32EnumAttrCase<"BF16", 3, "bf16">,
  I32EnumAttrCase<"F16", 4, "f16">]>;
def Muon_ComputeAttr : Muon_EnumAttr<Muon_Compute, "compute", [{
  Type of the products' operands, independent of the storage types of weight,
  gradient and momentum. `auto` leaves the choice to the target.
}]>;

def Muon_ScaleRule : Muon_Enum<"ScaleRule", "rule for the update's scale", [
  I32EnumAttrCase<"None", 0, "none">,
  I32EnumAttrCase<"Original", 1, "original">,
  I32EnumAttrCase<"MatchRmsAdamW", 2, "match_rms_adamw">,
  I32EnumAttrCase<"Spectral", 3, "spectral">,
  I32EnumAttrCase<"Constant", 4, "constant">]>;

def Muon_Role : Muon_Enum<"Role", "role of a step's argument", [
  I32EnumAttrCase<"Weight", 0, "weight">,
  I32EnumAttrCase<"Gradient", 1, "gradient">,
  I32EnumAttrCase<"Momentum", 2, "momentum">,
  I32EnumAttrCase<"ExpAvg", 3, "exp_avg">,
  I32EnumAttrCase<"ExpAvgSq", 4, "exp_avg_sq">,
  I32EnumAttrCase<"Master", 5, "master">,
  I32EnumAttrCase<"Step", 6, "step">,
  I32EnumAttrCase<"Lr", 7, "lr">,
  I32EnumAttrCase<"WeightDecay", 8, "weight_decay">,
  I32EnumAttrCase<"Beta", 9, "beta">,
  I32EnumAttrCase<"ClipLimit", 10, "clip_limit">,
  I32EnumAttrCase<"Ok", 11, "ok">,
  I32EnumAttrCase<"Clip", 12, "clip">,
  I32EnumAttrCase<"GradientSums", 13, "gradient_sums">,
  I32EnumAttrCase<"MomentumSums", 14, "momentum_sums">,
  I32EnumAttrCase<"UpdateSums", 15, "update_sums">,
  I32EnumAttrCase<"WeightSums", 16, "weight_sums">]>;
def Muon_RoleAttr : Muon_EnumAttr<Muon_Role, "role", [{
  What an argument of a step stands for; docs/artifact.md lists the roles.
}]>;

def Muon_Reduction : Muon_Enum<"Reduction", "how ranks combine numbers", [
  I32EnumAttrCase<"Sum", 0, "sum">,
  I32EnumAttrCase<"Mean", 1, "mean">]>;
def Muon_ReductionAttr : Muon_EnumAttr<Muon_Reduction, "reduction", [{
  `sum` over the ranks of a group, or `mean`, which is the sum times 1 / (size
  of the group).
}]>;

class Muon_Attr<string name, string attrMnemonic> : AttrDef<Muon_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def Muon_ScaleAttr : Muon_Attr<"Scale", "scale"> {
  let summary = "scale rule of an update";
  let description = [{
    The factor s of W ← (1 − lr·λ)·W − lr·s·O for an r×c matrix with fan-out r
    and fan-in c:

    | rule | s | source |
    |---|---|---|
    | `none` | 1 | |
    | `original` | √max(1, r/c) | github.com/KellerJordan/Muon |
    | `match_rms_adamw` | 0.2·√max(r, c) | Moonlight, arXiv 2502.16982 |
    | `spectral` | √(r/c) | Bernstein, "Deriving Muon" |
    | `constant x` | x | |

    Example: `#muon.scale<original>`, `#muon.scale<constant 0.3>`.
  }];
  let parameters = (ins "::mlir::muon::ScaleRule":$rule,
                        APFloatParameter<"s of `constant`, else 1">:$value);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The factor s for a matrix of fan-out `rows` and fan-in `cols`.
    double getFactor(int64_t rows, int64_t cols) const;
  }];
}

def Muon_ScheduleAttr : Muon_Attr<"Schedule", "schedule"> {
  let summary = "coefficients (a, b, c) of each polynomial step";
  let description = [{
    Either the name of a table in `muon-mlir/Dialect/Muon/Schedules.h` or a
    literal list. A schedule shorter than the number of steps repeats its last
    entry.

    Example: `#muon.schedule<polar_express>`,
    `#muon.schedule<[2.0, -1.5, 0.5], [1.875, -1.25, 0.375]>`.
  }];
  let parameters = (ins
    StringRefParameter<"name of a table, or empty">:$name,
    "::mlir::DenseF64ArrayAttr":$literal);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Coefficients of step `step`, counted from 0.
    ::std::array<double, 3> getCoefficients(int64_t step) const;
  }];
}

def Muon_RowsAttr : Muon_Attr<"Rows", "rows"> {
  let summary = "row block of a tensor, treated as a matrix of its own";
  let description = [{
    Rows `begin` to `end` (exclusive) of the tensor `tensor`, which has `rows`
    rows.

    Example: `#muon.rows<"attn.qkv", 0 to 48 of 144>`.
  }];
  let parameters = (ins "::mlir::StringAttr":$tensor, "int64_t":$begin,
                        "int64_t":$end, "int64_t":$rows);
  let assemblyFormat = "`<` $tensor `,` $begin `to` $end `of` $rows `>`";
  let genVerifyDecl = 1;
}

def Muon_PartAttr : Muon_Attr<"Part", "part"> {
  let summary = "part of a tensor that is spread over ranks";
  let description = [{
    This rank has the block of shape `block` at `offset` of the tensor `tensor`,
    whose whole shape is `shape`. With `from`, an argument is a run of the
    block's elements, row-major, that starts with number `from`; without, it is
    the block.

    Example: `#muon.part<tensor = "w", block = [48, 16], offset = [0, 16], shape = [48, 32]>`.
  }];
  let parameters = (ins "::mlir::StringAttr":$tensor,
                        OptionalParameter<"::mlir::IntegerAttr">:$from,
                        "::mlir::DenseI64ArrayAttr":$block,
                        "::mlir::DenseI64ArrayAttr":$offset,
                        "::mlir::DenseI64ArrayAttr":$shape);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Muon_ShardingAttr : Muon_Attr<"Sharding", "sharding"> {
  let summary = "how a tensor is laid out over the grid";
  let description = [{
    For each dimension, of a stack of each member, the axes of the module's
    `shard.grid` along which it is split, outermost first, as `split_axes` of
    `shard.sharding` has them. Of d elements over n ranks the first d mod n have
    one more than the others. Ranks along other axes have the same.

    Example: `#muon.sharding<[[1], []]>`.
  }];
  let parameters = (ins
    ArrayRefParameter<"::mlir::DenseI64ArrayAttr">:$splitAxes);
  let assemblyFormat = "`<` `[` $splitAxes `]` `>`";
  let genVerifyDecl = 1;
}

def Muon_UnreducedAttr : Muon_Attr<"Unreduced", "unreduced"> {
  let summary = "gradient that ranks still have to add up";
  let description = [{
    Each rank along `axes` of the grid has a gradient of its own; the gradient
    of the step is their sum or mean. `shard.sharding` cannot say this.

    Example: `#muon.unreduced<[0], mean>`.
  }];
  let parameters = (ins "::mlir::DenseI64ArrayAttr":$axes,
                        "::mlir::muon::Reduction":$reduction);
  let assemblyFormat = "`<` $axes `,` $reduction `>`";
  let genVerifyDecl = 1;
}

def Muon_GroupAttr : Muon_Attr<"Group", "group"> {
  let summary = "ranks that take part in a collective";
  let description = [{
    The ranks that differ from this one along `axes` of the grid alone, in
    row-major order of their places along these axes; this rank is number
    `place` of `size`.

    Example: `#muon.group<@grid, [0], 1 of 2>`.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$grid,
                        "::mlir::DenseI64ArrayAttr":$axes, "int64_t":$place,
                        "int64_t":$size);
  let assemblyFormat = "`<` $grid `,` $axes `,` $place `of` $size `>`";
  let genVerifyDecl = 1;
}

def Muon_StrategyKind : Muon_Enum<"StrategyKind", "who updates a sharded matrix", [
  I32EnumAttrCase<"Own", 0, "own">,
  I32EnumAttrCase<"Gather", 1, "gather">,
  I32EnumAttrCase<"DistributedGram", 2, "distributed_gram">]>;

def Muon_ExchangeAttr : Muon_Attr<"Exchange", "exchange"> {
  let summary = "how ranks orthogonalize matrices of which each has a block";
  let description = [{
    The ranks of `group` have blocks of matrices with `shape` (rows and
    columns), laid out as `sharding` (of the two dimensions) says.

    - `own`: place `owners[i]` of the group gets matrix i, orthogonalizes it and
      sends blocks of the result back.
    - `gather`: each rank gets all matrices and keeps its blocks of the results.
    - `distributed_gram`: the ranks add up Gram matrices; blocks stay where they
      are.

    Example: `#muon.exchange<own, group = #muon.group<@grid, [0], 1 of 2>, sharding = #muon.sharding<[[0], []]>, shape = [48, 32], owners = [0, 1]>`.
  }];
  let parameters = (ins "::mlir::muon::StrategyKind":$strategy,
                        "::mlir::muon::GroupAttr":$group,
                        "::mlir::muon::ShardingAttr":$sharding,
                        "::mlir::DenseI64ArrayAttr":$shape,
                        "::mlir::DenseI64ArrayAttr":$owners);
  let assemblyFormat = [{
    `<` $strategy `,` `group` `=` qualified($group) `,` `sharding` `=` qualified($sharding) `,`
    `shape` `=` $shape `,` `owners` `=` $owners `>`
  }];
  let genVerifyDecl = 1;
}

#endif // MUON_ATTRIBUTES
