//===- Instructions.h - The table of PTX instructions -----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each row of the table is a form of an instruction: its modifiers and operands
// in a small language. The parser accepts what a row describes and nothing else;
// the documentation of what is supported is printed from the same rows.
//
// Modifiers: slots apart by blanks, in the order of the text. A slot is a list
// of alternatives, `rn|rz`, with `?` before it if it may be absent. Names of types
// are alternatives too; those that matched are kept in order.
//
// Operands: apart by commas. `?` before one: it may be absent.
//   d:T   register to write               s:T   register, immediate, ... to read
//   p     predicate to write              q     predicate to read, maybe negated
//   P     p or p|q                        dp:T  d or d|p; either may be _
//   D:T   d, or a vector with .v2/.v4     S:T   s, or likewise a vector
//   D*N:T vector of N to write            S*N:T vector of N to read
//   U:T   vector that T is split into     K:T   vector that makes up T
//   m     [address]                       i:T   immediate
//   l     label                           t     name of .branchtargets
//   C     what follows `call`
// T is a type, or 0..3 for that one of the types of the modifiers (0 if `:T` is
// left out), or `w` for twice the width of type 0. With `>` after the letter the
// register may be wider than T. `addr` is an address: 64 bits.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_INSTRUCTIONS_H
#define MUON_MLIR_LIB_PTXSIM_INSTRUCTIONS_H

#include "muon-mlir/PTXSim/PTXSim.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace muon::ptxsim {

#define PTXSIM_TYPES(X)                                                        \
  X(Pred, "pred", 0)                                                           \
  X(B8, "b8", 1)                                                               \
  X(B16, "b16", 2)                                                             \
  X(B32, "b32", 4)                                                             \
  X(B64, "b64", 8)                                                             \
  X(U8, "u8", 1)                                                               \
  X(U16, "u16", 2)                                                             \
  X(U32, "u32", 4)                                                             \
  X(U64, "u64", 8)                                                             \
  X(S8, "s8", 1)                                                               \
  X(S16, "s16", 2)                                                             \
  X(S32, "s32", 4)                                                             \
  X(S64, "s64", 8)                                                             \
  X(F16, "f16", 2)                                                             \
  X(F16x2, "f16x2", 4)                                                         \
  X(BF16, "bf16", 2)                                                           \
  X(BF16x2, "bf16x2", 4)                                                       \
  X(TF32, "tf32", 4)                                                           \
  X(F32, "f32", 4)                                                             \
  X(F64, "f64", 8)

enum class Type : uint8_t {
  None,
#define X(name, text, bytes) name,
  PTXSIM_TYPES(X)
#undef X
};

/// Bytes in memory and in a register; 0 for predicates.
unsigned typeBytes(Type type);
const char *typeName(Type type);
/// None if there is no such type.
Type parseType(std::string_view text);
bool isSigned(Type type);
bool isFloat(Type type);

enum class Space : uint8_t {
  Generic,
  Global,
  Shared,
  Local,
  Param,
  Const,
  Register
};
const char *spaceName(Space space);

#define PTXSIM_MODIFIERS(X)                                                    \
  X(Rn, "rn") X(Rz, "rz") X(Rm, "rm") X(Rp, "rp") X(Rna, "rna")                \
  X(Rni, "rni") X(Rzi, "rzi") X(Rmi, "rmi") X(Rpi, "rpi")                      \
  X(Ftz, "ftz") X(Sat, "sat") X(SatFinite, "satfinite") X(Relu, "relu")        \
  X(Approx, "approx") X(Full, "full") X(NoFtz, "noftz") X(NanMod, "NaN")       \
  X(XorSign, "xorsign") X(Abs, "abs")                                          \
  X(Lo, "lo") X(Hi, "hi") X(Wide, "wide") X(CC, "cc")                          \
  X(ShiftAmt, "shiftamt") X(Clamp, "clamp") X(Wrap, "wrap")                    \
  X(L, "l") X(R, "r")                                                          \
  X(F4e, "f4e") X(B4e, "b4e") X(Rc8, "rc8") X(Ecl, "ecl") X(Ecr, "ecr")        \
  X(Rc16, "rc16")                                                              \
  X(Eq, "eq") X(Ne, "ne") X(Lt, "lt") X(Le, "le") X(Gt, "gt") X(Ge, "ge")      \
  X(Ls, "ls") X(Hs, "hs") /* lo, hi: as of mul */                              \
  X(Equ, "equ") X(Neu, "neu") X(Ltu, "ltu") X(Leu, "leu") X(Gtu, "gtu")        \
  X(Geu, "geu") X(Num, "num") X(Nan, "nan")                                    \
  X(And, "and") X(Or, "or") X(Xor, "xor")                                      \
  X(Finite, "finite") X(Infinite, "infinite") X(Number, "number")              \
  X(NotANumber, "notanumber") X(Normal, "normal") X(Subnormal, "subnormal")    \
  X(Weak, "weak") X(Volatile, "volatile") X(Relaxed, "relaxed")                \
  X(Acquire, "acquire") X(Release, "release") X(AcqRel, "acq_rel") X(Sc, "sc") \
  X(Cta, "cta") X(Gpu, "gpu") X(Sys, "sys") X(Gl, "gl")                        \
  X(Global, "global") X(Shared, "shared") X(SharedCta, "shared::cta")          \
  X(Local, "local") X(Param, "param") X(ParamEntry, "param::entry")            \
  X(ParamFunc, "param::func") X(Const, "const")                                \
  X(Ca, "ca") X(Cg, "cg") X(Cs, "cs") X(Lu, "lu") X(Cv, "cv") X(Wb, "wb")      \
  X(Wt, "wt") X(Nc, "nc")                                                      \
  X(L1EvictNormal, "L1::evict_normal")                                         \
  X(L1EvictUnchanged, "L1::evict_unchanged")                                   \
  X(L1EvictFirst, "L1::evict_first") X(L1EvictLast, "L1::evict_last")          \
  X(L1NoAllocate, "L1::no_allocate") X(L2EvictNormal, "L2::evict_normal")      \
  X(L2EvictFirst, "L2::evict_first") X(L2EvictLast, "L2::evict_last")          \
  X(L2EvictUnchanged, "L2::evict_unchanged") X(L2CacheHint, "L2::cache_hint")  \
  X(L2B64, "L2::64B") X(L2B128, "L2::128B") X(L2B256, "L2::256B")              \
  X(L1, "L1") X(L2, "L2") X(Fractional, "fractional")                          \
  X(V2, "v2") X(V4, "v4") X(To, "to") X(PackMod, "pack")                       \
  X(Sync, "sync") X(Aligned, "aligned") X(Arrive, "arrive") X(Red, "red")      \
  X(Popc, "popc") X(Warp, "warp") X(Uni, "uni") X(Idx, "idx")                  \
  X(Up, "up") X(Down, "down") X(Bfly, "bfly")                                  \
  X(All, "all") X(Any, "any") X(Ballot, "ballot")                              \
  X(Add, "add") X(Min, "min") X(Max, "max") X(Inc, "inc") X(Dec, "dec")        \
  X(Exch, "exch") X(Cas, "cas")                                                \
  X(Async, "async") X(CommitGroup, "commit_group")                             \
  X(WaitGroup, "wait_group") X(WaitAll, "wait_all")                            \
  X(M8n8, "m8n8") X(X1, "x1") X(X2, "x2") X(X4, "x4") X(Trans, "trans")        \
  X(M8n8k4, "m8n8k4") X(M16n8k4, "m16n8k4") X(M16n8k8, "m16n8k8")              \
  X(M16n8k16, "m16n8k16") X(Row, "row") X(Col, "col")

enum class Modifier : uint8_t {
#define X(name, text) name,
  PTXSIM_MODIFIERS(X)
#undef X
      None
};
constexpr unsigned numModifiers = unsigned(Modifier::None);
const char *modifierName(Modifier modifier);
/// None if there is no such modifier.
Modifier parseModifier(std::string_view text);

/// A set of modifiers.
class Modifiers {
public:
  void add(Modifier m) { words[unsigned(m) / 64] |= bit(m); }
  bool has(Modifier m) const { return words[unsigned(m) / 64] & bit(m); }
  bool operator==(const Modifiers &other) const {
    return words == other.words;
  }

private:
  static uint64_t bit(Modifier m) { return uint64_t(1) << (unsigned(m) % 64); }
  std::array<uint64_t, (numModifiers + 63) / 64> words{};
};

#define PTXSIM_SPECIALS(X)                                                     \
  X(Tid, "%tid") X(Ntid, "%ntid") X(Ctaid, "%ctaid") X(Nctaid, "%nctaid")      \
  X(LaneId, "%laneid") X(WarpId, "%warpid") X(NWarpId, "%nwarpid")             \
  X(SmId, "%smid") X(NSmId, "%nsmid") X(GridId, "%gridid")                     \
  X(LaneMaskEq, "%lanemask_eq") X(LaneMaskLe, "%lanemask_le")                  \
  X(LaneMaskLt, "%lanemask_lt") X(LaneMaskGe, "%lanemask_ge")                  \
  X(LaneMaskGt, "%lanemask_gt") X(Clock, "%clock") X(ClockHi, "%clock_hi")     \
  X(Clock64, "%clock64") X(GlobalTimer, "%globaltimer")                        \
  X(GlobalTimerLo, "%globaltimer_lo") X(GlobalTimerHi, "%globaltimer_hi")      \
  X(TotalSmemSize, "%total_smem_size") X(DynamicSmemSize, "%dynamic_smem_size")

/// %tid to %nctaid take .x .y .z; the others none.
enum class Special : uint8_t {
  None,
#define X(name, text) name,
  PTXSIM_SPECIALS(X)
#undef X
};
const char *specialName(Special special);
Special parseSpecial(std::string_view text);
/// Bytes of its value: 8 for %clock64, %globaltimer and %gridid, else 4.
unsigned specialBytes(Special special);

enum class Opcode : uint8_t {
  // Integer
  Add, AddC, Sub, SubC, Mul, Mul24, Mad, MadC, Mad24, Sad, Div, Rem, Abs, Neg,
  Min, Max, Popc, Clz, Bfind, Fns, Brev, Bfe, Bfi, Szext, Bmsk, Dp4a, Dp2a,
  // Floating point; Add to Max above are shared
  Fma, Rcp, Sqrt, Rsqrt, Sin, Cos, Lg2, Ex2, Tanh, Testp, CopySign,
  // Comparison, logic
  Set, Setp, Selp, Slct, And, Or, Xor, Not, CNot, Lop3, Shf, Shl, Shr,
  // Data
  Mov, Unpack, Pack, Prmt, Ld, St, Prefetch, CreatePolicy, IsSpaceP, Cvta, Cvt,
  CvtPack,
  // Warps
  Shfl, Vote, Match, ActiveMask, Redux, Elect, WarpBarrier,
  // Control
  Bra, Brx, Call, Ret, Exit, Trap, Nanosleep, Nop,
  // Barriers, memory order, atomics
  Barrier, Fence, Atom,
  // Asynchronous copies
  CpAsync, CpAsyncCommit, CpAsyncWait,
  // Matrices
  LdMatrix, MovMatrix, Mma
};

/// A form of an instruction.
struct Form {
  const char *name;
  Opcode opcode;
  InstructionClass cls;
  const char *modifiers;
  const char *operands;
  /// The section of the PTX ISA that defines it, by its title.
  const char *section;
};

/// All forms; those of one name stand together.
const std::vector<Form> &instructionForms();

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_INSTRUCTIONS_H
