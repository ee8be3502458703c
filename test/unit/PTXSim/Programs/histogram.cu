//===- histogram.cu - Atomics in shared and global memory -----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

extern __shared__ unsigned local[];

/// Values of `count` and above belong to no bin.
extern "C" __global__ void histogram(const unsigned char *x, unsigned *bins,
                                     unsigned n, unsigned count) {
  for (unsigned i = threadIdx.x; i < count; i += blockDim.x)
    local[i] = 0;
  __syncthreads();
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n;
       i += gridDim.x * blockDim.x)
    if (x[i] < count)
      atomicAdd(&local[x[i]], 1u);
  __syncthreads();
  for (unsigned i = threadIdx.x; i < count; i += blockDim.x)
    if (local[i])
      atomicAdd(&bins[i], local[i]);
}

struct Extremes {
  int minimum, maximum;
  unsigned bitAnd, bitOr, bitXor, increments, decrements, claims;
  unsigned long long sum;
};

/// The other atomics, all on one structure.
extern "C" __global__ void extremes(const int *x, Extremes *e, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  int value = x[i];
  atomicMin(&e->minimum, value);
  atomicMax(&e->maximum, value);
  atomicAnd(&e->bitAnd, unsigned(value) | 0xff00u);
  atomicOr(&e->bitOr, unsigned(value));
  atomicXor(&e->bitXor, unsigned(value));
  atomicInc(&e->increments, 9);
  atomicDec(&e->decrements, 6);
  // One thread gets here first, whichever.
  if (atomicCAS(&e->claims, 0, 1) == 0)
    atomicAdd(&e->claims, 41);
  atomicAdd(&e->sum, (unsigned long long)(long long)value);
}
