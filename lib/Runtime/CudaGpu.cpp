//===- CudaGpu.cpp - A GPU and the context that is used -------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaGpu.h"

#include "Text.h"

using namespace muon;
using namespace muon::cuda;

static Error refuse(std::string message) {
  return Error(MUON_ERROR_UNSUPPORTED, std::move(message));
}

static Error wrong(std::string message) {
  return Error(MUON_ERROR_INVALID_ARGUMENT, std::move(message));
}

static bool parseOrdinal(std::string_view text, int &ordinal) {
  if (text.empty() || text.size() > 4)
    return false;
  ordinal = 0;
  for (char c : text) {
    if (c < '0' || c > '9')
      return false;
    ordinal = 10 * ordinal + (c - '0');
  }
  return true;
}

Error cuda::parseOptions(std::string_view text, DeviceOptions &options) {
  auto bad = [](std::string_view item, const char *expected) {
    return wrong("option " + quote(item) + " of device 'cuda': expected " +
                 expected);
  };
  constexpr const char *known =
      "the number of a GPU, graph=on, graph=off or driver=PATH";
  while (!text.empty()) {
    size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
    if (comma != text.npos && text.empty())
      return bad("", known);
    size_t equals = item.find('=');
    std::string_view key = item.substr(0, equals);
    std::string_view value =
        equals == item.npos ? std::string_view() : item.substr(equals + 1);
    if (equals == item.npos) {
      if (!parseOrdinal(item, options.ordinal))
        return bad(item, known);
    } else if (key == "graph") {
      if (value != "on" && value != "off")
        return bad(item, "graph=on or graph=off");
      options.graph = options.isGraphAsked = value == "on";
    } else if (key == "driver") {
      if (value.empty())
        return bad(item, "driver=PATH");
      options.library = value;
    } else {
      return bad(item, known);
    }
  }
  return Error::success();
}

Error Gpu::open(const DeviceOptions &options) {
  if (Error error = Driver::load(options.library, driver))
    return error;
  useGraph = options.graph;
  isGraphAsked = options.isGraphAsked;
  int count = 0;
  if (Error error = MUON_CUDA_CALL(*driver, deviceGetCount, &count))
    return error;
  if (count == 0)
    return refuse("the NVIDIA driver finds no GPU");
  if (options.ordinal >= count)
    return wrong("there is no GPU " + std::to_string(options.ordinal) +
                 "; the NVIDIA driver finds " + std::to_string(count) +
                 ", counted from 0");
  if (Error error =
          MUON_CUDA_CALL(*driver, deviceGet, &ordinal, options.ordinal))
    return error;
  char buffer[256] = {};
  if (Error error = MUON_CUDA_CALL(*driver, deviceGetName, buffer,
                                   int(sizeof(buffer)) - 1, ordinal))
    return error;
  name = buffer;
  int major = 0, minor = 0, shared = 0;
  const struct {
    DeviceAttribute attribute;
    int &value;
  } attributes[] = {{ComputeMajor, major},
                    {ComputeMinor, minor},
                    {MaxSharedBytesOptin, shared}};
  for (const auto &row : attributes)
    if (Error error = MUON_CUDA_CALL(*driver, deviceGetAttribute, &row.value,
                                     row.attribute, ordinal))
      return error;
  capability = unsigned(10 * major + minor);
  maxShared = uint32_t(shared);
  return chooseContext();
}

// Memory, streams and modules of different contexts do not mix, so that a
// caller who has a context on this GPU has to be joined in it. Otherwise it is
// the primary one, which the CUDA runtime uses too.
Error Gpu::chooseContext() {
  Context current = nullptr;
  if (Error error = MUON_CUDA_CALL(*driver, ctxGetCurrent, &current))
    return error;
  if (current) {
    Ordinal device = 0;
    if (Error error = MUON_CUDA_CALL(*driver, ctxGetDevice, &device))
      return error;
    if (device != ordinal)
      current = nullptr;
  }
  unsigned flags = 0;
  int active = 0;
  if (Error error =
          MUON_CUDA_CALL(*driver, primaryCtxGetState, ordinal, &flags, &active))
    return error;
  if (current && !active) {
    context = current;
    return Error::success();
  }
  // Even if the caller has it: it may let go of it first.
  if (Error error =
          MUON_CUDA_CALL(*driver, primaryCtxRetain, &context, ordinal))
    return error;
  retained = true;
  if (current && current != context) {
    driver->primaryCtxRelease(ordinal);
    retained = false;
    context = current;
  }
  return Error::success();
}
