#!/usr/bin/python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A whole step of GPT-2 (124M) in f32 against PyTorch's, in one process.

    benchmarks/gpt2_step.py [--threads N] [--rounds R]

Needs PyTorch (scripts/setup.sh) and 5 GB of memory. Embeddings and
vectors are AdamW's, the matrices of the blocks Muon's, with the default rules.
PyTorch runs torch.optim.AdamW with foreach=True, and Muon written with
torch._foreach for what is elementwise and addmm for the products, on the
shorter side. Both start from the same weights, have the same gradients and take
turns, so that a change of the machine's load meets both; afterwards their
weights have to agree. The compiled step also looks for gradients that are not
finite and reports norms, which PyTorch's does not. `ratio` is that of the
medians, compiled over PyTorch; lower is better.
"""
import argparse
import ctypes
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

# Before PyTorch, for which it makes settings.
from torch_newton_schulz import A, B, BUILD, C, Buffer

import torch

LR, DECAY, MOMENTUM, BETAS, EPS = 1e-3, 0.1, 0.95, (0.9, 0.95), 1e-8
TOLERANCE = 1e-5
# GPT-2 stores the matrices of its blocks in×out.
RULES = {"rules": [{"match": "\\.(c_attn|c_proj|c_fc)\\.weight$", "transposed": True}]}
WEIGHT, GRADIENT, MOMENTUM_ROLE, STEP, RATE = 0, 1, 2, 6, 7


class Info(ctypes.Structure):
    """MuonTensorInfo."""

    _fields_ = [("role", ctypes.c_int), ("type", ctypes.c_int),
                ("name", ctypes.c_char_p), ("key", ctypes.c_char_p),
                ("rank", ctypes.c_size_t), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("elements", ctypes.c_uint64), ("bytes", ctypes.c_uint64),
                ("part", ctypes.c_int), ("tensor", ctypes.c_char_p),
                ("logical_key", ctypes.c_char_p),
                ("logical_rank", ctypes.c_size_t),
                ("logical_shape", ctypes.POINTER(ctypes.c_int64)),
                ("offset", ctypes.POINTER(ctypes.c_int64)), ("from", ctypes.c_int64),
                ("block", ctypes.POINTER(ctypes.c_int64))]


class Compiled:
    """The compiled step with weights and gradients of its own."""

    def __init__(self, path):
        self.runtime = ctypes.CDLL(str(BUILD / "lib" / "libmuon_runtime.so"))
        self.runtime.muonLastError.restype = ctypes.c_char_p
        self.runtime.muonArtifactTensorCount.restype = ctypes.c_size_t
        self.artifact, self.step = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.runtime.muonArtifactLoad(str(path).encode(), b"cpu",
                                                 ctypes.byref(self.artifact)))
        self.check(self.runtime.muonStepCreate(self.artifact, ctypes.byref(self.step)))
        self.tensors = {}
        for i in range(self.runtime.muonArtifactTensorCount(self.artifact)):
            info = Info()
            self.check(self.runtime.muonArtifactTensor(self.artifact, ctypes.c_size_t(i),
                                                       ctypes.byref(info)))
            tensor = self.make(info)
            self.tensors[info.role, info.name.decode()] = tensor
            buffer = Buffer(tensor.data_ptr(), info.type, info.rank, info.shape, info.bytes)
            self.check(self.runtime.muonStepBind(self.step, info.role, info.name,
                                                 ctypes.byref(buffer)))
        self.check(self.runtime.muonStepSetScalar(self.step, RATE, None, ctypes.c_double(LR)))

    @staticmethod
    def make(info):
        """Weights and gradients of the sizes that training has; state is zero."""
        shape = list(info.shape[:info.rank])
        if info.role == WEIGHT:
            return torch.randn(shape) * 0.02
        if info.role == GRADIENT:
            return torch.randn(shape) * 1e-3
        return torch.zeros(shape, dtype=torch.int64 if info.role == STEP else torch.float32)

    def named(self, role):
        return {name: tensor for (kind, name), tensor in self.tensors.items() if kind == role}

    def check(self, status):
        if status != 0:
            sys.exit("gpt2_step: error: " + self.runtime.muonLastError().decode())

    def __call__(self):
        result = (ctypes.c_char * 256)()
        self.check(self.runtime.muonStepRun(self.step, None, result))


class Torch:
    """The same step, on copies of the weights and on the same gradients."""

    def __init__(self, weights, gradients, muon):
        self.weights = {name: weight.clone() for name, weight in weights.items()}
        self.muon = [self.weights[name] for name in muon]
        self.gradients = [gradients[name] for name in muon]
        self.momenta = [torch.zeros_like(weight) for weight in self.muon]
        others = [name for name in weights if name not in muon]
        for name in others:
            self.weights[name].grad = gradients[name]
        self.adamw = torch.optim.AdamW([self.weights[name] for name in others], lr=LR,
                                       betas=BETAS, eps=EPS, weight_decay=DECAY, foreach=True)

    @staticmethod
    def orthogonalize(update):
        x = update / update.norm()
        tall = x.shape[0] > x.shape[1]
        for _ in range(5):
            gram = x.T @ x if tall else x @ x.T
            polynomial = torch.addmm(gram, gram, gram, beta=B, alpha=C)
            factors = (x, polynomial) if tall else (polynomial, x)
            x = torch.addmm(x, *factors, beta=A)
        return x

    def __call__(self):
        self.adamw.step()
        torch._foreach_mul_(self.momenta, MOMENTUM)
        torch._foreach_add_(self.momenta, self.gradients)
        updates = torch._foreach_mul(self.momenta, MOMENTUM)
        torch._foreach_add_(updates, self.gradients)
        directions = [self.orthogonalize(update) for update in updates]
        torch._foreach_mul_(directions,
                            [-LR * 0.2 * max(weight.shape) ** 0.5 for weight in self.muon])
        torch._foreach_mul_(self.muon, 1 - LR * DECAY)
        torch._foreach_add_(self.muon, directions)


def compile_step(folder):
    rules, source, artifact = (folder / name for name in ("rules.json", "step.mlir", "step.so"))
    rules.write_text(json.dumps(RULES))
    subprocess.run([BUILD / "bin" / "muon-import", "--preset", "gpt2-124m", "--config", rules,
                    "-o", source], check=True)
    subprocess.run([BUILD / "bin" / "muon-compile", source, "-o", artifact], check=True)
    return Compiled(artifact)


def difference(ours, theirs):
    return ((ours.double() - theirs).norm() / theirs.double().norm()).item()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(7)
    with tempfile.TemporaryDirectory() as folder:
        ours = compile_step(pathlib.Path(folder))
    ours.check(ours.runtime.muonSetCpuThreads(options.threads))
    weights = ours.named(WEIGHT)
    start = {name: weight.clone() for name, weight in weights.items()}
    theirs = Torch(weights, ours.named(GRADIENT), ours.named(MOMENTUM_ROLE))

    # The first round is not timed.
    times = ([], [])
    for _ in range(options.rounds + 1):
        for call, list_ in zip((ours, theirs), times):
            begin = time.perf_counter()
            call()
            list_.append(time.perf_counter() - begin)
    mine, plain = (statistics.median(list_[1:]) for list_ in times)

    worst = max((difference(weights[name], theirs.weights[name]), name) for name in weights)
    change = max((difference(weights[name].double() - start[name],
                             theirs.weights[name].double() - start[name]), name)
                 for name in weights)
    print(f"torch {torch.__version__}, {options.threads} threads, {options.rounds} rounds, "
          f"{sum(weight.numel() for weight in weights.values()):,} parameters")
    print(f"{'torch':>9} {'compiled':>9} {'ratio':>6}")
    print(f"{plain * 1e3:7.0f}ms {mine * 1e3:7.0f}ms {mine / plain:6.2f}")
    print(f"largest relative difference after {options.rounds + 1} steps: of a weight "
          f"{worst[0]:.1e} ({worst[1]}), of its change {change[0]:.1e} ({change[1]})")
    if not worst[0] <= TOLERANCE:
        sys.exit(f"gpt2_step: error: {worst[1]}: weights differ by {worst[0]:.1e}, "
                 f"expected at most {TOLERANCE:.0e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
