//===- Text.h - Text for messages -------------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_TEXT_H
#define MUON_MLIR_LIB_RUNTIME_TEXT_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace muon {

/// Names come from files. Quoted, they can neither forge a line of output nor
/// fill a terminal.
inline std::string quote(std::string_view name) {
  constexpr size_t longest = 200;
  static const char digits[] = "0123456789abcdef";
  std::string text = "'";
  for (char c : name.substr(0, longest)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      text += "\\x";
      text += digits[byte >> 4];
      text += digits[byte & 15];
    } else {
      text += c;
    }
  }
  if (name.size() > longest)
    text += "...";
  text += '\'';
  return text;
}

inline std::string shapeText(const int64_t *shape, size_t rank) {
  std::string text = "[";
  for (size_t i = 0; i < rank; ++i) {
    if (i)
      text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

inline std::string shapeText(const std::vector<int64_t> &shape) {
  return shapeText(shape.data(), shape.size());
}

inline std::string addressText(const void *address) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%zx",
                reinterpret_cast<uintptr_t>(address));
  return text;
}

/// Enough digits to tell any two f32 apart.
inline std::string numberText(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

/// The first few of `items`, and how many more there are.
inline std::string listed(const std::vector<std::string> &items,
                          size_t shown = 3) {
  std::string text;
  size_t count = std::min(items.size(), shown);
  for (size_t i = 0; i < count; ++i) {
    if (i)
      text += ", ";
    text += items[i];
  }
  if (items.size() > count)
    text += " and " + std::to_string(items.size() - count) + " more";
  return text;
}

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_TEXT_H
