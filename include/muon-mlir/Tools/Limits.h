//===- Limits.h - What the tools read, at most -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// IR is input from elsewhere. What exceeds a limit is an error; without it,
// parsing, printing or lowering would overflow the stack or fill the memory.
// The step of the largest published model lists about 70,000 parameters in 20
// to 60 MB of text. docs/limits.md is checked against this file.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TOOLS_LIMITS_H
#define MUON_MLIR_TOOLS_LIMITS_H

#include <cstdint>

namespace mlir::muon {

struct Limits {
  /// Of a file. In memory, IR takes up to some thirty times of its text.
  uint64_t inputBytes = uint64_t(1) << 28;
  /// Brackets open at once, and signs in a row: the parser calls itself.
  uint64_t nestingDepth = 256;
  /// Words with none of ,:=()[]{}<> between them: the parser calls itself for
  /// each operator of an affine expression.
  uint64_t wordsInARow = uint64_t(1) << 16;
  /// The highest results asked for, over all names, such as the 7 of %a#7: the
  /// parser makes room for all results before it.
  uint64_t resultNumbers = uint64_t(1) << 24;
  /// Attributes and types inside each other, which aliases and bytecode can
  /// nest without brackets; printing and walking them is recursive.
  uint64_t attributeDepth = 1024;
  /// Attributes, types and locations of a module, counted as often as they
  /// would be printed, with 16 bytes of a string for one: a few dozen aliases,
  /// each twice the one before, are more.
  uint64_t attributeCount = uint64_t(1) << 26;
  uint64_t operations = uint64_t(1) << 22;
  /// Of one block. An update of one parameter has about ten.
  uint64_t arguments = uint64_t(1) << 20;
  /// Of any shape: products in bytes fit into 63 bits whatever the type.
  uint64_t elements = uint64_t(1) << 56;
  /// Wide integers and long vectors: code generation takes them apart,
  /// one register at a time.
  uint64_t integerBits = 1024;
  uint64_t vectorElements = uint64_t(1) << 16;
  /// Of a constant, which becomes a part of the artifact.
  uint64_t constantBytes = uint64_t(1) << 26;
  /// Of the process that decodes bytecode; see readModule.
  uint64_t bytecodeMemory = uint64_t(1) << 33;
  uint64_t bytecodeSeconds = 60;
};

} // namespace mlir::muon

#endif // MUON_MLIR_TOOLS_LIMITS_H
