//===- CudaMarks.cpp - How far a stream of a GPU has come -----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaMarks.h"

#include <algorithm>
#include <numeric>
#include <vector>

using namespace muon;
using namespace muon::cuda;

CudaMarks::~CudaMarks() {
  const Driver &driver = *gpu->driver;
  ContextScope scope(driver, gpu->context);
  if (scope.error())
    return;
  // Copies that are still to come would write to memory of somebody else.
  driver.ctxSynchronize();
  if (numbers)
    driver.memFree(numbers);
  if (word)
    driver.memFreeHost(const_cast<uint32_t *>(word));
}

Error CudaMarks::make(uint32_t count, Stream stream) {
  const Driver &driver = *gpu->driver;
  most = count;
  std::vector<uint32_t> values(most);
  std::iota(values.begin(), values.end(), 1u);
  const size_t bytes = std::max<size_t>(values.size(), 1) * sizeof(uint32_t);
  void *memory = nullptr;
  if (Error error =
          MUON_CUDA_CALL(driver, memAllocHost, &memory, sizeof(uint32_t)))
    return error;
  word = static_cast<uint32_t *>(memory);
  reset();
  if (Error error = MUON_CUDA_CALL(driver, memAlloc, &numbers, bytes))
    return error;
  if (values.empty())
    return Error::success();
  if (Error error = MUON_CUDA_CALL(driver, memcpyHtoDAsync, numbers,
                                   values.data(), bytes, stream))
    return error;
  return MUON_CUDA_CALL(driver, streamSynchronize, stream);
}

Error CudaMarks::put(uint32_t number, void *stream) {
  if (!most)
    return Error::success();
  const Driver &driver = *gpu->driver;
  ContextScope scope(driver, gpu->context);
  if (scope.error())
    return scope.error();
  const uint32_t entry = std::min(number, most) - 1;
  return MUON_CUDA_CALL(driver, memcpyDtoHAsync, const_cast<uint32_t *>(word),
                        numbers + entry * sizeof(uint32_t), sizeof(uint32_t),
                        static_cast<Stream>(stream));
}
