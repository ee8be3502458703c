//===- Support.cpp - What the tools share -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Tools/Support.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/thread.h"
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace llvm;

Expected<std::unique_ptr<MemoryBuffer>>
mlir::muon::readInput(StringRef path, uint64_t maxBytes) {
  auto fail = [&](const Twine &reason) {
    return createStringError("cannot read '" + path + "': " + reason);
  };
  // Read by hand: the size of a pipe is not known beforehand, and that of a
  // device never ends.
  bool isStandardInput = path == "-";
  sys::fs::file_t file = sys::fs::getStdinHandle();
  if (!isStandardInput) {
    Expected<sys::fs::file_t> opened = sys::fs::openNativeFileForRead(path);
    if (!opened)
      return fail(toString(opened.takeError()));
    file = *opened;
  }
  scope_exit close([&] {
    if (!isStandardInput)
      (void)sys::fs::closeFile(file);
  });
  std::vector<char> text;
  std::vector<char> chunk(1 << 20);
  for (;;) {
    Expected<size_t> size = sys::fs::readNativeFile(file, chunk);
    if (!size)
      return fail(toString(size.takeError()));
    if (*size == 0)
      break;
    if (*size > maxBytes - text.size())
      return fail("expected at most " + Twine(maxBytes) + " bytes, found more");
    text.insert(text.end(), chunk.begin(), chunk.begin() + *size);
  }
  // Bytecode asks for alignment, counted from the begin of the file.
  auto buffer = WritableMemoryBuffer::getNewUninitMemBuffer(
      text.size(), isStandardInput ? "<stdin>" : path, Align(4096));
  if (!buffer)
    return fail(std::strerror(ENOMEM));
  llvm::copy(text, buffer->getBufferStart());
  return buffer;
}

/// A limit on the size of files shows as an error of the write then. LLVM's
/// handler would end the process, and is installed late.
static void ignoreFileSizeSignal() { std::signal(SIGXFSZ, SIG_IGN); }

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
  ignoreFileSizeSignal();
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
    ignoreFileSizeSignal();
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

/// The name and the number of the reference to a result, %name#number, whose #
/// is at `sign`. An empty name if it is none.
static std::pair<StringRef, uint64_t> getResultReference(StringRef text,
                                                         size_t sign) {
  auto isPart = [](char c) {
    return isAlnum(c) || StringRef("._$-").contains(c);
  };
  size_t begin = sign;
  while (begin > 0 && isPart(text[begin - 1]))
    --begin;
  StringRef digits = text.substr(sign + 1).take_while(isDigit);
  if (begin == sign || begin == 0 || text[begin - 1] != '%' || digits.empty())
    return {};
  uint64_t number = 0;
  if (digits.getAsInteger(10, number))
    number = std::numeric_limits<uint64_t>::max();
  return {text.slice(begin, sign), number};
}

Error mlir::muon::checkNesting(StringRef text, const Limits &limits) {
  uint64_t depth = 0, signs = 0, words = 0, line = 1;
  auto fail = [&](uint64_t limit, const Twine &what) {
    return createStringError("line " + Twine(line) + ": expected at most " +
                             Twine(limit) + " " + what + ", found more");
  };
  bool inWord = false;
  uint64_t results = 0;
  StringMap<uint64_t> highest;
  for (size_t i = 0; i < text.size(); ++i) {
    bool wasInWord = inWord;
    inWord = isAlnum(text[i]) || StringRef("._$").contains(text[i]);
    if (inWord) {
      if (!wasInWord && ++words > limits.wordsInARow)
        return fail(limits.wordsInARow, "words without a bracket or comma");
      continue;
    }
    if (StringRef(",:=()[]{}<>").contains(text[i]))
      words = 0;
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
      if (signs > limits.nestingDepth)
        return fail(limits.nestingDepth, "signs in a row");
      break;
    case '#':
      if (auto [name, number] = getResultReference(text, i); !name.empty()) {
        uint64_t &known = highest[name];
        results = SaturatingAdd(results, std::max(number, known) - known);
        known = std::max(number, known);
        if (results > limits.resultNumbers)
          return fail(limits.resultNumbers, "as the sum of result numbers");
      }
      break;
    case '<':
      // Not in a comparison.
      if (text.substr(i + 1).starts_with("="))
        break;
      [[fallthrough]];
    case '(':
    case '[':
    case '{':
      if (++depth > limits.nestingDepth)
        return fail(limits.nestingDepth, "nested brackets");
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

void mlir::muon::addVersionPrinter() {
  cl::AddExtraVersionPrinter(
      [](raw_ostream &os) { os << "muon-mlir " MUON_VERSION "\n"; });
}

int mlir::muon::reportError(StringRef tool, Error error) {
  WithColor::error(errs(), tool) << toString(std::move(error)) << "\n";
  return 1;
}
