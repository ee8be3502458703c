//===- SelectIteration.cpp - Choose side, iteration and precision -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Remarks.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/IterationCost.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "llvm/Support/FormatVariadic.h"

namespace mlir::muon {
#define GEN_PASS_DEF_SELECTITERATIONPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;

namespace {

struct SelectIterationPass
    : public muon::impl::SelectIterationPassBase<SelectIterationPass> {
  using Base::Base;

  void runOnOperation() override {
    std::optional<Compute> chosen = symbolizeCompute(compute);
    if (!chosen || *chosen == Compute::Auto) {
      getOperation()->emitError("'muon-select-iteration' expected a precision, "
                                "f32, tf32, bf16 or f16, found '")
          << compute << "'";
      return signalPassFailure();
    }
    getOperation()->walk([&](Operation *op) {
      if (auto update = dyn_cast<UpdateOp>(op)) {
        ParameterShape shape =
            *getParameterShape(update.getWeight().front().getType());
        int64_t rows = shape.rows(), cols = shape.cols();
        if (std::optional<ExchangeAttr> exchange = update.getExchange()) {
          rows = exchange->getShape()[0];
          cols = exchange->getShape()[1];
          if (exchange->getStrategy() == StrategyKind::DistributedGram)
            fixGram(update, *exchange);
        }
        select(update, rows, cols, *chosen,
               Twine(compute.getValue()) +
                   " products: the default of this target");
      }
      if (auto iteration = dyn_cast<OrthogonalizeOp>(op)) {
        auto type = cast<ShapedType>(iteration.getX().front().getType());
        Type element = type.getElementType();
        Compute compute = element.isBF16()  ? Compute::BF16
                          : element.isF16() ? Compute::F16
                                            : Compute::F32;
        select(iteration, type.getDimSize(1), type.getDimSize(2), compute,
               "products in the type of x");
      }
    });
  }

  /// Where ranks have parts of X, the side that is not split and the Gram
  /// iteration are all that works.
  static void fixGram(UpdateOp update, ExchangeAttr exchange) {
    bool splitsRows = !exchange.getSharding().getSplitAxes()[0].empty();
    update.setSide(splitsRows ? Side::Right : Side::Left);
    update.setIteration(Iteration::Gram);
  }

  template <typename OpT>
  void select(OpT op, int64_t rows, int64_t cols, Compute compute,
              const Twine &whyCompute) {
    auto remark = [&](StringRef name) {
      return remark::passed(
          op.getLoc(),
          remark::RemarkOpts::name(name).category("muon-select-iteration"));
    };
    int64_t m = std::min(rows, cols), n = std::max(rows, cols);

    if (op.getSide() == Side::Auto) {
      Side side = rows <= cols ? Side::Left : Side::Right;
      op.setSide(side);
      std::string reason =
          rows == cols
              ? llvm::formatv("side {0}: the matrix is square",
                              stringifySide(side))
                    .str()
              : llvm::formatv(
                    "side {0}: the Gram matrix is {1}x{1}, not {2}x{2}",
                    stringifySide(side), m, n)
                    .str();
      remark("Side") << reason;
    }
    if (op.getCompute() == Compute::Auto) {
      op.setCompute(compute);
      remark("Compute") << whyCompute.str();
    }
    compute = op.getCompute();

    SmallVector<StepCoefficients> coefficients;
    for (int64_t step = 0, e = op.getSteps(); step < e; ++step)
      coefficients.push_back(op.getSchedule().getCoefficients(step));
    std::string reason = "as written";
    if (op.getIteration() == Iteration::Auto) {
      // Restarts without an iteration are those it would have.
      IterationChoice choice =
          chooseIteration(m, n, coefficients, compute, op.getRestarts());
      reason = choice.reason;
      op.setIteration(choice.iteration);
      if (choice.iteration == Iteration::Direct)
        op.removeRestartsAttr();
      else if (!op.getRestarts())
        op.setRestarts(choice.restarts);
    } else if (op.getIteration() == Iteration::Gram && !op.getRestarts()) {
      op.setRestarts(chooseRestarts(coefficients, compute));
    }

    std::string what = stringifyIteration(op.getIteration()).str();
    if (op.getIteration() == Iteration::Gram) {
      what += " with restarts " + formatRestarts(*op.getRestarts());
      warnOfError(op, coefficients, compute);
      ++numGram;
    } else {
      ++numDirect;
    }
    remark("Iteration") << (what + ": " + reason);
    op->setAttr(MuonDialect::kWhy,
                StringAttr::get(&getContext(), what + ": " + reason));
  }

  /// A Gram iteration that loses more than the direct one would.
  template <typename OpT>
  void warnOfError(OpT op, ArrayRef<StepCoefficients> coefficients,
                   Compute compute) {
    double error = getExpectedGramError(
        coefficients, getSegments(op.getSteps(), *op.getRestarts()), compute);
    if (compute != Compute::BF16 && error <= getAcceptableGramError(compute))
      return;
    emitWarning(op.getLoc())
        << "'iteration' gram in " << stringifyCompute(compute)
        << " with restarts " << formatRestarts(*op.getRestarts())
        << " adds a relative error of about "
        << llvm::formatv("{0:e0}", error).str() << " on decaying spectra";
  }
};

} // namespace
