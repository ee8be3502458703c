//===- View.h - Memory of tensors of others -------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_PYTHON_VIEW_H
#define MUON_MLIR_PYTHON_VIEW_H

#include "muon-mlir/Runtime/Runtime.h"

#include <nanobind/nanobind.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace muon::python {

/// A loaded artifact. Steps and memory of the device keep it.
using ArtifactHandle = std::shared_ptr<MuonArtifact>;

/// Memory of an artifact's device, in the type and shape of a tensor.
struct DeviceArray {
  ArtifactHandle artifact;
  void *data = nullptr;
  MuonType type = MUON_TYPE_F32;
  std::vector<int64_t> shape;
  uint64_t bytes = 0;

  DeviceArray() = default;
  DeviceArray(DeviceArray &&other)
      : artifact(std::move(other.artifact)),
        data(std::exchange(other.data, nullptr)), type(other.type),
        shape(std::move(other.shape)), bytes(other.bytes) {}
  ~DeviceArray() { muonDeviceFree(artifact.get(), data); }
};

/// An integer buffer whose elements are the bits of bf16 numbers.
struct BFloat16 {
  nanobind::object bits;
};

/// What a tensor is to be bound to, and what for.
struct Wanted {
  const char *role;
  const char *name;
  MuonType type;
  const int64_t *shape;
  size_t rank;
  uint64_t bytes;
  bool isWritten;
  bool isHostMemory;
  const char *device;
};

/// Memory of an exporter, which keeps it alive and in place while the view
/// lives. To be destroyed with the GIL held.
class View {
public:
  View() = default;
  View(View &&other) { *this = std::move(other); }
  View &operator=(View &&other) {
    std::swap(address, other.address);
    std::swap(release, other.release);
    return *this;
  }
  ~View() {
    if (release)
      release();
  }

  /// Throws ArgumentError if `object` does not fit.
  static View of(nanobind::handle object, const Wanted &wanted);

  /// Memory that someone else looks after.
  static View at(void *address) {
    View view;
    view.address = address;
    return view;
  }

  void *data() const { return address; }

private:
  friend class Importer;
  void *address = nullptr;
  std::function<void()> release;
};

/// As NumPy calls it.
const char *dtypeName(MuonType type);

std::string shapeText(const int64_t *shape, size_t rank);

} // namespace muon::python

#endif // MUON_MLIR_PYTHON_VIEW_H
