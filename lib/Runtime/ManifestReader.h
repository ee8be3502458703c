//===- ManifestReader.h - Reading of manifests ------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inside of parseManifest.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_MANIFESTREADER_H
#define MUON_MLIR_LIB_RUNTIME_MANIFESTREADER_H

#include "Manifest.h"
#include "Text.h"

#include <nlohmann/json.hpp>

namespace muon {

/// False if the product is above 2^63 - 1.
inline bool multiply(uint64_t a, uint64_t b, uint64_t &product) {
  return !__builtin_mul_overflow(a, b, &product) &&
         product <= uint64_t(INT64_MAX);
}

/// Reads the text into a manifest, and checks it.
class ManifestReader {
public:
  using json = nlohmann::json;
  explicit ManifestReader(Manifest &manifest) : manifest(manifest) {}

  /// False with `error` set if the text is not a valid manifest.
  bool read(std::string_view text);

  std::string error;
  bool unsupported = false;

private:
  bool readTree(std::string_view text, json &root);
  bool readParams(const json &list);
  bool readArgument(const json &entry, const std::string &where);
  bool readMember(const json &item, const std::string &where, Member &member);
  bool readDevice(const json &entry);
  bool readArch(const json &object, const std::string &where, GpuArch &arch);
  bool readDeviceCode(const json &entry, const std::string &where);
  bool readKernel(const json &entry, const std::string &where);
  bool readDistribution(const json &entry);
  bool readGrid(const json &entry, Distribution &distribution);
  bool readCollective(const json &entry, const std::string &where);
  bool readSegments(const json &entry, const std::string &where,
                    Collective &collective);
  bool readOperands(const json &entry, const char *key,
                    const std::string &where, const Collective &collective,
                    std::vector<Collective::Operand> &operands);
  bool checkOperands(const std::string &where, const Collective &collective);
  bool checkSlots();
  bool checkArguments();
  bool readPart(const json &item, const std::string &where, Member &member);
  bool checkBlock(const Member &member, const std::vector<int64_t> &shape,
                  const std::string &where);
  bool checkMember(const Member &member, const Argument &argument);
  bool checkSums(const Argument &argument, const Argument *owner);
  bool checkParts(MuonRole role);
  bool checkLogicalShapes();

  bool fail(const std::string &message) {
    error = message;
    return false;
  }

  const json *get(const json &object, const char *key,
                  const std::string &where) {
    auto it = object.find(key);
    if (it != object.end())
      return &*it;
    error = where + ": '" + key + "' is missing";
    return nullptr;
  }

  bool readString(const json &object, const char *key, const std::string &where,
                  std::string &value) {
    const json *field = get(object, key, where);
    if (!field)
      return false;
    if (!field->is_string())
      return fail(where + ": '" + key + "' is not a string");
    value = field->get<std::string>();
    return true;
  }

  bool readCount(const json &object, const char *key, const std::string &where,
                 uint64_t &value) {
    const json *field = get(object, key, where);
    if (!field)
      return false;
    if (!field->is_number_unsigned() ||
        field->get<uint64_t>() > uint64_t(INT64_MAX))
      return fail(where + ": '" + key +
                  "' is not an integer from 0 to 2^63 - 1");
    value = field->get<uint64_t>();
    return true;
  }

  bool readNumber(const json &object, const char *key, const std::string &where,
                  uint64_t least, uint64_t most, uint32_t &value) {
    uint64_t number = 0;
    if (!readCount(object, key, where, number))
      return false;
    if (number < least || number > most)
      return fail(where + ": '" + key + "' is " + std::to_string(number) +
                  ", expected " + std::to_string(least) + " to " +
                  std::to_string(most));
    value = uint32_t(number);
    return true;
  }

  bool readShape(const json &object, const char *key, const std::string &where,
                 std::vector<int64_t> &shape) {
    const json *field = get(object, key, where);
    if (!field)
      return false;
    if (!field->is_array())
      return fail(where + ": '" + key + "' is not an array");
    for (const json &dim : *field) {
      if (!dim.is_number_unsigned() ||
          dim.get<uint64_t>() > uint64_t(INT64_MAX))
        return fail(where + ": '" + key +
                    "' has an entry that is not an integer from 0 to 2^63 - 1");
      shape.push_back(int64_t(dim.get<uint64_t>()));
    }
    return true;
  }

  bool checkAlignment(uint64_t alignment, const std::string &where) {
    if (alignment && !(alignment & (alignment - 1)) &&
        alignment <= (uint64_t(1) << 30))
      return true;
    return fail(where + ": 'alignment' is " + std::to_string(alignment) +
                ", expected a power of two up to 2^30");
  }

  bool readStrings(const json &object, const char *key,
                   std::vector<std::string> &values) {
    const json *field = get(object, key, "manifest");
    if (!field)
      return false;
    if (!field->is_array())
      return fail(std::string("manifest: '") + key + "' is not an array");
    for (const json &entry : *field) {
      if (!entry.is_string())
        return fail(std::string("manifest: '") + key +
                    "' has an entry that is not a string");
      values.push_back(entry.get<std::string>());
    }
    return true;
  }

  bool readVersion(const json &root, const char *key, uint64_t expected) {
    uint64_t found = 0;
    if (!readCount(root, key, "manifest", found))
      return false;
    if (found == expected)
      return true;
    unsupported = true;
    return fail(std::string("manifest: '") + key + "' is " +
                std::to_string(found) + ", this runtime needs " +
                std::to_string(expected));
  }

  Manifest &manifest;
};

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_MANIFESTREADER_H
