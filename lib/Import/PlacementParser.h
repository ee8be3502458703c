//===- PlacementParser.h - From JSON to grids and placements ----*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_IMPORT_PLACEMENTPARSER_H
#define MUON_MLIR_LIB_IMPORT_PLACEMENTPARSER_H

#include "muon-mlir/Import/Rules.h"

#include "llvm/Support/JSON.h"

namespace mlir::muon::rules {

/// Parses what a rules file says about ranks. Errors start with the place in
/// the file.
class PlacementParser {
public:
  /// The member "grid" of `root`. `order` has its keys as they stand in the
  /// file; `asked` is another grid with the same axes, or empty.
  llvm::Error parseGrid(const llvm::json::Object &root,
                        llvm::ArrayRef<std::string> order,
                        llvm::ArrayRef<distribution::Axis> asked);

  /// "sharding" and "unreduced" of `object`, which is at `path`, if it has
  /// them.
  llvm::Error parse(const llvm::json::Object &object, llvm::StringRef path,
                    PlacementConfig &out) const;

  /// "strategy" of a rule.
  llvm::Error parseStrategy(const llvm::json::Object &object,
                            llvm::StringRef path,
                            std::optional<distribution::Strategy> &out) const;

  llvm::ArrayRef<distribution::Axis> getAxes() const { return axes; }

private:
  llvm::Error parseAxes(const llvm::json::Value &value, llvm::StringRef path,
                        llvm::SmallVectorImpl<int64_t> &used,
                        llvm::SmallVectorImpl<int64_t> &out) const;
  llvm::Error parseSharding(const llvm::json::Value &value,
                            llvm::StringRef path, PlacementConfig &out) const;
  llvm::Error parseUnreduced(const llvm::json::Value &value,
                             llvm::StringRef path, PlacementConfig &out) const;

  std::vector<distribution::Axis> axes;
};

/// "dp", "tp".
std::string listAxes(llvm::ArrayRef<distribution::Axis> axes);

/// [["tp"], []].
std::string
formatSharding(llvm::ArrayRef<distribution::Axis> axes,
               llvm::ArrayRef<llvm::SmallVector<int64_t>> splitAxes);

} // namespace mlir::muon::rules

#endif // MUON_MLIR_LIB_IMPORT_PLACEMENTPARSER_H
