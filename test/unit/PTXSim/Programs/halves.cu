//===- halves.cu - Half precision -----------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include <cuda_bf16.h>
#include <cuda_fp16.h>

/// Pairs of f16: a·x + y, then its largest with zero, product and quotient.
extern "C" __global__ void halves(const __half2 *x, const __half2 *y,
                                  __half2 *fused, __half2 *clipped, float2 *sum,
                                  __half *quotient) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  __half2 a = __floats2half2_rn(1.5f, -0.75f);
  fused[i] = __hfma2(a, x[i], y[i]);
  clipped[i] = __hmax2(__hmul2(x[i], y[i]), __float2half2_rn(0));
  sum[i] = __half22float2(__hadd2(x[i], __lowhigh2highlow(y[i])));
  quotient[i] = __hdiv(__low2half(x[i]), __high2half(y[i]));
}

extern "C" __global__ void brains(const __nv_bfloat162 *x,
                                  const __nv_bfloat162 *y,
                                  __nv_bfloat162 *fused, float2 *wide,
                                  __nv_bfloat16 *rounded, unsigned *less) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  fused[i] = __hfma2(x[i], y[i], __float2bfloat162_rn(0.5f));
  wide[i] = __bfloat1622float2(x[i]);
  rounded[i] = __float2bfloat16_rn(wide[i].x * 1.2345f + wide[i].y);
  less[i] = __hlt(__low2bfloat16(x[i]), __high2bfloat16(y[i]));
}
