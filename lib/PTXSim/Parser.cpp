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

#include "FormTable.h"
#include "Lexer.h"
#include "Program.h"

#include <algorithm>
#include <unordered_set>

using namespace muon::ptxsim;

namespace {

/// What a text may ask for. None is reached by code that a compiler writes.
struct Limits {
  static constexpr uint64_t text = uint64_t(64) << 20;
  static constexpr uint64_t lines = uint64_t(1) << 22;
  static constexpr uint64_t registersPerFunction = 1'000'000;
  /// Of all functions, with their names.
  static constexpr uint64_t registerBytes = uint64_t(256) << 20;
  static constexpr uint64_t instructions = 4'000'000;
  /// Of all brx.idx.
  static constexpr uint64_t targets = 4'000'000;
  static constexpr uint64_t nesting = 64;
  static constexpr uint64_t modifiers = 24;
  static constexpr uint64_t vectorElements = 8;
  static constexpr uint64_t dimensions = 8;
  static constexpr uint64_t parameters = 4096;
  static constexpr uint64_t alignment = 1 << 16;
  static constexpr uint64_t globalBytes = uint64_t(1) << 36;
  /// Of all variables, each with its padding; of a function for the last two.
  static constexpr uint64_t initialBytes = uint64_t(256) << 20;
  static constexpr uint64_t sharedBytes = uint64_t(1) << 30;
  static constexpr uint64_t localBytes = uint64_t(512) << 10;
  static constexpr uint64_t paramBytes = uint64_t(1) << 20;
  /// "Kernel Function Parameters" of the PTX ISA.
  static constexpr uint64_t kernelParameterBytes = 32764;
};

using TokenKind = Token::Kind;

std::string quote(std::string_view name) {
  Token token;
  token.kind = TokenKind::Identifier;
  token.text = name;
  return token.quoted();
}

/// Sizes and types of what a function takes or gives.
struct Signature {
  struct Value {
    uint64_t size = 0;
    Type type = Type::None;
    bool isRegister = false;
  };
  std::vector<Value> parameters, results;
};

struct Parameter {
  /// Of the text, which outlives what the name is kept in.
  std::string_view name;
  bool isRegister = false;
  Variable variable;
};

struct LabelUse {
  uint32_t instruction = 0;
  OperandMatcher::LabelUse place;
  unsigned line = 0;
};

struct Scope {
  struct Range {
    uint32_t first = 0, count = 0;
    Type type = Type::None;
  };
  std::unordered_map<std::string_view, Symbol> names;
  /// `%r<4>` by `%r`.
  std::unordered_map<std::string_view, Range> ranges;
  std::unordered_map<std::string_view, uint32_t> labels;
  std::vector<LabelUse> uses;
};

class Parser {
public:
  Parser(std::string_view text, Program &program, ErrorList &errors)
      : program(program), errors(errors), lexer(text, errors),
        forms(FormTable::get()) {}

  void run();

private:
  // Tokens.
  const Token &peek() const { return lexer.peek(); }
  Token next() {
    Token token = lexer.next();
    braces += token.isSign("{");
    braces -= token.isSign("}");
    return token;
  }
  bool takeSign(std::string_view sign);
  bool expectSign(std::string_view sign);
  bool expectName(std::string_view &name, const char *what);
  bool expectInteger(uint64_t most, const char *what, uint64_t &value);
  bool fail(unsigned line, std::string message);
  bool unexpected(const std::string &wanted);
  void skipStatement(int outside);
  void skipBlock(int outside);

  // Modules.
  void moduleStatement();
  bool parseVersion();
  bool parseTarget();
  bool parseAddressSize();
  bool parseAlias();
  bool skipLocation();
  bool skipFile();
  bool skipSection();
  bool skipPragma();
  bool skipParentheses();
  void finish();

  // Variables.
  bool parseType(Type &type);
  bool parseAlignment(uint32_t &alignment);
  bool parseDimensions(std::vector<uint64_t> &dimensions);
  bool parseVariables(Space space, bool isExtern);
  bool parseInitial(Variable &variable, std::vector<uint64_t> &dimensions);
  bool parseInitialList(Variable &variable,
                        const std::vector<uint64_t> &dimensions, size_t level,
                        uint64_t first, uint64_t &count);
  bool parseInitialValue(Variable &variable, uint64_t index);
  bool declareVariable(std::string_view name, Variable variable);
  bool chargeVariable(const Variable &variable);

  // Functions.
  void parseFunction(bool isExtern);
  bool parseHeader(bool isExtern, bool isKernel, Function *&result,
                   std::vector<Parameter> &results,
                   std::vector<Parameter> &parameters);
  bool parseParameters(std::vector<Parameter> &parameters);
  bool parseParameter(Parameter &parameter);
  bool parseDirectives(Function &function);
  bool placeParameters(Function &function, std::vector<Parameter> &results,
                       std::vector<Parameter> &parameters);
  void parseBody(Function &into, const std::vector<Parameter> &results,
                 const std::vector<Parameter> &parameters);
  void statement();
  bool parseRegisters();
  bool addRegister(std::string name, Type type, unsigned line);
  bool parseLabel();
  bool parseBranchTargets(std::string_view name, unsigned line);
  bool parseCallTargets(std::string_view name, unsigned line);
  bool parsePrototype(std::string_view name, unsigned line);
  static Signature signatureOf(const std::vector<Parameter> &results,
                               const std::vector<Parameter> &parameters);
  static Signature signatureOf(const Function &function);

  // Instructions.
  bool parseInstruction();
  bool parseGuard(Operand &guard);
  bool parseOperand(TextOperand &operand);
  bool parseElement(TextOperand &operand);
  bool parseName(TextOperand &operand);
  bool parseList(std::vector<TextOperand> &list);
  bool parseCall(Instruction &instruction);
  bool checkList(const std::vector<TextOperand> &found,
                 const std::vector<Signature::Value> &expected,
                 const char *what, bool isResult, unsigned line,
                 Operand &result);
  bool emit(Instruction instruction);

  // Names.
  Symbol lookUp(std::string_view name) const;
  Symbol lookUpLocal(const Scope &scope, std::string_view name) const;
  bool declare(std::string_view name, Symbol symbol, unsigned line);
  void pushScope() { scopes.emplace_back(); }
  void popScope();

  Program &program;
  ErrorList &errors;
  Lexer lexer;
  const FormTable &forms;
  /// That are open before the next token.
  int braces = 0;

  std::unordered_map<std::string_view, Symbol> globals;
  std::unordered_set<const Function *> defined;
  struct FunctionUse {
    const Function *function;
    unsigned line;
  };
  std::vector<FunctionUse> functionUses;
  struct Alias {
    Function *function;
    std::string_view of;
    unsigned line;
  };
  std::vector<Alias> aliases;
  bool hasVersion = false;
  uint64_t registerBytes = 0, initialBytes = 0, sharedBytes = 0,
           numInstructions = 0, numTargets = 0;

  // Of the function at hand.
  Function *function = nullptr;
  std::deque<Scope> scopes;
  std::vector<std::vector<std::string_view>> branchTargets;
  std::vector<std::vector<Function *>> callTargets;
  std::vector<Signature> prototypes;
  uint64_t localBytes = 0, paramBytes = 0;
};

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Variables
//===----------------------------------------------------------------------===//

bool Parser::parseType(Type &type) {
  if (!peek().is(TokenKind::Dot))
    return unexpected("a type");
  type = muon::ptxsim::parseType(peek().text);
  if (type == Type::None)
    return unexpected("a type");
  next();
  return true;
}

/// After `.align`.
bool Parser::parseAlignment(uint32_t &alignment) {
  unsigned line = peek().line;
  uint64_t value = 0;
  if (!expectInteger(Limits::alignment, "an alignment", value))
    return false;
  if (!value || (value & (value - 1)))
    return fail(line, "expected a power of two as alignment, found " +
                          std::to_string(value));
  alignment = uint32_t(value);
  return true;
}

/// `[4][8]`; 0 for `[]`, which may only be the first.
bool Parser::parseDimensions(std::vector<uint64_t> &dimensions) {
  while (peek().isSign("[")) {
    unsigned line = next().line;
    uint64_t size = 0;
    if (!peek().isSign("]") || !dimensions.empty()) {
      if (!expectInteger(Limits::globalBytes, "the size of an array", size))
        return false;
      if (!size)
        return fail(line, "expected an array of at least one element");
    }
    if (!expectSign("]"))
      return false;
    if (dimensions.size() == Limits::dimensions)
      return fail(line, "expected at most " +
                            std::to_string(Limits::dimensions) +
                            " dimensions of an array");
    dimensions.push_back(size);
  }
  return true;
}

/// Bytes of an array, or more than any limit.
static uint64_t bytesOf(Type type, const std::vector<uint64_t> &dimensions) {
  uint64_t bytes = typeBytes(type);
  for (uint64_t size : dimensions) {
    if (size && bytes > Limits::globalBytes / size)
      return UINT64_MAX;
    bytes *= size;
  }
  return bytes;
}

bool Parser::chargeVariable(const Variable &variable) {
  uint64_t most = Limits::globalBytes, none = 0;
  uint64_t *sum = &none;
  switch (variable.space) {
  case Space::Shared:
    sum = &sharedBytes;
    most = Limits::sharedBytes;
    break;
  case Space::Local:
    sum = &localBytes;
    most = Limits::localBytes;
    break;
  case Space::Param:
    sum = &paramBytes;
    most = Limits::paramBytes;
    break;
  default:
    break;
  }
  // The machine leaves gaps between variables.
  uint64_t padding = variable.alignment + 16;
  if (variable.size > most || *sum + variable.size + padding > most)
    return fail(variable.line,
                std::string("expected at most ") + std::to_string(most) +
                    " bytes of " + spaceName(variable.space) +
                    " memory, found " +
                    (variable.size == UINT64_MAX
                         ? "more"
                         : std::to_string(*sum + variable.size + padding)));
  *sum += variable.size + padding;
  return true;
}

/// After the state space.
bool Parser::parseVariables(Space space, bool isExtern) {
  uint32_t alignment = 0;
  uint64_t vector = 0;
  Type type = Type::None;
  unsigned line = peek().line;
  while (type == Type::None) {
    if (peek().isDot("align")) {
      next();
      if (!parseAlignment(alignment))
        return false;
    } else if (peek().isDot("attribute")) {
      next();
      if (!skipParentheses())
        return false;
    } else if (peek().isDot("v2") || peek().isDot("v4")) {
      vector = next().text == "v2" ? 2 : 4;
    } else if (!parseType(type)) {
      return false;
    }
  }
  if (!typeBytes(type))
    return fail(line, "expected a type with a size, found .pred");
  do {
    Variable variable;
    variable.space = space;
    variable.type = type;
    variable.isExtern = isExtern;
    variable.line = peek().line;
    std::string_view name;
    if (!expectName(name, "the name of a variable"))
      return false;
    variable.name = std::string(name);
    variable.alignment =
        alignment ? alignment
                  : typeBytes(type) * uint32_t(std::max<uint64_t>(vector, 1));
    std::vector<uint64_t> dimensions;
    if (!parseDimensions(dimensions))
      return false;
    if (vector)
      dimensions.push_back(vector);
    if (takeSign("=")) {
      if (!parseInitial(variable, dimensions))
        return false;
    } else {
      variable.size = bytesOf(type, dimensions);
      if (!variable.size && !isExtern)
        return fail(variable.line, "expected the size of array " + quote(name));
    }
    if (!declareVariable(name, std::move(variable)))
      return false;
  } while (takeSign(","));
  return expectSign(";");
}

bool Parser::parseInitial(Variable &variable,
                          std::vector<uint64_t> &dimensions) {
  if (variable.space != Space::Global && variable.space != Space::Const)
    return fail(variable.line, std::string("expected no initial value in ") +
                                   spaceName(variable.space) + " memory");
  bool isOpen = !dimensions.empty() && !dimensions[0];
  variable.size = bytesOf(variable.type, dimensions);
  if (initialBytes + variable.size > Limits::initialBytes ||
      variable.size == UINT64_MAX)
    return fail(variable.line, "expected at most " +
                                   std::to_string(Limits::initialBytes) +
                                   " bytes with initial values");
  variable.initial.resize(variable.size);
  if (dimensions.empty()) {
    // Braces around a single value are as good as none.
    bool braces = takeSign("{");
    if (!parseInitialValue(variable, 0) || (braces && !expectSign("}")))
      return false;
  } else {
    uint64_t count = 0;
    if (!parseInitialList(variable, dimensions, 0, 0, count))
      return false;
    if (isOpen) {
      uint64_t inner = 1;
      for (size_t i = 1; i < dimensions.size(); ++i)
        inner *= dimensions[i];
      dimensions[0] = (count + inner - 1) / inner;
      variable.size = bytesOf(variable.type, dimensions);
      if (!variable.size)
        return fail(variable.line, "expected an initial value");
      if (variable.size > Limits::initialBytes)
        return fail(variable.line, "expected fewer initial values");
      variable.initial.resize(variable.size);
    }
  }
  initialBytes += variable.size;
  return true;
}

/// A list in braces of what lies from element `first` on. `count` is what it
/// covered.
bool Parser::parseInitialList(Variable &variable,
                              const std::vector<uint64_t> &dimensions,
                              size_t level, uint64_t first, uint64_t &count) {
  uint64_t inner = 1;
  for (size_t i = level + 1; i < dimensions.size(); ++i)
    inner *= dimensions[i];
  uint64_t most = dimensions[level]
                      ? dimensions[level] * inner
                      : Limits::initialBytes / typeBytes(variable.type);
  count = 0;
  if (!expectSign("{"))
    return false;
  if (takeSign("}"))
    return true;
  do {
    unsigned line = peek().line;
    if (peek().isSign("{")) {
      if (level + 1 == dimensions.size())
        return unexpected("a value");
      count = (count + inner - 1) / inner * inner;
      if (count + inner > most)
        return fail(line, "expected at most " + std::to_string(most / inner) +
                              " lists of initial values");
      uint64_t covered = 0;
      if (!parseInitialList(variable, dimensions, level + 1, first + count,
                            covered))
        return false;
      count += inner;
      continue;
    }
    if (count == most)
      return fail(line, "expected at most " + std::to_string(most) +
                            " initial values");
    if (!parseInitialValue(variable, first + count))
      return false;
    ++count;
  } while (takeSign(","));
  return expectSign("}");
}

bool Parser::parseInitialValue(Variable &variable, uint64_t index) {
  Token token = peek();
  unsigned bytes = typeBytes(variable.type);
  if (variable.initial.size() < (index + 1) * bytes)
    variable.initial.resize((index + 1) * bytes);
  if (token.is(TokenKind::Number) && lexer.peekSecond().isSign("("))
    return fail(token.line, "expected a value or an address, found a part of "
                            "an address, which is not supported yet");
  if (token.isName() && token.text != "WARP_SZ") {
    next();
    if (token.text == "generic" && takeSign("(")) {
      token = peek();
      std::string_view name;
      if (!expectName(name, "a variable") || !expectSign(")"))
        return false;
    }
    auto found = globals.find(token.text);
    Symbol symbol = found == globals.end() ? Symbol() : found->second;
    Variable::Relocation relocation;
    relocation.offset = index * bytes;
    relocation.size = bytes;
    if (symbol.kind == Symbol::Kind::Variable &&
        symbol.variable->space != Space::Shared) {
      relocation.variable = symbol.variable;
    } else if (symbol.kind == Symbol::Kind::Function &&
               !symbol.function->isKernel) {
      relocation.function = symbol.function;
      functionUses.push_back({symbol.function, token.line});
    } else {
      return fail(token.line, "expected a function, or a variable in global or "
                              "const memory, found " +
                                  token.quoted());
    }
    bool isInteger = !isFloat(variable.type);
    if (!isInteger || (bytes != 8 && (bytes != 4 || relocation.function)))
      return fail(token.line, std::string("expected a value of type ") +
                                  typeName(variable.type) +
                                  ", found the address of " + token.quoted());
    if (peek().isSign("+") || peek().isSign("-")) {
      Constant addend;
      unsigned line = peek().line;
      if (!parseConstant(lexer, errors, addend))
        return false;
      if (!addend.isInteger())
        return fail(line, "expected an integer, found " + addend.text());
      relocation.addend = addend.integer();
    }
    variable.relocations.push_back(relocation);
    return true;
  }
  Constant constant;
  if (!parseConstant(lexer, errors, constant))
    return false;
  int64_t bits = 0;
  if (!convertConstant(constant, variable.type, bits))
    return fail(token.line, std::string("expected a value of type ") +
                                typeName(variable.type) + ", found constant " +
                                constant.text());
  for (unsigned i = 0; i < bytes; ++i)
    variable.initial[index * bytes + i] = uint8_t(uint64_t(bits) >> (8 * i));
  return true;
}

bool Parser::declareVariable(std::string_view name, Variable variable) {
  if (!chargeVariable(variable))
    return false;
  unsigned line = variable.line;
  Symbol symbol;
  symbol.kind = Symbol::Kind::Variable;
  if (function) {
    // They live as long as the module, whoever may name them.
    bool outlives =
        variable.space == Space::Global || variable.space == Space::Const;
    std::deque<Variable> &variables =
        outlives ? program.variables : function->variables;
    variables.push_back(std::move(variable));
    symbol.variable = &variables.back();
    return declare(name, symbol, line);
  }
  auto found = globals.find(name);
  if (found == globals.end()) {
    program.variables.push_back(std::move(variable));
    symbol.variable = &program.variables.back();
    globals.emplace(name, symbol);
    return true;
  }
  Variable *other = found->second.variable;
  bool isSame = found->second.kind == Symbol::Kind::Variable &&
                (variable.isExtern || other->isExtern) &&
                variable.space == other->space && variable.type == other->type;
  if (!isSame)
    return fail(line, "expected a new name, found " + quote(name) +
                          ", which is declared already");
  if (!variable.isExtern)
    *other = std::move(variable);
  return true;
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

Signature Parser::signatureOf(const std::vector<Parameter> &results,
                              const std::vector<Parameter> &parameters) {
  Signature signature;
  for (const Parameter &each : parameters)
    signature.parameters.push_back(
        {each.variable.size, each.variable.type, each.isRegister});
  for (const Parameter &each : results)
    signature.results.push_back(
        {each.variable.size, each.variable.type, each.isRegister});
  return signature;
}

Signature Parser::signatureOf(const Function &function) {
  auto values = [&](const std::vector<Variable *> &variables,
                    const std::vector<int> &registers) {
    std::vector<Signature::Value> values;
    for (size_t i = 0; i < variables.size(); ++i) {
      Signature::Value value;
      value.isRegister = !variables[i];
      value.type = variables[i] ? variables[i]->type
                                : function.registers[registers[i]].type;
      value.size = variables[i] ? variables[i]->size : typeBytes(value.type);
      values.push_back(value);
    }
    return values;
  };
  return {values(function.parameters, function.parameterRegisters),
          values(function.results, function.resultRegisters)};
}

static bool isSame(const std::vector<Signature::Value> &a,
                   const std::vector<Signature::Value> &b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Signature::Value &x, const Signature::Value &y) {
                      return x.size == y.size && x.isRegister == y.isRegister;
                    });
}

static bool isSame(const Signature &a, const Signature &b) {
  return isSame(a.parameters, b.parameters) && isSame(a.results, b.results);
}

bool Parser::parseParameter(Parameter &parameter) {
  Variable &variable = parameter.variable;
  variable.space = Space::Param;
  variable.line = peek().line;
  if (peek().isDot("reg"))
    parameter.isRegister = true;
  else if (!peek().isDot("param"))
    return unexpected("'.param' or '.reg'");
  next();
  uint32_t alignment = 0, pointee = 0;
  while (variable.type == Type::None) {
    if (!peek().isDot("align")) {
      if (!parseType(variable.type))
        return false;
      continue;
    }
    next();
    if (!parseAlignment(alignment))
      return false;
  }
  if (!typeBytes(variable.type))
    return fail(variable.line,
                "expected a parameter with a size, found one of type .pred");
  // What the pointer points to says nothing about the parameter.
  if (peek().isDot("ptr")) {
    next();
    while (peek().is(TokenKind::Dot)) {
      std::string_view word = next().text;
      if (word == "align") {
        if (!parseAlignment(pointee))
          return false;
      } else if (word != "global" && word != "const" && word != "local" &&
                 word != "shared") {
        return fail(variable.line,
                    "expected a state space, found " + quote(word));
      }
    }
  }
  std::string_view name;
  if (!expectName(name, "the name of a parameter"))
    return false;
  parameter.name = name;
  variable.name = std::string(name);
  std::vector<uint64_t> dimensions;
  if (!parseDimensions(dimensions))
    return false;
  if (parameter.isRegister && !dimensions.empty())
    return fail(variable.line, "expected no array of registers");
  variable.alignment = alignment ? alignment : typeBytes(variable.type);
  variable.size = bytesOf(variable.type, dimensions);
  if (variable.size > Limits::paramBytes)
    return fail(variable.line, "expected a parameter of at most " +
                                   std::to_string(Limits::paramBytes) +
                                   " bytes");
  return true;
}

/// Parentheses with parameters.
bool Parser::parseParameters(std::vector<Parameter> &parameters) {
  if (!expectSign("("))
    return false;
  if (takeSign(")"))
    return true;
  do {
    if (parameters.size() == Limits::parameters)
      return fail(peek().line, "expected at most " +
                                   std::to_string(Limits::parameters) +
                                   " parameters");
    parameters.emplace_back();
    if (!parseParameter(parameters.back()))
      return false;
  } while (takeSign(","));
  return expectSign(")");
}

bool Parser::parseDirectives(Function &into) {
  while (peek().is(TokenKind::Dot)) {
    Token directive = peek();
    std::string_view text = directive.text;
    if (text == "pragma") {
      if (!skipPragma())
        return false;
      continue;
    }
    std::array<uint32_t, 3> ignored{};
    std::array<uint32_t, 3> *three = text == "maxntid"   ? &into.maxThreads
                                     : text == "reqntid" ? &into.requiredThreads
                                                         : nullptr;
    uint32_t *one = text == "maxnreg"        ? &into.maxRegisters
                    : text == "minnctapersm" ? &into.minBlocksPerMultiprocessor
                    : text == "maxnctapersm" ? &ignored[0]
                                             : nullptr;
    bool isCluster = text == "explicitcluster" || text == "maxclusterrank" ||
                     text == "reqnctapercluster" || text == "blocksareclusters";
    if (isCluster)
      errors.report(directive.line,
                    "expected a kernel without clusters, found " +
                        directive.quoted() +
                        "; clusters are not supported yet");
    if (text == "reqnctapercluster")
      three = &ignored;
    if (text == "maxclusterrank")
      one = &ignored[0];
    if (!three && !one && !isCluster && text != "noreturn")
      return unexpected("a performance directive");
    next();
    if (three) {
      *three = {1, 1, 1};
      for (size_t i = 0; i < 3; ++i) {
        uint64_t value = 0;
        if (!expectInteger(INT32_MAX, "a number of threads", value))
          return false;
        (*three)[i] = uint32_t(value);
        if (i == 2 || !takeSign(","))
          break;
      }
    } else if (one) {
      uint64_t value = 0;
      if (!expectInteger(INT32_MAX, "a number", value))
        return false;
      *one = uint32_t(value);
    }
  }
  return true;
}

bool Parser::placeParameters(Function &into, std::vector<Parameter> &results,
                             std::vector<Parameter> &parameters) {
  into.variables.clear();
  into.registers.clear();
  into.parameters.clear();
  into.results.clear();
  into.parameterRegisters.clear();
  into.resultRegisters.clear();
  auto place = [&](std::vector<Parameter> &from,
                   std::vector<Variable *> &variables,
                   std::vector<int> &registers) {
    for (Parameter &each : from) {
      if (each.isRegister) {
        variables.push_back(nullptr);
        registers.push_back(int(into.registers.size()));
        into.registers.push_back({each.variable.name, each.variable.type});
      } else {
        into.variables.push_back(std::move(each.variable));
        variables.push_back(&into.variables.back());
        registers.push_back(-1);
      }
    }
  };
  place(results, into.results, into.resultRegisters);
  place(parameters, into.parameters, into.parameterRegisters);
  if (!into.isKernel)
    return true;
  uint64_t end = 0;
  for (size_t i = 0; i < into.parameters.size(); ++i) {
    Variable *variable = into.parameters[i];
    if (!variable)
      return fail(into.line, "expected parameters of a kernel in .param");
    if (!variable->size)
      return fail(variable->line,
                  "expected the size of parameter " + quote(variable->name));
    uint64_t alignment = variable->alignment;
    end = (end + alignment - 1) / alignment * alignment;
    variable->offset = uint32_t(end);
    end += variable->size;
    if (end > Limits::kernelParameterBytes)
      return fail(variable->line,
                  "expected at most " +
                      std::to_string(Limits::kernelParameterBytes) +
                      " bytes of parameters, found " + std::to_string(end));
  }
  return true;
}

bool Parser::parseHeader(bool isExtern, bool isKernel, Function *&result,
                         std::vector<Parameter> &results,
                         std::vector<Parameter> &parameters) {
  if (!isKernel && peek().isSign("(") && !parseParameters(results))
    return false;
  Token token = peek();
  std::string_view name;
  if (!expectName(name,
                  isKernel ? "the name of a kernel" : "the name of a function"))
    return false;
  if (peek().isSign("(") && !parseParameters(parameters))
    return false;
  auto found = globals.find(name);
  if (found == globals.end()) {
    program.functions.emplace_back();
    result = &program.functions.back();
    result->name = std::string(name);
    result->isKernel = isKernel;
    result->isExtern = isExtern;
    result->line = token.line;
    Symbol symbol;
    symbol.kind = Symbol::Kind::Function;
    symbol.function = result;
    globals.emplace(name, symbol);
    return parseDirectives(*result);
  }
  Symbol &symbol = found->second;
  if (symbol.kind != Symbol::Kind::Function ||
      symbol.function->isKernel != isKernel)
    return fail(token.line, "expected a new name, found " + quote(name) +
                                ", which is declared already");
  result = symbol.function;
  // Calls were checked against the declaration.
  if (!isSame(signatureOf(*result), signatureOf(results, parameters)))
    return fail(token.line, "expected the parameters and results that " +
                                quote(name) + " has in line " +
                                std::to_string(result->line) +
                                ", found others");
  return parseDirectives(*result);
}

/// At `.entry` or `.func`.
void Parser::parseFunction(bool isExtern) {
  bool isKernel = next().text == "entry";
  std::vector<Parameter> results, parameters;
  Function *into = nullptr;
  if (!parseHeader(isExtern, isKernel, into, results, parameters) ||
      (!peek().isSign("{") && !peek().isSign(";") &&
       !unexpected("'{' or ';'"))) {
    skipBlock(0);
    return;
  }
  if (defined.count(into)) {
    // A second declaration changes nothing.
    if (!takeSign(";")) {
      errors.report(peek().line, "expected a new name, found " +
                                     quote(into->name) +
                                     ", which has a body already");
      skipBlock(0);
    }
    return;
  }
  if (!placeParameters(*into, results, parameters)) {
    skipBlock(0);
    return;
  }
  if (takeSign(";"))
    return;
  defined.insert(into);
  into->isExtern = false;
  parseBody(*into, results, parameters);
}

void Parser::parseBody(Function &into, const std::vector<Parameter> &results,
                       const std::vector<Parameter> &parameters) {
  function = &into;
  localBytes = paramBytes = 0;
  branchTargets.clear();
  callTargets.clear();
  prototypes.clear();
  scopes.clear();
  pushScope();
  auto declareAll = [&](const std::vector<Parameter> &from,
                        const std::vector<Variable *> &variables,
                        const std::vector<int> &registers) {
    for (size_t i = 0; i < from.size(); ++i) {
      Symbol symbol;
      unsigned line = from[i].variable.line;
      if (Variable *variable = variables[i]) {
        symbol.kind = Symbol::Kind::Variable;
        symbol.variable = variable;
        symbol.isKernelParameter = into.isKernel;
        if (!into.isKernel)
          chargeVariable(*variable);
      } else {
        symbol.kind = Symbol::Kind::Register;
        symbol.index = uint32_t(registers[i]);
        symbol.type = into.registers[symbol.index].type;
      }
      declare(from[i].name, symbol, line);
    }
  };
  declareAll(results, into.results, into.resultRegisters);
  declareAll(parameters, into.parameters, into.parameterRegisters);
  next();
  while (!errors.full()) {
    if (peek().is(TokenKind::End)) {
      unexpected("'}'");
      break;
    }
    if (peek().isSign("}")) {
      next();
      popScope();
      if (scopes.empty())
        break;
      continue;
    }
    if (peek().isSign("{") && scopes.size() < Limits::nesting) {
      next();
      pushScope();
      continue;
    }
    statement();
  }
  while (!scopes.empty())
    popScope();
  function = nullptr;
}

void Parser::popScope() {
  Scope &scope = scopes.back();
  Scope *outer = scopes.size() > 1 ? &scopes[scopes.size() - 2] : nullptr;
  for (const LabelUse &use : scope.uses) {
    auto found = scope.labels.find(use.place.name);
    if (found == scope.labels.end()) {
      if (outer)
        outer->uses.push_back(use);
      else
        errors.report(use.line,
                      "expected a label, found " + quote(use.place.name));
      continue;
    }
    Operand &operand =
        function->body[use.instruction].operands[use.place.operand];
    (use.place.element < 0 ? operand : operand.elements[use.place.element])
        .index = found->second;
  }
  scopes.pop_back();
}

void Parser::statement() {
  Token token = peek();
  int outside = braces;
  if (takeSign(";"))
    return;
  bool good = false;
  if (token.isName() && lexer.peekSecond().isSign(":")) {
    good = parseLabel();
  } else if (token.isName() || token.isSign("@")) {
    good = parseInstruction();
  } else if (token.is(TokenKind::Dot)) {
    std::string_view text = token.text;
    if (text == "reg") {
      good = parseRegisters();
    } else if (text == "local" || text == "shared" || text == "param" ||
               text == "global" || text == "const") {
      next();
      good = parseVariables(text == "local"    ? Space::Local
                            : text == "shared" ? Space::Shared
                            : text == "param"  ? Space::Param
                            : text == "global" ? Space::Global
                                               : Space::Const,
                            /*isExtern=*/false);
    } else if (text == "loc") {
      good = skipLocation();
    } else if (text == "file") {
      good = skipFile();
    } else if (text == "section") {
      good = skipSection();
    } else if (text == "pragma") {
      good = skipPragma();
    } else {
      unexpected("a directive of a body");
    }
  } else if (token.isSign("{")) {
    fail(token.line, "expected at most " + std::to_string(Limits::nesting) +
                         " nested blocks");
    skipBlock(outside);
    return;
  } else {
    unexpected("an instruction");
  }
  if (!good)
    skipStatement(outside);
}

bool Parser::addRegister(std::string name, Type type, unsigned line) {
  registerBytes += sizeof(Register) + name.size();
  if (function->registers.size() == Limits::registersPerFunction)
    return fail(line, "expected at most " +
                          std::to_string(Limits::registersPerFunction) +
                          " registers in a function");
  if (registerBytes > Limits::registerBytes)
    return fail(line, "expected fewer registers in all functions");
  function->registers.push_back({std::move(name), type});
  return true;
}

bool Parser::parseRegisters() {
  next();
  Type type = Type::None;
  if (!parseType(type))
    return false;
  do {
    unsigned line = peek().line;
    std::string_view name;
    if (!expectName(name, "the name of a register"))
      return false;
    Symbol symbol;
    symbol.kind = Symbol::Kind::Register;
    symbol.type = type;
    symbol.index = uint32_t(function->registers.size());
    if (!takeSign("<")) {
      if (!addRegister(std::string(name), type, line) ||
          !declare(name, symbol, line))
        return false;
      continue;
    }
    // A number only: '>' would go on an expression.
    Token token = peek();
    Constant count;
    if (!token.is(TokenKind::Number))
      return unexpected("a number of registers");
    next();
    if (!parseNumber(token, errors, count))
      return false;
    if (!count.isInteger() || count.bits > Limits::registersPerFunction)
      return fail(line, "expected at most " +
                            std::to_string(Limits::registersPerFunction) +
                            " registers in a function, found " + count.text());
    if (!expectSign(">"))
      return false;
    Scope::Range range{symbol.index, uint32_t(count.bits), type};
    if (!scopes.back().ranges.emplace(name, range).second)
      return fail(line, "expected a new name, found " + quote(name) +
                            ", which is declared already");
    for (uint64_t i = 0; i < count.bits; ++i)
      if (!addRegister(std::string(name) + std::to_string(i), type, line))
        return false;
  } while (takeSign(","));
  return expectSign(";");
}

bool Parser::parseLabel() {
  Token name = next();
  next();
  if (peek().isDot("branchtargets"))
    return parseBranchTargets(name.text, name.line);
  if (peek().isDot("calltargets"))
    return parseCallTargets(name.text, name.line);
  if (peek().isDot("callprototype"))
    return parsePrototype(name.text, name.line);
  Scope &scope = scopes.back();
  if (lookUpLocal(scope, name.text).kind != Symbol::Kind::None ||
      !scope.labels.emplace(name.text, uint32_t(function->body.size())).second)
    errors.report(name.line, "expected a new label, found " + name.quoted() +
                                 ", which is declared already");
  return true;
}

bool Parser::parseBranchTargets(std::string_view name, unsigned line) {
  next();
  std::vector<std::string_view> names;
  do {
    std::string_view label;
    if (!expectName(label, "a label"))
      return false;
    names.push_back(label);
  } while (takeSign(","));
  Symbol symbol;
  symbol.kind = Symbol::Kind::Targets;
  symbol.index = uint32_t(branchTargets.size());
  branchTargets.push_back(std::move(names));
  return expectSign(";") && (declare(name, symbol, line), true);
}

bool Parser::parseCallTargets(std::string_view name, unsigned line) {
  next();
  std::vector<Function *> functions;
  do {
    Token token = peek();
    std::string_view callee;
    if (!expectName(callee, "a function"))
      return false;
    Symbol symbol = lookUp(callee);
    if (symbol.kind != Symbol::Kind::Function || symbol.function->isKernel)
      return fail(token.line, "expected a function, found " + token.quoted());
    if (!functions.empty() &&
        !isSame(signatureOf(*functions[0]), signatureOf(*symbol.function)))
      return fail(token.line, "expected a function with the parameters and "
                              "results of " +
                                  quote(functions[0]->name) + ", found " +
                                  token.quoted());
    functions.push_back(symbol.function);
    functionUses.push_back({symbol.function, token.line});
  } while (takeSign(","));
  Symbol symbol;
  symbol.kind = Symbol::Kind::Callees;
  symbol.index = uint32_t(callTargets.size());
  callTargets.push_back(std::move(functions));
  return expectSign(";") && (declare(name, symbol, line), true);
}

bool Parser::parsePrototype(std::string_view name, unsigned line) {
  next();
  std::vector<Parameter> results, parameters;
  std::string_view ignored;
  if ((peek().isSign("(") && !parseParameters(results)) ||
      !expectName(ignored, "'_'") ||
      (peek().isSign("(") && !parseParameters(parameters)))
    return false;
  if (peek().isDot("noreturn"))
    next();
  Signature signature = signatureOf(results, parameters);
  Function::Prototype prototype;
  for (const Signature::Value &value : signature.parameters)
    prototype.parameterBytes.push_back(uint32_t(value.size));
  for (const Signature::Value &value : signature.results)
    prototype.resultBytes.push_back(uint32_t(value.size));
  Symbol symbol;
  symbol.kind = Symbol::Kind::Prototype;
  symbol.index = uint32_t(prototypes.size());
  prototypes.push_back(std::move(signature));
  function->prototypes.push_back(std::move(prototype));
  return expectSign(";") && (declare(name, symbol, line), true);
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

Symbol Parser::lookUpLocal(const Scope &scope, std::string_view name) const {
  auto found = scope.names.find(name);
  if (found != scope.names.end())
    return found->second;
  if (scope.ranges.empty())
    return Symbol();
  // `%r12` is number 12 of `%r` or number 2 of `%r1`.
  uint64_t number = 0, place = 1;
  for (size_t at = name.size(); at > 1 && place <= 10'000'000; place *= 10) {
    char digit = name[--at];
    if (digit < '0' || digit > '9')
      break;
    number += uint64_t(digit - '0') * place;
    if (digit == '0' && place > 1)
      continue;
    auto range = scope.ranges.find(name.substr(0, at));
    if (range == scope.ranges.end() || number >= range->second.count)
      continue;
    Symbol symbol;
    symbol.kind = Symbol::Kind::Register;
    symbol.type = range->second.type;
    symbol.index = range->second.first + uint32_t(number);
    return symbol;
  }
  return Symbol();
}

Symbol Parser::lookUp(std::string_view name) const {
  for (size_t i = scopes.size(); i-- > 0;) {
    Symbol symbol = lookUpLocal(scopes[i], name);
    if (symbol.kind != Symbol::Kind::None)
      return symbol;
  }
  auto found = globals.find(name);
  if (found != globals.end())
    return found->second;
  Symbol symbol;
  symbol.special = parseSpecial(name);
  if (symbol.special != Special::None) {
    symbol.kind = Symbol::Kind::Special;
    symbol.type = specialBytes(symbol.special) == 8 ? Type::U64 : Type::U32;
  }
  return symbol;
}

bool Parser::declare(std::string_view name, Symbol symbol, unsigned line) {
  Scope &scope = scopes.back();
  if (lookUpLocal(scope, name).kind == Symbol::Kind::None &&
      scope.names.emplace(name, symbol).second)
    return true;
  return fail(line, "expected a new name, found " + quote(name) +
                        ", which is declared already");
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

bool Parser::parseGuard(Operand &guard) {
  if (!takeSign("@"))
    return true;
  guard.negated = takeSign("!");
  Token token = peek();
  std::string_view name;
  if (!expectName(name, "a predicate"))
    return false;
  Symbol symbol = lookUp(name);
  if (symbol.kind != Symbol::Kind::Register || symbol.type != Type::Pred)
    return fail(token.line, "expected a predicate, found " + token.quoted());
  guard.kind = Operand::Kind::Register;
  guard.index = symbol.index;
  return true;
}

/// A name, with what belongs to it.
bool Parser::parseName(TextOperand &operand) {
  operand.kind = TextOperand::Kind::Name;
  operand.negated = takeSign("!");
  if (!expectName(operand.name, "a name"))
    return false;
  operand.symbol = lookUp(operand.name);
  if (peek().is(TokenKind::Dot)) {
    static constexpr std::string_view components = "xyzw";
    std::string_view text = peek().text;
    size_t at = components.find(text);
    if (text.size() != 1 || at == std::string_view::npos ||
        operand.symbol.kind != Symbol::Kind::Special)
      return unexpected("',' or ';'");
    next();
    operand.component = int(at);
  }
  return true;
}

/// Of a vector or of a list.
bool Parser::parseElement(TextOperand &operand) {
  if (peek().is(TokenKind::Identifier, "_")) {
    next();
    operand.kind = TextOperand::Kind::Sink;
    return true;
  }
  bool isName =
      peek().isName() || (peek().isSign("!") && lexer.peekSecond().isName());
  if (isName && peek().text != "WARP_SZ" &&
      lexer.peekSecond().text != "WARP_SZ")
    return parseName(operand);
  if (!startsConstant(peek()))
    return unexpected("an operand");
  operand.kind = TextOperand::Kind::Constant;
  return parseConstant(lexer, errors, operand.constant);
}

bool Parser::parseOperand(TextOperand &operand) {
  unsigned line = peek().line;
  if (takeSign("[")) {
    operand.kind = TextOperand::Kind::Address;
    operand.elements.emplace_back();
    TextOperand &base = operand.elements[0];
    if (!parseElement(base))
      return false;
    if (base.kind == TextOperand::Kind::Sink || base.negated ||
        (base.kind == TextOperand::Kind::Constant &&
         !base.constant.isInteger()))
      return fail(line, "expected an address, found " + base.text());
    if (base.kind == TextOperand::Kind::Name && takeSign("+")) {
      if (!parseConstant(lexer, errors, operand.constant))
        return false;
      if (!operand.constant.isInteger())
        return fail(line, "expected an integer as offset, found " +
                              operand.constant.text());
    }
    return expectSign("]");
  }
  if (takeSign("{")) {
    operand.kind = TextOperand::Kind::Vector;
    do {
      if (operand.elements.size() == Limits::vectorElements)
        return fail(line, "expected at most " +
                              std::to_string(Limits::vectorElements) +
                              " elements of a vector");
      operand.elements.emplace_back();
      if (!parseElement(operand.elements.back()))
        return false;
    } while (takeSign(","));
    return expectSign("}");
  }
  if (!parseElement(operand))
    return false;
  bool isConstant = operand.kind == TextOperand::Kind::Constant;
  if (!isConstant && takeSign("|")) {
    TextOperand pair;
    pair.kind = TextOperand::Kind::Pair;
    pair.elements.resize(2);
    pair.elements[0] = std::move(operand);
    if (!parseElement(pair.elements[1]))
      return false;
    operand = std::move(pair);
  } else if (operand.kind == TextOperand::Kind::Name && takeSign("+")) {
    operand.hasOffset = true;
    if (!parseConstant(lexer, errors, operand.constant))
      return false;
    if (!operand.constant.isInteger())
      return fail(line, "expected an integer as offset, found " +
                            operand.constant.text());
  }
  return true;
}

bool Parser::parseList(std::vector<TextOperand> &list) {
  if (!expectSign("("))
    return false;
  if (takeSign(")"))
    return true;
  do {
    if (list.size() == Limits::parameters)
      return fail(peek().line, "expected at most " +
                                   std::to_string(Limits::parameters) +
                                   " arguments");
    list.emplace_back();
    if (!parseElement(list.back()))
      return false;
  } while (takeSign(","));
  return expectSign(")");
}

bool Parser::checkList(const std::vector<TextOperand> &found,
                       const std::vector<Signature::Value> &expected,
                       const char *what, bool isResult, unsigned line,
                       Operand &result) {
  result.kind = Operand::Kind::List;
  if (found.size() != expected.size())
    return fail(line, "expected " + std::to_string(expected.size()) + " " +
                          what + "s, found " + std::to_string(found.size()));
  result.elements.resize(found.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const TextOperand &element = found[i];
    Operand &into = result.elements[i];
    uint64_t bytes = 0;
    auto wrong = [&] {
      return fail(line,
                  std::string(what) + " " + std::to_string(i + 1) +
                      ": expected " + std::to_string(expected[i].size) +
                      " bytes in a .param variable of the body or in a "
                      "register, found " +
                      element.text() +
                      (bytes ? " of " + std::to_string(bytes) + " bytes" : ""));
    };
    if (element.kind == TextOperand::Kind::Constant && !isResult) {
      bool isScalar = expected[i].size == typeBytes(expected[i].type);
      if (!isScalar ||
          !convertConstant(element.constant, expected[i].type, into.value))
        return wrong();
      into.kind = Operand::Kind::Immediate;
      continue;
    }
    if (element.kind != TextOperand::Kind::Name || element.negated)
      return wrong();
    const Symbol &symbol = element.symbol;
    if (symbol.kind == Symbol::Kind::Variable &&
        symbol.variable->space == Space::Param && !symbol.isKernelParameter) {
      bytes = symbol.variable->size;
      into.kind = Operand::Kind::Variable;
      into.variable = symbol.variable;
    } else if (symbol.kind == Symbol::Kind::Register) {
      bytes = typeBytes(symbol.type);
      into.kind = Operand::Kind::Register;
      into.index = symbol.index;
    }
    if (!bytes || bytes != expected[i].size)
      return wrong();
  }
  return true;
}

/// Behind `call` and its modifiers.
bool Parser::parseCall(Instruction &instruction) {
  unsigned line = instruction.line;
  std::vector<TextOperand> results, arguments;
  if (peek().isSign("(") && (!parseList(results) || !expectSign(",")))
    return false;
  TextOperand target;
  if (!peek().isName())
    return unexpected("a function");
  if (!parseName(target))
    return false;
  std::string_view prototype;
  if (takeSign(",")) {
    bool hasList = peek().isSign("(");
    if (hasList && !parseList(arguments))
      return false;
    if ((!hasList || takeSign(",")) && !expectName(prototype, "a prototype"))
      return false;
  }
  if (!expectSign(";"))
    return false;
  // From here on the statement is read: what is wrong costs nothing more.
  instruction.operands.resize(4);
  Operand &callee = instruction.operands[1];
  Operand &described = instruction.operands[3];
  Signature signature;
  if (target.symbol.kind == Symbol::Kind::Function &&
      !target.symbol.function->isKernel && prototype.empty()) {
    callee.kind = Operand::Kind::Function;
    callee.function = target.symbol.function;
    functionUses.push_back({callee.function, line});
    signature = signatureOf(*callee.function);
  } else if (target.symbol.kind == Symbol::Kind::Register &&
             typeBytes(target.symbol.type) == 8 &&
             !isFloat(target.symbol.type)) {
    Symbol symbol = lookUp(prototype);
    callee.kind = Operand::Kind::Register;
    callee.index = target.symbol.index;
    described.index = symbol.index;
    if (symbol.kind == Symbol::Kind::Prototype) {
      described.kind = Operand::Kind::Prototype;
      signature = prototypes[symbol.index];
    } else if (symbol.kind == Symbol::Kind::Callees) {
      const std::vector<Function *> &functions = callTargets[symbol.index];
      numTargets += functions.size();
      if (numTargets > Limits::targets) {
        errors.report(line, "expected fewer targets of calls and branches");
        return true;
      }
      described.kind = Operand::Kind::Targets;
      described.index = 0;
      for (const Function *each : functions) {
        described.elements.emplace_back();
        described.elements.back().kind = Operand::Kind::Function;
        described.elements.back().function = each;
      }
      signature = signatureOf(*functions[0]);
    } else {
      errors.report(line,
                    prototype.empty()
                        ? "expected a prototype of the function that " +
                              quote(target.name) + " points to"
                        : "expected a prototype, found " + quote(prototype));
      return true;
    }
  } else {
    errors.report(line, "expected a function or a register of 64 bits, found " +
                            target.text());
    return true;
  }
  if (checkList(results, signature.results, "result", true, line,
                instruction.operands[0]) &&
      checkList(arguments, signature.parameters, "argument", false, line,
                instruction.operands[2]))
    emit(std::move(instruction));
  return true;
}

bool Parser::emit(Instruction instruction) {
  if (++numInstructions > Limits::instructions)
    return fail(instruction.line, "expected at most " +
                                      std::to_string(Limits::instructions) +
                                      " instructions");
  function->body.push_back(std::move(instruction));
  return true;
}

bool Parser::parseInstruction() {
  Instruction instruction;
  instruction.line = peek().line;
  if (!parseGuard(instruction.guard))
    return false;
  Token name = peek();
  if (!name.isName())
    return unexpected("an instruction");
  next();
  instruction.line = name.line;
  std::vector<unsigned> words;
  std::vector<std::string_view> texts;
  const std::vector<FormPattern> *patterns = forms.find(name.text);
  bool isKnown = true;
  while (peek().is(TokenKind::Dot)) {
    Token word = next();
    if (words.size() == Limits::modifiers)
      return fail(name.line, "expected at most " +
                                 std::to_string(Limits::modifiers) +
                                 " modifiers");
    words.push_back(forms.word(word.text));
    isKnown &= words.back() < numWords;
    texts.push_back(word.text);
  }
  auto spelled = [&] {
    std::string text;
    for (std::string_view word : texts)
      (text += '.') += word;
    return text;
  };
  if (!patterns)
    return fail(name.line, "unknown instruction " +
                               quote(std::string(name.text) + spelled()));
  std::vector<const FormPattern *> candidates;
  if (isKnown)
    for (const FormPattern &pattern : *patterns)
      if (pattern.matchModifiers(words, instruction))
        candidates.push_back(&pattern);
  if (candidates.empty())
    return fail(name.line,
                words.empty()
                    ? "no form of " + name.quoted() + " is without modifiers"
                    : "no form of " + name.quoted() +
                          " has these modifiers: " + quote(spelled()));
  if (candidates[0]->form->opcode == Opcode::Call)
    return parseCall(instruction);
  std::vector<TextOperand> operands;
  if (!peek().isSign(";"))
    do {
      operands.emplace_back();
      if (!parseOperand(operands.back()))
        return false;
    } while (takeSign(",") && operands.size() < Limits::modifiers);
  if (!expectSign(";"))
    return false;
  size_t reached = 0;
  std::string message;
  for (const FormPattern *pattern : candidates) {
    if (candidates.size() > 1)
      pattern->matchModifiers(words, instruction);
    OperandMatcher matcher(*pattern, instruction, branchTargets);
    if (!matcher.match(operands)) {
      if (message.empty() || matcher.reached >= reached) {
        reached = matcher.reached;
        message = std::move(matcher.message);
      }
      continue;
    }
    numTargets += matcher.labels.size();
    if (numTargets > Limits::targets) {
      errors.report(name.line, "expected fewer targets of calls and branches");
      return true;
    }
    for (const OperandMatcher::LabelUse &use : matcher.labels)
      scopes.back().uses.push_back(
          {uint32_t(function->body.size()), use, name.line});
    for (const Operand &operand : instruction.operands)
      if (operand.kind == Operand::Kind::Function)
        functionUses.push_back({operand.function, name.line});
    emit(std::move(instruction));
    return true;
  }
  // The statement is read to its end, so nothing is skipped.
  errors.report(name.line, std::move(message));
  return true;
}

} // namespace

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
