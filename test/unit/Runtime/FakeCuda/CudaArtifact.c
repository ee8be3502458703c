/*===- CudaArtifact.c - An artifact for a GPU with streams ------*- C -*-===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

/* The simulator has no streams, and the step checks that there is none. */
#define step stepWithoutStream
#include "../Inputs/GpuArtifact.c"
#undef step

int32_t step(const MuonHostApi *host, void *const *slots, void *stream) {
  return stepWithoutStream(host, slots, 0);
}
