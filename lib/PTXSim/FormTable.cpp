//===- FormTable.cpp - The instruction table, ready to match --------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FormTable.h"

#include <cassert>

using namespace muon::ptxsim;

/// Takes what stands before the separator, or all.
static std::string_view takeUntil(std::string_view &rest, char separator) {
  size_t end = rest.find(separator);
  std::string_view head = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return head;
}

static bool takePrefix(std::string_view &rest, std::string_view prefix) {
  if (rest.substr(0, prefix.size()) != prefix)
    return false;
  rest.remove_prefix(prefix.size());
  return true;
}

static OperandPattern readOperand(std::string_view text) {
  OperandPattern pattern;
  pattern.optional = takePrefix(text, "?");
  if (takePrefix(text, "dp")) {
    pattern.letter = '|';
  } else {
    pattern.letter = text.front();
    text.remove_prefix(1);
  }
  if (takePrefix(text, "*")) {
    pattern.count = unsigned(text.front() - '0');
    text.remove_prefix(1);
  }
  pattern.wider = takePrefix(text, ">");
  if (!takePrefix(text, ":"))
    return pattern;
  if (text == "w")
    pattern.doubled = true;
  else if (text == "addr")
    pattern.type = Type::U64;
  else if (text.size() == 1)
    pattern.typeIndex = unsigned(text.front() - '0');
  else
    pattern.type = parseType(text);
  return pattern;
}

FormTable::FormTable() {
  for (unsigned i = 0; i < numModifiers; ++i)
    words.emplace(modifierName(Modifier(i)), i);
  for (unsigned i = 1; i <= unsigned(Type::F64); ++i)
    words.emplace(typeName(Type(i)), numModifiers + i);
  for (const Form &form : instructionForms()) {
    FormPattern pattern;
    pattern.form = &form;
    for (std::string_view rest = form.modifiers; !rest.empty();) {
      std::string_view text = takeUntil(rest, ' ');
      FormPattern::Slot slot;
      slot.optional = takePrefix(text, "?");
      while (!text.empty()) {
        unsigned index = word(takeUntil(text, '|'));
        assert(index < numWords && "the table names an unknown modifier");
        slot.words.set(index);
      }
      pattern.slots.push_back(slot);
    }
    for (std::string_view rest = form.operands; !rest.empty();) {
      pattern.operands.push_back(readOperand(takeUntil(rest, ',')));
      pattern.numRequired += !pattern.operands.back().optional;
    }
    forms[form.name].push_back(std::move(pattern));
  }
}

const FormTable &FormTable::get() {
  static const FormTable table;
  return table;
}

const std::vector<FormPattern> *FormTable::find(std::string_view name) const {
  auto found = forms.find(name);
  return found == forms.end() ? nullptr : &found->second;
}

unsigned FormTable::word(std::string_view text) const {
  auto found = words.find(text);
  return found == words.end() ? numWords : found->second;
}

static bool matchSlots(const std::vector<FormPattern::Slot> &slots,
                       const std::vector<unsigned> &words, size_t slot,
                       size_t word, uint64_t &taken) {
  if (slot == slots.size())
    return word == words.size();
  // An absent slot may be needed for a later one that has the same word.
  if (word < words.size() && slots[slot].words.test(words[word])) {
    taken |= uint64_t(1) << slot;
    if (matchSlots(slots, words, slot + 1, word + 1, taken))
      return true;
    taken &= ~(uint64_t(1) << slot);
  }
  return slots[slot].optional &&
         matchSlots(slots, words, slot + 1, word, taken);
}

bool FormPattern::matchModifiers(const std::vector<unsigned> &words,
                                 Instruction &instruction) const {
  for (unsigned word : words)
    if (word >= numWords)
      return false;
  uint64_t taken = 0;
  if (words.size() > slots.size() || !matchSlots(slots, words, 0, 0, taken))
    return false;
  instruction.form = form;
  instruction.modifiers = Modifiers();
  instruction.types = {};
  size_t numTypes = 0;
  for (unsigned word : words) {
    if (word < numModifiers)
      instruction.modifiers.add(Modifier(word));
    else if (numTypes < instruction.types.size())
      instruction.types[numTypes++] = Type(word - numModifiers);
  }
  return true;
}
