//===- MuonGPUToNVVM.cpp - Make kernels and launch them ---------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernel.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/KernelKey.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Work.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::muon {
#define GEN_PASS_DEF_CONVERTMUONGPUTONVVMPASS
#include "muon-mlir/Conversion/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;
using namespace mlir::muon_gpu;

static constexpr StringLiteral kModuleName = "muon_kernels";
static constexpr StringLiteral kTableName = "muon_problems";
static constexpr StringLiteral kSharedName = "muon_shared";

/// Matrices, or numbers, by which one unit of a slice's offset moves on.
static int64_t getUnit(Type type) {
  if (auto table = dyn_cast<TableType>(type))
    return getParameterShape(table)->matricesPerMember();
  auto memref = cast<MemRefType>(type);
  if (memref.getRank() < 3)
    return 1;
  return getMatrices(memref)->matrices / memref.getDimSize(0);
}

namespace {

/// Says where operands of the work of one function are.
class Locator {
public:
  explicit Locator(func::FuncOp function) {
    int64_t slot = 0;
    for (BlockArgument argument : function.getArguments()) {
      slots[argument] = slot;
      std::optional<ParameterShape> shape =
          getParameterShape(argument.getType());
      slot += shape ? shape->members : 1;
    }
  }

  /// Fails with a message at `op`, which uses `value`.
  FailureOr<OperandRef> locate(Operation *op, Value value) const {
    OperandRef ref;
    if (std::optional<MatrixList> list = getMatrices(value.getType());
        list && !isNumber(value.getType())) {
      ref.stride =
          list->matrixStride * (list->elementType.getIntOrFloatBitWidth() / 8);
      if (isa<TableType>(value.getType()))
        ref.perMember = list->matricesPerMember;
    } else {
      auto memref = cast<MemRefType>(value.getType());
      if (memref.getRank() == 1)
        ref.stride = memref.getElementTypeBitWidth() / 8;
    }
    int64_t bytes = 0;
    /// Adds what a view starts after its source, in elements.
    auto addOffset = [&](Value view, Value source) {
      auto type = cast<MemRefType>(view.getType());
      SmallVector<int64_t> strides;
      int64_t offset = ShapedType::kDynamic, before = ShapedType::kDynamic;
      (void)type.getStridesAndOffset(strides, offset);
      (void)cast<MemRefType>(source.getType())
          .getStridesAndOffset(strides, before);
      if (ShapedType::isDynamic(offset) || ShapedType::isDynamic(before))
        return false;
      bytes += (offset - before) * (type.getElementTypeBitWidth() / 8);
      return true;
    };
    while (Operation *definition = value.getDefiningOp()) {
      if (auto slice = dyn_cast<SliceOp>(definition)) {
        int64_t unit = getUnit(slice.getSource().getType());
        if (std::optional<int64_t> offset =
                getConstantIntValue(slice.getOffset()))
          ref.shift += *offset * unit;
        else if (slice.getOffset() == getLoopOffset(op) && ref.step == 0)
          ref.step = unit;
        else
          return op->emitOpError("uses a slice whose offset is no loop's");
        value = slice.getSource();
      } else if (isa<memref::SubViewOp, memref::ReinterpretCastOp>(
                     definition)) {
        // Strides are those of the type.
        Value source = cast<ViewLikeOpInterface>(definition).getViewSource();
        if (!addOffset(value, source))
          return op->emitOpError("uses a part of memory whose offset is not "
                                 "known");
        value = source;
      } else if (auto view = dyn_cast<memref::ViewOp>(definition)) {
        std::optional<int64_t> offset =
            getConstantIntValue(view.getByteShift());
        if (!offset || !view.getSource().getDefiningOp<ArenaOp>())
          return op->emitOpError("uses memory that is not in the arena");
        ref.ref = *offset + bytes;
        return ref;
      } else {
        return op->emitOpError("uses memory of '")
               << definition->getName()
               << "', which is neither in the arena nor an argument";
      }
    }
    if (bytes != 0)
      return op->emitOpError("uses a part of an argument that does not start "
                             "with it");
    auto slot = slots.find(value);
    if (slot == slots.end())
      return op->emitOpError("uses memory that is no argument of the step");
    ref.ref = -slot->second - 1;
    return ref;
  }

  /// The offset that launches in a loop get: its induction variable.
  static Value getLoopOffset(Operation *op) {
    auto loop = op->getParentOfType<scf::ForOp>();
    return loop ? loop.getInductionVar() : Value();
  }

private:
  /// A tensor of rank one is one matrix, whose stride nobody asks for, or a
  /// list with a number for each matrix.
  static bool isNumber(Type type) {
    auto memref = dyn_cast<MemRefType>(type);
    return memref && memref.getRank() <= 1;
  }

  DenseMap<Value, int64_t> slots;
};

/// A kernel, and what all its launches in a step take together.
struct KernelInfo {
  StringAttr name, phase;
  KernelShape shape;
  StringRef arithmetic = "none";
  int64_t launches = 0, blocks = 0, flops = 0;
  Traffic traffic;

  void addLaunch(LaunchOp launch, int64_t blocks);
  Attribute toAttribute() const;
};

struct ConvertMuonGPUToNVVMPass
    : public muon::impl::ConvertMuonGPUToNVVMPassBase<
          ConvertMuonGPUToNVVMPass> {
  using Base::Base;

  void runOnOperation() override {
    // One pass may run on several modules.
    kernelIds.clear();
    kernels.clear();
    table.clear();
    usesShared = false;
    SmallVector<LaunchOp> launches;
    getOperation().walk([&](LaunchOp op) { launches.push_back(op); });
    if (launches.empty())
      return;
    OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
    module = ::mlir::gpu::GPUModuleOp::create(b, getOperation().getLoc(),
                                              kModuleName);
    for (LaunchOp launch : launches)
      if (failed(convert(launch)))
        return signalPassFailure();
    addTable();
    finish();
    SmallVector<Attribute> attributes;
    for (const KernelInfo &kernel : kernels)
      attributes.push_back(kernel.toAttribute());
    getOperation()->setAttr(MuonDialect::kKernels, b.getArrayAttr(attributes));
  }

private:
  LogicalResult convert(LaunchOp launch);
  int64_t getKernel(LaunchOp launch, Operation *op);
  int64_t addKernel(LaunchOp launch, ::mlir::gpu::GPUFuncOp kernel,
                    KernelShape shape);
  std::string makeName(LaunchOp launch) {
    StringRef phase = launch.getPhase();
    return ((phase.empty() ? StringRef("work") : phase) + "_" +
            Twine(kernels.size()))
        .str();
  }
  void addTable();
  void finish();

  ::mlir::gpu::GPUModuleOp module;
  llvm::StringMap<int64_t> kernelIds;
  SmallVector<KernelInfo> kernels;
  SmallVector<int64_t> table;
  bool usesShared = false;
};

} // namespace

/// What the products of a launch multiply.
static StringRef getArithmetic(LaunchOp launch) {
  auto product = dyn_cast<MatmulOp>(launch.getBody().front().front());
  if (!product)
    return "none";
  if (product.getTf32())
    return "tf32";
  Type type = getMatrices(product.getLhs().getType())->elementType;
  return type.isF32() ? "f32" : type.isBF16() ? "bf16" : "f16";
}

void KernelInfo::addLaunch(LaunchOp launch, int64_t launchBlocks) {
  int64_t trips = 1;
  for (Operation *op = launch; (op = op->getParentOp());)
    if (auto loop = dyn_cast<scf::ForOp>(op))
      if (std::optional<APInt> count = loop.getStaticTripCount())
        trips *= count->getSExtValue();
  arithmetic = getArithmetic(launch);
  launches += trips;
  blocks = std::max(blocks, launchBlocks);
  for (Operation &op : launch.getBody().front()) {
    if (auto product = dyn_cast<MatmulOp>(op))
      flops += trips * getTileFlops(product);
    Traffic more = getTraffic(&op);
    traffic.read += trips * more.read;
    traffic.written += trips * more.written;
  }
}

Attribute KernelInfo::toAttribute() const {
  Builder b(name.getContext());
  auto number = [&](StringRef key, int64_t value) {
    return b.getNamedAttr(key, b.getI64IntegerAttr(value));
  };
  return b.getDictionaryAttr(
      {b.getNamedAttr("name", name), b.getNamedAttr("phase", phase),
       number("threads", shape.threads), number("shared", shape.sharedBytes),
       b.getNamedAttr("arithmetic", b.getStringAttr(arithmetic)),
       number("launches", launches), number("blocks", blocks),
       number("flops", flops), number("bytes_read", traffic.read),
       number("bytes_written", traffic.written)});
}

int64_t ConvertMuonGPUToNVVMPass::addKernel(LaunchOp launch,
                                            ::mlir::gpu::GPUFuncOp kernel,
                                            KernelShape shape) {
  KernelInfo info;
  info.name = kernel.getNameAttr();
  info.phase = launch.getPhaseAttr();
  info.shape = shape;
  kernels.push_back(info);
  usesShared |= shape.sharedBytes != 0;
  return kernels.size() - 1;
}

static KernelShape getShapeOf(Operation *op) {
  if (auto product = dyn_cast<MatmulOp>(op))
    return getShape(product);
  if (auto stream = dyn_cast<StreamOp>(op))
    return getShape(stream);
  return kTriangleShape;
}

static LogicalResult check(Operation *op) {
  if (auto product = dyn_cast<MatmulOp>(op))
    return checkMatmul(product);
  if (auto stream = dyn_cast<StreamOp>(op))
    return checkStream(stream);
  return checkTriangle(op);
}

static ProblemRecord getRecordOf(Operation *op, Value condition,
                                 function_ref<OperandRef(Value)> locate) {
  if (auto product = dyn_cast<MatmulOp>(op))
    return getRecord(product, condition, locate);
  if (auto stream = dyn_cast<StreamOp>(op))
    return getRecord(stream, condition, locate);
  return getTriangleRecord(op, condition, locate);
}

int64_t ConvertMuonGPUToNVVMPass::getKernel(LaunchOp launch, Operation *op) {
  bool hasCondition = launch.getWhen() != nullptr;
  std::string key = getKernelKey(op, hasCondition);
  if (auto found = kernelIds.find(key); found != kernelIds.end())
    return found->second;
  auto product = dyn_cast<MatmulOp>(op);
  auto stream = dyn_cast<StreamOp>(op);
  KernelShape shape = getShapeOf(op);
  ::mlir::gpu::GPUFuncOp kernel =
      createKernel(module, op->getLoc(), makeName(launch), shape);
  if (product)
    expandMatmul(product, hasCondition, kernel, kTableName);
  else if (stream)
    expandStream(stream, hasCondition, kernel, kTableName);
  else
    expandTriangle(op, hasCondition, kernel, kTableName);
  int64_t id = addKernel(launch, kernel, shape);
  kernelIds[key] = id;
  return id;
}

LogicalResult ConvertMuonGPUToNVVMPass::convert(LaunchOp launch) {
  auto function = launch->getParentOfType<func::FuncOp>();
  if (!function)
    return launch.emitOpError("expected a function around it");
  Locator locator(function);
  bool isWrong = false;
  auto locate = [&](Value value) {
    FailureOr<OperandRef> ref = locator.locate(launch, value);
    isWrong |= failed(ref);
    return ref.value_or(OperandRef());
  };

  Block &body = launch.getBody().front();
  int64_t kernel, first = table.size(), blocks = 0, count = 0;
  if (muon_gpu::isBlockWork(&body.front())) {
    ::mlir::gpu::GPUFuncOp function = createKernel(
        module, launch.getLoc(), makeName(launch), kBlockWorkShape);
    if (failed(expandBlockWork(launch, function, locate)) || isWrong)
      return failure();
    kernel = addKernel(launch, function, kBlockWorkShape);
    blocks = 1;
  } else {
    SmallVector<int64_t> words;
    for (Operation &op : body) {
      if (failed(check(&op)))
        return failure();
      if (getKernelKey(&op, launch.getWhen() != nullptr) !=
          getKernelKey(&body.front(), launch.getWhen() != nullptr))
        return op.emitOpError("needs another kernel than what its launch "
                              "starts with");
      ProblemRecord record = getRecordOf(&op, launch.getWhen(), locate);
      if (isWrong)
        return failure();
      int64_t threads = getShapeOf(&op).threads;
      if (record.size() > threads || count >= threads)
        return op.emitOpError("has ")
               << (count >= threads ? "more problems beside it than its "
                                    : "a record of more words than its ")
               << threads << " threads can look through; expected more threads";
      table.push_back(blocks);
      blocks += record.blocks;
      ++count;
      llvm::append_range(words, record.words);
      for (const OperandRef &ref : record.operands)
        words.append({ref.ref, ref.shift, ref.step, ref.perMember, ref.stride});
    }
    kernel = getKernel(launch, &body.front());
    table.push_back(blocks);
    llvm::append_range(table, words);
  }
  if (blocks > std::numeric_limits<int32_t>::max())
    return launch.emitOpError("needs ")
           << blocks << " thread blocks, expected fewer than 2^31";
  if (table.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max()))
    return launch.emitOpError("does not fit into the table of problems");

  kernels[kernel].addLaunch(launch, blocks);
  OpBuilder b(launch);
  Code code(b, launch.getLoc());
  Value offset = Locator::getLoopOffset(launch);
  if (offset && !offset.getType().isIndex())
    return launch.emitOpError("expected a loop over index, found ")
           << offset.getType();
  if (offset)
    offset = arith::IndexCastOp::create(b, code.loc, code.i64(), offset);
  else
    offset = code.c64(0);
  HostCallOp::create(b, code.loc, "launch",
                     ValueRange{code.c32(kernel), code.c64(blocks), offset,
                                code.c32(first), code.c32(count)});
  launch.erase();
  return success();
}

void ConvertMuonGPUToNVVMPass::addTable() {
  OpBuilder b(module.getBody(), module.getBody()->begin());
  if (table.empty())
    table.push_back(0);
  auto type = LLVM::LLVMArrayType::get(b.getI64Type(), table.size());
  auto values = DenseElementsAttr::get(
      RankedTensorType::get({static_cast<int64_t>(table.size())},
                            b.getI64Type()),
      ArrayRef<int64_t>(table));
  LLVM::GlobalOp::create(b, module.getLoc(), type, /*isConstant=*/true,
                         LLVM::Linkage::Internal, kTableName, values,
                         /*alignment=*/16, kGlobalSpace);
  if (usesShared)
    LLVM::GlobalOp::create(
        b, module.getLoc(), LLVM::LLVMArrayType::get(b.getI8Type(), 0),
        /*isConstant=*/false, LLVM::Linkage::External, kSharedName, Attribute(),
        /*alignment=*/128, kSharedSpace);
}

void ConvertMuonGPUToNVVMPass::finish() {
  module.walk([](math::SqrtOp op) {
    OpBuilder b(op);
    op.replaceAllUsesWith(Code(b, op.getLoc()).sqrt(op.getOperand()));
    op.erase();
  });
}
