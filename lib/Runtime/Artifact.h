//===- Artifact.h - A loaded artifact ---------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_ARTIFACT_H
#define MUON_MLIR_LIB_RUNTIME_ARTIFACT_H

#include "Device.h"
#include "Manifest.h"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace muon {

/// A tensor of one role that is bound, and where its members are among the
/// slots. See MuonTensorInfo.
struct Tensor {
  MuonRole role;
  MuonType type;
  std::string name;
  std::string key;
  std::vector<int64_t> shape;
  uint64_t elements = 0;
  uint64_t bytes = 0;

  struct Piece {
    uint64_t slot;
    /// From the start of the tensor.
    uint64_t byteOffset;
  };
  std::vector<Piece> pieces;

  MuonPart part = MUON_PART_WHOLE;
  std::string tensor, logicalKey;
  std::vector<int64_t> logicalShape;
  std::vector<int64_t> offset;
  int64_t from = 0;
  std::vector<int64_t> block;
};

/// A whole tensor, whatever its roles.
struct Parameter {
  std::string name;
  /// 0 if this rank cannot know.
  uint64_t elements = 0;
};

/// A scalar or report: one slot, in memory of the step.
struct Local {
  /// Index into Manifest::arguments.
  size_t argument;
  uint64_t byteOffset;
};

class Artifact {
public:
  static Error load(const std::string &path, std::shared_ptr<Device> device,
                    std::shared_ptr<const Artifact> &artifact);
  ~Artifact();
  Artifact(const Artifact &) = delete;
  Artifact &operator=(const Artifact &) = delete;

  /// Index into `tensors`.
  std::optional<size_t> findTensor(MuonRole role,
                                   const std::string &name) const;

  /// What the address of a tensor that is bound must be a multiple of.
  uint64_t tensorAlignment(const Tensor &tensor) const;

  std::string path;
  std::shared_ptr<Device> device;
  Manifest manifest;
  std::shared_ptr<const Program> program;

  /// Distribution::gridText(); "" without one.
  std::string grid;

  std::vector<Tensor> tensors;
  /// Those that sums may be reported for.
  std::vector<Parameter> parameters;
  /// For each list of Manifest::params, indices into `parameters`.
  std::vector<std::vector<size_t>> members;
  /// Scalars and reports lie in one region, scalars first.
  std::vector<Local> scalars;
  std::vector<Local> reports;
  uint64_t scalarBytes = 0;
  uint64_t reportOffset = 0, reportBytes = 0;

private:
  Artifact() = default;
  Error open();
  Error collectTensors();
  void addTensor(Tensor tensor);
  void addParts(MuonRole role, const std::string &name);
  void collectParameters();
  void countParameterElements();
  void collectLocals();

  Error findDeviceCode(std::string_view &code) const;

  void *library = nullptr;
  /// The name that the library was loaded by; empty before.
  std::string loadedName;
  std::unordered_map<std::string, size_t> tensorIndex[MUON_ROLE_STEP + 1];
  /// Two tensors of one name, if there are any.
  std::optional<size_t> twin;
};

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_ARTIFACT_H
