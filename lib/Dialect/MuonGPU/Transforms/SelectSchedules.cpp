//===- SelectSchedules.cpp - Choose tiles, warps and stages -----*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "muon-mlir/Dialect/MuonGPU/IR/MuonGPU.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h"
#include "muon-mlir/Dialect/MuonGPU/Transforms/Schedules.h"

namespace mlir::muon_gpu {
#define GEN_PASS_DEF_SELECTSCHEDULESPASS
#include "muon-mlir/Dialect/MuonGPU/Transforms/Passes.h.inc"
} // namespace mlir::muon_gpu

using namespace mlir;
using namespace mlir::muon_gpu;

/// Elements of consecutive columns that one access may take.
static constexpr int64_t kWidth = 4;

/// Whether all buffers that `value` stands for start at an address that is a
/// multiple of what one access takes. The runtime checks that of whole tensors;
/// blocks of rows start somewhere inside.
static bool startsAligned(Value value, const MatrixList &list) {
  auto argument = dyn_cast<BlockArgument>(getBase(value));
  if (!argument)
    return true;
  auto function =
      dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
  auto names =
      function ? function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                      muon::MuonDialect::kNames)
               : ArrayAttr();
  if (!names)
    return true;
  return llvm::all_of(names, [&](Attribute name) {
    auto rows = dyn_cast<muon::RowsAttr>(name);
    return !rows || rows.getBegin() * list.cols % kWidth == 0;
  });
}

/// Why elements cannot be accessed `kWidth` at a time; empty if they can.
/// `byRows`: accesses stay within a row.
static std::string getWidthObjection(ValueRange values, bool byRows) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (Value value : values) {
    MatrixList list = *getMatrices(value.getType());
    bool isPadded = list.rowStride != list.cols;
    bool fits = byRows || isPadded
                    ? list.cols % kWidth == 0 && list.rowStride % kWidth == 0
                    : list.rows * list.cols % kWidth == 0;
    if (list.offset % kWidth != 0)
      os << "a part of scratch memory starts at an odd address";
    else if (!fits || list.matrixStride % kWidth != 0)
      os << value.getType() << " has no rows of a multiple of " << kWidth
         << " elements";
    else if (!startsAligned(value, list))
      os << "a block of rows of " << value.getType()
         << " starts at an odd address";
    if (!text.empty())
      break;
  }
  return text;
}

namespace {

struct SelectSchedulesPass
    : public muon_gpu::impl::SelectSchedulesPassBase<SelectSchedulesPass> {
  using Base::Base;

  void runOnOperation() override {
    std::optional<unsigned> number = parseArch(arch);
    if (!number || *number < 80) {
      getOperation()->emitError("'muon-gpu-select-schedules' expected an "
                                "architecture from sm_80 on, found '")
          << arch << "'";
      return signalPassFailure();
    }
    getOperation()->walk([&](Operation *op) {
      if (auto product = dyn_cast<MatmulOp>(op)) {
        if (!product.getSchedule())
          select(product, *number);
      } else if (auto stream = dyn_cast<StreamOp>(op)) {
        if (!stream.getSchedule())
          select(stream);
      }
    });
  }

  remark::RemarkOpts getOptions() {
    return remark::RemarkOpts::name("Schedule").category(getArgument());
  }

  void select(MatmulOp op, unsigned number) {
    ProductShape shape;
    Type type = getMatrices(op.getLhs().getType())->elementType;
    shape.arithmetic = !type.isF32()  ? Arithmetic::Half
                       : op.getTf32() ? Arithmetic::Tf32
                                      : Arithmetic::F32;
    shape.symmetric = op.getSymmetric();
    shape.m = op.getM();
    shape.n = op.getN();
    shape.k = op.getK();
    shape.batch = op.getBatch();
    const ScheduleRow &row = findSchedule(number, shape);
    bool masked =
        shape.m % row.m != 0 || shape.n % row.n != 0 || shape.k % row.k != 0;
    SmallVector<Value> elements(op.getTiles());
    llvm::append_range(elements, op.getOuts());
    std::string objection = getWidthObjection(elements, /*byRows=*/true);
    // What is added to the diagonal is no matter of a stream.
    bool asksForDiagonal =
        !op.getEpilogue().front().getOps<OnDiagonalOp>().empty();
    // Whoever has a matrix alone must not split what others do not.
    auto module = op->getParentOfType<ModuleOp>();
    bool isRank = module && module->hasAttr(muon::MuonDialect::kRank);
    int64_t split = asksForDiagonal || isRank ? 1 : getSplit(shape, row);
    op.setScheduleAttr(ScheduleAttr::get(
        op.getContext(), row.m, row.n, row.k, row.warpsM, row.warpsN,
        row.stages, row.raster, objection.empty() ? kWidth : 1, masked, split));
    std::string text;
    llvm::raw_string_ostream os(text);
    os << shape.batch << " × " << shape.m << "x" << shape.n << "x" << shape.k
       << (shape.symmetric ? ", symmetric" : "") << ": tile " << row.m << "x"
       << row.n << "x" << row.k << ", " << row.warpsM << "x" << row.warpsN
       << " warps, " << row.stages << " stages, "
       << countTiles(shape, row.m, row.n) << " tiles; " << row.reason;
    if (split != 1)
      os << "; inner dimension in " << split
         << " parts: few tiles, and long sums";
    os << (masked ? "; masked: sizes are no multiples of the tile" : "");
    remark::passed(op.getLoc(), getOptions()) << text;
    if (!objection.empty())
      remark::missed(op.getLoc(), getOptions())
          << "epilogue element by element: " << objection;
  }

  void select(StreamOp op) {
    SmallVector<Value> elements(op.getInputs());
    llvm::append_range(elements, op.getOuts());
    std::string objection = getWidthObjection(elements, /*byRows=*/false);
    int64_t width = objection.empty() ? kWidth : 1;
    // Enough accesses under way to hide the latency of memory, whatever the
    // number of operands; chunks as on the CPU.
    int64_t unroll = op.getInputs().size() <= 2 ? 4 : 2;
    op.setScheduleAttr(StreamScheduleAttr::get(op.getContext(),
                                               /*threads=*/256, width, unroll,
                                               /*chunk=*/65536));
    if (!objection.empty())
      remark::missed(op.getLoc(), getOptions())
          << "element by element: " << objection;
  }
};

} // namespace
