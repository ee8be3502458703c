//===- Passes.td - Conversions between dialects -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_CONVERSION_PASSES
#define MUON_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def ConvertMuonToLinalgPass : Pass<"convert-muon-to-linalg"> {
  let summary = "turn elementwise muon operations on buffers into linalg";
  let description = [{
    Every operation of the math level except the products becomes one
    linalg.generic on flat buffers, inside a parallel loop over chunks of 65,536
    elements of the matrices; operations on lists and scalars become loops over
    them. So each parameter is read and written once by each operation.

    NON-NUMERIC-PRESERVING: sums are taken chunk by chunk, then added in order.

    ```mlir
    muon.sum_squares value(%g : !muon.table<2x48x16xf32>) sums(%s : memref<2xf64>)
    // becomes
    muon.parallel sums(%s : memref<2xf64>) {
    ^bb0(%i: index, %sum: memref<f64>):
      %0 = muon.member %g[%i] : !muon.table<2x48x16xf32> -> memref<48x16xf32>
      %1 = memref.reinterpret_cast %0 to offset: [0], sizes: [768], strides: [1]
      linalg.generic … ins(%1) outs(%sum) { … }
    } {count = 2 : i64, group = 1 : i64}
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::muon::MuonDialect", "::mlir::scf::SCFDialect"];
}

def LowerCollectivesPass : Pass<"muon-lower-collectives", "::mlir::ModuleOp"> {
  let summary = "turn collectives on buffers into calls of the runtime";
  let description = [{
    Every collective becomes a call that starts it and one that waits for its
    end; the second takes the place of the muon.wait that has the same handle,
    if there is one. What the runtime has to know otherwise becomes an entry of
    the module's `muon.collectives`, and from there of the manifest.

    ```mlir
    muon.all_gather value(%w : memref<48x16xf32>) out(%o : memref<48x16xf32>) …
    // becomes
    muon.start_collective 0(%w, %o) : memref<48x16xf32>, memref<48x16xf32>
    muon.wait_collective 0
    ```
  }];
  let dependentDialects = ["::mlir::muon::MuonDialect",
                           "::mlir::shard::ShardDialect"];
}

def ConvertMuonToMuonGPUPass : Pass<"convert-muon-to-muon-gpu"> {
  let summary = "turn muon operations on buffers into work of a GPU";
  let description = [{
    Products become muon_gpu.matmul, with the constants, the addend and the
    factor 1/‖U‖ in the epilogue; all passes over memory become muon_gpu.stream,
    with the clip coefficient, the cast to the type of the products and the sums
    in the same pass. Rows of scratch matrices are padded to multiples of 16
    bytes. muon.look, muon.advance and muon.normalize stay: they are work of one
    block as they are.

    Rounding does not change, but for the order of sums.

    ```mlir
    muon.symmetric_apply s(%s : memref<1x16x16xbf16>) x(%x : memref<1x16x64xbf16>) out(%y : memref<1x16x64xbf16>) {beta = 3.4445 : f64, side = #muon.side<left>}
    // becomes
    muon_gpu.matmul lhs(%s : memref<1x16x16xbf16>) rhs(%x : memref<1x16x64xbf16>) tiles(%x : memref<1x16x64xbf16>) outs(%y : memref<1x16x64xbf16>) {
    ^bb0(%acc: f32, %b: f64, %a: f64, %xij: bf16):
      …
    } {constants = array<f64: 3.4445, 1.0>}
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::muon_gpu::MuonGPUDialect"];
}

def ConvertMuonGPUToNVVMPass
    : Pass<"convert-muon-gpu-to-nvvm", "::mlir::ModuleOp"> {
  let summary = "make kernels and launch them";
  let description = [{
    Every muon_gpu.launch becomes one call of the host. Kernels are made once
    for all launches that differ in sizes, buffers and constants only: those
    stand in a table in the memory of the device, one record for each problem,
    from which a block finds out what it works on. Addresses in records are
    places in the arena or numbers of slots, so that neither kernels nor table
    change when buffers are bound.

    Expects schedules, sums split (`muon-gpu-split-sums`), launches formed and
    the arena planned. The attribute `muon.kernels` of the module lists the
    kernels for the manifest.

    ```mlir
    muon_gpu.launch { muon_gpu.stream … {schedule = …} }
    // becomes
    muon.host_call "launch"(%kernel, %blocks, %offset, %first, %count) : i32, i64, i64, i32, i32
    gpu.module @muon_kernels { gpu.func @stream_0(…) kernel { … } }
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::scf::SCFDialect", "::mlir::muon::MuonDialect"];
}

def ConvertMuonToRuntimePass
    : Pass<"convert-muon-to-runtime", "::mlir::ModuleOp"> {
  let summary = "turn products on buffers into calls of the runtime";
  let description = [{
    muon.symmetric_product, muon.commuting_product and muon.symmetric_apply
    become one call each, for all matrices of a batch: which triangle to compute
    in what blocks, and whether the processor multiplies bf16, is known where
    they run (muon-mlir/Runtime/HostApi.h).

    ```mlir
    muon.symmetric_product x(%x : memref<2x16x64xbf16>) out(%a : memref<2x16x16xbf16>) {side = #muon.side<left>}
    // becomes, with type, flags, batch, sides and constants
    muon.host_call "symmetric_product"(%c2, %c0, %c2_0, %c16, %c64, %one, %zero, %x, %x, %x, %a)
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::muon::MuonDialect"];
}

def LowerEntryPass : Pass<"muon-lower-entry", "::mlir::ModuleOp"> {
  let summary = "give the step function the signature of the artifact's ABI";
  let description = [{
    Replaces the arguments of the public function `step` by slots of the
    runtime's table and its results by a status of 0. An argument takes one
    slot, a table as many as it has members. Private functions that call the
    host get its table as their last argument, `muon.host`. What each slot is bound to goes
    into the module's `muon.manifest` (docs/artifact.md).

    ```mlir
    func.func @step(%w: !muon.table<2x48x16xf32>, %lr: memref<f32>) -> …
    // becomes
    func.func @step(%host: !llvm.ptr, %slots: !llvm.ptr, %stream: !llvm.ptr) -> i32
        attributes {muon.entry} {
      %w = muon.slot 0 : !muon.table<2x48x16xf32>
      %lr = muon.slot 2 : memref<f32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::LLVM::LLVMDialect"];
}

def ConvertMuonToLLVMPass : Pass<"convert-muon-to-llvm"> {
  let summary = "lower slots, members, the arena and host calls to LLVM";
  let description = [{
    Runs on an entry function, whose first two arguments are the host's table
    and the slots, and on the functions it calls. Tables become pointers.
    Memrefs stay memrefs; upstream's passes lower the rest.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect"];
}

#endif // MUON_CONVERSION_PASSES
