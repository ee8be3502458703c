//===- RulesParser.h - From JSON to rules -----------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_IMPORT_RULESPARSER_H
#define MUON_MLIR_LIB_IMPORT_RULESPARSER_H

#include "muon-mlir/Import/Rules.h"

#include "llvm/Support/JSON.h"

namespace mlir::muon::rules {

/// One value of an enumeration and its spelling.
template <typename Enum>
struct Spelling {
  Enum value;
  llvm::StringLiteral name;
};

/// All spellings of an enumeration. One table serves parsing, printing and the
/// lists of known names in diagnostics.
template <typename Enum>
llvm::ArrayRef<Spelling<Enum>> getSpellings();

/// The shortest decimal number that reads back as `value`.
std::string formatNumber(double value);

/// The keys of `object` in an order that does not depend on the hash table.
std::vector<llvm::StringRef> sortedKeys(const llvm::json::Object &object);

/// The integer that `value` is, if it is one of reasonable size.
std::optional<int64_t> toInteger(const llvm::json::Value &value);

/// What was found in place of something else.
std::string describeJson(const llvm::json::Value &value);

} // namespace mlir::muon::rules

#endif // MUON_MLIR_LIB_IMPORT_RULESPARSER_H
