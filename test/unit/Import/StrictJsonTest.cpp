//===- StrictJsonTest.cpp - JSON from untrusted files ---------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Import/StrictJson.h"

#include "gtest/gtest.h"

using namespace mlir::muon;

namespace {

std::string errorOf(llvm::StringRef text) {
  auto value = parseStrictJson(text);
  return value ? "" : llvm::toString(value.takeError());
}

TEST(StrictJson, AcceptsJson) {
  for (const char *text :
       {"{}", "[]", "null", "\"a\"", "-0.5e-3", " {\"a\": [1, {\"a\": 2}]} ",
        "[{\"a\": 1}, {\"a\": 1}]", "[1E5, 0, -0, 10.25, 1e+9]",
        R"({"a\"b": "{[,:", "c": "\\"})", "[true, false, null]"})
    EXPECT_EQ(errorOf(text), "") << text;
}

TEST(StrictJson, RefusesDuplicateKeys) {
  EXPECT_EQ(errorOf(R"({"a": 1, "a": 1})"), "duplicate key \"a\" (line 1)");
  EXPECT_EQ(errorOf("{\"b\": [0, {\"a\": 1,\n\"c\": {}, \"a\": 2}]}"),
            "b[1]: duplicate key \"a\" (line 2)");
  EXPECT_EQ(errorOf(R"({"steps": 1, "\u0073teps": 2})"),
            "duplicate key \"steps\" (line 1)");
  EXPECT_EQ(errorOf(R"({"": 1, "": 1})"), "duplicate key \"\" (line 1)");
}

TEST(StrictJson, RefusesNumbersOutsideTheGrammar) {
  for (const char *text : {"01", "+1", "1.", ".5", "1e", "1e+", "-", "--1",
                           "1-2", "1.2.3", "00", "-01"})
    EXPECT_NE(errorOf(text).find("is not a JSON number (line 1)"),
              std::string::npos)
        << text;
  EXPECT_EQ(errorOf("{\"a\": {\"b\": [1, 02]}}"),
            "a.b[1]: \"02\" is not a JSON number (line 1)");
}

TEST(StrictJson, RefusesDeepNesting) {
  std::string deepest =
      std::string(maxJsonDepth, '[') + std::string(maxJsonDepth, ']');
  EXPECT_EQ(errorOf(deepest), "");
  const char *message = "objects and arrays are nested deeper than 64 levels";
  EXPECT_EQ(errorOf("[" + deepest + "]"), message);
  EXPECT_EQ(errorOf(std::string(1000000, '[')), message);
  std::string objects;
  for (int i = 0; i < 100000; ++i)
    objects += "{\"a\":";
  EXPECT_EQ(errorOf(objects), message);
  // Brackets in strings do not nest.
  EXPECT_EQ(errorOf("\"" + std::string(1000, '[') + "\""), "");
}

TEST(StrictJson, RefusesWhatIsNotJson) {
  for (const char *text :
       {"",         " ",     "{",        "[",         "}",           "]",
        "{]",       "[}",    "{\"a\"}",  "{\"a\": }", "{\"a\": 1,}", "[1,]",
        "{'a': 1}", "nul",   "NaN",      "Infinity",  "\"open",      "\"open\\",
        "\"\\",     "{} {}", "// c\n{}", "\xff",      "\"\xff\"",    "{a: 1}",
        ":",        ","})
    EXPECT_NE(errorOf(text), "") << text;
  std::string zero("{\0}", 3);
  EXPECT_NE(errorOf(zero), "");
}

TEST(StrictJson, Paths) {
  EXPECT_EQ(jsonMemberPath("", "muon"), "muon");
  EXPECT_EQ(jsonMemberPath("rules[2]", "steps"), "rules[2].steps");
  EXPECT_EQ(jsonMemberPath("muon", "a b"), "muon[\"a b\"]");
  EXPECT_EQ(jsonMemberPath("", ""), "[\"\"]");
  EXPECT_EQ(jsonElementPath("rules", 2), "rules[2]");
}

TEST(StrictJson, KeyOrder) {
  using Keys = std::vector<std::string>;
  EXPECT_EQ(getJsonKeyOrder(R"({"g": {"b": 1, "a": 2, "c": 3}})", "g"),
            Keys({"b", "a", "c"}));
  // Of the member of the root alone, and of nothing inside it.
  EXPECT_EQ(getJsonKeyOrder(
                R"({"x": {"g": {"n": 1}, "y": 0}, "g": {"z": {"q": 1}, "\u0061":
                    [{"p": 1}]}, "h": {"w": 1}})",
                "g"),
            Keys({"z", "a"}));
  EXPECT_EQ(getJsonKeyOrder(R"([{"g": {"a": 1}}])", "g"), Keys());
  EXPECT_EQ(getJsonKeyOrder(R"({"g": [{"a": 1}], "h": "g"})", "g"), Keys());
  EXPECT_EQ(getJsonKeyOrder("{}", "g"), Keys());
}

TEST(StrictJson, Quotes) {
  EXPECT_EQ(quoteForMessage("a\"b\\\n"), "\"a\\\"b\\\\\\x0a\"");
  EXPECT_EQ(quoteForMessage(std::string(1000, 'x')).size(), 165u);
}

} // namespace
