# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Data parallel steps in which each weight has an owner, and what must hold."""

from __future__ import annotations

import numpy as np

import inputs
from distributed import Placement, Ranks, plan_errors, traffic_of
from rules import Muon
from storage import Tensor
from support import StepTestCase, applicable

NO_CLIP = 1e30
# Several matrices of a shape, shapes that nothing divides, batches, vectors;
# how many there are, and their types.
ALL = ("F32", "BF16", "F16")
MATRICES = {"blocks.{}.w": ((15, 37), 3, ALL),
            "odd.{}": ((6, 13), 5, ("F32",)),
            "tall.{}": ((129, 65), 1, ("F32",)),
            "row.{}": ((1, 40), 2, ("F32", "BF16")),
            "column.{}": ((33, 1), 1, ("F32", "F16")),
            "experts.{}": ((3, 12, 20), 1, ("F32", "BF16")),
            "more_experts.{}": ((5, 9, 7), 2, ("F32",))}
ELEMENTWISE = {"embed.weight": ((40, 24), 1, ALL),
               "norm.{}": ((64,), 3, ("F32", "BF16")),
               "bias": ((17,), 1, ("F32", "BF16")),
               "long.bias": ((1000,), 1, ALL),
               "one.{}.bias": ((1,), 2, ("F32",)),
               "scalar.{}": ((), 2, ("F32", "F16")),
               "pos_embed.{}": ((2, 3, 5, 4), 2, ("F32",))}
RULES = {"clip_global_norm": 1.0, "rules": [
    {"match": "^fused", "optimizer": "muon", "split": [24, 8, 8],
     "iteration": "direct"},
    {"match": "pos_embed", "optimizer": "adamw"},
    {"match": "^half\\.", "optimizer": "muon", "compute": "bf16",
     "group": "half"}]}


def mixed_model(dtypes=ALL) -> dict[str, Tensor]:
    shapes = {"fused.qkv": ((40, 24), "F32"), "half.0": ((20, 31), dtypes[-1])}
    for dtype in dtypes:
        low = dtype.lower()
        for pattern, (shape, count, types) in {**MATRICES,
                                               **ELEMENTWISE}.items():
            for i in range(count if dtype in types else 0):
                shapes[f"{low}.{pattern.format(i)}"] = shape, dtype
    return {name: Tensor.of(inputs.weight(name, shape), dtype)
            for name, (shape, dtype) in shapes.items()}


def gradients_of_ranks(params, ranks: int, number: int, kind: str):
    """Of each tensor one gradient of each rank."""
    result = {}
    for name, tensor in params.items():
        rng = inputs.rng_for("ranks", name, number, kind)
        one = rng.standard_normal(tensor.shape)
        parts = []
        for rank in range(ranks):
            if kind == "own":
                values = rng.standard_normal(tensor.shape)
            elif kind == "integers":
                values = rng.integers(-8, 9, tensor.shape)
            else:
                values = one
            parts.append(Tensor.of(values, tensor.dtype))
        result[name] = parts
    return result


STEPS = ({"lr": 0.5},
         {"lr": {"": 0.3, "adamw": 0.02}, "momentum": 0.875},
         {"lr": 0.7, "weight_decay": 0.05})


class OwnCase(StepTestCase):
    """Strategy own, on so many ranks along `dp`."""

    def prepared(self, ranks: int, dtypes=ALL,
                 reduction: str = "mean"):
        params = mixed_model(dtypes)
        whole = self.artifact(params, RULES, "whole")
        return params, whole, Ranks(
            whole, self.folder / "ranks", {"dp": ranks},
            Placement((), ("dp",), reduction, "own"))

    def check_three_steps(self, params, whole, ranks, kind: str, clip: float,
                          mpi: bool = False) -> None:
        """The folder has what came out: `kind`1 to 3, or `mpi.kind`1 to 3."""
        count = len(ranks.grid)
        exact = clip == NO_CLIP
        mine = theirs = None
        for number, scalars in enumerate(STEPS, 1):
            given = {**applicable(whole.plan, scalars), "clip": clip}
            grads = gradients_of_ranks(params, count, number, kind)
            name = f"{'mpi.' if mpi else ''}{kind}{number}"
            mine = ranks.run(
                params if mine is None else ranks.written(last, "params"),
                grads, None if mine is None else ranks.written(last, "state"),
                given, ["--traffic"], outputs=name, mpi=mpi)
            last = name
            theirs = whole.run(
                params if theirs is None else theirs.params,
                ranks.reduced(grads),
                None if theirs is None else theirs.state, given)
            self.check_owned(whole, mine, theirs, exact, count)
            for rank, manifest in enumerate(ranks.manifests):
                self.assertEqual(mine.traffic[rank], traffic_of(manifest),
                                 f"traffic of rank {rank}")
        self.assertEqual(plan_errors(ranks), [])

    def check_owned(self, whole, mine, theirs, exact: bool,
                    ranks: int) -> None:
        self.assertEqual(mine.params.differ + mine.state.differ, [])
        for name, counts in mine.params.counts.items():
            self.assertTrue((counts == ranks).all(), name)
        for name, counts in mine.state.counts.items():
            self.assertTrue((counts == (ranks if name == "step" else 1)).all(),
                            f"{name} has not one owner")
        self.assertEqual(set(mine.params.tensors), set(theirs.params))
        self.assertEqual(set(mine.state.tensors), set(theirs.state))
        muon = {p.name for p in whole.plan.trained()
                if isinstance(p.optimizer, Muon)}
        for outputs, wanted in ((mine.params.tensors, theirs.params),
                                (mine.state.tensors, theirs.state)):
            for name, tensor in wanted.items():
                parameter = name if name in whole.plan.parameters else (
                    name.rpartition(".")[0])
                if exact or parameter in muon or name == "step":
                    self.assertTrue(
                        tensor.same_bits(outputs[name]),
                        f"{name}: {self.where(tensor, outputs[name])}")
                else:
                    want, found = tensor.values(), outputs[name].values()
                    # A stored number may fall on the other side of a tie.
                    slack = {"BF16": 2.0 ** -8, "F16": 2.0 ** -11}.get(
                        tensor.dtype, 0) + 1e-6
                    error = np.abs(want - found)
                    self.assertLessEqual(
                        float(np.max(error - slack * np.abs(want))),
                        1e-6 * float(np.max(np.abs(want))), name)

    @staticmethod
    def where(want: Tensor, found: Tensor) -> str:
        if want.shape != found.shape:
            return f"shape {want.shape}, found {found.shape}"
        wrong = want.bits != found.bits
        worst = np.max(np.abs(want.values() - found.values()), initial=0)
        return (f"{np.count_nonzero(wrong)} of {wrong.size} elements differ, "
                f"by up to {worst:.3g}")

    def check_skipped(self, params, ranks, mpi: bool = False) -> None:
        """One infinity on one rank: nothing changes on any."""
        count = len(ranks.grid)
        before_it = "mpi.own3" if mpi else "own3"
        for name in ("f32.odd.4", "f32.experts.0", "bf16.blocks.1.w",
                     "f16.embed.weight", "f32.long.bias", "fused.qkv"):
            if name not in params:
                continue
            grads = gradients_of_ranks(params, count, 1, "own")
            bad = grads[name][count - 1]
            values = bad.values()
            values.flat[-1] = np.inf
            grads[name][count - 1] = Tensor.of(values, bad.dtype)
            with self.subTest(name):
                out = ranks.run(ranks.written(before_it, "params"), grads,
                                ranks.written(before_it, "state"), {"lr": 0.5},
                                outputs="skipped", mpi=mpi)
                self.assertIn(f"gradient of '{name}' is not finite", out.text)
                for rank in range(count):
                    for role in ("params", "state"):
                        before, after = (
                            ranks.path(rank, f"{what}.{{rank}}.{role}")
                            .read_bytes() for what in (before_it, "skipped"))
                        self.assertEqual(before, after, f"rank {rank}")
