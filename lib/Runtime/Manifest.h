//===- Manifest.h - The manifest of an artifact -----------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_MANIFEST_H
#define MUON_MLIR_LIB_RUNTIME_MANIFEST_H

#include "Communicator.h"
#include "Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muon {

/// What an argument is of a tensor.
struct Member {
  enum Kind {
    Whole,
    /// Rows [begin, end) of a tensor that has `rows` rows.
    Rows,
    /// A block of the argument's shape at `offset` of a tensor of shape `of`.
    Block,
    /// Elements from number `from` on, row-major, of the block of shape `block`
    /// at `offset` of a tensor of shape `of`, which may be all of it.
    Run
  };
  std::string tensor;
  Kind kind = Whole;
  int64_t begin = 0, end = 0, rows = 0;
  std::vector<int64_t> offset;
  int64_t from = 0;
  std::vector<int64_t> block, of;
};

struct Argument {
  MuonRole role = MUON_ROLE_WEIGHT;
  MuonType type = MUON_TYPE_F32;
  /// Of one member where the role is that of a tensor.
  std::vector<int64_t> shape;
  uint64_t elements = 0;
  uint64_t bytes = 0;
  /// Index into Manifest::params, if the role has members.
  std::optional<size_t> params;
  std::string group;
  std::optional<float> defaultValue;
  uint64_t slot = 0;
  uint64_t slotCount = 1;
};

/// `sm_80`, `sm_90a`.
struct GpuArch {
  unsigned number = 0;
  /// `a` or `f`; 0 if there is none, and later machines run the code too.
  char suffix = 0;

  std::string text() const;
};

/// A part of `muon_device_code`.
struct DeviceCode {
  enum Kind { Ptx, Cubin };
  Kind kind = Ptx;
  GpuArch arch;
  uint64_t offset = 0, bytes = 0;
};

/// A kernel with the parameters of MuonHostApi::launch. Blocks are
/// one-dimensional.
struct Kernel {
  std::string name;
  /// What the kernel is a part of, for people.
  std::string phase;
  uint32_t threads = 0;
  /// Dynamic shared memory.
  uint32_t sharedBytes = 0;
  /// As ptxas counts them.
  std::optional<uint32_t> registers;
};

/// What an artifact for a GPU has beyond others.
struct DeviceManifest {
  GpuArch arch;
  /// Version of the PTX ISA, times ten.
  unsigned isa = 0;
  /// What the addresses of tensors are multiples of.
  uint64_t alignment = 1;
  /// The most shared memory that any kernel takes, static and dynamic.
  std::optional<uint32_t> sharedBytes;
  std::vector<DeviceCode> code;
  std::vector<Kernel> kernels;
};

/// What the artifact of one rank of several has beyond others.
struct Distribution {
  struct Axis {
    std::string name;
    int64_t size = 1;
  };
  /// Ranks are row-major in it, the last axis fastest.
  std::vector<Axis> grid;
  int32_t rank = 0, ranks = 1;
  /// What all ranks have to agree on, for people.
  std::vector<std::string> plan;
  std::vector<Collective> collectives;

  /// As "dp=4,tp=2".
  std::string gridText() const;
};

/// A manifest that was checked as far as this is possible without knowing the
/// machine. Slots are disjoint and cover the table, sizes do not overflow, and
/// sums have one entry per matrix.
struct Manifest {
  std::string compiler, target, arch, cpu;
  std::vector<std::string> features;
  uint64_t arenaBytes = 0;
  uint64_t arenaAlignment = 1;
  uint64_t slots = 0;
  std::vector<std::string> frozen;
  std::vector<std::vector<Member>> params;
  std::vector<Argument> arguments;
  /// There is one for all targets but the CPU.
  std::optional<DeviceManifest> device;
  /// There is none on one rank.
  std::optional<Distribution> distribution;
};

inline bool isTensor(MuonRole role) { return role <= MUON_ROLE_STEP; }
inline bool isScalar(MuonRole role) {
  return role >= MUON_ROLE_LR && role <= MUON_ROLE_CLIP_LIMIT;
}
/// Tensors that belong to the optimizer.
inline bool isState(MuonRole role) {
  return role >= MUON_ROLE_MOMENTUM && role <= MUON_ROLE_STEP;
}
inline bool isSums(MuonRole role) { return role >= MUON_ROLE_GRADIENT_SUMS; }
/// Whether an argument of the role belongs to a list of parameters.
inline bool hasMembers(MuonRole role) {
  return role <= MUON_ROLE_MASTER || isSums(role);
}

/// Elements of a shape; nullopt if there are more than 2^63 - 1.
std::optional<uint64_t> countElements(const std::vector<int64_t> &shape);

/// Shape of the tensor that `member` of the argument is a part of.
std::vector<int64_t> logicalShape(const Member &member,
                                  const Argument &argument);

/// Why `value` is not allowed for a scalar; null if it is.
const char *invalidScalar(MuonRole role, float value);

/// Checks that all code lies within a symbol of that size.
Error checkCodeRanges(const DeviceManifest &device, uint64_t bytes);

Error parseManifest(std::string_view text, Manifest &manifest);

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_MANIFEST_H
