//===- Options.h - Options of muon-ptx-sim ----------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_TOOL_OPTIONS_H
#define MUON_MLIR_LIB_PTXSIM_TOOL_OPTIONS_H

#include "muon-mlir/PTXSim/PTXSim.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace muon::ptxsim {

struct SimOptions {
  std::string file;
  std::optional<std::string> kernel, output;
  std::optional<Dim3> grid, block;
  /// What follows each `--arg`.
  std::vector<std::string> arguments;
  std::optional<uint64_t> sharedBytes, seed, seeds, threads, maxInstructions;
  std::optional<UndefinedUse> undefinedUse;
  bool countersJson = false, trace = false, noRaces = false;
  bool allowDifferences = false;
  bool list = false, listInstructions = false, help = false, version = false;
};

extern const char *const simToolUsage;

/// Values are checked, that they fit together is not.
bool parseOptions(const std::vector<std::string> &arguments,
                  SimOptions &options, std::string &error);

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_TOOL_OPTIONS_H
