//===- CollectiveSum.cpp - Sums over ranks --------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CollectiveSum.h"

#include "CpuNumbers.h"

#include <algorithm>
#include <cstring>

using namespace muon;

/// Small enough for the first cache, with what is read.
static constexpr int64_t kBlock = 2048;

template <typename T>
static inline void addTo(T *sum, const T *terms, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    sum[i] += terms[i];
}

template <typename T>
static inline void scale(T *sum, T factor, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    sum[i] *= factor;
}

/// The block is summed apart from `to`, which may be a source.
template <typename T>
static void sumPlain(bool isMean, const void *const *sources,
                     int32_t numSources, void *to, int64_t count) {
  alignas(64) T sum[kBlock];
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    int64_t part = std::min(kBlock, count - begin);
    size_t bytes = size_t(part) * sizeof(T);
    std::memcpy(sum, static_cast<const T *>(sources[0]) + begin, bytes);
    for (int32_t i = 1; i < numSources; ++i)
      addTo(sum, static_cast<const T *>(sources[i]) + begin, part);
    if (isMean)
      scale(sum, T(1) / T(numSources), part);
    std::memcpy(static_cast<T *>(to) + begin, sum, bytes);
  }
}

template <void widen(const uint16_t *, float *, int64_t),
          void narrow(const float *, uint16_t *, int64_t)>
static void sumHalves(bool isMean, const void *const *sources,
                      int32_t numSources, void *to, int64_t count) {
  alignas(64) float sum[kBlock], terms[kBlock];
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    int64_t part = std::min(kBlock, count - begin);
    widen(static_cast<const uint16_t *>(sources[0]) + begin, sum, part);
    for (int32_t i = 1; i < numSources; ++i) {
      widen(static_cast<const uint16_t *>(sources[i]) + begin, terms, part);
      addTo(sum, terms, part);
    }
    if (isMean)
      scale(sum, 1.0f / float(numSources), part);
    narrow(sum, static_cast<uint16_t *>(to) + begin, part);
  }
}

void collective::sumInOrder(MuonType type, bool isMean,
                            const void *const *sources, int32_t numSources,
                            void *to, int64_t count) {
  switch (type) {
  case MUON_TYPE_F64:
    return sumPlain<double>(isMean, sources, numSources, to, count);
  case MUON_TYPE_BF16:
    return sumHalves<widenBf16, narrowToBf16>(isMean, sources, numSources, to,
                                              count);
  case MUON_TYPE_F16:
    return sumHalves<widenF16, narrowToF16>(isMean, sources, numSources, to,
                                            count);
  default:
    return sumPlain<float>(isMean, sources, numSources, to, count);
  }
}
