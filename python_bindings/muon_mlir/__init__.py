# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Optimizer steps with orthogonalized momentum (Muon), compiled.

    module = muon_mlir.Module.from_params({"w": ((64, 32), "float32")})
    step = muon_mlir.compile(module)
    state = step.init_state(params)
    step(params, grads, state, lr=0.02)

updates params and state in place, as often as it is called.
"""
from ._compile import compile
from ._errors import (ArgumentError, CompileError, CompileWarning, Diagnostic,
                      Error, StepError)
from ._module import Module
from ._step import (Argument, BoundStep, DeviceArray, NonFinite, Result,
                    ScalarArgument, Statistics, Step, bfloat16, devices,
                    set_cpu_threads)

# Users see these here, in messages too.
for _public in (Argument, ArgumentError, BoundStep, CompileError,
                CompileWarning, Diagnostic, Error, Module, NonFinite, Result,
                ScalarArgument, Statistics, Step, StepError):
    _public.__module__ = __name__

__all__ = [
    "Argument", "ArgumentError", "BoundStep", "CompileError", "CompileWarning",
    "DeviceArray", "Diagnostic", "Error", "Module", "NonFinite", "Result",
    "ScalarArgument", "Statistics", "Step", "StepError", "bfloat16", "compile",
    "devices", "set_cpu_threads",
]
