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
from pathlib import Path
from typing import Optional

try:
    import numpy as np
    from training import (ROOT, WIDTHS, Data, History, Plan, Progress, falling,
                          have_learnt, parse, plot, print_table)
except ModuleNotFoundError as missing:
    sys.exit(f"digits: {sys.executable} has no {missing.name}; on Debian, run "
             f"scripts/setup.sh and use /usr/bin/python3")

sys.path.insert(0, str(ROOT / "test" / "reference"))

import safetensors_io  # noqa: E402
from rules import resolve  # noqa: E402
from storage import Tensor  # noqa: E402
from tolerance import Comparison  # noqa: E402

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


def train(label: str, data: Data, step: CompiledStep, network: Arrays,
          plan: Plan) -> History:
    """With learning rates that fall linearly to a tenth."""
    total = plan.steps(data)
    progress, history = Progress(label, total), History()
    for done, batch in enumerate(plan.batches(data)):
        loss, gradients = loss_and_gradients(network, batch.images,
                                             batch.labels)
        rates = {group: rate * falling(done, total)
                 for group, rate in RATES[label].items()}
        start = time.perf_counter()
        network = step(network, gradients, rates)
        history.seconds.append(time.perf_counter() - start)
        history.losses.append(loss)
        if batch.ends:
            history.accuracies.append(
                accuracy(network, data.test_x, data.test_y))
        progress.update(batch, loss)
    history.network = network
    return history


# Results.


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
    parser.add_argument("--device", default="cpu",
                        help="cpu, the default, or sim or cuda, with options "
                        "as muon-run takes them")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin",
                        help="folder of muon-import, muon-compile, muon-run")
    options = parse(parser)

    data = Data.load(options.seed)
    plan = Plan(options.epochs, options.steps, options.seed)
    histories, steps = {}, {}
    try:
        with tempfile.TemporaryDirectory(prefix="muon-digits-") as folder:
            for label, rules in RULES.items():
                network = new_network(options.seed)
                steps[label] = CompiledStep(options.bin, Path(folder) / label,
                                            network, rules, options.device)
                histories[label] = train(label, data, steps[label], network,
                                         plan)
        picture = options.out / "digits.png"
        plot(histories, picture, "Handwritten digits, compiled steps")
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
    good.append(have_learnt(histories, plan))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
