//===- Lexer.cpp - Words of PTX text --------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lexer.h"

using namespace muon::ptxsim;

// A text of one line, or one name, must not fill the memory with copies of it.
static constexpr size_t maxErrors = 100, maxErrorText = 1024, maxQuoted = 128;

void ErrorList::report(unsigned line, std::string message) {
  if (isFull)
    return;
  ParseError error;
  error.line = line;
  if (line && line <= lines.size())
    error.text = lines[line - 1].substr(0, maxErrorText);
  if (errors.size() - before >= maxErrors) {
    isFull = true;
    message = "too many errors";
  }
  error.message = std::move(message);
  errors.push_back(std::move(error));
}

std::string Token::quoted() const {
  if (kind == Kind::End)
    return "end of file";
  std::string result = kind == Kind::Dot ? "'." : "'";
  result += text.substr(0, maxQuoted);
  return result + (text.size() > maxQuoted ? "...'" : "'");
}

// The classes of characters are those of ASCII in every locale.
static bool isDigit(char c) { return c >= '0' && c <= '9'; }
static bool isLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool isNameEnd(char c) {
  return isLetter(c) || isDigit(c) || c == '_' || c == '$';
}
static bool isHex(char c) {
  return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

Lexer::Lexer(std::string_view text, ErrorList &errors)
    : text(text), errors(errors) {
  tokens[0] = lex();
  tokens[1] = lex();
}

Token Lexer::next() {
  Token result = tokens[0];
  tokens[0] = tokens[1];
  tokens[1] = lex();
  return result;
}

Token Lexer::take(Token::Kind kind, size_t length) {
  Token token;
  token.kind = kind;
  token.text = text.substr(position, length);
  token.line = line;
  position += length;
  return token;
}

void Lexer::skipBlanks() {
  while (position < text.size()) {
    char c = text[position];
    if (c == '\n') {
      ++line;
      ++position;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
      ++position;
    } else if (c == '/' && at(1) == '/') {
      size_t end = text.find('\n', position);
      position = end == std::string_view::npos ? text.size() : end;
    } else if (c == '/' && at(1) == '*') {
      size_t end = text.find("*/", position + 2);
      if (end == std::string_view::npos) {
        errors.report(line, "expected '*/', found end of file");
        position = text.size();
        return;
      }
      for (; position < end + 2; ++position)
        line += text[position] == '\n';
    } else {
      return;
    }
  }
}

Token Lexer::lexNumber() {
  size_t length = 0;
  char second = at(1);
  bool prefixed = at(0) == '0';
  bool good = true;
  if (prefixed && (second == 'x' || second == 'X')) {
    for (length = 2; isHex(at(length));)
      ++length;
    good = length > 2;
  } else if (prefixed && (second == 'b' || second == 'B')) {
    for (length = 2; at(length) == '0' || at(length) == '1';)
      ++length;
    good = length > 2;
  } else if (prefixed && (second == 'f' || second == 'F')) {
    for (length = 2; isHex(at(length));)
      ++length;
    good = length == 2 + 8;
  } else if (prefixed && (second == 'd' || second == 'D')) {
    for (length = 2; isHex(at(length));)
      ++length;
    good = length == 2 + 16;
  } else {
    while (isDigit(at(length)))
      ++length;
    bool fraction = at(length) == '.' && !isLetter(at(length + 1));
    if (fraction)
      for (++length; isDigit(at(length));)
        ++length;
    if (at(length) == 'e' || at(length) == 'E') {
      size_t exponent = length + 1;
      exponent += at(exponent) == '+' || at(exponent) == '-';
      good = isDigit(at(exponent));
      for (length = exponent; isDigit(at(length));)
        ++length;
    }
  }
  if (at(length) == 'U')
    ++length;
  while (isNameEnd(at(length))) {
    good = false;
    ++length;
  }
  if (length > maxIdentifier)
    good = false;
  Token token = take(Token::Kind::Number, length);
  if (!good) {
    errors.report(line, "expected a number, found " + token.quoted());
    token.text = "0";
  }
  return token;
}

Token Lexer::lex() {
  while (true) {
    skipBlanks();
    if (position >= text.size() || errors.full())
      return take(Token::Kind::End, 0);
    char c = at(0);
    if (isDigit(c))
      return lexNumber();
    if (isLetter(c) || c == '_' || c == '$' || (c == '%' && isNameEnd(at(1)))) {
      size_t length = 1;
      while (isNameEnd(at(length)))
        ++length;
      Token token = take(Token::Kind::Identifier, length);
      if (length > maxIdentifier)
        errors.report(
            line, "expected at most " + std::to_string(maxIdentifier) +
                      " characters in a name, found " + std::to_string(length));
      return token;
    }
    if (c == '.' && isNameEnd(at(1))) {
      ++position;
      size_t length = 0;
      while (isNameEnd(at(length)) ||
             (at(length) == ':' && at(length + 1) == ':' &&
              isNameEnd(at(length + 2))))
        length += at(length) == ':' ? 2 : 1;
      return take(Token::Kind::Dot, length);
    }
    if (c == '"') {
      size_t end = text.find_first_of("\"\n", position + 1);
      ++position;
      if (end != std::string_view::npos && text[end] == '"') {
        Token token = take(Token::Kind::String, end - position);
        ++position;
        return token;
      }
      errors.report(line, "expected '\"' at the end of a string");
      position = end == std::string_view::npos ? text.size() : end;
      continue;
    }
    static constexpr std::string_view two[] = {
        "<<", ">>", "<=", ">=", "==", "!=", "&&", "||"};
    for (std::string_view sign : two)
      if (text.substr(position, 2) == sign)
        return take(Token::Kind::Sign, 2);
    if (std::string_view("()[]{}<>,;:@!~+-*/%&|^=?").find(c) !=
        std::string_view::npos)
      return take(Token::Kind::Sign, 1);
    // One report for a run of them: text in another encoding is one error.
    unsigned char byte = c;
    size_t run = 1;
    while (byte >= 0x80 && static_cast<unsigned char>(at(run)) >= 0x80)
      ++run;
    static constexpr char digits[] = "0123456789abcdef";
    errors.report(line, byte > 0x20 && byte < 0x7f
                            ? std::string("unexpected character '") + c + "'"
                            : std::string("unexpected byte 0x") +
                                  digits[byte >> 4] + digits[byte & 15]);
    position += run;
  }
}
