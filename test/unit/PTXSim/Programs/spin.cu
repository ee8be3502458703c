//===- spin.cu - Locks and turns ------------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// Every thread takes the lock of its block, one lane after the other, and puts
/// itself into the block's list: a plain number, guarded by the lock.
extern "C" __global__ void lockPerBlock(int *locks, int *lists, int *ranks) {
  int *lock = locks + blockIdx.x, *list = lists + blockIdx.x;
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      __threadfence();
      int rank = *list;
      *list = rank + 1;
      ranks[blockIdx.x * blockDim.x + threadIdx.x] = rank;
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
  }
}

/// One lock for all, taken in a loop that a lane leaves with the lock while
/// others of its warp still want it.
extern "C" __global__ void lockForAll(int *lock, int *list, int *ranks) {
  while (atomicCAS(lock, 0, 1) != 0)
    ;
  __threadfence();
  int rank = *list;
  *list = rank + 1;
  ranks[blockIdx.x * blockDim.x + threadIdx.x] = rank;
  __threadfence();
  atomicExch(lock, 0);
}

/// Blocks take turns in the order of the grid; each folds its number into a
/// value that depends on the order.
extern "C" __global__ void turns(volatile unsigned *turn, unsigned *value) {
  if (threadIdx.x == 0) {
    while (*turn != blockIdx.x)
      ;
    __threadfence();
    *value = *value * 31 + blockIdx.x;
    __threadfence();
    *turn = blockIdx.x + 1;
  }
}

/// Blocks in the order in which they come: each takes a ticket and waits for
/// the one before it to hand over a sum.
extern "C" __global__ void chain(const unsigned *x, unsigned *tickets,
                                 unsigned *ready, unsigned *sums) {
  if (threadIdx.x == 0) {
    unsigned ticket = atomicAdd(tickets, 1u);
    unsigned sum = x[ticket];
    if (ticket) {
      while (atomicAdd(&ready[ticket - 1], 0u) == 0)
        ;
      __threadfence();
      sum += sums[ticket - 1];
    }
    sums[ticket] = sum;
    __threadfence();
    atomicExch(&ready[ticket], 1u);
  }
}
