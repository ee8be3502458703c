//===- TestArtifact.cpp - Artifacts for tests -----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestArtifact.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <stdlib.h>

using nlohmann::json;

#if defined(__SANITIZE_ADDRESS__)
#define MUON_TEST_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MUON_TEST_ASAN
#endif
#endif

#ifdef MUON_TEST_ASAN
// Allocations that are too large shall fail, as they do without the sanitizer.
extern "C" const char *__asan_default_options();
extern "C" const char *__asan_default_options() {
  return "allocator_may_return_null=1";
}
#endif

TemporaryDirectory::TemporaryDirectory()
    : path(testing::TempDir() + "muon-XXXXXX") {
  if (!::mkdtemp(path.data()))
    throw std::runtime_error("mkdtemp failed");
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

size_t TemporaryDirectory::size() const {
  std::filesystem::directory_iterator it(path);
  return size_t(std::distance(begin(it), end(it)));
}

std::string readFile(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void writeFile(const std::string &path, const std::string &content) {
  std::ofstream stream(path, std::ios::binary);
  if (!stream.write(content.data(), std::streamsize(content.size())))
    throw std::runtime_error("cannot write " + path);
}

json stepManifest() {
  json manifest = json::parse(R"({
    "format": "muon-artifact", "version": 1, "host_api": 4,
    "compiler": "by hand", "target": "cpu", "arch": "x86_64",
    "cpu": "x86-64", "features": ["sse2"],
    "arena": {"bytes": 1000, "alignment": 256},
    "slots": 27,
    "frozen": ["ids"],
    "params": [
      ["a", "b"],
      [{"tensor": "qkv", "begin": 0, "end": 2, "rows": 4},
       {"tensor": "qkv", "begin": 2, "end": 4, "rows": 4}],
      ["h"]
    ],
    "arguments": [
      {"role": "weight", "type": "f32", "shape": [2, 3], "params": 0,
       "slot": 0},
      {"role": "gradient", "type": "f32", "shape": [2, 3], "params": 0,
       "slot": 2},
      {"role": "momentum", "type": "f32", "shape": [2, 3], "params": 0,
       "slot": 4},
      {"role": "weight", "type": "f32", "shape": [2, 2], "params": 1,
       "slot": 6},
      {"role": "gradient", "type": "f32", "shape": [2, 2], "params": 1,
       "slot": 8},
      {"role": "weight", "type": "bf16", "shape": [3], "params": 2,
       "slot": 10},
      {"role": "gradient", "type": "bf16", "shape": [3], "params": 2,
       "slot": 11},
      {"role": "master", "type": "f32", "shape": [3], "params": 2,
       "slot": 12},
      {"role": "lr", "type": "f32", "shape": [], "group": "muon",
       "slot": 13},
      {"role": "lr", "type": "f32", "shape": [], "group": "adamw",
       "slot": 14},
      {"role": "weight_decay", "type": "f32", "shape": [], "group": "muon",
       "default": 0.5, "slot": 15},
      {"role": "beta", "type": "f32", "shape": [], "group": "muon",
       "default": 0, "slot": 16},
      {"role": "clip_limit", "type": "f32", "shape": [], "default": 1e3,
       "slot": 17},
      {"role": "step", "type": "i64", "shape": [], "slot": 18},
      {"role": "ok", "type": "i1", "shape": [], "slot": 19},
      {"role": "clip", "type": "f32", "shape": [], "slot": 20},
      {"role": "gradient_sums", "type": "f64", "shape": [2], "params": 0,
       "slot": 21},
      {"role": "gradient_sums", "type": "f64", "shape": [2], "params": 1,
       "slot": 22},
      {"role": "momentum_sums", "type": "f64", "shape": [2], "params": 0,
       "slot": 23},
      {"role": "update_sums", "type": "f64", "shape": [2], "params": 0,
       "slot": 24},
      {"role": "weight_sums", "type": "f64", "shape": [2], "params": 0,
       "slot": 25},
      {"role": "gradient_sums", "type": "f64", "shape": [1], "params": 2,
       "slot": 26}
    ]
  })");
#if !defined(__x86_64__)
  manifest["arch"] = "aarch64";
  manifest["features"] = json::array();
#endif
  return manifest;
}

json &argumentOf(json &manifest, const std::string &role,
                 const std::string &group, int params) {
  for (json &argument : manifest["arguments"])
    if (argument["role"] == role &&
        (group.empty() || argument.value("group", "") == group) &&
        (params < 0 || argument.value("params", -1) == params))
      return argument;
  throw std::runtime_error("no argument " + role);
}

std::string gpuCode() { return readFile(GPU_CODE); }

json gpuManifest() {
  json manifest = json::parse(R"({
    "format": "muon-artifact", "version": 1, "host_api": 4,
    "compiler": "by hand", "target": "cuda", "arch": "x86_64",
    "cpu": "x86-64", "features": ["sse2"],
    "arena": {"bytes": 100, "alignment": 256},
    "slots": 12,
    "frozen": [],
    "params": [["a", "b"]],
    "arguments": [
      {"role": "weight", "type": "f32", "shape": [2, 3], "params": 0,
       "slot": 0},
      {"role": "gradient", "type": "f32", "shape": [2, 3], "params": 0,
       "slot": 2},
      {"role": "momentum", "type": "f32", "shape": [2, 3], "params": 0,
       "slot": 4},
      {"role": "lr", "type": "f32", "shape": [], "group": "muon", "slot": 6},
      {"role": "beta", "type": "f32", "shape": [], "group": "muon",
       "default": 0, "slot": 7},
      {"role": "step", "type": "i64", "shape": [], "slot": 8},
      {"role": "ok", "type": "i1", "shape": [], "slot": 9},
      {"role": "clip", "type": "f32", "shape": [], "slot": 10},
      {"role": "gradient_sums", "type": "f64", "shape": [2], "params": 0,
       "slot": 11}
    ],
    "device": {
      "arch": "sm_80", "isa": 70, "alignment": 16,
      "code": [{"kind": "ptx", "arch": "sm_80", "offset": 0, "bytes": 0}],
      "kernels": [
        {"name": "look", "phase": "look", "threads": 32, "shared": 0},
        {"name": "update", "phase": "momentum", "threads": 64, "shared": 0}
      ]
    }
  })");
  manifest["device"]["code"][0]["bytes"] = gpuCode().size();
#if !defined(__x86_64__)
  manifest["arch"] = "aarch64";
  manifest["features"] = json::array();
#endif
  return manifest;
}

void fill(std::string &image, const std::string &mark, size_t room,
          const std::string &text) {
  if (text.size() > room)
    throw std::runtime_error("text for " + mark + " is too long");
  size_t at = image.find(mark);
  if (at == std::string::npos)
    throw std::runtime_error("no room for " + mark);
  image.replace(at, room, text + std::string(room - text.size(), ' '));
}

/// Replaces the only number of 64 bits that is `room`.
static void setSize(std::string &image, uint64_t room, uint64_t size) {
  char bytes[8];
  std::memcpy(bytes, &room, 8);
  size_t at = image.find(std::string(bytes, 8));
  if (at == std::string::npos)
    throw std::runtime_error("no size " + std::to_string(room));
  std::memcpy(bytes, &size, 8);
  image.replace(at, 8, bytes, 8);
}

void writeArtifact(const std::string &path, const std::string &manifest,
                   std::optional<uint64_t> size) {
  std::string image = readFile(STEP_ARTIFACT);
  fill(image, "@MANIFEST@", manifestRoom, manifest);
  if (size)
    setSize(image, manifestRoom, *size);
  writeFile(path, image);
}

void writeGpuArtifact(const std::string &path, const std::string &manifest,
                      const std::optional<std::string> &code,
                      std::optional<uint64_t> size) {
  std::string image = readFile(code ? GPU_ARTIFACT : STEP_ARTIFACT);
  fill(image, "@MANIFEST@", manifestRoom, manifest);
  if (code)
    fill(image, "@DEVICE_CODE@", codeRoom, *code);
  if (size)
    setSize(image, codeRoom, *size);
  writeFile(path, image);
}
