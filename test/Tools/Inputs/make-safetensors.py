"""Writes safetensors files for tests, good ones and bad ones.

  make-safetensors.py OUT NAME:DTYPE:DIMxDIM...   zeros, laid out in this order
  make-safetensors.py OUT --header TEXT [--data N] [--length N]
                                                  TEXT as it is, then N zeros;
                                                  --length is what the file
                                                  says that TEXT has
"""

import argparse
import json
import struct

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "I16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "F32": 32, "I64": 64, "F64": 64,
}


def describe(tensors):
    """The header for `tensors`, and how many bytes of data it promises."""
    header, end = {}, 0
    for tensor in tensors:
        name, dtype, dims = tensor.rsplit(":", 2)
        shape = [int(dim) for dim in dims.split("x")] if dims else []
        size = BITS[dtype] // 8
        for dim in shape:
            size *= dim
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [end, end + size],
        }
        end += size
    return json.dumps(header), end


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("tensors", nargs="*")
    parser.add_argument("--header")
    parser.add_argument("--data", type=int)
    parser.add_argument("--length", type=int)
    args = parser.parse_args()

    text, size = describe(args.tensors)
    if args.header is not None:
        text, size = args.header, 0
    if args.data is not None:
        size = args.data
    header = text.encode()
    length = len(header) if args.length is None else args.length
    with open(args.out, "wb") as file:
        file.write(struct.pack("<Q", length) + header + bytes(size))


if __name__ == "__main__":
    main()
