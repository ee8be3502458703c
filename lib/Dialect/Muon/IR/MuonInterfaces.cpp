//===- MuonInterfaces.cpp - Interfaces of the muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/IR/MuonInterfaces.h"

#include "muon-mlir/Dialect/Muon/IR/MuonInterfaces.cpp.inc"
