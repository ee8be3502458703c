//===- SplitStacks.cpp - Process large stacks in passes -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScratchBytes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/Transforms/ArenaPlanner.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::muon {
#define GEN_PASS_DEF_SPLITSTACKSPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

/// As the runtime aligns the arena and muon-plan-arena each buffer.
static constexpr int64_t kAlignment = 64;

/// Operations that do the same to each matrix of a stack.
static bool isPerMatrix(Operation *op) {
  return isa<MomentumOp, NormalizeOp, OrthogonalizeOp, PolynomialStepOp,
             SymmetricProductOp, CommutingProductOp, SymmetricApplyOp, ApplyOp>(
      op);
}

namespace {

/// The operations from one momentum to its apply, on buffers.
class Chain {
public:
  explicit Chain(MomentumOp momentum);

  /// Whether the chain can become a loop: it is a run of operations with
  /// nothing between them that could notice.
  bool isSplittable() const;

  int64_t getMatrices() const { return matrices; }

  /// Scratch memory of `count` matrices.
  std::optional<int64_t> getScratch(int64_t count) const;

  /// Replaces the chain by passes over `count` matrices each.
  void split(int64_t count);

private:
  void add(Operation *op);
  Type withCount(Type type, int64_t count) const;
  /// Builds all operations for `count` matrices from number `offset` on.
  void build(OpBuilder &builder, Value offset, int64_t count) const;

  SmallVector<Operation *> ops;
  llvm::SetVector<memref::AllocOp> buffers;
  int64_t matrices;
  /// Matrices of a member of a table.
  int64_t perMember;
};

} // namespace

/// Whether all uses of `buffer` are operations that a chain can hold.
static bool isInternal(memref::AllocOp buffer) {
  return llvm::all_of(buffer->getUsers(), isPerMatrix);
}

Chain::Chain(MomentumOp momentum) {
  ParameterShape shape =
      *getParameterShape(momentum.getMomentum().front().getType());
  matrices = shape.matrices();
  perMember = shape.stacked ? shape.matricesPerMember() : 1;
  llvm::SetVector<Operation *> found;
  found.insert(momentum);
  for (size_t i = 0; i < found.size(); ++i)
    for (Value operand : found[i]->getOperands())
      if (auto buffer = operand.getDefiningOp<memref::AllocOp>();
          buffer && isInternal(buffer) && buffers.insert(buffer))
        found.insert(buffer->user_begin(), buffer->user_end());
  ops = found.takeVector();
  llvm::sort(ops, [](Operation *a, Operation *b) {
    // Of several blocks, any order: such a chain is not splittable.
    return a->getBlock() == b->getBlock() ? a->isBeforeInBlock(b)
                                          : a->getBlock() < b->getBlock();
  });
}

bool Chain::isSplittable() const {
  Operation *first = ops.front(), *last = ops.back();
  for (Operation *op : ops)
    if (op->getBlock() != first->getBlock())
      return false;
  // Every number per matrix and every matrix is one of as many.
  for (Operation *op : ops)
    for (Value operand : op->getOperands()) {
      auto memref = dyn_cast<MemRefType>(operand.getType());
      if (memref && memref.getRank() > 0 && memref.getDimSize(0) != matrices)
        return false;
    }
  for (Operation *op = first; op != last; op = op->getNextNode())
    if (!llvm::is_contained(ops, op) && !isa<memref::AllocOp>(op) &&
        !isMemoryEffectFree(op))
      return false;
  return true;
}

Type Chain::withCount(Type type, int64_t count) const {
  if (auto table = dyn_cast<TableType>(type))
    return TableType::get(type.getContext(), count / perMember,
                          table.getShape(), table.getElementType());
  auto memref = cast<MemRefType>(type);
  SmallVector<int64_t> shape(memref.getShape());
  shape[0] = count;
  return MemRefType::get(shape, memref.getElementType());
}

std::optional<int64_t> Chain::getScratch(int64_t count) const {
  SmallVector<BufferInterval> intervals;
  for (memref::AllocOp buffer : buffers) {
    std::optional<int64_t> bytes =
        getScratchBytes(cast<MemRefType>(withCount(buffer.getType(), count)));
    if (!bytes)
      return std::nullopt;
    BufferInterval interval = {*bytes, std::numeric_limits<int64_t>::max(), -1};
    for (auto [time, op] : llvm::enumerate(ops))
      if (llvm::is_contained(op->getOperands(), buffer.getResult())) {
        interval.first = std::min<int64_t>(interval.first, time);
        interval.last = std::max<int64_t>(interval.last, time);
      }
    intervals.push_back(interval);
  }
  std::optional<ArenaPlan> plan = planArena(intervals, kAlignment);
  return plan ? std::optional(plan->size) : std::nullopt;
}

void Chain::build(OpBuilder &builder, Value offset, int64_t count) const {
  Location loc = ops.front()->getLoc();
  IRMapping map;
  for (memref::AllocOp buffer : buffers)
    map.map(buffer.getResult(),
            memref::AllocOp::create(
                builder, buffer.getLoc(),
                cast<MemRefType>(withCount(buffer.getType(), count)))
                .getResult());
  Value member = offset;
  if (perMember > 1)
    member = arith::DivUIOp::create(
        builder, loc, offset,
        arith::ConstantIndexOp::create(builder, loc, perMember));
  for (Operation *op : ops)
    for (Value operand : op->getOperands()) {
      Type type = operand.getType();
      auto memref = dyn_cast<MemRefType>(type);
      if (map.contains(operand) || (memref && memref.getRank() == 0))
        continue;
      map.map(operand, SliceOp::create(builder, loc, withCount(type, count),
                                       operand, memref ? offset : member)
                           .getResult());
    }
  for (Operation *op : ops)
    builder.clone(*op, map);
}

void Chain::split(int64_t count) {
  // After the last one, so that all that the chain uses is defined.
  OpBuilder builder(ops.back());
  Location loc = ops.front()->getLoc();
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  int64_t whole = matrices / count * count;
  if (whole == count) {
    build(builder, index(0), count);
  } else {
    auto loop =
        scf::ForOp::create(builder, loc, index(0), index(whole), index(count));
    OpBuilder body(loop.getBody()->getTerminator());
    build(body, loop.getInductionVar(), count);
  }
  if (whole < matrices)
    build(builder, index(whole), matrices - whole);
  for (Operation *op : llvm::reverse(ops))
    op->erase();
  for (memref::AllocOp buffer : buffers)
    buffer.erase();
}

namespace {

struct SplitStacksPass
    : public muon::impl::SplitStacksPassBase<SplitStacksPass> {
  using Base::Base;

  void runOnOperation() override {
    if (scratchLimit < 0) {
      getOperation()->emitError("'muon-split-stacks' expected a scratch limit "
                                "of at least 0 bytes, found ")
          << int64_t(scratchLimit);
      return signalPassFailure();
    }
    if (scratchLimit == 0)
      return;
    SmallVector<MomentumOp> momenta;
    getOperation()->walk([&](MomentumOp op) {
      if (op->getNumResults() == 0)
        momenta.push_back(op);
    });
    for (MomentumOp op : momenta)
      if (failed(split(op)))
        return signalPassFailure();
  }

  LogicalResult split(MomentumOp op) {
    // What other ranks send is not in the chain.
    for (Operation *user : op.getX().front().getUsers())
      if (isa<CollectiveOpInterface>(user))
        return op.emitOpError("is of matrices that ranks exchange, whose "
                              "scratch memory cannot be limited; expected no "
                              "scratch limit, found ")
               << int64_t(scratchLimit);
    Chain chain(op);
    int64_t matrices = chain.getMatrices();
    std::optional<int64_t> all = chain.getScratch(matrices);
    // A table is divided between members.
    ParameterShape shape =
        *getParameterShape(op.getMomentum().front().getType());
    int64_t least = shape.stacked ? shape.matricesPerMember() : 1;
    std::optional<int64_t> one = chain.getScratch(least);
    if (!all || !one)
      return op.emitOpError("needs more scratch memory than can be planned");
    if (*all <= scratchLimit)
      return success();
    if (*one > scratchLimit)
      return op.emitOpError("needs ")
             << *one << " bytes of scratch memory for "
             << (least == 1 ? "one matrix" : "one member") << " of "
             << op.getMomentum().front().getType()
             << ", more than the scratch limit of " << int64_t(scratchLimit);
    if (matrices == least || !chain.isSplittable())
      return op.emitOpError("needs ")
             << *all << " bytes of scratch memory and cannot be split; the "
             << "scratch limit is " << int64_t(scratchLimit);

    // The most members that fit, found by bisection: buffers are aligned, so
    // that memory is not quite proportional.
    int64_t fits = 1, exceeds = matrices / least;
    while (exceeds - fits > 1) {
      int64_t middle = fits + (exceeds - fits) / 2;
      (*chain.getScratch(middle * least) <= scratchLimit ? fits : exceeds) =
          middle;
    }
    int64_t members = matrices / least;
    int64_t passes = llvm::divideCeil(members, fits);
    int64_t perPass = llvm::divideCeil(members, passes);
    numSplit += 1;
    numPasses += passes;
    remark::passed(op.getLoc(), remark::RemarkOpts::name("Split").category(
                                    "muon-split-stacks"))
        << (Twine(passes) + " passes over " + Twine(perPass * least) + " of " +
            Twine(matrices) + " matrices: all at once need " + Twine(*all) +
            " bytes")
               .str();
    chain.split(perPass * least);
    return success();
  }
};

} // namespace
