# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors without NumPy: reproducible values, rounding, safetensors files.

The machine with the GPU has Python, and perhaps nothing else.
"""
from __future__ import annotations

import array
import json
import math
import os
import pathlib
import random
import struct
import sys
import zlib
from typing import Mapping, NamedTuple, Sequence

SIZES = {"F32": 4, "BF16": 2, "F16": 2, "F64": 8, "I64": 8}


class Tensor(NamedTuple):
    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def values(self) -> Sequence[float]:
        return decode(self.dtype, self.data)


def pack(dtype: str, values: Sequence[float]) -> bytes:
    """Rounds to nearest even."""
    if dtype == "F16":
        return struct.pack(f"<{len(values)}e", *values)
    single = array.array("f", values)
    if dtype == "F32":
        return single.tobytes()
    if dtype != "BF16":
        raise ValueError(f"cannot round to {dtype}")
    words = array.array("I", single.tobytes())
    return array.array("H", [
        w >> 16 | 64 if w & 0x7FFFFFFF > 0x7F800000 else
        (w + 0x7FFF + (w >> 16 & 1)) >> 16 for w in words]).tobytes()


def decode(dtype: str, data: bytes) -> Sequence[float]:
    if dtype == "BF16":
        words = array.array("I", [h << 16 for h in array.array("H", data)])
        return array.array("f", words.tobytes())
    if dtype == "F16":
        return struct.unpack(f"<{len(data) // 2}e", data)
    return memoryview(data).cast({"F32": "f", "F64": "d", "I64": "q"}[dtype])


def noise(key: str, count: int, rms: float = 1.0) -> list[float]:
    """Numbers that look Gaussian, the same on every machine: sums of integers
    times one constant, without any function of a mathematics library."""
    data = random.Random(zlib.crc32(key.encode())).randbytes(4 * count)
    scale = rms / 147.79884979745976  # deviation of a sum of four bytes
    return [(a + b + c + d - 510) * scale
            for a, b, c, d in zip(data[0::4], data[1::4], data[2::4],
                                  data[3::4])]


def make(key: str, dtype: str, shape: Sequence[int], kind: str = "noise",
         rms: float = 1.0) -> Tensor:
    """`kind`: noise; zero; rank1; or nan, which is noise but for the last."""
    count = math.prod(shape)
    if kind == "zero":
        values = [0.0] * count
    elif kind == "rank1":
        rows = noise(key + " rows", math.prod(shape[:-1]))
        cols = noise(key + " cols", shape[-1], rms)
        values = [r * c for r in rows for c in cols]
    elif kind in ("noise", "nan"):
        values = noise(key, count, rms)
        if kind == "nan":
            values[-1] = math.nan
    else:
        raise ValueError(f"unknown kind of values '{kind}'")
    return Tensor(dtype, tuple(shape), pack(dtype, values))


def test_inputs(test: Mapping) -> tuple[dict[str, Tensor],
                                      list[dict[str, Tensor]]]:
    """Weights, and the gradients of each step, of a test of a bundle."""
    params, gradients = {}, [{} for _ in test["steps"]]
    for entry in test["tensors"]:
        key, shape = f"{test['name']}/{entry['name']}", entry["shape"]
        params[entry["name"]] = make(key, entry["dtype"], shape, rms=0.05)
        for number, step in enumerate(test["steps"]):
            kind = step.get("kinds", {}).get(entry["name"], "noise")
            gradients[number][entry["name"]] = make(
                f"{key}/{number}", entry["dtype"], shape, kind)
    return params, gradients


def windows(key: str, dtype: str, rows: int, cols: int, rms: float,
            positive: bool = False) -> bytes:
    """A large matrix, quickly: rows begin at random places of one long row."""
    length = max(1 << 18, 2 * cols)
    size = SIZES[dtype]
    values = noise(key, length, rms)
    line = pack(dtype, [v * v for v in values] if positive else values)
    places = random.Random(zlib.crc32(key.encode()) ^ 1)
    starts = (size * places.randrange(length - cols) for _ in range(rows))
    return b"".join(line[s:s + size * cols] for s in starts)


def write_replacing(path: pathlib.Path, *parts: bytes) -> None:
    """Nobody sees half a file."""
    temporary = path.with_name(f"{path.name}.tmp{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            for part in parts:
                file.write(part)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _header(shapes: Mapping[str, tuple[str, Sequence[int]]]) -> bytes:
    header, end = {}, 0
    for name, (dtype, shape) in shapes.items():
        begin, end = end, end + SIZES[dtype] * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": list(shape),
                        "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def save(path: pathlib.Path, tensors: Mapping[str, Tensor]) -> None:
    write_replacing(path, _header({n: (t.dtype, t.shape)
                                   for n, t in tensors.items()}),
                    *(t.data for t in tensors.values()))


def save_zeros(path: pathlib.Path,
               shapes: Mapping[str, tuple[str, Sequence[int]]]) -> None:
    """A file with a hole for the data: shapes are all that import reads."""
    write_replacing(path, _header(shapes))
    size = sum(SIZES[d] * math.prod(s) for d, s in shapes.values())
    os.truncate(path, path.stat().st_size + size)


def load(path: pathlib.Path) -> dict[str, Tensor]:
    data = pathlib.Path(path).read_bytes()
    try:
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8:8 + length])
        header.pop("__metadata__", None)
        tensors = {}
        for name, entry in header.items():
            begin, end = (8 + length + o for o in entry["data_offsets"])
            tensor = Tensor(entry["dtype"], tuple(entry["shape"]),
                            data[begin:end])
            expected = SIZES[tensor.dtype] * math.prod(tensor.shape)
            if len(tensor.data) != expected:
                raise ValueError(f"tensor '{name}': expected {expected} "
                                 f"bytes, found {len(tensor.data)}")
            tensors[name] = tensor
        return tensors
    except (struct.error, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: no safetensors file: {error}") from error


assert sys.byteorder == "little"
