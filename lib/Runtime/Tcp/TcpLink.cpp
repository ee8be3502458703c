//===- TcpLink.cpp - Messages between ranks by TCP ------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TcpLink.h"

#include "../Text.h"
#include "TcpRouter.h"

#include <algorithm>
#include <cstring>
#include <thread>

using namespace muon;
using namespace muon::tcp;

/// How long the last words of a rank may take.
static constexpr std::chrono::seconds kFarewell(2);

bool Inbox::fill(const Socket &socket) {
  // What was taken is given back when it is worth a copy.
  if (begin > bytes.size() / 2) {
    bytes.erase(0, begin);
    begin = 0;
  }
  for (;;) {
    char part[16384];
    const int64_t count = receiveSome(socket, part, sizeof(part));
    if (count <= 0)
      return count == 0;
    bytes.append(part, size_t(count));
    // Others want their turn.
    if (bytes.size() - begin > size_t(Frame::mostBytes))
      return true;
  }
}

bool Inbox::take(Frame &frame, std::string &payload, bool &isWrong) {
  if (bytes.size() - begin < sizeof(frame))
    return false;
  std::memcpy(&frame, bytes.data() + begin, sizeof(frame));
  isWrong = frame.kind < Frame::Data || frame.kind > Frame::Gone ||
            frame.bytes < 0 || frame.bytes > Frame::mostBytes;
  if (isWrong || bytes.size() - begin - sizeof(frame) < size_t(frame.bytes))
    return false;
  payload = bytes.substr(begin + sizeof(frame), size_t(frame.bytes));
  begin += sizeof(frame) + size_t(frame.bytes);
  return true;
}

//===----------------------------------------------------------------------===//
// The link
//===----------------------------------------------------------------------===//

TcpLink::TcpLink(Socket socket, int32_t rank, int32_t ranks,
                 std::shared_ptr<Router> router)
    : socket(std::move(socket)), self(rank), ranks(ranks),
      router(std::move(router)) {}

TcpLink::~TcpLink() {
  Frame bye;
  bye.kind = Frame::Bye;
  bye.from = self;
  queue(bye, nullptr, 0);
  const auto end = Clock::now() + kFarewell;
  while (!outgoing.empty() && reason.empty() && Clock::now() < end) {
    progress();
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

void TcpLink::queue(const Frame &frame, const void *data, uintptr_t handle) {
  Outgoing next = {handle, std::string(sizeof(frame), 0)};
  std::memcpy(next.bytes.data(), &frame, sizeof(frame));
  if (frame.bytes)
    next.bytes.append(static_cast<const char *>(data), size_t(frame.bytes));
  outgoing.push_back(std::move(next));
}

Error TcpLink::send(int32_t peer, int32_t tag, const void *data, int64_t bytes,
                    Request &request) {
  if (!reason.empty())
    return Error(MUON_ERROR_EXECUTION, reason);
  if (bytes > Frame::mostBytes)
    return Error(MUON_ERROR_INTERNAL, "a message of " + std::to_string(bytes) +
                                          " bytes is too long for TCP");
  Frame frame;
  frame.from = self;
  frame.to = peer;
  frame.tag = tag;
  frame.bytes = bytes;
  request = {++last, true};
  queue(frame, data, request.handle);
  progress();
  return Error::success();
}

Error TcpLink::receive(int32_t peer, int32_t tag, void *data, int64_t bytes,
                       Request &request) {
  request = {++last, true};
  receives.push_back(
      {request.handle, peer, tag, static_cast<char *>(data), bytes});
  match();
  return Error::success();
}

/// Messages with the same tag from one rank are taken in their order.
void TcpLink::match() {
  for (Receive &receive : receives) {
    if (receive.isOver)
      continue;
    auto message =
        std::find_if(messages.begin(), messages.end(), [&](const Message &m) {
          return m.tag == receive.tag &&
                 (receive.from == kAnyPeer || m.from == receive.from);
        });
    if (message == messages.end())
      continue;
    if (int64_t(message->payload.size()) > receive.bytes) {
      reason = "rank " + std::to_string(message->from) + " sent " +
               std::to_string(message->payload.size()) + " bytes, expected " +
               std::to_string(receive.bytes) + " at most";
      return;
    }
    std::memcpy(receive.data, message->payload.data(), message->payload.size());
    receive.arrival = {message->from, int64_t(message->payload.size())};
    receive.isOver = true;
    messages.erase(message);
  }
}

void TcpLink::progress() {
  if (!reason.empty())
    return;
  auto lose = [&](const std::string &why) {
    if (reason.empty())
      reason = why;
  };
  while (!outgoing.empty()) {
    Outgoing &first = outgoing.front();
    const int64_t count = sendSome(socket, first.bytes.data() + first.sent,
                                   first.bytes.size() - first.sent);
    if (count < 0)
      break;
    first.sent += size_t(count);
    if (first.sent < first.bytes.size())
      break;
    outgoing.pop_front();
  }
  const bool isOpen = inbox.fill(socket);
  Frame frame;
  std::string payload;
  bool isWrong = false;
  while (inbox.take(frame, payload, isWrong)) {
    if (frame.kind == Frame::Gone)
      lose("rank " + std::to_string(frame.from) +
           " has gone: its connection has ended");
    else if (frame.kind == Frame::Data)
      messages.push_back({frame.from, frame.tag, std::move(payload)});
  }
  match();
  if (isWrong)
    lose("rank 0 passes on what is no message; is it of another version?");
  if (!isOpen)
    lose("rank 0 has gone: the connection to it has ended");
}

Error TcpLink::test(Request &request, Arrival &arrival) {
  progress();
  auto receive =
      std::find_if(receives.begin(), receives.end(), [&](const Receive &r) {
        return r.handle == request.handle;
      });
  if (receive != receives.end()) {
    if (receive->isOver) {
      arrival = receive->arrival;
      receives.erase(receive);
      request.isActive = false;
      return Error::success();
    }
  } else if (std::none_of(outgoing.begin(), outgoing.end(),
                          [&](const Outgoing &o) {
                            return o.handle == request.handle;
                          })) {
    request.isActive = false;
    return Error::success();
  }
  // Only after what has come before the end.
  return reason.empty() ? Error::success()
                        : Error(MUON_ERROR_EXECUTION, reason);
}

void TcpLink::cancel(Request &request) {
  // One that waits has its memory back; test() takes it for sent.
  receives.remove_if(
      [&](const Receive &receive) { return receive.handle == request.handle; });
}

//===----------------------------------------------------------------------===//
// Connecting
//===----------------------------------------------------------------------===//

Error tcp::connectLink(int32_t rank, int32_t ranks,
                       const std::function<Error(Address &, Secret &)> &refresh,
                       Clock::time_point end, std::shared_ptr<Router> router,
                       std::unique_ptr<collective::Link> &link) {
  const auto begin = Clock::now();
  std::string reason;
  Address address;
  do {
    Hello hello;
    hello.rank = rank;
    hello.ranks = ranks;
    if (Error error = refresh(address, hello.secret)) {
      reason = error.message();
    } else {
      Socket socket;
      Answer answer = {};
      if (!connectTo(address, end, socket, reason)) {
        reason = "cannot reach rank 0 at " + address.text() + ": " + reason;
      } else if (!sendAll(socket, &hello, sizeof(hello), end) ||
                 !receiveAll(socket, &answer, sizeof(answer), end)) {
        reason = "rank 0 at " + address.text() + " does not answer";
      } else if (answer == Answer::Welcome) {
        link = std::make_unique<TcpLink>(std::move(socket), rank, ranks,
                                         std::move(router));
        return Error::success();
      } else if (answer == Answer::OtherSize) {
        return Error(MUON_ERROR_INVALID_ARGUMENT,
                     "rank " + std::to_string(rank) + " is one of " +
                         std::to_string(ranks) + ", rank 0 at " +
                         address.text() + " is one of another number of ranks");
      } else if (answer == Answer::RankTaken) {
        return Error(MUON_ERROR_INVALID_ARGUMENT,
                     "there is a rank " + std::to_string(rank) +
                         " at rank 0 (" + address.text() + ") already");
      } else {
        reason = "rank 0 at " + address.text() +
                 " is of another job: it has another secret";
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  } while (Clock::now() < end);
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(
      Clock::now() - begin);
  return Error(MUON_ERROR_EXECUTION,
               "rank " + std::to_string(rank) + " did not find the others in " +
                   numberText(double(waited.count() / 100) / 10) +
                   " s: " + reason);
}
