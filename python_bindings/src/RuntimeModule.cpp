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

#include "Errors.h"
#include "View.h"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <optional>

namespace nb = nanobind;
using namespace nb::literals;
using namespace muon::python;

static void check(MuonStatus status) {
  if (status == MUON_OK)
    return;
  const bool isArgument =
      status == MUON_ERROR_INVALID_ARGUMENT || status == MUON_ERROR_NOT_READY;
  raise(isArgument ? "ArgumentError" : "StepError", muonLastError());
}

/// As `check`, for calls that took long: `call` runs without the GIL.
template <typename Callable>
static void checkReleased(Callable call) {
  MuonStatus status;
  {
    nb::gil_scoped_release release;
    status = call();
  }
  check(status);
}

//===-- Memory of a device ------------------------------------------------===//

static Wanted wantedOf(const MuonTensorInfo &info,
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

static void copyFrom(DeviceArray &array, nb::handle source) {
  View view = View::of(source, hostCopyOf(array, "source", false));
  checkReleased([&] {
    return muonDeviceUpload(array.artifact.get(), array.data, view.data(),
                            array.bytes, nullptr);
  });
}

static void copyTo(const DeviceArray &array, nb::handle target) {
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

//===-- Artifacts ---------------------------------------------------------===//

namespace {
struct Artifact {
  ArtifactHandle handle;
  MuonArtifactInfo info = {};
  std::vector<MuonTensorInfo> tensors;
  std::vector<MuonScalarInfo> scalars;
};
} // namespace

static std::shared_ptr<Artifact> loadArtifact(const std::string &path,
                                              const std::string &device) {
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

static nb::tuple shapeTuple(const int64_t *shape, size_t rank) {
  nb::list list;
  for (size_t i = 0; i < rank; ++i)
    list.append(shape[i]);
  return nb::tuple(list);
}

static nb::list describeTensors(const Artifact &artifact) {
  nb::list list;
  for (const MuonTensorInfo &info : artifact.tensors)
    list.append(nb::make_tuple(
        muonRoleName(info.role), info.name, info.key, dtypeName(info.type),
        shapeTuple(info.shape, info.rank), info.role != MUON_ROLE_GRADIENT));
  return list;
}

static nb::list describeScalars(const Artifact &artifact) {
  nb::list list;
  for (const MuonScalarInfo &info : artifact.scalars)
    list.append(nb::make_tuple(
        muonRoleName(info.role),
        info.group ? nb::object(nb::str(info.group)) : nb::none(),
        info.has_default ? nb::object(nb::float_(info.default_value))
                         : nb::none()));
  return list;
}

static nb::dict describeArtifact(const Artifact &artifact) {
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

static nb::list frozenOf(const Artifact &artifact) {
  nb::list list;
  for (size_t i = 0, e = muonArtifactFrozenCount(artifact.handle.get()); i < e;
       ++i)
    list.append(muonArtifactFrozen(artifact.handle.get(), i));
  return list;
}

static DeviceArray emptyOf(const Artifact &artifact, size_t index) {
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
static void initialize(const Artifact &artifact, size_t index,
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

//===-- Steps -------------------------------------------------------------===//

namespace {
/// A step of an artifact and what it is bound to.
class Instance {
public:
  explicit Instance(std::shared_ptr<Artifact> artifact);

  /// Binds, if the mappings are not None, and runs. Either all of it happens or
  /// nothing does, but for errors that end a step half way.
  nb::object run(nb::object params, nb::object grads, nb::object state,
                 nb::object lr, nb::object weightDecay, nb::object momentum,
                 nb::object clip, nb::object stream, bool wait);
  void bind(nb::object params, nb::object grads, nb::object state);
  void bindAddresses(nb::list indices, nb::list addresses);
  nb::tuple wait();
  nb::list nonFinite();
  nb::dict statistics();
  nb::object address(size_t index) const;
  int64_t runNanoseconds() const { return nanoseconds; }

private:
  struct Bound {
    View view;
    bool isBound = false;
  };
  using Pending = std::vector<std::pair<size_t, Bound>>;

  /// Calls of two threads do not wait for each other: which of two steps came
  /// first would be chance.
  struct Use {
    explicit Use(Instance &instance) : instance(instance) {
      if (instance.inUse.test_and_set())
        raise("StepError", "the step is in use by another thread");
    }
    ~Use() { instance.inUse.clear(); }
    Instance &instance;
  };

  Pending import(nb::handle params, nb::handle grads, nb::handle state);
  void importAll(nb::handle mapping, const char *keyword, const char *what,
                 const nb::dict &indices, Pending &pending);
  void importOne(nb::handle name, nb::handle tensor, const char *what,
                 const nb::dict &indices, Pending &pending);
  MuonStatus bindAddress(size_t index, void *address);
  void commit(Pending &pending);
  void rollBack(Pending &previous);
  void checkAllBound(const Pending &pending) const;

  void resolve(MuonRole role, const char *keyword, nb::handle given);
  void checkGroups(MuonRole role, const char *keyword, nb::handle given) const;
  void setScalars();

  std::shared_ptr<Artifact> artifact;
  nb::dict weights, gradients, states;
  std::vector<Bound> bound;
  bool isComplete = false; // all are bound, so that no call has to look
  // Of the scalars: what this call asks for, and what the step has.
  std::vector<std::optional<double>> asked, current;
  int64_t nanoseconds = 0;
  std::atomic_flag inUse = ATOMIC_FLAG_INIT;
  // The last member: no view ends before the step.
  std::unique_ptr<MuonStep, void (*)(MuonStep *)> step{nullptr,
                                                       muonStepDestroy};
};
} // namespace

Instance::Instance(std::shared_ptr<Artifact> loaded)
    : artifact(std::move(loaded)), bound(artifact->tensors.size()),
      asked(artifact->scalars.size()), current(artifact->scalars.size()) {
  MuonStep *created = nullptr;
  check(muonStepCreate(artifact->handle.get(), &created));
  step.reset(created);
  for (size_t i = 0; i < artifact->tensors.size(); ++i) {
    const MuonTensorInfo &info = artifact->tensors[i];
    nb::dict &indices = info.role == MUON_ROLE_WEIGHT     ? weights
                        : info.role == MUON_ROLE_GRADIENT ? gradients
                                                          : states;
    indices[info.key] = i;
  }
}

void Instance::importOne(nb::handle name, nb::handle tensor, const char *what,
                         const nb::dict &indices, Pending &pending) {
  PyObject *found = PyDict_GetItemWithError(indices.ptr(), name.ptr());
  if (!found) {
    PyErr_Clear();
    raiseArgument(std::string("the step has no ") + what + " " +
                  nb::cast<std::string>(nb::repr(name)));
  }
  const size_t index = PyLong_AsSize_t(found);
  Bound made;
  made.view =
      View::of(tensor, wantedOf(artifact->tensors[index], artifact->info));
  made.isBound = true;
  pending.emplace_back(index, std::move(made));
}

void Instance::importAll(nb::handle mapping, const char *keyword,
                         const char *what, const nb::dict &indices,
                         Pending &pending) {
  if (mapping.is_none())
    return;
  // A tensor's exporter may be Python code, which may change the mapping.
  nb::object items =
      nb::steal(PyMapping_Check(mapping.ptr()) ? PyMapping_Items(mapping.ptr())
                                               : nullptr);
  if (!items.is_valid()) {
    PyErr_Clear();
    raiseArgument(
        std::string(keyword) + " is a " +
        nb::cast<std::string>(
            nb::handle((PyObject *)Py_TYPE(mapping.ptr())).attr("__name__")) +
        ", expected a mapping from name to tensor");
  }
  for (nb::handle item : items)
    importOne(item[0], item[1], what, indices, pending);
}

Instance::Pending Instance::import(nb::handle params, nb::handle grads,
                                   nb::handle state) {
  Pending pending;
  importAll(params, "params", "weight", weights, pending);
  importAll(grads, "grads", "gradient", gradients, pending);
  importAll(state, "state", "state", states, pending);
  return pending;
}

MuonStatus Instance::bindAddress(size_t index, void *address) {
  const MuonTensorInfo &info = artifact->tensors[index];
  MuonBuffer buffer = {address, info.type, info.rank, info.shape, info.bytes};
  return muonStepBind(step.get(), info.role, info.name, &buffer);
}

/// Afterwards, `pending` is what was bound before.
void Instance::commit(Pending &pending) {
  for (size_t i = 0; i < pending.size(); ++i) {
    const MuonStatus status =
        bindAddress(pending[i].first, pending[i].second.view.data());
    if (status != MUON_OK) {
      const std::string message = muonLastError();
      for (size_t j = 0; j < i; ++j) {
        const size_t index = pending[j].first;
        if (bound[index].isBound)
          (void)bindAddress(index, bound[index].view.data());
      }
      raise(status == MUON_ERROR_INVALID_ARGUMENT ? "ArgumentError"
                                                  : "StepError",
            message);
    }
  }
  for (auto &[index, made] : pending)
    std::swap(bound[index], made);
  isComplete = true;
}

void Instance::rollBack(Pending &previous) {
  for (auto &entry : previous)
    isComplete &= entry.second.isBound;
  for (auto &[index, before] : previous) {
    if (before.isBound)
      (void)bindAddress(index, before.view.data());
    std::swap(bound[index], before);
  }
}

void Instance::checkAllBound(const Pending &pending) const {
  if (isComplete)
    return;
  std::vector<bool> has(bound.size());
  for (size_t i = 0; i < bound.size(); ++i)
    has[i] = bound[i].isBound;
  for (const auto &entry : pending)
    has[entry.first] = true;
  std::string names;
  size_t count = 0;
  for (size_t i = 0; i < has.size(); ++i) {
    if (has[i])
      continue;
    const MuonTensorInfo &info = artifact->tensors[i];
    if (++count <= 8)
      names += std::string(count > 1 ? ", " : "") + muonRoleName(info.role) +
               " '" + info.name + "'";
  }
  if (count)
    raiseArgument(std::to_string(count) + " of " + std::to_string(has.size()) +
                  " tensors are not bound: " + names +
                  (count > 8 ? ", …" : ""));
}

static std::string ofGroup(const MuonScalarInfo &info) {
  return info.group ? std::string(" of group '") + info.group + "'" : "";
}

static double numberOf(nb::handle value, const char *keyword,
                       const MuonScalarInfo *info) {
  const double result = PyFloat_AsDouble(value.ptr());
  if (result == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    raiseArgument(keyword + (info ? ofGroup(*info) : "") + " is " +
                  nb::cast<std::string>(nb::repr(value)) +
                  ", expected a number");
  }
  return result;
}

/// Each call comes here with cold caches: numbers take the short way.
void Instance::resolve(MuonRole role, const char *keyword, nb::handle given) {
  const bool isNone = given.is_none();
  const bool isMapping =
      !isNone && !PyFloat_CheckExact(given.ptr()) &&
      (PyDict_Check(given.ptr()) ||
       (PyMapping_Check(given.ptr()) && nb::hasattr(given, "items")));
  std::optional<double> all;
  if (!isNone && !isMapping)
    all = numberOf(given, keyword, nullptr);

  bool isKnown = false;
  for (size_t i = 0; i < artifact->scalars.size(); ++i) {
    const MuonScalarInfo &info = artifact->scalars[i];
    if (info.role != role)
      continue;
    isKnown = true;
    asked[i] = all;
    if (isMapping && info.group) {
      nb::object key = nb::str(info.group);
      const int contains = PySequence_Contains(given.ptr(), key.ptr());
      if (contains < 0)
        throw nb::python_error();
      if (contains)
        asked[i] = numberOf(nb::object(given[key]), keyword, &info);
    }
    if (!asked[i] && info.has_default)
      asked[i] = info.default_value;
    if (!asked[i])
      raiseArgument(keyword + ofGroup(info) +
                    " is not given, and has no default");
  }
  if (!isKnown && !isNone)
    raiseArgument(std::string("the step has no ") + keyword);
  if (isMapping)
    checkGroups(role, keyword, given);
}

/// That the keys of a mapping are groups.
void Instance::checkGroups(MuonRole role, const char *keyword,
                           nb::handle given) const {
  if (role == MUON_ROLE_CLIP_LIMIT)
    raiseArgument(std::string(keyword) + " has no groups, expected a number");
  for (nb::handle name : nb::borrow<nb::object>(given)) {
    bool isGroup = false;
    std::string groups;
    for (const MuonScalarInfo &info : artifact->scalars) {
      if (info.role != role)
        continue;
      groups += (groups.empty() ? "'" : ", '") + std::string(info.group) + "'";
      isGroup |= nb::isinstance<nb::str>(name) &&
                 nb::cast<std::string>(name) == info.group;
    }
    if (!isGroup)
      raiseArgument(std::string("no ") + keyword + " of group " +
                    nb::cast<std::string>(nb::repr(name)) +
                    "; groups: " + groups);
  }
}

void Instance::setScalars() {
  for (size_t i = 0; i < asked.size(); ++i) {
    const MuonScalarInfo &info = artifact->scalars[i];
    if (!asked[i] || (current[i] && *current[i] == *asked[i]))
      continue;
    check(muonStepSetScalar(step.get(), info.role, info.group, *asked[i]));
    current[i] = asked[i];
  }
}

static void *streamOf(nb::handle stream) {
  if (stream.is_none())
    return nullptr;
  nb::object number = nb::borrow(stream);
  if (nb::hasattr(stream, "__cuda_stream__")) {
    nb::object pair = stream.attr("__cuda_stream__")();
    number = nb::object(pair[1]);
  }
  void *address =
      PyLong_Check(number.ptr()) ? PyLong_AsVoidPtr(number.ptr()) : nullptr;
  if (!PyLong_Check(number.ptr()) || PyErr_Occurred()) {
    PyErr_Clear();
    raiseArgument("stream is " + nb::cast<std::string>(nb::repr(stream)) +
                  ", expected None, the address of a CUstream, or an object "
                  "with __cuda_stream__");
  }
  return address;
}

static nb::tuple resultTuple(const MuonResult &result) {
  return nb::make_tuple(result.taken != 0, result.clip, result.non_finite);
}

nb::object Instance::run(nb::object params, nb::object grads, nb::object state,
                         nb::object lr, nb::object weightDecay,
                         nb::object momentum, nb::object clip,
                         nb::object stream, bool wait) {
  Use use(*this);
  void *const onStream = streamOf(stream);
  Pending pending = import(params, grads, state);
  resolve(MUON_ROLE_LR, "lr", lr);
  resolve(MUON_ROLE_WEIGHT_DECAY, "weight_decay", weightDecay);
  resolve(MUON_ROLE_BETA, "momentum", momentum);
  resolve(MUON_ROLE_CLIP_LIMIT, "clip", clip);
  checkAllBound(pending);
  setScalars();
  commit(pending);

  MuonResult result = {};
  MuonStatus status;
  {
    nb::gil_scoped_release release;
    const auto start = std::chrono::steady_clock::now();
    status = muonStepRun(step.get(), onStream, wait ? &result : nullptr);
    nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(
                      std::chrono::steady_clock::now() - start)
                      .count();
  }
  if (status != MUON_OK) {
    const std::string message = muonLastError();
    const bool isArgument =
        status == MUON_ERROR_INVALID_ARGUMENT || status == MUON_ERROR_NOT_READY;
    if (isArgument)
      rollBack(pending);
    raise(isArgument ? "ArgumentError" : "StepError", message);
  }
  return wait ? nb::object(resultTuple(result)) : nb::none();
}

void Instance::bind(nb::object params, nb::object grads, nb::object state) {
  Use use(*this);
  Pending pending = import(params, grads, state);
  checkAllBound(pending);
  commit(pending);
}

/// Argument indices[i] is at addresses[i]. For callers that check what is there
/// and keep it; nothing here does. What is bound so already costs a comparison.
void Instance::bindAddresses(nb::list indices, nb::list addresses) {
  Use use(*this);
  if (nb::len(indices) != nb::len(addresses))
    raiseArgument("expected as many indices as addresses");
  Pending pending;
  for (size_t i = 0, e = nb::len(indices); i < e; ++i) {
    const size_t index =
        PyLong_AsSize_t(PyList_GET_ITEM(indices.ptr(), Py_ssize_t(i)));
    void *const address =
        PyLong_AsVoidPtr(PyList_GET_ITEM(addresses.ptr(), Py_ssize_t(i)));
    if (PyErr_Occurred())
      throw nb::python_error();
    const Bound &now = bound.at(index);
    if (now.isBound && now.view.data() == address)
      continue;
    pending.emplace_back(index, Bound{View::at(address), true});
  }
  checkAllBound(pending);
  if (!pending.empty())
    commit(pending);
}

nb::tuple Instance::wait() {
  Use use(*this);
  MuonResult result = {};
  checkReleased([&] { return muonStepWait(step.get(), &result); });
  return resultTuple(result);
}

nb::list Instance::nonFinite() {
  Use use(*this);
  MuonResult result = {};
  checkReleased([&] { return muonStepWait(step.get(), &result); });
  nb::list list;
  for (size_t i = 0; i < result.non_finite; ++i) {
    MuonNonFinite info = {};
    check(muonStepNonFinite(step.get(), i, &info));
    list.append(nb::make_tuple(muonRoleName(info.role), info.name));
  }
  return list;
}

nb::dict Instance::statistics() {
  Use use(*this);
  MuonResult result = {};
  checkReleased([&] { return muonStepWait(step.get(), &result); });
  nb::dict dict;
  for (size_t i = 0; i < result.statistics; ++i) {
    MuonStatistics one = {};
    check(muonStepStatistics(step.get(), i, &one));
    dict[one.name] = nb::make_tuple(one.gradient_norm, one.momentum_norm,
                                    one.update_rms, one.weight_norm);
  }
  return dict;
}

nb::object Instance::address(size_t index) const {
  const Bound &one = bound.at(index);
  return one.isBound ? nb::int_(reinterpret_cast<uintptr_t>(one.view.data()))
                     : nb::object(nb::none());
}

//===-- The module --------------------------------------------------------===//

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
