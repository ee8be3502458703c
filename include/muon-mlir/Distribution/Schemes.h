//===- Schemes.h - What other optimizers exchange ---------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Formulas of published schemes, beside plans for the same step.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DISTRIBUTION_SCHEMES_H
#define MUON_MLIR_DISTRIBUTION_SCHEMES_H

#include "muon-mlir/Distribution/Plan.h"
#include "llvm/Support/raw_ostream.h"

namespace mlir::muon::distribution {

/// What a rank has to do in a step of matrices.
struct SchemeRow {
  /// Who does it so, and the formula.
  std::string scheme, formula;
  /// Sent in a step, mean over the ranks; FLOPs and elements of momentum of the
  /// busiest rank.
  double bytes = 0, flops = 0, stateElements = 0;
};

/// Where the matrices of a step are: each rank has them all, with gradients
/// that are not summed, or a slice of the rows of each.
enum class Placement { DataParallel, FullySharded };

/// Plans of this project, then the schemes of others, for the matrix groups of
/// `groups` on `ranks` equal ranks. Placements of `groups` themselves do not
/// count.
std::vector<SchemeRow> priceSchemes(llvm::ArrayRef<Group> groups,
                                    Placement placement, int64_t ranks);

/// The matrices of Llama-2 7B, out x in, each shape in one group: gradients and
/// X in bf16, weights in bf16, momentum in f32; FLOPs of five steps of the Gram
/// iteration with one restart.
std::vector<Group> getLlamaMatrices();

/// The tables of docs/distribution-costs.md.
void printSchemeTables(llvm::raw_ostream &os);

} // namespace mlir::muon::distribution

#endif // MUON_MLIR_DISTRIBUTION_SCHEMES_H
