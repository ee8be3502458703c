//===- CollectiveExchange.h - Strings of all ranks --------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_COLLECTIVEEXCHANGE_H
#define MUON_MLIR_LIB_RUNTIME_COLLECTIVEEXCHANGE_H

#include "Communicator.h"

namespace muon::collective {

/// exchange() by collectives, which are not counted.
Error exchangeByCollectives(Communicator &communicator, Traffic &traffic,
                            const std::string &mine,
                            std::vector<std::string> &all);

} // namespace muon::collective

#endif // MUON_MLIR_LIB_RUNTIME_COLLECTIVEEXCHANGE_H
