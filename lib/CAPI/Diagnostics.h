//===- Diagnostics.h - Diagnostics of a context -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_LIB_CAPI_DIAGNOSTICS_H
#define MUON_LIB_CAPI_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"
#include "muon-mlir-c/Compiler.h"
#include <string>
#include <vector>

namespace mlir::muon::capi {

/// Keeps what a call reports until it is over: passes run in another thread
/// than the caller's, whose handler may expect its own.
class Diagnostics {
public:
  explicit Diagnostics(MLIRContext &context);
  ~Diagnostics();
  Diagnostics(const Diagnostics &) = delete;
  Diagnostics &operator=(const Diagnostics &) = delete;

  void setHandler(MuonDiagnosticHandler newHandler, void *newUser) {
    handler = newHandler;
    user = newUser;
  }

  /// A call begins: forgets the one before.
  void begin();
  /// It ends: tells the handler.
  void deliver();

  /// Adds an error without a place.
  void addError(const Twine &message);
  /// In messages of this call that follow, `name` stands for `path`.
  void replaceInMessages(StringRef path, StringRef name);

  /// The errors of the last call and their notes, one after the other.
  const char *getErrors() const { return errors.c_str(); }

private:
  struct Message {
    MuonSeverity severity;
    std::string text, file;
    uint32_t line = 0, column = 0;
  };

  void add(Diagnostic &diagnostic);

  DiagnosticEngine &engine;
  DiagnosticEngine::HandlerID id;
  MuonDiagnosticHandler handler = nullptr;
  void *user = nullptr;
  std::vector<Message> messages;
  std::string errors, replacedPath, replacedBy;
};

} // namespace mlir::muon::capi

#endif // MUON_LIB_CAPI_DIAGNOSTICS_H
