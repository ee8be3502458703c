//===- RunTool.h - The muon-run tool ----------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_RUNTIME_RUNTOOL_H
#define MUON_MLIR_RUNTIME_RUNTOOL_H

#include <iosfwd>
#include <string>
#include <vector>

namespace muon {

/// Runs the tool with the arguments after its name. Returns the exit code: 0,
/// or 1 with `muon-run: error: ...` on `err`. Does not throw.
int runTool(const std::vector<std::string> &arguments, std::ostream &out,
            std::ostream &err) noexcept;

} // namespace muon

#endif // MUON_MLIR_RUNTIME_RUNTOOL_H
