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
