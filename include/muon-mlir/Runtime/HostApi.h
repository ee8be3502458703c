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
#define MUON_HOST_API_VERSION 1

/* Version of the manifest ("version"). */
#define MUON_MANIFEST_VERSION 1

/* All matrices are row-major f32; ld is the distance in elements between the
 * starts of two rows. Functions do not fail: arguments come from compiled code
 * with static shapes. */
typedef struct MuonHostApi {
  uint32_t version; /* MUON_HOST_API_VERSION */
  uint32_t size;    /* sizeof(MuonHostApi) */

  /* Passed back as the first argument of every function. */
  void *context;

  /* Scratch memory for the duration of one step: at least "arena"."bytes" of
   * the manifest, aligned to "arena"."alignment". */
  void *arena;

  /* Upper triangle (with diagonal) of C (n×n) ← alpha·op(X)·op(X)ᵀ, where
   * op(X) is X (n×k) if `transposed` is 0 and Xᵀ (X being k×n) if it is 1.
   * The strictly lower triangle of C is neither read nor written. */
  void (*ssyrk)(void *context, int32_t transposed, int64_t n, int64_t k,
                float alpha, const float *x, int64_t ldx, float *c,
                int64_t ldc);

  /* C (m×n) ← alpha·A·B + beta·C, with A (m×k) and B (k×n). With beta = 0,
   * C is not read. */
  void (*sgemm)(void *context, int64_t m, int64_t n, int64_t k, float alpha,
                const float *a, int64_t lda, const float *b, int64_t ldb,
                float beta, float *c, int64_t ldc);
} MuonHostApi;

/* The type of the exported symbol `step`. `slots` has one entry per slot of
 * the manifest. `stream` is the device stream, null on the CPU. Returns 0. */
typedef int32_t (*MuonStepFn)(const MuonHostApi *host, void *const *slots,
                              void *stream);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* MUON_MLIR_RUNTIME_HOSTAPI_H */
