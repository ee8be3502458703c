//===- SimDevice.cpp - Steps for a GPU, on the CPU ------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs the PTX of an artifact on PTXSim. All that it finds is an error.
//
//===----------------------------------------------------------------------===//

#include "Device.h"
#include "Manifest.h"
#include "StepCollectives.h"
#include "Text.h"
#include "muon-mlir/PTXSim/PTXSim.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <exception>
#include <fstream>
#include <map>
#include <mutex>

using namespace muon;

/// PTXSim executes the instructions up to those of this machine.
static constexpr unsigned simulatedArch = 80;

static Error unsupported(const std::string &message) {
  return Error(MUON_ERROR_UNSUPPORTED, message);
}

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

static Error badOption(std::string_view key, const std::string &expected,
                       std::string_view found) {
  return Error(MUON_ERROR_INVALID_ARGUMENT,
               "device 'sim': option " + quote(key) + ": expected " + expected +
                   ", found " + quote(found));
}

template <typename T>
static Error parseCount(std::string_view key, std::string_view text, T least,
                        T most, T &value) {
  const char *end = text.data() + text.size();
  auto [rest, code] = std::from_chars(text.data(), end, value);
  if (code == std::errc() && rest == end && value >= least && value <= most)
    return Error::success();
  return badOption(key,
                   "an integer from " + std::to_string(least) + " to " +
                       std::to_string(most),
                   text);
}

static Error parseChoice(std::string_view key, std::string_view text,
                         const char *first, const char *second, bool &isFirst) {
  if (text != first && text != second)
    return badOption(key, quote(first) + " or " + quote(second), text);
  isFirst = text == first;
  return Error::success();
}

static Error parseOption(std::string_view key, std::string_view value,
                         ptxsim::LaunchOptions &options) {
  if (key == "seed")
    return parseCount<uint64_t>(key, value, 0, UINT64_MAX, options.seed);
  if (key == "threads")
    return parseCount<unsigned>(key, value, 1, 1024, options.hostThreads);
  if (key == "races")
    return parseChoice(key, value, "on", "off", options.detectRaces);
  if (key == "undefined") {
    bool isEffects = false;
    Error error = parseChoice(key, value, "effects", "arithmetic", isEffects);
    options.undefinedUse = isEffects ? ptxsim::UndefinedUse::Effects
                                     : ptxsim::UndefinedUse::Arithmetic;
    return error;
  }
  return Error(MUON_ERROR_INVALID_ARGUMENT,
               "device 'sim': unknown option " + quote(key) +
                   "; options: seed, races, threads, undefined");
}

static Error parseOptions(std::string_view text,
                          ptxsim::LaunchOptions &options) {
  std::vector<std::string_view> seen;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view option = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const size_t equals = option.find('=');
    const std::string_view key = option.substr(0, equals);
    if (equals == std::string_view::npos)
      return Error(MUON_ERROR_INVALID_ARGUMENT,
                   "device 'sim': expected options as 'key=value', found " +
                       quote(option));
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      return Error(MUON_ERROR_INVALID_ARGUMENT,
                   "device 'sim': option " + quote(key) + " is given twice");
    seen.push_back(key);
    if (Error error = parseOption(key, option.substr(equals + 1), options))
      return error;
  }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// The machine
//===----------------------------------------------------------------------===//

namespace {

/// The simulated GPU. PTXSim's is not safe for several threads.
struct Machine {
  explicit Machine(const ptxsim::LaunchOptions &options) : options(options) {}

  /// Error if the range is not within one allocation. Needs the lock.
  Error check(uint64_t address, uint64_t bytes) const;

  const ptxsim::LaunchOptions options;
  mutable std::mutex mutex;
  ptxsim::Device device;
  /// Bytes of each allocation.
  std::map<uint64_t, uint64_t> allocations;
};

} // namespace

static uint64_t addressOf(const void *memory) {
  return reinterpret_cast<uintptr_t>(memory);
}

Error Machine::check(uint64_t address, uint64_t bytes) const {
  auto after = allocations.upper_bound(address);
  const std::string where = addressText(reinterpret_cast<void *>(address));
  if (after != allocations.begin()) {
    auto [begin, size] = *std::prev(after);
    const uint64_t offset = address - begin;
    if (offset <= size && bytes <= size - offset)
      return Error::success();
    if (offset < size)
      return Error(MUON_ERROR_INVALID_ARGUMENT,
                   std::to_string(bytes) + " bytes at address " + where +
                       " reach beyond an allocation of device 'sim', which "
                       "has " +
                       std::to_string(size - offset) + " bytes from there");
  }
  return Error(MUON_ERROR_INVALID_ARGUMENT,
               "address " + where + " is not in memory of device 'sim'; " +
                   "allocate it with muonDeviceAllocate");
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

namespace {

class SimProgram final : public Program {
public:
  SimProgram(std::shared_ptr<Machine> machine, const DeviceManifest &manifest,
             MuonStepFn step, std::shared_ptr<const ptxsim::Module> module)
      : machine(std::move(machine)), manifest(manifest), step(step),
        module(std::move(module)), work(manifest.kernels.size()) {}

  Error makeExecution(const StepMemory &memory,
                      std::unique_ptr<Execution> &execution) const override;
  Error counters(std::string &json) const override;

  /// Launches a kernel and waits for it.
  Error launch(const StepMemory &memory, int32_t kernel, int64_t blocks,
               int64_t offset, int32_t first, int32_t count) const;

  const std::shared_ptr<Machine> machine;
  const DeviceManifest &manifest;
  const MuonStepFn step;
  const std::shared_ptr<const ptxsim::Module> module;

private:
  struct Work {
    uint64_t launches = 0;
    ptxsim::Counters counters;
  };
  /// Of each kernel; with the lock of the machine.
  mutable std::vector<Work> work;
};

class SimExecution final : public Execution {
public:
  SimExecution(const SimProgram &program, const StepMemory &memory)
      : program(program), memory(memory) {
    host.version = MUON_HOST_API_VERSION;
    host.size = sizeof(MuonHostApi);
    host.context = this;
    host.arena = memory.arena;
    host.launch = launch;
    if (memory.collectives) {
      host.collective_start = collectiveStart;
      host.collective_wait = collectiveWait;
    }
  }

  Error run(void *const *slots, void *stream) override {
    error = Error::success();
    int32_t code = program.step(&host, slots, stream);
    return error ? error : checkReturned(code);
  }

private:
  static void launch(void *context, int32_t kernel, int64_t blocks,
                     int64_t offset, int32_t first, int32_t count) noexcept {
    auto &self = *static_cast<SimExecution *>(context);
    if (self.error || self.collectivesFailed())
      return;
    // The step is C and lets no exception through.
    try {
      self.error = self.program.launch(self.memory, kernel, blocks, offset,
                                       first, count);
    } catch (const std::bad_alloc &) {
      self.error = Error(MUON_ERROR_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception &e) {
      self.error = Error(MUON_ERROR_INTERNAL, e.what());
    }
  }

  static void collectiveStart(void *context, int32_t collective,
                              void *const *buffers) noexcept {
    auto &self = *static_cast<SimExecution *>(context);
    if (!self.error)
      StepCollectives::hostStart(self.memory.collectives, collective, buffers);
  }

  static void collectiveWait(void *context, int32_t collective) noexcept {
    auto &self = *static_cast<SimExecution *>(context);
    if (!self.error)
      StepCollectives::hostWait(self.memory.collectives, collective);
  }

  /// After that kernels would find memory that was never written.
  bool collectivesFailed() const {
    return memory.collectives && memory.collectives->hasFailed();
  }

  const SimProgram &program;
  const StepMemory memory;
  MuonHostApi host = {};
  Error error = Error::success();
};

} // namespace

Error SimProgram::makeExecution(const StepMemory &memory,
                                std::unique_ptr<Execution> &execution) const {
  execution = std::make_unique<SimExecution>(*this, memory);
  return Error::success();
}

static std::string findingsText(const ptxsim::LaunchResult &result) {
  constexpr size_t shown = 3;
  const size_t count = result.findings.size();
  std::string text =
      (result.truncated ? "more than " : "") + std::to_string(count) +
      (count == 1 && !result.truncated ? " finding" : " findings");
  text += count > shown ? ", the first " + std::to_string(shown) + ":" : ":";
  for (size_t i = 0; i < std::min(count, shown); ++i)
    text += "\n" + result.findings[i].text();
  while (text.back() == '\n')
    text.pop_back();
  return text;
}

Error SimProgram::launch(const StepMemory &memory, int32_t kernel,
                         int64_t blocks, int64_t offset, int32_t first,
                         int32_t count) const {
  if (Error error = checkLaunch(manifest, kernel, blocks))
    return error;
  const Kernel &info = manifest.kernels[size_t(kernel)];
  ptxsim::LaunchOptions options = machine->options;
  options.grid.x = uint32_t(blocks);
  options.block.x = info.threads;
  options.dynamicSharedBytes = info.sharedBytes;
  ptxsim::Parameters parameters;
  parameters.add(addressOf(memory.slots))
      .add(addressOf(memory.arena))
      .add(offset)
      .add(first)
      .add(count);
  std::lock_guard<std::mutex> lock(machine->mutex);
  ptxsim::LaunchResult result =
      machine->device.launch(module, info.name, parameters, options);
  ++work[size_t(kernel)].launches;
  work[size_t(kernel)].counters.add(result.counters);
  if (result)
    return Error::success();
  return atKernel(info, blocks,
                  Error(MUON_ERROR_EXECUTION, findingsText(result)));
}

Error SimProgram::counters(std::string &json) const {
  using Json = nlohmann::ordered_json;
  auto object = [](const Work &work) {
    Json result = {{"launches", work.launches}};
    result.update(Json::parse(work.counters.json()));
    return result;
  };
  Json kernels = Json::object();
  Work total;
  std::lock_guard<std::mutex> lock(machine->mutex);
  for (size_t i = 0; i < work.size(); ++i) {
    kernels[manifest.kernels[i].name] = object(work[i]);
    total.launches += work[i].launches;
    total.counters.add(work[i].counters);
  }
  json = Json{{"kernels", kernels}, {"total", object(total)}}.dump(2);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// The device
//===----------------------------------------------------------------------===//

/// Bytes of memory that the host could still give; 0 if that is unknown.
static uint64_t availableBytes() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  for (uint64_t count; file >> key >> count;) {
    if (key == "MemAvailable:")
      return count * 1024;
    std::getline(file, unit);
  }
  return 0;
}

/// Null if the simulator cannot execute any of the code.
static const DeviceCode *chooseCode(const DeviceManifest &device) {
  const DeviceCode *best = nullptr;
  for (const DeviceCode &code : device.code)
    if (code.kind == DeviceCode::Ptx && !code.arch.suffix &&
        code.arch.number <= simulatedArch &&
        (!best || code.arch.number > best->arch.number))
      best = &code;
  return best;
}

static Error checkKernel(const ptxsim::Module &module, const Kernel &kernel) {
  auto invalid = [&](const std::string &message) {
    return Error(MUON_ERROR_INVALID_ARTIFACT,
                 "kernel " + quote(kernel.name) + ": " + message);
  };
  const ptxsim::KernelInfo *info = module.find(kernel.name);
  if (!info)
    return invalid("not in the PTX");
  constexpr uint32_t sizes[] = {8, 8, 8, 4, 4};
  bool fits = info->parameters.size() == std::size(sizes);
  std::string found;
  for (size_t i = 0; i < info->parameters.size(); ++i) {
    const ptxsim::ParameterInfo &parameter = info->parameters[i];
    found += (i ? ", ." : ".") + parameter.type;
    fits = fits && parameter.size == sizes[i] && parameter.type[0] != 'f';
  }
  if (!fits)
    return invalid("parameters are (" + found +
                   "), expected (.u64, .u64, .u64, .u32, .u32)");
  return Error::success();
}

namespace {

class SimDevice final : public Device {
public:
  explicit SimDevice(const ptxsim::LaunchOptions &options)
      : machine(std::make_shared<Machine>(options)) {}

  const char *name() const override { return "sim"; }

  Error accepts(const Manifest &manifest) const override;
  Error load(const Manifest &manifest, MuonStepFn step, std::string_view code,
             std::shared_ptr<const Program> &program) override;

  Error allocate(uint64_t bytes, uint64_t alignment, const char *what,
                 void *&memory) override;
  void deallocate(void *memory) override;

  Error checkAddress(const void *address, uint64_t bytes) const override {
    std::lock_guard<std::mutex> lock(machine->mutex);
    return machine->check(addressOf(address), bytes);
  }

  bool usesHostMemory() const override { return false; }
  bool needsSlotTable() const override { return true; }

  Error upload(void *device, const void *host, uint64_t bytes,
               void *) override {
    std::lock_guard<std::mutex> lock(machine->mutex);
    if (Error error = machine->check(addressOf(device), bytes))
      return error;
    machine->device.write(addressOf(device), host, bytes);
    return Error::success();
  }

  Error download(void *host, const void *device, uint64_t bytes,
                 void *stream) override;
  Error downloadUndefined(void *host, const void *device, uint64_t bytes,
                          void *stream) override;

  Error clear(void *device, uint64_t bytes, void *stream) override {
    return upload(device, std::vector<char>(bytes).data(), bytes, stream);
  }

  Error synchronize(void *) override { return Error::success(); }

  Error checkStream(void *stream) const override {
    if (!stream)
      return Error::success();
    return Error(MUON_ERROR_INVALID_ARGUMENT,
                 "stream must be null on device 'sim'");
  }

private:
  const std::shared_ptr<Machine> machine;
};

} // namespace

Error SimDevice::accepts(const Manifest &manifest) const {
  if (manifest.target != "cuda" || !manifest.device)
    return unsupported("compiled for target " + quote(manifest.target) +
                       ", device 'sim' runs 'cuda'");
  const DeviceManifest &device = *manifest.device;
  if (!device.kernels.empty() && !chooseCode(device)) {
    std::vector<std::string> found;
    for (const DeviceCode &code : device.code)
      found.push_back(
          std::string(code.kind == DeviceCode::Ptx ? "PTX" : "a cubin") +
          " for " + code.arch.text());
    return unsupported("device 'sim' runs PTX for up to sm_" +
                       std::to_string(simulatedArch) + ", the artifact has " +
                       listed(found, 8));
  }
  const uint32_t mostShared = machine->options.maxSharedBytes;
  for (const Kernel &kernel : device.kernels)
    if (kernel.sharedBytes > mostShared)
      return unsupported("kernel " + quote(kernel.name) + " needs " +
                         std::to_string(kernel.sharedBytes) +
                         " bytes of shared memory, device 'sim' has " +
                         std::to_string(mostShared));
  return Error::success();
}

Error SimDevice::load(const Manifest &manifest, MuonStepFn step,
                      std::string_view code,
                      std::shared_ptr<const Program> &program) {
  const DeviceManifest &device = *manifest.device;
  std::shared_ptr<const ptxsim::Module> module;
  if (const DeviceCode *chosen = chooseCode(device)) {
    std::vector<ptxsim::ParseError> errors;
    module = ptxsim::Module::parse(code.substr(chosen->offset, chosen->bytes),
                                   "PTX", errors);
    if (!module) {
      std::vector<std::string> texts;
      for (const ptxsim::ParseError &error : errors)
        texts.push_back("line " + std::to_string(error.line) + ": " +
                        error.message);
      return Error(MUON_ERROR_INVALID_ARTIFACT,
                   "PTX for " + chosen->arch.text() + ": " + listed(texts));
    }
    if (module->target() > simulatedArch)
      return unsupported("PTX for sm_" + std::to_string(module->target()) +
                         ", device 'sim' runs up to sm_" +
                         std::to_string(simulatedArch));
    for (const Kernel &kernel : device.kernels)
      if (Error error = checkKernel(*module, kernel))
        return error;
  }
  program =
      std::make_shared<SimProgram>(machine, device, step, std::move(module));
  return Error::success();
}

Error SimDevice::allocate(uint64_t bytes, uint64_t alignment, const char *what,
                          void *&memory) {
  auto fail = [&](const std::string &reason) {
    return Error(MUON_ERROR_OUT_OF_MEMORY, "cannot allocate " +
                                               std::to_string(bytes) +
                                               " bytes for " + what + reason);
  };
  // Memory that the host has promised but cannot give would end the process.
  const uint64_t available = availableBytes();
  if (available && bytes > available / 2)
    return fail(": device 'sim' has " + std::to_string(available / 2));
  std::lock_guard<std::mutex> lock(machine->mutex);
  uint64_t address = machine->device.allocate(bytes, what, alignment);
  if (!address)
    return fail("");
  machine->allocations[address] = bytes;
  memory = reinterpret_cast<void *>(address);
  return Error::success();
}

void SimDevice::deallocate(void *memory) {
  std::lock_guard<std::mutex> lock(machine->mutex);
  if (machine->allocations.erase(addressOf(memory)))
    machine->device.free(addressOf(memory));
}

Error SimDevice::download(void *host, const void *device, uint64_t bytes,
                          void *stream) {
  {
    std::lock_guard<std::mutex> lock(machine->mutex);
    const uint64_t address = addressOf(device);
    if (Error error = machine->check(address, bytes))
      return error;
    if (uint64_t undefined = machine->device.undefinedBytes(address, bytes))
      return Error(MUON_ERROR_EXECUTION,
                   std::to_string(undefined) + " of " + std::to_string(bytes) +
                       " bytes at address " + addressText(device) +
                       " were never written");
  }
  return downloadUndefined(host, device, bytes, stream);
}

Error SimDevice::downloadUndefined(void *host, const void *device,
                                   uint64_t bytes, void *) {
  std::lock_guard<std::mutex> lock(machine->mutex);
  if (Error error = machine->check(addressOf(device), bytes))
    return error;
  machine->device.read(addressOf(device), host, bytes);
  return Error::success();
}

Error muon::makeSimDevice(std::string_view options,
                          std::shared_ptr<Device> &device) {
  ptxsim::LaunchOptions parsed;
  if (Error error = parseOptions(options, parsed))
    return error;
  device = std::make_shared<SimDevice>(parsed);
  return Error::success();
}
