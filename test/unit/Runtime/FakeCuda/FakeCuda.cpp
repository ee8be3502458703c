//===- FakeCuda.cpp - A CUDA driver that simulates its GPU ----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeMachine.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace muon;
using namespace muon::cuda;

static std::recursive_mutex mutex;
static std::unique_ptr<Machine> machine = std::make_unique<Machine>();
static bool isConfigured = false;
/// Counts resets, after which contexts of other threads are gone.
static unsigned generation = 0;

namespace {
struct ContextStack {
  unsigned generation = 0;
  std::vector<Context> contexts;
};
} // namespace

static std::vector<Context> &contextStack() {
  thread_local ContextStack stack;
  if (stack.generation != generation)
    stack = {generation, {}};
  return stack.contexts;
}

static Result initialized() {
  return machine->isInitialized ? Success : NotInitialized;
}

/// The current context, unless something failed in it.
static Result current(Context &context) {
  if (Result result = initialized())
    return result;
  auto &stack = contextStack();
  if (stack.empty() || !stack.back() || !machine->contexts.has(stack.back()))
    return InvalidContext;
  context = stack.back();
  return context->failure;
}

/// A stream of the current context.
static Result currentStream(Stream handle, Context &context, Stream &stream) {
  if (Result result = current(context))
    return result;
  return machine->resolve(context, handle, stream);
}

/// Waits for an operation, with the lock, which others may have meanwhile.
static void await(OperationPtr operation) {
  while (!machine->complete(operation)) {
    mutex.unlock();
    std::this_thread::sleep_for(std::chrono::microseconds(20));
    mutex.lock();
  }
}

#define LOCK std::lock_guard<std::recursive_mutex> lock(mutex)
#define CURRENT                                                                \
  LOCK;                                                                        \
  Context context = nullptr;                                                   \
  if (Result result = current(context))                                        \
  return result
#define CURRENT_STREAM                                                         \
  LOCK;                                                                        \
  Context context = nullptr;                                                   \
  Stream stream = nullptr;                                                     \
  if (Result result = currentStream(handle, context, stream))                  \
  return result

extern "C" {

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

bool fakeCudaReset(const char *text) {
  LOCK;
  FakeOptions options;
  if (!options.parse(text))
    return false;
  machine->contexts.each(
      [](CUctx_st &context) { machine->completeAll(&context); });
  machine = std::make_unique<Machine>();
  machine->options = options;
  machine->retains.resize(size_t(options.devices));
  machine->primaries.resize(size_t(options.devices));
  isConfigured = true;
  ++generation;
  return true;
}

void fakeCudaStats(FakeCudaStats *stats) {
  LOCK;
  *stats = machine->stats();
}

const char *fakeCudaFindings() {
  LOCK;
  static std::string text;
  text = machine->findings;
  return text.c_str();
}

//===----------------------------------------------------------------------===//
// Work of other libraries
//===----------------------------------------------------------------------===//

int fakeCudaLaunch(void *handle, int (*work)(void *), void *state,
                   void (*release)(void *)) {
  std::shared_ptr<void> owner(state, release);
  LOCK;
  auto stream = static_cast<Stream>(handle);
  if (!machine->streams.has(stream))
    return InvalidHandle;
  return machine->push(stream,
                       [work, owner] { return Result(work(owner.get())); });
}

bool fakeCudaIsCapturing(void *handle) {
  LOCK;
  auto stream = static_cast<Stream>(handle);
  return machine->streams.has(stream) && stream->capture == CaptureActive;
}

bool fakeCudaIsMemory(unsigned long long address, size_t bytes) {
  LOCK;
  return machine->find(address, bytes);
}

bool fakeCudaMove(unsigned long long address, void *host, size_t bytes,
                  bool isWrite) {
  LOCK;
  if (!machine->find(address, bytes))
    return false;
  return isWrite ? machine->device.write(address, host, bytes)
                 : machine->device.read(address, host, bytes);
}

void fakeCudaAdvance() {
  LOCK;
  machine->contexts.each(
      [](CUctx_st &context) { machine->completeAll(&context); });
}

//===----------------------------------------------------------------------===//
// NVTX
//===----------------------------------------------------------------------===//

static std::string nvtxSeen;

FAKE_CUDA_API int
InitializeInjectionNvtx2(const void *(*exportTable)(uint32_t)) {
  struct Callbacks {
    size_t bytes;
    int (*functions)(int, void (***)(), unsigned *);
  };
  auto *callbacks = static_cast<const Callbacks *>(exportTable(1));
  void (***table)() = nullptr;
  unsigned size = 0;
  if (!callbacks || callbacks->bytes < sizeof(Callbacks) ||
      !callbacks->functions(1, reinterpret_cast<void (***)()>(&table), &size) ||
      size < 12)
    return 0;
  int (*push)(const char *) = [](const char *name) {
    LOCK;
    nvtxSeen += std::string("push ") + name + "\n";
    return 0;
  };
  int (*pop)() = [] {
    LOCK;
    nvtxSeen += "pop\n";
    return 0;
  };
  *table[9] = reinterpret_cast<void (*)()>(push);
  *table[11] = reinterpret_cast<void (*)()>(pop);
  return 1;
}

const char *fakeNvtxLog() {
  LOCK;
  static std::string text;
  text = nvtxSeen;
  nvtxSeen.clear();
  return text.c_str();
}

//===----------------------------------------------------------------------===//
// Versions, errors, devices
//===----------------------------------------------------------------------===//

/// Options of the environment, for whoever has not called fakeCudaReset.
static bool configure() {
  if (isConfigured)
    return true;
  const char *options = std::getenv("MUON_FAKE_CUDA");
  if (fakeCudaReset(options ? options : ""))
    return true;
  std::fprintf(stderr, "MUON_FAKE_CUDA: unknown option in '%s'\n", options);
  return false;
}

FAKE_CUDA_API Result cuInit(unsigned flags) {
  LOCK;
  if (flags || !configure())
    return InvalidValue;
  if (machine->options.devices == 0)
    return NoDevice;
  machine->isInitialized = true;
  return Success;
}

FAKE_CUDA_API Result cuDriverGetVersion(int *version) {
  LOCK;
  // Allowed before cuInit.
  if (!configure())
    return InvalidValue;
  *version = machine->options.driver;
  return Success;
}

static const struct {
  Result result;
  const char *name, *text;
} errors[] = {
#define ROW(code, name, text)                                                  \
  { code, "CUDA_" name, text }
    ROW(Success, "SUCCESS", "fake: no error"),
    ROW(InvalidValue, "ERROR_INVALID_VALUE", "fake: invalid argument"),
    ROW(OutOfMemory, "ERROR_OUT_OF_MEMORY", "fake: out of memory"),
    ROW(NotInitialized, "ERROR_NOT_INITIALIZED", "fake: not initialized"),
    ROW(NoDevice, "ERROR_NO_DEVICE", "fake: no device"),
    ROW(InvalidDevice, "ERROR_INVALID_DEVICE", "fake: invalid device"),
    ROW(InvalidImage, "ERROR_INVALID_IMAGE",
        "fake: device kernel image is invalid"),
    ROW(InvalidContext, "ERROR_INVALID_CONTEXT", "fake: invalid context"),
    ROW(NoBinaryForGpu, "ERROR_NO_BINARY_FOR_GPU", "fake: no kernel image"),
    ROW(InvalidPtx, "ERROR_INVALID_PTX", "fake: JIT compilation failed"),
    ROW(JitCompilerNotFound, "ERROR_JIT_COMPILER_NOT_FOUND",
        "fake: PTX JIT compiler library not found"),
    ROW(UnsupportedPtxVersion, "ERROR_UNSUPPORTED_PTX_VERSION",
        "fake: unsupported toolchain"),
    ROW(InvalidSource, "ERROR_INVALID_SOURCE",
        "fake: device kernel image is invalid"),
    ROW(InvalidHandle, "ERROR_INVALID_HANDLE", "fake: invalid handle"),
    ROW(IllegalState, "ERROR_ILLEGAL_STATE", "fake: illegal state"),
    ROW(NotFound, "ERROR_NOT_FOUND", "fake: named symbol not found"),
    ROW(IllegalAddress, "ERROR_ILLEGAL_ADDRESS", "fake: illegal access"),
    ROW(LaunchOutOfResources, "ERROR_LAUNCH_OUT_OF_RESOURCES",
        "fake: too many resources requested"),
    ROW(LaunchTimeout, "ERROR_LAUNCH_TIMEOUT", "fake: launch timed out"),
    ROW(IllegalInstruction, "ERROR_ILLEGAL_INSTRUCTION",
        "fake: illegal instruction"),
    ROW(MisalignedAddress, "ERROR_MISALIGNED_ADDRESS",
        "fake: misaligned address"),
    ROW(LaunchFailed, "ERROR_LAUNCH_FAILED", "fake: launch failure"),
    ROW(NotSupported, "ERROR_NOT_SUPPORTED", "fake: not supported"),
    ROW(StreamCaptureUnsupported, "ERROR_STREAM_CAPTURE_UNSUPPORTED",
        "fake: not permitted when a stream is capturing"),
    ROW(StreamCaptureInvalidated, "ERROR_STREAM_CAPTURE_INVALIDATED",
        "fake: failed due to a previous error during capture"),
    ROW(StreamCaptureIsolation, "ERROR_STREAM_CAPTURE_ISOLATION",
        "fake: dependency on uncaptured work"),
    ROW(StreamCaptureImplicit, "ERROR_STREAM_CAPTURE_IMPLICIT",
        "fake: would make the legacy stream depend on a capturing stream"),
    ROW(StreamCaptureWrongThread, "ERROR_STREAM_CAPTURE_WRONG_THREAD",
        "fake: capture of another thread"),
#undef ROW
};

FAKE_CUDA_API Result cuGetErrorName(Result error, const char **name) {
  for (const auto &row : errors)
    if (row.result == error) {
      *name = row.name;
      return Success;
    }
  *name = nullptr;
  return InvalidValue;
}

FAKE_CUDA_API Result cuGetErrorString(Result error, const char **text) {
  for (const auto &row : errors)
    if (row.result == error) {
      *text = row.text;
      return Success;
    }
  *text = nullptr;
  return InvalidValue;
}

FAKE_CUDA_API Result cuDeviceGetCount(int *count) {
  LOCK;
  if (Result result = initialized())
    return result;
  *count = machine->options.devices;
  return Success;
}

static Result checkDevice(Ordinal ordinal) {
  if (Result result = initialized())
    return result;
  return ordinal >= 0 && ordinal < machine->options.devices ? Success
                                                            : InvalidDevice;
}

FAKE_CUDA_API Result cuDeviceGet(Ordinal *device, int ordinal) {
  LOCK;
  if (Result result = checkDevice(ordinal))
    return result;
  *device = ordinal;
  return Success;
}

FAKE_CUDA_API Result cuDeviceGetName(char *name, int size, Ordinal ordinal) {
  LOCK;
  if (Result result = checkDevice(ordinal))
    return result;
  std::snprintf(name, size_t(size), "Fake %d", ordinal);
  return Success;
}

FAKE_CUDA_API Result cuDeviceGetAttribute(int *value, DeviceAttribute attribute,
                                          Ordinal ordinal) {
  LOCK;
  if (Result result = checkDevice(ordinal))
    return result;
  switch (attribute) {
  case MaxSharedBytes:
    *value = 48 << 10;
    return Success;
  case ComputeMajor:
    *value = machine->options.capability / 10;
    return Success;
  case ComputeMinor:
    *value = machine->options.capability % 10;
    return Success;
  case MaxSharedBytesOptin:
    *value = machine->options.maxSharedOptin();
    return Success;
  }
  return InvalidValue;
}

//===----------------------------------------------------------------------===//
// Contexts
//===----------------------------------------------------------------------===//

FAKE_CUDA_API Result cuDevicePrimaryCtxGetState(Ordinal ordinal,
                                                unsigned *flags, int *active) {
  LOCK;
  if (Result result = checkDevice(ordinal))
    return result;
  *flags = 0;
  *active = machine->retains[size_t(ordinal)] > 0;
  return Success;
}

FAKE_CUDA_API Result cuDevicePrimaryCtxRetain(Context *context,
                                              Ordinal ordinal) {
  LOCK;
  if (Result result = checkDevice(ordinal))
    return result;
  Context &primary = machine->primaries[size_t(ordinal)];
  if (machine->retains[size_t(ordinal)]++ == 0)
    primary = machine->makeContext(ordinal, true);
  *context = primary;
  return Success;
}

FAKE_CUDA_API Result cuDevicePrimaryCtxRelease_v2(Ordinal ordinal) {
  LOCK;
  if (Result result = checkDevice(ordinal))
    return result;
  int &retains = machine->retains[size_t(ordinal)];
  if (retains == 0)
    return InvalidContext;
  if (--retains == 0)
    machine->destroyContext(machine->primaries[size_t(ordinal)]);
  return Success;
}

FAKE_CUDA_API Result cuCtxCreate_v2(Context *context, unsigned flags,
                                    Ordinal ordinal) {
  LOCK;
  if (Result result = checkDevice(ordinal))
    return result;
  if (flags)
    return InvalidValue;
  *context = machine->makeContext(ordinal, false);
  contextStack().push_back(*context);
  return Success;
}

FAKE_CUDA_API Result cuCtxDestroy_v2(Context context) {
  LOCK;
  if (Result result = initialized())
    return result;
  if (!machine->contexts.has(context) || context->isPrimary)
    return InvalidContext;
  auto &stack = contextStack();
  if (!stack.empty() && stack.back() == context)
    stack.pop_back();
  machine->destroyContext(context);
  return Success;
}

FAKE_CUDA_API Result cuCtxGetCurrent(Context *context) {
  LOCK;
  if (Result result = initialized())
    return result;
  *context = contextStack().empty() ? nullptr : contextStack().back();
  return Success;
}

FAKE_CUDA_API Result cuCtxGetDevice(Ordinal *ordinal) {
  CURRENT;
  *ordinal = context->ordinal;
  return Success;
}

FAKE_CUDA_API Result cuCtxPushCurrent_v2(Context context) {
  LOCK;
  if (Result result = initialized())
    return result;
  if (!machine->contexts.has(context))
    return InvalidContext;
  contextStack().push_back(context);
  return Success;
}

FAKE_CUDA_API Result cuCtxPopCurrent_v2(Context *context) {
  LOCK;
  if (Result result = initialized())
    return result;
  if (contextStack().empty())
    return InvalidContext;
  *context = contextStack().back();
  contextStack().pop_back();
  return Success;
}

FAKE_CUDA_API Result cuCtxSynchronize() {
  CURRENT;
  bool captures = false;
  for (Stream stream : machine->streamsOf(context))
    if (stream->capture != CaptureNone) {
      machine->invalidate(stream);
      captures = true;
    }
  if (captures)
    return StreamCaptureUnsupported;
  ++machine->done.syncs;
  for (Stream stream : machine->streamsOf(context))
    await(stream->last);
  return context->failure;
}

//===----------------------------------------------------------------------===//
// Modules and functions
//===----------------------------------------------------------------------===//

/// What stands for a cubin: this, the number of its architecture, and PTX.
static const std::string cubinMagic = "\x7f"
                                      "ELF fake cubin ";

FAKE_CUDA_API Result cuModuleLoadDataEx(CodeModule *module, const void *image,
                                        unsigned numOptions, JitOption *options,
                                        void **values) {
  CURRENT;
  if (machine->breaksCapture())
    return StreamCaptureUnsupported;
  char *log = nullptr;
  size_t logBytes = 0;
  for (unsigned i = 0; i < numOptions; ++i) {
    if (options[i] == JitErrorLog)
      log = static_cast<char *>(values[i]);
    else if (options[i] == JitErrorLogBytes)
      logBytes = reinterpret_cast<size_t>(values[i]);
    else
      return InvalidValue;
  }
  auto say = [&](const std::string &text) {
    if (log && logBytes)
      std::snprintf(log, logBytes, "%s", text.c_str());
  };

  std::string text = static_cast<const char *>(image);
  bool isCubin = text.compare(0, cubinMagic.size(), cubinMagic) == 0;
  if (int refused =
          isCubin ? machine->options.refuseCubin : machine->options.refusePtx) {
    say(isCubin ? "fake: this cubin is refused" : "fake: this PTX is refused");
    return Result(refused);
  }
  if (isCubin) {
    text.erase(0, cubinMagic.size());
    char *rest = nullptr;
    long arch = std::strtol(text.c_str(), &rest, 10);
    int own = machine->options.capability;
    if (arch / 10 != own / 10 || arch > own)
      return NoBinaryForGpu;
    text = rest;
  }
  std::vector<ptxsim::ParseError> problems;
  auto parsed = ptxsim::Module::parse(text, "image", problems);
  if (!parsed) {
    say("ptxas fatal : line " + std::to_string(problems[0].line) + ": " +
        problems[0].message + "\n");
    return InvalidPtx;
  }
  if (!isCubin && parsed->isaVersion() > machine->options.newestPtx()) {
    say("ptxas fatal : Unsupported .version " +
        std::to_string(parsed->isaVersion()) + "\n");
    return UnsupportedPtxVersion;
  }
  if (int(parsed->target()) > machine->options.capability) {
    say("ptxas fatal : SM version is higher than that of the device\n");
    return InvalidPtx;
  }
  CodeModule result = machine->modules.make();
  result->context = context;
  result->module = parsed;
  ++machine->done.moduleLoads;
  *module = result;
  return Success;
}

FAKE_CUDA_API Result cuModuleUnload(CodeModule module) {
  CURRENT;
  if (!machine->modules.has(module) || module->context != context)
    return InvalidHandle;
  if (machine->breaksCapture())
    return StreamCaptureUnsupported;
  for (auto &entry : module->functions)
    machine->functions.erase(entry.second.get());
  machine->modules.erase(module);
  return Success;
}

FAKE_CUDA_API Result cuModuleGetFunction(Function *function, CodeModule module,
                                         const char *name) {
  CURRENT;
  if (!machine->modules.has(module) || module->context != context)
    return InvalidHandle;
  const ptxsim::KernelInfo *info = module->module->find(name);
  if (!info)
    return NotFound;
  auto &own = module->functions[name];
  if (!own) {
    own = std::make_unique<CUfunc_st>();
    own->module = module;
    own->info = info;
    own->maxDynamicShared =
        std::max(0, (48 << 10) - int(info->resources.staticSharedBytes));
    machine->functions.insert(own.get());
  }
  *function = own.get();
  return Success;
}

static int maxThreads(const CUfunc_st &function) {
  const ptxsim::KernelResources &resources = function.info->resources;
  unsigned threads = 1024;
  // Registers are given to warps, eight of a thread at a time.
  if (unsigned registers = (resources.registers + 7) / 8 * 8)
    threads = std::min(threads, 65536 / registers / 32 * 32);
  const auto &most = resources.maxThreads;
  if (most[0])
    threads = std::min(threads,
                       most[0] * std::max(most[1], 1u) * std::max(most[2], 1u));
  return int(threads);
}

FAKE_CUDA_API Result cuFuncGetAttribute(int *value, FunctionAttribute attribute,
                                        Function function) {
  CURRENT;
  if (!machine->functions.count(function))
    return InvalidHandle;
  switch (attribute) {
  case FunctionMaxThreads:
    *value = maxThreads(*function);
    return Success;
  case FunctionStaticShared:
    *value = int(function->info->resources.staticSharedBytes);
    return Success;
  case FunctionRegisters:
    *value = int(function->info->resources.registers);
    return Success;
  case FunctionMaxDynamicShared:
    *value = function->maxDynamicShared;
    return Success;
  }
  return InvalidValue;
}

FAKE_CUDA_API Result cuFuncSetAttribute(Function function,
                                        FunctionAttribute attribute,
                                        int value) {
  CURRENT;
  if (!machine->functions.count(function))
    return InvalidHandle;
  int shared = int(function->info->resources.staticSharedBytes);
  if (attribute != FunctionMaxDynamicShared || value < 0 ||
      value + shared > machine->options.maxSharedOptin())
    return InvalidValue;
  function->maxDynamicShared = value;
  return Success;
}

FAKE_CUDA_API Result cuLaunchKernel(Function function, unsigned gridX,
                                    unsigned gridY, unsigned gridZ,
                                    unsigned blockX, unsigned blockY,
                                    unsigned blockZ, unsigned shared,
                                    Stream handle, void **values,
                                    void **extra) {
  CURRENT_STREAM;
  if (!machine->functions.count(function) ||
      function->module->context != context)
    return InvalidHandle;
  uint64_t count = ++machine->done.launches;
  if (count == machine->options.failLaunch)
    return LaunchOutOfResources;
  uint64_t threads = uint64_t(blockX) * blockY * blockZ;
  if (!gridX || !gridY || !gridZ || gridX > 0x7fffffff || gridY > 65535 ||
      gridZ > 65535 || !threads || threads > 1024 || blockZ > 64 || extra ||
      shared > unsigned(function->maxDynamicShared))
    return InvalidValue;
  if (threads > unsigned(maxThreads(*function)))
    return LaunchOutOfResources;

  ptxsim::Parameters parameters;
  for (const ptxsim::ParameterInfo &info : function->info->parameters)
    parameters.addBytes(*values++, info.size, info.alignment);
  return machine->push(stream, [=] {
    unsigned blocks[] = {gridX, gridY, gridZ};
    unsigned block[] = {blockX, blockY, blockZ};
    return machine->runKernel(function, blocks, block, shared, parameters);
  });
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

FAKE_CUDA_API Result cuMemAlloc_v2(Address *address, size_t bytes) {
  CURRENT;
  if (machine->breaksCapture())
    return StreamCaptureUnsupported;
  if (!bytes)
    return InvalidValue;
  if (++machine->allocs == machine->options.failAlloc ||
      bytes > machine->options.memory - machine->used(context->ordinal))
    return OutOfMemory;
  *address = machine->device.allocate(bytes, "cuMemAlloc");
  if (!*address)
    return OutOfMemory;
  machine->memory[*address] = {bytes, context};
  return Success;
}

FAKE_CUDA_API Result cuMemFree_v2(Address address) {
  CURRENT;
  if (!address)
    return Success;
  auto entry = machine->memory.find(address);
  if (entry == machine->memory.end() || entry->second.context != context)
    return InvalidValue;
  if (machine->breaksCapture())
    return StreamCaptureUnsupported;
  machine->device.free(address);
  machine->memory.erase(entry);
  return Success;
}

FAKE_CUDA_API Result cuMemGetInfo_v2(size_t *free, size_t *total) {
  CURRENT;
  *total = machine->options.memory;
  *free = *total - machine->used(context->ordinal);
  return Success;
}

FAKE_CUDA_API Result cuMemAllocHost_v2(void **address, size_t bytes) {
  CURRENT;
  if (machine->breaksCapture())
    return StreamCaptureUnsupported;
  if (++machine->hostAllocs == machine->options.failHost)
    return OutOfMemory;
  *address = std::malloc(bytes);
  if (!bytes || !*address)
    return bytes ? OutOfMemory : InvalidValue;
  machine->hostMemory[reinterpret_cast<uintptr_t>(*address)] = bytes;
  return Success;
}

FAKE_CUDA_API Result cuMemFreeHost(void *address) {
  CURRENT;
  if (machine->breaksCapture())
    return StreamCaptureUnsupported;
  if (!machine->hostMemory.erase(reinterpret_cast<uintptr_t>(address)))
    return InvalidValue;
  std::free(address);
  return Success;
}

FAKE_CUDA_API Result cuPointerGetAttribute(void *value,
                                           PointerAttribute attribute,
                                           Address address) {
  LOCK;
  if (Result result = initialized())
    return result;
  const Allocation *allocation = machine->find(address, 1);
  bool isHost =
      machine->isPinned(reinterpret_cast<const void *>(uintptr_t(address)), 1);
  if (!allocation && !isHost)
    return InvalidValue;
  switch (attribute) {
  case PointerMemoryType: {
    MemoryType type = isHost ? HostMemory : DeviceMemory;
    *static_cast<unsigned *>(value) = type;
    return Success;
  }
  case PointerDeviceOrdinal:
    *static_cast<int *>(value) = isHost ? 0 : allocation->context->ordinal;
    return Success;
  }
  return InvalidValue;
}

FAKE_CUDA_API Result cuMemcpyHtoDAsync_v2(Address to, const void *from,
                                          size_t bytes, Stream handle) {
  CURRENT_STREAM;
  const Allocation *allocation = machine->find(to, bytes);
  if (!allocation || allocation->context->ordinal != context->ordinal)
    return InvalidValue;
  ++machine->done.uploads;
  if (machine->isPinned(from, bytes) || stream->capture != CaptureNone) {
    bool isPinned = machine->isPinned(from, bytes);
    return machine->push(stream, [=] {
      if (isPinned && !machine->isPinned(from, bytes))
        return IllegalAddress;
      return machine->device.write(to, from, bytes) ? Success : IllegalAddress;
    });
  }
  auto *begin = static_cast<const uint8_t *>(from);
  std::vector<uint8_t> staged(begin, begin + bytes);
  return machine->push(stream, [to, staged = std::move(staged)] {
    return machine->device.write(to, staged.data(), staged.size())
               ? Success
               : IllegalAddress;
  });
}

FAKE_CUDA_API Result cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes,
                                          Stream handle) {
  CURRENT_STREAM;
  const Allocation *allocation = machine->find(from, bytes);
  if (!allocation || allocation->context->ordinal != context->ordinal)
    return InvalidValue;
  Result result = machine->push(stream, [=] {
    machine->done.undefinedBytes += machine->device.undefinedBytes(from, bytes);
    return machine->device.read(from, to, bytes) ? Success : IllegalAddress;
  });
  if (result != Success || stream->capture != CaptureNone ||
      machine->isPinned(to, bytes))
    return result;
  await(stream->last);
  return context->failure;
}

FAKE_CUDA_API Result cuMemsetD8Async(Address to, unsigned char value,
                                     size_t bytes, Stream handle) {
  CURRENT_STREAM;
  const Allocation *allocation = machine->find(to, bytes);
  if (!allocation || allocation->context->ordinal != context->ordinal)
    return InvalidValue;
  return machine->push(stream, [=] {
    std::vector<uint8_t> values(bytes, value);
    return machine->device.write(to, values.data(), bytes) ? Success
                                                           : IllegalAddress;
  });
}

//===----------------------------------------------------------------------===//
// Streams and events
//===----------------------------------------------------------------------===//

FAKE_CUDA_API Result cuStreamCreate(Stream *stream, unsigned flags) {
  CURRENT;
  if (flags & ~streamNonBlocking)
    return InvalidValue;
  *stream = machine->streams.make();
  (*stream)->context = context;
  (*stream)->isBlocking = !(flags & streamNonBlocking);
  return Success;
}

FAKE_CUDA_API Result cuStreamDestroy_v2(Stream stream) {
  CURRENT;
  if (!machine->streams.has(stream) || stream->context != context)
    return InvalidHandle;
  await(stream->last);
  machine->streams.erase(stream);
  return Success;
}

FAKE_CUDA_API Result cuStreamSynchronize(Stream handle) {
  CURRENT_STREAM;
  if (stream->capture != CaptureNone) {
    machine->invalidate(stream);
    return StreamCaptureUnsupported;
  }
  // Waiting for the default stream is waiting for those that it waits for.
  if (stream == context->legacy.get())
    if (Result result = machine->push(stream, nullptr))
      return result;
  ++machine->done.syncs;
  await(stream->last);
  return context->failure;
}

/// What is asked about ends, but only for the next question.
FAKE_CUDA_API Result cuStreamQuery(Stream handle) {
  CURRENT_STREAM;
  if (stream->capture != CaptureNone) {
    machine->invalidate(stream);
    return StreamCaptureUnsupported;
  }
  // The default stream waits for those that wait for it.
  bool isDone = true;
  for (Stream other : machine->streamsOf(context)) {
    const bool isAskedFor =
        other == stream ||
        (stream == context->legacy.get() && other->isBlocking);
    if (!isAskedFor || !other->last || other->last->isDone)
      continue;
    isDone = false;
    (void)machine->complete(other->last);
  }
  return context->failure ? context->failure : isDone ? Success : NotReady;
}

FAKE_CUDA_API Result cuStreamGetCtx(Stream handle, Context *found) {
  LOCK;
  if (Result result = initialized())
    return result;
  if (handle && handle != legacyStream() && handle != perThreadStream()) {
    if (!machine->streams.has(handle))
      return InvalidHandle;
    *found = handle->context;
    return Success;
  }
  return current(*found);
}

FAKE_CUDA_API Result cuStreamWaitEvent(Stream handle, Event event,
                                       unsigned flags) {
  CURRENT_STREAM;
  if (!machine->events.has(event))
    return InvalidHandle;
  if (flags)
    return InvalidValue;
  std::vector<OperationPtr> before;
  if (event->recorded)
    before.push_back(event->recorded);
  return machine->push(stream, nullptr, before);
}

FAKE_CUDA_API Result cuStreamIsCapturing(Stream handle, CaptureStatus *status) {
  CURRENT_STREAM;
  if (stream == context->legacy.get())
    for (Stream other : machine->streamsOf(context))
      if (other->isBlocking && other->capture != CaptureNone)
        return StreamCaptureImplicit;
  *status = stream->capture;
  return Success;
}

FAKE_CUDA_API Result cuStreamBeginCapture_v2(Stream handle, CaptureMode mode) {
  CURRENT_STREAM;
  if (stream == context->legacy.get())
    return StreamCaptureUnsupported;
  if (stream->capture != CaptureNone)
    return IllegalState;
  stream->capture = CaptureActive;
  stream->mode = mode;
  stream->captureThread = std::this_thread::get_id();
  stream->graph = std::make_unique<CUgraph_st>();
  stream->graph->context = context;
  ++machine->done.captures;
  return Success;
}

FAKE_CUDA_API Result cuStreamEndCapture(Stream handle, Graph *graph) {
  CURRENT_STREAM;
  *graph = nullptr;
  if (stream->capture == CaptureNone)
    return IllegalState;
  if (stream->mode != CaptureRelaxed &&
      stream->captureThread != std::this_thread::get_id())
    return StreamCaptureWrongThread;
  CaptureStatus status = stream->capture;
  stream->capture = CaptureNone;
  std::unique_ptr<CUgraph_st> captured = std::move(stream->graph);
  if (status == CaptureInvalidated)
    return StreamCaptureInvalidated;
  *graph = machine->graphs.add(std::move(captured));
  return Success;
}

FAKE_CUDA_API Result cuEventCreate(Event *event, unsigned flags) {
  CURRENT;
  if (flags & ~3u)
    return InvalidValue;
  *event = machine->events.make();
  (*event)->context = context;
  return Success;
}

FAKE_CUDA_API Result cuEventRecord(Event event, Stream handle) {
  CURRENT_STREAM;
  if (!machine->events.has(event) || event->context != context)
    return InvalidHandle;
  if (stream->capture != CaptureNone)
    return NotSupported;
  if (Result result = machine->push(stream, nullptr))
    return result;
  event->recorded = stream->last;
  return Success;
}

FAKE_CUDA_API Result cuEventSynchronize(Event event) {
  CURRENT;
  if (!machine->events.has(event))
    return InvalidHandle;
  await(event->recorded);
  return context->failure;
}

FAKE_CUDA_API Result cuEventDestroy_v2(Event event) {
  CURRENT;
  return machine->events.erase(event) ? Success : InvalidHandle;
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

FAKE_CUDA_API Result cuGraphInstantiateWithFlags(GraphExec *exec, Graph graph,
                                                 unsigned long long flags) {
  CURRENT;
  if (!machine->graphs.has(graph))
    return InvalidHandle;
  if (flags)
    return InvalidValue;
  *exec = machine->graphExecs.make();
  (*exec)->context = context;
  (*exec)->nodes = std::make_shared<std::vector<Work>>(graph->nodes);
  ++machine->done.instantiations;
  return Success;
}

FAKE_CUDA_API Result cuGraphLaunch(GraphExec exec, Stream handle) {
  CURRENT_STREAM;
  if (!machine->graphExecs.has(exec) || exec->context != context)
    return InvalidHandle;
  if (stream->capture != CaptureNone)
    return NotSupported;
  ++machine->done.graphLaunches;
  std::vector<OperationPtr> before;
  if (exec->last)
    before.push_back(exec->last);
  Result result = machine->push(
      stream,
      [nodes = exec->nodes, next = size_t(0)]() mutable {
        for (; next < nodes->size(); ++next)
          if (Result result = (*nodes)[next] ? (*nodes)[next]() : Success)
            return result;
        return Success;
      },
      before);
  if (result == Success)
    exec->last = stream->last;
  return result;
}

FAKE_CUDA_API Result cuGraphDestroy(Graph graph) {
  LOCK;
  if (Result result = initialized())
    return result;
  return machine->graphs.erase(graph) ? Success : InvalidHandle;
}

FAKE_CUDA_API Result cuGraphExecDestroy(GraphExec exec) {
  LOCK;
  if (Result result = initialized())
    return result;
  return machine->graphExecs.erase(exec) ? Success : InvalidHandle;
}

} // extern "C"
