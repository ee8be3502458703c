//===- FakeMachine.cpp - The state behind the fake driver -----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeMachine.h"

#include <cstdlib>

using namespace muon;
using namespace muon::cuda;

bool FakeOptions::parse(const std::string &text) {
  *this = {};
  size_t at = 0;
  while (at < text.size()) {
    size_t end = std::min(text.find(',', at), text.size());
    std::string item = text.substr(at, end - at);
    at = end + 1;
    size_t equals = item.find('=');
    if (equals == item.npos)
      return false;
    std::string key = item.substr(0, equals), digits = item.substr(equals + 1);
    char *rest = nullptr;
    uint64_t value = std::strtoull(digits.c_str(), &rest, 10);
    if (digits.empty() || *rest)
      return false;
    if (key == "devices")
      devices = int(value);
    else if (key == "driver")
      driver = int(value);
    else if (key == "cc")
      capability = int(value);
    else if (key == "memory")
      memory = value;
    else if (key == "seed")
      seed = value;
    else if (key == "fail-alloc")
      failAlloc = value;
    else if (key == "fail-host")
      failHost = value;
    else if (key == "fail-launch")
      failLaunch = value;
    else if (key == "fail-kernel")
      failKernel = value;
    else if (key == "refuse-cubin")
      refuseCubin = int(value);
    else if (key == "refuse-ptx")
      refusePtx = int(value);
    else
      return false;
  }
  return true;
}

unsigned FakeOptions::newestPtx() const {
  unsigned major = unsigned(driver) / 1000,
           minor = unsigned(driver) % 1000 / 10;
  // 12.6 brought no new version, and those after it lag behind by one.
  if (major == 12 && minor > 5)
    --minor;
  return 10 * (major - 4) + minor;
}

// "Technical Specifications per Compute Capability" of the CUDA C++ Programming
// Guide.
int FakeOptions::maxSharedOptin() const {
  if (capability == 80 || capability == 87)
    return 163 << 10;
  if (capability == 86 || capability == 89)
    return 99 << 10;
  return capability >= 90 ? 227 << 10 : 64 << 10;
}

Machine::~Machine() {
  for (auto &entry : hostMemory)
    std::free(reinterpret_cast<void *>(entry.first));
}

Context Machine::makeContext(Ordinal ordinal, bool isPrimary) {
  Context context = contexts.make();
  context->ordinal = ordinal;
  context->isPrimary = isPrimary;
  context->legacy = std::make_shared<CUstream_st>();
  context->legacy->context = context;
  return context;
}

void Machine::destroyContext(Context context) {
  completeAll(context);
  auto drop = [&](auto &table) {
    std::vector<std::decay_t<decltype(*table.any())> *> gone;
    table.each([&](auto &object) {
      if (object.context == context)
        gone.push_back(&object);
    });
    for (auto *object : gone)
      table.erase(object);
    done.leaked += gone.size();
  };
  drop(streams);
  drop(events);
  drop(graphs);
  drop(graphExecs);
  modules.each([&](CUmod_st &module) {
    if (module.context == context)
      for (auto &entry : module.functions)
        functions.erase(entry.second.get());
  });
  drop(modules);
  for (auto entry = memory.begin(); entry != memory.end();) {
    if (entry->second.context != context) {
      ++entry;
      continue;
    }
    ++done.leaked;
    device.free(entry->first);
    entry = memory.erase(entry);
  }
  contexts.erase(context);
}

FakeCudaStats Machine::stats() const {
  FakeCudaStats result = done;
  result.retains = 0;
  for (int count : retains)
    result.retains += uint64_t(count);
  result.contexts = contexts.size();
  result.streams = streams.size();
  result.events = events.size();
  result.graphs = graphs.size();
  result.graphExecs = graphExecs.size();
  result.modules = modules.size();
  result.allocations = memory.size();
  result.hostAllocations = hostMemory.size();
  result.bytes = 0;
  for (const auto &entry : memory)
    result.bytes += entry.second.bytes;
  return result;
}

const Allocation *Machine::find(Address address, uint64_t bytes) const {
  auto entry = memory.upper_bound(address);
  if (entry == memory.begin())
    return nullptr;
  --entry;
  uint64_t offset = address - entry->first;
  if (offset >= entry->second.bytes || bytes > entry->second.bytes - offset)
    return nullptr;
  return &entry->second;
}

bool Machine::isPinned(const void *address, uint64_t bytes) const {
  auto at = reinterpret_cast<uintptr_t>(address);
  auto entry = hostMemory.upper_bound(at);
  if (entry == hostMemory.begin())
    return false;
  --entry;
  uint64_t offset = at - entry->first;
  return offset < entry->second && bytes <= entry->second - offset;
}

uint64_t Machine::used(Ordinal ordinal) const {
  uint64_t bytes = 0;
  for (const auto &entry : memory)
    if (entry.second.context->ordinal == ordinal)
      bytes += entry.second.bytes;
  return bytes;
}

Result Machine::resolve(Context context, Stream handle, Stream &stream) {
  if (!handle || handle == legacyStream()) {
    stream = context->legacy.get();
    return Success;
  }
  if (handle == perThreadStream()) {
    auto &own = context->perThread[std::this_thread::get_id()];
    if (!own) {
      own = std::make_shared<CUstream_st>();
      own->context = context;
    }
    stream = own.get();
    return Success;
  }
  if (!streams.has(handle) || handle->context != context)
    return InvalidHandle;
  stream = handle;
  return Success;
}

std::vector<Stream> Machine::streamsOf(Context context) {
  std::vector<Stream> result = {context->legacy.get()};
  for (auto &entry : context->perThread)
    result.push_back(entry.second.get());
  streams.each([&](CUstream_st &stream) {
    if (stream.context == context)
      result.push_back(&stream);
  });
  return result;
}

void Machine::invalidate(Stream stream) {
  stream->capture = CaptureInvalidated;
}

Result Machine::push(Stream stream, Work work,
                     const std::vector<OperationPtr> &before) {
  if (stream->capture == CaptureInvalidated)
    return StreamCaptureInvalidated;
  if (stream->capture == CaptureActive) {
    if (!before.empty()) {
      invalidate(stream);
      return StreamCaptureIsolation;
    }
    stream->graph->nodes.push_back(std::move(work));
    return Success;
  }

  Context context = stream->context;
  if (work && stream == context->legacy.get())
    ++done.onDefaultStream;
  auto operation = std::make_shared<Operation>();
  operation->work = std::move(work);
  operation->context = context;
  operation->before = before;
  auto after = [&](Stream other) {
    if (other->last)
      operation->before.push_back(other->last);
  };
  after(stream);
  if (stream == context->legacy.get()) {
    Result result = Success;
    for (Stream other : streamsOf(context)) {
      if (!other->isBlocking || other == stream)
        continue;
      if (other->capture != CaptureNone) {
        invalidate(other);
        result = StreamCaptureImplicit;
      }
      after(other);
    }
    if (result != Success)
      return result;
  } else if (stream->isBlocking) {
    after(context->legacy.get());
  }
  stream->last = std::move(operation);
  return Success;
}

bool Machine::complete(const OperationPtr &operation) {
  std::vector<OperationPtr> stack;
  if (operation)
    stack.push_back(operation);
  while (!stack.empty()) {
    OperationPtr top = stack.back();
    while (!top->before.empty() && top->before.back()->isDone)
      top->before.pop_back();
    if (!top->before.empty()) {
      stack.push_back(top->before.back());
      continue;
    }
    stack.pop_back();
    if (top->isDone)
      continue;
    if (top->work && top->context->failure == Success) {
      const Result result = top->work();
      if (result == NotReady)
        return false;
      top->context->failure = result;
    }
    top->work = nullptr;
    top->isDone = true;
  }
  return true;
}

void Machine::completeAll(Context context) {
  for (Stream stream : streamsOf(context))
    complete(stream->last);
}

// The description of cuThreadExchangeStreamCaptureMode in the manual; no thread
// has changed its mode here.
bool Machine::breaksCapture() {
  bool breaks = false;
  streams.each([&](CUstream_st &stream) {
    if (stream.capture == CaptureNone || stream.mode == CaptureRelaxed)
      return;
    if (stream.mode == CaptureThreadLocal &&
        stream.captureThread != std::this_thread::get_id())
      return;
    invalidate(&stream);
    breaks = true;
  });
  return breaks;
}

Result Machine::runKernel(Function function, unsigned blocks[3],
                          unsigned threads[3], unsigned shared,
                          const ptxsim::Parameters &parameters) {
  ++done.executed;
  if (!functions.count(function)) {
    findings += "a kernel of a module that was unloaded\n";
    return LaunchFailed;
  }
  if (options.failKernel && done.executed == options.failKernel)
    return LaunchFailed;
  ptxsim::LaunchOptions launch;
  launch.grid = {blocks[0], blocks[1], blocks[2]};
  launch.block = {threads[0], threads[1], threads[2]};
  launch.dynamicSharedBytes = shared;
  launch.seed = options.seed;
  launch.hostThreads = 1;
  launch.maxSharedBytes = uint32_t(options.maxSharedOptin());
  ptxsim::LaunchResult result = device.launch(
      function->module->module, function->info->name, parameters, launch);
  for (const ptxsim::Finding &finding : result.findings)
    findings += finding.text();
  if (result)
    return Success;
  switch (result.findings[0].kind) {
  case ptxsim::FindingKind::OutOfBounds:
  case ptxsim::FindingKind::ReadOnly:
    return IllegalAddress;
  case ptxsim::FindingKind::Misaligned:
    return MisalignedAddress;
  case ptxsim::FindingKind::NoProgress:
  case ptxsim::FindingKind::Deadlock:
    return LaunchTimeout;
  case ptxsim::FindingKind::Trap:
  case ptxsim::FindingKind::InvalidOperand:
    return IllegalInstruction;
  default:
    return LaunchFailed;
  }
}
