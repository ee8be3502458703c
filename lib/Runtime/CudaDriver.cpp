//===- CudaDriver.cpp - The CUDA driver, loaded at run time ---------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaDriver.h"

#include "Text.h"

#include <dlfcn.h>

#include <algorithm>
#include <vector>

using namespace muon;
using namespace muon::cuda;

std::string cuda::versionText(int version) {
  return std::to_string(version / 1000) + "." +
         std::to_string(version % 1000 / 10);
}

// "Release Notes: PTX Release History" of the PTX ISA manual 9.0.
int cuda::cudaVersionOfPtx(unsigned isa) {
  static constexpr struct {
    unsigned isa;
    int cuda;
  } rows[] = {{70, 11000}, {71, 11010}, {72, 11020}, {73, 11030}, {74, 11040},
              {75, 11050}, {76, 11060}, {77, 11070}, {78, 11080}, {80, 12000},
              {81, 12010}, {82, 12020}, {83, 12030}, {84, 12040}, {85, 12050},
              {86, 12070}, {87, 12080}, {88, 12090}, {90, 13000}};
  if (isa < rows[0].isa)
    return rows[0].cuda;
  for (const auto &row : rows)
    if (row.isa == isa)
      return row.cuda;
  return 0;
}

Error Driver::check(Result result, std::string_view function,
                    std::string_view detail) const {
  if (result == Success)
    return Error::success();
  const char *name = nullptr, *text = nullptr;
  if (!getErrorName || getErrorName(result, &name) != Success || !name)
    name = "unknown error";
  if (!getErrorString || getErrorString(result, &text) != Success || !text)
    text = "no description";
  std::string message = std::string(function) + " failed: " + name + " (" +
                        std::to_string(int(result)) + "): " + text;
  if (!detail.empty())
    message += "; " + std::string(detail);
  MuonStatus status = MUON_ERROR_EXECUTION;
  if (result == OutOfMemory)
    status = MUON_ERROR_OUT_OF_MEMORY;
  else if (result == NoDevice || result == StubLibrary ||
           result == UnsupportedPtxVersion || result == NoBinaryForGpu ||
           result == InvalidImage || result == JitCompilerNotFound)
    status = MUON_ERROR_UNSUPPORTED;
  return Error(status, std::move(message));
}

Error Driver::load(const std::string &library,
                   std::shared_ptr<const Driver> &driver) {
  auto refuse = [](std::string message) {
    return Error(MUON_ERROR_UNSUPPORTED, std::move(message));
  };
  void *handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = ::dlerror();
    return refuse("no NVIDIA driver: cannot load " + library + ": " +
                  (reason ? reason : "unknown reason"));
  }

  auto result = std::make_shared<Driver>();
  struct Missing {
    const char *symbol;
    int version;
  };
  std::vector<Missing> missing;
#define MUON_CUDA_LOAD(name, symbol, version, parameters)                      \
  result->name =                                                               \
      reinterpret_cast<decltype(result->name)>(::dlsym(handle, #symbol));      \
  if (!result->name)                                                           \
    missing.push_back({#symbol, version});
  MUON_CUDA_FUNCTIONS(MUON_CUDA_LOAD)
#undef MUON_CUDA_LOAD

  if (result->driverGetVersion &&
      result->driverGetVersion(&result->version) != Success)
    result->version = 0;
  if (!missing.empty()) {
    const Missing &newest = *std::max_element(
        missing.begin(), missing.end(), [](const Missing &a, const Missing &b) {
          return a.version < b.version;
        });
    std::string supported =
        result->version ? "supports CUDA " + versionText(result->version)
                        : "does not tell its version";
    ::dlclose(handle);
    return refuse("the NVIDIA driver is too old: " + library + " has no " +
                  newest.symbol + ", which came with CUDA " +
                  versionText(newest.version) + ", and " + supported);
  }

  if (Error error = MUON_CUDA_CALL(*result, init, 0u))
    return refuse("the NVIDIA driver cannot be used: " + error.message());
  driver = std::move(result);
  return Error::success();
}
