//===- RankToolTest.cpp - muon-run on several ranks -----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestRanks.h"
#include "TestRename.h"
#include "muon-mlir/Runtime/RunTool.h"
#include "muon-mlir/Runtime/Safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <sstream>

using namespace muon;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

/// Momentum of the logical tensor w before the step.
const std::vector<float> momenta = {1, 2, 3, 4, 5, 6};

class RankToolTest : public testing::Test {
protected:
  std::string file(const std::string &name) const {
    return directory.file(name);
  }

  static void write(const std::string &path,
                    const std::vector<TensorToWrite> &tensors,
                    const SafetensorsMetadata &metadata = {}) {
    std::string error;
    ASSERT_TRUE(writeSafetensors(path, tensors, metadata, error)) << error;
  }

  /// The artifacts of that many ranks, whole weights, and the gradients of each
  /// rank: of w, unreduced, (rank + 1)/4 for each element; of u 1.
  void make(
      int count,
      const std::function<void(json &, int)> &change = [](json &, int) {}) {
    layout = rankLayout(count);
    prefix = std::to_string(count);
    const float w[6] = {1, 2, 3, 4, 5, 6};
    const float u[8] = {10, 20, 30, 40, 50, 60, 70, 80};
    write(file("p"),
          {{"w", DType::F32, {2, 3}, w}, {"u", DType::F32, {4, 2}, u}},
          {{"format", "pt"}});
    for (int r = 0; r < count; ++r) {
      const std::string number = std::to_string(r);
      json manifest = rankManifest(layout, r);
      change(manifest, r);
      writeRankArtifact(file(prefix + "step" + number + ".so"), layout, r,
                        manifest.dump());
      const std::vector<float> gradient(6, float(r + 1) / 4);
      const std::vector<float> ones(8, 1);
      write(file(prefix + "g" + number),
            {{"w", DType::F32, {2, 3}, gradient.data()},
             {"u", DType::F32, {layout.rows[size_t(r)], 2}, ones.data()}});
    }
  }

  /// State of a run of that many ranks.
  void writeState(const std::string &path, const RankLayout &other,
                  int64_t count = 7) {
    for (int r = 0; r < other.ranks(); ++r)
      write(path + std::to_string(r),
            {{"w.momentum",
              DType::F32,
              {other.elements[size_t(r)]},
              momenta.data() + other.from(r)},
             {"step", DType::I64, {}, &count}},
            {{"muon.placement",
              json{{"w.momentum", {{"from", other.from(r)}, {"of", {2, 3}}}}}
                  .dump()}});
  }

  int run(const std::vector<std::string> &arguments) {
    std::ostringstream outStream, errStream;
    const int code = runTool(arguments, outStream, errStream);
    out = outStream.str();
    err = errStream.str();
    EXPECT_EQ(code == 0, err.empty()) << err;
    return code;
  }

  /// The usual run, with more arguments.
  int runRanks(const std::vector<std::string> &more) {
    std::vector<std::string> arguments = {file(prefix + "step{rank}.so"),
                                          "--ranks",
                                          prefix,
                                          "--params",
                                          file("p"),
                                          "--grads",
                                          file(prefix + "g{rank}"),
                                          "--lr",
                                          "0.5",
                                          "--out-params",
                                          file("op{rank}"),
                                          "--out-state",
                                          file("os{rank}")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  void expectFailure(const std::string &message,
                     const std::vector<std::string> &more) {
    EXPECT_EQ(runRanks(more), 1) << message;
    EXPECT_THAT(err, HasSubstr(message));
    for (const auto &item : std::filesystem::directory_iterator(directory.path))
      EXPECT_THAT(item.path().filename().string(),
                  Not(testing::StartsWith("o")));
  }

  template <typename T = float>
  std::vector<T> read(const std::string &path, const std::string &name,
                      std::vector<int64_t> shape) {
    std::string error;
    auto opened = SafetensorsFile::open(path, error);
    if (!opened || !opened->find(name)) {
      ADD_FAILURE() << path << ": no " << name << " " << error;
      return {};
    }
    metadata = opened->metadata();
    const TensorInfo &info = *opened->find(name);
    EXPECT_EQ(info.shape, shape) << path << " " << name;
    std::vector<T> values(size_t(info.bytes()) / sizeof(T));
    if (!values.empty())
      std::memcpy(values.data(), opened->data(info), info.bytes());
    return values;
  }

  /// Checks all outputs after one step from this momentum.
  void expectResult(const std::vector<float> &before, int64_t count) {
    const int ranks = layout.ranks();
    float mean = 0;
    for (int r = 0; r < ranks; ++r)
      mean += float(r + 1) / 4;
    mean *= 1 / float(ranks);
    std::vector<float> w, momentum;
    for (int i = 0; i < 6; ++i) {
      momentum.push_back(0.5f * before[size_t(i)] + mean);
      w.push_back(float(i + 1) - 0.5f * momentum.back());
    }
    for (int r = 0; r < ranks; ++r) {
      const std::string number = std::to_string(r);
      const int64_t rows = layout.rows[size_t(r)];
      const int64_t elements = layout.elements[size_t(r)];
      EXPECT_EQ(read(file("op" + number), "w", {2, 3}), w) << r;
      std::vector<float> u;
      for (int64_t i = 0; i < 2 * rows; ++i)
        u.push_back(float(10 * (2 * layout.row(r) + i + 1)) - 0.5f);
      EXPECT_EQ(read(file("op" + number), "u", {rows, 2}), u) << r;
      EXPECT_EQ(metadata["format"], "pt");
      EXPECT_EQ(
          json::parse(metadata["muon.placement"]),
          (json{{"u", {{"offset", {layout.row(r), 0}}, {"of", {4, 2}}}}}));
      EXPECT_EQ(
          read(file("os" + number), "w.momentum", {elements}),
          std::vector<float>(momentum.begin() + layout.from(r),
                             momentum.begin() + layout.from(r) + elements));
      EXPECT_EQ(
          json::parse(metadata["muon.placement"]),
          (json{{"w.momentum", {{"from", layout.from(r)}, {"of", {2, 3}}}}}));
      EXPECT_EQ(read<int64_t>(file("os" + number), "step", {}),
                std::vector<int64_t>{count});
    }
  }

  TemporaryDirectory directory;
  RankLayout layout;
  std::string prefix;
  SafetensorsMetadata metadata;
  std::string out, err;
};

} // namespace

TEST_F(RankToolTest, Runs) {
  for (int count : {2, 3, 4, 8}) {
    make(count);
    ASSERT_EQ(runRanks({"--init-state"}), 0) << err;
    EXPECT_EQ(out, "");
    expectResult(std::vector<float>(6, 0), 1);
  }
}

TEST_F(RankToolTest, OneRank) {
  make(1);
  ASSERT_EQ(run({file("1step0.so"), "--params", file("p"), "--grads",
                 file("1g0"), "--init-state", "--lr", "0.5", "--out-params",
                 file("op0"), "--out-state", file("os0"), "--traffic"}),
            0)
      << err;
  EXPECT_EQ(out, "rank 0: sent 0 bytes, received 0 bytes in 3 collectives\n");
  expectResult(std::vector<float>(6, 0), 1);
}

TEST_F(RankToolTest, Prints) {
  make(2);
  ASSERT_EQ(runRanks({"--init-state", "--stats", "--traffic", "--timeout=60"}),
            0)
      << err;
  // Of w rank 0 owns 16 bytes, rank 1 has 8; the look is one f64.
  const size_t traffic = out.find("rank 0: sent 32 bytes, received 32 bytes in "
                                  "3 collectives\n"
                                  "rank 1: sent 32 bytes, received 32 bytes in "
                                  "3 collectives\n");
  ASSERT_NE(traffic, std::string::npos) << out;
  EXPECT_THAT(out, testing::StartsWith("parameter"));
  EXPECT_EQ(out.rfind("parameter"), 0u);
  // Root of 6 (3/8)².
  EXPECT_THAT(out, HasSubstr("'w'        0.918558654"));
}

TEST_F(RankToolTest, List) {
  make(2);
  ASSERT_EQ(run({file("2step1.so"), "--list"}), 0) << err;
  EXPECT_THAT(out, AllOf(HasSubstr("grid      dp=2\n"),
                         HasSubstr("rank      1 of 2\n"),
                         HasSubstr("'w.momentum'  from 4 of [2, 3]\n"),
                         HasSubstr("'u'           [3, 0] of [4, 2]\n"),
                         HasSubstr("'w'           -\n")));
}

TEST_F(RankToolTest, StateOfTheSameRanks) {
  make(3);
  writeState(file("s"), layout);
  ASSERT_EQ(runRanks({"--state", file("s{rank}")}), 0) << err;
  expectResult(momenta, 8);
}

TEST_F(RankToolTest, WholeState) {
  make(3);
  const int64_t count = 7;
  write(file("s"), {{"w.momentum", DType::F32, {2, 3}, momenta.data()},
                    {"step", DType::I64, {}, &count}});
  ASSERT_EQ(runRanks({"--state", file("s")}), 0) << err;
  expectResult(momenta, 8);
}

TEST_F(RankToolTest, StateOfOtherRanks) {
  for (int from : {1, 2, 3, 4, 8})
    for (int to : {2, 3, 8}) {
      make(to);
      writeState(file("s"), rankLayout(from));
      ASSERT_EQ(runRanks({"--state", file("s{rank}"), "--state-ranks",
                          std::to_string(from)}),
                0)
          << from << " " << to << ": " << err;
      expectResult(momenta, 8);
    }
}

TEST_F(RankToolTest, InPlace) {
  make(2);
  writeState(file("os"), layout);
  ASSERT_EQ(runRanks({"--state", file("os{rank}")}), 0) << err;
  expectResult(momenta, 8);
  // Weights of each rank, as they were just written.
  ASSERT_EQ(
      run({file("2step{rank}.so"), "--ranks=2", "--params", file("op{rank}"),
           "--grads", file("2g{rank}"), "--lr", "0", "--state",
           file("os{rank}"), "--out-params", file("op{rank}")}),
      0)
      << err;
  EXPECT_EQ(read(file("op1"), "u", {1, 2}), (std::vector<float>{69.5, 79.5}));
}

TEST_F(RankToolTest, WeightsOfOtherRanks) {
  make(4);
  ASSERT_EQ(runRanks({"--init-state"}), 0) << err;
  make(2);
  ASSERT_EQ(
      run({file("2step{rank}.so"), "--ranks=2", "--params", file("op{rank}"),
           "--params-ranks=4", "--grads", file("2g{rank}"), "--init-state",
           "--lr", "0", "--out-params", file("x{rank}")}),
      0)
      << err;
  EXPECT_EQ(read(file("x0"), "u", {3, 2}),
            (std::vector<float>{9.5, 19.5, 29.5, 39.5, 49.5, 59.5}));
  EXPECT_EQ(read(file("x1"), "u", {1, 2}), (std::vector<float>{69.5, 79.5}));
}

TEST_F(RankToolTest, StateThatDoesNotFit) {
  make(2);
  RankLayout four = rankLayout(4);
  writeState(file("s"), four);
  // Rank 1 needs elements 4 and 5, which rank 3 of 4 had.
  EXPECT_EQ(runRanks({"--state", file("s{rank}"), "--state-ranks=3"}), 1);
  EXPECT_THAT(err,
              AllOf(HasSubstr("rank 0: " + file("s0") + " to " + file("s2") +
                              ": tensor 'w.momentum': "
                              "elements 3 to 3 of 6, from [1, 0] on, are "
                              "missing"),
                    HasSubstr("rank 1: ")));
  expectFailure("s4: ", {"--state", file("s{rank}"), "--state-ranks=5"});
  expectFailure("rank 0: " + file("s0") +
                    ": tensor 'w.momentum': shape is "
                    "[1], expected [4]",
                {"--state", file("s{rank}")});
  writeState(file("s"), RankLayout{{2, 4}, {2, 2}});
  // The right size in the wrong place.
  std::filesystem::rename(file("s1"), file("t0"));
  std::filesystem::rename(file("s0"), file("t1"));
  expectFailure("t0: tensor 'w.momentum': is the part from 2 of [2, 3], "
                "expected from 0 of [2, 3]",
                {"--state", file("t{rank}")});
  const int64_t count = 7;
  write(file("w"), {{"w.momentum", DType::F32, {3, 2}, momenta.data()},
                    {"step", DType::I64, {}, &count}});
  expectFailure("w: tensor 'w.momentum': shape is [3, 2], expected [2, 3]",
                {"--state", file("w")});
  write(file("h"), {{"w.momentum", DType::BF16, {2, 3}, momenta.data()},
                    {"step", DType::I64, {}, &count}});
  expectFailure("h: tensor 'w.momentum': type is BF16, expected F32",
                {"--state", file("h")});
  write(file("n"), {{"w.momentum", DType::F32, {2, 3}, momenta.data()}});
  expectFailure("n: tensor 'step' is missing", {"--state", file("n")});
}

TEST_F(RankToolTest, RanksThatDiffer) {
  make(2);
  writeState(file("d"), rankLayout(4), 8);
  writeState(file("s"), rankLayout(4));
  std::filesystem::rename(file("d3"), file("s3"));
  expectFailure(file("s0") + " to " + file("s3") +
                    ": tensor 'step': element 0 of 1, [], is 7 on rank 0 and "
                    "8 on rank 3",
                {"--state", file("s{rank}"), "--state-ranks=4"});

  auto writeTail = [&](const std::vector<float> &tail) {
    write(file("t1"), {{"w.momentum", DType::F32, {4}, tail.data()}},
          {{"muon.placement", R"({"w.momentum": {"from": 2, "of": [2, 3]}})"}});
  };
  writeState(file("t"), RankLayout{{4}, {4}});
  writeTail({3, 9, 5, 6});
  expectFailure(file("t0") + " to " + file("t1") +
                    ": tensor 'w.momentum': element 3 of 6, [1, 0], is 4 on "
                    "rank 0 and 9 on rank 1",
                {"--state", file("t{rank}"), "--state-ranks=2"});
  writeTail({3, 4, 5, 6});
  ASSERT_EQ(runRanks({"--state", file("t{rank}"), "--state-ranks=2"}), 0)
      << err;
  expectResult(momenta, 8);
}

TEST_F(RankToolTest, FrozenTensorsThatDiffer) {
  make(2, [](json &m, int) { m["frozen"] = {"f"}; });
  const std::vector<float> values = {1, 2, 3, 4, 5, 6, 7, 8};
  auto writeParams = [&](int rank, const std::vector<float> &f) {
    write(file("q" + std::to_string(rank)),
          {{"w", DType::F32, {2, 3}, values.data()},
           {"u", DType::F32, {4, 2}, values.data()},
           {"f", DType::F32, {int64_t(f.size())}, f.data()}});
  };
  auto runFrom = [&] {
    return run({file("2step{rank}.so"), "--ranks=2", "--params",
                file("q{rank}"), "--params-ranks=2", "--grads",
                file("2g{rank}"), "--init-state", "--lr=0", "--out-params",
                file("x{rank}")});
  };
  writeParams(0, {1, 2});
  for (const auto &[f, message] :
       {std::pair<std::vector<float>, std::string>(
            {1, 3}, "is not the same as on rank 0"),
        {{1, 2, 3}, "is F32 of shape [3], on rank 0 F32 of shape [2]"}}) {
    writeParams(1, f);
    EXPECT_EQ(runFrom(), 1);
    EXPECT_THAT(err, HasSubstr(file("q1") + ": tensor 'f': " + message));
  }
  writeParams(1, {1, 2});
  ASSERT_EQ(runFrom(), 0) << err;
  EXPECT_EQ(read(file("x1"), "f", {2}), (std::vector<float>{1, 2}));
}

//===----------------------------------------------------------------------===//
// Runs of blocks
//===----------------------------------------------------------------------===//

namespace {

/// With w as the block [2, 3] of a tensor [4, 5] on all ranks, owned in runs.
class RankBlockToolTest : public RankToolTest {
protected:
  void makeBlock(int count, int row = 1, int column = 1,
                 const char *state = "momentum") {
    const json of = {4, 5}, offset = {row, column};
    make(count, [&](json &m, int) {
      for (size_t i = 0; i < size_t(count); ++i) {
        json &member = m["params"][i][0];
        member["of"] = of;
        member["offset"] = offset;
        member["block"] = {2, 3};
      }
      m["params"][size_t(count)][0] = {
          {"tensor", "w"}, {"offset", offset}, {"of", of}};
      argumentOf(m, "momentum")["role"] = state;
    });
    for (int i = 0; i < 20; ++i)
      numbers[i] = float(i);
    const float u[8] = {10, 20, 30, 40, 50, 60, 70, 80};
    write(file("p"),
          {{"w", DType::F32, {4, 5}, numbers}, {"u", DType::F32, {4, 2}, u}});
  }

  /// Checks w and its state, which is named so, of all ranks, from the values
  /// of the block before and the mean of the gradients.
  void expectBlock(const std::vector<float> &before, float mean,
                   const std::string &state = "w.momentum") {
    std::vector<float> w, after;
    for (size_t i = 0; i < 6; ++i) {
      after.push_back(0.5f * before[i] + mean);
      w.push_back(block[i] - 0.5f * after.back());
    }
    const json of = {4, 5}, offset = {1, 1};
    for (int r = 0; r < layout.ranks(); ++r) {
      const std::string number = std::to_string(r);
      EXPECT_EQ(read(file("op" + number), "w", {2, 3}), w) << r;
      EXPECT_EQ(json::parse(metadata["muon.placement"])["w"],
                (json{{"offset", offset}, {"of", of}}));
      const int64_t elements = layout.elements[size_t(r)];
      EXPECT_EQ(read(file("os" + number), state, {elements}),
                std::vector<float>(after.begin() + layout.from(r),
                                   after.begin() + layout.from(r) + elements));
      EXPECT_EQ(json::parse(metadata["muon.placement"])[state],
                (json{{"from", layout.from(r)},
                      {"block", {2, 3}},
                      {"offset", offset},
                      {"of", of}}));
    }
  }

  void removeOutputs() {
    for (const char *name : {"op0", "op1", "op2", "os0", "os1", "os2"})
      std::filesystem::remove(file(name));
  }

  /// Of the logical tensor, by number, and those in the block.
  float numbers[20];
  const std::vector<float> block = {6, 7, 8, 11, 12, 13};
};

} // namespace

TEST_F(RankBlockToolTest, Runs) {
  for (int count : {2, 3}) {
    makeBlock(count);
    ASSERT_EQ(runRanks({"--init-state"}), 0) << err;
    expectBlock(std::vector<float>(6, 0), count == 2 ? 0.375f : 0.5f);
  }
}

TEST_F(RankBlockToolTest, List) {
  makeBlock(2);
  ASSERT_EQ(run({file("2step1.so"), "--list"}), 0) << err;
  EXPECT_THAT(out, AllOf(HasSubstr("'w.momentum'  from 4 of the block [2, 3] "
                                   "at [1, 1] of [4, 5]\n"),
                         HasSubstr("'w'           [1, 1] of [4, 5]\n")));
}

TEST_F(RankBlockToolTest, MasterFromTheBlock) {
  makeBlock(3, 1, 1, "master");
  ASSERT_EQ(runRanks({"--init-state"}), 0) << err;
  expectBlock(block, 0.5f, "w.master");
}

TEST_F(RankBlockToolTest, StateOfOtherCuts) {
  const int64_t count = 7;
  makeBlock(2);
  write(file("s"), {{"w.momentum", DType::F32, {4, 5}, numbers},
                    {"step", DType::I64, {}, &count}});
  ASSERT_EQ(runRanks({"--state", file("s")}), 0) << err;
  expectBlock(block, 0.375f);

  // Runs of the whole tensor, which begin and end within rows of the block.
  const int64_t ends[] = {0, 7, 12, 20};
  for (size_t r = 0; r < 3; ++r)
    write(
        file("t" + std::to_string(r)),
        {{"w.momentum", DType::F32, {ends[r + 1] - ends[r]}, numbers + ends[r]},
         {"step", DType::I64, {}, &count}},
        {{"muon.placement",
          json{{"w.momentum", {{"from", ends[r]}, {"of", {4, 5}}}}}.dump()}});
  removeOutputs();
  ASSERT_EQ(runRanks({"--state", file("t{rank}"), "--state-ranks=3"}), 0)
      << err;
  expectBlock(block, 0.375f);

  // Runs of the block on another number of ranks.
  for (const char *rank : {"0", "1"})
    std::filesystem::copy(file(std::string("os") + rank),
                          file(std::string("k") + rank));
  std::vector<float> before;
  for (float value : block)
    before.push_back(0.5f * value + 0.375f);
  removeOutputs();
  makeBlock(3);
  ASSERT_EQ(runRanks({"--state", file("k{rank}"), "--state-ranks=2"}), 0)
      << err;
  expectBlock(before, 0.5f);

  // Of another block only a part is there.
  removeOutputs();
  makeBlock(2, 0, 1);
  expectFailure("rank 0: " + file("k0") + " to " + file("k1") +
                    ": tensor 'w.momentum': elements 1 to 3 of 20, from "
                    "[0, 1] on, are missing",
                {"--state", file("k{rank}"), "--state-ranks=2"});
  expectFailure("k0: tensor 'w.momentum': is the part from 0 of the block "
                "[2, 3] at [1, 1] of [4, 5], expected from 0 of the block "
                "[2, 3] at [0, 1] of [4, 5]",
                {"--state", file("k{rank}")});
}

TEST_F(RankBlockToolTest, Expect) {
  makeBlock(2);
  const int64_t count = 1;
  std::vector<float> u, w(20, -1), momentum(20, -1);
  for (int i = 0; i < 8; ++i)
    u.push_back(float(10 * (i + 1)) - 0.5f);
  for (float value : block) {
    w[size_t(value)] = value - 0.1875f;
    momentum[size_t(value)] = 0.375f;
  }
  auto runExpecting = [&] {
    write(file("e"), {{"w", DType::F32, {4, 5}, w.data()},
                      {"u", DType::F32, {4, 2}, u.data()},
                      {"w.momentum", DType::F32, {4, 5}, momentum.data()},
                      {"step", DType::I64, {}, &count}});
    return run({file("2step{rank}.so"), "--ranks=2", "--params", file("p"),
                "--grads", file("2g{rank}"), "--init-state", "--lr=0.5",
                "--expect", file("e")});
  };
  EXPECT_EQ(runExpecting(), 0) << err;
  // The last of the run of rank 1, in the second row of the block.
  momentum[13] += 1;
  EXPECT_EQ(runExpecting(), 1);
  EXPECT_THAT(err, HasSubstr("rank 1: " + file("e") + ": "));
}

TEST_F(RankToolTest, Expect) {
  make(2);
  ASSERT_EQ(runRanks({"--init-state"}), 0) << err;
  for (const char *name : {"op", "os"})
    for (const char *number : {"0", "1"})
      std::filesystem::remove(file(std::string(name) + number));
  std::vector<float> w, u;
  for (int i = 0; i < 6; ++i)
    w.push_back(float(i + 1) - 0.1875f);
  for (int i = 0; i < 8; ++i)
    u.push_back(float(10 * (i + 1)) - 0.5f);
  auto writeExpected = [&] {
    write(file("e"), {{"w", DType::F32, {2, 3}, w.data()},
                      {"u", DType::F32, {4, 2}, u.data()}});
  };
  writeExpected();
  EXPECT_EQ(runRanks({"--init-state", "--expect", file("e")}), 0) << err;
  EXPECT_THAT(out, AllOf(HasSubstr("rank 0: " + file("e") + ": "),
                         HasSubstr("rank 1: " + file("e") + ": ")));
  for (const char *name : {"op", "os"})
    for (const char *number : {"0", "1"})
      std::filesystem::remove(file(std::string(name) + number));
  // Only rank 1 has the last row; no rank may write.
  u[7] += 1;
  writeExpected();
  expectFailure("muon-run: error: rank 1: " + file("e") + ": ",
                {"--init-state", "--expect", file("e")});
  EXPECT_THAT(err, HasSubstr("rank 0: rank 1 "));
  std::filesystem::remove(file("e"));
  write(file("e0"), {{"w", DType::F32, {2, 3}, w.data()},
                     {"u", DType::F32, {3, 2}, u.data()}});
  u[7] -= 1;
  write(file("e1"), {{"w", DType::F32, {2, 3}, w.data()},
                     {"u", DType::F32, {1, 2}, u.data() + 6}});
  EXPECT_EQ(runRanks({"--init-state", "--expect", file("e{rank}")}), 0) << err;
}

TEST_F(RankToolTest, Options) {
  make(2);
  auto expectRefused = [&](const std::string &message,
                           const std::vector<std::string> &arguments) {
    EXPECT_EQ(run(arguments), 1) << message;
    EXPECT_THAT(err, HasSubstr(message));
  };
  const std::string step = file("2step{rank}.so"), p = file("p"),
                    g = file("2g{rank}");
  expectRefused("the artifact: '" + file("2step0.so") +
                    "' is one file, and 2 "
                    "ranks are run; put {rank}",
                {file("2step0.so"), "--ranks=2", "--params", p, "--grads", g,
                 "--init-state", "--stats"});
  expectRefused("--out-state: '" + file("os") +
                    "' is one file, and 2 ranks "
                    "write it; put {rank}",
                {step, "--ranks=2", "--params", p, "--grads", g, "--init-state",
                 "--out-state", file("os")});
  expectRefused("--state: '" + file("s") +
                    "' is one file, and 4 ranks are "
                    "read",
                {step, "--ranks=2", "--params", p, "--grads", g, "--state",
                 file("s"), "--state-ranks=4", "--stats"});
  expectRefused("--state-ranks needs --state",
                {step, "--ranks=2", "--params", p, "--grads", g,
                 "--state-ranks=4", "--stats"});
  expectRefused("--ranks: '0' is not an integer", {step, "--ranks=0"});
  expectRefused("--communicator: 'tcp' is not 'threads', 'mpi' or 'nccl'",
                {step, "--communicator=tcp"});
  expectRefused("--rank: '-1' is not an integer from 0 to 4095",
                {step, "--rank=-1"});
  expectRefused("--rendezvous and --rank need --communicator=nccl",
                {step, "--rendezvous", file("meet")});
  expectRefused("--rank needs --ranks and --rendezvous",
                {step, "--communicator=nccl", "--rank=0"});
  expectRefused("--rank is 2, and --ranks 2",
                {step, "--communicator=nccl", "--rank=2", "--ranks=2",
                 "--rendezvous", file("meet")});
  expectRefused("--timeout: '-1' is not a finite number",
                {step, "--timeout=-1"});
  expectRefused("--timeout: timeout is 1e+12 seconds",
                {step, "--ranks=2", "--params", p, "--grads", g, "--init-state",
                 "--stats", "--timeout=1e12"});
  expectRefused("compiled for rank 0 of 2 (dp=2), but run as rank 0 of 1; give "
                "--ranks 2, or start it by mpirun -n 2",
                {step, "--params", p, "--grads", g, "--init-state", "--stats"});
  writeState(file("s"), rankLayout(4));
  expectRefused("--out-state would overwrite --state, '" + file("s0") + "'",
                {step, "--ranks=2", "--params", p, "--grads", g, "--state",
                 file("s{rank}"), "--state-ranks=4", "--out-state",
                 file("s{rank}")});
  std::filesystem::copy(p, file("q0"));
  expectRefused("rank 0: --out-params would overwrite --params, '" +
                    file("q0") + "'",
                {step, "--ranks=2", "--params", file("q0"), "--grads", g,
                 "--init-state", "--out-params", file("q{rank}")});
  writeArtifact(file("one0.so"), stepManifest().dump());
  writeArtifact(file("one1.so"), stepManifest().dump());
  expectRefused("compiled for one rank alone, but 2 ranks run",
                {file("one{rank}.so"), "--ranks=2", "--params", p, "--grads", g,
                 "--init-state", "--stats"});
  expectRefused("compiled for one rank alone, which has no --traffic",
                {file("one0.so"), "--params", p, "--grads", g, "--init-state",
                 "--traffic"});
}

TEST_F(RankToolTest, OneRankFailsAllStop) {
  make(3);
  std::filesystem::remove(file("3g1"));
  expectFailure("muon-run: error: rank 1: " + file("3g1") + ": cannot open",
                {"--init-state"});
  EXPECT_THAT(err, AllOf(HasSubstr("rank 0: "), HasSubstr("rank 2: "),
                         HasSubstr("rank 1 stopped all ranks")));
}

// All ranks have their files, and one cannot put the second of its two in
// place.
TEST_F(RankToolTest, OneRankCannotReplaceNobodyDoes) {
  make(3);
  for (int r = 0; r < 3; ++r) {
    const std::string number = std::to_string(r);
    writeFile(file("op" + number), "old weights " + number);
    if (r != 2)
      writeFile(file("os" + number), "old state " + number);
  }
  const std::vector<std::string> arguments = {file("3step{rank}.so"),
                                              "--ranks=3",
                                              "--lr=1",
                                              "--params",
                                              file("p"),
                                              "--grads",
                                              file("3g{rank}"),
                                              "--init-state",
                                              "--out-params",
                                              file("op{rank}"),
                                              "--out-state",
                                              file("os{rank}")};
  const size_t before = directory.size();
  test::cannotBecome = file("os1");
  EXPECT_EQ(run(arguments), 1);
  test::cannotBecome.clear();
  EXPECT_THAT(err, AllOf(HasSubstr("rank 1: " + file("os1") +
                                   ": cannot replace: Read-only file system"),
                         HasSubstr("rank 0: rank 1 stopped all ranks"),
                         HasSubstr("rank 2: rank 1 stopped all ranks")));
  for (int r = 0; r < 3; ++r) {
    const std::string number = std::to_string(r);
    EXPECT_EQ(readFile(file("op" + number)), "old weights " + number);
    if (r != 2)
      EXPECT_EQ(readFile(file("os" + number)), "old state " + number);
  }
  EXPECT_FALSE(std::filesystem::exists(file("os2")));
  EXPECT_EQ(directory.size(), before);
  EXPECT_EQ(run(arguments), 0) << err;
  EXPECT_NE(readFile(file("op0")), "old weights 0");
  // The state of rank 2 has come.
  EXPECT_EQ(directory.size(), before + 1);
}

#ifdef MUON_MPIRUN
namespace {

class RankToolMpiTest : public RankToolTest {
protected:
  int mpirun(int processes, const std::vector<std::string> &more) {
    // Open MPI itself leaks; what muon-run does is checked for leaks by
    // threads.
    std::string command = "ASAN_OPTIONS=detect_leaks=0 " +
                          std::string(MUON_MPIRUN) +
                          " --allow-run-as-root --oversubscribe -n " +
                          std::to_string(processes) + " " + MUON_RUN;
    std::vector<std::string> arguments = {file(prefix + "step{rank}.so"),
                                          "--params",
                                          file("p"),
                                          "--grads",
                                          file(prefix + "g{rank}"),
                                          "--lr=0.5",
                                          "--out-params",
                                          file("op{rank}"),
                                          "--out-state",
                                          file("os{rank}"),
                                          "--timeout=60"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    for (const std::string &argument : arguments)
      command += " '" + argument + "'";
    command += " >" + file("out") + " 2>" + file("err");
    const int code = std::system(command.c_str());
    out = readFile(file("out"));
    err = readFile(file("err"));
    std::filesystem::remove(file("out"));
    std::filesystem::remove(file("err"));
    return code;
  }
};

} // namespace

TEST_F(RankToolMpiTest, Runs) {
  for (int count : {2, 4}) {
    make(count);
    writeState(file("s"), rankLayout(3));
    ASSERT_EQ(mpirun(count, {"--state", file("s{rank}"), "--state-ranks=3",
                             "--traffic"}),
              0)
        << err;
    expectResult(momenta, 8);
    EXPECT_THAT(out, HasSubstr("rank 1: sent "));
  }
}

TEST_F(RankToolMpiTest, OneRankFailsAllStop) {
  make(2);
  std::filesystem::remove(file("2g1"));
  EXPECT_NE(mpirun(2, {"--init-state"}), 0);
  EXPECT_THAT(err, HasSubstr("muon-run: error: rank 1: " + file("2g1") +
                             ": cannot open"));
  EXPECT_FALSE(std::filesystem::exists(file("op0")));
}

TEST_F(RankToolMpiTest, WrongNumberOfProcesses) {
  make(2);
  EXPECT_NE(mpirun(3, {"--init-state"}), 0);
  EXPECT_THAT(err, HasSubstr("compiled for rank 1 of 2 (dp=2), but run as rank "
                             "1 of 3; give --ranks 2, or start it by mpirun "
                             "-n 2"));
  EXPECT_NE(mpirun(2, {"--init-state", "--ranks=4"}), 0);
  EXPECT_THAT(err, HasSubstr("--ranks is 4, but mpirun started 2 processes"));
}
#endif
