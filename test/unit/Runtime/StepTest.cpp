//===- StepTest.cpp - Binding and running steps ---------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestArtifact.h"
#include "muon-mlir/Runtime/HostApi.h"
#include "muon-mlir/Runtime/Runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <dlfcn.h>
#include <functional>
#include <limits>
#include <thread>

using testing::HasSubstr;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// The tensors of the artifact in memory of the test.
struct Model {
  float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {6, 5, 4, 3, 2, 1};
  float gradientA[6] = {1, 0, 0, 0, 0, 0}, gradientB[6] = {0, 2, 0, 0, 0, 0};
  float momentumA[6] = {}, momentumB[6] = {};
  float qkv[8] = {1, 1, 1, 1, 2, 2, 2, 2};
  float gradientQkv[8] = {1, 1, 1, 1, 3, 3, 3, 3};
  uint16_t h[3] = {0x3f80, 0x3f80, 0x3f80};
  uint16_t gradientH[3] = {0x3f80, 0, 0};
  float master[3] = {1, 1, 1};
  int64_t count = 5;
};

struct Binding {
  MuonRole role;
  const char *name;
  void *data;
  MuonType type;
  std::vector<int64_t> shape;
  uint64_t bytes;
};

std::vector<Binding> bindings(Model &m) {
  return {
      {MUON_ROLE_WEIGHT, "a", m.a, MUON_TYPE_F32, {2, 3}, 24},
      {MUON_ROLE_WEIGHT, "b", m.b, MUON_TYPE_F32, {2, 3}, 24},
      {MUON_ROLE_GRADIENT, "a", m.gradientA, MUON_TYPE_F32, {2, 3}, 24},
      {MUON_ROLE_GRADIENT, "b", m.gradientB, MUON_TYPE_F32, {2, 3}, 24},
      {MUON_ROLE_MOMENTUM, "a", m.momentumA, MUON_TYPE_F32, {2, 3}, 24},
      {MUON_ROLE_MOMENTUM, "b", m.momentumB, MUON_TYPE_F32, {2, 3}, 24},
      {MUON_ROLE_WEIGHT, "qkv", m.qkv, MUON_TYPE_F32, {4, 2}, 32},
      {MUON_ROLE_GRADIENT, "qkv", m.gradientQkv, MUON_TYPE_F32, {4, 2}, 32},
      {MUON_ROLE_WEIGHT, "h", m.h, MUON_TYPE_BF16, {3}, 6},
      {MUON_ROLE_GRADIENT, "h", m.gradientH, MUON_TYPE_BF16, {3}, 6},
      {MUON_ROLE_MASTER, "h", m.master, MUON_TYPE_F32, {3}, 12},
      {MUON_ROLE_STEP, "step", &m.count, MUON_TYPE_I64, {}, 8},
  };
}

MuonStatus bind(MuonStep *step, const Binding &binding) {
  MuonBuffer buffer = {binding.data, binding.type, binding.shape.size(),
                       binding.shape.data(), binding.bytes};
  return muonStepBind(step, binding.role, binding.name, &buffer);
}

void bindAll(MuonStep *step, Model &model) {
  for (const Binding &binding : bindings(model))
    ASSERT_EQ(bind(step, binding), MUON_OK) << muonLastError();
}

class StepTest : public testing::Test {
protected:
  void SetUp() override {
    path = directory.file("step.so");
    writeArtifact(path, stepManifest().dump());
    ASSERT_EQ(muonArtifactLoad(path.c_str(), "cpu", &artifact), MUON_OK)
        << muonLastError();
    ASSERT_EQ(muonStepCreate(artifact, &step), MUON_OK) << muonLastError();
  }
  void TearDown() override {
    muonStepDestroy(step);
    muonArtifactRelease(artifact);
  }

  void makeReady() {
    bindAll(step, model);
    ASSERT_EQ(muonStepSetScalar(step, MUON_ROLE_LR, nullptr, 0.5), MUON_OK);
    ASSERT_EQ(muonStepSetScalar(step, MUON_ROLE_WEIGHT_DECAY, "muon", 0),
              MUON_OK);
  }

  /// Binds the tensor at `index` of bindings() after a change.
  void expectRefused(size_t index, const std::string &message,
                     const std::function<void(Binding &)> &change) {
    Binding binding = bindings(model)[index];
    change(binding);
    EXPECT_EQ(bind(step, binding), MUON_ERROR_INVALID_ARGUMENT) << message;
    EXPECT_THAT(muonLastError(), HasSubstr(message));
  }

  TemporaryDirectory directory;
  std::string path;
  Model model;
  MuonArtifact *artifact = nullptr;
  MuonStep *step = nullptr;
};

} // namespace

TEST_F(StepTest, Runs) {
  makeReady();
  model.momentumA[5] = 8;
  ASSERT_EQ(muonStepSetScalar(step, MUON_ROLE_BETA, "muon", 0.25), MUON_OK);
  MuonResult result = {};
  ASSERT_EQ(muonStepRun(step, nullptr, &result), MUON_OK) << muonLastError();
  EXPECT_EQ(result.taken, 1);
  EXPECT_EQ(result.clip, 1.0f);
  EXPECT_EQ(result.non_finite, 0u);
  ASSERT_EQ(result.statistics, 4u);

  EXPECT_THAT(model.a, testing::ElementsAre(0.5, 2, 3, 4, 5, 5));
  EXPECT_THAT(model.b, testing::ElementsAre(6, 4, 4, 3, 2, 1));
  EXPECT_THAT(model.momentumA, testing::ElementsAre(1, 0, 0, 0, 0, 2));
  EXPECT_THAT(model.gradientA, testing::ElementsAre(1, 0, 0, 0, 0, 0));
  // The blocks of qkv are rows of one buffer.
  EXPECT_THAT(model.qkv, testing::ElementsAre(.5, .5, .5, .5, .5, .5, .5, .5));
  EXPECT_THAT(model.h, testing::ElementsAre(0x3f00, 0x3f80, 0x3f80));
  EXPECT_THAT(model.master, testing::ElementsAre(0.5, 1, 1));
  EXPECT_EQ(model.count, 6);

  MuonStatistics statistics;
  ASSERT_EQ(muonStepStatistics(step, 0, &statistics), MUON_OK);
  EXPECT_STREQ(statistics.name, "a");
  EXPECT_DOUBLE_EQ(statistics.gradient_norm, 1);
  EXPECT_DOUBLE_EQ(statistics.momentum_norm, 8);
  EXPECT_DOUBLE_EQ(statistics.update_rms, std::sqrt(5.0 / 6));
  EXPECT_DOUBLE_EQ(statistics.weight_norm, std::sqrt(.25 + 4 + 9 + 16 + 50));
  ASSERT_EQ(muonStepStatistics(step, 2, &statistics), MUON_OK);
  EXPECT_STREQ(statistics.name, "qkv");
  EXPECT_DOUBLE_EQ(statistics.gradient_norm, std::sqrt(40.0));
  EXPECT_TRUE(std::isnan(statistics.weight_norm));
  ASSERT_EQ(muonStepStatistics(step, 3, &statistics), MUON_OK);
  EXPECT_STREQ(statistics.name, "h");
  EXPECT_EQ(muonStepStatistics(step, 4, &statistics),
            MUON_ERROR_INVALID_ARGUMENT);

  // Scalars stay; a second run goes on from the first.
  ASSERT_EQ(muonStepRun(step, nullptr, nullptr), MUON_OK) << muonLastError();
  EXPECT_EQ(model.count, 7);
  EXPECT_EQ(model.master[0], 0.0f);
}

TEST_F(StepTest, ScalarsOfGroups) {
  makeReady();
  ASSERT_EQ(muonStepSetScalar(step, MUON_ROLE_LR, "adamw", 0.25), MUON_OK);
  ASSERT_EQ(muonStepSetScalar(step, MUON_ROLE_CLIP_LIMIT, nullptr, 1), MUON_OK);
  MuonResult result;
  ASSERT_EQ(muonStepRun(step, nullptr, &result), MUON_OK);
  EXPECT_EQ(result.clip, 0.5f);
  EXPECT_EQ(model.a[0], 0.75f);
  EXPECT_EQ(model.master[0], 0.875f);

  // The default of weight decay, in an instance of its own.
  MuonStep *other = nullptr;
  Model otherModel;
  ASSERT_EQ(muonStepCreate(artifact, &other), MUON_OK);
  bindAll(other, otherModel);
  ASSERT_EQ(muonStepSetScalar(other, MUON_ROLE_LR, nullptr, 0.5), MUON_OK);
  ASSERT_EQ(muonStepRun(other, nullptr, nullptr), MUON_OK);
  EXPECT_EQ(otherModel.a[1], 0.75f * 2);
  muonStepDestroy(other);
}

TEST_F(StepTest, ScalarErrors) {
  auto expectRefused = [&](MuonRole role, const char *group, double value,
                           const char *message) {
    EXPECT_EQ(muonStepSetScalar(step, role, group, value),
              MUON_ERROR_INVALID_ARGUMENT)
        << message;
    EXPECT_THAT(muonLastError(), HasSubstr(message));
  };
  expectRefused(MUON_ROLE_LR, "other", 1,
                "no lr of group 'other'; groups: 'muon', 'adamw'");
  expectRefused(MUON_ROLE_LR, nullptr, NAN, "must be finite");
  expectRefused(MUON_ROLE_LR, nullptr, 1e300, "must be finite");
  expectRefused(MUON_ROLE_LR, nullptr, -1e-9, "must not be negative");
  expectRefused(MUON_ROLE_WEIGHT_DECAY, nullptr, -1, "must not be negative");
  expectRefused(MUON_ROLE_BETA, nullptr, 1, "less than 1");
  expectRefused(MUON_ROLE_BETA, nullptr, 1 - 1e-12, "less than 1");
  expectRefused(MUON_ROLE_BETA, nullptr, -0.5, "at least 0");
  expectRefused(MUON_ROLE_CLIP_LIMIT, nullptr, 0, "must be positive");
  expectRefused(MUON_ROLE_CLIP_LIMIT, "muon", 1, "clip_limit has no groups");
  expectRefused(MUON_ROLE_WEIGHT, nullptr, 1, "weight is not a scalar");
  expectRefused(MUON_ROLE_OK, nullptr, 1, "ok is not a scalar");
  expectRefused(MUON_ROLE_MAX, nullptr, 1, "unknown role");
}

TEST_F(StepTest, Unbound) {
  EXPECT_EQ(muonStepRun(step, nullptr, nullptr), MUON_ERROR_NOT_READY);
  EXPECT_STREQ(muonLastError(),
               "12 of 12 tensors are not bound: weight 'a', weight 'b', "
               "gradient 'a' and 9 more");
  for (const Binding &binding : bindings(model)) {
    if (binding.role != MUON_ROLE_MASTER) {
      ASSERT_EQ(bind(step, binding), MUON_OK);
    }
  }
  EXPECT_EQ(muonStepRun(step, nullptr, nullptr), MUON_ERROR_NOT_READY);
  EXPECT_STREQ(muonLastError(), "1 of 12 tensors are not bound: master 'h'");
  ASSERT_EQ(bind(step, bindings(model)[10]), MUON_OK);
  EXPECT_EQ(muonStepRun(step, nullptr, nullptr), MUON_ERROR_NOT_READY);
  EXPECT_STREQ(muonLastError(), "scalars without a default are not set: lr of "
                                "group 'muon', lr of group 'adamw'");
  ASSERT_EQ(muonStepSetScalar(step, MUON_ROLE_LR, "muon", 1), MUON_OK);
  EXPECT_EQ(muonStepRun(step, nullptr, nullptr), MUON_ERROR_NOT_READY);
  EXPECT_EQ(model.count, 5);
  EXPECT_EQ(model.a[0], 1);

  MuonStatistics statistics;
  EXPECT_EQ(muonStepStatistics(step, 0, &statistics), MUON_ERROR_NOT_READY);
  MuonNonFinite info;
  EXPECT_EQ(muonStepNonFinite(step, 0, &info), MUON_ERROR_NOT_READY);
}

TEST_F(StepTest, BadBuffers) {
  expectRefused(0, "has no weight 'x'", [](Binding &b) { b.name = "x"; });
  expectRefused(0, "has no exp_avg 'a'",
                [](Binding &b) { b.role = MUON_ROLE_EXP_AVG; });
  expectRefused(0, "has no lr 'a'", [](Binding &b) { b.role = MUON_ROLE_LR; });
  expectRefused(0, "unknown role", [](Binding &b) { b.role = MUON_ROLE_MAX; });
  expectRefused(0, "weight 'a': type is bf16, expected f32",
                [](Binding &b) { b.type = MUON_TYPE_BF16; });
  expectRefused(0, "type is unknown",
                [](Binding &b) { b.type = MUON_TYPE_MAX; });
  expectRefused(0, "weight 'a': shape is [3, 2], expected [2, 3]",
                [](Binding &b) {
                  b.shape = {3, 2};
                });
  expectRefused(0, "shape is [6]", [](Binding &b) { b.shape = {6}; });
  expectRefused(0, "shape is []", [](Binding &b) { b.shape = {}; });
  expectRefused(6, "shape is [2, 2], expected [4, 2]", [](Binding &b) {
    b.shape = {2, 2};
  });
  expectRefused(0, "buffer has 23 bytes, expected 24",
                [](Binding &b) { b.bytes = 23; });
  expectRefused(0, "address is null", [](Binding &b) { b.data = nullptr; });
  expectRefused(0, "is not a multiple of 4",
                [](Binding &b) { b.data = static_cast<char *>(b.data) + 2; });
  expectRefused(8, "is not a multiple of 2",
                [](Binding &b) { b.data = static_cast<char *>(b.data) + 1; });
  expectRefused(0, "beyond the address space", [](Binding &b) {
    b.data = reinterpret_cast<void *>(UINTPTR_MAX - 3);
  });
  MuonBuffer buffer = {model.a, MUON_TYPE_F32, 2, nullptr, 24};
  EXPECT_EQ(muonStepBind(step, MUON_ROLE_WEIGHT, "a", &buffer),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(muonStepBind(step, MUON_ROLE_WEIGHT, nullptr, &buffer),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(muonStepBind(step, MUON_ROLE_WEIGHT, "a", nullptr),
            MUON_ERROR_INVALID_ARGUMENT);
  // Alignment to the element is enough.
  alignas(8) float odd[7];
  const int64_t shape[] = {2, 3};
  buffer = {odd + 1, MUON_TYPE_F32, 2, shape, 24};
  EXPECT_EQ(muonStepBind(step, MUON_ROLE_WEIGHT, "a", &buffer), MUON_OK);
}

TEST_F(StepTest, Aliased) {
  makeReady();
  auto expectOverlap = [&](size_t index, void *data, const char *message) {
    Binding binding = bindings(model)[index];
    binding.data = data;
    ASSERT_EQ(bind(step, binding), MUON_OK);
    EXPECT_EQ(muonStepRun(step, nullptr, nullptr), MUON_ERROR_INVALID_ARGUMENT);
    EXPECT_THAT(muonLastError(), HasSubstr(message));
    EXPECT_THAT(muonLastError(), HasSubstr("overlap"));
    ASSERT_EQ(bind(step, bindings(model)[index]), MUON_OK);
  };
  // Two that are written; one read and one written; two that are read.
  expectOverlap(1, model.a, "weight 'a'");
  expectOverlap(1, model.a, "weight 'b'");
  expectOverlap(2, model.b, "gradient 'a'");
  expectOverlap(3, model.gradientA, "gradient 'b'");
  // By a single element, from either side.
  alignas(8) float shared[11] = {};
  Binding first = bindings(model)[0];
  first.data = shared + 5;
  ASSERT_EQ(bind(step, first), MUON_OK);
  expectOverlap(1, shared, "weight 'a'");
  EXPECT_EQ(model.count, 5);
  // Neighbours are fine.
  alignas(8) float apart[12] = {};
  first.data = apart;
  ASSERT_EQ(bind(step, first), MUON_OK);
  Binding second = bindings(model)[1];
  second.data = apart + 6;
  ASSERT_EQ(bind(step, second), MUON_OK);
  EXPECT_EQ(muonStepRun(step, nullptr, nullptr), MUON_OK) << muonLastError();
}

TEST_F(StepTest, Rebinding) {
  makeReady();
  ASSERT_EQ(muonStepRun(step, nullptr, nullptr), MUON_OK);
  Model second;
  bindAll(step, second);
  Model first = model;
  ASSERT_EQ(muonStepRun(step, nullptr, nullptr), MUON_OK);
  EXPECT_EQ(std::memcmp(&first, &model, sizeof(Model)), 0);
  EXPECT_EQ(second.count, 6);
}

TEST_F(StepTest, Skipped) {
  makeReady();
  model.gradientQkv[7] = infinity;
  model.gradientB[0] = NAN;
  model.momentumA[3] = NAN;
  Model before = model;
  MuonResult result;
  ASSERT_EQ(muonStepRun(step, nullptr, &result), MUON_OK) << muonLastError();
  EXPECT_EQ(result.taken, 0);
  ASSERT_EQ(result.non_finite, 3u);
  EXPECT_EQ(std::memcmp(&before, &model, sizeof(Model)), 0);

  std::string found;
  for (size_t i = 0; i < result.non_finite; ++i) {
    MuonNonFinite info;
    ASSERT_EQ(muonStepNonFinite(step, i, &info), MUON_OK);
    found += std::string(muonRoleName(info.role)) + " " + info.name + "\n";
  }
  EXPECT_EQ(found, "gradient b\ngradient qkv\nmomentum a\n");
  MuonNonFinite info;
  EXPECT_EQ(muonStepNonFinite(step, 3, &info), MUON_ERROR_INVALID_ARGUMENT);
  MuonStatistics statistics;
  ASSERT_EQ(muonStepStatistics(step, 0, &statistics), MUON_OK);
  EXPECT_EQ(statistics.gradient_norm, 1);
  EXPECT_TRUE(std::isnan(statistics.update_rms));
  EXPECT_TRUE(std::isnan(statistics.weight_norm));

  // The next step with good gradients is taken.
  model.gradientQkv[7] = model.gradientB[0] = model.momentumA[3] = 0;
  ASSERT_EQ(muonStepRun(step, nullptr, &result), MUON_OK);
  EXPECT_EQ(result.taken, 1);
  EXPECT_EQ(result.non_finite, 0u);
}

TEST_F(StepTest, Failures) {
  makeReady();
  int stream = 0;
  EXPECT_EQ(muonStepRun(step, &stream, nullptr), MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(muonLastError(), HasSubstr("stream must be null"));
  // The test artifact's way of failing.
  ASSERT_EQ(muonStepSetScalar(step, MUON_ROLE_LR, "muon", 1234), MUON_OK);
  EXPECT_EQ(muonStepRun(step, nullptr, nullptr), MUON_ERROR_EXECUTION);
  EXPECT_THAT(muonLastError(), HasSubstr("step returned 42"));
  MuonStatistics statistics;
  EXPECT_EQ(muonStepStatistics(step, 0, &statistics), MUON_ERROR_NOT_READY);
}

TEST_F(StepTest, ArenaTooLarge) {
  nlohmann::json manifest = stepManifest();
  manifest["arena"]["bytes"] = int64_t(1) << 60;
  std::string big = directory.file("big.so");
  writeArtifact(big, manifest.dump());
  MuonArtifact *bigArtifact = nullptr;
  MuonStep *bigStep = nullptr;
  ASSERT_EQ(muonArtifactLoad(big.c_str(), "cpu", &bigArtifact), MUON_OK);
  ASSERT_EQ(muonStepCreate(bigArtifact, &bigStep), MUON_OK);
  bindAll(bigStep, model);
  ASSERT_EQ(muonStepSetScalar(bigStep, MUON_ROLE_LR, nullptr, 1), MUON_OK);
  EXPECT_EQ(muonStepRun(bigStep, nullptr, nullptr), MUON_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(muonLastError(), HasSubstr("scratch memory"));
  muonStepDestroy(bigStep);
  muonArtifactRelease(bigArtifact);
}

TEST_F(StepTest, OutlivesArtifactHandle) {
  makeReady();
  muonArtifactRelease(artifact);
  artifact = nullptr;
  EXPECT_EQ(muonStepRun(step, nullptr, nullptr), MUON_OK);
  EXPECT_EQ(model.count, 6);
}

TEST_F(StepTest, TwoInstancesAtOnce) {
  constexpr int threads = 4, runs = 500;
  Model models[threads];
  std::vector<std::thread> workers;
  std::vector<std::string> errors(threads);
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      MuonStep *mine = nullptr;
      bool good = muonStepCreate(artifact, &mine) == MUON_OK;
      for (const Binding &binding : bindings(models[t]))
        good = good && bind(mine, binding) == MUON_OK;
      good = good && muonStepSetScalar(mine, MUON_ROLE_LR, nullptr,
                                       std::ldexp(1.0, -t)) == MUON_OK;
      good = good && muonStepSetScalar(mine, MUON_ROLE_WEIGHT_DECAY, nullptr,
                                       0) == MUON_OK;
      for (int i = 0; i < runs && good; ++i) {
        // Errors of one thread are not seen by another.
        std::string name = "thread " + std::to_string(t);
        MuonBuffer buffer = {};
        good = muonStepBind(mine, MUON_ROLE_WEIGHT, name.c_str(), &buffer) ==
                   MUON_ERROR_INVALID_ARGUMENT &&
               std::string(muonLastError()).find(name) != std::string::npos &&
               muonStepRun(mine, nullptr, nullptr) == MUON_OK;
      }
      if (!good)
        errors[t] = std::string("failed: ") + muonLastError();
      muonStepDestroy(mine);
    });
  }
  for (std::thread &worker : workers)
    worker.join();
  for (int t = 0; t < threads; ++t) {
    EXPECT_EQ(errors[t], "");
    EXPECT_EQ(models[t].count, 5 + runs);
    EXPECT_EQ(models[t].a[0], 1 - runs * std::ldexp(1.0f, -t));
    EXPECT_EQ(models[t].a[1], 2);
  }
}

//===----------------------------------------------------------------------===//
// The functions that steps call
//===----------------------------------------------------------------------===//

namespace {

class HostApiTest : public StepTest {
protected:
  void SetUp() override {
    StepTest::SetUp();
    makeReady();
    ASSERT_EQ(muonStepRun(step, nullptr, nullptr), MUON_OK);
    library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD);
    ASSERT_NE(library, nullptr);
    host = *static_cast<const MuonHostApi **>(::dlsym(library, "last_host"));
  }
  void TearDown() override {
    ::dlclose(library);
    StepTest::TearDown();
  }

  void *library = nullptr;
  const MuonHostApi *host = nullptr;
};

} // namespace

TEST_F(HostApiTest, Table) {
  EXPECT_EQ(host->version, uint32_t(MUON_HOST_API_VERSION));
  EXPECT_EQ(host->size, sizeof(MuonHostApi));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(host->arena) % 256, 0u);
}

// That arguments arrive where they belong; what the functions do with all
// kinds of them is in the tests of each.
TEST_F(HostApiTest, SymmetricProduct) {
  const float x[] = {1, 2, 3, 4, 5, 6}, addend[] = {1, 2, 2, 1}, factor = 2;
  float out[] = {NAN, NAN, NAN, NAN};
  host->symmetric_product(host->context, MUON_F32,
                          MUON_HAS_FACTOR | MUON_HAS_ADDEND, 1, 2, 3, 0.5, 10,
                          &factor, x, addend, out);
  // 2·XXᵀ + 10·addend
  EXPECT_THAT(out, testing::ElementsAre(38, 84, 84, 164));
}

TEST_F(HostApiTest, CommutingProduct) {
  // f16: [[1, 2], [2, 1]] and [[3, 1], [1, 3]].
  const uint16_t lhs[] = {0x3c00, 0x4000, 0x4000, 0x3c00};
  const uint16_t rhs[] = {0x4200, 0x3c00, 0x3c00, 0x4200};
  uint16_t out[] = {0xffff, 0xffff, 0xffff, 0xffff};
  host->commuting_product(host->context, MUON_F16, 1, 2, 2, 1, -2, lhs, rhs,
                          out);
  // 2·[[2, 2], [2, 2]]·[[1, 1], [1, 1]]
  EXPECT_THAT(out, testing::ElementsAre(0x4800, 0x4800, 0x4800, 0x4800));
}

TEST_F(HostApiTest, SymmetricApply) {
  const float s[] = {1, 2, 2, 3}, x[] = {1, 2, 3, 4, 5, 6}, factor = 2;
  float out[] = {NAN, NAN, NAN, NAN, NAN, NAN};
  host->symmetric_apply(host->context, MUON_F32, MUON_HAS_FACTOR, 1, 2, 3, 0.5,
                        10, &factor, s, x, out);
  // S·X + 20·X
  EXPECT_THAT(out, testing::ElementsAre(29, 52, 75, 94, 119, 144));
}

TEST_F(HostApiTest, ParallelFor) {
  double first[] = {NAN, NAN}, second[] = {NAN, NAN};
  double *const sums[] = {first, second};
  double offset = 100;
  host->parallel_for(
      host->context, 6,
      [](void *data, int64_t i, double *partial) {
        partial[0] += double(i);
        partial[1] += *static_cast<double *>(data);
      },
      &offset, 2, 3, sums);
  EXPECT_THAT(first, testing::ElementsAre(3, 12));
  EXPECT_THAT(second, testing::ElementsAre(300, 300));
}
