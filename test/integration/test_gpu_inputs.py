# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hard inputs on a GPU, what must hold between runs, and how it rounds."""

from __future__ import annotations

from typing import Sequence

import numpy as np

import grid
import inputs
import test_invariants
from muon_reference import PLAIN_VARIANTS, init_state, step
from storage import Tensor
from support import THREE_STEPS, gradients_for, tensors_of
from test_gpu import SCALARS, GpuArtifact, GpuTestCase
from tolerance import ALIKE, FLOOR, UNIT
from toolchain import Artifact

HARD = ("decay7", "half_rank", "huge", "tiny", "zero")
# Batches take all kinds in turn.
SHAPES = ((15, 37), (8, 6, 13), (37, 15), (3, 20, 12), (6, 13), (1, 9, 7),
          (1, 64), (1, 1), (64, 1))
# Rules of grid.FORMS_OF: of five steps; of few, which stand any input.
DIRECT = (0, 2, 3)
GRAM = (4, 8, 10)


class Inputs(GpuTestCase):
    """Kinds of inputs x precisions x forms; three orders of execution."""

    def check_inputs(self, compute: str, numbers: Sequence[int],
                     shapes: Sequence[tuple], per_rule: int = 1,
                     wanted: Sequence[str] = HARD,
                     dtypes: Sequence[str] = ("F32", "F16"),
                     in_order: bool = False) -> None:
        tensors: dict = {}
        kinds: dict = {}
        for turn, i in enumerate(numbers):
            allowed = grid.form_kinds(compute, i)
            usable = [s for s in shapes
                      if len(s) == 2 or allowed is inputs.KINDS]
            for j in range(per_rule):
                at = per_rule * turn + j
                # Tiny numbers of f16 are subnormal.
                grid.add_matrices(tensors, kinds, i,
                                  dtypes[(turn + j) % 2],
                                  usable[at % len(usable)],
                                  [k for k in wanted if k in allowed])
        artifact = self.gpu(tensors, {"rules": [grid.form_rule(compute, i)
                                                for i in numbers]})
        first = self.check_steps(artifact, tensors, [SCALARS], kinds, in_order)
        grads = gradients_for(artifact.plan, tensors, 1, kinds)
        for seed in (2, 3):
            artifact.seed = seed
            out = artifact.run(tensors, grads, None, SCALARS)
            self.assertSameBits(first.params, out.params)
            self.assertSameBits(first.state, out.state)

    def test_direct_f32(self):
        self.check_inputs("f32", DIRECT, SHAPES)

    def test_direct_tf32(self):
        self.check_inputs("tf32", DIRECT, SHAPES[1:], 2)

    def test_direct_bf16(self):
        self.check_inputs("bf16", DIRECT, SHAPES[2:], 2)

    def test_direct_f16(self):
        self.check_inputs("f16", DIRECT, SHAPES[3:], 2)

    def test_gram_f32(self):
        self.check_inputs("f32", GRAM, SHAPES[4:])

    def test_gram_tf32(self):
        self.check_inputs("tf32", GRAM, SHAPES, 2)

    def test_gram_bf16(self):
        self.check_inputs("bf16", GRAM, SHAPES[1:], 2)

    def test_gram_f16(self):
        self.check_inputs("f16", GRAM, SHAPES[2:], 2)

    def test_gradients_that_stop(self):
        """The second step has nothing but momentum to go by."""
        for compute, i in (("f32", 5), ("tf32", 0), ("bf16", 4), ("f16", 0)):
            with self.subTest(compute=compute):
                tensors: dict = {}
                kinds: dict = {}
                grid.add_matrices(tensors, kinds, i, "F32", (13, 6),
                                  ("pulse",))
                artifact = self.gpu(tensors, {
                    "rules": [grid.form_rule(compute, i)]}, compute)
                self.check_steps(artifact, tensors, THREE_STEPS[:2], kinds)

    NARROW = (("f32", ((1, 1000), (1000, 1))), ("tf32", ((2000, 2), (1, 1000))),
              ("bf16", ((2, 2000), (1000, 1))), ("f16", ((1000, 1), (2, 2000))))

    def test_long_and_narrow(self):
        for compute, shapes in self.NARROW:
            with self.subTest(compute=compute):
                self.check_inputs(compute, (2, 8), shapes, 1,
                                  ("decay7", "huge"), ("F32", "BF16"))

    def test_one_huge_entry_in_f16(self):
        """Its square leaves a hundred-thousandth of the sum to the others, and
        f32 added in order loses that: in f32, it is all of the error."""
        for compute, shapes in self.NARROW:
            with self.subTest(compute=compute):
                self.check_inputs(compute, (2, 8), shapes, 1, ("huge",),
                                  ("F16", "F16"), compute == "f32")

    def test_several_tiles(self):
        for compute, i, shape in (("tf32", 2, (129, 257)),
                                  ("bf16", 2, (129, 257)),
                                  ("f16", 8, (257, 129))):
            with self.subTest(compute=compute):
                self.check_inputs(compute, (i,), (shape,), 1,
                                  ("decay7", "half_rank"))


class Invariants(test_invariants.Invariants):
    """Those of the CPU, for fewer and smaller matrices."""

    FORM = {"schedule": grid.LITERAL, "steps": 3}

    def artifact(self, tensors, rules=None, name="model", **how):
        rules = dict(rules or {})
        rules["muon"] = {"compute": "f32", **rules.get("muon", {})}
        return GpuArtifact(self.folder / name, tensors, rules, **how)

    def test_scaling_the_gradient_by_a_power_of_two(self):
        shapes = {"wide": (15, 37), "row": (1, 13), "one": (1, 1),
                  "batch": (3, 20, 12)}
        params = tensors_of({n: inputs.weight(n, s)
                             for n, s in shapes.items()})
        values = {n: Tensor.of(test_invariants.gaussian(n, s), "F32").values()
                  for n, s in shapes.items()}
        for compute, iteration, form in (("f32", "direct", "heavy_ball"),
                                         ("bf16", "gram", "ema"),
                                         ("f16", "direct", "ema")):
            artifact = self.artifact(params, {"muon": {
                **self.FORM, "compute": compute, "iteration": iteration,
                "momentum_form": form}}, compute)
            plain = self.one_step(artifact, params, tensors_of(values))
            for power in (-100, -3, 100):
                with self.subTest(compute=compute, power=power):
                    scaled = self.one_step(artifact, params, tensors_of(
                        {n: np.ldexp(v, power) for n, v in values.items()}))
                    self.assertSameBits(plain.params, scaled.params)

    def relations(self, transform, shapes, rules=None):
        for compute, iteration in (("f32", "gram"), ("f16", "direct")):
            with self.subTest(compute=compute):
                super().relations(transform, ((6, 13), (40, 24)), {"muon": {
                    **self.FORM, "compute": compute, "iteration": iteration}})

    def test_batch_is_each_matrix_alone(self):
        for shape, count in (((6, 13), 8), ((15, 7), 3)):
            self.batch(shape, count)

    # test_gpu has these for every order of execution, and for stacks.
    test_run_to_run_and_compile_to_compile = None
    test_neighbours_change_nothing = None


class Rounding(GpuTestCase):
    """What is rounded, and where, is what the CPU's emulation rounds.

    One and two direct steps are all but determined: only a sum next to a tie
    may round the other way.
    """

    def check_alike(self, compute: str) -> None:
        tensors: dict = {}
        kinds: dict = {}
        numbers = (1, 2, 3)
        for i in numbers:
            grid.add_matrices(tensors, kinds, i, "F32", (45, 61),
                              ("gaussian", "decay3"))
        rules = [grid.form_rule(compute, i) for i in numbers]
        gpu = self.gpu(tensors, {"rules": rules})
        cpu = Artifact(self.folder / "cpu", tensors, {"rules": rules})
        # A step that does not round: what differs by as much as this must
        # not pass.
        exact = Artifact(self.folder / "f32", tensors, {"rules": [
            {**rule, "compute": "f32"} for rule in rules]})
        plan, start = gpu.plan, init_state(gpu.plan, tensors)
        grads = gradients_for(plan, tensors, 1, kinds)
        reference = step(plan, tensors, grads, start, **SCALARS)
        plains = [step(plan, tensors, grads, start, dtype=np.float32,
                       variant=v, **SCALARS) for v in PLAIN_VARIANTS]
        found, emulated, unrounded = (
            a.run(tensors, grads, None, SCALARS).params
            for a in (gpu, cpu, exact))
        for name in tensors:
            def error(values, other):
                return np.linalg.norm(values - other[name].values())
            rounding = max(np.linalg.norm(p.values[name].astype(np.float64)
                                          - reference.values[name])
                           for p in plains)
            allowed = (ALIKE * rounding
                       + FLOOR * np.linalg.norm(reference.update[name])
                       + UNIT * np.linalg.norm(reference.values[name]))
            values = found[name].values()
            self.assertLessEqual(error(values, emulated), allowed, name)
            self.assertGreater(error(values, unrounded), allowed, name)

    def test_tf32(self):
        self.check_alike("tf32")

    def test_bf16(self):
        self.check_alike("bf16")

    def test_f16(self):
        self.check_alike("f16")


class RowBlocks(GpuTestCase):
    """Rows of a tensor that are matrices of their own, wherever they begin."""

    # Rows of one, two and three blocks, columns. The bytes at which blocks of
    # f32 and of bf16 begin are 4 and 2, 0 and 8, 8 and 4, modulo 16.
    SPLITS = {"odd": ((5, 7, 3), 37), "equal": ((3, 3, 3), 12),
              "pairs": ((1, 4), 6)}

    def check_blocks(self, dtype: str, **types) -> None:
        tensors = {}
        rules: list[dict] = []
        begins = set()
        for n, (name, (split, columns)) in enumerate(self.SPLITS.items()):
            tensors[name] = Tensor.of(
                inputs.weight(name, (sum(split), columns)), dtype)
            rules.append({"match": f"^{name}$", "split": list(split)})
            size = tensors[name].bits.itemsize
            begins |= {int(row) * columns * size % 16
                       for row in np.cumsum(split)[:-1]}
        self.assertTrue(begins - {0}, begins)
        for compute, iteration in (("f32", "direct"), ("bf16", "gram")):
            muon = {"compute": compute, "iteration": iteration,
                    "schedule": grid.LITERAL, "steps": 3}
            split = self.gpu(tensors, {"muon": muon, "rules": rules, **types},
                             f"{compute}.split")
            self.check_steps(split, tensors, [SCALARS])
            self.check_alone(split, tensors, {"muon": muon, **types},
                             f"{compute}.alone")

    def check_alone(self, split, tensors, rules, name) -> None:
        """Each block gets the bits of a tensor of its own."""
        def blocks(whole):
            parts = {}
            for key, tensor in whole.items():
                if key == "step":
                    continue
                name, _, role = key.partition(".")
                ends = np.cumsum(self.SPLITS[name][0])
                for i, bits in enumerate(np.split(tensor.bits, ends[:-1])):
                    parts[f"{name}{i}" + (f".{role}" if role else "")] = \
                        Tensor(tensor.dtype, bits)
            return parts

        grads = gradients_for(split.plan, tensors, 1)
        together = split.run(tensors, grads, None, SCALARS)
        alone = self.gpu(blocks(tensors), rules, name).run(
            blocks(tensors), blocks(grads), None, SCALARS)
        self.assertSameBits(blocks(together.params), alone.params)
        alone.state.pop("step")
        self.assertSameBits(blocks(together.state), alone.state)

    def test_f32(self):
        self.check_blocks("F32")

    def test_bf16(self):
        self.check_blocks("BF16")

    def test_f16_state(self):
        self.check_blocks("F16", state_type="f16")
