//===- CpuThreads.cpp - Loops on all cores --------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CpuThreads.h"

#include <cblas.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace muon;

int muon::cpuThreads() { return std::max(openblas_get_num_threads(), 1); }

void muon::setCpuThreads(int threads) { openblas_set_num_threads(threads); }

namespace {

/// Pieces into which the share of one thread is cut, so that a thread that is
/// held up delays the end by little.
constexpr int64_t kPiecesPerThread = 8;

struct Loop {
  Loop(int64_t count, int64_t piece, void (*body)(void *, int64_t), void *data)
      : count(count), piece(piece), body(body), data(data) {}

  /// Takes and executes pieces until none is left.
  void work() {
    for (;;) {
      int64_t begin = next.fetch_add(piece, std::memory_order_relaxed);
      if (begin >= count)
        return;
      int64_t end = begin + std::min(piece, count - begin);
      for (int64_t i = begin; i < end; ++i)
        body(data, i);
    }
  }

  const int64_t count, piece;
  void (*const body)(void *, int64_t);
  void *const data;
  std::atomic<int64_t> next{0};
};

/// Threads that help one loop at a time.
class Pool {
public:
  ~Pool() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      isStopping = true;
    }
    wake.notify_all();
    for (std::thread &worker : workers)
      worker.join();
  }

  /// False, and nothing is done, if a loop is under way: that of another
  /// thread, or the one that the caller is a part of.
  bool run(Loop &loop, int64_t helpers) {
    if (isBusy.exchange(true, std::memory_order_acquire))
      return false;
    {
      std::lock_guard<std::mutex> lock(mutex);
      grow(helpers);
      helpers = std::min<int64_t>(helpers, workers.size());
      current = &loop;
      vacancies = helpers;
    }
    for (int64_t i = 0; i < helpers; ++i)
      wake.notify_one();
    loop.work();
    {
      // A helper that has not woken up by now is not waited for.
      std::unique_lock<std::mutex> lock(mutex);
      vacancies = 0;
      done.wait(lock, [&] { return working == 0; });
      current = nullptr;
    }
    isBusy.store(false, std::memory_order_release);
    return true;
  }

private:
  void grow(int64_t count) {
    try {
      while (int64_t(workers.size()) < count)
        workers.emplace_back([this] { serve(); });
    } catch (const std::system_error &) {
      // The system has no more threads to give; fewer do the same.
    }
  }

  void serve() {
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return isStopping || vacancies > 0; });
      if (isStopping)
        return;
      --vacancies;
      ++working;
      Loop *loop = current;
      lock.unlock();
      loop->work();
      lock.lock();
      if (--working == 0)
        done.notify_one();
    }
  }

  std::atomic<bool> isBusy{false};
  std::mutex mutex;
  std::condition_variable wake, done;
  std::vector<std::thread> workers;
  Loop *current = nullptr;
  int64_t vacancies = 0, working = 0;
  bool isStopping = false;
};

} // namespace

void muon::parallelFor(int64_t count, void (*body)(void *, int64_t),
                       void *data) {
  if (count <= 0)
    return;
  int64_t threads = std::min<int64_t>(cpuThreads(), count);
  Loop loop(count, std::max<int64_t>(count / (threads * kPiecesPerThread), 1),
            body, data);
  if (threads > 1) {
    static Pool pool;
    if (pool.run(loop, threads - 1))
      return;
  }
  loop.work();
}

namespace {

struct SummedLoop {
  void (*body)(void *, int64_t, double *);
  void *data;
  int64_t numSums;
  double *partials;
};

} // namespace

void muon::parallelForWithSums(int64_t count,
                               void (*body)(void *, int64_t, double *),
                               void *data, int64_t numSums, int64_t group,
                               double *const *sums) {
  // Kept from one step to the next. It is taken out while in use, because a
  // body may get here again.
  static thread_local std::vector<double> spare;
  std::vector<double> partials = std::move(spare);
  partials.assign(size_t(count * numSums), 0.0);

  SummedLoop loop = {body, data, numSums, partials.data()};
  parallelFor(
      count,
      [](void *data, int64_t i) {
        auto *loop = static_cast<SummedLoop *>(data);
        loop->body(loop->data, i, loop->partials + i * loop->numSums);
      },
      &loop);

  for (int64_t s = 0; s < numSums; ++s) {
    for (int64_t begin = 0; begin < count; begin += group) {
      double sum = 0;
      for (int64_t i = begin; i < begin + group; ++i)
        sum += partials[size_t(i * numSums + s)];
      sums[s][begin / group] = sum;
    }
  }
  spare = std::move(partials);
}
