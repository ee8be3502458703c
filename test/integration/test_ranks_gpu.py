# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Steps of several ranks for GPUs, on the simulated device.

The same as on the CPU, but for the precision of products, which is f16 where
nobody says otherwise. Memory that was never written is an error, so that what
ranks exchange was computed.
"""

from __future__ import annotations

from ranks_case import NO_CLIP, OwnCase
from split_case import SplitCase
from test_gpu import GpuArtifact


class GpuOwn(OwnCase):
    def artifact(self, tensors, rules=None, name="model", **how):
        return GpuArtifact(self.folder / name, tensors, rules, **how)

    def check(self, ranks: int, dtypes) -> None:
        prepared = self.prepared(ranks, dtypes)
        self.check_three_steps(*prepared, "own", NO_CLIP)
        self.check_skipped(prepared[0], prepared[2])
        self.check_three_steps(*prepared, "integers", 3.0)

    def test_1_rank(self):
        self.check(1, ("BF16",))

    def test_2_ranks(self):
        self.check(2, ("F32", "F16"))

    def test_3_ranks(self):
        self.check(3, ("F32",))

    def test_8_ranks(self):
        self.check(8, ("F32",))


class GpuSplit(SplitCase):
    # Of several tiles is what other tests have.
    patterns = ("pair.{}", "odd.{}", "column.{}", "inner.{}", "experts.{}")
    steps = SplitCase.steps[:1]

    def artifact(self, tensors, rules=None, name="model", **how):
        return GpuArtifact(self.folder / name, tensors, rules, **how)

    def test_fsdp_2(self):
        self.check(fsdp=2)

    def test_tp_3(self):
        self.check(tp=3)

    def test_dp_tp(self):
        self.check(dp=2, tp=2)

    def test_dp_fsdp_tp(self):
        self.patterns = ("pair.{}", "inner.{}")
        self.check(dp=2, fsdp=2, tp=2)
