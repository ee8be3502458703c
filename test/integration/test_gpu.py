# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Steps compiled for a GPU, on the simulated device, against the reference.

The device checks for races and uninitialised memory as it goes; a finding
makes muon-run, and with it the test, fail.
"""

from __future__ import annotations

import json
import re
from typing import Mapping, Optional, Sequence

import numpy as np

import grid
import inputs
from muon_reference import init_state
from storage import Tensor
from support import THREE_STEPS, StepTestCase, gradients_for, tensors_of
from tolerance import Comparison
from toolchain import Artifact, Outputs, Tensors, call

SCALARS = {"lr": 0.5}
FORM = {"compute": "f32", "iteration": "direct"}
KINDS = ("gaussian", "decay3", "rank1", "zero", "tiny")

# Rules of grid.FORMS_OF, which all precisions have in common: direct forms
# with and without A^2, long and short; Gram forms with and without restarts.
DIRECT = (0, 2, 3)
GRAM = (4, 5, 7, 8, 9)
SMALL = ((6, 13), (37, 15), (1, 64), (64, 1), (1, 1), (3, 12, 20), (2, 400),
         (1, 9, 7), (15, 37), (400, 2))


class GpuArtifact(Artifact):
    """A step for a GPU; `seed` decides in which order the device works."""

    default_compute = "f16"

    def __init__(self, folder, tensors: Tensors,
                 rules: Optional[Mapping] = None, options: Sequence[str] = (),
                 seed: int = 1):
        super().__init__(folder, tensors, rules,
                         ("--target=sm_80", "--ptxas=none", *options))
        self.seed = seed

    @property
    def device(self) -> list[str]:
        return ["--device", f"sim:seed={self.seed}"]

    def level(self, name: str) -> str:
        return call("muon-compile", self._step, "--target=sm_80",
                    f"--compile-to={name}").stdout


class GpuTestCase(StepTestCase):
    def gpu(self, tensors: Tensors, rules: Optional[Mapping] = None,
            name: str = "model", **how) -> GpuArtifact:
        return GpuArtifact(self.folder / name, tensors, rules, **how)


class Forms(GpuTestCase):
    """Precisions x forms x shapes x spectra of the iteration."""

    def check_forms(self, compute: str, numbers: Sequence[int],
                    per_rule: int = 3, steps: int = 2):
        tensors: dict = {}
        kinds: dict = {}
        for turn, i in enumerate(numbers):
            wanted = [k for k in KINDS if k in grid.form_kinds(compute, i)]
            # The matrices of a batch are of all kinds.
            shapes = [s for s in SMALL if len(s) == 2
                      or grid.form_kinds(compute, i) is inputs.KINDS]
            for j in range(per_rule):
                shape = shapes[(per_rule * turn + j) % len(shapes)]
                grid.add_matrices(tensors, kinds, i, "F32", shape, wanted)
        artifact = self.gpu(tensors, {"rules": [grid.form_rule(compute, i)
                                                for i in numbers]})
        self.check_steps(artifact, tensors, THREE_STEPS[:steps], kinds)

    def test_direct_f32(self):
        self.check_forms("f32", DIRECT)

    def test_direct_tf32(self):
        self.check_forms("tf32", DIRECT)

    def test_direct_bf16(self):
        self.check_forms("bf16", DIRECT)

    def test_direct_f16(self):
        self.check_forms("f16", DIRECT)

    def test_gram_f32(self):
        self.check_forms("f32", GRAM, 1)

    def test_gram_tf32(self):
        self.check_forms("tf32", GRAM, 2)

    def test_gram_bf16(self):
        self.check_forms("bf16", GRAM, 2)

    def test_gram_f16(self):
        self.check_forms("f16", GRAM, 2)

    def check_tiles(self, compute: str):
        """Sizes of several tiles: exact ones, and ones that cut the last.

        Two steps are all but determined where the tolerance counts rounding.
        """
        chosen = ((0, (64, 64)), (2, (129, 257)), (5, (64, 64)),
                  (10, (257, 129)))
        tensors: dict = {}
        kinds: dict = {}
        for i, shape in chosen:
            grid.add_matrices(tensors, kinds, i, "F32", shape, ("gaussian",))
        artifact = self.gpu(tensors, {"rules": [grid.form_rule(compute, i)
                                                for i, _ in chosen]})
        self.check_steps(artifact, tensors, THREE_STEPS[:1], kinds)

    def test_tiles_f32(self):
        self.check_tiles("f32")

    def test_tiles_tf32(self):
        self.check_tiles("tf32")

    def test_tiles_bf16(self):
        self.check_tiles("bf16")

    def test_tiles_f16(self):
        self.check_tiles("f16")


class Storage(GpuTestCase):
    """Types of weights, gradients and state; momentum forms; AdamW; clip."""

    def check_storage(self, first: int = 0, **types):
        """Momentum forms with f32 and bf16 weights in turn, from `first`."""
        tensors: dict = {}
        kinds: dict = {}
        numbers = (0, 5, 10, 15)  # one rule of each momentum form
        for turn, i in enumerate(numbers):
            shape = ((6, 13), (3, 12, 20), (37, 15))[(turn + first) % 3]
            grid.add_matrices(tensors, kinds, i,
                              ("F32", "BF16")[(turn + first) % 2], shape,
                              ("gaussian", "decay3", "zero"))
        for dtype in ("F32", "BF16"):
            for which, shape in (("a", (17,)), ("b", (6, 13)), ("b", ())):
                size = "x".join(map(str, shape)) or "scalar"
                name = f"adam.{which}.{dtype.lower()}.{size}"
                tensors[name] = Tensor.of(inputs.weight(name, shape), dtype)
        rules = {"rules": [grid.muon_rule(i) for i in numbers]
                 + list(grid.ADAMW_RULES), **types}
        artifact = self.gpu(tensors, rules)
        self.check_steps(artifact, tensors, kinds=kinds)

    def test_masters(self):
        self.check_storage()

    def test_bf16_state_f32_gradients(self):
        self.check_storage(1, grad_type="f32", state_type="bf16")

    def test_without_masters(self):
        self.check_storage(muon={"master": False}, adamw={"master": False})

    def test_without_looking_at_the_gradients_first(self):
        self.check_storage(1, skip_nonfinite=False)

    def test_clip(self):
        tensors = model("BF16")
        rules = {"clip_global_norm": 0.5, "muon": FORM}
        self.check_steps(self.gpu(tensors, rules), tensors, [
            {"lr": 0.5}, {"lr": 0.5, "clip": 7.0}, {"lr": 0.5, "clip": 1e9}])


def model(dtype: str = "F32") -> dict[str, Tensor]:
    """A stack of three, a batch, and what gets AdamW."""
    shapes = {"blocks.0.w": (15, 37), "blocks.1.w": (15, 37),
              "blocks.2.w": (15, 37), "experts.w": (3, 12, 20),
              "proj.bias": (64,), "embed.weight": (40, 8)}
    return {n: Tensor.of(inputs.weight(n, s), dtype)
            for n, s in shapes.items()}


class Skip(GpuTestCase):
    """A value that is not finite: nothing changes, and who it was is said."""

    def check_skips(self, dtype: str):
        params = model(dtype)
        artifact = self.gpu(params, {"muon": FORM, "clip_global_norm": 1.0})
        before = artifact.run(params, gradients_for(artifact.plan, params, 1),
                              None, SCALARS)
        grads = gradients_for(artifact.plan, params, 2)
        for name, value in (("blocks.1.w", np.nan), ("experts.w", np.inf),
                            ("proj.bias", -np.inf)):
            values = grads[name].values()
            values.flat[-1] = value
            bad = {**grads, name: Tensor.of(values, grads[name].dtype)}
            with self.subTest(name=name, value=value):
                out = artifact.run(before.params, bad, before.state, SCALARS)
                self.assertSameBits(before.params, out.params)
                self.assertSameBits(before.state, out.state)
                self.assertIn(name, out.text)
        # The next good step goes on from there.
        after = artifact.run(before.params, grads, before.state, SCALARS)
        comparison = Comparison(artifact.plan)
        comparison.add(before.params, grads, before.state, SCALARS,
                       after.params, after.state)
        self.assertNoFailures(comparison.failures())
        self.assertEqual(int(after.state["step"].bits), 2)

    def test_f32(self):
        self.check_skips("F32")

    def test_bf16(self):
        self.check_skips("BF16")


class Bits(GpuTestCase):
    """Results that must be the same to the last bit."""

    def run_seed(self, artifact: GpuArtifact, params: Tensors,
                 seed: int) -> Outputs:
        artifact.seed = seed
        return artifact.run(params, gradients_for(artifact.plan, params, 1),
                            None, SCALARS)

    def assertSameOutputs(self, expected: Outputs, found: Outputs) -> None:
        self.assertSameBits(expected.params, found.params)
        self.assertSameBits(expected.state, found.state)

    def test_order_of_execution(self):
        for iteration in ({"iteration": "direct"},
                          {"iteration": "gram", "restarts": [2]}):
            params = {**model(), "wide": Tensor.of(
                inputs.weight("wide", (70, 130)), "F32")}
            artifact = self.gpu(params, {
                "clip_global_norm": 1.0,
                "muon": {"compute": "bf16", **iteration}},
                iteration["iteration"])
            first = self.run_seed(artifact, params, 1)
            for seed in (2, 3):
                self.assertSameOutputs(
                    first, self.run_seed(artifact, params, seed))

    def test_scratch_limit(self):
        """A loop over parts of a stack gives the bits of the whole."""
        params = tensors_of({f"w{i}": inputs.weight(i, (20, 37))
                             for i in range(5)})
        for compute in ("f32", "bf16"):
            rules = {"muon": {**FORM, "compute": compute}}
            whole = self.gpu(params, rules, f"{compute}.whole")
            refused = call("muon-compile", whole._step, "--target=sm_80",
                           "--scratch-limit=1", "-o",
                           self.folder / "none.so", check=False)
            self.assertNotEqual(refused.returncode, 0)
            least = int(re.search(r"needs (\d+) bytes of scratch memory for "
                                  "one ", refused.stderr).group(1))
            # Two members at a time, the last alone: sizes are aligned.
            parts = self.gpu(params, rules, f"{compute}.parts",
                             options=(f"--scratch-limit={5 * least // 2}",))
            self.assertEqual(self.products(parts, params),
                             3 * self.products(whole, params))
            self.assertSameOutputs(self.run_seed(whole, params, 1),
                                   self.run_seed(parts, params, 1))

    def products(self, artifact: GpuArtifact, params: Tensors) -> int:
        found = counters(self, artifact, params)["kernels"]
        return sum(kernel["launches"] for name, kernel in found.items()
                   if name.startswith("product_"))

    def test_member_of_a_stack_is_a_matrix_alone(self):
        params = tensors_of({f"w{i}": inputs.weight(i, (18, 40))
                             for i in range(3)})
        for compute in ("f32", "bf16"):
            rules = {"muon": {**FORM, "compute": compute}}
            stack = self.gpu(params, rules, f"{compute}.stack")
            grads = gradients_for(stack.plan, params, 1)
            together = stack.run(params, grads, None, SCALARS)
            alone = self.gpu({"w1": params["w1"]}, rules,
                             f"{compute}.alone").run(
                {"w1": params["w1"]}, {"w1": grads["w1"]}, None, SCALARS)
            self.assertSameBits(together.params, alone.params, ["w1"])
            self.assertSameBits(together.state, alone.state, ["w1.momentum"])


def counters(test: GpuTestCase, artifact: GpuArtifact,
             params: Tensors) -> dict:
    """What the launches of a first step did."""
    path = test.folder / "counters.json"
    artifact.run(params, gradients_for(artifact.plan, params, 1), None,
                 SCALARS, ["--counters", path])
    return json.loads(path.read_text())
