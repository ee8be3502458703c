# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs x schedules x momentum forms x scale rules x storage types, over
several steps, against the f64 reference; and forms and precisions of the
iteration."""

from __future__ import annotations

import grid
from support import THREE_STEPS, StepTestCase


class Grid(StepTestCase):
    def f32(self, part: int, **types):
        tensors, kinds, rules = grid.f32_checkpoint(
            range(part, grid.RULE_COUNT, 4))
        artifact = self.artifact(tensors, {**rules, **types})
        self.check_steps(artifact, tensors, kinds=kinds)

    # Rules 0, 4, 8 … have the first momentum form, and so on.
    def test_f32_ema_nesterov(self):
        self.f32(0)

    def test_f32_ema(self):
        self.f32(1)

    def test_f32_heavy_ball_nesterov(self):
        self.f32(2)

    def test_f32_heavy_ball(self):
        self.f32(3)

    def test_without_looking_at_the_gradients_first(self):
        self.f32(2, skip_nonfinite=False)

    def storage(self, **types):
        tensors, kinds, rules = grid.storage_checkpoint(**types)
        artifact = self.artifact(tensors, rules)
        self.check_steps(artifact, tensors, kinds=kinds)

    def test_storage_masters_and_f32_state(self):
        self.storage(grad_type="same", state_type="f32")

    def test_storage_bf16_state(self):
        self.storage(grad_type="same", state_type="bf16")

    def test_storage_f32_gradients_f16_state(self):
        self.storage(grad_type="f32", state_type="f16")

    def test_storage_bf16_gradients(self):
        self.storage(grad_type="bf16", state_type="f32")

    def test_storage_f16_gradients_f16_state(self):
        self.storage(grad_type="f16", state_type="f16")

    def test_clip_with_everything(self):
        tensors, kinds, rules = grid.storage_checkpoint(clip_global_norm=1.0)
        # One of the inputs is 1e6, which leaves nothing of the others.
        tensors = {n: t for n, t in tensors.items()
                   if kinds.get(n) not in ("huge",) and ".8x" not in n}
        artifact = self.artifact(tensors, rules)
        scalars = [dict(s) for s in THREE_STEPS]
        scalars[1]["clip"] = 20.0
        scalars[2]["clip"] = 1e30
        self.check_steps(artifact, tensors, scalars, kinds)

    def test_storage_without_masters(self):
        tensors, kinds, rules = grid.storage_checkpoint(
            muon={"master": False}, adamw={"master": False})
        artifact = self.artifact(tensors, rules)
        self.check_steps(artifact, tensors, kinds=kinds)

    def test_many_adamw_steps(self):
        tensors: dict = {}
        for dtype in ("F32", "BF16", "F16"):
            grid.add_adamw(tensors, dtype)
        artifact = self.artifact(tensors, {"rules": list(grid.ADAMW_RULES)})
        scalars = [{"lr": 0.1 / n} for n in range(1, 13)]
        self.check_steps(artifact, tensors, scalars)

    def forms(self, compute: str, *dtypes: str):
        tensors, kinds, rules = grid.forms_checkpoint(compute, dtypes)
        artifact = self.artifact(tensors, rules)
        self.check_steps(artifact, tensors, kinds=kinds)

    def test_forms_f32(self):
        self.forms("f32", "F32")

    def test_forms_tf32(self):
        self.forms("tf32", "F32")

    def test_forms_bf16(self):
        self.forms("bf16", "F32", "BF16")

    def test_forms_f16(self):
        self.forms("f16", "F32", "F16")

    def test_forms_chosen_by_the_compiler(self):
        """Everything `auto`, or `gram` without restarts, in each precision."""
        tensors, kinds, rules = grid.chosen_checkpoint()
        artifact = self.artifact(tensors, {"rules": rules})
        for p in artifact.plan.trained():
            options, asked = p.optimizer, p.name.split(".")[1]
            self.assertIn(options.iteration, ("direct", "gram"), p.name)
            if asked == "gram":
                self.assertEqual(options.iteration, "gram", p.name)
            if options.iteration == "gram":
                self.assertIsNotNone(options.restarts, p.name)
        self.check_steps(artifact, tensors, kinds=kinds)
