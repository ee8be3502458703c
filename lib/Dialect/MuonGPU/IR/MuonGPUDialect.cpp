//===- MuonGPUDialect.cpp - The muon_gpu dialect ----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::muon_gpu;

#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPUDialect.cpp.inc"

#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPUInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPUAttributes.cpp.inc"

void MuonGPUDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPUAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPUOps.cpp.inc"
      >();
}

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t m, int64_t n, int64_t k,
                                   int64_t warpsM, int64_t warpsN,
                                   int64_t stages, int64_t raster,
                                   int64_t width, bool masked, int64_t split) {
  for (int64_t size : {m, n, k})
    if (size < 16 || size > 256 || size % 16 != 0)
      return emitError() << "expected tile sizes that are multiples of 16 from "
                            "16 to 256, found "
                         << m << "x" << n << "x" << k;
  // mma.sync computes 16×8.
  if (warpsM < 1 || warpsN < 1 || warpsM > m || warpsN > n ||
      m % (warpsM * 16) != 0 || n % (warpsN * 8) != 0)
    return emitError() << "expected " << warpsM << "x" << warpsN
                       << " warps to share a tile of " << m << "x" << n
                       << " in parts that are multiples of 16x8";
  if (warpsM * warpsN > 32)
    return emitError() << "expected at most 32 warps, found "
                       << warpsM * warpsN;
  if (stages < 2 || stages > 8)
    return emitError() << "expected 2 to 8 stages, found " << stages;
  if (raster < 1 || raster > 32768)
    return emitError() << "expected a raster from 1 to 32768, found " << raster;
  if (width != 1 && width != 4)
    return emitError() << "expected width 1 or 4, found " << width;
  if (split < 1 || split > 32)
    return emitError() << "expected a split from 1 to 32, found " << split;
  return success();
}

LogicalResult
StreamScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                           int64_t threads, int64_t width, int64_t unroll,
                           int64_t chunk) {
  if (threads < 32 || threads > 1024 || threads % 32 != 0)
    return emitError() << "expected a multiple of 32 threads up to 1024, found "
                       << threads;
  if (width != 1 && width != 4)
    return emitError() << "expected width 1 or 4, found " << width;
  if (unroll < 1 || unroll > 16)
    return emitError() << "expected unroll from 1 to 16, found " << unroll;
  if (chunk < 1 || chunk > int64_t(1) << 30 ||
      chunk % (threads * width * unroll) != 0)
    return emitError() << "expected a chunk up to 2^30 that is a multiple of "
                       << threads * width * unroll << ", found " << chunk;
  return success();
}
