//===- CudaNvtx.cpp - Named ranges for profilers --------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program offers NVTX 3 to a profiler in this way: the environment names a
// library, whose InitializeInjectionNvtx2 gets a function that hands out
// tables; the one of callbacks leads to slots, one for each function of NVTX,
// which the profiler fills in. Numbers and layouts are those of the headers of
// NVTX 3 (nvtxTypes.h, nvtxInit.h) in CUDA 13.0.
//
// Where no library is named, the older libnvToolsExt is used if it is there.
//
//===----------------------------------------------------------------------===//

#include "CudaNvtx.h"

#include <dlfcn.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace muon::cuda;

namespace {

using AnyFunction = void (*)();

enum : uint32_t { TableOfCallbacks = 1, TableOfVersion = 3 };
enum : int { ModuleCore = 1 };
enum : size_t { RangePushA = 9, RangePop = 11, NumCoreFunctions = 16 };

struct CallbackTable {
  size_t bytes;
  int (*moduleFunctions)(int module, AnyFunction ***table, unsigned *size);
};

struct VersionTable {
  size_t bytes;
  uint32_t version, reserved;
  void (*setInjectionVersion)(uint32_t version);
};

struct Functions {
  int (*push)(const char *) = nullptr;
  int (*pop)() = nullptr;
};

} // namespace

// The profiler may fill these in at any time until its initialization returns.
static std::array<AnyFunction, NumCoreFunctions> slots;
static std::array<AnyFunction *, NumCoreFunctions + 1> coreTable;

static int moduleFunctions(int module, AnyFunction ***table, unsigned *size) {
  if (module != ModuleCore)
    return 0;
  // Entry 0 is no function, and null ends the table.
  for (size_t i = 1; i < NumCoreFunctions; ++i)
    coreTable[i] = &slots[i];
  if (table)
    *table = coreTable.data();
  if (size)
    *size = NumCoreFunctions;
  return 1;
}

static const void *exportTable(uint32_t id) {
  static const CallbackTable callbacks = {sizeof(CallbackTable),
                                          moduleFunctions};
  static const VersionTable version = {sizeof(VersionTable), 3, 0,
                                       [](uint32_t) {}};
  if (id == TableOfCallbacks)
    return &callbacks;
  if (id == TableOfVersion)
    return &version;
  return nullptr;
}

static Functions findFunctions() {
  Functions functions;
  if (const char *path = std::getenv("NVTX_INJECTION64_PATH")) {
    void *library = ::dlopen(path, RTLD_LAZY);
    if (!library)
      return functions;
    auto initialize = reinterpret_cast<int (*)(const void *(*)(uint32_t))>(
        ::dlsym(library, "InitializeInjectionNvtx2"));
    if (!initialize || !initialize(exportTable))
      return functions;
    functions.push =
        reinterpret_cast<decltype(functions.push)>(slots[RangePushA]);
    functions.pop = reinterpret_cast<decltype(functions.pop)>(slots[RangePop]);
  } else if (void *library = ::dlopen("libnvToolsExt.so.1", RTLD_LAZY)) {
    functions.push = reinterpret_cast<decltype(functions.push)>(
        ::dlsym(library, "nvtxRangePushA"));
    functions.pop = reinterpret_cast<decltype(functions.pop)>(
        ::dlsym(library, "nvtxRangePop"));
  }
  if (!functions.push || !functions.pop)
    functions = {};
  return functions;
}

static const Functions &functions() {
  static const Functions functions = findFunctions();
  return functions;
}

NvtxRange::NvtxRange(const char *name) {
  if (functions().push)
    functions().push(name);
}

NvtxRange::~NvtxRange() {
  if (functions().pop)
    functions().pop();
}
