//===- Files.h - Files of a library -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_LIB_CAPI_FILES_H
#define MUON_LIB_CAPI_FILES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mlir::muon::capi {

/// Why the file at `path` cannot be opened, if it cannot.
llvm::Error checkReadable(llvm::StringRef path);

/// A text in memory under a path, for code that reads files.
class TextFile {
public:
  explicit TextFile(llvm::StringRef text);
  ~TextFile();
  TextFile(const TextFile &) = delete;
  TextFile &operator=(const TextFile &) = delete;

  /// Empty if that failed.
  llvm::StringRef getPath() const { return path; }

private:
  int descriptor;
  std::string path;
};

/// A file that replaces the one at its path once it is complete. As replaceFile
/// of the tools, but without handlers of signals and umask, which belong to
/// the program.
class NewFile {
public:
  static llvm::Expected<NewFile> create(llvm::StringRef path);
  NewFile(NewFile &&other);
  /// Removes the temporary file unless it was committed.
  ~NewFile();

  llvm::StringRef getTemporaryPath() const { return temporary; }
  llvm::Error commit();

private:
  NewFile() = default;

  std::string path, target, temporary;
};

} // namespace mlir::muon::capi

#endif // MUON_LIB_CAPI_FILES_H
