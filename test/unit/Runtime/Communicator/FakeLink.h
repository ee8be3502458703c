//===- FakeLink.h - A network within one process ----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Matches messages as MPI does. Small ones are copied when they are sent, the
// others when both ends are there, from and to the memory of the ends. Requests
// are said to be over later than they are, now and then.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_COMMUNICATOR_FAKELINK_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_COMMUNICATOR_FAKELINK_H

#include "CollectiveLink.h"

#include <atomic>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace muon::collective {

struct FakeNetwork {
  static constexpr int64_t kCopied = 4096;

  struct Message {
    int32_t from, tag;
    const char *data;
    int64_t bytes;
    std::vector<char> copy;
    uintptr_t request;
  };
  struct Receive {
    int32_t from, tag;
    char *data;
    int64_t bytes;
    uintptr_t request;
  };
  struct State {
    bool isOver = false;
    Link::Arrival arrival;
    std::string error;
  };

  explicit FakeNetwork(int32_t ranks)
      : messages(size_t(ranks)), receives(size_t(ranks)) {}

  void match(int32_t to) {
    auto &waiting = messages[size_t(to)];
    auto &posted = receives[size_t(to)];
    for (auto receive = posted.begin(); receive != posted.end();) {
      auto message = waiting.begin();
      while (message != waiting.end() && (message->tag != receive->tag ||
                                          (receive->from != Link::kAnyPeer &&
                                           receive->from != message->from)))
        ++message;
      if (message == waiting.end()) {
        ++receive;
        continue;
      }
      State &state = states[receive->request];
      state.isOver = true;
      state.arrival = {message->from, message->bytes};
      if (message->bytes > receive->bytes)
        state.error = "truncated";
      else if (message->bytes)
        std::memcpy(receive->data,
                    message->copy.empty() ? message->data
                                          : message->copy.data(),
                    size_t(message->bytes));
      states[message->request].isOver = true;
      waiting.erase(message);
      receive = posted.erase(receive);
    }
  }

  std::mutex mutex;
  std::vector<std::list<Message>> messages;
  std::vector<std::list<Receive>> receives;
  std::map<uintptr_t, State> states;
  uintptr_t last = 0;
  int64_t numSent = 0, largest = 0;
  /// Calls of send() after which it fails; -1 for never.
  int64_t failsAfter = -1;
  /// Calls that move data, by any rank; all fail after the end.
  std::atomic<int64_t> numCalls{0};
  std::atomic<bool> isOver{false};
};

class FakeLink final : public Link {
public:
  FakeLink(std::shared_ptr<FakeNetwork> network, int32_t rank,
           bool isForAllThreads = true)
      : network(std::move(network)), self(rank),
        isForAllThreads(isForAllThreads), random(unsigned(rank)) {}

  int32_t rank() const override { return self; }
  int32_t size() const override { return int32_t(network->messages.size()); }
  bool isUsableHere() const override {
    return isForAllThreads || std::this_thread::get_id() == opener;
  }
  bool isUsableEverywhere() const override { return isForAllThreads; }

  Error send(int32_t peer, int32_t tag, const void *data, int64_t bytes,
             Request &request) override {
    if (Error error = enter())
      return error;
    std::lock_guard<std::mutex> lock(network->mutex);
    if (tag < 0 || tag > kLargestTag || bytes > kLargestMessage)
      return Error(MUON_ERROR_INTERNAL, "bad tag or size");
    if (network->failsAfter == network->numSent)
      return Error(MUON_ERROR_EXECUTION, "the network is down");
    request = {++network->last, true};
    FakeNetwork::Message message = {self,  tag, static_cast<const char *>(data),
                                    bytes, {},  request.handle};
    bool isCopied = bytes <= FakeNetwork::kCopied;
    if (isCopied)
      message.copy.assign(message.data, message.data + bytes);
    network->states[request.handle].isOver = isCopied;
    network->messages[size_t(peer)].push_back(std::move(message));
    ++network->numSent;
    network->largest = std::max(network->largest, bytes);
    network->match(peer);
    return Error::success();
  }

  Error receive(int32_t peer, int32_t tag, void *data, int64_t bytes,
                Request &request) override {
    if (Error error = enter())
      return error;
    std::lock_guard<std::mutex> lock(network->mutex);
    request = {++network->last, true};
    network->states[request.handle];
    network->receives[size_t(self)].push_back(
        {peer, tag, static_cast<char *>(data), bytes, request.handle});
    network->match(self);
    return Error::success();
  }

  Error test(Request &request, Arrival &arrival) override {
    if (Error error = enter())
      return error;
    if (random() % 4 == 0)
      return Error::success();
    std::lock_guard<std::mutex> lock(network->mutex);
    auto state = network->states.find(request.handle);
    if (!state->second.isOver)
      return Error::success();
    request.isActive = false;
    arrival = state->second.arrival;
    std::string error = state->second.error;
    network->states.erase(state);
    if (!error.empty())
      return Error(MUON_ERROR_EXECUTION, error);
    return Error::success();
  }

  void cancel(Request &request) override {
    std::lock_guard<std::mutex> lock(network->mutex);
    for (auto &posted : network->receives)
      posted.remove_if([&](const FakeNetwork::Receive &receive) {
        return receive.request == request.handle;
      });
    for (auto &waiting : network->messages)
      waiting.remove_if([&](const FakeNetwork::Message &message) {
        return message.request == request.handle && message.copy.empty();
      });
    network->states[request.handle].isOver = true;
  }

  void setFailed() override {}

private:
  Error enter() {
    ++network->numCalls;
    if (network->isOver)
      return Error(MUON_ERROR_EXECUTION, "the network is gone");
    if (!isUsableHere())
      return Error(MUON_ERROR_INTERNAL, "called by another thread");
    return Error::success();
  }

  const std::shared_ptr<FakeNetwork> network;
  const int32_t self;
  const bool isForAllThreads;
  const std::thread::id opener = std::this_thread::get_id();
  std::minstd_rand random;
};

} // namespace muon::collective

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_COMMUNICATOR_FAKELINK_H
