# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From Optax's options to a rules file (docs/rules.md)."""
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence, Union

import jax
import numpy as np

from ._errors import ArgumentError
from ._module import type_name

PyTree = Any
Labels = Union[PyTree, Callable[[PyTree], PyTree], None]
Mask = Union[PyTree, Callable[[PyTree], PyTree], None]
Rules = Union[Sequence[Mapping[str, Any]], Mapping[str, Any], str, None]

# Of Optax, beyond the names of docs/rules.md.
_SCHEDULES = {
    "standard": (3.4445, -4.7750, 2.0315),
    "dion": "you",
}
_LABELS = {"muon": "muon", "adamw": "adamw", "adam": "adamw",
           "frozen": "frozen"}
_MOMENTA = {"F32": "f32", "BF16": "bf16", "F16": "f16"}
# Of a regular expression in a rule, less what surrounds the names.
_MOST_BYTES = 1000


@dataclass(frozen=True)
class Options:
    """Options that were looked at.

    config  keys of a rules file, without `rules`
    rules   of the user; None if there are none
    """

    config: dict[str, Any]
    rules: Optional[list[Any]]
    labels: Labels
    mask: Mask

    @staticmethod
    def checked(*, ns_coeffs: Any, ns_steps: Any, beta: Any, eps: Any,
                weight_decay: Any, weight_decay_mask: Mask, mu_dtype: Any,
                nesterov: Any, adaptive: Any, preconditioning: Any,
                adam_b1: Any, adam_b2: Any, adam_eps_root: Any,
                adam_weight_decay: Any, muon_weight_dimension_numbers: Any,
                consistent_rms: Any, labels: Labels, rules: Rules) -> "Options":
        """Raises ArgumentError for what compiled steps do not have."""
        schedule, steps = _schedule(ns_coeffs, ns_steps)
        eps = _number("eps", eps)
        _only("adaptive", adaptive, False, "updates are not scaled by the dual "
              "norm")
        _only("preconditioning", preconditioning, "frobenius",
              "compiled steps normalize by the Frobenius norm")
        _only("adam_eps_root", _number("adam_eps_root", adam_eps_root), 0,
              "AdamW has an eps outside of the root alone")
        _only("muon_weight_dimension_numbers", muon_weight_dimension_numbers,
              None, "matrices are in×out; labels= chooses tensors, and a "
              "tensor of rank 3 is a batch of matrices")
        config: dict[str, Any] = {
            "muon": {
                "momentum": _number("beta", beta),
                "momentum_form": "ema",
                "nesterov": bool(nesterov),
                "weight_decay": _number("weight_decay", weight_decay),
                "schedule": schedule,
                "steps": steps,
                "eps": eps,
                "scale": "original",
                "transposed": True,
            },
            "adamw": {
                "betas": [_number("adam_b1", adam_b1),
                          _number("adam_b2", adam_b2)],
                "eps": eps,
                "weight_decay": _number("adam_weight_decay", adam_weight_decay),
            },
            "state_type": _state_type(mu_dtype),
        }
        given = _parsed(rules)
        if consistent_rms is not None:
            # match_rms_adamw is 0.2·√max(in, out).
            config["muon"]["scale"] = "match_rms_adamw"
            config["muon"]["lr_multiplier"] = _number(
                "consistent_rms", consistent_rms) / 0.2
        own = given.pop("rules", None)
        for section in ("muon", "adamw"):
            config[section].update(given.pop(section, {}))
        config.update(given)
        _check_rules(config, own or [])
        for name, tree in (("labels", labels),
                           ("weight_decay_mask", weight_decay_mask)):
            if tree is not None and own is not None:
                raise ArgumentError(
                    f"both {name} and a list of rules are given: the first "
                    "rule that matches decides all about a tensor, expected "
                    f"what {name} says as rules")
        return Options(config, own, labels, weight_decay_mask)


def rules_of(options: Options, params: PyTree,
             leaves: Mapping[str, Any]) -> str:
    """A rules file for parameters, as text. `leaves` are those of `params`, by
    name."""
    rules = list(options.rules or ())
    labels = _prefix("labels", options.labels, params)
    decays = _prefix("weight_decay_mask", options.mask, params)
    named = {name: _LABELS.get(label) for name, label in zip(leaves, labels)
             if label is not None}
    for (name, known), label in zip(named.items(), labels):
        if known is None:
            raise ArgumentError(f"label of '{name}' is {label!r}, expected "
                                "'muon', 'adamw' or 'frozen'")
    still: list[str] = []
    for name, decay in zip(leaves, decays):
        if decay is None:
            continue
        if not isinstance(decay, (bool, np.bool_)):
            raise ArgumentError(f"weight_decay_mask of '{name}' is {decay!r}, "
                                "expected True or False")
        if not decay:
            still.append(name)
    for name in still:
        # A rule each: what it does not say is left to the tensor, and rules
        # make groups, of one optimizer.
        optimizer = named.pop(name, None)
        if optimizer != "frozen":
            rules.append({"match": _any_of([name]), "weight_decay": 0.0,
                          **({"optimizer": optimizer} if optimizer else {})})
        else:
            rules.append({"match": _any_of([name]), "optimizer": "frozen"})
    for optimizer in ("muon", "adamw", "frozen"):
        rules += _rules_for(optimizer, [
            name for name, label in named.items() if label == optimizer])
    if options.labels is None:
        # An array of rank 3 is as often a matrix whose columns are heads as a
        # batch of matrices: Muon's only if someone says so.
        rules += _rules_for("adamw", [
            name for name, leaf in leaves.items()
            if len(leaf.shape) > 2 and name not in still])
    return json.dumps({**options.config, "rules": rules}, sort_keys=True)


def _rules_for(optimizer: str, names: Sequence[str]
               ) -> Iterable[dict[str, Any]]:
    """As few rules as fit: expressions have a longest length."""
    group: list[str] = []
    for name in names:
        if group and len(_any_of([*group, name]).encode()) > _MOST_BYTES:
            yield {"match": _any_of(group), "optimizer": optimizer}
            group = []
        group.append(name)
    if group:
        yield {"match": _any_of(group), "optimizer": optimizer}


def _any_of(names: Iterable[str]) -> str:
    """A POSIX extended regular expression for these names alone."""
    return "^({})$".format("|".join(
        re.sub(r"([][\\.^$*+?(){}|])", r"\\\1", name) for name in names))


def _prefix(what: str, tree: Any, params: PyTree) -> list[Any]:
    """Of each leaf of `params`, what `tree`, or its prefix, has; None without
    a tree."""
    count = len(jax.tree.leaves(params))
    if tree is None:
        return [None] * count
    if callable(tree):
        tree = tree(params)
    found: list[Any] = []
    try:
        jax.tree.map(lambda value, part: found.extend(
            [value] * len(jax.tree.leaves(part))), tree, params)
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"{what}: expected the structure of the "
                            f"parameters, or a prefix of it: {error}") from None
    return found


# Options.


def _number(name: str, value: Any) -> float:
    if isinstance(value, jax.core.Tracer):
        raise ArgumentError(
            f"{name} is only known under jit, and is a part of the compiled "
            "step: expected a number. With optax.inject_hyperparams, pass "
            "static_args=muon_mlir.jax.STATIC_ARGS; learning rates may change")
    try:
        if isinstance(value, (str, bool)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} is {value!r}, expected a number") from None


def _only(name: str, value: Any, expected: Any, why: str) -> None:
    if value is not expected and value != expected:
        raise ArgumentError(
            f"{name} is {value!r}, expected {expected!r}: {why}")


def _steps(value: Any) -> int:
    steps = _number("ns_steps", value)
    if steps != int(steps):
        raise ArgumentError(f"ns_steps is {value!r}, expected an integer")
    return int(steps)


def _schedule(coeffs: Any, steps: Any) -> tuple[Any, int]:
    if isinstance(coeffs, str):
        known = _SCHEDULES.get(coeffs, coeffs)
        if isinstance(known, str):
            return known, _steps(steps)
        coeffs = known
    try:
        table = np.asarray(coeffs, np.float64)
    except (TypeError, ValueError, jax.errors.TracerArrayConversionError):
        table = np.empty(())
    if table.ndim not in (1, 2) or table.shape[-1] != 3 or not table.size:
        raise ArgumentError(f"ns_coeffs is {coeffs!r}, expected (a, b, c), a "
                            "triple for each step, or a name")
    if table.ndim == 1:
        return [table.tolist()], _steps(steps)
    return table.tolist(), len(table)


def _state_type(dtype: Any) -> str:
    if dtype is None:
        return "f32"
    found = _MOMENTA.get(type_name(dtype))
    if found is None:
        raise ArgumentError(f"mu_dtype is {dtype!r}, expected float32, "
                            "bfloat16 or float16")
    return found


def _parsed(rules: Rules) -> dict[str, Any]:
    if rules is None:
        return {}
    if isinstance(rules, str):
        try:
            rules = json.loads(rules)
        except ValueError as error:
            raise ArgumentError(f"rules are no JSON: {error}") from None
    if isinstance(rules, Mapping):
        return {key: dict(value) if isinstance(value, Mapping) else value
                for key, value in rules.items()}
    if isinstance(rules, Sequence):
        return {"rules": list(rules)}
    raise ArgumentError(f"rules are a {type(rules).__name__}, expected a list "
                        "of rules, or a rules file as a mapping or text")


def _check_rules(config: Mapping[str, Any], rules: Sequence[Any]) -> None:
    if config.get("grid") is not None:
        raise ArgumentError("rules have a grid: steps in JAX run on one device")
    scaled = config["muon"].get("lr_multiplier", 1) != 1
    for where, section in [("muon", config["muon"]), *(
            (f"rules[{i}]", rule) for i, rule in enumerate(rules))]:
        if not isinstance(section, Mapping):
            continue  # which the compiler says better
        if section.get("momentum_form", "ema") != "ema":
            raise ArgumentError(
                f"{where}.momentum_form is {section['momentum_form']!r}, "
                "expected 'ema': momenta are averages with Optax's correction")
        if scaled and where != "muon" and {"lr_multiplier",
                                           "scale"} & set(section):
            raise ArgumentError(
                f"{where} has a scale or an lr_multiplier, and consistent_rms "
                "is one for all tensors: expected one of the two")
