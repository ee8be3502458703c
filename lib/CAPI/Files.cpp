//===- Files.cpp - Files of a library -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Files.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/FileSystem.h"
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir::muon::capi;
using llvm::Twine;

static llvm::Error cannot(llvm::StringRef verb, llvm::StringRef path,
                          const Twine &reason) {
  return llvm::createStringError("cannot " + verb + " '" + path +
                                 "': " + reason);
}

llvm::Error mlir::muon::capi::checkReadable(llvm::StringRef path) {
  // A pipe would lose its writer by being opened and closed.
  if (access(path.str().c_str(), R_OK) != 0)
    return cannot("read", path, std::strerror(errno));
  return llvm::Error::success();
}

TextFile::TextFile(llvm::StringRef text)
    : descriptor(memfd_create("text", MFD_CLOEXEC)) {
  if (descriptor < 0)
    return;
  while (!text.empty()) {
    ssize_t size = write(descriptor, text.data(), text.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size <= 0)
      return;
    text = text.drop_front(size);
  }
  path = "/proc/self/fd/" + std::to_string(descriptor);
}

TextFile::~TextFile() {
  if (descriptor >= 0)
    close(descriptor);
}

llvm::Expected<NewFile> NewFile::create(llvm::StringRef path) {
  namespace fs = llvm::sys::fs;
  NewFile file;
  file.path = path.str();
  llvm::SmallString<128> target(path);
  if (fs::exists(path)) {
    if (!fs::is_regular_file(path))
      return cannot("write", path, "not a regular file");
    if (std::error_code error = fs::real_path(path, target))
      return cannot("write", path, error.message());
  }
  file.target = target.str().str();
  // The number tells threads apart, the process itself from others.
  static std::atomic<unsigned> number = 0;
  int descriptor;
  std::string temporary;
  do {
    temporary = file.target + ".tmp-" + std::to_string(getpid()) + "-" +
                std::to_string(number++);
    descriptor =
        open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor < 0 && (errno == EEXIST || errno == EINTR));
  if (descriptor < 0)
    return cannot("write", path, std::strerror(errno));
  close(descriptor);
  file.temporary = temporary;
  return file;
}

NewFile::NewFile(NewFile &&other)
    : path(std::move(other.path)), target(std::move(other.target)),
      temporary(std::move(other.temporary)) {
  other.temporary.clear();
}

NewFile::~NewFile() {
  if (!temporary.empty())
    llvm::sys::fs::remove(temporary);
}

llvm::Error NewFile::commit() {
  if (std::error_code error = llvm::sys::fs::rename(temporary, target))
    return cannot("write", path, error.message());
  temporary.clear();
  return llvm::Error::success();
}
