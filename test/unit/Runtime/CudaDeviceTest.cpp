//===- CudaDeviceTest.cpp - Running steps through a CUDA driver -----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaTest.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <thread>

using namespace muon;
using namespace muon::test;

#define ASSERT_SUCCESS(expression)                                             \
  do {                                                                         \
    Error error = (expression);                                                \
    ASSERT_FALSE(error) << error.message();                                    \
  } while (false)

// Before anything looks for a profiler in this process.
static const bool isProfiled = [] {
  return ::setenv("NVTX_INJECTION64_PATH", FAKE_CUDA, 1) == 0;
}();

/// The step by its definition: one rounding for each element.
static void axpy(float alpha, const std::vector<float> &x,
                 std::vector<float> &y) {
  for (size_t i = 0; i < y.size(); ++i)
    y[i] = std::fma(alpha, x[i], y[i]);
}

namespace {

class CudaDeviceTest : public CudaTest {
protected:
  void TearDown() override {
    inStep = nullptr;
    EXPECT_STREQ(fakeCudaFindings(), "");
    FakeCudaStats stats = fakeStats();
    EXPECT_EQ(stats.leaked, 0u);
    EXPECT_EQ(stats.retains, 0u);
    EXPECT_EQ(stats.contexts, 0u);
    EXPECT_EQ(stats.allocations, 0u);
    EXPECT_EQ(stats.hostAllocations, 0u);
    EXPECT_EQ(stats.undefinedBytes, 0u);
  }

  static cuda::Stream makeStream(unsigned flags = 0) {
    cuda::Stream stream = nullptr;
    EXPECT_EQ(cuStreamCreate(&stream, flags), cuda::Success);
    return stream;
  }
};

} // namespace

TEST_F(CudaDeviceTest, GraphEqualsEagerEqualsDefinition) {
  std::vector<float> x = sampleX();
  std::vector<float> results[2];
  for (bool graph : {false, true}) {
    reset("");
    std::vector<float> expected = sampleY();
    AxpyStep step(open(graph ? "graph=on" : "graph=off"), axpyManifest());
    step.bind(expected, x);
    for (float alpha : {0.5f, 0.3f, -1.25f}) {
      step.setAlpha(alpha);
      ASSERT_SUCCESS(step.run());
      axpy(alpha, x, expected);
    }
    results[graph] = step.y();
    EXPECT_EQ(results[graph], expected);

    FakeCudaStats stats = fakeStats();
    EXPECT_EQ(stats.captures, graph ? 1u : 0u);
    EXPECT_EQ(stats.instantiations, graph ? 1u : 0u);
    EXPECT_EQ(stats.graphLaunches, graph ? 3u : 0u);
    EXPECT_EQ(stats.launches, graph ? 3u : 9u);
    EXPECT_EQ(stats.executed, 9u);
    EXPECT_EQ(stats.graphs, 0u);
  }
  EXPECT_EQ(results[0], results[1]);
}

// Nothing waits between runs: the values of each are those at its call.
TEST_F(CudaDeviceTest, ScalarsAreByValue) {
  AxpyStep step(open(), axpyManifest());
  std::vector<float> x = sampleX(), expected = sampleY();
  step.bind(expected, x);
  uint64_t executed = 0, syncs = fakeStats().syncs;
  // More than uploads are in flight at once.
  for (int i = 0; i < 20; ++i) {
    float alpha = float(i - 7) / 16;
    step.setAlpha(alpha);
    ASSERT_SUCCESS(step.run());
    axpy(alpha, x, expected);
    if (i == 0)
      executed = fakeStats().executed;
  }
  EXPECT_EQ(executed, 0u) << "the first run has to wait for nothing";
  EXPECT_EQ(fakeStats().syncs, syncs);
  EXPECT_EQ(step.y(), expected);
  EXPECT_EQ(fakeStats().captures, 1u);
}

TEST_F(CudaDeviceTest, RebindingDoesNotCapture) {
  AxpyStep step(open(), axpyManifest());
  std::vector<float> x = sampleX(), first = sampleY(), second = sampleX();
  step.setAlpha(2);
  step.bind(first, x);
  ASSERT_SUCCESS(step.run());
  axpy(2, x, first);
  EXPECT_EQ(step.y(), first);

  std::vector<float> otherX = sampleY();
  step.bind(second, otherX);
  ASSERT_SUCCESS(step.run());
  axpy(2, otherX, second);
  EXPECT_EQ(step.y(), second);
  EXPECT_EQ(fakeStats().captures, 1u);
  EXPECT_EQ(fakeStats().launches, 3u);
}

TEST_F(CudaDeviceTest, TwoStepsOnTwoStreams) {
  const PrimaryContext primary;
  cuda::Stream a = makeStream(), b = makeStream(cuda::streamNonBlocking);
  {
    std::shared_ptr<Device> device = open();
    Manifest manifest = axpyManifest();
    AxpyStep one(device, manifest), two(device, manifest, one.program);
    EXPECT_EQ(fakeStats().moduleLoads, 1u);
    std::vector<float> x = sampleX(), y1 = sampleY(), y2 = sampleX();
    one.bind(y1, x, a);
    two.bind(y2, x, b);
    for (int i = 1; i < 5; ++i) {
      one.setAlpha(float(i), a);
      two.setAlpha(float(-i), b);
      ASSERT_SUCCESS(one.run(a));
      ASSERT_SUCCESS(two.run(b));
      axpy(float(i), x, y1);
      axpy(float(-i), x, y2);
    }
    EXPECT_EQ(two.y(b), y2);
    // Only what the other stream waits for has run.
    EXPECT_EQ(fakeStats().executed, 12u);
    EXPECT_EQ(one.y(a), y1);
    EXPECT_EQ(fakeStats().executed, 24u);
    EXPECT_EQ(fakeStats().captures, 2u);
  }
  EXPECT_EQ(cuStreamDestroy_v2(b), cuda::Success);
  EXPECT_EQ(cuStreamDestroy_v2(a), cuda::Success);
}

// The memory of a step is the same wherever it runs.
TEST_F(CudaDeviceTest, OneStepOnTwoStreams) {
  const PrimaryContext primary;
  cuda::Stream a = makeStream(cuda::streamNonBlocking);
  cuda::Stream b = makeStream(cuda::streamNonBlocking);
  for (const char *options : {"graph=on", "graph=off"}) {
    AxpyStep step(open(options), axpyManifest());
    std::vector<float> x = sampleX(), y = sampleY();
    step.setAlpha(3, a);
    step.bind(y, x, a);
    ASSERT_SUCCESS(step.run(a));
    ASSERT_SUCCESS(step.run(b));
    axpy(3, x, y);
    axpy(3, x, y);
    EXPECT_EQ(step.y(b), y) << options;
  }
  EXPECT_EQ(cuStreamDestroy_v2(b), cuda::Success);
  EXPECT_EQ(cuStreamDestroy_v2(a), cuda::Success);
}

TEST_F(CudaDeviceTest, StreamsThatExistAnyway) {
  for (cuda::Stream stream :
       {cuda::Stream(), cuda::legacyStream(), cuda::perThreadStream()}) {
    AxpyStep step(open(), axpyManifest());
    ASSERT_SUCCESS(step.device->checkStream(stream));
    std::vector<float> x = sampleX(), y = sampleY();
    step.setAlpha(3, stream);
    step.bind(y, x, stream);
    ASSERT_SUCCESS(step.run(stream));
    axpy(3, x, y);
    EXPECT_EQ(step.y(stream), y);
  }
}

// Whoever uses the default stream meanwhile neither breaks a capture, nor is
// refused.
TEST_F(CudaDeviceTest, OthersWorkDuringCapture) {
  const PrimaryContext primary;
  AxpyStep step(open(), axpyManifest());
  std::vector<float> x = sampleX(), y = sampleY();
  step.setAlpha(1);
  step.bind(y, x);
  int calls = 0;
  inStep = [&] {
    ++calls;
    std::thread([&] {
      void *memory = nullptr;
      ASSERT_SUCCESS(step.device->allocate(64, 16, "a test", memory));
      ASSERT_SUCCESS(step.device->clear(memory, 64, nullptr));
      ASSERT_SUCCESS(step.device->synchronize(nullptr));
      const PrimaryContext own;
      ASSERT_EQ(cuMemFree_v2(reinterpret_cast<uintptr_t>(memory)),
                cuda::Success);
    }).join();
  };
  ASSERT_SUCCESS(step.run());
  EXPECT_EQ(calls, 1);
  axpy(1, x, y);
  EXPECT_EQ(step.y(), y);
}

TEST_F(CudaDeviceTest, LargeUploadsAreByValue) {
  std::shared_ptr<Device> device = open();
  // On either side of what is staged.
  for (size_t size : {size_t(65536), size_t(65537), size_t(300000)}) {
    std::vector<char> host(size, 1);
    void *memory = nullptr;
    ASSERT_SUCCESS(device->allocate(size, 16, "a test", memory));
    ASSERT_SUCCESS(device->upload(memory, host.data(), size, nullptr));
    std::fill(host.begin(), host.end(), 2);
    std::vector<char> back(size);
    ASSERT_SUCCESS(device->download(back.data(), memory, size, nullptr));
    EXPECT_EQ(back, std::vector<char>(size, 1));
    device->deallocate(memory);
  }
  // Page-locked memory is read when the stream gets there.
  const PrimaryContext primary;
  for (size_t size : {size_t(100), size_t(100000)}) {
    void *pinned = nullptr, *memory = nullptr;
    ASSERT_EQ(cuMemAllocHost_v2(&pinned, size), cuda::Success);
    std::memset(pinned, 1, size);
    ASSERT_SUCCESS(device->allocate(size, 16, "a test", memory));
    ASSERT_SUCCESS(device->upload(memory, pinned, size, nullptr));
    std::memset(pinned, 2, size);
    std::vector<char> back(size);
    ASSERT_SUCCESS(device->download(back.data(), memory, size, nullptr));
    EXPECT_EQ(back, std::vector<char>(size, 1));
    EXPECT_EQ(cuMemFreeHost(pinned), cuda::Success);
    device->deallocate(memory);
  }
}

TEST_F(CudaDeviceTest, ClearAndAlignment) {
  std::shared_ptr<Device> device = open();
  void *first = nullptr, *second = nullptr, *empty = nullptr;
  ASSERT_SUCCESS(device->allocate(100, 4096, "a test", first));
  ASSERT_SUCCESS(device->allocate(100, 65536, "a test", second));
  ASSERT_SUCCESS(device->allocate(0, 1, "a test", empty));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 4096, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(second) % 65536, 0u);
  EXPECT_NE(empty, nullptr);
  std::vector<char> ones(100, 1), back(100);
  ASSERT_SUCCESS(device->upload(first, ones.data(), 100, nullptr));
  ASSERT_SUCCESS(device->clear(static_cast<char *>(first) + 10, 80, nullptr));
  ASSERT_SUCCESS(device->download(back.data(), first, 100, nullptr));
  std::fill(ones.begin() + 10, ones.begin() + 90, 0);
  EXPECT_EQ(back, ones);
  for (void *each : {first, second, empty})
    device->deallocate(each);
}

// Its memory may go right after it.
TEST_F(CudaDeviceTest, DestructionWaits) {
  for (const char *options : {"graph=on", "graph=off"}) {
    reset("");
    AxpyStep step(open(options), axpyManifest());
    step.setAlpha(1);
    step.bind(sampleY(), sampleX());
    ASSERT_SUCCESS(step.run());
    EXPECT_EQ(fakeStats().executed, 0u);
    step.execution.reset();
    EXPECT_EQ(fakeStats().executed, 3u);
  }
}

// The manual does not promise that the driver waits.
TEST_F(CudaDeviceTest, DeallocationWaits) {
  std::shared_ptr<Device> device = open();
  void *memory = nullptr;
  std::vector<char> host(100);
  ASSERT_SUCCESS(device->allocate(100, 16, "a test", memory));
  ASSERT_SUCCESS(device->upload(memory, host.data(), 100, nullptr));
  device->deallocate(memory);
  ASSERT_SUCCESS(device->synchronize(nullptr));
}

// Whatever is called, with success or not.
TEST_F(CudaDeviceTest, ContextIsLeftAsFound) {
  reset("devices=2");
  ASSERT_EQ(cuInit(0), cuda::Success);
  cuda::Context other = nullptr, found = nullptr;
  ASSERT_EQ(cuCtxCreate_v2(&other, 0, 1), cuda::Success);
  auto expectOther = [&] {
    ASSERT_EQ(cuCtxGetCurrent(&found), cuda::Success);
    EXPECT_EQ(found, other);
  };
  {
    AxpyStep step(open("0"), axpyManifest());
    expectOther();
    std::vector<float> x = sampleX(), y = sampleY();
    step.setAlpha(1);
    step.bind(y, x);
    ASSERT_SUCCESS(step.run());
    expectOther();
    ASSERT_SUCCESS(step.run());
    EXPECT_TRUE(step.device->checkAddress(&x, 4));
    expectOther();
    axpy(1, x, y);
    axpy(1, x, y);
    EXPECT_EQ(step.y(), y);
    expectOther();
    // And so in a thread that has none.
    std::thread([&] {
      cuda::Context none = nullptr;
      ASSERT_SUCCESS(step.run());
      ASSERT_EQ(cuCtxGetCurrent(&none), cuda::Success);
      EXPECT_EQ(none, nullptr);
    }).join();
  }
  expectOther();
  EXPECT_EQ(cuCtxDestroy_v2(other), cuda::Success);
}

TEST_F(CudaDeviceTest, CubinOfTheArchitectureIsPreferred) {
  auto cubin = fakeCubin;
  const std::string code = std::string("!") + cubin(80) + cubin(86);
  Manifest manifest = axpyManifest();
  uint64_t size = cubin(80).size();
  // Were the PTX loaded, it would not compile.
  manifest.device->isa = 90;
  manifest.device->code = {{DeviceCode::Ptx, {80, 0}, 0, 1},
                           {DeviceCode::Cubin, {80, 0}, 1, size},
                           {DeviceCode::Cubin, {86, 0}, 1 + size, size}};
  for (const char *options : {"cc=80", "cc=86"}) {
    reset(options);
    AxpyStep step(open(), manifest, nullptr, code);
    std::vector<float> x = sampleX(), y = sampleY();
    step.setAlpha(1);
    step.bind(y, x);
    ASSERT_SUCCESS(step.run());
    axpy(1, x, y);
    EXPECT_EQ(step.y(), y);
  }
  // Cubins are of one architecture.
  reset("cc=89,driver=13000");
  std::shared_ptr<Device> device = open();
  ASSERT_SUCCESS(device->accepts(manifest));
  std::shared_ptr<const Program> program;
  Error error = device->load(manifest, axpyStep, code, program);
  EXPECT_NE(error.message().find("CUDA_ERROR_INVALID_PTX"), std::string::npos);
  manifest.device->code.erase(manifest.device->code.begin());
  EXPECT_EQ(device->accepts(manifest).message(),
            "compiled for sm_80 (a cubin for sm_80, a cubin for sm_86), which "
            "GPU 0 (Fake 0, sm_89) does not run");
}

TEST_F(CudaDeviceTest, PtxIfTheCubinIsRefused) {
  const std::string cubin = fakeCubin(80), code = cubin + axpyPtx;
  Manifest manifest = axpyManifest();
  manifest.device->code = {
      {DeviceCode::Cubin, {80, 0}, 0, cubin.size()},
      {DeviceCode::Ptx, {80, 0}, cubin.size(), code.size() - cubin.size()}};
  for (const char *options : {"refuse-cubin=200", "refuse-cubin=209",
                              "refuse-cubin=222", "refuse-cubin=300"}) {
    reset(options);
    AxpyStep step(open(), manifest, nullptr, code);
    std::vector<float> x = sampleX(), y = sampleY();
    step.setAlpha(1);
    step.bind(y, x);
    ASSERT_SUCCESS(step.run());
    axpy(1, x, y);
    EXPECT_EQ(step.y(), y);
  }
}

TEST_F(CudaDeviceTest, PtxOfTheLatestArchitecture) {
  reset("cc=89");
  const std::string code = std::string("!") + axpyPtx;
  Manifest manifest = axpyManifest();
  uint64_t size = code.size() - 1;
  manifest.device->code = {{DeviceCode::Ptx, {75, 0}, 0, 1},
                           {DeviceCode::Ptx, {80, 0}, 1, size},
                           {DeviceCode::Ptx, {80, 'a'}, 0, 1},
                           {DeviceCode::Ptx, {90, 0}, 0, 1}};
  AxpyStep step(open(), manifest, nullptr, code);
  EXPECT_EQ(fakeStats().moduleLoads, 1u);
}

TEST_F(CudaDeviceTest, NvtxRanges) {
  ASSERT_TRUE(isProfiled);
  for (const char *options : {"graph=on", "graph=off"}) {
    AxpyStep step(open(options), axpyManifest());
    step.setAlpha(1);
    step.bind(sampleY(), sampleX());
    fakeNvtxLog();
    ASSERT_SUCCESS(step.run());
    const std::string phases = "push look\npop\npush update\npop\n";
    bool isGraph = std::strcmp(options, "graph=on") == 0;
    EXPECT_EQ(fakeNvtxLog(),
              isGraph ? "push step\npush capture\n" + phases + "pop\npop\n"
                      : "push step\n" + phases + "pop\n");
    ASSERT_SUCCESS(step.run());
    EXPECT_EQ(fakeNvtxLog(),
              isGraph ? "push step\npop\n" : "push step\n" + phases + "pop\n");
  }
}
