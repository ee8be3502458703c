//===- softmax.cu - Softmax of rows ---------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

template <class F>
__device__ __forceinline__ float blockReduce(float value, F combine) {
  __shared__ float partial[4];
  for (int offset = 16; offset; offset /= 2)
    value = combine(value, __shfl_xor_sync(0xffffffffu, value, offset));
  // Of the reduction before, someone may still read.
  __syncthreads();
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = value;
  __syncthreads();
  return combine(combine(partial[0], partial[1]),
                 combine(partial[2], partial[3]));
}

/// A block of 128 threads for each row; `columns` is a multiple of 4.
extern "C" __global__ void softmax(const float *x, float *y, int columns) {
  const float4 *in = (const float4 *)(x + (size_t)blockIdx.x * columns);
  float4 *out = (float4 *)(y + (size_t)blockIdx.x * columns);
  auto larger = [](float a, float b) { return fmaxf(a, b); };
  auto add = [](float a, float b) { return a + b; };

  float most = -INFINITY;
  for (int i = threadIdx.x; i < columns / 4; i += 128) {
    float4 v = in[i];
    most = fmaxf(most, fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w)));
  }
  most = blockReduce(most, larger);

  float sum = 0;
  for (int i = threadIdx.x; i < columns / 4; i += 128) {
    float4 v = in[i];
    v = {expf(v.x - most), expf(v.y - most), expf(v.z - most),
         expf(v.w - most)};
    sum += (v.x + v.y) + (v.z + v.w);
    out[i] = v;
  }
  sum = blockReduce(sum, add);

  float scale = 1 / sum;
  for (int i = threadIdx.x; i < columns / 4; i += 128) {
    float4 v = out[i];
    out[i] = {v.x * scale, v.y * scale, v.z * scale, v.w * scale};
  }
}
