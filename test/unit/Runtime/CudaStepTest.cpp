//===- CudaStepTest.cpp - Artifacts on the fake driver --------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The whole way, through the C interface.
//
//===----------------------------------------------------------------------===//

#include "CudaTest.h"
#include "TestArtifact.h"
#include "muon-mlir/Runtime/Runtime.h"

#include <cmath>
#include <limits>
#include <thread>

using namespace muon;
using namespace muon::test;

namespace {

using Floats = std::vector<float>;

/// Weight, gradient and momentum of one tensor on the host.
struct Model {
  Floats weight, gradient, momentum;

  /// Gradient descent with momentum, by its definition.
  void step(float lr, float beta) {
    for (size_t i = 0; i < weight.size(); ++i) {
      momentum[i] = std::fma(beta, momentum[i], gradient[i]);
      weight[i] = std::fma(-lr, momentum[i], weight[i]);
    }
  }
};

class CudaStepTest : public CudaTest {
protected:
  void load(const std::string &options = "") {
    path = directory.file("step.so");
    writeGpuArtifact(path, gpuManifest().dump());
    ASSERT_EQ(
        muonArtifactLoad(path.c_str(), fakeDevice(options).c_str(), &artifact),
        MUON_OK)
        << muonLastError();
    ASSERT_EQ(muonStepCreate(artifact, &step), MUON_OK) << muonLastError();
  }

  void TearDown() override {
    muonStepDestroy(step);
    for (void *each : memory)
      muonDeviceFree(artifact, each);
    muonArtifactRelease(artifact);
    EXPECT_STREQ(fakeCudaFindings(), "");
    FakeCudaStats stats = fakeStats();
    EXPECT_EQ(stats.leaked, 0u);
    EXPECT_EQ(stats.contexts, 0u);
    EXPECT_EQ(stats.undefinedBytes, 0u);
  }

  template <class T>
  void *upload(const std::vector<T> &values) {
    void *result = nullptr;
    EXPECT_EQ(muonDeviceAllocate(artifact, sizeof(T) * values.size(), &result),
              MUON_OK);
    EXPECT_EQ(muonDeviceUpload(artifact, result, values.data(),
                               sizeof(T) * values.size(), nullptr),
              MUON_OK);
    memory.push_back(result);
    return result;
  }

  Floats download(void *from) {
    Floats values(6);
    EXPECT_EQ(muonDeviceDownload(artifact, values.data(), from, 24, nullptr),
              MUON_OK)
        << muonLastError();
    return values;
  }

  MuonStatus bind(MuonRole role, const char *name, void *data) {
    const int64_t shape[] = {2, 3};
    MuonBuffer buffer = {data, MUON_TYPE_F32, 2, shape, 24};
    return muonStepBind(step, role, name, &buffer);
  }

  void bindAll() {
    const char *names[] = {"a", "b"};
    for (int i = 0; i < 2; ++i) {
      weights[i] = upload(models[i].weight);
      momenta[i] = upload(models[i].momentum);
      ASSERT_EQ(bind(MUON_ROLE_WEIGHT, names[i], weights[i]), MUON_OK)
          << muonLastError();
      ASSERT_EQ(bind(MUON_ROLE_MOMENTUM, names[i], momenta[i]), MUON_OK);
      ASSERT_EQ(bind(MUON_ROLE_GRADIENT, names[i], upload(models[i].gradient)),
                MUON_OK);
    }
    MuonBuffer count = {upload(std::vector<int64_t>{0}), MUON_TYPE_I64, 0,
                        nullptr, 8};
    ASSERT_EQ(muonStepBind(step, MUON_ROLE_STEP, "step", &count), MUON_OK);
  }

  TemporaryDirectory directory;
  std::string path;
  MuonArtifact *artifact = nullptr;
  MuonStep *step = nullptr;
  std::vector<void *> memory;
  Model models[2] = {
      {{1, 2, 3, 4, 5, 6}, {1, 0, 0.5f, 0, 0, 3}, {0, 0, 0, 0, 0, 8}},
      {{6, 5, 4, 3, 2, 1}, {0, 2, 0, 0.25f, 0, 0}, {0, 1, 0, 0, 0, 0}}};
  void *weights[2] = {}, *momenta[2] = {};
};

} // namespace

TEST_F(CudaStepTest, StepsWithChangedScalars) {
  for (const char *options : {"graph=on", "graph=off"}) {
    if (artifact) {
      TearDown();
      reset("");
      memory.clear();
    }
    load(options);
    Model expected[2] = {models[0], models[1]};
    bindAll();
    ASSERT_EQ(muonStepSetScalar(step, MUON_ROLE_BETA, nullptr, 0.75), MUON_OK);
    uint64_t syncs = 0;
    for (float lr : {0.5f, 0.25f, 0.0f, 2.0f}) {
      ASSERT_EQ(muonStepSetScalar(step, MUON_ROLE_LR, nullptr, lr), MUON_OK);
      ASSERT_EQ(muonStepRun(step, nullptr, nullptr), MUON_OK)
          << muonLastError();
      if (!syncs)
        syncs = fakeStats().syncs;
      for (Model &model : expected)
        model.step(lr, 0.75f);
    }
    EXPECT_EQ(fakeStats().syncs, syncs) << "runs without a result do not wait";
    MuonResult result = {};
    ASSERT_EQ(muonStepWait(step, &result), MUON_OK) << muonLastError();
    EXPECT_EQ(result.taken, 1);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(download(weights[i]), expected[i].weight);
      EXPECT_EQ(download(momenta[i]), expected[i].momentum);
    }
    EXPECT_EQ(fakeStats().captures,
              options == std::string("graph=on") ? 1u : 0u);
  }
}

TEST_F(CudaStepTest, RebindingDoesNotCapture) {
  load();
  bindAll();
  muonStepSetScalar(step, MUON_ROLE_LR, nullptr, 1);
  MuonResult result = {};
  ASSERT_EQ(muonStepRun(step, nullptr, &result), MUON_OK) << muonLastError();
  Floats other = {9, 8, 7, 6, 5, 4};
  void *moved = upload(other);
  ASSERT_EQ(bind(MUON_ROLE_WEIGHT, "a", moved), MUON_OK);
  ASSERT_EQ(muonStepRun(step, nullptr, &result), MUON_OK) << muonLastError();
  Model expected = models[0];
  expected.step(1, 0);
  EXPECT_EQ(download(weights[0]), expected.weight);
  expected.weight = other;
  expected.step(1, 0);
  EXPECT_EQ(download(moved), expected.weight);
  EXPECT_EQ(fakeStats().captures, 1u);
}

// Also what comes before the second run waits for the first one: its scalars,
// its slot table, and the clearing of its reports.
TEST_F(CudaStepTest, RunsOnTwoStreams) {
  for (const char *options : {"graph=on", "graph=off"}) {
    if (artifact) {
      TearDown();
      reset("");
      memory.clear();
    }
    load(options);
    bindAll();
    Floats other = {9, 8, 7, 6, 5, 4};
    void *moved = upload(other);
    download(moved); // The streams do not wait for the default stream.
    const PrimaryContext primary;
    cuda::Stream a = nullptr, b = nullptr;
    ASSERT_EQ(cuStreamCreate(&a, cuda::streamNonBlocking), cuda::Success);
    ASSERT_EQ(cuStreamCreate(&b, cuda::streamNonBlocking), cuda::Success);

    Model first = models[0], both = models[1];
    muonStepSetScalar(step, MUON_ROLE_LR, nullptr, 0.5);
    ASSERT_EQ(muonStepRun(step, a, nullptr), MUON_OK) << muonLastError();
    first.step(0.5f, 0);
    both.step(0.5f, 0);
    muonStepSetScalar(step, MUON_ROLE_LR, nullptr, 0.125);
    ASSERT_EQ(bind(MUON_ROLE_WEIGHT, "a", moved), MUON_OK);
    const uint64_t executed = fakeStats().executed;
    ASSERT_EQ(muonStepRun(step, b, nullptr), MUON_OK) << muonLastError();
    EXPECT_EQ(executed, 0u) << "the host does not wait between the runs";
    EXPECT_EQ(fakeStats().executed, 0u);
    MuonResult result = {};
    ASSERT_EQ(muonStepWait(step, &result), MUON_OK) << muonLastError();
    EXPECT_EQ(result.taken, 1);
    Model second = first;
    second.weight = other;
    second.step(0.125f, 0);
    both.step(0.125f, 0);
    EXPECT_EQ(download(weights[0]), first.weight) << options;
    EXPECT_EQ(download(moved), second.weight) << options;
    EXPECT_EQ(download(weights[1]), both.weight) << options;
    EXPECT_EQ(cuStreamDestroy_v2(b), cuda::Success);
    EXPECT_EQ(cuStreamDestroy_v2(a), cuda::Success);
  }
}

// What a run put on its stream before it failed.
TEST_F(CudaStepTest, UploadFails) {
  // Of staged memory: for all tensors, the scalars, and the slot table.
  reset("fail-host=3");
  load();
  constexpr int stride = 8;
  Floats values(7 * stride);
  const struct {
    MuonRole role;
    const Floats &a, &b;
  } rows[] = {{MUON_ROLE_WEIGHT, models[0].weight, models[1].weight},
              {MUON_ROLE_GRADIENT, models[0].gradient, models[1].gradient},
              {MUON_ROLE_MOMENTUM, models[0].momentum, models[1].momentum}};
  for (int i = 0; i < 3; ++i) {
    std::copy(rows[i].a.begin(), rows[i].a.end(), &values[2 * i * stride]);
    std::copy(rows[i].b.begin(), rows[i].b.end(),
              &values[(2 * i + 1) * stride]);
  }
  auto *all = static_cast<float *>(upload(values));
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(bind(rows[i].role, "a", all + 2 * i * stride), MUON_OK);
    ASSERT_EQ(bind(rows[i].role, "b", all + (2 * i + 1) * stride), MUON_OK);
  }
  MuonBuffer count = {all + 6 * stride, MUON_TYPE_I64, 0, nullptr, 8};
  ASSERT_EQ(muonStepBind(step, MUON_ROLE_STEP, "step", &count), MUON_OK);
  download(all);

  const PrimaryContext primary;
  cuda::Stream a = nullptr, b = nullptr;
  ASSERT_EQ(cuStreamCreate(&a, cuda::streamNonBlocking), cuda::Success);
  ASSERT_EQ(cuStreamCreate(&b, cuda::streamNonBlocking), cuda::Success);
  muonStepSetScalar(step, MUON_ROLE_LR, nullptr, 0.5);
  EXPECT_EQ(muonStepRun(step, a, nullptr), MUON_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(muonStepWait(step, nullptr), MUON_ERROR_NOT_READY);
  ASSERT_EQ(muonStepRun(step, b, nullptr), MUON_OK) << muonLastError();
  ASSERT_EQ(muonStepWait(step, nullptr), MUON_OK) << muonLastError();
  for (int i = 0; i < 2; ++i) {
    models[i].step(0.5f, 0);
    EXPECT_EQ(download(all + i * stride), models[i].weight);
  }
  EXPECT_EQ(cuStreamDestroy_v2(b), cuda::Success);
  EXPECT_EQ(cuStreamDestroy_v2(a), cuda::Success);
}

// The handle means another stream in each thread.
TEST_F(CudaStepTest, WaitInAnotherThread) {
  load();
  bindAll();
  muonStepSetScalar(step, MUON_ROLE_LR, nullptr, 1);
  for (bool isFinite : {true, false}) {
    if (!isFinite) {
      Floats infinite(6, std::numeric_limits<float>::infinity());
      ASSERT_EQ(bind(MUON_ROLE_GRADIENT, "b", upload(infinite)), MUON_OK);
    }
    std::thread([&] {
      ASSERT_EQ(muonStepRun(step, cuda::perThreadStream(), nullptr), MUON_OK)
          << muonLastError();
    }).join();
    MuonResult result = {};
    ASSERT_EQ(muonStepWait(step, &result), MUON_OK) << muonLastError();
    EXPECT_EQ(result.taken, isFinite ? 1 : 0);
    EXPECT_EQ(result.non_finite, isFinite ? 0u : 1u);
  }
}

TEST_F(CudaStepTest, NotFinite) {
  models[1].gradient[4] = std::numeric_limits<float>::infinity();
  load();
  bindAll();
  muonStepSetScalar(step, MUON_ROLE_LR, nullptr, 1);
  MuonResult result = {};
  ASSERT_EQ(muonStepRun(step, nullptr, &result), MUON_OK) << muonLastError();
  EXPECT_EQ(result.taken, 0);
  ASSERT_EQ(result.non_finite, 1u);
  MuonNonFinite info = {};
  ASSERT_EQ(muonStepNonFinite(step, 0, &info), MUON_OK);
  EXPECT_STREQ(info.name, "b");
  EXPECT_EQ(download(weights[0]), models[0].weight);
}

TEST_F(CudaStepTest, AddressesOfTheHost) {
  load();
  alignas(16) float host[6] = {};
  EXPECT_EQ(bind(MUON_ROLE_WEIGHT, "a", host), MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(std::string(muonLastError()).find("is not memory of a GPU"),
            std::string::npos)
      << muonLastError();
  auto *inside = static_cast<char *>(upload(Floats(20))) + 4;
  EXPECT_EQ(bind(MUON_ROLE_WEIGHT, "a", inside), MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(std::string(muonLastError()).find("multiple of 16"),
            std::string::npos)
      << muonLastError();
}

TEST_F(CudaStepTest, KernelFails) {
  reset("fail-kernel=2");
  load();
  bindAll();
  muonStepSetScalar(step, MUON_ROLE_LR, nullptr, 1);
  ASSERT_EQ(muonStepRun(step, nullptr, nullptr), MUON_OK) << muonLastError();
  EXPECT_EQ(muonStepWait(step, nullptr), MUON_ERROR_EXECUTION);
  EXPECT_NE(std::string(muonLastError()).find("CUDA_ERROR_LAUNCH_FAILED (719)"),
            std::string::npos)
      << muonLastError();
  EXPECT_EQ(muonStepRun(step, nullptr, nullptr), MUON_ERROR_EXECUTION);
  reset("");
}
