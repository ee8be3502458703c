/*===- GpuArtifact.c - An artifact for a GPU, written by hand -------------===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* Gradient descent with momentum on two tensors of six elements, in two      *|
|* kernels: GpuArtifact.ptx. Manifest and code are only room, as in           *|
|* StepArtifact.c; gpuManifest() in TestArtifact.cpp fits this code.          *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "muon-mlir/Runtime/HostApi.h"

/* One more than the size says, as in StepArtifact.c. */
const char muon_manifest[16362] = "@MANIFEST@";
const uint64_t muon_manifest_size = 16361;
const char muon_device_code[8174] = "@DEVICE_CODE@";
const uint64_t muon_device_code_size = 8173;

/* What tests change. */
int64_t test_blocks = 2;
int32_t test_result = 0;
int32_t test_first_kernel = 0;

enum { SUMS_IN_ARENA = 64 };

int32_t step(const MuonHostApi *host, void *const *slots, void *stream) {
  if (host->version != MUON_HOST_API_VERSION ||
      host->size != sizeof(MuonHostApi) || stream)
    return 1;
  if (!host->launch || host->symmetric_product || host->commuting_product ||
      host->symmetric_apply || host->parallel_for)
    return 2;
  host->launch(host->context, test_first_kernel, test_blocks, SUMS_IN_ARENA, 0,
               6);
  host->launch(host->context, 1, test_blocks, SUMS_IN_ARENA, 0, 6);
  return test_result;
}
