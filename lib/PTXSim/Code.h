//===- Code.h - Functions made ready to run ---------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_CODE_H
#define MUON_MLIR_LIB_PTXSIM_CODE_H

#include "Program.h"
#include "Races.h"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace muon::ptxsim {

struct Context;
struct Op;
using Handler = void (*)(Context &, const Op &);

constexpr uint32_t noRegister = ~uint32_t(0);

/// A register as an operand: its number, and the place of its 32 values in
/// Frame::values. Predicates only have a number, into Frame::predicates.
struct Ref {
  uint32_t reg = noRegister;
  uint32_t offset = 0;
  /// Bytes of a value.
  uint8_t width = 0;
  explicit operator bool() const { return reg != noRegister; }
};

/// One instruction, ready to run.
struct Op {
  Handler run = nullptr;
  /// Registers in the order of the operands. Immediates and special registers
  /// are registers of the frame too, that nothing writes.
  std::array<Ref, 5> args;
  /// Elements of vectors, in the order of the operands that have them.
  std::vector<Ref> elements;
  /// `@p`; noRegister if there is none.
  uint32_t guard = noRegister;
  /// Predicate operands to read, and whether they are negated.
  uint32_t predicate = noRegister, predicate2 = noRegister;
  /// Predicates to write.
  uint32_t outPredicate = noRegister, outPredicate2 = noRegister;
  bool guardNegated = false;
  bool predicateNegated = false, predicate2Negated = false;
  /// False for jumps that the ordering of blocks added.
  bool counted = true;
  InstructionClass cls = InstructionClass::Control;
  /// Memory: the space, the offset that is added to args[i] (or the whole
  /// address), bytes of an element, elements.
  Space space = Space::Generic;
  uint8_t bytes = 0;
  uint8_t vector = 1;
  AccessKind access;
  /// How likely it is in a loop that waits for other threads: 0 not, 1 perhaps
  /// (atomics with a result), 2 (strong loads, cas, exch).
  uint8_t polls = 0;
  int64_t offset = 0;
  /// Second address of cp.async.
  int64_t offset2 = 0;
  /// Branches: the target. Calls and brx.idx: index into Code::calls, tables.
  uint32_t target = 0;
  /// What an instruction wants to know of itself, e.g. a comparison.
  uint32_t detail = 0;
  uint32_t line = 0;
  const Instruction *source = nullptr;
};

/// A call, resolved.
struct CallSite {
  /// Null if the target is in args[0] of the op.
  const Function *callee = nullptr;
  /// Arguments and results: a .param variable of the caller at `param`, or a
  /// register.
  struct Value {
    Ref ref;
    uint32_t param = ~uint32_t(0);
    uint32_t bytes = 0;
  };
  std::vector<Value> arguments, results;
};

/// A function, ready to run.
struct Code {
  const Function *function = nullptr;
  std::vector<Op> ops;
  std::vector<CallSite> calls;
  std::vector<std::vector<uint32_t>> tables;
  /// Place of each register's values; registers of the function come first,
  /// then the constants, then special registers.
  std::vector<uint32_t> offsets;
  std::vector<uint8_t> widths;
  uint32_t valueBytes = 0;
  uint32_t numPredicates = 0;
  /// Predicates that are always false and always true.
  uint32_t falsePredicate = 0, truePredicate = 0;
  /// Number among registers or predicates, by index into Function::registers.
  std::vector<uint32_t> numbers;
  struct Constant {
    Ref ref;
    uint64_t bits;
  };
  std::vector<Constant> constants;
  struct SpecialRegister {
    Ref ref;
    Special special;
    uint32_t component;
  };
  std::vector<SpecialRegister> specials;
  /// Constants that are addresses known at launch: `symbol` plus `bits`.
  struct SymbolConstant {
    Ref ref;
    const Variable *variable;
    int64_t addend;
  };
  std::vector<SymbolConstant> symbols;
  /// Local variables and .param variables of the body: offset in a lane's
  /// share.
  std::unordered_map<const Variable *, uint32_t> localOffsets, paramOffsets;
  std::vector<std::pair<uint32_t, uint32_t>> localRanges;
  uint32_t localBytes = 0, paramBytes = 0;
  /// What a frame of it takes of the host.
  uint64_t frameBytes() const {
    return 2 *
           (uint64_t(valueBytes) + 32 * (uint64_t(localBytes) + paramBytes));
  }
  /// Largest number of live 32-bit registers.
  uint32_t liveRegisters = 0;
  bool usesAsync = false;
  /// What the body refers to.
  std::vector<const Variable *> sharedVariables;
  std::vector<const Function *> callees;
  bool callsIndirectly = false;
};

/// Shared memory of a kernel. Variables are laid out apart, so that an access
/// past the end of one does not hit the next.
struct SharedLayout {
  std::unordered_map<const Variable *, uint32_t> offsets;
  /// Begin and end of each variable.
  std::vector<std::pair<uint32_t, uint32_t>> ranges;
  /// Where dynamic shared memory begins, and the static bytes without gaps.
  uint32_t dynamicOffset = 0, staticBytes = 0;
};

/// All functions of a program.
struct Program::Compiled {
  std::unordered_map<const Function *, Code> codes;
  /// Functions by number; the address of a function is functionBase + 16 *
  /// number.
  std::vector<const Function *> functions;
  std::unordered_map<const Function *, uint32_t> numbers;
  /// Of .global and .const variables: a number.
  std::unordered_map<const Variable *, uint32_t> variables;
  /// By kernel.
  std::unordered_map<const Function *, SharedLayout> shared;
  /// By kernel: it, or a function that it may call, has cp.async.
  std::unordered_map<const Function *, bool> usesAsync;
};

/// Fills in `compiled` and `kernels`. False, with errors, if something cannot
/// be run.
bool compileProgram(Program &program, std::vector<ParseError> &errors);

// The handler of an instruction, by family; null if it is none of it.
Handler selectInteger(const Instruction &instruction, Op &op);
Handler selectFloat(const Instruction &instruction, Op &op);
Handler selectLogic(const Instruction &instruction, Op &op);
Handler selectConvert(const Instruction &instruction, Op &op);
Handler selectMemory(const Instruction &instruction, Op &op);
Handler selectWarp(const Instruction &instruction, Op &op);
Handler selectTensor(const Instruction &instruction, Op &op);
Handler selectControl(const Instruction &instruction, Op &op);

// Addresses of the simulated machine. Offsets within a window are what
// instructions with an explicit state space use; global and constant memory
// have no offsets.
constexpr uint64_t sharedWindow = 0x0100'0000'0000;
constexpr uint64_t localWindow = 0x0200'0000'0000;
constexpr uint64_t paramWindow = 0x0300'0000'0000;
constexpr uint64_t functionBase = 0x0400'0000'0000;
constexpr uint64_t globalBase = 0x7000'0000'0000;
constexpr uint64_t windowSize = 0x0100'0000'0000;

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_CODE_H
