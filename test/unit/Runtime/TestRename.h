//===- TestRename.h - File systems that refuse to rename --------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_TESTRENAME_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_TESTRENAME_H

#include <string>

namespace muon::test {

/// Nothing can get this name while it is not empty, as if the file system were
/// read-only there.
extern std::string cannotBecome;
/// Names cannot be exchanged, as on some file systems.
extern bool refusesExchange;

} // namespace muon::test

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_TESTRENAME_H
