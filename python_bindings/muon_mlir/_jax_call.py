# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled steps as operations of JAX: one custom call each.

A program is a compiled artifact. Custom calls name it by the hash of the
artifact, which is right in whatever process the name comes up: executables may
come from JAX's persistent cache. Programs stay loaded until the process ends;
scratch memory belongs to the executables and goes with them.
"""
from __future__ import annotations

import functools
import hashlib
import os
import tempfile
import threading
from dataclasses import dataclass
from typing import Any, Sequence

import jax
import jax.core
import jax.ffi
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from . import _native
from ._compile import compile as compile_module
from ._errors import ArgumentError
from ._module import Module
from ._step import Argument, ScalarArgument, Step

_TARGET = "muon_mlir_step"

_xla = _native.xla()


@dataclass(frozen=True)
class Program:
    """A step that custom calls can run.

    tensors  of the step, in the order of its operands, without the number of
             steps
    """

    key: str
    step: Step
    tensors: tuple[Argument, ...]
    scalars: tuple[ScalarArgument, ...]

    def __call__(self, count: Any, skipped: Any, scalars: Any,
                 tensors: Sequence[Any]) -> tuple[Any, Any, list[Any]]:
        """count and skipped after the step, and the tensors that it writes to,
        in their order.

        count, skipped  int32
        scalars         f32, one for each of `self.scalars`
        """
        written = tuple(index for index, argument in enumerate(self.tensors, 3)
                        if argument.written)
        count, skipped, *new = _step_p.bind(
            count, skipped, scalars, *tensors, program=self.key,
            written=written)
        return count, skipped, new


@functools.lru_cache(maxsize=None)
def _register() -> None:
    # What is registered before there is a client reaches it targets first, but
    # ours needs its type.
    jax.devices("cpu")
    jax.ffi.register_ffi_type("muon_mlir_call", _xla.call_type(),
                              platform="cpu")
    jax.ffi.register_ffi_target(_TARGET, _xla.handlers(), platform="cpu")


_programs: dict[tuple[Any, ...], Program] = {}
_lock = threading.Lock()


def program_of(description: tuple[tuple[str, tuple[int, ...], str], ...],
               rules: str) -> Program:
    """The program of parameters (name, shape, dtype), compiled once.

    Raises CompileError.
    """
    wanted = (description, rules)
    with _lock:
        found = _programs.get(wanted)
        if found is None:
            _register()
            found = _programs[wanted] = _load(compile_module(module_of(
                description, rules)))
        return found


def module_of(description: Sequence[tuple[str, tuple[int, ...], str]],
              rules: str) -> Module:
    return Module.from_params(
        {name: (shape, dtype) for name, shape, dtype in description}, rules)


def _load(step: Step) -> Program:
    with tempfile.TemporaryDirectory(prefix="muon-mlir-") as folder:
        path = os.path.join(folder, "step.so")
        step.save(path)
        with open(path, "rb") as file:
            key = hashlib.sha256(file.read()).hexdigest()
        if not _xla.has_program(key):
            _xla.add_program(key, path)
    tensors = tuple(one for one in step.arguments if one.role != "step")
    return Program(key, step, tensors, step.scalars)


# The operation.

_step_p = Primitive("muon_mlir_step")
_step_p.multiple_results = True


@functools.lru_cache(maxsize=None)
def _jitted(program: str, written: tuple[int, ...]) -> Any:
    return jax.jit(functools.partial(_step_p.bind, program=program,
                                     written=written))


@_step_p.def_impl
def _run(*operands: Any, program: str, written: tuple[int, ...]) -> Any:
    # Without jit, it would come here again.
    with jax.disable_jit(False):
        return _jitted(program, written)(*operands)


@_step_p.def_abstract_eval
def _shapes(*operands: Any, program: str, written: tuple[int, ...]) -> Any:
    return [jax.core.ShapedArray(operands[i].shape, operands[i].dtype)
            for i in (0, 1, *written)]


def _device_count(context: Any) -> int:
    mesh = getattr(context, "mesh", None)
    return int(context.num_devices if mesh is None else mesh.size)


def _lower(ctx: Any, *operands: Any, program: str,
           written: tuple[int, ...]) -> Any:
    devices = _device_count(ctx.module_context.axis_context)
    if devices != 1:
        raise ArgumentError(
            f"a step of muon_mlir.jax is compiled for {devices} devices, "
            "expected one: put parameters, gradients and state on one CPU "
            "device, outside of shard_map and pmap")
    aliases = {operand: result for result, operand in enumerate(written, 2)}
    rule = jax.ffi.ffi_lowering(_TARGET, operand_output_aliases=aliases)
    return rule(ctx, *operands, program=program)


def _lower_elsewhere(ctx: Any, *operands: Any, **parameters: Any) -> Any:
    platforms = ctx.platforms or ctx.module_context.platforms
    raise ArgumentError(
        f"a step of muon_mlir.jax is compiled for {', '.join(platforms)}, "
        "expected cpu: put parameters, gradients and state on a CPU device "
        "(jax.devices('cpu')[0])")


def _batch(*arguments: Any, **parameters: Any) -> Any:
    raise ArgumentError(
        "vmap of a step of muon_mlir.jax: a step has one learning rate, clips "
        "and skips for all of its tensors. Stack the models in the parameters "
        "instead: a tensor of rank 3 is a batch of matrices (label 'muon')")


def _differentiate(*arguments: Any, **parameters: Any) -> Any:
    raise ArgumentError("a step of muon_mlir.jax has no derivative; "
                        "jax.lax.stop_gradient of its arguments says that it "
                        "is a constant")


mlir.register_lowering(_step_p, _lower, platform="cpu")
mlir.register_lowering(_step_p, _lower_elsewhere)
batching.primitive_batchers[_step_p] = _batch
ad.primitive_jvps[_step_p] = _differentiate
