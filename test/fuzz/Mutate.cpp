//===- Mutate.cpp - Mutations that know tokens -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Mutate.h"
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

using namespace muon::fuzz;

/// LLVM's allocators poison memory in our code, but not in the shared libraries
/// that use the same allocators; it keeps options and registries until exit.
extern "C" const char *__asan_default_options() {
  return "detect_leaks=0:allow_user_poisoning=0";
}

uint64_t muon::fuzz::interestingInteger(Random &random) {
  static constexpr uint64_t numbers[] = {0,
                                         1,
                                         2,
                                         3,
                                         4,
                                         5,
                                         7,
                                         8,
                                         16,
                                         31,
                                         64,
                                         100,
                                         127,
                                         128,
                                         255,
                                         256,
                                         1024,
                                         1025,
                                         4096,
                                         65535,
                                         65536,
                                         1u << 30,
                                         0x7fffffff,
                                         0x80000000u,
                                         0xffffffffu,
                                         uint64_t(1) << 32,
                                         uint64_t(1) << 53,
                                         uint64_t(1) << 56,
                                         uint64_t(1) << 62,
                                         ~uint64_t(0) >> 1,
                                         uint64_t(1) << 63,
                                         ~uint64_t(0)};
  return random.pick(numbers);
}

std::string muon::fuzz::interestingNumber(Random &random) {
  static constexpr const char *texts[] = {"-1",
                                          "-0",
                                          "0.0",
                                          "1.5",
                                          "0.95",
                                          "1e-8",
                                          "1e-46",
                                          "1e39",
                                          "1e308",
                                          "1e309",
                                          "-1e39",
                                          "00",
                                          "1.",
                                          "0x7ff0",
                                          "1e400",
                                          "-128",
                                          "0.99999999999",
                                          "18446744073709551616"};
  if (random.oneIn(3))
    return random.pick(texts);
  return std::to_string(interestingInteger(random));
}

void muon::fuzz::refused(std::string_view reason) {
  if (!std::getenv("MUON_FUZZ_SEEDS"))
    return;
  std::fprintf(stderr, "a seed is refused: %s\n", std::string(reason).c_str());
  std::abort();
}

size_t muon::fuzz::store(std::string_view text, uint8_t *data, size_t maxSize) {
  size_t size = std::min(text.size(), maxSize);
  std::memcpy(data, text.data(), size);
  return size;
}

namespace {

/// Tokens, each with the white space in front of it, so that they join to the
/// text again.
using Tokens = std::vector<std::string>;

bool isWordPart(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) ||
         std::strchr("_.$%#@!^", c);
}

Tokens tokenize(std::string_view text) {
  Tokens tokens;
  for (size_t i = 0; i < text.size();) {
    size_t begin = i;
    while (i < text.size() && std::isspace(static_cast<unsigned char>(text[i])))
      ++i;
    if (i == text.size()) {
      tokens.emplace_back(text.substr(begin));
      break;
    }
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i)
        if (text[i] == '\\')
          ++i;
      i = std::min(i + 1, text.size());
    } else if (text[i] && isWordPart(text[i])) {
      while (i < text.size() && text[i] && isWordPart(text[i]))
        ++i;
    } else {
      i += text.substr(i, 2) == "->" || text.substr(i, 2) == "::" ? 2 : 1;
    }
    tokens.emplace_back(text.substr(begin, i - begin));
  }
  return tokens;
}

std::string join(const Tokens &tokens) {
  std::string text;
  for (const std::string &token : tokens)
    text += token;
  return text;
}

char last(const std::string &token) { return token.empty() ? 0 : token.back(); }

/// The end of what begins at `begin`: behind the matching bracket, or the next
/// token.
size_t spanEnd(const Tokens &tokens, size_t begin) {
  int depth = 0;
  for (size_t i = begin; i < tokens.size(); ++i) {
    bool isArrow =
        tokens[i].size() > 1 && tokens[i][tokens[i].size() - 2] == '-';
    char c = last(tokens[i]);
    if (c && std::strchr("([{<", c))
      ++depth;
    else if (c && std::strchr(")]}>", c) && !isArrow)
      --depth;
    if (depth <= 0)
      return i + 1;
  }
  return tokens.size();
}

using Span = std::pair<size_t, size_t>;

Span pickSpan(const Tokens &tokens, Random &random) {
  size_t begin = random.below(tokens.size());
  // Brackets are few and enclose what is worth moving.
  for (int i = 0; i < 8 && random.oneIn(2); ++i)
    if (char c = last(tokens[begin]); !c || !std::strchr("([{<", c))
      begin = random.below(tokens.size());
  return {begin, spanEnd(tokens, begin)};
}

/// The line that token `index` is on.
Span lineAt(const Tokens &tokens, size_t index) {
  auto startsLine = [&](size_t i) {
    return tokens[i].find('\n') != std::string::npos;
  };
  size_t begin = index, end = index + 1;
  while (begin > 0 && !startsLine(begin))
    --begin;
  while (end < tokens.size() && !startsLine(end))
    ++end;
  return {begin, end};
}

Tokens slice(const Tokens &tokens, Span span) {
  return Tokens(tokens.begin() + span.first, tokens.begin() + span.second);
}

void insert(Tokens &tokens, size_t at, const Tokens &added) {
  tokens.insert(tokens.begin() + at, added.begin(), added.end());
}

void erase(Tokens &tokens, Span span) {
  tokens.erase(tokens.begin() + span.first, tokens.begin() + span.second);
}

/// Replaces one run of digits, wherever it is: 2x48x16xf32 has four.
void changeNumber(Tokens &tokens, Random &random) {
  size_t start = random.below(tokens.size());
  for (size_t n = 0; n < tokens.size(); ++n) {
    std::string &token = tokens[(start + n) % tokens.size()];
    size_t begin =
        token.find_first_of("0123456789", random.below(token.size()));
    if (begin == std::string::npos)
      continue;
    size_t end =
        std::min(token.find_first_not_of("0123456789", begin), token.size());
    std::string number = interestingNumber(random);
    if (random.oneIn(3) && end - begin < 18)
      number = std::to_string(std::stoll(token.substr(begin, end - begin)) +
                              static_cast<long long>(random.below(3)) - 1);
    token.replace(begin, end - begin, number);
    return;
  }
}

void edit(Tokens &tokens, const std::vector<std::string> &words,
          Random &random) {
  if (tokens.empty()) {
    tokens.push_back(random.pick(words));
    return;
  }
  size_t at = random.below(tokens.size());
  switch (random.below(12)) {
  case 0: {
    // A token, or all that it opens.
    Span span = random.oneIn(2) ? Span(at, at + 1) : pickSpan(tokens, random);
    erase(tokens, span);
    insert(tokens, span.first, {" " + random.pick(words)});
    break;
  }
  case 1:
    insert(tokens, at, {" " + random.pick(words)});
    break;
  case 2:
    tokens[at] = Tokens(tokens)[random.below(tokens.size())];
    break;
  case 3:
  case 4:
    changeNumber(tokens, random);
    break;
  case 5: {
    // All of it, or what is between its brackets.
    Span span = pickSpan(tokens, random);
    if (span.second - span.first > 2 && random.oneIn(2))
      span = {span.first + 1, span.second - 1};
    erase(tokens, span);
    break;
  }
  case 6: {
    Span span = pickSpan(tokens, random);
    Tokens copy = slice(tokens, span);
    if (random.oneIn(2))
      copy.insert(copy.begin(), ",");
    insert(tokens, span.second, copy);
    break;
  }
  case 7: {
    Tokens copy = slice(tokens, pickSpan(tokens, random));
    Span span = pickSpan(tokens, random);
    erase(tokens, span);
    insert(tokens, span.first, copy);
    break;
  }
  case 8: {
    // Nested far, but not so far that the limit says all.
    Span span = pickSpan(tokens, random);
    size_t times = 1 + random.below(random.oneIn(8) ? 300 : 4);
    const char *pair =
        random.pick(std::vector<const char *>{"[]", "{}", "()", "<>"});
    insert(tokens, span.second, Tokens(times, std::string(1, pair[1])));
    insert(tokens, span.first, Tokens(times, std::string(1, pair[0])));
    break;
  }
  case 9:
    erase(tokens, lineAt(tokens, at));
    break;
  case 10: {
    Tokens copy = slice(tokens, lineAt(tokens, at));
    insert(tokens, lineAt(tokens, random.below(tokens.size())).first, copy);
    break;
  }
  case 11: {
    // A byte inside a token.
    std::string &token = tokens[at];
    if (!token.empty())
      token[random.below(token.size())] = static_cast<char>(random.below(256));
    break;
  }
  }
}

} // namespace

std::string muon::fuzz::mutateTokens(std::string_view text,
                                     const std::vector<std::string> &words,
                                     Random &random) {
  Tokens tokens = tokenize(text);
  for (size_t n = 1 + random.below(3); n > 0; --n)
    edit(tokens, words, random);
  return join(tokens);
}

std::string muon::fuzz::spliceTokens(std::string_view text,
                                     std::string_view other, Random &random) {
  Tokens tokens = tokenize(text), others = tokenize(other);
  if (tokens.empty() || others.empty())
    return std::string(text);
  Tokens copy = slice(
      others, random.oneIn(2) ? pickSpan(others, random)
                              : lineAt(others, random.below(others.size())));
  Span span = pickSpan(tokens, random);
  if (random.oneIn(2))
    erase(tokens, span);
  insert(tokens, span.first, copy);
  return join(tokens);
}
