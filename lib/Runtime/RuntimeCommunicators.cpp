//===- RuntimeCommunicators.cpp - Communicators in the C interface --------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Runtime/Runtime.h"

#include "NcclLibrary.h"
#include "RuntimeHandles.h"
#include "Tcp/Bootstrap.h"
#include "Text.h"

#include <cmath>
#include <cstdlib>

using namespace muon;

MuonStatus muonCommunicatorCreateThreads(int32_t ranks,
                                         MuonCommunicator **communicators) {
  return guarded([&] {
    if (!communicators)
      return nullArgument("communicators");
    if (ranks < 1)
      return Error(MUON_ERROR_INVALID_ARGUMENT, "number of ranks is " +
                                                    std::to_string(ranks) +
                                                    ", expected at least 1");
    std::vector<std::unique_ptr<Communicator>> made;
    if (Error error = makeThreadCommunicators(ranks, made))
      return error;
    std::vector<std::unique_ptr<MuonCommunicator>> handles;
    for (std::unique_ptr<Communicator> &communicator : made) {
      handles.push_back(std::make_unique<MuonCommunicator>());
      handles.back()->communicator = std::move(communicator);
    }
    for (std::unique_ptr<MuonCommunicator> &handle : handles)
      *communicators++ = handle.release();
    return Error::success();
  });
}

MuonStatus muonCommunicatorCreateMpi(MuonCommunicator **communicator) {
  return guarded([&] {
    if (!communicator)
      return nullArgument("communicator");
    std::unique_ptr<Communicator> made;
    if (Error error = makeMpiCommunicator(made))
      return error;
    auto handle = std::make_unique<MuonCommunicator>();
    handle->communicator = std::move(made);
    *communicator = handle.release();
    return Error::success();
  });
}

static const char *environment(const char *name) { return std::getenv(name); }

MuonStatus muonFindLaunch(MuonLaunch *launch) {
  return guarded([&] {
    if (!launch)
      return nullArgument("launch");
    tcp::Launch found;
    if (Error error = tcp::findLaunch(environment, found))
      return error;
    static const char *const names[] = {nullptr, "torchrun", "mpirun", "srun"};
    *launch = {names[found.kind], found.rank, found.ranks, found.localRank};
    return Error::success();
  });
}

/// Meets the ranks of other processes.
static Error makeControl(const MuonNcclOptions &options,
                         std::shared_ptr<Communicator> &control) {
  tcp::Meeting meeting;
  tcp::Launch &launch = meeting.launch;
  if (Error error = tcp::findLaunch(environment, launch))
    return error;
  if (options.ranks) {
    if (!options.rendezvous)
      return Error(MUON_ERROR_INVALID_ARGUMENT,
                   "a rank is given, but no rendezvous file");
    if (options.ranks < 1 || options.rank < 0 || options.rank >= options.ranks)
      return Error(MUON_ERROR_INVALID_ARGUMENT,
                   "rank " + std::to_string(options.rank) + " of " +
                       std::to_string(options.ranks) + " cannot be");
    launch.rank = options.rank;
    launch.ranks = options.ranks;
  } else if (options.rendezvous && launch.kind == tcp::Launch::None) {
    return Error(MUON_ERROR_INVALID_ARGUMENT,
                 "a rendezvous file is given, but nothing says which rank of "
                 "how many this is: looked for the environment variables RANK, "
                 "OMPI_COMM_WORLD_RANK and SLURM_PROCID");
  }
  if (options.rendezvous)
    meeting.file = options.rendezvous;
  if (!(options.timeout >= 0 && options.timeout <= 1e9))
    return Error(MUON_ERROR_INVALID_ARGUMENT,
                 "timeout is " + numberText(options.timeout) +
                     " seconds, expected 0 to 1e+09");
  if (options.timeout > 0)
    meeting.timeout =
        std::chrono::milliseconds(int64_t(std::ceil(options.timeout * 1000)));
  std::unique_ptr<Communicator> made;
  if (Error error = tcp::meet(meeting, environment, made))
    return error;
  control = std::move(made);
  return Error::success();
}

MuonStatus muonCommunicatorCreateNccl(const MuonNcclOptions *options,
                                      MuonCommunicator **communicator) {
  return guarded([&] {
    if (!options)
      return nullArgument("options");
    if (!communicator)
      return nullArgument("communicator");
    if (options->size != sizeof(MuonNcclOptions))
      return Error(MUON_ERROR_INVALID_ARGUMENT,
                   "size of the options is " + std::to_string(options->size) +
                       ", expected " + std::to_string(sizeof(MuonNcclOptions)));
    std::shared_ptr<const nccl::Library> library;
    if (Error error = nccl::Library::load(
            options->library ? options->library : "", library))
      return error;
    std::shared_ptr<Communicator> control;
    if (options->control)
      control = options->control->communicator;
    else if (Error error = makeControl(*options, control))
      return error;
    std::unique_ptr<Communicator> made;
    if (Error error = makeNcclCommunicator(std::move(library), control,
                                           options->communicator, made))
      return error;
    made->setTimeout(control->getTimeout());
    auto handle = std::make_unique<MuonCommunicator>();
    handle->communicator = std::move(made);
    *communicator = handle.release();
    return Error::success();
  });
}

int32_t muonCommunicatorRank(const MuonCommunicator *communicator) {
  return communicator ? communicator->communicator->rank() : -1;
}

int32_t muonCommunicatorSize(const MuonCommunicator *communicator) {
  return communicator ? communicator->communicator->size() : -1;
}

MuonStatus muonCommunicatorSetTimeout(MuonCommunicator *communicator,
                                      double seconds) {
  return guarded([&] {
    if (!communicator)
      return nullArgument("communicator");
    // Some 30 years, so that sums of times do not overflow.
    constexpr double most = 1e9;
    if (!(seconds >= 0 && seconds <= most))
      return Error(MUON_ERROR_INVALID_ARGUMENT,
                   "timeout is " + numberText(seconds) +
                       " seconds, expected 0 to " + numberText(most));
    // Not rounded down to no limit.
    communicator->communicator->setTimeout(
        std::chrono::milliseconds(int64_t(std::ceil(seconds * 1000))));
    return Error::success();
  });
}

MuonStatus muonCommunicatorBarrier(MuonCommunicator *communicator) {
  return guarded([&] {
    if (!communicator)
      return nullArgument("communicator");
    std::vector<std::string> ignored;
    return communicator->communicator->exchange("", ignored);
  });
}

MuonStatus muonCommunicatorAbort(MuonCommunicator *communicator,
                                 const char *reason) {
  return guarded([&] {
    if (!communicator)
      return nullArgument("communicator");
    if (!reason)
      return nullArgument("reason");
    communicator->communicator->abort(reason);
    return Error::success();
  });
}

void muonCommunicatorDestroy(MuonCommunicator *communicator) {
  delete communicator;
}
