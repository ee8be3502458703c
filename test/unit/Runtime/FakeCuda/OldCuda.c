/*===- OldCuda.c - A CUDA driver of long ago --------------------*- C -*-===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

int cuInit(unsigned flags) { return flags ? 1 : 0; }

int cuDriverGetVersion(int *version) {
  *version = 10020;
  return 0;
}
