//===- CommunicatorKinds.cpp - Communicators within one process -----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CollectiveEngine.h"
#include "CommunicatorTest.h"
#include "FakeLink.h"

using namespace muon;
using namespace muon::collective;

namespace {

class LocalWorld final : public World {
public:
  int32_t size() const override { return int32_t(communicators.size()); }
};

} // namespace

static std::unique_ptr<World> makeThreads(int32_t ranks) {
  auto world = std::make_unique<LocalWorld>();
  if (Error error = makeThreadCommunicators(ranks, world->communicators))
    return nullptr;
  return world;
}

static std::unique_ptr<World> makeMessages(int32_t ranks) {
  auto world = std::make_unique<LocalWorld>();
  auto network = std::make_shared<FakeNetwork>(ranks);
  for (int32_t rank = 0; rank < ranks; ++rank)
    world->communicators.push_back(
        std::make_unique<Engine>(std::make_unique<FakeLink>(network, rank)));
  return world;
}

INSTANTIATE_TEST_SUITE_P(
    , CommunicatorTest,
    testing::Values(CommunicatorKind{"Threads", makeThreads},
                    CommunicatorKind{"Messages", makeMessages}),
    [](const testing::TestParamInfo<CommunicatorKind> &info) {
      return std::string(info.param.name);
    });
