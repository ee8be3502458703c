//===- TcpRouter.h - Messages passed on by rank 0 ---------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_TCP_TCPROUTER_H
#define MUON_MLIR_LIB_RUNTIME_TCP_TCPROUTER_H

#include "TcpLink.h"

#include <thread>

namespace muon::tcp {

/// A thread of its own: rank 0 may be busy elsewhere. Sleeps while nothing
/// comes.
class Router {
public:
  Router(Socket listener, int32_t ranks, const Secret &secret)
      : listener(std::move(listener)), secret(secret), ranks(size_t(ranks)) {}
  /// Waits some seconds for ranks that have not said goodbye.
  ~Router();

  Error start();

private:
  struct Rank {
    Socket socket;
    Inbox inbox;
    std::string out;
    size_t sent = 0;
    bool hasCome = false, isOver = false;
  };
  /// Who has not said yet who it is.
  struct Stranger {
    Socket socket;
    Hello hello;
    size_t received = 0;
    Clock::time_point end;
  };

  void run();
  void greet();
  void admit(Stranger &stranger);
  void read(size_t rank);
  void write(size_t rank);
  void lose(size_t rank);
  bool isDone(bool isLeaving) const;

  Socket listener, wakeRead, wakeWrite;
  const Secret secret;
  std::vector<Rank> ranks;
  std::list<Stranger> strangers;
  std::thread thread;
};

} // namespace muon::tcp

#endif // MUON_MLIR_LIB_RUNTIME_TCP_TCPROUTER_H
