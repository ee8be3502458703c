#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a call from Python costs beyond the step itself, and compiling.

    build/python-venv/bin/python benchmarks/python_overhead.py [--rounds R]

Needs the package (scripts/test-python.sh installs it there). Half of the
parameters are matrices, half vectors. Both models have the same number of
elements, so that a step leaves the caches alike, whatever the number of
parameters. A call's overhead is its time on the clock of Python less that of
muonStepRun, which the extension takes inside of it, both by the monotonic
clock. Models take turns. `bound` calls have all
tensors bound once; `new gradients` rebinds all gradients in each call, as
frameworks that allocate them anew do, and is no part of the target. The last
part compiles a step of GPT-2's shapes (124M), cold and from the cache.
"""
import argparse
import os
import statistics
import tempfile
import time

import numpy as np

import muon_mlir

LIMIT_US, LIMIT_RATIO, LIMIT_COLD_S, LIMIT_WARM_MS = 100, 1.2, 5, 50
WARM_UP = 20


class Model:
    def __init__(self, count, rows, columns):
        shapes = {f"{'w' if i % 2 else 'b'}{i:04}":
                  (rows, columns) if i % 2 else (rows * columns,)
                  for i in range(count)}
        module = muon_mlir.Module.from_params(
            {name: (shape, "float32") for name, shape in shapes.items()})
        step = muon_mlir.compile(module, cache=False)
        rng = np.random.default_rng(0)
        self.count = count
        self.params, self.grads = (
            {n: rng.standard_normal(s).astype("f4") for n, s in shapes.items()}
            for _ in range(2))
        state = step.init_state(self.params)
        self.step = step
        self.bound = step.bind(self.params, self.grads, state)
        others = [{n: v.copy() for n, v in m.items()}
                  for m in (self.params, self.grads, state)]
        self.new = {n: v.copy() for n, v in self.grads.items()}
        step(*others, lr=1e-3)
        self.overheads = {"bound": [], "new gradients": []}
        self.inside = []

    def time(self, what, call, runner):
        start = time.perf_counter_ns()
        call()
        whole = time.perf_counter_ns() - start
        inside = runner._instance.run_nanoseconds
        self.overheads[what].append((whole - inside) / 1e3)
        if what == "bound":
            self.inside.append(inside / 1e3)

    def round(self):
        self.time("bound", lambda: self.bound(lr=1e-3), self.bound)
        self.time("new gradients",
                  lambda: self.step(None, self.new, lr=1e-3), self.step)
        self.new, self.grads = self.grads, self.new

    def report(self):
        for what, overheads in self.overheads.items():
            overheads = sorted(overheads[WARM_UP:])
            print(f"{self.count:5} parameters, {what:13}: overhead "
                  f"{statistics.median(overheads):8.2f} µs (90 %: "
                  f"{overheads[len(overheads) * 9 // 10]:8.2f} µs), step "
                  f"{statistics.median(self.inside[WARM_UP:]):8.1f} µs")
        return statistics.median(self.overheads["bound"][WARM_UP:])


def gpt2():
    """Shapes of GPT-2 (124M), named as its checkpoint's."""
    wide = 768
    params = {"wte.weight": (50257, wide), "wpe.weight": (1024, wide)}
    for i in range(12):
        for name, rows, columns in (
                ("attn.c_attn", wide, 3 * wide), ("attn.c_proj", wide, wide),
                ("mlp.c_fc", wide, 4 * wide), ("mlp.c_proj", 4 * wide, wide)):
            params[f"h.{i}.{name}.weight"] = (rows, columns)
            params[f"h.{i}.{name}.bias"] = (columns,)
        for name in ("ln_1", "ln_2"):
            params[f"h.{i}.{name}.weight"] = params[f"h.{i}.{name}.bias"] = (
                wide,)
    params["ln_f.weight"] = params["ln_f.bias"] = (wide,)
    return {name: (shape, "float32") for name, shape in params.items()}


def compile_gpt2(folder):
    os.environ["MUON_CACHE_DIR"] = folder
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        muon_mlir.compile(muon_mlir.Module.from_params(gpt2()))
        seconds.append(time.perf_counter() - start)
    return seconds[0], statistics.median(seconds[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    rounds = parser.parse_args().rounds + WARM_UP

    with tempfile.TemporaryDirectory() as folder:
        cold, warm = compile_gpt2(folder)
    few, many = models = Model(300, 60, 60), Model(3000, 20, 18)
    for _ in range(rounds):
        for model in models:
            model.round()
    small, large = few.report(), many.report()
    print(f"300 parameters: {small:.2f} µs, limit {LIMIT_US}")
    print(f"3000 over 300 parameters: ratio {large / small:.2f}, limit "
          f"{LIMIT_RATIO}")
    print(f"compile GPT-2: cold {cold:.2f} s, limit {LIMIT_COLD_S}; from the "
          f"cache {warm * 1e3:.1f} ms, limit {LIMIT_WARM_MS}")
    kept = (small <= LIMIT_US and large <= LIMIT_RATIO * small
            and cold <= LIMIT_COLD_S and warm * 1e3 <= LIMIT_WARM_MS)
    print("within the limits" if kept else "NOT within the limits")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
