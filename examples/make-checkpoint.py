#!/usr/bin/python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a small transformer checkpoint and gradients for it, both Gaussian.

    examples/make-checkpoint.py model.safetensors grads.safetensors
"""
import json
import random
import struct
import sys

LAYERS, WIDTH, VOCABULARY = 2, 32, 96


def shapes():
    yield "embed.weight", (VOCABULARY, WIDTH)
    for layer in range(LAYERS):
        prefix = f"layers.{layer}."
        yield prefix + "attn.qkv.weight", (3 * WIDTH, WIDTH)
        yield prefix + "attn.proj.weight", (WIDTH, WIDTH)
        yield prefix + "mlp.up.weight", (4 * WIDTH, WIDTH)
        yield prefix + "mlp.down.weight", (WIDTH, 4 * WIDTH)
        yield prefix + "norm.weight", (WIDTH,)
    yield "lm_head.weight", (VOCABULARY, WIDTH)


def write(path, scale, seed):
    source = random.Random(seed)
    header, data = {}, bytearray()
    for name, shape in shapes():
        count = 1
        for dim in shape:
            count *= dim
        begin = len(data)
        data += struct.pack(f"<{count}f", *(source.gauss(0, scale) for _ in range(count)))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write(sys.argv[1], 0.02, seed=1)
    write(sys.argv[2], 1e-3, seed=2)
