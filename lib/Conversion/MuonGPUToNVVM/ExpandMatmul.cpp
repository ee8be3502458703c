//===- ExpandMatmul.cpp - Kernels of products -------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A block computes one tile of one product: slices of the operands come to
// shared memory by cp.async in several stages, tensor cores (or, for f32,
// multiply-adds with the same distribution of results) multiply them, and the
// accumulators go through shared memory once more, so that the epilogue reads
// and writes whole rows.
//
//===----------------------------------------------------------------------===//

#include "Elements.h"
#include "Kernel.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::muon_gpu;

namespace {

enum class Flavor { Half, Tf32, F32 };

/// How one operand of a product lies in shared memory: `rows` rows of
/// `rowBytes` bytes, in chunks of 16 bytes that are permuted within a row so
/// that neither copies nor fragments meet in a bank.
struct Operand {
  /// Whether rows run along the inner dimension.
  bool innerIsRow;
  int64_t rows, rowBytes;
  int64_t elementBytes;
  /// First byte in a stage.
  int64_t offset = 0;

  int64_t chunks() const { return rowBytes / 16; }
  int64_t bytes() const { return rows * rowBytes; }
  int64_t elementsPerChunk() const { return 16 / elementBytes; }

  /// Place of chunk `chunk` of row `row`.
  Value place(const Code &code, Value row, Value chunk) const {
    Value mask;
    if (!innerIsRow && elementBytes == 4) {
      // Fragments of 32-bit elements across rows take two chunks of four rows.
      mask = code.mul(code.both(row, code.c32(3)), 2);
    } else {
      int64_t lines = std::max<int64_t>(1, 8 / chunks());
      mask = code.both(code.div(row, lines),
                       code.c32(std::min<int64_t>(chunks(), 8) - 1));
    }
    Value permuted = code.bitXor(chunk, mask);
    return code.add(code.mul(row, rowBytes),
                    code.add(code.mul(permuted, 16), offset));
  }
};

/// Everything about a kernel that is known when it is made.
struct Plan {
  explicit Plan(MatmulOp op);

  ScheduleAttr schedule;
  Flavor flavor;
  bool symmetric;
  int64_t m, n, k, threads, stages, width;
  bool masked;
  Operand a, b;
  /// Of a warp.
  int64_t warpM, warpN;
  /// Blocks of 16×8 results of a warp.
  int64_t blocksM, blocksN;
  /// Floats from one row to the next in the tile of results.
  int64_t pitch;

  int64_t stageBytes() const { return a.bytes() + b.bytes(); }
  int64_t sharedBytes() const {
    return std::max(stages * stageBytes(), m * pitch * 4);
  }
};

/// Words of a record, before those of constants.
enum Word : unsigned {
  kTiles,
  kM,
  kN,
  kK,
  kLhsStride,
  kRhsStride,
  kTilesM,
  kTilesN,
  kNumWords
};

} // namespace

static Flavor getFlavor(MatmulOp op) {
  Type type = cast<MemRefType>(op.getLhs().getType()).getElementType();
  if (!type.isF32())
    return Flavor::Half;
  return op.getTf32() ? Flavor::Tf32 : Flavor::F32;
}

Plan::Plan(MatmulOp op)
    : schedule(*op.getSchedule()), flavor(getFlavor(op)),
      symmetric(op.getSymmetric()), m(schedule.getM()), n(schedule.getN()),
      k(schedule.getK()),
      threads(32 * schedule.getWarpsM() * schedule.getWarpsN()),
      stages(schedule.getStages()), width(schedule.getWidth()),
      masked(schedule.getMasked()), warpM(m / schedule.getWarpsM()),
      warpN(n / schedule.getWarpsN()), blocksM(warpM / 16), blocksN(warpN / 8),
      pitch(n + 4) {
  int64_t bytes = flavor == Flavor::Half ? 2 : 4;
  auto make = [&](bool innerIsRow, int64_t outer) {
    return innerIsRow ? Operand{true, outer, k * bytes, bytes}
                      : Operand{false, k, outer * bytes, bytes};
  };
  a = make(!op.getLhsTransposed(), m);
  b = make(op.getRhsTransposed(), n);
  b.offset = a.bytes();
}

KernelShape muon_gpu::getShape(MatmulOp op) {
  Plan plan(op);
  // As many as there is shared memory for: 100 KiB on every architecture, of
  // which each takes 1 KiB besides. Of 65,536 registers, a thread gets 128.
  int64_t blocks = std::min((100 << 10) / (plan.sharedBytes() + (1 << 10)),
                            512 / plan.threads);
  return {plan.threads, plan.sharedBytes(), std::max<int64_t>(blocks, 1)};
}

LogicalResult muon_gpu::checkMatmul(MatmulOp op) {
  if (!op.getSchedule())
    return op.emitOpError("expected a schedule");
  Plan plan(op);
  // Bytes of a row and eight times the number of a tile are 32-bit numbers.
  constexpr int64_t most = int64_t(1) << 28;
  int64_t tiles =
      llvm::divideCeil(op.getM(), plan.m) * llvm::divideCeil(op.getN(), plan.n);
  if (std::max({op.getM(), op.getN(), op.getK(), tiles}) > most)
    return op.emitOpError("expected rows, columns and tiles up to 2^28, found ")
           << op.getM() << "x" << op.getN() << "x" << op.getK() << " and "
           << tiles << " tiles";
  for (const Operand &operand : {plan.a, plan.b})
    if (operand.rowBytes % 16 != 0 || operand.rowBytes < 64 ||
        !llvm::isPowerOf2_64(operand.rowBytes) ||
        operand.rows * operand.chunks() % plan.threads != 0)
      return op.emitOpError("expected a tile whose operands have rows of a "
                            "power of two of bytes, at least 64, that ")
             << plan.threads << " threads can share, found " << operand.rows
             << " rows of " << operand.rowBytes << " bytes";
  if (plan.sharedBytes() > kMostSharedBytes)
    return op.emitOpError("expected a schedule that takes up to ")
           << kMostSharedBytes << " bytes of shared memory, found "
           << plan.sharedBytes();
  for (Value value : op.getSums())
    if (getCount(value) != tiles * op.getBatch())
      return op.emitOpError("expected a partial sum for each of ")
             << tiles * op.getBatch() << " tiles, found " << value.getType()
             << "; run muon-gpu-split-sums first";
  if (plan.warpN % 16 != 0)
    return op.emitOpError(
               "expected warps with a multiple of 16 columns, found ")
           << plan.warpN;
  if (plan.m * plan.n % (plan.threads * 4) != 0)
    return op.emitOpError("expected a tile that ")
           << plan.threads << " threads can share, found " << plan.m << "x"
           << plan.n;
  for (Value value : {op.getLhs(), op.getRhs()}) {
    MatrixList list = *getMatrices(value.getType());
    int64_t bytes = list.elementType.getIntOrFloatBitWidth() / 8;
    if (list.rowStride * bytes % 16 != 0 ||
        list.matrixStride * bytes % 16 != 0 || list.offset * bytes % 16 != 0)
      return op.emitOpError("expected operands whose rows start at multiples "
                            "of 16 bytes, found ")
             << value.getType();
  }
  if (plan.width == 4)
    for (ValueRange group :
         {ValueRange(op.getTiles()), ValueRange(op.getOuts())})
      for (Value value : group) {
        MatrixList list = *getMatrices(value.getType());
        if (list.cols % 4 || list.rowStride % 4 || list.matrixStride % 4 ||
            list.offset % 4)
          return op.emitOpError("expected rows of a multiple of 4 elements for "
                                "width 4, found ")
                 << value.getType();
      }
  if (plan.symmetric && (op.getOuts().size() != 1 || !op.getSums().empty()))
    return op.emitOpError("expected one output and no sums with 'symmetric'");
  return success();
}

//===----------------------------------------------------------------------===//
// Main loop
//===----------------------------------------------------------------------===//

namespace {

/// One operand's way from global to shared memory.
class Copies {
public:
  /// `first` is the first row or column of the tile in the other dimension.
  Copies(const Code &code, const Plan &plan, const Operand &operand,
         Value address, Value stride, Value first, Value outerSize, Value inner)
      : code(code), plan(plan), operand(operand), stride(code.to64(stride)),
        inner(inner) {
    Value tid = code.threadId();
    int64_t count = operand.rows * operand.chunks() / plan.threads;
    for (int64_t i = 0; i < count; ++i) {
      Value index = code.add(tid, i * plan.threads);
      Value row = code.div(index, operand.chunks());
      Value chunk = code.rem(index, operand.chunks());
      Copy copy;
      copy.place = operand.place(code, row, chunk);
      Value column = code.mul(chunk, operand.elementsPerChunk());
      Value globalRow = row, globalColumn = column;
      (operand.innerIsRow ? globalRow : globalColumn) =
          code.add(operand.innerIsRow ? row : column, first);
      Value element = code.add(code.mul(code.to64(globalRow), this->stride),
                               code.to64(globalColumn));
      copy.source = code.at(address, code.mul(element, operand.elementBytes));
      if (plan.masked) {
        if (operand.innerIsRow) {
          copy.inner = column;
          copy.valid = code.less(globalRow, outerSize);
        } else {
          copy.inner = row;
          copy.bytes = clampBytes(code.sub(outerSize, globalColumn));
        }
      }
      copies.push_back(copy);
    }
  }

  /// Starts the copies of slice `slice` into the stage at `stage`.
  void issue(Value slice, Value stage) const {
    Value firstInner = code.mul(slice, plan.k);
    Value step = operand.innerIsRow
                     ? code.to64(code.mul(firstInner, operand.elementBytes))
                     : code.mul(code.mul(code.to64(firstInner), stride),
                                operand.elementBytes);
    for (const Copy &copy : copies) {
      Value bytes;
      if (plan.masked) {
        Value zero = code.c32(0);
        Value left = code.sub(code.sub(inner, firstInner), copy.inner);
        if (operand.innerIsRow)
          bytes = code.select(copy.valid, clampBytes(left), zero);
        else
          bytes = code.select(code.less(zero, left), copy.bytes, zero);
      }
      NVVM::CpAsyncOp::create(code.b, code.loc,
                              code.at(stage, code.to64(copy.place)),
                              code.at(copy.source, step), 16,
                              NVVM::LoadCacheModifierKind::CG, bytes);
    }
  }

private:
  struct Copy {
    /// In the stage; address of slice 0.
    Value place, source;
    /// If masked: element of the inner dimension, and whether the row exists or
    /// how many bytes of it do.
    Value inner, valid, bytes;
  };

  /// Bytes of a chunk of which `elements` or more exist.
  Value clampBytes(Value elements) const {
    Value bytes = code.mul(elements, operand.elementBytes);
    return code.max(code.min(bytes, code.c32(16)), code.c32(0));
  }

  Code code;
  const Plan &plan;
  const Operand &operand;
  Value stride, inner;
  SmallVector<Copy> copies;
};

/// The products of one slice in shared memory.
class Multiply {
public:
  Multiply(const Code &code, const Plan &plan) : code(code), plan(plan) {
    Value tid = code.threadId();
    lane = code.rem(tid, 32);
    Value warp = code.div(tid, 32);
    int64_t warpsN = plan.n / plan.warpN;
    firstRow = code.mul(code.div(warp, warpsN), plan.warpM);
    firstColumn = code.mul(code.rem(warp, warpsN), plan.warpN);
    group = code.div(lane, 4);
    thread = code.rem(lane, 4);
  }

  /// acc (4 of each block of 16×8) plus the products of the stage.
  SmallVector<Value> slice(Value stage, ValueRange acc) const {
    SmallVector<Value> next(acc);
    int64_t step = plan.flavor == Flavor::Half   ? 16
                   : plan.flavor == Flavor::Tf32 ? 8
                                                 : 4;
    for (int64_t inner = 0; inner < plan.k; inner += step)
      if (plan.flavor == Flavor::F32)
        multiplyAdd(stage, inner, next);
      else
        multiplyTensor(stage, inner, step, next);
    return next;
  }

  Value lane, group, thread, firstRow, firstColumn;

private:
  /// ldmatrix of four 8×8 matrices of 16-bit elements, one row per lane.
  SmallVector<Value, 4> loadMatrices(Value stage, Value place,
                                     bool transposed) const {
    MLIRContext *context = code.b.getContext();
    Type type = LLVM::LLVMStructType::getLiteral(
        context, SmallVector<Type>(4, code.i32()));
    Value matrices = NVVM::LdMatrixOp::create(
        code.b, code.loc, type, code.at(stage, code.to64(place)), 4,
        transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row,
        NVVM::LdStMatrixShapeAttr::get(context, 8, 8),
        NVVM::LdStMatrixEltType::B16);
    SmallVector<Value, 4> parts;
    for (int64_t i = 0; i < 4; ++i)
      parts.push_back(
          LLVM::ExtractValueOp::create(code.b, code.loc, matrices, i));
    return parts;
  }

  /// A 32-bit element at (row, column) in shared memory.
  Value loadElement(Value stage, const Operand &operand, Value row,
                    Value column) const {
    Value chunk = code.div(column, 4);
    Value place = code.add(operand.place(code, row, chunk),
                           code.mul(code.rem(column, 4), 4));
    return code.load(code.i32(), code.at(stage, code.to64(place)), 4);
  }

  /// Rows `first`… of A (16 for each block) or columns of B (16 for each two
  /// blocks), from `inner` on: four registers for each.
  SmallVector<Value, 4> loadFragment(Value stage, const Operand &operand,
                                     Value first, int64_t inner,
                                     bool isA) const {
    Value low = code.rem(lane, 8);
    Value middle = code.rem(code.div(lane, 8), 2), high = code.div(lane, 16);
    // Of A, the second matrix has the next rows and the third the next of the
    // inner dimension; of B it is the other way round.
    Value outerHalf = isA ? middle : high, innerHalf = isA ? high : middle;
    if (operand.innerIsRow) {
      Value row = code.add(first, code.add(low, code.mul(outerHalf, 8)));
      Value chunk = code.add(innerHalf, inner * operand.elementBytes / 16);
      return loadMatrices(stage, operand.place(code, row, chunk), false);
    }
    if (plan.flavor == Flavor::Half) {
      Value row = code.add(code.add(low, code.mul(innerHalf, 8)), inner);
      Value chunk = code.add(code.div(first, 8), outerHalf);
      return loadMatrices(stage, operand.place(code, row, chunk), true);
    }
    SmallVector<Value, 4> parts;
    for (int64_t i = 0; i < 4; ++i) {
      int64_t outerPart = isA ? i % 2 : i / 2, innerPart = isA ? i / 2 : i % 2;
      parts.push_back(
          loadElement(stage, operand, code.add(thread, inner + innerPart * 4),
                      code.add(code.add(first, group), outerPart * 8)));
    }
    return parts;
  }

  void multiplyTensor(Value stage, int64_t inner, int64_t step,
                      SmallVectorImpl<Value> &acc) const {
    bool isTf32 = plan.flavor == Flavor::Tf32;
    Type type = isTf32 ? Type() : elementType;
    auto convert = [&](SmallVector<Value, 4> parts) {
      for (Value &part : parts) {
        if (isTf32)
          part = NVVM::ConvertFloatToTF32Op::create(
              code.b, code.loc, code.i32(), code.bitcast(code.f32(), part),
              NVVM::FPRoundingMode::RNA, NVVM::SaturationMode::NONE,
              /*relu=*/false);
        else if (type.isF16())
          part = code.bitcast(VectorType::get(2, type), part);
      }
      return parts;
    };
    SmallVector<SmallVector<Value, 4>> rows, columns;
    for (int64_t i = 0; i < plan.blocksM; ++i)
      rows.push_back(convert(loadFragment(
          stage, plan.a, code.add(firstRow, i * 16), inner, /*isA=*/true)));
    for (int64_t j = 0; j < plan.blocksN; j += 2)
      columns.push_back(convert(loadFragment(
          stage, plan.b, code.add(firstColumn, j * 8), inner, /*isA=*/false)));

    NVVM::MMATypes ptxType = isTf32          ? NVVM::MMATypes::tf32
                             : type.isBF16() ? NVVM::MMATypes::bf16
                                             : NVVM::MMATypes::f16;
    Type result = LLVM::LLVMStructType::getLiteral(
        code.b.getContext(), SmallVector<Type>(4, code.f32()));
    for (int64_t i = 0; i < plan.blocksM; ++i)
      for (int64_t j = 0; j < plan.blocksN; ++j) {
        auto part =
            MutableArrayRef<Value>(acc).slice((i * plan.blocksN + j) * 4, 4);
        Value sum = NVVM::MmaOp::create(
            code.b, code.loc, result, rows[i],
            ArrayRef<Value>(columns[j / 2]).slice(j % 2 * 2, 2), part,
            ArrayRef<int64_t>{16, 8, step}, std::nullopt, std::nullopt,
            std::array<NVVM::MMATypes, 2>{ptxType, ptxType},
            std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                           NVVM::MMALayout::col});
        for (int64_t p = 0; p < 4; ++p)
          part[p] = LLVM::ExtractValueOp::create(code.b, code.loc, sum, p);
      }
  }

  /// Elements `inner` to `inner` + 3 of the inner dimension at row or column
  /// `outer` of an operand whose rows run along it; or element (inner, outer).
  SmallVector<Value, 4> loadFour(Value stage, const Operand &operand,
                                 Value outer, int64_t inner) const {
    SmallVector<Value, 4> parts;
    if (operand.innerIsRow) {
      Value place = operand.place(code, outer, code.c32(inner / 4));
      Value four = code.load(VectorType::get(4, code.f32()),
                             code.at(stage, code.to64(place)), 16);
      for (int64_t i = 0; i < 4; ++i)
        parts.push_back(code.element(four, i));
      return parts;
    }
    for (int64_t i = 0; i < 4; ++i)
      parts.push_back(code.bitcast(
          code.f32(), loadElement(stage, operand, code.c32(inner + i), outer)));
    return parts;
  }

  /// Multiply-adds with the distribution of results that tensor cores have.
  void multiplyAdd(Value stage, int64_t inner,
                   SmallVectorImpl<Value> &acc) const {
    SmallVector<SmallVector<Value, 4>> rows, columns;
    for (int64_t i = 0; i < plan.blocksM * 2; ++i)
      rows.push_back(loadFour(
          stage, plan.a, code.add(code.add(firstRow, group), i * 8), inner));
    for (int64_t j = 0; j < plan.blocksN; ++j)
      for (int64_t c = 0; c < 2; ++c)
        columns.push_back(loadFour(
            stage, plan.b,
            code.add(code.add(firstColumn, code.mul(thread, 2)), j * 8 + c),
            inner));
    for (int64_t step = 0; step < 4; ++step)
      for (int64_t i = 0; i < plan.blocksM; ++i)
        for (int64_t j = 0; j < plan.blocksN; ++j)
          for (int64_t p = 0; p < 4; ++p) {
            Value &sum = acc[(i * plan.blocksN + j) * 4 + p];
            sum =
                LLVM::FMAOp::create(code.b, code.loc, rows[i * 2 + p / 2][step],
                                    columns[j * 2 + p % 2][step], sum);
          }
  }

  Code code;
  const Plan &plan;

public:
  /// Of operands, if they have 16 bits.
  Type elementType;
};

} // namespace

//===----------------------------------------------------------------------===//
// Epilogue
//===----------------------------------------------------------------------===//

namespace {

/// The tile that a block computes.
struct Tile {
  /// First row and column; sizes of the matrix.
  Value row, column, rows, columns;
  /// With `symmetric`: whether the tile is on the diagonal.
  Value onDiagonal;
};

} // namespace

/// Number of the tile's row and column of tiles, from the number of the block.
static std::pair<Value, Value> locateTile(const Code &code, const Plan &plan,
                                          Value block, Value tilesM,
                                          Value tilesN) {
  if (!plan.symmetric) {
    Value band = code.mul(tilesN, plan.schedule.getRaster());
    Value firstM = code.mul(code.div(block, band), plan.schedule.getRaster());
    Value height =
        code.min(code.sub(tilesM, firstM), code.c32(plan.schedule.getRaster()));
    Value inBand = code.rem(block, band);
    return {code.add(firstM, code.rem(inBand, height)),
            code.div(inBand, height)};
  }
  // Tiles (i, j), i ≤ j, column by column: block = j(j + 1)/2 + i. The square
  // root may be off by rounding, j by one.
  Value number = arith::SIToFPOp::create(code.b, code.loc, code.f32(),
                                         code.add(code.mul(block, 8), 1));
  Value root = code.sqrt(number);
  Value estimate = arith::FPToSIOp::create(
      code.b, code.loc, code.i32(),
      code.mul(code.sub(root, code.constant(code.f32(), 1.0)),
               code.constant(code.f32(), 0.5)));
  auto before = [&](Value j) {
    return code.div(code.mul(j, code.add(j, 1)), 2);
  };
  Value isLess = code.less(block, before(estimate));
  Value j = code.select(isLess, code.sub(estimate, 1), estimate);
  Value isMore =
      code.compare(arith::CmpIPredicate::sge, block, before(code.add(j, 1)));
  j = code.select(isMore, code.add(j, 1), j);
  return {code.sub(block, before(j)), j};
}

static void expandEpilogue(const Code &code, MatmulOp op, const Plan &plan,
                           const Prologue &prologue, unsigned firstNumber,
                           unsigned firstConstant, unsigned firstStride,
                           const Tile &tile, Value shared) {
  auto work = cast<WorkOpInterface>(op.getOperation());
  unsigned numScalars = op.getScalars().size();
  unsigned firstTile = firstNumber + numScalars + 2;
  unsigned firstOut = firstTile + op.getTiles().size();
  unsigned firstSum = firstOut + op.getOuts().size();

  SmallVector<Value> fixed;
  for (size_t i = 0; i < op.getConstants().size(); ++i)
    fixed.push_back(prologue.wordF64(firstConstant + i));
  for (unsigned i = 0; i < numScalars; ++i)
    fixed.push_back(prologue.number(firstNumber + i));

  Value tid = code.threadId();
  int64_t width = plan.width, perRow = plan.n / width;
  int64_t rounds = plan.m * plan.n / (plan.threads * width);
  Elements results{code, code.f32(), width};
  auto inTile = [&](Value row, Value column) {
    Value index = code.add(code.mul(row, plan.pitch), column);
    return code.at(shared, code.to64(code.mul(index, 4)));
  };
  /// Address of (row, column) of the matrix in operand number `index`.
  auto inMatrix = [&](unsigned index, unsigned stride, Type type, Value row,
                      Value column) {
    Value element = code.add(code.mul(code.to64(row), prologue.word64(stride)),
                             code.to64(column));
    return code.at(prologue.address(index),
                   code.mul(element, type.getIntOrFloatBitWidth() / 8));
  };
  auto isInside = [&](Value row, Value column) {
    return code.both(code.less(row, tile.rows),
                     code.less(column, tile.columns));
  };

  SmallVector<Value> zeros(op.getSums().size(), code.constant(code.f64(), 0.0));
  SmallVector<Value> sums = code.loop(
      code.c32(0), code.c32(rounds), code.c32(1), zeros,
      [&](Value round, ValueRange partial) -> SmallVector<Value> {
        Value index = code.add(tid, code.mul(round, plan.threads));
        Value row = code.div(index, perRow);
        Value column = code.mul(code.rem(index, perRow), width);
        Value globalRow = code.add(tile.row, row);
        Value globalColumn = code.add(tile.column, column);
        auto compute = [&](const Code &in) -> SmallVector<Value> {
          SmallVector<Value, 4> acc =
              Elements{in, in.f32(), width}.load(inTile(row, column));
          SmallVector<SmallVector<Value, 4>> tiles;
          for (auto [i, value] : llvm::enumerate(op.getTiles())) {
            Type type = getMatrices(value.getType())->elementType;
            tiles.push_back(Elements{in, type, width}.load(
                inMatrix(firstTile + i, firstStride + i, type, globalRow,
                         globalColumn)));
          }
          SmallVector<SmallVector<Value, 4>> outs(op.getOuts().size());
          SmallVector<Value> next(partial);
          for (int64_t e = 0; e < width; ++e) {
            SmallVector<Value> arguments = {acc[e]};
            llvm::append_range(arguments, fixed);
            for (const auto &elements : tiles)
              arguments.push_back(elements[e]);
            Value onDiagonal = in.equal(globalRow, in.add(globalColumn, e));
            SmallVector<Value> values =
                inlineElement(in, work, arguments, onDiagonal);
            for (auto [i, out] : llvm::enumerate(outs))
              out.push_back(values[i]);
            for (auto [i, sum] : llvm::enumerate(next))
              sum = in.add(sum, values[outs.size() + i]);
          }
          auto storeAll = [&] {
            for (auto [i, value] : llvm::enumerate(op.getOuts())) {
              Type type = getMatrices(value.getType())->elementType;
              Elements{in, type, width}.store(
                  outs[i],
                  inMatrix(firstOut + i, firstStride + op.getTiles().size() + i,
                           type, globalRow, globalColumn));
            }
          };
          if (!plan.symmetric) {
            storeAll();
            return next;
          }
          // For the other triangle, as it is stored.
          SmallVector<Value, 4> stored;
          for (Value value : outs.front())
            stored.push_back(
                value.getType().isF32()
                    ? value
                    : arith::ExtFOp::create(in.b, in.loc, in.f32(), value)
                          .getResult());
          results.store(stored, inTile(row, column));
          Value isOff = arith::XOrIOp::create(
              in.b, in.loc, tile.onDiagonal,
              arith::ConstantIntOp::create(in.b, in.loc, 1, 1));
          in.ifThen(isOff, storeAll);
          return next;
        };
        if (!plan.masked)
          return compute(code);
        auto ifOp =
            scf::IfOp::create(code.b, code.loc, ValueRange(partial).getTypes(),
                              isInside(globalRow, globalColumn),
                              /*addThenBlock=*/true,
                              /*addElseBlock=*/true);
        OpBuilder::InsertionGuard guard(code.b);
        code.b.setInsertionPointToEnd(&ifOp.getThenRegion().front());
        scf::YieldOp::create(code.b, code.loc, compute(code));
        code.b.setInsertionPointToEnd(&ifOp.getElseRegion().front());
        scf::YieldOp::create(code.b, code.loc, partial);
        return SmallVector<Value>(ifOp.getResults());
      });

  if (!sums.empty()) {
    Value scratch = shared;
    for (auto [i, sum] : llvm::enumerate(sums)) {
      // The tile of results, or what the last sum used, is read no more.
      code.barrier();
      Value total = sumOverBlock(code, sum, scratch, plan.threads);
      Value place = code.at(prologue.address(firstSum + i),
                            code.mul(code.to64(prologue.block), 8));
      code.ifThen(code.equal(tid, 0),
                  [&, total = total] { code.store(total, place, 8); });
    }
  }
  if (!plan.symmetric)
    return;

  // Row r, column c of the mirrored tile is row c, column r of the tile. On the
  // diagonal the upper triangle is mirrored only.
  code.barrier();
  Type type = getMatrices(op.getOuts().front().getType())->elementType;
  unsigned stride = firstStride + op.getTiles().size();
  code.loop(
      code.c32(0), code.c32(rounds), code.c32(1), {},
      [&](Value round, ValueRange) -> SmallVector<Value> {
        Value index = code.add(tid, code.mul(round, plan.threads));
        Value row, column;
        if (width == 4) {
          // 8 rows and 16 columns for each warp: whole sectors, few conflicts.
          Value part = code.div(index, 32), lane = code.rem(index, 32);
          row = code.add(code.mul(code.rem(part, plan.n / 8), 8),
                         code.rem(lane, 8));
          column = code.add(code.mul(code.div(part, plan.n / 8), 16),
                            code.mul(code.div(lane, 8), 4));
        } else {
          row = code.div(index, plan.m);
          column = code.rem(index, plan.m);
        }
        Value globalRow = code.add(tile.column, row);
        Value globalColumn = code.add(tile.row, column);
        auto mirror = [&] {
          SmallVector<Value, 4> parts;
          for (int64_t e = 0; e < width; ++e) {
            Value c = code.add(column, e);
            Value keeps =
                code.both(tile.onDiagonal,
                          code.compare(arith::CmpIPredicate::sle, row, c));
            Value value = code.load(
                code.f32(),
                inTile(code.select(keeps, row, c), code.select(keeps, c, row)),
                4);
            parts.push_back(type.isF32() ? value
                                         : arith::TruncFOp::create(
                                               code.b, code.loc, type, value)
                                               .getResult());
          }
          Elements{code, type, width}.store(
              parts, inMatrix(firstOut, stride, type, globalRow, globalColumn));
        };
        if (plan.masked)
          code.ifThen(isInside(globalRow, globalColumn), mirror);
        else
          mirror();
        return {};
      });
}

//===----------------------------------------------------------------------===//
// Kernel
//===----------------------------------------------------------------------===//

void muon_gpu::expandMatmul(MatmulOp op, bool hasCondition,
                            ::mlir::gpu::GPUFuncOp kernel, StringRef table) {
  Plan plan(op);
  OpBuilder b = OpBuilder::atBlockBegin(&kernel.getBody().front());
  Code code(b, op.getLoc());

  SmallVector<Type> numbers(hasCondition, code.i1());
  for (Value value : op.getScalars())
    numbers.push_back(cast<MemRefType>(value.getType()).getElementType());
  unsigned firstConstant = kNumWords;
  unsigned firstStride = firstConstant + op.getConstants().size();
  unsigned numWords = firstStride + op.getTiles().size() + op.getOuts().size();
  unsigned numOperands = numbers.size() + 2 + op.getTiles().size() +
                         op.getOuts().size() + op.getSums().size();
  Prologue prologue(code, kernel, table, numWords, numbers, numOperands,
                    plan.threads);

  auto body = [&] {
    Value M = prologue.word32(kM), N = prologue.word32(kN),
          K = prologue.word32(kK);
    auto [tileM, tileN] =
        locateTile(code, plan, prologue.block, prologue.word32(kTilesM),
                   prologue.word32(kTilesN));
    Tile tile{code.mul(tileM, plan.m), code.mul(tileN, plan.n), M, N, {}};
    if (plan.symmetric)
      tile.onDiagonal = code.equal(tileM, tileN);

    // All of it is dynamic: static shared memory ends at 48 KiB.
    Value shared = ::mlir::LLVM::AddressOfOp::create(
        b, code.loc, code.pointer(kSharedSpace), "muon_shared");
    unsigned first = numbers.size();
    Copies copiesA(code, plan, plan.a, prologue.address(first),
                   prologue.word32(kLhsStride), tile.row, M, K);
    Copies copiesB(code, plan, plan.b, prologue.address(first + 1),
                   prologue.word32(kRhsStride), tile.column, N, K);
    auto stageAt = [&](Value stage) {
      return code.at(shared, code.to64(code.mul(stage, plan.stageBytes())));
    };
    auto issue = [&](Value slice, Value stage) {
      copiesA.issue(slice, stage);
      copiesB.issue(slice, stage);
    };
    auto commit = [&] { NVVM::CpAsyncCommitGroupOp::create(b, code.loc); };
    auto wait = [&](int64_t groups) {
      NVVM::CpAsyncWaitGroupOp::create(b, code.loc, groups);
    };

    Value slices = code.div(code.add(K, plan.k - 1), plan.k);
    for (int64_t s = 0; s < plan.stages - 1; ++s) {
      auto start = [&] { issue(code.c32(s), stageAt(code.c32(s))); };
      if (s == 0)
        start();
      else
        code.ifThen(code.less(code.c32(s), slices), start);
      commit();
    }
    Multiply multiply(code, plan);
    multiply.elementType =
        cast<MemRefType>(op.getLhs().getType()).getElementType();
    SmallVector<Value> init(plan.blocksM * plan.blocksN * 4,
                            code.constant(code.f32(), 0.0));
    // The stage to read, and the one to write.
    init.push_back(code.c32(0));
    init.push_back(code.c32(plan.stages - 1));
    auto advance = [&](Value stage) {
      Value next = code.add(stage, 1);
      return code.select(code.equal(next, plan.stages), code.c32(0), next);
    };
    SmallVector<Value> done =
        code.loop(code.c32(0), slices, code.c32(1), init,
                  [&](Value slice, ValueRange state) {
                    Value readStage = state[state.size() - 2],
                          writeStage = state.back();
                    wait(plan.stages - 2);
                    // The slice is there for all threads, and all are done with
                    // the one whose place the next takes.
                    code.barrier();
                    Value next = code.add(slice, plan.stages - 1);
                    code.ifThen(code.less(next, slices),
                                [&] { issue(next, stageAt(writeStage)); });
                    commit();
                    SmallVector<Value> acc =
                        multiply.slice(stageAt(readStage), state.drop_back(2));
                    acc.push_back(advance(readStage));
                    acc.push_back(advance(writeStage));
                    return acc;
                  });
    wait(0);
    code.barrier();

    for (int64_t i = 0; i < plan.blocksM; ++i)
      for (int64_t j = 0; j < plan.blocksN; ++j)
        for (int64_t half = 0; half < 2; ++half) {
          Value row = code.add(code.add(multiply.firstRow, multiply.group),
                               i * 16 + half * 8);
          Value column = code.add(
              code.add(multiply.firstColumn, code.mul(multiply.thread, 2)),
              j * 8);
          Value index = code.add(code.mul(row, plan.pitch), column);
          Value pair = code.vector(ArrayRef<Value>(done).slice(
              (i * plan.blocksN + j) * 4 + half * 2, 2));
          code.store(pair, code.at(shared, code.to64(code.mul(index, 4))), 8);
        }
    code.barrier();
    expandEpilogue(code, op, plan, prologue, hasCondition, firstConstant,
                   firstStride, tile, shared);
  };
  if (hasCondition)
    code.ifThen(prologue.number(0), body);
  else
    body();
  b.setInsertionPointToEnd(&kernel.getBody().front());
  ::mlir::gpu::ReturnOp::create(b, code.loc);
}

ProblemRecord muon_gpu::getRecord(MatmulOp op, Value condition,
                                  function_ref<OperandRef(Value)> locate) {
  Plan plan(op);
  int64_t tilesM = llvm::divideCeil(op.getM(), plan.m);
  int64_t tilesN = llvm::divideCeil(op.getN(), plan.n);
  int64_t tiles = plan.symmetric ? tilesM * (tilesM + 1) / 2 : tilesM * tilesN;
  auto stride = [](Value value) {
    return getMatrices(value.getType())->rowStride;
  };
  ProblemRecord record;
  record.blocks = tiles * op.getBatch();
  record.words = {tiles,
                  op.getM(),
                  op.getN(),
                  op.getK(),
                  stride(op.getLhs()),
                  stride(op.getRhs()),
                  tilesM,
                  tilesN};
  for (double value : op.getConstants())
    record.words.push_back(getWord(value));
  if (condition)
    record.operands.push_back(locate(condition));
  for (Value value : op.getScalars())
    record.operands.push_back(locate(value));
  for (Value value : {op.getLhs(), op.getRhs()})
    record.operands.push_back(locate(value));
  for (ValueRange group : {ValueRange(op.getTiles()), ValueRange(op.getOuts())})
    for (Value value : group) {
      record.words.push_back(stride(value));
      record.operands.push_back(locate(value));
    }
  // One partial sum for each tile.
  for (Value value : op.getSums()) {
    OperandRef ref = locate(value);
    ref.stride *= tiles;
    record.operands.push_back(ref);
  }
  return record;
}
