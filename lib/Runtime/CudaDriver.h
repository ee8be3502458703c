//===- CudaDriver.h - The CUDA driver, loaded at run time -------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of the CUDA driver API that the runtime uses, declared here so that
// the build needs no CUDA installation. Names, signatures and numbers are those
// of cuda.h of CUDA 13.0 on 64-bit Linux, and the versions that brought a
// function those of its cudaTypedefs.h; a unit test compares them with cuda.h
// where there is one.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_CUDADRIVER_H
#define MUON_MLIR_LIB_RUNTIME_CUDADRIVER_H

#include "Error.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace muon::cuda {

using Ordinal = int; // CUdevice
using Address = unsigned long long;
using Context = struct CUctx_st *;
using CodeModule = struct CUmod_st *;
using Function = struct CUfunc_st *;
using Stream = struct CUstream_st *;
using Event = struct CUevent_st *;
using Graph = struct CUgraph_st *;
using GraphExec = struct CUgraphExec_st *;

enum Result : int {
  Success = 0,
  InvalidValue = 1,
  OutOfMemory = 2,
  NotInitialized = 3,
  StubLibrary = 34,
  NoDevice = 100,
  InvalidDevice = 101,
  InvalidImage = 200,
  InvalidContext = 201,
  NoBinaryForGpu = 209,
  InvalidPtx = 218,
  JitCompilerNotFound = 221,
  UnsupportedPtxVersion = 222,
  InvalidSource = 300,
  InvalidHandle = 400,
  IllegalState = 401,
  NotFound = 500,
  NotReady = 600,
  IllegalAddress = 700,
  LaunchOutOfResources = 701,
  LaunchTimeout = 702,
  IllegalInstruction = 715,
  MisalignedAddress = 716,
  LaunchFailed = 719,
  NotSupported = 801,
  StreamCaptureUnsupported = 900,
  StreamCaptureInvalidated = 901,
  StreamCaptureIsolation = 905,
  StreamCaptureImplicit = 906,
  StreamCaptureWrongThread = 908
};

enum DeviceAttribute : int {
  MaxSharedBytes = 8, // of a block, without asking for more
  ComputeMajor = 75,
  ComputeMinor = 76,
  MaxSharedBytesOptin = 97
};

enum FunctionAttribute : int {
  FunctionMaxThreads = 0,
  FunctionStaticShared = 1,
  FunctionRegisters = 4,
  FunctionMaxDynamicShared = 8
};

enum PointerAttribute : int { PointerMemoryType = 2, PointerDeviceOrdinal = 9 };

enum MemoryType : unsigned { HostMemory = 1, DeviceMemory = 2 };

enum JitOption : int { JitErrorLog = 5, JitErrorLogBytes = 6 };

enum CaptureMode : int {
  CaptureGlobal = 0,
  CaptureThreadLocal = 1,
  CaptureRelaxed = 2
};
enum CaptureStatus : int {
  CaptureNone = 0,
  CaptureActive = 1,
  CaptureInvalidated = 2
};

constexpr unsigned streamNonBlocking = 1, eventDisableTiming = 2;

/// Handles of streams that exist without being created; null is the first one
/// too.
inline Stream legacyStream() { return reinterpret_cast<Stream>(1); }
inline Stream perThreadStream() { return reinterpret_cast<Stream>(2); }

// FUNCTION(name, symbol, CUDA version that brought the symbol, parameters)
#define MUON_CUDA_FUNCTIONS(FUNCTION)                                          \
  FUNCTION(driverGetVersion, cuDriverGetVersion, 2020, (int *))                \
  FUNCTION(getErrorName, cuGetErrorName, 6000, (Result, const char **))        \
  FUNCTION(getErrorString, cuGetErrorString, 6000, (Result, const char **))    \
  FUNCTION(init, cuInit, 2000, (unsigned))                                     \
  FUNCTION(deviceGetCount, cuDeviceGetCount, 2000, (int *))                    \
  FUNCTION(deviceGet, cuDeviceGet, 2000, (Ordinal *, int))                     \
  FUNCTION(deviceGetName, cuDeviceGetName, 2000, (char *, int, Ordinal))       \
  FUNCTION(deviceGetAttribute, cuDeviceGetAttribute, 2000,                     \
           (int *, DeviceAttribute, Ordinal))                                  \
  FUNCTION(primaryCtxRetain, cuDevicePrimaryCtxRetain, 7000,                   \
           (Context *, Ordinal))                                               \
  FUNCTION(primaryCtxGetState, cuDevicePrimaryCtxGetState, 7000,               \
           (Ordinal, unsigned *, int *))                                       \
  FUNCTION(primaryCtxRelease, cuDevicePrimaryCtxRelease_v2, 11000, (Ordinal))  \
  FUNCTION(ctxGetCurrent, cuCtxGetCurrent, 4000, (Context *))                  \
  FUNCTION(ctxGetDevice, cuCtxGetDevice, 2000, (Ordinal *))                    \
  FUNCTION(ctxPushCurrent, cuCtxPushCurrent_v2, 4000, (Context))               \
  FUNCTION(ctxPopCurrent, cuCtxPopCurrent_v2, 4000, (Context *))               \
  FUNCTION(ctxSynchronize, cuCtxSynchronize, 2000, ())                         \
  FUNCTION(moduleLoadDataEx, cuModuleLoadDataEx, 2010,                         \
           (CodeModule *, const void *, unsigned, JitOption *, void **))       \
  FUNCTION(moduleUnload, cuModuleUnload, 2000, (CodeModule))                   \
  FUNCTION(moduleGetFunction, cuModuleGetFunction, 2000,                       \
           (Function *, CodeModule, const char *))                             \
  FUNCTION(funcGetAttribute, cuFuncGetAttribute, 2020,                         \
           (int *, FunctionAttribute, Function))                               \
  FUNCTION(funcSetAttribute, cuFuncSetAttribute, 9000,                         \
           (Function, FunctionAttribute, int))                                 \
  FUNCTION(launchKernel, cuLaunchKernel, 4000,                                 \
           (Function, unsigned, unsigned, unsigned, unsigned, unsigned,        \
            unsigned, unsigned, Stream, void **, void **))                     \
  FUNCTION(memAlloc, cuMemAlloc_v2, 3020, (Address *, size_t))                 \
  FUNCTION(memFree, cuMemFree_v2, 3020, (Address))                             \
  FUNCTION(memAllocHost, cuMemAllocHost_v2, 3020, (void **, size_t))           \
  FUNCTION(memFreeHost, cuMemFreeHost, 2000, (void *))                         \
  FUNCTION(memGetInfo, cuMemGetInfo_v2, 3020, (size_t *, size_t *))            \
  FUNCTION(memcpyHtoDAsync, cuMemcpyHtoDAsync_v2, 3020,                        \
           (Address, const void *, size_t, Stream))                            \
  FUNCTION(memcpyDtoHAsync, cuMemcpyDtoHAsync_v2, 3020,                        \
           (void *, Address, size_t, Stream))                                  \
  FUNCTION(memsetD8Async, cuMemsetD8Async, 3020,                               \
           (Address, unsigned char, size_t, Stream))                           \
  FUNCTION(pointerGetAttribute, cuPointerGetAttribute, 4000,                   \
           (void *, PointerAttribute, Address))                                \
  FUNCTION(streamCreate, cuStreamCreate, 2000, (Stream *, unsigned))           \
  FUNCTION(streamDestroy, cuStreamDestroy_v2, 4000, (Stream))                  \
  FUNCTION(streamSynchronize, cuStreamSynchronize, 2000, (Stream))             \
  FUNCTION(streamQuery, cuStreamQuery, 2000, (Stream))                         \
  FUNCTION(streamWaitEvent, cuStreamWaitEvent, 3020,                           \
           (Stream, Event, unsigned))                                          \
  FUNCTION(streamGetCtx, cuStreamGetCtx, 9020, (Stream, Context *))            \
  FUNCTION(streamIsCapturing, cuStreamIsCapturing, 10000,                      \
           (Stream, CaptureStatus *))                                          \
  FUNCTION(streamBeginCapture, cuStreamBeginCapture_v2, 10010,                 \
           (Stream, CaptureMode))                                              \
  FUNCTION(streamEndCapture, cuStreamEndCapture, 10000, (Stream, Graph *))     \
  FUNCTION(graphInstantiate, cuGraphInstantiateWithFlags, 11040,               \
           (GraphExec *, Graph, unsigned long long))                           \
  FUNCTION(graphLaunch, cuGraphLaunch, 10000, (GraphExec, Stream))             \
  FUNCTION(graphDestroy, cuGraphDestroy, 10000, (Graph))                       \
  FUNCTION(graphExecDestroy, cuGraphExecDestroy, 10000, (GraphExec))           \
  FUNCTION(eventCreate, cuEventCreate, 2000, (Event *, unsigned))              \
  FUNCTION(eventRecord, cuEventRecord, 2000, (Event, Stream))                  \
  FUNCTION(eventSynchronize, cuEventSynchronize, 2000, (Event))                \
  FUNCTION(eventDestroy, cuEventDestroy_v2, 4000, (Event))

/// `11.4` of 11040.
std::string versionText(int version);

/// The first CUDA version whose driver reads PTX of this ISA version (times
/// ten); 0 if that is not known.
int cudaVersionOfPtx(unsigned isa);

/// The functions of a driver. The library stays loaded until the process ends,
/// as the driver keeps threads.
struct Driver {
#define MUON_CUDA_MEMBER(name, symbol, version, parameters)                    \
  Result(*name) parameters = nullptr;
  MUON_CUDA_FUNCTIONS(MUON_CUDA_MEMBER)
#undef MUON_CUDA_MEMBER

  /// The CUDA version that the driver supports, 12040 for 12.4.
  int version = 0;

  /// Loads and initializes the library of this name or path.
  static Error load(const std::string &library,
                    std::shared_ptr<const Driver> &driver);

  /// Success, or what the driver says about a call of `function`. `detail`
  /// comes last.
  Error check(Result result, std::string_view function,
              std::string_view detail = {}) const;
};

/// Calls a function of the driver; an Error.
#define MUON_CUDA_CALL(driver, name, ...)                                      \
  (driver).check((driver).name(__VA_ARGS__),                                   \
                 ::muon::cuda::symbolOf(&::muon::cuda::Driver::name))

/// The symbol of a member of Driver.
template <class Member>
std::string_view symbolOf(Member member) {
#define MUON_CUDA_SYMBOL(name, symbol, version, parameters)                    \
  if constexpr (std::is_same_v<Member, decltype(&Driver::name)>)               \
    if (member == &Driver::name)                                               \
      return #symbol;
  MUON_CUDA_FUNCTIONS(MUON_CUDA_SYMBOL)
#undef MUON_CUDA_SYMBOL
  return "CUDA driver";
}

} // namespace muon::cuda

#endif // MUON_MLIR_LIB_RUNTIME_CUDADRIVER_H
