//===- Support.cpp - What the tools share -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Tools/Support.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

Error mlir::muon::writeFile(StringRef path,
                            function_ref<void(raw_ostream &)> write) {
  if (path == "-") {
    write(outs());
    outs().flush();
    return Error::success();
  }
  auto fail = [&](const Twine &reason) {
    return createStringError("cannot write '" + path + "': " + reason);
  };
  Expected<sys::fs::TempFile> file = sys::fs::TempFile::create(
      path + ".tmp-%%%%%%", sys::fs::all_read | sys::fs::all_write);
  if (!file)
    return fail(toString(file.takeError()));
  {
    raw_fd_ostream os(file->FD, /*shouldClose=*/false);
    write(os);
    os.flush();
    if (os.has_error()) {
      std::string reason = os.error().message();
      os.clear_error();
      consumeError(file->discard());
      return fail(reason);
    }
  }
  if (Error error = file->keep(path))
    return fail(toString(std::move(error)));
  return Error::success();
}

Error mlir::muon::checkNesting(StringRef text) {
  unsigned depth = 0, line = 1;
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
    case '(':
    case '[':
    case '{':
    case '<':
      if (++depth > maxNestingDepth)
        return createStringError("line " + Twine(line) +
                                 ": expected at most " +
                                 Twine(maxNestingDepth) +
                                 " nested brackets, found more");
      break;
    case '>':
      // Not the end of an arrow.
      if (i > 0 && text[i - 1] == '-')
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
