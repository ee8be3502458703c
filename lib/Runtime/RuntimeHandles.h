//===- RuntimeHandles.h - What the C interface has in common ----*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_RUNTIMEHANDLES_H
#define MUON_MLIR_LIB_RUNTIME_RUNTIMEHANDLES_H

#include "Step.h"

#include <exception>
#include <new>

struct MuonArtifact {
  std::shared_ptr<const muon::Artifact> artifact;
};

struct MuonStep {
  std::unique_ptr<muon::Step> step;
};

struct MuonCommunicator {
  std::shared_ptr<muon::Communicator> communicator;
};

namespace muon {

/// Keeps the message for muonLastError.
MuonStatus report(MuonStatus status, const char *message) noexcept;

/// Calls `body`, which returns an Error, and lets nothing out of it.
template <typename Body>
MuonStatus guarded(Body body) noexcept {
  try {
    Error error = body();
    if (error)
      return report(error.status(), error.message().c_str());
    return MUON_OK;
  } catch (const std::bad_alloc &) {
    return report(MUON_ERROR_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception &e) {
    return report(MUON_ERROR_INTERNAL, e.what());
  } catch (...) {
    return report(MUON_ERROR_INTERNAL, "unknown exception");
  }
}

inline Error nullArgument(const char *name) {
  return Error(MUON_ERROR_INVALID_ARGUMENT,
               std::string("argument '") + name + "' is null");
}

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_RUNTIMEHANDLES_H
