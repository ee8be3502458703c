//===- Parser.cpp - Reading PTX -------------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One pass over the text: names are declared before they are used, but for
// labels, which are resolved where their scope ends, and for bodies of
// functions. After an error reading goes on behind the next ';' or '}', so that
// all errors of a text are found.
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

#include <algorithm>

using namespace muon::ptxsim;

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

std::string Parser::quote(std::string_view name) {
  Token token;
  token.kind = TokenKind::Identifier;
  token.text = name;
  return token.quoted();
}

bool Parser::fail(unsigned line, std::string message) {
  errors.report(line, std::move(message));
  return false;
}

bool Parser::unexpected(const std::string &wanted) {
  return fail(peek().line, "expected " + wanted + ", found " + peek().quoted());
}

bool Parser::takeSign(std::string_view sign) {
  if (!peek().isSign(sign))
    return false;
  next();
  return true;
}

bool Parser::expectSign(std::string_view sign) {
  return takeSign(sign) || unexpected(quote(sign));
}

bool Parser::expectName(std::string_view &name, const char *what) {
  if (!peek().isName())
    return unexpected(what);
  name = next().text;
  return true;
}

bool Parser::expectInteger(uint64_t most, const char *what, uint64_t &value) {
  unsigned line = peek().line;
  Constant constant;
  if (!startsConstant(peek()))
    return unexpected(what);
  if (!parseConstant(lexer, errors, constant))
    return false;
  if (!constant.isInteger() || constant.isNegative() || constant.bits > most)
    return fail(line, std::string("expected ") + what + " of at most " +
                          std::to_string(most) + ", found " + constant.text());
  value = constant.bits;
  return true;
}

/// To behind the next ';', or to the '}' of the block around a statement that
/// began within `outside` braces.
void Parser::skipStatement(int outside) {
  while (!peek().is(TokenKind::End)) {
    if (peek().isSign("}") && braces == outside)
      return;
    if (next().isSign(";"))
      break;
  }
  // Braces that are open were of blocks, whose ends are still to come.
  for (int i = outside; i < braces && scopes.size() < Limits::nesting; ++i)
    pushScope();
}

/// To behind a ';' or behind a block, both within `outside` braces.
void Parser::skipBlock(int outside) {
  while (!peek().is(TokenKind::End)) {
    Token token = next();
    if (braces <= outside && (token.isSign("}") || token.isSign(";")))
      return;
  }
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

void Parser::run() {
  if (!peek().isDot("version"))
    unexpected("'.version'");
  while (!peek().is(TokenKind::End) && !errors.full())
    moduleStatement();
  finish();
}

void Parser::moduleStatement() {
  Token token = peek();
  // What is open here was left open by mistake.
  braces = 0;
  if (takeSign(";"))
    return;
  bool isExtern = false, hasLinkage = false;
  while (peek().isDot("visible") || peek().isDot("extern") ||
         peek().isDot("weak") || peek().isDot("common")) {
    isExtern |= next().text == "extern";
    hasLinkage = true;
  }
  if (peek().isDot("entry") || peek().isDot("func")) {
    parseFunction(isExtern);
    return;
  }
  bool good = false;
  if (peek().isDot("global") || peek().isDot("const") ||
      peek().isDot("shared")) {
    std::string_view space = next().text;
    good = parseVariables(space == "global"  ? Space::Global
                          : space == "const" ? Space::Const
                                             : Space::Shared,
                          isExtern);
  } else if (hasLinkage) {
    unexpected("'.entry', '.func' or a variable");
  } else if (token.isDot("version")) {
    good = parseVersion();
  } else if (token.isDot("target")) {
    good = parseTarget();
  } else if (token.isDot("address_size")) {
    good = parseAddressSize();
  } else if (token.isDot("file")) {
    good = skipFile();
  } else if (token.isDot("loc")) {
    good = skipLocation();
  } else if (token.isDot("section")) {
    good = skipSection();
  } else if (token.isDot("pragma")) {
    good = skipPragma();
  } else if (token.isDot("alias")) {
    good = parseAlias();
  } else if (token.is(TokenKind::Dot)) {
    unexpected("a directive of a module");
  } else {
    unexpected("a directive");
  }
  if (!good)
    skipBlock(0);
}

bool Parser::parseVersion() {
  Token directive = next();
  if (hasVersion)
    return fail(directive.line, "expected '.version' once");
  hasVersion = true;
  if (!peek().is(TokenKind::Number))
    return unexpected("a version");
  Token token = next();
  std::string_view text = token.text;
  auto isDigit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  unsigned version = 0;
  if (text.size() == 3 && isDigit(0) && text[1] == '.' && isDigit(2))
    version = unsigned(text[0] - '0') * 10 + unsigned(text[2] - '0');
  // Of use to what is still read, even if it is not one of those.
  program.isaVersion = version;
  if (version < 70 || version > 90)
    errors.report(token.line, "expected a version from 7.0 to 9.0, found " +
                                  token.quoted());
  return true;
}

bool Parser::parseTarget() {
  next();
  do {
    Token token = peek();
    std::string_view name;
    if (!expectName(name, "a target"))
      return false;
    if (name == "debug" || name == "texmode_unified" ||
        name == "texmode_independent" || name == "map_f64_to_f32")
      continue;
    unsigned number = 0;
    size_t at = 3, digits = 0;
    for (; at < name.size() && name[at] >= '0' && name[at] <= '9' && digits < 4;
         ++at, ++digits)
      number = 10 * number + unsigned(name[at] - '0');
    // sm_90a: with instructions that other targets do not have.
    if (at < name.size() && (name[at] == 'a' || name[at] == 'f'))
      ++at;
    if (name.substr(0, 3) != "sm_" || !digits || at != name.size()) {
      errors.report(token.line,
                    "expected a target such as sm_80, found " + token.quoted());
      number = 0;
    }
    program.target = std::max(program.target, std::max(number, 1u));
  } while (takeSign(","));
  return true;
}

bool Parser::parseAddressSize() {
  next();
  Token token = peek();
  if (!token.is(TokenKind::Number))
    return unexpected("64");
  next();
  if (token.text != "64")
    errors.report(token.line, "expected 64, found " + token.quoted());
  return true;
}

bool Parser::parseAlias() {
  unsigned line = next().line;
  std::string_view name, of;
  if (!expectName(name, "a function") || !expectSign(",") ||
      !expectName(of, "a function") || !expectSign(";"))
    return false;
  auto found = globals.find(name);
  if (found == globals.end() || found->second.kind != Symbol::Kind::Function ||
      found->second.function->isKernel ||
      defined.count(found->second.function)) {
    errors.report(line,
                  "expected a function without a body, found " + quote(name));
    return true;
  }
  aliases.push_back({found->second.function, of, line});
  return true;
}

/// `.loc` has no end but the last of its parts.
bool Parser::skipLocation() {
  next();
  uint64_t number;
  for (int i = 0; i < 3; ++i)
    if (!expectInteger(UINT64_MAX, "a number", number))
      return false;
  while (takeSign(",")) {
    if (!peek().isName())
      return unexpected("'function_name' or 'inlined_at'");
    if (next().text == "inlined_at") {
      for (int i = 0; i < 3; ++i)
        if (!expectInteger(UINT64_MAX, "a number", number))
          return false;
      continue;
    }
    std::string_view label;
    if (!expectName(label, "a label"))
      return false;
    if (takeSign("+") && !expectInteger(UINT64_MAX, "a number", number))
      return false;
  }
  return true;
}

bool Parser::skipFile() {
  next();
  uint64_t number;
  if (!expectInteger(UINT64_MAX, "the number of a file", number))
    return false;
  if (!peek().is(TokenKind::String))
    return unexpected("the name of a file");
  next();
  while (takeSign(","))
    if (!expectInteger(UINT64_MAX, "a number", number))
      return false;
  return true;
}

bool Parser::skipSection() {
  next();
  if (!peek().is(TokenKind::Dot) && !peek().isName())
    return unexpected("the name of a section");
  next();
  if (!expectSign("{"))
    return false;
  unsigned depth = 1;
  while (depth && !peek().is(TokenKind::End)) {
    Token token = next();
    depth += token.isSign("{");
    depth -= token.isSign("}");
  }
  return !depth || unexpected("'}'");
}

bool Parser::skipPragma() {
  next();
  do {
    if (!peek().is(TokenKind::String))
      return unexpected("a string");
    next();
  } while (takeSign(","));
  return expectSign(";");
}

bool Parser::skipParentheses() {
  if (!expectSign("("))
    return false;
  while (!peek().isSign(")")) {
    if (peek().is(TokenKind::End) || peek().isSign(";"))
      return unexpected("')'");
    next();
  }
  next();
  return true;
}

void Parser::finish() {
  if (hasVersion && !program.target)
    errors.report(1, "expected '.target', found none");
  // Aliases first: what they stand for may be used.
  std::unordered_map<const Function *, const Function *> resolved;
  for (const Alias &alias : aliases) {
    auto found = globals.find(alias.of);
    if (found == globals.end() ||
        found->second.kind != Symbol::Kind::Function ||
        !defined.count(found->second.function))
      errors.report(alias.line, "expected a function with a body, found " +
                                    quote(alias.of));
    else
      resolved[alias.function] = found->second.function;
  }
  for (Function &each : program.functions)
    each.isExtern |= !defined.count(&each);
  for (const FunctionUse &use : functionUses)
    if (!defined.count(use.function) && !resolved.count(use.function))
      errors.report(use.line, "expected a function with a body, found " +
                                  quote(use.function->name) +
                                  ", which is only declared");
  if (resolved.empty())
    return;
  auto replace = [&](const Function *&which) {
    auto found = resolved.find(which);
    if (found != resolved.end())
      which = found->second;
  };
  for (Function &each : program.functions)
    for (Instruction &instruction : each.body)
      for (Operand &operand : instruction.operands) {
        replace(operand.function);
        for (Operand &element : operand.elements)
          replace(element.function);
      }
  for (Variable &variable : program.variables)
    for (Variable::Relocation &relocation : variable.relocations)
      replace(relocation.function);
}

bool muon::ptxsim::parseProgram(std::string_view text, Program &program,
                                std::vector<ParseError> &errors) {
  ErrorList list(program.lines, errors);
  if (text.size() > Limits::text) {
    list.report(0, "expected at most " + std::to_string(Limits::text) +
                       " bytes, found " + std::to_string(text.size()));
    return false;
  }
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (!line.empty() && line.back() == '\r')
      line.remove_suffix(1);
    program.lines.emplace_back(line);
    at = end + 1;
    if (program.lines.size() > Limits::lines) {
      list.report(unsigned(Limits::lines), "expected at most " +
                                               std::to_string(Limits::lines) +
                                               " lines");
      return false;
    }
  }
  Parser(text, program, list).run();
  return !list.any();
}
