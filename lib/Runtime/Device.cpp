//===- Device.cpp - Where steps run ---------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"

#include "Text.h"

#include <string>

using namespace muon;

Device::~Device() = default;

namespace {
struct DeviceRow {
  const char *name;
  std::shared_ptr<Device> (*make)();
};
} // namespace

static const DeviceRow devices[] = {{"cpu", makeCpuDevice}};

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
  std::string known;
  for (const DeviceRow &row : devices) {
    if (name == row.name) {
      device = row.make();
      return Error::success();
    }
    known += known.empty() ? "" : ", ";
    known += row.name;
  }
  return Error(MUON_ERROR_INVALID_ARGUMENT,
               "unknown device " + quote(name) + "; known devices: " + known);
}
