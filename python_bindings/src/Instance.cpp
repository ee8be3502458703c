//===- Instance.cpp - Steps that are bound to tensors ---------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Instance.h"

#include <nanobind/stl/string.h>

#include <chrono>
#include <cstring>
#include <string>

namespace nb = nanobind;
using namespace nb::literals;
using namespace muon::python;

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
