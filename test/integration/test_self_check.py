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
import muon_reference
import support
from muon_reference import coefficients, init_state, step
from rules import AdamW, Muon, resolve
from tolerance import Comparison

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
