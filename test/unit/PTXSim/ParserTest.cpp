//===- ParserTest.cpp - Reading PTX ---------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is right and what is wrong was compared with ptxas where both know the
// construct; the values come from "Constants" of the PTX ISA.
//
//===----------------------------------------------------------------------===//

#include "Program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

using namespace muon::ptxsim;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

using Kind = Operand::Kind;

struct Parsed {
  Program program;
  std::vector<ParseError> errors;
  bool good = false;

  const Function &function(size_t i = 0) const { return program.functions[i]; }
  const Instruction &at(size_t i) const { return function().body.at(i); }
  const Operand &operand(size_t instruction, size_t i) const {
    return at(instruction).operands.at(i);
  }
  const Register &reg(const Operand &operand) const {
    return function().registers.at(operand.index);
  }
  const Variable &variable(size_t i = 0) const {
    return program.variables.at(i);
  }
};

/// `4: message` for each error.
std::vector<std::string> messagesOf(const Parsed &parsed) {
  std::vector<std::string> messages;
  for (const ParseError &error : parsed.errors)
    messages.push_back(std::to_string(error.line) + ": " + error.message);
  return messages;
}

std::unique_ptr<Parsed> parse(std::string_view text) {
  auto parsed = std::make_unique<Parsed>();
  parsed->good = parseProgram(text, parsed->program, parsed->errors);
  EXPECT_EQ(parsed->good, parsed->errors.empty());
  return parsed;
}

const std::string head = ".version 7.0\n.target sm_80\n.address_size 64\n";

/// The text begins in line 4.
std::unique_ptr<Parsed> module(const std::string &text) {
  auto parsed = parse(head + text);
  EXPECT_THAT(messagesOf(*parsed), IsEmpty());
  return parsed;
}

std::vector<std::string> moduleErrors(const std::string &text) {
  return messagesOf(*parse(head + text));
}

const std::string kernelHead =
    head + ".global .align 8 .b32 gv[4]; .const .align 8 .b32 cv[4]; "
           ".shared .align 8 .b32 sv[4];\n"
           ".visible .entry k(.param .u64 prm, .param .u32 n) { "
           ".reg .b8 %b<4>; .reg .b16 %h<8>; .reg .b32 %r<9>; .reg .u32 %u<9>; "
           ".reg .b64 %rd<9>; .reg .f32 %f<9>; .reg .f64 %fd<9>; "
           ".reg .pred %p<9>; .local .align 8 .b8 lv[16];\n";

/// A kernel; the body begins in line 6.
std::unique_ptr<Parsed> kernel(const std::string &body) {
  auto parsed = parse(kernelHead + body + "\n}\n");
  EXPECT_THAT(messagesOf(*parsed), IsEmpty()) << body;
  if (parsed->program.functions.empty() || parsed->function().body.empty())
    ADD_FAILURE() << "nothing was read of " << body;
  return parsed;
}

std::vector<std::string> kernelErrors(const std::string &body) {
  return messagesOf(*parse(kernelHead + body + "\n}\n"));
}

/// The immediate that is the last operand of the only instruction.
int64_t immediate(const std::string &instruction) {
  auto parsed = kernel(instruction);
  if (parsed->function().body.empty())
    return 0;
  const Operand &operand = parsed->at(0).operands.back();
  EXPECT_EQ(operand.kind, Kind::Immediate) << instruction;
  return operand.value;
}

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

TEST(ParserWords, CommentsAreLeftOut) {
  auto parsed = kernel("// add\nmov.u32 /* %r9 ; */ %r1, // 5;\n 7;");
  ASSERT_EQ(parsed->function().body.size(), 1u);
  EXPECT_EQ(parsed->operand(0, 1).value, 7);
}

TEST(ParserWords, CommentsCountLines) {
  auto parsed = kernel("/* a\nb\n*/ mov.u32 %r1, 7;");
  EXPECT_EQ(parsed->at(0).line, 8u);
}

TEST(ParserWords, OpenComment) {
  EXPECT_THAT(moduleErrors("\n/* a"),
              ElementsAre("5: expected '*/', found end of file"));
}

TEST(ParserWords, OpenString) {
  EXPECT_THAT(moduleErrors(".pragma \"a\n;"),
              ElementsAre("4: expected '\"' at the end of a string",
                          "5: expected a string, found ';'"));
}

TEST(ParserWords, OtherCharacters) {
  EXPECT_THAT(kernelErrors("# mov.u32 %r1, 7;\n\x01\xc3\xa4 ret;"),
              ElementsAre("6: unexpected character '#'",
                          "7: unexpected byte 0x01",
                          "7: unexpected byte 0xc3"));
}

TEST(ParserWords, ModifiersMayStandApart) {
  EXPECT_EQ(immediate("mov .u32 %r1 , 7 ;"), 7);
}

TEST(ParserWords, LongNames) {
  std::string name(1024, 'x');
  EXPECT_THAT(moduleErrors(".global .b32 " + name + ";"), IsEmpty());
  EXPECT_THAT(
      moduleErrors(".global .b32 " + name + "x;"),
      ElementsAre("4: expected at most 1024 characters in a name, found 1025"));
}

TEST(ParserWords, BadNumbers) {
  for (const char *number :
       {"0x", "0b2", "0f3F8", "0d3FF", "1.5e", "12ab", "0f3F8000000", "1.5UU"})
    EXPECT_THAT(kernelErrors(std::string("mov.u32 %r1, ") + number + ";"),
                testing::Contains(std::string("6: expected a number, found '") +
                                  number + "'"));
}

TEST(ParserWords, NumbersBeyond64Bits) {
  EXPECT_THAT(kernelErrors("mov.u32 %r1, 18446744073709551616;"),
              ElementsAre("6: expected a number of at most 64 bits, found "
                          "'18446744073709551616'"));
  EXPECT_THAT(kernelErrors("mov.u32 %r1, 09;"),
              ElementsAre("6: expected a number of at most 64 bits, found "
                          "'09'"));
  EXPECT_THAT(kernelErrors("mov.f64 %fd1, 1e999;"),
              ElementsAre("6: expected a number within f64, found '1e999'"));
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

TEST(ParserModule, VersionAndTarget) {
  auto parsed = parse(".version 8.3\n.target sm_75\n");
  EXPECT_TRUE(parsed->good);
  EXPECT_EQ(parsed->program.isaVersion, 83u);
  EXPECT_EQ(parsed->program.target, 75u);
  EXPECT_EQ(parsed->program.addressSize, 64u);
}

TEST(ParserModule, TargetOptions) {
  auto parsed = parse(".version 9.0\n.target sm_90a, debug\n");
  EXPECT_TRUE(parsed->good);
  EXPECT_EQ(parsed->program.target, 90u);
}

TEST(ParserModule, LinesAreKept) {
  auto parsed = parse(head + "\r\n\n// x");
  EXPECT_THAT(parsed->program.lines,
              ElementsAre(".version 7.0", ".target sm_80", ".address_size 64",
                          "", "", "// x"));
}

TEST(ParserModule, MissingVersion) {
  EXPECT_THAT(messagesOf(*parse(".target sm_80\n")),
              ElementsAre("1: expected '.version', found '.target'"));
  EXPECT_THAT(messagesOf(*parse("")),
              ElementsAre("1: expected '.version', found end of file"));
}

TEST(ParserModule, OtherVersions) {
  for (const char *version : {"6.5", "9.1", "10.0", "7"})
    EXPECT_THAT(messagesOf(*parse(std::string(".version ") + version +
                                  "\n.target sm_80\n")),
                ElementsAre(std::string("1: expected a version from 7.0 to "
                                        "9.0, found '") +
                            version + "'"));
}

TEST(ParserModule, SecondVersion) {
  EXPECT_THAT(moduleErrors(".version 7.0;"),
              ElementsAre("4: expected '.version' once"));
}

TEST(ParserModule, MissingTarget) {
  EXPECT_THAT(messagesOf(*parse(".version 7.0\n")),
              ElementsAre("1: expected '.target', found none"));
}

TEST(ParserModule, OtherTargets) {
  EXPECT_THAT(messagesOf(*parse(".version 7.0\n.target compute_80\n")),
              ElementsAre("2: expected a target such as sm_80, found "
                          "'compute_80'"));
}

TEST(ParserModule, AddressSize) {
  EXPECT_THAT(
      messagesOf(*parse(".version 7.0\n.target sm_80\n.address_size 32\n")),
      ElementsAre("3: expected 64, found '32'"));
}

TEST(ParserModule, DebugInformationIsLeftOut) {
  auto parsed = module(".file 1 \"a.cu\", 12, 34\n"
                       ".section .debug_str { $L__s0: .b8 65, 0 }\n"
                       ".section .debug_loc\n{\n.b64 $L__tmp0+4\n}\n"
                       ".pragma \"nounroll\";\n"
                       ".global .b32 x;");
  EXPECT_EQ(parsed->program.variables.size(), 1u);
}

TEST(ParserModule, UnknownDirective) {
  EXPECT_THAT(moduleErrors(".surfaces x;\n.visible .b32 y;\nadd;\n}"),
              ElementsAre("4: expected a directive of a module, found "
                          "'.surfaces'",
                          "5: expected '.entry', '.func' or a variable, found "
                          "'.b32'",
                          "6: expected a directive, found 'add'",
                          "7: expected a directive, found '}'"));
}

//===----------------------------------------------------------------------===//
// Variables
//===----------------------------------------------------------------------===//

TEST(ParserVariable, SpaceTypeSize) {
  auto parsed = module(".visible .global .align 16 .b8 a[24];\n"
                       ".const .u64 b;\n.shared .f32 c[4][8];");
  const Variable &a = parsed->variable(0), &b = parsed->variable(1),
                 &c = parsed->variable(2);
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.space, Space::Global);
  EXPECT_EQ(a.type, Type::B8);
  EXPECT_EQ(a.size, 24u);
  EXPECT_EQ(a.alignment, 16u);
  EXPECT_EQ(a.line, 4u);
  EXPECT_TRUE(a.initial.empty());
  EXPECT_EQ(b.space, Space::Const);
  EXPECT_EQ(b.size, 8u);
  EXPECT_EQ(b.alignment, 8u);
  EXPECT_EQ(c.space, Space::Shared);
  EXPECT_EQ(c.size, 4u * 8 * 4);
  EXPECT_EQ(c.alignment, 4u);
}

TEST(ParserVariable, Vectors) {
  auto parsed = module(".global .v4 .f32 a[2];");
  EXPECT_EQ(parsed->variable().size, 32u);
  EXPECT_EQ(parsed->variable().alignment, 16u);
}

TEST(ParserVariable, Attributes) {
  auto parsed = module(".global .attribute(.managed) .align 4 .b32 a;");
  EXPECT_EQ(parsed->variable().size, 4u);
}

TEST(ParserVariable, SeveralNames) {
  auto parsed = module(".global .b32 a, b[2];");
  EXPECT_EQ(parsed->variable(1).name, "b");
  EXPECT_EQ(parsed->variable(1).size, 8u);
}

TEST(ParserVariable, DynamicShared) {
  auto parsed = module(".extern .shared .align 128 .b8 a[];");
  EXPECT_TRUE(parsed->variable().isExtern);
  EXPECT_EQ(parsed->variable().size, 0u);
  EXPECT_EQ(parsed->variable().alignment, 128u);
}

TEST(ParserVariable, DefinitionAfterDeclaration) {
  auto parsed = module(".extern .global .b32 a[];\n.global .b32 a[2];\n"
                       ".extern .global .b32 a[];");
  ASSERT_EQ(parsed->program.variables.size(), 1u);
  EXPECT_EQ(parsed->variable().size, 8u);
  EXPECT_FALSE(parsed->variable().isExtern);
}

TEST(ParserVariable, Bytes) {
  auto parsed = module(".global .b8 a[4] = {1, 0xff, -1};");
  EXPECT_THAT(parsed->variable().initial, ElementsAre(1, 255, 255, 0));
}

TEST(ParserVariable, LittleEndian) {
  auto parsed = module(".global .u32 a = 0x12345678;");
  EXPECT_THAT(parsed->variable().initial, ElementsAre(0x78, 0x56, 0x34, 0x12));
}

TEST(ParserVariable, Floats) {
  auto parsed = module(".global .f32 a[3] = {0f40490FDB, 1.0, -0.5};\n"
                       ".global .f64 b = 0d4000000000000000;");
  EXPECT_THAT(
      parsed->variable(0).initial,
      ElementsAre(0xdb, 0x0f, 0x49, 0x40, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xbf));
  EXPECT_THAT(parsed->variable(1).initial,
              ElementsAre(0, 0, 0, 0, 0, 0, 0, 0x40));
}

TEST(ParserVariable, NestedLists) {
  auto parsed = module(".global .b8 a[3][2][2] = {{{1, 2}, {3}}, {4}};\n"
                       ".global .b8 b[2][2] = {1, 2, 3};");
  EXPECT_THAT(parsed->variable(0).initial,
              ElementsAre(1, 2, 3, 0, 4, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THAT(parsed->variable(1).initial, ElementsAre(1, 2, 3, 0));
}

TEST(ParserVariable, SizeOfInitialValue) {
  auto parsed = module(".global .b16 a[] = {1, 2, 3};\n"
                       ".global .b8 b[][2] = {{1}, {2, 3}};");
  EXPECT_EQ(parsed->variable(0).size, 6u);
  EXPECT_THAT(parsed->variable(0).initial, ElementsAre(1, 0, 2, 0, 3, 0));
  EXPECT_THAT(parsed->variable(1).initial, ElementsAre(1, 0, 2, 3));
}

TEST(ParserVariable, Addresses) {
  auto parsed = module(".global .b32 a[4];\n"
                       ".func f() { ret; }\n"
                       ".global .u64 p[4] = {a, a+8, generic(a)+4, f};");
  const Variable &p = parsed->variable(1);
  ASSERT_EQ(p.relocations.size(), 4u);
  EXPECT_EQ(p.relocations[0].variable, &parsed->variable(0));
  EXPECT_EQ(p.relocations[0].addend, 0);
  EXPECT_EQ(p.relocations[0].offset, 0u);
  EXPECT_EQ(p.relocations[1].addend, 8);
  EXPECT_EQ(p.relocations[1].offset, 8u);
  EXPECT_EQ(p.relocations[2].addend, 4);
  EXPECT_EQ(p.relocations[3].function, &parsed->function());
  EXPECT_EQ(p.relocations[3].variable, nullptr);
  EXPECT_EQ(p.relocations[3].size, 8u);
}

TEST(ParserVariable, InBodies) {
  auto parsed = kernel(".shared .b32 s[2]; { .param .align 8 .b8 q[24]; } "
                       ".global .b32 g; ret;");
  const std::deque<Variable> &variables = parsed->function().variables;
  ASSERT_EQ(variables.size(), 5u);
  EXPECT_EQ(variables[2].name, "lv");
  EXPECT_EQ(variables[2].space, Space::Local);
  EXPECT_EQ(variables[3].space, Space::Shared);
  EXPECT_EQ(variables[4].space, Space::Param);
  EXPECT_EQ(variables[4].size, 24u);
  EXPECT_EQ(parsed->program.variables.back().name, "g");
}

TEST(ParserVariable, PartsOfAddresses) {
  EXPECT_THAT(moduleErrors(".global .b32 a;\n.global .b8 p[2] = {0xFF(a), 1};"),
              ElementsAre("5: expected a value or an address, found a part of "
                          "an address, which is not supported yet"));
}

TEST(ParserVariable, TooManyValues) {
  EXPECT_THAT(moduleErrors(".global .b8 a[2] = {1, 2, 3};"),
              ElementsAre("4: expected at most 2 initial values"));
  EXPECT_THAT(moduleErrors(".global .b8 a[1][2] = {{1}, {2}};"),
              ElementsAre("4: expected at most 1 lists of initial values"));
  EXPECT_THAT(moduleErrors(".global .b8 a[2] = {{1}};"),
              ElementsAre("4: expected a value, found '{'"));
}

TEST(ParserVariable, ValuesOfOtherTypes) {
  EXPECT_THAT(moduleErrors(".global .f32 a = 1;\n.global .u32 b = 1.5;\n"
                           ".global .f64 c = a;\n.global .u16 d = a;"),
              ElementsAre("4: expected a value of type f32, found constant 1",
                          "5: expected a value of type u32, found constant 1.5",
                          "6: expected a function, or a variable in global or "
                          "const memory, found 'a'",
                          "7: expected a function, or a variable in global or "
                          "const memory, found 'a'"));
  EXPECT_THAT(moduleErrors(".global .b32 a;\n.global .f64 b = a;\n"
                           ".global .u16 c = a;"),
              ElementsAre("5: expected a value of type f64, found the address "
                          "of 'a'",
                          "6: expected a value of type u16, found the address "
                          "of 'a'"));
}

TEST(ParserVariable, NoInitialValueInShared) {
  EXPECT_THAT(moduleErrors(".shared .b32 a = 1;"),
              ElementsAre("4: expected no initial value in shared memory"));
}

TEST(ParserVariable, NoSize) {
  EXPECT_THAT(moduleErrors(".shared .b32 a[];\n.shared .b32 b[0];"),
              ElementsAre("4: expected the size of array 'a'",
                          "5: expected an array of at least one element"));
}

TEST(ParserVariable, Duplicate) {
  EXPECT_THAT(moduleErrors(".global .b32 a;\n.global .b32 a;"),
              ElementsAre("5: expected a new name, found 'a', which is "
                          "declared already"));
}

TEST(ParserVariable, Alignment) {
  EXPECT_THAT(moduleErrors(".global .align 3 .b32 a;"),
              ElementsAre("4: expected a power of two as alignment, found 3"));
}

TEST(ParserVariable, Types) {
  EXPECT_THAT(moduleErrors(".global .texref a;\n.global .pred b;"),
              ElementsAre("4: expected a type, found '.texref'",
                          "5: expected a type with a size, found .pred"));
}

//===----------------------------------------------------------------------===//
// Kernels and functions
//===----------------------------------------------------------------------===//

TEST(ParserKernel, Parameters) {
  auto parsed =
      module(".entry k(.param .u8 a, .param .u64 .ptr .global .align 16 b, "
             ".param .align 4 .b8 c[6], .param .f64 d) { ret; }");
  const Function &k = parsed->function();
  EXPECT_EQ(k.name, "k");
  EXPECT_TRUE(k.isKernel);
  EXPECT_FALSE(k.isExtern);
  ASSERT_EQ(k.parameters.size(), 4u);
  const uint32_t offsets[] = {0, 8, 16, 24}, sizes[] = {1, 8, 6, 8},
                 alignments[] = {1, 8, 4, 8};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(k.parameters[i]->space, Space::Param);
    EXPECT_EQ(k.parameters[i]->offset, offsets[i]);
    EXPECT_EQ(k.parameters[i]->size, sizes[i]);
    EXPECT_EQ(k.parameters[i]->alignment, alignments[i]);
  }
  EXPECT_EQ(k.parameters[1]->name, "b");
}

TEST(ParserKernel, NoParameters) {
  EXPECT_TRUE(module(".entry k { ret; }")->function().parameters.empty());
  EXPECT_TRUE(module(".entry k() { ret; }")->function().parameters.empty());
}

TEST(ParserKernel, Directives) {
  auto parsed = module(".entry k() .maxntid 128, 2\n.reqntid 64\n"
                       ".minnctapersm 3 .maxnreg 40 .maxnctapersm 5\n"
                       ".pragma \"nounroll\"; { ret; }");
  const Function &k = parsed->function();
  EXPECT_THAT(k.maxThreads, ElementsAre(128, 2, 1));
  EXPECT_THAT(k.requiredThreads, ElementsAre(64, 1, 1));
  EXPECT_EQ(k.minBlocksPerMultiprocessor, 3u);
  EXPECT_EQ(k.maxRegisters, 40u);
}

TEST(ParserKernel, Clusters) {
  for (const char *directive :
       {".explicitcluster", ".reqnctapercluster 2, 1, 1",
        ".maxclusterrank 4"}) {
    std::string name = directive;
    name = name.substr(0, name.find(' '));
    EXPECT_THAT(
        moduleErrors(".entry k()\n" + std::string(directive) + "\n{ ret; }"),
        ElementsAre("5: expected a kernel without clusters, found '" + name +
                    "'; clusters are not supported yet"));
  }
}

TEST(ParserKernel, UnknownDirective) {
  EXPECT_THAT(moduleErrors(".entry k() .fast 3 { ret; }\n.global .b32 x y;"),
              ElementsAre("4: expected a performance directive, found '.fast'",
                          "5: expected ';', found 'y'"));
}

TEST(ParserKernel, ParametersInRegisters) {
  EXPECT_THAT(moduleErrors(".entry k(.reg .b32 a) { ret; }"),
              ElementsAre("4: expected parameters of a kernel in .param"));
}

TEST(ParserKernel, TooManyBytesOfParameters) {
  EXPECT_THAT(moduleErrors(".entry k(.param .b8 a[32764]) { ret; }"),
              IsEmpty());
  EXPECT_THAT(moduleErrors(".entry k(.param .b8 a[32765]) { ret; }"),
              ElementsAre("4: expected at most 32764 bytes of parameters, "
                          "found 32765"));
}

TEST(ParserFunction, ParamSpace) {
  auto parsed = module(".visible .func (.param .b32 r) f(.param .b32 a, "
                       ".param .align 8 .b8 b[12]) { ret; }");
  const Function &f = parsed->function();
  EXPECT_FALSE(f.isKernel);
  ASSERT_EQ(f.results.size(), 1u);
  EXPECT_EQ(f.results[0]->name, "r");
  EXPECT_EQ(f.resultRegisters, std::vector<int>{-1});
  ASSERT_EQ(f.parameters.size(), 2u);
  EXPECT_EQ(f.parameters[1]->size, 12u);
  EXPECT_THAT(f.parameterRegisters, ElementsAre(-1, -1));
}

TEST(ParserFunction, Registers) {
  auto parsed = module(".func (.reg .b32 r) f(.reg .b64 a, .param .b32 b) "
                       "{ cvt.u32.u64 r, a; ret; }");
  const Function &f = parsed->function();
  EXPECT_THAT(f.resultRegisters, ElementsAre(0));
  EXPECT_THAT(f.parameterRegisters, ElementsAre(1, -1));
  EXPECT_EQ(f.parameters[0], nullptr);
  EXPECT_EQ(f.registers[1].name, "a");
  EXPECT_EQ(f.registers[1].type, Type::B64);
  EXPECT_EQ(parsed->operand(0, 0).index, 0u);
  EXPECT_EQ(parsed->operand(0, 1).index, 1u);
}

TEST(ParserFunction, RegistersAmongManyOthers) {
  auto parsed = module(".func (.reg .b32 r) f(.reg .b32 a) "
                       "{ .reg .b32 %x<100>; add.u32 r, a, %x99; ret; }");
  EXPECT_EQ(parsed->operand(0, 0).index, 0u);
  EXPECT_EQ(parsed->operand(0, 1).index, 1u);
  EXPECT_EQ(parsed->operand(0, 2).index, 101u);
}

TEST(ParserFunction, DeclarationThenDefinition) {
  auto parsed = module(".func (.param .b32 r) f(.param .b32 a);\n"
                       ".func g() { .param .b32 x; call (x), f, (x); ret; }\n"
                       ".func (.param .b32 q) f(.param .b32 b) { ret; }");
  ASSERT_EQ(parsed->program.functions.size(), 2u);
  const Function &f = parsed->function(0), &g = parsed->function(1);
  EXPECT_EQ(f.body.size(), 1u);
  EXPECT_EQ(f.parameters[0]->name, "b");
  EXPECT_FALSE(f.isExtern);
  EXPECT_EQ(g.body[0].operands[1].function, &f);
}

TEST(ParserFunction, DeclarationsThatDiffer) {
  EXPECT_THAT(moduleErrors(".func f(.param .b32 a);\n"
                           ".func f(.param .b64 a) { ret; }"),
              ElementsAre("5: expected the parameters and results that 'f' has "
                          "in line 4, found others"));
}

TEST(ParserFunction, TwoBodies) {
  EXPECT_THAT(moduleErrors(".func f() { ret; }\n.func f() { ret; }"),
              ElementsAre("5: expected a new name, found 'f', which has a body "
                          "already"));
}

TEST(ParserFunction, NameOfAVariable) {
  EXPECT_THAT(moduleErrors(".global .b32 f;\n.func f() { ret; }"),
              ElementsAre("5: expected a new name, found 'f', which is "
                          "declared already"));
}

TEST(ParserFunction, OnlyDeclared) {
  auto parsed = module(".extern .func (.param .b32 r) vprintf (.param .b64 a, "
                       ".param .b64 b);");
  EXPECT_TRUE(parsed->function().isExtern);
  EXPECT_THAT(
      moduleErrors(".extern .func trace();\n.func f() { call trace; ret; }"),
      ElementsAre("5: expected a function with a body, found 'trace', which is "
                  "only declared"));
}

TEST(ParserFunction, Alias) {
  auto parsed = module(".func g();\n.func f() { ret; }\n"
                       ".entry k() { call g; ret; }\n.alias g, f;");
  EXPECT_EQ(parsed->function(2).body[0].operands[1].function,
            &parsed->function(1));
  EXPECT_THAT(moduleErrors(".func g();\n.alias g, f;\n.alias h, g;"),
              ElementsAre("6: expected a function without a body, found 'h'",
                          "5: expected a function with a body, found 'f'"));
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

TEST(ParserBody, Registers) {
  auto parsed = module(".entry k() { .reg .b32 %r<3>; .reg .pred p, q; "
                       ".reg .f64 %fd<1>, x; ret; }");
  std::vector<std::string> names;
  for (const Register &reg : parsed->function().registers)
    names.push_back(reg.name + ":" + typeName(reg.type));
  EXPECT_THAT(names, ElementsAre("%r0:b32", "%r1:b32", "%r2:b32", "p:pred",
                                 "q:pred", "%fd0:f64", "x:f64"));
}

TEST(ParserBody, LongestNameOfRegister) {
  auto parsed = module(".entry k() { .reg .b32 %r<20>; .reg .b64 %r1_; "
                       ".reg .b32 %r01; mov.b32 %r12, 1; mov.b32 %r01, 1; }");
  EXPECT_EQ(parsed->reg(parsed->operand(0, 0)).name, "%r12");
  EXPECT_EQ(parsed->reg(parsed->operand(1, 0)).name, "%r01");
}

TEST(ParserBody, BlocksHaveTheirOwnNames) {
  auto parsed = module(".entry k() { .reg .b32 x; mov.b32 x, 1;\n"
                       "{ .reg .b32 x; mov.b32 x, 2; }\n"
                       "{ .reg .b64 x; mov.b64 x, 3; } mov.b32 x, 4; }");
  EXPECT_EQ(parsed->function().registers.size(), 3u);
  const uint32_t expected[] = {0, 1, 2, 0};
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(parsed->operand(i, 0).index, expected[i]);
}

TEST(ParserBody, NamesEndWithTheirBlock) {
  EXPECT_THAT(kernelErrors("{ .reg .b32 x; }\nmov.b32 x, 1;"),
              ElementsAre("7: undefined name 'x'"));
}

TEST(ParserBody, DuplicateRegisters) {
  EXPECT_THAT(kernelErrors(".reg .b32 %r1;\n.reg .b32 %r<2>;\n.reg .b32 n;"),
              ElementsAre("6: expected a new name, found '%r1', which is "
                          "declared already",
                          "7: expected a new name, found '%r', which is "
                          "declared already",
                          "8: expected a new name, found 'n', which is "
                          "declared already"));
}

TEST(ParserBody, Labels) {
  auto parsed = kernel("L0: bra L1; bra L0; L1: bra L2; L2:");
  EXPECT_EQ(parsed->operand(0, 0).kind, Kind::Label);
  EXPECT_EQ(parsed->operand(0, 0).index, 2u);
  EXPECT_EQ(parsed->operand(1, 0).index, 0u);
  EXPECT_EQ(parsed->operand(2, 0).index, 3u);
}

TEST(ParserBody, LabelsOfBlocks) {
  auto parsed = kernel("{ L: bra L; bra M; } { L: bra L; } M: ret;");
  EXPECT_EQ(parsed->operand(0, 0).index, 0u);
  EXPECT_EQ(parsed->operand(1, 0).index, 3u);
  EXPECT_EQ(parsed->operand(2, 0).index, 2u);
  EXPECT_THAT(kernelErrors("bra L; { L: ret; }"),
              ElementsAre("6: expected a label, found 'L'"));
}

TEST(ParserBody, DuplicateLabels) {
  EXPECT_THAT(kernelErrors("L: ret;\nL: ret;\nlv: ret;"),
              ElementsAre("7: expected a new label, found 'L', which is "
                          "declared already",
                          "8: expected a new label, found 'lv', which is "
                          "declared already"));
}

TEST(ParserBody, WhatOnlyDebuggersRead) {
  auto parsed = kernel(".loc 1 2 3\n.loc 1 4 0, function_name $L__s0, "
                       "inlined_at 1 30 5\n.loc 1 4 0, function_name "
                       "$L__s0+12, inlined_at 1 30 5 ret;\n"
                       ".file 1 \"x.cu\"\n.section .debug_x { .b8 1 }\n"
                       ".pragma \"nounroll\";\nexit;");
  ASSERT_EQ(parsed->function().body.size(), 2u);
  EXPECT_EQ(parsed->at(0).opcode(), Opcode::Ret);
  EXPECT_EQ(parsed->at(1).line, 12u);
}

TEST(ParserBody, BranchTargets) {
  auto parsed = kernel("T: .branchtargets A, B, A; brx.idx %r1, T; "
                       "A: ret; B: ret;");
  const Operand &targets = parsed->operand(0, 1);
  EXPECT_EQ(targets.kind, Kind::Targets);
  ASSERT_EQ(targets.elements.size(), 3u);
  EXPECT_EQ(targets.elements[0].kind, Kind::Label);
  EXPECT_EQ(targets.elements[0].index, 1u);
  EXPECT_EQ(targets.elements[1].index, 2u);
  EXPECT_EQ(targets.elements[2].index, 1u);
}

TEST(ParserBody, BranchTargetsThatAreNone) {
  EXPECT_THAT(
      kernelErrors("brx.idx %r1, A;\nA: ret;\n"
                   "T: .branchtargets B;\nbrx.idx %r1, T;"),
      ElementsAre("6: undefined name 'A'", "9: expected a label, found 'B'"));
}

TEST(ParserBody, Directive) {
  EXPECT_THAT(kernelErrors(".entry k2() { ret; }"),
              ElementsAre("6: expected a directive of a body, found '.entry'"));
}

TEST(ParserBody, NoEnd) {
  EXPECT_THAT(moduleErrors(".entry k() {\nret;"),
              ElementsAre("5: expected '}', found end of file"));
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

TEST(ParserConstant, Integers) {
  const std::pair<const char *, int64_t> cases[] = {
      {"0", 0},
      {"4294967295", 4294967295},
      {"0x1F", 31},
      {"0X1f", 31},
      {"017", 15},
      {"0b101", 5},
      {"7U", 7},
      {"0x10U", 16},
      {"-1", -1},
      {"~0", -1},
      {"!0", 1},
      {"!5", 0},
      {"-(-3)", 3},
      {"+3", 3},
      {"WARP_SZ", 32},
      {"9223372036854775807", INT64_MAX},
      {"18446744073709551615", -1},
      {"0xFFFFFFFFFFFFFFFF", -1}};
  for (auto [text, value] : cases)
    EXPECT_EQ(immediate(std::string("mov.s64 %rd1, ") + text + ";"), value)
        << text;
}

TEST(ParserConstant, Expressions) {
  const std::pair<const char *, int64_t> cases[] = {
      {"1+2*3", 7},
      {"(1+2)*3", 9},
      {"10-4-3", 3},
      {"-7/2", -3},
      {"-7 % 3", -1},
      {"-1U / 2", INT64_MAX},
      {"1<<4|3", 19},
      {"1<<64", 0},
      {"-8>>1", -4},
      {"-8>>100", -1},
      {"0x8000000000000000>>63", 1},
      {"6&3^5", 7},
      {"1|2&0", 1},
      {"3<4", 1},
      {"-1<0U", 0},
      {"4<=4&&5>4", 1},
      {"0||0", 0},
      {"2==2?5:6", 5},
      {"2!=2?5:0?7:8", 8},
      {"(u64)-1 >> 63", 1},
      {"(s64)0xFFFFFFFFFFFFFFFF >> 63", -1},
      {"WARP_SZ-1", 31},
      {"(-9223372036854775807-1) / -1", INT64_MIN},
      {"(-9223372036854775807-1) % -1", 0},
      // The number after the sign is unsigned, being beyond the signed ones.
      {"-9223372036854775808 / -1", 0}};
  for (auto [text, value] : cases) {
    std::string spelled = text;
    for (const char *cast : {"(u64)", "(s64)"})
      if (spelled.rfind(cast, 0) == 0)
        spelled.insert(1, ".");
    EXPECT_EQ(immediate("mov.s64 %rd1, " + spelled + ";"), value) << text;
  }
}

TEST(ParserConstant, TruncatedToTheType) {
  EXPECT_EQ(immediate("mov.u32 %r1, 0x1FFFFFFFF;"), 0xffffffff);
  EXPECT_EQ(immediate("mov.s32 %r1, 0xFFFFFFFF;"), -1);
  EXPECT_EQ(immediate("mov.b32 %r1, -1;"), 0xffffffff);
  EXPECT_EQ(immediate("mov.u16 %h1, 70000;"), 70000 - 65536);
  EXPECT_EQ(immediate("mov.s16 %h1, 40000;"), 40000 - 65536);
}

TEST(ParserConstant, Floats) {
  EXPECT_EQ(immediate("mov.f32 %f1, 0f3F800000;"), 0x3f800000);
  EXPECT_EQ(immediate("mov.f32 %f1, 0FFF800000;"), 0xff800000);
  EXPECT_EQ(immediate("mov.f32 %f1, 1.5;"), 0x3fc00000);
  EXPECT_EQ(immediate("mov.f32 %f1, -1.5e-1;"), 0xbe19999a);
  EXPECT_EQ(immediate("mov.f32 %f1, 1e0;"), 0x3f800000);
  EXPECT_EQ(immediate("mov.f32 %f1, 1.5+2.0*2.0;"), 0x40b00000);
  EXPECT_EQ(immediate("mov.b32 %r1, 0f3F800000;"), 0x3f800000);
  EXPECT_EQ(immediate("mov.f64 %fd1, 1.5;"), 0x3ff8000000000000);
  EXPECT_EQ(immediate("mov.f64 %fd1, 0dBFF8000000000000;"),
            int64_t(0xbff8000000000000));
  EXPECT_EQ(immediate("mov.b64 %rd1, 0.0;"), 0);
}

TEST(ParserConstant, FloatsOfTheOtherWidth) {
  // 1 + 2^-24 is half way, and the even neighbour is 1.
  EXPECT_EQ(immediate("mov.f32 %f1, 0d3FF0000010000000;"), 0x3f800000);
  EXPECT_EQ(immediate("mov.f32 %f1, 0d3FF0000010000001;"), 0x3f800001);
  EXPECT_EQ(immediate("mov.f64 %fd1, 0f3F800000;"), 0x3ff0000000000000);
}

TEST(ParserConstant, HalfPrecisionIsGivenByItsBits) {
  EXPECT_EQ(immediate("add.f16 %h1, %h2, 0x3C00;"), 0x3c00);
}

TEST(ParserConstant, OtherTypes) {
  EXPECT_THAT(
      kernelErrors("add.f32 %f1, %f2, 1;\nadd.u32 %r1, %r2, 1.0;\n"
                   "mov.b32 %r1, 1.5;\nmov.b64 %rd1, 0f3F800000;"),
      ElementsAre(
          "6: operand 3: expected an operand of type f32, found constant 1",
          "7: operand 3: expected an operand of type u32, found constant 1",
          "8: operand 2: expected an operand of type b32, found constant 1.5",
          "9: operand 2: expected an operand of type b64, found constant 1"));
}

TEST(ParserConstant, NoOperatorsOnBits) {
  EXPECT_THAT(kernelErrors("mov.f32 %f1, -0f3F800000;\n"
                           "mov.f32 %f1, 0f3F800000+1.0;"),
              ElementsAre("6: expected no operator with a constant that gives "
                          "the bits of f32, found '-'",
                          "7: expected no operator with a constant that gives "
                          "the bits of f32, found '+'"));
}

TEST(ParserConstant, DivisionByZero) {
  EXPECT_THAT(kernelErrors("mov.u32 %r1, 1/0;\nmov.u32 %r1, 1 % 0;\n"
                           "mov.f32 %f1, 1.0/0.0;"),
              ElementsAre("6: expected a divisor other than zero",
                          "7: expected a divisor other than zero",
                          "8: expected a divisor other than zero"));
}

TEST(ParserConstant, IntegersOnly) {
  EXPECT_THAT(kernelErrors("mov.f32 %f1, 1.0&2.0;\nmov.f32 %f1, ~1.0;\n"
                           "mov.f32 %f1, (.u64)1.0;\nmov.f32 %f1, 1.0?2:3;"),
              ElementsAre("6: expected integers on both sides of '&'",
                          "7: expected an integer after '~'",
                          "8: expected an integer after a cast",
                          "9: expected an integer before '?'"));
}

TEST(ParserConstant, Unfinished) {
  EXPECT_THAT(kernelErrors("mov.u32 %r1, 1+;\nmov.u32 %r1, (1;\n"
                           "mov.u32 %r1, 1?2;"),
              ElementsAre("6: expected a constant, found ';'",
                          "7: expected ')', found ';'",
                          "8: expected ':', found ';'"));
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

TEST(ParserOperand, Registers) {
  auto parsed = kernel("add.s32 %r1, %u2, -5;");
  EXPECT_EQ(parsed->at(0).opcode(), Opcode::Add);
  EXPECT_EQ(parsed->at(0).types[0], Type::S32);
  EXPECT_EQ(parsed->operand(0, 0).kind, Kind::Register);
  EXPECT_EQ(parsed->reg(parsed->operand(0, 0)).name, "%r1");
  EXPECT_EQ(parsed->reg(parsed->operand(0, 1)).name, "%u2");
  EXPECT_EQ(parsed->operand(0, 2).kind, Kind::Immediate);
  EXPECT_EQ(parsed->operand(0, 2).value, -5);
}

TEST(ParserOperand, Guards) {
  auto parsed = kernel("@%p1 ret; @!%p2 ret; ret;");
  EXPECT_EQ(parsed->at(0).guard.kind, Kind::Register);
  EXPECT_EQ(parsed->reg(parsed->at(0).guard).name, "%p1");
  EXPECT_FALSE(parsed->at(0).guard.negated);
  EXPECT_EQ(parsed->reg(parsed->at(1).guard).name, "%p2");
  EXPECT_TRUE(parsed->at(1).guard.negated);
  EXPECT_EQ(parsed->at(2).guard.kind, Kind::Sink);
}

TEST(ParserOperand, WrongGuards) {
  EXPECT_THAT(kernelErrors("@%r1 ret;\n@%q ret;\n@5 ret;\n@%p1 L: ret;"),
              ElementsAre("6: expected a predicate, found '%r1'",
                          "7: expected a predicate, found '%q'",
                          "8: expected a predicate, found '5'",
                          "9: unknown instruction 'L'"));
}

TEST(ParserOperand, Modifiers) {
  auto parsed = kernel("cvt.rn.ftz.sat.f16.f32 %h1, %f1;");
  const Instruction &cvt = parsed->at(0);
  EXPECT_TRUE(cvt.has(Modifier::Rn));
  EXPECT_TRUE(cvt.has(Modifier::Ftz));
  EXPECT_TRUE(cvt.has(Modifier::Sat));
  EXPECT_FALSE(cvt.has(Modifier::Rz));
  EXPECT_EQ(cvt.types[0], Type::F16);
  EXPECT_EQ(cvt.types[1], Type::F32);
  EXPECT_EQ(cvt.types[2], Type::None);
}

TEST(ParserOperand, SpecialRegisters) {
  auto parsed = kernel("mov.u32 %r1, %tid.y; mov.u32 %r1, %laneid; "
                       "mov.u64 %rd1, %clock64; cvt.u64.u32 %rd1, %ctaid.z; "
                       "mov.u16 %h1, %ntid.x;");
  EXPECT_EQ(parsed->operand(0, 1).kind, Kind::Special);
  EXPECT_EQ(parsed->operand(0, 1).special, Special::Tid);
  EXPECT_EQ(parsed->operand(0, 1).index, 1u);
  EXPECT_EQ(parsed->operand(1, 1).special, Special::LaneId);
  EXPECT_EQ(parsed->operand(2, 1).special, Special::Clock64);
  EXPECT_EQ(parsed->operand(3, 1).special, Special::Ctaid);
  EXPECT_EQ(parsed->operand(3, 1).index, 2u);
  EXPECT_EQ(parsed->operand(4, 1).special, Special::Ntid);
}

TEST(ParserOperand, WrongSpecialRegisters) {
  EXPECT_THAT(
      kernelErrors("mov.u32 %r1, %tid;\nmov.u32 %r1, %laneid.x;\n"
                   "mov.u32 %r1, %tid.w;\nmov.u64 %rd1, %laneid;\n"
                   "add.u32 %r1, %r2, %laneid;\nmov.u32 %laneid, 5;\n"
                   "mov.u32 %r1, %tid.a;"),
      ElementsAre(
          "6: operand 2: expected .x, .y or .z after the special register, "
          "found special register '%tid'",
          "7: operand 2: expected no component of the special register, found "
          "special register '%laneid'",
          "8: operand 2: expected .x, .y or .z after the special register, "
          "found special register '%tid'",
          "9: operand 2: expected an operand of type u64, found special "
          "register '%laneid'",
          "10: operand 3: expected no special register but in mov and cvt, "
          "found special register '%laneid'",
          "11: operand 1: expected a register of type u32, found special "
          "register '%laneid'",
          "12: expected ',' or ';', found '.a'"));
}

TEST(ParserOperand, AddressesOfVariables) {
  auto parsed = kernel("mov.u64 %rd1, gv; mov.u32 %r1, sv+4; "
                       "mov.u64 %rd1, lv; mov.b64 %rd1, prm; "
                       "cvta.global.u64 %rd1, gv;");
  EXPECT_EQ(parsed->operand(0, 1).kind, Kind::Variable);
  EXPECT_EQ(parsed->operand(0, 1).variable, &parsed->variable(0));
  EXPECT_EQ(parsed->operand(1, 1).variable, &parsed->variable(2));
  EXPECT_EQ(parsed->operand(1, 1).value, 4);
  EXPECT_EQ(parsed->operand(2, 1).variable->name, "lv");
  EXPECT_EQ(parsed->operand(3, 1).variable, parsed->function().parameters[0]);
  EXPECT_EQ(parsed->operand(4, 1).variable, &parsed->variable(0));
}

TEST(ParserOperand, WrongAddressesOfVariables) {
  EXPECT_THAT(kernelErrors("mov.u32 %r1, gv;\nmov.u16 %h1, sv;\n"
                           "add.u64 %rd1, %rd1, gv;\nmov.f64 %fd1, gv;"),
              ElementsAre("6: operand 2: expected 64 bits for an address in "
                          "global memory, found global variable 'gv'",
                          "7: operand 2: expected 32 or 64 bits for an "
                          "address, found shared variable 'sv'",
                          "8: operand 3: expected an operand of type u64, "
                          "found global variable 'gv'",
                          "9: operand 2: expected an operand of type f64, "
                          "found global variable 'gv'"));
}

TEST(ParserOperand, AddressesOfFunctions) {
  auto parsed = module(".func f() { ret; }\n.entry k() { .reg .b64 a; "
                       "mov.u64 a, f; }");
  const Operand &f = parsed->function(1).body[0].operands[1];
  EXPECT_EQ(f.kind, Kind::Function);
  EXPECT_EQ(f.function, &parsed->function(0));
  EXPECT_THAT(kernelErrors("mov.u64 %rd1, k;"),
              ElementsAre("6: operand 2: expected a function that is no "
                          "kernel, found function 'k'"));
}

TEST(ParserOperand, Addresses) {
  auto parsed =
      kernel("ld.global.u32 %r1, [%rd1]; ld.global.u32 %r1, [%rd1+8]; "
             "ld.global.u32 %r1, [%rd1+-8]; ld.global.u32 %r1, [gv+4]; "
             "ld.local.u32 %r1, [0x10]; ld.shared.u32 %r1, [%r2]; "
             "ld.u32 %r1, [lv+(2*4)]; ld.param.u64 %rd1, [prm];");
  for (size_t i = 0; i < 8; ++i) {
    ASSERT_EQ(parsed->operand(i, 1).kind, Kind::Address);
    ASSERT_EQ(parsed->operand(i, 1).elements.size(), 1u);
  }
  EXPECT_EQ(parsed->operand(0, 1).elements[0].kind, Kind::Register);
  EXPECT_EQ(parsed->operand(0, 1).value, 0);
  EXPECT_EQ(parsed->operand(1, 1).value, 8);
  EXPECT_EQ(parsed->operand(2, 1).value, -8);
  EXPECT_EQ(parsed->operand(3, 1).elements[0].variable, &parsed->variable(0));
  EXPECT_EQ(parsed->operand(3, 1).value, 4);
  EXPECT_EQ(parsed->operand(4, 1).elements[0].kind, Kind::Immediate);
  EXPECT_EQ(parsed->operand(4, 1).elements[0].value, 16);
  EXPECT_EQ(parsed->reg(parsed->operand(5, 1).elements[0]).name, "%r2");
  EXPECT_EQ(parsed->operand(6, 1).value, 8);
  EXPECT_EQ(parsed->operand(7, 1).elements[0].variable,
            parsed->function().parameters[0]);
}

TEST(ParserOperand, WrongAddresses) {
  EXPECT_THAT(
      kernelErrors("ld.global.u32 %r1, [%r1];\nld.u32 %r1, [%r1];\n"
                   "ld.shared.u32 %r1, [%h1];\nld.global.u32 %r1, [sv];\n"
                   "ld.u32 %r1, [cv];\nld.global.u32 %r1, [x];\n"
                   "ld.global.u32 %r1, %rd1;\nld.global.u32 %r1, [%rd1-4];\n"
                   "ld.global.u32 %r1, [%fd1];\nst.param.u64 [prm], %rd1;\n"
                   "ld.global.u32 %r1, [%rd1+1.5];\n"
                   "ld.global.u32 %r1, [1.5];\nld.global.u32 %r1, [_];"),
      ElementsAre(
          "6: operand 2: expected an address of 64 bits, found register '%r1' "
          "of type b32",
          "7: operand 2: expected an address of 64 bits, found register '%r1' "
          "of type b32",
          "8: operand 2: expected an address of 32 or 64 bits, found register "
          "'%h1' of type b16",
          "9: operand 2: expected a variable in global memory, found shared "
          "variable 'sv'",
          "10: operand 2: expected a variable in generic memory, found const "
          "variable 'cv'",
          "11: operand 2: expected a register or a variable as address, found "
          "undefined name 'x'",
          "12: operand 2: expected an address in brackets, found register "
          "'%rd1' of type b64",
          "13: expected ']', found '-'",
          "14: operand 2: expected an address of 64 bits, found register "
          "'%fd1' of type f64",
          "15: operand 1: expected a variable that can be written, found param "
          "variable 'prm'",
          "16: expected an integer as offset, found 1.5",
          "17: expected an address, found constant 1.5",
          "18: expected an address, found '_'"));
}

TEST(ParserOperand, Vectors) {
  auto parsed = kernel("ld.global.v4.f32 {%f1, _, %f3, %f4}, [%rd1]; "
                       "st.global.v2.u32 [%rd1], {%r1, 7}; "
                       "ld.global.u32 {%r1}, [%rd1];");
  const Operand &loaded = parsed->operand(0, 0);
  EXPECT_EQ(loaded.kind, Kind::Vector);
  ASSERT_EQ(loaded.elements.size(), 4u);
  EXPECT_EQ(parsed->reg(loaded.elements[0]).name, "%f1");
  EXPECT_EQ(loaded.elements[1].kind, Kind::Sink);
  const Operand &stored = parsed->operand(1, 1);
  ASSERT_EQ(stored.elements.size(), 2u);
  EXPECT_EQ(stored.elements[1].kind, Kind::Immediate);
  EXPECT_EQ(stored.elements[1].value, 7);
  EXPECT_EQ(parsed->operand(2, 0).kind, Kind::Register);
}

TEST(ParserOperand, WrongVectors) {
  EXPECT_THAT(
      kernelErrors("ld.global.v4.f32 {%f1, %f2}, [%rd1];\n"
                   "ld.global.v2.f32 %f1, [%rd1];\n"
                   "ld.global.f32 {%f1, %f2}, [%rd1];\n"
                   "ld.global.v2.f32 {%f1, %fd2}, [%rd1];\n"
                   "ld.global.v4.b64 {%rd1, %rd2, %rd3, %rd4}, [%rd5];\n"
                   "st.global.v2.u32 [%rd1], {%r1, _};\n"
                   "ld.global.v2.u32 {%r1, {%r2}}, [%rd1];\n"
                   "ld.global.v2.u32 {1,2,3,4,5,6,7,8,9}, [%rd1];"),
      ElementsAre(
          "6: operand 1: expected a vector of 4, found a vector of 2",
          "7: operand 1: expected a vector of 2, found register '%f1' of type "
          "f32",
          "8: operand 1: expected a register of type f32 or wider, found a "
          "vector of 2",
          "9: operand 1: expected a register of type f32 or wider, found "
          "register '%fd2' of type f64",
          "10: expected a vector of at most 16 bytes, found .v4.b64",
          "11: operand 2: expected an operand of type u32, found '_'",
          "12: expected an operand, found '{'",
          "13: expected at most 8 elements of a vector"));
}

TEST(ParserOperand, MatrixFragments) {
  auto parsed =
      kernel("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 "
             "{%f1,%f2,%f3,%f4}, {%r1,%r2}, {%r3}, {%f1,%f2,%f3,0f00000000};\n"
             "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%r2];");
  EXPECT_EQ(parsed->operand(0, 2).kind, Kind::Vector);
  EXPECT_EQ(parsed->operand(0, 2).elements.size(), 1u);
  EXPECT_EQ(parsed->operand(0, 3).elements[3].kind, Kind::Immediate);
  EXPECT_EQ(parsed->operand(1, 0).elements.size(), 1u);
}

TEST(ParserOperand, SplitAndMadeUp) {
  auto parsed = kernel("mov.b32 {%h1, _}, %r1; mov.b64 %rd1, {%r1, %f1}; "
                       "mov.b64 {%h1, %h2, %h3, %h4}, %rd1; "
                       "mov.b32 %r1, {%b0, %b1, %b2, %b3}; "
                       "mov.b32 %r1, {%h1, -1}; mov.b32 {%h1, %h2}, 5;");
  EXPECT_EQ(parsed->at(0).opcode(), Opcode::Unpack);
  EXPECT_EQ(parsed->operand(0, 0).elements[1].kind, Kind::Sink);
  EXPECT_EQ(parsed->at(1).opcode(), Opcode::Pack);
  EXPECT_EQ(parsed->operand(1, 1).elements.size(), 2u);
  EXPECT_EQ(parsed->operand(2, 0).elements.size(), 4u);
  EXPECT_EQ(parsed->operand(3, 1).elements.size(), 4u);
  EXPECT_EQ(parsed->operand(4, 1).elements[1].value, 0xffff);
  EXPECT_EQ(parsed->operand(5, 1).value, 5);
}

TEST(ParserOperand, PartsThatDoNotMakeUpTheWhole) {
  EXPECT_THAT(
      kernelErrors("mov.b32 %r1, {%r1, %r2};\nmov.b64 %rd1, {%h1, %h2};\n"
                   "mov.b64 %rd1, {%r1, %h2};\nmov.b64 %rd1, {%r1};\n"
                   "mov.b32 %r1, {%h1, _};\nmov.b16 %h1, {%b0, %b1, %b2, "
                   "%b3};"),
      ElementsAre(
          "6: operand 2: expected a register of type b16, found register "
          "'%r1' of type b32",
          "7: operand 2: expected a register of type b32, found register "
          "'%h1' of type b16",
          "8: operand 2: expected a register of type b32, found register "
          "'%h2' of type b16",
          "9: operand 2: expected a vector of 2 or 4, found a vector of 1",
          "10: operand 2: expected a register of type b16, found '_'",
          "11: operand 2: expected parts that make up b16, found a vector of "
          "4"));
}

TEST(ParserOperand, Pairs) {
  auto parsed = kernel("setp.eq.u32 %p1, %r1, %r2; "
                       "setp.eq.u32 %p1|%p2, %r1, %r2; "
                       "setp.eq.u32 _|%p2, %r1, %r2; "
                       "shfl.sync.idx.b32 %r1|%p1, %r2, 0, 31, -1; "
                       "shfl.sync.idx.b32 %r1, %r2, 0, 31, -1; "
                       "elect.sync _|%p1, -1;");
  for (size_t i = 0; i < 6; ++i) {
    ASSERT_EQ(parsed->operand(i, 0).kind, Kind::PredicatePair);
    ASSERT_EQ(parsed->operand(i, 0).elements.size(), 2u);
  }
  auto element = [&](size_t i, size_t j) {
    const Operand &operand = parsed->operand(i, 0).elements[j];
    return operand.kind == Kind::Sink ? "_" : parsed->reg(operand).name;
  };
  EXPECT_EQ(element(0, 0), "%p1");
  EXPECT_EQ(element(0, 1), "_");
  EXPECT_EQ(element(1, 1), "%p2");
  EXPECT_EQ(element(2, 0), "_");
  EXPECT_EQ(element(2, 1), "%p2");
  EXPECT_EQ(element(3, 0), "%r1");
  EXPECT_EQ(element(3, 1), "%p1");
  EXPECT_EQ(element(4, 1), "_");
  EXPECT_EQ(element(5, 0), "_");
}

TEST(ParserOperand, WrongPairs) {
  EXPECT_THAT(
      kernelErrors("setp.eq.u32 %p1|%r1, %r1, %r2;\nsetp.eq.u32 _, %r1, %r2;\n"
                   "setp.eq.u32 %p1|!%p2, %r1, %r2;\n"
                   "add.u32 %r1|%p1, %r1, %r2;"),
      ElementsAre("6: operand 1: expected a predicate, found register '%r1' of "
                  "type b32",
                  "7: operand 1: expected a predicate, found '_'",
                  "8: operand 1: expected a predicate, found register '!%p2' "
                  "of type pred",
                  "9: operand 1: expected a register of type u32, found a pair "
                  "of registers"));
}

TEST(ParserOperand, Predicates) {
  auto parsed = kernel("mov.pred %p1, !%p2; mov.pred %p1, -1; "
                       "mov.pred %p1, 0; selp.b32 %r1, %r2, 3, !%p1;");
  EXPECT_EQ(parsed->reg(parsed->operand(0, 1)).name, "%p2");
  EXPECT_TRUE(parsed->operand(0, 1).negated);
  EXPECT_EQ(parsed->operand(1, 1).kind, Kind::Immediate);
  EXPECT_EQ(parsed->operand(1, 1).value, 1);
  EXPECT_EQ(parsed->operand(2, 1).value, 0);
  EXPECT_TRUE(parsed->operand(3, 3).negated);
}

TEST(ParserOperand, PredicatesAreNoNumbers) {
  EXPECT_THAT(kernelErrors("add.u32 %r1, %r2, %p1;\nmov.pred %p1, %r1;\n"
                           "mov.pred !%p1, %p2;\nadd.u32 %r1, !%r2, 1;"),
              ElementsAre("6: operand 3: expected a register of type u32, "
                          "found register '%p1' of type pred",
                          "7: operand 2: expected a predicate, found register "
                          "'%r1' of type b32",
                          "8: operand 1: expected a predicate, found register "
                          "'!%p1' of type pred",
                          "9: operand 2: expected an operand of type u32, "
                          "found register '!%r2' of type b32"));
}

TEST(ParserOperand, Widths) {
  EXPECT_THAT(
      kernelErrors("add.u32 %rd1, %r2, %r3;\nadd.u64 %rd1, %r2, %rd3;\n"
                   "mul.wide.u32 %r1, %r2, %r3;\nld.global.u32 %h1, [%rd1];\n"
                   "cvt.u16.u64 %h1, %r1;"),
      ElementsAre("6: operand 1: expected a register of type u32, found "
                  "register '%rd1' of type b64",
                  "7: operand 2: expected a register of type u64, found "
                  "register '%r2' of type b32",
                  "8: operand 1: expected a register of type u64, found "
                  "register '%r1' of type b32",
                  "9: operand 1: expected a register of type u32 or wider, "
                  "found register '%h1' of type b16",
                  "10: operand 2: expected a register of type u64 or wider, "
                  "found register '%r1' of type b32"));
}

TEST(ParserOperand, WiderRegisters) {
  EXPECT_THAT(kernelErrors("ld.global.u8 %rd1, [%rd2]; "
                           "st.global.u8 [%rd1], %r1; cvt.u8.u32 %r1, %r2; "
                           "ld.global.f32 %rd1, [%rd2]; "
                           "ld.global.b32 %fd1, [%rd2];"),
              IsEmpty());
}

TEST(ParserOperand, FloatsAreNoIntegers) {
  EXPECT_THAT(kernelErrors("add.f32 %f1, %u1, %r1;\nadd.u32 %r1, %f1, 1;\n"
                           "ld.global.f32 %u1, [%rd1];"),
              ElementsAre("6: operand 2: expected a register of type f32, "
                          "found register '%u1' of type u32",
                          "7: operand 2: expected a register of type u32, "
                          "found register '%f1' of type f32",
                          "8: operand 1: expected a register of type f32 or "
                          "wider, found register '%u1' of type u32"));
}

TEST(ParserOperand, OptionalOperands) {
  auto parsed = kernel("bar.sync 1; bar.sync 1, 64; "
                       "ld.global.u32 %r1, [%rd1]; "
                       "ld.global.L2::cache_hint.u32 %r1, [%rd1], %rd2;");
  EXPECT_EQ(parsed->at(0).operands.size(), 2u);
  EXPECT_EQ(parsed->operand(0, 1).kind, Kind::Sink);
  EXPECT_EQ(parsed->operand(1, 1).value, 64);
  EXPECT_EQ(parsed->at(2).operands.size(), 3u);
  EXPECT_EQ(parsed->operand(2, 2).kind, Kind::Sink);
  EXPECT_EQ(parsed->operand(3, 2).kind, Kind::Register);
}

TEST(ParserOperand, NumberOfOperands) {
  EXPECT_THAT(kernelErrors("add.u32 %r1, %r2;\nbar.sync;\nret %r1;\n"
                           "ld.global.u32 %r1, [%rd1], %rd2;\n"
                           "ld.global.L2::cache_hint.u32 %r1, [%rd1];"),
              ElementsAre("6: expected 3 operands, found 2",
                          "7: expected 1 to 2 operands, found 0",
                          "8: expected 0 operands, found 1",
                          "9: expected 2 operands, found 3",
                          "10: expected 3 operands, found 2"));
}

TEST(ParserOperand, FormsByOperands) {
  auto parsed =
      kernel("bar.red.popc.u32 %r1, 1, %p1; bar.red.popc.u32 %r1, 1, 64, %p1; "
             "cp.async.cg.shared.global [%r1], [%rd1], 16; "
             "cp.async.cg.shared.global [%r1], [%rd1], 16, 8; "
             "cp.async.cg.shared.global [%r1], [%rd1], 16, %p1;");
  auto letters = [&](size_t i) {
    return std::string(parsed->at(i).form->operands);
  };
  EXPECT_EQ(letters(0), "d,s:u32,q");
  EXPECT_EQ(letters(1), "d,s:u32,s:u32,q");
  EXPECT_EQ(parsed->operand(2, 2).value, 16);
  EXPECT_EQ(parsed->operand(3, 3).kind, Kind::Immediate);
  EXPECT_EQ(parsed->reg(parsed->operand(4, 3)).name, "%p1");
}

TEST(ParserOperand, ResultOfAtomicsMayBeDropped) {
  auto parsed = kernel("atom.global.add.u32 _, [%rd1], 1;");
  EXPECT_EQ(parsed->operand(0, 0).kind, Kind::Sink);
}

TEST(ParserOperand, Values) {
  EXPECT_THAT(
      kernelErrors("bar.sync 16;\nbar.sync 0, 33;\nbar.red.popc.u32 %r1, 16, "
                   "%p1;\ncp.async.ca.shared.global [%r1], [%rd1], 12;\n"
                   "cp.async.cg.shared.global [%r1], [%rd1], 8;\n"
                   "cp.async.wait_group -1;\nlop3.b32 %r1, %r2, %r3, %r4, "
                   "%r5;"),
      ElementsAre("6: expected a barrier from 0 to 15, found 16",
                  "7: expected a multiple of 32 threads, found 33",
                  "8: expected a barrier from 0 to 15, found 16",
                  "9: expected a size of 4, 8 or 16, found 12",
                  "10: expected a size of 16 for cp.async.cg, found 8",
                  "11: operand 1: expected a constant that is not negative, "
                  "found constant -1",
                  "12: operand 5: expected a constant of type u32, found "
                  "register '%r5' of type b32"));
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

const std::string callee =
    ".func (.param .b32 r) f(.param .b32 a, .param .align 8 .b8 b[16]) "
    "{ ret; }\n.func g() { ret; }\n"
    ".func (.reg .b32 r) h(.reg .f64 a, .reg .b32 b) { ret; }\n";

std::unique_ptr<Parsed> caller(const std::string &body) {
  return parse(head + callee +
               ".entry k(.param .b32 prm) { .reg .b32 %r<9>; .reg .b64 %rd<9>; "
               ".reg .f64 %fd<9>; .param .b32 x, y; .param .align 8 .b8 z[16]; "
               ".param .b64 w;\n" +
               body + "\n}\n");
}

const Instruction &called(const Parsed &parsed) {
  return parsed.function(3).body.at(0);
}

TEST(ParserCall, Direct) {
  auto parsed = caller("call.uni (x), f, (y, z);");
  ASSERT_THAT(messagesOf(*parsed), IsEmpty());
  const Instruction &call = called(*parsed);
  EXPECT_TRUE(call.has(Modifier::Uni));
  ASSERT_EQ(call.operands.size(), 4u);
  EXPECT_EQ(call.operands[0].kind, Kind::List);
  ASSERT_EQ(call.operands[0].elements.size(), 1u);
  EXPECT_EQ(call.operands[0].elements[0].variable->name, "x");
  EXPECT_EQ(call.operands[1].kind, Kind::Function);
  EXPECT_EQ(call.operands[1].function, &parsed->function(0));
  ASSERT_EQ(call.operands[2].elements.size(), 2u);
  EXPECT_EQ(call.operands[2].elements[1].variable->name, "z");
  EXPECT_EQ(call.operands[3].kind, Kind::Sink);
}

TEST(ParserCall, WithoutArguments) {
  for (const char *text : {"call g;", "call g, ();", "call (), g, ();"}) {
    auto parsed = caller(text);
    ASSERT_THAT(messagesOf(*parsed), IsEmpty()) << text;
    EXPECT_EQ(called(*parsed).operands[0].kind, Kind::List);
    EXPECT_TRUE(called(*parsed).operands[0].elements.empty());
    EXPECT_TRUE(called(*parsed).operands[2].elements.empty());
  }
}

TEST(ParserCall, RegistersAndConstants) {
  auto parsed = caller("call (%r1), h, (%fd1, 7);");
  ASSERT_THAT(messagesOf(*parsed), IsEmpty());
  EXPECT_EQ(called(*parsed).operands[0].elements[0].kind, Kind::Register);
  EXPECT_EQ(called(*parsed).operands[2].elements[0].kind, Kind::Register);
  EXPECT_EQ(called(*parsed).operands[2].elements[1].value, 7);
}

TEST(ParserCall, Prototype) {
  auto parsed = caller("P: .callprototype (.param .b32 _) _ (.param .b32 _, "
                       ".param .align 8 .b8 _[16]);\n"
                       "call (x), %rd1, (y, z), P;");
  ASSERT_THAT(messagesOf(*parsed), IsEmpty());
  const Instruction &call = called(*parsed);
  EXPECT_EQ(call.operands[1].kind, Kind::Register);
  EXPECT_EQ(call.operands[3].kind, Kind::Prototype);
  EXPECT_EQ(call.operands[3].index, 0u);
  const Function::Prototype &prototype = parsed->function(3).prototypes.at(0);
  EXPECT_THAT(prototype.parameterBytes, ElementsAre(4, 16));
  EXPECT_THAT(prototype.resultBytes, ElementsAre(4));
}

TEST(ParserCall, PrototypeWithoutArguments) {
  EXPECT_THAT(messagesOf(*caller("P: .callprototype ()_ ();\n"
                                 "call %rd1, P; call (), %rd1, (), P;")),
              IsEmpty());
}

TEST(ParserCall, Targets) {
  auto parsed = caller("T: .calltargets f;\ncall (x), %rd1, (y, z), T;");
  ASSERT_THAT(messagesOf(*parsed), IsEmpty());
  const Operand &targets = called(*parsed).operands[3];
  EXPECT_EQ(targets.kind, Kind::Targets);
  ASSERT_EQ(targets.elements.size(), 1u);
  EXPECT_EQ(targets.elements[0].function, &parsed->function(0));
}

TEST(ParserCall, Errors) {
  EXPECT_THAT(
      messagesOf(*caller(
          "call (x), f, (y);\ncall f, (y, z);\ncall (w), f, (y, z);\n"
          "call (x), f, (%r1, %rd1);\ncall (x), f, (prm, z);\n"
          "call (x), f, (y, 5);\ncall k;\ncall %rd1, (x);\ncall %rd1, (x), x;\n"
          "call q;\ncall %r1, x;\ncall 5;\nT: .calltargets f, g;\n"
          "U: .calltargets x;\ncall (7), f, (y, z);")),
      ElementsAre(
          "8: expected 2 arguments, found 1", "9: expected 1 results, found 0",
          "10: result 1: expected 4 bytes in a .param variable of the body or "
          "in a register, found param variable 'w' of 8 bytes",
          "11: argument 2: expected 16 bytes in a .param variable of the body "
          "or in a register, found register '%rd1' of type b64 of 8 bytes",
          "12: argument 1: expected 4 bytes in a .param variable of the body "
          "or in a register, found param variable 'prm'",
          "13: argument 2: expected 16 bytes in a .param variable of the body "
          "or in a register, found constant 5",
          "14: expected a function or a register of 64 bits, found function "
          "'k'",
          "15: expected a prototype of the function that '%rd1' points to",
          "16: expected a prototype, found 'x'",
          "17: expected a function or a register of 64 bits, found undefined "
          "name 'q'",
          "18: expected a function or a register of 64 bits, found register "
          "'%r1' of type b32",
          "19: expected a function, found '5'",
          "20: expected a function with the parameters and results of 'f', "
          "found 'g'",
          "21: expected a function, found 'x'",
          "22: result 1: expected 4 bytes in a .param variable of the body or "
          "in a register, found constant 7"));
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

TEST(ParserError, UnknownInstruction) {
  auto parsed =
      parse(kernelHead + "  tex.2d.v4.f32.s32 {%f1}, [t, {%f1}]; \n}");
  EXPECT_THAT(messagesOf(*parsed),
              ElementsAre("6: unknown instruction 'tex.2d.v4.f32.s32'"));
  EXPECT_EQ(parsed->errors[0].text, "  tex.2d.v4.f32.s32 {%f1}, [t, {%f1}]; ");
}

TEST(ParserError, UnknownModifiers) {
  EXPECT_THAT(kernelErrors("add.foo.u32 %r1, %r2, %r3;\nadd %r1, %r2, %r3;\n"
                           "add.u32.sat %r1, %r2, %r3;\nret.u32;"),
              ElementsAre("6: no form of 'add' has these modifiers: '.foo.u32'",
                          "7: no form of 'add' is without modifiers",
                          "8: no form of 'add' has these modifiers: '.u32.sat'",
                          "9: no form of 'ret' has these modifiers: '.u32'"));
}

TEST(ParserError, AllAreListed) {
  EXPECT_THAT(kernelErrors("foo;\nadd.u32 %r1, %r2, %x;\n{ bar.foo; }\n"
                           "add.u32 %r1 %r2;\nret;\nbaz %r1, {%r1, %r2}, [x];"),
              ElementsAre("6: unknown instruction 'foo'",
                          "7: undefined name '%x'",
                          "8: no form of 'bar' has these modifiers: '.foo'",
                          "9: expected ';', found '%r2'",
                          "11: unknown instruction 'baz'"));
}

TEST(ParserError, ReadingGoesOnInTheNextFunction) {
  EXPECT_THAT(moduleErrors(".entry 5 (.param .b32 a) { ret; foo; }\n"
                           ".entry k(.param a) { ret; foo; }\n"
                           ".entry l(.param .b32 a) { foo; }"),
              ElementsAre("4: expected the name of a kernel, found '5'",
                          "5: expected a type, found 'a'",
                          "6: unknown instruction 'foo'"));
}

TEST(ParserError, AtMostAHundred) {
  std::string body;
  for (int i = 0; i < 150; ++i)
    body += "foo;\n";
  auto parsed = parse(kernelHead + body + "}");
  ASSERT_EQ(parsed->errors.size(), 101u);
  EXPECT_EQ(parsed->errors[99].message, "unknown instruction 'foo'");
  EXPECT_EQ(parsed->errors[100].message, "too many errors");
}

TEST(ParserError, LongLinesAreCut) {
  auto parsed = parse(std::string(5000, 'x'));
  ASSERT_FALSE(parsed->errors.empty());
  EXPECT_EQ(parsed->errors[0].text, std::string(1024, 'x'));
}

//===----------------------------------------------------------------------===//
// Limits
//===----------------------------------------------------------------------===//

std::string repeat(const std::string &text, size_t times) {
  std::string result;
  for (size_t i = 0; i < times; ++i)
    result += text;
  return result;
}

TEST(ParserLimit, Text) {
  std::string text(size_t(64 << 20) + 1, ' ');
  EXPECT_THAT(
      messagesOf(*parse(text)),
      ElementsAre("0: expected at most 67108864 bytes, found 67108865"));
}

TEST(ParserLimit, Lines) {
  EXPECT_THAT(messagesOf(*parse(std::string(5 << 20, '\n'))),
              ElementsAre("4194304: expected at most 4194304 lines"));
}

TEST(ParserLimit, Blocks) {
  EXPECT_THAT(kernelErrors(repeat("{", 63) + "ret;" + repeat("}", 63)),
              IsEmpty());
  EXPECT_THAT(kernelErrors(repeat("{", 64) + "ret;" + repeat("}", 64)),
              ElementsAre("6: expected at most 64 nested blocks"));
  EXPECT_FALSE(kernelErrors(repeat("{", 1000000)).empty());
}

TEST(ParserLimit, Expressions) {
  for (const char *open : {"(", "-", "1?", "!", "(.u64)", "1+("}) {
    std::vector<std::string> errors =
        kernelErrors("mov.u32 %r1, " + repeat(open, 200000) + "1;");
    ASSERT_FALSE(errors.empty()) << open;
    EXPECT_EQ(errors[0], "6: expected an expression of depth at most 64")
        << open;
  }
}

TEST(ParserLimit, Registers) {
  EXPECT_THAT(kernelErrors(".reg .b32 %x<1000001>;"),
              ElementsAre("6: expected at most 1000000 registers in a "
                          "function, found 1000001"));
  EXPECT_THAT(kernelErrors(".reg .b32 %x<600000>;\n.reg .b32 %y<600000>;"),
              ElementsAre("7: expected at most 1000000 registers in a "
                          "function"));
}

TEST(ParserLimit, RegistersOfAllFunctions) {
  std::string text;
  for (int i = 0; i < 20; ++i)
    text += ".func f" + std::to_string(i) + "() { .reg .b32 %x<900000>; }\n";
  EXPECT_THAT(moduleErrors(text),
              testing::Contains(
                  HasSubstr("expected fewer registers in all functions")));
}

TEST(ParserLimit, Arrays) {
  EXPECT_THAT(moduleErrors(".global .b8 a" + repeat("[1]", 9) + ";"),
              ElementsAre("4: expected at most 8 dimensions of an array"));
  EXPECT_THAT(
      moduleErrors(".global .b8 a[4294967296][4294967296];"),
      ElementsAre("4: expected at most 68719476736 bytes of global memory, "
                  "found more"));
  EXPECT_THAT(moduleErrors(".global .b8 a[99999999999];"),
              ElementsAre("4: expected the size of an array of at most "
                          "68719476736, found 99999999999"));
}

TEST(ParserLimit, InitialValues) {
  EXPECT_THAT(moduleErrors(".global .b8 a[268435457] = {1};"),
              ElementsAre("4: expected at most 268435456 bytes with initial "
                          "values"));
  EXPECT_THAT(moduleErrors(".global .b8 a[][268435456] = {{1}, {1}};"),
              ElementsAre("4: expected at most 1 lists of initial values"));
}

TEST(ParserLimit, Spaces) {
  EXPECT_THAT(
      kernelErrors(".local .b8 x[524000];\n.local .b8 y[300];"),
      ElementsAre("7: expected at most 524288 bytes of local memory, found "
                  "524374"));
  EXPECT_THAT(moduleErrors(".shared .b8 x[1073741808];"),
              ElementsAre("4: expected at most 1073741824 bytes of shared "
                          "memory, found 1073741825"));
  EXPECT_FALSE(kernelErrors(".param .b8 x[1048576];").empty());
}

TEST(ParserLimit, Modifiers) {
  EXPECT_THAT(kernelErrors("add" + repeat(".u32", 30) + " %r1, %r2, %r3;"),
              ElementsAre("6: expected at most 24 modifiers"));
}

TEST(ParserLimit, Parameters) {
  std::string parameters;
  for (int i = 0; i < 4097; ++i)
    parameters += (i ? ", .param .b8 a" : ".param .b8 a") + std::to_string(i);
  EXPECT_THAT(moduleErrors(".func f(" + parameters + ") { ret; }"),
              ElementsAre("4: expected at most 4096 parameters"));
}

TEST(ParserLimit, Targets) {
  std::string body = "L: T: .branchtargets " + repeat("L,", 99999) + "L;\n" +
                     repeat("brx.idx %r1, T;", 41);
  EXPECT_THAT(kernelErrors(body),
              ElementsAre("7: expected fewer targets of calls and branches"));
}

TEST(ParserLimit, ManyNamesTakeNoLonger) {
  // A quadratic parser would need minutes for these.
  std::string text;
  for (int i = 0; i < 200000; ++i)
    text += "L" + std::to_string(i) + ": bra L" + std::to_string(199999 - i) +
            ";\n";
  EXPECT_EQ(kernel(text)->function().body.size(), 200000u);
}

//===----------------------------------------------------------------------===//
// Programs of compilers
//===----------------------------------------------------------------------===//

TEST(ParserPrograms, AllAreRead) {
  unsigned programs = 0;
  for (const auto &entry :
       std::filesystem::directory_iterator(PTXSIM_PROGRAMS)) {
    if (entry.path().extension() != ".ptx")
      continue;
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    auto parsed = parse(text.str());
    EXPECT_THAT(messagesOf(*parsed), IsEmpty()) << entry.path();
    size_t statements = 0, kernels = 0, found = 0;
    for (const std::string &line : parsed->program.lines)
      kernels += line.find(".entry") != std::string::npos &&
                 line.find("//") == std::string::npos;
    for (const Function &function : parsed->program.functions) {
      found += function.isKernel;
      statements += function.body.size();
    }
    EXPECT_EQ(found, kernels) << entry.path();
    EXPECT_GT(statements, 10u) << entry.path();
    ++programs;
  }
  EXPECT_GE(programs, 16u);
}

} // namespace
