//===- FakeCudaTest.cpp - What the fake driver refuses --------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tests that pass because the driver says nothing are worth what the driver
// would say.
//
//===----------------------------------------------------------------------===//

#include "../CudaTest.h"

#include <thread>

using namespace muon;
using namespace muon::cuda;
using namespace muon::test;

namespace {

class FakeCudaTest : public CudaTest {
protected:
  void SetUp() override { start(""); }
  void start(const char *options) {
    reset(options);
    ASSERT_EQ(cuInit(0), Success);
    ASSERT_EQ(cuCtxCreate_v2(&context, 0, 0), Success);
  }

  Function function(const char *name) {
    CodeModule module = nullptr;
    Function result = nullptr;
    EXPECT_EQ(cuModuleLoadDataEx(&module, axpyPtx, 0, nullptr, nullptr),
              Success);
    EXPECT_EQ(cuModuleGetFunction(&result, module, name), Success);
    return result;
  }

  Result launch(Function function, unsigned shared, Stream stream) {
    uint64_t zero = 0;
    uint32_t none = 0;
    void *values[] = {&zero, &zero, &zero, &none, &none};
    return cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, shared, stream, values,
                          nullptr);
  }

  Context context = nullptr;
};

} // namespace

TEST_F(FakeCudaTest, Options) {
  EXPECT_FALSE(fakeCudaReset("color=1"));
  EXPECT_FALSE(fakeCudaReset("cc"));
  EXPECT_FALSE(fakeCudaReset("cc=eighty"));
}

TEST_F(FakeCudaTest, Initialization) {
  reset("");
  Address address = 0;
  EXPECT_EQ(cuMemAlloc_v2(&address, 16), NotInitialized);
  ASSERT_EQ(cuInit(0), Success);
  EXPECT_EQ(cuMemAlloc_v2(&address, 16), InvalidContext);
}

TEST_F(FakeCudaTest, ObjectsOfOtherContexts) {
  Function kernel = function("axpy");
  Stream stream = nullptr;
  Address address = 0;
  ASSERT_EQ(cuStreamCreate(&stream, 0), Success);
  ASSERT_EQ(cuMemAlloc_v2(&address, 16), Success);
  EXPECT_EQ(launch(kernel, 0, stream), Success);
  Context other = nullptr;
  ASSERT_EQ(cuCtxCreate_v2(&other, 0, 0), Success);
  EXPECT_EQ(launch(kernel, 0, nullptr), InvalidHandle);
  EXPECT_EQ(cuStreamSynchronize(stream), InvalidHandle);
  EXPECT_EQ(cuStreamDestroy_v2(stream), InvalidHandle);
  EXPECT_EQ(cuMemFree_v2(address), InvalidValue);
}

TEST_F(FakeCudaTest, DynamicSharedMemory) {
  Function kernel = function("store");
  EXPECT_EQ(launch(kernel, 48 << 10, nullptr), Success);
  EXPECT_EQ(launch(kernel, (48 << 10) + 1, nullptr), InvalidValue);
  EXPECT_EQ(cuFuncSetAttribute(kernel, FunctionMaxDynamicShared, 164 << 10),
            InvalidValue);
  EXPECT_EQ(cuFuncSetAttribute(kernel, FunctionMaxDynamicShared, 64 << 10),
            Success);
  EXPECT_EQ(launch(kernel, 64 << 10, nullptr), Success);
  EXPECT_EQ(launch(kernel, (64 << 10) + 1, nullptr), InvalidValue);
}

TEST_F(FakeCudaTest, FreedMemory) {
  Address address = 0;
  ASSERT_EQ(cuMemAlloc_v2(&address, 16), Success);
  char host[16] = {};
  // The copy is in the stream when its memory goes.
  ASSERT_EQ(cuMemcpyHtoDAsync_v2(address, host, 16, nullptr), Success);
  ASSERT_EQ(cuMemFree_v2(address), Success);
  EXPECT_EQ(cuMemcpyHtoDAsync_v2(address, host, 16, nullptr), InvalidValue);
  EXPECT_EQ(cuMemFree_v2(address), InvalidValue);
  EXPECT_EQ(cuStreamSynchronize(nullptr), IllegalAddress);
  // A context that failed has failed.
  EXPECT_EQ(cuStreamSynchronize(nullptr), IllegalAddress);
}

TEST_F(FakeCudaTest, UnloadedModule) {
  CodeModule module = nullptr;
  Function kernel = nullptr;
  ASSERT_EQ(cuModuleLoadDataEx(&module, axpyPtx, 0, nullptr, nullptr), Success);
  ASSERT_EQ(cuModuleGetFunction(&kernel, module, "axpy"), Success);
  ASSERT_EQ(launch(kernel, 0, nullptr), Success);
  ASSERT_EQ(cuModuleUnload(module), Success);
  EXPECT_EQ(launch(kernel, 0, nullptr), InvalidHandle);
  EXPECT_EQ(cuStreamSynchronize(nullptr), LaunchFailed);
}

TEST_F(FakeCudaTest, WhatACaptureForbids) {
  Stream stream = nullptr;
  Graph graph = nullptr;
  Address address = 0;
  ASSERT_EQ(cuStreamCreate(&stream, 0), Success);
  EXPECT_EQ(cuStreamBeginCapture_v2(nullptr, CaptureThreadLocal),
            StreamCaptureUnsupported);
  auto begin = [&](CaptureMode mode) {
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, mode), Success);
  };
  auto expectBroken = [&] {
    EXPECT_EQ(cuStreamEndCapture(stream, &graph), StreamCaptureInvalidated);
  };
  begin(CaptureThreadLocal);
  EXPECT_EQ(cuStreamBeginCapture_v2(stream, CaptureThreadLocal), IllegalState);
  EXPECT_EQ(cuMemAlloc_v2(&address, 16), StreamCaptureUnsupported);
  expectBroken();
  begin(CaptureThreadLocal);
  EXPECT_EQ(cuStreamSynchronize(stream), StreamCaptureUnsupported);
  expectBroken();
  // The default stream would wait for the one that is captured.
  begin(CaptureThreadLocal);
  ASSERT_EQ(cuStreamSynchronize(nullptr), StreamCaptureImplicit);
  expectBroken();

  // Another thread, by mode.
  for (CaptureMode mode : {CaptureThreadLocal, CaptureGlobal}) {
    begin(mode);
    std::thread([&] {
      ASSERT_EQ(cuCtxPushCurrent_v2(context), Success);
      EXPECT_EQ(cuMemAlloc_v2(&address, 16),
                mode == CaptureGlobal ? StreamCaptureUnsupported : Success);
      EXPECT_EQ(cuStreamEndCapture(stream, &graph), StreamCaptureWrongThread);
    }).join();
    EXPECT_EQ(cuStreamEndCapture(stream, &graph),
              mode == CaptureGlobal ? StreamCaptureInvalidated : Success);
  }
  begin(CaptureRelaxed);
  EXPECT_EQ(cuMemAlloc_v2(&address, 16), Success);
  EXPECT_EQ(cuStreamEndCapture(stream, &graph), Success);
  EXPECT_EQ(cuStreamEndCapture(stream, &graph), IllegalState);
}
