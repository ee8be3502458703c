//===- main.cpp - muon-ptx-sim --------------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/PTXSim/SimTool.h"

#include <csignal>
#include <iostream>

int main(int argc, char **argv) {
  // A limit on the size of files shows as an error of the write then.
  std::signal(SIGXFSZ, SIG_IGN);
  // argc is 0 for callers that pass no name.
  return muon::ptxsim::simTool({argv + (argc > 0), argv + argc}, std::cout,
                               std::cerr);
}
