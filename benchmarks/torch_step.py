#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""muon_mlir.torch.Muon against PyTorch, in one process.

    build/torch-venv/bin/python benchmarks/torch_step.py [--threads N]
                                                         [--rounds R]

Needs the package and PyTorch (scripts/test-python.sh makes the environment),
and 8 GB of memory. The first part is a step of GPT-2's shapes (124M) in f32.
PyTorch runs what gpt2_step.py has it run: AdamW with foreach=True, and Muon
written with torch._foreach and addmm; and, where it has one, its own Muon,
whose iteration is in bf16: ours is compared with it in f32, as it comes, and
with compute="bf16". All have the same weights and gradients and take turns;
afterwards weights have to agree, with those of f32 to rounding. `ratio` is that
of the medians, ours over PyTorch's; lower is better.

The second part is the time of step() beyond that of the compiled step inside
of it, for 300 parameters of which half are matrices: with gradients that stay
where they are, and with gradients that are new in each step. An optimizer of
3,000 parameters takes turns, so that caches are as after a step of a model. For
scale, torch.optim.AdamW with foreach=True on 300 vectors of two elements, which
is nothing but what it costs beyond its arithmetic.
"""
import argparse
import os
import statistics
import sys
import time

# Before PyTorch, for which it makes settings.
import gpt2_step
from gpt2_step import BETAS, DECAY, EPS, LR, MOMENTUM, Torch, difference

import torch

import muon_mlir
import muon_mlir.torch
from python_overhead import gpt2

# Of weights after all rounds, for what rounds to f32 and to bf16.
TOLERANCE, TOLERANCE_BF16 = gpt2_step.TOLERANCE, 1e-2
WARM_UP = 20


def is_muon(name, shape):
    return len(shape) == 2 and "wte" not in name and "wpe" not in name


class Ours:
    def __init__(self, weights, gradients, compute="auto"):
        self.weights = {n: torch.nn.Parameter(w.clone())
                        for n, w in weights.items()}
        for name, parameter in self.weights.items():
            parameter.grad = gradients[name]
        self.optimizer = muon_mlir.torch.Muon(
            self.weights.items(), lr=LR, weight_decay=DECAY, momentum=MOMENTUM,
            eps=0.0, adjust_lr_fn="match_rms_adamw",
            adamw={"betas": BETAS, "eps": EPS}, compute=compute)
        muon = self.optimizer.param_groups[0]["param_names"]
        expected = [n for n, w in weights.items() if is_muon(n, w.shape)]
        assert muon == expected, muon

    def __call__(self):
        self.optimizer.step()


class TorchMuon:
    """PyTorch's own, of versions that have it."""

    def __init__(self, weights, gradients, muon):
        self.weights = {n: torch.nn.Parameter(w.clone())
                        for n, w in weights.items()}
        for name, parameter in self.weights.items():
            parameter.grad = gradients[name]
        others = [p for n, p in self.weights.items() if n not in muon]
        self.optimizers = [
            torch.optim.Muon([self.weights[n] for n in muon], lr=LR,
                             weight_decay=DECAY, momentum=MOMENTUM,
                             adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=LR, betas=BETAS, eps=EPS,
                              weight_decay=DECAY, foreach=True)]

    def __call__(self):
        for optimizer in self.optimizers:
            optimizer.step()


def compare_gpt2(rounds):
    """Whether weights agree; prints times."""
    weights = {n: 0.02 * torch.randn(shape) for n, (shape, _) in gpt2().items()}
    gradients = {n: 1e-3 * torch.randn(w.shape) for n, w in weights.items()}
    muon = [n for n, w in weights.items() if is_muon(n, w.shape)]
    runs = {"ours": Ours(weights, gradients),
            "plain PyTorch": Torch(weights, gradients, muon)}
    if hasattr(torch.optim, "Muon"):
        runs["torch.optim"] = TorchMuon(weights, gradients, muon)
        runs["ours in bf16"] = Ours(weights, gradients, "bf16")
    del weights
    times = {label: [] for label in runs}
    for _ in range(rounds + 1):
        for label, run in runs.items():
            begin = time.perf_counter()
            run()
            times[label].append(time.perf_counter() - begin)
    # The first round is not timed.
    median = {n: statistics.median(t[1:]) for n, t in times.items()}
    pairs = [("ours", "plain PyTorch", TOLERANCE)]
    if "torch.optim" in runs:
        pairs += [("ours", "torch.optim", TOLERANCE_BF16),
                  ("ours in bf16", "torch.optim", TOLERANCE_BF16)]
    good = True
    for mine, other, limit in pairs:
        worst = max((difference(w.detach(), runs[other].weights[n].detach()), n)
                    for n, w in runs[mine].weights.items())
        print(f"GPT-2 (124M): {mine} {median[mine] * 1e3:6.0f} ms, {other} "
              f"{median[other] * 1e3:6.0f} ms, ratio "
              f"{median[mine] / median[other]:.2f}; weights differ by "
              f"{worst[0]:.1e} at most ({worst[1]}), limit {limit:.0e}")
        good &= worst[0] <= limit
    return good


def parameters(count, rows, columns):
    return [torch.nn.Parameter(torch.randn(rows, columns) if i % 2
                               else torch.randn(rows * columns))
            for i in range(count)]


def overhead(rounds):
    few, many = parameters(300, 60, 60), parameters(3000, 60, 60)
    optimizers = {}
    for label, params in (("same", few), ("other", many)):
        for p in params:
            p.grad = torch.randn_like(p)
        optimizers[label] = muon_mlir.torch.Muon(params)
    spare = [p.grad.clone() for p in few]
    found = {"gradients that stay": [], "new gradients": []}
    for number in range(2 * (rounds + WARM_UP)):
        optimizers["other"].step()
        if number % 2:
            for i, p in enumerate(few):
                p.grad, spare[i] = spare[i], p.grad
        begin = time.perf_counter_ns()
        optimizers["same"].step()
        whole = time.perf_counter_ns() - begin
        (step,) = optimizers["same"].compiled_steps
        found["new gradients" if number % 2 else "gradients that stay"].append(
            (whole - step._instance.run_nanoseconds) / 1e3)
    tiny = parameters(300, 1, 2)
    for p in tiny:
        p.grad = torch.randn_like(p)
    adamw = torch.optim.AdamW(tiny, foreach=True)
    label = "torch.optim.AdamW"
    found[label] = []
    for _ in range(rounds + WARM_UP):
        optimizers["other"].step()
        begin = time.perf_counter_ns()
        adamw.step()
        found[label].append((time.perf_counter_ns() - begin) / 1e3)
    for label, each in found.items():
        each = sorted(each[WARM_UP:])
        median = statistics.median(each)
        print(f"300 parameters, {label:19}: {median:6.0f} us beyond the step "
              f"(90 %: {each[len(each) * 9 // 10]:6.0f} us), "
              f"{median / 300:.2f} us for each parameter")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    muon_mlir.set_cpu_threads(options.threads)
    torch.manual_seed(7)
    print(f"PyTorch {torch.__version__}, {options.threads} threads, "
          f"{options.rounds} rounds")
    good = compare_gpt2(options.rounds)
    overhead(20 * options.rounds)
    if not good:
        print("torch_step: error: weights differ by more than rounding",
              file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
