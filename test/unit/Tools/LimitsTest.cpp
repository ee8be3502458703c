//===- LimitsTest.cpp - What the tools read, at most -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "muon-mlir/Tools/ReadModule.h"
#include "muon-mlir/Tools/Support.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include <gtest/gtest.h>
#include <map>

using namespace llvm;
using namespace mlir::muon;

namespace {

/// The errors of reading `text`, or "ok".
std::string read(StringRef text, const Limits &limits = {}) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<mlir::func::FuncDialect>();
  context.printOpOnDiagnostic(false);
  std::string errors;
  mlir::ScopedDiagnosticHandler handler(
      &context,
      [&](mlir::Diagnostic &diagnostic) { errors += diagnostic.str() + "\n"; });
  SourceMgr sourceMgr;
  sourceMgr.AddNewSourceBuffer(MemoryBuffer::getMemBufferCopy(text, "input"),
                               SMLoc());
  bool good = !!readModule(sourceMgr, context, limits);
  EXPECT_EQ(good, errors.empty()) << errors;
  return good ? "ok" : errors;
}

std::string message(Error error) { return toString(std::move(error)); }

/// `count` aliases, each of which has the one before `copies` times.
std::string aliases(unsigned count, StringRef copies) {
  std::string text = "#t0 = []\n";
  for (unsigned i = 1; i <= count; ++i) {
    std::string before = "#t" + std::to_string(i - 1);
    text += "#t" + std::to_string(i) + " = [" + before +
            (copies == "twice" ? ", " + before : "") + "]\n";
  }
  return text + "module attributes {x.y = #t" + std::to_string(count) + "} {}";
}

std::string attribute(const Twine &text) {
  return ("module attributes {x.y = " + text + "} {}").str();
}

TEST(Limits, WordsInARow) {
  Limits limits;
  limits.wordsInARow = 4;
  EXPECT_EQ(message(checkNesting("a b.c + 3 d, a b c d (e)", limits)), "");
  EXPECT_EQ(message(checkNesting("\na b c d e", limits)),
            "line 2: expected at most 4 words without a bracket or comma, "
            "found more");
}

TEST(Limits, ResultNumbers) {
  Limits limits;
  limits.resultNumbers = 9;
  // The highest of each name; not what is no result.
  EXPECT_EQ(
      message(checkNesting("%a#5, %a#3, %a#4, %b-c#4, #9, x#9, %a#b", limits)),
      "");
  EXPECT_EQ(message(checkNesting("%a#5, %b#5", limits)),
            "line 1: expected at most 9 as the sum of result numbers, found "
            "more");
  EXPECT_EQ(read("func.func @f() { %0 = func.call @g(%a#1073741824) }"),
            "line 1: expected at most 16777216 as the sum of result numbers, "
            "found more\n");
  EXPECT_NE(message(checkNesting("%a#99999999999999999999999")), "");
}

TEST(Limits, LongExpressionsAreRefusedBeforeTheyAreParsed) {
  std::string sum = "d0";
  for (unsigned i = 0; i < Limits().wordsInARow; ++i)
    sum += "+d0";
  EXPECT_EQ(read(attribute("affine_map<(d0) -> (" + sum + ")>")),
            "line 1: expected at most 65536 words without a bracket or comma, "
            "found more\n");
}

TEST(Limits, AttributeDepth) {
  EXPECT_EQ(read(aliases(1000, "once")), "ok");
  EXPECT_EQ(read(aliases(100000, "once")),
            "expected attributes and types at most 1024 deep inside each "
            "other, found more\n");
}

TEST(Limits, AttributesThatDouble) {
  EXPECT_EQ(read(aliases(10, "twice")), "ok");
  EXPECT_EQ(read(aliases(60, "twice")),
            "expected at most 67108864 attributes and types, counted as often "
            "as they are printed, found more\n");
}

TEST(Limits, StringsCountByTheirLength) {
  Limits limits;
  limits.attributeCount = 1000;
  std::string text = attribute("\"" + std::string(2000, 'a') + "\"");
  EXPECT_EQ(read(text, limits), "ok");
  limits.attributeCount = 100;
  EXPECT_NE(read(text, limits), "ok");
}

TEST(Limits, Operations) {
  Limits limits;
  limits.operations = 3;
  std::string text = "func.func private @f()\nfunc.func private @g()\n";
  EXPECT_EQ(read(text, limits), "ok");
  EXPECT_EQ(read(text + "func.func private @h()", limits),
            "expected at most 3 operations, found more\n");
}

TEST(Limits, Arguments) {
  Limits limits;
  limits.arguments = 1;
  EXPECT_EQ(read("func.func @f(%a: i1) { return }", limits), "ok");
  EXPECT_EQ(read("func.func @f(%a: i1, %b: i1) { return }", limits),
            "expected at most 1 arguments, found 2\n");
}

TEST(Limits, Elements) {
  EXPECT_EQ(read("func.func private @f(tensor<72057594037927936xf32>)"), "ok");
  EXPECT_EQ(read("func.func private @f(tensor<2x72057594037927936xf32>)"),
            "expected at most 72057594037927936 elements, found "
            "'tensor<2x72057594037927936xf32>'\n");
  // 2^64 and no elements: neither wraps.
  EXPECT_NE(read("func.func private @f(memref<4294967296x4294967296xi8>)"),
            "ok");
  EXPECT_EQ(read("func.func private @f(memref<4294967296x4294967296x0xi8>)"),
            "ok");
}

TEST(Limits, VectorElements) {
  EXPECT_EQ(read("func.func private @f(vector<65536xf32>)"), "ok");
  EXPECT_EQ(read("func.func private @f(vector<65537xf32>)"),
            "expected at most 65536 elements, found 'vector<65537xf32>'\n");
}

TEST(Limits, IntegerBits) {
  EXPECT_EQ(read("func.func private @f(i1024)"), "ok");
  EXPECT_EQ(read("func.func private @f(i1025)"),
            "expected integers of at most 1024 bits, found 1025\n");
}

TEST(Limits, ConstantBytes) {
  EXPECT_EQ(read(attribute("dense<0.0> : tensor<16777216xf32>")), "ok");
  EXPECT_EQ(read(attribute("dense<0.0> : tensor<16777217xf32>")),
            "expected a constant of at most 67108864 bytes, found "
            "'tensor<16777217xf32>'\n");
}

std::string writeBytecode(mlir::ModuleOp module) {
  std::string bytecode;
  raw_string_ostream os(bytecode);
  EXPECT_TRUE(succeeded(mlir::writeBytecodeToFile(module, os)));
  return bytecode;
}

class Bytecode : public testing::Test {
protected:
  Bytecode() : context(mlir::MLIRContext::Threading::DISABLED) {
    context.loadDialect<mlir::func::FuncDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(
        attribute("[[\"a\"]]"), mlir::ParserConfig(&context));
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_F(Bytecode, Good) { EXPECT_EQ(read(writeBytecode(*module)), "ok"); }

TEST_F(Bytecode, NestedLikeText) {
  mlir::Block *block = module->getBody();
  for (unsigned i = 0; i < 1000; ++i) {
    mlir::OpBuilder builder(&context);
    builder.setInsertionPointToStart(block);
    block = mlir::ModuleOp::create(builder, module->getLoc()).getBody();
  }
  std::string errors = read(writeBytecode(*module));
  EXPECT_NE(errors.find("expected at most 256 nested brackets, found more"),
            std::string::npos)
      << errors;
}

TEST_F(Bytecode, WhatItIsAsText) {
  Limits limits;
  limits.inputBytes = 20;
  EXPECT_EQ(read(writeBytecode(*module), limits),
            "expected bytecode of at most 20 bytes of text, found more\n");
}

TEST_F(Bytecode, Damaged) {
  std::string bytecode = writeBytecode(*module);
  // Cut off inside the last section.
  std::string errors = read(StringRef(bytecode).drop_back());
  EXPECT_EQ(errors.find("attempting to parse "), 0u) << errors;
}

/// An attribute that contains itself is read forever.
TEST_F(Bytecode, Time) {
  std::string bytecode = writeBytecode(*module);
  // Two arrays: kind 0, one element, attribute 3; then attribute 4. Integers
  // are twice their value, plus one.
  size_t outer = bytecode.find("\x01\x03\x07\x01\x03\x09");
  ASSERT_NE(outer, std::string::npos);
  bytecode[outer + 2] = 2 * 2 + 1;
  Limits limits;
  limits.bytecodeSeconds = 1;
  std::string errors = read(bytecode, limits);
  EXPECT_NE(errors.find("MLIR's reader ended by signal CPU time limit"),
            std::string::npos)
      << errors;
}

TEST(Limits, InputBytes) {
  // A device that never ends.
  Expected<std::unique_ptr<MemoryBuffer>> buffer =
      readInput("/dev/zero", /*maxBytes=*/3000000);
  ASSERT_FALSE(static_cast<bool>(buffer));
  EXPECT_EQ(message(buffer.takeError()),
            "cannot read '/dev/zero': expected at most 3000000 bytes, found "
            "more");
}

/// The table of docs/limits.md is what the code says.
TEST(Limits, Documentation) {
  auto buffer = MemoryBuffer::getFile(MUON_LIMITS_DOC);
  ASSERT_TRUE(static_cast<bool>(buffer));
  std::map<std::string, uint64_t> found;
  for (StringRef line : split((*buffer)->getBuffer(), '\n')) {
    SmallVector<StringRef> cells;
    line.split(cells, '|');
    uint64_t value = 0;
    if (cells.size() > 3 && cells[1].trim().consume_front("`") &&
        !cells[2].trim().getAsInteger(10, value))
      found[cells[1].trim().trim('`').str()] = value;
  }
  Limits limits;
  std::map<std::string, uint64_t> expected = {
      {"inputBytes", limits.inputBytes},
      {"nestingDepth", limits.nestingDepth},
      {"wordsInARow", limits.wordsInARow},
      {"resultNumbers", limits.resultNumbers},
      {"attributeDepth", limits.attributeDepth},
      {"attributeCount", limits.attributeCount},
      {"operations", limits.operations},
      {"arguments", limits.arguments},
      {"elements", limits.elements},
      {"integerBits", limits.integerBits},
      {"vectorElements", limits.vectorElements},
      {"constantBytes", limits.constantBytes},
      {"bytecodeMemory", limits.bytecodeMemory},
      {"bytecodeSeconds", limits.bytecodeSeconds}};
  static_assert(sizeof(Limits) == 14 * sizeof(uint64_t), "one row for each");
  EXPECT_EQ(found, expected);
}

TEST(LimitsTest, OtherDialects) {
  for (const char *text :
       {"func.func @a.b(%x.y: f32) {\n  muon.step 1.5 : f32\n  return\n}",
        "#x.y, !x.y<1.5>, muon_gpu.launch, builtin.module",
        "loc(\"a.mlir\":1:2)", "\"func.return\"() : () -> ()", "\"a.b", ""})
    EXPECT_FALSE(mayNameOtherDialects(text)) << text;
  for (const char *text : {"linalg.fill", "%0 = arith.constant 1.5 : f32",
                           "\"linalg.fill\" ()", "(scf.yield)", "x.y"})
    EXPECT_TRUE(mayNameOtherDialects(text)) << text;
}

} // namespace
