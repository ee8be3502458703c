//===- FuzzBytecode.cpp - Fuzzes IR as bytecode -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FuzzModule.h"
#include "Mutate.h"
#include <algorithm>
#include <cctype>

using namespace muon::fuzz;

// Attributes and types of the dialect are stored as text.
static const std::vector<std::string> words = {
    "muon",   "stack", "table",    "role", "scale", "schedule", "rows",
    "<",      ">",     "constant", "[",    "]",     ",",        "keller_jordan",
    "weight", "f32",   "bf16",     "2x3x", "-",     "(",        "\""};

namespace {

/// Bytecode taken apart as https://mlir.llvm.org/docs/BytecodeFormat describes:
/// magic, version, producer, and sections.
struct Section {
  uint8_t id = 0;
  std::string data;
};

struct Bytecode {
  uint64_t version = 0;
  std::string producer;
  std::vector<Section> sections;
};

} // namespace

static constexpr std::string_view magic("ML\xefR");

/// Reads a variable-length integer at the front of `text` and removes it.
static bool takeInteger(std::string_view &text, uint64_t &value) {
  if (text.empty())
    return false;
  auto first = static_cast<uint8_t>(text[0]);
  unsigned extra = first ? __builtin_ctz(first) : 8;
  if (text.size() < extra + 1)
    return false;
  value = 0;
  if (extra == 8) {
    for (unsigned i = 8; i > 0; --i)
      value = value << 8 | static_cast<uint8_t>(text[i]);
  } else {
    for (unsigned i = extra + 1; i > 0; --i)
      value = value << 8 | static_cast<uint8_t>(text[i - 1]);
    value >>= extra + 1;
  }
  text.remove_prefix(extra + 1);
  return true;
}

static std::string encode(uint64_t value) {
  unsigned extra = 0;
  while (extra < 8 && value >> (7 * (extra + 1)))
    ++extra;
  std::string text;
  if (extra == 8) {
    text += '\0';
    for (unsigned i = 0; i < 8; ++i)
      text += static_cast<char>(value >> (8 * i));
    return text;
  }
  uint64_t bits = (value << 1 | 1) << extra;
  for (unsigned i = 0; i <= extra; ++i)
    text += static_cast<char>(bits >> (8 * i));
  return text;
}

static bool takeApart(std::string_view text, Bytecode &result) {
  if (text.substr(0, magic.size()) != magic)
    return false;
  text.remove_prefix(magic.size());
  if (!takeInteger(text, result.version))
    return false;
  size_t end = text.find('\0');
  if (end == std::string_view::npos)
    return false;
  result.producer = text.substr(0, end);
  text.remove_prefix(end + 1);
  while (!text.empty()) {
    Section section;
    section.id = text[0];
    text.remove_prefix(1);
    uint64_t size = 0, alignment = 0;
    if (!takeInteger(text, size))
      return false;
    if (section.id & 0x80) {
      // Alignment is dropped; it only makes a difference to resources.
      section.id &= 0x7f;
      if (!takeInteger(text, alignment))
        return false;
      while (!text.empty() && text[0] == '\xcb')
        text.remove_prefix(1);
    }
    if (size > text.size())
      return false;
    section.data = text.substr(0, size);
    text.remove_prefix(size);
    result.sections.push_back(std::move(section));
  }
  return !result.sections.empty();
}

static std::string putTogether(const Bytecode &bytecode) {
  std::string text(magic);
  text += encode(bytecode.version) + bytecode.producer + '\0';
  for (const Section &section : bytecode.sections)
    text += static_cast<char>(section.id) + encode(section.data.size()) +
            section.data;
  return text;
}

/// Changes text inside a section, of the same length or not.
static void mutateText(std::string &data, Random &random) {
  auto isPrintable = [](char c) {
    return std::isprint(static_cast<unsigned char>(c));
  };
  size_t begin = random.below(data.size()), end = begin;
  while (begin > 0 && isPrintable(data[begin - 1]))
    --begin;
  while (end < data.size() && isPrintable(data[end]))
    ++end;
  std::string text =
      mutateTokens(data.substr(begin, end - begin), words, random);
  if (random.oneIn(2))
    text.resize(end - begin, ' ');
  data.replace(begin, end - begin, text);
}

static void mutateSection(std::string &data, Random &random) {
  if (data.empty()) {
    data += encode(interestingInteger(random));
    return;
  }
  size_t at = random.below(data.size());
  std::string_view rest = std::string_view(data).substr(at);
  uint64_t value = 0;
  switch (random.below(6)) {
  case 0:
  case 1:
  case 2: {
    if (!takeInteger(rest, value))
      return;
    size_t length = data.size() - at - rest.size();
    value = random.oneIn(3) ? interestingInteger(random)
                            : value + random.below(5) - 2;
    data.replace(at, length, encode(value));
    break;
  }
  case 3:
    data[at] ^= static_cast<char>(1u << random.below(8));
    break;
  case 4: {
    std::string copy = data.substr(at, random.below(16));
    if (random.oneIn(2))
      data.erase(at, copy.size());
    else
      data.insert(at, copy);
    break;
  }
  case 5:
    mutateText(data, random);
    break;
  }
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t maxSize, unsigned seed) {
  Random random(seed);
  Bytecode bytecode;
  if (random.oneIn(10) || !takeApart(asText(data, size), bytecode))
    return LLVMFuzzerMutate(data, size, maxSize);
  std::vector<Section> &sections = bytecode.sections;
  if (random.oneIn(20))
    bytecode.version = random.below(8);
  if (random.oneIn(20))
    std::swap(sections[random.below(sections.size())],
              sections[random.below(sections.size())]);
  for (size_t n = 1 + random.below(2); n > 0; --n)
    mutateSection(sections[random.below(sections.size())].data, random);
  return store(putTogether(bytecode), data, maxSize);
}

extern "C" int LLVMFuzzerInitialize(int *, char ***argv) {
  growStack(*argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::StringRef input(reinterpret_cast<const char *>(data), size);
  // Anything else is text, which has a target of its own.
  if (input.starts_with(llvm::StringRef(magic.data(), magic.size())))
    readAndRun(input);
  return 0;
}
