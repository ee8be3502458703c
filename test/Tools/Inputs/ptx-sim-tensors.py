"""Writes and shows safetensors files with values.

  ptx-sim-tensors.py write OUT NAME:DTYPE:DIMxDIM...=VALUES...
  ptx-sim-tensors.py show FILE [NAME]

VALUES are apart by commas and repeat until the tensor is full; `range` stands
for 0, 1, 2, ... One line is shown for each tensor, or of one its values only.
"""

import json
import math
import struct
import sys

FORMATS = {"F16": "e", "F32": "f", "F64": "d", "I32": "i", "I64": "q", "U8": "B", "U32": "I"}


def write(out, tensors):
    header, data = {}, b""
    for tensor in tensors:
        head, values = tensor.split("=")
        name, dtype, dims = head.rsplit(":", 2)
        shape = [int(dim) for dim in dims.split("x")] if dims else []
        number = float if dtype[0] == "F" else int
        values = range(math.prod(shape)) if values == "range" else values.split(",")
        values = [number(values[i % len(values)]) for i in range(math.prod(shape))]
        raw = struct.pack(f"<{len(values)}{FORMATS[dtype]}", *values)
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    with open(out, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def show(path, only=None):
    with open(path, "rb") as file:
        raw = file.read()
    (length,) = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8 : 8 + length])
    for name, info in sorted(header.items()):
        begin, end = info["data_offsets"]
        form = FORMATS[info["dtype"]]
        count = (end - begin) // struct.calcsize(form)
        values = struct.unpack_from(f"<{count}{form}", raw, 8 + length + begin)
        text = " ".join(f"{value:g}" for value in values)
        if only is None:
            print(name, info["dtype"], info["shape"], text)
        elif only == name:
            print(text)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], sys.argv[3:])
    else:
        show(*sys.argv[2:])
