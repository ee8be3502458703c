# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients that make an optimizer step hard.

Gaussian matrices hide what Newton-Schulz does to small singular values; the
decaying and rank-deficient ones show it.
"""

from __future__ import annotations

import zlib

import numpy as np

KINDS = ("gaussian", "decay3", "decay7", "half_rank", "rank1", "huge", "tiny",
         "zero", "pulse")

# Sizes that no tile divides, vectors, one number, extreme aspects, batches.
SHAPES = ((6, 13), (13, 6), (15, 37), (37, 15), (64, 64), (1, 64), (64, 1),
          (1, 1), (2, 2000), (2000, 2), (129, 257), (257, 129), (1, 9, 7),
          (3, 12, 20), (8, 6, 13), (3, 20, 12))


def rng_for(*key) -> np.random.Generator:
    """A generator that depends on `key` alone, in every process."""
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def _with_singular_values(rng, rows: int, cols: int, s) -> np.ndarray:
    """A (rows x cols) matrix with singular values s and random vectors."""
    k = len(s)
    left, _ = np.linalg.qr(rng.standard_normal((rows, k)))
    right, _ = np.linalg.qr(rng.standard_normal((cols, k)))
    return (left * s) @ right.T


def matrix(kind: str, rng, rows: int, cols: int, dtype: str,
           number: int) -> np.ndarray:
    """Gradient number `number` (from 1) of a sequence, (rows x cols), f64."""
    m = min(rows, cols)
    gaussian = rng.standard_normal((rows, cols))
    if kind == "gaussian":
        return gaussian
    if kind in ("decay3", "decay7"):
        low = -3.0 if kind == "decay3" else -7.0
        return _with_singular_values(rng, rows, cols,
                                     np.logspace(0, low, m)) * m
    if kind == "half_rank":
        return _with_singular_values(rng, rows, cols,
                                     rng.uniform(0.5, 1, (m + 1) // 2)) * m
    if kind == "rank1":
        return np.outer(rng.standard_normal(rows), rng.standard_normal(cols))
    if kind == "huge":
        gaussian[rng.integers(rows), rng.integers(cols)] = (
            1e4 if dtype == "F16" else 1e6)
        return gaussian
    if kind == "tiny":
        # f16: multiples of 2^-24, all subnormal.
        return gaussian * (2.0 ** -21 if dtype == "F16" else 1e-20)
    if kind == "zero":
        return gaussian * 0
    if kind == "pulse":  # and afterwards nothing but momentum
        return gaussian if number == 1 else gaussian * 0
    raise ValueError(kind)


def gradient(kind: str, key, shape: tuple[int, ...], dtype: str,
             number: int) -> np.ndarray:
    """A gradient of any rank; the matrices of a batch take kinds in turn."""
    rng = rng_for("gradient", key, number)
    if len(shape) == 2:
        return matrix(kind, rng, *shape, dtype, number)
    if len(shape) == 3:
        first = KINDS.index(kind)
        return np.stack([matrix(KINDS[(first + i) % len(KINDS)], rng,
                                *shape[1:], dtype, number)
                         for i in range(shape[0])])
    return rng.standard_normal(shape)


def weight(key, shape: tuple[int, ...]) -> np.ndarray:
    """Weights of about the size of the updates: errors in these show."""
    return 0.05 * rng_for("weight", key).standard_normal(shape)
