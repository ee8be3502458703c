#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Learn to read handwritten digits with a compiled optimizer step.

A small network is trained twice, with Muon and with AdamW. NumPy computes the
gradients; every optimizer step is done by an artifact of muon-compile, through
muon-run: the network's checkpoint goes in, the next checkpoint comes out. With
--device=sim or --device=cuda it is an artifact for a GPU.

The data are the 1797 images (8x8) that scikit-learn brings along.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

try:
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
except ModuleNotFoundError as missing:
    sys.exit(f"digits: {sys.executable} has no {missing.name}; on Debian, run "
             f"scripts/setup.sh and use /usr/bin/python3")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "reference"))

import safetensors_io  # noqa: E402
from rules import resolve  # noqa: E402
from storage import Tensor  # noqa: E402
from tolerance import Comparison  # noqa: E402

BATCH = 64
WIDTHS = (64, 128, 64, 10)  # pixels, two hidden layers, digits
LAYERS = ("hidden.0", "hidden.1", "output")

# What muon-import --config gets. Without rules of its own, a checkpoint's
# matrices get Muon and its vectors and its last layer (output.weight) AdamW. On
# every device in f32, whatever its default is.
RULES = {
    "Muon": {"muon": {"compute": "f32"}},
    "AdamW": {"rules": [{"match": ".*", "optimizer": "adamw"}]},
}
# Learning rates at the first step, by rule group; a small search over each.
RATES = {"Muon": {"muon": 0.017, "adamw": 0.01}, "AdamW": {"adamw": 0.01}}

Arrays = dict[str, np.ndarray]


class Error(Exception):
    """Something the user has to put right."""


# The network. A weight is (outputs x inputs), as in PyTorch.


def new_network(seed: int) -> Arrays:
    """He's initialisation: weights of variance 2 / inputs, biases zero."""
    rng = np.random.default_rng(seed)
    network = {}
    for layer, fan_in, fan_out in zip(LAYERS, WIDTHS, WIDTHS[1:]):
        spread = np.sqrt(2 / fan_in)
        network[f"{layer}.weight"] = (
            spread * rng.standard_normal((fan_out, fan_in))).astype("f4")
        network[f"{layer}.bias"] = np.zeros(fan_out, "f4")
    return network


def forward(network: Arrays, images: np.ndarray) -> list[np.ndarray]:
    """The input of every layer (batch x width), and at last the logits."""
    values = [images]
    for layer in LAYERS:
        out = (values[-1] @ network[f"{layer}.weight"].T
               + network[f"{layer}.bias"])
        values.append(out if layer == LAYERS[-1] else np.maximum(out, 0))
    return values


def loss_and_gradients(network: Arrays, images: np.ndarray,
                       labels: np.ndarray) -> tuple[float, Arrays]:
    """Mean cross-entropy of a batch, and its derivatives."""
    values = forward(network, images)
    logits = values[-1] - values[-1].max(axis=1, keepdims=True)
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -float(np.mean(np.log(probabilities[rows, labels] + 1e-30)))

    delta = probabilities
    delta[rows, labels] -= 1
    delta /= len(labels)
    gradients = {}
    for i in reversed(range(len(LAYERS))):
        gradients[f"{LAYERS[i]}.weight"] = delta.T @ values[i]
        gradients[f"{LAYERS[i]}.bias"] = delta.sum(axis=0)
        delta = (delta @ network[f"{LAYERS[i]}.weight"]) * (values[i] > 0)
    return loss, gradients


# A network that has not learnt gets about 10%, one epoch gives about 90%.
WORST_ACCURACY = 0.8


def accuracy(network: Arrays, images: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(forward(network, images)[-1].argmax(1) == labels))


# The optimizer.


class CompiledStep:
    """A checkpoint's optimizer step, compiled, and its state."""

    def __init__(self, bin_dir: Path, folder: Path, network: Arrays,
                 rules: dict, device: str):
        self.bin_dir, self.folder, self.device = bin_dir, folder, device
        folder.mkdir()
        tensors = {n: Tensor.of(v, "F32") for n, v in network.items()}
        self.plan = resolve(rules, tensors)
        model = folder / "model.safetensors"
        safetensors_io.save(model, tensors)
        (folder / "rules.json").write_text(json.dumps(rules))
        self.tool("muon-import", model, "--config", folder / "rules.json",
                  "-o", folder / "step.mlir")
        self.tool("muon-compile", folder / "step.mlir", "-o",
                  folder / "step.so",
                  "--target=cpu" if device == "cpu" else "--target=sm_80")
        # Inputs and outputs of the last step, for the check at the end.
        self.last: Optional[tuple] = None
        self.state: dict[str, Tensor] = {}

    def tool(self, name: str, *arguments) -> str:
        path = self.bin_dir / name
        try:
            done = subprocess.run([str(path), *map(str, arguments)],
                                  capture_output=True, text=True)
        except OSError as error:
            raise Error(f"cannot run {path}: {error.strerror}; build the "
                        f"project first, or name the folder with --bin")
        if done.returncode:
            raise Error(f"{path} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def __call__(self, network: Arrays, gradients: Arrays,
                 rates: dict[str, float]) -> Arrays:
        """The network after one step with a learning rate for each group."""
        files = {n: self.folder / f"{n}.safetensors"
                 for n in ("params", "grads", "state", "new", "new-state")}
        params = {n: Tensor.of(v, "F32") for n, v in network.items()}
        grads = {n: Tensor.of(v, "F32") for n, v in gradients.items()}
        safetensors_io.save(files["params"], params)
        safetensors_io.save(files["grads"], grads)
        start = (["--state", files["state"]] if self.state
                 else ["--init-state"])
        learning_rates = [x for group, rate in rates.items()
                          for x in ("--lr", f"{group}={rate!r}")]
        said = self.tool("muon-run", self.folder / "step.so", "--params",
                         files["params"], "--grads", files["grads"], *start,
                         *learning_rates, "--device", self.device,
                         "--out-params", files["new"], "--out-state",
                         files["new-state"])
        if "step skipped" in said:
            raise Error(f"no step was expected to be skipped: {said.strip()}")
        files["new-state"].replace(files["state"])
        new = safetensors_io.load(files["new"])
        state = safetensors_io.load(files["state"])
        self.last = params, grads, self.state, {"lr": rates}, new, state
        self.state = state
        return {n: t.bits.copy() for n, t in new.items()}


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
    seconds: float = 0.0
    network: Arrays = field(default_factory=dict)  # at the end


def train(label: str, data, step: CompiledStep, network: Arrays, epochs: int,
          most: Optional[int], seed: int) -> History:
    """Train with a learning rate that falls linearly to a tenth.

    After `most` steps it ends, however many epochs are left.
    """
    train_x, test_x, train_y, test_y = data
    rng = np.random.default_rng(seed)
    batches = len(train_x) // BATCH
    total = min(epochs * batches, most or epochs * batches)
    progress, history = Progress(label, total), History()
    start = time.monotonic()
    for epoch in range(-(-total // batches)):
        order = rng.permutation(len(train_x))
        for batch in range(min(batches, total - epoch * batches)):
            pick = order[batch * BATCH:(batch + 1) * BATCH]
            loss, gradients = loss_and_gradients(network, train_x[pick],
                                                 train_y[pick])
            done = len(history.losses)
            factor = 1 - 0.9 * done / total
            network = step(network, gradients, {
                group: rate * factor for group, rate in RATES[label].items()})
            history.losses.append(loss)
            last = batch == batches - 1 or done + 1 == total
            if last:
                history.accuracies.append(accuracy(network, test_x, test_y))
            progress.update(done + 1, last,
                            f"epoch {epoch + 1}  loss {loss:.4f}")
    history.seconds = time.monotonic() - start
    history.network = network
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
             yscale="log", title="Handwritten digits, compiled steps")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def check_last_step(label: str, step: CompiledStep) -> bool:
    """Compare the last step taken with the same step in float64."""
    params, grads, state, scalars, new, new_state = step.last
    comparison = Comparison(step.plan)
    exact = comparison.add(params, grads, state, scalars, new, new_state)
    failures = comparison.failures()
    if failures:
        print(f"{label}: the last step differs from the f64 reference:")
        print("\n".join(f"  {f}" for f in failures[:5]))
        return False
    error = max(float(np.max(np.abs(t.values() - exact.values[n])))
                for n, t in new.items())
    worst = comparison.findings()[0]
    print(f"{label}: last step against f64: largest error of a weight "
          f"{error:.1e}, at worst {100 * worst.ratio:.0f}% of what f32 "
          f"rounding allows ({worst.tensor})")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int,
                        help="end after so many steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu",
                        help="cpu, the default, or sim or cuda, with options "
                        "as muon-run takes them")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin",
                        help="folder of muon-import, muon-compile, muon-run")
    parser.add_argument("--out", type=Path, default=ROOT / "build/demo",
                        help="folder for the plot and the trained networks "
                        "(default: build/demo)")
    options = parser.parse_args()
    if options.epochs < 1:
        parser.error("--epochs must be at least 1")
    if options.steps is not None and options.steps < 2:
        parser.error("--steps must be at least 2")

    images, labels = load_digits(return_X_y=True)
    images = (images / 16 - 0.3).astype("f4")  # about centred
    data = train_test_split(images, labels, test_size=0.25, stratify=labels,
                            random_state=options.seed)
    histories, steps = {}, {}
    try:
        with tempfile.TemporaryDirectory(prefix="muon-digits-") as folder:
            for label, rules in RULES.items():
                network = new_network(options.seed)
                steps[label] = CompiledStep(options.bin, Path(folder) / label,
                                            network, rules, options.device)
                histories[label] = train(label, data, steps[label], network,
                                         options.epochs, options.steps,
                                         options.seed)
        options.out.mkdir(parents=True, exist_ok=True)
        picture = options.out / "digits.png"
        plot(histories, picture)
        for label, history in histories.items():
            safetensors_io.save(
                options.out / f"{label.lower()}.safetensors",
                {n: Tensor.of(v, "F32") for n, v in history.network.items()})
    except (Error, OSError) as error:
        print(f"digits: {error}", file=sys.stderr)
        return 1
    print_table(histories)
    print(f"\nLoss curves: {picture}")
    good = [check_last_step(label, step) for label, step in steps.items()]
    for label, history in histories.items():
        if options.steps is not None:
            if history.losses[-1] >= history.losses[0]:
                print(f"{label}: expected a loss below that of the first step "
                      f"({history.losses[0]:.4f}), found "
                      f"{history.losses[-1]:.4f}")
                good.append(False)
        elif history.accuracies[-1] < WORST_ACCURACY:
            print(f"{label}: expected at least {WORST_ACCURACY:.0%} of the "
                  f"images right, found {history.accuracies[-1]:.1%}")
            good.append(False)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
