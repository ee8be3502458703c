//===- Ptxas.cpp - NVIDIA's assembler -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Target/Ptxas.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir::muon;
using llvm::SmallString;
using llvm::StringRef;

/// The number in front of `what`, as in "8 bytes spill stores"; 0 without it.
static int64_t getNumberBefore(StringRef line, StringRef what) {
  size_t end = line.find(what);
  if (end == StringRef::npos)
    return 0;
  StringRef digits = line.take_front(end).rtrim();
  digits =
      digits.take_back(digits.size() - (digits.find_last_not_of("0123456789") +
                                        1)); // npos + 1 is 0.
  int64_t number;
  return digits.getAsInteger(10, number) ? 0 : number;
}

PtxasLog mlir::muon::parsePtxasLog(StringRef text) {
  static constexpr StringRef kEntry = "Compiling entry function '";
  static const llvm::Regex advice("\\(C[0-9]+\\)");
  PtxasLog log;
  llvm::SmallVector<StringRef> lines;
  text.split(lines, '\n', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef line : lines) {
    line = line.trim();
    if (size_t at = line.find(kEntry); at != StringRef::npos) {
      log.kernels.push_back(
          {line.substr(at + kEntry.size()).split('\'').first.str()});
      continue;
    }
    if (line.starts_with("ptxas warning") || advice.match(line)) {
      log.messages.push_back(line.str());
      continue;
    }
    if (log.kernels.empty())
      continue;
    PtxasLog::Kernel &kernel = log.kernels.back();
    // Functions that a kernel calls have lines of their own.
    kernel.spilled += getNumberBefore(line, " bytes spill stores") +
                      getNumberBefore(line, " bytes spill loads");
    kernel.registers =
        std::max(kernel.registers, getNumberBefore(line, " registers"));
  }
  return log;
}

llvm::Expected<std::string> mlir::muon::findPtxas(StringRef request) {
  if (request == "none")
    return "";
  if (request != "auto") {
    if (!llvm::sys::fs::can_execute(request))
      return llvm::createStringError(
          "expected the path of ptxas, auto or none, found '" + request + "'");
    return request.str();
  }
  if (auto found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  llvm::SmallVector<std::string> roots;
  for (StringRef name : {"CUDA_ROOT", "CUDA_HOME", "CUDA_PATH"})
    if (std::optional<std::string> root = llvm::sys::Process::GetEnv(name))
      roots.push_back(*root);
  roots.push_back("/usr/local/cuda");
  for (StringRef root : roots) {
    SmallString<128> path(root);
    llvm::sys::path::append(path, "bin", "ptxas");
    if (llvm::sys::fs::can_execute(path))
      return path.str().str();
  }
  return "";
}

namespace {
/// A file that is gone at the end of its scope.
struct ScratchFile {
  ~ScratchFile() {
    if (!path.empty())
      llvm::sys::fs::remove(path);
  }
  llvm::Error create(StringRef suffix, StringRef text) {
    int descriptor;
    if (std::error_code error = llvm::sys::fs::createTemporaryFile(
            "muon-kernels", suffix, descriptor, path))
      return llvm::createStringError(error, "cannot create a temporary file");
    llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
    os << text;
    os.close();
    if (!os.has_error())
      return llvm::Error::success();
    std::error_code error = os.error();
    os.clear_error();
    return llvm::createStringError(error, "cannot write " + path.str());
  }
  std::string read() const {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : "";
  }

  SmallString<128> path;
};
} // namespace

llvm::Expected<Cubin> mlir::muon::assemblePtx(StringRef ptxas, StringRef arch,
                                              StringRef ptx) {
  ScratchFile source, output, text;
  if (llvm::Error error = source.create("ptx", ptx))
    return error;
  for (ScratchFile *file : {&output, &text})
    if (llvm::Error error = file->create("out", ""))
      return error;
  std::string option = "-arch=" + arch.str();
  StringRef command[] = {ptxas, "-v", option, source.path, "-o", output.path};
  std::optional<StringRef> redirects[] = {std::nullopt, text.path.str(),
                                          text.path.str()};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(ptxas, command, std::nullopt,
                                         redirects, 0, 0, &message);
  if (status != 0)
    return llvm::createStringError(
        StringRef(ptxas.str() + " failed: " + message + text.read()).rtrim());
  return Cubin{output.read(), parsePtxasLog(text.read())};
}
