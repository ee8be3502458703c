//===- pipe.cu - A producer and a consumer --------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

__device__ __forceinline__ void wait(unsigned barrier) {
  asm volatile("bar.sync %0, 64;" ::"r"(barrier) : "memory");
}

__device__ __forceinline__ void arrive(unsigned barrier) {
  asm volatile("bar.arrive %0, 64;" ::"r"(barrier) : "memory");
}

/// Barriers 1 and 2: a buffer is full; 3 and 4: it is empty. The first warp
/// fills, the second reads in the opposite order of lanes.
extern "C" __global__ void pipe(const int *x, int *y, int steps) {
  __shared__ int buffer[2][32];
  unsigned lane = threadIdx.x % 32;
  x += (size_t)blockIdx.x * steps * 32;
  y += (size_t)blockIdx.x * 32;
  if (threadIdx.x < 32) {
#pragma unroll 1
    for (int i = 0; i < steps; ++i) {
      if (i >= 2)
        wait(3 + i % 2);
      buffer[i % 2][lane] = x[i * 32 + lane];
      arrive(1 + i % 2);
    }
  } else {
    int sum = 0;
#pragma unroll 1
    for (int i = 0; i < steps; ++i) {
      wait(1 + i % 2);
      sum = sum * 3 + buffer[i % 2][31 - lane];
      if (i + 2 < steps)
        arrive(3 + i % 2);
    }
    y[lane] = sum;
  }
}
