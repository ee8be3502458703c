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
#include "llvm/ADT/TypeSwitch.h"
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
