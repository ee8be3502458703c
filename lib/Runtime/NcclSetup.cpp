//===- NcclSetup.cpp - Communicators of NCCL, for each group of ranks -----===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CommunicatorNccl.h"
#include "Device.h"

#include <cstring>

using namespace muon;
using namespace muon::nccl;
using namespace muon::collective;

/// Whether a communicator of the caller has the ranks of `control`.
Error Nccl::check() {
  if (!comms->isGiven)
    return Error::success();
  int count = 0, self = 0;
  if (Error error =
          MUON_NCCL_CALL(comms->world, commCount, comms->world, &count))
    return error;
  if (Error error =
          MUON_NCCL_CALL(comms->world, commUserRank, comms->world, &self))
    return error;
  if (count == size() && self == rank())
    return Error::success();
  return Error(MUON_ERROR_INVALID_ARGUMENT,
               "the NCCL communicator is that of rank " + std::to_string(self) +
                   " of " + std::to_string(count) + ", but this is rank " +
                   std::to_string(rank()) + " of " + std::to_string(size()));
}

/// What to do about a refusal of NCCL that many meet.
static Error explained(const Error &error) {
  if (error.message().find("Duplicate GPU") == std::string::npos)
    return error;
  return Error(error.status(),
               error.message() +
                   "; NCCL takes one rank for each GPU: give each process its "
                   "own, by --device=cuda:{local_rank} or "
                   "CUDA_VISIBLE_DEVICES, or use fewer ranks; ranks that "
                   "share a GPU need --communicator=mpi or threads");
}

Error Nccl::initialize(Device &on) {
  if (isReady)
    return Error::success();
  if (!comms->isGiven) {
    UniqueId id = {};
    std::string mine;
    if (rank() == 0) {
      if (Error error = on.inContext(
              [&] { return MUON_NCCL_CALL(nullptr, getUniqueId, &id); }))
        return fail(error);
      mine.assign(id.bytes, sizeof(id.bytes));
    }
    std::vector<std::string> all;
    if (Error error = exchange(mine, all))
      return fail(error);
    if (all[0].size() != sizeof(id.bytes))
      return fail(Error(MUON_ERROR_EXECUTION,
                        "rank 0 sent " + std::to_string(all[0].size()) +
                            " bytes as the id of the NCCL communicator, "
                            "expected " +
                            std::to_string(sizeof(id.bytes))));
    std::memcpy(id.bytes, all[0].data(), sizeof(id.bytes));
    Config config;
    config.blocking = 0;
    auto what = [&] {
      return "setting up NCCL " + versionText(library->version) + " for rank " +
             std::to_string(rank()) + " of " + std::to_string(size());
    };
    setActivity("setting up NCCL");
    if (Error error = on.inContext([&] {
          const Result result = library->commInitRankConfig(
              &comms->world, size(), id, rank(), &config);
          // Which has the reason, if there is one already.
          return library->check(result, "ncclCommInitRankConfig", comms->world);
        }))
      return fail(
          explained(Error(error.status(), what() + ": " + error.message())));
    Comm world = comms->world;
    if (Error error = await(
            [&](bool &isDone) {
              Result state = Success;
              if (Error error =
                      MUON_NCCL_CALL(world, commGetAsyncError, world, &state))
                return error;
              isDone = state != InProgress;
              return explained(
                  library->check(state, "ncclCommInitRankConfig", world));
            },
            what))
      return error;
  }
  isReady = true;
  return Error::success();
}

/// One split of the world; ranks that are in no group of the round take part.
Error Nccl::split(Device &on, const std::vector<Group> &round) {
  int color = noColor, key = 0;
  Comm unused = nullptr, *part = &unused;
  for (size_t i = 0; i < round.size(); ++i) {
    auto found = std::find(round[i].begin(), round[i].end(), rank());
    if (found == round[i].end())
      continue;
    color = int(i);
    key = int(found - round[i].begin());
    part = &comms->parts[round[i]];
  }
  auto what = [&] {
    return "splitting the NCCL communicator into groups" +
           (color == noColor
                ? std::string()
                : ", this rank's being " + groupText(round[size_t(color)]));
  };
  Comm world = comms->world;
  setActivity("splitting the NCCL communicator into groups");
  if (Error error = on.inContext([&] {
        return MUON_NCCL_CALL(world, commSplit, world, color, key, part,
                              nullptr);
      }))
    return fail(Error(error.status(), what() + ": " + error.message()));
  if (Error error = settle(world, what))
    return error;
  return *part ? settle(*part, what) : Error::success();
}

Error Nccl::prepare(Device &on, const std::vector<Collective> &collectives) {
  Use use(*this);
  if (failure)
    return *failure;
  bool ignored = false;
  if (Error error = open(on, nullptr, ignored))
    return error;
  device = nullptr;
  if (Error error = initialize(on))
    return error;
  std::vector<std::string> all;
  if (Error error = exchange(Needs(collectives).pack(), all))
    return fail(error);
  std::vector<Group> groups;
  for (size_t i = 0; i < all.size(); ++i) {
    Needs needs;
    if (!needs.unpack(all[i]))
      return fail(Error(MUON_ERROR_EXECUTION,
                        "rank " + std::to_string(i) +
                            " sent what are no groups; is it of another "
                            "version?"));
    uneven.insert(needs.uneven.begin(), needs.uneven.end());
    for (Group &group : needs.groups)
      if (group.size() > 1 && !isWorld(group) && known.insert(group).second)
        groups.push_back(std::move(group));
  }
  for (const std::vector<Group> &round : roundsOf(std::move(groups)))
    if (Error error = split(on, round))
      return error;
  setActivity("before its first run");
  return Error::success();
}
