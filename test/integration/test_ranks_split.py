# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights that are split over ranks, on the CPU."""

from __future__ import annotations

from split_case import SplitCase


class Split(SplitCase):
    def test_fsdp_2(self):
        self.check(fsdp=2)

    def test_fsdp_3(self):
        self.check(fsdp=3)

    def test_fsdp_4(self):
        self.check(fsdp=4)

    def test_tp_2(self):
        self.check(tp=2)

    def test_tp_3(self):
        self.check(tp=3)

    def test_tp_4(self):
        self.check(tp=4)

    def test_dp_tp(self):
        self.check(dp=2, tp=2)

    def test_fsdp_tp(self):
        self.check(fsdp=2, tp=2)

    def test_dp_fsdp_tp(self):
        self.check(dp=2, fsdp=2, tp=2)
