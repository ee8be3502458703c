//===- TestRanks.cpp - Artifacts of several ranks for tests ---------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestRanks.h"

#include <numeric>
#include <stdexcept>

using nlohmann::json;

int RankLayout::from(int rank) const {
  return std::accumulate(elements.begin(), elements.begin() + rank, 0);
}

int RankLayout::row(int rank) const {
  return std::accumulate(rows.begin(), rows.begin() + rank, 0);
}

RankLayout rankLayout(int ranks) {
  switch (ranks) {
  case 1:
    return {{6}, {4}};
  case 2:
    return {{4, 2}, {3, 1}};
  case 3:
    return {{1, 0, 5}, {2, 0, 2}};
  case 4:
    return {{1, 2, 0, 3}, {1, 1, 1, 1}};
  case 8:
    return {{0, 1, 1, 1, 1, 1, 1, 0}, {1, 0, 1, 0, 1, 0, 0, 1}};
  default:
    throw std::runtime_error("no layout");
  }
}

json rankManifest(const RankLayout &layout, int rank) {
  const int ranks = layout.ranks();
  json manifest = stepManifest();
  manifest["frozen"] = json::array();
  manifest["slots"] = ranks + 8;
  json params = json::array(), arguments = json::array();
  json segments[3] = {json::array(), {{1, -1, -1}}, json::array()};
  json group = json::array(), all = json::array(), others = json::array();
  for (int i = 0; i < ranks; ++i) {
    params.push_back(
        {{{"tensor", "w"}, {"from", layout.from(i)}, {"of", {2, 3}}}});
    arguments.push_back({{"role", "weight"},
                         {"type", "f32"},
                         {"shape", {layout.elements[size_t(i)]}},
                         {"params", i},
                         {"slot", i}});
    segments[0].push_back({layout.elements[size_t(i)], -1, i});
    segments[2].push_back({layout.elements[size_t(i)], i, -1});
    group.push_back(i);
    all.push_back(i);
    if (i != rank)
      others.push_back(i);
  }
  params.push_back({"w"});
  params.push_back(
      {{{"tensor", "u"}, {"offset", {layout.row(rank), 0}}, {"of", {4, 2}}}});
  params.push_back({"w"});
  auto add = [&](const char *role, const char *type, json shape, int list) {
    arguments.push_back({{"role", role},
                         {"type", type},
                         {"shape", std::move(shape)},
                         {"slot", arguments.size()}});
    if (list >= 0)
      arguments.back()["params"] = list;
  };
  const json block = {layout.rows[size_t(rank)], 2};
  add("gradient", "f32", {2, 3}, ranks);
  add("momentum", "f32", {layout.elements[size_t(rank)]}, rank);
  add("weight", "f32", block, ranks + 1);
  add("gradient", "f32", block, ranks + 1);
  add("lr", "f32", json::array(), -1);
  arguments.back()["group"] = "muon";
  add("step", "i64", json::array(), -1);
  add("ok", "i1", json::array(), -1);
  add("gradient_sums", "f64", {1}, ranks + 2);
  manifest["params"] = params;
  manifest["arguments"] = arguments;

  auto operand = [](bool isTable, json list) {
    return json{{"table", isTable}, {"segments", std::move(list)}};
  };
  auto collective = [&](const char *kind, const char *name, const char *type,
                        const json &list, json send, json receive) {
    return json{{"kind", kind},
                {"name", name},
                {"type", type},
                {"group", group},
                {"segments", list},
                {"send", json::array({std::move(send)})},
                {"receive", json::array({std::move(receive)})}};
  };
  json collectives = {collective("reduce_scatter", "gradient of w", "f32",
                                 segments[0], operand(false, all),
                                 operand(false, {rank})),
                      collective("all_reduce", "look", "f64", segments[1],
                                 operand(false, {0}), operand(false, {0})),
                      collective("all_gather", "weight w", "f32", segments[2],
                                 operand(true, {rank}), operand(true, others))};
  collectives[0]["reduction"] = "mean";
  collectives[1]["reduction"] = "sum";
  manifest["distribution"] = {
      {"grid", json::parse("[[\"dp\", " + std::to_string(ranks) + "]]")},
      {"rank", rank},
      {"plan", {"w: own", "u: local"}},
      {"collectives", collectives}};
  return manifest;
}

static std::string rankGpuCode() { return readFile(RANK_GPU_CODE); }

json rankGpuManifest(const RankLayout &layout, int rank) {
  json manifest = rankManifest(layout, rank);
  manifest["target"] = "cuda";
  manifest["device"] = json::parse(R"({
    "arch": "sm_80", "isa": 70, "alignment": 16,
    "code": [{"kind": "ptx", "arch": "sm_80", "offset": 0, "bytes": 0}],
    "kernels": [
      {"name": "look", "phase": "look", "threads": 32, "shared": 0},
      {"name": "decide", "phase": "look", "threads": 32, "shared": 0},
      {"name": "scale", "phase": "update", "threads": 32, "shared": 0},
      {"name": "update", "phase": "update", "threads": 32, "shared": 0}
    ]
  })");
  manifest["device"]["code"][0]["bytes"] = rankGpuCode().size();
  manifest["arena"]["bytes"] = 192;
  manifest["slots"] = 6;
  manifest["params"] = {{"w"}, {"w"}};
  manifest["arguments"] = json::parse(R"([
    {"role": "weight", "type": "f32", "shape": [2, 3], "params": 0, "slot": 0},
    {"role": "gradient", "type": "f32", "shape": [2, 3], "params": 0,
     "slot": 1},
    {"role": "lr", "type": "f32", "shape": [], "group": "muon", "slot": 2},
    {"role": "step", "type": "i64", "shape": [], "slot": 3},
    {"role": "ok", "type": "i1", "shape": [], "slot": 4},
    {"role": "gradient_sums", "type": "f64", "shape": [1], "params": 1,
     "slot": 5}
  ])");
  json &collectives = manifest["distribution"]["collectives"];
  collectives[2]["name"] = "update of w";
  collectives[2]["send"][0]["table"] = false;
  collectives[2]["receive"] = collectives[0]["send"];
  return manifest;
}

static void writeRank(const std::string &image, const std::string &path,
                      const RankLayout &layout, int rank, int third,
                      const std::string &manifest,
                      const std::string &code = "") {
  std::string copy = readFile(image);
  fill(copy, "@MANIFEST@", manifestRoom, manifest);
  if (!code.empty())
    fill(copy, "@DEVICE_CODE@", codeRoom, code);
  std::string config = std::to_string(layout.ranks()) + " " +
                       std::to_string(rank) + " " + std::to_string(third);
  for (int elements : layout.elements)
    config += " " + std::to_string(elements);
  fill(copy, "@CONFIG@", 99, config);
  writeFile(path, copy);
}

void writeRankArtifact(const std::string &path, const RankLayout &layout,
                       int rank, const std::string &manifest) {
  writeRank(RANK_ARTIFACT, path, layout, rank, layout.rows[size_t(rank)],
            manifest);
}

void writeRankGpuArtifact(const std::string &path, const RankLayout &layout,
                          int rank, int mark, const std::string &manifest) {
  writeRank(RANK_GPU_ARTIFACT, path, layout, rank, mark, manifest,
            rankGpuCode());
}

void writeGatherArtifact(const std::string &path, const RankLayout &layout,
                         int rank, const std::string &manifest) {
  writeRank(GATHER_ARTIFACT, path, layout, rank, layout.rows[size_t(rank)],
            manifest);
}
