//===- switch.cu - Switches, bits and long numbers ------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// Cases that no table of values can replace.
extern "C" __global__ void switchOf(const int *x, const int *y, int *out,
                                    int *log) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, a = x[i], b = y[i], r;
  switch (a) {
  case 0:
    r = b * b;
    log[i] = 1;
    break;
  case 1:
    r = b / 3;
    break;
  case 2:
    r = b ^ 0x55aa;
    log[i] = b;
    break;
  case 3:
    r = __popc(b);
    break;
  case 4:
    for (r = 0; b > 0; b /= 7)
      ++r;
    break;
  case 5:
    r = b % 11;
    log[i] = r + 4;
    [[fallthrough]];
  case 6:
    r = b - 6;
    break;
  case 7:
    r = min(b, 77);
    log[i] = -1;
    break;
  case 8:
    return;
  case 9:
    r = __clz(b);
    break;
  case 10:
    r = b << 4;
    log[i] = b >> 1;
    break;
  default:
    r = -a;
  }
  out[i] = r;
}

/// nvcc makes comparisons of a switch, hence a table of branches by hand.
extern "C" __global__ void branchTable(const unsigned *x, unsigned *out) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x, value = x[i];
  asm volatile("{\n"
               "\ttargets: .branchtargets case0, case1, case2, case2;\n"
               "\t.reg .b32 index;\n"
               "\tand.b32 index, %0, 3;\n"
               "\tbrx.idx index, targets;\n"
               "\tcase0: mul.lo.u32 %0, %0, 5;\n"
               "\tbra end;\n"
               "\tcase1: add.u32 %0, %0, 100;\n"
               "\tcase2: xor.b32 %0, %0, 0xff;\n"
               "\tend: }"
               : "+r"(value));
  out[i] = value;
}

struct Bits {
  unsigned popc, clz, brev, funnelLeft, funnelRight, permuted, ffs, sad;
  int dotSigned, mulHigh;
  unsigned dotUnsigned, extracted;
  unsigned long long product, quotient, remainder, mulHigh64, brev64;
  long long signedQuotient, signedRemainder;
  int popc64, clz64;
};

extern "C" __global__ void bits(const unsigned long long *x,
                                const unsigned long long *y, Bits *out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned long long p = x[i], q = y[i];
  unsigned a = (unsigned)p, b = (unsigned)q;
  Bits r;
  r.popc = __popc(a);
  r.clz = __clz(a);
  r.brev = __brev(a);
  r.funnelLeft = __funnelshift_l(a, b, b >> 7);
  r.funnelRight = __funnelshift_rc(a, b, b >> 6);
  r.permuted = __byte_perm(a, b, b >> 3);
  r.ffs = __ffs(a & ~255u);
  r.sad = __usad(a, b, 17);
  r.dotSigned = __dp4a((int)a, (int)b, -5);
  r.dotUnsigned = __dp4a(a, b, 5u);
  r.mulHigh = __mulhi((int)a, (int)b);
  asm("bfe.u32 %0, %1, 5, 13;" : "=r"(r.extracted) : "r"(a));
  r.product = p * q;
  r.quotient = p / (q | 1);
  r.remainder = p % (q | 1);
  r.mulHigh64 = __umul64hi(p, q);
  r.brev64 = __brevll(p);
  // Never the least number by minus one.
  r.signedQuotient = (long long)p / (long long)(q >> 9 | 3);
  r.signedRemainder = (long long)p % -(long long)(q >> 9 | 3);
  r.popc64 = __popcll(p);
  r.clz64 = __clzll(p >> 3);
  out[i] = r;
}

__constant__ double coefficients[5] = {0.25, -1.5, 3.0, 0.125, -7.75};
__device__ int steps[6] = {1, 1, 2, 3, 5, 8};
__device__ char one[] = "one", eleven[] = "eleven", seven[] = "seven";
__device__ const char *const words[3] = {one, eleven, seven};
__device__ unsigned long long calls = 40;

struct Range {
  double low, high;
  short first;
  char scale[3];
};

/// A polynomial, its square root and a quotient, in f64; arguments by value.
extern "C" __global__ void doubles(const double *x, double *y, Range range,
                                   int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  double v = fmin(fmax(x[i], range.low), range.high), sum = 0;
  for (int k = 0; k < 5; ++k)
    sum = fma(sum, v, coefficients[(k + range.first) % 5]);
  y[i] = sqrt(fabs(sum)) / (v * v + 1) * range.scale[i % 3];
}

/// Lengths of words and steps from initialised memory; counts its calls there.
extern "C" __global__ void lookUp(int *out) {
  int t = threadIdx.x, length = 0;
  const char *word = words[t % 3];
  while (word[length])
    ++length;
  out[t] = length * 100 + steps[t % 6];
  if (t == 0)
    ++calls;
}
