/*===- CHeaderTest.c - The headers are C ----------------------------------===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "muon-mlir/Runtime/Runtime.h"

#include "muon-mlir/Runtime/HostApi.h"

_Static_assert(sizeof(MuonStatus) == sizeof(int), "status fits an int");

/* Called by ArtifactTest.cpp: the way through the interface, from C. */
MuonStatus loadFromC(const char *path, size_t *tensors) {
  MuonArtifact *artifact = NULL;
  MuonStatus status = muonArtifactLoad(path, "cpu", &artifact);
  if (status == MUON_OK)
    *tensors = muonArtifactTensorCount(artifact);
  muonArtifactRelease(artifact);
  return status;
}
