//===- StepCollectives.h - Collectives of one step --------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_STEPCOLLECTIVES_H
#define MUON_MLIR_LIB_RUNTIME_STEPCOLLECTIVES_H

#include "Communicator.h"
#include "CommunicatorDirect.h"
#include "Device.h"
#include "Manifest.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace muon {

/// What the step of one rank does together with the others. The first failure
/// makes all that follows in the same run do nothing.
class StepCollectives {
public:
  /// `ok` is where the step reports whether it is taken, in memory of the
  /// device; null if it does not. All of them outlive this.
  StepCollectives(const Distribution &distribution, Device &device,
                  const void *ok);
  ~StepCollectives();

  /// Null for none. An error if it is for other ranks.
  Error setCommunicator(std::shared_ptr<Communicator> value);
  /// Null if there is none.
  Communicator *getCommunicator() const { return communicator.get(); }

  /// Before each run. Compares the plans of the ranks if this is the first one
  /// with this communicator. `stream` is that of the run.
  Error begin(void *stream);
  /// After each run, with its result: waits for what is still under way. The
  /// other ranks stop if this one has failed.
  Error finish(Error result);

  /// Says which tensor an address of a buffer is of, for messages; empty if it
  /// is of none.
  using TensorNames = std::function<std::string(const void *)>;
  void setTensorNames(TensorNames value) { tensorNames = std::move(value); }

  /// Ends the run of the other ranks.
  void abort(const Error &error);

  /// Scratch memory of the step, which lives longer than this.
  void setArena(void *memory, uint64_t bytes) {
    arena = memory;
    arenaBytes = bytes;
  }
  /// Tensors are bound elsewhere: a graph has the old addresses.
  void setMoved() { isMoved = true; }

  /// How a run is put on its stream, the same on all ranks.
  enum class Way {
    Calls,   // one by one
    Capture, // into a graph, which is then launched
    Graph    // that was captured before
  };
  /// After begin(). `whyNot` is empty if the device can; `isAsked` says that it
  /// shall, even where that is not the default.
  Error choose(const std::string &whyNot, bool isAsked, Way &way);
  void beginCapture(void *on);
  /// Before the capture ends, with the error of what was captured: success if
  /// the library just does not want to.
  Error endCapture(const Error &result);
  bool isRefused() const { return !refusal.empty(); }
  /// After the capture, if that did not fail: whether all ranks have one.
  Error keep(bool &isKept);
  /// Puts the graph on the stream of the run.
  Error launch(const std::function<Error()> &launch);
  /// What lets go of the graph, also while it runs; from any thread.
  void setRelease(std::function<void()> value);

  /// How the last run was put on its stream, and why; empty if there was none,
  /// or if the collectives are not work of the stream.
  std::string describeRun() const;

  /// For MuonHostApi; the context is a StepCollectives.
  static void hostStart(void *context, int32_t collective,
                        void *const *buffers) noexcept;
  static void hostWait(void *context, int32_t collective) noexcept;

  bool hasFailed() const { return failure.has_value(); }

  /// Of the last run that had no error.
  const std::optional<Traffic> &getTraffic() const { return traffic; }

private:
  /// A collective under way.
  struct Active {
    CollectiveBuffers buffers;
    /// Where the segments that are received go, in memory of the device, if it
    /// is not that of the host. `buffers` are of `staging` then.
    std::vector<void *> onDevice;
    std::vector<std::vector<char>> staging;
    // Last: it uses what is above until it is gone.
    std::unique_ptr<Transfer> transfer;
  };

  const Collective *find(int32_t index, const char *what);
  void fail(const Error &error);
  void start(int32_t index, void *const *buffers);
  void wait(int32_t index);
  Error expand(const Collective &collective, void *const *buffers,
               Active &active) const;
  Error checkAddresses(const Collective &collective,
                       const CollectiveBuffers &buffers) const;
  std::string tensorsOf(const CollectiveBuffers &buffers) const;
  Error stage(const Collective &collective, Active &active) const;
  Error download(void *host, const void *address, uint64_t bytes) const;
  Error store(const Collective &collective, Active &active) const;
  Error checkWaited() const;
  void letGo();
  void locate(const Collective &collective, const CollectiveBuffers &buffers);
  Error confer(const std::string &whyNot, bool isAsked);

  const Distribution &distribution;
  Device &device;
  const void *const ok;
  void *stream = nullptr;
  std::shared_ptr<Communicator> communicator;
  bool plansAgree = false;
  /// Whether the communicator reads and writes memory of the device itself.
  bool isDirect = false;
  TensorNames tensorNames;
  void *arena = nullptr;
  uint64_t arenaBytes = 0;
  std::unique_ptr<Marks> marks;

  /// Of the communicator, if it works on memory of the device.
  DirectCommunicator *direct = nullptr;
  bool isMoved = false, isCapturing = false;
  /// Where collectives have their buffers, by fingerprint.
  std::map<uint64_t, int> places;
  /// Of runs with this communicator that had no error.
  bool hasRun = false, hasConferred = false;
  /// Why runs are not graphs; empty if they are.
  std::string whyCalls;
  Way lastWay = Way::Calls;
  int capturesInARow = 0;
  std::string refusal, registrationText;
  std::function<void()> release;
  std::shared_ptr<const DirectCommunicator::Recording> recording;
  std::unique_ptr<DirectCommunicator::Registration> registration;

  std::map<int32_t, Active> active;
  std::optional<Error> failure;
  Traffic before;
  std::optional<Traffic> traffic;
};

/// An error that says how the plans of the ranks differ, the same difference on
/// all of them. All ranks of the communicator call this.
Error comparePlans(const Distribution &distribution,
                   Communicator &communicator);

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_STEPCOLLECTIVES_H
