//===- Elements.h - Neighboring elements in memory --------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_CONVERSION_MUONGPUTONVVM_ELEMENTS_H
#define MUON_MLIR_LIB_CONVERSION_MUONGPUTONVVM_ELEMENTS_H

#include "Kernel.h"

namespace mlir::muon_gpu {

/// `width` neighboring elements in memory, as one access.
struct Elements {
  const Code &code;
  Type type;
  int64_t width;

  unsigned alignment() const {
    return type.getIntOrFloatBitWidth() / 8 * width;
  }
  SmallVector<Value, 4> load(Value address) const {
    if (width == 1)
      return {code.load(type, address, alignment())};
    Value vector =
        code.load(VectorType::get(width, type), address, alignment());
    SmallVector<Value, 4> parts;
    for (int64_t i = 0; i < width; ++i)
      parts.push_back(code.element(vector, i));
    return parts;
  }
  void store(ValueRange parts, Value address) const {
    code.store(width == 1 ? parts.front() : code.vector(parts), address,
               alignment());
  }
};

/// A constant as a word of a record.
inline int64_t getWord(double value) { return llvm::bit_cast<int64_t>(value); }

} // namespace mlir::muon_gpu

#endif // MUON_MLIR_LIB_CONVERSION_MUONGPUTONVVM_ELEMENTS_H
