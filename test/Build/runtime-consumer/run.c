/*===- run.c - A training program outside of the tree -----------*- C -*-===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|*   run-step step.so                                                         *|
|*                                                                            *|
|* One step with all weights 1, all gradients 2 and no decay; prints the      *|
|* first element of each weight. All of them are f32.                         *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "muon-mlir/Runtime/Runtime.h"
#include <stdio.h>
#include <stdlib.h>

static void check(MuonStatus status) {
  if (status == MUON_OK)
    return;
  fprintf(stderr, "run-step: error: %s\n", muonLastError());
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: run-step step.so\n");
    return 1;
  }
  MuonArtifact *artifact;
  MuonStep *step;
  check(muonArtifactLoad(argv[1], "cpu", &artifact));
  check(muonStepCreate(artifact, &step));

  size_t count = muonArtifactTensorCount(artifact);
  void **tensors = calloc(count, sizeof(void *));
  for (size_t i = 0; i < count; ++i) {
    MuonTensorInfo info;
    check(muonArtifactTensor(artifact, i, &info));
    tensors[i] = calloc(1, info.bytes);
    if (info.role == MUON_ROLE_WEIGHT || info.role == MUON_ROLE_GRADIENT)
      for (uint64_t k = 0; k < info.elements; ++k)
        ((float *)tensors[i])[k] = info.role == MUON_ROLE_WEIGHT ? 1 : 2;
    MuonBuffer buffer = {tensors[i], info.type, info.rank, info.shape,
                         info.bytes};
    check(muonStepBind(step, info.role, info.name, &buffer));
  }
  check(muonStepSetScalar(step, MUON_ROLE_LR, NULL, 0.25));
  check(muonStepSetScalar(step, MUON_ROLE_WEIGHT_DECAY, NULL, 0));
  check(muonStepRun(step, NULL, NULL));

  for (size_t i = 0; i < count; ++i) {
    MuonTensorInfo info;
    check(muonArtifactTensor(artifact, i, &info));
    if (info.role == MUON_ROLE_WEIGHT)
      printf("%s: %.4f\n", info.name, *(float *)tensors[i]);
  }
  muonStepDestroy(step);
  muonArtifactRelease(artifact);
  for (size_t i = 0; i < count; ++i)
    free(tensors[i]);
  free(tensors);
  return 0;
}
