//===- Ptxas.h - NVIDIA's assembler -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TARGET_PTXAS_H
#define MUON_MLIR_TARGET_PTXAS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>
#include <vector>

namespace mlir::muon {

/// What `ptxas -v` tells about PTX.
struct PtxasLog {
  struct Kernel {
    std::string name;
    /// Of a thread.
    int64_t registers = 0;
    /// Bytes of a thread, loads and stores together.
    int64_t spilled = 0;
  };
  std::vector<Kernel> kernels;
  /// Warnings, and the advice that has a number, such as C7510: what it says
  /// costs speed.
  std::vector<std::string> messages;
};

/// Reads what ptxas prints with -v. What it does not know it leaves out.
PtxasLog parsePtxasLog(llvm::StringRef text);

/// The path of ptxas: `request` if that is one. For `auto` the first of those
/// in PATH, below CUDA_ROOT, CUDA_HOME, CUDA_PATH and /usr/local/cuda; empty if
/// there is none, and for `none`.
llvm::Expected<std::string> findPtxas(llvm::StringRef request);

struct Cubin {
  std::string code;
  PtxasLog log;
};

/// Assembles `ptx` for `arch`, such as sm_80. The error holds what ptxas said.
llvm::Expected<Cubin> assemblePtx(llvm::StringRef ptxas, llvm::StringRef arch,
                                  llvm::StringRef ptx);

} // namespace mlir::muon

#endif // MUON_MLIR_TARGET_PTXAS_H
