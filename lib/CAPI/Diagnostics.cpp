//===- Diagnostics.cpp - Diagnostics of a context -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Diagnostics.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::muon;
using namespace mlir::muon::capi;

Diagnostics::Diagnostics(MLIRContext &context)
    : engine(context.getDiagEngine()),
      id(engine.registerHandler(
          [this](Diagnostic &diagnostic) { add(diagnostic); })) {}

Diagnostics::~Diagnostics() { engine.eraseHandler(id); }

void Diagnostics::begin() {
  messages.clear();
  errors.clear();
  replacedPath.clear();
}

static MuonSeverity convert(DiagnosticSeverity severity) {
  switch (severity) {
  case DiagnosticSeverity::Note:
    return MUON_SEVERITY_NOTE;
  case DiagnosticSeverity::Remark:
    return MUON_SEVERITY_REMARK;
  case DiagnosticSeverity::Warning:
    return MUON_SEVERITY_WARNING;
  case DiagnosticSeverity::Error:
    return MUON_SEVERITY_ERROR;
  }
  llvm_unreachable("unknown severity");
}

static llvm::StringLiteral getName(MuonSeverity severity) {
  switch (severity) {
  case MUON_SEVERITY_NOTE:
    return "note";
  case MUON_SEVERITY_REMARK:
    return "remark";
  case MUON_SEVERITY_WARNING:
    return "warning";
  default:
    return "error";
  }
}

void Diagnostics::add(Diagnostic &diagnostic) {
  Message &message = messages.emplace_back();
  message.severity = convert(diagnostic.getSeverity());
  message.text = diagnostic.str();
  if (!replacedPath.empty())
    for (size_t at = 0;
         (at = message.text.find(replacedPath, at)) != std::string::npos;
         at += replacedBy.size())
      message.text.replace(at, replacedPath.size(), replacedBy);
  if (auto place = diagnostic.getLocation()->findInstanceOf<FileLineColLoc>()) {
    // MLIR's name for what has none.
    if (place.getFilename() != "-")
      message.file = place.getFilename().str();
    message.line = place.getLine();
    message.column = place.getColumn();
  }
  for (Diagnostic &note : diagnostic.getNotes())
    add(note);
}

void Diagnostics::addError(const Twine &message) {
  messages.push_back({MUON_SEVERITY_ERROR, message.str(), ""});
}

void Diagnostics::replaceInMessages(StringRef path, StringRef name) {
  replacedPath = path.str();
  replacedBy = name.str();
}

void Diagnostics::deliver() {
  llvm::raw_string_ostream os(errors);
  bool isOfError = false;
  for (const Message &message : messages) {
    if (message.severity != MUON_SEVERITY_NOTE)
      isOfError = message.severity == MUON_SEVERITY_ERROR;
    if (!isOfError)
      continue;
    if (!message.file.empty())
      os << message.file << ":";
    if (message.line)
      os << message.line << ":" << message.column << ":";
    os << (message.file.empty() && !message.line ? "" : " ")
       << getName(message.severity) << ": " << message.text << "\n";
  }
  if (!handler)
    return;
  for (const Message &message : messages) {
    MuonDiagnostic diagnostic = {
        sizeof(MuonDiagnostic),
        message.severity,
        message.text.c_str(),
        message.file.empty() ? nullptr : message.file.c_str(),
        message.line,
        message.column};
    handler(user, &diagnostic);
  }
}
