//===- TcpLink.h - Messages between ranks by TCP ----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What ranks have to tell each other where there is no MPI: some bytes, through
// rank 0, which passes on what others send to each other. Not made for the data
// of steps. Nothing is encrypted; a secret that all ranks know keeps others
// out.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_TCP_TCPLINK_H
#define MUON_MLIR_LIB_RUNTIME_TCP_TCPLINK_H

#include "../CollectiveLink.h"
#include "TcpSocket.h"

#include <array>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <vector>

namespace muon::tcp {

using Secret = std::array<char, 32>;

/// What a rank says first.
struct Hello {
  char magic[8] = {'M', 'U', 'O', 'N', 'T', 'C', 'P', '1'};
  int32_t rank = 0, ranks = 0;
  Secret secret = {};
};
/// And what it is answered; others are just cut off.
enum class Answer : uint32_t { Welcome = 1, OtherSize, RankTaken, OtherSecret };

/// What is in front of each message.
struct Frame {
  enum Kind : uint32_t { Data = 1, Bye, Gone };
  static constexpr int64_t mostBytes = int64_t(1) << 26;

  uint32_t kind = Data;
  int32_t from = 0, to = 0, tag = 0;
  int64_t bytes = 0;
};

/// Takes bytes, and gives frames once they are whole.
class Inbox {
public:
  /// Reads what has come; false if the connection is over.
  bool fill(const Socket &socket);
  /// False if there is no whole frame; `isWrong` if there will be none.
  bool take(Frame &frame, std::string &payload, bool &isWrong);

private:
  std::string bytes;
  size_t begin = 0;
};

/// Passes messages on, in a thread of the process of rank 0.
class Router;

/// One rank's side.
class TcpLink final : public collective::Link {
public:
  TcpLink(Socket socket, int32_t rank, int32_t ranks,
          std::shared_ptr<Router> router);
  ~TcpLink() override;

  int32_t rank() const override { return self; }
  int32_t size() const override { return ranks; }
  bool isUsableHere() const override { return true; }
  bool isUsableEverywhere() const override { return true; }

  Error send(int32_t peer, int32_t tag, const void *data, int64_t bytes,
             Request &request) override;
  Error receive(int32_t peer, int32_t tag, void *data, int64_t bytes,
                Request &request) override;
  Error test(Request &request, Arrival &arrival) override;
  void cancel(Request &request) override;
  void setFailed() override {}

  /// As if the process ended here.
  void breakForTest() { socket.close(); }

private:
  struct Message {
    int32_t from, tag;
    std::string payload;
  };
  struct Receive {
    uintptr_t handle;
    int32_t from, tag;
    char *data;
    int64_t bytes;
    bool isOver = false;
    Arrival arrival = {};
  };
  struct Outgoing {
    uintptr_t handle;
    std::string bytes;
    size_t sent = 0;
  };

  void queue(const Frame &frame, const void *data, uintptr_t handle);
  void progress();
  void match();

  Socket socket;
  const int32_t self, ranks;
  const std::shared_ptr<Router> router;
  uintptr_t last = 0;
  Inbox inbox;
  std::deque<Outgoing> outgoing;
  std::list<Message> messages;
  std::list<Receive> receives;
  /// Why nothing else will come; empty while something may.
  std::string reason;
};

/// Rank 0 of the link: listens, and passes on. `address` becomes what others
/// connect to.
Error startRouter(Address &address, int32_t ranks, const Secret &secret,
                  std::shared_ptr<Router> &router);

/// Tries again until the end, for the others may come later; each time after
/// `refresh`, which may find another address and secret. `router` is that of
/// rank 0, null elsewhere.
Error connectLink(int32_t rank, int32_t ranks,
                  const std::function<Error(Address &, Secret &)> &refresh,
                  Clock::time_point end, std::shared_ptr<Router> router,
                  std::unique_ptr<collective::Link> &link);

} // namespace muon::tcp

#endif // MUON_MLIR_LIB_RUNTIME_TCP_TCPLINK_H
