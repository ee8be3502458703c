//===- FuseEpilogues.cpp - Streams into epilogues of products ---*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Work.h"

namespace mlir::muon_gpu {
#define GEN_PASS_DEF_FUSEEPILOGUESPASS
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h.inc"
} // namespace mlir::muon_gpu

using namespace mlir;
using namespace mlir::muon_gpu;

/// Why `stream`, which reads the result of `product`, cannot become a part of
/// it; null if it can.
static const char *getObjection(MatmulOp product, StreamOp stream) {
  if (product.getSymmetric())
    return "a symmetric product computes one triangle only";
  if (product.getOuts().size() != 1)
    return "the product has several results";
  Value result = product.getOuts().front();
  Value base = getBase(result);
  if (!isScratch(base))
    return "the result is no scratch memory";
  llvm::SmallPtrSet<Operation *, 8> users;
  collectUsers(base, users);
  for (Operation *user : users)
    if (user != product && user != stream)
      return "the result has other users";
  auto isOfResult = [&](Value value) { return getBase(value) == base; };
  if (llvm::count_if(stream->getOperands(), isOfResult) != 1 ||
      llvm::count(stream.getInputs(), result) != 1)
    return "the stream uses the result in several ways";
  // Without sums, nobody misses the product where the stream is not done.
  if (product.getWhen() != stream.getWhen() &&
      (product.getWhen() || !product.getSums().empty()))
    return "the conditions differ";
  if (product->getBlock() != stream->getBlock() ||
      !product->isBeforeInBlock(stream))
    return "the stream does not follow the product in its block";
  Accesses before(product), after(stream);
  for (Value value : {product.getLhs(), product.getRhs()})
    if (after.writes.contains(getBase(value)))
      return "the stream writes what the product multiplies";
  for (Value value : product.getTiles())
    if (after.writes.contains(getBase(value)) &&
        !llvm::is_contained(stream.getOuts(), value))
      return "the stream writes what the product reads in another way";
  for (Value value : product.getScalars())
    if (after.writes.contains(getBase(value)))
      return "the stream writes what the product reads in another way";
  for (Value value : before.writes)
    if (value != base &&
        (after.reads.contains(value) || after.writes.contains(value)))
      return "the stream uses what else the product writes";
  for (Operation *op = product->getNextNode(); op != stream;
       op = op->getNextNode()) {
    Accesses between(op);
    if (before.conflictsWith(between) || between.conflictsWith(after))
      return "something in between uses the same memory";
  }
  return nullptr;
}

/// `product` with `stream` in its epilogue.
static MatmulOp fuse(MatmulOp product, StreamOp stream) {
  OpBuilder b(stream);
  Value result = product.getOuts().front();
  auto append = [](ValueRange first, ValueRange second) {
    SmallVector<Value> all(first);
    llvm::append_range(all, second);
    return all;
  };
  SmallVector<Value> tiles(product.getTiles());
  for (Value input : stream.getInputs())
    if (input != result)
      tiles.push_back(input);
  SmallVector<double> constants(product.getConstants());
  llvm::append_range(constants, stream.getConstants());
  auto fused = MatmulOp::create(
      b, stream.getLoc(), product.getLhs(), product.getRhs(),
      append(product.getScalars(), stream.getScalars()), tiles,
      stream.getOuts(), append(product.getSums(), stream.getSums()),
      stream.getWhen(), b.getDenseF64ArrayAttr(constants),
      product.getLhsTransposed(), product.getRhsTransposed(),
      /*symmetric=*/false, product.getTf32(), product.getScheduleAttr());

  // Arguments: acc, constants, scalars, tiles; of each the product's first.
  Block *block = b.createBlock(&fused.getEpilogue());
  Block &first = product.getEpilogue().front();
  Block &second = stream.getBody().front();
  IRMapping mapping;
  unsigned at1 = 0, at2 = 0;
  auto take = [&](Block &source, unsigned &at, unsigned count) {
    for (unsigned i = 0; i < count; ++i, ++at)
      mapping.map(source.getArgument(at),
                  block->addArgument(source.getArgument(at).getType(),
                                     source.getArgument(at).getLoc()));
  };
  take(first, at1, 1);
  take(first, at1, product.getConstants().size());
  take(second, at2, stream.getConstants().size());
  take(first, at1, product.getScalars().size());
  take(second, at2, stream.getScalars().size());
  take(first, at1, product.getTiles().size());
  Value read;
  for (Value input : stream.getInputs()) {
    if (input == result)
      read = second.getArgument(at2++);
    else
      take(second, at2, 1);
  }
  SmallVector<Value> sums;
  for (Operation &op : first.without_terminator())
    b.clone(op, mapping);
  OperandRange yielded = first.getTerminator()->getOperands();
  mapping.map(read, mapping.lookupOrDefault(yielded.front()));
  for (Value value : yielded.drop_front())
    sums.push_back(mapping.lookupOrDefault(value));
  for (Operation &op : second.without_terminator())
    b.clone(op, mapping);
  SmallVector<Value> results;
  OperandRange last = second.getTerminator()->getOperands();
  size_t numOuts = stream.getOuts().size();
  for (Value value : last.take_front(numOuts))
    results.push_back(mapping.lookupOrDefault(value));
  llvm::append_range(results, sums);
  for (Value value : last.drop_front(numOuts))
    results.push_back(mapping.lookupOrDefault(value));
  YieldOp::create(b, stream.getLoc(), results);
  stream.erase();
  product.erase();
  return fused;
}

namespace {

struct FuseEpiloguesPass
    : public muon_gpu::impl::FuseEpiloguesPassBase<FuseEpiloguesPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<StreamOp> streams;
    getOperation()->walk([&](StreamOp op) { streams.push_back(op); });
    for (StreamOp stream : streams)
      tryToFuse(stream);
  }

  void tryToFuse(StreamOp stream) {
    for (Value input : stream.getInputs()) {
      MatmulOp product;
      for (Operation *user : input.getUsers())
        if (auto candidate = dyn_cast<MatmulOp>(user))
          if (llvm::is_contained(candidate.getOuts(), input))
            product = candidate;
      if (!product)
        continue;
      auto options =
          remark::RemarkOpts::name("Epilogue").category(getArgument());
      if (const char *objection = getObjection(product, stream)) {
        remark::missed(stream.getLoc(), options)
            << "stays a pass of its own: " << objection;
        continue;
      }
      int64_t before = getTraffic(product).total() + getTraffic(stream).total();
      Value result = input;
      MatmulOp fused = fuse(product, stream);
      // Views of the buffer, and then the buffer.
      while (result && result.use_empty()) {
        Operation *definition = result.getDefiningOp();
        auto view = dyn_cast<ViewLikeOpInterface>(definition);
        result = view ? view.getViewSource() : Value();
        definition->erase();
      }
      ++numFused;
      remark::passed(fused.getLoc(), options)
          << "done in the epilogue of the product: " << std::to_string(before)
          << " bytes of traffic before, "
          << std::to_string(getTraffic(fused).total()) << " after";
      return;
    }
  }
};

} // namespace
