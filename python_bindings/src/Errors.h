//===- Errors.h - Exceptions of muon_mlir ---------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_PYTHON_ERRORS_H
#define MUON_MLIR_PYTHON_ERRORS_H

#include <nanobind/nanobind.h>

#include <string>

namespace muon::python {

/// Throws the class `name` of muon_mlir, with the GIL held.
[[noreturn]] inline void
raise(const char *name, const std::string &message,
      nanobind::object diagnostics = nanobind::tuple()) {
  nanobind::object type =
      nanobind::module_::import_("muon_mlir._errors").attr(name);
  nanobind::object text = nanobind::steal(PyUnicode_DecodeUTF8(
      message.data(), Py_ssize_t(message.size()), "replace"));
  nanobind::object error = type(text, diagnostics);
  PyErr_SetObject(type.ptr(), error.ptr());
  throw nanobind::python_error();
}

[[noreturn]] inline void raiseArgument(const std::string &message) {
  raise("ArgumentError", message);
}

} // namespace muon::python

#endif // MUON_MLIR_PYTHON_ERRORS_H
