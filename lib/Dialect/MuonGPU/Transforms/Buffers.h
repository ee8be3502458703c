//===- Buffers.h - Which memory operations use ------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DIALECT_MUONGPU_TRANSFORMS_BUFFERS_H
#define MUON_MLIR_LIB_DIALECT_MUONGPU_TRANSFORMS_BUFFERS_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace mlir::muon_gpu {

/// What `value` is a view of: an allocation or an argument. Different ones
/// share no memory: the runtime refuses buffers that overlap.
Value getBase(Value value);

/// Whether that is scratch memory, gone after the step.
bool isScratch(Value base);

/// Whether two views of the same base are known to have no element in common.
bool areDisjoint(Value view, Value other);

/// All operations that use `base` or a view of it, views excepted.
void collectUsers(Value base, llvm::SmallPtrSetImpl<Operation *> &users);

/// The bases that an operation and all it contains read and write.
struct Accesses {
  llvm::SmallPtrSet<Value, 8> reads, writes;
  /// The views through which it does so.
  SmallVector<Value, 4> readParts, writtenParts;
  /// Whether it may access what else there is: nobody says what an operation
  /// does, or what memory a value stands for.
  bool isUnknown = false;

  explicit Accesses(Operation *op);
  void addRead(Value value);
  void addWrite(Value value);
  /// Whether this and `later` cannot change places.
  bool conflictsWith(const Accesses &later) const;
};

} // namespace mlir::muon_gpu

#endif // MUON_MLIR_LIB_DIALECT_MUONGPU_TRANSFORMS_BUFFERS_H
