//===- Error.h - Errors of the runtime --------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_ERROR_H
#define MUON_MLIR_LIB_RUNTIME_ERROR_H

#include "muon-mlir/Runtime/Runtime.h"

#include <string>
#include <utility>

namespace muon {

/// Success, or a status with a message. True if it is an error.
class [[nodiscard]] Error {
public:
  static Error success() { return Error(MUON_OK, std::string()); }

  Error(MuonStatus status, std::string message)
      : code(status), text(std::move(message)) {}

  explicit operator bool() const { return code != MUON_OK; }
  MuonStatus status() const { return code; }
  const std::string &message() const { return text; }

private:
  MuonStatus code;
  std::string text;
};

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_ERROR_H
