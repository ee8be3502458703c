//===- NamePattern.h - Regular expressions for tensor names -----*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_IMPORT_NAMEPATTERN_H
#define MUON_MLIR_IMPORT_NAMEPATTERN_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/Regex.h"

#include <string>
#include <vector>

namespace mlir::muon {

/// A POSIX extended regular expression from an untrusted file, matched without
/// anchors. The answers are those of llvm::Regex; expressions whose size or
/// running time would get out of hand are refused, and most names that do not
/// match are recognised by plain searches, which take a hundredth of the time.
class NamePattern {
public:
  /// The longest expression, in bytes.
  static constexpr size_t maxSize = 1024;
  /// The largest expression after its repetitions are expanded.
  static constexpr size_t maxCost = size_t(1) << 16;

  NamePattern() = default;

  /// Compiles `pattern`. The message of an error continues "pattern ...".
  static llvm::Expected<NamePattern> create(llvm::StringRef pattern);

  bool matches(llvm::StringRef name) const;

  /// A bound on the size of the compiled expression.
  size_t getCost() const { return cost; }

private:
  /// Strings that occur in this order in every name that an alternative of the
  /// expression matches.
  using Literals = std::vector<std::string>;

  static std::vector<Literals> findLiterals(llvm::StringRef pattern);

  llvm::Regex regex;
  std::vector<Literals> alternatives;
  bool isLiteral = false;
  size_t cost = 0;
};

} // namespace mlir::muon

#endif // MUON_MLIR_IMPORT_NAMEPATTERN_H
