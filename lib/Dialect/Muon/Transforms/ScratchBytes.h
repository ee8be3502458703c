//===- ScratchBytes.h - Size of scratch buffers -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_SCRATCHBYTES_H
#define MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_SCRATCHBYTES_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/MathExtras.h"
#include <optional>

namespace mlir::muon {

/// Size of a scratch buffer, or nullopt if it is none that can be planned.
inline std::optional<int64_t> getScratchBytes(MemRefType type) {
  if (!type.hasStaticShape() || !type.getLayout().isIdentity() ||
      !type.getElementType().isIntOrFloat())
    return std::nullopt;
  int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8u);
  for (int64_t dim : type.getShape())
    if (llvm::MulOverflow(bytes, dim, bytes))
      return std::nullopt;
  return bytes < (int64_t(1) << 62) ? std::optional(bytes) : std::nullopt;
}

} // namespace mlir::muon

#endif // MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_SCRATCHBYTES_H
