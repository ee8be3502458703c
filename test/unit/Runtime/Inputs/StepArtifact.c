/*===- StepArtifact.c - An artifact written by hand -----------------------===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* Plain gradient descent, simple enough to compute by hand in a test. The    *|
|* manifest is only room: stepManifest() in TestArtifact.cpp fits this code,  *|
|* and tests that expect a refusal write others there.                        *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "muon-mlir/Runtime/HostApi.h"

/* One more than the size says, so that the size is not also the size of a
 * symbol, and its bytes can be found in the file. */
const char muon_manifest[16362] = "@MANIFEST@";
const uint64_t muon_manifest_size = 16361;

/* For tests of the functions themselves. */
const MuonHostApi *last_host;

enum { ARENA_BYTES = 1000, ARENA_ALIGNMENT = 256 };

static double sum(const float *x, int n) {
  double result = 0;
  for (int i = 0; i < n; ++i)
    result += (double)x[i] * x[i];
  return result;
}

static float widen(uint16_t bits) {
  union {
    uint32_t bits;
    float value;
  } wide = {(uint32_t)bits << 16};
  return wide.value;
}

static uint16_t truncated(float value) {
  union {
    float value;
    uint32_t bits;
  } wide = {value};
  return (uint16_t)(wide.bits >> 16);
}

int32_t step(const MuonHostApi *host, void *const *slots, void *stream) {
  if (host->version != MUON_HOST_API_VERSION ||
      host->size != sizeof(MuonHostApi) || stream)
    return 1;
  char *arena = host->arena;
  if (!arena || (uintptr_t)arena % ARENA_ALIGNMENT)
    return 2;
  arena[0] = arena[ARENA_BYTES - 1] = 1;
  __atomic_store_n(&last_host, host, __ATOMIC_RELAXED);

  float *const *weights = (float *const *)slots;
  const float *const *gradients = (const float *const *)slots + 2;
  float *const *momenta = (float *const *)slots + 4;
  float *const *blocks = (float *const *)slots + 6;
  const float *const *blockGradients = (const float *const *)slots + 8;
  uint16_t *half = slots[10];
  const uint16_t *halfGradient = slots[11];
  float *master = slots[12];
  float lr = *(float *)slots[13];
  float lrAdamw = *(float *)slots[14];
  float decay = *(float *)slots[15];
  float beta = *(float *)slots[16];
  float limit = *(float *)slots[17];
  int64_t *count = slots[18];
  uint8_t *ok = slots[19];
  float *clip = slots[20];
  double *gradientSums = slots[21];
  double *blockGradientSums = slots[22];
  double *momentumSums = slots[23];
  double *updateSums = slots[24];
  double *weightSums = slots[25];
  double *halfGradientSums = slots[26];

  if (lr == 1234.0f)
    return 42;

  double total = 0, all = 0;
  for (int i = 0; i < 2; ++i) {
    total += gradientSums[i] = sum(gradients[i], 6);
    total += blockGradientSums[i] = sum(blockGradients[i], 4);
    all += momentumSums[i] = sum(momenta[i], 6);
  }
  halfGradientSums[0] = 0;
  for (int i = 0; i < 3; ++i) {
    double g = widen(halfGradient[i]);
    halfGradientSums[0] += g * g;
  }
  total += halfGradientSums[0];
  all += total;
  *ok = all - all == 0;
  *clip = total > (double)limit * limit ? 0.5f : 1.0f;
  if (!*ok)
    return 0;

  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 6; ++j) {
      momenta[i][j] = beta * momenta[i][j] + *clip * gradients[i][j];
      weights[i][j] = (1 - lr * decay) * weights[i][j] - lr * momenta[i][j];
    }
    updateSums[i] = sum(momenta[i], 6);
    weightSums[i] = sum(weights[i], 6);
    for (int j = 0; j < 4; ++j)
      blocks[i][j] -= lr * *clip * blockGradients[i][j];
  }
  for (int i = 0; i < 3; ++i) {
    master[i] -= lrAdamw * *clip * widen(halfGradient[i]);
    half[i] = truncated(master[i]);
  }
  ++*count;
  return 0;
}
