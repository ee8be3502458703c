//===- Instructions.cpp - The table of PTX instructions -------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Instructions.h"

#include <string>

using namespace muon::ptxsim;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

unsigned muon::ptxsim::typeBytes(Type type) {
  static constexpr unsigned bytes[] = {0,
#define X(name, text, bytes) bytes,
                                       PTXSIM_TYPES(X)
#undef X
  };
  return bytes[unsigned(type)];
}

const char *muon::ptxsim::typeName(Type type) {
  static constexpr const char *names[] = {"none",
#define X(name, text, bytes) text,
                                          PTXSIM_TYPES(X)
#undef X
  };
  return names[unsigned(type)];
}

Type muon::ptxsim::parseType(std::string_view text) {
#define X(name, spelled, bytes)                                                \
  if (text == spelled)                                                         \
    return Type::name;
  PTXSIM_TYPES(X)
#undef X
  return Type::None;
}

bool muon::ptxsim::isSigned(Type type) {
  return type >= Type::S8 && type <= Type::S64;
}

bool muon::ptxsim::isFloat(Type type) {
  return type >= Type::F16 && type <= Type::F64;
}

const char *muon::ptxsim::spaceName(Space space) {
  static constexpr const char *names[] = {
      "generic", "global", "shared", "local", "param", "const", "register"};
  return names[unsigned(space)];
}

const char *muon::ptxsim::modifierName(Modifier modifier) {
  static constexpr const char *names[] = {
#define X(name, text) text,
      PTXSIM_MODIFIERS(X)
#undef X
          "none"};
  return names[unsigned(modifier)];
}

Modifier muon::ptxsim::parseModifier(std::string_view text) {
  for (unsigned i = 0; i < numModifiers; ++i)
    if (text == modifierName(Modifier(i)))
      return Modifier(i);
  return Modifier::None;
}

const char *muon::ptxsim::specialName(Special special) {
  static constexpr const char *names[] = {"none",
#define X(name, text) text,
                                          PTXSIM_SPECIALS(X)
#undef X
  };
  return names[unsigned(special)];
}

Special muon::ptxsim::parseSpecial(std::string_view text) {
#define X(name, spelled)                                                       \
  if (text == spelled)                                                         \
    return Special::name;
  PTXSIM_SPECIALS(X)
#undef X
  return Special::None;
}

unsigned muon::ptxsim::specialBytes(Special special) {
  switch (special) {
  case Special::GridId:
  case Special::Clock64:
  case Special::GlobalTimer:
    return 8;
  default:
    return 4;
  }
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

// Lists of alternatives that many rows share.
#define INTS "u16|u32|u64|s16|s32|s64"
#define INTS32 "u32|s32|u64|s64"
#define BITS "b16|b32|b64"
#define MEMORY_TYPES "b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64"
#define ROUND "rn|rz|rm|rp"
#define COMPARISONS                                                            \
  "eq|ne|lt|le|gt|ge|lo|ls|hi|hs|equ|neu|ltu|leu|gtu|geu|num|nan"
#define COMPARED "b16|b32|b64|u16|u32|u64|s16|s32|s64|f16|bf16|f32|f64"
#define SPACES "global|shared|shared::cta|local|param|param::entry|const"
#define STORE_SPACES "global|shared|shared::cta|local|param|param::func"
#define LOAD_SPACES                                                            \
  "global|shared|shared::cta|local|param|param::entry|param::func|const"
#define SCOPES "cta|gpu|sys"
#define L1_HINTS                                                               \
  "L1::evict_normal|L1::evict_unchanged|L1::evict_first|L1::evict_last|"       \
  "L1::no_allocate"
#define L2_HINTS "L2::evict_normal|L2::evict_first|L2::evict_last"
#define L2_SIZES "L2::64B|L2::128B|L2::256B"
#define ATOM_SPACES "global|shared|shared::cta"
#define ATOM_PREFIX                                                            \
  "?relaxed|acquire|release|acq_rel ?" SCOPES " ?" ATOM_SPACES " "

const std::vector<Form> &muon::ptxsim::instructionForms() {
  using O = Opcode;
  using C = InstructionClass;
  static const std::vector<Form> forms = {
#define SECTION "Integer Arithmetic Instructions"
      {"add", O::Add, C::Integer, INTS, "d,s,s", SECTION},
      {"add", O::Add, C::Integer, "sat s32", "d,s,s", SECTION},
      {"add", O::AddC, C::Integer, "cc " INTS32, "d,s,s", SECTION},
      {"addc", O::AddC, C::Integer, "?cc " INTS32, "d,s,s", SECTION},
      {"sub", O::Sub, C::Integer, INTS, "d,s,s", SECTION},
      {"sub", O::Sub, C::Integer, "sat s32", "d,s,s", SECTION},
      {"sub", O::SubC, C::Integer, "cc " INTS32, "d,s,s", SECTION},
      {"subc", O::SubC, C::Integer, "?cc " INTS32, "d,s,s", SECTION},
      {"mul", O::Mul, C::Integer, "lo|hi " INTS, "d,s,s", SECTION},
      {"mul", O::Mul, C::Integer, "wide u16|u32|s16|s32", "d:w,s,s", SECTION},
      {"mad", O::Mad, C::Integer, "lo|hi " INTS, "d,s,s,s", SECTION},
      {"mad", O::Mad, C::Integer, "hi sat s32", "d,s,s,s", SECTION},
      {"mad", O::Mad, C::Integer, "wide u16|u32|s16|s32", "d:w,s,s,s:w",
       SECTION},
      {"mad", O::MadC, C::Integer, "lo|hi cc " INTS32, "d,s,s,s", SECTION},
      {"madc", O::MadC, C::Integer, "lo|hi ?cc " INTS32, "d,s,s,s", SECTION},
      {"mul24", O::Mul24, C::Integer, "lo|hi u32|s32", "d,s,s", SECTION},
      {"mad24", O::Mad24, C::Integer, "lo|hi u32|s32", "d,s,s,s", SECTION},
      {"mad24", O::Mad24, C::Integer, "hi sat s32", "d,s,s,s", SECTION},
      {"sad", O::Sad, C::Integer, INTS, "d,s,s,s", SECTION},
      {"div", O::Div, C::Integer, INTS, "d,s,s", SECTION},
      {"rem", O::Rem, C::Integer, INTS, "d,s,s", SECTION},
      {"abs", O::Abs, C::Integer, "s16|s32|s64", "d,s", SECTION},
      {"neg", O::Neg, C::Integer, "s16|s32|s64", "d,s", SECTION},
      {"min", O::Min, C::Integer, INTS, "d,s,s", SECTION},
      {"max", O::Max, C::Integer, INTS, "d,s,s", SECTION},
      {"popc", O::Popc, C::Integer, "b32|b64", "d:u32,s", SECTION},
      {"clz", O::Clz, C::Integer, "b32|b64", "d:u32,s", SECTION},
      {"bfind", O::Bfind, C::Integer, "?shiftamt " INTS32, "d:u32,s", SECTION},
      {"fns", O::Fns, C::Integer, "b32", "d,s:b32,s:b32,s:s32", SECTION},
      {"brev", O::Brev, C::Integer, "b32|b64", "d,s", SECTION},
      {"bfe", O::Bfe, C::Integer, INTS32, "d,s,s:u32,s:u32", SECTION},
      {"bfi", O::Bfi, C::Integer, "b32|b64", "d,s,s,s:u32,s:u32", SECTION},
      {"szext", O::Szext, C::Integer, "clamp|wrap u32|s32", "d,s,s:u32",
       SECTION},
      {"bmsk", O::Bmsk, C::Integer, "clamp|wrap b32", "d,s:u32,s:u32", SECTION},
      {"dp4a", O::Dp4a, C::Integer, "u32|s32 u32|s32",
       "d:b32,s:b32,s:b32,s:b32", SECTION},
      {"dp2a", O::Dp2a, C::Integer, "lo|hi u32|s32 u32|s32",
       "d:b32,s:b32,s:b32,s:b32", SECTION},
#undef SECTION
#define SECTION "Floating Point Instructions"
      {"add", O::Add, C::Float, "?" ROUND " ?ftz ?sat f32", "d,s,s", SECTION},
      {"add", O::Add, C::Float, "?" ROUND " f64", "d,s,s", SECTION},
      {"sub", O::Sub, C::Float, "?" ROUND " ?ftz ?sat f32", "d,s,s", SECTION},
      {"sub", O::Sub, C::Float, "?" ROUND " f64", "d,s,s", SECTION},
      {"mul", O::Mul, C::Float, "?" ROUND " ?ftz ?sat f32", "d,s,s", SECTION},
      {"mul", O::Mul, C::Float, "?" ROUND " f64", "d,s,s", SECTION},
      {"fma", O::Fma, C::Float, ROUND " ?ftz ?sat f32", "d,s,s,s", SECTION},
      {"fma", O::Fma, C::Float, ROUND " f64", "d,s,s,s", SECTION},
      {"mad", O::Fma, C::Float, ROUND " ?ftz ?sat f32", "d,s,s,s", SECTION},
      {"mad", O::Fma, C::Float, ROUND " f64", "d,s,s,s", SECTION},
      {"div", O::Div, C::Float, "approx|full|" ROUND " ?ftz f32", "d,s,s",
       SECTION},
      {"div", O::Div, C::Float, ROUND " f64", "d,s,s", SECTION},
      {"abs", O::Abs, C::Float, "?ftz f32", "d,s", SECTION},
      {"abs", O::Abs, C::Float, "f64", "d,s", SECTION},
      {"neg", O::Neg, C::Float, "?ftz f32", "d,s", SECTION},
      {"neg", O::Neg, C::Float, "f64", "d,s", SECTION},
      {"min", O::Min, C::Float, "?ftz ?NaN ?xorsign ?abs f32", "d,s,s",
       SECTION},
      {"min", O::Min, C::Float, "f64", "d,s,s", SECTION},
      {"max", O::Max, C::Float, "?ftz ?NaN ?xorsign ?abs f32", "d,s,s",
       SECTION},
      {"max", O::Max, C::Float, "f64", "d,s,s", SECTION},
      {"rcp", O::Rcp, C::Float, "approx|" ROUND " ?ftz f32", "d,s", SECTION},
      {"rcp", O::Rcp, C::Float, ROUND " f64", "d,s", SECTION},
      {"rcp", O::Rcp, C::Float, "approx ftz f64", "d,s", SECTION},
      {"sqrt", O::Sqrt, C::Float, "approx|" ROUND " ?ftz f32", "d,s", SECTION},
      {"sqrt", O::Sqrt, C::Float, ROUND " f64", "d,s", SECTION},
      {"rsqrt", O::Rsqrt, C::Float, "approx ?ftz f32|f64", "d,s", SECTION},
      {"sin", O::Sin, C::Float, "approx ?ftz f32", "d,s", SECTION},
      {"cos", O::Cos, C::Float, "approx ?ftz f32", "d,s", SECTION},
      {"lg2", O::Lg2, C::Float, "approx ?ftz f32", "d,s", SECTION},
      {"ex2", O::Ex2, C::Float, "approx ?ftz f32", "d,s", SECTION},
      {"tanh", O::Tanh, C::Float, "approx f32", "d,s", SECTION},
      {"testp", O::Testp, C::Float,
       "finite|infinite|number|notanumber|normal|subnormal f32|f64", "p,s",
       SECTION},
      {"copysign", O::CopySign, C::Float, "f32|f64", "d,s,s", SECTION},
#undef SECTION
#define SECTION "Half Precision Floating Point Instructions"
      {"add", O::Add, C::Float, "?rn ?ftz ?sat f16|f16x2", "d,s,s", SECTION},
      {"add", O::Add, C::Float, "?rn bf16|bf16x2", "d,s,s", SECTION},
      {"sub", O::Sub, C::Float, "?rn ?ftz ?sat f16|f16x2", "d,s,s", SECTION},
      {"sub", O::Sub, C::Float, "?rn bf16|bf16x2", "d,s,s", SECTION},
      {"mul", O::Mul, C::Float, "?rn ?ftz ?sat f16|f16x2", "d,s,s", SECTION},
      {"mul", O::Mul, C::Float, "?rn bf16|bf16x2", "d,s,s", SECTION},
      {"fma", O::Fma, C::Float, "rn ?ftz ?sat f16|f16x2", "d,s,s,s", SECTION},
      {"fma", O::Fma, C::Float, "rn ?ftz relu f16|f16x2", "d,s,s,s", SECTION},
      {"fma", O::Fma, C::Float, "rn ?relu bf16|bf16x2", "d,s,s,s", SECTION},
      {"neg", O::Neg, C::Float, "?ftz f16|f16x2", "d,s", SECTION},
      {"neg", O::Neg, C::Float, "bf16|bf16x2", "d,s", SECTION},
      {"abs", O::Abs, C::Float, "?ftz f16|f16x2", "d,s", SECTION},
      {"abs", O::Abs, C::Float, "bf16|bf16x2", "d,s", SECTION},
      {"min", O::Min, C::Float, "?ftz ?NaN ?xorsign ?abs f16|f16x2", "d,s,s",
       SECTION},
      {"min", O::Min, C::Float, "?NaN ?xorsign ?abs bf16|bf16x2", "d,s,s",
       SECTION},
      {"max", O::Max, C::Float, "?ftz ?NaN ?xorsign ?abs f16|f16x2", "d,s,s",
       SECTION},
      {"max", O::Max, C::Float, "?NaN ?xorsign ?abs bf16|bf16x2", "d,s,s",
       SECTION},
      {"tanh", O::Tanh, C::Float, "approx f16|f16x2|bf16|bf16x2", "d,s",
       SECTION},
      {"ex2", O::Ex2, C::Float, "approx f16|f16x2", "d,s", SECTION},
      {"ex2", O::Ex2, C::Float, "approx ftz bf16|bf16x2", "d,s", SECTION},
#undef SECTION
#define SECTION "Comparison and Selection Instructions"
#define SET_RESULTS "u16|s16|u32|s32|f16|bf16|f32 "
      {"set", O::Set, C::Logic, COMPARISONS " ?ftz " SET_RESULTS COMPARED,
       "d,s:1,s:1", SECTION},
      {"set", O::Set, C::Logic,
       COMPARISONS " and|or|xor ?ftz " SET_RESULTS COMPARED, "d,s:1,s:1,q",
       SECTION},
      {"set", O::Set, C::Logic, COMPARISONS " ?ftz f16x2|bf16x2 f16x2|bf16x2",
       "d,s:1,s:1", SECTION},
      {"set", O::Set, C::Logic,
       COMPARISONS " and|or|xor ?ftz f16x2|bf16x2 f16x2|bf16x2", "d,s:1,s:1,q",
       SECTION},
#undef SET_RESULTS
      {"setp", O::Setp, C::Logic, COMPARISONS " ?ftz " COMPARED, "P,s,s",
       SECTION},
      {"setp", O::Setp, C::Logic, COMPARISONS " and|or|xor ?ftz " COMPARED,
       "P,s,s,q", SECTION},
      {"setp", O::Setp, C::Logic, COMPARISONS " ?ftz f16x2|bf16x2", "P,s,s",
       SECTION},
      {"setp", O::Setp, C::Logic, COMPARISONS " and|or|xor ?ftz f16x2|bf16x2",
       "P,s,s,q", SECTION},
      {"selp", O::Selp, C::Logic, BITS "|" INTS "|f32|f64", "d,s,s,q", SECTION},
      {"slct", O::Slct, C::Logic, "?ftz " BITS "|" INTS "|f32|f64 s32|f32",
       "d,s,s,s:1", SECTION},
#undef SECTION
#define SECTION "Logic and Shift Instructions"
      {"and", O::And, C::Logic, "pred", "p,q,q", SECTION},
      {"and", O::And, C::Logic, BITS, "d,s,s", SECTION},
      {"or", O::Or, C::Logic, "pred", "p,q,q", SECTION},
      {"or", O::Or, C::Logic, BITS, "d,s,s", SECTION},
      {"xor", O::Xor, C::Logic, "pred", "p,q,q", SECTION},
      {"xor", O::Xor, C::Logic, BITS, "d,s,s", SECTION},
      {"not", O::Not, C::Logic, "pred", "p,q", SECTION},
      {"not", O::Not, C::Logic, BITS, "d,s", SECTION},
      {"cnot", O::CNot, C::Logic, BITS, "d,s", SECTION},
      {"lop3", O::Lop3, C::Logic, "b32", "d,s,s,s,i:u32", SECTION},
      {"lop3", O::Lop3, C::Logic, "or|and b32", "dp,s,s,s,i:u32,q", SECTION},
      {"shf", O::Shf, C::Logic, "l|r clamp|wrap b32", "d,s,s,s:u32", SECTION},
      {"shl", O::Shl, C::Logic, BITS, "d,s,s:u32", SECTION},
      {"shr", O::Shr, C::Logic, BITS "|" INTS, "d,s,s:u32", SECTION},
#undef SECTION
#define SECTION "Data Movement and Conversion Instructions"
      {"mov", O::Mov, C::Move, "pred", "p,q", SECTION},
      {"mov", O::Mov, C::Move, BITS "|" INTS "|f32|f64", "d,s", SECTION},
      {"mov", O::Unpack, C::Move, BITS, "U,s", SECTION},
      {"mov", O::Pack, C::Move, BITS, "d,K", SECTION},
      {"prmt", O::Prmt, C::Logic, "b32 ?f4e|b4e|rc8|ecl|ecr|rc16",
       "d,s,s,s:b32", SECTION},
      {"ld", O::Ld, C::Memory,
       "?weak|volatile|relaxed|acquire ?" SCOPES " ?" LOAD_SPACES
       " ?ca|cg|cs|lu|cv ?nc ?" L1_HINTS " ?" L2_HINTS
       " ?L2::cache_hint ?" L2_SIZES " ?v2|v4 " MEMORY_TYPES,
       "D>,m,?s:b64", SECTION},
      {"ldu", O::Ld, C::Memory, "?global ?v2|v4 " MEMORY_TYPES, "D>,m",
       SECTION},
      {"st", O::St, C::Memory,
       "?weak|volatile|relaxed|release ?" SCOPES " ?" STORE_SPACES
       " ?wb|cg|cs|wt ?" L1_HINTS " ?" L2_HINTS
       " ?L2::cache_hint ?v2|v4 " MEMORY_TYPES,
       "m,S>,?s:b64", SECTION},
      {"prefetch", O::Prefetch, C::Memory, "?global|local L1|L2", "m", SECTION},
      {"prefetch", O::Prefetch, C::Memory,
       "global L2::evict_last|L2::evict_normal", "m", SECTION},
      {"prefetchu", O::Prefetch, C::Memory, "L1", "m", SECTION},
      {"createpolicy", O::CreatePolicy, C::Move,
       "fractional "
       "L2::evict_last|L2::evict_normal|L2::evict_first|L2::evict_unchanged "
       "?L2::evict_first|L2::evict_unchanged b64",
       "d,?s:f32", SECTION},
      {"isspacep", O::IsSpaceP, C::Logic, SPACES, "p,s:addr", SECTION},
      {"cvta", O::Cvta, C::Convert, SPACES " u64", "d,s", SECTION},
      {"cvta", O::Cvta, C::Convert, "to " SPACES " u64", "d,s", SECTION},
      {"cvt", O::Cvt, C::Convert,
       "?rn|rz|rm|rp|rni|rzi|rmi|rpi ?ftz ?sat "
       "u8|u16|u32|u64|s8|s16|s32|s64|f16|bf16|f32|f64 "
       "u8|u16|u32|u64|s8|s16|s32|s64|f16|bf16|f32|f64",
       "d>,s>:1", SECTION},
      {"cvt", O::Cvt, C::Convert, "rn|rz ?relu ?satfinite f16|bf16 f32",
       "d,s:f32", SECTION},
      {"cvt", O::Cvt, C::Convert, "rn|rz ?relu ?satfinite f16x2|bf16x2 f32",
       "d,s:f32,s:f32", SECTION},
      {"cvt", O::Cvt, C::Convert, "rna ?satfinite tf32 f32", "d,s:f32",
       SECTION},
      {"cvt", O::CvtPack, C::Convert, "pack sat u16|s16 s32", "d:b32,s:1,s:1",
       SECTION},
      {"cvt", O::CvtPack, C::Convert, "pack sat u8|s8 s32 b32",
       "d:b32,s:1,s:1,s:2", SECTION},
#undef SECTION
#define SECTION "Parallel Synchronization and Communication Instructions"
      {"shfl", O::Shfl, C::WarpSync, "sync up|down|bfly|idx b32",
       "dp,s,s:b32,s:b32,s:b32", SECTION},
      {"vote", O::Vote, C::WarpSync, "sync all|any|uni pred", "p,q,s:b32",
       SECTION},
      {"vote", O::Vote, C::WarpSync, "sync ballot b32", "d,q,s:b32", SECTION},
      {"match", O::Match, C::WarpSync, "any sync b32|b64", "d:b32,s,s:b32",
       SECTION},
      {"match", O::Match, C::WarpSync, "all sync b32|b64", "dp:b32,s,s:b32",
       SECTION},
      {"activemask", O::ActiveMask, C::WarpSync, "b32", "d", SECTION},
      {"redux", O::Redux, C::WarpSync, "sync add|min|max u32|s32", "d,s,s:b32",
       SECTION},
      {"redux", O::Redux, C::WarpSync, "sync and|or|xor b32", "d,s,s:b32",
       SECTION},
      {"elect", O::Elect, C::WarpSync, "sync", "dp:b32,s:b32", SECTION},
      {"bar", O::WarpBarrier, C::WarpSync, "warp sync", "s:b32", SECTION},
      {"bar", O::Barrier, C::Barrier, "?cta sync", "s:u32,?s:u32", SECTION},
      {"bar", O::Barrier, C::Barrier, "?cta arrive", "s:u32,s:u32", SECTION},
      {"bar", O::Barrier, C::Barrier, "?cta red popc u32", "d,s:u32,q",
       SECTION},
      {"bar", O::Barrier, C::Barrier, "?cta red popc u32", "d,s:u32,s:u32,q",
       SECTION},
      {"bar", O::Barrier, C::Barrier, "?cta red and|or pred", "p,s:u32,q",
       SECTION},
      {"bar", O::Barrier, C::Barrier, "?cta red and|or pred", "p,s:u32,s:u32,q",
       SECTION},
      {"barrier", O::Barrier, C::Barrier, "?cta sync ?aligned", "s:u32,?s:u32",
       SECTION},
      {"barrier", O::Barrier, C::Barrier, "?cta arrive ?aligned", "s:u32,s:u32",
       SECTION},
      {"barrier", O::Barrier, C::Barrier, "?cta red popc ?aligned u32",
       "d,s:u32,q", SECTION},
      {"barrier", O::Barrier, C::Barrier, "?cta red popc ?aligned u32",
       "d,s:u32,s:u32,q", SECTION},
      {"barrier", O::Barrier, C::Barrier, "?cta red and|or ?aligned pred",
       "p,s:u32,q", SECTION},
      {"barrier", O::Barrier, C::Barrier, "?cta red and|or ?aligned pred",
       "p,s:u32,s:u32,q", SECTION},
      {"membar", O::Fence, C::Memory, "cta|gl|sys", "", SECTION},
      {"fence", O::Fence, C::Memory, "?sc|acq_rel|acquire|release " SCOPES, "",
       SECTION},
      {"atom", O::Atom, C::Atomic,
       ATOM_PREFIX "and|or|xor|exch ?L2::cache_hint b32|b64", "d,m,s,?s:b64",
       SECTION},
      {"atom", O::Atom, C::Atomic,
       ATOM_PREFIX "add ?L2::cache_hint u32|s32|u64|f32|f64", "d,m,s,?s:b64",
       SECTION},
      {"atom", O::Atom, C::Atomic,
       ATOM_PREFIX "add noftz ?L2::cache_hint f16|f16x2|bf16|bf16x2",
       "d,m,s,?s:b64", SECTION},
      {"atom", O::Atom, C::Atomic, ATOM_PREFIX "inc|dec ?L2::cache_hint u32",
       "d,m,s,?s:b64", SECTION},
      {"atom", O::Atom, C::Atomic,
       ATOM_PREFIX "min|max ?L2::cache_hint u32|s32|u64|s64", "d,m,s,?s:b64",
       SECTION},
      {"atom", O::Atom, C::Atomic, ATOM_PREFIX "cas b16|b32|b64", "d,m,s,s",
       SECTION},
      {"red", O::Atom, C::Atomic,
       ATOM_PREFIX "and|or|xor ?L2::cache_hint b32|b64", "m,s,?s:b64", SECTION},
      {"red", O::Atom, C::Atomic,
       ATOM_PREFIX "add ?L2::cache_hint u32|s32|u64|f32|f64", "m,s,?s:b64",
       SECTION},
      {"red", O::Atom, C::Atomic,
       ATOM_PREFIX "add noftz ?L2::cache_hint f16|f16x2|bf16|bf16x2",
       "m,s,?s:b64", SECTION},
      {"red", O::Atom, C::Atomic, ATOM_PREFIX "inc|dec ?L2::cache_hint u32",
       "m,s,?s:b64", SECTION},
      {"red", O::Atom, C::Atomic,
       ATOM_PREFIX "min|max ?L2::cache_hint u32|s32|u64|s64", "m,s,?s:b64",
       SECTION},
#undef SECTION
#define SECTION "Data Movement: Asynchronous Copy"
#define CP_ASYNC                                                               \
  "async ca|cg shared|shared::cta global ?L2::cache_hint ?" L2_SIZES
      {"cp", O::CpAsync, C::Async, CP_ASYNC, "m,m,i:u32,?s:u32,?s:b64",
       SECTION},
      {"cp", O::CpAsync, C::Async, CP_ASYNC, "m,m,i:u32,q,?s:b64", SECTION},
      {"cp", O::CpAsyncCommit, C::Async, "async commit_group", "", SECTION},
      {"cp", O::CpAsyncWait, C::Async, "async wait_group", "i:u32", SECTION},
      {"cp", O::CpAsyncWait, C::Async, "async wait_all", "", SECTION},
#undef CP_ASYNC
#undef SECTION
#define SECTION "Warp Level Matrix Instructions"
#define LDMATRIX(num) "sync aligned m8n8 " num " ?trans ?shared|shared::cta b16"
      {"ldmatrix", O::LdMatrix, C::Tensor, LDMATRIX("x1"), "D*1:b32,m",
       SECTION},
      {"ldmatrix", O::LdMatrix, C::Tensor, LDMATRIX("x2"), "D*2:b32,m",
       SECTION},
      {"ldmatrix", O::LdMatrix, C::Tensor, LDMATRIX("x4"), "D*4:b32,m",
       SECTION},
#undef LDMATRIX
      {"movmatrix", O::MovMatrix, C::Tensor, "sync aligned m8n8 trans b16",
       "d:b32,s:b32", SECTION},
#define MMA(shape, types) "sync aligned " shape " row col " types
      {"mma", O::Mma, C::Tensor, MMA("m16n8k8", "f16 f16 f16 f16"),
       "D*2:b32,S*2:b32,S*1:b32,S*2:b32", SECTION},
      {"mma", O::Mma, C::Tensor, MMA("m16n8k8", "f32 f16 f16 f32"),
       "D*4:f32,S*2:b32,S*1:b32,S*4:f32", SECTION},
      {"mma", O::Mma, C::Tensor, MMA("m16n8k16", "f16 f16 f16 f16"),
       "D*2:b32,S*4:b32,S*2:b32,S*2:b32", SECTION},
      {"mma", O::Mma, C::Tensor, MMA("m16n8k16", "f32 f16 f16 f32"),
       "D*4:f32,S*4:b32,S*2:b32,S*4:f32", SECTION},
      {"mma", O::Mma, C::Tensor, MMA("m16n8k8", "f32 bf16 bf16 f32"),
       "D*4:f32,S*2:b32,S*1:b32,S*4:f32", SECTION},
      {"mma", O::Mma, C::Tensor, MMA("m16n8k16", "f32 bf16 bf16 f32"),
       "D*4:f32,S*4:b32,S*2:b32,S*4:f32", SECTION},
      {"mma", O::Mma, C::Tensor, MMA("m16n8k4", "f32 tf32 tf32 f32"),
       "D*4:f32,S*2:b32,S*1:b32,S*4:f32", SECTION},
      {"mma", O::Mma, C::Tensor, MMA("m16n8k8", "f32 tf32 tf32 f32"),
       "D*4:f32,S*4:b32,S*2:b32,S*4:f32", SECTION},
      {"mma", O::Mma, C::Tensor, MMA("m8n8k4", "f64 f64 f64 f64"),
       "D*2:f64,S*1:f64,S*1:f64,S*2:f64", SECTION},
#undef MMA
#undef SECTION
#define SECTION "Control Flow Instructions"
      {"bra", O::Bra, C::Control, "?uni", "l", SECTION},
      {"brx", O::Brx, C::Control, "idx ?uni", "s:u32,t", SECTION},
      {"call", O::Call, C::Control, "?uni", "C", SECTION},
      {"ret", O::Ret, C::Control, "?uni", "", SECTION},
      {"exit", O::Exit, C::Control, "", "", SECTION},
#undef SECTION
#define SECTION "Miscellaneous Instructions"
      {"trap", O::Trap, C::Control, "", "", SECTION},
      {"brkpt", O::Nop, C::Control, "", "", SECTION},
      {"pmevent", O::Nop, C::Control, "", "i:u32", SECTION},
      {"nanosleep", O::Nanosleep, C::Control, "u32", "s", SECTION},
#undef SECTION
  };
  return forms;
}

//===----------------------------------------------------------------------===//
// Documentation
//===----------------------------------------------------------------------===//

static std::string spelled(const Form &form) {
  std::string text = form.name;
  std::string_view rest = form.modifiers;
  while (!rest.empty()) {
    size_t end = rest.find(' ');
    std::string_view slot = rest.substr(0, end);
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    bool optional = slot.front() == '?';
    if (optional)
      slot.remove_prefix(1);
    bool several = slot.find('|') != std::string_view::npos;
    text += optional ? "{." : several ? ".(" : ".";
    text += slot;
    text += optional ? "}" : several ? ")" : "";
  }
  return text;
}

std::string muon::ptxsim::instructionsMarkdown() {
  std::string text;
  const char *section = "";
  for (const Form &form : instructionForms()) {
    if (std::string_view(section) != form.section) {
      section = form.section;
      text += "\n### ";
      text += section;
      text += "\n\n| instruction | operands |\n|---|---|\n";
    }
    std::string spelling = spelled(form);
    for (size_t at = 0; (at = spelling.find('|', at)) != std::string::npos;
         at += 2)
      spelling.insert(at, 1, '\\');
    text += "| `" + spelling + "` | ";
    if (*form.operands)
      text += "`" + std::string(form.operands) + "` ";
    text += "|\n";
  }
  return text;
}
