//===- CudaTest.h - Steps on the fake driver --------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_CUDATEST_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_CUDATEST_H

#include "CudaDriver.h"
#include "Device.h"
#include "FakeCuda.h"
#include "Manifest.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

// What tests do as callers of the driver.
extern "C" {
muon::cuda::Result cuInit(unsigned);
muon::cuda::Result cuCtxCreate_v2(muon::cuda::Context *, unsigned, int);
muon::cuda::Result cuCtxDestroy_v2(muon::cuda::Context);
muon::cuda::Result cuCtxGetCurrent(muon::cuda::Context *);
muon::cuda::Result cuCtxPushCurrent_v2(muon::cuda::Context);
muon::cuda::Result cuCtxPopCurrent_v2(muon::cuda::Context *);
muon::cuda::Result cuDevicePrimaryCtxRetain(muon::cuda::Context *, int);
muon::cuda::Result cuDevicePrimaryCtxRelease_v2(int);
muon::cuda::Result cuStreamCreate(muon::cuda::Stream *, unsigned);
muon::cuda::Result cuStreamDestroy_v2(muon::cuda::Stream);
muon::cuda::Result cuStreamSynchronize(muon::cuda::Stream);
muon::cuda::Result cuStreamBeginCapture_v2(muon::cuda::Stream,
                                           muon::cuda::CaptureMode);
muon::cuda::Result cuStreamEndCapture(muon::cuda::Stream, muon::cuda::Graph *);
muon::cuda::Result cuGraphDestroy(muon::cuda::Graph);
muon::cuda::Result cuMemAlloc_v2(muon::cuda::Address *, size_t);
muon::cuda::Result cuMemFree_v2(muon::cuda::Address);
muon::cuda::Result cuMemAllocHost_v2(void **, size_t);
muon::cuda::Result cuMemFreeHost(void *);
muon::cuda::Result cuMemcpyHtoDAsync_v2(muon::cuda::Address, const void *,
                                        size_t, muon::cuda::Stream);
muon::cuda::Result cuMemsetD8Async(muon::cuda::Address, unsigned char, size_t,
                                   muon::cuda::Stream);
muon::cuda::Result cuModuleLoadDataEx(muon::cuda::CodeModule *, const void *,
                                      unsigned, muon::cuda::JitOption *,
                                      void **);
muon::cuda::Result cuModuleUnload(muon::cuda::CodeModule);
muon::cuda::Result cuModuleGetFunction(muon::cuda::Function *,
                                       muon::cuda::CodeModule, const char *);
muon::cuda::Result cuFuncSetAttribute(muon::cuda::Function,
                                      muon::cuda::FunctionAttribute, int);
muon::cuda::Result cuLaunchKernel(muon::cuda::Function, unsigned, unsigned,
                                  unsigned, unsigned, unsigned, unsigned,
                                  unsigned, muon::cuda::Stream, void **,
                                  void **);
}

namespace muon::test {

/// A step in two kernels that works on slots y, x and alpha: `axpy` puts
/// y + alpha x into the arena, `store` moves that to y by way of 64 KiB of
/// dynamic shared memory, which is more than a kernel has unasked.
extern const char axpyPtx[];

/// The manifest that fits `code`, all of it PTX for sm_80.
Manifest axpyManifest(const std::string &code = axpyPtx);

/// What the fake driver takes for a cubin of the two kernels.
std::string fakeCubin(int arch);

/// Number of elements of the tensors.
constexpr uint32_t numElements = 300;

/// Launches both kernels. In between it calls `inStep`, if that is set.
int32_t axpyStep(const MuonHostApi *host, void *const *slots, void *stream);
extern std::function<void()> inStep;

/// What a device is opened by: the fake, and these options.
std::string fakeDevice(const std::string &options = "");

FakeCudaStats fakeStats();

class CudaTest : public testing::Test {
protected:
  /// A machine of its own for each test.
  void SetUp() override { reset(""); }
  void reset(const char *options) { ASSERT_TRUE(fakeCudaReset(options)); }

  /// Opens a device, which has to be there.
  std::shared_ptr<Device> open(const std::string &options = "");
};

/// The primary context of GPU 0, current in this thread, as of a caller who
/// uses the CUDA runtime.
class PrimaryContext {
public:
  PrimaryContext();
  ~PrimaryContext();
  PrimaryContext(const PrimaryContext &) = delete;
  PrimaryContext &operator=(const PrimaryContext &) = delete;

  cuda::Context context = nullptr;
};

/// One step, with its memory.
class AxpyStep {
public:
  /// Loads the code too, unless there is a program already.
  AxpyStep(std::shared_ptr<Device> device, Manifest manifest,
           std::shared_ptr<const Program> program = nullptr,
           const std::string &code = axpyPtx);
  ~AxpyStep();

  void setAlpha(float alpha, void *stream = nullptr);
  /// Makes other memory the tensors; `y` has to be downloaded before.
  void bind(const std::vector<float> &y, const std::vector<float> &x,
            void *stream = nullptr);
  Error run(void *stream = nullptr) {
    if (Error error = execution->begin(stream))
      return error;
    return execution->run(nullptr, stream);
  }
  std::vector<float> y(void *stream = nullptr);

private:
  /// Programs refer to it.
  const Manifest manifest;

public:
  std::shared_ptr<Device> device;
  std::shared_ptr<const Program> program;
  std::unique_ptr<Execution> execution;

private:
  void *allocate(uint64_t bytes);

  std::vector<void *> memory;
  StepMemory stepMemory;
  void *alpha = nullptr, *tensorY = nullptr;
};

/// y and x that differ from element to element.
std::vector<float> sampleY(), sampleX();

} // namespace muon::test

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_CUDATEST_H
