#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Says of which tensors two safetensors files have the same bits.

  same-bits.py FILE OTHER

Prints `N tensors, M of them differ`. The order in the files is no matter.
"""

import json
import struct
import sys


def load(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length:]
    return {name: (t["dtype"], t["shape"], body[slice(*t["data_offsets"])])
            for name, t in header.items()}


def main():
    one, other = map(load, sys.argv[1:])
    if one.keys() != other.keys():
        sys.exit(f"expected tensors {sorted(one)}, found {sorted(other)}")
    differ = sum(one[name] != other[name] for name in one)
    print(f"{len(one)} tensors, {differ} of them differ")


if __name__ == "__main__":
    main()
