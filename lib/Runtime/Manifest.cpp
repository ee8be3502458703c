//===- Manifest.cpp - The manifest of an artifact -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Manifest.h"

#include "Text.h"
#include "muon-mlir/Runtime/HostApi.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <tuple>
#include <unordered_set>

using namespace muon;
using nlohmann::json;

//===----------------------------------------------------------------------===//
// Names of types and roles
//===----------------------------------------------------------------------===//

static const struct {
  const char *name;
  size_t size;
} types[] = {{"f32", 4}, {"bf16", 2}, {"f16", 2},
             {"f64", 8}, {"i64", 8},  {"i1", 1}};

static const char *const roles[] = {
    "weight",      "gradient",   "momentum", "exp_avg",       "exp_avg_sq",
    "master",      "step",       "lr",       "weight_decay",  "beta",
    "clip_limit",  "ok",         "clip",     "gradient_sums", "momentum_sums",
    "update_sums", "weight_sums"};

static_assert(sizeof(types) / sizeof(types[0]) == MUON_TYPE_I1 + 1,
              "one row for each type");
static_assert(sizeof(roles) / sizeof(roles[0]) == MUON_ROLE_WEIGHT_SUMS + 1,
              "one name for each role");

const char *muonTypeName(MuonType type) {
  auto index = static_cast<size_t>(type);
  return index <= MUON_TYPE_I1 ? types[index].name : nullptr;
}

size_t muonTypeSize(MuonType type) {
  auto index = static_cast<size_t>(type);
  return index <= MUON_TYPE_I1 ? types[index].size : 0;
}

const char *muonRoleName(MuonRole role) {
  auto index = static_cast<size_t>(role);
  return index <= MUON_ROLE_WEIGHT_SUMS ? roles[index] : nullptr;
}

/// Types that an argument of a role may have.
static bool allows(MuonRole role, MuonType type) {
  if (role == MUON_ROLE_STEP)
    return type == MUON_TYPE_I64;
  if (role == MUON_ROLE_OK)
    return type == MUON_TYPE_I1;
  if (isSums(role))
    return type == MUON_TYPE_F64;
  if (role == MUON_ROLE_MASTER)
    return type == MUON_TYPE_F32 || type == MUON_TYPE_F64;
  if (isTensor(role))
    return type <= MUON_TYPE_F64;
  return type == MUON_TYPE_F32;
}

const char *muon::invalidScalar(MuonRole role, float value) {
  if (!std::isfinite(value))
    return "must be finite";
  switch (role) {
  case MUON_ROLE_LR:
  case MUON_ROLE_WEIGHT_DECAY:
    return value >= 0 ? nullptr : "must not be negative";
  case MUON_ROLE_BETA:
    return value >= 0 && value < 1 ? nullptr
                                   : "must be at least 0 and less than 1";
  default:
    return value > 0 ? nullptr : "must be positive";
  }
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static bool multiply(uint64_t a, uint64_t b, uint64_t &product) {
  return !__builtin_mul_overflow(a, b, &product) &&
         product <= uint64_t(INT64_MAX);
}

namespace {

class ManifestReader {
public:
  explicit ManifestReader(Manifest &manifest) : manifest(manifest) {}

  /// False with `error` set if the text is not a valid manifest.
  bool read(std::string_view text);

  std::string error;
  bool unsupported = false;

private:
  bool readTree(std::string_view text, json &root);
  bool readParams(const json &list);
  bool readArgument(const json &entry, const std::string &where);
  bool readDevice(const json &entry);
  bool readArch(const json &object, const std::string &where, GpuArch &arch);
  bool readDeviceCode(const json &entry, const std::string &where);
  bool readKernel(const json &entry, const std::string &where);
  bool checkSlots();
  bool checkArguments();
  bool checkBlocks(MuonRole role);

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

} // namespace

bool ManifestReader::readTree(std::string_view text, json &root) {
  // The library keeps one of several equal keys; which one it is must not
  // decide what a step does.
  std::vector<std::unordered_set<std::string>> keys;
  std::optional<std::string> twin;
  auto watch = [&](int, json::parse_event_t event, json &parsed) {
    if (event == json::parse_event_t::object_start)
      keys.emplace_back();
    else if (event == json::parse_event_t::object_end)
      keys.pop_back();
    else if (event == json::parse_event_t::key &&
             !keys.back().insert(parsed.get<std::string>()).second)
      twin = parsed.get<std::string>();
    return true;
  };
  root = json::parse(text.begin(), text.end(), watch,
                     /*allow_exceptions=*/false);
  if (root.is_discarded())
    return fail("manifest is not valid JSON");
  if (twin)
    return fail("manifest: key " + quote(*twin) + " appears twice");
  if (!root.is_object())
    return fail("manifest is not a JSON object");
  return true;
}

bool ManifestReader::read(std::string_view text) {
  json root;
  if (!readTree(text, root))
    return false;

  const std::string where = "manifest";
  std::string format;
  if (!readString(root, "format", where, format))
    return false;
  if (format != "muon-artifact")
    return fail("manifest: 'format' is " + quote(format) +
                ", expected 'muon-artifact'");
  // Before anything else: other versions may spell the rest differently.
  if (!readVersion(root, "version", MUON_MANIFEST_VERSION) ||
      !readVersion(root, "host_api", MUON_HOST_API_VERSION))
    return false;
  if (!readString(root, "compiler", where, manifest.compiler) ||
      !readString(root, "target", where, manifest.target) ||
      !readString(root, "arch", where, manifest.arch) ||
      !readString(root, "cpu", where, manifest.cpu) ||
      !readStrings(root, "features", manifest.features) ||
      !readCount(root, "slots", where, manifest.slots) ||
      !readStrings(root, "frozen", manifest.frozen))
    return false;

  const json *arena = get(root, "arena", where);
  if (!arena)
    return false;
  if (!arena->is_object())
    return fail("manifest: 'arena' is not an object");
  if (!readCount(*arena, "bytes", "manifest: arena", manifest.arenaBytes) ||
      !readCount(*arena, "alignment", "manifest: arena",
                 manifest.arenaAlignment))
    return false;
  if (!checkAlignment(manifest.arenaAlignment, "manifest: arena"))
    return false;

  auto device = root.find("device");
  if (manifest.target == "cuda" && device == root.end())
    return fail("manifest: 'device' is missing, target 'cuda' needs it");
  if (manifest.target != "cuda" && device != root.end())
    return fail("manifest: target " + quote(manifest.target) +
                " has no 'device'");
  if (device != root.end() && !readDevice(*device))
    return false;

  const json *params = get(root, "params", where);
  if (!params || !readParams(*params))
    return false;

  const json *arguments = get(root, "arguments", where);
  if (!arguments)
    return false;
  if (!arguments->is_array())
    return fail("manifest: 'arguments' is not an array");
  size_t index = 0;
  for (const json &entry : *arguments)
    if (!readArgument(entry,
                      "manifest: arguments[" + std::to_string(index++) + "]"))
      return false;

  return checkSlots() && checkArguments();
}

bool ManifestReader::readParams(const json &list) {
  if (!list.is_array())
    return fail("manifest: 'params' is not an array");
  for (const json &entry : list) {
    std::string where =
        "manifest: params[" + std::to_string(manifest.params.size()) + "]";
    if (!entry.is_array() || entry.empty())
      return fail(where + " is not an array with at least one member");
    std::vector<Member> members;
    members.reserve(entry.size());
    for (const json &item : entry) {
      Member member;
      if (item.is_string()) {
        member.tensor = item.get<std::string>();
      } else if (item.is_object()) {
        uint64_t begin = 0, end = 0, rows = 0;
        if (!readString(item, "tensor", where, member.tensor) ||
            !readCount(item, "begin", where, begin) ||
            !readCount(item, "end", where, end) ||
            !readCount(item, "rows", where, rows))
          return false;
        if (begin >= end || end > rows)
          return fail(where + ": rows " + std::to_string(begin) + " to " +
                      std::to_string(end) + " of " + quote(member.tensor) +
                      " are not within its " + std::to_string(rows) + " rows");
        member.isBlock = true;
        member.begin = int64_t(begin);
        member.end = int64_t(end);
        member.rows = int64_t(rows);
      } else {
        return fail(where + " has a member that is neither a name nor a block");
      }
      members.push_back(std::move(member));
    }
    manifest.params.push_back(std::move(members));
  }
  return true;
}

bool ManifestReader::readArgument(const json &entry, const std::string &where) {
  if (!entry.is_object())
    return fail(where + " is not an object");
  Argument argument;

  std::string role, type;
  if (!readString(entry, "role", where, role) ||
      !readString(entry, "type", where, type))
    return false;
  const char *const *roleIt =
      std::find(std::begin(roles), std::end(roles), role);
  if (roleIt == std::end(roles))
    return fail(where + ": unknown role " + quote(role));
  argument.role = static_cast<MuonRole>(roleIt - roles);
  const std::string here = where + " (" + role + ")";

  const auto *typeIt =
      std::find_if(std::begin(types), std::end(types),
                   [&](const auto &row) { return type == row.name; });
  if (typeIt == std::end(types))
    return fail(here + ": unknown type " + quote(type));
  argument.type = static_cast<MuonType>(typeIt - types);
  if (!allows(argument.role, argument.type))
    return fail(here + ": the role does not allow type " + quote(type));

  const json *shape = get(entry, "shape", here);
  if (!shape)
    return false;
  if (!shape->is_array())
    return fail(here + ": 'shape' is not an array");
  argument.elements = 1;
  for (const json &dim : *shape) {
    if (!dim.is_number_unsigned() || dim.get<uint64_t>() > uint64_t(INT64_MAX))
      return fail(here + ": 'shape' has an entry that is not an integer from "
                         "0 to 2^63 - 1");
    argument.shape.push_back(int64_t(dim.get<uint64_t>()));
    if (!multiply(argument.elements, dim.get<uint64_t>(), argument.elements))
      return fail(here + ": the number of elements of 'shape' overflows");
  }
  if (!multiply(argument.elements, muonTypeSize(argument.type), argument.bytes))
    return fail(here + ": the size of 'shape' overflows");
  if (!hasMembers(argument.role) && !argument.shape.empty())
    return fail(here + ": shape is " + shapeText(argument.shape) +
                ", expected []");

  if (hasMembers(argument.role)) {
    uint64_t params = 0;
    if (!readCount(entry, "params", here, params))
      return false;
    if (params >= manifest.params.size())
      return fail(here + ": 'params' is " + std::to_string(params) +
                  ", but there are " + std::to_string(manifest.params.size()) +
                  " lists");
    argument.params = params;
    if (isTensor(argument.role))
      argument.slotCount = manifest.params[params].size();
  } else if (entry.contains("params")) {
    return fail(here + ": the role has no 'params'");
  }

  bool hasGroup =
      isScalar(argument.role) && argument.role != MUON_ROLE_CLIP_LIMIT;
  if (hasGroup) {
    if (!readString(entry, "group", here, argument.group))
      return false;
  } else if (entry.contains("group")) {
    return fail(here + ": the role has no 'group'");
  }
  if (auto it = entry.find("default"); it != entry.end()) {
    if (!isScalar(argument.role))
      return fail(here + ": the role has no 'default'");
    if (!it->is_number())
      return fail(here + ": 'default' is not a number");
    auto value = static_cast<float>(it->get<double>());
    if (const char *reason = invalidScalar(argument.role, value))
      return fail(here + ": 'default' is " + it->dump() + " and " + reason);
    argument.defaultValue = value;
  }

  if (!readCount(entry, "slot", here, argument.slot))
    return false;
  manifest.arguments.push_back(std::move(argument));
  return true;
}

//===----------------------------------------------------------------------===//
// Code of GPUs
//===----------------------------------------------------------------------===//

// Of any GPU so far.
static constexpr uint32_t mostThreads = 1024;
static constexpr uint32_t mostSharedBytes = 227 * 1024;
static constexpr uint32_t mostRegisters = 255;

std::string GpuArch::text() const {
  std::string text = "sm_" + std::to_string(number);
  if (suffix)
    text += suffix;
  return text;
}

static bool parseArch(std::string_view text, GpuArch &arch) {
  if (text.substr(0, 3) != "sm_")
    return false;
  text.remove_prefix(3);
  arch = {};
  if (!text.empty() && (text.back() == 'a' || text.back() == 'f')) {
    arch.suffix = text.back();
    text.remove_suffix(1);
  }
  if (text.size() < 2 || text.size() > 3 || text[0] == '0')
    return false;
  for (char c : text) {
    if (c < '0' || c > '9')
      return false;
    arch.number = 10 * arch.number + unsigned(c - '0');
  }
  return true;
}

static bool isIdentifier(std::string_view text) {
  auto isLetter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && isLetter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return isLetter(c) || (c >= '0' && c <= '9');
         });
}

bool ManifestReader::readArch(const json &object, const std::string &where,
                              GpuArch &arch) {
  std::string text;
  if (!readString(object, "arch", where, text))
    return false;
  return parseArch(text, arch) ||
         fail(where + ": 'arch' is " + quote(text) +
              ", expected a name as 'sm_80' or 'sm_90a'");
}

bool ManifestReader::readDevice(const json &entry) {
  const std::string where = "manifest: device";
  if (!entry.is_object())
    return fail("manifest: 'device' is not an object");
  DeviceManifest &device = manifest.device.emplace();
  uint32_t isa = 0, shared = 0;
  if (!readArch(entry, where, device.arch) ||
      !readNumber(entry, "isa", where, 10, 999, isa) ||
      !readCount(entry, "alignment", where, device.alignment) ||
      !checkAlignment(device.alignment, where))
    return false;
  device.isa = isa;
  if (entry.contains("sharedBytes")) {
    if (!readNumber(entry, "sharedBytes", where, 0, mostSharedBytes, shared))
      return false;
    device.sharedBytes = shared;
  }

  const json *code = get(entry, "code", where);
  if (!code)
    return false;
  if (!code->is_array())
    return fail(where + ": 'code' is not an array");
  for (const json &item : *code)
    if (!readDeviceCode(item, where + ": code[" +
                                  std::to_string(device.code.size()) + "]"))
      return false;

  const json *kernels = get(entry, "kernels", where);
  if (!kernels)
    return false;
  if (!kernels->is_array())
    return fail(where + ": 'kernels' is not an array");
  std::unordered_set<std::string> names;
  for (const json &item : *kernels) {
    const std::string here =
        where + ": kernels[" + std::to_string(device.kernels.size()) + "]";
    if (!readKernel(item, here))
      return false;
    const Kernel &kernel = device.kernels.back();
    if (!names.insert(kernel.name).second)
      return fail(here + ": kernel " + quote(kernel.name) + " appears twice");
    if (device.sharedBytes && kernel.sharedBytes > *device.sharedBytes)
      return fail(here + ": 'shared' is " + std::to_string(kernel.sharedBytes) +
                  ", but 'sharedBytes' of the device is " +
                  std::to_string(*device.sharedBytes));
  }
  if (device.code.empty() && !device.kernels.empty())
    return fail(where + ": there are kernels, but 'code' is empty");
  return true;
}

bool ManifestReader::readDeviceCode(const json &entry,
                                    const std::string &where) {
  if (!entry.is_object())
    return fail(where + " is not an object");
  DeviceCode code;
  std::string kind;
  if (!readString(entry, "kind", where, kind) ||
      !readArch(entry, where, code.arch) ||
      !readCount(entry, "offset", where, code.offset) ||
      !readCount(entry, "bytes", where, code.bytes))
    return false;
  if (kind != "ptx" && kind != "cubin")
    return fail(where + ": 'kind' is " + quote(kind) +
                ", expected 'ptx' or 'cubin'");
  code.kind = kind == "ptx" ? DeviceCode::Ptx : DeviceCode::Cubin;
  if (!code.bytes)
    return fail(where + ": 'bytes' is 0");
  manifest.device->code.push_back(code);
  return true;
}

bool ManifestReader::readKernel(const json &entry, const std::string &where) {
  if (!entry.is_object())
    return fail(where + " is not an object");
  Kernel kernel;
  if (!readString(entry, "name", where, kernel.name))
    return false;
  if (!isIdentifier(kernel.name))
    return fail(where + ": 'name' is " + quote(kernel.name) +
                ", expected an identifier of C");
  if (!readString(entry, "phase", where, kernel.phase) ||
      !readNumber(entry, "threads", where, 1, mostThreads, kernel.threads) ||
      !readNumber(entry, "shared", where, 0, mostSharedBytes,
                  kernel.sharedBytes))
    return false;
  if (kernel.threads % 32)
    return fail(where + ": 'threads' is " + std::to_string(kernel.threads) +
                ", expected a multiple of 32");
  if (entry.contains("registers")) {
    uint32_t registers = 0;
    if (!readNumber(entry, "registers", where, 1, mostRegisters, registers))
      return false;
    kernel.registers = registers;
  }
  manifest.device->kernels.push_back(std::move(kernel));
  return true;
}

Error muon::checkCodeRanges(const DeviceManifest &device, uint64_t bytes) {
  for (size_t i = 0; i < device.code.size(); ++i) {
    const DeviceCode &code = device.code[i];
    if (code.offset > bytes || code.bytes > bytes - code.offset)
      return Error(MUON_ERROR_INVALID_ARTIFACT,
                   "manifest: device: code[" + std::to_string(i) + "] is " +
                       std::to_string(code.bytes) + " bytes from " +
                       std::to_string(code.offset) +
                       ", but 'muon_device_code' has " + std::to_string(bytes));
  }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

bool ManifestReader::checkSlots() {
  std::vector<const Argument *> order;
  for (const Argument &argument : manifest.arguments)
    order.push_back(&argument);
  std::sort(
      order.begin(), order.end(),
      [](const Argument *a, const Argument *b) { return a->slot < b->slot; });
  uint64_t next = 0;
  for (const Argument *argument : order) {
    if (argument->slot != next)
      return fail(std::string("manifest: slots of '") +
                  muonRoleName(argument->role) + "' begin at " +
                  std::to_string(argument->slot) + ", expected " +
                  std::to_string(next) +
                  (argument->slot < next ? " (they overlap others)"
                                         : " (slots before them are unused)"));
    next += argument->slotCount;
  }
  if (next != manifest.slots)
    return fail("manifest: 'slots' is " + std::to_string(manifest.slots) +
                ", but arguments have " + std::to_string(next));
  return true;
}

bool ManifestReader::checkArguments() {
  // Of the tensors of each list; null until one is seen.
  std::vector<const Argument *> shapes(manifest.params.size());
  std::set<std::pair<MuonRole, std::string>> seen;
  for (const Argument &argument : manifest.arguments) {
    const std::string role = muonRoleName(argument.role);
    std::string owner = argument.group;
    if (argument.params)
      owner = std::to_string(*argument.params);
    if (!seen.emplace(argument.role, owner).second) {
      if (argument.params)
        owner = " for params[" + owner + "]";
      else if (!owner.empty())
        owner = " of group " + quote(owner);
      return fail("manifest: '" + role + "'" + owner + " appears twice");
    }
    if (!isTensor(argument.role) || !argument.params)
      continue;
    const Argument *&first = shapes[*argument.params];
    if (!first)
      first = &argument;
    if (first->shape != argument.shape)
      return fail("manifest: params[" + std::to_string(*argument.params) +
                  "] has shape " + shapeText(argument.shape) + " as '" + role +
                  "' and " + shapeText(first->shape) + " as '" +
                  muonRoleName(first->role) + "'");
    for (const Member &member : manifest.params[*argument.params])
      if (member.isBlock && (argument.shape.empty() ||
                             member.end - member.begin != argument.shape[0]))
        return fail("manifest: rows " + std::to_string(member.begin) + " to " +
                    std::to_string(member.end) + " of " + quote(member.tensor) +
                    " do not have shape " + shapeText(argument.shape));
    // Products call BLAS, whose integers are narrower than a dimension may be.
    if (argument.role == MUON_ROLE_MOMENTUM)
      for (int64_t dim : argument.shape)
        if (dim > INT32_MAX)
          return fail("manifest: matrix of shape " + shapeText(argument.shape) +
                      " has a dimension above 2^31 - 1");
  }

  for (const Argument &argument : manifest.arguments) {
    if (!isSums(argument.role))
      continue;
    const std::string where = std::string("manifest: '") +
                              muonRoleName(argument.role) + "' for params[" +
                              std::to_string(*argument.params) + "]";
    const Argument *owner = shapes[*argument.params];
    if (!owner)
      return fail(where + ": the list has no tensors");
    uint64_t count = manifest.params[*argument.params].size();
    for (size_t i = 0; i + 2 < owner->shape.size(); ++i)
      if (!multiply(count, uint64_t(owner->shape[i]), count))
        return fail(where + ": the number of matrices overflows");
    if (argument.shape != std::vector<int64_t>{int64_t(count)})
      return fail(where + ": shape is " + shapeText(argument.shape) +
                  ", expected [" + std::to_string(count) + "]");
  }

  for (int role = MUON_ROLE_WEIGHT; role <= MUON_ROLE_MASTER; ++role)
    if (!checkBlocks(static_cast<MuonRole>(role)))
      return false;

  std::unordered_set<std::string> frozen;
  for (const std::string &name : manifest.frozen)
    if (!frozen.insert(name).second)
      return fail("manifest: frozen tensor " + quote(name) + " appears twice");
  for (const Argument &argument : manifest.arguments)
    if (argument.params)
      for (const Member &member : manifest.params[*argument.params])
        if (frozen.count(member.tensor))
          return fail("manifest: tensor " + quote(member.tensor) +
                      " is both frozen and updated");
  return true;
}

/// Checks that each tensor of a role is there once, whole or in blocks.
bool ManifestReader::checkBlocks(MuonRole role) {
  struct Piece {
    const Member *member;
    const Argument *argument;
  };
  std::vector<Piece> pieces;
  for (const Argument &argument : manifest.arguments)
    if (argument.role == role)
      for (const Member &member : manifest.params[*argument.params])
        pieces.push_back({&member, &argument});
  std::sort(pieces.begin(), pieces.end(), [](const Piece &a, const Piece &b) {
    return std::tie(a.member->tensor, a.member->begin) <
           std::tie(b.member->tensor, b.member->begin);
  });

  for (size_t i = 0; i < pieces.size();) {
    const Piece &first = pieces[i];
    const std::string where = std::string("manifest: ") + muonRoleName(role) +
                              " " + quote(first.member->tensor);
    size_t last = i;
    int64_t next = 0;
    for (; last < pieces.size() &&
           pieces[last].member->tensor == first.member->tensor;
         ++last) {
      const Piece &piece = pieces[last];
      if (!piece.member->isBlock || !first.member->isBlock) {
        if (last != i)
          return fail(where + " appears twice");
        continue;
      }
      const Argument &a = *piece.argument, &b = *first.argument;
      if (piece.member->rows != first.member->rows || a.type != b.type ||
          !std::equal(a.shape.begin() + 1, a.shape.end(), b.shape.begin() + 1,
                      b.shape.end()))
        return fail(where + ": its blocks disagree about its type or shape");
      if (piece.member->begin != next)
        return fail(where + ": a block begins at row " +
                    std::to_string(piece.member->begin) + ", expected " +
                    std::to_string(next));
      next = piece.member->end;
    }
    if (first.member->isBlock && next != first.member->rows)
      return fail(where + ": blocks end at row " + std::to_string(next) +
                  " of " + std::to_string(first.member->rows));
    if (first.member->isBlock) {
      uint64_t bytes = muonTypeSize(first.argument->type);
      if (!multiply(bytes, uint64_t(first.member->rows), bytes))
        return fail(where + ": its size overflows");
      for (size_t d = 1; d < first.argument->shape.size(); ++d)
        if (!multiply(bytes, uint64_t(first.argument->shape[d]), bytes))
          return fail(where + ": its size overflows");
    }
    i = last;
  }
  return true;
}

Error muon::parseManifest(std::string_view text, Manifest &manifest) {
  ManifestReader reader(manifest);
  if (reader.read(text))
    return Error::success();
  return Error(reader.unsupported ? MUON_ERROR_UNSUPPORTED
                                  : MUON_ERROR_INVALID_ARTIFACT,
               reader.error);
}
