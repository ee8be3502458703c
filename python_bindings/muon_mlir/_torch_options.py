# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Options of parameter groups, and the rules that they stand for."""
from __future__ import annotations

import math
from operator import itemgetter
from typing import Any, Mapping, Sequence

from ._errors import ArgumentError

MUON, ADAMW = "Muon", "AdamW"

# Numbers that a step takes when it runs, and what is compiled into it.
_RUNTIME = {MUON: ("lr", "weight_decay", "momentum"),
            ADAMW: ("lr", "weight_decay")}
_COMPILED = {MUON: ("nesterov", "ns_coefficients", "ns_steps", "ns_safety",
                    "eps", "adjust_lr_fn"),
             ADAMW: ("betas", "eps")}
ALL = tuple(dict.fromkeys(name for table in (_RUNTIME, _COMPILED)
                          for names in table.values() for name in names))
_getters = {kind: itemgetter(*names) for kind, names in _COMPILED.items()}
# What PyTorch and its schedulers keep in groups.
KEPT = frozenset(("params", "param_names", "use_muon", "initial_lr", "max_lr",
                  "min_lr", "base_momentum", "max_momentum", "swa_lr"))

_SCALES = {None: "original", "original": "original",
           "match_rms_adamw": "match_rms_adamw",
           "spectral_unclamped": "spectral"}
_SCHEDULES = ("keller_jordan", "you", "polar_express", "cans", "cubic")
# As the importer has it (docs/rules.md); a test compares the two.
_NAMES_OF_ADAMW = ("embed", "wte", "wpe", "lm_head", "head.weight",
                   "output.weight", "norm", "bias", "gate.bias")

Options = Mapping[str, Any]


def default_kind(name: str, rank: int) -> str:
    """The optimizer that the default rules choose, for rank 0 to 3."""
    if rank > 3:
        raise ArgumentError(
            f"parameter {name!r} has rank {rank}, for which there is no "
            "default: put it into a group with use_muon=False")
    plain = rank < 2 or any(part in name for part in _NAMES_OF_ADAMW)
    return ADAMW if plain else MUON


def kind_of(group: Options) -> str:
    return MUON if group["use_muon"] else ADAMW


def names_of(kind: str) -> tuple[str, ...]:
    return _RUNTIME[kind] + _COMPILED[kind]


def refuse_unknown(given: Options, kind: str, where: str) -> None:
    """Raises ArgumentError for keys that a group of this kind does not have."""
    for key in given:
        if key in KEPT or key in names_of(kind):
            continue
        other = ADAMW if kind == MUON else MUON
        if key in names_of(other):
            raise ArgumentError(f"{where}: {key!r} is an option of {other}, "
                                f"and the group is {kind}'s")
        raise ArgumentError(f"{where}: unknown option {key!r}; options of "
                            f"{kind} are {', '.join(names_of(kind))}")


def _wrong(where: str, name: str, value: object, expected: str) -> None:
    raise ArgumentError(f"{where}: {name} is {value!r}, expected {expected}")


def _number(value: object) -> float:
    """NaN for what is none; a tensor of one element is one."""
    if isinstance(value, (bool, str)):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return math.nan


def _coefficients(value: object) -> object:
    """A triple, or a sequence of them, as tuples; None for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    if not isinstance(value[0], Sequence):
        triple = tuple(_number(x) for x in value)
        good = len(triple) == 3 and all(map(math.isfinite, triple))
        return triple if good else None
    rows = tuple(_coefficients(row) if isinstance(row, Sequence)
                 and row and not isinstance(row[0], Sequence) else None
                 for row in value)
    return None if None in rows or len(rows) > 100 else rows


def normalize(group: dict[str, Any], where: str) -> None:
    """Checks the values of a group that has all of its options.

    Sequences become tuples, which nobody changes in place.
    """
    kind = kind_of(group)
    for name in ("lr", "weight_decay"):
        if not 0 <= _number(group[name]) < math.inf:
            _wrong(where, name, group[name], "a number, at least 0")
    if kind == ADAMW:
        betas = group["betas"]
        if (not isinstance(betas, Sequence) or isinstance(betas, str)
                or len(betas) != 2
                or not all(0 <= _number(beta) < 1 for beta in betas)):
            _wrong(where, "betas", betas, "two numbers from 0 to below 1")
        group["betas"] = tuple(float(beta) for beta in betas)
        if not 0 < _number(group["eps"]) < math.inf:
            _wrong(where, "eps", group["eps"], "a number above 0")
        return
    if not 0 <= _number(group["momentum"]) < 1:
        _wrong(where, "momentum", group["momentum"],
               "a number from 0 to below 1")
    if not isinstance(group["nesterov"], bool):
        _wrong(where, "nesterov", group["nesterov"], "True or False")
    coefficients = group["ns_coefficients"]
    if isinstance(coefficients, str):
        if coefficients not in _SCHEDULES:
            _wrong(where, "ns_coefficients", coefficients,
                   f"one of {', '.join(_SCHEDULES)}, or numbers")
    else:
        tuples = _coefficients(coefficients)
        if tuples is None:
            _wrong(where, "ns_coefficients", coefficients,
                   "three numbers, up to 100 such triples, or a name")
        group["ns_coefficients"] = tuples
    steps = group["ns_steps"]
    if not isinstance(steps, int) or isinstance(steps, bool) or \
            not 1 <= steps <= 100:
        _wrong(where, "ns_steps", steps, "an integer from 1 to 100")
    if not 0 < _number(group["ns_safety"]) < math.inf:
        _wrong(where, "ns_safety", group["ns_safety"], "a number above 0")
    if not 0 <= _number(group["eps"]) < math.inf:
        _wrong(where, "eps", group["eps"], "a number, at least 0")
    scale = group["adjust_lr_fn"]
    if not (scale is None or isinstance(scale, str)) or scale not in _SCALES:
        _wrong(where, "adjust_lr_fn", scale, "None, "
               + ", ".join(repr(name) for name in _SCALES if name))


def compiled(group: Options) -> Any:
    """What is compiled in, of a group; equal if a step of it can stay."""
    return group["use_muon"], _getters[kind_of(group)](group)


def names_compiled(kind: str) -> tuple[str, ...]:
    return _COMPILED[kind]


def rule(index: int, group: Options, compute: str) -> dict[str, Any]:
    """The rule (docs/rules.md) for tensors whose name begins '<index>/'."""
    common = {"match": f"^{index}/", "group": str(index), "eps": group["eps"]}
    if not group["use_muon"]:
        return {**common, "optimizer": "adamw", "betas": list(group["betas"])}
    schedule = group["ns_coefficients"]
    if not isinstance(schedule, str):
        rows = schedule if isinstance(schedule[0], tuple) else (schedule,)
        schedule = [list(row) for row in rows]
    return {**common, "optimizer": "muon", "momentum_form": "ema",
            "nesterov": group["nesterov"], "steps": group["ns_steps"],
            "safety": group["ns_safety"], "compute": compute,
            "scale": _SCALES[group["adjust_lr_fn"]], "schedule": schedule}
