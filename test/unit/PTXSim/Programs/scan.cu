//===- scan.cu - Prefix sums, and a total by the last block ---------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// Inclusive sums within each block of 128 threads; the block that ends last
/// adds up those of all blocks. `done` is 0 before and after.
extern "C" __global__ void scan(const int *x, int *y, int *blockSums,
                                int *total, unsigned *done, unsigned n) {
  __shared__ int buffer[2][128];
  __shared__ bool isLast;
  unsigned t = threadIdx.x, i = blockIdx.x * 128 + t;
  int current = 0;
  buffer[0][t] = i < n ? x[i] : 0;
  __syncthreads();
#pragma unroll 1
  for (unsigned distance = 1; distance < 128; distance *= 2) {
    int sum = buffer[current][t];
    if (t >= distance)
      sum += buffer[current][t - distance];
    current = 1 - current;
    buffer[current][t] = sum;
    __syncthreads();
  }
  if (i < n)
    y[i] = buffer[current][t];

  if (t == 0) {
    blockSums[blockIdx.x] = buffer[current][127];
    __threadfence();
    isLast = atomicInc(done, gridDim.x - 1) == gridDim.x - 1;
    // Without it, the other sums need not be seen by this thread.
    __threadfence();
  }
  __syncthreads();
  if (isLast && t == 0) {
    int sum = 0;
    for (unsigned b = 0; b < gridDim.x; ++b)
      sum += blockSums[b];
    *total = sum;
  }
}
