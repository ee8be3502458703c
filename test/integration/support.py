# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the integration tests have in common."""

from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path
from typing import Mapping, Optional, Sequence

import inputs
from muon_reference import init_state
from rules import Muon, Plan
from storage import Tensor
from tolerance import Comparison, Finding, check_trajectory
from toolchain import Artifact, Outputs, Tensors

SHOWN = 8  # failures printed per test

# Run-time scalars of three steps: large rates, so that what was subtracted is
# not lost in the rounding of the weight, and each scalar overridden once.
THREE_STEPS = (
    {"lr": 0.5},
    {"lr": {"": 0.3, "r00": 0.1, "adamw": 0.02}, "momentum": 0.875},
    {"lr": 0.7, "weight_decay": {"": 0.05, "r01": 0.4}},
)


def tensors_of(values: Mapping, dtype: str = "F32") -> dict[str, Tensor]:
    return {name: Tensor.of(v, dtype) for name, v in values.items()}


def gradients_for(plan: Plan, params: Tensors, number: int,
                  kinds: Optional[Mapping[str, str]] = None
                  ) -> dict[str, Tensor]:
    """Gradient number `number` of every trained parameter."""
    result = {}
    for p in plan.trained():
        narrow = "F16" if "F16" in (p.grad_type, p.state_type) else p.grad_type
        values = inputs.gradient((kinds or {}).get(p.name, "gaussian"), p.name,
                                 params[p.name].shape, narrow, number)
        result[p.name] = Tensor.of(values, p.grad_type)
    return result


def applicable(plan: Plan, scalars: Mapping) -> dict:
    """`scalars` without those of groups that the plan does not have."""
    groups = {p.group for p in plan.trained()} | {""}
    has_muon = any(isinstance(p.optimizer, Muon) for p in plan.trained())
    return {key: {g: v for g, v in value.items() if g in groups}
            if isinstance(value, Mapping) else value
            for key, value in scalars.items()
            if key != "momentum" or has_muon}


class StepTestCase(unittest.TestCase):
    """A test with a folder of its own and comparisons with the reference."""

    maxDiff = None

    def setUp(self):
        keep = os.environ.get("MUON_INTEGRATION_KEEP")
        if keep:
            self.folder = Path(keep) / self.id()
            self.folder.mkdir(parents=True, exist_ok=True)
        else:
            holder = tempfile.TemporaryDirectory(prefix="muon-integration-")
            self.addCleanup(holder.cleanup)
            self.folder = Path(holder.name)
        self.notes: list[str] = []

    def artifact(self, tensors: Tensors, rules: Optional[Mapping] = None,
                 name: str = "model", **how) -> Artifact:
        return Artifact(self.folder / name, tensors, rules, **how)

    def note_worst(self, findings: Sequence[Finding]) -> None:
        if findings:
            worst = findings[0]
            self.notes.append(f"worst error {worst.ratio:.2f} of its "
                              f"tolerance ({worst.tensor})")

    def assertNoFailures(self, failures: Sequence[str]) -> None:
        if failures:
            shown = "\n  ".join(failures[:SHOWN])
            self.fail(f"{len(failures)} results differ from the f64 "
                      f"reference:\n  {shown}")

    def assertSameBits(self, expected: Tensors, found: Tensors,
                       names: Optional[Sequence[str]] = None) -> None:
        if names is None:
            self.assertEqual(set(expected), set(found))
        wrong = [n for n in (names or expected)
                 if not expected[n].same_bits(found[n])]
        self.assertEqual(wrong, [], "not bit-identical")

    def check_steps(self, artifact: Artifact, params: Tensors,
                    scalars: Sequence[Mapping] = THREE_STEPS,
                    kinds: Optional[Mapping[str, str]] = None,
                    in_order: bool = False) -> Outputs:
        """Run steps from the initial state and compare each, and the whole."""
        plan = artifact.plan
        scalars = [applicable(plan, given) for given in scalars]
        comparison = Comparison(plan, in_order)
        start = dict(params), init_state(plan, params)
        current, state, grads = *start, []
        for number, given in enumerate(scalars, 1):
            grads.append(gradients_for(plan, params, number, kinds))
            out = artifact.run(current, grads[-1],
                               None if number == 1 else state, given)
            comparison.add(current, grads[-1], state, given, out.params,
                           out.state)
            self.assertNoFailures(comparison.mistakes)
            current, state = out.params, out.state
        self.note_worst(comparison.findings())
        self.assertNoFailures(comparison.failures())
        whole = check_trajectory(plan, *start, grads, scalars, current)
        self.assertNoFailures([f"after all steps: {f}" for f in whole
                               if not f.ratio <= 1])
        return out
