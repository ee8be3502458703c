//===- Compile.cpp - From instructions as read to code --------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code.h"

#include "BlockOrder.h"

#include <algorithm>
#include <map>
#include <set>

using namespace muon::ptxsim;

namespace {

/// What an operand of a form is, in the language of Instructions.h.
struct Token {
  char letter = 0;
  Type type = Type::None;
  unsigned bytes = 0;
};

std::vector<Token> tokensOf(const Instruction &instruction) {
  std::vector<Token> tokens;
  std::string_view rest = instruction.form->operands;
  while (!rest.empty()) {
    size_t end = rest.find(',');
    std::string_view text = rest.substr(0, end);
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    if (text.front() == '?')
      text.remove_prefix(1);
    Token token;
    token.letter = text.substr(0, 2) == "dp" ? '|' : text.front();
    size_t colon = text.find(':');
    std::string_view spec =
        colon == std::string_view::npos ? "0" : text.substr(colon + 1);
    if (spec == "w") {
      token.bytes = 2 * typeBytes(instruction.types[0]);
    } else if (spec == "addr") {
      token.bytes = 8;
    } else if (spec.size() == 1 && spec[0] >= '0' && spec[0] <= '3') {
      token.type = instruction.types[spec[0] - '0'];
      token.bytes = typeBytes(token.type);
    } else {
      token.type = parseType(spec);
      token.bytes = typeBytes(token.type);
    }
    tokens.push_back(token);
  }
  return tokens;
}

bool isConditional(const Instruction &instruction) {
  return instruction.guard.kind == Operand::Kind::Register;
}

bool endsBlock(const Instruction &instruction) {
  switch (instruction.opcode()) {
  case Opcode::Bra:
  case Opcode::Brx:
  case Opcode::Ret:
  case Opcode::Exit:
  case Opcode::Trap:
    return true;
  default:
    return false;
  }
}

/// Makes the code of one function.
class FunctionCompiler {
public:
  FunctionCompiler(const Program &program, const Function &function, Code &code,
                   std::vector<ParseError> &errors)
      : program(program), function(function), code(code), errors(errors) {}

  void run();

private:
  void error(const Instruction &instruction, std::string message);
  void numberRegisters();
  void layOut();
  void findBlocks();
  void translate(const Instruction &instruction, Op &op);
  void translateCall(const Instruction &instruction, Op &op);
  void countLive();

  Ref refOf(uint32_t registerIndex) const;
  Ref constant(uint64_t bits, unsigned bytes);
  Ref symbol(const Variable *variable, int64_t addend, unsigned bytes);
  Ref special(Special special, uint32_t component);
  Ref newRegister(unsigned bytes);
  Ref source(const Instruction &instruction, const Operand &operand,
             unsigned bytes);
  void memory(const Instruction &instruction, const Operand &operand, Op &op,
              Space space, Ref &base, int64_t &offset);

  const Program &program;
  const Function &function;
  Code &code;
  std::vector<ParseError> &errors;
  std::vector<BasicBlock> blocks;
  std::vector<uint32_t> blockOf;
  std::map<std::pair<uint64_t, unsigned>, Ref> constantRefs;
  std::map<std::tuple<const Variable *, int64_t, unsigned>, Ref> symbolRefs;
  std::map<std::pair<Special, uint32_t>, Ref> specialRefs;
  std::set<const Variable *> sharedSeen;
  std::set<const Function *> calleesSeen;
};

void FunctionCompiler::error(const Instruction &instruction,
                             std::string message) {
  std::string text;
  if (instruction.line && instruction.line <= program.lines.size())
    text = program.lines[instruction.line - 1];
  errors.push_back({instruction.line, std::move(text), std::move(message)});
}

Ref FunctionCompiler::newRegister(unsigned bytes) {
  Ref ref;
  ref.reg = uint32_t(code.offsets.size());
  // Vectors of the host like their alignment.
  ref.offset = (code.valueBytes + 31) / 32 * 32;
  ref.width = uint8_t(bytes);
  code.offsets.push_back(ref.offset);
  code.widths.push_back(uint8_t(bytes));
  code.valueBytes = ref.offset + 32 * bytes;
  return ref;
}

void FunctionCompiler::numberRegisters() {
  for (const Register &reg : function.registers) {
    if (reg.type == Type::Pred)
      code.numbers.push_back(code.numPredicates++);
    else
      code.numbers.push_back(newRegister(typeBytes(reg.type)).reg);
  }
  code.falsePredicate = code.numPredicates++;
  code.truePredicate = code.numPredicates++;
}

Ref FunctionCompiler::refOf(uint32_t registerIndex) const {
  Ref ref;
  ref.reg = code.numbers[registerIndex];
  ref.offset = code.offsets[ref.reg];
  ref.width = code.widths[ref.reg];
  return ref;
}

void FunctionCompiler::layOut() {
  auto place = [](uint64_t &end, const Variable &variable, uint32_t gap) {
    uint64_t align = std::max<uint32_t>(variable.alignment, 1);
    uint64_t at = (end + align - 1) / align * align;
    end = at + variable.size + gap;
    return uint32_t(at);
  };
  uint64_t local = 0, param = 0;
  for (const Variable &variable : function.variables) {
    if (variable.space == Space::Local) {
      uint32_t at = place(local, variable, 16);
      code.localOffsets[&variable] = at;
      code.localRanges.push_back({at, at + uint32_t(variable.size)});
    } else if (variable.space == Space::Param && !function.isKernel) {
      code.paramOffsets[&variable] = place(param, variable, 0);
    } else if (variable.space == Space::Param) {
      // Parameters of the kernel itself lie in the launch.
      bool own =
          std::find(function.parameters.begin(), function.parameters.end(),
                    &variable) != function.parameters.end();
      if (!own)
        code.paramOffsets[&variable] = place(param, variable, 0);
    }
  }
  code.localBytes = uint32_t((local + 15) / 16 * 16);
  code.paramBytes = uint32_t((param + 15) / 16 * 16);
}

void FunctionCompiler::findBlocks() {
  const std::vector<Instruction> &body = function.body;
  uint32_t size = uint32_t(body.size());
  std::vector<bool> starts(size + 1, false);
  starts[0] = true;
  for (uint32_t i = 0; i < size; ++i) {
    const Instruction &instruction = body[i];
    if (endsBlock(instruction))
      starts[i + 1] = true;
    for (const Operand &operand : instruction.operands) {
      if (operand.kind == Operand::Kind::Label)
        starts[operand.index] = true;
      if (operand.kind == Operand::Kind::Targets)
        for (const Operand &element : operand.elements)
          if (element.kind == Operand::Kind::Label)
            starts[element.index] = true;
    }
  }
  // One past the last instruction there is a block that returns.
  starts[size] = true;
  blockOf.resize(size + 1);
  for (uint32_t i = 0; i <= size; ++i) {
    if (starts[i]) {
      if (!blocks.empty())
        blocks.back().end = i;
      blocks.push_back({i, i, {}, -1});
    }
    blockOf[i] = uint32_t(blocks.size() - 1);
  }
  blocks.back().end = size;
  for (uint32_t b = 0; b + 1 < blocks.size(); ++b) {
    BasicBlock &block = blocks[b];
    if (block.begin == block.end) {
      block.fallthrough = int(b + 1);
      block.successors.push_back(b + 1);
      continue;
    }
    const Instruction &last = body[block.end - 1];
    if (!endsBlock(last) || isConditional(last)) {
      block.fallthrough = int(b + 1);
      block.successors.push_back(b + 1);
    }
    for (const Operand &operand : last.operands) {
      if (operand.kind == Operand::Kind::Label)
        block.successors.push_back(blockOf[operand.index]);
      if (operand.kind == Operand::Kind::Targets &&
          last.opcode() == Opcode::Brx)
        for (const Operand &element : operand.elements)
          block.successors.push_back(blockOf[element.index]);
    }
  }
}

Ref FunctionCompiler::constant(uint64_t bits, unsigned bytes) {
  if (bytes < 8)
    bits &= (uint64_t(1) << (8 * bytes)) - 1;
  Ref &ref = constantRefs[{bits, bytes}];
  if (!ref) {
    ref = newRegister(bytes);
    code.constants.push_back({ref, bits});
  }
  return ref;
}

Ref FunctionCompiler::symbol(const Variable *variable, int64_t addend,
                             unsigned bytes) {
  if (variable->space == Space::Shared && sharedSeen.insert(variable).second)
    code.sharedVariables.push_back(variable);
  Ref &ref = symbolRefs[{variable, addend, bytes}];
  if (!ref) {
    ref = newRegister(bytes);
    code.symbols.push_back({ref, variable, addend});
  }
  return ref;
}

Ref FunctionCompiler::special(Special special, uint32_t component) {
  Ref &ref = specialRefs[{special, component}];
  if (!ref) {
    ref = newRegister(specialBytes(special));
    code.specials.push_back({ref, special, component});
  }
  return ref;
}

static bool isClock(Special special) {
  switch (special) {
  case Special::Clock:
  case Special::ClockHi:
  case Special::Clock64:
  case Special::GlobalTimer:
  case Special::GlobalTimerLo:
  case Special::GlobalTimerHi:
    return true;
  default:
    return false;
  }
}

/// A register that holds an operand that is read. Predicates are not among
/// them.
Ref FunctionCompiler::source(const Instruction &instruction,
                             const Operand &operand, unsigned bytes) {
  switch (operand.kind) {
  case Operand::Kind::Register:
    return refOf(operand.index);
  case Operand::Kind::Immediate:
    return constant(uint64_t(operand.value), bytes);
  case Operand::Kind::Variable:
    if (code.paramOffsets.count(operand.variable))
      error(instruction, "the address of '" + operand.variable->name +
                             "', a parameter of a function, is not supported");
    return symbol(operand.variable, operand.value, bytes);
  case Operand::Kind::Special: {
    if (isClock(operand.special)) {
      error(instruction, std::string("expected ") +
                             specialName(operand.special) +
                             " as the operand of mov only");
      return {};
    }
    Ref ref = special(operand.special, operand.index);
    // A 64-bit register may be read as its low 32 bits by mov.u32 and the like.
    if (bytes && bytes < ref.width)
      ref.width = uint8_t(bytes);
    if (bytes > ref.width) {
      error(instruction, std::string(specialName(operand.special)) + " has " +
                             std::to_string(8 * ref.width) +
                             " bits, expected " + std::to_string(8 * bytes));
    }
    return ref;
  }
  default:
    return {};
  }
}

void FunctionCompiler::memory(const Instruction &instruction,
                              const Operand &operand, Op &op, Space space,
                              Ref &base, int64_t &offset) {
  const Operand &first = operand.elements[0];
  offset = operand.value;
  switch (first.kind) {
  case Operand::Kind::Register:
    base = refOf(first.index);
    break;
  case Operand::Kind::Variable: {
    const Variable *variable = first.variable;
    auto param = code.paramOffsets.find(variable);
    if (param != code.paramOffsets.end()) {
      // A lane's share of the frame; see Space::Register in ExecuteMemory.cpp.
      op.space = Space::Register;
      base = constant(param->second, 8);
      break;
    }
    if (space == Space::Generic && variable->space != Space::Global &&
        variable->space != Space::Const) {
      error(instruction, std::string("expected a generic address, found ") +
                             spaceName(variable->space) + " variable '" +
                             variable->name + "'");
    } else if (space != Space::Generic && space != variable->space) {
      error(instruction, std::string("expected a variable in ") +
                             spaceName(space) + " memory, found '" +
                             variable->name + "' in " +
                             spaceName(variable->space) + " memory");
    }
    base = symbol(variable, 0, 8);
    break;
  }
  default:
    base = constant(uint64_t(first.value), 8);
    break;
  }
}

static Space spaceOf(const Instruction &instruction) {
  using M = Modifier;
  if (instruction.has(M::Global))
    return Space::Global;
  if (instruction.has(M::Shared) || instruction.has(M::SharedCta))
    return Space::Shared;
  if (instruction.has(M::Local))
    return Space::Local;
  if (instruction.has(M::Param) || instruction.has(M::ParamEntry) ||
      instruction.has(M::ParamFunc))
    return Space::Param;
  if (instruction.has(M::Const))
    return Space::Const;
  return Space::Generic;
}

void FunctionCompiler::translateCall(const Instruction &instruction, Op &op) {
  CallSite site;
  const Operand &target = instruction.operands[1];
  if (target.kind == Operand::Kind::Function) {
    site.callee = target.function;
    if (calleesSeen.insert(site.callee).second)
      code.callees.push_back(site.callee);
  } else {
    op.args[0] = refOf(target.index);
    code.callsIndirectly = true;
  }
  auto values = [&](const Operand &list, std::vector<CallSite::Value> &into) {
    if (list.kind != Operand::Kind::List)
      return;
    for (size_t i = 0; i < list.elements.size(); ++i) {
      const Operand &element = list.elements[i];
      CallSite::Value value;
      if (element.kind == Operand::Kind::Variable) {
        auto found = code.paramOffsets.find(element.variable);
        if (found == code.paramOffsets.end()) {
          error(instruction, "expected a .param variable of the body, found '" +
                                 element.variable->name + "'");
          continue;
        }
        value.param = found->second;
        value.bytes = uint32_t(element.variable->size);
      } else {
        unsigned bytes = 0;
        if (element.kind == Operand::Kind::Immediate && site.callee) {
          const Function &callee = *site.callee;
          if (i < callee.parameterRegisters.size() &&
              callee.parameterRegisters[i] >= 0)
            bytes = typeBytes(
                callee.registers[size_t(callee.parameterRegisters[i])].type);
          else if (i < callee.parameters.size() && callee.parameters[i])
            bytes = unsigned(callee.parameters[i]->size);
        }
        value.ref = source(instruction, element, bytes ? bytes : 4);
        value.bytes = value.ref.width;
      }
      into.push_back(value);
    }
  };
  values(instruction.operands[0], site.results);
  values(instruction.operands[2], site.arguments);
  op.target = uint32_t(code.calls.size());
  code.calls.push_back(std::move(site));
}

void FunctionCompiler::translate(const Instruction &instruction, Op &op) {
  op.source = &instruction;
  op.line = instruction.line;
  op.cls = instruction.form->cls;
  op.space = spaceOf(instruction);
  if (isConditional(instruction)) {
    op.guard = code.numbers[instruction.guard.index];
    op.guardNegated = instruction.guard.negated;
  }
  if (instruction.opcode() == Opcode::Call) {
    translateCall(instruction, op);
  } else {
    std::vector<Token> tokens = tokensOf(instruction);
    unsigned arg = 0, addresses = 0;
    for (size_t i = 0; i < tokens.size(); ++i) {
      const Token &token = tokens[i];
      const Operand &operand = instruction.operands[i];
      switch (token.letter) {
      case 'p':
        if (operand.kind == Operand::Kind::Register)
          op.outPredicate = code.numbers[operand.index];
        break;
      case 'P':
      case '|': {
        const Operand &first = operand.elements[0];
        const Operand &second = operand.elements[1];
        bool predicate = token.letter == 'P';
        if (first.kind == Operand::Kind::Register) {
          if (predicate)
            op.outPredicate = code.numbers[first.index];
          else
            op.args[arg] = refOf(first.index);
        }
        arg += !predicate;
        if (second.kind == Operand::Kind::Register)
          (predicate ? op.outPredicate2 : op.outPredicate) =
              code.numbers[second.index];
        break;
      }
      case 'q':
        if (operand.kind == Operand::Kind::Register ||
            operand.kind == Operand::Kind::Immediate) {
          bool first = op.predicate == noRegister;
          (first ? op.predicate : op.predicate2) =
              operand.kind == Operand::Kind::Register
                  ? code.numbers[operand.index]
              : operand.value ? code.truePredicate
                              : code.falsePredicate;
          (first ? op.predicateNegated : op.predicate2Negated) =
              operand.negated;
        }
        break;
      case 'm': {
        // cp.async goes from global to shared memory.
        Space space = op.space;
        if (instruction.opcode() == Opcode::CpAsync)
          space = addresses ? Space::Global : Space::Shared;
        memory(instruction, operand, op, space, op.args[arg],
               addresses ? op.offset2 : op.offset);
        ++addresses;
        ++arg;
        break;
      }
      case 'l':
        op.target = operand.index;
        break;
      case 't': {
        std::vector<uint32_t> table;
        for (const Operand &element : operand.elements)
          table.push_back(element.index);
        op.target = uint32_t(code.tables.size());
        code.tables.push_back(std::move(table));
        break;
      }
      default:
        if (operand.kind == Operand::Kind::Vector) {
          unsigned bytes = token.bytes;
          if (token.letter == 'U' || token.letter == 'K')
            bytes /= unsigned(operand.elements.size());
          for (const Operand &element : operand.elements)
            op.elements.push_back(element.kind == Operand::Kind::Sink
                                      ? Ref()
                                      : source(instruction, element, bytes));
        } else if (operand.kind == Operand::Kind::Special &&
                   instruction.opcode() == Opcode::Mov &&
                   isClock(operand.special)) {
          op.detail = unsigned(operand.special);
          ++arg;
        } else if (token.letter == 'D' || token.letter == 'S') {
          op.elements.push_back(
              operand.kind == Operand::Kind::Sink
                  ? Ref()
                  : source(instruction, operand, token.bytes));
        } else {
          if (operand.kind == Operand::Kind::Function) {
            op.args[arg] = constant(0, token.bytes);
          } else if (operand.kind != Operand::Kind::Sink && arg < 5) {
            op.args[arg] = source(instruction, operand, token.bytes);
          }
          ++arg;
        }
        break;
      }
    }
  }
  using Select = Handler (*)(const Instruction &, Op &);
  static constexpr Select families[] = {
      selectInteger, selectFloat, selectLogic,  selectConvert,
      selectMemory,  selectWarp,  selectTensor, selectControl};
  for (Select select : families) {
    op.run = select(instruction, op);
    if (op.run)
      break;
  }
  if (!op.run)
    error(instruction, std::string("this form of '") + instruction.form->name +
                           "' is not executed");
  if (instruction.opcode() == Opcode::CpAsync)
    code.usesAsync = true;
}

/// Liveness of registers, by blocks.
void FunctionCompiler::countLive() {
  size_t registers = function.registers.size();
  size_t words = (registers + 63) / 64;
  // Beyond this it is an estimate from above: all registers.
  if (words * blocks.size() > (size_t(1) << 27)) {
    for (const Register &reg : function.registers)
      code.liveRegisters += (typeBytes(reg.type) + 3) / 4;
    return;
  }
  using Bits = std::vector<uint64_t>;
  auto visit = [&](const Operand &operand, auto &&visit, auto &&each) -> void {
    if (operand.kind == Operand::Kind::Register)
      each(operand.index);
    for (const Operand &element : operand.elements)
      visit(element, visit, each);
  };
  auto set = [](Bits &bits, uint32_t i) { bits[i / 64] |= 1ull << (i % 64); };
  auto clear = [](Bits &bits, uint32_t i) {
    bits[i / 64] &= ~(1ull << (i % 64));
  };
  auto isWritten = [](const Instruction &instruction, size_t operand) {
    if (instruction.opcode() == Opcode::Call)
      return operand == 0;
    if (operand)
      return false;
    char letter = instruction.form->operands[0];
    return letter == 'd' || letter == 'p' || letter == 'P' || letter == 'D' ||
           letter == 'U';
  };
  auto step = [&](const Instruction &instruction, Bits &live) {
    for (size_t i = 0; i < instruction.operands.size(); ++i)
      if (isWritten(instruction, i) && !isConditional(instruction))
        visit(instruction.operands[i], visit,
              [&](uint32_t reg) { clear(live, reg); });
    for (size_t i = 0; i < instruction.operands.size(); ++i)
      if (!isWritten(instruction, i))
        visit(instruction.operands[i], visit,
              [&](uint32_t reg) { set(live, reg); });
    visit(instruction.guard, visit, [&](uint32_t reg) { set(live, reg); });
  };
  std::vector<Bits> liveIn(blocks.size(), Bits(words));
  bool changed = true;
  auto liveOut = [&](const BasicBlock &block) {
    Bits live(words);
    for (uint32_t successor : block.successors)
      for (size_t w = 0; w < words; ++w)
        live[w] |= liveIn[successor][w];
    return live;
  };
  for (unsigned round = 0; changed && round < 1000; ++round) {
    changed = false;
    for (size_t b = blocks.size(); b-- > 0;) {
      Bits live = liveOut(blocks[b]);
      for (uint32_t i = blocks[b].end; i-- > blocks[b].begin;)
        step(function.body[i], live);
      if (live != liveIn[b]) {
        liveIn[b] = std::move(live);
        changed = true;
      }
    }
  }
  auto count = [&](const Bits &live) {
    uint32_t sum = 0;
    for (size_t w = 0; w < words; ++w)
      for (uint64_t bits = live[w]; bits; bits &= bits - 1)
        sum += (typeBytes(
                    function.registers[64 * w + __builtin_ctzll(bits)].type) +
                3) /
               4;
    return sum;
  };
  for (const BasicBlock &block : blocks) {
    Bits live = liveOut(block);
    uint32_t most = count(live);
    for (uint32_t i = block.end; i-- > block.begin;) {
      step(function.body[i], live);
      most = std::max(most, count(live));
    }
    code.liveRegisters = std::max(code.liveRegisters, most);
  }
}

void FunctionCompiler::run() {
  code.function = &function;
  numberRegisters();
  layOut();
  findBlocks();
  std::vector<uint32_t> order = orderOfBlocks(blocks);
  std::vector<uint32_t> start(blocks.size(), 0);
  std::vector<bool> placed(blocks.size(), false);
  uint32_t last = uint32_t(blocks.size() - 1);
  for (size_t i = 0; i < order.size(); ++i) {
    uint32_t b = order[i];
    start[b] = uint32_t(code.ops.size());
    placed[b] = true;
    for (uint32_t at = blocks[b].begin; at < blocks[b].end; ++at) {
      code.ops.emplace_back();
      translate(function.body[at], code.ops.back());
    }
    Op extra;
    extra.counted = false;
    if (b == last) {
      // Falling off the end.
      extra.run = selectControl(
          *[] {
            static const Instruction ret = [] {
              Instruction instruction;
              for (const Form &form : instructionForms())
                if (form.opcode == Opcode::Ret)
                  instruction.form = &form;
              return instruction;
            }();
            return &ret;
          }(),
          extra);
      extra.line =
          function.body.empty() ? function.line : function.body.back().line;
      code.ops.push_back(std::move(extra));
    } else if (blocks[b].fallthrough >= 0 &&
               (i + 1 == order.size() ||
                order[i + 1] != uint32_t(blocks[b].fallthrough))) {
      static const Instruction bra = [] {
        Instruction instruction;
        for (const Form &form : instructionForms())
          if (form.opcode == Opcode::Bra)
            instruction.form = &form;
        return instruction;
      }();
      extra.target = blocks[blocks[b].fallthrough].begin;
      extra.run = selectControl(bra, extra);
      extra.source = &bra;
      extra.line = blocks[b].begin < blocks[b].end
                       ? function.body[blocks[b].end - 1].line
                       : function.line;
      code.ops.push_back(std::move(extra));
    }
  }
  // Targets were indices of instructions.
  for (Op &op : code.ops)
    if (op.source && op.source->opcode() == Opcode::Bra)
      op.target = start[blockOf[op.target]];
  for (std::vector<uint32_t> &table : code.tables)
    for (uint32_t &target : table)
      target = start[blockOf[target]];
  countLive();
}

/// Shared memory of a kernel and of all that it may call.
void layOutShared(const Program &program, const Function &kernel,
                  Program::Compiled &compiled) {
  std::set<const Function *> seen;
  std::vector<const Function *> queue{&kernel};
  std::vector<const Variable *> variables;
  std::set<const Variable *> known;
  bool async = false;
  while (!queue.empty()) {
    const Function *function = queue.back();
    queue.pop_back();
    auto found = compiled.codes.find(function);
    if (found == compiled.codes.end() || !seen.insert(function).second)
      continue;
    const Code &code = found->second;
    async |= code.usesAsync;
    for (const Variable *variable : code.sharedVariables)
      if (known.insert(variable).second)
        variables.push_back(variable);
    for (const Function *callee : code.callees)
      queue.push_back(callee);
    if (code.callsIndirectly)
      for (const Function &other : program.functions)
        if (!other.isKernel)
          queue.push_back(&other);
  }
  compiled.usesAsync[&kernel] = async;
  SharedLayout &layout = compiled.shared[&kernel];
  uint64_t end = 0, packed = 0, dynamicAlignment = 16;
  std::vector<const Variable *> dynamic;
  for (const Variable *variable : variables) {
    uint64_t align = std::max<uint32_t>(variable->alignment, 1);
    if (!variable->size) {
      dynamic.push_back(variable);
      dynamicAlignment = std::max(dynamicAlignment, align);
      continue;
    }
    end = (end + align - 1) / align * align;
    layout.offsets[variable] = uint32_t(end);
    layout.ranges.push_back({uint32_t(end), uint32_t(end + variable->size)});
    end += variable->size + 16;
    packed = (packed + align - 1) / align * align + variable->size;
  }
  end = (end + dynamicAlignment - 1) / dynamicAlignment * dynamicAlignment;
  layout.dynamicOffset = uint32_t(end);
  layout.staticBytes = uint32_t(packed);
  for (const Variable *variable : dynamic)
    layout.offsets[variable] = uint32_t(end);
}

} // namespace

bool muon::ptxsim::compileProgram(Program &program,
                                  std::vector<ParseError> &errors) {
  size_t before = errors.size();
  auto compiled = std::make_shared<Program::Compiled>();
  for (const Variable &variable : program.variables)
    if (variable.space == Space::Global || variable.space == Space::Const)
      compiled->variables.emplace(&variable,
                                  uint32_t(compiled->variables.size()));
  for (const Function &function : program.functions) {
    compiled->numbers[&function] = uint32_t(compiled->functions.size());
    compiled->functions.push_back(&function);
  }
  for (const Function &function : program.functions) {
    if (function.isExtern)
      continue;
    Code &code = compiled->codes[&function];
    FunctionCompiler(program, function, code, errors).run();
    // Addresses of functions are constants once they have numbers.
    for (Op &op : code.ops)
      if (op.source)
        for (size_t i = 0; i < op.source->operands.size(); ++i)
          if (op.source->operands[i].kind == Operand::Kind::Function &&
              op.source->opcode() == Opcode::Mov) {
            uint64_t address =
                functionBase +
                16 * compiled->numbers[op.source->operands[i].function];
            Ref ref;
            ref.reg = uint32_t(code.offsets.size());
            ref.offset = (code.valueBytes + 31) / 32 * 32;
            ref.width = 8;
            code.offsets.push_back(ref.offset);
            code.widths.push_back(8);
            code.valueBytes = ref.offset + 256;
            code.constants.push_back({ref, address});
            op.args[1] = ref;
          }
  }
  for (const Function &function : program.functions) {
    if (!function.isKernel || function.isExtern)
      continue;
    layOutShared(program, function, *compiled);
    const Code &code = compiled->codes[&function];
    KernelInfo info;
    info.name = function.name;
    uint32_t end = 0;
    for (const Variable *parameter : function.parameters) {
      ParameterInfo about;
      about.name = parameter->name;
      about.type = typeName(parameter->type);
      about.offset = parameter->offset;
      about.size = uint32_t(parameter->size);
      about.alignment = parameter->alignment;
      end = std::max(end, about.offset + about.size);
      info.parameters.push_back(std::move(about));
    }
    info.resources.parameterBytes = end;
    info.resources.registers = code.liveRegisters;
    info.resources.localBytes = code.localBytes;
    for (const Function *callee : code.callees) {
      auto found = compiled->codes.find(callee);
      if (found == compiled->codes.end())
        continue;
      info.resources.registers =
          std::max(info.resources.registers, found->second.liveRegisters);
      info.resources.localBytes += found->second.localBytes;
    }
    info.resources.staticSharedBytes = compiled->shared[&function].staticBytes;
    info.resources.requiredThreads = function.requiredThreads;
    info.resources.maxThreads = function.maxThreads;
    info.resources.maxRegisters = function.maxRegisters;
    info.resources.minBlocksPerMultiprocessor =
        function.minBlocksPerMultiprocessor;
    program.kernels.push_back(std::move(info));
  }
  program.compiled = std::move(compiled);
  return errors.size() == before;
}
