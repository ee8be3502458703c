//===- Plan.h - Who does what in a distributed step -------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decides, for each group of equal parameters, how a grid of ranks updates it,
// and who owns what. Pure functions of their arguments: every rank that plans
// the same step gets the same plan. Bytes and FLOPs are doubles, exact below
// 2^53; times are seconds.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_DISTRIBUTION_PLAN_H
#define MUON_MLIR_DISTRIBUTION_PLAN_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlir::muon::distribution {

/// One axis of the grid and the links along it: a message of b bytes to a
/// neighbor takes latency + b / bandwidth.
struct Axis {
  std::string name;
  int64_t size = 1;
  /// Seconds.
  double latency = 5e-6;
  /// Bytes per second that a rank can send, and at the same time receive.
  double bandwidth = 50e9;
};

/// Ranks are places in the grid, row-major: the last axis is the fastest.
struct Topology {
  std::vector<Axis> axes;
  /// FLOP/s of products on one rank.
  double flops = 400e12;
  /// Bytes that weights, gradients, state and scratch of a rank may take; 0
  /// for no limit.
  double memory = 0;

  int64_t getRanks() const;
  /// Places of a rank along each axis, and back.
  llvm::SmallVector<int64_t> getCoordinates(int64_t rank) const;
  int64_t getRank(llvm::ArrayRef<int64_t> coordinates) const;
  /// The ranks that differ from `rank` along `axes` alone, in row-major order
  /// of the coordinates along `axes` (in that order): a group. Its members'
  /// numbers in it are their places.
  std::vector<int64_t> getGroup(int64_t rank,
                                llvm::ArrayRef<int64_t> axes) const;
};

/// Ranks of a grid, and size of an axis, at most.
constexpr int64_t maxRanks = 1 << 20;

/// "dp=8,tp=2": names are letters, digits and '_', and differ; sizes, and their
/// product, are from 1 to maxRanks.
llvm::Expected<std::vector<Axis>> parseGrid(llvm::StringRef text);

/// Sets latencies, bandwidths, FLOP/s and memory from a topology file (JSON):
///   {"axes": {"dp": {"latency": 1e-5, "bandwidth": 5e10}}, "flops": 4e14,
///    "memory": 8e10}
/// Only "memory" may be absent, for no limit. `name` is for messages. Axes of
/// the grid that the file does not have are an error, as are axes that the grid
/// does not have, unknown keys, and numbers that are not finite or not
/// positive. After an error `topology` is as it was.
llvm::Error readTopology(llvm::StringRef text, llvm::StringRef name,
                         Topology &topology);

enum class Strategy {
  /// No other rank has anything to do with it.
  Local,
  /// Gradients are all-reduced and every rank does the same; it gathers the
  /// matrices first if they are split.
  Replicate,
  /// Each matrix is orthogonalized by one rank, which has it whole.
  Own,
  /// Each rank that has a shard gathers whole matrices.
  Gather,
  /// Shards stay where they are; Gram matrices are all-reduced.
  DistributedGram,
};
llvm::StringRef stringify(Strategy strategy);
std::optional<Strategy> symbolizeStrategy(llvm::StringRef name);

/// `members` equal parameters that are updated alike.
struct Group {
  /// Of the first member, for messages, and how many there are.
  std::string name;
  int64_t members = 1;
  /// Logical shape of one member.
  llvm::SmallVector<int64_t> shape;
  /// Whether the update is elementwise (AdamW); otherwise the last two
  /// dimensions are matrices, and the others a batch of them.
  bool isElementwise = false;
  /// For each dimension the axes that it is split along (indices into
  /// Topology::axes), outermost first. Parts are as equal as can be: of d
  /// elements over n ranks the first d mod n have one more.
  llvm::SmallVector<llvm::SmallVector<int64_t>> splitAxes;
  /// Axes along which gradients still have to be summed, in any order. None of
  /// them is one that a dimension is split along.
  llvm::SmallVector<int64_t> unreducedAxes;
  /// Bytes of an element.
  double weightBytes = 4, gradientBytes = 4;
  /// Of an element of all state together: momentum, moments, master.
  double stateBytes = 4;
  /// Of an element of X, which is what shards of matrices are exchanged as.
  double wireBytes = 4;
  /// FLOPs of one matrix under the iteration that was chosen for it.
  double flops = 0;
  /// Of a distributed Gram iteration: FLOPs with all of X (divided by the
  /// ranks that share it), FLOPs with Gram matrices alone (done by each), and
  /// number of all-reduces. Negative if it cannot be used for this group, for
  /// the reason `noGram`.
  double gramSharedFlops = -1, gramRepeatedFlops = 0;
  int64_t gramReductions = 0;
  /// Side of the Gram matrix: the dimension of a matrix that is not split. What
  /// is reduced is one triangle with the diagonal, in f32.
  int64_t gramSize = 0;
  std::string noGram;
  /// What the user wants.
  std::optional<Strategy> pinned;
};

/// What one strategy costs the busiest rank in one step: an estimate, made
/// before matrices have owners. Alone on the grid, a group of K matrices and n
/// possible owners counts as ceil(K/n) for the busiest; beside other groups,
/// which fill the gaps, as less, down to K/n. Plan::getGroupTotals is exact.
struct Cost {
  Strategy strategy = Strategy::Local;
  /// Seconds: of communication and of products.
  double communication = 0, computation = 0;
  double bytesSent = 0, bytesReceived = 0, flops = 0;
  /// Bytes of state, and of what is in flight if the whole group is at once:
  /// summed gradients, X as it is exchanged, what comes back, Gram matrices.
  double memory = 0;
  /// The part of it that is state.
  double state = 0;
  double getTime() const { return communication + computation; }
};

struct GroupPlan {
  Strategy strategy = Strategy::Local;
  Cost cost;
  /// The next best, if there was a choice.
  std::optional<Cost> runnerUp;
  /// For people: why.
  std::string reason;
  /// For each matrix, member by member, the place in the replica group (see
  /// Plan::getReplicaAxes) of its owner. Never decreases: owners have runs.
  /// Empty where matrices have no such owner: Local, Replicate, no replicas,
  /// elementwise groups.
  ///
  /// Where leading dimensions are split, the ranks at each place along their
  /// axes have other matrices, and owners of their own: this is the matrices of
  /// the local shard at place 0, then at place 1 and so on, and only within a
  /// place it never decreases. Plan::getReplicaOwners finds the part of a rank.
  std::vector<int64_t> replicaOwners;
  /// Own of split matrices: for each matrix, in the same order, the place in
  /// the group along the split axes (see Plan::getMatrixAxes) that
  /// orthogonalizes it. Never decreases among the matrices of one replica
  /// owner. Else empty.
  std::vector<int64_t> shardOwners;
};

/// A run of elements of one member of an elementwise group.
struct Part {
  int64_t group = 0, member = 0;
  /// Elements [begin, end) of the local shard of the member, row-major.
  int64_t begin = 0, end = 0;
  /// Place in the replica group of the owner.
  int64_t owner = 0;
};

/// How the elements of elementwise groups of equal replica axes are divided.
struct PartLists {
  llvm::SmallVector<int64_t> replicaAxes;
  /// One list for each replica group, in row-major order of the coordinates
  /// along all other axes.
  std::vector<std::vector<Part>> lists;
};

/// What one rank does in one step.
struct RankTotals {
  double bytesSent = 0, bytesReceived = 0;
  double flops = 0;
  /// Bytes of optimizer state.
  double state = 0;
  /// Elements of optimizer state times tensors (momentum one, AdamW two).
  double stateElements = 0;
};

/// One collective that ranks take part in for a group; all of its members are
/// in it.
struct Exchange {
  /// What moves: "gradients", "X", "O", "Gram", "weights".
  llvm::StringRef what;
  /// "reduce_scatter", "all_gather", "all_to_all", "all_reduce".
  llvm::StringRef kind;
  /// Axes of the ranks that exchange, in the grid's order.
  llvm::SmallVector<int64_t> axes;
  /// Latencies on the way of each, one after the other.
  double rounds = 0;
  /// How often in a step; bytes are of all of them together.
  int64_t times = 1;
  /// By rank of the grid.
  std::vector<double> bytesSent, bytesReceived;

  /// Seconds that the busiest rank needs.
  double getTime(const Topology &topology) const;
};

/// Bytes are those that the runtime counts, but for sums of squares. Groups of collectives are in the
/// order of ranks, and
///   - a reduce_scatter of gradients is among ranks that differ along unreduced
///     axes alone, of those matrices or elements that one of these ranks owns;
///   - an all_reduce has a segment for each member's local shard, or for each
///     Gram matrix.
struct Plan {
  Topology topology;
  std::vector<Group> groups;
  std::vector<GroupPlan> plans; // one for each group
  std::vector<PartLists> parts;
  std::vector<RankTotals> totals; // one for each rank

  /// Axes that no dimension of the group is split along, in the grid's order:
  /// the ranks along them hold the same shard.
  llvm::SmallVector<int64_t> getReplicaAxes(int64_t group) const;
  /// Axes that the last two dimensions are split along, in the grid's order;
  /// none of an elementwise group.
  llvm::SmallVector<int64_t> getMatrixAxes(int64_t group) const;
  /// Offset and size of the shard that `rank` has of each dimension.
  void getShard(int64_t group, int64_t rank,
                llvm::SmallVectorImpl<int64_t> &offset,
                llvm::SmallVectorImpl<int64_t> &size) const;
  /// Owners of the matrices of which `rank` has a shard; see GroupPlan.
  llvm::ArrayRef<int64_t> getReplicaOwners(int64_t group, int64_t rank) const;
  llvm::ArrayRef<int64_t> getShardOwners(int64_t group, int64_t rank) const;
  /// How the elements of elementwise groups are divided among the replica
  /// group of `rank`: disjoint, covering, not empty, ordered by group, member
  /// and begin; cuts are at multiples of 64 elements of a member. A group with
  /// strategy Replicate or Local is not listed.
  std::vector<Part> getParts(int64_t rank) const;
  /// What ranks exchange for a group; nothing where that is no bytes at all.
  std::vector<Exchange> getExchanges(int64_t group) const;
  /// What each rank does for one group, and one rank for all.
  std::vector<RankTotals> getGroupTotals(int64_t group) const;
  RankTotals getTotals(int64_t rank) const;
  /// What all ranks have to agree on: one line for the grid and one for each
  /// group. Lists of owners and of parts that are long stand in it as a hash.
  std::vector<std::string> getLines() const;
};

/// What each strategy that applies to `group` costs it alone on the grid, in
/// the order in which ties are decided. Expects what makePlan accepts.
llvm::SmallVector<Cost> priceStrategies(const Topology &topology,
                                        const Group &group);

/// Plans a step. Each group gets the strategy that takes the least time, in
/// ties the first of Own, DistributedGram, Gather, Replicate. If the step does
/// not fit the memory, groups get strategies that need less, those first that
/// lose the least time for a byte.
///
/// Pinned strategies win. Where no other rank has a part of a group, it is
/// Local whatever is pinned.
///
/// Matrices go to owners by FLOPs, most first (then by group, then by index),
/// each to the rank that has the fewest FLOPs so far; of those to the first
/// place along the matrix axes, then to the first along the replica axes.
/// Elements then go where they make state level (in bytes, to 1.5 %), and
/// within that, what ranks move because of what they own.
///
/// Fails, naming the group and what would be accepted, if a pinned strategy
/// cannot apply, axes are out of range or used twice, numbers make no sense, or
/// no strategy fits the memory.
llvm::Expected<Plan> makePlan(Topology topology, std::vector<Group> groups);

} // namespace mlir::muon::distribution

#endif // MUON_MLIR_DISTRIBUTION_PLAN_H
