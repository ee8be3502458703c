//===- Options.h - Options of muon-run --------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_TOOL_OPTIONS_H
#define MUON_MLIR_LIB_RUNTIME_TOOL_OPTIONS_H

#include "muon-mlir/Runtime/Runtime.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace muon {

struct ScalarSetting {
  MuonRole role;
  /// All groups that have the scalar if not given.
  std::optional<std::string> group;
  double value;
};

struct RunOptions {
  std::string artifact;
  std::string device = "cpu";
  std::optional<std::string> params, grads, state;
  std::optional<std::string> outParams, outState, expect, counters;
  /// Those without a group come first, so that applying all in order lets the
  /// more specific ones win.
  std::vector<ScalarSetting> scalars;
  std::optional<double> rtol, atol;
  std::optional<int64_t> threads, repeat;
  /// Ranks of this run, and of those that wrote the files.
  std::optional<int64_t> ranks, rank, paramsRanks, stateRanks;
  std::optional<std::string> rendezvous;
  std::optional<std::string> communicator;
  std::optional<double> timeout;
  bool initState = false;
  bool stats = false;
  bool traffic = false;
  bool list = false;
  bool help = false;
  bool version = false;
};

bool parseOptions(const std::vector<std::string> &arguments,
                  RunOptions &options, std::string &error);

extern const char *const runToolUsage;

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_TOOL_OPTIONS_H
