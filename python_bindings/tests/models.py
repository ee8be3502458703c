# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small models, and their tensors as NumPy arrays and for the reference."""
import json
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np
import safetensors_io
from muon_reference import init_state
from rules import resolve
from storage import Tensor

DTYPES = {"F32": np.dtype("float32"), "F16": np.dtype("float16"),
          "BF16": np.dtype(ml_dtypes.bfloat16), "I64": np.dtype("int64")}


def array(tensor):
    """A copy of a tensor of the reference that NumPy can compute with."""
    return tensor.bits.copy().view(DTYPES[tensor.dtype])


def tensor(values):
    """A copy of an array for the reference."""
    dtype = next(n for n, d in DTYPES.items() if d == values.dtype)
    bits = values.view(np.uint16) if dtype == "BF16" else values
    return Tensor(dtype, bits.copy())


def snapshot(mapping):
    return {name: tensor(values) for name, values in mapping.items()}


@dataclass(frozen=True)
class Model:
    name: str
    shapes: dict
    rules: dict = field(default_factory=dict)

    def params(self):
        rng = np.random.default_rng(7)
        return {name: Tensor.of(rng.standard_normal(shape), dtype)
                for name, (shape, dtype) in self.shapes.items()}

    def plan(self):
        return resolve(self.rules, self.params())

    def gradients(self, number):
        rng = np.random.default_rng(100 + number)
        params = self.params()
        return {p.name: Tensor.of(
            rng.standard_normal(params[p.name].shape), p.grad_type)
            for p in self.plan().trained()}

    def tensors(self):
        params = self.params()
        trained = [p.name for p in self.plan().trained()]
        return ({n: array(params[n]) for n in trained},
                {n: array(t) for n, t in self.gradients(0).items()},
                {n: array(t) for n, t in
                 init_state(self.plan(), params).items()})

    def write(self, folder):
        safetensors_io.save(folder / "model.safetensors", self.params())
        (folder / "rules.json").write_text(json.dumps(self.rules))


MUON = Model("muon", {"w": ((24, 16), "F32"), "v": ((5, 12), "F32")})
ADAMW = Model("adamw", {"b": ((33,), "F32"), "embed": ((6, 4), "F32")})
# Every role and type, clipping, groups, and a tensor that is frozen.
MIXED = Model(
    "mixed",
    {"w": ((24, 16), "F32"), "slow": ((8, 8), "F32"), "low": ((9, 7), "BF16"),
     "half": ((4, 6), "F16"), "b": ((33,), "F32"), "scale": ((), "F32"),
     "mask": ((3,), "I64")},
    {"clip_global_norm": 1.0,
     "muon": {"compute": "f32", "iteration": "direct"},
     "rules": [{"match": "slow", "group": "slow", "lr_multiplier": 0.5}]})
