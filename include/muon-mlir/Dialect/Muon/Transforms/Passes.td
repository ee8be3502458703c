//===- Passes.td - Passes that stay in the muon dialect -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_TRANSFORMS_PASSES
#define MUON_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def AssignOptimizersPass : Pass<"muon-assign-optimizers", "::mlir::ModuleOp"> {
  let summary = "resolve muon.optimize by rank, name rules and overrides";
  let description = [{
    Replaces every `muon.optimize` by the update that the rules choose for its
    parameter, and gives the function what the updates need: state, one set of
    run-time scalars per rule group, the look, the step counter and reports.
    Parameters whose rules say `frozen` leave the function and are listed in
    `muon.frozen`. docs/rules.md describes the rules.

    Where the rules have a grid, so has the module then, and parameters that
    have no placement yet get theirs.

    ```mlir
    %w1 = muon.optimize weight(%w) gradient(%g) : tensor<8x4xf32>, tensor<8x4xf32>
    // becomes, with arguments %m, %lr, … added
    %w1, %m1 = muon.update gradient(%g : …) … weight(%w : …) momentum(%m : …)
    ```
  }];
  let options = [
    Option<"rules", "rules", "std::string", "",
           "Rules file (JSON); the defaults if empty">,
    Option<"grid", "grid", "std::string", "",
           "Axes and their sizes, as in dp=8,tp=2: other sizes for the grid of "
           "the rules, or a grid if they have none">];
  let statistics = [
    Statistic<"numMuon", "muon", "Parameters updated by Muon">,
    Statistic<"numAdamW", "adamw", "Parameters updated by AdamW">,
    Statistic<"numFrozen", "frozen", "Parameters left alone">];
  let dependentDialects = ["::mlir::func::FuncDialect",
                           "::mlir::muon::MuonDialect",
                           "::mlir::shard::ShardDialect"];
}

def StackUpdatesPass : Pass<"muon-stack-updates", "::mlir::ModuleOp"> {
  let summary = "merge updates of equal shape into updates of stacks";
  let description = [{
    Updates with the same types, attributes and run-time scalars whose tensors
    are arguments of the function become one update of stacks, so that the size
    of the IR follows the number of distinct shapes. Order is kept: members
    stand in the order of their updates, stacks in the order of their first
    member. Buffers stay where they are; only their addresses are listed
    together.

    NON-NUMERIC-PRESERVING: sums of squares meet in the look in another order,
    which may change the last bits of the clip coefficient.

    ```mlir
    func.func @step(%w0: tensor<8x4xf32> {muon.names = ["a"], …},
                    %w1: tensor<8x4xf32> {muon.names = ["b"], …}, …)
    // becomes
    func.func @step(%w: !muon.stack<2x8x4xf32> {muon.names = ["a", "b"], …}, …)
    ```
  }];
  let statistics = [
    Statistic<"numStacks", "stacks", "Stacks made">,
    Statistic<"numMembers", "members", "Updates merged into stacks">];
  let dependentDialects = ["::mlir::func::FuncDialect",
                           "::mlir::muon::MuonDialect"];
}

def AbsorbShardingsPass : Pass<"muon-absorb-shardings", "::mlir::ModuleOp"> {
  let summary = "turn shard.shard of arguments into attributes of these";
  let description = [{
    Other compilers say by shard.shard how the arguments of a function are laid
    out. Later passes look at `muon.sharding` of the argument. Halos and offsets
    are errors.

    ```mlir
    %s = shard.sharding @grid split_axes = [[0]] : !shard.sharding
    %w0 = shard.shard %w to %s : tensor<8x4xf32>
    // becomes an attribute of %w
    muon.sharding = #muon.sharding<[[0], []]>
    ```
  }];
  let dependentDialects = ["::mlir::muon::MuonDialect"];
}

def PlaceArgumentsPass : Pass<"muon-place-arguments", "::mlir::ModuleOp"> {
  let summary = "a grid, and where nobody says otherwise placements on it";
  let description = [{
    Gives the module a shard.grid with the axes of `grid`, or the grid that it
    has other sizes. A step whose arguments have no placement yet gets one by
    the names of the axes:

    | axis | placement |
    |---|---|
    | `dp` | weights on every rank; gradients have to be averaged |
    | `fsdp` | weights, gradients and state split along their first dimension |
    | `ep` | the same, but only tensors of rank 3, along the batch |
    | any other | on every rank |

    ```mlir
    func.func @step(… %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, …})
    // becomes, with grid=dp=2
    shard.grid @grid(shape = 2) {muon.axes = ["dp"]}
    func.func @step(… %g: tensor<8x4xf32> {…, muon.unreduced = #muon.unreduced<[0], mean>})
    ```
  }];
  let options = [
    Option<"grid", "grid", "std::string", "",
           "Axes and their sizes, as in dp=8,tp=2">];
  let dependentDialects = ["::mlir::muon::MuonDialect",
                           "::mlir::shard::ShardDialect"];
}

def DistributePass : Pass<"muon-distribute", "::mlir::ModuleOp"> {
  let summary = "the step of one rank, with collectives";
  let description = [{
    Turns a step of whole tensors, whose arguments say by `muon.sharding` and
    `muon.unreduced` how they are laid out over the module's shard.grid, into
    the step of one rank. Arguments become what that rank has of them, and
    `muon.names` says where it belongs. A planner that knows the cost of
    communication and products, and the `topology`, chooses for each parameter
    who updates it; `muon.strategy` on an update decides instead. All ranks make
    the same plan, which the module gets as `muon.plan`. docs/distribution.md
    describes strategies and their cost.

    Matrices that several ranks have whole get owners. These receive the sums of
    their gradients, keep their state, update them, and send the weights to the
    others. Elementwise updates are divided in the same way, but anywhere. The
    sums that the look needs are added up over all ranks, so that all of them
    take the step or none does.

    ```mlir
    %w1, %m1 = muon.update gradient(%g : !muon.stack<4x8x4xf32>) … weight(%w : …)
    // becomes, on rank 0 of 2
    %r = muon.reduce_scatter value(%g : !muon.stack<4x8x4xf32>) out(… : tensor<2x8x4xf32>) …
    %w1, %m1 = muon.update gradient(%r : tensor<2x8x4xf32>) … weight(%w : !muon.stack<2x8x4xf32>)
    %o1 = muon.all_gather value(%w1 : …) out(%o : !muon.stack<2x8x4xf32>) …
    ```
  }];
  let options = [
    Option<"rank", "rank", "int64_t", "0", "Number of the rank">,
    Option<"topology", "topology", "std::string", "",
           "Topology file (JSON): latency and bandwidth of each axis, FLOP/s "
           "and memory of a rank">,
    Option<"compute", "compute", "std::string", "\"f32\"",
           "Precision of products where an update has `auto`">,
    Option<"bucketBytes", "bucket-bytes", "int64_t", "67108864",
           "Parameters share a collective up to this size">];
  let dependentDialects = ["::mlir::func::FuncDialect",
                           "::mlir::muon::MuonDialect",
                           "::mlir::shard::ShardDialect",
                           "::mlir::tensor::TensorDialect"];
}

def DecomposeUpdatesPass : Pass<"muon-decompose-updates"> {
  let summary = "split muon.update into the operations of the math level";
  let description = [{
    ```mlir
    %w1, %m1 = muon.update …
    // becomes
    %m1, %x, %s, %u = muon.momentum …
    %f = muon.normalize …
    %o = muon.orthogonalize …
    %w1 = muon.apply …
    ```
    Rounding does not change: this is the definition of muon.update.
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

def SelectIterationPass : Pass<"muon-select-iteration"> {
  let summary = "choose side, iteration and precision of updates";
  let description = [{
    Replaces `auto` in muon.update and muon.orthogonalize by a choice, with a
    remark that says why: the side on which the Gram matrix is smaller;
    `compute`, or the type of the products' operands; the Gram iteration where it saves a
    tenth of the floating-point operations and its error is acceptable, with the
    restarts that make it so. Never in bf16, where its error is not. What is
    written by hand stays, with a warning where it costs accuracy. The reason
    also becomes the attribute `muon.why`.
  }];
  let options = [
    Option<"compute", "compute", "std::string", "\"f32\"",
           "Precision of products where an update has `auto`">];
  let statistics = [
    Statistic<"numDirect", "direct", "Direct iterations">,
    Statistic<"numGram", "gram", "Iterations in Gram space">];
}

def UnrollOrthogonalizePass : Pass<"muon-unroll-orthogonalize"> {
  let summary = "unroll muon.orthogonalize into steps and products";
  let description = [{
    A direct iteration becomes one muon.polynomial_step for each step, with its
    coefficients; the first takes the factor. An iteration in Gram space becomes
    its products, segment by segment between restarts. Expects side, iteration
    and precision to be chosen.

    ```mlir
    // iteration = gram, one segment of two steps, z = b·r + c·r²:
    %r0 = muon.symmetric_product x(%x)
    %z0 = muon.symmetric_product x(%r0) addend(%r0) {alpha = c0, beta = b0}
    %h0 = muon.commuting_product lhs(%r0) rhs(%z0) {rhs_shift = a0}
    %r1 = muon.commuting_product lhs(%z0) rhs(%h0) {lhs_shift = a0}
    %z1 = muon.symmetric_product x(%r1) addend(%r1) {alpha = c1, beta = b1}
    %q1 = muon.commuting_product lhs(%z0) rhs(%z1) {lhs_shift = a0, rhs_shift = a1}
    %y  = muon.symmetric_apply s(%q1) x(%x)
    ```
    In f16 every m×m matrix is stored times a power of two that keeps it in
    range; the attributes of the products make up for it exactly.
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

def ExpandPolynomialsPass : Pass<"muon-expand-polynomials"> {
  let summary = "expand muon.polynomial_step into products";
  let description = [{
    ```mlir
    %y = muon.polynomial_step x(%x) … {a, b, c}
    // becomes
    %g = muon.symmetric_product x(%x)
    %p = muon.symmetric_product x(%g) addend(%g) {alpha = c, beta = b}
    %y = muon.symmetric_apply s(%p) x(%x) {beta = a}
    ```
    Rounding does not change: this is the definition of muon.polynomial_step.
    With c = 0, P is formed from A without its square.
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

def PipelineExchangesPass : Pass<"muon-pipeline-exchanges"> {
  let summary = "start to bring matrices together while others are worked on";
  let description = [{
    Moves the collective that brings the matrices of an update together, and the
    momentum before it, behind that of the update before: data can move while
    that one computes. Not further, so that the matrices of at most two updates
    are in memory. Updates count by groups of ranks, whose members all have the
    same collectives and get the same order, also those that have nothing of a
    matrix.

    ```mlir
    %0 = muon.all_to_all value(%x0 …) … {label = "X"}
    %1 = muon.orthogonalize x(%0 …) …
    %m, %x1 … = muon.momentum …
    %2 = muon.all_to_all value(%x1 …) … {label = "X"}
    // becomes
    %0 = muon.all_to_all value(%x0 …) … {label = "X"}
    %m, %x1 … = muon.momentum …
    %2 = muon.all_to_all value(%x1 …) … {label = "X"}
    %1 = muon.orthogonalize x(%0 …) …
    ```
  }];
  let statistics = [
    Statistic<"numHoisted", "hoisted", "Collectives moved ahead">];
}

def OverlapCollectivesPass : Pass<"muon-overlap-collectives"> {
  let summary = "let data move while other work is done";
  let description = [{
    On buffers, starts every collective as early as what it sends and where it
    receives allow, in the order in which they stand, which is the same on all
    ranks, and waits for it only where something needs it. Buffers live until
    then, so that muon-plan-arena knows what is in flight.

    ```mlir
    muon.all_gather value(%w : …) out(%o : …) …
    muon.momentum …
    muon.sum_squares value(%o : …) …
    // becomes
    muon.all_gather value(%w : …) out(%o : …) … {handle = 0 : i64}
    muon.momentum …
    muon.wait value(%w : …) out(%o : …) {handle = 0 : i64}
    muon.sum_squares value(%o : …) …
    ```
  }];
  let statistics = [
    Statistic<"numOverlapped", "overlapped", "Collectives with work beside">];
  let dependentDialects = ["::mlir::muon::MuonDialect"];
}

def CheckInPlacePass : Pass<"muon-check-in-place"> {
  let summary = "check that every update can happen in place";
  let description = [{
    Bufferization would copy a tensor that is used after it was updated, and
    cannot copy a stack. This pass makes that an error at the later use. It also
    checks that a step returns updated arguments and nothing else, and leaves
    gradients and run-time scalars alone.
  }];
}

def PlanArenaPass : Pass<"muon-plan-arena"> {
  let summary = "place all scratch buffers in one arena";
  let description = [{
    Gives every memref.alloc of a function an offset in one arena such that
    buffers that live at the same time do not overlap. A buffer lives from the
    first to the last operation of its block that uses it.

    ```mlir
    %0 = memref.alloc() : memref<1x16x64xf32>
    // becomes
    %a = muon.arena : memref<12288xi8>
    %0 = memref.view %a[%c0][] : memref<12288xi8> to memref<1x16x64xf32>
    ```
  }];
  let options = [
    Option<"alignment", "alignment", "int64_t", "64",
           "Alignment of every buffer, in bytes">];
  let statistics = [
    Statistic<"arenaBytes", "arena-bytes", "Size of the arena">,
    Statistic<"totalBytes", "total-bytes", "Size of all buffers together">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::muon::MuonDialect"];
}

def SplitStacksPass : Pass<"muon-split-stacks"> {
  let summary = "process large stacks in passes that need less scratch memory";
  let description = [{
    From momentum to apply, all matrices of a stack have scratch buffers at the
    same time. Where those exceed `scratch-limit`, the operations go into a loop
    over as few passes as the limit allows, each of which works on equally many
    matrices in the same scratch buffers; what remains follows the loop. A limit
    below the need of one matrix is an error that says what is needed.

    Rounding does not change: no operation mixes matrices.

    ```mlir
    muon.momentum … momentum(%m : !muon.table<8x48x16xf32>) x(%x : memref<8x48x16xf32>) …
    // becomes
    scf.for %i = %c0 to %c8 step %c2 {
      %part = muon.slice %m[%i] : !muon.table<8x48x16xf32> to !muon.table<2x48x16xf32>
      muon.momentum … momentum(%part : …) x(%y : memref<2x48x16xf32>) …
    }
    ```
  }];
  let options = [
    Option<"scratchLimit", "scratch-limit", "int64_t", "0",
           "Bytes of scratch memory of one stack; 0 for no limit">];
  let statistics = [
    Statistic<"numSplit", "split", "Stacks processed in passes">,
    Statistic<"numPasses", "passes", "Passes over all of them">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def GuardStepPass : Pass<"muon-guard-step"> {
  let summary = "put what depends on one condition under one scf.if";
  let description = [{
    Wraps runs of operations of a function's entry block that depend on the same
    `when`, with those between them that only write scratch, into an scf.if, so
    that a step that is not taken does no work. Works on buffers, where operations have no results.

    ```mlir
    muon.momentum … when(%ok : memref<i1>) …
    // becomes
    %0 = memref.load %ok[] : memref<i1>
    scf.if %0 { muon.momentum … }
    ```
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def OutlineLoopsPass : Pass<"muon-outline-loops", "::mlir::ModuleOp"> {
  let summary = "put every loop of the step into a function of its own";
  let description = [{
    Moves the body of each muon.parallel, and each other loop and linalg.generic
    of a public function, or of an scf.if in it, into a private function. Code
    generation takes more than linear time in the size of a function, and a step
    has tens of loops for each distinct shape.
  }];
  let statistics = [Statistic<"numLoops", "loops", "Loops outlined">];
  let dependentDialects = ["::mlir::func::FuncDialect",
                           "::mlir::muon::MuonDialect"];
}

def VectorizeStreamsPass : Pass<"muon-vectorize-streams"> {
  let summary = "lower elementwise linalg on flat buffers to vector loops";
  let description = [{
    Turns each one-dimensional linalg.generic on contiguous memrefs, with any
    number of sums into scalars, into a loop over vectors of 16 elements and
    a scalar rest. Sums stay in registers.

    NON-NUMERIC-PRESERVING: sums are taken in 16 lanes, which are added in
    order, then the rest. The order depends on the length alone.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def RaisePass : Pass<"muon-raise"> {
  let summary = "recognize Newton–Schulz iterations in linalg";
  let description = [{
    Replaces steps X ← aX + (bA + cA²)X, A = XXᵀ, on tensors of rank 2 or 3, one
    after the other or in an scf.for, by one muon.orthogonalize, whose products
    are symmetric. What an operation computes decides, not how it is written:
    products in any order and orientation, by any operation of linalg that is one,
    sums, multiples and transposes are followed as polynomials in X. Transposes
    around the whole are not needed any more. Coefficients have to be constants:
    run `inline` and `canonicalize` before. A product X·Xᵀ that leads to no such
    step gets a remark that says why.

    NON-NUMERIC-PRESERVING: sums are taken in another order.

    ```mlir
    %a  = linalg.matmul ins(%x, %xt) outs(%zero)        // A
    %b  = linalg.generic ins(%a) { -4.775 * a } …        // bA, and so on
    // becomes
    %o = muon.orthogonalize x(%x) out(%empty) {schedule = #muon.schedule<[3.4445, -4.775, 2.0315]>, steps = 5 : i64}
    ```
  }];
  let statistics = [Statistic<"numRaised", "raised", "Iterations replaced">];
  let dependentDialects = ["::mlir::muon::MuonDialect",
                           "::mlir::tensor::TensorDialect"];
}

def VerifyPhasePass : Pass<"muon-verify-phase", "::mlir::ModuleOp"> {
  let summary = "check that no operation outlived a phase";
  let description = [{
    Reports, at its location, every operation that the named phase should have
    replaced.
  }];
  let options = [Option<"phase", "phase", "std::string", "",
                        "step, math, buffers, loops, launches, "
                        "kernels or llvm">];
}

#endif // MUON_TRANSFORMS_PASSES
