# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What becomes of a run when a rank does not do its part.

Each test makes some runs, with seeds from 0 on; $MUON_FAULT_RUNS says how many.
In each, all processes end within the deadline and a margin, all ranks that can
say something do, and every output is what it was before, or all are new.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import inputs
import safetensors_io
from distributed import Placement, Ranks, has_mpirun
from ranks_case import gradients_of_ranks
from storage import Tensor
from support import StepTestCase
from test_ranks_nccl import stand_in
from toolchain import tool

RUNS = int(os.environ.get("MUON_FAULT_RUNS", "2"))
RANKS = 3
# Seconds: --timeout, and what comes on top: words of farewell, ends of
# communicators, starts on a machine that is busy.
DEADLINE, MARGIN = 2, 30
SHAPES = {"a": (60, 80), "b": (30, 13)}


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


@dataclass
class Outcome:
    code: int
    text: str


class Faults(StepTestCase):
    def setUp(self):
        super().setUp()
        params = {n: Tensor.of(inputs.weight(n, s), "F32")
                  for n, s in SHAPES.items()}
        whole = self.artifact(params, {"clip_global_norm": 1.0}, "whole")
        self.ranks = Ranks(whole, self.folder / "ranks", {"dp": RANKS},
                           Placement((), ("dp",), "mean", "own"))
        # The same tensors, differently.
        self.others = Ranks(whole, self.folder / "others", {"dp": RANKS},
                            Placement((), ("dp",), "mean", "replicate"))
        grads = gradients_of_ranks(params, RANKS, 1, "own")
        self.inputs = [str(a) for a in self.ranks.arguments(
            params, grads, None, {"lr": 0.1}, "out")[1:]]
        # What a step leaves where nothing goes wrong.
        for path in self.outputs():
            path.unlink(missing_ok=True)

    def outputs(self) -> list[Path]:
        return [self.ranks.path(rank, f"out.{{rank}}.{role}")
                for rank in range(RANKS) for role in ("params", "state")]

    def put_old_outputs(self) -> None:
        for path in self.outputs():
            path.write_bytes(b"old " + path.name.encode())

    def command(self, rank: Optional[int] = None,
                other: Optional[int] = None) -> list[str]:
        """Of one rank, or of all; rank `other` has other IR."""
        artifact = str(self.ranks.library)
        if rank is not None and rank == other:
            artifact = str(self.others.library)
        return [tool("muon-run"), artifact, *self.inputs,
                "--timeout", str(DEADLINE)]

    def start_nccl(self, folder: Path, fault: str = "",
                   other: Optional[int] = None, late: Optional[int] = None,
                   full: Optional[int] = None) -> list[subprocess.Popen]:
        """Ranks that meet by a file. `late` comes half a second later, `full`
        cannot write that much."""
        options = [f"dir={folder}", *([f"fail={fault}"] if fault else [])]
        environment = dict(os.environ, MUON_NCCL_LIBRARY=str(stand_in()),
                           MUON_FAKE_NCCL=",".join(options),
                           OPENBLAS_NUM_THREADS="1")
        processes = []
        for rank in sorted(range(RANKS), key=lambda r: r == late):
            if rank == late:
                time.sleep(0.5)
            command = [*self.command(rank, other), "--communicator=nccl",
                       "--ranks", str(RANKS), "--rank", str(rank),
                       "--rendezvous", str(folder / "meet")]
            if rank == full:
                command[:0] = FULL_DISK
            processes.append((rank, subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, env=environment, start_new_session=True)))
        return [process for _, process in sorted(processes, key=lambda p: p[0])]

    def end(self, processes: list[subprocess.Popen], stopped=()
            ) -> list[Outcome]:
        """Waits for all but those that are stopped, which then are killed."""
        end = time.monotonic() + DEADLINE + MARGIN
        outcomes = []
        try:
            for rank, process in enumerate(processes):
                if rank in stopped:
                    outcomes.append(None)
                    continue
                text, _ = process.communicate(timeout=end - time.monotonic())
                outcomes.append(Outcome(process.returncode, text))
        except subprocess.TimeoutExpired:
            self.fail(f"rank {rank} did not end in {DEADLINE + MARGIN} s")
        finally:
            for process in processes:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate()
        return outcomes

    def assertOutputs(self, are_new: bool) -> None:
        for path in self.outputs():
            content = path.read_bytes()
            is_old = content == b"old " + path.name.encode()
            self.assertEqual(is_old, not are_new, path.name)
            if not is_old:
                self.assertTrue(safetensors_io.load(path) is not None)

    def assertNoPartsBut(self, killed: bool) -> None:
        """A rank that was killed cannot remove what it had begun."""
        parts = list(self.ranks.folder.glob(".muon-*"))
        if not killed:
            self.assertEqual(parts, [])
        for part in parts:
            part.unlink()

    def seeds(self):
        for seed in range(RUNS):
            folder = self.folder / "run"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            self.seed = seed
            self.put_old_outputs()
            try:
                yield random.Random(seed), folder
            except GeneratorExit:
                print(f"{self.id()} failed with seed {seed}", file=sys.stderr)
                raise


# Files may have 16 KiB, less than what is written: as on a disk that is full.
FULL_DISK = ["/usr/bin/env", "python3", "-c",
             "import os, resource, signal, sys\n"
             "resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))\n"
             "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
             "os.execv(sys.argv[1], sys.argv[1:])"]


@unittest.skipUnless(stand_in().exists(), f"{stand_in()} is not built")
class NcclFaults(Faults):
    def sites(self, rng: random.Random) -> tuple[str, int]:
        """Before, in or after one of the collectives of a step."""
        collectives = len(self.ranks.manifests[0]["distribution"]
                          ["collectives"])
        return (rng.choice(["ncclGroupStart", "moving", "moved"]),
                rng.randint(1, collectives))

    def test_killed(self):
        for rng, folder in self.seeds():
            (site, count), victim = self.sites(rng), rng.randrange(RANKS)
            outcomes = self.end(self.start_nccl(
                folder, f"{site}:{count}:{victim}:kill"))
            self.assertEqual(outcomes[victim].code, -signal.SIGKILL,
                             (site, count, outcomes[victim].text))
            for rank, outcome in enumerate(outcomes):
                if rank != victim:
                    self.assertEqual(outcome.code, 1, outcome.text)
                    self.assertRegex(outcome.text,
                                     f"rank {victim} has gone|stopped all ranks")
            self.assertOutputs(are_new=False)
            self.assertNoPartsBut(killed=True)

    def test_stopped(self):
        for rng, folder in self.seeds():
            (site, count), victim = self.sites(rng), rng.randrange(RANKS)
            outcomes = self.end(self.start_nccl(
                folder, f"{site}:{count}:{victim}:stop"), stopped=[victim])
            for rank, outcome in enumerate(outcomes):
                if rank != victim:
                    self.assertEqual(outcome.code, 1, outcome.text)
                    self.assertRegex(outcome.text,
                                     f"timed out after {DEADLINE} s")
            self.assertOutputs(are_new=False)
            self.assertNoPartsBut(killed=True)

    def test_slow(self):
        for rng, folder in self.seeds():
            (site, count), victim = self.sites(rng), rng.randrange(RANKS)
            outcomes = self.end(self.start_nccl(
                folder, f"{site}:{count}:{victim}:slow",
                late=rng.randrange(RANKS)))
            for outcome in outcomes:
                self.assertEqual(outcome.code, 0, outcome.text)
            self.assertOutputs(are_new=True)
            self.assertNoPartsBut(killed=False)

    def test_error(self):
        for rng, folder in self.seeds():
            (site, count), victim = self.sites(rng), rng.randrange(RANKS)
            outcomes = self.end(self.start_nccl(
                folder, f"{site}:{count}:{victim}:{rng.choice([1, 2, 3, 5, 6])}"))
            for rank, outcome in enumerate(outcomes):
                self.assertEqual(outcome.code, 1, outcome.text)
                self.assertIn(f"muon-run: error: rank {rank}: ", outcome.text)
                self.assertRegex(outcome.text, r"(all_|reduce_)\w+ '[^']+' \(")
            self.assertOutputs(are_new=False)
            self.assertNoPartsBut(killed=False)

    def test_other_ir(self):
        for rng, folder in self.seeds():
            other = rng.randrange(RANKS)
            for outcome in self.end(self.start_nccl(folder, other=other)):
                self.assertEqual(outcome.code, 1, outcome.text)
                self.assertRegex(outcome.text, "the artifacts of the ranks do "
                                               "not belong together")
            self.assertOutputs(are_new=False)
            self.assertNoPartsBut(killed=False)

    def test_truncated_rendezvous(self):
        whole = ("muon-rendezvous 1\nranks 3\naddress 127.0.0.1:9\nsecret "
                 + 64 * "0" + "\nend\n")
        for rng, folder in self.seeds():
            # Rank 0 never comes, and somebody has left this.
            (folder / "meet").write_text(whole[:rng.randrange(len(whole))])
            (folder / "meet").chmod(0o600)
            command = [*self.command(), "--communicator=nccl", "--ranks",
                       str(RANKS), "--rank", "1", "--rendezvous",
                       str(folder / "meet")]
            command[command.index("--timeout") + 1] = "0.3"
            environment = dict(os.environ, MUON_NCCL_LIBRARY=str(stand_in()))
            done = subprocess.run(command, capture_output=True, text=True,
                                  env=environment, timeout=MARGIN)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, "rank 1 did not find the others in "
                                          "0.3 s: rendezvous file .*: it is "
                                          "truncated|expected 'muon-rend")
            self.assertOutputs(are_new=False)

    def test_full_disk(self):
        for rng, folder in self.seeds():
            full = rng.randrange(1, RANKS)
            outcomes = self.end(self.start_nccl(folder, full=full))
            for rank, outcome in enumerate(outcomes):
                self.assertEqual(outcome.code, 1, outcome.text)
                self.assertIn("cannot write: File too large", outcome.text)
            self.assertOutputs(are_new=False)
            self.assertNoPartsBut(killed=False)


@unittest.skipUnless(has_mpirun(), "mpirun is not installed; scripts/setup.sh "
                                   "installs it")
class MpiFaults(Faults):
    def start_mpi(self, ranks: list[list[str]]) -> subprocess.Popen:
        command = ["mpirun", "--oversubscribe", "--allow-run-as-root",
                   "--bind-to", "none"]
        for rank, own in enumerate(ranks):
            command += [*([":"] if rank else []), "-n", "1", *own]
        return subprocess.Popen(command, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True,
                                start_new_session=True)

    def children(self, process: subprocess.Popen) -> list[int]:
        """The ranks, once they are all there."""
        while process.poll() is None:
            found = subprocess.run(
                ["ps", "--ppid", str(process.pid), "-o", "pid=,comm="],
                capture_output=True, text=True).stdout.split("\n")
            pids = [int(line.split()[0]) for line in found
                    if line.strip().endswith("muon-run")]
            if len(pids) == RANKS:
                return pids
        return []

    def check_ended(self, process: subprocess.Popen, text: str = ""
                    ) -> Outcome:
        outcome = self.end([process])[0]
        if text:
            self.assertNotEqual(outcome.code, 0, outcome.text)
            self.assertRegex(outcome.text, text)
        return outcome

    def assertEnd(self, pids: list[int]) -> None:
        end = time.monotonic() + DEADLINE + MARGIN
        while left := [pid for pid in pids if is_alive(pid)]:
            self.assertLess(time.monotonic(), end, f"{left} did not end")
            time.sleep(0.05)

    def check_signal(self, number: int) -> None:
        """At any time, so the run may be over before."""
        for rng, folder in self.seeds():
            process = self.start_mpi([self.command()] * RANKS)
            pids = self.children(process)
            time.sleep(0.4 * rng.random())
            victim = rng.choice(pids) if pids else 0
            if victim and is_alive(victim):
                os.kill(victim, number)
            # A launcher waits for one that is stopped when its work is done;
            # and Open MPI's may hang when all ranks are gone, if one of them was
            # killed while MPI began.
            left = [pid for pid in pids if pid != victim]
            self.assertEnd(left)
            if victim and is_alive(victim):
                os.kill(victim, signal.SIGCONT)
            self.assertEnd(pids)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                self.notes.append(f"mpirun did not end, seed {self.seed}")
            outcome = self.check_ended(process)
            contents = [p.read_bytes().startswith(b"old ")
                        for p in self.outputs()]
            if outcome.code == 0:
                self.assertOutputs(are_new=True)
            # A rank may be hit between its renames and those of others.
            elif len(set(contents)) == 1:
                self.assertOutputs(are_new=not contents[0])
            for path in self.outputs():
                if not path.read_bytes().startswith(b"old "):
                    safetensors_io.load(path)
            self.assertNoPartsBut(killed=outcome.code != 0)

    def test_killed(self):
        self.check_signal(signal.SIGKILL)

    def test_stopped(self):
        self.check_signal(signal.SIGSTOP)

    def test_other_ir(self):
        for rng, folder in self.seeds():
            other = rng.randrange(RANKS)
            self.check_ended(
                self.start_mpi([self.command(r, other) for r in range(RANKS)]),
                "the artifacts of the ranks do not belong together")
            self.assertOutputs(are_new=False)
            self.assertNoPartsBut(killed=False)

    def test_full_disk(self):
        for rng, folder in self.seeds():
            full = rng.randrange(RANKS)
            self.check_ended(
                self.start_mpi([[*(FULL_DISK if r == full else []),
                                 *self.command()] for r in range(RANKS)]),
                "cannot write: File too large")
            self.assertOutputs(are_new=False)
            self.assertNoPartsBut(killed=False)
