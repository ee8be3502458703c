//===- CompilerModule.cpp - muon_mlir._compiler ---------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Modules and their compilation, over libmuon_compiler.
//
//===----------------------------------------------------------------------===//

#include "Errors.h"

#include "muon-mlir-c/Compiler.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace nb = nanobind;
using namespace nb::literals;
using namespace muon::python;

namespace {

struct Diagnostic {
  MuonSeverity severity;
  std::string message;
  std::optional<std::string> file;
  uint32_t line, column;
};

/// What a call said, in order, notes after what they belong to.
using Diagnostics = std::vector<Diagnostic>;

/// A context and the lock that lets one thread at a time use it.
class Context {
public:
  Context() {
    if (muonContextCreate(&context) != MUON_COMPILER_OK)
      raise("CompileError", "cannot create a compiler context");
    muonContextSetHandler(
        context,
        [](void *user, const MuonDiagnostic *one) {
          static_cast<Diagnostics *>(user)->push_back(
              {one->severity, one->message ? one->message : "",
               one->file ? std::optional<std::string>(one->file) : std::nullopt,
               one->line, one->column});
        },
        &diagnostics);
  }
  Context(const Context &) = delete;
  ~Context() { muonContextDestroy(context); }

  /// Calls with the GIL released; throws what failed, and warns of the rest.
  template <typename Callable>
  void call(const char *what, Callable callable) {
    MuonCompilerStatus status;
    std::string errors;
    Diagnostics found;
    {
      nb::gil_scoped_release release;
      std::lock_guard<std::mutex> lock(mutex);
      diagnostics.clear();
      status = callable(context);
      if (status != MUON_COMPILER_OK)
        errors = muonContextErrors(context);
      found.swap(diagnostics);
    }
    finish(what, status, errors, found);
  }

  /// For calls of destructors.
  template <typename Callable>
  void callQuietly(Callable callable) {
    std::lock_guard<std::mutex> lock(mutex);
    callable();
  }

private:
  static nb::object toPython(const Diagnostic &one, nb::handle notes) {
    static const char *const names[] = {"note", "remark", "warning", "error"};
    nb::object type =
        nb::module_::import_("muon_mlir._errors").attr("Diagnostic");
    auto number = [](uint32_t value) {
      return value ? nb::object(nb::int_(value)) : nb::none();
    };
    nb::object message = nb::steal(PyUnicode_DecodeUTF8(
        one.message.data(), Py_ssize_t(one.message.size()), "replace"));
    return type(names[one.severity], message, one.file, number(one.line),
                number(one.column), nb::tuple(notes));
  }

  static void finish(const char *what, MuonCompilerStatus status,
                     std::string errors, const Diagnostics &found) {
    nb::list list;
    for (size_t i = 0; i < found.size();) {
      nb::list notes;
      size_t next = i + 1;
      for (; next < found.size() && found[next].severity == MUON_SEVERITY_NOTE;
           ++next)
        notes.append(toPython(found[next], nb::list()));
      list.append(toPython(found[i], notes));
      i = next;
    }
    if (status == MUON_COMPILER_OK) {
      nb::module_::import_("muon_mlir._errors").attr("warn")(list);
      return;
    }
    while (!errors.empty() && errors.back() == '\n')
      errors.pop_back();
    if (errors.empty())
      errors = std::string(what) + " failed with status " +
               std::to_string(int(status));
    raise(status == MUON_COMPILER_INVALID_ARGUMENT ? "ArgumentError"
                                                   : "CompileError",
          errors, nb::tuple(list));
  }

  MuonContext *context = nullptr;
  Diagnostics diagnostics;
  std::mutex mutex;
};

class Module {
public:
  using Tensors =
      std::vector<std::tuple<std::string, std::string, std::vector<int64_t>>>;

  Module(Module &&other)
      : context(std::move(other.context)),
        module(std::exchange(other.module, nullptr)) {}
  ~Module() {
    if (module)
      context->callQuietly([&] { muonModuleDestroy(module); });
  }

  static Module parse(nb::bytes text, const std::string &name);
  static Module fromTensors(const Tensors &tensors,
                            const std::optional<std::string> &rules);
  static Module fromSafetensors(const std::string &path,
                                const std::optional<std::string> &rules);
  Module clone();
  void verify();
  nb::str print(bool locations);
  void runPasses(const std::string &pipeline);
  nb::str compile(const std::string &path,
                  const std::optional<std::string> &target,
                  const std::optional<std::string> &cpu,
                  const std::optional<std::string> &ptxas,
                  const std::optional<std::string> &chip, int64_t scratchLimit,
                  const std::optional<std::string> &grid, int64_t rank,
                  const std::optional<std::string> &topology);

private:
  explicit Module(std::shared_ptr<Context> context)
      : context(std::move(context)) {}

  std::shared_ptr<Context> context;
  MuonModule *module = nullptr;
};

} // namespace

static const char *orNull(const std::optional<std::string> &text) {
  return text ? text->c_str() : nullptr;
}

static nb::str take(MuonString text) {
  nb::object result = nb::steal(
      PyUnicode_DecodeUTF8(text.data, Py_ssize_t(text.size), "replace"));
  muonStringDestroy(text);
  return nb::str(result);
}

Module Module::parse(nb::bytes text, const std::string &name) {
  Module result(std::make_shared<Context>());
  const char *data = text.c_str();
  const size_t size = text.size();
  result.context->call("parsing", [&](MuonContext *context) {
    return muonModuleParse(context, data, size, name.c_str(), &result.module);
  });
  return result;
}

Module Module::fromTensors(const Tensors &tensors,
                           const std::optional<std::string> &rules) {
  Module result(std::make_shared<Context>());
  std::vector<MuonTensorDescription> descriptions;
  for (const auto &[name, type, shape] : tensors)
    descriptions.push_back(
        {name.c_str(), type.c_str(), shape.data(), shape.size()});
  result.context->call("import", [&](MuonContext *context) {
    return muonModuleFromTensors(context, descriptions.data(),
                                 descriptions.size(), orNull(rules),
                                 &result.module);
  });
  return result;
}

Module Module::fromSafetensors(const std::string &path,
                               const std::optional<std::string> &rules) {
  Module result(std::make_shared<Context>());
  result.context->call("import", [&](MuonContext *context) {
    return muonModuleFromSafetensors(context, path.c_str(), orNull(rules),
                                     &result.module);
  });
  return result;
}

Module Module::clone() {
  Module result(context);
  context->call("clone", [&](MuonContext *) {
    return muonModuleClone(module, &result.module);
  });
  return result;
}

void Module::verify() {
  context->call("verification",
                [&](MuonContext *) { return muonModuleVerify(module); });
}

nb::str Module::print(bool locations) {
  MuonString text = {};
  context->call("printing", [&](MuonContext *) {
    return muonModulePrint(module, locations, &text);
  });
  return take(text);
}

/// On a copy: passes that fail leave what can only be printed.
void Module::runPasses(const std::string &pipeline) {
  Module copy = clone();
  context->call("the pipeline", [&](MuonContext *) {
    return muonModuleRunPasses(copy.module, pipeline.c_str());
  });
  std::swap(module, copy.module);
}

nb::str Module::compile(const std::string &path,
                        const std::optional<std::string> &target,
                        const std::optional<std::string> &cpu,
                        const std::optional<std::string> &ptxas,
                        const std::optional<std::string> &chip,
                        int64_t scratchLimit,
                        const std::optional<std::string> &grid, int64_t rank,
                        const std::optional<std::string> &topology) {
  MuonCompileOptions options = MUON_COMPILE_OPTIONS_INIT;
  options.target = orNull(target);
  options.cpu = orNull(cpu);
  options.ptxas = orNull(ptxas);
  options.chip = orNull(chip);
  options.scratch_limit = scratchLimit;
  options.grid = orNull(grid);
  options.rank = rank;
  options.topology = orNull(topology);
  MuonString report = {};
  context->call("compilation", [&](MuonContext *) {
    return muonModuleCompile(module, &options, path.c_str(), &report);
  });
  return take(report);
}

NB_MODULE(_compiler, m) {
  nb::set_leak_warnings(false);
  const uint32_t found = muonCompilerApiVersion() >> 16;
  if (found != MUON_COMPILER_API_MAJOR)
    throw nb::import_error(("libmuon_compiler has version " +
                            std::to_string(found) +
                            " of its interface, expected " +
                            std::to_string(MUON_COMPILER_API_MAJOR))
                               .c_str());

  m.def("build", [] { return muonCompilerBuild(); });
  nb::class_<Module>(m, "Module")
      .def_static("parse", &Module::parse, "text"_a, "name"_a)
      .def_static("from_tensors", &Module::fromTensors, "tensors"_a,
                  "rules"_a.none())
      .def_static("from_safetensors", &Module::fromSafetensors, "path"_a,
                  "rules"_a.none())
      .def("clone", &Module::clone)
      .def("verify", &Module::verify)
      .def("print", &Module::print, "locations"_a)
      .def("run_passes", &Module::runPasses, "pipeline"_a)
      .def("compile", &Module::compile, "path"_a, "target"_a.none(),
           "cpu"_a.none(), "ptxas"_a.none(), "chip"_a.none(), "scratch_limit"_a,
           "grid"_a.none(), "rank"_a, "topology"_a.none());
}
