//===- CommunicatorMpi.cpp - Ranks that are processes of MPI --------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CollectiveEngine.h"

#include <dlfcn.h>

#include <mutex>

using namespace muon;
using namespace muon::collective;

static const char *const kLibrary = "libmuon_mpi.so";

/// The directory of the library or program that this function is a part of;
/// empty where it is not known.
static std::string ownDirectory() {
  Dl_info info;
  if (!::dladdr(reinterpret_cast<void *>(&ownDirectory), &info) ||
      !info.dli_fname)
    return std::string();
  std::string path = info.dli_fname;
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

/// Never closed: MPI stays until the process ends.
static Error load(const LinkLibrary *&library) {
  std::string directory = ownDirectory(), reasons;
  // The second is for programs that hold the runtime themselves.
  for (const char *place : {"/", "/../lib/"}) {
    std::string path = directory + place + kLibrary;
    // Components of MPI look for its symbols in the process.
    void *handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (!handle) {
      const char *reason = ::dlerror();
      reasons += reasons.empty() ? ": " : "; ";
      reasons += reason ? reason : "unknown reason";
      continue;
    }
    auto *found =
        static_cast<const LinkLibrary *>(::dlsym(handle, "muonMpiLink"));
    if (!found || found->version != kLinkVersion)
      return Error(MUON_ERROR_UNSUPPORTED,
                   path +
                       " is of another version of the runtime: expected "
                       "version " +
                       std::to_string(kLinkVersion) +
                       " of its interface, "
                       "found " +
                       (found ? std::to_string(found->version) : "none"));
    library = found;
    return Error::success();
  }
  return Error(MUON_ERROR_UNSUPPORTED,
               std::string("no MPI: cannot load ") + kLibrary +
                   ", which is built where CMake finds MPI" + reasons);
}

Error muon::makeMpiCommunicator(std::unique_ptr<Communicator> &communicator) {
  static std::mutex mutex;
  static const LinkLibrary *library = nullptr;
  std::lock_guard<std::mutex> lock(mutex);
  if (!library)
    if (Error error = load(library))
      return error;
  Link *link = nullptr;
  if (Error error = library->open(link))
    return error;
  communicator = std::make_unique<Engine>(std::unique_ptr<Link>(link));
  return Error::success();
}
