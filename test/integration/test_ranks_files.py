# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints of other ranks, bytes of a language model, and bad input."""

from __future__ import annotations

import inputs
import safetensors_io
from distributed import Placement, Ranks, traffic_of
from ranks_case import gradients_of_ranks
from storage import Tensor
from support import StepTestCase
from toolchain import call

SHAPES = {"pair.0": (15, 37), "pair.1": (15, 37), "pair.2": (15, 37),
          "tall.w": (41, 12), "experts.w": (3, 12, 20), "embed.weight": (40, 9),
          "bias": (300,)}
DATA = Placement((), ("dp",), "mean", "own")


def shards(model) -> dict[str, Placement]:
    """Rows over `fsdp`, columns over `tp`; every gradient is the whole one."""
    result = {}
    for name, tensor in model.items():
        split = [[] for _ in tensor.shape]
        split[0] = ["fsdp"]
        if len(split) > 1:
            split[-1] = ["tp"]
        strategy = None if name in ("bias", "embed.weight") else "own"
        result[name] = Placement(split, (), "mean", strategy)
    return result


class Checkpoints(StepTestCase):
    """State of N ranks goes on with M, with the bits of one that never
    stopped."""

    def setUp(self):
        super().setUp()
        self.params = {n: Tensor.of(inputs.weight(n, s), "F32")
                       for n, s in SHAPES.items()}
        self.whole = self.artifact(self.params, None, "whole")
        self.steps = [gradients_of_ranks(self.params, 1, number, "integers")
                      for number in (1, 2, 3)]
        self.exact = [None]
        params, state = self.params, None
        for grads in self.steps:
            out = self.whole.run(params, {n: g[0] for n, g in grads.items()},
                                 state, {"lr": 0.5})
            params, state = out.params, out.state
            self.exact.append(out)

    def ranks(self, name: str, placements=DATA, **axes: int) -> Ranks:
        return Ranks(self.whole, self.folder / name, axes, placements)

    def grads(self, ranks: Ranks, number: int):
        """Every rank has the same; the mean of integers is exact."""
        return {n: g * ranks.contributions(n)
                for n, g in self.steps[number - 1].items()}

    def check_step(self, ranks: Ranks, number: int, params, state) -> tuple:
        out = ranks.run(params, self.grads(ranks, number), state, {"lr": 0.5},
                        outputs=f"out{number}")
        self.assertEqual(out.params.differ + out.state.differ, [])
        self.assertSameBits(self.exact[number].params, out.params.tensors)
        self.assertSameBits(self.exact[number].state, out.state.tensors)
        return tuple(ranks.written(f"out{number}", role)
                     for role in ("params", "state"))

    def check(self, before: Ranks, after: Ranks) -> None:
        params, state = self.check_step(before, 1, self.params, None)
        count = len(before.grid)
        params, state = self.check_step(after, 2, (params[0], count),
                                        (state[0], count))
        self.check_step(after, 3, params, state)

    def test_1_to_3_and_back(self):
        one, three = self.ranks("one", dp=1), self.ranks("three", dp=3)
        self.check(one, three)
        self.check(three, one)

    def test_4_to_2(self):
        self.check(self.ranks("four", dp=4), self.ranks("two", dp=2))

    def test_2_to_4_shards(self):
        two = self.ranks("two", dp=2)
        four = self.ranks("four", shards(self.params), fsdp=2, tp=2)
        self.check(two, four)
        self.check(four, two)

    def test_plain_files(self):
        """What one rank wrote without a grid is a checkpoint of one rank."""
        two = self.ranks("two", dp=2)
        first = self.exact[1]
        params, state = self.check_step(two, 2, first.params, first.state)
        out = call("muon-run", self.whole.library, "--params", params[0],
                   "--params-ranks", 2, "--state", state[0], "--state-ranks", 2,
                   "--grads", self.grads_file(3), "--lr", 0.5, "--stats")
        self.assertIn("pair.2", out.stdout)

    def grads_file(self, number: int):
        path = self.folder / "grads.safetensors"
        safetensors_io.save(path, {n: g[0]
                                   for n, g in self.steps[number - 1].items()})
        return path

    def test_incomplete(self):
        """Files of some ranks only."""
        two = self.ranks("two", dp=2)
        _, state = self.check_step(two, 1, self.params, None)
        arguments = two.arguments(self.params, self.grads(two, 2),
                                  (state[0], 1), {"lr": 0.5}, "out2")
        done = call("muon-run", *arguments, "--ranks", 2, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"out1\.0\.state: tensor '[^']*': "
                                      r".*missing")


class Bytes(StepTestCase):
    def test_llama(self):
        """Data parallel: gradients are summed where they are used, weights go
        everywhere, and hardly anything else moves."""
        hidden, inner, vocabulary, layers, ranks = 64, 172, 500, 4, 4
        shapes = {"embed_tokens.weight": (vocabulary, hidden),
                  "lm_head.weight": (vocabulary, hidden), "norm.weight":
                  (hidden,)}
        for i in range(layers):
            prefix = f"layers.{i}."
            shapes |= {f"{prefix}{n}_proj.weight": (hidden, hidden)
                       for n in "qkvo"}
            shapes |= {f"{prefix}gate_proj.weight": (inner, hidden),
                       f"{prefix}up_proj.weight": (inner, hidden),
                       f"{prefix}down_proj.weight": (hidden, inner),
                       f"{prefix}input_norm.weight": (hidden,)}
        params = {n: Tensor.of(inputs.weight(n, s), "BF16")
                  for n, s in shapes.items()}
        whole = self.artifact(params, None, "whole")
        spread = Ranks(whole, self.folder / "ranks", {"dp": ranks},
                       Placement((), ("dp",)))
        grads = gradients_of_ranks(params, ranks, 1, "own")
        out = spread.run(params, grads, None, {"lr": 0.02}, ["--traffic"])
        for rank, manifest in enumerate(spread.manifests):
            self.assertEqual(out.traffic[rank], traffic_of(manifest))
        size = sum(t.bits.nbytes for t in params.values())
        moved = sum(sent + received for sent, received in out.traffic)
        # Each of two collectives sends (N - 1) copies of everything.
        least = 2 * 2 * (ranks - 1) * size
        self.notes.append(f"bytes moved: {moved / least:.4f} of "
                          "reduce-scatter and all-gather")
        self.assertLessEqual(moved, 1.01 * least)
        plan = spread.plan()
        self.assertEqual({g["strategy"] for g in plan["groups"]}, {"own"})


class BadInput(StepTestCase):
    def setUp(self):
        super().setUp()
        self.params = {n: Tensor.of(inputs.weight(n, s), "F32") for n, s in
                       {"a.w": (6, 13), "b.w": (6, 13), "bias": (9,)}.items()}
        self.whole = self.artifact(self.params, None, "whole")

    def ranks(self, name: str, placements=DATA, **axes) -> Ranks:
        return Ranks(self.whole, self.folder / name, axes, placements)

    def refused(self, ranks: Ranks, count: int, *expected: str,
                arguments=None) -> None:
        if arguments is None:
            grads = gradients_of_ranks(self.params, len(ranks.grid), 1, "own")
            arguments = ranks.arguments(self.params, grads, None, {"lr": 0.5},
                                        "out")
        done = call("muon-run", *arguments, "--ranks", count, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        for text in expected:
            self.assertIn(text, done.stderr)
        self.assertEqual(list(ranks.folder.glob("out.*")), [])

    def test_numbers_of_ranks(self):
        ranks = self.ranks("two", dp=2)
        self.refused(ranks, 3, "compiled for rank 0 of 2 (dp=2), but run as "
                               "rank 0 of 3; give --ranks 2")
        self.refused(ranks, 1, "compiled for rank 0 of 2", "--ranks 2",
                     arguments=[a if a != ranks.library else ranks.path(0)
                                for a in ranks.arguments(
                                    self.params, gradients_of_ranks(
                                        self.params, 2, 1, "own"),
                                    None, {"lr": 0.5}, "out")])

    def test_missing_files(self):
        ranks = self.ranks("two", dp=2)
        grads = gradients_of_ranks(self.params, 2, 1, "own")
        arguments = ranks.arguments(self.params, grads, None, {"lr": 0.5},
                                    "out")
        ranks.path(1, "grads.{rank}.safetensors").unlink()
        self.refused(ranks, 2, "rank 1: ", "grads.1.safetensors: cannot open",
                     "rank 0: ", arguments=arguments)
        grads["b.w"][1] = Tensor.zeros((6, 12), "F32")
        arguments = ranks.arguments(self.params, grads, None, {"lr": 0.5},
                                    "out")
        self.refused(ranks, 2, "grads.1.safetensors: tensor 'b.w': shape is "
                               "[6, 12], expected [6, 13]",
                     arguments=arguments)
        arguments = ranks.arguments(self.params, gradients_of_ranks(
            self.params, 2, 1, "own"), None, {"lr": 0.5}, "out")
        ranks.path(1).unlink()
        self.refused(ranks, 2, "rank 1: ", "step.1.so", arguments=arguments)

    def test_one_file_for_all(self):
        ranks = self.ranks("two", dp=2)
        grads = gradients_of_ranks(self.params, 2, 1, "own")
        arguments = ranks.arguments(self.params, grads, None, {"lr": 0.5},
                                    "out")
        arguments[-1] = ranks.folder / "out.state"
        self.refused(ranks, 2, "--out-state", "is one file, and 2 ranks write "
                                              "it", "{rank}",
                     arguments=arguments)

    def test_ranks_that_disagree(self):
        """Artifacts of other strategies and other grids: each rank names the
        first difference."""
        own = self.ranks("own", dp=2)
        other = self.ranks("other", Placement((), ("dp",), "mean", "replicate"),
                           dp=2)
        own.path(1).write_bytes(other.path(1).read_bytes())
        self.refused(
            own, 2, "rank 0: ", "rank 1: ",
            "the artifacts of the ranks do not belong together", "own",
            "replicate", "on rank 1", "compile all of them from the same "
            "input")
        grid = self.ranks("grid", Placement((), ("dp", "tp")), dp=1, tp=2)
        mixed = self.ranks("mixed", dp=2)
        mixed.path(1).write_bytes(grid.path(1).read_bytes())
        self.refused(mixed, 2, "do not belong together", "'grid dp=2'",
                     "'grid dp=1,tp=2'")
