//===- CpuFeatures.h - What this processor can execute ----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_CPUFEATURES_H
#define MUON_MLIR_LIB_RUNTIME_CPUFEATURES_H

#include "Error.h"

#include <string_view>

namespace muon {

struct Manifest;

/// The architecture that this code was compiled for, as in manifests.
const char *hostArch();

enum class CpuFeature {
  Present,
  Absent,
  /// Not a name that this runtime knows how to look for.
  Unknown
};

/// Whether processor and operating system support a feature, by LLVM's name.
CpuFeature findCpuFeature(std::string_view name);

/// Whether this machine can execute an artifact's code for the host.
Error checkHostCode(const Manifest &manifest);

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_CPUFEATURES_H
