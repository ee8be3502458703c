//===- TensorSource.h - Tensors of files of ranks -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_TOOL_TENSORSOURCE_H
#define MUON_MLIR_LIB_RUNTIME_TOOL_TENSORSOURCE_H

#include "Placement.h"
#include "muon-mlir/Runtime/Runtime.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace muon {

DType dtypeOf(MuonType type);
Placement placementOf(const MuonTensorInfo &info);

bool hasRank(const std::string &path);
/// `path` with the number in the place of "{rank}".
std::string pathOfRank(std::string path, int32_t rank);

/// The file or files that tensors of a step are read from.
class TensorSource {
public:
  enum class Kind {
    /// That of this rank: what it binds, and nothing else.
    Own,
    /// One of whole tensors for all ranks.
    Shared,
    /// Those of the ranks of another run, which may have been others or more.
    OtherRanks
  };

  TensorSource(Kind kind, std::vector<std::string> paths)
      : kind(kind), paths(std::move(paths)) {}

  bool open();
  /// Of the last call that failed.
  std::string error;

  bool isOwn() const { return kind == Kind::Own; }
  const std::vector<std::unique_ptr<SafetensorsFile>> &getFiles() const {
    return files;
  }
  const SafetensorsFile &first() const { return *files.front(); }

  /// Checks that the tensors are those whose keys are expected, no more and no
  /// less. What is missing of parts shows when they are read, and what there is
  /// for other ranks cannot be told from what nobody knows.
  bool checkNames(const std::unordered_set<std::string> &expected,
                  const std::unordered_set<std::string> &alsoAllowed);

  /// The data of what is bound as `info`, where it lies in a file in one piece
  /// and can be used there; null, without an error, otherwise.
  const void *find(const MuonTensorInfo &info);

  /// Checks that all files that have the tensor, whole, have the same.
  bool checkEqual(const std::string &name);

  /// Copies the data to where there is room for it. Where several files have an
  /// element, it must be the same in all of them.
  bool read(const MuonTensorInfo &info, void *to);

private:
  struct Piece {
    int32_t rank;
    const SafetensorsFile *file;
    const TensorInfo *info;
    Placement placement;

    /// Its value and where it is, for people.
    std::string elementText(int64_t element) const;
  };

  bool fail(const std::string &message) {
    error = message;
    return false;
  }
  bool indexPieces(const SafetensorsFile &file);
  const TensorInfo *findOwn(const MuonTensorInfo &info);
  bool checkType(const MuonTensorInfo &info, const SafetensorsFile &file,
                 const TensorInfo &found);
  std::string filesText() const;
  bool failDifference(const std::string &name, const std::vector<Piece> &all,
                      const Piece &last, int64_t element);

  Kind kind;
  std::vector<std::string> paths;
  std::vector<std::unique_ptr<SafetensorsFile>> files;
  /// Of an own file.
  std::map<std::string, FilePart> parts;
  /// Of others, by the name of the whole tensor, in the order of the ranks.
  std::unordered_map<std::string, std::vector<Piece>> pieces;
};

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_TOOL_TENSORSOURCE_H
