#!/usr/bin/python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Scratch memory of steps, and memory of muon-run.

    benchmarks/memory.py

Scratch: the arena of the step over what its largest group alone has alive at
one time, as muon-compile --report counts it; groups run one after another and
can share it. muon-run: its largest resident memory over the sum of weights,
gradients, state (read or made), the arena and 64 MiB. Fails above 1.1 and above
1. Writes 1 GB of temporary files.
"""
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

from processes import BIN, measure

WIDTH, LAYERS, VOCABULARY = 768, 6, 8192
MOST_SCRATCH, SLACK = 1.1, 64 << 20


def shapes():
    """A transformer of 49 million parameters with six shapes."""
    yield "embed.weight", (VOCABULARY, WIDTH)
    for layer in range(LAYERS):
        prefix = f"layers.{layer}."
        yield prefix + "attn.qkv.weight", (3 * WIDTH, WIDTH)
        yield prefix + "attn.proj.weight", (WIDTH, WIDTH)
        yield prefix + "mlp.up.weight", (4 * WIDTH, WIDTH)
        yield prefix + "mlp.down.weight", (WIDTH, 4 * WIDTH)
        yield prefix + "norm.weight", (WIDTH,)


def write_checkpoint(path, seed):
    """Random f32 of a magnitude from 2⁻⁷ to 2⁻⁶, a tensor at a time."""
    header, end = {}, 0
    for name, shape in shapes():
        begin = end
        count = 1
        for dim in shape:
            count *= dim
        end += 4 * count
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    source = random.Random(seed)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for entry in header.values():
            begin, end = entry["data_offsets"]
            # The bytes of a fraction may be anything; the highest byte of a
            # little-endian f32 and one bit below are sign and exponent.
            data = bytearray(source.randbytes(end - begin))
            count = len(data) // 4
            data[3::4] = b"\x3c" * count
            data[2::4] = bytes(byte & 0x7f for byte in data[2::4])
            file.write(data)


def compile_step(source, folder):
    """The artifact, its arena, and the most that a group needs."""
    artifact, report = folder / "step.so", folder / "report.json"
    subprocess.run([BIN / "muon-compile", source, "-o", artifact, f"--report={report}"],
                   check=True)
    listed = subprocess.run([BIN / "muon-run", artifact, "--list"], check=True,
                            capture_output=True, text=True).stdout
    arena = next(int(line.split()[1]) for line in listed.splitlines()
                 if line.startswith("arena"))
    groups = json.loads(report.read_text())["groups"]
    return artifact, arena, [group["scratch_bytes"] for group in groups
                             if group["optimizer"] == "muon"]


def main() -> int:
    failures = []

    def check(what, ratio, most):
        if not ratio <= most:
            failures.append(f"{what}: {ratio:.3f}, expected at most {most}")

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model, grads, state, step = (folder / name for name in (
            "model.safetensors", "grads.safetensors", "state.safetensors", "step.mlir"))
        write_checkpoint(model, 1)
        write_checkpoint(grads, 2)

        print(f"{'step':>20} {'Muon groups':>12} {'sum MiB':>8} {'largest':>8} {'arena':>8}"
              f" {'ratio':>6}")
        for what, source in (("GPT-2 124M", ("--preset", "gpt2-124m")),
                             ("transformer 49M", (model,))):
            subprocess.run([BIN / "muon-import", *source, "-o", step], check=True)
            artifact, arena, needs = compile_step(step, folder)
            ratio = arena / max(needs)
            print(f"{what:>20} {len(needs):>12} {sum(needs) / 2**20:>8.1f}"
                  f" {max(needs) / 2**20:>8.1f} {arena / 2**20:>8.1f} {ratio:>6.3f}")
            check(f"scratch of {what}", ratio, MOST_SCRATCH)

        print(f"\n{'muon-run':>20} {'tensors MiB':>11} {'arena':>8} {'allowed':>8} {'peak':>8}"
              f" {'ratio':>6}")
        out = folder / "out.safetensors"
        for what, flags in (("from zero state", ("--init-state",)),
                            ("with state", ("--state", state))):
            _, peak = measure(BIN / "muon-run", artifact, "--params", model, "--grads", grads,
                              *flags, "--lr", "0.001", "--out-params", out, "--out-state", state)
            size = sum(os.path.getsize(path) for path in (model, grads, state))
            allowed = size + arena + SLACK
            print(f"{what:>20} {size / 2**20:>11.1f} {arena / 2**20:>8.1f}"
                  f" {allowed / 2**20:>8.1f} {peak / 2**20:>8.1f} {peak / allowed:>6.3f}",
                  flush=True)
            check(f"memory of muon-run {what}", peak / allowed, 1.0)
    for failure in failures:
        print(f"memory: error: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
