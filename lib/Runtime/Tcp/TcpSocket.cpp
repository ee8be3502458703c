//===- TcpSocket.cpp - Sockets with deadlines -----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TcpSocket.h"

#include "../Text.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <vector>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

using namespace muon;
using namespace muon::tcp;

static Error wrong(std::string message) {
  return Error(MUON_ERROR_EXECUTION, std::move(message));
}

std::string Address::text() const {
  const bool isSix = host.find(':') != std::string::npos;
  return (isSix ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool tcp::parseAddress(const std::string &text, Address &address) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0)
    return false;
  address.host = text.substr(0, colon);
  if (address.host.size() > 2 && address.host.front() == '[' &&
      address.host.back() == ']')
    address.host = address.host.substr(1, address.host.size() - 2);
  const char *end = text.data() + text.size();
  auto [rest, code] =
      std::from_chars(text.data() + colon + 1, end, address.port);
  return code == std::errc() && rest == end && address.port;
}

using Found = std::unique_ptr<addrinfo, void (*)(addrinfo *)>;

static Error lookUp(const Address &address, bool isListening, Found &found) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (isListening ? 0 : AI_ADDRCONFIG);
  addrinfo *list = nullptr;
  const int code =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(),
                    &hints, &list);
  if (code)
    return wrong("cannot look up host " + quote(address.host) + ": " +
                 ::gai_strerror(code));
  found = Found(list, ::freeaddrinfo);
  return Error::success();
}

static std::string hostOf(const sockaddr *address, socklen_t size) {
  char host[NI_MAXHOST] = {};
  if (::getnameinfo(address, size, host, sizeof(host), nullptr, 0,
                    NI_NUMERICHOST))
    return std::string();
  return host;
}

static uint16_t portOf(const sockaddr_storage &address) {
  if (address.ss_family == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6 &>(address).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in &>(address).sin_port);
}

static void setUp(const Socket &socket) {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  // A machine that has gone without a word is noticed some day.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

Error tcp::listenOn(Address &address, Socket &listener) {
  Found found(nullptr, ::freeaddrinfo);
  if (Error error = lookUp(address, /*isListening=*/true, found))
    return error;
  int reason = 0;
  for (addrinfo *one = found.get(); one; one = one->ai_next) {
    Socket made(::socket(one->ai_family,
                         SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    // What an earlier run has left in TIME_WAIT is no reason to fail.
    if (made.isOpen())
      ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_storage bound = {};
    socklen_t size = sizeof(bound);
    if (!made.isOpen() || ::bind(made.get(), one->ai_addr, one->ai_addrlen) ||
        ::listen(made.get(), SOMAXCONN) ||
        ::getsockname(made.get(), reinterpret_cast<sockaddr *>(&bound),
                      &size)) {
      reason = errno;
      continue;
    }
    address.host = hostOf(one->ai_addr, one->ai_addrlen);
    address.port = portOf(bound);
    listener = std::move(made);
    return Error::success();
  }
  return wrong("cannot listen on " + address.text() + ": " +
               std::strerror(reason) +
               (reason == EADDRNOTAVAIL ? " on this machine" : ""));
}

static int millisecondsUntil(Clock::time_point end) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
  return left.count() < 0 ? 0 : left.count() > 1000 ? 1000 : int(left.count());
}

/// False if it is not ready before the end.
static bool waitFor(const Socket &socket, short events, Clock::time_point end) {
  for (;;) {
    pollfd one = {socket.get(), events, 0};
    const int count = ::poll(&one, 1, millisecondsUntil(end));
    if (count > 0)
      return true;
    if ((count < 0 && errno != EINTR) || Clock::now() >= end)
      return false;
  }
}

bool tcp::connectTo(const Address &address, Clock::time_point end,
                    Socket &socket, std::string &reason) {
  Found found(nullptr, ::freeaddrinfo);
  if (Error error = lookUp(address, /*isListening=*/false, found)) {
    reason = error.message();
    return false;
  }
  for (addrinfo *one = found.get(); one; one = one->ai_next) {
    Socket made(::socket(one->ai_family,
                         SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    int code = errno;
    if (made.isOpen()) {
      code = 0;
      if (::connect(made.get(), one->ai_addr, one->ai_addrlen)) {
        code = errno;
        if (code == EINPROGRESS) {
          socklen_t size = sizeof(code);
          code = ETIMEDOUT;
          if (waitFor(made, POLLOUT, end))
            ::getsockopt(made.get(), SOL_SOCKET, SO_ERROR, &code, &size);
        }
      }
    }
    if (code == 0) {
      setUp(made);
      socket = std::move(made);
      return true;
    }
    reason = std::strerror(code);
  }
  return false;
}

Socket tcp::acceptFrom(const Socket &listener) {
  Socket socket(::accept4(listener.get(), nullptr, nullptr,
                          SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket.isOpen())
    setUp(socket);
  return socket;
}

int64_t tcp::sendSome(const Socket &socket, const char *data, size_t bytes) {
  const ssize_t count = ::send(socket.get(), data, bytes, MSG_NOSIGNAL);
  if (count >= 0)
    return count;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

int64_t tcp::receiveSome(const Socket &socket, char *data, size_t bytes) {
  const ssize_t count = ::recv(socket.get(), data, bytes, 0);
  if (count > 0)
    return count;
  return count < 0 &&
                 (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
             ? 0
             : -1;
}

template <typename Some>
static bool moveAll(const Socket &socket, size_t bytes, short events,
                    Clock::time_point end, Some some) {
  for (size_t done = 0; done < bytes;) {
    const int64_t count = some(done);
    if (count < 0)
      return false;
    done += size_t(count);
    if (count == 0 && !waitFor(socket, events, end))
      return false;
  }
  return true;
}

bool tcp::receiveAll(const Socket &socket, void *data, size_t bytes,
                     Clock::time_point end) {
  return moveAll(socket, bytes, POLLIN, end, [&](size_t done) {
    return receiveSome(socket, static_cast<char *>(data) + done, bytes - done);
  });
}

bool tcp::sendAll(const Socket &socket, const void *data, size_t bytes,
                  Clock::time_point end) {
  return moveAll(socket, bytes, POLLOUT, end, [&](size_t done) {
    return sendSome(socket, static_cast<const char *>(data) + done,
                    bytes - done);
  });
}

//===----------------------------------------------------------------------===//
// Interfaces
//===----------------------------------------------------------------------===//

/// As the description of NCCL_SOCKET_IFNAME in the NCCL user guide has it.
static bool matches(const std::string &rule, const std::string &name) {
  const bool isNot = rule[0] == '^';
  const bool isWhole = rule.size() > size_t(isNot) && rule[isNot] == '=';
  std::string_view list = rule;
  list.remove_prefix(size_t(isNot) + size_t(isWhole));
  bool isListed = false;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view item = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (!item.empty())
      isListed |= isWhole
                      ? name == item
                      : std::string_view(name).substr(0, item.size()) == item;
  }
  return isListed != isNot;
}

Error tcp::addressOfInterface(const std::string &rule, std::string &host) {
  ifaddrs *list = nullptr;
  if (::getifaddrs(&list))
    return wrong(std::string("cannot list the network interfaces: ") +
                 std::strerror(errno));
  std::unique_ptr<ifaddrs, void (*)(ifaddrs *)> owner(list, ::freeifaddrs);
  std::vector<std::string> names;
  // IPv4 first, and the loopback interface last unless it is asked for.
  std::string best;
  int bestRank = 99;
  for (ifaddrs *one = list; one; one = one->ifa_next) {
    if (!one->ifa_addr || !(one->ifa_flags & IFF_UP))
      continue;
    const int family = one->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6)
      continue;
    names.push_back(one->ifa_name);
    const bool isLoop = one->ifa_flags & IFF_LOOPBACK;
    if (!rule.empty() && !matches(rule, one->ifa_name))
      continue;
    const int rank = 2 * isLoop + (family == AF_INET6);
    std::string found =
        hostOf(one->ifa_addr,
               family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    if (!found.empty() && rank < bestRank) {
      best = found;
      bestRank = rank;
    }
  }
  if (best.empty())
    return Error(MUON_ERROR_INVALID_ARGUMENT,
                 "NCCL_SOCKET_IFNAME is " + quote(rule) +
                     ", which selects no network interface that is up; there "
                     "are: " +
                     (names.empty() ? "none" : listed(names, 8)));
  host = best;
  return Error::success();
}

bool tcp::isLoopback(const std::string &host) {
  in_addr four = {};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1)
    return (ntohl(four.s_addr) >> 24) == 127;
  return host == "::1";
}
