//===- Manifest.cpp - The manifest of an artifact -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Manifest.h"

#include "ManifestReader.h"
#include "Text.h"
#include "muon-mlir/Runtime/HostApi.h"

#include <algorithm>
#include <cmath>
#include <cstring>
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

  auto distribution = root.find("distribution");
  if (distribution != root.end() && !readDistribution(*distribution))
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

  if (!readShape(entry, "shape", here, argument.shape))
    return false;
  std::optional<uint64_t> elements = countElements(argument.shape);
  if (!elements)
    return fail(here + ": the number of elements of 'shape' overflows");
  argument.elements = *elements;
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

Error muon::parseManifest(std::string_view text, Manifest &manifest) {
  ManifestReader reader(manifest);
  if (reader.read(text))
    return Error::success();
  return Error(reader.unsupported ? MUON_ERROR_UNSUPPORTED
                                  : MUON_ERROR_INVALID_ARTIFACT,
               reader.error);
}
