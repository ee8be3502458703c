//===- products.cpp - Products of the runtime against plain sgemm ---------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Times each product of the runtime against one sgemm of all of the same
// operands in f32, with the same threads. "ratio" is the quotient of medians;
// both run in turn, so that a change of the machine's load meets both.
//
//===----------------------------------------------------------------------===//

#include "CpuProducts.h"
#include "CpuThreads.h"
#include "muon-mlir/Runtime/HostApi.h"
#include <algorithm>
#include <benchmark/benchmark.h>
#include <cblas.h>
#include <chrono>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

using namespace muon;

namespace {

/// Small numbers that are not all alike, stored as `type`.
std::vector<float> makeMatrix(int32_t type, int64_t count) {
  std::vector<float> result(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    auto value = float(i * 7919 % 1009 - 504) / 4096;
    auto *narrow = reinterpret_cast<uint16_t *>(result.data()) + i;
    if (type == MUON_BF16) {
      uint32_t bits;
      std::memcpy(&bits, &value, 4);
      *narrow = uint16_t(bits >> 16);
    } else if (type == MUON_F16) {
      // 2⁻³ to 2⁻², either sign.
      *narrow = uint16_t((i % 3 ? 0x3000 : 0xb000) + i % 1021);
    } else {
      result[static_cast<size_t>(i)] = value;
    }
  }
  return result;
}

void compare(benchmark::State &state, const std::function<void()> &ours,
             const std::function<void()> &plain) {
  using Clock = std::chrono::steady_clock;
  auto seconds = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  ours();
  plain();
  std::vector<double> mine, others;
  for (auto _ : state) {
    auto start = Clock::now();
    ours();
    mine.push_back(seconds(start));
    state.SetIterationTime(mine.back());
    start = Clock::now();
    plain();
    others.push_back(seconds(start));
  }
  auto median = [](std::vector<double> &values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2,
                     values.end());
    return values[values.size() / 2];
  };
  double theirs = median(others);
  state.counters["plain_ms"] = theirs * 1e3;
  state.counters["ratio"] = median(mine) / theirs;
}

void gemm(CBLAS_TRANSPOSE order, int64_t m, int64_t n, int64_t k,
          const std::vector<float> &a, const std::vector<float> &b,
          std::vector<float> &out) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, order, blasint(m), blasint(n),
              blasint(k), 1, a.data(), blasint(k), b.data(),
              blasint(order == CblasTrans ? k : n), 0, out.data(), blasint(n));
}

void symmetricProductBench(benchmark::State &state, int32_t type, int64_t n,
                           int64_t k) {
  std::vector<float> x = makeMatrix(type, n * k), wide = makeMatrix(0, n * k);
  std::vector<float> out(size_t(n * n)), plain(size_t(n * n));
  compare(
      state,
      [&] {
        symmetricProduct(type, 0, 1, n, k, 1, 0, nullptr, x.data(), nullptr,
                         out.data());
      },
      [&] { gemm(CblasTrans, n, n, k, wide, wide, plain); });
}

void commutingProductBench(benchmark::State &state, int32_t type, int64_t n,
                           int64_t) {
  std::vector<float> a = makeMatrix(type, n * n), wide = makeMatrix(0, n * n);
  std::vector<float> b = a, wideB = wide;
  std::vector<float> out(size_t(n * n)), plain(size_t(n * n));
  compare(
      state,
      [&] {
        commutingProduct(type, 1, n, 1, 0.5, 0.25, a.data(), b.data(),
                         out.data());
      },
      [&] { gemm(CblasNoTrans, n, n, n, wide, wideB, plain); });
}

void symmetricApplyBench(benchmark::State &state, int32_t type, int64_t m,
                         int64_t n) {
  std::vector<float> s = makeMatrix(type, m * m), x = makeMatrix(type, m * n);
  std::vector<float> wideS = makeMatrix(0, m * m), wideX = makeMatrix(0, m * n);
  std::vector<float> out(size_t(m * n)), plain(size_t(m * n));
  compare(
      state,
      [&] {
        symmetricApply(type, 0, 1, m, n, 1, 3.4445, nullptr, s.data(), x.data(),
                       out.data());
      },
      [&] { gemm(CblasNoTrans, m, n, m, wideS, wideX, plain); });
}

/// Copies 256 MiB in pieces by parallelFor, and by one thread.
void copyBench(benchmark::State &state) {
  constexpr int64_t pieces = 256, bytes = 1 << 20;
  std::vector<char> from(pieces * bytes, 1), to(pieces * bytes);
  auto copy = [&](int64_t i) {
    std::memcpy(&to[size_t(i * bytes)], &from[size_t(i * bytes)],
                size_t(bytes));
  };
  compare(
      state, [&] { parallelFor(pieces, copy); },
      [&] {
        for (int64_t i = 0; i < pieces; ++i)
          copy(i);
      });
  state.SetBytesProcessed(int64_t(state.iterations()) * pieces * bytes);
}

/// What a loop costs that does nothing, right after a product that has woken
/// the threads of the BLAS library up.
void startBench(benchmark::State &state) {
  std::vector<float> a = makeMatrix(MUON_F32, 512 * 512), b = a, c = a;
  for (auto _ : state) {
    gemm(CblasNoTrans, 512, 512, 512, a, b, c);
    auto start = std::chrono::steady_clock::now();
    parallelFor(64, [](int64_t i) { benchmark::DoNotOptimize(i); });
    state.SetIterationTime(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count());
  }
}

} // namespace

int main(int argc, char **argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 1;
  const char *types[] = {"f32", "tf32", "bf16", "f16"};
  const int64_t shapes[][2] = {{512, 2048}, {1024, 1024}, {2048, 2048}};
  const std::pair<const char *,
                  void (*)(benchmark::State &, int32_t, int64_t, int64_t)>
      products[] = {{"symmetric_product", symmetricProductBench},
                    {"commuting_product", commutingProductBench},
                    {"symmetric_apply", symmetricApplyBench}};
  for (auto &[name, function] : products)
    for (auto &[rows, columns] : shapes)
      for (int32_t type = 0; type < 4; ++type)
        benchmark::RegisterBenchmark(
            (std::string(name) + "/" + types[type] + "/" +
             std::to_string(rows) + "x" + std::to_string(columns))
                .c_str(),
            [f = function, type, r = rows,
             c = columns](benchmark::State &state) { f(state, type, r, c); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond)
            ->MinTime(0.5);
  benchmark::RegisterBenchmark("parallel_for/copy", copyBench)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("parallel_for/start", startBench)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
