# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ranks that are processes of Open MPI do what threads do, bit for bit."""

from __future__ import annotations

import unittest

from distributed import Ranks, has_mpirun, mpirun
from ranks_case import OwnCase, gradients_of_ranks


@unittest.skipUnless(has_mpirun(), "mpirun is not installed; scripts/setup.sh "
                                   "installs it")
class Processes(OwnCase):
    def assertSameFiles(self, ranks: Ranks, names: list[str]) -> None:
        for name in names:
            for rank in range(len(ranks.grid)):
                for role in ("params", "state"):
                    found = [ranks.path(rank, f"{by}{name}.{{rank}}.{role}")
                             .read_bytes() for by in ("", "mpi.")]
                    self.assertTrue(found[0] == found[1],
                                    f"{name}: {role} of rank {rank}")

    def check(self, count: int):
        prepared = self.prepared(count)
        self.check_three_steps(*prepared, "own", 0.5)
        self.check_three_steps(*prepared, "own", 0.5, mpi=True)
        self.assertSameFiles(prepared[2], ["own1", "own2", "own3"])
        return prepared

    def test_2_ranks(self):
        params, _, ranks = self.check(2)
        # A value that is not finite on one rank stops the step on all.
        self.check_skipped(params, ranks, mpi=True)
        grads = gradients_of_ranks(params, 2, 1, "own")
        arguments = ranks.arguments(params, grads, None, {"lr": 0.5}, "bad")
        done = mpirun(3, arguments, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("compiled for rank 0 of 2 (dp=2), but run as rank 0 of "
                      "3", done.stdout + done.stderr)

    def test_4_ranks(self):
        self.check(4)
