//===- communicators.cpp - Collectives against copies ---------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Bytes that ranks receive per second, of all ranks together, by threads and by
// messages of MPI. Beside them, in the same run and in turn: memcpy by as many
// threads, of as many bytes as the ranks receive, or MPI's own collective.
// Then what of a transfer is hidden behind a computation between its start and
// the wait: the time of all three against computation and transfer one after
// the other. 1 hides nothing; 0.5 is all, since both take as long.
//   communicators_bench                        threads and memcpy
//   mpirun -n 2 communicators_bench --mpi      MPI; rank 0 prints
//
//===----------------------------------------------------------------------===//

#include "Communicator.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#if MUON_HAS_MPI
#include <mpi.h>
#endif

using namespace muon;

namespace {

using Clock = std::chrono::steady_clock;

void check(const Error &error) {
  if (!error)
    return;
  std::fprintf(stderr, "communicators_bench: error: %s\n",
               error.message().c_str());
  std::exit(1);
}

/// `elements` f32 of each rank.
struct Rank {
  Rank(Collective::Kind kind, int32_t rank, int32_t ranks, int64_t elements) {
    collective.kind = kind;
    collective.name = "benchmark";
    collective.group.resize(size_t(ranks));
    std::iota(collective.group.begin(), collective.group.end(), 0);
    collective.place = rank;
    int64_t part = elements / ranks;
    from.assign(size_t(elements), 1.0f);
    to.assign(size_t(elements), 0.0f);
    auto add = [&](int64_t count, int32_t source, int32_t target, float *send,
                   float *receive) {
      collective.segments.push_back({count, source, target});
      buffers.send.push_back(send);
      buffers.receive.push_back(receive);
    };
    if (kind == Collective::AllReduce)
      add(elements, -1, -1, from.data(), to.data());
    for (int32_t i = 0; i < ranks && kind == Collective::ReduceScatter; ++i)
      add(part, -1, i, from.data() + i * part, i == rank ? to.data() : nullptr);
    for (int32_t i = 0; i < ranks && kind == Collective::AllGather; ++i)
      add(part, i, -1, i == rank ? from.data() : nullptr, to.data() + i * part);
    for (int32_t i = 0; i < ranks && kind == Collective::AllToAll; ++i)
      for (int32_t j = 0; j < ranks; ++j)
        add(part, i, j, i == rank ? from.data() + j * part : nullptr,
            j == rank ? to.data() + i * part : nullptr);
  }

  void execute(Communicator &communicator) {
    std::unique_ptr<Transfer> transfer;
    check(communicator.start(collective, buffers, transfer));
    check(transfer->wait());
  }

  Collective collective;
  CollectiveBuffers buffers;
  std::vector<float> from, to;
};

constexpr const char *kNames[] = {"all_reduce", "reduce_scatter", "all_gather",
                                  "all_to_all"};

/// Rounds of all ranks at once; seconds of one.
template <typename Body>
double timeThreads(int32_t ranks, int rounds, Body body) {
  std::vector<std::thread> threads;
  auto begin = Clock::now();
  for (int32_t rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      for (int round = 0; round < rounds; ++round)
        body(rank);
    });
  for (std::thread &thread : threads)
    thread.join();
  return std::chrono::duration<double>(Clock::now() - begin).count() / rounds;
}

void threadsAndCopies(benchmark::State &state) {
  auto kind = Collective::Kind(state.range(0));
  auto ranks = int32_t(state.range(1));
  int64_t elements = state.range(2) / 4 / ranks * ranks;
  std::vector<std::unique_ptr<Communicator>> communicators;
  check(makeThreadCommunicators(ranks, communicators));
  std::vector<std::unique_ptr<Rank>> all;
  for (int32_t i = 0; i < ranks; ++i)
    all.push_back(std::make_unique<Rank>(kind, i, ranks, elements));
  uint64_t received = 0;
  for (auto &rank : all)
    received += getTraffic(rank->collective).bytesReceived;
  uint64_t each = received / uint64_t(ranks);
  std::vector<std::vector<char>> sources(size_t(ranks),
                                         std::vector<char>(each, 1)),
      targets = sources;
  int rounds =
      int(std::clamp<int64_t>((int64_t(64) << 20) / (elements * 4), 1, 200));
  double seconds = 0, copySeconds = 0;
  for (auto _ : state) {
    double time = timeThreads(ranks, rounds, [&](int32_t rank) {
      all[size_t(rank)]->execute(*communicators[size_t(rank)]);
    });
    copySeconds += timeThreads(ranks, rounds, [&](int32_t rank) {
      std::memcpy(targets[size_t(rank)].data(), sources[size_t(rank)].data(),
                  each);
      benchmark::DoNotOptimize(targets[size_t(rank)].data());
      benchmark::ClobberMemory();
    });
    seconds += time;
    state.SetIterationTime(time);
  }
  auto iterations = double(state.iterations());
  state.SetLabel(kNames[kind]);
  state.counters["GB/s"] = double(received) * iterations / seconds / 1e9;
  state.counters["memcpy GB/s"] =
      double(received) * iterations / copySeconds / 1e9;
}

/// An amount of work for a core, or time that passes elsewhere, as on a GPU.
class Computation {
public:
  Computation(bool isElsewhere, double seconds)
      : isElsewhere(isElsewhere), seconds(seconds),
        steps(int64_t(seconds * stepsPerSecond())) {}
  void execute() const {
    if (isElsewhere)
      std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    else
      work(steps);
  }

private:
  static void work(int64_t steps) {
    double value = 0.5;
    benchmark::DoNotOptimize(value);
    for (int64_t i = 0; i < steps; ++i)
      value = value * 0.999 + 1e-3;
    benchmark::DoNotOptimize(value);
  }
  static double stepsPerSecond() {
    static const double speed = [] {
      constexpr int64_t steps = 20000000;
      work(steps);
      auto begin = Clock::now();
      work(steps);
      std::chrono::duration<double> time = Clock::now() - begin;
      return double(steps) / time.count();
    }();
    return speed;
  }

  bool isElsewhere;
  double seconds;
  int64_t steps;
};

/// Seconds of one round; the ranks take turns at each of the three.
struct OverlapTimes {
  double transfer = 0, compute = 0, together = 0;
  double ratio() const { return together / (transfer + compute); }
};

/// time(body) is that of one round of all ranks, body(i) of one of rank i.
template <typename Time>
OverlapTimes measureOverlap(
    bool isElsewhere, int turns, std::function<Rank &(int32_t)> rankOf,
    std::function<Communicator &(int32_t)> communicatorOf, Time time) {
  auto transfer = [&](int32_t i) { rankOf(i).execute(communicatorOf(i)); };
  time(transfer);
  double once = 0;
  for (int i = 0; i < 5; ++i)
    once += time(transfer) / 5;
  Computation computation(isElsewhere, once);
  OverlapTimes sum;
  for (int turn = 0; turn < turns; ++turn) {
    sum.transfer += time(transfer) / turns;
    sum.compute += time([&](int32_t) { computation.execute(); }) / turns;
    sum.together += time([&](int32_t i) {
                      Rank &rank = rankOf(i);
                      std::unique_ptr<Transfer> transfer;
                      check(communicatorOf(i).start(rank.collective,
                                                    rank.buffers, transfer));
                      computation.execute();
                      check(transfer->wait());
                    }) /
                    turns;
  }
  return sum;
}

constexpr int kOverlapTurns = 20;

void threadsAndComputation(benchmark::State &state) {
  auto kind = Collective::Kind(state.range(0));
  auto ranks = int32_t(state.range(1));
  int64_t elements = state.range(2) / 4 / ranks * ranks;
  std::vector<std::unique_ptr<Communicator>> communicators;
  check(makeThreadCommunicators(ranks, communicators));
  std::vector<std::unique_ptr<Rank>> all;
  for (int32_t i = 0; i < ranks; ++i)
    all.push_back(std::make_unique<Rank>(kind, i, ranks, elements));
  OverlapTimes times;
  for (auto _ : state) {
    times = measureOverlap(
        state.range(3), kOverlapTurns,
        [&](int32_t i) -> Rank & { return *all[size_t(i)]; },
        [&](int32_t i) -> Communicator & { return *communicators[size_t(i)]; },
        [&](auto body) { return timeThreads(ranks, 1, body); });
    state.SetIterationTime(times.together);
  }
  state.SetLabel(std::string(kNames[kind]) +
                 (state.range(3) ? ", computed elsewhere" : ""));
  state.counters["ratio"] = times.ratio();
  state.counters["transfer ms"] = times.transfer * 1e3;
  state.counters["compute ms"] = times.compute * 1e3;
  state.counters["together ms"] = times.together * 1e3;
}

} // namespace

BENCHMARK(threadsAndCopies)
    ->UseManualTime()
    ->ArgNames({"kind", "ranks", "bytes"})
    ->ArgsProduct({{0, 1, 2, 3}, {2, 4}, {4 << 10, 1 << 20, 64 << 20}})
    ->Iterations(5);
BENCHMARK(threadsAndComputation)
    ->UseManualTime()
    ->ArgNames({"kind", "ranks", "bytes", "elsewhere"})
    ->ArgsProduct({{0, 2}, {2}, {1 << 20, 64 << 20}, {0, 1}})
    ->Iterations(1);

#if MUON_HAS_MPI
static void executeRaw(Rank &rank, int ranks) {
  auto all = int(rank.from.size());
  float *from = rank.from.data(), *to = rank.to.data();
  switch (rank.collective.kind) {
  case Collective::AllReduce:
    MPI_Allreduce(from, to, all, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    break;
  case Collective::ReduceScatter:
    MPI_Reduce_scatter_block(from, to, all / ranks, MPI_FLOAT, MPI_SUM,
                             MPI_COMM_WORLD);
    break;
  case Collective::AllGather:
    MPI_Allgather(from, all / ranks, MPI_FLOAT, to, all / ranks, MPI_FLOAT,
                  MPI_COMM_WORLD);
    break;
  case Collective::AllToAll:
    MPI_Alltoall(from, all / ranks, MPI_FLOAT, to, all / ranks, MPI_FLOAT,
                 MPI_COMM_WORLD);
    break;
  }
}

static int compareWithMpi() {
  std::unique_ptr<Communicator> communicator;
  check(makeMpiCommunicator(communicator));
  int32_t ranks = communicator->size(), self = communicator->rank();
  if (!self)
    std::printf("%-15s %6s %12s %10s %10s\n", "collective", "ranks", "bytes",
                "GB/s", "MPI GB/s");
  for (int kind = 0; kind < 4; ++kind) {
    for (int64_t bytes : {4 << 10, 1 << 20, 64 << 20}) {
      int64_t elements = bytes / 4 / ranks * ranks;
      Rank rank(Collective::Kind(kind), self, ranks, elements);
      double received =
          double(getTraffic(rank.collective).bytesReceived) * ranks;
      int rounds = int(std::max<int64_t>((int64_t(32) << 20) / bytes, 1));
      rounds = std::min(rounds, 500);
      double seconds[2] = {};
      // The first turn warms up.
      for (int turn = 0; turn < 6; ++turn) {
        for (int isRaw : {0, 1}) {
          MPI_Barrier(MPI_COMM_WORLD);
          auto begin = Clock::now();
          for (int round = 0; round < rounds; ++round)
            isRaw ? executeRaw(rank, ranks) : rank.execute(*communicator);
          MPI_Barrier(MPI_COMM_WORLD);
          std::chrono::duration<double> time = Clock::now() - begin;
          if (turn)
            seconds[isRaw] += time.count() / rounds / 5;
        }
      }
      if (!self)
        std::printf("%-15s %6d %12lld %10.3f %10.3f\n", kNames[kind], ranks,
                    (long long)bytes, received / seconds[0] / 1e9,
                    received / seconds[1] / 1e9);
    }
  }

  if (!self)
    std::printf("\n%-15s %6s %12s %10s %12s %12s %12s %6s\n", "collective",
                "ranks", "bytes", "computed", "transfer ms", "compute ms",
                "together ms", "ratio");
  for (int kind : {0, 2}) {
    for (int64_t bytes : {1 << 20, 64 << 20}) {
      for (bool isElsewhere : {false, true}) {
        Rank rank(Collective::Kind(kind), self, ranks,
                  bytes / 4 / ranks * ranks);
        OverlapTimes times = measureOverlap(
            isElsewhere, kOverlapTurns, [&](int32_t) -> Rank & { return rank; },
            [&](int32_t) -> Communicator & { return *communicator; },
            [&](auto body) {
              MPI_Barrier(MPI_COMM_WORLD);
              auto begin = Clock::now();
              body(self);
              MPI_Barrier(MPI_COMM_WORLD);
              std::chrono::duration<double> time = Clock::now() - begin;
              return time.count();
            });
        if (!self)
          std::printf("%-15s %6d %12lld %10s %12.2f %12.2f %12.2f %6.2f\n",
                      kNames[kind], ranks, (long long)bytes,
                      isElsewhere ? "elsewhere" : "here", times.transfer * 1e3,
                      times.compute * 1e3, times.together * 1e3, times.ratio());
      }
    }
  }
  return 0;
}
#endif

int main(int argc, char **argv) {
#if MUON_HAS_MPI
  if (argc == 2 && !std::strcmp(argv[1], "--mpi"))
    return compareWithMpi();
#endif
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
