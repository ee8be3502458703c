//===- Parser.h - State of reading PTX --------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the files that read PTX share. Modules and tokens are in Parser.cpp,
// variables and the heads of functions in ParseDeclarations.cpp, and bodies of
// functions in ParseBody.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_PARSER_H
#define MUON_MLIR_LIB_PTXSIM_PARSER_H

#include "FormTable.h"
#include "Lexer.h"
#include "Program.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace muon::ptxsim {

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

/// Whether a call of one is a call of the other.
bool isSame(const Signature &a, const Signature &b);

class Parser {
public:
  Parser(std::string_view text, Program &program, ErrorList &errors)
      : program(program), errors(errors), lexer(text, errors),
        forms(FormTable::get()) {}

  void run();

private:
  using TokenKind = Token::Kind;

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

  // Tokens.
  const Token &peek() const { return lexer.peek(); }
  Token next() {
    Token token = lexer.next();
    braces += token.isSign("{");
    braces -= token.isSign("}");
    return token;
  }
  static std::string quote(std::string_view name);
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

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_PARSER_H
