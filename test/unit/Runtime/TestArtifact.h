//===- TestArtifact.h - Artifacts for tests ---------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_TESTARTIFACT_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_TESTARTIFACT_H

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>

/// A directory that is removed with all that is in it.
class TemporaryDirectory {
public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory &) = delete;
  TemporaryDirectory &operator=(const TemporaryDirectory &) = delete;

  std::string file(const std::string &name) const { return path + "/" + name; }
  /// Number of entries.
  size_t size() const;

  std::string path;
};

std::string readFile(const std::string &path);
void writeFile(const std::string &path, const std::string &content);

/// The manifest that fits Inputs/StepArtifact.c.
nlohmann::json stepManifest();

/// The PTX of Inputs/GpuArtifact.ptx, and the manifest that fits it and
/// Inputs/GpuArtifact.c: weight, gradient and momentum of tensors a and b, each
/// f32 of shape [2, 3]; lr, beta (default 0), step, ok, clip, gradient_sums.
std::string gpuCode();
nlohmann::json gpuManifest();

/// The argument of a manifest with this role, and group or list of parameters
/// where there are several.
nlohmann::json &argumentOf(nlohmann::json &manifest, const std::string &role,
                           const std::string &group = "", int params = -1);

/// A copy of Inputs/StepArtifact.c, compiled, with this manifest. `size`
/// replaces the manifest's size.
void writeArtifact(const std::string &path, const std::string &manifest,
                   std::optional<uint64_t> size = std::nullopt);

/// Likewise of Inputs/GpuArtifact.c. `size` replaces the code's size; without
/// `code` the symbol of the code is not there.
void writeGpuArtifact(const std::string &path, const std::string &manifest,
                      const std::optional<std::string> &code = gpuCode(),
                      std::optional<uint64_t> size = std::nullopt);

/// Bytes that the libraries have for a manifest.
constexpr uint64_t manifestRoom = 16361;
/// Likewise for code, if they have any.
constexpr uint64_t codeRoom = 8173;

/// Puts text where the file has `mark` and room for it. Blanks after a JSON
/// text, and after PTX, are allowed.
void fill(std::string &image, const std::string &mark, size_t room,
          const std::string &text);

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_TESTARTIFACT_H
