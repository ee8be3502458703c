//===- Build.h - Which build of the compiler this is -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_LIB_CAPI_BUILD_H
#define MUON_LIB_CAPI_BUILD_H

#include <string>

namespace mlir::muon::capi {

/// Versions, and the build ids of this library, libMLIR and libLLVM, any of
/// which can be replaced without the others.
std::string describeBuild();

} // namespace mlir::muon::capi

#endif // MUON_LIB_CAPI_BUILD_H
