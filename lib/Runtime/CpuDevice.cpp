//===- CpuDevice.cpp - Steps on the CPU -----------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CpuProducts.h"
#include "CpuThreads.h"
#include "Device.h"
#include "Manifest.h"
#include "StepCollectives.h"
#include "Text.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace muon;

static void hostSymmetricProduct(void *, int32_t type, int32_t flags,
                                 int64_t batch, int64_t n, int64_t k,
                                 double alpha, double beta, const float *factor,
                                 const void *x, const void *addend, void *out) {
  symmetricProduct(type, flags, batch, n, k, alpha, beta, factor, x, addend,
                   out);
}

static void hostCommutingProduct(void *, int32_t type, int64_t batch, int64_t n,
                                 double alpha, double lhsShift, double rhsShift,
                                 const void *lhs, const void *rhs, void *out) {
  commutingProduct(type, batch, n, alpha, lhsShift, rhsShift, lhs, rhs, out);
}

static void hostSymmetricApply(void *, int32_t type, int32_t flags,
                               int64_t batch, int64_t m, int64_t n,
                               double alpha, double beta, const float *factor,
                               const void *s, const void *x, void *out) {
  symmetricApply(type, flags, batch, m, n, alpha, beta, factor, s, x, out);
}

static void hostParallelFor(void *, int64_t count,
                            void (*body)(void *, int64_t, double *), void *data,
                            int64_t numSums, int64_t group,
                            double *const *sums) {
  parallelForWithSums(count, body, data, numSums, group, sums);
}

namespace {

class CpuExecution final : public Execution {
public:
  CpuExecution(MuonStepFn step, const StepMemory &memory) : step(step) {
    host.version = MUON_HOST_API_VERSION;
    host.size = sizeof(MuonHostApi);
    host.arena = memory.arena;
    host.symmetric_product = hostSymmetricProduct;
    host.commuting_product = hostCommutingProduct;
    host.symmetric_apply = hostSymmetricApply;
    host.parallel_for = hostParallelFor;
    if (memory.collectives) {
      // Only these two look at the context.
      host.context = memory.collectives;
      host.collective_start = StepCollectives::hostStart;
      host.collective_wait = StepCollectives::hostWait;
    }
  }

  Error run(void *const *slots, void *stream) override {
    return checkReturned(step(&host, slots, stream));
  }

private:
  MuonStepFn step;
  MuonHostApi host = {};
};

class CpuProgram final : public Program {
public:
  explicit CpuProgram(MuonStepFn step) : step(step) {}

  Error makeExecution(const StepMemory &memory,
                      std::unique_ptr<Execution> &execution) const override {
    execution = std::make_unique<CpuExecution>(step, memory);
    return Error::success();
  }

private:
  MuonStepFn step;
};

class CpuDevice final : public Device {
public:
  const char *name() const override { return "cpu"; }

  Error accepts(const Manifest &manifest) const override {
    if (manifest.target == "cpu")
      return Error::success();
    return Error(MUON_ERROR_UNSUPPORTED, "compiled for target " +
                                             quote(manifest.target) +
                                             ", device 'cpu' runs 'cpu'");
  }

  Error load(const Manifest &, MuonStepFn step, std::string_view,
             std::shared_ptr<const Program> &program) override {
    program = std::make_shared<CpuProgram>(step);
    return Error::success();
  }

  Error allocate(uint64_t bytes, uint64_t alignment, const char *what,
                 void *&memory) override {
    void *allocated = nullptr;
    if (::posix_memalign(&allocated,
                         std::max<size_t>(alignment, sizeof(void *)),
                         std::max<size_t>(bytes, 1)) != 0)
      return Error(MUON_ERROR_OUT_OF_MEMORY, "cannot allocate " +
                                                 std::to_string(bytes) +
                                                 " bytes for " + what);
    memory = allocated;
    return Error::success();
  }

  void deallocate(void *memory) override { std::free(memory); }

  Error checkAddress(const void *, uint64_t) const override {
    return Error::success();
  }

  bool usesHostMemory() const override { return true; }
  bool needsSlotTable() const override { return false; }

  Error upload(void *device, const void *host, uint64_t bytes,
               void *) override {
    std::memcpy(device, host, bytes);
    return Error::success();
  }

  Error download(void *host, const void *device, uint64_t bytes,
                 void *) override {
    std::memcpy(host, device, bytes);
    return Error::success();
  }

  Error clear(void *device, uint64_t bytes, void *) override {
    std::memset(device, 0, bytes);
    return Error::success();
  }

  Error synchronize(void *) override { return Error::success(); }

  Error checkStream(void *stream) const override {
    if (!stream)
      return Error::success();
    return Error(MUON_ERROR_INVALID_ARGUMENT,
                 "stream must be null on device 'cpu'");
  }
};

} // namespace

Error muon::makeCpuDevice(std::shared_ptr<Device> &device) {
  device = std::make_shared<CpuDevice>();
  return Error::success();
}
