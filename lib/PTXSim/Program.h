//===- Program.h - PTX as it was read ---------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the parser makes of PTX text: names are resolved, instructions are
// matched with a form of the instruction table, types of operands are checked.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_PROGRAM_H
#define MUON_MLIR_LIB_PTXSIM_PROGRAM_H

#include "Instructions.h"

#include "muon-mlir/PTXSim/PTXSim.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace muon::ptxsim {

/// A register of a function; `%r<4>` declares four.
struct Register {
  std::string name;
  Type type = Type::None;
};

struct Function;

/// `.global`, `.const`, `.shared`, `.local` or `.param` memory with a name.
struct Variable {
  std::string name;
  Space space = Space::Global;
  /// Of an element.
  Type type = Type::None;
  /// In bytes; 0 for `.extern .shared x[]` and for extern variables of unknown
  /// size.
  uint64_t size = 0;
  uint32_t alignment = 1;
  bool isExtern = false;
  /// Only for space Param: the place among the parameters of a kernel.
  uint32_t offset = 0;
  /// Empty, or `size` bytes.
  std::vector<uint8_t> initial;
  /// Addresses among the initial bytes, filled in when the module is loaded.
  struct Relocation {
    uint64_t offset = 0;
    /// One of the two.
    const Variable *variable = nullptr;
    const Function *function = nullptr;
    int64_t addend = 0;
    /// Bytes of the address, 4 or 8.
    unsigned size = 8;
  };
  std::vector<Relocation> relocations;
  unsigned line = 0;
};

struct Operand {
  enum class Kind : uint8_t {
    /// `index` of a register; `negated` for `!p`.
    Register,
    /// `value` holds the bits of the immediate, converted to the type that the
    /// instruction has at this place.
    Immediate,
    /// `special`, with `index` 0..2 for .x .y .z, or the number of %pmN, %envN.
    Special,
    /// The address of `variable` plus `value`, in the variable's own space.
    Variable,
    /// The address of `function`.
    Function,
    /// `[base + value]`; elements[0] is a Register, a Variable or an Immediate
    /// (an absolute address). Offsets of variables are in `value` too.
    Address,
    /// `{a, b}`: elements, each a Register, an Immediate or Sink.
    Vector,
    /// `p|q`: elements of two, each a Register or Sink.
    PredicatePair,
    /// `index` of an instruction of the body; may be one past the last.
    Label,
    /// Labels of .branchtargets, or functions of .calltargets; elements.
    Targets,
    /// Arguments or results of a call in parentheses; elements.
    List,
    /// `_`.
    Sink,
    /// A prototype of .callprototype: `index` into Function::prototypes.
    Prototype
  };

  Kind kind = Kind::Sink;
  bool negated = false;
  ptxsim::Special special = Special::None;
  uint32_t index = 0;
  int64_t value = 0;
  const ptxsim::Variable *variable = nullptr;
  const ptxsim::Function *function = nullptr;
  std::vector<Operand> elements;
};

struct Instruction {
  const Form *form = nullptr;
  Modifiers modifiers;
  /// Types in the order of the modifiers, e.g. {F16, F32} of cvt.rn.f16.f32.
  std::array<Type, 4> types{};
  /// `@p` or `@!p`; kind Sink if there is none.
  Operand guard;
  /// Exactly those of form->operands; operands that are optional and absent are
  /// of kind Sink.
  std::vector<Operand> operands;
  unsigned line = 0;

  Opcode opcode() const { return form->opcode; }
  bool has(Modifier m) const { return modifiers.has(m); }
};

struct Function {
  std::string name;
  bool isKernel = false;
  bool isExtern = false;
  /// Kernels have parameters in space Param. Functions have them there too, or
  /// in registers: then parameterRegisters[i] is its index, else -1; likewise
  /// for results.
  std::vector<Variable *> parameters, results;
  std::vector<int> parameterRegisters, resultRegisters;
  std::vector<Register> registers;
  /// .local, .shared and .param variables of the body, parameters and results.
  std::deque<Variable> variables;
  std::vector<Instruction> body;
  /// Call prototypes: the sizes that a callee has to have.
  struct Prototype {
    std::vector<uint32_t> parameterBytes, resultBytes;
  };
  std::vector<Prototype> prototypes;
  std::array<uint32_t, 3> requiredThreads{}, maxThreads{};
  uint32_t maxRegisters = 0, minBlocksPerMultiprocessor = 0;
  unsigned line = 0;
};

/// A module as it was read.
struct Program {
  std::string name;
  /// .version times ten, N of .target sm_N, .address_size.
  unsigned isaVersion = 0, target = 0, addressSize = 64;
  std::deque<Variable> variables;
  std::deque<Function> functions;
  /// Line i + 1 of the text.
  std::vector<std::string> lines;
  std::vector<KernelInfo> kernels;
  /// What the machine made of the functions; see Code.h.
  struct Compiled;
  std::shared_ptr<const Compiled> compiled;
};

/// Reads PTX. The text may be anything: it is limited in size, depth and
/// numbers (see Limits in Parser.h), and nothing of it is believed before it
/// was checked. False if it is wrong, with every error that was found.
bool parseProgram(std::string_view text, Program &program,
                  std::vector<ParseError> &errors);

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_PROGRAM_H
