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
from typing import Callable

try:
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy
    from training import (WIDTHS, Data, History, Plan, Progress, falling,
                          have_learnt, parse, plot, print_table)

    import muon_mlir.torch
except ModuleNotFoundError as missing:
    sys.exit(f"digits_torch: {sys.executable} has no {missing.name}; run "
             "scripts/test-python.sh and use build/torch-venv/bin/python")


class Network(nn.Module):
    """64 pixels, two hidden layers of 128 and 64, 10 digits. By its name the
    last layer is AdamW's, as are the biases."""

    def __init__(self) -> None:
        super().__init__()
        pixels, first, second, digits = WIDTHS
        self.hidden1 = nn.Linear(pixels, first)
        self.hidden2 = nn.Linear(first, second)
        self.output = nn.Linear(second, digits)

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


def train(label: str, data: Data, plan: Plan) -> History:
    """With a learning rate that falls linearly to a tenth."""
    torch.manual_seed(plan.seed)
    network = Network()
    optimizer = OPTIMIZERS[label](network)
    total = plan.steps(data)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: falling(done, total))
    test_x, test_y = torch.tensor(data.test_x), torch.tensor(data.test_y)
    progress, history = Progress(label, total), History()
    for batch in plan.batches(data):
        # Memory of gradients is used again, so that it stays bound.
        optimizer.zero_grad(set_to_none=False)
        loss = cross_entropy(network(torch.tensor(batch.images)),
                             torch.tensor(batch.labels))
        loss.backward()
        start = time.perf_counter()
        optimizer.step()
        history.seconds.append(time.perf_counter() - start)
        scheduler.step()
        history.losses.append(loss.item())
        if batch.ends:
            with torch.no_grad():
                right = network(test_x).argmax(1) == test_y
            history.accuracies.append(right.float().mean().item())
        progress.update(batch, loss.item())
    return history


def print_times(histories: dict[str, History]) -> None:
    print("\n      last loss   optimizer step (median)")
    for label, history in histories.items():
        each = statistics.median(history.seconds)
        print(f"{label:5} {history.losses[-1]:9.4f} {each * 1e6:12.0f} us")


def main() -> int:
    options = parse(argparse.ArgumentParser(
        description=__doc__.splitlines()[0]))
    data = Data.load(options.seed)
    plan = Plan(options.epochs, options.steps, options.seed)
    picture = options.out / "digits-torch.png"
    try:
        histories = {label: train(label, data, plan) for label in OPTIMIZERS}
        plot(histories, picture, "Handwritten digits, PyTorch")
    except (muon_mlir.Error, OSError) as error:
        print(f"digits_torch: {error}", file=sys.stderr)
        return 1
    print_table(histories)
    print_times(histories)
    print(f"\nLoss curves: {picture}")
    return 0 if have_learnt(histories, plan) else 1


if __name__ == "__main__":
    sys.exit(main())
