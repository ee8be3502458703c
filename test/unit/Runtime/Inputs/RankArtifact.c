/*===- RankArtifact.c - The artifact of one rank, written by hand ---------===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* Gradient descent with momentum on several ranks. Tensor w is replicated,   *|
|* its elements are owned in runs; of u each rank has some rows. The manifest *|
|* is only room: rankManifest() in TestArtifact.cpp fits this code.           *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "muon-mlir/Runtime/HostApi.h"

const char muon_manifest[16362] = "@MANIFEST@";
const uint64_t muon_manifest_size = 16361;

/* Numbers: ranks, this rank, elements of u here, elements of w on each rank. */
const volatile char config[100] = "@CONFIG@";

enum { MOST_RANKS = 16 };

static int32_t number(int32_t *at) {
  int32_t value = 0;
  while (config[*at] == ' ')
    ++*at;
  while (config[*at] >= '0' && config[*at] <= '9')
    value = 10 * value + (config[(*at)++] - '0');
  return value;
}

int32_t step(const MuonHostApi *host, void *const *slots, void *stream) {
  if (host->version != MUON_HOST_API_VERSION ||
      host->size != sizeof(MuonHostApi) || stream)
    return 1;
  if (!host->collective_start || !host->collective_wait)
    return 2;
  int32_t at = 0, counts[MOST_RANKS];
  int32_t ranks = number(&at), rank = number(&at), rows = number(&at);
  for (int32_t i = 0; i < ranks; ++i)
    counts[i] = number(&at);

  /* One part of w for each rank. */
  float *const *parts = (float *const *)slots;
  float *gradient = slots[ranks];
  float *momentum = slots[ranks + 1];
  float *block = slots[ranks + 2];
  const float *blockGradient = slots[ranks + 3];
  float lr = *(float *)slots[ranks + 4];
  int64_t *count = slots[ranks + 5];
  uint8_t *ok = slots[ranks + 6];
  double *sums = slots[ranks + 7];
  float *mean = host->arena;
  int32_t mine = counts[rank];

  if (lr == 1000)
    return 42;
  if (lr == 1001)
    host->collective_start(host->context, 3, slots);
  if (lr == 1002)
    host->collective_wait(host->context, 2);
  void *reduce[] = {gradient, mean};
  if (lr == 1003)
    reduce[0] = 0;
  host->collective_start(host->context, 0, reduce);
  if (lr == 1004)
    host->collective_start(host->context, 0, reduce);
  if (lr == 1005)
    return 0;
  host->collective_wait(host->context, 0);

  /* sums is zero when the step begins. */
  for (int32_t i = 0; i < mine; ++i)
    sums[0] += (double)mean[i] * mean[i];
  void *look[] = {sums, sums};
  host->collective_start(host->context, 1, look);
  host->collective_wait(host->context, 1);
  *ok = sums[0] - sums[0] == 0;
  if (!*ok)
    return 0;

  for (int32_t i = 0; i < mine; ++i) {
    momentum[i] = 0.5f * momentum[i] + mean[i];
    parts[rank][i] -= lr * momentum[i];
  }
  void *others[MOST_RANKS];
  int32_t numOthers = 0;
  for (int32_t i = 0; i < ranks; ++i)
    if (i != rank)
      others[numOthers++] = parts[i];
  void *gather[] = {(void *)&slots[rank], others};
  host->collective_start(host->context, 2, gather);
  for (int32_t i = 0; i < 2 * rows; ++i)
    block[i] -= lr * blockGradient[i];
  host->collective_wait(host->context, 2);
  ++*count;
  return 0;
}
