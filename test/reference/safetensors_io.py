# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A minimal reader and writer of safetensors files in pure NumPy.

Format: u64 little-endian length of the header, the header (a JSON object
name -> {dtype, shape, data_offsets}, padded with spaces so that the data is
aligned to 8 bytes), then the data.
https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import json
import os
import struct
from typing import Mapping

import numpy as np

from storage import BITS, Tensor


def save(path: str | os.PathLike, tensors: Mapping[str, Tensor]) -> None:
    """Write `tensors`; the widest types come first, so that all are aligned."""
    header: dict[str, dict] = {}
    blobs: list[bytes] = []
    offset = 0
    order = sorted(tensors, key=lambda n: (-BITS[tensors[n].dtype].itemsize, n))
    for name in order:
        tensor = tensors[name]
        blob = np.ascontiguousarray(tensor.bits).tobytes()
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for blob in blobs:
            file.write(blob)


def load(path: str | os.PathLike) -> dict[str, Tensor]:
    """Read every tensor of a file. Malformed files raise ValueError."""
    with open(path, "rb") as file:
        raw = file.read()
    if len(raw) < 8:
        raise ValueError(f"{path}: shorter than its length field")
    (length,) = struct.unpack_from("<Q", raw)
    if 8 + length > len(raw):
        raise ValueError(f"{path}: header of {length} bytes does not fit")
    data = memoryview(raw)[8 + length:]
    tensors = {}
    for name, entry in json.loads(raw[8:8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        shape = tuple(entry["shape"])
        dtype = BITS[entry["dtype"]]
        count = int(np.prod(shape, dtype=np.int64))
        if end - begin != count * dtype.itemsize or end > len(data):
            raise ValueError(f"{path}: {name}: offsets {begin}..{end} do not "
                             f"match {entry['dtype']} {list(shape)}")
        bits = np.frombuffer(data[begin:end], dtype).reshape(shape)
        tensors[name] = Tensor(entry["dtype"], bits)
    return tensors


def metadata(path: str | os.PathLike) -> dict[str, str]:
    """What a file says about itself, beside its tensors."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)).get("__metadata__", {})
