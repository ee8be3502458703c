//===- MuonGPUDialect.td - The muon_gpu dialect -*- tablegen -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_GPU_DIALECT
#define MUON_GPU_DIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def MuonGPU_Dialect : Dialect {
  let name = "muon_gpu";
  let cppNamespace = "::mlir::muon_gpu";
  let summary = "Optimizer steps as launches on a GPU";
  let description = [{
    What a GPU does in one step, on buffers: products of matrices with an
    epilogue (`muon_gpu.matmul`), passes over memory (`muon_gpu.stream`), and
    work on few numbers for one thread block. `muon_gpu.launch` says which of
    them share a launch. Nothing here says which instructions serve it: that is
    decided where kernels are made.

    Regions of products and streams are the work on one element. They see
    nothing but their arguments, in this order: `acc` (products only),
    `constants` as f64, `scalars`, then the elements of the tiles or inputs. They
    yield one element for each output, then one f64 to be added for each list in
    `sums`.

    A *parameter* is a table of N members or one memref; its last two dimensions
    are matrices (R×C), a tensor of rank less than two is one row. All
    parameters and rank-3 buffers of one operation have the same matrices, in
    order.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::muon::MuonDialect"];
}

class MuonGPU_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<MuonGPU_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def MuonGPU_ScheduleAttr : MuonGPU_Attr<"Schedule", "schedule"> {
  let summary = "how a product is split over threads";
  let description = [{
    A block of 32·`warps_m`·`warps_n` threads computes `m`×`n` elements of the
    result, `k` of the inner dimension at a time, with `stages` such slices of
    the operands in shared memory. Blocks go through the tiles in columns of
    `raster` tiles. `masked`: sizes need not be multiples of the tile. `width`:
    elements of consecutive columns that one access to the tiles and results
    takes, 4 or 1. `split`: parts of the inner dimension whose products are added
    afterwards (muon-gpu-split-products).

    Constraints: m, n and k are multiples of 16 up to 256, and of what the warps
    share; 2 ≤ stages ≤ 8; 1 ≤ raster ≤ 32768; width is 4 or 1; 1 ≤ split ≤ 32;
    at most 1024 threads.
  }];
  let parameters = (ins "int64_t":$m, "int64_t":$n, "int64_t":$k,
    "int64_t":$warps_m, "int64_t":$warps_n, "int64_t":$stages,
    "int64_t":$raster, "int64_t":$width, "bool":$masked,
    DefaultValuedParameter<"int64_t", "1">:$split);
}

def MuonGPU_StreamScheduleAttr
    : MuonGPU_Attr<"StreamSchedule", "stream_schedule"> {
  let summary = "how a stream is split over threads";
  let description = [{
    A block of `threads` threads works on `chunk` elements of one matrix; each
    access takes `width` elements, and a thread has `unroll` accesses to each
    operand under way.

    Constraints: threads is a multiple of 32, at most 1024; width is 4 or 1;
    1 ≤ unroll ≤ 16; chunk is a multiple of width·unroll·threads up to 2³⁰.
  }];
  let parameters = (ins "int64_t":$threads, "int64_t":$width,
                        "int64_t":$unroll, "int64_t":$chunk);
}

#endif // MUON_GPU_DIALECT
