//===- TcpRouter.cpp - Messages passed on by rank 0 -----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TcpRouter.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

using namespace muon;
using namespace muon::tcp;

/// For who connects, to say who it is; and how many may be about to.
static constexpr std::chrono::seconds kHello(10);
static constexpr size_t kMostStrangers = 256;

/// For ranks that leave later than rank 0.
static constexpr std::chrono::seconds kFarewell(5);

Error Router::start() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK))
    return Error(MUON_ERROR_EXECUTION,
                 std::string("cannot make a pipe: ") + std::strerror(errno));
  wakeRead = Socket(ends[0]);
  wakeWrite = Socket(ends[1]);
  try {
    thread = std::thread([this] {
      ::pthread_setname_np(::pthread_self(), "muon-router");
      run();
    });
  } catch (const std::exception &e) {
    return Error(MUON_ERROR_EXECUTION,
                 std::string("cannot start a thread: ") + e.what());
  }
  return Error::success();
}

Router::~Router() {
  if (!thread.joinable())
    return;
  const char byte = 0;
  (void)bool(::write(wakeWrite.get(), &byte, 1));
  thread.join();
}

/// All have said goodbye, but for those that have not come, if rank 0 leaves.
bool Router::isDone(bool isLeaving) const {
  return std::all_of(ranks.begin(), ranks.end(), [&](const Rank &rank) {
    return rank.isOver || (isLeaving && !rank.hasCome);
  });
}

void Router::run() {
  std::vector<pollfd> polled;
  bool isLeaving = false;
  Clock::time_point end;
  while (!isDone(isLeaving) && !(isLeaving && Clock::now() >= end)) {
    polled.assign({{wakeRead.get(), POLLIN, 0}, {listener.get(), POLLIN, 0}});
    for (const Rank &rank : ranks)
      polled.push_back({rank.isOver ? -1 : rank.socket.get(),
                        short(POLLIN | (rank.out.empty() ? 0 : POLLOUT)), 0});
    for (const Stranger &stranger : strangers)
      polled.push_back({stranger.socket.get(), POLLIN, 0});
    // Strangers, and the end, are looked after from time to time.
    if (::poll(polled.data(), nfds_t(polled.size()),
               isLeaving           ? 50
               : strangers.empty() ? -1
                                   : 1000) < 0 &&
        errno != EINTR)
      break;
    char byte;
    if (polled[0].revents && ::read(wakeRead.get(), &byte, 1) == 1) {
      isLeaving = true;
      end = Clock::now() + kFarewell;
    }
    for (size_t rank = 0; rank < ranks.size(); ++rank) {
      const short events = polled[rank + 2].revents;
      if (events & (POLLIN | POLLERR | POLLHUP))
        read(rank);
    }
    for (size_t rank = 0; rank < ranks.size(); ++rank)
      write(rank);
    greet();
  }
}

void Router::greet() {
  while (strangers.size() < kMostStrangers) {
    Socket socket = acceptFrom(listener);
    if (!socket.isOpen())
      break;
    strangers.emplace_back();
    strangers.back().socket = std::move(socket);
    strangers.back().end = Clock::now() + kHello;
  }
  for (auto stranger = strangers.begin(); stranger != strangers.end();) {
    const int64_t count = receiveSome(
        stranger->socket,
        reinterpret_cast<char *>(&stranger->hello) + stranger->received,
        sizeof(Hello) - stranger->received);
    stranger->received += count > 0 ? size_t(count) : 0;
    if (stranger->received == sizeof(Hello))
      admit(*stranger);
    else if (count >= 0 && Clock::now() < stranger->end) {
      ++stranger;
      continue;
    }
    stranger = strangers.erase(stranger);
  }
}

void Router::admit(Stranger &stranger) {
  const Hello expected, &hello = stranger.hello;
  // Who knows nothing learns nothing.
  if (std::memcmp(hello.magic, expected.magic, sizeof(hello.magic)) != 0)
    return;
  unsigned differ = 0;
  for (size_t i = 0; i < secret.size(); ++i)
    differ |= unsigned(secret[i] ^ hello.secret[i]);
  Answer answer = Answer::Welcome;
  if (differ)
    answer = Answer::OtherSecret;
  else if (size_t(hello.ranks) != ranks.size() || hello.rank < 0 ||
           hello.rank >= hello.ranks)
    answer = Answer::OtherSize;
  else if (ranks[size_t(hello.rank)].hasCome)
    answer = Answer::RankTaken;
  if (sendSome(stranger.socket, reinterpret_cast<const char *>(&answer),
               sizeof(answer)) != sizeof(answer) ||
      answer != Answer::Welcome)
    return;
  Rank &rank = ranks[size_t(hello.rank)];
  rank.socket = std::move(stranger.socket);
  rank.hasCome = true;
  write(size_t(hello.rank));
}

void Router::read(size_t number) {
  Rank &rank = ranks[number];
  if (rank.isOver)
    return;
  const bool isOpen = rank.inbox.fill(rank.socket);
  Frame frame;
  std::string payload;
  bool isWrong = false;
  while (!isWrong && rank.inbox.take(frame, payload, isWrong)) {
    if (frame.kind == Frame::Bye) {
      rank.isOver = true;
      rank.socket.close();
      return;
    }
    isWrong = frame.kind != Frame::Data || size_t(frame.from) != number ||
              frame.to < 0 || size_t(frame.to) >= ranks.size();
    if (isWrong)
      break;
    // One that has not come yet gets it when it does.
    Rank &to = ranks[size_t(frame.to)];
    if (to.isOver)
      continue;
    to.out.append(reinterpret_cast<const char *>(&frame), sizeof(frame));
    to.out += payload;
  }
  if (isWrong || !isOpen)
    lose(number);
}

void Router::write(size_t number) {
  Rank &rank = ranks[number];
  if (rank.isOver || !rank.socket.isOpen() || rank.out.empty())
    return;
  const int64_t count = sendSome(rank.socket, rank.out.data() + rank.sent,
                                 rank.out.size() - rank.sent);
  // That it has gone is seen when it is read from.
  if (count > 0)
    rank.sent += size_t(count);
  if (rank.sent == rank.out.size()) {
    rank.out.clear();
    rank.sent = 0;
  }
}

/// The others need not wait for it.
void Router::lose(size_t number) {
  ranks[number].isOver = true;
  ranks[number].socket.close();
  Frame gone;
  gone.kind = Frame::Gone;
  gone.from = int32_t(number);
  for (Rank &rank : ranks)
    if (!rank.isOver)
      rank.out.append(reinterpret_cast<const char *>(&gone), sizeof(gone));
}

Error tcp::startRouter(Address &address, int32_t ranks, const Secret &secret,
                       std::shared_ptr<Router> &router) {
  Socket listener;
  if (Error error = listenOn(address, listener))
    return error;
  auto made = std::make_shared<Router>(std::move(listener), ranks, secret);
  if (Error error = made->start())
    return error;
  router = std::move(made);
  return Error::success();
}
