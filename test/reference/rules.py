# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which optimizer each tensor gets: the rules file, read independently.

`resolve` turns the JSON object that `muon-import --config` takes, and the
tensors of a checkpoint, into a `Plan` for the reference. It shares nothing
with the compiler but the meaning of the keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Mapping, Optional, Union

from storage import Tensor

# Names of tensors of rank 2 and 3 that get AdamW without a rule.
NOT_FOR_MUON = ("embed", "wte", "wpe", "lm_head", "head.weight",
                "output.weight", "norm", "bias", "gate.bias")

_STORAGE = {"f32": "F32", "bf16": "BF16", "f16": "F16", "f64": "F64"}

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Muon:
    momentum: float = 0.95
    momentum_form: str = "heavy_ball"
    nesterov: bool = True
    weight_decay: float = 0.1
    schedule: Union[str, tuple[Triple, ...]] = "keller_jordan"
    steps: int = 5
    safety: float = 1.0
    eps: float = 0.0
    compute: str = "auto"
    iteration: str = "auto"
    restarts: Optional[tuple[int, ...]] = None  # None: the compiler's choice
    # Short, rows or columns; no key of the rules file: ranks decide it.
    side: str = "short"
    scale: Union[str, float] = "match_rms_adamw"
    lr_multiplier: float = 1.0
    transposed: bool = False
    split: Optional[tuple[int, ...]] = None
    master: Union[str, bool] = "auto"


@dataclass(frozen=True)
class AdamW:
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.1
    lr_multiplier: float = 1.0
    master: Union[str, bool] = "auto"


@dataclass(frozen=True)
class Parameter:
    """One tensor of the checkpoint and what is done with it."""

    name: str
    optimizer: Union[Muon, AdamW, None]  # None: frozen
    group: str
    weight_type: str
    grad_type: str
    state_type: str
    has_master: bool


@dataclass(frozen=True)
class Plan:
    parameters: dict[str, Parameter] = field(default_factory=dict)
    clip_global_norm: Optional[float] = None
    skip_nonfinite: bool = True

    def trained(self):
        """The parameters that are not frozen, in checkpoint order."""
        return [p for p in self.parameters.values() if p.optimizer is not None]


def _options(cls, *layers: Mapping):
    """An options object from `layers`, later ones winning."""
    merged: dict = {}
    for layer in layers:
        for key, value in layer.items():
            if key not in cls.__dataclass_fields__:
                raise KeyError(f"unknown key '{key}' for {cls.__name__}")
            merged[key] = value
    if isinstance(merged.get("schedule"), (list, tuple)):
        merged["schedule"] = tuple(tuple(map(float, e))
                                   for e in merged["schedule"])
    if isinstance(merged.get("scale"), Mapping):
        merged["scale"] = float(merged["scale"]["constant"])
    for key in ("split", "betas", "restarts"):
        if merged.get(key) is not None:
            merged[key] = tuple(merged[key])
    return cls(**merged)


def _default_optimizer(name: str, tensor: Tensor) -> str:
    if not tensor.is_float:
        return "frozen"
    rank = len(tensor.shape)
    if rank >= 4:
        raise ValueError(f"{name}: rank {rank} needs a rule")
    if rank <= 1 or any(word in name for word in NOT_FOR_MUON):
        return "adamw"
    return "muon"


def resolve(config: Mapping, tensors: Mapping[str, Tensor]) -> Plan:
    """The plan of a checkpoint under a rules file; the first match wins."""
    known = {"muon", "adamw", "clip_global_norm", "skip_nonfinite",
             "grad_type", "state_type", "grid", "sharding", "unreduced", "rules"}
    if unknown := set(config) - known:
        raise KeyError(f"unknown keys {sorted(unknown)}")
    parameters = {}
    grad = config.get("grad_type", "same")
    state = config.get("state_type", "f32")
    for name, tensor in tensors.items():
        number, rule = next(((i, dict(r)) for i, r
                             in enumerate(config.get("rules", ()))
                             if re.search(r["match"], name)), (None, {}))
        # How ranks share the work changes no definition.
        for key in ("match", "sharding", "unreduced", "strategy"):
            rule.pop(key, None)
        kind = rule.pop("optimizer", None) or _default_optimizer(name, tensor)
        # A group has one default of each scalar; a rule with another default
        # and no name for its group gets a group of its own.
        own = "weight_decay" in rule or "momentum" in rule
        group = rule.pop("group", f"rule{number}" if own else kind)
        options: Union[Muon, AdamW, None] = None
        if kind == "muon":
            options = _options(Muon, config.get("muon", {}), rule)
        elif kind == "adamw":
            options = _options(AdamW, config.get("adamw", {}), rule)
        elif kind != "frozen":
            raise ValueError(f"{name}: unknown optimizer '{kind}'")
        # An f32 weight is its own master.
        has_master = (options is not None and options.master is not False
                      and tensor.dtype in ("BF16", "F16"))
        parameters[name] = Parameter(
            name=name, optimizer=options, group=group,
            weight_type=tensor.dtype,
            grad_type=tensor.dtype if grad == "same" else _STORAGE[grad],
            state_type=_STORAGE[state], has_master=has_master)
    return Plan(parameters, config.get("clip_global_norm"),
                config.get("skip_nonfinite", True))
