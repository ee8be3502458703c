#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Learn to read handwritten digits with PyTorch and muon_mlir.torch.

    build/torch-venv/bin/python examples/digits/digits_torch.py

The network is trained twice from the same start on the same batches, with
muon_mlir.torch.Muon and with torch.optim.AdamW. Needs the package, PyTorch,
scikit-learn and matplotlib; scripts/test-python.sh makes an environment that
has them.
"""
from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

try:
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from torch import nn
    from torch.nn.functional import cross_entropy

    import muon_mlir.torch
except ModuleNotFoundError as missing:
    sys.exit(f"digits_torch: {sys.executable} has no {missing.name}; run "
             "scripts/test-python.sh and use build/torch-venv/bin/python")

ROOT = Path(__file__).resolve().parents[2]
BATCH = 64
# A network that has not learnt gets about 10%, one epoch gives about 90%.
WORST_ACCURACY = 0.8


class Network(nn.Module):
    """64 pixels, two hidden layers of 128 and 64, 10 digits. By its name the
    last layer is AdamW's, as are the biases."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden1 = nn.Linear(64, 128)
        self.hidden2 = nn.Linear(128, 64)
        self.output = nn.Linear(64, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch x 10) of images (batch x 64)."""
        return self.output(self.hidden2(self.hidden1(images).relu()).relu())


def muon(network: nn.Module) -> torch.optim.Optimizer:
    return muon_mlir.torch.Muon(network, lr=0.02, weight_decay=0.1,
                                adjust_lr_fn="match_rms_adamw",
                                adamw={"lr": 0.01})


def adamw(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), lr=0.01, betas=(0.9, 0.95),
                             weight_decay=0.1)


OPTIMIZERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    "Muon": muon, "AdamW": adamw}


class Progress:
    """A bar on a terminal, a line for each epoch elsewhere."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.start = label, total, time.monotonic()

    def update(self, done: int, epoch: int, ends: bool, loss: float) -> None:
        text = f"{done}/{self.total} steps  epoch {epoch}  loss {loss:.4f}"
        if sys.stdout.isatty():
            bar = "#" * (30 * done // self.total)
            seconds = time.monotonic() - self.start
            print(f"\r\033[K{self.label:5} [{bar:<30}] {seconds:3.0f} s  "
                  f"{text}", end="\n" if done == self.total else "", flush=True)
        elif ends:
            print(f"{self.label:5} {text}", flush=True)


@dataclass
class History:
    losses: list[float] = field(default_factory=list)  # of each step
    accuracies: list[float] = field(default_factory=list)  # of each epoch
    seconds: list[float] = field(default_factory=list)  # of optimizer steps


def train(label: str, data: list[torch.Tensor], epochs: int,
          most: Optional[int], seed: int) -> History:
    """With a learning rate that falls linearly to a tenth."""
    train_x, test_x, train_y, test_y = data
    torch.manual_seed(seed)
    network = Network()
    optimizer = OPTIMIZERS[label](network)
    batches = len(train_x) // BATCH
    total = min(epochs * batches, most or epochs * batches)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: 1 - 0.9 * min(done / total, 1))
    progress, history = Progress(label, total), History()
    for done in range(total):
        if done % batches == 0:
            order = torch.randperm(len(train_x))
        pick = order[done % batches * BATCH:][:BATCH]
        # Memory of gradients is used again, so that it stays bound.
        optimizer.zero_grad(set_to_none=False)
        loss = cross_entropy(network(train_x[pick]), train_y[pick])
        loss.backward()
        start = time.perf_counter()
        optimizer.step()
        history.seconds.append(time.perf_counter() - start)
        scheduler.step()
        history.losses.append(loss.item())
        ends = (done + 1) % batches == 0 or done + 1 == total
        if ends:
            with torch.no_grad():
                right = network(test_x).argmax(1) == test_y
            history.accuracies.append(right.float().mean().item())
        progress.update(done + 1, done // batches + 1, ends, loss.item())
    return history


def print_table(histories: dict[str, History]) -> None:
    print("\nAccuracy on images not trained on")
    print("epoch " + "".join(f"{label:>9}" for label in histories))
    rows = zip(*(h.accuracies for h in histories.values()))
    for epoch, row in enumerate(rows, 1):
        print(f"{epoch:5} " + "".join(f"{100 * a:8.1f}%" for a in row))
    print("\n      last loss   optimizer step (median)")
    for label, history in histories.items():
        each = statistics.median(history.seconds)
        print(f"{label:5} {history.losses[-1]:9.4f} {each * 1e6:12.0f} us")


def plot(histories: dict[str, History], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for (label, history), color in zip(histories.items(),
                                       ("#2f6fb0", "#d1772e")):
        losses = torch.tensor(history.losses)
        window = min(10, len(losses))
        mean = losses.unfold(0, window, 1).mean(1)
        axes.plot(losses.tolist(), color=color, alpha=0.25, linewidth=1)
        axes.plot(range(window - 1, len(losses)), mean.tolist(), color=color,
                  label=f"{label} (mean of {window} steps)")
    axes.set(xlabel="step", ylabel="training loss (cross-entropy)",
             yscale="log", title="Handwritten digits, PyTorch")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp.png")
    figure.savefig(temporary, dpi=150)
    temporary.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, help="end after so many steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "build/demo",
                        help="folder for the plot (default: build/demo)")
    options = parser.parse_args()
    if options.epochs < 1 or (options.steps is not None and options.steps < 2):
        parser.error("--epochs must be at least 1, and --steps at least 2")

    images, labels = load_digits(return_X_y=True)
    data = [torch.tensor(part.tolist()) for part in train_test_split(
        images / 16 - 0.3, labels, test_size=0.25, stratify=labels,
        random_state=options.seed)]
    histories = {label: train(label, data, options.epochs, options.steps,
                              options.seed) for label in OPTIMIZERS}
    picture = options.out / "digits-torch.png"
    try:
        plot(histories, picture)
    except OSError as error:
        print(f"digits_torch: {error}", file=sys.stderr)
        return 1
    print_table(histories)
    print(f"\nLoss curves: {picture}")
    good = True
    for label, history in histories.items():
        if history.losses[-1] >= history.losses[0]:
            print(f"{label}: expected a loss below that of the first step, "
                  f"{history.losses[0]:.4f}, found {history.losses[-1]:.4f}")
            good = False
        if options.steps is None and history.accuracies[-1] < WORST_ACCURACY:
            print(f"{label}: expected at least {WORST_ACCURACY:.0%} of the "
                  f"images right, found {history.accuracies[-1]:.1%}")
            good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
