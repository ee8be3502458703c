//===- Arguments.cpp - Arguments of a kernel ------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arguments.h"

#include "../../Runtime/Text.h"
#include "../Numbers.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <unistd.h>

using namespace muon;
using namespace muon::ptxsim;

std::string Argument::elementName(uint64_t index) const {
  std::vector<int64_t> indices(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    indices[i] = int64_t(index % uint64_t(shape[i]));
    index /= uint64_t(shape[i]);
  }
  return quote(name) + (shape.empty() ? "" : shapeText(indices));
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

namespace {

/// A scalar type of PTX. Its name is a letter or two and the number of bits.
struct ScalarType {
  enum class Kind { Unsigned, Signed, Float, BFloat };
  Kind kind = Kind::Unsigned;
  unsigned bits = 0;
  /// `b32`: takes part in no check but that of the size.
  bool untyped = false;

  bool isFloat() const { return kind == Kind::Float || kind == Kind::BFloat; }
};

std::optional<ScalarType> parseScalarType(std::string_view name) {
  ScalarType type;
  size_t letters = name.substr(0, 2) == "bf" ? 2 : 1;
  if (name.size() <= letters)
    return std::nullopt;
  std::string_view bits = name.substr(letters);
  type.bits = bits == "8"    ? 8
              : bits == "16" ? 16
              : bits == "32" ? 32
              : bits == "64" ? 64
                             : 0;
  if (letters == 2)
    type.kind = ScalarType::Kind::BFloat;
  else if (name[0] == 'f')
    type.kind = ScalarType::Kind::Float;
  else if (name[0] == 's')
    type.kind = ScalarType::Kind::Signed;
  else if (name[0] == 'b')
    type.untyped = true;
  else if (name[0] != 'u')
    return std::nullopt;
  bool exists = letters == 2     ? type.bits == 16
                : type.isFloat() ? type.bits >= 16
                                 : type.bits != 0;
  if (!exists)
    return std::nullopt;
  return type;
}

/// The whole text must be a number, `0x` before it for base 16.
template <class T>
bool parseInteger(std::string_view text, T &number) {
  int base = 10;
  if (text.substr(0, 2) == "0x" || text.substr(0, 2) == "0X") {
    base = 16;
    text.remove_prefix(2);
    // from_chars would take a sign here.
    if (!text.empty() && text[0] == '-')
      return false;
  }
  const char *end = text.data() + text.size();
  auto [rest, code] = std::from_chars(text.data(), end, number, base);
  return code == std::errc() && rest == end;
}

template <class T>
bool parseFloat(std::string_view text, T &number) {
  const char *end = text.data() + text.size();
  auto [rest, code] = std::from_chars(text.data(), end, number);
  return code == std::errc() && rest == end;
}

template <class T>
void append(std::vector<uint8_t> &bytes, T value, size_t size = sizeof(T)) {
  uint8_t raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  bytes.insert(bytes.end(), raw, raw + size);
}

template <class T>
T load(const void *from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

} // namespace

/// Null bytes if the text is no value of the type.
static std::vector<uint8_t> parseValue(const ScalarType &type,
                                       const std::string &text) {
  std::vector<uint8_t> bytes;
  switch (type.kind) {
  case ScalarType::Kind::Unsigned: {
    uint64_t value = 0;
    if (parseInteger(text, value) &&
        (type.bits == 64 || value >> type.bits == 0))
      append(bytes, value, type.bits / 8);
    return bytes;
  }
  case ScalarType::Kind::Signed: {
    int64_t value = 0;
    int64_t most = std::numeric_limits<int64_t>::max() >> (64 - type.bits);
    if (parseInteger(text, value) && value >= -most - 1 && value <= most)
      append(bytes, value, type.bits / 8);
    return bytes;
  }
  case ScalarType::Kind::Float:
  case ScalarType::Kind::BFloat:
    break;
  }
  if (type.bits == 32) {
    float value = 0;
    if (parseFloat(text, value))
      append(bytes, value);
    return bytes;
  }
  double value = 0;
  if (!parseFloat(text, value))
    return bytes;
  if (type.bits == 64) {
    append(bytes, value);
    return bytes;
  }
  bool isBF16 = type.kind == ScalarType::Kind::BFloat;
  uint16_t narrow = isBF16 ? toBF16(value, Rounding::Nearest)
                           : toF16(value, Rounding::Nearest);
  // Out of range, as from_chars has it for the wider ones.
  if (std::isfinite(value) &&
      !std::isfinite(isBF16 ? fromBF16(narrow) : fromF16(narrow)))
    return bytes;
  append(bytes, narrow);
  return bytes;
}

std::string muon::ptxsim::valueText(DType dtype, const void *element) {
  unsigned size = dtypeBits(dtype) / 8;
  uint64_t bits = 0;
  std::memcpy(&bits, element, std::min<size_t>(size, sizeof(bits)));
  std::string hex(2 * size, '0');
  for (unsigned i = 0; i < 2 * size; ++i)
    hex[2 * size - 1 - i] = "0123456789abcdef"[bits >> (4 * i) & 15];
  hex = "0x" + hex;
  std::string text;
  switch (dtype) {
  case DType::F64: {
    char digits[64];
    std::snprintf(digits, sizeof(digits), "%.17g", load<double>(element));
    text = digits;
    break;
  }
  case DType::F32:
    text = numberText(load<float>(element));
    break;
  case DType::F16:
    text = numberText(fromF16(uint16_t(bits)));
    break;
  case DType::BF16:
    text = numberText(fromBF16(uint16_t(bits)));
    break;
  case DType::I8:
    text = std::to_string(int8_t(bits));
    break;
  case DType::I16:
    text = std::to_string(int16_t(bits));
    break;
  case DType::I32:
    text = std::to_string(int32_t(bits));
    break;
  case DType::I64:
    text = std::to_string(int64_t(bits));
    break;
  case DType::Bool:
  case DType::U8:
  case DType::U16:
  case DType::U32:
  case DType::U64:
    text = std::to_string(bits);
    break;
  default:
    return hex;
  }
  return text + " (" + hex + ")";
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

static std::string bytesText(uint64_t bytes) {
  return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

/// Type and size of a parameter, for messages.
static std::string parameterText(const ParameterInfo &parameter) {
  return "." + parameter.type + " of " + bytesText(parameter.size);
}

bool ArgumentReader::read(const std::vector<std::string> &specs,
                          const KernelInfo &kernel) {
  if (specs.size() != kernel.parameters.size())
    return fail("kernel " + quote(kernel.name) + ": expected " +
                std::to_string(kernel.parameters.size()) +
                (kernel.parameters.size() == 1 ? " argument" : " arguments") +
                ", found " + std::to_string(specs.size()) + "; see --list");
  for (size_t i = 0; i < specs.size(); ++i) {
    const ParameterInfo &parameter = kernel.parameters[i];
    Argument &argument = arguments.emplace_back();
    if (!readOne(specs[i], parameter, argument))
      return fail("--arg " + quote(specs[i]) + ", for parameter " +
                  std::to_string(i) + " " + quote(parameter.name) + ": " +
                  error);
  }
  return checkOutputs() && checkMemory();
}

bool ArgumentReader::readOne(const std::string &spec,
                             const ParameterInfo &parameter,
                             Argument &argument) {
  size_t colon = spec.find(':');
  std::string tag = spec.substr(0, colon);
  std::string rest = colon == std::string::npos ? "" : spec.substr(colon + 1);
  if (colon == std::string::npos)
    return fail("expected TYPE:VALUE, bytes:, in:, inout:, out: or zero:");
  if (tag == "bytes")
    return readBytes(rest, parameter, argument);
  if (tag == "in")
    argument.kind = Argument::Kind::In;
  else if (tag == "inout")
    argument.kind = Argument::Kind::InOut;
  else if (tag == "out")
    argument.kind = Argument::Kind::Out;
  else if (tag == "zero")
    argument.kind = Argument::Kind::Zero;
  else
    return readValue(tag, rest, parameter, argument);

  std::optional<ScalarType> type = parseScalarType(parameter.type);
  if (parameter.size != 8 || !type || type->bits != 64 || type->isFloat())
    return fail("expected an address to be an integer of 8 bytes, found " +
                parameterText(parameter));
  return tag == "in" || tag == "inout" ? readFileTensor(rest, argument)
                                       : readNewTensor(rest, argument);
}

bool ArgumentReader::readValue(const std::string &name, const std::string &text,
                               const ParameterInfo &parameter,
                               Argument &argument) {
  std::optional<ScalarType> type = parseScalarType(name);
  if (!type)
    return fail("unknown type " + quote(name));
  std::optional<ScalarType> wanted = parseScalarType(parameter.type);
  bool fits = type->bits / 8 == parameter.size && wanted;
  // An array of bytes may be as long as a number.
  if (fits && wanted->bits != type->bits)
    fits = wanted->untyped;
  else if (fits && !type->untyped && !wanted->untyped)
    fits = type->isFloat() ? type->kind == wanted->kind : !wanted->isFloat();
  if (!fits)
    return fail("expected " + parameterText(parameter) + ", found " + name);
  argument.bytes = parseValue(*type, text);
  if (argument.bytes.empty())
    return fail("expected a value of type " + name + ", found " + quote(text));
  return true;
}

bool ArgumentReader::readBytes(const std::string &text,
                               const ParameterInfo &parameter,
                               Argument &argument) {
  auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9')
      return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (text.size() != 2 * uint64_t(parameter.size))
    return fail("expected two hexadecimal digits for each of " +
                bytesText(parameter.size) + ", found " +
                std::to_string(text.size()) + " characters");
  for (size_t i = 0; i < text.size(); i += 2) {
    int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0)
      return fail("expected two hexadecimal digits, found " +
                  quote(text.substr(i, 2)));
    argument.bytes.push_back(uint8_t(high * 16 + low));
  }
  return true;
}

bool ArgumentReader::readFileTensor(const std::string &text,
                                    Argument &argument) {
  // Names of tensors have no '#', paths may.
  size_t hash = text.rfind('#');
  if (hash == std::string::npos || hash == 0)
    return fail("expected FILE#TENSOR, found " + quote(text));
  std::string path = text.substr(0, hash);
  argument.name = text.substr(hash + 1);
  std::unique_ptr<SafetensorsFile> &file = files[path];
  if (!file && !(file = SafetensorsFile::open(path, error)))
    return false;
  argument.file = file.get();
  argument.source = file->find(argument.name);
  if (!argument.source)
    return fail(path + ": tensor " + quote(argument.name) + " is missing");
  argument.dtype = argument.source->dtype;
  argument.shape = argument.source->shape;
  argument.tensorBytes = argument.source->bytes();
  if (dtypeBits(argument.dtype) % 8)
    return fail(path + ": tensor " + quote(argument.name) +
                ": expected elements of whole bytes, found " +
                dtypeName(argument.dtype));
  return true;
}

bool ArgumentReader::readNewTensor(const std::string &text,
                                   Argument &argument) {
  auto wrong = [&] {
    return fail("expected NAME=DTYPE[SHAPE], as y=F32[128,64], found " +
                quote(text));
  };
  // Names may have an '=', what follows has none.
  size_t equals = text.rfind('=');
  size_t bracket = text.find('[', equals == std::string::npos ? 0 : equals);
  if (equals == std::string::npos || !equals || bracket == std::string::npos ||
      text.back() != ']')
    return wrong();
  argument.name = text.substr(0, equals);
  std::string type = text.substr(equals + 1, bracket - equals - 1);
  std::optional<DType> dtype = parseDType(type);
  if (!dtype || dtypeBits(*dtype) % 8)
    return fail("expected a type of safetensors of whole bytes, found " +
                quote(type));
  argument.dtype = *dtype;
  std::string_view dims =
      std::string_view(text).substr(bracket + 1, text.size() - bracket - 2);
  while (!dims.empty()) {
    size_t comma = dims.find(',');
    int64_t dim = 0;
    if (argument.shape.size() == SafetensorsFile::maxRank ||
        !parseInteger(dims.substr(0, comma), dim) || dim < 0)
      return wrong();
    argument.shape.push_back(dim);
    if (comma == std::string_view::npos)
      break;
    dims.remove_prefix(comma + 1);
    if (dims.empty())
      return wrong();
  }
  std::optional<uint64_t> bytes = tensorBytes(argument.dtype, argument.shape);
  if (!bytes)
    return fail("the size of " + type + " " + shapeText(argument.shape) +
                " overflows");
  argument.tensorBytes = *bytes;
  return true;
}

bool ArgumentReader::checkOutputs() {
  std::set<std::string> names;
  for (const Argument &argument : arguments) {
    if (!argument.isOutput())
      continue;
    if (argument.name == "__metadata__")
      return fail("no tensor can be called '__metadata__'");
    if (!names.insert(argument.name).second)
      return fail("two outputs are called " + quote(argument.name));
  }
  return true;
}

/// Memory that the system has promised but does not have ends the process
/// without a word.
bool ArgumentReader::checkMemory() {
  uint64_t total = 0;
  // Data and shadow, and copies of the results of two seeds.
  constexpr uint64_t copies = 4;
  for (const Argument &argument : arguments)
    if (__builtin_add_overflow(total, argument.tensorBytes, &total))
      total = UINT64_MAX;
  uint64_t memory =
      uint64_t(::sysconf(_SC_PHYS_PAGES)) * uint64_t(::sysconf(_SC_PAGESIZE));
  if (total > memory / copies)
    return fail("tensors of " + bytesText(total) +
                " are too large: simulating them takes " +
                std::to_string(copies) + " times as much, the machine has " +
                bytesText(memory));
  return true;
}
