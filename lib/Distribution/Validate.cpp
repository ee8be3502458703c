//===- Validate.cpp - What a step must be to be planned -------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Validate.h"
#include "CostModel.h"
#include "Text.h"
#include "muon-mlir/Import/StrictJson.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/Twine.h"

#include <cmath>

using namespace llvm;
using namespace mlir::muon;
using namespace mlir::muon::distribution;

/// Owners are kept for each matrix.
static constexpr int64_t maxMatrices = 1 << 24;
/// Sums of elements and bytes stay exact.
static constexpr double maxElements = 0x1p50;

static std::string format(double value) {
  std::string text;
  raw_string_ostream(text) << value;
  return text;
}

Error distribution::validate(const Topology &topology) {
  auto fail = [](const Axis &axis, const Twine &message) {
    return createStringError("axis " + quoteForMessage(axis.name) + ": " +
                             message);
  };
  StringSet<> names;
  int64_t ranks = 1;
  for (const Axis &axis : topology.axes) {
    if (axis.size < 1 || axis.size > maxRanks / ranks)
      return fail(axis, "expected a size from 1, and at most " +
                            Twine(maxRanks) + " ranks in all, found " +
                            Twine(axis.size));
    ranks *= axis.size;
    if (!names.insert(axis.name).second)
      return fail(axis, "expected names that differ, found this one twice");
    if (!std::isfinite(axis.latency) || axis.latency < 0)
      return fail(axis, "expected a latency that is not negative, found " +
                            format(axis.latency));
    if (!std::isfinite(axis.bandwidth) || axis.bandwidth <= 0)
      return fail(axis, "expected a positive bandwidth, found " +
                            format(axis.bandwidth));
  }
  if (!std::isfinite(topology.flops) || topology.flops <= 0)
    return createStringError("topology: expected positive FLOP/s, found " +
                             format(topology.flops));
  if (!std::isfinite(topology.memory) || topology.memory < 0)
    return createStringError(
        "topology: expected memory that is not negative, found " +
        format(topology.memory));
  return Error::success();
}

namespace {

class GroupValidator {
public:
  GroupValidator(const Topology &topology, const Group &group)
      : topology(topology), group(group) {}

  Error run() const {
    if (Error error = checkShape())
      return error;
    if (Error error = checkAxes())
      return error;
    if (Error error = checkNumbers())
      return error;
    return checkStrategy();
  }

private:
  Error fail(const Twine &message) const {
    return createStringError(quoteForMessage(group.name) + ": " + message);
  }
  std::string getAxisNames() const {
    return join(
        map_range(topology.axes, [](const Axis &axis) { return axis.name; }),
        ", ");
  }
  Error checkShape() const;
  Error checkAxes() const;
  Error checkNumbers() const;
  Error checkStrategy() const;

  const Topology &topology;
  const Group &group;
};

} // namespace

Error GroupValidator::checkShape() const {
  if (group.members < 1)
    return fail("expected at least 1 member, found " + Twine(group.members));
  if (!group.isElementwise && group.shape.size() < 2)
    return fail("expected matrices, found shape " + formatShape(group.shape));
  double elements = group.members, matrices = group.members;
  for (auto [dim, size] : enumerate(group.shape)) {
    if (size < 0)
      return fail("expected dimensions that are not negative, found shape " +
                  formatShape(group.shape));
    elements *= std::max<int64_t>(size, 1);
    if (dim + 2 < group.shape.size())
      matrices *= size;
  }
  if (elements > maxElements)
    return fail("expected at most 2^50 elements, found " +
                Twine(group.members) + " members of shape " +
                formatShape(group.shape));
  if (!group.isElementwise && matrices > maxMatrices)
    return fail("expected at most 2^24 matrices, found " +
                Twine(group.members) + " members of shape " +
                formatShape(group.shape));
  return Error::success();
}

Error GroupValidator::checkAxes() const {
  int64_t end = topology.axes.size();
  if (group.splitAxes.size() != group.shape.size())
    return fail("expected the axes of " + Twine(group.shape.size()) +
                " dimensions, found " + Twine(group.splitAxes.size()));
  std::vector<int64_t> dims(end, -1);
  for (auto [dim, axes] : enumerate(group.splitAxes))
    for (int64_t axis : axes) {
      if (axis < 0 || axis >= end)
        return fail("dimension " + Twine(dim) + ": expected axes below " +
                    Twine(end) + " (" + getAxisNames() + "), found axis " +
                    Twine(axis));
      if (dims[axis] >= 0)
        return fail("dimension " + Twine(dim) + ": axis " +
                    quoteForMessage(topology.axes[axis].name) +
                    " already splits dimension " + Twine(dims[axis]) +
                    "; expected each axis once");
      dims[axis] = dim;
    }
  std::vector<bool> used(end);
  for (int64_t axis : group.unreducedAxes) {
    if (axis < 0 || axis >= end)
      return fail("gradient: expected axes below " + Twine(end) + " (" +
                  getAxisNames() + "), found axis " + Twine(axis));
    std::string name = quoteForMessage(topology.axes[axis].name);
    if (dims[axis] >= 0)
      return fail("gradient: axis " + name + " splits dimension " +
                  Twine(dims[axis]) +
                  "; expected sums along axes that split nothing");
    if (used[axis])
      return fail("gradient: axis " + name +
                  " stands twice; expected each axis once");
    used[axis] = true;
  }
  return Error::success();
}

Error GroupValidator::checkNumbers() const {
  std::pair<StringRef, double> numbers[] = {
      {"bytes of a weight's element", group.weightBytes},
      {"bytes of a gradient's element", group.gradientBytes},
      {"bytes of an element's state", group.stateBytes},
      {"bytes of an element of X", group.wireBytes},
      {"FLOPs", group.flops},
      {"FLOPs with Gram matrices", group.gramRepeatedFlops},
      {"number of Gram matrices", double(group.gramReductions)}};
  for (auto [what, number] : numbers)
    if (!std::isfinite(number) || number < 0)
      return fail("expected " + what + " that are not negative, found " +
                  format(number));
  if (std::isnan(group.gramSharedFlops) || std::isinf(group.gramSharedFlops))
    return fail("expected finite FLOPs shared in a Gram iteration, found " +
                format(group.gramSharedFlops));
  return Error::success();
}

Error GroupValidator::checkStrategy() const {
  Layout layout(topology, group);
  if (getObstacle(layout, group, Strategy::DistributedGram).empty()) {
    ArrayRef<SmallVector<int64_t>> split = ArrayRef(group.splitAxes);
    int64_t whole =
        split.back().empty() ? group.shape.back() : group.shape.end()[-2];
    if (group.gramSize != whole)
      return fail("expected Gram matrices of the side that is not split, " +
                  Twine(whole) + ", found " + Twine(group.gramSize));
  }
  if (!group.pinned)
    return Error::success();
  std::string obstacle = getObstacle(layout, group, *group.pinned);
  if (obstacle.empty())
    return Error::success();
  SmallVector<StringRef> accepted;
  for (Strategy strategy : getStrategies(layout, group))
    accepted.push_back(stringify(strategy));
  return fail("strategy " + stringify(*group.pinned) + " cannot apply: " +
              obstacle + "; expected " + join(accepted, " or "));
}

Error distribution::validate(const Topology &topology, const Group &group) {
  return GroupValidator(topology, group).run();
}
