//===- SimDeviceTest.cpp - Steps for a GPU, on the simulated one ----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestArtifact.h"
#include "muon-mlir/Runtime/Runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <dlfcn.h>
#include <functional>
#include <thread>

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace {

struct ArtifactDeleter {
  void operator()(MuonArtifact *artifact) const {
    muonArtifactRelease(artifact);
  }
};
using ArtifactHandle = std::unique_ptr<MuonArtifact, ArtifactDeleter>;
struct StepDeleter {
  void operator()(MuonStep *step) const { muonStepDestroy(step); }
};
using StepHandle = std::unique_ptr<MuonStep, StepDeleter>;

/// `text` with its one occurrence of `from` replaced.
std::string replaced(std::string text, const std::string &from,
                     const std::string &to) {
  size_t at = text.find(from);
  if (at == std::string::npos || text.find(from, at + 1) != std::string::npos)
    throw std::runtime_error("not there once: " + from);
  return text.replace(at, from.size(), to);
}

/// The tensors of the artifact on the device.
struct DeviceModel {
  const MuonArtifact *artifact;
  void *weights[2], *gradients[2], *momenta[2], *count;

  explicit DeviceModel(const MuonArtifact *artifact) : artifact(artifact) {
    weights[0] = floats({1, 2, 3, 4, 5, 6});
    weights[1] = floats({6, 5, 4, 3, 2, 1});
    gradients[0] = floats({1, 0, 0, 0, 0, 0});
    gradients[1] = floats({0, 2, 0, 0, 0, 0});
    momenta[0] = floats({0, 0, 0, 0, 0, 8});
    momenta[1] = floats({0, 0, 0, 0, 0, 0});
    int64_t five = 5;
    count = copied(&five, sizeof(five));
  }
  ~DeviceModel() {
    for (int i = 0; i < 2; ++i)
      for (void *memory : {weights[i], gradients[i], momenta[i]})
        muonDeviceFree(artifact, memory);
    muonDeviceFree(artifact, count);
  }
  DeviceModel(const DeviceModel &) = delete;

  void *copied(const void *data, size_t bytes) const {
    void *memory = nullptr;
    EXPECT_EQ(muonDeviceAllocate(artifact, bytes, &memory), MUON_OK);
    EXPECT_EQ(muonDeviceUpload(artifact, memory, data, bytes, nullptr), MUON_OK)
        << muonLastError();
    return memory;
  }
  void *floats(const std::vector<float> &values) const {
    return copied(values.data(), values.size() * 4);
  }
  void set(void *memory, const std::vector<float> &values) const {
    EXPECT_EQ(muonDeviceUpload(artifact, memory, values.data(),
                               values.size() * 4, nullptr),
              MUON_OK);
  }
  std::vector<float> get(const void *memory) const {
    std::vector<float> values(6);
    EXPECT_EQ(muonDeviceDownload(artifact, values.data(), memory, 24, nullptr),
              MUON_OK)
        << muonLastError();
    return values;
  }
  int64_t steps() const {
    int64_t value = -1;
    EXPECT_EQ(muonDeviceDownload(artifact, &value, count, 8, nullptr), MUON_OK);
    return value;
  }
};

MuonStatus bind(MuonStep *step, MuonRole role, const char *name, void *data) {
  const int64_t shape[] = {2, 3};
  MuonBuffer buffer = {data, MUON_TYPE_F32, 2, shape, 24};
  if (role == MUON_ROLE_STEP)
    buffer = {data, MUON_TYPE_I64, 0, nullptr, 8};
  return muonStepBind(step, role, name, &buffer);
}

void bindAll(MuonStep *step, const DeviceModel &model) {
  const char *const names[] = {"a", "b"};
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(bind(step, MUON_ROLE_WEIGHT, names[i], model.weights[i]), MUON_OK)
        << muonLastError();
    ASSERT_EQ(bind(step, MUON_ROLE_GRADIENT, names[i], model.gradients[i]),
              MUON_OK);
    ASSERT_EQ(bind(step, MUON_ROLE_MOMENTUM, names[i], model.momenta[i]),
              MUON_OK);
  }
  ASSERT_EQ(bind(step, MUON_ROLE_STEP, "step", model.count), MUON_OK);
}

class SimDeviceTest : public testing::Test {
protected:
  std::string nextPath() {
    return directory.file("step" + std::to_string(serial++) + ".so");
  }

  MuonStatus load(const std::string &path, const char *device = "sim") {
    MuonArtifact *loaded = nullptr;
    MuonStatus status = muonArtifactLoad(path.c_str(), device, &loaded);
    artifact.reset(loaded);
    return status;
  }

  /// Loads the good artifact after changes.
  MuonStatus loadChanged(const std::function<void(json &)> &change,
                         const std::string &code = gpuCode(),
                         const char *device = "sim") {
    json manifest = gpuManifest();
    manifest["device"]["code"][0]["bytes"] = code.size();
    change(manifest);
    path = nextPath();
    writeGpuArtifact(path, manifest.dump(), code);
    return load(path, device);
  }
  MuonStatus loadCode(const std::string &code, const char *device = "sim") {
    return loadChanged([](json &) {}, code, device);
  }

  void expectRefused(MuonStatus status, const std::string &message,
                     const std::function<void(json &)> &change,
                     const std::string &code = gpuCode()) {
    EXPECT_EQ(loadChanged(change, code), status) << message;
    EXPECT_THAT(muonLastError(), HasSubstr(message));
    EXPECT_THAT(muonLastError(), HasSubstr(path));
  }
  void expectInvalid(const std::string &message,
                     const std::function<void(json &)> &change) {
    expectRefused(MUON_ERROR_INVALID_ARTIFACT, "manifest: " + message, change);
  }

  StepHandle makeStep() {
    MuonStep *step = nullptr;
    EXPECT_EQ(muonStepCreate(artifact.get(), &step), MUON_OK)
        << muonLastError();
    return StepHandle(step);
  }

  /// A step of what is loaded, all bound and set.
  StepHandle makeReady(const DeviceModel &model) {
    StepHandle step = makeStep();
    bindAll(step.get(), model);
    EXPECT_EQ(muonStepSetScalar(step.get(), MUON_ROLE_LR, nullptr, 0.5),
              MUON_OK);
    EXPECT_EQ(muonStepSetScalar(step.get(), MUON_ROLE_BETA, nullptr, 0.25),
              MUON_OK);
    return step;
  }

  /// Runs a step of changed code, which must fail.
  std::string runBroken(const std::string &code, const char *device = "sim") {
    EXPECT_EQ(loadCode(code, device), MUON_OK) << muonLastError();
    DeviceModel model(artifact.get());
    StepHandle step = makeReady(model);
    EXPECT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_ERROR_EXECUTION);
    std::string message = muonLastError();
    EXPECT_EQ(muonStepWait(step.get(), nullptr), MUON_ERROR_NOT_READY);
    EXPECT_THAT(message, HasSubstr(path));
    return message;
  }

  /// A variable of the loaded artifact.
  template <typename T>
  void setVariable(const char *name, T value) {
    void *library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD);
    ASSERT_NE(library, nullptr);
    *static_cast<T *>(::dlsym(library, name)) = value;
    ::dlclose(library);
  }

  json counters() {
    const char *text = nullptr;
    EXPECT_EQ(muonArtifactCounters(artifact.get(), &text), MUON_OK);
    return json::parse(text);
  }

  TemporaryDirectory directory;
  int serial = 0;
  std::string path;
  ArtifactHandle artifact;
};

} // namespace

TEST_F(SimDeviceTest, Runs) {
  ASSERT_EQ(loadCode(gpuCode()), MUON_OK) << muonLastError();
  MuonArtifactInfo info;
  ASSERT_EQ(muonArtifactInfo(artifact.get(), &info), MUON_OK);
  EXPECT_STREQ(info.device, "sim");
  EXPECT_EQ(info.host_memory, 0);
  EXPECT_EQ(info.alignment, 16u);

  DeviceModel model(artifact.get());
  StepHandle step = makeReady(model);
  MuonResult result = {};
  ASSERT_EQ(muonStepRun(step.get(), nullptr, &result), MUON_OK)
      << muonLastError();
  EXPECT_EQ(result.taken, 1);
  EXPECT_EQ(result.clip, 1.0f);
  EXPECT_EQ(result.statistics, 2u);
  EXPECT_THAT(model.get(model.weights[0]), ElementsAre(.5, 2, 3, 4, 5, 5));
  EXPECT_THAT(model.get(model.weights[1]), ElementsAre(6, 4, 4, 3, 2, 1));
  EXPECT_THAT(model.get(model.momenta[0]), ElementsAre(1, 0, 0, 0, 0, 2));
  EXPECT_EQ(model.steps(), 6);
  MuonStatistics statistics;
  ASSERT_EQ(muonStepStatistics(step.get(), 1, &statistics), MUON_OK);
  EXPECT_STREQ(statistics.name, "b");
  EXPECT_EQ(statistics.gradient_norm, 2);

  // Other scalars, and the second run goes on from the first.
  ASSERT_EQ(muonStepSetScalar(step.get(), MUON_ROLE_LR, nullptr, 0.25),
            MUON_OK);
  ASSERT_EQ(muonStepRun(step.get(), nullptr, &result), MUON_OK);
  EXPECT_EQ(model.get(model.momenta[0])[0], 1.25f);
  EXPECT_EQ(model.get(model.weights[0])[0], 0.5f - 0.25f * 1.25f);
  EXPECT_EQ(model.steps(), 7);
}

TEST_F(SimDeviceTest, RunsOnEverySeed) {
  for (const char *device :
       {"sim:seed=1", "sim:seed=2,threads=1", "sim:seed=18446744073709551615",
        "sim:races=off,undefined=effects", "sim:"}) {
    ASSERT_EQ(loadCode(gpuCode(), device), MUON_OK) << muonLastError();
    DeviceModel model(artifact.get());
    StepHandle step = makeReady(model);
    ASSERT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_OK) << device;
    EXPECT_THAT(model.get(model.weights[0]), ElementsAre(.5, 2, 3, 4, 5, 5));
  }
}

TEST_F(SimDeviceTest, Waits) {
  ASSERT_EQ(loadCode(gpuCode()), MUON_OK) << muonLastError();
  DeviceModel model(artifact.get());
  StepHandle step = makeReady(model);
  MuonResult result = {};
  MuonStatistics statistics;
  EXPECT_EQ(muonStepWait(step.get(), &result), MUON_ERROR_NOT_READY);
  EXPECT_EQ(muonStepWait(nullptr, &result), MUON_ERROR_INVALID_ARGUMENT);

  model.set(model.gradients[1], {0, 2, 0, 0, 0, INFINITY});
  ASSERT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_OK);
  ASSERT_EQ(muonStepWait(step.get(), &result), MUON_OK);
  EXPECT_EQ(result.taken, 0);
  ASSERT_EQ(result.non_finite, 1u);
  MuonNonFinite info;
  ASSERT_EQ(muonStepNonFinite(step.get(), 0, &info), MUON_OK);
  EXPECT_EQ(info.role, MUON_ROLE_GRADIENT);
  EXPECT_STREQ(info.name, "b");
  EXPECT_EQ(model.steps(), 5);
  EXPECT_THAT(model.get(model.weights[0]), ElementsAre(1, 2, 3, 4, 5, 6));

  // The reports of the last run, without asking for them in between.
  model.set(model.gradients[1], {0, 3, 0, 0, 0, 0});
  ASSERT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_OK);
  ASSERT_EQ(muonStepStatistics(step.get(), 1, &statistics), MUON_OK);
  EXPECT_EQ(statistics.gradient_norm, 3);
  model.set(model.gradients[1], {0, 4, 0, 0, 0, 0});
  ASSERT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_OK);
  EXPECT_EQ(muonStepNonFinite(step.get(), 0, &info),
            MUON_ERROR_INVALID_ARGUMENT);
  ASSERT_EQ(muonStepStatistics(step.get(), 1, &statistics), MUON_OK);
  EXPECT_EQ(statistics.gradient_norm, 4);
}

TEST_F(SimDeviceTest, Rebinding) {
  ASSERT_EQ(loadCode(gpuCode()), MUON_OK) << muonLastError();
  DeviceModel first(artifact.get()), second(artifact.get());
  StepHandle step = makeReady(first);
  ASSERT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_OK);
  bindAll(step.get(), second);
  ASSERT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_OK);
  EXPECT_THAT(first.get(first.weights[0]), ElementsAre(.5, 2, 3, 4, 5, 5));
  EXPECT_THAT(second.get(second.weights[0]), ElementsAre(.5, 2, 3, 4, 5, 5));
  EXPECT_EQ(first.steps(), 6);
  EXPECT_EQ(second.steps(), 6);
}

TEST_F(SimDeviceTest, TwoInstancesAtOnce) {
  ASSERT_EQ(loadCode(gpuCode(), "sim:threads=1"), MUON_OK);
  constexpr int threads = 3, runs = 20;
  std::vector<std::unique_ptr<DeviceModel>> models;
  std::vector<StepHandle> steps;
  for (int t = 0; t < threads; ++t) {
    models.push_back(std::make_unique<DeviceModel>(artifact.get()));
    steps.push_back(makeReady(*models.back()));
    ASSERT_EQ(muonStepSetScalar(steps[t].get(), MUON_ROLE_BETA, nullptr, 0),
              MUON_OK);
    ASSERT_EQ(muonStepSetScalar(steps[t].get(), MUON_ROLE_LR, nullptr,
                                std::ldexp(1.0, -t)),
              MUON_OK);
  }
  std::vector<int> good(threads);
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      for (int i = 0; i < runs; ++i)
        good[t] += muonStepRun(steps[t].get(), nullptr, nullptr) == MUON_OK;
    });
  for (std::thread &worker : workers)
    worker.join();
  for (int t = 0; t < threads; ++t) {
    EXPECT_EQ(good[t], runs);
    EXPECT_EQ(models[t]->steps(), 5 + runs);
    EXPECT_EQ(models[t]->get(models[t]->weights[0])[0],
              1 - runs * std::ldexp(1.0f, -t));
  }
  EXPECT_EQ(counters()["total"]["launches"], 2 * threads * runs);
}

TEST_F(SimDeviceTest, OutlivesArtifactHandle) {
  ASSERT_EQ(loadCode(gpuCode()), MUON_OK);
  DeviceModel model(artifact.get());
  StepHandle step = makeReady(model);
  MuonResult result;
  ASSERT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_OK);
  // Its memory goes with the step.
  model.artifact = nullptr;
  artifact.reset();
  EXPECT_EQ(muonStepWait(step.get(), &result), MUON_OK) << muonLastError();
  EXPECT_EQ(muonStepRun(step.get(), nullptr, &result), MUON_OK);
}

//===----------------------------------------------------------------------===//
// Findings
//===----------------------------------------------------------------------===//

TEST_F(SimDeviceTest, OutOfBounds) {
  std::string message =
      runBroken(replaced(gpuCode(), "st.global.f64 [%rd7], %fd1;",
                         "st.global.f64 [%rd7+4096], %fd1;"));
  EXPECT_THAT(message, HasSubstr("kernel 'look' of phase 'look', 2 blocks of "
                                 "32 threads: 1 finding:\n"
                                 "out-of-bounds in kernel 'look', line 40: "
                                 "st.global.f64 [%rd7+4096], %fd1;"));
  EXPECT_THAT(message, HasSubstr("scratch memory"));
}

TEST_F(SimDeviceTest, UndefinedArena) {
  std::string message =
      runBroken(replaced(gpuCode(), "st.global.f64 [%rd7], %fd1;", ""));
  EXPECT_THAT(message, HasSubstr("kernel 'update' of phase 'momentum', 2 "
                                 "blocks of 64 threads: "));
  EXPECT_THAT(message, HasSubstr("undefined-value"));
  // No launch after the one that failed, and nothing was stored.
  EXPECT_EQ(counters()["kernels"]["update"]["launches"], 1);
}

TEST_F(SimDeviceTest, NothingRunsAfterAFailure) {
  runBroken(replaced(gpuCode(), "st.global.f64 [%rd7], %fd1;", "trap;"));
  EXPECT_EQ(counters()["kernels"]["look"]["launches"], 1);
  EXPECT_EQ(counters()["kernels"]["update"]["launches"], 0);
}

TEST_F(SimDeviceTest, Races) {
  const std::string code = replaced(gpuCode(), "setp.ne.u32 %p1, %r1, 0;",
                                    "setp.ne.u32 %p1, %r1, %r1;");
  EXPECT_THAT(runBroken(code), HasSubstr("data-race in kernel 'look'"));
  ASSERT_EQ(loadCode(code, "sim:races=off"), MUON_OK);
  DeviceModel model(artifact.get());
  StepHandle step = makeReady(model);
  EXPECT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_OK)
      << muonLastError();
}

TEST_F(SimDeviceTest, UndefinedUse) {
  // A sum with a register that was never set, and is then dropped.
  const std::string code =
      replaced(gpuCode(), "mov.f64 %fd1, 0d0000000000000000;",
               "add.f64 %fd1, %fd0, %fd0; mov.f64 %fd1, 0d0000000000000000;");
  EXPECT_THAT(runBroken(code), HasSubstr("undefined-value in kernel 'look'"));
  ASSERT_EQ(loadCode(code, "sim:undefined=effects"), MUON_OK);
  DeviceModel model(artifact.get());
  StepHandle step = makeReady(model);
  EXPECT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_OK)
      << muonLastError();
}

TEST_F(SimDeviceTest, ManyFindings) {
  std::string code = gpuCode();
  for (const char *reg : {"%rd12", "%rd13", "%rd14"})
    code = replaced(code, std::string("add.u64 ") + reg + ", " + reg,
                    std::string("add.u64 ") + reg + ", 2");
  std::string message = runBroken(code);
  EXPECT_THAT(message, HasSubstr("5 findings, the first 3:\n"));
  size_t shown = 0;
  for (size_t at = 0;
       (at = message.find("in kernel 'update'", at)) != std::string::npos; ++at)
    ++shown;
  EXPECT_EQ(shown, 3u) << message;
}

TEST_F(SimDeviceTest, UnboundedSteps) {
  ASSERT_EQ(loadCode(gpuCode()), MUON_OK);
  DeviceModel model(artifact.get());
  StepHandle step = makeReady(model);
  auto expectFailure = [&](const char *message) {
    EXPECT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_ERROR_EXECUTION);
    EXPECT_THAT(muonLastError(), HasSubstr(message));
    EXPECT_EQ(model.steps(), 5);
  };
  setVariable<int32_t>("test_first_kernel", 2);
  expectFailure("the step launches kernel 2, but the artifact has 2");
  setVariable<int32_t>("test_first_kernel", -1);
  expectFailure("the step launches kernel -1");
  setVariable<int32_t>("test_first_kernel", 0);
  for (int64_t blocks : {int64_t(0), int64_t(-1), int64_t(1) << 31}) {
    setVariable<int64_t>("test_blocks", blocks);
    expectFailure("kernel 'look' of phase 'look'");
    expectFailure("blocks is not within 1 to 2^31 - 1");
  }
  setVariable<int64_t>("test_blocks", 2);
  setVariable<int32_t>("test_result", 7);
  EXPECT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_ERROR_EXECUTION);
  EXPECT_THAT(muonLastError(), HasSubstr("step returned 7"));
  setVariable<int32_t>("test_result", 0);
  EXPECT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_OK);
}

//===----------------------------------------------------------------------===//
// Counters
//===----------------------------------------------------------------------===//

TEST_F(SimDeviceTest, Counters) {
  ASSERT_EQ(loadCode(gpuCode()), MUON_OK);
  EXPECT_EQ(counters()["total"]["launches"], 0);
  DeviceModel model(artifact.get());
  StepHandle step = makeReady(model);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_OK);
  json found = counters();
  json look = found["kernels"]["look"], update = found["kernels"]["update"];
  EXPECT_EQ(found["kernels"].size(), 2u);
  EXPECT_EQ(look["launches"], 3);
  // Each block reads two entries of the slot table and six elements, and
  // writes one sum to two places.
  EXPECT_EQ(look["global"]["read_bytes"], 3 * 2 * (8 + 8 + 24));
  EXPECT_EQ(look["global"]["written_bytes"], 3 * 2 * 16);
  // Momentum and weight of each element; once ok, clip and the step count.
  EXPECT_EQ(update["global"]["written_bytes"], 3 * (2 * 6 * 8 + 1 + 4 + 8));
  EXPECT_EQ(found["total"]["launches"], 6);
  for (const char *key : {"read_bytes", "written_bytes"})
    EXPECT_EQ(found["total"]["global"][key],
              look["global"][key].get<int64_t>() +
                  update["global"][key].get<int64_t>());

  const char *text = nullptr;
  EXPECT_EQ(muonArtifactCounters(nullptr, &text), MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(muonArtifactCounters(artifact.get(), nullptr),
            MUON_ERROR_INVALID_ARGUMENT);
  std::string cpu = nextPath();
  writeArtifact(cpu, stepManifest().dump());
  MuonArtifact *other = nullptr;
  ASSERT_EQ(muonArtifactLoad(cpu.c_str(), "cpu", &other), MUON_OK);
  EXPECT_EQ(muonArtifactCounters(other, &text), MUON_ERROR_UNSUPPORTED);
  muonArtifactRelease(other);
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

TEST_F(SimDeviceTest, BadBuffers) {
  ASSERT_EQ(loadCode(gpuCode()), MUON_OK);
  StepHandle step = makeStep();
  void *memory = nullptr;
  ASSERT_EQ(muonDeviceAllocate(artifact.get(), 32, &memory), MUON_OK);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 256, 0u);
  auto expectRefused = [&](void *data, const char *message) {
    EXPECT_EQ(bind(step.get(), MUON_ROLE_WEIGHT, "a", data),
              MUON_ERROR_INVALID_ARGUMENT)
        << message;
    EXPECT_THAT(muonLastError(), HasSubstr("weight 'a': "));
    EXPECT_THAT(muonLastError(), HasSubstr(message));
  };
  auto *bytes = static_cast<char *>(memory);
  expectRefused(bytes + 4, "is not a multiple of 16");
  expectRefused(bytes + 8, "is not a multiple of 16");
  expectRefused(bytes + 16, "24 bytes at address 0x");
  expectRefused(bytes + 16, "which has 16 bytes from there");
  expectRefused(nullptr, "address is null");
  alignas(16) float host[6];
  expectRefused(host, "is not in memory of device 'sim'");
  EXPECT_EQ(bind(step.get(), MUON_ROLE_WEIGHT, "a", memory), MUON_OK);
  muonDeviceFree(artifact.get(), memory);
  expectRefused(memory, "is not in memory of device 'sim'");
  int stream = 0;
  EXPECT_EQ(muonStepRun(step.get(), &stream, nullptr),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(muonLastError(), HasSubstr("stream must be null"));
}

TEST_F(SimDeviceTest, FreedBuffer) {
  ASSERT_EQ(loadCode(gpuCode()), MUON_OK);
  DeviceModel model(artifact.get());
  StepHandle step = makeReady(model);
  muonDeviceFree(artifact.get(), model.gradients[1]);
  EXPECT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_ERROR_EXECUTION);
  EXPECT_THAT(muonLastError(), HasSubstr("out-of-bounds in kernel 'look'"));
}

TEST_F(SimDeviceTest, Copies) {
  ASSERT_EQ(loadCode(gpuCode()), MUON_OK);
  MuonArtifact *self = artifact.get();
  char host[16] = "0123456789abcde", back[16] = {};
  void *memory = nullptr;
  ASSERT_EQ(muonDeviceAllocate(self, 16, &memory), MUON_OK);
  auto *inside = static_cast<char *>(memory) + 4;
  EXPECT_EQ(muonDeviceDownload(self, back, memory, 16, nullptr),
            MUON_ERROR_EXECUTION);
  EXPECT_THAT(muonLastError(), HasSubstr("16 of 16 bytes"));
  ASSERT_EQ(muonDeviceUpload(self, inside, host, 8, nullptr), MUON_OK);
  EXPECT_EQ(muonDeviceDownload(self, back, memory, 16, nullptr),
            MUON_ERROR_EXECUTION);
  EXPECT_THAT(muonLastError(), HasSubstr("8 of 16 bytes"));
  EXPECT_THAT(muonLastError(), HasSubstr("were never written"));
  ASSERT_EQ(muonDeviceDownload(self, back, inside, 8, nullptr), MUON_OK);
  EXPECT_STREQ(back, "01234567");

  auto expectRefused = [&](MuonStatus status, const char *message) {
    EXPECT_EQ(status, MUON_ERROR_INVALID_ARGUMENT) << message;
    EXPECT_THAT(muonLastError(), HasSubstr(message));
  };
  int stream = 0;
  expectRefused(muonDeviceUpload(self, inside, host, 16, nullptr),
                "which has 12 bytes from there");
  expectRefused(muonDeviceDownload(self, back, inside, 13, nullptr),
                "which has 12 bytes from there");
  expectRefused(muonDeviceUpload(self, host, host, 16, nullptr),
                "is not in memory of device 'sim'");
  expectRefused(muonDeviceUpload(self, memory, host, 16, &stream),
                "stream must be null");
  expectRefused(muonDeviceUpload(self, nullptr, host, 16, nullptr),
                "argument 'memory' is null");
  expectRefused(muonDeviceDownload(self, nullptr, memory, 16, nullptr),
                "argument 'host' is null");
  expectRefused(muonDeviceDownload(nullptr, back, memory, 16, nullptr),
                "argument 'artifact' is null");
  expectRefused(muonDeviceAllocate(self, 16, nullptr),
                "argument 'memory' is null");
  EXPECT_EQ(muonDeviceUpload(self, nullptr, nullptr, 0, nullptr), MUON_OK);
  muonDeviceFree(self, memory);
  muonDeviceFree(self, nullptr);
}

TEST_F(SimDeviceTest, OutOfMemory) {
  const int64_t huge = int64_t(1) << 50;
  ASSERT_EQ(loadChanged([&](json &m) { m["arena"]["bytes"] = huge; }), MUON_OK);
  void *memory = nullptr;
  EXPECT_EQ(muonDeviceAllocate(artifact.get(), huge, &memory),
            MUON_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(memory, nullptr);
  DeviceModel model(artifact.get());
  StepHandle step = makeReady(model);
  EXPECT_EQ(muonStepRun(step.get(), nullptr, nullptr),
            MUON_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(muonLastError(),
              testing::ContainsRegex("cannot allocate 1125899906842624 bytes "
                                     "for scratch memory: device 'sim' has "
                                     "[0-9]+"));
  EXPECT_EQ(counters()["total"]["launches"], 0);
  EXPECT_EQ(model.steps(), 5);
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

TEST_F(SimDeviceTest, Options) {
  auto expectRefused = [&](const std::string &options, const char *message) {
    EXPECT_EQ(loadCode(gpuCode(), ("sim:" + options).c_str()),
              MUON_ERROR_INVALID_ARGUMENT)
        << options;
    EXPECT_THAT(muonLastError(), HasSubstr(message));
  };
  expectRefused("speed=1", "unknown option 'speed'; options: seed, races, "
                           "threads, undefined");
  expectRefused("seed", "expected options as 'key=value', found 'seed'");
  expectRefused(",seed=1", "found ''");
  expectRefused("seed=1,seed=2", "option 'seed' is given twice");
  for (const char *bad :
       {"", "-1", "+1", "1x", "x", " 1", "1 ", "18446744073709551616"})
    expectRefused(std::string("seed=") + bad,
                  "option 'seed': expected an integer from 0 to "
                  "18446744073709551615, found");
  for (const char *bad : {"0", "1025", "-1", "4294967297"})
    expectRefused(std::string("threads=") + bad,
                  "option 'threads': expected an integer from 1 to 1024");
  expectRefused("races=yes", "option 'races': expected 'on' or 'off', found "
                             "'yes'");
  expectRefused("undefined=never",
                "expected 'effects' or 'arithmetic', found 'never'");
}

TEST_F(SimDeviceTest, WrongTargets) {
  EXPECT_EQ(loadChanged([](json &) {}, gpuCode(), "cpu"),
            MUON_ERROR_UNSUPPORTED);
  EXPECT_THAT(muonLastError(), HasSubstr("compiled for target 'cuda', device "
                                         "'cpu' runs 'cpu'"));
  std::string cpu = nextPath();
  writeArtifact(cpu, stepManifest().dump());
  EXPECT_EQ(load(cpu), MUON_ERROR_UNSUPPORTED);
  EXPECT_THAT(muonLastError(), HasSubstr("compiled for target 'cpu', device "
                                         "'sim' runs 'cuda'"));
  auto unsupported = MUON_ERROR_UNSUPPORTED;
  expectRefused(unsupported,
                "device 'sim' runs PTX for up to sm_80, the artifact has PTX "
                "for sm_90",
                [](json &m) { m["device"]["code"][0]["arch"] = "sm_90"; });
  expectRefused(unsupported, "the artifact has PTX for sm_80a",
                [](json &m) { m["device"]["code"][0]["arch"] = "sm_80a"; });
  expectRefused(unsupported, "the artifact has a cubin for sm_80",
                [](json &m) { m["device"]["code"][0]["kind"] = "cubin"; });
  expectRefused(unsupported,
                "kernel 'look' needs 166913 bytes of shared memory, device "
                "'sim' has 166912",
                [](json &m) { m["device"]["kernels"][0]["shared"] = 166913; });
  expectRefused(unsupported, "compiled for architecture 'riscv64'",
                [](json &m) { m["arch"] = "riscv64"; });
}

TEST_F(SimDeviceTest, ChoosesCode) {
  // Of several parts the best one that can run, wherever it lies.
  const std::string first = "not PTX", code = first + gpuCode();
  auto part = [&](const char *kind, const char *arch, size_t offset,
                  size_t bytes) {
    return json{
        {"kind", kind}, {"arch", arch}, {"offset", offset}, {"bytes", bytes}};
  };
  ASSERT_EQ(loadChanged(
                [&](json &m) {
                  m["device"]["code"] = {
                      part("cubin", "sm_80", 0, 7), part("ptx", "sm_75", 0, 7),
                      part("ptx", "sm_80", 7, gpuCode().size()),
                      part("ptx", "sm_90a", 0, 7)};
                },
                code),
            MUON_OK)
      << muonLastError();
  {
    DeviceModel model(artifact.get());
    StepHandle step = makeReady(model);
    EXPECT_EQ(muonStepRun(step.get(), nullptr, nullptr), MUON_OK);
  }
  expectRefused(
      MUON_ERROR_INVALID_ARTIFACT, "PTX for sm_75: line 1:",
      [&](json &m) { m["device"]["code"] = {part("ptx", "sm_75", 0, 7)}; },
      code);
}

TEST_F(SimDeviceTest, BadCode) {
  auto unchanged = [](json &) {};
  auto invalid = MUON_ERROR_INVALID_ARTIFACT;
  expectRefused(
      invalid, "PTX for sm_80: line 42: ", unchanged,
      replaced(gpuCode(), "add.u64 %rd9, %rd8, %rd4;", "add.u64 %rd9, %rd8;"));
  expectRefused(MUON_ERROR_UNSUPPORTED,
                "PTX for sm_90, device 'sim' runs up to sm_80", unchanged,
                replaced(gpuCode(), ".target sm_80", ".target sm_90"));
  expectRefused(invalid, "kernel 'glance': not in the PTX",
                [](json &m) { m["device"]["kernels"][0]["name"] = "glance"; });
  expectRefused(
      invalid,
      "kernel 'other': parameters are (.u64, .u32), expected (.u64, "
      ".u64, .u64, .u32, .u32)",
      [](json &m) { m["device"]["kernels"][0]["name"] = "other"; },
      gpuCode() + ".visible .entry other(.param .u64 a, .param .u32 "
                  "b) { ret; }");

  json manifest = gpuManifest();
  auto expectFile = [&](const char *message) {
    EXPECT_EQ(load(path), invalid);
    EXPECT_THAT(muonLastError(), HasSubstr(message));
  };
  path = nextPath();
  writeGpuArtifact(path, manifest.dump(), std::nullopt);
  expectFile("compiled for a GPU, but has no symbol 'muon_device_code'");
  path = nextPath();
  writeGpuArtifact(path, manifest.dump(), gpuCode(), 1000000);
  expectFile("device code size is 1000000, but the device code has 8174");
  path = nextPath();
  writeGpuArtifact(path, manifest.dump(), gpuCode(), gpuCode().size() - 1);
  expectFile("manifest: device: code[0] is ");
  expectRefused(invalid,
                "code[0] is 10 bytes from 8164, but "
                "'muon_device_code' has 8173",
                [](json &m) {
                  m["device"]["code"][0]["offset"] = 8164;
                  m["device"]["code"][0]["bytes"] = 10;
                });
  expectRefused(invalid, "code[0] is 1 bytes from 9223372036854775807",
                [](json &m) {
                  m["device"]["code"][0]["offset"] = INT64_MAX;
                  m["device"]["code"][0]["bytes"] = 1;
                });
}

TEST_F(SimDeviceTest, RequiredKeys) {
  expectInvalid("'device' is missing", [](json &m) { m.erase("device"); });
  expectInvalid("target 'cpu' has no 'device'",
                [](json &m) { m["target"] = "cpu"; });
  json good = gpuManifest()["device"];
  for (const auto &item : good.items())
    expectInvalid("device: '" + item.key() + "' is missing",
                  [&](json &m) { m["device"].erase(item.key()); });
  for (const auto &item : good["code"][0].items())
    expectInvalid("device: code[0]: '" + item.key() + "' is missing",
                  [&](json &m) { m["device"]["code"][0].erase(item.key()); });
  for (const auto &item : good["kernels"][0].items())
    expectInvalid(
        "device: kernels[0]: '" + item.key() + "' is missing",
        [&](json &m) { m["device"]["kernels"][0].erase(item.key()); });
}

TEST_F(SimDeviceTest, WrongKinds) {
  json good = gpuManifest()["device"];
  for (const json &bad : {json(-1), json(1.5), json("?"), json(nullptr),
                          json::array({1}), json{{"a", 1}}}) {
    auto change = [&](json &at, const json &from, const std::string &key) {
      // An object where there is one would be of the right kind.
      if (from[key].type() != bad.type() || !bad.is_string() || key == "arch" ||
          key == "kind" || key == "name")
        at[key] = bad;
      else
        at.erase(key);
    };
    for (const auto &item : good.items())
      expectInvalid("device: ",
                    [&](json &m) { change(m["device"], good, item.key()); });
    for (const auto &item : good["code"][0].items())
      expectInvalid("device: code[0]: ", [&](json &m) {
        change(m["device"]["code"][0], good["code"][0], item.key());
      });
    for (const auto &item : good["kernels"][0].items())
      expectInvalid("device: kernels[0]: ", [&](json &m) {
        change(m["device"]["kernels"][0], good["kernels"][0], item.key());
      });
    expectInvalid("'device' is not an object",
                  [&](json &m) { m["device"] = json::array({bad}); });
  }
}

TEST_F(SimDeviceTest, Limits) {
  auto kernel = [&](const char *key, const json &value) {
    return [key, value](json &m) { m["device"]["kernels"][0][key] = value; };
  };
  auto device = [&](const char *key, const json &value) {
    return [key, value](json &m) { m["device"][key] = value; };
  };
  const std::string first = "device: kernels[0]: ";
  expectInvalid(first + "'threads' is 0, expected 1 to 1024",
                kernel("threads", 0));
  expectInvalid(first + "'threads' is 1056, expected 1 to 1024",
                kernel("threads", 1056));
  expectInvalid(first + "'threads' is 48, expected a multiple of 32",
                kernel("threads", 48));
  expectInvalid(first + "'shared' is 232449, expected 0 to 232448",
                kernel("shared", 232449));
  expectInvalid(first + "'registers' is 0, expected 1 to 255",
                kernel("registers", 0));
  expectInvalid(first + "'registers' is 256", kernel("registers", 256));
  for (const char *bad : {"", "1a", "a-b", "a b", "a.b", "$a", "a\n"})
    expectInvalid(first + "'name' is ", kernel("name", bad));
  expectInvalid("device: kernels[1]: kernel 'look' appears twice",
                [](json &m) { m["device"]["kernels"][1]["name"] = "look"; });

  for (const char *bad : {"", "sm_", "sm_8", "sm_080", "sm_1000", "sm_80b",
                          "sm_a", "compute_80", "SM_80", "sm_80aa", "80"})
    expectInvalid("device: 'arch' is ", device("arch", bad));
  expectInvalid("device: 'isa' is 9, expected 10 to 999", device("isa", 9));
  expectInvalid("device: 'isa' is 1000", device("isa", 1000));
  for (int64_t bad : {int64_t(0), int64_t(24), int64_t(1) << 31})
    expectInvalid("device: 'alignment' is ", device("alignment", bad));
  expectInvalid("device: 'sharedBytes' is 232449",
                device("sharedBytes", 232449));
  expectInvalid(
      "device: kernels[1]: 'shared' is 17, but 'sharedBytes' of the device "
      "is 16",
      [](json &m) {
        m["device"]["sharedBytes"] = 16;
        m["device"]["kernels"][1]["shared"] = 17;
      });
  expectInvalid("device: code[0]: 'bytes' is 0",
                [](json &m) { m["device"]["code"][0]["bytes"] = 0; });
  expectInvalid("device: code[0]: 'kind' is 'sass', expected 'ptx' or 'cubin'",
                [](json &m) { m["device"]["code"][0]["kind"] = "sass"; });
  expectInvalid("device: there are kernels, but 'code' is empty",
                device("code", json::array()));
  // What is at the limits is fine.
  EXPECT_EQ(loadChanged([](json &m) {
              m["device"]["sharedBytes"] = 232448;
              m["device"]["kernels"][0]["threads"] = 1024;
              m["device"]["kernels"][0]["shared"] = 163 * 1024;
              m["device"]["kernels"][0]["registers"] = 255;
            }),
            MUON_OK)
      << muonLastError();
  // A step that has nothing to launch.
  EXPECT_EQ(loadChanged([](json &m) {
              m["device"]["code"] = json::array();
              m["device"]["kernels"] = json::array();
            }),
            MUON_OK)
      << muonLastError();
}
