# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a step has to compute and to move, counted from its launches.

`read` takes the IR of `muon-compile --compile-to=launches`. Nothing here is a
measurement: FLOPs, tiles and bytes follow from shapes and schedules, floors
from them and the data sheet of a chip.
"""
from __future__ import annotations

import math
import re
from typing import NamedTuple, Optional

def _chip(half: float, tf32: float, f32: float, memory: float) -> dict:
    return {"bf16": half, "f16": half, "tf32": tf32, "f32": f32,
            "bytes": memory}


# Dense rates of matrix units in FLOP/s, of f32 without them, and bytes/s of
# memory: names and numbers of lib/Report/Chips.cpp, which has the sources.
CHIPS = {
    "A100": _chip(312e12, 156e12, 19.5e12, 2.039e12),
    "A10": _chip(125e12, 62.5e12, 31.2e12, 0.6e12),
    "L40S": _chip(362e12, 183e12, 91.6e12, 0.864e12),
    "H100": _chip(989e12, 494.5e12, 67e12, 3.35e12),
    "H200": _chip(989e12, 494.5e12, 67e12, 4.8e12),
}

_SIZES = {"f64": 8, "f32": 4, "bf16": 2, "f16": 2, "i64": 8, "i1": 1}
_TYPE = re.compile(r"(?:memref|!muon\.table)<((?:\d+x)*)(\w+)"
                   r"(?:, strided<[^<>]*>)?>")
_ROLE = re.compile(r"\b(lhs|rhs|scalars|tiles|ins|outs|sums)\(([^:()]*):"
                   r"((?:[^()]|\([^()]*\))*)\)")
_SCHEDULE = re.compile(r"muon_gpu\.schedule<m = (\d+), n = (\d+), k = (\d+)")


class Operation(NamedTuple):
    kind: str  # product or stream
    flops: int  # of whole tiles, as the kernel computes them
    tiles: int
    type: str  # of the operands
    moved: int  # bytes: each operand read, each result written once


class Work(NamedTuple):
    operations: list[Operation]
    launches: int

    def total(self, what: str, kind: Optional[str] = None) -> int:
        return sum(getattr(o, what) for o in self.operations
                   if kind in (None, o.kind))

    def floor(self, chip: dict) -> float:
        """Seconds: operations follow each other, and each takes at least the
        longer of its two times."""
        return sum(max(o.flops / chip.get(o.type, math.inf),
                       o.moved / chip["bytes"]) for o in self.operations)


def dense_flops(rows: int, cols: int, batch: int, steps: int = 5) -> int:
    """Three full products a step, on the shorter side."""
    m, n = sorted((rows, cols))
    return batch * steps * (4 * m * m * n + 2 * m ** 3)


def _operands(line: str) -> dict[str, list[tuple[str, tuple[int, ...], str]]]:
    found = {}
    for role, names, types in _ROLE.findall(line):
        shapes = [(tuple(map(int, dims.split("x")[:-1])), element)
                  for dims, element in _TYPE.findall(types)]
        listed = [name.strip() for name in names.split(",")]
        if len(listed) != len(shapes):
            raise ValueError(f"cannot read the operands of: {line.strip()}")
        found[role] = [(n, s, t) for n, (s, t) in zip(listed, shapes)]
    return found


def _bytes(operands: list) -> int:
    return sum(math.prod(shape) * _SIZES[element]
               for _, shape, element in operands)


def _moved(found: dict) -> int:
    read = {o[0]: o for role in ("lhs", "rhs", "tiles", "ins")
            for o in found.get(role, [])}
    return _bytes(list(read.values())) + _bytes(found.get("outs", []))


def _product(line: str, attributes: str, tf32: bool) -> Operation:
    found = _operands(line)
    _, lhs, element = found["lhs"][0]
    _, rhs, _ = found["rhs"][0]
    schedule = _SCHEDULE.search(attributes)
    if not schedule or len(lhs) != 3 or len(rhs) != 3:
        raise ValueError(f"cannot read a product: {line.strip()}")
    batch, rows, inner = lhs
    if "lhs_transposed" in attributes:
        rows, inner = inner, rows
    cols = rhs[1] if "rhs_transposed" in attributes else rhs[2]
    tile_m, tile_n, tile_k = map(int, schedule.groups())
    down, across = -(-rows // tile_m), -(-cols // tile_n)
    tiles = down * across
    if re.search(r"\bsymmetric\b", attributes):
        # One tile at least of each pair of mirror images.
        tiles = sum(1 for i in range(down) for j in range(across)
                    if (j + 1) * tile_n > i * tile_m)
    depth = -(-inner // tile_k) * tile_k
    return Operation("product", batch * tiles * 2 * tile_m * tile_n * depth,
                     batch * tiles, "tf32" if tf32 else element, _moved(found))


def read(ir: str) -> Work:
    operations, pending, launches = [], None, 0
    for line in ir.splitlines():
        launches += "muon_gpu.launch" in line
        if "muon_gpu.matmul " in line:
            pending = line
        elif "muon_gpu.stream " in line:
            operations.append(Operation("stream", 0, 0, "",
                                        _moved(_operands(line))))
        elif pending and "muon_gpu.schedule<" in line:
            operations.append(_product(pending, line, "tf32" in line))
            pending = None
    if pending or not operations:
        raise ValueError("no launches in the IR, or ones that cannot be read")
    return Work(operations, launches)
