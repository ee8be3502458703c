//===- Artifact.h - Artifacts and memory of devices -------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_PYTHON_ARTIFACT_H
#define MUON_MLIR_PYTHON_ARTIFACT_H

#include "Errors.h"
#include "View.h"

#include <string>
#include <vector>

namespace muon::python {

/// Throws what stands for a status that is not MUON_OK.
void check(MuonStatus status);

/// As `check`, for calls that took long: `call` runs without the GIL.
template <typename Callable>
void checkReleased(Callable call) {
  MuonStatus status;
  {
    nanobind::gil_scoped_release release;
    status = call();
  }
  check(status);
}

struct Artifact {
  ArtifactHandle handle;
  MuonArtifactInfo info = {};
  std::vector<MuonTensorInfo> tensors;
  std::vector<MuonScalarInfo> scalars;
};

std::shared_ptr<Artifact> loadArtifact(const std::string &path,
                                       const std::string &device);

// What Artifact has as methods in Python.
nanobind::list describeTensors(const Artifact &artifact);
nanobind::list describeScalars(const Artifact &artifact);
nanobind::dict describeArtifact(const Artifact &artifact);
nanobind::list frozenOf(const Artifact &artifact);
DeviceArray emptyOf(const Artifact &artifact, size_t index);
void initialize(const Artifact &artifact, size_t index, nanobind::handle target,
                nanobind::handle weight);

nanobind::tuple shapeTuple(const int64_t *shape, size_t rank);
void copyFrom(DeviceArray &array, nanobind::handle source);
void copyTo(const DeviceArray &array, nanobind::handle target);

/// What a tensor of an artifact is to be bound to.
Wanted wantedOf(const MuonTensorInfo &info, const MuonArtifactInfo &artifact);

} // namespace muon::python

#endif // MUON_MLIR_PYTHON_ARTIFACT_H
