# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products whose inner dimension is split, on the simulated device.

Few rows and long sums, as of low-rank adapters: tiles are few, and blocks get
parts of the inner dimension.
"""

from __future__ import annotations

import re

import inputs
from support import THREE_STEPS, gradients_for, tensors_of
from test_gpu import GpuTestCase


class Split(GpuTestCase):
    def check_split(self, compute: str, iteration: str, *shapes):
        for rows, cols in shapes:
            with self.subTest(shape=(rows, cols)):
                tensors = tensors_of({"w": inputs.weight("w", (rows, cols))})
                artifact = self.gpu(
                    tensors, {"muon": {"compute": compute, "steps": 2,
                                       "iteration": iteration},
                              "clip_global_norm": 1.0}, f"{rows}x{cols}")
                parts = re.findall(r"matmul lhs\([^)]*memref<(\d+)x",
                                   artifact.level("launches"))
                self.assertGreater(max(map(int, parts)), 1)
                self.check_steps(artifact, tensors, THREE_STEPS[:1])
                grads = gradients_for(artifact.plan, tensors, 1)
                first, second = (
                    self.run_seed(artifact, seed, tensors, grads)
                    for seed in (1, 2))
                self.assertSameBits(first.params, second.params)

    def run_seed(self, artifact, seed, tensors, grads):
        artifact.seed = seed
        return artifact.run(tensors, grads, None, {"lr": 0.5})

    def test_bf16(self):
        self.check_split("bf16", "direct", (24, 2048), (2048, 40))

    def test_f16_gram(self):
        self.check_split("f16", "gram", (32, 4096), (4096, 6))

    def test_tf32(self):
        self.check_split("tf32", "direct", (17, 1024), (1024, 17))

    def test_f32(self):
        self.check_split("f32", "gram", (16, 2048), (1024, 33))
