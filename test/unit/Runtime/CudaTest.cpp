//===- CudaTest.cpp - Steps on the fake driver ----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaTest.h"

#include "CpuFeatures.h"

using namespace muon;
using namespace muon::test;

const char test::axpyPtx[] = R"(.version 7.0
.target sm_80
.address_size 64
.extern .shared .align 16 .b8 buffer[];

.visible .entry axpy(
  .param .u64 slots, .param .u64 arena, .param .u64 offset,
  .param .u32 first, .param .u32 count)
{
  .reg .pred %p;
  .reg .b32 %r<6>;
  .reg .b64 %rd<12>;
  .reg .f32 %f<4>;
  ld.param.u64 %rd0, [slots];
  ld.param.u64 %rd1, [arena];
  ld.param.u64 %rd2, [offset];
  ld.param.u32 %r0, [first];
  ld.param.u32 %r1, [count];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.u32 %r4, %r2, %r3, %r4;
  setp.ge.u32 %p, %r4, %r1;
  @%p bra DONE;
  add.u32 %r4, %r4, %r0;
  mul.wide.u32 %rd3, %r4, 4;
  ld.global.u64 %rd4, [%rd0];
  ld.global.u64 %rd5, [%rd0+8];
  ld.global.u64 %rd6, [%rd0+16];
  add.u64 %rd4, %rd4, %rd3;
  add.u64 %rd5, %rd5, %rd3;
  ld.global.f32 %f0, [%rd4];
  ld.global.f32 %f1, [%rd5];
  ld.global.f32 %f2, [%rd6];
  fma.rn.f32 %f3, %f2, %f1, %f0;
  add.u64 %rd7, %rd1, %rd2;
  add.u64 %rd7, %rd7, %rd3;
  st.global.f32 [%rd7], %f3;
DONE:
  ret;
}

.visible .entry store(
  .param .u64 slots, .param .u64 arena, .param .u64 offset,
  .param .u32 first, .param .u32 count)
{
  .reg .pred %p;
  .reg .b32 %r<8>;
  .reg .b64 %rd<8>;
  .reg .f32 %f<2>;
  ld.param.u64 %rd0, [slots];
  ld.param.u64 %rd1, [arena];
  ld.param.u64 %rd2, [offset];
  ld.param.u32 %r0, [first];
  ld.param.u32 %r1, [count];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r5, %tid.x;
  mad.lo.u32 %r4, %r2, %r3, %r5;
  setp.ge.u32 %p, %r4, %r1;
  @%p bra DONE;
  add.u32 %r4, %r4, %r0;
  mul.wide.u32 %rd3, %r4, 4;
  add.u64 %rd4, %rd1, %rd2;
  add.u64 %rd4, %rd4, %rd3;
  ld.global.f32 %f0, [%rd4];
  mov.u32 %r6, buffer;
  mad.lo.u32 %r6, %r5, 4, %r6;
  st.shared.f32 [%r6+61440], %f0;
  ld.shared.f32 %f1, [%r6+61440];
  ld.global.u64 %rd5, [%rd0];
  add.u64 %rd5, %rd5, %rd3;
  st.global.f32 [%rd5], %f1;
DONE:
  ret;
}
)";

std::function<void()> test::inStep;

// Past the start of the arena, so that the offset matters.
static constexpr int64_t arenaOffset = 64;
static constexpr uint32_t blockThreads = 128;

Manifest test::axpyManifest(const std::string &code) {
  Manifest manifest;
  manifest.compiler = "test";
  manifest.target = "cuda";
  manifest.arch = hostArch();
  manifest.slots = 3;
  manifest.arenaBytes = arenaOffset + 4 * numElements;
  DeviceManifest device;
  device.arch = {80, 0};
  device.isa = 70;
  device.alignment = 16;
  device.code.push_back({DeviceCode::Ptx, {80, 0}, 0, code.size()});
  Kernel axpy;
  axpy.name = "axpy";
  axpy.phase = "look";
  axpy.threads = blockThreads;
  Kernel store;
  store.name = "store";
  store.phase = "update";
  store.threads = blockThreads;
  store.sharedBytes = 64 << 10;
  device.kernels = {axpy, store};
  manifest.device = device;
  return manifest;
}

std::string test::fakeCubin(int arch) {
  return std::string("\x7f"
                     "ELF fake cubin ") +
         std::to_string(arch) + "\n" + axpyPtx;
}

int32_t test::axpyStep(const MuonHostApi *host, void *const *, void *) {
  constexpr int64_t blocks = (numElements + blockThreads - 1) / blockThreads;
  host->launch(host->context, 0, blocks, arenaOffset, 0, numElements);
  if (inStep)
    inStep();
  // In two parts, by `first`: the second block on is the second part.
  host->launch(host->context, 1, 1, arenaOffset, 0, blockThreads);
  host->launch(host->context, 1, blocks - 1, arenaOffset, blockThreads,
               numElements - blockThreads);
  return 0;
}

std::string test::fakeDevice(const std::string &options) {
  return "cuda:driver=" FAKE_CUDA + (options.empty() ? "" : "," + options);
}

FakeCudaStats test::fakeStats() {
  FakeCudaStats stats;
  fakeCudaStats(&stats);
  return stats;
}

std::shared_ptr<Device> CudaTest::open(const std::string &options) {
  std::shared_ptr<Device> device;
  Error error = openDevice(fakeDevice(options), device);
  EXPECT_FALSE(error) << error.message();
  return device;
}

PrimaryContext::PrimaryContext() {
  EXPECT_EQ(cuInit(0), cuda::Success);
  EXPECT_EQ(cuDevicePrimaryCtxRetain(&context, 0), cuda::Success);
  EXPECT_EQ(cuCtxPushCurrent_v2(context), cuda::Success);
}

PrimaryContext::~PrimaryContext() {
  cuda::Context popped = nullptr;
  EXPECT_EQ(cuCtxPopCurrent_v2(&popped), cuda::Success);
  EXPECT_EQ(popped, context);
  EXPECT_EQ(cuDevicePrimaryCtxRelease_v2(0), cuda::Success);
}

#define EXPECT_SUCCESS(expression)                                             \
  do {                                                                         \
    Error error = (expression);                                                \
    EXPECT_FALSE(error) << error.message();                                    \
  } while (false)

AxpyStep::AxpyStep(std::shared_ptr<Device> on, Manifest of,
                   std::shared_ptr<const Program> from, const std::string &code)
    : manifest(std::move(of)), device(std::move(on)), program(std::move(from)) {
  if (!program) {
    EXPECT_SUCCESS(device->accepts(manifest));
    EXPECT_SUCCESS(device->load(manifest, axpyStep, code, program));
  }
  stepMemory.arena = allocate(manifest.arenaBytes);
  stepMemory.slots = allocate(8 * manifest.slots);
  alpha = allocate(4);
  EXPECT_SUCCESS(program->makeExecution(stepMemory, execution));
}

AxpyStep::~AxpyStep() {
  execution.reset();
  for (void *each : memory)
    device->deallocate(each);
}

void *AxpyStep::allocate(uint64_t bytes) {
  void *result = nullptr;
  EXPECT_SUCCESS(device->allocate(bytes, 16, "a test", result));
  memory.push_back(result);
  return result;
}

void AxpyStep::setAlpha(float value, void *stream) {
  EXPECT_SUCCESS(device->upload(alpha, &value, 4, stream));
}

void AxpyStep::bind(const std::vector<float> &y, const std::vector<float> &x,
                    void *stream) {
  void *table[] = {allocate(4 * y.size()), allocate(4 * x.size()), alpha};
  EXPECT_SUCCESS(device->upload(table[0], y.data(), 4 * y.size(), stream));
  EXPECT_SUCCESS(device->upload(table[1], x.data(), 4 * x.size(), stream));
  EXPECT_SUCCESS(
      device->upload(stepMemory.slots, table, sizeof(table), stream));
  tensorY = table[0];
}

std::vector<float> AxpyStep::y(void *stream) {
  std::vector<float> result(numElements);
  EXPECT_SUCCESS(
      device->download(result.data(), tensorY, 4 * result.size(), stream));
  return result;
}

std::vector<float> test::sampleY() {
  std::vector<float> y(numElements);
  for (size_t i = 0; i < y.size(); ++i)
    y[i] = 1.0f / float(i + 3);
  return y;
}

std::vector<float> test::sampleX() {
  std::vector<float> x(numElements);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = float(int(i * 37 % 101) - 50) / 7.0f;
  return x;
}
