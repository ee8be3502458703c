//===- Lexer.h - Words of PTX text ------------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_LEXER_H
#define MUON_MLIR_LIB_PTXSIM_LEXER_H

#include "muon-mlir/PTXSim/PTXSim.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muon::ptxsim {

/// The errors of a text, up to a limit.
class ErrorList {
public:
  ErrorList(const std::vector<std::string> &lines,
            std::vector<ParseError> &errors)
      : lines(lines), errors(errors), before(errors.size()) {}

  void report(unsigned line, std::string message);
  bool any() const { return errors.size() != before; }
  /// Nothing more is taken, so reading on is of no use.
  bool full() const { return isFull; }

private:
  const std::vector<std::string> &lines;
  std::vector<ParseError> &errors;
  size_t before;
  bool isFull = false;
};

struct Token {
  enum class Kind : uint8_t {
    End,
    /// `%r1`, `$L__BB0_1`, `add`; `_` too.
    Identifier,
    /// `.reg`, `.L1::evict_last`; the text is without the dot.
    Dot,
    Number,
    /// The text is without the quotes.
    String,
    /// One or two characters.
    Sign
  };

  Kind kind = Kind::End;
  std::string_view text;
  unsigned line = 1;

  bool is(Kind k) const { return kind == k; }
  bool is(Kind k, std::string_view t) const { return kind == k && text == t; }
  bool isSign(std::string_view t) const { return is(Kind::Sign, t); }
  bool isDot(std::string_view t) const { return is(Kind::Dot, t); }
  bool isName() const { return kind == Kind::Identifier; }
  /// For messages: `'add'`, `end of file`.
  std::string quoted() const;
};

/// Splits text into tokens. Characters that start none are reported and left
/// out.
class Lexer {
public:
  Lexer(std::string_view text, ErrorList &errors);

  /// The next token, and the one after it.
  const Token &peek() const { return tokens[0]; }
  const Token &peekSecond() const { return tokens[1]; }
  Token next();

  /// The longest name of anything.
  static constexpr size_t maxIdentifier = 1024;

private:
  Token lex();
  void skipBlanks();
  Token lexNumber();
  char at(size_t offset) const {
    return position + offset < text.size() ? text[position + offset] : '\0';
  }
  Token take(Token::Kind kind, size_t length);

  std::string_view text;
  ErrorList &errors;
  size_t position = 0;
  unsigned line = 1;
  Token tokens[2];
};

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_LEXER_H
