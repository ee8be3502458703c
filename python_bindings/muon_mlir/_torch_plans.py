# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which compiled steps update the parameters that have gradients, and why a
step had to be compiled."""
from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping, Optional, Sequence

import torch

from . import _torch_options as options
from . import _torch_state as saved
from . import _torch_steps as steps
from ._step import NonFinite, Result

Tensor = torch.Tensor


def _version_bumper() -> Optional[Callable[[Sequence[Tensor]], None]]:
    bump: Any = getattr(torch.autograd.graph, "increment_version", None)
    if bump is None:
        return None
    try:
        bump([])
    except (TypeError, AttributeError, RuntimeError):  # one tensor at a time
        def bump_all(tensors: Sequence[Tensor]) -> None:
            for one in tensors:
                bump(one)
        return bump_all
    return lambda tensors: bump(tensors)


_bump_versions = _version_bumper()


def _norm(tensors: Sequence[Any]) -> float:
    """Of all entries of all of them together."""
    squares = [float(t.double().square().sum()) for t in tensors]
    return float(sum(squares) ** 0.5)


class Plan:
    """How to update those parameters that have gradients."""

    def __init__(self, params: list[Tensor], absent: list[Tensor],
                 parts: list[steps.Part], compiled: Any,
                 states: Iterable[Any]) -> None:
        self.params, self.absent, self.parts = params, absent, parts
        self.compiled, self.states = compiled, list(states)
        self._empty: list[Tensor] = []
        self._emptied: list[list[int]] = []

    def written(self) -> None:
        """Tells autograd, as an operation in place would."""
        if _bump_versions is None:
            torch._foreach_zero_(self._views())
        else:
            for part in self.parts:
                _bump_versions(part.params)

    def _views(self) -> list[Tensor]:
        """Views without elements, which share the versions of parameters: the
        way to advance them in versions of PyTorch that have no other."""
        places = [part.places() for part in self.parts]
        if places != self._emptied:
            self._empty = [p.detach().view(-1)[:0] for part in self.parts
                           for p in part.params]
            self._emptied = places
        return self._empty

    def nonfinite(self, states: Mapping[Tensor, Any]) -> tuple[NonFinite, ...]:
        """What a step that looks at all parameters would find."""
        return saved.nonfinite(self.parts, states)

    def limits(self, limit: Optional[float]) -> list[Optional[float]]:
        """Limits of the norms of parts, for a limit of the whole: with them
        all are multiplied by the coefficient of the whole."""
        if limit is None or len(self.parts) == 1:
            return [limit] * len(self.parts)
        norms = [_norm([p.grad for p in part.params]) for part in self.parts]
        whole = sum(norm * norm for norm in norms) ** 0.5
        clip = limit / (whole + 1e-6)
        if not 0 < clip < 1:  # nothing to clip, or not finite and not skipped
            return [limit] * len(self.parts)
        return [clip * (norm + 1e-6) for norm in norms]

    def joined(self, results: Sequence[Any]) -> Result:
        """The results of the parts as one, with the names of parameters."""
        named = [part.result(raw) for part, raw in zip(self.parts, results)]
        return Result(all(one.taken for one in named), named[0].clip,
                      sum((one.nonfinite for one in named), ()))


def differences(last: Any, key: Any) -> list[str]:
    """Between two keys of programs, but for which parameters they have."""
    reasons = []
    names = "clip_global_norm", "skip_nonfinite", "compute"
    for name, old, new in zip(names, last[0], key[0]):
        if old != new:
            reasons.append(f"{name} was changed")
    old_groups, new_groups = dict(last[1]), dict(key[1])
    for index, (use_muon, values) in new_groups.items():
        old = old_groups.get(index)
        if old is None or old[0] != use_muon:
            continue
        kind = options.MUON if use_muon else options.ADAMW
        for name, was, now in zip(options.names_compiled(kind), old[1], values):
            if was != now:
                reasons.append(f"param_groups[{index}]: {name} was {was!r} and "
                               f"is {now!r}")
    added = sorted(set(new_groups) - set(old_groups))
    if added and min(added) > max(old_groups, default=-1):
        reasons.append("param_groups" + str(added) + " came")
    forms = {name: form for name, *form in last[2]}
    changed = [name for name, *form in key[2]
               if name in forms and forms[name] != form]
    if changed or last[3] != key[3]:
        reasons.append("parameters have another dtype, shape or device")
    return reasons
