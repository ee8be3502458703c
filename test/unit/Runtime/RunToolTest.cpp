//===- RunToolTest.cpp - The muon-run tool --------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Runtime/RunTool.h"

#include "TestArtifact.h"
#include "muon-mlir/Runtime/Safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

using namespace muon;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

/// A file's content that tests can change before it is written.
struct Entry {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};
using Entries = std::vector<Entry>;

template <typename T>
Entry entry(const std::string &name, DType dtype, std::vector<int64_t> shape,
            const std::vector<T> &values) {
  return {name, dtype, std::move(shape),
          std::string(reinterpret_cast<const char *>(values.data()),
                      values.size() * sizeof(T))};
}

Entry f32(const std::string &name, std::vector<int64_t> shape,
          const std::vector<float> &values) {
  return entry(name, DType::F32, std::move(shape), values);
}

Entry &find(Entries &entries, const std::string &name) {
  for (Entry &item : entries)
    if (item.name == name)
      return item;
  throw std::runtime_error("no entry " + name);
}

class RunToolTest : public testing::Test {
protected:
  void SetUp() override {
    writeArtifact(artifact, stepManifest().dump());
    // The first tensor has an odd size, and wider ones are behind it where the
    // file is not made by our own writer.
    params = {entry<char>("ids", DType::U8, {3}, {7, 8, 9}),
              f32("a", {2, 3}, {1, 2, 3, 4, 5, 6}),
              f32("b", {2, 3}, {6, 5, 4, 3, 2, 1}),
              f32("qkv", {4, 2}, {1, 1, 1, 1, 2, 2, 2, 2}),
              entry<uint16_t>("h", DType::BF16, {3}, {0x3f80, 0x3f80, 0x3f80})};
    grads = {f32("a", {2, 3}, {1, 0, 0, 0, 0, 0}),
             f32("b", {2, 3}, {0, 2, 0, 0, 0, 0}),
             f32("qkv", {4, 2}, {1, 1, 1, 1, 3, 3, 3, 3}),
             entry<uint16_t>("h", DType::BF16, {3}, {0x3f80, 0, 0})};
    state = {f32("a.momentum", {2, 3}, {0, 0, 0, 0, 0, 8}),
             f32("b.momentum", {2, 3}, {0, 0, 0, 0, 0, 0}),
             f32("h.master", {3}, {1, 1, 1}),
             entry<int64_t>("step", DType::I64, {}, {5})};
    // What a step with lr 0.5, no decay and beta 0.25 makes of these.
    expected = {
        f32("a", {2, 3}, {0.5, 2, 3, 4, 5, 5}),
        f32("b", {2, 3}, {6, 4, 4, 3, 2, 1}),
        f32("qkv", {4, 2}, {.5, .5, .5, .5, .5, .5, .5, .5}),
        entry<uint16_t>("h", DType::BF16, {3}, {0x3f00, 0x3f80, 0x3f80})};
    expectedState = {f32("a.momentum", {2, 3}, {1, 0, 0, 0, 0, 2}),
                     f32("b.momentum", {2, 3}, {0, 2, 0, 0, 0, 0}),
                     f32("h.master", {3}, {.5, 1, 1}),
                     entry<int64_t>("step", DType::I64, {}, {6})};
  }

  std::string file(const char *name) const { return directory.file(name); }

  /// Writes the entries in their order, so that data may be misaligned.
  static void write(const std::string &path, const Entries &entries) {
    nlohmann::ordered_json header;
    header["__metadata__"] = {{"format", "pt"}};
    std::string data;
    for (const Entry &item : entries) {
      header[item.name] = {
          {"dtype", dtypeName(item.dtype)},
          {"shape", item.shape},
          {"data_offsets", {data.size(), data.size() + item.bytes.size()}}};
      data += item.bytes;
    }
    std::string text = header.dump();
    std::string prefix;
    for (int i = 0; i < 8; ++i)
      prefix += char(uint64_t(text.size()) >> (8 * i));
    writeFile(path, prefix + text + data);
  }

  void writeInputs() {
    write(file("p"), params);
    write(file("g"), grads);
    write(file("s"), state);
  }

  int run(const std::vector<std::string> &arguments) {
    std::ostringstream outStream, errStream;
    int code = runTool(arguments, outStream, errStream);
    out = outStream.str();
    err = errStream.str();
    if (code == 0)
      EXPECT_EQ(err, "");
    else
      EXPECT_THAT(err, StartsWith("muon-run: error: "));
    return code;
  }

  /// The usual run on the three inputs, with more arguments.
  int runStep(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        artifact,       "--params",         file("p"),     "--grads",
        file("g"),      "--state",          file("s"),     "--lr",
        "0.5",          "--weight-decay=0", "--momentum",  "0.25",
        "--out-params", file("op"),         "--out-state", file("os")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  void expectFailure(const std::string &message,
                     const std::vector<std::string> &more = {}) {
    writeInputs();
    EXPECT_EQ(runStep(more), 1) << message;
    EXPECT_THAT(err, HasSubstr(message));
    EXPECT_FALSE(std::filesystem::exists(file("op")));
    EXPECT_FALSE(std::filesystem::exists(file("os")));
  }

  void expectContent(const std::string &path, const Entries &entries) {
    std::string error;
    auto read = SafetensorsFile::open(path, error);
    ASSERT_NE(read, nullptr) << error;
    EXPECT_EQ(read->tensors().size(), entries.size());
    EXPECT_EQ(read->metadata(), (SafetensorsMetadata{{"format", "pt"}}));
    for (const Entry &item : entries) {
      const TensorInfo *info = read->find(item.name);
      ASSERT_NE(info, nullptr) << item.name;
      EXPECT_EQ(info->dtype, item.dtype);
      EXPECT_EQ(info->shape, item.shape);
      EXPECT_EQ(std::string(static_cast<const char *>(read->data(*info)),
                            info->bytes()),
                item.bytes)
          << item.name;
    }
  }

  TemporaryDirectory directory;
  std::string artifact = directory.file("step.so");
  Entries params, grads, state, expected, expectedState;
  std::string out, err;
};

} // namespace

TEST_F(RunToolTest, Runs) {
  writeInputs();
  ASSERT_EQ(runStep(), 0) << err;
  EXPECT_EQ(out, "");
  Entries all = expected;
  all.push_back(params[0]);
  expectContent(file("op"), all);
  expectContent(file("os"), expectedState);
  EXPECT_EQ(directory.size(), 6u);
}

TEST_F(RunToolTest, InPlace) {
  writeInputs();
  ASSERT_EQ(run({artifact, "--params=" + file("p"), "--grads=" + file("g"),
                 "--state=" + file("s"), "--lr=0.5", "--weight-decay", "0",
                 "--momentum=0.25", "--out-params=" + file("p"),
                 "--out-state=" + file("s")}),
            0)
      << err;
  Entries all = expected;
  all.push_back(params[0]);
  expectContent(file("p"), all);
  expectContent(file("s"), expectedState);
}

TEST_F(RunToolTest, FrozenTensors) {
  params.erase(params.begin());
  writeInputs();
  ASSERT_EQ(runStep(), 0) << err;
  expectContent(file("op"), expected);
  // A gradient for one is passed over.
  grads.push_back(f32("ids", {1}, {1}));
  writeInputs();
  EXPECT_EQ(runStep(), 0) << err;
}

TEST_F(RunToolTest, InitState) {
  writeInputs();
  std::vector<std::string> arguments = {
      artifact,       "--params", file("p"),          "--grads",
      file("g"),      "--lr=0.5", "--weight-decay=0", "--init-state",
      "--out-params", file("op"), "--out-state",      file("os")};
  params[4] = entry<uint16_t>("h", DType::BF16, {3}, {0xc049, 0x3f80, 0x0001});
  writeInputs();
  ASSERT_EQ(run(arguments), 0) << err;
  std::string error;
  auto read = SafetensorsFile::open(file("os"), error);
  ASSERT_NE(read, nullptr) << error;
  EXPECT_EQ(read->tensors().size(), 4u);
  float master[3];
  std::memcpy(master, read->data(*read->find("h.master")), sizeof(master));
  EXPECT_EQ(master[0], -3.640625f);
  EXPECT_EQ(master[1], 1.0f);
  EXPECT_EQ(master[2], std::ldexp(1.0f, -133));
  int64_t step;
  std::memcpy(&step, read->data(*read->find("step")), sizeof(step));
  EXPECT_EQ(step, 1);
}

TEST_F(RunToolTest, ScalarsOfGroups) {
  writeInputs();
  // Wherever it stands, the one with a group wins.
  for (bool groupFirst : {false, true}) {
    std::vector<std::string> arguments = {
        artifact,       "--params", file("p"),    "--grads",
        file("g"),      "--state",  file("s"),    "--weight-decay=0",
        "--out-params", file("op"), "--momentum", "muon=0.25"};
    std::string group = "--lr=adamw=0.25", general = "--lr=0.5";
    arguments.push_back(groupFirst ? group : general);
    arguments.push_back(groupFirst ? general : group);
    ASSERT_EQ(run(arguments), 0) << err;
    std::string error;
    auto read = SafetensorsFile::open(file("op"), error);
    ASSERT_NE(read, nullptr) << error;
    uint16_t h;
    std::memcpy(&h, read->data(*read->find("h")), sizeof(h));
    EXPECT_EQ(h, 0x3f40);
    float a;
    std::memcpy(&a, read->data(*read->find("a")), sizeof(a));
    EXPECT_EQ(a, 0.5f);
  }
}

TEST_F(RunToolTest, Repeat) {
  writeInputs();
  ASSERT_EQ(runStep({"--repeat", "3", "--threads", "1"}), 0) << err;
  std::string error;
  auto read = SafetensorsFile::open(file("os"), error);
  ASSERT_NE(read, nullptr) << error;
  int64_t step;
  std::memcpy(&step, read->data(*read->find("step")), sizeof(step));
  EXPECT_EQ(step, 8);
}

TEST_F(RunToolTest, MissingAndExtra) {
  Entries good = params;
  params.erase(params.begin() + 1);
  expectFailure("p: tensor 'a' is missing");
  params = good;
  params.push_back(f32("extra", {1}, {1}));
  expectFailure("p: the step does not know tensor 'extra'");
  params = good;

  good = grads;
  grads.erase(grads.begin(), grads.begin() + 2);
  expectFailure("g: tensors 'a', 'b' are missing");
  grads = good;
  grads.push_back(f32("extra", {1}, {1}));
  expectFailure("g: the step does not know tensor 'extra'");
  grads = good;

  good = state;
  state.pop_back();
  expectFailure("s: tensor 'step' is missing");
  state = good;
  for (const char *name : {"a", "a.exp_avg", "ids"})
    state.push_back(f32(name, {1}, {1}));
  expectFailure("s: the step does not know tensors 'a', 'a.exp_avg', 'ids'");
}

TEST_F(RunToolTest, ShapesAndTypes) {
  Entries good = params;
  find(params, "a").shape = {3, 2};
  expectFailure("p: tensor 'a': shape is [3, 2], expected [2, 3]");
  params = good;
  find(params, "qkv").shape = {2, 4};
  expectFailure("p: tensor 'qkv': shape is [2, 4], expected [4, 2]");
  params = good;
  find(params, "a").dtype = DType::I32;
  expectFailure("p: tensor 'a': type is I32, expected F32");
  params = good;
  find(grads, "h").dtype = DType::F16;
  expectFailure("g: tensor 'h': type is F16, expected BF16");
  find(grads, "h").dtype = DType::BF16;
  state[3] = f32("step", {}, {5});
  expectFailure("s: tensor 'step': type is F32, expected I64");
}

TEST_F(RunToolTest, Skipped) {
  grads[1] = f32("b", {2, 3}, {0, 2, 0, 0, 0, INFINITY});
  grads[2] = f32("qkv", {4, 2}, {0, 0, NAN, 0, 0, 0, 0, 0});
  state[0] = f32("a.momentum", {2, 3}, {0, 0, 0, 0, NAN, 0});
  writeInputs();
  ASSERT_EQ(runStep({"--repeat=5", "--stats"}), 0) << err;
  EXPECT_THAT(out,
              StartsWith("step skipped: gradient of 'b' is not finite\n"
                         "step skipped: gradient of 'qkv' is not finite\n"
                         "step skipped: momentum of 'a' is not finite\n"
                         "parameter  gradient norm  update RMS  weight norm\n"
                         "'a'        1              -           -\n"
                         "'b'        not finite     -           -\n"));
  expectContent(file("op"), params);
  expectContent(file("os"), state);
}

TEST_F(RunToolTest, Statistics) {
  writeInputs();
  ASSERT_EQ(runStep({"--stats"}), 0) << err;
  EXPECT_EQ(out, "parameter  gradient norm  update RMS   weight norm\n"
                 "'a'        1              0.912870929  8.90224691\n"
                 "'b'        2              0.816496581  9.05538514\n"
                 "'qkv'      6.32455532     -            -\n"
                 "'h'        1              -            -\n"
                 "clip coefficient 1\n");
}

TEST_F(RunToolTest, List) {
  ASSERT_EQ(run({artifact, "--list"}), 0) << err;
  EXPECT_THAT(out, HasSubstr("compiler  by hand\n"));
  EXPECT_THAT(out, HasSubstr("weight    f32   [4, 2]  'qkv'\n"));
  EXPECT_THAT(out, HasSubstr("momentum  f32   [2, 3]  'a.momentum'\n"));
  EXPECT_THAT(out, HasSubstr("frozen    -     -       'ids'\n"));
  EXPECT_THAT(out, HasSubstr("lr            'muon'   required\n"));
  EXPECT_THAT(out, HasSubstr("weight_decay  'muon'   0.5\n"));
  EXPECT_THAT(out, HasSubstr("clip_limit    -        1000\n"));
  EXPECT_THAT(out, HasSubstr("gradient_sums  f64   2\n"));
}

TEST_F(RunToolTest, OnSim) {
  artifact = file("gpu.so");
  writeGpuArtifact(artifact, gpuManifest().dump());
  params = {params[1], params[2]};
  grads = {grads[0], grads[1]};
  state = {state[0], state[1], state[3]};
  expected = {expected[0], expected[1]};
  expectedState = {expectedState[0], expectedState[1], expectedState[3]};
  writeInputs();
  Entries all = expected;
  all.insert(all.end(), expectedState.begin(), expectedState.end());
  write(file("e"), all);
  const std::vector<std::string> arguments = {
      artifact,       "--device=sim:seed=5",
      "--params",     file("p"),
      "--grads",      file("g"),
      "--state",      file("s"),
      "--lr=0.5",     "--momentum=0.25",
      "--out-params", file("op"),
      "--out-state",  file("os"),
      "--expect",     file("e"),
      "--rtol=0",     "--atol=0",
      "--counters",   file("c"),
      "--stats"};
  ASSERT_EQ(run(arguments), 0) << err;
  EXPECT_EQ(out, "parameter  gradient norm  update RMS  weight norm\n"
                 "'a'        1              -           -\n"
                 "'b'        2              -           -\n"
                 "clip coefficient 1\n" +
                     file("e") + ": 5 tensors match\n");
  expectContent(file("op"), expected);
  expectContent(file("os"), expectedState);
  auto counters = nlohmann::json::parse(readFile(file("c")));
  EXPECT_EQ(counters["kernels"]["look"]["launches"], 1);
  EXPECT_EQ(counters["total"]["launches"], 2);

  // A step that is skipped leaves all as it was.
  grads[0] = f32("a", {2, 3}, {1, 0, 0, 0, 0, NAN});
  writeInputs();
  std::vector<std::string> changed(arguments.begin(), arguments.begin() + 16);
  changed.insert(changed.end(), {"--repeat=3"});
  ASSERT_EQ(run(changed), 1);
  EXPECT_THAT(err, HasSubstr("'step' is 5, expected 6"));
  changed.erase(changed.begin() + 14, changed.begin() + 16);
  ASSERT_EQ(run(changed), 0) << err;
  EXPECT_EQ(out, "step skipped: gradient of 'a' is not finite\n");
  expectContent(file("op"), params);
  expectContent(file("os"), state);

  // Masters and zero state are made on the host.
  ASSERT_EQ(run({artifact, "--device=sim", "--params", file("p"), "--grads",
                 file("g"), "--init-state", "--lr=1", "--stats"}),
            0)
      << err;
  ASSERT_EQ(run({artifact, "--device=sim", "--list"}), 0) << err;
  EXPECT_THAT(out, HasSubstr("target    cuda\n"));
}

TEST_F(RunToolTest, FindingsOnSim) {
  artifact = file("gpu.so");
  std::string code = gpuCode();
  const std::string store = "st.global.f32 [%rd14], %f5;";
  code.replace(code.find(store), store.size(), "st.global.f32 [%rd14+8], %f5;");
  nlohmann::json manifest = gpuManifest();
  manifest["device"]["code"][0]["bytes"] = code.size();
  writeGpuArtifact(artifact, manifest.dump(), code);
  params = {params[1], params[2]};
  grads = {grads[0], grads[1]};
  state = {state[0], state[1], state[3]};
  writeInputs();
  EXPECT_EQ(run({artifact, "--device=sim", "--params", file("p"), "--grads",
                 file("g"), "--state", file("s"), "--lr=1", "--out-params",
                 file("op"), "--counters", file("c")}),
            1);
  EXPECT_THAT(err, HasSubstr("kernel 'update' of phase 'momentum'"));
  EXPECT_THAT(err, HasSubstr("data-race"));
  EXPECT_THAT(err, HasSubstr("out-of-bounds"));
  EXPECT_FALSE(std::filesystem::exists(file("op")));
  EXPECT_FALSE(std::filesystem::exists(file("c")));
}

TEST_F(RunToolTest, CountersErrors) {
  expectFailure("only device 'sim' counts", {"--counters", file("c")});
  EXPECT_FALSE(std::filesystem::exists(file("c")));
  expectFailure("--counters would overwrite --params",
                {"--counters", file("p")});
  expectFailure("--counters would overwrite --state",
                {"--counters", file("s")});
  expectFailure("--counters would overwrite the artifact",
                {"--counters", artifact});
  expectFailure("--out-params and --counters are the same file",
                {"--counters", file("op")});
  expectFailure("--out-state and --counters are the same file",
                {"--counters", file("os")});
  artifact = file("gpu.so");
  writeGpuArtifact(artifact, gpuManifest().dump());
  expectFailure("compiled for target 'cuda', device 'cpu' runs 'cpu'");
  expectFailure("device 'sim': unknown option 'speed'",
                {"--device=sim:speed=1"});
  params = {params[1], params[2]};
  grads = {grads[0], grads[1]};
  state = {state[0], state[1], state[3]};
  writeInputs();
  EXPECT_EQ(run({artifact, "--device=sim", "--params", file("p"), "--grads",
                 file("g"), "--state", file("s"), "--lr=1", "--out-params",
                 file("op"), "--counters", file("no/such/directory")}),
            1);
  EXPECT_THAT(err, HasSubstr("No such file"));
  EXPECT_FALSE(std::filesystem::exists(file("op")));
}

TEST_F(RunToolTest, ExpectMatches) {
  write(file("e"), expected);
  writeInputs();
  EXPECT_EQ(runStep({"--expect", file("e")}), 0) << err;
  EXPECT_THAT(out, HasSubstr("4 tensors match"));

  // With state, with a frozen tensor, and in f64.
  Entries all = expected;
  all.insert(all.end(), expectedState.begin(), expectedState.end());
  all.push_back(params[0]);
  find(all, "b") = entry<double>("b", DType::F64, {2, 3}, {6, 4, 4, 3, 2, 1});
  find(all, "h") = f32("h", {3}, {.5, 1, 1});
  write(file("e"), all);
  EXPECT_EQ(runStep({"--expect", file("e"), "--rtol=0", "--atol=0"}), 0) << err;
  EXPECT_THAT(out, HasSubstr("8 tensors match"));
}

TEST_F(RunToolTest, ExpectDiffers) {
  auto expectDiffers = [&](const std::string &message,
                           const std::function<void(Entries &)> &change,
                           const std::vector<std::string> &more = {}) {
    Entries all = expected;
    all.insert(all.end(), expectedState.begin(), expectedState.end());
    all.push_back(params[0]);
    change(all);
    write(file("e"), all);
    std::vector<std::string> arguments = {"--expect", file("e")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expectFailure(message, arguments);
  };
  expectDiffers(
      "'a'[1, 2] is 5, expected 5.125 (difference 0.125); 2 of 39 "
      "elements, in 1 of 8 tensors",
      [](Entries &all) {
        find(all, "a") = f32("a", {2, 3}, {0.5, 2, 3.01f, 4, 5, 5.125});
      });
  expectDiffers("'qkv'[3, 1] is 0.5, expected 0.50001", [](Entries &all) {
    find(all, "qkv") =
        f32("qkv", {4, 2}, {.5, .5, .5, .5, .5, .5, .5, .50001f});
  });
  expectDiffers("expected nan",
                [](Entries &all) {
                  find(all, "a") = f32("a", {2, 3}, {0.5, 2, 3, 4, 5, NAN});
                },
                {"--rtol=1e300"});
  expectDiffers("'step' is 6, expected 7",
                [](Entries &all) {
                  find(all, "step") =
                      entry<int64_t>("step", DType::I64, {}, {7});
                },
                {"--rtol", "10", "--atol", "10"});
  expectDiffers("'a.momentum'[0, 0] is 1, expected 2", [](Entries &all) {
    find(all, "a.momentum") = f32("a.momentum", {2, 3}, {2, 0, 0, 0, 0, 2});
  });
  expectDiffers("shape is [6], the result has [2, 3]",
                [](Entries &all) { find(all, "a").shape = {6}; });
  expectDiffers("type I32 cannot be compared",
                [](Entries &all) { find(all, "a").dtype = DType::I32; });
  expectDiffers("tensor 'extra': the result has no such tensor",
                [](Entries &all) { all.push_back(f32("extra", {1}, {1})); });
  expectDiffers("'b' is missing, but the result has it",
                [](Entries &all) { all.erase(all.begin() + 1); });
  expectDiffers("'step' is missing, but the result has it",
                [](Entries &all) { all.erase(all.begin() + 7); });
  expectDiffers("differs from the frozen tensor",
                [](Entries &all) { find(all, "ids").bytes[0] = 1; });
}

TEST_F(RunToolTest, NothingIsWrittenOnFailure) {
  writeInputs();
  std::string before = readFile(file("p"));
  EXPECT_EQ(runStep({"--expect", file("none")}), 1);
  EXPECT_FALSE(std::filesystem::exists(file("op")));
  // The second output fails after the first was prepared.
  EXPECT_EQ(run({artifact, "--params", file("p"), "--grads", file("g"),
                 "--state", file("s"), "--lr=1", "--out-params", file("p"),
                 "--out-state", file("no/such/directory")}),
            1);
  EXPECT_THAT(err, HasSubstr("No such file"));
  EXPECT_EQ(readFile(file("p")), before);
  EXPECT_EQ(directory.size(), 4u);
}

TEST_F(RunToolTest, NothingIsWrittenIfTheReportIsLost) {
  writeInputs();
  std::ofstream full("/dev/full");
  std::ostringstream errors;
  EXPECT_EQ(
      runTool({artifact, "--params", file("p"), "--grads", file("g"), "--state",
               file("s"), "--lr=1", "--stats", "--out-params", file("op")},
              full, errors),
      1);
  EXPECT_THAT(errors.str(), HasSubstr("cannot write to the standard output"));
  EXPECT_FALSE(std::filesystem::exists(file("op")));
}

TEST_F(RunToolTest, RuntimeErrors) {
  expectFailure("cannot open", {"--threads=1", "--expect", file("none")});
  expectFailure("lr is -1 and must not be negative", {"--lr=muon=-1"});
  expectFailure("no lr of group 'x'; groups: 'muon', 'adamw'", {"--lr", "x=1"});
  expectFailure("step returned 42", {"--lr=muon=1234"});
  expectFailure("unknown device 'tpu'; known devices: cpu, sim",
                {"--device=tpu"});
  writeInputs();
  EXPECT_EQ(run({artifact, "--params", file("p"), "--grads", file("g"),
                 "--state", file("s"), "--stats"}),
            1);
  EXPECT_THAT(err, HasSubstr("scalars without a default are not set: lr of "
                             "group 'muon', lr of group 'adamw'"));
  EXPECT_EQ(run({file("p"), "--list"}), 1);
  EXPECT_THAT(err, HasSubstr("not a shared library"));
  EXPECT_EQ(run({artifact, "--params", file("p"), "--grads", file("g"),
                 "--stats", "--lr=1"}),
            1);
  EXPECT_THAT(err, HasSubstr("give --state or --init-state"));
}

TEST_F(RunToolTest, Options) {
  auto expectError = [&](const std::vector<std::string> &arguments,
                         const std::string &message) {
    EXPECT_EQ(run(arguments), 1) << message;
    EXPECT_THAT(err, HasSubstr(message));
    EXPECT_EQ(out, "");
  };
  expectError({}, "no artifact given");
  expectError({""}, "the name of the artifact is empty");
  expectError({"a", "b"}, "unexpected argument 'b'");
  expectError({"a"}, "--params is missing");
  expectError({"a", "--params=p"}, "--grads is missing");
  expectError({"a", "--params=p", "--grads=g"}, "the result would be lost");
  expectError({"a", "--params=p", "--grads=g", "--state=s", "--init-state"},
              "--state and --init-state exclude each other");
  expectError(
      {"a", "--params=p", "--grads=g", "--out-params=x", "--out-state=./x"},
      "--out-params and --out-state are the same file");
  expectError({"a", "--params=p", "--grads=g", "--stats", "--rtol=1"},
              "need --expect");
  expectError({"a", "--speed=1"}, "unknown option '--speed'");
  expectError({"a", "-x"}, "unknown option '-x'");
  expectError({"a", "--params"}, "--params needs a value");
  expectError({"a", "--params", "--grads"}, "--params needs a value");
  expectError({"a", "--params="}, "the value of --params is empty");
  expectError({"a", "--params=x", "--params=y"}, "--params is given twice");
  expectError({"a", "--device=x", "--device=y"}, "--device is given twice");
  expectError({"a", "--stats=1"}, "--stats takes no value");
  expectError({"a", "--lr=1", "--lr=2"}, "--lr is given twice");
  expectError({"a", "--lr=g=1", "--lr=g=2"}, "--lr is given twice for group");
  for (const char *bad :
       {"abc", "1x", " 1", "1 ", "nan", "inf", "-inf", "infinity", "0x10",
        "1e999", "1,5", "--1", "+", "-", "1e", "g=", "=", "g=x"})
    expectError({"a", std::string("--lr=") + bad}, "is not a finite number");
  expectError({"a", "--clip=g=1"}, "'g=1' is not a finite number");
  expectError({"a", "--rtol=-1"}, "is not a finite number of at least 0");
  for (const char *bad : {"0", "-1", "1.5", "x", "1x", "99999999999999999999"})
    expectError({"a", std::string("--threads=") + bad},
                "is not an integer from 1 to 4096");
  expectError({"a", "--repeat=0"}, "is not an integer from 1");
  expectError({"a", "--lr"}, "--lr needs a value");
}

TEST_F(RunToolTest, HelpAndVersion) {
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_THAT(out, HasSubstr("usage: muon-run"));
  EXPECT_EQ(run({"--version"}), 0);
  EXPECT_EQ(out, "muon-run (muon-mlir 0.1.0)\n");
}
