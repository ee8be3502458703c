/*===- HostApi.h - What an artifact may call --------------------*- C -*-===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* The contract between a compiled step (an artifact) and whoever runs it.    *|
|* An artifact is a shared library with no undefined symbol. It exports       *|
|*                                                                            *|
|*   const char     muon_manifest[];       JSON, not NUL-terminated           *|
|*   const uint64_t muon_manifest_size;    bytes of it                        *|
|*   int32_t step(const MuonHostApi *, void *const *slots, void *stream);     *|
|*                                                                            *|
|* and, if it is compiled for a GPU,                                          *|
|*                                                                            *|
|*   const char     muon_device_code[];       PTX and cubins, one after the   *|
|*                                            other; see "device" in the      *|
|*                                            manifest                        *|
|*   const uint64_t muon_device_code_size;    bytes of it                     *|
|*                                                                            *|
|* and reaches the world only through the table below. This header is plain   *|
|* C, is shared by the compiler and the runtime, and includes nothing else.   *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef MUON_MLIR_RUNTIME_HOSTAPI_H
#define MUON_MLIR_RUNTIME_HOSTAPI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this table. An artifact records the version it was compiled for
 * in its manifest ("host_api"); a runtime refuses any other. */
#define MUON_HOST_API_VERSION 4

/* Version of the manifest ("version"). */
#define MUON_MANIFEST_VERSION 1

/* Arithmetic of a product. Operands and results are stored as f32, f32, bf16
 * and f16. Sums of products are taken in f32. With MUON_TF32 the operands of
 * the multiplication, not addends, are rounded to 10 bits of fraction first, to
 * nearest, ties away from zero (cvt.rna.tf32.f32 of the PTX ISA). Results are
 * rounded once, to nearest even, when they are stored. */
enum MuonProductType {
  MUON_F32 = 0,
  MUON_TF32 = 1,
  MUON_BF16 = 2,
  MUON_F16 = 3
};

/* Flags of products. */
enum MuonProductFlags {
  MUON_RIGHT = 1,      /* side `right` of muon.symmetric_product and _apply */
  MUON_HAS_FACTOR = 2, /* `factor` is read: one f32 for each matrix */
  MUON_HAS_ADDEND = 4, /* `addend` is read */
  MUON_F32_RESULT = 8  /* `out` holds f32, whatever the type */
};

/* Matrices are row-major and contiguous, those of a batch one after the other.
 * f stands for factor[i] of matrix number i, or 1. Constants of the formulas
 * are formed in f64 and rounded to f32 once. No output overlaps an input.
 * Functions do not fail: arguments come from compiled code with static shapes.
 * Where NaN or infinity goes in, none is hidden: it shows in the result. */
typedef struct MuonHostApi {
  uint32_t version; /* MUON_HOST_API_VERSION */
  uint32_t size;    /* sizeof(MuonHostApi) */

  /* Passed back as the first argument of every function. */
  void *context;

  /* Scratch memory for the duration of one step: at least "arena"."bytes" of
   * the manifest, aligned to "arena"."alignment". */
  void *arena;

  /* out (n×n) ← alpha·f²·op(X)·op(X)ᵀ + beta·addend, where op(X) is X (n×k), or
   * with MUON_RIGHT Xᵀ (X being k×n). Of the symmetric addend (n×n) the upper
   * triangle is read. All of out is written and is exactly symmetric. */
  void (*symmetric_product)(void *context, int32_t type, int32_t flags,
                            int64_t batch, int64_t n, int64_t k, double alpha,
                            double beta, const float *factor, const void *x,
                            const void *addend, void *out);

  /* out ← alpha·(A + lhs_shift·I)·(B + rhs_shift·I) for symmetric A and B (n×n)
   * that commute, so that the product is symmetric. The shifts are not added to
   * the operands but enter as rhs_shift·A + lhs_shift·B + lhs_shift·rhs_shift·I
   * in f32. All of out is written and is exactly symmetric. */
  void (*commuting_product)(void *context, int32_t type, int64_t batch,
                            int64_t n, double alpha, double lhs_shift,
                            double rhs_shift, const void *lhs, const void *rhs,
                            void *out);

  /* out (m×n) ← f·(beta·X + alpha·S·X) with symmetric S (m×m) and X (m×n); with
   * MUON_RIGHT out (n×m) ← f·(beta·X + alpha·X·S) and X (n×m). */
  void (*symmetric_apply)(void *context, int32_t type, int32_t flags,
                          int64_t batch, int64_t m, int64_t n, double alpha,
                          double beta, const float *factor, const void *s,
                          const void *x, void *out);

  /* Calls body(data, i, partial) once for each i < count, in any order, on any
   * threads; the calls have returned when this does. partial points to num_sums
   * numbers of this call alone, 0 at first. Then, for s < num_sums and each run
   * of `group` calls (count is a multiple of it), sums[s][run] ← their
   * partial[s], added in the order of i: the bits do not depend on threads. */
  void (*parallel_for)(void *context, int64_t count,
                       void (*body)(void *data, int64_t i, double *partial),
                       void *data, int64_t num_sums, int64_t group,
                       double *const *sums);

  /* Launches kernel number `kernel` of "device"."kernels" in the manifest with
   * that many blocks, after all that was launched before. Every kernel has the
   * parameters
   *
   *   (.u64 slots, .u64 arena, .u64 offset, .u32 first, .u32 count)
   *
   * slots: the slot table, in memory of the device; arena: as above, but in
   * memory of the device; the others are those of this call. Does nothing after
   * a launch of the same step has failed; the runtime reports that one. Null on
   * the CPU, where the others are null on a GPU. */
  void (*launch)(void *context, int32_t kernel, int64_t blocks, int64_t offset,
                 int32_t first, int32_t count);

  /* Starts collective number `collective` of "distribution"."collectives" in
   * the manifest. `buffers` has one address for each operand: those of "send",
   * then those of "receive". On a GPU these are addresses of the device, but
   * for that of a table, which is in memory of the host and has addresses of
   * the device in it. May return before any data has moved: until
   * collective_wait nobody may write what is sent, or touch what is received.
   * On a GPU that is about launches: data is sent as the launches before the
   * start leave it, and launches after the wait find what was received. What is
   * sent has been written if the step's report `ok` is 1 at the start, or if it
   * has no such report. Otherwise it may be undefined: kernels of a step that is
   * not taken leave before they store, its collectives run all the same.
   * All ranks of a group start the collectives of that group in one order. Does
   * nothing after a failure in the same step; the runtime reports that one.
   * Null, as collective_wait is, where the manifest has no "distribution". */
  void (*collective_start)(void *context, int32_t collective,
                           void *const *buffers);

  /* Waits until collective number `collective`, which was started, has ended on
   * this rank. Once for each start. */
  void (*collective_wait)(void *context, int32_t collective);
} MuonHostApi;

/* The type of the exported symbol `step`. `slots` has one entry per slot of
 * the manifest. `stream` is the device stream, null on the CPU. Returns 0. */
typedef int32_t (*MuonStepFn)(const MuonHostApi *host, void *const *slots,
                              void *stream);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* MUON_MLIR_RUNTIME_HOSTAPI_H */
