#!/usr/bin/python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Seconds that muon-import and muon-compile take, by number of parameters.

    benchmarks/compile_time.py [COUNT...]

Checkpoints of 20 distinct shapes (14 matrices, 6 vectors, bf16). Compilation
follows the number of shapes, so its column should hardly grow; what grows is
reading and writing names. Each time is the best of three.
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

BIN = pathlib.Path(__file__).resolve().parent.parent / "build" / "release" / "bin"
SHAPES = [(256, 64 + 16 * i) for i in range(14)] + [(64 + 16 * i,) for i in range(6)]


def write_checkpoint(path, count):
    """A header for `count` tensors; their data is a hole in the file."""
    header, end = {}, 0
    for i in range(count):
        shape = SHAPES[i % len(SHAPES)]
        size = 2
        for dim in shape:
            size *= dim
        name = f"model.layers.{i // len(SHAPES)}.block{i % len(SHAPES)}.weight"
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


def measure(*command):
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, check=True)
        best = min(best, time.perf_counter() - start)
    return best


def main():
    counts = [int(arg) for arg in sys.argv[1:]] or [100, 1000, 10000, 70000]
    print(f"{'parameters':>10} {'import s':>9} {'compile s':>10} {'sum s':>7}")
    with tempfile.TemporaryDirectory() as folder:
        model, step, artifact = (
            pathlib.Path(folder) / name for name in ("m.safetensors", "step.mlir", "step.so")
        )
        for count in counts:
            write_checkpoint(model, count)
            read = measure(BIN / "muon-import", model, "-o", step)
            compiled = measure(BIN / "muon-compile", step, "-o", artifact)
            print(f"{count:>10} {read:>9.2f} {compiled:>10.2f} {read + compiled:>7.2f}", flush=True)


if __name__ == "__main__":
    main()
