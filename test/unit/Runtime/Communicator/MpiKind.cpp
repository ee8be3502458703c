//===- MpiKind.cpp - Ranks that are processes of MPI ----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Every rank executes every test, and writes a report of its own.
//
//===----------------------------------------------------------------------===//

#include "CommunicatorTest.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

using namespace muon;

namespace {

class MpiWorld final : public World {
public:
  int32_t size() const override { return communicators[0]->size(); }
};

} // namespace

static std::unique_ptr<World> makeMpi(int32_t ranks) {
  auto world = std::make_unique<MpiWorld>();
  world->communicators.resize(1);
  if (Error error = makeMpiCommunicator(world->communicators[0])) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    std::exit(1);
  }
  world->communicators[0]->setTimeout(std::chrono::seconds(60));
  if (ranks > world->size())
    return nullptr;
  return world;
}

INSTANTIATE_TEST_SUITE_P(
    , CommunicatorTest, testing::Values(CommunicatorKind{"Mpi", makeMpi}),
    [](const testing::TestParamInfo<CommunicatorKind> &info) {
      return std::string(info.param.name);
    });

int main(int argc, char **argv) {
  const char *rank = std::getenv("OMPI_COMM_WORLD_RANK");
  if (!rank) {
    std::fprintf(stderr, "MuonMpiTests: error: expected to be started by "
                         "mpirun\n");
    return 1;
  }
  std::vector<std::string> arguments(argv, argv + argc);
  std::vector<char *> pointers;
  for (std::string &argument : arguments) {
    if (argument.rfind("--gtest_output=", 0) == 0)
      argument += std::string(".") + rank;
    pointers.push_back(argument.data());
  }
  pointers.push_back(nullptr);
  testing::InitGoogleTest(&argc, pointers.data());
  return RUN_ALL_TESTS();
}
