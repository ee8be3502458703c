//===- CudaHeaderTest.cpp - Our declarations of CUDA and NVIDIA's ---------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaDriver.h"

#include <cuda.h>
#include <gtest/gtest.h>

using namespace muon;

// A type as it is passed: opaque objects are the same, and so are enums, which
// all have the size of int here.
template <class T>
struct Canonical {
  using type = std::conditional_t<std::is_enum_v<T>, int, T>;
};
template <class T>
struct Canonical<T *> {
  using type = std::conditional_t<std::is_class_v<std::remove_cv_t<T>>, void *,
                                  typename Canonical<T>::type *>;
};
template <class T>
struct Canonical<const T> {
  using type = const typename Canonical<T>::type;
};
template <class R, class... Parameters>
struct Canonical<R (*)(Parameters...)> {
  using type =
      typename Canonical<R>::type (*)(typename Canonical<Parameters>::type...);
};

#define TEXT(x) #x
#define EXPANDED(x) TEXT(x)

template <class T>
constexpr auto value(T x) {
  return static_cast<long long>(x);
}

// cuda.h gives some functions another symbol than name; the table has symbols.
#define SAME(name, symbol)                                                     \
  static_assert(                                                               \
      std::is_same_v<typename Canonical<decltype(cuda::Driver::name)>::type,   \
                     typename Canonical<decltype(&::symbol)>::type>,           \
      #symbol);                                                                \
  EXPECT_EQ(cuda::symbolOf(&cuda::Driver::name), EXPANDED(symbol))

static_assert(sizeof(cuda::Result) == sizeof(CUresult) &&
              sizeof(cuda::DeviceAttribute) == sizeof(CUdevice_attribute) &&
              sizeof(cuda::FunctionAttribute) == sizeof(CUfunction_attribute) &&
              sizeof(cuda::PointerAttribute) == sizeof(CUpointer_attribute) &&
              sizeof(cuda::MemoryType) == sizeof(CUmemorytype) &&
              sizeof(cuda::JitOption) == sizeof(CUjit_option) &&
              sizeof(cuda::CaptureMode) == sizeof(CUstreamCaptureMode) &&
              sizeof(cuda::CaptureStatus) == sizeof(CUstreamCaptureStatus));

TEST(CudaHeaderTest, Functions) {
  SAME(driverGetVersion, cuDriverGetVersion);
  SAME(getErrorName, cuGetErrorName);
  SAME(getErrorString, cuGetErrorString);
  SAME(init, cuInit);
  SAME(deviceGetCount, cuDeviceGetCount);
  SAME(deviceGet, cuDeviceGet);
  SAME(deviceGetName, cuDeviceGetName);
  SAME(deviceGetAttribute, cuDeviceGetAttribute);
  SAME(primaryCtxGetState, cuDevicePrimaryCtxGetState);
  SAME(primaryCtxRetain, cuDevicePrimaryCtxRetain);
  SAME(primaryCtxRelease, cuDevicePrimaryCtxRelease);
  SAME(ctxGetCurrent, cuCtxGetCurrent);
  SAME(ctxGetDevice, cuCtxGetDevice);
  SAME(ctxPushCurrent, cuCtxPushCurrent);
  SAME(ctxPopCurrent, cuCtxPopCurrent);
  SAME(ctxSynchronize, cuCtxSynchronize);
  SAME(moduleLoadDataEx, cuModuleLoadDataEx);
  SAME(moduleUnload, cuModuleUnload);
  SAME(moduleGetFunction, cuModuleGetFunction);
  SAME(funcGetAttribute, cuFuncGetAttribute);
  SAME(funcSetAttribute, cuFuncSetAttribute);
  SAME(launchKernel, cuLaunchKernel);
  SAME(memAlloc, cuMemAlloc);
  SAME(memFree, cuMemFree);
  SAME(memAllocHost, cuMemAllocHost);
  SAME(memFreeHost, cuMemFreeHost);
  SAME(memGetInfo, cuMemGetInfo);
  SAME(memcpyHtoDAsync, cuMemcpyHtoDAsync);
  SAME(memcpyDtoHAsync, cuMemcpyDtoHAsync);
  SAME(memsetD8Async, cuMemsetD8Async);
  SAME(pointerGetAttribute, cuPointerGetAttribute);
  SAME(streamCreate, cuStreamCreate);
  SAME(streamDestroy, cuStreamDestroy);
  SAME(streamSynchronize, cuStreamSynchronize);
  SAME(streamQuery, cuStreamQuery);
  SAME(streamWaitEvent, cuStreamWaitEvent);
  SAME(streamGetCtx, cuStreamGetCtx);
  SAME(streamIsCapturing, cuStreamIsCapturing);
  SAME(streamBeginCapture, cuStreamBeginCapture);
  SAME(streamEndCapture, cuStreamEndCapture);
  SAME(graphInstantiate, cuGraphInstantiateWithFlags);
  SAME(graphLaunch, cuGraphLaunch);
  SAME(graphDestroy, cuGraphDestroy);
  SAME(graphExecDestroy, cuGraphExecDestroy);
  SAME(eventCreate, cuEventCreate);
  SAME(eventRecord, cuEventRecord);
  SAME(eventSynchronize, cuEventSynchronize);
  SAME(eventDestroy, cuEventDestroy);

  constexpr int checked = 48;
  int inTable = 0;
#define COUNT(name, symbol, version, parameters) ++inTable;
  MUON_CUDA_FUNCTIONS(COUNT)
#undef COUNT
  EXPECT_EQ(inTable, checked) << "a function is missing in the list above";
}

TEST(CudaHeaderTest, Numbers) {
#define NUMBER(ours, theirs) EXPECT_EQ(value(cuda::ours), value(theirs))
  NUMBER(Success, CUDA_SUCCESS);
  NUMBER(InvalidValue, CUDA_ERROR_INVALID_VALUE);
  NUMBER(OutOfMemory, CUDA_ERROR_OUT_OF_MEMORY);
  NUMBER(NotInitialized, CUDA_ERROR_NOT_INITIALIZED);
  NUMBER(StubLibrary, CUDA_ERROR_STUB_LIBRARY);
  NUMBER(NoDevice, CUDA_ERROR_NO_DEVICE);
  NUMBER(InvalidDevice, CUDA_ERROR_INVALID_DEVICE);
  NUMBER(InvalidContext, CUDA_ERROR_INVALID_CONTEXT);
  NUMBER(InvalidImage, CUDA_ERROR_INVALID_IMAGE);
  NUMBER(NoBinaryForGpu, CUDA_ERROR_NO_BINARY_FOR_GPU);
  NUMBER(JitCompilerNotFound, CUDA_ERROR_JIT_COMPILER_NOT_FOUND);
  NUMBER(InvalidSource, CUDA_ERROR_INVALID_SOURCE);
  NUMBER(InvalidPtx, CUDA_ERROR_INVALID_PTX);
  NUMBER(UnsupportedPtxVersion, CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
  NUMBER(InvalidHandle, CUDA_ERROR_INVALID_HANDLE);
  NUMBER(IllegalState, CUDA_ERROR_ILLEGAL_STATE);
  NUMBER(NotFound, CUDA_ERROR_NOT_FOUND);
  NUMBER(NotReady, CUDA_ERROR_NOT_READY);
  NUMBER(IllegalAddress, CUDA_ERROR_ILLEGAL_ADDRESS);
  NUMBER(LaunchOutOfResources, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
  NUMBER(LaunchTimeout, CUDA_ERROR_LAUNCH_TIMEOUT);
  NUMBER(IllegalInstruction, CUDA_ERROR_ILLEGAL_INSTRUCTION);
  NUMBER(MisalignedAddress, CUDA_ERROR_MISALIGNED_ADDRESS);
  NUMBER(LaunchFailed, CUDA_ERROR_LAUNCH_FAILED);
  NUMBER(NotSupported, CUDA_ERROR_NOT_SUPPORTED);
  NUMBER(StreamCaptureUnsupported, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  NUMBER(StreamCaptureInvalidated, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  NUMBER(StreamCaptureIsolation, CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
  NUMBER(StreamCaptureImplicit, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  NUMBER(StreamCaptureWrongThread, CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);

  NUMBER(MaxSharedBytes, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
  NUMBER(ComputeMajor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  NUMBER(ComputeMinor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  NUMBER(MaxSharedBytesOptin,
         CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  NUMBER(FunctionMaxThreads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
  NUMBER(FunctionStaticShared, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
  NUMBER(FunctionRegisters, CU_FUNC_ATTRIBUTE_NUM_REGS);
  NUMBER(FunctionMaxDynamicShared,
         CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
  NUMBER(PointerMemoryType, CU_POINTER_ATTRIBUTE_MEMORY_TYPE);
  NUMBER(PointerDeviceOrdinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL);
  NUMBER(HostMemory, CU_MEMORYTYPE_HOST);
  NUMBER(DeviceMemory, CU_MEMORYTYPE_DEVICE);
  NUMBER(JitErrorLog, CU_JIT_ERROR_LOG_BUFFER);
  NUMBER(JitErrorLogBytes, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
  NUMBER(CaptureGlobal, CU_STREAM_CAPTURE_MODE_GLOBAL);
  NUMBER(CaptureThreadLocal, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  NUMBER(CaptureRelaxed, CU_STREAM_CAPTURE_MODE_RELAXED);
  NUMBER(CaptureNone, CU_STREAM_CAPTURE_STATUS_NONE);
  NUMBER(CaptureActive, CU_STREAM_CAPTURE_STATUS_ACTIVE);
  NUMBER(CaptureInvalidated, CU_STREAM_CAPTURE_STATUS_INVALIDATED);
  NUMBER(streamNonBlocking, CU_STREAM_NON_BLOCKING);
  NUMBER(eventDisableTiming, CU_EVENT_DISABLE_TIMING);
#undef NUMBER
  EXPECT_EQ(reinterpret_cast<uintptr_t>(cuda::legacyStream()),
            reinterpret_cast<uintptr_t>(CU_STREAM_LEGACY));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(cuda::perThreadStream()),
            reinterpret_cast<uintptr_t>(CU_STREAM_PER_THREAD));
}
