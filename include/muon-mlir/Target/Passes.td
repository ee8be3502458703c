//===- Passes.td - Passes that make code -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_TARGET_PASSES
#define MUON_TARGET_PASSES

include "mlir/Pass/PassBase.td"

def SerializeKernelsPass : Pass<"muon-serialize-kernels", "::mlir::ModuleOp"> {
  let summary = "turn kernels into PTX, and a cubin where there is ptxas";
  let description = [{
    Replaces the gpu.module by a gpu.binary with the PTX of its kernels. Unlike
    gpu-module-to-binary it does not look for a CUDA installation, so that the
    PTX is the same on every machine.

    With `ptxas`, a path, or `auto` for the first of those in PATH, in `bin` of
    what `CUDA_ROOT`, `CUDA_HOME` or `CUDA_PATH` name, and in
    /usr/local/cuda/bin, the binary also gets a cubin, and each description in
    `muon.kernels` the registers of a thread and the bytes that it spills; a
    remark tells of spills and of what else `ptxas -v` warns about. With `auto`, a
    ptxas that fails is a warning: it may be older than the architecture.
  }];
  let options = [
    Option<"arch", "arch", "std::string", "\"sm_80\"",
           "Architecture, such as sm_80">,
    Option<"ptxas", "ptxas", "std::string", "\"none\"",
           "Path of ptxas, auto to look for it, or none">];
  let dependentDialects = ["::mlir::gpu::GPUDialect",
                           "::mlir::NVVM::NVVMDialect"];
}

#endif // MUON_TARGET_PASSES
