//===- FuzzPtx.cpp - Fuzzes the reading of PTX -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is read is checked against what the machine relies on, and then runs for
// a moment.
//
//===----------------------------------------------------------------------===//

#include "Mutate.h"
#include "Program.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>

using namespace muon::ptxsim;
using muon::fuzz::Random;

//===----------------------------------------------------------------------===//
// Mutations
//===----------------------------------------------------------------------===//

static const std::vector<std::string> words = {".version",
                                               ".target",
                                               ".address_size",
                                               ".visible",
                                               ".extern",
                                               ".weak",
                                               ".entry",
                                               ".func",
                                               ".global",
                                               ".const",
                                               ".shared",
                                               ".local",
                                               ".param",
                                               ".reg",
                                               ".align",
                                               ".maxntid",
                                               ".reqntid",
                                               ".branchtargets",
                                               ".calltargets",
                                               ".callprototype",
                                               ".loc",
                                               ".section",
                                               ".alias",
                                               ".pred",
                                               ".b8",
                                               ".b16",
                                               ".b32",
                                               ".b64",
                                               ".u16",
                                               ".u32",
                                               ".u64",
                                               ".s16",
                                               ".s32",
                                               ".s64",
                                               ".f16",
                                               ".f16x2",
                                               ".bf16",
                                               ".bf16x2",
                                               ".tf32",
                                               ".f32",
                                               ".f64",
                                               ".v2",
                                               ".v4",
                                               ".rn",
                                               ".rz",
                                               ".rni",
                                               ".ftz",
                                               ".sat",
                                               ".lo",
                                               ".hi",
                                               ".wide",
                                               ".cc",
                                               ".sync",
                                               ".aligned",
                                               ".x4",
                                               ".trans",
                                               ".m8n8",
                                               ".row",
                                               ".col",
                                               ".m16n8k16",
                                               ".async",
                                               ".cg",
                                               ".ca",
                                               ".L2::cache_hint",
                                               ".gpu",
                                               ".acquire",
                                               ".release",
                                               ".uni",
                                               ".idx",
                                               ".x",
                                               ".to",
                                               "add",
                                               "sub",
                                               "mul",
                                               "mad",
                                               "fma",
                                               "div",
                                               "setp",
                                               "selp",
                                               "lop3",
                                               "shf",
                                               "mov",
                                               "ld",
                                               "st",
                                               "cvt",
                                               "cvta",
                                               "shfl",
                                               "vote",
                                               "redux",
                                               "match",
                                               "elect",
                                               "bar",
                                               "barrier",
                                               "atom",
                                               "red",
                                               "membar",
                                               "cp",
                                               "ldmatrix",
                                               "mma",
                                               "bra",
                                               "brx",
                                               "call",
                                               "ret",
                                               "exit",
                                               "trap",
                                               "prmt",
                                               "bfe",
                                               "bfi",
                                               "%tid",
                                               "%clock64",
                                               "%laneid",
                                               "_",
                                               "0f3F800000",
                                               "0d3FF0000000000000",
                                               "WARP_SZ",
                                               "-1",
                                               "0xFFFFFFFF",
                                               "1.5",
                                               "generic",
                                               "%r1",
                                               "%rd1",
                                               "%f1",
                                               "%p1",
                                               "@%p1",
                                               "|",
                                               "!",
                                               "+",
                                               "-"};

namespace {

enum class Class { Blank, Modifier, Name, Number, Sign };

struct Word {
  Class cls = Class::Blank;
  std::string text;
};

Class classOf(char c) {
  unsigned char byte = c;
  if (std::isspace(byte))
    return Class::Blank;
  if (c == '.')
    return Class::Modifier;
  if (std::isdigit(byte))
    return Class::Number;
  return std::isalpha(byte) || c == '_' || c == '$' || c == '%' ? Class::Name
                                                                : Class::Sign;
}

std::vector<Word> split(std::string_view text) {
  std::vector<Word> result;
  for (size_t i = 0; i < text.size();) {
    Word word;
    word.cls = classOf(text[i]);
    size_t begin = i++;
    while (i < text.size() && word.cls != Class::Sign) {
      Class next = classOf(text[i]);
      bool inName = next == Class::Name || next == Class::Number;
      if (word.cls == Class::Blank ? next != Class::Blank : !inName)
        break;
      ++i;
    }
    word.text = text.substr(begin, i - begin);
    result.push_back(std::move(word));
  }
  return result;
}

/// A word becomes another of its kind, so that much of what comes out is PTX.
void exchange(std::vector<Word> &text, Random &random) {
  Class cls = random.pick(std::vector<Class>{Class::Modifier, Class::Modifier,
                                             Class::Name, Class::Name,
                                             Class::Number, Class::Sign});
  std::vector<size_t> places;
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i].cls == cls)
      places.push_back(i);
  if (places.empty())
    return;
  std::string &into = text[random.pick(places)].text;
  if (cls == Class::Number && random.oneIn(2)) {
    into = muon::fuzz::interestingNumber(random);
    return;
  }
  if (random.oneIn(2)) {
    into = text[random.pick(places)].text;
    return;
  }
  for (int i = 0; i < 20; ++i) {
    const std::string &word = random.pick(words);
    if (classOf(word[0]) == cls) {
      into = word;
      return;
    }
  }
}

/// A modifier more or less.
void changeModifiers(std::vector<Word> &text, Random &random) {
  std::vector<size_t> places;
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i].cls == Class::Modifier)
      places.push_back(i);
  if (places.empty())
    return;
  size_t at = random.pick(places);
  if (random.oneIn(2))
    text.erase(text.begin() + at);
  else
    text.insert(text.begin() + at, text[random.pick(places)]);
}

/// A statement is left out, or stands in another place, too.
void moveStatement(std::vector<Word> &text, Random &random) {
  std::vector<size_t> ends{0};
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i].text == ";" || text[i].text == "{" || text[i].text == "}")
      ends.push_back(i + 1);
  if (ends.size() < 2)
    return;
  size_t which = random.below(ends.size() - 1);
  std::vector<Word> copy(text.begin() + ends[which],
                         text.begin() + ends[which + 1]);
  size_t to = random.pick(ends);
  if (random.oneIn(3))
    text.erase(text.begin() + ends[which], text.begin() + ends[which + 1]);
  else
    text.insert(text.begin() + to, copy.begin(), copy.end());
}

} // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t maxSize, unsigned seed) {
  Random random(seed);
  if (random.oneIn(10))
    return LLVMFuzzerMutate(data, size, maxSize);
  std::string_view text = muon::fuzz::asText(data, size);
  if (random.oneIn(4))
    return muon::fuzz::store(muon::fuzz::mutateTokens(text, words, random),
                             data, maxSize);
  std::vector<Word> parts = split(text);
  for (size_t n = 1 + random.below(3); n > 0; --n) {
    switch (random.below(4)) {
    case 0:
      changeModifiers(parts, random);
      break;
    case 1:
      moveStatement(parts, random);
      break;
    default:
      exchange(parts, random);
      break;
    }
  }
  std::string result;
  for (const Word &part : parts)
    result += part.text;
  return muon::fuzz::store(result, data, maxSize);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t *first,
                                            size_t firstSize,
                                            const uint8_t *second,
                                            size_t secondSize, uint8_t *out,
                                            size_t maxSize, unsigned seed) {
  Random random(seed);
  return muon::fuzz::store(
      muon::fuzz::spliceTokens(muon::fuzz::asText(first, firstSize),
                               muon::fuzz::asText(second, secondSize), random),
      out, maxSize);
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

static void require(bool condition, const char *what) {
  if (condition)
    return;
  std::fprintf(stderr, "expected: %s\n", what);
  std::abort();
}

static void checkOperand(const Program &program, const Function &function,
                         const Operand &operand, unsigned depth) {
  using Kind = Operand::Kind;
  require(depth < 3, "operands of operands of instructions");
  switch (operand.kind) {
  case Kind::Register:
    require(operand.index < function.registers.size(), "a register");
    break;
  case Kind::Special:
    require(operand.special != Special::None && operand.index < 3,
            "a special register");
    break;
  case Kind::Variable: {
    require(operand.variable, "a variable");
    bool known = false;
    for (const Variable &variable : program.variables)
      known |= &variable == operand.variable;
    for (const Variable &variable : function.variables)
      known |= &variable == operand.variable;
    require(known, "a variable of the module or of the function");
    break;
  }
  case Kind::Function:
    require(operand.function && !operand.function->isKernel &&
                !operand.function->isExtern,
            "a function with a body");
    break;
  case Kind::Address:
    require(operand.elements.size() == 1, "one base of an address");
    break;
  case Kind::PredicatePair:
    require(operand.elements.size() == 2, "two registers of a pair");
    break;
  case Kind::Label:
    require(operand.index <= function.body.size(), "a label");
    break;
  case Kind::Prototype:
    require(operand.index < function.prototypes.size(), "a prototype");
    break;
  default:
    break;
  }
  for (const Operand &element : operand.elements)
    checkOperand(program, function, element, depth + 1);
}

static void checkProgram(const Program &program) {
  for (const Function &function : program.functions) {
    require(function.parameters.size() == function.parameterRegisters.size(),
            "a place for each parameter");
    require(function.results.size() == function.resultRegisters.size(),
            "a place for each result");
    for (size_t i = 0; i < function.parameters.size(); ++i)
      require(function.parameters[i] || size_t(function.parameterRegisters[i]) <
                                            function.registers.size(),
              "a register of a parameter");
    for (const Instruction &instruction : function.body) {
      require(instruction.form, "a form of an instruction");
      require(instruction.line >= 1 && instruction.line <= program.lines.size(),
              "a line of the text");
      const Operand &guard = instruction.guard;
      require(guard.kind == Operand::Kind::Sink ||
                  (guard.index < function.registers.size() &&
                   function.registers[guard.index].type == Type::Pred),
              "a predicate as guard");
      std::string_view operands = instruction.form->operands;
      size_t count = operands.empty() ? 0 : 1;
      for (char c : operands)
        count += c == ',';
      if (instruction.opcode() == Opcode::Call)
        count = 4;
      require(instruction.operands.size() == count, "the operands of a form");
      for (const Operand &operand : instruction.operands)
        checkOperand(program, function, operand, 0);
    }
  }
  for (const Variable &variable : program.variables) {
    require(variable.initial.empty() ||
                variable.initial.size() == variable.size,
            "initial values of the size of their variable");
    for (const Variable::Relocation &relocation : variable.relocations)
      require(relocation.offset + relocation.size <= variable.initial.size() &&
                  !relocation.variable != !relocation.function,
              "an address within its variable");
  }
}

static void run(const std::shared_ptr<const Module> &module) {
  const KernelInfo &kernel = module->kernels().front();
  Device device;
  constexpr uint64_t bytes = 4096;
  Parameters parameters;
  for (const ParameterInfo &info : kernel.parameters) {
    if (info.size == 8) {
      uint64_t address = device.allocate(bytes);
      std::vector<uint8_t> content(bytes);
      for (size_t i = 0; i < bytes; ++i)
        content[i] = uint8_t(i / 4 * 3);
      // The second half stays undefined.
      require(address && device.write(address, content.data(), bytes / 2),
              "memory of the device");
      parameters.add(address);
    } else {
      std::vector<uint8_t> value(info.size);
      if (info.size)
        value[0] = 16;
      parameters.addBytes(value.data(), value.size(),
                          std::max(info.alignment, 1u));
    }
  }
  LaunchOptions options;
  options.grid = {2};
  options.block = {48};
  options.dynamicSharedBytes = 1024;
  options.hostThreads = 1;
  options.maxInstructions = 20000;
  LaunchResult result = device.launch(module, kernel.name, parameters, options);
  for (const Finding &finding : result.findings)
    require(!finding.text().empty(), "the text of a finding");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text = muon::fuzz::asText(data, size);
  std::vector<ParseError> errors;
  std::shared_ptr<const Module> module =
      Module::parse(text, "fuzz.ptx", errors);
  require(errors.empty() == bool(module), "errors if and only if refused");
  for (const ParseError &error : errors)
    require(!error.message.empty(), "a message");
  if (!module) {
    muon::fuzz::refused(errors[0].message);
    return 0;
  }
  checkProgram(module->program());
  if (!module->kernels().empty())
    run(module);
  return 0;
}
