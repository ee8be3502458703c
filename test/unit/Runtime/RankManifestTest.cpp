//===- RankManifestTest.cpp - Manifests of one rank of several ------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestRanks.h"
#include "muon-mlir/Runtime/Runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

using nlohmann::json;
using testing::HasSubstr;

namespace {

using Change = std::function<void(json &)>;

/// Of rank 2 of 3.
class RankManifestTest : public testing::Test {
protected:
  MuonStatus load(const Change &change) {
    muonArtifactRelease(artifact);
    artifact = nullptr;
    json manifest = rankManifest(layout, 2);
    change(manifest);
    std::string path =
        directory.file("step" + std::to_string(serial++) + ".so");
    writeRankArtifact(path, layout, 2, manifest.dump());
    return muonArtifactLoad(path.c_str(), "cpu", &artifact);
  }
  void TearDown() override { muonArtifactRelease(artifact); }

  void expectInvalid(const std::string &message, const Change &change) {
    EXPECT_EQ(load(change), MUON_ERROR_INVALID_ARTIFACT) << message;
    EXPECT_THAT(muonLastError(), HasSubstr(message));
  }
  void expectInvalidDistribution(const std::string &message,
                                 const Change &change) {
    expectInvalid("manifest: distribution" + message,
                  [&](json &m) { change(m["distribution"]); });
  }
  void expectInvalidCollective(int index, const std::string &message,
                               const Change &change) {
    expectInvalidDistribution(
        ": collectives[" + std::to_string(index) + "]" + message,
        [&](json &d) { change(d["collectives"][size_t(index)]); });
  }
  /// A list of members used as weights, each of the shape.
  static void addWeights(json &m, const json &members, const json &shape,
                         const char *role = "weight") {
    m["params"].push_back(members);
    m["arguments"].push_back({{"role", role},
                              {"type", "f32"},
                              {"shape", shape},
                              {"params", m["params"].size() - 1},
                              {"slot", m["slots"]}});
    m["slots"] = m["slots"].get<size_t>() + members.size();
  }
  std::string tensorText(const std::string &name, MuonRole role) {
    for (size_t i = 0; i < muonArtifactTensorCount(artifact); ++i) {
      MuonTensorInfo info;
      EXPECT_EQ(muonArtifactTensor(artifact, i, &info), MUON_OK);
      if (name != info.name || role != info.role)
        continue;
      auto list = [](const int64_t *values, size_t count) {
        std::string text;
        for (size_t d = 0; values && d < count; ++d)
          text += (d ? "," : "") + std::to_string(values[d]);
        return "[" + text + "]";
      };
      return std::string(info.key) + " " + list(info.shape, info.rank) + " " +
             std::to_string(info.elements) + " " + std::to_string(info.bytes) +
             " part " + std::to_string(info.part) + " of " + info.tensor + " " +
             info.logical_key + " " +
             list(info.logical_shape, info.logical_rank) + " offset " +
             list(info.offset, info.logical_rank) + " from " +
             std::to_string(info.from) + " block " +
             list(info.block, info.logical_rank);
    }
    return "none";
  }

  TemporaryDirectory directory;
  RankLayout layout = rankLayout(3);
  MuonArtifact *artifact = nullptr;
  int serial = 0;
};

json block(const char *tensor, const json &offset, const json &of) {
  return {{"tensor", tensor}, {"offset", offset}, {"of", of}};
}

json run(const char *tensor, int64_t from, const json &of) {
  return {{"tensor", tensor}, {"from", from}, {"of", of}};
}

json runOf(const char *tensor, int64_t from, const json &block,
           const json &offset, const json &of) {
  json member = run(tensor, from, of);
  member["block"] = block;
  member["offset"] = offset;
  return member;
}

json rows(const char *tensor, int begin, int end, int all) {
  return {{"tensor", tensor}, {"begin", begin}, {"end", end}, {"rows", all}};
}

} // namespace

TEST_F(RankManifestTest, Describes) {
  ASSERT_EQ(load([](json &) {}), MUON_OK) << muonLastError();
  MuonArtifactInfo info;
  ASSERT_EQ(muonArtifactInfo(artifact, &info), MUON_OK);
  EXPECT_EQ(info.distributed, 1);
  EXPECT_EQ(info.rank, 2);
  EXPECT_EQ(info.ranks, 3);
  EXPECT_STREQ(info.grid, "dp=3");

  EXPECT_EQ(muonArtifactTensorCount(artifact), 6u);
  // Of a weight in runs all is bound; of its state the run alone.
  EXPECT_EQ(tensorText("w", MUON_ROLE_WEIGHT),
            "w [2,3] 6 24 part 0 of w w [2,3] offset [] from 0 block []");
  EXPECT_EQ(tensorText("w", MUON_ROLE_MOMENTUM),
            "w.momentum [5] 5 20 part 2 of w w.momentum [2,3] offset [0,0] "
            "from 1 block [2,3]");
  EXPECT_EQ(tensorText("u", MUON_ROLE_WEIGHT),
            "u [2,2] 4 16 part 1 of u u [4,2] offset [2,0] from 0 block []");
  EXPECT_EQ(tensorText("step", MUON_ROLE_STEP),
            "step [] 1 8 part 0 of step step [] offset [] from 0 block []");
}

TEST_F(RankManifestTest, OneRankIsNotDistributed) {
  const std::string path = directory.file("one.so");
  writeArtifact(path, stepManifest().dump());
  ASSERT_EQ(muonArtifactLoad(path.c_str(), "cpu", &artifact), MUON_OK);
  MuonArtifactInfo info;
  ASSERT_EQ(muonArtifactInfo(artifact, &info), MUON_OK);
  EXPECT_EQ(info.distributed, 0);
  EXPECT_EQ(info.rank, 0);
  EXPECT_EQ(info.ranks, 1);
  EXPECT_STREQ(info.grid, "");
  EXPECT_EQ(tensorText("qkv", MUON_ROLE_WEIGHT),
            "qkv [4,2] 8 32 part 0 of qkv qkv [4,2] offset [] from 0 block []");
}

TEST_F(RankManifestTest, ForAGpu) {
  const std::string path = directory.file("gpu.so");
  json manifest = gpuManifest();
  manifest["distribution"] = rankManifest(layout, 2)["distribution"];
  writeGpuArtifact(path, manifest.dump());
  EXPECT_EQ(muonArtifactLoad(path.c_str(), "sim", &artifact), MUON_OK)
      << muonLastError();
}

TEST_F(RankManifestTest, PartsThatContinueEachOtherAreOne) {
  ASSERT_EQ(
      load([](json &m) {
        // Two of the three row blocks of a fused tensor, and in another
        // the first and the last.
        addWeights(m,
                   {block("q", {2, 0}, {6, 3}), block("q", {0, 0}, {6, 3}),
                    block("p", {0, 0}, {6, 3}), block("p", {4, 0}, {6, 3})},
                   {2, 3}, "exp_avg");
        // Columns do not lie after each other.
        addWeights(m, {block("c", {0, 0}, {2, 4}), block("c", {0, 2}, {2, 4})},
                   {2, 2});
        addWeights(m, {run("r", 6, {3, 4}), run("r", 2, {3, 4})}, {4},
                   "exp_avg");
        addWeights(m, {run("s", 0, {3, 4}), run("s", 5, {3, 4})}, {4},
                   "exp_avg");
      }),
      MUON_OK)
      << muonLastError();
  EXPECT_EQ(tensorText("q", MUON_ROLE_EXP_AVG),
            "q.exp_avg [4,3] 12 48 part 1 of q q.exp_avg [6,3] offset [0,0] "
            "from 0 block []");
  EXPECT_EQ(tensorText("p[0,0]", MUON_ROLE_EXP_AVG),
            "p.exp_avg[0,0] [2,3] 6 24 part 1 of p p.exp_avg [6,3] offset "
            "[0,0] from 0 block []");
  EXPECT_EQ(tensorText("p[4,0]", MUON_ROLE_EXP_AVG),
            "p.exp_avg[4,0] [2,3] 6 24 part 1 of p p.exp_avg [6,3] offset "
            "[4,0] from 0 block []");
  EXPECT_EQ(tensorText("c[0,2]", MUON_ROLE_WEIGHT),
            "c[0,2] [2,2] 4 16 part 1 of c c [2,4] offset [0,2] from 0 "
            "block []");
  EXPECT_EQ(tensorText("r", MUON_ROLE_EXP_AVG),
            "r.exp_avg [8] 8 32 part 2 of r r.exp_avg [3,4] offset [0,0] from "
            "2 block [3,4]");
  EXPECT_EQ(tensorText("s[5]", MUON_ROLE_EXP_AVG),
            "s.exp_avg[5] [4] 4 16 part 2 of s s.exp_avg [3,4] offset [0,0] "
            "from 5 block [3,4]");
  expectInvalid("weight 'c[0,2]' is the name of a tensor and of a part",
                [](json &m) {
                  addWeights(m,
                             {block("c", {0, 0}, {2, 4}),
                              block("c", {0, 2}, {2, 4}), "c[0,2]"},
                             {2, 2});
                });
}

TEST_F(RankManifestTest, RunsOfBlocks) {
  const json first = runOf("b", 0, {2, 3}, {1, 2}, {4, 8});
  const json last = runOf("b", 4, {2, 3}, {1, 2}, {4, 8});
  ASSERT_EQ(
      load([&](json &m) {
        addWeights(m, {last, first}, {2});
        addWeights(m, json::array({last}), {2}, "exp_avg");
        addWeights(m, json::array({first}), {2}, "exp_avg_sq");
        m["params"].back().push_back(runOf("b", 2, {2, 3}, {1, 2}, {4, 8}));
        m["slots"] = m["slots"].get<size_t>() + 1;
        // Nothing but another way to write the whole tensor.
        addWeights(m, json::array({runOf("a", 2, {4, 8}, {0, 0}, {4, 8})}),
                   {3});
      }),
      MUON_OK)
      << muonLastError();
  // The weight is the block, with the parts in it.
  EXPECT_EQ(tensorText("b", MUON_ROLE_WEIGHT),
            "b [2,3] 6 24 part 1 of b b [4,8] offset [1,2] from 0 block []");
  EXPECT_EQ(tensorText("b", MUON_ROLE_EXP_AVG),
            "b.exp_avg [2] 2 8 part 2 of b b.exp_avg [4,8] offset [1,2] from "
            "4 block [2,3]");
  EXPECT_EQ(tensorText("b", MUON_ROLE_EXP_AVG_SQ),
            "b.exp_avg_sq [4] 4 16 part 2 of b b.exp_avg_sq [4,8] offset "
            "[1,2] from 0 block [2,3]");
  EXPECT_EQ(tensorText("a", MUON_ROLE_WEIGHT),
            "a [4,8] 32 128 part 0 of a a [4,8] offset [] from 0 block []");

  expectInvalid(
      "weight 'b': parts are of different blocks: of shape [2, 3] at "
      "[1, 2], and of shape [2, 3] at [1, 5]",
      [&](json &m) {
        addWeights(m, {first, runOf("b", 4, {2, 3}, {1, 5}, {4, 8})}, {2});
      });
  expectInvalid("weight 'b': parts are of different blocks", [&](json &m) {
    addWeights(m, {first, run("b", 4, {4, 8})}, {2});
  });
  expectInvalid("weight 'b': parts overlap: one begins at element 4, expected "
                "at least 5",
                [&](json &m) {
                  addWeights(m, json::array({first}), {5});
                  addWeights(m, json::array({last}), {2});
                });
}

TEST_F(RankManifestTest, RunsOfAnyShape) {
  ASSERT_EQ(load([&](json &m) {
              addWeights(m, json::array({run("a", 6, {4, 2, 3})}), {2, 2, 3},
                         "momentum");
              addWeights(m, {run("b", 6, {4, 2, 3}), run("b", 0, {4, 2, 3})},
                         {1, 2, 3}, "momentum");
              addWeights(m, json::array({run("c", 0, {4, 2, 3})}), {2, 3},
                         "momentum");
              addWeights(m, json::array({run("c", 6, {4, 2, 3})}), {3, 1, 4},
                         "momentum");
              addWeights(m, json::array({run("d", 5, {4, 2, 3})}),
                         json::array(), "momentum");
            }),
            MUON_OK)
      << muonLastError();
  EXPECT_EQ(tensorText("a", MUON_ROLE_MOMENTUM),
            "a.momentum [2,2,3] 12 48 part 2 of a a.momentum [4,2,3] offset "
            "[0,0,0] from 6 block [4,2,3]");
  EXPECT_EQ(tensorText("b", MUON_ROLE_MOMENTUM),
            "b.momentum [2,2,3] 12 48 part 2 of b b.momentum [4,2,3] offset "
            "[0,0,0] from 0 block [4,2,3]");
  EXPECT_EQ(tensorText("c", MUON_ROLE_MOMENTUM),
            "c.momentum [18] 18 72 part 2 of c c.momentum [4,2,3] offset "
            "[0,0,0] from 0 block [4,2,3]");
  EXPECT_EQ(tensorText("d", MUON_ROLE_MOMENTUM),
            "d.momentum [] 1 4 part 2 of d d.momentum [4,2,3] offset [0,0,0] "
            "from 5 block [4,2,3]");
  expectInvalid("12 elements from number 13 are not within 'a', which has 24",
                [](json &m) {
                  addWeights(m, json::array({run("a", 13, {4, 2, 3})}),
                             {2, 2, 3}, "momentum");
                });
}

TEST_F(RankManifestTest, Members) {
  expectInvalid("part of 'w': there is 'from', but the manifest has no "
                "'distribution'",
                [](json &m) { m.erase("distribution"); });
  expectInvalid("part of 'u': 'block' is missing",
                [](json &m) { m["params"][4][0]["from"] = 0; });
  expectInvalid("part of 'u': there is 'block', but no 'from'", [](json &m) {
    m["params"][4][0]["block"] = {4, 2};
  });
  expectInvalid("part of 'w': 'offset' is missing", [](json &m) {
    m["params"][0][0]["block"] = {2, 3};
  });
  expectInvalid("part of 'w': a block of shape [2, 3] at [1, 0] is not within "
                "'w', which has shape [2, 3]",
                [](json &m) {
                  m["params"][0][0]["block"] = {2, 3};
                  m["params"][0][0]["offset"] = {1, 0};
                });
  expectInvalid("part of 'w': a block of shape [2] at [0, 0] is not within",
                [](json &m) {
                  m["params"][0][0]["block"] = {2};
                  m["params"][0][0]["offset"] = {0, 0};
                });
  expectInvalid("5 elements from number 1 are not within the block of shape "
                "[2, 2] of 'w', which has 4",
                [](json &m) {
                  m["params"][2][0]["block"] = {2, 2};
                  m["params"][2][0]["offset"] = {0, 1};
                });
  expectInvalid("'from' and 'rows' exclude each other",
                [](json &m) { m["params"][0][0]["rows"] = 2; });
  expectInvalid("part of 'u': 'of' is missing",
                [](json &m) { m["params"][4][0].erase("of"); });
  expectInvalid("'offset' has 1 entries, 'of' has 2",
                [](json &m) { m["params"][4][0]["offset"] = {0}; });
  expectInvalid("'offset' is not an array",
                [](json &m) { m["params"][4][0]["offset"] = 0; });
  expectInvalid("'of' has an entry that is not an integer", [](json &m) {
    m["params"][4][0]["of"] = {4, -2};
  });
  expectInvalid("'from' is not an integer",
                [](json &m) { m["params"][0][0]["from"] = -1; });
  expectInvalid("size of a tensor of shape", [](json &m) {
    m["params"][4][0]["of"] = {int64_t(1) << 40, int64_t(1) << 30};
  });
  expectInvalid("a block of shape [2, 2] at [3, 0] is not within 'u', which "
                "has shape [4, 2]",
                [](json &m) {
                  m["params"][4][0]["offset"] = {3, 0};
                });
  expectInvalid("is not within 'u', which has shape [4, 2, 1]", [](json &m) {
    m["params"][4][0] = block("u", {2, 0, 0}, {4, 2, 1});
  });
  expectInvalid("5 elements from number 2 are not within 'w', which has 6",
                [](json &m) { m["params"][2][0]["from"] = 2; });
  expectInvalid("matrix of shape [1, 2147483648] has a dimension above",
                [](json &m) {
                  addWeights(m, json::array({run("c", 0, {1, 1LL << 31})}), {4},
                             "momentum");
                });
  // The argument is not a matrix.
  EXPECT_EQ(load([](json &m) {
              addWeights(m, json::array({run("c", 0, {4, 1 << 16, 1 << 16})}),
                         {1LL << 33}, "momentum");
            }),
            MUON_OK)
      << muonLastError();
}

TEST_F(RankManifestTest, Parts) {
  expectInvalid("weight 'w': parts overlap: one begins at element 0, expected "
                "at least 1",
                [](json &m) {
                  m["params"][2][0]["from"] = 0;
                  argumentOf(m, "weight", "", 2)["shape"] = {3};
                  argumentOf(m, "momentum")["shape"] = {3};
                });
  expectInvalid(
      "weight 'c': parts overlap: blocks at [0, 0] and [1, 1]", [](json &m) {
        addWeights(m,
                   {block("c", {1, 1}, {4, 4}), block("c", {0, 0}, {4, 4}),
                    block("c", {0, 2}, {4, 4})},
                   {2, 2});
      });
  expectInvalid("weight 'c': its parts disagree", [](json &m) {
    addWeights(m, {block("c", {0, 0}, {4, 4}), block("c", {0, 2}, {4, 5})},
               {2, 2});
  });
  expectInvalid("weight 'c' appears twice", [](json &m) {
    addWeights(m, {rows("c", 0, 2, 4), block("c", {2, 0}, {4, 2})}, {2, 2});
  });
  expectInvalid("tensor 'w' has shape [3, 2] as 'gradient' and [2, 3] as "
                "'weight'",
                [](json &m) {
                  argumentOf(m, "gradient")["shape"] = {3, 2};
                });
  // Others may have the other rows.
  EXPECT_EQ(load([](json &m) {
              addWeights(m, json::array({rows("c", 2, 4, 6)}), {2, 2});
            }),
            MUON_OK)
      << muonLastError();
  EXPECT_EQ(tensorText("c", MUON_ROLE_WEIGHT),
            "c [6,2] 12 48 part 0 of c c [6,2] offset [] from 0 block []");
  expectInvalid(
      "momentum 'c': a block begins at row 2, expected 0", [](json &m) {
        addWeights(m, json::array({rows("c", 2, 4, 6)}), {2, 2}, "momentum");
      });
  expectInvalid(
      "weight 'c': a block begins at row 1, expected at least 2", [](json &m) {
        addWeights(m, {rows("c", 1, 3, 6), rows("c", 0, 2, 6)}, {2, 2});
      });
}

TEST_F(RankManifestTest, Sums) {
  for (int count : {1, 4})
    EXPECT_EQ(load([&](json &m) {
                argumentOf(m, "gradient_sums")["shape"] = {count};
              }),
              MUON_OK)
        << muonLastError();
  expectInvalid("'gradient_sums' for params[5]: shape is [3], expected one "
                "dimension, a multiple of the list's 2 members",
                [](json &m) {
                  m["params"][5] = {"w", "u"};
                  argumentOf(m, "gradient_sums")["shape"] = {3};
                });
  expectInvalid("shape is [0]",
                [](json &m) { argumentOf(m, "gradient_sums")["shape"] = {0}; });
  expectInvalid("shape is []", [](json &m) {
    argumentOf(m, "gradient_sums")["shape"] = json::array();
  });
}

TEST_F(RankManifestTest, Distribution) {
  expectInvalid("'distribution' is not an object",
                [](json &m) { m["distribution"] = 3; });
  for (const char *key : {"grid", "rank", "plan", "collectives"})
    expectInvalidDistribution(std::string(": '") + key + "' is missing",
                              [&](json &d) { d.erase(key); });
  expectInvalidDistribution(": 'grid' is not an array",
                            [](json &d) { d["grid"] = json::array(); });
  expectInvalidDistribution(": grid[0] is not a name and a size", [](json &d) {
    d["grid"] = json::parse(R"([["dp", -3]])");
  });
  expectInvalidDistribution(": grid[0]: the name is empty", [](json &d) {
    d["grid"] = json::parse(R"([["", 3]])");
  });
  expectInvalidDistribution(": grid[1]: axis 'dp' appears twice", [](json &d) {
    d["grid"] = json::parse(R"([["dp", 3], ["dp", 1]])");
  });
  expectInvalidDistribution(": grid[0]: size is 0", [](json &d) {
    d["grid"] = json::parse(R"([["dp", 0]])");
  });
  expectInvalidDistribution(": grid[1]: size is 65536", [](json &d) {
    d["grid"] = json::parse(R"([["dp", 65536], ["tp", 65536]])");
  });
  expectInvalidDistribution(": 'rank' is 3, expected 0 to 2",
                            [](json &d) { d["rank"] = 3; });
  expectInvalidDistribution(": 'plan' is not an array with at least one line",
                            [](json &d) { d["plan"] = json::array(); });
  expectInvalidDistribution(": 'plan' has an entry that is not a string",
                            [](json &d) { d["plan"][0] = 1; });
  expectInvalidDistribution(": 'collectives' is not an array",
                            [](json &d) { d["collectives"] = 1; });
  expectInvalidDistribution(": collectives[1] is not an object",
                            [](json &d) { d["collectives"][1] = 1; });
}

TEST_F(RankManifestTest, Collectives) {
  for (const char *key :
       {"kind", "name", "type", "group", "segments", "send", "receive"})
    expectInvalidCollective(0, "", [&](json &c) { c.erase(key); });
  expectInvalidCollective(0, " ('gradient of w'): 'reduction' is missing",
                          [](json &c) { c.erase("reduction"); });
  expectInvalidCollective(2,
                          " ('weight w'): kind 'all_gather' has no "
                          "'reduction'",
                          [](json &c) { c["reduction"] = "sum"; });
  expectInvalidCollective(0,
                          " ('gradient of w'): 'reduction' is 'max', "
                          "expected 'sum' or 'mean'",
                          [](json &c) { c["reduction"] = "max"; });
  expectInvalidCollective(0,
                          " ('gradient of w'): 'kind' is 'broadcast', "
                          "expected",
                          [](json &c) { c["kind"] = "broadcast"; });
  expectInvalidCollective(1, " ('look'): 'type' is 'i64', expected 'f32'",
                          [](json &c) { c["type"] = "i64"; });
  expectInvalidCollective(1,
                          " ('look'): 'group' has 3, expected ranks from 0 "
                          "to 2",
                          [](json &c) {
                            c["group"] = {0, 2, 3};
                          });
  expectInvalidCollective(1, " ('look'): 'group' has rank 2 twice",
                          [](json &c) {
                            c["group"] = {2, 2};
                          });
  expectInvalidCollective(1, " ('look'): 'group' does not have rank 2",
                          [](json &c) {
                            c["group"] = {0, 1};
                          });
  expectInvalidCollective(1, " ('look'): 'group' is not an array",
                          [](json &c) { c["group"] = json::array(); });
}

TEST_F(RankManifestTest, Segments) {
  expectInvalidCollective(1, " ('look'): segments[0] is not three integers",
                          [](json &c) {
                            c["segments"][0] = {1, 2};
                          });
  expectInvalidCollective(1, " ('look'): segments[0] is not three integers",
                          [](json &c) {
                            c["segments"][0] = {-1, -1, -1};
                          });
  expectInvalidCollective(1, " ('look'): segments[0]: 'from' is 0, expected -1",
                          [](json &c) { c["segments"][0][1] = 0; });
  expectInvalidCollective(1, " ('look'): segments[0]: 'to' is 1, expected -1",
                          [](json &c) { c["segments"][0][2] = 1; });
  expectInvalidCollective(
      0, " ('gradient of w'): segments[1]: 'to' is 3, expected 0 to 2",
      [](json &c) { c["segments"][1][2] = 3; });
  expectInvalidCollective(
      0, " ('gradient of w'): segments[1]: 'to' is -1, expected 0 to 2",
      [](json &c) { c["segments"][1][2] = -1; });
  expectInvalidCollective(
      2, " ('weight w'): segments[1]: 'from' is 18446744073709551615",
      [](json &c) { c["segments"][1][1] = UINT64_MAX; });
  expectInvalidCollective(
      0, " ('gradient of w'): segments[1]: the size of the segments overflows",
      [](json &c) {
        for (size_t i : {0, 1})
          c["segments"][i][0] = (int64_t(1) << 60) - 1;
      });
}

TEST_F(RankManifestTest, Operands) {
  expectInvalidCollective(0, " ('gradient of w'): send[0]: 'table' is not true",
                          [](json &c) { c["send"][0]["table"] = 1; });
  expectInvalidCollective(0, " ('gradient of w'): send[0] is not an object",
                          [](json &c) { c["send"][0] = 1; });
  expectInvalidCollective(
      0, " ('gradient of w'): receive[0]: there is no segment 3, only 3",
      [](json &c) { c["receive"][0]["segments"] = {3}; });
  // reduce_scatter: all sent, and received what is for this rank.
  expectInvalidCollective(
      0, " ('gradient of w'): 'send' lists segment 2 not at all, expected once",
      [](json &c) {
        c["send"][0]["segments"] = {0, 1};
      });
  expectInvalidCollective(
      0, " ('gradient of w'): 'send' lists segment 0 several times",
      [](json &c) {
        c["send"][0]["segments"] = {0, 1, 2, 0};
      });
  expectInvalidCollective(
      0,
      " ('gradient of w'): 'receive' lists segment 1 once, expected not at "
      "all",
      [](json &c) {
        c["receive"][0]["segments"] = {2, 1};
      });
  expectInvalidCollective(
      0, " ('gradient of w'): 'receive' lists segment 2 not at all",
      [](json &c) { c["receive"] = json::array(); });
  // all_reduce: all of both.
  expectInvalidCollective(1, " ('look'): 'receive' lists segment 0 not at all",
                          [](json &c) { c["receive"] = json::array(); });
  // all_gather: one's own may also be stored elsewhere.
  EXPECT_EQ(load([](json &m) {
              m["distribution"]["collectives"][2]["receive"].push_back(
                  {{"table", false}, {"segments", {2}}});
            }),
            MUON_OK)
      << muonLastError();
  expectInvalidCollective(
      2,
      " ('weight w'): 'receive' lists segment 2 several times, expected at "
      "most once",
      [](json &c) {
        c["receive"][0]["segments"] = {0, 1, 2, 2};
      });
  expectInvalidCollective(
      2, " ('weight w'): 'receive' lists segment 1 not at all, expected once",
      [](json &c) { c["receive"][0]["segments"] = {0}; });
  expectInvalidCollective(
      2, " ('weight w'): 'send' lists segment 0 once, expected not at all",
      [](json &c) {
        c["send"][0]["segments"] = {2, 0};
      });
  // all_to_all.
  auto exchange = [](json &c) {
    c["kind"] = "all_to_all";
    c["segments"] = {{3, 2, 0}, {3, 0, 2}, {3, 2, 2}, {3, 0, 1}};
    c["send"][0]["segments"] = {0, 2};
    c["receive"][0]["segments"] = {1, 2};
  };
  EXPECT_EQ(
      load([&](json &m) { exchange(m["distribution"]["collectives"][2]); }),
      MUON_OK)
      << muonLastError();
  expectInvalidCollective(2, " ('weight w'): 'send' lists segment 2 not at all",
                          [&](json &c) {
                            exchange(c);
                            c["send"][0]["segments"] = {0};
                          });
  expectInvalidCollective(
      2, " ('weight w'): 'receive' lists segment 3 once, expected not at all",
      [&](json &c) {
        exchange(c);
        c["receive"][0]["segments"] = {1, 2, 3};
      });
}
