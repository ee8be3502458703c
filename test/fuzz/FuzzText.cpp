//===- FuzzText.cpp - Fuzzes IR as text -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FuzzModule.h"
#include "Mutate.h"

static const std::vector<std::string> words = {
    // Operations
    "muon.update", "muon.adamw_update", "muon.optimize", "muon.momentum",
    "muon.orthogonalize", "muon.apply", "muon.gram", "muon.look",
    "muon.sum_squares", "muon.advance", "func.func", "func.call", "return",
    "module", "tensor.empty()", "arith.constant",
    // Types
    "!muon.stack<2x48x16xf32>", "!muon.table<2x48x16xbf16>",
    "!muon.stack<0x1xf32>", "!muon.stack<99999999999x99999999999xf32>",
    "tensor<48x16xf32>", "tensor<*xf32>", "tensor<?x16xf32>", "tensor<2xf64>",
    "tensor<f32>", "tensor<i64>", "tensor<i1>", "memref<48x16xf16>",
    "memref<2x2xf32, strided<[?, 1], offset: ?>>", "vector<4xf32>", "index",
    "f64", "none", "tuple<>", "i1", "complex<f32>",
    // Attributes
    "#muon.role<weight>", "#muon.role<gradient>", "#muon.role<lr>",
    "#muon.scale<constant 0.2>", "#muon.scale<constant 0x7FF0000000000000>",
    "#muon.schedule<keller_jordan>", "#muon.schedule<[1.0, 2.0, 3.0]>",
    "#muon.schedule<>", "#muon.compute<f16>", "#muon.side<left>",
    "#muon.iteration<gram>", "#muon.momentum_form<ema>",
    "#muon.rows<\"w\", 0, 48, 144>", "muon.names", "muon.role", "muon.group",
    "muon.default", "muon.frozen", "muon.host", "muon.manifest", "dense<0.0>",
    "dense<[]>", "dense<\"0x00\">", "dense_resource<a>", "array<f64: 1.0>",
    "unit", "@step", "loc(unknown)", "{-#", "#-}",
    "#muon_gpu.schedule<m = 32, n = 32, k = 32, warps_m = 2, warps_n = 2, "
    "stages = 4, raster = 8, width = 4, masked = true>",
    "#muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 4, "
    "chunk = 65536>",
    "muon_gpu.launch", "muon_gpu.matmul", "muon_gpu.stream", "muon_gpu.yield",
    "muon_gpu.on_diagonal", "muon_gpu.reduce", "muon.kernels", "symmetric",
    // Punctuation
    "(", ")", "<", ">", "[", "]", "{", "}", "->", "=", ":", ",", "%0", "%0#1",
    "%arg0", "^bb0", "#0", "!0", "::", "-"};

MUON_FUZZ_TOKENS(words)

extern "C" int LLVMFuzzerInitialize(int *, char ***argv) {
  muon::fuzz::growStack(*argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  muon::fuzz::readAndRun(
      llvm::StringRef(reinterpret_cast<const char *>(data), size));
  return 0;
}
