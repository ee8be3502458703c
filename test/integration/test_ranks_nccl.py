# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ranks whose data NCCL moves: with a stand-in for the library that adds in the
order of the ranks, they have the bits of threads, for every strategy and grid,
and all ranks call alike."""

from __future__ import annotations

import os
import re
import unittest
from collections import Counter
from pathlib import Path

import inputs
from distributed import Placement, Ranks, has_mpirun, mpirun
from ranks_case import gradients_of_ranks
from storage import Tensor
from support import StepTestCase
from toolchain import call, tool

MOVES = re.compile(r"^(\d+) (nccl(?:AllReduce|ReduceScatter|AllGather|Reduce|"
                   r"Broadcast|Send|Recv)) (.*) comm=(\S+) rank=(\d+)/(\d+) ")
SHAPES = {"a.0": (16, 24), "a.1": (16, 24), "b": (30, 13), "bias": (17,)}
# Name: grid, placement of matrices, rules.
CASES = {
    "replicate": ({"dp": 2}, Placement((), ("dp",), "mean", "replicate")),
    "own": ({"dp": 3}, Placement((), ("dp",), "sum", "own")),
    "own slices": ({"tp": 2}, Placement((("tp",), ()), (), "mean", "own")),
    "gather": ({"tp": 3}, Placement(((), ("tp",)), (), "mean", "gather")),
    "distributed_gram": ({"tp": 2}, Placement(
        ((), ("tp",)), (), "mean", "distributed_gram")),
    "two axes": ({"dp": 2, "tp": 2}, Placement(
        ((), ("tp",)), ("dp",), "mean", "own")),
    "three axes": ({"pp": 1, "dp": 2, "tp": 2}, Placement(
        (("tp",), ()), ("dp",), "mean", "own")),
}


def stand_in() -> Path:
    return Path(tool("muon-run")).resolve().parents[1] / "lib/libMuonFakeNccl.so"


def calls_of(log: Path) -> dict[str, dict[int, list[tuple[str, str]]]]:
    """Of each communicator and place in it, (function, arguments) in order."""
    calls: dict[str, dict[int, list[tuple[str, str]]]] = {}
    for line in log.read_text().splitlines():
        if found := MOVES.match(line):
            _, function, arguments, comm, place, _ = found.groups()
            calls.setdefault(comm, {}).setdefault(int(place), []).append(
                (function, arguments))
    return calls


@unittest.skipUnless(stand_in().exists(), f"{stand_in()} is not built")
class Nccl(StepTestCase):
    def setUp(self):
        super().setUp()
        self.log = self.folder / "nccl.log"
        self.environment = {"MUON_NCCL_LIBRARY": str(stand_in()),
                            "MUON_FAKE_NCCL": f"log={self.log}"}
        os.environ.update(self.environment)
        self.addCleanup(lambda: [os.environ.pop(n) for n in self.environment])

    def prepared(self, grid, placement, device: str = "cpu"):
        params = {n: Tensor.of(inputs.weight(n, s), "F32")
                  for n, s in SHAPES.items()}
        rules = {"clip_global_norm": 1.0, "rules": [
            {"match": "^(a|b$)", "compute": "f32"}]}
        target = "cpu" if device == "cpu" else "sm_80"
        whole = self.artifact(params, rules, "whole",
                              compile_options=(f"--target={target}",))
        whole.device = (f"--device={device}",)
        plain = Placement((), placement.unreduced, placement.reduction)
        ranks = Ranks(whole, self.folder / "ranks", grid,
                      {n: placement if len(s) == 2 else plain
                       for n, s in SHAPES.items()})
        grads = gradients_of_ranks(params, len(ranks.grid), 1, "own")
        return params, ranks, grads

    def assertAgreement(self, calls) -> None:
        """All ranks of a communicator make the same calls in the same order,
        and each message that is sent is received."""
        for comm, by_place in calls.items():
            collectives = [[c for c in calls if c[0] not in
                            ("ncclSend", "ncclRecv")]
                           for calls in by_place.values()]
            for other in collectives[1:]:
                self.assertEqual(collectives[0], other, comm)
            sent, received = Counter(), Counter()
            for place, of_place in by_place.items():
                for function, arguments in of_place:
                    what, peer = arguments.rsplit(" peer=", 1) \
                        if "peer=" in arguments else (arguments, "")
                    if function == "ncclSend":
                        sent[what, place, int(peer)] += 1
                    elif function == "ncclRecv":
                        received[what, int(peer), place] += 1
            self.assertEqual(sent, received, comm)

    def check(self, name: str, device: str = "cpu", runs: int = 2) -> Counter:
        grid, placement = CASES[name]
        params, ranks, grads = self.prepared(grid, placement, device)
        for by in ("threads", "nccl"):
            extra = ["--communicator", by, "--traffic", "--repeat", runs]
            out = ranks.run(params, grads, None, {"lr": 0.1}, extra, by)
            self.text = out.text
            if by == "threads":
                traffic = out.traffic
            else:
                self.assertEqual(out.traffic, traffic)
        for rank in range(len(ranks.grid)):
            for role in ("params", "state"):
                found = [ranks.path(rank, f"{by}.{{rank}}.{role}").read_bytes()
                         for by in ("threads", "nccl")]
                self.assertTrue(found[0] == found[1],
                                f"{role} of rank {rank}")
        calls = calls_of(self.log)
        self.assertAgreement(calls)
        return Counter(function for by_place in calls.values()
                       for function, _ in by_place[0])

    def test_replicate(self):
        self.assertTrue(self.check("replicate")["ncclAllReduce"])

    def test_own(self):
        calls = self.check("own")
        self.assertTrue(calls["ncclReduce"] or calls["ncclReduceScatter"])
        self.assertTrue(calls["ncclBroadcast"] or calls["ncclAllGather"])

    def test_own_slices(self):
        self.assertTrue(self.check("own slices")["ncclSend"])

    def test_gather(self):
        calls = self.check("gather")
        self.assertTrue(calls["ncclBroadcast"] or calls["ncclAllGather"])

    def test_distributed_gram(self):
        self.assertTrue(self.check("distributed_gram")["ncclAllReduce"])

    def test_two_axes(self):
        self.check("two axes")
        # A communicator for each axis, made by one split each.
        self.assertEqual(
            sorted(comm for comm in calls_of(self.log) if comm != "world"),
            ["0.0", "0.1", "1.0", "1.1"])

    def test_three_axes(self):
        self.check("three axes")

    def test_simulated_gpus(self):
        self.check("two axes", "sim")

    def test_memory_of_gpus(self):
        """By a stand-in for the CUDA driver: buffers are in its memory."""
        driver = stand_in().with_name("libMuonFakeCuda.so")
        os.environ["MUON_FAKE_NCCL"] += f",driver={driver}"
        # Of a GPU that takes the PTX.
        os.environ["MUON_FAKE_CUDA"] = "cc=86"
        self.addCleanup(lambda: os.environ.pop("MUON_FAKE_CUDA"))
        self.check("own", f"cuda:driver={driver}")
        # NCCL's guide warns of graphs of several GPUs of one process.
        self.assertRegex(self.text, r"rank 0: call by call: ranks 0 and 1 are "
                                    "of one process")

    def gpus(self, count: int) -> str:
        """By stand-ins, GPUs of these tests; the device of each rank."""
        driver = stand_in().with_name("libMuonFakeCuda.so")
        os.environ["MUON_FAKE_NCCL"] += f",driver={driver}"
        os.environ["MUON_FAKE_CUDA"] = f"cc=86,devices={count}"
        self.addCleanup(lambda: os.environ.pop("MUON_FAKE_CUDA"))
        return f"driver={driver}"

    def checkGraphs(self, name: str) -> Counter:
        """Runs that launch a graph have the bits of runs by threads, which have
        none, and NCCL is called for the first run and for the capture alone."""
        ranks = 1
        for size in CASES[name][0].values():
            ranks *= size
        device = "cuda:{local_rank},graph=on," + self.gpus(ranks)
        calls = self.check(name, device, runs=3)
        for rank in range(ranks):
            self.assertRegex(self.text, f"rank {rank}: one graph with its "
                                        "collectives")
        lines = self.log.read_text().splitlines()
        moves = [line for line in lines if MOVES.match(line)]
        captured = [line for line in moves if line.endswith(" captured")]
        self.assertEqual(2 * len(captured), len(moves))
        # Each group of calls runs twice.
        groups = {(line.split()[0], group) for line in captured
                  for group in re.findall(" group=([0-9]+) ", line)}
        runs = [line for line in lines if re.match(r"\d+ run ", line)]
        self.assertEqual(len(runs), 2 * len(groups))
        return calls

    def test_graphs_distributed_gram(self):
        self.checkGraphs("distributed_gram")
        self.assertIn("scratch memory registered for 1 of the 1 groups",
                      self.text)

    def test_graphs_two_axes(self):
        calls = self.checkGraphs("two axes")
        self.assertTrue(calls["ncclSend"])
        self.assertTrue(calls["ncclReduce"] or calls["ncclReduceScatter"])

    @unittest.skipUnless(has_mpirun(), "mpirun is not installed")
    def test_graphs_of_processes(self):
        """Each process has a GPU of its own, and needs not be told."""
        device = "cuda:" + self.gpus(1)
        params, ranks, grads = self.prepared(*CASES["own"], device)
        ranks.run(params, grads, None, {"lr": 0.1}, ("--repeat", 3), "threads")
        arguments = ranks.arguments(params, grads, None, {"lr": 0.1}, "mpi")
        out = mpirun(3, [*arguments, "--communicator=nccl", "--repeat=3",
                         "--traffic"])
        for rank in range(3):
            self.assertIn(f"rank {rank}: one graph with its collectives",
                          out.stdout)
            self.assertTrue(
                ranks.path(rank, "threads.{rank}.params").read_bytes() ==
                ranks.path(rank, "mpi.{rank}.params").read_bytes())

    @unittest.skipUnless(has_mpirun(), "mpirun is not installed")
    def test_processes_of_mpi(self):
        params, ranks, grads = self.prepared(*CASES["two axes"])
        ranks.run(params, grads, None, {"lr": 0.1}, (), "threads")
        arguments = ranks.arguments(params, grads, None, {"lr": 0.1}, "mpi")
        mpirun(4, [*arguments, "--communicator=nccl"])
        for rank in range(4):
            self.assertTrue(
                ranks.path(rank, "threads.{rank}.params").read_bytes() ==
                ranks.path(rank, "mpi.{rank}.params").read_bytes())
        # By one process that is told to be several.
        done = call("muon-run", *arguments, "--communicator=nccl",
                    "--ranks", 3, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("compiled for rank 0 of 4 (dp=2,tp=2), but run as rank 0 "
                      "of 3", done.stderr)
