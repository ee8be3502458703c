//===- matmul.cu - Products of matrices on tensor cores -------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// C = A·B in blocks of 64x64 by 4 warps, each 32x32, through a pipeline of
// three stages of depth 32 filled by cp.async. A is row-major M×K, C is
// row-major M×N in f32; B is N×K, or K×N in matmulTransposed.

using Element = unsigned short;

constexpr int tile = 64, depth = 32, stages = 3;

/// 16 bytes hold 8 elements.
constexpr int chunk = 8;

__device__ __forceinline__ unsigned sharedAddress(const void *p) {
  return (unsigned)__cvta_generic_to_shared(p);
}

__device__ __forceinline__ void copyAsync(unsigned to, const void *from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from)
               : "memory");
}

/// Bytes beyond the first `bytes` of 16 become zero.
__device__ __forceinline__ void copyAsync(unsigned to, const void *from,
                                          int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to),
               "l"(from), "r"(bytes)
               : "memory");
}

__device__ __forceinline__ void commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

template <int Pending>
__device__ __forceinline__ void waitGroup() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

__device__ __forceinline__ void loadMatrix4(unsigned (&r)[4], unsigned at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(at)
               : "memory");
}

__device__ __forceinline__ void loadMatrix2(unsigned (&r)[2], unsigned at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(at)
               : "memory");
}

__device__ __forceinline__ void loadMatrix4Transposed(unsigned (&r)[4],
                                                      unsigned at) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(at)
      : "memory");
}

__device__ __forceinline__ void multiply(float (&c)[4], const unsigned (&a)[4],
                                         unsigned b0, unsigned b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
               "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Rows of 64 bytes: two of them pass all banks, so that the chunks of a pair
/// of rows trade places by the number of the pair.
__device__ __forceinline__ unsigned swizzled(int row, int column) {
  return row * depth + ((column / chunk) ^ (row / 2 % 4)) * chunk;
}

/// Rows of 128 bytes pass all banks.
__device__ __forceinline__ unsigned swizzledWide(int row, int column) {
  return row * tile + ((column / chunk) ^ (row % 8)) * chunk;
}

struct Shared {
  Element a[stages][tile * depth], b[stages][tile * depth];
};

struct Sum {
  float c[2][4][4];

  __device__ __forceinline__ Sum() {
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int k = 0; k < 4; ++k)
          c[i][j][k] = 0;
  }
};

__device__ __forceinline__ void loadA(unsigned (&a)[2][4], const Element *from,
                                      int warpRow, int lane, int k) {
#pragma unroll
  for (int i = 0; i < 2; ++i)
    loadMatrix4(a[i],
                sharedAddress(from + swizzled(warpRow + i * 16 + lane % 16,
                                              k + lane / 16 * chunk)));
}

__device__ __forceinline__ void accumulate(Sum &sum, const Element *a,
                                           const Element *b, int warpRow,
                                           int warpColumn, int lane) {
#pragma unroll
  for (int k = 0; k < depth; k += 16) {
    unsigned fragmentA[2][4];
    loadA(fragmentA, a, warpRow, lane, k);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      unsigned fragmentB[2];
      loadMatrix2(fragmentB,
                  sharedAddress(b + swizzled(warpColumn + j * 8 + lane % 8,
                                             k + lane / 8 % 2 * chunk)));
#pragma unroll
      for (int i = 0; i < 2; ++i)
        multiply(sum.c[i][j], fragmentA[i], fragmentB[0], fragmentB[1]);
    }
  }
}

/// A square of 64 rows, 32 deep: two chunks for each thread.
__device__ __forceinline__ void fetch(Element *to, const Element *from,
                                      int pitch) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    int row = threadIdx.x / 4 + i * 32, column = threadIdx.x % 4 * chunk;
    copyAsync(sharedAddress(to + swizzled(row, column)),
              from + (size_t)row * pitch + column);
  }
}

/// M and N are multiples of 64, K of 32; pitches are those of the sizes.
extern "C" __global__ void __launch_bounds__(128)
    matmul(const Element *a, const Element *b, float *c, int n, int k) {
  __shared__ __align__(128) Shared shared;
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int warpRow = warp / 2 * 32, warpColumn = warp % 2 * 32;
  int row = blockIdx.y * tile, column = blockIdx.x * tile, tiles = k / depth;
  a += (size_t)row * k;
  b += (size_t)column * k;

#pragma unroll
  for (int t = 0; t < stages - 1; ++t) {
    if (t < tiles) {
      fetch(shared.a[t], a + t * depth, k);
      fetch(shared.b[t], b + t * depth, k);
    }
    commit();
  }
  Sum sum;
#pragma unroll 1
  for (int t = 0; t < tiles; ++t) {
    waitGroup<stages - 2>();
    // The tile is there for all, and the one before it was read by all.
    __syncthreads();
    int next = t + stages - 1;
    if (next < tiles) {
      fetch(shared.a[next % stages], a + next * depth, k);
      fetch(shared.b[next % stages], b + next * depth, k);
    }
    commit();
    accumulate(sum, shared.a[t % stages], shared.b[t % stages], warpRow,
               warpColumn, lane);
  }
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int y = row + warpRow + i * 16 + half * 8 + lane / 4;
        int x = column + warpColumn + j * 8 + lane % 4 * 2;
        *(float2 *)(c + (size_t)y * n + x) = {sum.c[i][j][half * 2],
                                              sum.c[i][j][half * 2 + 1]};
      }
}

__device__ __forceinline__ void fetchMasked(Element *to, const Element *from,
                                            int pitch, int rows, int columns) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    int row = threadIdx.x / 4 + i * 32, column = threadIdx.x % 4 * chunk;
    int left = row < rows ? min(max(columns - column, 0), chunk) : 0;
    copyAsync(sharedAddress(to + swizzled(row, column)),
              left ? from + (size_t)row * pitch + column : from, left * 2);
  }
}

/// Any sizes; rows of A and B begin at multiples of 16 bytes, pitches apart.
extern "C" __global__ void __launch_bounds__(128)
    matmulMasked(const Element *a, const Element *b, float *c, int m, int n,
                 int k, int pitchA, int pitchB, int pitchC) {
  __shared__ __align__(128) Shared shared;
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int warpRow = warp / 2 * 32, warpColumn = warp % 2 * 32;
  int row = blockIdx.y * tile, column = blockIdx.x * tile;
  int tiles = (k + depth - 1) / depth;
  a += (size_t)row * pitchA;
  b += (size_t)column * pitchB;

#pragma unroll
  for (int t = 0; t < stages - 1; ++t) {
    if (t < tiles) {
      fetchMasked(shared.a[t], a + t * depth, pitchA, m - row, k - t * depth);
      fetchMasked(shared.b[t], b + t * depth, pitchB, n - column,
                  k - t * depth);
    }
    commit();
  }
  Sum sum;
#pragma unroll 1
  for (int t = 0; t < tiles; ++t) {
    waitGroup<stages - 2>();
    __syncthreads();
    int next = t + stages - 1;
    if (next < tiles) {
      fetchMasked(shared.a[next % stages], a + next * depth, pitchA, m - row,
                  k - next * depth);
      fetchMasked(shared.b[next % stages], b + next * depth, pitchB, n - column,
                  k - next * depth);
    }
    commit();
    accumulate(sum, shared.a[t % stages], shared.b[t % stages], warpRow,
               warpColumn, lane);
  }
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        int y = row + warpRow + i * 16 + e / 2 * 8 + lane / 4;
        int x = column + warpColumn + j * 8 + lane % 4 * 2 + e % 2;
        if (y < m && x < n)
          c[(size_t)y * pitchC + x] = sum.c[i][j][e];
      }
}

/// As matmul, with B of K×N, transposed on its way into registers.
extern "C" __global__ void __launch_bounds__(128)
    matmulTransposed(const Element *a, const Element *b, float *c, int n,
                     int k) {
  __shared__ __align__(128) Shared shared;
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int warpRow = warp / 2 * 32, warpColumn = warp % 2 * 32;
  int row = blockIdx.y * tile, column = blockIdx.x * tile, tiles = k / depth;
  a += (size_t)row * k;
  b += column;

  auto fetchB = [&](int stage, int t) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      int y = threadIdx.x / 8 + i * 16, x = threadIdx.x % 8 * chunk;
      copyAsync(sharedAddress(shared.b[stage] + swizzledWide(y, x)),
                b + (size_t)(t * depth + y) * n + x);
    }
  };
#pragma unroll
  for (int t = 0; t < stages - 1; ++t) {
    if (t < tiles) {
      fetch(shared.a[t], a + t * depth, k);
      fetchB(t, t);
    }
    commit();
  }
  Sum sum;
#pragma unroll 1
  for (int t = 0; t < tiles; ++t) {
    waitGroup<stages - 2>();
    __syncthreads();
    int next = t + stages - 1;
    if (next < tiles) {
      fetch(shared.a[next % stages], a + next * depth, k);
      fetchB(next % stages, next);
    }
    commit();
#pragma unroll
    for (int d = 0; d < depth; d += 16) {
      unsigned fragmentA[2][4];
      loadA(fragmentA, shared.a[t % stages], warpRow, lane, d);
#pragma unroll
      for (int j = 0; j < 4; j += 2) {
        unsigned b4[4];
        loadMatrix4Transposed(
            b4,
            sharedAddress(shared.b[t % stages] +
                          swizzledWide(d + lane % 16, warpColumn + j * 8 +
                                                          lane / 16 * chunk)));
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          multiply(sum.c[i][j], fragmentA[i], b4[0], b4[1]);
          multiply(sum.c[i][j + 1], fragmentA[i], b4[2], b4[3]);
        }
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int y = row + warpRow + i * 16 + half * 8 + lane / 4;
        int x = column + warpColumn + j * 8 + lane % 4 * 2;
        *(float2 *)(c + (size_t)y * n + x) = {sum.c[i][j][half * 2],
                                              sum.c[i][j][half * 2 + 1]};
      }
}

// One warp, fragments straight from global memory: A is 16×k (8×k for f64), B
// is 8×k, C 16×8 (8×8).

extern "C" __global__ void mmaF16(const Element *a, const Element *b, float *c,
                                  int k) {
  int row = threadIdx.x / 4, pair = threadIdx.x % 4 * 2;
  float sum[4] = {};
  for (int d = 0; d < k; d += 16) {
    auto at = [&](const Element *p, int y, int x) {
      return *(const unsigned *)(p + y * k + d + x + pair);
    };
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(at(a, row, 0)), "r"(at(a, row + 8, 0)),
                   "r"(at(a, row, 8)), "r"(at(a, row + 8, 8)),
                   "r"(at(b, row, 0)), "r"(at(b, row, 8)));
  }
  for (int e = 0; e < 4; ++e)
    c[(row + e / 2 * 8) * 8 + pair + e % 2] = sum[e];
}

/// Sums in f16, of half the depth at a time.
extern "C" __global__ void mmaF16Sum(const Element *a, const Element *b,
                                     Element *c, int k) {
  int row = threadIdx.x / 4, pair = threadIdx.x % 4 * 2;
  unsigned sum[2] = {};
  for (int d = 0; d < k; d += 8) {
    auto at = [&](const Element *p, int y) {
      return *(const unsigned *)(p + y * k + d + pair);
    };
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 "
                 "{%0,%1}, {%2,%3}, {%4}, {%0,%1};"
                 : "+r"(sum[0]), "+r"(sum[1])
                 : "r"(at(a, row)), "r"(at(a, row + 8)), "r"(at(b, row)));
  }
  *(unsigned *)(c + row * 8 + pair) = sum[0];
  *(unsigned *)(c + (row + 8) * 8 + pair) = sum[1];
}

extern "C" __global__ void mmaTF32(const float *a, const float *b, float *c,
                                   int k) {
  int row = threadIdx.x / 4, column = threadIdx.x % 4;
  float sum[4] = {};
  for (int d = 0; d < k; d += 8) {
    auto at = [&](const float *p, int y, int x) {
      unsigned rounded;
      asm("cvt.rna.tf32.f32 %0, %1;"
          : "=r"(rounded)
          : "f"(p[y * k + d + x + column]));
      return rounded;
    };
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(at(a, row, 0)), "r"(at(a, row + 8, 0)),
                   "r"(at(a, row, 4)), "r"(at(a, row + 8, 4)),
                   "r"(at(b, row, 0)), "r"(at(b, row, 4)));
  }
  for (int e = 0; e < 4; ++e)
    c[(row + e / 2 * 8) * 8 + column * 2 + e % 2] = sum[e];
}

extern "C" __global__ void mmaF64(const double *a, const double *b, double *c,
                                  int k) {
  int row = threadIdx.x / 4, column = threadIdx.x % 4;
  double sum[2] = {};
  for (int d = 0; d < k; d += 4)
    asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 "
                 "{%0,%1}, {%2}, {%3}, {%0,%1};"
                 : "+d"(sum[0]), "+d"(sum[1])
                 : "d"(a[row * k + d + column]), "d"(b[row * k + d + column]));
  c[row * 8 + column * 2] = sum[0];
  c[row * 8 + column * 2 + 1] = sum[1];
}
