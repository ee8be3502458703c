/*===- OldNccl.c - An NCCL that cannot split communicators ------*- C -*-===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

int ncclGetVersion(int *version) {
  *version = 21403;
  return 0;
}

int ncclCommInitRankConfig(void) { return 3; }
