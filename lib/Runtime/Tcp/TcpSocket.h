//===- TcpSocket.h - Sockets with deadlines ---------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_TCP_TCPSOCKET_H
#define MUON_MLIR_LIB_RUNTIME_TCP_TCPSOCKET_H

#include "../Error.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include <unistd.h>

namespace muon::tcp {

using Clock = std::chrono::steady_clock;

/// A file descriptor that is closed at the end.
class Socket {
public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor(descriptor) {}
  Socket(Socket &&other) noexcept : descriptor(other.descriptor) {
    other.descriptor = -1;
  }
  Socket &operator=(Socket &&other) noexcept {
    std::swap(descriptor, other.descriptor);
    return *this;
  }
  ~Socket() { close(); }

  bool isOpen() const { return descriptor >= 0; }
  int get() const { return descriptor; }
  void close() {
    if (isOpen())
      ::close(descriptor);
    descriptor = -1;
  }

private:
  int descriptor = -1;
};

/// Numeric, or a name to look up.
struct Address {
  std::string host;
  uint16_t port = 0;

  std::string text() const;
};

/// "address:port", as text() has it.
bool parseAddress(const std::string &text, Address &address);

/// Listens on the one address that the host stands for, on any port for 0.
/// `address` becomes what others may connect to.
Error listenOn(Address &address, Socket &listener);

/// One attempt; `reason` says why it failed.
bool connectTo(const Address &address, Clock::time_point end, Socket &socket,
               std::string &reason);

/// Null if there is none that waits; then, and on errors, not open.
Socket acceptFrom(const Socket &listener);

/// What could be moved without waiting; -1 if the connection is over.
int64_t sendSome(const Socket &socket, const char *data, size_t bytes);
int64_t receiveSome(const Socket &socket, char *data, size_t bytes);

/// All of it, before the end. False if that fails.
bool receiveAll(const Socket &socket, void *data, size_t bytes,
                Clock::time_point end);
bool sendAll(const Socket &socket, const void *data, size_t bytes,
             Clock::time_point end);

/// The address of the network interface that a rule for NCCL_SOCKET_IFNAME
/// selects first: names that begin with one of a list, "=" for whole names, "^"
/// for all others. An empty rule is the first interface but the loopback one,
/// and that one if there is no other.
Error addressOfInterface(const std::string &rule, std::string &host);

/// Whether the address is one that only this machine reaches.
bool isLoopback(const std::string &host);

} // namespace muon::tcp

#endif // MUON_MLIR_LIB_RUNTIME_TCP_TCPSOCKET_H
