//===- FakeMachine.h - The state behind the fake driver ---------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_FAKECUDA_FAKEMACHINE_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_FAKECUDA_FAKEMACHINE_H

#include "CudaDriver.h"
#include "FakeCuda.h"
#include "muon-mlir/PTXSim/PTXSim.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace muon::cuda {

/// Returns NotReady to be called again.
using Work = std::function<Result()>;

/// Work of a stream that has not run yet, and what comes before it.
struct Operation {
  std::vector<std::shared_ptr<Operation>> before;
  Work work;
  Context context = nullptr;
  bool isDone = false;
};
using OperationPtr = std::shared_ptr<Operation>;

struct CUctx_st {
  Ordinal ordinal = 0;
  bool isPrimary = false;
  /// What every call returns once a kernel has failed.
  Result failure = Success;
  std::shared_ptr<struct CUstream_st> legacy;
  std::map<std::thread::id, std::shared_ptr<struct CUstream_st>> perThread;
};

struct CUgraph_st {
  Context context = nullptr;
  std::vector<Work> nodes;
};

struct CUstream_st {
  Context context = nullptr;
  bool isBlocking = true;
  OperationPtr last;

  CaptureStatus capture = CaptureNone;
  CaptureMode mode = CaptureGlobal;
  std::thread::id captureThread;
  std::unique_ptr<CUgraph_st> graph;
};

struct CUevent_st {
  Context context = nullptr;
  OperationPtr recorded;
};

struct CUgraphExec_st {
  Context context = nullptr;
  std::shared_ptr<const std::vector<Work>> nodes;
  /// Launches of one graph follow each other.
  OperationPtr last;
};

struct CUmod_st {
  Context context = nullptr;
  std::shared_ptr<const ptxsim::Module> module;
  std::map<std::string, std::unique_ptr<struct CUfunc_st>> functions;
};

struct CUfunc_st {
  CodeModule module = nullptr;
  const ptxsim::KernelInfo *info = nullptr;
  int maxDynamicShared = 0;
};

/// Objects by handle, so that a handle of nothing is refused.
template <class T>
class Table {
public:
  T *make() {
    auto owner = std::make_unique<T>();
    T *handle = owner.get();
    objects.emplace(handle, std::move(owner));
    return handle;
  }
  T *add(std::unique_ptr<T> owner) {
    T *handle = owner.get();
    objects.emplace(handle, std::move(owner));
    return handle;
  }
  bool has(T *handle) const { return objects.count(handle); }
  bool erase(T *handle) { return objects.erase(handle); }
  size_t size() const { return objects.size(); }
  /// Not to be called: for its type.
  T *any() const;
  template <class F>
  void each(F f) {
    for (auto &entry : objects)
      f(*entry.first);
  }

private:
  std::unordered_map<T *, std::unique_ptr<T>> objects;
};

struct Allocation {
  uint64_t bytes = 0;
  Context context = nullptr;
};

struct FakeOptions {
  int devices = 1;
  int driver = 12040;
  int capability = 80;
  uint64_t memory = 256u << 20;
  uint64_t seed = 0;
  uint64_t failAlloc = 0, failHost = 0, failLaunch = 0, failKernel = 0;
  int refuseCubin = 0, refusePtx = 0;

  bool parse(const std::string &text);
  /// The newest PTX that the driver reads, times ten.
  unsigned newestPtx() const;
  int maxSharedOptin() const;
};

struct Machine {
  FakeOptions options;
  bool isInitialized = false;
  ptxsim::Device device;
  std::vector<int> retains;
  std::vector<Context> primaries;

  Table<CUctx_st> contexts;
  Table<CUstream_st> streams;
  Table<CUevent_st> events;
  Table<CUgraph_st> graphs;
  Table<CUgraphExec_st> graphExecs;
  Table<CUmod_st> modules;
  std::unordered_set<Function> functions;
  std::map<Address, Allocation> memory;
  std::map<uintptr_t, uint64_t> hostMemory;

  FakeCudaStats done = {};
  uint64_t allocs = 0, hostAllocs = 0;
  std::string findings;

  ~Machine();

  Context makeContext(Ordinal ordinal, bool isPrimary);
  void destroyContext(Context context);
  FakeCudaStats stats() const;

  /// The allocation that the range lies in; null if it is in none.
  const Allocation *find(Address address, uint64_t bytes) const;
  bool isPinned(const void *address, uint64_t bytes) const;
  uint64_t used(Ordinal ordinal) const;

  /// The stream that a handle stands for in a context.
  Result resolve(Context context, Stream handle, Stream &stream);
  /// Puts work on a stream, or into the graph that it is captured into.
  Result push(Stream stream, Work work,
              const std::vector<OperationPtr> &before = {});
  /// As far as work is ready; whether all is done.
  bool complete(const OperationPtr &operation);
  void completeAll(Context context);
  std::vector<Stream> streamsOf(Context context);

  /// Whether captures forbid this thread what might be unsafe; if so they are
  /// invalid from now on.
  bool breaksCapture();
  void invalidate(Stream stream);

  Result runKernel(Function function, unsigned blocks[3], unsigned threads[3],
                   unsigned shared, const ptxsim::Parameters &parameters);
};

} // namespace muon::cuda

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_FAKECUDA_FAKEMACHINE_H
