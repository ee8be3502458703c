//===- CudaDriverTest.cpp - Finding a driver and a GPU --------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaTest.h"

using namespace muon;
using namespace muon::test;

namespace {

class CudaDriverTest : public CudaTest {
protected:
  static std::string failure(const std::string &name,
                             MuonStatus status = MUON_ERROR_UNSUPPORTED) {
    std::shared_ptr<Device> device;
    Error error = openDevice(name, device);
    EXPECT_EQ(error.status(), status) << error.message();
    EXPECT_EQ(device, nullptr);
    return error.message();
  }
};

} // namespace

TEST_F(CudaDriverTest, NoDriver) {
  EXPECT_EQ(
      failure("cuda:driver=/nowhere/libcuda.so.1")
          .rfind("no NVIDIA driver: cannot load /nowhere/libcuda.so.1: ", 0),
      0u);
}

TEST_F(CudaDriverTest, FunctionsMissing) {
  EXPECT_EQ(failure("cuda:driver=" OLD_CUDA),
            "the NVIDIA driver is too old: " OLD_CUDA
            " has no cuGraphInstantiateWithFlags, which came with CUDA 11.4, "
            "and supports CUDA 10.2");
}

TEST_F(CudaDriverTest, NoDevice) {
  reset("devices=0");
  EXPECT_EQ(failure(fakeDevice()),
            "the NVIDIA driver cannot be used: cuInit failed: "
            "CUDA_ERROR_NO_DEVICE (100): fake: no device");
}

TEST_F(CudaDriverTest, Ordinals) {
  reset("devices=2");
  EXPECT_EQ(failure(fakeDevice("2"), MUON_ERROR_INVALID_ARGUMENT),
            "there is no GPU 2; the NVIDIA driver finds 2, counted from 0");
  std::shared_ptr<Device> device = open("1");
  // Memory of the other one is what tells them apart.
  void *memory = nullptr;
  ASSERT_FALSE(device->allocate(16, 16, "a test", memory));
  EXPECT_FALSE(device->checkAddress(memory, 16));
  EXPECT_TRUE(open("0")->checkAddress(memory, 16));
  device->deallocate(memory);
}

TEST_F(CudaDriverTest, Options) {
  auto message = [](const std::string &item, const std::string &expected) {
    return "option '" + item + "' of device 'cuda': expected " + expected;
  };
  const std::string known =
      "the number of a GPU, graph=on, graph=off or driver=PATH";
  const struct {
    std::string options, item, expected;
  } rows[] = {
      {"x", "x", known},
      {"-1", "-1", known},
      {"12345", "12345", known},
      {"0,", "", known},
      {",0", "", known},
      {"color=red", "color=red", known},
      {"graph", "graph", known},
      {"graph=maybe", "graph=maybe", "graph=on or graph=off"},
      {"driver=", "driver=", "driver=PATH"},
  };
  for (const auto &row : rows)
    EXPECT_EQ(failure("cuda:" + row.options, MUON_ERROR_INVALID_ARGUMENT),
              message(row.item, row.expected))
        << row.options;
}

// "Release Notes: PTX Release History" of the PTX ISA manual.
TEST_F(CudaDriverTest, VersionsOfPtx) {
  EXPECT_EQ(cuda::cudaVersionOfPtx(70), 11000);
  EXPECT_EQ(cuda::cudaVersionOfPtx(78), 11080);
  EXPECT_EQ(cuda::cudaVersionOfPtx(80), 12000);
  EXPECT_EQ(cuda::cudaVersionOfPtx(85), 12050);
  EXPECT_EQ(cuda::cudaVersionOfPtx(86), 12070);
  EXPECT_EQ(cuda::cudaVersionOfPtx(90), 13000);
  EXPECT_EQ(cuda::cudaVersionOfPtx(199), 0);
  EXPECT_EQ(cuda::versionText(11040), "11.4");
}

TEST_F(CudaDriverTest, ContextIsPrimary) {
  EXPECT_EQ(fakeStats().retains, 0u);
  std::shared_ptr<Device> device = open();
  EXPECT_EQ(fakeStats().retains, 1u);
  EXPECT_EQ(fakeStats().contexts, 1u);
  std::shared_ptr<Device> second = open();
  EXPECT_EQ(fakeStats().contexts, 1u);
  device.reset();
  second.reset();
  EXPECT_EQ(fakeStats().retains, 0u);
  EXPECT_EQ(fakeStats().contexts, 0u);
}

// A caller's own context is joined, and not made anew.
TEST_F(CudaDriverTest, ContextOfTheCaller) {
  ASSERT_EQ(cuInit(0), cuda::Success);
  cuda::Context own = nullptr;
  ASSERT_EQ(cuCtxCreate_v2(&own, 0, 0), cuda::Success);
  {
    std::shared_ptr<Device> device = open();
    EXPECT_EQ(fakeStats().retains, 0u);
    void *memory = nullptr;
    ASSERT_FALSE(device->allocate(16, 16, "a test", memory));
    // Freed by the caller, so it is in the caller's context.
    EXPECT_EQ(cuMemFree_v2(reinterpret_cast<uintptr_t>(memory)), cuda::Success);
  }
  {
    // Also where a primary one exists besides.
    cuda::Context primary = nullptr;
    ASSERT_EQ(cuDevicePrimaryCtxRetain(&primary, 0), cuda::Success);
    std::shared_ptr<Device> device = open();
    EXPECT_EQ(fakeStats().retains, 1u);
    ASSERT_EQ(cuDevicePrimaryCtxRelease_v2(0), cuda::Success);
    void *memory = nullptr;
    ASSERT_FALSE(device->allocate(16, 16, "a test", memory));
    EXPECT_EQ(cuMemFree_v2(reinterpret_cast<uintptr_t>(memory)), cuda::Success);
  }
  cuda::Context current = nullptr;
  ASSERT_EQ(cuCtxGetCurrent(&current), cuda::Success);
  EXPECT_EQ(current, own);
  EXPECT_EQ(cuCtxDestroy_v2(own), cuda::Success);
  EXPECT_EQ(fakeStats().leaked, 0u);
}
