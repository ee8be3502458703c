//===- newton_schulz.cpp - Compiled iteration against plain BLAS -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Times five Newton-Schulz steps of a compiled artifact against the textbook
// sequence (three dense products and a sum per step) on the same BLAS with the
// same threads, in one process. Elementwise work before and after the
// iteration is in neither. Usage: newton_schulz_bench DIR, where DIR holds the
// artifacts RxC-ITERATION.so that benchmarks/newton_schulz.py compiles.
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Runtime/Runtime.h"
#include <algorithm>
#include <benchmark/benchmark.h>
#include <cblas.h>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;
constexpr int kSteps = 5;

/// A Gaussian matrix of Frobenius norm 1.
std::vector<float> makeInput(int64_t rows, int64_t cols) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> x(rows * cols);
  double sum = 0;
  for (float &value : x) {
    value = normal(random);
    sum += double(value) * value;
  }
  for (float &value : x)
    value = float(value / std::sqrt(sum));
  return x;
}

void textbookStep(int64_t m, int64_t n, const float *x, float *a, float *b,
                  float *y) {
  // A = XXᵀ, B = bA + cA², Y = aX + BX for a wide X.
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, m, n, 1, x, n, x, n,
              0, a, m);
  std::copy(a, a + m * m, b);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, m, m, kC, a, m, a,
              m, kB, b, m);
  std::copy(x, x + m * n, y);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, m, 1, b, m, x, n,
              kA, y, n);
}

void textbook(int64_t m, int64_t n, std::vector<float> &x,
              std::vector<float> &y, std::vector<float> &a,
              std::vector<float> &b) {
  for (int step = 0; step < kSteps; ++step) {
    textbookStep(m, n, x.data(), a.data(), b.data(), y.data());
    std::swap(x, y);
  }
}

void check(MuonStatus status) {
  if (status == MUON_OK)
    return;
  std::fprintf(stderr, "newton_schulz_bench: error: %s\n", muonLastError());
  std::exit(1);
}

/// An artifact of muon.orthogonalize alone, bound to its buffers.
struct Compiled {
  Compiled(const std::string &path, int64_t rows, int64_t cols,
           std::vector<float> &x, std::vector<float> &out) {
    check(muonArtifactLoad(path.c_str(), "cpu", &artifact));
    check(muonStepCreate(artifact, &step));
    int64_t shape[] = {1, rows, cols};
    uint64_t bytes = sizeof(float) * rows * cols;
    MuonBuffer input{x.data(), MUON_TYPE_F32, 3, shape, bytes};
    MuonBuffer output{out.data(), MUON_TYPE_F32, 3, shape, bytes};
    check(muonStepBind(step, MUON_ROLE_GRADIENT, "x", &input));
    check(muonStepBind(step, MUON_ROLE_WEIGHT, "x", &output));
  }
  ~Compiled() {
    muonStepDestroy(step);
    muonArtifactRelease(artifact);
  }
  void run() {
    MuonResult result;
    check(muonStepRun(step, nullptr, &result));
  }
  MuonArtifact *artifact = nullptr;
  MuonStep *step = nullptr;
};

/// Times both, alternating, so that a change of the machine's load meets both.
void compare(benchmark::State &state, const std::string &path, int64_t rows,
             int64_t cols) {
  std::vector<float> input = makeInput(rows, cols), out(input.size());
  Compiled compiled(path, rows, cols, input, out);
  std::vector<float> x, y(input.size()), a(rows * rows), b(rows * rows);
  x = input;
  textbook(rows, cols, x, y, a, b);
  compiled.run();
  double error = 0, norm = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    error += std::pow(double(out[i]) - x[i], 2);
    norm += std::pow(double(x[i]), 2);
  }

  using Clock = std::chrono::steady_clock;
  std::vector<double> ours, theirs;
  for (auto _ : state) {
    auto start = Clock::now();
    compiled.run();
    auto middle = Clock::now();
    x = input;
    auto begin = Clock::now();
    textbook(rows, cols, x, y, a, b);
    auto end = Clock::now();
    ours.push_back(std::chrono::duration<double>(middle - start).count());
    theirs.push_back(std::chrono::duration<double>(end - begin).count());
    state.SetIterationTime(ours.back());
  }
  auto median = [](std::vector<double> &values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2,
                     values.end());
    return values[values.size() / 2];
  };
  double mine = median(ours), plain = median(theirs);
  state.counters["textbook_ms"] = plain * 1e3;
  state.counters["ratio"] = mine / plain;
  state.counters["relative_difference"] = std::sqrt(error / norm);
}

} // namespace

int main(int argc, char **argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: newton_schulz_bench DIR [benchmark flags]\n");
    return 1;
  }
  struct Case {
    int64_t rows, cols;
    const char *iteration;
  };
  const Case cases[] = {{256, 256, "direct"},
                        {512, 2048, "direct"},
                        {512, 2048, "gram"},
                        {1024, 1024, "direct"},
                        {2048, 2048, "direct"}};
  for (const Case &c : cases) {
    std::string name = std::to_string(c.rows) + "x" + std::to_string(c.cols) +
                       "-" + c.iteration;
    std::string path = std::string(argv[1]) + "/" + name + ".so";
    benchmark::RegisterBenchmark(("newton_schulz/" + name).c_str(),
                                 [path, c](benchmark::State &state) {
                                   compare(state, path, c.rows, c.cols);
                                 })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond)
        ->MinTime(2.0);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
