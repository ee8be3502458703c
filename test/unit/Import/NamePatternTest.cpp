//===- NamePatternTest.cpp - Regular expressions for names ----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Import/NamePattern.h"

#include "gtest/gtest.h"

#include <random>

using namespace mlir::muon;

namespace {

bool matches(llvm::StringRef pattern, llvm::StringRef name) {
  return llvm::cantFail(NamePattern::create(pattern)).matches(name);
}

TEST(NamePattern, Unanchored) {
  EXPECT_TRUE(matches("b", "abc"));
  EXPECT_FALSE(matches("^b", "abc"));
  EXPECT_TRUE(matches("^a.*c$", "abc"));
  EXPECT_FALSE(matches("B", "abc"));
}

TEST(NamePattern, LiteralsThatMayBeMissing) {
  EXPECT_TRUE(matches("ab*c", "ac"));
  EXPECT_TRUE(matches("ab?c", "ac"));
  EXPECT_TRUE(matches("ab{0,2}c", "ac"));
  EXPECT_FALSE(matches("ab+c", "ac"));
  EXPECT_TRUE(matches("ab+c", "abbc"));
  EXPECT_TRUE(matches("(ab)*c", "c"));
  EXPECT_TRUE(matches("x(a|b)?c", "xc"));
  EXPECT_TRUE(matches("a\\.*b", "ab"));
}

TEST(NamePattern, Alternatives) {
  for (const char *name : {"bias", "a.bias", "ln_1.weight"})
    EXPECT_TRUE(matches("bias$|ln_", name)) << name;
  EXPECT_FALSE(matches("bias$|ln_", "bias.x"));
  EXPECT_TRUE(matches("(a|b)c|d", "d"));
}

TEST(NamePattern, Brackets) {
  EXPECT_TRUE(matches("a[]x]b", "a]b"));
  EXPECT_TRUE(matches("a[^]x]b", "ayb"));
  EXPECT_TRUE(matches("a[[:digit:]]+b", "a12b"));
  EXPECT_TRUE(matches("a[|*(]b", "a(b"));
  EXPECT_TRUE(matches("(a[)]b)c", "a)bc"));
  EXPECT_TRUE(matches("(a\\)b)c", "a)bc"));
}

TEST(NamePattern, OrderOfLiterals) {
  EXPECT_TRUE(matches("ab.*ba", "abba"));
  EXPECT_FALSE(matches("ab.*ba", "aba"));
  EXPECT_FALSE(matches("a.b.c", "cxbxa"));
}

// The shortcut must never change an answer.
TEST(NamePattern, AgreesWithRegex) {
  std::mt19937 random(1);
  auto pick = [&](llvm::ArrayRef<const char *> from) {
    return from[random() % from.size()];
  };
  const char *atoms[] = {"a",    "b",           ".",       "\\.",  "[ab]",
                         "[^a]", "(a)",         "(a|b)",   "(ab)", "(a|b.)",
                         "^",    "$",           "|",       "ab",   "[]a]",
                         "(a*)", "[[:alpha:]]", "(b[)]?)", "]",    "}"};
  const char *suffixes[] = {"",  "",  "",    "",      "*",
                            "+", "?", "{2}", "{0,1}", "{1,}"};
  const char *letters[] = {"a", "b", ".", "c", ")", "]", "}"};
  int valid = 0, matched = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string pattern;
    for (int n = 1 + random() % 5; n > 0; --n)
      pattern += std::string(pick(atoms)) + pick(suffixes);
    llvm::Regex regex(pattern);
    auto created = NamePattern::create(pattern);
    ASSERT_EQ(bool(created), regex.isValid()) << pattern;
    if (!created) {
      llvm::consumeError(created.takeError());
      continue;
    }
    ++valid;
    for (int j = 0; j < 8; ++j) {
      std::string name;
      for (int n = random() % 7; n > 0; --n)
        name += pick(letters);
      ASSERT_EQ(created->matches(name), regex.match(name))
          << pattern << " on " << name;
      matched += regex.match(name);
    }
  }
  // The generator is worth its time.
  EXPECT_GT(valid, 5000);
  EXPECT_GT(matched, 10000);
}

} // namespace
