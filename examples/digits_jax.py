#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Learn to read handwritten digits in JAX, with a compiled optimizer step.

    build/jax-venv/bin/python examples/digits_jax.py [--epochs N] [--steps N]
                                                     [--seed N] [--out DIR]

A small network (64–128–64–10, ReLU) is trained twice on the 1797 images that
scikit-learn brings along: with muon_mlir.jax.muon, whose step works in the
network's own memory, and with optax.adamw. docs/jax.md says how muon_mlir.jax
is installed; scripts/test-jax.sh makes the environment above.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

try:
    import jax
    import jax.numpy as jnp
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import muon_mlir.jax
    import numpy as np
    import optax
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
except ImportError as missing:
    sys.exit(f"digits_jax: {missing}; scripts/test-jax.sh makes an environment "
             "that has all of it, build/jax-venv")

ROOT = Path(__file__).resolve().parents[1]
BATCH = 64
WIDTHS = (64, 128, 64, 10)  # pixels, two hidden layers, digits
# A network that has not learnt gets about 10%, one epoch gives about 90%.
WORST_ACCURACY = 0.8
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


# Training.


class Progress:
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self, label: str, total: int):
        self.label, self.total, self.start = label, total, time.monotonic()
        self.interactive = sys.stdout.isatty()

    def update(self, done: int, epoch_done: bool, text: str) -> None:
        if self.interactive:
            filled = 30 * done // self.total
            seconds = time.monotonic() - self.start
            end = "\n" if done == self.total else ""
            sys.stdout.write(
                f"\r\033[K{self.label:5} [{'#' * filled:<30}] "
                f"{done}/{self.total} steps  {seconds:4.0f} s  {text}{end}")
            sys.stdout.flush()
        elif epoch_done:
            print(f"{self.label:5} {done}/{self.total} steps  {text}",
                  flush=True)


@dataclass
class History:
    losses: list[float] = field(default_factory=list)  # of each step
    accuracies: list[float] = field(default_factory=list)  # of each epoch


def train(label: str, make: Callable[[int], tuple[Any, Train]], data: Any,
          epochs: int, most: Optional[int], seed: int) -> History:
    """After `most` steps it ends, however many epochs are left."""
    train_x, test_x, train_y, test_y = data
    rng = np.random.default_rng(seed)
    batches = len(train_x) // BATCH
    total = min(epochs * batches, most or epochs * batches)
    tx, step = make(total)
    network = new_network(seed)
    state = tx.init(network)
    progress, history = Progress(label, total), History()
    for epoch in range(-(-total // batches)):
        order = rng.permutation(len(train_x))
        for batch in range(min(batches, total - epoch * batches)):
            pick = order[batch * BATCH:(batch + 1) * BATCH]
            network, state, loss = step(network, state, train_x[pick],
                                        train_y[pick])
            history.losses.append(float(loss))
            done = len(history.losses)
            last = batch == batches - 1 or done == total
            if last:
                history.accuracies.append(
                    float(accuracy(network, test_x, test_y)))
            progress.update(done, last, f"epoch {epoch + 1}  "
                                        f"loss {history.losses[-1]:.4f}")
    return history


# Results.


def print_table(histories: dict[str, History]) -> None:
    labels = list(histories)
    print("\nAccuracy on images not trained on")
    print("epoch " + "".join(f"{label:>9}" for label in labels))
    for epoch, row in enumerate(zip(*(h.accuracies
                                      for h in histories.values())), 1):
        print(f"{epoch:5} " + "".join(f"{100 * a:8.1f}%" for a in row))


def plot(histories: dict[str, History], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for label, color in (("AdamW", "#d1772e"), ("Muon", "#2f6fb0")):
        losses = np.array(histories[label].losses)
        axes.plot(losses, color=color, alpha=0.25, linewidth=1)
        window = min(10, len(losses))
        mean = np.convolve(losses, np.ones(window) / window, "valid")
        axes.plot(np.arange(len(mean)) + window - 1, mean, color=color,
                  label=f"{label} (mean of {window} steps)")
    axes.set(xlabel="step", ylabel="training loss (cross-entropy)",
             yscale="log", title="Handwritten digits in JAX")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, dpi=150, format="png")
    temporary.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, help="end after so many steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "build/demo",
                        help="folder for the plot (default: build/demo)")
    options = parser.parse_args()
    if options.epochs < 1:
        parser.error("--epochs must be at least 1")
    if options.steps is not None and options.steps < 2:
        parser.error("--steps must be at least 2")

    images, labels = load_digits(return_X_y=True)
    images = (images / 16 - 0.3).astype("f4")  # about centred
    data = train_test_split(images, labels, test_size=0.25, stratify=labels,
                            random_state=options.seed)
    histories = {}
    picture = options.out / "digits_jax.png"
    try:
        for label, make in (("Muon", with_muon), ("AdamW", with_adamw)):
            histories[label] = train(label, make, data, options.epochs,
                                     options.steps, options.seed)
        plot(histories, picture)
    except (muon_mlir.Error, OSError) as error:
        print(f"digits_jax: {error}", file=sys.stderr)
        return 1
    print(f"\nLoss curves: {picture}")
    print_table(histories)
    good = True
    for label, history in histories.items():
        if options.steps is not None:
            if history.losses[-1] >= history.losses[0]:
                print(f"{label}: expected a loss below that of the first step "
                      f"({history.losses[0]:.4f}), found "
                      f"{history.losses[-1]:.4f}")
                good = False
        elif history.accuracies[-1] < WORST_ACCURACY:
            print(f"{label}: expected at least {WORST_ACCURACY:.0%} of the "
                  f"images right, found {history.accuracies[-1]:.1%}")
            good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
