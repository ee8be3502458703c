//===- MuonAttributes.cpp - Attributes of the muon dialect -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/IR/MuonAttributes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"
#include "muon-mlir/Dialect/Muon/Schedules.h"
#include "llvm/ADT/SmallSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;
using namespace mlir::muon;

#include "muon-mlir/Dialect/Muon/IR/MuonEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "muon-mlir/Dialect/Muon/IR/MuonAttributes.cpp.inc"

void MuonDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "muon-mlir/Dialect/Muon/IR/MuonAttributes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

bool muon::isTensorRole(Role role) {
  switch (role) {
  case Role::Weight:
  case Role::Gradient:
  case Role::Momentum:
  case Role::ExpAvg:
  case Role::ExpAvgSq:
  case Role::Master:
    return true;
  default:
    return false;
  }
}

bool muon::isScalarRole(Role role) {
  return role == Role::Lr || role == Role::WeightDecay || role == Role::Beta ||
         role == Role::ClipLimit;
}

Type muon::getStorageType(MLIRContext *context, Compute compute) {
  switch (compute) {
  case Compute::BF16:
    return BFloat16Type::get(context);
  case Compute::F16:
    return Float16Type::get(context);
  case Compute::Auto:
  case Compute::F32:
  case Compute::TF32:
    return Float32Type::get(context);
  }
  llvm_unreachable("unknown precision");
}

bool muon::isSumsRole(Role role) {
  return role == Role::GradientSums || role == Role::MomentumSums ||
         role == Role::UpdateSums || role == Role::WeightSums;
}

//===----------------------------------------------------------------------===//
// ScaleAttr
//===----------------------------------------------------------------------===//

Attribute ScaleAttr::parse(AsmParser &parser, Type) {
  SMLoc loc = parser.getCurrentLocation();
  StringRef keyword;
  if (parser.parseLess() || parser.parseKeyword(&keyword))
    return {};
  std::optional<ScaleRule> rule = symbolizeScaleRule(keyword);
  if (!rule) {
    parser.emitError(loc, "expected a scale rule (none, original, "
                          "match_rms_adamw, spectral or constant), found '")
        << keyword << "'";
    return {};
  }
  double value = 1.0;
  if (*rule == ScaleRule::Constant && parser.parseFloat(value))
    return {};
  if (parser.parseGreater())
    return {};
  return parser.getChecked<ScaleAttr>(loc, parser.getContext(), *rule,
                                      APFloat(value));
}

void ScaleAttr::print(AsmPrinter &printer) const {
  printer << "<" << stringifyScaleRule(getRule());
  if (getRule() == ScaleRule::Constant) {
    printer << " ";
    printer.printFloat(getValue());
  }
  printer << ">";
}

LogicalResult ScaleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                ScaleRule rule, APFloat value) {
  if (!value.isFinite())
    return emitError() << "expected a finite constant scale, found "
                       << value.convertToDouble();
  return success();
}

double ScaleAttr::getFactor(int64_t rows, int64_t cols) const {
  double r = rows, c = cols;
  switch (getRule()) {
  case ScaleRule::None:
    return 1.0;
  case ScaleRule::Original:
    return std::sqrt(std::max(1.0, r / c));
  case ScaleRule::MatchRmsAdamW:
    return 0.2 * std::sqrt(std::max(r, c));
  case ScaleRule::Spectral:
    return std::sqrt(r / c);
  case ScaleRule::Constant:
    return getValue().convertToDouble();
  }
  llvm_unreachable("unknown scale rule");
}

//===----------------------------------------------------------------------===//
// ScheduleAttr
//===----------------------------------------------------------------------===//

Attribute ScheduleAttr::parse(AsmParser &parser, Type) {
  SMLoc loc = parser.getCurrentLocation();
  StringRef name;
  SmallVector<double> literal;
  if (parser.parseLess())
    return {};
  if (failed(parser.parseOptionalKeyword(&name))) {
    auto parseStep = [&]() -> ParseResult {
      SMLoc stepLoc = parser.getCurrentLocation();
      size_t before = literal.size();
      if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
            return parser.parseFloat(literal.emplace_back());
          }))
        return failure();
      if (literal.size() - before != 3)
        return parser.emitError(stepLoc,
                                "expected three coefficients [a, b, c], found ")
               << literal.size() - before;
      return success();
    };
    if (parser.parseCommaSeparatedList(parseStep))
      return {};
  }
  if (parser.parseGreater())
    return {};
  return parser.getChecked<ScheduleAttr>(
      loc, parser.getContext(), name,
      DenseF64ArrayAttr::get(parser.getContext(), literal));
}

void ScheduleAttr::print(AsmPrinter &printer) const {
  printer << "<" << getName();
  ArrayRef<double> all = getLiteral().asArrayRef(), rest = all;
  for (; !rest.empty(); rest = rest.drop_front(3)) {
    printer << (rest.size() == all.size() ? "[" : ", [");
    for (int i = 0; i < 3; ++i) {
      if (i)
        printer << ", ";
      printer.printFloat(APFloat(rest[i]));
    }
    printer << "]";
  }
  printer << ">";
}

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   StringRef name, DenseF64ArrayAttr literal) {
  if (name.empty() == literal.empty() || literal.size() % 3 != 0)
    return emitError() << "expected a schedule name or a list of [a, b, c]";
  if (!name.empty() && !lookupSchedule(name)) {
    InFlightDiagnostic diag = emitError();
    diag << "unknown schedule '" << name << "', expected one of ";
    llvm::interleaveComma(scheduleNames(), diag);
    return diag;
  }
  for (double value : literal.asArrayRef())
    if (!std::isfinite(value))
      return emitError() << "expected finite coefficients, found " << value;
  return success();
}

std::array<double, 3> ScheduleAttr::getCoefficients(int64_t step) const {
  if (!getName().empty()) {
    Coefficients entry = coefficientsAt(*lookupSchedule(getName()), step);
    return {entry.a, entry.b, entry.c};
  }
  ArrayRef<double> all = getLiteral().asArrayRef();
  size_t last = all.size() / 3 - 1;
  ArrayRef<double> entry = all.slice(3 * std::min<size_t>(step, last), 3);
  return {entry[0], entry[1], entry[2]};
}

//===----------------------------------------------------------------------===//
// RowsAttr
//===----------------------------------------------------------------------===//

LogicalResult RowsAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               StringAttr tensor, int64_t begin, int64_t end,
                               int64_t rows) {
  if (begin < 0 || begin >= end || end > rows)
    return emitError() << "expected 0 <= begin < end <= rows, found begin "
                       << begin << ", end " << end << ", rows " << rows;
  return success();
}

//===----------------------------------------------------------------------===//
// Attributes of distributed steps
//===----------------------------------------------------------------------===//

/// Axes of a grid: distinct and not negative. How many there are the grid
/// knows.
static LogicalResult verifyAxes(function_ref<InFlightDiagnostic()> emitError,
                                ArrayRef<DenseI64ArrayAttr> lists) {
  llvm::SmallDenseSet<int64_t> seen;
  for (DenseI64ArrayAttr list : lists)
    for (int64_t axis : list.asArrayRef())
      if (axis < 0 || !seen.insert(axis).second)
        return emitError() << "expected distinct axes of at least 0, found "
                           << axis << (axis < 0 ? "" : " twice");
  return success();
}

LogicalResult PartAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               StringAttr tensor, IntegerAttr from,
                               DenseI64ArrayAttr block,
                               DenseI64ArrayAttr offset,
                               DenseI64ArrayAttr shape) {
  if (block.size() != shape.size() || offset.size() != shape.size())
    return emitError() << "expected block, offset and shape of one rank, found "
                       << block.size() << ", " << offset.size() << " and "
                       << shape.size();
  int64_t elements = 1;
  for (auto [size, begin, dim] : llvm::zip_equal(
           block.asArrayRef(), offset.asArrayRef(), shape.asArrayRef())) {
    if (size < 1 || begin < 0 || begin > dim - size)
      return emitError() << "expected a block within the shape, found " << size
                         << " from " << begin << " on of " << dim;
    if (llvm::MulOverflow(elements, size, elements))
      return emitError() << "expected a block of less than 2^63 elements";
  }
  if (from && (!from.getType().isInteger(64) || from.getInt() < 0 ||
               from.getInt() >= elements))
    return emitError() << "expected 'from' to be a 64-bit number from 0 to "
                       << elements - 1 << ", found " << from;
  return success();
}

LogicalResult ShardingAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   ArrayRef<DenseI64ArrayAttr> splitAxes) {
  return verifyAxes(emitError, splitAxes);
}

LogicalResult
UnreducedAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                      DenseI64ArrayAttr axes, Reduction) {
  if (axes.empty())
    return emitError() << "expected at least one axis";
  return verifyAxes(emitError, axes);
}

LogicalResult GroupAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                FlatSymbolRefAttr, DenseI64ArrayAttr axes,
                                int64_t place, int64_t size) {
  if (place < 0 || place >= size)
    return emitError() << "expected 0 <= place < size, found place " << place
                       << " of " << size;
  return verifyAxes(emitError, axes);
}

LogicalResult ExchangeAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   StrategyKind strategy, GroupAttr group,
                                   ShardingAttr sharding,
                                   DenseI64ArrayAttr shape,
                                   DenseI64ArrayAttr owners) {
  if (sharding.getSplitAxes().size() != 2 || shape.size() != 2)
    return emitError() << "expected a sharding and a shape of two dimensions";
  for (int64_t size : shape.asArrayRef())
    if (size < 1)
      return emitError() << "expected positive dimensions, found " << size;
  for (DenseI64ArrayAttr list : sharding.getSplitAxes())
    for (int64_t axis : list.asArrayRef())
      if (!llvm::is_contained(group.getAxes().asArrayRef(), axis))
        return emitError() << "expected a sharding along axes of the group, "
                           << group << ", found axis " << axis;
  if ((strategy == StrategyKind::Own) == owners.empty())
    return emitError() << "expected owners with strategy own alone";
  for (int64_t owner : owners.asArrayRef())
    if (owner < 0 || owner >= group.getSize())
      return emitError() << "expected owners from 0 to " << group.getSize() - 1
                         << ", found " << owner;
  return success();
}
