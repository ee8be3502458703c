"""Makes bytecode claim 2^30 attributes, for which MLIR's reader asks memory.

  enlarge-bytecode.py IN OUT

The format is described at https://mlir.llvm.org/docs/BytecodeFormat.
"""

import sys

ATTRIBUTE_OFFSETS = 3


def take(data, at):
    """The variable-length integer at `at`, and where the next byte is."""
    extra = (data[at] & -data[at]).bit_length() - 1 if data[at] else 8
    end = at + extra + 1
    value = int.from_bytes(data[at:end], "little")
    return value >> (extra + 1 if extra < 8 else 8), end


def main():
    data = open(sys.argv[1], "rb").read()
    _, at = take(data, 4)
    at = data.index(0, at) + 1
    result = data[:at]
    while at < len(data):
        section = data[at]
        size, at = take(data, at + 1)
        body = data[at : at + size]
        at += size
        if section == ATTRIBUTE_OFFSETS:
            _, first = take(body, 0)
            body = b"\0" + (1 << 30).to_bytes(8, "little") + body[first:]
        result += bytes([section, 0]) + len(body).to_bytes(8, "little") + body
    open(sys.argv[2], "wb").write(result)


main()
