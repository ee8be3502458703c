//===- Compare.cpp - Comparing tensors ------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Compare.h"

#include "../Text.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace muon;

template <typename T>
static T load(const void *data, uint64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char *>(data) + index * sizeof(T),
              sizeof(T));
  return value;
}

static double fromBF16(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

static double fromF16(uint16_t bits) {
  double sign = bits >> 15 ? -1.0 : 1.0;
  int exponent = bits >> 10 & 31;
  int fraction = bits & 1023;
  if (exponent == 31)
    return fraction ? std::numeric_limits<double>::quiet_NaN()
                    : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0)
    return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

bool muon::isComparable(DType dtype) {
  return dtype == DType::F32 || dtype == DType::BF16 || dtype == DType::F16 ||
         dtype == DType::F64 || dtype == DType::I64;
}

double muon::toDouble(DType dtype, const void *data, uint64_t index) {
  switch (dtype) {
  case DType::F32:
    return load<float>(data, index);
  case DType::BF16:
    return fromBF16(load<uint16_t>(data, index));
  case DType::F16:
    return fromF16(load<uint16_t>(data, index));
  case DType::F64:
    return load<double>(data, index);
  case DType::I64:
    return static_cast<double>(load<int64_t>(data, index));
  default:
    return std::numeric_limits<double>::quiet_NaN();
  }
}

static std::string elementText(const std::string &name,
                               const std::vector<int64_t> &shape,
                               uint64_t index) {
  std::vector<int64_t> indices(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    indices[i] = int64_t(index % uint64_t(shape[i]));
    index /= uint64_t(shape[i]);
  }
  return quote(name) + (shape.empty() ? "" : shapeText(indices));
}

void Comparison::compare(const std::string &name,
                         const std::vector<int64_t> &shape, uint64_t elements,
                         DType foundType, const void *found, DType expectedType,
                         const void *expected) {
  bool isInteger = foundType == DType::I64;
  uint64_t bad = 0;
  uint64_t worstIndex = 0;
  bool isWorst = false;
  for (uint64_t i = 0; i < elements; ++i) {
    double a = toDouble(foundType, found, i);
    double b = toDouble(expectedType, expected, i);
    double ratio = std::numeric_limits<double>::infinity();
    if (a == b) {
      ratio = 0;
    } else if (std::isfinite(a) && std::isfinite(b)) {
      double difference = std::fabs(a - b);
      double allowed = isInteger ? 0 : atol + rtol * std::fabs(b);
      // A tiny quotient may round to 1 although the difference is too large.
      ratio = difference / allowed;
      if (difference > allowed && !(ratio > 1))
        ratio = std::nextafter(1.0, 2.0);
    }
    bad += ratio > 1;
    if (ratio > worstRatio) {
      worstRatio = ratio;
      worstFound = a;
      worstExpected = b;
      worstIndex = i;
      isWorst = true;
    }
  }
  if (isWorst)
    worstElement = elementText(name, shape, worstIndex);
  ++tensors;
  allElements += elements;
  badElements += bad;
  badTensors += bad != 0;
}

std::string Comparison::summary() const {
  std::string text;
  if (matches()) {
    text = std::to_string(tensors) + " tensors match";
    if (worstRatio > 0)
      text += "; closest to the limit: " + worstElement;
  } else {
    text = worstElement;
  }
  if (worstRatio > 0)
    text += " is " + numberText(worstFound) + ", expected " +
            numberText(worstExpected) + " (difference " +
            numberText(std::fabs(worstFound - worstExpected)) + ")";
  if (!matches())
    text += "; " + std::to_string(badElements) + " of " +
            std::to_string(allElements) + " elements, in " +
            std::to_string(badTensors) + " of " + std::to_string(tensors) +
            " tensors, are out of tolerance";
  return text;
}
