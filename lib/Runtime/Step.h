//===- Step.h - One instance of a step --------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_STEP_H
#define MUON_MLIR_LIB_RUNTIME_STEP_H

#include "Artifact.h"

#include <optional>
#include <string>
#include <vector>

namespace muon {

class Step {
public:
  static Error create(std::shared_ptr<const Artifact> artifact,
                      std::unique_ptr<Step> &step);

  Error bind(MuonRole role, const std::string &name, const MuonBuffer &buffer);
  Error setScalar(MuonRole role, const char *group, double value);
  Error run(void *stream, MuonResult *result);

  Error nonFinite(size_t index, MuonNonFinite &info) const;
  Error statistics(size_t index, MuonStatistics &statistics) const;

private:
  /// Memory of the device.
  struct Memory {
    std::shared_ptr<Device> device;
    void *data = nullptr;
    ~Memory() {
      if (data)
        device->deallocate(data);
    }
  };

  Error checkReady() const;
  Error checkOverlap() const;
  Error prepare();
  void readReports();

  template <typename T>
  T localValue(const Local &local) const;
  void setLocal(const Local &local, const void *value, size_t bytes);

  std::shared_ptr<const Artifact> artifact;
  Memory arena, locals;
  MuonHostApi host = {};
  std::vector<void *> slots;

  /// For each tensor of the artifact; null if it is not bound.
  std::vector<void *> bound;
  std::vector<bool> isBound;
  /// For each scalar of the artifact.
  std::vector<bool> isSet;
  /// What `locals` holds, or shall hold, on the device.
  std::vector<char> hostLocals;
  bool isPrepared = false;
  bool scalarsChanged = true;

  bool hasRun = false;
  MuonResult lastResult = {};
  std::vector<MuonNonFinite> lastNonFinite;
  std::vector<MuonStatistics> lastStatistics;
};

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_STEP_H
