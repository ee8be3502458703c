#!/usr/bin/python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time and memory that muon-import and muon-compile take.

    benchmarks/compile_time.py [shapes] [parameters] [kimi-k2] [gpu]

shapes: 1,000 parameters of 1 to 100 distinct shapes. Compilation should grow in
proportion. parameters: 100 to 70,000 parameters of 20 distinct shapes. It
should hardly grow; what grows is reading and writing names. kimi-k2: the step
of Kimi K2, 69,975 tensors and 10¹² parameters, with and without a limit on
scratch memory; fails above 30 s or 2 GiB. gpu: the steps of GPT-2 and of Llama 2
7B for sm_80, whose launches it counts, with a cubin if there is ptxas; fails
above 60 s. Without arguments, all four.

The checkpoints of the first two are bf16, seven of ten shapes matrices. Times
are the best of three, memory is the largest resident memory of either tool.
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

from processes import BIN, measure

REPEAT = 3
MOST_SECONDS, MOST_BYTES = 30, 2 << 30
MOST_GPU_SECONDS = 60


def shape(i):
    return (64 + 16 * i,) if i % 10 in (2, 5, 8) else (256, 64 + 16 * i)


def write_checkpoint(path, count, shapes):
    """A header for `count` tensors; their data is a hole in the file."""
    header, end = {}, 0
    for i in range(count):
        dims = shape(i % shapes)
        size = 2
        for dim in dims:
            size *= dim
        name = f"model.layers.{i // shapes}.block{i % shapes}.weight"
        header[name] = {"dtype": "BF16", "shape": dims, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


def best(*command):
    """Least time and most memory of several runs."""
    runs = [measure(*command) for _ in range(REPEAT)]
    return min(seconds for seconds, _ in runs), max(size for _, size in runs)


def compile_source(folder, source, flags=()):
    """Imports and compiles; seconds of each, memory of either, the artifact."""
    step, artifact = folder / "step.mlir", folder / "step.so"
    read, read_size = best(BIN / "muon-import", *source, "-o", step)
    compiled, compiled_size = best(BIN / "muon-compile", step, *flags, "-o", artifact)
    return read, compiled, max(read_size, compiled_size), artifact


def print_header(first):
    print(f"{first:>15} {'import s':>9} {'compile s':>10} {'sum s':>7} {'peak MiB':>9}", end="")


def print_row(first, read, compiled, size):
    print(f"{first:>15} {read:>9.2f} {compiled:>10.2f} {read + compiled:>7.2f}"
          f" {size / 2**20:>9.0f}", end="")


def growth(folder, first, cases):
    model = folder / "model.safetensors"
    print_header(first)
    print()
    for label, count, shapes in cases:
        write_checkpoint(model, count, shapes)
        read, compiled, size, _ = compile_source(folder, (model,))
        print_row(label, read, compiled, size)
        print(flush=True)


def kimi_k2(folder):
    """Returns whether time and memory are within the limits."""
    print_header("scratch limit")
    print(f" {'scratch GiB':>12}")
    within = True
    for label, flags in (("none", ()), ("8 GiB", ("--scratch-limit=8G",))):
        read, compiled, size, artifact = compile_source(folder, ("--preset", "kimi-k2-1t"), flags)
        listed = subprocess.run([BIN / "muon-run", artifact, "--list"], check=True,
                                capture_output=True, text=True).stdout
        arena = next(int(line.split()[1]) for line in listed.splitlines()
                     if line.startswith("arena"))
        print_row(label, read, compiled, size)
        print(f" {arena / 2**30:>12,.1f}", flush=True)
        within = within and read + compiled <= MOST_SECONDS and size <= MOST_BYTES
    return within


def gpu(folder):
    """Returns whether time is within the limit."""
    print_header("preset")
    print(f" {'launches':>9} {'kernels':>8} {'scratch GiB':>12}")
    within = True
    for preset in ("gpt2-124m", "llama2-7b"):
        report = folder / "report.json"
        read, compiled, size, _ = compile_source(
            folder, ("--preset", preset), ("--target=sm_80", f"--report={report}"))
        told = json.loads(report.read_text())
        print_row(preset, read, compiled, size)
        print(f" {told['device']['launches']:>9} {len(told['device']['kernels']):>8}"
              f" {told['totals']['scratch_bytes'] / 2**30:>12,.1f}", flush=True)
        within = within and read + compiled <= MOST_GPU_SECONDS
    return within


TABLES = ("shapes", "parameters", "kimi-k2", "gpu")


def main() -> int:
    tables = sys.argv[1:] or TABLES
    unknown = set(tables) - set(TABLES)
    if unknown:
        sys.exit(f"compile_time: error: expected {', '.join(TABLES)}, found"
                 f" '{unknown.pop()}'")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if "shapes" in tables:
            growth(folder, "shapes", [(n, 1000, n) for n in (1, 5, 20, 50, 100)])
        if "parameters" in tables:
            growth(folder, "parameters", [(n, n, 20) for n in (100, 1000, 10000, 70000)])
        if "kimi-k2" in tables and not kimi_k2(folder):
            print(f"compile_time: error: kimi-k2: expected at most {MOST_SECONDS} s and"
                  f" {MOST_BYTES >> 20} MiB", file=sys.stderr)
            return 1
        if "gpu" in tables and not gpu(folder):
            print(f"compile_time: error: gpu: expected at most {MOST_GPU_SECONDS} s",
                  file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
