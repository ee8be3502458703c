# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Many rules in one checkpoint.

Every schedule meets every momentum form; scale rules, multipliers, epsilons
and shapes take turns, with periods that have no common factor. A rule finds
its tensors by their names:  r<rule>.<type>.<shape>.<kind of input>
"""

from __future__ import annotations

import re
from typing import Sequence

import numpy as np

import inputs
from muon_reference import coefficients, segments
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
        "eps": 1e-7 if i % 9 == 4 else 0.0, "iteration": "direct",
    }


def add_matrices(tensors: dict, kinds: dict, rule: int, dtype: str,
                 shape: Sequence[int],
                 wanted: Sequence[str] = inputs.KINDS) -> None:
    """All kinds of inputs for one rule, type and shape: one stack."""
    size = "x".join(map(str, shape))
    for kind in wanted:
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


# Newton-Schulz as it was before anyone tuned it: c = 0.
CLASSIC = [[1.5, -0.5, 0.0]]

# (schedule, steps, safety, restarts) of an iteration; None is the direct form.
# One and two direct steps show where rounding is done; segments of one step
# are direct ones in disguise; without A^2 (c = 0) these have no A, either.
_EVERY = (
    ("keller_jordan", 5, 1.0, None),
    ("keller_jordan", 1, 1.0, None),
    ("polar_express", 2, 1.02, None),
    (CLASSIC, 2, 1.0, None),
    ("polar_express", 5, 1.02, (1, 3)),
    ("keller_jordan", 5, 1.0, (2, 4)),
    ("you", 7, 1.0, (1, 2, 4, 5)),
    (CLASSIC, 5, 1.0, (3,)),
    ("keller_jordan", 1, 1.1, ()),
    (LITERAL, 4, 1.0, (2, 3)),
    (LITERAL, 3, 1.0, ()),
)
# Few restarts, which bf16 does not stand.
_LONG = (
    ("keller_jordan", 5, 1.0, (2,)),
    (CLASSIC, 5, 1.0, ()),
)
FORMS_OF = {
    "f32": _EVERY + _LONG + (("polar_express", 5, 1.02, (2,)),
                             ("cubic", 5, 1.0, (2,)),
                             ("you", 5, 1.0, (3,))),
    "tf32": _EVERY + _LONG,
    "bf16": _EVERY,
    "f16": _EVERY + _LONG,
}
# Half the distance from 1 to the next number.
ROUNDING = {"f32": 2.0 ** -24, "tf32": 2.0 ** -11, "bf16": 2.0 ** -9,
            "f16": 2.0 ** -11}
# All singular values are far from zero, or all are zero.
TAME = ("gaussian", "tiny", "zero", "pulse")


def form_kinds(compute: str, i: int) -> Sequence[str]:
    """The inputs for rule number i.

    Rounding turns zero singular values into some of its own size, and these
    grow by a in each step; where they grow to the size of the result, there is
    nothing to compare. Those of R grow by a^2 up to the last step of a segment;
    where they do so for long, a single rounding error decides about the size
    of all, and two evaluations differ by more than a factor of two.
    """
    schedule, steps, _, restarts = FORMS_OF[compute][i]
    triples = coefficients(schedule, steps)
    growth = np.prod([a for a, _, _ in triples])
    most = max(np.prod([a * a for a, _, _ in triples[begin:end - 1]])
               for begin, end in segments(steps, restarts))
    wild = growth * ROUNDING[compute] > 0.1 or most > 150
    return TAME if wild else inputs.KINDS


def form_rule(compute: str, i: int) -> dict:
    """Rule number i of those of FORMS_OF[compute]."""
    schedule, steps, safety, restarts = FORMS_OF[compute][i]
    form = {"iteration": "direct"} if restarts is None else {
        "iteration": "gram", "restarts": list(restarts)}
    return {**muon_rule(i), "compute": compute, "schedule": schedule,
            "steps": steps, "safety": safety, **form}


def forms_checkpoint(compute: str, dtypes: Sequence[str] = ("F32",)):
    """All forms of an iteration in `compute`, shapes and types in turn."""
    tensors: dict = {}
    kinds: dict = {}
    count = len(FORMS_OF[compute])
    for i in range(count):
        wanted = form_kinds(compute, i)
        # The matrices of a batch are of all kinds.
        shapes = [s for s in inputs.SHAPES
                  if len(s) == 2 or wanted is inputs.KINDS]
        for j in range(2):
            add_matrices(tensors, kinds, i, dtypes[(i + j) % len(dtypes)],
                         shapes[(3 * i + 7 * j) % len(shapes)], wanted)
        if FORMS_OF[compute][i][3] is None:
            add_matrices(tensors, kinds, i, "F32", (45, 61), wanted)
    return tensors, kinds, {"rules": [form_rule(compute, i)
                                      for i in range(count)]}


def chosen_checkpoint():
    """Forms that the compiler chooses, for short and for long matrices."""
    tensors: dict = {}
    kinds: dict = {}
    rules = []
    for i, compute in enumerate(FORMS_OF):
        for iteration in ("auto", "gram"):
            schedule, steps, safety = SCHEDULES[i]
            prefix = f"{compute}.{iteration}."
            rules.append({"match": f"^{re.escape(prefix)}", "compute": compute,
                          "schedule": schedule, "steps": steps,
                          "safety": safety, "iteration": iteration})
            for rows, cols in ((37, 15), (64, 64), (20, 300)):
                name = f"{prefix}{rows}x{cols}"
                tensors[name] = Tensor.of(inputs.weight(name, (rows, cols)),
                                          "F32")
                kinds[name] = "gaussian"
    return tensors, kinds, rules


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
