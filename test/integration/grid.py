# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Many rules in one checkpoint.

Every schedule meets every momentum form; scale rules, multipliers, epsilons
and shapes take turns, with periods that have no common factor. A rule finds
its tensors by their names:  r<rule>.<type>.<shape>.<kind of input>
"""

from __future__ import annotations

from typing import Sequence

import inputs
from storage import Tensor

LITERAL = [[2.0, -1.5, 0.5], [1.875, -1.25, 0.375]]

# (schedule, steps, safety): shorter and longer than the table, too.
SCHEDULES = (("keller_jordan", 5, 1.0), ("you", 5, 1.0),
             ("polar_express", 5, 1.02), ("cans", 5, 1.0), ("cubic", 5, 1.0),
             (LITERAL, 4, 1.0), ("keller_jordan", 3, 1.1), ("you", 7, 1.0))
FORMS = (("ema", True), ("ema", False), ("heavy_ball", True),
         ("heavy_ball", False))
SCALES = (("none", False), ("original", False), ("match_rms_adamw", False),
          ("spectral", False), ({"constant": 0.37}, False),
          ("original", True), ("spectral", True))
RULE_COUNT = len(SCHEDULES) * len(FORMS)


def muon_rule(i: int) -> dict:
    """Rule number i of RULE_COUNT."""
    schedule, steps, safety = SCHEDULES[i // len(FORMS)]
    form, nesterov = FORMS[i % len(FORMS)]
    scale, transposed = SCALES[i % len(SCALES)]
    return {
        "match": f"^r{i:02}\\.", "group": f"r{i:02}", "optimizer": "muon",
        "schedule": schedule, "steps": steps, "safety": safety,
        "momentum_form": form, "nesterov": nesterov,
        "momentum": (0.95, 0.9, 0.5)[i % 3],
        "scale": scale, "transposed": transposed,
        "lr_multiplier": (1.0, 0.5, 1.0, 2.0, 1.0)[i % 5],
        "weight_decay": (0.1, 0.0, 0.3)[i % 3],
        "eps": 1e-7 if i % 9 == 4 else 0.0,
    }


def add_matrices(tensors: dict, kinds: dict, rule: int, dtype: str,
                 shape: Sequence[int]) -> None:
    """All kinds of inputs for one rule, type and shape: one stack."""
    size = "x".join(map(str, shape))
    for kind in inputs.KINDS:
        name = f"r{rule:02}.{dtype.lower()}.{size}.{kind}"
        tensors[name] = Tensor.of(inputs.weight(name, tuple(shape)), dtype)
        kinds[name] = kind


def f32_checkpoint(rules: Sequence[int], shapes_per_rule: int = 3):
    """(tensors, kinds, rules file): f32 everywhere, shapes in turn."""
    tensors: dict = {}
    kinds: dict = {}
    for i in rules:
        for j in range(shapes_per_rule):
            shape = inputs.SHAPES[(3 * i + 5 * j) % len(inputs.SHAPES)]
            add_matrices(tensors, kinds, i, "F32", shape)
    return tensors, kinds, {"rules": [muon_rule(i) for i in rules]}


# AdamW of every rank, in every type.
ADAMW_SHAPES = ((), (1,), (17,), (6, 13), (4, 3, 5, 2))
ADAMW_RULES = (
    {"match": "^adam\\.a\\.", "group": "adamw", "optimizer": "adamw"},
    {"match": "^adam\\.b\\.", "group": "other", "optimizer": "adamw",
     "betas": [0.5, 0.999], "eps": 1e-4, "weight_decay": 0.3,
     "lr_multiplier": 0.5},
)


def add_adamw(tensors: dict, dtype: str) -> None:
    for which in "ab":
        for shape in ADAMW_SHAPES:
            size = "x".join(map(str, shape)) or "scalar"
            name = f"adam.{which}.{dtype.lower()}.{size}"
            tensors[name] = Tensor.of(inputs.weight(name, shape), dtype)


def storage_checkpoint(**types):
    """Weights of three types side by side, one rule of each schedule."""
    tensors: dict = {}
    kinds: dict = {}
    rules = [4 * s + s % 4 for s in range(len(SCHEDULES))]
    for turn, i in enumerate(rules):
        for j, dtype in enumerate(("F32", "BF16", "F16")):
            shape = inputs.SHAPES[(5 * turn + 7 * j) % len(inputs.SHAPES)]
            add_matrices(tensors, kinds, i, dtype, shape)
    for dtype in ("F32", "BF16", "F16"):
        add_adamw(tensors, dtype)
    config = {"rules": [muon_rule(i) for i in rules] + list(ADAMW_RULES)}
    return tensors, kinds, {**config, **types}
