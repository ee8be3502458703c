//===- ParseDeclarations.cpp - Variables and heads of functions -----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is read here has a type and a size: variables with their initial values,
// parameters, and the heads of functions, up to the '{' of their bodies.
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

#include <algorithm>
#include <array>

using namespace muon::ptxsim;

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

static bool areSame(const std::vector<Signature::Value> &a,
                    const std::vector<Signature::Value> &b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Signature::Value &x, const Signature::Value &y) {
                      return x.size == y.size && x.isRegister == y.isRegister;
                    });
}

bool muon::ptxsim::isSame(const Signature &a, const Signature &b) {
  return areSame(a.parameters, b.parameters) && areSame(a.results, b.results);
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
