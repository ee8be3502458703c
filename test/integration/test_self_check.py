# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Would these tests notice a wrong step?

The plain f32 model takes the place of the compiled step, with one mistake at a
time. The comparison must accept it without the mistake and, with it, object to
every parameter it touches. Needs no tools.
"""

from __future__ import annotations

import dataclasses
import math
import unittest
from unittest import mock

import numpy as np

import grid
import inputs
import muon_reference
import support
import tolerance
from muon_reference import STAND_IN, coefficients, init_state, step
from rules import AdamW, Muon, resolve
from tolerance import Comparison, determined

# The inputs on which every mistake below must show. (On a zero gradient none
# does, and eps = 1e-7 shows only where the gradient is tiny.)
TELLING = ("gaussian", "decay3", "half_rank")
# Relative change of an update that no comparison may miss.
NOTICEABLE = 3e-5


def next_digit(value: float) -> float:
    """`value` with its fourth significant digit one higher."""
    if value == 0:
        return 0.0
    return value + 10.0 ** (math.floor(math.log10(abs(value))) - 3)


def alter_schedule(place: int, which: int):
    def alter(options):
        triples = [list(t) for t in coefficients(options.schedule,
                                                 options.steps)]
        triples[place][which] = next_digit(triples[place][which])
        return {"schedule": tuple(map(tuple, triples))}
    return alter


MUON_MISTAKES = {
    "nesterov forgotten or added": lambda o: {"nesterov": not o.nesterov},
    "other momentum form": lambda o: {"momentum_form": {
        "ema": "heavy_ball", "heavy_ball": "ema"}[o.momentum_form]},
    "one step too few": lambda o: {"steps": o.steps - 1},
    "one step too many": lambda o: {"steps": o.steps + 1},
    "fan-in and fan-out swapped": lambda o: {"transposed": not o.transposed},
    "fourth digit of the first a": alter_schedule(0, 0),
    "fourth digit of the first b": alter_schedule(0, 1),
    "fourth digit of the last a": alter_schedule(-1, 0),
    "fourth digit of the last b": alter_schedule(-1, 1),
    "fourth digit of the last c": alter_schedule(-1, 2),
    "scale wrong by 1e-4": lambda o: {
        "lr_multiplier": o.lr_multiplier * 1.0001},
    "safety of 1e-4": lambda o: {"safety": o.safety * 1.0001},
}
ADAMW_MISTAKES = {
    "beta2 wrong in the fourth digit": lambda o: {
        "betas": (o.betas[0], next_digit(o.betas[1]) - 2e-3)},
    "beta1 wrong in the fourth digit": lambda o: {
        "betas": (next_digit(o.betas[0]), o.betas[1])},
    "learning rate wrong by 1e-4": lambda o: {
        "lr_multiplier": o.lr_multiplier * 1.0001},
}


def checkpoint():
    """Small matrices of all rules and storage types, and AdamW."""
    tensors, kinds, rules = grid.storage_checkpoint()
    more, more_kinds, more_rules = grid.f32_checkpoint(
        range(0, grid.RULE_COUNT, 5), 2)
    tensors.update(more)
    kinds.update(more_kinds)
    rules["rules"] += more_rules["rules"]
    keep = {n: t for n, t in tensors.items()
            if kinds.get(n, "gaussian") in TELLING
            and np.prod(t.shape, dtype=int) < 5000}
    return keep, kinds, rules


class SelfCheck(unittest.TestCase):
    def setUp(self):
        self.tensors, self.kinds, self.rules = checkpoint()
        self.plan = resolve(self.rules, self.tensors)

    def altered(self, cls, mistake):
        """The plan with `mistake` made in every parameter of type `cls`."""
        return dataclasses.replace(self.plan, parameters={
            n: dataclasses.replace(p, optimizer=dataclasses.replace(
                p.optimizer, **mistake(p.optimizer)))
            if isinstance(p.optimizer, cls) else p
            for n, p in self.plan.parameters.items()})

    def objections(self, plan, steps: int = 2, **how) -> set[str]:
        """Parameters that the comparison objects to after a few steps."""
        comparison = Comparison(self.plan)
        params, state = self.tensors, init_state(self.plan, self.tensors)
        named: set[str] = set()
        for number in range(1, steps + 1):
            grads = support.gradients_for(self.plan, self.tensors, number,
                                          self.kinds)
            scalars = support.THREE_STEPS[number - 1]
            out = step(plan, params, grads, state, dtype=np.float32, variant=1,
                       **{**scalars, **how})
            comparison.add(params, grads, state, scalars, out.params,
                           out.state)
            named |= {m.split(".momentum")[0].split("[")[0].split(":")[0]
                      for m in comparison.mistakes}
            comparison.mistakes.clear()
            params, state = out.params, out.state
        for finding in comparison.findings():
            if not finding.ratio <= 1:
                name = finding.tensor
                if name not in self.tensors:
                    name = name.rpartition(".")[0]
                named.add(name)
        return named

    def test_no_mistake(self):
        self.assertEqual(self.objections(self.plan), set())

    def touched(self, after, steps: int = 2) -> set[str]:
        """Parameters whose exact update the mistake changes by NOTICEABLE.

        Not all are: a schedule that converges forgives its coefficients.
        """
        names = set()
        params, state = self.tensors, init_state(self.plan, self.tensors)
        for number in range(1, steps + 1):
            grads = support.gradients_for(self.plan, self.tensors, number,
                                          self.kinds)
            scalars = support.THREE_STEPS[number - 1]
            right, wrong = (step(plan, params, grads, state, **scalars)
                            for plan in (self.plan, after))
            for n, update in right.update.items():
                change = np.linalg.norm(wrong.update[n] - update)
                if change > NOTICEABLE * np.linalg.norm(update):
                    names.add(n)
            params, state = right.params, right.state
        return names

    def harmless(self, name: str) -> bool:
        """No inputs on which f32 itself loses the fourth digit: vectors at
        the steep end of a polynomial, and singular values at zero."""
        shape = self.tensors[name].shape
        return self.kinds.get(name, "gaussian") == "gaussian" and (
            len(shape) != 2 or min(shape) > 1)

    def check_mistakes(self, cls, mistakes):
        everyone = [n for n, p in self.plan.parameters.items()
                    if isinstance(p.optimizer, cls)]
        for what, mistake in mistakes.items():
            with self.subTest(what):
                plan = self.altered(cls, mistake)
                touched = self.touched(plan)
                self.assertGreater(len(touched), len(everyone) / 2)
                missed = sorted(touched - self.objections(plan))
                self.assertEqual([n for n in missed if self.harmless(n)], [])
                self.assertLessEqual(len(missed), len(touched) / 10, missed)

    def test_muon_mistakes(self):
        self.check_mistakes(Muon, MUON_MISTAKES)

    def test_adamw_mistakes(self):
        self.check_mistakes(AdamW, ADAMW_MISTAKES)

    def test_wrong_decay(self):
        objected = self.objections(self.plan, weight_decay=0.2)
        self.assertEqual(sorted(set(self.tensors) - objected), [])

    def test_decay_multiplied(self):
        """A multiplier that touches the decay, too."""
        def wrong(options, W, G, M, lr, weight_decay, *rest):
            t = W.dtype.type
            return original(options, W, G, M, lr,
                            weight_decay * t(options.lr_multiplier), *rest)
        original = muon_reference.muon_step
        # Patched only while the step under test runs, not its judges.
        real_step = step

        def patched(*args, **how):
            with mock.patch.object(muon_reference, "muon_step", wrong):
                return real_step(*args, **how)
        with mock.patch.dict(globals(), {"step": patched}):
            objected = self.objections(self.plan)
        touched = {n for n, p in self.plan.parameters.items()
                   if isinstance(p.optimizer, Muon)
                   and p.optimizer.lr_multiplier != 1
                   and p.optimizer.weight_decay != 0}
        self.assertTrue(touched)
        self.assertEqual(sorted(touched - objected), [])

    def test_one_wrong_element(self):
        """One element of a large matrix off by a part in 100 of its update."""
        params, state = self.tensors, init_state(self.plan, self.tensors)
        grads = support.gradients_for(self.plan, params, 1, self.kinds)
        scalars = {"lr": 0.5}
        out = step(self.plan, params, grads, state, dtype=np.float32,
                   **scalars)
        muon = [n for n, p in self.plan.parameters.items()
                if isinstance(p.optimizer, Muon) and p.weight_type == "F32"]
        name = max(muon, key=lambda n: np.prod(params[n].shape))
        for place in (0, -1):
            bits = out.params[name].bits.copy()
            size = np.sqrt(np.mean(out.update[name] ** 2))
            bits.flat[place] += np.float32(0.01 * size)
            wrong = {**out.params, name: dataclasses.replace(
                out.params[name], bits=bits)}
            comparison = Comparison(self.plan)
            comparison.add(params, grads, state, scalars, wrong, out.state)
            self.assertTrue(any(name in f for f in comparison.failures()))

    def test_epsilon_shows_on_tiny_gradients(self):
        """eps = 1e-7, which others add, breaks scale invariance."""
        name = "w"
        tensors = support.tensors_of({name: 0.05 * np.ones((6, 13))})
        plan = resolve({}, tensors)
        wrong = resolve({"muon": {"eps": 1e-7}}, tensors)
        state = init_state(plan, tensors)
        grads = support.gradients_for(plan, tensors, 1, {name: "tiny"})
        out = step(wrong, tensors, grads, state, lr=0.5, dtype=np.float32)
        comparison = Comparison(plan)
        comparison.add(tensors, grads, state, {"lr": 0.5}, out.params,
                       out.state)
        self.assertNotEqual(comparison.failures(), [])


# The iteration as written, for the mistakes to call.
segment = muon_reference._segment
Arithmetic = muon_reference._Arithmetic


def shift_forgotten(op, X, triples, factor):
    """The a I that short segments keep apart from their polynomial."""
    result = segment(op, X, triples, factor)
    if len(triples) > 2:
        return result
    return result - factor * op.t(math.prod(a for a, _, _ in triples)) * X


def factor_forgotten(op, X, triples, factor):
    """In the product that ends the first segment."""
    return segment(op, X, triples, factor) / factor


def last_coefficients(op, X, triples, factor):
    """A segment of more than one step takes its last triple throughout."""
    return segment(op, X, triples[-1:] * len(triples), factor)


class StaleTriangle(Arithmetic):
    """What lies below the diagonal is what was stored there before."""

    def __init__(self, *what):
        super().__init__(*what)
        self.before = 0

    def symmetric(self, values):
        stale, self.before = self.before, values
        return np.triu(super().symmetric(values)) + np.tril(
            stale + 0 * values, -1)


class NotRounded(Arithmetic):
    """X as it comes, in f32."""

    def matrix(self, values, power=0):
        return values

    def multiply(self, a, b):
        # Of tf32: X is the left factor of X X^T, the right one of P X.
        if a.shape[0] == a.shape[1]:
            return self._round(a, self.multiplied) @ b
        return a @ b


class RoundedTwice(Arithmetic):
    """X also before the factor that keeps it in range is taken out."""

    def matrix(self, values, power=0):
        once = super().matrix(values * np.float32(0.75), power)
        return super().matrix(once / np.float32(0.75), power)


class OtherType(Arithmetic):
    """Near enough to look right: f16 for bf16 and the reverse."""

    def __init__(self, compute, dtype, *how):
        super().__init__({"bf16": "f16", "f16": "bf16", "tf32": "f32",
                          "f32": "tf32"}[compute], dtype, *how)


class FormsSelfCheck(unittest.TestCase):
    """Mistakes in the forms and precisions of the iteration."""

    def setUp(self):
        self.cases = {}
        for compute in grid.FORMS_OF:
            tensors, kinds, rules = grid.forms_checkpoint(compute)
            tensors = {n: t for n, t in tensors.items()
                       if kinds[n] in TELLING and len(t.shape) == 2
                       and np.prod(t.shape) < 10000}
            self.cases[compute] = (resolve(rules, tensors), tensors, kinds)

    def objections(self, compute: str, **mistake) -> set[str]:
        """Parameters objected to when `mistake` replaces a definition."""
        plan, tensors, kinds = self.cases[compute]
        state = init_state(plan, tensors)
        grads = support.gradients_for(plan, tensors, 1, kinds)
        scalars = {"lr": 0.5}
        with mock.patch.multiple(muon_reference, **mistake):
            out = step(plan, tensors, grads, state, dtype=np.float32,
                       variant=STAND_IN, **scalars)
        comparison = Comparison(plan)
        comparison.add(tensors, grads, state, scalars, out.params, out.state)
        self.assertEqual(comparison.mistakes + comparison.useless(), [])
        return {f.tensor for f in comparison.findings() if not f.ratio <= 1}

    def test_no_mistake(self):
        for compute in self.cases:
            self.assertEqual(self.objections(compute, _segment=segment), set())

    def check(self, chosen, without=(), **mistake):
        """All of the parameters that are `chosen` must be objected to."""
        for compute, (plan, _, _) in self.cases.items():
            expected = {p.name for p in plan.trained() if chosen(p, compute)}
            if compute in without:
                continue
            self.assertTrue(expected, compute)
            with self.subTest(compute):
                objected = self.objections(compute, **mistake)
                self.assertEqual(sorted(expected - objected), [])

    def segments(self, p):
        _, restarts = muon_reference.plain_form(p.optimizer)
        return [end - begin for begin, end in muon_reference.segments(
            p.optimizer.steps, restarts)]

    def has_sides(self, p, least: int = 2) -> bool:
        name = p.name.split(".")
        return min(map(int, name[2].split("x"))) >= least

    def test_shift_forgotten(self):
        self.check(lambda p, _: min(self.segments(p)) <= 2,
                   _segment=shift_forgotten)

    def test_factor_forgotten(self):
        self.check(lambda p, _: self.has_sides(p),
                   _segment=factor_forgotten)

    def test_coefficients_of_another_step(self):
        # Others have equal steps, or converge all the same.
        self.check(lambda p, _: max(self.segments(p)) > 1
                   and p.optimizer.schedule == "polar_express"
                   and self.has_sides(p), _segment=last_coefficients)

    def test_stale_triangle(self):
        self.check(lambda p, _: self.has_sides(p), _Arithmetic=StaleTriangle)

    def sharp(self, p, compute: str) -> bool:
        """Whether one rounding more or less can be seen."""
        rows, cols = map(int, p.name.split(".")[2].split("x"))
        return (compute != "f32" and determined(p)
                and rows * cols >= tolerance.ALIKE_SIZE)

    def test_not_rounded(self):
        self.check(self.sharp, ["f32"], _Arithmetic=NotRounded)

    def test_rounded_twice(self):
        self.check(self.sharp, ["f32", "tf32"], _Arithmetic=RoundedTwice)

    def test_other_type(self):
        self.check(lambda p, compute: compute == "f32" and self.has_sides(p)
                   or self.sharp(p, compute), _Arithmetic=OtherType)

    def test_restarts_ignored_or_late(self):
        """They change nothing but the errors, where the spectrum decays."""
        for compute in ("f32", "tf32", "f16"):
            tensors = support.tensors_of(
                {"w": inputs.weight("w", (96, 160))})
            right, *wrong = (
                resolve({"muon": {"schedule": "polar_express", "safety": 1.02,
                                  "compute": compute, "iteration": "gram",
                                  "restarts": restarts}}, tensors)
                for restarts in ([1, 3], [1, 3], [2], []))
            state = init_state(right, tensors)
            grads = support.gradients_for(right, tensors, 1, {"w": "decay3"})
            found = []
            for plan in wrong:
                out = step(plan, tensors, grads, state, lr=0.5,
                           dtype=np.float32, variant=STAND_IN)
                comparison = Comparison(right)
                comparison.add(tensors, grads, state, {"lr": 0.5}, out.params,
                               out.state)
                found.append(bool(comparison.failures()))
            self.assertEqual(found, [False] + [True] * (len(found) - 1),
                             compute)

    def test_a_yardstick_that_measures_nothing(self):
        """bf16 without restarts is off by more than the result's size."""
        tensors = support.tensors_of({"w": inputs.weight("w", (96, 160))})
        plan = resolve({"muon": {"schedule": "polar_express", "safety": 1.02,
                                 "compute": "bf16", "iteration": "gram",
                                 "restarts": []}}, tensors)
        state = init_state(plan, tensors)
        grads = support.gradients_for(plan, tensors, 1, {"w": "decay3"})
        comparison = Comparison(plan)
        out = step(plan, tensors, grads, state, lr=0.5)
        comparison.add(tensors, grads, state, {"lr": 0.5}, out.params,
                       out.state)
        self.assertIn("no yardstick", " ".join(comparison.failures()))
