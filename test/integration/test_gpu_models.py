# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The parameters of a published model, with smaller dimensions, on a GPU.

Names, layers and which optimizer a tensor gets are those of the preset.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

import inputs
import safetensors_io
from muon_reference import init_state
from storage import Tensor
from support import gradients_for
from test_gpu import GpuTestCase
from tolerance import Comparison
from toolchain import ROOT, call, tool

# Vocabulary and context, width, attention and MLP. None is of one tile, and
# rows of the vocabulary divide nothing.
SMALLER = {50257: 97, 1024: 33, 768: 24, 2304: 72, 3072: 96}
# GPT-2 stores the matrices of its blocks in x out.
TRANSPOSED = {"match": r"\.(c_attn|c_proj|c_fc)\.weight$", "transposed": True}
SCALARS = ({"lr": 0.5}, {"lr": {"": 0.3, "adamw": 0.02}, "momentum": 0.875})
MOST_LAUNCHES = 60


def optimizers(ir: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """(operation, shape) by tensor, of a step that muon-import wrote."""
    found = {}
    for operation, weight in re.findall(
            r"= muon\.(update|adamw_update) .*? weight\((%arg\d+) ", ir):
        size, names = re.search(
            re.escape(weight) + r": (?:!muon\.stack|tensor)<([0-9x]*)x?f32> "
            r"\{muon\.names = \[(.*?)\]", ir).groups()
        names = re.findall(r'"(.*?)"', names)
        shape = tuple(int(n) for n in size.split("x") if n)
        # A stack has its members in front.
        member = shape[1:] if f"{weight}: !muon.stack" in ir else shape
        found.update({name: (operation, member) for name in names})
    return found


class Gpt2(GpuTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.preset = optimizers(call("muon-import", "--preset",
                                     "gpt2-124m").stdout)
        cls.params = {
            name: Tensor.of(inputs.weight(name, tuple(SMALLER[n]
                                                      for n in shape)), "F32")
            for name, (_, shape) in cls.preset.items()}

    def test_same_optimizers_as_the_preset(self):
        self.assertEqual(len(self.preset), 148)
        artifact = self.gpu(self.params)
        small = optimizers((artifact.folder / "step.mlir").read_text())
        self.assertEqual({n: op for n, (op, _) in small.items()},
                         {n: op for n, (op, _) in self.preset.items()})
        self.assertEqual(sum(op == "update" for op, _ in small.values()), 48)

    def check_model(self, **form):
        """Two steps like the reference's and like those on the CPU."""
        rules = {"muon": {"scale": "original", **form},
                 "rules": [TRANSPOSED]}
        gpu = self.gpu(self.params, rules)
        cpu = self.artifact(self.params, rules, "cpu")
        plan, counters = gpu.plan, self.folder / "counters.json"
        comparisons = {"gpu": Comparison(plan), "cpu": Comparison(plan)}
        current, state = self.params, init_state(plan, self.params)
        for number, scalars in enumerate(SCALARS, 1):
            grads = gradients_for(plan, self.params, number)
            given = None if number == 1 else state
            outs = {
                "gpu": gpu.run(current, grads, given, scalars,
                               ["--counters", counters]),
                "cpu": cpu.run(current, grads, given, scalars)}
            for where, comparison in comparisons.items():
                exact = comparison.add(current, grads, state, scalars,
                                       outs[where].params, outs[where].state)
                self.assertNoFailures(comparison.mistakes)
            self.check_alike(outs, exact, comparisons, number)
            current, state = outs["gpu"].params, outs["gpu"].state
            total = json.loads(counters.read_text())["total"]
            self.assertGreater(total["tensor_flops"][form["compute"]], 0)
            self.assertLessEqual(total["launches"], MOST_LAUNCHES)
        for comparison in comparisons.values():
            self.assertNoFailures(comparison.failures())
        self.note_worst(comparisons["gpu"].findings())
        self.notes.append(f"{total['launches']} launches")

    def check_alike(self, outs, exact, comparisons, number):
        """Both are as close to each other as to the reference."""
        allowed: dict[str, float] = {}
        for comparison in comparisons.values():
            for finding in comparison.findings():
                if finding.step == number and finding.of == "f64":
                    allowed[finding.tensor] = (allowed.get(finding.tensor, 0)
                                               + finding.tolerance)
        for name in self.params:
            a, b = (outs[where].params[name].values()
                    for where in ("gpu", "cpu"))
            size = np.linalg.norm(exact.update[name])
            self.assertGreater(size, 0, name)
            self.assertLessEqual(np.linalg.norm(a - b) / size, allowed[name],
                                 name)

    def test_bf16_direct(self):
        self.check_model(compute="bf16", iteration="direct")

    def test_f16_gram(self):
        self.check_model(compute="f16", iteration="gram", restarts=[2])


class Digits(GpuTestCase):
    """The demo, which feeds each step what the last one made."""

    STEPS = 6

    def train(self, device: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, ROOT / "examples/digits/digits.py",
             f"--steps={self.STEPS}", f"--device={device}",
             f"--bin={Path(tool('muon-run')).parent}",
             f"--out={self.folder / device}"], capture_output=True, text=True)

    def test_trains_as_on_the_cpu(self):
        for device in ("cpu", "sim"):
            done = self.train(device)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        worst = 0.0
        for label in ("muon", "adamw"):
            cpu, sim = (safetensors_io.load(self.folder / device
                                            / f"{label}.safetensors")
                        for device in ("cpu", "sim"))
            self.assertEqual(set(cpu), set(sim))
            for name in cpu:
                a, b = cpu[name].values(), sim[name].values()
                # f32 rounding; what the iteration multiplies it by is about
                # 500, and gradients carry each step's on to the next.
                limit = 500 * self.STEPS * 2.0 ** -24
                error = np.linalg.norm(a - b) / np.linalg.norm(a)
                worst = max(worst, error)
                self.assertLessEqual(error, limit, name)
        self.notes.append(f"weights differ by up to {worst:.1e}")

    def test_no_driver(self):
        done = self.train("cuda:driver=/nowhere/libcuda.so.1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no NVIDIA driver: cannot load /nowhere/libcuda.so.1",
                      done.stderr)
        self.assertNotIn("Traceback", done.stderr)
