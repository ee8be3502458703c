//===- CommunicatorNccl.h - Ranks whose GPUs exchange data ------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_COMMUNICATORNCCL_H
#define MUON_MLIR_LIB_RUNTIME_COMMUNICATORNCCL_H

#include "CollectiveLayout.h"
#include "Communicator.h"
#include "CommunicatorDirect.h"
#include "Device.h"
#include "NcclCalls.h"
#include "NcclLibrary.h"
#include "Text.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace muon::nccl {

using Clock = std::chrono::steady_clock;

/// A call of a function of NCCL; an Error.
#define MUON_NCCL_CALL(comm, name, ...)                                        \
  library->check(library->name(__VA_ARGS__), symbolOf(&Library::name), comm)

/// Spins at first, since most waits are short.
inline void rest(int &idle) {
  if (++idle < 1000)
    std::this_thread::yield();
  else
    std::this_thread::sleep_for(std::chrono::microseconds(50));
}

/// What belongs to NCCL. Outlives the communicator where an abort does not end.
struct Comms {
  Comm world = nullptr;
  bool isGiven = false;
  /// By group. NCCL writes them when a split is over, so they stay in place.
  std::map<Group, Comm> parts;

  /// Those that are ours, the world last.
  std::vector<Comm> own() const {
    std::vector<Comm> list;
    for (const auto &entry : parts)
      if (entry.second)
        list.push_back(entry.second);
    if (world && !isGiven)
      list.push_back(world);
    return list;
  }
};

class Nccl final : public Communicator, public DirectCommunicator {
public:
  Nccl(std::shared_ptr<const Library> library,
       std::shared_ptr<Communicator> control, void *given)
      : library(std::move(library)), control(std::move(control)) {
    comms->world = static_cast<Comm>(given);
    comms->isGiven = given;
    this->control->setPlace([this] { return placeOf().pack(); });
  }
  ~Nccl() override;

  Error check();

  int32_t rank() const override { return control->rank(); }
  int32_t size() const override { return control->size(); }
  Error start(const Collective &collective, const CollectiveBuffers &buffers,
              std::unique_ptr<Transfer> &transfer) override;
  Error exchange(const std::string &mine,
                 std::vector<std::string> &all) override;
  Error checkStopped() override {
    Use use(*this);
    return isStopped();
  }
  Error prepare(Device &device,
                const std::vector<Collective> &collectives) override;
  Error beginRun(Device &device, void *stream, bool &isDirect) override;
  Error finishRun() override;
  void abort(const std::string &reason) override;

  DirectCommunicator *direct() override { return this; }
  void setMarks(Marks *value) override;
  void beginCapture(void *on) override;
  void endCapture(std::string &refusal,
                  std::shared_ptr<const Recording> &recording) override;
  Error launch(const Recording &recording,
               const std::function<Error()> &launch) override;
  void setRelease(const void *owner, std::function<void()> release) override;
  Error isAnywhere(bool mine, bool &isAny) override;
  bool isCutUp(const Collective &collective) const override {
    return collective.kind == Collective::AllToAll ||
           (collective.kind != Collective::AllReduce &&
            uneven.count(collective::fingerprint(collective)));
  }
  Error registerMemory(Device &on, void *memory, uint64_t bytes,
                       const std::vector<Group> &groups,
                       std::unique_ptr<Registration> &registration,
                       size_t &numGroups, std::string &whyNot) override;

private:
  class Handle;
  class Registered;

  /// Held by whoever calls NCCL. What another thread's abort() had to leave is
  /// done at the end.
  class Use {
  public:
    explicit Use(Nccl &nccl) : nccl(nccl) { nccl.calls.lock(); }
    ~Use() {
      nccl.calls.unlock();
      nccl.leave();
    }

  private:
    Nccl &nccl;
  };

  Error isStopped() { return failure ? *failure : control->checkStopped(); }
  void leave();
  Error open(Device &on, void *runStream, bool &direct);
  Error initialize(Device &device);
  Error split(Device &device, const std::vector<Group> &round);
  Error issue(Comm comm, const Collective &collective,
              const std::vector<Call> &calls, Result &result);
  bool isRefusal(Comm comm, Result result) const;
  Error findComm(const Group &group, Comm &comm) const;
  template <typename Look, typename What>
  Error await(Look look, What what);
  template <typename What>
  Error settle(Comm comm, What what);
  Error fail(Error error);
  void abortComms();
  bool isWorld(const Group &group) const {
    return int32_t(group.size()) == size() &&
           std::is_sorted(group.begin(), group.end());
  }

  const std::shared_ptr<const Library> library;
  const std::shared_ptr<Communicator> control;
  std::shared_ptr<Comms> comms = std::make_shared<Comms>();
  bool isReady = false;
  /// Groups that were split off, of all ranks.
  std::set<Group> known;
  /// Fingerprints of collectives that one call does not do on some rank.
  std::set<uint64_t> uneven;
  std::optional<Error> failure;
  /// Guards NCCL, and `failure`.
  std::mutex calls;
  std::mutex reasonMutex;
  std::string reason;
  std::atomic<bool> isAborted{false};

  /// Of the run; null between runs.
  Device *device = nullptr;
  void *stream = nullptr, *runStream = nullptr;
  bool isDirect = false;
  struct Started {
    Comm comm;
    const Collective *collective;
    std::function<std::string()> tensors;

    std::string text() const {
      std::string names = tensors ? tensors() : std::string();
      return collective::describe(*collective) +
             (names.empty() ? "" : " of " + names);
    }
  };
  struct Captured final : Recording {
    std::vector<Started> started;
    Traffic traffic;
  };
  /// Where a rank is.
  struct Place {
    uint64_t run = 0;
    /// Of the collective; 0 if it is in none.
    uint64_t fingerprint = 0;
    std::string text;
    /// Ranks of the collective, or all.
    Group group;

    std::string pack() const;
    bool unpack(const std::string &bytes);
  };
  Place placeOf();
  std::string placeText(Comm comm) const;
  std::string othersText();
  size_t numOver() const { return marks ? marks->read() : numMoved; }
  void setActivity(std::string text);

  /// Guards what follows, which others may ask for at any time.
  std::mutex placeMutex;
  /// Those of the run, in the order of the stream.
  std::vector<Started> started;
  /// How many of them are over, where that is not marked.
  size_t numMoved = 0;
  Marks *marks = nullptr;
  uint64_t numRuns = 0;
  /// Outside of runs.
  std::string activity = "before its first run";
  /// Not null during a capture.
  std::shared_ptr<Captured> captured;
  /// Why the library takes no part in it.
  std::string refusal;
  /// By owner.
  std::map<const void *, std::function<void()>> releases;
};

/// Until look(isDone) says so, another rank ends all, or time is over. what()
/// is what errors begin with.
template <typename Look, typename What>
Error Nccl::await(Look look, What what) {
  const auto begin = Clock::now();
  for (int idle = 0;; rest(idle)) {
    bool isDone = false;
    if (Error error = look(isDone))
      return fail(Error(error.status(), what() + ": " + error.message()));
    if (isDone)
      return Error::success();
    if (Error error = isStopped())
      return fail(error);
    if (timeout.count() > 0 && Clock::now() - begin >= timeout) {
      std::string text = what() + " timed out after " +
                         numberText(double(timeout.count()) / 1000) +
                         " s: " + othersText();
      // Then it is another rank that knows; this one may not have heard all.
      Error error = isStopped();
      return fail(error ? error : Error(MUON_ERROR_EXECUTION, std::move(text)));
    }
  }
}

/// A communicator that is not blocking may not be used before that.
template <typename What>
Error Nccl::settle(Comm comm, What what) {
  return await(
      [&](bool &isDone) {
        Result state = Success;
        if (Error error = MUON_NCCL_CALL(comm, commGetAsyncError, comm, &state))
          return error;
        isDone = state != InProgress;
        return library->check(state, "NCCL", comm);
      },
      what);
}

} // namespace muon::nccl

#endif // MUON_MLIR_LIB_RUNTIME_COMMUNICATORNCCL_H
