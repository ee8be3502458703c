//===- NcclLibrary.cpp - NCCL, loaded at run time -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NcclLibrary.h"

#include "Text.h"

#include <dlfcn.h>

#include <cstdlib>

using namespace muon;
using namespace muon::nccl;

static const char *const kVariable = "MUON_NCCL_LIBRARY";

std::string nccl::versionText(int version) {
  const int major = version < 10000 ? version / 1000 : version / 10000;
  const int rest = version < 10000 ? version % 1000 : version % 10000;
  return std::to_string(major) + "." + std::to_string(rest / 100) + "." +
         std::to_string(rest % 100);
}

static const char *nameOf(Result result) {
  switch (result) {
  case UnhandledCudaError:
    return "ncclUnhandledCudaError";
  case SystemError:
    return "ncclSystemError";
  case InternalError:
    return "ncclInternalError";
  case InvalidArgument:
    return "ncclInvalidArgument";
  case InvalidUsage:
    return "ncclInvalidUsage";
  case RemoteError:
    return "ncclRemoteError";
  default:
    return "unknown error";
  }
}

Error Library::check(Result result, std::string_view function,
                     Comm comm) const {
  if (result == Success || result == InProgress)
    return Error::success();
  std::string message = std::string(function) + " failed: " + nameOf(result) +
                        " (" + std::to_string(int(result)) + ")";
  if (const char *text = getErrorString ? getErrorString(result) : nullptr)
    message += std::string(": ") + text;
  // Of the last error of any communicator, if `comm` is null.
  const char *last = getLastError ? getLastError(comm) : nullptr;
  if (last && *last)
    message += std::string("; ") + last;
  return Error(MUON_ERROR_EXECUTION, std::move(message));
}

Error Library::load(const std::string &given,
                    std::shared_ptr<const Library> &library) {
  auto refuse = [](std::string message) {
    return Error(MUON_ERROR_UNSUPPORTED, std::move(message));
  };
  auto result = std::make_shared<Library>();
  const char *variable = std::getenv(kVariable);
  const bool isNamed = given.empty() && variable && *variable;
  result->path = !given.empty() ? given : isNamed ? variable : "libnccl.so.2";
  void *handle = ::dlopen(result->path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = ::dlerror();
    std::string message = "no NCCL: cannot load " + result->path;
    if (isNamed)
      message += std::string(", which ") + kVariable + " names";
    message += std::string(": ") + (reason ? reason : "unknown reason");
    if (given.empty() && !isNamed)
      message += std::string("; it was looked for where the dynamic linker "
                             "looks (LD_LIBRARY_PATH, /etc/ld.so.conf); ") +
                 kVariable + " may name another file";
    return refuse(std::move(message));
  }

  const char *missing = nullptr;
  int missingVersion = 0;
#define MUON_NCCL_LOAD(name, symbol, version, type, parameters)                \
  result->name =                                                               \
      reinterpret_cast<decltype(result->name)>(::dlsym(handle, #symbol));      \
  if (!result->name && version >= missingVersion) {                            \
    missing = #symbol;                                                         \
    missingVersion = version;                                                  \
  }
  MUON_NCCL_FUNCTIONS(MUON_NCCL_LOAD)
#undef MUON_NCCL_LOAD

  if (result->getVersion && result->getVersion(&result->version) != Success)
    result->version = 0;
  if (missing || result->version < leastVersion) {
    std::string message =
        "NCCL is too old: expected " + versionText(leastVersion) +
        " or later, " + result->path +
        (result->version ? " is " + versionText(result->version)
                         : std::string(" does not tell its version"));
    if (missing)
      message += std::string(" and has no ") + missing + ", which came with " +
                 versionText(missingVersion);
    ::dlclose(handle);
    return refuse(std::move(message));
  }
#define MUON_NCCL_LOAD(name, symbol, since, type, parameters)                  \
  if (result->version >= since)                                                \
    result->name =                                                             \
        reinterpret_cast<decltype(result->name)>(::dlsym(handle, #symbol));
  MUON_NCCL_OPTIONAL_FUNCTIONS(MUON_NCCL_LOAD)
#undef MUON_NCCL_LOAD
  result->movesHostMemory = ::dlsym(handle, "muonNcclMovesHostMemory");
  library = std::move(result);
  return Error::success();
}
