//===- Device.cpp - Where steps run ---------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"

#include "Manifest.h"
#include "Text.h"

#include <string>

using namespace muon;

Execution::~Execution() = default;

Error Execution::begin(void *) { return Error::success(); }

Error Execution::wait() { return Error::success(); }

Program::~Program() = default;
Marks::~Marks() = default;
Device::~Device() = default;

Error Device::downloadUndefined(void *host, const void *device, uint64_t bytes,
                                void *stream) {
  return download(host, device, bytes, stream);
}

Error Device::isIdle(void *stream, bool &isIdle) {
  isIdle = true;
  return synchronize(stream);
}

Error Device::makeMarks(uint32_t, void *, std::unique_ptr<Marks> &marks) {
  marks.reset();
  return Error::success();
}

Error Device::inContext(const std::function<Error()> &body) { return body(); }

Error Program::counters(std::string &) const {
  return Error(MUON_ERROR_UNSUPPORTED, "only device 'sim' counts");
}

Error muon::checkLaunch(const DeviceManifest &manifest, int32_t kernel,
                        int64_t blocks) {
  if (kernel < 0 || size_t(kernel) >= manifest.kernels.size())
    return Error(MUON_ERROR_EXECUTION,
                 "the step launches kernel " + std::to_string(kernel) +
                     ", but the artifact has " +
                     std::to_string(manifest.kernels.size()));
  if (blocks < 1 || blocks > INT32_MAX)
    return atKernel(manifest.kernels[size_t(kernel)], blocks,
                    Error(MUON_ERROR_EXECUTION,
                          "the number of blocks is not within 1 to 2^31 - 1"));
  return Error::success();
}

Error muon::checkReturned(int32_t code) {
  if (!code)
    return Error::success();
  return Error(MUON_ERROR_EXECUTION, "step returned " + std::to_string(code));
}

Error muon::atKernel(const Kernel &kernel, int64_t blocks, const Error &error) {
  return Error(error.status(), "kernel " + quote(kernel.name) + " of phase " +
                                   quote(kernel.phase) + ", " +
                                   std::to_string(blocks) + " blocks of " +
                                   std::to_string(kernel.threads) +
                                   " threads: " + error.message());
}

namespace {
struct DeviceRow {
  const char *name;
  bool hasOptions;
  Error (*make)(std::string_view options, std::shared_ptr<Device> &device);
};
} // namespace

static const DeviceRow devices[] = {
    {"cpu", false,
     [](std::string_view, std::shared_ptr<Device> &device) {
       return makeCpuDevice(device);
     }},
    {"sim", true, makeSimDevice},
    {"cuda", true, makeCudaDevice},
};

const std::vector<const char *> &muon::deviceNames() {
  static const std::vector<const char *> names = [] {
    std::vector<const char *> result;
    for (const DeviceRow &row : devices)
      result.push_back(row.name);
    return result;
  }();
  return names;
}

Error muon::openDevice(std::string_view name, std::shared_ptr<Device> &device) {
  const size_t colon = name.find(':');
  const std::string_view kind = name.substr(0, colon);
  std::string known;
  for (const DeviceRow &row : devices) {
    if (kind == row.name) {
      if (colon == std::string_view::npos)
        return row.make({}, device);
      if (!row.hasOptions)
        return Error(MUON_ERROR_INVALID_ARGUMENT,
                     "device " + quote(kind) + " has no options, found " +
                         quote(name.substr(colon + 1)));
      return row.make(name.substr(colon + 1), device);
    }
    known += known.empty() ? "" : ", ";
    known += row.name;
  }
  return Error(MUON_ERROR_INVALID_ARGUMENT,
               "unknown device " + quote(kind) + "; known devices: " + known);
}
