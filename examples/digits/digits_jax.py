#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Learn to read handwritten digits in JAX, with a compiled optimizer step.

    build/jax-venv/bin/python examples/digits/digits_jax.py

A small network (64–128–64–10, ReLU) is trained twice on the 1797 images that
scikit-learn brings along: with muon_mlir.jax.muon, whose step works in the
network's own memory, and with optax.adamw. docs/jax.md says how muon_mlir.jax
is installed; scripts/test-jax.sh makes the environment above.
"""

from __future__ import annotations

import argparse
import functools
import sys
from typing import Any, Callable

try:
    import jax
    import jax.numpy as jnp
    import optax
    from training import (WIDTHS, Data, History, Plan, Progress, have_learnt,
                          parse, plot, print_table)

    import muon_mlir.jax
except ImportError as missing:
    sys.exit(f"digits_jax: {missing}; scripts/test-jax.sh makes an environment "
             "that has all of it, build/jax-venv")

DECAY = 0.1
# Learning rates at the first step, those of examples/digits.
MUON_RATE, ADAMW_RATE = 0.017, 0.01
# The last layer is AdamW's: its columns are classes, not directions.
RULES = [{"match": "^output", "optimizer": "adamw"}]

Network = dict[str, Any]
Train = Callable[[Network, Any, Any, Any], tuple[Network, Any, Any]]


def new_network(seed: int) -> Network:
    """He's initialisation: kernels (inputs x outputs) of variance 2 / inputs,
    biases zero."""
    keys = jax.random.split(jax.random.key(seed), len(WIDTHS) - 1)
    layers = [{"kernel": jnp.sqrt(2 / fan_in) * jax.random.normal(
                   key, (fan_in, fan_out)),
               "bias": jnp.zeros(fan_out)}
              for key, fan_in, fan_out in zip(keys, WIDTHS, WIDTHS[1:])]
    return {"hidden": layers[:-1], "output": layers[-1]}


def logits_of(network: Network, images: jax.Array) -> jax.Array:
    """(batch x pixels) to (batch x digits)."""
    for layer in network["hidden"]:
        images = jax.nn.relu(images @ layer["kernel"] + layer["bias"])
    return images @ network["output"]["kernel"] + network["output"]["bias"]


def loss_of(network: Network, images: jax.Array,
            labels: jax.Array) -> jax.Array:
    """Mean cross-entropy of a batch."""
    return optax.softmax_cross_entropy_with_integer_labels(
        logits_of(network, images), labels).mean()


@jax.jit
def accuracy(network: Network, images: jax.Array,
             labels: jax.Array) -> jax.Array:
    return (logits_of(network, images).argmax(axis=1) == labels).mean()


def with_muon(total: int) -> tuple[Any, Train]:
    tx = muon_mlir.jax.muon(
        falling(MUON_RATE, total), adam_learning_rate=falling(ADAMW_RATE, total),
        adam_b2=0.95, weight_decay=DECAY, adam_weight_decay=DECAY,
        consistent_rms=0.2, rules=RULES)

    # What is donated is updated where it is.
    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def train(network: Network, state: Any, images: Any, labels: Any
              ) -> tuple[Network, Any, Any]:
        loss, grads = jax.value_and_grad(loss_of)(network, images, labels)
        network, state = tx.apply(network, grads, state)
        return network, state, loss
    return tx, train


def with_adamw(total: int) -> tuple[Any, Train]:
    tx = optax.adamw(falling(ADAMW_RATE, total), b2=0.95, weight_decay=DECAY)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def train(network: Network, state: Any, images: Any, labels: Any
              ) -> tuple[Network, Any, Any]:
        loss, grads = jax.value_and_grad(loss_of)(network, images, labels)
        updates, state = tx.update(grads, state, network)
        return optax.apply_updates(network, updates), state, loss
    return tx, train


def falling(rate: float, total: int) -> optax.Schedule:
    """Linearly to a tenth."""
    return optax.linear_schedule(rate, 0.1 * rate, total)


def train(label: str, make: Callable[[int], tuple[Any, Train]], data: Data,
          plan: Plan) -> History:
    total = plan.steps(data)
    tx, step = make(total)
    network = new_network(plan.seed)
    state = tx.init(network)
    progress, history = Progress(label, total), History()
    for batch in plan.batches(data):
        network, state, loss = step(network, state, batch.images, batch.labels)
        history.losses.append(float(loss))
        if batch.ends:
            history.accuracies.append(
                float(accuracy(network, data.test_x, data.test_y)))
        progress.update(batch, history.losses[-1])
    return history


def main() -> int:
    options = parse(argparse.ArgumentParser(
        description=__doc__.splitlines()[0]))
    data = Data.load(options.seed)
    plan = Plan(options.epochs, options.steps, options.seed)
    picture = options.out / "digits-jax.png"
    try:
        histories = {label: train(label, make, data, plan)
                     for label, make in (("Muon", with_muon),
                                         ("AdamW", with_adamw))}
        plot(histories, picture, "Handwritten digits, JAX")
    except (muon_mlir.Error, OSError) as error:
        print(f"digits_jax: {error}", file=sys.stderr)
        return 1
    print_table(histories)
    print(f"\nLoss curves: {picture}")
    return 0 if have_learnt(histories, plan) else 1


if __name__ == "__main__":
    sys.exit(main())
