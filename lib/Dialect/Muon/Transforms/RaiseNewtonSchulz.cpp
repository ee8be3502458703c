//===- RaiseNewtonSchulz.cpp - Newton–Schulz iterations from linalg -------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatrixPolynomial.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "muon-mlir/Dialect/Muon/IR/MuonOps.h"
#include "muon-mlir/Dialect/Muon/IterationCost.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

namespace mlir::muon {
#define GEN_PASS_DEF_RAISEPASS
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h.inc"
} // namespace mlir::muon

using namespace mlir;
using namespace mlir::muon;
using Form = MatrixPolynomial::Form;

/// Of A = X·Xᵀ in a step of the iteration.
static constexpr int64_t kMostDegree = 2;

static constexpr StringLiteral
    kHigherPower("makes a polynomial of a higher degree than aX + (bA + cA²)X");

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

namespace {

/// The value of tensors and scalars whose elements are all one known number.
class Constants {
public:
  std::optional<double> get(Value value) {
    auto [it, isNew] = known.try_emplace(value);
    if (isNew) {
      std::optional<double> found = compute(value);
      // The map may have grown.
      known[value] = found;
      return found;
    }
    return it->second;
  }

private:
  std::optional<double> compute(Value value);
  std::optional<double> computeLinalg(linalg::LinalgOp op, unsigned result);
  static std::optional<double> getElement(Value tensor,
                                          ArrayRef<int64_t> indices);

  DenseMap<Value, std::optional<double>> known;
};

} // namespace

static double toDouble(APFloat number) {
  bool ignored;
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &ignored);
  return number.convertToDouble();
}

static std::optional<double> toDouble(Attribute attr) {
  if (auto number = dyn_cast_or_null<FloatAttr>(attr))
    return number.getValueAsDouble();
  auto elements = dyn_cast_or_null<DenseFPElementsAttr>(attr);
  if (!elements || !(elements.isSplat() || elements.getNumElements() == 1))
    return std::nullopt;
  return toDouble(*elements.value_begin<APFloat>());
}

/// An element of a constant.
std::optional<double> Constants::getElement(Value tensor,
                                            ArrayRef<int64_t> indices) {
  DenseFPElementsAttr elements;
  if (!matchPattern(tensor, m_Constant(&elements)))
    return std::nullopt;
  ArrayRef<int64_t> shape = elements.getType().getShape();
  if (shape.size() != indices.size())
    return std::nullopt;
  for (auto [index, size] : llvm::zip_equal(indices, shape))
    if (index < 0 || index >= size)
      return std::nullopt;
  SmallVector<uint64_t> place(indices);
  return toDouble(elements.getValues<APFloat>()[place]);
}

/// What an operation on scalars makes of constants, rounded as it does.
static std::optional<double> evaluate(Operation &op, ArrayRef<double> values) {
  if (op.getNumResults() != 1)
    return std::nullopt;
  auto type = dyn_cast<FloatType>(getElementTypeOrSelf(op.getResult(0)));
  if (!type)
    return std::nullopt;
  std::optional<double> exact =
      llvm::TypeSwitch<Operation *, std::optional<double>>(&op)
          .Case<arith::AddFOp>([&](auto) { return values[0] + values[1]; })
          .Case<arith::SubFOp>([&](auto) { return values[0] - values[1]; })
          .Case<arith::MulFOp>([&](auto) { return values[0] * values[1]; })
          .Case<arith::DivFOp>([&](auto) { return values[0] / values[1]; })
          .Case<arith::NegFOp>([&](auto) { return -values[0]; })
          .Case<arith::ExtFOp, arith::TruncFOp>([&](auto) { return values[0]; })
          .Default([](auto) { return std::nullopt; });
  if (!exact)
    return std::nullopt;
  APFloat number(*exact);
  bool ignored;
  number.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                 &ignored);
  return toDouble(number);
}

/// Of a linalg operation on constants.
std::optional<double> Constants::computeLinalg(linalg::LinalgOp op,
                                               unsigned result) {
  if (op.getNumReductionLoops() != 0)
    return std::nullopt;
  DenseMap<Value, double> inner;
  Block *body = op.getBlock();
  auto find = [&](Value value) -> std::optional<double> {
    if (auto found = inner.find(value); found != inner.end())
      return found->second;
    auto argument = dyn_cast<BlockArgument>(value);
    if (argument && argument.getOwner() == body) {
      // The old value of an output says nothing.
      OpOperand &operand = op->getOpOperand(argument.getArgNumber());
      return op.isDpsInput(&operand) ? get(operand.get()) : std::nullopt;
    }
    return get(value);
  };
  for (Operation &step : body->without_terminator()) {
    SmallVector<double> values;
    for (Value operand : step.getOperands())
      if (std::optional<double> number = find(operand))
        values.push_back(*number);
    // Others are constants or elements of them, or not known.
    if (values.empty() || values.size() != step.getNumOperands())
      continue;
    if (std::optional<double> number = evaluate(step, values))
      inner[step.getResult(0)] = *number;
  }
  return find(body->getTerminator()->getOperand(result));
}

std::optional<double> Constants::compute(Value value) {
  if (!isa<FloatType>(getElementTypeOrSelf(value.getType())))
    return std::nullopt;
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (Attribute attr; matchPattern(value, m_Constant(&attr)))
    return toDouble(attr);
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return computeLinalg(linalgOp, cast<OpResult>(value).getResultNumber());
  if (auto shape = dyn_cast<tensor::CollapseShapeOp>(op))
    return get(shape.getSrc());
  if (auto shape = dyn_cast<tensor::ExpandShapeOp>(op))
    return get(shape.getSrc());
  if (auto splat = dyn_cast<tensor::SplatOp>(op))
    return get(splat.getInput());
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    if (std::optional<double> all = get(slice.getSource()))
      return all;
    if (!slice.getResultType().hasStaticShape() ||
        slice.getResultType().getNumElements() != 1 ||
        ShapedType::isDynamicShape(slice.getStaticOffsets()))
      return std::nullopt;
    return getElement(slice.getSource(), slice.getStaticOffsets());
  }
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    if (std::optional<double> all = get(extract.getTensor()))
      return all;
    SmallVector<int64_t> indices;
    for (Value index : extract.getIndices()) {
      std::optional<int64_t> number = getConstantIntValue(index);
      if (!number)
        return std::nullopt;
      indices.push_back(*number);
    }
    return getElement(extract.getTensor(), indices);
  }
  SmallVector<double> values;
  for (Value operand : op->getOperands()) {
    std::optional<double> number = get(operand);
    if (!number)
      return std::nullopt;
    values.push_back(*number);
  }
  return values.empty() ? std::nullopt : evaluate(*op, values);
}

//===----------------------------------------------------------------------===//
// One step
//===----------------------------------------------------------------------===//

/// Whether `type` is a matrix or a batch of them.
static bool isMatrix(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && (tensor.getRank() == 2 || tensor.getRank() == 3) &&
         isa<FloatType>(tensor.getElementType());
}

/// Whether muon.orthogonalize takes it too.
static bool isSupported(RankedTensorType type) {
  Type element = type.getElementType();
  return type.hasStaticShape() && type.getNumElements() != 0 &&
         (element.isF32() || element.isBF16() || element.isF16());
}

/// Swaps the last two of `loops` dimensions, of which there are at least two.
static AffineMap getSwap(unsigned loops, MLIRContext *context) {
  SmallVector<unsigned> order = llvm::to_vector(llvm::seq<unsigned>(0, loops));
  std::swap(order[loops - 1], order[loops - 2]);
  return AffineMap::getPermutationMap(order, context);
}

/// Whether a contraction adds up the plain products of its two inputs.
static bool isSumOfProducts(linalg::LinalgOp op) {
  auto skipCasts = [](Value value) {
    while (Operation *cast = value.getDefiningOp()) {
      if (!isa<arith::ExtFOp, arith::TruncFOp>(cast))
        break;
      value = cast->getOperand(0);
    }
    return value;
  };
  Block *body = op.getBlock();
  auto sum = skipCasts(body->getTerminator()->getOperand(0))
                 .getDefiningOp<arith::AddFOp>();
  if (!sum || body->getNumArguments() != 3)
    return false;
  Value lhs = skipCasts(sum.getLhs()), rhs = skipCasts(sum.getRhs());
  if (rhs == body->getArgument(2))
    std::swap(lhs, rhs);
  auto product = rhs.getDefiningOp<arith::MulFOp>();
  if (lhs != body->getArgument(2) || !product)
    return false;
  Value a = skipCasts(product.getLhs()), b = skipCasts(product.getRhs());
  if (a == body->getArgument(1))
    std::swap(a, b);
  return a == body->getArgument(0) && b == body->getArgument(1);
}

namespace {

/// What values are in terms of one of them.
class Analysis {
public:
  Analysis(Value base, Constants &constants)
      : base(base), constants(constants) {
    values.insert({base, MatrixPolynomial::getBase()});
    roots[base] = base;
  }

  /// Looks at everything after the base in its block.
  void run();

  const llvm::MapVector<Value, MatrixPolynomial> &getValues() const {
    return values;
  }
  /// What comes out of the step, if there is one: the last sum or product of
  /// the form aX + (bA + cA²)X. All that follows are multiples of it, and
  /// matrices of the next step.
  Value getResult() const;
  /// Of `result` and what differs from it in its type only.
  SmallVector<Value> getSame(Value result) const;
  /// An operation that needs a matrix between the base and `result` for a
  /// higher power, or null. Then `result` is a part of another polynomial.
  Operation *getHigherPower(Value result) const;
  /// The operation at which nothing more was known of A·X, if there is one, and
  /// why.
  Operation *getStop() const { return stop; }
  StringRef getReason() const { return reason; }
  bool hasGram() const { return isGram; }

private:
  struct Term {
    std::optional<MatrixPolynomial> matrix;
    std::optional<double> number;
    /// What the matrix is a multiple or the transpose of, null for the sum or
    /// the product of two.
    Value root;
  };

  const MatrixPolynomial *find(Value value) const {
    auto found = values.find(value);
    return found == values.end() ? nullptr : &found->second;
  }
  Term getTerm(Value value) const {
    return Term{*find(value), std::nullopt, roots.lookup(value)};
  }
  void set(Value value, const Term &term, Operation *op);
  void stopAt(Operation *op, StringRef why) {
    if (!stop) {
      stop = op;
      reason = why;
    }
  }
  void visit(Operation &op);
  void visitElementwise(linalg::LinalgOp op);
  void visitProduct(linalg::LinalgOp op);
  std::optional<Term> getInput(linalg::LinalgOp op, OpOperand &operand);
  std::optional<Term> combine(Operation &op, ArrayRef<Term> terms,
                              Operation &whole);

  Value base;
  Constants &constants;
  llvm::MapVector<Value, MatrixPolynomial> values;
  DenseMap<Value, Value> roots;
  SmallVector<Operation *> higherPowers;
  Operation *stop = nullptr;
  StringRef reason;
  bool isGram = false;
};

} // namespace

void Analysis::set(Value value, const Term &term, Operation *op) {
  if (!term.matrix)
    return;
  const MatrixPolynomial &polynomial = *term.matrix;
  if (polynomial.getDegree() > kMostDegree) {
    higherPowers.push_back(op);
    return stopAt(op, kHigherPower);
  }
  bool isSquare =
      polynomial.getForm() == Form::Left || polynomial.getForm() == Form::Right;
  isGram |= isSquare && polynomial.getDegree() > 0;
  values.insert({value, polynomial});
  roots[value] = term.root ? term.root : value;
}

void Analysis::run() {
  Block *block = base.getParentBlock();
  Operation *first = base.getDefiningOp();
  auto begin = first && first->getBlock() == block
                   ? std::next(first->getIterator())
                   : block->begin();
  for (Operation &op : llvm::make_range(begin, block->end()))
    if (llvm::any_of(op.getOperands(), [&](Value v) { return find(v); }))
      visit(op);
}

void Analysis::visit(Operation &op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    if (linalg::isaContractionOpInterface(linalgOp))
      visitProduct(linalgOp);
    else if (linalgOp.getNumReductionLoops() == 0)
      visitElementwise(linalgOp);
    return;
  }
  // A batch of one.
  Value source;
  if (auto shape = dyn_cast<tensor::ExpandShapeOp>(op))
    source = shape.getSrc();
  else if (auto shape = dyn_cast<tensor::CollapseShapeOp>(op))
    source = shape.getSrc();
  if (source) {
    Value result = op.getResult(0);
    if (isMatrix(result.getType()) &&
        cast<ShapedType>(source.getType()).hasStaticShape() &&
        cast<ShapedType>(source.getType()).getShape().take_back(2) ==
            cast<ShapedType>(result.getType()).getShape().take_back(2))
      set(result, getTerm(source), &op);
    return;
  }
  // Arithmetic on whole tensors.
  if (op.getNumResults() != 1 || !isMatrix(op.getResult(0).getType()))
    return;
  SmallVector<Term> terms;
  for (Value operand : op.getOperands()) {
    terms.push_back(find(operand)
                        ? getTerm(operand)
                        : Term{std::nullopt, constants.get(operand), Value()});
  }
  if (std::optional<Term> result = combine(op, terms, op))
    set(op.getResult(0), *result, &op);
}

/// What an operation on elements makes of matrices and constants; none if that
/// is no matrix that we know. A number stands for a matrix of that number.
/// `whole` is the operation on tensors that `op` is, or is a part of.
std::optional<Analysis::Term>
Analysis::combine(Operation &op, ArrayRef<Term> terms, Operation &whole) {
  if (llvm::all_of(terms, [](const Term &t) { return t.number.has_value(); })) {
    SmallVector<double> numbers;
    for (const Term &term : terms)
      numbers.push_back(*term.number);
    if (std::optional<double> number = evaluate(op, numbers))
      return Term{std::nullopt, number, Value()};
    return std::nullopt;
  }
  auto isMatrixAt = [&](unsigned i) { return terms[i].matrix.has_value(); };
  auto isNumberAt = [&](unsigned i) { return terms[i].number.has_value(); };
  auto fail = [&](StringRef why) -> std::optional<Term> {
    stopAt(&whole, why);
    return std::nullopt;
  };
  auto scaled = [&](unsigned i, double factor) {
    Term term = terms[i];
    term.matrix = term.matrix->scaled(factor);
    return term;
  };
  if (isa<arith::ExtFOp, arith::TruncFOp>(op) && isMatrixAt(0))
    return terms[0];
  if (isa<arith::NegFOp>(op) && isMatrixAt(0))
    return scaled(0, -1.0);
  if (isa<arith::AddFOp, arith::SubFOp>(op)) {
    if (!isMatrixAt(0) || !isMatrixAt(1))
      return fail("adds something that is no polynomial in X");
    double sign = isa<arith::SubFOp>(op) ? -1.0 : 1.0;
    std::optional<MatrixPolynomial> sum =
        terms[0].matrix->plus(terms[1].matrix->scaled(sign));
    return sum ? std::optional<Term>(Term{sum, std::nullopt, Value()})
               : std::nullopt;
  }
  if (isa<arith::MulFOp>(op)) {
    for (unsigned i : {0, 1})
      if (isMatrixAt(i) && isNumberAt(1 - i))
        return scaled(i, *terms[1 - i].number);
    if (isMatrixAt(0) && isMatrixAt(1))
      return fail("multiplies elements, not matrices");
    return fail("has a coefficient that is no constant");
  }
  if (isa<arith::DivFOp>(op)) {
    if (isMatrixAt(0) && isNumberAt(1))
      return scaled(0, 1.0 / *terms[1].number);
    return fail("has a coefficient that is no constant");
  }
  return std::nullopt;
}

/// An input of an elementwise operation as its elements see it.
std::optional<Analysis::Term> Analysis::getInput(linalg::LinalgOp op,
                                                 OpOperand &operand) {
  if (std::optional<double> number = constants.get(operand.get()))
    return Term{std::nullopt, number, Value()};
  if (!find(operand.get()))
    return Term{};
  AffineMap map = op.getMatchingIndexingMap(&operand),
            outMap = op.getIndexingMapsArray().back();
  AffineMap swap = getSwap(op.getNumLoops(), op.getContext());
  if (!map.isIdentity() && map != swap)
    return std::nullopt;
  Term term = getTerm(operand.get());
  if (map != outMap)
    term.matrix = term.matrix->transposed();
  return term;
}

void Analysis::visitElementwise(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  if (op->getNumResults() == 0 || op.getNumLoops() < 2)
    return;
  AffineMap outMap = op.getIndexingMapsArray().back();
  if (!outMap.isIdentity() &&
      outMap != getSwap(op.getNumLoops(), op.getContext()))
    return;
  for (OpOperand &init : op.getDpsInitsMutable())
    if (op.getMatchingIndexingMap(&init) != outMap)
      return;
  DenseMap<Value, Term> inner;
  // The old value of an output says nothing.
  for (OpOperand *operand : op.getDpsInputOperands())
    if (std::optional<Term> term = getInput(op, *operand))
      inner[op.getMatchingBlockArgument(operand)] = *term;
  auto get = [&](Value value) {
    if (auto found = inner.find(value); found != inner.end())
      return found->second;
    return Term{std::nullopt, constants.get(value), Value()};
  };
  for (Operation &step : body->without_terminator()) {
    if (step.getNumResults() != 1)
      return;
    SmallVector<Term> terms;
    for (Value operand : step.getOperands())
      terms.push_back(get(operand));
    if (terms.empty())
      continue;
    // Of what has no matrix in it nothing is to be said.
    bool hasMatrix = llvm::any_of(
        terms, [](const Term &term) { return term.matrix.has_value(); });
    bool isConstant = llvm::all_of(
        terms, [](const Term &term) { return term.number.has_value(); });
    if (!hasMatrix && !isConstant)
      continue;
    if (std::optional<Term> result = combine(step, terms, *op))
      inner[step.getResult(0)] = *result;
  }
  for (auto [result, yielded] :
       llvm::zip_equal(op->getResults(), body->getTerminator()->getOperands()))
    if (isMatrix(result.getType()))
      set(result, get(yielded), op);
}

void Analysis::visitProduct(linalg::LinalgOp op) {
  if (op.getNumReductionLoops() != 1 || op->getNumResults() != 1 ||
      op.getNumDpsInputs() != 2 || !isMatrix(op->getResult(0).getType()))
    return;
  const MatrixPolynomial *inputs[] = {find(op.getDpsInputOperand(0)->get()),
                                      find(op.getDpsInputOperand(1)->get())};
  if (!inputs[0] || !inputs[1])
    return stopAt(op, "multiplies by a matrix that is no polynomial in X");
  if (!isSumOfProducts(op))
    return stopAt(op, "is no plain sum of products");
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  unsigned rank = maps[2].getNumResults();
  SmallVector<unsigned> reduced;
  op.getReductionDims(reduced);
  auto getDim = [](AffineMap map, unsigned result) {
    return map.getResult(result);
  };
  AffineExpr inner = getAffineDimExpr(reduced.front(), op.getContext());
  for (AffineMap map : maps) {
    if (!map.isProjectedPermutation() || map.getNumResults() != rank)
      return;
    // Batches go along.
    if (rank == 3 && getDim(map, 0) != getDim(maps[2], 0))
      return;
  }
  // lhs (m×k), rhs (k×n), result (m×n), each of them maybe transposed.
  bool lhsTransposed = getDim(maps[0], rank - 2) == inner;
  bool rhsTransposed = getDim(maps[1], rank - 1) == inner;
  AffineExpr rows = getDim(maps[0], lhsTransposed ? rank - 1 : rank - 2);
  bool isTransposed = getDim(maps[2], rank - 2) != rows;
  MatrixPolynomial lhs = lhsTransposed ? inputs[0]->transposed() : *inputs[0];
  MatrixPolynomial rhs = rhsTransposed ? inputs[1]->transposed() : *inputs[1];
  std::optional<MatrixPolynomial> product = lhs.times(rhs);
  if (!product)
    return;
  if (isTransposed)
    product = product->transposed();
  // What the sum starts with.
  Value init = op.getDpsInits()[0];
  if (const MatrixPolynomial *addend = find(init))
    product = product->plus(*addend);
  else if (constants.get(init) != 0.0)
    return stopAt(op, "adds something that is no polynomial in X");
  set(op->getResult(0), Term{product, std::nullopt, Value()}, op);
}

Value Analysis::getResult() const {
  Value result;
  for (const auto &[value, polynomial] : values)
    if (polynomial.getForm() == Form::Base && polynomial.getDegree() > 0 &&
        roots.lookup(value) == value)
      result = value;
  return result;
}

SmallVector<Value> Analysis::getSame(Value result) const {
  const MatrixPolynomial &expected = *find(result);
  SmallVector<Value> same;
  for (const auto &[value, polynomial] : values) {
    bool isEqual = roots.lookup(value) == result &&
                   polynomial.getForm() == expected.getForm();
    for (int64_t k = 0; k <= kMostDegree; ++k)
      isEqual &= polynomial.getCoefficient(k) == expected.getCoefficient(k);
    if (isEqual)
      same.push_back(value);
  }
  return same;
}

Operation *Analysis::getHigherPower(Value result) const {
  for (Operation *op : higherPowers)
    for (Value operand : op->getOperands()) {
      const MatrixPolynomial *polynomial = find(operand);
      // The next step starts with products of the result.
      if (polynomial && polynomial->getDegree() > 0 &&
          roots.lookup(operand) != result)
        return op;
    }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Chains of steps
//===----------------------------------------------------------------------===//

namespace {

/// A step from `from` to `to`, or `count` of them.
struct Step {
  Value from, to;
  StepCoefficients coefficients;
  int64_t count = 1;
  /// `to`, and casts of it.
  SmallVector<Value> same = {};
};

struct RaisePass : public muon::impl::RaisePassBase<RaisePass> {
  using Base::Base;

  void runOnOperation() override {
    // Inner blocks first: loops are steps of what is around them.
    SmallVector<Block *> blocks;
    getOperation()->walk<WalkOrder::PostOrder>([&](Operation *op) {
      if (isa<linalg::LinalgOp>(op))
        return;
      for (Region &region : op->getRegions())
        for (Block &block : region)
          blocks.push_back(&block);
    });
    for (Block *block : blocks)
      raise(*block);
    for (auto &[op, reason] : refused)
      if (!erased.contains(op))
        remark::missed(op->getLoc(), getOptions()) << reason;
    for (Operation *op : graveyard)
      op->destroy();
    graveyard.clear();
    erased.clear();
    refused.clear();
    bodies.clear();
  }

private:
  remark::RemarkOpts getOptions() {
    return remark::RemarkOpts::name("NewtonSchulz").category(getArgument());
  }

  std::optional<Step> findStep(Value base);
  std::optional<Step> findLoop(scf::ForOp loop, unsigned index);
  void raise(Block &block);
  void replace(ArrayRef<Step> chain);
  void eraseDead(Operation *op);
  void simplify(scf::ForOp loop, unsigned index);
  /// Once for an operation, and only if it stays.
  void refuse(Operation *op, std::string reason) {
    refused.insert({op, std::move(reason)});
  }

  /// Of the loops whose bodies were looked at.
  DenseMap<Value, Step> bodies;
  llvm::MapVector<Operation *, std::string> refused;
  /// Taken out of their blocks, and destroyed at the end: steps that are not
  /// looked at yet may name their results.
  SmallVector<Operation *> graveyard;
  /// These, and what is in their regions.
  DenseSet<Operation *> erased;
};

} // namespace

static std::string toText(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// Whether a product has `base`, or what is as good as it, for an operand.
static bool isMultiplied(Value base) {
  SmallVector<Value> work = {base};
  for (size_t i = 0; i < work.size() && i < 16; ++i)
    for (Operation *user : work[i].getUsers()) {
      auto linalgOp = dyn_cast<linalg::LinalgOp>(user);
      if (linalgOp && linalg::isaContractionOpInterface(linalgOp))
        return true;
      // Through a transpose, a multiple, a change of type, or of shape.
      if (user->getNumResults() == 1 && isMatrix(user->getResult(0).getType()))
        work.push_back(user->getResult(0));
    }
  return false;
}

std::optional<Step> RaisePass::findStep(Value base) {
  if (!isMatrix(base.getType()) || !isMultiplied(base))
    return std::nullopt;
  Constants constants;
  Analysis analysis(base, constants);
  analysis.run();
  Value result = analysis.getResult();
  const MatrixPolynomial *found =
      result ? &analysis.getValues().find(result)->second : nullptr;
  StringRef reason = analysis.getReason();
  Operation *stop = analysis.getStop();
  Operation *higher = found ? analysis.getHigherPower(result) : nullptr;
  if (higher) {
    stop = higher;
    reason = kHigherPower;
  } else if (found && !stop) {
    stop = result.getDefiningOp();
    reason = "has no aX";
  }
  // Without aX there is nothing to converge.
  if (!found || higher || found->getCoefficient(0) == 0.0) {
    if (analysis.hasGram() && stop)
      refuse(stop, ("no Newton–Schulz step, though a matrix is multiplied by "
                    "its transpose: " +
                    reason)
                       .str());
    return std::nullopt;
  }
  const MatrixPolynomial &polynomial = *found;
  Step step = {base,
               result,
               {polynomial.getCoefficient(0), polynomial.getCoefficient(1),
                polynomial.getCoefficient(2)},
               /*count=*/1,
               analysis.getSame(result)};
  auto shape = cast<RankedTensorType>(base.getType()),
       other = cast<RankedTensorType>(result.getType());
  if (!isSupported(shape) || !isSupported(other) ||
      shape.getShape() != other.getShape() ||
      (shape.getElementType() != other.getElementType() &&
       !other.getElementType().isF32()) ||
      !llvm::all_of(step.coefficients,
                    [](double c) { return std::isfinite(c); })) {
    refuse(result.getDefiningOp(),
           "a Newton–Schulz step from " + toText(base.getType()) + " to " +
               toText(result.getType()) +
               " is none that muon.orthogonalize does: expected equal static "
               "shapes, elements of f32, bf16 or f16, results of the same type "
               "or f32, and finite coefficients");
    return std::nullopt;
  }
  return step;
}

/// All iterations of a loop in which a value goes through one step each.
std::optional<Step> RaisePass::findLoop(scf::ForOp loop, unsigned index) {
  auto found = bodies.find(loop.getRegionIterArgs()[index]);
  if (found == bodies.end() ||
      !llvm::is_contained(found->second.same,
                          loop.getBody()->getTerminator()->getOperand(index)))
    return std::nullopt;
  std::optional<APInt> trips = loop.getStaticTripCount();
  if (!trips || trips->getActiveBits() > 31) {
    refuse(loop, "a loop of Newton–Schulz steps: expected a constant number of "
                 "iterations");
    return std::nullopt;
  }
  if (trips->isZero())
    return std::nullopt;
  return Step{loop.getInitArgs()[index], loop.getResult(index),
              found->second.coefficients, trips->getSExtValue(),
              /*same=*/{loop.getResult(index)}};
}

void RaisePass::raise(Block &block) {
  // By their beginnings, in order.
  llvm::MapVector<Value, Step> steps;
  auto add = [&](std::optional<Step> step) {
    if (step)
      steps.insert({step->from, *step});
  };
  for (BlockArgument argument : block.getArguments())
    add(findStep(argument));
  for (Operation &op : block) {
    if (auto loop = dyn_cast<scf::ForOp>(op))
      for (unsigned i = 0, e = loop.getNumResults(); i < e; ++i)
        add(findLoop(loop, i));
    for (Value result : op.getResults())
      add(findStep(result));
  }
  // A value that others are polynomials in need not be where the steps begin:
  // the transpose of X is as good. The last one is, but for what a step ends
  // with, and what a loop carries, whatever type they are turned to before the
  // products.
  DenseMap<Value, Value> beginnings;
  DenseSet<Value> preferred;
  auto around = dyn_cast<scf::ForOp>(block.getParentOp());
  for (auto &[from, step] : steps) {
    preferred.insert(step.to);
    auto argument = dyn_cast<BlockArgument>(from);
    if (around && argument && argument.getOwner() == &block &&
        argument.getArgNumber() > 0 &&
        llvm::is_contained(step.same, block.getTerminator()->getOperand(
                                          argument.getArgNumber() - 1)))
      preferred.insert(from);
  }
  for (auto &[from, step] : steps) {
    Value &beginning = beginnings[step.to];
    if (!beginning || !preferred.contains(beginning))
      beginning = from;
  }
  llvm::SmallPtrSet<Value, 8> inner;
  for (auto [to, from] : beginnings)
    if (steps.count(to))
      inner.insert(to);
  bool isBody = isa<scf::ForOp>(block.getParentOp());
  for (auto &[from, first] : steps) {
    if (beginnings[first.to] != from || inner.contains(from) ||
        erased.contains(first.to.getDefiningOp()))
      continue;
    SmallVector<Step> chain = {first};
    while (true) {
      auto next = steps.find(chain.back().to);
      if (next == steps.end() || beginnings[next->second.to] != next->first)
        break;
      chain.push_back(next->second);
    }
    // One step of a loop is not replaced here, but all of them after it.
    auto argument = dyn_cast<BlockArgument>(from);
    if (isBody && argument && argument.getOwner() == &block &&
        chain.size() == 1) {
      bodies[from] = chain.front();
      auto loop = cast<scf::ForOp>(block.getParentOp());
      if (argument.getArgNumber() > 0 &&
          findLoop(loop, argument.getArgNumber() - 1))
        continue;
      bodies.erase(from);
    }
    replace(chain);
  }
}

/// The matrix that `value` is the transpose of, or null.
static Value getTransposed(Value value) {
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  if (!op || op.getNumReductionLoops() != 0 || op.getNumDpsInputs() != 1 ||
      op->getNumResults() != 1 || op.getNumLoops() < 2)
    return {};
  Block *body = op.getBlock();
  auto yielded = dyn_cast<BlockArgument>(body->getTerminator()->getOperand(0));
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  // Either map may be the one that is permuted.
  unsigned loops = op.getNumLoops();
  AffineMap swapped = getSwap(loops, op.getContext());
  bool isTransposed = (maps[0] == swapped && maps[1].isIdentity()) ||
                      (maps[1] == swapped && maps[0].isIdentity());
  return yielded && yielded.getOwner() == body && yielded.getArgNumber() == 0 &&
                 isTransposed
             ? op.getDpsInputOperand(0)->get()
             : Value();
}

/// Erases `op` and what only it needed.
void RaisePass::eraseDead(Operation *op) {
  SmallVector<Operation *> work = {op};
  while (!work.empty()) {
    Operation *next = work.pop_back_val();
    if (!isOpTriviallyDead(next))
      continue;
    SmallVector<Operation *> sources;
    for (Value operand : next->getOperands())
      if (Operation *source = operand.getDefiningOp();
          source && !llvm::is_contained(sources, source))
        sources.push_back(source);
    llvm::erase(work, next);
    next->walk([&](Operation *inner) { erased.insert(inner); });
    next->remove();
    next->dropAllReferences();
    graveyard.push_back(next);
    llvm::append_range(work, sources);
  }
}

/// Takes the steps out of a loop that stays for what else it carries, unless
/// that needs them.
void RaisePass::simplify(scf::ForOp loop, unsigned index) {
  BlockArgument argument = loop.getRegionIterArgs()[index];
  Operation *yield = loop.getBody()->getTerminator();
  llvm::SetVector<Operation *> slice;
  SmallVector<Value> work = {argument};
  while (!work.empty())
    for (OpOperand &use : work.pop_back_val().getUses()) {
      Operation *user = use.getOwner();
      if (user == yield && use.getOperandNumber() == index)
        continue;
      if (user == yield || user->getBlock() != yield->getBlock() ||
          !isMemoryEffectFree(user))
        return;
      if (slice.insert(user))
        llvm::append_range(work, user->getResults());
    }
  // Canonicalization removes what goes through as it is.
  Operation *last = yield->getOperand(index).getDefiningOp();
  yield->setOperand(index, argument);
  if (last)
    eraseDead(last);
}

void RaisePass::replace(ArrayRef<Step> chain) {
  Value x = chain.front().from, result = chain.back().to;
  OpBuilder builder(result.getContext());
  builder.setInsertionPointAfterValue(result);
  Location loc = result.getLoc();
  SmallVector<double> literal;
  int64_t steps = 0;
  bool isUniform = true;
  for (const Step &step : chain) {
    for (int64_t i = 0; i < step.count && literal.size() < 3 * 1000; ++i)
      llvm::append_range(literal, step.coefficients);
    steps += step.count;
    isUniform &= step.coefficients == chain.front().coefficients;
  }
  if (steps > 100) {
    refuse(result.getDefiningOp(),
           std::to_string(steps) +
               " Newton–Schulz steps, expected at most 100");
    return;
  }
  // The last entry of a schedule repeats.
  if (isUniform)
    literal.resize(3);

  // The iteration commutes with transposition.
  llvm::SetVector<Operation *> transposes;
  Value outer = getTransposed(x);
  for (Operation *user : result.getUsers())
    if (user->getNumResults() == 1 && outer &&
        getTransposed(user->getResult(0)) == result)
      transposes.insert(user);
  bool isTransposed =
      outer && isMatrix(outer.getType()) &&
      transposes.size() == static_cast<size_t>(std::distance(
                               result.use_begin(), result.use_end())) &&
      !transposes.empty();
  if (isTransposed)
    x = outer;

  auto type = cast<RankedTensorType>(x.getType());
  bool isBatch = type.getRank() == 3;
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<ReassociationIndices> groups = {{0, 1}, {2}};
  if (!isBatch) {
    shape.insert(shape.begin(), 1);
    x = tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(shape, type.getElementType()), x,
        groups);
  }
  Type element = cast<ShapedType>(result.getType()).getElementType();
  Value out = tensor::EmptyOp::create(builder, loc, shape, element);
  Value o = OrthogonalizeOp::create(
                builder, loc, x, ValueRange(), out,
                ScheduleAttr::get(&getContext(), "",
                                  builder.getDenseF64ArrayAttr(literal)),
                builder.getI64IntegerAttr(steps),
                IterationAttr::get(&getContext(), Iteration::Auto),
                DenseI64ArrayAttr(), SideAttr::get(&getContext(), Side::Auto),
                ComputeAttr::get(&getContext(), Compute::Auto), GroupAttr())
                .getResult(0);
  if (!isBatch)
    o = tensor::CollapseShapeOp::create(
        builder, loc, RankedTensorType::get(type.getShape(), element), o,
        groups);
  Operation *last = result.getDefiningOp();
  if (isTransposed) {
    for (Operation *transpose : transposes) {
      transpose->getResult(0).replaceAllUsesWith(o);
      eraseDead(transpose);
    }
  } else {
    result.replaceAllUsesWith(o);
    eraseDead(last);
  }
  for (const Step &step : chain)
    if (auto loop = step.to.getDefiningOp<scf::ForOp>();
        loop && step.to.use_empty() && !erased.contains(loop))
      simplify(loop, cast<OpResult>(step.to).getResultNumber());
  ++numRaised;
  remark::passed(loc, getOptions())
      << std::to_string(steps) + " Newton–Schulz steps on " + toText(type) +
             (isTransposed ? ", without the transposes around them" : "");
}
