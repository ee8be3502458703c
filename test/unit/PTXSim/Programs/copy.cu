//===- copy.cu - Copies, whose traffic is known ---------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The grid covers n exactly.
extern "C" __global__ void copyVectors(const float4 *x, float4 *y) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  float4 v = x[i];
  y[i] = {v.x, v.y, v.z, v.w};
}

/// Reads `stride` elements apart and writes side by side.
extern "C" __global__ void copyStrided(const float *x, float *y, unsigned n,
                                       unsigned stride) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    y[i] = x[i * stride];
}

/// A 32x32 tile goes through shared memory; `pitch` of 33 is free of bank
/// conflicts, one of 32 is the worst case.
template <int Pitch>
__device__ __forceinline__ void transpose(const unsigned *x, unsigned *y) {
  __shared__ unsigned tile[32 * Pitch];
  for (unsigned row = threadIdx.y; row < 32; row += blockDim.y)
    tile[row * Pitch + threadIdx.x] = x[row * 32 + threadIdx.x];
  __syncthreads();
  for (unsigned row = threadIdx.y; row < 32; row += blockDim.y)
    y[row * 32 + threadIdx.x] = tile[threadIdx.x * Pitch + row];
}

extern "C" __global__ void transposePadded(const unsigned *x, unsigned *y) {
  transpose<33>(x, y);
}

extern "C" __global__ void transposeConflicts(const unsigned *x, unsigned *y) {
  transpose<32>(x, y);
}
