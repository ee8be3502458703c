//===- ExpandBlockWork.cpp - Work of one thread block -----------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../StepArithmetic.h"
#include "Kernel.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::muon;
using namespace mlir::muon_gpu;

/// f64 numbers that fit into the shared memory of a kernel.
static constexpr int64_t kSharedNumbers = 1024;
static constexpr int64_t kWarpSize = 32;

/// Threads that add one sum of `numPartials`: a function of nothing else, so
/// that the order is too.
static int64_t getLanes(int64_t numPartials) {
  if (numPartials <= 8)
    return 1;
  return numPartials < 4 * kBlockWorkThreads ? kWarpSize : kBlockWorkThreads;
}

/// The address of matrix 0 of an operand.
static Value createAddress(const Code &code, ::mlir::gpu::GPUFuncOp kernel,
                           const OperandRef &ref) {
  Value slots = kernel.getArgument(0), arena = kernel.getArgument(1),
        offset = kernel.getArgument(2);
  bool isSlot = ref.ref < 0;
  auto loadSlot = [&](Value place) {
    return code.load(code.pointer(kGlobalSpace), place, 8);
  };
  Value place =
      isSlot ? code.at(slots, (-ref.ref - 1) * 8) : code.at(arena, ref.ref);
  if (ref.step == 0) {
    int64_t member = ref.shift / ref.perMember;
    int64_t inner = ref.shift % ref.perMember;
    Value base = isSlot ? loadSlot(code.at(place, member * 8)) : place;
    return code.at(base, inner * ref.stride);
  }
  Value number = code.add(code.mul(offset, ref.step), ref.shift);
  Value member = code.div(number, ref.perMember);
  Value inner = code.rem(number, ref.perMember);
  Value base = isSlot ? loadSlot(code.at(place, code.mul(member, 8))) : place;
  return code.at(base, code.mul(inner, ref.stride));
}

namespace {

class BlockWork {
public:
  BlockWork(const Code &code, ::mlir::gpu::GPUFuncOp kernel,
            const DenseMap<Value, OperandRef> &operands)
      : code(code), arith{code.b, code.loc}, kernel(kernel), operands(operands),
        thread(code.to64(code.threadId())), isFirst(code.equal(thread, 0)) {}

  /// Finds out where `buffers` are, for what is built from here on. To know all
  /// addresses from the start would take more registers than there are.
  void locate(ValueRange buffers) {
    for (Value buffer : buffers)
      addresses[buffer] = createAddress(code, kernel, operands.lookup(buffer));
  }

  void build(ReduceOp op);
  void build(UnitOp op);
  void build(BiasCorrectionOp op);
  void build(NormalizeOp op);
  void build(AdvanceOp op);
  void build(LookOp op);
  void build(PlaceOp op);

private:
  /// Part of a list of numbers to be added.
  struct Segment {
    Value list;
    int64_t begin, size;
    bool isMomentum;
  };
  /// Sums of the lists of muon.look, valid in the first thread.
  using Totals = std::array<Value, 2>;

  Value load(Type type, Value buffer) const {
    return code.load(type, addresses.lookup(buffer));
  }
  void store(Value value, Value buffer) const {
    code.store(value, addresses.lookup(buffer));
  }
  /// The place of number `index` of a list.
  Value place(Value list, Value index) const {
    unsigned bits = cast<MemRefType>(list.getType()).getElementTypeBitWidth();
    return code.at(addresses.lookup(list), code.mul(index, bits / 8));
  }
  Value getShared();

  /// Shares the numbers 0 … count − 1 among threads.
  void forEachNumber(Value count, function_ref<void(Value)> body) const;
  Value sumPartials(Value partials, Value lane, int64_t lanes,
                    int64_t count) const;
  void reduceThroughShared(ReduceOp op, int64_t count);
  Totals sumPiece(ArrayRef<Segment> piece, Totals totals);
  Value sumInOrder(Value total, int64_t begin, int64_t size) const;

  const Code &code;
  Arith arith;
  ::mlir::gpu::GPUFuncOp kernel;
  const DenseMap<Value, OperandRef> &operands;
  DenseMap<Value, Value> addresses;
  Value thread, isFirst;
  Value shared;
};

} // namespace

/// Operations are built one after the other, and no use of shared memory goes
/// on when the next begins: they have one buffer.
Value BlockWork::getShared() {
  if (!shared)
    shared = createShared(code, kernel, "numbers", kSharedNumbers * 8, 8);
  return shared;
}

void BlockWork::forEachNumber(Value count,
                              function_ref<void(Value)> body) const {
  code.loop(thread, count, code.c64(kBlockWorkThreads), {},
            [&](Value index, ValueRange) {
              body(index);
              return SmallVector<Value>();
            });
}

//===----------------------------------------------------------------------===//
// Sums of partial sums
//===----------------------------------------------------------------------===//

/// Sum of the partials lane, lane + lanes, …
Value BlockWork::sumPartials(Value partials, Value lane, int64_t lanes,
                             int64_t count) const {
  auto number = [&](Value index) {
    return code.load(code.f64(), code.at(partials, code.mul(index, 8)));
  };
  // Loads that wait for one another are all that this takes time for.
  int64_t ways = count >= 4 * lanes ? 4 : 1;
  int64_t stride = ways * lanes, full = count / stride * stride;
  SmallVector<Value> sums(ways, code.constant(code.f64(), 0.0));
  sums = code.loop(
      lane, code.c64(full), code.c64(stride), sums,
      [&](Value index, ValueRange old) {
        SmallVector<Value> next;
        for (int64_t i = 0; i < ways; ++i)
          next.push_back(code.add(old[i], number(code.add(index, i * lanes))));
        return next;
      });
  if (full < count)
    sums[0] =
        code.loop(code.add(lane, full), code.c64(count), code.c64(lanes),
                  sums[0], [&](Value index, ValueRange old) {
                    return SmallVector<Value>{code.add(old[0], number(index))};
                  })[0];
  return ways == 1
             ? sums[0]
             : code.add(code.add(sums[0], sums[1]), code.add(sums[2], sums[3]));
}

/// Adds `count` partials for each sum, one thread for each. If a thread read
/// its own from global memory, those of a warp would be in a sector each.
void BlockWork::reduceThroughShared(ReduceOp op, int64_t count) {
  Value numbers = getShared();
  Value numSums = code.c64(getCount(op.getSums()));
  int64_t room = kSharedNumbers / count;
  code.loop(code.c64(0), numSums, code.c64(room), {},
            [&](Value begin, ValueRange) {
              Value size = code.min(code.sub(numSums, begin), code.c64(room));
              Value partials = place(op.getPartials(), code.mul(begin, count));
              forEachNumber(code.mul(size, count), [&](Value index) {
                Value offset = code.mul(index, 8);
                Value number = code.load(code.f64(), code.at(partials, offset));
                code.store(number, code.at(numbers, offset));
              });
              code.barrier();
              forEachNumber(size, [&](Value index) {
                Value own = code.at(numbers, code.mul(index, count * 8));
                Value sum = sumPartials(own, code.c64(0), 1, count);
                Value scale =
                    code.constant(code.f64(), op.getScale().convertToDouble());
                code.store(code.mul(sum, scale),
                           place(op.getSums(), code.add(begin, index)));
              });
              code.barrier();
              return SmallVector<Value>();
            });
}

void BlockWork::build(ReduceOp op) {
  int64_t numSums = getCount(op.getSums());
  int64_t count = getCount(op.getPartials()) / numSums;
  double scale = op.getScale().convertToDouble();
  int64_t lanes = getLanes(count);
  // For few sums the barriers would take longer.
  constexpr int64_t kManySums = 8;
  if (lanes == 1 && count > 1 && numSums > kManySums)
    return reduceThroughShared(op, count);
  bool isBlock = lanes == kBlockWorkThreads;
  Value scratch = isBlock ? getShared() : Value();
  Value first = code.div(thread, lanes), lane = code.rem(thread, lanes);
  code.loop(first, code.c64(numSums), code.c64(kBlockWorkThreads / lanes), {},
            [&](Value index, ValueRange) {
              Value partials = place(op.getPartials(), code.mul(index, count));
              Value sum = sumPartials(partials, lane, lanes, count);
              if (isBlock)
                sum = sumOverBlock(code, sum, scratch, kBlockWorkThreads);
              else if (lanes > 1)
                sum = sumOverWarp(code, sum);
              code.ifThen(code.equal(lane, 0), [&] {
                Value scaled = code.mul(sum, code.constant(code.f64(), scale));
                code.store(scaled, place(op.getSums(), index));
              });
              if (isBlock)
                code.barrier();
              return SmallVector<Value>();
            });
}

//===----------------------------------------------------------------------===//
// Lists and scalars
//===----------------------------------------------------------------------===//

void BlockWork::build(UnitOp op) {
  Value beta = arith.toF64(load(code.f32(), op.getBeta()));
  Value clip = op.getClip() ? arith.toF64(load(code.f32(), op.getClip()))
                            : arith.f64(1.0);
  UpdateWeights weights = createUpdateWeights(
      arith, beta, clip, op.getMomentumForm(), op.getNesterov());
  forEachNumber(code.c64(getCount(op.getUnit())), [&](Value index) {
    auto sum = [&](Value list) {
      return code.load(code.f64(), place(list, index));
    };
    Value gradient = sum(op.getGradientSums());
    Value momentum = sum(op.getMomentumSums());
    Value unit = createUnit(arith, weights, gradient, momentum, op.getHalf());
    code.store(unit, place(op.getUnit(), index));
  });
}

void BlockWork::build(NormalizeOp op) {
  Value sums = op.getSums().front(), unit = op.getUnit().front(),
        factor = op.getFactor().front();
  forEachNumber(code.c64(getCount(factor)), [&](Value index) {
    Value value = createFactor(arith, code.load(code.f64(), place(sums, index)),
                               code.load(code.f64(), place(unit, index)),
                               op.getSafety().convertToDouble(),
                               op.getEps().convertToDouble());
    code.store(value, place(factor, index));
  });
}

void BlockWork::build(PlaceOp op) {
  Value out = op.getOut().front();
  // Runs in order of their places, so that what lies between them is known.
  auto order = llvm::to_vector(llvm::seq<size_t>(0, op.getTo().size()));
  llvm::sort(order,
             [&](size_t a, size_t b) { return op.getTo()[a] < op.getTo()[b]; });
  int64_t filled = 0;
  auto clear = [&](int64_t end) {
    if (filled < end)
      forEachNumber(code.c64(end - filled), [&](Value index) {
        code.store(code.constant(code.f64(), 0.0),
                   place(out, code.add(index, filled)));
      });
  };
  for (size_t run : order) {
    int64_t from = op.getFrom()[run], to = op.getTo()[run],
            count = op.getCounts()[run];
    clear(to);
    forEachNumber(code.c64(count), [&](Value index) {
      Value number = code.load(
          code.f64(), place(op.getValue()[run], code.add(index, from)));
      code.store(number, place(out, code.add(index, to)));
    });
    filled = to + count;
  }
  clear(getCount(out));
}

void BlockWork::build(AdvanceOp op) {
  Value step = op.getStep().front();
  code.ifThen(isFirst,
              [&] { store(code.add(load(code.i64(), step), 1), step); });
}

void BlockWork::build(BiasCorrectionOp op) {
  code.ifThen(isFirst, [&] {
    OpBuilder &b = code.b;
    Location loc = code.loc;
    // βᵗ by squaring, with the products that math.fpowi becomes on the CPU. The
    // numbers are the bits of t that are left, and for both β its power for the
    // lowest of them and the product so far.
    Value one = arith.f64(1.0);
    SmallVector<Value> numbers = {
        load(code.i64(), op.getStep()),
        arith.f64(op.getBeta1().convertToDouble()), one,
        arith.f64(op.getBeta2().convertToDouble()), one};
    auto isLeft = [](OpBuilder &inner, Location loc, ValueRange old) {
      Code in(inner, loc);
      Value left = in.compare(arith::CmpIPredicate::ne, old[0], in.c64(0));
      scf::ConditionOp::create(inner, loc, left, old);
    };
    auto square = [](OpBuilder &inner, Location loc, ValueRange old) {
      Code in(inner, loc);
      Value isOdd = in.equal(in.both(old[0], in.c64(1)), 1);
      SmallVector<Value> next = {
          arith::ShRUIOp::create(inner, loc, old[0], in.c64(1))};
      for (size_t i = 1; i < old.size(); i += 2) {
        next.push_back(in.mul(old[i], old[i]));
        next.push_back(
            in.select(isOdd, in.mul(old[i + 1], old[i]), old[i + 1]));
      }
      scf::YieldOp::create(inner, loc, next);
    };
    auto loop = scf::WhileOp::create(b, loc, ValueRange(numbers).getTypes(),
                                     numbers, isLeft, square);
    store(createBiasCorrection(arith, loop.getResult(2)), op.getCorrection1());
    store(createBiasCorrection(arith, loop.getResult(4)), op.getCorrection2());
  });
}

//===----------------------------------------------------------------------===//
// Looking at all gradients
//===----------------------------------------------------------------------===//

/// total + the numbers of shared memory from `begin` on, one after the other.
Value BlockWork::sumInOrder(Value total, int64_t begin, int64_t size) const {
  Value numbers = code.at(shared, begin * 8);
  // Additions wait for one another; loads need not.
  constexpr int64_t kGroup = 8;
  auto addGroup = [&](Value sum, Value place, int64_t group) {
    SmallVector<Value> values;
    for (int64_t i = 0; i < group; ++i)
      values.push_back(code.load(code.f64(), code.at(place, i * 8)));
    for (Value value : values)
      sum = code.add(sum, value);
    return sum;
  };
  int64_t full = size / kGroup * kGroup;
  if (full > 0) {
    auto body = [&](Value offset, ValueRange old) {
      return SmallVector<Value>{
          addGroup(old[0], code.at(numbers, offset), kGroup)};
    };
    total = code.loop(code.c64(0), code.c64(full * 8), code.c64(kGroup * 8),
                      total, body)[0];
  }
  return addGroup(total, code.at(numbers, full * 8), size - full);
}

/// Adds numbers that fit into shared memory.
BlockWork::Totals BlockWork::sumPiece(ArrayRef<Segment> piece, Totals totals) {
  // Where number 0 of shared memory would come from if it were part of the
  // segment, and where the segment ends there.
  SmallVector<std::pair<Value, int64_t>> sources;
  int64_t count = 0;
  for (const Segment &segment : piece) {
    locate(segment.list);
    sources.emplace_back(
        code.at(addresses.lookup(segment.list), (segment.begin - count) * 8),
        count + segment.size);
    count += segment.size;
  }
  // A loop for each segment would wait for memory as often.
  forEachNumber(code.c64(count), [&](Value index) {
    Value source = sources.back().first;
    for (auto [own, end] : llvm::reverse(ArrayRef(sources).drop_back()))
      source = code.select(code.less(index, end), own, source);
    Value offset = code.mul(index, 8);
    Value number = code.load(code.f64(), code.at(source, offset));
    code.store(number, code.at(shared, offset));
  });
  code.barrier();
  auto sum = scf::IfOp::create(code.b, code.loc,
                               TypeRange{code.f64(), code.f64()}, isFirst,
                               /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(code.b);
  code.b.setInsertionPointToStart(sum.elseBlock());
  scf::YieldOp::create(code.b, code.loc, totals);
  code.b.setInsertionPointToStart(sum.thenBlock());
  for (bool isMomentum : {false, true}) {
    int64_t begin = isMomentum ? count : 0, size = 0;
    for (const Segment &segment : piece) {
      if (segment.isMomentum != isMomentum)
        continue;
      size += segment.size;
      if (isMomentum)
        begin -= segment.size;
    }
    totals[isMomentum] = sumInOrder(totals[isMomentum], begin, size);
  }
  scf::YieldOp::create(code.b, code.loc, totals);
  return {sum.getResult(0), sum.getResult(1)};
}

void BlockWork::build(LookOp op) {
  getShared();
  Value zero = code.constant(code.f64(), 0.0);
  Totals totals = {zero, zero};
  // Pieces that hold as much as there is room for, gradients before momenta.
  SmallVector<Segment> piece;
  int64_t room = kSharedNumbers;
  auto addList = [&](Value list, bool isMomentum) {
    int64_t size = getCount(list);
    for (int64_t begin = 0; begin < size;) {
      if (room == 0) {
        totals = sumPiece(piece, totals);
        code.barrier();
        piece.clear();
        room = kSharedNumbers;
      }
      int64_t part = std::min(room, size - begin);
      piece.push_back({list, begin, part, isMomentum});
      begin += part;
      room -= part;
    }
  };
  for (Value list : op.getGradients())
    addList(list, /*isMomentum=*/false);
  for (Value list : op.getMomenta())
    addList(list, /*isMomentum=*/true);
  if (!piece.empty())
    totals = sumPiece(piece, totals);
  code.ifThen(isFirst, [&] {
    locate(op.getLimit());
    locate(op.getOk());
    locate(op.getClip());
    Value limit;
    if (!op.getLimit().empty())
      limit = load(code.f32(), op.getLimit().front());
    Value all = code.add(totals[0], totals[1]);
    Value ok = createOk(arith, all, op.getSkipNonfinite());
    Value byte =
        arith::ExtUIOp::create(code.b, code.loc, code.b.getI8Type(), ok);
    store(byte, op.getOk().front());
    store(createClip(arith, totals[0], limit), op.getClip().front());
  });
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

static LogicalResult checkBlockWork(Operation &op) {
  if (!isa<ReduceOp, UnitOp, BiasCorrectionOp, NormalizeOp, AdvanceOp, LookOp,
           PlaceOp>(op))
    return op.emitOpError("has no kernel for one thread block");
  for (Type type : op.getOperandTypes())
    if (!isSumsBuffer(type) && !isF32Numbers(type) && !isF32Buffer(type) &&
        !isFlagBuffer(type) && !isCounterBuffer(type))
      return op.emitOpError("expected buffers of contiguous numbers, found ")
             << type;
  return success();
}

LogicalResult
muon_gpu::expandBlockWork(LaunchOp launch, ::mlir::gpu::GPUFuncOp kernel,
                          function_ref<OperandRef(Value)> locate) {
  for (Operation &op : launch.getBody().front())
    if (failed(checkBlockWork(op)))
      return failure();

  OpBuilder b = OpBuilder::atBlockEnd(&kernel.getBody().front());
  Code code(b, launch.getLoc());
  DenseMap<Value, OperandRef> operands;
  auto addOperand = [&](Value buffer) {
    if (!operands.contains(buffer))
      operands[buffer] = locate(buffer);
  };
  if (Value flag = launch.getWhen())
    addOperand(flag);
  for (Operation &op : launch.getBody().front())
    llvm::for_each(op.getOperands(), addOperand);

  BlockWork work(code, kernel, operands);
  auto buildAll = [&] {
    bool isLater = false;
    for (Operation &op : launch.getBody().front()) {
      if (isLater)
        code.barrier();
      isLater = true;
      if (!isa<LookOp>(op))
        work.locate(op.getOperands());
      llvm::TypeSwitch<Operation *>(&op)
          .Case<ReduceOp, UnitOp, BiasCorrectionOp, NormalizeOp, AdvanceOp,
                LookOp, PlaceOp>([&](auto known) { work.build(known); });
    }
  };
  if (Value flag = launch.getWhen()) {
    Value byte = code.load(b.getI8Type(),
                           createAddress(code, kernel, operands.lookup(flag)));
    Value none = arith::ConstantIntOp::create(b, code.loc, 0, 8);
    Value isSet = code.compare(arith::CmpIPredicate::ne, byte, none);
    // The work may change the flag, and all threads have to see the same.
    code.barrier();
    code.ifThen(isSet, buildAll);
  } else {
    buildAll();
  }
  ::mlir::gpu::ReturnOp::create(b, code.loc);
  return success();
}
