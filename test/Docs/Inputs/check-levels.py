# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks docs/levels.md against the compiler.

    check-levels.py docs/levels.md SCRATCH_DIR

A fenced block behind `<!-- levels: NAME -->` is `input`, the step to compile;
`manifest`, JSON that the artifact's manifest has to contain; or a level of
`muon-compile --compile-to`, whose lines must occur in this order in what it
prints; of a GPU's levels, `sm_80 NAME`. `…` in such a line stands for anything.
"""
import ctypes
import json
import pathlib
import re
import subprocess
import sys

BLOCK = re.compile(r"<!-- levels: ([\w ]+) -->\n```\w+\n(.*?)\n```", re.S)


def compile_step(source, *options):
    return subprocess.run(
        ["muon-compile", source, *options], check=True, capture_output=True, text=True
    ).stdout


def check_lines(level, block, text):
    """The first line of `block` that does not occur after those before it."""
    lines = text.splitlines()
    position = 0
    for wanted in block.splitlines():
        pattern = re.compile(".*".join(map(re.escape, wanted.strip().split("…"))))
        while position < len(lines) and not pattern.search(lines[position]):
            position += 1
        if position == len(lines):
            return f"level {level}: the compiler does not print, in this order:\n  {wanted}"
        position += 1
    return None


def read_manifest(artifact):
    library = ctypes.CDLL(str(artifact))
    size = ctypes.c_uint64.in_dll(library, "muon_manifest_size").value
    return json.loads((ctypes.c_char * size).in_dll(library, "muon_manifest").raw)


def rounded(value):
    """JSON with numbers as f32 would hold them: defaults are f32."""
    if isinstance(value, float):
        return ctypes.c_float(value).value
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value


def main():
    document, scratch = map(pathlib.Path, sys.argv[1:])
    scratch.mkdir(parents=True, exist_ok=True)
    blocks = dict(BLOCK.findall(document.read_text()))
    source = scratch / "step.mlir"
    source.write_text(blocks.pop("input"))
    wanted = json.loads(blocks.pop("manifest"))
    problems = []
    for level, block in blocks.items():
        target, _, name = level.rpartition(" ")
        options = [f"--compile-to={name}", f"--target={target or 'cpu'}"]
        problem = check_lines(level, block, compile_step(source, *options))
        if problem:
            problems.append(problem)
    artifact = scratch / "step.so"
    compile_step(source, "-o", artifact)
    manifest = read_manifest(artifact)
    for key, value in wanted.items():
        if rounded(manifest.get(key)) != rounded(value):
            problems.append(f"manifest: '{key}' is {manifest.get(key)}, the page says {value}")
    gpu = [f"sm_80 {name}" for name in ("kernels", "launches", "llvm")]
    if sorted(blocks) != ["buffers", "llvm", "loops", "math", *gpu]:
        problems.append(f"expected a block for every level, found {sorted(blocks)}")
    print("\n".join(problems) or f"{len(blocks) + 1} blocks hold")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
