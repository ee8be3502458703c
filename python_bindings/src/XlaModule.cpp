//===- XlaModule.cpp - muon_mlir._xla -------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The custom call of XLA, on the CPU, that runs a compiled step.
//
// Operands: count and skipped (s32), the scalars of the artifact in its order
// (f32 vector), then its tensors in its order, without the number of steps.
// Results: count and skipped, then the tensors that the step writes to, each in
// the buffer of its operand. The attribute `program` is a key of the registry.
//
//===----------------------------------------------------------------------===//

#include "Errors.h"
#include "View.h"

#include "xla/ffi/api/ffi.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <new>

namespace nb = nanobind;
namespace ffi = xla::ffi;
using namespace nb::literals;
using namespace muon::python;

//===-- Programs ----------------------------------------------------------===//

namespace {
/// A loaded artifact and what it wants. Does not change once made.
struct Program {
  ArtifactHandle artifact;
  std::vector<MuonTensorInfo> tensors;
  std::vector<MuonScalarInfo> scalars;
  size_t operands = 3, results = 2;
};
using ProgramHandle = std::shared_ptr<const Program>;

/// Programs stay until the process ends: what JAX has traced, but not compiled
/// yet, names them by their keys alone. Never destroyed, for executables may
/// outlive static objects.
struct Registry {
  std::mutex mutex;
  std::map<std::string, ProgramHandle, std::less<>> programs;

  static Registry &get() {
    static auto *registry = new Registry;
    return *registry;
  }

  ProgramHandle find(std::string_view key) {
    std::lock_guard<std::mutex> lock(mutex);
    auto found = programs.find(key);
    return found == programs.end() ? nullptr : found->second;
  }
};
} // namespace

static void check(MuonStatus status) {
  if (status != MUON_OK)
    raise("StepError", muonLastError());
}

static void addProgram(const std::string &key, const std::string &path) {
  MuonArtifact *loaded = nullptr;
  MuonStatus status;
  {
    nb::gil_scoped_release release;
    status = muonArtifactLoad(path.c_str(), "cpu", &loaded);
  }
  check(status);
  auto program = std::make_shared<Program>();
  program->artifact = ArtifactHandle(loaded, muonArtifactRelease);
  program->tensors.resize(muonArtifactTensorCount(loaded));
  for (size_t i = 0; i < program->tensors.size(); ++i) {
    MuonTensorInfo &info = program->tensors[i];
    check(muonArtifactTensor(loaded, i, &info));
    if (info.role == MUON_ROLE_STEP)
      continue;
    ++program->operands;
    program->results += info.role != MUON_ROLE_GRADIENT;
  }
  program->scalars.resize(muonArtifactScalarCount(loaded));
  for (size_t i = 0; i < program->scalars.size(); ++i)
    check(muonArtifactScalar(loaded, i, &program->scalars[i]));

  Registry &registry = Registry::get();
  std::lock_guard<std::mutex> lock(registry.mutex);
  // The key is a hash of the artifact: of two, either will do.
  registry.programs.emplace(key, std::move(program));
}

//===-- Calls -------------------------------------------------------------===//

namespace {
/// One step with its scratch memory, for one execution at a time.
struct Instance {
  std::unique_ptr<MuonStep, void (*)(MuonStep *)> step{nullptr,
                                                       muonStepDestroy};
  // For each tensor: where it is in this run, what is bound, and the copies of
  // gradients that share memory.
  std::vector<void *> data, bound;
  std::map<size_t, std::vector<char>> copies;
  std::vector<size_t> order;  // gradients, by address in the last run
  std::vector<float> scalars; // what is set; empty if it is not known
  int64_t count = 0;          // bound as the number of steps
};

/// What a call in an executable has, for as long as the executable lives.
/// Executions that overlap have an instance each.
class Call {
public:
  static ffi::TypeId id;

  explicit Call(ProgramHandle program) : program(std::move(program)) {}

  ffi::Error run(ffi::RemainingArgs operands, ffi::RemainingRets results);

private:
  ffi::Error runOn(Instance &instance, ffi::RemainingArgs operands,
                   ffi::RemainingRets results);
  ffi::Error find(Instance &instance, ffi::RemainingArgs operands,
                  ffi::RemainingRets results) const;
  void separateGradients(Instance &instance) const;
  ffi::Error bind(Instance &instance) const;
  ffi::Error setScalars(Instance &instance, const float *values) const;

  const ProgramHandle program;
  std::mutex mutex;
  std::vector<std::unique_ptr<Instance>> idle;
};
} // namespace

ffi::TypeId Call::id = XLA_FFI_UNKNOWN_TYPE_ID;
static const ffi::TypeInfo callType = ffi::MakeTypeInfo<Call>();

static ffi::Error fail(MuonStatus status) {
  const auto code =
      status == MUON_ERROR_OUT_OF_MEMORY ? ffi::ErrorCode::kResourceExhausted
      : status == MUON_ERROR_INVALID_ARGUMENT || status == MUON_ERROR_NOT_READY
          ? ffi::ErrorCode::kInvalidArgument
          : ffi::ErrorCode::kInternal;
  return ffi::Error(code, std::string("muon_mlir: ") + muonLastError());
}

static ffi::Error invalid(const std::string &message) {
  return ffi::Error::InvalidArgument("muon_mlir: " + message);
}

static ffi::DataType dataType(MuonType type) {
  switch (type) {
  case MUON_TYPE_F32:
    return ffi::DataType::F32;
  case MUON_TYPE_BF16:
    return ffi::DataType::BF16;
  case MUON_TYPE_F16:
    return ffi::DataType::F16;
  case MUON_TYPE_F64:
    return ffi::DataType::F64;
  case MUON_TYPE_I64:
    return ffi::DataType::S64;
  default:
    return ffi::DataType::INVALID;
  }
}

/// The address of an operand or a result, if it has the type and the shape.
static void *dataOf(const ffi::AnyBuffer &buffer, ffi::DataType type,
                    const int64_t *shape, size_t rank) {
  auto dimensions = buffer.dimensions();
  return buffer.element_type() == type && dimensions.size() == rank &&
                 std::equal(dimensions.begin(), dimensions.end(), shape)
             ? buffer.untyped_data()
             : nullptr;
}

// What call frames have are buffers, and `run` compares how many.
static ffi::AnyBuffer at(const ffi::RemainingArgs &operands, size_t index) {
  return *operands.get<ffi::AnyBuffer>(index);
}

static ffi::AnyBuffer at(const ffi::RemainingRets &results, size_t index) {
  return **results.get<ffi::AnyBuffer>(index);
}

static std::string describe(const MuonTensorInfo &info) {
  return std::string(muonRoleName(info.role)) + " '" + info.name + "'";
}

/// The addresses of all tensors, from operands that fit.
ffi::Error Call::find(Instance &instance, ffi::RemainingArgs operands,
                      ffi::RemainingRets results) const {
  size_t operand = 3, result = 2;
  for (size_t i = 0; i < program->tensors.size(); ++i) {
    const MuonTensorInfo &info = program->tensors[i];
    if (info.role == MUON_ROLE_STEP) {
      instance.data[i] = &instance.count;
      continue;
    }
    void *data = dataOf(at(operands, operand++), dataType(info.type),
                        info.shape, info.rank);
    if (!data)
      return invalid(describe(info) + ": expected dtype " +
                     dtypeName(info.type) + " and shape " +
                     shapeText(info.shape, info.rank));
    if (info.role != MUON_ROLE_GRADIENT &&
        at(results, result++).untyped_data() != data)
      return invalid(describe(info) +
                     ": expected a result in the buffer of the operand");
    instance.data[i] = data;
  }
  return ffi::Error::Success();
}

/// Equal values, such as the gradients of what a loss does not need, have one
/// buffer in XLA. Steps refuse buffers that overlap, which elsewhere are
/// mistakes: all but the first are copied.
void Call::separateGradients(Instance &instance) const {
  std::vector<size_t> &order = instance.order;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::less<void *>()(instance.data[a], instance.data[b]);
  });
  const char *end = nullptr;
  for (size_t i : order) {
    const auto *begin = static_cast<const char *>(instance.data[i]);
    const uint64_t bytes = program->tensors[i].bytes;
    if (end && std::less<const char *>()(begin, end)) {
      std::vector<char> &copy = instance.copies[i];
      copy.assign(begin, begin + bytes);
      instance.data[i] = copy.data();
    }
    end = std::max(end, begin + bytes, std::less<const char *>());
  }
}

ffi::Error Call::bind(Instance &instance) const {
  for (size_t i = 0; i < program->tensors.size(); ++i) {
    // A run after a bind checks all buffers again, without one it does not.
    void *data = instance.data[i];
    if (instance.bound[i] == data)
      continue;
    const MuonTensorInfo &info = program->tensors[i];
    MuonBuffer buffer = {data, info.type, info.rank, info.shape, info.bytes};
    if (MuonStatus status =
            muonStepBind(instance.step.get(), info.role, info.name, &buffer))
      return fail(status);
    instance.bound[i] = data;
  }
  return ffi::Error::Success();
}

ffi::Error Call::setScalars(Instance &instance, const float *values) const {
  const size_t count = program->scalars.size();
  const bool isFirst = instance.scalars.empty();
  std::vector<float> set(values, values + count);
  for (size_t i = 0; i < count; ++i) {
    const MuonScalarInfo &info = program->scalars[i];
    if (!isFirst && instance.scalars[i] == set[i])
      continue;
    if (MuonStatus status = muonStepSetScalar(instance.step.get(), info.role,
                                              info.group, set[i])) {
      instance.scalars.clear();
      return fail(status);
    }
  }
  instance.scalars = std::move(set);
  return ffi::Error::Success();
}

ffi::Error Call::runOn(Instance &instance, ffi::RemainingArgs operands,
                       ffi::RemainingRets results) {
  const auto scalarCount = int64_t(program->scalars.size());
  const void *counts[2] = {};
  void *newCounts[2] = {};
  for (size_t i = 0; i < 2; ++i) {
    counts[i] = dataOf(at(operands, i), ffi::DataType::S32, nullptr, 0);
    newCounts[i] = dataOf(at(results, i), ffi::DataType::S32, nullptr, 0);
    if (!counts[i] || !newCounts[i])
      return invalid("count and skipped are not int32");
  }
  const auto *scalars = static_cast<const float *>(
      dataOf(at(operands, 2), ffi::DataType::F32, &scalarCount, 1));
  if (!scalars)
    return invalid("expected " + std::to_string(scalarCount) + " scalars");

  const int32_t count = *static_cast<const int32_t *>(counts[0]);
  const int32_t skipped = *static_cast<const int32_t *>(counts[1]);
  if (count < 0 || count == INT32_MAX || skipped == INT32_MAX)
    return invalid("count is " + std::to_string(count) + " and skipped " +
                   std::to_string(skipped) + ", expected from 0 to 2^31 - 2");
  if (ffi::Error error = find(instance, operands, results); error.failure())
    return error;
  separateGradients(instance);
  if (ffi::Error error = bind(instance); error.failure())
    return error;
  if (ffi::Error error = setScalars(instance, scalars); error.failure())
    return error;
  instance.count = count;
  MuonResult result = {};
  if (MuonStatus status = muonStepRun(instance.step.get(), nullptr, &result))
    return fail(status);
  *static_cast<int32_t *>(newCounts[0]) = count + (result.taken ? 1 : 0);
  *static_cast<int32_t *>(newCounts[1]) = skipped + (result.taken ? 0 : 1);
  return ffi::Error::Success();
}

ffi::Error Call::run(ffi::RemainingArgs operands, ffi::RemainingRets results) {
  if (operands.size() != program->operands ||
      results.size() != program->results)
    return invalid("the call has " + std::to_string(operands.size()) +
                   " operands and " + std::to_string(results.size()) +
                   " results, expected " + std::to_string(program->operands) +
                   " and " + std::to_string(program->results));
  std::unique_ptr<Instance> instance;
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (!idle.empty()) {
      instance = std::move(idle.back());
      idle.pop_back();
    }
  }
  if (!instance) {
    instance = std::make_unique<Instance>();
    MuonStep *step = nullptr;
    if (MuonStatus status = muonStepCreate(program->artifact.get(), &step))
      return fail(status);
    instance->step.reset(step);
    instance->data.resize(program->tensors.size());
    instance->bound.resize(program->tensors.size());
    for (size_t i = 0; i < program->tensors.size(); ++i)
      if (program->tensors[i].role == MUON_ROLE_GRADIENT)
        instance->order.push_back(i);
  }
  ffi::Error error = runOn(*instance, operands, results);
  std::lock_guard<std::mutex> lock(mutex);
  idle.push_back(std::move(instance));
  return error;
}

static ffi::ErrorOr<std::unique_ptr<Call>>
instantiate(std::string_view program) {
  ProgramHandle found = Registry::get().find(program);
  if (!found)
    return ffi::Unexpected(ffi::Error(
        ffi::ErrorCode::kFailedPrecondition,
        "muon_mlir: this process has no step " + std::string(program) +
            "; what was compiled by another process cannot be run here"));
  return std::make_unique<Call>(std::move(found));
}

static ffi::Error execute(Call *call, ffi::RemainingArgs operands,
                          ffi::RemainingRets results) {
  try {
    return call->run(operands, results);
  } catch (const std::bad_alloc &) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted,
                      "muon_mlir: out of memory");
  }
}

XLA_FFI_DEFINE_HANDLER(
    instantiateHandler, instantiate,
    ffi::Ffi::BindInstantiate().Attr<std::string_view>("program"));
XLA_FFI_DEFINE_HANDLER(
    executeHandler, execute,
    ffi::Ffi::Bind().Ctx<ffi::State<Call>>().RemainingArgs().RemainingRets());

//===-- The module --------------------------------------------------------===//

NB_MODULE(_xla, m) {
  m.def("add_program", addProgram, "key"_a, "path"_a);
  m.def(
      "has_program",
      [](std::string_view key) { return Registry::get().find(key) != nullptr; },
      "key"_a);
  m.def("handlers", [] {
    nb::dict handlers;
    handlers["instantiate"] =
        nb::capsule(reinterpret_cast<void *>(instantiateHandler));
    handlers["execute"] = nb::capsule(reinterpret_cast<void *>(executeHandler));
    return handlers;
  });
  m.def("call_type", [] {
    nb::dict type;
    type["type_id"] = nb::capsule(static_cast<void *>(&Call::id));
    type["type_info"] =
        nb::capsule(const_cast<void *>(static_cast<const void *>(&callType)));
    return type;
  });
}
