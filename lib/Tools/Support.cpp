//===- Support.cpp - What the tools share -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Tools/Support.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/thread.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;

/// Writes to `path` as it is.
static Error writeStream(StringRef path,
                         function_ref<void(raw_ostream &)> write) {
  std::error_code error;
  raw_fd_ostream os(path, error);
  if (!error) {
    write(os);
    os.close();
    error = os.error();
    os.clear_error();
  }
  if (error)
    return createStringError("cannot write '" + path + "': " + error.message());
  return Error::success();
}

Error mlir::muon::replaceFile(StringRef path,
                              function_ref<Error(StringRef)> write) {
  auto fail = [&](const Twine &reason) {
    return createStringError("cannot write '" + path + "': " + reason);
  };
  SmallString<128> target(path);
  if (sys::fs::exists(path)) {
    if (!sys::fs::is_regular_file(path))
      return fail("not a regular file");
    if (std::error_code error = sys::fs::real_path(path, target))
      return fail(error.message());
  }
  // Not LLVM's TempFile, which takes a '%' anywhere in the path for its own.
  std::string temporary = (target + ".tmp-XXXXXX").str();
  int descriptor = mkstemp(temporary.data());
  if (descriptor < 0)
    return fail(std::strerror(errno));
  // As if it had been created by open(): mkstemp keeps others out.
  mode_t mask = umask(0);
  umask(mask);
  fchmod(descriptor, 0666 & ~mask);
  close(descriptor);
  sys::RemoveFileOnSignal(temporary);
  Error error = write(temporary);
  if (!error)
    if (std::error_code code = sys::fs::rename(temporary, target))
      error = fail(code.message());
  if (error)
    sys::fs::remove(temporary);
  sys::DontRemoveFileOnSignal(temporary);
  return error;
}

Error mlir::muon::writeFile(StringRef path,
                            function_ref<void(raw_ostream &)> write) {
  if (path == "-") {
    write(outs());
    outs().flush();
    if (!outs().has_error())
      return Error::success();
    std::string reason = outs().error().message();
    outs().clear_error();
    return createStringError("cannot write to standard output: " + reason);
  }
  // A device or a pipe has nothing to replace.
  if (sys::fs::exists(path) && !sys::fs::is_regular_file(path) &&
      !sys::fs::is_directory(path))
    return writeStream(path, write);
  return replaceFile(
      path, [&](StringRef temporary) { return writeStream(temporary, write); });
}

int mlir::muon::runWithLargeStack(function_ref<int()> body) {
  // Reserved, not committed: pages count once they are touched.
  constexpr unsigned stackSize = 1u << 30;
  int result = 1;
  llvm::thread worker(std::optional<unsigned>(stackSize),
                      [&] { result = body(); });
  worker.join();
  return result;
}

Error mlir::muon::checkNesting(StringRef text) {
  unsigned depth = 0, signs = 0, line = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
    case '\n':
      ++line;
      break;
    case '/':
      // A comment up to the end of the line.
      if (text.substr(i).starts_with("//"))
        i = std::min(text.find('\n', i), text.size()) - 1;
      break;
    case '"':
      for (++i; i < text.size() && text[i] != '"' && text[i] != '\n'; ++i)
        if (text[i] == '\\')
          ++i;
      break;
    case '-':
      // A sign in front of a sign nests an expression as a bracket does.
      signs = text.substr(i + 1).ltrim().starts_with("-") ? signs + 1 : 0;
      if (signs > maxNestingDepth)
        return createStringError("line " + Twine(line) + ": expected at most " +
                                 Twine(maxNestingDepth) +
                                 " signs in a row, found more");
      break;
    case '<':
      // Not in a comparison.
      if (text.substr(i + 1).starts_with("="))
        break;
      [[fallthrough]];
    case '(':
    case '[':
    case '{':
      if (++depth > maxNestingDepth)
        return createStringError("line " + Twine(line) + ": expected at most " +
                                 Twine(maxNestingDepth) +
                                 " nested brackets, found more");
      break;
    case '>':
      // Not in an arrow, and not in a comparison.
      if ((i > 0 && text[i - 1] == '-') || text.substr(i + 1).starts_with("="))
        break;
      [[fallthrough]];
    case ')':
    case ']':
    case '}':
      if (depth > 0)
        --depth;
      break;
    default:
      break;
    }
  }
  return Error::success();
}

int mlir::muon::reportError(StringRef tool, Error error) {
  WithColor::error(errs(), tool) << toString(std::move(error)) << "\n";
  return 1;
}
