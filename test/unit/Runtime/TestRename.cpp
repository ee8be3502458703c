//===- TestRename.cpp - File systems that refuse to rename ----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// In place of the functions of the C library, for all of the program.
//
//===----------------------------------------------------------------------===//

#include "TestRename.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace muon;

std::string test::cannotBecome;
bool test::refusesExchange = false;

static int renameNow(int fromAt, const char *from, int toAt, const char *to,
                     unsigned flags) {
  if (!test::cannotBecome.empty() && test::cannotBecome == to) {
    errno = EROFS;
    return -1;
  }
  if (flags && test::refusesExchange) {
    errno = EINVAL;
    return -1;
  }
  return int(::syscall(SYS_renameat2, fromAt, from, toAt, to, flags));
}

extern "C" int rename(const char *from, const char *to) noexcept {
  return renameNow(AT_FDCWD, from, AT_FDCWD, to, 0);
}

extern "C" int renameat2(int fromAt, const char *from, int toAt, const char *to,
                         unsigned flags) noexcept {
  return renameNow(fromAt, from, toAt, to, flags);
}
