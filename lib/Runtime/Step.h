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
#include "StepCollectives.h"

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
  /// Null for none.
  Error setCommunicator(std::shared_ptr<Communicator> communicator);
  Error run(void *stream, MuonResult *result);

  /// Waits for the last run and reads what it reported.
  Error wait(MuonResult *result);
  Error nonFinite(size_t index, MuonNonFinite &info);
  Error statistics(size_t index, MuonStatistics &statistics);
  Error traffic(MuonTraffic &traffic) const;
  Error runText(const char *&text);

private:
  /// Memory of the device.
  struct Memory {
    std::shared_ptr<Device> device;
    void *data = nullptr;
    ~Memory() {
      if (device)
        device->deallocate(data);
    }
  };

  /// Without regard to other ranks.
  Error runHere(void *stream, MuonResult *result);
  Error waitHere(MuonResult *result);
  Error checkReady() const;
  /// The bound tensor that an address is in, for messages; empty if it is none.
  std::string tensorAt(const void *address) const;
  Error checkOverlap() const;
  Error prepare();
  Error uploadArguments(void *stream);
  Error checkIndex(size_t index, const size_t MuonResult::*size);
  void readReports();

  template <typename T>
  T localValue(const Local &local) const;
  void setLocal(const Local &local, const void *value, size_t bytes);

  std::shared_ptr<const Artifact> artifact;
  /// `locals` holds scalars, reports and, if the device needs one, a copy of
  /// the slot table.
  Memory arena, locals;
  uint64_t slotTableOffset = 0;
  std::vector<void *> slots;

  /// For each tensor of the artifact; null if it is not bound.
  std::vector<void *> bound;
  std::vector<bool> isBound;
  /// For each scalar of the artifact.
  std::vector<bool> isSet;
  /// What `locals` holds, or shall hold, on the device.
  std::vector<char> hostLocals;
  bool isPrepared = false;
  bool slotsChanged = true;
  bool scalarsChanged = true;

  enum class Reports { None, OnDevice, Read } reports = Reports::None;
  /// Of the last run.
  void *lastStream = nullptr;
  MuonResult lastResult = {};
  std::vector<MuonNonFinite> lastNonFinite;
  std::vector<MuonStatistics> lastStatistics;
  std::string lastRunText;
  /// Null if the artifact is not for one rank of several.
  std::unique_ptr<StepCollectives> collectives;
  // Last, so that the memory lives longer than what may still use it.
  std::unique_ptr<Execution> execution;
};

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_STEP_H
