//===- Bootstrap.h - How processes become ranks -----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// docs/cluster.md has this for users.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_TCP_BOOTSTRAP_H
#define MUON_MLIR_LIB_RUNTIME_TCP_BOOTSTRAP_H

#include "../Communicator.h"
#include "TcpLink.h"

#include <functional>
#include <optional>

namespace muon::tcp {

/// A variable of the environment; null if it is not there.
using Environment = std::function<const char *(const char *)>;

/// What started this process, as far as it tells.
struct Launch {
  enum Kind { None, Torchrun, Mpirun, Srun };
  Kind kind = None;
  int32_t rank = 0, ranks = 1;
  /// On this machine; ranks of this machine are 0 where nobody says.
  int32_t localRank = 0, localRanks = 0;
};

/// An error if a launcher tells a part of what it has to.
Error findLaunch(const Environment &environment, Launch &launch);

/// The first host of a list of Slurm: "n01" of "n[01-04,7],m".
std::string firstHost(const std::string &list);

/// What a rendezvous file says.
struct Rendezvous {
  int32_t ranks = 0;
  Address address;
  Secret secret = {};

  std::string text() const;
  /// "" if it is one, or else what is wrong.
  std::string parse(const std::string &text);
};

/// Where the ranks meet.
struct Meeting {
  Launch launch;
  /// Instead of what the environment says.
  std::optional<std::string> file;
  std::chrono::milliseconds timeout{600000};
};

/// Meets the other ranks. Under mpirun MPI does it, unless there is a file, or
/// MASTER_ADDR is set.
Error meet(const Meeting &meeting, const Environment &environment,
           std::unique_ptr<Communicator> &communicator);

} // namespace muon::tcp

#endif // MUON_MLIR_LIB_RUNTIME_TCP_BOOTSTRAP_H
