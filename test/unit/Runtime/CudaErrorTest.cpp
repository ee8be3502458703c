//===- CudaErrorTest.cpp - What can be wrong on a GPU ---------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaTest.h"

#include <optional>

using namespace muon;
using namespace muon::test;

namespace {

class CudaErrorTest : public CudaTest {
protected:
  void TearDown() override {
    inStep = nullptr;
    FakeCudaStats stats = fakeStats();
    EXPECT_EQ(stats.leaked, 0u);
    EXPECT_EQ(stats.contexts, 0u);
  }

  static std::string refusal(Device &device, const Manifest &manifest) {
    Error error = device.accepts(manifest);
    EXPECT_EQ(error.status(), MUON_ERROR_UNSUPPORTED) << error.message();
    return error.message();
  }

  static Error loadError(Device &device, const Manifest &manifest,
                         const std::string &code) {
    std::shared_ptr<const Program> program;
    Error error = device.load(manifest, axpyStep, code, program);
    EXPECT_TRUE(error);
    EXPECT_EQ(program, nullptr);
    EXPECT_EQ(fakeStats().modules, 0u);
    return error;
  }
};

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

} // namespace

#define EXPECT_CONTAINS(text, part)                                            \
  EXPECT_TRUE(contains(text, part)) << "message: " << (text)

TEST_F(CudaErrorTest, Target) {
  std::shared_ptr<Device> device = open();
  Manifest manifest = axpyManifest();
  EXPECT_FALSE(device->accepts(manifest));
  manifest.target = "cpu";
  EXPECT_EQ(refusal(*device, manifest),
            "compiled for target 'cpu', device 'cuda' runs 'cuda'");
  manifest = axpyManifest();
  manifest.arch = "pdp11";
  EXPECT_CONTAINS(refusal(*device, manifest), "pdp11");
}

TEST_F(CudaErrorTest, Architecture) {
  std::shared_ptr<Device> device = open();
  Manifest manifest = axpyManifest();
  manifest.device->arch = {90, 0};
  manifest.device->code[0].arch = {90, 0};
  EXPECT_EQ(refusal(*device, manifest),
            "compiled for sm_90 (PTX for sm_90), which GPU 0 (Fake 0, sm_80) "
            "does not run");
  // Newer machines run PTX of older ones, unless a suffix forbids it.
  manifest.device->code[0].arch = {75, 0};
  EXPECT_FALSE(device->accepts(manifest));
  manifest.device->code[0].arch = {75, 'a'};
  EXPECT_TRUE(device->accepts(manifest));
  manifest.device->code[0].arch = {80, 'a'};
  EXPECT_FALSE(device->accepts(manifest));
  manifest.device->code[0].arch = {80, 'f'};
  EXPECT_FALSE(device->accepts(manifest));
  manifest.device->code[0].arch = {75, 'f'};
  EXPECT_TRUE(device->accepts(manifest));
}

TEST_F(CudaErrorTest, DriverTooOldForPtx) {
  reset("driver=11040");
  std::shared_ptr<Device> device = open();
  Manifest manifest = axpyManifest();
  manifest.device->isa = 74;
  EXPECT_FALSE(device->accepts(manifest));
  manifest.device->isa = 78;
  EXPECT_EQ(refusal(*device, manifest),
            "the NVIDIA driver is too old: PTX ISA 7.8 needs a driver of CUDA "
            "11.8 or later, found CUDA 11.4");
}

TEST_F(CudaErrorTest, DriverRefusesPtx) {
  reset("driver=12020");
  std::shared_ptr<Device> device = open();
  std::string code = axpyPtx;
  code.replace(code.find("7.0"), 3, "8.4");
  // The manifest does not tell.
  Error error = loadError(*device, axpyManifest(code), code);
  EXPECT_EQ(error.status(), MUON_ERROR_UNSUPPORTED);
  EXPECT_EQ(error.message(),
            "cuModuleLoadDataEx failed: CUDA_ERROR_UNSUPPORTED_PTX_VERSION "
            "(222): fake: unsupported toolchain; the PTX for sm_80 on GPU 0 "
            "(Fake 0, sm_80), PTX ISA 7.0, driver of CUDA 12.2; the driver's "
            "log: ptxas fatal : Unsupported .version 84");
}

TEST_F(CudaErrorTest, DriverRefusesCubinAndPtx) {
  const std::string cubin = fakeCubin(80);
  std::string code = cubin + axpyPtx;
  Manifest manifest = axpyManifest();
  manifest.device->code = {
      {DeviceCode::Cubin, {80, 0}, 0, cubin.size()},
      {DeviceCode::Ptx, {80, 0}, cubin.size(), code.size() - cubin.size()}};
  const std::string cubinError =
      "cuModuleLoadDataEx failed: CUDA_ERROR_INVALID_IMAGE (200): fake: device "
      "kernel image is invalid; the cubin for sm_80 on GPU 0 (Fake 0, sm_80), "
      "driver of CUDA 12.4; the driver's log: fake: this cubin is refused";

  reset("refuse-cubin=200,refuse-ptx=218");
  Error error = loadError(*open(), manifest, code);
  EXPECT_EQ(error.message(),
            cubinError +
                "; nor does the PTX of the artifact load: cuModuleLoadDataEx "
                "failed: CUDA_ERROR_INVALID_PTX (218): fake: JIT "
                "compilation failed; the PTX for sm_80 on GPU 0 (Fake "
                "0, sm_80), PTX ISA 7.0, driver of CUDA 12.4; the "
                "driver's log: fake: this PTX is refused");

  // Whatever the driver would say of it.
  reset("refuse-cubin=200");
  manifest.device->isa = 90;
  error = loadError(*open(), manifest, code);
  EXPECT_EQ(error.status(), MUON_ERROR_UNSUPPORTED);
  EXPECT_EQ(error.message(),
            cubinError +
                "; nor does the PTX of the artifact load: the NVIDIA driver is "
                "too old: PTX ISA 9.0 needs a driver of CUDA 13.0 or "
                "later, found CUDA 12.4");

  manifest.device->isa = 70;
  manifest.device->code.pop_back();
  reset("refuse-cubin=200");
  error = loadError(*open(), manifest, code);
  EXPECT_EQ(error.status(), MUON_ERROR_UNSUPPORTED);
  EXPECT_EQ(error.message(), cubinError);

  // Not what other code would cure.
  manifest = axpyManifest();
  manifest.device->code = {
      {DeviceCode::Cubin, {80, 0}, 0, cubin.size()},
      {DeviceCode::Ptx, {80, 0}, cubin.size(), code.size() - cubin.size()}};
  reset("refuse-cubin=2");
  error = loadError(*open(), manifest, code);
  EXPECT_EQ(error.status(), MUON_ERROR_OUT_OF_MEMORY);
  EXPECT_FALSE(contains(error.message(), "PTX")) << error.message();
}

TEST_F(CudaErrorTest, NoCompilerForPtx) {
  reset("refuse-ptx=221");
  Error error = loadError(*open(), axpyManifest(), axpyPtx);
  EXPECT_EQ(error.status(), MUON_ERROR_UNSUPPORTED);
  EXPECT_CONTAINS(error.message(), "CUDA_ERROR_JIT_COMPILER_NOT_FOUND (221)");
  EXPECT_CONTAINS(error.message(),
                  "the PTX for sm_80 on GPU 0 (Fake 0, sm_80), which the "
                  "driver compiles by libnvidia-ptxjitcompiler.so.1: that part "
                  "of the driver is missing");
}

TEST_F(CudaErrorTest, PtxIsWrong) {
  std::shared_ptr<Device> device = open();
  std::string code = axpyPtx;
  code.replace(code.find("ld.global.u64"), 13, "ld.globe.u64 ");
  Error error = loadError(*device, axpyManifest(code), code);
  EXPECT_CONTAINS(error.message(), "CUDA_ERROR_INVALID_PTX (218)");
  EXPECT_CONTAINS(error.message(), "the driver's log: ptxas fatal : line 27: ");
}

TEST_F(CudaErrorTest, KernelIsMissing) {
  std::shared_ptr<Device> device = open();
  Manifest manifest = axpyManifest();
  manifest.device->kernels[1].name = "stare";
  Error error = loadError(*device, manifest, axpyPtx);
  EXPECT_EQ(error.status(), MUON_ERROR_INVALID_ARTIFACT);
  EXPECT_EQ(error.message(),
            "kernel 'stare': cuModuleGetFunction failed: CUDA_ERROR_NOT_FOUND "
            "(500): fake: named symbol not found");
}

TEST_F(CudaErrorTest, TooMuchSharedMemory) {
  reset("cc=86");
  std::shared_ptr<Device> device = open();
  Manifest manifest = axpyManifest();
  manifest.device->kernels[1].sharedBytes = 100 << 10;
  EXPECT_EQ(refusal(*device, manifest),
            "takes 102400 bytes of shared memory in a block, GPU 0 (Fake 0, "
            "sm_86) has 101376");
  // Static memory, which the manifest does not have to mention.
  manifest.device->kernels[1].sharedBytes = 99 << 10;
  ASSERT_FALSE(device->accepts(manifest));
  std::string code = axpyPtx;
  code.insert(
      code.find("  ld.param.u64 %rd0, [slots];", code.find(".entry store")),
      "  .shared .b32 more[4];\n  .reg .b32 %m;\n  ld.shared.u32 %m, "
      "[more];\n");
  manifest.device->code[0].bytes = code.size();
  EXPECT_EQ(loadError(*device, manifest, code).message(),
            "kernel 'store': takes 101392 bytes of shared memory, GPU 0 (Fake "
            "0, sm_86) has 101376");
}

TEST_F(CudaErrorTest, TooManyThreads) {
  std::shared_ptr<Device> device = open();
  Manifest manifest = axpyManifest();
  std::string code = axpyPtx;
  code.insert(code.find("\n{") + 1, ".maxntid 64, 1, 1\n");
  manifest.device->code[0].bytes = code.size();
  Error error = loadError(*device, manifest, code);
  EXPECT_CONTAINS(error.message(), "which leaves 64 threads of a block on GPU "
                                   "0 (Fake 0, sm_80), but is launched with "
                                   "128");
}

TEST_F(CudaErrorTest, OutOfMemory) {
  reset("memory=1000000");
  std::shared_ptr<Device> device = open();
  void *kept = nullptr, *memory = nullptr;
  ASSERT_FALSE(device->allocate(400000, 16, "a test", kept));
  Error error = device->allocate(600001, 16, "scratch memory", memory);
  EXPECT_EQ(error.status(), MUON_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(error.message(),
            "cannot allocate 600001 bytes for scratch memory on GPU 0 (Fake 0, "
            "sm_80), where 600000 of 1000000 bytes are free: cuMemAlloc_v2 "
            "failed: CUDA_ERROR_OUT_OF_MEMORY (2): fake: out of memory");
  EXPECT_TRUE(device->allocate(UINT64_MAX, 4096, "scratch memory", memory));
  EXPECT_EQ(memory, nullptr);
  device->deallocate(kept);
  ASSERT_FALSE(device->allocate(600001, 16, "scratch memory", memory));
  device->deallocate(memory);

  device.reset();
  reset("fail-alloc=2");
  device = open();
  ASSERT_FALSE(device->allocate(16, 16, "a test", kept));
  EXPECT_TRUE(device->allocate(16, 16, "a test", memory));
  device->deallocate(kept);
}

TEST_F(CudaErrorTest, Addresses) {
  reset("devices=2");
  std::shared_ptr<Device> device = open("0"), other = open("1");
  auto message = [&](const void *address, uint64_t bytes) {
    Error error = device->checkAddress(address, bytes);
    EXPECT_EQ(error.status(), MUON_ERROR_INVALID_ARGUMENT);
    return error.message();
  };
  std::vector<float> host(10);
  EXPECT_CONTAINS(message(host.data(), 40),
                  "is not memory of a GPU: the NVIDIA driver does not know it, "
                  "as of ordinary memory of the host");
  void *pinned = nullptr, *own = nullptr, *others = nullptr;
  const PrimaryContext primary;
  ASSERT_EQ(cuMemAllocHost_v2(&pinned, 100), cuda::Success);
  EXPECT_CONTAINS(message(pinned, 100),
                  "is page-locked memory of the host, expected memory of GPU 0 "
                  "(Fake 0, sm_80)");
  EXPECT_EQ(cuMemFreeHost(pinned), cuda::Success);
  ASSERT_FALSE(other->allocate(100, 16, "a test", others));
  EXPECT_CONTAINS(message(others, 100),
                  "is memory of GPU 1, expected GPU 0 (Fake 0, sm_80)");
  ASSERT_FALSE(device->allocate(100, 16, "a test", own));
  EXPECT_FALSE(device->checkAddress(own, 100));
  EXPECT_FALSE(device->checkAddress(static_cast<char *>(own) + 99, 1));
  EXPECT_CONTAINS(message(own, 101), "the last byte, address 0x");
  device->deallocate(own);
  other->deallocate(others);
  EXPECT_CONTAINS(message(own, 100), "is not memory of a GPU");
}

TEST_F(CudaErrorTest, Streams) {
  std::shared_ptr<Device> device = open();
  const PrimaryContext primary;
  cuda::Context own = nullptr;
  cuda::Stream stream = nullptr, foreign = nullptr;
  ASSERT_EQ(cuStreamCreate(&stream, 0), cuda::Success);
  EXPECT_FALSE(device->checkStream(stream));
  ASSERT_EQ(cuStreamBeginCapture_v2(stream, cuda::CaptureRelaxed),
            cuda::Success);
  EXPECT_EQ(device->checkStream(stream).message(),
            "the stream is being captured into a graph; a step cannot be part "
            "of another graph");
  EXPECT_CONTAINS(device->checkStream(nullptr).message(),
                  "cuStreamIsCapturing failed: "
                  "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT (906)");
  cuda::Graph graph = nullptr;
  ASSERT_EQ(cuStreamEndCapture(stream, &graph), cuda::Success);
  ASSERT_EQ(cuGraphDestroy(graph), cuda::Success);
  EXPECT_FALSE(device->checkStream(stream));

  ASSERT_EQ(cuCtxCreate_v2(&own, 0, 0), cuda::Success);
  ASSERT_EQ(cuStreamCreate(&foreign, 0), cuda::Success);
  EXPECT_CONTAINS(device->checkStream(foreign).message(),
                  "the stream belongs to another context");
  ASSERT_EQ(cuStreamDestroy_v2(foreign), cuda::Success);
  ASSERT_EQ(cuCtxDestroy_v2(own), cuda::Success);
  EXPECT_CONTAINS(device->checkStream(foreign).message(),
                  "CUDA_ERROR_INVALID_HANDLE (400)");
  ASSERT_EQ(cuStreamDestroy_v2(stream), cuda::Success);
}

// The first failure is the last launch, in either way of running; afterwards
// the step is as good as new.
TEST_F(CudaErrorTest, LaunchIsRefused) {
  for (const char *options : {"graph=on", "graph=off"}) {
    reset("fail-launch=2");
    AxpyStep step(open(options), axpyManifest());
    std::vector<float> x(numElements, 1), y(numElements, 0);
    step.setAlpha(5);
    step.bind(y, x);
    Error error = step.run();
    EXPECT_EQ(error.status(), MUON_ERROR_EXECUTION);
    EXPECT_EQ(error.message(),
              "kernel 'store' of phase 'update', 1 blocks of 128 threads: "
              "cuLaunchKernel failed: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES "
              "(701): fake: too many resources requested");
    EXPECT_EQ(fakeStats().launches, 2u);
    EXPECT_EQ(fakeStats().graphs, 0u);
    EXPECT_EQ(fakeStats().streams, 0u);
    EXPECT_EQ(step.y(), y);
    EXPECT_FALSE(step.run());
    EXPECT_EQ(step.y(), std::vector<float>(numElements, 5));
  }
}

TEST_F(CudaErrorTest, StepIsWrong) {
  Manifest manifest = axpyManifest();
  std::shared_ptr<Device> device = open();
  AxpyStep step(device, manifest);
  auto runOther = [&](MuonStepFn function) {
    std::shared_ptr<const Program> program;
    EXPECT_FALSE(device->load(manifest, function, axpyPtx, program));
    AxpyStep other(device, manifest, program);
    Error error = other.run();
    EXPECT_EQ(error.status(), MUON_ERROR_EXECUTION);
    EXPECT_EQ(fakeStats().graphs, 0u);
    return error.message();
  };
  EXPECT_CONTAINS(runOther([](const MuonHostApi *host, void *const *, void *) {
                    host->launch(host->context, 2, 1, 0, 0, 0);
                    return 0;
                  }),
                  "kernel 2");
  EXPECT_CONTAINS(runOther([](const MuonHostApi *host, void *const *, void *) {
                    host->launch(host->context, 0, 0, 0, 0, 0);
                    return 0;
                  }),
                  "kernel 'axpy'");
  EXPECT_CONTAINS(
      runOther([](const MuonHostApi *, void *const *, void *) { return 7; }),
      "step returned 7");
}

// What fails on the GPU comes out where the host waits.
TEST_F(CudaErrorTest, KernelFails) {
  reset("fail-kernel=2");
  {
    AxpyStep step(open(), axpyManifest());
    step.setAlpha(1);
    step.bind(std::vector<float>(numElements), std::vector<float>(numElements));
    EXPECT_FALSE(step.run());
    EXPECT_EQ(step.device->synchronize(nullptr).message(),
              "cuStreamSynchronize failed: CUDA_ERROR_LAUNCH_FAILED (719): "
              "fake: launch failure");
    Error error = step.run();
    EXPECT_EQ(error.status(), MUON_ERROR_EXECUTION);
    EXPECT_CONTAINS(error.message(), "CUDA_ERROR_LAUNCH_FAILED (719)");
  }
  // Destroying it asks nothing more of the failed context.
  reset("");
}

TEST_F(CudaErrorTest, KernelLeavesItsMemory) {
  {
    AxpyStep step(open(), axpyManifest());
    step.setAlpha(1);
    step.bind(std::vector<float>(numElements - 1),
              std::vector<float>(numElements));
    EXPECT_FALSE(step.run());
    EXPECT_CONTAINS(step.device->synchronize(nullptr).message(),
                    "CUDA_ERROR_ILLEGAL_ADDRESS (700)");
    EXPECT_CONTAINS(std::string(fakeCudaFindings()),
                    "out-of-bounds in kernel 'axpy'");
  }
  reset("");
}
