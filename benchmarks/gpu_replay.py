#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Takes several steps of an artifact in one process, from the initial state.

    benchmarks/gpu_replay.py STEP.so --device=cuda --lib FOLDER
        --params FILE --grads FILE... --scalars JSON... --out FILE

muon-run takes one step per process. Here the later ones replay the graph of
the first with other scalars and gradients, which are uploaded to where the
first ones were. Weights and state are written to one file.
"""
from __future__ import annotations

import argparse
import json
import pathlib
import sys

import gpu_tensors
from gpu_driver import GpuError, Runtime
from gpu_tensors import Tensor

SCALARS = {"lr": "lr", "weight_decay": "weight_decay", "momentum": "beta",
           "clip": "clip_limit"}


def initial(argument, params: dict[str, Tensor]) -> bytes:
    if argument.role == "master":
        return gpu_tensors.pack("F32", params[argument.name].values())
    return bytes(argument.bytes)


def replay(step, params, gradients, scalars) -> dict[str, Tensor]:
    memory = {}
    for a in step.arguments:
        data = (params[a.name].data if a.role == "weight" else
                gradients[0][a.name].data if a.role == "gradient" else
                initial(a, params))
        memory[a] = step.bind_data(a, data)
    for number, values in enumerate(scalars):
        if number > 0:
            for a in step.arguments:
                if a.role == "gradient":
                    step.upload(memory[a], gradients[number][a.name].data)
        for name, value in values.items():
            step.set(SCALARS[name], value)
        step.run()
    return {a.key: Tensor(a.type, a.shape, step.download(a, memory[a]))
            for a in step.arguments if a.role != "gradient"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("step", type=pathlib.Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--lib", type=pathlib.Path, required=True)
    parser.add_argument("--params", type=pathlib.Path, required=True)
    parser.add_argument("--grads", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--scalars", type=json.loads, nargs="+", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    if len(options.grads) != len(options.scalars):
        parser.error(f"{len(options.grads)} files of gradients, but "
                     f"{len(options.scalars)} sets of scalars")
    try:
        step = Runtime(options.lib).load(options.step.resolve(),
                                         options.device)
        found = replay(step, gpu_tensors.load(options.params),
                       [gpu_tensors.load(p) for p in options.grads],
                       options.scalars)
        step.close()
        gpu_tensors.save(options.out, found)
    except (GpuError, OSError, ValueError) as error:
        print(f"gpu_replay: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
