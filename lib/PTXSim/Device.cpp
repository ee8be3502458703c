//===- Device.cpp - Launches ----------------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Execute.h"

#include <algorithm>
#include <deque>
#include <numeric>
#include <thread>

using namespace muon::ptxsim;

struct Device::Impl {
  Memory memory;
  struct Loaded {
    std::shared_ptr<const Module> module;
    std::vector<uint64_t> symbols;
  };
  std::map<const Module *, Loaded> modules;

  const Loaded *load(const std::shared_ptr<const Module> &module);
};

/// Allocates and initializes the variables of a module. Null if there is not
/// enough memory.
const Device::Impl::Loaded *
Device::Impl::load(const std::shared_ptr<const Module> &module) {
  auto [entry, isNew] = modules.try_emplace(module.get());
  Loaded &loaded = entry->second;
  if (!isNew)
    return &loaded;
  const Program &program = module->program();
  const Program::Compiled &compiled = *program.compiled;
  loaded.symbols.resize(compiled.variables.size(), 0);
  for (const auto &[variable, number] : compiled.variables) {
    uint64_t address =
        memory.allocateZeros(variable->size, variable->name,
                             std::max<uint64_t>(variable->alignment, 256),
                             variable->space == Space::Const);
    if (!address) {
      modules.erase(entry);
      return nullptr;
    }
    loaded.symbols[number] = address;
    // Without an initializer variables of a module are zero.
    const MemoryRange *range = memory.find(address, variable->size);
    if (!variable->initial.empty())
      std::memcpy(range->data, variable->initial.data(),
                  std::min<size_t>(variable->size, variable->initial.size()));
  }
  for (const auto &[variable, number] : compiled.variables)
    for (const Variable::Relocation &relocation : variable->relocations) {
      uint64_t target = 0;
      if (relocation.function)
        target = functionBase + 16 * compiled.numbers.at(relocation.function);
      else if (relocation.variable) {
        auto found = compiled.variables.find(relocation.variable);
        target = found == compiled.variables.end()
                     ? 0
                     : loaded.symbols[found->second];
      }
      target += uint64_t(relocation.addend);
      const MemoryRange *range =
          memory.find(loaded.symbols[number], variable->size);
      if (relocation.offset + relocation.size <= variable->size)
        std::memcpy(range->data + relocation.offset, &target, relocation.size);
    }
  loaded.module = module;
  return &loaded;
}

Device::Device() : impl(std::make_unique<Impl>()) {}
Device::~Device() = default;

uint64_t Device::allocate(uint64_t bytes, std::string name,
                          uint64_t alignment) {
  return impl->memory.allocate(bytes, std::move(name), alignment, nullptr);
}

uint64_t Device::map(void *memory, uint64_t bytes, std::string name,
                     uint64_t alignment) {
  return impl->memory.allocate(bytes, std::move(name), alignment, memory);
}

bool Device::free(uint64_t address) { return impl->memory.free(address); }

bool Device::write(uint64_t address, const void *from, uint64_t bytes) {
  const MemoryRange *range = impl->memory.find(address, bytes);
  if (!range)
    return false;
  if (!bytes)
    return true;
  std::memcpy(range->data + (address - range->begin), from, bytes);
  impl->memory.setDefined(address, bytes);
  return true;
}

bool Device::read(uint64_t address, void *to, uint64_t bytes) const {
  const MemoryRange *range = impl->memory.find(address, bytes);
  if (!range)
    return false;
  if (bytes)
    std::memcpy(to, range->data + (address - range->begin), bytes);
  return true;
}

uint64_t Device::undefinedBytes(uint64_t address, uint64_t bytes) const {
  const MemoryRange *range = impl->memory.find(address, bytes);
  if (!range)
    return bytes;
  if (!range->shadow)
    return 0;
  const uint8_t *shadow = range->shadow + (address - range->begin);
  return uint64_t(
      std::count_if(shadow, shadow + bytes, [](uint8_t b) { return b != 0; }));
}

uint64_t Device::symbol(const std::shared_ptr<const Module> &module,
                        std::string_view name, uint64_t *bytes) {
  const Impl::Loaded *loaded = impl->load(module);
  if (!loaded)
    return 0;
  for (const auto &[variable, number] : module->program().compiled->variables)
    if (variable->name == name) {
      if (bytes)
        *bytes = variable->size;
      return loaded->symbols[number];
    }
  return 0;
}

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

static std::string dimText(const std::array<uint32_t, 3> &dim) {
  return std::to_string(dim[0]) + "x" + std::to_string(dim[1]) + "x" +
         std::to_string(dim[2]);
}
static std::string dimText(const Dim3 &dim) {
  return dimText(std::array<uint32_t, 3>{dim.x, dim.y, dim.z});
}

/// What the machine or the kernel does not allow; empty if all is well.
static std::string checkLaunch(const KernelInfo &info, const Code &code,
                               const LaunchOptions &options,
                               const SharedLayout &layout,
                               const std::vector<uint8_t> &parameters) {
  const KernelResources &resources = info.resources;
  const Dim3 &block = options.block;
  uint64_t threads = block.count();
  uint64_t mostThreads = std::min(options.maxThreadsPerBlock, 1024u);
  if (!threads || !options.grid.count())
    return "expected at least one thread, found grid " + dimText(options.grid) +
           ", block " + dimText(block);
  if (options.grid.y > 65535 || options.grid.z > 65535 ||
      options.grid.x > 0x7fffffff)
    return "expected a grid of at most 2147483647x65535x65535, found " +
           dimText(options.grid);
  if (block.x > 1024 || block.y > 1024 || block.z > 64 || threads > mostThreads)
    return "expected at most " + std::to_string(mostThreads) +
           " threads per block and 1024x1024x64 at most, found " +
           dimText(block);
  if (resources.requiredThreads[0]) {
    std::array<uint32_t, 3> required = resources.requiredThreads;
    for (uint32_t &d : required)
      d = std::max(d, 1u);
    if (block.x != required[0] || block.y != required[1] ||
        block.z != required[2])
      return "expected a block of " + dimText(required) +
             " threads (.reqntid), found " + dimText(block);
  }
  if (resources.maxThreads[0]) {
    uint64_t most = 1;
    for (uint32_t d : resources.maxThreads)
      most *= std::max(d, 1u);
    if (threads > most)
      return "expected at most " + std::to_string(most) +
             " threads per block (.maxntid), found " + std::to_string(threads);
  }
  uint64_t sharedBytes =
      uint64_t(layout.staticBytes) + options.dynamicSharedBytes;
  if (sharedBytes > options.maxSharedBytes)
    return "expected at most " + std::to_string(options.maxSharedBytes) +
           " bytes of shared memory, found " +
           std::to_string(layout.staticBytes) + " static and " +
           std::to_string(options.dynamicSharedBytes) + " dynamic";
  // ptxas keeps to what the directives say by spilling; without any it may use
  // 255, and a launch fails that needs more than there are. Live registers
  // bound what it needs from below.
  bool bounded = resources.requiredThreads[0] || resources.maxThreads[0] ||
                 resources.maxRegisters;
  uint64_t registers = std::min<uint64_t>(resources.registers, 255);
  if (!bounded && registers * threads > options.registersPerBlock)
    return "expected at most " + std::to_string(options.registersPerBlock) +
           " registers per block, found " + std::to_string(registers) +
           " live ones in each of " + std::to_string(threads) + " threads";
  if (resources.maxRegisters &&
      uint64_t(resources.maxRegisters) * threads > options.registersPerBlock &&
      registers * threads > options.registersPerBlock)
    return "expected at most " + std::to_string(options.registersPerBlock) +
           " registers per block, found up to " +
           std::to_string(resources.maxRegisters) + " (.maxnreg) in each of " +
           std::to_string(threads) + " threads";
  if (code.frameBytes() > maxFrameBytes)
    return "expected at most " + std::to_string(maxFrameBytes >> 20) +
           " MiB of registers and local memory per warp, found " +
           std::to_string(code.frameBytes() >> 20) + " MiB";
  if (parameters.size() != resources.parameterBytes)
    return "expected " + std::to_string(resources.parameterBytes) +
           " bytes of parameters, found " + std::to_string(parameters.size());
  return {};
}

namespace {

/// Hands out blocks to the threads of the host. Blocks that wait for others
/// take turns with them: all get to run.
class Scheduler {
public:
  explicit Scheduler(Launch &launch)
      : launch(launch), total(launch.options.grid.count()) {
    // Nothing says in which order blocks begin: number i is block first + i *
    // stride, where the stride and the number of blocks have no common divisor.
    order = Random(launch.options.seed ^ 0x5bd1e995);
    first = order.next() % total;
    for (unsigned tries = 0; tries < 64; ++tries) {
      stride = order.next() % total;
      if (std::gcd(stride, total) == 1)
        return;
    }
    stride = 1;
  }

  void run(unsigned workers) {
    if (workers <= 1) {
      work();
      return;
    }
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < workers; ++i)
      threads.emplace_back([this] { work(); });
    for (std::thread &thread : threads)
      thread.join();
  }

  Counters counters;

private:
  /// Warp instructions before a block gives way to another.
  static constexpr uint64_t slice = 1 << 13;
  /// Blocks that are on their way at once. It grows as they come back: they may
  /// wait for one that has not begun.
  size_t maxResident = 16;

  void work() {
    while (!launch.stop.load(std::memory_order_relaxed)) {
      std::unique_ptr<Block> block = next();
      if (!block) {
        // Blocks that others are running may come back.
        std::unique_lock<std::mutex> lock(mutex);
        if (!running && paused.empty())
          return;
        lock.unlock();
        std::this_thread::yield();
        continue;
      }
      uint64_t before = block->instructions;
      bool done = block->run(slice);
      uint64_t all = launch.instructions += block->instructions - before;
      uint64_t most = launch.options.maxInstructions;
      if (!done && most && all > most) {
        reportNoProgress(*block);
        done = true;
      }
      std::lock_guard<std::mutex> lock(mutex);
      --running;
      if (done || launch.stop) {
        counters.add(block->counters);
      } else {
        paused.push_back(std::move(block));
        if (++pauses % 8 == 0)
          ++maxResident;
      }
    }
  }

  /// A block that has not begun, as long as there are not too many, else one
  /// that has.
  std::unique_ptr<Block> next() {
    uint64_t number;
    {
      std::lock_guard<std::mutex> lock(mutex);
      bool fresh = begun < total && paused.size() + running < maxResident;
      // With few resident blocks the paused ones get their turn too.
      if (!paused.empty() && (!fresh || order.below(2))) {
        std::unique_ptr<Block> block = std::move(paused.front());
        paused.pop_front();
        ++running;
        return block;
      }
      if (!fresh)
        return nullptr;
      number = uint64_t((first + (unsigned __int128)begun++ * stride) % total);
      ++running;
    }
    return std::make_unique<Block>(launch, number);
  }

  void reportNoProgress(Block &block) {
    Finding finding;
    finding.kind = FindingKind::NoProgress;
    finding.kernel = launch.info.name;
    finding.message = "expected an end within " +
                      std::to_string(launch.options.maxInstructions) +
                      " warp instructions";
    finding.block = block.index;
    for (const Warp &warp : block.warps)
      for (const Fragment &fragment : warp.fragments) {
        uint32_t line = fragment.frame->code.ops[fragment.pc].line;
        if (!finding.line || fragment.wait == WaitKind::None) {
          finding.line = line;
          finding.warp = int(warp.index);
          finding.lane = __builtin_ctz(fragment.mask);
        }
        if (finding.notes.size() < 32)
          finding.notes.push_back("warp " + std::to_string(warp.index) + ", " +
                                  lanesText(fragment.mask) + " is at " +
                                  placeText(launch, line));
      }
    report(block, std::move(finding));
    launch.stop = true;
  }

  Launch &launch;
  uint64_t total, first = 0, stride = 1;
  Random order{0};
  std::mutex mutex;
  uint64_t begun = 0, pauses = 0;
  unsigned running = 0;
  std::deque<std::unique_ptr<Block>> paused;
};

} // namespace

LaunchResult Device::launch(const std::shared_ptr<const Module> &module,
                            std::string_view kernel,
                            const Parameters &parameters,
                            const LaunchOptions &options) {
  LaunchResult result;
  auto fail = [&](std::string message) {
    Finding finding;
    finding.kind = FindingKind::Launch;
    finding.kernel = std::string(kernel);
    finding.message = std::move(message);
    result.findings.push_back(std::move(finding));
    return result;
  };
  const KernelInfo *info = module->find(kernel);
  if (!info)
    return fail("there is no such kernel in '" + module->name() + "'");
  const Impl::Loaded *loaded = impl->load(module);
  if (!loaded)
    return fail("there is not enough memory for the variables of the module");
  const Program &program = module->program();
  const Program::Compiled &compiled = *program.compiled;
  const Function *function = nullptr;
  for (const Function &candidate : program.functions)
    if (candidate.isKernel && !candidate.isExtern && candidate.name == kernel)
      function = &candidate;
  const SharedLayout &layout = compiled.shared.at(function);
  std::string wrong = checkLaunch(*info, compiled.codes.at(function), options,
                                  layout, parameters.packed());
  if (!wrong.empty())
    return fail(std::move(wrong));

  Launch launch(program, compiled.codes.at(function), *info, options,
                impl->memory, parameters.packed(), loaded->symbols);
  launch.warpsPerBlock =
      unsigned((options.block.count() + warpSize - 1) / warpSize);
  unsigned workers = options.hostThreads ? options.hostThreads
                                         : std::thread::hardware_concurrency();
  if (options.trace)
    workers = 1;
  workers =
      unsigned(std::min<uint64_t>(std::max(workers, 1u), options.grid.count()));
  if (options.detectRaces)
    launch.globalHistory = std::make_unique<AccessHistory>(workers > 1);
  launch.isConcurrent = workers > 1;
  Scheduler scheduler(launch);
  scheduler.run(workers);
  result.findings = std::move(launch.findings);
  result.truncated = launch.truncated;
  result.counters = scheduler.counters;
  // By line, so that the order does not depend on threads of the host.
  std::sort(result.findings.begin(), result.findings.end(),
            [](const Finding &a, const Finding &b) {
              return std::pair(a.line, a.kind) < std::pair(b.line, b.kind);
            });
  return result;
}
