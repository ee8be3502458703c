//===- NamePattern.cpp - Regular expressions for tensor names -------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Import/NamePattern.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace llvm;

namespace mlir::muon {

/// The factor by which counted repetitions multiply the compiled size of a
/// regular expression, at most: nested ones are expanded by copying.
static size_t getRepetitionFactor(StringRef pattern) {
  size_t factor = 1;
  for (StringRef rest = pattern.split('{').second; !rest.empty();
       rest = rest.split('{').second) {
    unsigned low = 0, high = 0;
    StringRef counts = rest;
    if (counts.consumeInteger(10, low))
      continue;
    if (counts.consume_front(","))
      (void)counts.consumeInteger(10, high);
    factor = SaturatingMultiply<size_t>(factor, std::max({low, high, 1u}));
  }
  return factor;
}

/// True if `pattern` has a back-reference. POSIX extended expressions have
/// none, and matching them can take exponential time.
static bool hasBackReference(StringRef pattern) {
  for (size_t i = 0; i + 1 < pattern.size(); ++i)
    if (pattern[i] == '\\' && isDigit(pattern[++i]))
      return true;
  return false;
}

/// The index behind the bracket expression that starts at `start`.
static size_t skipBrackets(StringRef pattern, size_t start) {
  size_t i = start + 1;
  if (i < pattern.size() && pattern[i] == '^')
    ++i;
  // A bracket in the first place stands for itself.
  if (i < pattern.size() && pattern[i] == ']')
    ++i;
  for (; i < pattern.size() && pattern[i] != ']'; ++i) {
    // Skip [:digit:] and the like, which have a bracket inside.
    if (pattern[i] != '[' || i + 1 >= pattern.size() ||
        !StringRef(":.=").contains(pattern[i + 1]))
      continue;
    size_t end = pattern.find((Twine(pattern[i + 1]) + "]").str(), i + 2);
    if (end == StringRef::npos)
      return pattern.size();
    i = end + 1;
  }
  return std::min(i + 1, pattern.size());
}

/// The index behind the group that starts at `start`.
static size_t skipGroup(StringRef pattern, size_t start) {
  size_t depth = 0;
  for (size_t i = start; i < pattern.size();) {
    char c = pattern[i];
    if (c == '[') {
      i = skipBrackets(pattern, i);
      continue;
    }
    if (c == '(')
      ++depth;
    else if (c == ')' && --depth == 0)
      return i + 1;
    i += c == '\\' ? 2 : 1;
  }
  return pattern.size();
}

std::vector<NamePattern::Literals>
NamePattern::findLiterals(StringRef pattern) {
  std::vector<Literals> alternatives(1);
  std::string run;
  auto endRun = [&] {
    if (!run.empty())
      alternatives.back().push_back(std::move(run));
    run.clear();
  };
  for (size_t i = 0; i < pattern.size();) {
    char c = pattern[i];
    switch (c) {
    case '\\':
      if (i + 1 < pattern.size())
        run += pattern[i + 1];
      i += 2;
      break;
    case '[':
      endRun();
      i = skipBrackets(pattern, i);
      break;
    case '(':
      endRun();
      i = skipGroup(pattern, i);
      break;
    case '{':
    case '*':
    case '?':
      // The character before may be missing from a match.
      if (!run.empty())
        run.pop_back();
      endRun();
      i = c == '{' ? pattern.find('}', i) : i;
      i = i == StringRef::npos ? pattern.size() : i + 1;
      break;
    case '|':
      endRun();
      alternatives.emplace_back();
      ++i;
      break;
    case '+':
    case '.':
    case '^':
    case '$':
    case ')':
      endRun();
      ++i;
      break;
    default:
      run += c;
      ++i;
      break;
    }
  }
  endRun();
  return alternatives;
}

Expected<NamePattern> NamePattern::create(StringRef pattern) {
  if (pattern.size() > maxSize)
    return createStringError("has " + Twine(pattern.size()) +
                             " bytes, more than " + Twine(maxSize));
  if (hasBackReference(pattern))
    return createStringError("has a back-reference, which POSIX extended "
                             "regular expressions do not");
  NamePattern result;
  result.cost =
      SaturatingMultiply(pattern.size() + 1, getRepetitionFactor(pattern));
  if (result.cost > maxCost)
    return createStringError("is too large when its repetitions are expanded");
  result.regex = Regex(pattern);
  std::string message;
  if (!result.regex.isValid(message))
    return createStringError("is not a POSIX extended regular expression: " +
                             message);
  result.alternatives = findLiterals(pattern);
  result.isLiteral = Regex::isLiteralERE(pattern);
  return result;
}

bool NamePattern::matches(StringRef name) const {
  auto mayMatch = [name](const Literals &literals) {
    size_t position = 0;
    for (StringRef literal : literals) {
      position = name.find(literal, position);
      if (position == StringRef::npos)
        return false;
      position += literal.size();
    }
    return true;
  };
  return any_of(alternatives, mayMatch) && (isLiteral || regex.match(name));
}

} // namespace mlir::muon
