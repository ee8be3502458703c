//===- ParseBody.cpp - Bodies of functions --------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scopes and what is declared in them, and instructions, each matched with the
// forms of the instruction table as soon as its ';' is read.
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

using namespace muon::ptxsim;

//===----------------------------------------------------------------------===//
// Scopes and statements
//===----------------------------------------------------------------------===//

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
