//===- CpuTarget.h - The processor an artifact is compiled for -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TARGET_CPUTARGET_H
#define MUON_MLIR_TARGET_CPUTARGET_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"
#include <memory>
#include <string>
#include <vector>

namespace mlir::muon {

/// What the code of an artifact may use, and what it is tuned for.
struct CpuTarget {
  std::unique_ptr<llvm::TargetMachine> machine;
  /// In the manifest's spelling, e.g. `x86_64`.
  std::string arch;
  /// The processor to tune for.
  std::string cpu;
  /// Everything beyond the architecture's baseline that the code may use: the
  /// runtime checks each, so this list is complete.
  std::vector<std::string> features;
};

/// Resolves `cpu` (`native` or a name that LLVM knows).
llvm::Expected<CpuTarget> createCpuTarget(llvm::StringRef cpu);

} // namespace mlir::muon

#endif // MUON_MLIR_TARGET_CPUTARGET_H
