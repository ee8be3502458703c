# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Muon and AdamW as plain PyTorch, written from the formulas.

Everything is computed in the dtype of the weights: f64 is the reference, f32
what rounding costs a plain implementation. The NS iteration can be in another.

Muon: kellerjordan.github.io/posts/muon, with the average of gradients as
momentum; scales of arXiv:2502.16982 and 2409.20325. AdamW: arXiv:1711.05101.
"""
import math

import torch

KELLER_JORDAN = (3.4445, -4.7750, 2.0315)


def orthogonalize(u, rows, steps, eps, safety=1.0, dtype=None):
    x = u.to(dtype or u.dtype)
    x = x / (safety * torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True)
             + eps)
    for t in range(steps):
        a, b, c = rows[min(t, len(rows) - 1)]
        if x.shape[-2] <= x.shape[-1]:
            gram = x @ x.transpose(-2, -1)
            x = a * x + (b * gram + c * (gram @ gram)) @ x
        else:
            gram = x.transpose(-2, -1) @ x
            x = a * x + x @ (b * gram + c * (gram @ gram))
    return x.to(u.dtype)


def scale(shape, name):
    r, c = shape[-2:]
    return {"original": math.sqrt(max(1, r / c)),
            "match_rms_adamw": 0.2 * math.sqrt(max(r, c)),
            "spectral_unclamped": math.sqrt(r / c)}[name or "original"]


class Reference:
    """Weights, state and steps of parameters given by name.

    kinds has 'muon' or 'adamw' for each name; options as those of groups.
    """

    def __init__(self, weights, kinds, dtype=torch.float64, ns_dtype=None):
        self.weights = {n: w.detach().to(dtype, copy=True)
                        for n, w in weights.items()}
        self.kinds, self.dtype, self.ns_dtype = kinds, dtype, ns_dtype
        self.first = {n: torch.zeros_like(w) for n, w in self.weights.items()}
        self.second = {n: torch.zeros_like(w) for n, w in self.weights.items()}
        self.counts = {n: 0 for n in self.weights}

    def step(self, gradients, muon, adamw, clip=None):
        grads = {n: g.detach().to(self.dtype) for n, g in gradients.items()}
        if clip is not None:
            norm = math.sqrt(sum(float(g.double().square().sum())
                                 for g in grads.values()))
            factor = min(1.0, clip / (norm + 1e-6))
            grads = {n: factor * g for n, g in grads.items()}
        for name, g in grads.items():
            if self.kinds[name] == "muon":
                self._muon(name, g, **muon)
            else:
                self._adamw(name, g, **adamw)

    def _muon(self, name, g, lr, weight_decay, momentum=0.95, nesterov=True,
              rows=(KELLER_JORDAN,), eps=1e-7, ns_steps=5, adjust_lr_fn=None,
              ns_safety=1.0):
        m = self.first[name]
        m.mul_(momentum).add_((1 - momentum) * g)
        u = momentum * m + (1 - momentum) * g if nesterov else m
        o = orthogonalize(u, rows, ns_steps, eps, ns_safety, self.ns_dtype)
        w = self.weights[name]
        w.mul_(1 - lr * weight_decay)
        w.sub_(lr * scale(w.shape, adjust_lr_fn) * o)

    def _adamw(self, name, g, lr, weight_decay, betas=(0.9, 0.95), eps=1e-8):
        self.counts[name] += 1
        t, m, v = self.counts[name], self.first[name], self.second[name]
        m.mul_(betas[0]).add_((1 - betas[0]) * g)
        v.mul_(betas[1]).add_((1 - betas[1]) * g * g)
        w = self.weights[name]
        w.mul_(1 - lr * weight_decay)
        w.sub_(lr * (m / (1 - betas[0] ** t))
               / ((v / (1 - betas[1] ** t)).sqrt() + eps))


def gradient(name, shape, number, kind):
    """Gradients that do not depend on the weights, of several spectra."""
    # The same whatever the order, and for every process.
    seed = sum(ord(c) * 31 ** i for i, c in enumerate(name)) % 10 ** 6
    generator = torch.Generator().manual_seed(1000 * seed + number)

    def randn(*sizes):
        return torch.randn(sizes, generator=generator, dtype=torch.float64)
    g = randn(*shape)
    if len(shape) < 2 or kind == "gaussian":
        return g.float()
    rank = min(shape[-2:])
    u = torch.linalg.qr(randn(*shape[:-2], shape[-2], rank))[0]
    v = torch.linalg.qr(randn(*shape[:-2], shape[-1], rank))[0]
    values = torch.logspace(0, -3, rank, dtype=torch.float64)
    if kind == "half_rank":
        values[(rank + 1) // 2:] = 0
    return (u * values @ v.transpose(-2, -1)).float()


def error(found, exact):
    """Relative, in the Frobenius norm."""
    return float((found.double() - exact).norm() / exact.norm())
