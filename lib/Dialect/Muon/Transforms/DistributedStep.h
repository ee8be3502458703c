//===- DistributedStep.h - A step, and what a rank has of it ----*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What muon-distribute reads: a step of whole tensors with placements; and how
// the members of a stack, or parts of them, fall to ranks.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_DISTRIBUTEDSTEP_H
#define MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_DISTRIBUTEDSTEP_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "muon-mlir/Dialect/Muon/IR/Grid.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Distribution/Plan.h"

namespace mlir::muon {

/// An update of whole tensors, and the arguments that belong to it.
struct WholeUpdate {
  Operation *op;
  /// Of the weight.
  ParameterShape shape;
  ArrayAttr names;
  BlockArgument weight, gradient;
  SmallVector<BlockArgument> states;
  /// Placement of weight, gradient and state.
  ShardingAttr sharding;
  /// Null if all ranks have the same gradient.
  UnreducedAttr unreduced;
  /// Operands, and the arguments that they or the update write to; null if
  /// there are none.
  Value gradientSums, momentumSums;
  BlockArgument gradientReport, momentumReport, updateReport, weightReport;

  bool isElementwise() const { return isa<AdamWUpdateOp>(op); }
  int64_t getMatrices() const { return shape.matrices(); }
};

/// A step that muon-distribute understands.
struct WholeStep {
  func::FuncOp function;
  shard::GridOp grid;
  /// Arguments that all ranks have alike.
  SmallVector<BlockArgument> shared;
  /// The look and what else works on scalars alone, in order.
  SmallVector<Operation *> scalarOps;
  std::vector<WholeUpdate> updates;

  /// Reads and checks it: placements fit the grid and each other.
  static FailureOr<WholeStep> get(func::FuncOp function, shard::GridOp grid);

  /// Gives the function another body.
  void replaceBody(Block &body, ArrayRef<Value> results,
                   ArrayRef<Attribute> argAttrs);
};

/// No place: what a piece would be summed for is on ranks of another group.
constexpr int64_t kNoPlace = -1;

/// Members of a stack, or a part of one member, as this rank sees them. A unit
/// is a matrix or, of elementwise updates, an element; there are units also
/// where this rank's block of each matrix is empty.
struct Piece {
  int64_t firstMember = 0, members = 1;
  /// Units [begin, end) of the local block of each member, and of how many.
  int64_t begin = 0, end = 0, blockUnits = 0;
  int64_t unitElements = 1;
  /// Local block of a member: shape, and offset in the whole.
  SmallVector<int64_t> block, offset;
  bool hasMatrices = false;
  /// Place in the replica group of the rank that updates it.
  int64_t owner = 0;
  /// Its place in the group that sums gradients; kNoPlace if it is in another.
  int64_t reducePlace = 0;
  /// Whether this rank updates it, and whether its sums count: of several ranks
  /// that update the same one does.
  bool isMine = false, contributes = false;

  bool isPart() const { return begin != 0 || end != blockUnits; }
  /// Elements of each member.
  int64_t getElements() const { return (end - begin) * unitElements; }
  bool isEmpty() const { return getElements() == 0; }
  /// Shape of what there is of a member.
  SmallVector<int64_t> getShape() const;
  /// Matrices, and the number of the first among all local ones.
  int64_t getMatrices() const { return members * (end - begin); }
  int64_t getFirstMatrix() const { return firstMember * blockUnits + begin; }
};

/// What of update number `index` there is on the ranks that have the same block
/// as `rank`: all pieces, in an order that these ranks share.
SmallVector<Piece> getPieces(const WholeUpdate &update,
                             const distribution::Plan &plan, int64_t index,
                             int64_t rank);

/// Those that `filter` accepts, neighbors of whole members as one.
SmallVector<Piece> mergePieces(ArrayRef<Piece> pieces,
                               function_ref<bool(const Piece &)> filter);

/// Type of an argument for a piece of `whole`: a stack or a tensor.
Type getPieceType(const Piece &piece, Type whole);

/// The tensor that holds all members of a piece one after the other.
Type getHeldType(const Piece &piece, Type elementType);

/// `muon.names` for an argument for a piece of `whole`.
ArrayAttr getPieceNames(const WholeUpdate &update, BlockArgument whole,
                        const Piece &piece, func::FuncOp function);

/// `count` numbers from `from` on of a list for the matrices of a piece belong
/// to the matrices from `to` on of the whole.
struct SumRun {
  int64_t from, to, count;
};
SmallVector<SumRun> getSumRuns(const WholeUpdate &update, const Piece &piece,
                               int64_t size);

/// The planner's view.
distribution::Topology getTopology(shard::GridOp grid);
FailureOr<distribution::Group> getPlanGroup(const WholeUpdate &update,
                                            ArrayRef<int64_t> grid,
                                            Compute products);

/// Whether a plan gives what is replicated to owners.
bool hasOwners(const distribution::Plan &plan, int64_t index);

} // namespace mlir::muon

#endif // MUON_MLIR_LIB_DIALECT_MUON_TRANSFORMS_DISTRIBUTEDSTEP_H
