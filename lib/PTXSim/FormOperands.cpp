//===- FormOperands.cpp - Operands against the instruction table ----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The machine executes what passes here without another look at widths, so
// what is accepted here decides that it touches only its own memory.
//
//===----------------------------------------------------------------------===//

#include "FormTable.h"

using namespace muon::ptxsim;

using Kind = TextOperand::Kind;

static std::string quote(std::string_view name) {
  constexpr size_t most = 128;
  std::string text = "'";
  text += name.substr(0, most);
  return text + (name.size() > most ? "...'" : "'");
}

std::string TextOperand::text() const {
  switch (kind) {
  case Kind::Name: {
    std::string shown = quote(name);
    switch (symbol.kind) {
    case Symbol::Kind::None:
      return "undefined name " + shown;
    case Symbol::Kind::Register:
      if (negated)
        shown.insert(1, "!");
      return "register " + shown + " of type " + typeName(symbol.type);
    case Symbol::Kind::Variable:
      return std::string(spaceName(symbol.variable->space)) + " variable " +
             shown;
    case Symbol::Kind::Function:
      return "function " + shown;
    case Symbol::Kind::Special:
      return "special register " + shown;
    case Symbol::Kind::Targets:
    case Symbol::Kind::Callees:
      return "list of targets " + shown;
    case Symbol::Kind::Prototype:
      return "prototype " + shown;
    }
    return shown;
  }
  case Kind::Constant:
    return "constant " + constant.text();
  case Kind::Sink:
    return "'_'";
  case Kind::Vector:
    return "a vector of " + std::to_string(elements.size());
  case Kind::Pair:
    return "a pair of registers";
  case Kind::Address:
    return "an address";
  }
  return "nothing";
}

bool OperandMatcher::fail(std::string text) {
  // Of several ways to match, the message is of the one that got furthest.
  if (message.empty() || position + 1 >= reached) {
    reached = position + 1;
    message = std::move(text);
  }
  return false;
}

bool OperandMatcher::expect(std::string text, const TextOperand &found) {
  return fail("operand " + std::to_string(position + 1) + ": expected " + text +
              ", found " + found.text());
}

/// Unsigned of twice the width.
static Type twice(Type type) {
  switch (type) {
  case Type::U16:
    return Type::U32;
  case Type::S16:
    return Type::S32;
  case Type::U32:
    return Type::U64;
  case Type::S32:
    return Type::S64;
  default:
    return Type::None;
  }
}

Type OperandMatcher::typeOf(const OperandPattern &expected) const {
  if (expected.type != Type::None)
    return expected.type;
  Type type = instruction.types[expected.typeIndex];
  return expected.doubled ? twice(type) : type;
}

static bool isUntyped(Type type) {
  return type >= Type::B8 && type <= Type::B64;
}

/// "Operand Type Checking", and where the register may be wider "Operand Size
/// Exceeding Instruction-Type Size", of the PTX ISA.
static bool agree(Type type, Type reg, bool wider) {
  unsigned expected = typeBytes(type), found = typeBytes(reg);
  if (!expected || !found || found < expected || (found > expected && !wider))
    return false;
  if (isUntyped(type) || isUntyped(reg))
    return true;
  if (isFloat(type) != isFloat(reg))
    return false;
  return !isFloat(type) || found == expected;
}

bool OperandMatcher::matchRegister(const TextOperand &found, Type type,
                                   bool wider, Operand &result) {
  if (found.kind != Kind::Name || found.negated || found.hasOffset ||
      found.symbol.kind != Symbol::Kind::Register ||
      !agree(type, found.symbol.type, wider))
    return expect(std::string("a register of type ") + typeName(type) +
                      (wider ? " or wider" : ""),
                  found);
  result.kind = Operand::Kind::Register;
  result.index = found.symbol.index;
  return true;
}

bool OperandMatcher::matchPredicate(const TextOperand &found, bool isRead,
                                    Operand &result) {
  if (isRead && found.kind == Kind::Constant && found.constant.isInteger()) {
    result.kind = Operand::Kind::Immediate;
    result.value = found.constant.bits != 0;
    return true;
  }
  if (found.kind != Kind::Name || found.hasOffset ||
      found.symbol.kind != Symbol::Kind::Register ||
      found.symbol.type != Type::Pred || (found.negated && !isRead))
    return expect("a predicate", found);
  result.kind = Operand::Kind::Register;
  result.index = found.symbol.index;
  result.negated = found.negated;
  return true;
}

bool OperandMatcher::matchSource(const OperandPattern &expected,
                                 const TextOperand &found, Type type,
                                 Operand &result) {
  std::string wanted = std::string("an operand of type ") + typeName(type);
  Opcode opcode = instruction.opcode();
  if (found.kind == Kind::Constant) {
    if (!convertConstant(found.constant, type, result.value))
      return expect(wanted, found);
    result.kind = Operand::Kind::Immediate;
    return true;
  }
  if (found.kind != Kind::Name || found.negated)
    return expect(wanted, found);
  bool isCopy = opcode == Opcode::Mov || opcode == Opcode::Cvta;
  switch (found.symbol.kind) {
  case Symbol::Kind::Register:
    return matchRegister(found, type, expected.wider, result);
  case Symbol::Kind::Special: {
    if ((opcode != Opcode::Mov && opcode != Opcode::Cvt) || found.hasOffset)
      return expect("no special register but in mov and cvt", found);
    Special special = found.symbol.special;
    bool vector = special >= Special::Tid && special <= Special::Nctaid;
    if (vector ? found.component < 0 || found.component > 2
               : found.component >= 0)
      return expect(vector ? ".x, .y or .z after the special register"
                           : "no component of the special register",
                    found);
    unsigned bytes = specialBytes(special), wide = typeBytes(type);
    // They were of 16 bits, and %gridid of 32, in the first versions of PTX.
    bool narrow =
        (vector && wide == 2) || (special == Special::GridId && wide == 4);
    if (isFloat(type) || (wide != bytes && !narrow))
      return expect(wanted, found);
    result.kind = Operand::Kind::Special;
    result.special = special;
    result.index = vector ? unsigned(found.component) : 0;
    return true;
  }
  case Symbol::Kind::Variable: {
    if (!isCopy || isFloat(type))
      return expect(wanted, found);
    Space space = found.symbol.variable->space;
    bool is64 = space == Space::Global;
    if (typeBytes(type) != 8 && (is64 || typeBytes(type) != 4))
      return expect(is64 ? "64 bits for an address in global memory"
                         : "32 or 64 bits for an address",
                    found);
    result.kind = Operand::Kind::Variable;
    result.variable = found.symbol.variable;
    result.value = found.constant.integer();
    return true;
  }
  case Symbol::Kind::Function:
    if (opcode != Opcode::Mov || typeBytes(type) != 8 || isFloat(type) ||
        found.hasOffset)
      return expect(wanted, found);
    if (found.symbol.function->isKernel)
      return expect("a function that is no kernel", found);
    result.kind = Operand::Kind::Function;
    result.function = found.symbol.function;
    return true;
  default:
    return expect(wanted, found);
  }
}

bool OperandMatcher::matchVector(const OperandPattern &expected,
                                 const TextOperand &found, size_t count,
                                 Type type, Operand &result) {
  if (found.kind != Kind::Vector || found.elements.size() != count)
    return expect("a vector of " + std::to_string(count), found);
  bool isRead = expected.letter == 'S';
  result.kind = Operand::Kind::Vector;
  result.elements.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const TextOperand &element = found.elements[i];
    if (!isRead && element.kind == Kind::Sink && !expected.count)
      continue;
    if (!(isRead ? matchSource(expected, element, type, result.elements[i])
                 : matchRegister(element, type, expected.wider,
                                 result.elements[i])))
      return false;
  }
  return true;
}

/// The parts of a value that mov splits or makes up.
bool OperandMatcher::matchParts(const OperandPattern &expected,
                                const TextOperand &found, Type type,
                                Operand &result) {
  size_t count = found.elements.size();
  if (found.kind != Kind::Vector || (count != 2 && count != 4)) {
    expect("a vector of 2 or 4", found);
    // This form was not meant.
    if (found.kind != Kind::Vector)
      reached = 0;
    return false;
  }
  Type part = Type::None;
  for (Type candidate : {Type::B8, Type::B16, Type::B32})
    if (typeBytes(candidate) * count == typeBytes(type))
      part = candidate;
  if (part == Type::None)
    return expect("parts that make up " + std::string(typeName(type)), found);
  result.kind = Operand::Kind::Vector;
  result.elements.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const TextOperand &element = found.elements[i];
    if (expected.letter == 'U' && element.kind == Kind::Sink)
      continue;
    if (expected.letter == 'K' && element.kind == Kind::Constant) {
      if (!convertConstant(element.constant, part, result.elements[i].value))
        return expect(std::string("an operand of type ") + typeName(part),
                      element);
      result.elements[i].kind = Operand::Kind::Immediate;
      continue;
    }
    if (!matchRegister(element, part, false, result.elements[i]))
      return false;
  }
  return true;
}

Space OperandMatcher::spaceOfAddress() const {
  const Instruction &i = instruction;
  if (i.opcode() == Opcode::CpAsync)
    return addresses ? Space::Global : Space::Shared;
  if (i.has(Modifier::Global))
    return Space::Global;
  if (i.has(Modifier::Shared) || i.has(Modifier::SharedCta))
    return Space::Shared;
  if (i.has(Modifier::Local))
    return Space::Local;
  if (i.has(Modifier::Param) || i.has(Modifier::ParamEntry) ||
      i.has(Modifier::ParamFunc))
    return Space::Param;
  if (i.has(Modifier::Const))
    return Space::Const;
  return Space::Generic;
}

bool OperandMatcher::matchAddress(const TextOperand &found, Operand &result) {
  Space space = spaceOfAddress();
  ++addresses;
  if (found.kind != Kind::Address)
    return expect("an address in brackets", found);
  const TextOperand &base = found.elements[0];
  result.kind = Operand::Kind::Address;
  result.value = found.constant.integer();
  result.elements.resize(1);
  Operand &into = result.elements[0];
  if (base.kind == Kind::Constant) {
    into.kind = Operand::Kind::Immediate;
    into.value = base.constant.integer();
    return true;
  }
  if (base.symbol.kind == Symbol::Kind::Register) {
    unsigned bytes = typeBytes(base.symbol.type);
    bool only64 = space == Space::Generic || space == Space::Global;
    if (isFloat(base.symbol.type) || (bytes != 8 && (only64 || bytes != 4)))
      return expect(only64 ? "an address of 64 bits"
                           : "an address of 32 or 64 bits",
                    base);
    into.kind = Operand::Kind::Register;
    into.index = base.symbol.index;
    return true;
  }
  if (base.symbol.kind != Symbol::Kind::Variable)
    return expect("a register or a variable as address", base);
  Space actual = base.symbol.variable->space;
  bool isGeneric = space == Space::Generic && actual != Space::Param &&
                   actual != Space::Const;
  if (!isGeneric && actual != space)
    return expect(std::string("a variable in ") + spaceName(space) + " memory",
                  base);
  if (base.symbol.isKernelParameter && instruction.opcode() == Opcode::St)
    return expect("a variable that can be written", base);
  into.kind = Operand::Kind::Variable;
  into.variable = base.symbol.variable;
  return true;
}

bool OperandMatcher::matchOne(const OperandPattern &expected,
                              const TextOperand &found, Operand &result) {
  if (found.kind == Kind::Name && found.symbol.kind == Symbol::Kind::None &&
      expected.letter != 'l')
    return fail(found.text());
  Type type = typeOf(expected);
  bool isAtom = instruction.opcode() == Opcode::Atom;
  switch (expected.letter) {
  case 'd':
    if (isAtom && found.kind == Kind::Sink)
      return true;
    return matchRegister(found, type, expected.wider, result);
  case 's':
    return matchSource(expected, found, type, result);
  case 'p':
    return matchPredicate(found, false, result);
  case 'q':
    return matchPredicate(found, true, result);
  case 'P':
  case '|': {
    bool isPair = found.kind == Kind::Pair;
    const TextOperand &first = isPair ? found.elements[0] : found;
    result.kind = Operand::Kind::PredicatePair;
    result.elements.resize(2);
    bool mayDrop = isPair || expected.letter == '|';
    if ((first.kind != Kind::Sink || !mayDrop) &&
        !(expected.letter == 'P'
              ? matchPredicate(first, false, result.elements[0])
              : matchRegister(first, type, expected.wider, result.elements[0])))
      return false;
    return !isPair || found.elements[1].kind == Kind::Sink ||
           matchPredicate(found.elements[1], false, result.elements[1]);
  }
  case 'D':
  case 'S': {
    if (expected.count)
      return matchVector(expected, found, expected.count, type, result);
    size_t count = instruction.has(Modifier::V2)   ? 2
                   : instruction.has(Modifier::V4) ? 4
                                                   : 0;
    if (count) {
      if (count * typeBytes(type) > 16)
        return fail("expected a vector of at most 16 bytes, found .v" +
                    std::to_string(count) + "." + typeName(type));
      return matchVector(expected, found, count, type, result);
    }
    const TextOperand &scalar =
        found.kind == Kind::Vector && found.elements.size() == 1
            ? found.elements[0]
            : found;
    return expected.letter == 'S'
               ? matchSource(expected, scalar, type, result)
               : matchRegister(scalar, type, expected.wider, result);
  }
  case 'U':
  case 'K':
    return matchParts(expected, found, type, result);
  case 'm':
    return matchAddress(found, result);
  case 'i':
    if (found.kind != Kind::Constant ||
        !convertConstant(found.constant, type, result.value))
      return expect(std::string("a constant of type ") + typeName(type), found);
    if (found.constant.isNegative() && !isSigned(type))
      return expect("a constant that is not negative", found);
    result.kind = Operand::Kind::Immediate;
    return true;
  case 'l':
    if (found.kind != Kind::Name || found.negated || found.hasOffset)
      return expect("a label", found);
    result.kind = Operand::Kind::Label;
    labels.push_back(
        {uint32_t(&result - instruction.operands.data()), -1, found.name});
    return true;
  case 't': {
    if (found.kind != Kind::Name || found.symbol.kind != Symbol::Kind::Targets)
      return expect("a name of .branchtargets", found);
    const std::vector<std::string_view> &names = targets[found.symbol.index];
    result.kind = Operand::Kind::Targets;
    result.elements.resize(names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      result.elements[i].kind = Operand::Kind::Label;
      labels.push_back(
          {uint32_t(&result - instruction.operands.data()), int(i), names[i]});
    }
    return true;
  }
  default:
    return expect("no operand of this kind", found);
  }
}

/// Values that the instruction does not take, as far as the text shows them.
bool OperandMatcher::checkValues() {
  auto immediate = [&](size_t i, uint64_t &value) {
    if (i >= instruction.operands.size() ||
        instruction.operands[i].kind != Operand::Kind::Immediate)
      return false;
    value = uint64_t(instruction.operands[i].value);
    position = i;
    return true;
  };
  uint64_t value = 0;
  switch (instruction.opcode()) {
  case Opcode::CpAsync:
    if (!immediate(2, value))
      return true;
    if (instruction.has(Modifier::Cg) && value != 16)
      return fail("expected a size of 16 for cp.async.cg, found " +
                  std::to_string(value));
    if (value != 4 && value != 8 && value != 16)
      return fail("expected a size of 4, 8 or 16, found " +
                  std::to_string(value));
    return true;
  case Opcode::Barrier: {
    // The number of the barrier follows the result of .red.
    size_t first = instruction.has(Modifier::Red) ? 1 : 0;
    if (immediate(first, value) && value > 15)
      return fail("expected a barrier from 0 to 15, found " +
                  std::to_string(value));
    if (pattern.operands.size() > first + 1 &&
        pattern.operands[first + 1].letter == 's' &&
        immediate(first + 1, value) && (!value || value % 32))
      return fail("expected a multiple of 32 threads, found " +
                  std::to_string(value));
    return true;
  }
  default:
    return true;
  }
}

/// Optional operands are absent where that is what makes the rest fit.
bool OperandMatcher::matchFrom(size_t index, size_t at) {
  const std::vector<TextOperand> &found = *given;
  if (index == pattern.operands.size())
    return at == found.size();
  size_t required = 0;
  for (size_t i = index; i < pattern.operands.size(); ++i)
    required += !pattern.operands[i].optional;
  const OperandPattern &expected = pattern.operands[index];
  size_t left = found.size() - at;
  size_t numLabels = labels.size();
  unsigned numAddresses = addresses;
  // A policy is there if and only if .L2::cache_hint says so.
  bool isPolicy = expected.optional && expected.type == Type::B64;
  bool hinted = instruction.has(Modifier::L2CacheHint);
  if (left + !expected.optional > required && left && !(isPolicy && !hinted)) {
    position = at;
    Operand &result = instruction.operands[index];
    if (matchOne(expected, found[at], result) && matchFrom(index + 1, at + 1))
      return true;
    result = Operand();
    labels.resize(numLabels);
    addresses = numAddresses;
  }
  return expected.optional && !(isPolicy && hinted) && matchFrom(index + 1, at);
}

bool OperandMatcher::match(const std::vector<TextOperand> &operands) {
  given = &operands;
  size_t most = pattern.operands.size(), least = pattern.numRequired;
  instruction.operands.clear();
  instruction.operands.resize(most);
  bool hasPolicy = false;
  for (const OperandPattern &expected : pattern.operands)
    hasPolicy |= expected.optional && expected.type == Type::B64;
  bool hinted = instruction.has(Modifier::L2CacheHint);
  least += hasPolicy && hinted;
  most -= hasPolicy && !hinted;
  if (operands.size() < least || operands.size() > most) {
    message = "expected " + std::to_string(least) +
              (most > least ? " to " + std::to_string(most) : "") +
              " operands, found " + std::to_string(operands.size());
    return false;
  }
  return matchFrom(0, 0) && checkValues();
}
