# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the digits programs share: data, progress, loss curves, the verdict."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BATCH = 64
WIDTHS = (64, 128, 64, 10)  # pixels, two hidden layers, digits
# A network that has not learnt gets about 10%, one epoch gives about 90%.
WORST_ACCURACY = 0.8
COLORS = {"AdamW": "#d1772e", "Muon": "#2f6fb0"}


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Adds the options that all have, and parses the command line."""
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, help="end after so many steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "build/demo",
                        help="folder for what is made (default: build/demo)")
    options = parser.parse_args()
    if options.epochs < 1:
        parser.error("--epochs must be at least 1")
    if options.steps is not None and options.steps < 2:
        parser.error("--steps must be at least 2")
    return options


@dataclass
class Data:
    """Images (count x 64, f32, about centred) and their digits, of which a
    quarter is held out."""
    train_x: np.ndarray
    test_x: np.ndarray
    train_y: np.ndarray
    test_y: np.ndarray

    @staticmethod
    def load(seed: int) -> Data:
        images, labels = load_digits(return_X_y=True)
        return Data(*train_test_split(
            (images / 16 - 0.3).astype("f4"), labels, test_size=0.25,
            stratify=labels, random_state=seed))


@dataclass
class Batch:
    """One step's part of the data: (64 x 64) images and their digits."""
    images: np.ndarray
    labels: np.ndarray
    epoch: int  # from 1
    ends: bool  # an epoch, or the training


@dataclass
class Plan:
    """Ends after `most` steps, however many epochs are left."""
    epochs: int
    most: Optional[int]
    seed: int

    def steps(self, data: Data) -> int:
        total = self.epochs * (len(data.train_x) // BATCH)
        return min(total, self.most or total)

    def batches(self, data: Data) -> Iterator[Batch]:
        rng = np.random.default_rng(self.seed)
        in_epoch = len(data.train_x) // BATCH
        total = self.steps(data)
        for done in range(total):
            at = done % in_epoch
            if at == 0:
                order = rng.permutation(len(data.train_x))
            pick = order[at * BATCH:][:BATCH]
            yield Batch(data.train_x[pick], data.train_y[pick],
                        done // in_epoch + 1,
                        at == in_epoch - 1 or done + 1 == total)


def falling(done: int, total: int) -> float:
    """What the learning rates are multiplied by: linearly to a tenth."""
    return 1 - 0.9 * min(done / total, 1)


class Progress:
    """A bar on a terminal, a line for each epoch elsewhere."""

    def __init__(self, label: str, total: int):
        self.label, self.total, self.start = label, total, time.monotonic()
        self.done = 0

    def update(self, batch: Batch, loss: float) -> None:
        self.done += 1
        text = f"epoch {batch.epoch}  loss {loss:.4f}"
        steps = f"{self.done}/{self.total} steps"
        if sys.stdout.isatty():
            bar = "#" * (30 * self.done // self.total)
            seconds = time.monotonic() - self.start
            print(f"\r\033[K{self.label:5} [{bar:<30}] {steps}  "
                  f"{seconds:4.0f} s  {text}",
                  end="\n" if self.done == self.total else "", flush=True)
        elif batch.ends:
            print(f"{self.label:5} {steps}  {text}", flush=True)


@dataclass
class History:
    losses: list[float] = field(default_factory=list)  # of each step
    accuracies: list[float] = field(default_factory=list)  # of each epoch
    seconds: list[float] = field(default_factory=list)  # of optimizer steps
    network: Any = None  # at the end


Histories = Mapping[str, History]


def print_table(histories: Histories) -> None:
    print("\nAccuracy on images not trained on")
    print("epoch " + "".join(f"{label:>9}" for label in histories))
    rows = zip(*(h.accuracies for h in histories.values()))
    for epoch, row in enumerate(rows, 1):
        print(f"{epoch:5} " + "".join(f"{100 * a:8.1f}%" for a in row))


def plot(histories: Histories, path: Path, title: str) -> None:
    """Loss curves, as a PNG that is there whole or not at all."""
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for label, color in COLORS.items():
        losses = np.array(histories[label].losses)
        axes.plot(losses, color=color, alpha=0.25, linewidth=1)
        window = min(10, len(losses))
        mean = np.convolve(losses, np.ones(window) / window, "valid")
        axes.plot(np.arange(len(mean)) + window - 1, mean, color=color,
                  label=f"{label} (mean of {window} steps)")
    axes.set(xlabel="step", ylabel="training loss (cross-entropy)",
             yscale="log", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, dpi=150, format="png")
    temporary.replace(path)


def have_learnt(histories: Histories, plan: Plan) -> bool:
    """Says of which network it is not so."""
    good = True
    for label, history in histories.items():
        first, last = history.losses[0], history.losses[-1]
        if plan.most is not None and last >= first:
            print(f"{label}: expected a loss below that of the first step "
                  f"({first:.4f}), found {last:.4f}")
            good = False
        if plan.most is None and history.accuracies[-1] < WORST_ACCURACY:
            print(f"{label}: expected at least {WORST_ACCURACY:.0%} of the "
                  f"images right, found {history.accuracies[-1]:.1%}")
            good = False
    return good
