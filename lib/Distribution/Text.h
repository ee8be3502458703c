//===- Text.h - Numbers and tables for people -------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DISTRIBUTION_TEXT_H
#define MUON_MLIR_LIB_DISTRIBUTION_TEXT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace mlir::muon::distribution {

/// Three digits and a unit: 1.25 MB, 3.50 ms, 2.00 T.
std::string formatBytes(double bytes);
std::string formatSeconds(double seconds);
std::string formatCount(double count);

/// A name in one line, whatever its characters.
std::string formatName(llvm::StringRef name);

/// 4096x11008; "scalar" without dimensions.
std::string formatShape(llvm::ArrayRef<int64_t> shape);

/// Rows of cells, printed in aligned columns. The first row is the header.
class Table {
public:
  /// One character per column: 'l' or 'r', the side its cells stand on.
  explicit Table(llvm::StringRef sides) : sides(sides) {}

  void addRow(std::vector<std::string> cells) {
    rows.push_back(std::move(cells));
  }
  void print(llvm::raw_ostream &os) const;
  /// As a table of Markdown.
  void printMarkdown(llvm::raw_ostream &os) const;

private:
  std::string sides;
  std::vector<std::vector<std::string>> rows;
};

} // namespace mlir::muon::distribution

#endif // MUON_MLIR_LIB_DISTRIBUTION_TEXT_H
