# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Data parallel steps: whole weights everywhere, and each has an owner.

Every rank has gradients of its own. What comes out is compared, bit for bit,
with the step of one rank on the reduced gradients.
"""

from __future__ import annotations

from ranks_case import NO_CLIP, OwnCase


class Own(OwnCase):
    def check(self, ranks: int) -> None:
        prepared = self.prepared(ranks)
        self.check_three_steps(*prepared, "own", NO_CLIP)
        self.check_skipped(prepared[0], prepared[2])
        self.check_three_steps(*prepared, "own", 0.5)
        self.check_three_steps(*prepared, "integers", 3.0)
        self.check_three_steps(*prepared, "equal", NO_CLIP)

    def test_1_rank(self):
        self.check(1)

    def test_2_ranks(self):
        self.check(2)

    def test_3_ranks(self):
        self.check(3)

    def test_4_ranks(self):
        self.check(4)

    def test_8_ranks(self):
        self.check(8)

    def test_sum(self):
        prepared = self.prepared(2, ("F32",), "sum")
        self.check_three_steps(*prepared, "own", NO_CLIP)
