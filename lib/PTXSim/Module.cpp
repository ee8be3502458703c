//===- Module.cpp - PTX text that was read and checked --------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code.h"

using namespace muon::ptxsim;

Module::Module() : impl(std::make_unique<Program>()) {}
Module::~Module() = default;

std::shared_ptr<const Module> Module::parse(std::string_view text,
                                            std::string name,
                                            std::vector<ParseError> &errors) {
  std::shared_ptr<Module> module(new Module());
  module->impl->name = std::move(name);
  if (!parseProgram(text, *module->impl, errors) ||
      !compileProgram(*module->impl, errors))
    return nullptr;
  return module;
}

const std::string &Module::name() const { return impl->name; }
unsigned Module::isaVersion() const { return impl->isaVersion; }
unsigned Module::target() const { return impl->target; }
const std::vector<KernelInfo> &Module::kernels() const { return impl->kernels; }

const KernelInfo *Module::find(std::string_view kernel) const {
  for (const KernelInfo &info : impl->kernels)
    if (info.name == kernel)
      return &info;
  return nullptr;
}
