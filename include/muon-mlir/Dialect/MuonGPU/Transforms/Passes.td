//===- Passes.td - Passes that stay in the muon_gpu dialect -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_GPU_TRANSFORMS_PASSES
#define MUON_GPU_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def FuseSumsPass : Pass<"muon-gpu-fuse-sums"> {
  let summary = "add up what a later pass reads anyway";
  let description = [{
    A stream that only adds up becomes part of the first later stream that reads
    the same operands, if neither that stream nor anything before it needs the
    sums, and nothing in between writes what is added up. So the norm of a
    gradient that is only reported costs no pass of its own. Where a clip
    coefficient, a flag or a power of two comes from the sums, they stay where
    they are. A remark says how many bytes of traffic there were and are, or why
    nothing changed.

    NON-NUMERIC-PRESERVING: sums are still taken in f64 and in an order fixed by
    shape and schedule, which is that of the later stream. Elements that it
    computes do not change.

    ```mlir
    muon_gpu.stream ins(%g : …) sums(%s : memref<1xf64>) { … }
    muon_gpu.stream ins(%g, %w : …) outs(%w : …) { … }
    // becomes
    muon_gpu.stream ins(%g, %w : …) outs(%w : …) sums(%s : memref<1xf64>) { … }
    ```
  }];
  let statistics = [Statistic<"numFused", "fused", "Streams fused">];
}

def FuseEpiloguesPass : Pass<"muon-gpu-fuse-epilogues"> {
  let summary = "do what follows a product in its epilogue";
  let description = [{
    A stream that is the only reader of a product's result, which is scratch
    memory, becomes part of the product's epilogue: the result is neither
    written nor read again. So the last product of an iteration updates the
    weight, its master and its statistics. A remark says how many bytes of
    traffic there were and are.

    Rounding does not change: what was stored is still rounded to the type it
    was stored in.

    ```mlir
    muon_gpu.matmul … outs(%o : memref<1x16x64xf32>) { … }
    muon_gpu.stream ins(%o, %w : …) outs(%w : …) { … }
    // becomes
    muon_gpu.matmul … tiles(%w : …) outs(%w : …) { … }
    ```
  }];
  let statistics = [Statistic<"numFused", "fused", "Streams fused">];
}

def SelectSchedulesPass : Pass<"muon-gpu-select-schedules"> {
  let summary = "choose tiles, warps and stages";
  let description = [{
    Gives every product without `schedule` one from a table, by architecture,
    type of the operands and shape, with a remark that says which and why.
    `masked` is set where sizes are not multiples of the tile. Streams get the
    same schedule, but for the number of operands. `width` is 1 where rows or
    addresses do not allow accesses of four elements; a remark says so.
  }];
  let options = [
    Option<"arch", "arch", "std::string", "\"sm_80\"",
           "Architecture, such as sm_80">];
}

def SplitProductsPass : Pass<"muon-gpu-split-products"> {
  let summary = "split the inner dimension of products";
  let description = [{
    A product with few tiles and a long inner dimension leaves most of a GPU
    idle. Where `split` of its schedule says so, it becomes a batch of products
    of parts of the inner dimension, whose results in f32 are scratch memory, and
    a muon_gpu.stream that adds them in order and does the epilogue.

    ```mlir
    muon_gpu.matmul lhs(%x : memref<1x32x4096xf16>) rhs(%x : …) outs(%a : …) {…}
      {schedule = #muon_gpu.schedule<…, split = 2>}
    // becomes
    %y = memref.reinterpret_cast %x … to memref<2x32x2048xf16, strided<[2048, 4096, 1]>>
    muon_gpu.matmul lhs(%y : …) rhs(%y : …) outs(%p : memref<2x32x32xf32>) …
    muon_gpu.stream ins(%p0, %p1 : memref<1x32x32xf32>, …) outs(%a : …) …
    ```

    Streams have no schedule yet.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect",
                           "::mlir::arith::ArithDialect"];
  let statistics = [Statistic<"numSplit", "split", "Products split">];
}

def SplitSumsPass : Pass<"muon-gpu-split-sums"> {
  let summary = "give every block a partial sum of its own";
  let description = [{
    Where several blocks of a product or stream add to one sum, each writes a
    partial sum to scratch memory, and a muon_gpu.reduce adds them: in an order
    that depends on the shape and the schedule alone. Expects schedules.

    ```mlir
    muon_gpu.stream … sums(%s : memref<2xf64>) …
    // becomes
    muon_gpu.stream … sums(%p : memref<24xf64>) …
    muon_gpu.launch {
      muon_gpu.reduce partials(%p : memref<24xf64>) sums(%s : memref<2xf64>)
    }
    ```
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect"];
}

def FormLaunchesPass : Pass<"muon-gpu-form-launches"> {
  let summary = "group work into launches";
  let description = [{
    Puts all work of a block into muon_gpu.launch operations, as few as its
    dependences and `scratch-limit` allow: products that one kernel serves,
    streams that one kernel serves, and work of one block. Work that is only
    used under a condition gets that condition.

    Chains of products over separate scratch memory advance side by side, which
    needs the scratch memory of all of them; with `scratch-limit` only as many
    do as fit.

    Rounding does not change.
  }];
  let options = [
    Option<"scratchLimit", "scratch-limit", "int64_t", "0",
           "Bytes of scratch memory of chains that run side by side; 0 for no "
           "limit">];
  let statistics = [Statistic<"numLaunches", "launches", "Launches">];
}

#endif // MUON_GPU_TRANSFORMS_PASSES
