//===- CommunicatorTest.h - Tests of all communicators ----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_COMMUNICATOR_COMMUNICATORTEST_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_COMMUNICATOR_COMMUNICATORTEST_H

#include "World.h"

#include <gtest/gtest.h>

namespace muon {

struct CommunicatorKind {
  const char *name;
  WorldMaker make;
};

class CommunicatorTest : public testing::TestWithParam<CommunicatorKind> {};

} // namespace muon

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_COMMUNICATOR_COMMUNICATORTEST_H
