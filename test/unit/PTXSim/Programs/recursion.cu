//===- recursion.cu - Calls that diverge ----------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// Every lane has a recursion of its own depth and shape.
extern "C" __device__ __noinline__ unsigned ackermann(unsigned m, unsigned n) {
  if (m == 0)
    return n + 1;
  if (n == 0)
    return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

/// Arguments (m, n) for each thread; m up to 2.
extern "C" __global__ void ackermannOf(const uint2 *arguments,
                                       unsigned *values) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  values[i] = ackermann(arguments[i].x, arguments[i].y);
}

extern "C" __device__ __noinline__ void quicksort(int *a, int from, int to) {
  while (to - from > 1) {
    int pivot = a[(from + to) / 2], i = from, j = to - 1;
    while (i <= j) {
      while (a[i] < pivot)
        ++i;
      while (a[j] > pivot)
        --j;
      if (i <= j) {
        int t = a[i];
        a[i++] = a[j];
        a[j--] = t;
      }
    }
    quicksort(a, from, j + 1);
    from = i;
  }
}

/// Each thread sorts the first `lengths[i]` of 16 numbers in local memory.
extern "C" __global__ void sortRows(const int *x, const unsigned *lengths,
                                    int *y) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x, length = lengths[i];
  int row[16];
  for (unsigned k = 0; k < length; ++k)
    row[k] = x[i * 16 + k];
  quicksort(row, 0, int(length));
  for (unsigned k = 0; k < length; ++k)
    y[i * 16 + k] = row[k];
}

struct Pair {
  long long first;
  int second;
};

extern "C" __device__ __noinline__ Pair swapSum(Pair p, float scale) {
  return {p.second + (long long)scale, int(p.first) * 2};
}

extern "C" __device__ __noinline__ Pair add(Pair p, float scale) {
  return {p.first + p.second, int(scale)};
}

extern "C" __device__ __noinline__ Pair odd(Pair p, float scale) {
  if (p.second & 1)
    return add(p, scale * 3);
  return swapSum(p, scale);
}

__device__ Pair (*const table[])(Pair, float) = {swapSum, add, odd};

/// The function that is called differs from lane to lane.
extern "C" __global__ void indirect(const Pair *x, const unsigned *which,
                                    Pair *y) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  Pair p = table[which[i]](x[i], float(i) + 0.5f);
  y[i].first = p.first;
  y[i].second = p.second;
}
