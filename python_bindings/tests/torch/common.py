# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Parameters, gradients, and copies of what a step may change."""
import torch
from reference import gradient

SHAPES = {"w": (12, 8), "v": (5, 9), "b": (12,), "c": (7,)}
KINDS = {"w": "muon", "v": "muon", "b": "adamw", "c": "adamw"}


def parameters(shapes=SHAPES):
    return {name: torch.nn.Parameter(gradient("w " + name, shape, 0,
                                              "gaussian"))
            for name, shape in shapes.items()}


def give_gradients(params, number=0, names=None):
    for name, p in params.items():
        p.grad = (gradient(name, tuple(p.shape), number, "gaussian")
                  if names is None or name in names else None)


def snapshot(optimizer):
    """Copies of all that a step may change."""
    tensors = {}
    for i, group in enumerate(optimizer.param_groups):
        for j, p in enumerate(group["params"]):
            tensors[i, j] = p.detach().clone()
            for key, value in optimizer.state.get(p, {}).items():
                tensors[i, j, key] = value.clone()
    return tensors


def same(left, right):
    return left.keys() == right.keys() and all(
        torch.equal(left[key], right[key]) for key in left)
