#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A whole step of GPT-2 (124M) in f32 in JAX, compiled and of Optax.

    build/jax-venv/bin/python benchmarks/jax_step.py [--threads N] [--rounds R]
                                                     [--layers N]

scripts/test-jax.sh makes the environment. Needs 8 GB of memory, less with fewer
layers. The matrices of the blocks are Muon's, embeddings and vectors AdamW's:

    optax    optax.contrib.muon and optax.adamw, by optax.partition, and
             optax.apply_updates, under one jit
    update   muon_mlir.jax.muon's update, and optax.apply_updates
    apply    muon_mlir.jax.muon's apply

All have parameters and state of their own, which are donated, and the same
gradients, and take turns, so that a change of the machine's load meets all;
afterwards their parameters have to agree. All run on the same cores, with as
many threads. The compiled step also looks for gradients that are not finite,
and reports norms, which Optax does not. Ratios are of medians, over Optax's;
lower is better.
"""
import argparse
import os
import statistics
import sys
import time

WIDTH, VOCABULARY, POSITIONS = 768, 50257, 1024
RATE, DECAY = 1e-3, 0.1
# Of the change of a parameter. Optax's own in f32 is about as far off f64.
TOLERANCE = 1e-4


def shapes_of(layers):
    """GPT-2's names, for kernels in×out."""
    shapes = {"wte": (VOCABULARY, WIDTH), "wpe": (POSITIONS, WIDTH),
              "ln_f": {"g": (WIDTH,), "b": (WIDTH,)}}
    for n in range(layers):
        shapes[f"h{n}"] = {
            **{f"ln_{i}": {"g": (WIDTH,), "b": (WIDTH,)} for i in (1, 2)},
            "attn": {"c_attn": {"w": (WIDTH, 3 * WIDTH), "b": (3 * WIDTH,)},
                     "c_proj": {"w": (WIDTH, WIDTH), "b": (WIDTH,)}},
            "mlp": {"c_fc": {"w": (WIDTH, 4 * WIDTH), "b": (4 * WIDTH,)},
                    "c_proj": {"w": (4 * WIDTH, WIDTH), "b": (WIDTH,)}}}
    return shapes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    cores = sorted(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, default=len(cores))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=12)
    options = parser.parse_args()
    if not 1 <= options.threads <= len(cores):
        parser.error(f"--threads must be from 1 to {len(cores)}")
    # XLA has a thread for each core that it may use, and takes no number.
    os.sched_setaffinity(0, cores[:options.threads])
    os.environ["JAX_PLATFORMS"] = "cpu"

    import jax
    import jax.numpy as jnp
    import muon_mlir.jax
    import numpy as np
    import optax

    muon_mlir.set_cpu_threads(options.threads)
    shapes = shapes_of(options.layers)
    is_shape = lambda value: isinstance(value, tuple)  # noqa: E731
    rng = np.random.default_rng(7)

    def normal(scale):
        return jax.tree.map(
            lambda shape: scale * rng.standard_normal(shape, np.float32),
            shapes, is_leaf=is_shape)
    start, grads = normal(0.02), jax.tree.map(jnp.asarray, normal(1e-3))

    def labels(params):
        return jax.tree_util.tree_map_with_path(
            lambda path, x: "muon" if path[-1].key == "w" else "adamw", params)
    theirs = optax.partition(
        {"muon": optax.contrib.muon(RATE, weight_decay=DECAY,
                                    consistent_rms=0.2),
         "adamw": optax.adamw(RATE, b2=0.95, weight_decay=DECAY)}, labels)
    ours = muon_mlir.jax.muon(
        RATE, weight_decay=DECAY, consistent_rms=0.2, adam_b2=0.95,
        adam_weight_decay=DECAY, labels=labels)

    def updating(tx):
        def step(params, grads, state):
            updates, state = tx.update(grads, state, params)
            return optax.apply_updates(params, updates), state
        return step

    runs = {}
    for name, tx, step in (("optax", theirs, updating(theirs)),
                           ("update", ours, updating(ours)),
                           ("apply", ours, ours.apply)):
        params = jax.tree.map(jnp.array, start)
        runs[name] = [jax.jit(step, donate_argnums=(0, 2)), params,
                      tx.init(params)]
    times = {name: [] for name in runs}
    # The first round compiles, and is not timed.
    for _ in range(options.rounds + 1):
        for name, run in runs.items():
            begin = time.perf_counter()
            run[1:] = jax.block_until_ready(run[0](run[1], grads, run[2]))
            times[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(list_[1:])
               for name, list_ in times.items()}

    print(f"jax {jax.__version__}, optax {optax.__version__}, "
          f"{options.threads} threads, {options.rounds} rounds, "
          f"{sum(x.size for x in jax.tree.leaves(start)):,} parameters")
    print(f"{'':8} {'median':>9} {'least':>9} {'ratio':>6}")
    for name, median in medians.items():
        print(f"{name:8} {median * 1e3:7.0f}ms {min(times[name][1:]) * 1e3:7.0f}ms "
              f"{median / medians['optax']:6.2f}")
    worst = (0.0, "")
    for name in ("update", "apply"):
        for (path, first), one, other in zip(
                jax.tree_util.tree_leaves_with_path(start),
                jax.tree.leaves(runs[name][1]),
                jax.tree.leaves(runs["optax"][1])):
            # A norm sums up more than f32 holds.
            one, other = (np.asarray(x, np.float64) for x in (one, other))
            change = np.linalg.norm(other - first)
            worst = max(worst, (np.linalg.norm(one - other) / change,
                                name + jax.tree_util.keystr(path)))
    print(f"largest relative difference of a change after {options.rounds + 1} "
          f"steps: {worst[0]:.1e} ({worst[1]})")
    if not worst[0] <= TOLERANCE:
        sys.exit(f"jax_step: error: {worst[1]}: changes differ by "
                 f"{worst[0]:.1e}, expected at most {TOLERANCE:.0e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
