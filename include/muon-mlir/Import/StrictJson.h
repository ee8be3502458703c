//===- StrictJson.h - JSON from untrusted files -----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_IMPORT_STRICTJSON_H
#define MUON_MLIR_IMPORT_STRICTJSON_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <string>
#include <vector>

namespace mlir::muon {

/// Objects and arrays nested deeper than this are refused: llvm::json::parse
/// recurses, and a file must not be able to exhaust the stack.
constexpr unsigned maxJsonDepth = 64;

/// Parses `text`, refusing what llvm::json::parse silently accepts: nesting
/// without bound, duplicate keys (it keeps one) and numbers outside the JSON
/// grammar (01, +1, 1.).
llvm::Expected<llvm::json::Value> parseStrictJson(llvm::StringRef text);

/// Keys of the object that is member `key` of the root object of `text`, which
/// parseStrictJson accepts, in the order of the text; llvm::json::Object has
/// none.
std::vector<std::string> getJsonKeyOrder(llvm::StringRef text,
                                         llvm::StringRef key);

/// The path of member `key` of the object at `parent` (empty for the root), as
/// diagnostics write it: muon.steps, rules[2]["odd key"].
std::string jsonMemberPath(llvm::StringRef parent, llvm::StringRef key);

/// The path of element `index` of the array at `parent`: rules[2].
std::string jsonElementPath(llvm::StringRef parent, size_t index);

/// `text` in double quotes, with control characters escaped and cut to a length
/// that fits a diagnostic.
std::string quoteForMessage(llvm::StringRef text);

} // namespace mlir::muon

#endif // MUON_MLIR_IMPORT_STRICTJSON_H
