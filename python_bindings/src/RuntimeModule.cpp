//===- RuntimeModule.cpp - muon_mlir._runtime -----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of the package that needs no compiler, over libmuon_runtime.
//
//===----------------------------------------------------------------------===//

#include "Artifact.h"
#include "Instance.h"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

namespace nb = nanobind;
using namespace nb::literals;
using namespace muon::python;

NB_MODULE(_runtime, m) {
  // Steps that live until the interpreter ends are no mistake.
  nb::set_leak_warnings(false);

  m.def("version", [] { return muonRuntimeVersion(); });
  m.def("devices", [] {
    nb::list names;
    for (size_t i = 0, e = muonDeviceCount(); i < e; ++i)
      names.append(muonDeviceName(i));
    return names;
  });
  m.def(
      "set_cpu_threads", [](int32_t count) { check(muonSetCpuThreads(count)); },
      "count"_a);

  nb::class_<BFloat16>(m, "BFloat16")
      .def(nb::init<nb::object>(), "bits"_a)
      .def_ro("bits", &BFloat16::bits);

  nb::class_<DeviceArray>(m, "DeviceArray")
      .def_prop_ro("shape",
                   [](const DeviceArray &self) {
                     return shapeTuple(self.shape.data(), self.shape.size());
                   })
      .def_prop_ro("dtype",
                   [](const DeviceArray &self) { return dtypeName(self.type); })
      .def_prop_ro("address",
                   [](const DeviceArray &self) {
                     return reinterpret_cast<uintptr_t>(self.data);
                   })
      .def("copy_from", copyFrom, "source"_a)
      .def("copy_to", copyTo, "target"_a);

  nb::class_<Artifact>(m, "Artifact")
      .def("info", describeArtifact)
      .def("tensors", describeTensors)
      .def("scalars", describeScalars)
      .def("frozen", frozenOf)
      .def("empty", emptyOf, "index"_a)
      .def("initialize", initialize, "index"_a, "target"_a, "weight"_a.none());
  m.def("load", loadArtifact, "path"_a, "device"_a);

  nb::class_<Instance>(m, "Instance")
      .def(nb::init<std::shared_ptr<Artifact>>(), "artifact"_a)
      .def("run", &Instance::run, "params"_a.none(), "grads"_a.none(),
           "state"_a.none(), "lr"_a.none(), "weight_decay"_a.none(),
           "momentum"_a.none(), "clip"_a.none(), "stream"_a.none(), "wait"_a)
      .def("bind", &Instance::bind, "params"_a.none(), "grads"_a.none(),
           "state"_a.none())
      .def("bind_addresses", &Instance::bindAddresses, "indices"_a,
           "addresses"_a)
      .def("wait", &Instance::wait)
      .def("nonfinite", &Instance::nonFinite)
      .def("statistics", &Instance::statistics)
      .def("address", &Instance::address, "index"_a)
      .def_prop_ro("run_nanoseconds", &Instance::runNanoseconds);
}
