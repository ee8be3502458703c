//===- ptxsim.cpp - Speed of the PTX simulator ----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Warp instructions and FLOP/s of the simulator on one core, and a product of
// matrices end to end. Where two ways are compared both run in turn, so that a
// change of the machine's load meets both; "ratio" is the quotient of medians.
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/PTXSim/PTXSim.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

using namespace muon::ptxsim;

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  auto middle = values.begin() + long(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

[[noreturn]] void fail(const std::string &message) {
  std::fprintf(stderr, "ptxsim_bench: error: %s\n", message.c_str());
  std::exit(1);
}

std::shared_ptr<const Module> parse(const std::string &text,
                                    const std::string &name) {
  std::vector<ParseError> errors;
  auto module = Module::parse(text, name, errors);
  if (!module)
    fail(name + ":" + std::to_string(errors[0].line) + ": " +
         errors[0].message);
  return module;
}

Counters launch(Device &device, const std::shared_ptr<const Module> &module,
                const char *kernel, const Parameters &parameters,
                const LaunchOptions &options) {
  LaunchResult result = device.launch(module, kernel, parameters, options);
  if (!result)
    fail(result.findings[0].text());
  return result.counters;
}

//===----------------------------------------------------------------------===//
// Scalar code
//===----------------------------------------------------------------------===//

/// Each thread walks through its own row of a table: sums of products, a hash
/// that picks the next column, and the result at the end.
const char *const scalarText = R"(.version 7.0
.target sm_80
.address_size 64
.visible .entry walk(.param .u64 table, .param .u64 out, .param .u32 steps)
{
  .reg .pred %p;
  .reg .b32 %r<12>;
  .reg .f32 %f<5>;
  .reg .b64 %rd<10>;
  ld.param.u64 %rd0, [table];
  ld.param.u64 %rd1, [out];
  ld.param.u32 %r0, [steps];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.u32 %r4, %r1, %r2, %r3;
  mul.wide.u32 %rd2, %r4, 128;
  add.u64 %rd3, %rd0, %rd2;
  mov.u32 %r5, 0;
  mov.u32 %r6, %r4;
  mov.f32 %f0, 0f00000000;
  mov.f32 %f1, 0f3F800000;
LOOP:
  and.b32 %r7, %r6, 31;
  mul.wide.u32 %rd4, %r7, 4;
  add.u64 %rd5, %rd3, %rd4;
  ld.global.f32 %f2, [%rd5];
  fma.rn.f32 %f0, %f2, %f1, %f0;
  mul.f32 %f1, %f1, 0f3F7FFFFE;
  add.u32 %r8, %r5, %r6;
  and.b32 %r8, %r8, 31;
  mul.wide.u32 %rd6, %r8, 4;
  add.u64 %rd7, %rd3, %rd6;
  ld.global.f32 %f3, [%rd7];
  sub.f32 %f4, %f3, %f2;
  add.f32 %f0, %f0, %f4;
  mad.lo.u32 %r6, %r6, 1664525, 1013904223;
  shr.u32 %r9, %r6, 13;
  xor.b32 %r6, %r6, %r9;
  add.u32 %r5, %r5, 1;
  setp.lt.u32 %p, %r5, %r0;
  @%p bra LOOP;
  mul.wide.u32 %rd8, %r4, 4;
  add.u64 %rd9, %rd1, %rd8;
  st.global.f32 [%rd9], %f0;
  ret;
}
)";

class Walk {
public:
  explicit Walk(unsigned blocks) : module(parse(scalarText, "walk.ptx")) {
    options.grid = {blocks};
    options.block = {128};
    options.hostThreads = 1;
    uint64_t threads = blocks * uint64_t(128);
    std::vector<float> values(threads * 32);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = float(i * 7919 % 1009) / 1024;
    uint64_t table = device.allocate(values.size() * 4, "table");
    device.write(table, values.data(), values.size() * 4);
    parameters.add(table).add(device.allocate(threads * 4, "out"));
    parameters.add(uint32_t(1000));
  }

  Counters run() { return launch(device, module, "walk", parameters, options); }

  LaunchOptions options;

private:
  std::shared_ptr<const Module> module;
  Device device;
  Parameters parameters;
};

void scalar(benchmark::State &state, bool races) {
  Walk walk(16);
  walk.options.detectRaces = races;
  uint64_t instructions = 0;
  for (auto _ : state)
    instructions += walk.run().totalWarpInstructions();
  state.counters["warp_instructions"] =
      benchmark::Counter(double(instructions), benchmark::Counter::kIsRate);
}

/// Times both, in turn.
void compare(benchmark::State &state, const std::function<void()> &slow,
             const std::function<void()> &fast) {
  std::vector<double> slowTimes, fastTimes;
  for (auto _ : state) {
    auto start = Clock::now();
    slow();
    slowTimes.push_back(secondsSince(start));
    state.SetIterationTime(slowTimes.back());
    start = Clock::now();
    fast();
    fastTimes.push_back(secondsSince(start));
  }
  state.counters["ratio"] = median(slowTimes) / median(fastTimes);
}

void scalarRaces(benchmark::State &state) {
  Walk on(16), off(16);
  off.options.detectRaces = false;
  compare(
      state, [&] { on.run(); }, [&] { off.run(); });
}

void blocks(benchmark::State &state) {
  Walk one(64), two(64);
  one.options.detectRaces = two.options.detectRaces = false;
  two.options.hostThreads = 2;
  compare(
      state, [&] { one.run(); }, [&] { two.run(); });
}

//===----------------------------------------------------------------------===//
// Tensor cores
//===----------------------------------------------------------------------===//

/// Eight chains of products, as in the inner loop of a matmul.
std::string mmaText() {
  std::ostringstream text;
  text << R"(.version 7.0
.target sm_80
.address_size 64
.visible .entry chains(.param .u64 out, .param .u32 steps)
{
  .reg .pred %p;
  .reg .b32 %r<8>, %a<4>, %b<2>;
  .reg .f32 %c<32>;
  .reg .b64 %rd<3>;
  ld.param.u64 %rd0, [out];
  ld.param.u32 %r0, [steps];
  mov.u32 %r1, %tid.x;
  mov.u32 %r2, 0;
)";
  // 0.5 and 0.25 in bf16, by pairs.
  for (int i = 0; i < 4; ++i)
    text << "  mov.b32 %a" << i << ", 0x3F003E80;\n";
  for (int i = 0; i < 2; ++i)
    text << "  mov.b32 %b" << i << ", 0x3E803F00;\n";
  for (int i = 0; i < 32; ++i)
    text << "  mov.f32 %c" << i << ", 0f00000000;\n";
  text << "LOOP:\n";
  for (int i = 0; i < 32; i += 4) {
    std::string sum = "{%c" + std::to_string(i) + ", %c" +
                      std::to_string(i + 1) + ", %c" + std::to_string(i + 2) +
                      ", %c" + std::to_string(i + 3) + "}";
    text << "  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 " << sum
         << ", {%a0, %a1, %a2, %a3}, {%b0, %b1}, " << sum << ";\n";
  }
  text << R"(  add.u32 %r2, %r2, 1;
  setp.lt.u32 %p, %r2, %r0;
  @%p bra LOOP;
  mul.wide.u32 %rd1, %r1, 4;
  add.u64 %rd2, %rd0, %rd1;
)";
  for (int i = 1; i < 32; ++i)
    text << "  add.f32 %c0, %c0, %c" << i << ";\n";
  text << "  st.global.f32 [%rd2], %c0;\n  ret;\n}\n";
  return text.str();
}

void mma(benchmark::State &state) {
  auto module = parse(mmaText(), "chains.ptx");
  Device device;
  constexpr uint32_t steps = 1000;
  uint64_t out = device.allocate(128 * 4, "out");
  Parameters parameters;
  parameters.add(out).add(steps);
  LaunchOptions options;
  options.block = {128};
  options.hostThreads = 1;
  uint64_t flops = 0;
  for (auto _ : state)
    flops +=
        launch(device, module, "chains", parameters, options).tensorFlops.bf16;
  std::vector<float> sums(128);
  device.read(out, sums.data(), 128 * 4);
  for (float sum : sums)
    if (sum != 32 * 16 * 0.125f * steps)
      fail("chains: wrong sum " + std::to_string(sum));
  state.counters["flops"] =
      benchmark::Counter(double(flops), benchmark::Counter::kIsRate);
}

//===----------------------------------------------------------------------===//
// A product of matrices
//===----------------------------------------------------------------------===//

float fromBF16(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

/// 512x512x512 in bf16: everything from the text of the PTX to the result.
void matmul(benchmark::State &state, bool races) {
  constexpr uint32_t size = 512, tile = 64;
  std::ifstream file(PTXSIM_PROGRAMS "/matmul.nvcc.ptx");
  std::stringstream text;
  text << file.rdbuf();
  if (!file)
    fail("cannot read " PTXSIM_PROGRAMS "/matmul.nvcc.ptx");
  std::vector<uint16_t> a(size * size), b(size * size);
  for (uint32_t i = 0; i < size * size; ++i) {
    // Of either sign, 2^-2 to 2.
    a[i] = uint16_t((i * 2654435761u >> 16 & 0x81ff) + 0x3e80);
    b[i] = uint16_t((i * 2246822519u >> 16 & 0x81ff) + 0x3e80);
  }
  std::vector<float> c(size * size);
  for (auto _ : state) {
    auto module = parse(text.str(), "matmul.nvcc.ptx");
    Device device;
    uint64_t bytes = a.size() * 2;
    uint64_t left = device.allocate(bytes, "a");
    uint64_t right = device.allocate(bytes, "b");
    uint64_t result = device.allocate(bytes * 2, "c");
    device.write(left, a.data(), bytes);
    device.write(right, b.data(), bytes);
    Parameters parameters;
    parameters.add(left).add(right).add(result).add(size).add(size);
    LaunchOptions options;
    options.grid = {size / tile, size / tile};
    options.block = {128};
    options.hostThreads = 2;
    options.detectRaces = races;
    launch(device, module, "matmul", parameters, options);
    device.read(result, c.data(), c.size() * 4);
  }
  // One row and one column tell a right result from a wrong one.
  auto check = [&](uint32_t row, uint32_t column) {
    double sum = 0, magnitude = 0;
    for (uint32_t k = 0; k < size; ++k) {
      double product =
          double(fromBF16(a[row * size + k])) * fromBF16(b[column * size + k]);
      sum += product;
      magnitude += std::fabs(product);
    }
    if (std::fabs(c[row * size + column] - sum) >
        size * std::ldexp(magnitude, -23))
      fail("matmul: wrong result");
  };
  for (uint32_t i = 0; i < size; ++i) {
    check(i, 77);
    check(300, i);
  }
  state.counters["flops"] = benchmark::Counter(
      2.0 * size * size * size, benchmark::Counter::kIsIterationInvariantRate);
}

} // namespace

BENCHMARK_CAPTURE(scalar, races_off, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(scalar, races_on, true)->Unit(benchmark::kMillisecond);
BENCHMARK(scalarRaces)
    ->Name("scalar/races_on_over_off")
    ->UseManualTime()
    ->Iterations(15)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(blocks)
    ->Name("scalar/one_thread_over_two")
    ->UseManualTime()
    ->Iterations(15)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(mma)->Name("mma/m16n8k16_bf16")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(matmul, races_off, false)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(matmul, races_on, true)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

BENCHMARK_MAIN();
