//===- TestRanks.h - Artifacts of several ranks for tests -------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_UNIT_RUNTIME_TESTRANKS_H
#define MUON_MLIR_TEST_UNIT_RUNTIME_TESTRANKS_H

#include "TestArtifact.h"

#include <vector>

/// How the tensors of Inputs/RankArtifact.c lie on some ranks: weight, gradient
/// (f32) of w, [2, 3], which is replicated, and of u, [4, 2], of which each
/// rank has rows; momentum of w, in runs; lr, step, ok, gradient_sums of w.
struct RankLayout {
  /// Elements of w that each rank owns, 6 in all, and rows of u, 4 in all.
  std::vector<int> elements, rows;

  int ranks() const { return int(elements.size()); }
  int from(int rank) const;
  int row(int rank) const;
};

/// For 1, 2, 3, 4 or 8 ranks, uneven, with empty parts.
RankLayout rankLayout(int ranks);
nlohmann::json rankManifest(const RankLayout &layout, int rank);

/// The manifest that fits Inputs/RankGpuArtifact.c: weight and gradient (f32)
/// of w, [2, 3], both whole on each rank; lr, step, ok, gradient_sums of w.
nlohmann::json rankGpuManifest(const RankLayout &layout, int rank);

/// A copy of Inputs/RankArtifact.c, compiled, with this manifest.
void writeRankArtifact(const std::string &path, const RankLayout &layout,
                       int rank, const std::string &manifest);

/// Likewise of Inputs/RankGpuArtifact.c, with its code, and a mark for what is
/// to go wrong.
void writeRankGpuArtifact(const std::string &path, const RankLayout &layout,
                          int rank, int mark, const std::string &manifest);

/// Likewise of Inputs/GatherArtifact.c.
void writeGatherArtifact(const std::string &path, const RankLayout &layout,
                         int rank, const std::string &manifest);

#endif // MUON_MLIR_TEST_UNIT_RUNTIME_TESTRANKS_H
