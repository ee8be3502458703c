#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a safetensors file of f32 numbers around 0.

  make-values.py OUT SEED NAME:DIMxDIM...
"""

import array
import json
import math
import random
import struct
import sys


def main():
    out, seed, *tensors = sys.argv[1:]
    source = random.Random(int(seed))
    header, data = {}, array.array("f")
    for tensor in tensors:
        name, dims = tensor.split(":")
        shape = [int(dim) for dim in dims.split("x")]
        start = 4 * len(data)
        data.extend(source.gauss(0, 0.02) for _ in range(math.prod(shape)))
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [start, 4 * len(data)]}
    text = json.dumps(header).encode()
    with open(out, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data.tobytes())


if __name__ == "__main__":
    main()
