//===- CollectiveEngine.h - Collectives over a network ----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_COLLECTIVEENGINE_H
#define MUON_MLIR_LIB_RUNTIME_COLLECTIVEENGINE_H

#include "CollectiveOperation.h"
#include "Communicator.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

namespace muon::collective {

/// A communicator whose collectives are messages of a link. Data moves in
/// wait() and, if threads of ours may use the link, by one in the background
/// while no other call of this rank is under way.
class Engine final : public Communicator {
public:
  explicit Engine(std::unique_ptr<Link> link);
  ~Engine() override;

  int32_t rank() const override { return link->rank(); }
  int32_t size() const override { return link->size(); }
  Error start(const Collective &collective, const CollectiveBuffers &buffers,
              std::unique_ptr<Transfer> &transfer) override;
  Error exchange(const std::string &mine,
                 std::vector<std::string> &all) override;
  Error checkStopped() override;
  void setPlace(std::function<std::string()> value) override;
  std::vector<std::optional<std::string>>
  askPlaces(std::chrono::milliseconds patience) override;
  /// Takes effect at once, or, where the link may not be used by this thread
  /// or is in use, in the call that is under way or the next one.
  void abort(const std::string &reason) override;

private:
  class Handle;
  class Use;
  class Call;

  Error wait(Operation &operation);
  Error poll(bool &moved, bool givesWay = false);
  Error pollAnnouncements(bool &moved);
  Error deliver(int32_t rank, Announcement announcement);
  Error note(int32_t rank, Announcement::What what, std::string text);
  Error timeOut(const Operation &operation);
  /// Remembers the first failure and tells the others.
  Error fail(Error error, bool isTold = false);
  void tell(const std::string &reason);
  void release(const Operation &operation);
  int32_t nextTag(int32_t rank);

  bool isUnderWay() const;
  void wakeBackground();
  void runBackground();
  bool pollInBackground(bool &moved);

  std::unique_ptr<Link> link;
  /// Held by whoever uses the link.
  std::mutex calls;
  Error failure = Error::success();
  std::vector<std::shared_ptr<Operation>> active;
  std::map<std::vector<int32_t>, uint64_t> sequences;
  std::vector<uint32_t> tags;

  struct Early {
    int32_t rank;
    Announcement announcement;
  };
  std::map<Key, std::vector<Early>> early;
  std::vector<char> inbox;
  Link::Request inboxRequest;

  /// Messages that are no collectives, until they are sent.
  struct Note {
    std::vector<char> data;
    Link::Request request;
  };
  std::list<Note> notes;
  std::function<std::string()> place;
  std::vector<std::optional<std::string>> answers;

  std::mutex reasonMutex;
  std::string reason;
  std::atomic<bool> isAborted{false};
  std::vector<char> farewell;
  std::vector<Link::Request> farewells;

  /// Those that want the link, or have it.
  std::atomic<int32_t> numCalls{0};
  /// Guards what follows; `calls` is never taken under it.
  std::mutex sleep;
  std::condition_variable wake;
  bool isNeeded = false, isAsleep = false, isEnding = false;
  std::thread background;
};

} // namespace muon::collective

#endif // MUON_MLIR_LIB_RUNTIME_COLLECTIVEENGINE_H
