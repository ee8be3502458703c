/*===- RankGpuArtifact.c - One rank of several on a GPU, by hand ----------===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* Gradient descent on w, six elements that every rank has: each sums and     *|
|* scales those that it owns, and gathers the others. The kernels are in      *|
|* RankGpuArtifact.ptx. Manifest and code are only room, as in GpuArtifact.c; *|
|* rankGpuManifest() in TestRanks.cpp fits this code.                         *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "muon-mlir/Runtime/HostApi.h"

const char muon_manifest[16362] = "@MANIFEST@";
const uint64_t muon_manifest_size = 16361;
const char muon_device_code[8174] = "@DEVICE_CODE@";
const uint64_t muon_device_code_size = 8173;

/* Numbers of one digit: ranks, this rank, a mark, elements of w on each rank. */
const volatile char config[100] = "@CONFIG@";

enum Mark { NULL_ADDRESS = 1, NOTHING_TO_SEND, SEND_EARLY, UNKNOWN_KERNEL };
enum Kernel { LOOK, DECIDE, SCALE, UPDATE };
enum Slot { GRADIENT = 1, SUMS = 5 };
/* In the arena; the kernels have them too. */
enum Place { MEAN = 0, SENT = 64, RECEIVED = 128 };

static int32_t number(int32_t index) { return config[2 * index] - '0'; }

static void together(const MuonHostApi *host, int32_t collective, void *send,
                     void *receive) {
  void *buffers[] = {send, receive};
  host->collective_start(host->context, collective, buffers);
  host->collective_wait(host->context, collective);
}

int32_t step(const MuonHostApi *host, void *const *slots, void *stream) {
  if (host->version != MUON_HOST_API_VERSION ||
      host->size != sizeof(MuonHostApi))
    return 1;
  if (!host->launch || !host->collective_start || !host->collective_wait ||
      host->symmetric_product || host->parallel_for)
    return 2;
  int32_t rank = number(1), mark = number(2), mine = number(3 + rank);
  char *arena = host->arena;
  (void)stream;

  if (mark == SEND_EARLY)
    together(host, 2, arena + SENT, arena + RECEIVED);
  together(host, 0, slots[GRADIENT], arena + MEAN);
  host->launch(host->context, LOOK, 1, MEAN, 0, mine);
  if (mark == UNKNOWN_KERNEL)
    host->launch(host->context, 99, 1, 0, 0, 0);
  together(host, 1, mark == NULL_ADDRESS ? 0 : slots[SUMS], slots[SUMS]);
  host->launch(host->context, DECIDE, 1, 0, 0, 0);
  if (mark != NOTHING_TO_SEND)
    host->launch(host->context, SCALE, 1, MEAN, 0, mine);
  together(host, 2, arena + SENT, arena + RECEIVED);
  host->launch(host->context, UPDATE, 1, RECEIVED, 0, 6);
  return 0;
}
