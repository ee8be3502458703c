//===- FakeProcess.cpp - Options, log and faults of the fake NCCL ---------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeComm.h"
#include "FakeNccl.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <thread>

#include <dlfcn.h>

using namespace muon;
using namespace muon::fakenccl;
using nccl::Success;

extern "C" {
extern const int muonNcclMovesHostMemory;
const int muonNcclMovesHostMemory = 1;
}

namespace {

struct Driver {
  int (*read)(void *, unsigned long long, size_t, void *) = nullptr;
  int (*write)(unsigned long long, const void *, size_t, void *) = nullptr;
  int (*synchronize)(void *) = nullptr;
  // Of the stand-in alone.
  int (*launch)(void *, int (*)(void *), void *, void (*)(void *)) = nullptr;
  bool (*isCapturing)(void *) = nullptr;
  bool (*move)(unsigned long long, void *, size_t, bool) = nullptr;
  bool (*isMemory)(unsigned long long, size_t) = nullptr;
  void (*advance)() = nullptr;
};

struct Process {
  std::mutex mutex;
  bool isConfigured = false;
  Options options;
  std::string log, shown, findings, shownFindings;
  std::map<std::pair<std::string, int>, int> counts;
  Driver driver;
};

} // namespace

static Process process;

bool Options::parse(const std::string &text) {
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ',');) {
    const size_t equals = item.find('=');
    const std::string key = item.substr(0, equals);
    const std::string value =
        equals == item.npos ? "" : item.substr(equals + 1);
    if (key == "version") {
      version = std::atoi(value.c_str());
    } else if (key == "log") {
      log = value;
    } else if (key == "dir") {
      directory = value;
    } else if (key == "driver") {
      driver = value;
    } else if (key == "one-gpu") {
      isOneGpu = value == "1";
    } else if (key == "local-register") {
      registers = value != "0";
    } else if (key == "fail") {
      std::istringstream parts(value);
      Fault fault;
      std::string count, rank;
      if (!std::getline(parts, fault.name, ':') ||
          !std::getline(parts, count, ':') || !std::getline(parts, rank, ':') ||
          !std::getline(parts, fault.what))
        return false;
      fault.count = std::atoi(count.c_str());
      fault.rank = rank == "*" ? -1 : std::atoi(rank.c_str());
      faults.push_back(fault);
    } else if (!key.empty()) {
      return false;
    }
  }
  return true;
}

/// With the lock.
static bool configure(const std::string &text) {
  Options options;
  if (!options.parse(text))
    return false;
  Driver driver;
  if (!options.driver.empty()) {
    void *handle = ::dlopen(options.driver.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      return false;
    auto find = [&](auto &function, const char *symbol) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(
          ::dlsym(handle, symbol));
    };
    find(driver.read, "cuMemcpyDtoHAsync_v2");
    find(driver.write, "cuMemcpyHtoDAsync_v2");
    find(driver.synchronize, "cuStreamSynchronize");
    find(driver.launch, "fakeCudaLaunch");
    find(driver.isCapturing, "fakeCudaIsCapturing");
    find(driver.move, "fakeCudaMove");
    find(driver.isMemory, "fakeCudaIsMemory");
    find(driver.advance, "fakeCudaAdvance");
    if (!driver.read || !driver.write || !driver.synchronize ||
        !driver.launch || !driver.isCapturing || !driver.move ||
        !driver.isMemory || !driver.advance)
      return false;
  }
  process.options = options;
  process.driver = driver;
  process.log.clear();
  process.findings.clear();
  process.counts.clear();
  process.isConfigured = true;
  return true;
}

const Options &fakenccl::getOptions() {
  std::lock_guard<std::mutex> lock(process.mutex);
  if (!process.isConfigured) {
    const char *text = std::getenv("MUON_FAKE_NCCL");
    if (!configure(text ? text : "")) {
      std::fprintf(stderr, "MUON_FAKE_NCCL: wrong option in '%s'\n", text);
      std::abort();
    }
  }
  return process.options;
}

void fakenccl::record(int rank, const std::string &text) {
  const Options &options = getOptions();
  const std::string line = std::to_string(rank) + " " + text + "\n";
  std::lock_guard<std::mutex> lock(process.mutex);
  process.log += line;
  if (options.log.empty())
    return;
  if (std::FILE *file = std::fopen(options.log.c_str(), "ae")) {
    std::fputs(line.c_str(), file);
    std::fclose(file);
  }
}

Result fakenccl::inject(const char *name, int rank, Result &async,
                        bool &hangs) {
  const Options &options = getOptions();
  int count = 0;
  {
    std::lock_guard<std::mutex> lock(process.mutex);
    count = ++process.counts[{name, rank}];
  }
  for (const Fault &fault : options.faults) {
    if (fault.name != name || fault.count != count ||
        (fault.rank >= 0 && fault.rank != rank))
      continue;
    record(rank, "fault " + fault.name + " " + fault.what);
    if (fault.what == "kill")
      std::raise(SIGKILL);
    else if (fault.what == "stop")
      std::raise(SIGSTOP);
    else if (fault.what == "slow")
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    else if (fault.what == "hang")
      hangs = true;
    else if (fault.what.rfind("async-", 0) == 0)
      async = Result(std::atoi(fault.what.c_str() + 6));
    else
      return Result(std::atoi(fault.what.c_str()));
  }
  return Success;
}

static unsigned long long addressOf(const void *memory) {
  return reinterpret_cast<uintptr_t>(memory);
}

bool fakenccl::readMemory(void *stream, const void *from, void *to,
                          size_t bytes) {
  const Driver &driver = process.driver;
  if (!from)
    return false;
  if (!driver.read) {
    std::memcpy(to, from, bytes);
    return true;
  }
  return driver.read(to, addressOf(from), bytes, stream) == 0 &&
         driver.synchronize(stream) == 0;
}

bool fakenccl::writeMemory(void *stream, void *to, const void *from,
                           size_t bytes) {
  const Driver &driver = process.driver;
  if (!bytes)
    return true;
  if (!to)
    return false;
  if (!driver.write) {
    std::memcpy(to, from, bytes);
    return true;
  }
  return driver.write(addressOf(to), from, bytes, stream) == 0 &&
         driver.synchronize(stream) == 0;
}

bool fakenccl::moveMemory(const void *memory, void *host, size_t bytes,
                          bool isWrite) {
  return !bytes || process.driver.move(addressOf(memory), host, bytes, isWrite);
}

bool fakenccl::isCapturing(void *stream) {
  return process.driver.isCapturing && stream &&
         process.driver.isCapturing(stream);
}

bool fakenccl::launchWork(void *stream, int (*work)(void *), void *state,
                          void (*release)(void *)) {
  return process.driver.launch(stream, work, state, release) == 0;
}

bool fakenccl::isMemory(const void *memory, size_t bytes) {
  return memory && (!process.driver.isMemory ||
                    process.driver.isMemory(addressOf(memory), bytes));
}

void fakenccl::advance() {
  if (process.driver.advance)
    process.driver.advance();
}

void fakenccl::find(const std::string &text) {
  std::lock_guard<std::mutex> lock(process.mutex);
  process.findings += text + "\n";
}

const char *fakeNcclFindings() {
  std::lock_guard<std::mutex> lock(process.mutex);
  process.shownFindings = process.findings;
  return process.shownFindings.c_str();
}

bool fakeNcclReset(const char *options) {
  std::lock_guard<std::mutex> lock(process.mutex);
  return configure(options);
}

const char *fakeNcclLog() {
  std::lock_guard<std::mutex> lock(process.mutex);
  process.shown = process.log;
  return process.shown.c_str();
}
