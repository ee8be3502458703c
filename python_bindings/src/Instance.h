//===- Instance.h - Steps that are bound to tensors -------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_PYTHON_INSTANCE_H
#define MUON_MLIR_PYTHON_INSTANCE_H

#include "Artifact.h"

#include <atomic>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace muon::python {

/// A step of an artifact and what it is bound to.
class Instance {
public:
  explicit Instance(std::shared_ptr<Artifact> artifact);

  /// Binds, if the mappings are not None, and runs. Either all of it happens or
  /// nothing does, but for errors that end a step half way.
  nanobind::object run(nanobind::object params, nanobind::object grads,
                       nanobind::object state, nanobind::object lr,
                       nanobind::object weightDecay, nanobind::object momentum,
                       nanobind::object clip, nanobind::object stream,
                       bool wait);
  void bind(nanobind::object params, nanobind::object grads,
            nanobind::object state);
  void bindAddresses(nanobind::list indices, nanobind::list addresses);
  nanobind::tuple wait();
  nanobind::list nonFinite();
  nanobind::dict statistics();
  nanobind::object address(size_t index) const;
  int64_t runNanoseconds() const { return nanoseconds; }

private:
  struct Bound {
    View view;
    bool isBound = false;
  };
  using Pending = std::vector<std::pair<size_t, Bound>>;

  /// Calls of two threads do not wait for each other: which of two steps came
  /// first would be chance.
  struct Use {
    explicit Use(Instance &instance) : instance(instance) {
      if (instance.inUse.test_and_set())
        raise("StepError", "the step is in use by another thread");
    }
    ~Use() { instance.inUse.clear(); }
    Instance &instance;
  };

  Pending import(nanobind::handle params, nanobind::handle grads,
                 nanobind::handle state);
  void importAll(nanobind::handle mapping, const char *keyword,
                 const char *what, const nanobind::dict &indices,
                 Pending &pending);
  void importOne(nanobind::handle name, nanobind::handle tensor,
                 const char *what, const nanobind::dict &indices,
                 Pending &pending);
  MuonStatus bindAddress(size_t index, void *address);
  void commit(Pending &pending);
  void rollBack(Pending &previous);
  void checkAllBound(const Pending &pending) const;

  void resolve(MuonRole role, const char *keyword, nanobind::handle given);
  void checkGroups(MuonRole role, const char *keyword,
                   nanobind::handle given) const;
  void setScalars();

  std::shared_ptr<Artifact> artifact;
  nanobind::dict weights, gradients, states;
  std::vector<Bound> bound;
  bool isComplete = false; // all are bound, so that no call has to look
  // Of the scalars: what this call asks for, and what the step has.
  std::vector<std::optional<double>> asked, current;
  int64_t nanoseconds = 0;
  std::atomic_flag inUse = ATOMIC_FLAG_INIT;
  // The last member: no view ends before the step.
  std::unique_ptr<MuonStep, void (*)(MuonStep *)> step{nullptr,
                                                       muonStepDestroy};
};

} // namespace muon::python

#endif // MUON_MLIR_PYTHON_INSTANCE_H
