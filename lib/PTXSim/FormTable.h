//===- FormTable.h - The instruction table, ready to match ------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_FORMTABLE_H
#define MUON_MLIR_LIB_PTXSIM_FORMTABLE_H

#include "Constant.h"
#include "Program.h"

#include <bitset>
#include <unordered_map>

namespace muon::ptxsim {

/// A modifier or a type: modifiers first, then types.
constexpr unsigned numWords = numModifiers + unsigned(Type::F64) + 1;

/// An operand of a form; the language of Instructions.h.
struct OperandPattern {
  /// The letter; `|` for `dp`.
  char letter = 0;
  bool optional = false, wider = false;
  /// Elements of a vector of fixed length; else 0.
  unsigned count = 0;
  Type type = Type::None;
  /// Among the types of the modifiers, if `type` is None.
  unsigned typeIndex = 0;
  bool doubled = false;
};

/// Of a form, with its little languages read.
struct FormPattern {
  struct Slot {
    bool optional = false;
    std::bitset<numWords> words;
  };

  const Form *form = nullptr;
  std::vector<Slot> slots;
  std::vector<OperandPattern> operands;
  unsigned numRequired = 0;

  /// Fills modifiers and types if the words of the text are those of the form.
  bool matchModifiers(const std::vector<unsigned> &words,
                      Instruction &instruction) const;
};

class FormTable {
public:
  static const FormTable &get();
  /// Null if there is no such instruction.
  const std::vector<FormPattern> *find(std::string_view name) const;
  /// numWords if it is neither a modifier nor a type.
  unsigned word(std::string_view text) const;

private:
  FormTable();
  std::unordered_map<std::string_view, std::vector<FormPattern>> forms;
  std::unordered_map<std::string_view, unsigned> words;
};

/// What a name of the text stands for.
struct Symbol {
  enum class Kind : uint8_t {
    None,
    Register,
    Variable,
    Function,
    Special,
    /// Of .branchtargets.
    Targets,
    /// Of .calltargets.
    Callees,
    Prototype
  };

  Kind kind = Kind::None;
  Type type = Type::None;
  ptxsim::Special special = ptxsim::Special::None;
  /// A parameter of the kernel, which is read only.
  bool isKernelParameter = false;
  uint32_t index = 0;
  ptxsim::Variable *variable = nullptr;
  ptxsim::Function *function = nullptr;
};

/// An operand as it stands in the text.
struct TextOperand {
  enum class Kind : uint8_t { Name, Constant, Sink, Vector, Pair, Address };

  Kind kind = Kind::Sink;
  bool negated = false;
  /// Of `%tid.x`; -1 if there is none.
  int component = -1;
  std::string_view name;
  Symbol symbol;
  /// The value; or the offset of a name or of an address.
  Constant constant;
  bool hasOffset = false;
  /// An address has its base here.
  std::vector<TextOperand> elements;

  /// For messages.
  std::string text() const;
};

/// Matches operands of the text with those of a form whose modifiers matched.
class OperandMatcher {
public:
  /// A label to resolve when all are known.
  struct LabelUse {
    uint32_t operand = 0;
    /// -1: the operand itself; else one of its elements.
    int element = -1;
    std::string_view name;
  };

  OperandMatcher(const FormPattern &pattern, Instruction &instruction,
                 const std::vector<std::vector<std::string_view>> &targets)
      : pattern(pattern), instruction(instruction), targets(targets) {}

  /// Fills the operands of the instruction. If they do not match, `reached`
  /// counts those that were looked at, and `message` says what is wrong.
  bool match(const std::vector<TextOperand> &operands);

  std::vector<LabelUse> labels;
  size_t reached = 0;
  std::string message;

private:
  bool matchFrom(size_t index, size_t given);
  bool matchOne(const OperandPattern &expected, const TextOperand &found,
                Operand &result);
  bool matchRegister(const TextOperand &found, Type type, bool wider,
                     Operand &result);
  bool matchSource(const OperandPattern &expected, const TextOperand &found,
                   Type type, Operand &result);
  bool matchPredicate(const TextOperand &found, bool isRead, Operand &result);
  bool matchVector(const OperandPattern &expected, const TextOperand &found,
                   size_t count, Type type, Operand &result);
  bool matchParts(const OperandPattern &expected, const TextOperand &found,
                  Type type, Operand &result);
  bool matchAddress(const TextOperand &found, Operand &result);
  bool checkValues();
  Type typeOf(const OperandPattern &expected) const;
  Space spaceOfAddress() const;
  bool fail(std::string text);
  bool expect(std::string text, const TextOperand &found);

  const FormPattern &pattern;
  Instruction &instruction;
  const std::vector<std::vector<std::string_view>> &targets;
  const std::vector<TextOperand> *given = nullptr;
  /// Of the operand at hand.
  size_t position = 0;
  unsigned addresses = 0;
};

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_FORMTABLE_H
