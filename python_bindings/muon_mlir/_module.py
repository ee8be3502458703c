# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules: optimizer steps as IR."""
from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, Union

from . import _native
from ._errors import ArgumentError

if TYPE_CHECKING:
    from . import _compiler

Rules = Union[Mapping[str, Any], str, None]

# As safetensors calls them; f32, bf16 and f16 are those that steps update.
_TYPES = {
    "float32": "F32", "bfloat16": "BF16", "float16": "F16", "float64": "F64",
    "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64",
    "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64",
    "bool": "BOOL", "bool_": "BOOL", "half": "F16", "double": "F64",
    "float": "F32", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
}


def type_name(dtype: object) -> str:
    """What safetensors calls `dtype`: a name, or a type of a framework."""
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None)
    text = name if isinstance(name, str) else str(dtype)
    text = text.rpartition(".")[2]
    return _TYPES.get(text, text.upper())


def rules_text(rules: Rules) -> Optional[str]:
    if rules is None or isinstance(rules, str):
        return rules
    try:
        return json.dumps(rules)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"rules are no JSON: {error}") from None


class Module:
    """An optimizer step as IR, to be looked at, transformed and compiled.

    Made by `parse`, `from_params`, `from_torch` or `from_safetensors`. Calls of
    several threads on one module, or on clones of each other, wait for each
    other.
    """

    def __init__(self, handle: "_compiler.Module") -> None:
        self._handle = handle

    @staticmethod
    def parse(text: Union[str, bytes], name: str = "<string>") -> "Module":
        """From textual IR or bytecode, which is verified.

        `name` stands for the file in diagnostics. Raises CompileError.
        """
        data = text.encode() if isinstance(text, str) else bytes(text)
        return Module(_native.compiler().Module.parse(data, name))

    @staticmethod
    def from_params(
            params: Mapping[str, tuple[Sequence[int], object]],
            rules: Rules = None) -> "Module":
        """The step of parameters, given as {name: (shape, dtype)}.

        dtype is a name as 'float32', or a type of NumPy or a framework. The
        order of the parameters is that of the mapping. `rules` is what a rules
        file has (docs/rules.md), as a mapping or as text; with None, its
        defaults hold. Raises CompileError.
        """
        tensors = []
        for name, description in params.items():
            try:
                shape, dtype = description
                sizes = [int(size) for size in shape]
            except (TypeError, ValueError):
                raise ArgumentError(
                    f"parameter {name!r} is {description!r}, expected a shape "
                    "and a dtype") from None
            tensors.append((name, type_name(dtype), sizes))
        try:
            return Module(_native.compiler().Module.from_tensors(
                tensors, rules_text(rules)))
        except TypeError:
            raise ArgumentError("expected names that are strings, and shapes "
                                "of integers of 64 bits") from None

    @staticmethod
    def from_torch(module: Any, rules: Rules = None) -> "Module":
        """The step of a PyTorch module's parameters, by their names.

        Those that require no gradients are left out, and parameters that
        modules share are one. Otherwise as `from_params`.
        """
        if not callable(getattr(module, "named_parameters", None)):
            raise ArgumentError(f"module is a {type(module).__name__}, expected "
                                "one that has named_parameters()")
        params = {name: (tuple(p.shape), p.dtype)
                  for name, p in module.named_parameters() if p.requires_grad}
        if not params:
            raise ArgumentError("the module has no parameter that requires "
                                "gradients")
        return Module.from_params(params, rules)

    @staticmethod
    def from_safetensors(path: Union[str, os.PathLike[str]],
                         rules: Rules = None) -> "Module":
        """The step of the tensors of a file, of which the header is read.

        Raises CompileError.
        """
        return Module(_native.compiler().Module.from_safetensors(
            os.fspath(path), rules_text(rules)))

    def print(self, locations: bool = False) -> str:
        """The IR as text, with the places that it comes from if asked."""
        return self._handle.print(locations)

    def __str__(self) -> str:
        return self.print()

    def verify(self) -> None:
        """Raises CompileError where the IR breaks a rule of its operations."""
        self._handle.verify()

    def run_passes(self, pipeline: str) -> None:
        """Runs passes in place, as in 'builtin.module(canonicalize,cse)'.

        The syntax is that of muon-opt --pass-pipeline. Raises CompileError if
        one fails; the module is then as it was.
        """
        self._handle.run_passes(pipeline)

    def clone(self) -> "Module":
        """A copy that changes to this one do not touch."""
        return Module(self._handle.clone())
