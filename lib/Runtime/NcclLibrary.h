//===- NcclLibrary.h - NCCL, loaded at run time -----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of NCCL that the runtime uses, declared here so that the build needs
// no NCCL installation. Names, signatures and numbers are those of nccl.h of
// NCCL 2.18 to 2.30, and the versions those that brought a function.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_NCCLLIBRARY_H
#define MUON_MLIR_LIB_RUNTIME_NCCLLIBRARY_H

#include "Error.h"

#include <climits>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace muon::nccl {

using Comm = struct ncclComm *;

struct UniqueId {
  char bytes[128];
};

enum Result : int {
  Success = 0,
  UnhandledCudaError = 1,
  SystemError = 2,
  InternalError = 3,
  InvalidArgument = 4,
  InvalidUsage = 5,
  RemoteError = 6,
  InProgress = 7
};

enum DataType : int { Float16 = 6, Float32 = 7, Float64 = 8, Bfloat16 = 9 };

enum ReduceOp : int { Sum = 0, Average = 4 };

/// For a rank that takes part in a split, but in none of its groups.
constexpr int noColor = -1;

/// As of 2.18; later versions take it for what it says it is.
struct Config {
  size_t size = sizeof(Config);
  unsigned magic = 0xcafebeef;
  unsigned version = 21801;
  int blocking = INT_MIN;
  int cgaClusterSize = INT_MIN;
  int minCTAs = INT_MIN;
  int maxCTAs = INT_MIN;
  const char *netName = nullptr;
  int splitShare = INT_MIN;
};
static_assert(sizeof(Config) == 48 && offsetof(Config, netName) == 32);

// FUNCTION(name, symbol, version that brought the symbol, result, parameters)
#define MUON_NCCL_FUNCTIONS(FUNCTION)                                          \
  FUNCTION(getVersion, ncclGetVersion, 2304, Result, (int *))                  \
  FUNCTION(getErrorString, ncclGetErrorString, 2000, const char *, (Result))   \
  FUNCTION(getLastError, ncclGetLastError, 21304, const char *, (Comm))        \
  FUNCTION(getUniqueId, ncclGetUniqueId, 2000, Result, (UniqueId *))           \
  FUNCTION(commInitRankConfig, ncclCommInitRankConfig, 21403, Result,          \
           (Comm *, int, UniqueId, int, Config *))                             \
  FUNCTION(commSplit, ncclCommSplit, 21801, Result,                            \
           (Comm, int, int, Comm *, Config *))                                 \
  FUNCTION(commFinalize, ncclCommFinalize, 21403, Result, (Comm))              \
  FUNCTION(commDestroy, ncclCommDestroy, 2000, Result, (Comm))                 \
  FUNCTION(commAbort, ncclCommAbort, 2400, Result, (Comm))                     \
  FUNCTION(commGetAsyncError, ncclCommGetAsyncError, 2400, Result,             \
           (Comm, Result *))                                                   \
  FUNCTION(commCount, ncclCommCount, 2000, Result, (Comm, int *))              \
  FUNCTION(commUserRank, ncclCommUserRank, 2000, Result, (Comm, int *))        \
  FUNCTION(groupStart, ncclGroupStart, 2000, Result, ())                       \
  FUNCTION(groupEnd, ncclGroupEnd, 2000, Result, ())                           \
  FUNCTION(allReduce, ncclAllReduce, 2000, Result,                             \
           (const void *, void *, size_t, DataType, ReduceOp, Comm, void *))   \
  FUNCTION(reduceScatter, ncclReduceScatter, 2000, Result,                     \
           (const void *, void *, size_t, DataType, ReduceOp, Comm, void *))   \
  FUNCTION(allGather, ncclAllGather, 2000, Result,                             \
           (const void *, void *, size_t, DataType, Comm, void *))             \
  FUNCTION(                                                                    \
      reduce, ncclReduce, 2000, Result,                                        \
      (const void *, void *, size_t, DataType, ReduceOp, int, Comm, void *))   \
  FUNCTION(broadcast, ncclBroadcast, 2202, Result,                             \
           (const void *, void *, size_t, DataType, int, Comm, void *))        \
  FUNCTION(send, ncclSend, 2703, Result,                                       \
           (const void *, size_t, DataType, int, Comm, void *))                \
  FUNCTION(receive, ncclRecv, 2703, Result,                                    \
           (void *, size_t, DataType, int, Comm, void *))

/// Null where the library is older.
#define MUON_NCCL_OPTIONAL_FUNCTIONS(FUNCTION)                                 \
  FUNCTION(commRegister, ncclCommRegister, 21900, Result,                      \
           (Comm, void *, size_t, void **))                                    \
  FUNCTION(commDeregister, ncclCommDeregister, 21900, Result, (Comm, void *))

/// What the runtime needs is all there from this version on.
constexpr int leastVersion = 21801;

/// `2.18.1` of 21801, and `2.8.3` of 2803: the code has more digits since 2.9.
std::string versionText(int version);

/// The functions of a library, which stays loaded until the process ends: NCCL
/// keeps threads.
struct Library {
#define MUON_NCCL_MEMBER(name, symbol, version, result, parameters)            \
  result(*name) parameters = nullptr;
  MUON_NCCL_FUNCTIONS(MUON_NCCL_MEMBER)
  MUON_NCCL_OPTIONAL_FUNCTIONS(MUON_NCCL_MEMBER)
#undef MUON_NCCL_MEMBER

  /// Name or path, as it was loaded.
  std::string path;
  int version = 0;
  /// Moves memory of the host, and not of a GPU: a library for tests, which
  /// exports muonNcclMovesHostMemory.
  bool movesHostMemory = false;

  /// Loads the library of this name or path; if it is empty, the one that the
  /// environment variable MUON_NCCL_LIBRARY names, or else libnccl.so.2.
  static Error load(const std::string &path,
                    std::shared_ptr<const Library> &library);

  /// Success, also for InProgress, or what NCCL says about a call of `function`
  /// with `comm`, which may be null.
  Error check(Result result, std::string_view function,
              Comm comm = nullptr) const;
};

/// The symbol of a member of Library.
template <class Member>
std::string_view symbolOf(Member member) {
#define MUON_NCCL_SYMBOL(name, symbol, version, result, parameters)            \
  if constexpr (std::is_same_v<Member, decltype(&Library::name)>)              \
    if (member == &Library::name)                                              \
      return #symbol;
  MUON_NCCL_FUNCTIONS(MUON_NCCL_SYMBOL)
  MUON_NCCL_OPTIONAL_FUNCTIONS(MUON_NCCL_SYMBOL)
#undef MUON_NCCL_SYMBOL
  return "NCCL";
}

} // namespace muon::nccl

#endif // MUON_MLIR_LIB_RUNTIME_NCCLLIBRARY_H
