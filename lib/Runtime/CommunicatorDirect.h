//===- CommunicatorDirect.h - Collectives on memory of GPUs -----*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_COMMUNICATORDIRECT_H
#define MUON_MLIR_LIB_RUNTIME_COMMUNICATORDIRECT_H

#include "Error.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace muon {

class Device;
class Marks;
struct Collective;

/// What a communicator whose collectives are work of a stream can do besides.
class DirectCommunicator {
public:
  /// Collectives that a graph has.
  class Recording {
  public:
    virtual ~Recording();
  };
  /// Memory is registered until this goes, or the communicator has failed.
  class Registration {
  public:
    virtual ~Registration();
  };

  virtual ~DirectCommunicator();

  /// Where each collective of the run puts a mark once it is over on this rank,
  /// counted from 1; null for nowhere. After beginRun(); forgets what was
  /// started before.
  virtual void setMarks(Marks *marks) = 0;

  /// What is started until endCapture() becomes work of a graph, by `stream`,
  /// which is being captured.
  virtual void beginCapture(void *stream) = 0;
  /// Before the capture of the stream ends. `refusal` is empty, or why the
  /// library takes no part in graphs; the communicator is as it was then.
  virtual void endCapture(std::string &refusal,
                          std::shared_ptr<const Recording> &recording) = 0;
  /// Puts the graph of `recording` on the stream of the run by launch(), but
  /// not after a failure.
  virtual Error launch(const Recording &recording,
                       const std::function<Error()> &launch) = 0;
  /// Calls release(), from any thread, when what is on streams is aborted: that
  /// ends only when graphs are gone. Null to take it back.
  virtual void setRelease(const void *owner, std::function<void()> release) = 0;

  /// Whether `mine` is true on any rank. All ranks call it.
  virtual Error isAnywhere(bool mine, bool &isAny) = 0;

  /// Whether calls of a collective differ between its ranks.
  virtual bool isCutUp(const Collective &collective) const = 0;
  /// Registers memory for collectives of each of the groups that this rank is
  /// in; the list is the same on all ranks, and all of them call this. Of a
  /// group, all ranks do so or none: `numGroups` counts those where they do,
  /// and `whyNot` says what is wrong with the others.
  virtual Error registerMemory(Device &device, void *memory, uint64_t bytes,
                               const std::vector<std::vector<int32_t>> &groups,
                               std::unique_ptr<Registration> &registration,
                               size_t &numGroups, std::string &whyNot) = 0;
};

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_COMMUNICATORDIRECT_H
