//===- SimTool.h - The muon-ptx-sim tool ------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_PTXSIM_SIMTOOL_H
#define MUON_MLIR_PTXSIM_SIMTOOL_H

#include <iosfwd>
#include <string>
#include <vector>

namespace muon::ptxsim {

/// Runs the tool with the arguments after its name. Returns the exit code: 0,
/// 1 if what it was given is wrong, 2 if the kernel is. Does not throw.
int simTool(const std::vector<std::string> &arguments, std::ostream &out,
            std::ostream &err) noexcept;

} // namespace muon::ptxsim

#endif // MUON_MLIR_PTXSIM_SIMTOOL_H
