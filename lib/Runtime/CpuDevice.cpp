//===- CpuDevice.cpp - Steps on the CPU -----------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CpuFeatures.h"
#include "Device.h"
#include "Manifest.h"
#include "Text.h"

#include <cblas.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace muon;

/// With a single row the distance between rows means nothing, and compiled code
/// may pass any; BLAS insists on a plausible one.
static blasint leading(int64_t ld, int64_t columns) {
  return static_cast<blasint>(std::max<int64_t>({ld, columns, 1}));
}

static void ssyrk(void *, int32_t transposed, int64_t n, int64_t k, float alpha,
                  const float *x, int64_t ldx, float *c, int64_t ldc) {
  cblas_ssyrk(CblasRowMajor, CblasUpper, transposed ? CblasTrans : CblasNoTrans,
              static_cast<blasint>(n), static_cast<blasint>(k), alpha, x,
              leading(ldx, transposed ? n : k), 0.0f, c, leading(ldc, n));
}

static void sgemm(void *, int64_t m, int64_t n, int64_t k, float alpha,
                  const float *a, int64_t lda, const float *b, int64_t ldb,
                  float beta, float *c, int64_t ldc) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans,
              static_cast<blasint>(m), static_cast<blasint>(n),
              static_cast<blasint>(k), alpha, a, leading(lda, k), b,
              leading(ldb, n), beta, c, leading(ldc, n));
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
    host.ssyrk = ssyrk;
    host.sgemm = sgemm;
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

void muon::setCpuThreads(int threads) { openblas_set_num_threads(threads); }
