# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights that are split over ranks, with every strategy, and what must hold.

One model has a set of matrices for each strategy. Each step is compared with
the f64 reference, and with the step of one rank from the same inputs: owned and
gathered matrices in f32 have its bits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Optional, Sequence

import numpy as np

import inputs
from distributed import Placement, Ranks, plan_errors, traffic_of
from muon_reference import init_state
from rules import Plan
from storage import Tensor
from support import StepTestCase, applicable
from tolerance import Comparison, check_trajectory

SHAPES = {"pair.{}": ((20, 36), 3), "odd.{}": ((15, 37), 1),
          "tall.{}": ((129, 65), 1), "row.{}": ((1, 40), 2),
          "column.{}": ((33, 1), 1), "inner.{}": ((3, 12, 20), 1),
          "experts.{}": ((3, 9, 14), 1)}
# By prefix of the names: strategy that is pinned, type of the products, type of
# the weights, and shapes. Ranks without a part take no part in a distributed
# Gram iteration.
SETS = {
    "own": ("own", "f32", "F32", tuple(SHAPES)),
    "gather": ("gather", "f32", "F32", tuple(SHAPES)),
    "replicate": ("replicate", "f32", "F32", ("pair.{}", "inner.{}")),
    "gram": ("distributed_gram", "f32", "F32",
             ("pair.{}", "odd.{}", "tall.{}")),
    "half": ("own", "f16", "F16", ("pair.{}", "column.{}")),
    "bf16": ("gather", "bf16", "BF16", ("odd.{}", "inner.{}")),
    "brain": ("own", "bf16", "F32", ("odd.{}",)),
    "chosen": (None, "f32", "F32", ("pair.{}", "tall.{}"))}
ELEMENTWISE = {"embed.weight": (41, 24), "lm_head.weight": (100, 41),
               "bias": (17,), "one.bias": (1,)}
EXACT = ("own", "gather", "replicate", "chosen", "adamw")
STEPS = ({"lr": 0.5}, {"lr": 0.3, "momentum": 0.875})


def model(patterns: Sequence[str]) -> dict[str, Tensor]:
    shapes = {f"adamw.{n}": (s, "F32") for n, s in ELEMENTWISE.items()}
    for prefix, (_, _, dtype, own) in SETS.items():
        for pattern in own:
            if pattern not in patterns:
                continue
            shape, count = SHAPES[pattern]
            for i in range(count):
                shapes[f"{prefix}.{pattern.format(i)}"] = shape, dtype
    return {name: Tensor.of(inputs.weight(name, shape), dtype)
            for name, (shape, dtype) in shapes.items()}


def rules() -> dict:
    return {"rules": [{"match": f"^{prefix}\\.", "optimizer": "muon",
                       "group": prefix, "compute": compute,
                       "iteration": "gram" if prefix == "gram" else "auto"}
                      for prefix, (_, compute, _, _) in SETS.items()]}


def strategy_of(name: str) -> Optional[str]:
    # Whole matrices of a split batch are nobody else's business.
    prefix = name.split(".")[0]
    return None if "experts" in name or prefix == "adamw" else SETS[prefix][0]


class SplitCase(StepTestCase):
    patterns: Sequence[str] = tuple(SHAPES)
    steps: Sequence[Mapping] = STEPS

    def placements(self, axes: Mapping[str, int]) -> dict[str, Placement]:
        """`fsdp` splits rows, `tp` columns, and `fsdp` batches."""
        names = [a for a in axes if a != "dp"]

        def split(name: str, shape) -> list[list[str]]:
            lists: list[list[str]] = [[] for _ in shape]
            prefix = name.split(".")[0]
            if not shape:
                return lists
            if len(shape) == 1 or prefix == "gram" and len(names) > 1:
                lists[0] = names
            elif "experts" in name:
                lists[0] = names[:1]
            else:
                for axis in names:
                    lists[-2 if axis == "fsdp" else -1].append(axis)
            return lists

        return {name: Placement(
            split(name, tensor.shape), ("dp",) if "dp" in axes else (), "mean",
            strategy_of(name))
            for name, tensor in self.params.items()}

    def check(self, **axes: int) -> None:
        self.params = model(self.patterns)
        whole = self.artifact(self.params, rules(), "whole")
        ranks = Ranks(whole, self.folder / "ranks", axes,
                      self.placements(axes))
        plan = self.plan_of(whole, ranks)
        comparison = Comparison(plan)
        current, state = self.params, init_state(plan, self.params)
        all_grads, last = [], None
        scalars = [applicable(plan, given) for given in self.steps]
        different: set[str] = set()
        for number, given in enumerate(scalars, 1):
            grads = {}
            for name, tensor in self.params.items():
                rng = inputs.rng_for("split", name, number)
                grads[name] = [Tensor.of(rng.standard_normal(tensor.shape),
                                         tensor.dtype)
                               for _ in range(ranks.contributions(name))]
            all_grads.append(ranks.reduced(grads))
            out = ranks.run(
                self.params if last is None else ranks.written(last, "params"),
                grads, None if last is None else ranks.written(last, "state"),
                given, ["--traffic"], outputs=f"out{number}")
            last = f"out{number}"
            alone = whole.run(current, all_grads[-1], state, given)
            self.check_pieces(ranks, out)
            for rank, manifest in enumerate(ranks.manifests):
                self.assertEqual(out.traffic[rank], traffic_of(manifest),
                                 f"traffic of rank {rank}")
            comparison.add(current, all_grads[-1], state, given,
                           out.params.tensors, out.state.tensors)
            self.assertNoFailures(comparison.mistakes)
            for mine, theirs in ((out.params.tensors, alone.params),
                                 (out.state.tensors, alone.state)):
                different |= {n for n, t in theirs.items()
                              if not t.same_bits(mine[n])}
            current, state = out.params.tensors, out.state.tensors
        self.note_worst(comparison.findings())
        self.assertNoFailures(comparison.failures())
        found = check_trajectory(
            plan, self.params, init_state(plan, self.params),
            all_grads, scalars, current)
        self.assertNoFailures([f"after all steps: {f}" for f in found
                               if not f.ratio <= 1])
        self.notes.append("other bits than one rank: " + (", ".join(
            sorted({n.split(".")[0] for n in different})) or "none"))
        self.assertEqual([n for n in sorted(different)
                          if n.split(".")[0] in EXACT], [],
                         "not the bits of one rank")
        self.assertEqual(plan_errors(ranks), [])

    @staticmethod
    def plan_of(whole, ranks: Ranks) -> Plan:
        """Gram matrices that ranks add up are on the side that is not split,
        even if it is the longer one."""
        sides = {name: "columns" if placement.split[-2] else "rows"
                 for name, placement in ranks.placements.items()
                 if placement.strategy == "distributed_gram"}
        return replace(whole.plan, parameters={
            name: replace(p, optimizer=replace(p.optimizer, side=sides[name]))
            if name in sides else p
            for name, p in whole.plan.parameters.items()})

    def check_pieces(self, ranks: Ranks, out) -> None:
        """Weights are where placements say, and state is there as a whole."""
        self.assertEqual(out.params.differ + out.state.differ, [])
        for name, counts in out.params.counts.items():
            shape = out.params.tensors[name].shape
            wanted = np.zeros(shape, int)
            split = ranks.placements[name].split or [()] * len(shape)
            for rank in range(len(ranks.grid)):
                wanted[ranks.grid.shard(rank, shape, split)] += 1
            self.assertEqual(counts.tolist(), wanted.reshape(-1).tolist(),
                             name)
            # Who updates it: one of those that have it, or, where the
            # compiler may think so, each of them.
            everyone = int(wanted.flat[0])
            allowed = {"replicate": {everyone}, None: {1, everyone}}.get(
                ranks.placements[name].strategy, {1})
            for role in ("momentum", "exp_avg", "exp_avg_sq", "master"):
                if f"{name}.{role}" in out.state.counts:
                    found = set(out.state.counts[f"{name}.{role}"].tolist())
                    self.assertTrue(len(found) == 1 and found <= allowed,
                                    f"{role} of {name} is there {found} times")
