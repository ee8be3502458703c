/*===- GatherArtifact.c - One rank of several on a GPU, by hand -----------===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* Gathers the parts of a weight, and sums another: no kernels, so that there *|
|* are only collectives. The manifest is only room.                           *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "muon-mlir/Runtime/HostApi.h"

const char muon_manifest[16362] = "@MANIFEST@";
const uint64_t muon_manifest_size = 16361;

/* Numbers of one digit: ranks, this rank. */
const volatile char config[100] = "@CONFIG@";

const char muon_device_code[2] = " ";
const uint64_t muon_device_code_size = 1;

enum { MOST_RANKS = 9 };

int32_t step(const MuonHostApi *host, void *const *slots, void *stream) {
  if (host->version != MUON_HOST_API_VERSION ||
      host->size != sizeof(MuonHostApi) || stream)
    return 1;
  if (!host->launch || !host->collective_start || !host->collective_wait)
    return 2;
  int32_t ranks = config[0] - '0', rank = config[2] - '0', numOthers = 0;
  /* Tables in memory of the host, of addresses of the device. */
  void *others[MOST_RANKS];
  for (int32_t i = 0; i < ranks; ++i)
    if (i != rank)
      others[numOthers++] = slots[i];
  void *gather[] = {(void *)&slots[rank], others};
  void *sum[] = {slots[ranks], slots[ranks]};
  host->collective_start(host->context, 0, gather);
  host->collective_start(host->context, 1, sum);
  host->collective_wait(host->context, 1);
  host->collective_wait(host->context, 0);
  return 0;
}
