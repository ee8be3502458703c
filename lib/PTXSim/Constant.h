//===- Constant.h - Constant expressions of PTX -----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_CONSTANT_H
#define MUON_MLIR_LIB_PTXSIM_CONSTANT_H

#include "Instructions.h"
#include "Lexer.h"

namespace muon::ptxsim {

/// A value of "Constants" of the PTX ISA.
struct Constant {
  enum class Kind : uint8_t {
    Signed,
    Unsigned,
    /// `0f3F800000`, which takes part in no expression.
    F32,
    F64
  };

  Kind kind = Kind::Signed;
  /// Of 64 bits, or of 32 for F32.
  uint64_t bits = 0;

  bool isInteger() const {
    return kind == Kind::Signed || kind == Kind::Unsigned;
  }
  int64_t integer() const { return int64_t(bits); }
  bool isNegative() const { return kind == Kind::Signed && int64_t(bits) < 0; }
  std::string text() const;
};

/// Reads a constant expression. False if there is none, which was reported.
bool parseConstant(Lexer &lexer, ErrorList &errors, Constant &result);

/// The value of a token that is a number.
bool parseNumber(const Token &token, ErrorList &errors, Constant &result);

/// True if a constant may begin with the token.
bool startsConstant(const Token &token);

/// The bits of the constant as a value of the type, extended to 64 bits with
/// the type's sign. False if there is no conversion.
bool convertConstant(const Constant &constant, Type type, int64_t &bits);

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_CONSTANT_H
