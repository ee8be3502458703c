//===- Constant.cpp - Constant expressions of PTX -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constant.h"

#include <charconv>
#include <cmath>
#include <cstring>

using namespace muon::ptxsim;

namespace {

constexpr unsigned maxDepth = 64;

template <class To, class From>
To copyBits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

double asDouble(const Constant &c) {
  if (c.kind == Constant::Kind::F64)
    return copyBits<double>(c.bits);
  if (c.kind == Constant::Kind::Unsigned)
    return double(c.bits);
  return double(int64_t(c.bits));
}

Constant makeDouble(double value) {
  return {Constant::Kind::F64, copyBits<uint64_t>(value)};
}

Constant makeInteger(uint64_t bits, bool isUnsigned) {
  return {isUnsigned ? Constant::Kind::Unsigned : Constant::Kind::Signed, bits};
}

struct Binary {
  std::string_view sign;
  unsigned precedence;
};

// "Operator Precedence" of the PTX ISA; 1 is left to the conditional.
constexpr Binary binaries[] = {
    {"||", 2}, {"&&", 3}, {"|", 4},  {"^", 5},  {"&", 6},  {"==", 7},
    {"!=", 7}, {"<", 8},  {"<=", 8}, {">", 8},  {">=", 8}, {"<<", 9},
    {">>", 9}, {"+", 10}, {"-", 10}, {"*", 11}, {"/", 11}, {"%", 11}};

class ExpressionParser {
public:
  ExpressionParser(Lexer &lexer, ErrorList &errors)
      : lexer(lexer), errors(errors) {}

  bool conditional(Constant &result, unsigned depth);
  bool unary(Constant &result, unsigned depth);

private:
  bool binary(Constant &result, unsigned least, unsigned depth);
  bool primary(Constant &result, unsigned depth);
  bool apply(const Token &sign, Constant &left, const Constant &right);
  bool fail(const Token &at, std::string message) {
    errors.report(at.line, std::move(message));
    return false;
  }
  bool notExact(const Token &sign) {
    return fail(sign, "expected no operator with a constant that gives the "
                      "bits of f32, found " +
                          sign.quoted());
  }

  Lexer &lexer;
  ErrorList &errors;
};

bool ExpressionParser::primary(Constant &result, unsigned depth) {
  Token token = lexer.peek();
  if (token.is(Token::Kind::Number)) {
    lexer.next();
    return parseNumber(token, errors, result);
  }
  if (token.isName() && token.text == "WARP_SZ") {
    lexer.next();
    result = makeInteger(32, false);
    return true;
  }
  if (!token.isSign("("))
    return fail(token, "expected a constant, found " + token.quoted());
  lexer.next();
  // A cast, "Casting" among the operators.
  const Token &inner = lexer.peek();
  if (inner.isDot("s64") || inner.isDot("u64")) {
    bool isUnsigned = inner.isDot("u64");
    lexer.next();
    if (!lexer.peek().isSign(")"))
      return fail(lexer.peek(), "expected ')', found " + lexer.peek().quoted());
    lexer.next();
    if (!unary(result, depth))
      return false;
    if (!result.isInteger())
      return fail(token, "expected an integer after a cast");
    result.kind =
        isUnsigned ? Constant::Kind::Unsigned : Constant::Kind::Signed;
    return true;
  }
  if (!conditional(result, depth))
    return false;
  if (!lexer.peek().isSign(")"))
    return fail(lexer.peek(), "expected ')', found " + lexer.peek().quoted());
  lexer.next();
  return true;
}

bool ExpressionParser::unary(Constant &result, unsigned depth) {
  if (depth >= maxDepth)
    return fail(lexer.peek(), "expected an expression of depth at most " +
                                  std::to_string(maxDepth));
  Token sign = lexer.peek();
  bool isUnary = sign.isSign("-") || sign.isSign("+") || sign.isSign("~") ||
                 sign.isSign("!");
  if (!isUnary)
    return primary(result, depth + 1);
  lexer.next();
  if (!unary(result, depth + 1))
    return false;
  if (result.kind == Constant::Kind::F32)
    return notExact(sign);
  if (result.kind == Constant::Kind::F64) {
    if (sign.isSign("-"))
      result = makeDouble(-asDouble(result));
    else if (!sign.isSign("+"))
      return fail(sign, "expected an integer after " + sign.quoted());
    return true;
  }
  if (sign.isSign("-"))
    result.bits = 0 - result.bits;
  else if (sign.isSign("~"))
    result.bits = ~result.bits;
  else if (sign.isSign("!"))
    result = makeInteger(!result.bits, false);
  return true;
}

bool ExpressionParser::apply(const Token &sign, Constant &left,
                             const Constant &right) {
  std::string_view op = sign.text;
  if (left.kind == Constant::Kind::F32 || right.kind == Constant::Kind::F32)
    return notExact(sign);
  if (!left.isInteger() || !right.isInteger()) {
    double a = asDouble(left), b = asDouble(right);
    if (op == "+")
      left = makeDouble(a + b);
    else if (op == "-")
      left = makeDouble(a - b);
    else if (op == "*")
      left = makeDouble(a * b);
    else if (op == "/" && b != 0)
      left = makeDouble(a / b);
    else if (op == "/")
      return fail(sign, "expected a divisor other than zero");
    else if (op == "<")
      left = makeInteger(a < b, false);
    else if (op == "<=")
      left = makeInteger(a <= b, false);
    else if (op == ">")
      left = makeInteger(a > b, false);
    else if (op == ">=")
      left = makeInteger(a >= b, false);
    else if (op == "==")
      left = makeInteger(a == b, false);
    else if (op == "!=")
      left = makeInteger(a != b, false);
    else
      return fail(sign, "expected integers on both sides of " + sign.quoted());
    return true;
  }
  uint64_t a = left.bits, b = right.bits;
  bool isUnsigned = left.kind == Constant::Kind::Unsigned ||
                    right.kind == Constant::Kind::Unsigned;
  bool less = isUnsigned ? a < b : int64_t(a) < int64_t(b);
  if (op == "+") {
    left = makeInteger(a + b, isUnsigned);
  } else if (op == "-") {
    left = makeInteger(a - b, isUnsigned);
  } else if (op == "*") {
    left = makeInteger(a * b, isUnsigned);
  } else if (op == "/" || op == "%") {
    if (!b)
      return fail(sign, "expected a divisor other than zero");
    bool divide = op == "/";
    // The quotient of the least number and -1 does not fit; it wraps.
    if (isUnsigned)
      a = divide ? a / b : a % b;
    else if (b == ~uint64_t(0))
      a = divide ? 0 - a : 0;
    else
      a = uint64_t(divide ? int64_t(a) / int64_t(b) : int64_t(a) % int64_t(b));
    left = makeInteger(a, isUnsigned);
  } else if (op == "<<" || op == ">>") {
    // The amount's own signedness decides nothing.
    bool leftUnsigned = left.kind == Constant::Kind::Unsigned;
    bool fill = !leftUnsigned && int64_t(a) < 0;
    if (op == "<<")
      a = b > 63 ? 0 : a << b;
    else if (b > 63)
      a = fill ? ~uint64_t(0) : 0;
    else
      a = a >> b | (fill && b ? ~uint64_t(0) << (64 - b) : 0);
    left = makeInteger(a, leftUnsigned);
  } else if (op == "&") {
    left = makeInteger(a & b, isUnsigned);
  } else if (op == "^") {
    left = makeInteger(a ^ b, isUnsigned);
  } else if (op == "|") {
    left = makeInteger(a | b, isUnsigned);
  } else if (op == "<") {
    left = makeInteger(less, false);
  } else if (op == ">=") {
    left = makeInteger(!less, false);
  } else if (op == "<=") {
    left = makeInteger(less || a == b, false);
  } else if (op == ">") {
    left = makeInteger(!less && a != b, false);
  } else if (op == "==") {
    left = makeInteger(a == b, false);
  } else if (op == "!=") {
    left = makeInteger(a != b, false);
  } else if (op == "&&") {
    left = makeInteger(a && b, false);
  } else {
    left = makeInteger(a || b, false);
  }
  return true;
}

bool ExpressionParser::binary(Constant &result, unsigned least,
                              unsigned depth) {
  if (!unary(result, depth))
    return false;
  while (true) {
    Token sign = lexer.peek();
    unsigned precedence = 0;
    if (sign.is(Token::Kind::Sign))
      for (const Binary &candidate : binaries)
        if (sign.text == candidate.sign)
          precedence = candidate.precedence;
    if (precedence < least || !precedence)
      return true;
    lexer.next();
    Constant right;
    if (!binary(right, precedence + 1, depth) || !apply(sign, result, right))
      return false;
  }
}

bool ExpressionParser::conditional(Constant &result, unsigned depth) {
  if (!binary(result, 1, depth))
    return false;
  if (!lexer.peek().isSign("?"))
    return true;
  Token sign = lexer.next();
  if (!result.isInteger())
    return fail(sign, "expected an integer before '?'");
  Constant yes, no;
  if (depth >= maxDepth)
    return fail(sign, "expected an expression of depth at most " +
                          std::to_string(maxDepth));
  if (!conditional(yes, depth + 1))
    return false;
  if (!lexer.peek().isSign(":"))
    return fail(lexer.peek(), "expected ':', found " + lexer.peek().quoted());
  lexer.next();
  if (!conditional(no, depth + 1))
    return false;
  result = result.bits ? yes : no;
  return true;
}

} // namespace

std::string Constant::text() const {
  char buffer[32];
  double value = kind == Kind::F32   ? copyBits<float>(uint32_t(bits))
                 : kind == Kind::F64 ? copyBits<double>(bits)
                                     : 0;
  auto end =
      kind == Kind::Signed ? std::to_chars(buffer, buffer + 32, int64_t(bits))
      : kind == Kind::Unsigned ? std::to_chars(buffer, buffer + 32, bits)
                               : std::to_chars(buffer, buffer + 32, value);
  return std::string(buffer, end.ptr);
}

bool muon::ptxsim::parseConstant(Lexer &lexer, ErrorList &errors,
                                 Constant &result) {
  return ExpressionParser(lexer, errors).conditional(result, 0);
}

bool muon::ptxsim::parseNumber(const Token &token, ErrorList &errors,
                               Constant &result) {
  auto fail = [&](const Token &at, std::string message) {
    errors.report(at.line, std::move(message));
    return false;
  };
  std::string_view text = token.text;
  bool isUnsigned = text.back() == 'U';
  if (isUnsigned)
    text.remove_suffix(1);
  int base = 10;
  size_t skip = 0;
  bool isFloat = false;
  if (text.size() > 1 && text[0] == '0') {
    switch (text[1]) {
    case 'x':
    case 'X':
      base = 16;
      skip = 2;
      break;
    case 'b':
    case 'B':
      base = 2;
      skip = 2;
      break;
    case 'f':
    case 'F':
    case 'd':
    case 'D':
      isFloat = true;
      base = 16;
      skip = 2;
      result.kind = text[1] == 'f' || text[1] == 'F' ? Constant::Kind::F32
                                                     : Constant::Kind::F64;
      break;
    default:
      base = 8;
      skip = 1;
      break;
    }
  }
  const char *end = text.data() + text.size();
  if ((base == 10 || base == 8) &&
      text.find_first_of(".eE") != std::string_view::npos) {
    if (isUnsigned)
      return fail(token, "expected no suffix after a number with a fraction");
    double value = 0;
    auto [stop, code] = std::from_chars(text.data(), end, value);
    if (code != std::errc() || stop != end)
      return fail(token,
                  "expected a number within f64, found " + token.quoted());
    result = makeDouble(value);
    return true;
  }
  uint64_t bits = 0;
  auto [stop, code] = std::from_chars(text.data() + skip, end, bits, base);
  if (code != std::errc() || stop != end)
    return fail(token, "expected a number of at most 64 bits, found " +
                           token.quoted());
  result.bits = bits;
  if (!isFloat)
    result = makeInteger(bits, isUnsigned || bits > uint64_t(INT64_MAX));
  return true;
}

bool muon::ptxsim::startsConstant(const Token &token) {
  return token.is(Token::Kind::Number) || token.isSign("-") ||
         token.isSign("+") || token.isSign("~") || token.isSign("!") ||
         token.isSign("(") || (token.isName() && token.text == "WARP_SZ");
}

bool muon::ptxsim::convertConstant(const Constant &constant, Type type,
                                   int64_t &bits) {
  if (type == Type::F64 || type == Type::F32) {
    if (constant.isInteger())
      return false;
    bool same = (type == Type::F32) == (constant.kind == Constant::Kind::F32);
    if (same)
      bits = int64_t(constant.bits);
    else if (type == Type::F32)
      bits = copyBits<uint32_t>(float(copyBits<double>(constant.bits)));
    else
      bits =
          copyBits<int64_t>(double(copyBits<float>(uint32_t(constant.bits))));
    return true;
  }
  if (constant.kind == Constant::Kind::F32) {
    bits = int64_t(constant.bits);
    return type == Type::B32 || type == Type::TF32;
  }
  if (constant.kind == Constant::Kind::F64) {
    bits = int64_t(constant.bits);
    return type == Type::B64;
  }
  unsigned width = 8 * typeBytes(type);
  if (!width) {
    bits = constant.bits != 0;
    return type == Type::Pred;
  }
  uint64_t value = constant.bits;
  if (width < 64) {
    value &= (uint64_t(1) << width) - 1;
    if (isSigned(type) && value >> (width - 1))
      value |= ~uint64_t(0) << width;
  }
  bits = int64_t(value);
  return true;
}
