//===- Artifact.cpp - Artifacts and memory of devices ---------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Artifact.h"

#include <nanobind/stl/string.h>

#include <cstring>

namespace nb = nanobind;
using namespace nb::literals;
using namespace muon::python;

void muon::python::check(MuonStatus status) {
  if (status == MUON_OK)
    return;
  const bool isArgument =
      status == MUON_ERROR_INVALID_ARGUMENT || status == MUON_ERROR_NOT_READY;
  raise(isArgument ? "ArgumentError" : "StepError", muonLastError());
}

//===-- Memory of a device ------------------------------------------------===//

Wanted muon::python::wantedOf(const MuonTensorInfo &info,
                              const MuonArtifactInfo &artifact) {
  Wanted wanted;
  wanted.role = muonRoleName(info.role);
  wanted.name = info.name;
  wanted.type = info.type;
  wanted.shape = info.shape;
  wanted.rank = info.rank;
  wanted.bytes = info.bytes;
  wanted.isWritten = info.role != MUON_ROLE_GRADIENT;
  wanted.isHostMemory = artifact.host_memory;
  wanted.device = artifact.device;
  return wanted;
}

static Wanted hostCopyOf(const DeviceArray &array, const char *where,
                         bool isWritten) {
  return {"copy",
          where,
          array.type,
          array.shape.data(),
          array.shape.size(),
          array.bytes,
          isWritten,
          /*isHostMemory=*/true,
          "cpu"};
}

void muon::python::copyFrom(DeviceArray &array, nb::handle source) {
  View view = View::of(source, hostCopyOf(array, "source", false));
  checkReleased([&] {
    return muonDeviceUpload(array.artifact.get(), array.data, view.data(),
                            array.bytes, nullptr);
  });
}

void muon::python::copyTo(const DeviceArray &array, nb::handle target) {
  View view = View::of(target, hostCopyOf(array, "target", true));
  checkReleased([&] {
    return muonDeviceDownload(array.artifact.get(), view.data(), array.data,
                              array.bytes, nullptr);
  });
}

static float halfToFloat(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000) << 16;
  const uint32_t exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
  uint32_t word;
  if (exponent == 0) {
    const float value = float(fraction) * 0x1p-24f;
    std::memcpy(&word, &value, sizeof(word));
  } else if (exponent == 31) {
    word = 0x7f800000 | fraction << 13;
  } else {
    word = (exponent + 112) << 23 | fraction << 13;
  }
  word |= sign;
  float value;
  std::memcpy(&value, &word, sizeof(value));
  return value;
}

static float toFloat(MuonType type, const char *data, uint64_t index) {
  if (type == MUON_TYPE_F32) {
    float value;
    std::memcpy(&value, data + 4 * index, sizeof(value));
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, data + 2 * index, sizeof(bits));
  if (type == MUON_TYPE_F16)
    return halfToFloat(bits);
  const uint32_t word = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &word, sizeof(value));
  return value;
}

std::shared_ptr<Artifact>
muon::python::loadArtifact(const std::string &path, const std::string &device) {
  MuonArtifact *loaded = nullptr;
  checkReleased(
      [&] { return muonArtifactLoad(path.c_str(), device.c_str(), &loaded); });
  auto artifact = std::make_shared<Artifact>();
  artifact->handle = ArtifactHandle(loaded, muonArtifactRelease);
  check(muonArtifactInfo(loaded, &artifact->info));
  artifact->tensors.resize(muonArtifactTensorCount(loaded));
  for (size_t i = 0; i < artifact->tensors.size(); ++i)
    check(muonArtifactTensor(loaded, i, &artifact->tensors[i]));
  artifact->scalars.resize(muonArtifactScalarCount(loaded));
  for (size_t i = 0; i < artifact->scalars.size(); ++i)
    check(muonArtifactScalar(loaded, i, &artifact->scalars[i]));
  return artifact;
}

nb::tuple muon::python::shapeTuple(const int64_t *shape, size_t rank) {
  nb::list list;
  for (size_t i = 0; i < rank; ++i)
    list.append(shape[i]);
  return nb::tuple(list);
}

nb::list muon::python::describeTensors(const Artifact &artifact) {
  nb::list list;
  for (const MuonTensorInfo &info : artifact.tensors)
    list.append(nb::make_tuple(
        muonRoleName(info.role), info.name, info.key, dtypeName(info.type),
        shapeTuple(info.shape, info.rank), info.role != MUON_ROLE_GRADIENT));
  return list;
}

nb::list muon::python::describeScalars(const Artifact &artifact) {
  nb::list list;
  for (const MuonScalarInfo &info : artifact.scalars)
    list.append(nb::make_tuple(
        muonRoleName(info.role),
        info.group ? nb::object(nb::str(info.group)) : nb::none(),
        info.has_default ? nb::object(nb::float_(info.default_value))
                         : nb::none()));
  return list;
}

nb::dict muon::python::describeArtifact(const Artifact &artifact) {
  const MuonArtifactInfo &info = artifact.info;
  nb::dict dict;
  dict["compiler"] = info.compiler;
  dict["target"] = info.target;
  dict["arch"] = info.arch;
  dict["cpu"] = info.cpu;
  dict["scratch_bytes"] = info.arena_bytes;
  dict["device"] = info.device;
  dict["host_memory"] = info.host_memory != 0;
  dict["rank"] = info.rank;
  dict["ranks"] = info.ranks;
  dict["grid"] = info.grid;
  return dict;
}

nb::list muon::python::frozenOf(const Artifact &artifact) {
  nb::list list;
  for (size_t i = 0, e = muonArtifactFrozenCount(artifact.handle.get()); i < e;
       ++i)
    list.append(muonArtifactFrozen(artifact.handle.get(), i));
  return list;
}

DeviceArray muon::python::emptyOf(const Artifact &artifact, size_t index) {
  const MuonTensorInfo &info = artifact.tensors.at(index);
  DeviceArray array;
  array.artifact = artifact.handle;
  array.type = info.type;
  array.shape.assign(info.shape, info.shape + info.rank);
  array.bytes = info.bytes;
  checkReleased([&] {
    return muonDeviceAllocate(array.artifact.get(),
                              std::max<uint64_t>(info.bytes, 1), &array.data);
  });
  return array;
}

/// Zero, or the weight for a master.
void muon::python::initialize(const Artifact &artifact, size_t index,
                              nb::handle target, nb::handle weight) {
  const MuonTensorInfo &info = artifact.tensors.at(index);
  View to = View::of(target, wantedOf(info, artifact.info));
  std::vector<char> values(info.bytes);
  if (info.role == MUON_ROLE_MASTER) {
    const MuonTensorInfo *source = nullptr;
    for (const MuonTensorInfo &other : artifact.tensors)
      if (other.role == MUON_ROLE_WEIGHT &&
          std::strcmp(other.name, info.name) == 0)
        source = &other;
    if (!source || source->elements != info.elements ||
        info.type != MUON_TYPE_F32)
      raise("StepError", std::string("master '") + info.name +
                             "' has no weight of its shape on this rank");
    View from = View::of(weight, wantedOf(*source, artifact.info));
    std::vector<char> stored(source->bytes);
    checkReleased([&] {
      return muonDeviceDownload(artifact.handle.get(), stored.data(),
                                from.data(), stored.size(), nullptr);
    });
    for (uint64_t i = 0; i < info.elements; ++i) {
      const float value = toFloat(source->type, stored.data(), i);
      std::memcpy(values.data() + i * sizeof(value), &value, sizeof(value));
    }
  }
  checkReleased([&] {
    return muonDeviceUpload(artifact.handle.get(), to.data(), values.data(),
                            values.size(), nullptr);
  });
}
