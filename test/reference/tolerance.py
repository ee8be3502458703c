# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How far a computed step may be from the f64 reference, and no farther.

A fixed tolerance cannot judge Newton-Schulz: on a decaying spectrum the
polynomial multiplies a rounding error by up to a^T (about 500 for Keller
Jordan's coefficients), on a Gaussian it hardly does. So the yardstick is the
*plain model*, the same algorithm in ordinary f32, with an iteration that rounds
to its compute type where compiled steps do (muon_reference.py):

  |out - ref|_F <= 2 max |plain - ref|_F + 1e-6 |update|_F + u |ref|_F

per matrix, where the maximum is over a few equally plain evaluations and over
the steps taken with that parameter (one evaluation can be lucky; where a
result is only a little too far off, more of them are asked before it is
refused), the second term is a floor, and the last, u = 2^-23, is what storing
the result in f32 costs anyway. It matters only where the weight is much larger
than its update.

Sums of a thousand terms after a huge one are the exception: added in order,
as a GPU does, f32 loses what NumPy's many partial sums keep. With `in_order`
the plain evaluations add that way, too.

A plain model that is itself off by more than a quarter of the update measures
nothing, and is an error of the test.

That does not notice a step that rounds *less* than it should, or elsewhere. But
one or two direct steps in tf32, bf16 or f16 are all but determined: only a sum
next to a tie may round the other way. There, for matrices large enough that a
few such elements do not show,

  |out - plain|_F <= 0.3 max |plain - ref|_F + the same floors

must hold, too. (Over more steps, each rounding decorrelates the next: after
five, equally good results are as far from each other as from the reference.)

Results stored in bf16 or f16 are compared with the *unrounded* reference, and
half a unit in the last place, which correct rounding may add, is taken off
each element's error first. So the tolerance of what was computed stays that
of f32, however coarse the type in which it was stored.

The next step is judged from the outputs of the last: errors do not pile up,
and a wrong step shows as a wrong step. `check_trajectory` does the opposite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

import numpy as np

from muon_reference import (MORE_VARIANTS, PLAIN_VARIANTS, StepResult,
                            plain_form, state_roles, step)
from rules import Muon, Parameter, Plan
from storage import Tensor, spacing

FACTOR = 2.0
FLOOR = 1e-6
UNIT = 2.0 ** -23
WIDEST = 0.25  # error of a plain model that is still a yardstick
DOUBTFUL = 4.0  # more plain evaluations cannot excuse what is farther off
ALIKE = 0.3
ALIKE_STEPS = 2
ALIKE_SIZE = 2000  # elements of a matrix


@dataclass
class Finding:
    """One compared matrix: `error` and `tolerance` are relative."""

    tensor: str
    step: int
    error: float
    tolerance: float
    of: str = "f64"

    @property
    def ratio(self) -> float:
        if np.isnan(self.error):
            return float("inf")
        return self.error / self.tolerance if self.tolerance else (
            float("inf") if self.error else 0.0)

    def __str__(self) -> str:
        return (f"{self.tensor}, step {self.step}: relative error to "
                f"{self.of} {self.error:.3e} > {self.tolerance:.3e}")


def determined(p: Parameter) -> bool:
    """Whether rounding leaves the update of `p` next to no freedom."""
    options = p.optimizer
    if not isinstance(options, Muon) or options.compute in ("auto", "f32"):
        return False
    _, restarts = plain_form(options)
    return restarts is None and options.steps <= ALIKE_STEPS


def excess(out: Tensor, exact: np.ndarray) -> np.ndarray:
    """|out - exact|, less what rounding to the storage type may add."""
    values = out.values()
    error = np.abs(values - exact)
    if out.dtype in ("BF16", "F16"):
        half = 0.5 * np.maximum(spacing(values, out.dtype),
                                spacing(exact, out.dtype))
        error = np.where(error <= half, 0.0, error - half)
    return error


def _matrices(array: np.ndarray) -> np.ndarray:
    """(..., r, c) as (count, r c); tensors of rank <= 1 are one vector."""
    if array.ndim <= 2:
        return array.reshape(1, -1)
    return array.reshape(-1, array.shape[-2] * array.shape[-1])


def _norms(array: np.ndarray) -> np.ndarray:
    """Frobenius norm of every matrix, safe from under- and overflow."""
    flat = np.abs(_matrices(np.asarray(array, np.float64)))
    peak = flat.max(axis=1, initial=0.0)
    safe = np.where((peak > 0) & np.isfinite(peak), peak, 1.0)
    return safe * np.sqrt(np.sum(np.square(flat / safe[:, None]), axis=1))


def _farthest(plains: Sequence[StepResult], key: str,
              exact: StepResult) -> np.ndarray:
    """The largest error of the plain models, for every matrix."""
    return np.max([_norms(p.values[key].astype(np.float64)
                          - exact.values[key]) for p in plains], axis=0)


@dataclass
class _Row:
    """One matrix in one step; all but `unit` in multiples of it."""

    step: int
    unit: float
    error: float
    plain: float
    floor: float
    apart: Optional[float]  # from the plain model, where that is determined


class Comparison:
    """Collects steps of an implementation under test, then judges them."""

    def __init__(self, plan: Plan, in_order: bool = False):
        self.plan = plan
        self._plain = {"dtype": np.float32, "in_order": in_order}
        self.steps = 0
        self.mistakes: list[str] = []
        self._records: dict[tuple[str, int], list[_Row]] = {}  # by matrix
        self._inputs: list[tuple] = []
        self._owner: dict[str, str] = {}  # of state, by name

    def add(self, params: Mapping[str, Tensor], grads: Mapping[str, Tensor],
            state: Mapping[str, Tensor], scalars: Mapping,
            out_params: Mapping[str, Tensor],
            out_state: Mapping[str, Tensor]) -> StepResult:
        """Compare one step, from its own inputs; returns the reference."""
        self.steps += 1
        exact = step(self.plan, params, grads, state, **scalars)
        plains = [step(self.plan, params, grads, state, variant=v,
                       **self._plain, **scalars)
                  for v in PLAIN_VARIANTS]
        self._structure(exact, out_params, out_state)
        if self.mistakes:
            return exact
        self._inputs.append((params, grads, state, scalars))
        for p in self.plan.trained():
            update = _norms(exact.update[p.name])
            self._owner[p.name] = p.name
            for role, _ in state_roles(p):
                key = f"{p.name}.{role}"
                self._owner[key] = p.name
                magnitude = (update if role == "master"
                             else _norms(exact.values[key]))
                self._record(key, magnitude, out_state[key], exact, plains,
                             role == "master" and determined(p))
            if p.has_master:
                self._copy(p, out_params, out_state)
            else:
                self._record(p.name, update, out_params[p.name], exact, plains,
                             p.weight_type == "F32" and determined(p))
            if isinstance(p.optimizer, Muon):
                self._momentum(p, grads, state, exact, out_state)
        return exact

    def _record(self, key: str, magnitude: np.ndarray, out: Tensor,
                exact: StepResult, plains: Sequence[StepResult],
                alike: bool = False) -> None:
        reference = exact.values[key]
        size = _norms(reference)
        unit = np.where(magnitude > 0, magnitude, np.where(size > 0, size, 1))
        error = _norms(excess(out, reference)) / unit
        plain = _farthest(plains, key, exact) / unit
        # 2^-149, the smallest f32, is the least a result can be off.
        least = 2.0 ** -149 * np.sqrt(reference.size)
        floor = (FLOOR * magnitude + UNIT * size + least) / unit
        apart: Sequence[Optional[float]] = [None] * len(unit)
        if alike and reference.size >= ALIKE_SIZE * len(unit):
            apart = _norms(out.values() - plains[0].values[key]) / unit
        for i in range(len(unit)):
            self._records.setdefault((key, i), []).append(_Row(
                self.steps, float(unit[i]), float(error[i]), float(plain[i]),
                float(floor[i]), apart[i]))

    def _structure(self, exact: StepResult, out_params, out_state) -> None:
        """Names, types and shapes; what must not change, and the count."""
        for what, want, got in (("parameters", exact.params, out_params),
                                ("state", exact.state, out_state)):
            if set(want) != set(got):
                self.mistakes.append(
                    f"{what}: missing {sorted(set(want) - set(got))[:5]}, "
                    f"extra {sorted(set(got) - set(want))[:5]}")
                continue
            for name, tensor in want.items():
                if (tensor.dtype, tensor.shape) != (got[name].dtype,
                                                    got[name].shape):
                    self.mistakes.append(
                        f"{name}: expected {tensor.dtype} {tensor.shape}, "
                        f"found {got[name].dtype} {got[name].shape}")
        if self.mistakes:
            return
        if not exact.state["step"].same_bits(out_state["step"]):
            self.mistakes.append(f"step: expected {exact.state['step'].bits}, "
                                 f"found {out_state['step'].bits}")
        for name, p in self.plan.parameters.items():
            if p.optimizer is None and not exact.params[name].same_bits(
                    out_params[name]):
                self.mistakes.append(f"{name}: frozen, but changed")

    def _copy(self, p, out_params, out_state) -> None:
        """The low-precision copy is the rounded master, bit for bit."""
        want = Tensor.of(out_state[f"{p.name}.master"].values(), p.weight_type)
        if not want.same_bits(out_params[p.name]):
            self.mistakes.append(
                f"{p.name}: is not its master rounded to {p.weight_type}")

    def _momentum(self, p, grads, state, exact, out_state) -> None:
        """M element by element: a norm would hide all but the largest.

        Two products and a sum in f32, with rounded factors, are off by at most
        4 units of 2^-24 of the terms' magnitudes.
        """
        key = f"{p.name}.momentum"
        G = np.abs(exact.clip * grads[p.name].values())
        terms = np.abs(state[key].values()) + G
        error = excess(out_state[key], exact.values[key])
        bad = ~(error <= 4 * 2.0 ** -24 * terms + 2.0 ** -149)
        if np.any(bad):
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            self.mistakes.append(
                f"{key}{list(at)}, step {self.steps}: expected "
                f"{exact.values[key][at]!r}, found "
                f"{out_state[key].values()[at]!r}")

    def findings(self) -> list[Finding]:
        """Every comparison made, good or bad, the worst first."""
        found = self._judge()
        doubtful = {self._owner[f.tensor] for f in found
                    if 1 < f.ratio <= DOUBTFUL}
        if doubtful:
            self._ask_more(doubtful)
            found = self._judge()
        return found

    def _judge(self) -> list[Finding]:
        found = []
        for (key, _), rows in self._records.items():
            plain = np.max([row.plain for row in rows])
            for row in rows:
                found.append(Finding(key, row.step, row.error,
                                     float(FACTOR * plain + row.floor)))
                if row.apart is not None:
                    found.append(Finding(key, row.step, row.apart,
                                         float(ALIKE * plain + row.floor),
                                         "the plain model"))
        return sorted(found, key=lambda f: -f.ratio)

    def _ask_more(self, names: set[str]) -> None:
        """Plain errors of MORE_VARIANTS, too, for the parameters `names`."""
        for at, (params, grads, state, scalars) in enumerate(self._inputs):
            exact, *plains = (
                step(self.plan, params, grads, state, only=names, **how,
                     **scalars)
                for how in [{}] + [{**self._plain, "variant": v}
                                   for v in MORE_VARIANTS])
            for (key, i), rows in self._records.items():
                if self._owner[key] in names:
                    row = rows[at]
                    more = _farthest(plains, key, exact)[i] / row.unit
                    row.plain = max(row.plain, more)

    def useless(self) -> list[str]:
        """Matrices whose plain model is too bad to measure anything."""
        worst = {key: np.max([row.plain - row.floor for row in rows])
                 for key, rows in self._records.items()}
        return [f"{key}: the plain model is off by {error:.3g}, more than "
                f"{WIDEST}: no yardstick"
                for (key, _), error in worst.items() if not error <= WIDEST]

    def failures(self) -> list[str]:
        """What is wrong, the worst first; empty if nothing is."""
        return self.mistakes + self.useless() + [
            str(f) for f in self.findings() if not f.ratio <= 1]


def check_trajectory(plan: Plan, params: Mapping[str, Tensor],
                     state: Mapping[str, Tensor],
                     grads: Sequence[Mapping[str, Tensor]],
                     scalars: Sequence[Mapping],
                     out_params: Mapping[str, Tensor]) -> list[Finding]:
    """Weights after all steps, with every model left to its own devices.

    Errors are relative to the lengths of all updates together. Only for
    parameters that are stored in f32 throughout: in coarser types one rounding
    that falls the other way is a legitimate difference.
    """
    moved: dict[str, np.ndarray] = {}

    def run(**how) -> StepResult:
        result = StepResult(True, 1.0, dict(params), dict(state))
        moved.clear()
        for g, s in zip(grads, scalars):
            result = step(plan, result.params, g, result.state, **s, **how)
            for name, update in result.update.items():
                moved[name] = moved.get(name, 0) + _norms(update)
        return result

    def judge(variants) -> list[Finding]:
        plains = [run(dtype=np.float32, variant=v) for v in variants]
        exact = run()
        found = []
        for p in plan.trained():
            if (p.weight_type, p.state_type) != ("F32", "F32"):
                continue
            reference = exact.params[p.name].values()
            unit = np.where(moved[p.name] > 0, moved[p.name], 1)
            error = _norms(out_params[p.name].values() - reference) / unit
            plain = np.max([_norms(q.params[p.name].values() - reference)
                            for q in plains], axis=0) / unit
            # Every step rounds its decay factor and its result to f32.
            floor = (FLOOR * moved[p.name] +
                     UNIT * len(grads) * _norms(reference)) / unit
            found += [Finding(p.name, len(grads), float(e), float(t))
                      for e, t in zip(error, FACTOR * plain + floor)]
        return sorted(found, key=lambda f: -f.ratio)

    found = judge(PLAIN_VARIANTS)
    if any(1 < f.ratio <= DOUBTFUL for f in found):
        found = judge(PLAIN_VARIANTS + MORE_VARIANTS)
    return found
