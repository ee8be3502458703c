//===- FuzzSafetensors.cpp - Fuzzes the reader of safetensors files -*- C++
//-*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Mutate.h"
#include "muon-mlir/Runtime/Safetensors.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>

using namespace muon;
using nlohmann::ordered_json;

static const std::vector<std::string> words = {"\"dtype\"",
                                               "\"shape\"",
                                               "\"data_offsets\"",
                                               "\"__metadata__\"",
                                               "\"F32\"",
                                               "\"BF16\"",
                                               "\"F16\"",
                                               "\"F64\"",
                                               "\"I64\"",
                                               "\"BOOL\"",
                                               "\"F4\"",
                                               "\"F6_E2M3\"",
                                               "\"F8_E4M3\"",
                                               "\"U8\"",
                                               "\"C64\"",
                                               "\"w\"",
                                               "\"\"",
                                               "\"\\u0000\"",
                                               "\"\\ud800\"",
                                               "null",
                                               "true",
                                               "[]",
                                               "{}",
                                               "[0, 0]",
                                               "0",
                                               "1",
                                               ",",
                                               ":"};

namespace {

/// A file taken apart: whatever does not fit is data.
struct File {
  std::string header, data;

  explicit File(std::string_view bytes) {
    uint64_t length = 0;
    if (bytes.size() >= 8) {
      std::memcpy(&length, bytes.data(), 8);
      bytes.remove_prefix(8);
    }
    header = bytes.substr(0, std::min<uint64_t>(length, bytes.size()));
    data = bytes.substr(header.size());
  }

  std::string join(uint64_t length) const {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    return bytes + header + data;
  }
  std::string join() const { return join(header.size()); }
};

} // namespace

/// Changes one tensor, and offsets and data so that they fit: the file is
/// valid, or wrong in one thing. Nothing if the header is no JSON.
static void mutateConsistently(File &file, fuzz::Random &random) {
  ordered_json header =
      ordered_json::parse(file.header, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object())
    return;
  if (header.empty() || random.oneIn(4))
    header["t" + std::to_string(random.below(100))] = {
        {"dtype", "F32"}, {"shape", {2, 3}}, {"data_offsets", {0, 24}}};
  auto it = header.begin();
  std::advance(it, random.below(header.size()));
  if (it.value().is_object() && it.key() != "__metadata__") {
    if (random.oneIn(2))
      it.value()["dtype"] = dtypeName(static_cast<DType>(random.below(22)));
    ordered_json shape = ordered_json::array();
    for (size_t rank = random.below(random.oneIn(10) ? 70 : 4); rank > 0;
         --rank)
      shape.push_back(random.oneIn(8) ? fuzz::interestingInteger(random)
                                      : random.below(5));
    if (random.oneIn(2))
      it.value()["shape"] = shape;
  }
  uint64_t offset = 0;
  for (auto &[name, tensor] : header.items()) {
    if (name == "__metadata__" || !tensor.is_object() ||
        !tensor["dtype"].is_string() || !tensor["shape"].is_array())
      continue;
    std::vector<int64_t> shape;
    for (const ordered_json &dim : tensor["shape"])
      shape.push_back(dim.is_number_unsigned() ? dim.get<int64_t>() : 0);
    std::optional<DType> dtype = parseDType(tensor["dtype"].get<std::string>());
    uint64_t bytes = tensorBytes(dtype.value_or(DType::F32), shape).value_or(0);
    // Now and then a hole, or tensors that overlap.
    if (random.oneIn(8))
      offset = random.below(offset + 9);
    tensor["data_offsets"] = {offset, offset + bytes};
    offset += bytes;
  }
  file.header =
      header.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  file.data.resize(std::min<uint64_t>(offset, 4096), 'x');
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t maxSize, unsigned seed) {
  fuzz::Random random(seed);
  File file(fuzz::asText(data, size));
  switch (random.below(8)) {
  case 0:
    return LLVMFuzzerMutate(data, size, maxSize);
  case 1:
    return fuzz::store(
        file.join(random.oneIn(2) ? fuzz::interestingInteger(random)
                                  : file.header.size() + random.below(5) - 2),
        data, maxSize);
  case 2:
    file.data.resize(random.below(2 * file.data.size() + 2), 'y');
    break;
  case 3:
  case 4:
  case 5:
    mutateConsistently(file, random);
    break;
  default:
    file.header = fuzz::mutateTokens(file.header, words, random);
    break;
  }
  return fuzz::store(file.join(), data, maxSize);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t *first,
                                            size_t firstSize,
                                            const uint8_t *second,
                                            size_t secondSize, uint8_t *out,
                                            size_t maxSize, unsigned seed) {
  fuzz::Random random(seed);
  File file(fuzz::asText(first, firstSize));
  file.header = fuzz::spliceTokens(
      file.header, File(fuzz::asText(second, secondSize)).header, random);
  if (random.oneIn(2))
    mutateConsistently(file, random);
  return fuzz::store(file.join(), out, maxSize);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int fd = memfd_create("safetensors", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(fd);
  if (fd < 0 || ftruncate(fd, 0) != 0 ||
      pwrite(fd, data, size, 0) != static_cast<ssize_t>(size))
    std::abort();

  using Mode = SafetensorsFile::Mode;
  std::string error, headerError, cutError;
  auto file = SafetensorsFile::open(path, error, Mode::Data);
  auto header = SafetensorsFile::open(path, headerError, Mode::Header);
  auto cut = SafetensorsFile::open(path, cutError, Mode::HeaderWithoutData);
  // The modes differ in what they map, not in what they accept.
  if (!file != !header || error != headerError || (file && !cut))
    std::abort();
  if (!file) {
    if (error.empty())
      std::abort();
    fuzz::refused(error);
    return 0;
  }
  uint64_t next = 0;
  static volatile unsigned sink;
  for (const TensorInfo &info : file->tensors()) {
    if (info.begin != next || file->find(info.name) != &info)
      std::abort();
    next = info.end;
    const auto *bytes = static_cast<const uint8_t *>(file->data(info));
    for (uint64_t i = 0; i < info.bytes(); ++i)
      sink = sink + bytes[i];
  }
  if (next > size)
    std::abort();
  return 0;
}
