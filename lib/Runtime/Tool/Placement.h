//===- Placement.h - Where a part of a tensor lies --------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_TOOL_PLACEMENT_H
#define MUON_MLIR_LIB_RUNTIME_TOOL_PLACEMENT_H

#include "muon-mlir/Runtime/Safetensors.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace muon {

/// Where a part lies in a tensor of shape `of`: a block of shape `shape` from
/// `offset` on, or a run of elements of such a block, row-major, from number
/// `from` of the block on. A whole tensor is a block.
struct Placement {
  std::vector<int64_t> of, offset, shape;
  bool isRun = false;
  int64_t from = 0, elements = 0;

  static Placement whole(const std::vector<int64_t> &shape);
  bool isWhole() const;
  /// Whether element number `element` of the tensor is in the part.
  bool contains(int64_t element) const;
  /// "[0, 16] of [48, 32]", "from 128 of [64, 3]", "from 128 of the block
  /// [48, 16] at [0, 16] of [48, 32]".
  std::string text() const;
};

/// "element 5 of 12, [1, 1]", of a tensor of that shape.
std::string elementText(int64_t element, const std::vector<int64_t> &of);

/// Fills a part of a tensor from other parts of the same tensor.
class PartFiller {
public:
  PartFiller(const Placement &target, void *to, uint64_t elementBytes);

  /// `source` is of a tensor of the same shape. Returns the number of the first
  /// element that is there already and has other bits; these stay.
  std::optional<int64_t> add(const Placement &source, const void *data);

  bool isComplete() const;
  /// The first elements that are not there: "elements 4 to 7 of 12, from [1, 1]
  /// on". Not if all are.
  std::string missingText() const;

private:
  /// Elements [begin, end) of the tensor, which begin at `local` of a part.
  struct Stretch {
    int64_t begin, end, local;
    bool isFilled = false;
  };
  /// In ascending order.
  static std::vector<Stretch> stretchesOf(const Placement &placement);

  std::vector<int64_t> of;
  char *to;
  uint64_t elementBytes;
  /// Of the target.
  std::vector<Stretch> wanted;
};

/// A tensor of a file that is a part of another tensor.
struct FilePart {
  /// Name of the tensor it is a part of, which may be its own.
  std::string tensor;
  Placement placement;
};

/// The key of the metadata that has the placements of a file's tensors, those
/// that are parts: a JSON object {name: {"offset": [...], "of": [...]}} or
/// {name: {"from": n, "of": [...]}}, with "offset" and "block" for a run of a
/// block, and "tensor": the name of the whole tensor where it is another one.
extern const char *const placementKey;

/// Reads the placements of a file's tensors. False, with `error` set, if they
/// do not fit the tensors.
bool readPlacements(const SafetensorsFile &file,
                    std::map<std::string, FilePart> &parts, std::string &error);

std::string placementsText(const std::map<std::string, FilePart> &parts);

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_TOOL_PLACEMENT_H
