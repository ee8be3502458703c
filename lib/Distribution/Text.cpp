//===- Text.cpp - Numbers and tables for people ---------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Text.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Unicode.h"

#include <algorithm>

using namespace llvm;
using namespace mlir::muon;
using namespace mlir::muon::distribution;

static std::string formatQuantity(double value, ArrayRef<StringRef> units) {
  size_t unit = 0;
  // What would be rounded to the next unit is written in it.
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  int digits = value >= 99.95 || (unit == 0 && value == int64_t(value)) ? 0
               : value >= 9.995                                         ? 1
                                                                        : 2;
  std::string text;
  raw_string_ostream os(text);
  os << format("%.*f", digits, value);
  if (!units[unit].empty())
    os << " " << units[unit];
  return text;
}

std::string distribution::formatBytes(double bytes) {
  static constexpr StringRef units[] = {"B",  "KB", "MB", "GB",
                                        "TB", "PB", "EB"};
  return formatQuantity(bytes, units);
}

std::string distribution::formatSeconds(double seconds) {
  static constexpr StringRef units[] = {"ns", "µs", "ms", "s"};
  return formatQuantity(seconds * 1e9, units);
}

std::string distribution::formatCount(double count) {
  static constexpr StringRef units[] = {"", "K", "M", "G", "T", "P", "E"};
  return formatQuantity(count, units);
}

std::string distribution::formatName(StringRef name) {
  std::string text;
  raw_string_ostream os(text);
  for (char c : name)
    if (isPrint(c) || static_cast<unsigned char>(c) >= 0x80)
      os << c;
    else
      os << "\\x" << toHex(StringRef(&c, 1));
  return text;
}

std::string distribution::formatShape(ArrayRef<int64_t> shape) {
  if (shape.empty())
    return "scalar";
  return join(map_range(shape, [](int64_t dim) { return std::to_string(dim); }),
              "x");
}

static size_t getWidth(StringRef cell) {
  int width = sys::unicode::columnWidthUTF8(cell);
  return width < 0 ? cell.size() : width;
}

void Table::print(raw_ostream &os) const {
  std::vector<size_t> widths(sides.size(), 0);
  for (const std::vector<std::string> &row : rows)
    for (auto [width, cell] : zip(widths, row))
      width = std::max(width, getWidth(cell));
  for (const std::vector<std::string> &row : rows) {
    std::string line;
    for (auto [side, width, cell] : zip(sides, widths, row)) {
      std::string padding(width - getWidth(cell), ' ');
      line += "  " + (side == 'r' ? padding + cell : cell + padding);
    }
    os << StringRef(line).rtrim() << "\n";
  }
}

void Table::printMarkdown(raw_ostream &os) const {
  for (auto [index, row] : enumerate(rows)) {
    os << "| " << join(row, " | ") << " |\n";
    if (index > 0)
      continue;
    os << "|";
    for (char side : sides)
      os << (side == 'r' ? "---:|" : "---|");
    os << "\n";
  }
}
