//===- BufferizableOpInterfaceImpl.h - Bufferization of muon operations -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DIALECT_MUON_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H
#define MUON_MLIR_DIALECT_MUON_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H

namespace mlir {
class DialectRegistry;
namespace muon {

/// Lets One-Shot Bufferize turn operations of the muon dialect with tensors and
/// stacks into the same operations on memrefs and tables.
void registerBufferizableOpInterfaceExternalModels(DialectRegistry &registry);

} // namespace muon
} // namespace mlir

#endif // MUON_MLIR_DIALECT_MUON_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H
