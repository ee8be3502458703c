# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Steps of several ranks: their artifacts, files, gradients and traffic.

    ranks = Ranks(whole, folder, {"dp": 2, "tp": 2}, placements)
    out = ranks.run(params, grads_of_ranks, None, {"lr": 0.02})

`whole` is the Artifact of one rank that has the same tensors and rules. What a
rank has of a tensor, what a reduced gradient is, and how many bytes move, is
said here once more, in NumPy, from docs/ranks.md and docs/artifact.md.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import math
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Mapping, Optional, Sequence, Union

import numpy as np

import safetensors_io
from storage import Tensor
from toolchain import Artifact, ToolError, call, scalar_arguments, tool


class Grid:
    """Axes and their sizes. Ranks are row-major, the last axis fastest."""

    def __init__(self, axes: Mapping[str, int]):
        self.axes = dict(axes)
        self.places = list(itertools.product(*map(range, axes.values())))

    @property
    def text(self) -> str:
        return ",".join(f"{name}={size}" for name, size in self.axes.items())

    def __len__(self) -> int:
        return len(self.places)

    def place(self, rank: int, axis: str) -> int:
        return self.places[rank][list(self.axes).index(axis)]

    def group(self, rank: int, axes: Sequence[str]) -> list[int]:
        """Ranks that differ from `rank` along `axes` alone."""
        rest = [a for a in self.axes if a not in axes]
        return [r for r in range(len(self))
                if all(self.place(r, a) == self.place(rank, a) for a in rest)]

    def shard(self, rank: int, shape: Sequence[int],
              split: Sequence[Sequence[str]]) -> tuple[slice, ...]:
        """What `rank` has: of d elements over n parts, the first d mod n parts
        have one more."""
        slices = []
        for size, axes in zip(shape, split):
            index, parts = 0, 1
            for axis in axes:
                index = index * self.axes[axis] + self.place(rank, axis)
                parts *= self.axes[axis]
            ends = [size // parts * i + min(i, size % parts)
                    for i in (index, index + 1)]
            slices.append(slice(*ends))
        return tuple(slices)


@dataclass
class Placement:
    """Axes that split each dimension, those along which gradients are still to
    be summed, and the strategy, if not the compiler's."""

    split: Sequence[Sequence[str]] = ()
    unreduced: Sequence[str] = ()
    reduction: str = "mean"
    strategy: Optional[str] = None


def reduced(parts: Sequence[Tensor], reduction: str = "mean") -> Tensor:
    """The sum in order, in f32, its mean, and one rounding."""
    total = parts[0].values(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for part in parts[1:]:
            total = total + part.values(np.float32)
        if reduction == "mean":
            total = total * np.float32(1 / len(parts))
    assert total.dtype == np.float32
    return Tensor.of(total, parts[0].dtype)


def placed_ir(text: str, grid: Grid,
              placements: Mapping[str, Placement]) -> str:
    """What muon-import wrote, with a grid and placements of the arguments."""
    axes = list(grid.axes)

    def numbers(names: Sequence[str]) -> str:
        return "[" + ", ".join(str(axes.index(n)) for n in names) + "]"

    def of(names: str) -> Placement:
        found = {repr(p): p for p in
                 (placements.get(n, Placement())
                  for n in re.findall(r'"([^"]*)"', names))}
        if len(found) != 1:
            raise ValueError(f"one stack, several placements: {names}")
        return next(iter(found.values()))

    def attributes(match: re.Match) -> str:
        placement, role = of(match[1]), match[2]
        added = ""
        if any(placement.split):
            lists = ", ".join(map(numbers, placement.split))
            added += f", muon.sharding = #muon.sharding<[{lists}]>"
        if placement.unreduced and role == "gradient":
            added += (", muon.unreduced = #muon.unreduced<"
                      f"{numbers(placement.unreduced)}, "
                      f"{placement.reduction}>")
        return match[0] + added

    text, count = re.subn(
        r"muon\.names = \[((?:[^\[\]]|<[^>]*>)*)\], "
        r"muon\.role = #muon\.role<(weight|gradient)>", attributes, text)
    if not count:
        raise ValueError("no weights and gradients in the IR")
    weights = dict(re.findall(
        r"(%arg\d+): [^{}]*?\{muon\.names = \[((?:[^\[\]]|<[^>]*>)*)\], "
        r"muon\.role = #muon\.role<weight>", text))

    def pinned(match: re.Match) -> str:
        strategy = of(weights[match[2]]).strategy
        return (f'{match[1]}{{muon.strategy = "{strategy}", '
                if strategy else match[0])

    text = re.sub(r"(muon\.(?:adamw_)?update .*? weight\((%arg\d+) :.*?\) )\{",
                  pinned, text)
    shape = "x".join(map(str, grid.axes.values()))
    names = ", ".join(f'"{a}"' for a in axes)
    return text.replace("module {", f"module {{\n  shard.grid @grid(shape = "
                        f"{shape}) {{muon.axes = [{names}]}}", 1)


@dataclass
class Pieces:
    """Files of all ranks put together: whole tensors, how often each element is
    there, and elements that are there twice with different bits."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, np.ndarray] = field(default_factory=dict)
    differ: list[str] = field(default_factory=list)

    @staticmethod
    def read(paths: Sequence[Path]) -> "Pieces":
        pieces = Pieces()
        for path in paths:
            places = json.loads(safetensors_io.metadata(path)
                                .get("muon.placement", "{}"))
            for name, tensor in safetensors_io.load(path).items():
                pieces.add(name, tensor, places.get(name), path)
        return pieces

    def add(self, name: str, tensor: Tensor, place: Optional[Mapping],
            path: Path) -> None:
        place = place or {}
        name = place.get("tensor", name)
        shape = tuple(place.get("of", tensor.shape))
        numbers = np.arange(math.prod(shape)).reshape(shape)
        offset = place.get("offset", [0] * len(shape))
        block = place.get("block", shape if "from" in place else tensor.shape)
        at = numbers[tuple(slice(o, o + n) for o, n in zip(offset, block))
                     ].reshape(-1)
        if "from" in place:
            at = at[place["from"]:place["from"] + tensor.bits.size]
        assert at.size == tensor.bits.size, f"{path}: {name}: {place}"
        if name not in self.tensors:
            self.tensors[name] = Tensor.zeros(shape, tensor.dtype)
            self.counts[name] = np.zeros(math.prod(shape), int)
        whole, counts = self.tensors[name].bits.reshape(-1), self.counts[name]
        assert self.tensors[name].shape == shape, f"{path}: {name}: {place}"
        bits = tensor.bits.reshape(-1)
        seen = counts[at] > 0
        if whole[at][seen].tobytes() != bits[seen].tobytes():
            self.differ.append(f"{path.name}: {name}")
        whole[at] = bits
        counts[at] += 1


@dataclass
class RanksOut:
    params: Pieces
    state: Pieces
    text: str

    @property
    def traffic(self) -> list[tuple[int, int]]:
        """(bytes sent, bytes received) of each rank, with --traffic."""
        lines = re.findall(r"rank (\d+): sent (\d+) bytes, received (\d+) "
                           r"bytes", self.text)
        return [(sent, received) for _, sent, received
                in sorted(tuple(map(int, line)) for line in lines)]


class Ranks:
    """The artifacts of all ranks of a grid, for the target of `whole`."""

    def __init__(self, whole: Artifact, folder: Path, axes: Mapping[str, int],
                 placements: Union[Placement, Mapping[str, Placement]]):
        self.grid = Grid(axes)
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if isinstance(placements, Placement):
            placements = {n: placements for n in whole.tensors}
        self.placements = placements
        self.whole = whole
        self.step = self.folder / "step.mlir"
        self.step.write_text(placed_ir(whole._step.read_text(), self.grid,
                                       placements))
        self.library = self.folder / "step.{rank}.so"
        call("muon-compile", self.step, "-o", self.library,
             *whole.compile_options)

    def path(self, rank: int, name: str = "step.{rank}.so") -> Path:
        return self.folder / name.replace("{rank}", str(rank))

    @cached_property
    def manifests(self) -> list[dict]:
        return [read_manifest(self.path(r)) for r in range(len(self.grid))]

    def plan(self) -> dict:
        """What muon-compile --plan says."""
        path = self.folder / "plan.json"
        call("muon-compile", self.step, "--plan", path,
             *self.whole.compile_options)
        return json.loads(path.read_text())

    def contributions(self, name: str) -> int:
        """How many gradients of a tensor are added up."""
        return math.prod(self.grid.axes[a]
                         for a in self.placements[name].unreduced)

    def reduced(self, grads: Mapping[str, Sequence[Tensor]]
                ) -> dict[str, Tensor]:
        """The gradients of the step from those of the ranks."""
        return {n: reduced(parts, self.placements[n].reduction)
                if self.placements[n].unreduced else parts[0]
                for n, parts in grads.items()}

    def write_gradients(self, grads: Mapping[str, Sequence[Tensor]]) -> Path:
        """Files of the ranks: of each tensor, the contribution number that its
        place along the unreduced axes says, and of that the rank's shard. One
        file for all, where no rank has gradients of its own."""
        if not any(self.placements[n].unreduced for n in grads):
            path = self.folder / "grads.safetensors"
            safetensors_io.save(path, {n: g[0] for n, g in grads.items()})
            return path
        for rank in range(len(self.grid)):
            mine = {}
            for name, parts in grads.items():
                place = self.placements[name]
                number = self.grid.group(rank, place.unreduced).index(rank)
                tensor = parts[number]
                split = place.split or [()] * len(tensor.shape)
                bits = tensor.bits[self.grid.shard(rank, tensor.shape, split)]
                if bits.size:
                    mine[name] = Tensor(tensor.dtype, np.asarray(bits))
            safetensors_io.save(self.path(rank, "grads.{rank}.safetensors"),
                                mine)
        return self.folder / "grads.{rank}.safetensors"

    def arguments(self, params, grads, state, scalars: Mapping,
                  outputs: str) -> list:
        """Of muon-run. `params` and `state` are whole tensors, None for the
        initial state, or (pattern, number of ranks) of files."""
        arguments: list = [self.library]
        for role, given in (("params", params), ("state", state)):
            if given is None:
                arguments.append("--init-state")
            elif isinstance(given, Mapping):
                path = self.folder / f"{role}.safetensors"
                safetensors_io.save(path, given)
                arguments += [f"--{role}", path]
            else:
                pattern, ranks = given
                arguments += [f"--{role}", pattern]
                if ranks:
                    arguments += [f"--{role}-ranks", ranks]
        arguments += ["--grads", self.write_gradients(grads)]
        return [*arguments, *scalar_arguments(scalars), *self.whole.device,
                "--out-params", self.folder / f"{outputs}.{{rank}}.params",
                "--out-state", self.folder / f"{outputs}.{{rank}}.state"]

    def written(self, outputs: str, role: str) -> tuple[str, None]:
        """A former output as input of the same ranks."""
        return str(self.folder / f"{outputs}.{{rank}}.{role}"), None

    def run(self, params, grads, state, scalars: Mapping,
            extra: Sequence[str] = (), outputs: str = "out",
            mpi: bool = False) -> RanksOut:
        for role in ("params", "state"):
            for path in self.folder.glob(f"{outputs}.*.{role}"):
                path.unlink()
        arguments = [*self.arguments(params, grads, state, scalars, outputs),
                     *extra]
        done = (mpirun(len(self.grid), arguments) if mpi else
                call("muon-run", *arguments, "--ranks", len(self.grid)))
        return RanksOut(*(Pieces.read([
            self.path(r, f"{outputs}.{{rank}}.{role}")
            for r in range(len(self.grid))]) for role in ("params", "state")),
            done.stdout + done.stderr)


def mpirun(ranks: int, arguments: Sequence, check: bool = True
           ) -> subprocess.CompletedProcess:
    """muon-run as processes of Open MPI."""
    command = ["mpirun", "-n", str(ranks), "--oversubscribe",
               "--allow-run-as-root", tool("muon-run"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True,
                          errors="replace", timeout=300)
    if check and done.returncode:
        raise ToolError(f"{' '.join(command)}\nexit code {done.returncode}\n"
                        f"{done.stdout}{done.stderr}")
    return done


def has_mpirun() -> bool:
    return shutil.which("mpirun") is not None


def read_manifest(path: Path) -> dict:
    library = ctypes.CDLL(str(path))
    size = ctypes.c_uint64.in_dll(library, "muon_manifest_size").value
    return json.loads(bytes((ctypes.c_char * size).in_dll(library,
                                                          "muon_manifest")))


_BYTES = {"f32": 4, "bf16": 2, "f16": 2, "f64": 8}


def collective_bytes(collective: Mapping, rank: int) -> tuple[int, int]:
    """(sent, received) by one rank."""
    group, kind = collective["group"], collective["kind"]
    me, others = group.index(rank), len(group) - 1
    sent = received = 0
    for elements, source, target in collective["segments"]:
        size = elements * _BYTES[collective["type"]]
        if kind == "all_gather":
            sent, received = ((sent + others * size, received)
                              if source == me else (sent, received + size))
        elif kind == "reduce_scatter":
            sent, received = ((sent, received + others * size)
                              if target == me else (sent + size, received))
        elif kind == "all_to_all":
            if source != target:
                sent += size * (source == me)
                received += size * (target == me)
        else:
            each, more = divmod(elements, len(group))
            mine = (each + (me < more)) * _BYTES[collective["type"]]
            # As a reduce_scatter and an all_gather of parts.
            sent += (size - mine) + others * mine
            received += others * mine + (size - mine)
    return sent, received


def traffic_of(manifest: Mapping, without: Sequence[str] = ()
               ) -> tuple[int, int]:
    """(sent, received) by all collectives of a manifest but those of names."""
    distribution = manifest["distribution"]
    pairs = [collective_bytes(c, distribution["rank"])
             for c in distribution["collectives"]
             if not any(c["name"].startswith(w) for w in without)]
    return sum(s for s, _ in pairs), sum(r for _, r in pairs)


def plan_errors(ranks: Ranks) -> list[str]:
    """Where what the plan predicts is not what the collectives move, but for
    sums of squares, which it does not count."""
    moved = np.array([traffic_of(m, without=("sums", "norms"))
                      for m in ranks.manifests], float)
    plan, errors = ranks.plan(), []
    for at, key in enumerate(("bytes_sent", "bytes_received")):
        found = {"min": moved[:, at].min(), "mean": moved[:, at].mean(),
                 "max": moved[:, at].max()}
        errors += [f"{what} of {key}: planned {plan['ranks'][key][what]}, "
                   f"found {value}" for what, value in found.items()
                   if not np.isclose(plan["ranks"][key][what], value,
                                     rtol=1e-12, atol=0)]
    return errors
