//===- CpuDevice.cpp - Steps on the CPU -----------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CpuFeatures.h"
#include "CpuProducts.h"
#include "CpuThreads.h"
#include "Device.h"
#include "Manifest.h"
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

class CpuDevice final : public Device {
public:
  Error accepts(const Manifest &manifest) const override {
    auto refuse = [](const std::string &message) {
      return Error(MUON_ERROR_UNSUPPORTED, message);
    };
    if (manifest.target != "cpu")
      return refuse("compiled for target " + quote(manifest.target) +
                    ", device 'cpu' runs 'cpu'");
    if (manifest.arch != hostArch())
      return refuse("compiled for architecture " + quote(manifest.arch) +
                    ", this machine is '" + hostArch() + "'");
    std::vector<std::string> absent;
    for (const std::string &feature : manifest.features) {
      switch (findCpuFeature(feature)) {
      case CpuFeature::Present:
        break;
      case CpuFeature::Absent:
        absent.push_back(quote(feature));
        break;
      case CpuFeature::Unknown:
        return refuse("needs the processor feature " + quote(feature) +
                      ", which this runtime does not know");
      }
    }
    if (absent.empty())
      return Error::success();
    return refuse("compiled for processor " + quote(manifest.cpu) +
                  "; this one lacks " + listed(absent, 8));
  }

  void *allocate(size_t bytes, size_t alignment) override {
    void *memory = nullptr;
    if (::posix_memalign(&memory, std::max(alignment, sizeof(void *)),
                         std::max<size_t>(bytes, 1)) != 0)
      return nullptr;
    return memory;
  }

  void deallocate(void *memory) override { std::free(memory); }

  Error upload(void *device, const void *host, size_t bytes, void *) override {
    std::memcpy(device, host, bytes);
    return Error::success();
  }

  Error download(void *host, const void *device, size_t bytes,
                 void *) override {
    std::memcpy(host, device, bytes);
    return Error::success();
  }

  MuonHostApi hostApi() override {
    MuonHostApi host = {};
    host.version = MUON_HOST_API_VERSION;
    host.size = sizeof(MuonHostApi);
    host.symmetric_product = hostSymmetricProduct;
    host.commuting_product = hostCommutingProduct;
    host.symmetric_apply = hostSymmetricApply;
    host.parallel_for = hostParallelFor;
    return host;
  }

  Error checkStream(void *stream) const override {
    if (!stream)
      return Error::success();
    return Error(MUON_ERROR_INVALID_ARGUMENT,
                 "stream must be null on device 'cpu'");
  }
};

} // namespace

std::shared_ptr<Device> muon::makeCpuDevice() {
  return std::make_shared<CpuDevice>();
}
