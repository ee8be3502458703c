//===- reduce.cu - Reductions, votes and shuffles -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

__device__ __forceinline__ float warpSum(float value) {
  for (int offset = 16; offset; offset /= 2)
    value += __shfl_down_sync(0xffffffffu, value, offset);
  return value;
}

/// One sum for each block, of every element that the block's threads stride
/// over.
extern "C" __global__ void reduceSum(const float *x, float *sums, unsigned n) {
  __shared__ float partial[32];
  float sum = 0;
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n;
       i += gridDim.x * blockDim.x)
    sum += x[i];
  sum = warpSum(sum);
  unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (lane == 0)
    partial[warp] = sum;
  __syncthreads();
  if (warp == 0) {
    sum = lane < blockDim.x / 32 ? partial[lane] : 0;
    sum = warpSum(sum);
    if (lane == 0)
      sums[blockIdx.x] = sum;
  }
}

extern "C" __global__ void reduceAtomic(const int *x, int *total, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  int sum = __reduce_add_sync(0xffffffffu, i < n ? x[i] : 0);
  if (threadIdx.x % 32 == 0)
    atomicAdd(total, sum);
}

/// Floats in any order: no two orders need give the same bits.
extern "C" __global__ void reduceFloatAtomic(const float *x, float *total) {
  atomicAdd(total, x[blockIdx.x * blockDim.x + threadIdx.x]);
}

struct Votes {
  unsigned ballot, any, all, matchAny, matchAll, matchAllPredicate;
  unsigned minimum, maximum, bitAnd, bitOr, bitXor;
  unsigned up, down, butterfly, broadcast;
};

/// Everything that a warp can say at once; `shfl` in segments of 16 too.
extern "C" __global__ void votes(const unsigned *x, Votes *out) {
  const unsigned all = 0xffffffffu;
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x, value = x[i];
  Votes v;
  int same;
  v.ballot = __ballot_sync(all, value & 1);
  v.any = __any_sync(all, value == 7);
  v.all = __all_sync(all, value < 100);
  v.matchAny = __match_any_sync(all, value);
  v.matchAll = __match_all_sync(all, value, &same);
  v.matchAllPredicate = same;
  v.minimum = __reduce_min_sync(all, value);
  v.maximum = unsigned(__reduce_max_sync(all, int(value) - 50));
  v.bitAnd = __reduce_and_sync(all, value | 8);
  v.bitOr = __reduce_or_sync(all, value << 3);
  v.bitXor = __reduce_xor_sync(all, value);
  v.up = __shfl_up_sync(all, value, 3, 16);
  v.down = __shfl_down_sync(all, value, 5);
  v.butterfly = __shfl_xor_sync(all, value, 9);
  v.broadcast = __shfl_sync(all, value, 18, 16);
  out[i] = v;
}

/// Both sides of a branch vote by themselves.
extern "C" __global__ void votesApart(unsigned *out) {
  unsigned lane = threadIdx.x % 32, value;
  if (lane % 3 == 0)
    value = __ballot_sync(0x49249249u, lane > 10) + 1;
  else
    value = __ballot_sync(0xb6db6db6u, lane > 20) + 2;
  __syncwarp();
  out[threadIdx.x] = value;
}

/// Sums of eight lanes through shared memory, with no barrier of the block.
extern "C" __global__ void warpShared(const int *x, int *sums) {
  __shared__ int values[256];
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  values[threadIdx.x] = x[i];
  __syncwarp();
  int sum = 0;
  for (int k = 0; k < 8; ++k)
    sum += values[threadIdx.x / 8 * 8 + (threadIdx.x + k) % 8];
  sums[i] = sum;
}
