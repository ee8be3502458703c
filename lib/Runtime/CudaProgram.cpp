//===- CudaProgram.cpp - The code of an artifact on a GPU -----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaProgram.h"

#include "CudaExecution.h"
#include "CudaNvtx.h"
#include "Text.h"

#include <optional>

using namespace muon;
using namespace muon::cuda;

static Error refuse(std::string message) {
  return Error(MUON_ERROR_UNSUPPORTED, std::move(message));
}

static std::string isaText(unsigned isa) {
  return std::to_string(isa / 10) + "." + std::to_string(isa % 10);
}

/// Whether a GPU of this capability runs code for `arch`, as PTX or as a cubin.
/// A suffix ties code to an architecture (`a`) or to its family (`f`), after
/// ".target" in the PTX ISA manual.
static bool runs(unsigned capability, const DeviceCode &code) {
  const GpuArch &arch = code.arch;
  if (code.kind == DeviceCode::Cubin || arch.suffix == 'a')
    return arch.number == capability;
  if (arch.suffix == 'f')
    return arch.number <= capability && arch.number / 10 == capability / 10;
  return arch.number <= capability;
}

std::vector<const DeviceCode *>
cuda::chooseCode(unsigned capability, const DeviceManifest &manifest) {
  std::vector<const DeviceCode *> parts;
  for (auto kind : {DeviceCode::Cubin, DeviceCode::Ptx}) {
    const DeviceCode *best = nullptr;
    for (const DeviceCode &part : manifest.code)
      if (part.kind == kind && runs(capability, part) &&
          (!best || part.arch.number > best->arch.number))
        best = &part;
    if (best)
      parts.push_back(best);
  }
  return parts;
}

Error cuda::checkPtx(const Driver &driver, const DeviceManifest &manifest) {
  int needed = cudaVersionOfPtx(manifest.isa);
  if (needed <= driver.version)
    return Error::success();
  return refuse("the NVIDIA driver is too old: PTX ISA " +
                isaText(manifest.isa) + " needs a driver of CUDA " +
                versionText(needed) + " or later, found CUDA " +
                versionText(driver.version));
}

std::string cuda::codeText(const DeviceManifest &manifest) {
  std::vector<std::string> items;
  for (const DeviceCode &part : manifest.code)
    items.push_back(
        (part.kind == DeviceCode::Cubin ? "a cubin for " : "PTX for ") +
        part.arch.text());
  return listed(items, 8);
}

CudaProgram::~CudaProgram() {
  ContextScope scope(*gpu->driver, gpu->context);
  if (module && !scope.error())
    gpu->driver->moduleUnload(module);
}

Error CudaProgram::load(std::string_view code) {
  if (Error error = loadModule(code))
    return error;
  for (const Kernel &kernel : manifest.kernels)
    if (Error error = loadFunction(kernel))
      return error;
  return Error::success();
}

/// Results of a driver that cannot use a cubin, but may be able to use PTX.
static bool refusesCubin(Result result) {
  return result == InvalidImage || result == NoBinaryForGpu ||
         result == UnsupportedPtxVersion || result == InvalidSource;
}

Error CudaProgram::loadModule(std::string_view code) {
  const NvtxRange loading("load");
  std::optional<Error> cubinError;
  for (const DeviceCode *part : chooseCode(gpu->capability, manifest)) {
    Result result = Success;
    Error error = Error::success();
    if (part->kind == DeviceCode::Ptx)
      error = checkPtx(*gpu->driver, manifest);
    if (!error)
      error = loadPart(*part, code, result);
    if (!error)
      return error;
    if (cubinError)
      return Error(error.status(), cubinError->message() +
                                       "; nor does the PTX of the artifact "
                                       "load: " +
                                       error.message());
    if (part->kind != DeviceCode::Cubin || !refusesCubin(result))
      return error;
    cubinError = std::move(error);
  }
  if (cubinError)
    return *cubinError;
  return refuse(gpu->text() + " runs none of the code of the artifact: " +
                codeText(manifest));
}

Error CudaProgram::loadPart(const DeviceCode &part, std::string_view code,
                            Result &result) {
  const Driver &driver = *gpu->driver;
  // The driver finds the end of PTX by a NUL.
  const std::string image(code.substr(part.offset, part.bytes));
  std::vector<char> log(8192);
  JitOption options[] = {JitErrorLog, JitErrorLogBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size() - 1)};
  CodeModule loaded = nullptr;
  result = driver.moduleLoadDataEx(&loaded, image.data(), 2, options, values);
  if (result == Success) {
    module = loaded;
    return Error::success();
  }
  const bool isCubin = part.kind == DeviceCode::Cubin;
  std::string detail = isCubin ? "the cubin for " : "the PTX for ";
  detail += part.arch.text() + " on " + gpu->text();
  if (isCubin ? refusesCubin(result)
              : result == UnsupportedPtxVersion || result == InvalidPtx) {
    if (!isCubin)
      detail += ", PTX ISA " + isaText(manifest.isa);
    detail += ", driver of CUDA " + versionText(driver.version);
  }
  if (result == JitCompilerNotFound)
    detail += ", which the driver compiles by libnvidia-ptxjitcompiler.so.1: "
              "that part of the driver is missing";
  if (log[0])
    detail += "; the driver's log: " + std::string(log.data());
  while (!detail.empty() && detail.back() == '\n')
    detail.pop_back();
  return driver.check(result, "cuModuleLoadDataEx", detail);
}

Error CudaProgram::loadFunction(const Kernel &kernel) {
  const Driver &driver = *gpu->driver;
  auto at = [&](const Error &error) {
    return Error(error.status(),
                 "kernel " + quote(kernel.name) + ": " + error.message());
  };
  Function function = nullptr;
  if (Error error = MUON_CUDA_CALL(driver, moduleGetFunction, &function, module,
                                   kernel.name.c_str()))
    return at(Error(MUON_ERROR_INVALID_ARTIFACT, error.message()));
  int threads = 0, registers = 0, staticShared = 0;
  const struct {
    FunctionAttribute attribute;
    int &value;
  } attributes[] = {{FunctionMaxThreads, threads},
                    {FunctionRegisters, registers},
                    {FunctionStaticShared, staticShared}};
  for (const auto &row : attributes)
    if (Error error = MUON_CUDA_CALL(driver, funcGetAttribute, &row.value,
                                     row.attribute, function))
      return at(error);
  if (kernel.threads > unsigned(threads))
    return at(refuse("takes " + std::to_string(registers) +
                     " registers of a thread, which leaves " +
                     std::to_string(threads) + " threads of a block on " +
                     gpu->text() + ", but is launched with " +
                     std::to_string(kernel.threads)));
  if (uint64_t(staticShared) + kernel.sharedBytes > gpu->maxShared)
    return at(refuse(
        "takes " + std::to_string(uint64_t(staticShared) + kernel.sharedBytes) +
        " bytes of shared memory, " + gpu->text() + " has " +
        std::to_string(gpu->maxShared)));
  if (kernel.sharedBytes)
    if (Error error =
            MUON_CUDA_CALL(driver, funcSetAttribute, function,
                           FunctionMaxDynamicShared, int(kernel.sharedBytes)))
      return at(error);
  functions.push_back(function);
  return Error::success();
}

Error CudaProgram::makeExecution(const StepMemory &memory,
                                 std::unique_ptr<Execution> &execution) const {
  execution = std::make_unique<CudaExecution>(shared_from_this(), memory);
  return Error::success();
}
