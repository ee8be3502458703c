//===- streams.cpp - Elementwise parts of a step against a copy -----------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bandwidth of the elementwise parts of a compiled step on buffers larger than
// any cache, against that of a copy by memcpy: same threads, same pieces, in
// one process and in turn, so that a change of the machine's load meets both.
// Bytes are those that a part has to read and those it has to write, once each;
// what a processor reads because it is about to overwrite it is not counted.
// Usage: streams_bench DIR, where DIR holds the artifacts NAME.so that
// benchmarks/streams.py compiles.
//
//===----------------------------------------------------------------------===//

#include "CpuThreads.h"
#include "muon-mlir/Runtime/Runtime.h"
#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

struct Stream {
  const char *name;
  /// Of f32, for each element of the parameter.
  int64_t reads, writes;
};

constexpr Stream kStreams[] = {
    {"look", 1, 0},     // reads G
    {"momentum", 2, 2}, // reads G and M, writes M and X
    {"apply", 2, 1},    // reads X and W, writes W
    {"adamw", 4, 3},    // reads G, W and both moments, writes all but G
};

/// What one iteration of a compiled loop works on (see MuonToLinalg.cpp).
constexpr int64_t kPiece = 4 << 16;

using Buffer = std::unique_ptr<char, decltype(&std::free)>;

void check(MuonStatus status) {
  if (status == MUON_OK)
    return;
  std::fprintf(stderr, "streams_bench: error: %s\n", muonLastError());
  std::exit(1);
}

Buffer allocate(uint64_t bytes) {
  void *memory = nullptr;
  if (::posix_memalign(&memory, 4096, bytes) != 0) {
    std::fprintf(stderr, "streams_bench: error: cannot allocate %llu bytes\n",
                 static_cast<unsigned long long>(bytes));
    std::exit(1);
  }
  return {static_cast<char *>(memory), std::free};
}

/// Uniform numbers from 0.25 to 0.75: second moments are not negative, and no
/// result gets so small that arithmetic becomes slow.
Buffer makeTensor(uint64_t elements, uint32_t seed) {
  Buffer buffer = allocate(elements * sizeof(float));
  auto *data = reinterpret_cast<float *>(buffer.get());
  std::minstd_rand random(seed);
  for (uint64_t i = 0; i < elements; ++i)
    data[i] = 0.25f + float(random()) / float(std::minstd_rand::max()) / 2;
  return buffer;
}

/// An artifact of one stream, bound to random tensors.
class Compiled {
public:
  explicit Compiled(const std::string &path) {
    check(muonArtifactLoad(path.c_str(), "cpu", &artifact));
    check(muonStepCreate(artifact, &step));
    for (size_t i = 0; i < muonArtifactTensorCount(artifact); ++i) {
      MuonTensorInfo info;
      check(muonArtifactTensor(artifact, i, &info));
      Buffer data = info.type == MUON_TYPE_F32
                        ? makeTensor(info.elements, uint32_t(i) + 1)
                        : allocate(info.bytes);
      if (info.type != MUON_TYPE_F32)
        std::memset(data.get(), 0, info.bytes);
      MuonBuffer buffer{data.get(), info.type, info.rank, info.shape,
                        info.bytes};
      check(muonStepBind(step, info.role, info.name, &buffer));
      elements = std::max(elements, info.elements);
      buffers.push_back(std::move(data));
    }
  }
  ~Compiled() {
    muonStepDestroy(step);
    muonArtifactRelease(artifact);
  }
  Compiled(const Compiled &) = delete;
  Compiled &operator=(const Compiled &) = delete;

  void run() {
    MuonResult result;
    check(muonStepRun(step, nullptr, &result));
  }
  /// Of the largest tensor.
  uint64_t getElements() const { return elements; }

private:
  MuonArtifact *artifact = nullptr;
  MuonStep *step = nullptr;
  std::vector<Buffer> buffers;
  uint64_t elements = 0;
};

void compare(benchmark::State &state, const std::string &path,
             const Stream &stream) {
  Compiled compiled(path);
  uint64_t size = compiled.getElements() * sizeof(float);
  Buffer from = makeTensor(compiled.getElements(), 99), to = allocate(size);
  auto copy = [&] {
    muon::parallelFor(int64_t(size) / kPiece, [&](int64_t i) {
      std::memcpy(to.get() + i * kPiece, from.get() + i * kPiece, kPiece);
    });
  };
  compiled.run();
  copy();

  auto seconds = [](auto &&call) {
    auto start = std::chrono::steady_clock::now();
    call();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         start)
        .count();
  };
  std::vector<double> ours, theirs;
  for (auto _ : state) {
    ours.push_back(seconds([&] { compiled.run(); }));
    theirs.push_back(seconds(copy));
    state.SetIterationTime(ours.back());
  }
  auto median = [](std::vector<double> &values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2,
                     values.end());
    return values[values.size() / 2];
  };
  double bytes = double(size) * double(stream.reads + stream.writes);
  double mine = bytes / median(ours);
  double plain = 2.0 * double(size) / median(theirs);
  state.counters["GB_per_s"] = mine / 1e9;
  state.counters["copy_GB_per_s"] = plain / 1e9;
  state.counters["ratio"] = mine / plain;
}

} // namespace

int main(int argc, char **argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: streams_bench DIR [benchmark flags]\n");
    return 1;
  }
  for (const Stream &stream : kStreams) {
    std::string path = std::string(argv[1]) + "/" + stream.name + ".so";
    benchmark::RegisterBenchmark(
        (std::string("streams/") + stream.name).c_str(),
        [path, stream](benchmark::State &state) {
          compare(state, path, stream);
        })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond)
        ->MinTime(1.0);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
