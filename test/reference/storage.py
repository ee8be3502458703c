# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors in the storage types of a checkpoint, and correct rounding to them.

NumPy has no bfloat16. A `Tensor` therefore keeps the bits (bf16 as uint16,
everything else as the NumPy type) beside the name of the type, and converts to
and from values exactly: `values` is exact, `Tensor.of` rounds to nearest even
in one rounding, also from f64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# safetensors name -> NumPy type of the bits.
BITS = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("u1"),
}
FLOATS = ("F64", "F32", "F16", "BF16")

# (bits of significand with the hidden one, smallest normal exponent)
_FORMAT = {"F64": (53, -1022), "F32": (24, -126), "F16": (11, -14),
           "BF16": (8, -126)}


def spacing(values: np.ndarray, dtype: str) -> np.ndarray:
    """The distance of neighbouring numbers of `dtype` around |values| (f64)."""
    digits, smallest = _FORMAT[dtype]
    _, exponent = np.frexp(np.abs(np.asarray(values, np.float64)))
    return np.ldexp(1.0, np.maximum(exponent - 1, smallest) - (digits - 1))


def bf16_bits(values: np.ndarray) -> np.ndarray:
    """Round f32 or f64 values to bf16, nearest even, as uint16 bits."""
    with np.errstate(over="ignore", invalid="ignore"):
        wide = np.asarray(values, np.float64)
        # Rounding to a multiple of the spacing is exact in f64 and breaks ties
        # to even; the result has at most 8 significant bits, so f32 holds it.
        quantum = spacing(np.where(np.isfinite(wide), wide, 0.0), "BF16")
        rounded = np.where(np.isfinite(wide),
                           np.rint(wide / quantum) * quantum, wide)
        rounded = np.where(rounded == 0, np.copysign(0.0, wide), rounded)
        single = np.atleast_1d(rounded).astype("<f4").reshape(-1)
        bits = (single.view("<u4") >> 16).astype("<u2").reshape(wide.shape)
    # A NaN whose payload lies in the lost half must not become infinity.
    return np.where(np.isnan(wide), np.uint16(0x7FC0), bits).astype("<u2")


def bf16_values(bits: np.ndarray) -> np.ndarray:
    """The exact f32 values of bf16 bits."""
    bits = np.asarray(bits, "<u2")
    wide = np.atleast_1d(bits).astype("<u4") << 16
    return wide.view("<f4").reshape(bits.shape)


# Types in which an iteration computes. tf32 has the range of f32 and a
# fraction of 10 bits; it is a type of operands, never of storage.
COMPUTE = ("f32", "tf32", "bf16", "f16")


def rounded(values: np.ndarray, compute: str, power: int = 0) -> np.ndarray:
    """f32 `values` as 2^-power times numbers of type `compute`, in f32.

    To nearest; ties to even, but away from zero for tf32 (cvt.rna.tf32.f32 of
    the PTX ISA is the rounding that all of its versions have).
    """
    values = np.asarray(values)
    assert values.dtype == np.float32, values.dtype
    if compute == "f32":
        return values
    # What is too large for the type, times the power of two, is infinite.
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.ldexp(values, power)
        if compute == "f16":
            result = scaled.astype("<f2").astype(np.float32)
        else:
            bits = np.atleast_1d(scaled).view("<u4")
            up = (np.uint32(0x1000) if compute == "tf32" else
                  np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1)))
            mask = {"tf32": 0xFFFFE000, "bf16": 0xFFFF0000}[compute]
            result = ((bits + up) & np.uint32(mask)).view(np.float32)
            result = np.where(np.isfinite(scaled), result.reshape(values.shape),
                              scaled)
        return np.ldexp(result, -power)


@dataclass(frozen=True)
class Tensor:
    """An array in a storage type; `bits` has the type's bit layout."""

    dtype: str
    bits: np.ndarray

    @staticmethod
    def of(values, dtype: str) -> "Tensor":
        """`values` rounded to `dtype`, ties to even."""
        array = np.asarray(values)
        with np.errstate(over="ignore"):
            if dtype == "BF16":
                bits = bf16_bits(array)
            else:
                bits = array.astype(BITS[dtype])
        return Tensor(dtype, np.array(bits, order="C", copy=True))

    @staticmethod
    def zeros(shape, dtype: str) -> "Tensor":
        return Tensor(dtype, np.zeros(shape, BITS[dtype]))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.bits.shape

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOATS

    def values(self, dtype=np.float64) -> np.ndarray:
        """The numbers, in a type that holds them exactly (f32 or f64)."""
        if self.dtype == "BF16":
            return bf16_values(self.bits).astype(dtype)
        return self.bits.astype(dtype)

    def same_bits(self, other: "Tensor") -> bool:
        return (self.dtype == other.dtype and self.shape == other.shape
                and self.bits.tobytes() == other.bits.tobytes())
