//===- KernelKey.h - Which work one kernel serves ---------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUONGPU_TRANSFORMS_KERNELKEY_H
#define MUON_MLIR_DIALECT_MUONGPU_TRANSFORMS_KERNELKEY_H

#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"
#include <string>

namespace mlir::muon_gpu {

/// Text that is equal for two products, streams or copies of triangles if and
/// only if one kernel serves both: they differ in sizes, buffers, strides and
/// constants only. `hasCondition` is that of their launch.
std::string getKernelKey(Operation *op, bool hasCondition);

} // namespace mlir::muon_gpu

#endif // MUON_MLIR_DIALECT_MUONGPU_TRANSFORMS_KERNELKEY_H
