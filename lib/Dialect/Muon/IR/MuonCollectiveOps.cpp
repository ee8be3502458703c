//===- MuonCollectiveOps.cpp - What ranks do together -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InPlaceOps.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "muon-mlir/Dialect/Muon/IR/Grid.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::muon;

//===----------------------------------------------------------------------===//
// Segments
//===----------------------------------------------------------------------===//

SmallVector<int64_t> muon::getHeldElements(Type type) {
  ParameterShape shape = *getParameterShape(type);
  return SmallVector<int64_t>(shape.members, shape.elements());
}

FailureOr<SmallVector<SmallVector<int64_t>>>
muon::divideSegments(TypeRange operands, ArrayRef<int64_t> listed,
                     ArrayRef<int64_t> elements) {
  SmallVector<SmallVector<int64_t>> result;
  for (Type type : operands) {
    SmallVector<int64_t> &segments = result.emplace_back();
    bool stacked = getParameterShape(type)->stacked;
    for (int64_t room : getHeldElements(type)) {
      // A member of a stack is one segment, a tensor any number of them.
      do {
        if (listed.empty() || elements[listed.front()] > room)
          return failure();
        room -= elements[listed.front()];
        segments.push_back(listed.front());
        listed = listed.drop_front();
      } while (room > 0 && !stacked);
      if (room > 0)
        return failure();
    }
  }
  if (!listed.empty())
    return failure();
  return result;
}

/// `listed` names segments that `wanted` accepts, none twice, and all of those
/// that `needed` does.
static LogicalResult verifyListed(CollectiveOpInterface op, StringRef name,
                                  ArrayRef<int64_t> listed,
                                  function_ref<bool(int64_t)> wanted,
                                  function_ref<bool(int64_t)> needed) {
  int64_t count = op.getElements().size();
  llvm::BitVector seen(count);
  for (int64_t segment : listed) {
    if (segment < 0 || segment >= count || seen.test(segment))
      return op->emitOpError("'")
             << name << "' expected distinct numbers from 0 to " << count - 1
             << ", found " << segment;
    seen.set(segment);
    if (!wanted(segment))
      return op->emitOpError("'") << name << "' lists segment " << segment
                                  << ", which is not on this rank";
  }
  for (int64_t segment = 0; segment < count; ++segment)
    if (!seen.test(segment) && needed(segment))
      return op->emitOpError("'") << name << "' expected to list segment "
                                  << segment << ", which is on this rank";
  return success();
}

static LogicalResult verifyPlaces(CollectiveOpInterface op, StringRef name,
                                  std::optional<ArrayRef<int64_t>> places) {
  if (!places)
    return success();
  if (places->size() != op.getElements().size())
    return op->emitOpError("'")
           << name << "' expected a place for each of "
           << op.getElements().size() << " segments, found " << places->size();
  for (int64_t place : *places)
    if (place < 0 || place >= op.getGroup().getSize())
      return op->emitOpError("'")
             << name << "' expected places from 0 to "
             << op.getGroup().getSize() - 1 << ", found " << place;
  return success();
}

/// What all collectives have to fulfil. `from` and `to` are those of the
/// operation, where it has them.
static LogicalResult verifyCollective(CollectiveOpInterface op,
                                      ValueRange value, ValueRange out,
                                      std::optional<ArrayRef<int64_t>> from,
                                      std::optional<ArrayRef<int64_t>> to) {
  if (failed(verifyInPlaceOp(cast<InPlaceOpInterface>(op.getOperation()))))
    return failure();
  for (int64_t elements : op.getElements())
    if (elements < 1)
      return op->emitOpError("'elements' expected positive numbers, found ")
             << elements;
  if (failed(verifyPlaces(op, "from", from)) ||
      failed(verifyPlaces(op, "to", to)))
    return failure();
  Type type = op.getType().value_or(Type());
  if (!type && op->getNumOperands() == 0)
    return op->emitOpError("expected 'type' where there are no operands");
  for (Value operand : op->getOperands()) {
    Type other = getParameterShape(operand.getType())->elementType;
    if (type && type != other)
      return op->emitOpError("expected operands of one element type, found ")
             << type << " and " << other;
    type = other;
  }
  int64_t place = op.getGroup().getPlace();
  bool isGather = from && !to;
  auto sends = [&](int64_t i) { return !from || op.getSource(i) == place; };
  auto receives = [&](int64_t i) { return !to || op.getTarget(i) == place; };
  // What a rank gathers from itself may stay where it is.
  auto mustReceive = [&](int64_t i) {
    return receives(i) && !(isGather && op.getSource(i) == place);
  };
  if (failed(verifyListed(op, "sends", op.getSends(), sends, sends)) ||
      failed(verifyListed(op, "receives", op.getReceives(), receives,
                          mustReceive)))
    return failure();
  for (auto [name, values, listed] :
       {std::tuple(StringRef("value"), value, op.getSends()),
        std::tuple(StringRef("out"), out, op.getReceives())})
    if (failed(divideSegments(values.getTypes(), listed, op.getElements()))) {
      InFlightDiagnostic diag = op->emitOpError("'");
      diag << name << "' expected to hold segments of ";
      llvm::interleaveComma(listed, diag,
                            [&](int64_t i) { diag << op.getElements()[i]; });
      return diag << " elements, found " << values.getTypes();
    }
  if (op.getHandle() && !llvm::all_of(op->getOperandTypes(), isBuffer))
    return op->emitOpError("'handle' expected memrefs and tables only");
  return success();
}

/// A collective of nothing is nothing on all ranks.
static LogicalResult eraseEmpty(CollectiveOpInterface op,
                                PatternRewriter &rewriter) {
  if (!op.getElements().empty())
    return rewriter.notifyMatchFailure(op, "there is something to exchange");
  rewriter.eraseOp(op);
  return success();
}

static LogicalResult verifyGroup(CollectiveOpInterface op,
                                 SymbolTableCollection &symbols) {
  GroupAttr group = op.getGroup();
  auto grid =
      symbols.lookupNearestSymbolFrom<shard::GridOp>(op, group.getGrid());
  if (!grid)
    return op->emitOpError("expected ")
           << group.getGrid() << " to be a shard.grid";
  auto rank =
      grid->getParentOp()->getAttrOfType<IntegerAttr>(MuonDialect::kRank);
  if (!rank)
    return op->emitOpError("expected a module with '")
           << MuonDialect::kRank << "'";
  FailureOr<GroupAttr> expected =
      getGroupAttr(grid, rank.getInt(), group.getAxes());
  if (failed(expected))
    return op->emitOpError("axes ")
           << group.getAxes() << " are not distinct axes of " << grid;
  if (*expected != group)
    return op->emitOpError("expected ")
           << *expected << " for rank " << rank.getInt() << ", found " << group;
  return success();
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

#define MUON_COLLECTIVE_OP(OpT)                                                \
  MUON_IN_PLACE_OP(OpT)                                                        \
  LogicalResult OpT::verifySymbolUses(SymbolTableCollection &symbols) {        \
    return verifyGroup(*this, symbols);                                        \
  }                                                                            \
  LogicalResult OpT::canonicalize(OpT op, PatternRewriter &rewriter) {         \
    return eraseEmpty(op, rewriter);                                           \
  }

MUON_COLLECTIVE_OP(AllReduceOp)
MUON_COLLECTIVE_OP(ReduceScatterOp)
MUON_COLLECTIVE_OP(AllGatherOp)
MUON_COLLECTIVE_OP(BroadcastOp)
MUON_COLLECTIVE_OP(AllToAllOp)
MUON_IN_PLACE_OP(WaitOp)
MUON_TENSOR_OP(PlaceOp)
MUON_TENSOR_OP(AssembleOp)
MUON_TENSOR_OP(DivideOp)
MUON_TENSOR_OP(PackTriangleOp)
MUON_TENSOR_OP(UnpackTriangleOp)

LogicalResult AllReduceOp::verify() {
  return verifyCollective(*this, getValue(), getOut(), std::nullopt,
                          std::nullopt);
}
int64_t AllReduceOp::getSource(int64_t) { return -1; }
int64_t AllReduceOp::getTarget(int64_t) { return -1; }
std::optional<Reduction> AllReduceOp::getReductionKind() {
  return getReduction();
}

LogicalResult ReduceScatterOp::verify() {
  return verifyCollective(*this, getValue(), getOut(), std::nullopt, getTo());
}
int64_t ReduceScatterOp::getSource(int64_t) { return -1; }
int64_t ReduceScatterOp::getTarget(int64_t i) { return getTo()[i]; }
std::optional<Reduction> ReduceScatterOp::getReductionKind() {
  return getReduction();
}

LogicalResult AllGatherOp::verify() {
  return verifyCollective(*this, getValue(), getOut(), getFrom(), std::nullopt);
}
int64_t AllGatherOp::getSource(int64_t i) { return getFrom()[i]; }
int64_t AllGatherOp::getTarget(int64_t) { return -1; }
std::optional<Reduction> AllGatherOp::getReductionKind() { return {}; }

LogicalResult BroadcastOp::verify() {
  SmallVector<int64_t> from(getElements().size(), getRoot());
  return verifyCollective(*this, getValue(), getOut(), ArrayRef(from),
                          std::nullopt);
}
int64_t BroadcastOp::getSource(int64_t) { return getRoot(); }
int64_t BroadcastOp::getTarget(int64_t) { return -1; }
std::optional<Reduction> BroadcastOp::getReductionKind() { return {}; }

LogicalResult AllToAllOp::verify() {
  return verifyCollective(*this, getValue(), getOut(), getFrom(), getTo());
}
int64_t AllToAllOp::getSource(int64_t i) { return getFrom()[i]; }
int64_t AllToAllOp::getTarget(int64_t i) { return getTo()[i]; }
std::optional<Reduction> AllToAllOp::getReductionKind() { return {}; }

LogicalResult WaitOp::verify() {
  if (!llvm::all_of(getOperandTypes(), isBuffer))
    return emitOpError("expected memrefs and tables only");
  return verifyInPlaceOp(*this);
}

//===----------------------------------------------------------------------===//
// What ranks do to prepare
//===----------------------------------------------------------------------===//

LogicalResult PlaceOp::verify() {
  if (failed(verifyInPlaceOp(*this)))
    return failure();
  for (auto [name, list] : {std::pair(StringRef("from"), getFrom()),
                            std::pair(StringRef("to"), getTo()),
                            std::pair(StringRef("counts"), getCounts())})
    if (list.size() != getValue().size())
      return emitOpError("'")
             << name << "' expected a number for each of " << getValue().size()
             << " values, found " << list.size();
  int64_t size = cast<ShapedType>(getOut().front().getType()).getDimSize(0);
  // Of very long lists the beginning: a check of all would take more memory
  // than the list.
  llvm::BitVector written(std::min<int64_t>(size, 1 << 24));
  for (auto [value, from, to, count] :
       llvm::zip_equal(getValue(), getFrom(), getTo(), getCounts())) {
    int64_t have = cast<ShapedType>(value.getType()).getDimSize(0);
    if (count < 1 || from < 0 || from > have - count || to < 0 ||
        to > size - count)
      return emitOpError("expected a run within ")
             << value.getType() << " and a list of " << size << ", found "
             << count << " numbers from " << from << " to " << to;
    for (int64_t i = to; i < std::min<int64_t>(to + count, written.size());
         ++i) {
      if (written.test(i))
        return emitOpError("writes number ") << i << " twice";
      written.set(i);
    }
  }
  return success();
}

/// Blocks of the matrices of `x`, which `blocks` holds.
static LogicalResult verifyBlocks(Operation *op, Value x, Value blocks,
                                  ArrayRef<int64_t> rowOffsets,
                                  ArrayRef<int64_t> colOffsets,
                                  ArrayRef<int64_t> rows,
                                  ArrayRef<int64_t> cols, bool mustCover) {
  size_t count = rows.size();
  if (count == 0 || rowOffsets.size() != count || colOffsets.size() != count ||
      cols.size() != count)
    return op->emitOpError("expected lists of one length for the blocks");
  auto type = cast<ShapedType>(x.getType());
  if (getElementTypeOrSelf(blocks.getType()) != type.getElementType())
    return op->emitOpError("expected operands of one element type, found ")
           << type << " and " << blocks.getType();
  int64_t area = 0;
  auto overlap = [](int64_t a, int64_t sizeA, int64_t b, int64_t sizeB) {
    return a < b + sizeB && b < a + sizeA;
  };
  for (size_t i = 0; i < count; ++i) {
    if (rows[i] < 1 || cols[i] < 1 || rowOffsets[i] < 0 || colOffsets[i] < 0 ||
        rowOffsets[i] > type.getDimSize(1) - rows[i] ||
        colOffsets[i] > type.getDimSize(2) - cols[i])
      return op->emitOpError("block ")
             << i << " (" << rows[i] << "x" << cols[i] << " at "
             << rowOffsets[i] << ", " << colOffsets[i]
             << ") does not lie within matrices of " << type;
    for (size_t j = 0; j < i; ++j)
      if (overlap(rowOffsets[i], rows[i], rowOffsets[j], rows[j]) &&
          overlap(colOffsets[i], cols[i], colOffsets[j], cols[j]))
        return op->emitOpError("blocks ")
               << j << " and " << i << " overlap; expected disjoint ones";
    area += rows[i] * cols[i];
  }
  if (mustCover && area != type.getDimSize(1) * type.getDimSize(2))
    return op->emitOpError("expected blocks that cover matrices of ")
           << type << ", found " << area << " elements";
  int64_t held = cast<ShapedType>(blocks.getType()).getNumElements();
  if (held != area * type.getDimSize(0))
    return op->emitOpError("'blocks' expected ")
           << area * type.getDimSize(0) << " elements, found "
           << blocks.getType();
  return success();
}

LogicalResult AssembleOp::verify() {
  if (failed(verifyInPlaceOp(*this)))
    return failure();
  return verifyBlocks(*this, getOut().front(), getBlocks().front(),
                      getRowOffsets(), getColOffsets(), getRows(), getCols(),
                      /*mustCover=*/true);
}

LogicalResult DivideOp::verify() {
  if (failed(verifyInPlaceOp(*this)))
    return failure();
  return verifyBlocks(*this, getX().front(), getBlocks().front(),
                      getRowOffsets(), getColOffsets(), getRows(), getCols(),
                      /*mustCover=*/false);
}

/// `packed` holds the upper triangles of `matrices`.
static LogicalResult verifyTriangles(Operation *op, Value matrices,
                                     Value packed) {
  auto type = cast<ShapedType>(matrices.getType());
  auto other = cast<ShapedType>(packed.getType());
  int64_t m = type.getDimSize(1);
  SmallVector<int64_t> expected = {type.getDimSize(0), 1, m * (m + 1) / 2};
  if (type.getDimSize(2) != m || other.getShape() != ArrayRef(expected) ||
      type.getElementType() != other.getElementType())
    return op->emitOpError("expected square matrices and a batch of ")
           << m * (m + 1) / 2 << " numbers for the triangle of each, found "
           << type << " and " << other;
  return success();
}

LogicalResult PackTriangleOp::verify() {
  if (failed(verifyInPlaceOp(*this)))
    return failure();
  return verifyTriangles(*this, getX().front(), getOut().front());
}

LogicalResult UnpackTriangleOp::verify() {
  if (failed(verifyInPlaceOp(*this)))
    return failure();
  return verifyTriangles(*this, getOut().front(), getX().front());
}
