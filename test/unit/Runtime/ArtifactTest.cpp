//===- ArtifactTest.cpp - Loading artifacts -------------------------------===//
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

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <functional>

using nlohmann::json;
using testing::HasSubstr;

extern "C" MuonStatus loadFromC(const char *path, size_t *tensors);

namespace {

/// Where what the loader maps of a library ends in the file.
size_t loadedBytes(const std::string &image) {
  Elf64_Ehdr header;
  std::memcpy(&header, image.data(), sizeof(header));
  size_t end = 0;
  for (size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, image.data() + header.e_phoff + i * sizeof(segment),
                sizeof(segment));
    if (segment.p_type == PT_LOAD)
      end = std::max<size_t>(end, segment.p_offset + segment.p_filesz);
  }
  return end;
}

class ArtifactTest : public testing::Test {
protected:
  MuonStatus load(const std::string &path) {
    MuonArtifact *artifact = nullptr;
    MuonStatus status = muonArtifactLoad(path.c_str(), "cpu", &artifact);
    EXPECT_EQ(status == MUON_OK, artifact != nullptr);
    muonArtifactRelease(artifact);
    return status;
  }

  MuonStatus loadText(const std::string &manifest) {
    // A name of its own for each: the loader knows files that it has seen.
    std::string path =
        directory.file("step" + std::to_string(serial++) + ".so");
    writeArtifact(path, manifest);
    return load(path);
  }

  /// Loads the good manifest after a change.
  MuonStatus loadChanged(const std::function<void(json &)> &change) {
    json manifest = stepManifest();
    change(manifest);
    return loadText(manifest.dump());
  }

  void expectInvalid(const std::string &message,
                     const std::function<void(json &)> &change) {
    EXPECT_EQ(loadChanged(change), MUON_ERROR_INVALID_ARTIFACT) << message;
    EXPECT_THAT(muonLastError(), HasSubstr(message));
    EXPECT_THAT(muonLastError(), HasSubstr(directory.path));
  }

  void expectUnsupported(const std::string &message,
                         const std::function<void(json &)> &change) {
    EXPECT_EQ(loadChanged(change), MUON_ERROR_UNSUPPORTED) << message;
    EXPECT_THAT(muonLastError(), HasSubstr(message));
  }

  TemporaryDirectory directory;
  int serial = 0;
};

} // namespace

TEST_F(ArtifactTest, LoadsAndDescribes) {
  std::string path = directory.file("step.so");
  writeArtifact(path, stepManifest().dump());
  MuonArtifact *artifact = nullptr;
  ASSERT_EQ(muonArtifactLoad(path.c_str(), "cpu", &artifact), MUON_OK)
      << muonLastError();

  MuonArtifactInfo info;
  ASSERT_EQ(muonArtifactInfo(artifact, &info), MUON_OK);
  EXPECT_STREQ(info.compiler, "by hand");
  EXPECT_EQ(info.arena_bytes, 1000u);

  std::string tensors;
  for (size_t i = 0; i < muonArtifactTensorCount(artifact); ++i) {
    MuonTensorInfo tensor;
    ASSERT_EQ(muonArtifactTensor(artifact, i, &tensor), MUON_OK);
    tensors += std::string(muonRoleName(tensor.role)) + " " +
               muonTypeName(tensor.type) + " " + tensor.name + " " +
               tensor.key + " [";
    for (size_t d = 0; d < tensor.rank; ++d)
      tensors += (d ? "," : "") + std::to_string(tensor.shape[d]);
    tensors += "] " + std::to_string(tensor.elements) + " " +
               std::to_string(tensor.bytes) + "\n";
  }
  // qkv is one tensor, though the step sees two blocks.
  EXPECT_EQ(tensors, "weight f32 a a [2,3] 6 24\n"
                     "weight f32 b b [2,3] 6 24\n"
                     "gradient f32 a a [2,3] 6 24\n"
                     "gradient f32 b b [2,3] 6 24\n"
                     "momentum f32 a a.momentum [2,3] 6 24\n"
                     "momentum f32 b b.momentum [2,3] 6 24\n"
                     "weight f32 qkv qkv [4,2] 8 32\n"
                     "gradient f32 qkv qkv [4,2] 8 32\n"
                     "weight bf16 h h [3] 3 6\n"
                     "gradient bf16 h h [3] 3 6\n"
                     "master f32 h h.master [3] 3 12\n"
                     "step i64 step step [] 1 8\n");

  ASSERT_EQ(muonArtifactScalarCount(artifact), 5u);
  MuonScalarInfo scalar;
  ASSERT_EQ(muonArtifactScalar(artifact, 0, &scalar), MUON_OK);
  EXPECT_EQ(scalar.role, MUON_ROLE_LR);
  EXPECT_STREQ(scalar.group, "muon");
  EXPECT_EQ(scalar.has_default, 0);
  ASSERT_EQ(muonArtifactScalar(artifact, 2, &scalar), MUON_OK);
  EXPECT_EQ(scalar.role, MUON_ROLE_WEIGHT_DECAY);
  EXPECT_EQ(scalar.has_default, 1);
  EXPECT_EQ(scalar.default_value, 0.5f);
  ASSERT_EQ(muonArtifactScalar(artifact, 4, &scalar), MUON_OK);
  EXPECT_EQ(scalar.role, MUON_ROLE_CLIP_LIMIT);
  EXPECT_EQ(scalar.group, nullptr);

  ASSERT_EQ(muonArtifactReportCount(artifact), 8u);
  MuonReportInfo report;
  ASSERT_EQ(muonArtifactReport(artifact, 2, &report), MUON_OK);
  EXPECT_EQ(report.role, MUON_ROLE_GRADIENT_SUMS);
  EXPECT_EQ(report.type, MUON_TYPE_F64);
  EXPECT_EQ(report.elements, 2u);

  ASSERT_EQ(muonArtifactFrozenCount(artifact), 1u);
  EXPECT_STREQ(muonArtifactFrozen(artifact, 0), "ids");
  EXPECT_EQ(muonArtifactFrozen(artifact, 1), nullptr);

  MuonTensorInfo tensor;
  EXPECT_EQ(muonArtifactTensor(artifact, 12, &tensor),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(muonLastError(), HasSubstr("index 12 is out of range"));
  EXPECT_EQ(muonArtifactScalar(artifact, 5, &scalar),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(muonArtifactReport(artifact, 8, &report),
            MUON_ERROR_INVALID_ARGUMENT);
  muonArtifactRelease(artifact);
}

TEST_F(ArtifactTest, LoadsFromC) {
  std::string path = directory.file("step.so");
  writeArtifact(path, stepManifest().dump());
  size_t tensors = 0;
  EXPECT_EQ(loadFromC(path.c_str(), &tensors), MUON_OK) << muonLastError();
  EXPECT_EQ(tensors, 12u);
}

TEST_F(ArtifactTest, NullArguments) {
  MuonArtifact *artifact = nullptr;
  EXPECT_EQ(muonArtifactLoad(nullptr, "cpu", &artifact),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_STREQ(muonLastError(), "argument 'path' is null");
  EXPECT_EQ(muonArtifactLoad("x", nullptr, &artifact),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(muonArtifactLoad("x", "cpu", nullptr), MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(muonArtifactTensorCount(nullptr), 0u);
  EXPECT_EQ(muonArtifactTensor(nullptr, 0, nullptr),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(muonStepCreate(nullptr, nullptr), MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(muonStepRun(nullptr, nullptr, nullptr),
            MUON_ERROR_INVALID_ARGUMENT);
  muonArtifactRelease(nullptr);
  muonStepDestroy(nullptr);
}

TEST_F(ArtifactTest, Names) {
  EXPECT_STREQ(muonRuntimeVersion(), "0.1.0");
  EXPECT_STREQ(muonTypeName(MUON_TYPE_BF16), "bf16");
  EXPECT_STREQ(muonTypeName(MUON_TYPE_I1), "i1");
  EXPECT_EQ(muonTypeName(MUON_TYPE_MAX), nullptr);
  EXPECT_EQ(muonTypeSize(MUON_TYPE_F64), 8u);
  EXPECT_EQ(muonTypeSize(MUON_TYPE_MAX), 0u);
  EXPECT_STREQ(muonRoleName(MUON_ROLE_EXP_AVG_SQ), "exp_avg_sq");
  EXPECT_STREQ(muonRoleName(MUON_ROLE_WEIGHT_SUMS), "weight_sums");
  EXPECT_EQ(muonRoleName(MUON_ROLE_MAX), nullptr);
}

TEST_F(ArtifactTest, Devices) {
  std::vector<std::string> names;
  for (size_t i = 0; i < muonDeviceCount(); ++i)
    names.push_back(muonDeviceName(i));
  EXPECT_THAT(names, testing::Contains("cpu"));
  EXPECT_THAT(names, testing::Contains("sim"));
  EXPECT_EQ(muonDeviceName(names.size()), nullptr);
  MuonArtifact *artifact = nullptr;
  EXPECT_EQ(muonArtifactLoad("x", "gpu", &artifact),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(muonLastError(),
              HasSubstr("unknown device 'gpu'; known devices: cpu, sim"));
  EXPECT_EQ(muonArtifactLoad("x", "cpu:threads=1", &artifact),
            MUON_ERROR_INVALID_ARGUMENT);
  EXPECT_STREQ(muonLastError(),
               "device 'cpu' has no options, found 'threads=1'");
  EXPECT_EQ(muonSetCpuThreads(0), MUON_ERROR_INVALID_ARGUMENT);
}

TEST_F(ArtifactTest, Files) {
  EXPECT_EQ(load(directory.file("none.so")), MUON_ERROR_INVALID_ARTIFACT);
  EXPECT_THAT(muonLastError(), HasSubstr("No such file"));
  EXPECT_EQ(load(directory.path), MUON_ERROR_INVALID_ARTIFACT);
  EXPECT_THAT(muonLastError(), HasSubstr("not a shared library"));
  EXPECT_EQ(load(""), MUON_ERROR_INVALID_ARTIFACT);

  std::string text = directory.file("text.so");
  writeFile(text, "not a library");
  EXPECT_EQ(load(text), MUON_ERROR_INVALID_ARTIFACT);
  EXPECT_THAT(muonLastError(), HasSubstr("not a shared library"));

  std::string image = readFile(STEP_ARTIFACT);
  std::string other = directory.file("other.so");
  image[18] ^= 0x40;
  writeFile(other, image);
  EXPECT_EQ(load(other), MUON_ERROR_UNSUPPORTED);
  EXPECT_THAT(muonLastError(), HasSubstr("ELF machine"));
  image[18] ^= 0x40;
  std::string half = directory.file("half.so");
  writeFile(half, image.substr(0, 64));
  EXPECT_EQ(load(half), MUON_ERROR_INVALID_ARTIFACT);
  EXPECT_THAT(muonLastError(), HasSubstr("damaged"));
  // Mapping what is not there would end the process at the first access.
  for (size_t bytes = 512; bytes < loadedBytes(image); bytes *= 2) {
    writeFile(half, image.substr(0, bytes));
    EXPECT_EQ(load(half), MUON_ERROR_INVALID_ARTIFACT) << bytes;
    EXPECT_THAT(muonLastError(), HasSubstr("damaged")) << bytes;
  }

  EXPECT_EQ(load(NO_ARTIFACT), MUON_ERROR_INVALID_ARTIFACT);
  EXPECT_THAT(muonLastError(), HasSubstr("not a muon artifact: no symbol "
                                         "'muon_manifest'"));

  std::string size = directory.file("size.so");
  writeArtifact(size, stepManifest().dump(), 1000000);
  EXPECT_EQ(load(size), MUON_ERROR_INVALID_ARTIFACT);
  EXPECT_THAT(muonLastError(), HasSubstr("manifest size is 1000000"));
}

TEST_F(ArtifactTest, Json) {
  EXPECT_EQ(loadText("{"), MUON_ERROR_INVALID_ARTIFACT);
  EXPECT_THAT(muonLastError(), HasSubstr("not valid JSON"));
  EXPECT_EQ(loadText("[]"), MUON_ERROR_INVALID_ARTIFACT);
  EXPECT_EQ(loadText("\"\xff\""), MUON_ERROR_INVALID_ARTIFACT);
  EXPECT_EQ(loadText(std::string(16000, '[')), MUON_ERROR_INVALID_ARTIFACT);
  std::string text = stepManifest().dump();
  EXPECT_EQ(loadText(text), MUON_OK) << muonLastError();
  text.insert(1, "\"slots\": 1,");
  EXPECT_EQ(loadText(text), MUON_ERROR_INVALID_ARTIFACT);
  EXPECT_THAT(muonLastError(), HasSubstr("'slots' appears twice"));
}

TEST_F(ArtifactTest, RequiredKeys) {
  json good = stepManifest();
  for (const auto &item : good.items())
    expectInvalid("'" + item.key() + "' is missing",
                  [&](json &m) { m.erase(item.key()); });
  for (const char *key : {"role", "type", "shape", "params", "slot"})
    expectInvalid(std::string("'") + key + "' is missing",
                  [&](json &m) { m["arguments"][0].erase(key); });
  expectInvalid("'group' is missing",
                [](json &m) { argumentOf(m, "lr").erase("group"); });
  for (const char *key : {"tensor", "begin", "end", "rows"})
    expectInvalid(std::string("'") + key + "' is missing",
                  [&](json &m) { m["params"][1][0].erase(key); });
}

TEST_F(ArtifactTest, WrongKinds) {
  json good = stepManifest();
  for (const auto &item : good.items())
    EXPECT_EQ(loadChanged([&](json &m) { m[item.key()] = -1; }),
              MUON_ERROR_INVALID_ARTIFACT)
        << item.key();
  json argument = good["arguments"][0];
  for (const auto &item : argument.items())
    EXPECT_EQ(
        loadChanged([&](json &m) { m["arguments"][0][item.key()] = -1.5; }),
        MUON_ERROR_INVALID_ARTIFACT)
        << item.key();
  expectInvalid("not an object", [](json &m) { m["arguments"][0] = 1; });
  expectInvalid("neither a name", [](json &m) { m["params"][0][0] = 1; });
  expectInvalid("at least one member",
                [](json &m) { m["params"][0] = json::array(); });
  expectInvalid("not a string", [](json &m) { m["features"] = {1}; });
}

TEST_F(ArtifactTest, Versions) {
  expectInvalid("expected 'muon-artifact'",
                [](json &m) { m["format"] = "other"; });
  expectUnsupported("'version' is 2, this runtime needs 1",
                    [](json &m) { m["version"] = 2; });
  expectUnsupported("'host_api' is 9, this runtime needs 4",
                    [](json &m) { m["host_api"] = 9; });
  expectUnsupported("compiled for target 'rocm', device 'cpu' runs 'cpu'",
                    [](json &m) { m["target"] = "rocm"; });
  expectUnsupported("compiled for architecture 'aarch64'",
                    [](json &m) { m["arch"] = "aarch64"; });
}

TEST_F(ArtifactTest, UnknownNames) {
  expectInvalid("unknown role 'velocity'",
                [](json &m) { m["arguments"][0]["role"] = "velocity"; });
  expectInvalid("unknown type 'i8'",
                [](json &m) { m["arguments"][0]["type"] = "i8"; });
  expectInvalid("does not allow type 'i64'",
                [](json &m) { m["arguments"][0]["type"] = "i64"; });
  expectInvalid("does not allow type 'f64'",
                [](json &m) { argumentOf(m, "lr")["type"] = "f64"; });
  expectInvalid("does not allow type 'f32'",
                [](json &m) { argumentOf(m, "step")["type"] = "f32"; });
}

TEST_F(ArtifactTest, Shapes) {
  expectInvalid("overflows", [](json &m) {
    m["arguments"][0]["shape"] = {int64_t(1) << 40, int64_t(1) << 40};
  });
  expectInvalid("size of 'shape' overflows", [](json &m) {
    m["arguments"][0]["shape"] = {int64_t(1) << 31, int64_t(1) << 31};
  });
  expectInvalid("not an integer", [](json &m) {
    m["arguments"][0]["shape"] = {-1, 3};
  });
  expectInvalid("expected []",
                [](json &m) { argumentOf(m, "lr")["shape"] = {1}; });
  expectInvalid("has shape [3, 2] as 'momentum' and [2, 3] as 'weight'",
                [](json &m) {
                  argumentOf(m, "momentum")["shape"] = {3, 2};
                });
  expectInvalid("shape is [3], expected [2]",
                [](json &m) { argumentOf(m, "weight_sums")["shape"] = {3}; });
  // One sum per matrix: 2 members of 5 matrices each.
  for (int64_t count : {10, 2}) {
    MuonStatus status = loadChanged([&](json &m) {
      for (json &argument : m["arguments"]) {
        if (argument.value("params", -1) != 0)
          continue;
        if (argument["type"] == "f64")
          argument["shape"] = {count};
        else
          argument["shape"] = {5, 2, 3};
      }
    });
    EXPECT_EQ(status, count == 10 ? MUON_OK : MUON_ERROR_INVALID_ARTIFACT);
  }
  expectInvalid("dimension above 2^31 - 1", [](json &m) {
    for (json &argument : m["arguments"])
      if (argument.value("params", -1) == 0 && argument["type"] == "f32")
        argument["shape"] = {int64_t(1) << 32, 1};
  });
}

TEST_F(ArtifactTest, Slots) {
  expectInvalid("they overlap others",
                [](json &m) { m["arguments"][1]["slot"] = 1; });
  expectInvalid("slots before them are unused",
                [](json &m) { m["arguments"].erase(3); });
  expectInvalid("'slots' is 28, but arguments have 27",
                [](json &m) { m["slots"] = 28; });
  expectInvalid("'slots' is 26", [](json &m) { m["slots"] = 26; });
  expectInvalid("not an integer",
                [](json &m) { m["slots"] = uint64_t(1) << 63; });
}

TEST_F(ArtifactTest, Arguments) {
  expectInvalid("'params' is 7, but there are 3 lists",
                [](json &m) { m["arguments"][0]["params"] = 7; });
  expectInvalid("the role has no 'params'",
                [](json &m) { argumentOf(m, "step")["params"] = 0; });
  expectInvalid("the role has no 'group'",
                [](json &m) { argumentOf(m, "clip_limit")["group"] = "x"; });
  expectInvalid("the role has no 'default'",
                [](json &m) { m["arguments"][0]["default"] = 1; });
  expectInvalid("must not be negative",
                [](json &m) { argumentOf(m, "lr")["default"] = -1; });
  expectInvalid("must be finite",
                [](json &m) { argumentOf(m, "lr")["default"] = 1e300; });
  expectInvalid("less than 1",
                [](json &m) { argumentOf(m, "beta")["default"] = 1; });
  expectInvalid("must be positive",
                [](json &m) { argumentOf(m, "clip_limit")["default"] = 0; });
  expectInvalid("'lr' of group 'muon' appears twice", [](json &m) {
    argumentOf(m, "lr", "adamw")["group"] = "muon";
  });
  expectInvalid("'gradient_sums' for params[0] appears twice", [](json &m) {
    argumentOf(m, "gradient_sums", "", 1)["params"] = 0;
  });
  expectInvalid("master 'h' has no weight of the same shape", [](json &m) {
    argumentOf(m, "weight", "", 2)["role"] = "exp_avg";
  });
}

TEST_F(ArtifactTest, Parameters) {
  expectInvalid("weight 'a' appears twice", [](json &m) {
    m["params"][0] = {"a", "a"};
  });
  expectInvalid("weight 'a' appears twice",
                [](json &m) { m["params"][2] = {"a"}; });
  expectInvalid("tensor 'a' is both frozen and updated",
                [](json &m) { m["frozen"] = {"a"}; });
  expectInvalid("frozen tensor 'x' appears twice", [](json &m) {
    m["frozen"] = {"x", "x"};
  });
  expectInvalid("rows 2 to 2 of 'qkv' are not within its 4 rows",
                [](json &m) { m["params"][1][0]["begin"] = 2; });
  expectInvalid("rows 2 to 9 of 'qkv' are not within",
                [](json &m) { m["params"][1][1]["end"] = 9; });
  expectInvalid("do not have shape",
                [](json &m) { m["params"][1][1]["end"] = 3; });
  expectInvalid("a block begins at row 0, expected 2", [](json &m) {
    m["params"][1][1]["begin"] = 0;
    m["params"][1][1]["end"] = 2;
  });
  expectInvalid("a block begins at row 2, expected 0",
                [](json &m) { m["params"][1][0]["tensor"] = "z"; });
  expectInvalid("blocks end at row 4 of 5", [](json &m) {
    m["params"][1][0]["rows"] = 5;
    m["params"][1][1]["rows"] = 5;
  });
  expectInvalid("disagree", [](json &m) { m["params"][1][0]["rows"] = 5; });
  expectInvalid("appears twice", [](json &m) { m["params"][1][1] = "qkv"; });
}

TEST_F(ArtifactTest, Arena) {
  for (uint64_t alignment : {uint64_t(0), uint64_t(48), uint64_t(1) << 40})
    expectInvalid("expected a power of two",
                  [&](json &m) { m["arena"]["alignment"] = alignment; });
  expectInvalid("'bytes' is not an integer",
                [](json &m) { m["arena"]["bytes"] = -5; });
  expectInvalid("'arena' is not an object", [](json &m) { m["arena"] = 5; });
}

TEST_F(ArtifactTest, Features) {
  expectUnsupported("'warp-drive', which this runtime does not know",
                    [](json &m) { m["features"] = {"warp-drive"}; });
#if defined(__x86_64__)
  __builtin_cpu_init();
  // The compiler's own view of this machine.
  const std::pair<const char *, bool> known[] = {
      {"sse2", __builtin_cpu_supports("sse2") != 0},
      {"sse3", __builtin_cpu_supports("sse3") != 0},
      {"ssse3", __builtin_cpu_supports("ssse3") != 0},
      {"sse4.1", __builtin_cpu_supports("sse4.1") != 0},
      {"sse4.2", __builtin_cpu_supports("sse4.2") != 0},
      {"sse4a", __builtin_cpu_supports("sse4a") != 0},
      {"popcnt", __builtin_cpu_supports("popcnt") != 0},
      {"aes", __builtin_cpu_supports("aes") != 0},
      {"pclmul", __builtin_cpu_supports("pclmul") != 0},
      {"avx", __builtin_cpu_supports("avx") != 0},
      {"avx2", __builtin_cpu_supports("avx2") != 0},
      {"fma", __builtin_cpu_supports("fma") != 0},
      {"fma4", __builtin_cpu_supports("fma4") != 0},
      {"xop", __builtin_cpu_supports("xop") != 0},
      {"bmi", __builtin_cpu_supports("bmi") != 0},
      {"bmi2", __builtin_cpu_supports("bmi2") != 0},
      {"gfni", __builtin_cpu_supports("gfni") != 0},
      {"vpclmulqdq", __builtin_cpu_supports("vpclmulqdq") != 0},
      {"avx512f", __builtin_cpu_supports("avx512f") != 0},
      {"avx512bw", __builtin_cpu_supports("avx512bw") != 0},
      {"avx512cd", __builtin_cpu_supports("avx512cd") != 0},
      {"avx512dq", __builtin_cpu_supports("avx512dq") != 0},
      {"avx512vl", __builtin_cpu_supports("avx512vl") != 0},
      {"avx512ifma", __builtin_cpu_supports("avx512ifma") != 0},
      {"avx512vbmi", __builtin_cpu_supports("avx512vbmi") != 0},
      {"avx512vbmi2", __builtin_cpu_supports("avx512vbmi2") != 0},
      {"avx512vnni", __builtin_cpu_supports("avx512vnni") != 0},
      {"avx512bitalg", __builtin_cpu_supports("avx512bitalg") != 0},
      {"avx512vpopcntdq", __builtin_cpu_supports("avx512vpopcntdq") != 0},
      {"avx512bf16", __builtin_cpu_supports("avx512bf16") != 0},
  };
  bool hasAbsent = false;
  for (const auto &item : known) {
    const char *name = item.first;
    bool present = item.second;
    MuonStatus status = loadChanged([&](json &m) { m["features"] = {name}; });
    EXPECT_EQ(status, present ? MUON_OK : MUON_ERROR_UNSUPPORTED) << name;
    if (!present) {
      hasAbsent = true;
      EXPECT_THAT(muonLastError(),
                  HasSubstr(std::string("lacks '") + name + "'"));
    }
  }
  // No processor has all of these.
  EXPECT_TRUE(hasAbsent);
#endif
}
